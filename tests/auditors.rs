//! Auditors beside each other: one that begins with a state for which another vouches, and some that compare what
//! their replays made.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
#[path = "attacks/forge.rs"]
mod forge;
#[allow(dead_code)]
#[path = "attacks/statements.rs"]
mod statements;
mod support;

#[allow(dead_code)]
#[path = "support/auditors.rs"]
mod auditors;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use arborlog::cosign::{Since, Statement};
use arborlog::crypto::SigningKey;
use arborlog::ledger::RULES_VERSION;
use arborlog::merkle::Hash;
use arborlog::note::{AuditNote, Checkpoint, Cosignature, VerifierKey};
use auditors::{Auditor, honest, longer};
use forge::Forge;
use serde_json::Value;
use statements::{ANN, award};
use support::{Ledger, Server, run};

/// What made an auditor that begins with a state.
struct Begins<'a> {
    state: &'a Path,
    log: &'a str,
    at: &'a str,
    vouched_by: &'a str,
    vouched_at: &'a str,
}

/// Makes an auditor in a folder; gives the exit code, and what was printed or said.
fn init_since(dir: &Path, begins: &Begins<'_>) -> (Option<i32>, String) {
    let output = run(&[
        "auditor",
        dir.to_str().unwrap(),
        "--init",
        "auditor.example/late",
        "--since",
        begins.state.to_str().unwrap(),
        "--log",
        begins.log,
        "--at",
        begins.at,
        "--vouched-by",
        begins.vouched_by,
        "--vouched-at",
        begins.vouched_at,
    ]);
    let code = output.status.code();
    let words = match code {
        Some(0) => output.stdout,
        _ => output.stderr,
    };
    (code, String::from_utf8(words).unwrap())
}

/// An auditor that was made in its folder with these words.
fn made(words: &str, temp: tempfile::TempDir, log: &VerifierKey) -> (Auditor, Since) {
    let mut lines = words.lines();
    let mut key = || lines.next().unwrap().parse().unwrap();
    let (vkey, notes_vkey) = (key(), key());
    let statement: Vec<&str> = lines.collect();
    let Ok(Statement::Since(since)) = statement.join("\n").parse() else {
        panic!("{words}");
    };
    let hash = arborlog::cosign::hash_of(log.name());
    let auditor = Auditor {
        temp,
        vkey,
        notes_vkey,
        hash,
    };
    (auditor, *since)
}

