//! What an operator sees of a server: its log, its state of health, and what it tells those who supervise it.
#![cfg(feature = "cli")]

mod support;

use std::io::Read as _;
use std::process::{Command, Stdio};

use arborlog::client::BatchAnswer;
use arborlog::record::AccountId;
use serde_json::Value;
use support::{Ledger, Server, arborlog, award};

/// A server that logs JSON into a file.
fn logging(ledger: &Ledger, args: &[&str]) -> Server {
    let log = std::fs::File::create(ledger.path("log")).unwrap();
    let mut command = arborlog();
    command
        .env("ARBORLOG_LOG", "info")
        .env("ARBORLOG_LOG_FORMAT", "json")
        .stderr(log);
    Server::logging(command, &ledger.dir, args)
}

/// All lines of that log, each of which is a JSON object.
fn lines(ledger: &Ledger) -> Vec<Value> {
    let text = std::fs::read_to_string(ledger.path("log")).unwrap();
    let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(read).collect()
}

fn says<'a>(lines: &'a [Value], message: &str) -> &'a Value {
    let mut lines = lines.iter();
    let found = lines.find(|line| line["message"] == message);
    found.unwrap_or_else(|| panic!("no line says {message:?}"))
}

/// The head of the answer to a request with these fields.
fn head(url: &str, fields: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-m", "10", "-D", "-", "-o", "/dev/null"]);
    for field in fields {
        curl.args(["-H", field]);
    }
    let output = curl.arg(url).output().unwrap();
    String::from_utf8(output.stdout).unwrap().to_lowercase()
}

#[test]
fn each_request_has_a_line_that_names_no_account_and_no_key() {
    let ledger = Ledger::ready();
    let args = ["--slow-commit-ms", "0", "--entries-per-save", "1"];
    let server = logging(&ledger, &args);
    let remote = server.remote();
    let records = ledger.sign(&remote, &ledger.platform, &[award(1, 1), award(2, 2)]);
    let answer = remote.append(&records).unwrap();
    assert!(matches!(answer, BatchAnswer::Admitted(_)));
    let BatchAnswer::Refused { problem, .. } = remote
        .append(&ledger.sign(&remote, &ledger.surveyor, &[award(1, 3)]))
        .unwrap()
    else {
        panic!("a surveyor awards");
    };
    let mut account = [0; 32];
    account[..8].copy_from_slice(&0x9e37_79b9_7f4a_7c15_u64.to_be_bytes());
    let account = AccountId::from_bytes(account).to_string();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01");
    let url = format!("{}/v1/accounts/{account}", server.url);
    let answered = head(&url, &["X-Request-Id: ride-7.a_B", &traceparent]);
    assert!(answered.starts_with("http/1.1 200"), "{answered}");
    assert!(
        answered.contains("x-request-id: ride-7.a_b\r\n"),
        "{answered}"
    );
    // One that could end a line, or be a second field of it, is not taken.
    let answered = head(&url, &["X-Request-Id: a b=c"]);
    assert!(!answered.contains("a b=c"), "{answered}");
    assert!(answered.contains("x-request-id: "), "{answered}");
    head(&format!("{}/nothing/{account}", server.url), &[]);
    head(&format!("{}/account/{account}", server.url), &[]);
    server.signal("-HUP");
    assert_eq!(server.stop(), 0);

    let lines = lines(&ledger);
    let requests: Vec<&Value> = lines
        .iter()
        .filter(|line| line["target"] == "arborlog::request")
        .collect();
    let by_id = |id: &str| {
        let mut requests = requests.iter();
        requests.find(|line| line["id"] == id).unwrap()
    };
    let line = by_id("ride-7.a_B");
    assert_eq!(line["route"], "/v1/accounts/{id}");
    assert_eq!(line["trace_id"], trace);
    assert_eq!(line["client"], "127.0.0.0/24");
    assert_eq!(
        (&line["method"], &line["status"]),
        (&"GET".into(), &200.into())
    );
    assert!(line["bytes_out"].as_u64().unwrap() > 50, "{line}");
    assert!(line["ms"].as_f64().unwrap() > 0.0, "{line}");
    assert_eq!(line["cut"], Value::Null, "{line}");
    let posts: Vec<&&Value> = requests
        .iter()
        .filter(|line| line["route"] == "/v1/records")
        .collect();
    let [taken, refused] = posts.as_slice() else {
        panic!("{posts:?}");
    };
    assert_eq!(
        (&taken["status"], &taken["records"]),
        (&200.into(), &2.into())
    );
    assert!(taken["bytes_in"].as_u64().unwrap() > 300, "{taken}");
    assert_eq!(refused["code"], problem.code);
    assert_eq!(refused["records"], 0);
    assert!(requests.iter().any(|line| line["route"] == "none"));
    assert!(requests.iter().any(|line| line["route"] == "/account/{id}"));
    let mut ids: Vec<&str> = requests
        .iter()
        .map(|line| line["id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), requests.len());

    // What else is told.
    let starting = says(&lines, "starting");
    assert_eq!(starting["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(starting["format"], 1);
    assert_eq!(starting["dir"], ledger.dir.to_str().unwrap());
    let commit = starting["commit"].as_str().unwrap();
    assert!(commit == "unknown" || commit.len() >= 40, "{commit}");
    assert_eq!(says(&lines, "serving")["size"], 5);
    assert!(
        says(&lines, "the state was saved")["size"]
            .as_u64()
            .unwrap()
            >= 7
    );
    let slow = says(
        &lines,
        "a commit was slow: the disk or the store took this long",
    );
    assert_eq!(slow["level"], "WARN");
    says(&lines, "nothing to read again: there is no TLS");
    assert_eq!(says(&lines, "stopping")["signal"], "SIGTERM");
    says(&lines, "stopped; what was acknowledged is in");

    let text = std::fs::read_to_string(ledger.path("log")).unwrap();
    assert!(
        !text.contains(&account[..16]),
        "an account's id is in the log"
    );
    for key in [&ledger.platform, &ledger.surveyor] {
        let key = key.public().to_string();
        assert!(!text.contains(&key[..16]), "an issuer's key is in the log");
    }
}

/// Standard error is full at first, and read later.
#[test]
fn a_server_whose_request_lines_nobody_takes_answers_them_all() {
    let ledger = Ledger::ready();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = arborlog();
    command
        .env("ARBORLOG_LOG", "info")
        .args(["--log-format", "json"])
        .stderr(writer);
    let server = Server::logging(command, &ledger.dir, &[]);
    // More lines than the pipe and the queue have room for, on one connection.
    let requests = 8_000;
    let output = Command::new("curl")
        .args(["-s", "-m", "120", "-w", "%{http_code}\n", "-o", "/dev/null"])
        .arg(format!("{}/healthz?[1-{requests}]", server.url))
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let answers = String::from_utf8(output.stdout).unwrap();
    assert_eq!(answers.matches("200\n").count(), requests);
    let (_, metrics) = support::curl(&format!("{}/metrics", server.url));
    let mut counts = metrics.lines();
    let lost = counts.find_map(|line| line.strip_prefix("arborlog_log_lines_lost_total "));
    assert!(lost.unwrap().parse::<u64>().unwrap() > 0);
    // Once somebody reads, their number is told, and every line is whole.
    let reads = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    let (status, _) = support::curl(&format!("{}/healthz", server.url));
    assert_eq!(status, 200);
    assert_eq!(server.stop(), 0);
    let text = reads.join().unwrap();
    let mut told = false;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let words = line["message"].as_str().unwrap();
        told |= line["level"] == "WARN" && words.contains("log lines were lost");
    }
    assert!(told);
}
