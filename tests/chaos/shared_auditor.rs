//! The check of a log on an object store that tests with several servers call after each thing that they break:
//! it reads the store itself, as any follower would, and goes on where it was.

use std::collections::HashSet;

use arborlog::merkle::{Bundle, Frontier, Hash, leaf_hash};
use arborlog::record::{Entry, Origin};
use arborlog::store::blobs::{BlobLog, Chain, PackShape, Patience, Progress, open};

use crate::support::auditor::Told;

/// The log as it was read so far.
pub struct SharedAuditor {
    runtime: tokio::runtime::Runtime,
    log: BlobLog,
    tree: Frontier,
    /// Of each size.
    roots: Vec<Hash>,
    records: Vec<Option<Vec<u8>>>,
    different: HashSet<Vec<u8>>,
    pub fences: u64,
    pub floors: u64,
}

impl SharedAuditor {
    pub fn new(address: &str, origin: &Origin) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let blobs = open(address).unwrap();
        let chain = runtime.block_on(Chain::open(blobs, origin, Patience::default()));
        Self {
            runtime,
            log: BlobLog::new(chain.unwrap(), PackShape::STANDARD),
            tree: Frontier::default(),
            roots: vec![Frontier::default().root()],
            records: Vec::new(),
            different: HashSet::new(),
            fences: 0,
            floors: 0,
        }
    }

    /// Reads what came since, and holds all that was told and seen against it. Gives the size.
    pub fn check(&mut self, told: &Told) -> u64 {
        loop {
            match self.runtime.block_on(self.log.follow()).unwrap() {
                Progress::Batch(batch) | Progress::Packed(batch) => {
                    let bundle = Bundle::parse_all(&batch.entries).unwrap();
                    for entry in bundle.entries() {
                        self.tree.push(leaf_hash(entry));
                        self.roots.push(self.tree.root());
                        let decoded = Entry::decode(entry).unwrap();
                        let record = decoded.signed().map(|entry| entry.signed.bytes().to_vec());
                        if let Some(record) = &record {
                            let is_new = self.different.insert(record.clone());
                            assert!(is_new, "a record is in twice");
                        }
                        self.records.push(record);
                    }
                }
                Progress::AtFloor(_) => self.floors += 1,
                Progress::Fence(_) => self.fences += 1,
                Progress::End => break,
            }
        }
        let size = self.records.len();
        for (index, record) in &told.records {
            let found = self.records.get(index.0 as usize);
            let is_there = found.is_some_and(|found| found.as_ref() == Some(record));
            assert!(is_there, "acknowledged entry {index} of {size}");
        }
        for seen in &told.heads {
            let root = self.roots.get(seen.size as usize);
            let (seen_size, seen_root) = (seen.size, &seen.root);
            assert_eq!(
                root,
                Some(seen_root),
                "a checkpoint of {seen_size} was seen, of {size}"
            );
        }
        size as u64
    }
}
