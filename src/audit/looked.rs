//! What surveys looked at: which trees the books had standing then, what was booked of them since, and
//! which of a plot's surveys its estimates rest on.

use std::collections::{BTreeMap, BTreeSet};

use bincode::{Decode, Encode};

use super::chance::count_or_more;
use super::facts::{Facts, Inconsistent};
use crate::ledger::{PlantingState, State};
use crate::record::{Basis, Day, Index, PlotNumber, Survey};

/// A census that looked for fewer than this many hundredths of the trees is none: nobody drew those
/// that it looked for.
const CENSUS_PERCENT_MIN: u64 = 90;
/// A smaller survey of fewer trees than this lowers nothing.
const LOWERING_MIN: u64 = 5;
/// A survey contradicts an older one that leaves what it found alive at most this probability.
const CONTRADICTION_MAX: f64 = 0.05;
/// Days of a year, for ages.
const DAYS_PER_YEAR: f64 = 365.25;

/// What a survey says in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Looked {
    /// The plot that was surveyed.
    pub plot: PlotNumber,
    /// The entry of the one planting that was surveyed; `None` if it was the whole plot.
    pub planting: Option<Index>,
    /// The day of the survey.
    pub surveyed_on: Day,
    /// The entry after which the books were looked at.
    pub as_of: Index,
    /// How the trees were inspected.
    pub basis: Basis,
    /// Of the trees that stood in the books, the number found alive.
    pub alive: u32,
    /// Of these trees, the number found dead.
    pub dead: u32,
    /// Of these trees, the number that were looked for and not found.
    pub not_found: u32,
    /// The number of trees found dead that the books had as lost already.
    pub dead_known: u32,
    /// The number of trees found alive that the books had as lost.
    pub revived: u32,
}

impl From<&Survey> for Looked {
    fn from(survey: &Survey) -> Self {
        Self {
            plot: survey.plot,
            planting: survey.planting,
            surveyed_on: survey.surveyed_on,
            as_of: survey.as_of,
            basis: survey.basis,
            alive: survey.alive,
            dead: survey.dead,
            not_found: survey.not_found,
            dead_known: survey.dead_known,
            revived: survey.revived,
        }
    }
}

impl Looked {
    /// The trees that were looked for, of those that stood in the books.
    pub fn looked_for(&self) -> u64 {
        u64::from(self.alive) + u64::from(self.dead) + u64::from(self.not_found)
    }

    /// Whether the survey could speak of a planting, voided or not.
    fn speaks_of(&self, planting: &PlantingState) -> bool {
        planting.index <= self.as_of
            && planting.planted_from <= self.surveyed_on
            && self.planting.is_none_or(|one| one == planting.index)
    }
}

/// A loss as it was booked.
#[derive(Clone, Copy, Debug)]
struct BookedLoss {
    index: Index,
    on: Day,
    count: u64,
    /// The correction that voided it.
    voided_at: Option<Index>,
}

impl BookedLoss {
    /// Whether the books counted it after an entry.
    fn counted_at(&self, entry: Index) -> bool {
        self.index <= entry && self.voided_at.is_none_or(|void| void > entry)
    }
}

/// The plantings of a ledger, and the losses that were booked on each.
pub(super) struct Books<'a> {
    state: &'a State,
    /// Losses by the entry of their planting, voided ones too.
    losses: BTreeMap<Index, Vec<BookedLoss>>,
}

impl<'a> Books<'a> {
    /// The books of a ledger.
    ///
    /// # Errors
    /// [`Inconsistent`] when the losses that the audit observed are not those of the state.
    pub(super) fn new(facts: &Facts<'a>) -> Result<Self, Inconsistent> {
        let state = facts.state;
        let mut losses = BTreeMap::<_, Vec<_>>::new();
        let mut counted = 0;
        for (index, loss) in &facts.observations.losses {
            let in_state = state.loss(*index);
            counted += usize::from(in_state.is_some_and(|it| it.count == loss.count));
            // A loss on a planting that was voided is gone with it, and not voided itself.
            losses.entry(loss.planting).or_default().push(BookedLoss {
                index: *index,
                on: loss.on,
                count: loss.count.into(),
                voided_at: state.voided_by(*index),
            });
        }
        if counted != state.losses().count() {
            return Err(Inconsistent::new(
                "the losses observed are not those of the ledger's state",
            ));
        }
        Ok(Self { state, losses })
    }

