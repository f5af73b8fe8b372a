//! arborlog: an append-only, verifiable carbon ledger.

pub mod crypto;
pub mod ledger;
pub mod merkle;
pub mod note;
pub mod record;
