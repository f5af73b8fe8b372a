//! Ed25519 keys and the strict verdict on signatures; ML-DSA-44 beside it.
//!
//! The verdict is RFC 8032 strict everywhere: at intake, in an audit, in a receipt
//! (`docs/format.md`, "Signatures"), whether one is checked alone or many together. What libraries
//! call batch verification is never used: it accepts what strict refuses.

#[cfg(all(unix, feature = "keys"))]
mod agent;
mod comb;
mod key;
#[cfg(feature = "keys")]
mod key_access;
mod keyfile;
mod known_keys;
mod mldsa;
mod pem;
mod sign;
mod ssh_key;
mod verify;

#[cfg(all(unix, feature = "keys"))]
pub use agent::{Agent, AgentKey};
pub use comb::{KnownKey, SignatureBatch, TableSize};
pub use key::{KeyError, PublicKey, Signature};
#[cfg(feature = "keys")]
pub use key_access::{AskPassphrase, KeyAccess, Passphrase};
pub use keyfile::{KeyFileError, SigningKey};
pub use known_keys::KnownKeys;
pub use mldsa::{
    MLDSA_KEY_BYTES, MLDSA_SIGNATURE_BYTES, MldsaKey, MldsaSignature, MldsaSigningKey,
};
pub use pem::NotAKey;
pub use sign::{AgentFault, Sign, SignError, Signer};
pub use verify::{SignatureError, VerifyingKey};
