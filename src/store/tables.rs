// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Which tables a database has, and whether this program may work on them.
//!
//! A migration that leaves the program before it able to work says so in its name: `0009_from_0008_second_channel.sql` is for tables that programs
//! made for version 8 read and write as well. So a new version comes in machine by machine, and goes back out without a backup. A migration
//! that says nothing shuts older programs out (docs/decisions/0016).

use super::StoreError;

/// The tables of a database, seen from this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tables {
    /// Version of the tables; 0: none.
    pub found: i64,
    /// Version that this program was made for.
    pub wanted: i64,
    /// The oldest version whose programs may work on them.
    pub oldest: i64,
}

impl Tables {
    /// From the versions and descriptions of the migrations that were run.
    pub(super) fn of(applied: &[(i64, String)], wanted: i64) -> Self {
        let newer = applied.iter().filter(|(version, _)| *version > wanted);
        Self {
            found: applied.iter().map(|(version, _)| *version).max().unwrap_or(0),
            wanted,
            oldest: newer.map(|(version, description)| oldest(description).unwrap_or(*version)).max().unwrap_or(wanted),
        }
    }

    /// Refuses tables that this program must not work on: older ones, and newer ones that are not for it.
    pub fn usable(self) -> Result<(), StoreError> {
        let Self { found, wanted, oldest } = self;
        if found >= wanted && oldest <= wanted { Ok(()) } else { Err(StoreError::Version { found, wanted }) }
    }

    /// Refuses tables of any other version, usable or not.
    pub fn same(self) -> Result<(), StoreError> {
        let Self { found, wanted, .. } = self;
        if found == wanted { Ok(()) } else { Err(StoreError::Version { found, wanted }) }
    }
}

/// The oldest tables whose programs a migration allows, if it does: `from 0008 ...`, as sqlx writes a file's name.
fn oldest(description: &str) -> Option<i64> {
    description.strip_prefix("from ")?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_newer_version_that_names_this_one_or_an_older_is_worked_on() {
        let usable = |applied: &[(i64, &str)]| {
            let applied: Vec<_> = applied.iter().map(|(version, name)| (*version, (*name).to_owned())).collect();
            Tables::of(&applied, 7).usable().is_ok()
        };
        let (six, seven) = ((6, "from 0001 an index"), (7, "texts"));
        assert!(usable(&[six, seven]));
        assert!(usable(&[six, seven, (8, "from 0007 a column"), (9, "from 0003 an index")]));
        for not in [[(8, "a column"), (9, "from 0007 an index")], [(8, "from 0007 a column"), (9, "from 0008 an index")], [(8, "from here"), (9, "")]]
        {
            assert!(!usable(&[&[six, seven], &not[..]].concat()), "{not:?}");
        }
        assert!(!usable(&[six]), "older tables are brought up first, whatever they allow");
        assert!(!usable(&[]));
    }
}
