//! What surveys say of survival: the estimates held against the truth by simulation, against each other on a full
//! census, and on cases in which an audit was once talked out of what a survey had found.

#[allow(dead_code)]
#[path = "attacks/forge.rs"]
mod forge;
#[allow(dead_code)]
#[path = "support/programmes.rs"]
mod programmes;
#[allow(dead_code)]
#[path = "attacks/statements.rs"]
mod statements;

use arborlog::audit::{
    Cluster, Finding, FramePlot, Interval, Report, Sample, SamplingDay, Scope, Severity, Share,
    Strata, draw,
};
use arborlog::record::*;
use forge::{DAY_MS, Forge};
use statements::*;

/// Numbers that look like chance, the same in each run (splitmix64).
struct Chance(u64);

impl Chance {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below 1.
    fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.bits() % (most - least + 1)
    }

    /// Trees of a logarithmic scale, so that plots differ as those of programmes do.
    fn trees(&mut self, least: u64, most: u64) -> u64 {
        let (least, most) = (least as f64, most as f64);
        (least * (most / least).powf(self.share())) as u64
    }

    /// How many of `drawn` trees live, of `trees` of which `alive` do.
    fn draw(&mut self, trees: u64, alive: u64, drawn: u64) -> u64 {
        let (mut left, mut good, mut found) = (trees, alive, 0);
        for _ in 0..drawn {
            if self.bits() % left < good {
                good -= 1;
                found += 1;
            }
            left -= 1;
        }
        found
    }
}

/// Programmes of one sort.
#[derive(Clone, Copy)]
struct Sort {
    plots: (u64, u64),
    looked_for: (u64, u64),
    survival: (f64, f64),
    /// By how much plots differ from their programme.
    differ: f64,
    trees: (u64, u64),
    /// The part of the plots that are looked at whole.
    whole: f64,
}

/// In how many of `runs` programmes of a sort the interval holds the share alive.
fn covered(sort: &Sort, runs: u32, chance: &mut Chance) -> f64 {
    let mut holds = 0;
    for _ in 0..runs {
        let (least, most) = sort.survival;
        let survival = least + (most - least) * chance.share();
        let (mut samples, mut alive_of_all, mut all) = (Vec::new(), 0, 0);
        for _ in 0..chance.between(sort.plots.0, sort.plots.1) {
            let trees = chance.trees(sort.trees.0, sort.trees.1);
            let own = survival + sort.differ * (2.0 * chance.share() - 1.0);
            // A whole number of trees, without leaning to either side.
            let alive = (own.clamp(0.0, 1.0) * trees as f64 + chance.share()) as u64;
            let alive = alive.min(trees);
            let looked_for = if chance.share() < sort.whole {
                trees
            } else {
                chance
                    .between(sort.looked_for.0, sort.looked_for.1)
                    .min(trees)
            };
            samples.push(Sample {
                trees,
                looked_for,
                found: chance.draw(trees, alive, looked_for),
                part: 1.0,
            });
            alive_of_all += alive;
            all += trees;
        }
        let Interval { low, high } = Share::of(&samples).unwrap().interval.unwrap();
        let truth = alive_of_all as f64 / all as f64;
        holds += u32::from((low - 1e-9..=high + 1e-9).contains(&truth));
    }
    f64::from(holds) / f64::from(runs)
}

/// 30 plots or more, 5 trees or more in each, 50 to 95 % alive.
const COMMON: [Sort; 6] = {
    let plain = Sort {
        plots: (30, 60),
        looked_for: (5, 10),
        survival: (0.5, 0.95),
        differ: 0.0,
        trees: (10, 300),
        whole: 0.0,
    };
    [
        plain,
        Sort {
            differ: 0.2,
            looked_for: (5, 20),
            ..plain
        },
        Sort {
            differ: 0.05,
            whole: 0.33,
            looked_for: (5, 20),
            ..plain
        },
        Sort {
            survival: (0.9, 0.95),
            differ: 0.05,
            looked_for: (5, 5),
            ..plain
        },
        Sort {
            plots: (30, 30),
            differ: 0.1,
            trees: (10, 100_000),
            ..plain
        },
        Sort {
            plots: (60, 120),
            differ: 0.3,
            looked_for: (10, 30),
            trees: (50, 500),
            ..plain
        },
    ]
};

