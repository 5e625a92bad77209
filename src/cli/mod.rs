// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The command line, and what belongs to the process rather than to a call: configuration, logs, the loopback port, start and end.
//!
//! Each verb is a file with its `Args` and a `run` that gives an exit code or a [`terminal::Failure`]. A new verb is one line in `Verb`
//! and one in `Verb::run`.

mod agreement;
mod audit;
mod bench;
mod check;
pub mod config;
mod demo;
mod dialect;
mod fsck;
pub mod gateway;
pub mod init;
mod migrate;
mod operator;
pub mod ops;
mod serve;
mod store;
pub mod telemetry;
pub mod terminal;

use std::process::ExitCode;

use clap::Parser;

use terminal::{Exit, Failure, Output};

const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed or refused; 2 wrong call or configuration; 3 a promise is broken or a verification failed.";

/// Carries referrals between case systems that each speak their own contract: translated, consent-checked, logged, over mutual TLS
#[derive(Debug, Parser)]
#[command(name = "weiche", version, after_help = EXIT_CODES, propagate_version = true)]
struct Command {
    /// Form of the answer on standard output
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Init(init::Args),
    Serve(serve::Args),
    Check(check::Args),
    Migrate(migrate::Args),
    Fsck(fsck::Args),
    #[command(subcommand)]
    Store(store::Verb),
    Demo(demo::Args),
    #[command(subcommand)]
    Dialect(dialect::Verb),
    #[command(subcommand)]
    Agreement(agreement::Verb),
    #[command(subcommand)]
    Audit(audit::Verb),
    Status(operator::status::Args),
    Queue(operator::queue::Args),
    Template(operator::template::Args),
    Retention(operator::retention::Args),
    Drain(operator::drain::Args),
    Bench(bench::Args),
}

impl Verb {
    async fn run(self, output: Output) -> Result<Exit, Failure> {
        match self {
            Self::Init(verb) => verb.run(output).await,
            Self::Serve(verb) => verb.run().await,
            Self::Check(verb) => verb.run(output).await,
            Self::Migrate(verb) => verb.run(output).await,
            Self::Fsck(verb) => verb.run(output).await,
            Self::Store(verb) => verb.run(output).await,
            Self::Demo(verb) => verb.run(output).await,
            Self::Dialect(verb) => verb.run(output),
            Self::Agreement(verb) => verb.run(output),
            Self::Audit(verb) => verb.run(output).await,
            Self::Status(verb) => verb.run(output).await,
            Self::Queue(verb) => verb.run(output).await,
            Self::Template(verb) => verb.run(output).await,
            Self::Retention(verb) => verb.run(output).await,
            Self::Drain(verb) => verb.run(output).await,
            Self::Bench(verb) => verb.run(output).await,
        }
    }
}

/// Reads the arguments of the process and does what they say.
pub fn run() -> ExitCode {
    let Command { output, verb } = Command::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(verb.run(output));
            // Whatever still waits for a terminal or a peer is not waited for.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::failed(&error)),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print(output);
            failure.exit().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_verb_and_every_argument_is_explained() {
        fn explained(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().filter(|c| c.get_name() != "help").for_each(explained);
        }
        let command = Command::command();
        command.clone().debug_assert();
        explained(&command);
    }
}
