//! Corrections (rule 8): reversals, losses and voids. `docs/format.md` tables what each does to
//! each total.

mod lost;
mod reverse;
mod void;

use super::{Rules, Voidable};
use crate::ledger::broken::{Contradiction, present};
use crate::ledger::candidate::{Candidate, Target};
use crate::ledger::lineage::Places;
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::chain::{check_day, check_in_use};
use crate::ledger::rules::speakers::{
    Endorsers, Speakers, check_no_set, require_governors, unasked,
};
use crate::ledger::state::{HolderNumber, KeyRole, State};
use crate::record::{Correction, Day, Index, Kind, Planting, Remedy, Role, Statement};

impl Rules for Correction {
    fn speakers(&self) -> Speakers {
        Speakers::HolderOrGovernors
    }

    /// Governors' endorse governors' corrections. A void that takes points from the account of another
    /// holder is endorsed by that holder; other corrections by a holder have no endorsements.
    fn endorsers(&self) -> Endorsers {
        Endorsers::GovernorsOrPlatforms
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        let unknown = || {
            Refusal::new(
                Code::TargetUnknown,
                format!("nobody stated anything in an entry {}", self.target),
                "name the earlier entry that is put right; a state entry is the log's own, and is never put right",
            )
        };
        ensure(self.target.0 < state.globals.entries, unknown)?;
        let target = candidate.target.ok_or_else(unknown)?;
        check_corrector(state, candidate, self, &target)?;
        if let Remedy::Lost { lost_on, .. } = &self.remedy {
            check_day(candidate, "lost_on", *lost_on)?;
        }
        match (&self.remedy, target.statement) {
            (Remedy::Reverse { points }, Statement::Award(award)) => {
                reverse::judge(state, self.target, award, *points)
            }
            (
                Remedy::Lost {
                    count,
                    first_serial,
                    lost_on,
                    ..
                },
                Statement::Planting(planting),
            ) => {
                check_not_before_planting(*lost_on, planting)?;
                lost::judge(state, self.target, planting, count.get(), *first_serial)
            }
            (Remedy::Void, statement) => void::judge(state, self.target, statement),
            (Remedy::Reverse { .. } | Remedy::Lost { .. }, other) => {
                Err(target_refused(&self.remedy, other.kind()))
            }
        }
    }

    fn apply(
        &self,
        state: &mut State,
        candidate: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        let target = present(candidate.target, "the entry that is corrected")?;
        match (&self.remedy, target.statement) {
            (Remedy::Reverse { points }, Statement::Award(award)) => {
                reverse::apply(state, index, self.target, award, *points)
            }
            (
                Remedy::Lost {
                    count,
                    first_serial,
                    ..
                },
                Statement::Planting(planting),
            ) => lost::apply(state, index, planting, count.get(), *first_serial),
            (Remedy::Void, statement) => void::apply(state, index, self.target, statement),
            (Remedy::Reverse { .. } | Remedy::Lost { .. }, other) => {
                let kind = other.kind().with_article();
                Err(Contradiction::new(format!(
                    "the remedy does not fit {kind}"
                )))
            }
        }
    }

    fn voidable(&self) -> Option<&dyn Voidable> {
        matches!(self.remedy, Remedy::Lost { .. }).then_some(self as &dyn Voidable)
    }
}

/// A key of the target's holder and role; a loss also any surveyor; any by k governors.
fn check_corrector(
    state: &State,
    candidate: &Candidate<'_>,
    correction: &Correction,
    target: &Target<'_>,
) -> Result<(), Refusal> {
    match candidate.issuer_key(state).map(|key| &key.role) {
        Some(KeyRole::Governor) => require_governors(state, candidate, &[]),
        Some(KeyRole::Issuer { role, holder, .. }) => {
            let payer = other_payer(state, candidate, correction, target);
            check_endorsers(state, candidate, payer)?;
            check_no_set(candidate)?;
            let lost = matches!(correction.remedy, Remedy::Lost { .. });
            let same = matches!(
                state.role_of(target.issuer),
                Some(KeyRole::Issuer { role: r, holder: h, .. }) if r == role && h == holder
            );
            ensure(same || (lost && *role == Role::Surveyor), || {
                Refusal::new(
                    Code::HolderRefused,
                    format!(
                        "entry {} was not said by {holder} as {role}",
                        correction.target
                    ),
                    "a key of the same holder and role corrects it, or k governors do",
                )
            })?;
            let endorsed = !candidate.endorsements.is_empty();
            ensure(payer.is_none() || endorsed, || {
                Refusal::new(
                    Code::ConsentMissing,
                    "points would be taken from the account of another holder",
                    "one of that holder's platform keys must endorse the correction, or governors make it",
                )
            })
        }
        Some(KeyRole::Log) | None => Err(Refusal::new(
            Code::RoleRefused,
            "this key corrects nothing",
            "a key of the same holder and role corrects it, or k governors do",
        )),
    }
}

/// Endorsements of a correction by a holder: by platform keys of the other holder that pays, if one
/// does.
fn check_endorsers(
    state: &State,
    candidate: &Candidate<'_>,
    payer: Option<HolderNumber>,
) -> Result<(), Refusal> {
    for endorsement in candidate.endorsements {
        let payer = payer.ok_or_else(|| unasked(candidate.statement.kind()))?;
        let key = state.key(&endorsement.key).filter(|key| {
            matches!(
                key.role,
                KeyRole::Issuer { role: Role::Platform, holder_number, .. } if holder_number == payer
            )
        });
        let key = key.ok_or_else(|| {
            Refusal::new(
                Code::EndorserRefused,
                format!(
                    "{} is no platform key of the account's holder",
                    endorsement.key
                ),
                "only the holder of the account that pays may endorse this correction",
            )
        })?;
        check_in_use(key, candidate.admitted_on())?;
    }
    Ok(())
}

/// The holder, other than the issuer's, from whose account a correction takes points.
fn other_payer(
    state: &State,
    candidate: &Candidate<'_>,
    correction: &Correction,
    target: &Target<'_>,
) -> Option<HolderNumber> {
    let account = match (&correction.remedy, target.statement) {
        (Remedy::Reverse { .. }, Statement::Award(award)) => Some(award.account),
        (Remedy::Void, Statement::Transfer(transfer)) => transfer.to,
        _ => None,
    };
    let payer = state.account(&account?)?.holder;
    (Some(payer) != candidate.issuer_holder(state)).then_some(payer)
}

fn target_refused(remedy: &Remedy, kind: Kind) -> Refusal {
    let (what, of) = match remedy {
        Remedy::Reverse { .. } => ("reversed", "awards"),
        Remedy::Lost { .. } => ("lost", "plantings"),
        Remedy::Void => (
            "voided",
            "transfers, plantings, surveys, claims, assignments, losses and attestations",
        ),
    };
    Refusal::new(
        Code::TargetRefused,
        format!("the target is {}", kind.with_article()),
        format!("only {of} can be {what}"),
    )
}

/// Trees are lost after they were planted.
fn check_not_before_planting(lost_on: Day, planting: &Planting) -> Result<(), Refusal> {
    ensure(planting.planted_from <= lost_on, || {
        Refusal::new(
            Code::DayRefused,
            format!(
                "lost_on is {lost_on}, and the trees were planted from {} on",
                planting.planted_from
            ),
            "a loss is not dated before its planting",
        )
    })
}

fn voided(detail: &str) -> Refusal {
    Refusal::new(
        Code::TargetVoided,
        detail,
        "what was voided is not corrected again",
    )
}
