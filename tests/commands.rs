//! The commands as people use them, with what goes wrong.
#![cfg(feature = "cli")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use arborlog::client::BatchAnswer;
use arborlog::crypto::SigningKey;
use arborlog::record::{GovernorSet, Grams, Index, Role, Statement, Transfer, TransferReason};
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
    // With a seal for each thousand.
    assert_eq!(totals["entries"], 2508);
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
    // An older receipt is replaced whole: who has it open still reads the older one.
    std::fs::write(&receipt, "an older one").unwrap();
    let mut open = std::fs::File::open(&receipt).unwrap();
    run_ok(&["receipt", "--from", &server.url, "42", "-o", &receipt]);
    let mut older = String::new();
    std::io::Read::read_to_string(&mut open, &mut older).unwrap();
    assert_eq!(older, "an older one");
    // A link stays one, and what it leads to is written.
    let link = ledger.path("link.tlog-proof");
    std::os::unix::fs::symlink(&receipt, &link).unwrap();
    run_ok(&["receipt", "--from", &server.url, "42", "-o", &link]);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
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

/// A reader may close the pipe, and a disk may be full: nothing panics.
#[test]
fn an_answer_that_nobody_reads_or_that_can_t_be_written_ends_quietly() {
    let ledger = Ledger::init();
    let (dir, full) = (ledger.dir.to_str().unwrap(), || {
        std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    });
    let commands = [
        vec!["fsck", dir],
        vec!["fsck", dir, "--json"],
        vec!["vkey", dir],
        vec!["key", "governor-1.pem"],
    ];
    for args in &commands {
        let command = || {
            let mut command = arborlog();
            command.args(args).current_dir(ledger.path(""));
            command.stderr(Stdio::piped());
            command
        };
        let mut child = command().stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let closed = child.wait_with_output().unwrap();
        let words = String::from_utf8_lossy(&closed.stderr).into_owned();
        assert_eq!(closed.status.code(), Some(0), "{args:?}: {words}");
        assert!(!words.contains("panicked"), "{args:?}: {words}");
        let written = command().stdout(full()).output().unwrap();
        let words = String::from_utf8_lossy(&written.stderr).into_owned();
        assert_eq!(written.status.code(), Some(3), "{args:?}: {words}");
        assert!(words.contains("No space left"), "{args:?}: {words}");
    }
    // What was found is told by the exit code all the same, and nothing panics for its words.
    let mut lost = arborlog();
    lost.args(["audit", "/nonexistent", "--log", "log.vkey"]);
    lost.current_dir(&ledger.dir).stdout(full()).stderr(full());
    assert_eq!(lost.status().unwrap().code(), Some(3));
}

#[test]
fn the_keys_in_force_are_printed_with_what_vouches_for_them() {
    let ledger = Ledger::init();
    let made = run_ok(&["keygen", &ledger.path("new.pem")]);
    assert_eq!(run_ok(&["key", &ledger.path("new.pem")]), made);
    let dir = ledger.dir.to_str().unwrap();
    let log = std::fs::read_to_string(ledger.dir.join("log.vkey")).unwrap();
    let log = log.trim();
    assert_eq!(run_ok(&["vkey", dir]).trim(), log);

    let server = Server::start(&ledger.dir);
    ledger.set_up(&server.remote());
    // The governors name the next key, whose file is in its place.
    let next = run_ok(&[
        "keygen",
        ledger.dir.join("keys/log-2.pem").to_str().unwrap(),
    ]);
    let proposal = ledger.path("log-key.json");
    let governor = ledger.path("governor-1.pem");
    run_ok(&[
        "log-key",
        "--next",
        next.trim(),
        "--key",
        &governor,
        "--out",
        &proposal,
        "--from",
        &server.url,
    ]);
    let next_file = ledger.dir.join("keys/log-2.pem");
    for key in [next_file.to_str().unwrap(), &ledger.path("governor-2.pem")] {
        run_ok(&["endorse", &proposal, "--key", key]);
    }
    run_ok(&["submit", &proposal, "--to", &server.url]);

    // From the key that was replaced to the one in force, proven.
    let proven = run(&["vkey", &server.url, "--log", log, "--json"]);
    let proven: Value = serde_json::from_slice(&proven.stdout).unwrap();
    let in_force = proven["vkey"].as_str().unwrap();
    assert_eq!(proven["proven"], true);
    assert_ne!(in_force, log);
    // By the server's own word, which says that it is no more.
    let told = run(&["vkey", &server.url]);
    assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), in_force);
    assert!(String::from_utf8_lossy(&told.stderr).starts_with("not proven"));
    let mirror = ledger.path("mirror");
    run_ok(&["mirror", &server.url, &mirror, "--log", log]);
    assert_eq!(run_ok(&["vkey", &mirror]).trim(), in_force);
    assert_eq!(server.stop(), 0);
    assert_eq!(run_ok(&["vkey", dir]).trim(), in_force);
    assert_eq!(run(&["vkey", &ledger.path("")]).status.code(), Some(4));
}

