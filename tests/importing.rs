//! Open data as statements: what goes in, and that each line that does not is set aside with its
//! reason. What whole files of other people came to with a real server is in `import_command.rs`.
#![cfg(feature = "import")]

#[path = "support/dice.rs"]
mod dice;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Cursor;
use std::path::Path;

use arborlog::import::{
    ADDED_COLUMNS, Answers, BAY_AREA, CsvLine, CsvTable, DateOrder, EVENT_COLUMNS, KnownTrips,
    LineFate, PlotSerials, Pseudonyms, RoundError, RowOutcome, STATION_COLUMNS, SerialsExhausted,
    SetAside, SpeciesList, SpeciesListError, TRIP_COLUMNS, TreeBooks, TreeRegister, TreesConfig,
    TreesError, TripPlan, TripRef, TripsConfig, account, check_activity, missing_trees, plan_trees,
    plan_trips, read_stations, read_trees, recognize,
};
use arborlog::record::{
    Activity, ActivityCode, Correction, Digest, Grams, Index, List, Method, MethodId,
    MethodVersion, Micrograms, Planting, PlotNumber, Remedy, Serial, Species, SpeciesCode,
    Statement,
};
use dice::Dice;

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
        set: Index(0),
    }
}

const STATIONS: [&str; 3] = [
    "2,Caltrain,37.3297,-121.9018",
    "3,Civic Center,37.3307,-121.8890",
    "4,Nowhere,north,west",
];

/// What a platform keeps beside its key, and the log as far as it is the platform's.
struct Platform {
    folder: tempfile::TempDir,
    log: Vec<Statement>,
}

impl Platform {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            log: Vec::new(),
        }
    }

    fn known(&self) -> KnownTrips {
        let mut known = KnownTrips::open(&self.folder.path().join("trips")).unwrap();
        for (index, statement) in (0..).zip(&self.log) {
            known.take(Index(index), statement).unwrap();
        }
        known
    }

    /// Plans a file against the log; gives what became of lines already.
    fn plan(&self, factor: u64, text: &[u8]) -> (TripPlan, Vec<LineFate>) {
        let mut pseudonyms = Pseudonyms::open(&self.folder.path().join("keys")).unwrap();
        let config = TripsConfig {
            source: &"here".parse().unwrap(),
            versions: &[method(factor)],
            activity: ActivityCode(1),
            today: "2016-01-01".parse().unwrap(),
        };
        let mut fates: Vec<LineFate> = Vec::new();
        let stations = table(&STATION_COLUMNS, &STATIONS);
        let stations = read_stations(stations, BAY_AREA, &mut |row| fates.push(row.into()));
        let stations = stations.unwrap();
        assert_eq!(stations.read(), stations.used() + fates.len() as u64);
        let source = Box::new(Cursor::new(text.to_vec()));
        let trips = CsvTable::read("rows.csv".to_owned(), source, false, &TRIP_COLUMNS).unwrap();
        let mut known = self.known();
        let plan = plan_trips(
            trips,
            &stations,
            &config,
            &mut pseudonyms,
            &known,
            &mut |fate| fates.push(fate),
        )
        .unwrap();
        pseudonyms.save().unwrap();
        plan.note(&mut known).unwrap();
        (plan, fates)
    }

    /// What the award of a trip gave.
    fn points_of(&self, plan: &TripPlan, trip: TripRef) -> Grams {
        let award = match trip {
            TripRef::Row(position) => Some(&plan.trips[position].award),
            TripRef::Entry(index) => match &self.log[usize::try_from(index.0).unwrap()] {
                Statement::Award(award) => Some(award),
                _ => None,
            },
        };
        award.unwrap().points
    }

    /// Puts what a plan has of new into the log; gives the lines of the new trips.
    fn send(&mut self, plan: &TripPlan) -> Vec<u64> {
        let first = self.log.len() as u64;
        for trip in &plan.trips {
            self.log.push(Statement::Award(trip.award.clone()));
        }
        for overlap in &plan.overlaps {
            let target = match overlap.reversed {
                TripRef::Entry(index) => index,
                TripRef::Row(position) => Index(first + position as u64),
            };
            self.log.push(Statement::Correction(Correction {
                target,
                reason: "an overlap".parse().unwrap(),
                remedy: Remedy::Reverse {
                    points: self.points_of(plan, overlap.reversed),
                },
                set: None,
            }));
        }
        plan.trips.iter().map(|trip| trip.line).collect()
    }
}

/// The lines that were set aside, each with its reason.
fn set_aside(fates: &[LineFate]) -> Vec<(u64, &'static str)> {
    let lines = fates.iter().filter_map(|fate| match &fate.outcome {
        RowOutcome::SetAside(reason, _) => Some((fate.line, *reason)),
        _ => None,
    });
    lines.collect()
}

fn trip_file(rows: &[&str]) -> Vec<u8> {
    format!("{}\n{}\n", TRIP_COLUMNS.join(","), rows.join("\n")).into_bytes()
}

/// What each trip's row came to: the points of those that go in, the reason of those that do not,
/// and the lines of those whose award is taken back.
fn trips(factor: u64, rows: &[&str]) -> (Vec<Grams>, Vec<(u64, &'static str)>, Vec<u64>) {
    let (plan, fates) = Platform::new().plan(factor, &trip_file(rows));
    let reversed = plan.overlaps.iter().map(|overlap| match overlap.reversed {
        TripRef::Row(position) => plan.trips[position].line,
        TripRef::Entry(index) => panic!("entry {index} is not there"),
    });
    (
        plan.trips.iter().map(|trip| trip.award.points).collect(),
        set_aside(&fates),
        reversed.collect(),
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
            // The id of the first trip, if it were taken for a number.
            "1.0,600,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T08:10:00Z,3,b1,Civic Center",
            "16,600,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T09:10:00Z,3,b2,Civic Center",
            "17,1200,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T08:10:00Z,3,b2,Civic Center",
            // Times that a source cuts to the minute are no contradiction.
            "18,641,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T08:10:00Z,3,b2,Civic Center",
            "19,600,2014-01-01T09:11:00Z,Caltrain,2,2014-01-01T09:21:60Z,3,b2,Civic Center",
        ],
    );
    assert_eq!(points, [Grams(190), Grams(190), Grams(190)]);
    assert_eq!(overlaps, [3]);
    let expected = [
        (4, "place_wrong"), // of the stations
        (5, "trip_id_repeated"),
        (6, "id_missing"),
        (7, "duration_malformed"),
        (8, "too_long"),
        (9, "date_malformed"),
        (10, "date_reversed"),
        (11, "date_future"),
        (12, "station_unknown"),
        (13, "no_distance"),
        (14, "too_fast"),
        (15, "no_method"),
        (16, "fields_missing"),
        (17, "station_unknown"),
        (18, "id_malformed"),
        (19, "times_contradict"),
        (20, "times_contradict"),
        (22, "date_malformed"),
    ];
    assert_eq!(set_aside, expected);
}

