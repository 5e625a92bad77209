// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What persons may ask: what is there of them, whole and of nobody else; that nothing is passed on for a while; and what auditors see of it all.

use weiche::consent::{InterpreterKind, Scope};
use weiche::dialect::Category;
use weiche::exchange::findings::FindingKind;
use weiche::exchange::{Actor, Refusal};
use weiche::id::{InstitutionId, RequestId};
use weiche::numbered::Numbered;
use weiche::proto::audit::EntryKind;
use weiche::proto::types;
use weiche::referral::{RecallOutcome, ReferralState, StatusReason};

use super::desk::*;
use super::privacy::full;

fn itself(institution: &InstitutionId) -> Actor<'_> {
    Actor { institution, operator: None }
}

/// One delivered and withdrawn, one withheld in part, one refused by the recipient, one of somebody else.
async fn lives(desk: &Desk) {
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).record().await;
    desk.accepted(&full(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.deliver_all(JOBCENTER).await;
    desk.withdraw_as(CARITAS, consent, Scope::default()).await.unwrap();
    let recall_id = desk.deliver_all(JOBCENTER).await[0].recall().recall_id.clone();
    let kept = types::RecallAnswer { recall_id, outcome: RecallOutcome::RetainedStatutory.number(), norm: "§ 67c SGB X <b>".into() };
    desk.on().answer_recall(&who(JOBCENTER), RequestId::random(), &kept, b"r").await.unwrap();
    let second = desk.usual_consent(CARITAS, AWO, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, AWO, "p-1", second)).await;
    desk.deliver_all(AWO).await;
    desk.answer(AWO, id, ReferralState::Rejected, Some(StatusReason::Other)).await.unwrap();
    let other = desk.usual_consent(CARITAS, AWO, "p-2").await;
    desk.accepted(&referral(CARITAS, AWO, "p-2", other)).await;
    // The same reference at another institution is another person.
    let elsewhere = desk.usual_consent(AWO, JOBCENTER, "p-1").await;
    desk.accepted(&referral(AWO, JOBCENTER, "p-1", elsewhere)).await;
}

#[tokio::test]
async fn the_report_tells_a_person_everything_that_went_through_and_nothing_of_others() {
    let desk = Desk::open().await;
    lives(&desk).await;
    let caritas = who(CARITAS);
    let report = desk.on().person_report(&itself(&caritas), "p-1").await.unwrap();
    assert_eq!((report.consents.len(), report.transfers.len()), (2, 2));
    let first = &report.transfers[0];
    assert_eq!((first.from.institution.as_str(), first.to.institution.as_str()), ("caritas-bremen", "jobcenter-bremen"));
    assert_eq!(first.categories, usual());
    assert!(first.withheld.contains(Category::Health) && first.withheld.contains(Category::Freetext));
    assert_eq!(first.basis.map(Numbered::number), Some(2), "with release from secrecy, as the log says");
    assert_eq!(first.recalls[0].outcome, Some(RecallOutcome::RetainedStatutory));
    assert!(first.receipt.as_ref().unwrap().starts_with("c2sp.org/tlog-proof"));
    assert_eq!(report.transfers[1].state, ReferralState::Rejected);

    let json = report.json().unwrap();
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["transfers"][0]["recalls"][0]["outcome"], "RETAINED_STATUTORY");
    assert_eq!(read["transfers"][0]["categories"], serde_json::json!(["IDENT", "CONTACT", "TOPICS"]));
    let page = report.html("ar-SY");
    for said in [
        "Auskunft über Ihre Angaben",
        "Caritasverband Bremen (fiktiv)",
        "muss nach dem Gesetz aufgehoben werden (§ 67c SGB X &lt;b&gt;)",
        "Name, Geburtsdatum und Geschlecht · Telefon und E-Mail · worum es in der Beratung geht",
        "Das blieb hier, weil Sie dem nicht zugestimmt haben",
        "Katholische Datenschutzaufsicht Nord",
        "<section lang=\"ar\" dir=\"rtl\">",
        "هذه الترجمة أُعدَّت آليًّا",
        "@page",
    ] {
        assert!(page.contains(said), "{said}");
    }
    for unsaid in ["canary", "p-1", "http", "<script", "src="] {
        assert!(!page.contains(unsaid), "{unsaid} in the page");
        assert!(!json.contains(unsaid) || unsaid == "http", "{unsaid} in the file");
    }
    assert!(!page.contains("lang=\"uk\"") && report.html("uk").contains("lang=\"uk\"") && !report.html("nds").contains("dir=\"rtl\""));
    // Each language has all its words: nothing is said by its key.
    for language in ["de", "en", "ar", "uk", "tr", "fa"] {
        let page = report.html(language);
        for key in ["RETAINED_STATUTORY", "SUBMITTED", "WITHDRAWN", "COUNSELLING_REFERRAL", "CONSENT_WITH", "{date}", "{institution}"] {
            assert!(!page.contains(key), "{language}: {key}");
        }
    }
}

