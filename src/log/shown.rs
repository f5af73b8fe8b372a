//! What a leader writes beside the chain for those who read the log without a server: its newest checkpoint, or
//! the newest that met the quorum of its policy, once a second at most, and before it, if it is told to, the tiles that the checkpoint covers.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::Published;
use super::leadership::SharedLog;
use super::status::StatusCell;
use crate::merkle::TILE_HASHES;
use crate::store::StoreError;
use crate::store::blobs::StaticTiles;

/// Bundles that are written before the next checkpoint is looked at, while tiles of long ago are written.
const BUNDLES_AT_ONCE: u64 = TILE_HASHES;

/// Shows what is published; ends when this is dropped.
pub(super) struct Showing {
    shared: Arc<SharedLog>,
    task: JoinHandle<()>,
}

impl Drop for Showing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Showing {
    pub(super) fn start(shared: Arc<SharedLog>, status: Arc<StatusCell>) -> Self {
        let mut shown = Shown::of(&shared);
        let task = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            loop {
                let published = Arc::clone(status.now().published());
                match shown.show(&task, &published).await {
                    Ok(true) => sleep(task.timing.beat).await,
                    // Tiles of long ago are missing: the next ones at once.
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(%error, "the checkpoint was not written beside the chain");
                        sleep(task.timing.beat).await;
                    }
                }
            }
        });
        Self { shared, task }
    }

    /// Shows the last checkpoint of this process's time, for a moment that does not keep it from stopping.
    pub(super) async fn finish(self, published: &Published) {
        self.task.abort();
        let mut shown = Shown::of(&self.shared);
        // Without it the one of a second before stays.
        let _ = timeout(
            self.shared.timing.fresh,
            shown.show(&self.shared, published),
        )
        .await;
    }
}

/// What was shown so far.
struct Shown {
    tiles: Option<StaticTiles>,
    /// Whether all tiles of a checkpoint were there once: from then on none is shown before its tiles.
    is_complete: bool,
    /// The checkpoint that was written last.
    checkpoint: Option<String>,
}

impl Shown {
    fn of(shared: &SharedLog) -> Self {
        Self {
            tiles: shared
                .writes_tiles
                .then(|| StaticTiles::of(shared.store.clone())),
            is_complete: false,
            checkpoint: None,
        }
    }

    /// Shows the checkpoint that is to stand beside the chain now; whether all of it is there.
    async fn show(
        &mut self,
        shared: &SharedLog,
        published: &Published,
    ) -> Result<bool, StoreError> {
        // Without one that met the quorum, what was written before stays.
        let Some((size, checkpoint)) = shared.beside(published) else {
            return Ok(true);
        };
        if self.is_complete && self.checkpoint.as_ref() == Some(&checkpoint) {
            return Ok(true);
        }
        let bundles_max = match self.is_complete {
            true => u64::MAX,
            false => BUNDLES_AT_ONCE,
        };
        let all = match &mut self.tiles {
            Some(tiles) => tiles.write(size, bundles_max).await?,
            None => true,
        };
        self.is_complete |= all;
        // While tiles of long ago are missing nobody reads without a server; others want the checkpoint.
        if self.checkpoint.as_ref() != Some(&checkpoint) {
            shared.store.put_checkpoint(&checkpoint).await?;
            self.checkpoint = Some(checkpoint);
        }
        Ok(all)
    }
}
