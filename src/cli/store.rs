// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche store`: a backup of a database file, and the move from one engine to the other.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use super::fsck::{Checked, checked, failure, signed};
use super::serve;
use super::terminal::{Exit, Failure, Output, progress};
use crate::exchange::fsck::Depth;
use crate::ledger::Checkpoint;
use crate::store::{Copying, Place, Store, StoreError};

/// Copies the database: as a backup, or to the other engine
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Writes one moment of a database file into a new file and checks it, beside a running gateway or without one
    Backup {
        /// Configuration of the gateway
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// File to write; it must not be there
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Copies everything into an empty database of either engine, with the log checked before and after; the gateway must be stopped
    Copy {
        /// Configuration of the gateway
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// New file, or postgres://USER@HOST:PORT/NAME of an empty database
        #[arg(long, value_name = "STORE")]
        to: String,
    },
}

impl Verb {
    pub(super) async fn run(self, output: Output) -> Result<Exit, Failure> {
        match self {
            Self::Backup { config, to } => output.print(&backup(&config, &to).await?),
            Self::Copy { config, to } => output.print(&copy(&config, &to).await?),
        }
        Ok(Exit::Done)
    }
}

#[derive(serde::Serialize)]
struct BackedUp {
    backup: PathBuf,
    #[serde(flatten)]
    checked: Checked,
}

impl fmt::Display for BackedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: complete and checked.", self.backup.display())?;
        writeln!(f, "Keep it away from the keys: together they open everything.")?;
        self.checked.fmt(f)
    }
}

/// The name is taken first, the content comes under another name and gets the first one when it was checked: what bears the name is whole or empty.
async fn backup(config: &Path, to: &Path) -> Result<BackedUp, Failure> {
    let config = serve::load(config)?;
    let signed = signed(&config)?;
    let taken = |source| Failure::failed(&StoreError::File { path: to.display().to_string(), source });
    if let place @ Place::Server(_) = &config.database {
        return Err(Failure::usage(&StoreError::NotAFile(place.to_string())));
    }
    drop(private(to).map_err(taken)?);
    let part = PathBuf::from(format!("{}.part", to.display()));
    let written = async {
        drop(private(&part).map_err(taken)?);
        Store::backup(&config.database, &part).await.map_err(|error| failure(&error))?;
        let mut conn = Store::read_only(&Place::File(part.clone())).await.map_err(|error| failure(&error))?;
        let checked = checked(&mut conn, to.display().to_string(), &signed, Depth::Tables).await?.sound("the backup")?;
        conn.close().await.map_err(|error| failure(&error))?;
        std::fs::rename(&part, to).and_then(|()| sync_folder(to)).map_err(taken)?;
        Ok(checked)
    };
    let written = written.await;
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", part.display()));
    }
    if written.is_err() {
        let _ = std::fs::remove_file(to);
    }
    Ok(BackedUp { backup: to.to_owned(), checked: written? })
}

/// A new file that only its owner reads.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[derive(serde::Serialize)]
struct Copied {
    from: String,
    to: String,
    rows: BTreeMap<String, u64>,
    entries: u64,
    root: String,
    /// The line of the configuration that names the copy.
    line: String,
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, rows, entries, root, line } = self;
        writeln!(f, "{to}: everything of {from}, {} rows of {} tables.", rows.values().sum::<u64>(), rows.len())?;
        writeln!(f, "The log was checked before and after: {entries} entries, root {root}, as it was signed.")?;
        writeln!(f, "Now change this line of [database] in the configuration, then start the gateway:")?;
        writeln!(f, "  {line}")?;
        write!(f, "Never start it on {from} again: the two would become different logs. Keep that one as a backup, away from the keys.")
    }
}

async fn copy(config: &Path, to: &str) -> Result<Copied, Failure> {
    let config = serve::load(config)?;
    let folder = std::env::current_dir().map_err(|error| Failure::failed(&error))?;
    let place = Place::parse(to, &folder).map_err(|error| Failure::usage(&error))?;
    let signed = signed(&config)?;
    let mut copying = Copying::begin(&config.database, &place).await.map_err(|error| failure(&error))?;
    match transfer(&mut copying, &config.database, &place, &signed).await {
        Ok((rows, checked)) => {
            copying.finish().await.map_err(|error| failure(&error))?;
            let (entries, root) = checked.log();
            let line = format!("store = \"{}\"", place.file().map_or_else(|| to.to_owned(), |path| path.display().to_string()));
            Ok(Copied { from: config.database.to_string(), to: place.to_string(), rows, entries, root, line })
        }
        Err(error) => {
            copying.abandon().await.map_err(|error| failure(&error))?;
            Err(error)
        }
    }
}

async fn transfer(copying: &mut Copying, from: &Place, to: &Place, signed: &Checkpoint) -> Result<(BTreeMap<String, u64>, Checked), Failure> {
    let before = checked(&mut copying.source, from.to_string(), signed, Depth::Tables).await?.sound("before the copy")?;
    let bar = progress("copying");
    let watch = |table: &str, rows: u64| {
        bar.set_message(table.to_owned());
        bar.set_position(rows);
    };
    let rows = copying.run(&watch).await.map_err(|error| failure(&error))?;
    bar.finish_and_clear();
    let after = checked(&mut copying.target, to.to_string(), signed, Depth::Tables).await?.sound("after the copy")?;
    if before.log() != after.log() {
        return Err(Failure::new(Exit::Broken, "the copy has another log than its source; nothing was kept"));
    }
    Ok((rows, after))
}
