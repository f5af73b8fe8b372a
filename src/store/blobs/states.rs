//! The ledger's state, saved in the store: derived, and checked against the log by whoever loads it.
//!
//! A state is saved as of a state entry, so that the log itself says its root. Its parts come first, then
//! `meta`, then the name of its folder in `state/newest`: a crash anywhere leaves the state before, and parts that
//! nobody reads, which a sweep deletes.

use std::sync::Arc;

use bincode::{Decode, Encode};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::commit::Session;
use super::settle::Patience;
use super::{Blobs, names};
use crate::ledger::{Globals, RULES_VERSION, State, StateImage};
use crate::record::{Index, decode, encode};
use crate::store::{Bytes, StoreError};

/// The layout of parts and meta.
const FORMAT: u32 = 1;
/// Bytes of a part, about: one request each.
const PART_BYTES: usize = 8 << 20;
const META_BYTES_MAX: usize = 4 << 20;
/// Names that are listed at once.
const NAMES_AT_ONCE: usize = 1000;

/// What makes a saved state whole.
#[derive(Encode, Decode)]
struct Meta {
    format: u32,
    /// The version of the rules that made the state.
    rules: u32,
    /// Number of entries that the state rests on.
    size: u64,
    /// The state entry that says its root.
    said_by: u64,
    /// SHA-256 of each part, in order.
    parts: Vec<[u8; 32]>,
    /// The state root.
    root: [u8; 32],
    /// What the state holds beside its maps.
    globals: Globals,
}

/// A state that was loaded.
pub struct LoadedState {
    /// The state. Its root was made again.
    pub state: State,
    /// The state entry that must say so.
    pub said_by: Index,
    /// The state root.
    pub root: [u8; 32],
}

/// A state to be saved: its image, the state entry that says its root, and that root.
pub trait SavesState: Send + Sync + 'static {
    /// The state.
    fn image(&self) -> &StateImage;
    /// Its root.
    fn root(&self) -> [u8; 32];
}

/// Saves a state; gives the number of bytes that it took.
///
/// # Errors
/// [`StoreError`]; then the state that was saved before stays the newest.
pub async fn save_state(
    blobs: &dyn Blobs,
    patience: Patience,
    said_by: Index,
    saved: Arc<impl SavesState>,
) -> Result<u64, StoreError> {
    let globals = saved.image().globals.clone();
    let root = saved.root();
    let folder = names::state_folder(globals.entries, Session::draw()?);
    // Encoded on a thread that may block, one part ahead of the one that is sent.
    let (made, mut parts) = mpsc::channel(1);
    // The pages are let go as they are encoded, unless proofs are still made from them.
    let buckets = saved.image().buckets();
    drop(saved);
    let encoding = tokio::task::spawn_blocking(move || {
        let send = |part: Vec<u8>| {
            made.blocking_send(part)
                .map_err(|_| "nobody takes it".to_owned())
        };
        let mut part = Vec::new();
        for (map, bucket) in buckets {
            let first_key = bucket.first_key().map_err(|error| error.to_string())?;
            let items = bucket.bytes().map_err(|error| error.to_string())?;
            put_bucket(&mut part, map, &first_key, &items).ok_or("a bucket is too long")?;
            if part.len() >= PART_BYTES {
                send(std::mem::take(&mut part))?;
            }
        }
        if part.is_empty() { Ok(()) } else { send(part) }
    });
    let (mut digests, mut bytes) = (Vec::new(), 0);
    while let Some(part) = parts.recv().await {
        let part = Bytes::from(part);
        digests.push(Sha256::digest(&part).into());
        bytes += part.len() as u64;
        let name = names::state_part(&folder, digests.len() as u64 - 1);
        patience
            .ask(&name, || blobs.put(&name, part.clone()))
            .await?;
    }
    let encoded: Result<(), String> = encoding
        .await
        .map_err(|error| StoreError::Stopped(error.to_string()))?;
    encoded.map_err(StoreError::Stopped)?;
    let meta = Meta {
        format: FORMAT,
        rules: RULES_VERSION,
        size: globals.entries,
        said_by: said_by.0,
        parts: digests,
        root,
        globals,
    };
    let meta = encode::<_, META_BYTES_MAX>(&meta);
    let meta = Bytes::from(meta.map_err(|error| StoreError::Stopped(error.to_string()))?);
    let name = names::state_meta(&folder);
    patience
        .ask(&name, || blobs.put(&name, meta.clone()))
        .await?;
    let pointer = Bytes::from(folder);
    let put = || blobs.put(names::NEWEST_STATE, pointer.clone());
    patience.ask(names::NEWEST_STATE, put).await?;
    Ok(bytes)
}

