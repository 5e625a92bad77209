// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What the two pages for persons, the sheet and the report, say in cases that are easily told wrongly.

use weiche::consent::{GrantorKind, Scope};
use weiche::dialect::Category;
use weiche::exchange::{Actor, Refusal};
use weiche::id::{ConsentId, RequestId};
use weiche::numbered::Numbered;
use weiche::proto::audit::EntryKind;
use weiche::proto::types::RecallAnswer;
use weiche::referral::{RecallOutcome, ReferralState, StatusReason};

use super::desk::*;

async fn report(desk: &Desk, subject: &str) -> String {
    let caritas = who(CARITAS);
    desk.on().person_report(&Actor { institution: &caritas, operator: None }, subject).await.unwrap().html("de")
}

async fn sheet(desk: &Desk, consent: ConsentId) -> String {
    desk.on().consent_sheet(&who(CARITAS), consent, "de").await.unwrap().html
}

#[tokio::test]
async fn what_never_left_is_not_told_as_if_it_had() {
    let desk = Desk::open().await;
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).to(AGENTUR, usual()).record().await;
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.accepted(&referral(CARITAS, AGENTUR, "p-1", consent)).await;
    desk.deliver_all(AGENTUR).await;
    desk.withdraw(JOBCENTER, consent).await;
    let page = report(&desk, "p-1").await;
    assert_eq!(page.matches("Davon wurde nichts verschickt.").count(), 1, "{page}");
    assert_eq!(page.matches("angehalten, weil Sie die Einwilligung zurückgenommen haben").count(), 1);
    assert_eq!(page.matches("zurückgerufen, weil Sie die Einwilligung zurückgenommen haben").count(), 1);
    assert!(page.contains("die Angaben zu löschen</dt><dd><bdi>noch keine Antwort"), "{page}");
    assert!(page.contains("zurückgenommen</bdi></dd><dd><bdi>Am 05.10.2026 bei Jobcenter Bremen (fiktiv) zurückgenommen."), "where and when: {page}");
    assert!(!page.contains("Die Einwilligung gilt"), "it does not");
}

#[tokio::test]
async fn what_may_have_left_before_a_repair_is_not_told_as_if_it_had_not() {
    let desk = Desk::open().await;
    let short = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).until(desk.now().plus(DAY)).record().await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", short)).await;
    let item = desk.release_one(JOBCENTER).await;
    desk.settle(&item, unavailable()).await.unwrap();
    desk.pass(DAY * 2);
    desk.deliver_all(JOBCENTER).await;
    assert_eq!(desk.state(CARITAS, id).await.0, ReferralState::Blocked);
    let fresh = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    desk.resubmit(CARITAS, id, Some(fresh)).await.unwrap();
    assert!(!report(&desk, "p-1").await.contains("Davon wurde nichts verschickt."), "the first attempt may have arrived");
}

#[tokio::test]
async fn what_has_run_out_or_holds_in_part_says_so_to_the_day() {
    let desk = Desk::open().await;
    // Midnight is the end of the day before.
    let end = weiche::consent::Day { year: 2026, month: 12, day: 31 }.end();
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).until(end).record().await;
    desk.withdraw_as(CARITAS, consent, Scope { categories: Category::Contact.mask(), ..Scope::default() }).await.unwrap();
    for page in [sheet(&desk, consent).await, report(&desk, "p-1").await] {
        assert!(page.contains("Die Einwilligung gilt vom 05.10.2026 bis zum 31.12.2026."), "{page}");
    }
    assert!(report(&desk, "p-1").await.contains("Am 05.10.2026 bei Caritasverband Bremen (fiktiv) zum Teil zurückgenommen."));
    desk.pass(DAY * 90);
    assert!(report(&desk, "p-1").await.contains("abgelaufen"));
    let late = sheet(&desk, consent).await;
    assert!(late.contains("Diese Einwilligung gilt nicht mehr. Stand: abgelaufen.") && late.contains("<svg"), "the data are there still: {late}");
}

