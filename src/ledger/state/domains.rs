//! The domains that the state is proven by: their numbers and names, where a key has its place, and what
//! a value's leaf holds (`docs/format.md`, 16.5).
//!
//! A value is **plain** where its fields always fit a leaf, and **digested** where they may not: the leaf
//! then holds the entry that the value began with, and a hash over all fields.

use bincode::{Decode, Encode};
use sha2::{Digest as _, Sha256};

use super::{Globals, HolderNumber};
use crate::crypto::PublicKey;
use crate::ledger::trie::{Domain, Key, Leaf, Node, Path, TrieError, TrieMap, TrieProof, Value};
use crate::record::{
    AccountId, Day, Digest, Grams, Index, MethodId, MethodVersion, Month, PlotNumber, RecordId,
    Seq, Serial, SpeciesCode, Text, encode,
};

/// The longest value that is digested: above a method with all its activities, or a loss with all that
/// it displaced.
const DIGESTED_BYTES_MAX: usize = 1 << 24;

/// The domains, in order of their numbers.
macro_rules! domains {
    ($($(#[$doc:meta])* $constant:ident = $number:literal, $name:literal;)*) => {
        $($(#[$doc])* pub const $constant: Domain = Domain::numbered::<$number>();)*

        /// Every domain with its name, in order of their numbers.
        pub const NAMES: [(Domain, &str); crate::ledger::trie::DOMAINS] = [$(($constant, $name)),*];

        /// The name of a domain; empty for a number that is no domain's.
        pub fn name(domain: Domain) -> &'static str {
            let mut names = NAMES.iter();
            let found = names.find(|(named, _)| *named == domain);
            found.map_or("", |(_, name)| name)
        }
    };
}

domains! {
    /// What a ledger has one of: the programme, its governors, the log keys and the policy.
    ONCE = 0, "once";
    /// Keys by their hash: unrevoked and revoked ones are counted.
    KEYS = 1, "keys";
    /// Holders by their slugs, and the names that are theirs.
    HOLDERS = 2, "holders";
    /// Versions of methods.
    METHODS = 3, "methods";
    /// Species by their codes.
    SPECIES = 4, "species";
    /// Accounts: points held, and points owed.
    ACCOUNTS = 5, "accounts";
    /// Plots: trees that stand, and trees that have a claim.
    PLOTS = 6, "plots";
    /// Plantings by plot and first serial: trees that stand, and trees that are lost.
    PLANTINGS = 7, "plantings";
    /// Trees that have a claim, by plot and serial.
    TREES = 8, "trees";
    /// Surveys by plot, day and entry.
    SURVEYS = 9, "surveys";
    /// Claims by their entries: points of unvoided ones, and how many wait.
    CLAIMS = 10, "claims";
    /// Points of awards that were taken back, by the award.
    REVERSED = 11, "reversed";
    /// Losses that count, by the correction: trees.
    LOSSES = 12, "losses";
    /// Voided entries.
    VOIDED = 13, "voided";
    /// Months: points awarded, and trees planted.
    MONTHS = 14, "months";
    /// Evidence of plantings and surveys, by its digest.
    EVIDENCE = 15, "evidence";
}

/// What an account's place is hashed with, so that no other hash of this ledger can be one.
const ACCOUNT_TAG: &[u8] = b"arborlog account";
const HOLDER_TAG: u8 = 0;
const NAME_TAG: u8 = 1;

fn hashed(parts: &[&[u8]]) -> Path {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    Path::from_bytes(hasher.finalize().into())
}

/// The place of an account of the ledger with this genesis.
pub fn account_place(genesis: &RecordId, account: &AccountId) -> Path {
    hashed(&[ACCOUNT_TAG, genesis.as_bytes(), account.as_bytes()])
}

/// The place of a key.
pub fn key_place(key: &PublicKey) -> Path {
    hashed(&[key.as_bytes()])
}

/// The place of a holder.
pub fn holder_place(slug: &str) -> Path {
    hashed(&[&[HOLDER_TAG], slug.as_bytes()])
}

/// The place of a name, in the form in which names are compared.
pub fn name_place(compared: &str) -> Path {
    hashed(&[&[NAME_TAG], compared.as_bytes()])
}

/// A place that is its own key: of what is looked up by a hash.
impl Key for Path {
    fn path(&self) -> Path {
        *self
    }
}

/// Keys whose bytes, one field behind the other, are the place.
macro_rules! places {
    ($($key:ty, $bytes:literal: |$this:ident| $parts:expr;)*) => {
        $(impl Key for $key {
            fn path(&self) -> Path {
                let $this = self;
                let mut bytes = [0; $bytes];
                let mut rest = bytes.as_mut_slice();
                for part in $parts {
                    // The parts are as long as the place together.
                    let Some((front, behind)) = rest.split_at_mut_checked(part.len()) else {
                        break;
                    };
                    front.copy_from_slice(part);
                    rest = behind;
                }
                Path::left_aligned(bytes)
            }
        })*
    };
}

places! {
    Index, 8: |this| [this.0.to_be_bytes().as_slice()];
    Month, 4: |this| [this.0.to_be_bytes().as_slice()];
    SpeciesCode, 2: |this| [this.0.to_be_bytes().as_slice()];
    PlotNumber, 4: |this| [this.0.to_be_bytes().as_slice()];
    Digest, 32: |this| [this.as_bytes().as_slice()];
    (MethodId, MethodVersion), 8: |this| [
        this.0.0.to_be_bytes().as_slice(),
        this.1.0.to_be_bytes().as_slice(),
    ];
    (PlotNumber, Serial), 8: |this| [
        this.0.0.to_be_bytes().as_slice(),
        this.1.0.to_be_bytes().as_slice(),
    ];
    (PlotNumber, Day, Index), 16: |this| [
        this.0.0.to_be_bytes().as_slice(),
        this.1.0.to_be_bytes().as_slice(),
        this.2.0.to_be_bytes().as_slice(),
    ];
}

/// A leaf that holds all fields of a value.
pub(super) fn plain(a: u64, b: u64, value: &impl Encode) -> Result<Leaf, TrieError> {
    let bytes = encode::<_, DIGESTED_BYTES_MAX>(value).map_err(|_| TOO_LONG)?;
    Leaf::new(a, b, &bytes)
}

/// A leaf that holds the entry that a value began with, and a hash over all its fields.
pub(super) fn digested(
    a: u64,
    b: u64,
    began_at: Index,
    value: &impl Encode,
) -> Result<Leaf, TrieError> {
    let bytes = encode::<_, DIGESTED_BYTES_MAX>(value).map_err(|_| TOO_LONG)?;
    digested_bytes(a, b, began_at, &bytes)
}

pub(super) fn digested_bytes(
    a: u64,
    b: u64,
    began_at: Index,
    bytes: &[u8],
) -> Result<Leaf, TrieError> {
    let mut value = [0; 40];
    let (index, hash) = value.split_at_mut(8);
    index.copy_from_slice(&began_at.0.to_be_bytes());
    hash.copy_from_slice(&Sha256::digest(bytes));
    Leaf::new(a, b, &value)
}

const TOO_LONG: TrieError = TrieError::ValueTooLong {
    found: DIGESTED_BYTES_MAX,
};

impl Value for Text<100> {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        plain(0, 0, self)
    }
}

/// Points of an award that were taken back.
impl Value for Grams {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        Leaf::new(self.0, 0, &self.0.to_be_bytes())
    }
}

/// The entry that voids another, or that uses evidence.
impl Value for Index {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        Leaf::new(0, 0, &self.0.to_be_bytes())
    }
}

