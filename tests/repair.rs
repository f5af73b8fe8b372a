//! `fsck --repair-from`: what it mends, what it refuses, and that it changes nothing then.
#![cfg(feature = "cli")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use arborlog::merkle::TILE_HASHES;
use arborlog::note::TreeHead;
use arborlog::record::*;
use support::auditor::entries;
use support::{Ledger, Server, arborlog, award, copy_dir, files, program, run, run_ok};

/// Segments are small, so that most tiles are in files alone.
const SEGMENT_BYTES: &str = "60000";

/// A ledger of so many entries, stopped.
fn ledger_of(size: u64) -> Ledger {
    let ledger = Ledger::init();
    let server = Server::start_with(&ledger.dir, &["--segment-bytes", SEGMENT_BYTES]);
    ledger.set_up(&server.remote());
    assert_eq!(server.stop(), 0);
    let has = head(&ledger.dir).size;
    append(&ledger, &ledger.dir, size - has, 0);
    ledger
}

/// Appends awards, in commits of some.
fn append(ledger: &Ledger, dir: &Path, count: u64, first: u64) {
    append_with(ledger, dir, count, first, SEGMENT_BYTES);
}

fn append_with(ledger: &Ledger, dir: &Path, count: u64, first: u64, segment_bytes: &str) {
    let server = Server::start_with(dir, &["--segment-bytes", segment_bytes]);
    let remote = server.remote();
    let events: Vec<u64> = (first..first + count).collect();
    for events in events.chunks(125) {
        let awards = events.iter().map(|event| award(event % 100, *event));
        let statements: Vec<Statement> = awards.collect();
        let records = ledger.sign(&remote, &ledger.platform, &statements);
        remote.append(&records).unwrap();
    }
    assert_eq!(server.stop(), 0);
}

fn head(dir: &Path) -> TreeHead {
    entries(dir).0
}

fn mirror_of(dir: &Path, to: &Path) -> PathBuf {
    let server = Server::start(dir);
    let vkey = dir.join("log.vkey");
    let (to_text, vkey) = (to.to_str().unwrap(), vkey.to_str().unwrap());
    run_ok(&["mirror", &server.url, to_text, "--log", vkey]);
    assert_eq!(server.stop(), 0);
    to.to_owned()
}

/// A repair's exit code and words.
fn repair(dir: &Path, mirror: &Path) -> (Option<i32>, String) {
    let (dir, mirror) = (dir.to_str().unwrap(), mirror.to_str().unwrap());
    let output = run(&["fsck", dir, "--repair-from", mirror]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), words)
}

