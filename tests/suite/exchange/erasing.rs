// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What is erased is gone from the files, keys first; what stands against erasure is obeyed; and the log verifies and replays as before.

use weiche::consent::{Consent, Day, Retention, Scope};
use weiche::dialect::Category;
use weiche::exchange::fsck::{Depth, fsck};
use weiche::exchange::{Actor, Purged, Refusal};
use weiche::id::RequestId;
use weiche::ledger::RollbackGuard;
use weiche::numbered::Numbered;
use weiche::proto::audit::EntryKind;
use weiche::proto::types;
use weiche::referral::{RecallOutcome, ReferralState, StatusReason};
use weiche::store::Store;
use weiche::vault::Vault;

use super::desk::*;
use super::privacy::full;

/// Everything in every file of the database.
fn files(desk: &Desk) -> Vec<u8> {
    ["weiche.db", "weiche.db-wal", "weiche.db-shm"].iter().flat_map(|name| std::fs::read(desk.path().join(name)).unwrap_or_default()).collect()
}

fn holds(files: &[u8], what: &[u8]) -> bool {
    files.windows(what.len()).any(|window| window == what)
}

/// Every key, sealed value and pseudonym that is there of anybody.
pub async fn traces(desk: &Desk) -> Vec<(&'static str, Vec<u8>)> {
    const COLUMNS: &[(&str, &str)] = &[
        ("a key of a content", "SELECT wrapped FROM payload"),
        ("a sealed content", "SELECT ciphertext FROM payload"),
        ("a key of a person's tags", "SELECT wrapped FROM subject_key"),
        ("a pseudonym", "SELECT subject FROM subject_key"),
        ("a sealed file number", "SELECT case_number FROM referral"),
        ("an opening", "SELECT salt FROM log_opening"),
        ("the digest of a code", "SELECT code FROM consent_code"),
    ];
    let mut found = Vec::new();
    let mut tables = desk.tables().await;
    for (what, sql) in COLUMNS {
        let rows = tables.rows(sql, []).await.unwrap();
        assert!(!rows.is_empty(), "{what}");
        found.extend(rows.iter().map(|row| (*what, row.bytes(0).unwrap().to_vec())));
    }
    for row in tables.rows("SELECT record FROM consent", []).await.unwrap() {
        let record: Consent = serde_json::from_str(row.text(0).unwrap()).unwrap();
        found.push(("a pseudonym in a record", record.subject.0.into_bytes()));
        found.push(("a sealed place of evidence", record.evidence.location.into_bytes()));
        found.push(("the hash of a scan", record.evidence.sha256.into_bytes()));
        found.extend(record.history.into_iter().map(|event| ("a sealed channel", event.channel.into_bytes())).filter(|(_, text)| text.len() > 20));
    }
    for row in tables.rows("SELECT norm FROM recall", []).await.unwrap() {
        found.push(("a sealed norm", row.text(0).unwrap().as_bytes().to_vec()));
    }
    found
}

/// The database says what its log says, the log verifies, and it goes on after a restart.
pub async fn is_sound(desk: &mut Desk) {
    desk.verify_log().await;
    let signed = RollbackGuard::open(&desk.path().join("guard"), ORIGIN).unwrap().last().clone();
    let vault = Vault::open(&desk.path().join("vault.key")).unwrap();
    let mut conn = Store::read_only(&desk.place).await.unwrap();
    conn.snapshot().await.unwrap();
    let report = fsck(&mut conn, Some(&signed), Depth::Contents(&vault), &|_, _, _| ()).await.unwrap();
    assert!(report.is_sound(), "{:#?}", report.problems().collect::<Vec<_>>());
    conn.close().await.unwrap();
    desk.reopen().await;
}

fn by_caritas(caritas: &weiche::id::InstitutionId) -> Actor<'_> {
    Actor { institution: caritas, operator: None }
}

async fn erase(desk: &Desk, subject: &str) -> Result<Purged, Refusal> {
    let caritas = who(CARITAS);
    desk.on().erase_person(&by_caritas(&caritas), RequestId::random(), subject).await.map(|(purged, _, emptied)| {
        assert!(emptied, "nobody reads, so nobody is in the way");
        purged
    })
}

fn why(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::WrongState(obstacle) => obstacle.why,
        other => panic!("{other:?}"),
    }
}

