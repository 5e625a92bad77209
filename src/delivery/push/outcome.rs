// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What an answer means for the queue. Of a failure only the code is kept: a recipient's text could hold data of the person.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::chance;
use crate::exchange::Outcome;
use crate::grpc::status::code_name;
use crate::outbox::Failure;

/// The recipient's dialect has no words for the message; no repetition will find them.
pub(super) const UNMAPPABLE: &str = "UNMAPPABLE";
/// Our own code failed.
pub(super) const PANIC: &str = "PANIC";

/// A refusal or an error of the recipient, or of the way to it.
pub(super) fn of(status: &Status) -> Outcome {
    let failure = match status.code() {
        Code::InvalidArgument | Code::FailedPrecondition | Code::Unimplemented | Code::PermissionDenied => Failure::Permanent,
        _ => Failure::Transient { retry_after: status.get_details_retry_info().and_then(|info| info.retry_delay) },
    };
    failed(failure, code_name(status.code()))
}

/// Never to be tried again.
pub(super) fn permanent(code: &'static str) -> Outcome {
    failed(Failure::Permanent, code)
}

/// To be tried again.
pub(super) fn transient(code: &'static str) -> Outcome {
    failed(Failure::Transient { retry_after: None }, code)
}

/// Whether the recipient was reached; none if the attempt says nothing about that. Whoever answers is there, whatever it says of this one.
pub(super) fn reached(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Outcome::Delivered => Some(true),
        Outcome::Failed { code, .. } if code == UNMAPPABLE || code == PANIC => None,
        Outcome::Failed { code, .. } => Some(code != code_name(Code::Unavailable) && code != code_name(Code::DeadlineExceeded)),
        Outcome::Returned | Outcome::Untold => None,
    }
}

/// For metrics.
pub(super) fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered => "delivered",
        Outcome::Failed { failure: Failure::Permanent, .. } => "refused",
        Outcome::Failed { failure: Failure::Transient { .. }, .. } => "failed",
        Outcome::Returned | Outcome::Untold => "returned",
    }
}

fn failed(failure: Failure, code: &'static str) -> Outcome {
    Outcome::Failed { failure, code: code.to_owned(), random: chance::part() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use tonic_types::ErrorDetails;

    fn failure(outcome: Outcome) -> (Failure, String) {
        match outcome {
            Outcome::Failed { failure, code, .. } => (failure, code),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_contract_says_which_codes_mean_never_again() {
        let contract = include_str!("../../../proto/weiche/institution/v1/delivery_service.proto");
        let promised = contract.lines().find(|line| line.contains("never send it again")).unwrap();
        for number in 1..=16 {
            let code = Code::from(number);
            let (failure, name) = failure(of(&Status::new(code, "a text with data in it")));
            assert_eq!(failure == Failure::Permanent, promised.contains(code_name(code)), "{name}");
            assert_eq!(name, code_name(code));
        }
    }

    #[test]
    fn whoever_answers_is_there_whatever_it_says() {
        for number in 1..=16 {
            let away = [Code::Unavailable, Code::DeadlineExceeded].contains(&Code::from(number));
            assert_eq!(reached(&of(&Status::new(Code::from(number), ""))), Some(!away));
        }
        assert_eq!([reached(&Outcome::Delivered), reached(&transient(PANIC)), reached(&Outcome::Returned)], [Some(true), None, None]);
    }

    #[test]
    fn a_recipient_may_say_when_to_come_back() {
        let asked = Duration::from_secs(7);
        let mut details = ErrorDetails::new();
        details.set_retry_info(Some(asked));
        let (failure, _) = failure(of(&Status::with_error_details(Code::Unavailable, "busy", details)));
        assert_eq!(failure, Failure::Transient { retry_after: Some(asked) });
    }
}
