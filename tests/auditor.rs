//! `arborlog auditor` as logs, strangers and its holder meet it: it cosigns what it replayed and nothing else,
//! keeps what it noted through kills, and has evidence where a log lies.
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

use std::path::Path;
use std::time::Duration;

use arborlog::cosign::{AddCheckpoint, REQUEST_BYTES_MAX};
use arborlog::merkle::consistency_ranges;
use arborlog::note::{AuditNote, Checkpoint, UnverifiedCheckpoint, VerifierKey};
use arborlog::record::Statement;
use auditors::{Auditor, honest, longer};
use forge::Forge;
use serde_json::Value;
use sha2::Digest as _;
use statements::{ANN, award};
use support::{Ledger, Server, run, run_ok};

/// What the log of a forge sends of its tree at a size.
fn request(it: &Forge, from: u64, to: u64) -> AddCheckpoint {
    let ranges = consistency_ranges(from, to).unwrap_or_default();
    let note = it.checkpoint(to).to_string();
    AddCheckpoint {
        old_size: from,
        proof: ranges.into_iter().map(|range| it.root(range)).collect(),
        checkpoint: UnverifiedCheckpoint::parse(note.as_bytes()).unwrap(),
    }
}

#[test]
fn a_log_grows_and_is_cosigned_so_that_a_receipt_is_audited_by_the_policy() {
    let ledger = Ledger::init();
    let server = Server::start_with(&ledger.dir, &["--state-every-ms", "200"]);
    ledger.set_up(&server.remote());
    let more = |from: u64| {
        let remote = server.remote();
        let awards = (from..from + 40).map(|event| support::award(event % 7, event));
        let records = ledger.sign(&remote, &ledger.platform, &awards.collect::<Vec<_>>());
        remote.append(&records).unwrap();
    };
    more(0);
    let vkey: VerifierKey = std::fs::read_to_string(ledger.dir.join("log.vkey"))
        .unwrap()
        .parse()
        .unwrap();
    for kind in ["ed25519", "mldsa"] {
        let auditor = Auditor::with_key(&vkey, &server.url, kind);
        let running = auditor.start(&[]);
        let first = running.until("it is cosigned", |status| {
            status["cosigned"].as_u64() > Some(40) && status["lag_entries"] == 0
        });
        more(100);
        let first = first["cosigned"].as_u64().unwrap();
        running.until("what is new is cosigned", |status| {
            status["cosigned"].as_u64() >= Some(first + 40)
        });
        // The log is quiet: its checkpoint is the one that is cosigned.
        std::thread::sleep(Duration::from_millis(500));
        let last = running.until("all is cosigned", |status| {
            let size = server.remote().text("checkpoint").unwrap();
            let size: u64 = size.lines().nth(1).unwrap().parse().unwrap();
            status["cosigned"].as_u64() == Some(size)
        });
        let (status, note) = running.of_log("checkpoint");
        assert_eq!(status, 200);
        let line = note.lines().last().unwrap();

        let receipt = ledger.path("one.tlog-proof");
        run_ok(&["receipt", "--from", &server.url, "9", "-o", &receipt]);
        let policy = ledger.path("policy");
        let text = format!(
            "log {vkey}\nwitness audit-one {}\nquorum audit-one\n",
            auditor.vkey
        );
        std::fs::write(&policy, text).unwrap();
        let without = run(&["verify", &receipt, "--policy", &policy]);
        assert_eq!(without.status.code(), Some(3));
        let text = std::fs::read_to_string(&receipt).unwrap();
        std::fs::write(&receipt, format!("{text}{line}\n")).unwrap();
        let words = run_ok(&["verify", &receipt, "--policy", &policy]);
        assert!(
            words.contains("audit-one (auditor.example/a1) replayed it"),
            "{words}"
        );
        assert!(words.contains("cosigned, audited"), "{words}");

        // What it says of itself.
        let about = running.get("/").1;
        assert!(
            about.starts_with(&format!("{}\nnotes ", auditor.vkey)),
            "{about}"
        );
        assert!(about.contains("statement full\n"), "{about}");
        let (status, metrics) = running.get("/metrics");
        assert_eq!(status, 200);
        let line = format!(
            "arborlog_auditor_cosigned_entries{{log=\"{}\"}} {}",
            vkey.name(),
            last["cosigned"]
        );
        assert!(metrics.contains(&line), "{metrics}");
        // The note has the root of a state of which no state entry speaks.
        let (status, note) = running.of_log("audit");
        assert_eq!(status, 200, "{note}");
        let note = AuditNote::open(note.as_bytes(), &auditor.notes_vkey).unwrap();
        assert_eq!(note.origin, *vkey.name());
        assert_eq!(running.end("-INT"), Some(0));
    }
    assert_eq!(server.stop(), 0);
}

