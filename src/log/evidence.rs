//! Which entries name an evidence, found by its digest; and the holders whose awards may name one only once in a while.
//!
//! A task reads what was published, behind everything else, and keeps an index of it on disk. A record is refused by
//! what the index has and by what was judged since: the sequencer keeps the latter until the index covers it. Until
//! the index has come to where this process began to lead, that can't be known, and such records are answered 503.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::queue::{Said, Submission};
use super::reader::{ReadError, Reader};
use super::status::StatusCell;
use crate::crypto::PublicKey;
use crate::ledger::{Code, Refusal, State};
use crate::merkle::TILE_HASHES;
use crate::note::TreeHead;
use crate::record::{
    Award, Digest, Entry, Grams, Index, Seq, SignedRecord, Slug, Statement, TimeMs,
};
use crate::store::{EvidenceIndex, EvidenceIndexError, EvidenceUse, Window};

/// The newest entries whose evidence is indexed: some 2 GB of disk.
pub const EVIDENCE_ENTRIES: u64 = 1 << 24;
/// Entries that are taken in together, and the rest of a sealed batch.
const ENTRIES_TOGETHER: u64 = 16_384;
/// The wait after a fault of the index or the store.
const PAUSE: Duration = Duration::from_secs(5);
const DAY_MS: u64 = 86_400_000;

/// How evidence is indexed.
#[derive(Clone, Debug)]
pub struct EvidenceConfig {
    /// The folder of the index.
    pub dir: PathBuf,
    /// The newest entries that it covers, at least; it reaches further back for `once`.
    pub entries: u64,
    /// Whose awards may name an evidence only once in so many days.
    pub once: Vec<EvidenceOnce>,
}

/// A holder whose award is refused if an award of the same holder named its evidence less than so many days ago.
#[derive(Clone, Debug)]
pub struct EvidenceOnce {
    /// The holder.
    pub holder: Slug,
    /// Days of 24 hours, from admission to admission.
    pub days: u32,
}

