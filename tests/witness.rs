//! `arborlog witness` as logs and strangers meet it: the answers that c2sp.org/tlog-witness asks for, one
//! history for each log whatever is sent at once, killed or restarted, and evidence of a second one.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use arborlog::cosign::{AddCheckpoint, REQUEST_BYTES_MAX};
use arborlog::crypto::{MldsaSigningKey, SigningKey};
use arborlog::merkle::{Hash, consistency_ranges, leaf_hash, root_of};
use arborlog::note::{
    Checkpoint, Cosignature, KeyName, SignatureType, TreeHead, UnverifiedCheckpoint, VerifierKey,
    cosign, cosign_mldsa,
};
use support::{Ledger, Server, arborlog, award, run, run_ok};
use tempfile::TempDir;

/// A log of which every tree can be made: its leaf n is n, in one of several histories.
struct TestLog {
    name: KeyName,
    key: SigningKey,
}

impl TestLog {
    fn new() -> Self {
        Self {
            name: "example.org/log".parse().unwrap(),
            key: SigningKey::from_seed(&[9; 32]),
        }
    }

    fn vkey(&self) -> VerifierKey {
        VerifierKey::new(self.name.clone(), SignatureType::Ed25519, self.key.public())
    }

    fn range(history: u8, range: std::ops::Range<u64>) -> Hash {
        root_of(range.map(|leaf| leaf_hash(&[&[history][..], &leaf.to_be_bytes()].concat())))
    }

    fn signed(&self, history: u8, size: u64) -> UnverifiedCheckpoint {
        let root = match size {
            0 => Hash::empty_root(),
            size => Self::range(history, 0..size),
        };
        let signed = Checkpoint::sign(&self.name, TreeHead { size, root }, &self.key);
        UnverifiedCheckpoint::parse(signed.to_string().as_bytes()).unwrap()
    }

    fn request(&self, history: u8, from: u64, to: u64) -> AddCheckpoint {
        let ranges = consistency_ranges(from, to).unwrap_or_default();
        let proof = ranges
            .into_iter()
            .map(|(begin, end)| Self::range(history, begin..end));
        AddCheckpoint {
            old_size: from,
            proof: proof.collect(),
            checkpoint: self.signed(history, to),
        }
    }
}

