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

mod about;
mod bounds;
mod certificate;
mod corrected;
mod file;
mod history;
mod prover;
mod question;
mod second;
mod sentences;
mod shown;
mod state_items;
mod verify;
mod vouched;

pub use about::{About, Issuer, StateFile};
pub use bounds::{
    AUTHORITY_LINKS_MAX, BOUNDS, EXTRA_BYTES_MAX, ITEMS_MAX, RECEIPT_BYTES_MAX, SHOWN_MAX,
    SIBLINGS_MAX,
};
pub use certificate::{Certificate, CertifiedTree, Standing};
pub use corrected::{Corrected, Corrections, corrected_domain};
pub use file::{AuthorityLink, Receipt, SealLink};
pub use history::{AccountHistory, PlotHistory, Span};
pub use prover::{ProveError, StateProver};
pub use question::{ItemKey, Question, QuestionError};
pub use second::{SecondCheckpoint, VerifiedSecond};
pub use shown::ShownEntry;
pub use state_items::{ProvenItem, StateItem};
pub use verify::VerifiedReceipt;
pub use vouched::{Check, Trust};

use crate::merkle::ProofError;
use crate::note::{CheckpointError, FileFault, NoteError};
use crate::outcome::Outcome;
use crate::policy::QuorumMissing;
use crate::record::{CodecError, Index, RecordId};

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The file is something else.
    #[error("this is no receipt: its first line is not c2sp.org/tlog-proof@v1. It is {0}")]
    NotAReceipt(String),
    /// The file begins as a receipt does, and is longer than any.
    #[error("the receipt is longer than 4 MiB")]
    TooLong,
    /// The file was a receipt, and something was done to it on its way.
    #[error("the receipt was changed on its way: {0}")]
    Changed(FileFault),
    /// The file begins as a receipt does, and can't be read as one.
    #[error("the receipt can't be read: {0}; it was cut or changed on its way: get it again")]
    Malformed(String),
    /// The checkpoint can't be read, or is not the log's.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A required witness did not cosign, or its cosignature does not hold.
    #[error("the witness's cosignature: {0}")]
    Witness(NoteError),
    /// The checkpoint has not the cosignatures that the policy asks for.
    #[error(transparent)]
    Quorum(#[from] QuorumMissing),
    /// An entry is not proven to be in the tree at its index: its proof is not complete, or leads
    /// to another root.
    #[error("entry {index} is not proven to be in the log: {error}")]
    NotIncluded {
        /// The entry's index.
        index: Index,
        /// Why the inclusion is not proven.
        error: ProofError,
    },
    /// The tree of the second checkpoint is not proven to begin with that of the file's own.
    #[error("the second checkpoint, of {size} entries, is not proven to extend the first: {error}")]
    SecondTree {
        /// The number of its entries.
        size: u64,
        /// Why the consistency is not proven.
        error: ProofError,
    },
    /// An item of the state is not proven against the state entry.
    #[error("an item of the state that entry {index} speaks of: {what}")]
    StateItem {
        /// The state entry's index.
        index: Index,
        /// Whether its proof is complete, so that it is false; else it can't be read.
        complete: bool,
        /// What does not hold.
        what: String,
    },
    /// A file about the state has not just what it must have, or what it has contradicts itself.
    #[error("the file about the state: {what}")]
    StateFile {
        /// Whether the file has what it must have, so that it is false; else it can't be checked.
        fits: bool,
        /// What is missing or too much, or what contradicts what.
        what: String,
    },
    /// The file holds, and is about something else than what was asked, or about less.
    #[error("the file is true, and does not answer what was asked: {asked}. It is about {answers}")]
    About {
        /// What was asked.
        asked: String,
        /// What it is about.
        answers: String,
    },
    /// The file holds, and has a part of the history that was asked for.
    #[error(
        "the file is true, and a part of what was asked for: {asked}. It is {is}; missing are {missing}. Get these with prove"
    )]
    Part {
        /// What was asked.
        asked: String,
        /// Which part it is.
        is: String,
        /// What the other files have.
        missing: String,
    },
    /// The log is in another version of the format: its genesis, which is in the tree, says so.
    #[error("the receipt is of another version of the format: {0}")]
    OtherFormat(CodecError),
    /// All holds, but for the signature of an ML-DSA key, which this software can't verify.
    #[error(
        "entry {index} names an ML-DSA-44 key, whose signature this software can't verify: ask one that can"
    )]
    Mldsa {
        /// The entry's index.
        index: Index,
    },
    /// The state is by another version of the rules: what its items mean is not known here.
    #[error(
        "the state entry is by version {found} of the rules, and this software knows {}: ask one that knows it",
        crate::ledger::RULES_VERSION
    )]
    RulesVersion {
        /// The version that the entry says.
        found: u32,
    },
    /// An entry's bytes or signatures are wrong.
    #[error("entry {index}: {what}")]
    Entry {
        /// The entry's index.
        index: Index,
        /// What is wrong with the entry.
        what: String,
    },
    /// A sealed entry and its seal do not fit together.
    #[error("entry {index} and its seal: {what}")]
    Seal {
        /// The sealed entry's index.
        index: Index,
        /// What does not fit.
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
    /// The genesis that it leads to is of another log.
    #[error("the genesis is of another log")]
    OtherOrigin,
    /// The chain of authority leads to the genesis of another ledger.
    #[error("the receipt leads to genesis {found}, not to {expected}")]
    OtherGenesis {
        /// The id of the genesis that the chain leads to.
        found: RecordId,
        /// The id of the genesis that was asked for.
        expected: RecordId,
    },
}

