//! Clients that lie, stall, flood and probe. After each the server is ready, a correct client gets
//! in, and memory is bounded.
#![cfg(feature = "cli")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arborlog::client::BatchAnswer;
use arborlog::crypto::{Signature, SigningKey};
use arborlog::http::Limits;
use arborlog::receipt::{About, Receipt};
use arborlog::record::*;
use rustix::net::sockopt;
use support::auditor::{Told, audit};
use support::{Ledger, Server, award, body, connect_from};

/// With all of this going on a server holds no more.
const MEMORY_BYTES_MAX: u64 = 400 << 20;
const BODY_BYTES: usize = 200_000;

struct Target {
    ledger: Ledger,
    server: Server,
    events: AtomicU64,
    told: Told,
}

impl Target {
    fn start(arguments: &[&str]) -> Self {
        let ledger = Ledger::init();
        let server = Server::start_with(&ledger.dir, arguments);
        ledger.set_up(&server.remote());
        Self {
            ledger,
            server,
            events: AtomicU64::new(0),
            told: Told::default(),
        }
    }

    fn limited() -> Self {
        let bytes = BODY_BYTES.to_string();
        Self::start(&[
            "--body-bytes",
            &bytes,
            "--head-timeout-s",
            "1",
            "--body-timeout-s",
            "1",
            "--idle-timeout-s",
            "2",
        ])
    }

    fn address(&self) -> &str {
        self.server.url.strip_prefix("http://").unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// Sends bytes and reads until the server closes or says no more.
    fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may have closed before all is sent.
        let _ = stream.write_all(bytes);
        read_all(&mut stream)
    }

    fn batch(&self, key: &SigningKey, count: u64) -> Vec<SignedRecord> {
        let from = self.events.fetch_add(count, Ordering::SeqCst);
        // Each key has accounts of its own: an account is one holder's.
        let [first, ..] = *key.public().as_bytes();
        let account = |n| u64::from(first) * 50 + n % 50;
        let statements: Vec<Statement> =
            (from..from + count).map(|n| award(account(n), n)).collect();
        self.ledger.sign(&self.server.remote(), key, &statements)
    }

    /// A correct client still gets in, and nothing else did.
    fn is_well(&mut self, after: &str) {
        let records = self.batch(&self.ledger.platform, 3);
        let BatchAnswer::Admitted(indexes) = self.server.remote().append(&records).unwrap() else {
            panic!("refused after {after}");
        };
        let bytes = records.iter().map(|record| record.bytes().to_vec());
        self.told.records.extend(indexes.into_iter().zip(bytes));
        let answer = self.say(b"GET /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        assert!(
            answer.starts_with("HTTP/1.1 200"),
            "after {after}: {answer}"
        );
        let memory = self.memory_bytes("VmHWM:");
        assert!(memory < MEMORY_BYTES_MAX, "{memory} bytes after {after}");
    }

    fn memory_bytes(&self, line: &str) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.server.pid())).unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix(line)).unwrap();
        line.split_whitespace()
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            * 1024
    }

    fn finish(self) {
        eprintln!("most memory: {} MB", self.memory_bytes("VmHWM:") >> 20);
        assert_eq!(self.server.stop(), 0);
        audit(&self.ledger.dir, &self.told);
    }
}

/// For tests that open thousands of connections.
fn raise_descriptors() {
    let own = std::process::id().to_string();
    let raised = Command::new("prlimit")
        .args(["--pid", &own, "--nofile=12000:12000"])
        .status()
        .unwrap();
    assert!(
        raised.success(),
        "thousands of connections need descriptors"
    );
}

fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/records HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/octet-stream\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn starts(answer: &str, statuses: &[u16]) -> bool {
    statuses
        .iter()
        .any(|status| answer.starts_with(&format!("HTTP/1.1 {status} ")))
}

#[test]
fn bodies_that_lie_stall_or_never_end_are_refused() {
    let mut target = Target::limited();
    let good = body(&target.batch(&target.ledger.platform, 2));
    // Ten gigabytes, announced: refused unread.
    let answer = target.say(&post("content-length: 10000000000\r\n", b"x"));
    assert!(starts(&answer, &[413]), "{answer}");
    // And in chunks without a length: refused at the limit.
    let mut endless = post("transfer-encoding: chunked\r\n", b"");
    for _ in 0..BODY_BYTES / 1_000 + 10 {
        endless.extend_from_slice(b"3e8\r\n");
        endless.extend_from_slice(&[0; 1_000]);
        endless.extend_from_slice(b"\r\n");
    }
    let answer = target.say(&endless);
    assert!(starts(&answer, &[413, 400]), "{answer}");
    // Less than was announced, then nothing: too late; or cut off.
    let answer = target.say(&post("content-length: 1000\r\n", b"short"));
    assert!(starts(&answer, &[408]), "{answer}");
    let mut stream = target.connect();
    stream
        .write_all(&post("content-length: 1000\r\n", b"short"))
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let answer = read_all(&mut stream);
    assert!(answer.is_empty() || starts(&answer, &[400]), "{answer}");
    // More than was announced: what follows is no request.
    let announced = format!("content-length: {}\r\n", good.len() - 1);
    let answer = target.say(&post(&announced, &good));
    assert!(starts(&answer, &[400]), "{answer}");
    // Two lengths; a length and chunks; a length that is no number; chunks that are none.
    for headers in [
        "content-length: 4\r\ncontent-length: 5\r\n",
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "content-length: -1\r\n",
        "content-length: 18446744073709551616\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: chunked\r\n",
    ] {
        let answer = target.say(&post(headers, b"zz\r\nnot a chunk\r\n"));
        assert!(
            answer.is_empty() || starts(&answer, &[400, 413, 415, 501]),
            "{headers}: {answer}"
        );
    }
    // A bomb is not blown up: requests are not decompressed.
    let answer = target.say(&post(
        "content-encoding: gzip\r\ncontent-length: 4\r\n",
        &[0x1f, 0x8b, 8, 0],
    ));
    assert!(starts(&answer, &[400, 415]), "{answer}");
    // Cut in the middle, again and again: nothing of it gets in.
    for cut in (1..good.len()).step_by(good.len() / 40) {
        let headers = format!("content-length: {}\r\n", good.len());
        let mut stream = target.connect();
        stream.write_all(&post(&headers, &good[..cut])).unwrap();
        drop(stream);
    }
    target.is_well("bodies");
    target.finish();
}