/// What takes points back from another holder's account goes to that holder for its signature, as a
/// proposal goes from governor to governor.
#[test]
fn a_holder_agrees_to_give_points_back() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    ledger.set_up(&remote);
    let other = SigningKey::from_seed(&[77; 32]);
    ledger.grant(&remote, &other, Role::Platform, "other");
    other
        .write_new(Path::new(&ledger.path("other.pem")))
        .unwrap();
    let append = |key: &SigningKey, statement: Statement| {
        let records = ledger.sign(&remote, key, &[statement]);
        let BatchAnswer::Admitted(indexes) = remote.append(&records).unwrap() else {
            panic!("refused");
        };
        indexes[0]
    };
    let account = |number| match award(number, number) {
        Statement::Award(award) => award.account,
        _ => unreachable!(),
    };
    append(&other, award(500, 500));
    append(&ledger.platform, award(1, 1));
    let sent = append(
        &ledger.platform,
        Statement::Transfer(Transfer {
            from: account(1),
            to: Some(account(500)),
            points: Grams(1),
            reason: TransferReason::Gift,
        }),
    );
    let path = |name: &str| ledger.path(name);
    let void = serde_json::json!({
        "kind": "correction", "target": sent, "reason": "sent to the wrong one", "remedy": "void",
    });
    std::fs::write(path("void.json"), void.to_string()).unwrap();
    let propose = |out: &str| {
        run_ok(&[
            "propose",
            &path("void.json"),
            "--key",
            &path("platform.pem"),
            "--out",
            &path(out),
            "--from",
            &server.url,
        ]);
    };
    propose("unasked");
    let sent = run(&["submit", &path("unasked"), "--to", &server.url]);
    let told = String::from_utf8_lossy(&sent.stderr).into_owned();
    assert_eq!(sent.status.code(), Some(5), "{told}");
    assert!(told.contains("consent_missing"), "{told}");
    propose("asked");
    run_ok(&["endorse", &path("asked"), "--key", &path("other.pem")]);
    run_ok(&["submit", &path("asked"), "--to", &server.url]);
}

