//! Checking without trust: receipts offline, and whole ledgers by replaying every entry.
//!
//! Builds without tokio, axum or sled, so that an auditor can embed it.

mod auditor;
mod awards;
mod mirror;
mod observe;
mod receipt;
mod replay;
mod saved;
mod source;
mod tiles;
mod whole;

pub use auditor::{AuditError, Auditor, Claimed, Contradiction, Verified};
pub use awards::{AwardRow, AwardRows, AwardRowsError, AwardRowsLengths};
pub use mirror::{Mirror, MirrorError};
pub use observe::{
    ActivitySums, IssuerSums, LATENESS_DAYS, LossSeen, Month, MonthSums, Observations, Pause, Span,
    SurveyBooks,
};
pub use receipt::{
    AUTHORITY_LINKS_MAX, AuthorityLink, Check, RECEIPT_BYTES_MAX, Receipt, ReceiptError,
    VerifiedReceipt,
};
pub use replay::{CheckedEntry, Checker, Replay, Signatures, Violation};
pub use saved::{SavedAudit, SavedAuditError};
pub use source::{Folder, SourceError, StaticLog, TileSource};
pub use tiles::{TileFault, Tiles};
pub use whole::{WholeError, check_whole, extend, origin_of, threads_default};
