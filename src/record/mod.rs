//! Statements, the records that issuers sign, the entries that the log keeps, the log's head, and the
//! one canonical encoding of each (`docs/format.md`).
//!
//! A [`Record`] or [`Entry`] that exists was decoded strictly or built here: its bytes are
//! canonical, and every size and range in it holds. The ledger decides whether it may be admitted.

mod chain;
mod codec;
mod entry;
mod head;
mod number;
mod signed;
mod statement;
mod text;

pub use chain::{RecordId, SigningContext};
pub use codec::{CodecError, decode, encode};
pub use entry::{ENTRY_BYTES_MAX, ENTRY_VERSION, Entry, LINEAGE_MAX, Lineage};
pub use head::{LogHead, StateHead};
pub use number::{
    AccountId, ActivityCode, Day, DayError, Digest, Grams, Index, Latitude, Longitude, MethodId,
    MethodVersion, Micrograms, Month, PlotNumber, Quantity, Seq, Serial, SpeciesCode,
    TextId32Error, TimeMs,
};
pub use signed::{
    ENDORSEMENTS_MAX, Endorsement, RECORD_BYTES_MAX, Record, SignatureRefusal, SignedRecord, draft,
};
pub use statement::{
    Activity, Assignment, Award, Basis, CLAIMS_PER_ASSIGNMENT_MAX, CarbonRights, Claim, Correction,
    Genesis, GovernorSet, KeyGrant, KeyRevoke, Kind, LogKey, Method, Planting, Plot, Remedy, Role,
    Species, Statement, Survey, Transfer, TransferReason,
};
pub use text::{List, Origin, Slug, Text, TextError};