#[test]
fn a_station_that_stands_twice_under_one_name_is_told() {
    let mut set_aside = Vec::new();
    let rows = [
        "2,Caltrain,37.3297,-121.9018",
        "3,Civic Center,37.3307,-121.8890",
        // Renamed: a trip names the one or the other.
        "3,City Hall,37.3400,-121.8890",
        // Moved, and listed again.
        "2,Caltrain,37.3400,-121.9018",
        "3,City Hall,37.3400,-121.8890",
    ];
    let stations = table(&STATION_COLUMNS, &rows);
    let stations = read_stations(stations, BAY_AREA, &mut |row| set_aside.push(row)).unwrap();
    assert_eq!((stations.read(), stations.used()), (5, 3));
    let lines: Vec<_> = set_aside
        .iter()
        .map(|row| (row.line, row.reason, row.other_line))
        .collect();
    assert_eq!(
        lines,
        [
            (5, "station_repeated", Some(2)),
            (6, "station_repeated", Some(4))
        ]
    );
    let folder = tempfile::tempdir().unwrap();
    let mut pseudonyms = Pseudonyms::open(&folder.path().join("keys")).unwrap();
    let config = TripsConfig {
        source: &"here".parse().unwrap(),
        versions: &[method(1_000_000)],
        activity: ActivityCode(1),
        today: "2016-01-01".parse().unwrap(),
    };
    let trips = [
        "1,600,2014-01-01T08:00:00Z,Civic Center,3,2014-01-01T08:10:00Z,3,b1,City Hall",
        "2,600,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T08:10:00Z,3,b2,City Hall",
        // The place can't be told.
        "3,600,2014-01-01T08:00:00Z,Town Hall,3,2014-01-01T08:10:00Z,2,b3,Caltrain",
    ];
    let mut fates = Vec::new();
    let plan = plan_trips(
        table(&TRIP_COLUMNS, &trips),
        &stations,
        &config,
        &mut pseudonyms,
        &KnownTrips::open(&folder.path().join("trips")).unwrap(),
        &mut |fate| fates.push(fate),
    )
    .unwrap();
    assert_eq!((plan.trips.len(), plan.at_repeated_stations), (2, 1));
    assert_eq!(words(&fates), ["station_unknown"]);
}

#[test]
fn a_station_of_another_name_is_no_station_of_a_trip() {
    let row = |id: u64, from: &str, to: &str| {
        format!("{id},600,2014-01-01T08:00:00Z,{from},2014-01-01T08:10:00Z,3,b{id},{to}")
    };
    let rows = [
        row(1, "Caltrain,2", "Civic Center"),
        // The two words are of two stations; no station has the name; no name is given.
        row(2, "Civic Center,2", "Civic Center"),
        row(3, "Caltrain,2", "Somewhere"),
        row(4, ",2", ""),
        // Another spelling of its own name.
        row(5, "Caltran,2", "Civic Center"),
    ];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let (points, set_aside, _) = trips(167_250_000, &rows);
    assert_eq!(points.len(), 3);
    let contradicts = "station_contradicts";
    // The first is of the stations' own file.
    assert_eq!(set_aside[1..], [(3, contradicts), (4, contradicts)]);
}

#[test]
fn trips_are_awarded_by_an_activity_in_kilometres_alone() {
    let versions = [method(1)];
    assert!(check_activity(&versions, ActivityCode(1)).is_ok());
    let mut other = method(1);
    other.version = MethodVersion(2);
    let mut activity = other.activities[0].clone();
    activity.unit = "ride".parse().unwrap();
    other.activities = List::try_from(vec![activity]).unwrap();
    for (versions, code, words) in [
        (&versions[..], 7, "has no activity 7"),
        (
            &[method(1), other][..],
            1,
            "activity 1 of the method is in \"ride\"",
        ),
    ] {
        let error = check_activity(versions, ActivityCode(code))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(words) && error.contains("1 (trip, in km)"),
            "{error}"
        );
    }
}

#[test]
fn points_beyond_what_can_be_written_are_out_of_range() {
    let trip = "1,600,2014-01-01T08:00:00Z,Caltrain,2,2014-01-01T08:10:00Z,3,b1,Civic Center";
    let (points, set_aside, _) = trips(u64::MAX, &[trip]);
    assert!(points.is_empty());
    assert!(set_aside.contains(&(2, "points_out_of_range")));
}

const PINE: &str = "7,c1,2020-01-02T00:00:00Z,0,Pinus radiata :: Monterey Pine,01/01/2020 12:00:00 AM,37.76,-122.44";

fn register(added: &[&str], events: &[&str]) -> (TreeRegister, Vec<SetAside>) {
    let mut set_aside = Vec::new();
    let events = table(&EVENT_COLUMNS, events);
    let added = table(&ADDED_COLUMNS, added);
    let register = read_trees(added, Some(events), None, &mut |row| set_aside.push(row)).unwrap();
    (register, set_aside)
}

#[test]
fn an_event_that_tells_of_no_tree_or_no_day_is_set_aside() {
    let (register, set_aside) = register(
        &[PINE],
        &[
            "c2,2020-02-01T00:00:00Z,remove,7,qSpecies,Pinus radiata,",
            "c2,2020-02-01T00:00:00Z,remove,seven,qSpecies,Pinus radiata,",
            "c2,some day,remove,7,qSpecies,Pinus radiata,",
        ],
    );
    assert_eq!(register.len(), 1);
    let reasons: Vec<_> = set_aside.iter().map(|row| (row.line, row.reason)).collect();
    assert_eq!(reasons, [(3, "id_missing"), (4, "date_malformed")]);
}