#[tokio::test]
async fn asking_is_logged_first_and_tells_nobody_whether_others_know_the_person() {
    let desk = Desk::open().await;
    lives(&desk).await;
    let (caritas, agentur) = (who(CARITAS), who(AGENTUR));
    let (persons, entries) = (desk.count("subject_key").await, desk.log().await.len());
    let empty = desk.on().person_report(&itself(&agentur), "p-1").await.unwrap();
    assert!(empty.is_empty() && empty.html("de").contains("Über Sie ist hier nichts gespeichert."));
    desk.on().person_report(&Actor { institution: &caritas, operator: Some("ops") }, "p-1").await.unwrap();
    assert_eq!(desk.count("subject_key").await, persons, "whoever is not there does not come to be there because somebody asked");
    let log = desk.log().await;
    let looks: Vec<_> = log[entries..].iter().map(|e| (e.kind(), e.actor.as_str(), e.counterpart.as_str(), e.subject_tag.is_empty())).collect();
    let look = EntryKind::Access;
    assert_eq!(looks, [(look, "agentur-bremen-bremerhaven", "", true), (look, "operator:ops", "caritas-bremen", false)]);
}

#[tokio::test]
async fn what_a_jobcenter_is_not_told_it_does_not_learn_from_a_report_either() {
    let desk = Desk::open().await;
    let consent = desk.consent(JOBCENTER, "kd-1").to(CARITAS, usual()).record().await;
    let id = desk.accepted(&referral(JOBCENTER, CARITAS, "kd-1", consent)).await;
    desk.deliver_all(CARITAS).await;
    desk.answer(CARITAS, id, ReferralState::Accepted, None).await.unwrap();
    desk.answer(CARITAS, id, ReferralState::InProgress, None).await.unwrap();
    let jobcenter = who(JOBCENTER);
    let report = desk.on().person_report(&itself(&jobcenter), "kd-1").await.unwrap();
    let seen = desk.state(JOBCENTER, id).await.0;
    assert_eq!(report.transfers[0].state, seen);
    assert!(report.transfers[0].history.iter().all(|step| step.state != ReferralState::InProgress), "{:?}", report.transfers[0].history);
}

#[tokio::test]
async fn the_export_holds_what_rests_on_consent_only() {
    let desk = Desk::open().await;
    lives(&desk).await;
    let mut necessary = referral(JOBCENTER, AGENTUR, "kd-7", weiche::id::ConsentId::random());
    (necessary.consent, necessary.necessity) = (None, "vermittlung-50-1".into());
    desk.accepted(&necessary).await;
    let jobcenter = who(JOBCENTER);
    let report = desk.on().person_report(&itself(&jobcenter), "kd-7").await.unwrap();
    assert_eq!(report.transfers[0].necessity.as_deref(), Some("vermittlung-50-1"));
    assert!(report.portable().transfers.is_empty());
    let caritas = who(CARITAS);
    let export = desk.on().person_report(&itself(&caritas), "p-1").await.unwrap().portable();
    assert_eq!((export.consents.len(), export.transfers.len()), (2, 2));
}