/// The number of entries of the newest state that is saved, if one is.
///
/// # Errors
/// [`StoreError`].
pub async fn newest_saved_size(
    blobs: &dyn Blobs,
    patience: Patience,
) -> Result<Option<u64>, StoreError> {
    let newest = newest_folder(blobs, patience).await?;
    Ok(newest.and_then(|folder| names::state_size(&folder)))
}

/// What is named as the folder of the newest saved state: if it was damaged, no name of one.
async fn newest_folder(
    blobs: &dyn Blobs,
    patience: Patience,
) -> Result<Option<String>, StoreError> {
    let ask = || blobs.get(names::NEWEST_STATE, None);
    let newest = patience.ask(names::NEWEST_STATE, ask).await?;
    Ok(newest.map(|name| String::from_utf8_lossy(&name).into_owned()))
}

/// A state that is saved.
pub struct FoundState {
    /// The number of entries that it rests on.
    pub size: u64,
    /// The state; or why it can't be used, in words.
    pub loaded: Result<LoadedState, String>,
}

/// The newest state that is saved, or the newest one of fewer entries than `below`; `None` if there is none.
///
/// # Errors
/// [`StoreError`] when the store can't be asked.
pub async fn load_state(
    blobs: &dyn Blobs,
    patience: Patience,
    below: Option<u64>,
) -> Result<Option<FoundState>, StoreError> {
    let folder = match below {
        None => {
            let Some(folder) = newest_folder(blobs, patience).await? else {
                return Ok(None);
            };
            match names::state_size(&folder) {
                Some(size) => Some((size, folder)),
                // Damaged: the list has the names too.
                None => newest_below(blobs, patience, u64::MAX).await?,
            }
        }
        Some(size) => newest_below(blobs, patience, size).await?,
    };
    let Some((size, folder)) = folder else {
        return Ok(None);
    };
    let loaded = load_from(blobs, patience, size, folder).await?;
    Ok(Some(FoundState { size, loaded }))
}

/// The folder of the newest saved state of fewer entries than `size` that has its `meta`. Reads the names of all that
/// are older, so it is for a store whose newest one can't be used.
async fn newest_below(
    blobs: &dyn Blobs,
    patience: Patience,
    size: u64,
) -> Result<Option<(u64, String)>, StoreError> {
    let names = names_below(blobs, patience, size).await?;
    Ok(names.iter().rev().find_map(|(size, name)| {
        let (folder, part) = name.rsplit_once('/')?;
        (part == names::META).then(|| (*size, folder.to_owned()))
    }))
}

/// The names of all parts of saved states of fewer entries than `size`, with their numbers of entries, in the order of
/// these.
async fn names_below(
    blobs: &dyn Blobs,
    patience: Patience,
    size: u64,
) -> Result<Vec<(u64, String)>, StoreError> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let ask = || blobs.list_after(names::STATES, &after, NAMES_AT_ONCE);
        let names = patience.ask(names::STATES, ask).await?;
        let Some(last) = names.last() else {
            return Ok(found);
        };
        after = last.clone();
        let sized = names.into_iter().filter_map(|name| {
            let (folder, _) = name.rsplit_once('/')?;
            Some((names::state_size(folder)?, name))
        });
        found.extend(sized.filter(|(of, _)| *of < size));
    }
}

