//! What the log needs of an object store, held against each one that can be reached from here:
//! memory, files, the adapter of the crate `object_store`, and, if `ARBORLOG_TEST_STORE` names it,
//! a real one:
//!
//! ```text
//! AWS_ENDPOINT_URL=http://127.0.0.1:8333 AWS_ALLOW_HTTP=true AWS_REGION=us-east-1 \
//! AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… ARBORLOG_TEST_STORE=s3://bucket/prefix \
//!   cargo test --test blob_conformance
//! ```
#![cfg(feature = "cli")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arborlog::store::Bytes;
use arborlog::store::blobs::{
    BlobError, Blobs, Creation, FolderBlobs, MemoryBlobs, ObjectBlobs, open,
};

/// A store, and what must outlive it.
struct Place {
    blobs: Arc<dyn Blobs>,
    /// The same objects, by another opening, as another process has them.
    again: Arc<dyn Blobs>,
    _folder: Option<tempfile::TempDir>,
}

fn shared(blobs: impl Blobs) -> Place {
    let blobs = Arc::new(blobs);
    Place {
        again: Arc::clone(&blobs) as Arc<dyn Blobs>,
        blobs,
        _folder: None,
    }
}

fn places() -> Vec<Place> {
    let temp = tempfile::tempdir().unwrap();
    let folder = FolderBlobs::open(temp.path()).unwrap();
    let by_address = format!("file://{}", temp.path().display());
    let mut places = vec![
        shared(MemoryBlobs::default()),
        shared(ObjectBlobs::memory()),
        Place {
            blobs: Arc::new(folder),
            again: open(&by_address).unwrap(),
            _folder: Some(temp),
        },
    ];
    if let Ok(address) = std::env::var("ARBORLOG_TEST_STORE") {
        places.push(Place {
            blobs: open(&address).unwrap(),
            again: open(&address).unwrap(),
            _folder: None,
        });
    }
    places
}

/// A folder that no other run has.
fn fresh() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("test-{}-{number}", now.as_nanos())
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_created_object_stays_as_it_is_until_it_is_deleted() {
    for Place { blobs, again, .. } in &places() {
        let name = format!("{}/one", fresh());
        assert_eq!(blobs.get(&name, None).await, Ok(None), "{blobs:?}");
        let created = blobs.create(&name, bytes("first")).await;
        assert_eq!(created, Ok(Creation::Created), "{blobs:?}");
        for other in [blobs, again] {
            for text in ["second", "first", ""] {
                let second = other.create(&name, bytes(text)).await;
                assert_eq!(second, Ok(Creation::AlreadyThere), "{blobs:?}");
            }
            assert_eq!(other.get(&name, None).await, Ok(Some(bytes("first"))));
        }
        again.delete(&name).await.unwrap();
        again.delete(&name).await.unwrap();
        assert_eq!(blobs.get(&name, None).await, Ok(None), "{blobs:?}");
        let created = blobs.create(&name, bytes("third")).await;
        assert_eq!(created, Ok(Creation::Created), "{blobs:?}");
        blobs.delete(&name).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_race_for_a_name_one_succeeds_and_its_bytes_are_there() {
    for Place { blobs, again, .. } in &places() {
        for round in 0..10 {
            let name = format!("{}/{round}", fresh());
            let racers: Vec<_> = (0..16)
                .map(|racer: u8| {
                    let other = if racer.is_multiple_of(2) {
                        blobs
                    } else {
                        again
                    };
                    let (blobs, name) = (Arc::clone(other), name.clone());
                    tokio::spawn(async move {
                        let ours = Bytes::from(vec![racer; 5000]);
                        (blobs.create(&name, ours.clone()).await.unwrap(), ours)
                    })
                })
                .collect();
            let mut winners = Vec::new();
            for racer in racers {
                let (creation, ours) = racer.await.unwrap();
                if creation == Creation::Created {
                    winners.push(ours);
                }
            }
            let stored = blobs.get(&name, None).await.unwrap().unwrap();
            assert_eq!(winners, [stored], "{blobs:?}");
            blobs.delete(&name).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_takes_the_place_of_what_was_there() {
    for Place { blobs, again, .. } in &places() {
        let name = format!("{}/beat", fresh());
        for text in ["a longer text", "short", ""] {
            blobs.put(&name, bytes(text)).await.unwrap();
            assert_eq!(again.get(&name, None).await, Ok(Some(bytes(text))));
        }
        blobs.delete(&name).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_gives_its_bytes_and_no_more_than_there_are() {
    for Place { blobs, again, .. } in &places() {
        let name = format!("{}/range", fresh());
        blobs.create(&name, bytes("0123456789")).await.unwrap();
        for (range, expected) in [(0..10, "0123456789"), (3..5, "34"), (8..400, "89")] {
            let found = again.get(&name, Some(range)).await;
            assert_eq!(found, Ok(Some(bytes(expected))), "{blobs:?}");
        }
        let none = again.get(&format!("{name}-none"), Some(0..1)).await;
        assert_eq!(none, Ok(None), "{blobs:?}");
        blobs.delete(&name).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_the_names_behind_a_place_in_their_order() {
    for Place { blobs, again, .. } in &places() {
        let folder = fresh();
        let all: Vec<String> = ["009", "0090", "010", "a/b/c", "a/d", "b"]
            .iter()
            .map(|name| format!("{folder}/{name}"))
            .collect();
        for name in all.iter().rev() {
            blobs.create(name, bytes("x")).await.unwrap();
        }
        // Neighbours whose names begin alike, in folders that are no part of this one.
        let beside = format!("{folder}0/1");
        blobs.create(&beside, bytes("x")).await.unwrap();
        let list = |after: String, names_max| {
            let (again, folder) = (Arc::clone(again), folder.clone());
            async move { again.list_after(&folder, &after, names_max).await.unwrap() }
        };
        assert_eq!(list(String::new(), 100).await, all, "{blobs:?}");
        assert_eq!(list(String::new(), 2).await, all[..2], "{blobs:?}");
        assert_eq!(list(all[1].clone(), 1).await, all[2..3], "{blobs:?}");
        assert_eq!(list(format!("{folder}/00"), 9).await, all, "{blobs:?}");
        assert!(list(all[5].clone(), 9).await.is_empty(), "{blobs:?}");
        let none = again.list_after(&format!("{folder}-none"), "", 9).await;
        assert_eq!(none, Ok(Vec::new()), "{blobs:?}");
        for name in all.iter().chain([&beside]) {
            blobs.delete(name).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_not_every_store_takes_as_it_is_is_refused() {
    for Place { blobs, .. } in &places() {
        for name in [
            "", "/a", "a/", "a//b", "../a", "a/.b", "a b", "ä", "a%2f", "a\\b",
        ] {
            let refused = blobs.create(name, bytes("x")).await;
            let unsupported = matches!(refused, Err(BlobError::Unsupported { .. }));
            assert!(unsupported, "{blobs:?} {name:?}");
        }
    }
}

/// A process that was killed while it wrote leaves a temporary file: no list shows it.
#[tokio::test]
async fn files_under_temporary_names_are_no_objects() {
    let temp = tempfile::tempdir().unwrap();
    let blobs = FolderBlobs::open(temp.path()).unwrap();
    blobs.create("commit/1", bytes("x")).await.unwrap();
    std::fs::write(temp.path().join("commit/2.77-0.arborlog.tmp"), "cut").unwrap();
    let names = blobs.list_after("commit", "", 9).await.unwrap();
    assert_eq!(names, ["commit/1"]);
}