#[test]
fn a_signature_that_would_spoil_a_proposal_is_refused_when_it_is_made() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    ledger.set_up(&server.remote());
    let path = |name: &str| ledger.path(name);
    let keygen = |name: &str| run_ok(&["keygen", &path(name)]).trim().to_owned();
    let (new, _) = (keygen("new.pem"), keygen("stranger.pem"));
    let grant = |key: &str, governor: &str, out: &str| {
        run(&[
            "grant",
            "--grantee",
            key,
            "--role",
            "surveyor",
            "--holder",
            "eye",
            "--name",
            "Eye",
            "--key",
            &path(governor),
            "--out",
            &path(out),
            "--from",
            &server.url,
        ])
    };
    let words =
        |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(grant(&new, "governor-1.pem", "grant.json").status.success());
    let before = std::fs::read(path("grant.json")).unwrap();
    for stranger in ["stranger.pem", "platform.pem"] {
        let refused = run(&["endorse", &path("grant.json"), "--key", &path(stranger)]);
        assert_eq!(refused.status.code(), Some(1), "{}", words(&refused));
        assert!(
            words(&refused).contains("is not asked to sign"),
            "{}",
            words(&refused)
        );
    }
    // Nor is who issued it, or endorsed it before.
    let issuer = run(&[
        "endorse",
        &path("grant.json"),
        "--key",
        &path("governor-1.pem"),
    ]);
    assert_eq!(issuer.status.code(), Some(1), "{}", words(&issuer));
    assert!(words(&issuer).contains("issues this"), "{}", words(&issuer));
    assert_eq!(std::fs::read(path("grant.json")).unwrap(), before);
    run_ok(&["endorse", &path("grant.json"), "--key", &path("new.pem")]);
    let again = run(&["endorse", &path("grant.json"), "--key", &path("new.pem")]);
    assert_eq!(again.status.code(), Some(1), "{}", words(&again));
    assert!(
        words(&again).contains("has endorsed this already"),
        "{}",
        words(&again)
    );
    run_ok(&[
        "endorse",
        &path("grant.json"),
        "--key",
        &path("governor-2.pem"),
    ]);
    run_ok(&["submit", &path("grant.json"), "--to", &server.url]);

    // What can't succeed, whoever signs: a key with a task, a stranger who grants.
    let again = grant(&new, "governor-1.pem", "again.json");
    assert_eq!(again.status.code(), Some(1), "{}", words(&again));
    assert!(words(&again).contains("can't succeed"), "{}", words(&again));
    let fresh = keygen("fresh.pem");
    let by_platform = grant(&fresh, "platform.pem", "by-platform.json");
    assert!(
        words(&by_platform).contains("no governor in force"),
        "{}",
        words(&by_platform)
    );
    // The versions of a method have no gaps.
    let method = |version: u32, out: &str| {
        let stated = serde_json::json!({
            "id": 71, "version": version, "effective_from": "2026-01-01",
            "activities": [{"code": 1, "name": "ride", "unit": "ride", "factor": 52_000_000, "cap": 520}],
            "species": [], "baseline": "b", "sources": "s", "jurisdiction": "j", "document": "0".repeat(64),
        });
        std::fs::write(path("method.json"), stated.to_string()).unwrap();
        run(&[
            "method",
            "--file",
            &path("method.json"),
            "--key",
            &path("governor-1.pem"),
            "--out",
            &path(out),
            "--from",
            &server.url,
        ])
    };
    let second = method(2, "second.json");
    assert_eq!(second.status.code(), Some(1), "{}", words(&second));
    assert!(
        words(&second).contains("the next version of method 71 is 1, not 2"),
        "{}",
        words(&second)
    );
    let first = method(1, "first.json");
    assert!(first.status.success(), "{}", words(&first));
    for name in ["again.json", "by-platform.json", "second.json"] {
        assert!(!std::path::Path::new(&path(name)).exists());
    }
    // Made without a server, it is not known who governs; whoever signs may ask.
    let issuer: Value = server
        .remote()
        .json(&format!(
            "v1/issuers/{}",
            run_ok(&["key", &path("governor-1.pem")]).trim()
        ))
        .unwrap();
    run_ok(&[
        "revoke",
        "--revoked",
        &new,
        "--reason",
        "lost",
        "--key",
        &path("governor-1.pem"),
        "--out",
        &path("revoke.json"),
        "--origin",
        support::ORIGIN,
        "--seq",
        &issuer["next_seq"].to_string(),
        "--prev",
        issuer["prev"].as_str().unwrap(),
        "--set",
        "0",
    ]);
    let asked = [
        "endorse",
        &path("revoke.json"),
        "--key",
        &path("stranger.pem"),
        "--from",
        &server.url,
    ];
    assert_eq!(run(&asked).status.code(), Some(1));
    // A file that is no proposal is another kind of thing; a byte order mark is named.
    assert_eq!(
        run(&["endorse", &path("new.pem"), "--key", &path("new.pem")])
            .status
            .code(),
        Some(4)
    );
    let marked = [b"\xef\xbb\xbf".as_slice(), &before].concat();
    std::fs::write(path("marked.json"), marked).unwrap();
    let marked = run(&["endorse", &path("marked.json"), "--key", &path("new.pem")]);
    assert!(
        words(&marked).contains("byte order mark"),
        "{}",
        words(&marked)
    );
}

