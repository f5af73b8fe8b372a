//! What clients share: a number of places in all, of which one client's network gets a part at most.
//! Those who wait are served in turn, network by network: nobody alone keeps others from anything.

mod turns;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

pub(crate) use turns::Turns;

/// The network that a client's use of the server counts for: an IPv4 address, or the first 64 bits of
/// an IPv6 address, of which one house has all the rest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ClientNet(IpAddr);

impl ClientNet {
    /// This machine: what a program asks of a log that it holds itself.
    pub const LOCAL: Self = Self(IpAddr::V4(Ipv4Addr::LOCALHOST));

    /// The network of an address. An IPv4 address in IPv6's form counts as the IPv4 address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

impl ClientNet {
    /// As a line of the log names it: the first 24 bits of an IPv4 address, the first 48 of an IPv6 address, which
    /// tell a network and no house.
    pub(crate) fn shortened(self) -> String {
        match self.0 {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.0/24")
            }
            IpAddr::V6(address) => {
                let [a, b, c, ..] = address.segments();
                format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
            }
        }
    }
}

impl std::fmt::Display for ClientNet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

/// Places that clients share. Clones share the same places.
#[derive(Clone)]
pub struct Shares(Arc<Inner>);

struct Inner {
    /// Places in all.
    all: usize,
    /// Places of one network, at most.
    each: usize,
    places: Mutex<Places>,
}

struct Places {
    /// Places that nobody has.
    free: usize,
    /// Places of each network that has any.
    taken: HashMap<ClientNet, usize>,
    /// Those who wait.
    waiting: Turns<ClientNet, Waiter>,
    /// Whether the next in turn waits for free places: nobody may overtake it then, so that one who
    /// asks for many gets them.
    reserved: bool,
    /// The number of the next waiter.
    next_number: u64,
}

struct Waiter {
    /// Tells it from all others.
    number: u64,
    /// Places that are asked for.
    count: usize,
    granted: oneshot::Sender<Share>,
}

/// Places that were given. They are given back when this is dropped.
pub struct Share {
    inner: Arc<Inner>,
    net: ClientNet,
    count: usize,
}

impl Shares {
    /// This many places in all, and at most `each` of them for one network.
    pub fn new(all: usize, each: usize) -> Self {
        let places = Mutex::new(Places {
            free: all,
            taken: HashMap::new(),
            waiting: Turns::default(),
            reserved: false,
            next_number: 0,
        });
        let each = each.min(all);
        Self(Arc::new(Inner { all, each, places }))
    }

    /// Takes places if they are free now and nobody waits for them. Whoever asks for more than a
    /// network may have is given that.
    pub fn try_take(&self, net: ClientNet, count: usize) -> Option<Share> {
        let count = count.min(self.0.each);
        let mut places = self.0.places();
        let free = !places.reserved
            && places.waiting.len_of(&net) == 0
            && places.has_room(&self.0, net, count);
        free.then(|| places.give(&self.0, net, count))
    }

    /// Waits for places, behind others of the same network and in turn with other networks. One that
    /// asks for more than a network may have is given that.
    pub async fn take(&self, net: ClientNet, count: usize) -> Share {
        let count = count.min(self.0.each);
        loop {
            let (granted, share) = oneshot::channel();
            let (number, served) = {
                let mut places = self.0.places();
                let number = places.next_number;
                places.next_number += 1;
                let waiter = Waiter {
                    number,
                    count,
                    granted,
                };
                places.waiting.push(net, waiter);
                (number, places.serve(&self.0))
            };
            grant(served);
            let _waiting = Waiting {
                inner: &self.0,
                net,
                number,
            };
            // A waiter is dropped by nobody but the one who waits; were it so, it would ask again.
            if let Ok(share) = share.await {
                return share;
            }
        }
    }

    /// All places.
    pub(crate) fn all(&self) -> usize {
        self.0.all
    }

    /// Places that nobody has.
    pub fn free(&self) -> usize {
        self.0.places().free
    }
}

impl Inner {
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn has_room(&self, inner: &Inner, net: ClientNet, count: usize) -> bool {
        count <= self.free && self.is_within_share(inner, net, count)
    }

    fn is_within_share(&self, inner: &Inner, net: ClientNet, count: usize) -> bool {
        self.taken.get(&net).copied().unwrap_or(0) + count <= inner.each
    }

    fn give(&mut self, inner: &Arc<Inner>, net: ClientNet, count: usize) -> Share {
        self.free -= count;
        *self.taken.entry(net).or_default() += count;
        Share {
            inner: Arc::clone(inner),
            net,
            count,
        }
    }

    fn take_back(&mut self, net: ClientNet, count: usize) {
        self.free += count;
        if let Some(taken) = self.taken.get_mut(&net) {
            *taken -= count;
            if *taken == 0 {
                self.taken.remove(&net);
            }
        }
    }

