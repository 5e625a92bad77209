// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The person's code at any counter, each scope of a withdrawal against every state of what rests on it, and recalls until they are answered.

use std::time::Duration;

use weiche::agreement::Purpose;
use weiche::consent::{Reason, Scope, Status, WithdrawalCode};
use weiche::dialect::Category;
use weiche::exchange::{About, Named, Refusal, ReminderKind, Withdrawn};
use weiche::id::{ConsentId, ReferralId, RequestId};
use weiche::numbered::Numbered;
use weiche::proto::audit::EntryKind;
use weiche::proto::types::RecallAnswer;
use weiche::referral::{RecallOutcome, ReferralState, StatusReason};

use super::desk::*;

/// Records and keeps the code.
async fn with_code(desk: &Desk, consent: ConsentOf<'_>) -> (ConsentId, WithdrawalCode) {
    let record = consent.record;
    let caller = record.controller.institution.clone();
    let content = serde_json::to_vec(&record).unwrap();
    let recorded = desk.on().record_consent(&caller, RequestId::random(), record, &content).await.unwrap();
    (recorded.consent, recorded.code.unwrap())
}

async fn by_code(desk: &Desk, at: &str, code: &WithdrawalCode, scope: Scope) -> Result<Withdrawn, Refusal> {
    let request = RequestId::random();
    Ok(desk.on().withdraw_consent(&who(at), request, Named::Code(code.clone()), scope, "counter".into(), request.as_bytes()).await?.0)
}

/// A code that is typed correctly and that nobody was given.
fn nobodys(n: u32) -> WithdrawalCode {
    (0..u32::MAX)
        .find_map(|more| {
            let mut random = [n as u8; 32];
            random[8..12].copy_from_slice(&n.to_be_bytes());
            random[12..16].copy_from_slice(&more.to_be_bytes());
            WithdrawalCode::from_random(&random)
        })
        .unwrap()
}

#[tokio::test]
async fn given_at_caritas_one_delivered_one_queued_and_withdrawn_at_a_counter_that_is_no_party() {
    let desk = Desk::open().await;
    let (consent, code) = with_code(&desk, desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).to(AGENTUR, usual())).await;
    let delivered = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.deliver_all(JOBCENTER).await;
    let queued = desk.accepted(&referral(CARITAS, AGENTUR, "p-1", consent)).await;

    assert_eq!(desk.withdraw_as(AWO, consent, Scope::default()).await, Err(Refusal::NotFound), "by the id only its parties");
    let done = by_code(&desk, AWO, &code, Scope::default()).await.unwrap();
    assert_eq!((done.version, done.stopped.len(), done.in_flight.len(), done.recalled.len()), (2, 0, 0, 0), "AWO learns of nobody's referrals");
    assert!(desk.release(AGENTUR).await.is_empty(), "nothing starts any more");
    assert_eq!(desk.state(CARITAS, queued).await, (ReferralState::Recalled, Some(StatusReason::ConsentWithdrawn)));
    assert_eq!(desk.state(CARITAS, delivered).await, (ReferralState::Recalled, Some(StatusReason::ConsentWithdrawn)));
    let notice = desk.release_one(JOBCENTER).await;
    assert_eq!(notice.recall().referral_id, delivered.to_string());
    desk.acknowledge(&notice).await;
    let record = desk.on().consent(&who(CARITAS), consent).await.unwrap();
    let last = record.history.last().unwrap();
    assert_eq!((last.received_by.clone(), last.channel.as_str()), (Some(who(AWO)), "counter"), "Caritas sees where");

    let again = by_code(&desk, JOBCENTER, &code, Scope::default()).await.unwrap();
    assert_eq!((again.version, again.recalled.len()), (2, 0), "the person may show the sheet again: nothing more happens");
    desk.verify_log().await;
}

