//! Sampling days: what governors announce in a comment of a policy, before anybody can know what will be drawn. The
//! comment fixes all that whoever draws could choose, and the policy whose cosignatures give the seed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::policy::PolicyText;
use crate::record::Day;

/// The most visits of a plan.
pub const VISITS_MAX: u32 = 10_000;
/// The most trees of a visit.
pub const VISIT_TREES_MAX: u32 = 1_000;
/// How the comment begins.
const WORDS: [&str; 2] = ["#", "sampling"];

/// By what plots are put in order, so that each part gets its share of the visits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strata {
    /// By nothing.
    #[default]
    None,
    /// By country.
    Country,
    /// By the holder of the plot.
    Planter,
    /// By the year of the first planting.
    Year,
}

/// A sampling day, as it is announced: `# sampling 2026-12-24 plots=30 trees=20 strata=country`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SamplingDay {
    /// The day: the first checkpoint behind it that the policy's quorum cosigned gives the seed.
    pub day: Day,
    /// The number of visits, 1 to [`VISITS_MAX`].
    pub plots: u32,
    /// Trees of a visit, 1 to [`VISIT_TREES_MAX`].
    pub trees: u32,
    /// By what plots are put in order.
    pub strata: Strata,
}

/// A comment that is no announcement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is no sampling day: write `# sampling 2026-12-24 plots=30 trees=20 strata=country`, with 1 to {VISITS_MAX} plots, 1 to {VISIT_TREES_MAX} trees, and none, country, planter or year"
)]
pub struct NoSamplingDay;

impl SamplingDay {
    /// The sampling days that a policy announces. A comment that can't be read is none.
    pub fn of(policy: &PolicyText) -> impl Iterator<Item = Self> {
        let lines = policy.as_str().lines();
        lines.filter_map(|line| line.parse().ok())
    }
}

impl FromStr for SamplingDay {
    type Err = NoSamplingDay;

    fn from_str(line: &str) -> Result<Self, NoSamplingDay> {
        let mut words = line.split_ascii_whitespace();
        if !WORDS.iter().all(|word| words.next() == Some(*word)) {
            return Err(NoSamplingDay);
        }
        let day = words.next().and_then(|day| day.parse().ok());
        let (mut plots, mut trees, mut strata) = (None, None, None);
        for word in words {
            let (name, value) = word.split_once('=').ok_or(NoSamplingDay)?;
            let number = |most: u32| {
                let number = value.parse().ok();
                number.filter(|number| (1..=most).contains(number))
            };
            let is_first = match name {
                "plots" => plots
                    .replace(number(VISITS_MAX).ok_or(NoSamplingDay)?)
                    .is_none(),
                "trees" => trees
                    .replace(number(VISIT_TREES_MAX).ok_or(NoSamplingDay)?)
                    .is_none(),
                "strata" => strata
                    .replace(match value {
                        "none" => Strata::None,
                        "country" => Strata::Country,
                        "planter" => Strata::Planter,
                        "year" => Strata::Year,
                        _ => return Err(NoSamplingDay),
                    })
                    .is_none(),
                _ => false,
            };
            if !is_first {
                return Err(NoSamplingDay);
            }
        }
        Ok(Self {
            day: day.ok_or(NoSamplingDay)?,
            plots: plots.ok_or(NoSamplingDay)?,
            trees: trees.ok_or(NoSamplingDay)?,
            strata: strata.unwrap_or_default(),
        })
    }
}

impl fmt::Display for SamplingDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strata = match self.strata {
            Strata::None => "none",
            Strata::Country => "country",
            Strata::Planter => "planter",
            Strata::Year => "year",
        };
        let Self {
            day, plots, trees, ..
        } = self;
        write!(
            f,
            "# sampling {day} plots={plots} trees={trees} strata={strata}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{SamplingDay, Strata};

    #[test]
    fn lines_that_announce_and_lines_that_do_not() {
        let day: SamplingDay = "# sampling 2026-12-24 plots=30 trees=20 strata=country"
            .parse()
            .unwrap();
        assert_eq!(
            (day.plots, day.trees, day.strata),
            (30, 20, Strata::Country)
        );
        assert_eq!(day.to_string().parse(), Ok(day));
        for line in [
            "",
            "sampling 2026-12-24 plots=30 trees=20",
            "# sampling 2026-02-30 plots=30 trees=20",
            "# sampling 2026-12-24 plots=0 trees=20",
            "# sampling 2026-12-24 plots=30 trees=1001",
            "# sampling 2026-12-24 plots=30",
            "# sampling 2026-12-24 plots=30 trees=20 trees=21",
            "# sampling 2026-12-24 plots=30 trees=20 strata=taste",
            "# sampling 2026-12-24 plots=30 trees=20 seed=7",
        ] {
            assert!(line.parse::<SamplingDay>().is_err(), "{line}");
        }
    }
}