/// What became of a tree depends on the order of its lines, so a shuffled history is no other history.
#[test]
fn lines_of_a_tree_out_of_order_stop_the_import() {
    let read = |added: &[&str], events: &[&str]| {
        let (added, events) = (table(&ADDED_COLUMNS, added), table(&EVENT_COLUMNS, events));
        read_trees(added, Some(events), None, &mut |_| {})
    };
    let removed = "c2,2020-02-01T00:00:00Z,remove,7,qSpecies,Pinus radiata,";
    let dated = "c3,2020-03-01T00:00:00Z,change,7,PlantDate,,02/13/2020 12:00:00 AM";
    let of_other = "c1,2020-01-05T00:00:00Z,remove,8,qSpecies,Pinus radiata,";
    let again = PINE
        .replace("2020-01-02", "2020-04-02")
        .replace(",0,", ",1,");
    assert!(read(&[PINE, &again], &[removed, dated, of_other]).is_ok());
    for (added, events, at) in [
        (vec![PINE], vec![dated, removed], 3),
        (vec![again.as_str(), PINE], vec![removed], 3),
    ] {
        let Err(TreesError::Unordered { line, tree, .. }) = read(&added, &events) else {
            panic!("{added:?} {events:?}");
        };
        assert_eq!((line, tree), (at, 7));
    }
}

/// What a planter keeps beside its key, and the log as far as it is the planter's.
struct Planter {
    folder: tempfile::TempDir,
    log: Vec<Statement>,
    species: SpeciesList,
}

impl Planter {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            log: Vec::new(),
            species: SpeciesList::shipped().unwrap(),
        }
    }

    fn config(&self) -> TreesConfig<'_> {
        TreesConfig {
            today: "2026-01-01".parse().unwrap(),
            species: &self.species,
        }
    }

    fn register_file(&self) -> std::path::PathBuf {
        self.folder.path().join("trees")
    }

    fn books(&self) -> TreeBooks {
        let mut books = TreeBooks::open(&self.register_file()).unwrap();
        // The client reads a chain back from its end.
        for (index, statement) in self.log.iter().enumerate().rev() {
            books.take(Index(index as u64), statement);
        }
        books
    }

    /// The first free serial of each plot.
    fn serials(&self) -> HashMap<PlotNumber, PlotSerials> {
        let mut serials = HashMap::new();
        for statement in &self.log {
            if let Statement::Planting(planting) = statement {
                let next = planting.first_serial.0 + planting.count.get();
                serials.insert(planting.plot, PlotSerials::From(Serial(next)));
            }
        }
        serials
    }

    /// Imports a register: all rounds, but for statements that `refuses` tells. Gives what became
    /// of each line.
    fn import_with(
        &mut self,
        (register, set_aside): (TreeRegister, Vec<SetAside>),
        refuses: &dyn Fn(&Statement) -> bool,
    ) -> Vec<LineFate> {
        let mut books = self.books();
        recognize(&register, &mut books, &self.config()).unwrap();
        let mut answers = Answers::default();
        for _ in 0..16 {
            let round = plan_trees(&register, &books, &self.config());
            if round.is_empty() {
                break;
            }
            books.note(round.plantings()).unwrap();
            let mut progress = false;
            for said in round.statements(&self.serials()).unwrap() {
                if refuses(&said.statement) {
                    answers.refused(&said.statement, &said.trees, "no", "refused");
                    continue;
                }
                let index = Index(self.log.len() as u64);
                books.take(index, &said.statement);
                answers.admitted.insert(index);
                self.log.push(said.statement);
                progress = true;
            }
            if !progress {
                break;
            }
        }
        let mut fates: Vec<LineFate> = set_aside.into_iter().map(LineFate::from).collect();
        account(&register, &books, &self.config(), &answers, &mut |fate| {
            fates.push(fate);
            Ok::<_, std::convert::Infallible>(())
        })
        .unwrap();
        assert_eq!(fates.len() as u64, register.read());
        fates.sort_by_key(|fate| (fate.file.clone(), fate.line));
        fates
    }

    fn import(&mut self, read: (TreeRegister, Vec<SetAside>)) -> Vec<LineFate> {
        self.import_with(read, &|_| false)
    }

    fn plantings(&self) -> Vec<&Planting> {
        let plantings = self.log.iter().filter_map(|statement| match statement {
            Statement::Planting(planting) => Some(planting),
            _ => None,
        });
        plantings.collect()
    }

    /// Trees that stand by the log: planted, less those of voided plantings, less those lost.
    fn standing(&self) -> u32 {
        let mut standing: BTreeMap<usize, u32> = BTreeMap::new();
        let mut losses: BTreeMap<usize, (usize, u32)> = BTreeMap::new();
        for (index, statement) in self.log.iter().enumerate() {
            match statement {
                Statement::Planting(planting) => {
                    standing.insert(index, planting.count.get());
                }
                Statement::Correction(correction) => {
                    let target = correction.target.0 as usize;
                    match correction.remedy {
                        Remedy::Lost { count, .. } => {
                            *standing.get_mut(&target).unwrap() -= count.get();
                            losses.insert(index, (target, count.get()));
                        }
                        Remedy::Void => match losses.remove(&target) {
                            Some((planting, count)) => {
                                *standing.get_mut(&planting).unwrap() += count;
                            }
                            None => {
                                standing.remove(&target).unwrap();
                            }
                        },
                        Remedy::Reverse { .. } => panic!("no award is there"),
                    }
                }
                _ => {}
            }
        }
        standing.values().sum()
    }
}

/// The outcomes of lines, in a word each.
fn words(fates: &[LineFate]) -> Vec<String> {
    let words = fates.iter().map(|fate| match &fate.outcome {
        RowOutcome::Admitted(_) => "admitted".to_owned(),
        RowOutcome::AlreadyIn(_) => "already_in".to_owned(),
        RowOutcome::Refused { code, .. } => format!("refused: {code}"),
        RowOutcome::SetAside(reason, _) => (*reason).to_owned(),
    });
    words.collect()
}

fn maple(id: u64, day: &str) -> String {
    format!(
        "{id},c{id},2019-03-12T21:58:28-07:00,0,Acer rubrum :: Red Maple,{day} 12:00:00 AM,37.79779,-122.40042"
    )
}

