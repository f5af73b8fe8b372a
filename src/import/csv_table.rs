//! CSV files, plain or compressed with zstd, row by row.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A file that can't be read as CSV.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsvTableError {
    /// The file can't be opened.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    /// A row is no CSV, or not UTF-8: the file, and what is wrong where.
    #[error("{0}: {1}")]
    Csv(String, String),
    /// A column is missing.
    #[error("{file} has no column {column:?}; it has {found}")]
    Column {
        /// The file.
        file: String,
        /// The column that is needed.
        column: &'static str,
        /// The columns that the file has.
        found: String,
    },
}

/// A row that does not go in.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct SetAside {
    /// The file.
    pub file: String,
    /// The row, from 1 after the header.
    pub row: usize,
    /// What the file calls the thing that the row tells of.
    pub id: String,
    /// A stable name for the reason.
    pub reason: &'static str,
    /// The reason in words.
    pub detail: String,
    /// For a duplicate: the row that it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_row: Option<usize>,
}

/// A CSV file, read row by row for `N` of its columns.
pub struct CsvTable<const N: usize> {
    file: String,
    reader: csv::Reader<Box<dyn Read>>,
    /// Where in a row each column stands, in the order in which columns were asked for.
    positions: [usize; N],
    rows: usize,
}

/// What a row has in the columns that were asked for, in that order.
pub struct CsvRow<const N: usize> {
    /// Its number, from 1 after the header.
    pub number: usize,
    /// SHA-256 of all its fields, also of columns that were not asked for: equal only for exact
    /// duplicates.
    pub digest: [u8; 32],
    /// The fields, without space around them. A row may end early: what it lacks is empty.
    pub fields: [String; N],
}

impl<const N: usize> CsvTable<N> {
    /// Opens a file; one that ends in `.zst` is decompressed as it is read.
    ///
    /// # Errors
    /// [`CsvTableError`].
    pub fn open(path: &Path, columns: &[&'static str; N]) -> Result<Self, CsvTableError> {
        let file = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        let source = File::open(path)
            .map_err(|error| CsvTableError::Io(path.display().to_string(), error))?;
        let zstd = path.extension().is_some_and(|extension| extension == "zst");
        Self::read(file, Box::new(source), zstd, columns)
    }

    /// Reads CSV from anywhere; `file` is what errors call it.
    ///
    /// # Errors
    /// [`CsvTableError`].
    pub fn read(
        file: String,
        source: Box<dyn Read>,
        zstd: bool,
        columns: &[&'static str; N],
    ) -> Result<Self, CsvTableError> {
        let source: Box<dyn Read> = if zstd {
            let decoder = zstd::Decoder::new(source)
                .map_err(|error| CsvTableError::Io(file.clone(), error))?;
            Box::new(decoder)
        } else {
            source
        };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source);
        let header = reader
            .headers()
            .map_err(|error| CsvTableError::Csv(file.clone(), error.to_string()))?;
        let mut positions = [0; N];
        for (position, column) in positions.iter_mut().zip(columns) {
            *position = header
                .iter()
                .position(|name| name.trim_start_matches('\u{feff}') == *column)
                .ok_or_else(|| CsvTableError::Column {
                    file: file.clone(),
                    column,
                    found: header.iter().collect::<Vec<_>>().join(", "),
                })?;
        }
        Ok(Self {
            file,
            reader,
            positions,
            rows: 0,
        })
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The next row; none at the end of the file.
    ///
    /// # Errors
    /// [`CsvTableError::Csv`].
    pub fn next_row(&mut self) -> Result<Option<CsvRow<N>>, CsvTableError> {
        let mut record = csv::StringRecord::new();
        let more = self
            .reader
            .read_record(&mut record)
            .map_err(|error| CsvTableError::Csv(self.file.clone(), error.to_string()))?;
        if !more {
            return Ok(None);
        }
        self.rows += 1;
        let field = |position| record.get(position).unwrap_or("").trim().to_owned();
        let fields = self.positions.map(field);
        let mut hasher = Sha256::new();
        for field in &record {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field);
        }
        Ok(Some(CsvRow {
            number: self.rows,
            digest: hasher.finalize().into(),
            fields,
        }))
    }
}
