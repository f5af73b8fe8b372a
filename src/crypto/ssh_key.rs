//! Ed25519 public keys as OpenSSH writes them (RFC 8709, section 4; RFC 4253, section 6.6).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::key::PublicKey;

const ALGORITHM: &str = "ssh-ed25519";

/// A key's blob: two strings, the algorithm's name and the 32 bytes.
pub(super) fn blob(key: &PublicKey) -> Vec<u8> {
    let mut blob = Vec::new();
    push_string(&mut blob, ALGORITHM.as_bytes());
    push_string(&mut blob, key.as_bytes());
    blob
}

/// The key of a line `ssh-ed25519 BASE64 COMMENT`, of which a file has one.
#[cfg(feature = "keys")]
pub(super) fn read_line(text: &str) -> Option<PublicKey> {
    let mut words = text.split_ascii_whitespace();
    if words.next() != Some(ALGORITHM) || text.trim_ascii().lines().count() != 1 {
        return None;
    }
    key_of_blob(&STANDARD.decode(words.next()?).ok()?)
}

#[cfg(feature = "keys")]
pub(super) fn key_of_blob(blob: &[u8]) -> Option<PublicKey> {
    let (algorithm, rest) = take_string(blob)?;
    let (key, rest) = take_string(rest)?;
    let key = <[u8; 32]>::try_from(key).ok()?;
    (algorithm == ALGORITHM.as_bytes() && rest.is_empty()).then_some(PublicKey::from_bytes(key))
}

/// The signature in a signature blob: two strings, the algorithm's name and the 64 bytes.
#[cfg(all(unix, feature = "keys"))]
pub(super) fn signature_of_blob(blob: &[u8]) -> Option<[u8; 64]> {
    let (algorithm, rest) = take_string(blob)?;
    let (signature, rest) = take_string(rest)?;
    let signature = <[u8; 64]>::try_from(signature).ok()?;
    (algorithm == ALGORITHM.as_bytes() && rest.is_empty()).then_some(signature)
}

impl PublicKey {
    /// The line that OpenSSH writes of the key, without a comment: a file of it names a key of an ssh-agent.
    pub fn to_openssh(&self) -> String {
        format!("{ALGORITHM} {}", STANDARD.encode(blob(self)))
    }

    /// The fingerprint that `ssh-add -l` shows of the key: SHA-256 of its blob, in base64.
    pub fn fingerprint(&self) -> String {
        format!(
            "SHA256:{}",
            STANDARD_NO_PAD.encode(Sha256::digest(blob(self)))
        )
    }
}

/// A string of RFC 4251, section 5, and what is behind it.
#[cfg(feature = "keys")]
pub(super) fn take_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

pub(super) fn push_string(bytes: &mut Vec<u8>, string: &[u8]) {
    // What is signed is 8 MiB at most; a length that has no room would only be refused.
    let length = u32::try_from(string.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(string);
}

#[cfg(all(test, feature = "keys"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Written by `ssh-keygen -t ed25519`, with what `ssh-keygen -l` says of it.
    const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGQyP9RKnwq/im6zLdUYGCQ17f4a8qO2K44elxMYY8r+ somebody@example.org";
    const FINGERPRINT: &str = "SHA256:qcQZ+J8aTCRPxYveJYHFnVrnd8ZAtrcO/G96QVzajlU";

    #[test]
    fn a_line_of_openssh_is_read_and_written() {
        let key = read_line(LINE).unwrap();
        assert_eq!(key.fingerprint(), FINGERPRINT);
        assert!(LINE.starts_with(&key.to_openssh()));
        for other in [
            "ssh-rsa AAAA",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            &format!("{LINE}\n{LINE}"),
        ] {
            assert_eq!(read_line(other), None, "{other}");
        }
    }
}
