//! Findings: a ledger that gives none, then one oddity after another, each found under its own
//! name, with the entries to look up, and nothing else found.

#[allow(dead_code)]
#[path = "attacks/forge.rs"]
mod forge;
#[allow(dead_code)]
#[path = "support/programmes.rs"]
mod programmes;
#[allow(dead_code)]
#[path = "attacks/statements.rs"]
mod statements;

use std::collections::BTreeMap;

use arborlog::audit::{
    Finding, Folder, Inspection, InspectionError, Observations, SavedAudit, Severity,
    threads_default,
};
use arborlog::record::*;
use forge::{DAY_MS, Forge, vkey, write};
use programmes::audited;
use statements::*;

const PLACE_2: (i32, i32) = (400_000_000, -1_000_000_000);

/// Evidence number n, as a file has it.
fn photo(number: u8) -> Digest {
    use sha2::Digest as _;
    Digest::from_bytes(sha2::Sha256::digest([number, 0]).into())
}

/// Evidence of awards, one for each event.
fn event(number: u8) -> Digest {
    use sha2::Digest as _;
    Digest::from_bytes(sha2::Sha256::digest([number, 1]).into())
}

/// Planted some days ago: a survey of today says something of them.
fn planting(plot: u32, first: u32, count: u32, evidence: u8) -> Planting {
    Planting {
        planted_from: Day(TODAY.0 - 3),
        planted_until: Day(TODAY.0 - 3),
        evidence: photo(evidence),
        ..statements::planting(plot, first, count, 0)
    }
}

fn survey(plot: u32, evidence: u8) -> Survey {
    Survey {
        evidence: photo(evidence),
        ..statements::survey(plot, 0)
    }
}

fn method(version: u32) -> Method {
    Method {
        document: photo(0),
        ..statements::method(version)
    }
}

fn ride(who: u8, points: u64, number: u8) -> Award {
    Award {
        evidence: event(number),
        ..award(who, points)
    }
}

fn land(number: u32) -> Plot {
    let (latitude, longitude) = match number {
        2 => PLACE_2,
        _ => (377_000_000, -1_224_000_000),
    };
    Plot {
        finer_outline: Some(photo(100 + number as u8)),
        ..at(plot(number), latitude, longitude)
    }
}

/// The plot in a circle of 60 m around another middle.
fn at(plot: Plot, latitude: i32, longitude: i32) -> Plot {
    Plot {
        place: PlotPlace::Circle(Circle {
            latitude: latitude.try_into().unwrap(),
            longitude: longitude.try_into().unwrap(),
            radius_m: 60,
        }),
        ..plot
    }
}

fn all_alive(plot: u32, trees: u32, evidence: u8, payer: &str) -> Survey {
    Survey {
        alive: trees,
        dead: 0,
        paid_by: payer.parse().unwrap(),
        ..survey(plot, evidence)
    }
}

/// Admits a survey by the books as they are.
fn survey_now(it: &mut Forge, survey: Survey) -> Index {
    let as_of = Index(it.size() - 1);
    it.admit("surveyor", Survey { as_of, ..survey })
}

/// Nothing to ask about.
fn plain() -> Forge {
    let mut it = programmes::begun(&[
        ("platform", Role::Platform, "cityride"),
        ("planter", Role::Planter, "greenhands"),
        ("surveyor", Role::Surveyor, "eyes"),
    ]);
    let method = Method {
        effective_from: TODAY,
        ..method(1)
    };
    it.admit("g1+g2", method);
    it.admit("planter", land(1));
    it.admit("planter", land(2));
    it.admit("planter", planting(1, 1, 20, 1));
    it.admit("platform", ride(ANN, 130, 1));
    let certificate = it.admit("platform", claim(ANN));
    it.admit("platform", assign(1, &[certificate]));
    survey_now(&mut it, all_alive(1, 20, 2, "a paper"));
    survey_now(&mut it, all_alive(1, 20, 3, "a club"));
    it
}

/// A saved audit whose observations are of other entries than its state gives no finding and no
/// report: each of its sums would be wrong.
#[test]
fn observations_that_do_not_add_up_to_the_state_are_no_findings() {
    let temp = tempfile::tempdir().unwrap();
    let (log, file) = (temp.path().join("log"), temp.path().join("audit.state"));
    let mut it = plain();
    let award = it.admit("platform", ride(BEN, 20, 2));
    it.admit("platform", reverse(award, 5));
    write(&it.files(), &log);
    let source = Folder::new(&log);
    let mut inspection = Inspection::resume(vkey("log"), &file).unwrap();
    let claimed = inspection.fetch_checkpoint(&source).unwrap();
    inspection
        .advance(&source, &claimed, threads_default(), None, |_| {})
        .unwrap();
    inspection.save(&file).unwrap();
    drop(inspection);

    type Change = fn(&mut Observations);
    let changes: [(&str, Change); 9] = [
        ("entries by kind", |seen| *seen = Observations::default()),
        ("entries by kind", |seen| seen.kinds.clear()),
        ("entries by issuer", |seen| seen.issuers.clear()),
        ("entries by hour", |seen| seen.hours.clear()),
        ("awards by lateness", |seen| seen.lateness[0].count += 1),
        ("claims by issuer", |seen| {
            seen.issuers.values_mut().for_each(|sums| sums.claims += 1);
        }),
        ("points by activity", |seen| seen.activities.clear()),
        ("points awarded by month", |seen| {
            seen.months.values_mut().for_each(|sums| sums.awarded = 0);
        }),
        ("points reversed by month", |seen| {
            seen.months.values_mut().for_each(|sums| sums.reversed = 0);
        }),
    ];
    let whole = SavedAudit::read(&file).unwrap().unwrap();
    for (what, change) in changes {
        let mut saved = whole.clone();
        change(&mut saved.observations);
        saved.write(&file).unwrap();
        let mut inspection = Inspection::resume(vkey("log"), &file).unwrap();
        for failed in [
            inspection.findings(TODAY).err(),
            inspection.report(TODAY).err(),
        ] {
            let Some(InspectionError::Inconsistent(why)) = failed else {
                panic!("{what}: {failed:?}");
            };
            assert!(why.to_string().contains(what), "{what}: {why}");
        }
    }
    whole.write(&file).unwrap();
    let mut inspection = Inspection::resume(vkey("log"), &file).unwrap();
    assert!(inspection.report(TODAY).unwrap().is_some());
}

