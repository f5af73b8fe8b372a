//! Awards (rule 3): points for an activity.

use super::Rules;
use crate::ledger::broken::{Contradiction, Sum};
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{AccountPlaces, Places};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::balances::{check_awarded, check_credit, check_holder, require_nonzero};
use crate::ledger::rules::chain::check_day;
use crate::ledger::rules::methods::check_version;
use crate::ledger::rules::speakers::{Endorsers, Speakers, issuing_holder, require_role};
use crate::ledger::state::State;
use crate::record::{Award, Index, Month, Role};

impl Rules for Award {
    fn speakers(&self) -> Speakers {
        Speakers::Role(Role::Platform)
    }

    fn endorsers(&self) -> Endorsers {
        Endorsers::None
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        require_role(state, candidate, Role::Platform)?;
        let account = check_holder(state, candidate, &self.account)?;
        check_day(candidate, "occurred_on", self.occurred_on)?;
        let method = check_version(state, self.method, self.version, self.occurred_on)?;
        let activity = method
            .activities
            .iter()
            .find(|activity| activity.code == self.activity)
            .ok_or_else(|| {
                Refusal::new(
                    Code::ActivityUnknown,
                    format!("method {} has no activity {}", self.method, self.activity),
                    "GET /v1/methods lists them",
                )
            })?;
        let right = self.quantity.points(activity.factor);
        ensure(right == Some(self.points), || {
            let right = right.map_or("too many".to_owned(), |points| points.to_string());
            Refusal::new(
                Code::PointsMismatch,
                format!("{} points for a quantity of {}", self.points, self.quantity),
                format!("⌊quantity × factor ÷ 10⁹⌋ is {right}"),
            )
        })?;
        require_nonzero(self.points)?;
        ensure(self.points <= activity.cap, || {
            Refusal::new(
                Code::CapExceeded,
                format!("{} points in one award", self.points),
                format!("the cap of {:?} is {}", activity.name, activity.cap),
            )
        })?;
        check_awarded(state, self.points)?;
        let account = check_credit(account, self.points)?;
        Ok(AccountPlaces { account }.into())
    }

    fn apply(
        &self,
        state: &mut State,
        candidate: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        let holder = issuing_holder(state, candidate)?;
        let place = candidate.place_of(state, &self.account);
        state.credit(index, place, self.points, holder)?;
        let points = u128::from(self.points.0);
        state.months.upsert(Month::of(self.occurred_on), |month| {
            month
                .awarded
                .raise(self.points.0, "points awarded in the month")
        })?;
        state.globals.totals.awarded.raise(points, "points awarded")
    }
}
