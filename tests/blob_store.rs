//! A log on an object store as one process serves it: its tiles from memory and from packs, what it does when
//! packs are wrong, and who leads.
#![cfg(feature = "cli")]

use std::sync::Arc;

use arborlog::merkle::{Bundle, Frontier, Hash, HashTile, Level, TILE_HASHES, TileId, leaf_hash};
use arborlog::note::TreeHead;
use arborlog::record::{LogHead, Origin};
use arborlog::store::blobs::{
    BlobStore, Blobs, Chain, Fencing, MemoryBlobs, PackShape, Patience, Progress, sweep,
};
use arborlog::store::{Batch, Bytes, CommitOutcome, Store as _, StoreError};

const SHAPE: PackShape = PackShape::SMALL;

fn origin() -> Origin {
    "test.example/ledger".parse().unwrap()
}

async fn open(blobs: &Arc<dyn Blobs>) -> BlobStore {
    let origin = origin();
    let opened = BlobStore::open(Arc::clone(blobs), &origin, SHAPE, Patience::default());
    let store = opened.await.unwrap();
    store.begin_at_floor(u64::MAX).await.unwrap();
    while store.follow().await.unwrap() != Progress::End {}
    store
}

async fn leader(blobs: &Arc<dyn Blobs>) -> BlobStore {
    let store = open(blobs).await;
    assert_eq!(store.fence().await.unwrap(), Fencing::Leads);
    store
}

/// Entries of a log, all different, each of another length.
fn entry(index: u64) -> Vec<u8> {
    let mut entry = index.to_be_bytes().to_vec();
    entry.resize(8 + (index % 90) as usize, index as u8);
    entry
}

fn batch(from: u64, count: u64) -> Arc<Batch> {
    let mut tree = Frontier::default();
    (0..from).for_each(|index| tree.push(leaf_hash(&entry(index))));
    let before = TreeHead::of(&tree);
    let mut entries = Vec::new();
    for index in from..from + count {
        Bundle::append(&mut entries, &entry(index)).unwrap();
        tree.push(leaf_hash(&entry(index)));
    }
    Arc::new(Batch {
        from: LogHead::without_state(before),
        entries,
        to: LogHead::without_state(TreeHead::of(&tree)),
    })
}

/// A log of these many entries, in commits of 100, that its leader packed.
async fn log_of(entries: u64) -> (Arc<dyn Blobs>, BlobStore) {
    let blobs: Arc<dyn Blobs> = Arc::new(MemoryBlobs::default());
    Chain::init(&*blobs, &origin(), Patience::default())
        .await
        .unwrap();
    let store = leader(&blobs).await;
    for from in (0..entries).step_by(100) {
        let committed = store.commit(batch(from, 100)).await;
        assert!(
            matches!(committed, CommitOutcome::Committed),
            "{committed:?}"
        );
    }
    (blobs, store)
}

/// Every tile of a tree, full and partial, is what the entries make.
async fn check_tiles(store: &BlobStore, size: u64) {
    let mut level: Vec<Hash> = (0..size).map(|index| leaf_hash(&entry(index))).collect();
    for number in 0..size.div_ceil(TILE_HASHES) {
        let id = TileId::in_tree(Level::Entries, number, size).unwrap();
        let mut bundle = Vec::new();
        for index in (number * TILE_HASHES..).take(id.width().into()) {
            Bundle::append(&mut bundle, &entry(index)).unwrap();
        }
        let read = store.read(id).await.unwrap();
        assert_eq!(read.as_deref(), Some(bundle.as_slice()), "{id}");
    }
    for height in 0..3 {
        for number in 0..(level.len() as u64).div_ceil(TILE_HASHES) {
            let id = TileId::in_tree(Level::Hashes(height), number, size).unwrap();
            let bytes = store.read(id).await.unwrap().unwrap();
            let tile = HashTile::parse(&id, &bytes).unwrap();
            let first = (number * TILE_HASHES) as usize;
            let width = usize::from(id.width());
            assert_eq!(tile.hashes(), &level[first..first + width], "{id}");
        }
        let (full, _) = level.as_chunks::<{ TILE_HASHES as usize }>();
        level = full
            .iter()
            .map(|hashes| arborlog::merkle::root_of(hashes.iter().copied()))
            .collect();
    }
}

