//! Replaying a ledger from its entries' bytes.

use std::collections::HashMap;

use crate::crypto::{PublicKey, VerifyingKey};
use crate::ledger::{Proposal, State};
use crate::merkle::{Frontier, leaf_hash};
use crate::note::TreeHead;
use crate::record::{Entry, Index, Origin, SigningContext, Statement};

/// Whether a replay verifies signatures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signatures {
    /// Every one, strictly.
    Verify,
    /// None: the bytes are known to be those that were signed for, as in recovery, which ends at
    /// a root that was signed.
    Trust,
}

/// An entry that should not be in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {index}: {what}")]
pub struct Violation {
    /// Which entry.
    pub index: u64,
    /// What is wrong with it.
    pub what: String,
}

/// A ledger on its way from its first entry to its last.
#[derive(Clone, Debug)]
pub struct Replay {
    context: SigningContext,
    signatures: Signatures,
    state: State,
    tree: Frontier,
    /// Keys that were decompressed and checked before; as many as the ledger has keys.
    known: HashMap<PublicKey, VerifyingKey>,
}

impl Replay {
    /// Begins before the genesis.
    pub fn new(origin: &Origin, signatures: Signatures) -> Self {
        Self::resume(
            State::empty(origin.clone()),
            Frontier::default(),
            signatures,
        )
    }

    /// Goes on from a state, with the tree over the same entries.
    pub fn resume(state: State, tree: Frontier, signatures: Signatures) -> Self {
        let context = SigningContext::new(&state.head().origin);
        Self {
            context,
            signatures,
            state,
            tree,
            known: HashMap::new(),
        }
    }

    /// Takes in the next entry, if everything about it is right: its encoding, its time, its
    /// lineage, the rules and, if asked for, its signatures. `earlier` gives the bytes of an
    /// earlier entry, for corrections.
    ///
    /// # Errors
    /// [`Violation`] names the entry and what is wrong. The replay is then as before.
    pub fn take(
        &mut self,
        bytes: &[u8],
        earlier: impl FnOnce(Index) -> Option<Vec<u8>>,
    ) -> Result<Entry, Violation> {
        let index = self.state.entries();
        let violation = |what: String| Violation { index, what };
        let entry = Entry::decode(bytes).map_err(|error| violation(error.to_string()))?;
        let last = self.state.head().last_admitted_at;
        if entry.admitted_at < last {
            return Err(violation(format!(
                "admitted at {} ms, before the entry before it at {last} ms",
                entry.admitted_at
            )));
        }
        if self.signatures == Signatures::Verify {
            let known = &mut self.known;
            entry
                .signed
                .verify(&self.context, |key| cached(known, key))
                .map_err(|refusal| violation(refusal.to_string()))?;
        }
        let target = match &entry.signed.record().statement {
            Statement::Correction(correction) if correction.target.0 < index => {
                earlier(correction.target).and_then(|bytes| Entry::decode(&bytes).ok())
            }
            _ => None,
        };
        let proposal = Proposal {
            signed: &entry.signed,
            id: self.context.id(entry.signed.bytes()),
            admitted_at: entry.admitted_at,
            target: target.as_ref(),
        };
        let lineage = self
            .state
            .judge(&proposal)
            .map_err(|refusal| violation(refusal.to_string()))?;
        if lineage != entry.lineage {
            return Err(violation(format!(
                "its lineage is {:?}, but what it stands on is {:?}",
                entry.lineage.indexes(),
                lineage.indexes()
            )));
        }
        self.state.apply(&proposal);
        self.tree.push(leaf_hash(bytes));
        Ok(entry)
    }

    /// Size and root of what was taken in.
    pub fn head(&self) -> TreeHead {
        TreeHead {
            size: self.tree.size(),
            root: self.tree.root(),
        }
    }

    /// The state so far.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Gives the state and the tree away.
    pub fn into_parts(self) -> (State, Frontier) {
        (self.state, self.tree)
    }
}

fn cached(known: &mut HashMap<PublicKey, VerifyingKey>, key: &PublicKey) -> Option<VerifyingKey> {
    if let Some(key) = known.get(key) {
        return Some(key.clone());
    }
    let checked = VerifyingKey::new(key).ok()?;
    known.insert(*key, checked.clone());
    Some(checked)
}
