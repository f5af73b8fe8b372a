//! A server does not sign below what was signed before: `--at-least`, and `--last-signed` whatever
//! step a crash comes after. And it admits nothing by a clock that is wrong.
#![cfg(feature = "cli")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use arborlog::client::{BatchAnswer, Remote, today};
use arborlog::crypto::SigningKey;
use arborlog::durable::{create, make_folders};
use arborlog::ledger::{Candidate, State};
use arborlog::merkle::{Bundle, Frontier, leaf_hash};
use arborlog::note::TreeHead;
use arborlog::record::*;
use arborlog::store::{Batch, CommitOutcome, DiskStore};
use support::auditor::{Told, audit_copy, entries};
use support::{
    Ledger, ORIGIN, Server, arborlog, award, copy_dir, curl, method, program, run_ok, sign_from,
};

/// Sends awards one by one; gives those that were acknowledged.
fn append(ledger: &Ledger, remote: &Remote, events: std::ops::Range<u64>) -> Told {
    let mut told = Told::default();
    for event in events {
        let records = ledger.sign(remote, &ledger.platform, &[award(1, event)]);
        if let Ok(BatchAnswer::Admitted(indexes)) = remote.append(&records) {
            told.records.insert(indexes[0], records[0].bytes().to_vec());
        }
    }
    told
}

/// A start that is refused.
fn refused(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new("timeout");
    let Output { status, stderr, .. } = command
        .args(["30", &program(), "serve", dir.to_str().unwrap()])
        .args(["--listen", "127.0.0.1:0"])
        .args(arguments)
        .env("ARBORLOG_LOG", "error")
        .output()
        .unwrap();
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

/// A file with the checkpoint that a server shows now.
fn checkpoint_to(server: &Server, path: &Path) -> String {
    let (status, text) = curl(&format!("{}/checkpoint", server.url));
    assert_eq!(status, 200);
    std::fs::write(path, &text).unwrap();
    text
}

#[test]
fn an_older_copy_or_another_history_is_not_served_at_least_a_checkpoint() {
    let ledger = Ledger::ready();
    let copy = ledger.temp.path().join("copy");
    copy_dir(&ledger.dir, &copy);
    let (file, early) = (ledger.path("checkpoint"), ledger.path("early"));
    let server = Server::start(&ledger.dir);
    checkpoint_to(&server, Path::new(&early));
    append(&ledger, &server.remote(), 0..3);
    let newest = checkpoint_to(&server, Path::new(&file));
    assert_eq!(server.stop(), 0);

    // The log itself extends what it signed.
    for file in [&file, &early] {
        let server = Server::start_with(&ledger.dir, &["--at-least", file]);
        assert_eq!(curl(&format!("{}/checkpoint", server.url)).1, newest);
        assert_eq!(server.stop(), 0);
    }
    // An older copy does not; both trees are named.
    let before = entries(&copy);
    let (code, words) = refused(&copy, &["--at-least", &file]);
    assert_eq!(code, Some(1), "{words}");
    let (head, copied) = (entries(&ledger.dir).0, before.0);
    for named in [head, copied] {
        assert!(words.contains(&named.size.to_string()), "{words}");
        assert!(words.contains(&named.root.to_string()), "{words}");
    }
    assert!(words.contains("--repair-from"), "{words}");
    assert!(entries(&copy) == before);
    // Served all the same, it makes another history.
    let server = Server::start(&copy);
    append(&ledger, &server.remote(), 100..103);
    assert_eq!(server.stop(), 0);
    let (code, words) = refused(&copy, &["--at-least", &file]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("two histories"), "{words}");
    assert!(
        !words.contains("no key that this directory knows"),
        "{words}"
    );
    // What is no checkpoint of this log says nothing of it.
    std::fs::write(&early, "no checkpoint").unwrap();
    let (code, words) = refused(&ledger.dir, &["--at-least", &early]);
    assert_eq!(code, Some(4), "{words}");
    std::fs::write(&early, newest.replace(ORIGIN, "other.example/log")).unwrap();
    let (code, words) = refused(&ledger.dir, &["--at-least", &early]);
    assert_eq!(code, Some(4), "{words}");
    let (code, words) = refused(&ledger.dir, &["--at-least", &ledger.path("nothing")]);
    assert_eq!(code, Some(3), "{words}");
}

/// The newest checkpoint is kept elsewhere: an old copy of the directory is not served, unasked.
#[test]
fn an_older_copy_is_not_served_below_what_was_signed_last() {
    let ledger = Ledger::ready();
    let elsewhere = ledger.temp.path().join("elsewhere");
    let file = elsewhere.join("last-signed");
    let arguments = ["--last-signed", file.to_str().unwrap()];
    // Its folder is never made: the disk may not be mounted.
    let (code, words) = refused(&ledger.dir, &arguments);
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("is its disk mounted"), "{words}");
    std::fs::create_dir(&elsewhere).unwrap();

    let server = Server::start_with(&ledger.dir, &arguments);
    append(&ledger, &server.remote(), 0..2);
    assert_eq!(server.stop(), 0);
    let copy = ledger.temp.path().join("copy");
    copy_dir(&ledger.dir, &copy);
    let server = Server::start_with(&ledger.dir, &arguments);
    let remote = server.remote();
    for event in 10..13 {
        append(&ledger, &remote, event..event + 1);
        let shown = curl(&format!("{}/checkpoint", server.url)).1;
        assert_eq!(std::fs::read_to_string(&file).unwrap(), shown);
    }
    // Nobody else keeps a checkpoint there meanwhile.
    let (code, words) = refused(&copy, &arguments);
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("another server"), "{words}");
    server.kill();

    let (code, words) = refused(&copy, &arguments);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("older copy"), "{words}");
    // The killed one itself continues.
    let server = Server::start_with(&ledger.dir, &arguments);
    let told = append(&ledger, &server.remote(), 20..22);
    assert_eq!((told.records.len(), server.stop()), (2, 0));
}

