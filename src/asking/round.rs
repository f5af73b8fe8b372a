//! Which checkpoint is sent: the newest that an auditor can vouch for, once every round.

use tokio::time::Instant;

use super::{Round, Task};
use crate::cosign::{now_s, open_own};
use crate::log::{Log, vkey};
use crate::note::VerifierKey;

impl Task {
    /// Chooses the checkpoint of this round, once the last round is over.
    pub(super) async fn choose(&mut self) -> Result<(), String> {
        let now = Instant::now();
        if self.round.as_ref().is_some_and(|round| now < round.until) {
            return Ok(());
        }
        let published = match self.config.waits_for_state {
            true => self.log.newest_in_state(),
            false => Some(self.log.published()),
        };
        let newest = self.log.published();
        let size = published.as_ref().unwrap_or(&newest).head.tree.size;
        self.policy = self.policies.below(&self.log, size).await?;
        let (Some(policy), Some(published)) = (self.policy.clone(), published) else {
            self.round = None;
            return Ok(());
        };
        let until = now + self.config.pace.every;
        match &mut self.round {
            // A line by ML-DSA-44 is made once for a checkpoint.
            Some(round) if round.checkpoint.head() == published.head.tree => {
                round.policy = policy;
                round.until = until;
            }
            _ => {
                let own = own_keys(&self.log).await?;
                let signed = open_own(published.checkpoint.as_bytes(), &own);
                let mut checkpoint = signed.ok_or("the newest checkpoint is not this log's own")?;
                self.log.also_sign_mldsa(&mut checkpoint, now_s());
                self.round = Some(Round {
                    checkpoint,
                    policy,
                    until,
                });
            }
        }
        Ok(())
    }

    /// Holds the state at the checkpoint that is sent. It is at hand a moment after the checkpoint is published.
    pub(super) fn hold_state(&self) {
        let sent = self
            .round
            .as_ref()
            .map(|round| round.checkpoint.head().size);
        if let Some(size) = sent
            && self.states.ending(size).is_none()
            && let Some((index, state)) = self.log.proven_at_end_of(size)
        {
            self.states.add(index, state);
        }
    }
}

/// All verifier keys that sign, or signed, the log's checkpoints.
pub(super) async fn own_keys(log: &Log) -> Result<Vec<VerifierKey>, String> {
    let looked = log.look_up(|state| {
        let globals = state.globals();
        let newest_first = globals.log_keys.iter().rev();
        let keys = newest_first.map(|(key, _)| vkey(&globals.origin, *key));
        keys.collect()
    });
    let (keys, _) = looked.await.map_err(|error| error.to_string())?;
    Ok(keys)
}
