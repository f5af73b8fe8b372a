//! The state, and the one way into it.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use super::authority::{Council, KeyState};
use super::points::{Account, MethodState};
use super::refusal::Refusal;
use super::shelf::{AnyShelf, BucketImage, Shelf, ShelfError, ShelfImage};
use super::totals::{MonthTotals, Totals};
use super::trees::{ClaimState, LossState, PlantingState, PlotState, SurveyState, TreeState};
use crate::crypto::PublicKey;
use crate::record::{
    AccountId, Day, Digest, Entry, Grams, Index, Lineage, MethodId, MethodVersion, Month, Origin,
    PlotNumber, Record, RecordId, Serial, SignedRecord, Slug, SpeciesCode, Statement, Text, TimeMs,
};

/// Changes whenever the same entries would make another state.
pub const RULES_VERSION: u32 = 2;

/// A record that asks to be the next entry.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    /// The record with its signatures, which the caller verified or an audit will.
    pub signed: &'a SignedRecord,
    /// Its id in this ledger.
    pub id: RecordId,
    /// When its batch came in.
    pub admitted_at: TimeMs,
    /// For a correction, the entry that it names, if there is one.
    pub target: Option<&'a Entry>,
}

impl<'a> Proposal<'a> {
    /// The record.
    pub fn record(&self) -> &'a Record {
        self.signed.record()
    }

    /// The day of admission.
    pub(super) fn admitted_on(&self) -> Day {
        Day::of(self.admitted_at)
    }
}

/// What there is once in a ledger.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Head {
    /// Its origin.
    pub origin: Origin,
    /// Number of entries taken in.
    pub entries: u64,
    /// When the last one was admitted.
    pub last_admitted_at: TimeMs,
    /// The genesis record's id, and what it says of the programme.
    pub genesis: Option<(RecordId, Text<500>)>,
    /// The governors in force.
    pub council: Council,
    /// The keys that sign checkpoints: each those larger than the index beside it, the last one
    /// from then on.
    pub log_keys: Vec<(PublicKey, Index)>,
    /// Sums.
    pub totals: Totals,
    /// What was said to have happened in each month.
    pub months: BTreeMap<Month, MonthTotals>,
}

impl Head {
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
    pub(super) head: Head,
    pub(super) keys: Shelf<PublicKey, KeyState>,
    pub(super) holders: Shelf<HolderName, super::authority::HolderRoles>,
    pub(super) methods: Shelf<(MethodId, MethodVersion), MethodState>,
    pub(super) species: Shelf<SpeciesCode, Text<100>>,
    pub(super) accounts: Shelf<AccountId, Account>,
    pub(super) plots: Shelf<PlotNumber, PlotState>,
    pub(super) plantings: Shelf<(PlotNumber, Serial), PlantingState>,
    pub(super) planting_places: Shelf<Index, (PlotNumber, Serial)>,
    pub(super) trees: Shelf<(PlotNumber, Serial), TreeState>,
    pub(super) surveys: Shelf<(PlotNumber, Day, Index), SurveyState>,
    pub(super) claims: Shelf<Index, ClaimState>,
    pub(super) reversed: Shelf<Index, Grams>,
    pub(super) losses: Shelf<Index, LossState>,
    pub(super) voided: Shelf<Index, Index>,
    pub(super) evidence: Shelf<Digest, Index>,
}

/// A holder's slug, hashed so that it can be a fixed-size key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
pub(super) struct HolderName([u8; 32]);

impl HolderName {
    pub fn of(holder: &Slug) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(holder.as_str()).into())
    }
}

/// A state as it was at one time, to be encoded elsewhere.
pub struct StateImage {
    /// What there is once.
    pub head: Head,
    shelves: Vec<Box<dyn ShelfImage>>,
}

impl StateImage {
    /// Every bucket, in order, with the number of its shelf: what [`State::load`] makes a state of
    /// again.
    pub fn buckets(&self) -> impl Iterator<Item = (u8, BucketImage<'_>)> {
        let shelves = (0_u8..).zip(&self.shelves);
        shelves.flat_map(|(number, shelf)| shelf.buckets().map(move |bucket| (number, bucket)))
    }
}

impl State {
    /// The state of a ledger that has no entries yet.
    pub fn empty(origin: Origin) -> Self {
        Self::from_head(Head {
            origin,
            entries: 0,
            last_admitted_at: TimeMs(0),
            genesis: None,
            council: Council::default(),
            log_keys: Vec::new(),
            totals: Totals::default(),
            months: BTreeMap::new(),
        })
    }

    /// A state with this head and nothing on its shelves, to be filled by [`Self::load`].
    pub fn from_head(head: Head) -> Self {
        Self {
            head,
            keys: Shelf::default(),
            holders: Shelf::default(),
            methods: Shelf::default(),
            species: Shelf::default(),
            accounts: Shelf::default(),
            plots: Shelf::default(),
            plantings: Shelf::default(),
            planting_places: Shelf::default(),
            trees: Shelf::default(),
            surveys: Shelf::default(),
            claims: Shelf::default(),
            reversed: Shelf::default(),
            losses: Shelf::default(),
            voided: Shelf::default(),
            evidence: Shelf::default(),
        }
    }

