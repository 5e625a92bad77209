// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! No data of a person stands anywhere but sealed; nobody reads what is not theirs.

use sqlx::{Column, Row, TypeInfo, ValueRef};
use weiche::consent::{Consent, Scope};
use weiche::dialect::{Category, CategoryMask};
use weiche::exchange::Refusal;
use weiche::id::{ConsentId, RequestId};
use weiche::numbered::Numbered;
use weiche::proto::types;
use weiche::referral::{RecallOutcome, ReferralState, StatusReason};

use super::desk::*;
use crate::captured::{Captured, Listening};

/// A referral with a canary in every text that could be about the person; each names its category.
pub fn full(from: &str, to: &str, subject: &str, consent: ConsentId) -> types::Referral {
    let mut case = referral(from, to, subject, consent);
    let person = case.subject.as_mut().unwrap();
    let name = person.name.as_mut().unwrap();
    name.family = "canary-ident family".into();
    name.given = "canary-ident given".into();
    name.birth_name = "canary-ident birth".into();
    person.birth_date = Some(types::PartialDate { year: 1991, ..Default::default() });
    person.contact_points[0].value = "+491713920099".into();
    person.address = Some(types::Address {
        street: "canary-address street".into(),
        postal_code: "28237".into(),
        city: "canary-address city".into(),
        municipality_key: "04011000".into(),
        ..Default::default()
    });
    person.identifiers = vec![types::Identifier { system: "kundennummer".into(), value: "canary-benefitids".into() }];
    case.household = Some(types::Household { persons: 3, ..Default::default() });
    case.education = Some(types::Education { field: "canary-education".into(), ..Default::default() });
    case.recognitions = vec![types::Recognition { profession: "canary-recognition".into(), status: 1, ..Default::default() }];
    case.work = Some(types::Work { last_occupation: "canary-work".into(), wish: "canary-work wish".into(), ..Default::default() });
    case.needs[0].note = "canary-freetext note".into();
    case.appointments =
        vec![types::Appointment { place: "canary-appointments".into(), subject: "canary-appointments why".into(), ..Default::default() }];
    case.free_text = "canary-freetext".into();
    case.health_note = "canary-health".into();
    case.religion_ethnicity_note = "canary-religionethnicity".into();
    case.sexual_note = "canary-sexual".into();
    case.criminal_note = "canary-criminal".into();
    case.finance_debt_note = "canary-financedebt".into();
    case.documents = vec![types::DocumentReference { title: "canary-documents".into(), ..Default::default() }];
    case.necessity = "canary-necessity".into();
    case.sender_case_number = "canary-casenumber".into();
    case
}

/// No canary of a category outside `mask` is in `text`.
pub fn only_of(mask: CategoryMask, text: &str) {
    for category in Category::ALL {
        let canary = format!("canary-{}", format!("{category:?}").to_lowercase());
        assert!(mask.contains(*category) || !text.contains(&canary), "{canary} in {text}");
    }
}

fn has_canary(bytes: &[u8]) -> bool {
    [b"canary".as_slice(), b"3920099", b"04011000", b"28237"].iter().any(|canary| bytes.windows(canary.len()).any(|window| window == *canary))
}

#[tokio::test]
async fn a_canary_in_every_field_is_in_no_column_no_entry_and_no_trace() {
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // This test's runtime is this thread: everything the exchange does is seen.
    let _listening = Listening::to(subscriber);

    let desk = Desk::open().await;
    let subject = "canary-subject";
    let consent = desk.consent(CARITAS, subject).to(JOBCENTER, usual()).with_feedback(Category::Outcome.mask());
    let written = |record: &mut Consent| {
        record.evidence.location = "canary-location".into();
        record.grantor.proof = "canary-proof".into();
    };
    let consent = consent.with(written).record().await;
    let case = full(CARITAS, JOBCENTER, subject, consent);
    let id = desk.accepted(&case).await;
    let denied = full(CARITAS, AGENTUR, subject, consent);
    let refusal = desk.submit(&denied).await.unwrap_err();
    assert!(!has_canary(format!("{refusal} {refusal:?}").as_bytes()));
    let item = desk.release_one(JOBCENTER).await;
    desk.settle(&item, unavailable()).await.unwrap();
    desk.deliver_all(JOBCENTER).await;
    let mut answer = change(id, ReferralState::Accepted, None);
    answer.outcome = "canary-outcome".into();
    answer.recipient_case_number = "canary-casenumber".into();
    desk.answer_with(JOBCENTER, answer).await.unwrap();
    assert_eq!(desk.deliver_all(CARITAS).await[0].status().outcome, "canary-outcome");
    desk.cancel(JOBCENTER, id).await.unwrap();
    desk.accepted(&case).await;
    desk.deliver_all(JOBCENTER).await;
    let (caritas, jobcenter, request) = (who(CARITAS), who(JOBCENTER), RequestId::random());
    desk.on().withdraw_consent(&caritas, request, consent, Scope::default(), "canary-channel".into(), b"w").await.unwrap();
    let recall_id = desk.deliver_all(JOBCENTER).await[0].recall().recall_id.clone();
    let kept = types::RecallAnswer { recall_id, outcome: RecallOutcome::RetainedStatutory.number(), norm: "canary-norm".into() };
    desk.on().answer_recall(&jobcenter, RequestId::random(), &kept, b"r").await.unwrap();
    let record = desk.on().consent(&caritas, consent).await.unwrap();
    let read = (record.evidence.location.as_str(), record.grantor.proof.as_str(), record.history[1].channel.as_str());
    assert_eq!(read, ("canary-location", "canary-proof", "canary-channel"), "sealed, and readable for whoever wrote it");

    let mut searched = 0;
    use sqlx::ConnectOptions;
    let Some(file) = desk.place.file() else { return };
    let mut conn = sqlx::sqlite::SqliteConnectOptions::new().filename(file).read_only(true).connect().await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'").fetch_all(&mut conn).await.unwrap();
    assert!(tables.len() >= 14, "{tables:?}");
    for table in tables {
        for row in sqlx::query(sqlx::AssertSqlSafe(format!("SELECT * FROM \"{table}\""))).fetch_all(&mut conn).await.unwrap() {
            for column in row.columns() {
                let raw = row.try_get_raw(column.ordinal()).unwrap();
                let bytes = match raw.type_info().name() {
                    "TEXT" => row.get::<String, _>(column.ordinal()).into_bytes(),
                    "BLOB" => row.get::<Vec<u8>, _>(column.ordinal()),
                    _ => continue,
                };
                let public = (table.as_str(), column.name()) == ("agreement", "text");
                assert!(public || !has_canary(&bytes), "{table}.{} holds {}", column.name(), String::from_utf8_lossy(&bytes));
                searched += 1;
            }
        }
    }
    assert!(searched > 100, "{searched}");
    for (index, entry) in desk.log().await.iter().enumerate() {
        assert!(!has_canary(format!("{entry:?}").as_bytes()), "entry {index}");
    }
    let traced = captured.0.lock().unwrap().clone();
    assert!(!has_canary(&traced), "{}", String::from_utf8_lossy(&traced));
}

