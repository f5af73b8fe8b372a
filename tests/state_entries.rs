//! The log says of itself what its entries make: by a real server, checked by those who replay; and what is
//! said wrongly is found.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::time::{Duration, Instant};

use arborlog::client::Remote;
use arborlog::ledger::{RULES_VERSION, State};
use arborlog::record::{Entry, Index, StateEntry, TimeMs};
use arborlog::replay::{Replay, ReplayError, Signatures};
use support::{Ledger, ORIGIN, Server, award, run_ok};

const OFTEN: [&str; 2] = ["--state-every-ms", "4"];

fn soon<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn checkpoint_size(remote: &Remote) -> u64 {
    let checkpoint = remote.text("checkpoint").unwrap();
    checkpoint.lines().nth(1).unwrap().parse().unwrap()
}

/// All entries of a stopped ledger.
fn entries(ledger: &Ledger) -> Vec<Vec<u8>> {
    let store = arborlog::store::DiskStore::open(&ledger.dir).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let reader = arborlog::log::Reader::new(std::sync::Arc::new(store));
    runtime.block_on(async {
        let size = reader.store().head().await.unwrap().tree.size;
        let mut all = Vec::new();
        for index in 0..size {
            all.push(reader.entry(index, size).await.unwrap().to_vec());
        }
        all
    })
}

/// Replays entries as an auditor does, and gives the first that is wrong.
fn replay(entries: &[Vec<u8>]) -> Result<State, ReplayError> {
    let mut replay = Replay::new(&ORIGIN.parse().unwrap(), Signatures::Trust);
    let earlier = |index: Index| entries.get(index.0 as usize).cloned();
    for bytes in entries {
        let index = replay.next_index();
        let checked = replay.checker().check(bytes);
        let checked = checked.map_err(|fault| fault.at(index.0))?;
        for group in replay.add(checked)? {
            replay.take_group(&group, earlier, |_, _| Ok::<_, ReplayError>(()))?;
        }
    }
    for group in replay.rest() {
        replay.take_group(&group, earlier, |_, _| Ok::<_, ReplayError>(()))?;
    }
    replay.check_end()?;
    Ok(replay.into_parts().0)
}

/// A ledger with state entries, made by a server under appends.
fn with_state_entries() -> Ledger {
    let ledger = Ledger::init();
    let server = Server::start_with(&ledger.dir, &OFTEN);
    let remote = server.remote();
    ledger.set_up(&remote);
    let awards: Vec<_> = (0..600).map(|n| award(n % 50, n)).collect();
    let records = ledger.sign(&remote, &ledger.platform, &awards);
    // One behind the other and without a pause, so that some come while a root is made.
    for record in records.chunks(2) {
        remote.append(record).unwrap();
    }
    // Once nothing comes any more, all is covered, and nothing more is said.
    let covered = soon("all is covered", || {
        let size = checkpoint_size(&remote);
        let entry: serde_json::Value = remote.json(&format!("v1/entries/{}", size - 1)).ok()?;
        Some(size).filter(|_| entry["form"] == "state")
    });
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(checkpoint_size(&remote), covered);
    assert_eq!(server.stop(), 0);
    ledger
}

fn state_entries(entries: &[Vec<u8>]) -> Vec<(usize, StateEntry)> {
    let decoded = entries.iter().enumerate();
    decoded
        .filter_map(|(index, bytes)| match Entry::decode(bytes).unwrap() {
            Entry::State(entry) => Some((index, entry)),
            Entry::Signed(_) | Entry::Sealed(_) => None,
        })
        .collect()
}

#[test]
fn a_server_covers_what_it_admits_and_all_who_replay_agree() {
    let ledger = with_state_entries();
    let entries = entries(&ledger);
    let said = state_entries(&entries);
    assert!(said.len() > 5, "{}", said.len());
    let (last, newest) = said.last().unwrap();
    assert_eq!(
        (*last, newest.size),
        (entries.len() - 1, entries.len() as u64 - 1)
    );
    assert!(
        said.iter()
            .any(|(index, entry)| (entry.size as usize) < *index)
    );
    let state = replay(&entries).unwrap();
    assert_eq!(newest.root, *state.roots().unwrap().state_root().as_bytes());
    let dir = ledger.dir.to_str().unwrap();
    run_ok(&["fsck", dir]);

    // A start goes on from there, says nothing again, and continues the chain of state entries.
    let server = Server::start_with(&ledger.dir, &OFTEN);
    let remote = server.remote();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(checkpoint_size(&remote), entries.len() as u64);
    let records = ledger.sign(&remote, &ledger.platform, &[award(9, 999)]);
    remote.append(&records).unwrap();
    soon("the award is covered", || {
        (checkpoint_size(&remote) == entries.len() as u64 + 2).then_some(())
    });
    server.kill();
    let server = Server::start_with(&ledger.dir, &OFTEN);
    assert_eq!(checkpoint_size(&server.remote()), entries.len() as u64 + 2);
    assert_eq!(server.stop(), 0);
    run_ok(&["fsck", dir]);
}

#[test]
fn every_lie_of_a_state_entry_is_found() {
    let ledger = with_state_entries();
    let entries = entries(&ledger);
    let said = state_entries(&entries);
    let (index, right) = &said[said.len() / 2];
    type Lie = (&'static str, fn(&mut StateEntry));
    let lies: [Lie; 11] = [
        ("root", |it| it.root[31] ^= 1),
        ("totals", |it| it.totals.awarded += 1),
        ("totals", |it| it.totals.balances -= 1),
        ("totals", |it| it.totals.accounts_negative += 1),
        ("state entry before", |it| it.before = None),
        ("state entry before", |it| {
            it.before = it.before.map(|index| Index(index.0 - 1))
        }),
        ("speaks of the first 0", |it| it.size = 0),
        ("root", |it| it.size -= 1),
        ("speaks of the first", |it| it.size += 1 << 20),
        ("admitted at", |it| it.admitted_at = TimeMs(0)),
        ("rules_version_unsupported", |it| {
            it.rules_version = RULES_VERSION + 1
        }),
    ];
    for (what, lie) in lies {
        let mut wrong = right.clone();
        lie(&mut wrong);
        let mut entries = entries.clone();
        entries[*index] = wrong.encode().unwrap();
        let error = replay(&entries).unwrap_err();
        let unsupported = matches!(error, ReplayError::Unsupported { .. });
        assert_eq!(unsupported, what == "rules_version_unsupported", "{error}");
        let text = error.to_string();
        assert!(
            text.contains(what) && text.contains(&format!("entry {index}")),
            "{what}: {text}"
        );
    }
    // One that is left out, said twice, or repeated later breaks the chain.
    let mut twice = entries.clone();
    twice.insert(index + 1, twice[*index].clone());
    assert!(replay(&twice).is_err());
    let mut gone = entries.clone();
    gone.remove(*index);
    assert!(replay(&gone).is_err());
}
