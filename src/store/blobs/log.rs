//! A log of an object store as one process has it: the chain, and the packs below it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::chain::{Chain, Committed, Fencing, Step};
use super::commit::{Commit, Content, Session};
use super::floor::Floor;
use super::names;
use super::pack::{Pack, PackShape};
use crate::merkle::{Bundle, Frontier, leaf_hash};
use crate::note::TreeHead;
use crate::record::LogHead;
use crate::store::{Batch, StoreError};

/// A log of an object store, up to where this process has read or written it.
#[derive(Debug)]
pub struct BlobLog {
    chain: Chain,
    shape: PackShape,
    /// The way through packs to a floor, while this process is on it.
    descent: Option<Descent>,
    /// The commits behind what is known to be in packs, by the index of their first entry: the place
    /// in the chain.
    commits: BTreeMap<u64, u64>,
    /// Number of packs that a floor names.
    packs: u64,
}

/// The way through packs to a floor.
#[derive(Debug)]
struct Descent {
    floor: Floor,
    /// The tree so far.
    tree: Frontier,
    /// The head of that tree. What its state entry is, if it has one, is known at the floor.
    head: LogHead,
}

impl Descent {
    /// Takes in the next entries.
    fn take(&mut self, entries: &[u8]) -> Result<Batch, StoreError> {
        let bundle = Bundle::parse_all(entries).map_err(|_| StoreError::Contradiction)?;
        for entry in bundle.entries() {
            self.tree.push(leaf_hash(entry));
        }
        let from = self.head;
        self.head = if TreeHead::of(&self.tree) == self.floor.head.tree {
            self.floor.head
        } else {
            LogHead::without_state(TreeHead::of(&self.tree))
        };
        Ok(Batch {
            from,
            entries: entries.to_vec(),
            to: self.head,
        })
    }
}

/// What a log has next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Entries, from the chain: they lead to the head that was committed.
    Batch(Batch),
    /// Entries, from a pack. Whether they are the log's is certain once the floor is reached, at the
    /// next [`Progress::AtFloor`]: nothing may be published before.
    Packed(Batch),
    /// All that came from packs leads to the head that the floor names.
    AtFloor(LogHead),
    /// From here on this session commits, and no other.
    Fence(Session),
    /// There is no more so far.
    End,
}

impl BlobLog {
    /// A log from its first entry on, by a chain that was just opened.
    pub fn new(chain: Chain, shape: PackShape) -> Self {
        Self {
            chain,
            shape,
            descent: None,
            commits: BTreeMap::new(),
            packs: 0,
        }
    }

    /// The head of the log as far as it was taken in from the chain.
    pub fn head(&self) -> LogHead {
        self.chain.head()
    }

    /// Whether this process may commit.
    pub fn leads(&self) -> bool {
        self.chain.leads()
    }

    /// Commits nothing more until the next fence of this process landed.
    pub(super) fn stand_down(&mut self) {
        self.chain.stand_down();
    }

    /// Begins at a floor, with its tree: before anything was taken in.
    pub(super) fn begin_at(&mut self, floor: &Floor, tree: Frontier) -> Result<(), StoreError> {
        self.chain.jump(floor, tree)?;
        self.packs_to(floor.packs);
        Ok(())
    }

    /// Number of packs that are there, as far as is known.
    pub(super) fn packs(&self) -> u64 {
        self.packs
    }

    /// The chain, to look at.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Takes in what comes next.
    ///
    /// # Errors
    /// [`StoreError`]; the next call tries the same again.
    pub async fn follow(&mut self) -> Result<Progress, StoreError> {
        if self.descent.is_none() {
            let seq = self.chain.next();
            match self.chain.step().await? {
                Step::Batch(batch) => {
                    self.commits.insert(batch.from.tree.size, seq);
                    return Ok(Progress::Batch(batch));
                }
                Step::Fence(session) => return Ok(Progress::Fence(session)),
                Step::End => return Ok(Progress::End),
                Step::Below(floor) => {
                    self.descent = Some(Descent {
                        floor: *floor,
                        tree: self.chain.tree().clone(),
                        head: self.chain.head(),
                    });
                }
            }
        }
        let Some(Descent { floor, tree, .. }) = &self.descent else {
            return Ok(Progress::End);
        };
        let (at, end) = (tree.size(), floor.head.tree.size);
        if at >= end {
            let (floor, tree) = (floor.clone(), tree.clone());
            self.chain.jump(&floor, tree)?;
            self.descent = None;
            self.packs_to(floor.packs);
            return Ok(Progress::AtFloor(floor.head));
        }
        let number = at / self.shape.entries();
        let end = end.min((number + 1) * self.shape.entries());
        let pack = Pack::read(&self.chain, number, self.shape).await?;
        let (Some(entries), Some(descent)) = (pack.entries(at..end), &mut self.descent) else {
            return Err(StoreError::Inconsistent(
                "a pack has other entries than its number says",
            ));
        };
        Ok(Progress::Packed(descent.take(entries)?))
    }

