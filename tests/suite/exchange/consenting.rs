// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Nothing is stored or sent but what the person permitted, asked at the submission and again at every release.

use std::sync::Arc;

use weiche::consent::{Denial, Quality, Reason, Scope, Status};
use weiche::dialect::{Category, CategoryMask};
use weiche::exchange::Refusal;
use weiche::proto::audit::EntryKind;
use weiche::proto::types;
use weiche::referral::{ReferralState, StatusReason};

use super::desk::*;

fn denied(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::Denied { denial: Denial { reason, .. }, .. } => reason,
        Refusal::ConsentReferenceMissing => Reason::NoRecord,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_denied_submission_is_logged_and_stores_nothing_and_the_sender_learns_why() {
    let desk = Desk::open().await;
    let usual = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let withdrawn = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    desk.withdraw(CARITAS, withdrawn).await;
    let older = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    desk.consent(CARITAS, "p-1").to(JOBCENTER, super::desk::usual()).with(|record| record.supersedes = Some(older)).record().await;
    let refused = desk.consent(CARITAS, "p-1").to(JOBCENTER, super::desk::usual()).with(refuse).record().await;
    let defective = desk.consent(CARITAS, "p-1").to(JOBCENTER, super::desk::usual());
    let defective = defective.with(|record| record.quality = Quality::CheckedDefects).record().await;
    let later = desk.now().plus(DAY);
    let not_yet = desk.consent(CARITAS, "p-1").to(JOBCENTER, super::desk::usual()).with(|record| record.valid_from = Some(later)).record().await;
    let other_purpose =
        desk.consent(CARITAS, "p-1").for_purpose(JOBCENTER, weiche::agreement::Purpose::Recognition, super::desk::usual()).record().await;
    let nameless = desk.consent(CARITAS, "p-1").to(JOBCENTER, mask(&[Category::Contact])).record().await;
    let short = desk.consent(CARITAS, "p-1").to(JOBCENTER, super::desk::usual()).until(desk.now().plus(MINUTE)).record().await;
    let minor = desk.consent(CARITAS, "p-1").to(JOBCENTER, super::desk::usual()).for_a_minor_until(desk.now().plus(MINUTE)).record().await;
    let not_released = desk.consent(CARITAS, "p-1").to(JOBCENTER, super::desk::usual());
    let not_released = not_released.with(|record| record.secrecy_release.as_mut().unwrap().towards.retain(|to| *to != who(JOBCENTER))).record().await;
    desk.pass(MINUTE);

    let case = |consent| referral(CARITAS, JOBCENTER, "p-1", consent);
    let nobody = weiche::id::ConsentId::random();
    let mut stranger = case(usual);
    stranger.subject_ref = "p-2".into();
    let mut unnamed = case(usual);
    unnamed.consent = None;
    let mut closed_unit = case(usual);
    closed_unit.recipient.as_mut().unwrap().unit = "no-such-unit".into();
    let mut bremerhaven = case(usual);
    bremerhaven.subject.as_mut().unwrap().address = Some(types::Address { municipality_key: "04012000".into(), ..Default::default() });
    let theirs = referral(AWO, JOBCENTER, "p-1", usual);

    let (rows, entries) = (desk.count("request").await, desk.log().await.len());
    let expected = [
        (case(nobody), Reason::NoRecord),
        (stranger, Reason::NoRecord),
        (unnamed, Reason::NoRecord),
        (theirs, Reason::NoRecord),
        (case(refused), Reason::NotActive),
        (case(defective), Reason::NotActive),
        (case(not_yet), Reason::NotYetValid),
        (case(short), Reason::Expired),
        (case(withdrawn), Reason::Withdrawn),
        (case(older), Reason::Superseded),
        (referral(CARITAS, AGENTUR, "p-1", usual), Reason::WrongRecipient),
        (case(other_purpose), Reason::WrongPurpose),
        (case(nameless), Reason::CategoryNotCovered),
        (case(not_released), Reason::NoSecrecyRelease),
        (case(minor), Reason::GrantorNotEntitled),
        (closed_unit, Reason::NoRoute),
        (bremerhaven, Reason::NoRoute),
    ];
    for (case, reason) in &expected {
        assert_eq!(denied(desk.submit(case).await.unwrap_err()), *reason);
    }
    let log = desk.log().await.split_off(entries);
    assert_eq!(log.len(), expected.len());
    for (entry, (_, reason)) in log.iter().zip(&expected) {
        assert_eq!(entry.kind(), EntryKind::SubmissionDenied);
        assert_eq!(entry.decision, weiche::numbered::Numbered::number(*reason));
        assert!(entry.referral_id.is_empty() && entry.commitment.is_empty());
    }
    for table in ["referral", "delivery", "payload", "log_opening", "referral_event"] {
        assert_eq!(desk.count(table).await, 0, "{table}");
    }
    assert_eq!(desk.count("request").await, rows);
}

#[tokio::test]
async fn what_is_withheld_is_neither_stored_nor_released() {
    let desk = Desk::open().await;
    let little = mask(&[Category::Ident, Category::Topics]);
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, little).record().await;
    let case = super::privacy::full(CARITAS, JOBCENTER, "p-1", consent);
    let submission = desk.submit(&case).await.unwrap();
    assert_eq!(submission.granted, little);
    let withheld = submission.withheld.iter().fold(CategoryMask::EMPTY, |all, (category, _)| all | category.mask());
    assert!(
        withheld.covers(mask(&[Category::Health, Category::Freetext, Category::Contact, Category::BenefitIds, Category::Sexual])),
        "{withheld:?}"
    );
    assert_eq!(withheld & little, CategoryMask::EMPTY);

    let item = desk.release_one(JOBCENTER).await;
    assert_eq!(item.mask, little);
    let sent = format!("{:?}", item.referral());
    super::privacy::only_of(little, &sent);
    assert!(sent.contains("canary-ident"), "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_changes_between_preparation_and_writer_never_stores_more_than_is_permitted() {
    let desk = Arc::new(Desk::open().await);
    let narrow = Scope { categories: Category::Contact.mask(), ..Scope::default() };
    for run in 0..60 {
        let subject = format!("p-{run}");
        let consent = desk.usual_consent(CARITAS, JOBCENTER, &subject).await;
        let case = referral(CARITAS, JOBCENTER, &subject, consent);
        let submitting = (0..4).map(|_| {
            let (desk, case) = (desk.clone(), case.clone());
            tokio::spawn(async move { desk.submit(&case).await })
        });
        let submitting: Vec<_> = submitting.collect();
        let whole = run % 2 == 0;
        let scope = if whole { Scope::default() } else { narrow.clone() };
        let withdrawn = desk.withdraw_as(CARITAS, consent, scope).await.unwrap();
        let stopped_at = desk.log().await.len();
        for call in submitting {
            match call.await.unwrap() {
                Ok(accepted) => {
                    let leaf = usize::try_from(accepted.issued().leaf).unwrap();
                    let (state, _) = desk.state(CARITAS, accepted.referral.unwrap()).await;
                    if whole {
                        assert!(leaf < stopped_at && withdrawn.stopped.contains(&accepted.referral.unwrap()), "accepted after the withdrawal");
                        assert_eq!(state, ReferralState::Recalled);
                    } else {
                        assert!(accepted.granted == usual() || !accepted.granted.contains(Category::Contact));
                    }
                }
                Err(refusal) => assert_eq!(denied(refusal), Reason::Withdrawn),
            }
        }
        for item in desk.deliver_all(JOBCENTER).await {
            assert!(!whole && !item.mask.contains(Category::Contact));
            assert!(item.referral().subject.as_ref().unwrap().contact_points.is_empty());
        }
    }
}

/// What must hold for a referral whose release is refused: nothing leaves, its sender is told, its recipient never learns of it.
async fn is_held_back(desk: &Desk, id: weiche::id::ReferralId, reason: Reason) {
    assert!(desk.release(JOBCENTER).await.is_empty());
    assert_eq!(desk.state(CARITAS, id).await, (ReferralState::Blocked, Some(StatusReason::NotPermitted)));
    let log = desk.log().await;
    let refused = log.iter().rfind(|entry| entry.kind() == EntryKind::ReleaseDenied).unwrap();
    assert_eq!(refused.decision, weiche::numbered::Numbered::number(reason));
    let statuses = desk.deliver_all(CARITAS).await;
    assert_eq!(statuses.iter().map(|item| told(item.status())).collect::<Vec<_>>(), [(ReferralState::Blocked, Some(StatusReason::NotPermitted))]);
    assert_eq!(statuses[0].status().sender_case_number, "HB-2026-00417");
    assert!(matches!(desk.on().referral(&who(JOBCENTER), &id.to_string()).await, Err(Refusal::NotFound)));
    desk.pass(DAY);
    assert!(desk.deliver_all(JOBCENTER).await.is_empty());
}

#[tokio::test]
async fn a_consent_that_expires_in_the_queue_stops_the_referral() {
    let desk = Desk::open().await;
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).until(desk.now().plus(HOUR)).record().await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.pass(HOUR);
    is_held_back(&desk, id, Reason::Expired).await;
}

