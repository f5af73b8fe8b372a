//! Behind the commits: packs, and the floors that say how far they reach.

use std::collections::VecDeque;

use super::chain::{Chain, Step};
use super::commit::Session;
use super::floor::Floor;
use super::pack::{PackBuilder, PackShape};
use super::settle::{Patience, Settled, settle};
use super::{Blobs, names};
use crate::merkle::{Bundle, Frontier, Hash, leaf_hash};
use crate::store::{Batch, Bytes, StoreError};

/// Packs what was committed, by reading the chain from the newest floor on. What it makes depends on
/// the chain alone, so any number of them may run, anywhere.
#[derive(Debug)]
pub struct Packer {
    chain: Chain,
    made: PackQueue,
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
            made: PackQueue::with_entries(packs, shape),
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
        if let Some(object) = self.made.front() {
            let blobs = &**self.chain.blobs();
            let missing = StoreError::Inconsistent("a packer does not have what it packs");
            let bytes = object.bytes().ok_or(missing)?;
            object.create(bytes, blobs, self.chain.patience()).await?;
            self.made.created();
            return Ok(Packing::Created);
        }
        let (seq, tree) = (self.chain.next(), self.chain.tree().clone());
        match self.chain.step().await? {
            Step::Batch(batch) => {
                // A commit is of the session of the object before it.
                let missing = StoreError::Inconsistent("a packer read a commit of no session");
                let session = self.chain.session().ok_or(missing)?;
                let entries = with_leaves(&batch.entries)?;
                self.made.take(seq, session, tree, &batch, &entries)?;
                Ok(Packing::Read)
            }
            Step::Fence(_) => Ok(Packing::Read),
            Step::Below(floor) => {
                // Another packer came further.
                self.chain.jump(&floor, floor.tree.clone())?;
                self.made.skip_to(floor.packs);
                Ok(Packing::Read)
            }
            Step::End => Ok(Packing::UpToDate),
        }
    }
}

/// An object that a packer makes.
#[derive(Debug, Clone)]
pub(super) struct PackObject {
    name: String,
    content: PackContent,
    /// Number of packs that are there once this object is.
    pub(super) packs: u64,
}

#[derive(Debug, Clone)]
enum PackContent {
    Made(Bytes),
    /// A pack of this number, whose entries its maker has elsewhere: it is made when it is its turn, so that
    /// nothing is in memory twice until then.
    Pack(u64),
}

impl PackObject {
    /// Whether both are the same object.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.name == other.name
    }

    /// Whether it is a floor, behind the packs that it stands on.
    pub(super) fn is_floor(&self) -> bool {
        names::number_in(names::FLOORS, &self.name).is_some()
    }

    /// Its bytes, if they are made already.
    pub(super) fn bytes(&self) -> Option<&Bytes> {
        match &self.content {
            PackContent::Made(bytes) => Some(bytes),
            PackContent::Pack(_) => None,
        }
    }

    /// The number of the pack that is to be made for it.
    pub(super) fn pack_to_make(&self) -> Option<u64> {
        match self.content {
            PackContent::Pack(number) => Some(number),
            PackContent::Made(_) => None,
        }
    }

    /// Creates it, or finds that another packer had.
    pub(super) async fn create(
        &self,
        bytes: &Bytes,
        blobs: &dyn Blobs,
        patience: Patience,
    ) -> Result<(), StoreError> {
        match settle(blobs, &self.name, bytes, patience).await? {
            Settled::Ours => Ok(()),
            Settled::Others(_) => {
                let what = "it is another than the chain's entries make";
                Err(StoreError::damaged_object(blobs, &self.name, what))
            }
        }
    }
}

/// Packs and floors of the commits that were taken in, until they are created.
#[derive(Debug)]
pub(super) struct PackQueue {
    shape: PackShape,
    building: Building,
    /// What is to be created next, in this order: a floor after the packs that it stands on.
    pending: VecDeque<PackObject>,
}