#[tokio::test]
async fn what_is_somebody_elses_is_not_found() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let text = id.to_string();
    let sees = |by: &'static str| {
        let (desk, text) = (&desk, text.clone());
        async move {
            let one = desk.on().referral(&who(by), &text).await.is_ok();
            let listed = !desk.on().referrals(&who(by), None, None, 10).await.unwrap().is_empty();
            let watched = !desk.on().changes(&who(by), 0, 10).await.unwrap().is_empty();
            assert!(one == listed && listed == watched, "{by}");
            one
        }
    };
    assert!(sees(CARITAS).await);
    for other in [AWO, AGENTUR, JOBCENTER] {
        assert!(!sees(other).await, "{other}: before its release nobody but the sender knows of it");
        assert_eq!(desk.answer(other, id, ReferralState::Accepted, None).await.unwrap_err(), Refusal::NotFound, "{other}");
        assert_eq!(desk.cancel(other, id).await.unwrap_err(), Refusal::NotFound, "{other}");
    }
    assert_eq!(desk.answer(CARITAS, id, ReferralState::Accepted, None).await.unwrap_err(), Refusal::NotFound, "the sender does not answer itself");
    desk.deliver_all(JOBCENTER).await;
    assert!(sees(JOBCENTER).await);
    assert!(!sees(AWO).await);
    let (seen, _) = desk.on().referral(&who(JOBCENTER), &text).await.unwrap();
    assert_eq!(seen.case_number, "", "the sender's file number is the sender's");

    assert!(desk.on().consent(&who(CARITAS), consent).await.is_ok());
    for other in [JOBCENTER, AWO] {
        assert_eq!(desk.on().consent(&who(other), consent).await.unwrap_err(), Refusal::NotFound);
        assert!(desk.on().consents(&who(other), None, 10).await.unwrap().is_empty());
        let record = desk.consent(other, "p-9").to(if other == AWO { JOBCENTER } else { AWO }, usual()).with(|record| record.id = consent).record;
        assert_eq!(desk.record(record).await.unwrap_err(), Refusal::NotFound, "somebody else's consent is not overwritten");
    }
    // A referral that somebody else received is no origin.
    let mut onward = referral(AGENTUR, JOBCENTER, "kd-1", consent);
    onward.consent = None;
    onward.necessity = "vermittlung-50-1".into();
    onward.received_by_referral_id = text;
    assert!(matches!(desk.submit(&onward).await, Err(Refusal::Denied { .. } | Refusal::ConsentReferenceMissing)));
}

#[tokio::test]
async fn a_referral_that_ended_before_it_left_never_existed_for_its_recipient() {
    for end in ["cancelled", "expired", "withdrawn"] {
        let desk = Desk::open().await;
        let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
        let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
        match end {
            "cancelled" => drop(desk.cancel(CARITAS, id).await.unwrap()),
            "withdrawn" => drop(desk.withdraw(CARITAS, consent).await),
            _ => {
                desk.pass(DAY);
                assert_eq!(desk.on().expire(HOUR).await.unwrap(), 1);
            }
        }
        let jobcenter = who(JOBCENTER);
        assert!(desk.on().referral(&jobcenter, &id.to_string()).await.is_err(), "{end}");
        assert!(desk.on().referrals(&jobcenter, None, None, 10).await.unwrap().is_empty(), "{end}");
        assert!(desk.on().changes(&jobcenter, 0, 10).await.unwrap().is_empty(), "{end}");
        let answer = desk.answer(JOBCENTER, id, ReferralState::Rejected, Some(StatusReason::Other)).await;
        assert_eq!(answer.unwrap_err(), Refusal::NotFound, "{end}");
        let request = RequestId::random();
        let cancel = desk.on().cancel(&jobcenter, request, &id.to_string(), Some(StatusReason::Other), false, b"").await;
        assert_eq!(cancel.unwrap_err(), Refusal::NotFound, "{end}");
    }
}
