// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Code lists: which code of one system stands for which canonical code.
//!
//! A list is a file of `proto/codelists/`; its README describes the format. A value is only ever looked up in a named column,
//! never in "any": `SY` is Syria in ISO 3166-1 and the Seychelles in DEÜV Anlage 8, and nothing in the two letters tells which.
//!
//! ```
//! use weiche::dialect::codelist::CodeLists;
//!
//! let lists = CodeLists::embedded()?;
//! let iso = lists.column("nationality", "iso2").ok_or("no such column")?;
//! assert_eq!(iso.to_canonical("SY")?.canonical(), "475");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod index;
mod parse;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use index::{Encodings, Index};
use prost::Message;

use crate::proto::types::{Coding, DataCategory};

/// One thing wrong with a code list file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct CodeListError {
    /// The list's name, with the file's ending: `gender.tsv`.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong and how to put it right.
    pub message: String,
}

/// All that is wrong with a set of code list files; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeListErrors(pub Vec<CodeListError>);

impl fmt::Display for CodeListErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for CodeListErrors {}

/// Why a code has no canonical meaning. The code itself is left out: it belongs to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The column does not have the code, or several rows share it and none may be guessed.
    #[error("the code is not in the list, or it is ambiguous there")]
    Unknown,
    /// The list has the code but forbids its use (`910` of the nationalities, a territory that is no nationality).
    #[error("the code is reserved and must not be used for a person")]
    Reserved,
}

/// What kind of row it is (`@status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// In use.
    #[default]
    Current,
    /// No longer given out, still found on people's papers: Yugoslavia.
    Historic,
    /// Not a value like the others: stateless, unclear.
    Special,
    /// Refused on input, never emitted.
    Reserved,
}

/// What a canonical code looks like in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image<'a> {
    /// The code that the column's system uses.
    pub value: &'a str,
    /// The code does not lead back to this row: several canonical codes share it.
    pub lossy: bool,
}

/// One canonical code.
#[derive(Debug, Clone)]
pub struct Row {
    canonical: Box<str>,
    label: Box<str>,
    status: Status,
    absent: bool,
    attributes: Vec<(Arc<str>, Box<str>)>,
    category: Option<DataCategory>,
    images: Vec<Option<(Box<str>, bool)>>,
    system: Arc<str>,
    coding: Box<[u8]>,
}

impl Row {
    /// The canonical code; for a tuple its parts joined by `+`.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
    /// The parts of a tuple in order; a single one for a plain code.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.canonical.split('+')
    }
    /// The plain German label (SGB III section 396: no code leaves without one); empty if the list has none.
    pub fn label(&self) -> &str {
        &self.label
    }
    /// The name of its list's code system.
    pub(in crate::dialect) fn system(&self) -> &str {
        &self.system
    }
    /// The code as a `weiche.type.v1.Coding`, encoded.
    pub(in crate::dialect) fn coding(&self) -> &[u8] {
        &self.coding
    }
    /// In use, historic, special or reserved.
    pub fn status(&self) -> Status {
        self.status
    }
    /// The code only says that there is no statement (`999` of the nationalities): the canonical field stays empty.
    pub fn is_absent(&self) -> bool {
        self.absent
    }
    /// The category that the code demands besides that of its field (`@category`).
    pub fn category(&self) -> Option<DataCategory> {
        self.category
    }
    /// The value of column `@name`; none if it is empty or the list has no such column.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| **key == *name).map(|(_, value)| &**value)
    }
    /// Whether attribute `name`, a list separated by blanks, contains `word`; `*` contains every word.
    pub fn attribute_lists(&self, name: &str, word: &str) -> bool {
        self.attribute(name).is_some_and(|list| list.split(' ').any(|one| one == word || one == "*"))
    }
}

/// The same code of the same list.
impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.coding == other.coding
    }
}

/// One code list.
#[derive(Debug, Clone)]
pub struct CodeList {
    name: Box<str>,
    uri: Arc<str>,
    version: Box<str>,
    title: Box<str>,
    rows: Vec<Row>,
    /// The first is `canonical` itself.
    columns: Vec<ColumnTable>,
}

#[derive(Debug, Clone)]
struct ColumnTable {
    name: Box<str>,
    uris: Vec<Box<str>>,
    versions: Vec<Box<str>>,
    index: Index,
}

impl CodeList {
    /// The file's name without its ending.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The name of the canonical code system (XÖV `listURI`).
    pub fn uri(&self) -> &str {
        &self.uri
    }
    /// Its version (XÖV `listVersionID`).
    pub fn version(&self) -> &str {
        &self.version
    }
    /// What the list is, in English.
    pub fn title(&self) -> &str {
        &self.title
    }
    /// All rows in the order of the file.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
    /// The columns with images; `canonical` is the first.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| &*column.name)
    }
    /// The row of a canonical code, reserved ones included.
    pub fn get(&self, canonical: &str) -> Option<&Row> {
        self.rows.get(self.columns.first()?.index.find(canonical)?)
    }
    /// A code of the list as a `weiche.type.v1.Coding`, encoded.
    fn coding(&self, code: &str, label: &str) -> Vec<u8> {
        let [system, version, code, display] = [&*self.uri, &*self.version, code, label].map(str::to_owned);
        Coding { system, version, code, display }.encode_to_vec()
    }
    fn get_parts(&self, parts: &[&str]) -> Option<&Row> {
        self.rows.get(self.columns.first()?.index.find_joined(parts)?)
    }
}

