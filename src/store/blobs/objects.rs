//! Objects of S3, Google Cloud Storage, Azure, and what speaks like them, by the crate
//! `object_store`.
//!
//! That crate sends requests again by itself after errors of a server and cut connections, creates
//! too: it then meets the object that its own first request made, and answers that the object
//! existed before. So it is opened without retries ([`super::address`]); [`super::settle`] sends
//! the same bytes again, and reads what is there.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use futures_util::StreamExt as _;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutMode};

use super::{BlobError, Blobs, Creation, check_name};
use crate::store::{BoxFuture, Bytes};

/// Objects of an object store, below a prefix.
pub struct ObjectBlobs {
    objects: Arc<dyn ObjectStore>,
    /// The address that the store was opened with.
    address: String,
    /// What all names begin with: empty, or ends with a `/`.
    prefix: String,
}

impl fmt::Debug for ObjectBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ObjectBlobs").field(&self.address).finish()
    }
}

impl ObjectBlobs {
    /// The objects of this process's memory, by the crate's own store: what tests hold this module
    /// against where no server can be reached.
    pub fn memory() -> Self {
        let memory = Arc::new(object_store::memory::InMemory::new());
        Self::new(memory, "memory:".to_owned(), "a/prefix")
    }

    /// The objects below a prefix, which may be empty.
    pub(super) fn new(objects: Arc<dyn ObjectStore>, address: String, prefix: &str) -> Self {
        let prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Self {
            objects,
            address,
            prefix,
        }
    }

    fn path(&self, name: &str) -> Result<Path, BlobError> {
        check_name(&self.address, name)?;
        Path::parse(format!("{}{name}", self.prefix)).map_err(|error| BlobError::Unsupported {
            object: self.object(name),
            why: error.to_string(),
        })
    }

    fn object(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    fn error(&self, name: &str, error: &Error) -> BlobError {
        let object = self.object(name);
        match error {
            Error::NotImplemented { .. } | Error::NotSupported { .. } => BlobError::Unsupported {
                object,
                why: error.to_string(),
            },
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => BlobError::Denied {
                object,
                why: error.to_string(),
            },
            _ => BlobError::unclear(object, error),
        }
    }
}

impl Blobs for ObjectBlobs {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn create<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<Creation, BlobError>> {
        Box::pin(async move {
            let path = self.path(name)?;
            let mode = PutMode::Create.into();
            match self.objects.put_opts(&path, bytes.into(), mode).await {
                Ok(_) => Ok(Creation::Created),
                // Stores answer 409 too, when another create is under way and this one was not
                // done: then there may be no object.
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                    Ok(Creation::AlreadyThere)
                }
                Err(error) => Err(self.error(name, &error)),
            }
        })
    }

    fn put<'a>(&'a self, name: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), BlobError>> {
        Box::pin(async move {
            let path = self.path(name)?;
            let put = self.objects.put(&path, bytes.into()).await;
            put.map(drop).map_err(|error| self.error(name, &error))
        })
    }

    fn get<'a>(
        &'a self,
        name: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Option<Bytes>, BlobError>> {
        Box::pin(async move {
            let path = self.path(name)?;
            let options = GetOptions {
                range: range.map(GetRange::Bounded),
                ..GetOptions::default()
            };
            let bytes = match self.objects.get_opts(&path, options).await {
                Ok(found) => found.bytes().await,
                Err(error) => Err(error),
            };
            match bytes {
                Ok(bytes) => Ok(Some(bytes)),
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(self.error(name, &error)),
            }
        })
    }

    fn list_after<'a>(
        &'a self,
        folder: &'a str,
        after: &'a str,
        names_max: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, BlobError>> {
        Box::pin(async move {
            let path = self.path(folder)?;
            let mut found = if after.is_empty() {
                self.objects.list(Some(&path))
            } else {
                // Not checked as a name is: it need not be one.
                let after = Path::from(format!("{}{after}", self.prefix));
                self.objects.list_with_offset(Some(&path), &after)
            };
            let mut names: Vec<String> = Vec::new();
            while names.len() < names_max
                && let Some(object) = found.next().await
            {
                let object = object.map_err(|error| self.error(folder, &error))?;
                let path = object.location.as_ref();
                let name = path.strip_prefix(&self.prefix).unwrap_or(path).to_owned();
                // Whatever stands first is taken for the smallest. S3's directory buckets list in
                // an order of their own.
                if names.last().is_some_and(|last| *last >= name) {
                    return Err(BlobError::Unsupported {
                        object: self.object(folder),
                        why: "it does not list names in their order".to_owned(),
                    });
                }
                names.push(name);
            }
            Ok(names)
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BlobError>> {
        Box::pin(async move {
            let path = self.path(name)?;
            match self.objects.delete(&path).await {
                Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(self.error(name, &error)),
            }
        })
    }
}
