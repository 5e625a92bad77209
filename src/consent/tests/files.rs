// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Reads the cases. A `[[table]]` has a `title`, a `base`, what all rows change (`with`), `columns` and `rows`. A column is a path of the case
//! (`record.grantor.kind`, `now`, `expect`), or one of these: `why` (for the reader), `grants` (see [`grant`]; `{purpose}` is that of the row),
//! `withheld` (`HEALTH=NO_ROUTE`), `born` (`2008-02-29`, unknown parts 0). A cell `=` leaves what the base says, `-` takes it away. `rest` says
//! why everything stays behind that was sent and is not in the mask. Words in lower case in a mask are the `[sets]` of the file.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Case;
use crate::dialect::CategoryMask;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/consent")
}

fn read(path: &Path) -> Table {
    std::fs::read_to_string(path).unwrap().parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Times are written as times and read as milliseconds.
fn millis(value: Value) -> Value {
    match value {
        Value::Datetime(at) => Value::Integer(at.to_string().parse::<jiff::Timestamp>().unwrap().as_millisecond()),
        Value::Table(table) => Value::Table(table.into_iter().map(|(key, value)| (key, millis(value))).collect()),
        Value::Array(items) => Value::Array(items.into_iter().map(millis).collect()),
        other => other,
    }
}

fn merge(into: &mut Table, over: Table) {
    for (key, value) in over {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn remove(from: &mut Table, path: &str) {
    match path.split_once('.') {
        Some((head, rest)) => remove(from.get_mut(head).unwrap().as_table_mut().unwrap(), rest),
        None => assert!(from.remove(path).is_some(), "nothing to drop at {path}"),
    }
}

fn base(name: &str) -> Table {
    read(&folder().join("base").join(format!("{name}.toml")))
}

pub(super) fn case(mut entry: Table) -> Case {
    let name = entry["name"].as_str().unwrap().to_owned();
    let mut table = base(entry.remove("base").unwrap_or_else(|| panic!("{name}: no base")).as_str().unwrap());
    if let Some(of) = entry.remove("origin_of") {
        table.insert("origin".into(), base(of.as_str().unwrap()).remove("record").unwrap());
    }
    let drop = entry.remove("drop");
    merge(&mut table, entry);
    for path in drop.iter().flat_map(|paths| paths.as_array().unwrap()) {
        remove(&mut table, path.as_str().unwrap());
    }
    millis(Value::Table(table)).try_into().unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(super) fn cases() -> Vec<Case> {
    let mut files: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|f| f.unwrap().path()).filter(|p| p.is_file()).collect();
    files.sort();
    let mut all = Vec::new();
    for mut file in files.iter().map(|path| read(path)) {
        let sets = file.remove("sets").map(|sets| sets.as_table().unwrap().clone()).unwrap_or_default();
        let mut list = |key| {
            let found = file.remove(key).map(|list| list.as_array().unwrap().clone()).unwrap_or_default();
            found.into_iter().map(|one| one.as_table().unwrap().clone()).collect::<Vec<_>>()
        };
        all.extend(list("case"));
        all.extend(list("table").iter().flat_map(|table| rows(table, &sets)));
        assert!(file.is_empty(), "neither case nor table: {file:?}");
    }
    all.into_iter().map(case).collect()
}

/// The rows of a table as cases.
fn rows(table: &Table, sets: &Table) -> Vec<Table> {
    let columns: Vec<_> = table["columns"].as_array().unwrap().iter().map(|column| column.as_str().unwrap()).collect();
    let row = |cells: &Value| {
        let cells = cells.as_array().unwrap();
        let said: Vec<_> = cells.iter().map(Value::to_string).collect();
        let name = format!("{} | {}", table["title"].as_str().unwrap(), said.join(" | "));
        assert_eq!(cells.len(), columns.len(), "{name}");
        let purpose = columns.iter().position(|column| *column == "request.purpose").and_then(|i| cells[i].as_str()).unwrap_or_default();
        let with = table.get("with").map(|with| with.as_table().unwrap().clone()).unwrap_or_default();
        let (mut case, mut drop) = (Table::new(), Vec::new());
        case.insert("base".into(), table["base"].clone());
        case.insert("name".into(), name.into());
        for (column, cell) in with.iter().map(|(path, cell)| (path.as_str(), cell)).chain(columns.iter().copied().zip(cells)) {
            match cell.as_str() {
                _ if column == "drop" => drop.extend(cell.as_array().unwrap().clone()),
                Some("=") => {}
                Some("-") => drop.push(Value::from(column)),
                Some(text) => set(&mut case, column, said_in(sets, &text.replace("{purpose}", purpose)).into()),
                None => set(&mut case, column, cell.clone()),
            }
        }
        drop.retain(|path| !["mask", "rest"].contains(&path.as_str().unwrap()));
        case.insert("drop".into(), drop.into());
        case
    };
    table["rows"].as_array().unwrap().iter().map(row).collect()
}

/// The text with the names of sets replaced by what they hold.
fn said_in(sets: &Table, text: &str) -> String {
    text.split(' ').map(|word| sets.get(word).map_or(word, |set| set.as_str().unwrap())).collect::<Vec<_>>().join(" ")
}

/// Puts a cell where its column says, in the shape that is read there.
fn set(case: &mut Table, column: &str, cell: Value) {
    let (at, value) = match (column, cell.as_str()) {
        ("why", _) => return,
        ("grants" | "origin.grants", Some(text)) => {
            (if column == "grants" { "record.grants" } else { column }, Value::Array(text.split(';').map(|one| grant(one.trim())).collect()))
        }
        ("withheld", Some(text)) => {
            let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
            (column, Value::Table(pairs.map(|(category, reason)| (category.to_owned(), reason.into())).collect()))
        }
        ("born", Some(text)) => {
            let parts: Vec<i64> = text.split('-').map(|part| part.parse().unwrap()).collect();
            let of = |(name, part): (&str, &i64)| (name.to_owned(), Value::from(*part));
            ("request.born", Value::Table(["year", "month", "day"].into_iter().zip(&parts).map(of).collect()))
        }
        (_, Some(text)) if ["mask", "categories", "special_explicit"].iter().any(|list| column.ends_with(list)) => (column, categories(text)),
        _ => (column, cell),
    };
    let mut place = case;
    let mut steps = at.split('.').peekable();
    while let Some(step) = steps.next() {
        if steps.peek().is_none() {
            place.insert(step.to_owned(), value);
            return;
        }
        place = place.entry(step).or_insert_with(|| Table::new().into()).as_table_mut().unwrap();
    }
}

/// `institution/unit PURPOSE CATEGORY,CATEGORY` and, if something may come back, ` / CATEGORY,CATEGORY`.
fn grant(text: &str) -> Value {
    let (outward, feedback) = text.split_once(" / ").unwrap_or((text, ""));
    let [recipient, purpose, sent] = outward.split_whitespace().collect::<Vec<_>>()[..] else { panic!("a grant is not `{text}`") };
    let (institution, unit) = recipient.split_once('/').unwrap();
    let recipient = Table::from_iter([("institution".into(), institution.into()), ("unit".into(), unit.into())]);
    let mut grant =
        Table::from_iter([("recipient".into(), recipient.into()), ("purpose".into(), purpose.into()), ("categories".into(), categories(sent))]);
    if !feedback.is_empty() {
        grant.insert("feedback".into(), categories(feedback));
    }
    grant.into()
}

fn categories(text: &str) -> Value {
    Value::Array(text.parse::<CategoryMask>().unwrap().iter().map(|category| category.to_string().into()).collect())
}
