//! Full tiles and bundles in files.
//!
//! A file's bytes are proven to be the tree's before a read returns them: the root over a tile must
//! be the hash that the tile above it holds, and so on up to the tail in memory, which a start
//! compares with the root that was committed. Damage on disk is found when it is read.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use quick_cache::sync::Cache;

use super::tail::Tail;
use super::{RESTORE, StoreError};
use crate::durable::{FileError, at, read_if_there, replace_all};
use crate::merkle::{
    Bundle, HASH_BYTES, Hash, HashTile, Level, TILE_HASHES, TileId, leaf_hash, root_of,
};

/// Number of tiles that are written together; each takes a descriptor.
const FILES_AT_ONCE: usize = 64;
/// Number of proven tiles of upper levels in the cache: those over 67 million entries.
const ABOVE_KEPT: usize = 1024;

/// A source of full tiles that are not proven: files, or a copy and then files.
pub(super) trait FullTiles {
    /// A full tile's bytes and the root over them.
    fn unproven(&self, full: TileId) -> Result<(Bytes, Hash), StoreError>;
}

/// The files of a store.
pub(super) struct TileFiles {
    /// The folder that a web server can serve as it is.
    public: PathBuf,
    /// Proven hash tiles above those that were read.
    above: Cache<TileId, Arc<HashTile>>,
}

impl TileFiles {
    /// The files in a store's directory. Nothing is read yet.
    pub(super) fn of(dir: &Path) -> Self {
        Self {
            public: dir.join("public"),
            above: Cache::new(ABOVE_KEPT),
        }
    }

    /// The path of a full tile's file.
    pub(super) fn path(&self, tile: TileId) -> PathBuf {
        self.public.join(tile.to_string())
    }

    /// A tile's bytes, proven to be those of the tree that `tail` is the right edge of. A partial
    /// tile is cut from the full one.
    pub(super) fn read(&self, tile: TileId, tail: &RwLock<Tail>) -> Result<Bytes, StoreError> {
        let full = TileId::full(tile.level(), tile.number());
        let (bytes, root) = self.unproven(full)?;
        let level = match tile.level() {
            Level::Entries => 0,
            Level::Hashes(level) => level,
        };
        if root != self.expected(level, tile.number(), tail)? {
            return Err(self.damaged(full, "its bytes are not those of the tree"));
        }
        self.cut(bytes, tile)
    }

    /// The root over a full tile's bytes.
    pub(super) fn root(&self, full: TileId, bytes: &[u8]) -> Result<Hash, StoreError> {
        let root = match full.level() {
            Level::Entries => Bundle::parse(bytes, full.width())
                .map(|bundle| root_of(bundle.entries().iter().map(|entry| leaf_hash(entry))))
                .map_err(|error| self.damaged(full, &error.to_string()))?,
            Level::Hashes(_) => HashTile::parse(&full, bytes)
                .map_err(|error| self.damaged(full, &error.to_string()))?
                .root()
                .ok_or_else(|| self.damaged(full, "it is empty"))?,
        };
        Ok(root)
    }

    /// Number of bundles that were full once, by the last one that has a file: earlier files may be
    /// missing.
    pub(super) fn bundles(&self) -> Result<u64, StoreError> {
        let mut bundles = 0;
        let mut folders = vec![self.public.join("tile").join("entries")];
        while let Some(folder) = folders.pop() {
            let files = match std::fs::read_dir(&folder) {
                Ok(files) => files,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(at(&folder)(error).into()),
            };
            for file in files {
                let file = file.map_err(at(&folder))?;
                let path = file.path();
                let name = path.strip_prefix(&self.public).ok().and_then(Path::to_str);
                let kind = file.file_type().map_err(at(&path))?;
                if kind.is_dir() || kind.is_symlink() && is_folder(&path)? {
                    folders.push(path);
                // A file without a tile's name is a temporary one that a crash left.
                } else if let Some(Ok(id)) = name.map(str::parse::<TileId>) {
                    bundles = bundles.max(id.number() + u64::from(id.is_full()));
                }
            }
        }
        Ok(bundles)
    }

    /// The bytes in a full tile's file, or `None` if there is no file. Not proven.
    pub(super) fn bytes(&self, full: TileId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(read_if_there(&self.path(full))?)
    }

    /// Writes full tiles; they are durable when this returns. A crash leaves some of them, each
    /// whole.
    pub(super) fn write(
        &self,
        tiles: &[TileId],
        bytes: impl Fn(&TileId) -> Option<Bytes>,
    ) -> Result<(), StoreError> {
        for some in tiles.chunks(FILES_AT_ONCE) {
            // A tile without bytes must not pass for one that was written: the caller drops from
            // memory and from the journal what was.
            let file = |id: &TileId| {
                let bytes = bytes(id).ok_or(StoreError::Inconsistent("a full tile is not held"))?;
                Ok((self.path(*id), bytes))
            };
            let files: Vec<(PathBuf, Bytes)> =
                some.iter().map(file).collect::<Result<_, StoreError>>()?;
            replace_all(&files)?;
        }
        Ok(())
    }

    /// The root that a full tile must have.
    fn expected(&self, level: u8, number: u64, tail: &RwLock<Tail>) -> Result<Hash, StoreError> {
        let above = TileId::full(Level::Hashes(level + 1), number / TILE_HASHES);
        {
            let tail = tail.read().map_err(|_| {
                StoreError::Inconsistent("a thread panicked while it changed the right edge")
            })?;
            if let Some(hash) = tail.hash(level + 1, number) {
                return Ok(hash);
            }
        }
        let tile = match self.above.get(&above) {
            Some(tile) => tile,
            None => {
                let bytes = self.read(above, tail)?;
                let tile = HashTile::parse(&above, &bytes)
                    .map_err(|error| self.damaged(above, &error.to_string()))?;
                let tile = Arc::new(tile);
                self.above.insert(above, Arc::clone(&tile));
                tile
            }
        };
        let hash = tile.hashes().get((number % TILE_HASHES) as usize);
        hash.copied()
            .ok_or_else(|| self.damaged(above, "it is too short"))
    }

    fn cut(&self, mut bytes: Bytes, tile: TileId) -> Result<Bytes, StoreError> {
        let length = match tile.level() {
            Level::Hashes(_) => usize::from(tile.width()) * HASH_BYTES,
            Level::Entries if tile.is_full() => bytes.len(),
            Level::Entries => Bundle::parse_all(&bytes)
                .map_err(|error| self.damaged(tile, &error.to_string()))?
                .bytes_of_first(tile.width()),
        };
        // Never longer than the bytes: they are a full tile's, which `root` parsed.
        bytes.truncate(length);
        Ok(bytes)
    }

    /// An error that names a tile's file.
    pub(super) fn damaged(&self, tile: TileId, what: &str) -> StoreError {
        StoreError::Damaged {
            path: self.path(TileId::full(tile.level(), tile.number())),
            what: format!("{what}; {RESTORE}"),
        }
    }
}

impl FullTiles for TileFiles {
    fn unproven(&self, full: TileId) -> Result<(Bytes, Hash), StoreError> {
        let bytes = self.bytes(full)?;
        let bytes = bytes.ok_or_else(|| self.damaged(full, "the file is missing"))?;
        let root = self.root(full, &bytes)?;
        Ok((Bytes::from(bytes), root))
    }
}

/// Whether a path leads to a folder. One that can't be looked up is no missing one.
fn is_folder(path: &Path) -> Result<bool, FileError> {
    Ok(std::fs::metadata(path).map_err(at(path))?.is_dir())
}