/// docs/operations.md, "The machine died": what rarely changes is in a backup, the rest in a mirror.
#[test]
fn a_ledger_is_rebuilt_from_its_five_files_and_a_mirror() {
    let ledger = Ledger::ready();
    let elsewhere = ledger.temp.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let last = elsewhere.join("last-signed");
    let last = last.to_str().unwrap();
    let mirror = ledger.path("mirror");
    let server = Server::start_with(&ledger.dir, &["--last-signed", last]);
    for from in [0, 300] {
        let awards: Vec<Statement> = (from..from + 300).map(|n| award(n % 9, n)).collect();
        let records = ledger.sign(&server.remote(), &ledger.platform, &awards);
        server.remote().append(&records).unwrap();
        let vkey = ledger.dir.join("log.vkey");
        let vkey = vkey.to_str().unwrap();
        let mirrored = if from == 0 {
            &ledger.path("behind")
        } else {
            &mirror
        };
        run_ok(&["mirror", &server.url, mirrored, "--log", vkey]);
    }
    server.kill();
    let whole = entries(&ledger.dir);
    for (from, code) in [(ledger.path("behind"), Some(1)), (mirror.clone(), None)] {
        let rebuilt = ledger.temp.path().join("rebuilt");
        std::fs::create_dir(&rebuilt).unwrap();
        copy_dir(&ledger.dir.join("keys"), &rebuilt.join("keys"));
        for name in ["origin", "VERSION", "log.vkey", "genesis.json"] {
            std::fs::copy(ledger.dir.join(name), rebuilt.join(name)).unwrap();
        }
        let dir = rebuilt.to_str().unwrap();
        run_ok(&["fsck", dir, "--repair-from", &from]);
        let at_least = format!("{mirror}/checkpoint");
        for arguments in [["--last-signed", last], ["--at-least", &at_least]] {
            if code.is_some() {
                let (refused_with, words) = refused(&rebuilt, &arguments);
                assert_eq!(refused_with, code, "{words}");
                assert!(words.contains("older copy"), "{words}");
            } else {
                let server = Server::start_with(&rebuilt, &arguments);
                assert_eq!(server.stop(), 0);
            }
        }
        if code.is_none() {
            assert!(entries(&rebuilt) == whole);
        }
        std::fs::remove_dir_all(&rebuilt).unwrap();
    }
}

