//! What happens to a batch before and after the sequencer, the cheapest first: what is in already, what
//! is surely refused, signatures, and the answer. The first record that is refused ends the batch:
//! nothing behind it is looked at. Sealed batches come in by `sealed_intake`.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::evidence::award_of;
use super::queue::{PushError, Reply, Said, Submission, Verdict};
use super::retries::{Retries, RetryError, UsedSeq};
use super::sender::Sender;
use super::workers::{BatchEnd, Checked, CheckedAlone, FirstFailure, Identified, RECORDS_TOGETHER};
use super::{Log, Published, ReadError, StateVersion};
use crate::crypto::PublicKey;
use crate::ledger::{BatchRefusal, ChainHead, Code, Refusal, State};
use crate::record::{Index, Seq, SignatureRefusal, SignedRecord};

/// What a server that has no key of the log says to those who want it to lead, or to admit.
pub const NEVER_LEADS: &str = "this server has no key of the log: it follows, and never leads";

/// A retry can race itself; each round means that another sender of the same records got in.
pub(super) const ROUNDS_MAX: usize = 8;

/// Records that are in.
#[derive(Debug, Clone)]
pub struct Appended {
    /// Their indexes, in the order in which they were sent.
    pub indexes: Vec<Index>,
    /// Which of them, from 0, were in before: this call did not append them.
    pub already_in: Vec<usize>,
    /// A checkpoint that covers them all.
    pub published: Arc<Published>,
}

/// A batch that was admitted up to a bad record.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Which record of the batch is bad, from 0.
    pub position: usize,
    /// What is wrong with that record.
    pub refusal: Refusal,
    /// Indexes of the records before it, all of which are in.
    pub indexes: Vec<Index>,
    /// Which of those, from 0, were in before.
    pub already_in: Vec<usize>,
    /// A checkpoint that covers those records, and all that the refusal rests on.
    pub published: Arc<Published>,
}

/// Why nothing is known to be in: what is sent again later may get in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum UnavailableCode {
    /// The log admits nothing more until it is started again.
    Halted,
    /// Another process leads the log.
    NotLeading,
    /// The server is stopping.
    Stopping,
    /// Others send records of the same issuer.
    Contended,
    /// Too many batches of this issuer wait.
    IssuerQueueFull,
    /// Too many batches wait.
    QueueFull,
    /// Whether an award's evidence was named before can't be said yet.
    EvidenceUnindexed,
}

/// Why not all of a batch is in.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A record was refused; the ones before it are in.
    #[error("record {}: {}", .0.position, .0.refusal)]
    Refused(Box<Refused>),
    /// Nothing is known to be in; send the same bytes again later.
    #[error("{why}")]
    Unavailable {
        /// The reason, by its name.
        code: UnavailableCode,
        /// The reason, in words.
        why: String,
    },
    /// Nothing of a sealed batch is in.
    #[error("the sealed batch: {0}")]
    BatchRefused(Box<RefusedBatch>),
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A sealed batch of which nothing was admitted.
#[derive(Debug, Clone)]
pub struct RefusedBatch {
    /// What is wrong.
    pub why: BatchRefusal,
    /// A checkpoint that covers all that the refusal rests on.
    pub published: Arc<Published>,
}

impl std::fmt::Display for RefusedBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.why {
            BatchRefusal::Seal(refusal) => write!(f, "{refusal}"),
            BatchRefusal::Statements(refused) => {
                let first = refused.first().map(|(position, refusal)| {
                    format!("; the first, statement {position}: {refusal}")
                });
                let count = refused.len();
                write!(
                    f,
                    "{count} statements are refused{}",
                    first.unwrap_or_default()
                )
            }
        }
    }
}

impl AppendError {
    pub(super) fn halted(why: &str) -> Self {
        Self::Unavailable {
            code: UnavailableCode::Halted,
            why: why.to_owned(),
        }
    }

    pub(super) fn not_leading(leader: Option<&str>) -> Self {
        Self::Unavailable {
            code: UnavailableCode::NotLeading,
            why: match leader {
                Some(leader) => format!("this server follows; the one that leads is at {leader}"),
                None => "this server follows, and does not know which one leads now".to_owned(),
            },
        }
    }

