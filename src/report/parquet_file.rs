//! A table as an Apache Parquet file: columns with types, compressed with Zstandard.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::export::ExportError;
use super::tables::{Column, Holds};
use crate::durable::create_unsynced;
use crate::record::Day;

/// Rows of a group, at most: readers take a group at a time, and these wait in memory.
const GROUP_ROWS_MAX: usize = 1 << 16;
/// Bytes of text of a group, at most, but for its last row.
const GROUP_BYTES_MAX: usize = 1 << 24;
/// One more than the largest number of 38 digits, which is what the type holds.
const SUM_END: u128 = 10_u128.pow(38);

/// A table on its way to disk.
pub(super) struct ParquetFile {
    path: PathBuf,
    columns: &'static [Column],
    writer: SerializedFileWriter<File>,
    /// Rows of the group that is not written yet.
    rows: Vec<Vec<String>>,
    bytes: usize,
}

impl std::fmt::Debug for ParquetFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl ParquetFile {
    pub(super) fn create(path: &Path, columns: &'static [Column]) -> Result<Self, ExportError> {
        let wrong = |error: ParquetError| wrong(path, error);
        let schema = parse_message_type(&schema_text(columns)).map_err(wrong)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let file = create_unsynced(path)?;
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties));
        Ok(Self {
            path: path.to_owned(),
            columns,
            writer: writer.map_err(wrong)?,
            rows: Vec::new(),
            bytes: 0,
        })
    }

    /// Adds a row, a text for each column.
    pub(super) fn row(&mut self, row: &[String]) -> Result<(), ExportError> {
        self.bytes += row.iter().map(String::len).sum::<usize>();
        self.rows.push(row.to_vec());
        if self.rows.len() < GROUP_ROWS_MAX && self.bytes < GROUP_BYTES_MAX {
            return Ok(());
        }
        self.write_group()
    }

    /// Writes the last group and the file's end.
    pub(super) fn finish(mut self) -> Result<(), ExportError> {
        self.write_group()?;
        let closed = self.writer.close();
        closed.map_err(|error| wrong(&self.path, error))?;
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), ExportError> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if rows.is_empty() {
            return Ok(());
        }
        let path = &self.path;
        let wrong = |error: ParquetError| wrong(path, error);
        let mut group = self.writer.next_row_group().map_err(wrong)?;
        for (place, column) in self.columns.iter().enumerate() {
            let cells: Vec<&str> = rows
                .iter()
                .map(|row| row.get(place).map_or("", String::as_str))
                .collect();
            let levels: Vec<i16> = cells.iter().map(|it| (!it.is_empty()).into()).collect();
            let cells = cells.into_iter().filter(|cell| !cell.is_empty());
            let written = group.next_column().map_err(wrong)?;
            let mut written = written.ok_or_else(|| unfit(path, column, "no column"))?;
            write_column(path, column, written.untyped(), cells, &levels)?;
            written.close().map_err(wrong)?;
        }
        group.close().map_err(wrong)?;
        Ok(())
    }
}

/// Writes the cells that hold something; `levels` says which of all do.
fn write_column<'c>(
    path: &Path,
    column: &Column,
    writer: &mut ColumnWriter<'_>,
    cells: impl Iterator<Item = &'c str>,
    levels: &[i16],
) -> Result<(), ExportError> {
    let read = |cell: &str| unfit(path, column, cell);
    let done = match writer {
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            let values: Vec<ByteArray> = cells.map(ByteArray::from).collect();
            writer.write_batch(&values, Some(levels), None)
        }
        ColumnWriter::Int64ColumnWriter(writer) => {
            let value = |cell: &str| match column.holds {
                // The type without a sign has the same bits.
                Holds::Number => cell.parse::<u64>().map(u64::cast_signed),
                _ => cell.parse::<i64>(),
            };
            let values = cells.map(|cell| value(cell).map_err(|_| read(cell)));
            writer.write_batch(&values.collect::<Result<Vec<_>, _>>()?, Some(levels), None)
        }
        ColumnWriter::Int32ColumnWriter(writer) => {
            // Days since 1970-01-01, as the type has them.
            let value = |cell: &str| i32::try_from(cell.parse::<Day>().ok()?.0).ok();
            let values = cells.map(|cell| value(cell).ok_or_else(|| read(cell)));
            writer.write_batch(&values.collect::<Result<Vec<_>, _>>()?, Some(levels), None)
        }
        ColumnWriter::DoubleColumnWriter(writer) => {
            let values = cells.map(|cell| cell.parse::<f64>().map_err(|_| read(cell)));
            writer.write_batch(&values.collect::<Result<Vec<_>, _>>()?, Some(levels), None)
        }
        ColumnWriter::FixedLenByteArrayColumnWriter(writer) => {
            let value = |cell: &str| {
                let number = cell.parse::<u128>().ok().filter(|it| *it < SUM_END)?;
                let bytes = ByteArray::from(number.to_be_bytes().to_vec());
                Some(FixedLenByteArray::from(bytes))
            };
            let values = cells.map(|cell| value(cell).ok_or_else(|| read(cell)));
            writer.write_batch(&values.collect::<Result<Vec<_>, _>>()?, Some(levels), None)
        }
        _ => return Err(read("a type that no column has")),
    };
    done.map_err(|error| wrong(path, error))?;
    Ok(())
}

fn schema_text(columns: &[Column]) -> String {
    let fields = columns.iter().map(|column| {
        let Column { name, holds, .. } = column;
        match holds {
            Holds::Text => format!("OPTIONAL BYTE_ARRAY {name} (STRING);"),
            Holds::Number => format!("OPTIONAL INT64 {name} (INTEGER(64,false));"),
            Holds::Signed => format!("OPTIONAL INT64 {name} (INTEGER(64,true));"),
            Holds::Sum => format!("OPTIONAL FIXED_LEN_BYTE_ARRAY (16) {name} (DECIMAL(38,0));"),
            Holds::Real => format!("OPTIONAL DOUBLE {name};"),
            Holds::Day => format!("OPTIONAL INT32 {name} (DATE);"),
            Holds::Time => format!("OPTIONAL INT64 {name} (TIMESTAMP(MILLIS,true));"),
        }
    });
    format!("message table {{ {} }}", fields.collect::<String>())
}

fn wrong(path: &Path, error: ParquetError) -> ExportError {
    ExportError::Table(path.to_owned(), error.to_string())
}

fn unfit(path: &Path, column: &Column, cell: &str) -> ExportError {
    let what = format!(
        "{cell:?} is nothing that the column {} holds. This is a bug: please report it",
        column.name
    );
    ExportError::Table(path.to_owned(), what)
}
