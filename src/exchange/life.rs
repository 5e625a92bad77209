// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Steps that a referral's sides make: answer, cancel, answer a recall; and what the clock ends.

use std::time::Duration;

use prost::Message as _;

use super::Exchange;
use super::apply::{carried, cut};
use super::command::{Answer, AnswerRecall, Cancel, Command, Expire, Remind, Reply, Told};
use super::query::Overview;
use super::receipts::Issued;
use super::refusal::Refusal;
use super::submit::field;
use crate::clock::Time;
use crate::dialect::{Category, CategoryMask, FieldReport, Outcome, Report, STATUS_CHANGE};
use crate::id::{InstitutionId, ReferralId, RequestId};
use crate::numbered::Numbered;
use crate::proto::types::{self, StatusChange};
use crate::referral::{self, Recall, RecallId, RecallOutcome, ReferralState, StatusReason};

/// Referrals ended by one sweep of the clock at most.
const SWEEP: u32 = 200;

/// A referral that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Where it stands now.
    pub state: ReferralState,
    /// Proof.
    pub receipt: Issued,
    /// What of a recipient's answer does not reach the sender as it is; empty for other steps, and if the same event was told before.
    pub report: Report,
}

impl Exchange {
    /// The recipient accepts, rejects, reports progress or completion.
    pub async fn answer(&self, caller: &InstitutionId, request: RequestId, change: StatusChange, content: &[u8]) -> Result<Moved, Refusal> {
        let event = match change.event_id.as_str() {
            "" => request.0,
            id => uuid::Uuid::try_parse(id).map_err(|_| field("change.event_id", "must be a UUID"))?,
        };
        let referral = referral_id(&change.referral_id, "change.referral_id")?;
        // Recalls have an answer of their own.
        let change = StatusChange { recall_outcome: 0, recall_norm: String::new(), ..change };
        let command = Answer {
            idempotency: self.idempotency(caller, request, "answer", content),
            recipient: caller.clone(),
            referral,
            event: event.into_bytes(),
            state: ReferralState::from_number(change.state.into()).ok_or_else(|| field("change.state", "must be a state"))?,
            reason: StatusReason::from_number(change.reason.into()),
            change: change.clone(),
        };
        let committed = self.writer.run(Command::Answer(Box::new(command))).await?;
        let receipt = self.receipt(&committed).await?;
        match committed.answered.reply {
            Reply::Answered { state, told } => Ok(Moved { state, receipt, report: self.told(referral, change, told).await? }),
            // The same event, told before in another call; or an answer from before there were reports.
            Reply::Moved(state) => Ok(Moved { state, receipt, report: Report::default() }),
            _ => Err(Refusal::Internal("an answer has another reply")),
        }
    }

    /// What of an answer does not reach the sender as it is: what is kept from it, then what its dialect has no word for.
    async fn told(&self, referral: ReferralId, mut change: StatusChange, told: Told) -> Result<Report, Refusal> {
        let mut fields: Vec<FieldReport> = kept_back(&change, told).map(|(path, outcome)| FieldReport { path: path.to_owned(), outcome }).collect();
        if let Some((state, reason)) = told.state {
            (change.state, change.reason) = (state.number(), reason.map_or(0, Numbered::number));
            let change = cut(&change, told.data);
            let sender = referral::load(&mut self.store.reader().await?, &[referral]).await?.pop().map(|referral| referral.sender);
            let dialect = sender.and_then(|sender| self.dialect_of(self.agreement().member(&sender)?));
            // What it cannot be told at all becomes a dead letter when it is tried, which is where that is dealt with.
            let rendered =
                dialect.and_then(|dialect| dialect.render(dialect.message_for(STATUS_CHANGE)?, &change.encode_to_vec(), CategoryMask::ALL).ok());
            let said = rendered.into_iter().flat_map(|(_, report)| report.fields).filter(|field| field.outcome != Outcome::Exact);
            fields.extend(said.map(|field| FieldReport { path: format!("change.{}", field.path), ..field }));
        }
        Ok(Report { fields })
    }

    /// Takes a referral back, or ends it.
    pub async fn cancel(
        &self,
        caller: &InstitutionId,
        request: RequestId,
        referral: &str,
        reason: Option<StatusReason>,
        entered_in_error: bool,
        content: &[u8],
    ) -> Result<Moved, Refusal> {
        let command = Cancel {
            idempotency: self.idempotency(caller, request, "cancel", content),
            caller: caller.clone(),
            referral: referral_id(referral, "referral_id")?,
            reason: reason.ok_or_else(|| field("reason", "must be a reason code"))?,
            entered_in_error,
        };
        self.moved(Command::Cancel(command)).await
    }

