//! Pseudonyms: a key for each account and one for evidence, kept by the platform in one file,
//! whatever is imported and from where: the same trip has the same evidence, and the same person
//! the same account, in every import. Deleting a line ends the programme's own link between the
//! account and the person; what was admitted stays in the log.
//!
//! An older copy of the file lacks the accounts that came later, and would give their persons new
//! ones. A checksum can't tell that, and lines may be deleted; the log tells it: every account that
//! an award of the platform names must have its key here, or a line that says that it has none.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::register::{Register, RegisterError};
use crate::crypto::PublicKey;
use crate::durable::{FileError, at, open_to_others};
use crate::record::{AccountId, Digest};

/// The beginning of an account: enough to tell accounts apart, which are HMACs.
pub(super) type AccountStart = [u8; 8];

/// The beginning of an account.
pub(super) fn account_start(account: &AccountId) -> AccountStart {
    account.as_bytes().first_chunk().copied().unwrap_or([0; 8])
}

/// The line that holds the key of evidence digests.
const EVIDENCE: &str = "evidence";
/// Lines that hold the public half of a key that signed what was made with these keys.
const SIGNED_BY: &str = "signed-by";
/// Lines that hold the beginning of an account whose key is not here for good: its line was
/// deleted, or no import made it.
const WITHOUT_KEY: &str = "without-key";

/// A file of pseudonym keys that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PseudonymsError {
    /// Others can read it.
    #[error("{0} can be read by others (mode {1:o}); run: chmod 600 {0}")]
    Open(PathBuf, u32),
    /// A line is not `name key checksum`, or was changed.
    #[error(
        "{0} line {1} is not a name, a key of 64 hexadecimal digits and the checksum of both: it was changed, or damaged. Put the newest copy of the file in its place; with another key every trip would be awarded again"
    )]
    Line(PathBuf, u64),
    /// No randomness.
    #[error("the system gives no randomness: {0}")]
    Random(String),
    /// Anything that the file system says.
    #[error(transparent)]
    Io(#[from] FileError),
}

impl From<RegisterError> for PseudonymsError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Damaged(path, line) => Self::Line(path, line),
            RegisterError::Io(error) => Self::Io(error),
        }
    }
}

/// The keys, each of 32 random bytes. The file has a line for each, with a checksum of its own: people
/// delete lines.
pub struct Pseudonyms {
    register: Register,
    keys: HashMap<String, [u8; 32]>,
    signers: Vec<PublicKey>,
    without_key: HashSet<AccountStart>,
}

