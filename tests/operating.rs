//! What an operator sees of a server: its log, its state of health, and what it tells those who supervise it.
#![cfg(feature = "cli")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use arborlog::client::BatchAnswer;
use arborlog::record::AccountId;
use serde_json::Value;
use support::{Ledger, Server, arborlog, award, curl, run};

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
    let (_, metrics) = curl(&format!("{}/metrics", server.url));
    let mut counts = metrics.lines();
    let lost = counts.find_map(|line| line.strip_prefix("arborlog_log_lines_lost_total "));
    assert!(lost.unwrap().parse::<u64>().unwrap() > 0);
    // Once somebody reads, their number is told, and every line is whole.
    let reads = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    let (status, _) = curl(&format!("{}/healthz", server.url));
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

/// The exit code, and what was said, of a question about health.
fn health(args: &[&str]) -> (Option<i32>, String) {
    let output = run(&[&["health"], args].concat());
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn health_is_told_apart_from_what_can_not_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("file://{}", folder.path().display());
    let ledger = Ledger::init_with(&["--store", &store]);
    let leader = Server::start_with(&ledger.dir, &["--store", &store]);
    let follower = Server::start_with(&ledger.dir, &["--store", &store, "--follow"]);
    let begun = Instant::now();
    while health(&[&leader.url]).0 != Some(0) {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody leads");
    }
    assert_eq!(health(&[&leader.url]), (Some(0), "ready\n".to_owned()));
    let (code, said) = health(&[&follower.url]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not ready: not_leading: "), "{said}");
    let serves = health(&["--serves", &follower.url]);
    assert_eq!(serves, (Some(0), "serves\n".to_owned()));
    let (code, said) = health(&["--json", &follower.url]);
    let said: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!((code, &said["outcome"]), (Some(1), &"false".into()));

    // Nobody is there; somebody is who says nothing; somebody is who is no arborlog server.
    let nobody = follower.url.clone();
    assert_eq!(follower.stop(), 0);
    let (code, said) = health(&[&nobody]);
    assert_eq!(code, Some(3), "{said}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let (code, said) = health(&["--within-s", "1", &silent]);
    assert_eq!(code, Some(3), "{said}");
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", other.local_addr().unwrap());
    let answers = std::thread::spawn(move || {
        let (mut client, _) = other.accept().unwrap();
        let _ = client.read(&mut [0; 4096]);
        let page = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nWelcome\n";
        client.write_all(page.as_bytes()).unwrap();
    });
    let (code, said) = health(&[&url]);
    assert_eq!(code, Some(3), "{said}");
    answers.join().unwrap();
    assert_eq!(health(&["no address"]).0, Some(2));
    assert_eq!(leader.stop(), 0);
}

/// A certificate for 127.0.0.1 that signs itself and lasts for so many days, and its key.
fn certificate(ledger: &Ledger, days: u32) -> (String, String) {
    let (certificate, key) = (ledger.path("tls.crt"), ledger.path("tls.key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
        .args(["ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=CA:FALSE", "-days"])
        .args([&days.to_string(), "-keyout", &key, "-out", &certificate])
        .output()
        .unwrap();
    assert!(made.status.success());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&key, mode).unwrap();
    (certificate, key)
}

/// When the certificate ends, as openssl reads it and `date` counts it.
fn ends(certificate: &str) -> u64 {
    let output = Command::new("sh")
        .args([
            "-c",
            r#"date -u -d "$(openssl x509 -in "$0" -noout -enddate | cut -d= -f2)" +%s"#,
        ])
        .arg(certificate)
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

/// A metric's value, of the series that begins with these words.
fn metric(text: &str, series: &str) -> f64 {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(series));
    let value = value.unwrap_or_else(|| panic!("there is no {series}"));
    value.rsplit(' ').next().unwrap().parse().unwrap()
}

/// The next message to a service manager, but those of the watchdog.
fn message(socket: &UnixDatagram) -> String {
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing is told");
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap();
        let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
        if text != "WATCHDOG=1" {
            return text;
        }
    }
}

#[test]
fn a_service_manager_is_told_when_a_server_serves_reloads_and_stops() {
    let ledger = Ledger::ready();
    let (tls, key) = certificate(&ledger, 10);
    let first_end = ends(&tls);
    let args = ["--tls-cert", tls.as_str(), "--tls-key", key.as_str()];
    let args = [args.as_slice(), &["--admin-listen", "127.0.0.1:0"]].concat();
    let path = ledger.path("notify");
    let name = format!("arborlog-test-{}", std::process::id());
    let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
    for (socket, address) in [
        (UnixDatagram::bind(&path).unwrap(), path.clone()),
        (
            UnixDatagram::bind_addr(&abstract_name).unwrap(),
            format!("@{name}"),
        ),
    ] {
        let log = std::fs::File::create(ledger.path("log")).unwrap();
        let mut command = arborlog();
        command
            .env("NOTIFY_SOCKET", &address)
            .env("WATCHDOG_USEC", "100000")
            .env("ARBORLOG_LOG", "info")
            .env("ARBORLOG_LOG_FORMAT", "json")
            .stderr(log);
        let server = Server::logging(command, &ledger.dir, &args);
        let ready = message(&socket);
        assert_eq!(ready, format!("READY=1\nSTATUS=serving at {}", server.url));
        // What it says of itself is so.
        let asked = ["--cacert", tls.as_str(), server.url.as_str(), "--serves"];
        let (code, said) = health(&asked);
        assert_eq!(code, Some(3), "it is at the other address: {said}");
        assert!(said.contains("--admin-listen"), "{said}");
        let admin = admin_url(&ledger);
        assert_eq!(health(&[&admin]).0, Some(0));
        let mut alive = [0; 64];
        let length = socket.recv(&mut alive).unwrap();
        assert_eq!(&alive[..length], b"WATCHDOG=1");
        let (_, before) = curl(&format!("{admin}/metrics"));
        let end = metric(&before, "arborlog_certificate_end_seconds ");
        assert_eq!(end, ends(&tls) as f64);
        // Another certificate, then one that can't be read: each ends with being ready.
        certificate(&ledger, 400);
        assert!(ends(&tls) > first_end + 300 * 86_400);
        for _ in 0..2 {
            server.signal("-HUP");
            let reloads = message(&socket);
            assert!(
                reloads.starts_with("RELOADING=1\nMONOTONIC_USEC="),
                "{reloads}"
            );
            assert_eq!(message(&socket), "READY=1");
            let (_, after) = curl(&format!("{admin}/metrics"));
            let end = metric(&after, "arborlog_certificate_end_seconds ");
            let good = std::fs::read_to_string(&tls).unwrap();
            if good.starts_with("-----") {
                assert_eq!(end, ends(&tls) as f64);
            } else {
                assert!(end > (first_end + 300 * 86_400) as f64);
            }
            std::fs::write(&tls, "no certificate").unwrap();
        }
        server.signal("-TERM");
        assert!(message(&socket).starts_with("STOPPING=1\n"));
        assert_eq!(server.stop(), 0);
        certificate(&ledger, 10);
    }
    // Nobody takes it: that is no reason not to serve.
    let mut command = arborlog();
    command.env("NOTIFY_SOCKET", ledger.path("nowhere"));
    let server = Server::start_by(command, &ledger.dir, &[]);
    assert_eq!(health(&[&server.url]).0, Some(0));
    assert_eq!(server.stop(), 0);
}

/// The address of --admin-listen, as the log says it.
fn admin_url(ledger: &Ledger) -> String {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(ledger.path("log")).unwrap();
        if text.contains(r#""message":"serving""#) && text.ends_with('\n') {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{text}");
    }
    let lines = lines(ledger);
    let address = says(&lines, "serving")["admin"].as_str().unwrap();
    format!("http://{address}")
}

#[test]
fn metrics_and_readiness_are_at_their_own_address_alone_when_they_have_one() {
    let ledger = Ledger::ready();
    let routes = ["/metrics", "/readyz", "/healthz"];
    let described = |url: &str| {
        let (_, document) = curl(&format!("{url}/openapi.json"));
        let document: Value = serde_json::from_str(&document).unwrap();
        let paths = document["paths"].as_object().unwrap().clone();
        routes.map(|route| paths.contains_key(route))
    };
    let together = logging(&ledger, &[]);
    for route in routes {
        assert_eq!(curl(&format!("{}{route}", together.url)).0, 200, "{route}");
    }
    assert_eq!(described(&together.url), [true; 3]);
    assert_eq!(together.stop(), 0);

    let server = logging(&ledger, &["--admin-listen", "127.0.0.1:0"]);
    let admin = admin_url(&ledger);
    for route in routes {
        assert_eq!(curl(&format!("{}{route}", server.url)).0, 404, "{route}");
        assert_eq!(curl(&format!("{admin}{route}")).0, 200, "{route}");
    }
    assert_eq!(described(&server.url), [false; 3]);
    for route in ["/checkpoint", "/v1/totals", "/", "/openapi.json"] {
        assert_eq!(curl(&format!("{}{route}", server.url)).0, 200, "{route}");
        assert_eq!(curl(&format!("{admin}{route}")).0, 404, "{route}");
    }
    // It speaks of the server whose it is: requests to both addresses are counted, and the process is this one.
    let (_, text) = curl(&format!("{admin}/metrics"));
    let checkpoint =
        r#"arborlog_http_requests_total{route="/checkpoint",method="GET",status="200"}"#;
    assert_eq!(metric(&text, checkpoint), 1.0);
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("arborlog_build_info{{version=\"{version}\",commit=\"");
    assert_eq!(metric(&text, &build), 1.0);
    assert!(metric(&text, "arborlog_certificate_end_seconds ").is_nan());
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: f64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    let resident = metric(&text, "process_resident_memory_bytes ");
    assert!(
        resident > 1e6 && resident <= 1024.0 * peak,
        "{resident} of {peak} kB"
    );
    let open = metric(&text, "process_open_fds ");
    assert!(
        open > 5.0 && open <= metric(&text, "process_max_fds "),
        "{open}"
    );
    assert!(metric(&text, "process_cpu_seconds_total ") > 0.0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let age = now.unwrap().as_secs_f64() - metric(&text, "process_start_time_seconds ");
    assert!((-2.0..600.0).contains(&age), "{age}");
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
    assert_eq!(server.stop(), 0);
    assert_eq!(curl(&format!("{admin}/healthz")).0, 0);
}

/// What a command says, and its exit code.
fn said(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_flag_comes_before_a_variable_before_the_file_and_each_is_said() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("arborlog.toml");
    let config = |text: &str, command: &mut Command| {
        std::fs::write(&file, text).unwrap();
        said(command.env("ARBORLOG_CONFIG", &file))
    };
    let text = "log-format = \"json\"\n\n[serve]\ndir = \"/nowhere\"\nlisten = \"127.0.0.1:1\"\nbody-rate = 5\n\
                operator = \"a file\"\nmemory = \"1G\"\ntrusted-proxy = [\"10.0.0.1\", \"10.0.0.2\"]\nfollow = true\n\
                store = \"s3://me:secret@host/b\"\n[witness]\nlisten = \"127.0.0.1:3\"\n";
    let mut command = arborlog();
    command
        .env("ARBORLOG_OPERATOR", "a variable")
        .env("ARBORLOG_LISTEN", "127.0.0.1:2")
        .args(["config", "serve", "--listen", "127.0.0.1:3"]);
    let (code, words, errors) = config(text, &mut command);
    assert_eq!(code, Some(0), "{errors}");
    let line = |name: &str| {
        let found = words
            .lines()
            .find(|line| line.starts_with(&format!("{name} = ")));
        found
            .unwrap_or_else(|| panic!("no {name} in {words}"))
            .to_owned()
    };
    assert_eq!(line("listen"), "listen = \"127.0.0.1:3\" # a flag");
    assert_eq!(
        line("operator"),
        "operator = \"a variable\" # ARBORLOG_OPERATOR"
    );
    let from_file = |number| format!("{}, line {number}", file.display());
    assert_eq!(
        line("dir"),
        format!("dir = \"/nowhere\" # {}", from_file(4))
    );
    assert_eq!(
        line("body-rate"),
        format!("body-rate = 5 # {}", from_file(6))
    );
    assert!(line("memory-bytes").starts_with("memory-bytes = \"1G\""));
    assert!(line("trusted-proxy").starts_with("trusted-proxy = [\"10.0.0.1\", \"10.0.0.2\"]"));
    assert!(line("follow").starts_with("follow = true"));
    assert!(line("log-format").starts_with("log-format = \"json\""));
    assert_eq!(
        line("segment-bytes").rsplit(" # ").next(),
        Some("so by itself")
    );
    assert!(!words.contains("secret"), "{words}");
    // What is printed is a file that says the same.
    let mut again = arborlog();
    let (code, printed, errors) = config(&words, again.args(["config", "serve"]));
    assert_eq!(code, Some(0), "{errors}");
    let settings = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.split(" # ").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(settings(&printed), settings(&words));
    let mut as_json = arborlog();
    let (_, json, _) = config(text, as_json.args(["config", "--json", "serve"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    let settings = json["settings"].as_array().unwrap();
    let dir = settings
        .iter()
        .find(|setting| setting["name"] == "dir")
        .unwrap();
    assert_eq!(
        (&dir["from"], &dir["line"]),
        (&"file".into(), &4.into()),
        "{dir}"
    );
}

#[test]
fn a_setting_that_there_is_not_or_that_can_t_be_is_refused_with_its_line() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("arborlog.toml");
    for (text, says) in [
        (
            "[serve]\ndir = \"x\"\nlisten-to = \"y\"\n",
            "line 3: listen-to: the command has no setting of that name; did you mean listen?",
        ),
        (
            "[server]\n",
            "line 1: server: there is no table of it; did you mean serve?",
        ),
        (
            "[serve]\nfollow = \"yes\"\n",
            "line 2: follow is true or false",
        ),
        (
            "[serve]\nlisten = [\"a\"]\n",
            "line 2: listen has one value, no list",
        ),
        ("[serve]\nlisten = \n", "arborlog.toml"),
        ("[serve]\ndir = \"x\"\nmemory-bytes = \"much\"\n", "line 3"),
        // A table of a command that is not run is looked at too.
        ("[witness]\nlisten-on = 1\n", "line 2: listen-on"),
        ("[serve]\ndir = \"x\"\ntls-cert = \"c\"\n", "--tls-key"),
        (
            "listen = \"x\"\n",
            "line 1: listen: there is no setting of that name for all commands",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let mut command = arborlog();
        command.arg("--config").arg(&file).args(["serve", "--json"]);
        let mut config = arborlog();
        config.arg("--config").arg(&file).args(["config", "serve"]);
        let (code, _, errors) = said(&mut config);
        assert_eq!(code, Some(2), "{text}: {errors}");
        assert!(errors.contains(says), "{text}: {errors}");
    }
    let mut absent = arborlog();
    absent.args(["--config", "/nowhere/a.toml", "config", "serve", "x"]);
    assert_eq!(said(&mut absent).0, Some(3));
}

#[test]
fn the_example_of_a_configuration_file_is_one() {
    for command in ["serve", "witness", "auditor", "monitor"] {
        let mut config = arborlog();
        config.args(["--config", "deploy/arborlog.toml", "config", command]);
        let (code, words, errors) = said(&mut config);
        assert_eq!(code, Some(0), "{command}: {errors}");
        assert!(
            words.contains("deploy/arborlog.toml, line "),
            "{command}: {words}"
        );
    }
}

#[test]
fn doctor_says_what_is_wrong_and_what_to_do() {
    let ledger = Ledger::ready();
    let dir = ledger.dir.to_str().unwrap();
    let doctor = |args: &[&str]| {
        let mut command = arborlog();
        let (code, words, errors) = said(command.args(["doctor", "--json"]).args(args));
        let lines = words
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        (code, lines.collect::<Vec<Value>>(), errors)
    };
    let of = |found: &[Value], check: &str| {
        let found = found.iter().find(|one| one["check"] == check);
        found.unwrap_or_else(|| panic!("no {check}")).clone()
    };
    let server = Server::start(&ledger.dir);
    let (_, found, _) = doctor(&[dir, "--url", &server.url]);
    for check in ["directory", "keys", "server", "intake"] {
        assert_eq!(of(&found, check)["outcome"], "holds", "{found:?}");
    }
    // Another server answers any path, as a witness would, with its time.
    let vkey = run(&[
        "key",
        "vkey",
        &ledger.path("planter.pem"),
        "w.example/w",
        "--cosigns",
    ]);
    let vkey = String::from_utf8(vkey.stdout).unwrap();
    let policy = ledger.path("policy");
    let log = std::fs::read_to_string(ledger.dir.join("log.vkey")).unwrap();
    let write = |url: &str| {
        let text = format!(
            "log {}\nwitness w {} {url}\nquorum w\n",
            log.trim(),
            vkey.trim()
        );
        std::fs::write(&policy, text).unwrap();
    };
    write(&server.url);
    let (_, found, errors) = doctor(&["--policy", &policy]);
    assert_eq!(of(&found, "witness")["outcome"], "holds", "{errors}");
    assert_eq!(of(&found, "clock")["outcome"], "holds", "{found:?}");
    assert_eq!(server.stop(), 0);
    let (code, found, _) = doctor(&["--policy", &policy]);
    assert_eq!(code, Some(1));
    assert_eq!(of(&found, "witness")["outcome"], "false");
    assert!(
        of(&found, "witness")["advice"]
            .as_str()
            .is_some_and(|advice| !advice.is_empty())
    );
    let (code, found, _) = doctor(&[ledger.temp.path().to_str().unwrap()]);
    assert_eq!(code, Some(4), "{found:?}");
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = support::run_ok(&["completions", shell]);
        for word in ["serve", "proposal", "doctor", "cacert"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let temp = tempfile::tempdir().unwrap();
    support::run_ok(&["man", "--out", temp.path().to_str().unwrap()]);
    let page = |name: &str| std::fs::read_to_string(temp.path().join(name)).unwrap();
    assert!(page("arborlog.1").contains(".TH arborlog 1"));
    assert!(page("arborlog-serve.1").contains("ARBORLOG_LISTEN"));
    assert!(page("arborlog-key-show.1").contains("public"));
    assert!(support::run_ok(&["man"]).contains("arborlog"));
}

/// The names in the table of docs/operations.md, "Metrics", and those of a server.
fn named_metrics(served: &str) -> (Vec<String>, Vec<String>) {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let (_, section) = docs.split_once("\n## Metrics\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split(" | ").next().unwrap());
    let named = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let mut named: Vec<String> = named
        .map(|name| name.split('{').next().unwrap().to_owned())
        .collect();
    let types = served
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let mut types: Vec<String> = types
        .map(|line| match line.split_once(' ').unwrap() {
            (name, "counter") => format!("{name}_total"),
            (name, _) => name.to_owned(),
        })
        .collect();
    named.sort();
    types.sort();
    (named, types)
}

#[test]
fn every_metric_of_the_docs_is_there_from_the_start_and_counts() {
    let ledger = Ledger::ready();
    let witness = ledger.path("witness");
    run(&["witness", &witness, "--init", "example.org/witness"]);
    let vkey = std::fs::read_to_string(format!("{witness}/witness.vkey")).unwrap();
    let policy = format!(
        "witness gone {} http://127.0.0.1:9/\nquorum none\n",
        vkey.trim()
    );
    std::fs::write(ledger.path("policy"), policy).unwrap();
    let (policy, elsewhere) = (ledger.path("policy"), ledger.path("last-signed"));
    let mut args = vec!["--policy", &policy, "--last-signed", &elsewhere];
    // No entry comes by itself.
    args.extend(["--state-every-ms", "0", "--cosign-every-ms", "100"]);
    let server = Server::start_with(&ledger.dir, &args);
    let metrics = || curl(&format!("{}/metrics", server.url)).1;
    // The first request is counted when it was answered.
    metrics();
    let begun = Instant::now();
    let first = loop {
        let text = metrics();
        if text.contains("arborlog_cosigner_asks_total{") {
            break text;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{text}");
    };
    let (named, served) = named_metrics(&first);
    assert_eq!(named, served);
    for series in [
        r#"arborlog_intake_records_total{outcome="admitted"} "#,
        r#"arborlog_intake_records_total{outcome="unavailable"} "#,
        r#"arborlog_problems_total{code="store_damaged"} "#,
        r#"arborlog_problems_total{code="sequence_used"} "#,
        "arborlog_commit_duration_seconds_count ",
        "arborlog_fsync_duration_seconds_count ",
        "arborlog_commit_entries_count ",
        "arborlog_commits_failed_total ",
        "arborlog_saves_failed_total ",
        "arborlog_save_duration_seconds_count ",
        r#"arborlog_store_requests_total{operation="create",outcome="unclear"} "#,
        "arborlog_store_request_duration_seconds_count ",
    ] {
        assert_eq!(metric(&first, series), 0.0, "{series}");
    }
    let lag = r#"arborlog_cosigner_lag_seconds{cosigner="gone"} "#;
    assert!(metric(&first, lag).is_nan());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let clock = metric(&first, "arborlog_clock_seconds ");
    assert!((now.unwrap().as_secs_f64() - clock).abs() < 60.0);
    for disk in ["ledger", "last_signed"] {
        let free = format!("arborlog_disk_free_bytes{{disk=\"{disk}\"}} ");
        assert!(metric(&first, &free) > 0.0, "{disk}");
    }
    assert!(metric(&first, "arborlog_connections ") >= 1.0);
    assert!(metric(&first, "arborlog_connections_max ") > 100.0);

    let remote = server.remote();
    let records = ledger.sign(&remote, &ledger.platform, &[award(1, 1), award(2, 2)]);
    for _ in 0..2 {
        let answer = remote.append(&records).unwrap();
        assert!(matches!(answer, BatchAnswer::Admitted(_)));
    }
    let refused = ledger.sign(&remote, &ledger.surveyor, &[award(1, 3)]);
    remote.append(&refused).unwrap();
    let text = metrics();
    for (outcome, records) in [("admitted", 2.0), ("already_in", 2.0), ("refused", 1.0)] {
        let series = format!("arborlog_intake_records_total{{outcome=\"{outcome}\"}} ");
        assert_eq!(metric(&text, &series), records, "{outcome}");
    }
    assert_eq!(metric(&text, "arborlog_commit_entries_sum "), 2.0);
    for series in [
        "commit_entries",
        "commit_duration_seconds",
        "fsync_duration_seconds",
    ] {
        let count = metric(&text, &format!("arborlog_{series}_count "));
        assert_eq!(count, 1.0, "{series}");
    }
    assert!(metric(&text, "arborlog_publish_duration_seconds_count ") >= 1.0);
    let accounts = r#"arborlog_state_items{domain="accounts"} "#;
    assert_eq!(metric(&text, accounts), 2.0);
    let size = metric(&text, "arborlog_tree_size ");
    assert_eq!(metric(&text, "arborlog_unsettled_entries "), size);
    assert_eq!(server.stop(), 0);
}

#[test]
fn requests_to_an_object_store_are_counted_by_what_came_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("file://{}", folder.path().display());
    let ledger = Ledger::init_with(&["--store", &store]);
    let server = Server::start_with(&ledger.dir, &["--store", &store]);
    let text = curl(&format!("{}/metrics", server.url)).1;
    let created = r#"arborlog_store_requests_total{operation="create",outcome="done"} "#;
    let absent = r#"arborlog_store_requests_total{operation="get",outcome="absent"} "#;
    assert!(metric(&text, absent) > 0.0, "{text}");
    assert!(metric(&text, "arborlog_store_request_duration_seconds_count ") > 0.0);
    assert!(metric(&text, created) >= 0.0);
    let unclear = r#"arborlog_store_requests_total{operation="create",outcome="unclear"} "#;
    assert_eq!(metric(&text, unclear), 0.0);
    assert!(metric(&text, r#"arborlog_disk_free_bytes{disk="ledger"} "#).is_nan());
    assert_eq!(metric(&text, "arborlog_fsync_duration_seconds_count "), 0.0);
    assert_eq!(server.stop(), 0);
}