/// What RFC 9112 has a server refuse is refused, with a problem document, and in its turn.
#[test]
fn what_is_no_http_is_told_so_by_a_problem_document() {
    let mut target = Target::start(&[]);
    let long = "a".repeat(1 << 20);
    let fields = "x: y\r\n".repeat(1_000);
    let get = |fields: &str| format!("GET /healthz HTTP/1.1\r\n{fields}\r\n");
    let post = |fields: &str| {
        format!(
            "POST /v1/records HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\n{fields}\r\n0\r\n\r\n"
        )
    };
    let cases = [
        (get(""), 400, "host_malformed"),
        (get("host: a\r\nhost: a\r\n"), 400, "host_malformed"),
        (get("host: a b\r\n"), 400, "host_malformed"),
        ("NONSENSE\r\n\r\n".to_owned(), 400, "head_malformed"),
        ("\u{16}\u{3}\u{1}\u{2}".to_owned(), 400, "head_malformed"),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 505, "version_unknown"),
        (
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            505,
            "version_unknown",
        ),
        (
            format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"),
            414,
            "target_too_long",
        ),
        (
            get(&format!("host: a\r\nx: {long}\r\n")),
            431,
            "head_too_large",
        ),
        (get(&format!("host: a\r\n{fields}")), 431, "head_too_large"),
        (
            post("content-length: 5\r\ntransfer-encoding: chunked\r\n"),
            400,
            "length_ambiguous",
        ),
        (
            post("transfer-encoding: chunked\r\ncontent-length: 5\r\n"),
            400,
            "length_ambiguous",
        ),
        (
            post("content-length: 5\r\ncontent-length: 5\r\n"),
            400,
            "length_ambiguous",
        ),
        (
            post("transfer-encoding: gzip, chunked\r\n"),
            501,
            "coding_unknown",
        ),
        (get("host: a\nx: y\r\n"), 400, "head_malformed"),
        (
            get("host: a\r\n").replace("\r\n", "\n"),
            400,
            "head_malformed",
        ),
        ("\r\n".repeat(1 << 19), 400, "head_malformed"),
        (long.to_uppercase(), 400, "head_malformed"),
        (post("content-length: 00\r\n"), 400, "length_ambiguous"),
        (post("expect: 200-ok\r\n"), 417, "expectation_unknown"),
        (
            get("host: a\r\n").replace("/healthz", "/v1/entries/0#1"),
            400,
            "head_malformed",
        ),
    ];
    for (request, status, code) in &cases {
        let answer = target.say(request.as_bytes());
        let shown: String = request.chars().take(60).collect();
        assert!(starts(&answer, &[*status]), "{shown}: {answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    // A chunk is refused by its size, before it comes.
    let mut stream = target.connect();
    stream
        .write_all(
            post("transfer-encoding: chunked\r\n")
                .trim_end_matches("0\r\n\r\n")
                .as_bytes(),
        )
        .unwrap();
    stream.write_all(b"7fffffff\r\n").unwrap();
    let begun = Instant::now();
    let answer = read_all(&mut stream);
    assert!(starts(&answer, &[413]), "{answer}");
    assert!(answer.contains("batch_too_large"), "{answer}");
    // A proxy learns that no other request may go by that connection.
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "it was waited for"
    );
    // Behind a body, and in its turn: what follows a refused head is no request.
    let smuggled = format!(
        "{}{}{}{}",
        get("host: a\r\n"),
        post("transfer-encoding: chunked\r\n"),
        post("content-length: 5\r\ntransfer-encoding: chunked\r\n"),
        get("host: a\r\n"),
    );
    let answer = target.say(smuggled.as_bytes());
    let statuses: Vec<&str> = answer
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| &answer[..3])
        .collect();
    assert_eq!(statuses, ["200", "200", "400"], "{answer}");
    let metrics = target.say(b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert!(
        metrics.contains("arborlog_problems_total{code=\"host_malformed\"} 3"),
        "{metrics}"
    );
    target.is_well("no HTTP");
    target.finish();
}

