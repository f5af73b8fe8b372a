//! Stations and the distance between them.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{RowFault, StationTable, TripsError};
use crate::import::area::{Area, Place, PlaceCounts};
use crate::import::csv_table::{CsvLine, SetAside};
use crate::record::great_circle_m;

/// Why a station's line does not count: it does not make a trip wrong by itself.
pub const STATION_REPEATED: &str = "station_repeated";

/// A shorter word of another spelling is another word.
const SPELLED_LETTERS_MIN: usize = 4;

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

/// A station that trips name in another spelling than the file of stations.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct SpelledStation {
    /// Its number.
    pub station: String,
    /// Its name in the file of stations.
    pub listed: String,
    /// The name that trips give it.
    pub given: String,
    /// How many trips begin or end at it under that name.
    pub trips: u64,
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
    /// which of the two places is meant. A row without a name says only the id. A name that is that of
    /// the station but for its spelling, and of no other, is the station's.
    pub(super) fn named(&self, id: &str, name: &str) -> Result<&Station, RowFault> {
        let unknown = |detail| ("station_unknown", detail);
        let places = self.by_id.get(id).map_or(&[][..], Vec::as_slice);
        if places.is_empty() {
            return Err(unknown(format!("there is no station {id}")));
        }
        if let Some(named) = places.iter().find(|station| station.name == name) {
            return Ok(named);
        }
        if let [only] = places
            && name.is_empty()
        {
            return Ok(only);
        }
        let mut alike = places
            .iter()
            .filter(|station| is_spelling_of(&station.name, name));
        if let (Some(alike), None) = (alike.next(), alike.next())
            && !self.is_elsewhere(id, name)
        {
            return Ok(alike);
        }
        match places {
            [only] => Err(("station_contradicts", self.contradiction(id, name, only))),
            several => {
                let places = several.len();
                Err(unknown(format!(
                    "station {id} has {places} places under other names than {name:?}"
                )))
            }
        }
    }

    /// Whether another station has this name.
    fn is_elsewhere(&self, id: &str, name: &str) -> bool {
        let mut others = self.by_id.iter().filter(|(other, _)| *other != id);
        others.any(|(_, places)| places.iter().any(|place| place.name == name))
    }

    /// The name of a station in the file of stations, if a row gives it in another spelling.
    pub(super) fn other_spelling(&self, id: &str, name: &str) -> Option<&str> {
        let station = self.named(id, name).ok()?;
        (!name.is_empty() && station.name != name).then_some(station.name.as_str())
    }
}

/// Whether two names are one but for their spelling: the same words in the same order, whatever their
/// case and the signs between them, where a word of letters may have one letter more, less or other.
/// Numbers are no matter of spelling, nor are short words.
fn is_spelling_of(one: &str, other: &str) -> bool {
    let words = |name: &str| -> Vec<String> {
        let lower = name.to_lowercase();
        let words = lower.split(|sign: char| !sign.is_alphanumeric());
        let words = words.filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    let (one, other) = (words(one), words(other));
    one.len() == other.len()
        && one
            .iter()
            .zip(&other)
            .all(|(one, other)| is_word(one, other))
}

fn is_word(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let (short, long) = match one.len() <= other.len() {
        true => (one, other),
        false => (other, one),
    };
    if short == long {
        return true;
    }
    let is_long = |word: &[char]| {
        word.len() >= SPELLED_LETTERS_MIN && word.iter().all(|letter| letter.is_alphabetic())
    };
    if !is_long(&short) || !is_long(&long) || long.len() - short.len() > 1 {
        return false;
    }
    let same = short.iter().zip(&long).take_while(|(a, b)| a == b).count();
    let skipped = same + usize::from(short.len() == long.len());
    short.get(skipped..) == long.get(same + 1..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_another_spelling_of_itself_alone() {
        for (one, other) in [
            ("Post at Kearny", "Post at Kearney"),
            ("Washington at Kearney", "WASHINGTON AT KEARNY"),
            ("Market St. (10th)", "market st 10th"),
            ("Embarcadero at Folsom", "Embarcadaro at Folsom"),
        ] {
            assert!(
                is_spelling_of(one, other) && is_spelling_of(other, one),
                "{one}"
            );
        }
        for (one, other) in [
            ("2nd at Folsom", "3rd at Folsom"),
            ("Market at 10th", "Market at 4th"),
            ("Broadway at Main", "Stanford in Redwood City"),
            ("Post at Kearny", "Post at Kearny 2"),
            ("Elm at Oak", "Elk at Oak"),
            ("Folsom", ""),
        ] {
            assert!(
                !is_spelling_of(one, other) && !is_spelling_of(other, one),
                "{one}"
            );
        }
    }
}
