//! The state: its types, lookups, and the changes that keep several maps in step. The rules, which
//! are above it, say which change is allowed.

mod accounts;
mod claims;
mod corrections;
mod holders;
mod keys;
mod methods;
mod plantings;
mod plots;
mod surveys;
mod totals;

use std::collections::BTreeMap;

use bincode::{Decode, Encode};

pub use accounts::Account;
pub use claims::{ClaimState, ClaimTree, TreeState};
pub use corrections::LossState;
pub use holders::HolderNumber;
use holders::{HolderState, TextHash};
pub use keys::{ChainHead, Council, KeyRole, KeyState, SEQS_PER_MARK};
pub use methods::MethodState;
pub use plantings::{LostRange, PlantingState};
pub use plots::PlotState;
pub(super) use plots::TreeCounts;
pub(super) use plots::capacity;
pub use surveys::SurveyState;
pub use totals::{ConservationError, MonthTotals, Totals};

use super::cow_map::{AnyMap, BucketError, BucketImage, CowMap, MapImage};
use crate::crypto::PublicKey;
use crate::record::{
    AccountId, Day, Digest, Grams, Index, MethodId, MethodVersion, Month, Origin, PlotNumber,
    RecordId, Seq, Serial, SpeciesCode, Text, TimeMs,
};

/// Raised whenever the same entries make another state, or the state another encoding: a state
/// that was saved under another version is not loaded.
pub const RULES_VERSION: u32 = 7;

/// The part of the state that is not a map: what a ledger has one of.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Globals {
    /// The ledger's origin.
    pub origin: Origin,
    /// Number of entries taken in.
    pub entries: u64,
    /// When the last entry was admitted.
    pub last_admitted_at: TimeMs,
    /// The genesis record's id, and its description of the programme.
    pub genesis: Option<(RecordId, Text<500>)>,
    /// The governors in force.
    pub council: Council,
    /// The keys that sign checkpoints, each with the index of the entry that named it. A key signs
    /// the checkpoints larger than its index, until the next one's.
    pub log_keys: Vec<(PublicKey, Index)>,
    /// The entry that states the policy in force, if one was stated.
    pub policy_at: Option<Index>,
    /// The sums over the whole ledger.
    pub totals: Totals,
    /// Points awarded and trees planted in each month, by the days that records name.
    pub months: BTreeMap<Month, MonthTotals>,
}

impl Globals {
    /// The key that signs a checkpoint of this size: that of the last log key entry before it.
    pub fn log_key_at(&self, size: u64) -> Option<&PublicKey> {
        self.log_keys
            .iter()
            .rev()
            .find(|(_, index)| index.0 < size)
            .map(|(key, _)| key)
    }
}

/// The state of a ledger: what its entries make by the rules.
#[derive(Clone, Debug)]
pub struct State {
    pub(in crate::ledger) globals: Globals,
    pub(in crate::ledger) keys: CowMap<PublicKey, KeyState>,
    pub(in crate::ledger) holders: CowMap<TextHash, HolderState>,
    /// Every name that a holder ever had, in the form in which names are compared.
    pub(in crate::ledger) holder_names: CowMap<TextHash, HolderNumber>,
    pub(in crate::ledger) methods: CowMap<(MethodId, MethodVersion), MethodState>,
    pub(in crate::ledger) species: CowMap<SpeciesCode, Text<100>>,
    pub(in crate::ledger) accounts: CowMap<AccountId, Account>,
    pub(in crate::ledger) plots: CowMap<PlotNumber, PlotState>,
    pub(in crate::ledger) plantings: CowMap<(PlotNumber, Serial), PlantingState>,
    pub(in crate::ledger) planting_places: CowMap<Index, (PlotNumber, Serial)>,
    pub(in crate::ledger) trees: CowMap<(PlotNumber, Serial), TreeState>,
    pub(in crate::ledger) surveys: CowMap<(PlotNumber, Day, Index), SurveyState>,
    pub(in crate::ledger) claims: CowMap<Index, ClaimState>,
    pub(in crate::ledger) reversed: CowMap<Index, Grams>,
    pub(in crate::ledger) losses: CowMap<Index, LossState>,
    pub(in crate::ledger) voided: CowMap<Index, Index>,
    pub(in crate::ledger) evidence: CowMap<Digest, Index>,
    /// The entry of each record whose seq is a multiple of [`SEQS_PER_MARK`]: no rule asks for it.
    pub(in crate::ledger) chain_marks: CowMap<(PublicKey, Seq), Index>,
}

