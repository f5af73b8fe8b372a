//! The size of the newest checkpoint that each cosigner accepted, in a file: a log that forgot them would ask
//! each one from another size than it has, and be told so.
//!
//! ```text
//! SIZE VERIFIER-KEY       a cosigner a line
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::durable::{FileError, make_folders, read_at_most, read_if_there, replace};
use crate::note::VerifierKey;

/// Cosigners of which the size is kept: those of some policies, one after the other.
const LINES_MAX: usize = 1024;
/// The longest file: verifier keys of ML-DSA-44 have 2 kB.
const BYTES_MAX: usize = 4 << 20;

/// The sizes, by verifier key.
pub struct AcceptedSizes {
    path: PathBuf,
    sizes: BTreeMap<String, u64>,
}

impl AcceptedSizes {
    /// Reads the file, if it is there. Lines that can't be read are passed over: the cosigner tells its size.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let mut sizes = BTreeMap::new();
        if read_if_there(path)?.is_some() {
            let bytes = read_at_most(path, BYTES_MAX)?;
            let text = String::from_utf8_lossy(&bytes);
            for line in text.lines().take(LINES_MAX) {
                if let Some((size, vkey)) = line.split_once(' ')
                    && let Ok(size) = size.parse()
                {
                    sizes.insert(vkey.to_owned(), size);
                }
            }
        }
        Ok(Self {
            path: path.to_owned(),
            sizes,
        })
    }

    /// The size that a cosigner accepted last; 0 if nothing is known.
    pub fn of(&self, vkey: &VerifierKey) -> u64 {
        self.sizes.get(&vkey.to_string()).copied().unwrap_or(0)
    }

    /// Notes a size, durably.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn set(&mut self, vkey: &VerifierKey, size: u64) -> Result<(), FileError> {
        let vkey = vkey.to_string();
        if self.sizes.get(&vkey) == Some(&size) {
            return Ok(());
        }
        if self.sizes.len() >= LINES_MAX && !self.sizes.contains_key(&vkey) {
            // Of policies long gone.
            self.sizes.clear();
        }
        self.sizes.insert(vkey, size);
        let lines = self
            .sizes
            .iter()
            .map(|(vkey, size)| format!("{size} {vkey}\n"));
        if let Some(folder) = self.path.parent() {
            make_folders(folder)?;
        }
        replace(&self.path, lines.collect::<String>().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SigningKey;
    use crate::note::SignatureType;

    #[test]
    fn sizes_are_there_after_a_start_and_lines_that_are_none_are_passed_over() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("accepted");
        let key = |seed| {
            let key = SigningKey::from_seed(&[seed; 32]).public();
            let name = "example.net/w".parse().unwrap();
            VerifierKey::new(name, SignatureType::CosignatureV1, key)
        };
        let mut sizes = AcceptedSizes::open(&path).unwrap();
        assert_eq!(sizes.of(&key(1)), 0);
        sizes.set(&key(1), 7).unwrap();
        sizes.set(&key(2), 9).unwrap();
        sizes.set(&key(1), 8).unwrap();
        let again = AcceptedSizes::open(&path).unwrap();
        assert_eq!((again.of(&key(1)), again.of(&key(2))), (8, 9));
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("\nx y\n-1 z\n{text}")).unwrap();
        let again = AcceptedSizes::open(&path).unwrap();
        assert_eq!((again.of(&key(1)), again.of(&key(2))), (8, 9));
    }
}
