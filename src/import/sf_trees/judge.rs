//! A tree as the register has it now, held against the books: what is lacking, what contradicts
//! what is in, and what there is nothing to do about.

use std::collections::HashMap;

use super::TreesConfig;
use super::books::{BookedTree, BookedTrees, Loss, TreeBooks};
use super::cells::{UNLOCATED, plot_at};
use super::history::{Fate, History};
use super::register::{PlantingDate, RegisteredTree, TreeRegister};
use crate::record::{Day, Index, Plot, SpeciesCode};

/// Why a line does not go in: a stable name, and words.
pub(super) type Fault = (&'static str, String);

/// What the books should say of a tree.
#[derive(Clone, Debug)]
pub(super) struct WantedTree {
    pub plot: Plot,
    pub species: SpeciesCode,
    /// The days that the register gave, those that can be right, oldest first: each with the
    /// commit that gave it. The tree goes in with the first; the last is the one that holds.
    pub days: Vec<(Day, String)>,
}

/// How a tree stands.
pub(super) enum Judgement<'b> {
    /// It does not go in, or its row is not what the books say.
    SetAside(Fault),
    /// It is to be planted, on the wanted day of this place.
    Plant(WantedTree, usize),
    /// It is in.
    In(TreeInBooks<'b>),
}

/// A tree that is in, with what is still to be said of it.
pub(super) struct TreeInBooks<'b> {
    pub tree: BookedTree<'b>,
    pub history: History,
    pub next: Option<NextStep>,
    /// The entry that says that it is lost.
    pub loss: Option<Index>,
    /// Whether that entry still counts.
    pub is_lost: bool,
    /// Why an altered date can't be told.
    pub date_fault: Option<Fault>,
    /// Why its removal can't be told.
    pub removal_fault: Option<Fault>,
}

impl<'b> TreeInBooks<'b> {
    /// Nothing is to be said of it.
    fn new(tree: BookedTree<'b>, history: History) -> Self {
        Self {
            tree,
            history,
            next: None,
            loss: None,
            is_lost: false,
            date_fault: None,
            removal_fault: None,
        }
    }
}

/// What is to be said of a tree that is in.
pub(super) enum NextStep {
    /// Its planting is void, for the register altered the date to this day.
    Void(Day),
    /// It was removed on this day, of which so many losses of it tell that were voided.
    Lose { day: Day, told: usize },
    /// This loss is void: its trees came back.
    Restore(Index),
}

/// Trees as register and books have them.
pub(super) struct Judge<'j> {
    register: &'j TreeRegister,
    books: &'j TreeBooks,
    config: &'j TreesConfig<'j>,
    booked: BookedTrees<'j>,
    losses: HashMap<Index, Vec<(Index, Loss, bool)>>,
}

impl<'j> Judge<'j> {
    pub(super) fn new(
        register: &'j TreeRegister,
        books: &'j TreeBooks,
        config: &'j TreesConfig<'j>,
    ) -> Self {
        Self {
            register,
            books,
            config,
            booked: books.by_id(),
            losses: books.losses(),
        }
    }

    /// What became of a tree by the register.
    pub(super) fn history(&self, tree: &RegisteredTree) -> History {
        History::of(tree, self.config.species)
    }