/// Findings by code, with the entries of their gravest case.
fn found(it: &Forge, as_of: Day) -> BTreeMap<&'static str, Vec<Index>> {
    let (findings, _) = audited(it, as_of);
    findings
        .into_iter()
        .map(|finding| (finding.code, finding.items[0].indexes.clone()))
        .collect()
}

#[track_caller]
fn only(it: &Forge, as_of: Day, code: &'static str, indexes: &[Index]) {
    assert_eq!(found(it, as_of), BTreeMap::from([(code, indexes.to_vec())]));
}

/// Covers all entries, and lets time pass.
fn covered_until(it: &mut Forge, later_ms: u64) {
    it.cover();
    it.now.0 += later_ms;
}

fn later(days: u32) -> Day {
    Day(TODAY.0 + days)
}

#[test]
fn a_plain_ledger_gives_none() {
    assert_eq!(found(&plain(), TODAY), BTreeMap::new());
}

#[test]
fn promises_wait_by_age() {
    let mut it = plain();
    it.admit("platform", ride(BEN, 100, 2));
    let index = it.admit("platform", claim(BEN));
    only(&it, later(366), "promises_late", &[index]);
    only(&it, later(731), "promises_very_late", &[index]);
    assert_eq!(found(&it, later(365)), BTreeMap::new());
}

#[test]
fn points_and_trees_that_are_owed() {
    let mut it = plain();
    it.admit("platform", ride(BEN, 20, 2));
    only(&it, TODAY, "points_outstanding", &[]);

    let mut it = plain();
    let planted = it.admit("planter", planting(2, 1, 3, 9));
    it.admit("platform", ride(BEN, 100, 2));
    let waiting = it.admit("platform", claim(BEN));
    let tie = Assignment {
        plot: PlotNumber(2),
        ..assign(1, &[waiting])
    };
    it.admit("platform", tie);
    let evidenced = |count| {
        let mut said = lost(planted, count, None);
        if let Remedy::Lost { evidence, .. } = &mut said.remedy {
            *evidence = Some(photo(50));
        }
        said
    };
    let gone = it.admit("planter", evidenced(3));
    let all = found(&it, TODAY);
    assert_eq!(all["plot_shortfall"], [gone]);
    assert_eq!(
        all.keys().copied().collect::<Vec<_>>(),
        ["corrections_by_issuer", "plot_shortfall"]
    );

    let mut it = plain();
    let wrong = it.admit("platform", ride(BEN, 100, 2));
    it.admit("platform", claim(BEN));
    let reversal = it.admit("platform", reverse(wrong, 10));
    let all = found(&it, TODAY);
    assert_eq!(all["negative_balances"], [reversal]);
    assert!(all.contains_key("corrections_by_issuer"));
    assert_eq!(all.len(), 2);
}

#[test]
fn a_survey_against_the_books() {
    let mut it = plain();
    let dead = Survey {
        alive: 4,
        dead: 16,
        ..all_alive(1, 20, 9, "a club")
    };
    let index = survey_now(&mut it, dead);
    let all = found(&it, TODAY);
    assert_eq!(all["survey_implies_losses"], [index]);
    assert!(all.contains_key("survival_low"));
    assert_eq!(all.len(), 2);

    // Once the losses are booked, only the survival is left to ask about.
    let planted = Index(7);
    it.admit("planter", lost(planted, 16, None));
    let all = found(&it, TODAY);
    assert!(!all.contains_key("survey_implies_losses"));
    assert!(all.contains_key("survival_low"));

    // A small sample says little of all trees, but the dead one that it found is dead.
    let mut it = plain();
    let sample = Survey {
        basis: Basis::RandomSample,
        alive: 9,
        dead: 1,
        ..all_alive(1, 10, 9, "a club")
    };
    let index = survey_now(&mut it, sample);
    let all = found(&it, TODAY);
    assert_eq!(all["survey_implies_losses"], [index]);
    assert_eq!(all["newer_surveys_lower"], [Index(12), index]);
    assert_eq!(all.len(), 2);

    let mut it = plain();
    let index = survey_now(&mut it, all_alive(1, 25, 9, "a club"));
    only(&it, TODAY, "survey_exceeds_books", &[index]);
}

/// A tree that nobody found may be dead, but nobody found it dead.
#[test]
fn a_tree_that_was_not_found_is_no_dead_one() {
    let counts = |dead, not_found| Survey {
        alive: 4,
        dead,
        not_found,
        ..all_alive(1, 20, 9, "a club")
    };
    let mut it = plain();
    survey_now(&mut it, counts(0, 16));
    let (findings, report) = audited(&it, TODAY);
    let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["survival_low", "survival_below_books"]);
    assert_eq!(
        findings[1].severity,
        Severity::Medium,
        "nobody found them dead"
    );
    let row = report.plots[0].latest_survey.as_ref().unwrap();
    assert_eq!((row.looked_for, row.dead, row.not_found), (20, 0, 16));
    // Of those that were found dead one is booked.
    let index = survey_now(
        &mut it,
        Survey {
            evidence: photo(10),
            ..counts(3, 13)
        },
    );
    it.admit("planter", lost(Index(7), 1, None));
    let (findings, _) = audited(&it, TODAY);
    let implied = findings
        .iter()
        .find(|it| it.code == "survey_implies_losses");
    let implied = implied.unwrap();
    assert!(
        implied.title.contains("at least 2 dead trees were"),
        "{}",
        implied.title
    );
    assert_eq!(implied.items[0].indexes, [index]);
}