/// A column of a list, resolved once when a plan is compiled; cheap to clone, looks up without allocating.
#[derive(Debug, Clone)]
pub struct Column {
    list: Arc<CodeList>,
    at: usize,
}

impl Column {
    /// The list that the column belongs to.
    pub fn list(&self) -> &CodeList {
        &self.list
    }
    /// The column's name.
    pub fn name(&self) -> &str {
        self.table().map_or("", |table| &table.name)
    }
    /// The code system that the column's own codes come from; the list's if it names none.
    pub fn uri(&self) -> &str {
        self.table().and_then(|table| table.uris.first()).map_or(&*self.list.uri, |uri| uri)
    }
    /// The version to emit next to [`Column::uri`].
    pub fn version(&self) -> &str {
        match self.table() {
            Some(table) if !table.uris.is_empty() || !table.versions.is_empty() => table.versions.first().map_or("", |version| version),
            _ => &self.list.version,
        }
    }
    /// Whether a code that came with system `uri` may be looked up here.
    pub fn accepts_uri(&self, uri: &str) -> bool {
        match self.table() {
            Some(table) if !table.uris.is_empty() => table.uris.iter().any(|one| **one == *uri),
            _ => *self.list.uri == *uri,
        }
    }
    /// Whether a code of version `version` may be looked up here; every version if the column names none.
    pub fn accepts_version(&self, version: &str) -> bool {
        self.table().is_none_or(|table| table.versions.is_empty() || table.versions.iter().any(|one| **one == *version))
    }
    /// The row that a code of this column stands for.
    ///
    /// # Errors
    /// [`LookupError`]; see there.
    pub fn to_canonical(&self, value: &str) -> Result<&Row, LookupError> {
        let row = self.table().and_then(|table| table.index.find(value)).and_then(|at| self.list.rows.get(at));
        match row {
            Some(row) if row.status == Status::Reserved => Err(LookupError::Reserved),
            Some(row) => Ok(row),
            None => Err(LookupError::Unknown),
        }
    }
    /// The code that stands for a canonical code; none if the column has no word for it.
    pub fn to_dialect(&self, canonical: &str) -> Option<Image<'_>> {
        self.image(self.list.get(canonical)?)
    }
    /// The same for a tuple given in parts, without joining them: `["MARRIED", "true"]`.
    pub fn to_dialect_parts(&self, parts: &[&str]) -> Option<Image<'_>> {
        self.image(self.list.get_parts(parts)?)
    }
    /// Whether a row is one of this list, and not one of the same name in another.
    pub(in crate::dialect) fn holds(&self, row: &Row) -> bool {
        self.list.rows.as_ptr_range().contains(&std::ptr::from_ref(row))
    }
    /// The code that stands for a row of this list.
    pub fn image<'a>(&self, row: &'a Row) -> Option<Image<'a>> {
        match row.images.get(self.at) {
            Some(Some((value, lossy))) if row.status != Status::Reserved => Some(Image { value, lossy: *lossy }),
            _ => None,
        }
    }
    fn table(&self) -> Option<&ColumnTable> {
        self.list.columns.get(self.at)
    }
}

/// All code lists that plans may name.
#[derive(Debug, Clone, Default)]
pub struct CodeLists {
    names: BTreeMap<String, Arc<CodeList>>,
    /// Lists of one code system, by name.
    uris: HashMap<Arc<str>, Vec<Arc<CodeList>>>,
    encodings: Encodings,
}

impl CodeLists {
    /// Reads lists from `(name, text)`, the name without the file's ending.
    ///
    /// # Errors
    /// Every problem of every file at once.
    pub fn load<N: AsRef<str>, T: AsRef<str>>(files: impl IntoIterator<Item = (N, T)>) -> Result<Self, CodeListErrors> {
        let mut lists = BTreeMap::new();
        let mut errors = Vec::new();
        for (name, text) in files {
            let name = name.as_ref();
            let list = parse::parse(name, text.as_ref(), &mut errors);
            if lists.insert(name.to_owned(), Arc::new(list)).is_some() {
                let message = "there are two lists of this name: rename one".to_owned();
                errors.push(CodeListError { file: format!("{name}.tsv"), line: 1, message });
            }
        }
        if !errors.is_empty() {
            return Err(CodeListErrors(errors));
        }
        Ok(Self::of(lists))
    }

