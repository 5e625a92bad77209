// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Time;
use crate::id::DeliveryId;
use crate::outbox::LeaseToken;

/// Unacknowledged items that a stream starts with.
const CREDITS: usize = 16;
/// Most that it may ask for.
pub(super) const MOST_CREDITS: usize = 256;
/// From a release to the connection. Who reads so slowly that an item waits longer gets a new stream, and the item a new release: between the last
/// question for consent and the first byte there must be no long pause.
pub(super) const HAND_OVER: Duration = Duration::from_secs(10);
/// Kept free at the end of each lease: clocks tick in steps.
const MARGIN: Duration = Duration::from_millis(500);

/// A released item in the institution's words.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) id: DeliveryId,
    pub(super) token: LeaseToken,
    /// End of the lease.
    pub(super) until: Time,
    pub(super) native: Bytes,
}

/// A lease of ours.
type Held = (DeliveryId, LeaseToken);

/// What a stream holds. Never more than its credits, whatever the institution reads or acknowledges.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// Zero until the institution has said something.
    credits: usize,
    /// Not a byte has left. In the order of release, each with when that was.
    waiting: VecDeque<(Time, Parcel)>,
    /// With the connection or the institution, and not acknowledged.
    open: BTreeMap<DeliveryId, (LeaseToken, Time)>,
}

impl Books {
    /// The institution has spoken; `credits` as in the contract: 0 leaves them as they are.
    pub(super) fn heard(&mut self, credits: u32) {
        match (usize::try_from(credits).unwrap_or(MOST_CREDITS), self.credits) {
            (0, 0) => self.credits = CREDITS,
            (0, _) => {}
            (asked, _) => self.credits = asked.min(MOST_CREDITS),
        }
    }

    /// An item has its acknowledgement. Says whether that made room.
    pub(super) fn acknowledged(&mut self, id: &DeliveryId, token: &LeaseToken) -> bool {
        let ours = self.open.get(id).is_some_and(|(held, _)| held == token);
        ours && self.open.remove(id).is_some()
    }

    /// How many may be released now. Items whose lease has ended hold no credit: they are due again by themselves.
    pub(super) fn room(&mut self, now: Time) -> usize {
        self.open.retain(|_, (_, until)| *until > now);
        self.waiting.retain(|(_, parcel)| parcel.until > now);
        self.credits.saturating_sub(self.waiting.len() + self.open.len())
    }

    /// Whether `room` is so little that it is worth waiting a moment for more.
    pub(super) fn is_little(&self, room: usize) -> bool {
        room * 4 < self.credits
    }

    /// Released: each waits for the connection.
    pub(super) fn put(&mut self, parcels: Vec<Parcel>, now: Time) {
        self.waiting.extend(parcels.into_iter().map(|parcel| (now, parcel)));
    }

    /// Whether the connection takes nothing, or too slowly.
    pub(super) fn is_stuck(&self, now: Time) -> bool {
        self.waiting.front().is_some_and(|(since, _)| now.since(*since) >= HAND_OVER)
    }

    /// The next item for the connection; none that has waited too long or whose lease has ended.
    pub(super) fn take(&mut self, now: Time) -> Option<Bytes> {
        while !self.is_stuck(now)
            && let Some((_, parcel)) = self.waiting.pop_front()
        {
            if parcel.until.since(now) > MARGIN {
                self.open.insert(parcel.id, (parcel.token, parcel.until));
                return Some(parcel.native);
            }
        }
        None
    }

