// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a power cut leaves: strace writes down every write and flush of a workload, in their order; then the disk is put together as it would be had the machine
//! stopped in between. What was flushed is there; of what was written since, any sectors may be, in any order. Whatever was acknowledged by then is there
//! afterwards, the log is sound, and it goes on.
//!
//! With a disk that only says that it has flushed, something must be lost, or this proves nothing.

use std::collections::BTreeMap;
use std::path::Path;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;
use weiche::store::{Place, Store};

use super::crash::{acknowledgements, afterwards, copy_folder, missing, run};
use super::desk::*;

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;
/// Everything that changes a file or the names of files, and what is told to the caller.
const CALLS: &str = "trace=openat,write,pwrite64,lseek,ftruncate,fsync,fdatasync,?rename,?renameat,?renameat2,?unlink,unlinkat";

#[tokio::test]
async fn nothing_acknowledged_is_lost_whenever_the_power_fails() {
    if std::env::var_os("WEICHE_TEST_STORE").is_some() {
        return; // A server looks after its own disk.
    }
    let cuts: usize = std::env::var("WEICHE_CUTS").map_or(200, |cuts| cuts.parse().unwrap());
    let base = temporary();
    let mut desk = Desk::open().await;
    desk.stop().await;
    desk.copy_files(base.path());
    let Some((events, left)) = observe(base.path()) else {
        eprintln!("left out: strace is missing, or may not trace here");
        return;
    };
    // Nothing was overlooked: with all that was written the disk is what the workload has left.
    let all = disk_after(base.path(), &events, &mut SmallRng::seed_from_u64(0), &[1.0], true);
    for file in ["guard", "weiche.db", "weiche.db-wal"].map(|file| (std::fs::read(left.path().join(file)), std::fs::read(all.path().join(file)))) {
        assert_eq!(file.0.ok(), file.1.ok());
    }
    let flushes = events.iter().filter(|event| matches!(event, Event::Flushed(_))).count();
    let (mut acknowledged, mut lost_by_a_liar) = (0, 0);
    for number in 0..cuts {
        let cut = 1 + number * events.len() / cuts;
        let point = format!("cut {number}, after {cut} of {} calls", events.len());
        let told: String = events[..cut].iter().filter_map(|event| if let Event::Told(text) = event { Some(text.as_str()) } else { None }).collect();
        let acks = acknowledgements(&told).unwrap();
        acknowledged += acks.len();

        // All of what was not flushed, none of it, or any part.
        let mut dice = SmallRng::seed_from_u64(number as u64);
        let folder = disk_after(base.path(), &events[..cut], &mut dice, &[0.0, 0.5, 0.9, 1.0], true);
        afterwards(folder.path(), &acks, &point).await;

        let folder = disk_after(base.path(), &events[..cut], &mut dice, &[0.0, 0.5, 0.9], false);
        let there = async {
            let mut conn = Store::read_only(&Place::File(folder.path().join("weiche.db"))).await?;
            missing(&mut conn, &acks).await
        };
        lost_by_a_liar += usize::from(!matches!(there.await, Ok(None)));
    }
    println!(
        "{cuts} power cuts at {} calls with {flushes} flushes, {acknowledged} acknowledgements, 0 lost; without flushes lost in {lost_by_a_liar}",
        events.len()
    );
    assert!(acknowledged > cuts && flushes > 10);
    assert!(lost_by_a_liar > cuts / 2, "a disk that does not flush loses nothing: {lost_by_a_liar}");
}

/// What a process does to its folder and tells, in order. Files go by their names.
enum Event {
    Created(String),
    Written {
        file: String,
        at: u64,
        bytes: Vec<u8>,
    },
    Truncated(String, u64),
    /// Writes that began after this may be missing when it is done.
    Flushing(String),
    Flushed(String),
    Renamed(String, String),
    Removed(String),
    Told(String),
}

/// Runs the workload on a copy: what it did, and the folder that it left; none if that cannot be traced here.
fn observe(base: &Path) -> Option<(Vec<Event>, TempDir)> {
    let (folder, notes) = (temporary(), temporary());
    copy_folder(base, folder.path());
    let trace = notes.path().join("trace");
    let told = run(folder.path(), &["-y", "-x", "-s", "1048576", "-e", CALLS, "-e", "signal=none", "-o", trace.to_str().unwrap()])?;
    if !told.contains("\nend\n") {
        return None;
    }
    let mut traced = Traced { folder: folder.path().to_str().unwrap().to_owned(), begun: BTreeMap::new(), at: BTreeMap::new() };
    let events = std::fs::read_to_string(trace).unwrap().lines().flat_map(|line| traced.events(line)).collect();
    Some((events, folder))
}

