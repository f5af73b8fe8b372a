//! The chain of commits: which process may append, and what a reader takes for the log.
//!
//! Each of the objects `commit/0`, `commit/1`, … holds a batch of entries or a fence. To create
//! `commit/N` is to commit it: a name is created once, so no other process can. A process leads from
//! the moment when its fence landed. The store refuses what another process sends for a place that a
//! fence has, however late the request comes. So no two leaders both commit, and this does not rest
//! on a clock.
//!
//! What is in packs is deleted from the chain, and then names are free again. Three rules keep a
//! late request from being taken for a part of the log. `tests/chain_model.rs` shows that each is
//! needed:
//!
//! 1. **Fences are never deleted** ([`super::sweep`]). A leader that was stopped in the middle of a
//!    commit may send it an hour later. The place that its commit was meant for has its own commit,
//!    or the fence that deposed it. If that fence were gone, the late commit would land, and its
//!    sender would sign a second history.
//! 2. **A candidate looks for a floor after its fence landed** ([`Chain::fence`]). Its fence may
//!    land late too: at a place that had a batch, which is in packs by now. Before that batch is
//!    deleted, a floor above it is created. So a candidate that finds no floor above its fence after
//!    the fence landed has fenced the end of the chain; a candidate that finds one has fenced
//!    nothing, and the fence is void. A look before the fence lands would prove nothing about the
//!    moment when it lands.
//! 3. **A reader that finds a fence, or nothing, looks for a floor above it** ([`Chain::step`]). The
//!    fence may be a void one, and nothing may mean that the object was packed and deleted. With a
//!    floor above, what is below that floor is read from packs. A batch needs no such look: only the
//!    session that the place before it belongs to ever creates one, with the same bytes each time,
//!    or else the place has a fence.
//!
//! The third rule holds for a leader too, when its commit meets another object: a void fence may
//! stand where its own commit landed, was packed and deleted. Only without a floor above does that
//! fence say that nothing of the commit was kept.

use std::sync::Arc;

use super::commit::{Commit, Content, Session};
use super::floor::Floor;
use super::settle::{Patience, Settled, settle};
use super::{BlobError, Blobs, names};
use crate::merkle::{Bundle, Frontier, leaf_hash};
use crate::note::TreeHead;
use crate::record::{LogHead, Origin};
use crate::store::{Batch, Bytes, StoreError};

/// The version of the objects that this software reads and writes.
const FORMAT: &str = "arborlog blobs 1";
/// Longest part of a version that an error shows, in characters.
const SHOWN_CHARS_MAX: usize = 100;

/// The chain up to some place, as one process has read or written it.
#[derive(Debug)]
pub struct Chain {
    blobs: Arc<dyn Blobs>,
    patience: Patience,
    /// The first place that was not taken in.
    next: u64,
    /// Whose the object before `next` is; `None` at the beginning.
    session: Option<Session>,
    /// The head before `next`.
    head: LogHead,
    /// The tree of `head`.
    tree: Frontier,
    /// This process's session while it leads. Taken out while a request of this process is under
    /// way, and put back when its outcome is certain: a future that is dropped in between leaves a
    /// process that does not lead.
    leading: Option<Session>,
}

/// What comes next in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Entries.
    Batch(Batch),
    /// From here on this session commits, and no other.
    Fence(Session),
    /// What comes next is below this floor: its entries are in packs. Nothing was taken in.
    Below(Box<Floor>),
    /// There is no more so far.
    End,
}

/// What became of a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fencing {
    /// This process leads.
    Leads,
    /// Another object is at that place: read on.
    Beaten,
    /// It landed at a place that is in packs by now, where it fences nothing: read on.
    Void,
}

/// What became of a batch.
#[derive(Debug, Clone)]
pub enum Committed {
    /// It is in the log, durably.
    Committed,
    /// The batch extends another head than this one. Nothing was sent.
    Moved(LogHead),
    /// Another session's fence is at its place: nothing of the batch was kept, or ever will be.
    Deposed(Session),
    /// This process does not lead. Nothing was sent.
    NotLeading,
    /// The batch is wrong. Nothing was sent.
    Refused(StoreError),
    /// The batch may be in the log, or come into it later. Read on, and fence before the next
    /// commit: then it is decided.
    Unknown(StoreError),
}

