//! Many lines with one signature: sealed, sent, and what the server answered. All of a batch is in, or
//! nothing, so that where lines of it are refused, it is sealed anew without them, in the same place of
//! the key's chain.

use super::run::Run;
use crate::client::append_batch::{AppendedBatch, SentBatch};
use crate::client::journal::{LineIn, OpenBatch, OpenSeal};
use crate::client::refusals::{About, about, about_sealed};
use crate::client::remote::{RefusedStatement, RemoteProblem};
use crate::client::submitter::{LineOutcome, OnRefusal, SubmitError, Submitter};
use crate::crypto::PublicKey;
use crate::record::{
    SEALED_BYTES_MAX, SealPlace, SealedBatch, SealedStatement, SignedRecord, Statement,
};

/// What the server says of a batch whose statements are against the rules.
const BATCH_REFUSED: &str = "batch_refused";

/// Whether a statement may stand in a sealed batch: nobody but its issuer signs it, who is no governor.
pub(super) fn can_be_sealed(statement: &Statement) -> bool {
    statement.kind().sealed_places().is_some() && statement.set().is_none()
}

impl Submitter<'_> {
    /// Seals the first fresh lines, `most` of them at the most; gives how many. None are sealed where
    /// less than two can be: one alone is a record.
    pub(super) fn seal(
        &mut self,
        most: usize,
        place: SealPlace,
        run: &Run<'_>,
    ) -> Result<usize, SubmitError> {
        let (mut statements, mut bytes) = (Vec::new(), 0);
        let lines = run.fresh.iter().take(most);
        for fresh in lines.take_while(|fresh| can_be_sealed(&fresh.statement)) {
            // One that can't be signed is set aside when it is the first.
            let Ok(statement) = SealedStatement::new(fresh.statement.clone()) else {
                break;
            };
            bytes += statement.bytes().len();
            if bytes > SEALED_BYTES_MAX {
                break;
            }
            statements.push(statement);
        }
        if statements.len() < 2 || self.options.unsealed {
            return Ok(0);
        }
        let count = statements.len();
        match SealedBatch::seal(statements, place, &self.context, self.key.key()) {
            Ok((batch, _)) => self.journal.sealed(&batch)?,
            // Not reached: they are as many and as long as a seal may sign.
            Err(_) => return Ok(0),
        }
        Ok(count)
    }

    /// Sends the open sealed batch of a key: just the bytes that the journal has. Gives its seal too;
    /// `None` if there is none.
    pub(in crate::client) fn send_seal(
        &mut self,
        key: &PublicKey,
    ) -> Result<Option<(SignedRecord, SentBatch)>, SubmitError> {
        let open = self.journal.open_of(key).and_then(OpenBatch::seal);
        let Some(open) = open else {
            return Ok(None);
        };
        let sent = self.log.remote.send_batch(&open.body, open.len())?;
        let seal = open.seal.clone();
        match &sent {
            SentBatch::In {
                unanswered_before, ..
            }
            | SentBatch::Refused {
                unanswered_before, ..
            } => self.journal.may_be_on_its_way(*unanswered_before),
            SentBatch::TooLarge => {}
        }
        Ok(Some((seal, sent)))
    }

    /// Sends the open sealed batch, whose lines are the first fresh ones.
    pub(super) fn send_sealed(&mut self, run: &mut Run<'_>) -> Result<(), SubmitError> {
        let public = self.public;
        let Some((seal, sent)) = self.send_seal(&public)? else {
            return Ok(());
        };
        match sent {
            SentBatch::TooLarge => {
                let open = self.journal.open_batch().and_then(OpenBatch::seal);
                let sent = open.map_or(0, OpenSeal::len);
                let line = run.fresh.front().map_or(0, |fresh| fresh.line);
                // Nothing of it is in: fewer lines are sealed in its place.
                self.journal.void()?;
                self.halve_batches(sent, line)
            }
            SentBatch::In {
                batch,
                unanswered_before,
            } => {
                let lines = self.take_batch(&batch)?;
                // An answer of this very call may be lost: what it appended is this run's.
                let by_others = batch.already_in && !unanswered_before;
                self.are_in(lines, by_others, run)?;
                self.all_went_in(run);
                Ok(())
            }
            SentBatch::Refused {
                problem,
                statements,
                unanswered_before,
            } if problem.code != BATCH_REFUSED => {
                match statements.first().map(|unreadable| unreadable.position) {
                    Some(position) if position > 0 => self.seal_those_before(position),
                    _ => self.take_seal_refusal(&problem, &seal, unanswered_before, run),
                }
            }
            SentBatch::Refused {
                problem,
                statements,
                ..
            } => self.take_refused_lines(&problem, &statements, &seal, run),
        }
    }

    /// Notes that the open sealed batch is in, if the answer can be true; gives its lines, and where
    /// they are.
    pub(in crate::client) fn take_batch(
        &mut self,
        batch: &AppendedBatch,
    ) -> Result<Vec<LineIn>, SubmitError> {
        let issuer = self.journal.open_batch().map(|open| open.key);
        let indexes = [batch.first_index, batch.seal_index];
        self.check_answer(issuer.as_ref(), &indexes, Some(&batch.checkpoint))?;
        let lines = self.journal.admitted(&[batch.seal_index])?;
        self.note_answer(Some(&batch.checkpoint))?;
        Ok(lines)
    }

    /// The seal itself was refused, whatever its statements say.
    fn take_seal_refusal(
        &mut self,
        problem: &RemoteProblem,
        seal: &SignedRecord,
        unanswered_before: bool,
        run: &mut Run<'_>,
    ) -> Result<(), SubmitError> {
        let line = run.fresh.front().map_or(0, |fresh| fresh.line);
        match about(problem, seal.record()) {
            About::Chain => return self.take_chain_refusal(problem, unanswered_before, run),
            // Sealed on another day: it is sealed anew, for the same place in the chain.
            About::SigningDay | About::LaterDay if seal.record().issued_on != self.issue_day() => {
                self.journal.void()?;
                return Ok(());
            }
            About::SigningDay | About::LaterDay | About::Line => self.journal.void()?,
            // What was signed stays as it is.
            About::Key => run.key_refused = true,
        }
        run.refused(problem);
        run.stop(line, problem);
        Ok(())
    }

    /// What stands before the refused line goes in; then that line is the first, and is judged again.
    fn seal_those_before(&mut self, position: usize) -> Result<(), SubmitError> {
        self.journal.void()?;
        self.batch_once = Some(position);
        Ok(())
    }

    /// Statements of the batch were refused, each as if those before it were absent. So nothing of it
    /// is in, and what is left is sealed anew.
    fn take_refused_lines(
        &mut self,
        problem: &RemoteProblem,
        refused: &[RefusedStatement],
        seal: &SignedRecord,
        run: &mut Run<'_>,
    ) -> Result<(), SubmitError> {
        let issued_on = seal.record().issued_on;
        let judged = refused.iter().filter_map(|refused| {
            let fresh = run.fresh.get(refused.position)?;
            let why = about_sealed(refused, &fresh.statement, issued_on);
            Some((refused, fresh.digest, why))
        });
        let judged: Vec<_> = judged.collect();
        let by_day = judged.iter().any(|(_, _, why)| *why != About::Line);
        if by_day && issued_on != self.issue_day() {
            self.journal.void()?;
            return Ok(());
        }
        let Some((first, _, _)) = judged.first() else {
            return Ok(());
        };
        if run.on_refusal == OnRefusal::Stop {
            if first.position > 0 {
                return self.seal_those_before(first.position);
            }
            self.journal.void()?;
            let line = run.fresh.front().map_or(0, |fresh| fresh.line);
            let problem = RemoteProblem {
                code: first.code.clone(),
                detail: first.detail.clone(),
                advice: first.advice.clone(),
                ..problem.clone()
            };
            run.refused(&problem);
            run.stop(line, &problem);
            return Ok(());
        }
        let noted: Vec<_> = judged
            .iter()
            .filter(|(_, _, why)| *why == About::Line)
            .map(|(refused, digest, _)| (*digest, &*refused.code, &*refused.detail))
            .collect();
        if noted.is_empty() {
            self.journal.void()?;
        } else {
            self.journal.refused(noted.into_iter())?;
        }
        for (refused, _, _) in judged.iter().rev() {
            let outcome = LineOutcome::Refused {
                code: refused.code.clone(),
                detail: refused.detail.clone(),
            };
            run.answer_at(refused.position, outcome);
        }
        Ok(())
    }
}
