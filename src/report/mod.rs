//! What an audit found, for people and for researchers: a page, its data, and tables.

mod cells;
mod charts;
mod export;
mod geojson;
mod geopackage;
mod page;
mod parquet_file;
mod plot_shapes;
mod registry_links;
mod state_schemas;
mod state_tables;
mod table_file;
mod tables;

use std::path::Path;

pub use export::{Export, ExportError, TableFormat};

use crate::audit::Report;
use crate::charts::ChartError;
use crate::durable::{FileError, make_folders, write_unsynced};

/// A report that can't be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A chart can't be drawn.
    #[error("a chart: {0}")]
    Chart(#[from] ChartError),
    /// The page can't be made.
    #[error("the page: {0}")]
    Page(String),
    /// The data can't be put into JSON.
    #[error("the report as JSON: {0}")]
    Json(String),
    /// A file or folder can't be written.
    #[error(transparent)]
    Io(#[from] FileError),
}

/// Writes `report.html`, `report.json`, and `findings.json`, which has the report's findings alone, into a folder, which it makes if need be.
///
/// # Errors
/// [`ReportError`].
pub fn write(dir: &Path, report: &Report) -> Result<(), ReportError> {
    make_folders(dir)?;
    write_unsynced(&dir.join("report.html"), page::html(report)?)?;
    write_json(&dir.join("findings.json"), &report.findings)?;
    write_json(&dir.join("report.json"), report)
}

fn write_json(path: &Path, what: &impl serde::Serialize) -> Result<(), ReportError> {
    let mut data =
        serde_json::to_vec_pretty(what).map_err(|error| ReportError::Json(error.to_string()))?;
    data.push(b'\n');
    Ok(write_unsynced(path, data)?)
}