fn maples(ids: &[u64]) -> (TreeRegister, Vec<SetAside>) {
    let rows: Vec<String> = ids.iter().map(|id| maple(*id, "04/27/2018")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    register(&rows, &[])
}

#[test]
fn a_plot_without_serials_for_its_trees_is_an_error() {
    let planter = Planter::new();
    let (register, _) = register(&[PINE], &[]);
    let round = plan_trees(&register, &planter.books(), &planter.config());
    let statements = round.statements(&HashMap::new()).unwrap();
    let [_plot, planted] = statements.as_slice() else {
        panic!("one tree is one plot and one planting");
    };
    let Statement::Planting(planting) = &planted.statement else {
        panic!("{planted:?}");
    };
    assert_eq!(planting.first_serial, Serial(1));
    let plot: PlotNumber = planting.plot;
    let last = HashMap::from([(plot, PlotSerials::From(Serial(u32::MAX)))]);
    let statements = round.statements(&last).unwrap();
    assert!(matches!(
        &statements[0].statement,
        Statement::Planting(planting) if planting.first_serial == Serial(u32::MAX)
    ));
    let full = HashMap::from([(plot, PlotSerials::Exhausted)]);
    let planned = round.statements(&full).err().unwrap();
    assert!(matches!(
        planned,
        RoundError::Serials(SerialsExhausted(exhausted)) if exhausted == plot
    ));
}

#[test]
fn the_next_exports_of_a_register_plant_only_what_is_new() {
    let mut planter = Planter::new();
    let admitted = planter.import(maples(&[1, 2, 3, 4, 5]));
    assert_eq!(words(&admitted), ["admitted"; 5]);
    let again = planter.log.len();
    assert_eq!(
        words(&planter.import(maples(&[1, 2, 3, 4, 5]))),
        ["already_in"; 5]
    );
    assert_eq!(planter.log.len(), again);
    // One more in the same group, in front, and behind.
    let mut expected = vec!["admitted"];
    expected.extend(["already_in"; 5]);
    expected.push("admitted");
    assert_eq!(
        words(&planter.import(maples(&[0, 1, 2, 3, 4, 5, 6]))),
        expected
    );
    // One stands in the register no more: that is no removal.
    assert_eq!(
        words(&planter.import(maples(&[0, 1, 2, 4, 5, 6]))),
        ["already_in"; 6]
    );
    let counts: Vec<u32> = planter
        .plantings()
        .iter()
        .map(|it| it.count.get())
        .collect();
    assert_eq!(counts, [5, 2]);
    assert_eq!(planter.plantings()[1].first_serial, Serial(6));
    assert_eq!(planter.standing(), 7);
}

#[test]
fn a_changed_row_of_a_tree_that_is_in_is_named_and_never_planted_again() {
    let mut planter = Planter::new();
    planter.import(maples(&[1, 2, 3]));
    let entries = planter.log.len();
    let later = maple(1, "04/28/2018");
    let elsewhere = maple(2, "04/27/2018").replace("37.79779", "37.75001");
    let other = maple(3, "04/27/2018").replace("Acer rubrum", "Pinus radiata");
    let fates = planter.import(register(
        &[&later, &elsewhere, &other, &maple(4, "04/28/2018")],
        &[],
    ));
    assert_eq!(words(&fates), ["changed", "changed", "changed", "admitted"]);
    assert_eq!(fates[0].line, 2);
    assert_eq!(planter.log.len(), entries + 1);
    let broken = maple(1, "13/13/2018");
    assert_eq!(
        words(&planter.import(register(&[&broken], &[]))),
        ["changed"]
    );
    assert_eq!(planter.log.len(), entries + 1);
}

#[test]
fn what_happened_to_trees_later_is_told_once_and_of_single_trees() {
    let mut planter = Planter::new();
    planter.import(maples(&[1, 2, 3, 4]));
    let rows: Vec<String> = [1, 2, 3, 4]
        .iter()
        .map(|id| maple(*id, "04/27/2018"))
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let removals = [
        "e1,2020-02-01T00:00:00Z,remove,2,qSpecies,Acer rubrum,",
        "e1,2020-02-01T00:00:00Z,remove,2,qCaretaker,Private,",
        "e1,2020-02-01T00:00:00Z,remove,3,qSpecies,Acer rubrum,",
        "e2,2020-02-02T00:00:00Z,change,4,PlantDate,04/27/2018 12:00:00 AM,04/28/2018 12:00:00 AM",
        "e2,2020-02-02T00:00:00Z,change,4,qCaretaker,Private,DPW",
        "e2,2020-02-02T00:00:00Z,change,99,PlantDate,,05/28/2018 12:00:00 AM",
    ];
    let fates = planter.import(register(&rows, &removals));
    let expected = [
        "already_in",
        "admitted",
        "already_in",
        "admitted",
        "already_in",
        "admitted",
        "already_in",
        "date_of_several",
        "not_stated",
        "species_unknown",
    ];
    assert_eq!(words(&fates), expected);
    assert_eq!(planter.standing(), 2);
    let entries = planter.log.len();
    let again = planter.import(register(&rows, &removals));
    assert!(
        again
            .iter()
            .all(|fate| !matches!(fate.outcome, RowOutcome::Admitted(_)))
    );
    // Both came back: their one loss is void.
    let back: Vec<String> = [2, 3]
        .iter()
        .map(|id| {
            let row = maple(*id, "04/27/2018");
            row.replace("2019-03-12T21:58:28-07:00,0,", "2020-03-01T00:00:00Z,1,")
        })
        .collect();
    let rows = [rows.as_slice(), &[&back[0]], &[&back[1]]].concat();
    planter.import(register(&rows, &removals));
    assert_eq!(planter.log.len(), entries + 1);
    assert_eq!(planter.standing(), 4);
    planter.import(register(&rows, &removals));
    assert_eq!(planter.log.len(), entries + 1);
}

/// A row of tree 3 that says that it came back.
fn back(at: &str, day: &str) -> String {
    maple(3, day)
        .replace("2019-03-12T21:58:28-07:00,0", &format!("{at},1"))
        .replace("c3", "c9")
}

fn removal(at: &str) -> String {
    format!("e,{at},remove,3,qSpecies,Acer rubrum,")
}

/// Imports the files in turn; gives how many trees stand after each, and what the
/// lines of tree 3 came to, sorted.
fn standing_after(steps: &[(&[String], &[String])]) -> Vec<(u32, Vec<String>)> {
    let mut planter = Planter::new();
    let of = |(rows, events): &(&[String], &[String])| {
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        let fates = planter.import(register(&rows, &events));
        let all = words(&fates);
        let of_tree = fates.iter().zip(all);
        let of_tree = of_tree.filter(|(fate, _)| fate.id == "tree 3");
        let mut of_tree: Vec<String> = of_tree.map(|(_, word)| word).collect();
        of_tree.sort_unstable();
        (planter.standing(), of_tree)
    };
    steps.iter().map(of).collect()
}

#[test]
fn what_became_of_a_tree_is_told_by_the_order_of_its_rows_and_removals() {
    let day = "04/27/2018";
    let rows = |more: &[String]| -> Vec<String> {
        let all = [1, 2, 3].map(|id| maple(id, day));
        all.into_iter().chain(more.iter().cloned()).collect()
    };
    let (r1, r2) = (
        removal("2020-05-01T00:00:00Z"),
        removal("2021-01-01T00:00:00Z"),
    );
    let came_back = back("2020-06-01T00:00:00Z", day);
    let again = back("2021-06-01T00:00:00Z", day);
    let (added, with_back) = (rows(&[]), rows(std::slice::from_ref(&came_back)));
    let both = [r1.clone(), r2.clone()];
    let words =
        |words: &[&str]| -> Vec<String> { words.iter().map(|word| (*word).to_owned()).collect() };
    // Returned and removed again: step by step, in two steps, at once. Then the same again.
    for steps in [
        vec![
            (&added[..], &both[..0]),
            (&added, &both[..1]),
            (&with_back, &both[..1]),
            (&with_back, &both),
        ],
        vec![(&added[..], &both[..1]), (&with_back, &both)],
        vec![(&with_back[..], &both[..])],
    ] {
        let mut steps = steps;
        steps.push((&with_back, &both));
        let told = standing_after(&steps);
        assert_eq!(told.last().unwrap().0, 2, "{told:?}");
        assert!(told.last().unwrap().1.iter().all(|word| word != "admitted"));
        if steps.len() == 5 {
            let standing: Vec<u32> = told.iter().map(|(standing, _)| *standing).collect();
            assert_eq!(standing, [3, 2, 3, 2, 2]);
            let expected = ["admitted", "admitted", "already_in", "already_in"];
            assert_eq!(told[3].1, words(&expected));
        }
    }
    // And it came back once more; on one day, in one commit.
    let with_both = rows(&[came_back.clone(), again.clone()]);
    let steps = [
        (&with_back[..], &both[..]),
        (&with_both, &both),
        (&with_both, &both),
    ];
    let standing: Vec<u32> = standing_after(&steps)
        .iter()
        .map(|(count, _)| *count)
        .collect();
    assert_eq!(standing, [2, 3, 3]);
    let day_of = [
        "2020-05-01T01:00:00Z",
        "2020-05-01T02:00:00Z",
        "2020-05-01T03:00:00Z",
    ];
    let on_a_day = [removal(day_of[0]), removal(day_of[2])];
    let with_back_then = rows(&[back(day_of[1], day)]);
    let steps = [
        (&added[..], &on_a_day[..1]),
        (&with_back_then, &on_a_day[..1]),
        (&with_back_then, &on_a_day),
    ];
    let standing: Vec<u32> = standing_after(&steps)
        .iter()
        .map(|(count, _)| *count)
        .collect();
    assert_eq!(standing, [2, 3, 2]);
    // A removal that is older than the only row is of an earlier tree.
    let returned: Vec<String> = [maple(1, day), maple(2, day), came_back.clone()].into();
    let told = standing_after(&[(&returned, &both[..1])]);
    assert_eq!(told, [(3, words(&["admitted", "removed_before_listed"]))]);
    assert_eq!(standing_after(&[(&returned, &both[1..])])[0].0, 2);
    let older = [removal("2018-05-01T00:00:00Z")];
    assert_eq!(
        standing_after(&[(&added, &older)])[0],
        (3, words(&["admitted", "removed_before_listed"]))
    );
    // In the books by an earlier export, lost, and back.
    let steps = [(&added[..], &both[..1]), (&returned[..], &both[..1])];
    assert_eq!(standing_after(&steps)[1].0, 3);
    // At the same time nothing comes first.
    let same = [r1.clone(), removal("2020-06-01T00:00:00Z")];
    let told = standing_after(&[(&with_back, &same)]);
    assert_eq!(told, [(2, words(&["fate_unclear"; 4]))]);
}

#[test]
fn another_tree_under_the_number_brings_no_tree_back() {
    let day = "04/27/2018";
    let at = "2020-06-01T00:00:00Z";
    let events = [
        removal("2020-05-01T00:00:00Z"),
        removal("2021-05-01T00:00:00Z"),
    ];
    let others = [
        back(at, "05/20/2020"),
        back(at, day).replace("Acer rubrum :: Red Maple", "Pinus radiata :: Monterey Pine"),
        back(at, day).replace("37.79779", "37.75001"),
    ];
    let others_in = |words: &[String]| words.iter().filter(|word| *word == "other_tree").count();
    for other in others {
        let rows: Vec<String> = [maple(1, day), maple(3, day)].into();
        let with: Vec<String> = rows.iter().cloned().chain([other]).collect();
        for steps in [
            vec![(&rows[..], &events[..1]), (&with, &events[..1])],
            vec![(&with[..], &events[..1])],
        ] {
            let told = standing_after(&steps);
            let (standing, words) = told.last().unwrap();
            assert_eq!((*standing, others_in(words)), (1, 1), "{told:?}");
        }
        let told = standing_after(&[(&with, &events)]);
        assert_eq!((told[0].0, others_in(&told[0].1)), (1, 2), "{told:?}");
        // Without its removal nobody can tell whether the first one stands.
        let told = standing_after(&[(&with, &[])]);
        assert_eq!((told[0].0, others_in(&told[0].1)), (1, 1), "{told:?}");
        assert!(told[0].1.contains(&"fate_unclear".to_owned()), "{told:?}");
    }
    // A row that leaves the date out, or writes it otherwise, contradicts nothing.
    for same in [
        back(at, day).replace("04/27/2018 12:00:00 AM", ""),
        back(at, day).replace(" 12:00:00 AM", ""),
    ] {
        let with: Vec<String> = vec![maple(1, day), maple(3, day), same];
        assert_eq!(standing_after(&[(&with, &events[..1])])[0].0, 2);
    }
}

/// A tree is known by its id: its removal is told although the table of added trees has its row no
/// more.
#[test]
fn the_removal_of_a_tree_that_only_the_books_know_is_a_loss() {
    let mut planter = Planter::new();
    planter.import(maples(&[1, 2, 3]));
    let events = [
        "e1,2020-02-01T00:00:00Z,change,2,PlantDate,04/27/2018,04/28/2018",
        "e2,2020-02-02T00:00:00Z,remove,2,qSpecies,Acer rubrum,",
        "e2,2020-02-02T00:00:00Z,remove,3,qCaretaker,Private,",
        "e2,2020-02-02T00:00:00Z,remove,9,qSpecies,Acer rubrum,",
    ];
    let row = maple(1, "04/27/2018");
    let read = || {
        let (mut read, set_aside) = register(&[&row], &events);
        let missing = missing_trees(&read, &planter.books());
        assert_eq!((missing.count, missing.known), (2, 3));
        read.drop_unknown(&planter.books());
        (read, set_aside)
    };
    let read_once = read();
    let fates = planter.import(read_once);
    let expected = [
        "already_in",
        "row_missing",
        "admitted",
        "admitted",
        "no_date",
    ];
    assert_eq!(words(&fates), expected);
    assert_eq!(planter.standing(), 1);
    assert_eq!(planter.plantings().len(), 1);
    let fates = planter.import(register(&[&row], &events));
    let expected = [
        "already_in",
        "row_missing",
        "already_in",
        "already_in",
        "no_date",
    ];
    assert_eq!(words(&fates), expected);
    assert_eq!(planter.standing(), 1);
}

#[test]
fn a_part_of_a_register_is_told_by_its_end_its_rows_and_the_trees_that_it_lacks() {
    let text = format!("{}\n{}", ADDED_COLUMNS.join(","), maple(1, "04/27/2018"));
    let read = |text: &str| {
        let source = Box::new(Cursor::new(text.as_bytes().to_vec()));
        let added = CsvTable::read("t.csv".to_owned(), source, false, &ADDED_COLUMNS).unwrap();
        read_trees(added, None, None, &mut |_| {})
    };
    let error = read(&text).err().unwrap();
    assert!(matches!(error, TreesError::Cut { line: 2, .. }), "{error}");
    let whole = read(&format!("{text}\n")).unwrap();
    assert!(whole.check_rows(Some(1), None).is_ok());
    let error = whole.check_rows(Some(2), None).err().unwrap();
    assert!(
        matches!(
            error,
            TreesError::Rows {
                expected: 2,
                found: 1,
                ..
            }
        ),
        "{error}"
    );
    let ids: Vec<u64> = (1..=30).collect();
    let mut planter = Planter::new();
    planter.import(maples(&ids));
    for (listed, is_part) in [(30, false), (20, false), (19, true)] {
        let (part, _) = maples(&ids[..listed]);
        let missing = missing_trees(&part, &planter.books());
        assert_eq!(missing.count as usize, 30 - listed);
        assert_eq!(missing.is_part(), is_part, "{listed}");
    }
}

#[test]
fn an_altered_date_is_a_void_and_then_a_new_planting_and_none_without_the_void() {
    let altered =
        "e1,2020-02-01T00:00:00Z,change,7,PlantDate,01/01/2020 12:00:00 AM,12/31/2019 12:00:00 AM";
    let bad = "e2,2020-02-02T00:00:00Z,change,7,PlantDate,,12/31/2021 12:00:00 AM";
    let older = "e3,2020-02-03T00:00:00Z,change,8,qCaretaker,a,b";
    let removed = "e4,2020-03-01T00:00:00Z,remove,7,qSpecies,Pinus radiata,";
    let events = [altered, bad, older, removed];
    let mut planter = Planter::new();
    // A promise stands on the tree: the void is refused, and so nothing is planted again.
    let is_void = |said: &Statement| {
        matches!(
            said,
            Statement::Correction(Correction {
                remedy: Remedy::Void,
                ..
            })
        )
    };
    let fates = planter.import_with(register(&[PINE], &events), &is_void);
    let expected = [
        "admitted",
        "refused: no",
        "date_after_publication",
        "not_stated",
        "refused: no",
    ];
    assert_eq!(words(&fates), expected.map(str::to_owned));
    assert_eq!(planter.plantings().len(), 1);
    let fates = planter.import(register(&[PINE], &events));
    let expected = [
        "admitted",
        "admitted",
        "date_after_publication",
        "not_stated",
        "admitted",
    ];
    assert_eq!(words(&fates), expected.map(str::to_owned));
    let days: Vec<String> = planter
        .plantings()
        .iter()
        .map(|it| it.planted_until.to_string())
        .collect();
    assert_eq!(days, ["2020-01-01", "2019-12-31"]);
    assert_eq!(planter.standing(), 0);
    let entries = planter.log.len();
    let again = planter.import(register(&[PINE], &events));
    assert_eq!(words(&again)[0], "already_in");
    assert_eq!(planter.log.len(), entries);
}

#[test]
fn a_lost_register_of_trees_is_made_anew_or_stops_the_import() {
    let mut planter = Planter::new();
    planter.import(maples(&[1, 2, 3]));
    planter.import(maples(&[1, 2, 3, 4, 5]));
    let entries = planter.log.len();
    std::fs::remove_file(planter.register_file()).unwrap();
    let fates = planter.import(maples(&[0, 1, 2, 3, 4, 5, 6]));
    let expected = [
        "admitted",
        "already_in",
        "already_in",
        "already_in",
        "already_in",
        "already_in",
        "admitted",
    ];
    assert_eq!(words(&fates), expected);
    assert_eq!(planter.log.len(), entries + 1);
    // A tree of a planting stands in the file no more: which trees it was of can't be told.
    std::fs::remove_file(planter.register_file()).unwrap();
    let (register, _) = maples(&[0, 1, 3, 4, 5, 6, 7]);
    let mut books = planter.books();
    let error = recognize(&register, &mut books, &planter.config()).unwrap_err();
    assert!(error.to_string().contains("--not-imported"), "{error}");
    books.leave_unknown().unwrap();
    assert!(planter.books().check_known().is_ok());
}

#[test]
fn most_places_exchanged_stop_the_import_and_a_few_are_set_aside() {
    let exchanged = maple(1, "04/27/2018").replace("37.79779,-122.40042", "-122.40042,37.79779");
    let read = |rows: &[&str]| {
        let added = table(&ADDED_COLUMNS, rows);
        read_trees(added, None, None, &mut |_| {})
    };
    let error = read(&[&exchanged]).err().unwrap().to_string();
    assert!(error.contains("exchanged in 1 of 1"), "{error}");
    let maple = maple(2, "04/27/2018");
    let mut planter = Planter::new();
    let fates = planter.import(register(&[&exchanged, &maple], &[]));
    assert_eq!(words(&fates), ["place_wrong", "admitted"]);

    let stations = |rows: &[&str]| {
        let stations = table(&STATION_COLUMNS, rows);
        read_stations(stations, BAY_AREA, &mut |_| {})
            .err()
            .map(|error| error.to_string())
    };
    let swapped = [
        "2,a,-121.9018,37.3297",
        "3,b,-121.8890,37.3307",
        "4,c,37.3,-121.9",
    ];
    assert!(stations(&swapped).unwrap().contains("exchanged in 2 of 3"));
    let east = ["2,a,37.3297,121.9018", "3,b,37.3307,121.8890"];
    assert!(stations(&east).unwrap().contains("--area"));
}

#[test]
fn dates_that_could_be_two_days_stop_the_import() {
    let read = |days: &[&str], order| {
        let rows: Vec<String> = (1..).zip(days).map(|(id, day)| maple(id, day)).collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let added = table(&ADDED_COLUMNS, &rows);
        read_trees(added, None, order, &mut |_| {}).map_err(|error| error.to_string())
    };
    let error = read(&["05/05/2018", "05/04/2018"], None).err().unwrap();
    assert!(
        error.contains("line 3") && error.contains("--dates"),
        "{error}"
    );
    let error = read(&["04/27/2018", "27/04/2018"], None).err().unwrap();
    assert!(error.contains("two orders"), "{error}");
    for (order, day) in [
        (DateOrder::DayFirst, "2018-04-05"),
        (DateOrder::MonthFirst, "2018-05-04"),
    ] {
        let mut planter = Planter::new();
        let register = read(&["05/04/2018"], Some(order)).unwrap();
        planter.import((register, Vec::new()));
        assert_eq!(planter.plantings()[0].planted_until.to_string(), day);
    }
    // The whole file tells: the same value, and another day.
    let mut planter = Planter::new();
    planter.import((
        read(&["05/04/2018", "27/04/2018"], None).unwrap(),
        Vec::new(),
    ));
    let days: Vec<String> = planter
        .plantings()
        .iter()
        .map(|it| it.planted_until.to_string())
        .collect();
    assert_eq!(days, ["2018-04-05", "2018-04-27"]);
}

fn trip(id: u64, bike: u64, start: u64) -> String {
    let (end, day) = (start + 10, 1 + id % 9);
    let clock = |minute: u64| format!("2014-02-0{day}T{:02}:{:02}:00Z", minute / 60, minute % 60);
    format!(
        "{id},600,{},Caltrain,2,{},3,{bike},Civic Center",
        clock(start),
        clock(end)
    )
}

#[test]
fn a_trip_is_known_by_its_id_whatever_else_a_later_export_says() {
    let mut platform = Platform::new();
    let week: Vec<String> = (11..14).map(|id| trip(id, id, 550)).collect();
    let rows: Vec<&str> = week.iter().map(String::as_str).collect();
    let (plan, _) = platform.plan(167_250_000, &trip_file(&rows));
    assert_eq!(platform.send(&plan), [2, 3, 4]);
    // Late rows in front and between, one of them while the bicycle was on another trip.
    let late = [trip(10, 10, 550), trip(20, 11, 545)];
    let rows = [&late[0], rows[0], &late[1], rows[1], rows[2]];
    let (plan, fates) = platform.plan(167_250_000, &trip_file(&rows));
    assert_eq!(platform.send(&plan), [2, 4]);
    assert_eq!(set_aside(&fates).len(), 1, "the station");
    let [reversal] = plan.overlaps.as_slice() else {
        panic!("{:?}", plan.overlaps);
    };
    // The one that came late, though it began first; what was in stays.
    assert_eq!(reversal.reversed, TripRef::Row(1));
    assert_eq!(reversal.standing, TripRef::Entry(Index(0)));
    let (plan, _) = platform.plan(167_250_000, &trip_file(&rows));
    assert!(platform.send(&plan).is_empty() && plan.overlaps.is_empty());
    assert_eq!(plan.balances.values().sum::<u64>(), 4 * 190);
    // The rows of what is in need not be there to find an overlap.
    let (plan, _) = platform.plan(167_250_000, &trip_file(&[&trip(22, 13, 552)]));
    assert_eq!(plan.overlaps.len(), 1);

    // A known id with another row: named, with its line, and not sent.
    for changed in [
        rows[1].replace("600", "660"),
        rows[1].replace(",11,Civic", ",12,Civic"),
        rows[1].replace("2014-02-03", "2014-02-04"),
        rows[1].replace(",3,11,", ",9,11,"),
    ] {
        let (plan, fates) = platform.plan(167_250_000, &trip_file(&[rows[0], &changed]));
        assert!(platform.send(&plan).is_empty());
        let last = set_aside(&fates).last().copied();
        assert_eq!(last, Some((3, "changed")), "{changed}");
    }
    // Without the register, the log tells still.
    std::fs::remove_file(platform.folder.path().join("trips")).unwrap();
    let (plan, _) = platform.plan(167_250_000, &trip_file(&rows));
    assert!(platform.send(&plan).is_empty());
}

/// What is done to rows on their way.
fn damage(dice: &mut Dice, row: &str) -> Vec<u8> {
    let at = dice.below(row.len() as u64) as usize;
    let mut bytes = row.as_bytes().to_vec();
    match dice.below(7) {
        0 => bytes.insert(at, b'"'),
        1 => bytes.truncate(at),
        2 => bytes.extend_from_slice(b",more"),
        3 => bytes.insert(at, 0xe9),
        4 => bytes.splice(at..at, *b"\"a\nb\"").for_each(drop),
        5 => bytes = TRIP_COLUMNS.join(",").into_bytes(),
        _ => {
            bytes = bytes
                .iter()
                .map(|byte| if *byte == b',' { b';' } else { *byte })
                .collect()
        }
    }
    bytes
}

#[test]
fn lines_of_damaged_files_are_accounted_for_and_the_good_ones_taken_once() {
    for seed in 0..150 {
        let mut dice = Dice::new(seed);
        let mut platform = Platform::new();
        let (mut file, mut good) = (trip_file(&[]), BTreeSet::new());
        file.pop();
        for _ in 0..dice.below(40) {
            // Ids repeat, by chance with another row.
            let row = trip(1 + dice.below(30), 1 + dice.below(9), 10 * dice.below(140));
            if dice.one_in(3) {
                file.extend(damage(&mut dice, &row));
            } else {
                good.insert(row.split(',').next().unwrap().parse::<u64>().unwrap());
                file.extend_from_slice(row.as_bytes());
            }
            file.push(b'\n');
        }
        let lines = file[..].split(|byte| *byte == b'\n').skip(1);
        let lines = lines
            .filter(|line| !line.iter().all(u8::is_ascii_whitespace))
            .count();
        let mut awarded = BTreeSet::new();
        for run in 0..3 {
            let (plan, fates) = platform.plan(167_250_000, &file);
            assert_eq!(plan.read, lines as u64, "seed {seed}");
            let of_rows = fates.iter().filter(|fate| !fate.id.starts_with("station"));
            let of_rows: Vec<_> = of_rows.collect();
            let new = plan.trips.len() + plan.repeats.len();
            assert_eq!(new + of_rows.len(), lines, "seed {seed}");
            let sent = platform.send(&plan);
            assert!(run == 0 || sent.is_empty(), "seed {seed}: {sent:?}");
            assert!(run == 0 || plan.overlaps.is_empty(), "seed {seed}");
            let in_log = of_rows.iter().filter_map(|fate| match fate.outcome {
                RowOutcome::AlreadyIn(index) => {
                    let id = fate.id.strip_prefix("trip ")?.parse::<u64>();
                    Some((id.ok()?, index))
                }
                _ => None,
            });
            // A row that stands twice is in by the same entry.
            let in_log: BTreeSet<(u64, Index)> = in_log.collect();
            let mut ids: Vec<u64> = plan.trips.iter().map(|trip| trip.number).collect();
            ids.extend(in_log.into_iter().map(|(id, _)| id));
            let count = ids.len();
            let ids: BTreeSet<u64> = ids.into_iter().collect();
            assert_eq!(ids.len(), count, "seed {seed}: an id twice");
            assert!(good.is_subset(&ids), "seed {seed}: {good:?} {ids:?}");
            awarded.extend(ids);
        }
        let awards = platform
            .log
            .iter()
            .filter(|it| matches!(it, Statement::Award(_)));
        assert_eq!(awards.count(), awarded.len(), "seed {seed}");
    }
}

#[test]
fn exports_in_any_order_plant_each_tree_once() {
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let mut planter = Planter::new();
        let mut ids = BTreeSet::new();
        for _ in 0..1 + dice.below(6) {
            let mut rows = Vec::new();
            for id in 1..=12 {
                if dice.one_in(2) {
                    // Three groups; the row of an id is always the same.
                    rows.push(maple(
                        id,
                        ["04/27/2018", "04/28/2018", "04/29/2018"][id as usize % 3],
                    ));
                    ids.insert(id);
                }
            }
            let texts: Vec<&str> = rows.iter().map(String::as_str).collect();
            // A part of the statements gets lost on the way, as by a crash.
            let lost = dice.roll();
            let entries = planter.log.len();
            let refuses = |said: &Statement| match said {
                Statement::Planting(planting) => {
                    (lost >> (planting.planted_until.0 % 3)) & 1 == 1 && lost & 8 == 8
                }
                _ => false,
            };
            planter.import_with(register(&texts, &[]), &refuses);
            let fates = planter.import(register(&texts, &[]));
            let is_in = |fate: &LineFate| {
                matches!(
                    fate.outcome,
                    RowOutcome::Admitted(_) | RowOutcome::AlreadyIn(_)
                )
            };
            assert!(fates.iter().all(is_in), "seed {seed}");
            assert!(planter.log.len() >= entries);
        }
        assert_eq!(planter.standing() as usize, ids.len(), "seed {seed}");
        let plantings = planter.plantings();
        let counts = plantings.iter().map(|planting| planting.count.get());
        assert_eq!(counts.sum::<u32>() as usize, ids.len(), "seed {seed}");
    }
}