impl Chain {
    /// Begins a log in a store that has none: names its version and origin, once. That of the same
    /// origin is left as it is, so that a beginning that broke off can be repeated.
    ///
    /// # Errors
    /// [`StoreError`], also when the store has another log.
    pub async fn init(
        blobs: &dyn Blobs,
        origin: &Origin,
        patience: Patience,
    ) -> Result<(), StoreError> {
        let version = version(origin);
        match settle(blobs, names::VERSION, &version, patience).await? {
            Settled::Ours => Ok(()),
            Settled::Others(found) => Err(other_version(blobs, &found, &version)),
        }
    }

    /// The origin of the log in a store, as its version names it.
    ///
    /// # Errors
    /// [`StoreError`] when there is none, or one of another version of this software.
    pub async fn origin(blobs: &dyn Blobs, patience: Patience) -> Result<Origin, StoreError> {
        let ask = || blobs.get(names::VERSION, None);
        let found = patience.ask(names::VERSION, ask).await?;
        let found = found.ok_or_else(|| StoreError::NoLog(blobs.address()))?;
        let text = std::str::from_utf8(&found).ok();
        let named = text.and_then(|text| text.strip_prefix(FORMAT)?.trim().parse().ok());
        named
            .filter(|origin| version(origin) == found)
            .ok_or_else(|| other_version(blobs, &found, FORMAT.as_bytes()))
    }

    /// The chain of a log before its first object, to read all of it.
    ///
    /// # Errors
    /// [`StoreError`] when the store has no log, or another.
    pub async fn open(
        blobs: Arc<dyn Blobs>,
        origin: &Origin,
        patience: Patience,
    ) -> Result<Self, StoreError> {
        let chain = Self {
            blobs,
            patience,
            next: 0,
            session: None,
            head: LogHead::empty(),
            tree: Frontier::default(),
            leading: None,
        };
        let expected = version(origin);
        match chain.get(names::VERSION).await? {
            Some(found) if found == expected => Ok(chain),
            Some(found) => Err(other_version(&*chain.blobs, &found, &expected)),
            None => Err(StoreError::NoLog(chain.blobs.address())),
        }
    }

    /// The store.
    pub fn blobs(&self) -> &Arc<dyn Blobs> {
        &self.blobs
    }

    /// How long the store is asked.
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// The first place that was not taken in.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whose the object before [`Self::next`] is.
    pub fn session(&self) -> Option<Session> {
        self.session
    }

    /// The head of the log as far as it was taken in.
    pub fn head(&self) -> LogHead {
        self.head
    }

    /// The tree of [`Self::head`].
    pub fn tree(&self) -> &Frontier {
        &self.tree
    }

    /// Whether this process may commit.
    pub fn leads(&self) -> bool {
        self.leading.is_some()
    }

    /// Commits nothing more until the next fence of this process landed.
    pub(super) fn stand_down(&mut self) {
        self.leading = None;
    }

    /// Takes in what comes next. A process that led and finds something leads no more.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was taken in.
    pub async fn step(&mut self) -> Result<Step, StoreError> {
        let name = names::commit(self.next);
        let found = match self.get(&name).await? {
            Some(bytes) => Some(self.decode(&bytes)?),
            None => None,
        };
        if found.is_some() {
            self.leading = None;
        }
        let (session, head) = match found {
            Some(Commit {
                session,
                content: Content::Batch(batch),
                ..
            }) => {
                // Nobody but the session of the place before sends a batch.
                if self.session != Some(session) {
                    let what = "it is a batch of a session that the chain before it is not of";
                    return Err(self.damaged(&name, what));
                }
                let Some(tree) = self.extended(&batch) else {
                    let what = "its entries do not lead from the head before it to its own";
                    return Err(self.damaged(&name, what));
                };
                self.advance(session, tree, batch.to);
                return Ok(Step::Batch(batch));
            }
            Some(Commit {
                session,
                content: Content::Fence(head),
                ..
            }) => (Some(session), head),
            None => (None, self.head),
        };
        // Rule 3.
        if let Some(floor) = self.newest_floor_above(self.next).await? {
            return Ok(Step::Below(Box::new(floor)));
        }
        let Some(session) = session else {
            return Ok(Step::End);
        };
        if head != self.head {
            return Err(self.damaged(&name, "it is a fence behind another head"));
        }
        self.advance(session, self.tree.clone(), head);
        Ok(Step::Fence(session))
    }

