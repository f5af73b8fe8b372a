//! The power fails: at every step of a real server or command (as strace saw it) what was not
//! synced is lost, torn or reordered, and what was acknowledged before is still there.
#![cfg(feature = "cli")]

mod support;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use arborlog::client::{Proposal, Remote};
use arborlog::crypto::{PublicKey, SigningKey};
use arborlog::ledger::State;
use arborlog::log::{Log, LogConfig};
use arborlog::record::*;
use arborlog::replay::{Replay, Signatures};
use support::auditor::{Told, audit, entries};
use support::dice::Dice;
use support::disk::Disk;
use support::trace::{CALLS, Step, read};
use support::{Ledger, ORIGIN, Server, award, copy_dir, program, run, run_ok, sign_from};

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
    let cuts = cuts(1);
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

/// A process that is killed between a write and its sync leaves a commit that only the kernel's
/// memory holds. The next start finds it, publishes it and answers by it: it must be on disk by then.
#[test]
fn what_a_start_after_a_kill_publishes_survives_a_loss_of_power() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    ledger.set_up(&server.remote());
    let head = server.remote().issuer(&ledger.platform.public()).unwrap();
    assert_eq!(server.stop(), 0);
    let start = ledger.temp.path().join("start");
    copy_dir(&ledger.dir, &start);
    let awards: Vec<Statement> = (0..3).map(|event| award(event, event)).collect();
    let key = &ledger.platform;
    let records = sign_from(&ledger.context(), key, head.next_seq, head.prev, &awards);
    let run = |name: &str, also: &[&str]| {
        let trace = ledger.path(name);
        let strace = [
            "-f", "-y", "-xx", "-s", "1000000", "-o", &trace, "-e", CALLS,
        ];
        let server = Server::start_under(&[&strace, also].concat(), &ledger.dir, &[]);
        (server, PathBuf::from(trace))
    };
    let steps_of = |trace: &Path| read(&std::fs::read_to_string(trace).unwrap(), &ledger.dir);

    let (mut server, trace) = run("killed", &["-e", "inject=fdatasync:signal=KILL:when=2"]);
    let impatient = Remote::new(&server.url).retrying_for(std::time::Duration::ZERO);
    let answered = records
        .iter()
        .take_while(|record| impatient.append(std::slice::from_ref(*record)).is_ok())
        .count();
    server.child.wait().unwrap();
    assert!(answered < records.len(), "it was not killed");
    let killed = steps_of(&trace);
    // The commit that was not answered is in the kernel's memory.
    let written = killed
        .iter()
        .rposition(|step| matches!(step, Step::Write { path, .. } if path.starts_with("journal")));
    let synced = killed
        .iter()
        .rposition(|step| matches!(step, Step::Synced { path, .. } if path.starts_with("journal")));
    assert!(written > synced);

    let (server, trace) = run("started", &[]);
    // Sent again, it is in already, and so is answered without a commit.
    for record in &records {
        server
            .remote()
            .append(std::slice::from_ref(record))
            .unwrap();
    }
    assert_eq!(server.stop(), 0);
    let (whole, entries) = entries(&ledger.dir);
    let states = states(&entries, &ledger.origin());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut disk = Disk::of(&start);
    killed.iter().for_each(|step| disk.apply(step));
    let (mut acknowledged, mut answers) = (0, 0);
    for (place, step) in steps_of(&trace).iter().enumerate() {
        if let Step::Answer { size } = step {
            (acknowledged, answers) = (*size, answers + 1);
        }
        disk.apply(step);
        for cut in 0..cuts(4) {
            let mut dice = Dice::new((place as u64) << 16 | cut);
            let dir = ledger.temp.path().join("lost");
            let fate = disk.lose_power(&dir, &mut dice);
            let what = format!("step {place} {} cut {cut} {fate:?}", name(step));
            let checked = check(&dir, acknowledged, whole.size, &entries, &states, &what);
            runtime.block_on(checked);
            std::fs::remove_dir_all(&dir).unwrap();
        }
    }
    assert_eq!((answers, acknowledged), (records.len(), whole.size));
}

