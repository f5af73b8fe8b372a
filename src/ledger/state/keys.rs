//! Keys, their tasks and chains, and the governors in force.

use bincode::{Decode, Encode};

use super::domains::{MarkPlace, digested, key_place};
use super::{HolderNumber, State};
use crate::crypto::PublicKey;
use crate::ledger::broken::{Contradiction, absent, present};
use crate::ledger::trie::Path;
use crate::ledger::trie::{Leaf, TrieError, Value};
use crate::record::{Day, Index, RecordId, Role, Seq, Slug, Text};

/// Of every issuer's chain the entry of each record whose seq is a multiple of this is kept in the
/// state: whoever looks for an older record walks at most so many records back. A mark takes 48 bytes
/// and its place in a map, some 250 bytes for a thousand entries.
pub const SEQS_PER_MARK: u64 = 256;

/// The governors in force.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Council {
    /// The governors' keys.
    pub governors: Vec<PublicKey>,
    /// How many governors must sign what governors state.
    pub quorum: u8,
    /// The entry that states this set: the genesis, or a `governors`.
    pub stated_at: Index,
}

/// The task of a key. It never changes: a key that lost its task gets no other.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum KeyRole {
    /// The key governs, or did.
    Governor,
    /// The key signs checkpoints, or did.
    Log,
    /// The key was granted a role.
    Issuer {
        /// The role that was granted.
        role: Role,
        /// Who holds the key.
        holder: Slug,
        /// The holder's number.
        holder_number: HolderNumber,
        /// The holder's name for people.
        display_name: Text<100>,
    },
}

impl KeyRole {
    /// The holder of a granted key.
    pub fn holder_number(&self) -> Option<HolderNumber> {
        match self {
            Self::Issuer { holder_number, .. } => Some(*holder_number),
            Self::Governor | Self::Log => None,
        }
    }
}

/// The newest record of an issuer. Its sequence number is never the last one that there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ChainHead {
    /// The record's sequence number.
    pub seq: Seq,
    /// The record's id.
    pub id: RecordId,
    /// The record's entry.
    pub index: Index,
    /// The record's day of issue: the next one's is not before it.
    pub issued_on: Day,
}

/// A key that has, or had, a task.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct KeyState {
    /// The key.
    pub key: PublicKey,
    /// The key's task.
    pub role: KeyRole,
    /// The entry that gave the key its task.
    pub granted_at: Index,
    /// The id of that entry's record: `prev` of the key's first record.
    pub granted_id: RecordId,
    /// The last day on which what the key signs is admitted, if there is one.
    pub expires_on: Option<Day>,
    /// The entry that revoked the key, if it was revoked.
    pub revoked_at: Option<Index>,
    /// The day since which what the key signed is in doubt, if the revocation names one.
    pub compromised_since: Option<Day>,
    /// The last entry about the key: its grant, or its revocation.
    pub last_entry: Index,
    /// The key's newest record, if it issued any.
    pub head: Option<ChainHead>,
}

impl Value for KeyState {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        let revoked = self.revoked_at.is_some();
        digested((!revoked).into(), revoked.into(), self.granted_at, self)
    }
}

impl KeyState {
    /// The sequence number and `prev` of the key's next record.
    pub fn next(&self) -> (Seq, RecordId) {
        match &self.head {
            Some(head) => (Seq(head.seq.0 + 1), head.id),
            None => (Seq(0), self.granted_id),
        }
    }
}

impl State {
    /// A key; `None` if it never had a task.
    pub fn key(&self, key: &PublicKey) -> Option<&KeyState> {
        self.key_at(&key_place(key))
    }

    /// The key at a place.
    pub(in crate::ledger) fn key_at(&self, place: &Path) -> Option<&KeyState> {
        self.keys.get(place)
    }

    /// All keys that ever had a task, in no order that means anything.
    pub fn keys(&self) -> impl Iterator<Item = &KeyState> {
        self.keys.iter().map(|(_, key)| key)
    }

