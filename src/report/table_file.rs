//! A table on its way to disk, as CSV, as Parquet, or both.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::cells::csv_cell;
use super::export::{ExportError, TableFormat};
use super::parquet_file::ParquetFile;
use super::tables::TableSchema;
use crate::durable::{at, create_unsynced};

/// A table on its way to disk.
#[derive(Debug)]
pub(super) struct TableFile<const COLUMNS: usize> {
    schema: &'static TableSchema<COLUMNS>,
    csv: Option<(PathBuf, csv::Writer<File>)>,
    parquet: Option<ParquetFile>,
}

impl<const COLUMNS: usize> TableFile<COLUMNS> {
    /// Begins the files.
    pub(super) fn create(
        dir: &Path,
        schema: &'static TableSchema<COLUMNS>,
        formats: &[TableFormat],
    ) -> Result<Self, ExportError> {
        let mut table = Self {
            schema,
            csv: None,
            parquet: None,
        };
        if formats.contains(&TableFormat::Csv) {
            let path = dir.join(format!("{}.csv", schema.name));
            let mut writer = csv::Writer::from_writer(create_unsynced(&path)?);
            let done = writer.write_record(schema.columns.iter().map(|column| column.name));
            done.map_err(|error| ExportError::Table(path.clone(), error.to_string()))?;
            table.csv = Some((path, writer));
        }
        if formats.contains(&TableFormat::Parquet) {
            let path = dir.join(format!("{}.parquet", schema.name));
            table.parquet = Some(ParquetFile::create(&path, &schema.columns)?);
        }
        Ok(table)
    }

    /// Adds a row: each cell as text, an empty one for none.
    pub(super) fn row(&mut self, row: [String; COLUMNS]) -> Result<(), ExportError> {
        if let Some(parquet) = &mut self.parquet {
            parquet.row(&row)?;
        }
        if let Some((path, writer)) = &mut self.csv {
            let cells = self.schema.columns.iter().zip(&row);
            let mut cells = cells.map(|(column, cell)| csv_cell(column.holds, cell));
            let done = cells
                .try_for_each(|cell| writer.write_field(cell.as_bytes()))
                .and_then(|()| writer.write_record(None::<&[u8]>));
            done.map_err(|error| ExportError::Table(path.clone(), error.to_string()))?;
        }
        Ok(())
    }

    /// Hands the last rows to the system; gives the table's section of the README.
    pub(super) fn finish(self) -> Result<String, ExportError> {
        if let Some((path, mut writer)) = self.csv {
            writer.flush().map_err(at(&path))?;
        }
        if let Some(parquet) = self.parquet {
            parquet.finish()?;
        }
        let mut section = format!(
            "\n## {}\n\nA row is {}.\n\n| column | holds | what it is |\n| --- | --- | --- |\n",
            self.schema.name, self.schema.row
        );
        for column in &self.schema.columns {
            section.push_str(&format!(
                "| `{}` | {} | {} |\n",
                column.name,
                column.holds.words(),
                column.meaning
            ));
        }
        Ok(section)
    }
}
