//! Findings that ask whether what is said can be: each with a fraud that it finds, and an honest
//! neighbour of which it says nothing.

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

use arborlog::audit::{Finding, Folder, Inspection, Severity, threads_default};
use arborlog::record::*;
use forge::{DAY_MS, Forge, vkey, write};
use programmes::file;
use statements::{ANN, BEN, CAP, ELM, OAK, TODAY, account, grant, reverse, void};

fn later(days: u32) -> Day {
    Day(TODAY.0 + days)
}

fn method() -> Method {
    Method {
        effective_from: Day(TODAY.0 - 400),
        document: file("method"),
        ..statements::method(1)
    }
}

/// A hectare in a circle of its own, each some 2 km from the next.
fn plot(number: u32) -> Plot {
    circle(
        number,
        377_000_000 + 200_000 * number as i32,
        -1_224_000_000,
        60,
    )
}

fn circle(number: u32, latitude: i32, longitude: i32, radius_m: u32) -> Plot {
    Plot {
        place: PlotPlace::Circle(Circle {
            latitude: latitude.try_into().unwrap(),
            longitude: longitude.try_into().unwrap(),
            radius_m,
        }),
        ..statements::plot(number)
    }
}

fn outline(number: u32, corners: &[(i32, i32)]) -> Plot {
    let corner = |(north, east): &(i32, i32)| GeoPoint {
        latitude: (*north).try_into().unwrap(),
        longitude: (*east).try_into().unwrap(),
    };
    let points: Vec<GeoPoint> = corners.iter().map(corner).collect();
    let points = List::try_from(points).unwrap().try_into().unwrap();
    Plot {
        place: PlotPlace::Outline { points },
        area_m2: 1_000,
        ..statements::plot(number)
    }
}

/// A square of some 100 m; its south-western corner in ten-millionths of a degree.
fn square(number: u32, north: i32, east: i32) -> Plot {
    const SIDE: i32 = 9_000;
    let corners = [
        (north, east),
        (north, east + SIDE),
        (north + SIDE, east + SIDE),
        (north + SIDE, east),
    ];
    outline(number, &corners)
}

fn planting(plot: u32, first: u32, count: u32) -> Planting {
    Planting {
        planted_from: Day(TODAY.0 - 10),
        planted_until: Day(TODAY.0 - 10),
        evidence: file(format!("planting {plot}/{first}")),
        ..statements::planting(plot, first, count, 0)
    }
}

fn survey(plot: u32, name: &str) -> Survey {
    Survey {
        alive: 10,
        dead: 0,
        evidence: file(format!("survey {plot} {name}")),
        paid_by: "a paper".parse().unwrap(),
        ..statements::survey(plot, 0)
    }
}

fn ride(who: AccountId, points: u64, day: Day) -> Award {
    Award {
        account: who,
        occurred_on: day,
        evidence: file(format!("ride {who} {points} {day}")),
        ..statements::award(0, points)
    }
}

fn somebody(number: u32) -> AccountId {
    AccountId::from_bytes(*file(format!("account {number}")).as_bytes())
}

/// Keys and a method.
fn begun() -> Forge {
    let mut it = programmes::begun(&[
        ("platform", Role::Platform, "cityride"),
        ("planter", Role::Planter, "green-hands"),
        ("planter2", Role::Planter, "otherland"),
        ("surveyor", Role::Surveyor, "eyes"),
    ]);
    it.admit("g1+g2", method());
    it
}

fn findings(it: &Forge, as_of: Day) -> Vec<Finding> {
    programmes::audited(it, as_of).0
}

/// Findings of these codes, by code.
fn of(it: &Forge, as_of: Day, codes: &[&str]) -> BTreeMap<&'static str, Finding> {
    let found = findings(it, as_of).into_iter();
    found
        .filter(|finding| codes.contains(&finding.code))
        .map(|finding| (finding.code, finding))
        .collect()
}

#[track_caller]
fn has(it: &Forge, code: &str, indexes: &[Index]) -> Finding {
    let all = findings(it, TODAY);
    let codes: Vec<_> = all.iter().map(|it| it.code).collect();
    let found = all.iter().find(|it| it.code == code);
    let found = found.unwrap_or_else(|| panic!("{code} is not in {codes:?}"));
    assert_eq!(found.items[0].indexes, indexes, "{found:?}");
    found.clone()
}

#[track_caller]
fn has_not(it: &Forge, code: &str) {
    let found = findings(it, TODAY);
    let found = found.iter().find(|it| it.code == code);
    assert!(found.is_none(), "{found:?}");
}

fn pass_days(it: &mut Forge, days: u64) {
    it.cover();
    it.now.0 += days * DAY_MS;
}

