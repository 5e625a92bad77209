// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A consent from the contract.

use std::str::FromStr;

use super::*;

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
pub(super) struct Reading(Vec<Problem>);

impl Reading {
    pub(super) fn done<T>(self, read: T) -> Result<T, Vec<Problem>> {
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

    pub(super) fn mask(&mut self, numbers: &[i32], path: &str) -> CategoryMask {
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

    pub(super) fn party(&mut self, party: Option<&types::Party>, path: &str) -> Option<Party> {
        let party = self.part(party, path)?;
        let institution = self.id(&party.institution, format!("{path}.institution"));
        let unit = self.id(&party.unit, format!("{path}.unit"));
        Some(Party { institution: institution?, unit: unit?, function: party.function.clone() })
    }

    /// What cannot be read must not become "everything", nor "less": none then.
    pub(super) fn scope(&mut self, scope: &types::WithdrawalScope, path: &str) -> Option<Scope> {
        let before = self.0.len();
        let purpose = if scope.purpose == 0 { None } else { self.word(purpose_from(scope.purpose), format!("{path}.purpose")) };
        let recipient = self.optional_id(&scope.recipient, format!("{path}.recipient"));
        let categories = self.mask(&scope.categories, &format!("{path}.categories"));
        (self.0.len() == before).then_some(Scope { recipient, purpose, categories })
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
        let withdrawn = event.withdrawn.as_ref().and_then(|scope| self.scope(scope, &format!("{path}.withdrawn")));
        Some(Event { at: at?, status: status?, version: event.version, received_by, channel: event.channel.clone(), withdrawn })
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
            voluntariness: Voluntariness {
                collected_by: collected_by?,
                no_benefit_linkage: voluntariness?.no_benefit_linkage,
                refusal_without_reason: voluntariness?.refusal_without_reason,
            },
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