#[tokio::test]
async fn a_parents_consent_ends_with_the_eighteenth_birthday() {
    let desk = Desk::open().await;
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).for_a_minor_until(desk.now().plus(HOUR)).record().await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.pass(HOUR);
    is_held_back(&desk, id, Reason::GrantorNotEntitled).await;
}

#[tokio::test]
async fn a_new_agreement_that_revokes_the_text_stops_what_waits() {
    let mut desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    let revoked = BREMEN.replace("approved_from = 2026-01-01\n", "approved_from = 2026-01-01\nrevoked_from = 2026-10-01\n");
    desk.adopt(&revoked).await;
    is_held_back(&desk, id, Reason::TemplateRevoked).await;
}

#[tokio::test]
async fn a_new_agreement_without_the_route_stops_what_waits() {
    let mut desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.adopt(&BREMEN.replace("id = \"mbe-mitte\"\n", "id = \"mbe-mitte\"\nactive = false\n")).await;
    is_held_back(&desk, id, Reason::NoRoute).await;
}

#[tokio::test]
async fn a_narrower_consent_releases_less() {
    let desk = Desk::open().await;
    for narrowing in ["a new version", "a withdrawal of one kind of data"] {
        let consent = desk.usual_consent(CARITAS, JOBCENTER, narrowing).await;
        let id = desk.accepted(&referral(CARITAS, JOBCENTER, narrowing, consent)).await;
        let less = usual() - Category::Contact.mask();
        if narrowing == "a new version" {
            let same = desk.consent(CARITAS, narrowing).to(JOBCENTER, less).with(|record| record.id = consent);
            same.record().await;
        } else {
            let done = desk.withdraw_as(JOBCENTER, consent, Scope { categories: Category::Contact.mask(), ..Scope::default() }).await.unwrap();
            assert_eq!((done.version, done.stopped.len(), done.in_flight.len(), done.recalled.len()), (2, 0, 0, 0));
        }
        let item = desk.release_one(JOBCENTER).await;
        assert_eq!(item.mask, less);
        assert!(item.referral().subject.as_ref().unwrap().contact_points.is_empty(), "the core gives out no more than the mask says");
        assert_eq!(item.referral().needs.len(), 1);
        desk.acknowledge(&item).await;
        assert_eq!(desk.state(CARITAS, id).await.0, ReferralState::Delivered);
        let log = desk.log().await;
        let released = log.iter().rfind(|entry| entry.kind() == EntryKind::Released).unwrap();
        assert_eq!((released.granted, released.consent_version), (less.bits(), 2), "{narrowing}");
    }
}

