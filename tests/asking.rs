//! A log asks the witnesses and auditors of its policy: our own witness, and others that are slow, wrong, dead,
//! behind, or that show two histories. Appends never wait for them.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arborlog::cosign::{AddCheckpoint, WatchedLog};
use arborlog::crypto::{MldsaSigningKey, SigningKey};
use arborlog::merkle::leaf_hash;
use arborlog::note::{
    Checkpoint, Cosignature, KeyName, SignatureType, TreeHead, UnverifiedCheckpoint, VerifierKey,
    cosign,
};
use arborlog::policy::{Level, Policy as WitnessPolicy};
use arborlog::receipt::{Receipt, Trust};
use arborlog::record::{Policy, Statement};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::{Ledger, Server, arborlog, award, curl, run, run_ok};
use tempfile::TempDir;

/// How often the log asks here.
const EVERY_MS: &str = "200";
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < LONG, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The program's own witness, of this log.
struct Witness {
    dir: TempDir,
    vkey: VerifierKey,
    running: Option<(Child, String)>,
}

impl Witness {
    fn init(name: &str, more: &[&str], logs: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        let mut args = vec!["witness", path, "--init", name];
        args.extend(more);
        let vkey = run_ok(&args).trim().parse().unwrap();
        std::fs::write(dir.path().join("logs"), logs).unwrap();
        Self {
            dir,
            vkey,
            running: None,
        }
    }

    /// Starts it; at the same place as before, if it ran.
    fn start(&mut self, listen: &str) -> String {
        let mut child = arborlog()
            .env("ARBORLOG_LOG", "error")
            .arg("witness")
            .arg(self.dir.path())
            .args(["--listen", listen])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap()
            .to_owned();
        self.running = Some((child, url.clone()));
        url
    }

    fn kill(&mut self) {
        if let Some((mut child, _)) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a fake is asked: the line of the request, and its body.
struct Asked {
    line: String,
    body: Vec<u8>,
}

type Behaviour = dyn Fn(&Asked, &mut TcpStream) + Send + Sync;

/// A cosigner that does as the test says.
struct Fake {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
}

impl Fake {
    fn start(behaviour: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, stop) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(AtomicBool::new(false)),
        );
        let behaviour: Arc<Behaviour> = Arc::new(behaviour);
        let (seen, stopped) = (Arc::clone(&asked), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (behaviour, seen) = (Arc::clone(&behaviour), Arc::clone(&seen));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    if let Some(request) = read_request(&mut stream) {
                        seen.lock().unwrap().push(request.line.clone());
                        behaviour(&request, &mut stream);
                    }
                });
            }
        });
        Self { url, asked, stop }
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.url.strip_prefix("http://").unwrap());
    }
}

fn read_request(stream: &mut TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        line: line.trim().to_owned(),
        body,
    })
}

fn answer(stream: &mut TcpStream, status: u16, kind: &str, body: &str) {
    let length = body.len();
    let _ = stream.write_all(
        format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes(),
    );
}

/// The key of a fake's cosignatures.
fn key(seed: u8) -> (SigningKey, VerifierKey) {
    let key = SigningKey::from_seed(&[seed; 32]);
    let vkey = VerifierKey::new(name(seed), SignatureType::CosignatureV1, key.public());
    (key, vkey)
}

fn name(seed: u8) -> KeyName {
    format!("fake.example/{seed}").parse().unwrap()
}

/// The line of a cosignature by a fake.
fn line_by(seed: u8, asked: &UnverifiedCheckpoint, at_s: u64) -> String {
    let own = SigningKey::from_seed(&[99; 32]);
    // Only its lines count: signed by nobody's key, cosigned by the fake.
    let mut checkpoint = Checkpoint::sign(asked.origin(), asked.head(), &own);
    let before = checkpoint.to_string().len();
    cosign(&mut checkpoint, &name(seed), &key(seed).0, at_s);
    checkpoint.to_string().split_off(before)
}

/// A ledger with a server that obeys a policy.
struct World {
    ledger: Ledger,
    log: VerifierKey,
    policy: PathBuf,
}

impl World {
    fn new() -> Self {
        Self::of(Ledger::ready())
    }

    fn of(ledger: Ledger) -> Self {
        let log = std::fs::read_to_string(ledger.dir.join("log.vkey")).unwrap();
        Self {
            policy: ledger.temp.path().join("policy"),
            log: log.trim().parse().unwrap(),
            ledger,
        }
    }

    fn obey(&self, policy: &str) -> WitnessPolicy {
        std::fs::write(&self.policy, policy).unwrap();
        policy.parse().unwrap()
    }

    fn serve(&self, more: &[&str]) -> Server {
        self.serve_in(&self.ledger.dir, more)
    }

    /// Serves another copy of the directory, by the same policy.
    fn serve_in(&self, dir: &Path, more: &[&str]) -> Server {
        let policy = self.policy.to_str().unwrap();
        let mut args = vec!["--policy", policy, "--cosign-every-ms", EVERY_MS];
        args.extend(more);
        Server::start_with(dir, &args)
    }