/// Why evidence can't be looked up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The index can't be read.
    #[error(transparent)]
    Index(#[from] EvidenceIndexError),
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// What was found of an evidence.
#[derive(Clone, Debug)]
pub struct EvidenceFound {
    /// The entries that were looked through.
    pub window: Window,
    /// Those that name it, in order.
    pub uses: Vec<EvidenceUse>,
}

/// The index, and for whom it is asked before an award is admitted.
pub(super) struct Evidence {
    index: EvidenceIndex,
    entries: u64,
    once: HashMap<Slug, u64>,
    /// The number of entries that there were when this process began to lead.
    leads_from: AtomicU64,
}

impl Evidence {
    /// Opens the index, and sees that it is of this log and reaches as far back as it must.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub(super) async fn open(
        config: &EvidenceConfig,
        reader: &Reader,
        size: u64,
        now: TimeMs,
    ) -> Result<Self, EvidenceError> {
        let (index, root) = EvidenceIndex::open(&config.dir)?;
        let once = config.once.iter();
        let once = once.map(|one| (one.holder.clone(), u64::from(one.days) * DAY_MS));
        let evidence = Self {
            index,
            entries: config.entries,
            once: once.collect(),
            leads_from: AtomicU64::new(size),
        };
        let first = evidence.first_needed(reader, size, now).await?;
        let window = evidence.index.window();
        let is_of_log = match root {
            Some(root) if window.to <= size => root_at(reader, window.to).await? == root,
            Some(_) | None => false,
        };
        if !is_of_log || window.from > first {
            tracing::info!(from = first, to = size, "evidence is indexed");
            evidence.index.begin_at(first)?;
        }
        Ok(evidence)
    }

    /// The longest time for which anybody's award is compared.
    fn reach_ms(&self) -> u64 {
        self.once.values().copied().max().unwrap_or(0)
    }

    /// The first entry that the index must cover.
    async fn first_needed(
        &self,
        reader: &Reader,
        size: u64,
        now: TimeMs,
    ) -> Result<u64, ReadError> {
        let by_count = size.saturating_sub(self.entries);
        let since = now.0.saturating_sub(self.reach_ms());
        let (mut low, mut high) = (0, by_count);
        // Times of admission never decrease.
        while low < high {
            let middle = low + (high - low) / 2;
            if admitted_at(reader, middle, size).await?.0 < since {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Whether anybody's awards are refused by their evidence.
    pub(super) fn has_rules(&self) -> bool {
        !self.once.is_empty()
    }

    /// This process leads from now on, with so many entries in the log.
    pub(super) fn begin_to_lead(&self, size: u64) {
        self.leads_from.store(size, Ordering::Release);
    }

    /// Whether all that was admitted before this process led is in the index.
    pub(super) fn is_ready(&self) -> bool {
        self.index.window().to >= self.leads_from.load(Ordering::Acquire)
    }

    /// How long an evidence of this issuer's awards may not be named again, and the issuer's holder.
    pub(super) fn rule_of(&self, state: &State, issuer: &PublicKey) -> Option<Rule> {
        let holder = state.holder_slug(issuer)?;
        let within_ms = *self.once.get(holder)?;
        let holder = state.holder_number(issuer)?.0;
        Some(Rule { holder, within_ms })
    }

    /// Entries that name an evidence, behind an index or from the first on.
    pub(super) fn find(
        &self,
        digest: &Digest,
        after: Option<Index>,
        count: usize,
    ) -> Result<EvidenceFound, EvidenceIndexError> {
        // Before the look: what comes meanwhile is no part of it.
        let window = self.index.window();
        let mut uses = self.index.uses(digest, after, count)?;
        uses.retain(|one| one.index.0 < window.to);
        Ok(EvidenceFound { window, uses })
    }

    /// The awards of a holder that name an evidence, as far as the index knows.
    pub(super) fn awards_by(
        &self,
        rule: Rule,
        digest: &Digest,
    ) -> Result<Vec<EvidenceUse>, EvidenceIndexError> {
        let (mut awards, mut after) = (Vec::new(), None);
        loop {
            let uses = self.index.uses(digest, after, USES_TOGETHER)?;
            let own = uses.iter().filter(|one| rule.is_of_holder(one));
            awards.extend(own.copied());
            match uses.last() {
                Some(last) if uses.len() == USES_TOGETHER => after = Some(last.index),
                Some(_) | None => return Ok(awards),
            }
        }
    }

    /// Reads what was published, until there will be no more.
    pub(super) async fn follow(
        self: Arc<Self>,
        reader: Reader,
        state: Arc<RwLock<State>>,
        status: Arc<StatusCell>,
    ) {
        let mut has_told = false;
        loop {
            let to = self.index.window().to;
            let grown = status.wait_for(|status| status.published().head.tree.size > to);
            let Some(now) = grown.await else {
                return;
            };
            let published = Arc::clone(now.published());
            let step = self.step(&reader, &state, published.head.tree.size, published.at);
            match step.await {
                Ok(()) => has_told = false,
                Err(error) => {
                    if !std::mem::replace(&mut has_told, true) {
                        tracing::warn!(%error, "the index of evidence stands still, and is tried again");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Takes in some entries, and forgets as many that no window needs.
    async fn step(
        &self,
        reader: &Reader,
        state: &Arc<RwLock<State>>,
        size: u64,
        now: TimeMs,
    ) -> Result<(), EvidenceError> {
        let Window { from, to } = self.index.window();
        let (uses, next) = read_uses(reader, state, to, size).await?;
        let root = root_at(reader, next).await?;
        self.index.extend(&uses, next, root)?;
        let keep_from = next.saturating_sub(self.entries);
        let forget_to = keep_from.min(from.saturating_add(2 * ENTRIES_TOGETHER));
        // In steps of some size: each reads entries once more.
        if forget_to < from.saturating_add(ENTRIES_TOGETHER) {
            return Ok(());
        }
        let since = now.0.saturating_sub(self.reach_ms());
        if admitted_at(reader, forget_to, size).await?.0 >= since {
            return Ok(());
        }
        let (mut gone, end) = read_uses(reader, state, from, forget_to).await?;
        gone.retain(|one| one.index.0 < forget_to);
        Ok(self.index.forget(&gone, end.min(forget_to), root)?)
    }
}

/// Uses that are looked at together: an evidence is hardly ever named more often.
const USES_TOGETHER: usize = 64;

/// The awards of a holder, and for how long each of them forbids another one by its evidence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    holder: u32,
    within_ms: u64,
}

impl Rule {
    fn is_of_holder(self, one: &EvidenceUse) -> bool {
        one.award.is_some_and(|(holder, _)| holder == self.holder)
    }

    pub(super) fn is_broken_by(
        self,
        one: &EvidenceUse,
        now: TimeMs,
        reversed: impl Fn(Index) -> Grams,
    ) -> bool {
        let Some((_, points)) = one.award else {
            return false;
        };
        self.is_of_holder(one)
            && now.0 < one.admitted_at.0.saturating_add(self.within_ms)
            // What was taken back as a whole may be said again, rightly this time.
            && reversed(one.index) < points
    }
}

/// A refusal of an award whose evidence another one named.
pub(super) fn reused(digest: &Digest, by: Index) -> Refusal {
    Refusal::new(
        Code::EvidenceReused,
        format!("entry {by}, an award of the same holder, names the evidence {digest}"),
        "one event is awarded once; this server refuses the holder's awards by one evidence again (serve --evidence-once)",
    )
}

/// A refusal within one batch.
fn reused_here(digest: &Digest) -> Refusal {
    Refusal::new(
        Code::EvidenceReused,
        format!("an award before it in the same batch names the evidence {digest}"),
        "one event is awarded once",
    )
}

/// What the sequencer knows beside the index: awards of such holders that were judged since.
pub(super) struct EvidenceJudge {
    evidence: Arc<Evidence>,
    /// By digest; those of which the index may not know.
    recent: HashMap<Digest, Vec<EvidenceUse>>,
    order: VecDeque<(Index, Digest)>,
    /// What the index says of the evidence that the submissions to be judged name.
    looked_up: HashMap<Digest, Vec<EvidenceUse>>,
}

impl EvidenceJudge {
    pub(super) fn new(evidence: Arc<Evidence>) -> Self {
        Self {
            evidence,
            recent: HashMap::new(),
            order: VecDeque::new(),
            looked_up: HashMap::new(),
        }
    }

    /// This process leads from now on: what others admitted is for the index to say.
    pub(super) fn begin_to_lead(&mut self, size: u64) {
        self.recent.clear();
        self.order.clear();
        self.evidence.begin_to_lead(size);
    }

    /// Forgets what the index covers, and what was judged and taken back: the log has so many entries now.
    pub(super) fn catch_up(&mut self, size: u64) {
        let covered = self.evidence.index.window().to;
        while let Some((index, digest)) = self.order.front().copied()
            && index.0 < covered
        {
            self.order.pop_front();
            self.remove(index, &digest);
        }
        while let Some((index, digest)) = self.order.back().copied()
            && index.0 >= size
        {
            self.order.pop_back();
            self.remove(index, &digest);
        }
    }

    fn remove(&mut self, index: Index, digest: &Digest) {
        if let Some(uses) = self.recent.get_mut(digest) {
            uses.retain(|one| one.index != index);
            if uses.is_empty() {
                self.recent.remove(digest);
            }
        }
    }

    /// Looks up what submissions name, so that they are judged without a look at the disk; gives those that can't be
    /// judged: the index has not come so far, or can't be read.
    pub(super) fn look_up(
        &mut self,
        state: &RwLock<State>,
        submissions: &mut Vec<Submission>,
    ) -> Vec<Submission> {
        self.looked_up.clear();
        let is_ready = self.evidence.is_ready();
        let (evidence, looked_up) = (&self.evidence, &mut self.looked_up);
        let has_no_answer = |submission: &mut Submission| {
            let rule = {
                let state = state.read().unwrap_or_else(PoisonError::into_inner);
                evidence.rule_of(&state, &submission.issuer)
            };
            let Some(rule) = rule else {
                return false;
            };
            let digests = evidence_of_awards(&submission.said);
            if digests.is_empty() {
                return false;
            }
            if !is_ready {
                return true;
            }
            for digest in digests {
                match evidence.awards_by(rule, &digest) {
                    Ok(awards) if awards.is_empty() => {}
                    // Two holders may name one evidence.
                    Ok(awards) => looked_up.entry(digest).or_default().extend(awards),
                    Err(error) => {
                        tracing::warn!(%error, "awards are not admitted: their evidence can't be looked up");
                        return true;
                    }
                }
            }
            false
        };
        submissions.extract_if(.., has_no_answer).collect()
    }

    /// The rule for an issuer's awards, if there is one and `seq` is the issuer's next: what is in already, or out of
    /// turn, is refused as that.
    pub(super) fn rule_of(&self, state: &State, issuer: &PublicKey, seq: Seq) -> Option<Rule> {
        let next = state.key(issuer)?.next().0;
        (next == seq).then(|| self.evidence.rule_of(state, issuer))?
    }

    /// Why an award is refused.
    pub(super) fn refusal(
        &self,
        state: &State,
        rule: Rule,
        award: &Award,
        now: TimeMs,
    ) -> Option<Refusal> {
        let reversed = |index| state.reversed(index);
        let recent = self.recent.get(&award.evidence);
        let earlier = self.looked_up.get(&award.evidence);
        let mut all = earlier.into_iter().chain(recent).flatten();
        let broken = all.find(|one| rule.is_broken_by(one, now, reversed));
        broken.map(|one| reused(&award.evidence, one.index))
    }

    /// The statements of a sealed batch that are refused, each judged as if the refused ones before it were absent.
    pub(super) fn refusals<'a>(
        &self,
        state: &State,
        rule: Rule,
        statements: impl Iterator<Item = &'a Statement>,
        now: TimeMs,
    ) -> Vec<(usize, Refusal)> {
        let mut here = HashSet::new();
        let mut refused = Vec::new();
        for (position, statement) in statements.enumerate() {
            let Statement::Award(award) = statement else {
                continue;
            };
            let refusal = match here.contains(&award.evidence) {
                true => Some(reused_here(&award.evidence)),
                false => self.refusal(state, rule, award, now),
            };
            match refusal {
                Some(refusal) => refused.push((position, refusal)),
                None => drop(here.insert(award.evidence)),
            }
        }
        refused
    }

    /// An award was admitted.
    pub(super) fn admitted(&mut self, rule: Rule, award: &Award, index: Index, now: TimeMs) {
        let one = EvidenceUse {
            digest: award.evidence,
            index,
            admitted_at: now,
            award: Some((rule.holder, award.points)),
        };
        self.recent.entry(one.digest).or_default().push(one);
        self.order.push_back((index, one.digest));
    }
}

/// The evidence of the awards of a submission.
fn evidence_of_awards(said: &Said) -> Vec<Digest> {
    let of = |statement: &Statement| match statement {
        Statement::Award(award) => Some(award.evidence),
        _ => None,
    };
    match said {
        Said::Records { records, .. } => {
            let statements = records.iter().map(|(_, signed)| &signed.record().statement);
            statements.filter_map(of).collect()
        }
        Said::Batch(batch) => {
            let statements = batch.batch.statements().iter();
            statements
                .filter_map(|sealed| of(sealed.statement()))
                .collect()
        }
    }
}

/// The award that a record is.
pub(super) fn award_of(signed: &SignedRecord) -> Option<&Award> {
    match &signed.record().statement {
        Statement::Award(award) => Some(award),
        _ => None,
    }
}

/// The evidence that a statement names.
pub(crate) fn evidence_of(statement: &Statement) -> Option<Digest> {
    use crate::record::{Correction, Remedy};
    match statement {
        Statement::Award(award) => Some(award.evidence),
        Statement::Planting(planting) => Some(planting.evidence),
        Statement::Survey(survey) => Some(survey.evidence),
        Statement::Correction(Correction {
            remedy: Remedy::Lost { evidence, .. },
            ..
        }) => *evidence,
        _ => None,
    }
}

async fn root_at(reader: &Reader, size: u64) -> Result<[u8; 32], ReadError> {
    let head = TreeHead::of(&reader.frontier(size).await?);
    Ok(*head.root.as_bytes())
}

/// When an entry of a tree of `size` was admitted.
async fn admitted_at(reader: &Reader, index: u64, size: u64) -> Result<TimeMs, ReadError> {
    let (_, entry) = reader.full(index, size).await?;
    Ok(entry.admitted_at())
}

/// The uses of evidence from an entry on, and where the next begin: behind some entries and the sealed batch that these
/// end in, or at `size`.
async fn read_uses(
    reader: &Reader,
    state: &Arc<RwLock<State>>,
    from: u64,
    size: u64,
) -> Result<(Vec<EvidenceUse>, u64), ReadError> {
    let mut uses = Vec::new();
    // Sealed entries whose seal comes behind them.
    let mut sealed: Vec<(Index, Statement)> = Vec::new();
    let mut next = from;
    while next < size {
        let bundle = reader.bundle(next / TILE_HASHES, size).await?;
        let skipped = usize::try_from(next % TILE_HASHES).unwrap_or(usize::MAX);
        for bytes in bundle.iter().skip(skipped) {
            let index = Index(next);
            let entry = Entry::decode(bytes).map_err(|error| ReadError::Damaged {
                tile: format!("entry {index}"),
                what: error.to_string(),
            })?;
            next += 1;
            match entry {
                Entry::Sealed(entry) => {
                    sealed.push((index, entry.statement().statement().clone()));
                }
                Entry::Signed(entry) => {
                    let record = entry.signed.record();
                    let holder = {
                        let state = state.read().unwrap_or_else(PoisonError::into_inner);
                        state.holder_number(&record.issuer)
                    };
                    let own = (index, record.statement.clone());
                    for (index, statement) in sealed.drain(..).chain([own]) {
                        let award = match &statement {
                            Statement::Award(award) => holder.map(|it| (it.0, award.points)),
                            _ => None,
                        };
                        uses.extend(evidence_of(&statement).map(|digest| EvidenceUse {
                            digest,
                            index,
                            admitted_at: entry.admitted_at,
                            award,
                        }));
                    }
                }
                Entry::State(_) => {}
            }
            if sealed.is_empty() && next - from >= ENTRIES_TOGETHER {
                return Ok((uses, next));
            }
        }
        // A task that reads much lets others have their turn.
        tokio::task::yield_now().await;
    }
    // Those of a window that ends within a batch.
    for (index, statement) in sealed {
        uses.extend(evidence_of(&statement).map(|digest| EvidenceUse {
            digest,
            index,
            admitted_at: TimeMs(0),
            award: None,
        }));
    }
    Ok((uses, next))
}
