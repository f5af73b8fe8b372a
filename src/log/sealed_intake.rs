//! What happens to a sealed batch before and after the sequencer. It is in as a whole or not at all, and
//! its seal is to the issuer's chain what a record is: found if it is in already, refused cheaply where
//! that is sure. Only then its one signature is verified, and only then its statements are looked at; of a
//! batch whose seal is in already they are hashed and not decoded.

use std::sync::Arc;

use super::intake::{
    AppendError, FirstLook, Progress, ROUNDS_MAX, RefusedBatch, contended, signature_invalid,
};
use super::queue::{Said, Verdict};
use super::sender::Sender;
use super::workers::BatchFailure;
use super::{Log, Published};
use crate::ledger::{BatchRefusal, Code, Refusal};
use crate::record::{BatchError, Index, SignedRecord, Statement, UnreadBatch};

/// A sealed batch that is in.
#[derive(Debug, Clone)]
pub struct AppendedBatch {
    /// The index of its first entry.
    pub first_index: Index,
    /// The index of its seal, behind its last entry.
    pub seal_index: Index,
    /// Whether it was in before: this call did not append it.
    pub already_in: bool,
    /// A checkpoint that covers it.
    pub published: Arc<Published>,
}

/// Sealed batches that are in already and are hashed at a time, for all senders.
pub(super) const REPLAYS_MAX: usize = 1;

impl Log {
    /// As [`Self::append_batch_from`], of a batch that the program itself has.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append_batch(&self, batch: UnreadBatch) -> Result<AppendedBatch, AppendError> {
        self.append_batch_from(&Sender::LOCAL, batch).await
    }

    /// Appends a sealed batch, all of it or nothing. Every answer is durable and published. A batch whose
    /// seal is in already is answered with its indexes.
    ///
    /// A caller that drops this gives up: what is not before the sequencer yet is not admitted.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append_batch_from(
        &self,
        sender: &Sender,
        batch: UnreadBatch,
    ) -> Result<AppendedBatch, AppendError> {
        self.check_leading()?;
        let seal = batch.seal().clone();
        let issuer = seal.record().issuer;
        let count = batch.len() as u64;
        let (look, screened) = {
            let state = self.state();
            let look = self.look(&state, &issuer, std::iter::once(&seal));
            let new = std::slice::from_ref(&seal);
            let new = new.get(look.old..).unwrap_or_default();
            (look, state.screen(&issuer, new))
        };
        if let Some((_, refusal)) = screened {
            return Err(self.refused(&look, BatchRefusal::Seal(refusal)).await?);
        }
        if let Some((seal_index, published)) = self.find_seal(sender, &look, &seal).await? {
            // What is in the log can be sent by anybody, again and again: so nothing of it is decoded, and
            // only so many are hashed at a time, network by network.
            let _place = self.replays.take(sender.net, 1).await;
            return match self.workers.check_replay(sender, batch).await {
                Ok(Ok(())) => appended(seal_index, count, true, published),
                Ok(Err(failure)) => Err(self.refused(&look, refusal_of(failure)).await?),
                Err(_) => Err(AppendError::stopping()),
            };
        }
        let checked = match self.workers.check_batch(sender, batch).await {
            Ok(checked) => checked,
            Err(_) => return Err(AppendError::stopping()),
        };
        let checked = match checked {
            Ok(checked) => Arc::new(checked),
            Err(failure) => return Err(self.refused(&look, refusal_of(failure)).await?),
        };
        let statements = checked.batch.statements().iter().enumerate();
        let awards = statements.filter_map(|(at, sealed)| match sealed.statement() {
            Statement::Award(award) => Some((at, award.evidence)),
            _ => None,
        });
        // Looked up here, it is in memory when the sequencer asks, which names all that is refused.
        self.screen_evidence(&issuer, awards).await?;
        for _ in 0..ROUNDS_MAX {
            let said = Said::Batch(Arc::clone(&checked));
            let (verdict, published) = self.sequence(sender, issuer, said).await?;
            let Verdict::Batch(verdict) = verdict else {
                return Err(AppendError::stopping());
            };
            match verdict {
                Ok(first) => {
                    // What was said before the signature was looked at rests on the state of then.
                    self.wait_until_published(look.version).await?;
                    let seal_index = Index(first.0.saturating_add(count));
                    return appended(seal_index, count, false, published);
                }
                // Somebody sent the same meanwhile: look again what it was.
                Err(BatchRefusal::Seal(refusal)) if refusal.code == Code::SequenceUsed => {
                    let look = {
                        let state = self.state();
                        self.look(&state, &issuer, std::iter::once(&seal))
                    };
                    if let Some((index, published)) = self.find_seal(sender, &look, &seal).await? {
                        return appended(index, count, true, published);
                    }
                }
                Err(why) => {
                    let refused = RefusedBatch { why, published };
                    return Err(AppendError::BatchRefused(Box::new(refused)));
                }
            }
        }
        Err(contended())
    }

    /// The index of a seal that is in already. Another record at its seq is a refusal.
    async fn find_seal(
        &self,
        sender: &Sender,
        look: &FirstLook,
        seal: &SignedRecord,
    ) -> Result<Option<(Index, Arc<Published>)>, AppendError> {
        if look.old == 0 {
            return Ok(None);
        }
        let issuer = seal.record().issuer;
        let mut progress = Progress::default();
        let seals = std::iter::once(seal);
        match self
            .find_old(sender, issuer, look, seals, &mut progress)
            .await?
        {
            Some(AppendError::Refused(refused)) => {
                let refused = RefusedBatch {
                    why: BatchRefusal::Seal(refused.refusal),
                    published: refused.published,
                };
                Err(AppendError::BatchRefused(Box::new(refused)))
            }
            Some(other) => Err(other),
            None => {
                let published = self.wait_until_published(look.version).await?;
                Ok(progress.indexes.first().map(|index| (*index, published)))
            }
        }
    }

    /// A refusal by what is known before the sequencer: it may rest on what is not published yet.
    async fn refused(
        &self,
        look: &FirstLook,
        why: BatchRefusal,
    ) -> Result<AppendError, AppendError> {
        let published = self.wait_until_published(look.version).await?;
        let refused = RefusedBatch { why, published };
        Ok(AppendError::BatchRefused(Box::new(refused)))
    }
}

fn appended(
    seal_index: Index,
    count: u64,
    already_in: bool,
    published: Arc<Published>,
) -> Result<AppendedBatch, AppendError> {
    Ok(AppendedBatch {
        first_index: Index(seal_index.0.saturating_sub(count)),
        seal_index,
        already_in,
        published,
    })
}

fn refusal_of(failure: BatchFailure) -> BatchRefusal {
    let error = match failure {
        BatchFailure::Signature(what) => return BatchRefusal::Seal(signature_invalid(what)),
        BatchFailure::Batch(error) => error,
    };
    let advice = "docs/format.md tells the one encoding, and what a seal signs";
    let refusal = Refusal::new(Code::of_batch_error(&error), error.to_string(), advice);
    match error {
        BatchError::Statement { position, error } => {
            let detail = error.to_string();
            BatchRefusal::Statements(vec![(position, Refusal { detail, ..refusal })])
        }
        BatchError::Mismatch(_) | BatchError::Frame(_) | BatchError::NoSeal(_) => {
            BatchRefusal::Seal(refusal)
        }
    }
}
