//! What readers share, and how much of it one client's network has: all of it in one place
//! (`docs/http.md`, "Limits"). What an operator sets is in `http`'s limits.

use std::time::Duration;

/// Bytes of all larger answers in flight: made, and not taken by their clients yet.
pub(crate) const ANSWERS_BYTES: usize = 128 << 20;
/// Bytes of one client's larger answers in flight: two of the largest bundles.
pub(crate) const ANSWERS_BYTES_EACH: usize = 32 << 20;
/// A larger answer is longer than this. A shorter one is in the connection's own buffer at once, and
/// the number of connections bounds those.
pub(crate) const SMALL_ANSWER_BYTES: u64 = 16 << 10;
/// Requests for something to read that are worked on at a time: enough that the threads are busy while
/// some wait for a checkpoint. What each is made from is in memory meanwhile.
pub(crate) const READS_MAX: usize = 32;
/// Those of them that one client's network may have: so many others' work waits for at most.
pub(crate) const READS_EACH: usize = 8;
/// Receipts and files about the state that are worked on at a time: each may have a core hash for some tens of
/// milliseconds, and other readers and appends need the cores too.
pub(crate) const FILES_MAX: usize = 4;
/// Those of them that one client's network may have.
pub(crate) const FILES_EACH: usize = 2;
/// The most readers who watch `/live` at a time: each holds a connection.
pub(crate) const STREAMS_MAX: usize = 512;
/// The most of them from one client's network, so that no one client keeps all others from watching.
pub(crate) const STREAMS_EACH: usize = 64;
/// The longest that a stream of `/live` lives. A browser connects again by itself.
pub(crate) const STREAM_LIFE: Duration = Duration::from_secs(600);
/// Searches for a record that run at a time: each hashes up to [`SEARCHED_RECORDS_MAX`] records.
pub(crate) const SEARCHES_MAX: usize = 4;
/// Those of them that one client's network may have: all its others wait for that one.
pub(crate) const SEARCHES_EACH: usize = 1;
/// The longest that a search for a record waits for others to end.
pub(crate) const SEARCH_WAIT: Duration = Duration::from_secs(2);
/// The newest entries, among which a record is looked for by its id: the ledger keeps no list of ids.
pub(crate) const SEARCHED_RECORDS_MAX: u64 = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../docs/http.md");

    #[test]
    fn the_page_tells_the_limits_that_are() {
        // The page sets thousands apart.
        let page = PAGE.replace(',', "");
        let (all, each) = (ANSWERS_BYTES, ANSWERS_BYTES_EACH);
        let small = SMALL_ANSWER_BYTES >> 10;
        let (life, wait) = (STREAM_LIFE.as_secs(), SEARCH_WAIT.as_secs());
        let searched = SEARCHED_RECORDS_MAX;
        for row in [
            format!(
                "| larger answers (over {small} KiB) in flight, made and not taken yet | | | {all} bytes, {each} of them of one network |"
            ),
            format!(
                "| requests for something to read that are worked on at a time | | | {READS_MAX}, {READS_EACH} of them of one network | waits for its turn"
            ),
            format!(
                "| receipts and files about the state that are worked on at a time | | | {FILES_MAX}, {FILES_EACH} of them of one network | waits for its turn"
            ),
            format!(
                "| streams of `/live` | | | {STREAMS_MAX}, {STREAMS_EACH} of them of one network; each lives {life} s |"
            ),
            format!(
                "| searches for a record by its id | | | {SEARCHES_MAX}, {SEARCHES_EACH} of them of one network; among the newest {searched} entries | waits {wait} s"
            ),
        ] {
            let row = row.replace(',', "");
            assert!(page.contains(&row), "docs/http.md has no {row}");
        }
    }
}