/// Each thing has one address, and an error says which part of it is wrong.
#[test]
fn numbers_have_one_spelling_and_paths_and_queries_are_told_apart() {
    let mut target = Target::start(&[]);
    let id = "AB".repeat(32);
    for (path, code) in [
        ("v1/entries/%2B5", "path_malformed"),
        ("v1/entries/+5", "path_malformed"),
        ("v1/entries/05", "path_malformed"),
        ("v1/entries/%31", "path_malformed"),
        ("tile/0/00%30.p/1", "path_malformed"),
        ("v1/proofs/inclusion?index=%30", "query_malformed"),
        ("v1/proofs/inclusion?inde%78=0", "query_malformed"),
        ("v1/receipts/x", "path_malformed"),
        ("v1/plots/01", "path_malformed"),
        ("v1/trees/1/+1", "path_malformed"),
        ("v1/certificates/-1", "path_malformed"),
        (&format!("v1/accounts/{id}"), "path_malformed"),
        ("v1/proofs/inclusion?index=%2B1", "query_malformed"),
        ("v1/proofs/inclusion?index=01", "query_malformed"),
        ("v1/proofs/inclusion?index=0&size=%2B1", "query_malformed"),
        ("v1/proofs/consistency?from=01", "query_malformed"),
        ("v1/plots/1?plantings_after=01", "query_malformed"),
        ("v1/plots/1?surveys_after=x", "query_malformed"),
        ("v1/methods?after=01.1", "query_malformed"),
        ("v1/governors?log_keys_before=x", "query_malformed"),
        ("v1/reversals?after=01", "query_malformed"),
        ("live?after=%2B1", "query_malformed"),
        ("live?after=01", "query_malformed"),
    ] {
        let request = format!("GET /{path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = target.say(request.as_bytes());
        assert!(starts(&answer, &[400]), "{path}: {answer}");
        assert!(answer.contains(code), "{path}: {answer}");
    }
    // A page's other spellings lead to the one that it has.
    for (path, canonical) in [
        ("entry/05", "/entry/5"),
        ("entry/%35", "/entry/5"),
        ("certificate/+5", "/certificate/5"),
        ("plot/01", "/plot/1"),
        ("tree/1/01", "/tree/1/1"),
    ] {
        let request = format!("GET /{path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = target.say(request.as_bytes());
        assert!(starts(&answer, &[308]), "{path}: {answer}");
        let location = format!("location: {canonical}\r\n");
        assert!(answer.contains(&location), "{path}: {answer}");
    }
    for path in ["method?from=01.1", "search?text=%35"] {
        let request = format!("GET /{path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = target.say(request.as_bytes());
        assert!(starts(&answer, &[400]), "{path}: {answer}");
    }
    target.is_well("spellings");
    target.finish();
}

/// Many bodies that come slowly, from 60 addresses, take what `--memory-bytes` says, and give it back.
/// `ARBORLOG_SLOW_BODIES` says how many; then the server has the memory that it has by default.
#[test]
fn slow_bodies_take_no_more_memory_than_they_may_and_give_it_back() {
    let asked = std::env::var("ARBORLOG_SLOW_BODIES").ok();
    let asked = asked.map(|count| count.parse::<usize>().unwrap());
    let count = asked.unwrap_or(240);
    let memory = match asked {
        Some(_) => Limits::default().memory_bytes,
        None => 64 << 20,
    };
    raise_descriptors();
    let mut target = Target::start(&["--memory-bytes", &memory.to_string()]);
    let before = target.memory_bytes("VmRSS:");
    let head = post("content-length: 8388608\r\n", b"");
    let open = |number: usize| {
        let from = Ipv4Addr::new(127, 0, 1, (number % 60) as u8);
        let mut stream = connect_from(from, target.address()).unwrap();
        stream.write_all(&head).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    };
    let waits = |done: std::io::Result<usize>| matches!(done, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
    let mut slow: Vec<TcpStream> = (0..count).map(open).collect();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(12) {
        for (number, stream) in slow.iter_mut().enumerate() {
            // Those that are refused come again.
            let refused = !waits(stream.read(&mut [0; 12]));
            let written = stream.write(&[0; 60_000]);
            if refused || (written.is_err() && !waits(written)) {
                *stream = open(number);
            }
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    let most = target.memory_bytes("VmHWM:").saturating_sub(before);
    drop(slow);
    std::thread::sleep(Duration::from_secs(3));
    let kept = target.memory_bytes("VmRSS:").saturating_sub(before);
    eprintln!(
        "{count} slow bodies: {} MB before, {} MB more at most, {} MB kept",
        before >> 20,
        most >> 20,
        kept >> 20
    );
    // The bodies, and what each of their connections takes.
    let bound = (memory + count * (128 << 10)) as u64;
    assert!(most < bound, "{most} bytes");
    assert!(most > memory as u64 / 2, "no load: {most} bytes");
    let bound = (count * (64 << 10) + (12 << 20)) as u64;
    assert!(kept < bound, "{kept} bytes are kept");
    target.is_well("slow bodies");
    target.finish();
}

#[test]
fn who_takes_no_answer_loses_the_connection() {
    let mut target = Target::start(&["--read-timeout-s", "1"]);
    let descriptors = || {
        let fds = format!("/proc/{}/fd", target.server.pid());
        std::fs::read_dir(fds).unwrap().count()
    };
    let before = descriptors();
    let mut stream = target.connect();
    stream
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    // Until the server's answers, and so our requests, fill every buffer between.
    let request = b"GET /v1/entries/0 HTTP/1.1\r\nhost: a\r\n\r\n".repeat(1_000);
    while stream.write_all(&request).is_ok() {}
    let until = Instant::now() + Duration::from_secs(60);
    while descriptors() > before {
        assert!(Instant::now() < until, "it is still held");
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(stream);
    target.is_well("a client that reads nothing");
    target.finish();
}

#[test]
fn heads_that_stall_or_swell_are_cut_off() {
    let mut target = Target::limited();
    // A byte at a time, for ever: closed after the time for a head.
    let begun = Instant::now();
    let mut stream = target.connect();
    for byte in b"GET /checkpoint HTTP/1.1\r\nhost: a\r\nx-slow: "
        .iter()
        .chain([&b'a'; 400])
    {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        if begun.elapsed() > Duration::from_secs(15) {
            panic!("a head may take for ever");
        }
    }
    // A connection that says nothing more after its first answer.
    let begun = Instant::now();
    let mut stream = target.connect();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    let answer = read_all(&mut stream);
    assert!(starts(&answer, &[200]), "{answer}");
    let idle = begun.elapsed();
    assert!(idle > Duration::from_secs(1) && idle < Duration::from_secs(10));
    for (request, statuses) in [
        (
            format!(
                "GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
                "a".repeat(1 << 20)
            ),
            vec![431],
        ),
        (
            format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(1 << 20)),
            vec![414, 431],
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nhost: a\r\n{}\r\n",
                "x: y\r\n".repeat(1_000)
            ),
            vec![431],
        ),
        ("NONSENSE\r\n\r\n".to_owned(), vec![400]),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), vec![400, 505]),
        ("\u{0}\u{1}\u{2}".to_owned(), vec![400]),
        (
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            vec![400, 505],
        ),
    ] {
        let answer = target.say(request.as_bytes());
        let shown: String = request.chars().take(60).collect();
        assert!(
            answer.is_empty() || starts(&answer, &statuses),
            "{shown}: {answer}"
        );
    }
    target.is_well("heads");
    target.finish();
}

#[test]
fn paths_queries_and_documents_that_probe_get_a_clear_no() {
    let mut target = Target::limited();
    let huge = "9".repeat(400);
    for path in [
        "tile/../../../../etc/passwd",
        "tile/%2e%2e/%2e%2e/etc/passwd",
        "tile/0/..%2f..%2fkeys%2flog.pem",
        "tile/0/000/../../../keys/log.pem",
        "tile/0/000%00.pem",
        "tile/entries/x001/x002/x003/x004/x005/x006/x007/x008/009",
        "tile/63/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/-01",
        "//keys/log.pem",
        "keys/log.pem",
        "%",
        "v1/entries/18446744073709551615",
        "v1/entries/18446744073709551616",
        "v1/entries/-1",
        "v1/entries/1e3",
        "v1/proofs/inclusion?index=18446744073709551615&size=18446744073709551615",
        "v1/proofs/inclusion?index=0&size=0",
        "v1/proofs/consistency?from=0&to=0",
        "v1/proofs/consistency?from=5&to=1",
        "v1/proofs/consistency?from=18446744073709551615",
        "v1/accounts/0",
        "v1/trees/4294967296/1",
        "v1/plots/99999999999",
        &format!("v1/entries/{huge}"),
        &format!("v1/proofs/inclusion?index={huge}"),
    ] {
        let request = format!("GET /{path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = target.say(request.as_bytes());
        assert!(starts(&answer, &[400, 404]), "{path}: {answer}");
        assert!(
            !answer.contains("PRIVATE") && !answer.contains("root:"),
            "{path}"
        );
    }
    let deep = [
        "[".repeat(90_000),
        "{\"a\":".repeat(30_000),
        format!("[{{\"record\":{}", "[".repeat(90_000)),
    ];
    for json in deep {
        let head = format!(
            "POST /v1/records HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            json.len()
        );
        let answer = target.say(&[head.as_bytes(), json.as_bytes()].concat());
        assert!(starts(&answer, &[400]), "{answer}");
    }
    // In one write: three answers, in order.
    let one = |path: &str| format!("GET /{path} HTTP/1.1\r\nhost: a\r\n\r\n");
    let last = "GET /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = target.say(format!("{}{}{last}", one("healthz"), one("nowhere")).as_bytes());
    let places = ["HTTP/1.1 200", "HTTP/1.1 404", "ready\n"].map(|it| answer.find(it).unwrap());
    assert!(places.is_sorted(), "{answer}");
    target.is_well("probes");
    target.finish();
}

#[test]
fn a_flood_of_nothing_and_five_thousand_idle_connections_leave_room() {
    raise_descriptors();
    let mut target = Target::start(&["--connections", "6000"]);
    let before = target.memory_bytes("VmRSS:");
    let idle: Vec<TcpStream> = (0..5_000).map(|_| target.connect()).collect();
    target.is_well("idle connections");
    let held = target.memory_bytes("VmRSS:").saturating_sub(before);
    eprintln!("5,000 idle connections: {} KB each", held / 5_000 / 1024);
    drop(idle);
    // Batches of nothing, 50,000 at once over four connections.
    let request = b"POST /v1/records HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\ncontent-length: 0\r\n\r\n";
    let many = request.repeat(100);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut stream = target.connect();
                let mut reader = stream.try_clone().unwrap();
                let read = std::thread::spawn(move || read_all(&mut reader));
                for _ in 0..125 {
                    stream.write_all(&many).unwrap();
                }
                stream.shutdown(Shutdown::Write).unwrap();
                let answers = read.join().unwrap();
                assert_eq!(answers.matches("HTTP/1.1 200").count(), 12_500);
            });
        }
    });
    target.is_well("batches of nothing");
    target.finish();
}