    /// Creates a fence behind what was taken in: see [`Chain::fence`]. A process on its way through
    /// packs is behind the chain, and beaten.
    ///
    /// # Errors
    /// As of [`Chain::fence`].
    pub async fn fence(&mut self) -> Result<Fencing, StoreError> {
        if self.descent.is_some() {
            return Ok(Fencing::Beaten);
        }
        self.chain.fence().await
    }

    /// Appends a batch, if this process leads: see [`Chain::commit`].
    pub async fn commit(&mut self, batch: &Batch) -> Committed {
        let seq = self.chain.next();
        let committed = self.chain.commit(batch).await;
        if matches!(committed, Committed::Committed) {
            self.commits.insert(batch.from.tree.size, seq);
        }
        committed
    }

    /// Entries of the log as far as it was taken in, encoded as in a bundle: from packs where there
    /// are some, and otherwise from the chain.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Inconsistent`] for a range that the log does not have.
    pub async fn entries(&mut self, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        if range.end > self.head().tree.size {
            return Err(StoreError::Inconsistent(
                "an entry beyond the log was asked for",
            ));
        }
        let mut entries = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let packed = self.packs * self.shape.entries();
            let (some, end) = if at < packed {
                let number = at / self.shape.entries();
                let end = range.end.min((number + 1) * self.shape.entries());
                let pack = Pack::read(&self.chain, number, self.shape).await?;
                (pack.entries(at..end).unwrap_or_default().to_vec(), end)
            } else {
                match self.committed(at, range.end).await? {
                    Some(found) => found,
                    // It was packed and deleted since it was taken in.
                    None => {
                        let floor = self.chain.newest_floor_above(0).await?;
                        let known = self.packs;
                        self.packs_to(floor.map_or(known, |floor| floor.packs));
                        if self.packs == known {
                            let name = names::commit(self.place_of(at).unwrap_or(0));
                            let what = "it is not there, and no floor is above it";
                            return Err(self.chain.damaged(&name, what));
                        }
                        continue;
                    }
                }
            };
            entries.extend_from_slice(&some);
            at = end;
        }
        Ok(entries)
    }

    /// Entries of one commit, from an index on, up to `end`; with the index behind them. `None` if
    /// the commit is not there.
    async fn committed(&self, at: u64, end: u64) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        let Some(seq) = self.place_of(at) else {
            return Err(StoreError::Inconsistent(
                "no commit has an entry of the log",
            ));
        };
        let name = names::commit(seq);
        let Some(bytes) = self.chain.get(&name).await? else {
            return Ok(None);
        };
        let commit = Commit::decode(&bytes).map_err(|what| self.chain.damaged(&name, what))?;
        let Content::Batch(batch) = commit.content else {
            // A void fence: what was there is in packs.
            return Ok(None);
        };
        let end = end.min(batch.to.tree.size);
        let part = (|| {
            let bundle = Bundle::parse_all(&batch.entries).ok()?;
            let first = usize::try_from(at.checked_sub(batch.from.tree.size)?).ok()?;
            let count = usize::try_from(end.checked_sub(at)?).ok()?;
            let mut part = Vec::new();
            for entry in bundle.entries().iter().skip(first).take(count) {
                Bundle::append(&mut part, entry)?;
            }
            Some(part)
        })();
        let part = part.ok_or_else(|| {
            self.chain
                .damaged(&name, "it has other entries than before")
        })?;
        Ok(Some((part, end)))
    }

    /// The place in the chain of the commit that has an entry.
    fn place_of(&self, index: u64) -> Option<u64> {
        let (_, seq) = self.commits.range(..=index).next_back()?;
        Some(*seq)
    }

    /// Takes note that packs reach further.
    pub(super) fn packs_to(&mut self, packs: u64) {
        self.packs = self.packs.max(packs);
        let packed = self.packs * self.shape.entries();
        // The last commit that begins below may end above.
        if let Some((last, _)) = self.commits.range(..=packed).next_back() {
            let last = *last;
            self.commits = self.commits.split_off(&last);
        }
    }
}
