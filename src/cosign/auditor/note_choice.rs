//! The size of the next audit note: one that nobody knows before, and of which the log itself says no state
//! root.

use sha2::{Digest as _, Sha256};

use crate::crypto::{Sign, SignError};
use crate::ledger::{RULES_VERSION, State};
use crate::note::{AuditNote, KeyName, TreeHead};
use crate::replay::Replay;

/// The choice of one size, over rounds of a replay: state entries that come later may still speak of it.
pub(super) struct NoteChoice {
    /// The least size that will do.
    size_min: u64,
    chosen: Option<(TreeHead, State)>,
}

impl NoteChoice {
    /// A choice between two sizes, which follows from a signature of the notes' key: nobody else can tell it.
    ///
    /// # Errors
    /// [`SignError`] when the key did not answer.
    pub(super) fn between(
        origin: &KeyName,
        key: &impl Sign,
        from: u64,
        to: u64,
    ) -> Result<Self, SignError> {
        let what = format!("arborlog.org/audit/v1 size\n{origin}\n{from}\n{to}\n");
        let drawn = Sha256::digest(key.try_sign(what.as_bytes())?.as_bytes());
        let drawn = drawn
            .first_chunk::<8>()
            .map_or(0, |it| u64::from_be_bytes(*it));
        let sizes = to.saturating_sub(from).max(1);
        Ok(Self {
            size_min: from + 1 + drawn % sizes,
            chosen: None,
        })
    }

    /// Looks at a replay where that may be saved, which is never within a sealed batch.
    pub(super) fn look(&mut self, replay: &Replay) {
        let state = replay.state();
        let entries = state.entries();
        let mark = state.globals().state_entry;
        let spoken_of = mark.map(|mark| mark.size);
        if spoken_of.is_some() && spoken_of == self.chosen.as_ref().map(|(head, _)| head.size) {
            self.chosen = None;
        }
        // A state entry changes no state: behind one, its root may be the one that it says.
        if self.chosen.is_none() && entries >= self.size_min && !replay.is_behind_state_entry() {
            self.chosen = Some((TreeHead::of(replay.tree()), state.clone()));
        }
    }

    /// The note of the size that was chosen, once no state entry can speak of it any more; `None` before.
    ///
    /// # Errors
    /// In words, if the state's root can't be made.
    pub(super) fn note(
        &self,
        origin: &KeyName,
        replay: &Replay,
    ) -> Result<Option<AuditNote>, String> {
        let Some((head, state)) = &self.chosen else {
            return Ok(None);
        };
        let mark = replay.state().globals().state_entry;
        if mark.is_none_or(|mark| mark.index.0 < head.size) {
            return Ok(None);
        }
        let roots = state.roots().map_err(|error| error.to_string())?;
        Ok(Some(AuditNote {
            origin: origin.clone(),
            head: *head,
            rules_version: RULES_VERSION,
            state_root: roots.state_root(),
        }))
    }
}
