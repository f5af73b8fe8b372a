//! Replaying a ledger from its entries' bytes.

use std::sync::Arc;

use crate::crypto::{KnownKeys, SignatureBatch};
use crate::ledger::{Candidate, Code, State};
use crate::merkle::{Frontier, Hash, leaf_hash};
use crate::note::TreeHead;
use crate::record::{CodecError, Entry, Index, LogHead, Origin, RecordId, SigningContext};

/// Whether a replay verifies signatures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signatures {
    /// Every one, strictly.
    Verify,
    /// None. The bytes are those that were verified before: recovery ends at a root that the log
    /// signed after it had verified them.
    Trust,
}

/// An entry that should not be in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {index}: {what}")]
pub struct Violation {
    /// The entry's index.
    pub index: u64,
    /// What is wrong with the entry.
    pub what: String,
}

/// Why a replay takes an entry not in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The entry should not be in the ledger.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The entry may be right or wrong: this software can't tell.
    #[error("entry {index} can't be checked: {what}")]
    Unsupported {
        /// The entry's index.
        index: u64,
        /// What this software does not know.
        what: String,
    },
}

/// Why an entry does not hold by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryFault {
    /// Its bytes or a signature are wrong.
    #[error("{0}")]
    Wrong(String),
    /// It is a genesis of another format.
    #[error("{0}")]
    OtherFormat(String),
}

impl EntryFault {
    /// The fault of the entry at an index. A log whose first entry is of another format may be right,
    /// and can't be checked here; where no genesis belongs, it is merely wrong.
    pub fn at(self, index: u64) -> ReplayError {
        match self {
            Self::OtherFormat(what) if index == 0 => ReplayError::Unsupported { index, what },
            Self::OtherFormat(what) | Self::Wrong(what) => Violation { index, what }.into(),
        }
    }
}

impl From<CodecError> for EntryFault {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::OtherFormat { .. } => Self::OtherFormat(error.to_string()),
            error => Self::Wrong(error.to_string()),
        }
    }
}

/// An entry that holds by itself, without the ledger's state: it decodes and, if asked for, its
/// signatures hold. Can be made on any thread.
#[derive(Clone, Debug)]
pub struct CheckedEntry {
    entry: Entry,
    id: RecordId,
    leaf: Hash,
}

impl CheckedEntry {
    /// The entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The id of the entry's record.
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// The entry's leaf hash.
    pub fn leaf(&self) -> Hash {
        self.leaf
    }
}

/// Checks entries by themselves. Clones share their cache of keys.
#[derive(Clone, Debug)]
pub struct Checker {
    context: SigningContext,
    signatures: Signatures,
    keys: Arc<KnownKeys>,
}

impl Checker {
    /// A checker of a log's entries.
    pub fn new(origin: &Origin, signatures: Signatures) -> Self {
        Self {
            context: SigningContext::new(origin),
            signatures,
            keys: Arc::default(),
        }
    }

    /// Decodes an entry and verifies its signatures.
    ///
    /// # Errors
    /// [`EntryFault`].
    pub fn check(&self, bytes: &[u8]) -> Result<CheckedEntry, EntryFault> {
        let nothing = || Err(EntryFault::Wrong("nothing was checked".to_owned()));
        self.check_all([bytes]).pop().unwrap_or_else(nothing)
    }

    /// As [`Self::check`], of many entries, which is quicker together: each entry or what is wrong with
    /// it, in their order.
    pub fn check_all<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a [u8]>,
    ) -> Vec<Result<CheckedEntry, EntryFault>> {
        let mut checked: Vec<_> = entries
            .into_iter()
            .map(|bytes| self.decode(bytes))
            .collect();
        if self.signatures == Signatures::Verify {
            let mut batch = SignatureBatch::default();
            for entry in checked.iter().flatten() {
                entry
                    .entry
                    .signed
                    .add_to(&self.context, &self.keys, &mut batch);
            }
            let mut verdicts = batch.verdicts().into_iter();
            for result in &mut checked {
                if let Ok(entry) = result
                    && let Err(refusal) = entry.entry.signed.check_verdicts(&mut verdicts)
                {
                    *result = Err(EntryFault::Wrong(refusal.to_string()));
                }
            }
        }
        checked
    }

    fn decode(&self, bytes: &[u8]) -> Result<CheckedEntry, EntryFault> {
        let entry = Entry::decode(bytes)?;
        let id = self.context.id(entry.signed.bytes());
        let leaf = leaf_hash(bytes);
        Ok(CheckedEntry { entry, id, leaf })
    }
}

