// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Who takes part, and where.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::entries::{MemberEntry, MunicipalityEntry, UnitEntry};
use super::reading::Reading;
use crate::agreement::{DataProtectionRegime, Delivery, Member, MemberKind, Municipality, Unit};
use crate::id::{InstitutionId, UnitId};

pub(super) fn municipalities(reading: &mut Reading<'_>, file: &mut DeTable<'_>) -> BTreeMap<String, Municipality> {
    let mut all = BTreeMap::new();
    for (span, MunicipalityEntry { ags, name, jobcenter_route }) in reading.entries(file, "municipality") {
        if ags.len() != 8 || !ags.bytes().all(|b| b.is_ascii_digit()) {
            reading.problem(&span, format!("ags `{ags}` is not an Amtlicher Gemeindeschlüssel"), "use its 8 digits as text, such as \"04011000\"");
        }
        reading.text(&span, &name, "name");
        if all.insert(ags.clone(), Municipality { name, jobcenter_route }).is_some() {
            reading.problem(&span, format!("municipality `{ags}` appears twice"), "keep one of them");
        }
    }
    all
}

pub(super) fn members(
    reading: &mut Reading<'_>,
    file: &mut DeTable<'_>,
    municipalities: &BTreeMap<String, Municipality>,
) -> BTreeMap<InstitutionId, Member> {
    let mut all = BTreeMap::new();
    for (span, entry) in reading.entries::<MemberEntry>(file, "member") {
        let Some(id) = reading.id::<InstitutionId>(&span, &entry.id, "member") else { continue };
        reading.text(&span, &entry.name, "name");
        reading.text(&span, &entry.dialect, "dialect");
        reading.text(&span, &entry.supervisory_authority, "supervisory_authority");
        if let Delivery::Push { endpoint } = &entry.delivery
            && !endpoint.starts_with("https://")
        {
            reading.problem(&span, format!("endpoint of `{id}` is not https"), "personal data travel over mutual TLS only");
        }
        if !(1..=10_000).contains(&entry.pacing.in_flight) || !(1..=100_000).contains(&entry.pacing.per_second) {
            reading.problem(&span, format!("pacing of `{id}` is out of range"), "in_flight 1 to 10000, per_second 1 to 100000");
        }
        let benefit_body = entry.kind != MemberKind::CentreProvider;
        if entry.section_35 != benefit_body || (entry.data_protection_regime == DataProtectionRegime::GdprSgb) != benefit_body {
            reading.problem(
                &span,
                format!("kind, section_35 and data_protection_regime of `{id}` contradict each other"),
                "jobcenter and agentur are section 35 bodies under GDPR_SGB; a centre_provider is neither",
            );
        }
        let member = Member {
            id: id.clone(),
            name: entry.name,
            kind: entry.kind,
            dialect: entry.dialect,
            regime: entry.data_protection_regime,
            supervisory_authority: entry.supervisory_authority,
            section_203: entry.section_203,
            section_35: entry.section_35,
            delivery: entry.delivery,
            pacing: entry.pacing,
            units: BTreeMap::new(),
        };
        if all.insert(id.clone(), member).is_some() {
            reading.problem(&span, format!("member `{id}` appears twice"), "keep one of them");
        }
    }
    for (span, entry) in reading.entries::<UnitEntry>(file, "unit") {
        let Some(id) = reading.id::<UnitId>(&span, &entry.id, "unit") else { continue };
        let Some(member) = entry.institution.parse().ok().and_then(|i: InstitutionId| all.get_mut(&i)) else {
            reading.problem(
                &span,
                format!("unit `{id}` belongs to `{}`, which is no member", entry.institution),
                "add the member or correct the name",
            );
            continue;
        };
        reading.text(&span, &entry.name, "name");
        if entry.kind.belongs_to() != member.kind {
            reading.problem(
                &span,
                format!("unit `{id}` is of a kind that `{}` cannot have", entry.institution),
                "see the list of kinds in agreement/bremen.toml",
            );
        }
        if !municipalities.contains_key(&entry.municipality) {
            reading.problem(
                &span,
                format!("unit `{id}` lies in the unknown municipality `{}`", entry.municipality),
                "add a [[municipality]] with this ags",
            );
        }
        if entry.ages.is_some_and(|(from, to)| from > to) {
            reading.problem(&span, format!("ages of unit `{id}` run backwards"), "write [youngest, oldest]");
        }
        let unit =
            Unit { id: id.clone(), name: entry.name, kind: entry.kind, municipality: entry.municipality, active: entry.active, ages: entry.ages };
        if member.units.insert(id.clone(), unit).is_some() {
            reading.problem(&span, format!("unit `{id}` of `{}` appears twice", entry.institution), "keep one of them");
        }
    }
    if all.is_empty() {
        reading.problem(&(0..0), "there is no member", "add [[member]] entries");
    }
    all
}
