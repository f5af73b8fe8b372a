//! Hashes and sums of the trie's leaves and nodes.
//!
//! ```text
//! leaf(domain, path, value) = H(0x00 ‖ domain u8 ‖ path[32] ‖ value)
//! node(L, R)  = H(0x01 ‖ L.hash ‖ L.a ‖ L.b ‖ L.n ‖ R.hash ‖ R.a ‖ R.b ‖ R.n)
//! empty       = 32 zero bytes, sums 0;  a lone leaf stands as high as it can
//! ```

use super::message::{Message, blocks};
use super::path::{PATH_BYTES, Path};
use crate::merkle::{HASH_BYTES, Hash};

/// The longest value of a leaf. What is longer stands in the trie by a hash of it.
pub const VALUE_BYTES_MAX: usize = 128;
/// Number of domains.
pub const DOMAINS: usize = 16;

/// Bytes of a node where its parent's hash covers it: hash, two sums, number of leaves.
pub(super) const NODE_BYTES: usize = HASH_BYTES + 3 * 8;

const LEAF_TAG: u8 = 0x00;
const NODE_TAG: u8 = 0x01;
const LEAF_BLOCKS: usize = blocks(2 + PATH_BYTES + VALUE_BYTES_MAX);
const NODE_BLOCKS: usize = blocks(1 + 2 * NODE_BYTES);

/// Why a trie has no root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrieError {
    /// A sum over leaves does not fit `u64`.
    #[error("a sum over the leaves of the trie does not fit 64 bits")]
    SumOverflow,
    /// A leaf's value is longer than [`VALUE_BYTES_MAX`].
    #[error(
        "a leaf's value has {found} bytes, but at most {VALUE_BYTES_MAX} are allowed: put a hash of it in its place"
    )]
    ValueTooLong {
        /// Bytes of the value.
        found: usize,
    },
}

/// The number of a domain: each has a trie of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Domain(u8);

impl Domain {
    /// The domain with this number; `None` if it is not below [`DOMAINS`].
    pub const fn new(number: u8) -> Option<Self> {
        if (number as usize) < DOMAINS {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The domain with this number, which is below [`DOMAINS`] or does not compile.
    pub const fn numbered<const NUMBER: u8>() -> Self {
        const {
            assert!((NUMBER as usize) < DOMAINS, "there are sixteen domains");
        }
        Self(NUMBER)
    }

    /// The number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// What a leaf holds: its value, and what it adds to the sums over the trie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// What the leaf adds to the first sum.
    pub a: u64,
    /// What the leaf adds to the second sum.
    pub b: u64,
    /// The value's bytes; zeros behind them.
    value: [u8; VALUE_BYTES_MAX],
    /// Number of the value's bytes.
    value_len: u8,
}

impl Leaf {
    /// A leaf with this value, which adds `a` and `b` to the sums.
    ///
    /// # Errors
    /// [`TrieError::ValueTooLong`].
    #[inline]
    pub fn new(a: u64, b: u64, value: &[u8]) -> Result<Self, TrieError> {
        let found = value.len();
        let mut leaf = Self {
            a,
            b,
            value: [0; VALUE_BYTES_MAX],
            value_len: u8::try_from(found).map_err(|_| TrieError::ValueTooLong { found })?,
        };
        let start = leaf.value.get_mut(..found);
        start
            .ok_or(TrieError::ValueTooLong { found })?
            .copy_from_slice(value);
        Ok(leaf)
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> &[u8] {
        let len = usize::from(self.value_len);
        self.value.get(..len).unwrap_or(&self.value)
    }
}

/// What a parent knows of a subtree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Node {
    /// The hash: that of the leaf, if there is one alone.
    pub hash: Hash,
    /// The first sum over the subtree's leaves.
    pub a: u64,
    /// The second sum over the subtree's leaves.
    pub b: u64,
    /// Number of the subtree's leaves.
    pub n: u64,
}

impl Node {
    /// A subtree without leaves.
    pub const EMPTY: Self = Self {
        hash: Hash::from_bytes([0; HASH_BYTES]),
        a: 0,
        b: 0,
        n: 0,
    };

    /// A subtree of one leaf.
    #[inline]
    pub fn of_leaf(domain: Domain, path: &Path, leaf: &Leaf) -> Self {
        let value = leaf.value();
        let mut message = Message::<LEAF_BLOCKS>::new();
        message.push(&[LEAF_TAG, domain.0]);
        message.push(path.as_bytes());
        message.push(value);
        Self {
            hash: message.hash(),
            a: leaf.a,
            b: leaf.b,
            n: 1,
        }
    }

    /// The subtree over two. A leaf that is alone in both stands in their parent's place.
    ///
    /// # Errors
    /// [`TrieError::SumOverflow`].
    #[inline]
    pub fn join(left: &Self, right: &Self) -> Result<Self, TrieError> {
        match (left.n, right.n) {
            (0, 0 | 1) => return Ok(*right),
            (1, 0) => return Ok(*left),
            _ => {}
        }
        let add = |l: u64, r: u64| l.checked_add(r).ok_or(TrieError::SumOverflow);
        let (a, b, n) = (
            add(left.a, right.a)?,
            add(left.b, right.b)?,
            add(left.n, right.n)?,
        );
        let mut message = Message::<NODE_BLOCKS>::new();
        message.push(&[NODE_TAG]);
        message.push(&left.to_bytes());
        message.push(&right.to_bytes());
        Ok(Self {
            hash: message.hash(),
            a,
            b,
            n,
        })
    }

    /// The subtree that this one, at depth `from` on a path, makes at depth `to` above, where all
    /// beside it is empty.
    #[inline]
    pub(super) fn raised(self, path: &Path, from: usize, to: usize) -> Result<Self, TrieError> {
        let mut node = self;
        if node.n < 2 {
            return Ok(node);
        }
        for depth in (to..from).rev() {
            node = if path.bit(depth) {
                Self::join(&Self::EMPTY, &node)?
            } else {
                Self::join(&node, &Self::EMPTY)?
            };
        }
        Ok(node)
    }

    /// Hash, a, b, n: as the parent's hash and proofs have them.
    #[inline]
    pub(super) fn to_bytes(self) -> [u8; NODE_BYTES] {
        let mut bytes = [0; NODE_BYTES];
        let (hash, sums) = bytes.split_at_mut(HASH_BYTES);
        hash.copy_from_slice(self.hash.as_bytes());
        let (sums, _) = sums.as_chunks_mut::<8>();
        for (place, sum) in sums.iter_mut().zip([self.a, self.b, self.n]) {
            *place = sum.to_be_bytes();
        }
        bytes
    }
}
