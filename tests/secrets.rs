//! Private keys stay where they are, and TLS is what it says.
#![cfg(feature = "cli")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use support::{Ledger, Server, award, files, program, run};

fn mode(path: &str, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn key_files_that_others_can_read_are_refused() {
    let ledger = Ledger::init();
    let dir = ledger.dir.to_str().unwrap();
    let log_key = ledger.dir.join("keys/log.pem");
    let (log_key, governor) = (log_key.to_str().unwrap(), ledger.path("governor-1.pem"));
    let fresh = ledger.path("fresh");
    let serve = ["serve", dir, "--listen", "127.0.0.1:0"];
    let init = [
        "init",
        &fresh,
        "--origin",
        "a.example/b",
        "--programme",
        "x",
        "--governor",
        &governor,
    ];
    let statements = ledger.path("statements.ndjson");
    std::fs::write(&statements, "").unwrap();
    let submit = [
        "submit",
        &statements,
        "--to",
        "http://127.0.0.1:9",
        "--key",
        &governor,
    ];
    for (key, command) in [
        (log_key, &serve[..]),
        (&governor, &init[..]),
        (&governor, &submit[..]),
    ] {
        for open in [0o644, 0o640, 0o604, 0o660] {
            mode(key, open);
            let output = run(command);
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(3), "{command:?}: {words}");
            assert!(words.contains(&format!("run: chmod 600 {key}")), "{words}");
        }
        mode(key, 0o600);
    }
    assert!(!Path::new(&fresh).join("VERSION").exists());
}

/// A key file's 32 secret bytes.
fn secret(pem: &Path) -> Vec<u8> {
    let text = std::fs::read_to_string(pem).unwrap();
    let lines: String = text
        .lines()
        .filter(|line| !line.starts_with("--"))
        .collect();
    let bytes = STANDARD.decode(lines).unwrap();
    bytes[bytes.len() - 32..].to_vec()
}

/// Where a secret is found in bytes, in any spelling.
fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    let hexadecimal: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    // Base64 of it has three spellings in the middle of a text; any eight bytes will do.
    let spellings = [
        secret[8..24].to_vec(),
        hexadecimal.clone().into_bytes()[..24].to_vec(),
        hexadecimal.to_uppercase().into_bytes()[..24].to_vec(),
        STANDARD.encode(secret).into_bytes()[..20].to_vec(),
        STANDARD.encode(&secret[1..]).into_bytes()[..20].to_vec(),
        STANDARD.encode(&secret[2..]).into_bytes()[..20].to_vec(),
        format!("{:?}", &secret[..12])
            .trim_matches(['[', ']'])
            .to_owned()
            .into_bytes(),
    ];
    let found = |spelling: &Vec<u8>| bytes.windows(spelling.len()).any(|it| it == spelling);
    spellings.iter().any(found)
}

