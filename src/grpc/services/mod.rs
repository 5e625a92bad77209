// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What stands behind the doors. Every method of the contract has one handler over canonical messages; a native method is the same handler
//! behind the caller's dialect. A handler decodes, calls one use case, encodes.

mod admin;
mod audit;
mod consents;
mod inbox;
mod native;
mod referrals;
mod refuse;
mod retention;
mod rights;
mod texts;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::health::Health;
use super::reflection::Reflection;
use super::router::{Limits, Router};
use crate::dialect::Dialects;
use crate::exchange::Exchange;
use crate::grpc::validate::{RuleError, Rules};
use crate::identity::Caller;
use crate::proto;

/// How an admin ends the process.
pub struct Ending {
    /// Cancelled: the gateway drains.
    pub shutdown: CancellationToken,
    /// How long that takes at most.
    pub within: Duration,
}

/// The contract asks for something that this program cannot enforce; it does not start.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct ServiceError(Vec<RuleError>);

impl From<Vec<RuleError>> for ServiceError {
    fn from(errors: Vec<RuleError>) -> Self {
        Self(errors)
    }
}

/// Everything for the institutions' listener: canonical methods, the native ones of every dialect, health, reflection.
///
/// A caller may use every version of the dialect that the agreement says it speaks, so that its system can go over call by call; what the
/// gateway calls is the version that the agreement names.
pub fn institutions(exchange: Arc<Exchange>, dialects: &Dialects, health: &Health, limits: Limits) -> Result<Router, ServiceError> {
    let mut access = Access::canonical();
    for dialect in dialects.iter() {
        for method in dialect.methods().iter().filter(|method| !method.delivery && dialect.name() != "canonical") {
            let Some((service, _)) = split(&method.path) else { continue };
            let (exchange, name) = (exchange.clone(), dialect.name().to_owned());
            access.native(service, move |caller| speaks(&exchange, caller, &name));
        }
    }
    let access = Arc::new(access);
    let mut router = Router::new(access.clone(), health.clone(), limits);
    for dialect in dialects.iter() {
        for method in dialect.methods().iter().filter(|method| !method.delivery) {
            if let (Some((service, name)), Some(served)) = (split(&method.path), native::serve(&exchange, dialect, method)?) {
                router = router.method(service, name, served);
            }
        }
    }
    Ok(common(router, dialects, health, access))
}

/// Everything for the operators' listener: admins, auditors, health, reflection.
pub fn operators(exchange: Arc<Exchange>, health: &Health, limits: Limits, ending: Ending) -> Result<Arc<Router>, ServiceError> {
    let access = Arc::new(Access::canonical());
    let router = Router::new(access.clone(), health.clone(), limits);
    let desk = admin::Desk { exchange: exchange.clone(), health: health.clone(), ending };
    let router = admin::serve(router, &Arc::new(desk))?;
    let router = retention::serve(router, &exchange)?;
    let router = audit::serve(router, &exchange)?;
    let dialects = exchange.dialects();
    Ok(Arc::new(common(router, &dialects, health, access)))
}

fn common(router: Router, dialects: &Dialects, health: &Health, access: Arc<Access>) -> Router {
    let router = Reflection::new(vec![dialects.pool().clone()], access.clone()).serve(router);
    health.serve(router, &access)
}

/// Whether the caller's institution speaks a dialect at this moment.
fn speaks(exchange: &Exchange, caller: &Caller, dialect: &str) -> bool {
    let agreement = exchange.agreement();
    let member = caller.institution().and_then(|id| agreement.member(id));
    member.and_then(|member| exchange.dialect_of(member)).is_some_and(|spoken| spoken.name() == dialect)
}

/// `/package.Service/Method` as service and method.
fn split(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix('/')?.split_once('/')
}

/// The field rules of a canonical message. The contract is part of the program: each is compiled once, whatever many dialects lead to it.
fn rules(message: &str) -> Result<Arc<Rules>, Vec<RuleError>> {
    static COMPILED: Mutex<BTreeMap<String, Arc<Rules>>> = Mutex::new(BTreeMap::new());
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(rules) = compiled.get(message) {
        return Ok(rules.clone());
    }
    // A method of the contract names its messages; the pool has them both or neither.
    let descriptor = proto::pool().get_message_by_name(message).ok_or_else(Vec::new)?;
    let rules = Arc::new(Rules::compile(&descriptor)?);
    compiled.insert(message.to_owned(), rules.clone());
    Ok(rules)
}
