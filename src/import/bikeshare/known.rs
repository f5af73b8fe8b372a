//! Trips that are in: found by their evidence, which is made of the source's own id alone. What
//! the log tells of them is read from it; when a bicycle was on them it does not tell, so a
//! register beside the key keeps that.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::import::accounts::{AccountStart, Pseudonyms, PseudonymsError, account_start};
use crate::import::register::{Register, RegisterError};
use crate::record::{
    Award, CodecError, Digest, Grams, Index, RECORD_BYTES_MAX, Remedy, Statement, encode,
};

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
    said: Fingerprint,
}

/// What is known of a trip. There is one for each trip of the platform in memory: some 75 bytes.
#[derive(Clone, Copy, Debug, Default)]
struct KnownTrip {
    award: Option<KnownAward>,
    facts: Option<TripFacts>,
}

/// What is known of an account to which trips of the platform went.
#[derive(Clone, Copy, Debug, Default)]
struct KnownAccount {
    /// Its oldest award in the log; none of an account that the register alone names.
    first_award: Option<Index>,
    /// The register has a trip of it: an import sent that.
    imported: bool,
    /// Awards that stand and of which the register does not tell when the trip was.
    without_times: u64,
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
    /// Awards that a correction took back.
    corrected: HashSet<Index>,
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
        let register = Register::open(register, &mut |line| match read_facts(line) {
            Some((evidence, facts)) => {
                trips.entry(key(&evidence)).or_default().facts = Some(facts);
                accounts.entry(facts.bike).or_default().imported = true;
                true
            }
            None => false,
        })?;
        Ok(Self {
            trips,
            awards: 0,
            accounts,
            corrected: HashSet::new(),
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
                let trip = self.trips.entry(key(&award.evidence)).or_default();
                self.awards += 1;
                let account = self.accounts.entry(account_start(&award.account));
                let account = account.or_default();
                let earlier = account.first_award.is_none_or(|first| index < first);
                if earlier {
                    account.first_award = Some(index);
                }
                // Chains are told from their end: a correction is known before what it corrects.
                if trip.facts.is_none() && !self.corrected.contains(&index) {
                    account.without_times += 1;
                }
                if trip.award.is_none_or(|known| index < known.index) {
                    trip.award = Some(KnownAward {
                        index,
                        points: award.points,
                        said: fingerprint_of_award(award)?,
                    });
                }
            }
            Statement::Correction(correction) => match correction.remedy {
                Remedy::Reverse { .. } | Remedy::Void => {
                    self.corrected.insert(correction.target);
                }
                Remedy::Lost { .. } => {}
            },
            _ => {}
        }
        Ok(())
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
        let without_key = pseudonyms.without_key();
        let accounts = self.accounts.iter();
        let counted = accounts.filter(|(account, _)| !without_key.contains(*account));
        counted.map(|(_, known)| known.without_times).sum()
    }

    /// The points of an award that is in.
    pub fn points(&self, award: Index) -> Option<Grams> {
        let mut awards = self.trips.values().filter_map(|trip| trip.award);
        let found = awards.find(|known| known.index == award);
        found.map(|known| known.points)
    }

    /// Whether a correction took back an award.
    pub(super) fn is_corrected(&self, award: Index) -> bool {
        self.corrected.contains(&award)
    }

    pub(super) fn award(&self, evidence: &Digest) -> Option<KnownAward> {
        self.trips.get(&key(evidence))?.award
    }

    pub(super) fn facts(&self, evidence: &Digest) -> Option<TripFacts> {
        self.trips.get(&key(evidence))?.facts
    }

    /// Trips that are in and were not taken back, with what the register tells of them.
    pub(super) fn standing(&self) -> impl Iterator<Item = (Index, TripFacts)> {
        let trips = self.trips.values();
        trips
            .filter_map(|trip| Some((trip.award?.index, trip.facts?)))
            .filter(|(award, _)| !self.is_corrected(*award))
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