/// One of the values that a ledger has one of, as its fields.
#[derive(Clone)]
struct OnceValue {
    began_at: Index,
    bytes: Vec<u8>,
}

impl Value for OnceValue {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        digested_bytes(0, 0, self.began_at, &self.bytes)
    }
}

/// The place of one of the values that a ledger has one of.
#[derive(Clone, Copy)]
struct Once(u8);

impl Key for Once {
    fn path(&self) -> Path {
        Path::left_aligned([self.0])
    }
}

/// Programme, governors in force, log keys and policy.
fn once_values(globals: &Globals) -> Result<Vec<(Once, OnceValue)>, TrieError> {
    fn of(began_at: Index, value: &impl Encode) -> Result<OnceValue, TrieError> {
        let bytes = encode::<_, DIGESTED_BYTES_MAX>(value).map_err(|_| TOO_LONG)?;
        Ok(OnceValue { began_at, bytes })
    }
    let mut values = Vec::new();
    let Some((id, programme)) = &globals.genesis else {
        return Ok(values);
    };
    let programme = (globals.origin.clone(), *id, programme.clone());
    values.push((Once(0), of(Index(0), &programme)?));
    let stated_at = globals.council.stated_at;
    values.push((Once(1), of(stated_at, &globals.council)?));
    if let Some((_, named_at)) = globals.log_keys.last() {
        values.push((Once(2), of(*named_at, &globals.log_keys)?));
    }
    if let Some(policy_at) = globals.policy_at {
        values.push((Once(3), of(policy_at, &())?));
    }
    Ok(values)
}

