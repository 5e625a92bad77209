// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Agreement and certificates again while serving: everything is checked before any of it is taken over, and the last good one stays.

use std::sync::Arc;

use super::{Inner, parts};
use crate::agreement::Agreement;
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
    /// Certificates and authorities of both listeners and of deliveries, all together or none.
    pub certificates: Change,
}

impl Inner {
    pub(super) async fn reload(&self) -> Reloaded {
        let _one = self.reloading.lock().await;
        let agreement = self.reload_agreement().await;
        let certificates = self.reload_certificates();
        if agreement == Change::Taken {
            self.push.follow();
        }
        for (what, change) in [("agreement", &agreement), ("certificates", &certificates)] {
            match change {
                Change::Refused(reason) => tracing::error!(what, reason, "reload refused; the last good one stays in force"),
                Change::Taken | Change::Same => tracing::info!(what, ?change, "reloaded"),
            }
        }
        Reloaded { agreement, certificates }
    }

    async fn reload_agreement(&self) -> Change {
        let (agreement, text) = match parts::agreement(&self.config.agreement) {
            Ok(read) => read,
            Err(error) => return Change::Refused(explained(&error)),
        };
        if agreement.digest() == self.exchange.agreement().digest() {
            return Change::Same;
        }
        if let Some(reason) = self.unspoken(&agreement) {
            return Change::Refused(reason);
        }
        match self.exchange.adopt(Arc::new(agreement), text, "gateway".into()).await {
            Ok(()) => Change::Taken,
            Err(error) => Change::Refused(error.to_string()),
        }
    }

    /// A member whose dialect is not there could be sent nothing.
    fn unspoken(&self, agreement: &Agreement) -> Option<String> {
        let member = agreement.members().find(|member| self.exchange.dialect_of(member).is_none())?;
        Some(format!("the agreement says that {} speaks `{}`, which is not among the dialects; see `weiche dialect list`", member.id, member.dialect))
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
