//! Attestations: what an auditor says of the ledger. It moves nothing, and whether its roots are right
//! the state can't know: that is for other auditors to compare.

use super::{Rules, Voidable};
use crate::ledger::broken::Contradiction;
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{AttestationPlaces, AttestationVoidPlaces, Places};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::chain::check_day;
use crate::ledger::rules::speakers::{Endorsers, Speakers, require_role};
use crate::ledger::state::State;
use crate::record::{Attestation, Index, Role};

impl Rules for Attestation {
    fn speakers(&self) -> Speakers {
        Speakers::Role(Role::Auditor)
    }

    fn endorsers(&self) -> Endorsers {
        Endorsers::None
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        require_role(state, candidate, Role::Auditor)?;
        ensure(self.size <= state.globals.entries, || {
            Refusal::new(
                Code::SizeBeyond,
                format!("it speaks of the first {} entries", self.size),
                format!("the ledger has {} before it", state.globals.entries),
            )
        })?;
        ensure(self.period_from <= self.period_until, || {
            Refusal::new(
                Code::DayRefused,
                format!(
                    "the period is from {} until {}",
                    self.period_from, self.period_until
                ),
                "a period ends on the day on which it begins, or later",
            )
        })?;
        check_day(candidate, "period_until", self.period_until)?;
        Ok(AttestationPlaces {}.into())
    }

    fn apply(&self, _: &mut State, _: &Candidate<'_>, _: Index) -> Result<(), Contradiction> {
        Ok(())
    }

    fn voidable(&self) -> Option<&dyn Voidable> {
        Some(self)
    }
}

/// Its auditor, or the governors, take it back. No sum changes.
impl Voidable for Attestation {
    fn judge_void(&self, _: &State, target: Index) -> Result<Places, Refusal> {
        let target = Some(target);
        Ok(AttestationVoidPlaces { target }.into())
    }

    fn apply_void(&self, _: &mut State, _: Index, _: Index) -> Result<(), Contradiction> {
        Ok(())
    }
}
