//! Trips that are in: found by their evidence, which is made of the source's own id alone. What
//! the log tells of them is read from it; when a bicycle was on them it does not tell, so a
//! register beside the key keeps that.

use std::collections::HashMap;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::import::accounts::{AccountStart, Pseudonyms, PseudonymsError, account_start};
use crate::import::register::{Register, RegisterError};
use crate::record::{
    Award, CodecError, Digest, Grams, Index, RECORD_BYTES_MAX, Remedy, Statement, encode,
};

/// Lines of the register that hold the beginning of a trip's evidence, of which nothing more is known.
const LOST: &str = "lost";

/// The beginning of a digest: enough to tell whether something was changed.
pub(super) type Fingerprint = [u8; 8];

/// What the log does not tell of a trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TripFacts {
    /// Of the fields of its row.
    pub row: Fingerprint,
    /// The beginning of its bicycle's account.
    pub bike: AccountStart,
    /// In minutes since 1970.
    pub start: u32,
    pub end: u32,
}

/// An award of a trip, as the log has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownAward {
    pub index: Index,
    points: Grams,
    account: AccountStart,
    said: Fingerprint,
}

/// Points of an award that were taken back.
#[derive(Clone, Copy, Debug, Default)]
struct TakenBack {
    /// By the keys of the imports, as their chains tell.
    own: u64,
    /// By anybody, as the ledger's server tells.
    all: u64,
}

/// An award of which others took points back: the governors, or another key of the platform's holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReversedByOthers {
    /// How many they took.
    pub points: Grams,
    /// How many were awarded.
    pub of: Grams,
}

/// The awards of a platform of which others took points back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReversalsByOthers {
    /// How many awards.
    pub awards: u64,
    /// How many points.
    pub points: u128,
}

/// The server's word on an award contradicts the platform's own chain in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the server says that {told} points of the award at entry {award} were taken back, and the log has corrections of this key that take {proven} back. Nothing was sent. Tell the operator"
)]
pub struct ReversalContradicted {
    /// The award.
    pub award: Index,
    /// By the server's word.
    pub told: Grams,
    /// By the key's chain.
    pub proven: Grams,
}

/// What is known of a trip. There is one for each trip of the platform in memory: some 85 bytes.
#[derive(Clone, Copy, Debug, Default)]
struct KnownTrip {
    award: Option<KnownAward>,
    facts: Option<TripFacts>,
    /// Somebody said that its facts are lost.
    lost: bool,
}

/// What is known of an account to which trips of the platform went.
#[derive(Clone, Copy, Debug, Default)]
struct KnownAccount {
    /// Its oldest award in the log; none of an account that the register alone names.
    first_award: Option<Index>,
    /// The register has a trip of it: an import sent that.
    imported: bool,
}

/// Accounts to which the key's trips went, and whose keys are not among the pseudonyms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountsWithoutKey {
    /// How many.
    pub count: usize,
    /// How many of them an import made, as the register of trips tells.
    pub imported: usize,
    /// The oldest award to one of them; none if none is in the log.
    pub first: Option<Index>,
}

/// The trips of a platform that are in its ledger.
pub struct KnownTrips {
    /// By the beginnings of their evidence, which is an HMAC: none has that of another.
    trips: HashMap<[u8; 16], KnownTrip>,
    awards: usize,
    accounts: HashMap<AccountStart, KnownAccount>,
    /// Awards of which points were taken back.
    taken_back: HashMap<Index, TakenBack>,
    /// The oldest and the newest award that is in, or that a correction of the platform takes back.
    ends: Option<(Index, Index)>,
    register: Register,
}

