// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::time::Duration;

use super::Story;
use super::counter::COUNTER;
use crate::cli::demo::cases::{AWAY, Case, Expected, Phase, Situation};
use crate::clock::Clock as _;
use crate::dialect::CategoryMask;
use crate::proto::types::ReferralState;

/// Past midnight: consents and powers that end with the day have ended.
const OVERNIGHT: Duration = Duration::from_secs(24 * 3600);

impl Story<'_> {
    /// Two recipients are away while others send to them; the world goes on meanwhile.
    pub(super) async fn away(&self) {
        self.voice.title("5  Monday afternoon: the Jobcenter's server and the DRK's line are down");
        self.quiet("the day's work is done").await;
        AWAY.iter().filter_map(|institution| self.system(institution)).for_each(|system| system.down());
        self.park(true).await;
        self.voice.event("an operator saw it and parked the Jobcenter: nothing for it is tried meanwhile");
        let cases: Vec<&Case> = self.cases.iter().filter(|case| case.phase == Phase::Away).collect();
        self.each("sending to nobody", cases, |case| self.submit(case)).await;
        let waiting = self.taken(Phase::Away);
        self.voice.event(&format!("{} referrals to them were accepted, each with its receipt, and wait", waiting.len()));

        let withdrawn = self.accepted(&[Situation::WithdrawnWaiting]);
        for (case, _) in &withdrawn {
            self.withdraw(case, CategoryMask::EMPTY).await;
        }
        self.voice.event(&format!("{} people withdrew their consent meanwhile (Widerruf)", withdrawn.len()));
        self.at_the_counter().await;
        self.park(false).await;
        self.voice.event("the operator let the Jobcenter's deliveries go again, too early: they fail, and are tried again with growing pauses");
        self.stage.clock.advance(OVERNIGHT);
        debug_assert!(self.stage.clock.now() > crate::cli::demo::stage::MIDNIGHT);
        let of = |situation| waiting.iter().filter(|(case, _)| case.situation == situation).count();
        self.voice.event(&format!(
            "night fell: {} consents ended with the day, {} people came of age and speak for themselves now",
            of(Situation::ExpiresWaiting),
            of(Situation::ComesOfAge)
        ));

        self.voice.title("6  Tuesday morning: they are back; consent is asked again for everything that waits");
        for system in AWAY.iter().filter_map(|institution| self.system(institution)) {
            if let Err(error) = system.up(None).await {
                self.surprise(format!("{} did not come back: {error}", system.institution()));
            }
        }
        self.stage.ring();
        self.arrived(&waiting).await;
        self.stopped(&waiting).await;
        let delivered = waiting.iter().filter(|(case, _)| case.expected == Expected::Delivered).count();
        self.voice.event(&format!("{delivered} were delivered, each person's in the order of sending"));
        self.voice.event(&format!("{} were stopped and never arrived, and their senders told", waiting.len() - delivered));
    }

    async fn park(&self, parked: bool) {
        if let Err(status) = self.stage.operator.park(COUNTER, parked).await {
            self.surprise(format!("the operator could not park the Jobcenter ({parked}): {}", status.message()));
        }
    }

    /// Waits until the senders know what was stopped.
    async fn stopped(&self, waiting: &[(&Case, String)]) {
        let blocked = waiting.iter().filter(|(case, _)| [Situation::ExpiresWaiting, Situation::ComesOfAge].contains(&case.situation));
        for (case, referral) in blocked {
            let Some(sender) = self.sender_of(case) else { continue };
            let told = || {
                let is = |change: &crate::proto::types::StatusChange| change.referral_id == *referral && change.state() == ReferralState::Blocked;
                sender.book().look(|pages| pages.news.iter().any(is))
            };
            self.until(&format!("the sender of case {} hears that it was stopped", case.number), told).await;
        }
    }
}
