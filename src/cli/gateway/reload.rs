// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Agreement, dialects and certificates again while serving: everything is checked before any of it is taken over, and the last good one stays.

use std::sync::Arc;

use super::{Inner, parts};
use crate::agreement::Member;
use crate::dialect::Dialects;
use crate::exchange::unspoken;
use crate::grpc::services;
use crate::identity::tls::Audience;

/// What became of one thing that was read again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is as it was.
    Same,
    /// It is in force.
    Taken,
    /// It is wrong; the last good one stays. Says why.
    Refused(String),
}

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reloaded {
    /// The agreement; a new one is a leaf of the log.
    pub agreement: Change,
    /// The dialects; calls under way end with those that they began with.
    pub dialects: Change,
    /// Certificates and authorities of both listeners and of deliveries, all together or none.
    pub certificates: Change,
}

impl Inner {
    pub(super) async fn reload(&self) -> Reloaded {
        let _one = self.reloading.lock().await;
        let found = Dialects::with_folders(&self.config.dialects).map(Arc::new);
        // What the agreement in force can do with comes first, so that a new agreement finds a new dialect; what only the new one can do with
        // comes after it.
        let early = found.as_ref().ok().and_then(|found| self.take_dialects(found));
        let agreement = self.reload_agreement().await;
        let dialects = match (early, found) {
            (_, Err(errors)) => Change::Refused(errors.to_string()),
            (Some(change), Ok(_)) => change,
            (None, Ok(found)) => self.take_dialects(&found).unwrap_or_else(|| {
                let agreement = self.exchange.agreement();
                Change::Refused(unspoken(&agreement, &found).map(missing).unwrap_or_default())
            }),
        };
        let certificates = self.reload_certificates();
        if agreement == Change::Taken {
            self.push.follow();
        }
        for (what, change) in [("agreement", &agreement), ("dialects", &dialects), ("certificates", &certificates)] {
            match change {
                Change::Refused(reason) => tracing::error!(what, reason, "reload refused; the last good one stays in force"),
                Change::Taken | Change::Same => tracing::info!(what, ?change, "reloaded"),
            }
        }
        Reloaded { agreement, dialects, certificates }
    }

    /// Puts dialects into force if the agreement in force can do with them; none if it cannot.
    fn take_dialects(&self, found: &Arc<Dialects>) -> Option<Change> {
        let all = |dialects: &Dialects| dialects.iter().map(|dialect| (dialect.id().to_owned(), *dialect.digest())).collect::<Vec<_>>();
        if all(found) == all(&self.exchange.dialects()) {
            return Some(Change::Same);
        }
        if unspoken(&self.exchange.agreement(), found).is_some() {
            return None;
        }
        Some(match services::institutions(self.exchange.clone(), found, &self.health, self.limits.clone()) {
            Ok(router) => {
                self.exchange.adopt_dialects(found.clone());
                let router = router.in_place_of(&self.for_institutions.load());
                self.for_institutions.store(Arc::new(router));
                Change::Taken
            }
            Err(error) => Change::Refused(error.to_string()),
        })
    }

    async fn reload_agreement(&self) -> Change {
        let (agreement, text) = match parts::agreement(&self.config.agreement) {
            Ok(read) => read,
            Err(error) => return Change::Refused(explained(&error)),
        };
        if agreement.digest() == self.exchange.agreement().digest() {
            return Change::Same;
        }
        if let Some(member) = unspoken(&agreement, &self.exchange.dialects()) {
            return Change::Refused(missing(member));
        }
        match self.exchange.adopt(Arc::new(agreement), text, "gateway".into()).await {
            Ok(()) => Change::Taken,
            Err(error) => Change::Refused(error.to_string()),
        }
    }

    /// Open connections keep what they were made with; they live an hour at most.
    fn reload_certificates(&self) -> Change {
        let server = |files, audience| parts::server(files, audience, &self.config.trust_domain);
        let read = server(&self.config.institutions.tls, Audience::Institutions).and_then(|institutions| {
            let operators = server(&self.config.operators.tls, Audience::Operators)?;
            Ok((institutions, operators, parts::outward(&self.config.deliveries.tls, &self.config.trust_domain)?))
        });
        match read {
            Ok((institutions, operators, outward)) => {
                self.institutions.store(Arc::new(institutions));
                self.operators.store(Arc::new(operators));
                self.push.replace(outward);
                Change::Taken
            }
            Err(error) => Change::Refused(explained(&error)),
        }
    }
}

/// A member whose dialect is not there could be sent nothing.
fn missing(member: &Member) -> String {
    format!("the agreement says that {} speaks `{}`, which is not among the dialects; see `weiche dialect list`", member.id, member.dialect)
}

/// An error with all its problems, on one line.
fn explained(error: &parts::PartsError) -> String {
    match error {
        parts::PartsError::Agreement { problems, .. } => {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            format!("{error}: {}", problems.join("; "))
        }
        other => other.to_string(),
    }
}
