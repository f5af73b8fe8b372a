//! The object store of a ledger, by its address.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arborlog::client::RemoteError;
use arborlog::durable::{self, at, read_if_there};
use arborlog::store::blobs::Blobs;

use super::store_log::StoreLog;
use super::{Done, Failure, connect};

/// How long a command waits for a server that leads: a follower takes over within 15 s, and one that is started
/// after a crash leads within some more.
const LEADER_PATIENCE: Duration = Duration::from_secs(30);
/// From one look for it to the next.
const LEADER_PAUSE: Duration = Duration::from_secs(1);

/// Opens the store of an address. Nothing is asked of it yet.
pub fn open(address: &str) -> Result<Arc<dyn Blobs>, Failure> {
    arborlog::store::blobs::open(address).map_err(Failure::usage)
}

/// Where the server that leads the ledger in a store is reached. It is asked whether it does: the last sign of
/// life of one that died still says that it leads.
pub fn leader(address: &str) -> Result<String, Failure> {
    let log = StoreLog::open(open(address)?)?;
    let begun = Instant::now();
    loop {
        let found = log.leader()?;
        if let Some(leader) = &found {
            match connect::quickly(leader).bytes("readyz") {
                Ok(_) => return Ok(leader.clone()),
                // It says so at its --admin-listen alone.
                Err(RemoteError::Problem { problem, .. }) if problem.status == 404 => {
                    return Ok(leader.clone());
                }
                Err(_) => {}
            }
        }
        if begun.elapsed() >= LEADER_PATIENCE {
            let seconds = LEADER_PATIENCE.as_secs();
            let what = match found {
                Some(leader) => {
                    format!("{leader} led the ledger in {address} last, and does not take records")
                }
                None => format!("no server says that it leads the ledger in {address}"),
            };
            return Err(anyhow::anyhow!(
                "{what}, after {seconds} s: start one, or name the servers with --to, if this is not the address at which they are reached from here (--advertise)"
            )
            .into());
        }
        std::thread::sleep(LEADER_PAUSE);
    }
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
