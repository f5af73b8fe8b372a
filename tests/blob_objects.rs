//! The bytes of a log's objects: golden files, one encoding, and what is refused.
//!
//! `ARBORLOG_BLESS=1 cargo test --test blob_objects` writes `tests/golden/blobs/` instead. Do that only
//! together with a new version of the objects.
#![cfg(feature = "cli")]

#[path = "support/blob_log.rs"]
mod blob_log;

use std::path::PathBuf;
use std::sync::Arc;

use arborlog::merkle::{Bundle, Frontier, Hash, leaf_hash};
use arborlog::note::TreeHead;
use arborlog::record::{Index, LogHead, Origin, StateHead};
use arborlog::store::blobs::{
    BlobLog, Blobs, Chain, Commit, Committed, Content, Fencing, Floor, MemoryBlobs, Pack,
    PackShape, Packer, Packing, Patience, Progress, Session, Step, Swept, sweep,
};
use arborlog::store::{Batch, Bytes, StoreError};
use blob_log::read_on;
use sha2::{Digest as _, Sha256};

fn golden(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/blobs")
        .join(name);
    if std::env::var_os("ARBORLOG_BLESS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }
    let expected = std::fs::read(&path).unwrap();
    assert!(expected == bytes, "{} holds other bytes", path.display());
}

/// Entries of a log, and the tree and head after some of them.
fn grown(tree: &Frontier, entries: &[Vec<u8>]) -> (Vec<u8>, Frontier) {
    let (mut bytes, mut tree) = (Vec::new(), tree.clone());
    for entry in entries {
        Bundle::append(&mut bytes, entry).unwrap();
        tree.push(leaf_hash(entry));
    }
    (bytes, tree)
}

fn head(tree: &Frontier) -> LogHead {
    LogHead::without_state(TreeHead::of(tree))
}

fn numbered(range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    range
        .map(|number| format!("entry {number}").into_bytes())
        .collect()
}

fn batch(tree: &Frontier, entries: &[Vec<u8>]) -> (Batch, Frontier) {
    let (bytes, after) = grown(tree, entries);
    let batch = Batch {
        from: head(tree),
        entries: bytes,
        to: head(&after),
    };
    (batch, after)
}

const SESSION: Session = Session::from_bytes([0xa5; 16]);

fn commit(seq: u64, content: Content) -> Commit {
    Commit {
        seq,
        session: SESSION,
        nonce: [0x5a; 16],
        content,
    }
}

/// One of each kind, as a name and its bytes.
fn objects() -> Vec<(&'static str, Vec<u8>)> {
    let start = Frontier::default();
    let (first, after) = batch(&start, &numbered(0..3));
    let (mut second, last) = batch(&after, &numbered(3..5));
    let state = StateHead {
        index: Index(4),
        size: 3,
        root: Hash::from_bytes([7; 32]),
    };
    second.to.state = Some(state);
    let fenced = LogHead {
        state: Some(state),
        ..head(&last)
    };
    let floor = Floor {
        seq: 9,
        session: SESSION,
        packs: 2,
        head: fenced,
        tree: last,
    };
    let objects = [
        (
            "fence-first",
            commit(0, Content::Fence(head(&start))).encode(),
        ),
        ("batch", commit(1, Content::Batch(first)).encode()),
        (
            "batch-with-state",
            commit(2, Content::Batch(second)).encode(),
        ),
        (
            "fence-with-state",
            commit(3, Content::Fence(fenced)).encode(),
        ),
        ("floor", floor.encode()),
    ];
    objects
        .into_iter()
        .map(|(name, bytes)| (name, bytes.to_vec()))
        .collect()
}

#[test]
fn objects_have_the_bytes_of_the_golden_files() {
    for (name, bytes) in objects() {
        golden(name, &bytes);
        if name == "floor" {
            assert_eq!(Floor::decode(&bytes).unwrap().encode(), bytes);
        } else {
            assert_eq!(Commit::decode(&bytes).unwrap().encode(), bytes, "{name}");
        }
    }
}

/// Puts the right digest behind bytes that were changed, so that it is not the digest that refuses
/// them.
fn digested(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 32);
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    bytes
}