/// A survey speaks of the books that it names, not of those that there are when it comes in.
#[test]
fn a_survey_speaks_of_the_books_that_it_names() {
    let mut it = plain();
    let as_of = it.admit("planter", planting(2, 1, 10, 8));
    it.admit("planter", planting(2, 11, 30, 7));
    let late = Survey {
        as_of,
        ..all_alive(2, 10, 9, "a club")
    };
    it.admit("surveyor", late.clone());
    let (_, report) = audited(&it, TODAY);
    let cohort = &report.cohorts[0];
    assert_eq!((cohort.planted, cohort.surveyed), (60, 30));
    let before = Survey {
        as_of: Index(as_of.0 - 1),
        evidence: photo(10),
        ..late
    };
    let index = it.admit("surveyor", before);
    assert_eq!(found(&it, TODAY)["survey_exceeds_books"], [index]);
}

/// What is put right after a survey is put right for it too.
#[test]
fn a_survey_speaks_of_what_it_could_see() {
    // A census that saw the trees that are booked as lost too, and found them dead: nothing is missing.
    let mut it = plain();
    let planted = it.admit("planter", planting(2, 1, 20, 8));
    let evidenced = Correction {
        remedy: Remedy::Lost {
            count: 10.try_into().unwrap(),
            first_serial: None,
            lost_on: TODAY,
            evidence: Some(photo(51)),
        },
        ..lost(planted, 10, None)
    };
    let loss = it.admit("planter", evidenced);
    let half = Survey {
        dead_known: 10,
        ..all_alive(2, 10, 9, "a club")
    };
    survey_now(&mut it, half);
    let (findings, report) = audited(&it, TODAY);
    assert_eq!(
        findings.len(),
        1,
        "beside corrections_by_issuer: {findings:?}"
    );
    let share = report.cohorts[0].survival.unwrap();
    assert_eq!(share.estimate, 0.75, "20 of 20, and 10 of 20");
    // The loss is voided: the census says otherwise.
    it.admit("planter", void(loss));
    assert!(found(&it, TODAY).contains_key("survey_implies_losses"));

    // A planting that was voided was never surveyed.
    let mut it = plain();
    let bogus = it.admit("planter", planting(2, 1, 20, 8));
    it.admit("planter", planting(2, 21, 20, 7));
    let half = Survey {
        alive: 20,
        dead: 20,
        ..all_alive(2, 40, 9, "a club")
    };
    survey_now(&mut it, half);
    assert!(found(&it, TODAY).contains_key("survey_implies_losses"));
    it.admit("planter", void(bogus));
    assert!(!found(&it, TODAY).contains_key("survey_implies_losses"));

    // Trees that were recorded after it, whenever they were planted, are not in its share.
    let mut it = plain();
    it.admit("planter", planting(2, 1, 10, 8));
    survey_now(&mut it, all_alive(2, 10, 9, "a club"));
    it.admit("planter", planting(2, 11, 30, 7));
    let (_, report) = audited(&it, TODAY);
    assert_eq!(
        (report.cohorts[0].planted, report.cohorts[0].surveyed),
        (60, 30)
    );

    // A survey that looked for nothing is none.
    let mut it = plain();
    it.admit("planter", planting(2, 1, 3, 8));
    survey_now(&mut it, all_alive(2, 0, 9, "a club"));
    only(&it, later(366), "plots_never_surveyed", &[Index(6)]);

    // What died after a survey is dead.
    let mut it = plain();
    it.admit("planter", lost(Index(7), 15, None));
    let (_, report) = audited(&it, TODAY);
    let survival = report.cohorts[0].survival.unwrap();
    assert_eq!(survival.interval.unwrap().high, 0.25);
}

/// Where nobody knows the day of a planting, nobody knows the age of its trees.
#[test]
fn a_span_of_planting_is_a_span_of_ages() {
    let mut it = plain();
    let some_day = Planting {
        planted_from: Day(TODAY.0 - 800),
        planted_until: Day(TODAY.0 - 100),
        ..planting(2, 1, 10, 50)
    };
    it.admit("planter", some_day);
    survey_now(&mut it, all_alive(2, 10, 51, "a paper"));
    let (_, report) = audited(&it, TODAY);
    let ages: Vec<_> = report.ages.iter().collect();
    let spans: Vec<_> = ages.iter().map(|it| (it.years, it.years_most)).collect();
    assert_eq!(spans, [(0, 0), (0, 2)]);
    assert_eq!(ages[1].trees, 10);
    // They count in the month of the last day, and in its year.
    let month = Month::of(Day(TODAY.0 - 100)).to_string();
    let planted = report.months.iter().find(|row| row.month == month);
    assert_eq!(planted.unwrap().planted, 10);
}

#[test]
fn surveys_that_are_missing_and_who_paid() {
    let mut it = plain();
    let due = Survey {
        next_due: Some(later(10)),
        ..all_alive(1, 20, 9, "a club")
    };
    let index = survey_now(&mut it, due);
    assert_eq!(found(&it, later(10)), BTreeMap::new());
    only(&it, later(11), "surveys_overdue", &[index]);

    let mut it = plain();
    it.admit("planter", planting(2, 1, 3, 9));
    assert_eq!(found(&it, later(362)), BTreeMap::new());
    only(&it, later(363), "plots_never_surveyed", &[Index(6)]);

    let mut it = plain();
    let index = survey_now(&mut it, all_alive(1, 20, 9, "the city"));
    only(&it, TODAY, "survey_paid_by_planter", &[index, Index(5)]);

    // A holder is known by the names of all its keys.
    for payer in ["Leaf and Root", "Second Spring"] {
        let mut it = plain();
        for (key, name) in [("old", "Leaf and Root"), ("new", "Second Spring")] {
            let named = KeyGrant {
                display_name: name.parse().unwrap(),
                ..grant(key, Role::Planter, "greenhands")
            };
            it.admit(&format!("g1+g2+{key}"), named);
        }
        let index = survey_now(&mut it, all_alive(1, 20, 9, payer));
        only(&it, TODAY, "survey_paid_by_planter", &[index, Index(5)]);
    }

    let mut it = plain();
    it.admit("surveyor", void(Index(11)));
    let all = found(&it, TODAY);
    assert!(
        !all.contains_key("surveys_one_payer"),
        "one is too few to say"
    );
    let index = survey_now(&mut it, all_alive(1, 20, 9, "a club"));
    let all = found(&it, TODAY);
    assert_eq!(all["surveys_one_payer"], [Index(12), index]);
}

