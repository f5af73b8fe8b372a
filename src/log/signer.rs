//! The keys that sign checkpoints.

use std::path::{Path, PathBuf};

use super::Published;
use crate::crypto::{
    KeyAccess, KeyFileError, MldsaSigningKey, PublicKey, SignError, Signer, SigningKey,
};
use crate::durable::at;
use crate::note::{Checkpoint, SignatureType, VerifierKey};
use crate::record::{LogHead, Origin, TimeMs};

/// The log's private keys: those in its directory `keys`, and the origin that they sign for.
pub struct LogSigner {
    dir: PathBuf,
    origin: Origin,
    keys: Vec<Signer>,
    /// Opens keys that are no plain files.
    access: KeyAccess,
    /// Keys that were given beside the key files.
    given: Vec<Signer>,
    /// A key of ML-DSA-44 among the key files, which signs what cosigners are sent.
    mldsa: Option<MldsaSigningKey>,
}

/// Why checkpoints can't be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The origin's file can't be read.
    #[error("{0}: {1}; is this an arborlog directory? Make one with: arborlog init")]
    Origin(PathBuf, String),
    /// A key file can't be read.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The key that the ledger names is not among the key files.
    #[error(
        "the ledger's log key {key} is not in {dir}; put its file there (mode 0600) and start again"
    )]
    Missing {
        /// The key that is missing.
        key: PublicKey,
        /// The directory where its file should be.
        dir: PathBuf,
    },
    /// What holds the key gave no signature: nothing was published.
    #[error(transparent)]
    Unsigned(#[from] SignError),
    /// There is no genesis, and so no log key.
    #[error("the ledger has no log key yet")]
    NoGenesis,
}

impl LogSigner {
    /// Reads the origin and all key files of a log's directory.
    ///
    /// # Errors
    /// [`SignerError`].
    pub fn open(dir: &Path) -> Result<Self, SignerError> {
        Self::open_with(dir, KeyAccess::default(), Vec::new())
    }

    /// The same, with keys beside those of the directory, whose own may be encrypted, or be in an ssh-agent: a file
    /// `*.pub` with the line that OpenSSH writes of a public key names such a one.
    ///
    /// # Errors
    /// [`SignerError`].
    pub fn open_with(
        dir: &Path,
        access: KeyAccess,
        given: Vec<Signer>,
    ) -> Result<Self, SignerError> {
        let mut signer = Self {
            dir: dir.to_owned(),
            origin: read_origin(dir)?,
            keys: Vec::new(),
            access,
            given,
            mldsa: None,
        };
        signer.reload()?;
        Ok(signer)
    }

    /// Reads the origin of a log's directory, and no key: nothing can be signed.
    ///
    /// # Errors
    /// [`SignerError::Origin`].
    pub fn without_key(dir: &Path) -> Result<Self, SignerError> {
        Ok(Self {
            dir: dir.to_owned(),
            origin: read_origin(dir)?,
            keys: Vec::new(),
            access: KeyAccess::default(),
            given: Vec::new(),
            mldsa: None,
        })
    }

    /// A signer of these keys, for a log without a directory.
    pub fn of_keys(origin: Origin, keys: Vec<SigningKey>) -> Self {
        Self {
            dir: PathBuf::new(),
            origin,
            keys: keys.into_iter().map(Signer::from).collect(),
            access: KeyAccess::default(),
            given: Vec::new(),
            mldsa: None,
        }
    }

    fn reload(&mut self) -> Result<(), SignerError> {
        let dir = self.keys_dir();
        let mut keys = self.given.clone();
        let mut mldsa = None;
        for file in std::fs::read_dir(&dir)
            .map_err(at(&dir))
            .map_err(KeyFileError::from)?
        {
            let path = file.map_err(at(&dir)).map_err(KeyFileError::from)?.path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if extension == Some("pub") {
                keys.push(self.access.read(&path)?);
            } else if extension == Some("pem") {
                match self.access.read(&path) {
                    Ok(key) => keys.push(key),
                    Err(error) => mldsa = Some(MldsaSigningKey::read(&path).map_err(|_| error)?),
                }
            }
        }
        self.keys = keys;
        self.mldsa = mldsa;
        Ok(())
    }