    /// A witness of the log, and where it is.
    fn witness(&self) -> (Witness, String) {
        let logs = format!("{}\n", self.log);
        let mut witness = Witness::init("witness.example/w1", &[], &logs);
        let at = witness.start("127.0.0.1:0").to_string();
        (witness, at)
    }

    /// A witness of the log, without whom nothing meets the quorum.
    fn obey_a_witness(&self) -> (Witness, WitnessPolicy) {
        let (witness, at) = self.witness();
        let policy = self.obey(&format!("witness w {} {at}\nquorum w\n", witness.vkey));
        (witness, policy)
    }

    fn append(&self, server: &Server, event: u64) -> u64 {
        let remote = server.remote();
        let signed = self
            .ledger
            .sign(&remote, &self.ledger.platform, &[award(event, event)]);
        match remote.append(&signed).unwrap() {
            arborlog::client::BatchAnswer::Admitted(indexes) => indexes[0].0,
            other => panic!("{other:?}"),
        }
    }

    fn kept(&self) -> PathBuf {
        self.ledger.dir.join("cosigned")
    }
}

fn json(server: &Server, path: &str) -> Value {
    let (status, body) = curl(&format!("{}{path}", server.url));
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

fn cosigner(server: &Server, name: &str) -> Value {
    let said = json(server, "/v1/cosigners");
    let found = said["cosigners"].as_array().unwrap().iter();
    let mut found = found.filter(|cosigner| cosigner["name"] == name);
    found.next().unwrap_or_else(|| panic!("{said}")).clone()
}

fn last(server: &Server, name: &str) -> String {
    let said = cosigner(server, name);
    said["last"].as_str().unwrap_or_default().to_owned()
}

/// Waits until a server admits nothing more; gives what it says of that.
fn halted(server: &Server) -> String {
    wait_for("the halt", || {
        let (status, why) = curl(&format!("{}/readyz", server.url));
        (status == 503).then_some(why)
    })
}

/// Waits until what stands at `/checkpoint` covers an entry.
fn wait_for_quorum(server: &Server, world: &World, policy: &WitnessPolicy, index: u64) {
    wait_for("the quorum", || {
        (stands(server, "/checkpoint", world, policy)?.0 > index).then_some(())
    });
}

/// What stands at a path, judged by a policy.
fn stands(
    server: &Server,
    path: &str,
    world: &World,
    policy: &WitnessPolicy,
) -> Option<(u64, Vec<Level>)> {
    let (status, note) = curl(&format!("{}{path}", server.url));
    if status != 200 {
        return None;
    }
    let checkpoint = Checkpoint::open(note.as_bytes(), &world.log).unwrap();
    let standing = policy.standing_of(&checkpoint).unwrap();
    Some((checkpoint.head().size, standing.levels().to_vec()))
}

#[test]
fn what_met_the_quorum_stands_at_the_checkpoint_and_goes_on_after_kills() {
    let world = World::new();
    let logs = format!("{}\n", world.log);
    let mut first = Witness::init("witness.example/w1", &[], &logs);
    let mut second = Witness::init("witness.example/w2", &["--key", "mldsa"], &logs);
    let (at_first, at_second) = (first.start("127.0.0.1:0"), second.start("127.0.0.1:0"));
    // A slash at the end of an address means nothing.
    let policy = world.obey(&format!(
        "witness w1 {} {at_first}/\nwitness w2 {} {at_second}\ngroup both all w1 w2\nquorum both\n",
        first.vkey, second.vkey
    ));
    let server = world.serve(&["--state-every-ms", "100"]);
    let size = wait_for("a quorum", || {
        let (size, levels) = stands(&server, "/checkpoint", &world, &policy)?;
        assert_eq!(levels, [Level::Cosigned, Level::Witnessed]);
        Some(size)
    });
    let index = world.append(&server, 1);
    assert!(index >= size);
    let size = wait_for("the next quorum", || {
        let (now, levels) = stands(&server, "/checkpoint", &world, &policy)?;
        assert!(levels.contains(&Level::Cosigned) && now >= size);
        (now > index).then_some(now)
    });
    // It ends in a state entry, which an auditor can vouch for.
    let entry = json(&server, &format!("/v1/entries/{}", size - 1));
    assert_eq!(entry["form"], "state");
    let said = wait_for("both told", || {
        let said = json(&server, "/v1/cosigners");
        (said["stands"] == said["size"]).then_some(said)
    });
    assert_eq!(said["levels"]["witnessed"], said["size"]);
    assert_eq!(said["levels"]["audited"], Value::Null);
    assert_eq!(cosigner(&server, "w1")["lag_entries"], 0);
    // The same at /v1/checkpoint, as it is the newest now; and any client with that policy takes it.
    let (_, levels) = stands(&server, "/v1/checkpoint", &world, &policy).unwrap();
    assert_eq!(levels, [Level::Cosigned, Level::Witnessed]);
    let mirror = world.ledger.path("mirror");
    let (url, log) = (server.url.as_str(), world.log.to_string());
    run_ok(&[
        "mirror",
        url,
        &mirror,
        "--log",
        &log,
        "--policy",
        world.policy.to_str().unwrap(),
    ]);
    let (_, metrics) = curl(&format!("{}/metrics", server.url));
    assert!(
        metrics.contains("arborlog_cosigner_lag_entries{cosigner=\"w1\"} 0"),
        "{metrics}"
    );
    assert!(
        metrics.contains("arborlog_cosigner_asks_total{cosigner=\"w2\",outcome=\"cosigned\"}"),
        "{metrics}"
    );
    // A witness is gone: what stood stands on, and appends go on.
    second.kill();
    let index = world.append(&server, 2);
    wait_for("w1 alone", || {
        (cosigner(&server, "w1")["cosigned_size"].as_u64()? > index).then_some(())
    });
    assert_eq!(
        stands(&server, "/checkpoint", &world, &policy).unwrap().0,
        size
    );
    let (newest, levels) = stands(&server, "/v1/checkpoint", &world, &policy).unwrap();
    assert!(newest > index && levels.is_empty(), "{levels:?}");
    // Killed and started again, what stood stands at once, and the sizes are not asked for again.
    server.kill();
    let server = world.serve(&["--state-every-ms", "100"]);
    assert_eq!(
        stands(&server, "/checkpoint", &world, &policy).unwrap().0,
        size
    );
    second.start(at_second.strip_prefix("http://").unwrap());
    wait_for("w2 is back", || {
        let (now, _) = stands(&server, "/checkpoint", &world, &policy)?;
        (now > index).then_some(())
    });
    let (_, metrics) = curl(&format!("{}/metrics", server.url));
    assert!(
        metrics.contains("arborlog_cosigner_asks_total{cosigner=\"w1\",outcome=\"corrected\"} 0"),
        "{metrics}"
    );
    // One an hour is kept for ever.
    let hours = json(&server, "/v1/checkpoints");
    let hour = hours["hours"][0].as_u64().unwrap();
    let (_, note) = curl(&format!("{}/v1/checkpoints/{hour}", server.url));
    let checkpoint = Checkpoint::open(note.as_bytes(), &world.log).unwrap();
    assert!(
        policy
            .standing_of(&checkpoint)
            .unwrap()
            .reaches(Level::Cosigned)
    );
    assert_eq!(
        curl(&format!("{}/v1/checkpoints/{}", server.url, hour + 9)).0,
        404
    );
    // An audit holds it against the times of admission.
    let policy = world.policy.to_str().unwrap();
    let said = run_ok(&[
        "audit",
        &server.url,
        "--log",
        &log,
        "--policy",
        policy,
        "--json",
    ]);
    let said: Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(said["cosigned_hours"], 1, "{said}");
    let findings = said["findings"].as_array().unwrap().iter();
    assert!(
        findings
            .into_iter()
            .all(|it| it["code"] != "admission_backdated")
    );
    // So does an audit of a mirror, which copies it.
    let copy = world.ledger.path("mirror");
    let by = ["--log", &log, "--policy", policy, "--json"];
    let said = run_ok(&[&["mirror", &server.url, &copy][..], &by].concat());
    let said: Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(said["hours"], 1, "{said}");
    assert_eq!(server.stop(), 0);
    let said = run_ok(&[&["audit", &copy][..], &by].concat());
    let said: Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(said["cosigned_hours"], 1, "{said}");
}

#[test]
fn a_quorum_that_never_came_is_told_and_appends_never_wait_for_it() {
    let world = World::new();
    // Slow: a byte now and then, for ever. Deaf: nothing. Wrong: lines that do not hold, or none.
    let drips = Fake::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        for _ in 0..600 {
            if stream.write_all(b"-").is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let floods = Fake::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let bytes = [b'-'; 65_536];
        for _ in 0..1000 {
            if stream.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    let lies = Fake::start(|asked, stream| {
        let request = AddCheckpoint::parse(&asked.body).unwrap();
        let head = TreeHead {
            size: request.checkpoint.head().size,
            root: leaf_hash(b"another"),
        };
        let own = SigningKey::from_seed(&[99; 32]);
        let other = Checkpoint::sign(request.checkpoint.origin(), head, &own).into();
        answer(
            stream,
            200,
            "text/plain",
            &line_by(3, &other, 1_700_000_000),
        );
    });
    let empty = Fake::start(|_, stream| answer(stream, 200, "text/plain", ""));
    let unknown = Fake::start(|_, stream| answer(stream, 404, "text/plain", "no such log\u{7}\n"));
    let sizeless = Fake::start(|_, stream| answer(stream, 409, "text/plain", "7\n"));
    let moved = Fake::start(|_, stream| {
        let _ = stream.write_all(
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        );
    });
    let spoils = Fake::start(|asked, stream| {
        let request = AddCheckpoint::parse(&asked.body).unwrap();
        let line = line_by(8, &request.checkpoint, 1_700_000_000);
        answer(stream, 200, "text/plain", &format!("more\n\n{line}{line}"));
    });
    let dead = "http://127.0.0.1:1";
    let fakes = [
        ("drips", drips.url.as_str(), "silent"),
        ("floods", &floods.url, "silent"),
        ("lies", &lies.url, "malformed"),
        ("empty", &empty.url, "malformed"),
        ("unknown", &unknown.url, "refused"),
        ("sizeless", &sizeless.url, "malformed"),
        ("moved", &moved.url, "refused"),
        ("spoils", &spoils.url, "malformed"),
        ("dead", dead, "silent"),
        ("nowhere", "w.example", "silent"),
    ];
    let mut text = String::new();
    for (seed, (name, url, _)) in (1..).zip(&fakes) {
        text.push_str(&format!("witness {name} {} {url}\n", key(seed).1));
    }
    text.push_str(&format!("witness unasked {}\n", key(50).1));
    let names: Vec<&str> = fakes.iter().map(|(name, ..)| *name).collect();
    text.push_str(&format!(
        "group some any {}\nquorum some\n",
        names.join(" ")
    ));
    let policy = world.obey(&text);
    let server = world.serve(&[]);
    let begun = Instant::now();
    for event in 0..20 {
        world.append(&server, event);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "appends do not wait"
    );
    let (status, body) = curl(&format!("{}/checkpoint", server.url));
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("quorum_missing"), "{body}");
    for (name, _, outcome) in &fakes {
        wait_for(name, || (last(&server, name) == *outcome).then_some(()));
    }
    assert_eq!(cosigner(&server, "unknown")["why"], "404 no such log");
    assert_eq!(cosigner(&server, "unasked")["cosigned_size"], Value::Null);
    assert!(
        stands(&server, "/v1/checkpoint", &world, &policy)
            .is_some_and(|(_, levels)| levels.is_empty())
    );
    // Longer and longer pauses: not once a round.
    let before = unknown.asked();
    std::thread::sleep(Duration::from_secs(2));
    assert!(
        unknown.asked() - before <= 3,
        "{before} {}",
        unknown.asked()
    );
    // What was acknowledged is proven from the newest checkpoint, whatever stands at /checkpoint.
    server.remote().text("v1/checkpoint").unwrap();
    assert_eq!(server.stop(), 0);
    // With the flag the newest stands all the same.
    let server = world.serve(&["--without-quorum-s", "1"]);
    let (size, _) = stands(&server, "/checkpoint", &world, &policy).unwrap();
    assert_eq!(size, json(&server, "/v1/cosigners")["size"]);
}

/// A witness that is behind, or forgot: it names the size that it has, and then cosigns.
#[test]
fn a_witness_that_is_behind_is_asked_from_where_it_is() {
    let world = World::new();
    let watched = Mutex::new({
        let mut log = WatchedLog::new(world.log.name().clone());
        log.add_key(world.log.clone());
        log
    });
    let forgets = Fake::start(move |asked, stream| {
        let request = AddCheckpoint::parse(&asked.body).unwrap();
        let mut log = watched.lock().unwrap();
        let signed = log.check_signed(&request).unwrap();
        match log.check_extends(&request, &signed) {
            Ok(()) => {
                let old = log.latest().map_or(0, |head| head.size);
                let now_s = 1_800_000_000 + signed.head().size;
                answer(
                    stream,
                    200,
                    "text/plain",
                    &line_by(1, &request.checkpoint, now_s),
                );
                // Every second checkpoint is forgotten again.
                if old % 2 == 0 {
                    log.set_latest(signed.head());
                }
            }
            Err(_) => {
                let size = log.latest().map_or(0, |head| head.size);
                answer(stream, 409, "text/x.tlog.size", &format!("{size}\n"));
            }
        }
    });
    let policy = world.obey(&format!(
        "witness w {} {}\nquorum w\n",
        key(1).1,
        forgets.url
    ));
    let server = world.serve(&[]);
    for event in 0..6 {
        let index = world.append(&server, event);
        wait_for("the quorum", || {
            let (size, levels) = stands(&server, "/checkpoint", &world, &policy)?;
            assert!(levels.contains(&Level::Witnessed));
            (size > index).then_some(())
        });
    }
    let (_, metrics) = curl(&format!("{}/metrics", server.url));
    let corrected = "arborlog_cosigner_asks_total{cosigner=\"w\",outcome=\"corrected\"} ";
    let count = metrics.split(corrected).nth(1).unwrap();
    assert!(!count.starts_with("0\n"), "{metrics}");
    assert_eq!(server.stop(), 0);
}

/// A cosigner that says it has more than the log, or another history, without a checkpoint that the log signed.
#[test]
fn a_cosigner_that_is_wrong_about_the_log_is_told_as_that() {
    let world = World::new();
    let ahead = Fake::start(|asked, stream| match asked.line.starts_with("POST") {
        true => answer(stream, 409, "text/x.tlog.size", "4000000\n"),
        false => answer(stream, 404, "text/plain", ""),
    });
    let origin: KeyName = world.log.name().clone();
    let forges = Fake::start(move |asked, stream| match asked.line.starts_with("POST") {
        true => answer(stream, 422, "text/plain", "another root\n"),
        false => {
            let head = TreeHead {
                size: 4_000_000,
                root: leaf_hash(b"x"),
            };
            let forged = Checkpoint::sign(&origin, head, &SigningKey::from_seed(&[77; 32]));
            answer(stream, 200, "text/plain", &forged.to_string());
        }
    });
    world.obey(&format!(
        "witness ahead {} {}\nwitness forges {} {}\ngroup any any ahead forges\nquorum any\n",
        key(1).1,
        ahead.url,
        key(2).1,
        forges.url
    ));
    let server = world.serve(&[]);
    wait_for("ahead", || {
        (last(&server, "ahead") == "ahead").then_some(())
    });
    wait_for("forges", || {
        (last(&server, "forges") == "contradicted").then_some(())
    });
    for name in ["ahead", "forges"] {
        let why = cosigner(&server, name)["why"].to_string();
        assert!(why.contains("the cosigner is wrong"), "{why}");
    }
    world.append(&server, 1);
    assert_eq!(curl(&format!("{}/readyz", server.url)).0, 200);
    assert_eq!(
        std::fs::read_dir(world.kept().join("ahead")).map_or(0, Iterator::count),
        0
    );
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(from.join("."))
        .arg(to)
        .status();
    assert!(copied.unwrap().success());
}

/// An older copy of the directory is put back: a witness has what the log's own key signed since.
#[test]
fn a_restored_copy_halts_and_keeps_what_shows_it() {
    let world = World::new();
    let (mut witness, policy) = world.obey_a_witness();
    let old = world.ledger.temp.path().join("old");
    copy_dir(&world.ledger.dir, &old);
    let server = world.serve(&[]);
    let index = world.append(&server, 1);
    wait_for_quorum(&server, &world, &policy, index);
    assert_eq!(server.stop(), 0);
    let server = world.serve_in(&old, &[]);
    let why = halted(&server);
    assert!(
        why.contains("restored") && why.contains("w showed it"),
        "{why}"
    );
    let kept = std::fs::read_dir(old.join("cosigned/ahead"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let kept = Checkpoint::open(&std::fs::read(kept.path()).unwrap(), &world.log).unwrap();
    assert_eq!(kept.head().size, index + 1);
    assert_ne!(server.stop(), 0);
    // It is found at each start, though the witness is gone.
    witness.kill();
    let server = world.serve_in(&old, &[]);
    assert_eq!(curl(&format!("{}/readyz", server.url)).0, 503);
    drop(server);
    // The newest copy goes on.
    let server = world.serve(&[]);
    world.append(&server, 2);
}

/// Two copies of one log go on by themselves: the second to ask halts.
#[test]
fn a_log_that_was_forked_halts() {
    let world = World::new();
    let (_witness, policy) = world.obey_a_witness();
    let fork = world.ledger.temp.path().join("fork");
    copy_dir(&world.ledger.dir, &fork);
    let server = world.serve(&[]);
    let index = world.append(&server, 1);
    wait_for_quorum(&server, &world, &policy, index);
    assert_eq!(server.stop(), 0);
    // The fork grows to more entries before it asks.
    let server = Server::start(&fork);
    for event in 10..13 {
        world.append(&server, event);
    }
    assert_eq!(server.stop(), 0);
    let server = world.serve_in(&fork, &[]);
    let why = halted(&server);
    assert!(why.contains("two histories"), "{why}");
}

/// An auditor takes checkpoints as pending, and has a line later, on one of them.
#[test]
fn an_auditors_line_is_collected_and_joins_those_of_the_witnesses() {
    let world = World::new();
    let (witness, at) = world.witness();
    let pending: Arc<Mutex<Vec<UnverifiedCheckpoint>>> = Arc::default();
    let finished: Arc<Mutex<Option<UnverifiedCheckpoint>>> = Arc::default();
    let origin_hash = hex::encode(Sha256::digest(world.log.name().as_str()));
    let (taken, done) = (Arc::clone(&pending), Arc::clone(&finished));
    let auditor = Fake::start(move |asked, stream| {
        if asked.line.starts_with("POST /a/add-checkpoint ") {
            let request = AddCheckpoint::parse(&asked.body).unwrap();
            taken.lock().unwrap().push(request.checkpoint);
            return answer(stream, 200, "text/plain", "");
        }
        let path = format!("GET /a/{origin_hash}/checkpoint ");
        assert!(asked.line.starts_with(&path), "{}", asked.line);
        match &*done.lock().unwrap() {
            Some(done) => {
                let note = format!("{}{}", done.note(), line_by(9, done, 1_800_000_000));
                answer(stream, 200, "text/plain", &note);
            }
            None => answer(stream, 404, "text/plain", ""),
        }
    });
    let policy = world.obey(&format!(
        "witness w {} {at}\nwitness audit-a {} {}/a/\ngroup both all w audit-a\nquorum both\n",
        witness.vkey,
        key(9).1,
        auditor.url
    ));
    let server = world.serve(&["--state-every-ms", "100"]);
    let mut index = 0;
    for event in 0..3 {
        index = world.append(&server, event);
        wait_for("the witness", || {
            (cosigner(&server, "w")["cosigned_size"].as_u64()? > index).then_some(())
        });
    }
    let last = wait_for("pending", || {
        let last = pending.lock().unwrap().last()?.clone();
        (last.head().size > index).then_some(last)
    });
    let audit = cosigner(&server, "audit-a");
    assert_eq!(audit["role"], "auditor");
    assert_eq!(audit["cosigned_size"], Value::Null);
    assert!(audit["accepted_size"].as_u64().unwrap() > 0, "{audit}");
    assert_eq!(curl(&format!("{}/checkpoint", server.url)).0, 503);
    // Seen, and not replayed: a receipt at the one level, and none at the other.
    let file = |path: String| curl(&format!("{}{path}", server.url));
    let level_of = |note: &str| {
        let (_, note) = note.split_once("\n\n").unwrap();
        let checkpoint = Checkpoint::open(note.as_bytes(), &world.log).unwrap();
        let standing = policy.standing_of(&checkpoint).unwrap();
        (checkpoint.head().size, standing.levels().to_vec())
    };
    for path in [
        format!("/v1/receipts/{index}?"),
        "/v1/proofs/state?domain=totals&".to_owned(),
    ] {
        let (status, note) = file(format!("{path}level=witnessed"));
        assert_eq!(status, 200, "{note}");
        assert_eq!(level_of(&note).1, [Level::Witnessed]);
        let (status, note) = file(format!("{path}level=audited"));
        assert_eq!(status, 404, "{note}");
        assert!(
            note.contains("level_unreached") && !note.contains("newest_size"),
            "{note}"
        );
        assert_eq!(file(format!("{path}level=better")).0, 400);
        assert_eq!(file(format!("{path}level=newest")).0, 200);
    }
    *finished.lock().unwrap() = Some(last.clone());
    let (size, levels) = wait_for("the auditor's line", || {
        stands(&server, "/checkpoint", &world, &policy)
    });
    assert_eq!(levels, Level::ALL);
    assert_eq!(size, last.head().size);
    let index = world.append(&server, 9);
    let said = wait_for("both levels", || {
        let said = json(&server, "/v1/cosigners");
        (said["levels"]["witnessed"].as_u64()? > index).then_some(said)
    });
    assert_eq!(said["levels"]["audited"], size);
    // What was replayed has its files at that level; of what came later the newest size is told.
    for path in [
        format!("/v1/receipts/{}?", size - 1),
        "/v1/proofs/state?domain=totals&".to_owned(),
        format!("/v1/proofs/account-history/{}?", hex::encode([0; 32])),
    ] {
        let (status, note) = file(format!("{path}level=audited"));
        assert_eq!(status, 200, "{path} {note}");
        assert_eq!(level_of(&note), (size, Level::ALL.to_vec()), "{path}");
    }
    let (status, note) = file(format!("/v1/receipts/{index}?level=audited"));
    assert_eq!(status, 404);
    assert!(note.contains(&format!("\"newest_size\":{size}")), "{note}");
    let receipt = world.ledger.path("receipt");
    let (_, note) = file(format!("/v1/receipts/{}?level=audited", size - 1));
    std::fs::write(&receipt, note).unwrap();
    let (log, policy) = (world.log.to_string(), world.policy.to_str().unwrap());
    let said = run_ok(&["verify", &receipt, "--log", &log, "--policy", policy]);
    assert!(
        said.contains("audit-a (fake.example/9) replayed it"),
        "{said}"
    );
    assert_eq!(server.stop(), 0);
}

/// What an auditor replayed and no witness saw, and what a witness saw later: no checkpoint has the whole quorum, and
/// files have two.
#[test]
fn where_no_checkpoint_has_the_whole_quorum_a_file_has_two() {
    let world = World::new();
    let first: Arc<Mutex<Option<UnverifiedCheckpoint>>> = Arc::default();
    let sent = Arc::clone(&first);
    let both = Fake::start(move |asked, stream| {
        let mut sent = sent.lock().unwrap();
        if !asked.line.starts_with("POST ") {
            return match &*sent {
                Some(done) => {
                    let note = format!("{}{}", done.note(), line_by(9, done, 1_800_000_000));
                    answer(stream, 200, "text/plain", &note);
                }
                None => answer(stream, 404, "text/plain", ""),
            };
        }
        let request = AddCheckpoint::parse(&asked.body).unwrap();
        let first = sent.get_or_insert(request.checkpoint.clone());
        let is_first = first.head() == request.checkpoint.head();
        match asked.line.starts_with("POST /a/") {
            true => answer(stream, 200, "text/plain", ""),
            // The witness is away at first.
            false if is_first => answer(stream, 503, "text/plain", ""),
            false => {
                let line = line_by(8, &request.checkpoint, 1_800_000_100);
                answer(stream, 200, "text/plain", &line);
            }
        }
    });
    let policy = world.obey(&format!(
        "witness w {} {url}/w\nwitness audit-a {} {url}/a\ngroup both all w audit-a\nquorum both\n",
        key(8).1,
        key(9).1,
        url = both.url
    ));
    let server = world.serve(&["--state-every-ms", "100"]);
    let replayed = wait_for("the auditor's line", || {
        json(&server, "/v1/cosigners")["levels"]["audited"].as_u64()
    });
    let index = world.append(&server, 1);
    let seen = wait_for("the witness's line", || {
        let seen = json(&server, "/v1/cosigners")["levels"]["witnessed"].as_u64()?;
        (seen > index).then_some(seen)
    });
    let file = |path: String| curl(&format!("{}{path}", server.url));
    let size_of = |path: String| {
        let (status, text) = file(path);
        assert_eq!(status, 200, "{text}");
        let receipt: Receipt = text.parse().unwrap();
        let trust = Trust {
            log: Some(&world.log),
            policy: None,
            witnesses: &[],
        };
        let verified = receipt.verify_by(&trust, None).unwrap();
        let second = verified.second.map(|second| second.head.size);
        (verified.head.size, second)
    };
    let two = (replayed, Some(seen));
    for path in ["/v1/receipts/1?", "/v1/proofs/state?domain=totals&"] {
        assert_eq!(size_of(format!("{path}level=cosigned")), two);
        assert_eq!(size_of(format!("{path}level=best")), two);
        assert_eq!(size_of(format!("{path}level=audited")), (replayed, None));
    }
    // What came later was seen alone.
    assert_eq!(
        size_of(format!("/v1/receipts/{index}?level=best")),
        (seen, None)
    );
    let (status, text) = file(format!("/v1/receipts/{index}?level=cosigned"));
    assert_eq!(status, 404, "{text}");
    assert!(
        text.contains(&format!("\"newest_size\":{replayed}")),
        "{text}"
    );
    assert!(!policy.cosigners().is_empty());
    let (log, policy) = (world.log.to_string(), world.policy.to_str().unwrap());
    for path in ["/v1/receipts/1?", "/v1/proofs/state?domain=totals&"] {
        let receipt = world.ledger.path("two");
        std::fs::write(&receipt, file(format!("{path}level=best")).1).unwrap();
        let verify = ["verify", &receipt, "--log", &log, "--policy", policy];
        let said = run_ok(&verify);
        let words = format!("by two checkpoints: replayed to {replayed}, seen to {seen}");
        assert!(said.contains(&words), "{said}");
        let said = run_ok(&[&verify[..], &["--json"]].concat());
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["second_size"], seen);
        assert_eq!(
            said["policy"]["levels"],
            serde_json::json!(["cosigned", "witnessed", "audited"])
        );
        assert_eq!(said["policy"]["replayed_to"], replayed);
    }
    assert_eq!(server.stop(), 0);
}

/// Several servers of one log: only the one that leads asks, and all of them serve what stands.
#[test]
fn cosignatures_reach_the_servers_that_follow_and_the_one_that_leads_next_goes_on() {
    let store = tempfile::tempdir().unwrap();
    let address = format!("file://{}", store.path().display());
    let world = World::of(Ledger::init_with(&["--store", &address]));
    let second = world.ledger.temp.path().join("second");
    copy_dir(&world.ledger.dir, &second);
    let (_witness, policy) = world.obey_a_witness();
    let leads = world.serve(&[]);
    world.ledger.set_up(&leads.remote());
    let follows = world.serve_in(&second, &["--follow"]);
    let index = world.append(&leads, 1);
    for server in [&leads, &follows] {
        wait_for("the quorum", || {
            let (size, levels) = stands(server, "/checkpoint", &world, &policy)?;
            assert!(levels.contains(&Level::Cosigned));
            (size > index).then_some(())
        });
    }
    // Who reads the store without a server finds the one that stands.
    wait_for("the checkpoint in the store", || {
        let note = std::fs::read(store.path().join("checkpoint")).ok()?;
        let checkpoint = Checkpoint::open(&note, &world.log).unwrap();
        let standing = policy.standing_of(&checkpoint).unwrap();
        assert!(standing.reaches(Level::Cosigned));
        (checkpoint.head().size > index).then_some(())
    });
    assert_eq!(
        cosigner(&follows, "w")["last"],
        Value::Null,
        "it asks nobody"
    );
    assert_eq!(leads.stop(), 0);
    let index = wait_for("the other leads", || {
        (curl(&format!("{}/readyz", follows.url)).0 == 200).then(|| world.append(&follows, 2))
    });
    wait_for_quorum(&follows, &world, &policy, index);
    assert_eq!(follows.stop(), 0);
    // Who audits the store finds the checkpoint of the hour in it.
    let (log, policy) = (world.log.to_string(), world.policy.to_str().unwrap());
    let said = run_ok(&[
        "audit", &address, "--log", &log, "--policy", policy, "--json",
    ]);
    let said: Value = serde_json::from_str(said.trim()).unwrap();
    assert!(said["cosigned_hours"].as_u64().unwrap() > 0, "{said}");
}

/// The governors state a policy while the log runs: it is obeyed from its entry on, and a file wins over it.
#[test]
fn the_policy_in_the_log_is_obeyed_and_a_file_wins_over_it() {
    let world = World::new();
    let (witness, at) = world.witness();
    let server = Server::start_with(&world.ledger.dir, &["--cosign-every-ms", EVERY_MS]);
    assert_eq!(curl(&format!("{}/checkpoint", server.url)).0, 200);
    assert_eq!(json(&server, "/v1/cosigners")["quorum"], Value::Null);
    let text = format!("witness w {} {at}\nquorum w\n", witness.vkey);
    let policy: WitnessPolicy = text.parse().unwrap();
    let statement = Statement::Policy(Policy {
        policy: text.parse().unwrap(),
        set: arborlog::record::Index(0),
    });
    let index = world.ledger.govern(&server.remote(), statement, None).0;
    let mut before = 0;
    wait_for("the quorum", || {
        // Never smaller than what stood before.
        let (size, levels) = stands(&server, "/checkpoint", &world, &policy).unwrap();
        assert!(size >= before, "{size} {before}");
        before = size;
        (size > index && levels.contains(&Level::Cosigned)).then_some(())
    });
    assert_eq!(json(&server, "/v1/cosigners")["quorum"], "w");
    let index = world.append(&server, 5);
    wait_for_quorum(&server, &world, &policy, index);
    assert_eq!(server.stop(), 0);
    world.obey(&format!(
        "witness other {} http://127.0.0.1:1\nquorum none\n",
        key(1).1
    ));
    let server = world.serve(&[]);
    let said = json(&server, "/v1/cosigners");
    assert_eq!(
        (&said["quorum"], &said["cosigners"][0]["name"]),
        (&"none".into(), &"other".into())
    );
    assert_eq!(said["stands"], said["size"]);
}

/// The log's own key of ML-DSA-44 signs what cosigners are sent.
#[test]
fn a_log_with_a_key_of_mldsa_signs_what_it_sends_with_both() {
    let world = World::new();
    let file = world.ledger.dir.join("keys/mldsa.pem");
    run_ok(&["keygen", "--mldsa", file.to_str().unwrap()]);
    let mldsa = MldsaSigningKey::read(&file).unwrap();
    let mldsa_vkey = VerifierKey::mldsa(world.log.name().clone(), mldsa.public());
    let mut witness = Witness::init("witness.example/w1", &[], &format!("{mldsa_vkey}\n"));
    let at = witness.start("127.0.0.1:0");
    let policy = world.obey(&format!("witness w {} {at}\nquorum w\n", witness.vkey));
    let server = world.serve(&[]);
    wait_for("the quorum", || {
        stands(&server, "/checkpoint", &world, &policy)
    });
    let (_, note) = curl(&format!("{}/checkpoint", server.url));
    let checkpoint = Checkpoint::open(note.as_bytes(), &mldsa_vkey).unwrap();
    assert!(Cosignature::verify(&checkpoint, &witness.vkey).is_ok());
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_policy_that_is_none_is_wrong_use() {
    let world = World::new();
    std::fs::write(&world.policy, "quorum w\n").unwrap();
    let dir = world.ledger.dir.to_str().unwrap();
    let output = run(&["serve", dir, "--policy", world.policy.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
}

/// The kernel gives no more threads, which panics the asking where it hands a cosignature to one: nobody would ask any
/// more, and what stands would grow old without a word.
#[test]
fn asking_that_panics_takes_the_process_with_it() {
    let world = World::new();
    let answers = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&answers);
    let fake = Fake::start(move |asked, stream| {
        let request = AddCheckpoint::parse(&asked.body);
        match request.ok().filter(|_| now.load(Ordering::Relaxed)) {
            Some(request) => {
                let line = line_by(1, &request.checkpoint, 1_788_480_000);
                answer(stream, 200, "text/plain", &line);
            }
            None => answer(stream, 500, "text/plain", ""),
        }
    });
    world.obey(&format!("witness w {} {}\nquorum w\n", key(1).1, fake.url));
    let words = world.ledger.temp.path().join("words");
    let mut command = arborlog();
    command
        // Otherwise it can't be traced.
        .env("ARBORLOG_CORE_DUMPS", "1")
        .stderr(std::fs::File::create(&words).unwrap());
    let policy = world.policy.to_str().unwrap();
    let args = ["--policy", policy, "--cosign-every-ms", EVERY_MS];
    let mut server = Server::start_by(command, &world.ledger.dir, &args);
    // What the start needs threads for is done.
    wait_for("the server", || {
        (curl(&format!("{}/readyz", server.url)).0 == 200).then_some(())
    });
    let trace = world.ledger.temp.path().join("trace");
    let pid = server.child.id();
    let mut strace = std::process::Command::new("strace")
        .args(["-f", "-o", trace.to_str().unwrap()])
        .args(["-e", "trace=clone,clone3"])
        .args(["-e", "inject=clone,clone3:error=EPERM"])
        .args(["-p", &pid.to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("strace", || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        (!status.contains("TracerPid:\t0\n")).then_some(())
    });
    // Threads that the start used for blocking calls end after ten seconds without work.
    std::thread::sleep(Duration::from_secs(12));
    answers.store(true, Ordering::Relaxed);
    let code = wait_for("its end", || server.child.try_wait().unwrap());
    strace.wait().unwrap();
    let words = std::fs::read_to_string(words).unwrap();
    assert_eq!(code.code(), Some(3), "{words}");
    assert!(
        words.contains("the asking of cosigners broke off"),
        "{words}"
    );
}
