//! Replaying a ledger from its entries' bytes: each is checked alone, sealed ones are put together with
//! their seal, and the rules are applied in order.

mod batches;
mod check;
mod grouping;
mod lookahead;
mod state_checks;

pub use batches::{Batches, Group, Taken};
pub use check::{CheckedEntry, Checker, EntryFault};
pub use grouping::Grouping;
use state_checks::{Comparison, KeptState};

use crate::crypto::PublicKey;
use crate::ledger::{
    BatchCandidate, BatchRefusal, Candidate, Code, InvariantBroken, RULES_VERSION, Refusal, State,
    Target,
};
use crate::merkle::Frontier;
use crate::note::TreeHead;
use crate::record::{
    Entry, Index, LogHead, Origin, RecordId, SignedEntry, StateEntry, Statement, TimeMs,
};

/// Whether a replay verifies signatures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signatures {
    /// Every one, strictly.
    Verify,
    /// None. The bytes are those that were verified before: recovery ends at a root that the log
    /// signed after it had verified them.
    Trust,
}

/// An entry that should not be in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {index}: {what}")]
pub struct Violation {
    /// The entry's index.
    pub index: u64,
    /// What is wrong with the entry.
    pub what: String,
}

/// Why a replay takes an entry not in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The entry should not be in the ledger.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The entry may be right or wrong: this software can't tell.
    #[error("entry {index} can't be checked: {what}")]
    Unsupported {
        /// The entry's index.
        index: u64,
        /// What this software does not know.
        what: String,
    },
}

/// A ledger that is replayed, entry by entry.
#[derive(Clone, Debug)]
pub struct Replay {
    checker: Checker,
    state: State,
    tree: Frontier,
    grouping: Grouping,
    /// The state of which a state entry that was seen speaks, from when it is reached.
    kept: Option<KeptState>,
    /// The last state entry, until it is compared.
    uncompared: Option<Comparison>,
    /// States of fewer entries than this were passed: what the replay began with, or where it ended for a time. A
    /// state entry that comes later may still speak of one.
    passed: u64,
    /// Where the state is kept, behind this many entries, and then the state: from it those that were passed are
    /// made again.
    base_at: Option<u64>,
    base: Option<Box<State>>,
    /// State entries that speak of a state that was passed and can't be made again.
    unheld: Vec<UnheldState>,
}

/// A state entry whose root and totals were compared with nothing: the replay began behind the state that the entry
/// speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnheldState {
    /// The state entry's index.
    pub index: Index,
    /// The number of entries that it speaks of.
    pub size: u64,
}

/// How an earlier entry is had, by its index; `None` if it can't be.
type Earlier<'a> = &'a mut dyn FnMut(Index) -> Option<Vec<u8>>;

impl Replay {
    /// A replay from the genesis on.
    pub fn new(origin: &Origin, signatures: Signatures) -> Self {
        Self::resume(
            State::empty(origin.clone()),
            Frontier::default(),
            signatures,
        )
    }

    /// A replay from a state on, with the tree over the same entries.
    pub fn resume(state: State, tree: Frontier, signatures: Signatures) -> Self {
        let checker = Checker::new(&state.globals().origin, signatures);
        Self {
            checker,
            passed: state.entries(),
            base_at: None,
            base: None,
            unheld: Vec::new(),
            grouping: Grouping::at(Index(state.entries())),
            state,
            tree,
            kept: None,
            uncompared: None,
        }
    }

    /// Takes in the next entry, after checking its encoding, its time, its lineage, the rules and, if
    /// asked for, its signatures. `earlier` returns the bytes of an earlier entry, for corrections. A
    /// sealed entry is held back until its seal is taken in. A state entry that speaks of less than all
    /// entries before it is compared by [`Self::add`] alone: here it can't be checked.
    ///
    /// # Errors
    /// [`ReplayError`] names the entry and what is wrong. The replay must not be used any more.
    pub fn take(
        &mut self,
        bytes: &[u8],
        mut earlier: impl FnMut(Index) -> Option<Vec<u8>>,
    ) -> Result<Entry, ReplayError> {
        let index = self.next_index();
        let checked = self
            .checker
            .check(bytes)
            .map_err(|fault| fault.at(index.0))?;
        let entry = checked.entry().clone();
        let mut groups = self.add(checked)?;
        groups.extend(self.rest());
        for group in groups {
            self.take_group(&group, &mut earlier, |_, _| Ok::<_, ReplayError>(()))?;
        }
        self.settle()?;
        Ok(entry)
    }

