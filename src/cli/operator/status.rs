// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche status`: a running gateway at one look, and with `--stuck` only what needs somebody.

use std::fmt;

use super::{Door, Row, Rows, instant, refused};
use crate::cli::terminal::{Exit, Failure, Output};
use crate::proto::admin as wire;

/// Shows a running gateway at one look; with --stuck only what needs somebody
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    door: Door,
    /// Only what needs somebody; ends with 1 if there is anything
    #[arg(long)]
    stuck: bool,
    /// A recipient is stuck that has taken nothing for so long although something waits
    #[arg(long, value_name = "MINUTES", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=525_600))]
    quiet: u32,
    /// A referral is stuck that nobody has delivered or answered for so long
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=365))]
    unfinished: u32,
}

impl Args {
    pub(in crate::cli) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let request = wire::GetStatusRequest { quiet_seconds: self.quiet * 60, unfinished_seconds: self.unfinished * 86_400 };
        let answer = self.door.open()?.get_status(request).await.map_err(|status| refused(&status))?.into_inner();
        let mut status = Status::from(answer);
        if !self.stuck {
            output.print(&status);
            return Ok(Exit::Done);
        }
        status.recipients.0.retain(|one| one.dead > 0 || one.quiet);
        let stuck = Stuck(status);
        let exit = if stuck.is_empty() { Exit::Done } else { Exit::Failed };
        output.print(&stuck);
        Ok(exit)
    }
}

#[derive(serde::Serialize)]
struct Status {
    version: String,
    condition: String,
    engine: String,
    log_size: u64,
    agreement: String,
    at: String,
    recipients: Rows<Recipient>,
    unfinished_referrals: Rows<Unfinished>,
    overdue_recalls: Rows<Recall>,
    overdue_recall_count: u64,
    disk: Option<Disk>,
}

#[derive(serde::Serialize)]
struct Disk {
    free_bytes: u64,
    reserve_bytes: u64,
    short: bool,
}

impl From<wire::GetStatusResponse> for Status {
    fn from(answer: wire::GetStatusResponse) -> Self {
        let now = answer.at.map_or(0, |at| at.seconds);
        let unfinished = |one: wire::UnfinishedReferral| Unfinished {
            referral_id: one.referral_id,
            recipient: one.recipient,
            state: one.state,
            submitted_at: one.submitted_at.map(instant),
        };
        let recall = |one: wire::OverdueRecall| Recall {
            recall_id: one.recall_id,
            referral_id: one.referral_id,
            recipient: one.recipient,
            due_at: one.due_at.map(instant),
        };
        Self {
            version: answer.version,
            condition: answer.condition,
            engine: answer.engine,
            log_size: answer.log_size,
            agreement: answer.agreement,
            at: answer.at.map(instant).unwrap_or_default(),
            recipients: Rows(answer.recipients.into_iter().map(|one| Recipient::new(one, now)).collect()),
            unfinished_referrals: Rows(answer.unfinished_referrals.into_iter().map(unfinished).collect()),
            overdue_recalls: Rows(answer.overdue_recalls.into_iter().map(recall).collect()),
            overdue_recall_count: answer.overdue_recall_count,
            disk: answer.disk.map(|disk| Disk { free_bytes: disk.free_bytes, reserve_bytes: disk.reserve_bytes, short: disk.short }),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, condition, engine, log_size, agreement, at, .. } = self;
        writeln!(f, "{condition}: weiche {version} on {engine}, {log_size} log entries, agreement {agreement}, {at}")?;
        writeln!(f, "{}", self.recipients)?;
        if let Some(disk) = self.disk.as_ref().filter(|disk| disk.short) {
            writeln!(f, "{disk}")?;
        }
        let dead: u64 = self.recipients.0.iter().map(|one| one.dead).sum();
        let quiet = self.recipients.0.iter().filter(|one| one.quiet).count();
        let (unfinished, recalls) = (self.unfinished_referrals.0.len(), self.overdue_recall_count);
        if dead + quiet as u64 + unfinished as u64 + recalls == 0 && !self.is_short() {
            return f.write_str("Nothing is stuck.");
        }
        write!(f, "Needs somebody: {dead} dead letters, {quiet} quiet recipients, {unfinished} unfinished referrals, {recalls} overdue recalls; ")?;
        f.write_str("see --stuck.")
    }
}

impl Status {
    fn is_short(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.short)
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (free, reserve) = (self.free_bytes >> 20, self.reserve_bytes >> 20);
        write!(f, "The disk is nearly full: {free} MiB are free, {reserve} are kept for what cannot wait; no new referrals or consents are accepted.")
    }
}

#[derive(serde::Serialize)]
#[serde(transparent)]
struct Stuck(Status);