#[test]
fn what_a_log_sends_is_pending_until_it_is_replayed() {
    let it = honest();
    let next = longer(&it, 50);
    let auditor = Auditor::of_forge(&it);
    let running = auditor.start_every("0", &[]);
    std::thread::sleep(Duration::from_millis(300));
    // Nobody asked for anything yet, and it asks nobody.
    assert_eq!(running.status()["pending"], 0);
    assert_eq!(running.of_log("checkpoint").0, 404);
    assert_eq!(running.of_log("audit").0, 404);

    let refused = |body: &str, expected: u16| {
        let (status, _, words) = running.post(body);
        assert_eq!(status, expected, "{words}");
    };
    let first = request(&it, 0, it.size());
    let (status, _, body) = running.post(&first.to_string());
    assert_eq!((status, body.as_str()), (200, ""));
    running.until("it is replayed", |status| status["cosigned"] == it.size());
    let (_, head, size) = running.post(&first.to_string());
    assert!(
        head.contains("409") && head.contains("text/x.tlog.size"),
        "{head}"
    );
    assert_eq!(size, format!("{}\n", it.size()));

    let good = request(&next, it.size(), next.size());
    let mut wrong = good.clone();
    wrong.proof[0] = it.root((0, 1));
    refused(&wrong.to_string(), 422);
    let mut wrong = good.clone();
    wrong.old_size = next.size() + 1;
    refused(&wrong.to_string(), 400);
    let by_other = next.checkpoint_by(next.size(), &["log2"]).to_string();
    let mut wrong = good.clone();
    wrong.checkpoint = UnverifiedCheckpoint::parse(by_other.as_bytes()).unwrap();
    refused(&wrong.to_string(), 403);
    refused(
        &good
            .to_string()
            .replace(forge::ORIGIN, "stranger.example/x"),
        404,
    );
    refused("old 5\n\n", 400);
    refused(&"x".repeat(REQUEST_BYTES_MAX + 1), 413);

    // Its entries are not there yet: it is pending, and that says nothing of the log.
    assert_eq!(running.post(&good.to_string()).0, 200);
    let status = running.until("it is told", |status| status["trouble"].is_string());
    assert_eq!(
        (
            &status["cosigned"],
            &status["lag_entries"],
            &status["fault"]
        ),
        (&it.size().into(), &51.into(), &Value::Null)
    );
    auditor.show(&next);
    let status = running.until("it is replayed", |status| status["lag_entries"] == 0);
    assert_eq!(status["cosigned"], next.size());
    // The same again asks for a fresh time, which it has.
    let again = request(&next, next.size(), next.size());
    assert_eq!(running.post(&again.to_string()).0, 200);
    for path in [
        "/x/checkpoint",
        "/x/status",
        "/auditor.pem",
        "/..%2fauditor.pem/status",
    ] {
        assert_eq!(running.get(path).0, 404, "{path}");
    }
    assert_eq!(running.end("-TERM"), Some(0));
    assert_eq!(
        auditor.cosigned(&forge::vkey("log")).unwrap().head(),
        next.head(next.size())
    );
}

