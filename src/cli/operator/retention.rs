// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche retention`: what is due for erasure, erasing it, legal holds, and what is there of one person.

use std::fmt;
use std::path::PathBuf;

use super::{Door, Row, Rows, instant, refused};
use crate::cli::terminal::{Exit, Failure, Output};
use crate::dialect::Category;
use crate::id::{InstitutionId, RequestId};
use crate::proto::admin as wire;

/// Shows and erases what is due, places and lifts legal holds, and does what persons may ask for: report, restriction, correction, erasure
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    door: Door,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Shows what is due by the periods of the configuration; with --apply erases it, keys and all
    Run {
        /// Only shows it, as without --apply
        #[arg(long, conflicts_with = "apply")]
        dry_run: bool,
        /// Erases it
        #[arg(long)]
        apply: bool,
    },
    /// Keeps everything of a person until a day, for a reason
    Hold {
        #[command(flatten)]
        person: Person,
        /// Why: a norm and a file number, no story
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Its last day in Bremen, such as 2027-12-31, or the instant of its end, such as 2027-12-31T23:00:00Z
        #[arg(long, value_name = "DAY", value_parser = end_of)]
        until: jiff::Timestamp,
        /// Id of this request, to repeat it safely; drawn unless given
        #[arg(long, value_name = "UUID")]
        request: Option<RequestId>,
    },
    /// Ends a legal hold
    Lift {
        #[command(flatten)]
        person: Person,
        /// Id of this request, to repeat it safely; drawn unless given
        #[arg(long, value_name = "UUID")]
        request: Option<RequestId>,
    },
    /// Lists legal holds, the earliest end first
    Holds {
        /// At most so many
        #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Writes everything that is there of a person as a page for people and a file for programs; who asks is noted in the log
    Report {
        #[command(flatten)]
        person: Person,
        /// Second language of the page after German, such as ar, en, fa, tr, uk
        #[arg(long, value_name = "LANGUAGE", default_value = "de")]
        language: String,
        /// Page to write, HTML; nothing is written over
        #[arg(long, value_name = "FILE")]
        html: PathBuf,
        /// File to write, JSON; nothing is written over
        #[arg(long, value_name = "FILE")]
        json: PathBuf,
    },
    /// Restricts processing of a person's data: nothing is passed on or erased, and recipients are told (Art. 18 GDPR); for institutions that cannot
    Restrict {
        #[command(flatten)]
        person: Person,
        /// Ends the restriction instead; what it blocked is submitted again by its sender
        #[arg(long)]
        lift: bool,
        /// Id of this request, to repeat it safely; drawn unless given
        #[arg(long, value_name = "UUID")]
        request: Option<RequestId>,
    },
    /// Tells the recipient of a delivered referral which data were wrong (Art. 16, 19 GDPR); the right ones its sender submits; for institutions that cannot
    Correct {
        /// The institution that sent the referral
        #[arg(long, value_name = "MEMBER")]
        institution: InstitutionId,
        /// The referral
        #[arg(long, value_name = "UUID")]
        referral: uuid::Uuid,
        /// A kind of data that was wrong, such as CONTACT; once for each
        #[arg(long = "data", value_name = "KIND", required = true, value_parser = kind_of_data)]
        data: Vec<Category>,
        /// Id of this request, to repeat it safely; drawn unless given
        #[arg(long, value_name = "UUID")]
        request: Option<RequestId>,
    },
    /// Erases everything of a person at once, in the name of the institution that has to; nothing brings it back
    Erase {
        #[command(flatten)]
        person: Person,
        /// Id of this request, to repeat it safely; drawn unless given
        #[arg(long, value_name = "UUID")]
        request: Option<RequestId>,
    },
}