impl Stuck {
    fn is_empty(&self) -> bool {
        let Self(status) = self;
        let nobody = status.recipients.0.is_empty() && status.unfinished_referrals.0.is_empty() && status.overdue_recall_count == 0;
        nobody && status.condition == "ready" && !status.is_short()
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(status) = self;
        if self.is_empty() {
            return f.write_str("Nothing is stuck.");
        }
        if status.condition != "ready" {
            writeln!(f, "The gateway is not ready: {}.", status.condition)?;
        }
        if let Some(disk) = status.disk.as_ref().filter(|disk| disk.short) {
            writeln!(f, "{disk}")?;
        }
        if !status.recipients.0.is_empty() {
            writeln!(f, "Recipients with dead letters, or that take nothing (marked !):\n{}", status.recipients)?;
        }
        if !status.unfinished_referrals.0.is_empty() {
            writeln!(f, "Referrals that nobody has delivered or answered:\n{}", status.unfinished_referrals)?;
        }
        if status.overdue_recall_count > 0 {
            writeln!(f, "Recalls without an answer in time, {} in all:\n{}", status.overdue_recall_count, status.overdue_recalls)?;
        }
        Ok(())
    }
}

#[derive(serde::Serialize)]
struct Recipient {
    recipient: String,
    dialect: String,
    delivery: String,
    open: u64,
    started: u64,
    failing: u64,
    parked: u64,
    dead: u64,
    oldest_waiting_seconds: Option<i64>,
    oldest_lease_seconds: Option<i64>,
    last_success_seconds: Option<i64>,
    next_attempt_in_seconds: Option<i64>,
    parked_until: Option<String>,
    in_flight_limit: u32,
    per_second_limit: u32,
    quiet: bool,
}

impl Recipient {
    fn new(one: wire::RecipientStatus, now: i64) -> Self {
        let ago = |at: Option<prost_types::Timestamp>| at.map(|at| (now - at.seconds).max(0));
        Self {
            recipient: one.recipient,
            dialect: one.dialect,
            delivery: one.delivery,
            open: one.open,
            started: one.started,
            failing: one.failing,
            parked: one.parked,
            dead: one.dead,
            oldest_waiting_seconds: ago(one.oldest_waiting_at),
            oldest_lease_seconds: ago(one.oldest_lease_at),
            last_success_seconds: ago(one.last_success_at),
            next_attempt_in_seconds: one.next_due_at.map(|at| at.seconds - now).filter(|left| *left > 0),
            parked_until: one.parked_until.map(instant),
            in_flight_limit: one.in_flight_limit,
            per_second_limit: one.per_second_limit,
            quiet: one.quiet,
        }
    }

    /// What holds it up, if anything.
    fn pace(&self) -> String {
        match (&self.parked_until, self.next_attempt_in_seconds) {
            (Some(until), _) if until.starts_with("9999-") => "parked".to_owned(),
            (Some(until), _) => format!("parked until {until}"),
            (None, Some(left)) if self.parked < self.open => format!("next in {}", span(left)),
            (None, _) if self.parked > 0 => format!("{} parked", self.parked),
            _ => String::new(),
        }
    }
}

impl Row for Recipient {
    const HEADER: &'static [&'static str] = &["recipient", "way", "open", "failing", "dead", "oldest", "lease", "last success", "pause"];
    fn cells(&self) -> Vec<String> {
        let mark = if self.quiet { "! " } else { "" };
        let age = |seconds: Option<i64>| seconds.map(span).unwrap_or_default();
        vec![
            format!("{mark}{}", self.recipient),
            self.delivery.clone(),
            self.open.to_string(),
            self.failing.to_string(),
            self.dead.to_string(),
            age(self.oldest_waiting_seconds),
            age(self.oldest_lease_seconds),
            age(self.last_success_seconds),
            self.pace(),
        ]
    }
}

/// In the two units that matter.
fn span(seconds: i64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[derive(serde::Serialize)]
struct Unfinished {
    referral_id: String,
    recipient: String,
    state: String,
    submitted_at: Option<String>,
}

impl Row for Unfinished {
    const HEADER: &'static [&'static str] = &["referral", "recipient", "state", "accepted"];
    fn cells(&self) -> Vec<String> {
        vec![self.referral_id.clone(), self.recipient.clone(), self.state.clone(), self.submitted_at.clone().unwrap_or_default()]
    }
}

#[derive(serde::Serialize)]
struct Recall {
    recall_id: String,
    referral_id: String,
    recipient: String,
    due_at: Option<String>,
}

impl Row for Recall {
    const HEADER: &'static [&'static str] = &["recall", "referral", "recipient", "due"];
    fn cells(&self) -> Vec<String> {
        vec![self.recall_id.clone(), self.referral_id.clone(), self.recipient.clone(), self.due_at.clone().unwrap_or_default()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_said_in_the_two_units_that_matter() {
        assert_eq!([0, 59, 60, 3599, 3600, 90_061].map(span), ["0s", "59s", "1m 0s", "59m 59s", "1h 0m", "1d 1h"]);
    }
}
