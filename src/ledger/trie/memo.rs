//! Nodes that were hashed, kept beside the part of the trie that they are of, by whichever thread needs
//! them first.

use std::sync::atomic::{AtomicU64, Ordering};

use super::node::Node;
use crate::merkle::{HASH_BYTES, Hash};

/// Most nodes that a list has places for: one bit each says whether the node is kept.
pub(super) const MEMOS_MAX: usize = 63;

/// Places for the nodes of an immutable part of a trie.
///
/// Parts are shared between images, so a thread that makes a root fills this while others read it. A
/// `OnceLock` for each node would do that too, but takes 8 bytes more, and costs as much as a short hash
/// to copy; a page has dozens. Each thread that fills a place writes the same words, for they follow
/// from the part: two that do it at once don't disturb each other.
pub(super) struct Memos {
    /// Bit `i` says that the node at place `i` is kept. It is set after the node's words were written:
    /// a thread that reads the bit reads those words.
    kept: AtomicU64,
    nodes: Vec<Words>,
}

/// Hash, a, b, n.
type Words = [AtomicU64; HASH_BYTES / 8 + 3];

impl Memos {
    /// One place, empty.
    pub(super) fn one() -> Self {
        Self {
            kept: AtomicU64::new(0),
            nodes: vec![Words::default()],
        }
    }

    /// Whether the node at a place is kept.
    pub(super) fn is_kept(&self, place: usize) -> bool {
        self.kept.load(Ordering::Acquire) & bit(place) != 0
    }

    /// The node at a place, if it is kept.
    pub(super) fn get(&self, place: usize) -> Option<Node> {
        if !self.is_kept(place) {
            return None;
        }
        let [words @ .., a, b, n] = self.nodes.get(place)?;
        let mut hash = [0; HASH_BYTES];
        let (places, _) = hash.as_chunks_mut::<8>();
        for (place, word) in places.iter_mut().zip(words) {
            *place = word.load(Ordering::Relaxed).to_ne_bytes();
        }
        Some(Node {
            hash: Hash::from_bytes(hash),
            a: a.load(Ordering::Relaxed),
            b: b.load(Ordering::Relaxed),
            n: n.load(Ordering::Relaxed),
        })
    }

    /// Keeps a node at a place.
    pub(super) fn set(&self, place: usize, node: &Node) {
        let Some([places @ .., a, b, n]) = self.nodes.get(place) else {
            return;
        };
        let (words, _) = node.hash.as_bytes().as_chunks::<8>();
        for (place, word) in places.iter().zip(words) {
            place.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        }
        a.store(node.a, Ordering::Relaxed);
        b.store(node.b, Ordering::Relaxed);
        n.store(node.n, Ordering::Relaxed);
        self.kept.fetch_or(bit(place), Ordering::Release);
    }

    /// Forgets the node at a place: the part changed.
    pub(super) fn clear(&mut self, place: usize) {
        self.clear_all(bit(place));
    }

    /// Forgets the nodes at all places whose bits are set.
    pub(super) fn clear_all(&mut self, bits: u64) {
        *self.kept.get_mut() &= !bits;
    }

    /// Puts two empty places before the one at this place.
    pub(super) fn insert_two(&mut self, place: usize) {
        let kept = self.kept.get_mut();
        let before = *kept & below(place);
        *kept = before | (*kept & !below(place)) << 2;
        self.nodes.reserve_exact(2);
        self.nodes.insert(place, Words::default());
        self.nodes.insert(place, Words::default());
    }

    /// Takes out a place and the one behind it.
    pub(super) fn remove_two(&mut self, place: usize) {
        let kept = self.kept.get_mut();
        let before = *kept & below(place);
        *kept = before | *kept >> 2 & !below(place);
        self.nodes.drain(place..place + 2);
    }

    /// Takes out the places from one on; drops the last of those that stay.
    pub(super) fn split_off(&mut self, place: usize) -> Self {
        let kept = *self.kept.get_mut();
        let nodes = self.nodes.split_off(place);
        self.nodes.truncate(place - 1);
        self.nodes.shrink_to_fit();
        *self.kept.get_mut() = kept & below(place - 1);
        Self {
            kept: AtomicU64::new(kept >> place),
            nodes,
        }
    }
}

/// What is kept is kept in the copy too.
impl Clone for Memos {
    fn clone(&self) -> Self {
        // Read first: what another thread keeps from now on is not in the copy.
        let kept = AtomicU64::new(self.kept.load(Ordering::Acquire));
        let copy = |word: &AtomicU64| AtomicU64::new(word.load(Ordering::Relaxed));
        let nodes = self.nodes.iter().map(|words| words.each_ref().map(copy));
        Self {
            kept,
            nodes: nodes.collect(),
        }
    }
}

#[cfg(test)]
impl Memos {
    /// Number of places.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }
}

pub(super) fn bit(place: usize) -> u64 {
    1 << place
}

/// The bits of all places before this one.
fn below(place: usize) -> u64 {
    bit(place) - 1
}
