// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::command::Release;
use super::refusal::Refusal;
use super::writer::Committed;
use crate::id::InstitutionId;

type Answer = oneshot::Sender<Result<Committed, Refusal>>;

/// Releases that wait for something: the writer fulfils them in the batch that queues it, which saves it a transaction of its own. Only what has nothing
/// in front of it comes this way by itself; for all else there is the bell ([`super::Wake`]), and a demand that asks for what is due.
#[derive(Debug, Clone, Default)]
pub struct Demands(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: Mutex<BTreeMap<InstitutionId, VecDeque<Demand>>>,
    next: AtomicU64,
    /// Somebody asks for what is due.
    stirred: Notify,
}

/// One of them, as the writer sees it.
#[derive(Debug)]
pub struct Demand {
    number: u64,
    /// What is asked for.
    pub release: Release,
    /// Whether it also asks for what is due already; answered once the writer has looked, if there is anything.
    due: bool,
    /// Where the answer goes.
    pub answer: Answer,
}

/// One of them, as whoever asked sees it. The writer has it or can be told to forget it, never both.
#[derive(Debug)]
pub struct Waiting {
    demands: Demands,
    number: u64,
    recipient: InstitutionId,
    /// The answer. Nothing comes if the writer has failed.
    pub answer: oneshot::Receiver<Result<Committed, Refusal>>,
}

impl Demands {
    /// Waits; with `due` also for what has been there before.
    pub fn put(&self, release: Release, due: bool) -> Waiting {
        let (answer, answered) = oneshot::channel();
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let recipient = release.recipient.clone();
        self.lock().entry(recipient.clone()).or_default().push_back(Demand { number, release, due, answer });
        if due {
            self.0.stirred.notify_one();
        }
        Waiting { demands: self.clone(), number, recipient, answer: answered }
    }

    /// Those for whom somebody waits.
    pub fn recipients(&self) -> Vec<InstitutionId> {
        self.lock().iter().filter(|(_, waiting)| !waiting.is_empty()).map(|(recipient, _)| recipient.clone()).collect()
    }

    /// Until somebody asks for what is due.
    pub async fn stirred(&self) {
        self.0.stirred.notified().await;
    }

    /// Recipients for whom somebody asks for what is due, and how much they take. Whoever calls this looks for it: none is named again.
    pub fn looking(&self) -> Vec<(InstitutionId, u32)> {
        let mut waiting = self.lock();
        let wanted = |queue: &mut VecDeque<Demand>| {
            queue.iter_mut().filter_map(|demand| std::mem::take(&mut demand.due).then_some(demand.release.limit)).reduce(u32::saturating_add)
        };
        waiting.iter_mut().filter_map(|(recipient, queue)| Some((recipient.clone(), wanted(queue)?))).collect()
    }

    /// The one that has waited longest for a recipient. Whoever takes it answers it.
    pub fn take(&self, recipient: &InstitutionId) -> Option<Demand> {
        self.lock().get_mut(recipient)?.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<InstitutionId, VecDeque<Demand>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Takes the demand back; false: too late, the answer is on its way.
    pub fn take_back(&self) -> bool {
        let mut waiting = self.demands.lock();
        let Some(queue) = waiting.get_mut(&self.recipient) else { return false };
        let before = queue.len();
        queue.retain(|demand| demand.number != self.number);
        queue.len() < before
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Whoever has gone gets nothing.
        let _ = self.take_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(limit: u32) -> Release {
        Release { recipient: "jobcenter-bremen".parse().unwrap(), limit, lease: std::time::Duration::from_secs(1) }
    }

    #[test]
    fn a_demand_is_taken_or_taken_back_never_both() {
        let demands = Demands::default();
        let (first, second) = (demands.put(release(1), false), demands.put(release(2), true));
        assert_eq!(demands.recipients().len(), 1);
        assert_eq!(demands.looking(), [(second.recipient.clone(), 2)]);
        assert!(demands.looking().is_empty(), "once");
        assert_eq!(demands.take(&first.recipient).unwrap().release.limit, 1);
        assert!(!first.take_back(), "the writer has it");
        assert!(second.take_back());
        assert!(!second.take_back());
        assert!(demands.take(&second.recipient).is_none());
        assert!(demands.recipients().is_empty());
    }
}