#[tokio::test]
async fn a_necessity_lets_the_jobcenter_refer_to_the_agentur_and_onward_data_need_the_persons_consent() {
    let desk = Desk::open().await;
    let nobody = weiche::id::ConsentId::random();
    let mut case = referral(JOBCENTER, AGENTUR, "kd-1", nobody);
    case.consent = None;
    assert_eq!(denied(desk.submit(&case).await.unwrap_err()), Reason::NoRoute);
    case.necessity = "vermittlung-50-1".into();
    desk.accepted(&case).await;
    assert_eq!(desk.deliver_all(AGENTUR).await.len(), 1);

    // What came from a centre goes on only while the person's consent lists the next recipient, too.
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).to(AGENTUR, usual()).record().await;
    let only_jobcenter = desk.usual_consent(CARITAS, JOBCENTER, "p-2").await;
    for (consent, subject, allowed) in [(consent, "p-1", true), (only_jobcenter, "p-2", false)] {
        let first = desk.accepted(&referral(CARITAS, JOBCENTER, subject, consent)).await;
        desk.deliver_all(JOBCENTER).await;
        case.received_by_referral_id = first.to_string();
        case.subject_ref = format!("kd-{subject}");
        match desk.submit(&case).await {
            Ok(submission) => {
                assert!(allowed);
                let item = desk.release_one(AGENTUR).await;
                assert!(item.referral().origin_203_stgb);
                desk.acknowledge(&item).await;
                let onward = submission.referral.unwrap();
                let waiting = desk.accepted(&case).await;
                // Withdrawn at the centre, it stops at the Agentur as well; the centre does not learn of that referral.
                let done = desk.withdraw(CARITAS, consent).await;
                assert_eq!((done.recalled.as_slice(), done.stopped.as_slice()), ([first].as_slice(), [].as_slice()));
                assert_eq!(desk.state(JOBCENTER, onward).await.0, ReferralState::Recalled);
                assert_eq!(desk.state(JOBCENTER, waiting).await.0, ReferralState::Recalled);
                assert_eq!(
                    desk.deliver_all(AGENTUR).await.iter().map(|item| item.recall().referral_id.clone()).collect::<Vec<_>>(),
                    [onward.to_string()]
                );
            }
            Err(refusal) => {
                assert!(!allowed);
                assert_eq!(denied(refusal), Reason::WrongRecipient);
            }
        }
    }
}

/// The person said no: that is all that is written down.
fn refuse(record: &mut weiche::consent::Consent) {
    record.status = Status::Refused;
    record.voluntariness.refusal_without_reason = true;
}