#[test]
fn where_plots_lie_and_what_they_hold() {
    // 100 m north of plot 1's middle; each has a radius of 60 m.
    let mut it = plain();
    let near = at(land(3), 377_000_000 + 8_990, -1_224_000_000);
    let index = it.admit("planter", near);
    // There is room for two hectares in them.
    only(&it, TODAY, "plots_may_overlap", &[Index(5), index]);

    let mut it = plain();
    let nearer = at(land(3), 377_000_000 + 6_000, -1_224_000_000);
    let index = it.admit("planter", nearer);
    only(&it, TODAY, "plots_overlap", &[Index(5), index]);

    let mut it = plain();
    let far = at(land(3), 377_000_000 + 10_900, -1_224_000_000);
    it.admit("planter", far.clone());
    assert_eq!(found(&it, TODAY), BTreeMap::new());

    let mut it = plain();
    let same = Plot {
        finer_outline: Some(photo(101)),
        ..far.clone()
    };
    let index = it.admit("planter", same);
    only(&it, TODAY, "plots_same_outline", &[Index(5), index]);

    // The same by their corners, 20 km from all else; and one that begins with another corner.
    let mut it = plain();
    let corners = |number: u32, first: usize| {
        let mut corners = vec![(0, 0), (0, 9_000), (9_000, 9_000), (9_000, 0)];
        corners.rotate_left(first);
        let corner = |(north, east): (i32, i32)| GeoPoint {
            latitude: (379_000_000 + north).try_into().unwrap(),
            longitude: (-1_224_000_000 + east).try_into().unwrap(),
        };
        let points: Vec<GeoPoint> = corners.into_iter().map(corner).collect();
        let points = List::try_from(points).unwrap().try_into().unwrap();
        Plot {
            place: PlotPlace::Outline { points },
            ..land(number)
        }
    };
    let one = it.admit("planter", corners(3, 0));
    let two = it.admit("planter", corners(4, 0));
    let all = found(&it, TODAY);
    assert_eq!(all["plots_same_outline"], [one, two]);
    assert_eq!(all["plots_overlap"], [one, two]);
    let (_, report) = audited(&it, TODAY);
    let row = report.plots.iter().find(|row| row.number == PlotNumber(3));
    let row = row.unwrap();
    assert_eq!((row.latitude, row.longitude), (37.900_45, -122.399_55));
    assert_eq!(row.radius_m, 64);

    let mut it = plain();
    let wide = Plot {
        area_m2: 20_000,
        ..far.clone()
    };
    let index = it.admit("planter", wide);
    only(&it, TODAY, "plot_larger_than_circle", &[index]);

    for (rights, code) in [
        (CarbonRights::Unknown, "carbon_rights_unknown"),
        (
            CarbonRights::Issued {
                registry: "a registry".parse().unwrap(),
                id: "17".parse().unwrap(),
            },
            "carbon_credits_issued",
        ),
    ] {
        let mut it = plain();
        let sold = Plot {
            carbon_rights: rights,
            ..far.clone()
        };
        let index = it.admit("planter", sold);
        only(&it, TODAY, code, &[index]);
    }

    let mut it = plain();
    it.admit("planter", planting(2, 1, 90, 9));
    only(&it, TODAY, "plot_nearly_full", &[Index(6)]);
}

#[test]
fn awards_beside_each_other() {
    let mut it = plain();
    let one = it.admit("platform", ride(BEN, 6_000, 2));
    let two = it.admit("platform", ride(BEN, 6_000, 3));
    let all = found(&it, TODAY);
    assert_eq!(all["awards_split"], [one, two]);
    assert_eq!(all.len(), 2, "beside points_outstanding: {all:?}");
    it.admit("platform", reverse(two, 2_000));
    assert!(!found(&it, TODAY).contains_key("awards_split"));

    let mut it = plain();
    let one = it.admit("platform", ride(BEN, 1, 2));
    let two = it.admit("platform", ride(BEN, 2, 2));
    only(&it, TODAY, "award_evidence_repeated", &[one, two]);
    it.admit("platform", reverse(two, 1));
    assert!(found(&it, TODAY).contains_key("award_evidence_repeated"));
    it.admit("platform", reverse(two, 1));
    assert!(!found(&it, TODAY).contains_key("award_evidence_repeated"));

    let mut it = plain();
    let awards: Vec<Index> = (0..7)
        .map(|day| {
            covered_until(&mut it, DAY_MS / 2);
            covered_until(&mut it, DAY_MS / 2);
            let daily = Award {
                occurred_on: Day::of(it.now),
                ..ride(BEN, CAP, 10 + day)
            };
            it.admit("platform", daily)
        })
        .collect();
    let all = found(&it, later(7));
    assert_eq!(all["awards_at_cap_daily"], [awards[0], awards[6]]);

    // In two halves each day, none above the cap.
    let mut it = plain();
    for day in 0..7 {
        covered_until(&mut it, DAY_MS / 2);
        covered_until(&mut it, DAY_MS / 2);
        for half in 0..2 {
            let daily = Award {
                occurred_on: Day::of(it.now),
                ..ride(BEN, CAP / 2, 10 + 2 * day + half)
            };
            it.admit("platform", daily);
        }
    }
    let all = found(&it, later(7));
    assert!(all.contains_key("awards_at_cap_daily"));
    assert!(!all.contains_key("awards_split"));

    let mut it = plain();
    let awards: Vec<Index> = (0..100)
        .map(|number| {
            if number % 40 == 0 {
                it.cover();
            }
            it.admit("platform", ride(BEN, 1, number + 10))
        })
        .collect();
    let all = found(&it, TODAY);
    assert_eq!(all["awards_burst"], [awards[0], awards[99]]);
    assert_eq!(all.len(), 2, "beside points_outstanding: {all:?}");
}

