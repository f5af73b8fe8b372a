//! Signed notes ([c2sp.org/signed-note]), checkpoints ([c2sp.org/tlog-checkpoint]) and the
//! cosignatures of witnesses ([c2sp.org/tlog-cosignature]).
//!
//! A [`SignedNote`] was only read; a [`Checkpoint`] that exists was verified, or signed, by a
//! key that the caller named.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use arborlog::crypto::SigningKey;
//! use arborlog::merkle::{leaf_hash, root_of};
//! use arborlog::note::{Checkpoint, KeyName, SignatureType, TreeHead, VerifierKey};
//!
//! let key = SigningKey::from_seed(&[7; 32]);
//! let name: KeyName = "example.org/ledger".parse()?;
//! let vkey = VerifierKey::new(name.clone(), SignatureType::Ed25519, key.public());
//! assert_eq!(vkey, vkey.to_string().parse()?);
//!
//! let root = root_of([leaf_hash(b"the first entry")]);
//! let note = Checkpoint::sign(&name, TreeHead { size: 1, root }, &key).to_string();
//! let checkpoint = Checkpoint::open(note.as_bytes(), &vkey)?;
//! assert_eq!(checkpoint.head().size, 1);
//! # Ok(())
//! # }
//! ```
//!
//! [c2sp.org/signed-note]: https://c2sp.org/signed-note
//! [c2sp.org/tlog-checkpoint]: https://c2sp.org/tlog-checkpoint
//! [c2sp.org/tlog-cosignature]: https://c2sp.org/tlog-cosignature

mod audit_note;
mod checkpoint;
mod cosignature;
mod file_fault;
mod signed;
mod timestamped;
mod vkey;

pub use audit_note::{AuditNote, AuditNoteError};
pub use checkpoint::{Checkpoint, CheckpointError, TreeHead, UnverifiedCheckpoint};
pub use cosignature::{Cosignature, cosign, cosign_mldsa, try_cosign};
pub use file_fault::FileFault;
pub use signed::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, NoteError, NoteSignature, SignedNote};
pub use timestamped::{COSIGNED_AT_S_MAX, CosignError};
pub(crate) use vkey::misleads;
pub use vkey::{KeyName, NameError, SignatureType, VerifierKey, VkeyError};