/// A witness process; killed if the test forgets it.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(dir: &Path) -> Self {
        let mut child = arborlog()
            .env("ARBORLOG_LOG", "error")
            .arg("witness")
            .arg(dir)
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap();
        Self {
            address: address.to_owned(),
            child,
        }
    }

    fn say(&self, request: &[u8]) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }

    fn post(&self, body: &str) -> (u16, String, String) {
        let length = body.len();
        self.say(
            format!("POST /add-checkpoint HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes(),
        )
    }

    fn get(&self, path: &str) -> (u16, String) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: w\r\nconnection: close\r\n\r\n");
        let (status, _, body) = self.say(request.as_bytes());
        (status, body)
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with a witness that watches these logs, and its verifier key.
fn witness(logs: &[VerifierKey]) -> (TempDir, VerifierKey) {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().to_str().unwrap();
    let vkey = run_ok(&["witness", dir, "--init", "witness.example/w1"]);
    let lines: String = logs.iter().map(|log| format!("{log}\n")).collect();
    std::fs::write(temp.path().join("logs"), format!("# logs\n\n{lines}")).unwrap();
    (temp, vkey.trim().parse().unwrap())
}

/// The cosignature of an answer, over the checkpoint that was asked for.
fn cosigned(asked: &AddCheckpoint, log: &VerifierKey, witness: &VerifierKey, line: &str) -> u64 {
    let note = format!("{}{line}", asked.checkpoint.note());
    let checkpoint = Checkpoint::open(note.as_bytes(), log).unwrap();
    Cosignature::verify(&checkpoint, witness).unwrap().seen_at_s
}

#[test]
fn each_request_has_the_answer_of_the_standard() {
    let log = TestLog::new();
    let (temp, vkey) = witness(&[log.vkey()]);
    let running = Running::start(temp.path());
    let first = log.request(1, 0, 5);
    let (status, _, line) = running.post(&first.to_string());
    assert_eq!(status, 200, "{line}");
    assert!(cosigned(&first, &log.vkey(), &vkey, &line) > 1_700_000_000);
    assert_eq!(line.lines().count(), 1);

    let conflict = |request: &AddCheckpoint, size: &str| {
        let (status, head, body) = running.post(&request.to_string());
        assert_eq!((status, body.as_str()), (409, size));
        assert!(head.contains("content-type: text/x.tlog.size"), "{head}");
    };
    conflict(&log.request(1, 0, 9), "5\n");
    conflict(&log.request(1, 4, 9), "5\n");
    conflict(&log.request(1, 6, 9), "5\n");
    // A smaller one than the newest, with a proof that holds.
    conflict(&log.request(1, 0, 3), "5\n");

    let refused = |body: &str, expected: u16| {
        let (status, _, words) = running.post(body);
        assert_eq!(status, expected, "{words}\n{body}");
    };
    let next = log.request(1, 5, 9);
    let changed = |change: &dyn Fn(&mut AddCheckpoint)| {
        let mut request = next.clone();
        change(&mut request);
        request.to_string()
    };
    refused(&changed(&|next| next.proof[0] = Hash::empty_root()), 422);
    refused(&changed(&|next| next.proof.push(Hash::empty_root())), 422);
    refused(
        &changed(&|next| next.proof.truncate(next.proof.len() - 1)),
        422,
    );
    refused(&changed(&|next| next.old_size = 10), 400);
    refused(&changed(&|next| next.checkpoint = log.signed(2, 9)), 422);
    // Not signed, falsely signed, signed by a stranger, of another log.
    let stranger = TestLog {
        key: SigningKey::from_seed(&[8; 32]),
        ..TestLog::new()
    };
    refused(&stranger.request(1, 5, 9).to_string(), 403);
    let text = next.to_string();
    let (body, signature) = text.rsplit_once(' ').unwrap();
    let flipped = if signature.as_bytes()[40] == b'A' {
        "B"
    } else {
        "A"
    };
    let spoiled = format!("{body} {}{flipped}{}", &signature[..40], &signature[41..]);
    refused(&spoiled, 403);
    let other = TestLog {
        name: "example.org/other".parse().unwrap(),
        ..TestLog::new()
    };
    refused(&other.request(1, 5, 9).to_string(), 404);
    refused("", 400);
    refused("old 5\n\n", 400);
    refused(&text.replacen("old 5", "old 05", 1), 400);

    // The same again is cosigned with a fresh time; then what follows.
    let again = AddCheckpoint {
        old_size: 5,
        proof: Vec::new(),
        ..first.clone()
    };
    let (status, _, line) = running.post(&again.to_string());
    assert_eq!(status, 200);
    cosigned(&again, &log.vkey(), &vkey, &line);
    let (status, _, line) = running.post(&text);
    assert_eq!(status, 200);
    cosigned(&next, &log.vkey(), &vkey, &line);

    // Who it is and what it saw can be read.
    let (status, about) = running.get("/");
    assert_eq!(
        (status, about),
        (200, format!("{vkey}\nexample.org/log 9\n"))
    );
    let hash = {
        use sha2::Digest as _;
        hex::encode(sha2::Sha256::digest("example.org/log"))
    };
    let (status, seen) = running.get(&format!("/{hash}/checkpoint"));
    assert_eq!(status, 200);
    let seen = Checkpoint::open(seen.as_bytes(), &log.vkey()).unwrap();
    assert_eq!(seen.head().size, 9);
    Cosignature::verify(&seen, &vkey).unwrap();
    for path in [
        "/x/checkpoint",
        "/..%2fwitness.pem/checkpoint",
        "/witness.pem",
    ] {
        assert_eq!(running.get(path).0, 404, "{path}");
    }
    assert_eq!(running.get("/add-checkpoint").0, 405);
}

#[test]
fn a_log_that_grows_from_nothing_and_one_with_words_of_its_own_are_cosigned() {
    let log = TestLog::new();
    let (temp, vkey) = witness(&[log.vkey()]);
    let running = Running::start(temp.path());
    for (from, to) in [(0, 0), (0, 1), (1, 1), (1, 2), (2, 64), (64, 100)] {
        let request = log.request(1, from, to);
        let (status, _, line) = running.post(&request.to_string());
        assert_eq!(status, 200, "{from} to {to}: {line}");
        cosigned(&request, &log.vkey(), &vkey, &line);
    }
    // The tree of size 0 has one root.
    let (temp, _) = witness(&[log.vkey()]);
    let running = Running::start(temp.path());
    let head = TreeHead {
        size: 0,
        root: Hash::from_bytes([1; 32]),
    };
    let wrong = Checkpoint::sign(&log.name, head, &log.key);
    assert_eq!(running.post(&format!("old 0\n\n{wrong}")).0, 422);

    // Lines behind the root are the log's own matter.
    let text = format!(
        "{}\n7\n{}\nextended by this\n",
        log.name,
        TestLog::range(1, 0..7)
    );
    let line = {
        use base64::Engine as _;
        let mut bytes = log.vkey().id().to_be_bytes().to_vec();
        bytes.extend_from_slice(log.key.sign(text.as_bytes()).as_bytes());
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        format!("— {} {encoded}\n", log.name)
    };
    let (status, _, words) = running.post(&format!("old 0\n\n{text}\n{line}"));
    assert_eq!(status, 200, "{words}");
}

#[test]
fn a_second_history_is_never_cosigned_and_its_checkpoint_is_kept() {
    let log = TestLog::new();
    let (temp, _) = witness(&[log.vkey()]);
    let running = Running::start(temp.path());
    assert_eq!(running.post(&log.request(1, 0, 20).to_string()).0, 200);
    let fork = AddCheckpoint {
        old_size: 20,
        proof: Vec::new(),
        checkpoint: log.signed(2, 20),
    };
    assert_eq!(running.post(&fork.to_string()).0, 422);
    assert_eq!(running.post(&log.request(2, 20, 30).to_string()).0, 422);
    let evidence = temp.path().join("evidence");
    let kept = std::fs::read_dir(&evidence)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let kept = std::fs::read(kept.path()).unwrap();
    let kept = Checkpoint::open(&kept, &log.vkey()).unwrap();
    assert_eq!(kept.head(), fork.checkpoint.head());
    // However often, and however many, the first ones are enough.
    for history in 2..40 {
        let fork = AddCheckpoint {
            checkpoint: log.signed(history, 20),
            ..fork.clone()
        };
        assert_eq!(running.post(&fork.to_string()).0, 422);
    }
    assert_eq!(std::fs::read_dir(&evidence).unwrap().count(), 16);
    // It holds after a kill and in another process.
    running.kill();
    let running = Running::start(temp.path());
    assert_eq!(running.post(&fork.to_string()).0, 422);
    assert_eq!(running.post(&log.request(1, 20, 30).to_string()).0, 200);
}

#[test]
fn of_requests_at_once_one_history_comes_out() {
    let log = TestLog::new();
    let (temp, vkey) = witness(&[log.vkey()]);
    let running = Running::start(temp.path());
    assert_eq!(running.post(&log.request(1, 0, 8).to_string()).0, 200);
    // From 8, each sender with a history of its own that begins alike: eight first leaves are the same.
    let trees: Vec<AddCheckpoint> = (0..16_u8)
        .map(|sender| {
            let leaves = |range: std::ops::Range<u64>| {
                root_of(range.map(|leaf| {
                    let history = if leaf < 8 { 1 } else { 100 + sender };
                    leaf_hash(&[&[history][..], &leaf.to_be_bytes()].concat())
                }))
            };
            let to = 9 + u64::from(sender % 4);
            let head = TreeHead {
                size: to,
                root: leaves(0..to),
            };
            let signed = Checkpoint::sign(&log.name, head, &log.key).to_string();
            let proof = consistency_ranges(8, to).unwrap();
            AddCheckpoint {
                old_size: 8,
                proof: proof
                    .into_iter()
                    .map(|(from, to)| leaves(from..to))
                    .collect(),
                checkpoint: UnverifiedCheckpoint::parse(signed.as_bytes()).unwrap(),
            }
        })
        .collect();
    let admitted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for request in &trees {
            scope.spawn(|| {
                let (status, _, line) = running.post(&request.to_string());
                match status {
                    200 => {
                        cosigned(request, &log.vkey(), &vkey, &line);
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                    409 => {}
                    status => panic!("{status}: {line}"),
                }
            });
        }
    });
    assert_eq!(admitted.load(Ordering::Relaxed), 1);
}

