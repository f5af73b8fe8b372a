//! The connections that are open, and who gives way when they are too many.
//!
//! A client's network has as many connections as places are free, at most: half of all if it is alone,
//! a third each if they are two. So whoever comes next finds a place, however few hold how many. Past
//! that, and when few places are free, the connection gives way that has been silent for long while the
//! server waits for it: so nobody keeps others out by holding connections, themselves included.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Limits;
use super::connection::{Connection, ConnectionService};
use super::forwarded::TrustedProxies;
use crate::answer::Peer;
use crate::shares::ClientNet;

/// Connections among which one that gives way is looked for: the oldest ones, others next time.
const CANDIDATES: usize = 32;
/// One network's connections that give way have one in so many of all places beside those that are
/// served: it can't fill them all with connections that come faster than they end.
const GIVING_WAY_PART: usize = 8;
/// When fewer than one in so many places are free, others are told to give way before somebody waits for
/// theirs: it takes a busy server time to end them.
const KEPT_FREE_PART: usize = 16;

/// All connections that are open.
pub(super) struct Connections {
    /// Connections in all.
    all: usize,
    proxies: TrustedProxies,
    open: Mutex<OpenConnections>,
    /// Notified when one has ended.
    ended: Notify,
}

#[derive(Default)]
struct OpenConnections {
    /// Those of each network that has any.
    of: HashMap<ClientNet, OfNetwork>,
    /// All of them: the socket of each is open.
    count: usize,
    /// Those that were told to give way and have not ended yet.
    giving_way: usize,
}

/// The connections of a network.
#[derive(Default)]
struct OfNetwork {
    /// Those that are served, the oldest first, but for those that were looked at lately.
    served: VecDeque<Arc<Connection>>,
    /// Those that were told to give way and have not ended yet.
    giving_way: usize,
}

/// A connection's place. Free again when this is dropped, which is after its socket was closed
/// ([`Socket`](super::shared_stream::Socket)).
pub(super) struct Place {
    pub connection: Arc<Connection>,
    connections: Arc<Connections>,
}

impl Connections {
    pub(super) fn new(limits: &Limits, proxies: TrustedProxies) -> Arc<Self> {
        Arc::new(Self {
            all: limits.connections,
            proxies,
            open: Mutex::default(),
            ended: Notify::new(),
        })
    }

    fn open(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections that are open, and the most that may be.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.open().count, self.all)
    }

    /// A place for a connection that was accepted: one that is free, or that of the next connection that
    /// ends, which one is told to do if the server waits for it. `None` if its network has as many as it
    /// may, and the server is at work for all of them, or has not come to end those that give way.
    pub(super) async fn take_place(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let net = ClientNet::of(peer);
        loop {
            let ended = self.ended.notified();
            {
                let mut open = self.open();
                let (served, giving_way) = open.of(net);
                let free = self.all.saturating_sub(open.count);
                // All clients of a proxy come from it.
                if served > 0 && served >= free && !self.proxies.include(peer) {
                    let many = giving_way >= self.all.div_ceil(GIVING_WAY_PART);
                    if many || !open.one_gives_way(net) {
                        return None;
                    }
                }
                if free > 0 {
                    let connection = open.add(peer);
                    let kept_free = self.all / KEPT_FREE_PART;
                    if free - 1 + open.giving_way < kept_free {
                        open.one_of_the_most_gives_way();
                    }
                    let connections = Arc::clone(self);
                    return Some(Place {
                        connection,
                        connections,
                    });
                }
                // One that gives way has its place until its socket is closed: else connections that
                // come faster than others end would take all descriptors.
                if open.giving_way == 0 {
                    open.one_of_the_most_gives_way();
                }
            }
            ended.await;
        }
    }

    /// What a connection's requests are handed to.
    pub(super) fn service(
        &self,
        connection: &Arc<Connection>,
        peer: Peer,
        router: axum::Router,
    ) -> ConnectionService {
        ConnectionService::new(connection, peer, &self.proxies, router)
    }
}