/// What an honest programme looks like raises nothing here above low.
#[test]
fn an_honest_programme() {
    let mut it = begun();
    for number in 1..=20 {
        it.admit("planter", plot(number));
        it.admit("planter", planting(number, 1, 20));
        it.admit(
            "platform",
            ride(somebody(number), 130 + u64::from(number), TODAY),
        );
        it.cover();
    }
    let certificate = it.admit(
        "platform",
        Claim {
            account: somebody(1),
            ..statements::claim(ANN)
        },
    );
    it.admit("platform", statements::assign(1, &[certificate]));
    for number in 1..=20 {
        let as_of = Index(it.size() - 1);
        let payer = ["a paper", "a club", "the city council"][number as usize % 3];
        let said = Survey {
            as_of,
            alive: 19,
            dead: 1,
            paid_by: payer.parse().unwrap(),
            ..survey(number, "spring")
        };
        it.admit("surveyor", said);
    }
    let found = findings(&it, TODAY);
    let grave: Vec<_> = found
        .iter()
        .filter(|it| it.severity > Severity::Low && it.code != "survey_implies_losses")
        .collect();
    assert!(grave.is_empty(), "{grave:?}");
    let codes: Vec<_> = found.iter().map(|it| it.code).collect();
    let known = [
        "survey_implies_losses",
        "points_outstanding",
        "method_retroactive",
    ];
    assert!(codes.iter().all(|it| known.contains(it)), "{codes:?}");
}

/// Twenty by twenty squares that share their sides: none overlaps. With one more, moved by a tenth of a
/// side, four pairs do, ranked by their area.
#[test]
fn contiguous_squares_and_one_too_many() {
    let mut it = begun();
    for number in 0..400 {
        let (row, column) = (number / 20, number % 20);
        let square = square(
            number as u32 + 1,
            377_000_000 + row * 9_000,
            -1_224_000_000 + column * 9_000,
        );
        it.admit("planter", square);
        if number % 40 == 39 {
            it.cover();
        }
    }
    let overlaps = ["plots_overlap", "plots_may_overlap", "plots_same_outline"];
    assert_eq!(of(&it, TODAY, &overlaps), BTreeMap::new());
    let moved = square(500, 377_000_000 + 9_000 + 900, -1_224_000_000 + 9_000 + 450);
    let index = it.admit("planter", moved);
    let found = &of(&it, TODAY, &overlaps)["plots_overlap"];
    assert!(found.title.starts_with("4 pairs"), "{}", found.title);
    // Of some 100 × 79 m, and each of the four counts once.
    assert!((7_800..8_000).contains(&found.weight), "{}", found.weight);
    assert!(found.items.iter().any(|item| item.indexes.contains(&index)));
    assert_eq!(found.severity, Severity::Medium);
}

/// A circle over the whole country takes one place in the list, and the pair below it has its own.
#[test]
fn one_giant_circle_hides_nothing() {
    let mut it = begun();
    for number in 1..=150 {
        let north = 377_000_000 + (number as i32) * 20_000;
        it.admit("planter", square(number, north, -1_224_000_000));
    }
    it.cover();
    let twin = square(151, 377_000_000 + 70 * 20_000 + 8_000, -1_224_000_000);
    let twin = it.admit("planter", twin);
    let giant = Plot {
        area_m2: 4_000_000_000_000,
        ..circle(152, 377_000_000, -1_000_000_000, 3_000_000)
    };
    let giant = it.admit("planter", giant);
    let found = of(&it, TODAY, &["plots_overlap", "plots_may_overlap"]);
    let may = &found["plots_may_overlap"];
    assert_eq!(may.count, 1);
    assert!(may.items[0].indexes.contains(&giant));
    assert!(may.items[0].detail.contains("with 151 plots"), "{may:?}");
    let sure = &found["plots_overlap"];
    assert_eq!(sure.count, 1, "{sure:?}");
    assert!(sure.items[0].indexes.contains(&twin));
    // A ninth of the side.
    assert!((850..920).contains(&sure.weight), "{}", sure.weight);
}

#[test]
fn circles_with_and_without_room() {
    // Two circles of 1.1 ha, 100 m apart, with a hectare each: room enough. The same hectare twice: none.
    let mut it = begun();
    let one = it.admit("planter", plot(1));
    let near = circle(2, 377_200_000 + 8_990, -1_224_000_000, 60);
    let two = it.admit("planter", near);
    has(&it, "plots_may_overlap", &[one, two]);
    has_not(&it, "plots_overlap");
    let mut it = begun();
    let one = it.admit("planter", plot(1));
    let two = it.admit("planter", circle(2, 377_200_000, -1_224_000_000, 60));
    has(&it, "plots_overlap", &[one, two]);
    // An outline in a wide circle that has room beside it.
    let mut it = begun();
    it.admit("planter", circle(1, 377_200_000, -1_224_000_000, 500));
    it.admit("planter", square(2, 377_200_000, -1_224_000_000));
    has_not(&it, "plots_overlap");
}

