//! The state: its types, lookups, and the changes that keep several maps in step. The rules, which
//! are above it, say which change is allowed.

mod accounts;
mod claims;
mod corrections;
pub mod domains;
mod holders;
pub mod items;
mod keys;
mod methods;
mod plantings;
mod plots;
mod surveys;
mod totals;

use bincode::{Decode, Encode};

pub use accounts::Account;
pub use claims::{ClaimState, ClaimTree, TreeState};
pub use corrections::LossState;
use domains::MarkPlace;
pub use holders::HolderNumber;
use holders::HolderOrName;
pub use keys::{ChainHead, Council, KeyRole, KeyState, SEQS_PER_MARK};
pub use methods::MethodState;
pub use plantings::{LostRange, PlantingState};
pub use plots::PlotState;
pub(super) use plots::TreeCounts;
pub(super) use plots::capacity;
pub use surveys::SurveyState;
pub use totals::{ConservationError, MonthTotals, Totals};

use super::trie::{
    AnyMap, BucketError, BucketImage, DomainRoots, MapImage, NeighboursProof, Node, Path,
    StateProof, TrieError, TrieMap, TrieProof,
};
use crate::crypto::PublicKey;
use crate::record::{
    Day, Digest, Grams, Index, MethodId, MethodVersion, Month, Origin, PlotNumber, RecordId,
    Serial, SpeciesCode, Text, TimeMs,
};

/// Raised whenever the same entries make another state, or the state another encoding: a state
/// that was saved under another version is not loaded.
pub const RULES_VERSION: u32 = 8;

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
    /// Number of holders.
    pub holders: u32,
    /// The newest state entry.
    pub state_entry: Option<StateMark>,
    /// Number of entries up to the newest that is no state entry: of so many the next state entry speaks, or
    /// there is nothing new to say.
    pub stated: u64,
}

/// A state entry, and the number of entries that it speaks of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct StateMark {
    /// The entry's own index.
    pub index: Index,
    /// The number of entries that it speaks of: at most `index`.
    pub size: u64,
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
///
/// Each map but the last two is a domain of the state that is proven.
#[derive(Clone)]
pub struct State {
    pub(in crate::ledger) globals: Globals,
    pub(in crate::ledger) keys: TrieMap<Path, KeyState>,
    /// Holders, and every name that one ever had, in the form in which names are compared.
    pub(in crate::ledger) holders: TrieMap<Path, HolderOrName>,
    pub(in crate::ledger) methods: TrieMap<(MethodId, MethodVersion), MethodState>,
    pub(in crate::ledger) species: TrieMap<SpeciesCode, Text<100>>,
    pub(in crate::ledger) accounts: TrieMap<Path, Account>,
    pub(in crate::ledger) plots: TrieMap<PlotNumber, PlotState>,
    pub(in crate::ledger) plantings: TrieMap<(PlotNumber, Serial), PlantingState>,
    pub(in crate::ledger) trees: TrieMap<(PlotNumber, Serial), TreeState>,
    pub(in crate::ledger) surveys: TrieMap<(PlotNumber, Day, Index), SurveyState>,
    pub(in crate::ledger) claims: TrieMap<Index, ClaimState>,
    pub(in crate::ledger) reversed: TrieMap<Index, Grams>,
    pub(in crate::ledger) losses: TrieMap<Index, LossState>,
    pub(in crate::ledger) voided: TrieMap<Index, Index>,
    /// Points awarded and trees planted in each month, by the days that records name.
    pub(in crate::ledger) months: TrieMap<Month, MonthTotals>,
    pub(in crate::ledger) evidence: TrieMap<Digest, Index>,
    /// The entry of each record whose seq is a multiple of [`SEQS_PER_MARK`]: no rule asks for it.
    pub(in crate::ledger) chain_marks: TrieMap<MarkPlace, Index>,
    /// Where a planting is, by its entry: follows from `plantings`.
    pub(in crate::ledger) planting_places: TrieMap<Index, (PlotNumber, Serial)>,
    /// What was not in a map before the changes that may be taken back.
    globals_before: Option<Box<Globals>>,
}

/// The number under which chain marks are saved: domains have the numbers below it.
const CHAIN_MARKS: u8 = 16;

/// Without the maps, which no reader of a message would finish.
impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("globals", &self.globals)
            .finish_non_exhaustive()
    }
}

/// A state as it was when the image was taken, for another thread: its roots are made, proofs against
/// them, and what is saved.
pub struct StateImage {
    /// The part that is not a map.
    pub globals: Globals,
    /// The domains but the first, in order, then the chain marks.
    maps: Vec<(u8, Box<dyn MapImage>)>,
}