/// A case with something in every field goes its whole way: delivered, answered, ended, withdrawn, recalled, kept by law.
pub async fn whole_story(desk: &Desk, subject: &str) -> weiche::id::ConsentId {
    let consent = desk.consent(CARITAS, subject).to(JOBCENTER, usual()).with_feedback(Category::Outcome.mask());
    let consent = consent.with(|record| {
        record.evidence.location = "canary-location".into();
        record.evidence.sha256 = format!("cafe{:060x}", uuid::Uuid::new_v4().as_u128());
        record.grantor.proof = "canary-proof".into();
    });
    let consent = consent.record().await;
    let id = desk.accepted(&full(CARITAS, JOBCENTER, subject, consent)).await;
    desk.deliver_all(JOBCENTER).await;
    let mut answer = change(id, ReferralState::Rejected, Some(StatusReason::Other));
    answer.outcome = "canary-outcome".into();
    desk.answer_with(JOBCENTER, answer).await.unwrap();
    desk.withdraw_as(CARITAS, consent, Scope::default()).await.unwrap();
    let recall_id = desk.deliver_all(JOBCENTER).await[0].recall().recall_id.clone();
    let kept = types::RecallAnswer { recall_id, outcome: RecallOutcome::RetainedStatutory.number(), norm: "canary-norm".into() };
    desk.on().answer_recall(&who(JOBCENTER), RequestId::random(), &kept, b"r").await.unwrap();
    desk.deliver_all(CARITAS).await;
    consent
}

#[tokio::test]
async fn after_erasure_the_files_hold_nothing_of_the_person_and_no_key_and_the_log_still_holds() {
    let mut desk = Desk::open().await;
    whole_story(&desk, "canary-subject").await;
    let log = desk.log().await.len();
    let traces = traces(&desk).await;
    assert!(traces.len() > 12);
    if desk.place.file().is_some() {
        let files = files(&desk);
        for (what, bytes) in &traces {
            assert!(holds(&files, bytes), "before, {what} is in the files: otherwise this test sees nothing");
        }
    }
    assert_eq!(erase(&desk, "canary-subject").await.unwrap(), Purged { referrals: 1, consents: 1, persons: 1, ..Purged::default() });
    if desk.place.file().is_some() {
        let files = files(&desk);
        for (what, bytes) in &traces {
            assert!(!holds(&files, bytes), "{what} is still in the files");
        }
        for canary in [b"canary".as_slice(), b"3920099", b"cafe"] {
            assert!(!holds(&files, canary), "{}", String::from_utf8_lossy(canary));
        }
    }
    for table in
        ["consent", "consent_version", "consent_code", "referral", "referral_event", "delivery", "payload", "recall", "subject_key", "log_opening"]
    {
        assert_eq!(desk.count(table).await, 0, "{table}");
    }
    let entries = desk.log().await;
    assert_eq!(entries.len(), log + 3, "one entry for the referral, one for the consent, one for the person");
    assert!(entries[log..].iter().all(|entry| entry.kind() == EntryKind::Erased && entry.subject_tag.is_empty() && entry.actor == "caritas-bremen"));
    is_sound(&mut desk).await;
    // Who comes back is new.
    let before = desk.log().await.len();
    whole_story(&desk, "canary-subject").await;
    assert!(desk.log().await[before..].iter().any(|entry| !entry.subject_tag.is_empty()));
    is_sound(&mut desk).await;
}

#[tokio::test]
async fn first_the_recipients_must_know_then_the_gateway_may_forget() {
    let mut desk = Desk::open().await;
    let (caritas, jobcenter) = (who(CARITAS), who(JOBCENTER));
    assert_eq!(erase(&desk, "p-1").await.unwrap_err(), Refusal::NotFound);
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let other = Actor { institution: &jobcenter, operator: None };
    assert_eq!(
        desk.on().erase_person(&other, RequestId::random(), "p-1").await.unwrap_err(),
        Refusal::NotFound,
        "a reference means something at its own institution only"
    );
    assert!(why(erase(&desk, "p-1").await.unwrap_err()).contains("consent is still in force"));
    desk.deliver_all(JOBCENTER).await;
    desk.withdraw(CARITAS, consent).await;
    assert!(why(erase(&desk, "p-1").await.unwrap_err()).contains("under way"), "the recall has not left yet");
    desk.deliver_all(JOBCENTER).await;
    desk.deliver_all(CARITAS).await;
    assert!(why(erase(&desk, "p-1").await.unwrap_err()).contains("what became of the data"));
    desk.pass(29 * DAY);
    let until = desk.now().plus(DAY);
    desk.on().hold(&by_caritas(&caritas), RequestId::random(), "p-1", Some((until, "§ 35 SGB I, Az. 17"))).await.unwrap();
    assert!(why(erase(&desk, "p-1").await.unwrap_err()).contains("legal hold"));
    desk.pass(DAY);
    desk.on().restrict(&by_caritas(&caritas), RequestId::random(), "p-1", true).await.unwrap();
    assert!(why(erase(&desk, "p-1").await.unwrap_err()).contains("restricted"));
    desk.on().restrict(&by_caritas(&caritas), RequestId::random(), "p-1", false).await.unwrap();
    // A call that is repeated is the same call, also when there is nothing left to erase.
    let request = RequestId::random();
    let first = desk.on().erase_person(&by_caritas(&caritas), request, "p-1").await.unwrap();
    let again = desk.on().erase_person(&by_caritas(&caritas), request, "p-1").await.unwrap();
    assert_eq!((first.0, first.1.text), (again.0, again.1.text));
    assert_eq!(desk.on().referral(&caritas, &id.to_string()).await.unwrap_err(), Refusal::NotFound);
    assert_eq!(desk.on().consent(&caritas, consent).await.unwrap_err(), Refusal::NotFound);
    assert_eq!(desk.count("subject_key").await, 0, "a hold that is over keeps no key");
    is_sound(&mut desk).await;
}