#[test]
fn places_where_no_tree_is() {
    let place = |latitude, longitude, country: &str| {
        let mut it = begun();
        let plot = Plot {
            country: country.parse().unwrap(),
            ..circle(1, latitude, longitude, 60)
        };
        let index = it.admit("planter", plot);
        (it, index)
    };
    for (latitude, longitude, country, code) in [
        (0, 0, "GH", "plot_at_zero"),
        (899_000_000, 100, "NO", "plot_beyond_trees"),
        (-750_000_000, 100, "AQ", "plot_beyond_trees"),
        (300_000_000, -400_000_000, "US", "plot_in_sea"),
        (0, 1_000, "GH", "plot_at_zero"),
        (488_600_000, 23_500_000, "US", "plot_outside_country"),
        // Latitude and longitude exchanged.
        (-12_000_000, 367_800_000, "DE", "plot_outside_country"),
        (488_600_000, 23_500_000, "JJ", "plot_country_unknown"),
    ] {
        let (it, index) = place(latitude, longitude, country);
        has(&it, code, &[index]);
    }
    for (latitude, longitude, country) in [
        (377_700_000, -1_224_200_000, "US"),
        (380_800_000, 1_030_800_000, "CN"),
        (696_500_000, 189_600_000, "NO"),
        (449_500_000, 341_100_000, "UA"),
        (449_500_000, 341_100_000, "RU"),
        (-181_400_000, 1_784_400_000, "FJ"),
        (488_600_000, 23_500_000, "ZZ"),
    ] {
        let (it, _) = place(latitude, longitude, country);
        let all = findings(&it, TODAY);
        let places = all
            .iter()
            .filter(|it| it.code.starts_with("plot_") && it.code != "plot_nearly_full");
        assert_eq!(places.count(), 0, "{country}: {all:?}");
    }
}

#[test]
fn areas_and_densities_that_cannot_be() {
    // A million trees on 100 m².
    let mut it = begun();
    let crowded = Plot {
        area_m2: 100,
        trees_per_ha_max: 100_000_000,
        ..plot(1)
    };
    let index = it.admit("planter", crowded.clone());
    has(&it, "density_unbounded", &[index]);
    it.admit("planter", planting(1, 1, 1_000_000));
    let found = has(&it, "trees_impossibly_dense", &[index]);
    assert_eq!(found.severity, Severity::High);
    // Two on each square metre; and a forest that is dense, but grows.
    for (trees, is_found) in [(20_000, true), (9_000, false)] {
        let mut it = begun();
        let dense = Plot {
            trees_per_ha_max: 40_000,
            ..plot(1)
        };
        let index = it.admit("planter", dense);
        it.admit("planter", planting(1, 1, trees));
        if is_found {
            has(&it, "trees_very_dense", &[index]);
        } else {
            has_not(&it, "trees_very_dense");
        }
    }
    // One tree in its pit.
    let mut it = begun();
    let pit = Plot {
        area_m2: 1,
        trees_per_ha_max: 20_000,
        ..plot(1)
    };
    it.admit("planter", pit);
    it.admit("planter", planting(1, 1, 2));
    has_not(&it, "trees_very_dense");

    // Twice the Earth, a state, and a large forest.
    for (area_m2, code) in [
        (1_020_000_000_000_000, "plot_larger_than_country"),
        (20_000_000_000_000, "plot_larger_than_country"),
        (100_000_000_000, "plot_vast"),
        (500_000_000, ""),
    ] {
        let mut it = begun();
        let large = Plot {
            area_m2,
            ..circle(1, 377_200_000, -1_224_000_000, 20_000_000)
        };
        let index = it.admit("planter", large);
        for one in ["plot_larger_than_country", "plot_vast"] {
            if one == code {
                has(&it, one, &[index]);
            } else {
                has_not(&it, one);
            }
        }
    }

    // A hectare, by an outline of 7,900 m².
    let mut it = begun();
    let stated = Plot {
        area_m2: 10_000,
        ..square(1, 377_000_000, -1_224_000_000)
    };
    let index = it.admit("planter", stated.clone());
    has(&it, "plot_larger_than_outline", &[index]);
    let mut it = begun();
    let right = Plot {
        area_m2: 7_950,
        ..stated
    };
    it.admit("planter", right);
    has_not(&it, "plot_larger_than_outline");
}

#[test]
fn days_that_do_not_fit() {
    // Planted before the plot was stated: a month is given.
    for (days, is_found) in [(40, true), (25, false)] {
        let mut it = begun();
        let stated = it.admit("planter", plot(1));
        let planted = Planting {
            planted_from: Day(TODAY.0 - days),
            planted_until: Day(TODAY.0 - days),
            ..planting(1, 1, 20)
        };
        it.admit("planter", planted);
        // Stated anew, it is no younger.
        it.admit("planter+g1+g2", plot(1));
        if is_found {
            let found = has(&it, "planted_before_plot", &[stated]);
            assert_eq!(found.severity, Severity::Low);
        } else {
            has_not(&it, "planted_before_plot");
        }
    }
    // Before the points were earned.
    for (days, is_found) in [(40, true), (25, false)] {
        let mut it = begun();
        it.admit("planter", plot(1));
        let planted = Planting {
            planted_from: Day(TODAY.0 - days),
            planted_until: Day(TODAY.0 - days),
            ..planting(1, 1, 20)
        };
        let planted = it.admit("planter", planted);
        it.admit("platform", ride(account(ANN), 130, TODAY));
        let claimed = it.admit("platform", statements::claim(ANN));
        it.admit("platform", statements::assign(1, &[claimed]));
        if is_found {
            has(&it, "planted_before_points", &[claimed, planted]);
        } else {
            has_not(&it, "planted_before_points");
        }
    }
    // Surveyed on the day of planting, and ten days later.
    for (days, is_found) in [(0, true), (10, false)] {
        let mut it = begun();
        it.admit("planter", plot(1));
        let day = Day(TODAY.0 - days);
        let planted = Planting {
            planted_from: day,
            planted_until: day,
            ..planting(1, 1, 20)
        };
        let as_of = it.admit("planter", planted);
        let surveyed = it.admit(
            "surveyor",
            Survey {
                as_of,
                ..survey(1, "")
            },
        );
        if is_found {
            has(&it, "survey_at_planting", &[surveyed]);
        } else {
            has_not(&it, "survey_at_planting");
        }
    }
    // In January beyond 60° north, and in California.
    for (latitude, longitude, country, is_found) in [
        (662_000_000, 258_000_000, "FI", true),
        (377_200_000, -1_224_000_000, "US", false),
    ] {
        let mut it = begun();
        let plot = Plot {
            country: country.parse().unwrap(),
            ..circle(1, latitude, longitude, 60)
        };
        it.admit("planter", plot);
        let january: Day = "2026-01-20".parse().unwrap();
        let planted = Planting {
            planted_from: january,
            planted_until: january,
            ..planting(1, 1, 20)
        };
        let planted = it.admit("planter", planted);
        if is_found {
            has(&it, "planted_in_frost", &[planted]);
        } else {
            has_not(&it, "planted_in_frost");
        }
    }
}

