//! Sealed batches on their way to a server: all of one is in, or nothing.

use serde::Deserialize;

use super::remote::{Answer, RefusedStatement, Remote, RemoteError, RemoteProblem, problem};
use crate::record::{Index, SEALED_BATCH, SealedBatch};

/// A sealed batch that is in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppendedBatch {
    /// The entry of the first statement; the others follow on it, and the seal on them.
    pub first_index: Index,
    /// The entry of the seal.
    pub seal_index: Index,
    /// It was in before the request that was answered.
    pub already_in: bool,
    /// A checkpoint that covers it.
    pub checkpoint: String,
}

/// What a server answered to a sealed batch.
#[derive(Clone, Debug)]
pub enum SentBatch {
    /// All of it is in.
    In {
        /// Where.
        batch: AppendedBatch,
        /// A try before that request got no answer, and may have arrived: what was in already may
        /// be in by it.
        unanswered_before: bool,
    },
    /// Nothing of it is in.
    Refused {
        /// Why: about the seal, or that statements are refused.
        problem: Box<RemoteProblem>,
        /// Each statement that is refused, by ascending position, as if those before it were absent;
        /// none, if the seal itself is refused.
        statements: Vec<RefusedStatement>,
        /// A try before that request got no answer, and may have arrived.
        unanswered_before: bool,
    },
    /// The body is larger than the server, or a proxy before it, takes. Nothing of it is in.
    TooLarge,
}

#[derive(Deserialize)]
struct Appended {
    first_index: Index,
    count: usize,
    seal_index: Index,
    already_in: bool,
    checkpoint: String,
}

impl Remote {
    /// Sends a sealed batch until it is answered.
    ///
    /// # Errors
    /// [`RemoteError`]; the caller sends the same bytes again later.
    pub fn append_batch(&self, batch: &SealedBatch) -> Result<SentBatch, RemoteError> {
        let body = batch.body().map_err(|error| RemoteError::Answer {
            url: self.base().to_owned(),
            why: error.to_string(),
        })?;
        self.send_batch(&body, batch.statements().len())
    }

    /// As [`Self::append_batch`], of a body of `count` statements that
    /// [`SealedBatch::body`] wrote.
    ///
    /// # Errors
    /// [`RemoteError`]; the caller sends the same bytes again later.
    pub fn send_batch(&self, body: &[u8], count: usize) -> Result<SentBatch, RemoteError> {
        let url = format!("{}/v1/batches", self.base());
        let Answer {
            status,
            bytes: answer,
            unanswered_before,
        } = self.posted(&url, SEALED_BATCH, body)?;
        let wrong = |why: &str| RemoteError::Answer {
            url: url.clone(),
            why: why.to_owned(),
        };
        match status {
            200 => {
                let appended: Appended =
                    serde_json::from_slice(&answer).map_err(|error| wrong(&error.to_string()))?;
                let behind = u64::try_from(count)
                    .ok()
                    .and_then(|count| appended.first_index.0.checked_add(count));
                if appended.count != count || behind != Some(appended.seal_index.0) {
                    return Err(wrong("its indexes are not those of the batch"));
                }
                Ok(SentBatch::In {
                    batch: AppendedBatch {
                        first_index: appended.first_index,
                        seal_index: appended.seal_index,
                        already_in: appended.already_in,
                        checkpoint: appended.checkpoint,
                    },
                    unanswered_before,
                })
            }
            413 => Ok(SentBatch::TooLarge),
            status => {
                let mut problem = match problem(url.clone(), status, &answer) {
                    RemoteError::Problem { problem, .. } => problem,
                    other => return Err(other),
                };
                // Of what a log refuses it says by which of its sizes; all else is about the request.
                if problem.checkpoint.is_none() {
                    return Err(RemoteError::Problem { url, problem });
                }
                let statements = problem.refused.take().unwrap_or_default();
                let ascend = statements.is_sorted_by(|one, next| one.position < next.position);
                let last = statements.last();
                if !ascend || last.is_some_and(|last| last.position >= count) {
                    return Err(wrong("it refuses no statements of the batch"));
                }
                Ok(SentBatch::Refused {
                    problem,
                    statements,
                    unanswered_before,
                })
            }
        }
    }
}
