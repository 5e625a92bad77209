// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Canonical messages as far as the gateway looks into them or writes in them. Numbers and types are the contract's; the rest passes by as bytes,
//! so that a referral is not taken apart and put together again for each question that is asked of it.

use bytes::Bytes;

use crate::consent::Day;
use crate::proto::types::{self, ConsentReference, PartialDate, Party};

/// `weiche.exchange.v1.SubmitReferralRequest` with the referral as it came. The field rules let no field through that occurs twice.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SubmitRequest {
    /// UUID, chosen by the sender.
    #[prost(string, tag = "1")]
    pub request_id: String,
    /// `weiche.type.v1.Referral`, encoded.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub referral: Option<Bytes>,
    /// Nothing is stored.
    #[prost(bool, tag = "3")]
    pub validate_only: bool,
}

/// `weiche.exchange.v1.SubmitReferralsRequest` with the submission as it came.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StreamedRequest {
    /// `weiche.exchange.v1.SubmitReferralRequest`, encoded.
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub submission: Option<Bytes>,
}

/// What of a `weiche.type.v1.Referral` says whether it may go, and whereto.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Routing {
    /// The sender's file number.
    #[prost(string, tag = "2")]
    pub sender_case_number: String,
    /// The sender's reference of the person.
    #[prost(string, tag = "3")]
    pub subject_ref: String,
    /// Who refers.
    #[prost(message, optional, tag = "4")]
    pub sender: Option<Party>,
    /// To whom.
    #[prost(message, optional, tag = "5")]
    pub recipient: Option<Party>,
    /// What for.
    #[prost(int32, tag = "6")]
    pub purpose: i32,
    /// By which consent.
    #[prost(message, optional, tag = "7")]
    pub consent: Option<ConsentReference>,
    /// Why without one.
    #[prost(string, tag = "8")]
    pub necessity: String,
    /// The data come from somebody who is bound by section 203 StGB.
    #[prost(bool, tag = "12")]
    pub origin_203_stgb: bool,
    /// How the sender itself got the data.
    #[prost(string, tag = "13")]
    pub received_by_referral_id: String,
    #[prost(message, optional, tag = "20")]
    subject: Option<Subject>,
    #[prost(message, optional, tag = "27")]
    german: Option<types::GermanLevel>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Subject {
    #[prost(message, optional, tag = "2")]
    birth_date: Option<PartialDate>,
    #[prost(message, optional, tag = "10")]
    address: Option<Address>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Address {
    #[prost(string, tag = "6")]
    municipality_key: String,
}

impl Routing {
    /// The person's German is known to be below B1.
    pub fn is_below_b1(&self) -> bool {
        use types::CefrLevel;
        self.german.as_ref().is_some_and(|level| matches!(level.highest(), CefrLevel::None | CefrLevel::PreA1 | CefrLevel::A1 | CefrLevel::A2))
    }

    /// AGS of the person's address; none if it is not said.
    pub fn municipality(&self) -> Option<&str> {
        let address = self.subject.as_ref()?.address.as_ref()?;
        Some(address.municipality_key.as_str()).filter(|key| !key.is_empty())
    }

    /// The person's date of birth, as far as it is known; none if not even the year is.
    pub fn born(&self) -> Option<Day> {
        day(self.subject.as_ref()?.birth_date.as_ref()?)
    }
}

/// A date of the contract, as far as it is known; none if not even the year is.
pub fn day(date: &types::PartialDate) -> Option<Day> {
    (date.year != 0).then_some(Day { year: date.year, month: date.month, day: date.day })
}

/// What the gateway itself says in a `weiche.type.v1.Referral`. Put on top of one it replaces what is there; what is none here stays as it is, and an
/// empty text or `false` takes a field away.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Marks {
    /// Chosen by the gateway.
    #[prost(string, optional, tag = "1")]
    pub referral_id: Option<String>,
    /// Never forwarded: empty.
    #[prost(string, optional, tag = "3")]
    pub subject_ref: Option<String>,
    /// Of the sender, the institution alone.
    #[prost(message, optional, tag = "4")]
    pub sender: Option<Party>,
    /// The state.
    #[prost(int32, optional, tag = "9")]
    pub state: Option<i32>,
    /// Sozialdaten in the recipient's hands.
    #[prost(bool, optional, tag = "11")]
    pub sgbx_78: Option<bool>,
    /// Somebody bound by section 203 StGB told them.
    #[prost(bool, optional, tag = "12")]
    pub origin_203_stgb: Option<bool>,
    /// Never forwarded: empty.
    #[prost(string, optional, tag = "13")]
    pub received_by_referral_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::proto::exchange::{SubmitReferralRequest, SubmitReferralsRequest};

    fn party(name: &str) -> Option<Party> {
        Some(Party { institution: name.into(), unit: format!("{name}-unit"), function: "Vermittlung".into() })
    }

    /// A referral in which every field that an excerpt has says something, beside others.
    fn referral() -> types::Referral {
        types::Referral {
            referral_id: "theirs".into(),
            sender_case_number: "HB-2026-00417".into(),
            subject_ref: "p-1".into(),
            sender: party("from"),
            recipient: party("to"),
            purpose: 5,
            consent: Some(ConsentReference { consent_id: "c".into(), version: 3, ..Default::default() }),
            necessity: "vermittlung-69-1-1".into(),
            state: 7,
            sgbx_78: true,
            origin_203_stgb: true,
            received_by_referral_id: "before".into(),
            subject: Some(types::Person {
                name: Some(types::PersonName { family: "Beispiel".into(), ..Default::default() }),
                address: Some(types::Address { city: "Bremen".into(), municipality_key: "04011000".into(), ..Default::default() }),
                ..Default::default()
            }),
            free_text: "Text".into(),
            ..Default::default()
        }
    }

    #[test]
    fn an_excerpt_says_what_the_whole_says() {
        let whole = referral();
        let request = SubmitReferralRequest { request_id: "id".into(), referral: Some(whole.clone()), validate_only: true };
        let part = SubmitRequest::decode(request.encode_to_vec().as_slice()).unwrap();
        assert_eq!(part, SubmitRequest { request_id: "id".into(), referral: Some(whole.encode_to_vec().into()), validate_only: true });
        assert_eq!(part.encode_to_vec(), request.encode_to_vec());
        let streamed = SubmitReferralsRequest { submission: Some(request.clone()) };
        let streamed = StreamedRequest::decode(streamed.encode_to_vec().as_slice()).unwrap();
        assert_eq!(streamed.submission.unwrap(), request.encode_to_vec());

        let routing = Routing::decode(part.referral.unwrap()).unwrap();
        assert_eq!(routing.municipality(), Some("04011000"));
        let expected = Routing {
            sender_case_number: whole.sender_case_number,
            subject_ref: whole.subject_ref,
            sender: whole.sender,
            recipient: whole.recipient,
            purpose: whole.purpose,
            consent: whole.consent,
            necessity: whole.necessity,
            origin_203_stgb: whole.origin_203_stgb,
            received_by_referral_id: whole.received_by_referral_id,
            subject: routing.subject.clone(),
            german: routing.german,
        };
        assert_eq!(routing, expected);
    }

    #[test]
    fn marks_replace_what_they_say_and_nothing_else() {
        let marks = Marks {
            referral_id: Some("ours".into()),
            subject_ref: Some(String::new()),
            sender: Some(Party { institution: "caller".into(), ..Default::default() }),
            state: Some(2),
            sgbx_78: Some(false),
            origin_203_stgb: Some(false),
            received_by_referral_id: Some(String::new()),
        };
        let mut expected = referral();
        expected.referral_id = "ours".into();
        expected.subject_ref.clear();
        expected.sender.as_mut().unwrap().institution = "caller".into();
        expected.state = 2;
        (expected.sgbx_78, expected.origin_203_stgb) = (false, false);
        expected.received_by_referral_id.clear();

        let marked = [referral().encode_to_vec(), marks.encode_to_vec()].concat();
        assert_eq!(types::Referral::decode(marked.as_slice()).unwrap(), expected);
        let unmarked = [referral().encode_to_vec(), Marks::default().encode_to_vec()].concat();
        assert_eq!(types::Referral::decode(unmarked.as_slice()).unwrap(), referral());
    }
}