#[test]
fn a_species_where_it_does_not_grow() {
    for (latitude, country, is_found) in [(599_000_000, "SE", true), (-62_000_000, "ID", false)] {
        let longitude = if is_found { 150_000_000 } else { 1_068_000_000 };
        let mut it = begun();
        let mangroves = Method {
            id: MethodId(2),
            species: List::try_from(vec![statements::species(
                SpeciesCode(9),
                "Rhizophora mucronata",
                10,
            )])
            .unwrap(),
            ..method()
        };
        it.admit("g1+g2", mangroves);
        let plot = Plot {
            country: country.parse().unwrap(),
            ..circle(1, latitude, longitude, 60)
        };
        it.admit("planter", plot);
        let planted = Planting {
            species: SpeciesCode(9),
            ..planting(1, 1, 20)
        };
        let planted = it.admit("planter", planted);
        if is_found {
            has(&it, "species_out_of_range", &[planted]);
        } else {
            has_not(&it, "species_out_of_range");
        }
    }
}

#[test]
fn surveys_that_come_once_and_surveyors_who_are_everywhere() {
    let mut it = begun();
    it.admit("planter", plot(1));
    let as_of = it.admit("planter", planting(1, 1, 20));
    let index = it.admit(
        "surveyor",
        Survey {
            as_of,
            ..survey(1, "")
        },
    );
    let code = ["survey_not_due_again"];
    assert!(of(&it, later(3 * 365), &code).is_empty());
    let found = of(&it, later(3 * 365 + 2), &code);
    assert_eq!(found[code[0]].items[0].indexes, [index]);
    let never = Survey {
        as_of,
        next_due: Some(later(20_000)),
        ..survey(1, "never")
    };
    let never = it.admit("surveyor", never);
    assert_eq!(of(&it, TODAY, &code)[code[0]].items[0].indexes, [never]);

    for (plots, basis, is_found) in [
        (101, Basis::Census, true),
        (101, Basis::RemoteSensing, false),
        (60, Basis::Census, false),
    ] {
        let mut it = begun();
        for number in 1..=plots {
            it.admit("planter", plot(number));
            let as_of = it.admit("planter", planting(number, 1, 20));
            let said = Survey {
                as_of,
                basis,
                ..survey(number, "")
            };
            it.admit("surveyor", said);
        }
        let found = of(&it, TODAY, &["surveyor_many_visits"]);
        assert_eq!(found.len(), usize::from(is_found), "{plots} {basis:?}");
    }
}

#[test]
fn digests_of_nothing() {
    use sha2::Digest as _;
    let empty = Digest::from_bytes(sha2::Sha256::digest(b"").into());
    for nothing in [
        Digest::from_bytes([0; 32]),
        Digest::from_bytes([0xff; 32]),
        empty,
    ] {
        let mut it = begun();
        it.admit("planter", plot(1));
        has_not(&it, "evidence_placeholder");
        let planted = Planting {
            evidence: nothing,
            ..planting(1, 1, 20)
        };
        let planted = it.admit("planter", planted);
        has(&it, "evidence_placeholder", &[planted]);
        let said = Award {
            evidence: nothing,
            ..ride(account(ANN), 10, TODAY)
        };
        it.admit("platform", said);
        let found = &of(&it, TODAY, &["evidence_placeholder"])["evidence_placeholder"];
        assert!(found.title.starts_with("2 entries"), "{}", found.title);
    }
}