    /// Goes on at a floor, with the tree that the entries below it led to.
    ///
    /// # Errors
    /// [`StoreError::DamagedObject`] if that is another than the floor's; then nothing was changed.
    pub fn jump(&mut self, floor: &Floor, tree: Frontier) -> Result<(), StoreError> {
        let head = LogHead::without_state(TreeHead::of(&tree));
        if tree != floor.tree || head != floor.head || floor.seq < self.next {
            let what = "the entries in packs do not lead to its root";
            return Err(self.damaged(&names::floor(floor.seq), what));
        }
        self.leading = None;
        self.next = floor.seq;
        self.session = Some(floor.session);
        self.head = floor.head;
        self.tree = tree;
        Ok(())
    }

    /// Creates a fence at the next place: the leader before commits nothing more.
    ///
    /// A crash before the fence landed leaves nothing, or a fence that lands later; after it, a
    /// fence behind which nobody commits, until the next candidate puts its own there.
    ///
    /// # Errors
    /// [`StoreError`] when it is unknown whether the fence landed, or whether it is void: read on.
    pub async fn fence(&mut self) -> Result<Fencing, StoreError> {
        self.leading = None;
        let session = Session::draw()?;
        let fence = Commit::new(self.next, session, Content::Fence(self.head))?;
        let name = names::commit(self.next);
        match settle(&*self.blobs, &name, &fence.encode(), self.patience).await? {
            Settled::Others(_) => return Ok(Fencing::Beaten),
            Settled::Ours => {}
        }
        // Rule 2: not before this line, for the fence may have landed just now.
        if self.first_floor_after(self.next).await?.is_some() {
            return Ok(Fencing::Void);
        }
        self.advance(session, self.tree.clone(), self.head);
        self.leading = Some(session);
        Ok(Fencing::Leads)
    }

    /// Appends a batch, if this process leads. Only after [`Committed::Committed`] may anything be
    /// signed or answered that stands on it.
    ///
    /// A crash before the object landed leaves nothing, or an object that lands later; after it, a
    /// commit that nobody was told of, which every reader takes in, and a sender of the same
    /// records is told its place. A process that is stopped here for an hour finds its own object, or
    /// the fence of another, when it is continued.
    pub async fn commit(&mut self, batch: &Batch) -> Committed {
        let Some(session) = self.leading.take() else {
            return Committed::NotLeading;
        };
        if batch.from != self.head {
            self.leading = Some(session);
            return Committed::Moved(self.head);
        }
        let Some(tree) = self
            .extended(batch)
            .filter(|tree| tree.size() > self.tree.size())
        else {
            self.leading = Some(session);
            return Committed::Refused(StoreError::Contradiction);
        };
        match self.send(session, batch).await {
            Ok(None) => {
                self.advance(session, tree, batch.to);
                self.leading = Some(session);
                Committed::Committed
            }
            Ok(Some(by)) => Committed::Deposed(by),
            Err(error) => Committed::Unknown(error),
        }
    }

    /// Creates the object of a batch; gives the session that has its place instead.
    async fn send(&self, session: Session, batch: &Batch) -> Result<Option<Session>, StoreError> {
        let commit = Commit::new(self.next, session, Content::Batch(batch.clone()))?;
        let name = names::commit(self.next);
        let found = match settle(&*self.blobs, &name, &commit.encode(), self.patience).await? {
            Settled::Ours => return Ok(None),
            Settled::Others(bytes) => self.decode(&bytes)?,
        };
        if !matches!(found.content, Content::Fence(_)) || found.session == session {
            let what = "it is no other session's fence, though this session led up to here";
            return Err(self.damaged(&name, what));
        }
        // Rule 3: the batch may have landed with an earlier attempt, and be in packs by now.
        if self.first_floor_after(self.next).await?.is_some() {
            let what = "a fence that came late is in its place, and what was there is in packs";
            return Err(BlobError::unclear(name, what).into());
        }
        Ok(Some(found.session))
    }

