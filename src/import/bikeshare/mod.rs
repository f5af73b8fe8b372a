//! Bay Area Bike Share trips as awards: great-circle distance between the stations, on the day
//! that the trip ended.

use std::collections::HashMap;

use crate::import::accounts::{Pseudonyms, PseudonymsError};
use crate::import::csv_table::{CsvRow, CsvTable, CsvTableError, SetAside};
use crate::record::{ActivityCode, Award, Day, Grams, Method, Quantity, Statement};

/// A longer trip is a bicycle that was not returned, not a ride.
const DURATION_S_MAX: u64 = 86_400;
/// Nobody rides faster between two stations, by the straight line.
const SPEED_KMH_MAX: f64 = 35.0;
/// Mean radius of the Earth, as the haversine formula takes it (IUGG).
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// The columns that a table of trips must have.
pub const TRIP_COLUMNS: [&str; 9] = [
    "trip_id",
    "duration",
    "start_date",
    "start_station",
    "start_terminal",
    "end_date",
    "end_terminal",
    "bike_id",
    "end_station",
];
/// The columns that a table of stations must have.
pub const STATION_COLUMNS: [&str; 4] = ["station_id", "name", "lat", "long"];

type TripTable = CsvTable<{ TRIP_COLUMNS.len() }>;
type StationTable = CsvTable<{ STATION_COLUMNS.len() }>;

/// By which method trips are awarded.
pub struct TripsConfig<'a> {
    /// The versions of one method.
    pub versions: &'a [Method],
    /// The activity of that method, measured in kilometres.
    pub activity: ActivityCode,
    /// No trip ended after this day.
    pub today: Day,
}

/// What the files came to.
#[derive(Default)]
pub struct TripPlan {
    /// The awards, in the order of the rows.
    pub awards: Vec<Award>,
    /// Awards that are to be reversed, in their order.
    pub overlaps: Vec<Overlap>,
    /// Rows that do not go in.
    pub set_aside: Vec<SetAside>,
}

/// A trip that began before another trip of the same bicycle had ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// Its award, by position in [`TripPlan::awards`].
    pub award: usize,
    /// Its row.
    pub row: usize,
    /// The row of the other trip.
    pub earlier_row: usize,
}

impl TripPlan {
    /// The awards, as statements.
    pub fn statements(&self) -> Vec<Statement> {
        self.awards.iter().cloned().map(Statement::Award).collect()
    }
}

/// Why trips can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TripsError {
    /// A file.
    #[error(transparent)]
    Table(#[from] CsvTableError),
    /// The pseudonyms' keys.
    #[error(transparent)]
    Pseudonyms(#[from] PseudonymsError),
}

struct Station {
    name: String,
    lat: f64,
    long: f64,
}

/// Stations by id; one that was moved has several locations.
type Stations = HashMap<String, Vec<Station>>;

/// A minute, since 1970, and the day in which it lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    minute: u64,
    day: Day,
}

/// When a bicycle was on a trip, which award the trip became, and its row.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Ride {
    start: Moment,
    end: Moment,
    award: usize,
    row: usize,
}

