//! Auditors at work: mirror, audit and monitor as processes, on a real server and on folders that
//! a liar made.
#![cfg(feature = "cli")]

#[allow(dead_code)]
#[path = "attacks/forge.rs"]
mod forge;
#[allow(dead_code)]
#[path = "attacks/statements.rs"]
mod statements;
mod support;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use arborlog::note::Checkpoint;
use forge::Forge;
use serde_json::Value;
use support::{Ledger, Server, arborlog, award, run, run_ok};

fn json(text: &str) -> Value {
    serde_json::from_str(text.trim()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn write_log(it: &Forge, dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
    forge::write(&it.files(), dir);
}

fn more_awards(ledger: &Ledger, server: &Server, from: u64, count: u64) {
    let statements: Vec<_> = (from..from + count)
        .map(|event| award(event % 7, event))
        .collect();
    let remote = server.remote();
    let records = ledger.sign(&remote, &ledger.platform, &statements);
    remote.append(&records).unwrap();
}

/// What the second verifier says of a mirror.
fn second_verifier(mirror: &str, vkey: &str) -> Value {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/docs/verifier/arborlog_verify.py"
    );
    let output = Command::new("python3")
        .args([script, "audit", mirror, "--log", vkey.trim(), "--json"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "is python3-cryptography installed? {}{}",
        String::from_utf8_lossy(&output.stdout),
        stderr(&output)
    );
    json(&String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_log_is_mirrored_audited_reported_and_followed_as_it_grows() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    ledger.set_up(&server.remote());
    more_awards(&ledger, &server, 0, 300);
    let vkey_file = ledger.dir.join("log.vkey");
    let vkey = vkey_file.to_str().unwrap();
    let (mirror, state) = (ledger.path("mirror"), ledger.path("audit.state"));
    let (report, tables) = (ledger.path("report"), ledger.path("tables"));
    let url = server.url.as_str();

    let copied = json(&run_ok(&["mirror", url, &mirror, "--log", vkey, "--json"]));
    let first = json(&run_ok(&[
        "audit", url, "--log", vkey, "--state", &state, "--report", &report, "--export", &tables,
        "--json",
    ]));
    assert_eq!(first["whole"], true);
    assert_eq!(first["entries"], copied["entries"]);
    assert_eq!(first["root"], copied["root"]);
    assert_eq!(first["new_entries"], first["entries"]);
    let awards = std::fs::read_to_string(format!("{tables}/awards.csv")).unwrap();
    assert_eq!(awards.lines().count(), 301);
    let entries = std::fs::read_to_string(format!("{tables}/entries.csv")).unwrap();
    assert_eq!(
        entries.lines().count() as u64,
        first["entries"].as_u64().unwrap() + 1
    );
    let documented = std::fs::read_to_string(format!("{tables}/README.md")).unwrap();
    for column in awards.lines().next().unwrap().split(',') {
        assert!(documented.contains(&format!("| `{column}` |")), "{column}");
    }
    let data = std::fs::read_to_string(format!("{report}/report.json")).unwrap();
    // The same sums, under names that have their units.
    for (named, same) in [("awarded_grams", "awarded"), ("standing_trees", "standing")] {
        assert_eq!(json(&data)["totals"][named], first["totals"][same]);
    }
    assert!(Path::new(&format!("{report}/report.html")).exists());
    // The tables are never mixed with others.
    let again = run(&["audit", url, "--log", vkey, "--export", &tables]);
    assert_eq!(again.status.code(), Some(2), "{}", stderr(&again));

    // It grows: only what is new is read.
    more_awards(&ledger, &server, 300, 60);
    let second = json(&run_ok(&[
        "audit", url, "--log", vkey, "--state", &state, "--json",
    ]));
    assert_eq!(second["new_entries"], 60);
    let whole = json(&run_ok(&["audit", url, "--log", vkey, "--json"]));
    for same in ["entries", "root", "genesis", "totals", "findings"] {
        assert_eq!(second[same], whole[same], "{same}");
    }
    let copied = json(&run_ok(&["mirror", url, &mirror, "--log", vkey, "--json"]));
    assert_eq!(copied["new_entries"], 60);
    let copied = json(&run_ok(&["mirror", url, &mirror, "--log", vkey, "--json"]));
    assert_eq!(copied["new_entries"], 0);

    // The copy stands for the log, also for somebody else's program.
    server.stop();
    let of_copy = json(&run_ok(&[
        "audit", &mirror, "--log", vkey, "--state", &state, "--json",
    ]));
    assert_eq!(
        (&of_copy["new_entries"], &of_copy["root"]),
        (&Value::from(0), &whole["root"])
    );
    run_ok(&["fsck", &mirror, "--log", vkey]);
    let other = second_verifier(&mirror, &std::fs::read_to_string(vkey).unwrap());
    for same in ["entries", "root", "genesis", "totals"] {
        assert_eq!(other[same], whole[same], "{same}");
    }
    // The server is gone: that is no word against the log.
    let away = run(&["mirror", "http://127.0.0.1:9", &mirror, "--log", vkey]);
    assert_eq!(away.status.code(), Some(3), "{}", stderr(&away));
}

#[test]
fn a_rewritten_log_is_caught_and_both_checkpoints_are_kept() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let (log, state, copy) = (path("log"), path("audit.state"), path("copy"));
    let vkey = forge::vkey("log").to_string();
    let honest = Forge::long();
    write_log(&honest, Path::new(&log));
    run_ok(&["audit", &log, "--log", &vkey, "--state", &state]);
    run_ok(&["mirror", &log, &copy, "--log", &vkey]);
    let saved = std::fs::read(&state).unwrap();

    // The operator with all keys tells the whole story anew, longer than before.
    let mut lie = Forge::honest();
    lie.goes_on();
    lie.grow(400);
    write_log(&lie, Path::new(&log));
    run_ok(&["audit", &log, "--log", &vkey]);
    let caught = run(&["audit", &log, "--log", &vkey, "--state", &state, "--json"]);
    assert_eq!(caught.status.code(), Some(1), "{}", stderr(&caught));
    assert!(stderr(&caught).contains("evidence"), "{}", stderr(&caught));
    assert_eq!(
        json(&String::from_utf8_lossy(&caught.stdout))["whole"],
        false
    );
    assert_eq!(
        std::fs::read(&state).unwrap(),
        saved,
        "nothing was taken in"
    );
    let mut sizes: Vec<u64> = std::fs::read_dir(path("audit.state.evidence"))
        .unwrap()
        .map(|file| {
            let note = std::fs::read(file.unwrap().path()).unwrap();
            let signed = Checkpoint::open(&note, &forge::vkey("log")).unwrap();
            signed.head().size
        })
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [honest.size(), lie.size()]);

    let refused = run(&["mirror", &log, &copy, "--log", &vkey]);
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    let monitored = run(&["monitor", &log, "--log", &vkey, "--state", &state, "--once"]);
    assert_eq!(monitored.status.code(), Some(1), "{}", stderr(&monitored));

    // What was verified before is as good as ever.
    write_log(&honest, Path::new(&log));
    run_ok(&["audit", &log, "--log", &vkey, "--state", &state]);
    run_ok(&["audit", &copy, "--log", &vkey]);
}

#[test]
fn a_log_that_shows_less_than_before_lags_and_is_not_called_false() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let (log, state, copy) = (path("log"), path("audit.state"), path("copy"));
    let vkey = forge::vkey("log").to_string();
    let honest = Forge::long();
    write_log(&honest, Path::new(&log));
    run_ok(&["audit", &log, "--log", &vkey, "--state", &state]);
    run_ok(&["mirror", &log, &copy, "--log", &vkey]);
    // The checkpoint of before, beside all tiles.
    forge::write(&honest.files_at(270), Path::new(&log));
    let audit = run(&["audit", &log, "--log", &vkey, "--state", &state]);
    assert_eq!(audit.status.code(), Some(3), "{}", stderr(&audit));
    assert!(stderr(&audit).contains("lags"), "{}", stderr(&audit));
    let mirror = run(&["mirror", &log, &copy, "--log", &vkey]);
    assert_eq!(mirror.status.code(), Some(3), "{}", stderr(&mirror));
    assert!(!Path::new(&path("audit.state.evidence")).exists());
    // The tiles that it signed for are not there either: a copy that lags has none of them.
    std::fs::remove_dir_all(&log).unwrap();
    forge::write(&honest.files_at(270), Path::new(&log));
    let audit = run(&["audit", &log, "--log", &vkey, "--state", &state]);
    assert_eq!(audit.status.code(), Some(3), "{}", stderr(&audit));
    assert!(stderr(&audit).contains("rolled back"), "{}", stderr(&audit));
    // The mirror has the later tiles itself, and proves by them that the log is true to them.
    let mirror = run(&["mirror", &log, &copy, "--log", &vkey]);
    assert_eq!(mirror.status.code(), Some(3), "{}", stderr(&mirror));
    assert!(
        stderr(&mirror).contains("true to them"),
        "{}",
        stderr(&mirror)
    );
    let monitor = ["monitor", &log, "--log", &vkey, "--state", &state, "--once"];
    assert_eq!(run(&monitor).status.code(), Some(3));
    for place in ["audit.state.evidence", "copy.evidence"] {
        assert!(!Path::new(&path(place)).exists(), "{place}");
    }
    // Another story of fewer entries is a lie, though the later tiles are gone: the first 256
    // entries are known by their one root.
    let mut lie = Forge::honest();
    lie.goes_on();
    lie.grow(270);
    std::fs::remove_dir_all(&log).unwrap();
    forge::write(&lie.files(), Path::new(&log));
    let audit = run(&["audit", &log, "--log", &vkey, "--state", &state]);
    assert_eq!(audit.status.code(), Some(1), "{}", stderr(&audit));
    let mirror = run(&["mirror", &log, &copy, "--log", &vkey]);
    assert_eq!(mirror.status.code(), Some(1), "{}", stderr(&mirror));
    for place in ["audit.state.evidence", "copy.evidence"] {
        assert_eq!(
            std::fs::read_dir(path(place)).unwrap().count(),
            2,
            "{place}"
        );
    }
}

