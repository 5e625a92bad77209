// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Loads with a name: how much real work there is.

use super::Args;

/// A year or a day of real work. Everybody concerned is referred three times a year.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Profile {
    /// A year of Bremen: 30,000 persons, 90,000 referrals, and after them as many calls as it carries
    BremenYear,
    /// A working day of Germany: 1,400 centres, 400 Jobcenters, the 66,000 of 5.5 million persons that are referred on it, and after them ten times what its
    /// busiest hour has (a fifth of the day)
    GermanyDay,
}

impl Profile {
    /// Says how much.
    pub fn set(self, args: &mut Args) {
        match self {
            Self::BremenYear => (args.persons, args.stored) = (30_000, 90_000),
            Self::GermanyDay => {
                (args.centres, args.jobcenters) = (1_400, 400);
                (args.persons, args.stored) = (66_000, 66_000);
                args.rate = Some(10.0 * 66_000.0 / 5.0 / 3600.0);
            }
        }
    }
}
