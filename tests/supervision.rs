//! What a server does when nobody takes its log lines, and when one of its tasks or threads ends by
//! a panic.
#![cfg(feature = "cli")]

mod support;

use std::io::{Write as _, pipe};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use arborlog::client::{BatchAnswer, Remote};
use support::auditor::{Told, audit_copy};
use support::{Ledger, Server, arborlog, award, curl, program};

/// Bytes that a pipe of Linux holds.
const PIPE_BYTES: usize = 65_536;

/// Sends one award; `true` if it was admitted.
fn admits(ledger: &Ledger, remote: &Remote, event: u64) -> bool {
    let records = ledger.sign(remote, &ledger.platform, &[award(1, event)]);
    matches!(remote.append(&records), Ok(BatchAnswer::Admitted(_)))
}

fn impatient(server: &Server) -> Remote {
    Remote::new(&server.url).retrying_for(Duration::ZERO)
}

/// The exit code of a process that should end soon.
fn ends(child: &mut Child, within: Duration) -> Option<i32> {
    let until = Instant::now() + within;
    while Instant::now() < until {
        if let Some(ended) = child.try_wait().unwrap() {
            return ended.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it does not end");
}

/// A standard error that takes nothing: a pipe without a reader, or a full one that nobody reads.
/// What is returned beside it keeps the second one's reader.
fn deaf(closed: bool) -> (Stdio, Option<std::io::PipeReader>) {
    let (reader, mut writer) = pipe().unwrap();
    if closed {
        return (writer.into(), None);
    }
    writer.write_all(&[b'.'; PIPE_BYTES]).unwrap();
    (writer.into(), Some(reader))
}

/// Found by a log pipe whose reader had gone: a line that could not be written panicked the
/// task that wrote it.
#[test]
fn a_server_whose_log_lines_nobody_takes_admits_records_and_stops_cleanly() {
    let ledger = Ledger::ready();
    for closed in [true, false] {
        let (stderr, reader) = deaf(closed);
        let mut command = arborlog();
        command.env("ARBORLOG_LOG", "debug").stderr(stderr);
        let server = Server::logging(command, &ledger.dir, &[]);
        let remote = impatient(&server);
        for event in 0..5 {
            // Each is a line of the log.
            server.signal("-HUP");
            std::thread::sleep(Duration::from_millis(20));
            let event = event + u64::from(closed) * 100;
            assert!(admits(&ledger, &remote, event), "closed: {closed}");
        }
        assert_eq!(curl(&format!("{}/readyz", server.url)).0, 200);
        assert_eq!(server.stop(), 0, "closed: {closed}");
        drop(reader);
    }
    audit_copy(&ledger.dir, &Told::default());
}

/// Or an operator looks at a log that is silent, and takes it for one in which nothing happens.
#[test]
fn lost_log_lines_are_counted() {
    let ledger = Ledger::ready();
    let (stderr, _) = deaf(true);
    let mut command = arborlog();
    command.env("ARBORLOG_LOG", "info").stderr(stderr);
    let server = Server::logging(command, &ledger.dir, &[]);
    let lost = || {
        let (_, metrics) = curl(&format!("{}/metrics", server.url));
        let mut lines = metrics.lines();
        let lost = lines.find_map(|line| line.strip_prefix("arborlog_log_lines_lost_total "));
        let lost: u64 = lost.expect("there is no such metric").parse().unwrap();
        lost
    };
    let begun = Instant::now();
    let before = lost();
    while lost() < before + 3 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        // Each is a line of the log.
        server.signal("-HUP");
    }
    assert_eq!(server.stop(), 0);
}

/// The sequencer itself has something to say: a sync failed.
#[test]
fn a_disk_that_fails_while_nobody_takes_log_lines_halts_the_log_and_is_said() {
    let ledger = Ledger::ready();
    for closed in [true, false] {
        let (stderr, _reader) = deaf(closed);
        let trace = ledger.path("trace");
        let mut command = Command::new("strace");
        command
            .args(["-f", "-qq", "-o", &trace, "-e", "trace=fdatasync"])
            .args(["-e", "inject=fdatasync:error=EIO:when=2"])
            .arg(program())
            .env("ARBORLOG_LOG", "info")
            .stderr(stderr);
        let mut server = Server::logging(command, &ledger.dir, &[]);
        let remote = impatient(&server);
        let begun = Instant::now();
        let mut event = 1_000 + u64::from(closed) * 1_000;
        while admits(&ledger, &remote, event) {
            event += 1;
            assert!(begun.elapsed() < Duration::from_secs(20));
        }
        let (status, why) = curl(&format!("{}/readyz", server.url));
        assert_eq!(status, 503);
        assert!(
            why.starts_with("halted: ") && why.contains("journal"),
            "{why}"
        );
        assert_eq!(curl(&format!("{}/checkpoint", server.url)).0, 200);
        // It did not stop well, and its end says so.
        server.signal("-TERM");
        let code = ends(&mut server.child, Duration::from_secs(20));
        assert_eq!(code, Some(3), "closed: {closed}");
    }
    audit_copy(&ledger.dir, &Told::default());
}

/// The kernel gives no more threads, which panics the sequencer where it hands a commit to one: the
/// process ends, and what supervises it starts it again.
#[test]
fn a_sequencer_that_panics_takes_the_process_with_it() {
    let ledger = Ledger::ready();
    let words = ledger.temp.path().join("words");
    let mut command = arborlog();
    command
        // Otherwise it can't be traced.
        .env("ARBORLOG_CORE_DUMPS", "1")
        .stderr(std::fs::File::create(&words).unwrap());
    let mut server = Server::start_by(command, &ledger.dir, &[]);
    let remote = impatient(&server);
    let records = ledger.sign(&remote, &ledger.platform, &[award(1, 5_000)]);
    let trace = ledger.temp.path().join("trace");
    let mut strace = Command::new("strace")
        .args(["-f", "-o", trace.to_str().unwrap()])
        .args(["-e", "trace=clone,clone3"])
        .args(["-e", "inject=clone,clone3:error=EPERM"])
        .args(["-p", &server.child.id().to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    attached(server.child.id());
    // Threads that the start used for blocking calls end after ten seconds without work.
    std::thread::sleep(Duration::from_secs(12));
    let _ = remote.append(&records);
    let code = ends(&mut server.child, Duration::from_secs(40));
    strace.wait().unwrap();
    let words = std::fs::read_to_string(words).unwrap();
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("panicked"), "{words}");
    assert!(words.contains("the log's task broke off"), "{words}");
    goes_on(&ledger, &ledger.dir);
}

/// Or an operator waits for lines that never come.
#[test]
fn a_filter_that_is_none_is_said() {
    let output = arborlog()
        .args(["fsck", "/nothing/here"])
        .env("ARBORLOG_LOG", "arborlog=loud")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("ARBORLOG_LOG is no filter"), "{words}");
    assert_eq!(output.status.code(), Some(3), "{words}");
}

/// Waits until a process is traced.
fn attached(pid: u32) {
    let until = Instant::now() + Duration::from_secs(10);
    let status = format!("/proc/{pid}/status");
    while std::fs::read_to_string(&status)
        .unwrap()
        .contains("TracerPid:\t0\n")
    {
        assert!(Instant::now() < until, "strace does not attach");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn goes_on(ledger: &Ledger, dir: &Path) {
    let server = Server::start(dir);
    assert!(admits(ledger, &server.remote(), 5_000));
    assert_eq!(server.stop(), 0);
    audit_copy(dir, &Told::default());
}
