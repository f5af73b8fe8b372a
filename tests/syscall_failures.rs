//! Every system call of the way to the disk fails once, at every time that it is made; disks that
//! are full; too few descriptors. Nothing acknowledged is lost, and what can't be written is said.
#![cfg(feature = "cli")]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use arborlog::client::{BatchAnswer, Remote};
use arborlog::record::*;
use support::auditor::{Told, audit_copy};
use support::{Ledger, Server, award, copy_dir, curl, program, sign_from};

const SEGMENT_BYTES: &str = "60000";
const BATCH: u64 = 40;
const BATCHES: u64 = 12;

/// A platform's chain, sent batch by batch.
struct Sender<'a> {
    ledger: &'a Ledger,
    next: (Seq, RecordId),
    told: Told,
}

impl<'a> Sender<'a> {
    fn new((ledger, first): &'a (Ledger, RecordId)) -> Self {
        Self {
            ledger,
            next: (Seq(0), *first),
            told: Told::default(),
        }
    }

    fn batch(&self) -> Vec<SignedRecord> {
        let from = self.next.0.0;
        let awards = (from..from + BATCH).map(|event| award(event % 50, event));
        let statements: Vec<Statement> = awards.collect();
        let key = &self.ledger.platform;
        sign_from(
            &self.ledger.context(),
            key,
            self.next.0,
            self.next.1,
            &statements,
        )
    }

    /// Sends the next batch; it stays the next one until it is in.
    fn send(&mut self, remote: &Remote) -> bool {
        let records = self.batch();
        let Ok(BatchAnswer::Admitted(indexes)) = remote.append(&records) else {
            return false;
        };
        let bytes = records.iter().map(|record| record.bytes().to_vec());
        self.told.records.extend(indexes.into_iter().zip(bytes));
        self.next = (
            Seq(self.next.0.0 + BATCH),
            self.ledger.context().id(records.last().unwrap().bytes()),
        );
        true
    }

    /// After all is well again: the log is whole, and takes the same bytes.
    fn goes_on(&mut self, dir: &Path, what: &str) {
        eprintln!("{what}");
        audit_copy(dir, &self.told);
        let server = Server::start_with(dir, &["--segment-bytes", SEGMENT_BYTES]);
        assert!(self.send(&server.remote()), "{what}");
        assert_eq!(server.stop(), 0, "{what}");
        audit_copy(dir, &self.told);
    }
}

/// A ledger with a platform, and what that one's first record names as the one before.
fn ready_ledger() -> (Ledger, RecordId) {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    ledger.set_up(&remote);
    let first = remote.issuer(&ledger.platform.public()).unwrap().prev;
    assert_eq!(server.stop(), 0);
    (ledger, first)
}