#[test]
fn an_object_that_was_changed_anywhere_is_refused_or_is_another_one() {
    for (name, bytes) in objects() {
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let refused = |bytes: &[u8]| match name {
                "floor" => Floor::decode(bytes).map(|floor| floor.encode()).err(),
                _ => Commit::decode(bytes).map(|commit| commit.encode()).err(),
            };
            assert!(refused(&changed).is_some(), "{name}, byte {place}");
            // With a digest of its own it may be another object, in the one encoding that it has.
            let other = digested(changed);
            if refused(&other).is_none() {
                let again = match name {
                    "floor" => Floor::decode(&other).unwrap().encode(),
                    _ => Commit::decode(&other).unwrap().encode(),
                };
                assert!(again == other, "{name}, byte {place}");
            }
            assert!(refused(&bytes[..place]).is_some(), "{name}, cut to {place}");
            // Cut, with the digest of what is left.
            if place != bytes.len() - 32 {
                let cut = digested([&bytes[..place], &[0; 32]].concat());
                assert!(refused(&cut).is_some(), "{name}, cut to {place}");
            }
        }
        let longer = digested([bytes.as_slice(), &[0]].concat());
        assert!(
            Commit::decode(&longer).is_err() && Floor::decode(&longer).is_err(),
            "{name}"
        );
    }
}

/// Each names another rule of the encoding.
#[test]
fn an_object_that_contradicts_itself_is_refused() {
    let start = Frontier::default();
    let (good, after) = batch(&start, &numbered(0..3));
    let refused = |content: Content| Commit::decode(&commit(0, content).encode()).unwrap_err();
    let mut other = good.clone();
    other.to.tree.size = 4;
    assert!(refused(Content::Batch(other)).contains("heads"));
    let none = Batch {
        entries: Vec::new(),
        to: good.from,
        ..good.clone()
    };
    assert!(refused(Content::Batch(none)).contains("heads"));
    let mut cut = good.clone();
    cut.entries.pop();
    assert!(refused(Content::Batch(cut)).contains("cut"));
    let mut beyond = good.clone();
    beyond.to.state = Some(StateHead {
        index: Index(3),
        size: 1,
        root: Hash::default(),
    });
    assert!(refused(Content::Batch(beyond)).contains("state entry"));
    let mut bytes = commit(0, Content::Batch(good)).encode().to_vec();
    bytes[16] = 2;
    assert!(
        Commit::decode(&digested(bytes.clone()))
            .unwrap_err()
            .contains("fence")
    );
    bytes[16] = 3;
    assert!(
        Commit::decode(&digested(bytes))
            .unwrap_err()
            .contains("neither")
    );
    let mut floor = Floor {
        seq: 1,
        session: SESSION,
        packs: 0,
        head: head(&after),
        tree: after,
    };
    floor.head.tree.root = Hash::empty_root();
    assert!(Floor::decode(&floor.encode()).unwrap_err().contains("root"));
}

fn origin() -> Origin {
    "test.example/ledger".parse().unwrap()
}

async fn open(blobs: &Arc<dyn Blobs>) -> Chain {
    Chain::open(Arc::clone(blobs), &origin(), Patience::default())
        .await
        .unwrap()
}

/// A log of commits with these numbers of entries, by one leader.
async fn committed(counts: &[u64]) -> (Arc<dyn Blobs>, Vec<Vec<u8>>) {
    let blobs: Arc<dyn Blobs> = Arc::new(MemoryBlobs::default());
    Chain::init(&*blobs, &origin(), Patience::default())
        .await
        .unwrap();
    let mut chain = open(&blobs).await;
    assert_eq!(chain.step().await.unwrap(), Step::End);
    assert_eq!(chain.fence().await.unwrap(), Fencing::Leads);
    let entries = numbered(0..counts.iter().sum());
    for count in counts {
        let size = chain.head().tree.size;
        let some = &entries[size as usize..(size + count) as usize];
        let (batch, _) = batch(chain.tree(), some);
        let done = chain.commit(&batch).await;
        assert!(matches!(done, Committed::Committed), "{done:?}");
    }
    (blobs, entries)
}

async fn packed(blobs: &Arc<dyn Blobs>, shape: PackShape) {
    let mut packer = Packer::open(open(blobs).await, shape).await.unwrap();
    while packer.step().await.unwrap() != Packing::UpToDate {}
}

async fn names(blobs: &Arc<dyn Blobs>, folder: &str) -> Vec<u64> {
    let names = blobs.list_after(folder, "", usize::MAX).await.unwrap();
    names
        .iter()
        .map(|name| name.rsplit('/').next().unwrap().parse().unwrap())
        .collect()
}

async fn read_all(blobs: &Arc<dyn Blobs>) -> (BlobLog, Vec<Vec<u8>>) {
    let mut log = BlobLog::new(open(blobs).await, PackShape::SMALL);
    let entries = read_on(&mut log).await;
    (log, entries)
}

