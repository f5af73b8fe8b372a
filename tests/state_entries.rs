//! The log says of itself what its entries make: by a real server, checked by those who replay; and what is
//! said wrongly is found.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::time::{Duration, Instant};

use arborlog::client::Remote;
use arborlog::ledger::{RULES_VERSION, State};
use arborlog::log::{Clock, Log, LogConfig, LogSigner};
use arborlog::receipt::Receipt;
use arborlog::record::{Entry, Index, StateEntry, Statement, TimeMs};
use arborlog::replay::{Replay, ReplayError, Signatures, UnheldState};
use support::{Ledger, ORIGIN, Server, award, run, run_ok};

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
    replay.finish()?;
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
        // The newest may speak of less, when something came in while its root was made.
        Some(size).filter(|size| entry["form"] == "state" && entry["size"] == size - 1)
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
    let vkey = ledger.dir.join("log.vkey");
    let vkey = vkey.to_str().unwrap();
    let saved = ledger.path("audit.state");
    let audit = ["audit", &server.url, "--log", vkey, "--state", &saved];
    run_ok(&audit);
    let records = ledger.sign(&remote, &ledger.platform, &[award(9, 999)]);
    remote.append(&records).unwrap();
    soon("the award is covered", || {
        (checkpoint_size(&remote) == entries.len() as u64 + 2).then_some(())
    });
    // An audit goes on from where it ended, over a state entry that speaks of what came since.
    run_ok(&audit);
    server.kill();
    let server = Server::start_with(&ledger.dir, &OFTEN);
    assert_eq!(checkpoint_size(&server.remote()), entries.len() as u64 + 2);
    assert_eq!(server.stop(), 0);
    run_ok(&["fsck", dir]);
}

#[test]
fn how_things_stand_is_proven_offline() {
    let ledger = with_state_entries();
    let server = Server::start_with(&ledger.dir, &OFTEN);
    let url = server.url.clone();
    let file = ledger.path("proof.tlog-proof");
    let vkey = std::fs::read_to_string(ledger.dir.join("log.vkey")).unwrap();
    let prove = |domain: &str, key: Option<&str>| {
        let mut args = vec!["prove", "--from", &url, "-o", &file, domain];
        args.extend(key);
        run_ok(&args);
        let said = run_ok(&["verify", &file, "--log", vkey.trim(), "--json"]);
        serde_json::from_str::<serde_json::Value>(&said).unwrap()
    };
    let Statement::Award(paid) = award(3, 3) else {
        panic!("award makes awards");
    };
    let says = |said: &serde_json::Value| said["items"][0]["says"].as_str().unwrap().to_owned();
    // 600 awards to 50 accounts.
    let said = prove("account", Some(&paid.account.to_string()));
    assert!(says(&said).contains("has 1248 points"), "{said}");
    // An award's evidence is not in the state, and that there is none says nothing of awards.
    let evidence = paid.evidence.to_string();
    assert!(says(&prove("evidence", Some(&evidence))).contains("there is no"));
    let kept = "the evidence of plantings and surveys alone";
    let verified = run_ok(&["verify", &file, "--log", vkey.trim()]);
    assert!(verified.contains(kept), "{verified}");
    let proven = run(&["prove", "--from", &url, "-o", &file, "evidence", &evidence]);
    let said = String::from_utf8_lossy(&proven.stderr).into_owned();
    assert!(said.contains(kept), "{said}");
    // What can't be meant is wrong use.
    for args in [["nonsense", "1"], ["evidence", "nonsense"], ["claim", "x"]] {
        let refused = run(&[&["prove", "--from", &url, "-o", &file], &args[..]].concat());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {said}");
    }
    let nobody = "ff".repeat(32);
    assert!(says(&prove("account", Some(&nobody))).contains("there is no"));
    let platform = ledger.platform.public().to_string();
    assert!(says(&prove("key", Some(&platform))).contains("it is not revoked"));
    assert!(says(&prove("method", Some("1/1"))).contains("was stated by entry"));
    assert!(says(&prove("tree", Some("1/1"))).contains("there is no"));
    assert!(says(&prove("voided", Some("7"))).contains("there is no"));
    assert!(says(&prove("once", Some("1"))).contains("once 1"));
    assert!(says(&prove("holder", Some("app"))).contains("holder app is number 0"));
    let totals = prove("totals", None);
    assert_eq!(totals["state"]["totals"]["awarded"], "62400");
    assert_eq!(totals["items"], serde_json::json!([]));

    // Each lie about an item is false, or can't be read; never held.
    prove("account", Some(&paid.account.to_string()));
    let honest = Receipt::read(&std::fs::read(&file).unwrap()).unwrap();
    let log = vkey.trim().parse().unwrap();
    let held = honest.verify(&log, None, &[]).unwrap();
    assert_eq!(held.items.len(), 1);
    for byte in 0..honest.items[0].proof.len() {
        let mut wrong = honest.clone();
        wrong.items[0].proof[byte] ^= 1;
        assert!(
            wrong.verify(&log, None, &[]).is_err(),
            "byte {byte} of the proof"
        );
    }
    for byte in 0..honest.items[0].key.len() {
        let mut wrong = honest.clone();
        wrong.items[0].key[byte] ^= 1;
        assert!(
            wrong.verify(&log, None, &[]).is_err(),
            "byte {byte} of the key"
        );
    }
    let mut wrong = honest.clone();
    wrong.items[0].fields = Some(Vec::new());
    assert!(wrong.verify(&log, None, &[]).is_err());
    prove("key", Some(&platform));
    let honest = Receipt::read(&std::fs::read(&file).unwrap()).unwrap();
    for byte in 0..honest.items[0].fields.as_ref().unwrap().len() {
        let mut wrong = honest.clone();
        wrong.items[0].fields.as_mut().unwrap()[byte] ^= 1;
        assert!(
            wrong.verify(&log, None, &[]).is_err(),
            "byte {byte} of the fields"
        );
    }
    let mut wrong = honest.clone();
    wrong.items[0].fields = None;
    assert!(wrong.verify(&log, None, &[]).is_err());
    assert_eq!(
        Receipt::read(honest.to_text().unwrap().as_bytes()).unwrap(),
        honest
    );

    for (path, code) in [
        ("v1/proofs/state?domain=nothing", "query_malformed"),
        ("v1/proofs/state?domain=account&key=12", "query_malformed"),
        ("v1/proofs/state?domain=tree&key=1", "query_malformed"),
        ("v1/proofs/state?domain=tree&key=01%2F1", "query_malformed"),
    ] {
        let error = server.remote().text(path).unwrap_err().to_string();
        assert!(error.contains(code), "{path}: {error}");
    }
    assert_eq!(server.stop(), 0);
}

