//! Entries that are checked alone, on any thread.

use std::sync::Arc;

use super::{ReplayError, Signatures, Violation};
use crate::crypto::{KnownKeys, SignatureBatch};
use crate::merkle::{Hash, leaf_hash};
use crate::record::{CodecError, Entry, Origin, RecordId, SigningContext};

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
/// signatures hold. Can be made on any thread. It is handed from hand to hand, so it is a pointer.
#[derive(Clone, Debug)]
pub struct CheckedEntry(Box<Checked>);

#[derive(Clone, Debug)]
struct Checked {
    entry: Entry,
    id: Option<RecordId>,
    leaf: Hash,
    statement_leaf: Option<Hash>,
}

impl CheckedEntry {
    /// The entry.
    pub fn entry(&self) -> &Entry {
        &self.0.entry
    }

    /// The id of the entry's record, if it is a signed one.
    pub fn id(&self) -> Option<RecordId> {
        self.0.id
    }

    /// The statement's leaf hash in its seal's tree, if it is a sealed one.
    pub fn statement_leaf(&self) -> Option<Hash> {
        self.0.statement_leaf
    }

    /// The entry's leaf hash.
    pub fn leaf(&self) -> Hash {
        self.0.leaf
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
        let entries = entries.into_iter();
        self.check_hashed(entries.map(|bytes| (bytes, leaf_hash(bytes))))
    }

    /// As [`Self::check_all`], of entries whose leaf hashes are known.
    pub fn check_hashed<'a>(
        &self,
        entries: impl IntoIterator<Item = (&'a [u8], Hash)>,
    ) -> Vec<Result<CheckedEntry, EntryFault>> {
        let mut checked: Vec<_> = entries
            .into_iter()
            .map(|(bytes, leaf)| self.decode(bytes, leaf))
            .collect();
        if self.signatures == Signatures::Verify {
            let mut batch = SignatureBatch::default();
            let entries = checked.iter().flatten();
            for signed in entries.filter_map(|checked| checked.entry().signed()) {
                signed.signed.add_to(&self.context, &self.keys, &mut batch);
            }
            let mut verdicts = batch.verdicts().into_iter();
            for result in &mut checked {
                if let Ok(checked) = result
                    && let Some(signed) = checked.entry().signed()
                    && let Err(refusal) = signed.signed.check_verdicts(&mut verdicts)
                {
                    *result = Err(EntryFault::Wrong(refusal.to_string()));
                }
            }
        }
        checked
    }

    fn decode(&self, bytes: &[u8], leaf: Hash) -> Result<CheckedEntry, EntryFault> {
        let entry = Entry::decode(bytes)?;
        let id = entry.signed();
        let id = id.map(|signed| self.context.id(signed.signed.bytes()));
        let statement_leaf = match &entry {
            Entry::Sealed(sealed) => Some(leaf_hash(sealed.statement().bytes())),
            Entry::Signed(_) | Entry::State(_) => None,
        };
        Ok(CheckedEntry(Box::new(Checked {
            entry,
            id,
            leaf,
            statement_leaf,
        })))
    }
}
