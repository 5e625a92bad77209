// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What is left to look at: one referral in the sender's and in the recipient's words, metrics, and commands to try.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::cases::{Situation, marks_in};
use super::history::{Arrived, History, Submission};
use super::stage::{REPORT, SHEET, Stage, StageError, system};
use super::verdict::Verdict;
use super::voice::Voice;
use crate::proto::types::{Person, PersonName, Referral};

const SENT: &str = "example-sent.json";
const ARRIVED: &str = "example-arrived.json";
const METRICS: &str = "metrics.txt";

/// Writes metrics and the example.
pub(super) fn write(stage: &Stage, history: &History) -> Result<(), StageError> {
    let put = |name: &str, text: String| std::fs::write(stage.dir.join(name), text).map_err(system(name));
    if let Some(metrics) = &stage.metrics {
        put(METRICS, metrics.render())?;
    }
    if let Some((sent, arrived)) = example(stage, history) {
        put(SENT, sent)?;
        put(ARRIVED, arrived)?;
    }
    Ok(())
}

/// One referral with something withheld, as its sender and its recipient have it; the name is a placeholder in both.
fn example(stage: &Stage, history: &History) -> Option<(String, String)> {
    let suits = |submission: &&Submission| {
        submission.situation == Situation::Partial && marks_in(&prost::Message::encode_to_vec(&submission.sent)).is_empty()
    };
    let mut pairs = history.submissions.iter().filter(suits).filter_map(|submission| {
        let arrived = history.arrivals_of(submission.referral()?).next()?;
        Some((submission, arrived))
    });
    let (submission, arrived): (&Submission, &Arrived) = pairs.next()?;
    let show = |institution: &str, referral: &Referral| {
        let tongue = stage.systems.get(institution)?.tongue();
        tongue.as_json(&tongue.write(&nameless(referral)).ok()?)
    };
    Some((show(&submission.sender, &submission.sent)?, show(&arrived.institution, &arrived.content)?))
}

/// The same without the name: even made-up people deserve it.
fn nameless(referral: &Referral) -> Referral {
    let name = PersonName { family: "Muster".to_owned(), given: "Mika".to_owned(), ..PersonName::default() };
    let subject = referral.subject.clone().map(|person| Person { name: Some(name), ..person });
    Referral { subject, ..referral.clone() }
}

/// What can be looked at, and where it is.
pub(super) fn listed(stage: &Stage, verdict: &Verdict) -> BTreeMap<&'static str, PathBuf> {
    let here = |name: &str| stage.dir.join(name);
    let all = [
        ("agreement", here("agreement.toml")),
        ("configuration", here("weiche.toml")),
        ("program log", here("gateway.log")),
        ("metrics", here(METRICS)),
        ("log directory", verdict.log.clone()),
        ("checkpoint", verdict.log.join("checkpoint")),
        ("log key", here("keys/ledger.key")),
        ("sheet of a consent", here(SHEET)),
        ("report to a person", here(REPORT)),
        ("example as sent", here(SENT)),
        ("example as it arrived", here(ARRIVED)),
    ];
    all.into_iter().filter(|(_, path)| path.exists()).collect()
}

/// Commands for another terminal.
pub(super) fn how_to_try(stage: &Stage, voice: Voice) {
    let (dir, gateway) = (stage.dir.display(), stage.gateway.institutions());
    voice.title("Gateway and systems go on running. Try, in another terminal:");
    voice.line(&format!(
        "  buf curl --schema proto --protocol grpc --cert {dir}/certs/institution/awo-bremen.pem --key {dir}/certs/institution/awo-bremen.key \\\n    \
         --cacert {dir}/certs/root.pem -d '{{}}' https://localhost:{}/weiche.exchange.v1.ReferralService/ListReferrals",
        gateway.port()
    ));
    voice.line("  weiche dialect translate --from awo --to jobcenter proto/dialects/awo/examples/fall.json");
    voice.line(&format!("  weiche audit verify --key '{}' {dir}/log", stage.made.verifier_key));
    voice.line(&format!("  less {dir}/gateway.log"));
    voice.line("Ctrl-C ends everything.");
}