#[tokio::test]
async fn a_legal_hold_has_a_reason_and_an_end() {
    let desk = Desk::open().await;
    let caritas = who(CARITAS);
    let hold = async |until, reason| desk.on().hold(&by_caritas(&caritas), RequestId::random(), "p-1", Some((until, reason))).await;
    let tomorrow = desk.now().plus(DAY);
    assert!(matches!(hold(tomorrow, " ").await, Err(Refusal::Field { path, .. }) if path == "reason"));
    assert!(matches!(hold(desk.now(), "§ 1").await, Err(Refusal::Field { path, .. }) if path == "until"));
    hold(tomorrow, "§ 1, canary-reason").await.unwrap();
    let holds = desk.on().holds(None, 10).await.unwrap();
    assert_eq!((holds.len(), holds[0].1.until, holds[0].1.reason.as_str()), (1, tomorrow, "§ 1, canary-reason"));
    assert!(!self::holds(&files(&desk), b"canary-reason"), "it is kept sealed");
    desk.on().hold(&by_caritas(&caritas), RequestId::random(), "p-1", None).await.unwrap();
    assert!(desk.on().holds(None, 10).await.unwrap().is_empty());
    let kinds: Vec<_> = desk.log().await.iter().filter(|entry| entry.kind() == EntryKind::Hold).map(|entry| entry.until_ms).collect();
    assert_eq!(kinds, [tomorrow.0, 0]);
}