#[tokio::test]
async fn packs_and_floors_follow_from_the_chain_alone() {
    // A commit that ends where a pack does; one that fills three packs; others that fill none.
    let (blobs, entries) = committed(&[200, 56, 100, 700, 10, 1]).await;
    packed(&blobs, PackShape::SMALL).await;
    assert_eq!(names(&blobs, "pack").await, [0, 1, 2, 3]);
    assert_eq!(names(&blobs, "floor").await, [2, 4]);
    let floor = blobs
        .get("floor/00000000000000000004", None)
        .await
        .unwrap()
        .unwrap();
    let floor = Floor::decode(&floor).unwrap();
    assert_eq!((floor.packs, floor.head.tree.size), (4, 356));
    let first = blobs
        .get("pack/00000000000000000000", None)
        .await
        .unwrap()
        .unwrap();
    golden("pack-small", &first);
    // One that begins at the newest floor, or at none, finds all done.
    packed(&blobs, PackShape::SMALL).await;
    let (log, found) = read_all(&blobs).await;
    assert!(found == entries);
    assert_eq!(log.head().tree.size, 1067);
}

/// A commit that ends where a pack does, and the next one fills another: each has a floor of its own.
#[tokio::test]
async fn no_two_commits_share_a_floor() {
    let (blobs, entries) = committed(&[256, 300, 212, 256]).await;
    packed(&blobs, PackShape::SMALL).await;
    assert_eq!(names(&blobs, "pack").await, [0, 1, 2, 3]);
    assert_eq!(names(&blobs, "floor").await, [1, 2, 3, 4]);
    sweep(&open(&blobs).await, PackShape::SMALL).await.unwrap();
    assert!(read_all(&blobs).await.1 == entries);
}

#[tokio::test]
async fn a_pack_of_the_standard_shape_has_the_golden_digest() {
    let counts = [30_000, 30_000, 10_000];
    let (blobs, _) = committed(&counts).await;
    packed(&blobs, PackShape::STANDARD).await;
    assert_eq!(names(&blobs, "pack").await, [0]);
    let bytes = blobs
        .get("pack/00000000000000000000", None)
        .await
        .unwrap()
        .unwrap();
    let digest = Sha256::digest(&bytes);
    golden("pack-standard.sha256", hex::encode(digest).as_bytes());
    Pack::decode(0, PackShape::STANDARD, &bytes).unwrap();
}

#[tokio::test]
async fn a_pack_that_was_changed_anywhere_is_refused() {
    let (blobs, _) = committed(&[256]).await;
    packed(&blobs, PackShape::SMALL).await;
    let bytes = blobs
        .get("pack/00000000000000000000", None)
        .await
        .unwrap()
        .unwrap();
    let decode = |number, bytes: Vec<u8>| {
        Pack::decode(number, PackShape::SMALL, &Bytes::from(bytes)).map(|pack| pack.number())
    };
    assert_eq!(decode(0, bytes.to_vec()), Ok(0));
    assert!(decode(1, bytes.to_vec()).is_err());
    // The header, the places of bundles, a hash, an entry's length, an entry.
    for place in [
        0,
        16,
        17,
        24,
        25,
        32,
        33,
        5000,
        8225,
        8226,
        8230,
        bytes.len() - 33,
    ] {
        let mut changed = bytes.to_vec();
        changed[place] ^= 1;
        assert!(decode(0, changed.clone()).is_err(), "byte {place}");
        assert!(decode(0, digested(changed)).is_err(), "byte {place}");
    }
    for length in [0, 31, 40, 9000, bytes.len() - 1] {
        assert!(
            decode(0, bytes[..length].to_vec()).is_err(),
            "cut to {length}"
        );
    }
}