/// Why a row does not go in: a stable name, and words.
type RowFault = (&'static str, String);

enum TripFault {
    Row(RowFault),
    Pseudonyms(PseudonymsError),
}

impl From<RowFault> for TripFault {
    fn from(fault: RowFault) -> Self {
        Self::Row(fault)
    }
}

impl From<PseudonymsError> for TripFault {
    fn from(error: PseudonymsError) -> Self {
        Self::Pseudonyms(error)
    }
}

/// Reads stations and trips, and plans awards.
///
/// # Errors
/// [`TripsError`]; a row that is wrong is no error but set aside.
pub fn plan_trips(
    mut trips: TripTable,
    mut stations: StationTable,
    config: &TripsConfig<'_>,
    pseudonyms: &mut Pseudonyms,
) -> Result<TripPlan, TripsError> {
    let mut plan = TripPlan::default();
    let stations = read_stations(&mut stations, &mut plan.set_aside)?;
    let mut rows_by_id: HashMap<String, (usize, [u8; 32])> = HashMap::new();
    let mut rides: HashMap<String, Vec<Ride>> = HashMap::new();
    while let Some(row) = trips.next_row()? {
        let [id, .., bike, _end_station] = &row.fields;
        let mut set_aside = |(reason, detail): RowFault, other_row| {
            plan.set_aside.push(SetAside {
                file: trips.file().to_owned(),
                row: row.number,
                id: format!("trip {id}"),
                reason,
                detail,
                other_row,
            });
        };
        if let Some((first, digest)) = rows_by_id.get(id) {
            let (reason, how) = if *digest == row.digest {
                ("duplicate", "the same in every field")
            } else {
                ("trip_id_repeated", "another trip under the same id")
            };
            let detail = format!("rows {first} and {} are {how}", row.number);
            set_aside((reason, detail), Some(*first));
            continue;
        }
        rows_by_id.insert(id.clone(), (row.number, row.digest));
        match award(&row, &stations, config, pseudonyms) {
            Ok((award, start, end)) => {
                rides.entry(bike.clone()).or_default().push(Ride {
                    start,
                    end,
                    award: plan.awards.len(),
                    row: row.number,
                });
                plan.awards.push(award);
            }
            Err(TripFault::Row(fault)) => set_aside(fault, None),
            Err(TripFault::Pseudonyms(error)) => return Err(error.into()),
        }
    }
    plan.overlaps = overlaps(rides);
    Ok(plan)
}

fn read_stations(
    table: &mut StationTable,
    set_aside: &mut Vec<SetAside>,
) -> Result<Stations, CsvTableError> {
    let mut stations = Stations::new();
    while let Some(row) = table.next_row()? {
        let [id, name, lat, long] = row.fields;
        match (degrees(&lat, 90.0), degrees(&long, 180.0)) {
            (Some(lat), Some(long)) => {
                let station = Station { name, lat, long };
                stations.entry(id).or_default().push(station);
            }
            _ => set_aside.push(SetAside {
                file: table.file().to_owned(),
                row: row.number,
                id: format!("station {id}"),
                reason: "place_wrong",
                detail: format!("latitude {lat:?}, longitude {long:?} are not degrees"),
                other_row: None,
            }),
        }
    }
    Ok(stations)
}

fn degrees(text: &str, most: f64) -> Option<f64> {
    let degrees: f64 = text.parse().ok()?;
    (degrees.abs() <= most).then_some(degrees)
}

/// A station by its id; of one that was moved, the location that has the name of the row.
fn station<'a>(stations: &'a Stations, id: &str, name: &str) -> Result<&'a Station, RowFault> {
    stations
        .get(id)
        .and_then(|locations| {
            let named = locations.iter().find(|station| station.name == name);
            named.or(locations.first())
        })
        .ok_or_else(|| ("station_unknown", format!("there is no station {id}")))
}