impl StateImage {
    /// Every bucket, in order, with the number of its map: what [`State::load`] takes. They outlive this image:
    /// once it is dropped, pages whose buckets were given are held no longer.
    pub fn buckets(&self) -> impl Iterator<Item = (u8, BucketImage)> + Send + use<> {
        let maps = self.maps.iter();
        let maps: Vec<_> = maps.map(|(number, map)| (*number, map.buckets())).collect();
        let maps = maps.into_iter();
        maps.flat_map(|(number, buckets)| buckets.map(move |bucket| (number, bucket)))
    }

    /// The roots of all domains. What changed since they were last made is hashed.
    ///
    /// # Errors
    /// [`TrieError`], if a sum overflows.
    pub fn roots(&self) -> Result<DomainRoots, TrieError> {
        let mut roots = DomainRoots([Node::EMPTY; super::trie::DOMAINS]);
        for (place, (domain, _)) in roots.0.iter_mut().zip(domains::NAMES) {
            *place = match self.domain(domain) {
                Some(map) => map.root()?,
                None => domains::once_root(&self.globals)?,
            };
        }
        Ok(roots)
    }

    /// Proves what stands at a path of a domain, or that nothing does, against the state root of `roots`,
    /// which are this image's.
    ///
    /// # Errors
    /// [`TrieError`], if a sum overflows.
    pub fn prove(
        &self,
        roots: &DomainRoots,
        domain: super::trie::Domain,
        path: &Path,
    ) -> Result<StateProof, TrieError> {
        let trie: TrieProof = match self.domain(domain) {
            Some(map) => map.prove(path)?,
            None => domains::prove_once(&self.globals, path)?,
        };
        Ok(roots.prove(domain, trie))
    }

    /// Proves what is at a low path of a domain, and that nothing is behind it up to a high one; `None` for what a
    /// ledger has one of. `roots` are those of this image.
    ///
    /// # Errors
    /// [`TrieError`], if a sum overflows.
    pub fn prove_neighbours(
        &self,
        roots: &DomainRoots,
        domain: super::trie::Domain,
        [low, high]: [&Path; 2],
    ) -> Result<Option<NeighboursProof>, TrieError> {
        let Some(map) = self.domain(domain) else {
            return Ok(None);
        };
        let proof = roots.prove_neighbours(domain, map.prove(low)?, map.prove(high)?);
        Ok(Some(proof))
    }

    /// The path of the last item of a domain from one path to another, both included.
    pub fn last_between(
        &self,
        domain: super::trie::Domain,
        from: &Path,
        to: &Path,
    ) -> Option<Path> {
        self.domain(domain)?.last_between(from, to)
    }