#[test]
fn an_auditor_begins_with_a_state_for_which_another_vouches() {
    let ledger = Ledger::init();
    let server = Server::start_with(&ledger.dir, &["--state-every-ms", "100"]);
    ledger.set_up(&server.remote());
    let more = |from: u64| {
        let remote = server.remote();
        let awards = (from..from + 40).map(|event| support::award(event % 7, event));
        let records = ledger.sign(&remote, &ledger.platform, &awards.collect::<Vec<_>>());
        remote.append(&records).unwrap();
    };
    more(0);
    let log_file = ledger.dir.join("log.vkey");
    let log: VerifierKey = std::fs::read_to_string(&log_file).unwrap().parse().unwrap();
    // What somebody's audit kept, before the log grew.
    let state = ledger.path("audit.state");
    let log_path = log_file.to_str().unwrap();
    support::run_ok(&["audit", &server.url, "--log", log_path, "--state", &state]);
    more(100);
    let full = Auditor::of(&log, &server.url);
    let running = full.start(&[]);
    running.until("the other one has cosigned it", |status| {
        status["cosigned"].as_u64() > Some(80) && status["lag_entries"] == 0
    });
    let (by, vouched_at) = (
        full.vkey.to_string(),
        format!("http://{}/", running.address),
    );
    let begins = Begins {
        state: Path::new(&state),
        log: log_path,
        at: &server.url,
        vouched_by: &by,
        vouched_at: &vouched_at,
    };
    let temp = tempfile::tempdir().unwrap();
    let (code, words) = init_since(&temp.path().join("auditor"), &begins);
    assert_eq!(code, Some(0), "{words}");
    let (late, since) = made(&words, temp, &log);
    assert!(
        since.size > 40 && since.said_by.0 >= since.size,
        "{since:?}"
    );
    assert!(since.cosigned > since.said_by.0, "{since:?}");
    assert_eq!((&since.origin, &since.by), (log.name(), &full.vkey));
    // The state root is what the log says there, and what the other auditor's replay made.
    let (_, said) = support::curl(&format!("{}/v1/entries/{}", server.url, since.said_by));
    let said: Value = serde_json::from_str(&said).unwrap();
    let root = hex::encode(since.state_root.as_bytes());
    assert!(said.to_string().contains(&root), "{root}: {said}");
    assert_eq!(running.end("-TERM"), Some(0));

    // It follows the log from there, and reads nothing of what was before.
    more(200);
    let running = late.start(&[]);
    let status = running.until("what is new is cosigned", |status| {
        status["cosigned"].as_u64() > Some(since.cosigned + 39) && status["lag_entries"] == 0
    });
    let replayed = status["entries_replayed"].as_u64().unwrap();
    let cosigned = status["cosigned"].as_u64().unwrap();
    assert!(replayed <= cosigned - since.size, "{status}");
    assert_eq!(status["findings"], Value::Array(Vec::new()));
    let checkpoint = late.cosigned(&log).unwrap();
    assert!(checkpoint.head().size > since.cosigned);
    // What it claims, and who vouches for the rest, is published with the key.
    let about = running.get("/").1;
    let statement = Statement::Since(Box::new(since.clone())).to_string();
    assert!(
        about.contains(&format!("statement {statement}\n")),
        "{about}"
    );
    let (code, note) = running.of_log("beginning");
    assert_eq!(code, 200, "{note}");
    let vouched = Checkpoint::open(note.as_bytes(), &log).unwrap();
    assert_eq!(vouched.head().size, since.cosigned);
    Cosignature::verify(&vouched, &full.vkey).unwrap();
    let (_, metrics) = running.get("/metrics");
    let line = format!(
        "arborlog_auditor_since_entries{{log=\"{}\"}} {}",
        log.name(),
        since.size
    );
    assert!(metrics.contains(&line), "{metrics}");
    assert_eq!(running.end("-KILL"), None);

    // It goes on from what it saved; without that, from the state that it began with, and never from less.
    more(300);
    let saved = late.file("state-without-awards");
    for spoil in [false, true] {
        if spoil {
            std::fs::write(&saved, b"spoiled").unwrap();
        }
        let (code, said) = late.once(&[]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(
            said.contains("from the state that it began with"),
            spoil,
            "{said}"
        );
        more(400);
    }
    let beginning = late.file("beginning");
    std::fs::remove_file(&saved).unwrap();
    std::fs::write(&beginning, b"spoiled").unwrap();
    let (code, said) = late.once(&[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("begin another auditor"), "{said}");
    assert_eq!(server.stop(), 0);

    // Of one log, and without findings.
    let (code, said) = late.once(&["--on-finding", "stop"]);
    assert_eq!(code, Some(2), "{said}");
    late.audits(&forge::vkey("log"), "/nowhere");
    let (code, said) = late.once(&[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("of no other log"), "{said}");
}

/// A log in a folder, with a state that an audit kept of its beginning and another auditor's cosignature.
struct Vouched {
    temp: tempfile::TempDir,
    it: Forge,
    full: Auditor,
    log: String,
}

impl Vouched {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let begun = honest();
        let full = Auditor::of_forge(&begun);
        let log = forge::vkey("log").to_string();
        let state = temp.path().join("state");
        support::run_ok(&[
            "audit",
            full.log().to_str().unwrap(),
            "--log",
            &log,
            "--state",
            state.to_str().unwrap(),
        ]);
        let it = longer(&begun, 20);
        full.show(&it);
        assert_eq!(full.once(&[]).0, Some(0));
        Self {
            temp,
            it,
            full,
            log,
        }
    }

    /// Begins an auditor with a state that vouches by a checkpoint.
    fn begin(&self, state: &str, by: &VerifierKey, checkpoint: &str) -> (Option<i32>, String) {
        let file = self.temp.path().join("checkpoint");
        std::fs::write(&file, checkpoint).unwrap();
        let (state, at) = (self.temp.path().join(state), self.full.log());
        let by = by.to_string();
        let begins = Begins {
            state: &state,
            log: &self.log,
            at: at.to_str().unwrap(),
            vouched_by: &by,
            vouched_at: file.to_str().unwrap(),
        };
        let dir = self.temp.path().join("late");
        let made = init_since(&dir, &begins);
        assert_eq!(dir.join("auditor.vkey").exists(), made.0 == Some(0));
        made
    }
}

#[test]
fn nobody_begins_with_a_state_for_which_nobody_vouches() {
    let world = Vouched::new();
    let cosigned = std::fs::read_to_string(world.full.file("cosigned")).unwrap();
    let by = &world.full.vkey;
    let bare = world.it.checkpoint(world.it.size()).to_string();
    let (code, said) = world.begin("state", by, &bare);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("no cosignature of auditor.example/a1"),
        "{said}"
    );
    let spoiled = {
        let (text, line) = cosigned.trim_end().rsplit_once(' ').unwrap();
        let (first, rest) = line.split_at(20);
        let other = if rest.starts_with('A') { 'B' } else { 'A' };
        format!("{text} {first}{other}{}\n", &rest[1..])
    };
    assert_eq!(world.begin("state", by, &spoiled).0, Some(1));
    // One that ends where the state does, or before: no state entry in it speaks of the state.
    let early = Auditor::of_forge(&honest());
    assert_eq!(early.once(&[]).0, Some(0));
    let note = std::fs::read_to_string(early.file("cosigned")).unwrap();
    let (code, said) = world.begin("state", &early.vkey, &note);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("nobody vouches for the state"), "{said}");
    assert_eq!(world.begin("none", by, &cosigned).0, Some(4));
    // Another log's state is no part of this one.
    let (code, said) = {
        let mut changed = Forge::long();
        changed.admit("platform", award(ANN, 1));
        changed.cover();
        let folder = world.temp.path().join("other");
        forge::write(&changed.files(), &folder);
        let state = world.temp.path().join("other.state");
        support::run_ok(&[
            "audit",
            folder.to_str().unwrap(),
            "--log",
            &world.log,
            "--state",
            state.to_str().unwrap(),
        ]);
        world.begin("other.state", by, &cosigned)
    };
    assert_ne!(code, Some(0), "{said}");
    // A state that was changed, with its digest made anew: the entries behind it lead elsewhere.
    let (code, said) = world.begin_with_changed_state(by, &cosigned);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("state_wrong"), "{said}");
    let (code, said) = world.begin("state", by, &cosigned);
    assert_eq!(code, Some(0), "{said}");
}

