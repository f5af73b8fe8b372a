//! A long life: appends, reads, audits and restarts, with memory, descriptors and disk watched.
//!
//! `ARBORLOG_SOAK_SECONDS=3600 cargo test --test soak -- --nocapture` for an hour.
#![cfg(feature = "cli")]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use support::auditor::audit;
use support::clients::Clients;
use support::{Ledger, Server, run_ok};

const SECONDS: u64 = 6;
/// For a minute and more, clients rest between batches: an audit of all of the log after each part
/// must not become most of the time.
const LONG_REST_MAX_MS: u64 = 200;
/// So many parts of the time; a restart after each, now by SIGTERM, now by SIGKILL, but for those
/// in the middle: half the time is the life of one process.
const PARTS: u32 = 12;
const ONE_PROCESS: std::ops::Range<u32> = 3..8;
const ARGUMENTS: [&str; 4] = ["--segment-bytes", "1000000", "--entries-per-save", "5000"];

/// What a server takes, at the end of a part.
#[derive(Debug)]
struct Sample {
    entries: u64,
    memory_bytes: u64,
    descriptors: usize,
    /// The log's files, state and journal's last segments apart.
    tiles_bytes: u64,
    journal_bytes: u64,
    state_bytes: u64,
}

fn bytes_under(dir: &Path) -> u64 {
    let Ok(files) = std::fs::read_dir(dir) else {
        return 0;
    };
    let mut bytes = 0;
    // The tiler may rename or remove what was just listed.
    for file in files.flatten() {
        match file.metadata() {
            Ok(about) if about.is_dir() => bytes += bytes_under(&file.path()),
            Ok(about) => bytes += about.len(),
            Err(_) => {}
        }
    }
    bytes
}

fn sample(ledger: &Ledger, server: &Server) -> Sample {
    let pid = server.pid();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let memory = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let memory: u64 = memory.split_whitespace().next().unwrap().parse().unwrap();
    let totals: serde_json::Value = server.remote().json("v1/totals").unwrap();
    Sample {
        entries: totals["entries"].as_u64().unwrap(),
        memory_bytes: memory * 1024,
        descriptors: std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .count(),
        tiles_bytes: bytes_under(&ledger.dir.join("public")),
        journal_bytes: bytes_under(&ledger.dir.join("journal")),
        state_bytes: bytes_under(&ledger.dir.join("state")),
    }
}

#[test]
fn memory_descriptors_and_disk_stay_flat_over_a_long_life() {
    let seconds = std::env::var("ARBORLOG_SOAK_SECONDS").map_or(SECONDS, |it| it.parse().unwrap());
    let ledger = Ledger::init();
    let vkey = ledger.dir.join("log.vkey");
    let mut server = Server::start_with(&ledger.dir, &ARGUMENTS);
    ledger.set_up(&server.remote());
    let clients = if seconds < 60 {
        Clients::start(&ledger, &server.url, 4)
    } else {
        Clients::start_resting(&ledger, &server.url, 4, LONG_REST_MAX_MS)
    };
    let part = Duration::from_secs(seconds) / PARTS;
    let mut samples = Vec::new();
    for number in 0..PARTS {
        let until = Instant::now() + part;
        let mut reads = 0_u64;
        while Instant::now() < until {
            let index = reads.wrapping_mul(0x9e37_79b9) % 1_000;
            for path in [
                "v1/totals".to_owned(),
                format!("v1/entries/{index}"),
                format!("v1/proofs/inclusion?index={index}"),
            ] {
                // An entry may not be there yet at the beginning.
                let _ = server.remote().bytes(&path);
            }
            reads += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        run_ok(&["audit", &server.url, "--log", vkey.to_str().unwrap()]);
        let sample = sample(&ledger, &server);
        eprintln!("{sample:?}");
        samples.push(sample);
        if ONE_PROCESS.contains(&number) {
            continue;
        }
        if number % 2 == 0 {
            assert_eq!(server.stop(), 0);
        } else {
            server.kill();
        }
        server = Server::start_with(&ledger.dir, &ARGUMENTS);
        clients.server_is(&server.url);
    }
    let told = clients.finish();
    assert_eq!(server.stop(), 0);
    let head = audit(&ledger.dir, &told);
    eprintln!(
        "{} entries, {} acknowledged, in {seconds} s",
        head.size,
        told.records.len()
    );

    let (begin, end) = (ONE_PROCESS.start as usize, ONE_PROCESS.end as usize);
    let last = samples.last().unwrap();
    for (early, late) in [(&samples[begin], &samples[end]), (&samples[begin], last)] {
        assert!(late.entries > early.entries);
        // Accounts are as many as before: what grows is the log, whose tiles are cached up to
        // 256 MiB.
        let more_tiles = (late.tiles_bytes - early.tiles_bytes).min(256 << 20);
        assert!(
            late.memory_bytes < early.memory_bytes + more_tiles + (48 << 20),
            "{samples:?}"
        );
        assert!(late.descriptors <= early.descriptors + 20, "{samples:?}");
    }
    assert!(last.journal_bytes < 8_000_000, "{samples:?}");
    assert!(last.state_bytes < 64_000_000, "{samples:?}");
    // Tiles cost what their entries do and 32 bytes a hash, whatever happened.
    let each = last.tiles_bytes / last.entries;
    assert!(each < 400, "{each} bytes an entry: {samples:?}");
    let left = Command::new("find")
        .arg(&ledger.dir)
        .args(["-name", "*.tmp"])
        .output()
        .unwrap();
    eprintln!(
        "temporary files left by kills: {}",
        String::from_utf8_lossy(&left.stdout).lines().count()
    );
}