    /// The tree with a batch's entries, if the batch extends this head and leads to its own.
    fn extended(&self, batch: &Batch) -> Option<Frontier> {
        let bundle = Bundle::parse_all(&batch.entries).ok()?;
        let mut tree = self.tree.clone();
        for entry in bundle.entries() {
            tree.push(leaf_hash(entry));
        }
        (batch.from == self.head && LogHead::without_state(TreeHead::of(&tree)) == batch.to)
            .then_some(tree)
    }

    fn advance(&mut self, session: Session, tree: Frontier, head: LogHead) {
        self.next += 1;
        self.session = Some(session);
        self.tree = tree;
        self.head = head;
    }

    /// The newest floor above a place, if there is one.
    pub(super) async fn newest_floor_above(&self, seq: u64) -> Result<Option<Floor>, StoreError> {
        let Some(mut newest) = self.first_floor_after(seq).await? else {
            return Ok(None);
        };
        // There may be millions. Steps of twice the length, until there is none behind; then of
        // half the length.
        let (mut step, mut growing) = (1_u64, true);
        loop {
            match self.first_floor_after(newest.saturating_add(step)).await? {
                Some(later) => newest = later,
                None if step == 0 => break,
                None => growing = false,
            }
            step = if growing {
                step.saturating_mul(2)
            } else {
                step / 2
            };
        }
        let name = names::floor(newest);
        // Floors are never deleted.
        let bytes = self.get(&name).await?;
        let bytes = bytes.ok_or_else(|| self.damaged(&name, "it was listed, but is not there"))?;
        let floor = Floor::decode(&bytes).map_err(|what| self.damaged(&name, what))?;
        let shrinks = newest > self.next && floor.head.tree.size < self.tree.size();
        if floor.seq != newest || shrinks {
            return Err(self.damaged(&name, "it speaks of another place of the chain"));
        }
        Ok(Some(floor))
    }

    /// The place of the first floor behind a place.
    async fn first_floor_after(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        let after = names::floor(seq);
        let ask = || self.blobs.list_after(names::FLOORS, &after, 1);
        let found = self.patience.ask(names::FLOORS, ask).await?;
        let Some(name) = found.first() else {
            return Ok(None);
        };
        match names::number_in(names::FLOORS, name) {
            Some(seq) => Ok(Some(seq)),
            None => Err(self.damaged(name, "its name is no floor's")),
        }
    }

    /// The bytes of an object.
    pub(super) async fn get(&self, name: &str) -> Result<Option<Bytes>, BlobError> {
        self.patience.ask(name, || self.blobs.get(name, None)).await
    }

    /// The object at the next place.
    fn decode(&self, bytes: &[u8]) -> Result<Commit, StoreError> {
        let name = names::commit(self.next);
        let commit = Commit::decode(bytes).map_err(|what| self.damaged(&name, what))?;
        if commit.seq != self.next {
            return Err(self.damaged(&name, "it is of another place of the chain"));
        }
        Ok(commit)
    }

    /// An error of an object's bytes.
    pub(super) fn damaged(&self, name: &str, what: &str) -> StoreError {
        StoreError::damaged_object(&*self.blobs, name, what)
    }
}

/// The bytes of `VERSION`.
fn version(origin: &Origin) -> Bytes {
    Bytes::from(format!("{FORMAT}\n{origin}\n"))
}

fn other_version(blobs: &dyn Blobs, found: &[u8], expected: &[u8]) -> StoreError {
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.chars().take(SHOWN_CHARS_MAX).collect::<String>()
    };
    StoreError::OtherLog {
        address: blobs.address(),
        found: text(found),
        expected: text(expected),
    }
}
