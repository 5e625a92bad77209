// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What may be recorded: complete, and nothing wider than the person said.

use super::{months_after, next_version};
use crate::agreement::{Agreement, Template};
use crate::clock::Time;
use crate::consent::grantor::{Day, GrantorKind};
use crate::consent::record::{Consent, Form, Grant, Retention, Status};
use crate::dialect::{Category, CategoryMask};

/// Shape of the records that this version writes.
const SCHEMA_VERSION: &str = "1";

/// One thing wrong with a record: where, and the rule. Never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {rule}")]
pub struct Problem {
    /// Path of the field in `weiche.type.v1.Consent`, such as `grants[0].recipient.unit`.
    pub path: String,
    /// What it must be.
    pub rule: &'static str,
}

/// Checks a record that an institution sends and completes it: version, times, retention, history. `existing` is the current version of
/// the same id, if any. All problems at once.
///
/// A new version that grants more than the last one needs a later `granted_at`: nobody widens a consent on paper.
pub fn record_new(input: Consent, existing: Option<&Consent>, agreement: &Agreement, now: Time) -> Result<Consent, Vec<Problem>> {
    let mut record = input;
    let mut check = Check(Vec::new());
    record.valid_from.get_or_insert(record.granted_at);
    record.valid_until.get_or_insert(months_after(record.granted_at, agreement.validity().default_months));

    check.that(record.schema_version == SCHEMA_VERSION, "schema_version", "must be `1`");
    check.filled(&record.subject.0, "subject_ref");
    check.that(record.subject.0.len() <= 80, "subject_ref", "at most 80 characters");
    check.filled(&record.recorded_by_role, "recorded_by_role");
    check.filled(&record.dpo_contact, "dpo_contact");
    parties(&mut check, &record, agreement);
    grants(&mut check, &record, agreement);
    secrecy(&mut check, &record, agreement);
    evidence(&mut check, &record);
    informed(&mut check, &record, agreement, now);
    times(&mut check, &record, agreement, now);
    grantor(&mut check, &record, agreement, now);
    check.that(
        matches!(record.status, Status::Active | Status::Proposed | Status::Refused),
        "status",
        "a record begins as ACTIVE, PROPOSED or REFUSED; other states follow by their own calls",
    );
    check.that(record.supersedes != Some(record.id), "supersedes", "a consent does not replace itself");
    if let Some(existing) = existing {
        succeeds(&mut check, &record, existing);
    }
    if !check.0.is_empty() {
        return Err(check.0);
    }

    if record.retention.is_none() {
        record.retention = Some(usual_retention(&record, 3));
    }
    record.version = existing.map_or(0, |e| e.version);
    record.receipt_id = existing.map(|e| e.receipt_id.clone()).unwrap_or_default();
    record.history = existing.map(|e| e.history.clone()).unwrap_or_default();
    // Only the gateway restricts and lifts (Art. 18 GDPR); a new version cannot wash it off.
    record.restricted |= existing.is_some_and(|e| e.restricted);
    let (status, controller) = (record.status, record.controller.institution.clone());
    Ok(next_version(record, status, now, Some(&controller), "record"))
}

/// Problems found so far.
struct Check(Vec<Problem>);

impl Check {
    fn that(&mut self, holds: bool, path: impl Into<String>, rule: &'static str) {
        if !holds {
            self.0.push(Problem { path: path.into(), rule });
        }
    }
    fn filled(&mut self, text: &str, path: impl Into<String>) {
        self.that(!text.trim().is_empty(), path, "required");
    }
}

fn parties(check: &mut Check, record: &Consent, agreement: &Agreement) {
    let controller = agreement.member(&record.controller.institution);
    check.that(controller.is_some(), "controller.institution", "must be a member of the agreement");
    if let Some(member) = controller {
        check.that(member.units.get(&record.controller.unit).is_some_and(|u| u.active), "controller.unit", "must be an open unit of the controller");
        check.that(record.regime == member.regime, "regime", "must be the law that applies to the controller");
    }
    let collected_by = agreement.member(&record.voluntariness.collected_by);
    check.that(collected_by.is_some(), "voluntariness.collected_by", "must be a member of the agreement");
    check.that(
        record.status != Status::Refused || record.voluntariness.refusal_without_reason,
        "voluntariness.refusal_without_reason",
        "of a refusal nothing more than that it was is documented",
    );
    check.that(record.voluntariness.no_benefit_linkage, "voluntariness.no_benefit_linkage", "no benefit may depend on the consent (Art. 7(4) GDPR)");
}

