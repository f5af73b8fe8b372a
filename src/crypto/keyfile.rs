//! Private keys: made, kept in files that only their owner can read, and wiped after use.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{EncodePrivateKey as _, KeypairBytes};
use zeroize::Zeroizing;

use super::key::{PublicKey, Signature};
use super::pem::{NotAKey, read_private_key};
use super::sign::AgentFault;
use crate::durable::{FileError, at, create_secret, open_to_others};

/// No PKCS#8 file of a key is longer, with words around it.
const KEY_FILE_BYTES_MAX: usize = 4096;

/// A private key. Wiped from memory when dropped; shown nowhere.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

/// Why a key file could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// There is a file of that name.
    #[error("{0} exists already and is not overwritten; choose another name")]
    Exists(PathBuf),
    /// There is a file of that name, and no key in it: writing it may have been cut off.
    #[error(
        "{0} exists already and holds no whole key; if writing it was cut off, remove it and run this again, else choose another name"
    )]
    ExistsTorn(PathBuf),
    /// Group or others have rights on the file.
    #[error("{0} can be read by others (mode {1:o}); run: chmod 600 {0}")]
    Open(PathBuf, u32),
    /// The file holds no private key of the kind asked for, in PKCS#8 PEM.
    #[error("{0} {1}")]
    NotAKey(PathBuf, NotAKey),
    /// The ssh-agent that has the key of which the file has the public half did not do what it was asked.
    #[error("{0} names a key of an ssh-agent: {1}")]
    Agent(PathBuf, AgentFault),
    /// No randomness from the system.
    #[cfg(feature = "random")]
    #[error("the system gives no randomness: {0}")]
    Random(String),
    /// An operation of the file system failed.
    #[error(transparent)]
    Io(#[from] FileError),
}

impl SigningKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// [`KeyFileError::Random`].
    #[cfg(feature = "random")]
    pub fn generate() -> Result<Self, KeyFileError> {
        Ok(Self::from_seed(&*random_seed()?))
    }

    /// The key of a 32-byte seed (RFC 8032, section 5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    #[cfg(feature = "keys")]
    pub(super) fn of_dalek(key: ed25519_dalek::SigningKey) -> Self {
        Self(key)
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs, deterministically (RFC 8032).
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature::from_bytes(self.0.sign(message).to_bytes())
    }

    /// Writes the key as PKCS#8 PEM to a new file of mode 0600; file and name are durable when this
    /// returns. A crash before may leave an empty or cut file of that name, whose key nobody was
    /// given: [`KeyFileError::ExistsTorn`] says then what to remove.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`] rather than overwrite anything.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyFileError> {
        // Version 1, without the public key: OpenSSL 3.0 refuses version 2.
        let bytes = KeypairBytes {
            secret_key: *self.0.as_bytes(),
            public_key: None,
        };
        let pem = bytes.to_pkcs8_pem(LineEnding::LF).map_err(|_| {
            let why = NotAKey::Damaged("it can't be encoded");
            KeyFileError::NotAKey(path.to_owned(), why)
        })?;
        write_key_file(path, pem.as_bytes(), Self::read)
    }

    /// Reads a key that only its owner can read, or, at mode 0440, a group that this process is in:
    /// so systems that hand keys to processes mount them.
    ///
    /// # Errors
    /// [`KeyFileError::Open`] when others have rights on it; [`KeyFileError::NotAKey`] says what
    /// the file holds instead of a key.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        read_key_file(path, read_private_key).map(Self)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey(of {})", self.public())
    }
}

/// 32 bytes of the system's randomness.
#[cfg(feature = "random")]
pub(super) fn random_seed() -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    getrandom::fill(seed.as_mut_slice())
        .map_err(|error| KeyFileError::Random(error.to_string()))?;
    Ok(seed)
}

/// Writes a private key's text to a new file. `read` reads such a key: it tells whether a file that is there
/// already holds a whole one.
pub(super) fn write_key_file<K>(
    path: &Path,
    pem: &[u8],
    read: impl FnOnce(&Path) -> Result<K, KeyFileError>,
) -> Result<(), KeyFileError> {
    create_secret(path, pem).map_err(|error| {
        if error.error.kind() != ErrorKind::AlreadyExists {
            return KeyFileError::Io(error);
        }
        match read(path) {
            Err(KeyFileError::NotAKey(path, _)) => KeyFileError::ExistsTorn(path),
            _ => KeyFileError::Exists(path.to_owned()),
        }
    })
}

/// What `parse` makes of a private key's file, which nobody may read but its owner, or a group of this process.
pub(super) fn read_key_file<K>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<K, NotAKey>,
) -> Result<K, KeyFileError> {
    let (bytes, metadata) = read_bounded(path)?;
    // Anybody may read a public key or a certificate: that the file holds no private one is said first.
    let key = parse(&bytes).map_err(|why| KeyFileError::NotAKey(path.to_owned(), why))?;
    refuse_open(path, &metadata)?;
    Ok(key)
}

/// The bytes of a file that may hold a key, and what the system says of it.
pub(super) fn read_bounded(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Metadata), KeyFileError> {
    let file = File::open(path).map_err(at(path))?;
    let metadata = file.metadata().map_err(at(path))?;
    // No longer than the capacity: a vector that grows leaves copies that are not wiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_FILE_BYTES_MAX + 1));
    file.take(KEY_FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(at(path))?;
    if bytes.len() > KEY_FILE_BYTES_MAX {
        return Err(KeyFileError::NotAKey(path.to_owned(), NotAKey::TooLong));
    }
    Ok((bytes, metadata))
}

/// Refuses a private key's file that others may read.
pub(super) fn refuse_open(path: &Path, metadata: &Metadata) -> Result<(), KeyFileError> {
    match open_to_others(metadata) {
        Some(mode) => Err(KeyFileError::Open(path.to_owned(), mode)),
        None => Ok(()),
    }
}
