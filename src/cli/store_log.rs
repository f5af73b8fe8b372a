//! A ledger on an object store, as audits and checks read it: without its servers.

use std::sync::Arc;

use arborlog::audit::{SourceError, StaticLog, TileSource};
use arborlog::merkle::TileId;
use arborlog::note::TreeHead;
use arborlog::record::Origin;
use arborlog::store::blobs::{
    Beat, BlobStore, Blobs, Chain, PackShape, Patience, Progress, Standing,
};
use arborlog::store::{Store as _, StoreError};
use tokio::runtime::Runtime;

use super::Failure;

/// A ledger on an object store, up to where its chain was read.
pub struct StoreLog {
    store: BlobStore,
    /// Audits are not asynchronous, and ask from several threads.
    runtime: Runtime,
    /// What the store says that it is the ledger of.
    origin: Origin,
}

impl StoreLog {
    /// Reads the chain to its end.
    pub fn open(blobs: Arc<dyn Blobs>) -> Result<Self, Failure> {
        let runtime = Runtime::new()?;
        let patience = Patience::default();
        let opened = runtime.block_on(async {
            let origin = Chain::origin(&*blobs, patience).await?;
            let shape = PackShape::STANDARD;
            let store = BlobStore::open(blobs, &origin, shape, patience).await?;
            store.begin_at_floor(u64::MAX).await?;
            read_on(&store).await?;
            Ok::<_, StoreError>((store, origin))
        });
        let (store, origin) = opened.map_err(super::fsck::damaged)?;
        Ok(Self {
            store,
            runtime,
            origin,
        })
    }

    /// The ledger's origin.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The tree up to where the chain was read.
    pub fn head(&self) -> Result<TreeHead, Failure> {
        Ok(self.runtime.block_on(self.store.head())?.tree)
    }

    /// Where the server that leads is reached, as it says itself; `None` while none leads, or where it does not
    /// say. Reads what was committed since.
    pub fn leader(&self) -> Result<Option<String>, Failure> {
        let found = self.runtime.block_on(async {
            read_on(&self.store).await?;
            let Some(session) = self.store.session().await else {
                return Ok(None);
            };
            let blobs = &**self.store.blobs();
            Ok::<_, StoreError>(Beat::get(blobs, session, self.store.patience()).await?)
        })?;
        Ok(found
            .filter(|beat| beat.standing == Standing::Leads && !beat.address.is_empty())
            .map(|beat| beat.address))
    }
}

async fn read_on(store: &BlobStore) -> Result<(), StoreError> {
    while store.follow().await? != Progress::End {}
    Ok(())
}

fn unreachable(error: impl std::fmt::Display) -> SourceError {
    SourceError::Unreachable(error.to_string())
}

impl TileSource for StoreLog {
    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        let read = self.runtime.block_on(self.store.read(id));
        let bytes = read.map_err(unreachable)?;
        bytes.map(|bytes| bytes.to_vec()).ok_or(SourceError::Absent)
    }
}

impl StaticLog for StoreLog {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        let read = async {
            let checkpoint = self.store.checkpoint().await?;
            // It covers commits that may have come since the chain was read.
            read_on(&self.store).await?;
            Ok::<_, StoreError>(checkpoint)
        };
        let checkpoint = self.runtime.block_on(read).map_err(unreachable)?;
        let checkpoint = checkpoint.ok_or(SourceError::Absent)?;
        Ok(checkpoint.to_vec())
    }

    fn hours_after(&self, after: Option<u64>) -> Result<Vec<u64>, SourceError> {
        let hours = self.store.cosigned_hours(after);
        self.runtime.block_on(hours).map_err(unreachable)
    }

    fn hour(&self, hour: u64) -> Result<Vec<u8>, SourceError> {
        let note = self.runtime.block_on(self.store.cosigned_hour(hour));
        let note = note.map_err(unreachable)?.ok_or(SourceError::Absent)?;
        Ok(note.to_vec())
    }
}
