//! Objects in this process's memory, for tests: nothing outlives the process.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{BlobError, Blobs, Creation, check_name, part_of};
use crate::store::{BoxFuture, Bytes};

const ADDRESS: &str = "memory://";

/// Objects in memory.
#[derive(Debug, Default)]
pub struct MemoryBlobs {
    /// By name. Each operation takes the lock once, so that operations come one after the other.
    objects: Mutex<BTreeMap<String, Bytes>>,
}

impl MemoryBlobs {
    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        // No operation leaves a map half changed.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blobs for MemoryBlobs {
    fn address(&self) -> String {
        ADDRESS.to_owned()
    }

    fn create<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<Creation, BlobError>> {
        Box::pin(async move {
            check_name(ADDRESS, name)?;
            let mut objects = self.objects();
            if objects.contains_key(name) {
                return Ok(Creation::AlreadyThere);
            }
            objects.insert(name.to_owned(), bytes);
            Ok(Creation::Created)
        })
    }

    fn put<'a>(&'a self, name: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), BlobError>> {
        Box::pin(async move {
            check_name(ADDRESS, name)?;
            self.objects().insert(name.to_owned(), bytes);
            Ok(())
        })
    }

    fn get<'a>(
        &'a self,
        name: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Option<Bytes>, BlobError>> {
        Box::pin(async move {
            check_name(ADDRESS, name)?;
            Ok(self.objects().get(name).map(|bytes| part_of(bytes, range)))
        })
    }

    fn list_after<'a>(
        &'a self,
        folder: &'a str,
        after: &'a str,
        names_max: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, BlobError>> {
        Box::pin(async move {
            check_name(ADDRESS, folder)?;
            let begins = format!("{folder}/");
            let objects = self.objects();
            let from = (Bound::Excluded(after.to_owned()), Bound::Unbounded);
            let names = objects.range::<String, _>(from).map(|(name, _)| name);
            let names = names.filter(|name| name.starts_with(&begins));
            Ok(names.take(names_max).cloned().collect())
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BlobError>> {
        Box::pin(async move {
            check_name(ADDRESS, name)?;
            self.objects().remove(name);
            Ok(())
        })
    }
}
