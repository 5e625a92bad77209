// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The log is the state: whoever reads only the entries arrives at the same states as the tables, and sees that every promise was kept.

use std::collections::{BTreeMap, HashMap};

use weiche::dialect::{Category, CategoryMask};
use weiche::numbered::Numbered;
use weiche::outbox::State;
use weiche::proto::audit::{Entry, EntryKind};
use weiche::proto::types::ContactPoint;
use weiche::referral::{Actor, ReferralState, StatusReason, step};

use super::desk::*;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Story {
    sender: String,
    recipient: String,
    consent: Vec<u8>,
    granted: CategoryMask,
    state: ReferralState,
    reason: Option<StatusReason>,
}

/// What the entries say.
#[derive(Debug, Default)]
struct Replayed {
    referrals: HashMap<Vec<u8>, Story>,
    /// State, attempts since it was last put back, kind.
    deliveries: HashMap<Vec<u8>, (State, u32)>,
    /// Version and whether it lets anything go.
    consents: HashMap<Vec<u8>, (u32, bool)>,
    tags: HashMap<Vec<u8>, usize>,
}

impl Replayed {
    fn read(entries: &[Entry]) -> Self {
        let mut all = Self::default();
        for (index, entry) in entries.iter().enumerate() {
            all.one(entry).unwrap_or_else(|problem| panic!("entry {index}: {problem}: {entry:?}"));
            if !entry.subject_tag.is_empty() {
                let seen = all.tags.insert(entry.subject_tag.to_vec(), index);
                assert_eq!(seen, None, "a tag never comes twice: {entry:?}");
            }
        }
        all
    }

    fn one(&mut self, entry: &Entry) -> Result<(), String> {
        use EntryKind::*;
        if entry.version != 1 {
            return Err("version".into());
        }
        let delivery = entry.delivery_id.to_vec();
        match entry.kind() {
            ConsentRecorded | ConsentWithdrawn => {
                let active = entry.detail == "ACTIVE";
                self.consents.insert(entry.consent_id.to_vec(), (entry.consent_version, active));
            }
            ReferralSubmitted => {
                self.is_covered(entry)?;
                let story = Story {
                    sender: entry.actor.clone(),
                    recipient: entry.counterpart.clone(),
                    consent: entry.consent_id.to_vec(),
                    granted: CategoryMask::from_bits(entry.granted),
                    state: ReferralState::Submitted,
                    reason: None,
                };
                // A second time only to repair what was blocked, and never with more than there was.
                if let Some(before) = self.referrals.insert(entry.referral_id.to_vec(), story) {
                    step(before.state, ReferralState::Submitted, Actor::Sender, None).map_err(|error| error.to_string())?;
                    if !before.granted.covers(CategoryMask::from_bits(entry.granted)) {
                        return Err("resubmitted more than was stored".into());
                    }
                }
                self.deliveries.insert(delivery, (State::Ready, 0));
            }
            Released => {
                if entry.detail == "referral" {
                    self.is_covered(entry)?;
                    let story = self.story(entry)?;
                    if story.state != ReferralState::Submitted {
                        return Err(format!("released in {:?}", story.state));
                    }
                    if !story.granted.covers(CategoryMask::from_bits(entry.granted)) {
                        return Err("released more than was stored".into());
                    }
                }
                let known = self.deliveries.entry(delivery).or_insert((State::Ready, 0));
                if !matches!(known.0, State::Ready | State::Started) {
                    return Err(format!("released although {:?}", known.0));
                }
                *known = (State::Started, entry.attempt);
            }
            ReleaseDenied => {
                self.end(delivery, State::Stopped)?;
                self.go(entry, Actor::Gateway)?;
            }
            Delivered => {
                self.end(delivery, State::Delivered)?;
                if entry.state != 0 {
                    self.go(entry, Actor::Gateway)?;
                }
            }
            AttemptFailed => {
                let known = self.deliveries.get_mut(&delivery).ok_or("unknown delivery")?;
                if known.0 != State::Started {
                    return Err("failed without an attempt".into());
                }
                known.0 = State::Ready;
                self.uncount(&delivery, entry);
            }
            Dead => self.end(delivery, State::Dead)?,
            DeliveryStopped => {
                self.end(delivery.clone(), State::Stopped)?;
                self.uncount(&delivery, entry);
            }
            StatusChanged => {
                let story = self.story(entry)?;
                let actor = match entry.actor.as_str() {
                    "gateway" => Actor::Gateway,
                    actor if actor == story.sender => Actor::Sender,
                    actor if actor == story.recipient => Actor::Recipient,
                    _ => return Err("somebody else".into()),
                };
                // What comes after a recall is noted and moves nothing.
                if !(story.state == ReferralState::Recalled && actor == Actor::Recipient) {
                    self.go(entry, actor)?;
                }
            }
            RecallIssued => {
                self.story(entry)?;
                self.deliveries.insert(delivery, (State::Ready, 0));
            }
            RecallAnswered => drop(self.story(entry)?),
            OperatorAction if entry.detail == "drain" || entry.delivery_id.is_empty() => {}
            OperatorAction if entry.detail == "park" => {
                let known = self.deliveries.entry(delivery).or_insert((State::Ready, 0));
                if !known.0.is_open() {
                    return Err(format!("parked although {:?}", known.0));
                }
                known.0 = State::Ready;
            }
            OperatorAction if entry.detail == "unpark" => {
                if self.deliveries.get(&delivery).map(|known| known.0) != Some(State::Ready) {
                    return Err("unparked although it does not wait".into());
                }
            }
            OperatorAction => {
                if self.deliveries.insert(delivery, (State::Ready, 0)).map(|known| known.0) != Some(State::Dead) {
                    return Err("put back although not dead".into());
                }
            }
            SubmissionDenied | AgreementChanged | LogCreated => {}
            Unspecified => return Err("no kind".into()),
        }
        Ok(())
    }