/// A ledger that is replayed, entry by entry.
#[derive(Clone, Debug)]
pub struct Replay {
    checker: Checker,
    state: State,
    tree: Frontier,
}

impl Replay {
    /// A replay from the genesis on.
    pub fn new(origin: &Origin, signatures: Signatures) -> Self {
        Self::resume(
            State::empty(origin.clone()),
            Frontier::default(),
            signatures,
        )
    }

    /// A replay from a state on, with the tree over the same entries.
    pub fn resume(state: State, tree: Frontier, signatures: Signatures) -> Self {
        let checker = Checker::new(&state.globals().origin, signatures);
        Self {
            checker,
            state,
            tree,
        }
    }

    /// Takes in the next entry, after checking its encoding, its time, its lineage, the rules and, if
    /// asked for, its signatures. `earlier` returns the bytes of an earlier entry, for corrections.
    ///
    /// # Errors
    /// [`ReplayError`] names the entry and what is wrong. The replay must not be used any more.
    pub fn take(
        &mut self,
        bytes: &[u8],
        earlier: impl FnOnce(Index) -> Option<Vec<u8>>,
    ) -> Result<Entry, ReplayError> {
        let index = self.state.entries();
        let checked = self.checker.check(bytes).map_err(|fault| fault.at(index))?;
        self.take_checked(&checked, earlier)?;
        Ok(checked.entry)
    }

    /// As [`Self::take`], of an entry that a [`Checker`] has checked already.
    ///
    /// # Errors
    /// [`ReplayError`], as [`Self::take`].
    pub fn take_checked(
        &mut self,
        checked: &CheckedEntry,
        earlier: impl FnOnce(Index) -> Option<Vec<u8>>,
    ) -> Result<(), ReplayError> {
        let index = self.state.entries();
        let entry = &checked.entry;
        let violation = |what: String| ReplayError::from(Violation { index, what });
        let last = self.state.globals().last_admitted_at;
        if entry.admitted_at < last {
            return Err(violation(format!(
                "admitted at {} ms, before the entry before it at {last} ms",
                entry.admitted_at
            )));
        }
        let target = match entry.signed.record().statement.target() {
            Some(target) if target.0 < index => earlier(target)
                .map(|bytes| Entry::decode(&bytes))
                .transpose()
                .map_err(|error| {
                    violation(format!("entry {target}, which it corrects: {error}"))
                })?,
            // The rules refuse a correction of an entry that is not there.
            Some(_) | None => None,
        };
        let target = target.as_ref().map(|target| (&target.signed).into());
        let candidate = Candidate::signed(&entry.signed, checked.id, entry.admitted_at, target);
        let lineage = self
            .state
            .judge(&candidate)
            .map_err(|refusal| match refusal.code {
                Code::MldsaUnsupported => {
                    let what = refusal.to_string();
                    ReplayError::Unsupported { index, what }
                }
                _ => violation(refusal.to_string()),
            })?;
        if lineage != entry.lineage {
            return Err(violation(format!(
                "its lineage is {:?}, but what it stands on is {:?}",
                entry.lineage.indexes(),
                lineage.indexes()
            )));
        }
        self.state.apply(&candidate).map_err(|broken| {
            violation(format!(
                "it breaks an invariant of the ledger: {}",
                broken.what
            ))
        })?;
        self.tree.push(checked.leaf);
        Ok(())
    }

    /// The head of the log with the entries taken in.
    pub fn head(&self) -> LogHead {
        LogHead::without_state(TreeHead::of(&self.tree))
    }

    /// The state after the entries taken in.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The tree over the entries taken in.
    pub fn tree(&self) -> &Frontier {
        &self.tree
    }

    /// The replay's checker, for other threads.
    pub fn checker(&self) -> &Checker {
        &self.checker
    }

    /// Returns the state and the tree.
    pub fn into_parts(self) -> (State, Frontier) {
        (self.state, self.tree)
    }
}