    /// The index of the entry that is to come.
    pub fn next_index(&self) -> Index {
        self.grouping.next_index()
    }

    /// Gives what puts entries together, for another thread. Until it is put back, entries come in groups
    /// alone.
    pub fn take_grouping(&mut self) -> Grouping {
        std::mem::take(&mut self.grouping)
    }

    /// Puts back what [`Self::take_grouping`] gave.
    pub fn put_grouping(&mut self, grouping: Grouping) {
        self.grouping = grouping;
    }

    /// Puts the next entry together with those that wait for it: see [`Grouping::add`].
    ///
    /// # Errors
    /// [`ReplayError`] where a sealed batch is not whole.
    pub fn add(&mut self, checked: CheckedEntry) -> Result<Vec<Group>, ReplayError> {
        self.grouping.add(checked)
    }

    /// Gives the groups that wait for a state entry which does not come.
    pub fn rest(&mut self) -> Vec<Group> {
        self.grouping.rest()
    }

    /// Checks that the log does not end here within a sealed batch, and compares what is still to be
    /// compared.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn finish(&mut self) -> Result<(), ReplayError> {
        self.settle()?;
        self.grouping.check_end()?;
        self.passed = self.state.entries();
        Ok(())
    }

    /// Keeps the state behind this many entries, which is where a state entry ends: a state entry to come speaks of no
    /// smaller one. With it, a replay that ends and goes on later compares that entry too.
    pub fn keep_base_at(&mut self, entries: u64) {
        if self.base_at == Some(entries) && self.base.is_some() {
            return;
        }
        self.base_at = Some(entries);
        self.keep_base();
    }

    /// Whether it stands where [`Self::keep_base_at`] said, behind a state entry.
    pub fn is_at_base(&self) -> bool {
        self.base_at == Some(self.state.entries()) && self.is_behind_state_entry()
    }

    fn keep_base(&mut self) {
        if self.base_at == Some(self.state.entries()) {
            self.base = Some(Box::new(self.state.clone()));
        }
    }

    /// Whether the last entry that was taken in is a state entry: a replay that is saved here and resumed misses
    /// nothing of the state entries behind.
    pub fn is_behind_state_entry(&self) -> bool {
        let mark = self.state.globals().state_entry;
        mark.is_some_and(|mark| mark.index.0.checked_add(1) == Some(self.state.entries()))
    }

    /// State entries that were compared with nothing. The next state entry covers what they speak of; they themselves
    /// may be wrong.
    pub fn unheld(&self) -> &[UnheldState] {
        &self.unheld
    }

    /// Compares the last state entry, if that is still to be done: its root is made on another thread while
    /// entries behind it are taken in. What is to be kept of a replay is right only then.
    ///
    /// # Errors
    /// [`ReplayError`], if the state entry does not say what was so.
    pub fn settle(&mut self) -> Result<(), ReplayError> {
        match self.uncompared.take() {
            Some(comparison) => comparison.end(),
            None => Ok(()),
        }
    }

    /// Keeps a state of which a state entry that comes next speaks, for those who take each commit in at once
    /// and so know of a state entry only after they took in what it speaks of.
    pub fn keep(&mut self, state: &State) {
        if !self.keeps(state.entries()) {
            self.kept = Some(KeptState::of(state.clone()));
        }
    }

    /// Whether the state of this number of entries is kept, for the next state entry.
    pub fn keeps(&self, size: u64) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.size() == size)
    }

    /// Takes state entries that speak of this number of entries or less in without a comparison: their states
    /// are not here.
    pub fn skip_comparisons(&mut self, size: u64) {
        self.passed = self.passed.max(size.saturating_add(1));
    }

    /// Takes in the next group. `earlier` returns the bytes of an earlier entry: of those that
    /// corrections name, and of their seals. `each` is called after each entry, with the state as of
    /// then.
    ///
    /// # Errors
    /// [`ReplayError`], as [`Self::take`], and what `each` gives. The replay must not be used any
    /// more.
    pub fn take_group<E: From<ReplayError>>(
        &mut self,
        group: &Group,
        earlier: impl FnMut(Index) -> Option<Vec<u8>>,
        each: impl FnMut(&Taken<'_>, &State) -> Result<(), E>,
    ) -> Result<(), E> {
        let taken = self.take_next(group, earlier, each);
        if taken.is_err() {
            // A state entry before it may be wrong too: what is wrong first is told.
            self.settle()?;
        }
        taken
    }

    fn take_next<E: From<ReplayError>>(
        &mut self,
        group: &Group,
        mut earlier: impl FnMut(Index) -> Option<Vec<u8>>,
        mut each: impl FnMut(&Taken<'_>, &State) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some((sealed, last)) = group.split() else {
            return Ok(());
        };
        if group.is_spoken_of() {
            self.kept = Some(KeptState::of(self.state.clone()));
        }
        match last.entry() {
            Entry::State(entry) => self.take_state_entry(entry, &mut earlier)?,
            Entry::Signed(signed) if sealed.is_empty() => {
                self.take_signed(last, signed, &mut earlier)?;
            }
            Entry::Signed(seal) => {
                return self.take_sealed(group, sealed, last, seal, &mut earlier, each);
            }
            Entry::Sealed(_) => {}
        }
        self.tree.push(last.leaf());
        for taken in group.taken() {
            each(&taken, &self.state)?;
        }
        Ok(())
    }

    fn take_signed(
        &mut self,
        checked: &CheckedEntry,
        entry: &SignedEntry,
        earlier: &mut dyn FnMut(Index) -> Option<Vec<u8>>,
    ) -> Result<(), ReplayError> {
        let index = Index(self.state.entries());
        self.check_time(index, entry.admitted_at)?;
        let statement = &entry.signed.record().statement;
        let target = find_target(index, index, statement, earlier)?;
        let target = target.as_ref().map(EarlierEntry::target);
        // A signed entry that was checked has its id.
        let id = checked.id().unwrap_or(RecordId::NONE);
        let candidate = Candidate::signed(&entry.signed, id, entry.admitted_at, target);
        let lineage = self
            .state
            .judge(&candidate)
            .map_err(|refusal| refused(index, &refusal))?;
        if lineage != entry.lineage {
            return Err(other_lineage(
                index,
                entry.lineage.indexes(),
                lineage.indexes(),
            ));
        }
        let applied = self.state.apply(&candidate);
        applied.map_err(|why| broken(index, &why))?;
        Ok(())
    }

    fn take_sealed<E: From<ReplayError>>(
        &mut self,
        group: &Group,
        sealed: &[CheckedEntry],
        last: &CheckedEntry,
        seal: &SignedEntry,
        earlier: &mut dyn FnMut(Index) -> Option<Vec<u8>>,
        mut each: impl FnMut(&Taken<'_>, &State) -> Result<(), E>,
    ) -> Result<(), E> {
        let first = group.first();
        let seal_index = Index(first.0 + sealed.len() as u64);
        self.check_time(seal_index, seal.admitted_at)?;
        let mut targets = Vec::with_capacity(sealed.len());
        for taken in group.taken() {
            let statement = taken.checked.entry().statement();
            targets.push(match statement {
                Some(statement) => find_target(taken.index, first, statement, earlier)?,
                None => None,
            });
        }
        let id = last.id().unwrap_or(RecordId::NONE);
        let candidate = Candidate::signed(&seal.signed, id, seal.admitted_at, None);
        let statements: Vec<Candidate<'_>> = sealed
            .iter()
            .zip(&targets)
            .filter_map(|(checked, target)| {
                let target = target.as_ref().map(EarlierEntry::target);
                Some(candidate.under_seal(checked.entry().statement()?, target))
            })
            .collect();
        let batch = BatchCandidate {
            statements: &statements,
            seal: candidate,
        };
        let mut taken = group.taken();
        let mut failed = None;
        let admitted = self.state.try_admit_batch(&batch, |_, state| {
            if let Some(taken) = taken.next()
                && failed.is_none()
            {
                failed = each(&taken, state).err();
            }
        });
        let (_, lineages) = match admitted.map_err(|why| broken(seal_index, &why))? {
            Ok(admitted) => admitted,
            Err(BatchRefusal::Seal(refusal)) => return Err(refused(seal_index, &refusal).into()),
            Err(BatchRefusal::Statements(refusals)) => {
                let Some((position, refusal)) = refusals.into_iter().next() else {
                    return Ok(());
                };
                let index = Index(first.0 + position as u64);
                return Err(refused(index, &refusal).into());
            }
        };
        for (taken, places) in group.taken().zip(lineages.places) {
            let found = taken.checked.entry().places();
            let made = places.indexes();
            // A sealed entry has room for more places than its kind names: those are none.
            let padded = made.iter().copied().chain(std::iter::repeat(None));
            if found.len() < made.len() || !found.iter().copied().eq(padded.take(found.len())) {
                return Err(other_lineage(taken.index, found, made).into());
            }
        }
        if lineages.seal != seal.lineage {
            let found = seal.lineage.indexes();
            return Err(other_lineage(seal_index, found, lineages.seal.indexes()).into());
        }
        for entry in sealed.iter().chain([last]) {
            self.tree.push(entry.leaf());
        }
        failed.map_or(Ok(()), Err)
    }

    /// Takes in a state entry, after its root and totals were compared with the state that it speaks of.
    fn take_state_entry(
        &mut self,
        entry: &StateEntry,
        earlier: Earlier<'_>,
    ) -> Result<(), ReplayError> {
        let index = Index(self.state.entries());
        self.check_time(index, entry.admitted_at)?;
        let wrong = |what| ReplayError::from(state_wrong(index, what));
        self.state.check_state_entry(entry).map_err(wrong)?;
        if entry.rules_version != RULES_VERSION {
            return Err(ReplayError::Unsupported {
                index: index.0,
                what: format!(
                    "rules_version_unsupported: it was made by version {} of the rules, and this software has {RULES_VERSION}",
                    entry.rules_version
                ),
            });
        }
        // One comparison is under way at a time.
        self.settle()?;
        let kept = self.kept.take().filter(|kept| kept.size() == entry.size);
        let passed = entry.size < self.passed;
        let state = match kept {
            None if passed => self.remake(entry.size, earlier)?,
            kept => kept,
        };
        match state {
            Some(state) => {
                let entry = entry.clone();
                self.uncompared = Some(Comparison {
                    index,
                    entry,
                    state,
                });
            }
            None if passed => self.unheld.push(UnheldState {
                index,
                size: entry.size,
            }),
            None => {
                return Err(wrong(format!(
                    "the first {} entries end within a sealed batch",
                    entry.size
                )));
            }
        }
        let applied = self.state.apply_state_entry(entry);
        applied.map_err(|why| broken(index, &why))?;
        self.keep_base();
        Ok(())
    }

    /// Makes the state of the first `size` entries again, which were taken in before. `None` where it can't be made:
    /// no state from before is kept, or the entries can't be had.
    fn remake(&self, size: u64, earlier: Earlier<'_>) -> Result<Option<KeptState>, ReplayError> {
        let base = self.base.as_deref().filter(|base| base.entries() <= size);
        let Some(base) = base else { return Ok(None) };
        // The entries' signatures were verified, and their hashes are in the tree: both are of no use here.
        let mut replay = Self::resume(base.clone(), Frontier::default(), Signatures::Trust);
        for index in base.entries()..size {
            let Some(bytes) = earlier(Index(index)) else {
                return Ok(None);
            };
            let checked = replay.checker.check(&bytes);
            let mut groups = replay.add(checked.map_err(|fault| fault.at(index))?)?;
            groups.extend(replay.rest());
            for group in groups {
                replay.take_group(&group, &mut *earlier, |_, _| Ok::<_, ReplayError>(()))?;
            }
        }
        if replay.state.entries() != size {
            return Err(state_wrong(
                Index(self.state.entries()),
                format!("the first {size} entries end within a sealed batch"),
            )
            .into());
        }
        Ok(Some(KeptState::of(replay.state)))
    }

    fn check_time(&self, index: Index, admitted_at: TimeMs) -> Result<(), ReplayError> {
        let last = self.state.globals().last_admitted_at;
        if admitted_at < last {
            let what =
                format!("admitted at {admitted_at} ms, before the entry before it at {last} ms");
            let index = index.0;
            return Err(Violation { index, what }.into());
        }
        Ok(())
    }

    /// The head of the log with the entries taken in.
    pub fn head(&self) -> LogHead {
        LogHead::without_state(TreeHead::of(&self.tree))
    }

    /// The state after the entries taken in.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The tree over the entries taken in.
    pub fn tree(&self) -> &Frontier {
        &self.tree
    }

    /// The replay's checker, for other threads.
    pub fn checker(&self) -> &Checker {
        &self.checker
    }

    /// Returns the state and the tree.
    pub fn into_parts(self) -> (State, Frontier) {
        (self.state, self.tree)
    }
}

/// An earlier entry that a correction names.
struct EarlierEntry {
    statement: Statement,
    issuer: PublicKey,
}

impl EarlierEntry {
    fn target(&self) -> Target<'_> {
        Target {
            statement: &self.statement,
            issuer: &self.issuer,
        }
    }
}

