//! What the tests with a real server share: a ledger in a temporary directory, its keys, and the
//! server's process.

#![allow(dead_code)]

pub mod auditor;
pub mod clients;
pub mod dice;
pub mod disk;
pub mod entries;
pub mod fake_clock;
pub mod trace;

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use arborlog::client::{BatchAnswer, Proposal, Remote, today};
use arborlog::crypto::SigningKey;
use arborlog::record::*;
use tempfile::TempDir;

pub const ORIGIN: &str = "test.example/ledger";

/// The program; `ARBORLOG_BIN` names another build of it, for long runs beside work on this one.
pub fn program() -> String {
    std::env::var("ARBORLOG_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_arborlog").to_owned())
}

pub fn arborlog() -> Command {
    Command::new(program())
}

pub fn run(args: &[&str]) -> Output {
    arborlog().args(args).output().unwrap()
}

pub fn run_ok(args: &[&str]) -> String {
    let output = run(args);
    assert!(
        output.status.success(),
        "arborlog {args:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A path's status code and body, as another's client reads them; 0 if nobody answers.
pub fn curl(url: &str) -> (u16, String) {
    let output = Command::new("curl")
        .args(["-s", "-m", "10", "-w", "\n%{http_code}", url])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

/// Posts bytes of a media type; gives the status and the JSON of the answer.
pub fn post(url: &str, kind: &str, bytes: &[u8]) -> (u16, serde_json::Value) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let output = Command::new("curl")
        .args(["-s", "-w", "\n%{http_code}", "-H"])
        .arg(format!("Content-Type: {kind}"))
        .arg("--data-binary")
        .arg(format!("@{}", file.path().display()))
        .arg(url)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap();
    let body = serde_json::from_str(body).unwrap_or(serde_json::Value::Null);
    (status.parse().unwrap(), body)
}

/// A server process; killed if the test forgets it.
pub struct Server {
    pub child: Child,
    pub url: String,
}

impl Server {
    pub fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    pub fn start_with(dir: &Path, args: &[&str]) -> Self {
        Self::start_by(arborlog(), dir, args)
    }

    /// Under strace with these arguments, which must write its own words to a file.
    pub fn start_under(strace: &[&str], dir: &Path, args: &[&str]) -> Self {
        let mut command = Command::new("strace");
        command.args(strace).arg(program());
        Self::start_by(command, dir, args)
    }

    /// As above; `None` if it does not start.
    pub fn try_start_under(strace: &[&str], dir: &Path, args: &[&str]) -> Option<Self> {
        Self::try_start_to(strace, dir, args, Path::new("/dev/null"))
    }

    /// As above, with what it logs in a file.
    pub fn try_start_to(strace: &[&str], dir: &Path, args: &[&str], log: &Path) -> Option<Self> {
        let mut command = Command::new("strace");
        command.args(strace).arg(program());
        command.stderr(std::fs::File::create(log).unwrap());
        Self::try_start_by(command, dir, args)
    }

    /// By a program that runs it.
    pub fn start_by(command: Command, dir: &Path, args: &[&str]) -> Self {
        Self::try_start_by(command, dir, args).expect("the server's first line")
    }

    /// As above; `None` if it does not start.
    pub fn try_start_by(mut command: Command, dir: &Path, args: &[&str]) -> Option<Self> {
        command.env("ARBORLOG_LOG", "error");
        Self::spawn(command, dir, args)
    }

    /// By a program that runs it, which logs as the program says.
    pub fn logging(command: Command, dir: &Path, args: &[&str]) -> Self {
        Self::spawn(command, dir, args).expect("the server's first line")
    }

    fn spawn(mut command: Command, dir: &Path, args: &[&str]) -> Option<Self> {
        // Tests know at which index an entry comes; those of state entries ask for them.
        command.env("ARBORLOG_STATE_EVERY_MS", "0");
        command.arg("serve").arg(dir);
        if !args.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let mut child = command.args(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        match line.trim().strip_prefix("listening on ") {
            Some(url) => Some(Self {
                url: url.to_owned(),
                child,
            }),
            None => {
                child.wait().unwrap();
                None
            }
        }
    }

    pub fn remote(&self) -> Remote {
        Remote::new(&self.url).retrying_for(std::time::Duration::from_secs(20))
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The server's own process: the child, or strace's child.
    pub fn pid(&self) -> u32 {
        let pid = self.child.id();
        let children = format!("/proc/{pid}/task/{pid}/children");
        let children = std::fs::read_to_string(children).unwrap();
        let first = children.split_whitespace().next();
        first.map_or(pid, |child| child.parse().unwrap())
    }

    /// Sends a signal to the server itself.
    pub fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// SIGTERM, and the exit code.
    pub fn stop(mut self) -> i32 {
        self.signal("-TERM");
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // strace goes with what it traces.
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = Command::new("kill")
                .args(["-KILL", &self.pid().to_string()])
                .status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A ledger directory with keys beside it.
pub struct Ledger {
    pub temp: TempDir,
    pub dir: PathBuf,
    pub governors: Vec<SigningKey>,
    pub platform: SigningKey,
    pub planter: SigningKey,
    pub surveyor: SigningKey,
}

impl Ledger {
    /// Made with `arborlog init`; two governors, both needed.
    pub fn init() -> Self {
        Self::init_with(&[])
    }

    /// As above, with more arguments for `init`.
    pub fn init_with(more: &[&str]) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let key = |name: &str| {
            let path = temp.path().join(name);
            run_ok(&["keygen", path.to_str().unwrap()]);
            SigningKey::read(&path).unwrap()
        };
        let governors = vec![key("governor-1.pem"), key("governor-2.pem")];
        let (platform, planter) = (key("platform.pem"), key("planter.pem"));
        let surveyor = key("surveyor.pem");
        let dir = temp.path().join("ledger");
        let path = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
        let (first, second) = (path("governor-1.pem"), path("governor-2.pem"));
        let mut arguments = vec![
            "init",
            dir.to_str().unwrap(),
            "--origin",
            ORIGIN,
            "--programme",
            "a test",
            "--governor",
            &first,
            "--governor",
            &second,
        ];
        arguments.extend(more);
        run_ok(&arguments);
        Self {
            dir,
            governors,
            platform,
            planter,
            surveyor,
            temp,
        }
    }

    pub fn path(&self, name: &str) -> String {
        self.temp.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn origin(&self) -> Origin {
        ORIGIN.parse().unwrap()
    }

    pub fn context(&self) -> SigningContext {
        SigningContext::new(&self.origin())
    }

    /// A ledger that was set up by a server, which has stopped.
    pub fn ready() -> Self {
        let ledger = Self::init();
        let server = Server::start(&ledger.dir);
        ledger.set_up(&server.remote());
        assert_eq!(server.stop(), 0);
        ledger
    }

    /// Grants the three roles, and states method 1.
    pub fn set_up(&self, remote: &Remote) {
        for (key, role, holder) in [
            (&self.platform, Role::Platform, "app"),
            (&self.planter, Role::Planter, "trees"),
            (&self.surveyor, Role::Surveyor, "eyes"),
        ] {
            self.grant(remote, key, role, holder);
        }
        self.govern(remote, Statement::Method(method()), None);
    }

    /// Grants a key a role.
    pub fn grant(&self, remote: &Remote, key: &SigningKey, role: Role, holder: &str) {
        let grant = KeyGrant {
            key: key.public(),
            role,
            holder: holder.parse().unwrap(),
            display_name: holder.parse().unwrap(),
            expires_on: None,
            set: Index(0),
        };
        self.govern(remote, Statement::KeyGrant(grant), Some(key));
    }

    pub fn govern(
        &self,
        remote: &Remote,
        statement: Statement,
        also: Option<&SigningKey>,
    ) -> Index {
        let head = remote.issuer(&self.governors[0].public()).unwrap();
        let record = Record {
            issuer: self.governors[0].public(),
            seq: head.next_seq,
            prev: head.prev,
            issued_on: today(),
            statement,
        };
        let mut proposal = Proposal::new(self.origin(), &record, &self.governors[0]).unwrap();
        proposal = proposal.endorse(&self.governors[1]).unwrap();
        if let Some(key) = also {
            proposal = proposal.endorse(key).unwrap();
        }
        match remote.append(&[proposal.signed]).unwrap() {
            BatchAnswer::Admitted(indexes) => indexes[0],
            BatchAnswer::Refused { problem, .. } => panic!("{problem:?}"),
        }
    }

    /// Signs statements as the continuation of a key's chain, as the server knows it.
    pub fn sign(
        &self,
        remote: &Remote,
        key: &SigningKey,
        statements: &[Statement],
    ) -> Vec<SignedRecord> {
        let head = remote.issuer(&key.public()).unwrap();
        sign_from(&self.context(), key, head.next_seq, head.prev, statements)
    }
}

pub fn sign_from(
    context: &SigningContext,
    key: &SigningKey,
    mut seq: Seq,
    mut prev: RecordId,
    statements: &[Statement],
) -> Vec<SignedRecord> {
    let mut records = Vec::new();
    for statement in statements {
        let record = Record {
            issuer: key.public(),
            seq,
            prev,
            issued_on: today(),
            statement: statement.clone(),
        };
        let (signed, id) = draft(&record, context, key).unwrap();
        records.push(signed);
        seq = Seq(seq.0 + 1);
        prev = id;
    }
    records
}

pub fn method() -> Method {
    Method {
        id: MethodId(1),
        version: MethodVersion(1),
        effective_from: "2020-01-01".parse().unwrap(),
        activities: List::try_from(vec![Activity {
            code: ActivityCode(1),
            name: "metro".parse().unwrap(),
            unit: "ride".parse().unwrap(),
            factor: Micrograms(52_000_000),
            cap: Grams(1000),
        }])
        .unwrap(),
        species: List::try_from(vec![Species {
            code: SpeciesCode(1),
            name: "Haloxylon ammodendron".parse().unwrap(),
            price: Grams(100),
        }])
        .unwrap(),
        baseline: "a bus".parse().unwrap(),
        sources: "a table".parse().unwrap(),
        jurisdiction: "here".parse().unwrap(),
        document: Digest::from_bytes([7; 32]),
        set: Index(0),
    }
}

/// Two rides: 104 points.
pub fn award(account: u64, event: u64) -> Statement {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&account.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    let mut evidence = [1; 32];
    evidence[..8].copy_from_slice(&event.to_be_bytes());
    Statement::Award(Award {
        account: AccountId::from_bytes(bytes),
        method: MethodId(1),
        version: MethodVersion(1),
        activity: ActivityCode(1),
        quantity: Quantity(2000),
        points: Grams(104),
        occurred_on: today(),
        evidence: Digest::from_bytes(evidence),
    })
}

/// All files under a folder, in order.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// A folder with all in it.
pub fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let to = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy_dir(&file.path(), &to);
        } else {
            std::fs::copy(file.path(), to).unwrap();
        }
    }
}

/// A batch's body: each record behind its length.
pub fn body(records: &[SignedRecord]) -> Vec<u8> {
    let mut body = Vec::new();
    for record in records {
        let bytes = record.encode().unwrap();
        body.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        body.extend_from_slice(&bytes);
    }
    body
}

/// A connection from an address of this machine.
pub fn connect_from(address: Ipv4Addr, to: &str) -> std::io::Result<TcpStream> {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let SocketAddr::V4(to) = to.parse().unwrap() else {
        panic!("servers of tests listen at IPv4 addresses")
    };
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddrV4::new(address, 0))?;
    connect(&socket, &to)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_write_timeout(Some(Duration::from_secs(2)))?;
    Ok(stream)
}

/// An address that passes everything on to a server; the first connection waits until `first` is done.
pub fn passing_on(to: &str, first: impl FnOnce() + Send + 'static) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let to = to.strip_prefix("http://").unwrap().to_owned();
    std::thread::spawn(move || {
        let mut first = Some(first);
        for client in listener.incoming() {
            let client = client.unwrap();
            if let Some(first) = first.take() {
                first();
            }
            let server = std::net::TcpStream::connect(&to).unwrap();
            let pairs = [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server, client),
            ];
            for (mut from, mut to) in pairs {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    url
}
