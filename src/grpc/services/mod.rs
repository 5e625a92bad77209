// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What each listener serves.

use std::convert::Infallible;
use std::sync::Arc;

use super::access::Access;
use super::health::Health;
use super::router::{Limits, Router};
use crate::exchange::Exchange;

/// For case systems.
pub fn institutions(exchange: Arc<Exchange>, health: Health, limits: Limits) -> Result<Arc<Router>, Infallible> {
    operators(exchange, health, limits)
}

/// For operators.
pub fn operators(_exchange: Arc<Exchange>, health: Health, limits: Limits) -> Result<Arc<Router>, Infallible> {
    let access = Arc::new(Access::canonical());
    Ok(Arc::new(health.serve(Router::new(access.clone(), health.clone(), limits), &access)))
}