#[test]
fn a_proposal_is_superseded_by_another_set_of_governors() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    ledger.set_up(&remote);
    let path = |name: &str| ledger.path(name);
    let propose = |file: &str, key: &str| {
        let out = path(&format!("{file}.proposal"));
        run_ok(&[
            "propose",
            &path(file),
            "--key",
            &path(key),
            "--out",
            &out,
            "--from",
            &server.url,
        ]);
        let proposal: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
        (out, proposal["statement"]["set"].clone())
    };
    let revoke = |out: &str| {
        run_ok(&[
            "revoke",
            "--revoked",
            &ledger.surveyor.public().to_string(),
            "--reason",
            "lost",
            "--key",
            &path("governor-1.pem"),
            "--out",
            &path(out),
            "--from",
            &server.url,
        ])
    };
    revoke("kept.json");
    run_ok(&[
        "endorse",
        &path("kept.json"),
        "--key",
        &path("governor-2.pem"),
    ]);
    // One of the two is enough from here on; said by the other, so that the chain stays.
    let next = GovernorSet {
        governors: vec![ledger.governors[0].public(), ledger.governors[1].public()]
            .try_into()
            .unwrap(),
        quorum: 1,
        set: Index(0),
    };
    let head = remote.issuer(&ledger.governors[1].public()).unwrap();
    let signed = support::sign_from(
        &ledger.context(),
        &ledger.governors[1],
        head.next_seq,
        head.prev,
        &[Statement::Governors(next)],
    );
    let signed = signed.into_iter().next().unwrap();
    let signed = signed
        .endorse(&ledger.context(), &ledger.governors[0])
        .unwrap();
    let BatchAnswer::Admitted(indexes) = remote.append(&[signed]).unwrap() else {
        panic!("the governors are refused");
    };
    let set = Value::from(indexes[0].0);

    // Nobody signs it any more, and the ledger does not take it as it is.
    let before = std::fs::read(path("kept.json")).unwrap();
    let endorsed = run(&[
        "endorse",
        &path("kept.json"),
        "--key",
        &path("surveyor.pem"),
        "--from",
        &server.url,
    ]);
    let told = String::from_utf8_lossy(&endorsed.stderr).into_owned();
    assert_eq!(endorsed.status.code(), Some(1), "{told}");
    assert!(told.contains("superseded") && told.contains("propose it anew"));
    assert_eq!(std::fs::read(path("kept.json")).unwrap(), before);
    let sent = run(&["submit", &path("kept.json"), "--to", &server.url]);
    let told = String::from_utf8_lossy(&sent.stderr).into_owned();
    assert_eq!(sent.status.code(), Some(5), "{told}");
    assert!(told.contains("set_superseded"), "{told}");
    // Proposed anew it names the set in force, as whatever governors sign does; and nothing else.
    revoke("anew.json");
    run_ok(&["submit", &path("anew.json"), "--to", &server.url]);
    let plot = serde_json::json!({
        "kind": "plot", "number": 1, "name": "a hill", "country": "US",
        "place": {"circle": {"latitude": 1, "longitude": 1, "radius_m": 60}}, "finer_outline": null,
        "area_m2": 10_000, "trees_per_ha_max": 100, "carbon_rights": "unknown",
        "funded_by": "the city", "for": [],
    });
    std::fs::write(path("plot.json"), plot.to_string()).unwrap();
    let (proposal, named) = propose("plot.json", "planter.pem");
    assert_eq!(named, Value::Null);
    run_ok(&["submit", &proposal, "--to", &server.url]);
    std::fs::remove_file(&proposal).unwrap();
    let (proposal, named) = propose("plot.json", "planter.pem");
    assert_eq!(named, set);
    run_ok(&["endorse", &proposal, "--key", &path("governor-1.pem")]);
    run_ok(&["submit", &proposal, "--to", &server.url]);
    let correction = serde_json::json!({
        "kind": "correction", "target": 0, "reason": "it was wrong", "remedy": "void",
    });
    std::fs::write(path("correction.json"), correction.to_string()).unwrap();
    for (key, expected) in [("governor-2.pem", set), ("planter.pem", Value::Null)] {
        let (proposal, named) = propose("correction.json", key);
        assert_eq!(named, expected, "{key}");
        std::fs::remove_file(proposal).unwrap();
    }
    // A proposal of another version of this file is told as that.
    let mut old: Value = serde_json::from_slice(&before).unwrap();
    old["arborlog_proposal"] = 1.into();
    std::fs::write(path("old.json"), old.to_string()).unwrap();
    let endorsed = run(&[
        "endorse",
        &path("old.json"),
        "--key",
        &path("governor-2.pem"),
    ]);
    let told = String::from_utf8_lossy(&endorsed.stderr).into_owned();
    assert_eq!(endorsed.status.code(), Some(3), "{told}");
    assert!(told.contains("a proposal of version 1"), "{told}");
}

