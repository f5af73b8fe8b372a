//! A witness: its key, the logs that it watches, and what it cosigned of each, in a folder.
//!
//! ```text
//! witness.pem             its private key; or witness.pub, the public half of one that an ssh-agent has
//! witness.vkey            its verifier key, for policies
//! logs                    the verifier keys of the logs that it watches, one a line; # begins a comment
//! seen/HASH               the newest checkpoint of a log that it cosigned, with its cosignature; HASH is
//!                         the SHA-256 of the log's origin
//! evidence/HASH-SIZE-…    checkpoints that contradict one that it cosigned
//! witness.lock            held while it runs
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::files::{listed, name_of};
use super::key::CosignerKey;
use super::key::KeyKind;
use super::request::{AddCheckpoint, RequestError};
use super::watched::{LogRefusal, WatchedLog};
use crate::crypto::{KeyAccess, KeyFileError};
use crate::durable::create;
use crate::durable::{FileError, Held, at, hold, make_folders, read_if_there, replace};
use crate::note::{
    Checkpoint, CheckpointError, CosignError, Cosignature, KeyName, NoteError,
    UnverifiedCheckpoint, VerifierKey,
};

/// How many contradictions of one log are kept: the first ones say all.
const EVIDENCE_MAX: usize = 16;

/// A witness that can't run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// There is one in the folder.
    #[error("{0} has a witness already")]
    Exists(PathBuf),
    /// There is none in the folder.
    #[error("{0} has no witness; make one with --init NAME")]
    NoWitness(PathBuf),
    /// Another process runs it.
    #[error("{0} is in use by another process: of one witness one runs")]
    Locked(PathBuf),
    /// A line of `logs`, or the witness's own verifier key.
    #[error("{path} line {line}: {what}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with the line.
        what: String,
    },
    /// What it noted of a log is damaged. It must not begin anew: it may cosign a second history then.
    #[error(
        "{path} is damaged: {why}. It tells what this witness cosigned; put it back from a backup that is not older, or end this witness and begin another one with a key of its own"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The file system.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why a request has no cosignature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessRefusal {
    /// It is no request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The log is not watched.
    #[error("this witness does not watch the log {0}")]
    UnknownLog(KeyName),
    /// The checkpoint is not cosigned.
    #[error(transparent)]
    Log(#[from] LogRefusal),
    /// No signature could be made.
    #[error(transparent)]
    Unsigned(#[from] CosignError),
    /// What was cosigned could not be noted: nothing was cosigned.
    #[error("the witness can't note it: {0}")]
    NotNoted(FileError),
}

/// A witness, which holds its folder.
pub struct Witness {
    dir: PathBuf,
    vkey: VerifierKey,
    key: CosignerKey,
    logs: BTreeMap<KeyName, Mutex<Watch>>,
    _lock: Held,
}

/// A log, and when the witness cosigned last.
struct Watch {
    log: WatchedLog,
    /// Seconds since 1970. A later cosignature has no earlier time.
    cosigned_at_s: u64,
}

impl Witness {
    /// Makes a folder with a new key; gives the verifier key.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub fn init(dir: &Path, name: &KeyName, kind: KeyKind) -> Result<VerifierKey, WitnessError> {
        Self::init_with(dir, name, kind, &KeyAccess::default())
    }

    /// The same; if the folder has witness.pub, the line that OpenSSH writes of a public key, the key that an
    /// ssh-agent has is the witness's, and none is made.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub fn init_with(
        dir: &Path,
        name: &KeyName,
        kind: KeyKind,
        access: &KeyAccess,
    ) -> Result<VerifierKey, WitnessError> {
        make_folders(dir)?;
        let key_file = dir.join("witness.pem");
        let vkey_file = dir.join("witness.vkey");
        if read_if_there(&vkey_file)?.is_some() {
            return Err(WitnessError::Exists(dir.to_owned()));
        }
        let key = CosignerKey::make(kind, &key_file, access)?;
        let vkey = key.vkey(name);
        let logs = dir.join("logs");
        if read_if_there(&logs)?.is_none() {
            create(
                &logs,
                b"# The verifier key of each log that is watched, one a line.\n",
            )?;
        }
        // Last: a crash before leaves a key that nobody was told of, and no witness.
        create(&vkey_file, format!("{vkey}\n").as_bytes())?;
        Ok(vkey)
    }

    /// Opens the witness of a folder.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub fn open(dir: &Path) -> Result<Self, WitnessError> {
        Self::open_with(dir, &KeyAccess::default())
    }

    /// The same, whose key may be encrypted or in an ssh-agent.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub fn open_with(dir: &Path, access: &KeyAccess) -> Result<Self, WitnessError> {
        let vkey_file = dir.join("witness.vkey");
        let Some(vkey) = read_if_there(&vkey_file)? else {
            return Err(WitnessError::NoWitness(dir.to_owned()));
        };
        let lock =
            hold(&dir.join("witness.lock"))?.ok_or_else(|| WitnessError::Locked(dir.to_owned()))?;
        let wrong = |path: &Path, line, what: String| WitnessError::Line {
            path: path.to_owned(),
            line,
            what,
        };
        let vkey: VerifierKey = String::from_utf8_lossy(&vkey)
            .parse()
            .map_err(|error| wrong(&vkey_file, 1, format!("{error}")))?;
        let key = CosignerKey::open(&dir.join("witness.pem"), &vkey, access)?;
        if key.vkey(vkey.name()) != vkey {
            let what = "it is not of the key in witness.pem".to_owned();
            return Err(wrong(&vkey_file, 1, what));
        }
        let list = dir.join("logs");
        let text = read_if_there(&list)?.unwrap_or_default();
        let mut logs: BTreeMap<KeyName, WatchedLog> = BTreeMap::new();
        for (number, line) in listed(&String::from_utf8_lossy(&text)) {
            let key: VerifierKey = line
                .parse()
                .map_err(|error| wrong(&list, number, format!("{error}")))?;
            if !key.is_for_logs() {
                let what = "it is a witness's verifier key, not a log's".to_owned();
                return Err(wrong(&list, number, what));
            }
            let origin = key.name().clone();
            let log = logs.entry(origin.clone());
            log.or_insert_with(|| WatchedLog::new(origin)).add_key(key);
        }
        make_folders(&dir.join("seen"))?;
        let mut watches = BTreeMap::new();
        for (origin, log) in logs {
            let watch = read_seen(dir, &vkey, log)?;
            watches.insert(origin, Mutex::new(watch));
        }
        Ok(Self {
            dir: dir.to_owned(),
            vkey,
            key,
            logs: watches,
            _lock: lock,
        })
    }

    /// The verifier key of its cosignatures.
    pub fn vkey(&self) -> &VerifierKey {
        &self.vkey
    }

    /// The logs that it watches, each with the size of the newest checkpoint that it cosigned.
    pub fn logs(&self) -> impl Iterator<Item = (&KeyName, Option<u64>)> {
        self.logs.iter().map(|(origin, watch)| {
            let watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
            (origin, watch.log.latest().map(|head| head.size))
        })
    }

    /// The newest checkpoint of a log that it cosigned, with its cosignature, by the SHA-256 of the log's
    /// origin in hexadecimal digits; `None` if there is none.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn seen(&self, origin_hash: &str) -> Result<Option<Vec<u8>>, FileError> {
        let known = self
            .logs
            .keys()
            .any(|origin| hash_of(origin) == origin_hash);
        match known {
            true => read_if_there(&self.dir.join("seen").join(origin_hash)),
            false => Ok(None),
        }
    }

    /// Cosigns a checkpoint that extends the newest one, which is noted durably before; gives the line of
    /// the cosignature. Anybody may ask: what is cheap to refuse is refused first.
    ///
    /// # Errors
    /// [`WitnessRefusal`].
    pub fn add_checkpoint(&self, body: &[u8], now_s: u64) -> Result<String, WitnessRefusal> {
        let request = AddCheckpoint::parse(body)?;
        let origin = request.checkpoint.origin();
        let Some(watch) = self.logs.get(origin) else {
            return Err(WitnessRefusal::UnknownLog(origin.clone()));
        };
        // What never changes is asked before the lock.
        let keys = {
            let watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
            watch.log.clone()
        };
        let checkpoint = keys.check_signed(&request)?;
        let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
        match watch.log.check_extends(&request, &checkpoint) {
            Ok(()) => {}
            Err(refusal) => {
                if let LogRefusal::OtherRoot { .. } = refusal {
                    self.keep_evidence(&checkpoint)
                        .map_err(WitnessRefusal::NotNoted)?;
                }
                return Err(refusal.into());
            }
        }
        // A time of 0 is none, and one before the last would contradict what was said then.
        let now_s = now_s.max(watch.cosigned_at_s).max(1);
        let mut signed = checkpoint.alone();
        let log_lines = signed.note().signatures().len();
        let name = self.vkey.name();
        self.key.cosign(&mut signed, name, now_s)?;
        // Of the same head again the time alone is new, which need not be noted: anybody may ask for that
        // as often as they like.
        if watch.log.latest() != Some(signed.head()) {
            // A crash behind this leaves a checkpoint that is noted and whose cosignature nobody got: the
            // log asks again, is told the size, and asks from there.
            replace(&seen_file(&self.dir, origin), signed.to_string().as_bytes())
                .map_err(WitnessRefusal::NotNoted)?;
            watch.log.set_latest(signed.head());
        }
        watch.cosigned_at_s = now_s;
        Ok(signed.note().lines_from(log_lines))
    }

    /// Keeps a checkpoint that contradicts the newest one.
    fn keep_evidence(&self, checkpoint: &Checkpoint) -> Result<(), FileError> {
        let folder = self.dir.join("evidence");
        make_folders(&folder)?;
        let hash = hash_of(checkpoint.origin());
        let file = folder.join(format!("{hash}-{}", name_of(checkpoint.head())));
        let of_log = std::fs::read_dir(&folder).map_err(at(&folder))?;
        let of_log = of_log.filter_map(Result::ok);
        let of_log = of_log.filter(|entry| entry.file_name().to_string_lossy().starts_with(&hash));
        if of_log.count() >= EVIDENCE_MAX || read_if_there(&file)?.is_some() {
            return Ok(());
        }
        replace(&file, checkpoint.to_string().as_bytes())
    }
}

