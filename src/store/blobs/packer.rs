//! Behind the commits: packs, and the floors that say how far they reach.

use std::collections::VecDeque;

use super::chain::{Chain, Step};
use super::floor::Floor;
use super::names;
use super::pack::{PackBuilder, PackShape};
use super::settle::{Settled, settle};
use crate::merkle::{Bundle, Frontier, leaf_hash};
use crate::store::{Batch, Bytes, StoreError};

/// Packs what was committed, by reading the chain from the newest floor on. What it makes depends on
/// the chain alone, so any number of them may run, anywhere.
#[derive(Debug)]
pub struct Packer {
    chain: Chain,
    shape: PackShape,
    building: PackBuilder,
    /// What is to be created next, in this order: a floor after the packs that it stands on.
    pending: VecDeque<(String, Bytes)>,
}

/// What a packer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// It created a pack or a floor, or found that another packer had.
    Created,
    /// It read further in the chain.
    Read,
    /// There is nothing to pack so far.
    UpToDate,
}

impl Packer {
    /// Begins at the newest floor of a chain that was just opened.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(mut chain: Chain, shape: PackShape) -> Result<Self, StoreError> {
        let packs = match chain.newest_floor_above(0).await? {
            Some(floor) => {
                chain.jump(&floor, floor.tree.clone())?;
                floor.packs
            }
            None => 0,
        };
        Ok(Self {
            chain,
            shape,
            building: PackBuilder::begin(packs, shape),
            pending: VecDeque::new(),
        })
    }

    /// Does the next thing. After an error the same is tried again by the next call.
    ///
    /// A crash leaves packs without a floor, which the next packer finds with the very bytes that it
    /// would create; never a floor without its packs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn step(&mut self) -> Result<Packing, StoreError> {
        if let Some((name, bytes)) = self.pending.front() {
            let blobs = &**self.chain.blobs();
            match settle(blobs, name, bytes, self.chain.patience()).await? {
                Settled::Ours => {}
                Settled::Others(_) => {
                    let what = "it is another than the chain's entries make";
                    return Err(self.chain.damaged(name, what));
                }
            }
            self.pending.pop_front();
            return Ok(Packing::Created);
        }
        let (seq, tree) = (self.chain.next(), self.chain.tree().clone());
        match self.chain.step().await? {
            Step::Batch(batch) => {
                self.take(seq, tree, &batch)?;
                Ok(Packing::Read)
            }
            Step::Fence(_) => Ok(Packing::Read),
            Step::Below(floor) => {
                // Another packer came further.
                self.chain.jump(&floor, floor.tree.clone())?;
                self.building = PackBuilder::begin(floor.packs, self.shape);
                Ok(Packing::Read)
            }
            Step::End => Ok(Packing::UpToDate),
        }
    }

    /// Takes a commit in: the object at `seq`, which extends `tree`.
    fn take(&mut self, seq: u64, tree: Frontier, batch: &Batch) -> Result<(), StoreError> {
        let wrong = |_| StoreError::Contradiction;
        let bundle = Bundle::parse_all(&batch.entries).map_err(|_| StoreError::Contradiction)?;
        let mut packed = false;
        for (index, entry) in (batch.from.tree.size..).zip(bundle.entries()) {
            // The first entries behind a floor may be in packs already.
            if index < self.building.next_index() {
                continue;
            }
            if let Some(pack) = self.building.push(entry, leaf_hash(entry)).map_err(wrong)? {
                let name = names::pack(pack.number());
                self.pending.push_back((name, pack.bytes().clone()));
                packed = true;
            }
        }
        if packed {
            let floor = self.floor(seq, tree, batch)?;
            self.pending.push_back((names::floor(seq), floor.encode()));
        }
        Ok(())
    }

    /// The floor of a commit that filled a pack: at the commit itself, of which the last entries may
    /// be in no pack yet. So each commit has one floor at most, and all packers make the same.
    fn floor(&self, seq: u64, before: Frontier, batch: &Batch) -> Result<Floor, StoreError> {
        let missing = StoreError::Inconsistent("a packer read a commit of no session");
        Ok(Floor {
            seq,
            // A commit is of the session of the object before it.
            session: self.chain.session().ok_or(missing)?,
            packs: self.shape.whole_packs(batch.to.tree.size),
            head: batch.from,
            tree: before,
        })
    }
}
