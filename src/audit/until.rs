//! An audit as of then: the beginning of a log alone, proven to be the beginning of the tree that a checkpoint signs.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::auditor::{AuditError, Claimed};
use super::cosigned_times::admitted_at;
use super::source::{SourceError, StaticLog, TileSource};
use super::tiles::{Tiles, beginning_of};
use super::whole::WholeError;
use crate::merkle::TileId;
use crate::note::TreeHead;
use crate::outcome::Outcome;
use crate::record::{Day, Entry, Index};

/// Up to where an audit goes, if not to the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// Entries below this one.
    Size(u64),
    /// Entries that were admitted up to the end of this day (UTC).
    Day(Day),
}

/// What is neither a number of entries nor a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is neither a number of entries, such as 1200, nor a day of the calendar from 1970 on, such as 2026-03-31"
)]
pub struct NoUntil;

impl FromStr for Until {
    type Err = NoUntil;

    fn from_str(text: &str) -> Result<Self, NoUntil> {
        match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().map(Self::Size).map_err(|_| NoUntil),
            false => text.parse().map(Self::Day).map_err(|_| NoUntil),
        }
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => write!(f, "{size} entries"),
            Self::Day(day) => write!(f, "the end of {day} (UTC)"),
        }
    }
}

/// Why a log has no such beginning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UntilError {
    /// The checkpoint has fewer entries.
    #[error("the checkpoint is of {size} entries, and --until names {asked}")]
    Beyond {
        /// The number that was asked for.
        asked: u64,
        /// Entries of the checkpoint.
        size: u64,
    },
    /// Nothing is in that beginning.
    #[error("up to {0} there is no whole batch of entries, and so nothing to audit")]
    Nothing(Until),
    /// The log could not be read, or is wrong.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl UntilError {
    /// What an audit with this error comes to; `None` if the command was wrong.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Beyond { .. } | Self::Nothing(_) => None,
            Self::Audit(error) => Some(error.outcome()),
        }
    }
}

/// The beginning of a log, as a log: its tiles are cut out of those of the whole.
#[derive(Clone)]
pub struct Beginning<'a> {
    source: &'a dyn StaticLog,
    asked: Until,
    /// The head of the checkpoint's tree.
    whole: TreeHead,
    claimed: Claimed,
    rounded_by: u64,
}

impl<'a> Beginning<'a> {
    /// The beginning of a log with this checkpoint. A sealed batch is in it as a whole or not at all. That its tree is
    /// the beginning of the checkpoint's is proven; no entry is checked yet.
    ///
    /// # Errors
    /// [`UntilError`].
    pub fn of(
        source: &'a dyn StaticLog,
        claimed: &Claimed,
        asked: Until,
    ) -> Result<Self, UntilError> {
        let whole = claimed.head();
        let tiles = Tiles::open(source, whole).map_err(AuditError::from)?;
        let named = match asked {
            Until::Size(size) if size > whole.size => {
                let (asked, size) = (size, whole.size);
                return Err(UntilError::Beyond { asked, size });
            }
            Until::Size(size) => size,
            Until::Day(day) => admitted_by(&tiles, day)?,
        };
        let size = whole_batches(&tiles, named)?;
        if size == 0 {
            return Err(UntilError::Nothing(asked));
        }
        let root = tiles.root_at(size).map_err(AuditError::from)?;
        Ok(Self {
            source,
            asked,
            whole,
            claimed: claimed.clone().up_to(TreeHead { size, root }),
            rounded_by: named - size,
        })
    }

    /// What an audit advances to, with this as its source: these entries, and the checkpoint that they are in.
    pub fn claimed(&self) -> &Claimed {
        &self.claimed
    }

    /// How a report says it.
    pub fn row(&self) -> UntilRow {
        UntilRow {
            asked: self.asked.to_string(),
            day: match self.asked {
                Until::Day(day) => Some(day),
                Until::Size(_) => None,
            },
            entries_left_out_of_a_batch: self.rounded_by,
            is_all: self.claimed.head() == self.whole,
            checkpoint_size: self.whole.size,
            checkpoint_root: self.whole.root.to_string(),
        }
    }
}

