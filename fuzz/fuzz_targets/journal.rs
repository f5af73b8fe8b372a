//! A journal of any bytes: a start gives a tree that they lead to, or says what is damaged.
#![no_main]

use std::sync::LazyLock;

use arborlog::store::DiskStore;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static DIR: LazyLock<TempDir> = LazyLock::new(|| {
    let dir = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
    DiskStore::create(&dir.path().join("ledger")).unwrap();
    dir
});

fuzz_target!(|bytes: &[u8]| {
    let dir = DIR.path().join("ledger");
    let segment = dir.join("journal").join(format!("{:020}", 0));
    std::fs::write(&segment, bytes).unwrap();
    if let Ok(store) = DiskStore::inspect(&dir) {
        let head = store.head_now().unwrap();
        drop(store);
        // The second start finds what the first one left.
        let again = DiskStore::inspect(&dir).unwrap();
        assert_eq!(again.head_now().unwrap(), head);
    }
});
