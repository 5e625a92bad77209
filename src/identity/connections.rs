// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::Caller;
use crate::id::InstitutionId;

/// The live connections of one process. Revoking a certificate does not end what is already open, so whoever revokes sweeps here as well.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Mutex<Registry>>);

#[derive(Debug, Default)]
struct Registry {
    live: BTreeMap<u64, Entry>,
    next: u64,
    generation: u64,
}

#[derive(Debug)]
struct Entry {
    caller: Arc<Caller>,
    peer: SocketAddr,
    cut: CancellationToken,
}

/// How many sweeps there have been. Taken before a handshake: a sweep during the handshake would miss a connection that is not registered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation(u64);

/// Why a verified caller is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The same institution or operator holds all the connections it may have.
    #[error("the caller already holds {0} connections, as many as it may")]
    TooMany(usize),
    /// Connections were swept while this one shook hands.
    #[error("connections were cut during the handshake, the caller may try again")]
    Swept,
}

/// A connection as an operator sees it.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    /// Its number in this process.
    pub number: u64,
    /// Who.
    pub caller: Arc<Caller>,
    /// From where.
    pub peer: SocketAddr,
}

/// A registered connection; dropping it gives its place back.
#[derive(Debug)]
pub struct Live {
    number: u64,
    cut: CancellationToken,
    registry: Connections,
}

impl Connections {
    /// Where the sweeps stand now.
    pub fn generation(&self) -> Generation {
        Generation(self.lock().generation)
    }

    /// Registers a connection of `caller` whose handshake began at generation `seen`; at most `most` per institution or operator.
    pub fn admit(&self, caller: Arc<Caller>, peer: SocketAddr, seen: Generation, most: usize) -> Result<Live, Refusal> {
        let mut registry = self.lock();
        if registry.generation != seen.0 {
            return Err(Refusal::Swept);
        }
        if registry.live.values().filter(|entry| same_holder(&entry.caller, &caller)).count() >= most {
            return Err(Refusal::TooMany(most));
        }
        let number = registry.next;
        registry.next += 1;
        let cut = CancellationToken::new();
        registry.live.insert(number, Entry { caller, peer, cut: cut.clone() });
        Ok(Live { number, cut, registry: self.clone() })
    }

    /// All of them, oldest first.
    pub fn list(&self) -> Vec<ConnectionInfo> {
        let registry = self.lock();
        registry.live.iter().map(|(number, entry)| ConnectionInfo { number: *number, caller: entry.caller.clone(), peer: entry.peer }).collect()
    }

    /// Cuts every connection of `institution`, streams and all; how many that were.
    pub fn kill_institution(&self, institution: &InstitutionId) -> usize {
        self.sweep(|caller| caller.institution() == Some(institution))
    }

    /// Cuts every connection that was opened with the certificate of this serial number (lower-case hex); how many that were.
    pub fn kill_serial(&self, serial: &str) -> usize {
        self.sweep(|caller| caller.serial() == serial)
    }

    fn sweep(&self, doomed: impl Fn(&Caller) -> bool) -> usize {
        let mut registry = self.lock();
        registry.generation += 1;
        registry.live.values().filter(|entry| doomed(&entry.caller)).inspect(|entry| entry.cut.cancel()).count()
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        // Nothing in here can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    /// Its number in this process.
    pub fn number(&self) -> u64 {
        self.number
    }
    /// Done as soon as somebody cuts the connection.
    pub async fn cut(&self) {
        self.cut.cancelled().await;
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.registry.lock().live.remove(&self.number);
    }
}

/// All systems of an institution share its places; an operator has places of its own.
fn same_holder(a: &Caller, b: &Caller) -> bool {
    match (a.institution(), b.institution()) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a.spiffe() == b.spiffe(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(id: &str, serial: &str) -> Arc<Caller> {
        Arc::new(
            Caller::from_uri("weiche.example.invalid", &format!("spiffe://weiche.example.invalid/institution/{id}/system/fallakte"), serial).unwrap(),
        )
    }

    #[test]
    fn an_institution_has_so_many_places_and_gets_one_back_when_a_connection_ends() {
        let all = Connections::default();
        let peer = "127.0.0.1:1".parse().unwrap();
        let admit = |id, serial| all.admit(caller(id, serial), peer, all.generation(), 2);
        let (first, _second) = (admit("awo", "01").unwrap(), admit("awo", "02").unwrap());
        assert_eq!(admit("awo", "03").unwrap_err(), Refusal::TooMany(2));
        let _other = admit("drk", "04").unwrap();
        drop(first);
        let _third = admit("awo", "03").unwrap();
        assert_eq!(all.list().len(), 3);
    }

    #[test]
    fn a_sweep_cuts_the_named_ones_and_refuses_whoever_was_shaking_hands() {
        let all = Connections::default();
        let peer = "127.0.0.1:1".parse().unwrap();
        let before = all.generation();
        let (one, two) = (all.admit(caller("awo", "01"), peer, before, 8).unwrap(), all.admit(caller("awo", "02"), peer, before, 8).unwrap());
        assert_eq!(all.kill_serial("01"), 1);
        assert!(one.cut.is_cancelled() && !two.cut.is_cancelled());
        assert_eq!(all.admit(caller("drk", "03"), peer, before, 8).unwrap_err(), Refusal::Swept);
        assert_eq!(all.kill_institution(&"awo".parse().unwrap()), 2);
        assert!(two.cut.is_cancelled());
    }
}
