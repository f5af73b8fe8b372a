//! The commands as people use them, with what goes wrong.
#![cfg(feature = "cli")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;
use support::{Ledger, Server, arborlog, award, run, run_ok};

#[test]
fn a_key_is_made_once_read_by_openssl_and_refused_when_others_can_read_it() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("key.pem");
    let path = file.to_str().unwrap();
    let public = run_ok(&["keygen", path]);
    assert_eq!(public.trim().len(), 64);
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = Command::new("openssl")
        .args(["pkey", "-in", path, "-noout", "-text"])
        .output()
        .unwrap();
    assert!(
        text.status.success(),
        "{}",
        String::from_utf8_lossy(&text.stderr)
    );
    assert_eq!(run(&["keygen", path]).status.code(), Some(3));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let dir = temp.path().join("ledger");
    let refused = run(&[
        "init",
        dir.to_str().unwrap(),
        "--origin",
        "a.example/b",
        "--programme",
        "p",
        "--governor",
        path,
    ]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("chmod 600"));
}

#[test]
fn governors_in_different_houses_sign_by_files() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let (one, two, app) = (path("one.pem"), path("two.pem"), path("app.pem"));
    run_ok(&["keygen", &one]);
    let two_public = run_ok(&["keygen", &two]);
    let app_public = run_ok(&["keygen", &app]);
    let dir = path("ledger");
    run_ok(&[
        "init",
        &dir,
        "--origin",
        "a.example/b",
        "--programme",
        "p",
        "--governor",
        &one,
        "--governor",
        two_public.trim(),
    ]);
    // Not yet: the second governor has to sign.
    assert_eq!(
        run(&["serve", &dir, "--listen", "127.0.0.1:0"])
            .status
            .code(),
        Some(3)
    );
    assert_eq!(run(&["init", &dir, "--complete"]).status.code(), Some(1));
    run_ok(&["endorse", &format!("{dir}/genesis.json"), "--key", &two]);
    run_ok(&["init", &dir, "--complete"]);
    let server = Server::start(std::path::Path::new(&dir));
    let proposal = path("grant.json");
    run_ok(&[
        "grant",
        "--grantee",
        app_public.trim(),
        "--role",
        "platform",
        "--holder",
        "app",
        "--name",
        "App",
        "--key",
        &one,
        "--out",
        &proposal,
        "--from",
        &server.url,
    ]);
    let short = run(&["submit", &proposal, "--to", &server.url]);
    assert_eq!(short.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&short.stderr).contains("quorum_short"));
    run_ok(&["endorse", &proposal, "--key", &two]);
    run_ok(&["endorse", &proposal, "--key", &app]);
    assert!(run_ok(&["submit", &proposal, "--to", &server.url]).contains("entry 1"));
    // A proposal that shows other than it signs is not signed.
    let text = std::fs::read_to_string(&proposal)
        .unwrap()
        .replace("\"App\"", "\"Other\"");
    std::fs::write(path("lie.json"), text).unwrap();
    assert_eq!(
        run(&["endorse", &path("lie.json"), "--key", &two])
            .status
            .code(),
        Some(1)
    );
    assert_eq!(server.stop(), 0);
}

