// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From TOML to a [`Config`]: each key is read on its own, so that one mistake does not hide the next.

use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::de::{DeTable, DeValue};

use super::{Config, ConfigProblem, Deliveries, Door, Limits, Log, TlsFiles};
use crate::cli::telemetry::LogFormat;
use crate::exchange::Periods;
use crate::store::Place;

const DAY: u64 = 24 * 60 * 60;

pub(super) fn parse(text: &str, folder: &Path) -> Result<Config, Vec<ConfigProblem>> {
    let mut reading = Reading { text, folder, problems: Vec::new() };
    let (file, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        reading.problem(error.span().unwrap_or(0..0).start, error.message(), "the file must be TOML 1.0");
    }
    let config = if errors.is_empty() { read(&mut reading, file.into_inner()) } else { None };
    let mut problems = reading.problems;
    problems.sort_by_key(|problem| problem.line);
    config.filter(|_| problems.is_empty()).ok_or(problems)
}

/// Every section is read, whatever is wrong with the others.
fn read(reading: &mut Reading<'_>, file: DeTable<'_>) -> Option<Config> {
    let mut top = Section { name: String::new(), start: 0, table: file };
    let trust_domain = reading.required::<String>(&mut top, "trust_domain");
    let dialects = match reading.optional::<Vec<PathBuf>>(&mut top, "dialects") {
        Some((_, folders)) => folders.into_iter().map(|path| reading.folder.join(path)).collect(),
        None => Vec::new(),
    };
    let institutions = reading.section(&mut top, "institutions", true).and_then(|section| reading.door(section));
    let operators = reading.section(&mut top, "operators", true).and_then(|section| reading.door(section));
    let ops = reading.section(&mut top, "ops", false).map(|mut section| {
        let listen = reading.address(&mut section, "listen").and_then(|(at, address)| reading.loopback(at, address));
        reading.finish(section);
        listen
    });
    let database = reading.section(&mut top, "database", true).and_then(|mut section| {
        let at = section.table.get("store").map_or(section.start, |value| value.span().start);
        let text: Option<String> = reading.required(&mut section, "store");
        let reserve = reading.number(&mut section, "reserve_mib", 0..=1 << 20, 1024);
        reading.finish(section);
        let place = Place::parse(&text?, reading.folder)
            .map_err(|error| reading.problem(at, format!("`database.store`: {error}"), "a file, or postgres://USER@HOST:PORT/NAME"));
        Some((place.ok()?, reserve? << 20))
    });
    let [ledger_key, ledger_guard] = reading.files(&mut top, "ledger", ["key", "guard"]);
    let [vault_key] = reading.files(&mut top, "vault", ["key"]);
    let [agreement] = reading.files(&mut top, "agreement", ["file"]);
    let deliveries = reading.section(&mut top, "deliveries", true).and_then(|mut section| {
        let tls = reading.tls(&mut section);
        let lease = reading.number(&mut section, "lease_seconds", 5..=600, 30);
        reading.finish(section);
        Some(Deliveries { tls: tls?, lease: Duration::from_secs(lease?) })
    });
    let mut one =
        |reading: &mut Reading<'_>, name: &str, key: &str, range: RangeInclusive<u64>, default: u64| match reading.section(&mut top, name, false) {
            Some(mut section) => {
                let number = reading.number(&mut section, key, range, default);
                reading.finish(section);
                number
            }
            None => Some(default),
        };
    let days = one(reading, "referrals", "expire_after_days", 1..=365, 90);
    let drain = one(reading, "shutdown", "drain_seconds", 1..=600, 20);
    let (periods, erase_every) = reading.retention(&mut top).unzip();
    let limits = reading.limits(&mut top);
    let log = reading.log(&mut top);
    reading.finish(top);
    let (database, reserve) = database?;
    Some(Config {
        trust_domain: trust_domain?,
        dialects,
        institutions: institutions?,
        operators: operators?,
        ops: ops.flatten(),
        database,
        reserve,
        ledger_key: ledger_key?,
        ledger_guard: ledger_guard?,
        vault_key: vault_key?,
        agreement: agreement?,
        deliveries: deliveries?,
        expire_after: Duration::from_secs(days? * DAY),
        periods: periods?,
        erase_every: erase_every?,
        drain_within: Duration::from_secs(drain?),
        limits: limits?,
        log: log?,
    })
}