/// The fields of one of what a ledger has one of.
pub(super) fn once_fields(globals: &Globals, number: u8) -> Option<Vec<u8>> {
    let values = once_values(globals).ok()?.into_iter();
    let mut found = values.filter(|(place, _)| place.0 == number);
    found.next().map(|(_, value)| value.bytes)
}

/// The trie of what a ledger has one of. It is made from nothing each time: it has four leaves.
pub(super) fn once_root(globals: &Globals) -> Result<Node, TrieError> {
    once_map(globals)?.root()
}

/// Proves what stands at a path among what a ledger has one of.
pub(super) fn prove_once(globals: &Globals, path: &Path) -> Result<TrieProof, TrieError> {
    once_map(globals)?.prove(path)
}

fn once_map(globals: &Globals) -> Result<TrieMap<Once, OnceValue>, TrieError> {
    let mut map = TrieMap::new(ONCE);
    for (place, value) in once_values(globals)? {
        let _absent = map.insert(place, value);
    }
    Ok(map)
}

/// The place of a mark in an issuer's chain. Marks are no part of what is proven: see
/// [`super::SEQS_PER_MARK`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(in crate::ledger) struct MarkPlace {
    /// Of the issuer's key: marks of one chain lie together.
    hash: [u8; 24],
    seq: Seq,
}

impl MarkPlace {
    pub(super) fn of(issuer: &PublicKey, seq: Seq) -> Self {
        let place = key_place(issuer);
        let mut hash = [0; 24];
        let (front, _) = place.as_bytes().split_at(24);
        hash.copy_from_slice(front);
        Self { hash, seq }
    }
}

impl Key for MarkPlace {
    fn path(&self) -> Path {
        let mut bytes = [0; 32];
        let (front, back) = bytes.split_at_mut(24);
        front.copy_from_slice(&self.hash);
        back.copy_from_slice(&self.seq.0.to_be_bytes());
        Path::from_bytes(bytes)
    }
}

/// Plot and first serial of a planting, by its entry: made again from the plantings when they are
/// loaded, and no part of what is proven.
impl Value for (PlotNumber, Serial) {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        Leaf::new(0, 0, &[])
    }
}

/// A holder's number as a leaf of the domain of holders has it.
pub(super) fn holder_leaf(
    tag: u8,
    number: HolderNumber,
    roles: Option<u8>,
) -> Result<Leaf, TrieError> {
    let mut bytes = vec![tag];
    bytes.extend(number.0.to_be_bytes());
    bytes.extend(roles);
    let is_holder = roles.is_some();
    Leaf::new(is_holder.into(), (!is_holder).into(), &bytes)
}

impl Value for super::holders::HolderOrName {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        match self {
            Self::Holder(holder) => holder_leaf(HOLDER_TAG, holder.number, Some(holder.roles())),
            Self::Name(number) => holder_leaf(NAME_TAG, *number, None),
        }
    }
}
