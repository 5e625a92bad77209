// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche check`: everything that would stop a start, without starting; or one real call to a peer, with the reason in plain words.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::config::{Config, TlsFiles};
use super::gateway::{PartsError, agreement_of, anchors_of, credentials_of, leaf_of, outward_of, server_of};
use super::terminal::{Advice, Exit, Failure, Output};
use super::{audit, serve};
use crate::agreement::{Agreement, Delivery};
use crate::clock::{Clock as _, SystemClock, Time};
use crate::delivery::probe;
use crate::dialect::Dialects;
use crate::identity::tls::{Audience, Expected, client_config};
use crate::vault::Vault;

/// From here on a certificate's end is a problem of its own.
const SOON: Duration = Duration::from_secs(7 * 24 * 3600);
const DAY: i64 = 24 * 3600 * 1000;

/// Checks configuration, keys, certificates, agreement, dialects and database without starting; or makes a real call to a peer
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("subject").required(true).args(["config", "endpoint"])))]
pub(super) struct Args {
    /// Configuration to check
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Peer to call for real, https://host:port; show yourself with --cert and --key
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Certificate to show, with its issuing authority, PEM
    #[arg(long, value_name = "FILE", requires = "endpoint", requires = "key")]
    cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Authorities whose server certificate is accepted, PEM
    #[arg(long, value_name = "FILE", requires = "endpoint")]
    ca: Option<PathBuf>,
}

impl Args {
    pub(super) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let report = match (self.config, self.endpoint) {
            (_, Some(endpoint)) => {
                let ca =
                    self.ca.ok_or_else(|| Failure::new(Exit::Usage, "--endpoint needs --ca, the authority whose server certificate is accepted"))?;
                call(&endpoint, self.cert.zip(self.key), &ca).await
            }
            (Some(config), None) => local(&serve::load(&config)?).await,
            (None, None) => return Err(Failure::new(Exit::Usage, "name a --config or an --endpoint")),
        };
        output.print(&report);
        Ok(report.exit)
    }
}

/// What was looked at and what was found.
#[derive(serde::Serialize)]
struct Checked {
    /// Nothing stands in the way.
    ok: bool,
    checks: Vec<Check>,
    #[serde(skip)]
    exit: Exit,
}

#[derive(serde::Serialize)]
struct Check {
    /// What was looked at.
    what: String,
    /// What it is, if it is right.
    found: String,
    /// What is wrong; empty if nothing is.
    problems: Vec<Advice>,
}

impl Checked {
    fn new() -> Self {
        Self { ok: true, checks: Vec::new(), exit: Exit::Done }
    }

    fn add(&mut self, what: impl Into<String>, result: Result<String, Failure>) {
        let (found, problems) = match result {
            Ok(found) => (found, Vec::new()),
            Err(failure) => {
                self.ok = false;
                // The worst of them counts: a broken promise above a wrong file.
                if self.exit.code() < failure.exit().code() {
                    self.exit = failure.exit();
                }
                let first = if failure.problems.is_empty() { vec![Advice { problem: failure.error, help: String::new() }] } else { failure.problems };
                (String::new(), first)
            }
        };
        self.checks.push(Check { what: what.into(), found, problems });
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { what, found, problems } in &self.checks {
            if problems.is_empty() {
                writeln!(f, "ok       {what}: {found}")?;
            }
            for Advice { problem, help } in problems {
                writeln!(f, "PROBLEM  {what}: {problem}")?;
                if !help.is_empty() {
                    writeln!(f, "         help: {help}")?;
                }
            }
        }
        let problems: usize = self.checks.iter().map(|check| check.problems.len()).sum();
        match problems {
            0 => f.write_str("Nothing stands in the way."),
            1 => f.write_str("1 problem."),
            more => write!(f, "{more} problems."),
        }
    }
}

