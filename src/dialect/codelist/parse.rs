// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The file format of a code list, as `proto/codelists/README.md` describes it. Every problem is reported, not only the first.

use std::collections::HashMap;
use std::sync::Arc;

use super::{CodeList, CodeListError, ColumnTable, Index, Row, Status};
use crate::proto::types::DataCategory;

/// What the comment line `# column NAME: ...` says.
#[derive(Default)]
struct ColumnNote {
    line: usize,
    uris: Vec<Box<str>>,
    versions: Vec<Box<str>>,
    fold: bool,
}

/// One cell of an image column.
#[derive(Default)]
struct Cell<'a> {
    emitted: Option<&'a str>,
    lossy: bool,
    accepted: Vec<&'a str>,
}

/// What a field of the header row is for.
enum Kind {
    Label,
    Attribute(Arc<str>),
    /// An image; the number counts from 1, 0 being `canonical`.
    Image(usize),
}

/// Collects accepted values of one column: value (folded if case is ignored) to the line that has it.
struct Accepted {
    fold: bool,
    lines: HashMap<String, (usize, String)>,
    entries: Vec<(Box<str>, usize)>,
}

impl Accepted {
    fn new(fold: bool) -> Self {
        Self { fold, lines: HashMap::new(), entries: Vec::new() }
    }
}

struct Parser<'a> {
    file: String,
    errors: &'a mut Vec<CodeListError>,
}

impl Parser<'_> {
    fn error(&mut self, line: usize, message: impl Into<String>) {
        self.errors.push(CodeListError { file: self.file.clone(), line, message: message.into() });
    }

    fn accept(&mut self, line: usize, column: &str, canonical: &str, row: usize, value: &str, accepted: &mut Accepted) {
        let key = if accepted.fold { value.to_ascii_lowercase() } else { value.to_owned() };
        match accepted.lines.get(&key) {
            Some((other, row)) => {
                let message =
                    format!("column {column}: `{value}` of row {canonical} already belongs to row {row} of line {other}; mark one of them with `~`");
                self.error(line, message);
            }
            None => {
                accepted.lines.insert(key, (line, canonical.to_owned()));
                accepted.entries.push((value.into(), row));
            }
        }
    }

    fn cell<'t>(&mut self, line: usize, column: &str, text: &'t str) -> Cell<'t> {
        if text.is_empty() {
            return Cell::default();
        }
        let (lossy, rest) = text.strip_prefix('~').map_or((false, text), |rest| (true, rest));
        let mut values = rest.split('|');
        let emitted = values.next().filter(|value| !value.is_empty());
        let aliases: Vec<&str> = values.collect();
        if aliases.iter().any(|value| value.is_empty()) || (emitted.is_none() && aliases.is_empty()) {
            self.error(line, format!("column {column}: `{text}` has an empty value between its marks"));
        }
        if lossy && emitted.is_none() {
            self.error(line, format!("column {column}: `{text}` marks nothing as lossy; write a value after `~`"));
        }
        if lossy && emitted.is_some_and(|value| aliases.contains(&value)) {
            self.error(line, format!("column {column}: `{text}` says both that its value reads back and that it does not"));
        }
        if rest.split('|').any(|value| value.trim() != value) {
            self.error(line, format!("column {column}: `{text}` has blanks at the edge of a value"));
        }
        let own = emitted.filter(|_| !lossy);
        Cell { emitted, lossy, accepted: own.into_iter().chain(aliases).filter(|value| !value.is_empty()).collect() }
    }

    fn column_note(&mut self, line: usize, text: &str) -> Option<(String, ColumnNote)> {
        let Some((name, settings)) = text.split_once(':') else {
            self.error(line, "a column line reads `# column NAME: uri=... version=... case=insensitive`");
            return None;
        };
        let mut note = ColumnNote { line, ..ColumnNote::default() };
        let list = |value: &str| value.split('|').map(Into::into).collect();
        for setting in settings.split_whitespace() {
            match setting.split_once('=') {
                Some(("uri", value)) if !value.is_empty() => note.uris = list(value),
                Some(("version", value)) if !value.is_empty() => note.versions = list(value),
                Some(("case", "insensitive")) => note.fold = true,
                _ => self.error(line, format!("`{setting}` is none of `uri=...`, `version=...`, `case=insensitive`")),
            }
        }
        Some((name.trim().to_owned(), note))
    }
}

/// Reads one file. What it returns is only good if nothing was added to `errors`.
pub(super) fn parse(name: &str, text: &str, errors: &mut Vec<CodeListError>) -> CodeList {
    read(name, format!("{name}.tsv"), text, true, errors).0
}

/// Reads columns for the list `name` that somebody else brings, from `file`, and the line of each row.
pub(super) fn columns(name: &str, file: &str, text: &str, errors: &mut Vec<CodeListError>) -> (CodeList, Vec<usize>) {
    read(name, file.to_owned(), text, false, errors)
}

