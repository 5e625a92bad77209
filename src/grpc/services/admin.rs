// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche.admin.v1.AdminService`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::referrals::{bad_token, decode, encode, page_size, request_id};
use super::{Ending, rules, texts};
use crate::agreement::{Delivery, Member};
use crate::clock::Time;
use crate::exchange::{Exchange, Parked, QueueState};
use crate::grpc::convert::consent::{time_from, time_to};
use crate::grpc::health::{Condition, Health};
use crate::grpc::router::{Lane, Method, Router};
use crate::grpc::status::{ErrorReason, Refusal};
use crate::grpc::validate::RuleError;
use crate::id::{DeliveryId, InstitutionId};
use crate::identity::Role;
use crate::outbox::{self, FOREVER};
use crate::proto::admin as wire;
use crate::referral::{Recall, Referral};

const SERVICE: &str = "weiche.admin.v1.AdminService";
/// Seconds after which a recipient that takes nothing needs somebody.
const QUIET: u64 = 15 * 60;
/// Seconds after which a referral that nobody delivered or answered needs somebody.
const UNFINISHED: u64 = 7 * 24 * 3600;

pub(super) fn serve(router: Router, desk: &Arc<Desk>) -> Result<Router, Vec<RuleError>> {
    let methods: [(&str, Handler); 14] = [
        ("ListInstitutions", |desk, _, _| Box::pin(institutions(desk))),
        ("ListDialects", |desk, _, _| Box::pin(dialects(desk))),
        ("ListDeadLetters", |desk, _, bytes| Box::pin(dead_letters(desk, bytes))),
        ("RequeueDeadLetter", |desk, name, bytes| Box::pin(requeue(desk, name, bytes))),
        ("GetStatus", |desk, _, bytes| Box::pin(status(desk, bytes))),
        ("ListDeliveries", |desk, _, bytes| Box::pin(deliveries(desk, bytes))),
        ("GetDelivery", |desk, _, bytes| Box::pin(delivery(desk, bytes))),
        ("ParkDeliveries", |desk, name, bytes| Box::pin(park(desk, name, bytes))),
        ("UnparkDeliveries", |desk, name, bytes| Box::pin(unpark(desk, name, bytes))),
        ("ListTexts", |desk, _, _| Box::pin(texts::list(desk))),
        ("ApproveText", |desk, name, bytes| Box::pin(texts::approve(desk, name, bytes))),
        ("RevokeText", |desk, name, bytes| Box::pin(texts::revoke(desk, name, bytes))),
        ("ListRecalls", |desk, _, bytes| Box::pin(recalls(desk, bytes))),
        ("Drain", |desk, name, bytes| Box::pin(drain(desk, name, bytes))),
    ];
    methods.into_iter().try_fold(router, |router, (name, handler)| Ok(router.method(SERVICE, name, checked(desk, name, handler)?)))
}

/// What admins work with.
pub(super) struct Desk {
    pub(super) exchange: Arc<Exchange>,
    pub(super) health: Health,
    pub(super) ending: Ending,
}

type Handler = fn(Arc<Desk>, Arc<str>, Bytes) -> futures_util::future::BoxFuture<'static, Result<Bytes, Refusal>>;

/// A handler behind the rules of its request. Operators get through when nobody else does.
fn checked(desk: &Arc<Desk>, name: &str, handler: Handler) -> Result<Method, Vec<RuleError>> {
    let rules = rules(&format!("weiche.admin.v1.{name}Request"))?;
    let desk = desk.clone();
    let method = Method::unary(move |context, bytes: Bytes| {
        let (desk, rules) = (desk.clone(), rules.clone());
        async move {
            rules.check(&bytes).map_err(Refusal::from)?;
            let Role::Admin { name } = context.caller.role() else {
                return Err(Refusal::new(ErrorReason::CallerNotAllowed, "only admins may call this"));
            };
            handler(desk, name.clone(), bytes).await
        }
    });
    Ok(method.lane(Lane::Reserved))
}

