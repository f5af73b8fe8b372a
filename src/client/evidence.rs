//! Two checkpoints of one log that contradict each other: kept as files, for anybody to check.

use std::path::Path;

use super::key_head::with_suffix;
use super::log_fault::LogFault;
use super::submitter::SubmitError;
use crate::durable::{FileError, replace};
use crate::note::UnverifiedCheckpoint;

/// Keeps the checkpoints of a contradiction in JOURNAL.evidence/, named by size and root, and adds
/// to the words where they are and what to do.
pub(super) fn kept(journal: &Path, fault: LogFault) -> SubmitError {
    let LogFault::Contradiction { before, now, .. } = &fault else {
        return fault.into();
    };
    let mut words =
        ". Nothing was sent or reported. Tell the operator, and show both checkpoints".to_owned();
    for (when, note) in [("before", before), ("now", now)] {
        match keep(journal, note) {
            Ok(path) => words.push_str(&format!("\n  as it was shown {when}: {path}")),
            Err(error) => words.push_str(&format!(
                "\n  as it was shown {when} (it could not be kept: {error}):\n{note}"
            )),
        }
    }
    words.push_str(
        "\nIf the operator says that the loss is final, put the head of the key and the journal aside, and run the same command with --recover: it finds what the log has, and signs the rest anew",
    );
    SubmitError::Log { fault, kept: words }
}

fn keep(journal: &Path, note: &str) -> Result<String, FileError> {
    let (size, root) = match UnverifiedCheckpoint::parse(note.as_bytes()) {
        Ok(checkpoint) => {
            let head = checkpoint.head();
            (head.size.to_string(), head.root.to_string())
        }
        Err(_) => ("unreadable".to_owned(), String::new()),
    };
    let root: String = root
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(10)
        .collect();
    let folder = with_suffix(journal, ".evidence");
    let path = folder.join(format!("{size}-{root}.checkpoint"));
    replace(&path, note.as_bytes())?;
    Ok(path.display().to_string())
}
