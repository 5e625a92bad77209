// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche agreement record`: the record of processing that the operator keeps as processor (Art. 30(2) GDPR), from the agreement alone.

use std::fmt;
use std::path::PathBuf;

use super::terminal::{Exit, Failure, Output};
use crate::agreement::{Agreement, DataProtectionRegime, LegalBasis, Member, Purpose, Route};
use crate::dialect::CategoryMask;
use crate::texts::{self, Page};

/// Writes what follows from the cooperation agreement
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Writes the record of processing as processor (Art. 30(2) GDPR) as Markdown; --output json for programs
    Record {
        /// The agreement
        #[arg(long, value_name = "FILE", default_value = "agreement.toml")]
        agreement: PathBuf,
        /// As a page, HTML
        #[arg(long)]
        html: bool,
    },
}

impl Verb {
    pub(super) fn run(self, output: Output) -> Result<Exit, Failure> {
        let Self::Record { agreement: path, html } = self;
        let text =
            std::fs::read_to_string(&path).map_err(|error| Failure::new(Exit::Usage, format!("{} cannot be read: {error}", path.display())))?;
        let agreement = Agreement::parse(&text).map_err(|problems| {
            let failure = Failure::new(Exit::Usage, format!("the agreement {} has {} problem(s)", path.display(), problems.len()));
            problems.iter().fold(failure, |failure, problem| failure.with(problem.to_string(), ""))
        })?;
        output.print(&Record { html, ..Record::of(&agreement) });
        Ok(Exit::Done)
    }
}

/// What the agreement does not know and Art. 30(2) asks for.
const OPEN: &[&str] = &[
    "Name und Kontaktdaten des Auftragsverarbeiters und seines Datenschutzbeauftragten",
    "Anschrift und Kontaktdaten jedes Verantwortlichen und seines Datenschutzbeauftragten",
];
/// Art. 30(2)(c): there is no field in the agreement for a place outside, so there is none.
const THIRD_COUNTRIES: &str =
    "Keine Übermittlung in Drittländer: alle Beteiligten sind inländische Stellen, und die Vereinbarung kennt keine andere Art (§ 80 Abs. 2 SGB X).";
/// Art. 30(2)(d), in general words.
const MEASURES: &[&str] = &[
    "Verschlüsselung aller Verbindungen mit beiderseitigen Zertifikaten (TLS 1.3); welches Zertifikat was darf, steht in einer geschlossenen Liste",
    "Inhalte einzeln verschlossen (AES-256-GCM), Schlüssel getrennt von der Datenbank, Löschen durch Vernichten der Schlüssel",
    "Personen nur unter einem Kennzeichen je Stelle, das sich ohne Schlüssel nicht zuordnen lässt",
    "jede Entscheidung vor jeder Weitergabe geprüft und in einem Protokoll festgehalten, das niemand unbemerkt ändern kann",
    "Löschfristen je Art mit täglichem Lauf, Aufbewahrungssperren nur mit Grund und Ende",
    "keine Abfrage nach Personen, keine Inhalte und keine Namen in Protokollen",
];

/// The record.
#[derive(serde::Serialize)]
struct Record {
    #[serde(skip)]
    html: bool,
    agreement: String,
    version: String,
    /// Left to the operator.
    open: &'static [&'static str],
    controllers: Vec<Controller>,
    third_countries: &'static str,
    measures: &'static [&'static str],
}

/// One controller for whom the operator processes.
#[derive(serde::Serialize)]
struct Controller {
    id: String,
    name: String,
    regime: DataProtectionRegime,
    supervisory_authority: String,
    section_203: bool,
    section_35: bool,
    processing: Vec<Processing>,
}

/// One kind of processing: passing on to one recipient for one purpose.
#[derive(serde::Serialize)]
struct Processing {
    rule: String,
    recipient: String,
    purpose: Purpose,
    categories: CategoryMask,
    feedback: CategoryMask,
    basis: LegalBasis,
    necessity: Vec<String>,
}

impl Record {
    fn of(agreement: &Agreement) -> Self {
        let name = |id| agreement.member(id).map_or_else(String::new, |member| member.name.clone());
        let processing = |to, route: &Route| Processing {
            rule: route.rule.to_string(),
            recipient: name(to),
            purpose: route.purpose,
            categories: route.widest,
            feedback: route.feedback,
            basis: route.legal_basis,
            necessity: route.necessity.clone(),
        };
        let controller = |member: &Member| Controller {
            id: member.id.to_string(),
            name: member.name.clone(),
            regime: member.regime,
            supervisory_authority: member.supervisory_authority.clone(),
            section_203: member.section_203,
            section_35: member.section_35,
            processing: agreement.routes_of(&member.id).map(|(to, route)| processing(to, route)).collect(),
        };
        Self {
            html: false,
            agreement: agreement.title().to_owned(),
            version: agreement.version().to_string(),
            open: OPEN,
            controllers: agreement.members().map(controller).collect(),
            third_countries: THIRD_COUNTRIES,
            measures: MEASURES,
        }
    }
}