#[test]
fn audits_and_mirrors_go_on_when_the_log_key_was_replaced() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let (log, state, copy) = (path("log"), path("audit.state"), path("copy"));
    let (old, new) = (
        forge::vkey("log").to_string(),
        forge::vkey("log2").to_string(),
    );
    let mut it = Forge::honest();
    write_log(&it, Path::new(&log));
    run_ok(&["audit", &log, "--log", &old, "--state", &state]);
    run_ok(&["mirror", &log, &copy, "--log", &old]);
    it.admit("g1+g2+g4+log2", statements::log_key("log2"));
    it.grow(300);
    let mut files = it.files();
    let signed = it.checkpoint_by(it.size(), &["log2"]).to_string();
    files.insert("checkpoint".to_owned(), signed.into_bytes());
    forge::write(&files, Path::new(&log));
    // The old key's holder signed nothing of this: it is told so, and nobody is accused.
    let by_old = run(&["audit", &log, "--log", &old, "--state", &state]);
    assert_eq!(by_old.status.code(), Some(3));
    assert!(
        stderr(&by_old).contains("was replaced"),
        "{}",
        stderr(&by_old)
    );
    let answer = json(&run_ok(&[
        "audit", &log, "--log", &new, "--state", &state, "--json",
    ]));
    assert_eq!(answer["entries"], 300);
    assert_eq!(answer["vkey"], new);
    run_ok(&["audit", &log, "--log", &new]);
    run_ok(&["mirror", &log, &copy, "--log", &new, "--log", &old]);
    run_ok(&["mirror", &log, &copy, "--log", &new]);
}