/// The log's own bytes: what is derived from it, and locks, apart.
fn bytes_of(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let apart = |path: &PathBuf| !path.starts_with(dir.join("state")) && !path.ends_with("LOCK");
    let files = files(dir).into_iter().filter(apart);
    files
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

fn newest_segment(dir: &Path) -> PathBuf {
    files(&dir.join("journal")).pop().unwrap()
}

fn change(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    how(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// It refuses with these words, and the log's bytes are as before.
fn refuses(dir: &Path, mirror: &Path, expected: &str, what: &str) {
    let before = bytes_of(dir);
    let (code, words) = repair(dir, mirror);
    assert_eq!(code, Some(1), "{what}: {words}");
    assert!(words.contains(expected), "{what}: {words}");
    assert!(bytes_of(dir) == before, "{what}: something was changed");
}

/// It mends, and the entries are those.
fn mends(dir: &Path, mirror: &Path, expected: &(TreeHead, Vec<Vec<u8>>), what: &str) {
    let (code, words) = repair(dir, mirror);
    assert_eq!(code, Some(0), "{what}: {words}");
    assert!(entries(dir) == *expected, "{what}: {words}");
}

#[test]
fn a_store_that_is_whole_is_left_as_it_is() {
    let ledger = ledger_of(1_100);
    let mirror = mirror_of(&ledger.dir, &ledger.temp.path().join("mirror"));
    append(&ledger, &ledger.dir, 300, 5_000);
    let before = bytes_of(&ledger.dir);
    let (code, words) = repair(&ledger.dir, &mirror);
    assert_eq!((code, words.as_str()), (Some(0), ""));
    assert!(bytes_of(&ledger.dir) == before);
}

#[test]
fn from_a_mirror_that_is_behind_all_is_mended_that_is_left_and_nothing_is_given_up() {
    let ledger = ledger_of(1_100);
    let mirror = mirror_of(&ledger.dir, &ledger.temp.path().join("mirror"));
    append(&ledger, &ledger.dir, 300, 5_000);
    let whole = entries(&ledger.dir);
    let copy = |name: &str| {
        let dir = ledger.temp.path().join(name);
        copy_dir(&ledger.dir, &dir);
        dir
    };
    let forget = |dir: &Path| std::fs::remove_dir_all(dir.join("state")).unwrap();

    // What is left tells it all.
    let dir = copy("header");
    change(&newest_segment(&dir), |bytes| bytes[20] ^= 1);
    mends(&dir, &mirror, &whole, "the newest segment's header");
    let dir = copy("tiles");
    for number in 0..4 {
        std::fs::remove_file(dir.join(format!("public/tile/entries/00{number}"))).unwrap();
    }
    mends(&dir, &mirror, &whole, "tiles that the mirror has");

    // What is left tells that something is missing: each by itself.
    let missing = "find a newer copy";
    let dir = copy("zeroed");
    change(&newest_segment(&dir), |bytes| bytes.fill(0));
    refuses(&dir, &mirror, missing, "a zeroed segment");
    forget(&dir);
    refuses(&dir, &mirror, missing, "a zeroed segment and no state");
    let dir = copy("removed");
    std::fs::remove_dir_all(dir.join("journal")).unwrap();
    refuses(&dir, &mirror, missing, "no journal");
    forget(&dir);
    refuses(
        &dir,
        &mirror,
        missing,
        "no journal and no state: tiles tell",
    );
    let dir = copy("cut");
    change(&newest_segment(&dir), |bytes| {
        bytes.truncate(bytes.len() - 1)
    });
    refuses(
        &dir,
        &mirror,
        missing,
        "the last commit cut: the state tells",
    );
    let dir = copy("commits");
    let size = std::fs::metadata(newest_segment(&dir)).unwrap().len() as usize;
    for at in (200..size).step_by(8_000) {
        change(&newest_segment(&dir), |bytes| bytes[at] ^= 1);
    }
    refuses(&dir, &mirror, missing, "bits here and there in commits");
}

/// While the journal still holds what goes on from the mirror's end, files behind that end are made
/// from it.
#[test]
fn tiles_behind_the_mirrors_end_are_mended_from_the_journal() {
    let ledger = ledger_of(1_100);
    let mirror = mirror_of(&ledger.dir, &ledger.temp.path().join("mirror"));
    append_with(&ledger, &ledger.dir, 900, 5_000, "10000000");
    let whole = entries(&ledger.dir);
    for tile in files(&ledger.dir.join("public")) {
        std::fs::write(tile, "nothing").unwrap();
    }
    mends(&ledger.dir, &mirror, &whole, "every tile");
    run_ok(&["fsck", ledger.dir.to_str().unwrap()]);
}

#[test]
fn two_histories_are_never_made_one() {
    let ledger = ledger_of(400);
    let other = ledger.temp.path().join("other");
    copy_dir(&ledger.dir, &other);
    append(&ledger, &ledger.dir, 400, 5_000);
    // Shorter, longer, ends at a whole bundle, and where one segment follows another.
    for (name, count) in [
        ("shorter", 200),
        ("longer", 900),
        ("bundle", 2 * TILE_HASHES - 400 % 256),
    ] {
        let dir = ledger.temp.path().join(name);
        copy_dir(&other, &dir);
        append(&ledger, &dir, count, 9_000);
        let mirror = mirror_of(&dir, &ledger.temp.path().join(format!("mirror-{name}")));
        if name == "bundle" {
            assert_eq!(head(&dir).size % TILE_HASHES, 0);
        }
        let histories = "two histories";
        refuses(&ledger.dir, &mirror, histories, name);
        // Also where nothing but the tiles, or nothing but the journal, still tells.
        let damaged = ledger.temp.path().join(format!("damaged-{name}"));
        copy_dir(&ledger.dir, &damaged);
        for tile in files(&damaged.join("public")) {
            std::fs::write(tile, "nothing").unwrap();
        }
        refuses(&damaged, &mirror, histories, &format!("{name}, no tiles"));
        std::fs::remove_dir_all(&damaged).unwrap();
        copy_dir(&ledger.dir, &damaged);
        std::fs::remove_dir_all(damaged.join("journal")).unwrap();
        std::fs::remove_dir_all(damaged.join("state")).unwrap();
        if count > 200 {
            refuses(&damaged, &mirror, histories, &format!("{name}, no journal"));
        }
    }
}

/// The fork lies before all that the journal and the mirror have in common.
#[test]
fn a_fork_before_the_journal_begins_is_seen_in_the_tiles() {
    let ledger = ledger_of(400);
    let other = ledger.temp.path().join("other");
    copy_dir(&ledger.dir, &other);
    append(&ledger, &ledger.dir, 1_500, 5_000);
    append(&ledger, &other, 300, 9_000);
    let mirror = mirror_of(&other, &ledger.temp.path().join("mirror"));
    let first: u64 = files(&ledger.dir.join("journal"))[0]
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(first > 700, "{first}");
    refuses(&ledger.dir, &mirror, "two histories", "whole");
    // Two tiles that are damaged, too: not told from a fork in them, and not overwritten.
    let tile = ledger.dir.join("public/tile/entries/001");
    std::fs::write(tile, "nothing").unwrap();
    refuses(&ledger.dir, &mirror, "two histories", "one bundle damaged");
}

#[test]
fn what_neither_the_journal_nor_the_copy_has_is_named() {
    let ledger = ledger_of(600);
    let mirror = mirror_of(&ledger.dir, &ledger.temp.path().join("mirror"));
    // Entries that the mirror does not have, then damage to the first of the two commits.
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    for event in 0..2 {
        let records = ledger.sign(&remote, &ledger.platform, &[award(1, 5_000 + event)]);
        remote.append(&records).unwrap();
    }
    server.stop();
    let journal = newest_segment(&ledger.dir);
    change(&journal, |bytes| {
        let at = bytes.len() - 600;
        bytes[at] ^= 1;
    });
    let output = run(&["fsck", ledger.dir.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    refuses(
        &ledger.dir,
        &mirror,
        "entries 600 to 601 were committed",
        "a commit",
    );
}

/// Cut off between putting the old journal aside and the new one in its place: the old one counts.
#[test]
fn a_repair_that_was_cut_off_loses_nothing_when_it_is_run_again() {
    let ledger = ledger_of(600);
    let mirror = mirror_of(&ledger.dir, &ledger.temp.path().join("mirror"));
    append(&ledger, &ledger.dir, 1, 5_000);
    let whole = entries(&ledger.dir);
    let aside = ledger.dir.join("journal.damaged.0");
    std::fs::rename(ledger.dir.join("journal"), aside).unwrap();
    assert!(
        !run(&["fsck", ledger.dir.to_str().unwrap()])
            .status
            .success()
    );
    mends(&ledger.dir, &mirror, &whole, "a repair cut off");
}

#[test]
fn a_copy_that_is_ahead_gives_back_what_the_store_lost() {
    let ledger = ledger_of(1_500);
    let mirror = mirror_of(&ledger.dir, &ledger.temp.path().join("mirror"));
    let whole = entries(&ledger.dir);
    // As from an old backup: the newest commits are gone.
    change(&newest_segment(&ledger.dir), |bytes| {
        bytes.truncate(bytes.len() / 2)
    });
    std::fs::remove_dir_all(ledger.dir.join("state")).unwrap();
    let (code, words) = repair(&ledger.dir, &mirror);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("entries were regained"), "{words}");
    assert!(entries(&ledger.dir) == whole);
}

/// strace makes the first reads of one file fail, as bad sectors do.
#[test]
fn sectors_that_can_not_be_read_are_damage_like_any_other() {
    let ledger = ledger_of(1_100);
    let mirror = mirror_of(&ledger.dir, &ledger.temp.path().join("mirror"));
    let whole = entries(&ledger.dir);
    let trace = ledger.path("trace");
    let segment = newest_segment(&ledger.dir);
    for path in [
        ledger.dir.join("public/tile/entries/002"),
        ledger.dir.join("public/tile/0/001"),
        segment,
    ] {
        let path = path.to_str().unwrap();
        let output = Command::new("strace")
            .args(["-f", "-qq", "-o", &trace, "-P", path])
            .args(["-e", "trace=read,pread64"])
            .args(["-e", "inject=read:error=EIO:when=1"])
            .args(["-e", "inject=pread64:error=EIO:when=1..3"])
            .arg(program())
            .args(["fsck", ledger.dir.to_str().unwrap()])
            .args(["--repair-from", mirror.to_str().unwrap()])
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        // Each thread's first read fails, those of the check that follows too: it is made again.
        run_ok(&["fsck", ledger.dir.to_str().unwrap()]);
        assert!(
            std::fs::read_to_string(&trace)
                .unwrap()
                .contains("(INJECTED)"),
            "{path}"
        );
        assert!(
            words.contains("restored") || words.contains("made the journal anew"),
            "{words}"
        );
        assert!(entries(&ledger.dir) == whole, "{path}: {words}");
    }
}

/// Looking cuts nothing off, and neither does a start that is refused; a commit does.
#[test]
fn a_torn_end_stays_until_a_commit_takes_its_place() {
    let ledger = ledger_of(600);
    let segment = newest_segment(&ledger.dir);
    let saved = ledger.dir.join("state");
    // The state was saved with the last commit, which is damaged now: it objects.
    change(&segment, |bytes| {
        let at = bytes.len() - 200;
        bytes[at] ^= 1;
    });
    let before = bytes_of(&ledger.dir);
    let dir = ledger.dir.to_str().unwrap();
    for _ in 0..2 {
        assert_eq!(run(&["fsck", dir]).status.code(), Some(1));
        assert!(
            !run(&["serve", dir, "--listen", "127.0.0.1:0"])
                .status
                .success()
        );
    }
    assert!(bytes_of(&ledger.dir) == before);
    // Nobody knows of it: as if it had been cut off by a loss of power.
    std::fs::remove_dir_all(saved).unwrap();
    run_ok(&["fsck", dir]);
    assert!(bytes_of(&ledger.dir) == before);
    append(&ledger, &ledger.dir, 5, 7_000);
    assert_ne!(std::fs::read(&segment).ok(), before.get(&segment).cloned());
    run_ok(&["fsck", dir]);
}

/// Every file with its bytes, its mode and the time of its last change, and every folder with its
/// time.
fn exactly(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32, std::time::SystemTime)> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(&folder).unwrap() {
            let file = file.unwrap();
            if file.file_type().unwrap().is_dir() {
                folders.push(file.path());
            } else {
                let metadata = file.metadata().unwrap();
                let bytes = std::fs::read(file.path()).unwrap();
                let mode = metadata.permissions().mode();
                found.insert(file.path(), (bytes, mode, metadata.modified().unwrap()));
            }
        }
        let metadata = std::fs::metadata(&folder).unwrap();
        let mode = metadata.permissions().mode();
        found.insert(folder, (Vec::new(), mode, metadata.modified().unwrap()));
    }
    found
}

/// A folder that is mounted once more, where nothing can be written; gone when dropped.
struct ReadOnly(tempfile::TempDir);

impl ReadOnly {
    fn of(dir: &Path) -> Self {
        let at = tempfile::tempdir().unwrap();
        let mounted = Self(at);
        let run = |arguments: &[&str]| {
            let done = Command::new("mount").args(arguments).status().unwrap();
            assert!(done.success(), "this test mounts a folder, as root");
        };
        let (from, to) = (dir.to_str().unwrap(), mounted.0.path().to_str().unwrap());
        run(&["--bind", from, to]);
        run(&["-o", "remount,bind,ro", to]);
        mounted
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_check_changes_nothing_and_needs_nothing_that_can_be_written() {
    let ledger = ledger_of(700);
    let dir = &ledger.dir;
    let before = exactly(dir);
    let words = run_ok(&["fsck", dir.to_str().unwrap()]);
    assert!(words.contains("is what they make"), "{words}");
    assert!(exactly(dir) == before, "fsck changed something");

    let read_only = ReadOnly::of(dir);
    let words = run_ok(&["fsck", read_only.0.path().to_str().unwrap()]);
    assert!(words.contains("is what they make"), "{words}");
    drop(read_only);

    // A backup, as docs/operations.md has it: without locks, state and keys.
    let backup = ledger.temp.path().join("backup");
    copy_dir(dir, &backup);
    std::fs::remove_file(backup.join("LOCK")).unwrap();
    std::fs::remove_dir_all(backup.join("state")).unwrap();
    std::fs::remove_dir_all(backup.join("keys")).unwrap();
    let before = exactly(&backup);
    run_ok(&["fsck", backup.to_str().unwrap()]);
    assert!(exactly(&backup) == before, "fsck changed something");

    // No room for the copy that the saved state is read from: that is said, and is no damage.
    let without_room = |dir: &Path| {
        let mut command = arborlog();
        command.args(["fsck", dir.to_str().unwrap()]);
        command.env("TMPDIR", ledger.temp.path().join("nowhere"));
        command.output().unwrap()
    };
    assert!(without_room(&backup).status.success(), "it has no state");
    let output = without_room(dir);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{words}");
    assert!(words.contains("the log itself is whole"), "{words}");
    assert!(words.contains("could not be checked"), "{words}");
}

/// The lock comes first: whatever a repair reads or removes is no running server's.
#[test]
fn a_repair_of_a_ledger_that_is_served_touches_nothing() {
    use std::os::unix::fs::MetadataExt as _;
    let ledger = ledger_of(700);
    let mirror = mirror_of(&ledger.dir, &ledger.temp.path().join("mirror"));
    // What sled can't read would have been renamed, under the running server.
    let server = Server::start(&ledger.dir);
    for file in files(&ledger.dir.join("state")) {
        if file.file_name().is_some_and(|name| name == "conf") {
            std::fs::write(file, "nothing that sled wrote").unwrap();
        }
    }
    // The server writes into its own state meanwhile: that it is still there is enough.
    let state = ledger.dir.join("state");
    let now = || {
        let mut now = exactly(&ledger.dir);
        now.retain(|path, _| !path.starts_with(&state));
        (now, std::fs::metadata(&state).unwrap().ino())
    };
    // A start writes the tiles of its journal once more, on a thread of its own.
    let mut before = now();
    loop {
        std::thread::sleep(std::time::Duration::from_millis(500));
        let later = now();
        if later == before {
            break;
        }
        before = later;
    }
    for arguments in [&["--repair-from", mirror.to_str().unwrap()][..], &[]] {
        let dir = ledger.dir.to_str().unwrap();
        let output = run(&[&["fsck", dir], arguments].concat());
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{words}");
        assert!(words.contains("in use by another arborlog"), "{words}");
        assert!(now() == before, "{arguments:?} changed something");
    }
    let remote = server.remote();
    let records = ledger.sign(&remote, &ledger.platform, &[award(1, 9_000)]);
    remote.append(&records).unwrap();
    server.stop();
    // Stopped, the state that can't be read is damage, which a repair takes away.
    let dir = ledger.dir.to_str().unwrap();
    assert_eq!(run(&["fsck", dir]).status.code(), Some(1));
    let (code, words) = repair(&ledger.dir, &mirror);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("removed the saved state"), "{words}");
}
