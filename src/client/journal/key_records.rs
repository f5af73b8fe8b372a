//! Which records of a key a journal holds, whole or in part.

use std::collections::BTreeMap;

use crate::client::own_chain::LoggedLine;
use crate::client::remote::ChainEnd;
use crate::client::seq_ranges::SeqRanges;
use crate::record::Seq;

/// What a journal holds of one key.
#[derive(Clone, Debug, Default)]
pub(in crate::client) struct KeyRecords {
    /// Records that are in, all of whose lines it holds.
    pub seqs: SeqRanges,
    /// Seals of which it found lines in the log, and does not hold all.
    pub parts: SeqRanges,
    /// The last record that is in, or of which it holds lines.
    pub last: Option<ChainEnd>,
    /// How many lines it holds of each seal of `parts`.
    found: BTreeMap<Seq, u64>,
}

impl KeyRecords {
    pub(super) fn add(&mut self, first: Seq, count: u64, last: ChainEnd) {
        self.seqs.insert(first, count);
        self.reaches(last);
    }

    /// A line that was found in the log: the journal of which it is, if it was lost, or was another
    /// one, need not hold the others of its seal.
    pub(super) fn add_found(&mut self, line: LoggedLine) {
        let seq = line.signed.seq;
        let held = self.found.entry(seq).or_default();
        *held += 1;
        if *held < line.of {
            self.parts.insert(seq, 1);
        } else {
            self.found.remove(&seq);
            self.parts.remove(seq);
            self.seqs.insert(seq, 1);
        }
        self.reaches(line.signed);
    }

    fn reaches(&mut self, end: ChainEnd) {
        if self.last.is_none_or(|known| known.seq < end.seq) {
            self.last = Some(end);
        }
    }
}
