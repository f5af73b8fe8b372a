//! The object store of a ledger, by its address.

use std::path::Path;
use std::sync::Arc;

use arborlog::durable::{self, at, read_if_there};
use arborlog::store::blobs::Blobs;

use super::{Done, Failure};

/// Opens the store of an address. Nothing is asked of it yet.
pub fn open(address: &str) -> Result<Arc<dyn Blobs>, Failure> {
    arborlog::store::blobs::open(address).map_err(Failure::usage)
}

/// The store of the ledger whose keys are in a directory: the one that is named, or the one with which it was
/// made. `None` for a ledger that is in the directory itself.
pub fn of(dir: &Path, named: Option<&str>) -> Result<Option<Arc<dyn Blobs>>, Failure> {
    if let Some(address) = named {
        return open(address).map(Some);
    }
    let path = dir.join("store");
    let Some(address) = read_if_there(&path)? else {
        return Ok(None);
    };
    let address = String::from_utf8(address)
        .map_err(|error| std::io::Error::other(error.to_string()))
        .map_err(at(&path))?;
    open(address.trim_end()).map(Some)
}

/// Notes in a directory in which store its ledger is.
pub fn note(dir: &Path, address: &str) -> Done {
    Ok(durable::create(
        &dir.join("store"),
        format!("{address}\n").as_bytes(),
    )?)
}
