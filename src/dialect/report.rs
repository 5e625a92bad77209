// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What became of each field. Reports and errors name fields and never quote values: they travel into receipts, logs and errors.

use std::borrow::Cow;
use std::fmt;

use crate::proto::exchange;
use crate::proto::types::DataCategory;

/// What became of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Arrives as it was.
    Exact,
    /// Arrives with less than it had; says how.
    Lossy(Cow<'static, str>),
    /// Was empty and got the dialect's default.
    Defaulted,
    /// Its category is not covered.
    Withheld(DataCategory),
    /// The other side has no place for it; says why.
    Dropped(Cow<'static, str>),
    /// The other side has no word for it; says why.
    Unmappable(Cow<'static, str>),
}

/// One field and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldReport {
    /// Canonical path on render, the dialect's own on read, such as `subject.languages[1].language`.
    pub path: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of the fields of one message; exact ones only if they were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order in which the rules ran.
    pub fields: Vec<FieldReport>,
}

impl Report {
    /// As the contract carries it.
    pub fn into_proto(self) -> Vec<exchange::FieldReport> {
        self.fields.into_iter().map(FieldReport::into_proto).collect()
    }
    /// The fields that stayed behind because their category is not covered.
    pub fn withheld(&self) -> impl Iterator<Item = (&str, DataCategory)> {
        self.fields.iter().filter_map(|field| match field.outcome {
            Outcome::Withheld(category) => Some((field.path.as_str(), category)),
            _ => None,
        })
    }
}

impl FieldReport {
    /// As the contract carries it.
    pub fn into_proto(self) -> exchange::FieldReport {
        use exchange::FieldOutcome as O;
        let (outcome, detail) = match self.outcome {
            Outcome::Exact => (O::Exact, String::new()),
            Outcome::Lossy(how) => (O::Lossy, how.into_owned()),
            Outcome::Defaulted => (O::Defaulted, String::new()),
            Outcome::Withheld(category) => (O::Withheld, category.as_str_name().trim_start_matches("DATA_CATEGORY_").to_owned()),
            Outcome::Dropped(why) => (O::Dropped, why.into_owned()),
            Outcome::Unmappable(why) => (O::Unmappable, why.into_owned()),
        };
        exchange::FieldReport { path: self.path, outcome: outcome.into(), detail }
    }
}

/// Why a message could not be translated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranslateError {
    /// The dialect has no such message, or the message stands for nothing by itself.
    #[error("the dialect {dialect} has no message {message} that stands for a canonical one")]
    UnknownMessage {
        /// The dialect.
        dialect: String,
        /// The full name that was asked for.
        message: String,
    },
    /// The bytes are no message of that type.
    #[error("the bytes are not a {message}: check that both sides use the same contract")]
    Undecodable {
        /// Full name of the type.
        message: String,
    },
    /// JSON that is no message of that type; tools only. The place, without the text.
    #[error("the JSON is not a {message}: {reason}")]
    Json {
        /// Full name of the type.
        message: String,
        /// What and where; for people who hold the file.
        reason: String,
    },
    /// Everything that is wrong with the fields; never empty.
    #[error("{}", Problems(.0))]
    Fields(Vec<FieldProblem>),
}

impl TranslateError {
    /// The problems with fields; empty for the other kinds.
    pub fn problems(&self) -> &[FieldProblem] {
        match self {
            Self::Fields(problems) => problems,
            _ => &[],
        }
    }
}

struct Problems<'a>(&'a [FieldProblem]);

impl fmt::Display for Problems<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// One thing that is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {kind}", if path.is_empty() { canonical_path } else { path })]
pub struct FieldProblem {
    /// Path in the dialect's message; empty if no field of it is to blame (something is missing).
    pub path: String,
    /// Path in the hub; empty if the text could not be brought that far.
    pub canonical_path: String,
    /// What is wrong.
    pub kind: ProblemKind,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProblemKind {
    /// The code is not in the list.
    #[error("the code is not in list {list}")]
    UnknownCode {
        /// Name of list and column.
        list: String,
    },
    /// The code is in the list and must not be used.
    #[error("the code is reserved in list {list} and stands for nobody")]
    ReservedCode {
        /// Name of list and column.
        list: String,
    },
    /// The code comes without the name of its list.
    #[error("a code needs the name of its list ({list})")]
    CodeWithoutSystem {
        /// URI that is expected.
        list: String,
    },
    /// The code comes from a list that this field does not take.
    #[error("the code comes from another list than {list}")]
    WrongSystem {
        /// URI that is expected.
        list: String,
    },
    /// The code comes from a version of the list that this field does not take.
    #[error("the code comes from another version than {list} has")]
    WrongVersion {
        /// URI and version that are expected.
        list: String,
    },
    /// There is no such day or time.
    #[error("there is no such date or time")]
    ImpossibleDate,
    /// A character that German registers do not know (DIN 91379).
    #[error("character {position} is outside DIN 91379 type {datatype}")]
    OutsideDin91379 {
        /// Counted in characters from 1.
        position: usize,
        /// `A` for names, `C` for other texts.
        datatype: char,
    },
    /// A recipient cannot work without the field and the target has no word for its value.
    #[error("the value has no counterpart and the field is mandatory")]
    Unmappable,
    /// A field that no referral goes without is empty.
    #[error("the field is mandatory and empty")]
    Missing,
    /// The text does not have the shape that the dialect promises.
    #[error("the text must be {expected}")]
    Malformed {
        /// The shape.
        expected: String,
    },
    /// Two fields say different things about one.
    #[error("the field contradicts {other}")]
    Contradiction {
        /// Path of the other field.
        other: String,
    },
}
