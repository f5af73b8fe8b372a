//! The log as it is proven to this client: its newest checkpoint, which must extend every one that
//! was seen before, and what a server says of a key at that size.

use super::log_fault::LogFault;
use super::own_chain::Walk;
use super::remote::{IssuerState, Remote, RemoteError};
use super::static_log::RemoteLog;
use crate::audit::{SourceError, StaticLog as _, Tiles};
use crate::crypto::PublicKey;
use crate::note::{CheckpointError, TreeHead, UnverifiedCheckpoint, VerifierKey};
use crate::record::{Origin, SigningContext};

/// A checkpoint that extends all that were known.
#[derive(Clone, Debug)]
pub(super) struct Proven {
    pub head: TreeHead,
    pub note: String,
}

/// A key as the ledger has it, in a log that is proven.
pub(super) struct KeyLook<'s> {
    pub state: IssuerState,
    pub proven: Proven,
    pub tiles: Tiles<'s>,
}

/// What is asked and by what it is judged.
pub(super) struct ProvenLog<'a> {
    pub remote: &'a Remote,
    origin: Origin,
    vkey: Option<VerifierKey>,
}

impl<'a> ProvenLog<'a> {
    pub(super) fn new(remote: &'a Remote, origin: &Origin, vkey: Option<VerifierKey>) -> Self {
        Self {
            remote,
            origin: origin.clone(),
            vkey,
        }
    }

    /// Of which log.
    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Where tiles come from.
    pub(super) fn source(&self) -> RemoteLog {
        RemoteLog::newest(self.remote.clone())
    }

    /// The newest checkpoint, proven to extend the known ones. `told` is the size of an answer that
    /// the server gave before.
    pub(super) fn newest<'s>(
        &self,
        source: &'s RemoteLog,
        known: &[String],
        told: u64,
    ) -> Result<(Proven, Tiles<'s>), LogFault> {
        let bytes = source.checkpoint().map_err(|error| match error {
            SourceError::Absent => LogFault::Unchecked(format!(
                "{}/checkpoint is not there: this is no log",
                self.remote.base()
            )),
            SourceError::Unreachable(why) | SourceError::Unusable(why) => LogFault::Unchecked(why),
        })?;
        let now = UnverifiedCheckpoint::parse(&bytes)?;
        if let Some(vkey) = &self.vkey {
            now.clone().verify(vkey)?;
        }
        let note = now.note().to_string();
        let head = now.head();
        if now.origin() != self.origin.name() {
            return Err(LogFault::Checkpoint(CheckpointError::Origin {
                found: now.origin().to_string(),
                expected: self.origin.to_string(),
            }));
        }
        let known = known
            .iter()
            .map(|text| Ok((UnverifiedCheckpoint::parse(text.as_bytes())?.head(), text)))
            .collect::<Result<Vec<_>, CheckpointError>>()?;
        let contradiction = |what: String, before: &str| LogFault::Contradiction {
            what,
            before: before.to_owned(),
            now: note.clone(),
        };
        let longest = known.iter().max_by_key(|(head, _)| head.size);
        if let Some((before, text)) = longest
            && head.size < before.size
        {
            if told >= before.size {
                return Err(stale(head.size, told));
            }
            let what = format!(
                "the log has {} entries, and had {}: the server lost entries that it had acknowledged, as after an older copy was put back",
                head.size, before.size
            );
            return Err(contradiction(what, text));
        }
        if head.size < told {
            return Err(stale(head.size, told));
        }
        let tiles = Tiles::open(source, head)?;
        for (before, text) in &known {
            if tiles.root_at(before.size)? != before.root {
                let what = format!(
                    "the first {} entries of the log are others than they were: it was rewritten, or an older copy was put back and went on",
                    before.size
                );
                return Err(contradiction(what, text));
            }
        }
        Ok((Proven { head, note }, tiles))
    }

    /// What the ledger has of a key, and the log that this is part of. The end of the key's chain
    /// is proven to be in it.
    pub(super) fn look<'s>(
        &self,
        source: &'s RemoteLog,
        context: &SigningContext,
        key: &PublicKey,
        known: &[String],
    ) -> Result<KeyLook<'s>, LogFault> {
        let state = self.remote.issuer_state(key);
        let told = state.as_ref().map_or(0, |state| state.as_of_size);
        // A log that contradicts itself is told first: its answers mean nothing.
        let (proven, tiles) = self.newest(source, known, told)?;
        let state = state.map_err(|error| match error {
            RemoteError::Problem { problem, .. } if problem.code == "not_found" => {
                LogFault::NotGranted(*key)
            }
            other => other.into(),
        })?;
        if let Some(end) = state.head {
            Walk::new(&tiles, context, key, end).next()?;
        }
        Ok(KeyLook {
            state,
            proven,
            tiles,
        })
    }
}

fn stale(shown: u64, told: u64) -> LogFault {
    LogFault::Unchecked(format!(
        "the server answers from {told} entries and shows a checkpoint of {shown}: something between keeps old answers; /checkpoint must not be cached"
    ))
}
