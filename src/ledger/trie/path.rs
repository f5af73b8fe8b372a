//! Paths: where a leaf stands in the trie.

use std::cmp::Ordering;
use std::fmt;

use bincode::{Decode, Encode};

/// Bytes of a path.
pub const PATH_BYTES: usize = 32;
/// Bits of a path: no leaf stands deeper than this.
pub const PATH_BITS: usize = 8 * PATH_BYTES;

/// The place of a leaf. Its bits, the most significant of each byte first, say left (0) or right (1)
/// at depths 0, 1, 2 and so on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Path([u8; PATH_BYTES]);

impl Path {
    /// Takes bytes that are a path already, as a hash is.
    pub const fn from_bytes(bytes: [u8; PATH_BYTES]) -> Self {
        Self(bytes)
    }

    /// The path of a short key: its bytes, and zeros behind them. Paths of keys of the same length
    /// sort as the keys' bytes do.
    pub const fn left_aligned<const N: usize>(key: [u8; N]) -> Self {
        const {
            assert!(N <= PATH_BYTES, "the key is longer than a path");
        }
        let mut bytes = [0; PATH_BYTES];
        let (start, _) = bytes.split_at_mut(N);
        start.copy_from_slice(&key);
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; PATH_BYTES] {
        &self.0
    }

    /// Whether the path goes right at a depth. Below its last bit it goes left.
    #[inline]
    pub(super) fn bit(&self, depth: usize) -> bool {
        let byte = self.0.get(depth / 8);
        byte.is_some_and(|byte| byte >> (7 - depth % 8) & 1 == 1)
    }

    /// Number of bits that two paths begin with alike: 256 for equal ones. Of different ones, it is
    /// the depth at which they part.
    #[inline]
    pub(super) fn shared_bits(&self, other: &Self) -> usize {
        let words = self.words().into_iter().zip(other.words());
        for (at, (our, their)) in words.enumerate() {
            if our != their {
                return 64 * at + (our ^ their).leading_zeros() as usize;
            }
        }
        PATH_BITS
    }

    #[inline]
    fn words(&self) -> [u64; PATH_BYTES / 8] {
        let (words, _) = self.0.as_chunks::<8>();
        std::array::from_fn(|at| words.get(at).map_or(0, |word| u64::from_be_bytes(*word)))
    }
}

/// In the order of the bytes. Word by word: it is compared at every look-up.
impl Ord for Path {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.words().cmp(&other.words())
    }
}

impl PartialOrd for Path {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Shown in hexadecimal.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}
