//! arborlog: an append-only, verifiable carbon ledger.
//!
//! Awards and plantings are records, signed by those who vouch for them, hash-chained to their
//! signer's record before, and kept in a Merkle log whose proofs anyone can verify.
//!
//! From the bottom up: [`durable`] makes files survive the loss of power; [`merkle`] is the tree of
//! RFC 6962 and its tiles; [`crypto`] keys and the strict verdict; [`note`] checkpoints; [`record`]
//! what is said and its one encoding; [`ledger`] the rules, pure; [`replay`] a ledger from its
//! entries; [`receipt`] the proof of one entry; [`audit`] whole logs; [`cosign`] a witness; any check of these
//! comes to one [`outcome`] of four. So far there is no clock and no runtime, and only an audit reads
//! files: an auditor embeds it with `default-features = false`.
//!
//! Above, with the feature `server`: `measures` counts, `shares` is what clients share, `store` keeps bytes, `log` gives order and durability,
//! `answer` is what handlers share, `http` serves both, `charts` draws, and `web` is the pages for
//! people. With `client`: `client` signs and sends. With `cli`: `report` shows what an audit found.
//! `docs/architecture.md` follows one record through all of it.

// What is public here is what other crates use; a type among it that they can't name, and a `pub`
// that nobody outside can reach, are mistakes.
#![warn(unnameable_types, unreachable_pub)]
#![cfg_attr(not(test), warn(clippy::cast_possible_truncation))]

#[cfg(feature = "server")]
pub mod answer;
#[cfg(feature = "server")]
pub mod asking;
pub mod audit;
#[cfg(feature = "cli")]
pub mod charts;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "keys")]
pub mod cosign;
pub mod crypto;
pub mod durable;
#[cfg(feature = "cli")]
pub mod evidence;
#[cfg(feature = "server")]
mod figures;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "import")]
pub mod import;
pub mod ledger;
#[cfg(feature = "server")]
pub mod log;
#[cfg(feature = "server")]
pub mod measures;
pub mod merkle;
pub mod note;
pub mod outcome;
pub mod policy;
pub mod receipt;
pub mod record;
pub mod replay;
#[cfg(feature = "cli")]
pub mod report;
#[cfg(feature = "server")]
pub mod shares;
#[cfg(feature = "server")]
pub mod store;
pub mod version;
#[cfg(feature = "server")]
pub mod web;
