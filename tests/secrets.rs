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
    assert_eq!(serve(&first, &first_key).status.code(), Some(3));
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

/// OpenSSH's own agent, on a socket of its own.
struct SshAgent {
    child: std::process::Child,
    socket: PathBuf,
}

impl SshAgent {
    fn start(socket: &Path) -> Self {
        let mut child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(socket)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(socket).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "no ssh-agent");
            assert!(child.try_wait().unwrap().is_none(), "ssh-agent ended");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self {
            child,
            socket: socket.to_owned(),
        }
    }

    /// Moves the key of a file into the agent: the public half stays, in a file beside it.
    fn takes(&self, pem: &Path) -> PathBuf {
        let public = arborlog::crypto::SigningKey::read(pem).unwrap().public();
        // SSH_AGENTC_ADD_IDENTITY, by RFC 9987, section 3.2.2.
        let mut message = vec![17];
        let seed = secret(pem);
        let mut add = |string: &[u8]| {
            message.extend_from_slice(&u32::try_from(string.len()).unwrap().to_be_bytes());
            message.extend_from_slice(string);
        };
        add(b"ssh-ed25519");
        add(public.as_bytes());
        add(&[seed.as_slice(), public.as_bytes()].concat());
        add(b"a test");
        let mut stream = std::os::unix::net::UnixStream::connect(&self.socket).unwrap();
        let length = u32::try_from(message.len()).unwrap();
        std::io::Write::write_all(&mut stream, &length.to_be_bytes()).unwrap();
        std::io::Write::write_all(&mut stream, &message).unwrap();
        let mut answer = [0; 5];
        std::io::Read::read_exact(&mut stream, &mut answer).unwrap();
        assert_eq!(answer, [0, 0, 0, 1, 6], "SSH_AGENT_SUCCESS");
        let public_half = pem.with_extension("pub");
        std::fs::write(&public_half, format!("{}\n", public.to_openssh())).unwrap();
        std::fs::remove_file(pem).unwrap();
        public_half
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = support::arborlog();
        command.env("SSH_AUTH_SOCK", &self.socket).args(args);
        command
    }

    /// Runs a command: its exit code, and all that it says.
    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.command(args).output().unwrap();
        let words = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(words).unwrap())
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

