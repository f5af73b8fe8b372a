//! Bay Area Bike Share trips as awards: great-circle distance between the stations, on the day
//! that the trip ended.

use std::collections::HashMap;
use std::num::ParseFloatError;

use super::accounts::{Pseudonyms, PseudonymsError};
use super::table::{Row, SetAside, Table, TableError};
use crate::record::{ActivityCode, Award, Day, Grams, Method, Quantity, Statement};

/// A longer trip is a bicycle that was not returned, not a ride.
const DURATION_S_MAX: u64 = 86_400;
/// Nobody rides faster between two stations, by the straight line.
const SPEED_KMH_MAX: f64 = 35.0;
/// Mean radius of the Earth, as the haversine formula takes it (IUGG).
const EARTH_RADIUS_M: f64 = 6_371_008.8;

const TRIP_COLUMNS: [&str; 8] = [
    "trip_id",
    "duration",
    "start_date",
    "start_station",
    "start_terminal",
    "end_date",
    "end_terminal",
    "bike_id",
];
const END_STATION: &str = "end_station";
const STATION_COLUMNS: [&str; 4] = ["station_id", "name", "lat", "long"];

/// By which method trips are awarded.
pub struct TripsConfig<'a> {
    /// The versions of one method.
    pub versions: &'a [Method],
    /// The activity in it, in km.
    pub activity: ActivityCode,
    /// No trip ended after this day.
    pub today: Day,
}

/// What the files came to.
#[derive(Default)]
pub struct Trips {
    /// The awards, in the order of the rows.
    pub awards: Vec<Statement>,
    /// The row of each award.
    pub rows: Vec<usize>,
    /// Awards (by place) of trips that began before the same bicycle's trip of another row ended:
    /// to be reversed, with the reason.
    pub overlaps: Vec<(usize, String)>,
    /// Rows that do not go in.
    pub set_aside: Vec<SetAside>,
}

struct Station {
    name: String,
    lat: f64,
    long: f64,
}

/// When a bicycle's last trip ended (minutes), and its row.
type Ends = HashMap<String, Vec<(u64, u64, usize, usize)>>;

/// Reads stations and trips.
///
/// # Errors
/// [`TableError`] and [`PseudonymsError`]; a bad row is no error but set aside.
pub fn read_trips(
    mut trips: Table,
    mut stations: Table,
    config: &TripsConfig<'_>,
    pseudonyms: &mut Pseudonyms,
) -> Result<Trips, TripsError> {
    let stations = read_stations(&mut stations)?;
    let mut seen: HashMap<String, (usize, [u8; 32])> = HashMap::new();
    let mut read = Trips::default();
    let mut ends = Ends::new();
    while let Some(row) = trips.next_row()? {
        let id = row.field(0).to_owned();
        let mut aside = |reason, detail: String, other_row| {
            read.set_aside.push(SetAside {
                file: trips.name().to_owned(),
                row: row.number,
                id: format!("trip {id}"),
                reason,
                detail,
                other_row,
            });
        };
        if let Some((first, whole)) = seen.get(&id) {
            let (reason, how) = if *whole == row.digest {
                ("duplicate", "the same in every field")
            } else {
                ("trip_id_repeated", "another trip under the same id")
            };
            aside(
                reason,
                format!("rows {first} and {} are {how}", row.number),
                Some(*first),
            );
            continue;
        }
        seen.insert(id.clone(), (row.number, row.digest));
        match award(&row, &stations, config, pseudonyms) {
            Ok(award) => {
                let place = read.awards.len();
                if let (Some(start), Some(end)) = (minute(row.field(2)), minute(row.field(5))) {
                    let bike = row.field(7).to_owned();
                    ends.entry(bike)
                        .or_default()
                        .push((start, end, place, row.number));
                }
                read.awards.push(Statement::Award(award));
                read.rows.push(row.number);
            }
            Err(Bad::Row(reason, detail)) => aside(reason, detail, None),
            Err(Bad::Pseudonyms(error)) => return Err(error.into()),
        }
    }
    read.overlaps = overlaps(ends);
    Ok(read)
}

/// Why trips can't be read.
#[derive(Debug, thiserror::Error)]
pub enum TripsError {
    /// A file.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The pseudonyms' keys.
    #[error(transparent)]
    Pseudonyms(#[from] PseudonymsError),
}

enum Bad {
    Row(&'static str, String),
    Pseudonyms(PseudonymsError),
}

/// The columns that a table of trips must have.
pub fn trip_columns() -> Vec<&'static str> {
    let mut columns = TRIP_COLUMNS.to_vec();
    columns.push(END_STATION);
    columns
}

/// The columns that a table of stations must have.
pub fn station_columns() -> &'static [&'static str] {
    &STATION_COLUMNS
}

fn read_stations(table: &mut Table) -> Result<HashMap<String, Vec<Station>>, TableError> {
    let mut stations: HashMap<String, Vec<Station>> = HashMap::new();
    while let Some(row) = table.next_row()? {
        let degrees = |text: &str| -> Result<f64, ParseFloatError> { text.parse() };
        if let (Ok(lat), Ok(long)) = (degrees(row.field(2)), degrees(row.field(3))) {
            let station = Station {
                name: row.field(1).to_owned(),
                lat,
                long,
            };
            stations
                .entry(row.field(0).to_owned())
                .or_default()
                .push(station);
        }
    }
    Ok(stations)
}