/// Up to where an audit as of then went. The `size` and `root` of its report's checkpoint are those of the beginning.
#[derive(Clone, Debug, Serialize)]
pub struct UntilRow {
    /// What was asked for, in words.
    pub asked: String,
    /// The day that was asked for, if one was.
    pub day: Option<Day>,
    /// Entries below the size that was asked for that were left out: their seal is not below it.
    #[serde(rename = "left_out_of_a_batch_entries")]
    pub entries_left_out_of_a_batch: u64,
    /// Whether nothing follows in the checkpoint: more may have been admitted up to that day since.
    pub is_all: bool,
    /// Entries of the checkpoint that the log showed.
    #[serde(rename = "checkpoint_size_entries")]
    pub checkpoint_size: u64,
    /// Its root.
    pub checkpoint_root: String,
}

impl UntilRow {
    /// The same in words, of that many entries.
    pub fn words(&self, entries: u64) -> String {
        let Self {
            asked,
            checkpoint_size,
            ..
        } = self;
        let mut words = format!(
            "as of then: up to {asked}, {entries} of the checkpoint's {checkpoint_size} entries"
        );
        match self.entries_left_out_of_a_batch {
            0 => {}
            1 => words
                .push_str("; 1 entry before that is left out, since the seal of its batch is not"),
            count => words.push_str(&format!(
                "; {count} entries before that are left out, since the seal of their batch is not"
            )),
        }
        if self.is_all && self.day.is_some() {
            words.push_str("; the log shows none of later: what it took in since, up to that day, is not in it");
        }
        words
    }
}

/// How many entries were admitted up to the end of a day. Times of admission never decrease: the replay checks that of
/// the entries that it is given.
fn admitted_by(tiles: &Tiles<'_>, day: Day) -> Result<u64, AuditError> {
    let (mut low, mut high) = (0, tiles.head().size);
    while low < high {
        let middle = low + (high - low) / 2;
        let Some(at) = admitted_at(tiles, Index(middle))? else {
            return Err(AuditError::Whole(WholeError::Unsupported {
                index: middle,
                what: "it says no time of admission".to_owned(),
            }));
        };
        if Day::of(at) <= day {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The largest size up to `size` that cuts no sealed batch. What can't be read is no sealed entry: the replay says what
/// is wrong with it.
fn whole_batches(tiles: &Tiles<'_>, mut size: u64) -> Result<u64, AuditError> {
    let last_is_sealed = |size: u64| {
        let Some(last) = size.checked_sub(1).map(Index) else {
            return Ok(false);
        };
        let entry = Entry::decode(&tiles.entry(last)?);
        Ok::<_, AuditError>(entry.is_ok_and(|entry| entry.seal_index(last).is_some()))
    };
    // The seal of a sealed entry is behind it, so not below the size. It is at most that far behind the first one.
    let least = size.saturating_sub(u16::MAX.into());
    while size > least && last_is_sealed(size)? {
        size -= 1;
    }
    Ok(size)
}

impl TileSource for Beginning<'_> {
    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        let in_whole = TileId::in_tree(id.level(), id.number(), self.whole.size);
        let Some(wider) = in_whole.filter(|wider| wider.width() > id.width()) else {
            return self.source.tile(id);
        };
        let full = TileId::full(id.level(), id.number());
        let (from, bytes) = match self.source.tile(wider) {
            Err(SourceError::Absent) if !wider.is_full() => (full, self.source.tile(full)?),
            got => (wider, got?),
        };
        let cut = beginning_of(bytes, from, id.width());
        cut.map_err(|fault| SourceError::Unreachable(fault.to_string()))
    }
}

impl StaticLog for Beginning<'_> {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.source.checkpoint()
    }

    fn hours_after(&self, after: Option<u64>) -> Result<Vec<u64>, SourceError> {
        self.source.hours_after(after)
    }

    fn hour(&self, hour: u64) -> Result<Vec<u8>, SourceError> {
        self.source.hour(hour)
    }
}
