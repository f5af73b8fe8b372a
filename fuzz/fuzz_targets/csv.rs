//! CSV and compressed CSV as `import` reads them: each line goes in or is set aside, none is lost,
//! and what was planned once is not planned again.
#![no_main]

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::Cursor;
use std::sync::LazyLock;

use arborlog::import::{
    ADDED_COLUMNS, Answers, CsvLine, CsvTable, EVENT_COLUMNS, STATION_COLUMNS, SpeciesList,
    TRIP_COLUMNS, TreeBooks, TreesConfig, account, plan_trees, read_trees,
};
use arborlog::record::Index;
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

/// Lines ascend, and those of a plain file are all told but for empty ones.
fn lines_are_counted<const N: usize>(bytes: &[u8], zstd: bool, columns: &[&'static str; N]) {
    let Some(mut table) = table(bytes, zstd, columns) else {
        return;
    };
    let (mut last, mut lines) = (1, 0);
    while let Ok(Some(line)) = table.next_line() {
        let number = match line {
            CsvLine::Row(row) => row.line,
            CsvLine::SetAside(row) => row.line,
        };
        assert!(number > last);
        last = number;
        lines += 1;
        // A decompression bomb has any number of lines; an import reads them as a stream.
        if lines > 10_000 {
            return;
        }
    }
    if !zstd {
        let all = bytes.split(|byte| *byte == b'\n').skip(1);
        let filled = all.filter(|line| !line.iter().all(u8::is_ascii_whitespace));
        assert_eq!(lines, filled.count());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else {
        return;
    };
    let zstd = first & 1 == 1;
    lines_are_counted(bytes, zstd, &TRIP_COLUMNS);
    lines_are_counted(bytes, zstd, &STATION_COLUMNS);
    let half = bytes.len() / 2;
    let (added, events) = bytes.split_at(half);
    for (added, events) in [(bytes, &[][..]), (added, events)] {
        let Some(added) = table(added, zstd, &ADDED_COLUMNS) else {
            continue;
        };
        let events = table(events, zstd, &EVENT_COLUMNS);
        let mut told = 0;
        let Ok(register) = read_trees(added, events, None, &mut |_| told += 1) else {
            continue;
        };
        let config = TreesConfig {
            today: "2026-01-01".parse().unwrap(),
            species: &SPECIES,
        };
        let folder = tempfile::tempdir().unwrap();
        let mut books = TreeBooks::open(&folder.path().join("trees")).unwrap();
        let mut index = 0;
        for round in 0.. {
            let planned = plan_trees(&register, &books, &config);
            if planned.is_empty() {
                break;
            }
            assert!(round < 16, "rounds without end");
            books.note(planned.plantings()).unwrap();
            let Ok(said) = planned.statements(&HashMap::new()) else {
                break;
            };
            for said in said {
                books.take(Index(index), &said.statement);
                index += 1;
            }
        }
        let answers = Answers::default();
        account(&register, &books, &config, &answers, &mut |_| {
            told += 1;
            Ok::<_, Infallible>(())
        })
        .unwrap();
        assert_eq!(told, register.read());
    }
});
