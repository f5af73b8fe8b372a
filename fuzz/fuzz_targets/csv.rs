//! CSV and compressed CSV as `import` reads them: rows go in or are set aside, none is lost.
#![no_main]

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::LazyLock;

use arborlog::import::{
    ADDED_COLUMNS, CsvTable, EVENT_COLUMNS, STATION_COLUMNS, SpeciesList, TRIP_COLUMNS,
    TreesConfig, plan_trees, read_trees,
};
use libfuzzer_sys::fuzz_target;

static SPECIES: LazyLock<SpeciesList> = LazyLock::new(|| SpeciesList::shipped().unwrap());

fn table<const N: usize>(
    bytes: &[u8],
    zstd: bool,
    columns: &[&'static str; N],
) -> Option<CsvTable<N>> {
    let source = Box::new(Cursor::new(bytes.to_vec()));
    CsvTable::read("fuzz.csv".to_owned(), source, zstd, columns).ok()
}

/// Every row has the number that follows that of the row before it.
fn rows_are_counted<const N: usize>(bytes: &[u8], zstd: bool, columns: &[&'static str; N]) {
    let Some(mut table) = table(bytes, zstd, columns) else {
        return;
    };
    let mut rows = 0;
    while let Ok(Some(row)) = table.next_row() {
        rows += 1;
        assert_eq!(row.number, rows);
        // A decompression bomb has any number of rows; an import reads them as a stream.
        if rows > 10_000 {
            break;
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else {
        return;
    };
    let zstd = first & 1 == 1;
    rows_are_counted(bytes, zstd, &TRIP_COLUMNS);
    rows_are_counted(bytes, zstd, &STATION_COLUMNS);
    let half = bytes.len() / 2;
    let (added, events) = bytes.split_at(half);
    for (added, events) in [(bytes, &[][..]), (added, events)] {
        if let Some(added) = table(added, zstd, &ADDED_COLUMNS) {
            let events = table(events, zstd, &EVENT_COLUMNS);
            if let Ok(mut register) = read_trees(added, events) {
                let config = TreesConfig {
                    today: "2026-01-01".parse().unwrap(),
                    species: &SPECIES,
                };
                let _ = plan_trees(&mut register, &config, &HashMap::new());
            }
        }
    }
});