/// The story of the issue, and everything that follows from it for each of the four.
#[tokio::test]
async fn given_at_caritas_for_two_one_delivered_one_queued_and_withdrawn_at_the_jobcenters_counter() {
    let desk = Desk::open().await;
    let (consent, code) = with_code(&desk, desk.consent(CARITAS, "p-1").to(AGENTUR, usual()).to(JOBCENTER, usual())).await;
    let delivered = desk.accepted(&referral(CARITAS, AGENTUR, "p-1", consent)).await;
    desk.deliver_all(AGENTUR).await;
    let queued = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let of_another = desk.usual_consent(CARITAS, JOBCENTER, "p-2").await;
    let of_another = desk.accepted(&referral(CARITAS, JOBCENTER, "p-2", of_another)).await;
    desk.deliver_all(CARITAS).await;
    let before = desk.log().await.len();

    let done = by_code(&desk, JOBCENTER, &code, Scope::default()).await.unwrap();
    assert_eq!(done, Withdrawn { version: 2, ..Withdrawn::default() }, "the Jobcenter has nothing of this person, and learns of nothing");

    // The consent: it ended, Caritas sees where, and is told to look.
    let record = desk.on().consent(&who(CARITAS), consent).await.unwrap();
    let last = record.history.last().unwrap();
    assert_eq!((record.status, last.received_by.clone(), last.channel.as_str()), (Status::Withdrawn, Some(who(JOBCENTER)), "counter"));
    let reminders = desk.on().reminders(&who(CARITAS), None, 10).await.unwrap();
    let elsewhere = reminders.iter().filter(|one| one.kind == ReminderKind::WithdrawnElsewhere).map(|one| one.about.clone());
    assert_eq!(elsewhere.collect::<Vec<_>>(), [About::Consent(consent)]);

    // What waited never leaves, whatever happens; what is somebody else's does.
    let came: Vec<_> = desk.deliver_all(JOBCENTER).await.iter().map(|item| item.referral().referral_id.clone()).collect();
    assert_eq!(came, [of_another.to_string()]);
    desk.pass(DAY);
    assert!(desk.release(JOBCENTER).await.is_empty());
    assert!(matches!(desk.on().referral(&who(JOBCENTER), &queued.to_string()).await, Err(Refusal::NotFound)), "it never learns that there was one");
    assert!(matches!(desk.resubmit(CARITAS, queued, None).await, Err(Refusal::Step(_))), "and cannot be started again");
    let again = desk.submit(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    assert!(matches!(again, Err(Refusal::Denied { ref denial, .. }) if denial.reason == Reason::Withdrawn), "{again:?}");

    // What is at the Agentur is called back with a deadline, and its answer reaches Caritas.
    let notice = desk.release_one(AGENTUR).await;
    let recall = notice.recall().clone();
    assert_eq!((recall.referral_id.as_str(), recall.reason, recall.reminder), (&*delivered.to_string(), StatusReason::ConsentWithdrawn.number(), 0));
    assert!(recall.categories.is_empty() && recall.answer_due_at.is_some(), "all of it, and by then");
    desk.acknowledge(&notice).await;
    let answer = RecallAnswer { recall_id: recall.recall_id, outcome: RecallOutcome::Deleted.number(), norm: String::new() };
    desk.on().answer_recall(&who(AGENTUR), RequestId::random(), &answer, b"deleted").await.unwrap();
    let gone = (ReferralState::Recalled, Some(StatusReason::ConsentWithdrawn));
    let news: Vec<_> = desk.deliver_all(CARITAS).await.iter().map(|item| item.status().clone()).collect();
    for id in [queued, delivered] {
        assert_eq!(desk.state(CARITAS, id).await, gone);
        assert!(news.iter().any(|change| change.referral_id == id.to_string() && told(change) == gone), "Caritas can tell the person");
    }
    assert!(
        news.iter().any(|change| change.referral_id == delivered.to_string() && change.recall_outcome == answer.outcome),
        "and that it was deleted"
    );
    assert!(desk.on().open_recalls(None, false, None, 10).await.unwrap().is_empty());

    // The person reads it: what never left, what was deleted, and where it was taken back.
    let caritas = who(CARITAS);
    let report = desk.on().person_report(&weiche::exchange::Actor { institution: &caritas, operator: None }, "p-1").await.unwrap();
    let seen: Vec<_> = report.transfers.iter().map(|one| (one.referral, one.left, one.recalls.first().and_then(|recall| recall.outcome))).collect();
    assert_eq!(seen, [(delivered, true, Some(RecallOutcome::Deleted)), (queued, false, None)]);
    let page = report.html("de");
    for said in ["Davon wurde nichts verschickt.", "<bdi>gelöscht</bdi>", "bei Jobcenter Bremen (fiktiv) zurückgenommen."] {
        assert!(page.contains(said), "{said}: {page}");
    }

    // The log says it in this order, by whom, and nothing was released after it.
    let log = desk.log().await.split_off(before);
    let kinds: Vec<_> = log.iter().filter(|entry| entry.consent_id == consent.as_bytes()[..]).map(weiche::proto::audit::Entry::kind).collect();
    assert_eq!(
        (kinds[0], log[0].actor.as_str(), log[0].counterpart.as_str()),
        (EntryKind::ConsentWithdrawn, who(JOBCENTER).as_str(), who(CARITAS).as_str())
    );
    assert!(!log.iter().any(|entry| entry.kind() == EntryKind::Released && entry.detail == "referral" && entry.consent_id == consent.as_bytes()[..]));
    for (kind, id) in [(EntryKind::DeliveryStopped, queued), (EntryKind::RecallIssued, delivered), (EntryKind::RecallAnswered, delivered)] {
        assert_eq!(log.iter().filter(|entry| entry.kind() == kind && entry.referral_id == id.as_bytes()[..]).count(), 1, "{kind:?}");
    }
    desk.verify_log().await;
    super::replay::check(&desk).await;
}

#[tokio::test]
async fn the_code_stays_the_same_for_all_versions_and_is_nowhere_in_the_tables() {
    let mut desk = Desk::open().await;
    let (consent, code) = with_code(&desk, desk.consent(CARITAS, "p-1").to(JOBCENTER, usual())).await;
    let less = usual() - Category::Contact.mask();
    let (_, same) = with_code(&desk, desk.consent(CARITAS, "p-1").to(JOBCENTER, less).with(|record| record.id = consent)).await;
    let (_, other) = with_code(&desk, desk.consent(CARITAS, "p-2").to(JOBCENTER, usual())).await;
    assert_eq!(same, code);
    assert_ne!(other, code);
    assert_eq!(desk.count("consent_code").await, 2);
    let sheet = desk.on().consent_sheet(&who(CARITAS), consent, "").await.unwrap();
    assert_eq!(sheet.code.as_ref(), Some(&code), "and can be printed again");
    desk.reopen().await;
    assert_eq!(desk.on().consent_sheet(&who(CARITAS), consent, "").await.unwrap().code, Some(code.clone()));
    desk.stop().await;
    for file in ["weiche.db", "weiche.db-wal"] {
        let bytes = std::fs::read(desk.path().join(file)).unwrap_or_default();
        for text in [code.to_string(), code.to_string().replace('-', "")] {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{file}");
        }
    }
}

#[tokio::test]
async fn guessing_is_slow_for_one_institution_and_no_hindrance_to_others() {
    let desk = Desk::open().await;
    let (consent, code) = with_code(&desk, desk.consent(CARITAS, "p-1").to(JOBCENTER, usual())).await;
    for n in 0..10 {
        assert_eq!(by_code(&desk, AWO, &nobodys(n), Scope::default()).await, Err(Refusal::NotFound));
        assert_eq!(by_code(&desk, JOBCENTER, &code, Scope { purpose: Some(Purpose::Recognition), ..Scope::default() }).await.unwrap().version, 1);
    }
    let Err(Refusal::TooManyCodes(wait)) = by_code(&desk, AWO, &nobodys(99), Scope::default()).await else { panic!("the eleventh") };
    assert_eq!(by_code(&desk, AWO, &code, Scope::default()).await, Err(Refusal::TooManyCodes(wait)), "a right one tells nothing then");
    desk.pass(wait);
    assert_eq!(by_code(&desk, AWO, &code, Scope::default()).await.unwrap().version, 2);
    assert_eq!(desk.withdraw(JOBCENTER, consent).await.version, 2, "by the id it always goes");
}

/// Referrals of four persons, one in each state when the same scope was withdrawn from the consent of each.
struct Spread {
    queued: ReferralId,
    leased_before: ReferralId,
    started: ReferralId,
    delivered: ReferralId,
}

async fn spread(desk: &Desk, scope: &Scope) -> (Spread, Vec<Withdrawn>) {
    let mut done = Vec::new();
    let mut ids = Vec::new();
    for state in ["queued", "failed before", "started", "delivered"] {
        let subject = uuid::Uuid::new_v4().to_string();
        let consent = desk.consent(CARITAS, &subject).to(JOBCENTER, usual()).to(AGENTUR, usual()).record().await;
        let id = desk.accepted(&referral(CARITAS, JOBCENTER, &subject, consent)).await;
        let item = if state == "queued" { None } else { Some(desk.release_one(JOBCENTER).await) };
        match (state, &item) {
            ("failed before", Some(item)) => desk.settle(item, unavailable()).await.unwrap(),
            ("delivered", Some(item)) => desk.acknowledge(item).await,
            _ => {}
        }
        done.push(desk.withdraw_as(CARITAS, consent, scope.clone()).await.unwrap());
        if let ("started", Some(item)) = (state, &item) {
            desk.acknowledge(item).await;
        }
        // The recalls, so that the next one is alone.
        desk.deliver_all(JOBCENTER).await;
        ids.push(id);
    }
    let [queued, leased_before, started, delivered] = ids[..] else { panic!() };
    (Spread { queued, leased_before, started, delivered }, done)
}

#[tokio::test]
async fn every_scope_names_what_it_stopped_what_was_in_flight_and_what_is_called_back() {
    let desk = Desk::open().await;
    let name = mask_of(Category::Ident);
    for (what, scope) in [
        ("whole", Scope::default()),
        ("recipient", Scope { recipient: Some(who(JOBCENTER)), ..Scope::default() }),
        ("purpose", Scope { purpose: Some(Purpose::JobSearch), ..Scope::default() }),
        ("category: the name", Scope { categories: name, ..Scope::default() }),
    ] {
        let (ids, done) = spread(&desk, &scope).await;
        let named = |n: usize| (done[n].stopped.clone(), done[n].in_flight.clone(), done[n].recalled.clone());
        assert_eq!(named(0), (vec![ids.queued], vec![], vec![]), "{what}");
        assert_eq!(named(1), (vec![], vec![ids.leased_before], vec![]), "{what}: it waits, and may have arrived");
        assert_eq!(named(2), (vec![], vec![ids.started], vec![]), "{what}");
        assert_eq!(named(3), (vec![], vec![], vec![ids.delivered]), "{what}");
        for (id, recalls) in [(ids.queued, 0), (ids.leased_before, 1), (ids.started, 1), (ids.delivered, 1)] {
            assert_eq!(desk.state(CARITAS, id).await, (ReferralState::Recalled, Some(StatusReason::ConsentWithdrawn)), "{what}");
            let (seen, _) = desk.on().referral(&who(CARITAS), &id.to_string()).await.unwrap();
            assert_eq!(desk.on().recalls(&seen).await.unwrap().len(), recalls, "{what}");
        }
    }
    // A scope that takes away less than the name: what waits leaves with less, what has it gives up a part.
    let (ids, done) = spread(&desk, &Scope { categories: mask_of(Category::Contact), ..Scope::default() }).await;
    assert!(done[0].stopped.is_empty() && done[1].stopped.is_empty());
    assert_eq!((done[1].in_flight.as_slice(), done[2].in_flight.as_slice()), ([ids.leased_before].as_slice(), [ids.started].as_slice()));
    assert_eq!(done[3].recalled, [ids.delivered]);
    assert_eq!(desk.state(CARITAS, ids.queued).await.0, ReferralState::Delivered);
    // What the scope does not name goes on.
    let (ids, done) = spread(&desk, &Scope { recipient: Some(who(AGENTUR)), ..Scope::default() }).await;
    assert!(done.iter().all(|done| done.version == 2 && done.stopped.is_empty() && done.in_flight.is_empty() && done.recalled.is_empty()));
    assert_eq!(desk.state(CARITAS, ids.queued).await.0, ReferralState::Delivered);
    desk.verify_log().await;
}

fn mask_of(category: Category) -> weiche::dialect::CategoryMask {
    category.mask()
}

#[tokio::test]
async fn a_recipient_is_reminded_before_the_answer_is_due_when_it_is_due_and_every_week() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.deliver_all(JOBCENTER).await;
    desk.withdraw_as(CARITAS, consent, Scope { categories: Category::Topics.mask(), ..Scope::default() }).await.unwrap();
    let first = desk.deliver_all(JOBCENTER).await.remove(0).recall().clone();
    assert_eq!(first.reminder, 0);

    let mut seen = Vec::new();
    for day in 1..=36_u32 {
        desk.pass(DAY);
        desk.on().remind().await.unwrap();
        assert!(!desk.on().remind().await.unwrap(), "once is enough");
        for item in desk.deliver_all(JOBCENTER).await {
            let notice = item.recall().clone();
            assert_ne!(item.id.to_string(), notice.recall_id, "a delivery of its own, about the same recall");
            let same = (notice.recall_id.as_str(), &notice.categories, notice.answer_due_at, notice.reason);
            assert_eq!(same, (first.recall_id.as_str(), &first.categories, first.answer_due_at, first.reason));
            seen.push((day, notice.reminder));
        }
    }
    assert_eq!(seen, [(11, 1), (14, 2), (21, 3), (28, 4), (35, 5)]);
    let late = desk.on().open_recalls(None, true, None, 10).await.unwrap();
    assert_eq!(late.iter().map(|recall| (recall.referral, recall.reminders)).collect::<Vec<_>>(), [(id, 5)], "on the operators' list");
    assert_eq!(desk.on().open_recalls(Some(&who(AGENTUR)), true, None, 10).await.unwrap(), []);

    let answer = RecallAnswer { recall_id: first.recall_id, outcome: RecallOutcome::Deleted.number(), norm: String::new() };
    desk.on().answer_recall(&who(JOBCENTER), RequestId::random(), &answer, b"r").await.unwrap();
    desk.pass(DAY * 30);
    desk.on().remind().await.unwrap();
    assert!(desk.deliver_all(JOBCENTER).await.is_empty(), "answered: nobody is reminded");
    assert!(desk.on().open_recalls(None, false, None, 10).await.unwrap().is_empty());
    desk.verify_log().await;
    super::replay::check(&desk).await;
}