    /// What a survey looked at.
    ///
    /// # Errors
    /// [`Inconsistent`] when more trees are lost than were planted.
    pub(super) fn frame(&self, index: Index, looked: Looked) -> Result<Frame, Inconsistent> {
        let mut frame = Frame::empty(index, looked);
        let plantings = self.state.plantings(looked.plot);
        for (_, planting) in plantings.filter(|(_, planting)| looked.speaks_of(planting)) {
            self.add(&mut frame, planting)?;
        }
        Ok(frame)
    }

    fn add(&self, frame: &mut Frame, planting: &PlantingState) -> Result<(), Inconsistent> {
        let looked = frame.looked;
        let voided_at = self.state.voided_by(planting.index);
        if planting.voided && voided_at.is_none_or(|void| void <= looked.as_of) {
            return Ok(());
        }
        let planted = planting.count();
        let losses = || self.losses.get(&planting.index).into_iter().flatten();
        let sum = |losses: &mut dyn Iterator<Item = &BookedLoss>| -> u64 {
            losses.map(|loss| loss.count).sum()
        };
        let lost_then = sum(&mut losses().filter(|loss| loss.counted_at(looked.as_of)));
        let stood = planted.checked_sub(lost_then).ok_or_else(|| {
            Inconsistent::new(format!(
                "of {planted} trees that entry {} planted, {lost_then} are lost",
                planting.index
            ))
        })?;
        frame.stood += stood;
        frame.lost_then += lost_then;
        if planting.voided {
            frame.voided += stood;
            frame.voided_lost += lost_then;
            return Ok(());
        }
        frame.planted += planted;
        frame.lost += u64::from(planting.lost());
        frame.newest = frame.newest.max(planting.index);
        let after =
            || losses().filter(|loss| loss.index > looked.as_of && loss.voided_at.is_none());
        frame.booked += sum(&mut after());
        frame.later += sum(&mut after().filter(|loss| loss.on > looked.surveyed_on));
        frame.earlier += sum(&mut after().filter(|loss| loss.on < looked.surveyed_on));
        frame.restored +=
            sum(&mut losses()
                .filter(|loss| loss.counted_at(looked.as_of) && loss.voided_at.is_some()));
        let days = |day: Day| f64::from(looked.surveyed_on.0.saturating_sub(day.0));
        frame.days_least += planted as f64 * days(planting.planted_until);
        frame.days_most += planted as f64 * days(planting.planted_from);
        Ok(())
    }

