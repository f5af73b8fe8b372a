//! One log on an object store, served by several processes: one leads, the others follow, and when the
//! leader is killed another leads. The store is a folder here; any other if `ARBORLOG_TEST_STORE` names it.
#![cfg(feature = "cli")]

#[path = "chaos/shared_auditor.rs"]
mod shared_auditor;
mod support;

use std::time::{Duration, Instant};

use arborlog::client::{BatchAnswer, Remote};
use arborlog::record::{Index, SignedRecord};
use shared_auditor::SharedAuditor;
use support::auditor::Told;
use support::clients::Clients;
use support::fake_clock::FakeClock;
use support::{Ledger, Server, award, body, curl, run, run_ok, sign_from};

/// A follower takes over within this time (docs/engine.md).
const TAKE_OVER_MAX: Duration = Duration::from_secs(15);
const STATE_ENTRIES: [&str; 2] = ["--state-every-ms", "200"];

/// A ledger on an object store, with the keys that its servers share.
struct SharedLedger {
    ledger: Ledger,
    store: String,
}

impl SharedLedger {
    fn init() -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let store = match std::env::var("ARBORLOG_TEST_STORE") {
            Ok(address) => {
                let name = folder.file_name().unwrap().to_string_lossy().into_owned();
                format!("{address}/{}", name.trim_start_matches('.'))
            }
            Err(_) => format!("file://{}", folder.display()),
        };
        let ledger = Ledger::init_with(&["--store", &store]);
        Self { ledger, store }
    }

    fn serve(&self, more: &[&str]) -> Server {
        let mut args = vec!["--store", self.store.as_str()];
        args.extend(STATE_ENTRIES);
        args.extend(more);
        Server::start_with(&self.ledger.dir, &args)
    }

    fn vkey(&self) -> String {
        std::fs::read_to_string(self.ledger.dir.join("log.vkey"))
            .unwrap()
            .trim()
            .to_owned()
    }

    /// Checks a whole log as its server serves it.
    fn check(&self, server: &Server) {
        let text = run_ok(&["fsck", &server.url, "--log", &self.vkey()]);
        assert!(text.starts_with("whole"), "{text}");
    }

    fn awards(&self, server: &Server, numbers: std::ops::Range<u64>) -> Vec<SignedRecord> {
        let statements: Vec<_> = numbers.map(|number| award(number % 7, number)).collect();
        let platform = &self.ledger.platform;
        self.ledger.sign(&server.remote(), platform, &statements)
    }
}

impl Drop for SharedLedger {
    fn drop(&mut self) {
        if let Some(folder) = self.store.strip_prefix("file://") {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// Waits until something is so; how long it took.
fn wait_until(what: &str, at_most: Duration, is: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < at_most, "{what}: not within {at_most:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed()
}

fn leads(server: &Server) -> bool {
    curl(&format!("{}/readyz", server.url)).0 == 200
}

fn size(server: &Server) -> u64 {
    let (_, checkpoint) = curl(&format!("{}/checkpoint", server.url));
    checkpoint.lines().nth(1).unwrap().parse().unwrap()
}

fn append(server: &Server, records: &[SignedRecord]) -> Vec<Index> {
    match server.remote().append(records).unwrap() {
        BatchAnswer::Admitted(indexes) => indexes,
        BatchAnswer::Refused { problem, .. } => panic!("{problem:?}"),
    }
}

/// The header of an answer to a POST, and the answer's code.
fn refused_by(server: &Server, records: &[SignedRecord]) -> (String, Option<String>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), body(records)).unwrap();
    let output = std::process::Command::new("curl")
        .args([
            "-s",
            "-i",
            "-m",
            "10",
            "-H",
            "Content-Type: application/octet-stream",
        ])
        .arg("--data-binary")
        .arg(format!("@{}", file.path().display()))
        .arg(format!("{}/v1/records", server.url))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let leader = text.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("arborlog-leader")
            .then(|| value.trim().to_owned())
    });
    (text, leader)
}

