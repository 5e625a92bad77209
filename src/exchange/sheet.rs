// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The sheet that a person takes home with its consent: who may get what and what for, and how to take it back, in its language and in plain German.

use super::Exchange;
use super::refusal::Refusal;
use crate::agreement::Agreement;
use crate::clock::Time;
use crate::consent::{Consent, Grant, GrantorKind, Party, Status, WithdrawalCode};
use crate::dialect::CategoryMask;
use crate::id::{ConsentId, InstitutionId};
use crate::texts::{self, Page, Texts, escape};

/// Between the kinds of data of one list; a sign that no language writes otherwise.
const BETWEEN: &str = " · ";
/// Modules of white around the code (ISO/IEC 18004).
const QUIET: i32 = 4;

/// A sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// A whole page.
    pub html: String,
    /// The code that is on it; none for a consent recorded before there were codes.
    pub code: Option<WithdrawalCode>,
}

impl Exchange {
    /// The sheet for a consent that the caller recorded. `language`: of the person, beside German; empty: the one in which the consent was explained.
    pub async fn consent_sheet(&self, caller: &InstitutionId, id: ConsentId, language: &str) -> Result<Sheet, Refusal> {
        let consent = self.consent(caller, id).await?;
        let code = self.code_given(&id).await?;
        let language = if language.is_empty() { &consent.explanation.language } else { language };
        let own = texts::of(language).filter(|texts| texts.language != texts::german().language);
        let agreement = self.agreement();
        let mut page = Page::default();
        for texts in own.into_iter().chain([texts::german()]) {
            write(page.language(texts), texts, &consent, code.as_ref(), &agreement, self.clock.now());
        }
        let first = own.unwrap_or_else(texts::german);
        Ok(Sheet { html: page.finish(first, first.get("receipt", "title")), code })
    }
}

/// One language of the sheet.
fn write(page: &mut Page, texts: &Texts, consent: &Consent, code: Option<&WithdrawalCode>, agreement: &Agreement, now: Time) {
    let say = |word| texts.get("receipt", word);
    page.heading(1, say("title")).provenance().paragraph(say("intro"));
    let collected_by = agreement.name_of(&consent.voluntariness.collected_by);
    let given = if consent.grantor.kind == GrantorKind::Own { "given" } else { "given_for" };
    let who = texts.term("grantor", &consent.grantor.kind);
    let places = [("date", &*texts.day(consent.granted_at)), ("institution", collected_by), ("who", &who)];
    page.paragraph(&texts.fill("receipt", given, &places));
    let status = consent.status_at(now);
    match (status, consent.valid_from, consent.ends_at()) {
        (Status::Active | Status::Proposed, Some(from), Some(end)) => {
            page.paragraph(&texts.fill("receipt", "valid", &[("from", &texts.day(from)), ("until", &last_day(end, texts))]))
        }
        _ => page.paragraph(&texts.fill("receipt", "ended", &[("status", &texts.term("consent_status", &status))])),
    };

    page.heading(2, say("agreed"));
    page.facts([(say("gives").to_owned(), unit(agreement, &consent.controller))]);
    for grant in &consent.grants {
        page.facts(facts(texts, grant, agreement));
    }
    if !consent.special_explicit.is_empty() {
        page.facts([(say("special").to_owned(), data(texts, consent.special_explicit))]);
    }
    if let Some(release) = &consent.secrecy_release {
        let towards: Vec<_> = release.towards.iter().map(|id| agreement.name_of(id)).collect();
        page.facts([(texts.fill("receipt", "secrecy", &[("institutions", &towards.join(", "))]), release.functions.join(", "))]);
    }

    // What has run out can still be taken back from those who have data under it.
    if matches!(status, Status::Active | Status::Proposed | Status::Expired | Status::Superseded) {
        page.heading(2, say("withdraw"));
        if let Some(code) = code {
            page.raw(&card(say("code"), code)).paragraph(say("code_keep"));
        }
        page.paragraph(say("withdraw_how")).paragraph(say("withdraw_part")).paragraph(say("withdraw_then"));
        page.heading(2, say("counters")).list(agreement.members().map(|member| &member.name));
    }

    page.heading(2, say("rights"));
    let authority = agreement.member(&consent.controller.institution).map(|member| member.supervisory_authority.clone()).unwrap_or_default();
    let rights = ["ACCESS", "CORRECTION", "DELETION", "RESTRICTION", "PORTABILITY", "WITHDRAWAL", "COMPLAINT"];
    page.list(rights.map(|right| texts.fill("right", right, &[("authority", &authority)])));
    page.paragraph(&texts.fill("receipt", "contact", &[("contact", &consent.dpo_contact)]));
}

fn facts(texts: &Texts, grant: &Grant, agreement: &Agreement) -> Vec<(String, String)> {
    let mut facts = vec![
        (texts.get("receipt", "receives").to_owned(), unit(agreement, &grant.recipient)),
        (texts.get("word", "purpose").to_owned(), texts.term("purpose", &grant.purpose)),
        (texts.get("word", "data").to_owned(), data(texts, grant.categories)),
    ];
    if !grant.feedback.is_empty() {
        facts.push((texts.get("receipt", "returns").to_owned(), data(texts, grant.feedback)));
    }
    facts
}

/// The last day on which something holds that ends at `end`: midnight is the end of the day before.
pub(super) fn last_day(end: Time, texts: &Texts) -> String {
    texts.day(Time(end.0.saturating_sub(1)))
}

/// Kinds of data in the words of a page.
pub(super) fn data(texts: &Texts, mask: CategoryMask) -> String {
    mask.iter().map(|category| texts.get("category", category.name()).to_owned()).collect::<Vec<_>>().join(BETWEEN)
}

/// Institution, unit and function, as the person knows them.
fn unit(agreement: &Agreement, party: &Party) -> String {
    let unit = agreement.unit(&party.institution, &party.unit).map_or(party.unit.as_str(), |unit| &unit.name);
    let parts = [agreement.name_of(&party.institution), unit, &party.function];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The code to read and to scan.
fn card(name: &str, code: &WithdrawalCode) -> String {
    let text = code.to_string();
    format!("<div class=\"card\">{}<p>{}<br><span class=\"code\">{}</span></p></div>\n", qr(&text), escape(name), escape(&text))
}

/// A QR code as SVG; nothing if the text were too long for one, which a withdrawal code is not.
fn qr(text: &str) -> String {
    let Ok(code) = qrcodegen::QrCode::encode_text(text, qrcodegen::QrCodeEcc::Quartile) else { return String::new() };
    let size = code.size() + 2 * QUIET;
    let dark = (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y))).filter(|(x, y)| code.get_module(*x, *y));
    let path: String = dark.map(|(x, y)| format!("M{} {}h1v1h-1z", x + QUIET, y + QUIET)).collect();
    format!(
        "<svg viewBox=\"0 0 {size} {size}\" role=\"img\" aria-label=\"QR: {}\" shape-rendering=\"crispEdges\"><path fill=\"#fff\" \
         d=\"M0 0h{size}v{size}h-{size}z\"/><path fill=\"#000\" d=\"{path}\"/></svg>",
        escape(text)
    )
}
