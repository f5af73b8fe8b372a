//! arborlog: an append-only, verifiable carbon ledger.

pub mod audit;
pub mod crypto;
pub mod ledger;
pub mod merkle;
pub mod note;
pub mod record;
#[cfg(feature = "server")]
pub mod store;
