//! The one way into the state: what asks to be an entry is judged, then applied.

use super::broken::{Contradiction, InvariantBroken, Sum};
use super::candidate::{Candidate, PlacesAhead};
use super::kinds::rules_of;
use super::lineage::Places;
use super::refusal::{Code, Refusal, ensure};
use super::rules::chain::check_issuer;
use super::rules::speakers::require_speaker;
use super::state::{ChainHead, State};
use super::trie::Path;
use crate::record::{AccountId, Index, Lineage, Statement};

/// Statements of a batch whose accounts are read ahead together: what is read stays near until the last of
/// them is judged.
const JUDGED_TOGETHER: usize = 256;

/// A sealed batch that asks to be the next entries.
#[derive(Clone, Copy, Debug)]
pub struct BatchCandidate<'a> {
    /// The statements, in order, each with the seal's issuer and day.
    pub statements: &'a [Candidate<'a>],
    /// The seal.
    pub seal: Candidate<'a>,
}

/// What the entries of a sealed batch stand on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchLineage {
    /// The places of each sealed entry.
    pub places: Vec<Places>,
    /// The lineage of the seal.
    pub seal: Lineage,
}

/// Why a sealed batch may not be admitted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BatchRefusal {
    /// The seal is refused, and with it whatever it signs.
    Seal(Refusal),
    /// These statements are refused, by their positions from 0: each judged as if the refused ones
    /// before it were absent.
    Statements(Vec<(usize, Refusal)>),
}

impl State {
    /// Checks whether a record may be the next entry; returns the lineage that it would have. Changes
    /// nothing.
    ///
    /// # Errors
    /// [`Refusal`]: the first rule that the record breaks.
    pub fn judge(&self, candidate: &Candidate<'_>) -> Result<Lineage, Refusal> {
        ensure(!matches!(candidate.statement, Statement::Seal(_)), || {
            Refusal::new(
                Code::SealMismatch,
                "a seal without the batch that it signs",
                "send the seal with its statements",
            )
        })?;
        self.judge_signed(candidate)
    }

    fn judge_signed(&self, candidate: &Candidate<'_>) -> Result<Lineage, Refusal> {
        let (issuer_before, authority) = match candidate.statement {
            Statement::Genesis(_) => (None, None),
            _ => {
                let (before, authority) = check_issuer(self, candidate)?;
                (before, Some(authority))
            }
        };
        let rules = rules_of(candidate.statement);
        let places = rules.judge(self, candidate)?;
        // Behind the kind's own rules, which say more of what is wrong: a kind that forgets to ask
        // who its issuer is admits nobody whom the table of speakers does not name.
        require_speaker(self, candidate, rules.speakers())?;
        // Behind all else: what breaks a rule too is wrong, whatever nobody can tell.
        ensure(candidate.statement.mldsa_key().is_none(), || {
            Refusal::new(
                Code::MldsaUnsupported,
                "it names an ML-DSA-44 key, whose signature this software can't verify",
                "leave the ML-DSA key out, until a release verifies it",
            )
        })?;
        Ok(places.behind(issuer_before, authority))
    }

    /// Checks whether a statement may be the next entry, of a batch that begins at `first`; returns
    /// its places. What the chain and the key of its issuer need is checked once, of the seal.
    fn judge_sealed(&self, candidate: &Candidate<'_>, first: Index) -> Result<Places, Refusal> {
        ensure(candidate.statement.kind().sealed_places().is_some(), || {
            Refusal::new(
                Code::RoleRefused,
                format!(
                    "{} is never sealed",
                    candidate.statement.kind().with_article()
                ),
                "sign it in a record of its own",
            )
        })?;
        let named = candidate.statement.newest_named();
        ensure(named.is_none_or(|named| named < first), || {
            Refusal::new(
                Code::TargetUnknown,
                format!("it names an entry at or behind {first}, where its own batch begins"),
                "name entries before the batch: send what is named first",
            )
        })?;
        let rules = rules_of(candidate.statement);
        let places = rules.judge(self, candidate)?;
        require_speaker(self, candidate, rules.speakers())?;
        Ok(places)
    }

    /// Takes a sealed batch in, all of it or nothing; returns the index of its first entry, and what
    /// its entries stand on. That the seal's count and root are those of the batch, the caller checks.
    ///
    /// # Errors
    /// [`InvariantBroken`], as [`Self::apply`].
    pub fn admit_batch(
        &mut self,
        batch: &BatchCandidate<'_>,
    ) -> Result<Result<(Index, BatchLineage), BatchRefusal>, InvariantBroken> {
        self.begin_undo();
        let admitted = self.try_admit_batch(batch, |_, _| ());
        match &admitted {
            Ok(Err(_)) => self.rollback(),
            // After a contradiction nothing is judged any more.
            Ok(Ok(_)) | Err(_) => self.keep(),
        }
        admitted
    }

    /// As [`Self::admit_batch`], but a batch that is refused leaves a state that is of no use; `each`
    /// is called with the state after each entry.
    ///
    /// # Errors
    /// [`InvariantBroken`], as [`Self::apply`].
    pub fn try_admit_batch(
        &mut self,
        batch: &BatchCandidate<'_>,
        mut each: impl FnMut(Index, &Self),
    ) -> Result<Result<(Index, BatchLineage), BatchRefusal>, InvariantBroken> {
        let first = Index(self.globals.entries);
        // No kind that is sealed changes a key or a chain: what holds of the seal now does so behind
        // its batch.
        let seal = match self.judge_signed(&batch.seal) {
            Ok(lineage) => lineage,
            Err(refusal) => return Ok(Err(BatchRefusal::Seal(refusal))),
        };
        let mut places = Vec::with_capacity(batch.statements.len());
        let mut refused = Vec::new();
        let issuer = PlacesAhead::of_issuer(batch.seal.issuer);
        let mut position = 0;
        for statements in batch.statements.chunks(JUDGED_TOGETHER) {
            let accounts = self.accounts_ahead(statements);
            for (candidate, account) in statements.iter().zip(accounts) {
                let candidate = Candidate {
                    ahead: issuer.and_account(account),
                    ..*candidate
                };
                match self.judge_sealed(&candidate, first) {
                    Ok(judged) => {
                        let index = self.apply(&candidate)?;
                        places.push(judged);
                        each(index, self);
                    }
                    Err(refusal) => refused.push((position, refusal)),
                }
                position += 1;
            }
        }
        if !refused.is_empty() {
            return Ok(Err(BatchRefusal::Statements(refused)));
        }
        let index = self.apply(&batch.seal)?;
        each(index, self);
        Ok(Ok((first, BatchLineage { places, seal })))
    }

    /// The accounts that statements name, with their places, and what lies there read.
    fn accounts_ahead(&self, statements: &[Candidate<'_>]) -> Vec<Option<(AccountId, Path)>> {
        let accounts = statements.iter().map(|candidate| {
            let id = candidate.statement.account()?;
            Some((*id, self.account_place(id)))
        });
        let accounts: Vec<_> = accounts.collect();
        let places: Vec<Path> = accounts.iter().flatten().map(|(_, place)| *place).collect();
        self.fetch_accounts(&places);
        accounts
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
        self.globals.stated = self.globals.entries;
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
