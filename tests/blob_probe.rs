//! Stores that lie, in the ways that servers were seen to lie: the probe refuses each by name, and
//! takes those that are right.
#![cfg(feature = "cli")]

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arborlog::store::blobs::{
    BlobError, Blobs, Creation, FolderBlobs, MemoryBlobs, ObjectBlobs, ROUNDS_AT_INIT,
    ROUNDS_AT_START, probe,
};
use arborlog::store::{BoxFuture, Bytes, StoreError};
use tokio::time::sleep;

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// It ignores the condition: the last writer wins, and all are told that they did.
    IgnoresCondition,
    /// It looks whether there is an object, and writes then, without a lock.
    LooksThenWrites,
    /// It says that it created, and writes later.
    WritesLater,
    /// It says that it created, and forgets it.
    Forgets,
    /// It denies all creates, and does one.
    DeniesAll,
    /// It denies all creates, and does none.
    DoesNothing,
    /// It lists a name some time after it was created.
    ListsLate,
    /// It gives the whole object for a range.
    IgnoresRanges,
    /// It loses one answer in three: no lie.
    LosesAnswers,
    /// It never answers a create.
    IsSilent,
}

#[derive(Debug)]
struct Liar {
    objects: Arc<MemoryBlobs>,
    lie: Lie,
    asked: AtomicU64,
}

impl Liar {
    fn with(lie: Lie) -> Arc<dyn Blobs> {
        Arc::new(Self {
            objects: Arc::default(),
            lie,
            asked: AtomicU64::new(0),
        })
    }
}

impl Blobs for Liar {
    fn address(&self) -> String {
        format!("liar://{:?}", self.lie)
    }

    fn create<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<Creation, BlobError>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let objects = &self.objects;
        Box::pin(async move {
            match self.lie {
                Lie::IgnoresCondition => {
                    objects.put(name, bytes).await?;
                    Ok(Creation::Created)
                }
                Lie::LooksThenWrites => {
                    if objects.get(name, None).await?.is_some() {
                        return Ok(Creation::AlreadyThere);
                    }
                    sleep(Duration::from_millis(2)).await;
                    objects.put(name, bytes).await?;
                    Ok(Creation::Created)
                }
                Lie::WritesLater | Lie::Forgets if asked == 0 => {
                    let (objects, name) = (Arc::clone(objects), name.to_owned());
                    if self.lie == Lie::WritesLater {
                        tokio::spawn(async move {
                            sleep(Duration::from_millis(200)).await;
                            objects.create(&name, bytes).await
                        });
                    }
                    Ok(Creation::Created)
                }
                Lie::WritesLater | Lie::Forgets | Lie::DoesNothing => Ok(Creation::AlreadyThere),
                Lie::DeniesAll => {
                    objects.create(name, bytes).await?;
                    Ok(Creation::AlreadyThere)
                }
                Lie::LosesAnswers if asked.is_multiple_of(3) => {
                    objects.create(name, bytes).await?;
                    Err(BlobError::unclear(name, "503"))
                }
                Lie::IsSilent => std::future::pending().await,
                Lie::ListsLate | Lie::IgnoresRanges | Lie::LosesAnswers => {
                    objects.create(name, bytes).await
                }
            }
        })
    }

    fn put<'a>(&'a self, name: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), BlobError>> {
        self.objects.put(name, bytes)
    }

    fn get<'a>(
        &'a self,
        name: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Option<Bytes>, BlobError>> {
        let range = range.filter(|_| self.lie != Lie::IgnoresRanges);
        self.objects.get(name, range)
    }

    fn list_after<'a>(
        &'a self,
        folder: &'a str,
        after: &'a str,
        names_max: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, BlobError>> {
        if self.lie == Lie::ListsLate {
            return Box::pin(async { Ok(Vec::new()) });
        }
        self.objects.list_after(folder, after, names_max)
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BlobError>> {
        self.objects.delete(name)
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lies_is_refused_by_name() {
    for (lie, what) in [
        (Lie::IgnoresCondition, "told several"),
        (Lie::LooksThenWrites, "told several"),
        (Lie::WritesLater, "not there"),
        (Lie::Forgets, "not there"),
        (Lie::DoesNothing, "it was there already"),
        (Lie::ListsLate, "list"),
        (Lie::IgnoresRanges, "ranges"),
    ] {
        let refused = probe(&[Liar::with(lie)], ROUNDS_AT_START)
            .await
            .unwrap_err();
        assert!(
            matches!(refused, StoreError::Unfit { .. }),
            "{lie:?}: {refused}"
        );
        let text = refused.to_string();
        assert!(
            text.contains(what) && text.contains(&format!("liar://{lie:?}")),
            "{text}"
        );
    }
}

/// Two addresses of one store that don't see the same are caught too.
#[tokio::test(start_paused = true)]
async fn addresses_with_stores_of_their_own_are_no_one_store() {
    let addresses: [Arc<dyn Blobs>; 2] = [
        Arc::new(MemoryBlobs::default()),
        Arc::new(MemoryBlobs::default()),
    ];
    let refused = probe(&addresses, ROUNDS_AT_START).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unfit { .. }), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_gives_no_clear_answer_is_not_called_a_liar() {
    let silent = probe(&[Liar::with(Lie::IsSilent)], ROUNDS_AT_START)
        .await
        .unwrap_err();
    let unclear = matches!(silent, StoreError::Blob(BlobError::Unclear { .. }));
    assert!(unclear, "{silent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_right_passes_though_it_loses_answers() {
    let temp = tempfile::tempdir().unwrap();
    let folder: Arc<dyn Blobs> = Arc::new(FolderBlobs::open(temp.path()).unwrap());
    let again: Arc<dyn Blobs> = Arc::new(FolderBlobs::open(temp.path()).unwrap());
    for addresses in [
        vec![Arc::new(MemoryBlobs::default()) as Arc<dyn Blobs>],
        vec![Arc::new(ObjectBlobs::memory())],
        vec![folder, again],
        vec![Liar::with(Lie::LosesAnswers)],
        // Whose object it is can be read: that it is denied loses nothing.
        vec![Liar::with(Lie::DeniesAll)],
    ] {
        probe(&addresses, ROUNDS_AT_INIT).await.unwrap();
    }
    if let Ok(address) = std::env::var("ARBORLOG_TEST_STORE") {
        let store = || arborlog::store::blobs::open(&address).unwrap();
        probe(&[store(), store()], ROUNDS_AT_INIT).await.unwrap();
    }
}
