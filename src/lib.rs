//! arborlog: an append-only, verifiable carbon ledger.

pub mod audit;
#[cfg(feature = "client")]
pub mod client;
pub mod crypto;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "cli")]
pub mod import;
pub mod ledger;
#[cfg(feature = "server")]
pub mod log;
pub mod merkle;
pub mod note;
pub mod record;
#[cfg(feature = "server")]
pub mod store;
