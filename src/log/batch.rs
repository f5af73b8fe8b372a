//! Judging a batch: plain, synchronous, deterministic. Records and the time come in; entries,
//! the tree with them, and a ruling on each submission come out.

use std::collections::HashMap;

use super::evidence::{EvidenceJudge, Rule, award_of};
use super::queue::{Said, Submission, Verdict};
use super::state_roots::ProvenState;
use super::workers::{CheckedBatch, Identified};
use crate::crypto::PublicKey;
use crate::ledger::{
    BatchCandidate, BatchLineage, BatchRefusal, Candidate, Code, InvariantBroken, Refusal, State,
    Target,
};
use crate::merkle::{Bundle, Frontier, leaf_hash};
use crate::note::TreeHead;
use crate::record::{
    Award, CodecError, FullEntry, Index, Lineage, LogHead, SealedEntry, SignedEntry, SignedRecord,
    Statement, TimeMs,
};
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
    /// What was decided.
    pub verdict: Verdict,
}

/// Entries that corrections name, by their indexes: fetched before the batch is judged.
pub(super) type Targets = HashMap<Index, FullEntry>;

/// Submissions that can't be answered: the state contradicted itself while they were judged. None of
/// their records may become durable, and the state is of no use.
pub(super) struct Broken {
    pub submissions: Vec<Submission>,
    pub why: InvariantBroken,
}

/// What submissions are judged on, and the entries that they become.
struct Judging<'a> {
    state: &'a mut State,
    tree: &'a mut Frontier,
    admitted_at: TimeMs,
    targets: &'a mut Targets,
    /// Whether anything that is judged corrects an entry: only then are entries kept as targets.
    corrects: bool,
    entries: Vec<u8>,
    /// Which awards are refused by the evidence that they name.
    evidence: Option<&'a mut EvidenceJudge>,
}