/// What the witness noted of a log.
fn read_seen(dir: &Path, vkey: &VerifierKey, mut log: WatchedLog) -> Result<Watch, WitnessError> {
    let path = seen_file(dir, log.origin());
    let Some(bytes) = read_if_there(&path)? else {
        return Ok(Watch {
            log,
            cosigned_at_s: 0,
        });
    };
    let damaged = |why: String| WitnessError::Damaged {
        path: path.clone(),
        why,
    };
    let read = |error: CheckpointError| damaged(error.to_string());
    let seen = UnverifiedCheckpoint::parse_extended(&bytes).map_err(read)?;
    if seen.origin() != log.origin() {
        return Err(damaged(format!("it is of {}", seen.origin())));
    }
    // The log's keys may have changed since: that this witness cosigned it is what counts.
    let checkpoint = seen.cosigned();
    let cosignature = Cosignature::verify(&checkpoint, vkey)
        .map_err(|error: NoteError| damaged(error.to_string()))?;
    log.set_latest(checkpoint.head());
    Ok(Watch {
        log,
        cosigned_at_s: cosignature.seen_at_s,
    })
}

fn seen_file(dir: &Path, origin: &KeyName) -> PathBuf {
    dir.join("seen").join(hash_of(origin))
}

/// SHA-256 of an origin, in hexadecimal digits: the log's part of an address (c2sp.org/tlog-mirror).
pub fn hash_of(origin: &KeyName) -> String {
    hex::encode(Sha256::digest(origin.as_str()))
}