struct Traced {
    folder: String,
    /// Calls that wait for their end, by thread: what is written before another thread's line.
    begun: BTreeMap<String, String>,
    /// Where the next write without a place of its own goes.
    at: BTreeMap<String, u64>,
}

impl Traced {
    /// What a line of strace says. A write counts from its beginning, a flush from its end.
    fn events(&mut self, line: &str) -> Vec<Event> {
        let (thread, rest) = line.split_once(' ').unwrap();
        let rest = rest.trim_start();
        let (call, beginning, end) = if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            self.begun.insert(thread.to_owned(), begun.to_owned());
            (begun.to_owned(), true, false)
        } else if rest.starts_with("<... ") {
            let begun = self.begun.remove(thread).unwrap_or_default();
            (format!("{begun}{}", rest.split_once(" resumed>").map_or("", |(_, rest)| rest)), false, true)
        } else {
            (rest.to_owned(), true, true)
        };
        if end && call.contains(" = -1 ") {
            assert!(!call.starts_with("pwrite64") && !call.starts_with("f"), "{call:.80}");
            return Vec::new();
        }
        let Some((name, arguments)) = call.split_once('(') else { return Vec::new() };
        let texts = quoted(arguments);
        let file = || between(arguments, '<', '>').and_then(|path| self.inside(path));
        let number =
            |nth: usize| arguments.rsplit(')').nth(1).and_then(|args| args.rsplit(", ").nth(nth)).and_then(|text| text.trim().parse::<u64>().ok());
        match name {
            "write" if beginning && arguments.starts_with("1<") => vec![Event::Told(String::from_utf8(texts[0].clone()).unwrap())],
            "pwrite64" if beginning => {
                let at = arguments.rsplit(", ").next().and_then(|last| last.split(')').next()?.trim().parse().ok());
                file().map(|file| Event::Written { file, at: at.unwrap(), bytes: texts[0].clone() }).into_iter().collect()
            }
            "write" if beginning => {
                let Some(file) = file() else { return Vec::new() };
                let at = self.at.entry(file.clone()).or_default();
                let event = Event::Written { file, at: *at, bytes: texts[0].clone() };
                *at += texts[0].len() as u64;
                vec![event]
            }
            "lseek" if end => {
                let to = call.rsplit(" = ").next().and_then(|to| to.trim().parse().ok());
                if let (Some(file), Some(to)) = (file(), to) {
                    self.at.insert(file, to);
                }
                Vec::new()
            }
            "openat" if end => {
                let opened = call.rsplit(" = ").next().and_then(|opened| self.inside(between(opened, '<', '>')?));
                let Some(file) = opened.filter(|file| !file.is_empty()) else { return Vec::new() };
                self.at.insert(file.clone(), 0);
                let emptied = arguments.contains("O_TRUNC").then(|| Event::Truncated(file.clone(), 0));
                arguments.contains("O_CREAT").then(|| Event::Created(file.clone())).into_iter().chain(emptied).collect()
            }
            "ftruncate" if end => file().map(|file| Event::Truncated(file, number(0).unwrap())).into_iter().collect(),
            "fsync" | "fdatasync" => {
                let Some(file) = file() else { return Vec::new() };
                let begins = beginning.then(|| Event::Flushing(file.clone()));
                begins.into_iter().chain(end.then(|| Event::Flushed(file.clone()))).collect()
            }
            "rename" | "renameat" | "renameat2" if end => {
                let names: Vec<String> = texts.iter().filter_map(|path| self.inside(std::str::from_utf8(path).ok()?)).collect();
                names.chunks_exact(2).map(|both| Event::Renamed(both[0].clone(), both[1].clone())).collect()
            }
            "unlink" | "unlinkat" if end => {
                texts.iter().filter_map(|path| self.inside(std::str::from_utf8(path).ok()?)).map(Event::Removed).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The name of a file in the folder; empty for the folder itself.
    fn inside(&self, path: &str) -> Option<String> {
        Some(path.strip_prefix(&self.folder)?.trim_start_matches('/').to_owned())
    }
}

fn between(text: &str, from: char, to: char) -> Option<&str> {
    text.split_once(from)?.1.split_once(to).map(|(inside, _)| inside)
}

/// The texts among a call's arguments, as bytes.
fn quoted(arguments: &str) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    let mut rest = arguments.bytes();
    while rest.by_ref().any(|byte| byte == b'"') {
        let mut text = Vec::new();
        while let Some(byte) = rest.next().filter(|byte| *byte != b'"') {
            text.push(if byte == b'\\' { escaped(&mut rest) } else { byte });
        }
        texts.push(text);
    }
    texts
}

/// The byte after a backslash, in the words of C.
fn escaped(rest: &mut std::str::Bytes<'_>) -> u8 {
    match rest.next().unwrap() {
        b'x' => {
            let digits: String = rest.by_ref().take(2).map(char::from).collect();
            u8::from_str_radix(&digits, 16).unwrap()
        }
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'v' => 0x0b,
        b'f' => 0x0c,
        other => other,
    }
}

/// A file: what is safe, and what has been done to it since.
#[derive(Clone, Default)]
struct File {
    safe: Vec<u8>,
    since: Vec<Change>,
    /// How much of `since` a flush under way covers.
    flushing: usize,
}

#[derive(Clone)]
enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Truncate(u64),
}

