//! What an audit keeps beside the ledger's state while it reads, so that findings can be judged at
//! the end. It grows with accounts, claims, plantings, issuers and days, never with the number of
//! awards: those go to [`super::AwardRows`].

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use serde::Serialize;

use super::attested::ObservedAttestation;
use super::coverage::Coverage;
use super::looked::Looked;
use super::nothings::is_nothing;
use super::restated::RestatedPlots;
use crate::crypto::PublicKey;
use crate::ledger::decimal;
use crate::record::{
    ActivityCode, Day, Digest, Entry, Index, Kind, MethodId, MethodVersion, Month, PlotNumber,
    Remedy, Statement, TimeMs, TransferReason,
};
use crate::replay::Taken;

/// Pauses between entries that are remembered, the longest first.
const PAUSES_MAX: usize = 100;
/// A pause shorter than this is no finding.
const PAUSE_MS_MIN: u64 = 24 * 3_600_000;
/// A grant of a key that is admitted more than this many days after its issue is kept: endorsements go
/// from house to house in days. By the rules no record is admitted after 31.
pub const GRANT_DAYS_MAX: u32 = 14;
/// Days from an event to its admission: up to a day, a week, a month, a quarter, a year, more.
pub const LATENESS_DAYS: [u32; 5] = [1, 7, 31, 92, 366];

/// What was observed of the entries so far.
///
/// No sum can overflow: an index is 64 bits, so there are fewer than 2^64 entries, and each adds
/// less than 2^64 to a sum of 128 bits, or at most 2^32 trees to one of 64.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Observations {
    /// Each day of admission with its first entry: an entry's day is found by its index.
    days: Vec<(Day, Index)>,
    /// When the last entry was admitted.
    last_admitted_at: TimeMs,
    /// Entries by kind.
    pub kinds: BTreeMap<Kind, Span>,
    /// State entries, which have no kind and no issuer.
    pub state_entries: Span,
    /// How soon state entries covered the others.
    pub coverage: Coverage,
    /// Awards by method, version and activity.
    pub activities: BTreeMap<(MethodId, MethodVersion, ActivityCode), ActivitySums>,
    /// Entries by the key that issued them.
    pub issuers: BTreeMap<PublicKey, IssuerSums>,
    /// Points by month.
    pub months: BTreeMap<Month, MonthSums>,
    /// Entries by key and day, of issue or of admission, whichever is later: a thief can date a
    /// record back.
    pub signed_on: BTreeMap<(PublicKey, Day), Span>,
    /// Awards by days from the event to admission: a class for each of [`LATENESS_DAYS`], and one
    /// for those that took longer.
    pub lateness: [Span; LATENESS_DAYS.len() + 1],
    /// Entries by hour of admission since 1970.
    pub hours: BTreeMap<u64, Span>,
    /// The longest pauses, the longest first.
    pub pauses: Vec<Pause>,
    /// How many pauses there were, with those that are not kept in `pauses`.
    pub pauses_count: u64,
    /// Entries issued on the day after their admission.
    pub ahead: Span,
    /// The entry that stated each plot first.
    pub plots_stated: BTreeMap<PlotNumber, Index>,
    /// Entries by kind that name the digest of nothing as evidence.
    pub placeholders: BTreeMap<Kind, ObservedPlaceholders>,
    /// Losses, by the correction's index; those that were voided later too.
    pub losses: BTreeMap<Index, ObservedLoss>,
    /// Surveys, by their entries; those that were voided later too.
    pub surveys: BTreeMap<Index, Looked>,
    /// What was changed of plots that were stated again.
    pub plots: RestatedPlots,
    /// Grants of keys that were admitted long after their issue.
    pub late_grants: Vec<LateGrant>,
    /// Entries that governors issued, in order.
    pub governance: Vec<Index>,
    /// What auditors attested.
    pub attestations: BTreeMap<Index, ObservedAttestation>,
}

