// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Typical mistakes: each is made in a request that is otherwise right, and found at its path under the rule's id.

use weiche::proto::types::{
    Address, Consent, ConsentReference, DocumentReference, LanguageSkill, PartialDate, Person, Purpose, RecallAnswer, RecallOutcome, Referral,
    StatusChange, WithdrawalScope,
};
use weiche::proto::{admin, audit, exchange, institution};

use super::broken;
use super::requests::{ID, answer, coding, party, person, record, submission};

/// A mistake, where it is found, and under which rule.
type Case<M> = (fn(&mut M), &'static str, &'static str);

fn check<M: prost::Message + Clone>(name: &str, good: &M, cases: &[Case<M>]) {
    assert_eq!(broken(name, good), [], "{name} without a mistake");
    for (mistake, path, rule) in cases {
        let mut bad = good.clone();
        mistake(&mut bad);
        assert_eq!(broken(name, &bad), [((*path).to_owned(), (*rule).to_owned())], "{name}");
    }
}

#[test]
fn mistakes_in_the_frame_of_a_submission() {
    check(
        "weiche.exchange.v1.SubmitReferralRequest",
        &submission(),
        &[
            (|m| m.request_id.clear(), "request_id", "required"),
            (|m| m.request_id = "417".into(), "request_id", "string.uuid"),
            (|m| m.referral = None, "referral", "required"),
            (|m| m.referral.as_mut().unwrap().recipient = None, "referral.recipient", "required"),
            (|m| m.referral.as_mut().unwrap().recipient = party("Jobcenter Bremen", ""), "referral.recipient.institution", "string.pattern"),
            (|m| m.referral.as_mut().unwrap().recipient = party("jobcenter-bremen", "-"), "referral.recipient.unit", "string.pattern"),
            (|m| m.referral.as_mut().unwrap().sender = party("a", "mitte"), "referral.sender.institution", "string.pattern"),
            (|m| m.referral.as_mut().unwrap().purpose = 0, "referral.purpose", "enum.not_in"),
            (|m| m.referral.as_mut().unwrap().purpose = 11, "referral.purpose", "enum.defined_only"),
            (|m| m.referral.as_mut().unwrap().sender_case_number = "9".repeat(41), "referral.sender_case_number", "string.max_len"),
            (|m| m.referral.as_mut().unwrap().subject_ref = "x".repeat(81), "referral.subject_ref", "string.max_len"),
            (|m| m.referral.as_mut().unwrap().consent.as_mut().unwrap().consent_id = "EW-12".into(), "referral.consent.consent_id", "string.uuid"),
            (|m| m.referral.as_mut().unwrap().received_by_referral_id = "x".into(), "referral.received_by_referral_id", "string.uuid"),
            (|m| m.referral.as_mut().unwrap().authored_at.as_mut().unwrap().nanos = -1, "referral.authored_at.nanos", "int32.gte"),
        ],
    );
}

