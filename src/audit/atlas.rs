//! Where land is, and where countries lie, coarsely: from Natural Earth 1:10m (public domain), as
//! `vendor/natural-earth/` says. Whatever is near a coast or a border counts as within it.

use crate::record::{Country, Place};

const COUNTRIES: &str = include_str!("../../vendor/natural-earth/countries.txt");
const LAND: &[u8] = include_bytes!("../../vendor/natural-earth/land.bin");
/// Cells of a row, and rows, of the map of land: of a quarter of a degree.
const COLUMNS: u32 = 1_440;
const ROWS: u32 = 720;

/// Hundredths of a degree.
struct Box {
    west: i32,
    south: i32,
    east: i32,
    north: i32,
}

/// A country as the table has it.
pub(super) struct Outskirts {
    boxes: Vec<Box>,
    /// Its land in square kilometres; 0 if the table does not know it.
    pub(super) land_km2: u64,
}

impl Outskirts {
    /// A country's; `None` if ISO 3166-1 has no such code.
    pub(super) fn of(country: &Country) -> Option<Self> {
        let of_country = |line: &&str| line.split(' ').next() == Some(country.as_str());
        let line = COUNTRIES.lines().find(of_country)?;
        let numbers = line.split(' ').skip(1);
        let numbers: Vec<i32> = numbers.filter_map(|it| it.parse().ok()).collect();
        let (land_km2, corners) = numbers.split_first()?;
        let (boxes, _) = corners.as_chunks::<4>();
        let boxes = boxes.iter().map(|[west, south, east, north]| Box {
            west: *west,
            south: *south,
            east: *east,
            north: *north,
        });
        Some(Self {
            boxes: boxes.collect(),
            land_km2: u64::try_from(*land_km2).unwrap_or(0),
        })
    }

    /// Whether a place lies in one of the country's boxes. A country without a box holds any.
    pub(super) fn hold(&self, (north, east): Place) -> bool {
        let (north, east) = (100.0 * north, 100.0 * east);
        let holds = |it: &Box| {
            f64::from(it.south) <= north
                && north <= f64::from(it.north)
                && f64::from(it.west) <= east
                && east <= f64::from(it.east)
        };
        self.boxes.is_empty() || self.boxes.iter().any(holds)
    }
}

/// Whether there is land in the quarter of a degree around a place, or 0.05° beside it.
pub(super) fn is_near_land((north, east): Place) -> bool {
    let cell = |degrees: f64, count: u32| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, and is capped"
        )]
        let cell = (degrees * 4.0) as u32;
        cell.min(count - 1)
    };
    let place = cell(north + 90.0, ROWS) * COLUMNS + cell(east + 180.0, COLUMNS);
    let (mut end, mut shift, mut length) = (0_u32, 0_u32, 0_u32);
    let mut is_land = false;
    for byte in LAND {
        length |= u32::from(byte & 127) << shift;
        if byte & 128 != 0 {
            shift += 7;
            continue;
        }
        end += length;
        if place < end {
            return is_land;
        }
        (shift, length) = (0, 0);
        is_land = !is_land;
    }
    is_land
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, COUNTRIES, LAND, Outskirts, ROWS, is_near_land};

    const CITIES: [(&str, f64, f64); 24] = [
        ("US", 37.77, -122.42),
        ("US", 21.31, -157.86),
        ("US", 51.88, -176.65),
        ("CN", 39.90, 116.40),
        ("CN", 38.08, 103.08),
        ("FR", 48.86, 2.35),
        ("FR", -21.11, 55.53),
        ("RE", -21.11, 55.53),
        ("GB", 60.15, -1.15),
        ("NO", 69.65, 18.96),
        ("BR", -3.12, -60.02),
        ("ZA", -33.92, 18.42),
        ("SG", 1.35, 103.82),
        ("MV", 4.18, 73.51),
        ("MT", 35.90, 14.51),
        ("FJ", -18.14, 178.44),
        ("FJ", -16.78, -179.97),
        ("NZ", -43.95, -176.56),
        ("RU", 66.18, -169.81),
        ("UA", 44.95, 34.11),
        ("XK", 42.66, 21.16),
        ("TV", -8.52, 179.20),
        ("CL", -54.93, -67.61),
        ("JP", 24.45, 122.99),
    ];

    #[test]
    fn cities_are_on_land_and_in_their_country() {
        for (country, north, east) in CITIES {
            let place = (north, east);
            assert!(is_near_land(place), "{country} {place:?}");
            let outskirts = Outskirts::of(&country.parse().unwrap()).unwrap();
            assert!(outskirts.hold(place), "{country} {place:?}");
        }
        for (country, north, east) in [
            ("US", 48.86, 2.35),
            ("SG", 13.75, 100.5),
            ("KE", -33.9, 18.4),
        ] {
            let outskirts = Outskirts::of(&country.parse().unwrap()).unwrap();
            assert!(!outskirts.hold((north, east)), "{country}");
        }
        assert!(Outskirts::of(&"QQ".parse().unwrap()).is_none());
        let land = Outskirts::of(&"DE".parse().unwrap()).unwrap().land_km2;
        assert!((340_000..380_000).contains(&land), "{land}");
    }

    #[test]
    fn the_sea_is_none() {
        for place in [
            (0.0, 0.0),
            (90.0, 0.0),
            (30.0, -40.0),
            (-30.0, 80.0),
            (10.0, -150.0),
            (45.0, -140.0),
            (55.5, 3.0),
        ] {
            assert!(!is_near_land(place), "{place:?}");
        }
    }

    #[test]
    fn the_tables_are_those_that_are_described() {
        use sha2::Digest as _;
        let described = include_str!("../../vendor/natural-earth/README.md");
        for table in [COUNTRIES.as_bytes(), LAND] {
            let digest = hex::encode(sha2::Sha256::digest(table));
            assert!(described.contains(&digest), "{digest}");
        }
    }

    #[test]
    fn the_tables_are_whole() {
        assert_eq!(COUNTRIES.lines().count(), 250);
        let (mut sum, mut length, mut shift) = (0_u32, 0_u32, 0);
        for byte in LAND {
            length |= u32::from(byte & 127) << shift;
            shift += 7;
            if byte & 128 == 0 {
                sum += length;
                (length, shift) = (0, 0);
            }
        }
        assert_eq!(sum, ROWS * COLUMNS);
        for line in COUNTRIES.lines() {
            let corners = line.split(' ').count() - 2;
            assert_eq!(corners % 4, 0, "{line}");
            let country = line.split(' ').next().unwrap();
            assert!(Outskirts::of(&country.parse().unwrap()).is_some());
        }
    }
}
