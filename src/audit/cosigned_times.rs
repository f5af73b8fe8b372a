//! What checkpoints that witnesses cosigned say of the times in a log. A witness says when it saw a checkpoint as the
//! log's newest: what is behind that was not in the log then, whatever time of admission it has. So an auditor who
//! comes later can tell that an admission was dated back.

use super::auditor::AuditError;
use super::findings::{Finding, ITEMS_MAX, Item, Severity};
use super::tiles::Tiles;
use crate::note::TreeHead;
use crate::record::{Entry, Index, TimeMs};

/// An entry may be admitted this long before a witness cosigns a checkpoint without it: between the two, the log asks
/// and the witness answers, and their clocks differ.
pub const ASKING_MS_MAX: u64 = 60_000;

const WHY: &str = "Whoever saw the log then saw it without these entries, so they were admitted later than they say, or the witness's clock was ahead: ask the operator, and hold the times of other witnesses against it. Days of grace, prices and caps go by the time of admission.";

/// A checkpoint that a witness cosigned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeenCheckpoint {
    /// Its tree.
    pub head: TreeHead,
    /// When the first of its witnesses cosigned it, in seconds since 1970.
    pub seen_at_s: u64,
}

/// What cosigned checkpoints say of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CosignedTimes {
    /// Each is a beginning of the log, and what there is to ask about of the times of admission.
    Beginnings(Option<Finding>),
    /// This one is no beginning of the log: two histories were signed.
    OtherTree(TreeHead),
}

impl CosignedTimes {
    /// Holds checkpoints against a log that was verified.
    ///
    /// # Errors
    /// [`AuditError`], if the log can't be read.
    pub fn of(tiles: &Tiles<'_>, checkpoints: &[SeenCheckpoint]) -> Result<Self, AuditError> {
        let (mut items, mut count) = (Vec::new(), 0);
        let size = tiles.head().size;
        for seen in checkpoints.iter().filter(|seen| seen.head.size <= size) {
            if tiles.root_at(seen.head.size)? != seen.head.root {
                return Ok(Self::OtherTree(seen.head));
            }
            let first = Index(seen.head.size);
            if first.0 == size {
                continue;
            }
            // Times never decrease: the first entry behind it is the earliest.
            let Some(admitted_at) = admitted_at(tiles, first)? else {
                continue;
            };
            let seen_at_ms = seen.seen_at_s.saturating_mul(1000);
            if admitted_at.0.saturating_add(ASKING_MS_MAX) >= seen_at_ms {
                continue;
            }
            count += 1;
            if items.len() < ITEMS_MAX {
                items.push(Item {
                    subject: format!("entry {first}"),
                    detail: format!(
                        "it says that it was admitted at {}, and at {} a witness cosigned the log without it",
                        admitted_at.to_utc(),
                        TimeMs(seen_at_ms).to_utc()
                    ),
                    indexes: vec![first],
                });
            }
        }
        Ok(Self::Beginnings((count > 0).then(|| Finding {
            code: "admission_backdated",
            severity: Severity::High,
            title: format!(
                "{count} cosigned checkpoints were seen after the time that entries behind them have"
            ),
            why: WHY,
            count,
            weight: count.into(),
            weight_unit: "checkpoints",
            items,
        })))
    }
}

/// When an entry was admitted; of a sealed one, its seal says that.
pub(super) fn admitted_at(tiles: &Tiles<'_>, index: Index) -> Result<Option<TimeMs>, AuditError> {
    let read = |index| Ok::<_, AuditError>(Entry::decode(&tiles.entry(index)?).ok());
    let Some(entry) = read(index)? else {
        return Ok(None);
    };
    let entry = match entry.seal_index(index) {
        Some(seal) => read(seal)?,
        None => Some(entry),
    };
    Ok(match entry {
        Some(Entry::Signed(signed)) => Some(signed.admitted_at),
        Some(Entry::State(state)) => Some(state.admitted_at),
        _ => None,
    })
}