#[test]
fn a_follower_serves_what_the_leader_commits_and_leads_when_the_leader_is_killed() {
    let shared = SharedLedger::init();
    let first = shared.serve(&[]);
    wait_until("the first leads", Duration::from_secs(5), || leads(&first));
    let second = shared.serve(&["--follow"]);
    shared.ledger.set_up(&first.remote());
    let records = shared.awards(&first, 0..300);
    let indexes = append(&first, &records);

    // What it says at the same size is the same to the byte: both have the log's key.
    let caught_up = wait_until("the second follows", Duration::from_secs(5), || {
        size(&second) > indexes[299].0
    });
    println!("the follower had the commit after {caught_up:?}");
    for path in [
        "checkpoint",
        "v1/totals",
        "tile/entries/000",
        "v1/proofs/inclusion?index=100&size=300",
    ] {
        let of = |server: &Server| curl(&format!("{}/{path}", server.url));
        // State entries may still come.
        wait_until(path, Duration::from_secs(5), || of(&first) == of(&second));
        assert_eq!(of(&first).0, 200, "{path}");
    }
    assert_eq!(curl(&format!("{}/", second.url)).0, 200);
    let account = records[0].record();
    let (status, _) = curl(&format!("{}/v1/issuers/{}", second.url, account.issuer));
    assert_eq!(status, 200);
    // It admits nothing, and says who does.
    let (answer, leader) = refused_by(&second, &records);
    assert!(
        answer.contains("503") && answer.contains("not_leading"),
        "{answer}"
    );
    assert_eq!(leader.as_deref(), Some(first.url.as_str()));

    let unsent = shared.awards(&first, 300..400);
    first.kill();
    let took = wait_until("the second leads", TAKE_OVER_MAX, || leads(&second));
    println!("take-over after a kill: {took:?}");
    // What was acknowledged is in its place, and is not appended again.
    let size_before = size(&second);
    assert_eq!(append(&second, &records), indexes);
    assert_eq!(size(&second), size_before);
    let more = append(&second, &unsent);
    assert!(more[0].0 >= size_before);
    shared.check(&second);

    // The one that was killed comes back, and follows.
    let first = shared.serve(&[]);
    wait_until("the first follows", Duration::from_secs(5), || {
        size(&first) >= more[99].0
    });
    assert!(leads(&second) && !leads(&first));
    shared.check(&first);
    assert_eq!(first.stop(), 0);
    assert_eq!(second.stop(), 0);
}

/// A client that knows both servers sends through a kill and a handover; nothing of what was acknowledged is lost,
/// or in twice.
#[test]
fn a_client_with_two_addresses_sends_to_whichever_leads() {
    let shared = SharedLedger::init();
    let first = shared.serve(&[]);
    wait_until("the first leads", Duration::from_secs(5), || leads(&first));
    shared.ledger.set_up(&first.remote());
    let second = shared.serve(&["--follow"]);
    let both = format!("{},{}", second.url, first.url);
    let remote = Remote::new(&both).retrying_for(Duration::from_secs(60));
    let platform = &shared.ledger.platform;
    let begun = Instant::now();
    let (mut acknowledged, mut longest, mut number) = (Vec::new(), Duration::ZERO, 0_u64);
    let mut head = remote.issuer(&platform.public()).unwrap();
    let mut first = Some(first);
    let mut until = Duration::from_secs(4);
    while begun.elapsed() < until {
        let awards: Vec<_> = (number..number + 10).map(|n| award(n % 7, n)).collect();
        number += 10;
        let context = shared.ledger.context();
        let records = sign_from(&context, platform, head.next_seq, head.prev, &awards);
        head.next_seq.0 += 10;
        head.prev = context.id(records[9].bytes());
        let sent = Instant::now();
        let indexes = match remote.append(&records).unwrap() {
            BatchAnswer::Admitted(indexes) => indexes,
            BatchAnswer::Refused { problem, .. } => panic!("{problem:?}"),
        };
        longest = longest.max(sent.elapsed());
        acknowledged.extend(indexes.into_iter().zip(records));
        if begun.elapsed() > Duration::from_secs(2)
            && let Some(first) = first.take()
        {
            first.kill();
            until = begun.elapsed() + Duration::from_secs(17);
        }
    }
    println!(
        "{} records acknowledged; the longest wait, over a kill: {longest:?}",
        acknowledged.len()
    );
    assert!(
        longest < TAKE_OVER_MAX + Duration::from_secs(2),
        "{longest:?}"
    );
    assert!(acknowledged.len() as u64 == number);
    shared.check(&second);
    let context = shared.ledger.context();
    for (index, record) in acknowledged.iter().step_by(37) {
        let (_, entry) = curl(&format!("{}/v1/entries/{index}", second.url));
        let id = context.id(record.bytes()).to_string();
        assert!(entry.contains(&id), "entry {index}");
    }
    // Nothing else is in: the genesis, three grants, a method, and state entries beside.
    let (_, totals) = curl(&format!("{}/v1/totals", second.url));
    let awarded = format!("\"awarded\":\"{}\"", 104 * number);
    assert!(totals.contains(&awarded), "{totals}");
}