fn grants(check: &mut Check, record: &Consent, agreement: &Agreement) {
    check.that(!record.grants.is_empty(), "grants", "at least one recipient and purpose");
    for (i, grant) in record.grants.iter().enumerate() {
        let unit = agreement.unit(&grant.recipient.institution, &grant.recipient.unit);
        check.that(
            unit.is_some_and(|u| u.active),
            format!("grants[{i}].recipient"),
            "must be an open unit of a member: the person must know who receives the data",
        );
        check.that(grant.recipient.institution != record.controller.institution, format!("grants[{i}].recipient"), "must be another institution");
        check.that(!grant.categories.is_empty(), format!("grants[{i}].categories"), "at least one category");
        let again = record.grants.iter().take(i).any(|other| other.recipient.is(&grant.recipient) && other.purpose == grant.purpose);
        check.that(!again, format!("grants[{i}]"), "one entry per recipient and purpose");
    }
    let all = record.grants.iter().fold(CategoryMask::EMPTY, |all, grant| all | grant.categories | grant.feedback);
    check.that(
        !(record.form == Form::OralDocumented && all.contains(Category::Health)),
        "form",
        "health data need the written or electronic form (section 67b(2) SGB X)",
    );
    check.that(CategoryMask::SPECIAL.covers(record.special_explicit), "special_categories_explicit", "only categories of Art. 9 and 10 GDPR");
    check.that(
        record.special_explicit.covers(all & CategoryMask::SPECIAL),
        "special_categories_explicit",
        "must tick every category of Art. 9 and 10 GDPR that is granted",
    );
}

fn secrecy(check: &mut Check, record: &Consent, agreement: &Agreement) {
    let bound = agreement.member(&record.controller.institution).is_some_and(|m| m.section_203);
    let Some(release) = &record.secrecy_release else {
        check.that(!bound, "secrecy_release", "required: the controller is bound by section 203 StGB");
        return;
    };
    check.that(release.functions.iter().any(|f| !f.trim().is_empty()), "secrecy_release.functions", "name who is released, as functions");
    check.that(
        !release.professions.is_empty() && release.professions.iter().all(|n| matches!(n, 4 | 6)),
        "secrecy_release.professions",
        "4 or 6 (section 203(1) StGB)",
    );
    for (i, towards) in release.towards.iter().enumerate() {
        check.that(agreement.member(towards).is_some(), format!("secrecy_release.towards[{i}]"), "must be a member of the agreement");
    }
    check.that(!release.towards.is_empty(), "secrecy_release.towards", "name the institutions");
}

fn evidence(check: &mut Check, record: &Consent) {
    check.filled(&record.evidence.media_type, "evidence.media_type");
    check.filled(&record.evidence.location, "evidence.location");
    check.that(is_sha256(&record.evidence.sha256), "evidence.sha256", "64 hex digits");
    if let Some(retention) = &record.retention {
        check.filled(&retention.basis, "retention.basis");
    }
}

fn informed(check: &mut Check, record: &Consent, agreement: &Agreement, now: Time) {
    let text = &record.template;
    match agreement.texts().get(&text.id, &text.version, &text.language) {
        None => check.that(false, "template", "must be an approved text of the agreement"),
        Some(template) => {
            check.that(template.may_be_signed(record.granted_at), "template", "was not in use when the consent was given");
            check.that(!template.is_revoked(now), "template", "is revoked");
            check.that(template.text_sha256 == text.text_sha256, "template.text_sha256", "is not the hash of the approved text");
            speaks_of(check, record, agreement, template);
        }
    }
    check.filled(&record.explanation.language, "explanation.language");
    let told = &record.informed_of;
    for (name, told) in [
        ("purpose", told.purpose),
        ("refusal_consequences", told.refusal_consequences),
        ("withdrawal", told.withdrawal),
        ("recipients", told.recipients),
        ("retention", told.retention),
        ("rights", told.rights),
        ("onward_duties", told.onward_duties),
    ] {
        check.that(told, format!("informed_of.{name}"), "the person must have been told (section 67b(2) SGB X)");
    }
}

