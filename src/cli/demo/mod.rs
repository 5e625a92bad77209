// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche demo`: a gateway and six simulated case systems in one process, over real sockets and mutual TLS, each in its own dialect; some
//! hundred made-up cases; and at the end every promise checked on what happened.
//!
//! | part | idea |
//! |---|---|
//! | `cases` | made-up people, referrals and consents, and how each case has to end |
//! | `stage` | the folder, the gateway and the systems |
//! | `system` | one simulated case system |
//! | `story` | what happens, in order |
//! | `history` | what happened, as the institutions saw it |
//! | `check`, `verdict` | whether every promise was kept |
//! | `summary`, `files`, `voice` | what people and programs are told |

mod cases;
mod check;
mod files;
mod history;
mod stage;
mod story;
mod summary;
mod system;
mod verdict;
mod voice;

use std::path::PathBuf;
use std::time::Instant;

use super::telemetry::{self, LogFormat};
use super::terminal::{Exit, Failure, Output};
use crate::clock::Clock as _;
use cases::World;
use stage::{MIDNIGHT, Stage, StageError, system as system_error};
use story::Story;
use summary::{Log, Summary};
use voice::Voice;

/// Plays a Monday with six simulated case systems and checks every promise; needs nothing but this program
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Cases to play at least
    #[arg(long, default_value_t = 320, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    cases: u32,
    /// Makes other people and other cases
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder to play in; a fresh one under the system's folder for temporary files if none is named
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Where the gateway keeps everything: a file in the folder, or an empty database of a server (postgres://USER@HOST:PORT/NAME)
    #[arg(long, default_value = "weiche.db")]
    store: String,
    /// Leaves gateway and systems running, with commands to try, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

impl Args {
    pub(super) async fn run(self, output: Output) -> Result<Exit, Failure> {
        self.play(output).await.map_err(|error| Failure::failed(&error))
    }

    async fn play(self, output: Output) -> Result<Exit, StageError> {
        let began = Instant::now();
        let voice = Voice::new(output);
        let dir = self.dir.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("weiche-demo-{}", uuid::Uuid::new_v4().simple())));
        std::fs::create_dir_all(&dir).map_err(system_error("the folder"))?;
        let log = std::fs::File::create(dir.join("gateway.log")).map_err(system_error("the program's log"))?;
        // Somebody else's logging in the same process, such as a test's, stays as it is.
        let _ = telemetry::init_into(LogFormat::Json, "debug,h2=info,hyper=info,rustls=info,sqlx=info,tonic=info", std::sync::Mutex::new(log));

        let stage = Stage::build(&dir, &self.store).await?;
        let world = World { dialects: &stage.dialects, agreement: &stage.agreement, now: stage.clock.now(), midnight: MIDNIGHT };
        let cases = cases::generate(&world, self.seed, self.cases.try_into().unwrap_or(usize::MAX));
        voice.line(&format!("Weiche: a gateway on {} and six simulated case systems, over mutual TLS, in {}", stage.engine, dir.display()));
        for system in stage.systems.values() {
            let how = if system.is_called() { "is called by the gateway" } else { "fetches through a stream that it opened" };
            voice.event(&format!("{:<28} speaks {:<10} {how}", system.institution(), system.tongue().name()));
        }
        voice.event(&format!("{} made-up cases; no person in them exists", cases.len()));

        let mut history = Story::new(&stage, &cases, voice).play().await;
        voice.title("8  Everything is checked on what happened");
        let mut verdict = verdict::of(&stage, &mut history).await?;
        files::write(&stage, &history)?;
        let routes = summary::routes(&history);
        let files = files::listed(&stage, &verdict);
        let verifier_key = stage.made.verifier_key.clone();
        verdict.broken.extend(verdict::traces(&dir, &cases)?);

        let summary = Summary {
            seed: self.seed,
            cases: cases.len(),
            seconds: began.elapsed().as_secs_f64(),
            routes,
            receipts: history.receipts.len(),
            repeated: history.arrivals.iter().map(|arrived| arrived.times - 1).sum(),
            log: Log { entries: verdict.entries, root: verdict.root, verifier_key },
            promises: summary::promises(&verdict.broken),
            broken: verdict.broken,
            files,
        };
        output.print(&summary);
        if self.keep {
            files::how_to_try(&stage, voice);
            let _ = tokio::signal::ctrl_c().await;
        }
        stage.end().await?;
        Ok(if summary.broken.is_empty() { Exit::Done } else { Exit::Broken })
    }
}