/// A follower saves the state, and who starts afterwards begins with it, unless the log does not say its root.
#[test]
fn a_state_that_was_saved_is_where_a_start_begins() {
    let shared = SharedLedger::init();
    let every = ["--entries-per-save", "100"];
    let first = shared.serve(&every);
    wait_until("the first leads", Duration::from_secs(5), || leads(&first));
    let second = shared.serve(&["--follow", every[0], every[1]]);
    shared.ledger.set_up(&first.remote());
    append(&first, &shared.awards(&first, 0..300));
    let Some(folder) = shared.store.strip_prefix("file://") else {
        return;
    };
    let newest = std::path::Path::new(folder).join("state/newest");
    wait_until("a state is saved", Duration::from_secs(10), || {
        newest.exists()
    });
    assert_eq!(first.stop(), 0);
    assert_eq!(second.stop(), 0);
    let start = |log: &str| {
        let log = shared.ledger.path(log);
        let mut command = support::arborlog();
        command.env("ARBORLOG_LOG", "info");
        command.stderr(std::fs::File::create(&log).unwrap());
        let server = Server::logging(command, &shared.ledger.dir, &["--store", &shared.store]);
        wait_until("it leads", Duration::from_secs(5), || leads(&server));
        (server, std::fs::read_to_string(&log).unwrap())
    };
    let (server, log) = start("loaded");
    assert!(log.contains("a saved state was loaded"), "{log}");
    shared.check(&server);
    append(&server, &shared.awards(&server, 300..310));
    assert_eq!(server.stop(), 0);
    // One byte of the newest is another: the one before it is as good.
    let saved = || {
        let parts = support::files(&std::path::Path::new(folder).join("state"));
        let parts = parts.into_iter();
        let mut parts: Vec<_> = parts.filter(|path| path.ends_with("0000000000")).collect();
        parts.sort();
        parts
    };
    let before = saved();
    let server = shared.serve(&every);
    wait_until("it leads", Duration::from_secs(5), || leads(&server));
    append(&server, &shared.awards(&server, 310..600));
    wait_until("one more is saved", Duration::from_secs(10), || {
        let (parts, named) = (saved(), std::fs::read_to_string(&newest).unwrap());
        parts.len() > before.len() && parts.last().unwrap().display().to_string().contains(&named)
    });
    assert_eq!(server.stop(), 0);
    let damage = |part: &std::path::PathBuf| {
        let mut bytes = std::fs::read(part).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(part, bytes).unwrap();
    };
    damage(saved().last().unwrap());
    let (server, log) = start("damaged");
    assert!(log.contains("is damaged"), "{log}");
    assert!(log.contains("a saved state was loaded"), "{log}");
    shared.check(&server);
    assert_eq!(server.stop(), 0);
    // Where the name of the newest is no name either; and where all of them are damaged.
    std::fs::write(&newest, "nonsense").unwrap();
    let (server, log) = start("unnamed");
    assert!(log.contains("a saved state was loaded"), "{log}");
    assert_eq!(server.stop(), 0);
    saved().iter().rev().skip(1).for_each(damage);
    let (server, log) = start("all-damaged");
    assert!(log.contains("made from all entries"), "{log}");
    shared.check(&server);
}