/// One issuer sends as much as goes, over many connections; another, one record at a time, gets in.
#[test]
fn a_flood_by_one_issuer_leaves_another_its_turn() {
    let mut target = Target::start(&["--memory-bytes", "20000000"]);
    let flooder = SigningKey::from_seed(&[77; 32]);
    let remote = target.server.remote();
    target
        .ledger
        .grant(&remote, &flooder, Role::Platform, "flood");
    let records = body(&target.batch(&flooder, 1_000));
    let over = AtomicBool::new(false);
    let (mut got_in, mut floods) = (0, AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                // The same batch again and again: checked each time, admitted once.
                while !over.load(Ordering::SeqCst) {
                    let headers = format!("content-length: {}\r\n", records.len());
                    target.say(&post(&headers, &records));
                    floods.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for _ in 0..30 {
            let one = target.batch(&target.ledger.platform, 1);
            let answer = target.server.remote().append(&one).unwrap();
            got_in += usize::from(matches!(answer, BatchAnswer::Admitted(_)));
        }
        over.store(true, Ordering::SeqCst);
    });
    assert_eq!(got_in, 30);
    assert!(*floods.get_mut() > 30, "no flood");
    target.is_well("a flood");
    target.finish();
}

// Floods without a key, and those who append beside them.

/// The one that floods, and an honest client behind the same address.
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// An honest client elsewhere.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// How long a flood lasts.
const FLOOD: Duration = Duration::from_secs(3);
/// No honest append takes longer beside a flood, tries again included; but one in a hundred may.
const P99_MAX: Duration = Duration::from_secs(1);
/// Records in the chain that floods pretend to continue.
const CHAIN: u64 = 4_000;

/// Somebody who appends a record at a time, with a key of its own, from an address.
struct Honest {
    from: Ipv4Addr,
    records: std::vec::IntoIter<SignedRecord>,
}

impl Honest {
    fn new(target: &Target, from: Ipv4Addr, seed: u8) -> Self {
        let key = SigningKey::from_seed(&[seed; 32]);
        let remote = target.server.remote();
        target.ledger.grant(&remote, &key, Role::Platform, "honest");
        let records = target.batch(&key, 6_000).into_iter();
        Self { from, records }
    }

    /// Appends until told to stop. Gives the time of each append, from the first try to the answer that
    /// it is in.
    fn append_until(&mut self, target: &Target, over: &AtomicBool) -> Vec<Duration> {
        let mut took = Vec::new();
        while !over.load(Ordering::SeqCst) {
            let record = self.records.next().expect("records were signed for longer");
            let body = body(&[record]);
            let request = post(&format!("content-length: {}\r\n", body.len()), &body);
            let begun = Instant::now();
            loop {
                let mut answer = String::new();
                if let Ok(mut stream) = connect_from(self.from, target.address())
                    && stream.write_all(&request).is_ok()
                {
                    answer = read_all(&mut stream);
                }
                if starts(&answer, &[200]) {
                    break;
                }
                assert!(
                    answer.is_empty() || starts(&answer, &[408, 503]),
                    "{answer}"
                );
                assert!(
                    begun.elapsed() < Duration::from_secs(60),
                    "shut out: {answer}"
                );
                std::thread::sleep(Duration::from_millis(20));
            }
            took.push(begun.elapsed());
            std::thread::sleep(Duration::from_millis(5));
        }
        took
    }
}

