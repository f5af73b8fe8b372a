//! Corrections (rule 8): reversals, losses and voids. `docs/format.md` tables what each does to
//! each total.

mod lost;
mod reverse;
mod void;

use super::{Rules, Voidable};
use crate::ledger::broken::{Contradiction, present};
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::Places;
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::chain::check_day;
use crate::ledger::rules::speakers::{Endorsers, Speakers, require_governors, require_role};
use crate::ledger::state::{KeyRole, State};
use crate::record::{Correction, Index, Kind, Record, Remedy, Role, Statement};

impl Rules for Correction {
    fn speakers(&self) -> Speakers {
        Speakers::HolderOrGovernors
    }

    /// Of the governors' corrections; those by a holder have none.
    fn endorsers(&self) -> Endorsers {
        Endorsers::Governors
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        let unknown = || {
            Refusal::new(
                Code::TargetUnknown,
                format!("there is no entry {}", self.target),
                "name the entry that is put right",
            )
        };
        ensure(self.target.0 < state.globals.entries, unknown)?;
        let target = candidate.target.ok_or_else(unknown)?.signed.record();
        check_corrector(state, candidate, self, target)?;
        if let Remedy::Lost { lost_on, .. } = &self.remedy {
            check_day(candidate, "lost_on", *lost_on)?;
        }
        match (&self.remedy, &target.statement) {
            (Remedy::Reverse { points }, Statement::Award(award)) => {
                reverse::judge(state, self.target, award, *points)
            }
            (
                Remedy::Lost {
                    count,
                    first_serial,
                    ..
                },
                Statement::Planting(planting),
            ) => lost::judge(state, self.target, planting, count.get(), *first_serial),
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
        let target = target.signed.record();
        match (&self.remedy, &target.statement) {
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
                let kind = other.kind();
                Err(Contradiction::new(format!(
                    "the remedy does not fit a {kind}"
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
    target: &Record,
) -> Result<(), Refusal> {
    match state.role_of(&candidate.record().issuer) {
        Some(KeyRole::Governor) => require_governors(state, candidate, &[]),
        Some(KeyRole::Issuer { role, holder, .. }) => {
            require_role(state, candidate, *role)?;
            let lost = matches!(correction.remedy, Remedy::Lost { .. });
            let same = matches!(
                state.role_of(&target.issuer),
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
            })
        }
        Some(KeyRole::Log) | None => Err(Refusal::new(
            Code::RoleRefused,
            "this key corrects nothing",
            "a key of the same holder and role corrects it, or k governors do",
        )),
    }
}

fn target_refused(remedy: &Remedy, kind: Kind) -> Refusal {
    let (what, of) = match remedy {
        Remedy::Reverse { .. } => ("reversed", "awards"),
        Remedy::Lost { .. } => ("lost", "plantings"),
        Remedy::Void => (
            "voided",
            "transfers, plantings, surveys, claims, assignments and losses",
        ),
    };
    Refusal::new(
        Code::TargetRefused,
        format!("the target is a {kind}"),
        format!("only {of} can be {what}"),
    )
}

fn voided(detail: &str) -> Refusal {
    Refusal::new(
        Code::TargetVoided,
        detail,
        "what was voided is not corrected again",
    )
}
