//! Stations and the distance between them.

use std::collections::{HashMap, HashSet};

use super::{RowFault, StationTable, TripsError};
use crate::import::area::{Area, Place, PlaceCounts};
use crate::import::csv_table::{CsvLine, SetAside};
use crate::record::great_circle_m;

/// Why a station's line does not count: it does not make a trip wrong by itself.
pub const STATION_REPEATED: &str = "station_repeated";

pub(super) struct Station {
    /// Its line.
    line: u64,
    name: String,
    lat: f64,
    long: f64,
}

impl Station {
    /// Metres to another station, by the straight line.
    pub(super) fn metres_to(&self, other: &Self) -> f64 {
        great_circle_m((self.lat, self.long), (other.lat, other.long))
    }
}

/// Stations by id; one that was renamed or moved may have several locations, of a name each.
#[derive(Default)]
pub struct Stations {
    by_id: HashMap<String, Vec<Station>>,
    /// Ids and names that stand at several places.
    repeated: HashSet<(String, String)>,
    read: u64,
    used: u64,
}

/// Reads stations that lie in an area. Of a station that stands twice under one name the first
/// line counts, and the others are set aside.
///
/// # Errors
/// [`TripsError`], if most places of the file can't be meant as they stand there; a line that is
/// wrong is no error but set aside.
pub fn read_stations(
    mut table: StationTable,
    area: Area,
    set_aside: &mut dyn FnMut(SetAside),
) -> Result<Stations, TripsError> {
    let (mut stations, mut places) = (Stations::default(), PlaceCounts::default());
    while let Some(line) = table.next_line()? {
        stations.read += 1;
        let row = match line {
            CsvLine::Row(row) => row,
            CsvLine::SetAside(row) => {
                set_aside(row);
                continue;
            }
        };
        let [id, name, lat, long] = row.fields;
        let place = area.place(&lat, &long);
        places.see(row.line, place);
        let why = match place {
            Place::Inside(lat, long) => {
                let station = Station {
                    line: row.line,
                    name,
                    lat,
                    long,
                };
                if let Some((first, detail)) = stations.add(&id, station) {
                    set_aside(SetAside {
                        file: table.file().to_owned(),
                        line: row.line,
                        id: format!("station {id}"),
                        reason: STATION_REPEATED,
                        detail,
                        other_line: Some(first),
                    });
                }
                continue;
            }
            Place::Exchanged => "look exchanged",
            Place::Outside => "are no place in the area",
        };
        set_aside(SetAside {
            file: table.file().to_owned(),
            line: row.line,
            id: format!("station {id}"),
            reason: "place_wrong",
            detail: format!("latitude {lat:?} and longitude {long:?} {why}"),
            other_line: None,
        });
    }
    places.check(table.file(), area)?;
    Ok(stations)
}

impl Stations {
    /// Takes a station; gives the line that it repeats, and words, if it is not taken.
    fn add(&mut self, id: &str, station: Station) -> Option<(u64, String)> {
        let locations = self.by_id.entry(id.to_owned()).or_default();
        let Some(first) = locations.iter().find(|first| first.name == station.name) else {
            locations.push(station);
            self.used += 1;
            return None;
        };
        let lines = format!("lines {} and {}", first.line, station.line);
        let detail = if (first.lat, first.long) == (station.lat, station.long) {
            format!("{lines} are the same station")
        } else {
            self.repeated.insert((id.to_owned(), station.name.clone()));
            format!(
                "{lines} are one station under one name, {:.0} m apart: trips are counted from the place of the first",
                first.metres_to(&station)
            )
        };
        Some((first.line, detail))
    }

    /// Whether a station stands at several places under this name.
    pub(super) fn is_repeated(&self, id: &str, name: &str) -> bool {
        // Without a copy of both words for each row: few files have any such station.
        let mut repeated = self.repeated.iter();
        repeated.any(|(of, under)| {
            of == id
                && self
                    .named(id, name)
                    .is_ok_and(|station| station.name == *under)
        })
    }

    fn contradiction(&self, id: &str, name: &str, only: &Station) -> String {
        let of_name = self.by_id.iter().filter(|(_, places)| {
            let mut places = places.iter();
            places.any(|place| place.name == name)
        });
        // The least of them, so that the words are the same in each run.
        let what = match of_name.map(|(other, _)| other).min() {
            Some(other) => format!("{name:?} is station {other}"),
            None => format!("no station is {name:?}"),
        };
        format!("station {id} is {:?}, and {what}", only.name)
    }

    /// Number of lines that were read.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Number of lines that are stations; the others were set aside.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// A station by its id and the name that the row gives: under another name, it can't be told
    /// which of the two places is meant. A row without a name says only the id.
    pub(super) fn named(&self, id: &str, name: &str) -> Result<&Station, RowFault> {
        let unknown = |detail| ("station_unknown", detail);
        match self.by_id.get(id).map_or(&[][..], Vec::as_slice) {
            [] => Err(unknown(format!("there is no station {id}"))),
            [only] if name.is_empty() || only.name == name => Ok(only),
            [only] => Err(("station_contradicts", self.contradiction(id, name, only))),
            several => several
                .iter()
                .find(|station| station.name == name)
                .ok_or_else(|| {
                    let places = several.len();
                    unknown(format!(
                        "station {id} has {places} places under other names than {name:?}"
                    ))
                }),
        }
    }
}