/// Sends a request from the flood's address as often as it goes, over this many connections at a time,
/// and sees what is answered; without an answer the sender hangs up.
fn send_again_and_again(
    target: &Target,
    connections: usize,
    request: &[u8],
    answered: Option<&str>,
    over: &AtomicBool,
) -> usize {
    let senders: Vec<_> = (0..connections).map(|_| (HERE, request)).collect();
    send_all_again_and_again(target, &senders, answered, over)
}

/// As [`send_again_and_again`], each request over a connection of its own, from its address.
fn send_all_again_and_again(
    target: &Target,
    senders: &[(Ipv4Addr, &[u8])],
    answered: Option<&str>,
    over: &AtomicBool,
) -> usize {
    let addresses: Vec<_> = senders.iter().map(|(from, _)| *from).collect();
    connect_again_and_again(target, &addresses, over, |sender, _, mut stream| {
        // The server may refuse it before all is sent.
        let whole = stream.write_all(senders[sender].1).is_ok();
        match answered {
            Some(code) if whole => {
                let answer = read_all(&mut stream);
                let refused = answer.contains(code) || starts(&answer, &[503]);
                assert!(refused || answer.is_empty(), "{answer}");
            }
            Some(_) => {}
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    })
}

/// Opens connections from these addresses as often as it goes, one of each at a time, and hands each to
/// `ask`, with the place of its address and its number.
fn connect_again_and_again(
    target: &Target,
    addresses: &[Ipv4Addr],
    over: &AtomicBool,
    ask: impl Fn(usize, usize, TcpStream) + Sync,
) -> usize {
    let (opened, ask) = (AtomicU64::new(0), &ask);
    std::thread::scope(|scope| {
        for (sender, from) in addresses.iter().enumerate() {
            let opened = &opened;
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    if let Ok(stream) = connect_from(*from, target.address()) {
                        let number = opened.fetch_add(1, Ordering::SeqCst) as usize;
                        ask(sender, number, stream);
                    }
                }
            });
        }
    });
    opened.into_inner() as usize
}