/// A policy as long as policies can be goes from a file into the log, its tiles and a receipt.
#[test]
fn the_longest_policy_is_stated_served_and_proven() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    let path = |name: &str| ledger.path(name);
    let comment = "x".repeat(24_576 - "#\nquorum none\n".len());
    std::fs::write(path("policy"), format!("#{comment}\nquorum none\n")).unwrap();
    std::fs::write(path("longer"), format!("#{comment}x\nquorum none\n")).unwrap();
    std::fs::write(path("other"), "quorum all-of-them\n").unwrap();
    let propose = |file: &str| {
        run(&[
            "policy",
            "--file",
            &path(file),
            "--key",
            &path("governor-1.pem"),
            "--out",
            &path(&format!("{file}.json")),
            "--from",
            &server.url,
        ])
    };
    for (file, why) in [
        ("longer", "24,576 bytes"),
        ("other", "line 1 of the policy"),
    ] {
        let refused = propose(file);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{told}");
        assert!(told.contains(why), "{told}");
    }
    assert!(propose("policy").status.success());
    let proposal = path("policy.json");
    run_ok(&["endorse", &proposal, "--key", &path("governor-2.pem")]);
    run_ok(&["submit", &proposal, "--to", &server.url]);
    let governors: Value = server.remote().json("v1/governors").unwrap();
    assert_eq!(governors["policy_stated_at"], 1);
    let receipt = path("policy.tlog-proof");
    run_ok(&["receipt", "--from", &server.url, "1", "-o", &receipt]);
    assert_eq!(support::curl(&format!("{}/entry/1", server.url)).0, 200);
    assert_eq!(server.stop(), 0);
    let vkey = ledger.dir.join("log.vkey");
    run_ok(&["verify", &receipt, "--log", vkey.to_str().unwrap()]);
    run_ok(&["fsck", ledger.dir.to_str().unwrap()]);
}

#[test]
fn a_ledger_is_made_in_the_root_of_a_fresh_file_system() {
    let ledger = Ledger::init();
    let governor = ledger.path("governor-1.pem");
    let init = |dir: &str| {
        run(&[
            "init",
            dir,
            "--origin",
            "a.example/b",
            "--programme",
            "p",
            "--governor",
            &governor,
        ])
    };
    let volume = ledger.path("volume");
    std::fs::create_dir_all(format!("{volume}/lost+found")).unwrap();
    let made = init(&volume);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    run_ok(&["fsck", &volume]);
    let other = ledger.path("other");
    std::fs::create_dir_all(format!("{other}/lost+found")).unwrap();
    std::fs::write(format!("{other}/file"), "x").unwrap();
    assert_eq!(init(&other).status.code(), Some(2));
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
    // A database that is dropped in this process gives its lock back a moment later.
    let open = || {
        let tries = (0..100).find_map(|_| {
            let opened = sled::open(ledger.dir.join("state"));
            opened
                .inspect_err(|_| sleep(Duration::from_millis(100)))
                .ok()
        });
        tries.expect("the lock is free within ten seconds")
    };
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
    // A check sees that they are none, and changes nothing; a start takes them out.
    assert_eq!(run_ok(&["fsck", dir]), whole);
    for key in &later {
        assert!(open().get(key).unwrap().is_some(), "fsck changed something");
    }
    assert_eq!(Server::start(&ledger.dir).stop(), 0);
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
        "policy",
        "governors",
        "log-key",
        "propose",
        "endorse",
        "submit",
        "import",
        "receipt",
        "verify",
        "audit",
        "attest",
        "mirror",
        "monitor",
        "fsck",
        "bench",
        "witness",
        "auditor",
    ] {
        let help = run_ok(&[command, "--help"]);
        assert!(help.len() > 150, "{command}: {help}");
    }
    assert_eq!(arborlog().output().unwrap().status.code(), Some(2));
    assert_eq!(run(&["fsck", "/nonexistent"]).status.code(), Some(3));
}

