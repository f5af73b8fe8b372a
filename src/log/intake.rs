//! What happens to a batch before and after the sequencer: signatures, retries, and the answer.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::queue::{PushError, Reply, Submission};
use super::workers::{CheckedAlone, FirstFailure, Identified, RECORDS_TOGETHER};
use super::{Log, Published, ReadError};
use crate::crypto::PublicKey;
use crate::ledger::{ChainHead, Code, Refusal};
use crate::merkle::TILE_HASHES;
use crate::record::{Entry, Index, RecordId, Seq, SignedRecord};
use crate::store::Bytes;

/// Records of an issuer's chain, from its newest back, among which one that is sent again is
/// looked for.
const RETRY_RECORDS_MAX: u64 = 65_536;
/// A retry can race itself; each round means that another sender of the same records got in.
const ROUNDS_MAX: usize = 8;

/// Records that are in.
#[derive(Debug, Clone)]
pub struct Appended {
    /// Their indexes, in the order in which they were sent.
    pub indexes: Vec<Index>,
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
    /// A checkpoint that covers those records, and all that the refusal rests on.
    pub published: Arc<Published>,
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
        /// A stable name for the reason.
        code: &'static str,
        /// The reason, in words.
        why: String,
    },
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl AppendError {
    pub(super) fn halted(why: &str) -> Self {
        Self::Unavailable {
            code: "halted",
            why: why.to_owned(),
        }
    }

    pub(super) fn stopping() -> Self {
        Self::Unavailable {
            code: "stopping",
            why: "the server is stopping".to_owned(),
        }
    }
}

