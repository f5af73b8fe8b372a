//! What an import keeps of its source beside the key: lines in a file that only grows, each with
//! a checksum. A line is on disk before what it tells of is sent.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::durable::{AppendFile, FileError, at, renew};

/// Lines are written once there are so many bytes of them, and synced by [`Register::save`].
const UNWRITTEN_BYTES_MAX: usize = 1 << 20;
/// Hexadecimal digits of a line's checksum.
const CHECKSUM_DIGITS: usize = 16;

/// A register that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// A line is not what was written.
    #[error(
        "{0}, line {1}, is damaged. Put the newest copy of the file back. Or move it away: the import then finds in the log what the log tells, and stops where that is not enough"
    )]
    Damaged(PathBuf, u64),
    /// Anything that the file system says.
    #[error(transparent)]
    Io(#[from] FileError),
}

/// A file of lines.
pub(super) struct Register {
    path: PathBuf,
    /// None before the first line is written: an import that stops before leaves no file behind.
    file: Option<AppendFile>,
    unwritten: String,
    unsynced: bool,
}

impl Register {
    /// Reads a file, or begins one; `take` gets each line and gives whether it could be read.
    ///
    /// What is read is durable when this returns. A process that was killed may have left it
    /// unsynced, and what is found here is not noted again before statements that rest on it are
    /// sent.
    pub(super) fn open(
        path: &Path,
        take: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Self, RegisterError> {
        let mut register = Self {
            path: path.to_owned(),
            file: None,
            unwritten: String::new(),
            unsynced: false,
        };
        let io = at(path);
        match std::fs::metadata(path) {
            Ok(_) => renew(path)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(register),
            Err(error) => return Err(io(error).into()),
        }
        let mut file = AppendFile::open_secret(path)?;
        let mut reader = BufReader::new(File::open(path).map_err(&io)?);
        let (mut line, mut end, mut number) = (Vec::new(), 0, 0);
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(&io)?;
            // A last line that was cut off: what it tells of was not sent.
            let Some(whole) = line.strip_suffix(b"\n") else {
                break;
            };
            number += 1;
            let text = std::str::from_utf8(whole).ok().and_then(unchecked);
            if !text.is_some_and(&mut *take) {
                return Err(RegisterError::Damaged(path.to_owned(), number));
            }
            end += read as u64;
        }
        file.end_at(end)?;
        register.file = Some(file);
        Ok(register)
    }

    /// Whether the file is there.
    pub(super) fn is_there(&self) -> bool {
        self.file.is_some()
    }

    /// Adds a line, which [`Self::save`] makes durable.
    pub(super) fn add(&mut self, line: &str) -> Result<(), RegisterError> {
        self.unwritten
            .push_str(&format!("{line} {}\n", checksum(line)));
        if self.unwritten.len() >= UNWRITTEN_BYTES_MAX {
            self.write()?;
        }
        Ok(())
    }

    /// Makes what was added durable.
    pub(super) fn save(&mut self) -> Result<(), RegisterError> {
        self.write()?;
        if std::mem::take(&mut self.unsynced)
            && let Some(file) = &mut self.file
        {
            file.sync()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), RegisterError> {
        if !self.unwritten.is_empty() {
            let file = match self.file.take() {
                Some(file) => file,
                None => AppendFile::open_secret(&self.path)?,
            };
            self.file.insert(file).append(self.unwritten.as_bytes())?;
            self.unwritten.clear();
            self.unsynced = true;
        }
        Ok(())
    }
}

fn checksum(line: &str) -> String {
    let mut digits = hex::encode(Sha256::digest(line));
    digits.truncate(CHECKSUM_DIGITS);
    digits
}

/// A line without its checksum, if that is right.
fn unchecked(line: &str) -> Option<&str> {
    let (line, digits) = line.rsplit_once(' ')?;
    (checksum(line) == digits).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> Result<Vec<String>, RegisterError> {
        let mut lines = Vec::new();
        Register::open(path, &mut |line| {
            lines.push(line.to_owned());
            true
        })?;
        Ok(lines)
    }

    #[test]
    fn a_cut_last_line_is_dropped_and_a_changed_one_is_found() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("register");
        let mut register = Register::open(&path, &mut |_| true).unwrap();
        register.add("one 1").unwrap();
        register.add("two 2").unwrap();
        register.save().unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [whole.as_slice(), b"three 3"].concat()).unwrap();
        assert_eq!(read(&path).unwrap(), ["one 1", "two 2"]);
        let mut register = Register::open(&path, &mut |_| true).unwrap();
        register.add("three 3").unwrap();
        register.save().unwrap();
        assert_eq!(read(&path).unwrap(), ["one 1", "two 2", "three 3"]);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("two 2", "two 3")).unwrap();
        assert!(matches!(read(&path), Err(RegisterError::Damaged(_, 2))));
    }

    /// The kernel may have dropped pages of the old file that a killed process did not sync, so
    /// what was read has to stand in a file that was written and synced since.
    #[cfg(unix)]
    #[test]
    fn what_is_read_back_was_written_anew() {
        use std::os::unix::fs::MetadataExt as _;
        let temp = tempfile::tempdir().unwrap();
        let (path, old) = (temp.path().join("register"), temp.path().join("old"));
        assert!(!Register::open(&path, &mut |_| true).unwrap().is_there());
        assert!(!path.exists(), "nothing was noted");
        let mut register = Register::open(&path, &mut |_| true).unwrap();
        register.add("one 1").unwrap();
        register.save().unwrap();
        drop(register);
        // The old file keeps its number as long as it has another name.
        std::fs::hard_link(&path, &old).unwrap();
        assert_eq!(read(&path).unwrap(), ["one 1"]);
        let number = |path: &Path| std::fs::metadata(path).unwrap().ino();
        assert_ne!(number(&path), number(&old));
    }
}