#[tokio::test]
async fn who_consented_for_the_person_is_named_and_how_long_that_holds() {
    let desk = Desk::open().await;
    let birthday = desk.now().plus(DAY * 30);
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).for_a_minor_until(birthday).record().await;
    assert_eq!(desk.on().consent(&who(CARITAS), consent).await.unwrap().grantor.kind, GrantorKind::ParentSole);
    for page in [sheet(&desk, consent).await, report(&desk, "p-1").await] {
        assert!(
            page.contains("Am 05.10.2026 hat bei Caritasverband Bremen (fiktiv) jemand für Sie eingewilligt: Ihre Mutter oder Ihr Vater."),
            "{page}"
        );
        assert!(page.contains("bis zum 04.11.2026."), "not to the end of the record, but as long as they may: {page}");
        assert!(!page.contains("Sie haben am"));
    }
    desk.pass(DAY * 31);
    assert!(report(&desk, "p-1").await.contains("abgelaufen"));
}

#[tokio::test]
async fn what_is_kept_by_law_can_still_be_corrected_and_restricted_and_an_operator_may_do_it_by_name() {
    let mut desk = Desk::open().await;
    let caritas = who(CARITAS);
    let operator = Actor { institution: &caritas, operator: Some("ops") };
    let contact = Category::Contact.mask();
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.deliver_all(JOBCENTER).await;
    desk.withdraw(CARITAS, consent).await;
    let correct = async |desk: &Desk| desk.on().correct(&operator, RequestId::random(), &id.to_string(), contact).await;
    let Err(Refusal::WrongState(obstacle)) = correct(&desk).await else { panic!("nobody has said yet that it is kept") };
    assert!(obstacle.why.contains("called back") && obstacle.german.contains("zurückgerufen"), "{obstacle:?}");
    let recall_id = desk.deliver_all(JOBCENTER).await[0].recall().recall_id.clone();
    let kept = RecallAnswer { recall_id, outcome: RecallOutcome::RetainedStatutory.number(), norm: "§ 67c SGB X".into() };
    desk.on().answer_recall(&who(JOBCENTER), RequestId::random(), &kept, b"r").await.unwrap();
    correct(&desk).await.unwrap();
    desk.on().restrict(&operator, RequestId::random(), "p-1", true).await.unwrap();
    let reasons: Vec<_> = desk.deliver_all(JOBCENTER).await.iter().map(|item| item.recall().reason).collect();
    assert_eq!(reasons, [StatusReason::Corrected.number(), StatusReason::RestrictionRequested.number()]);
    let log = desk.log().await;
    let of = |kind| log.iter().filter(move |entry| entry.kind() == kind).map(|entry| entry.actor.as_str());
    assert_eq!(of(EntryKind::RecallIssued).collect::<Vec<_>>(), ["gateway", "operator:ops", "gateway"]);
    assert_eq!(of(EntryKind::Restriction).collect::<Vec<_>>(), ["operator:ops"]);
    assert!(desk.on().knows(&caritas, "p-1").await.unwrap() && !desk.on().knows(&caritas, "p-2").await.unwrap());
    super::erasing::is_sound(&mut desk).await;
}

#[tokio::test]
async fn the_file_says_its_instants_as_everybody_reads_them_and_until_when_it_is_kept() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let caritas = who(CARITAS);
    let file = async || {
        let report = desk.on().person_report(&Actor { institution: &caritas, operator: None }, "p-1").await.unwrap();
        serde_json::from_str::<serde_json::Value>(&report.json().unwrap()).unwrap()
    };
    let before = file().await;
    assert_eq!((&before["at"], &before["transfers"][0]["history"][0]["at"]), (&"2026-10-05T09:00:00Z".into(), &"2026-10-05T09:00:00Z".into()));
    assert_eq!(before["transfers"][0]["delete_after"], serde_json::Value::Null, "it is under way");
    desk.cancel(CARITAS, id).await.unwrap();
    assert_eq!(file().await["transfers"][0]["delete_after"], serde_json::json!({ "year": 2027, "month": 12, "day": 31 }));
    assert!(report(&desk, "p-1").await.contains("<dt>Wird hier gelöscht nach dem</dt><dd><bdi>31.12.2027"));
}