#[tokio::test]
async fn a_run_erases_what_is_due_and_nothing_before_and_says_how_much() {
    let mut desk = Desk::open().await;
    let year = DAY * 365;
    // Told until when: two days, to the end of the second.
    let told = |record: &mut Consent| {
        record.retention = Some(Retention { delete_after: Day { year: 2026, month: 12, day: 0 }, basis: "Einrichtung".into() });
    };
    let short = desk.consent(CARITAS, "p-short").to(JOBCENTER, usual()).with(told).record().await;
    desk.withdraw(CARITAS, short).await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let waiting = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let item = desk.release_one(JOBCENTER).await;
    desk.acknowledge(&item).await;
    desk.answer(JOBCENTER, id, ReferralState::Accepted, None).await.unwrap();
    desk.deliver_all(CARITAS).await;
    let dead = desk.usual_consent(CARITAS, AWO, "p-2").await;
    desk.accepted(&referral(CARITAS, AWO, "p-2", dead)).await;
    let item = desk.release_one(AWO).await;
    desk.settle(&item, invalid()).await.unwrap();

    let nothing = Purged::default();
    desk.pass(DAY * 7 - MINUTE);
    assert_eq!(desk.on().retention_due().await.unwrap(), nothing);
    desk.pass(MINUTE);
    let due = desk.on().retention_due().await.unwrap();
    assert_eq!(due, Purged { contents: 2, ..nothing }, "the referral and what was told to its sender, both acknowledged");
    assert_eq!(desk.count("payload").await, 4, "looking changes nothing");
    assert_eq!(desk.on().retain("operator:ops".into()).await.unwrap(), (due, true));
    assert_eq!(desk.count("payload").await, 2, "what waits, and the dead letter");
    let last = desk.log().await.pop().unwrap();
    assert_eq!((last.kind(), last.actor.as_str()), (EntryKind::Retention, "operator:ops"));
    assert!(last.detail.starts_with("contents=2 "), "{}", last.detail);
    is_sound(&mut desk).await;

    desk.pass(DAY * 7);
    assert_eq!(desk.on().retain("gateway".into()).await.unwrap().0, Purged { contents: 1, dead_letters: 1, ..nothing });
    let letters = desk.on().dead_letters(None, 10).await.unwrap();
    assert!(letters.is_empty(), "nobody can put back what is gone: {letters:?}");
    is_sound(&mut desk).await;

    // What still waited goes on and ends; all of 2026 may go when 2027 is over, the consents when three more years are.
    let item = desk.release_one(JOBCENTER).await;
    assert!(item.is_referral(&waiting.to_string()));
    desk.acknowledge(&item).await;
    desk.cancel(CARITAS, waiting).await.unwrap();
    desk.deliver_all(JOBCENTER).await;
    while desk.on().expire(DAY).await.unwrap() > 0 {}
    desk.deliver_all(CARITAS).await;
    desk.pass(year);
    let erased = desk.on().retain("gateway".into()).await.unwrap().0;
    assert_eq!((erased.referrals, erased.consents), (0, 1), "the one whose record says the end of 2026");
    assert_eq!(desk.count("payload").await, 0);
    assert_eq!(desk.on().retention_due().await.unwrap(), nothing);
    desk.pass(DAY * 90);
    let held = RequestId::random();
    let caritas = who(CARITAS);
    desk.on().hold(&by_caritas(&caritas), held, "p-2", Some((desk.now().plus(DAY * 3000), "Az. 17"))).await.unwrap();
    let erased = desk.on().retain("gateway".into()).await.unwrap().0;
    assert_eq!((erased.referrals, erased.consents, erased.kept), (2, 0, 1), "{erased:?}");
    assert_eq!(desk.on().referral(&who(CARITAS), &id.to_string()).await.unwrap_err(), Refusal::NotFound);
    assert_eq!(desk.count("subject_key").await, 2, "consents are still there, so the entries can still be linked");
    is_sound(&mut desk).await;

    desk.pass(year * 3);
    let erased = desk.on().retain("gateway".into()).await.unwrap().0;
    assert_eq!((erased.consents, erased.kept), (1, 1), "{erased:?}: a referral of the other person is held, and the consent with it");
    assert_eq!(desk.count("subject_key").await, 1);
    desk.on().hold(&by_caritas(&caritas), RequestId::random(), "p-2", None).await.unwrap();
    desk.on().retain("gateway".into()).await.unwrap();
    desk.on().retain("gateway".into()).await.unwrap();
    for table in ["consent", "consent_version", "referral", "delivery", "payload", "recall", "subject_key"] {
        assert_eq!(desk.count(table).await, 0, "{table}");
    }
    is_sound(&mut desk).await;
}

#[tokio::test]
async fn who_was_refused_and_never_came_again_is_forgotten_too_and_so_are_answers_to_old_calls() {
    let mut desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    assert!(matches!(desk.submit(&referral(CARITAS, JOBCENTER, "p-never", consent)).await, Err(Refusal::Denied { .. })));
    assert_eq!((desk.count("subject_key").await, desk.count("request").await), (2, 1));
    desk.pass(DAY * 91);
    let erased = desk.on().retain("gateway".into()).await.unwrap().0;
    assert_eq!(erased, Purged { requests: 1, ..Purged::default() });
    desk.pass(DAY * 365);
    let erased = desk.on().retain("gateway".into()).await.unwrap().0;
    assert_eq!(erased, Purged { persons: 1, ..Purged::default() });
    assert_eq!((desk.count("subject_key").await, desk.count("request").await), (1, 0));
    is_sound(&mut desk).await;
}

#[tokio::test]
async fn an_entry_of_an_erasure_that_did_not_happen_is_found() {
    let mut desk = Desk::open().await;
    whole_story(&desk, "p-1").await;
    let mut tables = desk.tables().await;
    let row = tables.row("SELECT id, record FROM consent", []).await.unwrap().unwrap();
    let (id, record) = (row.bytes(0).unwrap().to_vec(), row.text(1).unwrap().to_owned());
    tables.close().await.unwrap();
    erase(&desk, "p-1").await.unwrap();
    desk.stop().await;
    let values = [id.into(), record.into()];
    desk.write("INSERT INTO consent (id, controller, version, record, changed_at) VALUES ($1, 'caritas-bremen', 2, $2, 1)", values).await;
    let mut tables = desk.tables().await;
    let report = fsck(&mut tables, None, Depth::Tables, &|_, _, _| ()).await.unwrap();
    assert!(report.problems().any(|(_, found)| found.contains("is not in the log")), "{:#?}", report.problems().collect::<Vec<_>>());
}
