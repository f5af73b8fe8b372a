//! Receipts: an entry with all that proves it, in one file (`docs/format.md`, "Receipts";
//! c2sp.org/tlog-proof).

mod file;
mod verify;

pub use file::{AUTHORITY_LINKS_MAX, AuthorityLink, RECEIPT_BYTES_MAX, Receipt};
pub use verify::{Check, VerifiedReceipt};

use crate::merkle::ProofError;
use crate::note::{CheckpointError, NoteError};
use crate::record::{Index, RecordId};

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The file can't be read as a receipt.
    #[error("this is no receipt: {0}")]
    Malformed(String),
    /// The checkpoint is not the log's.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A witness that must have cosigned did not, or falsely.
    #[error("the witness's cosignature: {0}")]
    Witness(NoteError),
    /// An entry is not in the tree at its index.
    #[error("entry {index} is not proven to be in the log: {error}")]
    NotIncluded {
        /// Which.
        index: Index,
        /// Why.
        error: ProofError,
    },
    /// An entry's bytes or signatures are wrong.
    #[error("entry {index}: {what}")]
    Entry {
        /// Which.
        index: Index,
        /// What is wrong.
        what: String,
    },
    /// The way back to the genesis is broken.
    #[error("the authority of entry {index} is not proven: {what}")]
    Authority {
        /// Whose authority.
        index: Index,
        /// What is missing.
        what: String,
    },
    /// It leads to the genesis of another ledger.
    #[error("the receipt leads to genesis {found}, not to {expected}")]
    OtherGenesis {
        /// The genesis that it leads to.
        found: RecordId,
        /// The one that was asked for.
        expected: RecordId,
    },
}
