//! Policies (c2sp.org/tlog-policy): which logs' checkpoints count, and which witnesses and auditors must have
//! cosigned them (`docs/format.md`, section 6.14.1).
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use arborlog::crypto::SigningKey;
//! use arborlog::merkle::Hash;
//! use arborlog::note::{
//!     Checkpoint, KeyName, SignatureType, TreeHead, UnverifiedCheckpoint, VerifierKey, cosign,
//! };
//! use arborlog::policy::{Level, Policy};
//!
//! let (log, witness) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
//! let (origin, name): (KeyName, KeyName) = ("example.org/log".parse()?, "example.net/w1".parse()?);
//! let log_key = VerifierKey::new(origin.clone(), SignatureType::Ed25519, log.public());
//! let witness_key = VerifierKey::new(name.clone(), SignatureType::CosignatureV1, witness.public());
//! let policy: Policy = format!("log {log_key}\nwitness w1 {witness_key}\nquorum w1\n").parse()?;
//!
//! let head = TreeHead { size: 0, root: Hash::empty_root() };
//! let mut checkpoint = Checkpoint::sign(&origin, head, &log);
//! let claimed = UnverifiedCheckpoint::parse(checkpoint.to_string().as_bytes())?;
//! let (_, standing) = policy.judge(&claimed)?;
//! assert_eq!(standing.missing(), ["w1"]);
//! cosign(&mut checkpoint, &name, &witness, 1_700_000_000);
//! let claimed = UnverifiedCheckpoint::parse(checkpoint.to_string().as_bytes())?;
//! let (_, standing) = policy.judge(&claimed)?;
//! assert!(standing.reaches(Level::Cosigned) && standing.reaches(Level::Witnessed));
//!
//! // A name must be defined before it is used.
//! let error = "quorum all-of-them\n".parse::<Policy>();
//! assert!(error.is_err_and(|error| error.line == 1));
//! # Ok(())
//! # }
//! ```

mod judge;
mod lines;
mod quorum;
mod text;
mod vkey;

pub use judge::{Level, QuorumMissing, Signer, Standing};
pub use lines::{Cosigner, POLICY_FILE_BYTES_MAX, Policy, PolicyError, PolicyLog};
pub use text::{POLICY_BYTES_MAX, PolicyText};
