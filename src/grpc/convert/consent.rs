// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Consents, withdrawals and decisions.
//!
//! Without loss both ways, with three things said for the caller: a status that is not stated reads as `ACTIVE` (a record tells of a consent
//! given), a check of the scan that is not stated as `NOT_CHECKED`, and times keep milliseconds.

use std::str::FromStr;

use prost_types::Timestamp;

use crate::agreement::{DataProtectionRegime, LegalBasis, Purpose};
use crate::clock::Time;
use crate::consent::{
    Capability, Consent, Day, Decision, Event, Explanation, ExplanationMode, Form, Grant, Grantor, GrantorKind, Information, InterpreterKind, Party,
    Problem, Quality, Reason, Retention, Scan, Scope, SecrecyRelease, Status, SubjectRef, TemplateUse, Voluntariness,
};
use crate::dialect::{Category, CategoryMask};
use crate::proto::{exchange, types};

/// Both ways between an enum of the domain and the one of the contract with the same variants.
macro_rules! pairs {
    ($($(#[$doc:meta])* $to:ident $from:ident $ours:ident = $theirs:path { $($variant:ident $(= $other:ident)?),* })*) => {$(
        $(#[$doc])*
        pub const fn $to(value: $ours) -> $theirs {
            use $theirs as Theirs;
            match value { $($ours::$variant => pairs!(@ Theirs $variant $($other)?),)* }
        }

        /// The other way; none for a number that is not stated or unknown.
        pub fn $from(number: i32) -> Option<$ours> {
            let theirs = <$theirs>::try_from(number).ok()?;
            [$($ours::$variant),*].into_iter().find(|ours| $to(*ours) == theirs)
        }
    )*};
    (@ $theirs:ident $variant:ident) => { $theirs::$variant };
    (@ $theirs:ident $variant:ident $other:ident) => { $theirs::$other };
}

pairs! {
    /// What a referral is for.
    purpose_to purpose_from Purpose = types::Purpose {
        CounsellingReferral, AuthorityAccompaniment, FamilyReunification, MeasurePlacement, JobSearch, Recognition, LanguageCourse,
        StatusFeedback, Appointment, CaseConference
    }
    /// Basis of a transfer.
    legal_basis_to legal_basis_from LegalBasis = exchange::LegalBasis { Consent, ConsentWithSecrecyRelease, Sgbx6911, Sgbii501 }
    /// Law that applies.
    regime_to regime_from DataProtectionRegime = types::DataProtectionRegime { GdprBdsg, GdprSgb, Kdg, DsgEkd }
    /// Why, or why not.
    reason_to reason_from Reason = exchange::DecisionReason {
        Ok, NoRecord, NotYetValid, Expired, Withdrawn, Superseded, WrongRecipient, WrongPurpose, CategoryNotCovered, Art9NotExplicit,
        FormInsufficient, NoSecrecyRelease, GrantorNotEntitled, TemplateRevoked, Restricted, NoRoute, Retroactive, NotActive
    }
    /// How consent was given.
    form_to form_from Form = types::ConsentForm { WrittenSignature, ElectronicQes, ElectronicSimple, OralDocumented }
    /// How it was explained.
    mode_to mode_from ExplanationMode = types::ExplanationMode {
        SelfRead, ReadAloud, InterpreterPresent, InterpreterPhone, EasyLanguage, SignLanguage
    }
    /// Who interpreted.
    interpreter_to interpreter_from InterpreterKind = types::InterpreterKind { None, Professional, Volunteer, Staff, Relative }
    /// Who gave it.
    grantor_kind_to grantor_kind_from GrantorKind = types::GrantorKind { Own = Self_, ParentBoth, ParentSole, Guardian, Betreuer }
    /// Ability to consent.
    capability_to capability_from Capability = types::ConsentCapability { AssessedCapable, Under15, Under18NotCapable }
    /// Where it stands.
    status_to status_from Status = types::ConsentStatus {
        Proposed, Active, Withdrawn, Expired, Superseded, Invalidated, Refused, Lapsed, EnteredInError
    }
    /// Check of the scan.
    quality_to quality_from Quality = types::ConsentQuality { NotChecked, CheckedOk, CheckedDefects }
}

/// A set of categories as numbers of the contract, in their order.
pub fn mask_to(mask: CategoryMask) -> Vec<i32> {
    mask.iter().map(|category| i32::from(category.number())).collect()
}

/// The other way; a number that is no category of personal data is a problem at `path`.
pub fn mask_from(numbers: &[i32], path: &str) -> Result<CategoryMask, Vec<Problem>> {
    let mut reading = Reading::default();
    let mask = reading.mask(numbers, path);
    reading.done(mask)
}

/// An instant of the contract.
pub use crate::exchange::timestamp as time_to;

/// An instant from the contract; none if it is out of range.
pub fn time_from(timestamp: &Timestamp) -> Option<Time> {
    let valid = (0..1_000_000_000).contains(&timestamp.nanos);
    let millis = timestamp.seconds.checked_mul(1000)?.checked_add(i64::from(timestamp.nanos / 1_000_000))?;
    valid.then_some(Time(millis))
}

/// A party of the contract.
pub fn party_to(party: &Party) -> types::Party {
    types::Party { institution: party.institution.to_string(), unit: party.unit.to_string(), function: party.function.clone() }
}

/// A party from the contract; institution and unit are required.
pub fn party_from(party: Option<&types::Party>, path: &str) -> Result<Party, Vec<Problem>> {
    let mut reading = Reading::default();
    let read = reading.party(party, path);
    reading.done(read).and_then(|party| party.ok_or_else(Vec::new))
}

/// A withdrawal's scope from the contract; absent means everything.
pub fn scope_from(scope: Option<&types::WithdrawalScope>, path: &str) -> Result<Scope, Vec<Problem>> {
    let Some(scope) = scope else { return Ok(Scope::default()) };
    let mut reading = Reading::default();
    let purpose = if scope.purpose == 0 { None } else { reading.word(purpose_from(scope.purpose), format!("{path}.purpose")) };
    let recipient = reading.optional_id(&scope.recipient, format!("{path}.recipient"));
    let categories = reading.mask(&scope.categories, &format!("{path}.categories"));
    // What cannot be read must not become "everything", nor "less": the whole scope is refused.
    reading.done(Scope { recipient, purpose, categories })
}

/// A withdrawal's scope for the contract.
pub fn scope_to(scope: &Scope) -> types::WithdrawalScope {
    types::WithdrawalScope {
        recipient: scope.recipient.as_ref().map(ToString::to_string).unwrap_or_default(),
        purpose: scope.purpose.map_or(0, |purpose| purpose_to(purpose) as i32),
        categories: mask_to(scope.categories),
    }
}

/// A decision for the sender, explained. Nobody else gets one.
pub fn decision_to(decision: &Decision) -> exchange::Decision {
    let (granted, legal_basis) = match decision {
        Decision::Permitted(permit) => (permit.mask(), Some(permit.legal_basis())),
        Decision::Denied(_) => (CategoryMask::EMPTY, None),
    };
    super::outcome_to(decision.reason(), granted, decision.withheld(), legal_basis)
}

/// A consent for the contract.
pub fn consent_to(consent: &Consent) -> types::Consent {
    types::Consent {
        schema_version: consent.schema_version.clone(),
        consent_id: consent.id.to_string(),
        version: consent.version,
        receipt_id: consent.receipt_id.clone(),
        supersedes: consent.supersedes.map(|id| id.to_string()).unwrap_or_default(),
        created_at: consent.created_at.map(time_to),
        recorded_by_role: consent.recorded_by_role.clone(),
        subject_ref: consent.subject.0.clone(),
        controller: Some(party_to(&consent.controller)),
        regime: regime_to(consent.regime) as i32,
        dpo_contact: consent.dpo_contact.clone(),
        grants: consent
            .grants
            .iter()
            .map(|grant| types::ConsentGrant {
                recipient: Some(party_to(&grant.recipient)),
                purpose: purpose_to(grant.purpose) as i32,
                categories: mask_to(grant.categories),
                feedback_categories: mask_to(grant.feedback),
            })
            .collect(),
        special_categories_explicit: mask_to(consent.special_explicit),
        secrecy_release: consent.secrecy_release.as_ref().map(|release| types::SecrecyRelease {
            functions: release.functions.clone(),
            professions: release.professions.clone(),
            towards: release.towards.iter().map(ToString::to_string).collect(),
        }),
        form: form_to(consent.form) as i32,
        evidence: Some(types::ConsentEvidence {
            media_type: consent.evidence.media_type.clone(),
            sha256: consent.evidence.sha256.clone(),
            location: consent.evidence.location.clone(),
        }),
        template: Some(types::ConsentTemplate {
            template_id: consent.template.id.clone(),
            version: consent.template.version.clone(),
            text_sha256: consent.template.text_sha256.clone(),
            language: consent.template.language.clone(),
        }),
        explanation: Some(types::ConsentExplanation {
            language: consent.explanation.language.clone(),
            mode: mode_to(consent.explanation.mode) as i32,
            interpreter: interpreter_to(consent.explanation.interpreter) as i32,
            interpreter_secrecy_bound: consent.explanation.interpreter_secrecy_bound,
        }),
        informed_of: Some(types::ConsentInformation {
            purpose: consent.informed_of.purpose,
            refusal_consequences: consent.informed_of.refusal_consequences,
            withdrawal: consent.informed_of.withdrawal,
            recipients: consent.informed_of.recipients,
            retention: consent.informed_of.retention,
            rights: consent.informed_of.rights,
            onward_duties: consent.informed_of.onward_duties,
        }),
        voluntariness: Some(types::ConsentVoluntariness {
            collected_by: consent.voluntariness.collected_by.to_string(),
            no_benefit_linkage: consent.voluntariness.no_benefit_linkage,
        }),
        granted_at: Some(time_to(consent.granted_at)),
        valid_from: consent.valid_from.map(time_to),
        valid_until: consent.valid_until.map(time_to),
        grantor: Some(types::ConsentGrantor {
            kind: grantor_kind_to(consent.grantor.kind) as i32,
            areas: consent.grantor.areas.clone(),
            reservation_of_consent: consent.grantor.reservation_of_consent,
            proof: consent.grantor.proof.clone(),
            entitled_until: consent.grantor.entitled_until.map(time_to),
        }),
        capability: consent.capability.map_or(0, |capability| capability_to(capability) as i32),
        status: status_to(consent.status) as i32,
        quality: quality_to(consent.quality) as i32,
        retention: consent.retention.as_ref().map(|retention| types::ConsentRetention {
            delete_after: Some(types::PartialDate {
                year: retention.delete_after.year,
                month: retention.delete_after.month,
                day: retention.delete_after.day,
            }),
            basis: retention.basis.clone(),
        }),
        history: consent
            .history
            .iter()
            .map(|event| types::ConsentEvent {
                at: Some(time_to(event.at)),
                status: status_to(event.status) as i32,
                version: event.version,
                received_by: event.received_by.as_ref().map(ToString::to_string).unwrap_or_default(),
                channel: event.channel.clone(),
            })
            .collect(),
        restricted: consent.restricted,
    }
}

/// A consent from the contract: shapes only, all problems at once. Whether it may be recorded is for `consent::record_new` to say.
pub fn consent_from(consent: &types::Consent) -> Result<Consent, Vec<Problem>> {
    let mut reading = Reading::default();
    let read = reading.consent(consent);
    match (read, reading.0.is_empty()) {
        (Some(consent), true) => Ok(consent),
        _ => Err(reading.0),
    }
}

/// Problems found so far.
#[derive(Default)]
struct Reading(Vec<Problem>);

impl Reading {
    fn done<T>(self, read: T) -> Result<T, Vec<Problem>> {
        if self.0.is_empty() { Ok(read) } else { Err(self.0) }
    }

    fn problem<T>(&mut self, path: impl Into<String>, rule: &'static str) -> Option<T> {
        self.0.push(Problem { path: path.into(), rule });
        None
    }

    fn part<'a, T>(&mut self, part: Option<&'a T>, path: &str) -> Option<&'a T> {
        if part.is_some() { part } else { self.problem(path, "required") }
    }

    fn word<T>(&mut self, word: Option<T>, path: impl Into<String>) -> Option<T> {
        if word.is_some() { word } else { self.problem(path, "required, and must be a value of the contract") }
    }

    /// A word that may be left out, but not misspelt.
    fn optional_word<T>(&mut self, number: i32, from: fn(i32) -> Option<T>, path: &str) -> Option<T> {
        if number == 0 { None } else { self.word(from(number), path) }
    }

    fn id<T: FromStr>(&mut self, text: &str, path: impl Into<String>) -> Option<T> {
        match text.parse() {
            Ok(id) => Some(id),
            Err(_) if text.is_empty() => self.problem(path, "required"),
            Err(_) => self.problem(path, "is not an identifier of its kind"),
        }
    }

    fn optional_id<T: FromStr>(&mut self, text: &str, path: impl Into<String>) -> Option<T> {
        if text.is_empty() { None } else { self.id(text, path) }
    }

    fn mask(&mut self, numbers: &[i32], path: &str) -> CategoryMask {
        let mut mask = CategoryMask::EMPTY;
        for (i, number) in numbers.iter().enumerate() {
            match Category::from_number(*number) {
                Some(category) => mask |= category.mask(),
                None => {
                    self.problem::<()>(format!("{path}[{i}]"), "must be a category of personal data");
                }
            }
        }
        mask
    }

    fn party(&mut self, party: Option<&types::Party>, path: &str) -> Option<Party> {
        let party = self.part(party, path)?;
        let institution = self.id(&party.institution, format!("{path}.institution"));
        let unit = self.id(&party.unit, format!("{path}.unit"));
        Some(Party { institution: institution?, unit: unit?, function: party.function.clone() })
    }

    fn optional_time(&mut self, time: Option<&Timestamp>, path: impl Into<String>) -> Option<Time> {
        let read = time_from(time?);
        if read.is_some() { read } else { self.problem(path, "is out of range") }
    }

    fn time(&mut self, time: Option<&Timestamp>, path: impl Into<String>) -> Option<Time> {
        let path = path.into();
        self.part(time, &path)?;
        self.optional_time(time, path)
    }

    fn grant(&mut self, grant: &types::ConsentGrant, path: &str) -> Option<Grant> {
        let recipient = self.party(grant.recipient.as_ref(), &format!("{path}.recipient"));
        let purpose = self.word(purpose_from(grant.purpose), format!("{path}.purpose"));
        let categories = self.mask(&grant.categories, &format!("{path}.categories"));
        let feedback = self.mask(&grant.feedback_categories, &format!("{path}.feedback_categories"));
        Some(Grant { recipient: recipient?, purpose: purpose?, categories, feedback })
    }

    fn release(&mut self, release: &types::SecrecyRelease) -> SecrecyRelease {
        let towards = release.towards.iter().enumerate();
        SecrecyRelease {
            functions: release.functions.clone(),
            professions: release.professions.clone(),
            towards: towards.filter_map(|(i, id)| self.id(id, format!("secrecy_release.towards[{i}]"))).collect(),
        }
    }

    fn explanation(&mut self, explanation: Option<&types::ConsentExplanation>) -> Option<Explanation> {
        let explanation = self.part(explanation, "explanation")?;
        let mode = self.word(mode_from(explanation.mode), "explanation.mode");
        let interpreter = self.word(interpreter_from(explanation.interpreter), "explanation.interpreter");
        Some(Explanation {
            language: explanation.language.clone(),
            mode: mode?,
            interpreter: interpreter?,
            interpreter_secrecy_bound: explanation.interpreter_secrecy_bound,
        })
    }

    fn grantor(&mut self, grantor: Option<&types::ConsentGrantor>) -> Option<Grantor> {
        let grantor = self.part(grantor, "grantor")?;
        let kind = self.word(grantor_kind_from(grantor.kind), "grantor.kind");
        let entitled_until = self.optional_time(grantor.entitled_until.as_ref(), "grantor.entitled_until");
        Some(Grantor {
            kind: kind?,
            areas: grantor.areas.clone(),
            reservation_of_consent: grantor.reservation_of_consent,
            proof: grantor.proof.clone(),
            entitled_until,
        })
    }

    fn retention(&mut self, retention: &types::ConsentRetention) -> Option<Retention> {
        let date = self.part(retention.delete_after.as_ref(), "retention.delete_after")?;
        let known = (date.month == 0 && date.day == 0) || ((1..=12).contains(&date.month) && (0..=31).contains(&date.day));
        if !(1..=9999).contains(&date.year) || !known {
            return self.problem("retention.delete_after", "must be a year, a month or a day");
        }
        let delete_after = Day { year: date.year, month: date.month, day: date.day };
        Some(Retention { delete_after, basis: retention.basis.clone() })
    }

    fn event(&mut self, event: &types::ConsentEvent, path: &str) -> Option<Event> {
        let at = self.time(event.at.as_ref(), format!("{path}.at"));
        let status = self.word(status_from(event.status), format!("{path}.status"));
        let received_by = self.optional_id(&event.received_by, format!("{path}.received_by"));
        Some(Event { at: at?, status: status?, version: event.version, received_by, channel: event.channel.clone() })
    }

    /// Every field is read before the first `?`, so that all problems are found.
    fn consent(&mut self, consent: &types::Consent) -> Option<Consent> {
        let id = self.id(&consent.consent_id, "consent_id");
        let supersedes = self.optional_id(&consent.supersedes, "supersedes");
        let created_at = self.optional_time(consent.created_at.as_ref(), "created_at");
        let controller = self.party(consent.controller.as_ref(), "controller");
        let regime = self.word(regime_from(consent.regime), "regime");
        let grants = consent.grants.iter().enumerate().filter_map(|(i, grant)| self.grant(grant, &format!("grants[{i}]"))).collect();
        let special_explicit = self.mask(&consent.special_categories_explicit, "special_categories_explicit");
        let secrecy_release = consent.secrecy_release.as_ref().map(|release| self.release(release));
        let form = self.word(form_from(consent.form), "form");
        let evidence = self.part(consent.evidence.as_ref(), "evidence");
        let template = self.part(consent.template.as_ref(), "template");
        let explanation = self.explanation(consent.explanation.as_ref());
        let told = self.part(consent.informed_of.as_ref(), "informed_of");
        let voluntariness = self.part(consent.voluntariness.as_ref(), "voluntariness");
        let collected_by = voluntariness.and_then(|v| self.id(&v.collected_by, "voluntariness.collected_by"));
        let granted_at = self.time(consent.granted_at.as_ref(), "granted_at");
        let valid_from = self.optional_time(consent.valid_from.as_ref(), "valid_from");
        let valid_until = self.optional_time(consent.valid_until.as_ref(), "valid_until");
        let grantor = self.grantor(consent.grantor.as_ref());
        let capability = self.optional_word(consent.capability, capability_from, "capability");
        let status = self.optional_word(consent.status, status_from, "status").unwrap_or(Status::Active);
        let quality = self.optional_word(consent.quality, quality_from, "quality").unwrap_or(Quality::NotChecked);
        let retention = consent.retention.as_ref().and_then(|retention| self.retention(retention));
        let history = consent.history.iter().enumerate().filter_map(|(i, event)| self.event(event, &format!("history[{i}]"))).collect();
        let (evidence, template, told) = (evidence?, template?, told?);
        Some(Consent {
            schema_version: consent.schema_version.clone(),
            id: id?,
            version: consent.version,
            receipt_id: consent.receipt_id.clone(),
            supersedes,
            created_at,
            recorded_by_role: consent.recorded_by_role.clone(),
            subject: SubjectRef(consent.subject_ref.clone()),
            controller: controller?,
            regime: regime?,
            dpo_contact: consent.dpo_contact.clone(),
            grants,
            special_explicit,
            secrecy_release,
            form: form?,
            evidence: Scan { media_type: evidence.media_type.clone(), sha256: evidence.sha256.clone(), location: evidence.location.clone() },
            template: TemplateUse {
                id: template.template_id.clone(),
                version: template.version.clone(),
                text_sha256: template.text_sha256.clone(),
                language: template.language.clone(),
            },
            explanation: explanation?,
            informed_of: Information {
                purpose: told.purpose,
                refusal_consequences: told.refusal_consequences,
                withdrawal: told.withdrawal,
                recipients: told.recipients,
                retention: told.retention,
                rights: told.rights,
                onward_duties: told.onward_duties,
            },
            voluntariness: Voluntariness { collected_by: collected_by?, no_benefit_linkage: voluntariness?.no_benefit_linkage },
            granted_at: granted_at?,
            valid_from,
            valid_until,
            grantor: grantor?,
            capability,
            status,
            quality,
            retention,
            history,
            restricted: consent.restricted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A record with every field filled.
    fn full() -> Consent {
        serde_json::from_str(include_str!("../../../tests/cases/consent/base/full.json")).unwrap()
    }

    #[test]
    fn a_full_record_survives_both_ways() {
        let consent = full();
        let wire = consent_to(&consent);
        assert_eq!(consent_from(&wire).unwrap(), consent);
        assert_eq!(consent_to(&consent_from(&wire).unwrap()), wire);
    }

    #[test]
    fn every_word_of_the_contract_has_one_of_ours() {
        for (from, last) in [
            (&(|n| purpose_from(n).map(|v| purpose_to(v) as i32)) as &dyn Fn(i32) -> Option<i32>, types::Purpose::CaseConference as i32),
            (&|n| legal_basis_from(n).map(|v| legal_basis_to(v) as i32), exchange::LegalBasis::Sgbii501 as i32),
            (&|n| regime_from(n).map(|v| regime_to(v) as i32), types::DataProtectionRegime::DsgEkd as i32),
            (&|n| reason_from(n).map(|v| reason_to(v) as i32), exchange::DecisionReason::NotActive as i32),
            (&|n| form_from(n).map(|v| form_to(v) as i32), types::ConsentForm::OralDocumented as i32),
            (&|n| mode_from(n).map(|v| mode_to(v) as i32), types::ExplanationMode::SignLanguage as i32),
            (&|n| interpreter_from(n).map(|v| interpreter_to(v) as i32), types::InterpreterKind::Relative as i32),
            (&|n| grantor_kind_from(n).map(|v| grantor_kind_to(v) as i32), types::GrantorKind::Betreuer as i32),
            (&|n| capability_from(n).map(|v| capability_to(v) as i32), types::ConsentCapability::Under18NotCapable as i32),
            (&|n| status_from(n).map(|v| status_to(v) as i32), types::ConsentStatus::EnteredInError as i32),
            (&|n| quality_from(n).map(|v| quality_to(v) as i32), types::ConsentQuality::CheckedDefects as i32),
        ] {
            assert_eq!(from(0), None, "UNSPECIFIED says nothing");
            assert!((1..=last).all(|n| from(n) == Some(n)) && from(last + 1).is_none());
        }
    }

    #[test]
    fn an_empty_record_is_told_everything_that_is_missing() {
        let problems = consent_from(&types::Consent::default()).unwrap_err();
        let paths: Vec<_> = problems.iter().map(|p| p.path.as_str()).collect();
        let required = [
            "consent_id",
            "controller",
            "regime",
            "form",
            "evidence",
            "template",
            "explanation",
            "informed_of",
            "voluntariness",
            "granted_at",
            "grantor",
        ];
        assert_eq!(paths, required);
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_path_and_not_quoted() {
        let mut wire = consent_to(&full());
        wire.consent_id = "Al-Hasani".into();
        wire.grants[1].recipient.as_mut().unwrap().unit = "*".into();
        wire.grants[0].categories.push(30);
        wire.grants[0].purpose = 99;
        wire.granted_at.as_mut().unwrap().nanos = -1;
        wire.status = 77;
        wire.retention.as_mut().unwrap().delete_after.as_mut().unwrap().month = 13;
        let problems = consent_from(&wire).unwrap_err();
        let paths: Vec<_> = problems.iter().map(|p| p.path.as_str()).collect();
        let expected = [
            "consent_id",
            "grants[0].purpose",
            &format!("grants[0].categories[{}]", wire.grants[0].categories.len() - 1),
            "grants[1].recipient.unit",
            "granted_at",
            "status",
            "retention.delete_after",
        ];
        assert_eq!(paths, expected);
        assert!(!format!("{problems:?}").contains("Hasani"));
    }

    #[test]
    fn a_scope_that_cannot_be_read_is_not_everything() {
        assert_eq!(scope_from(None, "scope").unwrap(), Scope::default());
        let wrong = types::WithdrawalScope { purpose: 99, ..Default::default() };
        assert_eq!(scope_from(Some(&wrong), "scope").unwrap_err()[0].path, "scope.purpose");
        let wrong = types::WithdrawalScope { categories: vec![1, 0], ..Default::default() };
        assert_eq!(scope_from(Some(&wrong), "scope").unwrap_err()[0].path, "scope.categories[1]");
    }

    proptest! {
        #[test]
        fn times_and_sets_survive_both_ways(millis in -62_135_596_800_000i64..253_402_300_800_000, bits: u32) {
            prop_assert_eq!(time_from(&time_to(Time(millis))), Some(Time(millis)));
            let mask = CategoryMask::from_bits(bits);
            prop_assert_eq!(mask_from(&mask_to(mask), "x").unwrap(), mask);
        }
    }
}
