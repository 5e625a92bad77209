// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Deliveries to the members that are called: one worker for each, started and stopped as the agreement says.
//!
//! | file | idea |
//! |---|---|
//! | `worker` | when: pacing, places, leases, the end. Knows no message. |
//! | `pace` | how many may begin now |
//! | `way` | whether the recipient can be reached at all |
//! | `sender` | what: the canonical request, the recipient's words, the call. Knows no queue. |
//! | `outcome` | what an answer means for the queue |
//!
//! A crash anywhere leaves deliveries started under a lease; when it ends they are due again, with the same delivery id.

mod outcome;
mod pace;
mod sender;
mod way;
mod worker;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Channel;
use zeroize::Zeroizing;

use super::ChannelError;
use crate::agreement::{Delivery, Pacing};
use crate::exchange::Exchange;
use crate::id::InstitutionId;
use crate::identity::tls::{Credentials, Expected, TlsError, client_config};
use crate::pki::Anchors;
use sender::Lane;
use worker::Ends;

/// How the gateway shows itself to members, and which authorities it takes their certificates from.
pub struct Outward {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    anchors: Anchors,
    trust_domain: Arc<str>,
}

impl Outward {
    /// From PEM; fails if certificate and key do not fit.
    pub fn new(certificate: Vec<u8>, key: Zeroizing<Vec<u8>>, anchors: Anchors, trust_domain: &str) -> Result<Self, TlsError> {
        let outward = Self { certificate, key, anchors, trust_domain: trust_domain.into() };
        client_config(Some(outward.credentials()?), &outward.anchors, Expected::Host)?;
        Ok(outward)
    }

    /// TLS towards one member: whoever else answers at its address is refused.
    pub fn towards(&self, institution: &InstitutionId) -> Result<Arc<ClientConfig>, TlsError> {
        let expected = Expected::Institution { trust_domain: self.trust_domain.clone(), institution: institution.clone() };
        client_config(Some(self.credentials()?), &self.anchors, expected).map(Arc::new)
    }

    fn credentials(&self) -> Result<Credentials, TlsError> {
        Credentials::from_pem(&self.certificate, &self.key)
    }
}

/// Makes the channel to an endpoint: [`super::channel`], or the same over another network.
pub type Line = Arc<dyn Fn(&str, Arc<ClientConfig>) -> Result<Channel, ChannelError> + Send + Sync>;

/// All workers.
pub struct Push {
    exchange: Arc<Exchange>,
    line: Line,
    lease: Duration,
    tasks: TaskTracker,
    cut: CancellationToken,
    team: Mutex<Team>,
}

struct Team {
    outward: Outward,
    workers: BTreeMap<InstitutionId, Worker>,
}

/// A worker and what it was started with.
struct Worker {
    endpoint: String,
    pacing: Pacing,
    stop: CancellationToken,
}

impl Push {
    /// Starts a worker for every member that is called. Each attempt may take `lease`.
    pub fn start(exchange: Arc<Exchange>, outward: Outward, line: Line, lease: Duration) -> Self {
        let team = Mutex::new(Team { outward, workers: BTreeMap::new() });
        let push = Self { exchange, line, lease, tasks: TaskTracker::new(), cut: CancellationToken::new(), team };
        push.follow();
        push
    }

    /// Brings the workers in line with the agreement in force. Whatever a stopped worker has begun, it ends.
    pub fn follow(&self) {
        let agreement = self.exchange.agreement();
        let mut team = self.lock();
        // Nobody would stop a worker that is hired after the end.
        if self.tasks.is_closed() {
            return;
        }
        let Team { outward, workers } = &mut *team;
        workers.retain(|id, worker| {
            let stays = agreement.member(id).is_some_and(|member| {
                matches!(&member.delivery, Delivery::Push { endpoint } if *endpoint == worker.endpoint) && member.pacing == worker.pacing
            });
            if !stays {
                worker.stop.cancel();
            }
            stays
        });
        for member in agreement.members() {
            let Delivery::Push { endpoint } = &member.delivery else { continue };
            if workers.contains_key(&member.id) {
                continue;
            }
            match self.hire(&member.id, endpoint, member.pacing, outward) {
                Ok(worker) => drop(workers.insert(member.id.clone(), worker)),
                // The address was checked with the agreement; without a worker the deliveries wait.
                Err(reason) => tracing::error!(recipient = %member.id, reason, "nothing can be delivered to this member"),
            }
        }
    }

    /// Goes on with another certificate or other authorities: new connections for all.
    pub fn replace(&self, outward: Outward) {
        let mut team = self.lock();
        team.workers.values().for_each(|worker| worker.stop.cancel());
        team.workers.clear();
        team.outward = outward;
        drop(team);
        self.follow();
    }

    /// Releases nothing more, waits until what is under way has ended, but never longer than `patience`; then lets go of it. Its leases end by
    /// themselves.
    pub async fn stop(&self, patience: Duration) {
        {
            let team = self.lock();
            self.tasks.close();
            team.workers.values().for_each(|worker| worker.stop.cancel());
        }
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "deliveries under way were cut; they are tried again when their leases have ended");
            self.cut.cancel();
            self.tasks.wait().await;
        }
    }

    fn hire(&self, recipient: &InstitutionId, endpoint: &str, pacing: Pacing, outward: &Outward) -> Result<Worker, String> {
        let tls = outward.towards(recipient).map_err(|error| error.to_string())?;
        let channel = (self.line)(endpoint, tls).map_err(|error| error.to_string())?;
        let lane = Lane::new(self.exchange.clone(), recipient.clone(), channel, self.lease);
        let stop = CancellationToken::new();
        let ends = Ends { stop: stop.clone(), cut: self.cut.clone(), tasks: self.tasks.clone() };
        let bell = self.exchange.wake().bell(recipient);
        self.tasks.spawn(worker::run(Arc::new(lane), bell, pacing, ends));
        Ok(Worker { endpoint: endpoint.to_owned(), pacing, stop })
    }

    fn lock(&self) -> MutexGuard<'_, Team> {
        // Nothing in here can panic half-way through a change.
        self.team.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