    /// Gives places to those who wait, network by network. The caller hands them over when it no longer
    /// holds the lock: one that is not wanted any more is given back under it.
    fn serve(&mut self, inner: &Arc<Inner>) -> Vec<(oneshot::Sender<Share>, Share)> {
        let mut served = Vec::new();
        let mut skipped = 0;
        self.reserved = false;
        while skipped < self.waiting.keys() {
            let Some((net, waiter)) = self.waiting.front() else {
                break;
            };
            let (net, count) = (*net, waiter.count);
            if !self.is_within_share(inner, net, count) {
                self.waiting.skip();
                skipped += 1;
            } else if count > self.free {
                self.reserved = true;
                break;
            } else if let Some(waiter) = self.waiting.pop() {
                skipped = 0;
                served.push((waiter.granted, self.give(inner, net, count)));
            }
        }
        served
    }
}

fn grant(served: Vec<(oneshot::Sender<Share>, Share)>) {
    for (granted, share) in served {
        // One who waits no longer gives it back at once.
        let _ = granted.send(share);
    }
}

/// Somebody who waits: leaves the queue when it waits no longer.
struct Waiting<'a> {
    inner: &'a Arc<Inner>,
    net: ClientNet,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let served = {
            let mut places = self.inner.places();
            let number = self.number;
            places.waiting.retain(&self.net, |it| it.number != number);
            places.serve(self.inner)
        };
        grant(served);
    }
}

impl Share {
    /// Adds places of the same network that were taken later.
    pub fn join(&mut self, mut other: Self) {
        debug_assert!(Arc::ptr_eq(&self.inner, &other.inner) && self.net == other.net);
        self.count += std::mem::take(&mut other.count);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.count == 0 {
            return;
        }
        let served = {
            let mut places = self.inner.places();
            places.take_back(self.net, self.count);
            places.serve(&self.inner)
        };
        grant(served);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn net(last: u8) -> ClientNet {
        ClientNet::of(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)))
    }

    #[test]
    fn a_house_is_one_network_however_many_addresses_it_has() {
        let of = |text: &str| ClientNet::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff:1:2:3"));
        assert_ne!(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8:1:2::3").to_string(), "2001:db8:1:2::/64");
    }

    #[test]
    fn one_network_gets_its_part_and_others_the_rest() {
        let shares = Shares::new(4, 2);
        let first: Vec<Share> = (0..2)
            .map(|_| shares.try_take(net(1), 1).unwrap())
            .collect();
        assert!(shares.try_take(net(1), 1).is_none(), "more than its part");
        let second = shares.try_take(net(2), 9).unwrap();
        assert_eq!((second.count, shares.free()), (2, 0));
        assert!(shares.try_take(net(3), 1).is_none());
        drop(first);
        let third = shares.try_take(net(3), 2);
        assert!(third.is_some());
        drop((second, third));
        assert_eq!(shares.free(), 4);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn those_who_wait_are_served_in_turn() {
        let shares = Shares::new(2, 1);
        let held = [shares.take(net(1), 1).await, shares.take(net(2), 1).await];
        let order = Arc::new(Mutex::new(Vec::new()));
        for (name, last) in [("a1", 1), ("a2", 1), ("a3", 1), ("c1", 3), ("b1", 2)] {
            let (shares, order) = (shares.clone(), Arc::clone(&order));
            tokio::spawn(async move {
                let _share = shares.take(net(last), 1).await;
                order.lock().unwrap().push(name);
                tokio::time::sleep(Duration::from_millis(10)).await;
            });
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        drop(held);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let order = order.lock().unwrap().clone();
        assert_eq!(order.len(), 5);
        let place = |name: &str| order.iter().position(|it| *it == name).unwrap();
        assert!(place("c1") < place("a2"), "{order:?}");
        assert!(place("b1") < place("a3"), "{order:?}");
        assert_eq!(shares.free(), 2);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn one_who_waits_no_longer_holds_nobody_up() {
        let shares = Shares::new(4, 4);
        let held = shares.take(net(1), 3).await;
        {
            let much = shares.take(net(2), 4);
            let waited = tokio::time::timeout(Duration::from_millis(1), much).await;
            assert!(waited.is_err());
            // While it waited nobody overtook it; see below for afterwards.
        }
        let one = shares.try_take(net(3), 1).expect("nobody waits");
        assert!(shares.try_take(net(3), 1).is_none());
        let waiting = {
            let shares = shares.clone();
            tokio::spawn(async move { shares.take(net(2), 2).await.count })
        };
        tokio::time::sleep(Duration::from_millis(1)).await;
        drop(one);
        assert!(shares.try_take(net(3), 1).is_none(), "it overtook");
        drop(held);
        assert_eq!(waiting.await.unwrap(), 2);
        assert_eq!(shares.free(), 4);
    }
}
