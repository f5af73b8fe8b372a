//! Ed25519 keys and the strict verdict on signatures.
//!
//! The verdict is RFC 8032 strict everywhere: at intake, in an audit, in a receipt
//! (`docs/format.md`, "Signatures"). Batch verification is never used: it accepts what strict
//! refuses.

mod key;
mod keyfile;
mod verify;

pub use key::{KeyError, PublicKey, Signature};
pub use keyfile::{KeyFileError, SigningKey};
pub use verify::{SignatureError, VerifyingKey};
