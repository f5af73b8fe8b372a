//! A log on an object store as one process serves it: the chain, the tiles of what was taken in, and
//! the packs behind them.
//!
//! A process that leads commits through [`Store`]. One that follows takes in what others commit, by
//! [`BlobStore::follow`]. Either reads tiles: what is in no pack yet from memory, the rest from
//! packs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};

use super::beginning::begin_at;
use super::chain::{Chain, Committed, Fencing};
use super::commit::Session;
use super::edge::Edge;
use super::log::{BlobLog, Progress};
use super::pack::{PackShape, pack_bytes};
use super::packed_tiles::PackedTiles;
use super::packer::{PackObject, PackQueue, with_leaves};
use super::settle::Patience;
use super::signs::{Signs, now_ms};
use super::{Blobs, names};
use crate::merkle::{Frontier, Hash, TileId};
use crate::note::NOTE_BYTES_MAX;
use crate::record::{LogHead, Origin};
use crate::store::stop::Stop;
use crate::store::tail::Tail;
use crate::store::{Batch, BoxFuture, Bytes, CommitOutcome, Store, StoreError};

/// Hours that are listed at once.
const HOURS_AT_ONCE: usize = 1000;

/// A log on an object store.
#[derive(Clone)]
pub struct BlobStore {
    /// A commit under way keeps it alive.
    shared: Arc<Shared>,
}

struct Shared {
    blobs: Arc<dyn Blobs>,
    patience: Patience,
    shape: PackShape,
    /// The chain as far as it was taken in. Held over a whole commit, fence or step: one at a time.
    chain: Mutex<Taken>,
    /// What readers see. Written with the chain's lock held; never held over a request.
    edge: RwLock<Edge>,
    packs: Arc<PackedTiles>,
    /// Whether the chain said last that this process leads. Written with the chain's lock held.
    leads: AtomicBool,
    /// Notified when this process leads no more.
    deposed: Notify,
    signs: Signs,
    /// Notified when something can be packed.
    to_pack: Notify,
    /// Requests to the store that commits made.
    commit_requests: AtomicU64,
    /// Why nothing is committed or taken in any more.
    stopped: Stop,
}

/// The chain, and what is to be packed of it.
struct Taken {
    log: BlobLog,
    made: PackQueue,
    /// The place of the newest floor that was seen.
    floor: u64,
}