/// All others: few plots, single trees, nearly all or nearly none alive.
const OTHERS: [Sort; 9] = {
    let plain = Sort {
        plots: (30, 30),
        looked_for: (5, 5),
        survival: (0.95, 1.0),
        differ: 0.0,
        trees: (10, 500),
        whole: 0.0,
    };
    let middle = Sort {
        survival: (0.5, 0.95),
        differ: 0.1,
        ..plain
    };
    [
        plain,
        Sort {
            survival: (0.0, 0.5),
            differ: 0.05,
            ..plain
        },
        Sort {
            looked_for: (1, 1),
            ..middle
        },
        Sort {
            looked_for: (1, 3),
            ..middle
        },
        Sort {
            plots: (10, 10),
            looked_for: (2, 2),
            trees: (10, 100_000),
            ..middle
        },
        Sort {
            plots: (3, 9),
            ..middle
        },
        Sort {
            plots: (1, 2),
            looked_for: (1, 4),
            ..middle
        },
        Sort {
            plots: (1, 1),
            looked_for: (10, 60),
            trees: (100, 1000),
            ..middle
        },
        Sort {
            plots: (200, 200),
            looked_for: (1, 2),
            ..plain
        },
    ]
};

/// Coverage of `runs` programmes for each sort, and of them together.
fn check_coverage(runs: u32) {
    // Three standard deviations of a share of 95 % in so many runs.
    let by_chance = |runs: u32| 3.0 * (0.95 * 0.05 / f64::from(runs)).sqrt();
    let mut chance = Chance(20);
    let common = COMMON.map(|sort| covered(&sort, runs, &mut chance));
    let others = OTHERS.map(|sort| covered(&sort, runs, &mut chance));
    println!("common {common:.4?}, others {others:.4?}");
    let slack = by_chance(runs);
    for (place, share) in common.iter().enumerate() {
        let fits = (0.93 - slack..=0.97 + slack).contains(share);
        assert!(fits, "sort {place}: {share}");
    }
    for (place, share) in others.iter().enumerate() {
        assert!(*share >= 0.93 - slack, "other sort {place}: {share}");
    }
    let mean = common.iter().sum::<f64>() / common.len() as f64;
    let slack = by_chance(runs * common.len() as u32);
    assert!((0.93 + slack..=0.97 - slack).contains(&mean), "{mean}");
}

/// 30,000 runs over all sorts, with what chance may do in 2,000 of each.
#[test]
fn intervals_hold_the_truth() {
    check_coverage(2_000);
}

/// `cargo test --test survival -- --ignored`: 150,000 runs.
#[test]
#[ignore = "takes several seconds, and tells what the one above does more closely"]
fn intervals_hold_the_truth_in_ten_thousand_runs_of_each_sort() {
    check_coverage(10_000);
}

/// In how many of `runs` programmes the interval of a plan that was done holds the share alive of all plots, those that
/// nobody visited too: plots are drawn by [`draw`], and their trees by the serials that it gives.
fn covered_by_plan(sort: &Sort, visits: u32, runs: u32, chance: &mut Chance) -> f64 {
    let mut holds = 0;
    for _ in 0..runs {
        let (least, most) = sort.survival;
        let survival = least + (most - least) * chance.share();
        let (mut frame, mut alive_on, mut all) = (Vec::new(), Vec::new(), 0);
        for plot in 0..chance.between(sort.plots.0, sort.plots.1) {
            let trees = chance.trees(sort.trees.0, sort.trees.1);
            let own = (survival + sort.differ * (2.0 * chance.share() - 1.0)).clamp(0.0, 1.0);
            let alive = (own * trees as f64 + chance.share()) as u64;
            alive_on.push(alive.min(trees));
            frame.push(FramePlot {
                plot: PlotNumber(plot as u32),
                stratum: String::new(),
                serials: vec![1..=trees as u32],
            });
            all += trees;
        }
        let announced = SamplingDay {
            day: TODAY,
            plots: visits,
            trees: sort.looked_for.0 as u32,
            strata: Strata::None,
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&chance.bits().to_be_bytes());
        let clusters: Vec<Cluster> = draw(&frame, &announced, &seed)
            .unwrap()
            .iter()
            .map(|visit| {
                // The trees with the lowest serials live: which ones are looked for does not know that.
                let alive = alive_on[visit.plot.0 as usize];
                let found = visit.serials.iter().filter(|it| u64::from(**it) <= alive);
                Cluster {
                    hits: visit.hits,
                    looked_for: visit.serials.len() as u64,
                    found: found.count() as u64,
                }
            })
            .collect();
        let Interval { low, high } = Share::of_clusters(&clusters).unwrap().interval.unwrap();
        let truth = alive_on.iter().sum::<u64>() as f64 / all as f64;
        holds += u32::from((low - 1e-9..=high + 1e-9).contains(&truth));
    }
    f64::from(holds) / f64::from(runs)
}