    /// The plantings of a plot that a survey spoke of and that were not voided.
    pub(super) fn spoken_of(&self, looked: Looked) -> impl Iterator<Item = &'a PlantingState> {
        let plantings = self.state.plantings(looked.plot);
        plantings
            .map(|(_, planting)| planting)
            .filter(move |planting| !planting.voided && looked.speaks_of(planting))
    }

    /// What each survey of a plot that was not voided looked at, the latest last.
    ///
    /// # Errors
    /// [`Inconsistent`].
    pub(super) fn frames(&self, plot: PlotNumber) -> Result<Vec<Frame>, Inconsistent> {
        let surveys = self.state.surveys(plot);
        surveys
            .map(|(index, survey)| self.frame(index, (&survey.survey).into()))
            .collect()
    }

    /// The surveys of a plot that its estimates rest on, of those in `frames`, which are in order: no
    /// two speak of one planting.
    pub(super) fn in_force<'f>(&self, frames: &[&'f Frame]) -> Vec<&'f Frame> {
        let of = |frames: &mut dyn Iterator<Item = &&'f Frame>| {
            let (mut whole, mut single) = (None::<&Frame>, BTreeMap::new());
            for frame in frames {
                match frame.looked.planting {
                    None if whole.is_none_or(|before| frame.replaces(before)) => {
                        whole = Some(frame);
                    }
                    Some(planting) => {
                        let before = single.entry(planting).or_insert(*frame);
                        if frame.replaces(before) {
                            *before = frame;
                        }
                    }
                    None => {}
                }
            }
            self.joined(whole, single)
        };
        let drawn = of(&mut frames.iter().filter(|frame| frame.is_drawn()));
        if drawn.is_empty() {
            // Nothing was drawn: what there is has estimates without intervals.
            return of(&mut frames.iter().filter(|frame| frame.is_sound()));
        }
        drawn
    }

    /// A survey of the whole plot and those of its plantings, without overlap. Those of plantings
    /// replace the plot's if they are later and, together, not smaller.
    fn joined<'f>(
        &self,
        whole: Option<&'f Frame>,
        mut single: BTreeMap<Index, &'f Frame>,
    ) -> Vec<&'f Frame> {
        let Some(whole) = whole else {
            return single.into_values().collect();
        };
        let spoken_of: BTreeSet<Index> = self
            .spoken_of(whole.looked)
            .map(|planting| planting.index)
            .collect();
        let (mut looked_for, mut stood, mut are_later) = (0, 0, true);
        for planting in &spoken_of {
            match single.get(planting) {
                Some(frame) => {
                    looked_for += frame.looked.looked_for();
                    stood += frame.stood;
                    are_later &= frame.is_later(whole);
                }
                None => are_later = false,
            }
        }
        let size = (looked_for, stood);
        if !are_later || !is_not_smaller(size, (whole.looked.looked_for(), whole.stood)) {
            single.retain(|planting, _| !spoken_of.contains(planting));
            single.insert(whole.index, whole);
        }
        single.into_values().collect()
    }
}

/// Whether trees looked for, of those that stood, are as many as others or as large a part.
fn is_not_smaller((looked_for, stood): (u64, u64), (other, stood_there): (u64, u64)) -> bool {
    let product = |one: u64, other: u64| u128::from(one) * u128::from(other);
    looked_for >= other || product(looked_for, stood_there) >= product(other, stood)
}

/// What a survey looked at, by the books as they were after the entry that it names; and what was
/// booked since of the plantings that count today.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// The survey's entry.
    pub(super) index: Index,
    /// What it says.
    pub(super) looked: Looked,
    /// Trees that stood in the books then.
    pub(super) stood: u64,
    /// Trees that the books had as lost then.
    pub(super) lost_then: u64,
    /// Of those that stood, trees of plantings that were voided since.
    pub(super) voided: u64,
    /// Of those lost, trees of such plantings.
    voided_lost: u64,
    /// Trees of the plantings that count today.
    pub(super) planted: u64,
    /// Of these, trees that are lost in the books today.
    pub(super) lost: u64,
    /// Of these, trees whose loss the books counted then, and was voided since.
    pub(super) restored: u64,
    /// Of these, trees whose loss was booked since.
    pub(super) booked: u64,
    /// Of these, trees booked since and lost after the day of the survey.
    pub(super) later: u64,
    /// Trees booked since and lost before the day of the survey.
    pub(super) earlier: u64,
    /// The newest of the plantings.
    newest: Index,
    /// Days from the last days of planting to the survey, times the trees of each planting.
    days_least: f64,
    /// The same from the first days of planting.
    days_most: f64,
}

impl Frame {
    fn empty(index: Index, looked: Looked) -> Self {
        Self {
            index,
            looked,
            stood: 0,
            lost_then: 0,
            voided: 0,
            voided_lost: 0,
            planted: 0,
            lost: 0,
            restored: 0,
            booked: 0,
            later: 0,
            earlier: 0,
            newest: Index(0),
            days_least: 0.0,
            days_most: 0.0,
        }
    }