#[test]
fn mistakes_in_what_a_submission_says_of_the_person() {
    check(
        "weiche.exchange.v1.SubmitReferralRequest",
        &submission(),
        &[
            (|m| m.referral.as_mut().unwrap().subject = None, "referral.subject", "required"),
            (|m| person(m).name = None, "referral.subject.name", "required"),
            (|m| person(m).name.as_mut().unwrap().family.clear(), "referral.subject.name.family", "required"),
            (|m| person(m).name.as_mut().unwrap().given = "é".repeat(201), "referral.subject.name.given", "string.max_len"),
            (|m| person(m).birth_date.as_mut().unwrap().year = 19911, "referral.subject.birth_date.year", "int32.lte"),
            (|m| person(m).birth_date.as_mut().unwrap().month = 13, "referral.subject.birth_date.month", "int32.lte"),
            (|m| person(m).birth_date.as_mut().unwrap().day = -1, "referral.subject.birth_date.day", "int32.gte"),
            (|m| person(m).gender = 6, "referral.subject.gender", "enum.defined_only"),
            // 158 is Switzerland in one list and Taiwan in another.
            (|m| person(m).nationalities[0].system.clear(), "referral.subject.nationalities[0].system", "required"),
            (|m| person(m).nationalities[0].system = "Destatis".into(), "referral.subject.nationalities[0].system", "string.uri"),
            (|m| person(m).nationalities[0].code.clear(), "referral.subject.nationalities[0].code", "required"),
            (|m| person(m).nationalities = vec![coding("a:b", "1"); 6], "referral.subject.nationalities", "repeated.max_items"),
            (|m| person(m).languages = vec![LanguageSkill::default(); 21], "referral.subject.languages", "repeated.max_items"),
            (|m| person(m).contact_points[0].system = "fax".into(), "referral.subject.contact_points[0].system", "string.in"),
            (|m| person(m).contact_points[0].value.clear(), "referral.subject.contact_points[0].value", "required"),
            (|m| person(m).contact_points[0].r#use = "neighbour".into(), "referral.subject.contact_points[0].use", "string.in"),
            (|m| person(m).address.as_mut().unwrap().postal_code = "2823".into(), "referral.subject.address.postal_code", "string.pattern"),
            (|m| person(m).address.as_mut().unwrap().postal_code = "28237\n".into(), "referral.subject.address.postal_code", "string.pattern"),
            (
                |m| person(m).address.as_mut().unwrap().municipality_key = "040110000000".into(),
                "referral.subject.address.municipality_key",
                "string.pattern",
            ),
            (|m| person(m).identifiers[0].system = "azr-nummer".into(), "referral.subject.identifiers[0].system", "string.in"),
            (|m| m.referral.as_mut().unwrap().household.as_mut().unwrap().persons = 51, "referral.household.persons", "int32.lte"),
            (|m| m.referral.as_mut().unwrap().german.as_mut().unwrap().lowest = 10, "referral.german.lowest", "enum.defined_only"),
            (|m| m.referral.as_mut().unwrap().needs[0].note = "x".repeat(2001), "referral.needs[0].note", "string.max_len"),
            (|m| m.referral.as_mut().unwrap().free_text.push('x'), "referral.free_text", "string.max_len"),
            (|m| m.referral.as_mut().unwrap().documents[0].sha256 = "0F".repeat(32), "referral.documents[0].sha256", "string.pattern"),
        ],
    );
}

#[test]
fn what_may_be_empty_may_be_empty() {
    let mut least = submission();
    let referral = least.referral.as_mut().unwrap();
    let subject = referral.subject.as_ref().unwrap();
    *referral = Referral {
        recipient: party("jobcenter-bremen", ""),
        purpose: referral.purpose,
        subject: Some(Person {
            name: subject.name.clone(),
            address: Some(Address::default()),
            birth_date: Some(PartialDate::default()),
            ..Default::default()
        }),
        consent: Some(ConsentReference::default()),
        documents: vec![DocumentReference::default()],
        ..Default::default()
    };
    assert_eq!(broken("weiche.exchange.v1.SubmitReferralRequest", &least), []);
    assert_eq!(broken("weiche.exchange.v1.ReceiveRequest", &exchange::ReceiveRequest::default()), []);
    assert_eq!(broken("weiche.exchange.v1.ListReferralsRequest", &exchange::ListReferralsRequest::default()), []);
    assert_eq!(broken("weiche.audit.v1.ListEntriesRequest", &audit::ListEntriesRequest::default()), []);
    assert_eq!(broken("weiche.institution.v1.DeliverReferralResponse", &institution::DeliverReferralResponse::default()), []);
}

#[test]
fn mistakes_in_a_consent() {
    fn consent(m: &mut exchange::RecordConsentRequest) -> &mut Consent {
        m.consent.as_mut().unwrap()
    }
    check(
        "weiche.exchange.v1.RecordConsentRequest",
        &record(),
        &[
            (|m| m.consent = None, "consent", "required"),
            (|m| consent(m).schema_version = "2".into(), "consent.schema_version", "string.const"),
            (|m| consent(m).consent_id.clear(), "consent.consent_id", "required"),
            (|m| consent(m).supersedes = "EW-11".into(), "consent.supersedes", "string.uuid"),
            (|m| consent(m).subject_ref.clear(), "consent.subject_ref", "required"),
            (|m| consent(m).regime = 0, "consent.regime", "enum.not_in"),
            (|m| consent(m).form = 0, "consent.form", "enum.not_in"),
            (|m| consent(m).grants.clear(), "consent.grants", "repeated.min_items"),
            (|m| consent(m).grants = vec![consent(m).grants[0].clone(); 51], "consent.grants", "repeated.max_items"),
            (|m| consent(m).grants[0].categories.clear(), "consent.grants[0].categories", "repeated.min_items"),
            (|m| consent(m).grants[0].categories.push(1), "consent.grants[0].categories", "repeated.unique"),
            (|m| consent(m).grants[0].categories.push(0), "consent.grants[0].categories[2]", "enum.not_in"),
            (|m| consent(m).grants[0].categories.push(27), "consent.grants[0].categories[2]", "enum.defined_only"),
            // Routing data are never consented.
            (|m| consent(m).grants[0].feedback_categories.push(30), "consent.grants[0].feedback_categories[0]", "enum.not_in"),
            // An address is no special category.
            (|m| consent(m).special_categories_explicit.push(3), "consent.special_categories_explicit[1]", "enum.in"),
            (|m| consent(m).secrecy_release.as_mut().unwrap().professions = vec![5], "consent.secrecy_release.professions[0]", "uint32.in"),
            (|m| consent(m).secrecy_release.as_mut().unwrap().towards = vec!["*".into()], "consent.secrecy_release.towards[0]", "string.pattern"),
            (|m| consent(m).evidence.as_mut().unwrap().sha256.clear(), "consent.evidence.sha256", "required"),
            (|m| consent(m).template.as_mut().unwrap().text_sha256 = "a1".into(), "consent.template.text_sha256", "string.pattern"),
            (|m| consent(m).granted_at = None, "consent.granted_at", "required"),
            (|m| consent(m).grantor.as_mut().unwrap().kind = 0, "consent.grantor.kind", "enum.not_in"),
        ],
    );
    let withdrawal = exchange::WithdrawConsentRequest {
        request_id: ID.into(),
        consent_id: ID.into(),
        scope: Some(WithdrawalScope::default()),
        channel: "counter".into(),
        withdrawal_code: String::new(),
    };
    check(
        "weiche.exchange.v1.WithdrawConsentRequest",
        &withdrawal,
        &[
            (|m| m.consent_id = "EW-11".into(), "consent_id", "string.uuid"),
            (|m| m.withdrawal_code = "x".repeat(41), "withdrawal_code", "string.max_len"),
            (|m| m.scope.as_mut().unwrap().recipient = "Alle".into(), "scope.recipient", "string.pattern"),
            (|m| m.scope.as_mut().unwrap().purpose = 99, "scope.purpose", "enum.defined_only"),
            (|m| m.channel = "x".repeat(41), "channel", "string.max_len"),
        ],
    );
    check(
        "weiche.exchange.v1.GetConsentReceiptRequest",
        &exchange::GetConsentReceiptRequest { consent_id: ID.into(), language: "ar-SY".into() },
        &[(|m| m.consent_id.clear(), "consent_id", "required"), (|m| m.language = "Arabisch!".into(), "language", "string.pattern")],
    );
    let question = exchange::CheckConsentRequest {
        consent_id: ID.into(),
        subject_ref: "p-7f3a".into(),
        recipient: party("jobcenter-bremen", "vermittlung-mitte"),
        purpose: Purpose::JobSearch as i32,
        categories: vec![],
        birth_date: None,
        municipality_key: String::new(),
    };
    check(
        "weiche.exchange.v1.CheckConsentRequest",
        &question,
        &[
            (|m| m.purpose = 0, "purpose", "enum.not_in"),
            (|m| m.categories = vec![30], "categories[0]", "enum.not_in"),
            (|m| m.municipality_key = "Bremen".into(), "municipality_key", "string.pattern"),
        ],
    );
}

#[test]
fn mistakes_in_answers() {
    fn change(m: &mut exchange::AnswerReferralRequest) -> &mut StatusChange {
        m.change.as_mut().unwrap()
    }
    check(
        "weiche.exchange.v1.AnswerReferralRequest",
        &answer(),
        &[
            (|m| m.change = None, "change", "required"),
            (|m| change(m).referral_id.clear(), "change.referral_id", "required"),
            (|m| change(m).event_id = "1".into(), "change.event_id", "string.uuid"),
            (|m| change(m).state = 0, "change.state", "enum.not_in"),
            (|m| change(m).reason = 99, "change.reason", "enum.defined_only"),
            (|m| change(m).recipient_case_number = "9".repeat(41), "change.recipient_case_number", "string.max_len"),
            (|m| change(m).outcome = "x".repeat(2001), "change.outcome", "string.max_len"),
        ],
    );
    let recall = RecallAnswer { recall_id: ID.into(), outcome: RecallOutcome::Deleted as i32, norm: String::new() };
    check(
        "weiche.exchange.v1.AnswerRecallRequest",
        &exchange::AnswerRecallRequest { request_id: ID.into(), answer: Some(recall) },
        &[(|m| m.answer = None, "answer", "required"), (|m| m.answer.as_mut().unwrap().outcome = 0, "answer.outcome", "enum.not_in")],
    );
    let taken = exchange::Acknowledgement { delivery_id: ID.into(), lease_token: "00ff".into(), refusal: String::new() };
    check(
        "weiche.exchange.v1.ReceiveRequest",
        &exchange::ReceiveRequest { credits: 256, acknowledgement: Some(taken) },
        &[
            (|m| m.credits = 257, "credits", "uint32.lte"),
            (|m| m.acknowledgement.as_mut().unwrap().lease_token.clear(), "acknowledgement.lease_token", "required"),
            (|m| m.acknowledgement.as_mut().unwrap().refusal = "x".repeat(201), "acknowledgement.refusal", "string.max_len"),
        ],
    );
    check(
        "weiche.institution.v1.DeliverReferralResponse",
        &institution::DeliverReferralResponse { recipient_case_number: "9".repeat(40) },
        &[(|m| m.recipient_case_number.push('9'), "recipient_case_number", "string.max_len")],
    );
}

#[test]
fn pages_and_limits_end_somewhere() {
    check(
        "weiche.exchange.v1.ListReferralsRequest",
        &exchange::ListReferralsRequest { page_size: 200, ..Default::default() },
        &[
            (|m| m.page_size = 201, "page_size", "int32.lte"),
            (|m| m.page_size = -1, "page_size", "int32.gte"),
            (|m| m.page_token = "x".repeat(1025), "page_token", "string.max_len"),
            (|m| m.state = 15, "state", "enum.defined_only"),
        ],
    );
    check(
        "weiche.exchange.v1.ListRemindersRequest",
        &exchange::ListRemindersRequest { page_size: 200, ..Default::default() },
        &[(|m| m.page_size = 201, "page_size", "int32.lte"), (|m| m.page_token = "x".repeat(1025), "page_token", "string.max_len")],
    );
    check(
        "weiche.admin.v1.ListRecallsRequest",
        &admin::ListRecallsRequest { page_size: 200, ..Default::default() },
        &[(|m| m.page_size = 201, "page_size", "int32.lte"), (|m| m.recipient = "x".repeat(65), "recipient", "string.max_len")],
    );
    check(
        "weiche.admin.v1.ListDeadLettersRequest",
        &admin::ListDeadLettersRequest { page_size: 200, ..Default::default() },
        &[(|m| m.page_size = 201, "page_size", "int32.lte")],
    );
    check(
        "weiche.admin.v1.RequeueDeadLetterRequest",
        &admin::RequeueDeadLetterRequest { request_id: ID.into(), delivery_id: ID.into() },
        &[(|m| m.request_id.clear(), "request_id", "required"), (|m| m.delivery_id = "7".into(), "delivery_id", "string.uuid")],
    );
    let text = admin::Text {
        template_id: "bremen-standard".into(),
        version: "4".into(),
        language: "de".into(),
        text_sha256: "0".repeat(64),
        modules: vec!["rechte".into()],
        ..Default::default()
    };
    check(
        "weiche.admin.v1.ApproveTextRequest",
        &admin::ApproveTextRequest { request_id: ID.into(), text: Some(text) },
        &[
            (|m| m.text = None, "text", "required"),
            (|m| m.text.as_mut().unwrap().version.clear(), "text.version", "required"),
            (|m| m.text.as_mut().unwrap().text_sha256.truncate(63), "text.text_sha256", "string.pattern"),
            (|m| m.text.as_mut().unwrap().modules.clear(), "text.modules", "repeated.min_items"),
        ],
    );
    check(
        "weiche.admin.v1.RevokeTextRequest",
        &admin::RevokeTextRequest {
            request_id: ID.into(),
            template_id: "bremen-standard".into(),
            version: "3".into(),
            language: "de".into(),
            from: None,
        },
        &[(|m| m.request_id = "7".into(), "request_id", "string.uuid"), (|m| m.language.clear(), "language", "required")],
    );
    check(
        "weiche.admin.v1.GetStatusRequest",
        &admin::GetStatusRequest::default(),
        &[
            (|m| m.quiet_seconds = 31_536_001, "quiet_seconds", "uint32.lte"),
            (|m| m.unfinished_seconds = 31_536_001, "unfinished_seconds", "uint32.lte"),
        ],
    );
    check(
        "weiche.admin.v1.ListDeliveriesRequest",
        &admin::ListDeliveriesRequest { recipient: "drk-bremen".into(), page_size: 200, ..Default::default() },
        &[(|m| m.recipient.clear(), "recipient", "required"), (|m| m.page_size = 201, "page_size", "int32.lte")],
    );
    check(
        "weiche.admin.v1.GetDeliveryRequest",
        &admin::GetDeliveryRequest { delivery_id: ID.into() },
        &[(|m| m.delivery_id = "7".into(), "delivery_id", "string.uuid")],
    );
    check(
        "weiche.admin.v1.ParkDeliveriesRequest",
        &admin::ParkDeliveriesRequest { request_id: ID.into(), recipient: "drk-bremen".into(), ..Default::default() },
        &[(|m| m.request_id.clear(), "request_id", "required"), (|m| m.delivery_id = "7".repeat(37), "delivery_id", "string.max_len")],
    );
    check(
        "weiche.admin.v1.UnparkDeliveriesRequest",
        &admin::UnparkDeliveriesRequest { request_id: ID.into(), delivery_id: ID.into(), ..Default::default() },
        &[(|m| m.request_id.clear(), "request_id", "required"), (|m| m.recipient = "x".repeat(65), "recipient", "string.max_len")],
    );
    check("weiche.admin.v1.DrainRequest", &admin::DrainRequest { request_id: ID.into() }, &[(|m| m.request_id.clear(), "request_id", "required")]);
    check(
        "weiche.audit.v1.ListEntriesRequest",
        &audit::ListEntriesRequest { from: u64::MAX, limit: 1000 },
        &[(|m| m.limit = 1001, "limit", "uint32.lte")],
    );
    check(
        "weiche.audit.v1.GetConsistencyProofRequest",
        &audit::GetConsistencyProofRequest { old_size: 1, new_size: 0 },
        &[(|m| m.old_size = 0, "old_size", "uint64.gte")],
    );
}