/// Coverage of plans: 30 visits or more among many plots, then few visits, plots that live or die, nearly all alive.
fn check_coverage_of_plans(runs: u32) {
    let plain = Sort {
        plots: (100, 100),
        looked_for: (5, 5),
        survival: (0.5, 0.95),
        differ: 0.2,
        trees: (20, 500),
        whole: 0.0,
    };
    let sorts = [
        (plain, 30),
        (
            Sort {
                looked_for: (20, 20),
                differ: 0.05,
                ..plain
            },
            30,
        ),
        (
            Sort {
                looked_for: (10, 10),
                differ: 0.5,
                ..plain
            },
            60,
        ),
        (
            Sort {
                looked_for: (10, 10),
                ..plain
            },
            12,
        ),
        (
            Sort {
                survival: (0.9, 1.0),
                differ: 0.1,
                ..plain
            },
            30,
        ),
        (
            Sort {
                differ: 3.0,
                ..plain
            },
            30,
        ),
    ];
    let mut chance = Chance(7);
    let covered = sorts.map(|(sort, visits)| covered_by_plan(&sort, visits, runs, &mut chance));
    println!("plans {covered:.4?}");
    let slack = 3.0 * (0.95 * 0.05 / f64::from(runs)).sqrt();
    for (place, share) in covered.iter().enumerate() {
        assert!(*share >= 0.93 - slack, "sort {place} of plans: {share}");
    }
}

#[test]
fn intervals_of_plans_hold_the_truth() {
    check_coverage_of_plans(500);
}

/// `cargo test --test survival -- --ignored`: 60,000 runs.
#[test]
#[ignore = "takes a minute, and tells what the one above does more closely"]
fn intervals_of_plans_hold_the_truth_in_ten_thousand_runs_of_each_sort() {
    check_coverage_of_plans(10_000);
}

const PLANTED: Day = Day(TODAY.0 - 900);
const LOST: Day = Day(TODAY.0 - 60);
const SURVEYED: Day = Day(TODAY.0 - 30);

/// A programme, and numbers for its evidence.
struct World {
    it: Forge,
    evidence: u64,
}

impl World {
    fn new() -> Self {
        let mut it = programmes::begun(&[
            ("planter", Role::Planter, "greenhands"),
            ("surveyor", Role::Surveyor, "eyes"),
        ]);
        it.admit("g1+g2", method(1));
        Self { it, evidence: 0 }
    }

    fn fresh(&mut self) -> Digest {
        self.evidence += 1;
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&self.evidence.to_be_bytes());
        Digest::from_bytes(bytes)
    }

    /// A plot of a square kilometre and a bit, away from all others.
    fn land(&self, number: u32) -> Plot {
        let place = |e7: u32| i32::try_from(e7).unwrap();
        Plot {
            place: PlotPlace::Circle(Circle {
                latitude: place(400_000_000 + 200_000 * (number % 100))
                    .try_into()
                    .unwrap(),
                longitude: place(1_000_000_000 + 300_000 * (number / 100))
                    .try_into()
                    .unwrap(),
                radius_m: 600,
            }),
            area_m2: 1_100_000,
            ..plot(number)
        }
    }

    fn plot(&mut self, number: u32) -> Index {
        let land = self.land(number);
        self.it.admit("planter", land)
    }

    fn plant(&mut self, plot: u32, first: u32, count: u32, on: Day) -> Index {
        let evidence = self.fresh();
        let planting = Planting {
            planted_from: on,
            planted_until: on,
            evidence,
            ..planting(plot, first, count, 0)
        };
        self.it.admit("planter", planting)
    }

    fn lose(&mut self, planting: Index, trees: u32, on: Day) -> Index {
        let found = self.fresh();
        let mut loss = lost(planting, trees, None);
        if let Remedy::Lost {
            lost_on, evidence, ..
        } = &mut loss.remedy
        {
            (*lost_on, *evidence) = (on, Some(found));
        }
        self.it.admit("planter", loss)
    }

    /// By the books of now.
    fn survey(&mut self, plot: u32, basis: Basis, alive: u32, dead: u32) -> Survey {
        Survey {
            basis,
            alive,
            dead,
            surveyed_on: SURVEYED,
            as_of: Index(self.it.size() - 1),
            paid_by: ["a paper", "a club"][self.evidence as usize % 2]
                .parse()
                .unwrap(),
            evidence: self.fresh(),
            ..survey(plot, 0)
        }
    }

    fn admit_survey(&mut self, survey: Survey) -> Index {
        self.it.admit("surveyor", survey)
    }

    fn audit(&self) -> (Vec<Finding>, Report) {
        programmes::audited(&self.it, TODAY)
    }

    #[track_caller]
    fn finding(&self, code: &str) -> Finding {
        let (findings, _) = self.audit();
        let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
        let found = findings.iter().find(|finding| finding.code == code);
        found
            .unwrap_or_else(|| panic!("{code} is not among {codes:?}"))
            .clone()
    }

    fn has(&self, code: &str) -> bool {
        self.audit().0.iter().any(|finding| finding.code == code)
    }

    fn high(&self) -> Vec<&'static str> {
        let (findings, _) = self.audit();
        let high = findings.iter().filter(|it| it.severity == Severity::High);
        high.map(|finding| finding.code).collect()
    }
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
}

