//! Reading a log on an object store.

use arborlog::merkle::Bundle;
use arborlog::store::blobs::{BlobLog, Progress};

/// Takes in all that a log has by now; gives the entries.
pub async fn read_on(log: &mut BlobLog) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    loop {
        match log.follow().await.unwrap() {
            Progress::Batch(batch) | Progress::Packed(batch) => {
                let bundle = Bundle::parse_all(&batch.entries).unwrap();
                entries.extend(bundle.entries().iter().map(|entry| entry.to_vec()));
            }
            Progress::AtFloor(_) | Progress::Fence(_) => {}
            Progress::End => return entries,
        }
    }
}
