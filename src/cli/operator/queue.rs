// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche queue`: what waits for a recipient or was given up, one delivery, recalls without an answer, and what an operator does about it.

use std::fmt;

use super::{Client, Door, Row, Rows, instant, refused};
use crate::cli::terminal::{Exit, Failure, Output};
use crate::id::{DeliveryId, InstitutionId, RequestId};
use crate::proto::admin as wire;

/// Deliveries asked for at a time.
const PAGE: u32 = 200;

/// Looks at what waits for a recipient or was given up, and puts back, parks and unparks
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    door: Door,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Lists what is in front of a recipient's lanes, or with --dead what was given up
    #[command(group(clap::ArgGroup::new("which").required(true).multiple(true).args(["recipient", "dead"])))]
    List {
        /// Of this member
        #[arg(long, value_name = "MEMBER")]
        recipient: Option<InstitutionId>,
        /// What was given up, oldest first
        #[arg(long)]
        dead: bool,
        /// At most so many
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        limit: u32,
    },
    /// Lists recalls that their recipients have not answered, the one that is due first first
    Recalls {
        /// Only those whose answer is late
        #[arg(long)]
        overdue: bool,
        /// Of this member
        #[arg(long, value_name = "MEMBER")]
        recipient: Option<InstitutionId>,
        /// At most so many
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        limit: u32,
    },
    /// Shows one delivery with its place in its lane; nothing of what it says
    Show {
        /// Delivery id, as `list` shows it
        delivery: DeliveryId,
    },
    /// Puts one that was given up back into its queue; consent is asked again before it leaves
    Requeue {
        /// Delivery id, as `list` shows it
        delivery: DeliveryId,
        /// Id of this request, to repeat it safely; drawn unless given
        #[arg(long, value_name = "UUID")]
        request: Option<RequestId>,
    },
    /// Holds back one delivery and what is behind it in its lane, or everything for a recipient
    Park {
        #[command(flatten)]
        what: What,
        /// Until then, such as 2026-12-01T08:00:00Z; without it until `unpark`
        #[arg(long, value_name = "INSTANT")]
        until: Option<jiff::Timestamp>,
        /// Id of this request, to repeat it safely; drawn unless given
        #[arg(long, value_name = "UUID")]
        request: Option<RequestId>,
    },
    /// Lets go again what was parked; consent is asked again before it leaves
    Unpark {
        #[command(flatten)]
        what: What,
        /// Id of this request, to repeat it safely; drawn unless given
        #[arg(long, value_name = "UUID")]
        request: Option<RequestId>,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Delivery id, as `list` shows it
    delivery: Option<DeliveryId>,
    /// Everything for this member, now and later
    #[arg(long, value_name = "MEMBER")]
    recipient: Option<InstitutionId>,
}

impl Args {
    pub(in crate::cli) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let mut client = self.door.open()?;
        let id = |request: Option<RequestId>| request.unwrap_or_else(RequestId::random).to_string();
        let failed = |status: tonic::Status| refused(&status);
        match self.verb {
            Verb::List { recipient, dead: true, limit } => output.print(&dead(client, recipient, limit).await?),
            Verb::List { recipient, dead: false, limit } => output.print(&front(client, recipient, limit).await?),
            Verb::Recalls { overdue, recipient, limit } => output.print(&recalls(client, overdue, recipient, limit).await?),
            Verb::Show { delivery } => {
                let answer = client.get_delivery(wire::GetDeliveryRequest { delivery_id: delivery.to_string() }).await.map_err(failed)?;
                output.print(&Shown::from(answer.into_inner()));
            }
            Verb::Requeue { delivery, request } => {
                let request = wire::RequeueDeadLetterRequest { request_id: id(request), delivery_id: delivery.to_string() };
                client.requeue_dead_letter(request).await.map_err(failed)?;
                output.print(&Done { what: delivery.to_string(), done: "is back in its queue; consent is asked again before it leaves" });
            }
            Verb::Park { what, until, request } => {
                let (delivery_id, recipient, name) = what.named();
                let until = until.map(|at| prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() });
                let request = wire::ParkDeliveriesRequest { request_id: id(request), delivery_id, recipient, until };
                client.park_deliveries(request).await.map_err(failed)?;
                output.print(&Done { what: name, done: "is parked; what has started goes on, what is behind it waits" });
            }
            Verb::Unpark { what, request } => {
                let (delivery_id, recipient, name) = what.named();
                client.unpark_deliveries(wire::UnparkDeliveriesRequest { request_id: id(request), delivery_id, recipient }).await.map_err(failed)?;
                output.print(&Done { what: name, done: "goes on; consent is asked again before anything leaves" });
            }
        }
        Ok(Exit::Done)
    }
}