/// The case `survival`: a census of two plantings finds 12 of 20, and the eight are then booked honestly.
#[test]
fn sixty_percent_stay_sixty_after_honest_losses() {
    let mut world = World::new();
    world.plot(1);
    let oaks = world.plant(1, 1, 10, PLANTED);
    world.plant(1, 11, 10, PLANTED);
    let census = world.survey(1, Basis::Census, 12, 8);
    world.admit_survey(census);
    let shares = |report: &Report| {
        let headline = report.survival.share.unwrap();
        let cohort = report.cohorts[0].survival.unwrap();
        assert_eq!((report.cohorts.len(), report.ages.len()), (1, 1));
        (headline, cohort, report.ages[0].survival)
    };
    let (findings, report) = world.audit();
    assert!(findings.iter().any(|it| it.code == "survey_implies_losses"));
    let before = shares(&report);

    world.lose(oaks, 8, LOST);
    let (_, report) = world.audit();
    let after = shares(&report);
    assert_eq!(before, after);
    let (headline, cohort, age) = after;
    close(headline.estimate, 0.6);
    assert_eq!(
        (headline, headline),
        (cohort, age),
        "the chart agrees with the headline"
    );
    let ends = headline.interval.unwrap();
    assert_eq!((ends.low, ends.high), (0.6, 0.6));
    assert_eq!(report.survival.scope, Scope::Programme);
    assert_eq!(world.high(), [""; 0]);

    // Two more die after the census: subtracted whole, once, from the headline; not from the survey's day.
    world.lose(oaks, 2, Day(TODAY.0 - 10));
    let (_, report) = world.audit();
    let (headline, cohort, age) = shares(&report);
    close(headline.estimate, 0.5);
    close(cohort.estimate, 0.5);
    close(age.estimate, 0.6);
}

/// The case `mask`: one tree does not erase 800 dead ones, and neither does a void.
#[test]
fn a_smaller_survey_replaces_no_larger_one() {
    let mut world = World::new();
    world.plot(1);
    world.plant(1, 1, 1000, PLANTED);
    let census = world.survey(1, Basis::Census, 200, 800);
    let census = world.admit_survey(census);
    let check = |world: &World| {
        let implied = world.finding("survey_implies_losses");
        assert_eq!((implied.severity, implied.weight), (Severity::High, 800));
        assert_eq!(implied.items[0].indexes, [census]);
        let (_, report) = world.audit();
        close(report.survival.share.unwrap().estimate, 0.2);
    };
    check(&world);
    let one = Survey {
        surveyed_on: Day(SURVEYED.0 + 1),
        ..world.survey(1, Basis::RandomSample, 1, 0)
    };
    world.admit_survey(one);
    check(&world);
    // Nor does the survey of a part of it.
    let rest = Survey {
        surveyed_on: Day(SURVEYED.0 + 2),
        planting: Some(Index(5)),
        ..world.survey(1, Basis::RandomSample, 40, 0)
    };
    world.admit_survey(rest);
    check(&world);
    // Even one that is as large and brings all back leaves the dead that were found.
    let again = Survey {
        surveyed_on: Day(SURVEYED.0 + 3),
        ..world.survey(1, Basis::Census, 1000, 0)
    };
    let again = world.admit_survey(again);
    assert_eq!(world.finding("survey_implies_losses").weight, 800);
    world.it.admit("surveyor", void(again));
    check(&world);

    let void = world.it.admit("surveyor", void(census));
    assert!(!world.has("survey_implies_losses"));
    let voided = world.finding("surveys_voided");
    assert_eq!((voided.severity, voided.count), (Severity::High, 2));
    assert_eq!(voided.items[0].indexes, [census, void]);
}

