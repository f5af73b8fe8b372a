//! Judging a batch: plain, synchronous, deterministic. Records and the time come in; entries,
//! the tree with them, and a ruling on each submission come out.

use std::collections::HashMap;

use super::queue::Submission;
use super::state_roots::ProvenState;
use crate::crypto::PublicKey;
use crate::ledger::{Candidate, Code, InvariantBroken, Refusal, State, Target};
use crate::merkle::{Bundle, Frontier, leaf_hash};
use crate::note::TreeHead;
use crate::record::{FullEntry, Index, Lineage, LogHead, SignedEntry, SignedRecord, TimeMs};
use crate::store::Batch;

/// A batch that was judged.
pub(super) struct Judged {
    /// The entries of the records that were admitted.
    pub batch: Batch,
    /// A ruling on each submission, in the order in which they were judged.
    pub rulings: Vec<Ruling>,
    /// The log's keys as of this batch: its checkpoint is signed by the last.
    pub log_keys: Vec<PublicKey>,
    /// The state entry that ends the batch, if one does.
    pub state_entry: Option<Index>,
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
pub(super) type Targets = HashMap<Index, FullEntry>;

/// Submissions that can't be answered: the state contradicted itself while they were judged. None of
/// their records may become durable, and the state is of no use.
pub(super) struct Broken {
    pub submissions: Vec<Submission>,
    pub why: InvariantBroken,
}

/// Judges submissions in order. A submission is admitted up to its first bad record. A state entry of
/// `proven` comes behind them all.
pub(super) fn judge(
    state: &mut State,
    tree: &mut Frontier,
    admitted_at: TimeMs,
    submissions: Vec<Submission>,
    targets: &mut Targets,
    proven: Option<&ProvenState>,
) -> Result<Judged, Broken> {
    let from = LogHead::without_state(TreeHead::of(tree));
    let mut entries = Vec::new();
    let all = submissions
        .iter()
        .flat_map(|submission| submission.records.iter());
    let corrects = all
        .map(|(_, signed)| signed.record().statement.target())
        .any(|target| target.is_some());
    let mut rulings = Vec::with_capacity(submissions.len());
    let mut submissions = submissions.into_iter();
    while let Some(mut submission) = submissions.next() {
        let mut indexes = Vec::with_capacity(submission.records.len());
        let mut refusal = None;
        for (id, signed) in submission.records.iter() {
            let target = signed
                .record()
                .statement
                .target()
                .and_then(|index| targets.get(&index))
                .and_then(target);
            let candidate = Candidate::signed(signed, *id, admitted_at, target);
            match admit(state, tree, &candidate, signed, &mut entries) {
                Ok(Ok((index, lineage))) => {
                    indexes.push(index);
                    // A later record of the same batch may correct this one.
                    if corrects {
                        let signed = signed.clone();
                        let entry = SignedEntry {
                            admitted_at,
                            lineage,
                            signed,
                        };
                        targets.insert(index, FullEntry::Signed(entry));
                    }
                }
                Ok(Err(why)) => {
                    refusal = Some(why);
                    break;
                }
                Err(why) => {
                    let judged = rulings.into_iter().map(|ruling: Ruling| ruling.submission);
                    let submissions = judged.chain([submission]).chain(submissions).collect();
                    return Err(Broken { submissions, why });
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
    let mut state_entry = None;
    if let Some(proven) = proven {
        match append_state_entry(state, tree, admitted_at, proven, &mut entries) {
            Ok(index) => state_entry = Some(index),
            Err(why) => {
                let submissions = rulings
                    .into_iter()
                    .map(|ruling| ruling.submission)
                    .collect();
                return Err(Broken { submissions, why });
            }
        }
    }
    let to = LogHead::without_state(TreeHead::of(tree));
    let log_keys = state
        .globals()
        .log_keys
        .iter()
        .map(|(key, _)| *key)
        .collect();
    Ok(Judged {
        batch: Batch { from, entries, to },
        rulings,
        log_keys,
        state_entry,
    })
}

/// Appends what the log says of the state that was proven.
fn append_state_entry(
    state: &mut State,
    tree: &mut Frontier,
    admitted_at: TimeMs,
    proven: &ProvenState,
    entries: &mut Vec<u8>,
) -> Result<Index, InvariantBroken> {
    let totals = &proven.image.globals.totals;
    let entry = state.next_state_entry(admitted_at, proven.size, &proven.roots, totals)?;
    let wrong = |what: String| InvariantBroken {
        index: Index(state.entries()),
        what,
    };
    // What every auditor would call a violation must not become durable.
    state.check_state_entry(&entry).map_err(wrong)?;
    let bytes = entry.encode().map_err(|error| wrong(error.to_string()))?;
    Bundle::append(entries, &bytes).ok_or_else(|| wrong("a state entry is too long".to_owned()))?;
    tree.push(leaf_hash(&bytes));
    state.apply_state_entry(&entry)
}

/// What a correction of this entry needs of it.
fn target(entry: &FullEntry) -> Option<Target<'_>> {
    let stated = entry.stated()?;
    Some(Target {
        statement: stated.statement,
        issuer: stated.issuer(),
    })
}

/// Admits a record, or refuses it and changes nothing.
fn admit(
    state: &mut State,
    tree: &mut Frontier,
    candidate: &Candidate<'_>,
    signed: &SignedRecord,
    entries: &mut Vec<u8>,
) -> Result<Result<(Index, Lineage), Refusal>, InvariantBroken> {
    let (lineage, bytes) = match judge_one(state, candidate, signed) {
        Ok(judged) => judged,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if Bundle::append(entries, &bytes).is_none() {
        return Ok(Err(too_long()));
    }
    tree.push(leaf_hash(&bytes));
    let index = state.apply(candidate)?;
    Ok(Ok((index, lineage)))
}

/// The lineage and the bytes of the entry that a record would be.
fn judge_one(
    state: &State,
    candidate: &Candidate<'_>,
    signed: &SignedRecord,
) -> Result<(Lineage, Vec<u8>), Refusal> {
    let lineage = state.judge(candidate)?;
    let bytes = SignedEntry::encode_parts(candidate.admitted_at, &lineage, signed);
    Ok((lineage, bytes.map_err(|_| too_long())?))
}

fn too_long() -> Refusal {
    Refusal::new(
        Code::EntryTooLong,
        "the entry would be too long",
        "split the statement",
    )
}
