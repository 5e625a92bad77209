// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a benchmark says at the end, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::process::Usage;

/// The result of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `calls` or `stream`.
    pub sender: &'static str,
    /// `push` or `pull`.
    pub recipient: &'static str,
    /// Processes on one database.
    pub gateways: usize,
    /// What keeps everything.
    pub engine: &'static str,
    /// Calls at a time in the closed loop.
    pub concurrency: Option<usize>,
    /// Calls a second in the open loop.
    pub rate: Option<f64>,
    /// Recipients that took connections and said nothing until the load was over.
    pub silent: usize,
    /// Size of one native request.
    pub request_bytes: usize,
    /// Length of the load.
    pub seconds: f64,
    /// Acknowledged in the window: durable, logged, receipt signed.
    pub accepted: u64,
    /// The same per second.
    pub accepted_per_second: f64,
    /// Taken by the recipient in the window.
    pub delivered_in_window: usize,
    /// The same per second.
    pub delivered_per_second: f64,
    /// Of accepted calls; in the open loop from when a call was due.
    pub latency_ms: Latency,
    /// Of calls that were refused because there was too much to do, if any were.
    pub refused_ms: Option<Latency>,
    /// Refused or failed calls by gRPC code.
    pub errors: BTreeMap<String, u64>,
    /// What the gateway's process used.
    pub gateway: Option<Cost>,
    /// Before the load.
    pub at_rest: AtRest,
    /// The recipient broke off again and again.
    pub crashing: bool,
    /// How long nobody listened, with `--kill`.
    pub killed_for_seconds: Option<f64>,
    /// Acknowledged in the whole run, warm-up included.
    pub acknowledged: u64,
    /// Different deliveries that the recipient took in the whole run.
    pub arrived: u64,
    /// Deliveries that came more than once.
    pub repeated: u64,
    /// What the verified log says.
    pub audit: Audit,
}

/// Percentiles in milliseconds.
#[derive(Debug, Serialize)]
pub struct Latency {
    /// Half of the calls were faster.
    pub p50: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1000.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

/// Processor and memory.
#[derive(Debug, Serialize)]
pub struct Cost {
    /// Processor time per delivered referral.
    pub cpu_us_per_delivery: f64,
    /// Resident memory at the end of the window.
    pub resident_mib: f64,
    /// Resident memory at most.
    pub peak_mib: f64,
}

/// The gateway while nothing happens.
#[derive(Debug, Serialize)]
pub struct AtRest {
    /// Until it listened, to some hundredths.
    pub started_in_seconds: f64,
    /// Resident memory just started.
    pub idle_mib: f64,
    /// What was stored before the load.
    pub before: Option<Before>,
}

/// Referrals that were stored before the load, with `--stored` or `--queued`.
#[derive(Debug, Serialize)]
pub struct Before {
    /// So many.
    pub referrals: u64,
    /// Until all were accepted, and delivered unless they waited.
    pub seconds: f64,
    /// Resident memory with these, some seconds after the last.
    pub resident_mib: f64,
    /// How long it took to deliver them when the recipient came back, with `--queued`.
    pub delivered_in_seconds: Option<f64>,
}

/// From the exported and verified log.
#[derive(Debug, Serialize)]
pub struct Audit {
    /// Leaves.
    pub entries: u64,
    /// Leaves that say: accepted.
    pub submitted: u64,
    /// Leaves that say: a referral was delivered.
    pub delivered: u64,
    /// Size of the database, if it is a file.
    pub database_bytes: Option<u64>,
}

impl Latency {
    /// From microseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Self { p50: ms(0.5), p99: ms(0.99), p999: ms(0.999), max: histogram.max() as f64 / 1000.0 }
    }
}

impl Cost {
    /// Between two looks at the process.
    pub fn of(before: Usage, after: Usage, delivered: usize) -> Self {
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6;
        Self { cpu_us_per_delivery: cpu / (delivered.max(1) as f64), resident_mib: mib(after.resident), peak_mib: mib(after.peak) }
    }
}

