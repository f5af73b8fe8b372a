//! The plots as a GeoJSON file (RFC 7946).

use std::io::{BufWriter, Write as _};
use std::path::Path;

use serde_json::{Map, Number, Value, json};

use super::export::ExportError;
use super::plot_shapes::{Geometry, Place};
use super::state_schemas::PLOTS_NOW;
use super::state_tables::plot_row;
use super::tables::Holds;
use crate::audit::Report;
use crate::durable::{at, create_unsynced};
use crate::ledger::State;

/// Writes a feature a plot, with the columns of `plots_now` as its properties.
pub(super) fn write(path: &Path, report: &Report, state: &State) -> Result<(), ExportError> {
    let mut file = BufWriter::new(create_unsynced(path)?);
    let mut between = "{\"type\":\"FeatureCollection\",\"name\":\"plots\",\"features\":[\n";
    for plot in &report.plots {
        let Some((shape, row)) = plot_row(plot, state) else {
            continue;
        };
        let columns = PLOTS_NOW.columns.iter();
        let properties: Map<String, Value> = columns
            .zip(row)
            .map(|(column, cell)| (column.name.to_owned(), value(column.holds, cell)))
            .collect();
        let feature = json!({
            "type": "Feature",
            "id": plot.number,
            "properties": properties,
            "geometry": geometry(&shape.geometry),
        });
        write!(file, "{between}{feature}").map_err(at(path))?;
        between = ",\n";
    }
    let empty = match report.plots.is_empty() {
        true => between,
        false => "",
    };
    writeln!(file, "{empty}\n]}}").map_err(at(path))?;
    file.flush().map_err(at(path))?;
    Ok(())
}

/// A cell as JSON: a number as one, as far as readers can hold it.
fn value(holds: Holds, cell: String) -> Value {
    if cell.is_empty() {
        return Value::Null;
    }
    let number = match holds {
        Holds::Number | Holds::Time => cell.parse().ok().map(|it: u64| it.into()),
        Holds::Signed => cell.parse().ok().map(|it: i64| it.into()),
        Holds::Real => cell.parse().ok().and_then(Number::from_f64),
        Holds::Text | Holds::Sum | Holds::Day => None,
    };
    number.map_or(Value::String(cell), Value::Number)
}

fn geometry(geometry: &Geometry) -> Value {
    match geometry {
        Geometry::Point(at) => json!({ "type": "Point", "coordinates": at }),
        Geometry::Rings(rings) => match rings.as_slice() {
            [only] => json!({ "type": "Polygon", "coordinates": [only] }),
            several => {
                let polygons: Vec<[&Vec<Place>; 1]> = several.iter().map(|ring| [ring]).collect();
                json!({ "type": "MultiPolygon", "coordinates": polygons })
            }
        },
    }
}