impl ReceiptError {
    /// What a receipt with this error comes to: it is false, or says nothing.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NotAReceipt(_) => Outcome::NotThatKind,
            Self::TooLong
            | Self::Changed(_)
            | Self::Malformed(_)
            | Self::Part { .. }
            | Self::OtherFormat(_)
            | Self::Mldsa { .. }
            | Self::Quorum(_)
            | Self::RulesVersion { .. } => Outcome::Unchecked,
            Self::Checkpoint(error) => error.outcome(),
            Self::Witness(error) => error.outcome(),
            // A line that is missing in the file is no lie; a proof that is complete and leads
            // elsewhere is.
            Self::StateItem { complete, .. } => match complete {
                true => Outcome::False,
                false => Outcome::Unchecked,
            },
            Self::StateFile { fits, .. } => match fits {
                true => Outcome::False,
                false => Outcome::Unchecked,
            },
            Self::NotIncluded { error, .. } | Self::SecondTree { error, .. } => match error {
                ProofError::RootMismatch => Outcome::False,
                _ => Outcome::Unchecked,
            },
            Self::Entry { .. }
            | Self::Seal { .. }
            | Self::Authority { .. }
            | Self::About { .. }
            | Self::OtherOrigin
            | Self::OtherGenesis { .. } => Outcome::False,
        }
    }

    /// A stable name of what is wrong (`docs/format.md`, section 13.2): where the outcome is not
    /// false, every verifier gives the same.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAReceipt(_) => "not_a_receipt",
            Self::TooLong => "too_long",
            Self::Changed(fault) => fault.code(),
            Self::Malformed(_) => "receipt_malformed",
            Self::Checkpoint(error) => error.code(),
            Self::Witness(NoteError::NotSignedBy(_)) => "witness_missing",
            Self::Witness(error) => error.code(),
            Self::Quorum(_) => "quorum_missing",
            Self::StateItem { complete, .. } => match complete {
                true => "state_item_wrong",
                false => "state_item_malformed",
            },
            Self::StateFile { fits, .. } => match fits {
                true => "state_file_wrong",
                false => "state_file_unfit",
            },
            Self::NotIncluded { error, .. } => match error {
                ProofError::RootMismatch => "not_included",
                _ => "proof_incomplete",
            },
            Self::SecondTree { error, .. } => match error {
                ProofError::RootMismatch => "forked",
                _ => "proof_incomplete",
            },
            Self::OtherFormat(_) => "other_format",
            Self::Mldsa { .. } => "mldsa_unsupported",
            Self::RulesVersion { .. } => "rules_version_unsupported",
            Self::Entry { .. } => "entry_wrong",
            Self::Seal { .. } => "seal_mismatch",
            Self::Authority { .. } => "authority_broken",
            Self::About { .. } => "about_other",
            Self::Part { .. } => "about_part",
            Self::OtherOrigin | Self::OtherGenesis { .. } => "genesis_other",
        }
    }
}
