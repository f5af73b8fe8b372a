//! Open data as statements: what goes in, and that each row that does not is set aside with its
//! reason.

use std::collections::HashMap;
use std::io::Cursor;

use arborlog::import::{
    ADDED_COLUMNS, CsvTable, EVENT_COLUMNS, STATION_COLUMNS, SerialsExhausted, SpeciesList,
    SpeciesListError, TRIP_COLUMNS, TreeRegister, TreesConfig, TripsConfig, plan_trees, plan_trips,
    read_trees,
};
use arborlog::record::{
    Activity, ActivityCode, Digest, Grams, List, Method, MethodId, MethodVersion, Micrograms,
    PlotNumber, Serial, Species, SpeciesCode,
};

fn table<const N: usize>(columns: &[&'static str; N], rows: &[&str]) -> CsvTable<N> {
    let text = format!("{}\n{}\n", columns.join(","), rows.join("\n"));
    let source = Box::new(Cursor::new(text.into_bytes()));
    CsvTable::read("rows.csv".to_owned(), source, false, columns).unwrap()
}

fn method(factor: u64) -> Method {
    Method {
        id: MethodId(1),
        version: MethodVersion(1),
        effective_from: "2013-01-01".parse().unwrap(),
        activities: List::try_from(vec![Activity {
            code: ActivityCode(1),
            name: "trip".parse().unwrap(),
            unit: "km".parse().unwrap(),
            factor: Micrograms(factor),
            cap: Grams(5_000),
        }])
        .unwrap(),
        species: List::try_from(vec![Species {
            code: SpeciesCode(1),
            name: "Pinus radiata".parse().unwrap(),
            price: Grams(1),
        }])
        .unwrap(),
        baseline: "a car".parse().unwrap(),
        sources: "a table".parse().unwrap(),
        jurisdiction: "here".parse().unwrap(),
        document: Digest::from_bytes([0; 32]),
    }
}

const STATIONS: [&str; 3] = [
    "2,Caltrain,37.3297,-121.9018",
    "3,Civic Center,37.3307,-121.8890",
    "4,Nowhere,north,west",
];

/// What each trip's row came to: the points of those that go in, the reason of those that do not.
fn trips(factor: u64, rows: &[&str]) -> (Vec<Grams>, Vec<(usize, &'static str)>, Vec<usize>) {
    let temp = tempfile::tempdir().unwrap();
    let mut pseudonyms = arborlog::import::Pseudonyms::open(&temp.path().join("keys")).unwrap();
    let config = TripsConfig {
        versions: &[method(factor)],
        activity: ActivityCode(1),
        today: "2016-01-01".parse().unwrap(),
    };
    let stations = table(&STATION_COLUMNS, &STATIONS);
    let plan = plan_trips(
        table(&TRIP_COLUMNS, rows),
        stations,
        &config,
        &mut pseudonyms,
    )
    .unwrap();
    (
        plan.awards.iter().map(|award| award.points).collect(),
        plan.set_aside
            .iter()
            .map(|row| (row.row, row.reason))
            .collect(),
        plan.overlaps.iter().map(|overlap| overlap.row).collect(),
    )
}

#[test]
fn each_trip_goes_in_or_is_set_aside_with_its_reason() {
    let (points, set_aside, overlaps) = trips(
        167_250_000,
        &[
            "1,600,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T08:10:00Z,3,b1,Civic Center",
            // The same bicycle, which was still out.
            "2,600,2014-01-01T08:05:00Z,Caltrain,2,2014-01-01T08:15:00Z,3,b1,Civic Center",
            "2,600,2014-01-01T08:05:00Z,Caltrain,2,2014-01-01T08:15:00Z,3,b1,Civic Center",
            "2,601,2014-01-01T08:05:00Z,Caltrain,2,2014-01-01T08:15:00Z,3,b1,Civic Center",
            ",600,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T08:10:00Z,3,b1,Civic Center",
            "5,ten,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T08:10:00Z,3,b1,Civic Center",
            "6,90000,2014-01-01T08:00:00Z,Caltrain,2,2014-01-02T09:00:00Z,3,b1,Civic Center",
            "7,600,yesterday,Caltrain,2,2014-01-01T08:10:00Z,3,b1,Civic Center",
            "8,600,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T07:10:00Z,3,b1,Civic Center",
            "9,600,2016-01-02T08:00:00Z,Caltrain,2,2016-01-02T08:10:00Z,3,b1,Civic Center",
            "10,600,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T08:10:00Z,9,b1,Elsewhere",
            "11,600,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T08:10:00Z,2,b1,Caltrain",
            "12,60,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T08:01:00Z,3,b1,Civic Center",
            "13,600,2012-12-31T08:00:00Z,Caltrain,2,2012-12-31T08:10:00Z,3,b1,Civic Center",
            // A row that ends early lacks its end.
            "14,600,2014-01-01T08:00:00Z",
            // A station whose coordinates are none is not there.
            "15,600,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T08:10:00Z,4,b1,Nowhere",
        ],
    );
    assert_eq!(points, [Grams(190), Grams(190)]);
    assert_eq!(overlaps, [2]);
    let expected = [
        (3, "place_wrong"), // of the stations
        (3, "duplicate"),
        (4, "trip_id_repeated"),
        (5, "id_missing"),
        (6, "duration_malformed"),
        (7, "too_long"),
        (8, "date_malformed"),
        (9, "date_reversed"),
        (10, "date_future"),
        (11, "station_unknown"),
        (12, "no_distance"),
        (13, "too_fast"),
        (14, "no_method"),
        (15, "id_missing"),
        (16, "station_unknown"),
    ];
    assert_eq!(set_aside, expected);
}

#[test]
fn points_beyond_what_can_be_written_are_out_of_range() {
    let trip = "1,600,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T08:10:00Z,3,b1,Civic Center";
    let (points, set_aside, _) = trips(u64::MAX, &[trip]);
    assert!(points.is_empty());
    assert!(set_aside.contains(&(1, "points_out_of_range")));
}

const PINE: &str = "7,c1,2020-01-02T00:00:00Z,0,Pinus radiata :: Monterey Pine,01/01/2020 12:00:00 AM,37.76,-122.44";

fn register(added: &[&str], events: &[&str]) -> TreeRegister {
    let events = table(&EVENT_COLUMNS, events);
    read_trees(table(&ADDED_COLUMNS, added), Some(events)).unwrap()
}

#[test]
fn an_event_that_tells_of_no_tree_or_no_day_is_set_aside() {
    let register = register(
        &[PINE],
        &[
            "c2,2020-02-01T00:00:00Z,remove,7,qSpecies,Pinus radiata,",
            "c2,2020-02-01T00:00:00Z,remove,seven,qSpecies,Pinus radiata,",
            "c2,some day,remove,7,qSpecies,Pinus radiata,",
        ],
    );
    assert_eq!(register.len(), 1);
    let reasons: Vec<_> = register
        .set_aside
        .iter()
        .map(|row| (row.row, row.reason))
        .collect();
    assert_eq!(reasons, [(2, "id_missing"), (3, "date_malformed")]);
}

#[test]
fn a_plot_without_serials_for_its_trees_is_an_error() {
    let species = SpeciesList::shipped().unwrap();
    let config = TreesConfig {
        today: "2026-01-01".parse().unwrap(),
        species: &species,
    };
    let mut register = register(&[PINE], &[]);
    let plan = plan_trees(&mut register, &config, &HashMap::new()).unwrap();
    let [planted] = plan.plantings.as_slice() else {
        panic!("one tree is one planting");
    };
    assert_eq!(planted.planting.first_serial, Serial(0));
    let plot: PlotNumber = planted.planting.plot;
    let full = HashMap::from([(plot, Serial(u32::MAX))]);
    let planned = plan_trees(&mut register, &config, &full);
    assert_eq!(planned.err(), Some(SerialsExhausted(plot)));
}

#[test]
fn a_species_list_is_whole_or_an_error() {
    let line = |text: &str| SpeciesList::read(text).err();
    assert_eq!(
        line("code,latin,common\n1,Pinus radiata,Monterey Pine\n"),
        None
    );
    for (wrong, number) in [
        ("code,latin,common\n1,Pinus radiata\n", 2),
        ("code,latin,common\n1,Pinus radiata,a\nx,Abies alba,b\n", 3),
        ("code,latin,common\n1,Pinus radiata,a\n1,Abies alba,b\n", 3),
        (
            "code,latin,common\n1,Pinus radiata,a\n2,Pinus radiata,b\n",
            3,
        ),
    ] {
        assert_eq!(line(wrong), Some(SpeciesListError(number)), "{wrong}");
    }
}