#[test]
fn keys_methods_and_clocks() {
    let mut it = plain();
    it.admit("g1+g2+stolen", grant("stolen", Role::Platform, "cityride"));
    let index = it.admit("stolen", ride(BEN, 1, 2));
    let revocation = KeyRevoke {
        compromised_since: Some(TODAY),
        ..revoke("stolen")
    };
    let revoked = it.admit("g1+g2", revocation);
    only(&it, TODAY, "compromised_key_entries", &[index, revoked]);

    // Dated back by the thief: it came in after that day all the same.
    let mut it = plain();
    it.admit("g1+g2+stolen", grant("stolen", Role::Platform, "cityride"));
    covered_until(&mut it, DAY_MS / 2);
    covered_until(&mut it, DAY_MS / 2);
    let record = Record {
        issued_on: TODAY,
        ..it.record("stolen", ride(BEN, 1, 2))
    };
    let signed = it.sign("stolen", &record);
    let lineage = it.judge(&signed).unwrap();
    let index = it.take(signed, lineage);
    let revocation = KeyRevoke {
        compromised_since: Some(later(1)),
        ..revoke("stolen")
    };
    let revoked = it.admit("g1+g2", revocation);
    let all = found(&it, later(1));
    assert_eq!(all["compromised_key_entries"], [index, revoked]);

    let mut it = plain();
    let early = Method {
        id: MethodId(2),
        effective_from: Day(TODAY.0 - 1),
        ..method(1)
    };
    let index = it.admit("g1+g2", early);
    only(&it, TODAY, "method_retroactive", &[index]);

    let mut it = plain();
    let brief = KeyGrant {
        expires_on: Some(later(90)),
        ..grant("brief", Role::Platform, "cityride")
    };
    let index = it.admit("g1+g2+brief", brief);
    assert_eq!(found(&it, later(29)), BTreeMap::new());
    only(&it, later(30), "keys_near_expiry", &[index]);

    let mut it = plain();
    it.cover();
    it.now.0 += DAY_MS;
    let index = it.admit("platform", ride(BEN, 1, 2));
    only(&it, later(1), "clock_pauses", &[index]);

    let mut it = plain();
    let record = Record {
        issued_on: later(1),
        ..it.record("platform", ride(BEN, 1, 2))
    };
    let signed = it.sign("platform", &record);
    let lineage = it.judge(&signed).unwrap();
    let index = it.take(signed, lineage);
    only(&it, TODAY, "issued_after_admission", &[index]);

    let it = plain();
    let last = Index(it.size() - 1);
    let all = found(&it, Day(TODAY.0 - 2));
    assert_eq!(all["admitted_in_future"], [last]);

    let mut it = plain();
    let index = it.admit("planter", lost(Index(7), 1, Some(20)));
    let all = found(&it, TODAY);
    assert_eq!(all["losses_without_evidence"], [index]);
    assert_eq!(
        all.keys().copied().collect::<Vec<_>>(),
        ["corrections_by_issuer", "losses_without_evidence"]
    );
}

/// The finding about entries that no state entry covered in time.
fn uncovered(it: &Forge) -> Option<Finding> {
    let (findings, _) = audited(it, later(3));
    findings
        .into_iter()
        .find(|finding| finding.code == "state_uncovered")
}

#[test]
fn state_entries_that_come_too_late_or_never() {
    // All within a minute, as an import comes in: nothing is late yet.
    let mut it = plain();
    assert_eq!(uncovered(&it), None);
    it.admit("platform", ride(BEN, 1, 2));
    it.now.0 += DAY_MS;
    assert_eq!(uncovered(&it), None, "nothing was admitted since");
    let index = it.admit("platform", ride(BEN, 1, 3));
    let found = uncovered(&it).unwrap();
    assert!(
        found.title.contains("no state entry at all"),
        "{}",
        found.title
    );
    assert_eq!((found.severity, found.count), (Severity::Medium, 1));
    assert_eq!(found.items[0].indexes, [index]);

    // Covered every 59 s, with entries in between, and a state entry that speaks of all but the last.
    let mut it = plain();
    it.cover();
    for number in 0..40 {
        it.admit("platform", ride(BEN, 1, 10 + number));
        it.now.0 += 56_000;
        let behind = it.state_entry();
        it.admit("platform", ride(BEN, 1, 60 + number));
        it.take_state_entry(&StateEntry {
            before: behind.before,
            admitted_at: it.now,
            ..behind
        });
    }
    // A log at rest says nothing more: its last state entry needs no cover.
    it.cover();
    it.now.0 += DAY_MS;
    it.admit("platform", ride(BEN, 1, 200));
    assert_eq!(uncovered(&it), None);

    // A pause of 61 s, in which three entries are admitted, two of them too late.
    let mut it = plain();
    it.cover();
    it.admit("platform", ride(BEN, 1, 2));
    it.now.0 += 59_000;
    it.admit("platform", ride(BEN, 1, 3));
    let late = [4, 5].map(|number| it.admit("platform", ride(BEN, 1, number)));
    it.cover();
    it.admit("platform", ride(BEN, 1, 6));
    let found = uncovered(&it).unwrap();
    assert!(
        found.title.starts_with("2 entries were admitted"),
        "{}",
        found.title
    );
    assert!(found.title.contains("62 s"), "{}", found.title);
    assert_eq!(found.count, 1);
    assert_eq!(found.items[0].indexes, late);
    assert!(!found.title.contains("at all"), "{}", found.title);
}