    /// Trees of the plantings that count today, which stand in the books today.
    pub(super) fn standing(&self) -> u64 {
        self.planted.saturating_sub(self.lost)
    }

    /// Trees that stood then, of the plantings that count today.
    pub(super) fn stood_of_these(&self) -> u64 {
        self.stood.saturating_sub(self.voided)
    }

    /// Whether it looked for trees, and for no more than there were.
    pub(super) fn is_sound(&self) -> bool {
        (1..=self.stood).contains(&self.looked.looked_for()) && self.planted > 0
    }

    /// Whether its trees were drawn at random, or are all: only then is there an interval.
    pub(super) fn is_drawn(&self) -> bool {
        self.is_sound()
            && match self.looked.basis {
                Basis::Census => self.is_near_whole(),
                Basis::RandomSample => true,
                Basis::RemoteSensing => false,
            }
    }

    /// Whether it looked for nearly all trees, as a census does.
    pub(super) fn is_near_whole(&self) -> bool {
        let part = |trees: u64, percent: u64| u128::from(trees) * u128::from(percent);
        part(self.looked.looked_for(), 100) >= part(self.stood, CENSUS_PERCENT_MIN)
    }

    /// Whether it looked for all trees.
    pub(super) fn is_whole(&self) -> bool {
        self.looked.looked_for() == self.stood
    }

    /// Whether it was made after another one, or came in after it of the same day.
    pub(super) fn is_later(&self, other: &Self) -> bool {
        (self.looked.surveyed_on, self.index) > (other.looked.surveyed_on, other.index)
    }

    /// Whether a survey takes the place of an earlier one of the same plot or planting: it is not
    /// narrower, and looked for as many trees or for as large a part of them.
    pub(super) fn replaces(&self, before: &Self) -> bool {
        let size = |frame: &Self| (frame.looked.looked_for(), frame.stood);
        before.newest <= self.looked.as_of && is_not_smaller(size(self), size(before))
    }

    /// Whether a survey may lower, with others, what a larger and older one says: it drew trees from the same
    /// plantings or more, and does not find far more alive than the older one leaves. A few trees that were
    /// chosen because they live do.
    pub(super) fn may_lower(&self, old: &Self) -> bool {
        let looked_for = self.looked.looked_for();
        if self.looked.planting != old.looked.planting
            || !self.is_drawn()
            || !self.is_later(old)
            || old.newest > self.looked.as_of
            || looked_for < LOWERING_MIN
        {
            return false;
        }
        let alive = u128::from(old.looked.alive) * u128::from(old.stood);
        let alive = alive.div_ceil(old.looked.looked_for().max(1).into());
        let alive = u64::try_from(alive).unwrap_or(u64::MAX);
        count_or_more(self.stood, alive, looked_for, self.looked.alive.into()) > CONTRADICTION_MAX
    }

    /// The fewest trees that are dead and for which the books have no loss: those found dead, less
    /// every loss that may be one of them.
    pub(super) fn unbooked_dead(&self) -> u64 {
        // Of a planting that was voided since, all trees may be among the dead.
        let dead = u64::from(self.looked.dead).saturating_sub(self.voided);
        let since = dead.saturating_sub(self.booked);
        // Those that the books had as lost were found dead too; their losses may be voided since.
        let known = u64::from(self.looked.dead_known).saturating_sub(self.voided_lost);
        let all = dead + known;
        since.max(all.saturating_sub(self.lost))
    }

    /// Whole years from planting to the survey, least and most: means over the trees.
    pub(super) fn years(&self) -> (u32, u32) {
        let trees = self.planted.max(1) as f64;
        #[expect(clippy::cast_possible_truncation, reason = "years since 1970 at most")]
        let years = |days: f64| (days / trees / DAYS_PER_YEAR) as u32;
        (years(self.days_least), years(self.days_most))
    }
}