#[test]
fn one_file_for_two_things() {
    let lost = |target: Index, evidence: Digest| {
        let mut said = statements::lost(target, 1, None);
        if let Remedy::Lost { evidence: of, .. } = &mut said.remedy {
            *of = Some(evidence);
        }
        said
    };
    let mut it = begun();
    it.admit("planter", plot(1));
    it.admit("planter", plot(2));
    let one = it.admit("planter", planting(1, 1, 20));
    let two = it.admit("planter", planting(2, 1, 20));
    let surveyed = it.admit(
        "surveyor",
        Survey {
            as_of: two,
            ..survey(1, "")
        },
    );
    // A loss rests on the survey that found it.
    let found_by = lost(one, file("survey 1 "));
    let loss = it.admit("planter", found_by.clone());
    has_not(&it, "evidence_shared");
    has_not(&it, "loss_evidence_shared");
    let elsewhere = it.admit("planter", lost(two, file("survey 1 ")));
    has(&it, "loss_evidence_shared", &[surveyed, loss, elsewhere]);
    has_not(&it, "evidence_shared");
    // A ride that is proven by a planting.
    let said = Award {
        evidence: file("planting 1/1"),
        ..ride(account(ANN), 10, TODAY)
    };
    let award = it.admit("platform", said);
    has(&it, "evidence_shared", &[one, award]);
    // And a loss by the picture of the planting.
    let mut it = begun();
    it.admit("planter", plot(1));
    let one = it.admit("planter", planting(1, 1, 20));
    let loss = it.admit("planter", lost(one, file("planting 1/1")));
    has(&it, "evidence_shared", &[one, loss]);
    it.admit("planter", void(loss));
    has_not(&it, "evidence_shared");
}

#[test]
fn payers_under_other_names() {
    let paid = |payers: &[&str]| {
        let mut it = begun();
        let stated = it.admit("planter", plot(1));
        let as_of = it.admit("planter", planting(1, 1, 20));
        let mut last = as_of;
        for payer in payers {
            let said = Survey {
                as_of,
                paid_by: payer.parse().unwrap(),
                ..survey(1, payer)
            };
            last = it.admit("surveyor", said);
        }
        (it, stated, last)
    };
    for payer in [
        "Green Hands Ltd.",
        "Greem-Hands",
        "Hands, Green",
        "THE CITY",
    ] {
        let (it, stated, index) = paid(&["a club", payer]);
        has(&it, "payer_resembles_planter", &[index, stated]);
    }
    // The same letters have another code; and others are others.
    for payer in ["green-hands", "Green Lands Agency", "a paper"] {
        let (it, _, _) = paid(&["a club", payer]);
        has_not(&it, "payer_resembles_planter");
    }
    let (it, _, _) = paid(&["A Club", "a club Inc.", "A. Club"]);
    let found = findings(&it, TODAY);
    let found = found
        .iter()
        .find(|it| it.code == "surveys_one_payer_respelled");
    assert_eq!(found.unwrap().items[0].indexes.len(), 3);
    let (it, _, _) = paid(&["A Club", "a paper"]);
    has_not(&it, "surveys_one_payer_respelled");
}

#[test]
fn one_project_on_several_plots() {
    let sold = |number, id: &str| Plot {
        carbon_rights: CarbonRights::Issued {
            registry: "A Registry".parse().unwrap(),
            id: id.parse().unwrap(),
        },
        ..plot(number)
    };
    let mut it = begun();
    let one = it.admit("planter", sold(1, "VCS-17"));
    it.admit("planter", sold(2, "VCS-18"));
    has_not(&it, "carbon_project_shared");
    let three = it.admit("planter", sold(3, "vcs 17"));
    let found = has(&it, "carbon_project_shared", &[one, three]);
    assert_eq!(found.severity, Severity::Low);
    let four = it.admit("planter2", sold(4, "VCS17"));
    let found = has(&it, "carbon_project_of_several", &[one, three, four]);
    assert_eq!(found.severity, Severity::Medium);
    has_not(&it, "carbon_project_shared");
}

/// 99.9 % of the cap, six days on and one off; and somebody who rides far on some days.
#[test]
fn awards_near_the_cap() {
    let rides = |share: &dyn Fn(u32) -> u64| {
        let mut it = begun();
        let mut awards = Vec::new();
        for day in 0..28 {
            let points = share(day);
            if points > 0 {
                let on = Day(TODAY.0 - 28 + day);
                awards.push(it.admit("platform", ride(account(ANN), points, on)));
            }
        }
        (it, awards)
    };
    let (it, awards) = rides(&|day| if day % 7 == 6 { 0 } else { CAP * 999 / 1000 });
    has(
        &it,
        "awards_near_cap",
        &[awards[0], *awards.last().unwrap()],
    );
    let (it, _) = rides(&|day| if day % 7 == 6 { 0 } else { CAP });
    assert_eq!(
        of(&it, TODAY, &["awards_near_cap", "awards_at_cap_daily"]).len(),
        1
    );
    let (it, _) = rides(&|day| CAP / 2 + u64::from(day) * 100);
    has_not(&it, "awards_near_cap");
    let (it, _) = rides(&|day| if day % 2 == 0 { CAP } else { 10 });
    has_not(&it, "awards_near_cap");
    // What was reversed is no award.
    let (mut it, awards) = rides(&|day| if day % 7 == 6 { 0 } else { CAP * 999 / 1000 });
    for award in awards.iter().step_by(2) {
        it.admit("platform", reverse(*award, CAP / 2));
    }
    has_not(&it, "awards_near_cap");
}