/// How often the power is lost at each step; `ARBORLOG_POWER_CUTS=20` says 20 times.
fn cuts(by_default: u64) -> u64 {
    std::env::var("ARBORLOG_POWER_CUTS").map_or(by_default, |cuts| cuts.parse().unwrap())
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

/// Losses of power at each step of a command: its states are few, and what is found is small.
const COMMAND_CUTS: u64 = 8;

/// A command, all that it did in a folder, and what was in the folder before.
struct Traced {
    start: tempfile::TempDir,
    steps: Vec<Step>,
}

impl Traced {
    fn run(root: &Path, args: &[String]) -> Self {
        let start = tempfile::tempdir().unwrap();
        copy_dir(root, start.path());
        let temp = tempfile::tempdir().unwrap();
        let trace = temp.path().join("trace");
        let output = Command::new("strace")
            .args(["-f", "-y", "-xx", "-s", "1000000", "-e", CALLS, "-o"])
            .arg(&trace)
            .arg(program())
            .args(args)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            words(&output.stderr)
        );
        let steps = read(&std::fs::read_to_string(&trace).unwrap(), root);
        Self { start, steps }
    }

    /// Loses power at each step, in several ways; `check` is given each state that is found, once,
    /// and what the command had said by then.
    fn lose_power(&self, mut check: impl FnMut(&Path, &str, &str)) {
        let mut disk = Disk::of(self.start.path());
        let mut said = String::new();
        let mut seen = HashSet::new();
        for (place, step) in self.steps.iter().enumerate() {
            // What is said may be read before its call ends.
            if let Step::Said { text } = step {
                said.push_str(text);
            }
            disk.apply(step);
            for cut in 0..cuts(COMMAND_CUTS) {
                let temp = tempfile::tempdir().unwrap();
                let dir = temp.path().join("lost");
                let mut dice = Dice::new((place as u64) << 16 | cut);
                let fate = disk.lose_power(&dir, &mut dice);
                if seen.insert((tree(&dir, &dir), said.clone())) {
                    let what = format!("step {place} {} cut {cut} {fate:?}", name(step));
                    check(&dir, &said, &what);
                }
            }
        }
        eprintln!("{} steps, {} states", self.steps.len(), seen.len());
        assert!(seen.len() > 3 && !said.is_empty());
    }
}

/// All folders and files in a folder, with what is in them.
fn tree(root: &Path, dir: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_owned();
        if path.is_dir() {
            all.push((name, None));
            all.extend(tree(root, &path));
        } else {
            all.push((name, Some(std::fs::read(&path).unwrap())));
        }
    }
    all.sort();
    all
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_key_that_keygen_told_of_is_there_after_a_loss_of_power() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("keys");
    std::fs::create_dir(&root).unwrap();
    let key = path(&root, "key.pem");
    let mut told = 0;
    Traced::run(&root, &["keygen", &key].map(str::to_owned)).lose_power(|lost, said, what| {
        let key = path(lost, "key.pem");
        if said.is_empty() {
            let again = run(&["keygen", &key]);
            let refused = words(&again.stderr);
            if refused.contains("holds no whole key") {
                assert!(
                    refused.contains(&key) && refused.contains("remove it"),
                    "{refused}"
                );
                std::fs::remove_file(&key).unwrap();
                run_ok(&["keygen", &key]);
            } else if !again.status.success() {
                // One that is whole is kept, whether or not it was told of.
                assert!(refused.contains("is not overwritten"), "{what}: {refused}");
            }
        }
        let found = SigningKey::read(Path::new(&key));
        let found = found.unwrap_or_else(|error| panic!("{what}: {error}"));
        if !said.is_empty() {
            assert_eq!(found.public().to_string(), said.trim(), "{what}");
            told += 1;
        }
    });
    assert!(told > 0);
}

/// Two governors' key files in a folder that is made for them.
fn governors(root: &Path) {
    std::fs::create_dir(root).unwrap();
    for name in ["one.pem", "two.pem"] {
        run_ok(&["keygen", root.join(name).to_str().unwrap()]);
    }
}