/// Holds this many connections on which this was sent and nothing more; one that the server closes is
/// opened again.
fn hold(target: &Target, connections: usize, sent: &[u8], over: &AtomicBool) -> usize {
    let mut held: Vec<TcpStream> = Vec::new();
    let mut opened = 0;
    while !over.load(Ordering::SeqCst) {
        held.retain(|stream| {
            let mut byte = [0];
            stream.set_nonblocking(true).unwrap();
            let peeked = stream.peek(&mut byte);
            stream.set_nonblocking(false).unwrap();
            matches!(peeked, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
        });
        while held.len() < connections && !over.load(Ordering::SeqCst) {
            let Ok(mut stream) = connect_from(HERE, target.address()) else {
                break;
            };
            let _ = stream.write_all(sent);
            held.push(stream);
            opened += 1;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    opened
}

/// Records in a key's name that it never signed, from a seq on.
fn junk(issuer: &SigningKey, seqs: impl Iterator<Item = u64>, endorsers: &[SigningKey]) -> Vec<u8> {
    let bad = Signature::from_bytes(std::array::from_fn(|place| u8::from(place < 63)));
    let mut keys: Vec<_> = endorsers.iter().map(SigningKey::public).collect();
    keys.sort_unstable();
    let endorsements: Vec<Endorsement> = keys
        .into_iter()
        .map(|key| Endorsement {
            key,
            signature: bad,
        })
        .collect();
    let records = seqs.map(|seq| {
        let record = Record {
            issuer: issuer.public(),
            seq: Seq(seq),
            prev: RecordId::NONE,
            issued_on: arborlog::client::today(),
            statement: award(seq % 50, seq),
        };
        SignedRecord::new(record.encode().unwrap(), bad, endorsements.clone()).unwrap()
    });
    body(&records.collect::<Vec<_>>())
}

/// The largest sealed batch that a key signs, and the request that sends it.
fn sealed(target: &Target, key: &SigningKey) -> (SealedBatch, Vec<u8>) {
    sealed_of(
        target,
        key,
        (0..16_384).map(|event| award(event % 50, event)),
    )
}

/// A sealed batch of these statements, and the request that sends it.
fn sealed_of(
    target: &Target,
    key: &SigningKey,
    statements: impl Iterator<Item = Statement>,
) -> (SealedBatch, Vec<u8>) {
    let head = target.server.remote().issuer(&key.public()).unwrap();
    let statements = statements.map(SealedStatement::new);
    let place = SealPlace {
        seq: head.next_seq,
        prev: head.prev,
        issued_on: arborlog::client::today(),
    };
    let statements = statements.collect::<Result<_, _>>().unwrap();
    let context = target.ledger.context();
    let (batch, _) = SealedBatch::seal(statements, place, &context, key).unwrap();
    let request = batch_post(&batch.body().unwrap());
    (batch, request)
}

fn batch_post(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/batches HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
         content-type: application/vnd.arborlog.batch\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn whole_post(body: &[u8]) -> Vec<u8> {
    post(&format!("content-length: {}\r\n", body.len()), body)
}

impl Target {
    /// Appends from two addresses while a flood goes on, and sees that it holds up neither.
    fn flooded_by(
        &self,
        name: &str,
        honest: &mut [Honest],
        flood: impl FnOnce(&AtomicBool) -> usize + Send,
    ) {
        self.flooded_and_read(name, honest, &[], flood);
    }

    /// As [`Self::flooded_by`], and reads these paths meanwhile, from both addresses.
    fn flooded_and_read(
        &self,
        name: &str,
        honest: &mut [Honest],
        paths: &[String],
        flood: impl FnOnce(&AtomicBool) -> usize + Send,
    ) {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let flood = scope.spawn(|| flood(&over));
            let over = &over;
            let reads: Vec<_> = paths
                .iter()
                .flat_map(|path| [(path, HERE), (path, ELSEWHERE)])
                .map(|(path, from)| {
                    let read = scope.spawn(move || self.read_until(from, path, over));
                    (path, from, read)
                })
                .collect();
            let honest: Vec<_> = honest
                .iter_mut()
                .map(|honest| {
                    let from = honest.from;
                    (from, scope.spawn(|| honest.append_until(self, over)))
                })
                .collect();
            std::thread::sleep(FLOOD);
            over.store(true, Ordering::SeqCst);
            let count = flood.join().unwrap();
            eprintln!("{name}, {count} of them:");
            let honest = honest.into_iter();
            let honest = honest.map(|(from, honest)| (format!("appends from {from}"), honest));
            let reads = reads.into_iter();
            let reads =
                reads.map(|(path, from, read)| (format!("reads of {path} from {from}"), read));
            for (what, asked) in honest.chain(reads) {
                let mut took = asked.join().unwrap();
                took.sort_unstable();
                let p99 = took[(took.len() * 99).div_ceil(100) - 1];
                eprintln!(
                    "{} {what}, median {:?}, p99 {p99:?}",
                    took.len(),
                    took[took.len() / 2]
                );
                assert!(p99 <= P99_MAX, "{name} holds up {what}: {p99:?}");
            }
            assert!(count > 1, "{name} was no flood");
        });
    }

    /// Reads a path until told to stop. Gives the time of each read.
    fn read_until(&self, from: Ipv4Addr, path: &str, over: &AtomicBool) -> Vec<Duration> {
        let request = get(path);
        let mut took = Vec::new();
        while !over.load(Ordering::SeqCst) {
            let begun = Instant::now();
            let mut stream = connect_from(from, self.address()).unwrap();
            stream.write_all(&request).unwrap();
            let answer = read_all(&mut stream);
            assert!(starts(&answer, &[200]), "{path}: {answer}");
            took.push(begun.elapsed());
            std::thread::sleep(Duration::from_millis(5));
        }
        took
    }

    /// Seconds of processor time that the server has taken.
    fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.server.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split(' ').collect();
        // Fields 14 and 15 of proc(5); a hundred ticks are a second on every Linux.
        let ticks = |place: usize| fields[place].parse::<f64>().unwrap();
        (ticks(12) + ticks(13)) / 100.0
    }
}

#[test]
fn no_flood_by_strangers_holds_up_an_append() {
    let mut target = Target::start(&[]);
    let platform = target.ledger.platform.clone();
    for _ in 0..CHAIN / 1_000 {
        let records = target.batch(&platform, 1_000);
        let answer = target.server.remote().append(&records).unwrap();
        assert!(matches!(answer, BatchAnswer::Admitted(_)));
    }
    let mut honest = [
        Honest::new(&target, HERE, 81),
        Honest::new(&target, ELSEWHERE, 82),
    ];
    let strangers: Vec<SigningKey> = (0..32)
        .map(|number| SigningKey::from_seed(&[150 + number; 32]))
        .collect();

    let endorsed = whole_post(&junk(&platform, CHAIN..CHAIN + 2_400, &strangers));
    assert!(endorsed.len() > 7 << 20 && endorsed.len() < 8 << 20);
    let before = target.cpu_s();
    let answer = target.say(&endorsed);
    assert!(answer.contains("endorser_refused"), "{answer}");
    let cost = target.cpu_s() - before;
    eprintln!("79,200 signatures that nobody asked for: {cost:.2} s of processor time");
    assert!(cost < 1.0, "{cost} s");
    target.flooded_by("endorsements by strangers", &mut honest, |over| {
        send_again_and_again(&target, 2, &endorsed, Some("endorser_refused"), over)
    });
    target.flooded_by("endorsements, then hung up", &mut honest, |over| {
        send_again_and_again(&target, 4, &endorsed, None, over)
    });
    let unsigned = whole_post(&junk(&platform, CHAIN..CHAIN + 16_384, &[]));
    target.flooded_by("a full batch that nobody signed", &mut honest, |over| {
        send_again_and_again(&target, 4, &unsigned, Some("signature_invalid"), over)
    });
    let again = whole_post(&junk(&platform, std::iter::repeat_n(0, 16_384), &[]));
    target.flooded_by("16,384 records of a used seq", &mut honest, |over| {
        send_again_and_again(&target, 4, &again, Some("sequence_used"), over)
    });
    let everywhere = (0..16_384).map(|place| (place * 257) % CHAIN);
    let everywhere = whole_post(&junk(&platform, everywhere, &[]));
    target.flooded_by("16,384 used seqs", &mut honest, |over| {
        send_again_and_again(&target, 4, &everywhere, Some("sequence_used"), over)
    });
    let one = whole_post(&junk(&platform, [1].into_iter(), &[]));
    target.flooded_by("a record of a used seq", &mut honest, |over| {
        send_again_and_again(&target, 16, &one, Some("sequence_used"), over)
    });
    let announced = post("content-length: 8388608\r\n", b"");
    target.flooded_by("8 MiB announced and nothing sent", &mut honest, |over| {
        hold(&target, 64, &announced, over)
    });
    let half = [announced.as_slice(), &[0; 2 << 20]].concat();
    target.flooded_by("8 MiB announced and a quarter sent", &mut honest, |over| {
        hold(&target, 64, &half, over)
    });
    target.is_well("floods");
    target.finish();
}

#[test]
fn no_flood_of_sealed_batches_holds_up_an_append() {
    let mut target = Target::start(&[]);
    let mut honest = [
        Honest::new(&target, HERE, 81),
        Honest::new(&target, ELSEWHERE, 82),
    ];
    // In the name of a platform that never signed it; and by a key that nobody granted a role.
    let platform = target.ledger.platform.clone();
    let (batch, request) = sealed(&target, &platform);
    let mut unsigned = request.clone();
    // Behind the head of the request, two lengths, and the record; the statements follow.
    let body = batch.body().unwrap().len();
    let signature = unsigned.len() - body + 4 + 8 + batch.seal_record().bytes().len();
    unsigned[signature] ^= 1;
    let before = target.cpu_s();
    let answer = target.say(&unsigned);
    assert!(answer.contains("signature_invalid"), "{answer}");
    let cost = target.cpu_s() - before;
    eprintln!("16,384 statements under a seal that nobody signed: {cost:.2} s of processor time");
    target.flooded_by("batches that nobody sealed", &mut honest, |over| {
        send_again_and_again(&target, 4, &unsigned, Some("signature_invalid"), over)
    });
    // What is in the log can be sent by anybody: the same bytes, and others under the same seal.
    let answer = target.say(&request);
    assert!(starts(&answer, &[200]), "{answer}");
    target.flooded_by("a batch that is in", &mut honest, |over| {
        send_again_and_again(&target, 4, &request, Some("already_in"), over)
    });
    let mut others = request.clone();
    *others.last_mut().unwrap() ^= 1;
    target.flooded_by("other statements under its seal", &mut honest, |over| {
        send_again_and_again(&target, 4, &others, Some("seal_mismatch"), over)
    });
    target.flooded_by("sealed batches, then hung up", &mut honest, |over| {
        send_again_and_again(&target, 8, &others, None, over)
    });
    target.is_well("floods of sealed batches");
    target.finish();
}

/// Found by a stranger: a replay of a batch that is in was decoded and hashed as a whole before it was told so, and
/// a batch with one refused statement was judged to its end as often as its issuer sent it.
#[test]
fn no_flood_of_batches_that_are_in_or_refused_holds_up_an_append() {
    let mut target = Target::start(&[]);
    let mut honest = [
        Honest::new(&target, HERE, 81),
        Honest::new(&target, ELSEWHERE, 82),
    ];
    let request = largest_batch(&target);
    let before = target.cpu_s();
    let answer = target.say(&request);
    assert!(starts(&answer, &[200]), "{answer}");
    let first = target.cpu_s() - before;
    let before = target.cpu_s();
    let answer = target.say(&request);
    assert!(answer.contains("\"already_in\":true"), "{answer}");
    let again = target.cpu_s() - before;
    eprintln!("8 MB of surveys: {first:.2} s of processor time, and {again:.2} s when they are in");
    let addresses = (3..11).map(|last| Ipv4Addr::new(127, 0, 0, last));
    let replays: Vec<_> = addresses.map(|from| (from, request.as_slice())).collect();
    target.flooded_by(
        "the largest batch, which is in, from 8 addresses",
        &mut honest,
        |over| send_all_again_and_again(&target, &replays, Some("already_in"), over),
    );
    // Four keys, each with a full batch of which the last statement is refused.
    let refused: Vec<Vec<u8>> = (91..95_u8)
        .map(|seed| {
            let key = SigningKey::from_seed(&[seed; 32]);
            let remote = target.server.remote();
            let holder = format!("hasty-{seed}");
            target.ledger.grant(&remote, &key, Role::Platform, &holder);
            let accounts = u64::from(seed) * 1_000;
            let statements =
                (0..16_384).map(move |event| match award(accounts + event % 50, event) {
                    Statement::Award(mut award) if event == 16_383 => {
                        award.points.0 += 1;
                        Statement::Award(award)
                    }
                    award => award,
                });
            sealed_of(&target, &key, statements).1
        })
        .collect();
    let answer = target.say(&refused[0]);
    assert!(answer.contains("points_mismatch"), "{answer}");
    let senders = (11..15).map(|last| Ipv4Addr::new(127, 0, 0, last));
    let senders: Vec<_> = senders.zip(refused.iter().map(Vec::as_slice)).collect();
    target.flooded_by(
        "batches of which one statement is refused",
        &mut honest,
        |over| send_all_again_and_again(&target, &senders, Some("points_mismatch"), over),
    );
    target.is_well("floods of batches that are in or refused");
    target.finish();
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").into_bytes()
}

/// The request that sends the largest batch there can be: surveys of one plot, which is made for it.
fn largest_batch(target: &Target) -> Vec<u8> {
    let said = |value| serde_json::from_value::<Statement>(value).unwrap();
    let plot = said(serde_json::json!({
        "kind": "plot", "number": 1, "name": "Hill", "country": "US",
        "place": {"circle": {"latitude": 377_599_000, "longitude": -1_224_148_000, "radius_m": 180}},
        "finer_outline": null, "area_m2": 62_500, "trees_per_ha_max": 400,
        "carbon_rights": "none_issued", "funded_by": "Friends", "for": [], "set": null,
    }));
    let planting = said(serde_json::json!({
        "kind": "planting", "plot": 1, "species": 1, "first_serial": 1, "count": 5,
        "planted_from": "2026-03-14", "planted_until": "2026-03-20",
        "evidence": format!("{:064x}", 1), "evidence_at": "",
    }));
    let planter = target.ledger.planter.clone();
    let records = target
        .ledger
        .sign(&target.server.remote(), &planter, &[plot, planting]);
    let BatchAnswer::Admitted(indexes) = target.server.remote().append(&records).unwrap() else {
        panic!("a plot is refused");
    };
    let surveys = (0..16_384_u32).map(|number| {
        said(serde_json::json!({
            "kind": "survey", "plot": 1, "planting": null, "surveyed_on": "2026-06-01",
            "as_of": indexes[1], "basis": "census", "protocol": "Every tree. ".repeat(16), "plan": null,
            "alive": 5, "dead": 0, "not_found": 0, "dead_known": 0, "revived": 0,
            "evidence": format!("{:064x}", number + 2), "evidence_at": format!("https://a.example/{}", "e".repeat(80)), "paid_by": "City".repeat(20),
            "next_due": null,
        }))
    });
    let surveyor = target.ledger.surveyor.clone();
    let (_, request) = sealed_of(target, &surveyor, surveys);
    assert!(
        (6 << 20..8 << 20).contains(&request.len()),
        "{} bytes",
        request.len()
    );
    request
}

/// An account that has one award in each of many large batches, and a plot whose surveys came in the largest
/// batch that there can be.
const BATCHES: u64 = 12;

/// Appends them; gives the account.
fn make_dear_histories(target: &Target) -> AccountId {
    let send = |request: &[u8]| {
        let answer = target.say(request);
        assert!(starts(&answer, &[200]), "{answer}");
    };
    let platform = target.ledger.platform.clone();
    for batch in 0..BATCHES {
        let one = std::iter::once(award(2_000, batch));
        let others = (1..16_384).map(|event| award(event % 50, event));
        send(&sealed_of(target, &platform, one.chain(others)).1);
    }
    send(&largest_batch(target));
    match award(2_000, 0) {
        Statement::Award(award) => award.account,
        other => panic!("a {}", other.kind()),
    }
}

/// What an account's file says: its entries, and with which the next file begins.
fn page(target: &Target, path: &str) -> (usize, Option<u64>) {
    let until = Instant::now() + Duration::from_secs(60);
    let vkey = std::fs::read_to_string(target.ledger.dir.join("log.vkey")).unwrap();
    loop {
        let answer = target.say(&get(path));
        if starts(&answer, &[404, 503]) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        }
        assert!(starts(&answer, &[200]), "{path}: {answer}");
        let (_, text) = answer.split_once("\r\n\r\n").unwrap();
        let receipt = Receipt::read(text.as_bytes()).unwrap();
        let file = receipt.verify(&vkey.trim().parse().unwrap(), None, &[]);
        let span = match file.unwrap().file.unwrap().about {
            About::Account(history) => history.span,
            About::Plot(history) => history.span,
            other => panic!("{other:?}"),
        };
        let next = span.older.map(|index| index.0);
        return (span.entries.len(), next);
    }
}

