//! Receipts: an entry with everything that proves it, in one file (`docs/format.md`, "Receipts";
//! c2sp.org/tlog-proof).
//!
//! What a holder of a receipt needs: the file, the log's verifier key, and the id of its genesis, the
//! last two by a way that does not lead through the server.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let root = env!("CARGO_MANIFEST_DIR");
//! # let file = format!("{root}/tests/golden/receipts/award.tlog-proof");
//! use arborlog::note::VerifierKey;
//! use arborlog::receipt::Receipt;
//!
//! let log: VerifierKey =
//!     "example.org/ledger+211f1e13+AW56HN0psLeP0Tr0xVmP7/TvKpcWbjym8uT7/M2AUFvx".parse()?;
//! let receipt: Receipt = std::fs::read_to_string(file)?.parse()?;
//! let verified = receipt.verify(&log, None, &[])?;
//! for check in &verified.checks {
//!     println!("{}: {}", check.name, check.holds);
//! }
//! // A receipt that was changed anywhere proves nothing.
//! let mut changed = receipt.clone();
//! changed.checkpoint = changed.checkpoint.replace("example.org", "example.com");
//! assert!(changed.verify(&log, None, &[]).is_err());
//! # Ok(())
//! # }
//! ```

mod file;
mod verify;

pub use file::{AUTHORITY_LINKS_MAX, AuthorityLink, RECEIPT_BYTES_MAX, Receipt};
pub use verify::{Check, VerifiedReceipt};

use crate::merkle::ProofError;
use crate::note::{CheckpointError, NoteError};
use crate::record::{Index, RecordId};

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The file can't be read as a receipt.
    #[error("this is no receipt: {0}")]
    Malformed(String),
    /// The checkpoint is not the log's.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A required witness did not cosign, or its cosignature does not hold.
    #[error("the witness's cosignature: {0}")]
    Witness(NoteError),
    /// An entry is not in the tree at its index.
    #[error("entry {index} is not proven to be in the log: {error}")]
    NotIncluded {
        /// The entry's index.
        index: Index,
        /// Why the inclusion is not proven.
        error: ProofError,
    },
    /// An entry's bytes or signatures are wrong.
    #[error("entry {index}: {what}")]
    Entry {
        /// The entry's index.
        index: Index,
        /// What is wrong with the entry.
        what: String,
    },
    /// The chain of authority back to the genesis is broken.
    #[error("the authority of entry {index} is not proven: {what}")]
    Authority {
        /// The entry whose authority is not proven.
        index: Index,
        /// What is missing.
        what: String,
    },
    /// The chain of authority leads to the genesis of another ledger.
    #[error("the receipt leads to genesis {found}, not to {expected}")]
    OtherGenesis {
        /// The id of the genesis that the chain leads to.
        found: RecordId,
        /// The id of the genesis that was asked for.
        expected: RecordId,
    },
}