/// Judges submissions in order. Records are admitted up to the first bad one, a sealed batch as a whole
/// or not at all. A state entry of `proven` comes behind them all.
pub(super) fn judge(
    state: &mut State,
    tree: &mut Frontier,
    admitted_at: TimeMs,
    submissions: Vec<Submission>,
    targets: &mut Targets,
    proven: Option<&ProvenState>,
    evidence: Option<&mut EvidenceJudge>,
) -> Result<Judged, Broken> {
    let from = LogHead::without_state(TreeHead::of(tree));
    let mut all = submissions.iter();
    let corrects = all.any(|submission| !submission.said.targets().is_empty());
    let mut judging = Judging {
        state,
        tree,
        admitted_at,
        targets,
        corrects,
        entries: Vec::with_capacity(submissions.iter().map(|s| s.said.bytes()).sum()),
        evidence,
    };
    let mut rulings = Vec::with_capacity(submissions.len());
    let mut submissions = submissions.into_iter();
    while let Some(submission) = submissions.next() {
        let verdict = match &submission.said {
            Said::Records { records, trailing } => judging.records(records, trailing.as_ref()),
            Said::Batch(batch) => judging.batch(batch).map(Verdict::Batch),
        };
        match verdict {
            Ok(verdict) => rulings.push(Ruling {
                submission,
                verdict,
            }),
            Err(why) => {
                let judged = rulings.into_iter().map(|ruling: Ruling| ruling.submission);
                let submissions = judged.chain([submission]).chain(submissions).collect();
                return Err(Broken { submissions, why });
            }
        }
    }
    let mut entries = judging.entries;
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

impl Judging<'_> {
    /// Admits records up to the first bad one.
    fn records(
        &mut self,
        records: &[Identified],
        trailing: Option<&Refusal>,
    ) -> Result<Verdict, InvariantBroken> {
        let mut indexes = Vec::with_capacity(records.len());
        let mut refusal = trailing.cloned();
        for (id, signed) in records {
            let target = signed.record().statement.target();
            let target = target
                .and_then(|index| self.targets.get(&index))
                .and_then(target_of);
            let award = self.ruled_award(signed);
            if let Some((rule, award)) = award
                && let Some(why) = self.reused(rule, award)
            {
                refusal = Some(why);
                break;
            }
            let candidate = Candidate::signed(signed, *id, self.admitted_at, target);
            let admitted = admit(self.state, self.tree, &candidate, signed, &mut self.entries);
            match admitted? {
                Ok((index, lineage)) => {
                    indexes.push(index);
                    if let (Some((rule, award)), Some(evidence)) = (award, &mut self.evidence) {
                        evidence.admitted(rule, award, index, self.admitted_at);
                    }
                    // A later record of the same commit may correct this one.
                    if self.corrects {
                        let entry = SignedEntry {
                            admitted_at: self.admitted_at,
                            lineage,
                            signed: signed.clone(),
                        };
                        self.targets.insert(index, FullEntry::Signed(entry));
                    }
                }
                Err(why) => {
                    refusal = Some(why);
                    break;
                }
            }
        }
        Ok(Verdict::Records { indexes, refusal })
    }

    /// An award whose evidence may be named once, and the rule that says so.
    fn ruled_award<'s>(&self, signed: &'s SignedRecord) -> Option<(Rule, &'s Award)> {
        let award = award_of(signed)?;
        let record = signed.record();
        let evidence = self.evidence.as_ref()?;
        let rule = evidence.rule_of(self.state, &record.issuer, record.seq)?;
        Some((rule, award))
    }

    fn reused(&self, rule: Rule, award: &Award) -> Option<Refusal> {
        let evidence = self.evidence.as_ref()?;
        evidence.refusal(self.state, rule, award, self.admitted_at)
    }

    /// Admits a sealed batch, or refuses it and changes nothing.
    fn batch(
        &mut self,
        checked: &CheckedBatch,
    ) -> Result<Result<Index, BatchRefusal>, InvariantBroken> {
        let signed = checked.batch.seal_record();
        let record = signed.record();
        let rule = self.evidence.as_ref();
        let rule = rule.and_then(|it| it.rule_of(self.state, &record.issuer, record.seq));
        if let (Some(rule), Some(evidence)) = (rule, &self.evidence) {
            let statements = checked.batch.statements().iter();
            let statements = statements.map(|sealed| sealed.statement());
            let refused = evidence.refusals(self.state, rule, statements, self.admitted_at);
            if !refused.is_empty() {
                return Ok(Err(BatchRefusal::Statements(refused)));
            }
        }
        let seal = Candidate::signed(signed, checked.id, self.admitted_at, None);
        let statements = checked.batch.statements().iter();
        let statements: Vec<_> = statements
            .map(|statement| {
                let target = statement.statement().target();
                let target = target
                    .and_then(|index| self.targets.get(&index))
                    .and_then(target_of);
                seal.under_seal(statement.statement(), target)
            })
            .collect();
        let batch = BatchCandidate {
            statements: &statements,
            seal,
        };
        let (first, lineage) = match self.state.admit_batch(&batch)? {
            Ok(admitted) => admitted,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let (Some(rule), Some(evidence)) = (rule, &mut self.evidence) {
            for (index, sealed) in (first.0..).zip(checked.batch.statements()) {
                if let Statement::Award(award) = sealed.statement() {
                    evidence.admitted(rule, award, Index(index), self.admitted_at);
                }
            }
        }
        let wrong = |error: CodecError| InvariantBroken {
            index: first,
            what: format!("a sealed batch that was admitted can't be written: {error}"),
        };
        self.append_batch(first, checked, lineage).map_err(wrong)?;
        Ok(Ok(first))
    }

    /// Appends the entries of a sealed batch that was admitted.
    fn append_batch(
        &mut self,
        first: Index,
        checked: &CheckedBatch,
        lineage: BatchLineage,
    ) -> Result<(), CodecError> {
        let signed = checked.batch.seal_record();
        let statements = checked.batch.statements();
        let too_long = || CodecError::Malformed("an entry is too long".to_owned());
        let aheads = (1..=statements.len()).rev();
        let mut bytes = Vec::new();
        for ((statement, places), ahead) in statements.iter().zip(&lineage.places).zip(aheads) {
            let ahead = u16::try_from(ahead).map_err(|_| too_long())?;
            bytes.clear();
            SealedEntry::encode_parts(ahead, statement, places.indexes(), &mut bytes)?;
            Bundle::append(&mut self.entries, &bytes).ok_or_else(too_long)?;
            self.tree.push(leaf_hash(&bytes));
        }
        let bytes = SignedEntry::encode_parts(self.admitted_at, &lineage.seal, signed)?;
        Bundle::append(&mut self.entries, &bytes).ok_or_else(too_long)?;
        self.tree.push(leaf_hash(&bytes));
        if !self.corrects {
            return Ok(());
        }
        let seal = SignedEntry {
            admitted_at: self.admitted_at,
            lineage: lineage.seal,
            signed: signed.clone(),
        };
        let seal_index = Index(first.0 + statements.len() as u64);
        let indexed = (first.0..seal_index.0).zip(statements.iter().zip(lineage.places));
        for (index, (statement, places)) in indexed {
            let ahead = u16::try_from(seal_index.0 - index).map_err(|_| too_long())?;
            let entry = FullEntry::Sealed {
                entry: SealedEntry::new(ahead, statement.clone(), places.indexes().to_vec())?,
                seal_index,
                seal: seal.clone(),
            };
            self.targets.insert(Index(index), entry);
        }
        self.targets.insert(seal_index, FullEntry::Signed(seal));
        Ok(())
    }
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
fn target_of(entry: &FullEntry) -> Option<Target<'_>> {
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
