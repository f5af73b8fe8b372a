//! The index of evidence, asked: before signatures are looked at, and by readers.

use std::sync::{Arc, PoisonError};

use super::evidence::{EvidenceFound, reused};
use super::{AppendError, Log};
use crate::crypto::PublicKey;
use crate::ledger::Refusal;
use crate::record::{Digest, Index, TimeMs};
use crate::store::EvidenceIndexError;

impl Log {
    /// The awards that the index says are refused, by their positions among `awards`.
    ///
    /// # Errors
    /// [`AppendError::Unavailable`] until the index can say.
    pub(super) async fn screen_evidence(
        &self,
        issuer: &PublicKey,
        awards: impl Iterator<Item = (usize, Digest)> + Send,
    ) -> Result<Vec<(usize, Refusal)>, AppendError> {
        let with_rules = self.evidence.as_ref();
        let Some(evidence) = with_rules.filter(|evidence| evidence.has_rules()) else {
            return Ok(Vec::new());
        };
        let rule = evidence.rule_of(&self.state(), issuer);
        let Some(rule) = rule else {
            return Ok(Vec::new());
        };
        let awards: Vec<_> = awards.collect();
        if awards.is_empty() {
            return Ok(Vec::new());
        }
        if !evidence.is_ready() {
            return Err(AppendError::unindexed());
        }
        let now = TimeMs(self.clock.wall_ms());
        let (evidence, state) = (Arc::clone(evidence), Arc::clone(&self.state));
        let looked = tokio::task::spawn_blocking(move || {
            let mut refused = Vec::new();
            for (position, digest) in awards {
                let earlier = evidence.awards_by(rule, &digest)?;
                if earlier.is_empty() {
                    continue;
                }
                let state = state.read().unwrap_or_else(PoisonError::into_inner);
                let reversed = |index| state.reversed(index);
                let mut earlier = earlier.iter();
                if let Some(one) = earlier.find(|one| rule.is_broken_by(one, now, reversed)) {
                    refused.push((position, reused(&digest, one.index)));
                }
            }
            Ok::<_, EvidenceIndexError>(refused)
        });
        match looked.await {
            Ok(Ok(refused)) => Ok(refused),
            Ok(Err(error)) => {
                tracing::warn!(%error, "awards are not admitted: their evidence can't be looked up");
                Err(AppendError::unindexed())
            }
            Err(_) => Err(AppendError::stopping()),
        }
    }

    /// The entries that name an evidence, behind an index or from the first on, of the window that is indexed; `None` if
    /// this server has no such index.
    ///
    /// # Errors
    /// [`EvidenceIndexError`], if the index can't be read.
    pub async fn find_evidence(
        &self,
        digest: Digest,
        after: Option<Index>,
        count: usize,
    ) -> Result<Option<EvidenceFound>, EvidenceIndexError> {
        let Some(evidence) = self.evidence.clone() else {
            return Ok(None);
        };
        let found = tokio::task::spawn_blocking(move || evidence.find(&digest, after, count));
        match found.await {
            Ok(found) => found.map(Some),
            // It was told where it panicked, or the server stops.
            Err(_) => Ok(None),
        }
    }
}
