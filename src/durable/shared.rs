//! Files that several processes write into one folder: each writes under a temporary name of its
//! own.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::access::{SHARED, create_new};
use super::folder::folder_of;
use super::whole::TEMPORARY;
use super::{FileError, at, make_folders, sync_folder};

/// Writes a new file that appears whole or not at all, and is durable when this returns. One that is
/// there is never touched: the error's kind is then [`ErrorKind::AlreadyExists`], and the name of
/// that file is durable. Of several processes that create one name at a time, one succeeds.
///
/// ```text
/// mkdir …                                  folders that are missing, durably
/// open(temporary, O_CREAT | O_EXCL) write  under a name that no other process takes
/// fsync close                              the bytes are on disk
/// link(temporary, path)                    fails if the name is taken
/// unlink(temporary)
/// open(folder) fsync close                 the name is on disk
/// ```
///
/// A crash leaves no file of that name or the whole one, and maybe the temporary file, which nothing
/// reads. After a crash between the link and the last sync the name may be lost with the power:
/// nobody was told of it, and a reader that finds it syncs the folder first.
///
/// # Errors
/// [`FileError`]; after any other kind than [`ErrorKind::AlreadyExists`] the file may be there.
pub fn create_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let folder = folder_of(path);
    make_folders(folder)?;
    let temporary = write_temporary(path, bytes)?;
    let linked = fs::hard_link(&temporary, path).map_err(at(path));
    fs::remove_file(&temporary).map_err(at(&temporary))?;
    sync_folder(folder)?;
    linked
}

/// Writes a file that appears whole or not at all, in the place of one of that name; it is durable
/// when this returns. Of several processes that replace one name at a time, the last one's stays.
///
/// ```text
/// mkdir …                                  folders that are missing, durably
/// open(temporary, O_CREAT | O_EXCL) write  under a name that no other process takes
/// fsync close                              the bytes are on disk
/// rename(temporary, path)
/// open(folder) fsync close                 the name is on disk
/// ```
///
/// A crash leaves the file as it was before or as it is after, and maybe the temporary file, which
/// nothing reads.
///
/// # Errors
/// [`FileError`]; the file is then what it was before, or the new one.
pub fn replace_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let folder = folder_of(path);
    make_folders(folder)?;
    let temporary = write_temporary(path, bytes)?;
    fs::rename(&temporary, path).map_err(at(path))?;
    sync_folder(folder)
}

/// A temporary file beside a path, with these bytes, which are durable.
fn write_temporary(path: &Path, bytes: &[u8]) -> Result<PathBuf, FileError> {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}-{number}{TEMPORARY}", std::process::id()));
        let temporary = PathBuf::from(name);
        let mut file = match create_new(&temporary, SHARED) {
            // A process with this id wrote it, on this machine or another, and was killed.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            file => file.map_err(at(&temporary))?,
        };
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if let Err(error) = written {
            // As on a full disk: what was written is of no use and takes room. If it can't be removed, it
            // is left as a crash would leave it.
            let _: io::Result<()> = fs::remove_file(&temporary);
            return Err(at(&temporary)(error));
        }
        return Ok(temporary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let files = fs::read_dir(dir).unwrap();
        let name = |file: io::Result<fs::DirEntry>| file.unwrap().file_name().into_string();
        let mut names: Vec<String> = files.map(|file| name(file).unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn of_those_who_create_one_name_one_succeeds_and_its_bytes_are_whole() {
        let temp = tempfile::tempdir().unwrap();
        for round in 0..20 {
            let path = temp.path().join(format!("made/{round}"));
            let create = |racer: u8| {
                let bytes = vec![racer; 10_000];
                create_whole(&path, &bytes).map(|()| bytes)
            };
            let created: Vec<_> = std::thread::scope(|scope| {
                let racers: Vec<_> = (0..8)
                    .map(|racer| scope.spawn(move || create(racer)))
                    .collect();
                racers
                    .into_iter()
                    .map(|racer| racer.join().unwrap())
                    .collect()
            });
            let mut winners = Vec::new();
            for outcome in created {
                match outcome {
                    Ok(bytes) => winners.push(bytes),
                    Err(error) => assert_eq!(error.error.kind(), ErrorKind::AlreadyExists),
                }
            }
            assert_eq!(winners, [fs::read(&path).unwrap()]);
        }
        assert_eq!(
            names(&temp.path().join("made")).len(),
            20,
            "nothing temporary is left"
        );
    }

    #[test]
    fn a_replaced_file_is_whole_and_what_a_crash_left_is_in_nobodys_way() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        for number in 0..2000 {
            let name = format!("file.{}-{number}{TEMPORARY}", std::process::id());
            fs::write(temp.path().join(name), "cut").unwrap();
        }
        replace_whole(&path, b"one").unwrap();
        replace_whole(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(temp.path()).len(), 2001);
    }
}