/// State entries that come, and each time speak of a single entry more, do not hide that they lag; and a log that
/// leaves hours uncovered is told by how many entries, and for how long.
#[test]
fn state_entries_that_lag_for_ever() {
    let mut it = plain();
    it.cover();
    let mut behind: Option<StateEntry> = None;
    for number in 0..160 {
        let speaks = number % 40 == 0;
        if let Some(said) = behind.take_if(|_| speaks) {
            let now = it.state_entry();
            it.take_state_entry(&StateEntry {
                before: now.before,
                admitted_at: now.admitted_at,
                ..said
            });
        }
        it.admit("platform", ride(BEN, 1, 10 + number));
        if speaks {
            behind = Some(it.state_entry());
        }
        it.now.0 += 2_000;
    }
    let found = uncovered(&it).unwrap();
    assert_eq!(found.count, 1, "one gap that does not end: {found:?}");
    assert!(found.title.starts_with("139 entries"), "{}", found.title);

    let mut it = plain();
    let (begun, first) = (it.now.0, it.size());
    for number in 0..200 {
        it.admit("platform", ride(BEN, 1, 10 + number));
        it.now.0 += 10_000;
    }
    let last = it.now.0 - 11_000;
    let found = uncovered(&it).unwrap();
    let longest = (last - (begun - 1000 * first)) / 1000;
    assert!(
        found.title.contains(&format!("{longest} s")),
        "{}",
        found.title
    );
}

/// Awards for what was done 200 days before.
#[test]
fn late_awards() {
    let mut it = Forge::empty();
    it.admit(
        "g1+g2+g3+log",
        statements::genesis(forge::ORIGIN, &["g1", "g2", "g3"], 2),
    );
    it.admit(
        "g1+g2+platform",
        grant("platform", Role::Platform, "cityride"),
    );
    let early = Method {
        effective_from: Day(TODAY.0 - 300),
        ..method(1)
    };
    it.admit("g1+g2", early);
    let late = Award {
        occurred_on: Day(TODAY.0 - 200),
        ..ride(BEN, 1, 2)
    };
    let index = it.admit("platform", late);
    let all = found(&it, TODAY);
    assert_eq!(all["awards_late"], [index]);
    assert_eq!(all["method_retroactive"], [Index(2)]);
    assert_eq!(all.len(), 2);
}

/// What the report says of a ledger is what the ledger holds; its page escapes what issuers wrote.
/// A long table has its first rows in the text, and all of them in an annex; a short one has no annex. What must not
/// break within says so, whatever the width of the page.
#[test]
fn long_tables_of_the_page_are_annexes() {
    let page_of = |it: &Forge| {
        let (_, report) = audited(it, TODAY);
        let dir = tempfile::tempdir().unwrap();
        arborlog::report::write(dir.path(), &report).unwrap();
        std::fs::read_to_string(dir.path().join("report.html")).unwrap()
    };
    let mut it = plain();
    let short = page_of(&it);
    assert!(!short.contains("Annex"), "nothing is long here");
    for number in 0..20 {
        let longitude = -1_224_000_000 + number * 10_900;
        let plot = Plot {
            name: format!("far field {number}").parse().unwrap(),
            ..at(land(100 + number as u32), 377_100_000, longitude)
        };
        it.admit("planter", plot);
    }
    it.admit("planter", planting(119, 1, 10, 9));
    let long = page_of(&it);
    let (text, annex) = long.split_once("id=\"annex-plots\"").unwrap();
    let rows = |part: &str| {
        let cells = part.split("<td class=\"words\">1");
        let names = cells.filter_map(|cell| cell.split("</td>").next());
        names.filter(|name| name.contains(" far field ")).count()
    };
    assert_eq!(rows(annex), 20);
    assert!(rows(text) <= 12, "{} of 12 rows at most", rows(text));
    assert!(text.contains("far field 19"), "the largest is in the text");
    assert!(text.contains("href=\"#annex-plots\""));
    assert!(!annex.contains("id=\"annex-months\""), "months are few");
    assert!(long.contains("<td class=\"whole\">2026-"), "a month");
    let rule = |selector: &str| {
        let (_, rest) = long.split_once(&format!("\n{selector} {{")).unwrap();
        rest.split_once('}').unwrap().0.to_owned()
    };
    for whole in ["td.r", "td.whole"] {
        assert!(rule(whole).contains("white-space: nowrap"), "{whole}");
    }
    assert!(!rule("th, td").contains("overflow-wrap"));
}

#[test]
fn the_report_and_its_page() {
    let mut it = plain();
    let hostile = Plot {
        name: "<script>alert(1)</script>".parse().unwrap(),
        ..at(land(3), 377_000_000 + 10_900, -1_224_000_000)
    };
    it.admit("planter", hostile);
    it.admit("planter", planting(3, 1, 10, 9));
    let (_, report) = audited(&it, TODAY);
    assert_eq!(report.checkpoint.size, it.size());
    assert_eq!(report.totals.planted(), 30);
    let of_oaks = &report.species[0];
    assert_eq!((of_oaks.planted, of_oaks.assigned), (30, 1));
    assert_eq!(report.activities[0].points, 130);
    assert_eq!(report.months.len(), 1);
    assert_eq!(report.months[0].planted, 30);
    let cohort = &report.cohorts[0];
    assert_eq!((cohort.planted, cohort.surveyed), (30, 20));
    assert_eq!(cohort.survival.unwrap().estimate, 1.0);
    let planted: u64 = report.plots.iter().map(|plot| plot.planted).sum();
    assert_eq!(planted, 30);

    let dir = tempfile::tempdir().unwrap();
    arborlog::report::write(dir.path(), &report).unwrap();
    let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(!page.contains("<script"), "text of issuers is escaped");
    assert!(
        !page.contains("http://")
            || page.matches("http://").count()
                == page.matches("http://www.w3.org/2000/svg").count()
    );
    assert_eq!(page.matches("<svg").count(), 7);
    let data = std::fs::read(dir.path().join("report.json")).unwrap();
    let data: serde_json::Value = serde_json::from_slice(&data).unwrap();
    assert_eq!(data["format"], "arborlog-report/4");
    assert_eq!(data["totals"]["standing_trees"], "30");
}

