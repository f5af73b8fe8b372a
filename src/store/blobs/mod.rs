//! What an object store must do to keep a log, and the object stores that do.
//!
//! [`Blobs`] is five operations on named byte strings. Everything above it, from the chain of
//! commits to packs, is written against this trait alone: tests run the same code over a store
//! that loses, repeats and delays.
//!
//! The one operation that the log's safety rests on is [`Blobs::create`]: of all creates of one
//! name, one succeeds, and its bytes stay. There is no lock, no lease, no clock and no second
//! service beside it.

#[cfg(feature = "objects")]
mod address;
mod beat;
mod beginning;
mod chain;
mod commit;
mod counted;
mod edge;
mod fields;
mod floor;
mod folder;
mod log;
mod memory;
mod names;
#[cfg(feature = "objects")]
mod objects;
mod pack;
mod packed_tiles;
mod packer;
mod probe;
mod settle;
mod signs;
mod states;
mod static_tiles;
mod store;
mod sweep;

use std::fmt::Debug;
use std::ops::Range;

#[cfg(feature = "objects")]
pub use address::open;
pub use beat::{Beat, Handover, Standing};
pub use chain::{Chain, Committed, Fencing, Step};
pub use commit::{Commit, Content, Session};
pub(crate) use counted::CountedBlobs;
pub use floor::Floor;
pub use folder::FolderBlobs;
pub use log::{BlobLog, Progress};
pub use memory::MemoryBlobs;
#[cfg(feature = "objects")]
pub use objects::ObjectBlobs;
pub use pack::{Pack, PackShape};
pub use packer::{Packer, Packing};
pub use probe::{ROUNDS_AT_INIT, ROUNDS_AT_START, probe};
pub use settle::Patience;
pub use states::{FoundState, LoadedState, SavesState, load_state, newest_saved_size, save_state};
pub use static_tiles::StaticTiles;
pub use store::BlobStore;
pub use sweep::{Swept, sweep, sweep_states, sweep_tiles};

use super::{BoxFuture, Bytes};

/// Longest why of an error that is kept, in characters: stores answer errors with whole pages.
const WHY_CHARS_MAX: usize = 400;

/// What became of a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// There was no object of this name, and now there is one with these bytes. It is durable.
    Created,
    /// The store says that an object of this name exists, or that another request for the name is
    /// under way. Nothing was changed by the request that got this answer. It says nothing of
    /// whose object it is: an earlier request with the same bytes may have made it, though it was
    /// answered with an error. Read the object to know; if there is none, create again.
    AlreadyThere,
}

/// Why an object store could not do what it was asked.
///
/// Only [`Self::Unsupported`] and [`Self::Address`] say that nothing was done. After any other
/// error of a write, that write may have happened, or happen later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// No answer that says what was done: a time-out, a cut connection, an error of the server.
    #[error(
        "{object}: the store gave no clear answer ({why}); what was asked may have been done or not, or may still be done; ask the same again"
    )]
    Unclear {
        /// The object, with its store.
        object: String,
        /// What the store or the connection said.
        why: String,
    },
    /// The store does not accept the credentials, or they do not allow the request.
    #[error(
        "{object}: the store refuses access ({why}); check the credentials and what their role may do"
    )]
    Denied {
        /// The object, with its store.
        object: String,
        /// What the store said.
        why: String,
    },
    /// The store can't do this operation. Nothing was done.
    #[error(
        "{object}: the store does not do what a log needs ({why}); use one that creates objects only if they are absent"
    )]
    Unsupported {
        /// The object, with its store.
        object: String,
        /// What is not supported.
        why: String,
    },
    /// The address of a store can't be used. Nothing was done.
    #[error("{address} is no address of a store: {why}")]
    Address {
        /// The address.
        address: String,
        /// What is wrong with the address, and what one looks like.
        why: String,
    },
}

impl BlobError {
    /// An error that leaves open what was done.
    pub fn unclear(object: impl Into<String>, why: impl ToString) -> Self {
        Self::Unclear {
            object: object.into(),
            why: why.to_string().chars().take(WHY_CHARS_MAX).collect(),
        }
    }
}

/// A store of named byte strings.
///
/// A name is one or more parts with `/` between them; a part has ASCII letters, digits, `-`, `_`
/// and `.`, and does not begin with a `.`. All names are below the prefix that the store was opened
/// with.
///
/// What an implementation must hold, and `tests/blob_conformance.rs` looks at:
/// * Of all creates of a name that nobody deletes, in all processes, at most one makes the object.
/// * What was created, put or deleted is seen by every get and list that begins after the answer.
/// * A get gives the bytes of one whole write, never a mixture.
/// * An implementation never sends a create a second time by itself. If it did, it would find the
///   object that its own first request made, and deny it.
/// * What was created or put is durable when the answer comes. What a get or a list shows is
///   durable too: a reader publishes what stands on it.
///
/// A future that is dropped may leave its request under way: it may be carried out later.
pub trait Blobs: Debug + Send + Sync + 'static {
    /// Where the objects are, for messages. Without a secret.
    fn address(&self) -> String;

    /// Makes an object, unless one of this name exists.
    fn create<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<Creation, BlobError>>;

    /// Writes an object, in the place of one of this name. For names that one process writes.
    fn put<'a>(&'a self, name: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<(), BlobError>>;

    /// The bytes of an object, all or those of a range, or `None` if there is none. Of a range that
    /// reaches past the end, what there is.
    fn get<'a>(
        &'a self,
        name: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Option<Bytes>, BlobError>>;

    /// The names that begin with `folder` and a `/`, and come after the name `after`, in the order
    /// of their bytes; the first `names_max` of them. `after` need not exist; the empty one is
    /// before all.
    fn list_after<'a>(
        &'a self,
        folder: &'a str,
        after: &'a str,
        names_max: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, BlobError>>;

    /// Removes an object. None of this name is no error.
    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BlobError>>;
}

/// Whether a name is one that every store takes as it is: no store maps it, and none of its parts
/// is that of a temporary file.
fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.split('/').all(|part| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(good)
            && !crate::durable::is_temporary(std::path::Path::new(part))
    })
}

/// Refuses a name that not every store takes as it is.
fn check_name(store: &str, name: &str) -> Result<(), BlobError> {
    if is_name(name) {
        return Ok(());
    }
    Err(BlobError::Unsupported {
        object: format!("{store}/{}", name.escape_debug()),
        why: "the name is not made of letters, digits, '-', '_', '.' and '/'".to_owned(),
    })
}

/// The bytes of a range, as far as there are any.
fn part_of(bytes: &Bytes, range: Option<Range<u64>>) -> Bytes {
    let Some(range) = range else {
        return bytes.clone();
    };
    let place = |at: u64| usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len()));
    let end = place(range.end);
    bytes.slice(place(range.start).min(end)..end)
}
