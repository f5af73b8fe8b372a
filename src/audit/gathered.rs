//! What is gathered of accounts while findings are reckoned, to be put together by a key: rows in memory
//! up to a bound, beyond it in files, sorted part by part.

use std::path::PathBuf;

use super::awards::{AwardRowsError, PARTITIONS, Partitions};
use crate::durable::make_folders;
use crate::record::Index;

/// Rows that are kept in memory: 14 MB of them.
const ROWS_MAX: usize = 1 << 18;
const ROW_BYTES: usize = 32 + 8 + 8 + 8;

/// A row of a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Gathered {
    /// What the rows of a group have in common.
    pub(super) key: [u8; 32],
    /// The first entry of what the row is about.
    pub(super) first: Index,
    /// The last one.
    pub(super) last: Index,
    /// Points.
    pub(super) points: u64,
}

/// Rows, to be grouped by their keys.
#[derive(Debug)]
pub(super) struct Groups {
    dir: PathBuf,
    name: &'static str,
    rows: Vec<Gathered>,
    /// Where rows are, once they are too many.
    spilled: Option<Partitions>,
}

impl Groups {
    /// None yet. Files, if there are any, are in `dir`.
    pub(super) fn new(dir: PathBuf, name: &'static str) -> Self {
        Self {
            dir,
            name,
            rows: Vec::new(),
            spilled: None,
        }
    }

    pub(super) fn add(&mut self, row: Gathered) -> Result<(), AwardRowsError> {
        self.rows.push(row);
        if self.rows.len() < ROWS_MAX {
            return Ok(());
        }
        let parts = match self.spilled.take() {
            Some(parts) => parts,
            None => {
                make_folders(&self.dir)?;
                Partitions::open(&self.dir, self.name, &[0; PARTITIONS])?
            }
        };
        let parts = self.spilled.insert(parts);
        self.rows.drain(..).try_for_each(|row| write(parts, &row))
    }

    /// Calls `each` with each group.
    pub(super) fn each<E: From<AwardRowsError>>(
        mut self,
        mut each: impl FnMut(&[Gathered]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut grouped = |rows: &mut [Gathered]| {
            rows.sort_unstable();
            rows.chunk_by(|a, b| a.key == b.key).try_for_each(&mut each)
        };
        let Some(mut parts) = self.spilled else {
            return grouped(&mut self.rows);
        };
        for row in &self.rows {
            write(&mut parts, row)?;
        }
        parts.each(read, grouped)
    }
}

fn write(parts: &mut Partitions, row: &Gathered) -> Result<(), AwardRowsError> {
    let mut bytes = row.key.to_vec();
    for number in [row.first.0, row.last.0, row.points] {
        bytes.extend(number.to_be_bytes());
    }
    parts.add(&row.key, &bytes)
}

fn read(row: &[u8; ROW_BYTES]) -> Option<Gathered> {
    let (key, rest) = row.split_first_chunk::<32>()?;
    let (numbers, _) = rest.as_chunks::<8>();
    let [first, last, points] = numbers else {
        return None;
    };
    Some(Gathered {
        key: *key,
        first: Index(u64::from_be_bytes(*first)),
        last: Index(u64::from_be_bytes(*last)),
        points: u64::from_be_bytes(*points),
    })
}

#[cfg(test)]
mod tests {
    use super::{AwardRowsError, Gathered, Groups, ROWS_MAX};
    use crate::record::Index;

    /// Groups are the same, whether they are in memory or on disk.
    #[test]
    fn groups_beyond_memory() {
        for count in [10, ROWS_MAX as u64 + 10] {
            let temp = tempfile::tempdir().unwrap();
            let mut groups = Groups::new(temp.path().join("scratch"), "test");
            for number in 0..count {
                let mut key = [7; 32];
                key[0] = (number % 10) as u8;
                let (first, last) = (Index(number), Index(number + 1));
                let points = number;
                groups
                    .add(Gathered {
                        key,
                        first,
                        last,
                        points,
                    })
                    .unwrap();
            }
            let (mut seen, mut found) = (0, 0);
            groups
                .each(|rows| {
                    seen += 1;
                    found += rows.len() as u64;
                    assert!(
                        rows.iter()
                            .all(|row| row.points % 10 == u64::from(row.key[0]))
                    );
                    Ok::<_, AwardRowsError>(())
                })
                .unwrap();
            assert_eq!((seen, found), (10, count));
        }
    }
}
