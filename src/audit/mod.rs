//! Checking without trust: receipts offline, and whole ledgers by replaying every entry.
//!
//! Builds without tokio, axum or sled, so that an auditor can embed it.

mod receipt;
mod replay;
mod whole;

pub use receipt::{
    AUTHORITY_LINKS_MAX, AuthorityLink, Check, RECEIPT_BYTES_MAX, Receipt, ReceiptError,
    VerifiedReceipt,
};
pub use replay::{Replay, Signatures, Violation};
pub use whole::{TileSource, WholeError, check_whole};