/// Found by a stranger: for a history whose entries are in many large batches a server hashed all of these for
/// one request, and checkpoints waited behind sixteen such requests.
#[test]
fn no_flood_of_dear_histories_holds_up_an_append_or_a_checkpoint() {
    let mut target = Target::start(&["--state-every-ms", "100"]);
    let mut honest = [
        Honest::new(&target, HERE, 81),
        Honest::new(&target, ELSEWHERE, 82),
    ];
    let account = make_dear_histories(&target);
    let account = format!("/v1/proofs/account-history/{account}");
    let plot = "/v1/proofs/plot-history/1".to_owned();
    // A state entry speaks of the surveys.
    while page(&target, &plot).0 < 3 {}
    let requests = [get(&account), get(&plot)];
    let reads = ["/checkpoint".to_owned(), "/v1/totals".to_owned()];
    target.flooded_and_read("histories", &mut honest, &reads, |over| {
        ask_again_and_again(&target, 32, &requests, over)
    });
    target.is_well("floods of histories");
    assert_eq!(target.server.stop(), 0);
    target.server = Server::start_with(&target.ledger.dir, &["--state-every-ms", "100"]);
    // A new award has the log make a state entry, so that the state is at hand.
    target.is_well("a start");
    while starts(&target.say(&get("/v1/proofs/state?domain=totals")), &[503]) {
        std::thread::sleep(Duration::from_millis(20));
    }

    // Nothing is kept after a start: the pages end by the work that they take, and go on with the next.
    let (mut pages, mut entries, mut next) = (0, 0, None);
    loop {
        let path = next.map_or(account.clone(), |from| format!("{account}?from={from}"));
        let before = target.cpu_s();
        let (count, older) = page(&target, &path);
        let cost = target.cpu_s() - before;
        eprintln!("a page of {count} entries, each in another batch of 16,384: {cost:.2} s");
        pages += 1;
        entries += count;
        next = older;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(entries as u64, BATCHES);
    assert!(
        pages > 1,
        "all of {BATCHES} batches were hashed for one page"
    );
    // What was hashed is kept: once more costs little, and is one page.
    let before = target.cpu_s();
    assert_eq!(page(&target, &account).0 as u64, BATCHES);
    eprintln!("once more: {:.2} s", target.cpu_s() - before);
    let before = target.cpu_s();
    assert_eq!(page(&target, &plot).0, 64);
    eprintln!(
        "64 surveys of a batch of 8 MB: {:.2} s",
        target.cpu_s() - before
    );
    target.finish();
}

/// Asks these in turn over this many connections at a time, and reads the answers.
fn ask_again_and_again(
    target: &Target,
    connections: usize,
    requests: &[Vec<u8>],
    over: &AtomicBool,
) -> usize {
    connect_again_and_again(
        target,
        &vec![HERE; connections],
        over,
        |_, number, mut stream| {
            if stream.write_all(&requests[number % requests.len()]).is_ok() {
                read_all(&mut stream);
            }
        },
    )
}

#[test]
fn nobody_keeps_others_out_by_holding_connections() {
    let mut target = Target::start(&["--connections", "64"]);
    let mut honest = [
        Honest::new(&target, HERE, 81),
        Honest::new(&target, ELSEWHERE, 82),
    ];
    let half_a_head = b"POST /v1/records HTTP/1.1\r\nhost: a\r\n";
    let body_begun = post("content-length: 1000\r\n", b"begun");
    for (name, sent) in [
        ("connections that say nothing", b"".as_slice()),
        ("heads that do not end", half_a_head.as_slice()),
        ("bodies that do not end", body_begun.as_slice()),
    ] {
        target.flooded_by(name, &mut honest, |over| hold(&target, 200, sent, over));
    }
    target.is_well("connections");
    target.finish();
}

/// Connects from the flood's address some 5,000 times a second, sends this, and resets the connection.
fn reset_at_once(target: &Target, sent: &[u8], over: &AtomicBool) -> usize {
    let count = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let Ok(mut stream) = connect_from(HERE, target.address()) else {
                        continue;
                    };
                    let _ = stream.write_all(sent);
                    sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
                    drop(stream);
                    count.fetch_add(1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_micros(500));
                }
            });
        }
    });
    count.into_inner() as usize
}

