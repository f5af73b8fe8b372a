//! A journal of any bytes, and a good one that was changed anywhere: a start gives a tree that was
//! committed, or says what is damaged.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use arborlog::merkle::{Bundle, Frontier, leaf_hash};
use arborlog::note::TreeHead;
use arborlog::record::LogHead;
use arborlog::store::{Batch, CommitOutcome, DiskStore, StoreError};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

struct Good {
    _temp: TempDir,
    dir: PathBuf,
    segment: PathBuf,
    journal: Vec<u8>,
    heads: Vec<LogHead>,
}

static GOOD: LazyLock<Good> = LazyLock::new(|| {
    let temp = TempDir::new_in("/dev/shm")
        .or_else(|_| TempDir::new())
        .unwrap();
    let dir = temp.path().join("ledger");
    DiskStore::create(&dir).unwrap();
    let store = DiskStore::open(&dir).unwrap();
    let mut heads = vec![store.head_now().unwrap()];
    let mut tree = Frontier::default();
    for commit in 0..6_u8 {
        let mut entries = Vec::new();
        for entry in 0..=commit {
            let entry = vec![commit ^ entry; 20 * usize::from(entry + 1)];
            Bundle::append(&mut entries, &entry).unwrap();
            tree.push(leaf_hash(&entry));
        }
        let to = LogHead::without_state(TreeHead::of(&tree));
        let from = *heads.last().unwrap();
        assert!(matches!(
            store.commit_now(&Batch { from, entries, to }),
            CommitOutcome::Committed
        ));
        heads.push(to);
    }
    drop(store);
    let segment = dir.join("journal").join(format!("{:020}", 0));
    let journal = std::fs::read(&segment).unwrap();
    Good {
        _temp: temp,
        dir,
        segment,
        journal,
        heads,
    }
});

fuzz_target!(|bytes: &[u8]| {
    let good = &*GOOD;
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    let mut journal = rest.to_vec();
    if kind & 1 == 1 {
        // Places of the good journal that are changed, then perhaps a cut.
        journal.clone_from(&good.journal);
        let (changes, _) = rest.as_chunks::<3>();
        for [high, low, change] in changes {
            let at = usize::from(u16::from_be_bytes([*high, *low])) % journal.len();
            match kind & 6 {
                2 => journal.truncate(at.max(1)),
                4 => journal.insert(at, *change),
                _ => journal[at] ^= change,
            }
        }
    }
    std::fs::write(&good.segment, &journal).unwrap();
    match DiskStore::inspect(&good.dir) {
        Ok(store) => {
            let head = store.head();
            drop(store);
            if kind & 1 == 1 {
                assert!(good.heads.contains(&head), "{head:?} was never committed");
            }
            // The second start finds what the first one left.
            let again = DiskStore::inspect(&good.dir).unwrap();
            assert_eq!(again.head(), head);
        }
        Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{error}"),
    }
});