#[test]
fn statements_are_submitted_once_and_their_receipts_verify_offline() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    ledger.set_up(&server.remote());
    let mut lines = String::new();
    for n in 0..2_500 {
        lines.push_str(&serde_json::to_string(&award(n, n)).unwrap());
        lines.push('\n');
    }
    let (input, key) = (ledger.path("awards.ndjson"), ledger.path("platform.pem"));
    std::fs::write(&input, &lines).unwrap();
    let submit = [
        "submit",
        &input,
        "--to",
        &server.url,
        "--key",
        &key,
        "--json",
    ];
    let first: Value = serde_json::from_str(&run_ok(&submit)).unwrap();
    assert_eq!(
        (&first["admitted"], &first["already_in"], &first["refused"]),
        (&2500.into(), &0.into(), &0.into())
    );
    let again: Value = serde_json::from_str(&run_ok(&submit)).unwrap();
    assert_eq!(
        (&again["admitted"], &again["already_in"], &again["refused"]),
        (&0.into(), &2500.into(), &0.into())
    );
    let indexes = |told: &Value| -> Vec<Value> {
        let lines = told["lines"].as_array().unwrap().iter();
        lines.map(|line| line["index"].clone()).collect()
    };
    assert_eq!(indexes(&first), indexes(&again));
    assert!(indexes(&first).iter().all(Value::is_u64));
    let totals: Value = server.remote().json("v1/totals").unwrap();
    assert_eq!(totals["entries"], 2505);
    // A file without a statement is the wrong file.
    std::fs::write(ledger.path("bad.ndjson"), "{\"kind\":\"award\"}\n").unwrap();
    let bad = run(&[
        "submit",
        &ledger.path("bad.ndjson"),
        "--to",
        &server.url,
        "--key",
        &key,
    ]);
    assert_eq!(bad.status.code(), Some(2));

    let receipt = ledger.path("receipt.tlog-proof");
    run_ok(&["receipt", "--from", &server.url, "42", "-o", &receipt]);
    assert_eq!(server.stop(), 0);
    let vkey = ledger.dir.join("log.vkey");
    let vkey = vkey.to_str().unwrap();
    let words = run_ok(&["verify", &receipt, "--log", vkey]);
    assert!(
        words.contains("VERIFIED") && words.contains("Not proven"),
        "{words}"
    );
    let json: Value =
        serde_json::from_str(&run_ok(&["verify", &receipt, "--log", vkey, "--json"])).unwrap();
    assert_eq!(json["verified"], true);
    let genesis = json["genesis"].as_str().unwrap();
    run_ok(&["verify", &receipt, "--log", vkey, "--genesis", genesis]);
    let other = "0".repeat(64);
    assert_eq!(
        run(&["verify", &receipt, "--log", vkey, "--genesis", &other])
            .status
            .code(),
        Some(1)
    );
    assert_eq!(
        run(&["verify", &receipt, "--log", "nonsense"])
            .status
            .code(),
        Some(2)
    );
    // A cut file proves nothing, and what is no receipt is none; another index is a lie.
    let text = std::fs::read_to_string(&receipt).unwrap();
    for cut in [1, text.len() / 2, text.len() - 3] {
        std::fs::write(ledger.path("cut"), &text[..text.floor_char_boundary(cut)]).unwrap();
        assert_eq!(
            run(&["verify", &ledger.path("cut"), "--log", vkey])
                .status
                .code(),
            Some(3)
        );
    }
    let verdict = |given: &[u8], args: &[&str]| {
        let given_path = ledger.path("given");
        std::fs::write(&given_path, given).unwrap();
        let output = run(&[&["verify", &given_path, "--log", vkey, "--json"], args].concat());
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), json["code"].clone(), words)
    };
    let moved = text.replace("index 42", "index 43");
    let (code, what, words) = verdict(moved.as_bytes(), &[]);
    assert_eq!((code, what), (1, "not_included".into()), "{words}");
    let (code, what, words) = verdict(text.replace('\n', "\r\n").as_bytes(), &[]);
    assert_eq!((code, what), (3, "file_crlf".into()), "{words}");
    assert!(words.contains("CRLF line ends"), "{words}");
    let (code, what, words) = verdict(b"<!doctype html><title>Not Found</title>", &[]);
    assert_eq!((code, what), (4, "not_a_receipt".into()), "{words}");
    assert!(words.contains("<!doctype html>"), "{words}");
    let witness = include_str!("golden/note/witness.vkey");
    let (code, what, words) = verdict(text.as_bytes(), &["--witness", witness]);
    assert_eq!((code, what), (3, "witness_missing".into()), "{words}");
    // Nothing endless is read, and a folder is no file.
    assert_eq!(
        run(&["verify", "/dev/zero", "--log", vkey]).status.code(),
        Some(4)
    );
    assert_eq!(run(&["verify", "/", "--log", vkey]).status.code(), Some(3));
}

#[test]
fn fsck_finds_a_flipped_byte_anywhere_and_names_the_file() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    ledger.set_up(&remote);
    let statements: Vec<_> = (0..1_000).map(|n| award(n, n)).collect();
    remote
        .append(&ledger.sign(&remote, &ledger.platform, &statements))
        .unwrap();
    assert_eq!(server.stop(), 0);
    let dir = ledger.dir.to_str().unwrap();
    run_ok(&["fsck", dir]);
    for file in ["public/tile/0/001", "public/tile/entries/002"] {
        let path = ledger.dir.join(file);
        let whole = std::fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damaged[whole.len() / 3] ^= 4;
        std::fs::write(&path, &damaged).unwrap();
        let found = run(&["fsck", dir]);
        assert_eq!(found.status.code(), Some(1), "{file}");
        std::fs::write(&path, &whole).unwrap();
    }
    run_ok(&["fsck", dir]);
}