/// A station by its id; of one that moved, the place that has the name of the row.
fn place<'a>(
    stations: &'a HashMap<String, Vec<Station>>,
    id: &str,
    name: &str,
) -> Result<&'a Station, Bad> {
    stations
        .get(id)
        .and_then(|places| places.iter().find(|it| it.name == name).or(places.first()))
        .ok_or_else(|| Bad::Row("station_unknown", format!("there is no station {id}")))
}

fn award(
    row: &Row,
    stations: &HashMap<String, Vec<Station>>,
    config: &TripsConfig<'_>,
    pseudonyms: &mut Pseudonyms,
) -> Result<Award, Bad> {
    let bad = |reason, detail: String| Bad::Row(reason, detail);
    let (id, bike) = (row.field(0), row.field(7));
    if id.is_empty() || bike.is_empty() {
        return Err(bad(
            "id_missing",
            "it has no trip id or no bicycle".to_owned(),
        ));
    }
    let duration: u64 = row
        .field(1)
        .parse()
        .map_err(|_| bad("duration_malformed", format!("duration {:?}", row.field(1))))?;
    if duration > DURATION_S_MAX {
        let days = duration / DURATION_S_MAX;
        return Err(bad(
            "too_long",
            format!("it lasted {duration} s, over {days} days: not a ride"),
        ));
    }
    let day = |text: &str| -> Result<Day, Bad> {
        minute(text)
            .and_then(|_| text.get(..10)?.parse().ok())
            .ok_or_else(|| bad("date_malformed", format!("date {text:?}")))
    };
    let (start, end) = (day(row.field(2))?, day(row.field(5))?);
    if minute(row.field(5)) < minute(row.field(2)) || end < start {
        return Err(bad("date_reversed", "it ended before it began".to_owned()));
    }
    if end > config.today {
        return Err(bad(
            "date_future",
            format!("it ended on {end}, which is yet to come"),
        ));
    }
    let from = place(stations, row.field(4), row.field(3))?;
    let to = place(stations, row.field(6), row.field(8))?;
    let metres = great_circle_m(from, to).round();
    if metres < 1.0 {
        return Err(bad(
            "no_distance",
            "it ended where it began: no straight-line distance".to_owned(),
        ));
    }
    let speed = metres / 1000.0 / (duration.max(1) as f64 / 3600.0);
    if speed > SPEED_KMH_MAX {
        return Err(bad(
            "too_fast",
            format!("{metres} m in {duration} s are {speed:.0} km/h"),
        ));
    }
    let method = config
        .versions
        .iter()
        .filter(|method| method.effective_from <= end)
        .max_by_key(|method| method.version)
        .ok_or_else(|| {
            bad(
                "no_method",
                format!("no version of the method was in effect on {end}"),
            )
        })?;
    let activity = method
        .activities
        .iter()
        .find(|it| it.code == config.activity)
        .ok_or_else(|| {
            bad(
                "no_method",
                format!("it has no activity {}", config.activity),
            )
        })?;
    // Metres are thousandths of the unit, a kilometre.
    let quantity = Quantity(metres as u64);
    let points = quantity.points(activity.factor).unwrap_or(Grams(u64::MAX));
    if points.0 == 0 || points > activity.cap {
        let cap = activity.cap;
        return Err(bad(
            "points_out_of_range",
            format!("{points} points; 1 to {cap} are awarded"),
        ));
    }
    let evidence = format!("{id}\n{}\n{}", row.field(4), row.field(6));
    Ok(Award {
        account: pseudonyms
            .account(&format!("bike:{bike}"))
            .map_err(Bad::Pseudonyms)?,
        method: method.id,
        version: method.version,
        activity: config.activity,
        quantity,
        points,
        occurred_on: end,
        evidence: pseudonyms.evidence(&evidence).map_err(Bad::Pseudonyms)?,
    })
}

/// Minutes since 1970 of `2014-01-01T08:14:00Z`.
fn minute(text: &str) -> Option<u64> {
    let (date, time) = text.split_once('T')?;
    let day: Day = date.parse().ok()?;
    let mut parts = time
        .strip_suffix('Z')?
        .split(':')
        .map(|part| part.parse::<u64>().ok());
    let (hours, minutes) = (parts.next()??, parts.next()??);
    (hours < 24 && minutes < 60).then_some((u64::from(day.0) * 24 + hours) * 60 + minutes)
}

/// Haversine.
fn great_circle_m(from: &Station, to: &Station) -> f64 {
    let (lat1, lat2) = (from.lat.to_radians(), to.lat.to_radians());
    let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let h = half(to.lat - from.lat) + lat1.cos() * lat2.cos() * half(to.long - from.long);
    2.0 * EARTH_RADIUS_M * h.sqrt().min(1.0).asin()
}

/// Trips that begin before the same bicycle's trip before them ended.
fn overlaps(ends: Ends) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for mut trips in ends.into_values() {
        trips.sort_unstable();
        let mut last: Option<(u64, usize)> = None;
        for (start, end, place, row) in trips {
            match last {
                Some((until, other)) if start < until => {
                    let why =
                        format!("row {row} begins before row {other} of the same bicycle ends");
                    found.push((place, why));
                }
                _ => last = Some((end, row)),
            }
        }
    }
    found.sort();
    found
}
