// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many sockets each address holds that have not yet shown a certificate.
#[derive(Debug, Clone, Default)]
pub(super) struct Strangers(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Stranger {
    address: IpAddr,
    all: Strangers,
}

impl Strangers {
    /// A place for `address`, if it holds fewer than `most`.
    pub(super) fn admit(&self, address: IpAddr, most: usize) -> Option<Stranger> {
        let address = network_of(address);
        let mut counts = self.lock();
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Stranger { address, all: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Nothing in here can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut counts = self.all.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// A customer of an IPv6 provider owns at least a /64 and can use every address in it.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_a_v6_network_counts_as_one() {
        let strangers = Strangers::default();
        let admit = |text: &str| strangers.admit(text.parse().unwrap(), 2);
        let held = [admit("2001:db8::1").unwrap(), admit("2001:db8::2").unwrap()];
        assert!(admit("2001:db8::3").is_none());
        let _others = [admit("2001:db8:0:1::1").unwrap(), admit("192.0.2.1").unwrap(), admit("::ffff:192.0.2.1").unwrap()];
        assert!(admit("192.0.2.1").is_none());
        drop(held);
        assert!(admit("2001:db8::3").is_some());
        assert_eq!(strangers.lock().len(), 2);
    }
}
