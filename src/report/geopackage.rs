//! The plots as an OGC GeoPackage (12-128r19, version 1.4): an SQLite file with one layer of features.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, Error, params, params_from_iter};

use super::export::ExportError;
use super::plot_shapes::{Geometry, Place};
use super::state_schemas::PLOTS_NOW;
use super::state_tables::plot_row;
use super::tables::{Column, Holds};
use crate::audit::Report;
use crate::durable::create_unsynced;
use crate::ledger::State;

/// "GPKG" (requirement 2).
const APPLICATION_ID: i32 = 0x4750_4B47;
/// Version 1.4.0.
const USER_VERSION: i32 = 10_400;
/// WGS 84, longitude and latitude.
const WGS_84: i32 = 4_326;

/// The tables that every GeoPackage has, with the three systems that must be in the first (requirements 10 to
/// 13 and 21).
const SCHEMA: &str = r#"
CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT
);
INSERT INTO gpkg_spatial_ref_sys VALUES
  ('Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', 'undefined Cartesian coordinate reference system'),
  ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', 'undefined geographic coordinate reference system'),
  ('WGS 84 geodetic', 4326, 'EPSG', 4326,
   'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4326"]]',
   'longitude/latitude coordinates in decimal degrees on the WGS 84 spheroid');
CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE, description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id)
);
CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL,
  z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id)
);
"#;

/// Writes a layer `plots` with the columns of `plots_now`.
pub(super) fn write(path: &Path, report: &Report, state: &State) -> Result<(), ExportError> {
    drop(create_unsynced(path)?);
    fill(path, report, state)
        .map_err(|error| ExportError::Table(path.to_owned(), error.to_string()))
}

fn fill(path: &Path, report: &Report, state: &State) -> Result<(), Error> {
    let mut file = Connection::open(path)?;
    // What is made again at will needs no journal and no sync. These answer with a row, so they are asked.
    file.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    file.pragma_update(None, "synchronous", "OFF")?;
    file.pragma_update(None, "application_id", APPLICATION_ID)?;
    file.pragma_update(None, "user_version", USER_VERSION)?;
    let all = file.transaction()?;
    all.execute_batch(SCHEMA)?;
    let columns: Vec<String> = PLOTS_NOW.columns.iter().map(declared).collect();
    all.execute_batch(&format!(
        "CREATE TABLE plots (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom GEOMETRY, {})",
        columns.join(", ")
    ))?;
    let mut bounds: Option<[f64; 4]> = None;
    {
        let places = vec!["?"; PLOTS_NOW.columns.len() + 1].join(", ");
        let mut insert = all.prepare(&format!("INSERT INTO plots VALUES (NULL, {places})"))?;
        for plot in &report.plots {
            let Some((shape, row)) = plot_row(plot, state) else {
                continue;
            };
            let around = around(&shape.geometry);
            bounds = Some(bounds.map_or(around, |bounds| wider(bounds, around)));
            let cells = PLOTS_NOW.columns.iter().zip(row);
            let cells = cells.map(|(column, cell)| value(column.holds, cell));
            let geometry = Value::Blob(blob(&shape.geometry, around));
            insert.execute(params_from_iter([geometry].into_iter().chain(cells)))?;
        }
    }
    let [min_x, min_y, max_x, max_y] = bounds.map_or([None; 4], |bounds| bounds.map(Some));
    all.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, min_x, min_y, max_x, max_y, srs_id) \
         VALUES ('plots', 'features', 'plots', ?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            format!("Plots of {}, {} entries", report.log.origin, report.checkpoint.size),
            min_x,
            min_y,
            max_x,
            max_y,
            WGS_84
        ],
    )?;
    all.execute(
        "INSERT INTO gpkg_geometry_columns VALUES ('plots', 'geom', 'GEOMETRY', ?1, 0, 0)",
        params![WGS_84],
    )?;
    all.commit()?;
    file.close().map_err(|(_, error)| error)
}

/// A column as SQL declares it: with a type of the specification's table 1.
fn declared(column: &Column) -> String {
    let kind = match column.holds {
        Holds::Text | Holds::Sum => "TEXT",
        Holds::Number | Holds::Signed | Holds::Time => "INTEGER",
        Holds::Real => "DOUBLE",
        Holds::Day => "DATE",
    };
    format!("\"{}\" {kind}", column.name)
}

/// A cell for SQL. A number that SQLite can't hold, of more than 63 bits, is the largest that it can.
fn value(holds: Holds, cell: String) -> Value {
    if cell.is_empty() {
        return Value::Null;
    }
    let number = match holds {
        Holds::Number | Holds::Time => cell
            .parse::<u64>()
            .ok()
            .map(|it| Value::Integer(i64::try_from(it).unwrap_or(i64::MAX))),
        Holds::Signed => cell.parse().ok().map(Value::Integer),
        Holds::Real => cell.parse().ok().map(Value::Real),
        Holds::Text | Holds::Sum | Holds::Day => None,
    };
    number.unwrap_or(Value::Text(cell))
}

/// West, south, east and north of a geometry.
fn around(geometry: &Geometry) -> [f64; 4] {
    let of = |[east, north]: Place| [east, north, east, north];
    match geometry {
        Geometry::Point(at) => of(*at),
        Geometry::Rings(rings) => {
            let places = rings.iter().flatten().copied().map(of);
            places.reduce(wider).unwrap_or_default()
        }
    }
}

fn wider(
    [west, south, east, north]: [f64; 4],
    [other_west, other_south, other_east, other_north]: [f64; 4],
) -> [f64; 4] {
    [
        west.min(other_west),
        south.min(other_south),
        east.max(other_east),
        north.max(other_north),
    ]
}

/// A geometry in the form of the specification's clause 2.1.3: a head with what is around it, then well-known binary
/// (ISO 13249-3), all with the least significant byte first.
fn blob(geometry: &Geometry, [west, south, east, north]: [f64; 4]) -> Vec<u8> {
    const LITTLE_ENDIAN: u8 = 1;
    const WITH_XY: u8 = 1 << 1;
    let mut bytes = vec![b'G', b'P', 0, LITTLE_ENDIAN | WITH_XY];
    bytes.extend(WGS_84.to_le_bytes());
    for end in [west, east, south, north] {
        bytes.extend(end.to_le_bytes());
    }
    let head = |bytes: &mut Vec<u8>, kind: u32| {
        bytes.push(LITTLE_ENDIAN);
        bytes.extend(kind.to_le_bytes());
    };
    let place = |bytes: &mut Vec<u8>, place: &Place| {
        for degrees in place {
            bytes.extend(degrees.to_le_bytes());
        }
    };
    // No shape has 2^32 corners: an outline has few, and a cut adds two for each of its edges.
    let count = |bytes: &mut Vec<u8>, count: usize| {
        bytes.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    };
    let polygon = |bytes: &mut Vec<u8>, ring: &[Place]| {
        head(bytes, 3);
        count(bytes, 1);
        count(bytes, ring.len());
        ring.iter().for_each(|at| place(bytes, at));
    };
    match geometry {
        Geometry::Point(at) => {
            head(&mut bytes, 1);
            place(&mut bytes, at);
        }
        Geometry::Rings(rings) => match rings.as_slice() {
            [only] => polygon(&mut bytes, only),
            several => {
                head(&mut bytes, 6);
                count(&mut bytes, several.len());
                several.iter().for_each(|ring| polygon(&mut bytes, ring));
            }
        },
    }
    bytes
}
