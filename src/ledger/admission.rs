//! The one way into the state: a record is judged, then applied.

use super::broken::{Contradiction, InvariantBroken, Sum};
use super::candidate::Candidate;
use super::kinds::rules_of;
use super::refusal::{Code, Refusal, ensure};
use super::rules::chain::check_issuer;
use super::rules::speakers::require_speaker;
use super::state::{ChainHead, State};
use crate::record::{Index, Lineage, Statement};

impl State {
    /// Checks whether a record may be the next entry; returns the lineage that it would have. Changes
    /// nothing.
    ///
    /// # Errors
    /// [`Refusal`]: the first rule that the record breaks.
    pub fn judge(&self, candidate: &Candidate<'_>) -> Result<Lineage, Refusal> {
        let statement = candidate.statement;
        let (issuer_before, authority) = match statement {
            Statement::Genesis(_) => (None, None),
            _ => {
                let (before, authority) = check_issuer(self, candidate)?;
                (before, Some(authority))
            }
        };
        let rules = rules_of(statement);
        let places = rules.judge(self, candidate)?;
        // Behind the kind's own rules, which say more of what is wrong: a kind that forgets to ask
        // who its issuer is admits nobody whom the table of speakers does not name.
        require_speaker(self, candidate, rules.speakers())?;
        // Behind all else: what breaks a rule too is wrong, whatever nobody can tell.
        ensure(statement.mldsa_key().is_none(), || {
            Refusal::new(
                Code::MldsaUnsupported,
                "it names an ML-DSA-44 key, whose signature this software can't verify",
                "leave the ML-DSA key out, until a release verifies it",
            )
        })?;
        Ok(places.behind(issuer_before, authority))
    }

    /// Takes in the next entry, which [`Self::judge`] allowed in this very state, and checks rule 9;
    /// returns the entry's index.
    ///
    /// # Errors
    /// [`InvariantBroken`]: the state contradicts itself, and is of no use any more. It counts the
    /// entry already, so that whatever was read from it waits for a checkpoint that never comes.
    pub fn apply(&mut self, candidate: &Candidate<'_>) -> Result<Index, InvariantBroken> {
        let index = Index(self.globals.entries);
        self.apply_at(index, candidate)
            .map_err(|contradiction| contradiction.at(index))?;
        Ok(index)
    }

    fn apply_at(&mut self, index: Index, candidate: &Candidate<'_>) -> Result<(), Contradiction> {
        // Before anything can fail: see `apply`.
        self.globals.entries.raise(1, "entries")?;
        self.globals.last_admitted_at = candidate.admitted_at;
        rules_of(candidate.statement).apply(self, candidate, index)?;
        // A sealed statement is no link of its issuer's chain: its seal is.
        if let Some(link) = candidate.link {
            let head = ChainHead {
                seq: link.seq,
                id: link.id,
                index,
                issued_on: candidate.issued_on,
            };
            self.advance_chain(candidate.issuer, head)?;
        }
        let sums = self.globals.totals.check();
        sums.map_err(|error| Contradiction::new(error.to_string()))
    }
}