impl OpenConnections {
    fn add(&mut self, peer: IpAddr) -> Arc<Connection> {
        let connection = Connection::new(peer);
        let network = self.of.entry(ClientNet::of(peer)).or_default();
        network.served.push_back(Arc::clone(&connection));
        self.count += 1;
        connection
    }

    /// How many of a network are served, and how many give way.
    fn of(&self, net: ClientNet) -> (usize, usize) {
        let network = self.of.get(&net);
        network.map_or((0, 0), |of| (of.served.len(), of.giving_way))
    }

    fn one_of_the_most_gives_way(&mut self) {
        let most = self.of.iter().max_by_key(|(_, of)| of.served.len());
        if let Some(net) = most.map(|(net, _)| *net) {
            self.one_gives_way(net);
        }
    }

    /// Has the connection of a network end that has been silent for longest, of some of the oldest.
    /// `false` if the server is at work for each of them.
    fn one_gives_way(&mut self, net: ClientNet) -> bool {
        let Some(network) = self.of.get_mut(&net) else {
            return false;
        };
        let list = &mut network.served;
        let candidates = list.len().min(CANDIDATES);
        let silent = |(place, connection): (usize, &Arc<Connection>)| {
            connection.silent_since().map(|since| (since, place))
        };
        let longest = list.iter().take(candidates).enumerate();
        let longest = longest.filter_map(silent).min();
        let found = longest.and_then(|(_, place)| list.remove(place));
        // The others are looked at again when all have been.
        let looked_at = candidates - usize::from(found.is_some());
        list.rotate_left(looked_at);
        let Some(connection) = found else {
            return false;
        };
        network.giving_way += 1;
        self.giving_way += 1;
        connection.give_way();
        true
    }

    fn remove(&mut self, connection: &Arc<Connection>) {
        self.count -= 1;
        let net = connection.net();
        // It was added to those of its network.
        let Some(network) = self.of.get_mut(&net) else {
            return;
        };
        let mut served = network.served.iter();
        match served.position(|served| Arc::ptr_eq(served, connection)) {
            Some(place) => {
                network.served.remove(place);
            }
            // It is not among those that are served since it was told to give way.
            None => {
                network.giving_way -= 1;
                self.giving_way -= 1;
            }
        }
        if network.served.is_empty() && network.giving_way == 0 {
            self.of.remove(&net);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().remove(&self.connection);
        self.connections.ended.notify_one();
    }
}
#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use super::*;
    use crate::http::connection::Phase;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits(connections: usize) -> Limits {
        Limits {
            connections,
            ..Limits::default()
        }
    }

    fn address(last: u8) -> IpAddr {
        [127, 0, 0, last].into()
    }

