//! The entries of a server's log, each proven to be in its tree.

use arborlog::audit::{StaticLog as _, Tiles};
use arborlog::client::{Remote, RemoteLog};
use arborlog::merkle::{Bundle, TILE_HASHES};
use arborlog::note::UnverifiedCheckpoint;
use arborlog::record::{Entry, Statement};

/// All entries.
pub fn entries(remote: &Remote) -> Vec<Entry> {
    let log = RemoteLog::new(remote.clone());
    let note = UnverifiedCheckpoint::parse(&log.checkpoint().unwrap()).unwrap();
    let tiles = Tiles::open(&log, note.head()).unwrap();
    let bundles = 0..note.head().size.div_ceil(TILE_HASHES);
    let entries = bundles.flat_map(|number| {
        let proven = tiles.bundle(number).unwrap();
        let bundle = Bundle::parse(&proven.bytes, proven.id.width()).unwrap();
        let entries = bundle.entries().iter();
        let entries = entries.map(|bytes| Entry::decode(bytes).unwrap());
        entries.collect::<Vec<_>>()
    });
    entries.collect()
}

/// Number of entries that say something, one by one: without seals.
pub fn said(remote: &Remote) -> u64 {
    let is_seal = |entry: &Entry| matches!(entry.statement(), Some(Statement::Seal(_)));
    let entries = entries(remote).into_iter();
    entries.filter(|entry| !is_seal(entry)).count() as u64
}
