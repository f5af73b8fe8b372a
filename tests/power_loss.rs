//! The power fails: at every step of a real server (as strace saw it) what was not synced is lost,
//! torn or reordered, and what was acknowledged before is still there.
#![cfg(feature = "cli")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use arborlog::ledger::State;
use arborlog::log::{Log, LogConfig};
use arborlog::record::*;
use arborlog::replay::{Replay, Signatures};
use support::auditor::{Told, audit, entries};
use support::dice::Dice;
use support::disk::Disk;
use support::trace::{CALLS, Step, read};
use support::{Ledger, Server, award, copy_dir};

const ACCOUNTS: u64 = 40;
const SEGMENT_BYTES: u64 = 40_000;
/// Starts of the server, each with appends and a clean stop, which saves the state.
const ROUNDS: u64 = 3;
const BATCHES: u64 = 9;
const BATCH: u64 = 31;

/// A ledger, all that a server did to it from then on, and what it told.
fn recorded(ledger: &Ledger, start: &Path) -> (Vec<Step>, Told) {
    let server = Server::start(&ledger.dir);
    ledger.set_up(&server.remote());
    assert_eq!(server.stop(), 0);
    copy_dir(&ledger.dir, start);
    let mut told = Told::default();
    let mut steps = Vec::new();
    let segments = SEGMENT_BYTES.to_string();
    let mut event = 0;
    for round in 0..ROUNDS {
        let trace = ledger.path(&format!("trace-{round}"));
        let strace = [
            "-f", "-y", "-xx", "-s", "1000000", "-o", &trace, "-e", CALLS,
        ];
        let server = Server::start_under(&strace, &ledger.dir, &["--segment-bytes", &segments]);
        let remote = server.remote();
        for _ in 0..BATCHES {
            let awards = (event..event + BATCH).map(|event| award(event % ACCOUNTS, event));
            let statements: Vec<Statement> = awards.collect();
            event += BATCH;
            let records = ledger.sign(&remote, &ledger.platform, &statements);
            let arborlog::client::BatchAnswer::Admitted(indexes) = remote.append(&records).unwrap()
            else {
                panic!("refused");
            };
            let bytes = records.iter().map(|record| record.bytes().to_vec());
            told.records.extend(indexes.into_iter().zip(bytes));
        }
        assert_eq!(server.stop(), 0);
        steps.extend(read(&std::fs::read_to_string(&trace).unwrap(), &ledger.dir));
    }
    (steps, told)
}

/// What the first entries make, of every size: a word on each account, and the totals.
fn states(entries: &[Vec<u8>], origin: &Origin) -> Vec<String> {
    let mut replay = Replay::new(origin, Signatures::Trust);
    let mut states = vec![says(replay.state())];
    for entry in entries {
        replay.take(entry, |_| None).unwrap();
        states.push(says(replay.state()));
    }
    states
}

fn says(state: &State) -> String {
    let balances = (0..ACCOUNTS).filter_map(|account| match award(account, 0) {
        Statement::Award(award) => state.account(&award.account).map(|it| it.balance),
        _ => None,
    });
    format!("{:?} {:?}", balances.collect::<Vec<_>>(), state.totals())
}

#[test]
fn an_answer_follows_the_sync_of_what_it_tells() {
    let ledger = Ledger::init();
    let (steps, _) = recorded(&ledger, &ledger.temp.path().join("start"));
    // The tiler may sync the folder meanwhile; only segments count.
    let journal = |path: &Path| path.parent() == Some(Path::new("journal"));
    let mut answers = 0;
    for (place, step) in steps.iter().enumerate() {
        if let Step::Answer { .. } = step {
            let before = || steps[..place].iter().rev();
            let write =
                before().position(|it| matches!(it, Step::Write { path, .. } if journal(path)));
            let begun = before()
                .position(|it| matches!(it, Step::SyncBegins { path, .. } if journal(path)));
            let synced =
                before().position(|it| matches!(it, Step::Synced { path, .. } if journal(path)));
            let (write, begun, synced) = (write.unwrap(), begun.unwrap(), synced.unwrap());
            assert!(synced < begun && begun < write, "step {place}");
            answers += 1;
        }
    }
    assert_eq!(answers, ROUNDS * BATCHES);
}

