//! What the tests of findings and estimates share: a programme that a forge makes, and its audit. Included beside
//! `attacks/forge.rs` and `attacks/statements.rs`, as `forge` and `statements`.

use arborlog::audit::{Finding, Folder, Inspection, Report, threads_default};
use arborlog::record::*;

use crate::forge::{self, Forge, vkey, write};
use crate::statements;

/// The digest of a file that there is only once.
pub fn file(name: impl std::fmt::Display) -> Digest {
    use sha2::Digest as _;
    Digest::from_bytes(sha2::Sha256::digest(format!("a file: {name}")).into())
}

/// Three governors of whom two sign, and the keys that they granted: name, role, holder.
pub fn begun(keys: &[(&str, Role, &str)]) -> Forge {
    let mut it = Forge::empty();
    let governors = ["g1", "g2", "g3"];
    let genesis = statements::genesis(forge::ORIGIN, &governors, 2);
    it.admit("g1+g2+g3+log", genesis);
    for (name, role, holder) in keys {
        let grant = statements::grant(name, *role, holder);
        it.admit(&format!("g1+g2+{name}"), grant);
    }
    it
}

/// What an audit finds, and its report.
pub fn audited(it: &Forge, as_of: Day) -> (Vec<Finding>, Report) {
    let temp = tempfile::tempdir().unwrap();
    let (log, rows) = (temp.path().join("log"), temp.path().join("rows"));
    write(&it.files(), &log);
    let source = Folder::new(&log);
    let mut inspection = Inspection::begin(vkey("log"), &rows).unwrap();
    let claimed = inspection.fetch_checkpoint(&source).unwrap();
    inspection
        .advance(&source, &claimed, threads_default(), None, |_| {})
        .unwrap();
    let findings = inspection.findings(as_of).unwrap();
    let report = inspection.report(as_of).unwrap().unwrap();
    (findings, report)
}
