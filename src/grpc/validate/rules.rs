// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The single rules: what each asks for and whether a value keeps it.

use regex::Regex;

use super::text;

/// A rule of a number, a bool or an enum, whose value is widened so that every type fits.
#[derive(Debug)]
pub(super) enum NumberRule {
    Const(i128),
    Lt(i128),
    Lte(i128),
    Gt(i128),
    Gte(i128),
    In(Vec<i128>),
    NotIn(Vec<i128>),
    /// Sorted.
    DefinedOnly(Vec<i128>),
}

impl NumberRule {
    pub(super) fn holds(&self, value: i128) -> bool {
        match self {
            Self::Const(c) => value == *c,
            Self::Lt(n) => value < *n,
            Self::Lte(n) => value <= *n,
            Self::Gt(n) => value > *n,
            Self::Gte(n) => value >= *n,
            Self::In(list) => list.contains(&value),
            Self::NotIn(list) => !list.contains(&value),
            Self::DefinedOnly(list) => list.binary_search(&value).is_ok(),
        }
    }

    pub(super) fn id(&self) -> &'static str {
        match self {
            Self::Const(_) => "const",
            Self::Lt(_) => "lt",
            Self::Lte(_) => "lte",
            Self::Gt(_) => "gt",
            Self::Gte(_) => "gte",
            Self::In(_) => "in",
            Self::NotIn(_) => "not_in",
            Self::DefinedOnly(_) => "defined_only",
        }
    }

    pub(super) fn wish(&self) -> String {
        match self {
            Self::Const(n) => format!("must be {n}"),
            Self::Lt(n) => format!("must be less than {n}"),
            Self::Lte(n) => format!("must be at most {n}"),
            Self::Gt(n) => format!("must be greater than {n}"),
            Self::Gte(n) => format!("must be at least {n}"),
            Self::In(_) => "must be one of the values that the contract lists".into(),
            Self::NotIn(_) => "must not be one of the values that the contract excludes".into(),
            Self::DefinedOnly(_) => "must be a value that the enum defines".into(),
        }
    }
}

/// A rule of a string.
#[derive(Debug)]
pub(super) enum TextRule {
    Const(String),
    Len(u64),
    MinLen(u64),
    MaxLen(u64),
    LenBytes(u64),
    MinBytes(u64),
    MaxBytes(u64),
    Pattern(Regex),
    Prefix(String),
    Suffix(String),
    Contains(String),
    In(Vec<String>),
    NotIn(Vec<String>),
    Email,
    Hostname,
    Uri,
    Uuid,
}

impl TextRule {
    pub(super) fn holds(&self, value: &str) -> bool {
        let chars = || value.chars().count() as u64;
        let bytes = value.len() as u64;
        match self {
            Self::Const(c) => value == c,
            Self::Len(n) => chars() == *n,
            Self::MinLen(n) => chars() >= *n,
            Self::MaxLen(n) => bytes <= *n || chars() <= *n,
            Self::LenBytes(n) => bytes == *n,
            Self::MinBytes(n) => bytes >= *n,
            Self::MaxBytes(n) => bytes <= *n,
            Self::Pattern(pattern) => pattern.is_match(value),
            Self::Prefix(p) => value.starts_with(p.as_str()),
            Self::Suffix(s) => value.ends_with(s.as_str()),
            Self::Contains(c) => value.contains(c.as_str()),
            Self::In(list) => list.iter().any(|v| v == value),
            Self::NotIn(list) => list.iter().all(|v| v != value),
            Self::Email => text::is_email(value),
            Self::Hostname => text::is_hostname(value),
            Self::Uri => text::is_uri(value),
            Self::Uuid => text::is_uuid(value),
        }
    }

    pub(super) fn id(&self) -> &'static str {
        match self {
            Self::Const(_) => "const",
            Self::Len(_) => "len",
            Self::MinLen(_) => "min_len",
            Self::MaxLen(_) => "max_len",
            Self::LenBytes(_) => "len_bytes",
            Self::MinBytes(_) => "min_bytes",
            Self::MaxBytes(_) => "max_bytes",
            Self::Pattern(_) => "pattern",
            Self::Prefix(_) => "prefix",
            Self::Suffix(_) => "suffix",
            Self::Contains(_) => "contains",
            Self::In(_) => "in",
            Self::NotIn(_) => "not_in",
            Self::Email => "email",
            Self::Hostname => "hostname",
            Self::Uri => "uri",
            Self::Uuid => "uuid",
        }
    }

    pub(super) fn wish(&self) -> String {
        match self {
            Self::Const(c) => format!("must be `{c}`"),
            Self::Len(n) => format!("must have {n} characters"),
            Self::MinLen(n) => format!("must have at least {n} characters"),
            Self::MaxLen(n) => format!("must have at most {n} characters"),
            Self::LenBytes(n) => format!("must have {n} bytes"),
            Self::MinBytes(n) => format!("must have at least {n} bytes"),
            Self::MaxBytes(n) => format!("must have at most {n} bytes"),
            Self::Pattern(pattern) => format!("must match `{pattern}`"),
            Self::Prefix(p) => format!("must begin with `{p}`"),
            Self::Suffix(s) => format!("must end with `{s}`"),
            Self::Contains(c) => format!("must contain `{c}`"),
            Self::In(_) => "must be one of the values that the contract lists".into(),
            Self::NotIn(_) => "must not be one of the values that the contract excludes".into(),
            Self::Email => "must be an e-mail address".into(),
            Self::Hostname => "must be a host name".into(),
            Self::Uri => "must be an absolute URI".into(),
            Self::Uuid => "must be a UUID such as 0193b2c4-7d1e-4a6b-9c3d-0123456789ab".into(),
        }
    }
}

/// A rule of a bytes field.
#[derive(Debug, Clone, Copy)]
pub(super) enum BytesRule {
    Len(u64),
    MinLen(u64),
    MaxLen(u64),
}

impl BytesRule {
    pub(super) fn holds(self, value: &[u8]) -> bool {
        let len = value.len() as u64;
        match self {
            Self::Len(n) => len == n,
            Self::MinLen(n) => len >= n,
            Self::MaxLen(n) => len <= n,
        }
    }

    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Len(_) => "len",
            Self::MinLen(_) => "min_len",
            Self::MaxLen(_) => "max_len",
        }
    }

    pub(super) fn wish(self) -> String {
        match self {
            Self::Len(n) => format!("must have {n} bytes"),
            Self::MinLen(n) => format!("must have at least {n} bytes"),
            Self::MaxLen(n) => format!("must have at most {n} bytes"),
        }
    }
}