/// What is in the store can be checked, copied and swept without a server.
#[test]
fn a_ledger_on_a_store_is_checked_and_mirrored_by_its_address() {
    let shared = SharedLedger::init();
    let first = shared.serve(&[]);
    wait_until("the first leads", Duration::from_secs(5), || leads(&first));
    shared.ledger.set_up(&first.remote());
    append(&first, &shared.awards(&first, 0..300));
    let dir = shared.ledger.dir.to_str().unwrap();
    assert!(run_ok(&["fsck", dir]).starts_with("whole"));
    assert_eq!(first.stop(), 0);
    let vkey = shared.vkey();
    let copy = shared.ledger.path("copy");
    run_ok(&["mirror", &shared.store, &copy, "--log", &vkey]);
    assert!(run_ok(&["fsck", &copy, "--log", &vkey]).starts_with("whole"));
    assert!(run_ok(&["fsck", &shared.store, "--log", &vkey]).starts_with("whole"));
    run_ok(&["audit", &shared.store, "--log", &vkey]);
    assert!(run_ok(&["sweep", &shared.store]).starts_with("deleted 0 commits"));
    // A commit that was changed is found, and is damage.
    let Some(folder) = shared.store.strip_prefix("file://") else {
        return;
    };
    let commits = support::files(&std::path::Path::new(folder).join("commit"));
    let largest = commits
        .iter()
        .max_by_key(|path| path.metadata().unwrap().len());
    let mut bytes = std::fs::read(largest.unwrap()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(largest.unwrap(), bytes).unwrap();
    let output = run(&["fsck", dir]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(why.contains("is damaged"), "{why}");
}

/// Commands take the addresses of all servers, by the flag again or with commas between, and find the one that leads.
#[test]
fn a_command_with_several_addresses_finds_the_server_that_leads() {
    let shared = SharedLedger::init();
    let first = shared.serve(&[]);
    wait_until("the first leads", Duration::from_secs(5), || leads(&first));
    shared.ledger.set_up(&first.remote());
    let second = shared.serve(&["--follow"]);
    let nobody = "http://127.0.0.1:1";
    let (day, key) = (
        shared.ledger.path("day.ndjson"),
        shared.ledger.path("platform.pem"),
    );
    let line = |event: u8| {
        let (account, evidence) = ("11".repeat(32), format!("{event:02x}").repeat(32));
        let day = arborlog::client::today();
        let award = serde_json::json!({
            "kind": "award", "account": account, "method": 1, "version": 1, "activity": 1, "quantity": 2000,
            "points": 104, "occurred_on": day.to_string(), "evidence": evidence,
        });
        format!("{award}\n")
    };
    std::fs::write(&day, line(1)).unwrap();
    let again = [
        "submit",
        &day,
        "--key",
        &key,
        "--to",
        nobody,
        "--to",
        &second.url,
        "--to",
        &first.url,
    ];
    run_ok(&again);
    std::fs::write(&day, line(1) + &line(2)).unwrap();
    let all = format!("{nobody},{},{}", second.url, first.url);
    run_ok(&["submit", &day, "--key", &key, "--to", &all]);
    let (_, totals) = curl(&format!("{}/v1/totals", first.url));
    assert!(totals.contains("\"awarded\":\"208\""), "{totals}");
    let text = shared.ledger.path("receipt");
    run_ok(&[
        "receipt",
        "6",
        "--from",
        &second.url,
        "--from",
        &first.url,
        "-o",
        &text,
    ]);
}

#[test]
fn leading_is_handed_over_within_two_seconds_and_after_a_clean_stop() {
    let shared = SharedLedger::init();
    let first = shared.serve(&[]);
    wait_until("the first leads", Duration::from_secs(5), || leads(&first));
    let second = shared.serve(&["--follow"]);
    shared.ledger.set_up(&first.remote());
    let begun = Instant::now();
    let text = run_ok(&["lead", &second.url, "--store", &shared.store]);
    println!("{text}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{text}");
    assert!(leads(&second) && !leads(&first));
    let records = shared.awards(&second, 0..50);
    let indexes = append(&second, &records);
    // After a clean stop nobody waits for silence.
    assert_eq!(second.stop(), 0);
    let took = wait_until("the first leads again", Duration::from_secs(3), || {
        leads(&first)
    });
    println!("take-over after a stop: {took:?}");
    assert_eq!(append(&first, &records), indexes);
    shared.check(&first);
    assert_eq!(first.stop(), 0);
    // Alone it leads at once.
    let first = shared.serve(&[]);
    wait_until("it leads", Duration::from_secs(3), || leads(&first));
    assert_eq!(append(&first, &records), indexes);
}

/// A server that is alone after a crash can't know that it is: it says for whom it waits, and for how long.
#[test]
fn a_lone_server_says_why_it_does_not_lead_at_once_after_a_crash() {
    let shared = SharedLedger::init();
    let first = shared.serve(&[]);
    wait_until("the first leads", Duration::from_secs(5), || leads(&first));
    let url = first.url.clone();
    // Its first sign of life is written.
    std::thread::sleep(Duration::from_secs(2));
    first.kill();
    let log = shared.ledger.path("log");
    let mut command = support::arborlog();
    command.env("ARBORLOG_LOG", "info");
    command.stderr(std::fs::File::create(&log).unwrap());
    let server = Server::logging(command, &shared.ledger.dir, &["--store", &shared.store]);
    wait_until("it says what it waits for", Duration::from_secs(3), || {
        let log = std::fs::read_to_string(&log).unwrap();
        log.contains("gives no sign of life for 10 s") && log.contains(&url)
    });
    assert!(!leads(&server));
    wait_until("it leads", TAKE_OVER_MAX, || leads(&server));
}

#[test]
fn a_leader_that_was_stopped_in_its_tracks_says_nothing_when_it_is_continued() {
    let shared = SharedLedger::init();
    let first = shared.serve(&[]);
    wait_until("the first leads", Duration::from_secs(5), || leads(&first));
    let second = shared.serve(&["--follow"]);
    shared.ledger.set_up(&first.remote());
    let records = shared.awards(&first, 0..20);
    append(&first, &records[..10]);
    first.signal("-STOP");
    let took = wait_until("the second leads", TAKE_OVER_MAX, || leads(&second));
    println!("take-over after a SIGSTOP: {took:?}");
    let indexes = append(&second, &records[10..]);
    first.signal("-CONT");
    // It was never told. It says nothing, or what was acknowledged meanwhile; or it has found out, and says that it
    // follows, and for how long it may have missed something.
    let issuer = shared.ledger.platform.public();
    let output = std::process::Command::new("curl")
        .args(["-s", "-i", "-m", "10"])
        .arg(format!("{}/v1/issuers/{issuer}", first.url))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lag = text.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_lag = name.eq_ignore_ascii_case("arborlog-lag");
        is_lag.then(|| value.trim().parse::<f64>().unwrap())
    });
    let is_silent = text.starts_with("HTTP/1.1 503");
    let is_fresh = text.contains("\"next_seq\":20");
    assert!(is_silent || is_fresh || lag > Some(9.0), "{text}");
    wait_until("the first follows", Duration::from_secs(5), || {
        size(&first) > indexes[9].0 && !leads(&first)
    });
    shared.check(&first);
}