#[tokio::test]
async fn nothing_is_passed_on_while_processing_is_restricted_on_whatever_basis_and_it_can_be_lifted() {
    let mut desk = Desk::open().await;
    let (caritas, jobcenter) = (who(CARITAS), who(JOBCENTER));
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let waiting = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let restrict = async |desk: &Desk, institution: &InstitutionId, subject: &'static str, on| {
        desk.on().restrict(&itself(institution), RequestId::random(), subject, on).await.unwrap();
    };
    restrict(&desk, &caritas, "p-1", true).await;
    desk.reopen().await;
    // What waits stops when its turn comes; what comes is refused; a new consent does not wash it off.
    assert!(desk.deliver_all(JOBCENTER).await.is_empty());
    assert_eq!(desk.state(CARITAS, waiting).await, (ReferralState::Blocked, Some(StatusReason::NotPermitted)));
    let fresh = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let denied = desk.submit(&referral(CARITAS, JOBCENTER, "p-1", fresh)).await.unwrap_err();
    assert!(matches!(&denied, Refusal::Denied { denial, .. } if denial.reason == weiche::consent::Reason::Restricted), "{denied:?}");
    assert!(desk.resubmit(CARITAS, waiting, None).await.is_err());
    let log = desk.log().await;
    let said: Vec<_> = log.iter().filter(|e| e.kind() == EntryKind::ReleaseDenied).map(|e| e.decision).collect();
    assert_eq!(said, [weiche::consent::Reason::Restricted.number()]);
    // Without consent too.
    let mut necessary = referral(JOBCENTER, AGENTUR, "kd-7", consent);
    (necessary.consent, necessary.necessity) = (None, "vermittlung-50-1".into());
    restrict(&desk, &jobcenter, "kd-7", true).await;
    assert!(matches!(desk.submit(&necessary).await, Err(Refusal::Denied { .. })));
    restrict(&desk, &jobcenter, "kd-7", false).await;
    desk.accepted(&necessary).await;
    // Another person, the same reference elsewhere: not touched.
    let other = desk.usual_consent(AWO, JOBCENTER, "p-1").await;
    desk.accepted(&referral(AWO, JOBCENTER, "p-1", other)).await;
    let since = desk.on().person_report(&itself(&caritas), "p-1").await.unwrap().restricted_since;
    assert!(since.is_some());
    restrict(&desk, &caritas, "p-1", false).await;
    desk.resubmit(CARITAS, waiting, None).await.unwrap();
    assert!(desk.deliver_all(JOBCENTER).await.iter().any(|item| item.is_referral(&waiting.to_string())));
    super::erasing::is_sound(&mut desk).await;
}

#[tokio::test]
async fn what_comes_at_the_same_moment_as_a_restriction_does_not_start_after_it() {
    let mut desk = Desk::open().await;
    let caritas = who(CARITAS);
    let actor = itself(&caritas);
    for n in 0..20 {
        let subject = format!("p-{n}");
        let consent = desk.usual_consent(CARITAS, JOBCENTER, &subject).await;
        let case = referral(CARITAS, JOBCENTER, &subject, consent);
        let before = desk.log().await.len();
        let done = tokio::sync::Notify::new();
        let both = async {
            let both = tokio::join!(desk.submit(&case), desk.on().restrict(&actor, RequestId::random(), &subject, true));
            done.notify_one();
            both
        };
        // Somebody waits, so it may start in the very batch that accepts it.
        let (started, (_, restricted)) = tokio::join!(desk.next(JOBCENTER, 1, done.notified()), both);
        restricted.unwrap();
        for item in started {
            desk.acknowledge(&item).await;
        }
        desk.deliver_all(JOBCENTER).await;
        let log = desk.log().await;
        let from_restriction = log[before..].iter().skip_while(|entry| entry.kind() != EntryKind::Restriction);
        assert!(from_restriction.clone().next().is_some());
        let late: Vec<_> = from_restriction.filter(|entry| entry.kind() == EntryKind::Released && entry.detail == "referral").collect();
        assert!(late.is_empty(), "{n}: {late:?}");
    }
    super::erasing::is_sound(&mut desk).await;
}

