//! CSV files, plain or compressed with zstd, row by row.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A table that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file can't be opened.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    /// A row is no CSV, or not UTF-8.
    #[error("{0}: {1}")]
    Csv(String, csv::Error),
    /// A column is missing.
    #[error("{file} has no column {column:?}; it has {found}")]
    Column {
        /// The file.
        file: String,
        /// The column that is needed.
        column: &'static str,
        /// Those that there are.
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
    /// What the file calls it.
    pub id: String,
    /// A stable name for the reason.
    pub reason: &'static str,
    /// The reason in words.
    pub detail: String,
    /// For a duplicate: the row that it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_row: Option<usize>,
}

/// A table that is read row by row.
pub struct Table {
    name: String,
    reader: csv::Reader<Box<dyn Read>>,
    columns: Vec<usize>,
    rows: usize,
}

/// The fields of a row that were asked for, in that order.
pub struct Row {
    /// Its number, from 1 after the header.
    pub number: usize,
    /// SHA-256 of all its fields, to tell exact duplicates.
    pub digest: [u8; 32],
    fields: Vec<String>,
}

impl Row {
    /// The field of the `column`-th name that was asked for.
    pub fn field(&self, column: usize) -> &str {
        self.fields.get(column).map_or("", |field| field.trim())
    }
}

impl Table {
    /// Opens a file; one that ends in `.zst` is decompressed as it is read.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn open(path: &Path, columns: &[&'static str]) -> Result<Self, TableError> {
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        let file =
            File::open(path).map_err(|error| TableError::Io(path.display().to_string(), error))?;
        let zstd = path.extension().is_some_and(|extension| extension == "zst");
        Self::read(name, Box::new(file), zstd, columns)
    }

    /// Reads a table from anywhere.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn read(
        name: String,
        source: Box<dyn Read>,
        zstd: bool,
        columns: &[&'static str],
    ) -> Result<Self, TableError> {
        let source: Box<dyn Read> = if zstd {
            let decoder =
                zstd::Decoder::new(source).map_err(|error| TableError::Io(name.clone(), error))?;
            Box::new(decoder)
        } else {
            source
        };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source);
        let header = reader
            .headers()
            .map_err(|error| TableError::Csv(name.clone(), error))?;
        let place = |column: &'static str| {
            header
                .iter()
                .position(|found| found.trim_start_matches('\u{feff}') == column)
                .ok_or_else(|| TableError::Column {
                    file: name.clone(),
                    column,
                    found: header.iter().collect::<Vec<_>>().join(", "),
                })
        };
        let columns = columns
            .iter()
            .map(|column| place(column))
            .collect::<Result<Vec<_>, TableError>>()?;
        Ok(Self {
            name,
            reader,
            columns,
            rows: 0,
        })
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next row.
    ///
    /// # Errors
    /// [`TableError::Csv`].
    pub fn next_row(&mut self) -> Result<Option<Row>, TableError> {
        let mut record = csv::StringRecord::new();
        let more = self
            .reader
            .read_record(&mut record)
            .map_err(|error| TableError::Csv(self.name.clone(), error))?;
        if !more {
            return Ok(None);
        }
        self.rows += 1;
        let fields = self
            .columns
            .iter()
            .map(|at| record.get(*at).unwrap_or("").to_owned())
            .collect();
        let mut hasher = Sha256::new();
        for field in &record {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field);
        }
        let digest = hasher.finalize().into();
        Ok(Some(Row {
            number: self.rows,
            digest,
            fields,
        }))
    }
}