/// How a log lies, with the words that tell so.
type Lie = (&'static str, fn(&mut Forge));
/// What is changed of a note, with the exit code and the words that it comes to.
type NoteChange<'a> = (&'a dyn Fn(&mut AuditNote), i32, &'a str);

#[test]
fn a_log_that_breaks_a_rule_is_never_cosigned_again_and_the_evidence_is_kept() {
    let it = honest();
    let lies: [Lie; 2] = [
        ("its state root is not", |lie| {
            lie.admit("platform", award(ANN, 7));
            let mut entry = lie.state_entry();
            entry.root[31] ^= 1;
            lie.take_state_entry(&entry);
        }),
        ("entry", |lie| {
            // Nobody granted this key a role.
            lie.force("nobody", award(ANN, 7));
            lie.cover();
        }),
    ];
    for (words, lies) in lies {
        let auditor = Auditor::of_forge(&it);
        assert_eq!(auditor.once(&[]), (Some(0), String::new()));
        let mut lie = it.clone();
        lies(&mut lie);
        auditor.show(&lie);
        let (code, said) = auditor.once(&[]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(words), "{said}");
        let vkey = forge::vkey("log");
        assert_eq!(auditor.cosigned(&vkey).unwrap().head(), it.head(it.size()));
        // The evidence: the checkpoint that the log signed, and the tiles that prove the entry.
        let evidence = auditor.file("evidence");
        let kept = std::fs::read(evidence.join("log/checkpoint")).unwrap();
        assert_eq!(
            Checkpoint::open(&kept, &vkey).unwrap().head(),
            lie.head(lie.size())
        );
        let mut bundle = lie
            .files()
            .into_iter()
            .filter(|(name, _)| name.contains("entries"));
        let (name, bytes) = bundle.next_back().unwrap();
        assert_eq!(
            std::fs::read(evidence.join("log").join(name)).unwrap(),
            bytes
        );
        let what = std::fs::read_to_string(evidence.join("what.txt")).unwrap();
        assert!(said.contains(what.trim()), "{what}");

        // The log is honest again, or away: the fault is not forgotten.
        let honest = longer(&it, 5);
        auditor.show(&honest);
        assert_eq!(auditor.once(&[]).0, Some(1));
        std::fs::remove_dir_all(auditor.log()).unwrap();
        let _ = std::fs::create_dir_all(auditor.log());
        auditor.show(&honest);
        let running = auditor.start(&[]);
        let status = running.until("it is told", |status| status["fault"].is_string());
        assert_eq!(status["cosigned"], it.size());
        let sent = request(&honest, it.size(), honest.size());
        assert_eq!(running.post(&sent.to_string()).0, 403);
        assert!(running.get("/").1.contains(" found wrong\n"));
        // What it cosigned before stays true.
        assert_eq!(running.of_log("checkpoint").0, 200);
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(running.status()["cosigned"], it.size());
        assert_eq!(running.end("-TERM"), Some(1));
    }
}

#[test]
fn two_histories_end_the_cosigning_however_they_are_shown() {
    let it = honest();
    let vkey = forge::vkey("log");
    let mut other = Forge::honest();
    while other.entries.len() < it.entries.len() - 1 {
        other.admit("platform", award(ANN, 1));
    }
    other.cover();
    let checkpoints = |auditor: &Auditor| {
        let files = std::fs::read_dir(auditor.file("evidence")).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let notes = files.filter(|path| path.extension().is_some_and(|it| it == "checkpoint"));
        let heads = notes.map(|path| {
            let note = std::fs::read(path).unwrap();
            Checkpoint::open(&note, &vkey).unwrap().head()
        });
        heads.collect::<Vec<_>>()
    };

    // The log sends another root of the pending size.
    let auditor = Auditor::of_forge(&it);
    let running = auditor.start_every("0", &[]);
    assert_eq!(running.post(&request(&it, 0, it.size()).to_string()).0, 200);
    running.until("it is cosigned", |status| status["lag_entries"] == 0);
    let mut fork = request(&other, other.size(), other.size());
    fork.old_size = it.size();
    assert_eq!(fork.checkpoint.head().size, it.size());
    assert_eq!(running.post(&fork.to_string()).0, 422);
    assert_eq!(running.post(&fork.to_string()).0, 403);
    assert_eq!(running.end("-KILL"), None);
    assert_eq!(checkpoints(&auditor).len(), 2);
    assert_eq!(auditor.once(&[]).0, Some(1));

    // It shows a longer one that does not begin with what was cosigned.
    let auditor = Auditor::of_forge(&it);
    assert_eq!(auditor.once(&[]).0, Some(0));
    while other.entries.len() < it.entries.len() + 300 {
        other.admit("platform", award(ANN, 1));
    }
    other.cover();
    std::fs::remove_dir_all(auditor.log()).unwrap();
    auditor.show(&other);
    let (code, said) = auditor.once(&[]);
    assert_eq!(code, Some(1), "{said}");
    let kept = checkpoints(&auditor);
    assert!(kept.contains(&it.head(it.size())) && kept.contains(&other.head(other.size())));
    assert!(auditor.file("evidence").join("log/tile/0/001").exists());
    assert_eq!(auditor.cosigned(&vkey).unwrap().head(), it.head(it.size()));
}

#[test]
fn what_proves_nothing_against_the_log_is_no_fault() {
    let it = honest();
    let auditor = Auditor::of_forge(&it);
    let checkpoint = auditor.log().join("checkpoint");
    let note = std::fs::read_to_string(&checkpoint).unwrap();
    let bundle = auditor.log().join("tile/entries/000");
    let tile = std::fs::read(&bundle).unwrap();
    // A checkpoint that somebody else signed, a spoiled signature, a page, a tile with other bytes, none.
    let by_other = it.checkpoint_by(it.size(), &["log2"]).to_string();
    let (text, line) = note.trim_end().rsplit_once(' ').unwrap();
    let at = line.len() - 10;
    let other = if line.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    let spoiled = format!("{text} {}{other}{}\n", &line[..at], &line[at + 1..]);
    for wrong in [
        by_other.as_str(),
        spoiled.as_str(),
        "<html>not here</html>\n",
    ] {
        std::fs::write(&checkpoint, wrong).unwrap();
        assert_eq!(auditor.once(&[]).0, Some(3), "{wrong}");
    }
    std::fs::write(&checkpoint, &note).unwrap();
    let mut changed = tile.clone();
    changed[100] ^= 1;
    std::fs::write(&bundle, &changed).unwrap();
    let (code, said) = auditor.once(&[]);
    assert_eq!(code, Some(3), "{said}");
    std::fs::remove_file(&bundle).unwrap();
    assert_eq!(auditor.once(&[]).0, Some(3));
    assert!(auditor.cosigned(&forge::vkey("log")).is_none());
    assert!(!auditor.file("faults").exists() && !auditor.file("evidence").exists());
    std::fs::write(&bundle, &tile).unwrap();
    assert_eq!(auditor.once(&[]), (Some(0), String::new()));
    // An older copy is none either, and takes nothing back.
    auditor.show(&longer(&it, 20));
    assert_eq!(auditor.once(&[]).0, Some(0));
    std::fs::write(&checkpoint, &note).unwrap();
    assert_eq!(auditor.once(&[]).0, Some(0));
    let size = auditor.cosigned(&forge::vkey("log")).unwrap().head().size;
    assert_eq!(size, it.size() + 21);
}

#[test]
fn a_kill_at_any_moment_takes_nothing_back_and_nothing_is_replayed_from_the_first_entry() {
    let vkey = forge::vkey("log");
    let mut it = honest();
    it.grow(1200);
    it.cover();
    let auditor = Auditor::of_forge(&it);
    assert_eq!(auditor.once(&[]).0, Some(0));
    let begun = it.size();
    // What it replayed it asks for no more.
    let first = auditor.log().join("tile/entries/000");
    let mut last = begun;
    for round in 0..10_u64 {
        it = longer(&it, 60);
        auditor.show(&it);
        let _ = std::fs::remove_file(&first);
        let running = auditor.start(&[]);
        std::thread::sleep(Duration::from_millis(23 * round));
        assert_eq!(running.end("-KILL"), None);
        let head = auditor.cosigned(&vkey).unwrap().head();
        assert!(head.size >= last, "round {round}");
        assert_eq!(head, it.head(head.size));
        last = head.size;
    }
    let running = auditor.start(&[]);
    let status = running.until("all is cosigned", |status| status["cosigned"] == it.size());
    let replayed = status["entries_replayed"].as_u64().unwrap();
    assert!(replayed <= it.size() - begun, "{status}");
    assert_eq!(running.end("-INT"), Some(0));

    // The saved state is gone, or spoiled: it can be made again, and what was cosigned stands.
    it = longer(&it, 5);
    auditor.show(&it);
    let state = auditor.file("state");
    let mut bytes = std::fs::read(&state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&state, bytes).unwrap();
    let (code, said) = auditor.once(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("from the first entry again"), "{said}");
    assert_eq!(auditor.cosigned(&vkey).unwrap().head(), it.head(it.size()));
    // What was cosigned or shown can't be made again.
    for folder in ["cosigned", "pending"] {
        let file = auditor.file(folder);
        let whole = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, whole.replace('a', "b")).unwrap();
        assert_eq!(auditor.once(&[]).0, Some(1), "{folder}");
        std::fs::write(&file, whole).unwrap();
    }
    let older = it.checkpoint(begun).to_string();
    std::fs::write(auditor.file("pending"), older).unwrap();
    assert_eq!(auditor.once(&[]).0, Some(1));
    // A pending checkpoint that is lost is shown again.
    std::fs::remove_file(auditor.file("pending")).unwrap();
    it = longer(&it, 5);
    auditor.show(&it);
    assert_eq!(auditor.once(&[]), (Some(0), String::new()));
    assert_eq!(auditor.cosigned(&vkey).unwrap().head(), it.head(it.size()));
}

