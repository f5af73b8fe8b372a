//! Stations and the distance between them.

use std::collections::HashMap;

use super::{RowFault, StationTable, TripsError};
use crate::import::area::{Area, Place, PlaceCounts};
use crate::import::csv_table::{CsvLine, SetAside};
use crate::record::great_circle_m;

pub(super) struct Station {
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

/// Stations by id; one that was moved has several locations.
#[derive(Default)]
pub struct Stations {
    by_id: HashMap<String, Vec<Station>>,
    read: u64,
    used: u64,
}

/// Reads stations that lie in an area.
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
                let station = Station { name, lat, long };
                stations.by_id.entry(id).or_default().push(station);
                stations.used += 1;
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
    /// Number of lines that were read.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Number of lines that are stations; the others were set aside.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// A station by its id; of one that was moved, the location that has the name of the row.
    pub(super) fn named(&self, id: &str, name: &str) -> Result<&Station, RowFault> {
        self.by_id
            .get(id)
            .and_then(|locations| {
                let named = locations.iter().find(|station| station.name == name);
                named.or(locations.first())
            })
            .ok_or_else(|| ("station_unknown", format!("there is no station {id}")))
    }
}
