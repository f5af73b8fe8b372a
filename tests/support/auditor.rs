//! The one check of a whole log that every test that breaks something calls at its end.

#![allow(dead_code)]

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use arborlog::merkle::{Bundle, Frontier, Level, TILE_HASHES, TileId, leaf_hash};
use arborlog::note::TreeHead;
use arborlog::record::{Entry, Index};
use arborlog::store::DiskStore;

use super::{copy_dir, run_ok};

/// What clients were told: it must hold whatever happened since.
#[derive(Clone, Default)]
pub struct Told {
    /// Records that were acknowledged, as they were signed, by the index that was answered.
    pub records: BTreeMap<Index, Vec<u8>>,
    /// Every checkpoint that anybody saw.
    pub heads: Vec<TreeHead>,
}

impl Told {
    pub fn add(&mut self, other: &Self) {
        for (index, record) in &other.records {
            let before = self.records.insert(*index, record.clone());
            assert!(
                before.is_none_or(|before| before == *record),
                "{index} twice"
            );
        }
        self.heads.extend(&other.heads);
    }
}

/// All entries of a store that nobody holds.
pub fn entries(dir: &Path) -> (TreeHead, Vec<Vec<u8>>) {
    let store = DiskStore::inspect(dir).unwrap();
    let head = store.head().tree;
    let mut entries = Vec::new();
    for number in 0..head.size.div_ceil(TILE_HASHES) {
        let id = TileId::in_tree(Level::Entries, number, head.size).unwrap();
        let bytes = store.read(id).unwrap().unwrap();
        let bundle = Bundle::parse(&bytes, id.width()).unwrap();
        entries.extend(bundle.entries().iter().map(|entry| entry.to_vec()));
    }
    (head, entries)
}

/// Checks a copy of a log that is stopped: the next start finds it as it was left.
pub fn audit_copy(dir: &Path, told: &Told) -> TreeHead {
    let copy = tempfile::tempdir().unwrap();
    let copy = copy.path().join("ledger");
    copy_dir(dir, &copy);
    audit(&copy, told)
}

/// Checks a log that is stopped: every byte of it by the rules (`fsck`), every acknowledged record
/// at its index, none twice, every checkpoint a beginning of it. Gives its head.
pub fn audit(dir: &Path, told: &Told) -> TreeHead {
    run_ok(&["fsck", dir.to_str().unwrap()]);
    let (head, entries) = entries(dir);
    let mut roots = vec![Frontier::default().root()];
    let mut tree = Frontier::default();
    let mut seen = HashSet::new();
    let mut records = Vec::with_capacity(entries.len());
    for entry in &entries {
        tree.push(leaf_hash(entry));
        roots.push(tree.root());
        let record = match Entry::decode(entry).unwrap() {
            Entry::Signed(entry) => entry.signed.bytes().to_vec(),
            // What the log says of itself nobody sent.
            Entry::Sealed(_) | Entry::State(_) => entry.clone(),
        };
        assert!(seen.insert(record.clone()), "a record is in twice");
        records.push(record);
    }
    assert_eq!(tree.root(), head.root);
    for (index, record) in &told.records {
        let found = records.get(index.0 as usize);
        assert_eq!(
            found,
            Some(record),
            "acknowledged entry {index} of {}",
            head.size
        );
    }
    for seen in &told.heads {
        let root = roots.get(seen.size as usize);
        assert_eq!(
            root,
            Some(&seen.root),
            "a checkpoint of {} was seen, of {}",
            seen.size,
            head.size
        );
    }
    head
}
