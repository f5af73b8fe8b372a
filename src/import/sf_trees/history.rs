//! What became of a tree by the register, told by the order of times: its rows in the table of added
//! trees (the first, and those that say that it came back) and its removals in the events.
//!
//! A removal takes the tree that is listed then. One that is older than the tree's first row is of a
//! tree before it; one that follows a return takes the tree again. A row of return that gives
//! another planting date, species or place is another tree under the same number: it brings nothing
//! back, and what follows it is not told of the first tree. What can't be told apart is not guessed.

use super::cells::plot_at;
use super::register::{PlantingDate, RegisteredTree, ReturnRow};
use crate::import::dates::UtcTime;
use crate::import::species::SpeciesList;
use crate::record::Day;

/// What became of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// No removal is told of it.
    Listed,
    /// It was removed on this day, and did not come back since.
    Removed {
        day: Day,
        /// How often it was removed on that day, and came back in between.
        times_on_day: usize,
        /// Whether it had been removed before, and came back.
        again: bool,
    },
    /// It was last removed on this day, and came back.
    Returned(Day),
    /// All removals are older than its first row, which says whether the tree came back.
    RemovedBefore { came_back: bool },
    /// It can't be told whether it stands: why.
    Unclear(String),
}

/// Of which tree a removal, or a row of return, tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The tree of the first row.
    Tree,
    /// A tree that had the number before.
    Earlier,
    /// A tree that got the number later.
    Later,
    /// Nobody can tell.
    Unclear,
}

/// A tree's history.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub fate: Fate,
    listed: Option<UtcTime>,
    /// When another tree got the number.
    replaced: Option<UtcTime>,
    /// Times at which it was removed, and a row was written too.
    at_once: Vec<UtcTime>,
}

impl History {
    pub(super) fn of(tree: &RegisteredTree, species: &SpeciesList) -> Self {
        let is_row = |time: &UtcTime| {
            tree.listed == Some(*time) || tree.returns.iter().any(|row| row.time == *time)
        };
        let mut history = Self {
            fate: Fate::Listed,
            listed: tree.listed,
            replaced: None,
            at_once: tree.removals.iter().copied().filter(is_row).collect(),
        };
        let (mut returns, mut unclear) = (Vec::new(), None);
        for row in &tree.returns {
            match is_same(tree, row, species) {
                Some(true) => returns.push(row.time),
                Some(false) => {
                    history.replaced = Some(row.time);
                    break;
                }
                None => {
                    unclear = Some(format!(
                        "whether the tree of line {} is the one that was removed can't be told",
                        row.line
                    ));
                    break;
                }
            }
        }
        let own = tree.removals.iter().copied();
        let own: Vec<UtcTime> = own
            .filter(|time| history.of_removal(*time) == Of::Tree)
            .collect();
        if !history.at_once.is_empty() {
            unclear = Some("it was removed and listed at the same time".to_owned());
        } else if history.replaced.is_some() && own.is_empty() && unclear.is_none() {
            unclear =
                Some("another tree has its number, and no removal of the first is told".to_owned());
        }
        history.fate = match (unclear, own.last()) {
            (Some(why), _) => Fate::Unclear(why),
            (None, None) if tree.removals.is_empty() => Fate::Listed,
            (None, None) => Fate::RemovedBefore {
                came_back: tree.first_is_return,
            },
            (None, Some(last)) if returns.last().is_some_and(|back| back > last) => {
                Fate::Returned(last.day)
            }
            (None, Some(last)) => {
                let spells = spells(&own, &returns);
                Fate::Removed {
                    day: last.day,
                    times_on_day: spells.iter().filter(|day| **day == last.day).count(),
                    again: spells.len() > 1,
                }
            }
        };
        history
    }

    /// Of which tree a removal tells.
    pub(super) fn of_removal(&self, time: UtcTime) -> Of {
        if self.at_once.contains(&time) {
            Of::Unclear
        } else if self.listed.is_some_and(|listed| time < listed) {
            Of::Earlier
        } else if self.replaced.is_some_and(|replaced| time > replaced) {
            Of::Later
        } else {
            Of::Tree
        }
    }

    /// Of which tree a row of return tells.
    pub(super) fn of_return(&self, row: &ReturnRow) -> Of {
        match (&self.fate, self.replaced) {
            (_, Some(replaced)) if row.time >= replaced => Of::Later,
            (Fate::Unclear(_), _) => Of::Unclear,
            _ => Of::Tree,
        }
    }

    /// Whether the tree was removed before, and stands again.
    pub(super) fn came_back(&self) -> bool {
        matches!(
            self.fate,
            Fate::Returned(_) | Fate::RemovedBefore { came_back: true }
        )
    }

    /// The day on which it was last removed, and whether it came back: trees of one fate are planted
    /// together, so that they can be lost together.
    pub(super) fn group(&self) -> (Option<Day>, bool) {
        match self.fate {
            Fate::Removed { day, .. } => (Some(day), false),
            Fate::Returned(day) => (Some(day), true),
            Fate::Listed | Fate::RemovedBefore { .. } | Fate::Unclear(_) => (None, false),
        }
    }
}

/// The days of removals that a return parts from each other: of those without one between, the last.
fn spells(removals: &[UtcTime], returns: &[UtcTime]) -> Vec<Day> {
    let mut spells: Vec<UtcTime> = Vec::new();
    for removal in removals {
        let parted = |before: &UtcTime| returns.iter().any(|back| before < back && back < removal);
        match spells.last_mut() {
            Some(before) if !parted(before) => *before = *removal,
            _ => spells.push(*removal),
        }
    }
    spells.into_iter().map(|time| time.day).collect()
}

/// Whether a row of return tells of the tree of the first row; none if that can't be told. What a
/// row leaves out contradicts nothing.
fn is_same(tree: &RegisteredTree, row: &ReturnRow, species: &SpeciesList) -> Option<bool> {
    let known = tree.dates.iter();
    let is_known = |date: &PlantingDate| {
        let mut known = known.clone();
        known.any(|known| known.text == date.text || (date.day.is_some() && known.day == date.day))
    };
    let date = match &row.date {
        None => Some(true),
        Some(_) if tree.dates.is_empty() => Some(true),
        Some(date) if is_known(date) => Some(true),
        Some(date) => date.day.map(|_| false),
    };
    let kind = if row.species == tree.species || row.species.is_empty() {
        Some(true)
    } else {
        let codes = species
            .code_of(&tree.species)
            .zip(species.code_of(&row.species));
        codes.map(|(one, other)| one == other)
    };
    let place = match (&tree.location, &row.location) {
        (Ok(Some(_)), Ok(Some(back))) => {
            let plot = |place| plot_at(place).map(|plot| plot.number);
            let first = tree.location.clone().ok().flatten();
            Some(plot(first) == plot(Some(*back)))
        }
        (Ok(_), Ok(_)) => Some(true),
        _ => None,
    };
    let parts = [date, kind, place];
    if parts.contains(&Some(false)) {
        Some(false)
    } else {
        (!parts.contains(&None)).then_some(true)
    }
}