#[test]
fn a_store_that_has_a_log_is_not_begun_again_and_one_without_is_not_served() {
    let shared = SharedLedger::init();
    let other = shared.ledger.path("other");
    let governor = shared.ledger.path("governor-1.pem");
    let begin = |origin: &str| {
        run(&[
            "init",
            &other,
            "--origin",
            origin,
            "--programme",
            "a test",
            "--governor",
            &governor,
            "--store",
            &shared.store,
        ])
    };
    let output = begin(support::ORIGIN);
    assert_eq!(output.status.code(), Some(2));
    assert!(!std::path::Path::new(&other).exists());
    assert_ne!(begin("other.example/ledger").status.code(), Some(0));
    assert!(!std::path::Path::new(&other).exists());
    let empty = tempfile::tempdir().unwrap();
    let address = format!("file://{}", empty.path().display());
    let output = run(&[
        "serve",
        shared.ledger.dir.to_str().unwrap(),
        "--store",
        &address,
        "--listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(output.status.code(), Some(3));
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(why.contains("holds no log"), "{why}");
    let output = run(&["lead", "http://127.0.0.1:1", "--store", &address]);
    assert_eq!(output.status.code(), Some(3));
}

/// A folder as any web server shows it; the server ends with this.
struct StaticFiles {
    child: std::process::Child,
    url: String,
}

impl StaticFiles {
    fn serve(folder: &str) -> Self {
        use std::io::{BufRead as _, BufReader};
        let mut child = std::process::Command::new("python3")
            .args([
                "-u",
                "-m",
                "http.server",
                "--bind",
                "127.0.0.1",
                "--directory",
                folder,
                "0",
            ])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (_, rest) = line.split_once(" port ").unwrap();
        let port = rest.split_whitespace().next().unwrap();
        let url = format!("http://127.0.0.1:{port}");
        Self { child, url }
    }
}

impl Drop for StaticFiles {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// With `--tiles` a web server that shows the folder is enough: a log is audited and mirrored from it.
#[test]
fn a_log_is_audited_from_a_web_server_that_shows_its_store() {
    let shared = SharedLedger::init();
    let Some(folder) = shared.store.strip_prefix("file://") else {
        return;
    };
    let at = |name: &str| std::path::Path::new(folder).join(name);
    // Entries from a time without the flag are written too.
    let first = shared.serve(&[]);
    wait_until("the first leads", Duration::from_secs(5), || leads(&first));
    shared.ledger.set_up(&first.remote());
    append(&first, &shared.awards(&first, 0..600));
    assert_eq!(first.stop(), 0);
    assert!(!at("tile").exists());
    let server = shared.serve(&["--tiles"]);
    wait_until("it leads", Duration::from_secs(5), || leads(&server));
    append(&server, &shared.awards(&server, 600..700));
    wait_until("the tiles are written", Duration::from_secs(10), || {
        let shown = std::fs::read_to_string(at("checkpoint")).unwrap();
        at("tile/0/001").exists() && shown == curl(&format!("{}/checkpoint", server.url)).1
    });
    let files = StaticFiles::serve(folder);
    let vkey = shared.vkey();
    run_ok(&["audit", &files.url, "--log", &vkey]);
    let copy = shared.ledger.path("copy");
    run_ok(&["mirror", &files.url, &copy, "--log", &vkey]);
    assert!(run_ok(&["fsck", &copy, "--log", &vkey]).starts_with("whole"));
    // As it grows, and by the last checkpoint of a server that stops.
    append(&server, &shared.awards(&server, 700..1100));
    let last = size(&server);
    assert_eq!(server.stop(), 0);
    run_ok(&["mirror", &files.url, &copy, "--log", &vkey]);
    let text = std::fs::read_to_string(std::path::Path::new(&copy).join("checkpoint")).unwrap();
    let copied: u64 = text.lines().nth(1).unwrap().parse().unwrap();
    assert!(copied >= last, "{copied} of {last}");
    // What is outgrown is swept, and what the checkpoint needs stays.
    assert!(
        support::files(&at("tile"))
            .iter()
            .any(|path| path.parent().unwrap().ends_with("002.p"))
    );
    let swept = run_ok(&["sweep", &shared.store, "--tiles"]);
    assert!(!swept.contains(" and 0 partial tiles"), "{swept}");
    assert!(
        !support::files(&at("tile"))
            .iter()
            .any(|path| path.parent().unwrap().ends_with("002.p"))
    );
    run_ok(&["audit", &files.url, "--log", &vkey]);
    // A tile that was changed is found.
    let bundle = at("tile/entries/001");
    let mut bytes = std::fs::read(&bundle).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let output = run(&["audit", &files.url, "--log", &vkey]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

/// A copy of a ledger's directory without its key.
fn without_key(shared: &SharedLedger) -> std::path::PathBuf {
    let dir = std::path::PathBuf::from(shared.ledger.path("without-key"));
    support::copy_dir(&shared.ledger.dir, &dir);
    std::fs::remove_dir_all(dir.join("keys")).unwrap();
    dir
}

fn follow_without_key(dir: &std::path::Path) -> Server {
    Server::start_with(dir, &["--follow"])
}

/// The names in a folder, with their bytes' lengths.
fn listed(folder: &str) -> Vec<(std::path::PathBuf, u64)> {
    let files = support::files(std::path::Path::new(folder));
    let length = |path: &std::path::PathBuf| path.metadata().map_or(0, |about| about.len());
    files
        .into_iter()
        .map(|path| (path.clone(), length(&path)))
        .collect()
}

#[test]
fn a_follower_without_the_logs_key_serves_what_others_sign_and_never_leads() {
    let shared = SharedLedger::init();
    let first = shared.serve(&[]);
    wait_until("the first leads", Duration::from_secs(5), || leads(&first));
    shared.ledger.set_up(&first.remote());
    append(&first, &shared.awards(&first, 0..100));
    let dir = without_key(&shared);
    let reader = follow_without_key(&dir);
    let records = shared.awards(&first, 100..400);
    let indexes = append(&first, &records);
    let covered = wait_until(
        "it serves at the newest checkpoint",
        Duration::from_secs(5),
        || size(&reader) > indexes[299].0,
    );
    println!("covered by a checkpoint of the leader's after {covered:?}");
    for path in [
        "checkpoint",
        "v1/totals",
        "tile/entries/000",
        "v1/proofs/inclusion?index=100&size=300",
    ] {
        let of = |server: &Server| curl(&format!("{}/{path}", server.url));
        wait_until(path, Duration::from_secs(5), || of(&first) == of(&reader));
        assert_eq!(of(&first).0, 200, "{path}");
    }
    assert_eq!(curl(&format!("{}/", reader.url)).0, 200);
    shared.check(&reader);
    let text = shared.ledger.path("receipt");
    run_ok(&["receipt", "50", "--from", &reader.url, "-o", &text]);
    // State proofs stand on a state entry that its checkpoint covers.
    let proof = format!("{}/v1/proofs/state?domain=totals", reader.url);
    wait_until(&proof, Duration::from_secs(5), || curl(&proof).0 == 200);
    let (answer, leader) = refused_by(&reader, &records);
    assert!(
        answer.contains("503") && answer.contains("not_leading"),
        "{answer}"
    );
    assert!(answer.contains("never leads"), "{answer}");
    assert_eq!(leader.as_deref(), Some(first.url.as_str()));
    // Nobody makes room for it.
    let output = run(&["lead", &reader.url, "--store", &shared.store]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(leads(&first));

    first.kill();
    let Some(folder) = shared.store.strip_prefix("file://") else {
        return;
    };
    let before = listed(folder);
    let another = follow_without_key(&dir);
    let newest = size(&reader);
    assert_eq!(size(&another), newest);
    std::thread::sleep(TAKE_OVER_MAX);
    assert!(!leads(&reader) && !leads(&another));
    assert_eq!(size(&reader), newest);
    assert_eq!(listed(folder), before, "it writes nothing");
    assert_eq!(another.stop(), 0);
    // The next leader's checkpoints are served as the first one's were.
    let second = shared.serve(&[]);
    wait_until("the second leads", TAKE_OVER_MAX, || leads(&second));
    let more = append(&second, &shared.awards(&second, 400..450));
    wait_until("it follows the second", Duration::from_secs(5), || {
        size(&reader) > more[49].0
    });
    shared.check(&reader);
    assert_eq!(second.stop(), 0);
    assert_eq!(reader.stop(), 0);
}

#[test]
fn a_checkpoint_that_contradicts_the_chain_stops_a_follower_without_a_key() {
    use arborlog::crypto::SigningKey;
    use arborlog::merkle::Hash;
    use arborlog::note::{Checkpoint, TreeHead};
    let shared = SharedLedger::init();
    let Some(folder) = shared.store.strip_prefix("file://") else {
        return;
    };
    let hint = std::path::Path::new(folder).join("checkpoint");
    let dir = without_key(&shared);
    let first = shared.serve(&[]);
    wait_until("the first leads", Duration::from_secs(5), || leads(&first));
    shared.ledger.set_up(&first.remote());
    append(&first, &shared.awards(&first, 0..50));
    assert_eq!(first.stop(), 0);
    let good = std::fs::read_to_string(&hint).unwrap();
    let newest: u64 = good.lines().nth(1).unwrap().parse().unwrap();
    let keys = support::files(&shared.ledger.dir.join("keys"));
    let key = SigningKey::read(&keys[0]).unwrap();
    let sign = |size: u64, key: &SigningKey| {
        let root = Hash::from_bytes([7; 32]);
        let head = TreeHead { size, root };
        Checkpoint::sign(shared.ledger.origin().name(), head, key).to_string()
    };
    let start = || {
        let store = [
            "--store",
            shared.store.as_str(),
            "--follow",
            "--listen",
            "127.0.0.1:0",
        ];
        let output = run(&[&["serve", dir.to_str().unwrap()], &store[..]].concat());
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), why)
    };
    // What the log did not sign says nothing of the log: what was served is served.
    let reader = follow_without_key(&dir);
    for nothing in ["nonsense".to_owned(), sign(newest, &shared.ledger.platform)] {
        std::fs::write(&hint, &nothing).unwrap();
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(curl(&format!("{}/checkpoint", reader.url)).1, good);
        let (_, why) = curl(&format!("{}/readyz", reader.url));
        assert!(why.starts_with("not_leading"), "{why}");
    }
    let (code, why) = start();
    assert_eq!(code, Some(3), "{why}");
    assert!(why.contains("not signed by the log's key"), "{why}");
    // What the log signed of another tree, smaller, as large or larger, does.
    for size in [newest, newest - 3, newest + 5] {
        std::fs::write(&hint, &good).unwrap();
        let reader = follow_without_key(&dir);
        std::fs::write(&hint, sign(size, &key)).unwrap();
        let halted = || {
            let (_, why) = curl(&format!("{}/readyz", reader.url));
            why.starts_with("halted") && why.contains("two histories")
        };
        wait_until(
            &format!("it halts by {size}"),
            Duration::from_secs(12),
            halted,
        );
        assert_eq!(curl(&format!("{}/checkpoint", reader.url)).1, good);
    }
    let (code, why) = start();
    assert_eq!(code, Some(1), "{why}");
    assert!(why.contains("two histories"), "{why}");
    // The key that it knows is another log's.
    std::fs::write(&hint, &good).unwrap();
    let other = arborlog::log::vkey(&shared.ledger.origin(), shared.ledger.platform.public());
    std::fs::write(dir.join("log.vkey"), format!("{other}\n")).unwrap();
    let (code, why) = start();
    assert_eq!(code, Some(4), "{why}");
    // Without the flag nothing is served without a key.
    let output = run(&["serve", dir.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

/// A follower without the key serves every checkpoint of a leader under load, while the governors put another key in
/// the place of the log's, and when the old one is gone.
#[test]
fn a_follower_without_the_logs_key_follows_under_load_into_another_key() {
    let shared = SharedLedger::init();
    let first = shared.serve(&[]);
    wait_until("the first leads", Duration::from_secs(5), || leads(&first));
    shared.ledger.set_up(&first.remote());
    let dir = without_key(&shared);
    let reader = follow_without_key(&dir);
    let clients = Clients::start(&shared.ledger, &first.url, 3);
    let begun = Instant::now();
    let lag = || {
        let (_, metrics) = curl(&format!("{}/metrics", reader.url));
        let lag = metrics
            .lines()
            .find_map(|line| line.strip_prefix("arborlog_lag_seconds "));
        lag.unwrap().parse::<f64>().unwrap()
    };
    let catches_up = || {
        let newest = size(&first);
        let most = Duration::from_secs(5);
        wait_until("it serves what was acknowledged", most, || {
            size(&reader) >= newest
        })
    };
    while begun.elapsed() < Duration::from_secs(3) {
        catches_up();
    }

    let next_file = shared.ledger.dir.join("keys/log-2.pem");
    let next = run_ok(&["keygen", next_file.to_str().unwrap()]);
    let proposal = shared.ledger.path("log-key.json");
    let governor = shared.ledger.path("governor-1.pem");
    let of_governor = ["--key", &governor, "--out", &proposal, "--from", &first.url];
    run_ok(&[&["log-key", "--next", next.trim()], &of_governor[..]].concat());
    for key in [
        next_file.to_str().unwrap(),
        &shared.ledger.path("governor-2.pem"),
    ] {
        run_ok(&["endorse", &proposal, "--key", key]);
    }
    run_ok(&["submit", &proposal, "--to", &first.url]);
    let in_force = run_ok(&["vkey", &first.url, "--log", &shared.vkey()]);
    let rotated = size(&first);
    // Both keys sign, and the clients know the first one alone.
    wait_until("it is past the new key", Duration::from_secs(5), || {
        size(&reader) > rotated
    });
    let took = catches_up();
    let told = clients.finish();
    println!("{} records, {took:?} behind at the end", told.records.len());
    wait_until("it has all", Duration::from_secs(5), || {
        size(&reader) == size(&first) && lag() < 3.0
    });
    let mut auditor = SharedAuditor::new(&shared.store, &shared.ledger.origin());
    auditor.check(&told);
    shared.check(&reader);
    assert_eq!(first.stop(), 0);

    // From here on nothing is signed with the key that the follower was given.
    std::fs::remove_file(shared.ledger.dir.join("keys/log.pem")).unwrap();
    let second = shared.serve(&[]);
    wait_until("the second leads", Duration::from_secs(5), || {
        leads(&second)
    });
    let more = append(&second, &shared.awards(&second, 0..50));
    let has_more = |reader: &Server| size(reader) > more[49].0;
    wait_until("it follows the new key", Duration::from_secs(5), || {
        has_more(&reader)
    });
    let checkpoint = |server: &Server| curl(&format!("{}/checkpoint", server.url));
    wait_until("the same checkpoint", Duration::from_secs(5), || {
        checkpoint(&reader) == checkpoint(&second)
    });
    assert_eq!(checkpoint(&reader).1.matches("\n\u{2014} ").count(), 1);
    let text = run_ok(&["fsck", &reader.url, "--log", in_force.trim()]);
    assert!(text.starts_with("whole"), "{text}");
    // A start knows the first key alone, and learns the next from the log.
    let another = follow_without_key(&dir);
    assert!(has_more(&another));
    assert_eq!(checkpoint(&another), checkpoint(&second));
}

/// What servers do whose clocks are set wrong, by [decision 8](../docs/decisions/0008-clock.md): nothing is admitted by
/// a clock that jumped, or is behind the last admission; a clock that is ahead at a start is believed. Nothing that was
/// acknowledged is lost, times never decrease (`fsck`), and leading changes in time all the same.
#[test]
fn clocks_that_jump_stop_admission_and_lose_nothing() {
    let shared = SharedLedger::init();
    let clock = |name: &str| FakeClock::new(std::path::Path::new(&shared.ledger.path(name)));
    let (Some(first_clock), Some(second_clock), Some(third_clock)) =
        (clock("first"), clock("second"), clock("third"))
    else {
        eprintln!("SKIPPED: libfaketime is not there (apt-get install faketime)");
        return;
    };
    let serve = |clock: &FakeClock, more: &[&str]| {
        let mut command = support::arborlog();
        clock.give_to(&mut command);
        let store = ["--store", &shared.store];
        let args = [&store[..], &STATE_ENTRIES, more].concat();
        Server::start_by(command, &shared.ledger.dir, &args)
    };
    let ready = |server: &Server| curl(&format!("{}/readyz", server.url)).1;
    let mut told = Told::default();
    let mut next = 0;
    let mut admit = |server: &Server| {
        let records = shared.awards(server, next..next + 20);
        next += 20;
        let indexes = append(server, &records);
        let bytes = records.iter().map(|record| record.bytes().to_vec());
        told.records.extend(indexes.into_iter().zip(bytes));
    };
    let refuses = |server: &Server, why: &str| {
        let (answer, _) = refused_by(server, &shared.awards(server, 1_000_000..1_000_001));
        assert!(answer.contains("503") && answer.contains(why), "{answer}");
        assert_eq!(curl(&format!("{}/checkpoint", server.url)).0, 200);
    };

    let first = serve(&first_clock, &[]);
    wait_until("the first leads", Duration::from_secs(5), || leads(&first));
    shared.ledger.set_up(&first.remote());
    admit(&first);
    // It continues to lead: nobody else admits either, until it is asked to make room.
    let second = serve(&second_clock, &["--follow"]);
    for offset in ["+2000h", "-5h"] {
        first_clock.set(offset);
        wait_until(offset, Duration::from_secs(10), || {
            ready(&first).contains("moved")
        });
        refuses(&first, "the clock moved");
        assert!(ready(&second).starts_with("not_leading"));
        first_clock.set("+0");
        wait_until("right again", Duration::from_secs(10), || leads(&first));
        admit(&first);
    }
    first_clock.set("+5h");
    wait_until("it jumped", Duration::from_secs(10), || !leads(&first));
    run_ok(&["lead", &second.url, "--store", &shared.store]);
    admit(&second);
    first_clock.set("+0");

    // The one that takes over has a clock that is hours behind: it leads in time, and admits when it is set right.
    third_clock.set("-3h");
    let third = serve(&third_clock, &["--follow"]);
    assert_eq!(first.stop(), 0);
    let newest = size(&second);
    second.kill();
    let took = wait_until("the third leads", TAKE_OVER_MAX, || {
        !ready(&third).starts_with("not_leading")
    });
    println!("the third, 3 h behind, led after {took:?}");
    refuses(&third, "behind the last admission");
    assert!(size(&third) >= newest);
    third_clock.set("+0");
    wait_until("the third admits", Duration::from_secs(10), || {
        leads(&third)
    });
    admit(&third);

    // One that is started 3 h ahead is believed; what comes after it waits, or is told that it may go on.
    second_clock.set("+3h");
    let second = serve(&second_clock, &[]);
    assert_eq!(third.stop(), 0);
    wait_until("the one ahead leads", TAKE_OVER_MAX, || leads(&second));
    admit(&second);
    assert_eq!(second.stop(), 0);
    let first = serve(&first_clock, &[]);
    wait_until("one with a right clock leads", TAKE_OVER_MAX, || {
        !ready(&first).starts_with("not_leading")
    });
    refuses(&first, "behind the last admission");
    assert_eq!(first.stop(), 0);
    let first = serve(&first_clock, &["--accept-clock"]);
    wait_until("it was confirmed", Duration::from_secs(5), || leads(&first));
    admit(&first);

    let mut auditor = SharedAuditor::new(&shared.store, &shared.ledger.origin());
    auditor.check(&told);
    let text = run_ok(&["fsck", &shared.store, "--log", &shared.vkey()]);
    assert!(text.starts_with("whole"), "{text}");
}