/// A table of the file, its keys taken out as they are read.
struct Section<'de> {
    /// Empty for the file as a whole.
    name: String,
    start: usize,
    table: DeTable<'de>,
}

impl Section<'_> {
    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }
}

struct Reading<'a> {
    text: &'a str,
    folder: &'a Path,
    problems: Vec<ConfigProblem>,
}

impl Reading<'_> {
    fn problem(&mut self, at: usize, message: impl Into<String>, help: impl Into<String>) {
        let line = 1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        self.problems.push(ConfigProblem { line, message: message.into(), help: help.into() });
    }

    fn section<'de>(&mut self, top: &mut Section<'de>, name: &str, required: bool) -> Option<Section<'de>> {
        let Some(value) = top.table.remove(name) else {
            if required {
                self.problem(0, format!("the section [{name}] is missing"), "`weiche init` writes a complete file with every setting explained");
            }
            return None;
        };
        let start = value.span().start;
        match value.into_inner() {
            DeValue::Table(table) => Some(Section { name: name.to_owned(), start, table }),
            _ => {
                self.problem(start, format!("`{name}` must be a section"), format!("write [{name}] on a line of its own"));
                None
            }
        }
    }

    /// The value under a key and its place, if it is there and of the right type.
    fn optional<'de, T: Deserialize<'de>>(&mut self, section: &mut Section<'de>, key: &str) -> Option<(Range<usize>, T)> {
        let value = section.table.remove(key)?;
        let span = value.span();
        match T::deserialize(value.into_deserializer()) {
            Ok(read) => Some((span, read)),
            Err(error) => {
                let path = section.path(key);
                self.problem(
                    span.start,
                    format!("`{path}`: {}", error.message()),
                    "see the comment on this setting in the file that `weiche init` writes",
                );
                None
            }
        }
    }

    fn required<'de, T: Deserialize<'de>>(&mut self, section: &mut Section<'de>, key: &str) -> Option<T> {
        if !section.table.contains_key(key) {
            let (path, start) = (section.path(key), section.start);
            self.problem(start, format!("`{path}` is missing"), "it has no default; `weiche init` shows where it usually lies");
            return None;
        }
        self.optional(section, key).map(|(_, value)| value)
    }

    fn file(&mut self, section: &mut Section<'_>, key: &str) -> Option<PathBuf> {
        self.required::<PathBuf>(section, key).map(|path| self.folder.join(path))
    }

    /// A section of nothing but files.
    fn files<const N: usize>(&mut self, top: &mut Section<'_>, name: &str, keys: [&str; N]) -> [Option<PathBuf>; N] {
        let Some(mut section) = self.section(top, name, true) else { return [const { None }; N] };
        let files = keys.map(|key| self.file(&mut section, key));
        self.finish(section);
        files
    }

    /// An address and where it stands.
    fn address(&mut self, section: &mut Section<'_>, key: &str) -> Option<(usize, SocketAddr)> {
        let at = section.table.get(key).map_or(section.start, |value| value.span().start);
        let text: String = self.required(section, key)?;
        let address = text.parse().ok();
        if address.is_none() {
            self.problem(at, format!("`{}` is no address with a port", section.path(key)), "write it like \"127.0.0.1:8443\" or \"[::]:8443\"");
        }
        address.map(|address| (at, address))
    }

    fn loopback(&mut self, at: usize, address: SocketAddr) -> Option<SocketAddr> {
        if !address.ip().is_loopback() {
            self.problem(at, "`ops.listen` is not on loopback", "this port knows no callers: use 127.0.0.1 or [::1]");
            return None;
        }
        Some(address)
    }

    /// A number in its range, or its default.
    fn number(&mut self, section: &mut Section<'_>, key: &str, range: RangeInclusive<u64>, default: u64) -> Option<u64> {
        if !section.table.contains_key(key) {
            return Some(default);
        }
        let (span, number) = self.optional::<u64>(section, key)?;
        if !range.contains(&number) {
            let path = section.path(key);
            self.problem(span.start, format!("`{path}` is out of range"), format!("between {} and {}", range.start(), range.end()));
            return None;
        }
        Some(number)
    }

    fn tls(&mut self, section: &mut Section<'_>) -> Option<TlsFiles> {
        let [certificate, key, trusted] = ["certificate", "key", "trusted"].map(|key| self.file(section, key));
        Some(TlsFiles { certificate: certificate?, key: key?, trusted: trusted? })
    }

    fn door(&mut self, mut section: Section<'_>) -> Option<Door> {
        let listen = self.address(&mut section, "listen");
        let tls = self.tls(&mut section);
        self.finish(section);
        Some(Door { listen: listen?.1, tls: tls? })
    }

    fn retention(&mut self, top: &mut Section<'_>) -> Option<(Periods, Duration)> {
        let (usual, hours) = (Periods::default(), 24);
        let Some(mut section) = self.section(top, "retention", false) else { return Some((usual, Duration::from_secs(hours * 3600))) };
        let mut number = |key: &str, range: RangeInclusive<u64>, usual: u64| self.number(&mut section, key, range, usual);
        let days = |period: Duration| period.as_secs() / DAY;
        let contents = number("contents_days", 0..=90, days(usual.contents));
        let dead_letters = number("dead_letters_days", 1..=90, days(usual.dead_letters));
        let requests = number("requests_days", 7..=366, days(usual.requests));
        let transfers = number("transfers_years", 0..=10, usual.transfers_years.into());
        let consents = number("consents_years", 0..=30, usual.consents_years.into());
        let hours = number("every_hours", 1..=168, hours);
        self.finish(section);
        let period = |days: u64| Duration::from_secs(days * DAY);
        let periods = Periods {
            contents: period(contents?),
            dead_letters: period(dead_letters?),
            requests: period(requests?),
            transfers_years: u16::try_from(transfers?).ok()?,
            consents_years: u16::try_from(consents?).ok()?,
        };
        Some((periods, Duration::from_secs(hours? * 3600)))
    }

    fn limits(&mut self, top: &mut Section<'_>) -> Option<Limits> {
        let defaults = Limits::default();
        let Some(mut section) = self.section(top, "limits", false) else { return Some(defaults) };
        let mut limit = |key: &str, most: u64, default: usize| {
            let number = self.number(&mut section, key, 1..=most, default as u64)?;
            usize::try_from(number).ok()
        };
        let connections = limit("connections", 100_000, defaults.connections);
        let connections_per_caller = limit("connections_per_caller", 10_000, defaults.connections_per_caller);
        let calls = limit("calls", 100_000, defaults.calls);
        let streams = limit("streams", 100_000, defaults.streams);
        self.finish(section);
        Some(Limits { connections: connections?, connections_per_caller: connections_per_caller?, calls: calls?, streams: streams? })
    }

    fn log(&mut self, top: &mut Section<'_>) -> Option<Log> {
        let defaults = Log::default();
        let Some(mut section) = self.section(top, "log", false) else { return Some(defaults) };
        let format = self.optional::<LogFormat>(&mut section, "format");
        let level = self.optional::<String>(&mut section, "level");
        self.finish(section);
        Some(Log { format: format.map_or(defaults.format, |(_, format)| format), level: level.map_or(defaults.level, |(_, level)| level) })
    }

    /// What nobody asked for is a slip of the pen, and a slip may have been meant to protect something.
    fn finish(&mut self, section: Section<'_>) {
        let Section { name, table, .. } = section;
        for (key, _) in table {
            let path = if name.is_empty() { key.get_ref().to_string() } else { format!("{name}.{}", key.get_ref()) };
            self.problem(key.span().start, format!("unknown key `{path}`"), "remove it or correct its spelling");
        }
    }
}