#[test]
fn a_failure_of_a_command_with_json_is_one_object() {
    let ledger = Ledger::init();
    let path = |name: &str| ledger.path(name);
    let log = path("ledger/log.vkey");
    let (none, key) = (path("none"), path("platform.pem"));
    std::fs::write(path("empty.ndjson"), "").unwrap();
    std::fs::write(path("not.proof"), "my notes\n").unwrap();
    std::os::unix::fs::symlink("loop", path("loop")).unwrap();
    std::fs::create_dir(path("folder")).unwrap();
    std::os::unix::fs::symlink("checkpoint", path("folder/checkpoint")).unwrap();
    let (empty, not_a_proof) = (path("empty.ndjson"), path("not.proof"));
    let (copy, folder, looped) = (path("copy"), path("folder"), path("loop"));
    let closed = "http://127.0.0.1:1x";
    let cases: &[(&[&str], i32, &str, &str)] = &[
        (&["keygen", &key], 3, "unchecked", "key_unusable"),
        (&["key", &none], 3, "unchecked", "file_failed"),
        (&["vkey", &none], 3, "unchecked", ""),
        (&["fsck", &none], 3, "unchecked", ""),
        (&["fsck", closed], 2, "wrong_use", "wrong_use"),
        (&["audit", &none, "--log", &log], 3, "unchecked", ""),
        (&["audit", &none, "--log", "x"], 2, "wrong_use", "wrong_use"),
        // What the file system can't tell is no file that is not there.
        (
            &["audit", &folder, "--log", &log],
            3,
            "unchecked",
            "file_failed",
        ),
        (
            &["audit", &none, "--log", &looped],
            3,
            "unchecked",
            "file_failed",
        ),
        (&["mirror", &none, &copy, "--log", &log], 3, "unchecked", ""),
        (
            &["verify", &none, "--log", &log],
            3,
            "unchecked",
            "file_failed",
        ),
        (
            &["verify", &not_a_proof, "--log", &log],
            4,
            "not_that_kind",
            "not_a_receipt",
        ),
        (
            &["submit", &empty, "--to", closed, "--key", &key],
            2,
            "wrong_use",
            "wrong_use",
        ),
        (
            &["submit", &none, "--to", "http://a.invalid", "--key", &key],
            3,
            "unchecked",
            "file_failed",
        ),
        (
            &["submit", &empty, "--to", "http://a.invalid", "--key", &key],
            3,
            "unchecked",
            "server_unusable",
        ),
        (&["submit", &empty], 2, "wrong_use", "wrong_use"),
        (
            &[
                "import",
                "bikeshare",
                &none,
                "--stations",
                &none,
                "--to",
                closed,
                "--key",
                &key,
                "--work",
                &copy,
            ],
            3,
            "unchecked",
            "",
        ),
    ];
    for (args, exit, outcome, code) in cases {
        let output = arborlog().args(*args).arg("--json").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(*exit), "{args:?}: {said}");
        let told: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {said}"));
        assert_eq!(told["outcome"], *outcome, "{args:?}: {told}");
        if !code.is_empty() {
            assert_eq!(told["code"], *code, "{args:?}: {told}");
        }
        for field in ["code", "error", "advice"] {
            assert!(
                !told[field].as_str().unwrap().is_empty(),
                "{args:?}: {told}"
            );
        }
        assert_eq!(told["exit"], *exit, "{args:?}: {told}");
        // The same words for people.
        let first = told["error"].as_str().unwrap().lines().next().unwrap();
        assert!(said.contains(first), "{first}: {said}");
    }
}

#[test]
fn a_refused_proposal_is_one_object_too_and_a_receipt_says_nothing_of_journals() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    let proposal = ledger.path("grant.json");
    let platform = ledger.platform.public().to_string();
    run_ok(&[
        "grant",
        "--grantee",
        &platform,
        "--role",
        "platform",
        "--holder",
        "app",
        "--name",
        "App",
        "--key",
        &ledger.path("governor-1.pem"),
        "--out",
        &proposal,
        "--from",
        &server.url,
    ]);
    let output = run(&["submit", &proposal, "--to", &server.url, "--json"]);
    assert_eq!(output.status.code(), Some(5));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["outcome"], &told["code"]),
        (&"not_all_in".into(), &"quorum_short".into())
    );
    assert_eq!(server.stop(), 0);
    // What listens there answers nothing.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", mute.local_addr().unwrap());
    std::thread::spawn(move || mute.incoming().for_each(drop));
    let remote = arborlog::client::Remote::new(&url);
    let away = remote.retrying_for(std::time::Duration::ZERO);
    let words = away.text("v1/receipts/0").unwrap_err().to_string();
    assert!(words.contains("tried for 0 s"), "{words}");
    assert!(!words.contains("journal"), "{words}");
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