const TITLE: &str = "Verzeichnis von Verarbeitungstätigkeiten als Auftragsverarbeiter (Art. 30 Abs. 2 DSGVO)";
const HEADINGS: [&str; 6] = ["Empfänger", "Zweck", "Höchstens diese Angaben", "Rückmeldung", "Grundlage", "Regel"];

impl Controller {
    fn facts(&self) -> [(&str, String); 3] {
        let yes = |yes: bool| if yes { "ja" } else { "nein" };
        let bound = format!("Schweigepflicht nach § 203 StGB: {}; Stelle nach § 35 SGB I: {}", yes(self.section_203), yes(self.section_35));
        [
            ("Datenschutzrecht", texts::counsellor()[0].term("regime", &self.regime)),
            ("Aufsicht", self.supervisory_authority.clone()),
            ("Bindung", bound),
        ]
    }

    fn rows(&self) -> impl Iterator<Item = [String; 6]> {
        let texts = texts::german();
        // A record is read by supervisors, not by the person whose data they are.
        let [staff, _] = texts::counsellor();
        let words = |mask: CategoryMask| mask.iter().map(|one| staff.term("category", &one)).collect::<Vec<_>>().join("; ");
        self.processing.iter().map(move |one| {
            let necessity = if one.necessity.is_empty() { String::new() } else { format!(" ({})", one.necessity.join(", ")) };
            let basis = format!("{}{necessity}", staff.term("basis", &one.basis));
            [one.recipient.clone(), texts.term("purpose", &one.purpose), words(one.categories), words(one.feedback), basis, one.rule.clone()]
        })
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.html { f.write_str(&self.page()) } else { self.markdown(f) }
    }
}

impl Record {
    fn markdown(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {TITLE}\n\n{}, Fassung {}\n\nOffen, vom Betreiber zu ergänzen:\n", self.agreement, self.version)?;
        self.open.iter().try_for_each(|open| writeln!(f, "- {open}"))?;
        for controller in &self.controllers {
            writeln!(f, "\n## Im Auftrag von: {} (`{}`)\n", controller.name, controller.id)?;
            controller.facts().iter().try_for_each(|(name, value)| writeln!(f, "- {name}: {value}"))?;
            writeln!(f, "\n| {} |\n|{}", HEADINGS.join(" | "), "---|".repeat(HEADINGS.len()))?;
            controller.rows().try_for_each(|row| writeln!(f, "| {} |", row.map(|cell| cell.replace('|', "\\|")).join(" | ")))?;
        }
        writeln!(f, "\n## Drittländer\n\n{}\n\n## Technische und organisatorische Maßnahmen (allgemein)\n", self.third_countries)?;
        self.measures.iter().try_for_each(|measure| writeln!(f, "- {measure}"))
    }

    fn page(&self) -> String {
        let german = texts::german();
        let mut page = Page::default();
        page.language(german).heading(1, TITLE).paragraph(&format!("{}, Fassung {}", self.agreement, self.version));
        page.heading(2, "Offen, vom Betreiber zu ergänzen").list(self.open);
        for controller in &self.controllers {
            page.heading(2, &format!("Im Auftrag von: {}", controller.name));
            page.facts(controller.facts().map(|(name, value)| (name.to_owned(), value))).table(&HEADINGS, controller.rows().map(Vec::from));
        }
        page.heading(2, "Drittländer").paragraph(self.third_countries);
        page.heading(2, "Technische und organisatorische Maßnahmen (allgemein)").list(self.measures);
        page.finish(german, TITLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_names_every_controller_and_every_flow_and_what_it_does_not_know() {
        let agreement = Agreement::parse(include_str!("../../agreement/bremen.toml")).unwrap();
        let record = Record::of(&agreement);
        let markdown = record.to_string();
        let page = Record { html: true, ..Record::of(&agreement) }.to_string();
        for text in [&markdown, &page] {
            assert!(agreement.members().all(|member| text.contains(&member.name) && text.contains(&member.supervisory_authority)));
            assert!(OPEN.iter().all(|open| text.contains(open)));
            for key in ["IDENT", "JOB_SEARCH", "CONSENT_WITH", "GDPR_", "DSG_EKD", "Sie haben", "dass Sie"] {
                assert!(!text.contains(key), "{key}: a record is read by people, and not by the one whose data they are");
            }
        }
        let flows: usize = agreement.members().map(|member| agreement.routes_of(&member.id).count()).sum();
        assert_eq!(record.controllers.iter().map(|one| one.processing.len()).sum::<usize>(), flows);
        assert_eq!(markdown.lines().filter(|line| line.starts_with("| ") && !line.contains("Empfänger")).count(), flows);
        assert_eq!(page.matches("<tr><td>").count(), flows);
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(json["controllers"].as_array().unwrap().len(), agreement.members().count());
    }
}