/// A day means its end in Bremen.
fn end_of(text: &str) -> Result<jiff::Timestamp, String> {
    let end = |day: jiff::civil::Date| day.tomorrow().ok()?.in_tz("Europe/Berlin").ok().map(|end| end.timestamp());
    let day = || text.parse().ok().and_then(end);
    text.parse().ok().or_else(day).ok_or_else(|| "say a day such as 2027-12-31, or an instant such as 2027-12-31T23:00:00Z".to_owned())
}

fn kind_of_data(text: &str) -> Result<Category, String> {
    let found = Category::ALL.iter().find(|one| one.name().eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| format!("say one of {}", Category::ALL.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ")))
}

#[derive(Debug, clap::Args)]
struct Person {
    /// The institution whose reference it is
    #[arg(long, value_name = "MEMBER")]
    institution: InstitutionId,
    /// Its reference of the person
    #[arg(long, value_name = "REFERENCE")]
    subject_ref: String,
}

impl Args {
    pub(in crate::cli) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let mut client = self.door.retention()?;
        let id = |request: Option<RequestId>| request.unwrap_or_else(RequestId::random).to_string();
        let failed = |status: tonic::Status| refused(&status);
        match self.verb {
            Verb::Run { apply, .. } => {
                let answer = client.run_retention(wire::RunRetentionRequest { apply }).await.map_err(failed)?.into_inner();
                output.print(&Ran::new(answer.purged.unwrap_or_default(), answer.applied, answer.emptied));
            }
            Verb::Hold { person: Person { institution, subject_ref }, reason, until, request } => {
                let until = Some(prost_types::Timestamp { seconds: until.as_second(), nanos: until.subsec_nanosecond() });
                let (request_id, institution) = (id(request), institution.to_string());
                let request = wire::PlaceLegalHoldRequest { request_id, institution, subject_ref, reason, until };
                let known = client.place_legal_hold(request).await.map_err(failed)?.into_inner().known;
                output.print(&Done::about(known, "The hold stands; nothing of the person is erased before its end."));
            }
            Verb::Lift { person: Person { institution, subject_ref }, request } => {
                let (request_id, institution) = (id(request), institution.to_string());
                client.lift_legal_hold(wire::LiftLegalHoldRequest { request_id, institution, subject_ref }).await.map_err(failed)?;
                output.print(&Done::about(true, "No hold stands any more; what was due goes with the next run."));
            }
            Verb::Holds { limit } => {
                let answer = client.list_legal_holds(wire::ListLegalHoldsRequest { limit }).await.map_err(failed)?.into_inner();
                let hold = |one: wire::LegalHold| Hold { until: one.until.map(instant), reason: one.reason, pseudonym: one.pseudonym };
                output.print(&Rows(answer.holds.into_iter().map(hold).collect::<Vec<_>>()));
            }
            Verb::Report { person: Person { institution, subject_ref }, language, html, json } => {
                let request = wire::GetPersonReportRequest { institution: institution.to_string(), subject_ref, language };
                let answer = client.get_person_report(request).await.map_err(failed)?.into_inner();
                for (path, text) in [(&html, &answer.html), (&json, &answer.json)] {
                    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
                    let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
                    written.map_err(|error| Failure::new(Exit::Failed, format!("{} cannot be written: {error}", path.display())))?;
                }
                output.print(&Done::about(answer.known, "The report is written. It is about a person: hand it over, and delete it."));
            }
            Verb::Restrict { person: Person { institution, subject_ref }, lift, request } => {
                let (request_id, institution) = (id(request), institution.to_string());
                let request = wire::RestrictProcessingRequest { request_id, institution, subject_ref, restricted: !lift };
                let known = client.restrict_processing(request).await.map_err(failed)?.into_inner().known;
                output.print(&Done::about(
                    known,
                    if lift {
                        "No restriction holds any more. Tell the institution: what was blocked it submits again."
                    } else {
                        "Processing is restricted: nothing of the person is passed on or erased, and recipients that have data are told."
                    },
                ));
            }
            Verb::Correct { institution, referral, data, request } => {
                let (request_id, institution, referral_id) = (id(request), institution.to_string(), referral.to_string());
                let categories = data.into_iter().map(|one| one.number().into()).collect();
                client.send_correction(wire::SendCorrectionRequest { request_id, institution, referral_id, categories }).await.map_err(failed)?;
                let said = "The recipient is told which data were wrong, and the sender what it answers. The right data its sender submits anew.";
                output.print(&Done::about(true, said));
            }
            Verb::Erase { person: Person { institution, subject_ref }, request } => {
                let (request_id, institution) = (id(request), institution.to_string());
                let answer = client.erase_person(wire::ErasePersonRequest { request_id, institution, subject_ref }).await.map_err(failed)?;
                let answer = answer.into_inner();
                output.print(&Ran::new(answer.purged.unwrap_or_default(), true, answer.emptied));
            }
        }
        Ok(Exit::Done)
    }
}

#[derive(serde::Serialize)]
struct Ran {
    applied: bool,
    emptied: bool,
    contents: u64,
    dead_letters: u64,
    referrals: u64,
    consents: u64,
    persons: u64,
    requests: u64,
    kept: u64,
}

impl Ran {
    fn new(purged: wire::Purged, applied: bool, emptied: bool) -> Self {
        let wire::Purged { contents, dead_letters, referrals, consents, persons, requests, kept } = purged;
        Self { applied, emptied, contents, dead_letters, referrals, consents, persons, requests, kept }
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { contents, dead_letters, referrals, consents, persons, requests, kept, .. } = self;
        f.write_str(if self.applied { "Erased, with their keys:\n" } else { "Due, and still there (--apply erases it):\n" })?;
        writeln!(f, "  {contents:>8} sealed contents, {dead_letters} of them of deliveries that were given up")?;
        writeln!(f, "  {referrals:>8} referrals with their history")?;
        writeln!(f, "  {consents:>8} consents with all their versions")?;
        writeln!(f, "  {persons:>8} keys of persons of whom nothing else was there")?;
        writeln!(f, "  {requests:>8} answers to earlier calls")?;
        write!(f, "Kept although due: {kept} (legal hold, or processing is restricted).")?;
        if self.applied && !self.emptied {
            f.write_str("\nA reader was in the way: the write-ahead log still holds some of it until the next run.")?;
        }
        Ok(())
    }
}

#[derive(serde::Serialize)]
struct Hold {
    until: Option<String>,
    reason: String,
    pseudonym: String,
}

impl Row for Hold {
    const HEADER: &'static [&'static str] = &["until", "reason", "person (pseudonym)"];
    fn cells(&self) -> Vec<String> {
        vec![self.until.clone().unwrap_or_default(), self.reason.clone(), self.pseudonym.clone()]
    }
}

#[derive(serde::Serialize)]
struct Done {
    done: &'static str,
    known: bool,
}

impl Done {
    /// `known`: something is there of the person.
    fn about(known: bool, done: &'static str) -> Self {
        Self { done, known }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.done)?;
        if !self.known {
            f.write_str(
                "\nBut nothing is there under this reference at this institution. If that surprises you, check --institution and --subject-ref.",
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_means_its_end_in_bremen_and_a_kind_of_data_its_name() {
        let end = |text| end_of(text).map(|end| end.to_string());
        assert_eq!(end("2027-12-31").unwrap(), "2027-12-31T23:00:00Z");
        assert_eq!(end("2027-06-30").unwrap(), "2027-06-30T22:00:00Z");
        assert_eq!(end("2027-12-31T12:00:00+01:00").unwrap(), "2027-12-31T11:00:00Z");
        assert!(end("31.12.2027").unwrap_err().contains("such as 2027-12-31"));
        assert_eq!(kind_of_data("contact"), Ok(Category::Contact));
        assert!(kind_of_data("Telefon").unwrap_err().contains("CONTACT"));
    }
}