    fn of(names: BTreeMap<String, Arc<CodeList>>) -> Self {
        let mut uris: HashMap<Arc<str>, Vec<Arc<CodeList>>> = HashMap::new();
        for list in names.values() {
            uris.entry(Arc::clone(&list.uri)).or_default().push(Arc::clone(list));
        }
        let encodings = Encodings::new(uris.values());
        Self { names, uris, encodings }
    }

    /// With the columns that dialects bring for their own words, as `(list, file, text)`: a table with the canonical codes that they have
    /// words for. `file` is named in errors.
    ///
    /// # Errors
    /// Every problem of every file at once; canonical codes that the list does not have, and columns that it has already, among them.
    pub fn with_columns<'t>(&self, files: impl IntoIterator<Item = (&'t str, &'t str, &'t str)>) -> Result<Self, CodeListErrors> {
        let mut names = self.names.clone();
        let mut errors = Vec::new();
        for (name, file, text) in files {
            let (added, lines) = parse::columns(name, file, text, &mut errors);
            let mut error = |line: usize, message: String| errors.push(CodeListError { file: file.to_owned(), line, message });
            let Some(list) = names.get_mut(name) else {
                let lists = self.names.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                error(1, format!("there is no list `{name}` to add a column to; there are {lists}"));
                continue;
            };
            let rows: Vec<Option<usize>> = added.rows.iter().map(|row| list.columns.first()?.index.find(&row.canonical)).collect();
            for ((row, line), _) in added.rows.iter().zip(&lines).zip(&rows).filter(|(_, row)| row.is_none()) {
                error(*line, format!("list {name} has no canonical code `{}`", row.canonical));
            }
            // Nobody else holds what was just made.
            let list = Arc::make_mut(list);
            for (at, column) in added.columns.iter().enumerate().skip(1) {
                if list.columns.iter().any(|one| one.name == column.name) {
                    error(1, format!("list {name} has a column `{}` already; give yours the name of your dialect", column.name));
                    continue;
                }
                list.columns.push(ColumnTable { index: column.index.renumbered(&rows), ..column.clone() });
                let mut images = vec![None; list.rows.len()];
                for (row, number) in added.rows.iter().zip(&rows) {
                    if let Some(image) = number.and_then(|number| images.get_mut(number)) {
                        *image = row.images.get(at).cloned().flatten();
                    }
                }
                list.rows.iter_mut().zip(images).for_each(|(row, image)| row.images.push(image));
            }
        }
        if errors.is_empty() { Ok(Self::of(names)) } else { Err(CodeListErrors(errors)) }
    }

    /// The lists that are part of this build.
    ///
    /// # Errors
    /// None in a build whose tests passed; the lists are checked like any other.
    pub fn embedded() -> Result<Self, CodeListErrors> {
        Self::load(EMBEDDED.iter().copied())
    }

    /// A list by name.
    pub fn list(&self, list: &str) -> Option<&CodeList> {
        self.names.get(list).map(|list| &**list)
    }

    /// A column by the names of list and column; `canonical` is a column of every list.
    pub fn column(&self, list: &str, column: &str) -> Option<Column> {
        let list = self.names.get(list)?;
        let at = list.columns.iter().position(|one| *one.name == *column)?;
        Some(Column { list: Arc::clone(list), at })
    }

    /// The lists of a code system, by name; none if the gateway has no list of it.
    pub fn of_system(&self, uri: &str) -> &[Arc<CodeList>] {
        self.uris.get(uri).map(Vec::as_slice).unwrap_or_default()
    }

    /// The row of a code as [`CodeLists::code`] finds it, known by the bytes that the gateway writes for it; none for any other bytes.
    pub(in crate::dialect) fn encoded(&self, coding: &[u8]) -> Option<&Row> {
        self.encodings.find(coding)
    }

    /// The row of a code of a code system; of the first list that has it.
    pub(in crate::dialect) fn code(&self, system: &str, code: &str) -> Option<&Row> {
        self.of_system(system).iter().find_map(|list| list.get(code))
    }

    /// All lists, by name.
    pub fn iter(&self) -> impl Iterator<Item = &CodeList> {
        self.names.values().map(|list| &**list)
    }
}

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        /// Every file of `proto/codelists/`; a test compares with the folder.
        const EMBEDDED: &[(&str, &str)] =
            &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/proto/codelists/", $name, ".tsv")))),+];
    };
}

embedded!(
    "attendance",
    "capability",
    "consent_form",
    "consent_quality",
    "consent_state",
    "data_category",
    "decision_reason",
    "explanation_mode",
    "field_outcome",
    "gender",
    "german_level",
    "grantor_kind",
    "interpreter_kind",
    "language",
    "legal_basis",
    "level_source",
    "marital",
    "marital_status",
    "measure",
    "municipality",
    "nationality",
    "purpose",
    "recall_answer",
    "recognition",
    "referral_state",
    "regime",
    "reminder_kind",
    "residence",
    "school",
    "status_reason",
    "topic",
    "vocational",
    "withdrawal_scope",
    "work_permission",
);

#[cfg(test)]
mod tests;