impl Observations {
    /// Takes in an entry that the rules allowed. Entries come in order, each once.
    pub fn observe(&mut self, taken: &Taken<'_>) {
        let (index, admitted_at) = (taken.index, taken.admitted_at());
        let admitted_on = Day::of(admitted_at);
        if self.days.last().is_none_or(|(day, _)| *day < admitted_on) {
            self.days.push((admitted_on, index));
        }
        self.observe_time(index, admitted_at);
        // A state entry is the log's own: no issuer, no kind.
        if let Entry::State(entry) = taken.checked.entry() {
            self.state_entries.add(index);
            self.coverage.cover(entry.size);
            return;
        }
        self.coverage.admit(index, admitted_at);
        // Whatever is no state entry states something: a group has its seal.
        let Some(stated) = taken.stated() else {
            return;
        };
        let (issuer, issued_on) = (*stated.issuer(), stated.issued_on());
        if issued_on > admitted_on {
            self.ahead.add(index);
        }
        let kind = stated.statement.kind();
        self.kinds.entry(kind).or_default().add(index);
        let signed = self
            .signed_on
            .entry((issuer, issued_on.max(admitted_on)))
            .or_default();
        signed.add(index);
        self.issuers.entry(issuer).or_default().entries.add(index);
        self.observe_digests(index, kind, stated.statement);
        self.observe_statement(index, issuer, issued_on, admitted_on, stated.statement);
    }

    fn observe_time(&mut self, index: Index, admitted_at: TimeMs) {
        let hour = admitted_at.0 / 3_600_000;
        self.hours.entry(hour).or_default().add(index);
        // Before the first entry there is none to pause after. From then on the rules keep time
        // from going back.
        let since_last = admitted_at.0.checked_sub(self.last_admitted_at.0);
        if let Some(ms) = since_last
            && index.0 > 0
            && ms >= PAUSE_MS_MIN
        {
            self.pauses_count += 1;
            self.pauses.push(Pause { ms, index });
            self.pauses.sort_by_key(|pause| std::cmp::Reverse(pause.ms));
            self.pauses.truncate(PAUSES_MAX);
        }
        self.last_admitted_at = admitted_at;
    }

    /// Notes an entry that names the digest of nothing.
    fn observe_digests(&mut self, index: Index, kind: Kind, statement: &Statement) {
        let digests = match statement {
            Statement::Award(award) => [Some(award.evidence), None],
            Statement::Plot(plot) => [plot.finer_outline, None],
            Statement::Planting(planting) => [Some(planting.evidence), None],
            Statement::Survey(survey) => [Some(survey.evidence), survey.plan],
            Statement::Method(method) => [Some(method.document), None],
            Statement::Attestation(said) => [Some(said.findings), Some(said.report)],
            Statement::Correction(correction) => match &correction.remedy {
                Remedy::Lost { evidence, .. } => [*evidence, None],
                Remedy::Reverse { .. } | Remedy::Void => return,
            },
            Statement::Genesis(_)
            | Statement::Governors(_)
            | Statement::KeyGrant(_)
            | Statement::KeyRevoke(_)
            | Statement::LogKey(_)
            | Statement::Transfer(_)
            | Statement::Claim(_)
            | Statement::Assignment(_)
            | Statement::Policy(_)
            | Statement::Seal(_) => return,
        };
        if let Some(digest) = digests.into_iter().flatten().find(is_nothing) {
            let known = self.placeholders.entry(kind);
            let known = known.or_insert_with(|| ObservedPlaceholders {
                entries: Span::default(),
                first: digest,
            });
            known.entries.add(index);
        }
    }