fn path(root: &Path, name: &str) -> String {
    root.join(name).to_str().unwrap().to_owned()
}

/// `arborlog init` of `ledger` in a folder; the second governor is there and signs, or signs later.
fn init_args(root: &Path, second_signs: bool) -> Vec<String> {
    let second = path(root, "two.pem");
    let absent = || SigningKey::read(Path::new(&second)).unwrap().public();
    let second = if second_signs {
        second.clone()
    } else {
        absent().to_string()
    };
    let (ledger, first) = (path(root, "ledger"), path(root, "one.pem"));
    let args = ["init", &ledger, "--origin", ORIGIN, "--programme", "a test"];
    let governors = ["--governor", &first, "--governor", &second];
    args.into_iter()
        .chain(governors)
        .map(str::to_owned)
        .collect()
}

fn run_args(args: &[String]) -> std::process::Output {
    run(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What a power cut left of `arborlog init` names no key that it lost, and if it is a ledger, it has
/// all its parts.
fn nothing_names_what_is_lost(ledger: &Path, what: &str) {
    let key = SigningKey::read(&ledger.join("keys/log.pem"));
    let genesis = Proposal::read(&ledger.join("genesis.json"));
    if let Ok(genesis) = &genesis {
        let key = key.unwrap_or_else(|error| panic!("{what}: {error}"));
        let Statement::Genesis(genesis) = &genesis.signed.record().statement else {
            panic!("{what}: no genesis");
        };
        assert_eq!(genesis.log_key, key.public(), "{what}");
    }
    if ledger.join("VERSION").exists() {
        genesis.unwrap_or_else(|error| panic!("{what}: {error}"));
        for (name, begins) in [("origin", ORIGIN), ("log.vkey", ORIGIN)] {
            let text = std::fs::read_to_string(ledger.join(name));
            let text = text.unwrap_or_else(|error| panic!("{what}: {name}: {error}"));
            assert!(
                text.starts_with(begins) && text.ends_with('\n'),
                "{what}: {name}"
            );
        }
    }
}

/// Runs init again, and does what it says, until there is a ledger; the second governor signs if
/// that is still to be done.
fn init_again(root: &Path, second_signs: bool, what: &str) {
    let ledger = path(root, "ledger");
    let again = run_args(&init_args(root, second_signs));
    let refused = words(&again.stderr);
    if !again.status.success() {
        assert!(refused.contains("choose another"), "{what}: {refused}");
        if refused.contains(&format!("remove {ledger} and run this again")) {
            std::fs::remove_dir_all(&ledger).unwrap();
            let again = run_args(&init_args(root, second_signs));
            assert!(again.status.success(), "{what}: {}", words(&again.stderr));
        } else if !refused.contains(&format!("arborlog init {ledger} --complete")) {
            // It was whole.
            assert_eq!(entries(Path::new(&ledger)).0.size, 1, "{what}: {refused}");
        }
    }
    complete(root, what);
}

/// Has the second governor sign, and admits the genesis, if that is not done; then all is there.
fn complete(root: &Path, what: &str) {
    let (ledger, genesis) = (path(root, "ledger"), path(root, "ledger/genesis.json"));
    if entries(Path::new(&ledger)).0.size == 0 {
        let second = path(root, "two.pem");
        let key = SigningKey::read(Path::new(&second)).unwrap().public();
        if !endorsed(Path::new(&genesis), &key, what) {
            run_ok(&["endorse", &genesis, "--key", &second]);
        }
        run_ok(&["init", &ledger, "--complete"]);
    }
    audit(Path::new(&ledger), &Told::default());
    assert_eq!(entries(Path::new(&ledger)).0.size, 1, "{what}");
}

/// Whether a proposal, which is whole, has a key's signature.
fn endorsed(proposal: &Path, key: &PublicKey, what: &str) -> bool {
    let proposal = Proposal::read(proposal).unwrap_or_else(|error| panic!("{what}: {error}"));
    let endorsements = proposal.signed.endorsements();
    endorsements
        .iter()
        .any(|endorsement| endorsement.key == *key)
}

#[test]
fn a_ledger_that_init_told_of_is_there_after_a_loss_of_power() {
    for second_signs in [true, false] {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("root");
        governors(&root);
        let init = Traced::run(&root, &init_args(&root, second_signs));
        let mut told = 0;
        init.lose_power(|lost, said, what| {
            let ledger = lost.join("ledger");
            nothing_names_what_is_lost(&ledger, what);
            let line = |name: &str| said.lines().find_map(|line| line.strip_prefix(name));
            if let (Some(genesis), Some(vkey)) = (line("genesis   "), line("log vkey  ")) {
                let text = std::fs::read_to_string(ledger.join("log.vkey")).unwrap();
                assert_eq!(text.trim(), vkey, "{what}");
                let proposal = Proposal::read(&ledger.join("genesis.json")).unwrap();
                let id = SigningContext::new(&proposal.origin).id(proposal.signed.bytes());
                assert_eq!(id.to_string(), genesis, "{what}");
                assert_eq!(entries(&ledger).0.size, 1, "{what}");
                told += 1;
            } else if said.contains("Next: each runs") {
                complete(lost, what);
                told += 1;
            } else {
                init_again(lost, second_signs, what);
            }
        });
        assert!(told > 0);
    }
}

#[test]
fn a_signature_that_endorse_told_of_is_there_after_a_loss_of_power() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("root");
    governors(&root);
    assert!(run_args(&init_args(&root, false)).status.success());
    let second = path(&root, "two.pem");
    let key = SigningKey::read(Path::new(&second)).unwrap().public();
    let genesis = path(&root, "ledger/genesis.json");
    let args = ["endorse", &genesis, "--key", &second].map(str::to_owned);
    let mut told = 0;
    Traced::run(&root, &args).lose_power(|lost, said, what| {
        // The proposal before or the one after, never a torn one.
        let has = endorsed(&lost.join("ledger/genesis.json"), &key, what);
        if said.contains("endorsed by") {
            assert!(has, "{what}");
            told += 1;
        }
        complete(lost, what);
    });
    assert!(told > 0);
}

/// Or the saved audit could count rows that are gone, and the next audit would refuse it.
#[test]
fn a_saved_audit_follows_the_sync_of_the_award_rows_that_it_counts() {
    // So many rows of one account are written while the audit runs, and none waits at its end.
    const AWARDS: u64 = 265;
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    ledger.set_up(&remote);
    let statements: Vec<Statement> = (0..AWARDS).map(|event| award(1, event)).collect();
    let records = ledger.sign(&remote, &ledger.platform, &statements);
    remote.append(&records).unwrap();
    let root = ledger.temp.path().join("audits");
    std::fs::create_dir(&root).unwrap();
    let (state, vkey) = (path(&root, "state"), path(&ledger.dir, "log.vkey"));
    let args = ["audit", &server.url, "--log", &vkey, "--state", &state].map(str::to_owned);
    let steps = Traced::run(&root, &args).steps;
    let saved = |step: &Step| matches!(step, Step::Rename { to, .. } if to == Path::new("state"));
    let before = &steps[..steps.iter().position(saved).unwrap()];
    let is_synced_after = |place: usize, path: &Path| {
        before[place..].iter().any(|step| match step {
            Step::SyncBegins { path: synced, sync } if synced == path => before[place..]
                .iter()
                .any(|step| matches!(step, Step::Synced { sync: ended, .. } if ended == sync)),
            _ => false,
        })
    };
    let mut written = 0;
    for (place, step) in before.iter().enumerate() {
        match step {
            Step::Write { path, .. } if path.starts_with("state.awards") => {
                assert!(
                    is_synced_after(place, path),
                    "{path:?} is counted, not synced"
                );
                written += 1;
            }
            Step::Create { path, .. } if path.starts_with("state.awards") => {
                let folder = path.parent().unwrap();
                assert!(
                    is_synced_after(place, folder),
                    "{path:?} has no durable name"
                );
            }
            _ => {}
        }
    }
    assert!(written > 1, "{written}");
    assert_eq!(server.stop(), 0);
}