/// A plot of one planting that is surveyed anew by a survey that is smaller, since fewer trees stand.
#[test]
fn a_survey_of_all_that_stand_is_not_smaller() {
    let mut world = World::new();
    world.plot(1);
    let planted = world.plant(1, 1, 1000, PLANTED);
    let census = world.survey(1, Basis::Census, 200, 800);
    world.admit_survey(census);
    world.lose(planted, 800, LOST);
    let next = Survey {
        surveyed_on: TODAY,
        ..world.survey(1, Basis::Census, 150, 50)
    };
    world.admit_survey(next);
    let (_, report) = world.audit();
    close(report.survival.share.unwrap().estimate, 0.15);
    assert_eq!(report.survival.looked_for, 200);
    assert_eq!(world.finding("survey_implies_losses").weight, 50);
}

/// Smaller surveys raise nothing. But a census of the first days does not hide what they find together.
#[test]
fn newer_surveys_that_find_less_count() {
    let mut world = World::new();
    for plot in 1..=30 {
        world.plot(plot);
        world.plant(plot, 1, 100, PLANTED);
        let old = world.survey(plot, Basis::Census, 100, 0);
        world.admit_survey(Survey {
            surveyed_on: Day(PLANTED.0 + 5),
            ..old
        });
        let new = world.survey(plot, Basis::RandomSample, 4, 1);
        world.admit_survey(new);
    }
    // A plot of which the census had found little, and a few chosen trees that live.
    world.plot(31);
    world.plant(31, 1, 1000, PLANTED);
    let old = world.survey(31, Basis::Census, 200, 800);
    world.admit_survey(Survey {
        surveyed_on: Day(PLANTED.0 + 5),
        ..old
    });
    let chosen = world.survey(31, Basis::RandomSample, 5, 0);
    world.admit_survey(chosen);
    let (findings, report) = world.audit();
    let share = report.survival.share.unwrap();
    close(share.estimate, (0.8 * 3000.0 + 200.0) / 4000.0);
    assert!(share.interval.unwrap().high < 0.71, "{share:?}");
    let told = findings.iter().find(|it| it.code == "newer_surveys_lower");
    assert_eq!(told.unwrap().count, 30);
}

/// The case `pooled`: 200 plots, 600 of 1,000 found alive, while the books say 88 %.
#[test]
fn many_small_samples_speak_together() {
    let mut world = World::new();
    let mut plantings = Vec::new();
    for plot in 1..=200 {
        world.plot(plot);
        plantings.push(world.plant(plot, 1, 100, PLANTED));
        let sample = world.survey(plot, Basis::RandomSample, 3, 2);
        world.admit_survey(sample);
    }
    for planting in plantings {
        world.lose(planting, 12, LOST);
    }
    let (findings, report) = world.audit();
    let survival = &report.survival;
    let share = survival.share.unwrap();
    close(share.estimate, 0.6);
    let Interval { low, high } = share.interval.unwrap();
    assert!(
        (0.565..0.575).contains(&low) && (0.625..0.635).contains(&high),
        "{low} to {high}"
    );
    close(survival.in_books.unwrap(), 0.88);
    assert_eq!((survival.looked_for, survival.surveyed), (1000, 20_000));
    assert_eq!((survival.alive, survival.dead), (600, 400));
    // No single sample says that much by itself.
    let high: Vec<_> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::High)
        .collect();
    assert_eq!(high.len(), 1, "{high:?}");
    assert_eq!(high[0].code, "survival_below_books");
    assert!((4800..5200).contains(&high[0].weight), "{}", high[0].title);
}

/// The case `dbl`: a plot's survey and those of its plantings saw the same eight dead trees.
#[test]
fn surveys_that_overlap_are_not_added() {
    let mut world = World::new();
    world.plot(1);
    let oaks = world.plant(1, 1, 10, PLANTED);
    let elms = world.plant(1, 11, 10, PLANTED);
    let both = world.survey(1, Basis::Census, 12, 8);
    world.admit_survey(both);
    for (planting, alive) in [(oaks, 2), (elms, 10)] {
        let one = Survey {
            planting: Some(planting),
            ..world.survey(1, Basis::Census, alive, 10 - alive)
        };
        world.admit_survey(one);
    }
    let found = world.finding("survey_implies_losses");
    assert_eq!(found.weight, 8);
    assert!(
        found.title.contains("at least 8 dead trees"),
        "{}",
        found.title
    );
    let (_, report) = world.audit();
    close(report.survival.share.unwrap().estimate, 0.6);
    assert_eq!(report.survival.looked_for, 20, "each tree once");
    assert_eq!((report.ages[0].trees, report.ages[0].looked_for), (20, 20));
    world.lose(oaks, 8, LOST);
    assert!(!world.has("survey_implies_losses"));
    close(world.audit().1.survival.share.unwrap().estimate, 0.6);
}