/// `cases/submit/farm.ndjson`: accounts alike, one of which collects.
#[test]
fn a_farm_of_accounts() {
    let farm = |accounts: u32, points: &dyn Fn(u32, u32) -> u64, given: &dyn Fn(u64) -> u64| {
        let mut it = begun();
        let mut firsts = Vec::new();
        for number in 0..accounts {
            let who = somebody(number);
            let mut sum = 0;
            for day in 0..8 {
                let points = points(number, day);
                sum += points;
                let index = it.admit("platform", ride(who, points, Day(TODAY.0 - 8 + day)));
                if day == 0 {
                    firsts.push(index);
                }
            }
            it.cover();
            let gift = Transfer {
                from: who,
                to: Some(account(BEN)),
                points: Grams(given(sum)),
                reason: TransferReason::Collected,
            };
            it.admit("platform", gift);
        }
        (it, firsts)
    };
    let (it, firsts) = farm(25, &|_, _| 334, &|sum| sum);
    let found = has(&it, "accounts_alike", &firsts[..10]);
    assert_eq!(found.severity, Severity::Medium);
    assert!(
        found.items[0].subject.starts_with("25 accounts"),
        "{found:?}"
    );
    let found = findings(&it, TODAY);
    let found = found.iter().find(|it| it.code == "points_collected_by_one");
    assert!(
        found.unwrap().items[0]
            .subject
            .contains(&account(BEN).to_string())
    );
    // Each moves as people do; they still give all to one.
    let (it, _) = farm(25, &|who, day| 300 + u64::from(who * 7 + day), &|sum| {
        sum * 95 / 100
    });
    has_not(&it, "accounts_alike");
    assert_eq!(of(&it, TODAY, &["points_collected_by_one"]).len(), 1);
    // Friends who give a part; a family that gives all.
    let (it, _) = farm(25, &|who, day| 300 + u64::from(who * 7 + day), &|sum| {
        sum / 10
    });
    has_not(&it, "points_collected_by_one");
    let (it, _) = farm(6, &|_, _| 334, &|sum| sum);
    assert!(of(&it, TODAY, &["points_collected_by_one", "accounts_alike"]).is_empty());
    // The same bill for everybody: one unit each.
    let (it, _) = farm(25, &|_, _| 1_000, &|sum| sum / 10);
    has_not(&it, "accounts_alike");
}

#[test]
fn numbers_that_had_ended() {
    // From tomorrow on a ride gives half, and an oak costs twice as much.
    let changed = || {
        let mut it = begun();
        let half = Method {
            document: file("second"),
            effective_from: later(1),
            activities: List::try_from(vec![Activity {
                code: ActivityCode(1),
                name: "an activity".parse().unwrap(),
                unit: "g".parse().unwrap(),
                factor: Micrograms(500_000_000),
                cap: Grams(CAP),
            }])
            .unwrap(),
            species: List::try_from(vec![
                statements::species(OAK, "oak", 200),
                statements::species(ELM, "elm", 50),
            ])
            .unwrap(),
            ..statements::method(2)
        };
        it.admit("g1+g2", half);
        it.admit("platform", ride(account(ANN), 500, TODAY));
        it
    };
    for (days, is_found) in [(40, true), (20, false)] {
        let mut it = changed();
        pass_days(&mut it, days);
        let late = it.admit("platform", ride(account(BEN), 100, TODAY));
        let found = of(&it, later(40), &["awards_by_old_factor"]);
        assert_eq!(found.len(), usize::from(is_found));
        if is_found {
            assert_eq!(found["awards_by_old_factor"].items[0].indexes, [late]);
            it.admit("platform", reverse(late, 100));
            assert!(of(&it, later(40), &["awards_by_old_factor"]).is_empty());
        }
    }
    let mut it = changed();
    it.admit("platform", statements::claim(ANN));
    assert!(of(&it, later(2), &["claims_at_old_price"]).is_empty());
    pass_days(&mut it, 1);
    let elm = Claim {
        version: MethodVersion(2),
        ..statements::elm_claim(ANN)
    };
    it.admit("platform", elm);
    assert!(of(&it, later(2), &["claims_at_old_price"]).is_empty());
    let old = it.admit("platform", statements::claim(ANN));
    let found = of(&it, later(2), &["claims_at_old_price"]);
    assert_eq!(found["claims_at_old_price"].items[0].indexes, [old]);
}

/// What a finding needs is there after an audit that goes on from a saved one too.
#[test]
fn a_saved_audit_knows_them() {
    let temp = tempfile::tempdir().unwrap();
    let (log, file) = (temp.path().join("log"), temp.path().join("audit.state"));
    let mut it = begun();
    it.admit("planter", plot(1));
    let old = Planting {
        planted_from: Day(TODAY.0 - 100),
        planted_until: Day(TODAY.0 - 100),
        evidence: Digest::from_bytes([0; 32]),
        ..planting(1, 1, 20)
    };
    it.admit("planter", old);
    for number in 0..25 {
        let who = somebody(number);
        it.admit("platform", ride(who, 100 + u64::from(number % 10), TODAY));
        let gift = Transfer {
            from: who,
            to: Some(account(BEN)),
            points: Grams(100),
            reason: TransferReason::Gift,
        };
        it.admit("platform", gift);
    }
    let mut told = Vec::new();
    for _ in 0..2 {
        write(&it.files(), &log);
        let source = Folder::new(&log);
        let mut inspection = Inspection::resume(vkey("log"), &file).unwrap();
        let claimed = inspection.fetch_checkpoint(&source).unwrap();
        inspection
            .advance(&source, &claimed, threads_default(), None, |_| {})
            .unwrap();
        inspection.save(&file).unwrap();
        told.push(inspection.findings(TODAY).unwrap());
    }
    assert_eq!(told[0], told[1]);
    let codes: Vec<_> = told[1].iter().map(|it| it.code).collect();
    for code in [
        "evidence_placeholder",
        "planted_before_plot",
        "points_collected_by_one",
    ] {
        assert!(codes.contains(&code), "{codes:?}");
    }
}

