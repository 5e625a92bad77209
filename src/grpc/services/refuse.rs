// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From what a use case says to what a caller is told. Only the sender of a referral gets here with a denial.

use std::time::Duration;

use crate::agreement::TextsError;
use crate::consent::{Language, in_words};
use crate::dialect::{FieldProblem, ProblemKind, TranslateError};
use crate::exchange::Refusal as Refused;
use crate::grpc::status::{ErrorReason, Refusal};
use crate::numbered::Numbered;
use crate::proto::exchange::DecisionReason;

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Field { path, rule } => Refusal::new(ErrorReason::InvalidField, format!("{path} {rule}")).field(path, rule),
            Refused::Consent(problems) => {
                problems.into_iter().fold(Refusal::new(ErrorReason::InvalidField, "the consent is not complete or not valid"), |refusal, problem| {
                    refusal.field(format!("consent.{}", problem.path), problem.rule)
                })
            }
            Refused::Translate(error) => translation(&error),
            Refused::ConsentReferenceMissing => Refusal::new(ErrorReason::ConsentReferenceMissing, refused.to_string())
                .field("referral.consent.consent_id", "must name the consent as recorded at the gateway"),
            Refused::Denied { denial, .. } => {
                let code = DecisionReason::try_from(denial.reason.number()).unwrap_or(DecisionReason::Unspecified);
                let code = code.as_str_name().trim_start_matches("DECISION_REASON_");
                let said = |language| in_words(denial.reason, &[], language);
                Refusal::new(ErrorReason::NotPermitted, said(Language::En)).german(said(Language::De)).with("decision", code)
            }
            Refused::NotFound => Refusal::new(ErrorReason::NotFound, "not found"),
            Refused::RequestIdReused => Refusal::new(ErrorReason::RequestIdReused, refused.to_string()),
            Refused::Step(error) => Refusal::new(ErrorReason::WrongState, error.to_string()),
            Refused::WrongState(obstacle) => Refusal::new(ErrorReason::WrongState, obstacle.why).german(obstacle.german),
            Refused::Text(error) => {
                let reason = match error {
                    TextsError::Unknown => ErrorReason::NotFound,
                    TextsError::Approved | TextsError::Revoked => ErrorReason::WrongState,
                    TextsError::Module(_) | TextsError::Missing(_) | TextsError::Ended | TextsError::Past => ErrorReason::InvalidField,
                };
                Refusal::new(reason, error.to_string())
            }
            Refused::StaleLease => Refusal::new(ErrorReason::StaleLease, refused.to_string()),
            Refused::Overloaded(after) => Refusal::new(ErrorReason::Overloaded, "the gateway is busy; try again").retry_after(after),
            Refused::Full => Refusal::new(ErrorReason::StoreFull, refused.to_string()).retry_after(Duration::from_secs(60)),
            Refused::TooManyCodes(after) => Refusal::new(ErrorReason::TooManyCodes, refused.to_string()).retry_after(after),
            Refused::Draining => Refusal::new(ErrorReason::Draining, refused.to_string()).retry_after(Duration::from_secs(1)),
            Refused::Unavailable => Refusal::new(ErrorReason::StoreUnavailable, "the store cannot be written; repeat with the same request id")
                .retry_after(Duration::from_secs(2)),
            Refused::Changed => Refusal::internal("a preparation was not repeated"),
            Refused::Internal(what) => Refusal::internal(what),
        }
    }
}

/// Every problem as a field; the first one's kind is the reason.
pub(super) fn translation(error: &TranslateError) -> Refusal {
    let TranslateError::Fields(problems) = error else {
        return Refusal::new(ErrorReason::MalformedMessage, error.to_string());
    };
    let reason = problems.first().map_or(ErrorReason::InvalidField, reason);
    problems.iter().fold(Refusal::new(reason, error.to_string()), |refusal, problem| {
        let path = if problem.path.is_empty() { &problem.canonical_path } else { &problem.path };
        refusal.field(path, problem.kind.to_string())
    })
}

fn reason(problem: &FieldProblem) -> ErrorReason {
    match problem.kind {
        ProblemKind::UnknownCode { .. } | ProblemKind::ReservedCode { .. } | ProblemKind::WrongSystem { .. } | ProblemKind::WrongVersion { .. } => {
            ErrorReason::UnknownCode
        }
        ProblemKind::CodeWithoutSystem { .. } => ErrorReason::CodeWithoutSystem,
        ProblemKind::ImpossibleDate => ErrorReason::ImpossibleDate,
        ProblemKind::OutsideDin91379 { .. } => ErrorReason::OutsideDin91379,
        ProblemKind::Unmappable => ErrorReason::UnmappableField,
        ProblemKind::Missing | ProblemKind::Malformed { .. } | ProblemKind::Contradiction { .. } => ErrorReason::InvalidField,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::{Denial, Reason};
    use tonic_types::StatusExt as _;

    #[test]
    fn whoever_is_refused_reads_why_and_what_to_do_in_both_languages_and_to_the_end() {
        for reason in Reason::ALL.iter().copied().filter(|reason| *reason != Reason::Ok) {
            let denied = Refused::Denied { denial: Denial { reason, withheld: Vec::new() }, legal_basis: None };
            let status = tonic::Status::from(Refusal::from(denied));
            assert_eq!(status.message(), in_words(reason, &[], Language::En));
            assert_eq!(status.get_details_localized_message().unwrap().message, in_words(reason, &[], Language::De));
        }
        let stands = Refused::WrongState(crate::exchange::Obstacle { why: "a consent is in force", german: "Eine Einwilligung gilt noch." });
        assert_eq!(tonic::Status::from(Refusal::from(stands)).get_details_localized_message().unwrap().message, "Eine Einwilligung gilt noch.");
    }
}
