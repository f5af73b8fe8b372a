//! What a log asks of its store: object stores are paid by the request.
#![cfg(feature = "cli")]

mod support;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arborlog::client::today;
use arborlog::log::{Log, LogConfig, SharedConfig, Timing};
use arborlog::merkle::{Bundle, Frontier, leaf_hash};
use arborlog::note::TreeHead;
use arborlog::record::{
    LogHead, Origin, RecordId, SealPlace, SealedBatch, SealedStatement, Seq, UnreadBatch,
};
use arborlog::store::blobs::{
    BlobError, BlobStore, Blobs, Chain, Committed, Creation, Fencing, MemoryBlobs, PackShape,
    Packer, Packing, Patience, Progress, Step, newest_saved_size,
};
use arborlog::store::{Batch, BoxFuture, Bytes, CommitOutcome, Store as _};
use support::{Ledger, Server, award};

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

/// What one server asked of the store, without what a clock makes it ask: signs of life, looks for a new commit that
/// is not there, the checkpoint.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Read {
    /// Objects of the log and of saved states that were read, whole or in part.
    objects: u64,
    /// Of these, those of packs.
    packs: u64,
    bytes: u64,
    lists: u64,
}

/// The store as one server reaches it.
#[derive(Debug)]
struct Reached {
    objects: Arc<dyn Blobs>,
    read: Mutex<Read>,
    /// Every request fails, and is not done.
    is_cut: AtomicBool,
    /// Every create of a commit fails, and is not done.
    takes_no_commit: AtomicBool,
}

impl Reached {
    fn new(objects: &Arc<dyn Blobs>) -> Arc<Self> {
        Arc::new(Self {
            objects: Arc::clone(objects),
            read: Mutex::default(),
            is_cut: AtomicBool::new(false),
            takes_no_commit: AtomicBool::new(false),
        })
    }

    /// What was read since the last call.
    fn taken(&self) -> Read {
        std::mem::take(&mut *self.read.lock().unwrap())
    }

    fn check(&self, name: &str, is_create: bool) -> Result<(), BlobError> {
        let fails = self.is_cut.load(Ordering::SeqCst)
            || is_create
                && name.starts_with("commit/")
                && self.takes_no_commit.load(Ordering::SeqCst);
        match fails {
            true => Err(BlobError::Unclear {
                object: name.to_owned(),
                why: "the test says so".to_owned(),
            }),
            false => Ok(()),
        }
    }
}

impl Blobs for Reached {
    fn address(&self) -> String {
        self.objects.address()
    }

    fn create<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<Creation, BlobError>> {
        Box::pin(async move {
            self.check(name, true)?;
            self.objects.create(name, bytes).await
        })
    }

