//! Statements, the records that issuers sign, the entries that the log keeps, the log's head, and the
//! one canonical encoding of each (`docs/format.md`).
//!
//! A [`Record`] or [`Entry`] that exists was decoded strictly or built here: its bytes are
//! canonical, and every size and range in it holds. The ledger decides whether it may be admitted.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use arborlog::crypto::SigningKey;
//! use arborlog::record::{Origin, Record, RecordId, Seq, SigningContext, Statement, draft};
//!
//! let key = SigningKey::from_seed(&[7; 32]);
//! // A signature is good for one ledger: its origin is a part of what is signed.
//! let context = SigningContext::new(&"example.org/ledger".parse::<Origin>()?);
//! let statement: Statement = serde_json::from_str(
//!     r#"{"kind": "key_revoke", "key": "KEY", "reason": "the phone was lost", "set": 0}"#
//!         .replace("KEY", &key.public().to_string())
//!         .as_str(),
//! )?;
//! let record = Record {
//!     issuer: key.public(),
//!     seq: Seq(0),
//!     prev: RecordId::NONE,
//!     issued_on: "2026-03-01".parse()?,
//!     statement,
//! };
//! let (signed, id) = draft(&record, &context, &key)?;
//! signed.verify(&context)?;
//! assert_eq!(id, context.id(signed.bytes()));
//! # Ok(())
//! # }
//! ```

mod batch;
mod chain;
mod codec;
mod distance;
mod entry;
mod frame;
mod full;
mod head;
mod kind;
mod land;
mod number;
mod policy_text;
mod signed;
mod statement;
mod text;
mod version;

pub use crate::crypto::{MldsaKey, MldsaSignature};
pub use batch::{BatchError, SEALED_BATCH, SEALED_BYTES_MAX, SealPlace, SealedBatch, UnreadBatch};
pub use chain::{RecordId, SigningContext};
pub use codec::{CodecError, decode, encode};
pub(crate) use codec::{decode_bytes, decode_front, decode_list};
pub use distance::{EARTH_RADIUS_M, Place, great_circle_m};
pub use entry::{
    ENTRY_BYTES_MAX, Entry, LINEAGE_MAX, Lineage, SealedEntry, SealedStatement, SignedEntry,
    StateEntry, StateTotals,
};
pub use frame::{Frames, append_frame};
pub use full::{FullEntry, Stated};
pub use head::{LogHead, StateHead};
pub use kind::Kind;
pub use land::{Circle, Country, GeoPoint, NamedPlatforms, Outline, PlotPlace};
pub use number::{
    AccountId, ActivityCode, Day, DayError, Digest, Grams, Index, Latitude, Longitude, MethodId,
    MethodVersion, Micrograms, Month, NumberError, PlotNumber, Quantity, Seq, Serial, SpeciesCode,
    TextId32Error, TimeMs,
};
pub use signed::{
    ENDORSEMENTS_MAX, Endorsement, RECORD_BYTES_MAX, Record, SignatureRefusal, SignedRecord, draft,
};
pub use statement::{
    Activity, Assignment, AssuranceLevel, Attestation, Award, Basis, CLAIMS_PER_ASSIGNMENT_MAX,
    CarbonRights, Claim, Correction, Genesis, GovernorSet, KeyGrant, KeyRevoke, LogKey, Method,
    Opinion, Planting, Plot, Policy, Remedy, Role, SEALED_MAX, Seal, Species, Statement, Survey,
    Transfer, TransferReason,
};
pub use text::{List, Origin, Slug, Text, TextError, WebAddress};
pub use version::FormatVersion;
