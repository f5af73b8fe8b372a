//! An object store in memory that delays, loses, repeats and lies about what it did, as dice say; and whose
//! users can die.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arborlog::store::blobs::{BlobError, Blobs, Creation, MemoryBlobs};
use arborlog::store::{BoxFuture, Bytes};
use tokio::time::sleep;

use crate::dice::Dice;

/// What all processes have to do with.
pub struct FaultyStore {
    pub objects: MemoryBlobs,
    dice: Mutex<Dice>,
    /// From now on nothing fails any more.
    calm: AtomicBool,
}

impl FaultyStore {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            objects: MemoryBlobs::default(),
            dice: Mutex::new(Dice::new(seed)),
            calm: AtomicBool::new(false),
        })
    }

    pub fn set_calm(&self, calm: bool) {
        self.calm.store(calm, Ordering::SeqCst);
    }

    fn roll(&self, n: u64) -> u64 {
        self.dice.lock().unwrap().below(n)
    }

    /// One in `n`, while there is trouble.
    fn trouble(&self, n: u64) -> bool {
        !self.calm.load(Ordering::SeqCst) && self.roll(n) == 0
    }
}

/// The store as one process has it, until it dies.
#[derive(Clone)]
pub struct Link {
    store: Arc<FaultyStore>,
    alive: Arc<AtomicBool>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl Link {
    pub fn to(store: &Arc<FaultyStore>) -> Self {
        Self {
            store: Arc::clone(store),
            alive: Arc::new(AtomicBool::new(true)),
        }
    }

    /// From now on nothing is answered. What is on its way may arrive.
    pub fn die(&self) {
        self.alive.store(false, Ordering::SeqCst);
    }

    async fn on_its_way(&self) {
        if self.store.calm.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        } else if self.store.trouble(60) {
            sleep(Duration::from_millis(self.store.roll(25_000))).await;
        } else {
            sleep(Duration::from_millis(self.store.roll(30))).await;
        }
        if !self.alive.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }

    async fn read<T>(
        &self,
        read: impl Future<Output = Result<T, BlobError>>,
    ) -> Result<T, BlobError> {
        self.on_its_way().await;
        if self.store.trouble(25) {
            return Err(BlobError::unclear("an object", "503"));
        }
        let found = read.await;
        self.on_its_way().await;
        found
    }

    /// A write may be done though nobody is told, or be told an error; or be done much later; or never.
    async fn write<T, F>(
        &self,
        write: impl FnOnce(Arc<FaultyStore>) -> F + Send + 'static,
    ) -> Result<T, BlobError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, BlobError>> + Send,
    {
        let store = Arc::clone(&self.store);
        let is_late = store.trouble(40);
        let is_lost = store.trouble(40);
        let is_denied = store.trouble(25);
        let late = Duration::from_millis(store.roll(60_000));
        self.on_its_way().await;
        let arrival = tokio::spawn(async move {
            if is_lost {
                return None;
            }
            if is_late {
                sleep(late).await;
            }
            Some(write(store).await)
        });
        if is_late || is_lost {
            self.on_its_way().await;
            return Err(BlobError::unclear("an object", "no answer"));
        }
        let done = arrival.await.ok().flatten();
        self.on_its_way().await;
        match done {
            Some(done) if !is_denied => done,
            _ => Err(BlobError::unclear("an object", "503, though it was done")),
        }
    }
}

impl Blobs for Link {
    fn address(&self) -> String {
        "simulated".to_owned()
    }

    fn create<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<Creation, BlobError>> {
        let name = name.to_owned();
        Box::pin(self.write(move |store| async move { store.objects.create(&name, bytes).await }))
    }

    fn put<'a>(&'a self, name: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), BlobError>> {
        let name = name.to_owned();
        Box::pin(self.write(move |store| async move { store.objects.put(&name, bytes).await }))
    }

    fn get<'a>(
        &'a self,
        name: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Option<Bytes>, BlobError>> {
        Box::pin(self.read(self.store.objects.get(name, range)))
    }

    fn list_after<'a>(
        &'a self,
        folder: &'a str,
        after: &'a str,
        names_max: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, BlobError>> {
        Box::pin(self.read(self.store.objects.list_after(folder, after, names_max)))
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BlobError>> {
        let name = name.to_owned();
        Box::pin(self.write(move |store| async move { store.objects.delete(&name).await }))
    }
}
