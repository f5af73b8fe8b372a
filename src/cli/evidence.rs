//! What a log signed and should not have: kept as files, for anybody to check.

use std::path::{Path, PathBuf};

use arborlog::durable::{FileError, make_folders, replace};
use arborlog::note::{Checkpoint, TreeHead, UnverifiedCheckpoint};

/// Writes signed checkpoints into PLACE.evidence/, named by size and root; gives words that say
/// where, for the end of a message.
pub fn keep(
    place: Option<&Path>,
    before: Option<&Checkpoint>,
    now: Option<&UnverifiedCheckpoint>,
) -> String {
    let mut words = String::new();
    let mut seen = Vec::new();
    let before = before.map(|before| (before.head(), before.to_string()));
    let now = now.map(|now| (now.head(), now.note().to_string()));
    for (when, checkpoint) in [("before", before), ("now", now)] {
        let Some((head, note)) = checkpoint else {
            continue;
        };
        if seen.contains(&note) {
            continue;
        }
        match place.map(|place| write(place, head, &note)) {
            Some(Ok(path)) => words.push_str(&format!(
                "\n  the checkpoint that it showed {when}: {}",
                path.display()
            )),
            Some(Err(error)) => words.push_str(&format!(
                "\n  the checkpoint that it showed {when} could not be written ({error}):\n{note}"
            )),
            None => words.push_str(&format!(
                "\n  the checkpoint that it showed {when}:\n{note}"
            )),
        }
        seen.push(note);
    }
    words
}

fn write(place: &Path, head: TreeHead, note: &str) -> Result<PathBuf, FileError> {
    let mut dir = place.as_os_str().to_owned();
    dir.push(".evidence");
    let dir = PathBuf::from(dir);
    make_folders(&dir)?;
    let root = head.root.to_string();
    let root: String = root
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(10)
        .collect();
    let path = dir.join(format!("{}-{root}.checkpoint", head.size));
    replace(&path, note.as_bytes())?;
    Ok(path)
}
