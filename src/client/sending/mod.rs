//! The run over an input: what the journal has is told, what it does not have is signed and sent,
//! batch by batch; then all is proven.

mod answers;
mod run;
mod sealing;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::run::{Fresh, Run, evidence_repeated};
use self::sealing::can_be_sealed;
use crate::client::event::{event_of, names_one_event};
use crate::client::evidence;
use crate::client::input::{Line, statement_digest};
use crate::client::journal::{Fate, OpenBatch};
use crate::client::key_head::with_suffix;
use crate::client::log_fault::LogFault;
use crate::client::opening::{check_unproven, other_keys_path};
use crate::client::other_inputs::OtherInputs;
use crate::client::repeated::{EventsSaid, SaidBefore, SaidBy};
use crate::client::strays::LoggedLines;
use crate::client::submitter::{
    LINES_PER_BATCH, LineOutcome, OnRefusal, OtherInput, SubmitError, Submitter, Summary,
};
use crate::durable::at;
use crate::record::{CodecError, Digest, Index, Record, SealPlace, Seq, Statement, draft};

/// Outcomes that wait for those before them: past it a smaller batch is sent.
const OUTCOMES_WAITING_MAX: usize = 16_384;
/// How often the head is replaced on the way: a start bridges what it lacks from the journal.
const HEAD_EVERY: Duration = Duration::from_secs(1);
/// How often what was answered is proven on the way.
const PROOF_EVERY: Duration = Duration::from_secs(30);
/// How often a chain is looked at again after the server refused to continue it, in a row.
const CHAIN_LOOKS_MAX: u32 = 4;

