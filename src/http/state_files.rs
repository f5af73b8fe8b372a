//! Files about the state as they are gathered: items with their proofs, from the state of the newest state
//! entry, and the entries that these name. What one file takes is bounded, and what it hashes is hashed on
//! threads for such work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::App;
use super::bounded_reads::{BoundedReads, ReadEntry, WORK_BYTES_MAX};
use super::level::{AtLevel, Levels, newest};
use super::proofs::make_receipt;
use super::sealed_batches::siblings;
use crate::answer::{Problem, ProblemCode};
use crate::crypto::PublicKey;
use crate::ledger::domains;
use crate::log::ProvenState;
use crate::merkle::KeptTree;
use crate::receipt::{ProveError, Receipt, ShownEntry, StateItem, StateProver};
use crate::record::{FullEntry, Index, RecordId};

/// The bytes of entries at which a page of a history ends.
const PAGE_BYTES: usize = 256 << 10;
/// The number of issuers at which a page of a history ends: each has an item.
const PAGE_ISSUERS: usize = 48;
/// The most entries of one account or plot on a page of its history.
const PAGE_ENTRIES: usize = 64;

/// Does work that hashes much on a thread for such work.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Problem::contradiction("work on a proof broke off"))
}

/// That there is no state entry, or that it is too old.
pub(super) fn not_proven(detail: &str) -> Problem {
    Problem::new(
        ProblemCode::StateUnproven,
        detail,
        "ask again in some seconds",
    )
}

/// Items of the newest state entry's state with their proofs, one behind the other.
pub(super) struct Items {
    proven: Arc<ProvenState>,
    items: Vec<StateItem>,
}

impl Items {
    /// Number of entries that the state rests on.
    pub(super) fn size(&self) -> u64 {
        self.proven.size
    }

    /// The genesis of the ledger.
    pub(super) fn genesis(&self) -> Result<RecordId, Problem> {
        let genesis = self.proven.image.globals.genesis.as_ref();
        let genesis = genesis.map(|(id, _)| *id);
        genesis.ok_or_else(|| not_proven("the log has no genesis yet"))
    }

    /// Adds items, on a thread for such work; gives what the work gives, and all items.
    pub(super) async fn add<T: Send + 'static>(
        self,
        work: impl FnOnce(&mut StateProver<'_>) -> Result<T, ProveError> + Send + 'static,
    ) -> Result<(T, Self), Problem> {
        let done = off_thread(move || {
            let Self { proven, items } = self;
            let mut prover = StateProver::new(&proven.image, &proven.roots, items);
            let found = work(&mut prover)?;
            let items = prover.into_items();
            Ok::<_, ProveError>((found, Self { proven, items }))
        });
        let done = done.await?;
        done.map_err(|error| Problem::contradiction(&error.to_string()))
    }
}

/// A file about the state while it is made.
pub(super) struct StateFileMaker<'a> {
    app: &'a App,
    /// The state entry.
    state_entry: Index,
    /// The checkpoint that the file rests on.
    at: AtLevel,
    /// The entries that the log has published.
    log_size: u64,
    reads: BoundedReads<'a>,
    shown: BTreeMap<Index, ShownEntry>,
    /// The trees over the batches of seals that are shown.
    batches: BTreeMap<Index, Arc<KeptTree>>,
    issuers: BTreeSet<PublicKey>,
    /// Bytes of batches that were read and hashed ([`WORK_BYTES_MAX`]).
    batch_bytes: u64,
    /// Bytes of the shown entries.
    shown_bytes: usize,
}

impl<'a> StateFileMaker<'a> {
    /// Begins a file at the newest state entry, or at the one that ends a checkpoint with a level; gives its
    /// items, none so far, with it. Of several checkpoints, the first whose state speaks of `about`.
    pub(super) fn new(
        app: &'a App,
        level: Option<&str>,
        about: Option<Index>,
    ) -> Result<(Self, Items), Problem> {
        let mut found: Option<(AtLevel, Index, Arc<ProvenState>)> = None;
        for at in Levels::named(app, level)?.into_checkpoints() {
            let state = match at.level {
                None => app.log.proven(),
                Some(_) => app.cosigned.states.ending(at.size),
            };
            let Some((state_entry, proven)) = state else {
                continue;
            };
            let speaks = about.is_none_or(|about| about.0 < proven.size);
            let is_larger = found
                .as_ref()
                .is_none_or(|(_, _, it)| it.size < proven.size);
            if speaks || is_larger {
                found = Some((at, state_entry, proven));
            }
            if speaks {
                break;
            }
        }
        let (at, state_entry, proven) =
            found.ok_or_else(|| not_proven("the log has no state entry whose state is at hand"))?;
        let log_size = app.log.published().head.tree.size;
        // What was published since the state was taken covers it too.
        let at = match at.level {
            None => newest(app),
            Some(_) => at,
        };
        let maker = Self {
            app,
            state_entry,
            at,
            log_size,
            reads: BoundedReads::new(app.log.reader(), log_size),
            shown: BTreeMap::new(),
            batches: BTreeMap::new(),
            issuers: BTreeSet::new(),
            batch_bytes: 0,
            shown_bytes: 0,
        };
        let items = Items {
            proven,
            items: Vec::new(),
        };
        Ok((maker, items))
    }

