//! Verifier keys in a policy: of logs and of witnesses, with Ed25519 or ML-DSA-44.

use crate::note::VerifierKey;

/// Whose key it is, which decides how it may sign.
#[derive(Clone, Copy)]
pub(super) enum KeyFor {
    /// A log's: 0x01, Ed25519; 0x06, ML-DSA-44.
    Log,
    /// A witness's: 0x04, a timestamped Ed25519 cosignature; 0x06.
    Witness,
}

/// Reads `<name>+<id>+<base64 of type and key>`.
pub(super) fn read_vkey(vkey: &str, key_for: KeyFor) -> Result<VerifierKey, String> {
    let vkey: VerifierKey = vkey.parse().map_err(|error| format!("the key: {error}"))?;
    let fits = match key_for {
        KeyFor::Log => vkey.is_for_logs(),
        KeyFor::Witness => vkey.is_for_cosigners(),
    };
    match (fits, key_for) {
        (true, _) => Ok(vkey),
        (false, KeyFor::Log) => Err("a log's key is of type 0x01 or 0x06".to_owned()),
        (false, KeyFor::Witness) => Err("a witness's key is of type 0x04 or 0x06".to_owned()),
    }
}
