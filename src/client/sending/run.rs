//! The state of a run: lines that wait to be sent, and what became of each, told in their order.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::Instant;

use crate::client::event::event_of;
use crate::client::remote::RemoteProblem;
use crate::client::repeated::SaidBy;
use crate::client::submitter::{LineOutcome, OnRefusal, Stopped, SubmitError, Summary};
use crate::record::{Digest, Index, Statement};

/// A line that the journal does not have.
pub(super) struct Fresh {
    pub line: u64,
    pub digest: Digest,
    pub statement: Statement,
}

/// The state of a run.
pub(super) struct Run<'r> {
    pub on_refusal: OnRefusal,
    pub tell: &'r mut dyn FnMut(u64, LineOutcome) -> io::Result<()>,
    pub progress: &'r mut dyn FnMut(u64),
    pub summary: Summary,
    pub fresh: VecDeque<Fresh>,
    /// Outcomes of lines in their order; those of fresh lines are not known yet.
    pub waiting: VecDeque<(u64, Option<LineOutcome>)>,
    /// No record of this key is admitted any more: what was signed stays as it is.
    pub key_refused: bool,
    /// Lines that an earlier run of the input sent and that name no event of their own.
    pub sayable_again: u64,
    /// Of them, those that a run before did not find in the input.
    pub was_absent: u64,
    pub chain_looks: u32,
    pub head_saved: Instant,
    pub proven: Instant,
}

impl Run<'_> {
    pub(super) fn settle(&mut self, line: u64, outcome: LineOutcome) {
        self.waiting.push_back((line, Some(outcome)));
    }

    /// What became of the first fresh line.
    pub(super) fn answer(&mut self, outcome: LineOutcome) {
        self.answer_at(0, outcome);
    }

    /// What became of the fresh line at a place.
    pub(super) fn answer_at(&mut self, place: usize, outcome: LineOutcome) {
        if let Some(fresh) = self.fresh.remove(place)
            && let Ok(at) = self
                .waiting
                .binary_search_by_key(&fresh.line, |(line, _)| *line)
            && let Some((_, waiting)) = self.waiting.get_mut(at)
        {
            *waiting = Some(outcome);
        }
    }

    /// The first fresh line that says this, if there is one, is in.
    pub(super) fn is_in(&mut self, digest: &Digest, outcome: LineOutcome) -> bool {
        let place = self.fresh.iter().position(|fresh| fresh.digest == *digest);
        if let Some(place) = place {
            self.answer_at(place, outcome);
        }
        place.is_some()
    }

    /// Fresh lines that say something else of this event, which has come in with an entry, are not sent.
    pub(super) fn event_is_in(&mut self, event: &Digest, index: Index) {
        let places = self.fresh.iter().enumerate().rev();
        let named = places.filter(|(_, fresh)| event_of(&fresh.statement) == Some(*event));
        let places: Vec<usize> = named.map(|(place, _)| place).collect();
        for place in places {
            self.answer_at(place, evidence_repeated(&SaidBy::Entry(index), None));
        }
    }

    /// The first fresh lines are in. Those of them, by their places, that another sender of the same
    /// bytes appended are not this run's admissions: each of several runs would count them as its own.
    pub(super) fn are_in(&mut self, indexes: &[Index], by_others: &[usize]) {
        for (place, index) in indexes.iter().enumerate() {
            self.answer(in_by(*index, by_others.binary_search(&place).is_ok()));
        }
    }

    pub(super) fn refused(&mut self, problem: &RemoteProblem) {
        self.answer(LineOutcome::Refused {
            code: problem.code.clone(),
            detail: problem.detail.clone(),
        });
    }

    pub(super) fn stop(&mut self, line: u64, problem: &RemoteProblem) {
        self.summary.stopped = Some(Stopped {
            line,
            problem: problem.clone(),
        });
    }

    /// Tells the outcomes that are known, in the order of the lines.
    pub(super) fn tell(&mut self) -> Result<(), SubmitError> {
        while let Some((line, outcome)) =
            self.waiting.pop_front_if(|(_, outcome)| outcome.is_some())
        {
            let Some(outcome) = outcome else {
                break;
            };
            let summary = &mut self.summary;
            match &outcome {
                LineOutcome::Admitted(index) => {
                    summary.admitted += 1;
                    let (first, _) = summary.entries.unwrap_or((*index, *index));
                    summary.entries = Some((first, *index));
                }
                LineOutcome::AlreadyIn(_) => summary.already_in += 1,
                LineOutcome::Refused { .. } => summary.refused += 1,
                LineOutcome::SetAside(_) => summary.set_aside += 1,
                LineOutcome::Repeated(_) => {
                    summary.set_aside += 1;
                    summary.repeated += 1;
                }
                LineOutcome::EvidenceRepeated(_) => {
                    summary.set_aside += 1;
                    summary.evidence_repeated += 1;
                }
                LineOutcome::NotSent => summary.not_sent += 1,
            }
            (self.tell)(line, outcome).map_err(SubmitError::Outcomes)?;
            (self.progress)(line);
        }
        Ok(())
    }
}

/// What becomes of a line of an event of which something else was said, by a line of the run or by an
/// entry, which may be of another input's journal.
pub(super) fn evidence_repeated(said: &SaidBy, journal: Option<&Path>) -> LineOutcome {
    let (first, what_then) = match said {
        SaidBy::Line(line) => (
            format!("line {line}"),
            "if that one is not sent, run the same command again; if it is wrong, take it out"
                .to_owned(),
        ),
        SaidBy::Entry(index) => (
            match journal {
                Some(journal) => format!("entry {index}, which {} holds,", journal.display()),
                None => format!("entry {index}"),
            },
            format!(
                "if that one is wrong, take it back with a correction of entry {index}, then send this line in an input of its own with --sign-anew"
            ),
        ),
    };
    LineOutcome::EvidenceRepeated(format!(
        "{first} says something else of the same event, by its evidence, and an event counts once; {what_then}"
    ))
}

/// What became of a line that is in: this run's own requests appended it, or others.
pub(super) fn in_by(index: Index, others: bool) -> LineOutcome {
    if others {
        LineOutcome::AlreadyIn(index)
    } else {
        LineOutcome::Admitted(index)
    }
}
