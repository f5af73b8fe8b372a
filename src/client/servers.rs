//! The servers of a log, of which one leads at a time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The addresses of a log's servers: one at least.
#[derive(Debug)]
pub(super) struct Servers {
    pub addresses: Vec<Address>,
    /// The one that is asked: that which answered last, until it does not.
    current: AtomicUsize,
    /// What is asked if no address was given at all, which is refused before.
    none: Address,
}

/// One server's address.
#[derive(Debug, Default)]
pub(super) struct Address {
    base: String,
    /// Whether this server ever answered. A name that never resolved is a wrong name; one that did
    /// may fail to for a while.
    pub reached: AtomicBool,
}

impl Servers {
    /// Servers at addresses with commas between.
    pub(super) fn at(addresses: &str) -> Self {
        let addresses = addresses.split(',').map(|base| Address {
            base: base.trim().trim_end_matches('/').to_owned(),
            reached: AtomicBool::new(false),
        });
        Self {
            addresses: addresses.collect(),
            current: AtomicUsize::new(0),
            none: Address::default(),
        }
    }

    pub(super) fn first(&self) -> &str {
        self.addresses.first().map_or("", |address| &address.base)
    }

    pub(super) fn are_several(&self) -> bool {
        self.addresses.len() > 1
    }

    pub(super) fn bases(&self) -> impl Iterator<Item = &str> {
        self.addresses.iter().map(|address| address.base.as_str())
    }

    /// The server that is asked now.
    pub(super) fn current(&self) -> &Address {
        let current = self.current.load(Ordering::Relaxed);
        let place = current.checked_rem(self.addresses.len());
        place
            .and_then(|place| self.addresses.get(place))
            .unwrap_or(&self.none)
    }

    /// Asks the next one from now on.
    pub(super) fn turn(&self) {
        self.current.fetch_add(1, Ordering::Relaxed);
    }
}

impl Address {
    /// What is named by the first server's URL, at this server.
    pub(super) fn named(&self, url: &str, first: &str) -> String {
        match url.strip_prefix(first) {
            Some(path) => format!("{}{path}", self.base),
            None => url.to_owned(),
        }
    }
}

/// How far a request has come on its way from server to server.
pub(super) struct Round {
    servers: usize,
    /// Servers that were asked since the round began.
    asked: usize,
    /// Servers in a row of which asking again can't help.
    hopeless: usize,
}

impl Round {
    pub(super) fn begin(servers: usize) -> Self {
        Self {
            servers,
            asked: 0,
            hopeless: 0,
        }
    }

    /// Takes note that a server may answer later.
    pub(super) fn has_hope(&mut self) {
        self.hopeless = 0;
    }

    /// Takes note that asking this server again can't help; whether that is so of all.
    pub(super) fn is_hopeless(&mut self) -> bool {
        self.hopeless += 1;
        self.hopeless >= self.servers
    }

    /// Takes note that a server gave no answer; whether all were asked.
    pub(super) fn is_over(&mut self) -> bool {
        self.asked = (self.asked + 1) % self.servers.max(1);
        self.asked == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_does_not_answer_is_asked_of_the_next_in_turn() {
        let servers = Servers::at("http://a/,http://b");
        let url = || servers.current().named("http://a/v1/records", "http://a");
        assert_eq!(url(), "http://a/v1/records");
        servers.turn();
        assert_eq!(url(), "http://b/v1/records");
        servers.turn();
        assert_eq!(url(), "http://a/v1/records");
    }

    #[test]
    fn a_pause_comes_when_all_were_asked_and_an_end_when_none_can_help() {
        let mut round = Round::begin(2);
        assert_eq!([round.is_over(), round.is_over()], [false, true]);
        assert!(!round.is_hopeless());
        round.has_hope();
        assert!(!round.is_hopeless() && round.is_hopeless());
        let mut alone = Round::begin(1);
        assert!(alone.is_over() && alone.is_hopeless());
    }
}