/// The award of a row, and when the trip began and ended.
fn award(
    row: &CsvRow<{ TRIP_COLUMNS.len() }>,
    stations: &Stations,
    config: &TripsConfig<'_>,
    pseudonyms: &mut Pseudonyms,
) -> Result<(Award, Moment, Moment), TripFault> {
    let [
        id,
        duration,
        started,
        start_station,
        start_terminal,
        ended,
        end_terminal,
        bike,
        end_station,
    ] = &row.fields;
    if id.is_empty() || bike.is_empty() {
        let detail = "it has no trip id or no bicycle".to_owned();
        return Err(("id_missing", detail).into());
    }
    let duration: u64 = duration
        .parse()
        .map_err(|_| ("duration_malformed", format!("duration {duration:?}")))?;
    if duration > DURATION_S_MAX {
        let days = duration / DURATION_S_MAX;
        let detail = format!("it lasted {duration} s, over {days} days: not a ride");
        return Err(("too_long", detail).into());
    }
    let moment =
        |text: &str| moment(text).ok_or_else(|| ("date_malformed", format!("date {text:?}")));
    let (start, end) = (moment(started)?, moment(ended)?);
    if end < start {
        return Err(("date_reversed", "it ended before it began".to_owned()).into());
    }
    if end.day > config.today {
        let detail = format!("it ended on {}, which is yet to come", end.day);
        return Err(("date_future", detail).into());
    }
    let from = station(stations, start_terminal, start_station)?;
    let to = station(stations, end_terminal, end_station)?;
    let metres = great_circle_m(from, to).round();
    if metres < 1.0 {
        let detail = "it ended where it began: no straight-line distance".to_owned();
        return Err(("no_distance", detail).into());
    }
    let speed = metres / 1000.0 / (duration.max(1) as f64 / 3600.0);
    if speed > SPEED_KMH_MAX {
        let detail = format!("{metres} m in {duration} s are {speed:.0} km/h");
        return Err(("too_fast", detail).into());
    }
    let no_method = |detail| ("no_method", detail);
    let method = config
        .versions
        .iter()
        .filter(|method| method.effective_from <= end.day)
        .max_by_key(|method| method.version)
        .ok_or_else(|| {
            no_method(format!(
                "no version of the method was in effect on {}",
                end.day
            ))
        })?;
    let activity = method
        .activities
        .iter()
        .find(|activity| activity.code == config.activity)
        .ok_or_else(|| no_method(format!("it has no activity {}", config.activity)))?;
    // Metres are thousandths of the unit, a kilometre.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "metres are whole, and at most half the Earth's circumference"
    )]
    let quantity = Quantity(metres as u64);
    let out_of_range = |points: String| {
        let detail = format!("{points} points; 1 to {} are awarded", activity.cap);
        ("points_out_of_range", detail)
    };
    let points = quantity
        .points(activity.factor)
        .ok_or_else(|| out_of_range("more than 64 bits of".to_owned()))?;
    if points == Grams(0) || points > activity.cap {
        return Err(out_of_range(points.to_string()).into());
    }
    let evidence = format!("{id}\n{start_terminal}\n{end_terminal}");
    let award = Award {
        account: pseudonyms.account(&format!("bike:{bike}"))?,
        method: method.id,
        version: method.version,
        activity: config.activity,
        quantity,
        points,
        occurred_on: end.day,
        evidence: pseudonyms.evidence(&evidence)?,
    };
    Ok((award, start, end))
}

/// `2014-01-01T08:14:00Z`, without its seconds.
fn moment(text: &str) -> Option<Moment> {
    let (date, time) = text.split_once('T')?;
    let day: Day = date.parse().ok()?;
    let mut parts = time
        .strip_suffix('Z')?
        .split(':')
        .map(|part| part.parse::<u64>().ok());
    let (hours, minutes) = (parts.next()??, parts.next()??);
    (hours < 24 && minutes < 60).then_some(Moment {
        minute: (u64::from(day.0) * 24 + hours) * 60 + minutes,
        day,
    })
}

/// Haversine.
fn great_circle_m(from: &Station, to: &Station) -> f64 {
    let (lat1, lat2) = (from.lat.to_radians(), to.lat.to_radians());
    let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let h = half(to.lat - from.lat) + lat1.cos() * lat2.cos() * half(to.long - from.long);
    2.0 * EARTH_RADIUS_M * h.sqrt().min(1.0).asin()
}

/// Trips that began before an earlier trip of the same bicycle had ended, in the awards' order.
fn overlaps(rides: HashMap<String, Vec<Ride>>) -> Vec<Overlap> {
    let mut found = Vec::new();
    for mut rides in rides.into_values() {
        rides.sort_unstable();
        let mut last: Option<Ride> = None;
        for ride in rides {
            match &last {
                Some(earlier) if ride.start < earlier.end => found.push(Overlap {
                    award: ride.award,
                    row: ride.row,
                    earlier_row: earlier.row,
                }),
                _ => last = Some(ride),
            }
        }
    }
    found.sort_by_key(|overlap| overlap.award);
    found
}
