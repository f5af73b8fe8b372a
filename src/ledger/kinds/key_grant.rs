//! Key grants: a key gets its role.

use super::Rules;
use crate::ledger::broken::Contradiction;
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{KeyGrantPlaces, Places};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::keys::check_new_key;
use crate::ledger::rules::names::{check_names, compared, names};
use crate::ledger::rules::speakers::{Endorsers, Speakers, require_governors};
use crate::ledger::state::{KeyRole, State};
use crate::record::{Index, KeyGrant, Role};

impl Rules for KeyGrant {
    fn speakers(&self) -> Speakers {
        Speakers::Governors
    }

    fn endorsers(&self) -> Endorsers {
        Endorsers::GovernorsAnd(vec![self.key])
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        check_new_key(state, &self.key)?;
        let had = state.holder(&self.holder);
        let conflict = had.is_some_and(|had| match self.role {
            Role::Surveyor => had.plants_or_awards || had.audits,
            Role::Platform | Role::Planter => had.surveys || had.audits,
            Role::Auditor => had.plants_or_awards || had.surveys,
        });
        ensure(!conflict, || {
            Refusal::new(
                Code::HolderConflict,
                format!(
                    "{} can't be {} after what it was before",
                    self.holder, self.role
                ),
                "who surveys never plants or awards, who audits does nothing else, and the reverse; another house must do it",
            )
        })?;
        check_names(state, self)?;
        require_governors(state, candidate, &candidate.statement.appointed_keys())?;
        let granted_before = None;
        Ok(KeyGrantPlaces { granted_before }.into())
    }

    fn apply(
        &self,
        state: &mut State,
        candidate: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        let holder_number = state.enrol_holder(&self.holder, self.role)?;
        for name in names(self) {
            state.keep_name(&compared(name), holder_number)?;
        }
        let role = KeyRole::Issuer {
            role: self.role,
            holder: self.holder.clone(),
            holder_number,
            display_name: self.display_name.clone(),
        };
        state.add_key(self.key, role, index, candidate.id()?, self.expires_on)
    }
}
