// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use prost_types::Timestamp;

use super::Story;
use crate::cli::demo::cases::{Case, Situation};
use crate::clock::Clock as _;
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

    /// Consents that are withdrawn after delivery: the recipients have to give the data up, and say so.
    pub(super) async fn recalls(&self) {
        self.voice.title("7  Tuesday: people withdraw what was delivered already; their data are called back (Rückruf)");
        let cases = self.accepted(&[Situation::WithdrawnAfter]);
        for (case, referral) in &cases {
            self.withdraw(case).await;
            self.pages().to_recall.push(referral.clone());
        }
        for (case, referral) in &cases {
            let Some(recipient) = self.recipient_of(case) else { continue };
            let notice = || recipient.book().look(|pages| pages.recalls.iter().find(|notice| notice.referral_id == *referral).cloned());
            self.until(&format!("the recipient of case {} is asked to give the data up", case.number), || notice().is_some()).await;
            let Some(notice) = notice() else { continue };
            let answer = RecallAnswer { recall_id: notice.recall_id, outcome: RecallOutcome::Deleted.into(), norm: String::new() };
            match recipient.answer_recall(&uuid::Uuid::new_v4().to_string(), &answer).await {
                Ok(receipt) => self.receipt(format!("answer to the recall of case {}", case.number), receipt),
                Err(refused) => self.surprise(format!("case {}: the answer to its recall was refused: {refused}", case.number)),
            }
        }
        self.voice.event(&format!("{} recalls were delivered and answered: deleted (gelöscht)", cases.len()));
    }
}