impl Vouched {
    /// The saved state with a balance that nobody has.
    fn begin_with_changed_state(
        &self,
        by: &VerifierKey,
        checkpoint: &str,
    ) -> (Option<i32>, String) {
        use arborlog::audit::SavedAudit;
        use arborlog::ledger::State;
        let path = self.temp.path().join("state");
        let mut saved = SavedAudit::read(&path).unwrap().unwrap();
        let mut state = State::from_globals(saved.verified.state.globals().clone());
        let image = saved.verified.state.image();
        let buckets: Vec<_> = image.buckets().collect();
        // Without one of them: points, keys or trees are gone.
        const DOMAINS: u8 = 16;
        let proven = |(map, _): &(u8, _)| *map < DOMAINS;
        let left_out = buckets.iter().rposition(proven).unwrap();
        for (number, (map, bucket)) in buckets.iter().enumerate() {
            if number != left_out {
                let place = bucket.first_key().unwrap();
                state.load(*map, &place, &bucket.bytes().unwrap()).unwrap();
            }
        }
        drop(buckets);
        drop(image);
        saved.verified.state = state;
        saved.write(&self.temp.path().join("changed")).unwrap();
        self.begin("changed", by, checkpoint)
    }
}

/// An auditor that replays nothing: it signs whatever state root it is told, and shows that.
struct Lazy {
    url: String,
    shows: Arc<Mutex<String>>,
    key: SigningKey,
    vkey: VerifierKey,
}