    fn observe_statement(
        &mut self,
        index: Index,
        issuer: PublicKey,
        issued_on: Day,
        admitted_on: Day,
        statement: &Statement,
    ) {
        let sums = self.issuers.entry(issuer).or_default();
        match statement {
            Statement::Award(award) => {
                sums.awards += 1;
                sums.points += u128::from(award.points.0);
                let key = (award.method, award.version, award.activity);
                let activity = self.activities.entry(key).or_default();
                activity.awards += 1;
                activity.points += u128::from(award.points.0);
                activity.quantity += u128::from(award.quantity.0);
                let month = self.months.entry(Month::of(award.occurred_on)).or_default();
                month.awards += 1;
                month.awarded += u128::from(award.points.0);
                self.lateness_class(award.occurred_on, admitted_on)
                    .add(index);
            }
            Statement::Transfer(transfer) => match transfer.reason {
                TransferReason::Expired | TransferReason::SpentElsewhere => {
                    let month = self.months.entry(Month::of(issued_on)).or_default();
                    month.expired_or_spent += u128::from(transfer.points.0);
                }
                // Points that stay in the ledger change no sum over all accounts.
                TransferReason::Gift | TransferReason::Collected | TransferReason::Pooled => {}
            },
            Statement::Claim(claim) => {
                sums.claims += 1;
                let month = self.months.entry(Month::of(issued_on)).or_default();
                month.claimed += u128::from(claim.points.0);
            }
            Statement::Planting(planting) => sums.planted += u64::from(planting.count.get()),
            Statement::Survey(survey) => {
                sums.surveys += 1;
                self.surveys.insert(index, survey.into());
            }
            Statement::Correction(correction) => match &correction.remedy {
                Remedy::Reverse { points } => {
                    sums.reversals += 1;
                    sums.reversed += u128::from(points.0);
                    let month = self.months.entry(Month::of(issued_on)).or_default();
                    month.reversed += u128::from(points.0);
                }
                Remedy::Lost {
                    count,
                    lost_on,
                    evidence,
                    ..
                } => {
                    sums.losses += 1;
                    sums.lost += u64::from(count.get());
                    let loss = ObservedLoss {
                        planting: correction.target,
                        on: *lost_on,
                        count: count.get(),
                        evidence: *evidence,
                    };
                    self.losses.insert(index, loss);
                }
                Remedy::Void => sums.voids += 1,
            },
            Statement::KeyGrant(_) => {
                let days = admitted_on.0.saturating_sub(issued_on.0);
                if days > GRANT_DAYS_MAX {
                    self.late_grants.push(LateGrant { index, days });
                }
                self.governance.push(index);
            }
            Statement::Plot(plot) => {
                self.plots_stated.entry(plot.number).or_insert(index);
                self.plots.observe(index, plot);
            }
            // The state has all that findings ask of it.
            Statement::Assignment(_) => {}
            Statement::Genesis(_)
            | Statement::Governors(_)
            | Statement::KeyRevoke(_)
            | Statement::LogKey(_)
            | Statement::Method(_)
            | Statement::Policy(_) => self.governance.push(index),
            // It signs what its batch says, and says nothing itself.
            Statement::Seal(_) => {}
            // Its opinion is its auditor's own; its roots are held against the log.
            Statement::Attestation(said) => {
                let said = ObservedAttestation::new(said);
                self.attestations.insert(index, said);
            }
        }
    }

    /// The awards that were admitted as late after their event.
    fn lateness_class(&mut self, occurred_on: Day, admitted_on: Day) -> &mut Span {
        // An award issued on the day after its admission may be for that day: not late at all.
        let days = admitted_on.0.saturating_sub(occurred_on.0);
        let [classes @ .., later] = &mut self.lateness;
        let mut classes = classes.iter_mut().zip(LATENESS_DAYS);
        let class = classes.find(|(_, days_max)| days <= *days_max);
        class.map_or(later, |(span, _)| span)
    }

    /// The day on which an entry was admitted; `None` when none was observed that early.
    pub fn admitted_on(&self, index: Index) -> Option<Day> {
        let after = self.days.partition_point(|(_, first)| *first <= index);
        self.days.get(after.checked_sub(1)?).map(|(day, _)| *day)
    }

    /// The day of the last admission; `None` before the first.
    pub fn last_day(&self) -> Option<Day> {
        self.days.last().map(|(day, _)| *day)
    }
}