    /// Of a server that has no key of the log.
    pub(super) fn never_leads(leader: Option<&str>) -> Self {
        let why = match leader {
            Some(leader) => format!("{NEVER_LEADS}; the one that leads is at {leader}"),
            None => NEVER_LEADS.to_owned(),
        };
        Self::Unavailable {
            code: UnavailableCode::NotLeading,
            why,
        }
    }

    pub(super) fn unindexed() -> Self {
        Self::Unavailable {
            code: UnavailableCode::EvidenceUnindexed,
            why: "the index of evidence is being made, or can't be read: whether an award's evidence was named before can't be said yet".to_owned(),
        }
    }

    pub(super) fn stopping() -> Self {
        Self::Unavailable {
            code: UnavailableCode::Stopping,
            why: "the server is stopping".to_owned(),
        }
    }
}

impl From<RetryError> for AppendError {
    fn from(error: RetryError) -> Self {
        match error {
            RetryError::Read(error) => error.into(),
            RetryError::Stopped => Self::stopping(),
        }
    }
}

/// What the state says of a batch, before anybody looks at signatures.
pub(super) struct FirstLook {
    pub version: StateVersion,
    /// The issuer's newest record, if it issued any.
    pub head: Option<ChainHead>,
    /// Records at the batch's front whose seq the issuer used: they may be in already.
    pub old: usize,
}

/// How far a batch has come.
#[derive(Default)]
pub(super) struct Progress {
    /// Indexes of its records that are in, from the first on.
    pub indexes: Vec<Index>,
    /// Which of them, from 0, others or an earlier try appended.
    already_in: Vec<usize>,
    /// The refusal for the record behind those that are left.
    ends_with: Option<Refusal>,
}