impl What {
    /// As the contract takes it, and its name.
    fn named(self) -> (String, String, String) {
        let (delivery, recipient) = (self.delivery.map(|id| id.to_string()), self.recipient.map(|id| id.to_string()));
        let name = delivery.clone().or_else(|| recipient.clone()).unwrap_or_default();
        (delivery.unwrap_or_default(), recipient.unwrap_or_default(), name)
    }
}

async fn front(mut client: Client, recipient: Option<InstitutionId>, limit: u32) -> Result<Rows<Delivery>, Failure> {
    let recipient = recipient.map(|id| id.to_string()).unwrap_or_default();
    let (mut rows, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = wire::ListDeliveriesRequest { recipient: recipient.clone(), page_size: page(limit, rows.len()), page_token };
        let answer = client.list_deliveries(request).await.map_err(|status| refused(&status))?.into_inner();
        rows.extend(answer.deliveries.into_iter().map(Delivery::from));
        page_token = answer.next_page_token;
        if page_token.is_empty() || rows.len() >= limit as usize {
            return Ok(Rows(rows));
        }
    }
}

async fn dead(mut client: Client, recipient: Option<InstitutionId>, limit: u32) -> Result<Rows<DeadLetter>, Failure> {
    let recipient = recipient.map(|id| id.to_string()).unwrap_or_default();
    let (mut rows, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = wire::ListDeadLettersRequest { page_size: page(limit, rows.len()), page_token, recipient: recipient.clone() };
        let answer = client.list_dead_letters(request).await.map_err(|status| refused(&status))?.into_inner();
        rows.extend(answer.dead_letters.into_iter().map(|one| DeadLetter {
            delivery_id: one.delivery_id,
            recipient: one.recipient,
            kind: one.kind,
            attempts: one.attempts,
            last_error: one.last_error,
            given_up_at: one.given_up_at.map(instant),
        }));
        page_token = answer.next_page_token;
        if page_token.is_empty() || rows.len() >= limit as usize {
            return Ok(Rows(rows));
        }
    }
}

async fn recalls(mut client: Client, overdue: bool, recipient: Option<InstitutionId>, limit: u32) -> Result<Rows<OpenRecall>, Failure> {
    let recipient = recipient.map(|id| id.to_string()).unwrap_or_default();
    let (mut rows, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = wire::ListRecallsRequest { page_size: page(limit, rows.len()), page_token, recipient: recipient.clone(), overdue };
        let answer = client.list_recalls(request).await.map_err(|status| refused(&status))?.into_inner();
        rows.extend(answer.recalls.into_iter().map(|one| OpenRecall {
            recall_id: one.recall_id,
            referral_id: one.referral_id,
            recipient: one.recipient,
            issued_at: one.issued_at.map(instant),
            due_at: one.due_at.map(instant),
            reminders: one.reminders,
            overdue: one.overdue,
        }));
        page_token = answer.next_page_token;
        if page_token.is_empty() || rows.len() >= limit as usize {
            return Ok(Rows(rows));
        }
    }
}

/// How many more to ask for.
fn page(limit: u32, have: usize) -> i32 {
    let left = limit.max(1).saturating_sub(u32::try_from(have).unwrap_or(u32::MAX));
    i32::try_from(left.min(PAGE)).unwrap_or(1)
}

#[derive(serde::Serialize)]
struct Delivery {
    delivery_id: String,
    referral_id: String,
    recipient: String,
    kind: String,
    state: String,
    attempts: u32,
    begun: u32,
    last_error: String,
    accepted_at: Option<String>,
    due_at: Option<String>,
}