#[tokio::test]
async fn a_sweep_deletes_packed_commits_and_leaves_fences_and_all_that_can_be_read() {
    let (blobs, entries) = committed(&[200, 56, 100, 700, 10, 1]).await;
    // Another leader, and one more.
    for _ in 0..2 {
        let (mut log, _) = read_all(&blobs).await;
        assert_eq!(log.fence().await.unwrap(), Fencing::Leads);
    }
    // A reader of all of it, and one in the middle.
    let (mut before, _) = read_all(&blobs).await;
    let mut lagging = BlobLog::new(open(&blobs).await, PackShape::SMALL);
    lagging.follow().await.unwrap();
    lagging.follow().await.unwrap();
    packed(&blobs, PackShape::SMALL).await;
    let swept = sweep(&open(&blobs).await, PackShape::SMALL).await.unwrap();
    let (deleted, fences) = (3, 1);
    assert_eq!(
        swept,
        Swept {
            deleted,
            fences,
            states: 0,
            tiles: 0,
        }
    );
    assert_eq!(names(&blobs, "commit").await, [0, 4, 5, 6, 7, 8]);
    let again = sweep(&open(&blobs).await, PackShape::SMALL).await.unwrap();
    assert_eq!(
        again,
        Swept {
            deleted: 0,
            fences,
            states: 0,
            tiles: 0,
        }
    );
    let (mut after, found) = read_all(&blobs).await;
    assert!(found == entries);
    assert_eq!(after.head(), before.head());
    while lagging.follow().await.unwrap() != Progress::End {}
    assert_eq!(lagging.head(), before.head());
    for log in [&mut before, &mut after, &mut lagging] {
        for range in [
            0..1,
            0..1067,
            199..201,
            255..257,
            300..1060,
            1056..1067,
            5..5,
        ] {
            let found = log.entries(range.clone()).await.unwrap();
            let (expected, _) = grown(
                &Frontier::default(),
                &entries[range.start as usize..range.end as usize],
            );
            assert!(found == expected, "{range:?}");
        }
        assert!(log.entries(1066..1068).await.is_err());
    }
}

/// What a sweep can't find in packs it does not delete.
#[tokio::test]
async fn a_commit_that_is_not_in_packs_as_it_is_in_the_chain_stays() {
    let (blobs, _) = committed(&[256, 256, 256]).await;
    packed(&blobs, PackShape::SMALL).await;
    let (other, _) = committed(&[300, 300]).await;
    drop(other);
    // A pack of other entries under the second one's name, and one that is gone.
    let name = "pack/00000000000000000001";
    let first = blobs
        .get("pack/00000000000000000000", None)
        .await
        .unwrap()
        .unwrap();
    let second = blobs.get(name, None).await.unwrap().unwrap();
    for wrong in [Some(first), Some(second.slice(..second.len() - 1)), None] {
        match wrong {
            Some(wrong) => blobs.put(name, wrong).await.unwrap(),
            None => blobs.delete(name).await.unwrap(),
        }
        let error = sweep(&open(&blobs).await, PackShape::SMALL)
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::DamagedObject { .. }), "{error}");
        assert_eq!(names(&blobs, "commit").await, [0, 2, 3]);
    }
    blobs.put(name, second).await.unwrap();
    let swept = sweep(&open(&blobs).await, PackShape::SMALL).await.unwrap();
    assert_eq!(swept.deleted, 1);
}

#[tokio::test]
async fn a_store_has_one_log_and_says_whose() {
    let blobs: Arc<dyn Blobs> = Arc::new(MemoryBlobs::default());
    let patience = Patience::default();
    let open = |origin: Origin| {
        let blobs = Arc::clone(&blobs);
        async move {
            Chain::open(blobs, &origin, patience)
                .await
                .map(|chain| chain.next())
        }
    };
    assert!(matches!(open(origin()).await, Err(StoreError::NoLog(_))));
    Chain::init(&*blobs, &origin(), patience).await.unwrap();
    // As after a crash.
    Chain::init(&*blobs, &origin(), patience).await.unwrap();
    assert_eq!(open(origin()).await.unwrap(), 0);
    let other: Origin = "other.example/ledger".parse().unwrap();
    let error = Chain::init(&*blobs, &other, patience).await.unwrap_err();
    assert!(error.to_string().contains("test.example/ledger"), "{error}");
    assert!(matches!(
        open(other).await,
        Err(StoreError::OtherLog { .. })
    ));
    let version = blobs.get("VERSION", None).await.unwrap().unwrap();
    assert_eq!(
        version,
        "arborlog blobs 1\ntest.example/ledger\n".as_bytes()
    );
}