impl Log {
    /// As [`Self::append_from`], of records that the program itself has.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append(
        &self,
        records: Vec<SignedRecord>,
        trailing: Option<Refusal>,
    ) -> Result<Appended, AppendError> {
        self.append_from(&Sender::LOCAL, records, trailing).await
    }

    /// Appends one issuer's records, in order, up to the first bad one. `trailing` is the refusal
    /// for the first record that did not decode: it is answered if those before it are in. Every
    /// answer is durable and published. Records that are in already are answered with their
    /// indexes, and told from those that this call appends.
    ///
    /// A caller that drops this gives up: what is not before the sequencer yet is not admitted.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append_from(
        &self,
        sender: &Sender,
        mut records: Vec<SignedRecord>,
        trailing: Option<Refusal>,
    ) -> Result<Appended, AppendError> {
        self.check_leading()?;
        let mut progress = Progress {
            indexes: Vec::new(),
            already_in: Vec::new(),
            ends_with: trailing,
        };
        let issuer = match records.first() {
            Some(first) => first.record().issuer,
            None => return progress.answer(self.published()),
        };
        let mixed = records.iter().position(|r| r.record().issuer != issuer);
        if let Some(position) = mixed {
            records.truncate(position);
            progress.ends_with = Some(Refusal::new(
                Code::IssuersMixed,
                "a batch has records of one issuer",
                "send each issuer's records in batches of their own",
            ));
        }
        let awards = records.iter().enumerate();
        let awards = awards.filter_map(|(at, signed)| Some((at, award_of(signed)?.evidence)));
        // Before the look: what came in meanwhile, these very records too, is old by then.
        let reused = self.screen_evidence(&issuer, awards).await?;
        let (look, screened) = {
            let state = self.state();
            let look = self.look(&state, &issuer, records.iter());
            let new = records.get(look.old..).unwrap_or_default();
            (look, state.screen(&issuer, new))
        };
        if let Some((position, refusal)) = screened {
            records.truncate(look.old + position);
            progress.ends_with = Some(refusal);
        }
        let mut reused = reused.into_iter();
        if let Some((position, refusal)) = reused.find(|(at, _)| *at >= look.old)
            && position < records.len()
        {
            records.truncate(position);
            progress.ends_with = Some(refusal);
        }
        let old: Vec<SignedRecord> = records.drain(..look.old).collect();
        let old = old.iter();
        if let Some(refused) = self
            .find_old(sender, issuer, &look, old, &mut progress)
            .await?
        {
            return Err(refused);
        }
        let screened_on = look.version;
        let mut verified = self.verify(sender, records, &mut progress).await?;
        let mut seen_on = look.version;
        for _ in 0..ROUNDS_MAX {
            if verified.is_empty() {
                // Only what is answered from the state waits for it to be published.
                return progress.answer(self.wait_until_published(seen_on).await?);
            }
            let sent = Arc::new(std::mem::take(&mut verified));
            let said = Said::Records {
                records: Arc::clone(&sent),
                trailing: None,
            };
            let (verdict, published) = self.sequence(sender, issuer, said).await?;
            let Verdict::Records {
                indexes: admitted,
                refusal,
            } = verdict
            else {
                return Err(AppendError::stopping());
            };
            let count = admitted.len();
            progress.indexes.extend(admitted);
            match refusal {
                // Somebody sent the same meanwhile: look again what it was.
                Some(refusal) if refusal.code == Code::SequenceUsed => {
                    verified = Arc::unwrap_or_clone(sent);
                    verified.drain(..count);
                    let look = {
                        let state = self.state();
                        self.look(&state, &issuer, verified.iter().map(|(_, r)| r))
                    };
                    let old: Vec<Identified> = verified.drain(..look.old).collect();
                    let old = old.iter().map(|(_, record)| record);
                    let found = self.find_old(sender, issuer, &look, old, &mut progress);
                    if let Some(refused) = found.await? {
                        return Err(refused);
                    }
                    seen_on = look.version;
                }
                Some(refusal) => {
                    progress.ends_with = Some(refusal);
                    return progress.answer(published);
                }
                None => {
                    // What was said before signatures were looked at rests on the state of then.
                    self.wait_until_published(screened_on).await?;
                    return progress.answer(published);
                }
            }
        }
        Err(contended())
    }

    /// What the state says of one issuer's records.
    pub(super) fn look<'a>(
        &self,
        state: &State,
        issuer: &PublicKey,
        records: impl Iterator<Item = &'a SignedRecord>,
    ) -> FirstLook {
        let key = state.key(issuer);
        let next = key.map_or(Seq(0), |key| key.next().0);
        FirstLook {
            version: self.version(state),
            head: key.and_then(|key| key.head),
            old: records.take_while(|r| r.record().seq < next).count(),
        }
    }

    /// Finds what is in already, by an earlier try or another sender of the same bytes. Gives the
    /// answer to the batch if one of the records is another than the one that is in.
    pub(super) async fn find_old(
        &self,
        sender: &Sender,
        issuer: PublicKey,
        look: &FirstLook,
        records: impl ExactSizeIterator<Item = &SignedRecord>,
        progress: &mut Progress,
    ) -> Result<Option<AppendError>, AppendError> {
        let (Some(head), 1..) = (look.head, records.len()) else {
            return Ok(None);
        };
        let published = self.wait_until_published(look.version).await?;
        let size = published.head.tree.size;
        let mut retries = Retries::new(self, sender, issuer, head, size, records.len());
        for signed in records {
            let seq = signed.record().seq;
            let refusal = match retries.find(seq).await? {
                UsedSeq::By(record, index) if record == signed.bytes() => {
                    progress.already_in.push(progress.indexes.len());
                    progress.indexes.push(index);
                    continue;
                }
                UsedSeq::By(_, index) => Refusal::new(
                    Code::SequenceUsed,
                    format!("the issuer's seq {seq} is used by another record, entry {index}"),
                    "never sign a used seq again; GET /v1/issuers/{key} tells the next",
                ),
                UsedSeq::NotLookedFor => Refusal::new(
                    Code::AlreadyIn,
                    format!(
                        "the issuer's seq {seq} is used, and the batch is not in the order of its chain"
                    ),
                    "it is in or another is; send records in the order of their chain to learn which",
                ),
            };
            return Ok(Some(progress.refused(refusal, published)));
        }
        Ok(None)
    }

    /// Hands what was verified to the sequencer and waits for its reply.
    pub(super) async fn sequence(
        &self,
        sender: &Sender,
        issuer: PublicKey,
        said: Said,
    ) -> Result<(Verdict, Arc<Published>), AppendError> {
        let (reply, replied) = oneshot::channel();
        let submission = Submission {
            issuer,
            said,
            reply,
            _sender: sender.clone(),
        };
        self.queue.push(submission).map_err(|error| match error {
            PushError::Closed => AppendError::stopping(),
            PushError::IssuerFull => AppendError::Unavailable {
                code: UnavailableCode::IssuerQueueFull,
                why: "too many batches of this issuer wait".to_owned(),
            },
            PushError::QueueFull => AppendError::Unavailable {
                code: UnavailableCode::QueueFull,
                why: "too many batches wait".to_owned(),
            },
        })?;
        match replied.await.map_err(|_| AppendError::stopping())? {
            Reply::Judged { verdict, published } => Ok((verdict, published)),
            Reply::Unavailable(why) => Err(AppendError::halted(&why)),
            Reply::NotLeading => Err(AppendError::not_leading(None)),
        }
    }

    /// Verifies the records' signatures, up to the first that fails: the batch ends with it.
    async fn verify(
        &self,
        sender: &Sender,
        records: Vec<SignedRecord>,
        progress: &mut Progress,
    ) -> Result<Vec<Identified>, AppendError> {
        let mut rest = records.into_iter();
        // A batch in another's name ends with its first record, at the cost of one signature.
        let first = rest.by_ref().take(1).collect();
        let Checked {
            mut records,
            mut failure,
        } = self.check(sender, first).await?;
        if failure.is_none() && rest.len() > 0 {
            let checked = self.check(sender, rest.collect()).await?;
            records.extend(checked.records);
            failure = checked.failure;
        }
        if let Some(FirstFailure { what, .. }) = failure {
            progress.ends_with = Some(signature_invalid(what));
        }
        Ok(records)
    }

    /// Checks records' signatures where they are, or by the worker threads.
    async fn check(
        &self,
        sender: &Sender,
        records: Vec<SignedRecord>,
    ) -> Result<Checked, AppendError> {
        let records = match self.workers.check_alone(records) {
            CheckedAlone::Done(checked) => return Ok(checked),
            CheckedAlone::Busy(records) => records,
        };
        let end = BatchEnd::open();
        let mut rest = records.into_iter();
        let (mut under_way, mut position) = (Vec::new(), 0);
        while rest.len() > 0 {
            let part: Vec<SignedRecord> = rest.by_ref().take(RECORDS_TOGETHER).collect();
            let count = part.len();
            under_way.push(self.workers.check(sender, part, position, &end));
            position += count;
        }
        let mut records = Vec::with_capacity(position);
        for part in under_way {
            let part = part.await.map_err(|_| AppendError::stopping())?;
            records.extend(part.records);
            // The parts behind it are dropped here, and so are not checked if nobody has begun.
            if let Some(failure) = part.failure {
                return Ok(Checked {
                    records,
                    failure: Some(failure),
                });
            }
        }
        Ok(Checked {
            records,
            failure: None,
        })
    }
}

/// Others' records of the same issuer got in, again and again.
pub(super) fn contended() -> AppendError {
    let why = "other senders of this issuer's records are in the way; one writer a key";
    AppendError::Unavailable {
        code: UnavailableCode::Contended,
        why: why.to_owned(),
    }
}

pub(super) fn signature_invalid(what: SignatureRefusal) -> Refusal {
    Refusal::new(
        Code::SignatureInvalid,
        what.to_string(),
        "sign the record's bytes as docs/format.md says",
    )
}

impl Progress {
    /// The answer, if nothing of the batch is left.
    fn answer(mut self, published: Arc<Published>) -> Result<Appended, AppendError> {
        match self.ends_with.take() {
            Some(refusal) => Err(self.refused(refusal, published)),
            None => Ok(Appended {
                indexes: self.indexes,
                already_in: self.already_in,
                published,
            }),
        }
    }

    /// The answer that refuses the record behind those that are in.
    fn refused(&mut self, refusal: Refusal, published: Arc<Published>) -> AppendError {
        AppendError::Refused(Box::new(Refused {
            position: self.indexes.len(),
            refusal,
            indexes: std::mem::take(&mut self.indexes),
            already_in: std::mem::take(&mut self.already_in),
            published,
        }))
    }
}