/// What the file must hold can't be written, or somebody else changed it: nothing is published or
/// answered, and the log says why.
#[test]
fn nothing_is_published_before_it_is_kept() {
    let ledger = Ledger::ready();
    for hinder in ["changed", "in the way"] {
        let elsewhere = ledger.temp.path().join(hinder);
        std::fs::create_dir(&elsewhere).unwrap();
        let file = elsewhere.join("last-signed");
        let arguments = ["--last-signed", file.to_str().unwrap()];
        let server = Server::start_with(&ledger.dir, &arguments);
        let before = curl(&format!("{}/checkpoint", server.url)).1;
        if hinder == "changed" {
            std::fs::write(&file, "by another server").unwrap();
        } else {
            std::fs::remove_file(&file).unwrap();
            std::fs::create_dir(&file).unwrap();
        }
        let remote = Remote::new(&server.url).retrying_for(Duration::ZERO);
        let told = append(&ledger, &remote, 0..1);
        assert!(told.records.is_empty(), "{hinder}");
        let (status, why) = curl(&format!("{}/readyz", server.url));
        assert_eq!(status, 503);
        assert!(why.contains("last-signed"), "{why}");
        assert_eq!(curl(&format!("{}/checkpoint", server.url)).1, before);
        assert_eq!(server.stop(), 3);
        // Mended by hand, the log has the entry that nobody was told of.
        let _ = std::fs::remove_dir(&file);
        std::fs::write(&file, &before).unwrap();
        let server = Server::start_with(&ledger.dir, &arguments);
        assert_ne!(curl(&format!("{}/checkpoint", server.url)).1, before);
        assert_eq!(server.stop(), 0);
    }
    audit_copy(&ledger.dir, &Told::default());
}

/// kill -9 at each system call between a commit and its answer: the next start is never refused.
#[test]
fn no_crash_on_the_way_locks_the_operator_out() {
    let ledger = Ledger::ready();
    let elsewhere = ledger.temp.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let file = elsewhere.join("last-signed");
    let arguments = ["--last-signed", file.to_str().unwrap()];
    let mut told = Told::default();
    let (mut killed, mut event) = (0, 0);
    // Of these the folder of the file has its own: creation, write, sync, rename, sync.
    for call in ["fdatasync", "fsync", "rename,renameat,renameat2", "openat"] {
        let paths = [elsewhere.clone(), file.clone(), temporary(&file)];
        for when in 1..=4 {
            let trace = ledger.path("trace");
            let (only, inject) = (
                format!("trace={call}"),
                format!("inject={call}:signal=KILL:when={when}"),
            );
            let mut strace = vec!["-f", "-qq", "-o", &trace, "-e", &only, "-e", &inject];
            if call != "fdatasync" {
                for path in &paths {
                    strace.extend(["-P", path.to_str().unwrap()]);
                }
            }
            if let Some(server) = Server::try_start_under(&strace, &ledger.dir, &arguments) {
                let remote = Remote::new(&server.url).retrying_for(Duration::ZERO);
                told.add(&append_quietly(&ledger, &remote, event..event + 5));
                event += 5;
                ended(server);
            }
            let calls = std::fs::read_to_string(&trace).unwrap_or_default();
            killed += u32::from(calls.contains("SIGKILL"));
            let server = Server::start_with(&ledger.dir, &arguments);
            let shown = curl(&format!("{}/checkpoint", server.url)).1;
            assert_eq!(std::fs::read_to_string(&file).unwrap(), shown);
            assert_eq!(server.stop(), 0, "{call}, time {when}");
        }
    }
    assert!(killed >= 8, "only {killed} were killed on the way");
    audit_copy(&ledger.dir, &told);
}

/// Kills a traced server, if it is still there, and waits until it is gone.
fn ended(mut server: Server) {
    if server.child.try_wait().unwrap().is_none() {
        // It may end at this moment by itself.
        let pid = server.pid().to_string();
        let _ = Command::new("kill").args(["-KILL", &pid]).status();
        server.child.wait().unwrap();
    }
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".arborlog.tmp");
    name.into()
}

/// As [`append`], until the server is gone.
fn append_quietly(ledger: &Ledger, remote: &Remote, events: std::ops::Range<u64>) -> Told {
    let mut told = Told::default();
    for event in events {
        let Ok(head) = remote.issuer(&ledger.platform.public()) else {
            break;
        };
        let context = ledger.context();
        let key = &ledger.platform;
        let records = sign_from(&context, key, head.next_seq, head.prev, &[award(1, event)]);
        let Ok(BatchAnswer::Admitted(indexes)) = remote.append(&records) else {
            break;
        };
        told.records.insert(indexes[0], records[0].bytes().to_vec());
    }
    told
}

