//! Deleting commits that are in packs, under a role of its own: what serves deletes nothing.

use super::chain::Chain;
use super::commit::{Commit, Content, PREFACE_BYTES, is_fence};
use super::pack::{Pack, PackShape};
use super::static_tiles::{is_outgrown, read_written};
use super::{names, states};
use crate::store::{Batch, StoreError};

/// Names that are listed at once.
const NAMES_AT_ONCE: usize = 1000;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Commits that were deleted.
    pub deleted: u64,
    /// Fences that were found, and stay.
    pub fences: u64,
    /// Objects of saved states that were deleted.
    pub states: u64,
    /// Partial tiles that were deleted.
    pub tiles: u64,
}

/// Deletes states that were saved before the last two.
///
/// # Errors
/// [`StoreError`].
pub async fn sweep_states(chain: &Chain) -> Result<u64, StoreError> {
    states::sweep_states(&**chain.blobs(), chain.patience()).await
}

/// Deletes partial tiles whose full ones are there. It lists all tiles.
///
/// # Errors
/// [`StoreError`].
pub async fn sweep_tiles(chain: &Chain) -> Result<u64, StoreError> {
    let (blobs, patience) = (&**chain.blobs(), chain.patience());
    // Read before any tile is listed.
    let written = read_written(blobs, patience).await?;
    let (mut after, mut deleted) = (String::new(), 0);
    loop {
        let ask = || blobs.list_after(names::TILES, &after, NAMES_AT_ONCE);
        let found = patience.ask(names::TILES, ask).await?;
        let Some(last) = found.last() else {
            return Ok(deleted);
        };
        after = last.clone();
        for name in found.iter().filter(|name| is_outgrown(name, written)) {
            patience.ask(name, || blobs.delete(name)).await?;
            deleted += 1;
        }
    }
}

/// Deletes the commits below the newest floor, each after its entries were found in packs, byte by
/// byte. Fences stay for ever: one that is gone would let a late commit land in its place. A chain
/// that was just opened names the log.
///
/// Several may run at once. A crash leaves some of the commits, which the next sweep deletes.
///
/// # Errors
/// [`StoreError`]; [`StoreError::DamagedObject`] when a commit is not in packs as it is in the
/// chain. It is not deleted then, and nothing behind it is.
pub async fn sweep(chain: &Chain, shape: PackShape) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    // Read before any commit is listed: what is deleted is below a floor that exists.
    let Some(floor) = chain.newest_floor_above(0).await? else {
        return Ok(swept);
    };
    let (blobs, patience) = (&**chain.blobs(), chain.patience());
    let damaged = |name: &str, what: &str| chain.damaged(name, what);
    let mut packs = Packs {
        chain,
        shape,
        newest: None,
    };
    let mut after = String::new();
    loop {
        let ask = || blobs.list_after(names::COMMITS, &after, NAMES_AT_ONCE);
        let found = patience.ask(names::COMMITS, ask).await?;
        let Some(last) = found.last() else {
            return Ok(swept);
        };
        after = last.clone();
        for name in found {
            let seq = names::number_in(names::COMMITS, &name)
                .ok_or_else(|| damaged(&name, "its name is no commit's"))?;
            if seq >= floor.seq {
                return Ok(swept);
            }
            // Most of what an earlier sweep left is fences: a few bytes of each do.
            let preface = || blobs.get(&name, Some(0..PREFACE_BYTES));
            match patience.ask(&name, preface).await? {
                // Another sweep deleted it.
                None => continue,
                Some(preface) => {
                    if is_fence(&preface).map_err(|what| damaged(&name, what))? {
                        swept.fences += 1;
                        continue;
                    }
                }
            }
            let Some(bytes) = patience.ask(&name, || blobs.get(&name, None)).await? else {
                continue;
            };
            let commit = Commit::decode(&bytes).map_err(|what| damaged(&name, what))?;
            let Content::Batch(batch) = commit.content else {
                // Another sweep deleted the commit, and a fence came late: void, and in nobody's way.
                swept.fences += 1;
                continue;
            };
            if !packs.have(&batch).await? {
                return Err(damaged(
                    &name,
                    "its entries are not those in the packs below the floor",
                ));
            }
            // If a late fence comes in between, it is void, and may go as well: what must stay are the
            // fences of places that never had a commit.
            patience.ask(&name, || blobs.delete(&name)).await?;
            swept.deleted += 1;
        }
    }
}

/// The packs of a log, of which the one that was read last is kept.
struct Packs<'a> {
    chain: &'a Chain,
    shape: PackShape,
    newest: Option<Pack>,
}

impl Packs<'_> {
    /// Whether packs have a batch's entries, at their indexes.
    async fn have(&mut self, batch: &Batch) -> Result<bool, StoreError> {
        let mut packed = Vec::with_capacity(batch.entries.len());
        let (mut at, end) = (batch.from.tree.size, batch.to.tree.size);
        while at < end {
            let number = at / self.shape.entries();
            let border = end.min((number + 1) * self.shape.entries());
            let Some(entries) = self.pack(number).await?.entries(at..border) else {
                return Ok(false);
            };
            packed.extend_from_slice(entries);
            at = border;
        }
        Ok(packed == batch.entries)
    }

    async fn pack(&mut self, number: u64) -> Result<&Pack, StoreError> {
        let pack = match self.newest.take() {
            Some(pack) if pack.number() == number => pack,
            _ => Pack::read(self.chain, number, self.shape).await?,
        };
        Ok(self.newest.insert(pack))
    }
}
