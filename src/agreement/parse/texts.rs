// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Policies, modules and templates.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::entries::{ModuleEntry, PolicyEntry, TemplateEntry};
use super::reading::Reading;
use crate::agreement::texts::TextsError;
use crate::agreement::{Module, Policy, Template, Texts};
use crate::dialect::CategoryMask;

pub(super) fn texts(reading: &mut Reading<'_>, file: &mut DeTable<'_>, sets: &BTreeMap<String, CategoryMask>) -> Texts {
    let mut texts = Texts::default();
    for (span, PolicyEntry { id, text, purposes, special, secrecy_release }) in reading.entries(file, "policy") {
        reading.text(&span, &id, "id");
        reading.text(&span, &text, "text");
        let special = reading.mask(&span, &special, sets);
        if !CategoryMask::SPECIAL.covers(special) {
            reading.problem(&span, format!("policy `{id}` asks for a tick that no law wants"), "special: only categories of Art. 9 and 10 GDPR");
        }
        if texts.policies.insert(id.clone(), Policy { text, purposes, special, secrecy_release }).is_some() {
            reading.problem(&span, format!("policy `{id}` appears twice"), "keep one of them");
        }
    }
    for (span, ModuleEntry { id, policies, mandatory }) in reading.entries(file, "module") {
        reading.text(&span, &id, "id");
        for policy in policies.iter().filter(|policy| !texts.policies.contains_key(*policy)) {
            reading.problem(&span, format!("module `{id}` states the unknown policy `{policy}`"), "add it as [[policy]]");
        }
        if texts.modules.insert(id.clone(), Module { policies, mandatory }).is_some() {
            reading.problem(&span, format!("module `{id}` appears twice"), "keep one of them");
        }
    }
    for (span, entry) in reading.entries::<TemplateEntry>(file, "template") {
        if entry.text_sha256.len() != 64 || !entry.text_sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            let message = format!("text_sha256 of template `{}` is not a SHA-256", entry.id);
            reading.problem(&span, message, "64 lower-case hex digits, as sha256sum prints them");
        }
        for (what, value) in [("id", &entry.id), ("version", &entry.version), ("language", &entry.language)] {
            reading.text(&span, value, what);
        }
        let valid_until = entry.valid_until.and_then(|at| reading.instant(&span, at));
        let revoked_from = entry.revoked_from.and_then(|at| reading.instant(&span, at));
        let Some(approved_from) = reading.instant(&span, entry.approved_from) else { continue };
        let TemplateEntry { id, version, language, text_sha256, modules, .. } = entry;
        let template = Template { id, version, language, text_sha256, modules, approved_from, valid_until, revoked_from };
        match texts.is_whole(&template) {
            // Old texts are kept as they were, with what they lacked: nobody can sign them any more.
            Ok(()) => {}
            Err(TextsError::Missing(_)) if template.revoked_from.is_some() => {}
            Err(error) => reading.problem(&span, format!("template `{}`: {error}", template.id), "see [[module]]"),
        }
        match texts.templates.binary_search_by(|other| other.key().cmp(&template.key())) {
            Ok(_) => {
                let message = format!("template `{}` appears twice in one version and language", template.id);
                reading.problem(&span, message, "a changed text is a new version");
            }
            Err(place) => texts.templates.insert(place, template),
        }
    }
    texts
}