    fn put<'a>(&'a self, name: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), BlobError>> {
        Box::pin(async move {
            self.check(name, false)?;
            self.objects.put(name, bytes).await
        })
    }

    fn get<'a>(
        &'a self,
        name: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Option<Bytes>, BlobError>> {
        Box::pin(async move {
            self.check(name, false)?;
            let found = self.objects.get(name, range).await?;
            let folder = name.split_once('/').map_or(name, |(folder, _)| folder);
            if let Some(bytes) = &found
                && !["beat", "handover", "checkpoint"].contains(&folder)
            {
                let mut read = self.read.lock().unwrap();
                read.objects += 1;
                read.packs += u64::from(folder == "pack");
                read.bytes += bytes.len() as u64;
            }
            Ok(found)
        })
    }

    fn list_after<'a>(
        &'a self,
        folder: &'a str,
        after: &'a str,
        names_max: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, BlobError>> {
        Box::pin(async move {
            self.check(folder, false)?;
            self.read.lock().unwrap().lists += 1;
            self.objects.list_after(folder, after, names_max).await
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BlobError>> {
        self.objects.delete(name)
    }
}

/// The entries of a pack, in this test.
const PACK: u64 = PackShape::SMALL.entries();
/// Statements of a sealed batch.
const SEALED: u64 = 1000;

/// A ledger in a folder, in which a platform may award, and that platform's place in its chain.
struct Awarded {
    ledger: Ledger,
    objects: Arc<dyn Blobs>,
    _folder: tempfile::TempDir,
    place: (Seq, RecordId),
    events: u64,
}

impl Awarded {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = format!("file://{}", folder.path().display());
        let ledger = Ledger::init_with(&["--store", &store]);
        let server = Server::start(&ledger.dir);
        ledger.set_up(&server.remote());
        let head = server.remote().issuer(&ledger.platform.public()).unwrap();
        assert_eq!(server.stop(), 0);
        Self {
            ledger,
            objects: arborlog::store::blobs::open(&store).unwrap(),
            _folder: folder,
            place: (head.next_seq, head.prev),
            events: 0,
        }
    }

    /// A server of the ledger; what it asks of the store can be seen.
    async fn serve(&self, follows: bool) -> (Log, Arc<Reached>) {
        let reached = Reached::new(&self.objects);
        let shared = SharedConfig {
            follow: follows,
            timing: Timing {
                poll: Duration::from_millis(50),
                beat: Duration::from_millis(300),
                silence: Duration::from_secs(3),
                fresh: Duration::from_millis(1500),
                // It would list by the clock.
                floors: Duration::from_secs(3600),
            },
            patience: Patience {
                attempt: Duration::from_secs(1),
                total: Duration::from_secs(1),
                pause: Duration::from_millis(20),
            },
            shape: PackShape::SMALL,
            ..SharedConfig::on(Arc::clone(&reached) as _)
        };
        let mut config = LogConfig::of(&self.ledger.dir);
        config.state_every = Some(Duration::from_millis(100));
        config.entries_per_save = SEALED / 4;
        config.shared = Some(shared);
        let log = Log::open(&config).await.unwrap();
        log.advertise(format!("http://{follows}"));
        (log, reached)
    }

    /// The next awards, sealed.
    fn sealed(&mut self, count: u64) -> UnreadBatch {
        let awards = self.events..self.events + count;
        self.events += count;
        let statements = awards.map(|event| SealedStatement::new(award(event % 7, event)));
        let place = SealPlace {
            seq: self.place.0,
            prev: self.place.1,
            issued_on: today(),
        };
        let statements = statements.collect::<Result<_, _>>().unwrap();
        let key = &self.ledger.platform;
        let (batch, id) =
            SealedBatch::seal(statements, place, &self.ledger.context(), key).unwrap();
        self.place = (Seq(self.place.0.0 + 1), id);
        UnreadBatch::read(batch.body().unwrap()).unwrap()
    }

    async fn append(&mut self, log: &Log, count: u64) {
        let batch = self.sealed(count);
        until("a batch is in", || async {
            log.append_batch(batch.clone()).await.is_ok()
        })
        .await;
    }
}

async fn until<F: Future<Output = bool>>(what: &str, is: impl Fn() -> F) -> Duration {
    let begun = Instant::now();
    while !is().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}

/// What three recoveries of a log of some length read, each with its time until records got in, or the log ran.
async fn recoveries(entries: u64) -> [(Read, Duration); 3] {
    let mut awarded = Awarded::begin();
    let (leader, reached) = awarded.serve(false).await;
    while awarded.events < entries {
        awarded.append(&leader, SEALED).await;
    }
    until("all is packed", || async {
        let folder = awarded.objects.list_after("pack", "", 100_000).await;
        folder.unwrap().len() as u64 == leader.published().head.tree.size / PACK
    })
    .await;

    // A commit of which nothing is known.
    reached.taken();
    let batch = awarded.sealed(100);
    reached.takes_no_commit.store(true, Ordering::SeqCst);
    assert!(leader.append_batch(batch.clone()).await.is_err());
    reached.takes_no_commit.store(false, Ordering::SeqCst);
    let took = until("the same is in", || async {
        leader.append_batch(batch.clone()).await.is_ok()
    })
    .await;
    let unknown = (reached.taken(), took);

    // Another commits; the one that led has judged a batch that it must take back.
    let (other, _) = awarded.serve(true).await;
    let batch = awarded.sealed(100);
    reached.taken();
    reached.is_cut.store(true, Ordering::SeqCst);
    assert!(leader.append_batch(batch.clone()).await.is_err());
    until("the other has it", || async {
        other.append_batch(batch.clone()).await.is_ok()
    })
    .await;
    let size = other.published().head.tree.size;
    reached.is_cut.store(false, Ordering::SeqCst);
    let took = until("the one that led has it too", || async {
        leader.published().head.tree.size >= size
    })
    .await;
    let moved = (reached.taken(), took);
    leader.close().await;

    // A state was saved lately, and one starts afresh.
    let saved_from = other.published().head.tree.size;
    for _ in 0..3 {
        awarded.append(&other, SEALED / 4).await;
    }
    until("a state is saved", || async {
        let saved = newest_saved_size(&*awarded.objects, Patience::default()).await;
        saved.unwrap().is_some_and(|size| size > saved_from)
    })
    .await;
    other.close().await;
    let begun = Instant::now();
    let (log, reached) = awarded.serve(true).await;
    let start = (reached.taken(), begun.elapsed());
    log.close().await;
    [unknown, moved, start]
}

/// A log that is ten times as long is rolled back by the same few requests, and a start reads no more of it than the
/// roots of its packs.
///
/// `ARBORLOG_RECOVERY_ENTRIES=2000,1000000 cargo test --test blob_costs recovery -- --nocapture` for others.
#[tokio::test(flavor = "multi_thread")]
async fn recovery_reads_what_is_new_however_long_the_log_is() {
    let sizes = std::env::var("ARBORLOG_RECOVERY_ENTRIES");
    let sizes = sizes.unwrap_or_else(|_| "2000,20000".to_owned());
    let mut found = Vec::new();
    for entries in sizes.split(',').map(|size| size.parse().unwrap()) {
        let [unknown, moved, start] = recoveries(entries).await;
        println!("{entries} entries: an unknown outcome {unknown:?}");
        println!("{entries} entries: another led {moved:?}");
        println!("{entries} entries: a start {start:?}");
        found.push((entries, [unknown.0, moved.0, start.0]));
    }
    let (least, short) = found[0];
    let (most, long) = found[found.len() - 1];
    for (read, what) in [(0, "an unknown outcome"), (1, "another led")] {
        // The commits that came, the fences, and what a state entry between them adds.
        for read in [short[read], long[read]] {
            assert!(read.objects <= 10, "{what}: {read:?}");
            assert!(read.bytes <= 40_000, "{what}: {read:?}");
            assert!(read.lists <= 20, "{what}: {read:?}");
        }
    }
    let (short, long) = (short[2], long[2]);
    let packs = (most - least) / PACK;
    assert!(long.packs <= short.packs + packs + 12, "{long:?} {short:?}");
    let others = |read: Read| read.objects - read.packs;
    assert!(others(long) <= others(short) + 12, "{long:?} {short:?}");
    // Finding the newest floor takes twice the logarithm of their number.
    assert!(long.lists <= short.lists + 20, "{long:?} {short:?}");
    // A pack's root is made of its hashes of level 0; the state grows by a mark for 256 records of a key.
    let bytes = short.bytes + packs * PACK * 32 + 100_000;
    assert!(long.bytes <= bytes, "{long:?} {short:?}");
}