/// `whole`: the file is a list, with a head and attributes; otherwise it only has images.
fn read(name: &str, file: String, text: &str, whole: bool, errors: &mut Vec<CodeListError>) -> (CodeList, Vec<usize>) {
    let mut parser = Parser { file, errors };
    if text.contains('\r') {
        parser.error(1, "lines end with CR LF: save the file with LF");
    }
    if !text.ends_with('\n') {
        parser.error(text.lines().count().max(1), "the last line is not ended: the file may be cut off");
    }

    let mut meta: HashMap<&str, &str> = HashMap::new();
    let mut notes: HashMap<String, ColumnNote> = HashMap::new();
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line)).peekable();
    while let Some((line, text)) = lines.next_if(|(_, text)| text.starts_with('#')) {
        let comment = text.trim_start_matches('#').trim();
        if let Some(column) = comment.strip_prefix("column ") {
            if let Some((column, note)) = parser.column_note(line, column)
                && notes.insert(column.clone(), note).is_some()
            {
                parser.error(line, format!("column {column} is described twice"));
            }
        } else if let Some((key, value)) = comment.split_once(": ") {
            meta.insert(key, value.trim());
        }
    }
    for key in ["uri", "version", "title", "source"] {
        if whole && meta.get(key).is_none_or(|value| value.is_empty()) {
            parser.error(1, format!("the comment line `# {key}: ...` is missing"));
        }
    }
    let meta_text = |key: &str| -> Box<str> { meta.get(key).copied().unwrap_or_default().into() };

    let (header_line, header) = lines.next().unwrap_or((1, ""));
    let mut fields = header.split('\t');
    if fields.next() != Some("canonical") {
        parser.error(header_line, "the header row must begin with `canonical`");
    }
    let mut kinds = Vec::new();
    let mut columns: Vec<&str> = vec!["canonical"];
    let mut seen = vec!["canonical"];
    for field in fields {
        if field.is_empty() || field.trim() != field || field == "@" {
            parser.error(header_line, "a column of the header row has no proper name");
        } else if seen.contains(&field) {
            parser.error(header_line, format!("column {field} appears twice"));
        }
        if !whole && field.starts_with('@') {
            parser.error(header_line, format!("column {field}: what a row means for everybody is not a dialect's to say"));
        }
        seen.push(field);
        kinds.push(match field.strip_prefix('@') {
            Some(attribute) => Kind::Attribute(attribute.into()),
            None if field == "label" => Kind::Label,
            None => {
                columns.push(field);
                Kind::Image(columns.len() - 1)
            }
        });
    }
    for (column, note) in &notes {
        if !columns.contains(&column.as_str()) {
            parser.error(note.line, format!("column {column} is described but not in the header row"));
        }
    }
    let fold_of = |column: &str| notes.get(column).is_some_and(|note| note.fold);
    let mut accepted: Vec<Accepted> = columns.iter().map(|column| Accepted::new(fold_of(column))).collect();

    let (mut rows, mut row_lines) = (Vec::<Row>::new(), Vec::new());
    for (line, text) in lines {
        if text.is_empty() || text.starts_with('#') {
            parser.error(line, "empty lines and comments may only stand above the header row");
            continue;
        }
        let cells: Vec<&str> = text.split('\t').collect();
        if cells.len() != kinds.len() + 1 {
            parser.error(line, format!("{} cells where the header row has {}", cells.len(), kinds.len() + 1));
            continue;
        }
        let (canonical, cells) = cells.split_first().map_or(("", &[][..]), |(first, rest)| (*first, rest));
        if canonical.trim() != canonical || canonical.split('+').any(str::is_empty) {
            parser.error(line, format!("`{canonical}` is no canonical code"));
        }
        let number = rows.len();
        let mut row = Row {
            canonical: canonical.into(),
            label: "".into(),
            status: Status::Current,
            absent: false,
            attributes: Vec::new(),
            category: None,
            images: vec![None; columns.len()],
            system: Arc::default(),
            coding: Box::default(),
        };
        if let (Some(image), Some(accepted)) = (row.images.first_mut(), accepted.first_mut()) {
            *image = Some((canonical.into(), false));
            parser.accept(line, "canonical", canonical, number, canonical, accepted);
        }
        for (kind, cell) in kinds.iter().zip(cells) {
            match kind {
                Kind::Label if cell.is_empty() => parser.error(line, format!("row {canonical} has no label")),
                Kind::Label => row.label = (*cell).into(),
                Kind::Attribute(name) => {
                    match (&**name, *cell) {
                        (_, "") => continue,
                        ("status", "historic") => row.status = Status::Historic,
                        ("status", "special") => row.status = Status::Special,
                        ("status", "reserved") => row.status = Status::Reserved,
                        ("absent", "yes") => row.absent = true,
                        ("category", name) => row.category = DataCategory::from_str_name(&format!("DATA_CATEGORY_{name}")),
                        ("status", _) => parser.error(line, "@status is empty, `historic`, `special` or `reserved`"),
                        ("absent", _) => parser.error(line, "@absent is empty or `yes`"),
                        _ => {}
                    }
                    row.attributes.push((Arc::clone(name), (*cell).into()));
                }
                Kind::Image(at) => {
                    let column = columns.get(*at).copied().unwrap_or_default();
                    let cell = parser.cell(line, column, cell);
                    if let Some(image) = row.images.get_mut(*at) {
                        *image = cell.emitted.map(|value| (value.into(), cell.lossy));
                    }
                    if let Some(accepted) = accepted.get_mut(*at) {
                        for value in cell.accepted {
                            parser.accept(line, column, canonical, number, value, accepted);
                        }
                    }
                }
            }
        }
        rows.push(row);
        row_lines.push(line);
    }
    if rows.is_empty() {
        parser.error(header_line, "the list has no rows");
    }

    let tables = columns.iter().zip(accepted).map(|(column, accepted)| {
        let note = notes.remove(*column).unwrap_or_default();
        ColumnTable { name: (*column).into(), uris: note.uris, versions: note.versions, index: Index::new(accepted.fold, accepted.entries) }
    });
    let (uri, version, title) = (meta_text("uri"), meta_text("version"), meta_text("title"));
    let mut list = CodeList { name: name.into(), uri: uri.into(), version, title, columns: tables.collect(), rows: Vec::new() };
    for row in &mut rows {
        row.coding = list.coding(&row.canonical, &row.label).into();
        row.system = Arc::clone(&list.uri);
    }
    list.rows = rows;
    (list, row_lines)
}
