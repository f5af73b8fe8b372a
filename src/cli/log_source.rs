//! Which log a command is about: a URL, an object store, or a folder that holds a mirror.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use arborlog::audit::{AuditError, Folder, StaticLog};
use arborlog::client::{Remote, RemoteLog};
use arborlog::durable::{FileError, at};
use arborlog::note::VerifierKey;
use arborlog::outcome::Outcome;

use super::store_log::StoreLog;
use super::{Failure, connect, read_text, store};

/// How long a command asks a log that does not answer before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// As [`open`], for an auditor that cosigns: the checkpoint of a log at a URL is that of its newest commit. The one at
/// `/checkpoint` may wait for this very auditor.
pub fn open_newest(place: &str) -> Result<Box<dyn StaticLog>, Failure> {
    match is_url(place) {
        true => Ok(Box::new(RemoteLog::newest(patient(place)))),
        false => open(place),
    }
}

fn patient(url: &str) -> Remote {
    connect::to(url).retrying_for(PATIENCE)
}

/// The log's static files at a URL or in a folder.
pub fn open(place: &str) -> Result<Box<dyn StaticLog>, Failure> {
    if is_url(place) {
        return Ok(Box::new(RemoteLog::new(patient(place))));
    }
    if is_store(place) {
        return Ok(Box::new(StoreLog::open(store::open(place)?)?));
    }
    let dir = Path::new(place);
    if is_mirror(dir)? {
        return Ok(Box::new(Folder::new(dir)));
    }
    if !is_there(dir)? {
        let what = anyhow::anyhow!(
            "{place} is not there; give a URL, an object store or a folder with a mirror"
        );
        return Err(Failure::of(Outcome::Unchecked, what));
    }
    let what = anyhow::anyhow!(
        "{place} is no URL, no object store and no mirror: a folder with checkpoint and tile/ in it, as `arborlog mirror` makes"
    );
    Err(Failure::of(Outcome::NotThatKind, what))
}

/// A verifier key, or the file that holds it.
pub fn read_vkey(text: &str) -> Result<VerifierKey, Failure> {
    if let Ok(vkey) = text.parse() {
        return Ok(vkey);
    }
    let path = Path::new(text);
    if !is_there(path)? {
        let error = text.parse::<VerifierKey>().err();
        let why = error.map_or(String::new(), |error| format!(": {error}"));
        return Err(Failure::usage(format!(
            "{text:?} is neither a file that is there nor a verifier key{why}"
        )));
    }
    read_text(path)?
        .trim()
        .parse()
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

pub fn is_url(place: &str) -> bool {
    place.starts_with("http://") || place.starts_with("https://")
}

/// Whether a place is the address of an object store.
pub fn is_store(place: &str) -> bool {
    let schemes = ["s3://", "gs://", "az://", "file://"];
    schemes.iter().any(|scheme| place.starts_with(scheme))
}

/// Whether a folder holds a mirror.
///
/// # Errors
/// When that can't be told: a disk that fails is no folder without a mirror.
pub fn is_mirror(dir: &Path) -> Result<bool, FileError> {
    is_there(&dir.join("checkpoint"))
}

fn is_there(path: &Path) -> Result<bool, FileError> {
    match path.try_exists() {
        Ok(is_there) => Ok(is_there),
        // A file on the way, or a name that none can have.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotADirectory | ErrorKind::InvalidFilename | ErrorKind::InvalidInput
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(at(path)(error)),
    }
}

/// How a command fails when an audit does: a log that could not be checked is no log that is wrong.
pub fn failed(error: AuditError) -> Failure {
    Failure::of(error.outcome(), error)
}
