// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The same call again: one row, one receipt. The same id for something else: refused.

use std::sync::Arc;

use futures_util::future::join_all;
use prost::Message as _;
use weiche::consent::Scope;
use weiche::dialect::{Category, CategoryMask, Dialects};
use weiche::exchange::{Refusal, SubmitRequest};
use weiche::id::RequestId;

use super::desk::*;
use crate::onboarding;

#[tokio::test]
async fn the_same_request_has_the_same_receipt_byte_for_byte_however_much_later() {
    let mut desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let (request, case) = (RequestId::random(), referral(CARITAS, JOBCENTER, "p-1", consent));
    let first = desk.submit_as(request, &case).await.unwrap();

    let again = desk.submit_as(request, &case).await.unwrap();
    assert_eq!((again.referral, again.issued()), (first.referral, first.issued()));

    // The log grows over a full tile, the gateway restarts, the consent is withdrawn: what was said was said.
    for _ in 0..140 {
        desk.accepted(&case).await;
    }
    let grown = desk.submit_as(request, &case).await.unwrap();
    desk.reopen().await;
    desk.pass(DAY);
    desk.withdraw_as(CARITAS, consent, Scope { categories: Category::Contact.mask(), ..Scope::default() }).await.unwrap();
    let narrowed = desk.submit_as(request, &case).await.unwrap();
    desk.withdraw(CARITAS, consent).await;
    let much_later = desk.submit_as(request, &case).await.unwrap();
    assert!(!first.report.fields.is_empty());
    for later in [grown, narrowed, much_later] {
        assert_eq!(later.issued().text, first.issued().text);
        assert_eq!(later.issued().leaf_hash, first.issued().leaf_hash);
        assert_eq!(later.issued().at, first.issued().at);
        assert_eq!((later.referral, later.granted, &later.report), (first.referral, first.granted, &first.report));
    }
    assert_eq!(desk.count("referral").await, 141);
    desk.verify_log().await;
}

#[tokio::test]
async fn whatever_of_its_consent_is_withdrawn_a_submission_can_be_repeated() {
    let desk = Desk::open().await;
    for (number, category) in CategoryMask::ALL.iter().enumerate() {
        for (sender, recipient) in [(CARITAS, JOBCENTER), (AWO, AGENTUR)] {
            let subject = format!("p-{number}");
            let consent = desk.usual_consent(sender, recipient, &subject).await;
            let (request, case) = (RequestId::random(), referral(sender, recipient, &subject, consent));
            let first = desk.submit_as(request, &case).await.unwrap();
            let scope = Scope { categories: category.mask(), ..Scope::default() };
            desk.withdraw_as(sender, consent, scope).await.unwrap();
            let again = desk.submit_as(request, &case).await.unwrap_or_else(|refusal| panic!("without {category:?}: {refusal:?}"));
            assert_eq!((again.referral, again.granted, &again.report), (first.referral, first.granted, &first.report), "without {category:?}");
        }
    }
}

#[tokio::test]
async fn a_submission_can_be_repeated_although_its_recipients_new_dialect_has_no_word_for_it() {
    let mut desk = Desk::open().await;
    let folder = tempfile::tempdir().unwrap();
    onboarding::copy(&onboarding::cases("onboarding"), folder.path());
    let spoken = || Arc::new(Dialects::with_folders(&[folder.path()]).unwrap());
    desk.on().adopt_dialects(spoken());
    desk.adopt(&BREMEN.replace("jobcenter.v1", "nova.v1")).await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let (request, case) = (RequestId::random(), referral(CARITAS, JOBCENTER, "p-1", consent));
    let first = desk.submit_as(request, &case).await.unwrap();

    // From now on nobody is sent there for work.
    let purposes = folder.path().join("nova/purpose.tsv");
    std::fs::write(&purposes, std::fs::read_to_string(&purposes).unwrap().replace("JOB_SEARCH\tJOB|WORK\n", "")).unwrap();
    desk.on().adopt_dialects(spoken());
    let again = desk.submit_as(request, &case).await.unwrap();
    assert_eq!((again.referral, again.issued(), again.granted), (first.referral, first.issued(), first.granted));
    assert!(again.report.fields.is_empty(), "what the dialect says now is not what was said: {:?}", again.report);
    let other = desk.submit(&case).await.unwrap_err();
    assert!(matches!(&other, Refusal::Translate(error) if error.problems()[0].canonical_path == "referral.purpose"), "{other:?}");
    assert_eq!(desk.count("referral").await, 1);
}

