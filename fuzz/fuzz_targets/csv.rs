//! CSV and compressed CSV as `import` reads them: rows go in or are set aside, none is lost.
#![no_main]

use std::collections::HashMap;
use std::io::Cursor;

use arborlog::import::{
    Table, TreesConfig, added_columns, event_columns, plan_trees, read_trees, station_columns,
    trip_columns,
};
use libfuzzer_sys::fuzz_target;

fn table(bytes: &[u8], zstd: bool, columns: &[&'static str]) -> Option<Table> {
    let source = Box::new(Cursor::new(bytes.to_vec()));
    Table::read("fuzz.csv".to_owned(), source, zstd, columns).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else {
        return;
    };
    let zstd = first & 1 == 1;
    for columns in [trip_columns().as_slice(), station_columns()] {
        if let Some(mut table) = table(bytes, zstd, columns) {
            let mut rows = 0;
            while let Ok(Some(row)) = table.next_row() {
                rows += 1;
                assert_eq!(row.number, rows);
                // A bomb would go on for long; an import reads as a stream.
                if rows > 10_000 {
                    break;
                }
            }
        }
    }
    let half = bytes.len() / 2;
    let (added, events) = bytes.split_at(half);
    for (added, events) in [(bytes, &[][..]), (added, events)] {
        if let Some(added) = table(added, zstd, added_columns()) {
            let events = table(events, zstd, event_columns());
            if let Ok(mut trees) = read_trees(added, events) {
                let config = TreesConfig {
                    today: "2026-01-01".parse().unwrap(),
                };
                let _ = plan_trees(&mut trees, &config, &HashMap::new());
            }
        }
    }
});