/// A ledger whose texts a spreadsheet would run, with an account that owes, a plot across the 180th meridian on
/// which credits were issued, and trees and points of which a part is gone.
fn of_many_sorts() -> Forge {
    let mut it = plain();
    let corners = [
        (-170_000_000, 1_799_990_000),
        (-170_000_000, -1_799_990_000),
        (-169_990_000, -1_799_990_000),
        (-169_990_000, 1_799_990_000),
    ];
    let points: Vec<_> = corners
        .iter()
        .map(|(latitude, longitude)| serde_json::json!({ "latitude": latitude, "longitude": longitude }))
        .collect();
    let outline = serde_json::json!({ "outline": { "points": points } });
    let across = Plot {
        name: "=HYPERLINK(\"https://x.example\")".parse().unwrap(),
        funded_by: "'quoted".parse().unwrap(),
        place: serde_json::from_value(outline).unwrap(),
        area_m2: 20_000,
        carbon_rights: CarbonRights::Issued {
            registry: "Verra".parse().unwrap(),
            id: "VCS 1477".parse().unwrap(),
        },
        ..land(3)
    };
    it.admit("planter", across);
    let elms = it.admit("planter", planting(3, 1, 10, 9));
    it.admit("surveyor", lost(elms, 3, Some(2)));
    it.admit("surveyor", lost(elms, 1, None));
    let last = it.admit("platform", ride(ANN, 50, 7));
    it.admit("platform", gift(ANN, EVE, 80));
    it.admit("platform", reverse(last, 40));
    it
}

/// The tables of a ledger, in both forms.
fn exported(it: &Forge) -> tempfile::TempDir {
    use arborlog::report::{Export, TableFormat};

    let temp = tempfile::tempdir().unwrap();
    let (log, rows) = (temp.path().join("log"), temp.path().join("rows"));
    write(&it.files(), &log);
    let source = Folder::new(&log);
    let mut inspection = Inspection::begin(vkey("log"), &rows).unwrap();
    let claimed = inspection.fetch_checkpoint(&source).unwrap();
    let threads = threads_default();
    inspection
        .advance(&source, &claimed, threads, None, |_| {})
        .unwrap();
    let report = inspection.report(TODAY).unwrap().unwrap();
    let auditor = inspection.auditor();
    let (head, checkpoint) = auditor.verified().unwrap();
    let formats = [TableFormat::Csv, TableFormat::Parquet];
    let tables = temp.path().join("tables");
    let mut export = Export::begin(&tables, &formats, auditor.state()).unwrap();
    arborlog::audit::each_entry(&source, auditor.origin(), head, threads, |taken| {
        let added = export.add(taken);
        added.map_err(|error| -> arborlog::audit::WholeError { panic!("{error}") })
    })
    .unwrap();
    export.finish(head, checkpoint, &report).unwrap();
    temp
}

/// The rows of a table: columns by name.
fn csv_rows(table: &std::path::Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(table).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

/// The same of a Parquet table, with cells as texts.
fn parquet_rows(table: &std::path::Path) -> Vec<BTreeMap<String, String>> {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::Field;

    let reader = SerializedFileReader::new(std::fs::File::open(table).unwrap()).unwrap();
    let text = |field: &Field| match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::ULong(number) => number.to_string(),
        Field::Long(number) | Field::TimestampMillis(number) => number.to_string(),
        Field::Double(number) => number.to_string(),
        Field::Date(days) => Day(u32::try_from(*days).unwrap()).to_string(),
        Field::Decimal(number) => {
            let bytes: [u8; 16] = number.data().try_into().unwrap();
            u128::from_be_bytes(bytes).to_string()
        }
        other => panic!("{other:?}"),
    };
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| {
        let row = row.unwrap();
        let cells = row.get_column_iter();
        cells
            .map(|(name, field)| (name.clone(), text(field)))
            .collect()
    })
    .collect()
}

