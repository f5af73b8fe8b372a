//! Beginning at the newest floor: what a process must know of packs to serve them, without reading them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::chain::Chain;
use super::floor::Floor;
use super::pack::{Pack, PackShape};
use super::packed_tiles::PackedTiles;
use crate::merkle::{Bundle, Frontier, Hash, leaf_hash};
use crate::store::StoreError;
use crate::store::tail::Tail;

/// Packs whose roots are read at once.
const AT_ONCE: usize = 16;

/// The tail and the tree of a floor: whole packs by their roots, each of which takes one small request, and
/// what is behind them from the pack that the floor ends in. The tree is held against the floor's own.
pub(super) async fn begin_at(
    floor: &Floor,
    chain: &Chain,
    packs: &Arc<PackedTiles>,
    shape: PackShape,
) -> Result<(Tail, Frontier), StoreError> {
    let size = floor.head.tree.size;
    let whole = shape.whole_packs(size);
    let mut roots: Vec<Hash> = Vec::new();
    let mut asked = VecDeque::new();
    let mut numbers = 0..whole;
    loop {
        while asked.len() < AT_ONCE
            && let Some(number) = numbers.next()
        {
            let packs = Arc::clone(packs);
            asked.push_back(tokio::spawn(async move { packs.root_of(number).await }));
        }
        let Some(root) = asked.pop_front() else {
            break;
        };
        let stopped = |error: tokio::task::JoinError| StoreError::Stopped(error.to_string());
        roots.push(root.await.map_err(stopped)??);
    }
    let mut tree = Frontier::default();
    roots.iter().for_each(|root| tree.push(*root));
    let first = whole * shape.entries();
    // Subtrees over whole packs are those over their roots.
    let tree = Frontier::from_peaks(first, tree.peaks().to_vec());
    let mut tree = tree.ok_or(StoreError::Inconsistent(
        "a tree has another number of peaks",
    ))?;
    let tiles = |level| shape.tiles(level);
    let mut tail = Tail::behind_packs(&roots, shape.levels(), tiles);
    if first < size {
        let pack = Pack::read(chain, whole, shape).await?;
        let entries = pack.entries(first..size).unwrap_or_default();
        let bundle = Bundle::parse_all(entries).map_err(|_| StoreError::Contradiction)?;
        for entry in bundle.entries() {
            let leaf = leaf_hash(entry);
            tail.push(entry, leaf)?;
            tree.push(leaf);
        }
    }
    Ok((tail, tree))
}