#[test]
fn every_lie_of_a_state_entry_is_found() {
    let ledger = with_state_entries();
    let entries = entries(&ledger);
    let said = state_entries(&entries);
    // One that could speak of an entry less.
    let room = |it: &StateEntry| it.before.is_some_and(|before| it.size > before.0 + 2);
    let (index, right) = said
        .iter()
        .skip(said.len() / 3)
        .find(|(_, it)| room(it))
        .unwrap();
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
    // A root is made while the replay continues: what is wrong behind the lie is not told in its place.
    let mut wrong = right.clone();
    wrong.root[0] ^= 1;
    let mut both = entries.clone();
    both[*index] = wrong.encode().unwrap();
    let signed =
        (index + 1..both.len()).find(|at| Entry::decode(&both[*at]).unwrap().signed().is_some());
    let signed = both[signed.unwrap()].clone();
    both.insert(index + 2, signed);
    let text = replay(&both).unwrap_err().to_string();
    assert!(
        text.contains(&format!("entry {index}:")) && text.contains("root"),
        "{text}"
    );
    // One that is left out, said twice, or repeated later breaks the chain.
    let mut twice = entries.clone();
    twice.insert(index + 1, twice[*index].clone());
    assert!(replay(&twice).is_err());
    let mut gone = entries.clone();
    gone.remove(*index);
    assert!(replay(&gone).is_err());
}

/// The entries of a ledger that were admitted while one more than a minute older was in no state entry, as an audit
/// counts them.
fn admitted_beside_uncovered(entries: &[Vec<u8>]) -> Vec<u64> {
    let mut uncovered: Vec<(u64, TimeMs)> = Vec::new();
    let mut late = Vec::new();
    for (index, bytes) in (0..).zip(entries) {
        match Entry::decode(bytes).unwrap() {
            Entry::State(state) => uncovered.retain(|(at, _)| *at >= state.size),
            Entry::Signed(entry) => {
                let now = entry.admitted_at;
                let is_late = |(_, then): &(u64, TimeMs)| now.0 - then.0 > 60_000;
                if uncovered.iter().any(is_late) {
                    late.push(index);
                }
                uncovered.push((index, now));
            }
            Entry::Sealed(_) => panic!("nothing is sealed here"),
        }
    }
    late
}

