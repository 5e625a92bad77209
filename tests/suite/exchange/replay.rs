// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The log is the state: whoever reads only the entries arrives at the same states as the tables, and sees that every promise was kept.

use std::collections::{BTreeMap, HashMap};

use weiche::dialect::Category;
use weiche::exchange::fsck::{Depth, fsck};
use weiche::ledger::RollbackGuard;
use weiche::proto::audit::EntryKind;
use weiche::proto::types::ContactPoint;
use weiche::referral::ReferralState;
use weiche::vault::Vault;

use super::desk::*;

/// Reads the whole log of a gateway and compares with its tables, as `weiche fsck --deep` does.
pub async fn check(desk: &Desk) {
    let vault = Vault::open(&desk.path().join("vault.key")).unwrap();
    let signed = RollbackGuard::open(&desk.path().join("guard"), ORIGIN).unwrap().last().clone();
    let mut conn = desk.tables().await;
    conn.snapshot().await.unwrap();
    let report = fsck(&mut conn, Some(&signed), Depth::Contents(&vault), &|_, _, _| ()).await.unwrap();
    assert!(report.is_sound(), "{:#?}", report.problems().collect::<Vec<_>>());
    let mut tags = HashMap::new();
    for (index, entry) in desk.log().await.into_iter().enumerate().filter(|(_, entry)| !entry.subject_tag.is_empty()) {
        assert_eq!(tags.insert(entry.subject_tag.to_vec(), index), None, "a tag never comes twice: {entry:?}");
    }
}

#[tokio::test]
async fn the_leaves_of_the_hot_kinds_are_small() {
    use prost::Message;
    let desk = Desk::open().await;
    // The longest names of the agreement.
    let (from, to) = (AGENTUR, "diakonie-bremen/land-obervieland");
    let all = mask(&[Category::Ident, Category::Contact, Category::Topics, Category::Lang, Category::Address]);
    let consent = desk.consent(from, "p-1").to(to, all).record().await;
    let mut case = referral(from, to, "p-1", consent);
    let person = case.subject.as_mut().unwrap();
    // More than the recipient's words have places for.
    person.contact_points = (0..12).map(|n| ContactPoint { system: "pager".into(), value: format!("{n}"), ..Default::default() }).collect();
    person.name.as_mut().unwrap().native_script = "نور".into();
    let id = desk.accepted(&case).await;
    let first = desk.release_one(to).await;
    desk.settle(&first, unavailable()).await.unwrap();
    desk.deliver_all(to).await;
    desk.answer(&to[..15], id, ReferralState::Accepted, None).await.unwrap();
    desk.deliver_all(from).await;
    desk.withdraw(from, consent).await;
    let mut largest = BTreeMap::new();
    for entry in desk.log().await {
        let size = largest.entry(entry.kind().as_str_name()).or_insert(0);
        *size = entry.encoded_len().max(*size);
    }
    let lost = &desk.log().await.into_iter().find(|entry| entry.kind() == EntryKind::ReferralSubmitted).unwrap().lost_paths;
    assert!(lost.last().is_some_and(|last| last.starts_with('+')), "{lost:?}");
    for (kind, size) in largest {
        assert!(size <= 246, "{kind}: {size} bytes");
    }
}