impl Lazy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shows = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&shows);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines
                    .next()
                    .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
                {}
                let body = shown.lock().unwrap().clone();
                let status = if body.is_empty() { 404 } else { 200 };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
                );
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        let key = SigningKey::from_seed(&[77; 32]);
        let vkey = AuditNote::vkey(&"lazy.example/l1".parse().unwrap(), key.public());
        Self {
            url,
            shows,
            key,
            vkey,
        }
    }

    /// Shows a note with this root of a size.
    fn say(&self, it: &Forge, size: u64, state_root: Hash) {
        let note = AuditNote {
            origin: forge::vkey("log").name().clone(),
            head: it.head(size),
            rules_version: RULES_VERSION,
            state_root,
        };
        *self.shows.lock().unwrap() = note.sign(self.vkey.name(), &self.key);
    }
}

/// Lists whose notes an auditor compares.
fn compares(auditor: &Auditor, others: &[(&VerifierKey, &str)]) {
    let lines = others.iter().map(|(vkey, url)| format!("{vkey} {url}\n"));
    std::fs::write(auditor.dir().join("auditors"), lines.collect::<String>()).unwrap();
}

/// The ledger with more awards and a state entry; gives the state root behind all but some of the awards, at a
/// size of which no state entry speaks, and the root that the log itself says last.
fn grown(it: &mut Forge) -> (u64, Hash, Hash) {
    for _ in 0..20 {
        it.admit("platform", award(ANN, 1));
    }
    let (size, root) = (it.size(), it.state.roots().unwrap().state_root());
    for _ in 0..10 {
        it.admit("platform", award(ANN, 1));
    }
    let said = it.state.roots().unwrap().state_root();
    it.cover();
    (size, root, said)
}

#[test]
fn a_lazy_auditor_that_signs_what_the_log_tells_it_is_named_by_the_others() {
    let mut it = honest();
    let (size, root, said) = grown(&mut it);
    let lazy = Lazy::start();
    let auditor = Auditor::of_forge(&it);
    compares(&auditor, &[(&lazy.vkey, &lazy.url)]);
    let code = "auditor_note_differs:lazy.example/l1";

    // It has nothing to show yet, then what the log says of another size.
    assert_eq!(auditor.once(&[]).0, Some(0));
    let (size, root, said) = {
        assert_ne!(root, said);
        assert!(size < it.size());
        grown(&mut it)
    };
    auditor.show(&it);
    lazy.say(&it, size, said);
    let before = auditor.cosigned(&forge::vkey("log")).unwrap().head();
    let (exit, words) = auditor.once(&[]);
    assert_eq!(exit, Some(3), "{words}");
    assert!(words.contains(code), "{words}");
    let vkey = forge::vkey("log");
    assert_eq!(auditor.cosigned(&vkey).unwrap().head(), before);
    // Both notes are kept, for anybody who replays.
    let notes = auditor
        .dir()
        .join("evidence")
        .join(&auditor.hash)
        .join("notes");
    let tag = format!("{size}-{}", arborlog::cosign::hash_of(lazy.vkey.name()));
    let theirs = std::fs::read(notes.join(format!("{tag}.theirs"))).unwrap();
    let theirs = AuditNote::open(&theirs, &lazy.vkey).unwrap();
    let ours = std::fs::read(notes.join(format!("{tag}.ours"))).unwrap();
    let ours = AuditNote::open(&ours, &auditor.notes_vkey).unwrap();
    assert_eq!((theirs.head, theirs.state_root), (it.head(size), said));
    assert_eq!((ours.head, ours.state_root), (it.head(size), root));
    // It is still so after a start, though the other one says nothing more.
    lazy.shows.lock().unwrap().clear();
    let running = auditor.start(&[]);
    running.until("it is withheld", |status| {
        status["withheld"] == Value::from(vec![code])
    });
    assert_eq!(running.status()["cosigned"], before.size);
    // The holder looked into it.
    std::fs::write(auditor.dir().join("accepted"), format!("{code}\n")).unwrap();
    running.until("it is cosigned", |status| {
        status["cosigned"] == it.size() && status["withheld"] == Value::Array(Vec::new())
    });

    // A note of a size that the replay has passed: it is made again from where a round ended.
    let (size, root, _) = grown(&mut it);
    auditor.show(&it);
    running.until("what is new is cosigned", |status| {
        status["cosigned"] == it.size()
    });
    lazy.say(&it, size, root);
    let status = running.until("it is compared", |status| {
        status["others"][0]["compared"] == size
    });
    assert_eq!(status["others"][0]["outcome"], "same", "{status}");
    assert_eq!(running.end("-TERM"), Some(0));
    // Told, and no more, if its holder wants that.
    std::fs::remove_file(auditor.dir().join("accepted")).unwrap();
    let (size, root, _) = grown(&mut it);
    auditor.show(&it);
    lazy.say(&it, size, root);
    let running = auditor.start(&["--on-finding", "sign"]);
    running.until("it is cosigned", |status| status["cosigned"] == it.size());
    let (_, metrics) = running.get("/metrics");
    let labels = format!("{{log=\"{}\",auditor=\"lazy.example/l1\"}}", vkey.name());
    let line = format!("arborlog_auditor_other_reached{labels} 1");
    assert!(metrics.contains(&line), "{metrics}");
    assert_eq!(running.end("-TERM"), Some(0));
}