/// A state as it was when the image was taken, to be encoded by another thread.
pub struct StateImage {
    /// The part that is not a map.
    pub globals: Globals,
    maps: Vec<Box<dyn MapImage>>,
}

impl StateImage {
    /// Every bucket, in order, with the number of its map: what [`State::load`] takes.
    pub fn buckets(&self) -> impl Iterator<Item = (u8, BucketImage<'_>)> {
        let maps = (0_u8..).zip(&self.maps);
        maps.flat_map(|(number, map)| map.buckets().map(move |bucket| (number, bucket)))
    }
}

impl State {
    /// The state of a ledger that has no entries yet.
    pub fn empty(origin: Origin) -> Self {
        Self::from_globals(Globals {
            origin,
            entries: 0,
            last_admitted_at: TimeMs(0),
            genesis: None,
            council: Council::default(),
            log_keys: Vec::new(),
            policy_at: None,
            totals: Totals::default(),
            months: BTreeMap::new(),
        })
    }

    /// A state with these globals and empty maps, to be filled by [`Self::load`].
    pub fn from_globals(globals: Globals) -> Self {
        Self {
            globals,
            keys: CowMap::default(),
            holders: CowMap::default(),
            holder_names: CowMap::default(),
            methods: CowMap::default(),
            species: CowMap::default(),
            accounts: CowMap::default(),
            plots: CowMap::default(),
            plantings: CowMap::default(),
            planting_places: CowMap::default(),
            trees: CowMap::default(),
            surveys: CowMap::default(),
            claims: CowMap::default(),
            reversed: CowMap::default(),
            losses: CowMap::default(),
            voided: CowMap::default(),
            evidence: CowMap::default(),
            chain_marks: CowMap::default(),
        }
    }

    /// The part of the state that is not a map.
    pub fn globals(&self) -> &Globals {
        &self.globals
    }

    /// Number of entries taken in.
    pub fn entries(&self) -> u64 {
        self.globals.entries
    }

    /// The sums over the whole ledger.
    pub fn totals(&self) -> &Totals {
        &self.globals.totals
    }

    /// Every map, in the order in which maps are saved. A map that is missing here would be neither
    /// saved nor digested, so the compiler asks for each field by name.
    fn maps_mut(&mut self) -> [&mut dyn AnyMap; 17] {
        let Self {
            globals: _,
            keys,
            holders,
            holder_names,
            methods,
            species,
            accounts,
            plots,
            plantings,
            planting_places,
            trees,
            surveys,
            claims,
            reversed,
            losses,
            voided,
            evidence,
            chain_marks,
        } = self;
        [
            keys,
            holders,
            holder_names,
            methods,
            species,
            accounts,
            plots,
            plantings,
            planting_places,
            trees,
            surveys,
            claims,
            reversed,
            losses,
            voided,
            evidence,
            chain_marks,
        ]
    }

    /// The state as it is now, at the cost of a pointer for each node of its maps. What changes from
    /// now on counts as changed since this image.
    pub fn image(&mut self) -> StateImage {
        let globals = self.globals.clone();
        let maps = self.maps_mut();
        let maps = maps.into_iter().map(AnyMap::image).collect();
        StateImage { globals, maps }
    }

    /// Loads a saved bucket, behind those that were loaded before: in the order of
    /// [`StateImage::buckets`].
    ///
    /// # Errors
    /// [`BucketError`] when the bytes are not that bucket's.
    pub fn load(&mut self, map: u8, first_key: &[u8], bytes: &[u8]) -> Result<(), BucketError> {
        match self.maps_mut().into_iter().nth(map.into()) {
            Some(map) => map.load(first_key, bytes),
            None => Err(crate::record::CodecError::Malformed("no such map".to_owned()).into()),
        }
    }
}
