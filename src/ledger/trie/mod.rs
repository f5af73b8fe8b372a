//! The state, proven: ordered maps that are canonical compact binary Merkle sum tries over SHA-256.
//!
//! Each domain of the state is a map of its own, kept once: the map that the rules look into is the
//! trie, ordered by path. Its root follows from the set of its items alone, never from the order in
//! which they came or from how memory is laid out. The state root is over the roots of all domains.
//!
//! - [`Path`], [`Node`], [`Leaf`]: places, hashes and sums. A node's hash covers both children's sums
//!   and numbers of leaves apart, so no sum can be moved between them.
//! - [`TrieMap`]: the map. Pages of items are copied on write, so an image costs a pointer, and
//!   another thread makes its root while the map changes. Nodes that were hashed stay with the
//!   pages that images share: a root costs only what changed since the one before.
//! - [`TrieProof`]: what stands at a path, or that nothing does, for a reader who holds only a root.
//!   [`TrieProof::verify_neighbours`]: that nothing is between two paths.
//! - [`DomainRoots`], [`StateProof`], [`NeighboursProof`], [`HeadProof`]: the same for a state root over sixteen domains.
//! - [`AnyMap`], [`MapImage`]: images, saving in parts and loading without a map's types.
//!
//! In memory, up to 128 items lie together in a page, in groups of up to 8 whose leaves are hashed
//! again when one changes. A page keeps 56 bytes for each group and for each branch above groups; pages
//! of up to 31 pages keep the same for each of those. Where a path goes within a page is told by one
//! byte a branch. Keys that are dense in one corner fill their pages; random ones fill them by some
//! two thirds. No page is merged again with what is beside it before it is empty.
//!
//! What is far in memory is waited for longer than it is worked on: [`TrieMap::fetch`] and the hashing of
//! what changed read ahead for many keys at once.
//!
//! Everything here is pure: no disk, no clock, no threads of its own.

mod branches;
mod image;
mod leaf_page;
mod map;
mod memo;
mod message;
mod neighbours;
mod node;
mod page;
mod path;
mod proof;
mod range;
mod state_neighbours;
mod state_root;
#[cfg(test)]
mod tests;

pub use image::{AnyMap, BucketError, BucketImage, Buckets, MapImage};
pub use map::{Key, TrieMap, Value};
pub use node::{DOMAINS, Domain, Leaf, Node, TrieError, VALUE_BYTES_MAX};
pub use path::{PATH_BITS, PATH_BYTES, Path};
pub use proof::{ProofError, TRIE_PROOF_BYTES_MAX, TrieProof};
pub use range::Range;
pub use state_neighbours::NeighboursProof;
pub use state_root::{DomainRoots, HeadProof, STATE_PROOF_BYTES_MAX, StateProof};