#[test]
fn one_process_runs_an_auditor_by_its_own_keys() {
    let it = honest();
    let auditor = Auditor::of_forge(&it);
    let running = auditor.start(&[]);
    let (code, said) = auditor.once(&[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("in use by another process"), "{said}");
    assert_eq!(running.end("-TERM"), Some(0));

    let dir = auditor.dir();
    let init = |dir: &Path| {
        let dir = dir.to_str().unwrap();
        run(&["auditor", dir, "--init", "auditor.example/a2"])
            .status
            .code()
    };
    assert_eq!(init(&dir), Some(2));
    assert_eq!(auditor.once(&[]).0, Some(0));
    // Another auditor's key, the notes' own, or none.
    let other = Auditor::of_forge(&it);
    for (of, name, code) in [
        (other.dir().join("auditor.pem"), "auditor.pem", 2),
        (dir.join("notes.pem"), "auditor.pem", 2),
        (other.dir().join("notes.pem"), "notes.pem", 2),
    ] {
        let own = std::fs::read(dir.join(name)).unwrap();
        let wrong = std::fs::read(of).unwrap();
        std::fs::write(dir.join(name), wrong).unwrap();
        assert_eq!(auditor.once(&[]).0, Some(code), "{name}");
        std::fs::write(dir.join(name), own).unwrap();
    }
    let (key, url) = (forge::vkey("log"), "/nowhere");
    for line in [
        key.to_string(),
        format!("{} {url}", auditor.vkey),
        format!("{key}x {url}"),
        format!("{key} {url}\n{} /elsewhere", forge::vkey("log2")),
    ] {
        std::fs::write(dir.join("logs"), &line).unwrap();
        assert_eq!(auditor.once(&[]).0, Some(2), "{line}");
    }
    // The key of another log, and one that signs nothing here.
    auditor.audits(
        &forge::vkey_of(forge::OTHER_ORIGIN, "log"),
        auditor.log().to_str().unwrap(),
    );
    assert_eq!(auditor.once(&[]).0, Some(3));
    // No witness's folder, and none at all.
    let witness = auditor.temp.path().join("witness");
    run_ok(&[
        "witness",
        witness.to_str().unwrap(),
        "--init",
        "w.example/w",
    ]);
    assert_eq!(init(&witness), Some(2));
    let none = auditor.temp.path().join("none");
    let code = |dir: &Path| {
        run(&["auditor", dir.to_str().unwrap(), "--once"])
            .status
            .code()
    };
    assert_eq!(code(&none), Some(4));
}

#[test]
fn a_finding_withholds_the_cosignature_if_its_holder_wants_that() {
    let mut it = honest();
    // Two awards that name one photograph.
    for _ in 0..2 {
        let Statement::Award(mut said) = statements::Says::says(award(ANN, 7)) else {
            panic!("it is an award");
        };
        said.evidence = statements::photo(1);
        it.admit("platform", Statement::Award(said));
    }
    it.cover();
    let auditor = Auditor::of_forge(&it);
    let (code, said) = auditor.once(&["--on-finding", "stop"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("award_evidence_repeated"), "{said}");
    let vkey = forge::vkey("log");
    assert!(auditor.cosigned(&vkey).is_none());
    let running = auditor.start(&["--on-finding", "stop"]);
    let status = running.until("it is withheld", |status| {
        status["withheld"] != Value::Array(vec![])
    });
    assert_eq!(
        (&status["cosigned"], &status["fault"]),
        (&0.into(), &Value::Null)
    );
    let codes: Vec<&str> = status["withheld"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    std::fs::write(auditor.dir().join("accepted"), codes.join("\n")).unwrap();
    running.until("it is cosigned", |status| status["cosigned"] == it.size());
    assert_eq!(running.end("-TERM"), Some(0));
    // Without that a finding is told, and no more.
    let auditor = Auditor::of_forge(&it);
    let running = auditor.start(&[]);
    let status = running.until("it is cosigned", |status| status["cosigned"] == it.size());
    let findings = status["findings"].as_array().unwrap();
    assert!(
        findings
            .iter()
            .any(|it| it["code"] == "award_evidence_repeated"),
        "{status}"
    );
    assert_eq!(running.end("-TERM"), Some(0));
    // Nobody looks for one: no awards are kept, and a replay that has them is another one.
    let auditor = Auditor::of_forge(&it);
    assert_eq!(auditor.once(&["--on-finding", "ignore"]).0, Some(0));
    let rows = auditor
        .dir()
        .join(format!("state-without-awards/{}.awards", auditor.hash));
    let bytes = std::fs::read_dir(rows).unwrap();
    let bytes: u64 = bytes
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert_eq!(bytes, 0);
    it.admit("platform", award(ANN, 1));
    it.cover();
    auditor.show(&it);
    let (code, said) = auditor.once(&["--on-finding", "stop"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("award_evidence_repeated"), "{said}");
    assert_eq!(auditor.cosigned(&vkey).unwrap().head().size, it.size() - 2);
}

#[test]
fn a_note_has_the_root_of_a_state_of_which_the_log_says_nothing() {
    let mut it = honest();
    let mut sizes = Vec::new();
    let auditor = Auditor::of_forge(&it);
    let mut states: std::collections::HashMap<u64, _> = std::collections::HashMap::new();
    for _ in 0..6 {
        for _ in 0..40 {
            it.admit("platform", award(ANN, 1));
            states.insert(it.size(), it.state.roots().unwrap().state_root());
        }
        states.remove(&it.size());
        it.cover();
        auditor.show(&it);
        assert_eq!(auditor.once(&[]).0, Some(0));
        let note = std::fs::read(auditor.file("notes")).unwrap();
        let note = AuditNote::open(&note, &auditor.notes_vkey).unwrap();
        assert_eq!(note.head, it.head(note.head.size));
        if let Some(root) = states.get(&note.head.size) {
            assert_eq!(note.state_root, *root);
            sizes.push(note.head.size);
        }
    }
    // The first round may choose a size before these, and a round may find none that nobody speaks of.
    sizes.dedup();
    assert!(sizes.len() >= 2, "{sizes:?}");
}

#[test]
fn an_audit_compares_another_auditors_note_with_its_own_replay() {
    let mut it = honest();
    it.grow(it.entries.len() + 30);
    it.cover();
    let auditor = Auditor::of_forge(&it);
    assert_eq!(auditor.once(&[]).0, Some(0));
    let (log, log_key) = (auditor.log(), forge::vkey("log").to_string());
    let key = auditor.notes_vkey.to_string();
    let compare = |place: &str, more: &[&str]| {
        let log = log.to_str().unwrap();
        let args = ["audit", log, "--log", &log_key, "--compare-auditor", place];
        let output = run(&[&args[..], &["--auditor-key", &key], more].concat());
        let words = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(words).unwrap())
    };
    // Over HTTP, as its address in a policy may end.
    let running = auditor.start(&[]);
    let (code, words) = compare(&format!("http://{}/", running.address), &[]);
    assert_eq!(code, Some(0), "{words}");
    assert!(
        words.contains("auditor.example/a1 made the same state root"),
        "{words}"
    );
    assert_eq!(running.end("-TERM"), Some(0));

    let file = auditor.temp.path().join("note");
    let place = file.to_str().unwrap();
    let signing = arborlog::crypto::SigningKey::read(&auditor.dir().join("notes.pem")).unwrap();
    let own = std::fs::read(auditor.file("notes")).unwrap();
    let own = AuditNote::open(&own, &auditor.notes_vkey).unwrap();
    let says = |change: &dyn Fn(&mut AuditNote)| {
        let mut note = own.clone();
        change(&mut note);
        std::fs::write(&file, note.sign(auditor.notes_vkey.name(), &signing)).unwrap();
    };
    let spoken_of = it.size() - 1;
    let changes: [NoteChange<'_>; 6] = [
        // A lazy auditor has the log's root, and no state.
        (
            &|note| note.state_root = note.head.root,
            1,
            "did not replay",
        ),
        (&|note| note.head.root = note.state_root, 1, "another log"),
        (&|note| note.rules_version += 1, 3, "version"),
        (&|note| note.head.size += 1000, 3, "compare again"),
        (
            &|note| note.origin = "other.example/log".parse().unwrap(),
            3,
            "other.example/log",
        ),
        (
            &|note| {
                // The root that the log itself says of its last size but one.
                let last = it.entries.last().unwrap();
                let Ok(arborlog::record::Entry::State(said)) =
                    arborlog::record::Entry::decode(last)
                else {
                    panic!("it is a state entry");
                };
                note.head = it.head(spoken_of);
                note.state_root = arborlog::merkle::Hash::from_bytes(said.root);
            },
            3,
            "may be copied",
        ),
    ];
    for (change, expected, said) in changes {
        says(change);
        let (code, words) = compare(place, &[]);
        assert_eq!(code, Some(expected), "{words}");
        assert!(words.contains(said), "{words}");
    }
    says(&|_| {});
    assert_eq!(compare(place, &[]).0, Some(0));
    // An audit that goes on from more did not stand there.
    let state = auditor.temp.path().join("audit.state");
    let state = ["--state", state.to_str().unwrap()];
    assert_eq!(compare(place, &state).0, Some(0));
    let (code, words) = compare(place, &state);
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("without --state"), "{words}");
}

#[test]
fn an_attestation_is_made_from_a_report_and_admitted() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    ledger.set_up(&server.remote());
    let key = ledger.path("auditor.pem");
    run_ok(&["keygen", &key]);
    let signing = arborlog::crypto::SigningKey::read(Path::new(&key)).unwrap();
    let role = arborlog::record::Role::Auditor;
    ledger.grant(&server.remote(), &signing, role, "books");
    let log = ledger.dir.join("log.vkey");
    let (log, report) = (log.to_str().unwrap(), ledger.path("report"));
    run_ok(&["audit", &server.url, "--log", log, "--report", &report]);
    let attest = |more: &[&str]| {
        let args = ["attest", report.as_str(), "--level", "limited", "--opinion"];
        run(&[&args, more].concat())
    };
    let made = attest(&["unmodified", "--report-at", "https://books.example/2026"]);
    assert_eq!(made.status.code(), Some(0));
    let said: Value = serde_json::from_slice(&made.stdout).unwrap();
    let file = |name: &str| std::fs::read(Path::new(&report).join(name)).unwrap();
    for (field, name) in [("report", "report.json"), ("findings", "findings.json")] {
        assert_eq!(said[field], hex::encode(sha2::Sha256::digest(file(name))));
    }
    let input = ledger.path("attestation.ndjson");
    std::fs::write(&input, &made.stdout).unwrap();
    run_ok(&["submit", &input, "--to", &server.url, "--key", &key]);
    // One of a root that this log never had: an audit finds it, and not the true one.
    let mut other = said.clone();
    other["tree_root"] = Value::from("66".repeat(32));
    let false_ones = ledger.path("false.ndjson");
    std::fs::write(&false_ones, format!("{other}\n")).unwrap();
    run_ok(&["submit", &false_ones, "--to", &server.url, "--key", &key]);
    let again = ledger.path("again");
    run_ok(&["audit", &server.url, "--log", log, "--report", &again]);
    let found = std::fs::read(Path::new(&again).join("findings.json")).unwrap();
    let found: Vec<Value> = serde_json::from_slice(&found).unwrap();
    let differs = found.iter().find(|it| it["code"] == "attestation_differs");
    let differs = differs.expect("a false attestation passed an audit");
    assert_eq!(differs["severity"], "high");
    assert_eq!(differs["cases"], 1, "{differs}");
    // Its state root is that of the entries that it speaks of: so much a second replay finds.
    let size = said["size"].as_u64().unwrap();
    let (entries, roots) = {
        let vkey: VerifierKey = std::fs::read_to_string(log).unwrap().parse().unwrap();
        let copy = ledger.path("copy");
        run_ok(&["mirror", &server.url, &copy, "--log", log]);
        assert_eq!(server.stop(), 0);
        let copy = arborlog::audit::Folder::new(Path::new(&copy));
        let mut auditor = arborlog::audit::Auditor::new(vkey).unwrap();
        let claimed = auditor.fetch_checkpoint(&copy).unwrap();
        let mut found = None;
        let threads = arborlog::audit::threads_default();
        auditor
            .advance(
                &copy,
                &claimed,
                threads,
                |_, _| Ok::<_, arborlog::audit::AuditError>(()),
                |replay| {
                    if replay.state().entries() == size {
                        found = Some(replay.state().roots().unwrap().state_root());
                    }
                    Ok(())
                },
            )
            .unwrap();
        (auditor.state().entries(), found.unwrap())
    };
    assert!(entries > size);
    assert_eq!(said["state_root"], hex::encode(roots.as_bytes()));

    // An opinion that is not clean says why; what does not belong together attests nothing.
    assert_eq!(attest(&["qualified"]).status.code(), Some(2));
    assert_eq!(
        attest(&["qualified", "--words", "one plot"]).status.code(),
        Some(0)
    );
    assert_eq!(attest(&["splendid"]).status.code(), Some(2));
    let until = [
        "unmodified",
        "--from",
        "2026-02-01",
        "--until",
        "2026-01-01",
    ];
    assert_eq!(attest(&until).status.code(), Some(2));
    let findings = Path::new(&report).join("findings.json");
    std::fs::write(&findings, "[1]\n").unwrap();
    assert_eq!(attest(&["unmodified"]).status.code(), Some(3));
    std::fs::remove_file(&findings).unwrap();
    assert_eq!(attest(&["unmodified"]).status.code(), Some(4));
}