/// A census looks for all. One that looked for 10 of 1,000 is told, and is no interval.
#[test]
fn a_census_of_a_few_is_none() {
    let mut world = World::new();
    world.plot(1);
    world.plant(1, 1, 1000, PLANTED);
    let few = world.survey(1, Basis::Census, 10, 0);
    let few = world.admit_survey(few);
    let found = world.finding("census_incomplete");
    assert_eq!((found.severity, found.weight), (Severity::Medium, 990));
    assert_eq!(found.items[0].indexes, [few]);
    let (_, report) = world.audit();
    let share = report.survival.share.unwrap();
    assert_eq!((share.estimate, share.interval), (1.0, None));
    assert_eq!(
        (report.survival.undrawn, report.survival.looked_for),
        (1000, 10)
    );
    // Beside a plot that was drawn it has no part in the estimate.
    world.plot(2);
    world.plant(2, 1, 100, PLANTED);
    let sample = world.survey(2, Basis::RandomSample, 20, 20);
    world.admit_survey(sample);
    let (_, report) = world.audit();
    close(report.survival.share.unwrap().estimate, 0.5);
    assert_eq!(
        (report.survival.undrawn, report.survival.surveyed),
        (1000, 100)
    );
    assert_eq!(report.survival.scope, Scope::SurveyedOnly);
}

/// What the page says of nearly all is not all.
#[test]
fn nearly_all_is_not_all() {
    let mut world = World::new();
    world.plot(1);
    world.plant(1, 1, 10_000, PLANTED);
    let census = world.survey(1, Basis::Census, 9_999, 1);
    world.admit_survey(census);
    world.plant(1, 10_001, 1, PLANTED);
    let (_, report) = world.audit();
    let dir = tempfile::tempdir().unwrap();
    arborlog::report::write(dir.path(), &report).unwrap();
    let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains("<b>99.9 %</b>"));
    assert!(page.contains("looked for 10,000 trees: 9,999 alive, 1 dead, 0 not found"));
    assert!(page.contains("They speak of 10,000 trees, 99 % of all planted"));
    assert!(!page.contains("100 %</td>"));
    assert!(
        page.contains("100.0 % of the same trees stand in the books"),
        "none is booked as lost"
    );
}

/// One plot of many is bound to look odd: twenty samples with two dead of ten, where the books have one in ten.
#[test]
fn many_samples_are_judged_together() {
    let mut world = World::new();
    let plant = |plot: u32, world: &mut World, dead: u32| {
        world.plot(plot);
        let planting = world.plant(plot, 1, 200, PLANTED);
        let sample = world.survey(plot, Basis::RandomSample, 30 - dead, dead);
        let survey = world.admit_survey(sample);
        world.lose(planting, 20, LOST);
        survey
    };
    // 7 or more of 30 have a probability of 0.017 each, if a tenth is dead.
    plant(1, &mut world, 7);
    assert!(world.has("sample_implies_losses"));
    for plot in 2..=20 {
        plant(plot, &mut world, 3);
    }
    assert!(
        !world.has("sample_implies_losses"),
        "one in twenty is chance"
    );
    let bad = plant(21, &mut world, 15);
    let found = world.finding("sample_implies_losses");
    assert_eq!((found.count, found.severity), (1, Severity::High));
    assert_eq!(found.items[0].indexes, [bad]);
}

/// Losses that are dated before a census that found the trees alive are not in its share.
#[test]
fn a_loss_is_not_dated_away() {
    let mut world = World::new();
    world.plot(1);
    let planted = world.plant(1, 1, 100, PLANTED);
    let census = world.survey(1, Basis::Census, 90, 10);
    let census = world.admit_survey(census);
    world.lose(planted, 60, LOST);
    let (_, report) = world.audit();
    close(report.survival.share.unwrap().estimate, 0.4);
    let found = world.finding("losses_dated_back");
    assert_eq!((found.weight, &found.items[0].indexes), (50, &vec![census]));
}