/// What nobody signed is no word of the log's: a monitor asks again.
#[test]
fn a_stranger_s_checkpoint_accuses_nobody() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let (log, state) = (path("log"), path("m.state"));
    let vkey = forge::vkey("log").to_string();
    let it = Forge::honest();
    let mut files = it.files();
    let signed = it.checkpoint_by(it.size(), &["stranger"]).to_string();
    files.insert("checkpoint".to_owned(), signed.into_bytes());
    forge::write(&files, Path::new(&log));
    let once = run(&["monitor", &log, "--log", &vkey, "--state", &state, "--once"]);
    assert_eq!(once.status.code(), Some(3), "{}", stderr(&once));
    // Nor can a file that never ends take the memory.
    let checkpoint = Path::new(&log).join("checkpoint");
    std::fs::remove_file(&checkpoint).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &checkpoint).unwrap();
    let endless = run(&["audit", &log, "--log", &vkey]);
    assert_eq!(endless.status.code(), Some(3), "{}", stderr(&endless));
}

#[test]
fn a_saved_audit_that_is_damaged_or_in_use_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let (log, state) = (path("log"), path("audit.state"));
    let vkey = forge::vkey("log").to_string();
    let mut it = Forge::honest();
    it.grow(60);
    write_log(&it, Path::new(&log));
    let audit = || run(&["audit", &log, "--log", &vkey, "--state", &state]);
    assert_eq!(audit().status.code(), Some(0));
    let whole = std::fs::read(&state).unwrap();
    for place in [3, whole.len() / 2, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[place] ^= 1;
        std::fs::write(&state, &flipped).unwrap();
        let refused = audit();
        assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
        assert!(
            stderr(&refused).contains("Move it away"),
            "{}",
            stderr(&refused)
        );
    }
    std::fs::write(&state, &whole[..whole.len() - 40]).unwrap();
    assert_eq!(audit().status.code(), Some(3));
    std::fs::write(&state, &whole).unwrap();

    let held = std::fs::File::create(path("audit.state.awards/LOCK")).unwrap();
    held.lock().unwrap();
    let refused = audit();
    assert_eq!(refused.status.code(), Some(3));
    assert!(stderr(&refused).contains("in use"), "{}", stderr(&refused));
    drop(held);
    assert_eq!(audit().status.code(), Some(0));

    let other = run(&["audit", &log, "--log", &vkey, "--genesis", &"0".repeat(64)]);
    assert_eq!(other.status.code(), Some(1), "{}", stderr(&other));
    let grave = run(&["audit", &log, "--log", &vkey, "--fail-on", "low"]);
    assert_eq!(grave.status.code(), Some(1), "{}", stderr(&grave));
    let stranger = forge::vkey("stranger").to_string();
    let other = run(&["audit", &log, "--log", &stranger]);
    assert_eq!(other.status.code(), Some(3), "{}", stderr(&other));
}

