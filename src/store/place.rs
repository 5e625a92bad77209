// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::fmt;
use std::path::{Path, PathBuf};

use super::StoreError;

/// Where a database lies.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A file of SQLite.
    File(PathBuf),
    /// A database of a PostgreSQL server, by its address.
    Server(String),
}

impl Place {
    /// From what a person writes: an address `postgres://…`, or the path of a file (with or without `sqlite:`) as seen from `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, StoreError> {
        if ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            let address: Result<sqlx::postgres::PgConnectOptions, _> = text.parse();
            return address.map(|_| Self::Server(text.to_owned())).map_err(|_| StoreError::Address(without_password(text)));
        }
        match text.strip_prefix("sqlite:").unwrap_or(text) {
            path if path.is_empty() || path.contains("://") => Err(StoreError::Address(without_password(text))),
            path => Ok(Self::File(folder.join(path))),
        }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Server(_) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An address as it may be shown: no password, no parameters (one of them can be a password too).
fn without_password(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    match url.split_once("://").and_then(|(scheme, rest)| rest.rsplit_once('@').map(|(user, host)| (scheme, user, host))) {
        Some((scheme, user, host)) => format!("{scheme}://{}@{host}", user.split(':').next().unwrap_or_default()),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let place = Place::parse("postgres://weiche:geheim@db.example.invalid:5432/weiche?password=geheim", Path::new("/etc")).unwrap();
        assert_eq!(place.to_string(), "postgres://weiche@db.example.invalid:5432/weiche");
        assert_eq!(format!("{place:?}"), place.to_string());
    }

    #[test]
    fn a_path_is_seen_from_its_folder() {
        assert_eq!(Place::parse("weiche.db", Path::new("/etc/weiche")).unwrap(), Place::File("/etc/weiche/weiche.db".into()));
        assert_eq!(Place::parse("sqlite:/var/w.db", Path::new("/etc")).unwrap(), Place::File("/var/w.db".into()));
        assert!(matches!(Place::parse("mysql://u:geheim@h/w", Path::new("/")), Err(StoreError::Address(shown)) if shown == "mysql://u@h/w"));
    }
}