/// An object that is in the wrong place, of the wrong session, or leads elsewhere is damage: nothing of
/// it is taken in.
#[tokio::test]
async fn a_reader_stops_at_what_does_not_follow() {
    let (blobs, _) = committed(&[2, 3]).await;
    let (log, _) = read_all(&blobs).await;
    let tree = log.chain().tree().clone();
    let (good, _) = batch(&tree, &numbered(5..6));
    let session = log.chain().session().unwrap();
    let nonce = [1; 16];
    let object = |seq, session, content| Commit {
        seq,
        session,
        nonce,
        content,
    };
    let mut other_root = good.clone();
    other_root.to.tree.root = Hash::empty_root();
    let (elsewhere, _) = batch(&Frontier::default(), &numbered(0..1));
    for (wrong, what) in [
        (
            object(4, session, Content::Batch(good.clone())),
            "another place",
        ),
        (object(3, SESSION, Content::Batch(good.clone())), "session"),
        (object(3, session, Content::Batch(other_root)), "lead"),
        (object(3, session, Content::Batch(elsewhere)), "lead"),
        (
            object(3, SESSION, Content::Fence(LogHead::empty())),
            "another head",
        ),
    ] {
        blobs
            .put("commit/00000000000000000003", wrong.encode())
            .await
            .unwrap();
        let mut reader = open(&blobs).await;
        for _ in 0..3 {
            reader.step().await.unwrap();
        }
        for _ in 0..2 {
            let error = reader.step().await.unwrap_err();
            assert!(matches!(error, StoreError::DamagedObject { .. }), "{error}");
            assert!(error.to_string().contains(what), "{error}");
            assert_eq!(reader.head(), log.head());
        }
    }
    let right = object(3, session, Content::Batch(good));
    blobs
        .put("commit/00000000000000000003", right.encode())
        .await
        .unwrap();
    let mut reader = open(&blobs).await;
    for _ in 0..4 {
        reader.step().await.unwrap();
    }
    assert_eq!(reader.head().tree.size, 6);
}

/// A leader that is deposed learns it from its next commit, and keeps nothing of that.
#[tokio::test]
async fn a_fence_deposes_who_led_before() {
    let (blobs, _) = committed(&[2]).await;
    let (mut old, _) = read_all(&blobs).await;
    assert_eq!(old.fence().await.unwrap(), Fencing::Leads);
    let (mut new, _) = read_all(&blobs).await;
    assert!(!new.leads());
    let (next, _) = batch(new.chain().tree(), &numbered(2..4));
    assert!(matches!(new.commit(&next).await, Committed::NotLeading));
    assert_eq!(new.fence().await.unwrap(), Fencing::Leads);
    let by = new.chain().session().unwrap();
    let (other, _) = batch(old.chain().tree(), &numbered(7..9));
    assert!(matches!(old.commit(&other).await, Committed::Deposed(found) if found == by));
    assert!(matches!(old.commit(&other).await, Committed::NotLeading));
    assert!(matches!(new.commit(&next).await, Committed::Committed));
    let stale = new.commit(&other).await;
    assert!(
        matches!(stale, Committed::Moved(head) if head == next.to),
        "{stale:?}"
    );
    let contradiction = Batch {
        from: new.head(),
        ..other.clone()
    };
    let refused = new.commit(&contradiction).await;
    assert!(matches!(refused, Committed::Refused(_)), "{refused:?}");
    let empty = Batch {
        from: new.head(),
        entries: Vec::new(),
        to: new.head(),
    };
    assert!(matches!(new.commit(&empty).await, Committed::Refused(_)));
    assert!(new.leads());
    while old.follow().await.unwrap() != Progress::End {}
    assert_eq!(old.head(), new.head());
}

/// Which state entry is the newest is for the entries to say (docs/decisions/0024): a head that names one is taken from
/// nobody.
#[tokio::test]
async fn a_head_that_names_a_state_entry_is_taken_from_nobody() {
    let blobs: Arc<dyn Blobs> = Arc::new(MemoryBlobs::default());
    let (origin, patience): (Origin, _) =
        ("test.example/log".parse().unwrap(), Patience::default());
    Chain::init(&*blobs, &origin, patience).await.unwrap();
    let mut leader = Chain::open(Arc::clone(&blobs), &origin, patience)
        .await
        .unwrap();
    assert_eq!(leader.fence().await.unwrap(), Fencing::Leads);
    let session = leader.session().unwrap();
    let (plain, _) = batch(&Frontier::default(), &numbered(0..3));
    let mut naming = plain.clone();
    naming.to.state = Some(StateHead {
        index: Index(2),
        size: 2,
        root: Hash::from_bytes([7; 32]),
    });
    let refused = leader.commit(&naming).await;
    assert!(matches!(refused, Committed::Refused(_)), "{refused:?}");
    let object = Commit {
        session,
        ..commit(1, Content::Batch(naming))
    };
    let name = format!("commit/{:020}", 1);
    blobs.create(&name, object.encode()).await.unwrap();
    let mut reader = Chain::open(Arc::clone(&blobs), &origin, patience)
        .await
        .unwrap();
    assert!(matches!(reader.step().await.unwrap(), Step::Fence(_)));
    let read = reader.step().await;
    assert!(
        matches!(read, Err(StoreError::DamagedObject { .. })),
        "{read:?}"
    );
}
