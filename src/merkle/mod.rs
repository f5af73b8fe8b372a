//! The Merkle tree of RFC 6962, its proofs, and the tiles of [c2sp.org/tlog-tiles].
//!
//! Pure bytes and hashes: nothing here knows what a leaf says, where a tile is kept, or who signs
//! a root. Sizes and indexes are plain `u64`, as in the standards; every function is total.
//!
//! [c2sp.org/tlog-tiles]: https://c2sp.org/tlog-tiles

mod bundle;
mod hash;
mod joint;
mod kept;
mod proof;
mod tile;
mod tree;

pub use bundle::{Bundle, BundleError, ENTRY_BYTES_MAX};
pub use hash::{HASH_BYTES, Hash, HashTextError, leaf_hash, node_hash};
pub use joint::{joint_ranges, verify_joint};
pub use kept::KeptTree;
pub use proof::{
    PROOF_HASHES_MAX, ProofError, consistency_ranges, inclusion_ranges, verify_consistency,
    verify_inclusion,
};
pub use tile::{
    HashTile, Level, NodeTile, TILE_HASHES, TILE_HEIGHT, TILE_LEVEL_MAX, TileError, TileId,
    TilePathError,
};
pub use tree::{Frontier, Node, fold_nodes, range_nodes, root_of};
