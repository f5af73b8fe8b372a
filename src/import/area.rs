//! Where the places of a file lie: in the area that the import is about, elsewhere, or there only
//! once latitude and longitude are exchanged. Two columns under each other's names pass every
//! check of a single value near the middle of the map; a whole file does not.

use std::fmt;
use std::str::FromStr;

/// An area between two parallels and two meridians, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// The least latitude.
    pub south: f64,
    /// The least longitude.
    pub west: f64,
    /// The greatest latitude.
    pub north: f64,
    /// The greatest longitude.
    pub east: f64,
}

/// Text that is no area.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no area: expected SOUTH,WEST,NORTH,EAST in degrees, as in 37.0,-123.0,38.5,-121.2"
)]
pub struct AreaError(String);

impl FromStr for Area {
    type Err = AreaError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || AreaError(text.chars().take(80).collect());
        let degrees: Vec<f64> = text
            .split(',')
            .map(|degrees| degrees.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(|_| wrong())?;
        match degrees.as_slice() {
            [south, west, north, east]
                if -90.0 <= *south
                    && south < north
                    && *north <= 90.0
                    && -180.0 <= *west
                    && west < east
                    && *east <= 180.0 =>
            {
                Ok(Self {
                    south: *south,
                    west: *west,
                    north: *north,
                    east: *east,
                })
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{},{},{},{}",
            self.south, self.west, self.north, self.east
        )
    }
}

/// A place as a file gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// Latitude and longitude in the area.
    Inside(f64, f64),
    /// It would lie in the area if both were exchanged.
    Exchanged,
    /// It lies elsewhere, or is no place.
    Outside,
}

impl Area {
    pub(super) fn place(&self, latitude: &str, longitude: &str) -> Place {
        let (Ok(lat), Ok(long)) = (latitude.parse::<f64>(), longitude.parse::<f64>()) else {
            return Place::Outside;
        };
        if self.holds(lat, long) {
            Place::Inside(lat, long)
        } else if self.holds(long, lat) {
            Place::Exchanged
        } else {
            Place::Outside
        }
    }

    fn holds(&self, lat: f64, long: f64) -> bool {
        (self.south..=self.north).contains(&lat) && (self.west..=self.east).contains(&long)
    }
}

/// A file whose places can't be meant as they stand there.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlacesError {
    /// Most would lie in the area if latitude and longitude were exchanged.
    #[error(
        "{file}: latitude and longitude are exchanged in {exchanged} of {all} lines with a place, as in line {line}. Nothing was sent. Correct the names of both columns, or have the file exported again"
    )]
    Exchanged {
        /// The file.
        file: String,
        /// How many.
        exchanged: u64,
        /// Of how many.
        all: u64,
        /// The first.
        line: u64,
    },
    /// Most lie elsewhere.
    #[error(
        "{file}: {outside} of {all} places lie outside of the area {area} (south, west, north, east), as in line {line}. Nothing was sent. Correct the file; or, if it is of another place, name its area with --area"
    )]
    Elsewhere {
        /// The file.
        file: String,
        /// The area.
        area: Area,
        /// How many.
        outside: u64,
        /// Of how many.
        all: u64,
        /// The first.
        line: u64,
    },
}

/// Where the places of a file lie.
#[derive(Clone, Debug, Default)]
pub(super) struct PlaceCounts {
    inside: u64,
    /// How many, and the first line.
    exchanged: (u64, u64),
    outside: (u64, u64),
}

impl PlaceCounts {
    pub(super) fn see(&mut self, line: u64, place: Place) {
        let (count, first) = match place {
            Place::Inside(..) => {
                self.inside += 1;
                return;
            }
            Place::Exchanged => &mut self.exchanged,
            Place::Outside => &mut self.outside,
        };
        *count += 1;
        if *count == 1 {
            *first = line;
        }
    }

    fn all(&self) -> u64 {
        self.inside + self.exchanged.0 + self.outside.0
    }

    /// Checks that not most places are exchanged.
    pub(super) fn check_exchanged(&self, file: &str) -> Result<(), PlacesError> {
        let (exchanged, line) = self.exchanged;
        if exchanged <= self.inside {
            return Ok(());
        }
        Err(PlacesError::Exchanged {
            file: file.to_owned(),
            exchanged,
            all: self.all(),
            line,
        })
    }

    /// Checks also that not most lie elsewhere.
    pub(super) fn check(&self, file: &str, area: Area) -> Result<(), PlacesError> {
        self.check_exchanged(file)?;
        let (outside, line) = self.outside;
        if outside <= self.inside {
            return Ok(());
        }
        Err(PlacesError::Elsewhere {
            file: file.to_owned(),
            area,
            outside,
            all: self.all(),
            line,
        })
    }
}