impl Submitter<'_> {
    /// Sends all lines of an input that are not in yet. `tell` is told what became of each line, in
    /// their order: it counts only once this returned, for only then it is proven. `progress` is
    /// told how far it is.
    ///
    /// # Errors
    /// [`SubmitError`]; the same input with the same journal continues where it ended.
    pub fn run(
        mut self,
        lines: impl IntoIterator<Item = io::Result<Line>>,
        on_refusal: OnRefusal,
        tell: &mut dyn FnMut(u64, LineOutcome) -> io::Result<()>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Summary, SubmitError> {
        let mut run = Run {
            on_refusal,
            tell,
            progress,
            summary: Summary::new(self.proven.head),
            fresh: VecDeque::new(),
            waiting: VecDeque::new(),
            key_refused: false,
            sayable_again: 0,
            was_absent: 0,
            chain_looks: 0,
            head_saved: Instant::now(),
            proven: Instant::now(),
        };
        let done = self.run_over(lines, &mut run);
        if done.is_err() {
            // What is in is in the journal; the head then need not be bridged from it.
            let _ = self.save_head();
        }
        done.map(|()| run.summary)
    }

    /// As [`Self::run`], of statements at hand: gives what became of each.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn run_statements(
        self,
        statements: &[Statement],
        on_refusal: OnRefusal,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(Vec<LineOutcome>, Summary), SubmitError> {
        let lines = (1..).zip(statements).map(|(number, statement)| {
            Ok(Line {
                number,
                statement: Ok(statement.clone()),
            })
        });
        let mut outcomes = Vec::with_capacity(statements.len());
        let mut tell = |_, outcome| {
            outcomes.push(outcome);
            Ok(())
        };
        let summary = self.run(lines, on_refusal, &mut tell, progress)?;
        Ok((outcomes, summary))
    }

    fn run_over(
        &mut self,
        lines: impl IntoIterator<Item = io::Result<Line>>,
        run: &mut Run<'_>,
    ) -> Result<(), SubmitError> {
        for line in lines {
            let line = line.map_err(SubmitError::Input)?;
            run.summary.read += 1;
            match line.statement {
                Err(why) => run.settle(line.number, LineOutcome::SetAside(why)),
                Ok(statement) => self.place(line.number, statement, run)?,
            }
            if run.fresh.len() == LINES_PER_BATCH || run.waiting.len() >= OUTCOMES_WAITING_MAX {
                self.send_fresh(run)?;
            }
        }
        self.send_fresh(run)?;
        if !run.key_refused {
            self.journal.void()?;
        }
        if self.journal.keys_on_their_way().contains(&self.public) {
            self.find_what_came_in(run)?;
        }
        let is_recovery = self.candidates.is_some();
        let lost_lines = self.finish_recovery()?;
        if is_recovery {
            run.summary.strays = self.head.strays().map_or(0, |strays| strays.count);
        }
        self.write_strays()?;
        let late = self.late.values().map(VecDeque::len).sum::<usize>() as u64;
        let just_gone = late + lost_lines;
        run.summary.gone = self.known.left_in() + just_gone;
        run.summary.unsure_here = self.unsure_here(run, just_gone)?;
        self.note_absent()?;
        self.prove()?;
        if run.summary.admitted > 0 {
            // What another key signed meanwhile is known now, if not before.
            self.other_keys_read = false;
            self.read_other_keys(&mut |_, _| {})?;
        }
        run.summary.in_twice = self.find_twice()?;
        run.summary.may_come_in = self.count_unanswered()?;
        self.save_head()?;
        run.summary.head = self.proven.head;
        Ok(())
    }

    /// How many lines may be further ones that say what an earlier run of this input sent: those of a file
    /// whose name is used anew, unless somebody said that it is the same file, and nothing left it since.
    /// `just_gone` are lines of which this run found that they are in and gone.
    fn unsure_here(&mut self, run: &Run<'_>, just_gone: u64) -> Result<u64, SubmitError> {
        if self.options.same_input {
            let gone = self.known.gone(&self.folder)?;
            self.journal.is_same_input(gone)?;
            // Those that are gone now are noted anew.
            self.known.forget_absent();
            return Ok(0);
        }
        let is_as_said = match (run.sayable_again, self.journal.same_input().copied()) {
            (0, _) | (_, None) => false,
            (_, Some(said)) => just_gone == 0 && self.known.gone(&self.folder)? == said,
        };
        Ok(match run.summary.gone {
            0 => run.was_absent,
            _ if is_as_said => run.was_absent,
            _ => run.sayable_again,
        })
    }

    /// Notes which lines that are in the input did not ask for: one that stands there again in a later run
    /// may be a further one.
    fn note_absent(&mut self) -> Result<(), SubmitError> {
        let journal = &mut self.journal;
        self.known.for_each_gone(&self.folder, |digest, index| {
            journal.is_absent(digest, index)
        })?;
        let late = self.late.values().flatten();
        for line in late.filter(|line| line.event.is_none()) {
            self.journal.is_absent(line.digest, line.index)?;
        }
        Ok(())
    }

    /// What the journal or the log says of a line; else it is to be sent.
    fn place(
        &mut self,
        line: u64,
        statement: Statement,
        run: &mut Run<'_>,
    ) -> Result<(), SubmitError> {
        let digest = match statement_digest(&statement) {
            Ok(digest) => digest,
            Err(error) => {
                run.settle(line, LineOutcome::SetAside(unsignable(&error)));
                return Ok(());
            }
        };
        let known = self.known.take(&self.folder, &digest)?;
        let late = match known {
            None => self.late.get_mut(&digest).and_then(VecDeque::pop_front),
            Some(_) => None,
        };
        match late.map(|late| Fate::In(late.index)).or(known) {
            Some(Fate::In(index)) => {
                self.check_index(line, index)?;
                if !names_one_event(&statement) {
                    run.sayable_again += 1;
                    let absent = self.known.was_absent(&self.folder, &digest, index)?;
                    run.was_absent += u64::from(absent);
                }
                run.settle(line, LineOutcome::AlreadyIn(index));
                return Ok(());
            }
            Some(Fate::Refused { at }) if !self.options.retry_refused => {
                let (code, detail) = self.known.refusal(at)?;
                run.settle(line, LineOutcome::Refused { code, detail });
                return Ok(());
            }
            Some(Fate::Refused { .. }) => {
                // Read before the journal takes the refusal back.
                self.said()?.is_retried(&digest)?;
                self.journal.retried(digest)?;
            }
            Some(Fate::Retried | Fate::Absent(_) | Fate::SameInput) | None => {}
        }
        let event = event_of(&statement);
        if let Some(candidates) = &mut self.candidates {
            let found = match candidates.ours.take(&digest)? {
                None => candidates.unknown.take(&digest)?,
                found => found,
            };
            if let Some((key, logged)) = found {
                if key != self.public {
                    let taken = candidates.taken_of_others.add(logged.index);
                    taken.map_err(at(&self.folder))?;
                }
                self.journal.found(key, digest, logged)?;
                run.sayable_again += u64::from(!names_one_event(&statement));
                self.say(line, event.as_ref(), &digest)?;
                run.settle(line, LineOutcome::AlreadyIn(logged.index));
                return Ok(());
            }
            if !self.options.sign_anew
                && let Some((key, logged)) = candidates.of_lost.take(&digest)?
            {
                if key != self.public {
                    let taken = candidates.taken_of_others.add(logged.index);
                    taken.map_err(at(&self.folder))?;
                }
                // The record stays a stray: it was another input's.
                candidates.of_lost_asked.put(&key, &digest, logged)?;
                let mut lost = self.head.lost().iter();
                let lost = lost.find(|lost| lost.holds(&key, logged.signed.seq));
                let path = match lost {
                    Some(lost) => PathBuf::from(&lost.path),
                    None => other_keys_path(&self.head)?,
                };
                self.was_sent_elsewhere(line, logged.index, &path, true, run)?;
                return Ok(());
            }
        }
        let sign_anew = self.options.sign_anew;
        if !sign_anew && self.said_elsewhere(line, &digest, &statement, run)? {
            self.say(line, event.as_ref(), &digest)?;
            return Ok(());
        }
        if let Some(event) = &event
            && let Some(outcome) = self.said_before(line, event, &digest)?
            && !sign_anew
        {
            run.settle(line, outcome);
            return Ok(());
        }
        if self.candidates.is_some() {
            // All that the log has was looked at.
        } else if let Some(strays) = self.strays()? {
            if sign_anew {
                match strays.take(&digest)? {
                    Some((key, _)) if key != self.public => {}
                    Some((_, logged)) if logged.is_sealed() => {
                        self.head.add_other_sealed(logged.signed.seq);
                    }
                    Some((_, logged)) => self.head.add_other(logged.signed.seq),
                    None => {}
                }
            } else if let Some((_, logged)) = strays.peek(&digest)? {
                return Err(SubmitError::Ambiguous {
                    line,
                    index: logged.index,
                });
            }
        }
        if run.summary.stopped.is_some() {
            run.settle(line, LineOutcome::NotSent);
        } else {
            run.waiting.push_back((line, None));
            run.fresh.push_back(Fresh {
                line,
                digest,
                statement,
            });
        }
        Ok(())
    }

    /// What the input said of events so far.
    fn said(&mut self) -> Result<&mut EventsSaid, SubmitError> {
        let said = match self.said.take() {
            Some(said) => said,
            None => EventsSaid::read(&self.journal, &self.folder)?,
        };
        Ok(self.said.insert(said))
    }

    /// Notes a line that names an event; gives what the input said of it before.
    fn say(
        &mut self,
        line: u64,
        event: Option<&Digest>,
        digest: &Digest,
    ) -> Result<SaidBefore, SubmitError> {
        match event {
            Some(event) => Ok(self.said()?.say(line, event, digest)?),
            None => Ok(SaidBefore::Nothing),
        }
    }

    /// What becomes of a line that is not in, if something was said of its event before: by this input,
    /// by another one of the key, or by an entry of the log that no journal holds.
    fn said_before(
        &mut self,
        line: u64,
        event: &Digest,
        digest: &Digest,
    ) -> Result<Option<LineOutcome>, SubmitError> {
        let outcome = match self.say(line, Some(event), digest)? {
            SaidBefore::Same(before) => return Ok(Some(LineOutcome::Repeated(said_in(before)))),
            SaidBefore::OtherFields(said) => Some(evidence_repeated(&said, None)),
            SaidBefore::Nothing => None,
        };
        if outcome.is_some() || self.options.sign_anew {
            return Ok(outcome);
        }
        if let Some(others) = &self.others
            && let Some((index, journal)) = others.of_event(event)?
        {
            return Ok(Some(evidence_repeated(
                &SaidBy::Entry(index),
                Some(journal),
            )));
        }
        let logged = match &self.candidates {
            Some(candidates) => match candidates.ours.of_event(event)? {
                None => candidates.unknown.of_event(event)?,
                found => found,
            },
            None => match self.strays()? {
                // One that says the same is asked about.
                Some(strays) if strays.peek(digest)?.is_none() => strays.of_event(event)?,
                _ => None,
            },
        };
        Ok(logged.map(|index| evidence_repeated(&SaidBy::Entry(index), None)))
    }

    /// Whether another input of the key sent this line. Each of its records stands for one line of
    /// this input, the first that says the same.
    fn said_elsewhere(
        &mut self,
        line: u64,
        digest: &Digest,
        statement: &Statement,
        run: &mut Run<'_>,
    ) -> Result<bool, SubmitError> {
        if self.others.is_none() {
            // Of a journal that is being made anew nobody can tell what it holds. A recovery takes
            // what is in none: it must not wait for the recovery of another input.
            let mut others = self.head.journals().iter();
            let unfinished = others.find(|seen| seen.recovering && seen.id != self.journal.id());
            if let (Some(unfinished), None) = (unfinished, &self.candidates) {
                return Err(SubmitError::RecoveryUnfinished((&unfinished.path).into()));
            }
            self.read_other_keys(&mut |_, _| {})?;
            let read = OtherInputs::read(&self.head, &self.journal, &self.folder)?;
            self.others = Some(read);
        }
        let Some(others) = &mut self.others else {
            return Ok(false);
        };
        let (index, journal) = loop {
            let Some((index, journal)) = others.take(digest)? else {
                return Ok(false);
            };
            // A recovery may have found the record already, for another line.
            let is_taken = match &self.candidates {
                Some(candidates) => candidates.taken_of_others.contains(index),
                None => Ok(false),
            };
            if !is_taken.map_err(at(&self.folder))? {
                break (index, journal.to_owned());
            }
        };
        self.was_sent_elsewhere(line, index, &journal, !names_one_event(statement), run)?;
        Ok(true)
    }

    /// A line is in that is not this input's, by its entry and by the journal which holds it or held it
    /// before it was lost. It may be a further one if that is not sure.
    fn was_sent_elsewhere(
        &self,
        line: u64,
        index: Index,
        journal: &Path,
        is_unsure: bool,
        run: &mut Run<'_>,
    ) -> Result<(), SubmitError> {
        let unsure = u64::from(is_unsure);
        let known = &mut run.summary.other_inputs;
        match known.iter_mut().find(|known| known.journal == journal) {
            Some(known) => {
                known.lines += 1;
                known.unsure += unsure;
            }
            None => known.push(OtherInput {
                journal: journal.to_owned(),
                by_other_keys: journal == other_keys_path(&self.head)?,
                lines: 1,
                first_line: line,
                unsure,
            }),
        }
        self.check_index(line, index)?;
        run.settle(line, LineOutcome::AlreadyIn(index));
        Ok(())
    }

    /// A journal can't have a line at an entry that the log does not have.
    fn check_index(&self, line: u64, index: Index) -> Result<(), SubmitError> {
        if index.0 < self.proven.head.size {
            return Ok(());
        }
        Err(LogFault::Wrong(format!(
            "a journal has line {line} as entry {index}, and the log has {} entries",
            self.proven.head.size
        ))
        .into())
    }

    /// Sends the fresh lines, until each has its answer, and tells all outcomes.
    fn send_fresh(&mut self, run: &mut Run<'_>) -> Result<(), SubmitError> {
        while !run.fresh.is_empty() {
            if run.summary.stopped.is_some() {
                run.answer(LineOutcome::NotSent);
                continue;
            }
            let count = self.sign(run)?;
            if count > 0 {
                self.send(count, run)?;
            }
            if run.head_saved.elapsed() >= HEAD_EVERY {
                self.save_head()?;
                run.head_saved = Instant::now();
            }
            if run.proven.elapsed() >= PROOF_EVERY {
                self.prove()?;
                run.proven = Instant::now();
            }
        }
        run.tell()
    }

    /// Makes the first fresh lines the first of the journal's open batch; gives how many. What was
    /// signed for the same lines and never answered is sent as it is.
    fn sign(&mut self, run: &mut Run<'_>) -> Result<usize, SubmitError> {
        let once = self.batch_once.take();
        let most = once.map_or(self.batch_max(), |once| once.min(self.batch_max()));
        if let Some(open) = self.journal.open_batch() {
            let same = open.digests().zip(&run.fresh);
            let same = same.take_while(|(digest, fresh)| **digest == fresh.digest);
            let same = same.count();
            let sendable = match open.seal() {
                // All of it goes, or nothing.
                Some(_) if same == open.len() && !self.options.unsealed => same,
                Some(_) => 0,
                None => same.min(most),
            };
            if sendable > 0 {
                return Ok(sendable);
            }
            self.journal.void()?;
        }
        let (first_seq, prev) = match self.last {
            Some(last) => (last.seq.0.saturating_add(1), last.id),
            None => (0, self.granted),
        };
        let issued_on = self.issue_day();
        self.signed_for(Some(issued_on));
        let place = SealPlace {
            seq: Seq(first_seq),
            prev,
            issued_on,
        };
        match self.seal(most, place, run)? {
            0 => self.sign_singly(most, place, run),
            sealed => Ok(sealed),
        }
    }

    /// Signs the first fresh lines as records, up to two that can be sealed; gives how many.
    fn sign_singly(
        &mut self,
        most: usize,
        place: SealPlace,
        run: &mut Run<'_>,
    ) -> Result<usize, SubmitError> {
        let SealPlace {
            seq: first_seq,
            mut prev,
            issued_on,
        } = place;
        let mut records = Vec::new();
        for (seq, fresh) in (first_seq.0..).zip(run.fresh.iter().take(most)) {
            if !records.is_empty() && !self.options.unsealed {
                let mut next = run.fresh.range(records.len()..).take(2);
                if next.len() == 2 && next.all(|fresh| can_be_sealed(&fresh.statement)) {
                    break;
                }
            }
            let record = Record {
                issuer: self.public,
                seq: Seq(seq),
                prev,
                issued_on,
                statement: fresh.statement.clone(),
            };
            match draft(&record, &self.context, self.key.key()) {
                Ok((signed, id)) => {
                    prev = id;
                    records.push((fresh.digest, signed));
                }
                // Those before it are sent first.
                Err(_) if !records.is_empty() => break,
                Err(error) => {
                    run.answer(LineOutcome::SetAside(unsignable(&error)));
                    return Ok(0);
                }
            }
        }
        let count = records.len();
        self.journal.signed(self.public, first_seq, records)?;
        Ok(count)
    }

    /// Sends the first `count` lines of the open batch, which are the first fresh lines.
    fn send(&mut self, count: usize, run: &mut Run<'_>) -> Result<(), SubmitError> {
        match self.journal.open_batch().and_then(OpenBatch::seal) {
            Some(_) => self.send_sealed(run),
            None => self.send_records(count, run),
        }
    }

    /// Proves that the log as it is now extends every checkpoint that was seen, and holds what is
    /// in by the server's word.
    pub(in crate::client) fn prove(&mut self) -> Result<(), SubmitError> {
        if self.journal.unproven().is_some() {
            let source = self.log.source();
            let kept = |fault| evidence::kept(self.journal.path(), fault);
            // What the server says of the key tells an old checkpoint, from a cache, from a log that
            // lost what it acknowledged.
            let look = self
                .log
                .look(&source, &self.context, &self.public, &self.checkpoints())
                .map_err(kept)?;
            check_unproven(&self.journal, &look.tiles).map_err(kept)?;
            self.proven = look.proven;
        }
        Ok(self.journal.proven(&self.proven.note)?)
    }

    /// The records of the key that no journal holds, if there are any.
    fn strays(&mut self) -> Result<Option<&mut LoggedLines>, SubmitError> {
        let Some(seen) = self.head.strays() else {
            return Ok(None);
        };
        if self.strays.is_none() {
            let path = with_suffix(self.head.path(), ".strays");
            let held = self.head.held_elsewhere(&self.public, None);
            let own = self.public;
            let strays = LoggedLines::read_strays(&path, &self.folder, seen, |key, seq| {
                *key == own && held.contains(seq)
            })?;
            self.strays = Some(strays.ok_or(SubmitError::StraysDamaged(path))?);
        }
        Ok(self.strays.as_mut())
    }

    /// After some of them were taken for settled.
    fn write_strays(&mut self) -> Result<(), SubmitError> {
        if let Some(strays) = self.strays.as_ref().filter(|strays| strays.taken() > 0) {
            let path = with_suffix(self.head.path(), ".strays");
            let seen = strays.write_strays(&path, &self.public)?;
            self.head.set_strays(seen);
        }
        Ok(())
    }

    /// How many lines the next batch has at most.
    pub(in crate::client) fn batch_max(&self) -> usize {
        self.batch
    }

    /// After a batch was too large for the server, or a proxy before it.
    pub(in crate::client) fn halve_batches(
        &mut self,
        sent: usize,
        line: u64,
    ) -> Result<(), SubmitError> {
        if sent <= 1 {
            return Err(SubmitError::TooLarge { line });
        }
        self.batch_most = sent / 2;
        self.batch = self.batch_most;
        Ok(())
    }
}

fn said_in(line: Option<u64>) -> String {
    let earlier = match line {
        Some(line) => format!("line {line}"),
        None => "a line before it, which an earlier run sent,".to_owned(),
    };
    format!("{earlier} is the same award of the same event, which is awarded once")
}

fn unsignable(error: &CodecError) -> String {
    format!("it can't be signed: {error}")
}
