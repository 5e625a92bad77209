// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use super::Story;
use crate::cli::demo::cases::{Case, Phase, Situation};
use crate::cli::demo::stage::{REPORT, SHEET};
use crate::proto::types::{RecallAnswer, RecallOutcome, ReferralState, StatusReason};

/// Where people show their sheets.
pub(super) const COUNTER: &str = "jobcenter-bremen";

impl Story<'_> {
    /// Consents given at Caritas for two recipients. One has the data, for the other they wait; the person shows its sheet at a counter that
    /// has nothing to do with the first. What waits stops, what is there is called back, and Caritas can tell the person.
    pub(super) async fn at_the_counter(&self) {
        let waiting = self.accepted(&[Situation::AtTheCounter]);
        let (queued, delivered): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(case, _)| case.phase == Phase::Away);
        for (case, referral) in &delivered {
            self.show_sheet(case).await;
            self.pages().to_recall.push(referral.clone());
            self.give_up(case, referral).await;
        }
        for (case, referral) in delivered.iter().chain(&queued) {
            let Some(sender) = self.sender_of(case) else { continue };
            let is = |change: &crate::proto::types::StatusChange| change.referral_id == *referral && change.state() == ReferralState::Recalled;
            let told = || sender.book().look(|pages| pages.news.iter().any(is));
            self.until(&format!("the sender of case {} hears that it was withdrawn elsewhere", case.number), told).await;
        }
        for (case, referral) in &delivered {
            self.ask_what_is_there(case, referral).await;
        }
        let (there, waited) = (delivered.len(), queued.len());
        self.voice.event(&format!("{there} given at Caritas for two recipients: the Agentur has the data, for the Jobcenter they wait"));
        self.voice.event(&format!("   withdrawn at the Jobcenter's counter, by the code on the sheet: {waited} stopped before a byte left,"));
        self.voice.event(&format!("   {there} called back from the Agentur and deleted there, Caritas told of both; the person's report says so"));
    }

    /// The centre prints the sheet, the person hands it over, the clerk mistypes the code and then does not.
    async fn show_sheet(&self, case: &Case) {
        let (Some(sender), Some(counter), Some(consent)) = (self.sender_of(case), self.system(COUNTER), &case.consent) else { return };
        let sheet = match sender.sheet(&consent.consent_id, "ar").await {
            Ok(sheet) => sheet,
            Err(refused) => return self.surprise(format!("case {}: there is no sheet for its consent: {refused}", case.number)),
        };
        if !sheet.content.contains(&sheet.withdrawal_code) || std::fs::write(self.stage.dir.join(SHEET), &sheet.content).is_err() {
            self.surprise(format!("case {}: its sheet has no code, or cannot be written", case.number));
        }
        let code = sheet.withdrawal_code;
        let mistyped = code.chars().rev().collect::<String>();
        let request = uuid::Uuid::new_v4().to_string();
        match counter.withdraw_by_code(&request, &mistyped).await {
            Err(refused) if refused.reason == "INVALID_FIELD" || refused.reason == "NOT_FOUND" => {}
            _ => self.surprise(format!("case {}: a mistyped code was taken", case.number)),
        }
        match counter.withdraw_by_code(&uuid::Uuid::new_v4().to_string(), &code.to_lowercase()).await {
            Ok((receipt, 0)) => self.receipt(format!("withdrawal of case {} at a counter", case.number), receipt),
            Ok(_) => self.surprise(format!("case {}: the counter was told of referrals that never reached it", case.number)),
            Err(refused) => self.surprise(format!("case {}: its code was refused: {refused}", case.number)),
        }
    }

    async fn give_up(&self, case: &Case, referral: &str) {
        let Some(recipient) = self.recipient_of(case) else { return };
        let notice = || recipient.book().look(|pages| pages.recalls.iter().find(|notice| notice.referral_id == *referral).cloned());
        self.until(&format!("the recipient of case {} is asked to give the data up", case.number), || notice().is_some()).await;
        let Some(notice) = notice() else { return };
        if notice.reason() != StatusReason::ConsentWithdrawn || notice.answer_due_at.is_none() {
            self.surprise(format!("case {}: its recall does not say why, or by when it is to be answered", case.number));
        }
        let answer = RecallAnswer { recall_id: notice.recall_id, outcome: RecallOutcome::Deleted.into(), norm: String::new() };
        match recipient.answer_recall(&uuid::Uuid::new_v4().to_string(), &answer).await {
            Ok(receipt) => self.receipt(format!("answer to the recall of case {}", case.number), receipt),
            Err(refused) => self.surprise(format!("case {}: the answer to its recall was refused: {refused}", case.number)),
        }
        self.pages().given_up.push((referral.to_owned(), RecallOutcome::Deleted.into()));
    }

    /// What the person is told when it asks (Art. 15 GDPR): what left and was deleted, what never left, and where the consent ended.
    async fn ask_what_is_there(&self, case: &Case, referral: &str) {
        let Some(sender) = self.sender_of(case) else { return };
        let report = match sender.report(&case.referral.subject_ref, "ar").await {
            Ok(report) => report,
            Err(refused) => return self.surprise(format!("case {}: there is no report for its person: {refused}", case.number)),
        };
        let told: serde_json::Value = serde_json::from_str(&report.json).unwrap_or_default();
        let transfers = told.get("transfers").and_then(serde_json::Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let is = |value: &serde_json::Value, at: &str, wanted: serde_json::Value| value.pointer(at) == Some(&wanted);
        let gone = |one: &&serde_json::Value| is(one, "/referral", referral.into()) && is(one, "/left", true.into());
        let deleted = transfers.iter().find(gone).is_some_and(|one| is(one, "/recalls/0/outcome", "DELETED".into()));
        let stopped = |one: &serde_json::Value| is(one, "/to/institution", COUNTER.into()) && is(one, "/left", false.into());
        let ended = is(&told, "/consents/0/status", "WITHDRAWN".into());
        if !(deleted && ended && transfers.len() == 2 && transfers.iter().any(stopped)) {
            self.surprise(format!("case {}: the report to its person does not say what happened", case.number));
        }
        if std::fs::write(self.stage.dir.join(REPORT), &report.html).is_err() {
            self.surprise(format!("case {}: the report to its person cannot be written", case.number));
        }
    }
}