impl Pseudonyms {
    /// Reads the file, or begins one.
    ///
    /// # Errors
    /// [`PseudonymsError`].
    pub fn open(path: &Path) -> Result<Self, PseudonymsError> {
        match std::fs::metadata(path) {
            Ok(there) => {
                if let Some(mode) = open_to_others(&there) {
                    return Err(PseudonymsError::Open(path.to_owned(), mode));
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(at(path)(error).into()),
        }
        let (mut keys, mut signers) = (HashMap::new(), Vec::new());
        let mut without_key = HashSet::new();
        let register = Register::open(path, &mut |line| {
            let Some((name, digits)) = line.rsplit_once(' ') else {
                return false;
            };
            if name == WITHOUT_KEY {
                let mut account = AccountStart::default();
                let read = hex::decode_to_slice(digits, &mut account);
                without_key.insert(account);
                return read.is_ok();
            }
            let mut key = [0; 32];
            if hex::decode_to_slice(digits, &mut key).is_err() {
                return false;
            }
            if name == SIGNED_BY {
                signers.push(PublicKey::from_bytes(key));
            } else {
                keys.insert(name.to_owned(), key);
            }
            true
        })?;
        Ok(Self {
            register,
            keys,
            signers,
            without_key,
        })
    }

    /// Whether the file is there.
    pub fn is_there(&self) -> bool {
        self.register.is_there()
    }

    /// Whether no evidence was made with these keys yet.
    pub fn is_new(&self) -> bool {
        !self.keys.contains_key(EVIDENCE)
    }

    /// The keys that signed what was made with these keys: several, where one replaced another.
    pub fn signers(&self) -> &[PublicKey] {
        &self.signers
    }

    /// Notes a key that signs what is made with these keys.
    ///
    /// # Errors
    /// [`PseudonymsError::Io`].
    pub fn add_signer(&mut self, key: &PublicKey) -> Result<(), PseudonymsError> {
        if !self.signers.contains(key) {
            self.signers.push(*key);
            self.add(SIGNED_BY, key.as_bytes())?;
        }
        Ok(())
    }

    /// The accounts whose keys are here, and those that are known to have none.
    pub(super) fn accounts(&self) -> HashSet<AccountStart> {
        let names = self.keys.iter().filter(|(name, _)| *name != EVIDENCE);
        let accounts = names.map(|(name, key)| account_start(&account_of(name, key)));
        accounts.chain(self.without_key.iter().copied()).collect()
    }

    /// The accounts that are known to have no key here.
    pub(super) fn without_key(&self) -> &HashSet<AccountStart> {
        &self.without_key
    }

    /// Notes that the keys of these accounts are not here for good.
    pub(super) fn leave(
        &mut self,
        accounts: impl Iterator<Item = AccountStart>,
    ) -> Result<(), PseudonymsError> {
        for account in accounts {
            if self.without_key.insert(account) {
                let line = format!("{WITHOUT_KEY} {}", hex::encode(account));
                self.register.add(&line)?;
            }
        }
        self.save()
    }

    fn add(&mut self, name: &str, key: &[u8; 32]) -> Result<(), PseudonymsError> {
        Ok(self.register.add(&format!("{name} {}", hex::encode(key)))?)
    }

    fn key(&mut self, name: &str) -> Result<[u8; 32], PseudonymsError> {
        if let Some(key) = self.keys.get(name) {
            return Ok(*key);
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| PseudonymsError::Random(error.to_string()))?;
        self.add(name, &key)?;
        self.keys.insert(name.to_owned(), key);
        Ok(key)
    }

    /// The pseudonym of a person: HMAC-SHA-256 of the name under the person's own key.
    ///
    /// # Errors
    /// [`PseudonymsError::Random`].
    pub fn account(&mut self, name: &str) -> Result<AccountId, PseudonymsError> {
        Ok(account_of(name, &self.key(name)?))
    }

    /// The digest of a source event, under the platform's own key.
    ///
    /// # Errors
    /// [`PseudonymsError::Random`].
    pub fn evidence(&mut self, event: &str) -> Result<Digest, PseudonymsError> {
        Ok(Digest::from_bytes(hmac(
            &self.key(EVIDENCE)?,
            event.as_bytes(),
        )))
    }

    /// Makes new keys durable; only then may what was made with them be sent.
    ///
    /// # Errors
    /// [`PseudonymsError::Io`].
    pub fn save(&mut self) -> Result<(), PseudonymsError> {
        Ok(self.register.save()?)
    }
}

fn account_of(name: &str, key: &[u8; 32]) -> AccountId {
    AccountId::from_bytes(hmac(key, name.as_bytes()))
}

fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // A key shorter than SHA-256's block is filled up with zeros (RFC 2104, section 2): done here,
    // so that there is no length that could be refused.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another HMAC for the same person would be another account.
    #[test]
    fn a_key_that_is_filled_up_gives_the_same_pseudonym_as_a_short_one() {
        for byte in [0, 1, 255] {
            let mut short = Hmac::<Sha256>::new_from_slice(&[byte; 32]).unwrap();
            short.update(b"person 7");
            let expected: [u8; 32] = short.finalize().into_bytes().into();
            assert_eq!(hmac(&[byte; 32], b"person 7"), expected);
        }
    }

    #[test]
    fn keys_are_kept_and_a_cut_last_line_was_never_used() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("pseudonyms.keys");
        let mut first = Pseudonyms::open(&path).unwrap();
        let account = first.account("person").unwrap();
        first.save().unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [whole.as_slice(), b"other 00ff"].concat()).unwrap();
        let mut second = Pseudonyms::open(&path).unwrap();
        assert_eq!(second.account("person").unwrap(), account);
        second.account("other").unwrap();
        // Names of other people's files have spaces.
        second.account("bike 7 of 9").unwrap();
        second.save().unwrap();
        let saved = std::fs::read_to_string(&path).unwrap();
        assert!(saved.as_bytes().starts_with(&whole));
        assert_eq!(Pseudonyms::open(&path).unwrap().keys.len(), 3);
        // One digit of a key that was changed would award every trip again.
        let digit = saved.find(' ').unwrap() + 7;
        let other = if saved.as_bytes()[digit] == b'0' {
            "1"
        } else {
            "0"
        };
        let mut changed = saved.clone();
        changed.replace_range(digit..=digit, other);
        std::fs::write(&path, changed).unwrap();
        assert!(matches!(
            Pseudonyms::open(&path),
            Err(PseudonymsError::Line(_, 1))
        ));
        // A deleted line ends one link, and no other.
        let rest: String = saved
            .lines()
            .skip(1)
            .map(|line| format!("{line}\n"))
            .collect();
        std::fs::write(&path, rest).unwrap();
        assert_eq!(Pseudonyms::open(&path).unwrap().keys.len(), 2);
    }
}