    fn keys_dir(&self) -> PathBuf {
        self.dir.join("keys")
    }

    /// The log's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The log's name.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The key of ML-DSA-44, if there is one among the key files.
    pub fn mldsa(&self) -> Option<&MldsaSigningKey> {
        self.mldsa.as_ref()
    }

    /// Whether checkpoints could be signed with this key; looks again for its file.
    pub fn has(&mut self, key: &PublicKey) -> bool {
        if self.find(key).is_none()
            && !self.dir.as_os_str().is_empty()
            && let Err(error) = self.reload()
        {
            tracing::warn!(%error, "the log's key files can't be read again");
        }
        self.find(key).is_some()
    }

    fn find(&self, key: &PublicKey) -> Option<&Signer> {
        self.keys.iter().find(|ours| ours.public() == *key)
    }

    /// Signs the checkpoint of a tree whose log keys, in order, are these: by the last, and beside
    /// it by each earlier one that is still here, so that those who pinned it can follow.
    ///
    /// # Errors
    /// [`SignerError::Missing`] when the key in force is not here; [`SignerError::Unsigned`] when what holds it gave
    /// no signature.
    pub fn publish(
        &self,
        log_keys: &[PublicKey],
        head: LogHead,
        ends_in_state: bool,
        at: TimeMs,
    ) -> Result<Published, SignerError> {
        let published = self.signing(log_keys)?.publish(head, ends_in_state, at)?;
        Ok(published)
    }

    /// The keys that sign for log keys: what can be done on another thread.
    ///
    /// # Errors
    /// [`SignerError::Missing`].
    pub(super) fn signing(&self, log_keys: &[PublicKey]) -> Result<Signing, SignerError> {
        let (current, earlier) = log_keys.split_last().ok_or(SignerError::NoGenesis)?;
        let key = self.find(current).ok_or_else(|| SignerError::Missing {
            key: *current,
            dir: self.keys_dir(),
        })?;
        Ok(Signing {
            origin: self.origin.clone(),
            current: key.clone(),
            earlier: earlier
                .iter()
                .filter_map(|key| self.find(key))
                .cloned()
                .collect(),
        })
    }
}

/// The keys that sign one checkpoint.
pub(super) struct Signing {
    origin: Origin,
    current: Signer,
    earlier: Vec<Signer>,
}

impl Signing {
    /// Whether a signature is waited for, on another process or a person.
    pub(super) fn waits(&self) -> bool {
        self.current.is_elsewhere() || self.earlier.iter().any(Signer::is_elsewhere)
    }

    /// Signs. A key that was replaced and gives no signature is left out: nobody relies on it alone.
    pub(super) fn publish(
        &self,
        head: LogHead,
        ends_in_state: bool,
        at: TimeMs,
    ) -> Result<Published, SignError> {
        let mut checkpoint = Checkpoint::try_sign(self.origin.name(), head.tree, &self.current)?;
        for key in &self.earlier {
            if let Err(error) = checkpoint.try_also_sign(key) {
                tracing::warn!(%error, "a log key that was replaced did not sign beside the one in force");
            }
        }
        Ok(Published {
            head,
            checkpoint: checkpoint.to_string(),
            at,
            ends_in_state,
        })
    }
}

/// The name of the log in a directory. No key is read.
///
/// # Errors
/// [`SignerError::Origin`].
pub fn read_origin(dir: &Path) -> Result<Origin, SignerError> {
    let path = dir.join("origin");
    let unreadable = |why: String| SignerError::Origin(path.clone(), why);
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    text.trim_end()
        .parse()
        .map_err(|error: crate::record::TextError| unreadable(error.to_string()))
}

/// The verifier key of a log's key.
pub fn vkey(origin: &Origin, key: PublicKey) -> VerifierKey {
    VerifierKey::new(origin.name().clone(), SignatureType::Ed25519, key)
}
