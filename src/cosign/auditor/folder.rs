//! An auditor's folder: its keys, what it states, and the logs that it audits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::beginning::BeginningError;
use super::beginning::BeginsWith;
use super::followed::{AuditorRefusal, FollowedLog};
use super::others::{OtherAuditor, read_others};
use super::statement::Statement;
use crate::cosign::LogRefusal;
use crate::cosign::files::listed;
use crate::cosign::key::KeyKind;
use crate::cosign::key::{CosignerKey, make_or_take, open_beside};
use crate::cosign::request::AddCheckpoint;
use crate::cosign::witness::hash_of;
use crate::crypto::{KeyAccess, KeyFileError, Signer};
use crate::durable::{FileError, Held, hold, read_if_there};
use crate::durable::{create, make_folders, replace};
use crate::note::{AuditNote, CosignError, KeyName, UnverifiedCheckpoint, VerifierKey};

/// The most logs of one auditor: each has a thread, and its ledger's state in memory.
const LOGS_MAX: usize = 16;

/// An auditor that can't run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditorError {
    /// There is one in the folder.
    #[error("{0} has an auditor already")]
    Exists(PathBuf),
    /// There is none in the folder.
    #[error("{0} has no auditor; make one with --init NAME")]
    NoAuditor(PathBuf),
    /// The folder is a witness's, whose key must say nothing else.
    #[error("{0} is a witness's folder: an auditor has a folder and a key of its own")]
    Witness(PathBuf),
    /// Another process runs it.
    #[error("{0} is in use by another process: of one auditor one runs")]
    Locked(PathBuf),
    /// A line of a file that its holder writes.
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
        "{path} is damaged: {why}. It tells what this auditor was shown or cosigned; put it back from a backup that is not older, or end this auditor and begin another one with keys of its own"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The state with which it is to begin.
    #[error(transparent)]
    Beginning(#[from] BeginningError),
    /// The keys.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The file system.
    #[error(transparent)]
    File(#[from] FileError),
}

/// An auditor, which holds its folder.
pub struct CosigningAuditor {
    vkey: VerifierKey,
    key: CosignerKey,
    notes_vkey: VerifierKey,
    notes_key: Signer,
    statement: Statement,
    others: Vec<OtherAuditor>,
    logs: BTreeMap<KeyName, FollowedLog>,
    _lock: Held,
}

impl CosigningAuditor {
    /// Makes a folder with new keys, of an auditor that replays from the first entry on; gives the verifier keys
    /// of the cosignatures and of the notes.
    ///
    /// # Errors
    /// [`AuditorError`].
    pub fn init(
        dir: &Path,
        name: &KeyName,
        kind: KeyKind,
    ) -> Result<(VerifierKey, VerifierKey), AuditorError> {
        Self::init_with(dir, name, kind, &KeyAccess::default())
    }

    /// The same; if the folder has auditor.pub, or notes.pub, the line that OpenSSH writes of a public key, the key
    /// that an ssh-agent has is the auditor's, and none is made in its place.
    ///
    /// # Errors
    /// [`AuditorError`].
    pub fn init_with(
        dir: &Path,
        name: &KeyName,
        kind: KeyKind,
        access: &KeyAccess,
    ) -> Result<(VerifierKey, VerifierKey), AuditorError> {
        begin_folder(dir)?;
        Self::init_to_state(dir, name, (kind, access), &Statement::Full, &[])
    }

    /// Makes a folder with new keys, of an auditor that begins with a state for which somebody else vouches; gives
    /// the keys as [`Self::init`] does, and what it will state. It audits that log alone, which is listed at
    /// `url`.
    ///
    /// # Errors
    /// [`AuditorError`]; then there is no auditor in the folder.
    pub fn init_since(
        dir: &Path,
        name: &KeyName,
        (kind, access): (KeyKind, &KeyAccess),
        begins: &BeginsWith<'_>,
        url: &str,
    ) -> Result<(VerifierKey, VerifierKey, Statement), AuditorError> {
        begin_folder(dir)?;
        let lock = hold(&dir.join("auditor.lock"))?;
        let _lock = lock.ok_or_else(|| AuditorError::Locked(dir.to_owned()))?;
        let file = beginning_file(dir, begins.log.name());
        make_folders(&dir.join("beginning"))?;
        let (since, cosigned) = begins.make(&file)?;
        replace(
            &file.with_extension("checkpoint"),
            cosigned.to_string().as_bytes(),
        )?;
        let statement = Statement::Since(Box::new(since));
        let logs = [format!("{} {url}", begins.log)];
        let (vkey, notes_vkey) = Self::init_to_state(dir, name, (kind, access), &statement, &logs)?;
        Ok((vkey, notes_vkey, statement))
    }

    fn init_to_state(
        dir: &Path,
        name: &KeyName,
        (kind, access): (KeyKind, &KeyAccess),
        statement: &Statement,
        logs: &[String],
    ) -> Result<(VerifierKey, VerifierKey), AuditorError> {
        let key = CosignerKey::make(kind, &dir.join("auditor.pem"), access)?;
        let notes_key = make_or_take(&dir.join("notes.pem"), access)?;
        let vkey = key.vkey(name);
        let notes_vkey = AuditNote::vkey(name, notes_key.public());
        create(
            &dir.join("notes.vkey"),
            format!("{notes_vkey}\n").as_bytes(),
        )?;
        create(&dir.join("statement"), format!("{statement}\n").as_bytes())?;
        let list = dir.join("logs");
        if read_if_there(&list)?.is_none() {
            let mut text =
                "# The logs that are audited, one a line: verifier key, address.\n".to_owned();
            for log in logs {
                text.push_str(&format!("{log}\n"));
            }
            create(&list, text.as_bytes())?;
        }
        // Last: a crash before leaves keys that nobody was told of, and no auditor.
        create(&dir.join("auditor.vkey"), format!("{vkey}\n").as_bytes())?;
        Ok((vkey, notes_vkey))
    }

    /// Opens the auditor of a folder.
    ///
    /// # Errors
    /// [`AuditorError`].
    pub fn open(dir: &Path) -> Result<Self, AuditorError> {
        Self::open_with(dir, &KeyAccess::default())
    }

    /// The same, whose keys may be encrypted or in an ssh-agent: in the place of auditor.pem, or notes.pem, the
    /// folder then has auditor.pub, or notes.pub, the line that OpenSSH writes of a public key.
    ///
    /// # Errors
    /// [`AuditorError`].
    pub fn open_with(dir: &Path, access: &KeyAccess) -> Result<Self, AuditorError> {
        let vkey_file = dir.join("auditor.vkey");
        if read_if_there(&vkey_file)?.is_none() {
            return Err(AuditorError::NoAuditor(dir.to_owned()));
        }
        refuse_witness(dir)?;
        let lock = hold(&dir.join("auditor.lock"))?;
        let lock = lock.ok_or_else(|| AuditorError::Locked(dir.to_owned()))?;
        let vkey = read_vkey(&vkey_file)?;
        let key = CosignerKey::open(&dir.join("auditor.pem"), &vkey, access)?;
        if key.vkey(vkey.name()) != vkey {
            let what = "it is not of the key in auditor.pem";
            return Err(wrong_line(&vkey_file, 1, what));
        }
        let notes_file = dir.join("notes.vkey");
        let notes_vkey = read_vkey(&notes_file)?;
        let notes_key = open_beside(&dir.join("notes.pem"), access)?;
        if AuditNote::vkey(vkey.name(), notes_key.public()) != notes_vkey {
            let what = "it is not of the key in notes.pem under the auditor's name";
            return Err(wrong_line(&notes_file, 1, what));
        }
        if vkey.key_bytes() == notes_vkey.key_bytes() {
            let what = "the key of the cosignatures signs nothing else: make another one for notes";
            return Err(wrong_line(&notes_file, 1, what));
        }
        let statement_file = dir.join("statement");
        let statement = read_if_there(&statement_file)?.unwrap_or_default();
        let statement: Statement = String::from_utf8_lossy(&statement)
            .parse()
            .map_err(|error| wrong_line(&statement_file, 1, error))?;
        let others = read_others(&dir.join("auditors"), &notes_vkey)?;
        let mut logs = BTreeMap::new();
        for (origin, keys) in read_logs(&dir.join("logs"))? {
            if let Statement::Since(since) = &statement
                && since.origin != origin
            {
                let what = format!(
                    "this auditor's statement is of {}, and of no other log: make another auditor for {origin}",
                    since.origin
                );
                return Err(wrong_line(&dir.join("logs"), 1, what));
            }
            let log = FollowedLog::open(dir, &vkey, origin.clone(), keys, &others)?;
            logs.insert(origin, log);
        }
        Ok(Self {
            vkey,
            key,
            notes_vkey,
            notes_key,
            statement,
            others,
            logs,
            _lock: lock,
        })
    }

    /// The verifier key of its cosignatures.
    pub fn vkey(&self) -> &VerifierKey {
        &self.vkey
    }

    /// The verifier key of its audit notes.
    pub fn notes_vkey(&self) -> &VerifierKey {
        &self.notes_vkey
    }

    /// What its cosignature says.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Others whose notes it compares with its own replays.
    pub fn others(&self) -> &[OtherAuditor] {
        &self.others
    }

    /// The logs that it audits.
    pub fn logs(&self) -> impl Iterator<Item = &FollowedLog> {
        self.logs.values()
    }

    /// The log whose origin has this SHA-256, in hexadecimal digits.
    pub fn log_of_hash(&self, origin_hash: &str) -> Option<&FollowedLog> {
        self.logs().find(|log| log.origin_hash() == origin_hash)
    }

    /// Takes a checkpoint that extends the pending one as pending, durably. Anybody may ask: what is cheap to
    /// refuse is refused first.
    ///
    /// # Errors
    /// [`AuditorRefusal`].
    pub fn add_checkpoint(&self, body: &[u8]) -> Result<(), AuditorRefusal> {
        let request = AddCheckpoint::parse(body)?;
        let origin = request.checkpoint.origin();
        let log = self.logs.get(origin);
        let log = log.ok_or_else(|| AuditorRefusal::UnknownLog(origin.clone()))?;
        // Nobody could audit lines behind the root.
        let note = request.checkpoint.note().to_string();
        UnverifiedCheckpoint::parse(note.as_bytes()).map_err(AuditorRefusal::Checkpoint)?;
        log.add_pending(&request)
    }

    pub(super) fn cosign(
        &self,
        checkpoint: &mut crate::note::Checkpoint,
        at_s: u64,
    ) -> Result<(), CosignError> {
        self.key.cosign(checkpoint, self.vkey.name(), at_s)
    }

    pub(super) fn notes_key(&self) -> &Signer {
        &self.notes_key
    }
}

impl From<crate::cosign::RequestError> for AuditorRefusal {
    fn from(error: crate::cosign::RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<LogRefusal> for AuditorRefusal {
    fn from(refusal: LogRefusal) -> Self {
        Self::Log(refusal)
    }
}

/// Where the state is with which the replay of a log begins.
pub(super) fn beginning_file(dir: &Path, origin: &KeyName) -> PathBuf {
    dir.join("beginning").join(hash_of(origin))
}

fn begin_folder(dir: &Path) -> Result<(), AuditorError> {
    make_folders(dir)?;
    refuse_witness(dir)?;
    match read_if_there(&dir.join("auditor.vkey"))? {
        Some(_) => Err(AuditorError::Exists(dir.to_owned())),
        None => Ok(()),
    }
}

fn refuse_witness(dir: &Path) -> Result<(), AuditorError> {
    match read_if_there(&dir.join("witness.vkey"))? {
        Some(_) => Err(AuditorError::Witness(dir.to_owned())),
        None => Ok(()),
    }
}

fn wrong_line(path: &Path, line: usize, what: impl ToString) -> AuditorError {
    AuditorError::Line {
        path: path.to_owned(),
        line,
        what: what.to_string(),
    }
}

fn read_vkey(path: &Path) -> Result<VerifierKey, AuditorError> {
    let text = read_if_there(path)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.parse().map_err(|error| wrong_line(path, 1, error))
}

/// The keys of a log, and where its files are.
pub(super) struct LogLines {
    pub(super) keys: Vec<VerifierKey>,
    pub(super) url: String,
}

fn read_logs(path: &Path) -> Result<BTreeMap<KeyName, LogLines>, AuditorError> {
    let text = read_if_there(path)?.unwrap_or_default();
    let mut logs: BTreeMap<KeyName, LogLines> = BTreeMap::new();
    for (number, line) in listed(&String::from_utf8_lossy(&text)) {
        let wrong = |what: String| wrong_line(path, number, what);
        let Some((key, url)) = line.split_once(char::is_whitespace) else {
            return Err(wrong(
                "a log is its verifier key, a space, and the address of its files".to_owned(),
            ));
        };
        let key: VerifierKey = key.parse().map_err(|error| wrong(format!("{error}")))?;
        if key.kind() != Some(crate::note::SignatureType::Ed25519) {
            return Err(wrong(
                "it is not a log's Ed25519 key (type 0x01), by which its entries name it"
                    .to_owned(),
            ));
        }
        let url = url.trim().to_owned();
        let log = logs.entry(key.name().clone()).or_insert_with(|| LogLines {
            keys: Vec::new(),
            url: url.clone(),
        });
        if log.url != url {
            return Err(wrong(format!("{} has another address above", key.name())));
        }
        log.keys.push(key);
        if logs.len() > LOGS_MAX {
            return Err(wrong(format!("one auditor has at most {LOGS_MAX} logs")));
        }
    }
    Ok(logs)
}
