//! kill -9 at random moments of a load, of starts, of saves and of stops.
//!
//! `ARBORLOG_KILLS=1000 cargo test --test kill -- --nocapture` for a long run.
#![cfg(feature = "cli")]

mod support;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use support::auditor::audit_copy;
use support::clients::Clients;
use support::dice::Dice;
use support::{Ledger, Server, arborlog};

const KILLS: u64 = 20;
/// Then a fresh ledger, so that each audit stays short.
const KILLS_PER_LEDGER: u64 = 50;
const CLIENTS: u8 = 4;
/// Small segments and many saves: each is killed in the middle now and then.
const ARGUMENTS: [&str; 4] = ["--segment-bytes", "100000", "--entries-per-save", "300"];

#[test]
fn whatever_was_acknowledged_before_a_kill_9_is_in_once_and_the_log_is_one() {
    let kills = std::env::var("ARBORLOG_KILLS").map_or(KILLS, |it| it.parse().unwrap());
    let mut dice = Dice::new(kills);
    let mut done: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut entries, mut acknowledged) = (0, 0);
    let mut left = kills;
    while left > 0 {
        let some = left.min(KILLS_PER_LEDGER);
        left -= some;
        let ledger = Ledger::init();
        let server = Server::start_with(&ledger.dir, &ARGUMENTS);
        ledger.set_up(&server.remote());
        let clients = Clients::start(&ledger, &server.url, CLIENTS);
        let mut running = Some(server);
        for _ in 0..some {
            let kind = match dice.below(6) {
                0 => "start",
                1 => "stop",
                _ => "load",
            };
            if kind == "start" {
                if let Some(server) = running.take() {
                    server.kill();
                }
                kill_a_start(&ledger, &mut dice);
            } else {
                let server = running.take().unwrap_or_else(|| start(&ledger, &clients));
                std::thread::sleep(Duration::from_millis(10 + dice.below(250)));
                if kind == "stop" {
                    server.signal("-TERM");
                    std::thread::sleep(Duration::from_micros(dice.below(20_000)));
                }
                server.kill();
            }
            *done.entry(kind).or_default() += 1;
            audit_copy(&ledger.dir, &clients.told());
            running = dice.one_in(2).then(|| start(&ledger, &clients));
        }
        let server = running.unwrap_or_else(|| start(&ledger, &clients));
        let told = clients.finish();
        assert_eq!(server.stop(), 0);
        assert!(!told.records.is_empty());
        entries += audit_copy(&ledger.dir, &told).size;
        acknowledged += told.records.len();
    }
    eprintln!("killed {done:?}; {acknowledged} records acknowledged, {entries} entries");
}

fn start(ledger: &Ledger, clients: &Clients) -> Server {
    let server = Server::start_with(&ledger.dir, &ARGUMENTS);
    clients.server_is(&server.url);
    server
}

/// Recovery itself is killed: a start that nobody waits for.
fn kill_a_start(ledger: &Ledger, dice: &mut Dice) {
    let mut child = arborlog()
        .arg("serve")
        .arg(&ledger.dir)
        .args(["--listen", "127.0.0.1:0"])
        .args(ARGUMENTS)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_micros(dice.below(60_000)));
    child.kill().unwrap();
    child.wait().unwrap();
}