/// A log that was killed before it covered what it had admitted, and starts again an hour later: an entry that it
/// admitted then would be a finding of every audit.
#[test]
fn after_a_start_the_log_covers_what_is_in_before_it_admits() {
    let ledger = Ledger::init();
    let server = Server::start_with(&ledger.dir, &["--state-every-ms", "0"]);
    let remote = server.remote();
    ledger.set_up(&remote);
    let awards: Vec<_> = (0..6).map(|n| award(n, n)).collect();
    let records = ledger.sign(&remote, &ledger.platform, &awards);
    let (before, after) = records.split_at(3);
    remote.append(before).unwrap();
    server.kill();
    let all = entries(&ledger);
    assert!(state_entries(&all).is_empty());

    let start = |hours: u64, every: Duration| {
        let store = arborlog::store::DiskStore::open(&ledger.dir).unwrap();
        let signer = LogSigner::open(&ledger.dir).unwrap();
        let wall = move || {
            let now = std::time::SystemTime::now();
            let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
            since.as_millis() as u64 + hours * 3_600_000
        };
        let config = LogConfig {
            state_every: Some(every),
            ..LogConfig::of(&ledger.dir)
        };
        async move {
            let clock = Clock::new(Box::new(wall), false);
            let store = std::sync::Arc::new(store);
            Log::start_with(store, signer, None, clock, &config)
                .await
                .unwrap()
        }
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // State entries are an hour apart, so that nothing but the start makes the first one.
    let every = Duration::from_secs(3_600);
    runtime.block_on(async {
        let log = start(1, every).await;
        for record in after.get(..2).unwrap() {
            log.append(vec![record.clone()], None).await.unwrap();
        }
        // Killed again, with two that are uncovered.
        drop(log);
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let log = start(2, every).await;
        log.append(after.get(2..).unwrap().to_vec(), None)
            .await
            .unwrap();
        log.close().await;
    });
    drop(runtime);
    let entries = entries(&ledger);
    assert_eq!(entries.len(), all.len() + 3 + 2, "two state entries");
    let late = admitted_beside_uncovered(&entries);
    assert!(late.is_empty(), "{late:?} of {:?}", state_entries(&entries));
    let first = state_entries(&entries).remove(0);
    assert_eq!((first.0, first.1.size), (all.len(), all.len() as u64));
    replay(&entries).unwrap();
}

/// Takes entries in as an audit does that was asked for a checkpoint at their end; the state entries that it could
/// compare with nothing.
fn go_on(replay: &mut Replay, entries: &[Vec<u8>], size: usize) -> Result<(), ReplayError> {
    let earlier = |index: Index| entries.get(index.0 as usize).cloned();
    let from = replay.next_index().0 as usize;
    let last = state_entries(&entries[..size])
        .pop()
        .map_or(0, |(index, _)| index + 1);
    if last > from || from == 0 {
        replay.keep_base_at(last as u64);
    }
    for bytes in &entries[from..size] {
        let index = replay.next_index();
        let checked = replay
            .checker()
            .check(bytes)
            .map_err(|fault| fault.at(index.0))?;
        for group in replay.add(checked)? {
            replay.take_group(&group, earlier, |_, _| Ok::<_, ReplayError>(()))?;
        }
    }
    for group in replay.rest() {
        replay.take_group(&group, earlier, |_, _| Ok::<_, ReplayError>(()))?;
    }
    replay.finish()
}

/// An audit ends at a checkpoint, and goes on at the next one. Between them may lie a state entry and what it speaks
/// of: it is made again all the same, or said to be compared with nothing. A replay that went on called such a log
/// false, and one that was resumed took any root.
#[test]
fn a_replay_that_goes_on_compares_state_entries_that_speak_of_what_it_passed() {
    let ledger = with_state_entries();
    let entries = entries(&ledger);
    let origin = ORIGIN.parse().unwrap();
    let new = || Replay::new(&origin, Signatures::Trust);
    let all = state_entries(&entries);
    let behind = all
        .iter()
        .filter(|(index, entry)| entry.size < *index as u64);
    let cuts: Vec<_> = behind
        .map(|(index, entry)| (*index, entry.clone()))
        .take(12)
        .collect();
    assert!(!cuts.is_empty());
    for (index, entry) in &cuts {
        let mut wrong = entry.clone();
        wrong.root[0] ^= 1;
        let mut lying = entries.clone();
        lying[*index] = wrong.encode().unwrap();
        let found = |error: ReplayError| match error {
            ReplayError::Violation(violation) => violation.index as usize,
            other => panic!("{other}"),
        };
        // The checkpoint that the audit ends at for a time is of any size between.
        for cut in entry.size as usize + 1..=*index {
            let mut replay = new();
            go_on(&mut replay, &entries, cut).unwrap();
            let mut lied_to = replay.clone();
            go_on(&mut replay, &entries, entries.len()).unwrap();
            assert_eq!(replay.unheld(), [], "{cut} of {index}");
            let error = go_on(&mut lied_to, &lying, entries.len()).unwrap_err();
            assert_eq!(found(error), *index, "{cut}");
        }
        // Resumed from a state that was saved in between, without the one before.
        let mut saved = new();
        go_on(&mut saved, &entries, *index).unwrap();
        let (state, tree) = saved.into_parts();
        let mut resumed = Replay::resume(state, tree, Signatures::Trust);
        go_on(&mut resumed, &lying, entries.len()).unwrap();
        let unheld = UnheldState {
            index: Index(*index as u64),
            size: entry.size,
        };
        assert_eq!(resumed.unheld(), [unheld]);
        // Resumed from where the state entry before ends, which is where an audit is saved.
        let end = all
            .iter()
            .map(|(index, _)| index + 1)
            .rfind(|end| end <= index);
        let mut saved = new();
        go_on(&mut saved, &entries, end.unwrap()).unwrap();
        assert!(saved.is_behind_state_entry());
        let (state, tree) = saved.into_parts();
        let mut resumed = Replay::resume(state, tree, Signatures::Trust);
        let error = go_on(&mut resumed.clone(), &lying, entries.len()).unwrap_err();
        assert_eq!(found(error), *index);
        go_on(&mut resumed, &entries, entries.len()).unwrap();
        assert_eq!(resumed.unheld(), []);
    }
}