    pub(super) fn judge(&self, id: u64, tree: &RegisteredTree) -> Judgement<'_> {
        let standing = self.booked.standing.get(&id);
        if let Some(booked) = standing
            && tree.added.is_none()
            && (booked.planting.plot != UNLOCATED || tree.dates.is_empty())
        {
            return Judgement::In(self.without_row(tree, *booked));
        }
        let wanted = match (wanted(tree, self.config), standing) {
            (Ok(wanted), _) => wanted,
            (Err(fault), None) => return Judgement::SetAside(fault),
            (Err((_, detail)), Some(booked)) => {
                return Judgement::SetAside(changed(booked, &detail));
            }
        };
        match (standing, self.booked.voided.get(&id)) {
            (None, None) => match self.history(tree).fate {
                Fate::Unclear(why) => Judgement::SetAside(("fate_unclear", why)),
                _ => Judgement::Plant(wanted, 0),
            },
            (None, Some(voided)) if self.books.is_voided_by_others(voided.index) => {
                Judgement::SetAside(planting_voided(voided, ", by others than its planter"))
            }
            (None, Some(voided)) => plant_again(wanted, voided),
            (Some(booked), _) => match self.in_books(tree, &wanted, *booked) {
                Ok(tree) => Judgement::In(tree),
                Err(fault) => Judgement::SetAside(fault),
            },
        }
    }

    /// A tree that the books know and that the table of added trees does not have: its place,
    /// species and first date can't be compared, but its removal is told.
    fn without_row(&self, tree: &RegisteredTree, booked: BookedTree<'j>) -> TreeInBooks<'j> {
        let detail = format!(
            "entry {} planted the tree, whose row is missing in the table of added trees: whether the date was altered can't be told",
            booked.index
        );
        let mut now = TreeInBooks::new(booked, self.history(tree));
        now.date_fault = Some(("row_missing", detail));
        self.judge_removal(&mut now);
        now
    }

    fn in_books(
        &self,
        tree: &RegisteredTree,
        wanted: &WantedTree,
        booked: BookedTree<'j>,
    ) -> Result<TreeInBooks<'j>, Fault> {
        let planting = booked.planting;
        if planting.species != wanted.species {
            let now = format!("its species is {:?}", tree.species);
            return Err(changed(&booked, &now));
        }
        if planting.plot != wanted.plot.number {
            let now = format!("it stands on plot {}", wanted.plot.number);
            return Err(changed(&booked, &now));
        }
        let mut now = TreeInBooks::new(booked, self.history(tree));
        if let Some(last) = wanted.last_day()
            && last != booked.planted_on()
        {
            if !wanted
                .days
                .iter()
                .any(|(day, _)| *day == booked.planted_on())
            {
                return Err(changed(&booked, &format!("it was planted on {last}")));
            }
            if booked.is_alone() {
                now.next = Some(NextStep::Void(last));
                return Ok(now);
            }
            let detail = format!(
                "the date was altered to {last}, and entry {} planted this tree together with others: it can't be corrected for one of them",
                booked.index
            );
            now.date_fault = Some(("date_of_several", detail));
        }
        self.judge_removal(&mut now);
        Ok(now)
    }

    fn judge_removal(&self, now: &mut TreeInBooks<'j>) {
        if now.history.fate == Fate::Listed {
            return;
        }
        if let Some(loss) = self.books.lost_by_others(&now.tree) {
            now.loss = Some(loss);
            now.is_lost = true;
            return;
        }
        let losses = self
            .losses
            .get(&now.tree.index)
            .map_or(&[][..], Vec::as_slice);
        let of_tree = || {
            let losses = losses.iter();
            losses.filter(|(_, loss, _)| loss.holds(now.tree.serial))
        };
        let in_force = of_tree()
            .filter(|(.., voided)| !voided)
            .max_by_key(|(index, ..)| *index);
        let newest = of_tree().max_by_key(|(index, ..)| *index);
        match (&now.history.fate, in_force) {
            (Fate::Listed, _) => {}
            (_, Some((index, loss, _))) => {
                now.loss = Some(*index);
                now.is_lost = !self.books.is_voided_by_others(*index);
                if now.history.came_back() && self.all_returned(now.tree, loss) {
                    now.next = Some(NextStep::Restore(*index));
                }
            }
            (Fate::Unclear(why), None) => {
                now.removal_fault = Some(("fate_unclear", why.clone()));
            }
            (Fate::RemovedBefore { .. }, None) => {
                now.loss = newest.map(|(index, ..)| *index);
            }
            (
                Fate::Removed {
                    day,
                    times_on_day,
                    again,
                },
                None,
            ) => {
                let (day, again) = (*day, *again);
                // Losses that were voided, since the tree came back, tell of the removals of their
                // day; a later removal is another loss.
                let told = of_tree().filter(|(_, loss, _)| loss.lost_on == day).count();
                match newest {
                    Some((index, ..)) if self.books.is_voided_by_others(*index) && !again => {
                        let detail = format!(
                            "entry {index}, which said that it is lost, was voided by others than its planter"
                        );
                        now.removal_fault = Some(("loss_voided", detail));
                    }
                    Some((index, ..)) if told >= *times_on_day => now.loss = Some(*index),
                    _ => self.lose(day, told, now),
                }
            }
            (Fate::Returned(day), None) => match newest {
                Some((index, ..)) => now.loss = Some(*index),
                None => self.lose(*day, 0, now),
            },
        }
    }

    /// A tree that was removed on a day is lost, unless that can't be.
    fn lose(&self, removed: Day, told: usize, now: &mut TreeInBooks<'_>) {
        let planted = now.tree.planted_on();
        let unnamed = self.books.lost_unnamed(now.tree.index);
        if removed < planted {
            let detail = format!("removed on {removed}, before it was planted on {planted}");
            now.removal_fault = Some(("removed_before_planted", detail));
        } else if unnamed > 0 {
            let detail = format!(
                "{unnamed} trees of its planting, entry {}, are lost by entries that do not say which: whether it is one of them can't be told",
                now.tree.index
            );
            now.removal_fault = Some(("lost_unnamed", detail));
        } else {
            now.next = Some(NextStep::Lose { day: removed, told });
        }
    }

    /// Whether all trees of a loss came back: a loss is voided as a whole.
    fn all_returned(&self, tree: BookedTree<'_>, loss: &Loss) -> bool {
        let trees = self.books.trees_of(tree.planting);
        (tree.planting.first_serial.0..)
            .zip(trees)
            .filter(|(serial, _)| loss.holds(crate::record::Serial(*serial)))
            .all(|(_, id)| {
                let tree = self.register.trees.get(id);
                tree.is_some_and(|tree| self.history(tree).came_back())
            })
    }
}