impl From<wire::Delivery> for Delivery {
    fn from(one: wire::Delivery) -> Self {
        Self {
            delivery_id: one.delivery_id,
            referral_id: one.referral_id,
            recipient: one.recipient,
            kind: one.kind,
            state: one.state,
            attempts: one.attempts,
            begun: one.begun,
            last_error: one.last_error,
            accepted_at: one.accepted_at.map(instant),
            due_at: one.due_at.map(instant),
        }
    }
}

impl Row for Delivery {
    const HEADER: &'static [&'static str] = &["delivery", "what", "state", "attempts", "last error", "accepted", "due"];
    fn cells(&self) -> Vec<String> {
        let (accepted, due) = (self.accepted_at.clone().unwrap_or_default(), self.due_at.clone().unwrap_or_default());
        vec![self.delivery_id.clone(), self.kind.clone(), self.state.clone(), self.attempts.to_string(), self.last_error.clone(), accepted, due]
    }
}

#[derive(serde::Serialize)]
struct DeadLetter {
    delivery_id: String,
    recipient: String,
    kind: String,
    attempts: u32,
    last_error: String,
    given_up_at: Option<String>,
}

impl Row for DeadLetter {
    const HEADER: &'static [&'static str] = &["delivery", "recipient", "what", "attempts", "last error", "given up"];
    fn cells(&self) -> Vec<String> {
        let at = self.given_up_at.clone().unwrap_or_default();
        vec![self.delivery_id.clone(), self.recipient.clone(), self.kind.clone(), self.attempts.to_string(), self.last_error.clone(), at]
    }
}

#[derive(serde::Serialize)]
struct OpenRecall {
    recall_id: String,
    referral_id: String,
    recipient: String,
    issued_at: Option<String>,
    due_at: Option<String>,
    reminders: u32,
    overdue: bool,
}

impl Row for OpenRecall {
    const HEADER: &'static [&'static str] = &["recall", "referral", "recipient", "issued", "answer due", "reminders"];
    fn cells(&self) -> Vec<String> {
        let due = format!("{}{}", self.due_at.as_deref().unwrap_or_default(), if self.overdue { " (late)" } else { "" });
        let issued = self.issued_at.clone().unwrap_or_default();
        vec![self.recall_id.clone(), self.referral_id.clone(), self.recipient.clone(), issued, due, self.reminders.to_string()]
    }
}

#[derive(serde::Serialize)]
struct Shown {
    #[serde(flatten)]
    delivery: Delivery,
    changed_at: Option<String>,
    referral_state: String,
    ahead: u64,
    behind: u64,
    front_delivery_id: String,
}

impl From<wire::GetDeliveryResponse> for Shown {
    fn from(answer: wire::GetDeliveryResponse) -> Self {
        let delivery = answer.delivery.unwrap_or_default();
        Self {
            changed_at: delivery.changed_at.map(instant),
            delivery: delivery.into(),
            referral_state: answer.referral_state,
            ahead: answer.ahead,
            behind: answer.behind,
            front_delivery_id: answer.front_delivery_id,
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = &self.delivery;
        writeln!(f, "delivery    {} ({} to {})", one.delivery_id, one.kind, one.recipient)?;
        writeln!(f, "referral    {} ({})", one.referral_id, self.referral_state)?;
        writeln!(f, "state       {} since {}", one.state, self.changed_at.as_deref().unwrap_or("?"))?;
        if let Some(due) = &one.due_at {
            writeln!(f, "{} {due}", if one.state == "started" { "lease ends " } else { "not before " })?;
        }
        writeln!(f, "accepted    {}", one.accepted_at.as_deref().unwrap_or("?"))?;
        writeln!(f, "attempts    {} now, {} in all; last error: {}", one.attempts, one.begun, none_if_empty(&one.last_error))?;
        write!(f, "lane        {} ahead, {} behind, first: {}", self.ahead, self.behind, none_if_empty(&self.front_delivery_id))
    }
}

fn none_if_empty(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

#[derive(serde::Serialize)]
struct Done {
    what: String,
    done: &'static str,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}.", self.what, self.done)
    }
}