async fn institutions(desk: Arc<Desk>) -> Result<Bytes, Refusal> {
    let exchange = &desk.exchange;
    let queues = exchange.queues().await?;
    let agreement = exchange.agreement();
    let one = |member: &crate::agreement::Member| {
        let queue = queues.get(member.id.as_str()).copied().unwrap_or_default();
        wire::Institution {
            institution: member.id.to_string(),
            dialect: exchange.dialect_of(member).map(|dialect| dialect.name().to_owned()).unwrap_or_default(),
            delivery: way(member).to_owned(),
            queued: queue.open,
            dead: queue.dead,
            oldest_queued_at: queue.oldest.map(time_to),
        }
    };
    Ok(encode(wire::ListInstitutionsResponse { institutions: agreement.members().map(one).collect() }))
}

async fn dialects(desk: Arc<Desk>) -> Result<Bytes, Refusal> {
    let one = |dialect: &Arc<crate::dialect::Dialect>| wire::Dialect {
        name: dialect.name().to_owned(),
        version: dialect.version().to_owned(),
        digest: dialect.digest().iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    Ok(encode(wire::ListDialectsResponse { dialects: desk.exchange.dialects().iter().map(one).collect() }))
}

async fn dead_letters(desk: Arc<Desk>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let (exchange, request) = (&desk.exchange, decode::<wire::ListDeadLettersRequest>(&bytes)?);
    let scope = format!("dead-letters/{}", request.recipient);
    let recipient = if request.recipient.is_empty() { None } else { Some(institution(&request.recipient)?) };
    let cursor = exchange.cursor(&scope, &request.page_token).map_err(|_| bad_token())?;
    let size = page_size(request.page_size);
    let found = exchange.dead_letters_of(recipient.as_ref(), cursor.map(after), size).await?;
    let last = found.last().filter(|_| found.len() == size as usize);
    let next_page_token = last.map(|last| exchange.page_token(&scope, last.at, last.id.as_bytes())).unwrap_or_default();
    let one = |letter: &crate::exchange::DeadLetter| wire::DeadLetter {
        delivery_id: letter.id.to_string(),
        referral_id: letter.referral.to_string(),
        recipient: letter.recipient.to_string(),
        kind: letter.kind.name().to_owned(),
        attempts: letter.attempts,
        last_error: letter.last_error.clone(),
        given_up_at: Some(time_to(letter.at)),
    };
    Ok(encode(wire::ListDeadLettersResponse { dead_letters: found.iter().map(one).collect(), next_page_token }))
}

async fn requeue(desk: Arc<Desk>, name: Arc<str>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::RequeueDeadLetterRequest = decode(&bytes)?;
    desk.exchange.requeue(&name, request_id(&request.request_id)?, delivery_id(&request.delivery_id)?).await?;
    Ok(encode(wire::RequeueDeadLetterResponse {}))
}

async fn status(desk: Arc<Desk>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::GetStatusRequest = decode(&bytes)?;
    let seconds = |asked: u32, usual: u64| Duration::from_secs(if asked == 0 { usual } else { asked.into() });
    let quiet = seconds(request.quiet_seconds, QUIET);
    let exchange = &desk.exchange;
    let (now, agreement, queues) = (exchange.clock().now(), exchange.agreement(), exchange.queues().await?);
    let overdue = exchange.overdue(now.minus(seconds(request.unfinished_seconds, UNFINISHED))).await?;
    let queue_of = |id: &str| queues.get(id).copied().unwrap_or_default();
    let members = agreement.members().map(|member| wire::RecipientStatus {
        dialect: exchange.dialect_of(member).map(|dialect| dialect.name().to_owned()).unwrap_or_default(),
        delivery: way(member).to_owned(),
        in_flight_limit: member.pacing.in_flight,
        per_second_limit: member.pacing.per_second,
        ..recipient(member.id.as_str(), &queue_of(member.id.as_str()), now, quiet)
    });
    let is_member = |id: &str| id.parse().is_ok_and(|id: InstitutionId| agreement.member(&id).is_some());
    let former = queues.iter().filter(|(id, queue)| queue.open + queue.dead > 0 && !is_member(id));
    let former = former.map(|(id, queue)| recipient(id, queue, now, quiet));
    let unfinished = |referral: &Referral| wire::UnfinishedReferral {
        referral_id: referral.id.to_string(),
        recipient: referral.recipient.to_string(),
        state: format!("{:?}", referral.state).to_lowercase(),
        submitted_at: Some(time_to(referral.submitted_at)),
    };
    let recall = |recall: &Recall| wire::OverdueRecall {
        recall_id: recall.id.to_string(),
        referral_id: recall.referral.to_string(),
        recipient: recall.recipient.to_string(),
        due_at: Some(time_to(recall.due_at)),
    };
    let condition = match desk.health.now() {
        Condition::Starting => "starting",
        Condition::Ready => "ready",
        Condition::Failed(_) => "failed",
        Condition::Draining => "draining",
    };
    Ok(encode(wire::GetStatusResponse {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        condition: condition.to_owned(),
        engine: exchange.engine().to_owned(),
        log_size: exchange.progress().borrow().size,
        agreement: agreement.version().to_string(),
        at: Some(time_to(now)),
        recipients: members.chain(former).collect(),
        unfinished_referrals: overdue.referrals.iter().map(unfinished).collect(),
        overdue_recalls: overdue.recalls.iter().map(recall).collect(),
        overdue_recall_count: overdue.recalls_all,
        disk: exchange.room().map(|now| wire::DiskSpace { free_bytes: now.free, reserve_bytes: now.reserve, short: now.short }),
    }))
}

fn recipient(id: &str, queue: &QueueState, now: Time, quiet: Duration) -> wire::RecipientStatus {
    wire::RecipientStatus {
        recipient: id.to_owned(),
        open: queue.open,
        started: queue.started,
        failing: queue.failing,
        parked: queue.parked,
        dead: queue.dead,
        oldest_waiting_at: queue.oldest_waiting.map(time_to),
        oldest_lease_at: queue.oldest_lease.map(time_to),
        last_success_at: queue.last_success.map(time_to),
        next_due_at: queue.next_due.map(time_to),
        parked_until: queue.parked_until.map(time_to),
        quiet: queue.is_quiet(now, quiet),
        ..wire::RecipientStatus::default()
    }
}

async fn deliveries(desk: Arc<Desk>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let (exchange, request) = (&desk.exchange, decode::<wire::ListDeliveriesRequest>(&bytes)?);
    let recipient = institution(&request.recipient)?;
    let scope = format!("deliveries/{recipient}");
    let cursor = exchange.cursor(&scope, &request.page_token).map_err(|_| bad_token())?;
    let size = page_size(request.page_size);
    let found = exchange.front(&recipient, cursor.map(after), size).await?;
    let last = found.last().filter(|_| found.len() == size as usize);
    let next_page_token = last.map(|last| exchange.page_token(&scope, last.due_at, last.id.as_bytes())).unwrap_or_default();
    let now = exchange.clock().now();
    Ok(encode(wire::ListDeliveriesResponse { deliveries: found.iter().map(|one| delivery_to(one, now)).collect(), next_page_token }))
}

async fn delivery(desk: Arc<Desk>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::GetDeliveryRequest = decode(&bytes)?;
    let view = desk.exchange.delivery(delivery_id(&request.delivery_id)?).await?;
    Ok(encode(wire::GetDeliveryResponse {
        delivery: Some(delivery_to(&view.delivery, view.now)),
        referral_state: view.referral.map(|state| format!("{state:?}").to_lowercase()).unwrap_or_default(),
        ahead: view.place.ahead,
        behind: view.place.behind,
        front_delivery_id: view.place.front.map(|id| id.to_string()).unwrap_or_default(),
    }))
}

async fn park(desk: Arc<Desk>, name: Arc<str>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::ParkDeliveriesRequest = decode(&bytes)?;
    let what = parked(&request.delivery_id, &request.recipient)?;
    let until = match &request.until {
        Some(until) => time_from(until).ok_or_else(|| Refusal::new(ErrorReason::InvalidField, "until is no instant").field("until", "an instant"))?,
        None => FOREVER,
    };
    desk.exchange.park(&name, request_id(&request.request_id)?, what, Some(until)).await?;
    Ok(encode(wire::ParkDeliveriesResponse {}))
}

async fn unpark(desk: Arc<Desk>, name: Arc<str>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::UnparkDeliveriesRequest = decode(&bytes)?;
    let what = parked(&request.delivery_id, &request.recipient)?;
    desk.exchange.park(&name, request_id(&request.request_id)?, what, None).await?;
    Ok(encode(wire::UnparkDeliveriesResponse {}))
}

async fn drain(desk: Arc<Desk>, name: Arc<str>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let request: wire::DrainRequest = decode(&bytes)?;
    if desk.exchange.note_drain(&name, request_id(&request.request_id)?).await? {
        tracing::info!(operator = %name, "asked to stop; draining");
        desk.ending.shutdown.cancel();
    }
    Ok(encode(wire::DrainResponse { ended_by: Some(time_to(desk.exchange.clock().now().plus(desk.ending.within))) }))
}

async fn recalls(desk: Arc<Desk>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let (exchange, request) = (&desk.exchange, decode::<wire::ListRecallsRequest>(&bytes)?);
    let recipient = if request.recipient.is_empty() { None } else { Some(institution(&request.recipient)?) };
    let scope = format!("recalls/{}/{}", request.recipient, request.overdue);
    let cursor = exchange.cursor(&scope, &request.page_token).map_err(|_| bad_token())?;
    let size = page_size(request.page_size);
    let found = exchange.open_recalls(recipient.as_ref(), request.overdue, cursor.map(after), size).await?;
    let last = found.last().filter(|_| found.len() == size as usize);
    let next_page_token = last.map(|last| exchange.page_token(&scope, last.due_at, last.id.as_bytes())).unwrap_or_default();
    let now = exchange.clock().now();
    let one = |recall: &Recall| wire::OpenRecall {
        recall_id: recall.id.to_string(),
        referral_id: recall.referral.to_string(),
        recipient: recall.recipient.to_string(),
        issued_at: Some(time_to(recall.issued_at)),
        due_at: Some(time_to(recall.due_at)),
        reminders: recall.reminders,
        overdue: recall.due_at < now,
    };
    Ok(encode(wire::ListRecallsResponse { recalls: found.iter().map(one).collect(), next_page_token }))
}

fn delivery_to(one: &outbox::Delivery, now: Time) -> wire::Delivery {
    wire::Delivery {
        delivery_id: one.id.to_string(),
        referral_id: one.referral.to_string(),
        recipient: one.recipient.to_string(),
        kind: one.kind.name().to_owned(),
        state: if one.is_parked(now) { "parked" } else { one.state.name() }.to_owned(),
        attempts: one.attempts,
        begun: one.begun,
        last_error: one.last_error.clone(),
        accepted_at: Some(time_to(one.accepted_at)),
        changed_at: Some(time_to(one.changed_at)),
        due_at: one.state.is_open().then(|| time_to(one.due_at)),
    }
}

fn parked(delivery: &str, recipient: &str) -> Result<Parked, Refusal> {
    match (delivery.is_empty(), recipient.is_empty()) {
        (false, true) => delivery_id(delivery).map(Parked::Delivery),
        (true, false) => institution(recipient).map(Parked::Recipient),
        _ => Err(Refusal::new(ErrorReason::InvalidField, "name a delivery or a recipient, and not both").field("delivery_id", "this or recipient")),
    }
}

fn institution(text: &str) -> Result<InstitutionId, Refusal> {
    named(text, "recipient")
}

/// The member that a field names.
pub(super) fn named(text: &str, field: &str) -> Result<InstitutionId, Refusal> {
    text.parse().map_err(|_| Refusal::new(ErrorReason::InvalidField, format!("{field} is no name of a member")).field(field, "a name of a member"))
}

fn delivery_id(text: &str) -> Result<DeliveryId, Refusal> {
    text.parse().map_err(|_| Refusal::new(ErrorReason::InvalidField, "delivery_id must be a UUID").field("delivery_id", "must be a UUID"))
}

fn after((at, id): (Time, [u8; 16])) -> (Time, DeliveryId) {
    (at, DeliveryId(uuid::Uuid::from_bytes(id)))
}

fn way(member: &Member) -> &'static str {
    if matches!(member.delivery, Delivery::Pull {}) { "pull" } else { "push" }
}