#[test]
fn a_save_of_the_state_that_was_cut_off_leaves_the_one_before() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    ledger.set_up(&remote);
    let statements: Vec<_> = (0..600).map(|n| award(n, n)).collect();
    let signed = ledger.sign(&remote, &ledger.platform, &statements);
    remote.append(&signed).unwrap();
    assert_eq!(server.stop(), 0);
    let dir = ledger.dir.to_str().unwrap();
    let whole = run_ok(&["fsck", dir]);
    assert!(whole.contains("the state saved at 605 entries is what they make"));

    // Buckets that a later save wrote before it was cut off: one anew, one that is not there yet.
    let open = || sled::open(ledger.dir.join("state")).unwrap();
    let later: Vec<Vec<u8>> = {
        let saved = open();
        let keys = saved.iter().keys().map(|key| key.unwrap().to_vec());
        let mut of_buckets = keys.filter(|key| key != b"meta");
        let mut anew = of_buckets.next().unwrap();
        let save = anew.len() - 12..anew.len() - 4;
        let number = u64::from_be_bytes(anew[save.clone()].try_into().unwrap());
        anew[save].copy_from_slice(&(number + 1).to_be_bytes());
        let mut other = anew.clone();
        other[1] ^= 0x55;
        for key in [&anew, &other] {
            saved.insert(key, b"not a bucket").unwrap();
        }
        saved.flush().unwrap();
        vec![anew, other]
    };
    assert_eq!(run_ok(&["fsck", dir]), whole);
    {
        let saved = open();
        for key in &later {
            assert!(saved.get(key).unwrap().is_none(), "it is taken out");
        }
        // Damage to a bucket of the save that is whole is found.
        let mut all = saved.iter().map(|item| item.unwrap());
        let (key, value) = all.find(|(key, _)| key.len() > 40).unwrap();
        let mut bytes = value.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        saved.insert(key, bytes).unwrap();
        saved.flush().unwrap();
    }
    let damaged = run(&["fsck", dir]);
    assert_eq!(damaged.status.code(), Some(1));
    let said = String::from_utf8_lossy(&damaged.stderr).into_owned();
    assert!(said.contains("the saved state"), "{said}");
    // A start makes it anew, and a clean stop saves it.
    assert_eq!(Server::start(&ledger.dir).stop(), 0);
    assert_eq!(run_ok(&["fsck", dir]), whole);
}

#[test]
fn every_command_teaches_its_use() {
    for command in [
        "demo",
        "keygen",
        "init",
        "serve",
        "grant",
        "revoke",
        "method",
        "governors",
        "log-key",
        "propose",
        "endorse",
        "submit",
        "import",
        "receipt",
        "verify",
        "audit",
        "mirror",
        "monitor",
        "fsck",
        "bench",
    ] {
        let help = run_ok(&[command, "--help"]);
        assert!(help.len() > 150, "{command}: {help}");
    }
    assert_eq!(arborlog().output().unwrap().status.code(), Some(2));
    assert_eq!(run(&["fsck", "/nonexistent"]).status.code(), Some(3));
}

#[test]
fn a_short_benchmark_says_what_was_measured() {
    let temp = tempfile::tempdir().unwrap();
    let chart = temp.path().join("chart.svg");
    let answer = run_ok(&[
        "bench",
        "--seconds",
        "5",
        "--records",
        "3000",
        "--batch",
        "100",
        "--issuers",
        "3",
        "--accounts",
        "500",
        "--json",
        "--chart",
        chart.to_str().unwrap(),
        "--dir",
        temp.path().to_str().unwrap(),
    ]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert!(answer["records"].as_u64().unwrap() >= 3000, "{answer}");
    for key in [
        "records_per_second",
        "verify_only_per_second",
        "strict_only_per_second",
        "raw_append_per_second",
        "empty_handler_per_second",
        "p50_ms",
        "p99_ms",
        "disk_bytes",
        "entry_bytes",
        "rss_bytes",
        "accounts",
        "proofs_per_second",
        "tiles_per_second",
        "bundles_per_second",
        "restart_seconds",
        "audit_per_second",
    ] {
        assert!(answer[key].as_f64().unwrap() > 0.0, "{key}: {answer}");
    }
    assert!(std::fs::read_to_string(chart).unwrap().starts_with("<svg"));
    // The ledger is gone; only the chart stays.
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 1);
}