async fn local(config: &Config) -> Checked {
    let mut checked = Checked::new();
    checked.add("configuration", Ok(format!("trust domain {}", config.trust_domain)));
    for (what, tls, audience) in [
        ("certificates for institutions", &config.institutions.tls, Audience::Institutions),
        ("certificates for operators", &config.operators.tls, Audience::Operators),
    ] {
        let result = server_of(tls, audience, &config.trust_domain).map_err(failure).and_then(|_| lifetime(tls));
        checked.add(what, result);
    }
    let outward = outward_of(&config.deliveries.tls, &config.trust_domain).map_err(failure);
    checked.add("certificates for deliveries", outward.map(drop).and_then(|()| lifetime(&config.deliveries.tls)));
    let vault = Vault::open(&config.vault_key).map(|_| "readable".to_owned());
    checked.add("key of the payloads", vault.map_err(|error| Failure::usage(&error)));
    let agreement = agreement_of(&config.agreement).map_err(failure);
    let dialects = Dialects::with_folders(&config.dialects).map_err(|errors| super::dialect::wrong(&errors));
    checked.add("dialects", dialects.as_ref().map(|dialects| format!("{} compiled", dialects.iter().count())).map_err(Clone::clone));
    if let (Ok((agreement, _)), Ok(dialects)) = (&agreement, &dialects) {
        checked.add("members", members(agreement, dialects));
    }
    checked.add("agreement", agreement.map(|(agreement, _)| format!("{}, version {}", agreement.title(), agreement.version())));
    let log = audit::guarded(config).await;
    checked.add("log and database", log.map(|log| format!("{} entries signed as {}", log.head.size, log.key.verifier())));
    checked
}

/// Whether each member's dialect is there.
fn members(agreement: &Agreement, dialects: &Dialects) -> Result<String, Failure> {
    let mut failure = Failure::new(Exit::Usage, "members without a dialect");
    let mut called = 0;
    for member in agreement.members() {
        if dialects.spoken(&member.dialect).is_none() {
            failure =
                failure.with(format!("{} speaks `{}`, which is not among the dialects", member.id, member.dialect), "see `weiche dialect list`");
        }
        called += usize::from(matches!(member.delivery, Delivery::Push { .. }));
    }
    let all = agreement.members().count();
    if failure.problems.is_empty() { Ok(format!("{all}, of whom {called} are called and {} call in", all - called)) } else { Err(failure) }
}

/// When the leaf ends; a problem when that is soon.
fn lifetime(tls: &TlsFiles) -> Result<String, Failure> {
    let leaf = leaf_of(tls).map_err(failure)?;
    let unreadable = || Failure::new(Exit::Usage, format!("{} cannot be read", tls.certificate.display()));
    let (_, certificate) = x509_parser::parse_x509_certificate(&leaf).map_err(|_| unreadable())?;
    let end = Time(certificate.validity().not_after.timestamp().saturating_mul(1000));
    let now = SystemClock.now();
    let (path, days) = (tls.certificate.display(), (end.0 - now.0) / DAY);
    if end <= now {
        Err(Failure::new(Exit::Usage, "").with(format!("{path} has expired"), "issue a new certificate with a new key"))
    } else if end <= now.plus(SOON) {
        Err(Failure::new(Exit::Failed, "").with(format!("{path} ends in {days} days"), "issue the next one now, and send SIGHUP when it is in place"))
    } else {
        Ok(format!("{path} holds for {days} days"))
    }
}

async fn call(endpoint: &str, identity: Option<(PathBuf, PathBuf)>, ca: &Path) -> Checked {
    let mut checked = Checked::new();
    let result = async {
        let anchors = anchors_of(ca).map_err(failure)?;
        let credentials =
            identity.map(|(certificate, key)| credentials_of(&TlsFiles { certificate, key, trusted: ca.to_owned() })).transpose().map_err(failure)?;
        let tls = client_config(credentials, &anchors, Expected::Host).map_err(|error| Failure::usage(&error))?;
        let probed = probe(endpoint, Arc::new(tls)).await.map_err(|error| Failure::failed(&error))?;
        match probed.grpc_status.as_deref() {
            Some("0") => Ok(format!("{}; healthy", probed.tls)),
            Some("12") => Ok(format!("{}; gRPC is spoken, without a health service", probed.tls)),
            Some("14") => {
                Err(Failure::new(Exit::Failed, "the connection works, but the peer says that it is not available at the moment (gRPC status 14)"))
            }
            Some(code) => Ok(format!("{}; gRPC is spoken, and the health call is answered with status {code}", probed.tls)),
            None => Err(Failure::new(Exit::Failed, format!("HTTP/2 is spoken (status {}), but not gRPC", probed.http_status))),
        }
    };
    checked.add(endpoint, result.await);
    checked
}

fn failure(error: PartsError) -> Failure {
    serve::failure(&super::gateway::GatewayError::Parts(error))
}