impl BlobStore {
    /// The log of this origin in a store, before its first entry: [`Self::follow`] takes it in.
    ///
    /// # Errors
    /// [`StoreError`] when the store has no log, or another.
    pub async fn open(
        blobs: Arc<dyn Blobs>,
        origin: &Origin,
        shape: PackShape,
        patience: Patience,
    ) -> Result<Self, StoreError> {
        let chain = Chain::open(Arc::clone(&blobs), origin, patience).await?;
        let shared = Shared {
            packs: Arc::new(PackedTiles::new(Arc::clone(&blobs), patience, shape)),
            blobs,
            patience,
            shape,
            chain: Mutex::new(Taken {
                log: BlobLog::new(chain, shape),
                made: PackQueue::behind(0, shape),
                floor: 0,
            }),
            edge: RwLock::new(Edge {
                tail: Tail::resume(0, Vec::new()),
                packs: 0,
                forgotten: 0,
            }),
            leads: AtomicBool::new(false),
            deposed: Notify::new(),
            signs: Signs::default(),
            to_pack: Notify::new(),
            commit_requests: AtomicU64::new(0),
            stopped: Stop::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The store of objects.
    pub fn blobs(&self) -> &Arc<dyn Blobs> {
        &self.shared.blobs
    }

    /// How long the store is asked.
    pub fn patience(&self) -> Patience {
        self.shared.patience
    }

    /// Whether this process leads, as far as it knows.
    pub fn leads(&self) -> bool {
        self.shared.leads.load(Ordering::Acquire)
    }

    /// How long ago this process saw for certain that it leads.
    pub fn last_sign(&self) -> Duration {
        self.shared.signs.age()
    }

    /// Whose the last object is that was taken in.
    pub async fn session(&self) -> Option<Session> {
        self.shared.chain.lock().await.log.chain().session()
    }

    /// Begins at the newest floor, if there is one, instead of at the first entry: what is below it is served from
    /// packs. Before anything is taken in. `false`, and nothing is changed, if that floor has more entries below it
    /// than these.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed.
    pub async fn begin_at_floor(&self, entries_max: u64) -> Result<bool, StoreError> {
        let (shared, mut taken) = (&self.shared, self.shared.chain.lock().await);
        let chain = taken.log.chain();
        if chain.next() > 0 {
            return Ok(true);
        }
        let Some(floor) = chain.newest_floor_above(0).await? else {
            return Ok(true);
        };
        if floor.head.tree.size > entries_max {
            return Ok(false);
        }
        let (tail, tree) = begin_at(&floor, chain, &shared.packs, shared.shape).await?;
        taken.log.begin_at(&floor, tree)?;
        taken.made = PackQueue::behind(floor.packs, shared.shape);
        taken.floor = floor.seq;
        *shared.edge_mut()? = Edge {
            tail,
            packs: floor.packs,
            forgotten: shared.shape.whole_packs(floor.head.tree.size),
        };
        Ok(true)
    }

    /// Takes in what comes next, and serves it. Cancel safe.
    ///
    /// # Errors
    /// [`StoreError`]; the next call tries the same again.
    pub async fn follow(&self) -> Result<Progress, StoreError> {
        self.shared.check_stopped()?;
        let mut taken = self.shared.chain.lock().await;
        let chain = taken.log.chain();
        let (seq, tree) = (chain.next(), chain.tree().clone());
        let progress = taken.log.follow().await;
        self.shared.note_leading(&taken);
        let progress = progress?;
        match &progress {
            Progress::Batch(batch) => self.shared.take_in(&mut taken, seq, tree, batch)?,
            Progress::Packed(batch) => self.shared.take_packed(batch)?,
            Progress::AtFloor(_) => {
                let packs = taken.log.packs();
                taken.made.skip_to(packs);
                taken.floor = taken.floor.max(taken.log.chain().next());
                self.shared.packs_are(packs)?;
            }
            Progress::Fence(_) | Progress::End => {}
        }
        Ok(progress)
    }

    /// Whether an object stands at the next place: one small request, for those who ask often. What
    /// stands behind a floor is found by [`Self::follow`] alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_next(&self) -> Result<bool, StoreError> {
        let next = self.shared.chain.lock().await.log.chain().next();
        self.shared.exists(next).await
    }

    /// Creates a fence behind what was taken in: see [`Chain::fence`].
    ///
    /// # Errors
    /// As of [`Chain::fence`].
    pub async fn fence(&self) -> Result<Fencing, StoreError> {
        self.shared.check_stopped()?;
        let at_ms = now_ms();
        let mut taken = self.shared.chain.lock().await;
        let fenced = taken.log.fence().await;
        if matches!(fenced, Ok(Fencing::Leads)) {
            self.shared.signs.saw(at_ms);
        }
        self.shared.note_leading(&taken);
        fenced
    }

    /// Commits nothing more until the next fence of this process landed.
    pub async fn stand_down(&self) {
        let mut taken = self.shared.chain.lock().await;
        taken.log.stand_down();
        self.shared.note_leading(&taken);
    }

    /// Asks the store whether this process still leads. While nothing stands at the next place,
    /// nobody else's fence does.
    ///
    /// # Errors
    /// [`StoreError`] when that can't be known now.
    pub async fn confirm(&self) -> Result<bool, StoreError> {
        let at_ms = now_ms();
        let next = {
            let taken = self.shared.chain.lock().await;
            if !taken.log.leads() {
                return Ok(false);
            }
            taken.log.chain().next()
        };
        // Without the lock: commits do not wait for this.
        if !self.shared.exists(next).await? {
            self.shared.signs.saw(at_ms);
            return Ok(true);
        }
        // After a commit under way: what was found may be its own object.
        let mut taken = self.shared.chain.lock().await;
        if taken.log.chain().next() == next {
            taken.log.stand_down();
        }
        self.shared.note_leading(&taken);
        Ok(taken.log.leads())
    }

    /// Waits until this process leads no more. Returns at once if it does not lead.
    pub async fn deposed(&self) {
        loop {
            // Before the look: no change in between is missed.
            let deposed = self.shared.deposed.notified();
            if !self.leads() {
                return;
            }
            deposed.await;
        }
    }

    /// Packs what can be packed, if this process leads; else takes note of what others packed.
    /// Returns the number of packs that are there.
    ///
    /// A crash leaves packs without a floor, which the next leader finds with the very bytes that
    /// it would create; never a floor without its packs.
    ///
    /// # Errors
    /// [`StoreError`]; the next call tries the same again.
    pub async fn pack(&self) -> Result<u64, StoreError> {
        let shared = &self.shared;
        if !self.leads() {
            let mut taken = shared.chain.lock().await;
            let seen = taken.floor;
            if let Some(floor) = taken.log.chain().newest_floor_above(seen).await? {
                taken.floor = floor.seq;
                // Of packs whose entries were not taken in yet, nothing is to be forgotten.
                taken.made.skip_to(floor.packs);
                taken.log.packs_to(floor.packs);
                shared.packs_are(floor.packs)?;
            }
            return Ok(shared.edge()?.packs);
        }
        loop {
            let object = shared.chain.lock().await.made.front().cloned();
            let Some(object) = object else {
                return Ok(shared.edge()?.packs);
            };
            let Some(bytes) = shared.bytes_of(&object).await? else {
                // A follower's look for floors dropped it, and what it is made of: others made it.
                if shared
                    .chain
                    .lock()
                    .await
                    .made
                    .front()
                    .is_some_and(|first| first.is(&object))
                {
                    let what = "what is to be packed is not in memory any more";
                    return Err(StoreError::Inconsistent(what));
                }
                continue;
            };
            let created = object.create(&bytes, &*shared.blobs, shared.patience);
            if let Err(error) = created.await {
                if matches!(error, StoreError::DamagedObject { .. }) {
                    // What is in packs by now is not what this process has: it must not go on.
                    shared.stop(error.clone());
                }
                return Err(error);
            }
            let mut taken = shared.chain.lock().await;
            // A follower's look for floors may have dropped it meanwhile.
            if taken.made.front().is_some_and(|first| first.is(&object)) {
                taken.made.created();
            }
            if object.is_floor() {
                taken.log.packs_to(object.packs);
                shared.packs_are(object.packs)?;
            }
        }
    }

    /// Writes a signed checkpoint beside the chain, for those who read the log without a server. A hint: that of
    /// a process that was stopped for long may take the place of a newer one for a while.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_checkpoint(&self, note: &str) -> Result<(), StoreError> {
        let bytes = Bytes::copy_from_slice(note.as_bytes());
        let put = || self.shared.blobs.put(names::CHECKPOINT, bytes.clone());
        Ok(self.shared.patience.ask(names::CHECKPOINT, put).await?)
    }

