//! What a server answered to records, taken into the journal: admitted, refused, or a chain that
//! another writer continued.

use std::io;

use super::CHAIN_LOOKS_MAX;
use super::run::{Run, in_by};
use crate::client::evidence;
use crate::client::journal::LineIn;
use crate::client::log_fault::LogFault;
use crate::client::opening::{Settled, settle, void_what_does_not_continue};
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
        &mut self,
        key: &PublicKey,
        count: usize,
    ) -> Result<(Vec<SignedRecord>, Sent), SubmitError> {
        let records = self.journal.open_records(key, count)?;
        let body = batch_body(&records)
            .map_err(|error| at(self.journal.path())(io::Error::other(error)))?;
        let sent = self.log.remote.send(&body, records.len())?;
        if let Sent::Judged {
            unanswered_before, ..
        } = &sent
        {
            self.journal.may_be_on_its_way(*unanswered_before);
        }
        Ok((records, sent))
    }

    /// Sends the first `count` records of the open batch, which are those of the first fresh lines.
    pub(super) fn send_records(
        &mut self,
        count: usize,
        run: &mut Run<'_>,
    ) -> Result<(), SubmitError> {
        let public = self.public;
        let (records, sent) = self.send_open(&public, count)?;
        match sent {
            Sent::TooLarge => {
                let line = run.fresh.front().map_or(0, |fresh| fresh.line);
                self.halve_batches(records.len(), line)
            }
            Sent::Judged {
                indexes,
                mut already_in,
                unanswered_before,
                checkpoint,
                refused,
            } => {
                self.take_answer(&records, &indexes, checkpoint.as_deref())?;
                if unanswered_before {
                    // An answer of this very call was lost: what it appended is this run's.
                    already_in.clear();
                }
                run.are_in(&indexes, &already_in);
                match refused.zip(records.get(indexes.len())) {
                    Some((problem, record)) => {
                        self.take_refusal(&problem, record, unanswered_before, run)
                    }
                    None => {
                        self.all_went_in(run);
                        Ok(())
                    }
                }
            }
        }
    }

    /// A whole batch is in: the next may be larger again.
    pub(super) fn all_went_in(&mut self, run: &mut Run<'_>) {
        run.chain_looks = 0;
        self.batch = (self.batch * 2).min(self.batch_most);
    }

    /// Notes that the first of these records are in, if the answer can be true.
    pub(in crate::client) fn take_answer(
        &mut self,
        records: &[SignedRecord],
        indexes: &[Index],
        checkpoint: Option<&str>,
    ) -> Result<(), SubmitError> {
        let issuer = records.first().map(|first| first.record().issuer);
        self.check_answer(issuer.as_ref(), indexes, checkpoint)?;
        self.journal.admitted(indexes)?;
        self.note_answer(checkpoint.filter(|_| !indexes.is_empty()))
    }

    /// Checks that an answer with these entries can be true.
    pub(super) fn check_answer(
        &self,
        issuer: Option<&PublicKey>,
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
        let before = issuer
            .and_then(|issuer| self.journal.last(issuer))
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
                "the server answered with the entries {} and a checkpoint of {} entries, which can't be: nothing of it was noted",
                entries_in_words(indexes),
                claimed.map_or(0, |claimed| claimed.size)
            ))
            .into());
        }
        Ok(())
    }

    /// Notes the checkpoint of an answer whose lines were noted.
    pub(super) fn note_answer(&mut self, checkpoint: Option<&str>) -> Result<(), SubmitError> {
        if let Some(note) = checkpoint {
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
                    let digest = self
                        .journal
                        .open_batch()
                        .and_then(|open| open.digests().next().copied());
                    let refusal = digest.map(|digest| (digest, &*problem.code, &*problem.detail));
                    self.journal.refused(refusal.into_iter())?;
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
            About::Chain => self.take_chain_refusal(problem, unanswered_before, run)?,
        }
        Ok(())
    }

    /// The server refused to continue the chain: what of the open batch is in the log has its answer.
    pub(super) fn take_chain_refusal(
        &mut self,
        problem: &RemoteProblem,
        unanswered_before: bool,
        run: &mut Run<'_>,
    ) -> Result<(), SubmitError> {
        run.chain_looks += 1;
        if run.chain_looks > CHAIN_LOOKS_MAX {
            return Err(SubmitError::ChainRefused {
                problem: Box::new(problem.clone()),
            });
        }
        // What the server refused did not come in by that request, only by one before it.
        self.take_found(!unanswered_before, run)
    }

    /// Looks whether a request of an earlier run came in since the log was looked at last.
    pub(super) fn find_what_came_in(&mut self, run: &mut Run<'_>) -> Result<(), SubmitError> {
        self.take_found(true, run)
    }

    /// Takes in what the end of the key's chain in the log tells of signed lines that had no answer.
    fn take_found(&mut self, by_others: bool, run: &mut Run<'_>) -> Result<(), SubmitError> {
        let found = self.look_at_chain()?;
        self.are_in(found.ours, by_others, run)?;
        // Other inputs' lines, by requests of processes that were killed.
        for line in found.elsewhere {
            if !run.is_in(&line.digest, in_by(line.index, true)) {
                self.came_in_late(&line, run)?;
            }
        }
        Ok(())
    }

    /// Lines that are in: those of them that are no fresh ones the input may ask for later, and nothing
    /// else is sent of the events that they name.
    pub(super) fn are_in(
        &mut self,
        lines: Vec<LineIn>,
        by_others: bool,
        run: &mut Run<'_>,
    ) -> Result<(), SubmitError> {
        for line in lines {
            if !run.is_in(&line.digest, in_by(line.index, by_others)) {
                self.came_in_late(&line, run)?;
                self.late.entry(line.digest).or_default().push_back(line);
            }
        }
        Ok(())
    }

    /// A line that no fresh one asks for has come in.
    fn came_in_late(&mut self, line: &LineIn, run: &mut Run<'_>) -> Result<(), SubmitError> {
        if let Some(event) = &line.event
            && !self.options.sign_anew
        {
            if let Some(said) = &mut self.said {
                said.is_in(line)?;
            }
            run.event_is_in(event, line.index);
        }
        Ok(())
    }

    /// After the server refused to continue the chain: looks where it ends in the log. Records of
    /// the open batch that are in are noted, and given; what does not continue it is void.
    fn look_at_chain(&mut self) -> Result<Settled, SubmitError> {
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
            &mut self.pending,
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
        Ok(settled)
    }
}

/// The entries of an answer, as many as an error can show.
fn entries_in_words(indexes: &[Index]) -> String {
    const SHOWN_MAX: usize = 8;
    let shown = indexes.iter().take(SHOWN_MAX).map(Index::to_string);
    let shown = shown.collect::<Vec<_>>().join(", ");
    match indexes.len().checked_sub(SHOWN_MAX) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