async fn load_from(
    blobs: &dyn Blobs,
    patience: Patience,
    size: u64,
    folder: String,
) -> Result<Result<LoadedState, String>, StoreError> {
    let get = |name: String| async move { patience.ask(&name, || blobs.get(&name, None)).await };
    let Some(meta) = get(names::state_meta(&folder)).await? else {
        return Ok(Err(format!("{folder} is not whole")));
    };
    let meta = match decode::<Meta, META_BYTES_MAX>(&meta) {
        Ok(meta) if (meta.format, meta.rules) == (FORMAT, RULES_VERSION) => meta,
        Ok(_) => return Ok(Err(format!("{folder} was saved by another version"))),
        Err(error) => return Ok(Err(format!("{folder}: {error}"))),
    };
    if meta.size != size || meta.globals.entries != size {
        return Ok(Err(format!("{folder} contradicts itself")));
    }
    let mut state = State::from_globals(meta.globals.clone());
    for (number, digest) in (0..).zip(&meta.parts) {
        let name = names::state_part(&folder, number);
        let part = get(name.clone()).await?;
        let whole = part.filter(|part| <[u8; 32]>::from(Sha256::digest(part)) == *digest);
        let Some(part) = whole else {
            return Ok(Err(format!("{name} is damaged, or not there")));
        };
        if let Err(why) = load_part(&mut state, &part) {
            return Ok(Err(format!("{name}: {why}")));
        }
    }
    let roots = match state.roots() {
        Ok(roots) => roots,
        Err(error) => return Ok(Err(format!("{folder}: {error}"))),
    };
    if *roots.state_root().as_bytes() != meta.root {
        return Ok(Err(format!("{folder} does not have the root that it says")));
    }
    if let Err(error) = state.globals().check_sums(&roots) {
        return Ok(Err(format!("{folder}: {error}")));
    }
    Ok(Ok(LoadedState {
        state,
        said_by: Index(meta.said_by),
        root: meta.root,
    }))
}

/// Deletes saved states older than the one before the newest: a start may be reading that one.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn sweep_states(blobs: &dyn Blobs, patience: Patience) -> Result<u64, StoreError> {
    let Some(newest) = newest_saved_size(blobs, patience).await? else {
        return Ok(0);
    };
    let found = names_below(blobs, patience, newest).await?;
    // Names are in the order of sizes: the last one before the newest stays.
    let kept = found.last().map_or(0, |(size, _)| *size);
    let mut deleted = 0;
    for (_, name) in found.into_iter().filter(|(size, _)| *size < kept) {
        patience.ask(&name, || blobs.delete(&name)).await?;
        deleted += 1;
    }
    Ok(deleted)
}

/// Appends a bucket: its map, its first key and its items, the last two behind their lengths.
fn put_bucket(part: &mut Vec<u8>, map: u8, first_key: &[u8], items: &[u8]) -> Option<()> {
    part.push(map);
    part.push(u8::try_from(first_key.len()).ok()?);
    part.extend_from_slice(first_key);
    part.extend_from_slice(&u32::try_from(items.len()).ok()?.to_be_bytes());
    part.extend_from_slice(items);
    Some(())
}

/// Loads the buckets of a part, in order.
fn load_part(state: &mut State, part: &[u8]) -> Result<(), String> {
    let cut = || "it ends too early".to_owned();
    let mut rest = part;
    while let Some(([map, length], after)) = rest.split_first_chunk() {
        let (first_key, after) = after.split_at_checked((*length).into()).ok_or_else(cut)?;
        let (length, after) = after.split_first_chunk().ok_or_else(cut)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| cut())?;
        let (items, after) = after.split_at_checked(length).ok_or_else(cut)?;
        let loaded = state.load(*map, first_key, items);
        loaded.map_err(|error| error.to_string())?;
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(cut()) }
}