impl Log {
    /// Appends one issuer's records, in order, up to the first bad one. `trailing` is the refusal
    /// for the first record that did not decode: it is answered if those before it are in. Every
    /// answer is durable and published. Records that are in already are answered with their
    /// indexes.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append(
        &self,
        records: Vec<SignedRecord>,
        trailing: Option<Refusal>,
    ) -> Result<Appended, AppendError> {
        let mut records: Vec<Identified> = records
            .into_iter()
            .map(|r| (self.context.id(r.bytes()), r))
            .collect();
        let issuer = match records.first() {
            Some((_, first)) => first.record().issuer,
            None => {
                let (indexes, published) = (Vec::new(), self.published());
                return match trailing {
                    Some(refusal) => Err(refused(indexes, refusal, published)),
                    None => Ok(Appended { indexes, published }),
                };
            }
        };
        let mut indexes = Vec::new();
        let mixed = records
            .iter()
            .position(|(_, r)| r.record().issuer != issuer);
        let mixed = mixed.map(|position| {
            records.truncate(position);
            Refusal::new(
                Code::IssuersMixed,
                "a batch has records of one issuer",
                "send each issuer's records in batches of their own",
            )
        });
        let mut bad = mixed.or(trailing);
        let mut verified = false;
        for _ in 0..ROUNDS_MAX {
            // Only what is answered from the state waits for it to be published.
            let (key, version) = {
                let state = self.state();
                (state.key(&issuer).cloned(), self.version(&state))
            };
            let Some(key) = key else {
                let refusal = Refusal::new(
                    Code::IssuerUnknown,
                    format!("the key {issuer} was never granted a role"),
                    "ask the governors for a key grant",
                );
                let published = self.wait_until_published(version).await?;
                return Err(refused(indexes, refusal, published));
            };
            // What is in already, by an earlier try or another sender of the same bytes.
            let (next, _) = key.next();
            let old = records
                .iter()
                .take_while(|(_, r)| r.record().seq < next)
                .count();
            if let (Some(head), Some(ids)) = (key.head, wanted(&records, old)) {
                let published = self.wait_until_published(version).await?;
                let found = self
                    .find_in_chain(issuer, head, &ids, published.head.tree.size)
                    .await?;
                for ((seq, id), found) in ids.into_iter().zip(found) {
                    match same_record(seq, id, found) {
                        Ok(index) => indexes.push(index),
                        Err(refusal) => return Err(refused(indexes, refusal, published)),
                    }
                }
                records.drain(..old);
            }
            // Once: later rounds have what is left of the same records.
            if !verified {
                if let Some(refusal) = self.verify(&mut records).await? {
                    bad = Some(refusal);
                }
                verified = true;
            }
            if records.is_empty() {
                let published = self.wait_until_published(version).await?;
                return match bad {
                    Some(refusal) => Err(refused(indexes, refusal, published)),
                    None => Ok(Appended { indexes, published }),
                };
            }
            let sent = Arc::new(std::mem::take(&mut records));
            let (admitted, refusal, published) = self.sequence(issuer, &sent).await?;
            let count = admitted.len();
            indexes.extend(admitted);
            match (refusal, bad.take()) {
                // Somebody sent the same meanwhile: look again what it was.
                (Some(refusal), later) if refusal.code == Code::SequenceUsed => {
                    records = Arc::unwrap_or_clone(sent);
                    records.drain(..count);
                    bad = later;
                }
                (Some(refusal), _) | (None, Some(refusal)) => {
                    return Err(refused(indexes, refusal, published));
                }
                (None, None) => return Ok(Appended { indexes, published }),
            }
        }
        let why = "other senders of this issuer's records are in the way; one writer a key";
        Err(AppendError::Unavailable {
            code: "contended",
            why: why.to_owned(),
        })
    }

    /// Hands verified records to the sequencer and waits for its reply.
    async fn sequence(
        &self,
        issuer: PublicKey,
        records: &Arc<Vec<Identified>>,
    ) -> Result<(Vec<Index>, Option<Refusal>, Arc<Published>), AppendError> {
        let (reply, replied) = oneshot::channel();
        let submission = Submission {
            issuer,
            records: Arc::clone(records),
            trailing: None,
            reply,
        };
        self.queue.push(submission).map_err(|error| match error {
            PushError::Closed => AppendError::stopping(),
            PushError::IssuerFull => AppendError::Unavailable {
                code: "issuer_queue_full",
                why: "too many batches of this issuer wait".to_owned(),
            },
            PushError::QueueFull => AppendError::Unavailable {
                code: "queue_full",
                why: "too many batches wait".to_owned(),
            },
        })?;
        match replied.await.map_err(|_| AppendError::stopping())? {
            Reply::Judged {
                indexes,
                refusal,
                published,
            } => Ok((indexes, refusal, published)),
            Reply::Unavailable(why) => Err(AppendError::halted(&why)),
        }
    }

    /// Verifies the records' signatures; cuts the records off at the first that fails, and says what
    /// is wrong with it.
    async fn verify(&self, records: &mut Vec<Identified>) -> Result<Option<Refusal>, AppendError> {
        let failure = match self.workers.check_alone(records) {
            CheckedAlone::Done(failure) => failure,
            CheckedAlone::Busy => self.check_by_workers(records).await?,
        };
        Ok(failure.map(|failure| {
            records.truncate(failure.position);
            Refusal::new(
                Code::SignatureInvalid,
                failure.what,
                "sign the record's bytes as docs/format.md says",
            )
        }))
    }

    /// The first failure among the records, checked by the worker threads.
    async fn check_by_workers(
        &self,
        records: &mut Vec<Identified>,
    ) -> Result<Option<FirstFailure>, AppendError> {
        let mut rest = std::mem::take(records).into_iter();
        let mut under_way = Vec::new();
        while rest.len() > 0 {
            let part = rest.by_ref().take(RECORDS_TOGETHER).collect();
            under_way.push(self.workers.check(part));
        }
        let mut first = None;
        for checked in under_way {
            let checked = checked.await.map_err(|_| AppendError::stopping())?;
            let before = records.len();
            first = first.or(checked.failure.map(|failure| FirstFailure {
                position: before + failure.position,
                ..failure
            }));
            records.extend(checked.records);
        }
        Ok(first)
    }

    /// The ids and indexes of an issuer's records with these sequence numbers, walked back from
    /// its head; `None` for those too far back.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] where the chain that was committed is not one chain.
    async fn find_in_chain(
        &self,
        issuer: PublicKey,
        head: ChainHead,
        wanted: &[(Seq, RecordId)],
        size: u64,
    ) -> Result<Vec<Option<(RecordId, Index)>>, AppendError> {
        let mut found = vec![None; wanted.len()];
        let Some(first) = wanted.iter().map(|(seq, _)| *seq).min() else {
            return Ok(found);
        };
        // A chain begins at 0: a short one is walked to its beginning.
        let oldest = Seq(head.seq.0.saturating_sub(RETRY_RECORDS_MAX - 1)).max(first);
        let mut bundle: Option<(u64, Vec<Bytes>)> = None;
        let mut index = head.index;
        let mut seq = head.seq;
        loop {
            let number = index.0 / TILE_HASHES;
            let entries = match &bundle {
                Some((kept, entries)) if *kept == number => entries,
                _ => {
                    let entries = self.reader.bundle(number, size).await?;
                    &bundle.insert((number, entries)).1
                }
            };
            let damaged = |what: String| ReadError::Damaged {
                tile: format!("entry {index}"),
                what,
            };
            let bytes = entries
                .get((index.0 % TILE_HASHES) as usize)
                .ok_or_else(|| ReadError::Missing(format!("entry {index}")))?;
            let entry = Entry::decode(bytes).map_err(|error| damaged(error.to_string()))?;
            let record = entry.signed.record();
            if (record.issuer, record.seq) != (issuer, seq) {
                let what = format!("the chain of {issuer} leads to it as to seq {seq}");
                return Err(damaged(what).into());
            }
            for (place, (want, _)) in found.iter_mut().zip(wanted) {
                if *want == seq {
                    *place = Some((self.context.id(entry.signed.bytes()), index));
                }
            }
            if seq <= oldest {
                return Ok(found);
            }
            seq = Seq(seq.0 - 1);
            index = entry
                .lineage
                .issuer_before()
                .ok_or_else(|| damaged(format!("it does not name its issuer's seq {seq}")))?;
        }
    }
}

fn wanted(records: &[Identified], old: usize) -> Option<Vec<(Seq, RecordId)>> {
    let wanted = records
        .iter()
        .take(old)
        .map(|(id, r)| (r.record().seq, *id));
    (old > 0).then(|| wanted.collect())
}

fn same_record(seq: Seq, id: RecordId, found: Option<(RecordId, Index)>) -> Result<Index, Refusal> {
    match found {
        Some((known, index)) if known == id => Ok(index),
        Some((_, index)) => Err(Refusal::new(
            Code::SequenceUsed,
            format!("the issuer's seq {seq} is used by another record, entry {index}"),
            "never sign a used seq again; GET /v1/issuers/{key} tells the next",
        )),
        None => Err(Refusal::new(
            Code::AlreadyIn,
            format!("the issuer's seq {seq} was used more than {RETRY_RECORDS_MAX} records ago"),
            "it is in or another is; GET /v1/issuers/{key} tells where to go on",
        )),
    }
}

fn refused(indexes: Vec<Index>, refusal: Refusal, published: Arc<Published>) -> AppendError {
    let position = indexes.len();
    AppendError::Refused(Box::new(Refused {
        position,
        refusal,
        indexes,
        published,
    }))
}
