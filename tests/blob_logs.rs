//! A log on each object store that can be reached from here, with several leaders at once: memory,
//! files, the adapter of the crate `object_store`, and a real one if `ARBORLOG_TEST_STORE` names it
//! (`tests/blob_conformance.rs` says how).
#![cfg(feature = "cli")]

#[path = "support/blob_log.rs"]
mod blob_log;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arborlog::merkle::{Bundle, leaf_hash};
use arborlog::note::TreeHead;
use arborlog::record::{LogHead, Origin};
use arborlog::store::blobs::{
    BlobError, BlobLog, Blobs, Chain, Committed, FolderBlobs, MemoryBlobs, ObjectBlobs, PackShape,
    Packer, Packing, Patience, open, sweep,
};
use arborlog::store::{Batch, StoreError};

use blob_log::read_on;

const LEADERS: u64 = 4;
/// Commits that each of them must have acknowledged.
const COMMITS: u64 = 12;
const ENTRIES: u64 = 30;
const SHAPE: PackShape = PackShape::SMALL;

/// A store.
struct Store {
    /// One opening for each leader, as if each was a process of its own.
    blobs: Vec<Arc<dyn Blobs>>,
    _folder: Option<tempfile::TempDir>,
}

fn stores() -> Vec<Store> {
    let store = |blobs, _folder| Store { blobs, _folder };
    let same = |blobs: Arc<dyn Blobs>| vec![blobs; LEADERS as usize];
    let temp = tempfile::tempdir().unwrap();
    let folder = || Arc::new(FolderBlobs::open(temp.path()).unwrap()) as Arc<dyn Blobs>;
    let folders = (0..LEADERS).map(|_| folder()).collect();
    let mut stores = vec![
        store(same(Arc::new(MemoryBlobs::default())), None),
        store(same(Arc::new(ObjectBlobs::memory())), None),
        store(folders, Some(temp)),
    ];
    if let Ok(address) = std::env::var("ARBORLOG_TEST_STORE") {
        let now = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_nanos();
        let address = format!("{address}/log-{now}");
        let all = (0..LEADERS).map(|_| open(&address).unwrap()).collect();
        stores.push(store(all, None));
    }
    stores
}

fn origin() -> Origin {
    "test.example/ledger".parse().unwrap()
}

async fn log_on(blobs: &Arc<dyn Blobs>) -> BlobLog {
    let chain = Chain::open(Arc::clone(blobs), &origin(), Patience::default()).await;
    BlobLog::new(chain.unwrap(), SHAPE)
}

/// Leads whenever it can, until enough was acknowledged. What was: indexes and entries.
async fn lead(leader: u64, blobs: Arc<dyn Blobs>, all: Arc<AtomicU64>) -> Vec<(u64, Vec<u8>)> {
    let mut log = log_on(&blobs).await;
    let (mut acknowledged, mut number) = (Vec::new(), 0);
    while acknowledged.len() < COMMITS as usize {
        if !log.leads() {
            read_on(&mut log).await;
            // Whether it landed is seen by whether it leads.
            log.fence().await.unwrap();
            continue;
        }
        let (mut entries, mut tree) = (Vec::new(), log.chain().tree().clone());
        for place in 0..ENTRIES {
            let entry = format!("{leader}.{number}.{place}");
            Bundle::append(&mut entries, entry.as_bytes()).unwrap();
            tree.push(leaf_hash(entry.as_bytes()));
        }
        number += 1;
        let batch = Batch {
            from: log.head(),
            entries,
            to: LogHead::without_state(TreeHead::of(&tree)),
        };
        match log.commit(&batch).await {
            Committed::Committed => {
                acknowledged.push((batch.from.tree.size, batch.entries));
                all.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
            Committed::Deposed(_) => {}
            // Others went so far in the meantime that the place is in packs: it may be in them.
            Committed::Unknown(StoreError::Blob(BlobError::Unclear { .. })) => {}
            other => panic!("{other:?}"),
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_who_lead_in_turn_every_commit_stays_in_its_place() {
    for Store { blobs, _folder } in stores() {
        let first = &blobs[0];
        Chain::init(&**first, &origin(), Patience::default())
            .await
            .unwrap();
        let all = Arc::new(AtomicU64::new(0));
        let leaders: Vec<_> = (0..)
            .zip(&blobs)
            .map(|(leader, blobs)| tokio::spawn(lead(leader, Arc::clone(blobs), Arc::clone(&all))))
            .collect();
        // Beside them, somebody packs and sweeps.
        let (beside, done) = (Arc::clone(first), Arc::clone(&all));
        let behind = tokio::spawn(async move {
            let mut deleted = 0;
            loop {
                let last = done.load(Ordering::Relaxed) == LEADERS * COMMITS;
                let origin = origin();
                let chain = || Chain::open(Arc::clone(&beside), &origin, Patience::default());
                let mut packer = Packer::open(chain().await.unwrap(), SHAPE).await.unwrap();
                while packer.step().await.unwrap() != Packing::UpToDate {}
                deleted += sweep(&chain().await.unwrap(), SHAPE).await.unwrap().deleted;
                if last {
                    return deleted;
                }
                tokio::task::yield_now().await;
            }
        });
        let mut acknowledged = Vec::new();
        for leader in leaders {
            acknowledged.extend(leader.await.unwrap());
        }
        assert!(behind.await.unwrap() > 0, "{first:?}");
        let mut log = log_on(&blobs[1]).await;
        let entries = read_on(&mut log).await;
        assert_eq!(
            entries.len() as u64,
            LEADERS * COMMITS * ENTRIES,
            "{first:?}"
        );
        for (index, committed) in acknowledged {
            let found = log.entries(index..index + ENTRIES).await.unwrap();
            assert!(found == committed, "{first:?}: the commit at entry {index}");
        }
    }
}
