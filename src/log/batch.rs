//! Judging a batch: plain, synchronous, deterministic. Records and the time come in; entries,
//! the tree with them, and a ruling on each submission come out.

use std::collections::HashMap;

use super::queue::Submission;
use crate::crypto::PublicKey;
use crate::ledger::{Candidate, Code, Refusal, State};
use crate::merkle::{Bundle, Frontier, leaf_hash};
use crate::note::TreeHead;
use crate::record::{Entry, Index, Lineage, LogHead, SignedRecord, Statement, TimeMs};
use crate::store::Batch;

/// A batch that was judged.
pub(super) struct Judged {
    /// The entries of the records that were admitted.
    pub batch: Batch,
    /// A ruling on each submission, in the order in which they were judged.
    pub rulings: Vec<Ruling>,
    /// The log's keys as of this batch: its checkpoint is signed by the last.
    pub log_keys: Vec<PublicKey>,
}

/// What was decided on one submission.
pub(super) struct Ruling {
    /// The submission.
    pub submission: Submission,
    /// Indexes of its records that were admitted, from the first on.
    pub indexes: Vec<Index>,
    /// The refusal for its next record; `None` if all were admitted.
    pub refusal: Option<Refusal>,
}

/// Entries that corrections name, by their indexes: fetched before the batch is judged.
pub(super) type Targets = HashMap<Index, Entry>;

/// Judges submissions in order. A submission is admitted up to its first bad record.
pub(super) fn judge(
    state: &mut State,
    tree: &mut Frontier,
    admitted_at: TimeMs,
    submissions: Vec<Submission>,
    targets: &mut Targets,
) -> Judged {
    let from = LogHead::without_state(TreeHead::of(tree));
    let mut entries = Vec::new();
    let all = submissions
        .iter()
        .flat_map(|submission| submission.records.iter());
    let corrects = all
        .map(|(_, signed)| target_of(signed))
        .any(|target| target.is_some());
    let mut rulings = Vec::with_capacity(submissions.len());
    for mut submission in submissions {
        let mut indexes = Vec::with_capacity(submission.records.len());
        let mut refusal = None;
        for (id, signed) in submission.records.iter() {
            let target = target_of(signed).and_then(|index| targets.get(&index));
            let candidate = Candidate {
                signed,
                id: *id,
                admitted_at,
                target,
            };
            match admit(state, tree, &candidate, &mut entries) {
                Ok((index, lineage)) => {
                    indexes.push(index);
                    // A later record of the same batch may correct this one.
                    if corrects {
                        let signed = signed.clone();
                        let entry = Entry {
                            admitted_at,
                            lineage,
                            signed,
                        };
                        targets.insert(index, entry);
                    }
                }
                Err(why) => {
                    refusal = Some(why);
                    break;
                }
            }
        }
        let refusal = refusal.or(submission.trailing.take());
        rulings.push(Ruling {
            submission,
            indexes,
            refusal,
        });
    }
    let to = LogHead::without_state(TreeHead::of(tree));
    let log_keys = state
        .globals()
        .log_keys
        .iter()
        .map(|(key, _)| *key)
        .collect();
    Judged {
        batch: Batch { from, entries, to },
        rulings,
        log_keys,
    }
}

/// The entry that a record corrects; `None` if the record is no correction.
pub(super) fn target_of(signed: &SignedRecord) -> Option<Index> {
    match &signed.record().statement {
        Statement::Correction(correction) => Some(correction.target),
        _ => None,
    }
}

fn admit(
    state: &mut State,
    tree: &mut Frontier,
    candidate: &Candidate<'_>,
    entries: &mut Vec<u8>,
) -> Result<(Index, Lineage), Refusal> {
    let lineage = state.judge(candidate)?;
    let too_long = || {
        Refusal::new(
            Code::EntryTooLong,
            "the entry would be too long",
            "split the statement",
        )
    };
    let bytes = Entry::encode_parts(candidate.admitted_at, &lineage, candidate.signed)
        .map_err(|_| too_long())?;
    Bundle::append(entries, &bytes).ok_or_else(too_long)?;
    tree.push(leaf_hash(&bytes));
    Ok((state.apply(candidate), lineage))
}
