//! Signed notes ([c2sp.org/signed-note]), checkpoints ([c2sp.org/tlog-checkpoint]) and the
//! cosignatures of witnesses ([c2sp.org/tlog-cosignature]).
//!
//! A [`SignedNote`] was only read; a [`Checkpoint`] that exists was verified, or signed, by a
//! key that the caller named.
//!
//! [c2sp.org/signed-note]: https://c2sp.org/signed-note
//! [c2sp.org/tlog-checkpoint]: https://c2sp.org/tlog-checkpoint
//! [c2sp.org/tlog-cosignature]: https://c2sp.org/tlog-cosignature

mod checkpoint;
mod cosignature;
mod signed;
mod vkey;

pub use checkpoint::{Checkpoint, CheckpointError, TreeHead, UnverifiedCheckpoint};
pub use cosignature::{Cosignature, cosign};
pub use signed::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, NoteError, NoteSignature, SignedNote};
pub use vkey::{KeyName, NameError, SignatureType, VerifierKey, VkeyError};