#[tokio::test]
async fn tiles_come_from_memory_and_from_packs_and_are_the_same() {
    let (blobs, store) = log_of(1_100).await;
    for size in [1, 255, 256, 257, 700, 1_100] {
        check_tiles(&store, size).await;
    }
    assert_eq!(store.pack().await.unwrap(), 4);
    for size in [1, 255, 256, 257, 700, 1_100] {
        check_tiles(&store, size).await;
    }
    // Who was not there, and finds commits deleted.
    let origin = origin();
    let chain = Chain::open(Arc::clone(&blobs), &origin, Patience::default());
    let swept = sweep(&chain.await.unwrap(), SHAPE).await.unwrap();
    assert_eq!(swept.deleted, 10);
    let late = open(&blobs).await;
    check_tiles(&late, 1_100).await;
    // Who reads packs instead of beginning at the floor has the same.
    let whole = BlobStore::open(Arc::clone(&blobs), &origin, SHAPE, Patience::default());
    let whole = whole.await.unwrap();
    while whole.follow().await.unwrap() != Progress::End {}
    check_tiles(&whole, 1_100).await;
    let outside = TileId::in_tree(Level::Entries, 5, 2_000).unwrap();
    assert!(late.read(outside).await.unwrap().is_none());
}

#[tokio::test]
async fn a_follower_takes_note_of_packs_and_of_who_leads() {
    let (blobs, first) = log_of(300).await;
    let second = open(&blobs).await;
    assert!(!second.leads() && !second.has_next().await.unwrap());
    let committed = first.commit(batch(300, 100)).await;
    assert!(matches!(committed, CommitOutcome::Committed));
    assert!(second.has_next().await.unwrap());
    assert_eq!(second.pack().await.unwrap(), 0);
    first.pack().await.unwrap();
    assert_eq!(second.pack().await.unwrap(), 1);
    while second.follow().await.unwrap() != Progress::End {}
    check_tiles(&second, 400).await;
    // The first one is deposed, and finds out when it asks, or commits.
    assert!(first.confirm().await.unwrap());
    assert_eq!(second.fence().await.unwrap(), Fencing::Leads);
    assert!(first.leads());
    assert!(!first.confirm().await.unwrap());
    assert!(!first.leads());
    first.deposed().await;
    let refused = first.commit(batch(400, 100)).await;
    assert!(matches!(refused, CommitOutcome::Deposed), "{refused:?}");
    let committed = second.commit(batch(400, 150)).await;
    assert!(matches!(committed, CommitOutcome::Committed));
    // It packs what the first one did not.
    assert_eq!(second.pack().await.unwrap(), 2);
    while first.follow().await.unwrap() != Progress::End {}
    check_tiles(&first, 550).await;
    check_tiles(&second, 550).await;
}

#[tokio::test]
async fn a_pack_that_is_another_than_the_log_is_found_when_it_is_read_and_when_it_is_made() {
    let (blobs, store) = log_of(900).await;
    store.pack().await.unwrap();
    let origin = origin();
    let name = "pack/00000000000000000001";
    let whole = blobs.get(name, None).await.unwrap().unwrap();
    for place in [30, 2_000, whole.len() - 100] {
        let mut bytes = whole.to_vec();
        bytes[place] ^= 1;
        blobs.put(name, Bytes::from(bytes)).await.unwrap();
        let late = BlobStore::open(Arc::clone(&blobs), &origin, SHAPE, Patience::default());
        let late = late.await.unwrap();
        if let Err(error) = late.begin_at_floor(u64::MAX).await {
            // What a start needs of the pack is another: the log does not lead to the floor.
            assert!(matches!(error, StoreError::DamagedObject { .. }), "{error}");
            assert_eq!(place, 2_000);
            continue;
        }
        while late.follow().await.unwrap() != Progress::End {}
        let mut found = 0;
        for level in [Level::Entries, Level::Hashes(0)] {
            let read = late.read(TileId::full(level, 1)).await;
            match read {
                Err(StoreError::DamagedObject { object, .. }) => {
                    assert!(object.ends_with(name), "{object}");
                    found += 1;
                }
                Ok(Some(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(found > 0, "byte {place}");
        // What is not in it is whole.
        let read = late.read(TileId::full(Level::Entries, 0)).await;
        assert!(read.unwrap().is_some());
    }
    // A leader that meets another pack than the one that it made stops.
    let (blobs, store) = log_of(600).await;
    blobs
        .put(name, Bytes::from_static(b"another"))
        .await
        .unwrap();
    let packed = store.pack().await;
    assert!(
        matches!(packed, Err(StoreError::DamagedObject { .. })),
        "{packed:?}"
    );
    assert!(matches!(
        store.stopped().await,
        StoreError::DamagedObject { .. }
    ));
    let refused = store.commit(batch(600, 100)).await;
    assert!(matches!(refused, CommitOutcome::Unknown(_)), "{refused:?}");
}
