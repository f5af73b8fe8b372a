//! What a server answered to a batch, taken into the journal: admitted, refused, or a chain that
//! another writer continued.

use std::io;

use super::{CHAIN_LOOKS_MAX, Run};
use crate::client::evidence;
use crate::client::log_fault::LogFault;
use crate::client::opening::{settle, void_what_does_not_continue};
use crate::client::refusals::{About, about};
use crate::client::remote::{RemoteProblem, Sent, batch_body};
use crate::client::submitter::{OnRefusal, SubmitError, Submitter};
use crate::crypto::PublicKey;
use crate::durable::at;
use crate::note::UnverifiedCheckpoint;
use crate::record::{Index, SignedRecord};

impl Submitter<'_> {
    /// Sends the open batch's first records of a key, `count` at the most: just the bytes that the
    /// journal has.
    pub(in crate::client) fn send_open(
        &self,
        key: &PublicKey,
        count: usize,
    ) -> Result<(Vec<SignedRecord>, Sent), SubmitError> {
        let records = self.journal.open_records(key, count)?;
        let body = batch_body(&records)
            .map_err(|error| at(self.journal.path())(io::Error::other(error)))?;
        let sent = self.log.remote.send(&body, records.len())?;
        Ok((records, sent))
    }

    /// Notes that the first of these records are in, if the answer can be true.
    pub(in crate::client) fn take_answer(
        &mut self,
        records: &[SignedRecord],
        indexes: &[Index],
        checkpoint: Option<&str>,
    ) -> Result<(), SubmitError> {
        let claimed = match checkpoint {
            Some(note) => Some(
                UnverifiedCheckpoint::parse(note.as_bytes())
                    .map_err(LogFault::from)?
                    .head(),
            ),
            None => None,
        };
        let before = records
            .first()
            .and_then(|first| self.journal.last(&first.record().issuer))
            .map(|last| last.index);
        let all: Vec<Index> = before.into_iter().chain(indexes.iter().copied()).collect();
        let ascending = all.is_sorted_by(|one, next| one < next);
        let covered = match (indexes.last(), claimed) {
            (Some(last), Some(claimed)) => last.0 < claimed.size,
            (Some(_), None) => false,
            (None, _) => true,
        };
        if !ascending || !covered {
            return Err(LogFault::Wrong(format!(
                "the server answered with the entries {:?} and a checkpoint of {} entries, which can't be: nothing of it was noted",
                indexes,
                claimed.map_or(0, |claimed| claimed.size)
            ))
            .into());
        }
        self.journal.admitted(indexes)?;
        if let Some(note) = checkpoint.filter(|_| !indexes.is_empty()) {
            self.journal.answered(note)?;
        }
        if let Some(last) = self.journal.last(&self.public)
            && self.last.is_none_or(|known| known.seq < last.seq)
        {
            self.last = Some(last);
        }
        Ok(())
    }

    /// The record behind those that are in was refused.
    pub(super) fn take_refusal(
        &mut self,
        problem: &RemoteProblem,
        record: &SignedRecord,
        unanswered_before: bool,
        run: &mut Run<'_>,
    ) -> Result<(), SubmitError> {
        let line = run.fresh.front().map_or(0, |fresh| fresh.line);
        match about(problem, record.record()) {
            // Signed on another day: it is signed anew, for the same place in the chain.
            About::SigningDay | About::LaterDay
                if record.record().issued_on != self.issue_day() =>
            {
                self.journal.void()?;
            }
            About::Line => {
                run.refused(problem);
                if run.on_refusal == OnRefusal::Skip {
                    self.journal.refused(&problem.code, &problem.detail)?;
                    // Where many are refused, less is signed in vain.
                    self.batch = (self.batch / 2).max(1);
                } else {
                    self.journal.void()?;
                    run.stop(line, problem);
                }
            }
            About::LaterDay => {
                run.refused(problem);
                self.journal.void()?;
                self.batch = (self.batch / 2).max(1);
                if run.on_refusal == OnRefusal::Stop {
                    run.stop(line, problem);
                }
            }
            About::SigningDay => {
                run.refused(problem);
                self.journal.void()?;
                run.stop(line, problem);
            }
            About::Key => {
                run.refused(problem);
                run.key_refused = true;
                run.stop(line, problem);
            }
            About::Chain => {
                run.chain_looks += 1;
                if run.chain_looks > CHAIN_LOOKS_MAX {
                    return Err(SubmitError::ChainRefused {
                        problem: Box::new(problem.clone()),
                    });
                }
                let found = self.look_at_chain()?;
                // What the server refused did not come in by that request, only by one before it.
                let by_others: Vec<usize> = match unanswered_before {
                    true => Vec::new(),
                    false => (0..found.len()).collect(),
                };
                run.are_in(&found, &by_others);
            }
        }
        Ok(())
    }

    /// After the server refused to continue the chain: looks where it ends in the log. Records of
    /// the open batch that are in are noted, and given; what does not continue it is void.
    pub(super) fn look_at_chain(&mut self) -> Result<Vec<Index>, SubmitError> {
        let source = self.log.source();
        let look = self
            .log
            .look(&source, &self.context, &self.public, &self.checkpoints())
            .map_err(|fault| evidence::kept(self.journal.path(), fault))?;
        let settled = settle(
            &self.public,
            &self.context,
            &mut self.head,
            &mut self.journal,
            &mut [],
            &look,
        )?;
        self.last = settled.end;
        void_what_does_not_continue(
            &self.public,
            &mut self.journal,
            settled.end,
            look.state.prev,
        )?;
        self.proven = look.proven;
        Ok(settled.ours)
    }
}