#[test]
fn a_damaged_register_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (name, open) in [
        (
            "trips",
            (|path| KnownTrips::open(path).err()) as fn(&Path) -> Option<_>,
        ),
        ("trees", |path| TreeBooks::open(path).err()),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, "planting 1 2 0123456789abcdef\n").unwrap();
        let error = open(&path).unwrap().to_string();
        assert!(error.contains("line 1, is damaged"), "{error}");
    }
}

#[test]
fn a_row_on_several_lines_is_set_aside_and_the_next_is_read() {
    let text = b"a,b\n1,\"x\ny\"\n2,z\n".to_vec();
    let mut table = CsvTable::read(
        "t".to_owned(),
        Box::new(Cursor::new(text)),
        false,
        &["a", "b"],
    )
    .unwrap();
    let mut read = Vec::new();
    while let Some(line) = table.next_line().unwrap() {
        read.push(match line {
            CsvLine::Row(row) => (row.line, "row"),
            CsvLine::SetAside(row) => (row.line, row.reason),
        });
    }
    assert_eq!(
        read,
        [(2, "quote_unclosed"), (3, "quote_stray"), (4, "row")]
    );
}

#[test]
fn a_species_list_is_whole_or_an_error() {
    let line = |text: &str| SpeciesList::read(text).err();
    assert_eq!(
        line("code,latin,common\n1,Pinus radiata,Monterey Pine\n"),
        None
    );
    let mut long = "code,latin,common\n".to_owned();
    for code in 1..=401 {
        long.push_str(&format!("{code},Acer number {code},Maple\n"));
        assert_eq!(line(&long).is_some(), code > 400);
    }
    let error = line(&long).unwrap().to_string();
    assert!(error.contains("401 items, but 0 to 400"), "{error}");
    for (wrong, number) in [
        ("code,latin,common\n1,Pinus radiata\n", 2),
        ("code,latin,common\n1,Pinus radiata,a\nx,Abies alba,b\n", 3),
        ("code,latin,common\n1,Pinus radiata,a\n1,Abies alba,b\n", 3),
        (
            "code,latin,common\n1,Pinus radiata,a\n2,Pinus radiata,b\n",
            3,
        ),
    ] {
        assert_eq!(line(wrong), Some(SpeciesListError::Line(number)), "{wrong}");
    }
}

/// The server's word on reversals is held against the platform's own corrections, which are proven.
#[test]
fn reversals_that_contradict_the_platforms_own_are_an_error() {
    let mut platform = Platform::new();
    let rows = [trip(1, 7, 10), trip(10, 7, 12), trip(3, 8, 10)];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let (plan, _) = platform.plan(1_000_000_000, &trip_file(&rows));
    platform.send(&plan);
    let mut known = platform.known();
    let (award, points) = (Index(1), plan.trips[1].award.points);
    assert_eq!(plan.overlaps.len(), 1);
    assert_eq!(known.award_range(), Some((Index(0), Index(2))));
    // The server names none; then less; then just that; then more, which others took.
    assert!(known.check_reversals().is_err());
    assert!(known.take_reversal(award, Grams(points.0 - 1)).is_err());
    known.take_reversal(award, points).unwrap();
    known.check_reversals().unwrap();
    assert_eq!(known.reversals_by_others().awards, 0);
    known.take_reversal(Index(2), Grams(1)).unwrap();
    let others = known.reversals_by_others();
    assert_eq!((others.awards, others.points), (1, 1));
    let left = plan.trips[2].award.points.0 - 1;
    assert_eq!(known.points_left(Index(2)), Some(Grams(left)));
}
