// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a referral says besides who the person is: plausible for its purpose, with free text in some and special categories in some.

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, SliceRandom};

use super::codes::coding;
use super::person::Somebody;
use crate::clock::Time;
use crate::dialect::codelist::CodeLists;
use crate::proto::types::{
    Appointment, Benefit, DocumentReference, Education, FamilyAbroad, Household, MeasureRequest, Need, PartialDate, Purpose, Recognition,
    RecognitionStatus, Referral, SchoolDegree, VocationalDegree, Work,
};

const JOBS: &[(&str, &str)] = &[
    ("Bäcker", "etwas mit Lebensmitteln"),
    ("Krankenpflegerin", "Pflege im Krankenhaus"),
    ("Lehrerin für Mathematik", "Unterricht oder Nachhilfe"),
    ("Elektriker", "Elektroinstallation"),
    ("Näherin", "Änderungsschneiderei"),
    ("Fahrer", "Lager oder Lieferverkehr"),
    ("Bauingenieur", "Planungsbüro"),
    ("Köchin", "Kantine, möglichst vormittags"),
];

const NOTES: &[&str] = &[
    "Bitte vormittags anrufen; nachmittags ist die Person im Kurs.",
    "Ein Brief vom Amt liegt vor und ist noch nicht beantwortet.",
    "Die Unterlagen sind vollständig, Übersetzungen fehlen noch.",
    "Kinderbetreuung ist bis 14 Uhr gesichert.",
];

/// Puts content into `referral`, which has its person, parties and purpose already.
pub(super) fn fill(dice: &mut SmallRng, lists: &CodeLists, referral: &mut Referral, somebody: &Somebody, now: Time) {
    let purpose = referral.purpose();
    referral.residence = Some(somebody.residence.clone());
    referral.german = Some(somebody.german);
    referral.household = dice.random_bool(0.7).then(|| household(dice));
    referral.needs = needs(dice, lists, purpose);
    referral.education = dice.random_bool(0.7).then(|| education(dice, lists, somebody.country));
    referral.work = dice.random_bool(0.7).then(|| work(dice));
    referral.recognitions = if purpose == Purpose::Recognition || dice.random_bool(0.15) { vec![recognition(dice)] } else { Vec::new() };
    referral.measures = measures(dice, lists, purpose);
    referral.appointments = if purpose == Purpose::Appointment || dice.random_bool(0.2) { vec![appointment(dice, now)] } else { Vec::new() };
    referral.benefit = dice.random_bool(0.5).then(|| benefit(dice));
    if purpose == Purpose::FamilyReunification || dice.random_bool(0.1) {
        referral.family_abroad = Some(FamilyAbroad {
            spouse_abroad: dice.random_bool(0.6),
            children_abroad: dice.random_range(1..4),
            country: coding(lists, "nationality", somebody.country),
        });
    }
    if dice.random_bool(0.3) {
        referral.free_text = NOTES.choose(dice).copied().unwrap_or_default().to_owned();
    }
    if dice.random_bool(0.2) {
        referral.health_note = "Rückenleiden, kein schweres Heben.".to_owned();
    }
    if dice.random_bool(0.12) {
        referral.finance_debt_note = "Zwei Ratenkredite, Schuldnerberatung gewünscht.".to_owned();
    }
    if dice.random_bool(0.06) {
        referral.religion_ethnicity_note = "Wünscht Beratung durch eine Frau.".to_owned();
    }
    if dice.random_bool(0.04) {
        referral.sexual_note = "Lebt offen, bittet um Rücksicht bei der Unterkunft.".to_owned();
    }
    if dice.random_bool(0.04) {
        referral.criminal_note = "Eine Eintragung, Bewährung ist abgeschlossen.".to_owned();
    }
    if dice.random_bool(0.15) {
        referral.documents = vec![DocumentReference {
            title: "Lebenslauf".to_owned(),
            media_type: "application/pdf".to_owned(),
            sha256: (0..32).map(|_| format!("{:02x}", dice.random::<u8>())).collect(),
        }];
    }
}