    /// The map of a domain; `None` for what a ledger has one of.
    fn domain(&self, domain: super::trie::Domain) -> Option<&dyn MapImage> {
        let mut maps = self.maps.iter();
        let found = maps.find(|(number, _)| *number == domain.number());
        found.map(|(_, map)| map.as_ref())
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
            holders: 0,
            state_entry: None,
            stated: 0,
        })
    }

    /// A state with these globals and empty maps, to be filled by [`Self::load`].
    pub fn from_globals(globals: Globals) -> Self {
        Self {
            globals,
            keys: TrieMap::new(domains::KEYS),
            holders: TrieMap::new(domains::HOLDERS),
            methods: TrieMap::new(domains::METHODS),
            species: TrieMap::new(domains::SPECIES),
            accounts: TrieMap::new(domains::ACCOUNTS),
            plots: TrieMap::new(domains::PLOTS),
            plantings: TrieMap::new(domains::PLANTINGS),
            trees: TrieMap::new(domains::TREES),
            surveys: TrieMap::new(domains::SURVEYS),
            claims: TrieMap::new(domains::CLAIMS),
            reversed: TrieMap::new(domains::REVERSED),
            losses: TrieMap::new(domains::LOSSES),
            voided: TrieMap::new(domains::VOIDED),
            months: TrieMap::new(domains::MONTHS),
            evidence: TrieMap::new(domains::EVIDENCE),
            // Their roots are never made, so their domains say nothing.
            chain_marks: TrieMap::new(domains::KEYS),
            planting_places: TrieMap::new(domains::PLANTINGS),
            globals_before: None,
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

    /// Every map that is saved, with its number: that of its domain, in order. A map that is missing here
    /// would be neither saved nor proven, so the compiler asks for each field by name.
    fn maps_mut(&mut self) -> [(u8, &mut dyn AnyMap); 16] {
        let Self {
            globals: _,
            keys,
            holders,
            methods,
            species,
            accounts,
            plots,
            plantings,
            trees,
            surveys,
            claims,
            reversed,
            losses,
            voided,
            months,
            evidence,
            chain_marks,
            planting_places: _,
            globals_before: _,
        } = self;
        [
            (domains::KEYS.number(), keys),
            (domains::HOLDERS.number(), holders),
            (domains::METHODS.number(), methods),
            (domains::SPECIES.number(), species),
            (domains::ACCOUNTS.number(), accounts),
            (domains::PLOTS.number(), plots),
            (domains::PLANTINGS.number(), plantings),
            (domains::TREES.number(), trees),
            (domains::SURVEYS.number(), surveys),
            (domains::CLAIMS.number(), claims),
            (domains::REVERSED.number(), reversed),
            (domains::LOSSES.number(), losses),
            (domains::VOIDED.number(), voided),
            (domains::MONTHS.number(), months),
            (domains::EVIDENCE.number(), evidence),
            (CHAIN_MARKS, chain_marks),
        ]
    }

    /// The number of items of each domain that is a map, with the domain's name.
    pub(crate) fn sizes(&self) -> Vec<(&'static str, usize)> {
        [
            (domains::KEYS, self.keys.len()),
            (domains::HOLDERS, self.holders.len()),
            (domains::METHODS, self.methods.len()),
            (domains::SPECIES, self.species.len()),
            (domains::ACCOUNTS, self.accounts.len()),
            (domains::PLOTS, self.plots.len()),
            (domains::PLANTINGS, self.plantings.len()),
            (domains::TREES, self.trees.len()),
            (domains::SURVEYS, self.surveys.len()),
            (domains::CLAIMS, self.claims.len()),
            (domains::REVERSED, self.reversed.len()),
            (domains::LOSSES, self.losses.len()),
            (domains::VOIDED, self.voided.len()),
            (domains::MONTHS, self.months.len()),
            (domains::EVIDENCE, self.evidence.len()),
        ]
        .map(|(domain, items)| (domains::name(domain), items))
        .into()
    }

    /// From now on changes can be taken back, by [`Self::rollback`], until [`Self::keep`]. A change costs a copy
    /// of what it changes more.
    pub fn begin_undo(&mut self) {
        self.globals_before = Some(Box::new(self.globals.clone()));
        self.planting_places.begin_undo();
        self.maps_mut()
            .into_iter()
            .for_each(|(_, map)| map.begin_undo());
    }

    /// Keeps all changes since [`Self::begin_undo`].
    pub fn keep(&mut self) {
        self.globals_before = None;
        self.planting_places.keep();
        self.maps_mut().into_iter().for_each(|(_, map)| map.keep());
    }

    /// Takes back all changes since [`Self::begin_undo`]; nothing, if changes are kept. What a contradiction
    /// left half changed is as it was, too.
    pub fn rollback(&mut self) {
        if let Some(before) = self.globals_before.take() {
            self.globals = *before;
        }
        self.planting_places.rollback();
        self.maps_mut()
            .into_iter()
            .for_each(|(_, map)| map.rollback());
    }

    /// The state as it is now, at the cost of a pointer for each map. What changes from now on counts as
    /// changed since this image.
    pub fn image(&mut self) -> StateImage {
        let globals = self.globals.clone();
        let maps = self.maps_mut();
        let maps = maps.map(|(number, map)| (number, map.image()));
        StateImage {
            globals,
            maps: maps.into(),
        }
    }

    /// As [`Self::image`], for roots and proofs alone: what is saved next does not depend on it.
    pub fn image_for_proofs(&self) -> StateImage {
        self.clone().image()
    }

    /// The roots of all domains.
    ///
    /// # Errors
    /// [`TrieError`], if a sum overflows.
    pub fn roots(&self) -> Result<DomainRoots, TrieError> {
        Ok(DomainRoots([
            domains::once_root(&self.globals)?,
            self.keys.root()?,
            self.holders.root()?,
            self.methods.root()?,
            self.species.root()?,
            self.accounts.root()?,
            self.plots.root()?,
            self.plantings.root()?,
            self.trees.root()?,
            self.surveys.root()?,
            self.claims.root()?,
            self.reversed.root()?,
            self.losses.root()?,
            self.voided.root()?,
            self.months.root()?,
            self.evidence.root()?,
        ]))
    }

    fn load_bucket(&mut self, map: u8, first_key: &[u8], bytes: &[u8]) -> Result<(), BucketError> {
        let mut maps = self.maps_mut().into_iter();
        match maps.find(|(number, _)| *number == map) {
            Some((_, map)) => map.load(first_key, bytes),
            None => Err(crate::record::CodecError::Malformed("no such map".to_owned()).into()),
        }
    }

    /// Loads a saved bucket, behind those that were loaded before: in the order of
    /// [`StateImage::buckets`].
    ///
    /// # Errors
    /// [`BucketError`] when the bytes are not that bucket's.
    pub fn load(&mut self, map: u8, first_key: &[u8], bytes: &[u8]) -> Result<(), BucketError> {
        let loaded_before = self.plantings.iter().next_back().map(|(place, _)| *place);
        self.load_bucket(map, first_key, bytes)?;
        if map == domains::PLANTINGS.number() {
            let first = (PlotNumber(0), Serial(0));
            let last = (PlotNumber(u32::MAX), Serial(u32::MAX));
            let new = self.plantings.range(loaded_before.unwrap_or(first)..=last);
            for (place, planting) in new {
                let _known = self.planting_places.insert(planting.index, *place);
            }
        }
        Ok(())
    }
}
