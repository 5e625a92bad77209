// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Who takes part in a benchmark: one sender and one recipient of the demonstration's agreement, or a whole country of them.

use std::fmt::Write as _;

use super::cases::{CALLING, PULLING, PUSHED, Person, Recipient, STREAMING, Sender};
use crate::cli::init::AGREEMENT;

/// Senders and recipients. Person by person the next of each is taken.
#[derive(Debug)]
pub struct Network {
    /// Each refers its own persons.
    pub senders: Vec<Sender>,
    /// Each has a case system of its own.
    pub recipients: Vec<Recipient>,
}

impl Network {
    /// A sender and a recipient.
    pub fn pair(streams: bool, pulls: bool) -> Self {
        Self { senders: vec![if streams { STREAMING } else { CALLING }], recipients: vec![if pulls { PULLING } else { PUSHED }] }
    }

    /// So many centres, and Jobcenters that are called.
    pub fn country(centres: usize, jobcenters: usize) -> Self {
        let sender = |number| CALLING.like(format!("centre-{number:04}"));
        let recipient = |number| PUSHED.like(format!("jobcenter-{number:04}"));
        Self { senders: (0..centres).map(sender).collect(), recipients: (0..jobcenters).map(recipient).collect() }
    }

    /// The person with this number.
    pub fn person(&self, number: usize) -> Person {
        Person::new(self.senders[number % self.senders.len()].clone(), number)
    }

    /// Who is to help the person with this number.
    pub fn recipient(&self, number: usize) -> &Recipient {
        &self.recipients[number % self.recipients.len()]
    }

    /// The agreement of the demonstration, its pace beyond what is measured; recipients are called at these ports, in order. Who is not in it joins as the
    /// AWO or the Jobcenter of it.
    pub fn agreement(&self, ports: &[u16]) -> String {
        const ENDPOINT: &str = "https://localhost:7105";
        let pace = |text: &str| text.replace("in_flight = 64, per_second = 2000", "in_flight = 256, per_second = 100000");
        let mut agreement = pace(AGREEMENT);
        let called =
            |text: &str, port: Option<&u16>| port.map_or(text.to_owned(), |port| text.replace(ENDPOINT, &format!("https://localhost:{port}")));
        if self.senders.iter().any(|sender| AGREEMENT.contains(&*sender.institution)) {
            return called(&agreement, ports.first());
        }
        let centre = pace(&entries(&CALLING.institution, CALLING.unit));
        let jobcenter = pace(&entries(&PUSHED.institution, PUSHED.unit));
        for sender in &self.senders {
            let _ = write!(agreement, "\n{}", centre.replace(&*CALLING.institution, &sender.institution));
        }
        for (recipient, port) in self.recipients.iter().zip(ports) {
            let _ = write!(agreement, "\n{}", called(&jobcenter.replace(&*PUSHED.institution, &recipient.institution), Some(port)));
        }
        agreement
    }
}

/// What the demonstration's agreement says of a member and one of its units.
fn entries(member: &str, unit: &str) -> String {
    let (id, of, unit) = (format!("id = \"{member}\""), format!("institution = \"{member}\""), format!("id = \"{unit}\""));
    let about =
        |entry: &&str| entry.lines().any(|line| line == id) || (entry.lines().any(|line| line == of) && entry.lines().any(|line| line == unit));
    AGREEMENT.split("\n\n").filter(about).map(|entry| format!("{entry}\n\n")).collect()
}