/// The pack that comes next.
#[derive(Debug)]
enum Building {
    /// Its entries are here.
    Here(PackBuilder),
    /// They are with whoever has the queue; the index of the next one.
    Elsewhere(u64),
}

impl Building {
    fn next_index(&self) -> u64 {
        match self {
            Self::Here(builder) => builder.next_index(),
            Self::Elsewhere(next) => *next,
        }
    }
}

impl PackQueue {
    /// For the commits behind a number of packs that are there, whose entries are here until they are packed.
    fn with_entries(packs: u64, shape: PackShape) -> Self {
        Self {
            shape,
            building: Building::Here(PackBuilder::begin(packs, shape)),
            pending: VecDeque::new(),
        }
    }

    /// As above; who has the queue has the entries, and makes packs of them.
    pub(super) fn behind(packs: u64, shape: PackShape) -> Self {
        Self {
            shape,
            building: Building::Elsewhere(packs * shape.entries()),
            pending: VecDeque::new(),
        }
    }

    /// What is to be created next.
    pub(super) fn front(&self) -> Option<&PackObject> {
        self.pending.front()
    }

    /// Takes note that the first object is there.
    pub(super) fn created(&mut self) {
        self.pending.pop_front();
    }

    /// Takes note that a floor of others names so many packs: what is up to there need not be made.
    pub(super) fn skip_to(&mut self, packs: u64) {
        self.pending.retain(|object| object.packs > packs);
        let border = packs * self.shape.entries();
        if self.building.next_index() < border {
            self.building = match self.building {
                Building::Here(_) => Building::Here(PackBuilder::begin(packs, self.shape)),
                Building::Elsewhere(_) => Building::Elsewhere(border),
            };
        }
    }

    /// Takes a commit in: the object at `seq` of a session, which extends `tree` by entries with these
    /// leaf hashes.
    pub(super) fn take(
        &mut self,
        seq: u64,
        session: Session,
        tree: Frontier,
        batch: &Batch,
        entries: &[(&[u8], Hash)],
    ) -> Result<(), StoreError> {
        let wrong = |_| StoreError::Contradiction;
        let mut packed = false;
        for (index, (entry, leaf)) in (batch.from.tree.size..).zip(entries) {
            // The first entries behind a floor may be in packs already.
            if index < self.building.next_index() {
                continue;
            }
            let whole = match &mut self.building {
                Building::Here(builder) => {
                    let pack = builder.push(entry, *leaf).map_err(wrong)?;
                    pack.map(|pack| (pack.number(), PackContent::Made(pack.bytes().clone())))
                }
                Building::Elsewhere(next) => {
                    *next += 1;
                    let is_whole = next.is_multiple_of(self.shape.entries());
                    let number = index / self.shape.entries();
                    is_whole.then_some((number, PackContent::Pack(number)))
                }
            };
            if let Some((number, content)) = whole {
                self.pending.push_back(PackObject {
                    name: names::pack(number),
                    content,
                    packs: number + 1,
                });
                packed = true;
            }
        }
        if packed {
            // At the commit itself, of which the last entries may be in no pack yet. So each commit
            // has one floor at most, and all packers make the same.
            let floor = Floor {
                seq,
                session,
                packs: self.shape.whole_packs(batch.to.tree.size),
                head: batch.from,
                tree,
            };
            self.pending.push_back(PackObject {
                name: names::floor(seq),
                content: PackContent::Made(floor.encode()),
                packs: floor.packs,
            });
        }
        Ok(())
    }
}

/// Entries of a bundle of any length, with their leaf hashes.
pub(super) fn with_leaves(entries: &[u8]) -> Result<Vec<(&[u8], Hash)>, StoreError> {
    let bundle = Bundle::parse_all(entries).map_err(|_| StoreError::Contradiction)?;
    let entries = bundle.entries().iter();
    Ok(entries.map(|entry| (*entry, leaf_hash(entry))).collect())
}
