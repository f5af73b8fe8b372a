//! The proxies of docs/proxy.md, configured as it says, in front of a real server.
#![cfg(feature = "cli")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arborlog::client::{BatchAnswer, Remote};
use arborlog::crypto::SigningKey;
use arborlog::http::Limits;
use arborlog::record::{Role, SignedRecord, Statement};
use support::{Ledger, Server, arborlog, award, body, connect_from};

const PAGE: &str = include_str!("../docs/proxy.md");
const PATIENCE: Duration = Duration::from_secs(20);
/// What the page adds where no public authority certifies a name.
const OWN_AUTHORITY: &str = "tls internal";
/// The client that floods.
const FLOODING: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The one beside it.
const HONEST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// The configuration that the page has for a proxy, with other values in the place of some of its
/// own, each of which stands in it once.
fn configuration(proxy: &str, others: &[(&str, &str)]) -> String {
    let begin = format!("```{proxy}\n");
    let (_, text) = PAGE
        .split_once(&begin)
        .expect("the page has a configuration");
    let (text, _) = text.split_once("```").unwrap();
    others.iter().fold(text.to_owned(), |text, (own, other)| {
        assert_eq!(text.matches(own).count(), 1, "{own}");
        text.replace(own, other)
    })
}

/// Seconds that the page lets a proxy keep a connection to the server.
fn keeps_s(proxy: &str, word: &str) -> u64 {
    let text = configuration(proxy, &[]);
    let after = text.split(word).nth(1).unwrap();
    let seconds = after.trim_start().split('s').next().unwrap();
    seconds.parse().unwrap()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A proxy that runs; ended with the test.
struct Proxy {
    child: Child,
    /// Where it speaks HTTP.
    url: String,
    /// Where it speaks TLS, if it does, and the certificate that it shows.
    tls: Option<(u16, String)>,
    _dir: tempfile::TempDir,
}

impl Proxy {
    /// nginx, with these further changes to the page's text.
    fn nginx(upstream: &str, more: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let (plain, tls) = (free_port(), free_port());
        let (certificate, key) = (path("crt.pem"), path("key.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
            .args(["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-keyout", &key, "-out", &certificate])
            .args(["-subj", "/CN=ledger.example.org"])
            .args(["-addext", "subjectAltName=DNS:ledger.example.org"])
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success(), "openssl makes no certificate");
        let listen = format!("listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;");
        let upstream = format!("server {upstream};");
        let mut others = vec![
            ("server 127.0.0.1:8080;", upstream.as_str()),
            ("listen 443 ssl;", listen.as_str()),
            ("/etc/nginx/ledger.example.org.crt", certificate.as_str()),
            ("/etc/nginx/ledger.example.org.key", key.as_str()),
        ];
        others.extend_from_slice(more);
        std::fs::write(path("page.conf"), configuration("nginx", &others)).unwrap();
        // What stands around the page's text in a whole configuration.
        let around = format!(
            "user root; pid {0}/pid; error_log stderr error; daemon off; events {{}}\n\
             http {{ access_log off; client_body_temp_path {0}/body; proxy_temp_path {0}/proxy;\n\
             fastcgi_temp_path {0}/fastcgi; uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;\n\
             include {0}/page.conf; }}\n",
            dir.path().display()
        );
        std::fs::write(path("nginx.conf"), around).unwrap();
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-c", &path("nginx.conf")]);
        let mut proxy = Self::start(command, plain, dir);
        proxy.tls = Some((tls, certificate));
        proxy
    }

    /// Caddy without TLS: nobody gives a certificate for the page's name.
    fn caddy(upstream: &str) -> Self {
        let port = free_port();
        Self::caddy_at(upstream, port, &format!("http://:{port} {{"))
    }

    /// Caddy with certificates by its own authority, as the page has it for such names. It answers to
    /// a second name too, under which a client finds it without a name server.
    fn caddy_with_tls(upstream: &str) -> Self {
        let port = free_port();
        let names = format!(
            "https://ledger.example.org:{port}, https://localhost:{port} {{\n    {OWN_AUTHORITY}"
        );
        let mut proxy = Self::caddy_at(upstream, port, &names);
        let root = "caddy/pki/authorities/local/root.crt";
        let root = proxy._dir.path().join(root);
        let begun = Instant::now();
        // The certificates of its names come after the authority's; who asks before they are there gets no answer.
        let names = ["ledger.example.org", "localhost"];
        let made = names.map(|name| {
            let file = format!("caddy/certificates/local/{name}/{name}.crt");
            proxy._dir.path().join(file)
        });
        while !(root.exists() && made.iter().all(|file| file.exists())) {
            assert!(begun.elapsed() < PATIENCE, "Caddy makes no certificates");
            std::thread::sleep(Duration::from_millis(20));
        }
        proxy.tls = Some((port, root.to_str().unwrap().to_owned()));
        proxy
    }

    fn caddy_at(upstream: &str, port: u16, names: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let upstream = format!("reverse_proxy {upstream} {{");
        let text = configuration(
            "caddy",
            &[
                ("ledger.example.org {", names),
                ("reverse_proxy 127.0.0.1:8080 {", &upstream),
            ],
        );
        let file = dir.path().join("Caddyfile");
        // Neither this machine's port 80 nor its authorities are touched.
        let options =
            "{\n    admin off\n    skip_install_trust\n    auto_https disable_redirects\n}\n";
        std::fs::write(&file, format!("{options}{text}")).unwrap();
        let mut command = Command::new("caddy");
        command
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(&file)
            .env("HOME", dir.path())
            .env("XDG_DATA_HOME", dir.path())
            .env("XDG_CONFIG_HOME", dir.path());
        Self::start(command, port, dir)
    }

    fn start(mut command: Command, port: u16, dir: tempfile::TempDir) -> Self {
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let name = command.get_program().to_owned();
        let child = command.stdout(Stdio::null()).stderr(log).spawn();
        let child = child
            .unwrap_or_else(|error| panic!("{name:?}: {error}; apt-get install nginx-light caddy"));
        let mut proxy = Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
            tls: None,
            _dir: dir,
        };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = proxy.child.try_wait().unwrap();
            let said = std::fs::read_to_string(proxy._dir.path().join("log")).unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{said}");
            std::thread::sleep(Duration::from_millis(20));
        }
        proxy
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// curl with these arguments and a path, by TLS where the proxy has it, as the page's host.
    fn curl(&self, args: &[&str], path: &str) -> String {
        let mut command = Command::new("curl");
        command.args(["-s", "-i", "--max-time", "20"]).args(args);
        match &self.tls {
            Some((port, certificate)) => command
                .args(["--cacert", certificate, "--resolve"])
                .arg(format!("ledger.example.org:{port}:127.0.0.1"))
                .arg(format!("https://ledger.example.org:{port}{path}")),
            None => command
                .args(["-H", "Host: ledger.example.org"])
                .arg(format!("{}{path}", self.url)),
        };
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // nginx's workers end with their master only if that is asked.
        let _ = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}

/// The head of a request, as a server behind a proxy sees it.
fn head_behind(proxy: impl FnOnce(&str) -> Proxy) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = proxy(&listener.local_addr().unwrap().to_string());
    let behind = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).unwrap();
        String::from_utf8(head).unwrap().to_lowercase()
    });
    let answer = proxy.curl(&["-H", "X-Forwarded-For: 203.0.113.9"], "/checkpoint");
    assert!(answer.contains(" 200"), "{answer}");
    behind.join().unwrap()
}

