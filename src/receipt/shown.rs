//! Entries that are shown beside the items of a state entry's receipt: all are in the checkpoint's tree by
//! one list of hashes, each is signed, and a sealed one's seal is shown too.

use std::collections::BTreeMap;

use bincode::de::Decoder;
use bincode::error::DecodeError;
use bincode::{Decode, Encode};

use super::ReceiptError;
use super::bounds::{SHOWN_MAX, SIBLINGS_MAX};
use crate::merkle::{Hash, ProofError, inclusion_ranges, joint_ranges, leaf_hash, verify_joint};
use crate::note::TreeHead;
use crate::record::{
    ENTRY_BYTES_MAX, Entry, FullEntry, Index, SealedEntry, SignedEntry, SigningContext, Statement,
    decode_bytes, decode_list,
};

/// The first bytes of a sealed entry.
const SEALED_FORM: [u8; 2] = [0, 2];

/// An entry that is shown, as it was read or made.
#[derive(Clone, PartialEq, Eq, Debug, Encode)]
pub struct ShownEntry {
    /// The entry's index.
    pub index: Index,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// Of a sealed entry, the inclusion proof of its statement in its seal's root.
    pub siblings: Vec<[u8; 32]>,
}

impl<C> Decode<C> for ShownEntry {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Self {
            index: Decode::decode(decoder)?,
            entry: decode_bytes(decoder, ENTRY_BYTES_MAX)?,
            siblings: decode_list(decoder, SIBLINGS_MAX)?,
        })
    }
}

/// Entries that are proven, by their indexes.
pub(super) type Opened = BTreeMap<Index, FullEntry>;

/// What is wrong with the form of the list, if anything is: what a reader refuses before all else.
pub(super) fn unreadable(shown: &[ShownEntry]) -> Option<&'static str> {
    let ascend = |pair: &[ShownEntry; 2]| {
        let [first, second] = pair;
        first.index < second.index
    };
    if shown.len() > SHOWN_MAX {
        Some("it shows more entries than a receipt may")
    } else if !shown.array_windows().all(ascend) {
        Some("the entries that it shows do not ascend")
    } else if shown.iter().any(|entry| {
        entry.siblings.len() > SIBLINGS_MAX
            || (!entry.siblings.is_empty() && !entry.entry.starts_with(&SEALED_FORM))
    }) {
        Some("an entry has siblings under a seal that it can't have")
    } else {
        None
    }
}

/// Checks the form of the list, and that there are as many hashes as the places of the entries ask for.
pub(super) fn check_length(
    shown: &[ShownEntry],
    hashes: usize,
    size: u64,
) -> Result<(), ReceiptError> {
    // A receipt that was made, and not read, may have any form.
    if let Some(what) = unreadable(shown) {
        return Err(ReceiptError::Malformed(what.to_owned()));
    }
    let Some(first) = shown.first() else {
        return match hashes {
            0 => Ok(()),
            _ => Err(ReceiptError::Malformed(
                "it has hashes for entries that it does not show".to_owned(),
            )),
        };
    };
    let unproven = |error| ReceiptError::NotIncluded {
        index: first.index,
        error,
    };
    let indexes: Vec<u64> = shown.iter().map(|entry| entry.index.0).collect();
    let needed = joint_ranges(&indexes, size).map_err(unproven)?.len();
    if hashes == needed {
        return Ok(());
    }
    Err(unproven(ProofError::Length { found: hashes }))
}