    /// Says whether a record may be the next entry, and on which earlier ones it would stand.
    /// Changes nothing.
    ///
    /// # Errors
    /// [`Refusal`]: the first rule that it breaks.
    pub fn judge(&self, proposal: &Proposal<'_>) -> Result<Lineage, Refusal> {
        if let Statement::Genesis(genesis) = &proposal.record().statement {
            return self.judge_genesis(proposal, genesis);
        }
        let (before, authority) = self.judge_issuer(proposal)?;
        let mut lineage = vec![before, Some(authority)];
        lineage.extend(match &proposal.record().statement {
            Statement::Genesis(_) => Vec::new(),
            Statement::Governors(set) => self.judge_governors(proposal, set)?,
            Statement::KeyGrant(grant) => self.judge_grant(proposal, grant)?,
            Statement::KeyRevoke(revoke) => self.judge_revoke(proposal, revoke)?,
            Statement::LogKey(next) => self.judge_log_key(proposal, next)?,
            Statement::Method(method) => self.judge_method(proposal, method)?,
            Statement::Award(award) => self.judge_award(proposal, award)?,
            Statement::Transfer(transfer) => self.judge_transfer(proposal, transfer)?,
            Statement::Plot(plot) => self.judge_plot(proposal, plot)?,
            Statement::Planting(planting) => self.judge_planting(proposal, planting)?,
            Statement::Survey(survey) => self.judge_survey(proposal, survey)?,
            Statement::Claim(claim) => self.judge_claim(proposal, claim)?,
            Statement::Assignment(assignment) => self.judge_assignment(proposal, assignment)?,
            Statement::Correction(correction) => self.judge_correction(proposal, correction)?,
        });
        Ok(Lineage::new(lineage))
    }

    /// Takes in the next entry, which [`Self::judge`] allowed in this very state; returns its
    /// index.
    pub fn apply(&mut self, proposal: &Proposal<'_>) -> Index {
        let index = Index(self.head.entries);
        match &proposal.record().statement {
            Statement::Genesis(genesis) => self.apply_genesis(proposal, index, genesis),
            Statement::Governors(set) => self.apply_governors(proposal, index, set),
            Statement::KeyGrant(grant) => self.apply_grant(proposal, index, grant),
            Statement::KeyRevoke(revoke) => self.apply_revoke(index, revoke),
            Statement::LogKey(next) => self.apply_log_key(proposal, index, next),
            Statement::Method(method) => self.apply_method(index, method),
            Statement::Award(award) => self.apply_award(index, award),
            Statement::Transfer(transfer) => self.apply_transfer(index, transfer),
            Statement::Plot(plot) => self.apply_plot(proposal, index, plot),
            Statement::Planting(planting) => self.apply_planting(index, planting),
            Statement::Survey(survey) => self.apply_survey(proposal, index, survey),
            Statement::Claim(claim) => self.apply_claim(index, claim),
            Statement::Assignment(assignment) => self.apply_assignment(index, assignment),
            Statement::Correction(correction) => {
                self.apply_correction(proposal, index, correction);
            }
        }
        self.apply_issuer(proposal, index);
        self.head.entries += 1;
        self.head.last_admitted_at = proposal.admitted_at;
        index
    }

    /// What there is once.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Number of entries taken in.
    pub fn entries(&self) -> u64 {
        self.head.entries
    }

    /// Sums.
    pub fn totals(&self) -> &Totals {
        &self.head.totals
    }

    fn shelves_mut(&mut self) -> [&mut dyn AnyShelf; 15] {
        [
            &mut self.keys,
            &mut self.holders,
            &mut self.methods,
            &mut self.species,
            &mut self.accounts,
            &mut self.plots,
            &mut self.plantings,
            &mut self.planting_places,
            &mut self.trees,
            &mut self.surveys,
            &mut self.claims,
            &mut self.reversed,
            &mut self.losses,
            &mut self.voided,
            &mut self.evidence,
        ]
    }

    /// The state as it is now; costs little, however large it is. Buckets that change from now on
    /// have changed since this image.
    pub fn image(&mut self) -> StateImage {
        let head = self.head.clone();
        let shelves = self.shelves_mut();
        let shelves = shelves.into_iter().map(AnyShelf::image).collect();
        StateImage { head, shelves }
    }

    /// Puts a saved bucket behind those that were loaded before, in the order of
    /// [`StateImage::buckets`].
    ///
    /// # Errors
    /// [`ShelfError`] when the bytes are not that bucket's.
    pub fn load(&mut self, shelf: u8, place: &[u8], bytes: &[u8]) -> Result<(), ShelfError> {
        match self.shelves_mut().into_iter().nth(shelf.into()) {
            Some(shelf) => shelf.load(place, bytes),
            None => Err(crate::record::CodecError::Malformed("no such shelf".to_owned()).into()),
        }
    }
}
