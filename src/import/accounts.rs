//! Pseudonyms: a key for each account and one for evidence, kept by the platform in one file,
//! whatever is imported and from where: the same trip has the same evidence, and the same person
//! the same account, in every import. Deleting a line ends the programme's own link between the
//! account and the person; what was admitted stays in the log.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::crypto::PublicKey;
use crate::durable::{AppendFile, FileError, renew};
use crate::record::{AccountId, Digest};

/// The line that holds the key of evidence digests.
const EVIDENCE: &str = "evidence";
/// Lines that hold the public half of a key that signed what was made with these keys.
const SIGNED_BY: &str = "signed-by";

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
    Line(PathBuf, usize),
    /// No randomness.
    #[error("the system gives no randomness: {0}")]
    Random(String),
    /// Anything that the file system says.
    #[error(transparent)]
    Io(#[from] FileError),
    /// The file is no text.
    #[error("{0} is not in UTF-8")]
    NotText(PathBuf),
}

/// The keys, each of 32 random bytes.
pub struct Pseudonyms {
    file: AppendFile,
    keys: HashMap<String, [u8; 32]>,
    signers: Vec<PublicKey>,
    /// New keys that are not in the file yet.
    unsaved: Vec<(String, [u8; 32])>,
}

impl Pseudonyms {
    /// Reads the file, or begins one.
    ///
    /// # Errors
    /// [`PseudonymsError`].
    pub fn open(path: &Path) -> Result<Self, PseudonymsError> {
        // Keys that are found are used as if they were synced, and a process that was killed may
        // have left them unsynced.
        if path.exists() {
            renew(path)?;
        }
        let mut file = AppendFile::open_secret(path)?;
        if let Some(mode) = file.open_to_others()? {
            return Err(PseudonymsError::Open(path.to_owned(), mode));
        }
        let text = String::from_utf8(file.read_all()?)
            .map_err(|_| PseudonymsError::NotText(path.to_owned()))?;
        let (mut keys, mut signers) = (HashMap::new(), Vec::new());
        // A last line that was cut off was never used: names are used after they are synced.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        for (number, line) in text.get(..whole).unwrap_or("").lines().enumerate() {
            let wrong = || PseudonymsError::Line(path.to_owned(), number + 1);
            let (signed, sum) = line.rsplit_once(' ').ok_or_else(wrong)?;
            if sum != checksum(signed) {
                return Err(wrong());
            }
            let (name, digits) = signed.rsplit_once(' ').ok_or_else(wrong)?;
            let mut key = [0; 32];
            hex::decode_to_slice(digits, &mut key).map_err(|_| wrong())?;
            if name == SIGNED_BY {
                signers.push(PublicKey::from_bytes(key));
            } else {
                keys.insert(name.to_owned(), key);
            }
        }
        file.end_at(whole as u64)?;
        Ok(Self {
            file,
            keys,
            signers,
            unsaved: Vec::new(),
        })
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
    pub fn add_signer(&mut self, key: &PublicKey) {
        if !self.signers.contains(key) {
            self.signers.push(*key);
            self.unsaved.push((SIGNED_BY.to_owned(), *key.as_bytes()));
        }
    }

    fn key(&mut self, name: &str) -> Result<[u8; 32], PseudonymsError> {
        if let Some(key) = self.keys.get(name) {
            return Ok(*key);
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| PseudonymsError::Random(error.to_string()))?;
        self.keys.insert(name.to_owned(), key);
        self.unsaved.push((name.to_owned(), key));
        Ok(key)
    }

    /// The pseudonym of a person: HMAC-SHA-256 of the name under the person's own key.
    ///
    /// # Errors
    /// [`PseudonymsError::Random`].
    pub fn account(&mut self, name: &str) -> Result<AccountId, PseudonymsError> {
        Ok(AccountId::from_bytes(hmac(
            &self.key(name)?,
            name.as_bytes(),
        )))
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
        if self.unsaved.is_empty() {
            return Ok(());
        }
        let mut text = String::new();
        for (name, key) in &self.unsaved {
            let line = format!("{name} {}", hex::encode(key));
            text.push_str(&format!("{line} {}\n", checksum(&line)));
        }
        self.file.append(text.as_bytes())?;
        self.file.sync()?;
        self.unsaved.clear();
        Ok(())
    }
}

/// The first eight bytes of the line's SHA-256, in hexadecimal. One a line, not one over all: people
/// delete lines, and a changed key would be another person's pseudonym.
fn checksum(line: &str) -> String {
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(line.as_bytes()));
    hex::encode([a, b, c, d, e, f, g, h])
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