/// Proves all entries, in their order: their places, their signatures, their seals.
pub(super) fn open(
    context: &SigningContext,
    head: TreeHead,
    shown: &[ShownEntry],
    hashes: &[[u8; 32]],
) -> Result<Opened, ReceiptError> {
    let Some(first) = shown.first() else {
        return Ok(Opened::new());
    };
    let leaves: Vec<_> = shown
        .iter()
        .map(|entry| (entry.index.0, leaf_hash(&entry.entry)))
        .collect();
    let hashes = super::verify::hashes(hashes);
    verify_joint(&leaves, head.size, &hashes, &head.root).map_err(|error| {
        ReceiptError::NotIncluded {
            index: first.index,
            error,
        }
    })?;
    let mut decoded = BTreeMap::new();
    for entry in shown {
        let found = Entry::decode(&entry.entry);
        let found = found.map_err(|error| ReceiptError::Entry {
            index: entry.index,
            what: error.to_string(),
        })?;
        decoded.insert(entry.index, found);
    }
    let mut opened = Opened::new();
    for entry in shown {
        let full = match decoded.get(&entry.index) {
            None | Some(Entry::State(_)) => {
                return Err(unfit(format!("a state entry is shown at {}", entry.index)));
            }
            Some(Entry::Signed(signed)) => {
                super::verify::check_signature(context, entry.index, signed)?;
                FullEntry::Signed(signed.clone())
            }
            Some(Entry::Sealed(sealed)) => {
                let at = sealed.seal_index(entry.index);
                let seal = at.and_then(|at| Some((at, decoded.get(&at)?)));
                let (at, seal) = seal.ok_or_else(|| {
                    unfit(format!("the seal of entry {} is not shown", entry.index))
                })?;
                under_seal(entry, sealed, at, seal)?
            }
        };
        opened.insert(entry.index, full);
    }
    Ok(opened)
}

/// Joins a sealed entry with its seal: the statement is under the seal's root. The seal's own signature is
/// checked where it is shown.
fn under_seal(
    shown: &ShownEntry,
    sealed: &SealedEntry,
    at: Index,
    seal: &Entry,
) -> Result<FullEntry, ReceiptError> {
    let index = shown.index;
    let full = FullEntry::sealed(sealed.clone(), at, seal.clone());
    let full = full.map_err(|error| no_seal(index, error.to_string()))?;
    let Some(Statement::Seal(seal)) = seal.statement() else {
        return Err(no_seal(index, format!("entry {at} is not its seal")));
    };
    let count = u64::from(seal.count);
    let root = Hash::from_bytes(*seal.root.as_bytes());
    let siblings = super::verify::hashes(&shown.siblings);
    check_sealed(index, sealed, count, &siblings, &root)?;
    Ok(full)
}

/// Checks that a sealed entry's statement is in its place under its seal's root.
pub(super) fn check_sealed(
    index: Index,
    sealed: &SealedEntry,
    count: u64,
    siblings: &[Hash],
    root: &Hash,
) -> Result<(), ReceiptError> {
    let unproven = |error| ReceiptError::NotIncluded { index, error };
    let place = count
        .checked_sub(sealed.ahead().into())
        .ok_or_else(|| no_seal(index, "its seal signs too few statements".to_owned()))?;
    let needed = inclusion_ranges(place, count).map_err(unproven)?.len();
    if siblings.len() != needed {
        let found = siblings.len();
        return Err(unproven(ProofError::Length { found }));
    }
    let leaf = leaf_hash(sealed.statement().bytes());
    crate::merkle::verify_inclusion(leaf, place, count, siblings, root).map_err(|_| {
        let what = "its statement is not under the root of its seal";
        no_seal(index, what.to_owned())
    })
}

/// Whether an entry is a seal.
pub(super) fn is_seal(entry: &FullEntry) -> bool {
    let stated = entry.stated();
    stated.is_some_and(|stated| matches!(stated.statement, Statement::Seal(_)))
}

/// The record that an entry is signed by: its own, or its seal's.
pub(super) fn signed(entry: &FullEntry) -> Option<&SignedEntry> {
    entry.stated().map(|stated| stated.signed)
}

fn no_seal(index: Index, what: String) -> ReceiptError {
    ReceiptError::Seal { index, what }
}

fn unfit(what: String) -> ReceiptError {
    ReceiptError::StateFile { fits: false, what }
}