/// Some entries: how many, the first and the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, Serialize)]
pub struct Span {
    /// How many entries.
    #[serde(rename = "entries")]
    pub count: u64,
    /// The first one's index.
    pub first: Index,
    /// The last one's index.
    pub last: Index,
}

impl Span {
    pub(super) fn add(&mut self, index: Index) {
        if self.count == 0 {
            self.first = index;
        }
        self.last = index;
        self.count += 1;
    }

    /// The first and the last entry, as examples to look up.
    pub fn ends(&self) -> Vec<Index> {
        match self.count {
            0 => Vec::new(),
            1 => vec![self.first],
            _ => vec![self.first, self.last],
        }
    }
}

/// Awards of one activity of one version of a method.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, Serialize)]
pub struct ActivitySums {
    /// How many awards.
    pub awards: u64,
    /// The sum of their points, in grams.
    #[serde(serialize_with = "decimal")]
    pub points: u128,
    /// The sum of their quantities, in thousandths of the unit.
    #[serde(serialize_with = "decimal")]
    pub quantity: u128,
}

/// What one key issued. Nothing is taken off for what was corrected later.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, Serialize)]
pub struct IssuerSums {
    /// All its entries.
    pub entries: Span,
    /// How many awards.
    pub awards: u64,
    /// The points of its awards, in grams.
    #[serde(rename = "points_grams", serialize_with = "decimal")]
    pub points: u128,
    /// Trees of its plantings.
    #[serde(rename = "planted_trees")]
    pub planted: u64,
    /// How many surveys.
    pub surveys: u64,
    /// How many claims.
    pub claims: u64,
    /// How many reversals of awards.
    pub reversals: u64,
    /// The points that its reversals took back, in grams.
    #[serde(rename = "reversed_grams", serialize_with = "decimal")]
    pub reversed: u128,
    /// How many losses of trees.
    pub losses: u64,
    /// The trees of its losses.
    #[serde(rename = "lost_trees")]
    pub lost: u64,
    /// How many voids.
    pub voids: u64,
}

impl IssuerSums {
    /// How many corrections, of all three remedies.
    pub fn corrections(&self) -> u64 {
        self.reversals + self.losses + self.voids
    }
}

/// Points by the month in which they were earned, taken back or spent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, Serialize)]
pub struct MonthSums {
    /// How many awards for events of this month.
    pub awards: u64,
    /// The points of those awards, in grams.
    #[serde(rename = "awarded_grams", serialize_with = "decimal")]
    pub awarded: u128,
    /// Points reversed by corrections signed in this month, in grams.
    #[serde(rename = "reversed_grams", serialize_with = "decimal")]
    pub reversed: u128,
    /// Points of claims signed in this month, voided ones too, in grams.
    #[serde(rename = "claimed_grams", serialize_with = "decimal")]
    pub claimed: u128,
    /// Points of transfers signed in this month that left the ledger, in grams: they expired, or
    /// were spent on something that is no tree. Voided transfers count too.
    #[serde(rename = "left_grams", serialize_with = "decimal")]
    pub expired_or_spent: u128,
}

/// A loss of trees as its correction states it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ObservedLoss {
    /// The entry of the planting.
    pub planting: Index,
    /// The day on which the trees were lost.
    pub on: Day,
    /// How many trees.
    pub count: u32,
    /// The evidence that the correction names.
    pub evidence: Option<Digest>,
}

/// Entries of a kind that name the digest of nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ObservedPlaceholders {
    /// The entries.
    pub entries: Span,
    /// What the first of them names.
    pub first: Digest,
}

/// A grant of a key that came long after it was signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct LateGrant {
    /// The grant's entry.
    pub index: Index,
    /// Days from its issue to its admission.
    pub days: u32,
}

/// A time without admissions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Pause {
    /// How long it was, in milliseconds.
    pub ms: u64,
    /// The entry that ended it.
    pub index: Index,
}
