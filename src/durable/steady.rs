//! A file that is read from its beginning to its end, and must be the same file all the while.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// A file that was changed, or replaced under its name, while it was read.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "it {0} while it was read, so what was read may be a part of it, or of two files. Wait until nothing writes it any more, then run the same command again"
)]
pub struct FileChanged(String);

/// Reads a file. Its end is an error ([`FileChanged`]) unless the file is then as long, and was written as
/// late, as when it was opened, and stands under its name still. What cannot be measured, as a pipe, is
/// read as it comes.
///
/// A file that is written over within one tick of the system's clock, to the same length, is not noticed.
#[derive(Debug)]
pub struct SteadyFile {
    file: File,
    path: PathBuf,
    /// Of a regular file, what it was when it was opened.
    opened: Option<Metadata>,
}

impl SteadyFile {
    /// Opens a file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let opened = file.metadata()?;
        Ok(Self {
            file,
            path: path.to_owned(),
            opened: opened.is_file().then_some(opened),
        })
    }

    /// The file, for whoever looks at it before it is read: the place is to be set back then.
    pub fn file(&self) -> &File {
        &self.file
    }

    fn check(&self) -> io::Result<()> {
        let Some(opened) = &self.opened else {
            return Ok(());
        };
        let changed = |what: String| Err(io::Error::other(FileChanged(what)));
        let now = self.file.metadata()?;
        if now.len() != opened.len() {
            let (before, now) = (opened.len(), now.len());
            return changed(format!("had {before} bytes, and came to have {now},"));
        }
        if now.modified().ok() != opened.modified().ok() {
            return changed("was written to".to_owned());
        }
        match std::fs::metadata(&self.path) {
            Ok(named) if !is_same_file(&named, &now) => {
                changed("was replaced by another file".to_owned())
            }
            Ok(_) => Ok(()),
            // Whoever removed it may have put another in its place, or meant that it is not to be read.
            Err(error) if error.kind() == ErrorKind::NotFound => changed("was removed".to_owned()),
            Err(error) => Err(error),
        }
    }
}

impl Read for SteadyFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(bytes)?;
        if read == 0 && !bytes.is_empty() {
            self.check()?;
        }
        Ok(read)
    }
}

#[cfg(unix)]
fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same_file(_one: &Metadata, _other: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    /// Reads a file of which the first byte was read before this happened to it.
    fn read_while(happens: impl FnOnce(&Path)) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        let mut file = SteadyFile::open(&path).unwrap();
        let mut begin = [0];
        file.read_exact(&mut begin).unwrap();
        happens(&path);
        let mut rest = String::new();
        match file.read_to_string(&mut rest) {
            Ok(_) => Ok(rest),
            Err(error) => {
                let inner = error.get_ref().unwrap();
                assert!(inner.is::<FileChanged>());
                Err(error.to_string())
            }
        }
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_has_no_end() {
        assert_eq!(read_while(|_| {}).unwrap(), "ne\ntwo\n");
        let why = read_while(|path| std::fs::remove_file(path).unwrap());
        assert!(why.unwrap_err().contains("was removed"));
        let why = read_while(|path| std::fs::write(path, "one\ntwo\nthree\n").unwrap());
        assert!(why.unwrap_err().contains("had 8 bytes"));
        let why = read_while(|path| std::fs::write(path, "one\n").unwrap());
        assert!(why.unwrap_err().contains("came to have 4"));
        let why = read_while(|path| {
            let file = File::options().write(true).open(path).unwrap();
            let later = SystemTime::now() + Duration::from_secs(1);
            file.set_modified(later).unwrap();
        });
        assert!(why.unwrap_err().contains("was written to"));
        let why = read_while(|path| {
            let other = path.with_extension("new");
            std::fs::write(&other, "one\ntwo\n").unwrap();
            std::fs::rename(other, path).unwrap();
        });
        assert!(why.unwrap_err().contains("replaced"));
    }
}