#[test]
fn an_export_has_the_state_and_no_cell_that_a_spreadsheet_runs() {
    let it = of_many_sorts();
    let temp = exported(&it);
    let tables = temp.path().join("tables");
    let readme = std::fs::read_to_string(tables.join("README.md")).unwrap();
    let mut seen = 0;
    for file in std::fs::read_dir(&tables).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|end| end != "csv") {
            continue;
        }
        seen += 1;
        let rows = csv_rows(&path);
        let same = parquet_rows(&path.with_extension("parquet"));
        assert_eq!(rows.len(), same.len(), "{}", path.display());
        for (row, same) in rows.iter().zip(&same) {
            for (column, cell) in row {
                assert!(readme.contains(&format!("| `{column}` |")), "{column}");
                let is_number = cell.parse::<f64>().is_ok();
                let runs = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
                assert!(!runs || is_number, "{column}: {cell}");
                let text = cell.strip_prefix('\'').unwrap_or(cell);
                assert_eq!(text, same[column], "{column}");
            }
        }
    }
    assert_eq!(seen, 24);

    let of = |name: &str| csv_rows(&tables.join(format!("{name}.csv")));
    let plots = of("plots_now");
    assert_eq!(plots[2]["name"], "'=HYPERLINK(\"https://x.example\")");
    assert_eq!(plots[2]["funded_by"], "''quoted");
    assert_eq!(plots[0]["longitude"], "-122.4");
    let [planted, lost, standing] = ["planted_trees", "lost_trees", "standing_trees"];
    assert_eq!(
        [planted, lost, standing].map(|it| plots[2][it].as_str()),
        ["10", "4", "6"]
    );
    let accounts = of("accounts");
    let balances: Vec<&str> = accounts.iter().map(|it| it["balance_g"].as_str()).collect();
    assert_eq!(balances, ["-40", "80"]);
    assert_eq!(accounts[0]["holder"], "cityride");
    let trees = of("trees");
    let runs = trees.iter().filter(|it| it["plot"] == "3");
    let runs: Vec<_> = runs
        .map(|it| {
            [
                "first_serial",
                "last_serial",
                "state",
                "planting_lost_unnamed_trees",
            ]
            .map(|name| it[name].as_str())
        })
        .collect();
    assert_eq!(
        runs,
        [
            ["1", "1", "standing", "1"],
            ["2", "4", "lost", "1"],
            ["5", "10", "standing", "1"]
        ]
    );
    let certificates = of("certificates");
    assert_eq!(certificates.len(), 1);
    assert_eq!(certificates[0]["state"], "tied");
    assert_eq!(certificates[0]["serial"], "1");
    assert!(of("surveys").iter().all(|it| it["surveyor"] == "eyes"));
    assert_eq!(of("surveys").len(), 2);
    let links = of("registry_links");
    assert_eq!(links.len(), 1);
    let link = ["registryOfOrigin", "projectId", "registry", "project_id"];
    assert_eq!(
        link.map(|name| links[0][name].as_str()),
        ["Verra", "VCS 1477", "verra", "VCS1477"]
    );
    let vintages = of("vintages");
    assert_eq!(vintages.len(), 1);
    for (column, value) in [
        ("awarded_grams", "180"),
        ("reversed_grams", "40"),
        ("standing_grams", "140"),
        ("planted_trees", "30"),
        ("lost_trees", "4"),
        ("standing_trees", "26"),
    ] {
        assert_eq!(vintages[0][column], value, "{column}");
    }
    assert!(
        of("findings")
            .iter()
            .any(|it| it["code"] == "negative_balances"
                && it["weight"] == "40"
                && it["weight_unit"] == "grams")
    );
}

#[test]
fn plots_are_on_both_maps() {
    let temp = exported(&of_many_sorts());
    let tables = temp.path().join("tables");
    let text = std::fs::read(tables.join("plots.geojson")).unwrap();
    let all: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let features = all["features"].as_array().unwrap();
    assert_eq!(features.len(), 3);
    let kinds: Vec<_> = features
        .iter()
        .map(|it| it["geometry"]["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["Polygon", "Polygon", "MultiPolygon"]);
    assert_eq!(features[2]["properties"]["shape"], "outline");
    assert_eq!(features[2]["properties"]["standing_trees"], 6);
    assert_eq!(
        features[2]["properties"]["name"],
        "=HYPERLINK(\"https://x.example\")"
    );
    let map = rusqlite::Connection::open(tables.join("plots.gpkg")).unwrap();
    let number = |sql: &str| map.query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("PRAGMA application_id"), 0x4750_4B47);
    assert_eq!(number("SELECT count(*) FROM plots"), 3);
    assert_eq!(number("SELECT standing_trees FROM plots WHERE plot = 3"), 6);
    let blob: Vec<u8> = map
        .query_row("SELECT geom FROM plots WHERE plot = 3", (), |row| {
            row.get(0)
        })
        .unwrap();
    // Head of 8 bytes, bounds of 32, then a multipolygon of two.
    assert_eq!(&blob[..8], b"GP\0\x03\xe6\x10\0\0");
    assert_eq!(&blob[40..49], b"\x01\x06\0\0\0\x02\0\0\0");
}

/// Every report is as the published schema says, and the schema refuses what is not.
#[test]
fn reports_are_as_their_schema_says() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../docs/report.schema.json")).unwrap();
    assert_eq!(
        schema["properties"]["format"]["const"],
        arborlog::audit::REPORT_FORMAT
    );
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    let place = "https://arborlog.example/report.schema.json";
    compiler.add_resource(place, schema).unwrap();
    let schema = compiler.compile(place, &mut schemas).unwrap();
    let told = |report: &arborlog::audit::Report| {
        let dir = tempfile::tempdir().unwrap();
        arborlog::report::write(dir.path(), report).unwrap();
        let data = std::fs::read(dir.path().join("report.json")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&data).unwrap()
    };
    for it in [plain(), of_many_sorts(), Forge::honest()] {
        let (_, report) = audited(&it, TODAY.later(400));
        let mut data = told(&report);
        if let Err(error) = schemas.validate(&data, schema) {
            panic!("{error:#}");
        }
        data["plots"][0]["standing"] = 1.into();
        assert!(schemas.validate(&data, schema).is_err(), "no unit");
    }
    let (_, mut report) = audited(&plain(), TODAY);
    assert_eq!(told(&report)["engagement"]["criteria"], "not stated");
    report.engagement = arborlog::audit::Engagement {
        level: Some(AssuranceLevel::Reasonable),
        criteria: Some("the method of the programme".to_owned()),
        period_from: Some(TODAY),
        ..Default::default()
    };
    let data = told(&report);
    assert!(schemas.validate(&data, schema).is_ok());
    let engagement = &data["engagement"];
    assert_eq!(engagement["level"], "reasonable");
    assert_eq!(engagement["period_from"], TODAY.to_string());
    assert_eq!(engagement["responsible_party"], "not stated");
}

/// A weight that is no sum is 0, and its unit says so.
#[test]
fn weights_that_are_no_sum_say_so() {
    let (found, _) = audited(&of_many_sorts(), TODAY.later(400));
    assert!(found.len() > 5, "{found:?}");
    for finding in found {
        let is_sum = finding.weight_unit != "none";
        assert!(is_sum || finding.weight == 0, "{finding:?}");
    }
}
