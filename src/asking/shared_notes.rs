//! What the process that leads tells those that follow: the newest checkpoint with each level, as bytes, each note
//! behind its length.

use std::collections::BTreeMap;

use crate::cosign::KeptCheckpoints;
use crate::policy::Level;

/// Notes that are read at most: one a level, and the newest.
const NOTES_MAX: usize = 4;

/// The notes as they are written.
pub(super) fn written(kept: &KeptCheckpoints) -> Vec<u8> {
    let mut notes = BTreeMap::new();
    for level in Level::ALL {
        if let Some(newest) = kept.newest_with(level) {
            notes.insert(newest.head().size, newest.note().to_owned());
        }
    }
    let mut bytes = Vec::new();
    for note in notes.values() {
        if let Ok(length) = u32::try_from(note.len()) {
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(note.as_bytes());
        }
    }
    bytes
}

/// The notes that were written. What can't be read ends them.
pub(super) fn read(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut notes = Vec::new();
    let mut rest = bytes;
    while notes.len() < NOTES_MAX
        && let Some((length, behind)) = rest.split_first_chunk::<4>()
        && let Ok(length) = usize::try_from(u32::from_be_bytes(*length))
        && let Some((note, behind)) = behind.split_at_checked(length)
    {
        notes.push(note.to_vec());
        rest = behind;
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_or_too_much_ends_the_notes() {
        let one = [&3_u32.to_be_bytes()[..], b"abc"].concat();
        assert_eq!(read(&one), [b"abc"]);
        assert_eq!(read(&one[..6]), Vec::<Vec<u8>>::new());
        assert_eq!(read(&one.repeat(9)).len(), NOTES_MAX);
        assert_eq!(read(&[&one[..], &[255; 9]].concat()), [b"abc"]);
    }
}