#[test]
fn no_secret_is_in_logs_answers_arguments_or_other_files() {
    let ledger = Ledger::init();
    let key_files: Vec<PathBuf> = files(ledger.temp.path())
        .into_iter()
        .filter(|path| path.extension().is_some_and(|it| it == "pem"))
        .collect();
    assert!(key_files.len() >= 6);
    let secrets: Vec<Vec<u8>> = key_files.iter().map(|path| secret(path)).collect();
    assert!(
        holds(&std::fs::read(&key_files[0]).unwrap(), &secrets[0]),
        "the search finds what is there"
    );

    let log = ledger.temp.path().join("server.log");
    let mut command = Command::new(program());
    command.stderr(std::fs::File::create(&log).unwrap());
    command.env("ARBORLOG_LOG", "trace");
    let server = Server::logging(command, &ledger.dir, &["--entries-per-save", "2"]);
    let remote = server.remote();
    ledger.set_up(&remote);
    for event in 0..5 {
        remote
            .append(&ledger.sign(&remote, &ledger.platform, &[award(1, event)]))
            .unwrap();
    }
    let mut answers = Vec::new();
    for path in [
        "metrics",
        "openapi.json",
        "readyz",
        "checkpoint",
        "v1/totals",
        "v1/entries/0",
        "nowhere",
    ] {
        let output = Command::new("curl")
            .args(["-s", &format!("{}/{path}", server.url)])
            .output();
        answers.extend(output.unwrap().stdout);
    }
    let process = PathBuf::from(format!("/proc/{}", server.pid()));
    answers.extend(std::fs::read(process.join("cmdline")).unwrap());
    answers.extend(std::fs::read(process.join("environ")).unwrap());
    // Errors that name a key file, of commands that read one.
    for command in [
        [
            "endorse",
            "/nowhere.json",
            "--key",
            key_files[0].to_str().unwrap(),
        ],
        [
            "submit",
            key_files[0].to_str().unwrap(),
            "--to",
            &server.url,
        ],
    ] {
        let output = run(&command);
        answers.extend(output.stdout);
        answers.extend(output.stderr);
    }
    assert_eq!(server.stop(), 0);
    let written = std::fs::read(&log).unwrap();
    assert!(written.len() > 100, "it logs");
    for secret in &secrets {
        assert!(!holds(&written, secret), "in the log");
        assert!(
            !holds(&answers, secret),
            "in an answer, an error or an argument"
        );
        for path in files(ledger.temp.path()) {
            if !key_files.contains(&path) {
                assert!(
                    !holds(&std::fs::read(&path).unwrap(), secret),
                    "in {}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn a_crash_leaves_no_core_file() {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.trim() != "core" {
        eprintln!("core files go to {pattern:?} here: this test can't see one");
    }
    for (told, expected) in [(false, false), (true, pattern.trim() == "core")] {
        let ledger = Ledger::init();
        let crashed = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\"", &program()]);
        command.current_dir(crashed.path());
        if told {
            command.env("ARBORLOG_CORE_DUMPS", "1");
        }
        let mut server = Server::start_by(command, &ledger.dir, &[]);
        server.signal("-ABRT");
        server.child.wait().unwrap();
        let left = std::fs::read_dir(crashed.path()).unwrap().count();
        assert_eq!(
            left > 0,
            expected,
            "core files where ARBORLOG_CORE_DUMPS is set: {told}"
        );
    }
}

/// A certificate for localhost that signs itself.
fn certificate(dir: &Path, name: &str) -> (String, String) {
    let path = |end: &str| {
        dir.join(format!("{name}.{end}"))
            .to_str()
            .unwrap()
            .to_owned()
    };
    let (certificate, key) = (path("crt"), path("key"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args([
            "-days",
            "30",
            "-subj",
            &format!("/CN={name}"),
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .args(["-keyout", &key, "-out", &certificate])
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    mode(&key, 0o600);
    (certificate, key)
}

fn trusts(url: &str, authority: &str) -> bool {
    let port = url.rsplit_once(':').unwrap().1;
    let output = Command::new("curl")
        .args([
            "-s",
            "-m",
            "10",
            "--cacert",
            authority,
            &format!("https://localhost:{port}/healthz"),
        ])
        .output()
        .unwrap();
    output.stdout == b"ok\n"
}

#[test]
fn tls_is_served_and_its_certificate_is_replaced_without_a_stop() {
    let ledger = Ledger::init();
    let dir = ledger.temp.path();
    let (first, first_key) = certificate(dir, "first");
    let (second, second_key) = certificate(dir, "second");
    let serve = |certificate: &str, key: &str| {
        run(&[
            "serve",
            ledger.dir.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
            "--tls-cert",
            certificate,
            "--tls-key",
            key,
        ])
    };
    // A key that others can read, one of another certificate, files that are none.
    mode(&first_key, 0o640);
    assert_eq!(serve(&first, &first_key).status.code(), Some(2));
    mode(&first_key, 0o600);
    for (certificate, key) in [
        (&first, &second_key),
        (&first_key, &first_key),
        (&first, &first),
        (&first, &"/nowhere".to_owned()),
    ] {
        mode(&first, 0o600);
        let output = serve(certificate, key);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words}");
    }
    let (now, now_key) = (ledger.path("now.crt"), ledger.path("now.key"));
    let put = |certificate: &str, key: &str| {
        std::fs::copy(certificate, &now).unwrap();
        std::fs::copy(key, &now_key).unwrap();
    };
    put(&first, &first_key);
    let server = Server::start_with(
        &ledger.dir,
        &[
            "--tls-cert",
            &now,
            "--tls-key",
            &now_key,
            "--head-timeout-s",
            "1",
        ],
    );
    assert!(server.url.starts_with("https://"));
    assert!(trusts(&server.url, &first) && !trusts(&server.url, &second));
    let hang_up = || {
        server.signal("-HUP");
    };
    // What is no certificate changes nothing; what is one is used from then on.
    std::fs::write(&now, "nothing").unwrap();
    hang_up();
    std::thread::sleep(Duration::from_millis(200));
    assert!(trusts(&server.url, &first));
    put(&second, &second_key);
    hang_up();
    let until = Instant::now() + Duration::from_secs(10);
    while !trusts(&server.url, &second) {
        assert!(Instant::now() < until, "the certificate was not read again");
    }
    assert!(!trusts(&server.url, &first));
    // Who speaks plainly, or not at all, is cut off and harms nobody.
    let address = server.url.strip_prefix("https://").unwrap();
    let mut plain = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut plain, b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut silent = std::net::TcpStream::connect(address).unwrap();
    silent
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut silent, &mut answer).unwrap();
    assert!(answer.is_empty());
    assert!(trusts(&server.url, &second));
    assert_eq!(server.stop(), 0);
    // And a stop does not wait for one that has not even begun to speak.
    let arguments = [
        "--tls-cert",
        &now,
        "--tls-key",
        &now_key,
        "--head-timeout-s",
        "600",
    ];
    let server = Server::start_with(&ledger.dir, &arguments);
    let address = server.url.strip_prefix("https://").unwrap();
    let _silent = std::net::TcpStream::connect(address).unwrap();
    assert!(trusts(&server.url, &second));
    assert_eq!(server.stop(), 0);
}