    /// The checkpoint beside the chain, if there is one. Nothing of it is verified.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn checkpoint(&self) -> Result<Option<Bytes>, StoreError> {
        // One that is longer is none.
        let bytes = 0..NOTE_BYTES_MAX as u64 + 1;
        let get = || {
            let blobs = &self.shared.blobs;
            blobs.get(names::CHECKPOINT, Some(bytes.clone()))
        };
        Ok(self.shared.patience.ask(names::CHECKPOINT, get).await?)
    }

    /// Writes what cosigners signed beside the chain, for the processes that follow.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_cosigned(&self, bytes: Bytes) -> Result<(), StoreError> {
        let put = || self.shared.blobs.put(names::COSIGNED, bytes.clone());
        Ok(self.shared.patience.ask(names::COSIGNED, put).await?)
    }

    /// What cosigners signed, if it was written. Nothing of it is verified.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cosigned(&self) -> Result<Option<Bytes>, StoreError> {
        let get = || self.shared.blobs.get(names::COSIGNED, None);
        Ok(self.shared.patience.ask(names::COSIGNED, get).await?)
    }

    /// Writes the cosigned checkpoint of an hour since 1970, for who audits the store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_cosigned_hour(&self, hour: u64, note: Bytes) -> Result<(), StoreError> {
        let name = names::hour(hour);
        let put = || self.shared.blobs.put(&name, note.clone());
        Ok(self.shared.patience.ask(&name, put).await?)
    }

    /// The hours behind one of which a checkpoint is there, ascending; the first ones.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cosigned_hours(&self, after: Option<u64>) -> Result<Vec<u64>, StoreError> {
        let after = after.map_or_else(String::new, names::hour);
        let list = || {
            let blobs = &self.shared.blobs;
            blobs.list_after(names::HOURS, &after, HOURS_AT_ONCE)
        };
        let listed = self.shared.patience.ask(names::HOURS, list).await?;
        let hours = listed.iter();
        Ok(hours
            .filter_map(|name| names::number_in(names::HOURS, name))
            .collect())
    }

    /// The note of an hour. Nothing of it is verified.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cosigned_hour(&self, hour: u64) -> Result<Option<Bytes>, StoreError> {
        // One that is longer is none.
        let bytes = 0..NOTE_BYTES_MAX as u64 + 1;
        let name = names::hour(hour);
        let get = || self.shared.blobs.get(&name, Some(bytes.clone()));
        Ok(self.shared.patience.ask(&name, get).await?)
    }

    /// Waits until something may be packed, or a while.
    pub async fn wait_to_pack(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.shared.to_pack.notified()).await;
    }

    /// Number of commits that were asked of the store so far.
    pub fn commits(&self) -> u64 {
        self.shared.commit_requests.load(Ordering::Relaxed)
    }
}

