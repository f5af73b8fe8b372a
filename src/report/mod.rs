//! What an audit found, for people and for researchers: a page, its data, and tables.

mod charts;
mod export;
mod page;
mod tables;

use std::path::{Path, PathBuf};

pub use export::{Export, ExportError};

use crate::audit::Report;
use crate::charts::ChartError;

/// A report that can't be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A chart can't be drawn.
    #[error("a chart: {0}")]
    Chart(#[from] ChartError),
    /// The page can't be made.
    #[error("the page: {0}")]
    Page(#[from] askama::Error),
    /// The data can't be put into JSON.
    #[error("report.json: {0}")]
    Json(#[from] serde_json::Error),
    /// A file or folder can't be written.
    #[error("{0}: {1}")]
    Io(PathBuf, std::io::Error),
}

/// Writes `report.html` and `report.json` into a folder, which it makes if need be.
///
/// # Errors
/// [`ReportError`].
pub fn write(dir: &Path, report: &Report) -> Result<(), ReportError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |error| ReportError::Io(path, error)
    };
    std::fs::create_dir_all(dir).map_err(io(dir))?;
    let html = dir.join("report.html");
    std::fs::write(&html, page::html(report)?).map_err(io(&html))?;
    let json = dir.join("report.json");
    let mut data = serde_json::to_vec_pretty(report)?;
    data.push(b'\n');
    std::fs::write(&json, data).map_err(io(&json))
}
