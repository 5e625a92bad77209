// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The texts that people agree to. A policy is the smallest thing that a person says yes to; a module is a piece of text that states policies;
//! a template is modules in order, in one version and language, known by the hash of its text.
//!
//! A text is approved once and never edited: a change is a new version. It is approved in the agreement, or by an operator between two
//! agreements; it is revoked in either way, the earlier revocation holds, and nothing takes it back. See `docs/decisions/0011-*`.

use std::collections::BTreeMap;

use super::Purpose;
use crate::clock::Time;
use crate::dialect::CategoryMask;

/// The smallest thing that a person says yes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// In plain German.
    pub text: String,
    /// Purposes that it explains.
    pub purposes: Vec<Purpose>,
    /// Categories of Art. 9 and 10 GDPR for which it asks for a tick.
    pub special: CategoryMask,
    /// It asks for the release from secrecy (section 203 StGB).
    pub secrecy_release: bool,
}

/// A piece of text that states policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// What it states.
    pub policies: Vec<String>,
    /// No text may leave it out, such as the one about rights and withdrawal (Art. 13 GDPR).
    pub mandatory: bool,
}

/// A text in one version and language.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Name.
    pub id: String,
    /// Version.
    pub version: String,
    /// BCP 47.
    pub language: String,
    /// SHA-256 of the text, 64 lower-case hex digits.
    pub text_sha256: String,
    /// What it is made of, in order.
    pub modules: Vec<String>,
    /// From when it may be signed.
    pub approved_from: Time,
    /// From when it may no longer be signed; consents under it go on.
    pub valid_until: Option<Time>,
    /// From when consents under it stop counting.
    pub revoked_from: Option<Time>,
}

impl Template {
    /// Whether a consent that was given under it at `granted_at` counts at `now`.
    pub fn counts(&self, granted_at: Time, now: Time) -> bool {
        self.may_be_signed(granted_at) && !self.is_revoked(now)
    }

    /// Whether it may be signed at `at`.
    pub fn may_be_signed(&self, at: Time) -> bool {
        self.approved_from <= at && self.valid_until.is_none_or(|until| at < until) && !self.is_revoked(at)
    }

    /// Whether consents under it have stopped counting.
    pub fn is_revoked(&self, at: Time) -> bool {
        self.revoked_from.is_some_and(|from| from <= at)
    }

    /// What it is found by: name, version, language.
    pub fn key(&self) -> (&str, &str, &str) {
        (&self.id, &self.version, &self.language)
    }
}

/// What an operator changed between two agreements.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum TextChange {
    /// A text that the agreement does not name.
    Approved(Template),
    /// Consents under a text stop counting.
    Revoked {
        /// Name of the text.
        id: String,
        /// Version.
        version: String,
        /// BCP 47.
        language: String,
        /// From when.
        from: Time,
    },
}

impl TextChange {
    /// The time that means "at once" for whoever makes a change.
    pub const AT_ONCE: Time = Time(0);

    /// With `now` in place of [`Self::AT_ONCE`].
    pub fn not_before(mut self, now: Time) -> Self {
        let (Self::Approved(Template { approved_from: from, .. }) | Self::Revoked { from, .. }) = &mut self;
        if *from == Self::AT_ONCE {
            *from = now;
        }
        self
    }
}

/// Why a text is not approved or revoked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextsError {
    /// There is one.
    #[error("this text is approved already in this version and language; a changed text is a new version")]
    Approved,
    /// There is none.
    #[error("no such text was ever approved; see the list of texts")]
    Unknown,
    /// Consents under it have stopped counting, or will before that.
    #[error("this text is revoked already, from the same time or earlier")]
    Revoked,
    /// A module that the agreement does not know.
    #[error("the agreement has no module `{0}`")]
    Module(String),
    /// A module that no text may leave out.
    #[error("no text may leave out the module `{0}`")]
    Missing(String),
    /// It would be revoked or at its end before it is approved.
    #[error("the text would end before it begins")]
    Ended,
    /// It would change what was.
    #[error("a text is approved or revoked from now on or later, never for the past: consent comes first")]
    Past,
}

/// All texts, and what they are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    pub(super) policies: BTreeMap<String, Policy>,
    pub(super) modules: BTreeMap<String, Module>,
    /// In the order of their keys.
    pub(super) templates: Vec<Template>,
    changes: Vec<TextChange>,
}

impl Texts {
    /// All texts that were ever approved, by name, version and language.
    pub fn all(&self) -> &[Template] {
        &self.templates
    }

    /// One text; none if it was never approved.
    pub fn get(&self, id: &str, version: &str, language: &str) -> Option<&Template> {
        let at = self.templates.binary_search_by(|template| template.key().cmp(&(id, version, language))).ok()?;
        self.templates.get(at)
    }

    /// What a text states, module by module.
    pub fn policies(&self, template: &Template) -> impl Iterator<Item = &Policy> {
        let modules = template.modules.iter().filter_map(|module| self.modules.get(module));
        modules.flat_map(|module| module.policies.iter()).filter_map(|policy| self.policies.get(policy))
    }

    /// What operators have changed, in their order.
    pub fn changes(&self) -> &[TextChange] {
        &self.changes
    }

    /// Whether a text can be what it says: it is made of known modules, none of those that must be there is missing, and it begins before it ends.
    pub fn is_whole(&self, template: &Template) -> Result<(), TextsError> {
        if let Some(unknown) = template.modules.iter().find(|module| !self.modules.contains_key(*module)) {
            return Err(TextsError::Module(unknown.clone()));
        }
        let missing = self.modules.iter().find(|(name, module)| module.mandatory && !template.modules.contains(name));
        if let Some((name, _)) = missing {
            return Err(TextsError::Missing(name.clone()));
        }
        let ends = template.valid_until.into_iter().chain(template.revoked_from).min();
        if ends.is_some_and(|end| end <= template.approved_from) { Err(TextsError::Ended) } else { Ok(()) }
    }

    /// Whether an operator may change this now.
    pub fn check(&self, change: &TextChange, now: Time) -> Result<(), TextsError> {
        match change {
            TextChange::Approved(template) => {
                if self.get(&template.id, &template.version, &template.language).is_some() {
                    return Err(TextsError::Approved);
                }
                self.is_whole(template)?;
                if template.approved_from < now { Err(TextsError::Past) } else { Ok(()) }
            }
            TextChange::Revoked { id, version, language, from } => {
                let template = self.get(id, version, language).ok_or(TextsError::Unknown)?;
                if template.is_revoked(*from) {
                    return Err(TextsError::Revoked);
                }
                if *from < now { Err(TextsError::Past) } else { Ok(()) }
            }
        }
    }

    /// Takes a change over. One that says nothing new changes nothing: an agreement may have caught up with it.
    pub(super) fn apply(&mut self, change: &TextChange) {
        match change {
            TextChange::Approved(template) => {
                if let Err(place) = self.templates.binary_search_by(|other| other.key().cmp(&template.key())) {
                    self.templates.insert(place, template.clone());
                }
            }
            TextChange::Revoked { id, version, language, from } => {
                let wanted = (id.as_str(), version.as_str(), language.as_str());
                if let Some(template) = self.templates.iter_mut().find(|template| template.key() == wanted) {
                    template.revoked_from = Some(template.revoked_from.map_or(*from, |earlier| earlier.min(*from)));
                }
            }
        }
        if !self.changes.contains(change) {
            self.changes.push(change.clone());
        }
    }
}
