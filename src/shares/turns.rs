//! Queues that are served in turn: one for each key.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// A queue for each key. The keys are served in turn, so that none waits for all that another has.
pub(crate) struct Turns<K, T> {
    /// Each key's items, oldest first. None of the queues is empty.
    lanes: HashMap<K, VecDeque<T>>,
    /// The keys that have a queue, the next to be served first.
    order: VecDeque<K>,
    /// Items in all queues.
    len: usize,
}

impl<K, T> Default for Turns<K, T> {
    fn default() -> Self {
        Self {
            lanes: HashMap::new(),
            order: VecDeque::new(),
            len: 0,
        }
    }
}

impl<K: Copy + Eq + Hash, T> Turns<K, T> {
    /// Items of all keys.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether no key has an item.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Keys that have items.
    pub(crate) fn keys(&self) -> usize {
        self.order.len()
    }

    /// Whether this is so of any key that has items.
    pub(crate) fn any_key(&self, is_so: impl FnMut(&K) -> bool) -> bool {
        self.order.iter().any(is_so)
    }

    /// Items of one key.
    pub(crate) fn len_of(&self, key: &K) -> usize {
        self.lanes.get(key).map_or(0, VecDeque::len)
    }

    /// Puts an item last in its key's queue.
    pub(crate) fn push(&mut self, key: K, item: T) {
        let lane = self.lanes.entry(key).or_default();
        if lane.is_empty() {
            self.order.push_back(key);
        }
        lane.push_back(item);
        self.len += 1;
    }

    /// The item that is served next, and its key.
    pub(crate) fn front(&self) -> Option<(&K, &T)> {
        let key = self.order.front()?;
        Some((key, self.lanes.get(key)?.front()?))
    }

    /// Takes the item that is served next. Its key is the last to be served again.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let key = self.order.pop_front()?;
        let lane = self.lanes.get_mut(&key)?;
        let item = lane.pop_front()?;
        self.len -= 1;
        if lane.is_empty() {
            self.lanes.remove(&key);
        } else {
            self.order.push_back(key);
        }
        Some(item)
    }

    /// Lets the key that is served next wait for another turn.
    pub(crate) fn skip(&mut self) {
        if let Some(key) = self.order.pop_front() {
            self.order.push_back(key);
        }
    }

    /// Drops the items of a key that are not to be kept.
    pub(crate) fn retain(&mut self, key: &K, keep: impl FnMut(&T) -> bool) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let before = lane.len();
        lane.retain(keep);
        self.len -= before - lane.len();
        if lane.is_empty() {
            self.lanes.remove(key);
            self.order.retain(|other| other != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_served_in_turn_however_much_one_has() {
        let mut turns = Turns::default();
        for item in 0..3 {
            turns.push('a', ('a', item));
        }
        turns.push('b', ('b', 0));
        turns.push('c', ('c', 0));
        let served: Vec<_> = std::iter::from_fn(|| turns.pop()).collect();
        let right = [('a', 0), ('b', 0), ('c', 0), ('a', 1), ('a', 2)];
        assert_eq!(served, right);
        assert!(turns.is_empty() && turns.keys() == 0);
    }

    #[test]
    fn what_is_dropped_leaves_no_turn_behind() {
        let mut turns = Turns::default();
        turns.push('a', 1);
        turns.push('b', 2);
        turns.push('a', 3);
        turns.retain(&'a', |item| *item == 3);
        assert_eq!((turns.len(), turns.len_of(&'a')), (2, 1));
        turns.retain(&'a', |_| false);
        assert_eq!(turns.front(), Some((&'b', &2)));
        turns.skip();
        assert_eq!(turns.pop(), Some(2));
        assert_eq!(turns.pop(), None);
    }
}