/// `audit --compare`: what came, went and got graver since an earlier report.
#[test]
fn since_an_earlier_audit() {
    let temp = tempfile::tempdir().unwrap();
    let (log, old) = (temp.path().join("log"), temp.path().join("old"));
    let audit = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_arborlog"));
        command
            .arg("audit")
            .arg(&log)
            .args(["--log", &vkey("log").to_string()]);
        let day = TODAY.to_string();
        let out = command
            .args(["--as-of", &day, "--json"])
            .args(more)
            .output()
            .unwrap();
        let answer: Option<serde_json::Value> = serde_json::from_slice(&out.stdout).ok();
        (out.status.code(), answer.unwrap_or_default())
    };
    let mut it = begun();
    it.admit("planter", plot(1));
    let nothing = Planting {
        evidence: Digest::from_bytes([0; 32]),
        ..planting(1, 1, 20)
    };
    it.admit("planter", nothing);
    it.admit("platform", ride(account(ANN), 10_000, TODAY));
    let before = it.clone();
    write(&it.files(), &log);
    let (code, _) = audit(&["--report", old.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    let report = old.join("report.json");
    let compare = ["--compare", report.to_str().unwrap()];
    let (code, answer) = audit(&compare);
    assert_eq!(code, Some(0));
    assert_eq!(answer["since"]["changes"], serde_json::json!([]));

    // A certificate that takes all points, a plot in the sea, another digest of nothing.
    for _ in 0..100 {
        it.admit("platform", statements::claim(ANN));
    }
    it.admit("planter", circle(2, 300_000_000, -400_000_000, 60));
    let nothing = Survey {
        as_of: Index(9),
        evidence: Digest::from_bytes([1; 32]),
        ..survey(1, "")
    };
    it.admit("surveyor", nothing);
    write(&it.files(), &log);
    let (code, answer) = audit(&compare);
    assert_eq!(code, Some(0));
    let changes = answer["since"]["changes"].as_array().unwrap();
    let turns: BTreeMap<&str, &str> = changes
        .iter()
        .map(|it| (it["code"].as_str().unwrap(), it["turn"].as_str().unwrap()))
        .collect();
    assert_eq!(turns["plot_in_sea"], "new");
    assert_eq!(turns["points_outstanding"], "gone");
    assert_eq!(turns["evidence_placeholder"], "graver");

    // A log that lags, and another one.
    let grown = temp.path().join("grown");
    audit(&["--report", grown.to_str().unwrap()]);
    let report = grown.join("report.json");
    std::fs::remove_dir_all(&log).unwrap();
    write(&before.files(), &log);
    let (code, _) = audit(&["--compare", report.to_str().unwrap()]);
    assert_eq!(code, Some(3));
    let mut said = before;
    said.grow_as("platform", it.entries.len() + 10);
    std::fs::remove_dir_all(&log).unwrap();
    write(&said.files(), &log);
    let (code, _) = audit(&["--compare", report.to_str().unwrap()]);
    assert_eq!(code, Some(1));
}

/// One surveyor's samples of 20 of the 100 trees on each of some plots; `alive` says how many live.
fn sampled(alive: impl Fn(u32) -> u32) -> Forge {
    let mut it = begun();
    for number in 1..=12 {
        it.admit("planter", plot(number));
        it.admit("planter", planting(number, 1, 100));
        let as_of = Index(it.size() - 1);
        let found = Survey {
            as_of,
            basis: Basis::RandomSample,
            alive: alive(number),
            dead: 20 - alive(number),
            ..survey(number, "sample")
        };
        it.admit("surveyor", found);
    }
    it
}

/// Numbers that somebody made up agree too well; drawn ones do not, and plots that differ even less.
#[test]
fn samples_that_agree_better_than_chance_allows() {
    let found = sampled(|number| 17 - u32::from(number % 10 == 0));
    let found = of(&found, TODAY, &["surveys_too_regular"]);
    let found = &found["surveys_too_regular"];
    assert_eq!(found.severity, Severity::Medium);
    assert_eq!(found.items[0].subject, "surveyor eyes");
    // As drawn at random from plots of which 85 % live: the binomial's spread, by hand.
    let drawn = [17, 18, 16, 17, 19, 15, 17, 18, 14, 20];
    has_not(
        &sampled(|number| drawn[number as usize % 10]),
        "surveys_too_regular",
    );
}

#[test]
fn surveyors_under_the_name_of_the_planter() {
    for (holder, is_found) in [
        ("green-hands-trust", true),
        ("greenhand", true),
        ("forest-eyes", false),
    ] {
        let mut it = begun();
        it.admit(
            "g1+g2+surveyor2",
            grant("surveyor2", Role::Surveyor, holder),
        );
        it.admit("planter", plot(1));
        it.admit("planter", planting(1, 1, 10));
        let as_of = Index(it.size() - 1);
        let said = it.admit(
            "surveyor2",
            Survey {
                as_of,
                ..survey(1, "own")
            },
        );
        match is_found {
            true => {
                let stated = Index(said.0 - 2);
                has(&it, "surveyor_resembles_planter", &[said, stated]);
            }
            false => has_not(&it, "surveyor_resembles_planter"),
        }
    }
}

/// A survey by books from before the trees that died, and one that came in half a year later.
#[test]
fn surveys_whose_books_and_days_do_not_fit() {
    let mut it = begun();
    it.admit("planter", plot(1));
    let old = it.admit("planter", planting(1, 1, 10));
    let newer = it.admit("planter", planting(1, 11, 50));
    let honest = it.clone();
    pass_days(&mut it, 40);
    let said = Survey {
        as_of: old,
        surveyed_on: later(40),
        ..survey(1, "old books")
    };
    let survey_at = it.admit("surveyor", said);
    let found = has(&it, "survey_books_old", &[newer, survey_at]);
    assert_eq!(found.weight, 50);
    has_not(&it, "surveys_late");

    let mut it = honest;
    let said = Survey {
        as_of: newer,
        surveyed_on: later(1),
        ..survey(1, "late")
    };
    pass_days(&mut it, 2);
    it.admit("surveyor", said.clone());
    has_not(&it, "survey_books_old");
    pass_days(&mut it, 200);
    let late = Survey {
        evidence: file("very late"),
        ..said
    };
    let late = it.admit("surveyor", late);
    let found = has(&it, "surveys_late", &[late]);
    assert_eq!((found.severity, found.count), (Severity::Low, 1));
}

/// A factor that rose for some weeks, a price that fell, and those who knew.
#[test]
fn numbers_that_were_better_for_some_weeks() {
    let version = |number: u32, day: u32, factor: u64, price: u64| {
        let plain = statements::method(number);
        let mut activities: Vec<_> = plain.activities.iter().cloned().collect();
        let mut kinds: Vec<_> = plain.species.iter().cloned().collect();
        activities[0].factor = Micrograms(activities[0].factor.0 * factor);
        kinds[0].price = Grams(price);
        Method {
            effective_from: later(day),
            document: file(format!("method {number}")),
            activities: activities.try_into().ok().unwrap(),
            species: kinds.try_into().ok().unwrap(),
            ..plain
        }
    };
    for (weeks, is_found) in [(4_u32, true), (20, false)] {
        let mut it = begun();
        it.admit("g1+g2", version(2, 10, 2, 50));
        it.admit("g1+g2", version(3, 10 + 7 * weeks, 1, 100));
        let (second, third) = (Index(it.size() - 2), Index(it.size() - 1));
        pass_days(&mut it, 12);
        let unit = statements::award(0, 130);
        let award = Award {
            version: MethodVersion(2),
            quantity: unit.quantity,
            points: Grams(unit.points.0 * 2),
            ..ride(somebody(1), 130, later(12))
        };
        it.admit("platform", award);
        let claim = Claim {
            account: somebody(1),
            version: MethodVersion(2),
            points: Grams(50),
            ..statements::claim(ANN)
        };
        it.admit("platform", claim);
        for code in ["factor_peak", "price_dip"] {
            match is_found {
                true => assert_eq!(has(&it, code, &[second, third]).severity, Severity::Medium),
                false => has_not(&it, code),
            }
        }
    }
}

/// Frauds that raise nothing above low: what an auditor who reads docs/audit.md must ask beyond the findings.
#[test]
fn frauds_that_pass() {
    let honest = ["plot_outside_country", "state_uncovered"];
    let pass = |it: &Forge, as_of: Day| {
        let found = findings(it, as_of);
        let grave = found.iter().filter(|it| it.severity > Severity::Low);
        let grave: Vec<_> = grave
            .filter(|it| !honest.contains(&it.code))
            .map(|it| it.code)
            .collect();
        assert!(grave.is_empty(), "{grave:?}");
    };
    // Bots whose numbers differ by a little, and who rest on different days.
    let mut it = begun();
    for bot in 0..20 {
        for day in (0..10).filter(|day| (day + bot) % 4 > 0) {
            let points = 600 + u64::from((bot * 7 + day * 3) % 11);
            it.admit("platform", ride(somebody(bot), points, Day(TODAY.0 - day)));
        }
        it.cover();
    }
    // Their points go on in two steps, each to fewer than twenty.
    for bot in 0..20 {
        let gift = Transfer {
            from: somebody(bot),
            to: Some(somebody(100 + bot % 3)),
            points: Grams(4_000),
            reason: TransferReason::Gift,
        };
        it.admit("platform", gift);
    }
    it.cover();
    pass(&it, TODAY);

    // Trees that died are voided as a mistake before anybody surveyed them, and planted again, younger.
    let mut it = begun();
    it.admit("planter", plot(1));
    let dead = it.admit("planter", planting(1, 1, 20));
    it.cover();
    it.admit("planter", void(dead));
    let again = Planting {
        planted_from: TODAY,
        planted_until: TODAY,
        ..planting(1, 21, 20)
    };
    it.admit("planter", again);
    it.cover();
    pass(&it, TODAY);
}