/// Of bytes.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// Events per second.
pub fn per_second(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64().max(f64::EPSILON)
}

impl Report {
    /// Everything acknowledged has arrived and is in the log; where nobody crashed nothing came twice.
    pub fn is_sound(&self) -> bool {
        self.acknowledged > 0
            && self.arrived >= self.acknowledged
            && self.audit.submitted >= self.acknowledged
            && self.audit.delivered == self.audit.submitted
            && (self.killed_for_seconds.is_some() || self.crashing || self.repeated == 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = match (self.concurrency, self.rate) {
            (_, Some(rate)) => format!("open loop, {rate} calls/s"),
            (concurrency, None) => format!("closed loop, {} calls at a time", concurrency.unwrap_or(0)),
        };
        writeln!(f, "gateway     {} on {}", self.gateways, self.engine)?;
        writeln!(f, "load        {load}, {:.1} s, {} bytes a request", self.seconds, self.request_bytes)?;
        let silent = if self.silent > 0 { format!(", {} recipients silent until the end", self.silent) } else { String::new() };
        writeln!(f, "way         {} in, {} out{silent}", self.sender, self.recipient)?;
        writeln!(f, "accepted    {:.0}/s ({} acknowledged: durable, logged, receipt signed)", self.accepted_per_second, self.accepted)?;
        writeln!(f, "delivered   {:.0}/s ({} taken by the recipient in the window)", self.delivered_per_second, self.delivered_in_window)?;
        let Latency { p50, p99, p999, max } = &self.latency_ms;
        writeln!(f, "submit      p50 {p50:.1} ms, p99 {p99:.1} ms, p99.9 {p999:.1} ms, slowest {max:.1} ms")?;
        if let Some(Latency { p50, p99, max, .. }) = &self.refused_ms {
            writeln!(f, "refused     p50 {p50:.1} ms, p99 {p99:.1} ms, slowest {max:.1} ms")?;
        }
        let errors: Vec<_> = self.errors.iter().map(|(code, count)| format!("{code} {count}")).collect();
        writeln!(f, "errors      {}", if errors.is_empty() { "none".to_owned() } else { errors.join(", ") })?;
        if let Some(Cost { cpu_us_per_delivery, resident_mib, peak_mib }) = &self.gateway {
            writeln!(
                f,
                "cost        {cpu_us_per_delivery:.0} us of processor a delivered referral, {resident_mib:.0} MiB, {peak_mib:.0} MiB at most"
            )?;
        }
        let AtRest { started_in_seconds, idle_mib, .. } = &self.at_rest;
        writeln!(f, "at rest     {idle_mib:.0} MiB just started; it listened after {started_in_seconds:.2} s")?;
        if let Some(Before { referrals, seconds, resident_mib, delivered_in_seconds }) = &self.at_rest.before {
            let pace = *referrals as f64 / seconds.max(f64::EPSILON);
            let state = if delivered_in_seconds.is_some() { "waiting" } else { "stored" };
            writeln!(f, "            {resident_mib:.0} MiB with {referrals} {state}, in {seconds:.0} s ({pace:.0}/s)")?;
            if let Some(seconds) = delivered_in_seconds {
                writeln!(
                    f,
                    "            delivered in {seconds:.0} s ({:.0}/s) when their recipient came back",
                    *referrals as f64 / seconds.max(f64::EPSILON)
                )?;
            }
        }
        if let Some(seconds) = self.killed_for_seconds {
            writeln!(f, "killed      in the middle; listening again after {seconds:.2} s")?;
        }
        writeln!(f, "arrived     {} of {} acknowledged, {} came twice", self.arrived, self.acknowledged, self.repeated)?;
        let Audit { entries, submitted, delivered, database_bytes } = &self.audit;
        writeln!(f, "log         verified: {entries} entries, {submitted} submitted, {delivered} delivered")?;
        if let Some(bytes) = database_bytes {
            writeln!(f, "database    {} MiB", bytes >> 20)?;
        }
        write!(f, "{}", if self.is_sound() { "every acknowledged referral arrived" } else { "BROKEN: see arrived and log above" })
    }
}