#[test]
fn what_it_saw_outlives_a_kill_at_any_moment() {
    let log = TestLog::new();
    let (temp, vkey) = witness(&[log.vkey()]);
    let mut last = 0;
    for round in 0..12_u64 {
        let running = Running::start(temp.path());
        // What was answered before the kill is known now.
        let told = running.get("/").1;
        let size: u64 = told.trim().rsplit(' ').next().unwrap().parse().unwrap();
        assert!(size >= last, "round {round}: {told}");
        last = size;
        let killer = std::thread::spawn({
            let pid = running.child.id().to_string();
            move || {
                std::thread::sleep(std::time::Duration::from_millis(3 * round));
                let killed = std::process::Command::new("kill")
                    .args(["-KILL", &pid])
                    .status();
                assert!(killed.unwrap().success());
            }
        });
        let address = running.address.clone();
        while let Ok(mut stream) = TcpStream::connect(&address) {
            let request = log.request(1, last, last + 1);
            let body = request.to_string();
            let head = format!(
                "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let mut answer = String::new();
            if stream
                .write_all(format!("{head}{body}").as_bytes())
                .is_err()
                || stream.read_to_string(&mut answer).is_err()
            {
                break;
            }
            let Some((_, line)) = answer.split_once("\r\n\r\n") else {
                break;
            };
            if answer.starts_with("HTTP/1.1 200") && line.ends_with('\n') {
                cosigned(&request, &log.vkey(), &vkey, line);
                last += 1;
            }
        }
        killer.join().unwrap();
        running.kill();
    }
    assert!(last > 0);
}

#[test]
fn a_folder_has_one_witness_and_a_damaged_memory_stops_it() {
    let log = TestLog::new();
    let (temp, _) = witness(&[log.vkey()]);
    let dir = temp.path().to_str().unwrap();
    let running = Running::start(temp.path());
    assert_eq!(running.post(&log.request(1, 0, 4).to_string()).0, 200);
    let ends = |args: &[&str], code: i32, words: &str| {
        let output = run(&[&["witness"], args].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
    };
    ends(&[dir, "--listen", "127.0.0.1:0"], 3, "in use");
    running.kill();
    ends(
        &[dir, "--init", "witness.example/w1"],
        2,
        "a witness already",
    );
    let empty = tempfile::tempdir().unwrap();
    ends(&[empty.path().to_str().unwrap()], 4, "--init");
    // Cut, or of another log: it must not begin anew.
    let seen = std::fs::read_dir(temp.path().join("seen")).unwrap().next();
    let seen = seen.unwrap().unwrap().path();
    let whole = std::fs::read(&seen).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"", b"nothing\n"] {
        std::fs::write(&seen, damaged).unwrap();
        ends(&[dir, "--listen", "127.0.0.1:0"], 1, "is damaged");
    }
    let text = String::from_utf8(whole.clone()).unwrap();
    std::fs::write(&seen, text.replacen("\n4\n", "\n3\n", 1)).unwrap();
    ends(&[dir, "--listen", "127.0.0.1:0"], 1, "is damaged");
    std::fs::write(&seen, whole).unwrap();
    // A line that is no log's key.
    std::fs::write(temp.path().join("logs"), "example.org/log\n").unwrap();
    ends(&[dir, "--listen", "127.0.0.1:0"], 2, "line 1");
}

#[test]
fn a_flood_of_long_bodies_is_cut_and_others_are_answered() {
    let log = TestLog::new();
    let (temp, _) = witness(&[log.vkey()]);
    let running = Running::start(temp.path());
    let long = "x".repeat(REQUEST_BYTES_MAX + 1);
    let (status, ..) = running.post(&long);
    assert_eq!(status, 413);
    // Heads that promise and never bring.
    let stalled: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = TcpStream::connect(&running.address).unwrap();
            let head =
                "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 60000\r\n\r\nold";
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let begun = std::time::Instant::now();
    assert_eq!(running.post(&log.request(1, 0, 3).to_string()).0, 200);
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    drop(stalled);
}

/// A ledger's own checkpoints, with the proofs that its server gives, and a receipt that names the witness.
#[test]
fn a_ledger_is_witnessed_and_its_receipt_says_so() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    ledger.set_up(&remote);
    let log = std::fs::read_to_string(ledger.dir.join("log.vkey")).unwrap();
    let log: VerifierKey = log.trim().parse().unwrap();
    let (temp, vkey) = witness(std::slice::from_ref(&log));
    let running = Running::start(temp.path());
    let mut old_size = 0;
    for round in 0..3_u64 {
        let statements: Vec<_> = (0..50).map(|n| award(n, round * 50 + n)).collect();
        let signed = ledger.sign(&remote, &ledger.platform, &statements);
        remote.append(&signed).unwrap();
        let (_, checkpoint) = support::curl(&format!("{}/checkpoint", server.url));
        let checkpoint = UnverifiedCheckpoint::parse(checkpoint.as_bytes()).unwrap();
        let size = checkpoint.head().size;
        let proof = match old_size {
            0 => Vec::new(),
            from => {
                let path = format!("v1/proofs/consistency?from={from}&to={size}");
                let told: serde_json::Value = remote.json(&path).unwrap();
                let hashes = told["hashes"].as_array().unwrap().iter();
                hashes
                    .map(|hash| hash.as_str().unwrap().parse().unwrap())
                    .collect()
            }
        };
        let request = AddCheckpoint {
            old_size,
            proof,
            checkpoint,
        };
        let (status, _, line) = running.post(&request.to_string());
        assert_eq!(status, 200, "{line}");
        cosigned(&request, &log, &vkey, &line);
        old_size = size;
        // The receipt's checkpoint is that one, and takes the witness's line.
        let receipt = ledger.path("receipt");
        run_ok(&["receipt", "6", "--from", &server.url, "-o", &receipt]);
        let text = std::fs::read_to_string(&receipt).unwrap();
        std::fs::write(&receipt, format!("{text}{line}")).unwrap();
        let (log, vkey) = (log.to_string(), vkey.to_string());
        let verified = run(&["verify", &receipt, "--log", &log, "--witness", &vkey]);
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert_eq!(verified.status.code(), Some(0), "{said}");
        assert!(said.contains("witness.example/w1"), "{said}");
    }
}