    /// The keys that ever had a task, in the order of their places among the keys, behind that of a key
    /// or from the first on.
    pub fn keys_behind(&self, after: Option<&PublicKey>) -> impl Iterator<Item = &KeyState> {
        let after = after.map(key_place);
        let from = after.unwrap_or(Path::from_bytes([0; 32]));
        let keys = self.keys.range(from..=Path::from_bytes([0xff; 32]));
        let behind = keys.filter(move |(place, _)| Some(*place) != after);
        behind.map(|(_, key)| key)
    }

    /// Changes a key; `None` if it never had a task.
    #[must_use = "nothing changes if there is no such key"]
    pub(in crate::ledger) fn change_key<T>(
        &mut self,
        key: &PublicKey,
        change: impl FnOnce(&mut KeyState) -> T,
    ) -> Option<T> {
        self.keys.update(&key_place(key), change)
    }

    /// The task of a key.
    pub(in crate::ledger) fn role_of(&self, key: &PublicKey) -> Option<&KeyRole> {
        self.key(key).map(|key| &key.role)
    }

    /// Who holds a key that was granted a role.
    pub(in crate::ledger) fn holder_of(&self, key: &PublicKey) -> Option<&Slug> {
        match self.role_of(key) {
            Some(KeyRole::Issuer { holder, .. }) => Some(holder),
            Some(KeyRole::Governor | KeyRole::Log) | None => None,
        }
    }

    /// Whether a key is a governor's in force.
    pub(in crate::ledger) fn is_governor(&self, key: &PublicKey) -> bool {
        self.globals.council.governors.contains(key)
    }

    /// Gives a key its task, by the entry `granted_at` of the record `granted_id`.
    pub(in crate::ledger) fn add_key(
        &mut self,
        key: PublicKey,
        role: KeyRole,
        granted_at: Index,
        granted_id: RecordId,
        expires_on: Option<Day>,
    ) -> Result<(), Contradiction> {
        let granted = KeyState {
            key,
            role,
            granted_at,
            granted_id,
            expires_on,
            revoked_at: None,
            compromised_since: None,
            last_entry: granted_at,
            head: None,
        };
        absent(
            self.keys.insert(key_place(&key), granted),
            "a key that gets its task",
        )
    }

    /// Makes a record the newest of its issuer.
    pub(in crate::ledger) fn advance_chain(
        &mut self,
        issuer: &PublicKey,
        head: ChainHead,
    ) -> Result<(), Contradiction> {
        if head.seq == Seq(u64::MAX) {
            return Err(Contradiction::new("an issuer's sequence numbers ran out"));
        }
        let advanced = self.change_key(issuer, |key| key.head = Some(head));
        present(advanced, "the issuer's key")?;
        if !head.seq.0.is_multiple_of(SEQS_PER_MARK) {
            return Ok(());
        }
        let before = self
            .chain_marks
            .insert(MarkPlace::of(issuer, head.seq), head.index);
        absent(before, "the mark of an issuer's new record")
    }

    /// The seq and entry of an issuer's first record at or after a seq that is a mark or the newest
    /// record, `head`: from there the chain leads back to that seq in less than [`SEQS_PER_MARK`]
    /// steps. `None` if the chain, as far as `head`, does not reach the seq.
    pub fn mark_from(
        &self,
        issuer: &PublicKey,
        seq: Seq,
        head: &ChainHead,
    ) -> Option<(Seq, Index)> {
        let marked = seq.0.checked_next_multiple_of(SEQS_PER_MARK).map(Seq);
        match marked.filter(|marked| *marked <= head.seq) {
            Some(marked) => {
                let index = self.chain_marks.get(&MarkPlace::of(issuer, marked))?;
                Some((marked, *index))
            }
            None => (seq <= head.seq).then_some((head.seq, head.index)),
        }
    }

    /// Puts a set of governors in force; keys that are new become governors'.
    pub(in crate::ledger) fn set_council(
        &mut self,
        governors: &[PublicKey],
        quorum: u8,
        stated_at: Index,
        stated_id: RecordId,
    ) -> Result<(), Contradiction> {
        for key in governors {
            if self.key(key).is_none() {
                self.add_key(*key, KeyRole::Governor, stated_at, stated_id, None)?;
            }
        }
        self.globals.council = Council {
            governors: governors.to_vec(),
            quorum,
            stated_at,
        };
        Ok(())
    }
}
