// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use prost_types::Timestamp;

use super::Story;
use crate::cli::demo::cases::{Case, Situation};
use crate::cli::demo::history::Outcome;
use crate::clock::Clock as _;
use crate::dialect::{Category, CategoryMask};
use crate::proto::types::{Appointment, RecallAnswer, RecallOutcome, ReferralState, StatusChange, StatusReason};

impl Story<'_> {
    /// Recipients answer; what the person allowed to be told goes back.
    pub(super) async fn answers(&self) {
        self.voice.title("3  The recipients answer (Rückmeldung)");
        let cases = self.accepted(&[Situation::Completed, Situation::Rejected, Situation::AnsweredTwice]);
        for (case, referral) in &cases {
            match case.situation {
                Situation::Rejected => self.answer(case, referral, ReferralState::Rejected, StatusReason::NoCapacity, false).await,
                Situation::AnsweredTwice => self.answer(case, referral, ReferralState::Accepted, StatusReason::Unspecified, true).await,
                _ => {
                    for state in [ReferralState::Accepted, ReferralState::InProgress, ReferralState::Completed] {
                        self.answer(case, referral, state, StatusReason::Unspecified, false).await;
                    }
                }
            }
        }
        for (case, referral) in &cases {
            let Some(sender) = self.sender_of(case) else { continue };
            let last = match case.situation {
                Situation::Rejected => ReferralState::Rejected,
                Situation::AnsweredTwice => ReferralState::Accepted,
                _ => ReferralState::Completed,
            };
            let told = || sender.book().look(|pages| pages.news.iter().any(|change| change.referral_id == *referral && change.state() == last));
            self.until(&format!("the sender of case {} hears the answer", case.number), told).await;
        }
        let of = |situation| cases.iter().filter(|(case, _)| case.situation == situation).count();
        self.voice.event(&format!("{} were accepted, worked on and completed (angenommen, in Beratung, abgeschlossen)", of(Situation::Completed)));
        self.voice.event(&format!(
            "{} were rejected for want of capacity (abgelehnt), {} answered twice: counted once",
            of(Situation::Rejected),
            of(Situation::AnsweredTwice)
        ));
        self.voice.event("each sender was told in its own words; that somebody is being counselled stays at the centre");
    }

    async fn answer(&self, case: &Case, referral: &str, state: ReferralState, reason: StatusReason, twice: bool) {
        let Some(recipient) = self.recipient_of(case) else { return };
        let minute = self.stage.clock.now().0 / 60_000 * 60;
        let completed = state == ReferralState::Completed;
        let change = StatusChange {
            referral_id: referral.to_owned(),
            event_id: uuid::Uuid::new_v4().to_string(),
            state: state.into(),
            reason: reason.into(),
            at: Some(Timestamp { seconds: minute, nanos: 0 }),
            recipient_case_number: format!("E-{}", case.number),
            outcome: if completed { "Beratung abgeschlossen, Antrag gestellt.".to_owned() } else { String::new() },
            appointment: (state == ReferralState::InProgress).then(|| Appointment {
                starts_at: Some(Timestamp { seconds: minute + 172_800, nanos: 0 }),
                place: "Raum 3".to_owned(),
                subject: String::new(),
            }),
            ..StatusChange::default()
        };
        let request = uuid::Uuid::new_v4().to_string();
        for _ in 0..if twice { 2 } else { 1 } {
            match recipient.answer(&request, &change).await {
                Ok(receipt) => self.receipt(format!("answer to case {}", case.number), receipt),
                Err(refused) => return self.surprise(format!("case {}: its answer was refused: {refused}", case.number)),
            }
        }
        self.pages().answers.push((referral.to_owned(), state.into()));
    }

    /// Consents that are withdrawn and referrals that are taken back after delivery: the recipients have to give the data up, and say so.
    pub(super) async fn recalls(&self) {
        self.voice.title("7  Tuesday: people withdraw what was delivered already; their data are called back (Rückruf)");
        let cases = self.accepted(&[Situation::WithdrawnAfter, Situation::WithdrawnInPart, Situation::TakenBack, Situation::EnteredInError]);
        for (case, referral) in &cases {
            match case.situation {
                Situation::WithdrawnAfter => self.withdraw(case, CategoryMask::EMPTY).await,
                Situation::WithdrawnInPart => self.withdraw(case, self.one_kind(referral)).await,
                situation => self.take_back(case, referral, situation == Situation::EnteredInError).await,
            }
            self.pages().to_recall.push(referral.clone());
        }
        for (case, referral) in &cases {
            let Some(recipient) = self.recipient_of(case) else { continue };
            let notice = || recipient.book().look(|pages| pages.recalls.iter().find(|notice| notice.referral_id == *referral).cloned());
            self.until(&format!("the recipient of case {} is asked to give the data up", case.number), || notice().is_some()).await;
            let Some(notice) = notice() else { continue };
            let in_part = !notice.categories.is_empty();
            if in_part != (case.situation == Situation::WithdrawnInPart) {
                self.surprise(format!("case {}: the recall names other data than were withdrawn", case.number));
            }
            let (outcome, norm) = match case.referral.recipient.as_ref().map(|party| party.institution.as_str()) {
                // A benefit body may have to keep what it has begun to work with.
                Some("jobcenter-bremen") if !in_part => (RecallOutcome::RetainedStatutory, "§ 67c SGB X"),
                _ if in_part => (RecallOutcome::Restricted, ""),
                _ => (RecallOutcome::Deleted, ""),
            };
            let answer = RecallAnswer { recall_id: notice.recall_id, outcome: outcome.into(), norm: norm.to_owned() };
            match recipient.answer_recall(&uuid::Uuid::new_v4().to_string(), &answer).await {
                Ok(receipt) => self.receipt(format!("answer to the recall of case {}", case.number), receipt),
                Err(refused) => self.surprise(format!("case {}: the answer to its recall was refused: {refused}", case.number)),
            }
            self.pages().given_up.push((referral.clone(), outcome.into()));
        }
        let of = |situation| cases.iter().filter(|(case, _)| case.situation == situation).count();
        self.voice.event(&format!(
            "{} withdrew everything, {} one kind of data; {} were taken back by their senders (Rücknahme), {} had been sent by mistake (Irrläufer)",
            of(Situation::WithdrawnAfter),
            of(Situation::WithdrawnInPart),
            of(Situation::TakenBack),
            of(Situation::EnteredInError)
        ));
        let gave = |outcome: RecallOutcome| self.pages().given_up.iter().filter(|(_, did)| *did == i32::from(outcome)).count();
        self.voice.event(&format!(
            "{} recalls were answered: {} deleted (gelöscht), {} restricted (eingeschränkt), {} kept by law (gesetzlich behalten), with the norm",
            cases.len(),
            gave(RecallOutcome::Deleted),
            gave(RecallOutcome::Restricted),
            gave(RecallOutcome::RetainedStatutory)
        ));
        self.voice.event("each sender was told what became of the data, and can tell the person");
    }

    /// One kind of data that went, besides who the person is.
    fn one_kind(&self, referral: &str) -> CategoryMask {
        let pages = self.pages();
        let granted = pages.submissions.iter().find_map(|submission| match &submission.outcome {
            Outcome::Accepted { referral: taken, granted, .. } if taken == referral => Some(*granted),
            _ => None,
        });
        let besides = granted.unwrap_or_default() - Category::Ident.mask();
        besides.iter().next().map(Category::mask).unwrap_or_default()
    }

    async fn take_back(&self, case: &Case, referral: &str, entered_in_error: bool) {
        let Some(sender) = self.sender_of(case) else { return };
        match sender.cancel(&uuid::Uuid::new_v4().to_string(), referral, entered_in_error).await {
            Ok(receipt) => self.receipt(format!("case {}, taken back", case.number), receipt),
            Err(refused) => self.surprise(format!("case {}: it could not be taken back: {refused}", case.number)),
        }
    }
}
