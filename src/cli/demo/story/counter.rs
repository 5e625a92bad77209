// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use super::Story;
use crate::cli::demo::cases::{Case, Phase, Situation};
use crate::cli::demo::stage::SHEET;
use crate::proto::types::{RecallAnswer, RecallOutcome, ReferralState};

/// Where people show their sheets.
const COUNTER: &str = "jobcenter-bremen";

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
        let (there, waited) = (delivered.len(), queued.len());
        self.voice.event(&format!("{there} given at Caritas for two recipients: the Agentur has the data, for the Jobcenter they wait"));
        self.voice.event(&format!("   withdrawn at the Jobcenter's counter, by the code on the sheet: {waited} stopped before a byte left,"));
        self.voice.event(&format!("   {there} called back from the Agentur and deleted there, Caritas told of both"));
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
            Ok(receipt) => self.receipt(format!("withdrawal of case {} at a counter", case.number), receipt),
            Err(refused) => self.surprise(format!("case {}: its code was refused: {refused}", case.number)),
        }
    }

    async fn give_up(&self, case: &Case, referral: &str) {
        let Some(recipient) = self.recipient_of(case) else { return };
        let notice = || recipient.book().look(|pages| pages.recalls.iter().find(|notice| notice.referral_id == *referral).cloned());
        self.until(&format!("the recipient of case {} is asked to give the data up", case.number), || notice().is_some()).await;
        let Some(notice) = notice() else { return };
        let answer = RecallAnswer { recall_id: notice.recall_id, outcome: RecallOutcome::Deleted.into(), norm: String::new() };
        match recipient.answer_recall(&uuid::Uuid::new_v4().to_string(), &answer).await {
            Ok(receipt) => self.receipt(format!("answer to the recall of case {}", case.number), receipt),
            Err(refused) => self.surprise(format!("case {}: the answer to its recall was refused: {refused}", case.number)),
        }
        self.pages().given_up.push((referral.to_owned(), RecallOutcome::Deleted.into()));
    }
}