/// The entry that a correction names, with its seal's issuer if it is a sealed one; `None` where the
/// rules refuse the correction. `index` is the correction, `first` the entry with which its batch
/// begins.
fn find_target(
    index: Index,
    first: Index,
    statement: &Statement,
    earlier: &mut dyn FnMut(Index) -> Option<Vec<u8>>,
) -> Result<Option<EarlierEntry>, ReplayError> {
    // The rules refuse a correction of an entry that is not there.
    let Some(target) = statement.target().filter(|target| *target < first) else {
        return Ok(None);
    };
    let wrong = |what: String| Violation {
        index: index.0,
        what: format!("entry {target}, which it corrects: {what}"),
    };
    let mut read = |at: Index| {
        let bytes = earlier(at);
        let entry = bytes.map(|bytes| Entry::decode(&bytes)).transpose();
        entry.map_err(|error| wrong(error.to_string()))
    };
    let Some(entry) = read(target)? else {
        return Ok(None);
    };
    let issuer = match entry.seal_index(target) {
        None => entry.signed().map(|signed| signed.signed.record().issuer),
        Some(seal) => match read(seal)? {
            Some(Entry::Signed(seal)) => Some(seal.signed.record().issuer),
            _ => return Err(wrong("its seal is none".to_owned()).into()),
        },
    };
    Ok(entry
        .statement()
        .zip(issuer)
        .map(|(statement, issuer)| EarlierEntry {
            statement: statement.clone(),
            issuer,
        }))
}