    /// Whether a connection that never ends by itself is ended within this time.
    async fn ends_within(place: &Place, limits: &Limits, time: Duration) -> bool {
        let run = place.connection.run(limits, std::future::pending::<()>());
        tokio::time::timeout(time, run).await.is_ok()
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn the_connection_that_is_silent_for_longest_gives_way() {
        let limits = limits(4);
        let connections = Connections::new(&limits, TrustedProxies::default());
        let first = connections.take_place(address(1)).await.unwrap();
        let second = connections.take_place(address(1)).await.unwrap();
        tokio::time::advance(SECOND).await;
        first.connection.heard();
        let third = connections.take_place(address(1)).await.unwrap();
        assert!(ends_within(&second, &limits, SECOND).await);
        assert!(!ends_within(&first, &limits, SECOND).await);
        assert!(!ends_within(&third, &limits, SECOND).await);
        drop(second);
        // Those at work do not; who comes then is turned back, and others are not.
        first.connection.enter(Phase::Answer);
        third.connection.enter(Phase::Answer);
        assert!(connections.take_place(address(1)).await.is_none());
        let others: Vec<Place> = [
            connections.take_place(address(2)).await.unwrap(),
            connections.take_place(address(3)).await.unwrap(),
        ]
        .into();
        // All are taken and at work: the next waits for one that ends.
        others
            .iter()
            .for_each(|it| it.connection.enter(Phase::Answer));
        let waits = connections.take_place(address(4));
        let mut waits = pin!(waits);
        assert!(tokio::time::timeout(SECOND, &mut waits).await.is_err());
        drop(third);
        assert!(tokio::time::timeout(SECOND, waits).await.is_ok());
        drop(others);
        assert_eq!(connections.open().count, 1);
    }

    /// Found by a client that sent whole requests, closed its end and came again, from many addresses:
    /// places were given anew as soon as a connection was told to end, and descriptors ran out.
    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn one_that_gives_way_has_its_place_until_its_socket_is_closed() {
        let limits = limits(4);
        let connections = Connections::new(&limits, TrustedProxies::default());
        let first = connections.take_place(address(1)).await.unwrap();
        tokio::time::advance(SECOND).await;
        let second = connections.take_place(address(1)).await.unwrap();
        let others = [
            connections.take_place(address(2)).await.unwrap(),
            connections.take_place(address(3)).await.unwrap(),
        ];
        let counted = || {
            let open = connections.open();
            (open.count, open.giving_way)
        };
        let mut waits = pin!(connections.take_place(address(4)));
        assert!(tokio::time::timeout(SECOND, &mut waits).await.is_err());
        // One is enough for one that waits, however long that lasts.
        assert!(ends_within(&first, &limits, SECOND).await);
        assert!(!ends_within(&second, &limits, SECOND).await);
        assert!(tokio::time::timeout(SECOND, &mut waits).await.is_err());
        assert_eq!(counted(), (4, 1));
        drop(first);
        let third = tokio::time::timeout(SECOND, waits).await.unwrap().unwrap();
        assert_eq!(counted(), (4, 0));
        drop((second, others, third));
        assert_eq!(connections.open().count, 0);
    }

    /// Else one that connects faster than others are ended takes all places, and keeps all others waiting.
    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn those_of_one_network_that_give_way_leave_room_for_others() {
        let connections = Connections::new(&limits(16), TrustedProxies::default());
        let mut places = Vec::new();
        // Nobody ends those that are told to: the server has no time.
        for number in 0..100 {
            let place = connections.take_place(address(1)).await;
            assert_eq!(place.is_some(), number < 10, "{number}");
            places.extend(place);
        }
        let other = tokio::time::timeout(SECOND, connections.take_place(address(2))).await;
        assert!(other.unwrap().is_some());
        drop(places);
        assert_eq!(connections.open().of.len(), 0);
        assert_eq!(connections.open().giving_way, 0);
    }

    /// Found by hand: two addresses held all places with requests that waited for their turn, for which
    /// the server counted as at work, and an append from elsewhere waited for six seconds.
    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_few_networks_that_hold_all_they_can_leave_room_for_others() {
        let connections = Connections::new(&limits(4096), TrustedProxies::default());
        let mut places: Vec<Place> = Vec::new();
        for last in 1..=8 {
            let before = places.len();
            while let Some(place) = connections.take_place(address(last)).await {
                place.connection.enter(Phase::Answer);
                places.push(place);
            }
            assert_eq!(places.len() - before, 4096 >> last, "{last}");
        }
        let other = tokio::time::timeout(SECOND, connections.take_place(address(9))).await;
        assert!(other.unwrap().is_some());
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn some_give_way_before_all_places_are_taken() {
        let connections = Connections::new(&limits(64), TrustedProxies::default());
        let mut places = Vec::new();
        for last in 1..=60 {
            places.extend(connections.take_place(address(last)).await);
        }
        assert_eq!((places.len(), connections.open().giving_way), (60, 0));
        for last in 61..=64 {
            places.extend(connections.take_place(address(last)).await);
            assert_eq!(connections.open().giving_way, usize::from(last) - 60);
        }
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn clients_of_a_proxy_are_not_counted_by_its_address() {
        let limits = limits(4);
        let proxies = TrustedProxies::new([address(1)]);
        let connections = Connections::new(&limits, proxies);
        let mut places = Vec::new();
        for _ in 0..4 {
            let place = connections.take_place(address(1)).await.unwrap();
            place.connection.enter(Phase::Answer);
            places.push(place);
        }
        assert_eq!(connections.open().count, 4);
    }
}
