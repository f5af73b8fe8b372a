//! What speaks against the log itself: a checkpoint that its own key signed and that it does not extend.

use super::Task;
use crate::cosign::keep_ahead;
use crate::log::Log;
use crate::merkle::Hash;
use crate::note::Checkpoint;

impl Task {
    /// Stops admitting: a cosigner has a checkpoint that the log's own key signed, and that this log does not
    /// extend. It is a copy that was restored from a time before, or two logs sign with one key.
    pub(super) async fn halt(&mut self, cosigner: &str, theirs: Checkpoint) {
        let Some(why) = speaks_against(&self.log, &theirs).await else {
            return;
        };
        let dir = self.config.dir.clone();
        // Before the log halts: the next start finds it.
        let kept = tokio::task::spawn_blocking(move || keep_ahead(&dir, &theirs)).await;
        let where_kept = match kept {
            Ok(Ok(file)) => format!("it is kept in {}", file.display()),
            Ok(Err(error)) => format!("it could not be kept: {error}"),
            Err(error) => format!("it could not be kept: {error}"),
        };
        self.log
            .halt(&format!("{why}; {cosigner} showed it, and {where_kept}"));
    }
}

/// Why a checkpoint that the log's own key signed speaks against this log; `None` if this log extends it, or does
/// not lead and so may have less.
pub(super) async fn speaks_against(log: &Log, theirs: &Checkpoint) -> Option<String> {
    let head = theirs.head();
    if log.confirm_leading().await.is_err() {
        return None;
    }
    let here = log.published().head.tree.size;
    if head.size > here {
        return Some(format!(
            "a checkpoint of {} entries was signed by this log's own key, and this log has {here}: it is a copy that was restored from a time before, and would sign a second history; put the newest copy back",
            head.size
        ));
    }
    let root = match head.size {
        0 => Hash::empty_root(),
        size => log.reader().frontier(size).await.ok()?.root(),
    };
    (root != head.root).then(|| {
        format!(
            "another root of {} entries was signed by this log's own key: there are two histories; keep both copies, and find out which one was told first",
            head.size
        )
    })
}