fn state_wrong(index: Index, detail: String) -> Violation {
    let advice = "auditors make it again from the entries before it";
    violation(index, &Refusal::new(Code::StateWrong, detail, advice))
}

fn violation(index: Index, refusal: &Refusal) -> Violation {
    Violation {
        index: index.0,
        what: refusal.to_string(),
    }
}

fn refused(index: Index, refusal: &Refusal) -> ReplayError {
    match refusal.code {
        Code::MldsaUnsupported => ReplayError::Unsupported {
            index: index.0,
            what: refusal.to_string(),
        },
        _ => violation(index, refusal).into(),
    }
}

fn other_lineage(index: Index, found: &[Option<Index>], made: &[Option<Index>]) -> ReplayError {
    let words = |places: &[Option<Index>]| -> String {
        let words = places.iter().map(|place| match place {
            Some(index) => index.to_string(),
            None => "none".to_owned(),
        });
        words.collect::<Vec<_>>().join(", ")
    };
    let (found, made) = (words(found), words(made));
    let what = format!("its lineage is [{found}], but what it stands on is [{made}]");
    let index = index.0;
    Violation { index, what }.into()
}

fn broken(index: Index, why: &InvariantBroken) -> ReplayError {
    let what = format!("it breaks an invariant of the ledger: {}", why.what);
    let index = index.0;
    Violation { index, what }.into()
}