impl WantedTree {
    fn last_day(&self) -> Option<Day> {
        self.days.last().map(|(day, _)| *day)
    }

    /// Whether the register altered the date.
    pub(super) fn is_redated(&self) -> bool {
        self.last_day() != self.days.first().map(|(day, _)| *day)
    }
}

/// A tree whose planting was voided is planted again if that was since the register altered the
/// date, and else never.
fn plant_again<'b>(wanted: WantedTree, voided: &BookedTree<'_>) -> Judgement<'b> {
    let last = wanted.days.len().saturating_sub(1);
    let was_on = |(day, _): &(Day, String)| *day == voided.planted_on();
    let redated = voided.is_alone()
        && wanted.last_day() != Some(voided.planted_on())
        && wanted.days.iter().any(was_on);
    if redated {
        return Judgement::Plant(wanted, last);
    }
    Judgement::SetAside(planting_voided(voided, ""))
}

fn planting_voided(voided: &BookedTree<'_>, by: &str) -> Fault {
    let detail = format!("entry {}, which planted it, was voided{by}", voided.index);
    ("planting_voided", detail)
}

fn changed(booked: &BookedTree<'_>, now: &str) -> Fault {
    let BookedTree {
        index, planting, ..
    } = booked;
    let detail = format!(
        "entry {index} planted the tree on {} on plot {}, species {}, and now {now}: plantings are corrected by people",
        planting.planted_until, planting.plot, planting.species
    );
    ("changed", detail)
}

/// What the books should say of a tree; or why it does not go in.
fn wanted(tree: &RegisteredTree, config: &TreesConfig<'_>) -> Result<WantedTree, Fault> {
    let location = tree.location.clone().map_err(|why| ("place_wrong", why))?;
    let Some(date) = tree.dates.first() else {
        return Err(("no_date", "the register gives no planting date".to_owned()));
    };
    let first = check_date(date, config.today)?;
    let species = config.species.code_of(&tree.species).ok_or_else(|| {
        let detail = format!(
            "species {:?} is a placeholder, or not in the method",
            tree.species
        );
        ("species_unknown", detail)
    })?;
    let plot =
        plot_at(location).ok_or_else(|| ("place_wrong", "no plot can be made there".to_owned()))?;
    let mut days = vec![(first, tree.commit.clone())];
    let later = tree.dates.iter().skip(1);
    days.extend(later.filter_map(|date| {
        let day = check_date(date, config.today).ok()?;
        Some((day, date.commit.clone()))
    }));
    Ok(WantedTree {
        plot,
        species,
        days,
    })
}

/// The day of a date of the register; or why it can't be right.
pub(super) fn check_date(date: &PlantingDate, today: Day) -> Result<Day, Fault> {
    let day = date.day.ok_or_else(|| {
        let detail = format!(
            "planting date {:?}: before 1970, no day, or not in the order of the file's dates",
            date.text
        );
        ("date_malformed", detail)
    })?;
    if day > date.published {
        let published = date.published;
        let why = format!("planted on {day}, after it was published on {published}");
        return Err(("date_after_publication", why));
    }
    if day > today {
        let why = format!("planted on {day}, which is yet to come");
        return Err(("date_future", why));
    }
    Ok(day)
}
