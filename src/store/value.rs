// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What columns hold, the same on both engines: whole numbers of 64 bits, text, bytes.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Row as _, ValueRef as _};

use super::StoreError;

/// A value on its way into a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `INTEGER`, `BIGINT`.
    Int(Option<i64>),
    /// `TEXT`.
    Text(String),
    /// `BLOB`, `BYTEA`.
    Bytes(Option<Vec<u8>>),
    /// Whole columns; PostgreSQL only.
    Ints(Vec<Option<i64>>),
    /// The same of texts.
    Texts(Vec<Option<String>>),
    /// The same of bytes.
    ByteStrings(Vec<Option<Vec<u8>>>),
}

/// One column of many rows as an array of PostgreSQL's type `kind`.
pub(super) fn array(kind: &str, column: impl Iterator<Item = Value>) -> Value {
    match kind {
        "bigint" => Value::Ints(column.map(|value| if let Value::Int(number) = value { number } else { None }).collect()),
        "text" => Value::Texts(column.map(|value| if let Value::Text(text) = value { Some(text) } else { None }).collect()),
        _ => Value::ByteStrings(column.map(|value| if let Value::Bytes(bytes) = value { bytes } else { None }).collect()),
    }
}

/// Values as an engine takes them.
pub(super) trait Bind: Arguments + Default {
    /// Binds the next one.
    fn bind(&mut self, value: Value) -> Result<(), sqlx::error::BoxDynError>;
}

impl Bind for SqliteArguments {
    fn bind(&mut self, value: Value) -> Result<(), sqlx::error::BoxDynError> {
        match value {
            Value::Int(number) => self.add(number),
            Value::Text(text) => self.add(text),
            Value::Bytes(bytes) => self.add(bytes),
            Value::Ints(_) | Value::Texts(_) | Value::ByteStrings(_) => Err("SQLite has no arrays".into()),
        }
    }
}

impl Bind for PgArguments {
    fn bind(&mut self, value: Value) -> Result<(), sqlx::error::BoxDynError> {
        match value {
            Value::Int(number) => self.add(number),
            Value::Text(text) => self.add(text),
            Value::Bytes(bytes) => self.add(bytes),
            Value::Ints(numbers) => self.add(numbers),
            Value::Texts(texts) => self.add(texts),
            Value::ByteStrings(strings) => self.add(strings),
        }
    }
}

/// All values of a statement.
pub(super) fn bound<A: Bind>(values: impl IntoIterator<Item = Value>) -> Result<A, StoreError> {
    let mut arguments = A::default();
    values.into_iter().try_for_each(|value| arguments.bind(value)).map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}

impl Value {
    /// Leaves nothing in its place.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Int(None))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}
impl From<i32> for Value {
    fn from(number: i32) -> Self {
        i64::from(number).into()
    }
}
impl From<u32> for Value {
    fn from(number: u32) -> Self {
        i64::from(number).into()
    }
}
impl From<u64> for Value {
    /// Sizes and indexes; none comes near 2^63.
    fn from(number: u64) -> Self {
        i64::try_from(number).unwrap_or(i64::MAX).into()
    }
}
impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        i64::from(flag).into()
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}
impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Some(bytes.to_vec()))
    }
}
impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Self {
        bytes.as_slice().into()
    }
}
impl<const N: usize> From<Option<[u8; N]>> for Value {
    fn from(bytes: Option<[u8; N]>) -> Self {
        Self::Bytes(bytes.map(|bytes| bytes.to_vec()))
    }
}

/// A row as it came back. Columns are counted from 0, as the statement names them.
#[derive(Debug)]
pub enum Row {
    /// Of SQLite.
    Sqlite(SqliteRow),
    /// Of PostgreSQL.
    Postgres(PgRow),
}

macro_rules! get {
    ($row:expr, $at:expr) => {
        match $row {
            Row::Sqlite(row) => Ok(row.try_get($at)?),
            Row::Postgres(row) => Ok(row.try_get($at)?),
        }
    };
}

impl Row {
    /// A whole number.
    pub fn int(&self, at: usize) -> Result<i64, StoreError> {
        get!(self, at)
    }
    /// A number that is never negative.
    pub fn size(&self, at: usize) -> Result<u64, StoreError> {
        u64::try_from(self.int(at)?).map_err(|_| StoreError::Damaged("a size below zero"))
    }
    /// A small number that is never negative: a word's number, a count, a mask.
    pub fn small(&self, at: usize) -> Result<u32, StoreError> {
        u32::try_from(self.int(at)?).map_err(|_| StoreError::Damaged("a small number out of range"))
    }
    /// A number that may be missing.
    pub fn maybe_int(&self, at: usize) -> Result<Option<i64>, StoreError> {
        get!(self, at)
    }
    /// Text.
    pub fn text(&self, at: usize) -> Result<&str, StoreError> {
        get!(self, at)
    }
    /// Bytes.
    pub fn bytes(&self, at: usize) -> Result<&[u8], StoreError> {
        get!(self, at)
    }
    /// Bytes that may be missing.
    pub fn maybe_bytes(&self, at: usize) -> Result<Option<&[u8]>, StoreError> {
        // An empty value of SQLite reads as none through Option<&[u8]>.
        let null = match self {
            Self::Sqlite(row) => row.try_get_raw(at)?.is_null(),
            Self::Postgres(row) => row.try_get_raw(at)?.is_null(),
        };
        if null { Ok(None) } else { self.bytes(at).map(Some) }
    }
}