/// A server that admits no more says so and still serves what it can.
fn says_that_it_stopped(url: &str, why: &str) {
    let until = Instant::now() + Duration::from_secs(5);
    while curl(&format!("{url}/readyz")).0 != 503 {
        assert!(Instant::now() < until, "still ready: {why}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (_, text) = curl(&format!("{url}/readyz"));
    assert!(text.starts_with("halted: "), "{text}");
    assert_eq!(curl(&format!("{url}/checkpoint")).0, 200);
    assert_eq!(curl(&format!("{url}/v1/entries/0")).0, 200);
    assert_eq!(curl(&format!("{url}/v1/proofs/inclusion?index=0")).0, 200);
    let (_, checkpoint) = curl(&format!("{url}/checkpoint"));
    let size = checkpoint.lines().nth(1).unwrap();
    // What readers are told is of the newest checkpoint: nothing of what did not become durable.
    let (status, totals) = curl(&format!("{url}/v1/totals"));
    assert_eq!(status, 200, "{why}: {totals}");
    assert!(
        totals.contains(&format!("\"as_of_size\":{size}")),
        "{totals}"
    );
    for page in ["", "check", "receipt", "method", "entry/0", "search?q=zzz"] {
        let (status, html) = curl(&format!("{url}/{page}"));
        assert_eq!(status, 200, "{why}: /{page}: {html}");
        let shown: String = html.chars().filter(|c| *c != ',').collect();
        let halted = format!("newest checkpoint, after {size} entries");
        assert!(html.contains("id=\"halted\""), "{why}: /{page}: {html}");
        assert!(
            shown.contains(&halted.replace(',', "")),
            "{why}: /{page}: {html}"
        );
    }
    let (status, metrics) = curl(&format!("{url}/metrics"));
    assert!(
        status == 200 && metrics.contains("arborlog_ready 0"),
        "{metrics}"
    );
}

/// Runs a server in which the `when`-th call of a name fails, in each thread (strace counts so);
/// `true` if it was made that often.
fn fails_once(
    ready: &(Ledger, RecordId),
    call: &str,
    error: &str,
    when: u32,
    path: Option<&Path>,
) -> bool {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("ledger");
    copy_dir(&ready.0.dir, &dir);
    let trace = temp.path().join("trace").to_str().unwrap().to_owned();
    let (only, inject) = (
        format!("trace={call}"),
        format!("inject={call}:error={error}:when={when}"),
    );
    let mut strace = vec!["-f", "-qq", "-o", &trace, "-e", &only, "-e", &inject];
    let path = path.map(|path| dir.join(path).to_str().unwrap().to_owned());
    if let Some(path) = &path {
        strace.extend(["-P", path]);
    }
    let mut sender = Sender::new(ready);
    let what = format!("{call} fails with {error}, time {when}");
    if let Some(server) =
        Server::try_start_under(&strace, &dir, &["--segment-bytes", SEGMENT_BYTES])
    {
        let remote = Remote::new(&server.url).retrying_for(Duration::ZERO);
        let mut refused = false;
        for _ in 0..BATCHES {
            refused |= !sender.send(&remote);
            if refused {
                break;
            }
        }
        if refused {
            says_that_it_stopped(&server.url, &what);
            assert!(!sender.send(&remote), "{what}: admitted after it stopped");
        }
        server.stop();
    }
    let happened = std::fs::read_to_string(&trace)
        .unwrap()
        .contains("(INJECTED)");
    sender.goes_on(&dir, &what);
    happened
}

#[test]
fn every_call_on_the_way_to_the_disk_may_fail_once() {
    let ready = ready_ledger();
    let mut failed = 0;
    for (call, errors) in [
        ("fdatasync", ["EIO", "ENOSPC"]),
        ("fsync", ["EIO", "ENOSPC"]),
        ("rename,renameat,renameat2", ["EIO", "ENOSPC"]),
        ("unlink,unlinkat", ["EIO", "EROFS"]),
        ("mkdir,mkdirat", ["EIO", "ENOSPC"]),
        ("pwrite64", ["EIO", "ENOSPC"]),
    ] {
        // Early calls one by one, later ones here and there, until they are made no more.
        for (place, when) in [1, 2, 3, 5, 8, 13, 21, 34, 55, 89].into_iter().enumerate() {
            if !fails_once(&ready, call, errors[place % 2], when, None) {
                break;
            }
            failed += 1;
        }
    }
    assert!(failed >= 15, "only {failed} calls were made to fail");
}

#[test]
fn writes_to_the_journal_may_fail_once() {
    let ready = ready_ledger();
    let segment = Path::new("journal").join(format!("{:020}", 0));
    for (place, when) in [1, 2, 3].into_iter().enumerate() {
        let error = ["ENOSPC", "EIO", "EROFS"][place];
        assert!(fails_once(&ready, "write", error, when, Some(&segment)));
    }
}

#[test]
fn files_may_not_open() {
    let ready = ready_ledger();
    let mut failed = 0;
    // The loader's come first: then there is no start.
    for when in (10..120).step_by(11) {
        for error in ["EMFILE", "EROFS"] {
            failed += u32::from(fails_once(&ready, "openat", error, when, None));
        }
    }
    assert!(failed > 5, "{failed}");
}

#[test]
fn a_sync_that_failed_is_final_and_the_log_says_so() {
    let ready = ready_ledger();
    let ledger = &ready.0;
    let trace = ledger.path("trace");
    let strace = [
        "-f",
        "-qq",
        "-o",
        &trace,
        "-e",
        "trace=fdatasync",
        "-e",
        "inject=fdatasync:error=EIO:when=3",
    ];
    let words = ledger.temp.path().join("words");
    let server = Server::try_start_to(&strace, &ledger.dir, &[], &words).unwrap();
    let remote = Remote::new(&server.url).retrying_for(Duration::ZERO);
    let mut sender = Sender::new(&ready);
    while sender.send(&remote) {}
    says_that_it_stopped(&server.url, "fdatasync");
    for _ in 0..3 {
        assert!(!sender.send(&remote));
    }
    server.stop();
    // Not tried again on the same descriptor: the kernel may have dropped what it could not write.
    let calls = std::fs::read_to_string(&trace).unwrap();
    let after = calls.split_once("(INJECTED)").unwrap().1;
    assert!(!after.contains("fdatasync("), "{calls}");
    let words = std::fs::read_to_string(words).unwrap();
    assert!(words.contains("admits no more records"), "{words}");
    sender.goes_on(&ledger.dir, "fdatasync");
}

/// A file system of 3 MB in memory, gone when dropped.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
            .arg(dir.path())
            .status()
            .unwrap();
        assert!(mount.success(), "this test mounts a small disk, as root");
        Self(dir)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_stops_admission_and_a_freed_one_goes_on() {
    let ready = ready_ledger();
    let disk = Small::mount();
    let dir = disk.0.path().join("ledger");
    copy_dir(&ready.0.dir, &dir);
    let filler = disk.0.path().join("filler");
    let mut sender = Sender::new(&ready);
    // Full at once, then with a little room: a write that is cut short.
    for room in [0, 6_000] {
        let server = Server::start_with(&dir, &["--segment-bytes", "10000000"]);
        let remote = Remote::new(&server.url).retrying_for(Duration::ZERO);
        assert!(sender.send(&remote));
        fill(&filler);
        let kept = std::fs::metadata(&filler).unwrap().len() - room;
        std::fs::File::options()
            .write(true)
            .open(&filler)
            .unwrap()
            .set_len(kept)
            .unwrap();
        while sender.send(&remote) {}
        says_that_it_stopped(&server.url, "a full disk");
        server.stop();
        std::fs::remove_file(&filler).unwrap();
        audit_copy(&dir, &sender.told);
    }
    sender.goes_on(&dir, "a full disk");
}

fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    while file.write_all(&[1]).is_ok() {}
}

/// Found here: idle connections took the descriptors that tiles are written with, and the log
/// stopped.
#[test]
fn clients_that_hold_connections_leave_the_store_its_descriptors() {
    let ready = ready_ledger();
    let ledger = &ready.0;
    let limited = |descriptors: u32| {
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={descriptors}:{descriptors}"));
        command.arg(program());
        command
    };
    let arguments = ["--segment-bytes", SEGMENT_BYTES, "--head-timeout-s", "1"];
    assert!(Server::try_start_by(limited(100), &ledger.dir, &arguments).is_none());
    let server = Server::start_by(limited(180), &ledger.dir, &arguments);
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut sender = Sender::new(&ready);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut idle = Vec::new();
            while !over.load(std::sync::atomic::Ordering::SeqCst) {
                idle.extend(std::net::TcpStream::connect(&address));
                if idle.len() > 300 {
                    idle.drain(..100);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        // Slow, since idle ones must go first; but it gets in.
        let remote = server.remote();
        for _ in 0..BATCHES {
            assert!(sender.send(&remote));
        }
        over.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    let (status, _) = curl(&format!("{}/readyz", server.url));
    assert_eq!(status, 200);
    server.kill();
    sender.goes_on(&ledger.dir, "too few descriptors");
}

/// Found by a stranger: whole requests of clients that close at once, thousands a second from many
/// addresses. A place was given anew before the connection that gave way was closed; reads then found
/// no descriptors, and were answered as if the store were damaged.
#[test]
fn clients_that_ask_and_close_take_no_more_descriptors_than_there_are_places() {
    const DESCRIPTORS: usize = 180;
    const KEPT: usize = 128;
    let ready = ready_ledger();
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}"));
    command.arg(program());
    let server = Server::start_by(command, &ready.0.dir, &[]);
    let address = server.url.strip_prefix("http://").unwrap();
    let folder = format!("/proc/{}/fd", server.pid());
    let open = || std::fs::read_dir(&folder).unwrap().count();
    let (before, mut most, mut read) = (open(), 0, 0);
    let until = Instant::now() + Duration::from_secs(5);
    let now = Instant::now;
    std::thread::scope(|scope| {
        for client in 0..6 {
            scope.spawn(move || {
                for turn in (client..).step_by(6).take_while(|_| now() < until) {
                    let from = std::net::Ipv4Addr::new(127, 0, 0, 2 + (turn % 249) as u8);
                    let Ok(mut stream) = support::connect_from(from, address) else {
                        continue;
                    };
                    // The server may have closed it already.
                    let asked = "GET /v1/entries/0 HTTP/1.1\r\nHost: test\r\n\r\n";
                    let _ = std::io::Write::write_all(&mut stream, asked.as_bytes());
                    let _ = stream.shutdown(std::net::Shutdown::Write);
                }
            });
        }
        while now() < until {
            most = most.max(open());
            let (status, body) = curl(&format!("{}/v1/entries/0", server.url));
            // None if the connection gave way.
            assert!([0, 200].contains(&status), "{status}: {body}");
            read += usize::from(status == 200);
        }
    });
    // One more is accepted and waits for a place; the others are the store's.
    let places = DESCRIPTORS - KEPT;
    eprintln!("{before} descriptors, then at most {most}; {read} reads");
    assert!(most <= before + places + 16, "{before}, then {most}");
    assert_eq!(server.stop(), 0);
}
