//! Signing statements and sending them, each exactly once.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::journal::{Journal, JournalError, LineState};
use super::remote::{BatchAnswer, IssuerHead, Remote, RemoteError, RemoteProblem};
use crate::crypto::SigningKey;
use crate::record::{
    CodecError, Day, Index, Origin, Record, Seq, SignedRecord, SigningContext, Statement, TimeMs,
    draft,
};

/// Records of a batch: enough that a commit's sync is shared by many.
const RECORDS_PER_BATCH: usize = 1000;

/// What to do when the server refuses a statement by the rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnRefusal {
    /// Stop there.
    Stop,
    /// Note it and go on with the next.
    Skip,
}

/// Why not all statements are in.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The journal says no.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The server can't be asked.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A statement can't be written as a record.
    #[error("statement {line}: {error}")]
    Codec {
        /// Which, from 1.
        line: usize,
        /// Why.
        error: CodecError,
    },
    /// The input changed since it was signed.
    #[error(
        "statement {line} is not what was signed for it before; the input of a journal never changes"
    )]
    Changed {
        /// Which, from 1.
        line: usize,
    },
    /// The server refused a statement.
    #[error("statement {line}: {} ({}); {}", .problem.detail, .problem.code, .problem.advice)]
    Refused {
        /// Which, from 1.
        line: usize,
        /// Why.
        problem: Box<RemoteProblem>,
    },
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Statements that are in.
    pub admitted: usize,
    /// Statements that were refused.
    pub refused: usize,
}

/// Sends one issuer's statements.
pub struct Submitter<'a> {
    remote: &'a Remote,
    key: &'a SigningKey,
    context: SigningContext,
    journal: Journal,
}

impl<'a> Submitter<'a> {
    /// A sender with a journal.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(
        remote: &'a Remote,
        origin: &Origin,
        key: &'a SigningKey,
        journal: &Path,
    ) -> Result<Self, JournalError> {
        let journal = Journal::open(journal, &origin.to_string(), &key.public())?;
        Ok(Self {
            remote,
            key,
            context: SigningContext::new(origin),
            journal,
        })
    }

    /// What became of each statement so far.
    pub fn lines(&self) -> &[LineState] {
        self.journal.lines()
    }

    /// Where a statement is, if it is in.
    pub fn index(&self, line: usize) -> Option<Index> {
        match self.journal.lines().get(line) {
            Some(LineState::Admitted(index)) => Some(*index),
            _ => None,
        }
    }

    /// Sends all statements of `input` that are not in yet; `progress` is told how many are done.
    ///
    /// # Errors
    /// [`SubmitError`]; running it again with the same input and journal goes on.
    pub fn run(
        &mut self,
        input: &[Statement],
        on_refusal: OnRefusal,
        mut progress: impl FnMut(usize),
    ) -> Result<Summary, SubmitError> {
        self.check_unchanged(input)?;
        loop {
            let first = self.first_unanswered();
            progress(first);
            let unanswered = self.journal.lines().get(first..).unwrap_or_default();
            let signed: Vec<SignedRecord> = unanswered
                .iter()
                .take(RECORDS_PER_BATCH)
                .filter_map(|line| match line {
                    LineState::Signed(record) => Some((**record).clone()),
                    _ => None,
                })
                .collect();
            if !signed.is_empty() {
                self.send(first, &signed, on_refusal)?;
                continue;
            }
            let rest = input.get(first..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(self.summary());
            }
            self.sign(first, rest.get(..RECORDS_PER_BATCH).unwrap_or(rest))?;
        }
    }

    fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for line in self.journal.lines() {
            match line {
                LineState::Admitted(_) => summary.admitted += 1,
                LineState::Refused { .. } => summary.refused += 1,
                LineState::Signed(_) => {}
            }
        }
        summary
    }

    fn check_unchanged(&self, input: &[Statement]) -> Result<(), SubmitError> {
        let lines = self.journal.lines();
        if lines.len() > input.len() {
            return Err(SubmitError::Changed {
                line: input.len() + 1,
            });
        }
        for (at, (line, statement)) in lines.iter().zip(input).enumerate() {
            if let LineState::Signed(record) = line
                && record.record().statement != *statement
            {
                return Err(SubmitError::Changed { line: at + 1 });
            }
        }
        Ok(())
    }

    fn first_unanswered(&self) -> usize {
        let lines = self.journal.lines();
        lines
            .iter()
            .rposition(|line| !matches!(line, LineState::Signed(_)))
            .map_or(0, |at| at + 1)
    }

    /// Signs statements as the continuation of the chain, into the journal.
    fn sign(&mut self, first: usize, statements: &[Statement]) -> Result<(), SubmitError> {
        let IssuerHead {
            mut next_seq,
            mut prev,
        } = self.remote.issuer(&self.key.public())?;
        let issued_on = today();
        let mut records = Vec::with_capacity(statements.len());
        for (offset, statement) in statements.iter().enumerate() {
            let record = Record {
                issuer: self.key.public(),
                seq: next_seq,
                prev,
                issued_on,
                statement: statement.clone(),
            };
            let (signed, id) =
                draft(&record, &self.context, self.key).map_err(|error| SubmitError::Codec {
                    line: first + offset + 1,
                    error,
                })?;
            records.push(signed);
            next_seq = Seq(next_seq.0 + 1);
            prev = id;
        }
        Ok(self.journal.signed(&records)?)
    }

    fn send(
        &mut self,
        first: usize,
        records: &[SignedRecord],
        on_refusal: OnRefusal,
    ) -> Result<(), SubmitError> {
        match self.remote.append(records)? {
            BatchAnswer::Admitted(indexes) => self.journal.admitted(first, indexes)?,
            BatchAnswer::Refused { indexes, problem } => {
                let line = first + indexes.len();
                if !indexes.is_empty() {
                    self.journal.admitted(first, indexes)?;
                }
                // By the rules, one statement is wrong and the next may be right. A wrong key or
                // a broken chain would refuse them all.
                if on_refusal == OnRefusal::Stop || problem.status != 422 {
                    return Err(SubmitError::Refused {
                        line: line + 1,
                        problem,
                    });
                }
                self.journal.refused(line, &problem.code, &problem.detail)?;
            }
        }
        Ok(())
    }
}

/// The day that it is, UTC.
pub fn today() -> Day {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Day::of(TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}
