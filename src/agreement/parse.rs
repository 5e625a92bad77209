// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From TOML to an [`Agreement`]: every entry is read on its own, so that one mistake does not hide the next.

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use super::terms::{DataProtectionRegime, LegalBasis, MemberKind, Onward, Purpose, UnitKind};
use super::{Agreement, Delivery, Member, Municipality, Necessity, Pacing, Route, Template, Unit, Validity};
use crate::clock::Time;
use crate::dialect::{Category, CategoryMask};
use crate::id::{InstitutionId, UnitId};

/// Longest validity that any agreement may set, in months.
const HARD_MAX_MONTHS: i32 = 24;
/// Largest tolerance between clocks that any agreement may set.
const HARD_MAX_SKEW_SECONDS: u64 = 60;

/// One problem in an agreement file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct AgreementError {
    /// Line in the file, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidityEntry {
    #[serde(default = "twelve")]
    default_months: i32,
    #[serde(default = "hard_max_months")]
    max_months: i32,
    #[serde(default = "hard_max_skew_seconds")]
    skew_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MunicipalityEntry {
    ags: String,
    name: String,
    jobcenter_route: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberEntry {
    id: String,
    name: String,
    kind: MemberKind,
    dialect: String,
    data_protection_regime: DataProtectionRegime,
    supervisory_authority: String,
    section_203: bool,
    section_35: bool,
    delivery: Delivery,
    #[serde(default = "usual_pacing")]
    pacing: Pacing,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitEntry {
    institution: String,
    id: String,
    name: String,
    kind: UnitKind,
    municipality: String,
    #[serde(default = "yes")]
    active: bool,
    ages: Option<(u8, u8)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NecessityEntry {
    code: String,
    norm: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateEntry {
    id: String,
    version: String,
    language: String,
    text_sha256: String,
    approved_from: Datetime,
    revoked_from: Option<Datetime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteEntry {
    rule: String,
    from: Vec<String>,
    to: Vec<String>,
    legal_basis: LegalBasis,
    #[serde(default)]
    necessity: Vec<String>,
    #[serde(default)]
    onward: Onward,
    purposes: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    feedback: Vec<String>,
}

fn twelve() -> i32 {
    12
}
fn hard_max_months() -> i32 {
    HARD_MAX_MONTHS
}
fn hard_max_skew_seconds() -> u64 {
    HARD_MAX_SKEW_SECONDS
}
fn yes() -> bool {
    true
}
fn usual_pacing() -> Pacing {
    Pacing { in_flight: 16, per_second: 50 }
}

/// Problems found so far, and the text to count lines in.
struct Reading<'a> {
    source: &'a str,
    problems: Vec<AgreementError>,
}

impl Reading<'_> {
    fn problem(&mut self, span: &Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let line = 1 + self.source.bytes().take(span.start).filter(|b| *b == b'\n').count();
        self.problems.push(AgreementError { line, message: message.into(), help: help.into() });
    }

    /// Reads one value into its shape.
    fn shape<'de, T: Deserialize<'de>>(&mut self, value: Spanned<DeValue<'de>>, what: &str) -> Option<(Range<usize>, T)> {
        let span = value.span();
        T::deserialize(value.into_deserializer())
            .map_err(|error| {
                let at = error.span().unwrap_or_else(|| span.clone());
                self.problem(&at, format!("{what}: {}", error.message()), "see the comments in agreement/bremen.toml for this entry");
            })
            .ok()
            .map(|read| (span, read))
    }

    /// Reads each entry of an array of tables, taking it out of the file; the key may be missing.
    fn entries<'de, T: Deserialize<'de>>(&mut self, file: &mut DeTable<'de>, key: &str) -> Vec<(Range<usize>, T)> {
        let Some(value) = file.remove(key) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => items.into_iter().filter_map(|item| self.shape(item, key)).collect(),
            _ => {
                self.problem(&span, format!("`{key}` is not a list"), format!("write each entry as [[{key}]]"));
                Vec::new()
            }
        }
    }

    fn id<T: FromStr>(&mut self, span: &Range<usize>, text: &str, what: &str) -> Option<T> {
        let read = text.parse().ok();
        if read.is_none() {
            self.problem(span, format!("{what} `{text}` is not a name"), "use 2 to 40 characters of a-z, 0-9 and inner hyphens");
        }
        read
    }

    fn text(&mut self, span: &Range<usize>, text: &str, what: &str) {
        if text.trim().is_empty() {
            self.problem(span, format!("{what} is empty"), "say it in words that people understand");
        }
    }

    fn instant(&mut self, span: &Range<usize>, at: Datetime) -> Option<Time> {
        let read = instant(at);
        if read.is_none() {
            self.problem(span, format!("`{at}` is not a point in time"), "use a day such as 2026-01-01 or a time with its offset");
        }
        read
    }

    /// Category names, or names of sets from `[category_set]`.
    fn mask(&mut self, span: &Range<usize>, names: &[String], sets: &BTreeMap<String, CategoryMask>) -> CategoryMask {
        let mut mask = CategoryMask::EMPTY;
        for name in names {
            match (sets.get(name), name.parse::<Category>()) {
                (Some(set), _) => mask |= *set,
                (None, Ok(category)) => mask |= category.mask(),
                (None, Err(_)) => self.problem(
                    span,
                    format!("`{name}` is neither a category nor a category set"),
                    format!("categories: {}; sets: {}", CategoryMask::ALL, sets.keys().cloned().collect::<Vec<_>>().join(", ")),
                ),
            }
        }
        mask
    }
}

pub(super) fn parse(source: &str) -> Result<Agreement, Vec<AgreementError>> {
    let mut reading = Reading { source, problems: Vec::new() };
    let (file, errors) = DeTable::parse_recoverable(source);
    for error in &errors {
        reading.problem(&error.span().unwrap_or(0..0), error.message(), "the file must be TOML 1.0");
    }
    if !errors.is_empty() {
        return Err(sorted(reading.problems));
    }
    let agreement = read(&mut reading, file.into_inner());
    match agreement {
        Some(agreement) if reading.problems.is_empty() => Ok(agreement),
        _ => Err(sorted(reading.problems)),
    }
}

fn sorted(mut problems: Vec<AgreementError>) -> Vec<AgreementError> {
    problems.sort_by_key(|problem| problem.line);
    problems
}

fn read(reading: &mut Reading<'_>, mut file: DeTable<'_>) -> Option<Agreement> {
    let version = scalar::<String>(reading, &mut file, "version");
    let title = scalar::<String>(reading, &mut file, "title");
    let valid_from = scalar::<Datetime>(reading, &mut file, "valid_from").and_then(|(span, at)| reading.instant(&span, at));
    for (span, text) in version.iter().chain(&title) {
        reading.text(span, text, "version or title");
    }
    let validity = validity(reading, &mut file);
    let municipalities = municipalities(reading, &mut file);
    let sets = category_sets(reading, &mut file);
    let members = members(reading, &mut file, &municipalities);
    let necessities = necessities(reading, &mut file);
    let templates = templates(reading, &mut file);
    let routes = routes(reading, &mut file, &members, &necessities, &sets);
    for (key, value) in file {
        reading.problem(&value.span(), format!("unknown entry `{}`", key.get_ref()), "remove it or correct its spelling");
    }
    Some(Agreement {
        version: Arc::from(version?.1),
        title: title?.1,
        valid_from: valid_from?,
        validity: validity?,
        digest: digest(reading.source),
        municipalities,
        members,
        routes,
        necessities,
        templates,
    })
}

fn scalar<'de, T: Deserialize<'de>>(reading: &mut Reading<'_>, file: &mut DeTable<'de>, key: &str) -> Option<(Range<usize>, T)> {
    match file.remove(key) {
        Some(value) => reading.shape(value, key),
        None => {
            reading.problem(&(0..0), format!("`{key}` is missing"), "add it at the top of the file");
            None
        }
    }
}

fn validity(reading: &mut Reading<'_>, file: &mut DeTable<'_>) -> Option<Validity> {
    let (span, entry) = match file.remove("validity") {
        Some(value) => reading.shape::<ValidityEntry>(value, "validity")?,
        None => (0..0, ValidityEntry { default_months: 12, max_months: HARD_MAX_MONTHS, skew_seconds: HARD_MAX_SKEW_SECONDS }),
    };
    if !(1..=HARD_MAX_MONTHS).contains(&entry.max_months) || !(1..=entry.max_months).contains(&entry.default_months) {
        reading.problem(&span, "validity is out of range", format!("1 <= default_months <= max_months <= {HARD_MAX_MONTHS}"));
    }
    if entry.skew_seconds > HARD_MAX_SKEW_SECONDS {
        reading.problem(&span, "skew_seconds is too large", format!("at most {HARD_MAX_SKEW_SECONDS}"));
    }
    Some(Validity { default_months: entry.default_months, max_months: entry.max_months, skew: Duration::from_secs(entry.skew_seconds) })
}

fn municipalities(reading: &mut Reading<'_>, file: &mut DeTable<'_>) -> BTreeMap<String, Municipality> {
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

fn category_sets(reading: &mut Reading<'_>, file: &mut DeTable<'_>) -> BTreeMap<String, CategoryMask> {
    let Some(value) = file.remove("category_set") else { return BTreeMap::new() };
    let Some((span, named)) = reading.shape::<BTreeMap<String, Vec<String>>>(value, "category_set") else { return BTreeMap::new() };
    let mut sets = BTreeMap::new();
    for (name, members) in named {
        if name.parse::<Category>().is_ok() {
            reading.problem(&span, format!("category set `{name}` has the name of a category"), "choose another name");
        }
        // Sets do not contain sets: who reads a route must not have to follow a chain.
        let mask = reading.mask(&span, &members, &BTreeMap::new());
        sets.insert(name, mask);
    }
    sets
}

fn members(
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
            reading.problem(&span, format!("unit `{id}` belongs to `{}`, which is no member", entry.institution), "add the member or correct the name");
            continue;
        };
        reading.text(&span, &entry.name, "name");
        if entry.kind.belongs_to() != member.kind {
            reading.problem(&span, format!("unit `{id}` is of a kind that `{}` cannot have", entry.institution), "see the list of kinds in agreement/bremen.toml");
        }
        if !municipalities.contains_key(&entry.municipality) {
            reading.problem(&span, format!("unit `{id}` lies in the unknown municipality `{}`", entry.municipality), "add a [[municipality]] with this ags");
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

fn necessities(reading: &mut Reading<'_>, file: &mut DeTable<'_>) -> BTreeMap<String, Necessity> {
    let mut all = BTreeMap::new();
    for (span, NecessityEntry { code, norm, text }) in reading.entries(file, "necessity") {
        for (what, value) in [("code", &code), ("norm", &norm), ("text", &text)] {
            reading.text(&span, value, what);
        }
        if all.insert(code.clone(), Necessity { norm, text }).is_some() {
            reading.problem(&span, format!("necessity `{code}` appears twice"), "keep one of them");
        }
    }
    all
}

fn templates(reading: &mut Reading<'_>, file: &mut DeTable<'_>) -> Vec<Template> {
    let mut all: Vec<Template> = Vec::new();
    for (span, entry) in reading.entries::<TemplateEntry>(file, "template") {
        if entry.text_sha256.len() != 64 || !entry.text_sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            reading.problem(&span, format!("text_sha256 of template `{}` is not a SHA-256", entry.id), "64 lower-case hex digits, as sha256sum prints them");
        }
        for (what, value) in [("id", &entry.id), ("version", &entry.version), ("language", &entry.language)] {
            reading.text(&span, value, what);
        }
        if all.iter().any(|t| t.id == entry.id && t.version == entry.version && t.language == entry.language) {
            reading.problem(&span, format!("template `{}` appears twice in one version and language", entry.id), "a changed text is a new version");
        }
        let revoked_from = entry.revoked_from.and_then(|at| reading.instant(&span, at));
        let Some(approved_from) = reading.instant(&span, entry.approved_from) else { continue };
        all.push(Template { id: entry.id, version: entry.version, language: entry.language, text_sha256: entry.text_sha256, approved_from, revoked_from });
    }
    all
}

type Routes = BTreeMap<InstitutionId, BTreeMap<InstitutionId, Vec<Route>>>;

fn routes(
    reading: &mut Reading<'_>,
    file: &mut DeTable<'_>,
    members: &BTreeMap<InstitutionId, Member>,
    necessities: &BTreeMap<String, Necessity>,
    sets: &BTreeMap<String, CategoryMask>,
) -> Routes {
    let mut all = Routes::new();
    for (span, entry) in reading.entries::<RouteEntry>(file, "route") {
        reading.text(&span, &entry.rule, "rule");
        let from = parties(reading, &span, &entry.from, members);
        let to = parties(reading, &span, &entry.to, members);
        let feedback = reading.mask(&span, &entry.feedback, sets);
        check_basis(reading, &span, &entry, necessities, &from, &to);
        if entry.purposes.is_empty() {
            reading.problem(&span, format!("route `{}` has no purpose", entry.rule), "name each purpose with its widest categories");
        }
        let rule: Arc<str> = Arc::from(entry.rule.as_str());
        for (name, categories) in &entry.purposes {
            let Some(purpose) = purpose(name) else {
                reading.problem(&span, format!("`{name}` is no purpose"), "use a name of weiche.type.v1.Purpose such as JOB_SEARCH");
                continue;
            };
            let widest = reading.mask(&span, categories, sets);
            if !widest.contains(Category::Ident) {
                reading.problem(&span, format!("{name} on route `{}` leaves out IDENT", entry.rule), "nobody can be referred without a name");
            }
            for from in &from {
                for to in to.iter().filter(|to| to.id != from.id) {
                    let flows = all.entry(from.id.clone()).or_default().entry(to.id.clone()).or_default();
                    if let Some(other) = flows.iter().find(|flow| flow.purpose == purpose) {
                        let message = format!("{} to {} for {name} is on the routes `{}` and `{rule}`", from.id, to.id, other.rule);
                        reading.problem(&span, message, "one flow has one rule: merge them");
                        continue;
                    }
                    let (rule, necessity) = (rule.clone(), entry.necessity.clone());
                    flows.push(Route { rule, purpose, widest, feedback, legal_basis: entry.legal_basis, necessity, onward: entry.onward });
                }
            }
        }
    }
    all
}

/// Members named by id, or by kind as `kind:centre_provider`.
fn parties<'m>(
    reading: &mut Reading<'_>,
    span: &Range<usize>,
    names: &[String],
    members: &'m BTreeMap<InstitutionId, Member>,
) -> Vec<&'m Member> {
    let mut found: Vec<&Member> = Vec::new();
    if names.is_empty() {
        reading.problem(span, "a route needs somebody on both sides", "fill `from` and `to`");
    }
    for name in names {
        let named: Vec<&Member> = match name.strip_prefix("kind:").map(kind) {
            Some(Some(kind)) => members.values().filter(|m| m.kind == kind).collect(),
            Some(None) => Vec::new(),
            None => members.values().filter(|m| m.id.as_str() == name).collect(),
        };
        if named.is_empty() {
            reading.problem(
                span,
                format!("`{name}` names no member"),
                "use a member's id, or kind:centre_provider, kind:jobcenter, kind:agentur; there is no kind for immigration authorities, on purpose",
            );
        }
        for member in named {
            if !found.iter().any(|m| m.id == member.id) {
                found.push(member);
            }
        }
    }
    found
}

/// The basis must fit both sides.
fn check_basis(
    reading: &mut Reading<'_>,
    span: &Range<usize>,
    entry: &RouteEntry,
    necessities: &BTreeMap<String, Necessity>,
    from: &[&Member],
    to: &[&Member],
) {
    let rule = &entry.rule;
    if entry.legal_basis.is_statutory() {
        if let Some(party) = from.iter().chain(to).find(|m| !m.section_35) {
            let message = format!("route `{rule}` is statutory, but `{}` is no section 35 body", party.id);
            reading.problem(span, message, "centres take part on consent only");
        }
        if entry.necessity.is_empty() {
            reading.problem(span, format!("route `{rule}` is statutory and names no necessity"), "list the codes of [[necessity]] that it allows");
        }
    } else if !entry.necessity.is_empty() {
        reading.problem(span, format!("route `{rule}` rests on consent and names a necessity"), "remove `necessity`");
    }
    if let Some(code) = entry.necessity.iter().find(|code| !necessities.contains_key(*code)) {
        reading.problem(span, format!("route `{rule}` names the unknown necessity `{code}`"), "add it as [[necessity]]");
    }
    if entry.legal_basis == LegalBasis::Consent
        && let Some(bound) = from.iter().find(|m| m.section_203)
    {
        let message = format!("route `{rule}` lets `{}` send without a release from secrecy", bound.id);
        reading.problem(span, message, "a sender bound by section 203 StGB needs CONSENT_WITH_SECRECY_RELEASE");
    }
}

fn kind(name: &str) -> Option<MemberKind> {
    word(name)
}

fn purpose(name: &str) -> Option<Purpose> {
    word(name)
}

/// A word of a closed list, as serde spells it.
fn word<'de, T: Deserialize<'de>>(name: &'de str) -> Option<T> {
    T::deserialize(IntoDeserializer::<serde::de::value::Error>::into_deserializer(name)).ok()
}

/// A day begins at midnight in Bremen.
fn instant(at: Datetime) -> Option<Time> {
    let text = at.to_string();
    let instant = if at.offset.is_some() {
        text.parse::<jiff::Timestamp>().ok()?
    } else {
        text.parse::<jiff::civil::Date>().ok()?.in_tz("Europe/Berlin").ok()?.timestamp()
    };
    Some(Time(instant.as_millisecond()))
}

fn digest(source: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, source.as_bytes()).as_ref());
    bytes
}
