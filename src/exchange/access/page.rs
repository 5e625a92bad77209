// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The report as a page: first in German, which counts, then in the person's language.

use super::{ConsentView, PersonReport, Place, Transfer, words};
use crate::referral::RecallOutcome;
use crate::texts::{self, Page, Texts};

/// German alone if there are no words for `language`.
pub(super) fn render(report: &PersonReport, language: &str) -> String {
    let german = texts::german();
    let mut page = Page::default();
    part(&mut page, report, german);
    if let Some(own) = texts::of(language).filter(|own| own.language != german.language) {
        part(&mut page, report, own);
    }
    page.finish(german, german.get("access", "title"))
}

fn part(page: &mut Page, report: &PersonReport, texts: &'static Texts) {
    let name = report.controller.name.as_str();
    let say = |word| texts.fill("access", word, &[("institution", name)]);
    page.language(texts).heading(1, texts.get("access", "title")).provenance();
    page.paragraph(&texts.fill("word", "page_of", &[("date", &texts.moment(report.at))]));
    page.paragraph(&say("intro"));
    if report.is_empty() {
        page.paragraph(texts.get("access", "nothing")).paragraph(&say("scope"));
    } else {
        for (word, at) in [("restricted", report.restricted_since), ("held", report.held_until)] {
            if let Some(at) = at {
                page.paragraph(&texts.fill("access", word, &[("date", &texts.day(at))]));
            }
        }
        page.paragraph(&say("content")).paragraph(&say("scope"));
        page.heading(2, texts.get("access", "transfers"));
        if report.transfers.is_empty() {
            page.paragraph(texts.get("access", "transfers_none"));
        } else {
            report.transfers.iter().for_each(|one| transfer(page, one, texts));
            page.paragraph(texts.get("access", "proof_how"));
        }
        page.heading(2, texts.get("access", "consents"));
        if report.consents.is_empty() {
            page.paragraph(texts.get("word", "none"));
        }
        report.consents.iter().for_each(|one| consent(page, one, texts));
        page.heading(2, texts.get("access", "also")).paragraph(texts.get("access", "also_what"));
    }
    page.heading(2, texts.get("access", "rights"));
    let authority = [("authority", report.controller.supervisory_authority.as_str())];
    let rights = ["WITHDRAWAL", "CORRECTION", "DELETION", "RESTRICTION", "PORTABILITY", "ACCESS", "COMPLAINT"];
    page.list(rights.map(|right| texts.fill("right", right, &authority)));
}

fn transfer(page: &mut Page, one: &Transfer, texts: &Texts) {
    let places = [("date", &*texts.day(one.at)), ("from", &one.from.name), ("to", &one.to.name)];
    page.heading(3, &texts.fill("access", "transfer_of", &places));
    let mut facts = vec![
        (texts.get("word", "purpose"), texts.term("purpose", &one.purpose)),
        (texts.get("word", "data"), words(one.categories, texts).join("; ")),
    ];
    if !one.withheld.is_empty() {
        facts.push((texts.get("access", "withheld"), words(one.withheld, texts).join("; ")));
    }
    if let Some(basis) = &one.basis {
        facts.push((texts.get("word", "basis"), texts.term("basis", basis)));
    }
    let steps = one.history.iter().map(|(state, _, at)| format!("{}: {}", texts.moment(*at), texts.term("referral_state", state)));
    facts.push((texts.get("access", "history"), steps.collect::<Vec<_>>().join("; ")));
    let recalls: Vec<_> = one.recalls.iter().map(|recall| (texts.fill("access", "recalled", &[("date", &texts.day(recall.at))]), recall)).collect();
    for (name, recall) in &recalls {
        let word = match recall.outcome {
            None => "OPEN",
            Some(RecallOutcome::Deleted) => "DELETED",
            Some(RecallOutcome::Restricted) => "RESTRICTED",
            Some(RecallOutcome::Corrected) => "CORRECTED",
            Some(RecallOutcome::RetainedStatutory) => "RETAINED_STATUTORY",
        };
        facts.push((name, texts.fill("recall", word, &[("norm", &recall.norm)])));
    }
    if let Some(entry) = one.entry {
        facts.push((texts.get("word", "proof"), texts.fill("access", "entry", &[("number", &entry.to_string())])));
    }
    page.facts(facts.iter().map(|(name, value)| (*name, value.as_str())));
}

fn consent(page: &mut Page, one: &ConsentView, texts: &Texts) {
    page.heading(3, &texts.fill("access", "consent_of", &[("date", &texts.day(one.granted_at))]));
    let status = texts.term("consent_status", &one.status);
    let valid = match one.valid {
        (Some(from), Some(until)) => texts.fill("receipt", "valid", &[("from", &texts.day(from)), ("until", &texts.day(until))]),
        _ => String::new(),
    };
    let mut facts = vec![(texts.get("word", "status"), format!("{status}. {valid}")), (texts.get("word", "from"), one.controller.name.clone())];
    if !one.special.is_empty() {
        facts.push((texts.get("receipt", "special"), words(one.special, texts).join("; ")));
    }
    if let Some(day) = one.delete_after {
        facts.push((texts.get("access", "stored_until"), texts.day(crate::clock::Time(day.end().0.saturating_sub(1)))));
    }
    page.facts(facts.iter().map(|(name, value)| (*name, value.as_str())));
    let headings = ["to", "purpose", "data"].map(|word| texts.get("word", word));
    let row = |grant: &super::GrantView| {
        let Place { name, .. } = &grant.recipient;
        vec![name.clone(), texts.term("purpose", &grant.purpose), words(grant.categories, texts).join("; ")]
    };
    page.table(&headings, one.grants.iter().map(row));
}