/// Killed if the test forgets it.
struct Monitor(Child);

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_monitor_follows_tells_and_ends_at_a_lie() {
    use std::os::unix::fs::PermissionsExt as _;
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let (log, told, program) = (path("log"), path("told"), path("tell"));
    let vkey = forge::vkey("log").to_string();
    let script = format!("#!/bin/sh\ncat >> '{told}'\n");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut it = Forge::honest();
    it.grow(60);
    write_log(&it, Path::new(&log));
    let mut monitor = Monitor(
        arborlog()
            .args(["monitor", &log, "--log", &vkey, "--state", &path("m.state")])
            .args([
                "--every",
                "1",
                "--listen",
                "127.0.0.1:0",
                "--on-finding",
                &program,
            ])
            .env("ARBORLOG_LOG", "error")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let mut line = String::new();
    BufReader::new(monitor.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let url = line
        .trim()
        .strip_prefix("listening on ")
        .unwrap()
        .to_owned();
    let metrics = || {
        let output = Command::new("curl")
            .args(["-s", &format!("{url}/metrics")])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    wait_for("60 entries", || {
        metrics().contains("arborlog_monitor_tree_size 60\n")
    });
    // The honest forge uses one digest as the evidence of all awards.
    wait_for("a finding", || {
        std::fs::read_to_string(&told).is_ok_and(|told| told.contains("award_evidence_repeated"))
    });
    wait_for("its metric", || {
        metrics().contains("arborlog_monitor_findings{code=\"award_evidence_repeated\"")
    });
    it.grow(70);
    write_log(&it, Path::new(&log));
    wait_for("70 entries", || {
        metrics().contains("arborlog_monitor_tree_size 70\n")
    });
    // Away is no lie.
    std::fs::rename(&log, path("elsewhere")).unwrap();
    wait_for("away", || {
        metrics().contains("arborlog_monitor_log_away 1\n")
    });
    std::fs::rename(path("elsewhere"), &log).unwrap();
    wait_for("back", || {
        metrics().contains("arborlog_monitor_log_away 0\n")
    });

    let mut lie = Forge::honest();
    lie.goes_on();
    lie.grow(80);
    write_log(&lie, Path::new(&log));
    let status = monitor.0.wait().unwrap();
    assert_eq!(status.code(), Some(1));
    let told = std::fs::read_to_string(&told).unwrap();
    let last = json(told.lines().last().unwrap());
    assert_eq!(last["what"], "violation");
    assert_eq!(last["severity"], "high");
}

/// What was verified or copied once stays: a smaller checkpoint of the same log takes neither an
/// auditor nor a mirror back, whoever hands it in.
#[test]
fn an_older_checkpoint_takes_nobody_back() {
    use arborlog::audit::{AuditError, Auditor, Folder, Mirror, MirrorError, threads_default};
    let temp = tempfile::tempdir().unwrap();
    let (new, old) = (temp.path().join("new"), temp.path().join("old"));
    let honest = Forge::honest();
    forge::write(&honest.files(), &new);
    forge::write(&honest.files_at(3), &old);
    let (new, old, key) = (Folder::new(&new), Folder::new(&old), forge::vkey("log"));
    let older = AuditError::Older {
        shown: 3,
        verified: honest.size(),
    };

    let mut auditor = Auditor::new(key.clone()).unwrap();
    let claimed = auditor.fetch_checkpoint(&new).unwrap();
    let each = |_: &arborlog::replay::Taken<'_>, _: &_| Ok::<_, AuditError>(());
    let done = auditor.advance(&new, &claimed, threads_default(), each, |_| Ok(()));
    assert_eq!(done, Ok(0..honest.size()));
    let mut stranger = Auditor::new(key.clone()).unwrap();
    let claimed = stranger.fetch_checkpoint(&old).unwrap();
    let done = auditor.advance(&old, &claimed, threads_default(), each, |_| Ok(()));
    assert_eq!(done, Err(older.clone()));
    assert_eq!(auditor.last().unwrap().head().size, honest.size());

    let keys = [key];
    let mut mirror = Mirror::open(&temp.path().join("copy"), &keys).unwrap();
    let checkpoint = mirror.fetch_checkpoint(&new).unwrap();
    let done = mirror.copy(&new, checkpoint, threads_default(), |_| {});
    assert_eq!(done.unwrap(), 0..honest.size());
    let mut stranger = Mirror::open(&temp.path().join("copy2"), &keys).unwrap();
    let checkpoint = stranger.fetch_checkpoint(&old).unwrap();
    let done = mirror.copy(&old, checkpoint, threads_default(), |_| {});
    assert!(matches!(done, Err(MirrorError::Log(error)) if error == older));
    assert_eq!(mirror.last().unwrap().head().size, honest.size());
}
