//! Asking a store that loses answers until the answer is certain.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{BlobError, Blobs, Creation};
use crate::store::Bytes;

/// How long a store is asked.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// After this a first attempt counts as unanswered; a later one has twice the time of the one
    /// before it.
    pub attempt: Duration,
    /// After this no further attempt is made: then the outcome is unknown.
    pub total: Duration,
    /// Between two attempts; twice as long after each, up to a second.
    pub pause: Duration,
}

/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(1);

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(4),
            total: Duration::from_secs(15),
            pause: Duration::from_millis(20),
        }
    }
}

/// Whose object has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Settled {
    /// It has the very bytes that were to be created.
    Ours,
    /// It has these bytes.
    Others(Bytes),
}

/// The attempts of one question.
struct Attempts {
    until: Instant,
    attempt: Duration,
    pause: Duration,
}

impl Patience {
    fn begin(self) -> Attempts {
        Attempts {
            until: Instant::now() + self.total,
            attempt: self.attempt,
            pause: self.pause,
        }
    }

    /// Asks what may be asked again at will.
    pub(super) async fn ask<T, F>(
        self,
        object: &str,
        mut question: impl FnMut() -> F,
    ) -> Result<T, BlobError>
    where
        F: Future<Output = Result<T, BlobError>>,
    {
        let mut attempts = self.begin();
        loop {
            match attempts.answer(object, question()).await {
                Err(error) => attempts.again(error).await?,
                answer => return answer,
            }
        }
    }
}

impl Attempts {
    /// The answer of one attempt.
    async fn answer<T>(
        &self,
        object: &str,
        question: impl Future<Output = Result<T, BlobError>>,
    ) -> Result<T, BlobError> {
        let left = self.until.saturating_duration_since(Instant::now());
        let limit = self.attempt.min(left);
        let silent = |_| {
            let waited = limit.as_millis();
            Err(BlobError::unclear(
                object,
                format!("no answer in {waited} ms"),
            ))
        };
        timeout(limit, question).await.unwrap_or_else(silent)
    }

    /// Waits before the next attempt; after the last one gives the error back.
    async fn again(&mut self, error: BlobError) -> Result<(), BlobError> {
        let for_good = matches!(
            error,
            BlobError::Unsupported { .. } | BlobError::Address { .. }
        );
        if for_good || Instant::now() + self.pause >= self.until {
            return Err(error);
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.attempt *= 2;
        Ok(())
    }
}

/// Creates an object, and says for certain whose object then has the name.
///
/// * On any error the same bytes are sent again. An error is no "no": the request may have been
///   carried out, or may be later, when its sender has long given up.
/// * "It exists already" is no "no" either: an earlier attempt of this very loop may have made the
///   object, and some stores answer so (409) when another request was under way and none was
///   carried out. So the object is read: the same bytes → it is ours; others → it is another's;
///   none → the create is sent again. Nothing but a create can decide whose the name is.
///
/// # Errors
/// [`BlobError`] when there is no answer within the time: then the object may be there, or may
/// appear later.
pub(super) async fn settle(
    blobs: &dyn Blobs,
    name: &str,
    bytes: &Bytes,
    patience: Patience,
) -> Result<Settled, BlobError> {
    let mut attempts = patience.begin();
    loop {
        let created = blobs.create(name, bytes.clone());
        let error = match attempts.answer(name, created).await {
            Ok(Creation::Created) => return Ok(Settled::Ours),
            Ok(Creation::AlreadyThere) => {
                match attempts.answer(name, blobs.get(name, None)).await {
                    Ok(Some(found)) if found == *bytes => return Ok(Settled::Ours),
                    Ok(Some(found)) => return Ok(Settled::Others(found)),
                    Ok(None) => BlobError::unclear(name, "it exists, but can't be found"),
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        attempts.again(error).await?;
    }
}
