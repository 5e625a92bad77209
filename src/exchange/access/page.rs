// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The report as a page: first in German, which counts, then in the person's language.

use super::{At, ConsentView, GrantView, PersonReport, RecallView, Transfer, TransferStep};
use crate::consent::{GrantorKind, Status};
use crate::exchange::sheet::{data, last_day};
use crate::referral::{RecallOutcome, ReferralState, StatusReason};
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
    page.paragraph(&texts.fill("word", "page_of", &[("date", &texts.moment(report.at.0))]));
    page.paragraph(&say("intro"));
    if report.is_empty() {
        page.paragraph(texts.get("access", "nothing")).paragraph(&say("scope"));
    } else {
        let restricted = report.restricted_since.map(|at| ("restricted", texts.day(at.0)));
        let held = report.held_until.map(|at| ("held", last_day(at.0, texts)));
        for (word, day) in restricted.into_iter().chain(held) {
            page.paragraph(&texts.fill("access", word, &[("date", &day)]));
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
    let places = [("date", &*texts.day(one.at.0)), ("from", &one.from.name), ("to", &one.to.name)];
    page.heading(3, &texts.fill("access", "transfer_of", &places));
    if !one.left {
        page.paragraph(texts.get("access", "not_sent"));
    }
    let mut facts =
        vec![(texts.get("word", "purpose"), texts.term("purpose", &one.purpose)), (texts.get("word", "data"), data(texts, one.categories))];
    if !one.withheld.is_empty() {
        facts.push((texts.get("access", "withheld"), data(texts, one.withheld)));
    }
    if let Some(basis) = &one.basis {
        facts.push((texts.get("word", "basis"), texts.term("basis", basis)));
    }
    let steps = one.history.iter().map(|step| format!("{}: {}", texts.moment(step.at.0), state(one, step, texts)));
    facts.push((texts.get("access", "history"), steps.collect::<Vec<_>>().join("\n")));
    let recalls: Vec<_> = one.recalls.iter().map(|recall| asked_and_answered(recall, texts)).collect();
    facts.extend(recalls.iter().map(|(asked, answered)| (asked.as_str(), answered.clone())));
    if let Some(entry) = one.entry {
        facts.push((texts.get("word", "proof"), texts.fill("access", "entry", &[("number", &entry.to_string())])));
    }
    if let Some(day) = one.delete_after {
        facts.push((texts.get("access", "stored_until"), last_day(day.end(), texts)));
    }
    page.facts(facts.iter().map(|(name, value)| (*name, value.as_str())));
}

/// Nothing is called back of what never left: it was stopped.
fn state(one: &Transfer, step: &TransferStep, texts: &Texts) -> String {
    if step.state == ReferralState::Recalled && !one.left {
        return texts.get("access", "stopped").to_owned();
    }
    texts.term("referral_state", &step.state)
}

fn asked_and_answered(recall: &RecallView, texts: &Texts) -> (String, String) {
    let asked = match recall.reason {
        Some(StatusReason::Corrected) => "recalled_correct",
        Some(StatusReason::RestrictionRequested) => "recalled_restrict",
        Some(_) => "recalled_delete",
        None => "recalled",
    };
    let answered = match recall.outcome {
        None => "OPEN",
        Some(RecallOutcome::Deleted) => "DELETED",
        Some(RecallOutcome::Restricted) => "RESTRICTED",
        Some(RecallOutcome::Corrected) => "CORRECTED",
        Some(RecallOutcome::RetainedStatutory) => "RETAINED_STATUTORY",
    };
    (texts.fill("access", asked, &[("date", &texts.day(recall.at.0))]), texts.fill("recall", answered, &[("norm", &recall.norm)]))
}

fn consent(page: &mut Page, one: &ConsentView, texts: &Texts) {
    page.heading(3, &texts.fill("access", "consent_of", &[("date", &texts.day(one.granted_at.0))]));
    if one.given_by != GrantorKind::Own {
        let places = [("date", &*texts.day(one.granted_at.0)), ("institution", &one.collected_by), ("who", &texts.term("grantor", &one.given_by))];
        page.paragraph(&texts.fill("receipt", "given_for", &places));
    }
    let mut status = vec![texts.term("consent_status", &one.status)];
    if let (Status::Active | Status::Proposed, Some(At(from)), Some(At(until))) = (one.status, one.valid_from, one.valid_until) {
        status.push(texts.fill("receipt", "valid", &[("from", &texts.day(from)), ("until", &last_day(until, texts))]));
    }
    for step in one.history.iter().filter(|step| step.withdrawn.is_some() || step.status == Status::Withdrawn) {
        let word = if step.status == Status::Withdrawn { "withdrawn_at" } else { "withdrawn_part" };
        let by = step.by.as_deref().unwrap_or_default();
        status.push(texts.fill("access", word, &[("date", &texts.day(step.at.0)), ("institution", by)]));
    }
    let mut facts = vec![(texts.get("word", "status"), status.join("\n")), (texts.get("receipt", "gives"), one.controller.name.clone())];
    if !one.special.is_empty() {
        facts.push((texts.get("receipt", "special"), data(texts, one.special)));
    }
    if let Some(day) = one.delete_after {
        facts.push((texts.get("access", "stored_until"), last_day(day.end(), texts)));
    }
    page.facts(facts.iter().map(|(name, value)| (*name, value.as_str())));
    let [to, purpose, which] = ["to", "purpose", "data"].map(|word| texts.get("word", word));
    let row = |one: &GrantView| {
        vec![one.recipient.name.clone(), texts.term("purpose", &one.purpose), data(texts, one.categories), data(texts, one.feedback)]
    };
    page.table(&[to, purpose, which, texts.get("receipt", "returns")], one.grants.iter().map(row));
}