impl Store for BlobStore {
    fn head(&self) -> BoxFuture<'_, Result<LogHead, StoreError>> {
        Box::pin(async {
            self.shared.check_stopped()?;
            Ok(self.shared.chain.lock().await.log.head())
        })
    }

    fn commit(&self, batch: Arc<Batch>) -> BoxFuture<'static, CommitOutcome> {
        let shared = Arc::clone(&self.shared);
        // On a task of its own: the request is under way when this returns, and a caller that is
        // dropped leaves it to its end.
        let done = tokio::spawn(async move { shared.commit(&batch).await });
        Box::pin(async move {
            done.await.unwrap_or_else(|error| {
                CommitOutcome::Unknown(StoreError::Stopped(error.to_string()))
            })
        })
    }

    fn read(&self, tile: TileId) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move {
            let root = {
                let edge = self.shared.edge()?;
                if !tile.is_in_tree(edge.tail.size()) {
                    return Ok(None);
                }
                if let Some(bytes) = edge.tail.read(&tile) {
                    return Ok(Some(bytes));
                }
                let missing = StoreError::Inconsistent("a tile is neither in memory nor in a pack");
                let pack = self.shared.packs.pack_of(tile).ok_or(missing)?;
                edge.root_over(pack, self.shared.shape)?
            };
            self.shared.packs.read(tile, root).await.map(Some)
        })
    }

    fn stopped(&self) -> BoxFuture<'_, StoreError> {
        Box::pin(self.shared.stopped.wait())
    }

    fn unsettled_entries(&self) -> Option<u64> {
        let edge = self.shared.edge().ok()?;
        let packed = edge.packs.saturating_mul(self.shared.shape.entries());
        Some(edge.tail.size().saturating_sub(packed))
    }
}