#[tokio::test]
async fn a_request_id_is_not_used_for_something_else() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let case = referral(CARITAS, JOBCENTER, "p-1", consent);
    let mut other = case.clone();
    other.sender_case_number = "HB-2026-00418".into();
    let request = RequestId::random();

    // In one batch: both are waiting when the writer takes them.
    let (a, b) = tokio::join!(desk.submit_as(request, &case), desk.submit_as(request, &other));
    assert_eq!([&a, &b].iter().filter(|one| one.is_ok()).count(), 1);
    assert_eq!([a.err(), b.err()].into_iter().flatten().collect::<Vec<_>>(), [Refusal::RequestIdReused]);
    // In another one, and for another method.
    let third = referral(CARITAS, JOBCENTER, "p-2", consent);
    assert_eq!(desk.submit_as(request, &third).await.unwrap_err(), Refusal::RequestIdReused);
    let withdrawn = desk.on().withdraw_consent(&who(CARITAS), request, consent, Default::default(), "letter".into(), b"x").await;
    assert_eq!(withdrawn.unwrap_err(), Refusal::RequestIdReused);
    assert_eq!(desk.count("referral").await, 1);
    // Ids are drawn by each caller for itself.
    let theirs = desk.usual_consent(AWO, JOBCENTER, "p-1").await;
    desk.submit_as(request, &referral(AWO, JOBCENTER, "p-1", theirs)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_at_the_same_time_are_one() {
    let desk = Arc::new(Desk::open().await);
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let (request, case) = (RequestId::random(), referral(CARITAS, JOBCENTER, "p-1", consent));
    let calls = (0..64).map(|_| {
        let (desk, case) = (desk.clone(), case.clone());
        tokio::spawn(async move { desk.submit_as(request, &case).await.unwrap() })
    });
    let mut texts: Vec<_> = join_all(calls).await.into_iter().map(|one| one.unwrap().issued().text.clone()).collect();
    texts.dedup();
    assert_eq!(texts.len(), 1, "one receipt for all");
    for table in ["referral", "delivery", "payload"] {
        assert_eq!(desk.count(table).await, 1, "{table}");
    }
}

#[tokio::test]
async fn every_mutating_call_can_be_repeated() {
    use weiche::referral::{ReferralState, StatusReason};
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.deliver_all(JOBCENTER).await;
    let size = desk.log().await.len();
    let caritas = who(CARITAS);

    let request = RequestId::random();
    let accepted = change(id, ReferralState::Accepted, None);
    let first = desk.on().answer(&who(JOBCENTER), request, accepted.clone(), b"a").await.unwrap();
    assert_eq!(desk.on().answer(&who(JOBCENTER), request, accepted.clone(), b"a").await.unwrap(), first);

    let request = RequestId::random();
    let cancel = || desk.on().cancel(&caritas, request, "", None, false, b"c");
    assert!(cancel().await.is_err(), "a call that was refused is not remembered");
    let id_text = id.to_string();
    let cancel = || desk.on().cancel(&caritas, request, &id_text, Some(StatusReason::Other), false, b"c");
    assert_eq!(cancel().await.unwrap(), cancel().await.unwrap());

    let request = RequestId::random();
    let withdraw = || desk.on().withdraw_consent(&caritas, request, consent, Default::default(), "phone".into(), b"w");
    let (first, again) = (withdraw().await.unwrap(), withdraw().await.unwrap());
    assert_eq!(first, again);
    // Accepted, cancelled with its recall, withdrawn with another: each once.
    assert_eq!(desk.log().await.len(), size + 5);
}

#[tokio::test]
async fn the_same_event_in_another_call_moves_nothing() {
    use weiche::referral::ReferralState::{Accepted, Rejected};
    use weiche::referral::StatusReason;
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.deliver_all(JOBCENTER).await;
    let mut accepted = change(id, Accepted, None);
    accepted.event_id = RequestId::random().to_string();
    let first = desk.answer_with(JOBCENTER, accepted.clone()).await.unwrap();
    let size = desk.log().await.len();
    let again = desk.answer_with(JOBCENTER, accepted.clone()).await.unwrap();
    assert_eq!((again.state, again.receipt.leaf, again.receipt.leaf_hash), (Accepted, first.receipt.leaf, first.receipt.leaf_hash));
    let other = types_with(accepted, Rejected, StatusReason::NoCapacity);
    assert!(matches!(desk.answer_with(JOBCENTER, other).await, Err(Refusal::WrongState(_))));
    assert_eq!(desk.log().await.len(), size);
    assert_eq!(desk.deliver_all(CARITAS).await.len(), 1, "the sender is told once");
}

fn types_with(
    mut change: weiche::proto::types::StatusChange,
    state: weiche::referral::ReferralState,
    reason: weiche::referral::StatusReason,
) -> weiche::proto::types::StatusChange {
    use weiche::numbered::Numbered;
    (change.state, change.reason) = (state.number(), reason.number());
    change
}

#[tokio::test]
async fn only_asking_writes_nothing() {
    use weiche::proto::exchange::SubmitReferralRequest;
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let before = desk.log().await.len();
    let good = referral(CARITAS, JOBCENTER, "p-1", consent);
    let bad = referral(CARITAS, AGENTUR, "p-1", consent);
    for (case, reason) in [(good, weiche::consent::Reason::Ok), (bad, weiche::consent::Reason::WrongRecipient)] {
        let request = SubmitReferralRequest { request_id: String::new(), referral: Some(case), validate_only: true };
        let request = SubmitRequest::decode(request.encode_to_vec().as_slice()).unwrap();
        let asked = desk.on().submit(&who(CARITAS), request, b"").await.unwrap();
        assert_eq!((asked.referral, asked.receipt, asked.reason), (None, None, reason));
    }
    assert_eq!(desk.log().await.len(), before);
    for table in ["referral", "delivery", "payload", "log_opening", "referral_event"] {
        assert_eq!(desk.count(table).await, 0, "{table}");
    }
    assert_eq!(desk.count("request").await, 1, "only that of the consent");
}