#[tokio::test]
async fn nobody_is_reminded_of_a_notice_that_has_not_arrived() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.deliver_all(JOBCENTER).await;
    desk.withdraw(CARITAS, consent).await;
    for _ in 0..20 {
        desk.pass(DAY);
        desk.on().remind().await.unwrap();
    }
    let [notice] = &desk.deliver_all(JOBCENTER).await[..] else { panic!("one notice, however long it waited") };
    assert_eq!(notice.recall().reminder, 0);
    desk.pass(DAY);
    desk.on().remind().await.unwrap();
    assert_eq!(desk.release_one(JOBCENTER).await.recall().reminder, 1);
}

#[tokio::test]
async fn the_time_for_the_answer_is_the_agreements() {
    let short = BREMEN.replace("answer_days = 14", "answer_days = 7");
    let desk = Desk::open_under(&short).await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.deliver_all(JOBCENTER).await;
    desk.withdraw(CARITAS, consent).await;
    let notice = desk.release_one(JOBCENTER).await;
    let within = notice.recall().answer_due_at.unwrap().seconds - notice.recall().effective_at.unwrap().seconds;
    assert_eq!(Duration::from_secs(within.unsigned_abs()), 7 * DAY);
    for (wrong, what) in [("answer_days = 29", "answer_days"), ("answer_days = 0", "answer_days"), ("answer_days = 3", "remind_days_before")] {
        let problems = weiche::agreement::Agreement::parse(&BREMEN.replace("answer_days = 14", wrong)).unwrap_err();
        assert!(problems.iter().any(|problem| problem.to_string().contains(what)), "{wrong}: {problems:?}");
    }
}
