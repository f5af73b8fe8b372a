//! An entry with what its seal says of it: who states it, when, and by what authority.

use super::codec::CodecError;
use super::entry::{Entry, SealedEntry, SignedEntry, StateEntry};
use super::number::{Day, Index, TimeMs};
use super::statement::Statement;
use crate::crypto::PublicKey;

/// An entry that says all by itself, or a sealed one with its seal.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant)]
pub enum FullEntry {
    /// A record with its signatures.
    Signed(SignedEntry),
    /// A statement of a sealed batch.
    Sealed {
        /// The entry.
        entry: SealedEntry,
        /// The index of its seal.
        seal_index: Index,
        /// Its seal.
        seal: SignedEntry,
    },
    /// What the log says that earlier entries make.
    State(StateEntry),
}

/// What an entry states, and who states it.
#[derive(Clone, Copy, Debug)]
pub struct Stated<'a> {
    /// The statement.
    pub statement: &'a Statement,
    /// The record that is signed: the entry's own, or its seal's.
    pub signed: &'a SignedEntry,
    /// The earlier entries that this one stands on, besides those that the signed record's lineage
    /// names first.
    pub places: &'a [Option<Index>],
    /// The seal, if the statement is sealed.
    pub seal: Option<Index>,
}

impl FullEntry {
    /// Joins the entry at an index and its seal, which `read` gives if the entry is sealed.
    ///
    /// # Errors
    /// What `read` gives; [`CodecError::Malformed`] when what it reads is no seal of that many.
    pub fn join<E: From<CodecError>>(
        index: Index,
        entry: Entry,
        read: impl FnOnce(Index) -> Result<Entry, E>,
    ) -> Result<Self, E> {
        let sealed = match entry {
            Entry::Signed(entry) => return Ok(Self::Signed(entry)),
            Entry::State(entry) => return Ok(Self::State(entry)),
            Entry::Sealed(sealed) => sealed,
        };
        let wrong = |what: String| E::from(CodecError::Malformed(what));
        let seal_index = sealed.seal_index(index);
        let seal_index = seal_index.ok_or_else(|| wrong("it has no seal".to_owned()))?;
        Self::sealed(sealed, seal_index, read(seal_index)?).map_err(E::from)
    }

    /// A sealed entry with its seal.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] when the second entry is no seal, or signs too few before it.
    pub fn sealed(entry: SealedEntry, seal_index: Index, seal: Entry) -> Result<Self, CodecError> {
        let ahead = u32::from(entry.ahead());
        match seal {
            Entry::Signed(seal)
                if matches!(&seal.signed.record().statement,
                    Statement::Seal(said) if ahead <= said.count) =>
            {
                Ok(Self::Sealed {
                    entry,
                    seal_index,
                    seal,
                })
            }
            _ => Err(CodecError::Malformed(format!(
                "entry {seal_index} is not its seal"
            ))),
        }
    }

    /// What the entry states; `None` for a state entry, which nobody states.
    pub fn stated(&self) -> Option<Stated<'_>> {
        match self {
            Self::Signed(entry) => Some(Stated {
                statement: &entry.signed.record().statement,
                signed: entry,
                places: entry.lineage.places(),
                seal: None,
            }),
            Self::Sealed {
                entry,
                seal_index,
                seal,
            } => Some(Stated {
                statement: entry.statement().statement(),
                signed: seal,
                places: entry.places(),
                seal: Some(*seal_index),
            }),
            Self::State(_) => None,
        }
    }

    /// When it was taken in.
    pub fn admitted_at(&self) -> TimeMs {
        match self {
            Self::Signed(entry) => entry.admitted_at,
            Self::Sealed { seal, .. } => seal.admitted_at,
            Self::State(entry) => entry.admitted_at,
        }
    }
}

impl<'a> Stated<'a> {
    /// The key of the issuer.
    pub fn issuer(&self) -> &'a PublicKey {
        &self.signed.signed.record().issuer
    }

    /// The day of signing.
    pub fn issued_on(&self) -> Day {
        self.signed.signed.record().issued_on
    }

    /// When it was taken in.
    pub fn admitted_at(&self) -> TimeMs {
        self.signed.admitted_at
    }

    /// The whole lineage, as a signed entry would have it.
    pub fn lineage(&self) -> Vec<Option<Index>> {
        let lineage = &self.signed.lineage;
        let mut indexes: Vec<_> = lineage.indexes().iter().take(2).copied().collect();
        indexes.extend(self.places);
        indexes
    }
}
