//! An object store whose requests are counted, by what came of them.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::{BlobError, Blobs, Creation};
use crate::measures::StoreRequests;
use crate::store::{BoxFuture, Bytes};

/// An object store, and what was asked of it.
#[derive(Debug)]
pub(crate) struct CountedBlobs {
    blobs: Arc<dyn Blobs>,
    requests: StoreRequests,
}

impl CountedBlobs {
    pub(crate) fn new(blobs: Arc<dyn Blobs>, requests: StoreRequests) -> Self {
        Self { blobs, requests }
    }

    /// Counts what comes of a request. One whose caller gives up is not counted: nobody knows what came of it.
    async fn count<T>(
        &self,
        operation: &'static str,
        request: impl Future<Output = Result<T, BlobError>>,
        name: impl FnOnce(&T) -> &'static str,
    ) -> Result<T, BlobError> {
        let begun = Instant::now();
        let done = request.await;
        let outcome = match &done {
            Ok(answer) => name(answer),
            Err(BlobError::Unclear { .. }) => "unclear",
            Err(BlobError::Denied { .. }) => "denied",
            Err(BlobError::Unsupported { .. } | BlobError::Address { .. }) => "unsupported",
        };
        self.requests.add(operation, outcome, begun.elapsed());
        done
    }
}

impl Blobs for CountedBlobs {
    fn address(&self) -> String {
        self.blobs.address()
    }

    fn create<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<Creation, BlobError>> {
        let created = self.blobs.create(name, bytes);
        Box::pin(self.count("create", created, |creation| match creation {
            Creation::Created => "done",
            Creation::AlreadyThere => "already_there",
        }))
    }

    fn put<'a>(&'a self, name: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), BlobError>> {
        Box::pin(self.count("put", self.blobs.put(name, bytes), |()| "done"))
    }

    fn get<'a>(
        &'a self,
        name: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Option<Bytes>, BlobError>> {
        let got = self.blobs.get(name, range);
        Box::pin(self.count("get", got, |found| match found {
            Some(_) => "done",
            None => "absent",
        }))
    }

    fn list_after<'a>(
        &'a self,
        folder: &'a str,
        after: &'a str,
        names_max: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, BlobError>> {
        let listed = self.blobs.list_after(folder, after, names_max);
        Box::pin(self.count("list", listed, |_| "done"))
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BlobError>> {
        Box::pin(self.count("delete", self.blobs.delete(name), |()| "done"))
    }
}