#[tokio::test]
async fn auditors_see_what_stands_out_and_the_log_says_that_they_looked() {
    let desk = Desk::open().await;
    let relative = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).with(|record| {
        record.explanation.language = "de".into();
        record.explanation.mode = weiche::consent::ExplanationMode::SelfRead;
        record.explanation.interpreter = InterpreterKind::None;
    });
    let consent = relative.record().await;
    let mut case = referral(CARITAS, JOBCENTER, "p-1", consent);
    let level = types::CefrLevel::A1.into();
    case.german = Some(types::GermanLevel { lowest: level, highest: level, ..Default::default() });
    let id = desk.accepted(&case).await;
    desk.deliver_all(JOBCENTER).await;
    desk.withdraw(CARITAS, consent).await;
    desk.deliver_all(JOBCENTER).await;
    desk.pass(DAY * 20);
    let until = desk.now().plus(DAY);
    let found = desk.on().findings("eva", desk.now().minus(DAY * 90), until).await.unwrap();
    let stands_out: Vec<_> = found.iter().filter(|one| one.stands_out).map(|one| (one.kind, one.institution.as_str(), one.count)).collect();
    assert!(stands_out.contains(&(FindingKind::BelowB1WithoutInterpreter, "caritas-bremen", 1)), "{stands_out:?}");
    assert!(stands_out.contains(&(FindingKind::RecallLate, "jobcenter-bremen", 1)), "{stands_out:?}");
    assert!(stands_out.iter().any(|(kind, ..)| *kind == FindingKind::OverdueDeletion), "seven days and two are over, and nobody has run it");
    let seen = |kind| found.iter().find(|one| one.kind == kind).map(|one| (one.count, one.of));
    assert_eq!(seen(FindingKind::AfterWithdrawal), Some((0, 1)), "the one release was before the withdrawal");
    let below = found.iter().find(|one| one.kind == FindingKind::BelowB1WithoutInterpreter).unwrap();
    assert_eq!(below.examples, [id.to_string()]);
    let last = desk.log().await.pop().unwrap();
    assert_eq!((last.kind(), last.actor.as_str(), last.detail.as_str()), (EntryKind::Access, "operator:eva", "findings"));
    desk.on().retain("gateway".into()).await.unwrap();
    let found = desk.on().findings("eva", desk.now().minus(DAY * 90), until).await.unwrap();
    assert!(found.iter().all(|one| one.kind != FindingKind::OverdueDeletion || one.count == 0), "{found:#?}");
    let later = desk.on().findings("eva", desk.now().plus(DAY), until).await.unwrap();
    assert!(later.iter().all(|one| one.count == 0), "another period: {later:#?}");
}

#[tokio::test]
async fn recipients_are_told_what_was_wrong_or_may_not_be_used_and_say_what_they_did() {
    let mut desk = Desk::open().await;
    let caritas = who(CARITAS);
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let wrong = async |desk: &Desk, by: &InstitutionId, categories| {
        desk.on().correct(&itself(by), RequestId::random(), &id.to_string(), categories).await.map(|receipt| receipt.leaf)
    };
    let contact = Category::Contact.mask();
    assert!(matches!(wrong(&desk, &caritas, contact).await, Err(Refusal::WrongState(_))), "it has not arrived");
    desk.deliver_all(JOBCENTER).await;
    assert_eq!(wrong(&desk, &who(JOBCENTER), contact).await.unwrap_err(), Refusal::NotFound, "only its sender corrects it");
    assert!(matches!(wrong(&desk, &caritas, Category::Health.mask()).await, Err(Refusal::Field { .. })), "that was never sent");
    let leaf = wrong(&desk, &caritas, contact).await.unwrap();
    let entry = &desk.log().await[usize::try_from(leaf).unwrap()];
    assert_eq!((entry.kind(), entry.reason, entry.withheld), (EntryKind::RecallIssued, StatusReason::Corrected.number(), contact.bits()));
    let notices = desk.deliver_all(JOBCENTER).await;
    let notice = notices[0].recall().clone();
    assert_eq!((notice.reason, notice.categories.as_slice()), (StatusReason::Corrected.number(), [2].as_slice()));
    assert_eq!(desk.state(CARITAS, id).await.0, ReferralState::Delivered, "the referral goes on");
    let done = types::RecallAnswer { recall_id: notice.recall_id, outcome: RecallOutcome::Corrected.number(), norm: String::new() };
    desk.on().answer_recall(&who(JOBCENTER), RequestId::random(), &done, b"c").await.unwrap();
    let told: Vec<_> = desk.deliver_all(CARITAS).await.iter().map(|item| item.status().recall_outcome).collect();
    assert_eq!(told, [RecallOutcome::Corrected.number()]);

    // Once, however often it is said.
    for _ in 0..2 {
        desk.on().restrict(&itself(&caritas), RequestId::random(), "p-1", true).await.unwrap();
    }
    let notices = desk.deliver_all(JOBCENTER).await;
    assert_eq!(notices.iter().map(|item| item.recall().reason).collect::<Vec<_>>(), [StatusReason::RestrictionRequested.number()]);
    let report = desk.on().person_report(&itself(&caritas), "p-1").await.unwrap();
    assert_eq!(report.transfers[0].recalls.iter().map(|recall| recall.outcome).collect::<Vec<_>>(), [Some(RecallOutcome::Corrected), None]);
    let page = report.html("de");
    for said in ["Fehler zu berichtigen</dt><dd><bdi>berichtigt", "die Angaben nicht zu benutzen</dt><dd><bdi>noch keine Antwort"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    super::erasing::is_sound(&mut desk).await;
}