/// A survey speaks of the trees that it says the books had.
#[test]
fn a_survey_of_more_than_the_books_had() {
    let mut world = World::new();
    world.plot(1);
    let planted = world.plant(1, 1, 100, PLANTED);
    world.lose(planted, 40, LOST);
    let more = world.survey(1, Basis::Census, 50, 20);
    let more = world.admit_survey(more);
    let found = world.finding("survey_exceeds_books");
    assert_eq!((found.weight, &found.items[0].indexes), (10, &vec![more]));
    assert_eq!(world.audit().1.survival.share, None);
    let known = Survey {
        dead_known: 30,
        revived: 11,
        ..world.survey(1, Basis::Census, 60, 0)
    };
    world.admit_survey(known);
    assert_eq!(world.finding("survey_exceeds_books").count, 2);
    // A loss that is voided later makes no survey of then wrong, and brings back whom it found alive.
    let mut world = World::new();
    world.plot(1);
    let planted = world.plant(1, 1, 100, PLANTED);
    let loss = world.lose(planted, 40, LOST);
    let sound = Survey {
        dead_known: 25,
        revived: 15,
        ..world.survey(1, Basis::Census, 60, 0)
    };
    world.admit_survey(sound);
    assert_eq!(world.high(), [""; 0]);
    world.it.admit("planter", void(loss));
    let implied = world.finding("survey_implies_losses");
    assert_eq!(implied.weight, 25, "they were found dead all the same");
    world.lose(planted, 25, LOST);
    assert_eq!(world.high(), [""; 0]);
    close(world.audit().1.survival.share.unwrap().estimate, 0.75);
}

/// A planting that is voided once a survey found it dead is told, and raises no share.
#[test]
fn a_void_raises_no_share() {
    let mut world = World::new();
    world.plot(1);
    let good = world.plant(1, 1, 100, PLANTED);
    let bad = world.plant(1, 101, 100, PLANTED);
    let census = world.survey(1, Basis::Census, 110, 90);
    let census = world.admit_survey(census);
    close(world.audit().1.survival.share.unwrap().estimate, 0.55);
    let void = world.it.admit("planter", void(bad));
    close(world.audit().1.survival.share.unwrap().estimate, 0.55);
    let found = world.finding("plantings_voided_after_survey");
    assert_eq!(found.severity, Severity::High);
    assert_eq!(found.items[0].indexes, [bad, census, void]);
    assert!(good < bad);
}

/// A plot that is stated again tells what changed; a finer word of the same place is no change.
#[test]
fn plots_that_are_stated_again() {
    let mut world = World::new();
    let first = world.plot(1);
    world.plant(1, 1, 100, PLANTED);
    let land = world.land(1);
    let moved = |north: i32, radius_m: u32| {
        PlotPlace::Circle(Circle {
            latitude: (400_200_000 + north).try_into().unwrap(),
            longitude: 1_000_000_000.try_into().unwrap(),
            radius_m,
        })
    };
    let again = |world: &mut World, plot: Plot| world.it.admit("planter+g1+g2", plot);
    let finer = Plot {
        place: moved(10_000, 400),
        ..land.clone()
    };
    let before = again(&mut world, finer.clone());
    assert!(!world.has("plots_moved"));
    let near = Plot {
        place: moved(70_000, 400),
        ..finer.clone()
    };
    let near_at = again(&mut world, near.clone());
    let found = world.finding("plots_moved");
    assert_eq!(found.severity, Severity::Medium);
    assert_eq!(found.items[0].indexes, [before, near_at]);
    let issued = CarbonRights::Issued {
        registry: "a registry".parse().unwrap(),
        id: "17".parse().unwrap(),
    };
    let sold = Plot {
        place: moved(500_000, 400),
        carbon_rights: issued,
        funded_by: "somebody else".parse().unwrap(),
        trees_per_ha_max: 200,
        ..near
    };
    let sold_at = again(&mut world, sold.clone());
    for (code, severity) in [
        ("plots_moved", Severity::High),
        ("plot_rights_changed", Severity::Medium),
        ("plot_funder_changed", Severity::Medium),
        ("plots_enlarged", Severity::Low),
    ] {
        assert_eq!(world.finding(code).severity, severity, "{code}");
    }
    assert!(world.has("carbon_credits_issued"));
    let hidden = Plot {
        carbon_rights: CarbonRights::NoneIssued,
        ..sold
    };
    let hidden_at = again(&mut world, hidden);
    assert!(!world.has("carbon_credits_issued"));
    let found = world.finding("plot_rights_changed");
    assert_eq!((found.severity, found.count), (Severity::High, 2));
    assert_eq!(found.items[1].indexes, [sold_at, hidden_at]);
    assert!(first < before);
}

/// Governors signed it three weeks before it came in.
#[test]
fn a_grant_that_comes_late() {
    let mut world = World::new();
    let record = world
        .it
        .record("g1+g2+late", grant("late", Role::Planter, "others"));
    let signed = world.it.sign("g1+g2+late", &record);
    world.it.cover();
    world.it.now.0 += 20 * DAY_MS;
    let lineage = world.it.judge(&signed).unwrap();
    let index = world.it.take(signed, lineage);
    let found = world.finding("grants_late");
    assert_eq!(found.items[0].indexes, [index]);
    assert!(
        found.items[0].detail.contains("20 days"),
        "{}",
        found.items[0].detail
    );
}

