//! What the rules can't refuse, but an auditor wants to know. A finding is no verdict: it names
//! entries to look up and the question to ask. `docs/audit.md` tells each code and its thresholds,
//! which are the constants of these modules.

mod attestations;
mod authority;
mod awards;
mod caps;
mod clock;
mod coverage;
mod crowds;
mod dates;
mod density;
mod earlier;
mod evidence;
mod history;
mod overlaps;
mod payers;
mod peaks;
mod places;
mod plans;
mod prices;
mod promises;
mod regular;
mod rights;
mod survey_books;
mod surveys;
mod trees;
mod weight_units;

use serde::Serialize;

pub(super) use evidence::named_digests;
pub(super) use plans::of_plans;

use super::awards::{AwardRows, AwardRowsError};
use super::facts::{Facts, Inconsistent};
use super::survival::Surveyed;
use crate::ledger::{PlotState, decimal};
use crate::record::{Index, PlotNumber};

/// All findings, the gravest first.
///
/// # Errors
/// [`FindingsError`]: none of them is known then.
pub fn findings(facts: &Facts<'_>, awards: &mut AwardRows) -> Result<Vec<Finding>, FindingsError> {
    let mut all: Vec<Finding> = Vec::new();
    all.extend(promises::findings(facts)?);
    let surveyed = Surveyed::new(facts)?;
    all.extend(surveys::findings(facts, &surveyed)?);
    all.extend(survey_books::findings(facts, &surveyed)?);
    all.extend(history::findings(facts, &surveyed.books)?);
    all.extend(trees::findings(facts));
    all.extend(overlaps::findings(facts));
    all.extend(places::findings(facts));
    all.extend(density::findings(facts));
    all.extend(dates::findings(facts)?);
    all.extend(payers::findings(facts));
    all.extend(regular::findings(facts, &surveyed.books)?);
    all.extend(peaks::findings(facts)?);
    all.extend(rights::findings(facts));
    all.extend(evidence::placeholders(facts));
    all.extend(prices::claims(facts)?);
    all.extend(attestations::findings(facts));
    all.extend(authority::findings(facts)?);
    all.extend(clock::findings(facts));
    all.extend(coverage::findings(facts));
    all.extend(awards::findings(facts, awards)?);
    all.extend(evidence::shared(facts, awards)?);
    all.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(all)
}

/// Why findings can't be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindingsError {
    /// The award rows can't be read.
    #[error(transparent)]
    Awards(#[from] AwardRowsError),
    /// The parts of the audit contradict each other.
    #[error(transparent)]
    Inconsistent(#[from] Inconsistent),
}

/// Something to ask about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// Its name for machines, the same for ever.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What was found, in a sentence.
    pub title: String,
    /// Why it matters, and what to ask.
    pub why: &'static str,
    /// How many cases there are, with those that are not listed.
    #[serde(rename = "cases")]
    pub count: u64,
    /// The sum of the cases' weights, in `weight_unit`. Tells whether a finding got graver.
    #[serde(serialize_with = "decimal")]
    pub weight: u128,
    /// What the weight counts: trees, square metres, points; `none` where it is 0, since time that passes makes no
    /// finding graver.
    pub weight_unit: &'static str,
    /// The gravest cases, at most [`ITEMS_MAX`].
    pub items: Vec<Item>,
}

/// Cases that a finding lists; its count is of all.
pub const ITEMS_MAX: usize = 100;

/// One case of a finding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Item {
    /// What the case is about: a plot, an account, a key.
    pub subject: String,
    /// What is the matter.
    pub detail: String,
    /// Entries to look up.
    pub indexes: Vec<Index>,
}

/// How much a finding weighs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// To be known.
    Low,
    /// To be explained by the programme.
    Medium,
    /// A public claim may be false.
    High,
}

impl Severity {
    /// The severity's name, as JSON and commands have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl std::str::FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Low, Self::Medium, Self::High]
            .into_iter()
            .find(|severity| severity.name() == text)
            .ok_or_else(|| format!("{text:?} is no severity: low, medium or high"))
    }
}

/// The cases of one finding, gathered: the gravest are kept.
pub(super) struct Cases {
    code: &'static str,
    severity: Severity,
    why: &'static str,
    /// How many cases were added.
    count: u64,
    /// The sum of their weights.
    weight: u128,
    /// Time passes by itself, which makes no finding graver: days and milliseconds order the cases, and are
    /// not added up.
    weight_is_time: bool,
    /// The gravest cases with their weights, and some that are dropped at the end.
    items: Vec<(u128, Item)>,
}

impl Cases {
    pub(super) fn new(code: &'static str, severity: Severity, why: &'static str) -> Self {
        Self {
            code,
            severity,
            why,
            count: 0,
            weight: 0,
            weight_is_time: false,
            items: Vec::new(),
        }
    }

    /// The same for cases that are weighed by the time that passed.
    fn weighed_by_time(mut self) -> Self {
        self.weight_is_time = true;
        self
    }

    /// Adds a case; `weight` says how grave it is beside the others.
    pub(super) fn add(
        &mut self,
        weight: u128,
        subject: impl Into<String>,
        detail: impl Into<String>,
        indexes: Vec<Index>,
    ) {
        self.count += 1;
        if !self.weight_is_time {
            self.weight += weight;
        }
        let item = Item {
            subject: subject.into(),
            detail: detail.into(),
            indexes,
        };
        self.items.push((weight, item));
        if self.items.len() >= 2 * ITEMS_MAX {
            self.keep_gravest();
        }
    }

    /// Adds a case of a plot, with the entry that states the plot.
    fn add_plot(&mut self, weight: u128, (number, plot): &(PlotNumber, PlotState), detail: String) {
        self.add(
            weight,
            format!("plot {number}"),
            detail,
            vec![plot.stated_at],
        );
    }

    /// Adds a case of a survey, as grave as its plot has trees, with the entry that states the plot.
    fn add_survey(&mut self, number: PlotNumber, plot: &PlotState, survey: Index, detail: String) {
        self.add(
            plot.planted().into(),
            format!("plot {number}"),
            detail,
            vec![survey, plot.stated_at],
        );
    }

    /// The same of as many cases, each of weight 1, of which the first were added.
    pub(super) fn counted(mut self, count: u64) -> Self {
        (self.count, self.weight) = (count, count.into());
        self
    }

    fn keep_gravest(&mut self) {
        // Stable: of equals, those that came first.
        self.items
            .sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        self.items.truncate(ITEMS_MAX);
    }

    /// The finding, if there is any case.
    pub(super) fn finding(mut self, title: impl FnOnce(u64) -> String) -> Option<Finding> {
        self.keep_gravest();
        (self.count > 0).then(|| Finding {
            code: self.code,
            severity: self.severity,
            title: title(self.count),
            why: self.why,
            count: self.count,
            weight: self.weight,
            weight_unit: weight_units::weight_unit(self.code),
            items: self.items.into_iter().map(|(_, item)| item).collect(),
        })
    }
}

/// "1 plot", "3 plots".
fn many(count: u64, one: &str, several: &str) -> String {
    let word = if count == 1 { one } else { several };
    format!("{count} {word}")
}