/// Or a disk that keeps the second removal and not the first leaves a hole: found by 20 losses at
/// each step.
#[test]
fn segments_of_the_journal_go_one_after_the_other() {
    let ledger = Ledger::init();
    let (steps, _) = recorded(&ledger, &ledger.temp.path().join("start"));
    let journal = Path::new("journal");
    let mut removals = 0;
    let mut synced = true;
    for step in &steps {
        match step {
            Step::Remove { path } if path.starts_with(journal) => {
                assert!(synced, "{path:?} goes before the one before it is gone");
                (removals, synced) = (removals + 1, false);
            }
            Step::Synced { path, .. } if path == journal => synced = true,
            _ => {}
        }
    }
    assert!(removals > 2, "{removals}");
}

/// Or one without a header could be found, and what is before it be gone.
#[test]
fn a_segment_of_the_journal_appears_whole() {
    let ledger = Ledger::init();
    let (steps, _) = recorded(&ledger, &ledger.temp.path().join("start"));
    let is_segment = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        path.starts_with("journal") && name.parse::<u64>().is_ok()
    };
    let mut begun = 0;
    for (place, step) in steps.iter().enumerate() {
        match step {
            Step::Create { path, .. } => assert!(!is_segment(path), "{path:?}"),
            Step::Rename { from, to } if is_segment(to) => {
                let before = &steps[..place];
                let last = |of: &dyn Fn(&Step) -> bool| before.iter().rposition(of);
                let written =
                    last(&|it| matches!(it, Step::Write { path, .. } if path == from)).unwrap();
                let synced = last(&|it| matches!(it, Step::Synced { path, .. } if path == from));
                assert!(Some(written) < synced);
                begun += 1;
            }
            _ => {}
        }
    }
    assert!(begun > 2, "{begun}");
}

#[test]
fn at_every_step_a_loss_of_power_takes_nothing_that_was_acknowledged() {
    let ledger = Ledger::init();
    let start = ledger.temp.path().join("start");
    let (steps, told) = recorded(&ledger, &start);
    audit(&ledger.dir, &told);
    let (whole, entries) = entries(&ledger.dir);
    let states = states(&entries, &ledger.origin());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // By default each step once; `ARBORLOG_POWER_CUTS=20` loses power 20 times at each.
    let cuts = std::env::var("ARBORLOG_POWER_CUTS").map_or(1, |it| it.parse().unwrap());
    let mut disk = Disk::of(&start);
    let mut acknowledged = 0;
    let mut met: BTreeMap<String, u64> = BTreeMap::new();
    let mut answered = 0;
    for (place, step) in steps.iter().enumerate() {
        // An answer may be on its way: it counts from before it was given.
        if let Step::Answer { size } = step {
            acknowledged = *size;
            answered += 1;
        }
        disk.apply(step);
        for cut in 0..cuts {
            let mut dice = Dice::new((place as u64) << 16 | cut);
            let dir = ledger.temp.path().join("lost");
            let fate = disk.lose_power(&dir, &mut dice);
            *met.entry(format!("{fate:?}")).or_default() += 1;
            let what = format!("step {place} {} cut {cut} {fate:?}", name(step));
            runtime.block_on(check(
                &dir,
                acknowledged,
                whole.size,
                &entries,
                &states,
                &what,
            ));
            std::fs::remove_dir_all(&dir).unwrap();
        }
    }
    assert_eq!((answered, acknowledged), (ROUNDS * BATCHES, whole.size));
    eprintln!("{} steps, losses {met:?}", steps.len());
}

fn name(step: &Step) -> String {
    match step {
        Step::Write { path, at, bytes } => format!("write {path:?} {at} +{}", bytes.len()),
        other => format!("{other:?}"),
    }
}

/// Starts what is left: it has what was acknowledged, the same entries as ever, and the state that
/// they make.
async fn check(
    dir: &Path,
    acknowledged: u64,
    whole: u64,
    entries: &[Vec<u8>],
    states: &[String],
    what: &str,
) {
    let config = LogConfig {
        segment_bytes: SEGMENT_BYTES,
        ..LogConfig::of(dir)
    };
    let log = match Log::open(&config).await {
        Ok(log) => log,
        Err(error) => panic!("{what}: {error}"),
    };
    let head = log.published().head.tree;
    assert!(
        (acknowledged..=whole).contains(&head.size),
        "{what}: {} of {acknowledged}",
        head.size
    );
    for index in 0..head.size {
        let bytes = log.reader().entry(index, head.size).await;
        let bytes = bytes.unwrap_or_else(|error| panic!("{what}: entry {index}: {error}"));
        assert!(
            bytes == entries[index as usize],
            "{what}: entry {index} is another"
        );
    }
    let (found, _) = log.look_up(says).await.unwrap();
    assert_eq!(found, states[head.size as usize], "{what}");
    log.close().await;
}
