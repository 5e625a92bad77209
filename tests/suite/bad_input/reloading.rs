// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A new agreement while calls are under way.

use std::sync::atomic::{AtomicBool, Ordering};

use weiche::proto::audit::{Entry, EntryKind};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn under_traffic_each_call_is_judged_by_one_agreement_or_the_other_and_none_is_lost() {
    let site = Site::new().await;
    let file = site.dir.path().join("agreement.toml");
    let open = std::fs::read_to_string(&file).unwrap();
    let closed = open.lines().filter(|line| !line.starts_with("JOB_SEARCH")).collect::<Vec<_>>().join("\n");
    let (over, channel) = (Arc::new(AtomicBool::new(false)), site.channel("jobcenter-bremen"));
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (over, channel) = (over.clone(), channel.clone());
            tokio::spawn(async move {
                let (mut taken, mut denied) = (0, 0);
                while !over.load(Ordering::Relaxed) {
                    let body = request(SUBMIT, json!({"requestId": fresh(), "referral": statutory()}));
                    match send(tonic::client::Grpc::new(channel.clone()), SUBMIT, Request::new(body.into())).await {
                        Ok(_) => taken += 1,
                        Err(status) => {
                            assert_eq!(judge(&status, Code::PermissionDenied, "NOT_PERMITTED", "", "Beispiel"), Ok(()));
                            denied += 1;
                        }
                    }
                }
                (taken, denied)
            })
        })
        .collect();
    let mut reloads = 0;
    for text in [&closed, &open].into_iter().cycle().take(6) {
        std::fs::write(&file, text).unwrap();
        assert_eq!(site.running.reload().await.agreement, gateway::Change::Taken);
        reloads += 1;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    over.store(true, Ordering::Relaxed);
    let (mut taken, mut denied) = (0, 0);
    for sender in senders {
        let (t, d) = sender.await.unwrap();
        (taken, denied) = (taken + t, denied + d);
    }
    assert!(taken > 0 && denied > 0, "{taken} taken, {denied} denied");

    // Between two changes of the agreement in the log there are submissions or denials, never both.
    let (entries, _) = site.running.exchange().entries(0, 100_000).await.unwrap();
    let entries: Vec<Entry> = entries.iter().map(|bytes| Entry::decode(bytes.as_slice()).unwrap()).collect();
    let of = |kind| entries.iter().filter(|entry| entry.kind() == kind).count();
    assert_eq!(of(EntryKind::AgreementChanged), 1 + reloads);
    assert_eq!((of(EntryKind::ReferralSubmitted), of(EntryKind::SubmissionDenied)), (taken, denied));
    for between in entries.split(|entry| entry.kind() == EntryKind::AgreementChanged) {
        let has = |kind| between.iter().any(|entry| entry.kind() == kind);
        assert!(!(has(EntryKind::ReferralSubmitted) && has(EntryKind::SubmissionDenied)));
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agreement_blocked_is_repaired_in_the_senders_own_words_and_a_recall_is_told_to_it() {
    const AGAIN: &str = "jobcenter.v1.Vermittlung/ErneutZuweisen";
    let site = Site::new().await;
    let file = site.dir.path().join("agreement.toml");
    let open = std::fs::read_to_string(&file).unwrap();
    let exchange = site.running.exchange();
    let agentur = "agentur-bremen-bremerhaven".parse().unwrap();
    let lease = std::time::Duration::from_secs(30);
    let jobcenter = |path: &'static str, json: Value| {
        let site = &site;
        async move { site.call("jobcenter-bremen", path, request(path, json)).await.map(|bytes| answer(path, &bytes)) }
    };
    let taken = jobcenter(SUBMIT, json!({"requestId": fresh(), "referral": statutory()})).await.unwrap();
    let id = taken["referralId"].as_str().unwrap().to_owned();

    let without: Vec<_> = open.lines().filter(|line| !line.starts_with("JOB_SEARCH")).collect();
    std::fs::write(&file, without.join("\n")).unwrap();
    assert_eq!(site.running.reload().await.agreement, gateway::Change::Taken);
    assert!(exchange.release(&agentur, 10, lease).await.unwrap().is_empty(), "blocked at its release");
    let refused = jobcenter(AGAIN, json!({"ANFRNR": fresh(), "VMNR": id})).await.unwrap_err();
    assert_eq!(judge(&refused, Code::PermissionDenied, "NOT_PERMITTED", "", ""), Ok(()));
    let refused = jobcenter(AGAIN, json!({"ANFRNR": fresh(), "VMNR": id, "EWNR": "secret"})).await.unwrap_err();
    assert_eq!(judge(&refused, Code::InvalidArgument, "INVALID_FIELD", "EWNR", "secret"), Ok(()));

    std::fs::write(&file, &open).unwrap();
    assert_eq!(site.running.reload().await.agreement, gateway::Change::Taken);
    let again = jobcenter(AGAIN, json!({"ANFRNR": fresh(), "VMNR": id})).await.unwrap();
    assert_eq!(again["STATUS"], "10");
    let item = exchange.release(&agentur, 10, lease).await.unwrap().remove(0);
    exchange.settle(None, item.id, item.token, weiche::exchange::Outcome::Delivered).await.unwrap();
    let late = jobcenter(AGAIN, json!({"ANFRNR": fresh(), "VMNR": id})).await.unwrap_err();
    assert_eq!(judge(&late, Code::FailedPrecondition, "WRONG_STATE", "", ""), Ok(()));

    // Taken back, and kept by law: the sender reads it in the history.
    jobcenter(CANCEL, json!({"requestId": fresh(), "referralId": id, "reason": "STATUS_REASON_DUPLICATE"})).await.unwrap();
    let recall = exchange.release(&agentur, 10, lease).await.unwrap().remove(0);
    let weiche::exchange::Content::Recall(notice) = &recall.content else { panic!("{recall:?}") };
    let kept = json!({"recallId": notice.recall_id, "outcome": "RECALL_OUTCOME_RETAINED_STATUTORY", "norm": "section 67c SGB X"});
    let path = "weiche.exchange.v1.ReferralService/AnswerRecall";
    site.call("agentur-bremen-bremerhaven", path, request(path, json!({"requestId": fresh(), "answer": kept}))).await.unwrap();
    let seen = jobcenter(GET, json!({"referralId": id})).await.unwrap();
    let history: Vec<_> = seen["history"].as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap()).collect();
    let state = |name: &str| format!("REFERRAL_STATE_{name}");
    assert_eq!(history, ["SUBMITTED", "BLOCKED", "SUBMITTED", "DELIVERED", "CANCELLED", "CANCELLED"].map(state));
    let last = seen["history"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["recallOutcome"], &last["recallNorm"]), (&json!("RECALL_OUTCOME_RETAINED_STATUTORY"), &json!("section 67c SGB X")));
    site.end().await;
}