#[test]
fn an_mldsa_witness_answers_with_a_line_by_its_key() {
    let log = TestLog::new();
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().to_str().unwrap();
    let vkey = run_ok(&[
        "witness",
        dir,
        "--init",
        "witness.example/pq",
        "--key",
        "mldsa",
    ]);
    let vkey: VerifierKey = vkey.trim().parse().unwrap();
    assert!(vkey.is_mldsa());
    // A log may have such a key too, alone or beside the other.
    let log_mldsa = MldsaSigningKey::from_seed(&[5; 32]);
    let log_vkey = VerifierKey::mldsa(log.name.clone(), log_mldsa.public());
    std::fs::write(
        temp.path().join("logs"),
        format!("{}\n{log_vkey}\n", log.vkey()),
    )
    .unwrap();
    let running = Running::start(temp.path());
    let first = log.request(1, 0, 5);
    let (status, _, line) = running.post(&first.to_string());
    assert_eq!(status, 200, "{line}");
    assert_eq!(line.lines().count(), 1);
    assert!(cosigned(&first, &log.vkey(), &vkey, &line) > 1_700_000_000);
    // Seen, after a kill too.
    running.kill();
    let running = Running::start(temp.path());
    assert_eq!(running.get("/").1, format!("{vkey}\nexample.org/log 5\n"));
    assert_eq!(running.post(&log.request(1, 0, 9).to_string()).0, 409);

    let signed_by = |key: &MldsaSigningKey, size| {
        let head = log.signed(1, size).head();
        let mut signed = Checkpoint::sign(&log.name, head, &log.key);
        signed.also_sign_mldsa(key, 0).unwrap();
        // The line by Ed25519 stands first: without it the other alone is the log's.
        let text = signed.to_string();
        let lines: Vec<&str> = text.lines().collect();
        let alone = [&lines[..4], &lines[5..]].concat().join("\n") + "\n";
        AddCheckpoint {
            checkpoint: UnverifiedCheckpoint::parse(alone.as_bytes()).unwrap(),
            ..log.request(1, 5, size)
        }
    };
    let stranger = MldsaSigningKey::from_seed(&[6; 32]);
    let (status, ..) = running.post(&signed_by(&stranger, 9).to_string());
    assert_eq!(status, 403);
    let request = signed_by(&log_mldsa, 9);
    let (status, _, line) = running.post(&request.to_string());
    assert_eq!(status, 200, "{line}");
    cosigned(&request, &log_vkey, &vkey, &line);

    // The kind is chosen when the key is made.
    let output = run(&["witness", dir, "--key", "mldsa"]);
    assert_eq!(output.status.code(), Some(2));
    let output = run(&["witness", dir, "--init", "w.example", "--key", "rsa"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn each_command_obeys_a_policy_and_names_who_is_missing() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    ledger.set_up(&server.remote());
    let log = std::fs::read_to_string(ledger.dir.join("log.vkey")).unwrap();
    let log: VerifierKey = log.trim().parse().unwrap();
    let mirror = ledger.path("mirror");
    run_ok(&["mirror", &server.url, &mirror, "--log", &log.to_string()]);
    let receipt = ledger.path("receipt");
    run_ok(&["receipt", "1", "--from", &server.url, "-o", &receipt]);
    assert_eq!(server.stop(), 0);

    let (witness, auditor) = (
        SigningKey::from_seed(&[31; 32]),
        MldsaSigningKey::from_seed(&[32; 32]),
    );
    let names: [KeyName; 2] = [
        "ngo.example/w".parse().unwrap(),
        "firm.example/a".parse().unwrap(),
    ];
    let kind = SignatureType::CosignatureV1;
    let witness_key = VerifierKey::new(names[0].clone(), kind, witness.public());
    let auditor_key = VerifierKey::mldsa(names[1].clone(), auditor.public());
    let policy = ledger.path("policy");
    let lines = format!(
        "witness ngo {witness_key}\nwitness audit-firm {auditor_key}\ngroup both all ngo audit-firm\nquorum both\n"
    );
    std::fs::write(&policy, format!("log {log}\n{lines}")).unwrap();

    let mirror = Path::new(&mirror);
    let plain = std::fs::read_to_string(mirror.join("checkpoint")).unwrap();
    let receipt_text = std::fs::read_to_string(&receipt).unwrap();
    // The lines of none, of the witness, of both: of either checkpoint, which may be of two sizes.
    let cosigned = |note: &str, cosigners: u8| {
        let mut checkpoint = Checkpoint::open(note.as_bytes(), &log).unwrap();
        if cosigners > 0 {
            cosign(&mut checkpoint, &names[0], &witness, 1_790_000_000);
        }
        if cosigners > 1 {
            cosign_mldsa(&mut checkpoint, &names[1], &auditor, 0).unwrap();
        }
        checkpoint.to_string()
    };
    // Of the auditor's line the time is 0, and here another.
    let spoil = |note: String| {
        let spoiled = note.replacen("AAAAAAAAA", "AAAAAAAAB", 1);
        assert_ne!(spoiled, note);
        spoiled
    };
    let put = |cosigners: u8, spoiled: bool| {
        let spoil = |note| if spoiled { spoil(note) } else { note };
        let note = spoil(cosigned(&plain, cosigners));
        std::fs::write(mirror.join("checkpoint"), note).unwrap();
        let (proof, note) = receipt_text.split_once("\n\n").unwrap();
        let note = spoil(cosigned(note, cosigners));
        std::fs::write(&receipt, format!("{proof}\n\n{note}")).unwrap();
    };

    let place = mirror.to_str().unwrap();
    let (copy, state) = (ledger.path("copy"), ledger.path("state"));
    let commands = || {
        let on = |args: &[&str]| {
            let mut all: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            all.extend(["--policy".to_owned(), policy.clone()]);
            all
        };
        vec![
            ("verify", on(&["verify", &receipt, "--json"])),
            ("audit", on(&["audit", place, "--json"])),
            ("mirror", on(&["mirror", place, &copy, "--json"])),
            (
                "monitor",
                on(&[
                    "monitor",
                    place,
                    "--state",
                    &state,
                    "--once",
                    "--on-finding",
                    "/bin/true",
                ]),
            ),
        ]
    };
    let expect = |code: i32, words: &[&str]| {
        for (name, args) in commands() {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let output = run(&args);
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            assert_eq!(output.status.code(), Some(code), "{name}: {said}");
            if code != 0 || name != "monitor" {
                for word in words {
                    assert!(said.contains(word), "{name} does not say {word}: {said}");
                }
            }
        }
    };
    put(0, false);
    expect(
        3,
        &[
            "quorum both",
            "ngo (ngo.example/w), audit-firm (firm.example/a)",
        ],
    );
    put(1, false);
    expect(3, &["both has 1 of 2", "missing: audit-firm"]);
    put(2, false);
    expect(
        0,
        &[
            "\"cosigned\"",
            "\"audited\"",
            "ngo.example/w",
            "1790000000",
            "\"auditor\"",
        ],
    );
    // One that names a key of the policy and does not hold is false.
    put(2, true);
    expect(1, &["firm.example/a is false"]);

    // A policy without logs needs the log's key beside it; one of another log is not that log's.
    std::fs::write(&policy, &lines).unwrap();
    put(2, false);
    let log = log.to_string();
    let code = |args: &[&str]| run(&[args, &["--policy", &policy]].concat()).status.code();
    assert_eq!(code(&["audit", place]), Some(2));
    assert_eq!(code(&["audit", place, "--log", &log]), Some(0));
    assert_eq!(code(&["verify", &receipt, "--log", &log]), Some(0));
    assert_eq!(code(&["verify", &receipt]), Some(2));
    let other = VerifierKey::new(names[0].clone(), SignatureType::Ed25519, witness.public());
    std::fs::write(&policy, format!("log {other}\n{lines}")).unwrap();
    assert_eq!(code(&["verify", &receipt]), Some(3));
    assert_eq!(code(&["audit", place]), Some(3));
    std::fs::write(&policy, "quorum nobody\n").unwrap();
    assert_eq!(code(&["verify", &receipt, "--log", &log]), Some(2));
}
