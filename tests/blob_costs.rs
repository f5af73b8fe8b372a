//! What a log asks of its store: object stores are paid by the request.
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use arborlog::merkle::{Bundle, Frontier, leaf_hash};
use arborlog::note::TreeHead;
use arborlog::record::{LogHead, Origin};
use arborlog::store::blobs::{
    BlobError, BlobStore, Blobs, Chain, Committed, Creation, Fencing, MemoryBlobs, PackShape,
    Packer, Packing, Patience, Progress, Step,
};
use arborlog::store::{Batch, BoxFuture, Bytes, CommitOutcome, Store as _};

/// Counts what it is asked.
#[derive(Debug, Default)]
struct Counted {
    objects: MemoryBlobs,
    asked: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counted {
    fn count(&self, operation: &'static str) {
        *self.asked.lock().unwrap().entry(operation).or_default() += 1;
    }

    /// What was asked since the last call.
    fn taken(&self) -> Vec<(&'static str, u64)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
            .into_iter()
            .collect()
    }
}

impl Blobs for Counted {
    fn address(&self) -> String {
        self.objects.address()
    }

    fn create<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<Creation, BlobError>> {
        self.count("create");
        self.objects.create(name, bytes)
    }

    fn put<'a>(&'a self, name: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), BlobError>> {
        self.count("put");
        self.objects.put(name, bytes)
    }

    fn get<'a>(
        &'a self,
        name: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Option<Bytes>, BlobError>> {
        self.count("get");
        self.objects.get(name, range)
    }

    fn list_after<'a>(
        &'a self,
        folder: &'a str,
        after: &'a str,
        names_max: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, BlobError>> {
        self.count("list");
        self.objects.list_after(folder, after, names_max)
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BlobError>> {
        self.count("delete");
        self.objects.delete(name)
    }
}

fn next_batch(chain: &Chain, count: u64) -> Batch {
    let (mut entries, mut tree) = (Vec::new(), chain.tree().clone());
    for entry in 0..count {
        Bundle::append(&mut entries, &entry.to_be_bytes()).unwrap();
        tree.push(leaf_hash(&entry.to_be_bytes()));
    }
    Batch {
        from: chain.head(),
        entries,
        to: LogHead::without_state(TreeHead::of(&tree)),
    }
}

#[tokio::test]
async fn a_commit_is_one_request_and_a_reader_asks_once_for_each() {
    let origin: Origin = "test.example/ledger".parse().unwrap();
    let patience = Patience::default();
    let counted = Arc::new(Counted::default());
    Chain::init(&*counted, &origin, patience).await.unwrap();
    assert_eq!(counted.taken(), [("create", 1)]);
    let blobs: Arc<dyn Blobs> = Arc::clone(&counted) as _;
    let open = || Chain::open(Arc::clone(&blobs), &origin, patience);
    let mut leader = open().await.unwrap();
    assert_eq!(counted.taken(), [("get", 1)]);
    assert_eq!(leader.fence().await.unwrap(), Fencing::Leads);
    assert_eq!(counted.taken(), [("create", 1), ("list", 1)]);
    for _ in 0..10 {
        let batch = next_batch(&leader, 100);
        let done = leader.commit(&batch).await;
        assert!(matches!(done, Committed::Committed), "{done:?}");
    }
    assert_eq!(counted.taken(), [("create", 10)]);
    let mut reader = open().await.unwrap();
    while reader.step().await.unwrap() != Step::End {}
    // VERSION, the fence, ten commits, and that there is no more; for the fence and the end, whether
    // there is a floor above.
    assert_eq!(counted.taken(), [("get", 13), ("list", 2)]);
    let mut packer = Packer::open(open().await.unwrap(), PackShape::SMALL)
        .await
        .unwrap();
    while packer.step().await.unwrap() != Packing::UpToDate {}
    // Three packs and three floors, for a thousand entries.
    assert_eq!(counted.taken(), [("create", 6), ("get", 13), ("list", 3)]);
}

/// What a server that leads asks for a commit, and one that follows to have it.
#[tokio::test]
async fn a_server_asks_no_more_than_that() {
    let origin: Origin = "test.example/ledger".parse().unwrap();
    let (patience, shape) = (Patience::default(), PackShape::SMALL);
    let counted = Arc::new(Counted::default());
    Chain::init(&*counted, &origin, patience).await.unwrap();
    let blobs: Arc<dyn Blobs> = Arc::clone(&counted) as _;
    let open = || BlobStore::open(Arc::clone(&blobs), &origin, shape, patience);
    let (leader, follower) = (open().await.unwrap(), open().await.unwrap());
    assert_eq!(leader.fence().await.unwrap(), Fencing::Leads);
    while follower.follow().await.unwrap() != Progress::End {}
    counted.taken();
    let mut tree = Frontier::default();
    for number in 0_u64..10 {
        let (from, mut entries) = (TreeHead::of(&tree), Vec::new());
        for entry in 0..100_u64 {
            let entry = (number * 100 + entry).to_be_bytes();
            Bundle::append(&mut entries, &entry).unwrap();
            tree.push(leaf_hash(&entry));
        }
        let committed = leader.commit(Arc::new(Batch {
            from: LogHead::without_state(from),
            entries,
            to: LogHead::without_state(TreeHead::of(&tree)),
        }));
        assert!(matches!(committed.await, CommitOutcome::Committed));
        assert_eq!(counted.taken(), [("create", 1)]);
        assert!(follower.has_next().await.unwrap());
        assert!(matches!(
            follower.follow().await.unwrap(),
            Progress::Batch(_)
        ));
        assert_eq!(counted.taken(), [("get", 2)]);
        assert!(!follower.has_next().await.unwrap());
        assert_eq!(counted.taken(), [("get", 1)]);
    }
    // Packs are made of what the leader has: nothing is read again.
    assert_eq!(leader.pack().await.unwrap(), 3);
    assert_eq!(counted.taken(), [("create", 6)]);
    assert!(leader.confirm().await.unwrap());
    assert_eq!(counted.taken(), [("get", 1)]);
}
