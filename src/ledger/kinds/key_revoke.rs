//! Key revocations: a key may sign no more.

use super::Rules;
use crate::ledger::broken::{Contradiction, present};
use crate::ledger::candidate::Candidate;
use crate::ledger::lineage::{KeyRevokePlaces, Places};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::speakers::{Endorsers, Speakers, require_governors};
use crate::ledger::state::{KeyRole, State};
use crate::record::{Index, KeyRevoke};

impl Rules for KeyRevoke {
    fn speakers(&self) -> Speakers {
        Speakers::Governors
    }

    fn endorsers(&self) -> Endorsers {
        Endorsers::Governors
    }

    fn judge(&self, state: &State, candidate: &Candidate<'_>) -> Result<Places, Refusal> {
        let key = match state.key(&self.key) {
            Some(key) if matches!(key.role, KeyRole::Issuer { .. }) => key,
            Some(_) => {
                return Err(Refusal::new(
                    Code::RoleRefused,
                    "only granted keys are revoked",
                    "state a new set of governors, or a new log key, instead",
                ));
            }
            None => {
                return Err(Refusal::new(
                    Code::KeyUnknown,
                    format!("the key {} was never granted", self.key),
                    "name a granted key",
                ));
            }
        };
        ensure(key.revoked_at.is_none(), || {
            Refusal::new(
                Code::KeyRevoked,
                "the key is revoked already",
                "nothing is left to do",
            )
        })?;
        require_governors(state, candidate, &[])?;
        let key = Some(key.last_entry);
        Ok(KeyRevokePlaces { key }.into())
    }

    fn apply(
        &self,
        state: &mut State,
        _: &Candidate<'_>,
        index: Index,
    ) -> Result<(), Contradiction> {
        let revoked = state.change_key(&self.key, |key| {
            key.revoked_at = Some(index);
            key.compromised_since = self.compromised_since;
            key.last_entry = index;
        });
        present(revoked, "the key to revoke")
    }
}