#[test]
fn honest_auditors_agree_and_one_that_is_away_holds_nobody_up() {
    let mut it = honest();
    let one = Auditor::of_forge(&it);
    let vkey = forge::vkey("log");
    let place = one.log();
    let other = Auditor::named(
        "auditor.example/a2",
        &vkey,
        place.to_str().unwrap(),
        "ed25519",
    );
    let running_other = other.start(&[]);
    let at = format!("http://{}/", running_other.address);
    // A port at which nobody listens.
    let away = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let nobody = AuditNote::vkey(
        &"away.example/a3".parse().unwrap(),
        SigningKey::from_seed(&[78; 32]).public(),
    );
    compares(&one, &[(&other.notes_vkey, &at), (&nobody, &away)]);
    let running = one.start(&[]);
    let mut outcomes = Vec::new();
    for _ in 0..20 {
        grown(&mut it);
        one.show(&it);
        running.until("it is cosigned", |status| status["cosigned"] == it.size());
        running_other.until("it is cosigned", |status| status["cosigned"] == it.size());
        std::thread::sleep(std::time::Duration::from_millis(1500));
        let status = running.status();
        outcomes.push(status["others"][0]["outcome"].as_str().unwrap().to_owned());
        if outcomes.contains(&"same".to_owned()) {
            break;
        }
    }
    assert!(outcomes.contains(&"same".to_owned()), "{outcomes:?}");
    let status = running.status();
    assert_eq!(status["others"][1]["is_reached"], false, "{status}");
    assert_eq!(status["trouble"], Value::Null);
    let (_, metrics) = running.get("/metrics");
    let line = format!(
        "arborlog_auditor_other_reached{{log=\"{}\",auditor=\"away.example/a3\"}} 0",
        vkey.name()
    );
    assert!(metrics.contains(&line), "{metrics}");
    assert_eq!(running.end("-TERM"), Some(0));
    assert_eq!(running_other.end("-TERM"), Some(0));
    // Lists that can't be used.
    for line in [
        one.notes_vkey.to_string(),
        format!("{} {at}", one.notes_vkey),
        format!("{} {at}", other.vkey),
        format!("{nobody} {at}\n{nobody} {away}"),
    ] {
        std::fs::write(one.dir().join("auditors"), &line).unwrap();
        assert_eq!(one.once(&[]).0, Some(2), "{line}");
    }
}