/// One to three reasons, the main one first.
fn needs(dice: &mut SmallRng, lists: &CodeLists, purpose: Purpose) -> Vec<Need> {
    let main = match purpose {
        Purpose::JobSearch => "ARB",
        Purpose::MeasurePlacement => "AUSB",
        Purpose::Recognition => "ANE",
        Purpose::LanguageCourse => "SPR",
        Purpose::FamilyReunification => "FAM-N",
        Purpose::AuthorityAccompaniment | Purpose::Appointment => "BEH",
        _ => "AUF",
    };
    let mut others = vec!["WOH", "KITA", "SGB", "GES", "SCHD", "DIG", "FAME", "PSY", "RECHT", "EINB", "DISK"];
    others.shuffle(dice);
    let further = dice.random_range(0..3);
    let codes = std::iter::once(main).chain(others.into_iter().take(further));
    let need = |(at, code): (usize, &str)| coding(lists, "topic", code).map(|topic| Need { topic: Some(topic), main: at == 0, note: String::new() });
    codes.enumerate().filter_map(need).collect()
}

fn measures(dice: &mut SmallRng, lists: &CodeLists, purpose: Purpose) -> Vec<MeasureRequest> {
    let code = match purpose {
        Purpose::MeasurePlacement => *["AVGS-MAT", "MAT", "EQ", "AGH"].choose(dice).unwrap_or(&"MAT"),
        Purpose::LanguageCourse => *["IK", "BSK", "IK-ALPHA"].choose(dice).unwrap_or(&"IK"),
        Purpose::JobSearch if dice.random_bool(0.4) => "VB",
        _ => return Vec::new(),
    };
    let from = PartialDate { year: 2026, month: 11, day: dice.random_range(1..=28) };
    let until = PartialDate { year: 2027, month: 4, day: dice.random_range(1..=28) };
    vec![MeasureRequest { measure: coding(lists, "measure", code), from: Some(from), until: Some(until), provider: "Musterträger".to_owned() }]
}

fn household(dice: &mut SmallRng) -> Household {
    let children = dice.random_range(0..4);
    Household {
        persons: children + dice.random_range(1..3),
        children,
        single_parent: children > 0 && dice.random_bool(0.3),
        care_duties: dice.random_bool(0.1),
    }
}

fn education(dice: &mut SmallRng, lists: &CodeLists, country: &str) -> Education {
    let schools = [SchoolDegree::None, SchoolDegree::Haupt, SchoolDegree::Mittel, SchoolDegree::Abitur, SchoolDegree::Unknown];
    let degrees = [VocationalDegree::None, VocationalDegree::Apprentice, VocationalDegree::Bachelor, VocationalDegree::Master];
    Education {
        school: schools.choose(dice).copied().unwrap_or_default().into(),
        vocational: degrees.choose(dice).copied().unwrap_or_default().into(),
        field: "Buchführung".to_owned(),
        country: coding(lists, "nationality", country),
    }
}

fn recognition(dice: &mut SmallRng) -> Recognition {
    let states = [RecognitionStatus::NotApplied, RecognitionStatus::Applied, RecognitionStatus::Partial, RecognitionStatus::Counselled];
    Recognition {
        status: states.choose(dice).copied().unwrap_or_default().into(),
        profession: JOBS.choose(dice).map_or("", |job| job.0).to_owned(),
        decided_on: None,
    }
}

fn work(dice: &mut SmallRng) -> Work {
    let (job, wish) = JOBS.choose(dice).copied().unwrap_or_default();
    Work {
        employed: dice.random_bool(0.2),
        last_occupation: job.to_owned(),
        years_of_experience: dice.random_range(1..20),
        wish: wish.to_owned(),
        weekly_hours: *[20, 30, 38].choose(dice).unwrap_or(&38),
        kldb_code: String::new(),
    }
}

fn benefit(dice: &mut SmallRng) -> Benefit {
    let basic = dice.random_bool(0.8);
    Benefit { receives_basic_income: basic, receives_unemployment_benefit: !basic, receives_asylum_benefit: false }
}

fn appointment(dice: &mut SmallRng, now: Time) -> Appointment {
    // Full quarters of an hour: some systems have no seconds.
    let at = now.0 / 900_000 * 900 + 86_400 * dice.random_range(2..20);
    Appointment {
        starts_at: Some(prost_types::Timestamp { seconds: at, nanos: 0 }), place: "Raum 12".to_owned(), subject: "Erstgespräch".to_owned()
    }
}
