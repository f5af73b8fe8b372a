//! Verifier keys in a policy: of logs and of witnesses, with Ed25519 or ML-DSA-44.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::crypto::{PublicKey, VerifyingKey};
use crate::note::KeyName;

/// The length of an ML-DSA-44 public key.
const MLDSA_BYTES: usize = 1312;

/// Whose key it is, which decides how it may sign.
#[derive(Clone, Copy)]
pub(super) enum KeyFor {
    /// A log's: 0x01, Ed25519; 0x06, ML-DSA-44.
    Log,
    /// A witness's: 0x04, a timestamped Ed25519 cosignature; 0x06.
    Witness,
}

/// Reads `<name>+<id>+<base64 of type and key>`; gives the key.
pub(super) fn read_vkey(vkey: &str, key_for: KeyFor) -> Result<Vec<u8>, String> {
    let mut parts = vkey.splitn(3, '+');
    let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("a verifier key reads <name>+<8 hex digits>+<base64>".to_owned());
    };
    let name: KeyName = name.parse().map_err(|error| format!("the key: {error}"))?;
    let material = STANDARD
        .decode(material)
        .map_err(|_| "the key is not in base64".to_owned())?;
    let (kind, key) = match (key_for, material.split_first()) {
        (KeyFor::Log, Some((kind @ 0x01, key))) | (KeyFor::Witness, Some((kind @ 0x04, key))) => {
            check_ed25519(key)?;
            (*kind, key)
        }
        (_, Some((kind @ 0x06, key))) if key.len() == MLDSA_BYTES => (*kind, key),
        (_, Some((0x06, key))) => {
            return Err(format!(
                "an ML-DSA-44 key has {MLDSA_BYTES} bytes, and this {}",
                key.len()
            ));
        }
        (KeyFor::Log, _) => return Err("a log's key is of type 0x01 or 0x06".to_owned()),
        (KeyFor::Witness, _) => return Err("a witness's key is of type 0x04 or 0x06".to_owned()),
    };
    let mut hasher = Sha256::new();
    hasher.update(name.as_str().as_bytes());
    hasher.update([b'\n', kind]);
    hasher.update(key);
    let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
    if hex::encode([a, b, c, d]) != id {
        return Err(
            "the key's id does not match its name and key: was a character lost?".to_owned(),
        );
    }
    Ok(key.to_vec())
}

fn check_ed25519(key: &[u8]) -> Result<(), String> {
    let key = <[u8; 32]>::try_from(key)
        .map_err(|_| format!("an Ed25519 key has 32 bytes, and this {}", key.len()))?;
    VerifyingKey::new(&PublicKey::from_bytes(key))
        .map(drop)
        .map_err(|error| format!("the key: {error}"))
}