    /// Whether the log has an entry at this index, and the state entry does not speak of it yet.
    pub(super) fn is_newer(&self, index: Index, items: &Items) -> bool {
        (items.size()..self.log_size).contains(&index.0)
    }

    /// That the file can't speak of an entry which the log has.
    pub(super) fn too_new(&self, index: Index) -> Problem {
        self.at.too_new(index).unwrap_or_else(|| {
            not_proven(&format!(
                "the newest state entry does not speak of entry {index} yet"
            ))
        })
    }

    /// Reads an entry, without showing it.
    pub(super) async fn read(&mut self, index: Index) -> Result<ReadEntry, Problem> {
        self.reads.read(index).await
    }

    /// Whether an entry is shown.
    pub(super) fn has(&self, index: Index) -> bool {
        self.shown.contains_key(&index)
    }

    /// Shows an entry, and its seal if it is a sealed one.
    pub(super) async fn show(&mut self, read: &ReadEntry) -> Result<(), Problem> {
        let index = read.index;
        if let Some(stated) = read.entry.stated() {
            self.issuers.insert(*stated.issuer());
        }
        if self.has(index) {
            return Ok(());
        }
        let mut under_seal = Vec::new();
        if let FullEntry::Sealed { seal_index, .. } = &read.entry {
            let batch = self.batch(*seal_index).await?;
            under_seal = siblings(index, *seal_index, &batch)?;
        }
        self.insert(index, read.bytes.to_vec(), under_seal);
        Ok(())
    }

    /// The tree over the batch of a seal, which is shown from then on.
    async fn batch(&mut self, seal: Index) -> Result<Arc<KeptTree>, Problem> {
        if let Some(batch) = self.batches.get(&seal) {
            return Ok(Arc::clone(batch));
        }
        let reader = self.app.log.reader();
        let made = self.app.sealed_batches.tree(reader, seal, self.at.size);
        let made = made.await?;
        self.batch_bytes = self.batch_bytes.saturating_add(made.bytes_read);
        let (bytes, _) = reader.decoded(seal.0, self.at.size).await?;
        self.insert(seal, bytes.to_vec(), Vec::new());
        self.batches.insert(seal, Arc::clone(&made.tree));
        Ok(made.tree)
    }

    fn insert(&mut self, index: Index, entry: Vec<u8>, siblings: Vec<[u8; 32]>) {
        let bytes = entry.len();
        let shown = ShownEntry {
            index,
            entry,
            siblings,
        };
        if let std::collections::btree_map::Entry::Vacant(place) = self.shown.entry(index) {
            place.insert(shown);
            self.shown_bytes = self.shown_bytes.saturating_add(bytes);
        }
    }

    /// Whether a page of a history with so many entries ends here.
    pub(super) fn page_ends(&self, entries: usize) -> bool {
        entries >= PAGE_ENTRIES
            || self.reads.bundle_bytes().saturating_add(self.batch_bytes) >= WORK_BYTES_MAX
            || self.shown_bytes >= PAGE_BYTES
            || self.issuers.len() >= PAGE_ISSUERS
    }

    /// The whole receipt, with an item for each issuer's key behind the others.
    pub(super) async fn finish(self, items: Items) -> Result<Receipt, Problem> {
        let index = self.state_entry.0;
        let mut receipt = make_receipt(self.app, index, self.at.size, &self.at.checkpoint).await?;
        let issuers = self.issuers;
        let add_keys = move |prover: &mut StateProver<'_>| {
            for key in issuers {
                let _known = prover.add(domains::KEYS, key.as_bytes().to_vec())?;
            }
            Ok(())
        };
        let ((), items) = items.add(add_keys).await?;
        receipt.items = items.items;
        self.at.add_second(self.app, &mut receipt).await?;
        if !self.shown.is_empty() {
            let indexes: Vec<u64> = self.shown.keys().map(|index| index.0).collect();
            let reader = self.app.log.reader();
            let hashes = reader.joint_inclusion(&indexes, self.at.size).await?;
            receipt.hashes = hashes.iter().map(|hash| *hash.as_bytes()).collect();
            receipt.entries = self.shown.into_values().collect();
        }
        Ok(receipt)
    }
}