/// Reads what a stream of events brings, until it brings this.
fn brings(stream: &mut TcpStream, wanted: &str) {
    let begun = Instant::now();
    let mut text = String::new();
    let mut bytes = [0; 4096];
    while !text.contains(wanted) {
        assert!(begun.elapsed() < PATIENCE, "{text}");
        match stream.read(&mut bytes) {
            Ok(0) => panic!("it ended: {text}"),
            Ok(read) => text.push_str(&String::from_utf8_lossy(&bytes[..read])),
            Err(_) => {}
        }
    }
}

/// Sends a file of awards with `submit`; gives the number of entries before and after.
fn submit(ledger: &Ledger, name: &str, awards: std::ops::Range<u64>, url: &str) {
    let lines = awards.map(|n| {
        let statement: Statement = award(n, n);
        serde_json::to_string(&statement).unwrap() + "\n"
    });
    std::fs::write(ledger.path(name), lines.collect::<String>()).unwrap();
    let output = arborlog()
        .args(["submit", &ledger.path(name), "--to", url, "--key"])
        .arg(ledger.path("platform.pem"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Number of entries, without seals.
fn entries(remote: &Remote) -> u64 {
    support::entries::said(remote)
}

/// What everybody does through a proxy, of a server that takes bodies of 100,000 bytes.
fn serves_through(start: impl FnOnce(&str) -> Proxy) {
    let ledger = Ledger::init();
    let server = Server::start_with(
        &ledger.dir,
        &[
            "--body-bytes",
            "100000",
            "--public-url",
            "https://ledger.example.org",
            "--trusted-proxy",
            "127.0.0.1",
        ],
    );
    ledger.set_up(&server.remote());
    let other = SigningKey::from_seed(&[66; 32]);
    ledger.grant(&server.remote(), &other, Role::Platform, "app");
    let proxy = start(server.url.strip_prefix("http://").unwrap());
    let remote = Remote::new(&proxy.url).retrying_for(PATIENCE);

    // Somebody watches, and an entry comes at once.
    let mut watching = TcpStream::connect(proxy.address()).unwrap();
    let ask = b"GET /live HTTP/1.1\r\nhost: ledger.example.org\r\n\r\n";
    watching.write_all(ask).unwrap();
    watching
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    brings(&mut watching, "text/event-stream");
    let before = entries(&remote);
    let records = ledger.sign(&remote, &other, &[award(900, 1), award(900, 2)]);
    let BatchAnswer::Admitted(indexes) = remote.append(&records).unwrap() else {
        panic!("refused");
    };
    assert_eq!(indexes.len(), 2);
    brings(&mut watching, &format!("\"size\":{}", before + 2));

    // What is too large for the server is told as it says it, and sent in parts.
    std::fs::write(ledger.path("large"), vec![0; 200_000]).unwrap();
    let data = format!("@{}", ledger.path("large"));
    let octets = "Content-Type: application/octet-stream";
    let post = ["-H", octets, "-H", "Expect:", "--data-binary", &data];
    let answer = proxy.curl(&post, "/v1/records");
    assert!(
        answer.contains(" 413") && answer.contains("batch_too_large"),
        "{answer}"
    );
    submit(&ledger, "awards.ndjson", 10..1_010, &proxy.url);
    assert_eq!(entries(&remote), before + 1_002);

    // Pages lead to the address that the world knows.
    let page = proxy.curl(&[], "/check");
    assert!(page.contains("https://ledger.example.org "), "{page}");
    assert!(!page.contains("127.0.0.1"), "{page}");
    drop(watching);
    drop(proxy);
    assert_eq!(server.stop(), 0);
}

#[test]
fn nginx_serves_as_the_page_has_it() {
    serves_through(|upstream| Proxy::nginx(upstream, &[]));
    let head = head_behind(|upstream| Proxy::nginx(upstream, &[]));
    assert!(head.contains("host: ledger.example.org\r\n"), "{head}");
    assert!(
        head.contains("x-forwarded-for: 203.0.113.9, 127.0.0.1\r\n"),
        "{head}"
    );
    assert!(head.contains("x-forwarded-proto: https\r\n"), "{head}");
    assert!(!head.contains("connection: close"), "{head}");
}

#[test]
fn caddy_serves_as_the_page_has_it() {
    serves_through(Proxy::caddy);
    let head = head_behind(Proxy::caddy);
    assert!(head.contains("host: ledger.example.org\r\n"), "{head}");
    // What the client wrote of itself is gone.
    assert!(head.contains("x-forwarded-for: 127.0.0.1\r\n"), "{head}");
    assert!(head.contains("x-forwarded-proto: http\r\n"), "{head}");
}

/// The first line of what a proxy answers to a client with an address; the connection stays open.
fn watch_from(from: Ipv4Addr, proxy: &Proxy) -> (String, TcpStream) {
    let mut stream = connect_from(from, proxy.address()).unwrap();
    let ask = b"GET /live HTTP/1.1\r\nhost: ledger.example.org\r\n\r\n";
    stream.write_all(ask).unwrap();
    let mut line = [0; 12];
    stream.read_exact(&mut line).unwrap();
    (String::from_utf8_lossy(&line[9..]).into_owned(), stream)
}

/// Posts a body through a proxy from an address; gives the answer.
fn post_from(from: Ipv4Addr, proxy: &Proxy, kind: &str, body: &[u8]) -> String {
    let head = format!(
        "POST /v1/records HTTP/1.1\r\nhost: ledger.example.org\r\nconnection: close\r\n\
         content-type: application/{kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = Vec::new();
    if let Ok(mut stream) = connect_from(from, proxy.address())
        && stream.write_all(&[head.as_bytes(), body].concat()).is_ok()
    {
        let _ = stream.read_to_end(&mut answer);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// What clients share is shared out by their own addresses, where the server knows the proxy: one that
/// takes all that it can get leaves another one its part.
fn shares_out_through(start: impl Fn(&str) -> Proxy) {
    let ledger = Ledger::init();
    let upstream = |server: &Server| server.url.strip_prefix("http://").unwrap().to_owned();
    // Where it does not, all clients of the proxy are one.
    let server = Server::start(&ledger.dir);
    let proxy = start(&upstream(&server));
    let watching: Vec<_> = (0..80).map(|_| watch_from(FLOODING, &proxy)).collect();
    assert_eq!(watching.last().unwrap().0, "503");
    assert_eq!(watch_from(HONEST, &proxy).0, "503");
    drop((watching, proxy));
    assert_eq!(server.stop(), 0);

    let server = Server::start_with(&ledger.dir, &["--trusted-proxy", "127.0.0.1"]);
    let remote = server.remote();
    ledger.set_up(&remote);
    let proxy = start(&upstream(&server));
    let watching: Vec<_> = (0..80).map(|_| watch_from(FLOODING, &proxy)).collect();
    assert_eq!(watching.last().unwrap().0, "503");
    let honest = watch_from(HONEST, &proxy);
    assert_eq!(honest.0, "200", "the one that floods has every place");

    // Bodies that take long to decode, and are refused at their end.
    let record = format!(
        "{{\"record\":\"{}\",\"signature\":\"{}\"}}",
        "A".repeat(400),
        "A".repeat(86) + "=="
    );
    let junk = format!("[{}", vec![record; 14_000].join(","));
    assert!(junk.len() > 6 << 20 && junk.len() < 8 << 20);
    let statements: Vec<Statement> = (0..2_000).map(|event| award(event % 50, event)).collect();
    let records = ledger.sign(&remote, &ledger.platform, &statements);
    let mut records = records.into_iter();
    let append = |record: SignedRecord| {
        let begun = Instant::now();
        let record = body(&[record]);
        let answer = post_from(HONEST, &proxy, "octet-stream", &record);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        begun.elapsed()
    };
    let (over, floods) = (AtomicBool::new(false), std::sync::atomic::AtomicU64::new(0));
    let mut took: Vec<Duration> = std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let answer = post_from(FLOODING, &proxy, "json", junk.as_bytes());
                    let refused =
                        answer.contains("json_malformed") || answer.contains("memory_full");
                    assert!(refused || answer.is_empty(), "{answer}");
                    floods.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let begun = Instant::now();
        let mut took = Vec::new();
        while begun.elapsed() < Duration::from_secs(4) {
            took.push(append(records.next().unwrap()));
        }
        over.store(true, Ordering::SeqCst);
        took
    });
    took.sort_unstable();
    let p99 = took[(took.len() * 99).div_ceil(100) - 1];
    let floods = floods.into_inner();
    eprintln!("{} appends beside {floods} floods, p99 {p99:?}", took.len());
    assert!(floods > 6, "no flood");
    assert!(p99 <= Duration::from_secs(1), "{p99:?}");
    drop((watching, honest, proxy));
    assert_eq!(server.stop(), 0);
}

#[test]
fn one_client_of_nginx_does_not_keep_others_from_being_served() {
    shares_out_through(|upstream| Proxy::nginx(upstream, &[]));
}

#[test]
fn one_client_of_caddy_does_not_keep_others_from_being_served() {
    shares_out_through(Proxy::caddy);
}

#[test]
fn caddy_ends_tls_by_an_authority_of_its_own() {
    assert!(PAGE.contains(&format!("`{OWN_AUTHORITY}`")));
    let ledger = Ledger::init();
    let server = Server::start_with(&ledger.dir, &["--trusted-proxy", "127.0.0.1"]);
    ledger.set_up(&server.remote());
    let proxy = Proxy::caddy_with_tls(server.url.strip_prefix("http://").unwrap());
    let answer = proxy.curl(&[], "/checkpoint");
    assert!(
        answer.contains(" 200") && answer.contains("test.example/ledger"),
        "{answer}"
    );
    // Pages lead to https, which the server itself does not speak here.
    let page = proxy.curl(&[], "/check");
    assert!(page.contains("https://ledger.example.org"), "{page}");

    let (port, root) = proxy.tls.clone().unwrap();
    let url = format!("https://localhost:{port}");
    let before = entries(&server.remote());
    let line = serde_json::to_string(&award(1, 1)).unwrap() + "\n";
    std::fs::write(ledger.path("awards.ndjson"), line).unwrap();
    let submit = |more: &[&str]| {
        let mut command = arborlog();
        command
            .args([
                "submit",
                &ledger.path("awards.ndjson"),
                "--to",
                &url,
                "--key",
            ])
            .arg(ledger.path("platform.pem"))
            .args(more);
        command.output().unwrap()
    };
    let unknown = submit(&[]);
    assert!(
        !unknown.status.success(),
        "nobody vouches for that authority"
    );
    let known = submit(&["--cacert", &root]);
    let said = String::from_utf8_lossy(&known.stderr).into_owned();
    assert!(known.status.success(), "{said}");
    assert_eq!(entries(&server.remote()), before + 1);
    drop(proxy);
    let head = head_behind(Proxy::caddy_with_tls);
    assert!(head.contains("host: ledger.example.org"), "{head}");
    assert!(head.contains("x-forwarded-for: 127.0.0.1\r\n"), "{head}");
    assert!(head.contains("x-forwarded-proto: https\r\n"), "{head}");
    assert_eq!(server.stop(), 0);
}

#[test]
fn submit_halves_what_nginx_itself_finds_too_large() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    ledger.set_up(&server.remote());
    let upstream = server.url.strip_prefix("http://").unwrap();
    let small = [("client_max_body_size 8m;", "client_max_body_size 40k;")];
    let proxy = Proxy::nginx(upstream, &small);
    let before = entries(&server.remote());
    submit(&ledger, "awards.ndjson", 0..1_000, &proxy.url);
    assert_eq!(entries(&server.remote()), before + 1_000);
    drop(proxy);
    assert_eq!(server.stop(), 0);
}

#[test]
fn proxies_close_idle_connections_before_the_server_does() {
    let server_s = Limits::default().idle_timeout.as_secs();
    for (proxy, word) in [("nginx", "keepalive_timeout "), ("caddy", "keepalive ")] {
        assert!(keeps_s(proxy, word) + 10 <= server_s, "{proxy}");
    }
    assert!(PAGE.contains(&format!("({server_s} s, `--idle-timeout-s`)")));
    let body_bytes = Limits::default().body_bytes;
    assert!(PAGE.contains(&format!("client_max_body_size {}m;", body_bytes >> 20)));
    let request_s = Limits::default().request_timeout.as_secs();
    assert!(keeps_s("nginx", "proxy_read_timeout ") > request_s);
}
