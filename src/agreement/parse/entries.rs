// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The shape of the file: one struct per kind of entry, unknown keys refused.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::value::Datetime;

use super::{HARD_MAX_MONTHS, HARD_MAX_SKEW_SECONDS};
use crate::agreement::{DataProtectionRegime, Delivery, LegalBasis, MemberKind, Onward, Pacing, Purpose, UnitKind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ValidityEntry {
    #[serde(default = "twelve")]
    pub(super) default_months: i32,
    #[serde(default = "hard_max_months")]
    pub(super) max_months: i32,
    #[serde(default = "hard_max_skew_seconds")]
    pub(super) skew_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecallEntry {
    #[serde(default = "fourteen")]
    pub(super) answer_days: u16,
    #[serde(default = "three")]
    pub(super) remind_days_before: u16,
}

pub(super) const fn fourteen() -> u16 {
    14
}

pub(super) const fn three() -> u16 {
    3
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MunicipalityEntry {
    pub(super) ags: String,
    pub(super) name: String,
    pub(super) jobcenter_route: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberEntry {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: MemberKind,
    pub(super) dialect: String,
    pub(super) data_protection_regime: DataProtectionRegime,
    pub(super) supervisory_authority: String,
    pub(super) section_203: bool,
    pub(super) section_35: bool,
    pub(super) delivery: Delivery,
    #[serde(default = "usual_pacing")]
    pub(super) pacing: Pacing,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnitEntry {
    pub(super) institution: String,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: UnitKind,
    pub(super) municipality: String,
    #[serde(default = "yes")]
    pub(super) active: bool,
    pub(super) ages: Option<(u8, u8)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NecessityEntry {
    pub(super) code: String,
    pub(super) norm: String,
    pub(super) text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BetreuerAreaEntry {
    pub(super) area: String,
    pub(super) text: String,
    #[serde(default)]
    pub(super) purposes: Vec<Purpose>,
    #[serde(default)]
    pub(super) categories: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyEntry {
    pub(super) id: String,
    pub(super) text: String,
    #[serde(default)]
    pub(super) purposes: Vec<Purpose>,
    #[serde(default)]
    pub(super) special: Vec<String>,
    #[serde(default)]
    pub(super) secrecy_release: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModuleEntry {
    pub(super) id: String,
    pub(super) policies: Vec<String>,
    #[serde(default)]
    pub(super) mandatory: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateEntry {
    pub(super) id: String,
    pub(super) version: String,
    pub(super) language: String,
    pub(super) text_sha256: String,
    pub(super) modules: Vec<String>,
    pub(super) approved_from: Datetime,
    pub(super) valid_until: Option<Datetime>,
    pub(super) revoked_from: Option<Datetime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteEntry {
    pub(super) rule: String,
    pub(super) from: Vec<String>,
    pub(super) to: Vec<String>,
    pub(super) legal_basis: LegalBasis,
    #[serde(default)]
    pub(super) necessity: Vec<String>,
    #[serde(default)]
    pub(super) onward: Onward,
    pub(super) purposes: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) feedback: Vec<String>,
}

pub(super) fn twelve() -> i32 {
    12
}
pub(super) fn hard_max_months() -> i32 {
    HARD_MAX_MONTHS
}
pub(super) fn hard_max_skew_seconds() -> u64 {
    HARD_MAX_SKEW_SECONDS
}
pub(super) fn yes() -> bool {
    true
}
pub(super) fn usual_pacing() -> Pacing {
    Pacing { in_flight: 16, per_second: 50 }
}