/// Where each tree was looked for and each loss is booked, everything that is reckoned is what is: the books, the
/// surveys, the years, the ages and the whole.
#[test]
fn a_full_census_leaves_nothing_to_chance() {
    let mut chance = Chance(3);
    let mut world = World::new();
    // Alive and planted, by year; and on the days of the surveys, by whole years of age.
    let (mut by_year, mut by_age) = (
        std::collections::BTreeMap::<i64, (u64, u64)>::new(),
        std::collections::BTreeMap::<u32, (u64, u64)>::new(),
    );
    let (mut alive_of_all, mut all) = (0, 0);
    for plot in 1..=12 {
        world.plot(plot);
        let on = Day(TODAY.0 - 100 - 400 * (plot % 4));
        let surveyed_on = Day(TODAY.0 - 20 - plot);
        let mut first = 1;
        let (mut trees, mut standing, mut plantings) = (0, 0, Vec::new());
        for _ in 0..chance.between(1, 3) {
            let count = chance.between(20, 200) as u32;
            let planting = world.plant(plot, first, count, on);
            first += count;
            let known = chance.between(1, 5) as u32;
            world.lose(planting, known, Day(on.0 + 10));
            plantings.push((planting, count - known));
            trees += count;
            standing += count - known;
        }
        // What died by the survey, of each planting, and is booked after it; and what died later.
        let died: Vec<u32> = plantings
            .iter()
            .map(|_| chance.between(1, 6) as u32)
            .collect();
        let dead: u32 = died.iter().sum();
        let census = Survey {
            surveyed_on,
            ..world.survey(plot, Basis::Census, standing - dead, dead)
        };
        world.admit_survey(census);
        let mut alive = standing - dead;
        let on_the_day = by_age.entry((surveyed_on.0 - on.0) * 4 / 1461).or_default();
        on_the_day.0 += u64::from(alive);
        on_the_day.1 += u64::from(trees);
        for ((planting, _), died) in plantings.iter().zip(died) {
            world.lose(*planting, died, Day(surveyed_on.0 - 1));
            let later = chance.between(1, 3) as u32;
            world.lose(*planting, later, Day(surveyed_on.0 + 5));
            alive -= later;
        }
        let year = by_year.entry(on.ymd().0).or_default();
        year.0 += u64::from(alive);
        year.1 += u64::from(trees);
        alive_of_all += u64::from(alive);
        all += u64::from(trees);
    }
    let (findings, report) = world.audit();
    let grave = findings.iter().filter(|it| it.severity > Severity::Low);
    // What the forge makes up otherwise: where plots lie, and the digest of a method's document.
    let codes = grave.map(|finding| finding.code);
    let codes: Vec<_> = codes
        .filter(|code| !["plot_outside_country", "evidence_placeholder"].contains(code))
        .collect();
    assert_eq!(codes, ["state_uncovered"], "the forge covers nothing");
    assert_eq!(report.totals.standing, alive_of_all);
    let survival = &report.survival;
    let exact = |share: Share, alive: u64, planted: u64| {
        close(share.estimate, alive as f64 / planted as f64);
        let Interval { low, high } = share.interval.unwrap();
        assert_eq!((low, high), (share.estimate, share.estimate));
    };
    exact(survival.share.unwrap(), alive_of_all, all);
    close(survival.in_books.unwrap(), alive_of_all as f64 / all as f64);
    assert_eq!((survival.scope, survival.surveyed), (Scope::Programme, all));
    assert_eq!(report.cohorts.len(), by_year.len());
    for cohort in &report.cohorts {
        let (alive, planted) = by_year[&cohort.year];
        assert_eq!((cohort.planted, cohort.surveyed), (planted, planted));
        assert_eq!(cohort.planted - cohort.lost, alive);
        exact(cohort.survival.unwrap(), alive, planted);
    }
    assert_eq!(report.ages.len(), by_age.len());
    for class in &report.ages {
        let (alive, planted) = by_age[&class.years];
        assert_eq!((class.trees, class.years_most), (planted, class.years));
        exact(class.survival, alive, planted);
    }
    for row in &report.plots {
        let survey = row.latest_survey.as_ref().unwrap();
        assert_eq!(survey.looked_for, survey.stood);
        let share = survey.share.unwrap();
        exact(share, survey.alive.into(), survey.stood);
    }
}