#[test]
fn keys_in_an_ssh_agent_sign_for_logs_governors_and_platforms_and_a_lost_agent_signs_nothing() {
    let ledger = Ledger::ready();
    let socket = ledger.temp.path().join("agent");
    let agent = SshAgent::start(&socket);
    let log_key = ledger.dir.join("keys/log.pem");
    let kept = std::fs::read(&log_key).unwrap();
    let log_public_half = agent.takes(&log_key);
    let governor = agent.takes(Path::new(&ledger.path("governor-1.pem")));
    let governor = governor.to_str().unwrap();

    // A governor proposes by it, and what it signed holds.
    let proposal = ledger.path("proposal.json");
    let fresh = ledger.path("bench.pem");
    let grantee = support::run_ok(&["keygen", &fresh]);
    let server = Server::start_by(agent.command(&[]), &ledger.dir, &[]);
    let url = server.url.clone();
    let grant = [
        "grant",
        "--grantee",
        grantee.trim(),
        "--role",
        "platform",
        "--holder",
        "bench",
        "--name",
        "Bench",
        "--key",
        governor,
        "--out",
        &proposal,
        "--from",
        &url,
    ];
    assert_eq!(agent.run(&grant).0, Some(0));
    let bench = agent.takes(Path::new(&fresh));
    let bench = bench.to_str().unwrap();
    let shown = support::run_ok(&["proposal", "show", &proposal]);
    assert!(
        shown.contains("must sign   1 more of the governors"),
        "{shown}"
    );
    assert!(
        shown.contains(grantee.trim()) && shown.contains("until  "),
        "{shown}"
    );
    assert_eq!(
        agent.run(&["endorse", &proposal, "--key", bench]).0,
        Some(0)
    );
    let other = ledger.path("governor-2.pem");
    support::run_ok(&["endorse", &proposal, "--key", &other]);
    support::run_ok(&["submit", &proposal, "--to", &url]);

    // A platform's load is signed by it, and the log's checkpoint over each batch.
    let load = [
        "bench",
        "--to",
        &url,
        "--key",
        bench,
        "--records",
        "20",
        "--batch",
        "10",
        "--json",
    ];
    let (code, words) = agent.run(&load);
    assert_eq!(code, Some(0), "{words}");
    let line = words.lines().find(|line| line.starts_with('{')).unwrap();
    let report: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&report["records"], &report["batches"]),
        (&20.into(), &2.into()),
        "{report}"
    );
    // A key that real records are signed with is not taken for that.
    let platform = ledger.path("platform.pem");
    let (code, words) = agent.run(&["bench", "--to", &url, "--key", &platform]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("--holder bench"), "{words}");

    // Without the agent neither a writer nor the log signs, and nothing is acknowledged.
    let remote = server.remote().retrying_for(Duration::ZERO);
    let records = ledger.sign(&remote, &ledger.platform, &[award(1, 1)]);
    let before = remote.text("checkpoint").unwrap();
    drop(agent);
    let lost = support::arborlog()
        .env("SSH_AUTH_SOCK", &socket)
        .args(load)
        .output()
        .unwrap();
    let words = String::from_utf8(lost.stderr).unwrap();
    assert_eq!(lost.status.code(), Some(3), "{words}");
    assert!(words.contains("can't be reached"), "{words}");
    let object: serde_json::Value = serde_json::from_slice(&lost.stdout).unwrap();
    assert_eq!(object["code"], "not_signed", "{object}");
    let refused = remote.append(&records);
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(remote.text("checkpoint").unwrap(), before);
    assert!(matches!(
        remote.admits(Duration::from_secs(5)),
        Ok(arborlog::client::Health::Unwell(_))
    ));
    server.kill();
    // Nor does it start.
    let serve = [
        "serve",
        ledger.dir.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ];
    let output = support::arborlog()
        .env("SSH_AUTH_SOCK", &socket)
        .args(serve)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");

    // With the key again, here from a variable, the same bytes are acknowledged, once.
    std::fs::remove_file(log_public_half).unwrap();
    let mut command = support::arborlog();
    command
        .env("PEM", String::from_utf8(kept).unwrap())
        .env("ARBORLOG_LOG_KEY", "env:PEM");
    let server = Server::start_by(command, &ledger.dir, &[]);
    let answer = server.remote().append(&records).unwrap();
    assert!(
        matches!(answer, arborlog::client::BatchAnswer::Admitted(indexes) if indexes.len() == 1)
    );
    assert_eq!(server.stop(), 0);
    support::run_ok(&["fsck", ledger.dir.to_str().unwrap()]);
}

#[test]
fn an_agent_that_does_not_answer_or_answers_nonsense_signs_nothing_in_bounded_time() {
    use arborlog::crypto::{Agent, AgentFault, Sign as _, SigningKey};
    let temp = tempfile::tempdir().unwrap();
    let key = SigningKey::from_seed(&[7; 32]).public();
    let within = Duration::from_millis(100);
    let asks = |name: &str, answer: Option<Vec<u8>>| {
        let socket = temp.path().join(name);
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 4];
            std::io::Read::read_exact(&mut stream, &mut asked).unwrap();
            let mut asked = vec![0; u32::from_be_bytes(asked) as usize];
            std::io::Read::read_exact(&mut stream, &mut asked).unwrap();
            match answer {
                Some(answer) => std::io::Write::write_all(&mut stream, &answer).unwrap(),
                // Until the one who asked goes.
                None => drop(std::io::Read::read(&mut stream, &mut [0])),
            }
        });
        let signed = Agent::new(&socket, within)
            .key(key)
            .unwrap()
            .try_sign(b"a message");
        answering.join().unwrap();
        signed.unwrap_err().why
    };
    let late = asks("silent", None);
    assert!(matches!(late, AgentFault::Late { .. }), "{late}");
    let refused = asks("refuses", Some(vec![0, 0, 0, 1, 5]));
    assert!(matches!(refused, AgentFault::Refused { .. }), "{refused}");
    // The signature of another key over the same message.
    let other = SigningKey::from_seed(&[8; 32]).sign(b"a message");
    let mut blob = [&[0, 0, 0, 11][..], b"ssh-ed25519", &[0, 0, 0, 64]].concat();
    blob.extend_from_slice(other.as_bytes());
    let mut answer = vec![14, 0, 0, 0, u8::try_from(blob.len()).unwrap()];
    answer.extend_from_slice(&blob);
    let mut framed = u32::try_from(answer.len()).unwrap().to_be_bytes().to_vec();
    framed.extend_from_slice(&answer);
    for (name, answer) in [
        ("false", framed.clone()),
        ("cut", framed[..60].to_vec()),
        ("huge", vec![0xff; 8]),
        ("empty", vec![0, 0, 0, 0]),
        ("other", b"HTTP/1.1 400 Bad Request\r\n".to_vec()),
    ] {
        let faulty = asks(name, Some(answer));
        assert!(
            matches!(faulty, AgentFault::Faulty { .. }),
            "{name}: {faulty}"
        );
    }
    let absent = Agent::new(&temp.path().join("absent"), within)
        .key(key)
        .unwrap();
    let absent = absent.try_sign(b"").unwrap_err().why;
    assert!(matches!(absent, AgentFault::Unreachable { .. }), "{absent}");
}