    /// The recalls of a referral and what the recipient did about them, for one of its sides, oldest first; the norms in the clear.
    pub async fn recalls(&self, seen: &Overview) -> Result<Vec<Recall>, Refusal> {
        let mut recalls = referral::recalls_of(&mut self.store.reader().await?, &[seen.referral.id]).await?;
        for recall in &mut recalls {
            if let Some(answer) = &mut recall.answer {
                answer.norm = self.vault.open_text(recall.id.as_bytes(), &answer.norm)?;
            }
        }
        Ok(recalls)
    }

    /// Recalls that nobody has answered, the one that is due first first: of one recipient or of all, perhaps only overdue ones; `after` is the cursor of
    /// the page before.
    pub async fn open_recalls(
        &self,
        recipient: Option<&InstitutionId>,
        overdue: bool,
        after: Option<(Time, RecallId)>,
        limit: u32,
    ) -> Result<Vec<Recall>, Refusal> {
        let before = overdue.then(|| self.clock.now());
        Ok(referral::open_recalls(&mut self.store.reader().await?, recipient.map(InstitutionId::as_str), before, after, limit).await?)
    }

    /// Reminds recipients of recalls that they have not answered. Returns whether there may be more to do at once.
    pub async fn remind(&self) -> Result<bool, Refusal> {
        match self.writer.run(Command::Remind(Remind { limit: SWEEP })).await?.answered.reply {
            Reply::Reminded { sent, more } => {
                metrics::counter!("weiche_recall_reminders_total").increment(sent.into());
                Ok(more)
            }
            _ => Err(Refusal::Internal("reminding has another reply")),
        }
    }

    /// The recipient's answer to a recall.
    pub async fn answer_recall(
        &self,
        caller: &InstitutionId,
        request: RequestId,
        answer: &types::RecallAnswer,
        content: &[u8],
    ) -> Result<Issued, Refusal> {
        let command = AnswerRecall {
            idempotency: self.idempotency(caller, request, "answer-recall", content),
            recipient: caller.clone(),
            recall: answer.recall_id.parse().map_err(|_| field("answer.recall_id", "must be a UUID"))?,
            outcome: RecallOutcome::from_number(answer.outcome.into()).ok_or_else(|| field("answer.outcome", "must be an outcome"))?,
            norm: answer.norm.clone(),
        };
        let committed = self.writer.run(Command::AnswerRecall(command)).await?;
        self.receipt(&committed).await
    }

    /// Ends what nobody delivered or answered within `within`. Returns how many.
    pub async fn expire(&self, within: Duration) -> Result<u32, Refusal> {
        let before = self.clock.now().minus(within);
        match self.writer.run(Command::Expire(Expire { before, limit: SWEEP })).await?.answered.reply {
            Reply::Expired(count) => Ok(count),
            _ => Err(Refusal::Internal("a sweep has another reply")),
        }
    }

    async fn moved(&self, command: Command) -> Result<Moved, Refusal> {
        let committed = self.writer.run(command).await?;
        let receipt = self.receipt(&committed).await?;
        match committed.answered.reply {
            Reply::Moved(state) => Ok(Moved { state, receipt, report: Report::default() }),
            _ => Err(Refusal::Internal("a step has another reply")),
        }
    }
}

/// What the sender is not told of a change, by the paths of the request.
fn kept_back(change: &StatusChange, told: Told) -> impl Iterator<Item = (&'static str, Outcome)> {
    let reason = match told.state {
        _ if change.reason == 0 => None,
        Some((_, Some(reason))) if reason.number() == change.reason => None,
        Some((_, Some(_))) => Some(Outcome::Lossy("the sender is told a more general reason".into())),
        _ => Some(Outcome::Dropped("the sender is not told the reason".into())),
    };
    let state = told.state.is_none().then(|| Outcome::Dropped("the sender is not told of this step".into()));
    let data = (carried(change) - told.data).iter().filter_map(|category| {
        let path = match category {
            Category::Outcome => "change.outcome",
            Category::Attendance => "change.attendance",
            Category::Appointments => "change.appointment",
            _ => return None,
        };
        Some((path, Outcome::Withheld(category.into())))
    });
    state.map(|outcome| ("change.state", outcome)).into_iter().chain(reason.map(|outcome| ("change.reason", outcome))).chain(data)
}

pub(super) fn referral_id(text: &str, path: &str) -> Result<ReferralId, Refusal> {
    text.parse().map_err(|_| field(path, "must be a UUID"))
}