impl Shared {
    fn check_stopped(&self) -> Result<(), StoreError> {
        match self.stopped.why() {
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }

    fn stop(&self, why: StoreError) {
        self.stopped.set(why);
    }

    async fn exists(&self, seq: u64) -> Result<bool, StoreError> {
        let name = names::commit(seq);
        let ask = || self.blobs.get(&name, Some(0..1));
        Ok(self.patience.ask(&name, ask).await?.is_some())
    }

    /// The bytes of what is to be created; none if what they are made of is not here any more.
    async fn bytes_of(&self, object: &PackObject) -> Result<Option<Bytes>, StoreError> {
        let Some(number) = object.pack_to_make() else {
            return Ok(object.bytes().cloned());
        };
        let shape = self.shape;
        let Some((bundles, tiles)) = self.edge()?.parts_of(number, shape) else {
            return Ok(None);
        };
        // It copies and hashes some 9 MB.
        let made = tokio::task::spawn_blocking(move || pack_bytes(number, shape, &bundles, &tiles));
        let made = made.await;
        made.map_err(|error| StoreError::Stopped(error.to_string()))
    }

    /// Says to others what the chain says.
    fn note_leading(&self, taken: &Taken) {
        let leads = taken.log.leads();
        if self.leads.swap(leads, Ordering::AcqRel) && !leads {
            self.deposed.notify_waiters();
        }
    }

    async fn commit(&self, batch: &Batch) -> CommitOutcome {
        if let Err(why) = self.check_stopped() {
            return CommitOutcome::Unknown(why);
        }
        let mut taken = self.chain.lock().await;
        let chain = taken.log.chain();
        let (seq, tree) = (chain.next(), chain.tree().clone());
        let at_ms = now_ms();
        self.commit_requests.fetch_add(1, Ordering::Relaxed);
        let committed = taken.log.commit(batch).await;
        self.note_leading(&taken);
        match committed {
            Committed::Committed => {
                self.signs.saw(at_ms);
                match self.take_in(&mut taken, seq, tree, batch) {
                    Ok(()) => CommitOutcome::Committed,
                    Err(error) => {
                        // It is in the log; this process can't serve it.
                        self.stop(error.clone());
                        CommitOutcome::Unknown(error)
                    }
                }
            }
            Committed::Moved(head) => CommitOutcome::Moved(head),
            Committed::Deposed(_) | Committed::NotLeading => CommitOutcome::Deposed,
            Committed::Refused(error) | Committed::Unknown(error) => CommitOutcome::Unknown(error),
        }
    }

    /// Serves a batch of the chain from now on, and has it packed.
    fn take_in(
        &self,
        taken: &mut Taken,
        seq: u64,
        before: Frontier,
        batch: &Batch,
    ) -> Result<(), StoreError> {
        let entries = with_leaves(&batch.entries)?;
        self.push(&entries)?;
        let unowned = StoreError::Inconsistent("a commit of no session was taken in");
        let session = taken.log.chain().session().ok_or(unowned)?;
        taken.made.take(seq, session, before, batch, &entries)?;
        if taken.made.front().is_some() {
            self.to_pack.notify_one();
        }
        Ok(())
    }

    /// Serves entries of a pack. Nothing of them is published before the floor proves them.
    fn take_packed(&self, batch: &Batch) -> Result<(), StoreError> {
        self.push(&with_leaves(&batch.entries)?)?;
        let packs = self.shape.whole_packs(self.edge()?.tail.size());
        self.packs_are(packs)
    }

    fn push(&self, entries: &[(&[u8], Hash)]) -> Result<(), StoreError> {
        let mut edge = self.edge_mut()?;
        let mut entries = entries.iter();
        entries.try_for_each(|(entry, leaf)| edge.tail.push(entry, *leaf))
    }

    /// Takes note that so many packs are there: what they have is not kept in memory any more.
    fn packs_are(&self, packs: u64) -> Result<(), StoreError> {
        let mut edge = self.edge_mut()?;
        edge.packs = edge.packs.max(packs);
        edge.forget(self.shape)
    }

    fn edge(&self) -> Result<RwLockReadGuard<'_, Edge>, StoreError> {
        self.edge.read().map_err(|_| broken_edge())
    }

    fn edge_mut(&self) -> Result<RwLockWriteGuard<'_, Edge>, StoreError> {
        self.edge.write().map_err(|_| broken_edge())
    }
}

fn broken_edge() -> StoreError {
    StoreError::Inconsistent("a thread panicked while it changed the right edge")
}