impl KnownTrips {
    /// Reads the register of a platform's trips, or begins one.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn open(register: &Path) -> Result<Self, RegisterError> {
        let mut trips: HashMap<[u8; 16], KnownTrip> = HashMap::new();
        let mut accounts: HashMap<AccountStart, KnownAccount> = HashMap::new();
        let register = Register::open(register, &mut |line| {
            if let Some(lost) = read_lost(line) {
                trips.entry(lost).or_default().lost = true;
                return true;
            }
            let Some((evidence, facts)) = read_facts(line) else {
                return false;
            };
            trips.entry(key(&evidence)).or_default().facts = Some(facts);
            accounts.entry(facts.bike).or_default().imported = true;
            true
        })?;
        Ok(Self {
            trips,
            awards: 0,
            accounts,
            taken_back: HashMap::new(),
            ends: None,
            register,
        })
    }

    /// Takes a statement of the platform that is in the log.
    ///
    /// # Errors
    /// [`CodecError`] of a statement that fits no record.
    pub fn take(&mut self, index: Index, statement: &Statement) -> Result<(), CodecError> {
        match statement {
            Statement::Award(award) => {
                self.reach(index);
                let trip = self.trips.entry(key(&award.evidence)).or_default();
                self.awards += 1;
                let account = self.accounts.entry(account_start(&award.account));
                let account = account.or_default();
                let earlier = account.first_award.is_none_or(|first| index < first);
                if earlier {
                    account.first_award = Some(index);
                }
                if trip.award.is_none_or(|known| index < known.index) {
                    trip.award = Some(KnownAward {
                        index,
                        points: award.points,
                        account: account_start(&award.account),
                        said: fingerprint_of_award(award)?,
                    });
                }
            }
            Statement::Correction(correction) => {
                if let Remedy::Reverse { points } = correction.remedy {
                    let taken = self.taken_back.entry(correction.target).or_default();
                    taken.own = taken.own.saturating_add(points.0);
                    self.reach(correction.target);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn reach(&mut self, award: Index) {
        let (first, last) = self.ends.unwrap_or((award, award));
        self.ends = Some((first.min(award), last.max(award)));
    }

    /// Takes what the ledger's server says of an award, of whosever: how many of its points anybody
    /// took back. To be called once the platform's chains were taken.
    ///
    /// # Errors
    /// [`ReversalContradicted`] when that is less than the platform's own corrections in the log.
    pub fn take_reversal(
        &mut self,
        award: Index,
        points: Grams,
    ) -> Result<(), ReversalContradicted> {
        let taken = self.taken_back.entry(award).or_default();
        taken.all = points.0;
        if points.0 < taken.own {
            return Err(ReversalContradicted {
                award,
                told: points,
                proven: Grams(taken.own),
            });
        }
        Ok(())
    }

    /// Checks that the server named every award of which the platform's own corrections took points.
    ///
    /// # Errors
    /// [`ReversalContradicted`].
    pub fn check_reversals(&self) -> Result<(), ReversalContradicted> {
        let mut short = self.taken_back.iter();
        match short.find(|(_, taken)| taken.all < taken.own) {
            None => Ok(()),
            Some((award, taken)) => Err(ReversalContradicted {
                award: *award,
                told: Grams(taken.all),
                proven: Grams(taken.own),
            }),
        }
    }

    /// Between which awards the reversals lie that the platform has to know of.
    pub fn award_range(&self) -> Option<(Index, Index)> {
        self.ends
    }

    /// What others took back of the platform's trips.
    pub fn reversals_by_others(&self) -> ReversalsByOthers {
        let mut sum = ReversalsByOthers::default();
        let awards = self.trips.values().filter_map(|trip| trip.award);
        for taken in awards.filter_map(|award| self.reversed_by_others(&award)) {
            sum.awards += 1;
            sum.points += u128::from(taken.points.0);
        }
        sum
    }

    /// What others took back of an award; none if nothing.
    pub(super) fn reversed_by_others(&self, award: &KnownAward) -> Option<ReversedByOthers> {
        let taken = self.taken_back.get(&award.index)?;
        let others = taken.all.checked_sub(taken.own)?;
        (others > 0).then_some(ReversedByOthers {
            points: Grams(others),
            of: award.points,
        })
    }

    /// Number of awards that are in.
    pub fn awards(&self) -> usize {
        self.awards
    }

    /// The accounts of the key's trips whose keys these pseudonyms lack: in an older copy of the
    /// file, those that came later.
    pub fn accounts_without_key(&self, pseudonyms: &Pseudonyms) -> AccountsWithoutKey {
        let lacking: Vec<_> = self.lacking(pseudonyms).collect();
        AccountsWithoutKey {
            count: lacking.len(),
            imported: lacking.iter().filter(|(_, known)| known.imported).count(),
            first: lacking
                .iter()
                .filter_map(|(_, known)| known.first_award)
                .min(),
        }
    }

    /// Notes in the pseudonyms, durably, that the keys of these accounts are gone for good: of all
    /// that lack one, or of those alone that no import made.
    ///
    /// # Errors
    /// [`PseudonymsError`].
    pub fn leave_without_key(
        &self,
        pseudonyms: &mut Pseudonyms,
        imported_too: bool,
    ) -> Result<(), PseudonymsError> {
        let lacking = self.lacking(pseudonyms);
        let left: Vec<_> = lacking
            .filter(|(_, known)| imported_too || !known.imported)
            .map(|(account, _)| account)
            .collect();
        pseudonyms.leave(left.into_iter())
    }

    fn lacking(
        &self,
        pseudonyms: &Pseudonyms,
    ) -> impl Iterator<Item = (AccountStart, KnownAccount)> {
        let there = pseudonyms.accounts();
        let accounts = self
            .accounts
            .iter()
            .map(|(account, known)| (*account, *known));
        accounts.filter(move |(account, _)| !there.contains(account))
    }

    /// How many awards that stand are of trips of which nobody knows any more when they were, but
    /// for those of accounts without a key: whether others overlap them can't be told.
    pub(super) fn without_times(&self, pseudonyms: &Pseudonyms) -> u64 {
        let untimed = self.awarded_without_facts(pseudonyms);
        let standing = untimed.filter(|(_, _, award)| self.left_of(award).0 > 0);
        standing.count() as u64
    }

    /// Whether the register is there.
    pub fn has_register(&self) -> bool {
        self.register.is_there()
    }

    /// How many awards are of trips that the register lacks, but for those of accounts without a key: when
    /// they were and what their rows said was lost, or never noted here.
    pub fn without_facts(&self, pseudonyms: &Pseudonyms) -> u64 {
        self.lacking_facts(pseudonyms).count() as u64
    }

    /// Notes in the register that what it lacks of these trips is lost; [`TripPlan::note`] makes it durable.
    ///
    /// # Errors
    /// [`RegisterError`].
    ///
    /// [`TripPlan::note`]: super::TripPlan::note
    pub fn leave_without_facts(&mut self, pseudonyms: &Pseudonyms) -> Result<(), RegisterError> {
        let lost: Vec<[u8; 16]> = self.lacking_facts(pseudonyms).collect();
        for evidence in lost {
            self.register
                .add(&format!("{LOST} {}", hex::encode(evidence)))?;
        }
        Ok(())
    }

    fn lacking_facts(&self, pseudonyms: &Pseudonyms) -> impl Iterator<Item = [u8; 16]> {
        let lacking = self.awarded_without_facts(pseudonyms);
        lacking
            .filter(|(_, trip, _)| !trip.lost)
            .map(|(evidence, _, _)| evidence)
    }

    /// Trips that are awarded and that the register lacks, but for those of accounts without a key: the beginning
    /// of the evidence, what is known of the trip, and its award.
    fn awarded_without_facts(
        &self,
        pseudonyms: &Pseudonyms,
    ) -> impl Iterator<Item = ([u8; 16], &KnownTrip, KnownAward)> {
        let without_key = pseudonyms.without_key();
        let lacking = self.trips.iter().filter(|(_, trip)| trip.facts.is_none());
        let awarded = lacking.filter_map(|(evidence, trip)| Some((*evidence, trip, trip.award?)));
        awarded.filter(move |(_, _, award)| !without_key.contains(&award.account))
    }

    /// The points of an award that is in, without those that were taken back.
    pub fn points_left(&self, award: Index) -> Option<Grams> {
        let mut awards = self.trips.values().filter_map(|trip| trip.award);
        let found = awards.find(|known| known.index == award);
        found.map(|known| self.left_of(&known))
    }

    /// The points of an award, without those that were taken back.
    pub(super) fn left_of(&self, award: &KnownAward) -> Grams {
        let taken = self.taken_back.get(&award.index);
        let taken = taken.map_or(0, |taken| taken.all.max(taken.own));
        Grams(award.points.0.saturating_sub(taken))
    }

    pub(super) fn award(&self, evidence: &Digest) -> Option<KnownAward> {
        self.trips.get(&key(evidence))?.award
    }

    pub(super) fn facts(&self, evidence: &Digest) -> Option<TripFacts> {
        self.trips.get(&key(evidence))?.facts
    }

    /// Trips that are in and were not taken back as a whole, with what the register tells of them.
    pub(super) fn standing(&self) -> impl Iterator<Item = (Index, TripFacts)> {
        let trips = self.trips.values();
        trips
            .filter_map(|trip| Some((trip.award?, trip.facts?)))
            .filter(|(award, _)| self.left_of(award).0 > 0)
            .map(|(award, facts)| (award.index, facts))
    }

    /// Notes trips in the register, durably: before their awards are sent.
    pub(super) fn note<'a>(
        &mut self,
        trips: impl Iterator<Item = (&'a Digest, TripFacts)>,
    ) -> Result<(), RegisterError> {
        for (evidence, facts) in trips {
            self.register.add(&format!(
                "{evidence} {} {} {} {}",
                hex::encode(facts.row),
                hex::encode(facts.bike),
                facts.start,
                facts.end
            ))?;
        }
        self.register.save()
    }
}

impl KnownAward {
    /// Whether the log says just this of the trip.
    pub(super) fn says(&self, award: &Award) -> bool {
        fingerprint_of_award(award).is_ok_and(|said| said == self.said)
    }
}

fn key(evidence: &Digest) -> [u8; 16] {
    beginning(evidence.as_bytes())
}

/// The beginning of the digest of a row's fields.
pub(super) fn fingerprint_of_row(fields: &[String]) -> Fingerprint {
    let mut hasher = Sha256::new();
    for field in fields {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field);
    }
    beginning(hasher.finalize().as_slice())
}

fn fingerprint_of_award(award: &Award) -> Result<Fingerprint, CodecError> {
    let bytes = encode::<_, RECORD_BYTES_MAX>(award)?;
    Ok(beginning(Sha256::digest(bytes).as_slice()))
}

fn beginning<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

fn read_lost(line: &str) -> Option<[u8; 16]> {
    let digits = line.strip_prefix(LOST)?.strip_prefix(' ')?;
    let mut evidence = [0; 16];
    hex::decode_to_slice(digits, &mut evidence).ok()?;
    Some(evidence)
}

fn read_facts(line: &str) -> Option<(Digest, TripFacts)> {
    let mut words = line.split(' ');
    let evidence = words.next()?.parse().ok()?;
    let mut bytes = || {
        let mut bytes = [0; 8];
        hex::decode_to_slice(words.next()?, &mut bytes).ok()?;
        Some(bytes)
    };
    let (row, bike) = (bytes()?, bytes()?);
    let (start, end) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let facts = TripFacts {
        row,
        bike,
        start,
        end,
    };
    words.next().is_none().then_some((evidence, facts))
}
