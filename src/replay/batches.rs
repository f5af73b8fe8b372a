//! Sealed entries, held back until the seal of their batch comes: only then is known who states them.

use super::check::CheckedEntry;
use crate::ledger::{Code, Refusal};
use crate::merkle::root_of;
use crate::record::{Entry, Index, SEALED_BYTES_MAX, Stated, Statement, TimeMs};

/// Entries that come together, in order: one alone, or a sealed batch with its seal last.
#[derive(Clone, Debug)]
pub struct Group {
    first: Index,
    entries: Vec<CheckedEntry>,
    /// Whether a state entry that was seen speaks of the entries before this group.
    spoken_of: bool,
}

/// An entry with what its seal says of it, if it is a sealed one.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    /// The entry's index.
    pub index: Index,
    /// The entry.
    pub checked: &'a CheckedEntry,
    seal: Option<(Index, &'a CheckedEntry)>,
}

impl<'a> Taken<'a> {
    /// What the entry states; `None` for a state entry.
    pub fn stated(&self) -> Option<Stated<'a>> {
        let own = self.checked.entry();
        let signed = match self.seal {
            Some((_, seal)) => seal.entry().signed(),
            None => own.signed(),
        };
        Some(Stated {
            statement: own.statement()?,
            signed: signed?,
            places: own.places(),
            seal: self.seal.map(|(index, _)| index),
        })
    }

    /// When it was taken in.
    pub fn admitted_at(&self) -> TimeMs {
        match (self.checked.entry(), self.stated()) {
            (Entry::State(entry), _) => entry.admitted_at,
            (_, Some(stated)) => stated.admitted_at(),
            // A group has its seal.
            (_, None) => TimeMs(0),
        }
    }

    /// Whether a replay may stop behind this entry: not within a sealed batch.
    pub fn ends_a_batch(&self) -> bool {
        self.seal.is_none()
    }
}

impl Group {
    /// Number of entries.
    pub fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Whether there is no entry, which is never so.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The index of the first entry.
    pub fn first(&self) -> Index {
        self.first
    }

    /// Notes that a state entry speaks of the entries before this group.
    pub(super) fn set_spoken_of(&mut self) {
        self.spoken_of = true;
    }

    /// Whether a state entry that was seen speaks of the entries before this group.
    pub(super) fn is_spoken_of(&self) -> bool {
        self.spoken_of
    }

    /// The entries, in order.
    pub fn taken(&self) -> impl Iterator<Item = Taken<'_>> {
        let last = self.entries.len().saturating_sub(1);
        let seal_index = Index(self.first.0 + last as u64);
        let seal = self.entries.last().map(|seal| (seal_index, seal));
        let indexed = (self.first.0..).zip(&self.entries).enumerate();
        indexed.map(move |(place, (index, checked))| Taken {
            index: Index(index),
            checked,
            seal: seal.filter(|_| place < last),
        })
    }

    /// The sealed entries and their seal; or one entry that is not sealed, and no others.
    pub(super) fn split(&self) -> Option<(&[CheckedEntry], &CheckedEntry)> {
        let (last, sealed) = self.entries.split_last()?;
        Some((sealed, last))
    }

    /// The earlier entries that corrections in this group name.
    pub fn targets(&self) -> impl Iterator<Item = Index> {
        let statements = self
            .entries
            .iter()
            .filter_map(|entry| entry.entry().statement());
        let targets = statements.filter_map(Statement::target);
        targets.filter(|target| *target < self.first)
    }
}

/// Puts entries together that come one by one.
#[derive(Clone, Debug, Default)]
pub struct Batches {
    /// Sealed entries whose seal is still to come. Their number and their bytes have a limit.
    waiting: Vec<CheckedEntry>,
    bytes: usize,
}

impl Batches {
    /// Takes the next entry, which is at `index`; gives the group that is whole with it, if one is.
    ///
    /// # Errors
    /// [`Refusal`] with [`Code::SealMismatch`] or [`Code::BatchCut`].
    pub fn add(&mut self, index: Index, checked: CheckedEntry) -> Result<Option<Group>, Refusal> {
        match checked.entry() {
            Entry::Sealed(sealed) => {
                let ahead = sealed.ahead();
                if let Some(expected) = self.ahead()
                    && ahead != expected
                {
                    return Err(mismatch(format!(
                        "its seal is {ahead} entries behind it, and that of its batch {expected}"
                    )));
                }
                self.bytes += sealed.statement().bytes().len();
                if self.bytes > SEALED_BYTES_MAX {
                    let detail = "the statements of a batch have more than 8 MiB together";
                    return Err(mismatch(detail.to_owned()));
                }
                self.waiting.push(checked);
                Ok(None)
            }
            entry => {
                match (entry.statement(), self.ahead()) {
                    (Some(Statement::Seal(seal)), Some(0)) => {
                        self.check(seal.count, seal.root.as_bytes())?;
                    }
                    (Some(Statement::Seal(_)), Some(ahead)) => {
                        let detail =
                            format!("a seal where {ahead} entries of its batch are missing");
                        return Err(mismatch(detail));
                    }
                    (Some(Statement::Seal(_)), None) => {
                        let detail = "a seal without the batch that it signs";
                        return Err(mismatch(detail.to_owned()));
                    }
                    (_, Some(_)) => return Err(cut("another entry stands in a sealed batch")),
                    (_, None) => {}
                }
                let mut entries = std::mem::take(&mut self.waiting);
                self.bytes = 0;
                let first = Index(index.0.saturating_sub(entries.len() as u64));
                entries.push(checked);
                Ok(Some(Group {
                    first,
                    entries,
                    spoken_of: false,
                }))
            }
        }
    }

    /// How far the seal must be behind the next entry; 0 if it must be the next one, `None` if no
    /// seal is to come.
    fn ahead(&self) -> Option<u16> {
        match self.waiting.last()?.entry() {
            Entry::Sealed(last) => last.ahead().checked_sub(1),
            Entry::Signed(_) | Entry::State(_) => None,
        }
    }

    /// Checks that the log does not end here within a batch.
    ///
    /// # Errors
    /// [`Refusal`] with [`Code::BatchCut`].
    pub fn check_end(&self) -> Result<(), Refusal> {
        match self.waiting.is_empty() {
            true => Ok(()),
            false => Err(cut("the log ends within a sealed batch")),
        }
    }

    /// Number of entries whose seal is still to come.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn check(&self, count: u32, root: &[u8; 32]) -> Result<(), Refusal> {
        if usize::try_from(count) != Ok(self.waiting.len()) {
            return Err(mismatch(format!(
                "the seal signs {count} statements, and {} are before it",
                self.waiting.len()
            )));
        }
        let found = root_of(self.waiting.iter().filter_map(CheckedEntry::statement_leaf));
        if found.as_bytes() != root {
            return Err(mismatch(format!(
                "the statements before the seal have the root {found}"
            )));
        }
        Ok(())
    }
}

fn mismatch(detail: String) -> Refusal {
    let advice = "a seal signs the statements of the entries directly before it";
    Refusal::new(Code::SealMismatch, detail, advice)
}

fn cut(detail: &str) -> Refusal {
    let advice = "a sealed batch stands whole, with its seal last";
    Refusal::new(Code::BatchCut, detail, advice)
}
