//! Short messages, hashed with SHA-256.

use sha2::block_api::compress256;

use crate::merkle::{HASH_BYTES, Hash};

const BLOCK_BYTES: usize = 64;
/// A bit behind the message, and its length in bits.
const PADDING_BYTES_MIN: usize = 1 + 8;
/// The state that SHA-256 begins with (FIPS 180-4, section 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Blocks that a message of this length fills.
pub(super) const fn blocks(len: usize) -> usize {
    (len + PADDING_BYTES_MIN).div_ceil(BLOCK_BYTES)
}

/// A message of few blocks. It is padded where it stands and goes to the compression function as it is:
/// a `Sha256` copies it into a buffer of its own first, which takes a third as long as the hash.
pub(super) struct Message<const BLOCKS: usize> {
    bytes: [[u8; BLOCK_BYTES]; BLOCKS],
    len: usize,
}

impl<const BLOCKS: usize> Message<BLOCKS> {
    #[inline]
    pub(super) fn new() -> Self {
        Self {
            bytes: [[0; BLOCK_BYTES]; BLOCKS],
            len: 0,
        }
    }

    /// Puts bytes behind those that are there. The blocks are enough for them: the type says how many
    /// the longest message fills.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let (_, rest) = self.bytes.as_flattened_mut().split_at_mut(self.len);
        let (place, _) = rest.split_at_mut(bytes.len());
        place.copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// The hash of the message.
    #[inline]
    pub(super) fn hash(mut self) -> Hash {
        let bits = 8 * self.len as u64;
        let used = blocks(self.len);
        self.push(&[0x80]);
        let (used, _) = self.bytes.split_at_mut(used);
        if let Some(length) = used.as_flattened_mut().last_chunk_mut() {
            *length = bits.to_be_bytes();
        }
        let mut state = INITIAL;
        compress256(&mut state, used);
        let mut hash = [0; HASH_BYTES];
        let (places, _) = hash.as_chunks_mut();
        for (place, word) in places.iter_mut().zip(state) {
            *place = word.to_be_bytes();
        }
        Hash::from_bytes(hash)
    }
}
