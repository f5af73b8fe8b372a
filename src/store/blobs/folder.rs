//! Objects as files of a folder, which several processes of one machine may share.
//!
//! A file appears whole, by a hard link, which fails if the name is taken: that is the create of an
//! object store. The file system must have hard links and syncs that mean something; a network file
//! system often has neither.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::{BlobError, Blobs, Creation, check_name, part_of};
use crate::durable::{
    FileError, at, create_whole, folder_of, is_temporary, make_folders, remove, replace_whole,
    sync_folder,
};
use crate::store::{BoxFuture, Bytes};

/// Objects as files.
#[derive(Debug, Clone)]
pub struct FolderBlobs {
    /// What the operations, on threads that may block, share.
    folder: Arc<Folder>,
}

#[derive(Debug)]
struct Folder {
    /// The folder that all names are in.
    root: PathBuf,
    /// The first write or sync that failed. After it the kernel may have forgotten what it could not
    /// write, and later syncs would not tell: nothing is said of this folder any more until it is
    /// opened again.
    failed: OnceLock<FileError>,
}

impl FolderBlobs {
    /// Objects in a folder, which is made if it is missing.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open(root: &Path) -> Result<Self, FileError> {
        make_folders(root)?;
        let folder = Folder {
            root: root.to_owned(),
            failed: OnceLock::new(),
        };
        Ok(Self {
            folder: Arc::new(folder),
        })
    }

    /// Does something on a thread that may block.
    fn on_thread<'a, T: Send + 'static>(
        &'a self,
        name: &'a str,
        what: impl FnOnce(&Folder, &str) -> Result<T, FileError> + Send + 'static,
    ) -> BoxFuture<'a, Result<T, BlobError>> {
        Box::pin(async move {
            check_name(&self.address(), name)?;
            let object = format!("{}/{name}", self.address());
            let (folder, name) = (Arc::clone(&self.folder), name.to_owned());
            let done = tokio::task::spawn_blocking(move || {
                if let Some(why) = folder.failed.get() {
                    return Err(why.clone());
                }
                what(&folder, &name)
            });
            match done.await {
                Ok(done) => done.map_err(|error| match error.error.kind() {
                    ErrorKind::PermissionDenied => BlobError::Denied {
                        object,
                        why: error.to_string(),
                    },
                    _ => BlobError::unclear(object, error),
                }),
                Err(error) => Err(BlobError::unclear(object, error)),
            }
        })
    }
}

impl Blobs for FolderBlobs {
    fn address(&self) -> String {
        format!("file://{}", self.folder.root.display())
    }

    fn create<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<Creation, BlobError>> {
        self.on_thread(name, move |folder, name| {
            let path = folder.root.join(name);
            match create_whole(&path, &bytes) {
                Ok(()) => Ok(Creation::Created),
                Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                    Ok(Creation::AlreadyThere)
                }
                Err(error) => Err(folder.fail(error)),
            }
        })
    }

    fn put<'a>(&'a self, name: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), BlobError>> {
        self.on_thread(name, move |folder, name| {
            let written = replace_whole(&folder.root.join(name), &bytes);
            written.map_err(|error| folder.fail(error))
        })
    }

    fn get<'a>(
        &'a self,
        name: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Option<Bytes>, BlobError>> {
        self.on_thread(name, move |folder, name| {
            let path = folder.root.join(name);
            let bytes = match read(&path, range) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(at(&path)(error)),
            };
            // Another process may have been killed between the link and its sync: then the name is
            // in the kernel's memory alone, and a process that publishes what stands on it would
            // publish what a loss of power takes back. The bytes were synced before the link.
            sync_folder(folder_of(&path)).map_err(|error| folder.fail(error))?;
            Ok(Some(bytes))
        })
    }

    fn list_after<'a>(
        &'a self,
        folder: &'a str,
        after: &'a str,
        names_max: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, BlobError>> {
        let after = after.to_owned();
        self.on_thread(folder, move |root, folder| {
            let mut names = root.names_in(folder)?;
            names.retain(|name| *name > after);
            names.sort_unstable();
            names.truncate(names_max);
            Ok(names)
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BlobError>> {
        self.on_thread(name, move |folder, name| {
            match remove(&folder.root.join(name)) {
                Err(error) if error.error.kind() != ErrorKind::NotFound => Err(folder.fail(error)),
                _ => Ok(()),
            }
        })
    }
}

impl Folder {
    /// Remembers the first failure of a write, unless it says that nothing was begun.
    fn fail(&self, error: FileError) -> FileError {
        let begun = !matches!(
            error.error.kind(),
            ErrorKind::PermissionDenied | ErrorKind::StorageFull | ErrorKind::QuotaExceeded
        );
        if begun {
            // A later failure follows from the first.
            let _ = self.failed.set(error.clone());
        }
        error
    }

    /// The names of all objects in a folder and those below it, in no order. They are durable.
    fn names_in(&self, folder: &str) -> Result<Vec<String>, FileError> {
        let mut names = Vec::new();
        let mut folders = vec![self.root.join(folder)];
        while let Some(folder) = folders.pop() {
            let files = match std::fs::read_dir(&folder) {
                Ok(files) => files,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(at(&folder)(error)),
            };
            for file in files {
                let path = file.map_err(at(&folder))?.path();
                let name = path.strip_prefix(&self.root).ok().and_then(Path::to_str);
                match name {
                    _ if is_temporary(&path) => {}
                    _ if path.is_dir() => folders.push(path),
                    Some(name) => names.push(name.to_owned()),
                    // No create made a name that is not ASCII.
                    None => {}
                }
            }
            // As in a get: a name that is told must not be taken back by a loss of power.
            sync_folder(&folder).map_err(|error| self.fail(error))?;
        }
        Ok(names)
    }
}

/// The bytes of a file, all or those of a range.
fn read(path: &Path, range: Option<Range<u64>>) -> std::io::Result<Bytes> {
    use std::io::{Read as _, Seek as _, SeekFrom};

    let Some(range) = range else {
        return Ok(Bytes::from(std::fs::read(path)?));
    };
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(range.start))?;
    let mut bytes = Vec::new();
    let length = range.end.saturating_sub(range.start);
    file.take(length).read_to_end(&mut bytes)?;
    Ok(part_of(&Bytes::from(bytes), None))
}
