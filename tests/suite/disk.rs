// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A real disk that fills up, of 64 MiB in memory, under a whole gateway on sockets. Making one needs the right to mount; without it the tests say
//! that they were left out, and `exchange::full` remains.
//!
//! `WEICHE_FILLS` sets how often it is filled and freed.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tonic::Code;
use tonic_types::StatusExt as _;
use weiche::cli::gateway::GatewayError;
use weiche::exchange::fsck::{Depth, fsck};
use weiche::referral::ReferralState;
use weiche::store::{Place, Space, Store};

use crate::centre::{CENTRE, Centre};
use crate::deliveries::{Site, until};
use crate::stopping::person::line;

const MIB: u64 = 1 << 20;
/// Of the disk, but for what each time it is filled adds to the database.
const SIZE: u64 = 64 * MIB;

/// It goes with the value.
struct Disk(TempDir);

impl Disk {
    fn new(size: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o"]).arg(format!("size={size}")).arg("tmpfs").arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("left out: no disk can be mounted here");
        None
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn free(&self) -> u64 {
        Space::at(self.path()).unwrap().free
    }
    /// Fills it until so much is left.
    fn leave(&self, bytes: u64) {
        let mut file = File::create(self.path().join("other")).unwrap();
        while self.free() > bytes {
            let some = (self.free() - bytes).min(MIB);
            if file.write_all(&vec![0; usize::try_from(some).unwrap()]).is_err() {
                return;
            }
        }
    }
    fn clear(&self) {
        std::fs::remove_file(self.path().join("other")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn between_the_reserve_and_the_end_every_withdrawal_is_taken_and_nothing_new() {
    let fills = std::env::var("WEICHE_FILLS").map_or(2, |fills| fills.parse().unwrap());
    let size = SIZE + fills * MIB;
    let Some(disk) = Disk::new(size) else { return };
    let mut site = Site::on_disk(disk.path(), 1024).await;
    let mut centre = Centre::at(line(&site, CENTRE));
    for fill in 0..fills {
        let mut people = Vec::new();
        for number in 0..20 {
            let person = format!("p-{fill}-{number}");
            let consent = centre.consents(&person).await.unwrap();
            centre.submits(&person, &consent).await.unwrap();
            people.push((person, consent));
        }
        // A tenth of the disk is kept, which is less than was asked for.
        disk.leave(size / 10 - MIB);
        for (person, consent) in &people {
            for refused in [centre.submits(person, consent).await.unwrap_err(), centre.consents(person).await.unwrap_err()] {
                assert_eq!((refused.code(), refused.get_details_error_info().unwrap().reason.as_str()), (Code::ResourceExhausted, "STORE_FULL"));
                assert!(refused.get_details_retry_info().unwrap().retry_delay.is_some());
            }
            centre.withdraws(consent).await.unwrap();
        }
        assert!(site.on().exchange().room().unwrap().short);
        disk.clear();
        let consent = centre.consents(&format!("p-{fill}-after")).await.unwrap();
        let referral = centre.submits(&format!("p-{fill}-after"), &consent).await.unwrap();
        let (centre, exchange) = (CENTRE.parse().unwrap(), site.on().exchange());
        let state = || async { exchange.referral(&centre, &referral).await.unwrap().0.referral.state };
        until("delivered", || async { state().await == ReferralState::Delivered }).await;
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_very_end_nothing_is_acknowledged_and_nothing_acknowledged_is_lost() {
    let Some(disk) = Disk::new(SIZE) else { return };
    // Nothing is kept free: it runs into the wall.
    let mut site = Site::on_disk(disk.path(), 0).await;
    let mut centre = Centre::at(line(&site, CENTRE));
    let consent = centre.consents("p-1").await.unwrap();
    let mut accepted = vec![centre.submits("p-1", &consent).await.unwrap()];
    disk.leave(2 * MIB);
    let refused = loop {
        match centre.submits("p-1", &consent).await {
            Ok(referral) => accepted.push(referral),
            Err(refused) => break refused,
        }
        assert!(accepted.len() < 20_000, "the disk has no end");
    };
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(matches!(site.ended().await, Err(GatewayError::Writer(_))), "it stops: nobody knows what the disk holds");
    disk.clear();
    let mut conn = Store::read_only(&Place::File(site.dir.path().join("weiche.db"))).await.unwrap();
    let report = fsck(&mut conn, None, Depth::Tables, &|_, _, _| ()).await.unwrap();
    assert!(report.is_sound(), "{:#?}", report.problems().collect::<Vec<_>>());
    conn.close().await.unwrap();
    site.start().await;
    println!("{} were accepted before the disk was full", accepted.len());
    for referral in &accepted {
        site.on().exchange().referral(&CENTRE.parse().unwrap(), referral).await.expect("acknowledged and lost");
    }
    site.end().await;
}