#[test]
fn witnesses_and_auditors_take_the_keys_of_an_agent() {
    let temp = tempfile::tempdir().unwrap();
    let agent = SshAgent::start(&temp.path().join("agent"));
    let path = |name: &str| temp.path().join(name);
    for (command, keys) in [
        ("witness", &["witness"][..]),
        ("auditor", &["auditor", "notes"]),
    ] {
        let dir = path(command);
        std::fs::create_dir(&dir).unwrap();
        let mut publics = Vec::new();
        for key in keys {
            let pem = dir.join(format!("{key}.pem"));
            support::run_ok(&["keygen", pem.to_str().unwrap()]);
            publics.push(agent.takes(&pem));
        }
        let dir = dir.to_str().unwrap();
        let (code, words) = agent.run(&[command, dir, "--init", "a.example/b"]);
        assert_eq!(code, Some(0), "{words}");
        for (public, line) in publics.iter().zip(words.lines()) {
            let cosigns = !public.ends_with("notes.pub");
            let vkey = ["key", "vkey", public.to_str().unwrap(), "a.example/b"];
            let vkey = match cosigns {
                true => support::run_ok(&[&vkey[..], &["--cosigns"]].concat()),
                false => support::run_ok(&vkey),
            };
            assert_eq!(vkey.trim(), line, "{command}");
        }
        assert!(
            files(Path::new(dir))
                .iter()
                .all(|file| !file.to_string_lossy().ends_with(".pem"))
        );
        // Started without the agent it says that nothing can be signed.
        let output = support::arborlog()
            .env("SSH_AUTH_SOCK", path("nobody"))
            .args([command, dir, "--listen", "127.0.0.1:0"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
    }
}

#[test]
fn an_encrypted_key_opens_by_its_passphrase_alone() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let (plain, encrypted, passphrase) =
        (path("plain.pem"), path("encrypted.pem"), path("passphrase"));
    let public = support::run_ok(&["keygen", &plain]);
    std::fs::write(&passphrase, "correct horse\n").unwrap();
    mode(&passphrase, 0o600);
    let show = |key: &str, passphrase: Option<&str>| {
        let mut command = support::arborlog();
        command.args(["key", "show", key]);
        if let Some(passphrase) = passphrase {
            command.env("ARBORLOG_KEY_PASSPHRASE_FILE", passphrase);
        }
        // No terminal to ask at.
        let output = Command::new("setsid")
            .arg(command.get_program())
            .args(command.get_args())
            .envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .output()
            .unwrap();
        let words = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(words).unwrap())
    };
    for scheme in [&["-v2", "aes-256-cbc"][..], &["-scrypt"]] {
        let status = Command::new("openssl")
            .args([
                "pkcs8",
                "-topk8",
                "-in",
                &plain,
                "-out",
                &encrypted,
                "-passout",
                "pass:correct horse",
            ])
            .args(scheme)
            .status()
            .unwrap();
        assert!(status.success(), "{scheme:?}");
        mode(&encrypted, 0o600);
        assert_eq!(
            show(&encrypted, Some(&passphrase)),
            (Some(0), public.clone())
        );
        let (code, words) = show(&encrypted, None);
        assert_eq!(code, Some(3), "{words}");
        assert!(words.contains("ARBORLOG_KEY_PASSPHRASE_FILE"), "{words}");
        let wrong = path("wrong");
        std::fs::write(&wrong, "battery staple\n").unwrap();
        mode(&wrong, 0o600);
        let (code, words) = show(&encrypted, Some(&wrong));
        assert_eq!(code, Some(3), "{words}");
        assert!(words.contains("the passphrase does not open it"), "{words}");
        mode(&wrong, 0o644);
        assert!(
            show(&encrypted, Some(&wrong))
                .1
                .contains("can be read by others")
        );
    }
}
