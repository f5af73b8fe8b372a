//! What other auditors attested, held against the log: the roots that an attestation names are no rule of the ledger, since
//! what is in can't depend on them, and a reader of an attestation takes them for what was audited.

use bincode::{Decode, Encode};

use super::tiles::{TileFault, Tiles};
use crate::ledger::STATE_LAG_MAX;
use crate::record::{Attestation, Digest, Entry, Index};

/// An attestation, as far as it can be held against the log.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ObservedAttestation {
    /// The number of entries that it speaks of.
    pub size: u64,
    /// The root of the tree over them, by its word.
    pub tree_root: Digest,
    /// The root of the state after them, by its word.
    pub state_root: Digest,
    /// What the log has; `None` until that was looked at.
    pub compared: Option<Compared>,
}

/// What became of holding an attestation against the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Compared {
    /// Of the tree's root.
    pub tree: Agreement,
    /// Of the state's root.
    pub state: Agreement,
}

/// Whether what an attestation says is so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Agreement {
    /// It is.
    Same,
    /// It is not.
    Differs,
    /// No state entry speaks of just that size.
    Unknown,
}

impl Agreement {
    const fn of(is_same: bool) -> Self {
        if is_same { Self::Same } else { Self::Differs }
    }
}

impl ObservedAttestation {
    /// An attestation that nothing was compared of yet.
    pub fn new(said: &Attestation) -> Self {
        Self {
            size: said.size,
            tree_root: said.tree_root,
            state_root: said.state_root,
            compared: None,
        }
    }

    /// Holds it against a log that was replayed: by the rules it speaks of no entry behind itself.
    ///
    /// # Errors
    /// [`TileFault`], when the log can't be read again.
    pub fn compare(&self, tiles: &Tiles<'_>) -> Result<Compared, TileFault> {
        let tree = tiles.root_at(self.size)?;
        let state = match state_root_at(tiles, self.size)? {
            Some(root) => Agreement::of(root == *self.state_root.as_bytes()),
            None => Agreement::Unknown,
        };
        Ok(Compared {
            tree: Agreement::of(tree.as_bytes() == self.tree_root.as_bytes()),
            state,
        })
    }
}

/// The root of the state after so many entries, if a state entry says it: the replay found that one right.
fn state_root_at(tiles: &Tiles<'_>, size: u64) -> Result<Option<[u8; 32]>, TileFault> {
    let state_at = |index: u64| {
        let bytes = tiles.entry(Index(index))?;
        Ok(match Entry::decode(&bytes) {
            Ok(Entry::State(state)) => Some(state),
            Ok(Entry::Signed(_) | Entry::Sealed(_)) | Err(_) => None,
        })
    };
    // A state entry changes nothing of the state: after one that is the last, the state is what it says.
    if let Some(last) = size.checked_sub(1)
        && let Some(state) = state_at(last)?
        && state.size == last
    {
        return Ok(Some(state.root));
    }
    let end = tiles.head().size.min(size.saturating_add(STATE_LAG_MAX));
    for index in size..end {
        if let Some(state) = state_at(index)?
            && state.size >= size
        {
            return Ok((state.size == size).then_some(state.root));
        }
    }
    Ok(None)
}