/// The folder as it lies on the disk when the power fails after these events, with one of these shares of what was not flushed. A disk that is not
/// `honest` has flushed nothing.
fn disk_after(base: &Path, events: &[Event], dice: &mut SmallRng, shares: &[f64], honest: bool) -> TempDir {
    let mut files: Vec<File> = Vec::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for file in std::fs::read_dir(base).unwrap().map(Result::unwrap) {
        names.insert(file.file_name().into_string().unwrap(), files.len());
        files.push(File { safe: std::fs::read(file.path()).unwrap(), ..File::default() });
    }
    // Names that the disk has, and what they were after each change since.
    let mut named = vec![names.clone()];
    for event in events {
        match event {
            Event::Created(name) if !names.contains_key(name) => {
                names.insert(name.clone(), files.len());
                files.push(File::default());
            }
            Event::Renamed(from, to) => {
                let file = names.remove(from).unwrap();
                names.insert(to.clone(), file);
            }
            Event::Removed(name) => drop(names.remove(name)),
            Event::Written { file, at, bytes } => {
                if let Some(file) = names.get(file) {
                    files[*file].since.push(Change::Write { at: *at, bytes: bytes.clone() });
                }
            }
            Event::Truncated(file, len) => files[names[file]].since.push(Change::Truncate(*len)),
            Event::Flushing(name) => {
                if let Some(file) = names.get(name).filter(|_| honest) {
                    files[*file].flushing = files[*file].since.len();
                }
            }
            // The folder itself: its names are safe.
            Event::Flushed(name) if name.is_empty() && honest => named = vec![names.clone()],
            Event::Flushed(name) => {
                if let Some(file) = names.get(name) {
                    files[*file].flush();
                }
            }
            Event::Created(_) | Event::Told(_) => {}
        }
        if named.last() != Some(&names) {
            named.push(names.clone());
        }
    }
    let kept = shares[dice.random_range(0..shares.len())];
    // As it was, with the rights that files had; then with what has happened to it.
    let folder = temporary();
    copy_folder(base, folder.path());
    let named = if kept == 1.0 { &names } else { &named[dice.random_range(0..named.len())] };
    for file in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        if !named.contains_key(file.file_name().to_str().unwrap()) {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    for (name, file) in named {
        let content = files[*file].after_the_cut(|| dice.random_bool(kept));
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

impl File {
    fn flush(&mut self) {
        for change in self.since.drain(..std::mem::take(&mut self.flushing)) {
            match change {
                Change::Write { at, bytes } => put(&mut self.safe, at, &bytes),
                Change::Truncate(len) => self.safe.resize(len as usize, 0),
            }
        }
    }

    /// With those sectors of what came since that the dice keep.
    fn after_the_cut(&self, mut keeps: impl FnMut() -> bool) -> Vec<u8> {
        let mut content = self.safe.clone();
        for change in &self.since {
            match change {
                Change::Write { at, bytes } => {
                    let (mut from, end) = (*at, at + bytes.len() as u64);
                    while from < end {
                        let to = end.min((from / SECTOR + 1) * SECTOR);
                        if keeps() {
                            put(&mut content, from, &bytes[(from - at) as usize..(to - at) as usize]);
                        }
                        from = to;
                    }
                }
                Change::Truncate(len) if keeps() => content.resize(*len as usize, 0),
                Change::Truncate(_) => {}
            }
        }
        content
    }
}

/// What lies between the end and a place behind it is zeros.
fn put(content: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let (at, end) = (at as usize, at as usize + bytes.len());
    content.resize(content.len().max(end), 0);
    content[at..end].copy_from_slice(bytes);
}