/// Nobody can have agreed to what the text does not mention.
fn speaks_of(check: &mut Check, record: &Consent, agreement: &Agreement, template: &Template) {
    let said = || agreement.texts().policies(template);
    for (i, grant) in record.grants.iter().enumerate() {
        let explained = said().any(|policy| policy.purposes.contains(&grant.purpose));
        check.that(explained, format!("grants[{i}].purpose"), "the text that the person agreed to does not speak of this purpose");
    }
    let ticks = said().fold(CategoryMask::EMPTY, |all, policy| all | policy.special);
    check.that(ticks.covers(record.special_explicit), "special_categories_explicit", "the text asks for no such tick");
    let releases = record.secrecy_release.is_none() || said().any(|policy| policy.secrecy_release);
    check.that(releases, "secrecy_release", "the text that the person agreed to releases nobody from secrecy");
}

fn times(check: &mut Check, record: &Consent, agreement: &Agreement, now: Time) {
    let validity = agreement.validity();
    check.that(record.granted_at <= now.plus(validity.skew), "granted_at", "must not lie in the future");
    let (Some(from), Some(until)) = (record.valid_from, record.valid_until) else { return };
    check.that(from >= record.granted_at, "valid_from", "must not lie before granted_at: consent does not work backwards");
    check.that(from < until, "valid_until", "must lie after valid_from");
    check.that(until <= months_after(record.granted_at, validity.max_months), "valid_until", "is later than the agreement allows after granted_at");
}

fn grantor(check: &mut Check, record: &Consent, agreement: &Agreement, now: Time) {
    let grantor = &record.grantor;
    check.that(
        grantor.areas.iter().all(|area| agreement.betreuer_area(area).is_some()),
        "grantor.areas",
        "only areas of the agreement, such as `behoerdenangelegenheiten`",
    );
    check.that(
        record.grants.iter().all(|grant| grantor.may(record.capability, grant.purpose, agreement)),
        "grantor",
        "whoever is able consents alone, except under a reservation of consent; parents and guardians only for a minor who is not able, \
         a Betreuer only within the areas of the order; all of these with entitled_until",
    );
    check.that(grantor.entitled_until.is_none_or(|until| until > now), "grantor.entitled_until", "has passed");
    if grantor.kind != GrantorKind::Own {
        check.filled(&grantor.proof, "grantor.proof");
    }
}

/// What a new version must keep.
fn succeeds(check: &mut Check, record: &Consent, existing: &Consent) {
    check.that(record.id == existing.id, "consent_id", "is not the record that it follows");
    check.that(matches!(existing.status, Status::Active | Status::Proposed), "consent_id", "this consent has ended; record a new one");
    check.that(record.controller.institution == existing.controller.institution, "controller.institution", "does not change between versions");
    check.that(record.subject == existing.subject, "subject_ref", "does not change between versions");
    let covered = |grant: &Grant| {
        existing.grants.iter().any(|old| {
            old.recipient.is(&grant.recipient)
                && old.purpose == grant.purpose
                && old.categories.covers(grant.categories)
                && old.feedback.covers(grant.feedback)
        })
    };
    let wider =
        !record.grants.iter().all(covered) || !existing.special_explicit.covers(record.special_explicit) || record.valid_until > existing.valid_until;
    check.that(
        !wider || record.granted_at > existing.granted_at,
        "granted_at",
        "a version that permits more needs a new, later consent of the person",
    );
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// End of validity and so many full calendar years; three are those of sections 195, 199 BGB.
pub fn usual_retention(record: &Consent, years: u16) -> Retention {
    let end = record.valid_until.unwrap_or(record.granted_at);
    let year = jiff::Timestamp::from_millisecond(end.0).map_or(9996, |at| i32::from(at.to_zoned(jiff::tz::TimeZone::UTC).year()));
    Retention { delete_after: Day { year: year + i32::from(years), month: 12, day: 31 }, basis: "BGB §§ 195, 199".to_owned() }
}
