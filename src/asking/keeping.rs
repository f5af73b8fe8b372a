//! What is kept of cosigners' answers: on disk, in memory, and with the processes that follow.

use std::sync::Arc;

use tokio::time::Instant;

use super::round::own_keys;
use super::{Task, shared_notes};
use crate::cosign::{AcceptedSizes, KeptCheckpoints, now_s, open_own};
use crate::durable::FileError;
use crate::note::Checkpoint;

/// What is on disk, and in memory as it is there.
pub(super) struct Files {
    pub(super) kept: KeptCheckpoints,
    pub(super) accepted: AcceptedSizes,
}

impl Task {
    /// Keeps a checkpoint with a cosigner's line, beside the lines that others have on it.
    pub(super) async fn keep(&mut self, vkey: &str, theirs: Checkpoint) {
        let Some(talk) = self.talks.get(vkey) else {
            return;
        };
        let cosigner = talk.cosigner.vkey.clone();
        let size = theirs.head().size;
        let policy = match self.policies.below(&self.log, size).await {
            Ok(Some(policy)) => policy,
            Ok(None) => return,
            Err(why) => {
                tracing::warn!(why, "a cosignature is not kept: the policy can't be read");
                return;
            }
        };
        let sent = self.round.as_ref().map(|round| &round.checkpoint);
        let sent = sent.filter(|sent| sent.head() == theirs.head());
        let kept = self.files.as_ref().and_then(|it| it.kept.checkpoint(size));
        let kept = kept.filter(|kept| kept.head() == theirs.head());
        let mut checkpoint = kept.or(sent).cloned().unwrap_or_else(|| theirs.alone());
        checkpoint.take_line(&cosigner, &theirs);
        match policy.standing_of(&checkpoint) {
            Ok(standing) => {
                let now_s = now_s();
                self.on_disk(move |files| files.kept.keep(checkpoint, standing, now_s))
                    .await;
                self.is_unshared = true;
            }
            Err(error) => tracing::warn!(%error, "a cosignature is not kept"),
        }
    }

    /// Shares what is kept with the processes that follow, while nothing else waits for that.
    pub(super) fn share(&mut self) {
        if !self.is_unshared || !self.sharing.is_empty() {
            return;
        }
        let Some(files) = &mut self.files else {
            return;
        };
        self.is_unshared = false;
        let bytes = shared_notes::written(&files.kept);
        let hours = files.kept.take_changed_hours();
        let log = Arc::clone(&self.log);
        self.sharing.push(Box::pin(async move {
            for (hour, note) in hours {
                if let Err(error) = log.share_hour(hour, note.into()).await {
                    tracing::warn!(%error, hour, "the cosigned checkpoint of an hour does not reach the store");
                }
            }
            if let Err(error) = log.share_cosigned(bytes.into()).await {
                tracing::warn!(%error, "cosignatures do not reach the servers that follow");
            }
        }));
    }

    /// Takes in what the process that leads has shared.
    pub(super) async fn take_shared(&mut self) {
        let now = Instant::now();
        if now < self.look_at {
            return;
        }
        self.look_at = now + self.config.pace.every / 2;
        let notes = match self.log.shared_cosigned().await {
            Ok(Some(bytes)) => shared_notes::read(&bytes),
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "cosignatures of the server that leads can't be read now");
                return;
            }
        };
        let Ok(own) = own_keys(&self.log).await else {
            return;
        };
        for note in notes {
            let Some(checkpoint) = open_own(&note, &own) else {
                continue;
            };
            let Ok(Some(policy)) = self.policies.below(&self.log, checkpoint.head().size).await
            else {
                continue;
            };
            // What stands is no larger than what is served here.
            if checkpoint.head().size > self.log.published().head.tree.size {
                continue;
            }
            match policy.standing_of(&checkpoint) {
                Ok(standing) => {
                    if let Some(files) = &mut self.files {
                        files.kept.take_in(checkpoint, standing);
                        files.kept.forget_oldest();
                    }
                }
                Err(error) => tracing::warn!(%error, "a shared cosignature is passed over"),
            }
        }
    }

    /// Does something to the files, on a thread for such work, which has them meanwhile: nothing is locked.
    pub(super) async fn on_disk(
        &mut self,
        change: impl FnOnce(&mut Files) -> Result<(), FileError> + Send + 'static,
    ) {
        let Some(mut files) = self.files.take() else {
            return;
        };
        let changed = tokio::task::spawn_blocking(move || {
            let changed = change(&mut files);
            (files, changed)
        });
        match changed.await {
            Ok((files, changed)) => {
                self.files = Some(files);
                if let Err(error) = changed {
                    tracing::error!(%error, "what cosigners answered is not kept");
                }
            }
            // What is in memory may not be what is on disk: this task ends with it, and the process.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => tracing::error!(%error, "keeping what cosigners answered broke off"),
        }
    }
}