    /// What goes under a consent goes under its newest version, and that lets it go.
    fn is_covered(&self, entry: &Entry) -> Result<(), String> {
        if entry.consent_id.is_empty() {
            return Ok(());
        }
        match self.consents.get(&entry.consent_id.to_vec()) {
            Some((version, true)) if *version == entry.consent_version => Ok(()),
            other => Err(format!("not covered: {other:?}")),
        }
    }

    /// An attempt that was never begun does not count.
    fn uncount(&mut self, delivery: &[u8], entry: &Entry) {
        if entry.detail == "RETURNED"
            && let Some(known) = self.deliveries.get_mut(delivery)
        {
            known.1 -= 1;
        }
    }

    fn story(&self, entry: &Entry) -> Result<&Story, String> {
        self.referrals.get(&entry.referral_id.to_vec()).ok_or_else(|| "unknown referral".into())
    }

    fn go(&mut self, entry: &Entry, actor: Actor) -> Result<(), String> {
        let story = self.referrals.get_mut(&entry.referral_id.to_vec()).ok_or("unknown referral")?;
        let to = ReferralState::from_number(entry.state.into()).ok_or("no state")?;
        let reason = StatusReason::from_number(entry.reason.into());
        step(story.state, to, actor, reason).map_err(|error| error.to_string())?;
        (story.state, story.reason) = (to, reason);
        Ok(())
    }

    fn end(&mut self, delivery: Vec<u8>, state: State) -> Result<(), String> {
        // A status that was never released is not in the log; a delivery of another kind is.
        let known = self.deliveries.get_mut(&delivery).ok_or("unknown delivery")?;
        let after = match state {
            State::Delivered => matches!(known.0, State::Started | State::Ready | State::Dead),
            _ => known.0.is_open(),
        };
        if !after {
            return Err(format!("{:?} after {:?}", state, known.0));
        }
        known.0 = state;
        Ok(())
    }
}

/// Reads the whole log of a gateway and compares with its tables.
pub async fn check(desk: &Desk) {
    let told = Replayed::read(&desk.log().await);
    let mut conn = desk.tables().await;
    let rows = conn.rows("SELECT id, state, reason, stored FROM referral", []).await.unwrap();
    assert_eq!(rows.len(), told.referrals.len());
    for row in rows {
        let story = &told.referrals[row.bytes(0).unwrap()];
        let (state, reason) = (ReferralState::from_number(row.int(1).unwrap()).unwrap(), StatusReason::from_number(row.int(2).unwrap()));
        assert_eq!((story.state, story.reason), (state, reason), "{story:?}");
        assert_eq!(story.granted.bits(), row.small(3).unwrap());
    }
    for row in conn.rows("SELECT id, state, attempts, kind FROM delivery", []).await.unwrap() {
        let kept = (State::from_number(row.int(1).unwrap()).unwrap(), row.small(2).unwrap());
        match told.deliveries.get(row.bytes(0).unwrap()) {
            Some(said) => assert_eq!(*said, kept, "kind {}", row.int(3).unwrap()),
            None => assert_eq!((row.int(3).unwrap(), kept), (2, (State::Ready, 0)), "a status that nobody has been sent yet"),
        }
    }
    let rows = conn.rows("SELECT id, version FROM consent", []).await.unwrap();
    assert_eq!(rows.len(), told.consents.len());
    for row in rows {
        assert_eq!(told.consents[row.bytes(0).unwrap()].0, row.small(1).unwrap());
    }
}

#[tokio::test]
async fn the_leaves_of_the_hot_kinds_are_small() {
    use prost::Message;
    let desk = Desk::open().await;
    // The longest names of the agreement.
    let (from, to) = (AGENTUR, "diakonie-bremen/land-obervieland");
    let all = mask(&[Category::Ident, Category::Contact, Category::Topics, Category::Lang, Category::Address]);
    let consent = desk.consent(from, "p-1").to(to, all).record().await;
    let mut case = referral(from, to, "p-1", consent);
    let person = case.subject.as_mut().unwrap();
    // More than the recipient's words have places for.
    person.contact_points = (0..12).map(|n| ContactPoint { system: "pager".into(), value: format!("{n}"), ..Default::default() }).collect();
    person.name.as_mut().unwrap().native_script = "نور".into();
    let id = desk.accepted(&case).await;
    let first = desk.release_one(to).await;
    desk.settle(&first, unavailable()).await.unwrap();
    desk.deliver_all(to).await;
    desk.answer(&to[..15], id, ReferralState::Accepted, None).await.unwrap();
    desk.deliver_all(from).await;
    desk.withdraw(from, consent).await;
    let mut largest = BTreeMap::new();
    for entry in desk.log().await {
        let size = largest.entry(entry.kind().as_str_name()).or_insert(0);
        *size = entry.encoded_len().max(*size);
    }
    let lost = &desk.log().await.into_iter().find(|entry| entry.kind() == EntryKind::ReferralSubmitted).unwrap().lost_paths;
    assert!(lost.last().is_some_and(|last| last.starts_with('+')), "{lost:?}");
    for (kind, size) in largest {
        assert!(size <= 246, "{kind}: {size} bytes");
    }
}
