//! What is judged: a record, and what the log knows of it.

use crate::record::{Day, Entry, Record, RecordId, SignedRecord, TimeMs};

/// A record that asks to be the next entry.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The record with its signatures, which the caller verified or an audit will.
    pub signed: &'a SignedRecord,
    /// The record's id in this ledger.
    pub id: RecordId,
    /// When the record's batch came in.
    pub admitted_at: TimeMs,
    /// For a correction, the entry that it corrects, if there is one.
    pub target: Option<&'a Entry>,
}

impl<'a> Candidate<'a> {
    /// The record.
    pub fn record(&self) -> &'a Record {
        self.signed.record()
    }

    /// The day of admission.
    pub(in crate::ledger) fn admitted_on(&self) -> Day {
        Day::of(self.admitted_at)
    }
}
