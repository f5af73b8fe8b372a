//! What a receipt's file may have at most, in bytes and numbers as they are written: no bound counts what a
//! reader makes of them, so that every verifier applies the same (`docs/format.md`, 13.5).

use crate::ledger::items::ITEM_VALUE_BYTES_MAX;
use crate::ledger::trie::{PATH_BITS, VALUE_BYTES_MAX};
use crate::merkle::PROOF_HASHES_MAX;
use crate::note::{COSIGNED_AT_S_MAX, NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX};
use crate::record::{ENDORSEMENTS_MAX, ENTRY_BYTES_MAX, LINEAGE_MAX, RECORD_BYTES_MAX, SEALED_MAX};

/// The longest receipt file that is read.
pub const RECEIPT_BYTES_MAX: usize = 4 << 20;
/// The longest decoded `extra` line.
pub const EXTRA_BYTES_MAX: usize = 2 << 20;
/// The most statements between an entry and the genesis: a grant, and each change of governors.
pub const AUTHORITY_LINKS_MAX: usize = 64;
/// The most hashes between a statement and its seal's root: of 16,384 statements.
pub const SIBLINGS_MAX: usize = 14;
/// The most items of the state that a receipt has.
pub const ITEMS_MAX: usize = 64;
/// The most entries that are shown beside items.
pub const SHOWN_MAX: usize = 512;

/// Every bound that a verifier of receipts applies, by its name in `docs/format.md`, 13.5.
pub const BOUNDS: [(&str, u64); 18] = [
    ("receipt_bytes", RECEIPT_BYTES_MAX as u64),
    ("extra_bytes", EXTRA_BYTES_MAX as u64),
    ("path_hashes", PROOF_HASHES_MAX as u64),
    ("entry_bytes", ENTRY_BYTES_MAX as u64),
    ("record_bytes", RECORD_BYTES_MAX as u64),
    ("lineage_places", LINEAGE_MAX as u64),
    ("endorsements", ENDORSEMENTS_MAX as u64),
    ("authority_links", AUTHORITY_LINKS_MAX as u64),
    ("siblings", SIBLINGS_MAX as u64),
    ("sealed_statements", SEALED_MAX as u64),
    ("items", ITEMS_MAX as u64),
    ("item_fields_bytes", ITEM_VALUE_BYTES_MAX as u64),
    ("leaf_value_bytes", VALUE_BYTES_MAX as u64),
    ("trie_depth", PATH_BITS as u64),
    ("shown_entries", SHOWN_MAX as u64),
    ("note_bytes", NOTE_BYTES_MAX as u64),
    ("note_signatures", NOTE_SIGNATURES_MAX as u64),
    ("cosigned_at_s", COSIGNED_AT_S_MAX),
];
