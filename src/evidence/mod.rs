//! Files that a programme hands an auditor, held against the digests that its ledger names: evidence of plantings,
//! surveys and losses, outlines of plots, plans, documents. A file is found by its digest, whatever its name is.
//!
//! Four outcomes of each digest: a file has it (it *holds*); a file whose name is that digest has another (*false*); no
//! file has it (*unchecked*). A file that belongs to no record is *not that kind of thing*. Of an outline's file that
//! is there: its area is that which the plot states, or not, or it is no outline.

mod files;
mod outlines;
#[cfg(feature = "pictures")]
mod pictures;

use std::path::{Path, PathBuf};

pub use files::{FILE_BYTES_MAX, FILES_MAX, Files, Found};
pub use outlines::{OUTLINE_BYTES_MAX, Outline, OutlineError, parse_outline};

use crate::audit::{EvidenceHeld, EvidenceRow, NamedFiles, OutlineRow};
use crate::durable::FileError;
use crate::outcome::Outcome;

/// Reads the files of some folders and holds them against what a ledger names. `progress` is told how many bytes were
/// read.
///
/// # Errors
/// [`FileError`] when a folder can't be read. A file that can't is counted.
pub fn hold(
    folders: &[PathBuf],
    named: &NamedFiles,
    progress: impl FnMut(u64),
) -> Result<(EvidenceHeld, Files), FileError> {
    let files = Files::read(folders, progress)?;
    let mut held = EvidenceHeld::of(EvidenceRow {
        files: files.count(),
        files_bytes: files.bytes(),
        files_unread: files.unread_count(),
        links_not_followed: files.links(),
        ..EvidenceRow::default()
    });
    for (path, why) in files.unread() {
        held.unread.push((shown(path), why.clone()));
    }
    let mut files_of_records = 0;
    for group in named.digests.chunk_by(|a, b| a.digest == b.digest) {
        let Some(first) = group.first() else { continue };
        let kind = held.row.kinds.entry(first.what).or_default();
        kind.digests += 1;
        held.row.digests += 1;
        if files.of(&first.digest).is_some() {
            kind.held += 1;
            held.row.held += 1;
            files_of_records += 1;
        } else if let Some((path, real)) = files.named_as(&first.digest) {
            held.row.differing += 1;
            held.differing.push((first.clone(), shown(path), *real));
        } else {
            held.row.missing += 1;
            held.missing(first);
        }
    }
    held.row.files_of_no_record = files.different().saturating_sub(files_of_records);
    held.row.outlines = outlines_of(&files, named);
    #[cfg(feature = "pictures")]
    pictures::compare(&files, named, &mut held);
    Ok((held, files))
}

fn outlines_of(files: &Files, named: &NamedFiles) -> Vec<OutlineRow> {
    let outlines = named.outlines.iter().map(|stated| {
        let row = |outcome, area_m2, words: String| OutlineRow {
            plot: stated.plot,
            stated_at: stated.stated_at,
            outcome,
            stated_area_m2: stated.area_m2,
            outline_area_m2: area_m2,
            words,
        };
        let Some(found) = files.of(&stated.digest) else {
            let words = match files.named_as(&stated.digest) {
                Some((path, _)) => {
                    let words = format!("{} has another digest than its name", shown(path));
                    return row(Outcome::False, None, words);
                }
                None => "no file has the outline's digest".to_owned(),
            };
            return row(Outcome::Unchecked, None, words);
        };
        let outline = match found.read(&stated.digest, OUTLINE_BYTES_MAX) {
            Ok(bytes) => parse_outline(&bytes),
            Err(why) => return row(Outcome::Unchecked, None, why),
        };
        match outline {
            Ok(outline) => {
                let area_m2 = outline.area_m2();
                match outline.contradiction(stated, area_m2) {
                    None => row(Outcome::Holds, Some(area_m2), String::new()),
                    Some(words) => row(Outcome::False, Some(area_m2), words),
                }
            }
            Err(error) => row(error.outcome(), None, error.to_string()),
        }
    });
    outlines.collect()
}

/// A path as people read it, on one line.
fn shown(path: &Path) -> String {
    path.display().to_string().escape_debug().to_string()
}
