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
