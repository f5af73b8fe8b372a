//! Signing the checkpoint of what is durable, and telling it to those who wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::Published;
use super::clock::Clock;
use super::signed_before::{LastSigned, advance};
use super::signer::{LogSigner, Signing};
use super::status::StatusWriter;
use crate::crypto::{AgentFault, PublicKey, SignError};
use crate::ledger::State;
use crate::measures::Measures;
use crate::record::{LogHead, TimeMs};

/// How long an ssh-agent may be away, as while it is started again, before a log that needs it stops.
const AGENT_AWAY_MAX: Duration = Duration::from_secs(2);
const AGENT_PAUSE: Duration = Duration::from_millis(100);

/// Whether the newest entry of a state is a state entry.
pub(super) fn ends_in_state(state: &State) -> bool {
    let globals = state.globals();
    let newest = globals.state_entry;
    newest.is_some_and(|mark| mark.index.0.checked_add(1) == Some(globals.entries))
}

/// Publishes checkpoints.
pub(super) struct Publisher {
    pub signer: LogSigner,
    /// Keeps the newest checkpoint elsewhere, if the operator asked for it: it is written before a
    /// checkpoint is published. Locked here alone, one write at a time.
    pub last_signed: Option<Arc<Mutex<LastSigned>>>,
    pub clock: Arc<Clock>,
    /// Number of recoveries since the start. Changed by the sequencer alone, with the state's write lock
    /// held.
    pub epoch: Arc<AtomicU64>,
    pub status: StatusWriter,
    /// How long publishing takes is counted here.
    pub measures: Measures,
}

impl Publisher {
    /// Signs and publishes the checkpoint of a log whose entries are durable.
    ///
    /// # Errors
    /// Why it can't be signed, or kept: the log must publish nothing more.
    pub(super) async fn publish(
        &self,
        log_keys: &[PublicKey],
        head: LogHead,
        ends_in_state: bool,
    ) -> Result<Arc<Published>, String> {
        let begun = Instant::now();
        let at = TimeMs(self.clock.wall_ms());
        let signing = self.signer.signing(log_keys);
        let signing = signing.map_err(|error| error.to_string())?;
        let published = match signing.waits() {
            false => signing.publish(head, ends_in_state, at),
            true => {
                let signed = move || publish_patiently(&signing, head, ends_in_state, at);
                let signed = tokio::task::spawn_blocking(signed).await;
                signed.map_err(|error| error.to_string())?
            }
        };
        let told = self
            .tell(published.map_err(|error| error.to_string())?)
            .await;
        self.measures.publications.add(begun.elapsed());
        told
    }

    /// Publishes a checkpoint that is signed: of a log whose entries are durable.
    ///
    /// # Errors
    /// Why it can't be kept: the log must publish nothing more.
    pub(super) async fn tell(&self, published: Published) -> Result<Arc<Published>, String> {
        if let Some(last) = &self.last_signed {
            // A crash before this leaves an earlier checkpoint of this log in the file; after it,
            // one that nobody saw. The entries of both are durable in the store: the next start
            // extends either, and publishes this one again.
            let kept = advance(last, &published.checkpoint).await;
            kept.map_err(|error| error.to_string())?;
        }
        let published = Arc::new(published);
        let epoch = self.epoch.load(Ordering::Acquire);
        self.status.0.publish(Arc::clone(&published), epoch);
        Ok(published)
    }
}

/// Signs by keys that another process holds; one that is started again is asked again.
fn publish_patiently(
    signing: &Signing,
    head: LogHead,
    ends_in_state: bool,
    at: TimeMs,
) -> Result<Published, SignError> {
    let begun = Instant::now();
    loop {
        match signing.publish(head, ends_in_state, at) {
            Err(error)
                if matches!(error.why, AgentFault::Unreachable { .. })
                    && begun.elapsed() < AGENT_AWAY_MAX =>
            {
                std::thread::sleep(AGENT_PAUSE);
            }
            signed => return signed,
        }
    }
}