const DAY_MS: u64 = 86_400_000;

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_millis() as u64
}

/// A ledger whose genesis was admitted at a time; with its governor and the genesis id.
fn ledger_begun_at(dir: &Path, admitted_at: TimeMs) -> (SigningKey, RecordId) {
    let (governor, log_key) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    let origin: Origin = ORIGIN.parse().unwrap();
    let context = SigningContext::new(&origin);
    make_folders(&dir.join("keys")).unwrap();
    log_key.write_new(&dir.join("keys/log.pem")).unwrap();
    create(&dir.join("origin"), format!("{origin}\n").as_bytes()).unwrap();
    DiskStore::create(dir).unwrap();
    let record = Record {
        issuer: governor.public(),
        seq: Seq(0),
        prev: RecordId::NONE,
        issued_on: Day::of(admitted_at).min(today()),
        statement: Statement::Genesis(Genesis {
            format: FormatVersion::CURRENT,
            origin: origin.clone(),
            programme: "a test".parse().unwrap(),
            governors: List::try_from(vec![governor.public()]).unwrap(),
            quorum: 1,
            log_key: log_key.public(),
            mldsa_key: None,
        }),
    };
    let (signed, id) = draft(&record, &context, &governor).unwrap();
    let signed = signed.endorse(&context, &log_key).unwrap();
    let candidate = Candidate::signed(&signed, id, admitted_at, None);
    let lineage = State::empty(origin).judge(&candidate).unwrap();
    let entry = SignedEntry {
        admitted_at,
        lineage,
        signed,
    };
    let entry = entry.encode().unwrap();
    let (mut tree, mut entries) = (Frontier::default(), Vec::new());
    tree.push(leaf_hash(&entry));
    Bundle::append(&mut entries, &entry).unwrap();
    let batch = Batch {
        from: LogHead::empty(),
        entries,
        to: LogHead::without_state(TreeHead::of(&tree)),
    };
    let outcome = DiskStore::open(dir).unwrap().commit_now(&batch);
    assert!(matches!(outcome, CommitOutcome::Committed));
    (governor, id)
}

/// 40 days ahead, one commit would have every later record refused for ten days. Readiness, the
/// metric and a POST say the same.
#[test]
fn by_a_clock_that_is_wrong_at_the_start_nothing_is_admitted_and_readiness_says_so() {
    let temp = tempfile::tempdir().unwrap();
    for (name, last_ms, words) in [
        (
            "ahead",
            now_ms() - 40 * DAY_MS,
            "ahead of the last admission",
        ),
        (
            "behind",
            now_ms() + DAY_MS / 12,
            "behind the last admission",
        ),
    ] {
        let dir = temp.path().join(name);
        let (governor, id) = ledger_begun_at(&dir, TimeMs(last_ms));
        let context = SigningContext::new(&ORIGIN.parse().unwrap());
        let statements = [Statement::Method(method())];
        let records = sign_from(&context, &governor, Seq(1), id, &statements);
        let log = temp.path().join(format!("{name}.log"));
        let mut command = arborlog();
        command.stderr(std::fs::File::create(&log).unwrap());
        let server = Server::logging(command, &dir, &[]);
        let remote = Remote::new(&server.url).retrying_for(Duration::ZERO);
        let refused = remote.append(&records).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
        let (status, why) = curl(&format!("{}/readyz", server.url));
        assert!(status == 503 && why.contains(words), "{status} {why}");
        let metrics = curl(&format!("{}/metrics", server.url)).1;
        assert!(metrics.contains("arborlog_ready 0"), "{metrics}");
        assert_eq!(curl(&format!("{}/checkpoint", server.url)).0, 200);
        assert_eq!(server.stop(), 0);
        let said = std::fs::read_to_string(&log).unwrap();
        assert!(said.contains(words) && said.contains("ERROR"), "{said}");

        let server = Server::start_with(&dir, &["--accept-clock"]);
        assert_eq!(curl(&format!("{}/readyz", server.url)).0, 200);
        server.remote().append(&records).unwrap();
        let metrics = curl(&format!("{}/metrics", server.url)).1;
        assert!(metrics.contains("arborlog_ready 1"), "{metrics}");
        assert_eq!(server.stop(), 0);
        assert_eq!(entries(&dir).0.size, 2);
    }
}