    /// At the end: what never left, and what left and was not acknowledged.
    pub(super) fn close(&mut self) -> (Vec<Held>, Vec<Held>) {
        self.credits = 0;
        let unsent = std::mem::take(&mut self.waiting).into_iter().map(|(_, parcel)| (parcel.id, parcel.token));
        let unacknowledged = std::mem::take(&mut self.open).into_iter().map(|(id, (token, _))| (id, token));
        (unsent.collect(), unacknowledged.collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use proptest::prelude::*;

    fn parcel(number: u8, until: i64) -> Parcel {
        let mut id = [0; 16];
        id[0] = number;
        Parcel { id: DeliveryId::from_slice(&id).unwrap(), token: [number; 16], until: Time(until), native: Bytes::from(vec![number]) }
    }

    #[test]
    fn nothing_may_be_released_before_the_institution_has_spoken() {
        let mut books = Books::default();
        assert_eq!(books.room(Time(0)), 0);
        books.heard(0);
        assert_eq!(books.room(Time(0)), CREDITS);
        books.heard(3);
        books.heard(0);
        assert_eq!(books.room(Time(0)), 3);
        books.heard(u32::MAX);
        assert_eq!(books.room(Time(0)), MOST_CREDITS);
    }

    #[test]
    fn an_item_whose_lease_has_ended_is_not_handed_over_and_holds_no_credit() {
        let mut books = Books::default();
        books.heard(2);
        books.put(vec![parcel(1, 5_000), parcel(2, 9_000)], Time(0));
        assert_eq!(books.room(Time(0)), 0);
        assert_eq!(books.take(Time(4_600)).as_deref(), Some(&[2][..]), "the first has less than its margin left");
        assert_eq!(books.room(Time(9_000)), 2);
        assert!(!books.acknowledged(&parcel(2, 0).id, &[2; 16]), "too late: it comes again under another lease");
    }

    #[test]
    fn what_has_waited_too_long_is_never_sent() {
        let mut books = Books::default();
        books.heard(2);
        books.put(vec![parcel(1, 60_000)], Time(0));
        let late = Time(0).plus(HAND_OVER);
        assert_eq!(books.take(late), None);
        assert!(books.is_stuck(late));
        assert_eq!(books.close(), (vec![(parcel(1, 0).id, [1; 16])], vec![]));
    }

    #[test]
    fn only_the_token_of_the_lease_in_force_makes_room() {
        let mut books = Books::default();
        books.heard(1);
        books.put(vec![parcel(1, 60_000)], Time(0));
        assert!(!books.acknowledged(&parcel(1, 0).id, &[1; 16]), "it has not left");
        books.take(Time(0));
        assert!(!books.acknowledged(&parcel(1, 0).id, &[9; 16]));
        assert!(books.acknowledged(&parcel(1, 0).id, &[1; 16]));
        assert!(!books.acknowledged(&parcel(1, 0).id, &[1; 16]), "once");
    }

    proptest! {
        /// Steps: 0 releases all there is room for, 1 hands one over, 2 acknowledges one, 3 lets twenty seconds pass.
        #[test]
        fn whatever_happens_no_more_is_out_than_there_are_credits_and_nothing_is_out_twice(
            credits in 1_u32..20, steps in proptest::collection::vec(0_u8..4, 1..200)
        ) {
            let (mut books, mut now, mut next) = (Books::default(), Time(0), 0_u8);
            let mut out: HashMap<u8, Time> = HashMap::new();
            books.heard(credits);
            for step in steps {
                match step {
                    0 => {
                        let parcels: Vec<_> = (0..books.room(now)).map(|n| parcel(next.wrapping_add(n as u8), now.0 + 60_000)).collect();
                        next = next.wrapping_add(parcels.len() as u8);
                        books.put(parcels, now);
                    }
                    1 => if let Some(native) = books.take(now) {
                        prop_assert!(out.insert(native[0], now.plus(Duration::from_secs(60))).is_none_or(|until| until <= now));
                    },
                    2 => if let Some(number) = out.keys().next().copied() {
                        out.remove(&number);
                        books.acknowledged(&parcel(number, 0).id, &[number; 16]);
                    },
                    _ => now = now.plus(Duration::from_secs(20)),
                }
                out.retain(|_, until| *until > now);
                prop_assert!(books.waiting.len() + books.open.len() <= credits as usize);
                prop_assert_eq!(books.open.iter().filter(|(_, (_, until))| *until > now).count(), out.len());
            }
        }
    }
}