/// Found by a stranger: connections that came faster than others were begun filled the queue of those
/// to be accepted, and of whoever came next the system dropped the first packet.
#[test]
fn connections_that_end_as_soon_as_they_begin_hold_up_no_append() {
    let mut target = Target::start(&[]);
    let mut honest = [
        Honest::new(&target, HERE, 81),
        Honest::new(&target, ELSEWHERE, 82),
    ];
    let probe = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    let page = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    for (name, sent) in [
        ("connections that are reset", b"".as_slice()),
        ("requests that are reset", probe.as_slice()),
        ("pages that are reset", page.as_slice()),
    ] {
        target.flooded_by(name, &mut honest, |over| reset_at_once(&target, sent, over));
    }
    target.is_well("resets");
    target.finish();
}

#[test]
fn whatever_methods_and_paths_are_asked_for_there_are_few_series() {
    let mut target = Target::start(&[]);
    let mut stream = target.connect();
    let mut reader = stream.try_clone().unwrap();
    let read = std::thread::spawn(move || read_all(&mut reader));
    for number in 0..5_000 {
        let method = format!("N{number}{}", "X".repeat(100));
        let request = format!("{method} /x{number} HTTP/1.1\r\nhost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read.join().unwrap().matches("HTTP/1.1 404").count(), 5_000);
    let metrics = target.say(b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert!(
        metrics.contains("method=\"other\",status=\"404\"} 5000"),
        "{metrics}"
    );
    assert!(metrics.len() < 100_000, "{} bytes", metrics.len());
    target.is_well("methods");
    target.finish();
}
