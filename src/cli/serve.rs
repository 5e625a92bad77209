// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche serve`: telemetry, configuration, ports, gateway; then signals until the end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::config::{Config, ConfigError};
use super::gateway::{self, GatewayError, Listeners, PartsError, Reloader};
use super::telemetry;
use super::terminal::{Exit, Failure};
use crate::clock::SystemClock;
use crate::exchange::{OpenError, WriterError};
use crate::ledger::guard::GuardError;

/// Runs the gateway until SIGTERM or SIGINT; SIGHUP reads agreement and certificates again
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Configuration file, as `weiche init` writes it
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Args {
    pub(super) async fn run(self) -> Result<Exit, Failure> {
        let config = load(&self.config)?;
        telemetry::init(config.log.format, &config.log.level).map_err(|error| Failure::usage(&error))?;
        room_for(config.limits.connections)?;
        let (mut terminate, mut interrupt, hang_up) = (on(SignalKind::terminate())?, on(SignalKind::interrupt())?, on(SignalKind::hangup())?);
        let listeners = Listeners::bind(&config).await.map_err(|error| failure(&error))?;
        let shutdown = CancellationToken::new();
        let running = gateway::run(config, Arc::new(SystemClock), listeners, shutdown.clone()).await.map_err(|error| failure(&error))?;
        tokio::spawn(reload(hang_up, running.reloader()));
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("asked to stop; draining");
            shutdown.cancel();
        });
        let ended = running.ended().await.map_err(|error| {
            tracing::error!(%error, "stopped");
            failure(&error)
        })?;
        tracing::info!(cut = ended.cut, "stopped");
        Ok(Exit::Done)
    }
}

/// File descriptors beside those of callers' connections: database, log, institutions that are called.
const OTHER_DESCRIPTORS: u64 = 512;

/// Takes as many file descriptors as the system allows (a shell gives 1,024 of them) for so many connections at each of two listeners. Without one no
/// connection is accepted, but no page is written either: a configuration that may use up all of them is refused.
pub(super) fn room_for(connections: usize) -> Result<(), Failure> {
    let needed = 2 * connections as u64 + OTHER_DESCRIPTORS;
    let mut allowed = getrlimit(Resource::Nofile);
    let most = allowed.maximum.unwrap_or(needed);
    if most < needed {
        let problem = format!("{connections} connections need {needed} open files, this process may have {most}");
        let help = "raise LimitNOFILE of the service, or lower `connections` under [limits]";
        return Err(Failure::new(Exit::Usage, "too few open files are allowed").with(problem, help));
    }
    if allowed.current.is_some_and(|current| current < most) {
        allowed.current = Some(most);
        setrlimit(Resource::Nofile, allowed).map_err(|error| Failure::failed(&error))?;
    }
    Ok(())
}

async fn reload(mut hang_up: Signal, reloader: Reloader) {
    while hang_up.recv().await.is_some() {
        // What became of it is in the log.
        if reloader.reload().await.is_none() {
            return;
        }
    }
}

fn on(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::failed(&error))
}

/// Reads a configuration, with all its problems as a failure.
pub(super) fn load(path: &Path) -> Result<Config, Failure> {
    Config::load(path).map_err(|error| match &error {
        ConfigError::Problems { problems, .. } => {
            problems.iter().fold(Failure::usage(&error), |failure, problem| failure.with(problem.to_string(), problem.help.clone()))
        }
        ConfigError::File { .. } => {
            Failure::usage(&error).with("every gateway needs one", "make one with `weiche init DIR`, or name it with --config")
        }
    })
}

/// What stops a gateway: a wrong file is the configuration's fault, the rest is not.
pub(super) fn failure(error: &GatewayError) -> Failure {
    match error {
        GatewayError::Parts(PartsError::Agreement { problems, .. }) => {
            problems.iter().fold(Failure::usage(error), |failure, problem| failure.with(problem.to_string(), problem.help.clone()))
        }
        // The log is not the one that was signed.
        GatewayError::Open(OpenError::Writer(WriterError::Guard(GuardError::Behind { .. } | GuardError::Differs { .. }) | WriterError::Log(_))) => {
            Failure::new(Exit::Broken, error.to_string())
        }
        GatewayError::Parts(PartsError::Store(_) | PartsError::Guard(_)) => Failure::failed(error),
        GatewayError::Parts(_) | GatewayError::Open(OpenError::Dialect { .. }) | GatewayError::Ops(_) => Failure::usage(error),
        GatewayError::Open(_) | GatewayError::Services(_) | GatewayError::Listen { .. } | GatewayError::Writer(_) | GatewayError::Ended(_) => {
            Failure::failed(error)
        }
    }
}
