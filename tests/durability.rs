//! What is answered is durable: a store that holds its commits back, and the contract that every
//! store keeps.
#![cfg(feature = "cli")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arborlog::client::today;
use arborlog::crypto::SigningKey;
use arborlog::ledger::{Candidate, Code, State};
use arborlog::log::{AppendError, Clock, Log, LogConfig, LogError, LogSigner, Sender, Status};
use arborlog::merkle::{Bundle, Frontier, Hash, Level, TileId, leaf_hash, root_of};
use arborlog::note::TreeHead;
use arborlog::record::*;
use arborlog::shares::{ClientNet, Shares};
use arborlog::store::{
    Batch, BoxFuture, Bytes, CommitOutcome, DiskStore, SavedState, StateChange, Store, StoreError,
    StoreLock, repair,
};
use support::auditor::{Told, audit};
use support::{Ledger, ORIGIN, Server, award, method, sign_from};
use tokio::sync::Semaphore;

/// A store in memory, which commits when it is let to, and fails when it is told to.
struct HeldStore {
    entries: Arc<Mutex<Vec<Vec<u8>>>>,
    gate: Arc<Semaphore>,
    fails: Arc<AtomicBool>,
    /// A commit panics.
    breaks: Arc<AtomicBool>,
    /// Commits that were begun.
    begun: AtomicU64,
}

impl HeldStore {
    fn new(genesis: Vec<u8>) -> Self {
        Self {
            entries: Arc::new(Mutex::new(vec![genesis])),
            gate: Arc::new(Semaphore::new(0)),
            fails: Arc::default(),
            breaks: Arc::default(),
            begun: AtomicU64::new(0),
        }
    }

    fn head_now(&self) -> LogHead {
        Self::head_of(&self.entries.lock().unwrap())
    }

    fn head_of(entries: &[Vec<u8>]) -> LogHead {
        let root = root_of(entries.iter().map(|entry| leaf_hash(entry)));
        LogHead::without_state(TreeHead {
            size: entries.len() as u64,
            root,
        })
    }
}

fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (entry, after) = after.split_at(u16::from_be_bytes(*length).into());
        entries.push(entry.to_vec());
        rest = after;
    }
    entries
}

impl Store for HeldStore {
    fn head(&self) -> BoxFuture<'_, Result<LogHead, StoreError>> {
        Box::pin(async { Ok(self.head_now()) })
    }

    fn commit(&self, batch: Arc<Batch>) -> BoxFuture<'static, CommitOutcome> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let (gate, fails) = (Arc::clone(&self.gate), Arc::clone(&self.fails));
        let breaks = Arc::clone(&self.breaks);
        let entries = Arc::clone(&self.entries);
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            assert!(!breaks.load(Ordering::SeqCst), "told to");
            if fails.load(Ordering::SeqCst) {
                return CommitOutcome::Unknown(StoreError::Stopped("told to".to_owned()));
            }
            let mut entries = entries.lock().unwrap();
            let head = Self::head_of(&entries);
            if head != batch.from {
                return CommitOutcome::Moved(head);
            }
            entries.extend(split(&batch.entries));
            CommitOutcome::Committed
        })
    }

    fn read(&self, tile: TileId) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move {
            let entries = self.entries.lock().unwrap();
            if !tile.is_in_tree(entries.len() as u64) {
                return Ok(None);
            }
            let first = tile.number() as usize * 256;
            let part = entries.iter().skip(first).take(tile.width().into());
            let mut bytes = Vec::new();
            match tile.level() {
                Level::Entries => {
                    part.for_each(|entry| Bundle::append(&mut bytes, entry).unwrap());
                }
                Level::Hashes(0) => {
                    part.for_each(|entry| bytes.extend_from_slice(leaf_hash(entry).as_bytes()));
                }
                Level::Hashes(_) => panic!("the tests' trees are small"),
            }
            Ok(Some(Bytes::from(bytes)))
        })
    }
}

struct Keys {
    governor: SigningKey,
    log: SigningKey,
    platform: SigningKey,
}

fn keys() -> Keys {
    let key = |seed| SigningKey::from_seed(&[seed; 32]);
    Keys {
        governor: key(1),
        log: key(2),
        platform: key(3),
    }
}

fn context() -> SigningContext {
    SigningContext::new(&ORIGIN.parse().unwrap())
}

fn genesis(keys: &Keys) -> (Vec<u8>, RecordId) {
    let statement = Statement::Genesis(Genesis {
        format: FormatVersion::CURRENT,
        origin: ORIGIN.parse().unwrap(),
        programme: "a test".parse().unwrap(),
        governors: List::try_from(vec![keys.governor.public()]).unwrap(),
        quorum: 1,
        log_key: keys.log.public(),
        mldsa_key: None,
    });
    let signed = sign_from(
        &context(),
        &keys.governor,
        Seq(0),
        RecordId::NONE,
        &[statement],
    );
    let signed = signed[0].clone().endorse(&context(), &keys.log).unwrap();
    let id = context().id(signed.bytes());
    let admitted_at = TimeMs(u64::from(today().0) * 86_400_000);
    let candidate = Candidate::signed(&signed, id, admitted_at, None);
    let lineage = State::empty(ORIGIN.parse().unwrap())
        .judge(&candidate)
        .unwrap();
    (
        SignedEntry {
            admitted_at,
            lineage,
            signed,
        }
        .encode()
        .unwrap(),
        id,
    )
}

struct Running {
    log: Arc<Log>,
    store: Arc<HeldStore>,
    keys: Keys,
}

/// A log on a held store, with a platform and a method in it.
async fn running() -> Running {
    let keys = keys();
    let (entry, id) = genesis(&keys);
    let store = Arc::new(HeldStore::new(entry));
    let signer = LogSigner::of_keys(ORIGIN.parse().unwrap(), vec![keys.log.clone()]);
    let log = Log::start(store.clone(), signer, None, Clock::system(false))
        .await
        .unwrap();
    let log = Arc::new(log);
    store.gate.add_permits(2);
    let grant = Statement::KeyGrant(KeyGrant {
        key: keys.platform.public(),
        role: Role::Platform,
        holder: "app".parse().unwrap(),
        display_name: "App".parse().unwrap(),
        expires_on: None,
        set: Index(0),
    });
    let records = sign_from(
        &context(),
        &keys.governor,
        Seq(1),
        id,
        &[grant, Statement::Method(method())],
    );
    let [grant, method] = records.try_into().unwrap();
    let grant = grant.endorse(&context(), &keys.platform).unwrap();
    log.append(vec![grant], None).await.unwrap();
    log.append(vec![method], None).await.unwrap();
    Running { log, store, keys }
}

impl Running {
    async fn awards(&self, count: u64) -> Vec<SignedRecord> {
        let platform = self.keys.platform.public();
        let (next, _) = self
            .log
            .look_up(|state| state.key(&platform).unwrap().next())
            .await
            .unwrap();
        let statements: Vec<Statement> = (0..count).map(|n| award(n, n)).collect();
        sign_from(&context(), &self.keys.platform, next.0, next.1, &statements)
    }
}

const A_WHILE: Duration = Duration::from_millis(150);
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_waits_until_what_it_rests_on_is_durable_and_published() {
    let it = running().await;
    let records = it.awards(2).await;
    let platform = it.keys.platform.public();
    let append = |records: Vec<SignedRecord>| {
        let log = Arc::clone(&it.log);
        tokio::spawn(async move { log.append(records, None).await })
    };
    let mut first = append(vec![records[0].clone()]);
    assert!(
        tokio::time::timeout(A_WHILE, &mut first).await.is_err(),
        "success was told early"
    );

    let mut again = append(vec![records[0].clone()]);
    assert!(
        tokio::time::timeout(A_WHILE, &mut again).await.is_err(),
        "already in was told early"
    );

    let other = sign_from(
        &context(),
        &it.keys.platform,
        records[0].record().seq,
        records[0].record().prev,
        &[award(9, 9)],
    );
    let mut conflict = append(other);
    assert!(
        tokio::time::timeout(A_WHILE, &mut conflict).await.is_err(),
        "a refusal was told early"
    );

    // A refusal by a rule that stands on the uncommitted award too: a gap after it.
    let account = match &records[0].record().statement {
        Statement::Award(award) => award.account,
        _ => unreachable!(),
    };
    let log = Arc::clone(&it.log);
    let mut seen = tokio::spawn(async move {
        log.look_up(|state| state.account(&account).map(|account| account.balance))
            .await
    });
    assert!(
        tokio::time::timeout(A_WHILE, &mut seen).await.is_err(),
        "a balance was told early"
    );

    let before = it.log.published().head.tree.size;
    it.store.gate.add_permits(10);
    let appended = first.await.unwrap().unwrap();
    assert_eq!(appended.indexes, vec![Index(before)]);
    assert!(appended.published.head.tree.size > before);
    let appended = again.await.unwrap().unwrap();
    assert_eq!(appended.indexes, vec![Index(before)]);
    match conflict.await.unwrap().unwrap_err() {
        AppendError::Refused(refused) => {
            assert_eq!(refused.refusal.code, Code::SequenceUsed);
            assert!(refused.published.head.tree.size > before);
        }
        other => panic!("{other}"),
    }
    assert_eq!(seen.await.unwrap().unwrap().0, Some(104));
    assert!(it.log.knows(&platform));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_unknown_outcome_the_log_believes_the_store_and_goes_on() {
    let it = running().await;
    let records = it.awards(1).await;
    let size = it.log.published().head.tree.size;
    it.store.fails.store(true, Ordering::SeqCst);
    it.store.gate.add_permits(1);
    let error = it.log.append(records.clone(), None).await.unwrap_err();
    assert!(matches!(error, AppendError::Unavailable { .. }), "{error}");
    it.store.fails.store(false, Ordering::SeqCst);
    it.store.gate.add_permits(1);
    let appended = it.log.append(records, None).await.unwrap();
    assert_eq!(appended.indexes, vec![Index(size)]);
    assert_eq!(it.log.published().head, it.store.head_now());
}

/// The memory that a batch counts for, of which a network has this much.
const MEMORY: usize = 10;

fn from_afar(memory: &Shares) -> Sender {
    let net = ClientNet::of([192, 0, 2, 1].into());
    let memory = Some(Arc::new(memory.try_take(net, MEMORY).unwrap()));
    Sender { net, memory }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_taken_until_the_answer_though_the_sender_is_gone() {
    let it = running().await;
    let records = it.awards(1).await;
    let memory = Shares::new(MEMORY, MEMORY);
    let (log, sender) = (Arc::clone(&it.log), from_afar(&memory));
    let append = tokio::spawn(async move { log.append_from(&sender, records, None).await });
    let begun = || it.store.begun.load(Ordering::SeqCst);
    soon("nothing was begun", || begun() == 3).await;
    append.abort();
    assert!(append.await.unwrap_err().is_cancelled());
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(memory.free(), 0, "the commit still holds the records");
    it.store.gate.add_permits(1);
    soon("the memory is still taken", || memory.free() == MEMORY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_not_begun_once_its_sender_is_gone() {
    let it = running().await;
    let records = it.awards(3).await;
    let size = it.store.head_now().tree.size;
    let memory = Shares::new(MEMORY, MEMORY);
    let append = |record: &SignedRecord, sender: Sender| {
        let (log, record) = (Arc::clone(&it.log), record.clone());
        tokio::spawn(async move { log.append_from(&sender, vec![record], None).await })
    };
    // One is being committed, the next is judged, and the third waits.
    let first = append(&records[0], Sender::LOCAL);
    let begun = || it.store.begun.load(Ordering::SeqCst);
    soon("nothing was begun", || begun() == 3).await;
    let second = append(&records[1], Sender::LOCAL);
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(it.log.waiting(), 0);
    let third = append(&records[2], from_afar(&memory));
    soon("nothing waits", || it.log.waiting() == 1).await;
    third.abort();
    assert!(third.await.unwrap_err().is_cancelled());
    it.store.gate.add_permits(10);
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
    soon("it still waits", || memory.free() == MEMORY).await;
    assert_eq!(it.store.head_now().tree.size, size + 2);
    // It was not told, so it is sent again.
    let again = it.log.append(vec![records[2].clone()], None).await;
    assert_eq!(again.unwrap().indexes, vec![Index(size + 2)]);
}

/// A saved state whose sums are wrong, as a fault of the software or of memory would leave it.
fn wrong_state(of: &State, head: LogHead, dir: &Path) -> SavedState {
    let mut saved = SavedState::open(dir).unwrap();
    let mut image = of.clone().image();
    // Of all sums the only one that neither rule 9 nor a domain's root shows to be wrong.
    image.globals.totals.accounts_negative = u64::MAX;
    saved.save(StateChange { image, head }).unwrap();
    saved
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_contradicts_itself_halts_the_log_before_the_commit() {
    let it = running().await;
    let (state, published) = it.log.look_up(State::clone).await.unwrap();
    let size = published.head.tree.size;
    let Statement::Award(spent) = award(0, 0) else {
        panic!("award makes awards");
    };
    let species = &method().species[0];
    let statements = [
        award(0, 0),
        Statement::Claim(Claim {
            account: spent.account,
            method: spent.method,
            version: spent.version,
            species: species.code,
            points: species.price,
        }),
        Statement::Correction(Correction {
            target: Index(size),
            reason: "no such ride".parse().unwrap(),
            remedy: Remedy::Reverse {
                points: spent.points,
            },
            set: None,
        }),
        award(2, 2),
    ];
    let platform = &it.keys.platform;
    let (seq, prev) = state.key(&platform.public()).unwrap().next();
    let records = sign_from(&context(), platform, seq, prev, &statements);
    let Ok(log) = Arc::try_unwrap(it.log) else {
        panic!("somebody else has the log");
    };
    log.close().await;

    let dir = tempfile::tempdir().unwrap();
    let saved = wrong_state(&state, published.head, dir.path());
    let signer = || LogSigner::of_keys(ORIGIN.parse().unwrap(), vec![it.keys.log.clone()]);
    let clock = || Clock::system(false);
    let log = Log::start(it.store.clone(), signer(), Some(saved), clock()).await;
    let log = Arc::new(log.unwrap());
    let append = |records: &[SignedRecord]| {
        let (log, records) = (Arc::clone(&log), records.to_vec());
        tokio::spawn(async move { log.append(records, None).await })
    };
    // An award and a claim are under way when the reversal comes that overflows the number of accounts below zero.
    let mut good = append(&records[..2]);
    assert!(tokio::time::timeout(A_WHILE, &mut good).await.is_err());
    let mut bad = append(&records[2..3]);
    assert!(tokio::time::timeout(A_WHILE, &mut bad).await.is_err());
    it.store.gate.add_permits(10);
    let indexes = [size, size + 1].map(Index).to_vec();
    assert_eq!(good.await.unwrap().unwrap().indexes, indexes);
    let why = match bad.await.unwrap().unwrap_err() {
        AppendError::Unavailable { why, .. } => why,
        other => panic!("{other}"),
    };
    assert!(why.contains("breaks an invariant of the ledger"), "{why}");
    // Halted, with nothing of that batch in the store; nothing is admitted or told any more.
    assert!(matches!(log.status(), Status::Halted { .. }));
    assert_eq!(it.store.head_now().tree.size, size + 2);
    assert_eq!(log.published().head, it.store.head_now());
    assert!(append(&records[3..]).await.unwrap().is_err());
    assert!(log.look_up(State::entries).await.is_err());
    let Ok(log) = Arc::try_unwrap(log) else {
        panic!("somebody else has the log");
    };
    log.close().await;
    assert_eq!(it.store.head_now().tree.size, size + 2);

    // The wrong state was not saved again either: made anew from the entries, all is well.
    let log = Log::start(it.store.clone(), signer(), None, clock()).await;
    let log = log.unwrap();
    let appended = log.append(records, None).await.unwrap();
    let indexes = [size, size + 1, size + 2, size + 3].map(Index).to_vec();
    assert_eq!(appended.indexes, indexes);
    let mut saved = SavedState::open(dir.path()).unwrap();
    assert_eq!(saved.load().unwrap().1, published.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_admitted_up_to_its_first_bad_record() {
    let it = running().await;
    it.store.gate.add_permits(100);
    let mut records = it.awards(5).await;
    let wrong = records[3].bytes().to_vec();
    records[3] = SignedRecord::new(
        wrong,
        arborlog::crypto::Signature::from_bytes([5; 64]),
        Vec::new(),
    )
    .unwrap();
    let size = it.log.published().head.tree.size;
    match it.log.append(records.clone(), None).await.unwrap_err() {
        AppendError::Refused(refused) => {
            assert_eq!(refused.position, 3);
            assert_eq!(refused.refusal.code, Code::SignatureInvalid);
            assert_eq!(
                refused.indexes,
                vec![Index(size), Index(size + 1), Index(size + 2)]
            );
        }
        other => panic!("{other}"),
    }
    assert_eq!(it.log.published().head.tree.size, size + 3);
    // Sent again, the first three are where they were.
    let again = it.log.append(records[..3].to_vec(), None).await.unwrap();
    assert_eq!(
        again.indexes,
        vec![Index(size), Index(size + 1), Index(size + 2)]
    );
    assert_eq!(it.log.published().head.tree.size, size + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_behind_the_last_admission_stops_admission_until_it_is_confirmed() {
    let keys = keys();
    let (entry, id) = genesis(&keys);
    let early = u64::from(today().0) * 86_400_000 - 10_000;
    for (accepted, admitted) in [(false, false), (true, true)] {
        let store = Arc::new(HeldStore::new(entry.clone()));
        store.gate.add_permits(10);
        let signer = LogSigner::of_keys(ORIGIN.parse().unwrap(), vec![keys.log.clone()]);
        let clock = Clock::new(Box::new(move || early), accepted);
        let log = Log::start(store, signer, None, clock).await.unwrap();
        let records = sign_from(
            &context(),
            &keys.governor,
            Seq(1),
            id,
            &[Statement::Method(method())],
        );
        assert_eq!(log.append(records, None).await.is_ok(), admitted);
        log.close().await;
    }
}

/// A clock that a test sets.
fn settable(at_ms: u64) -> (Clock, Arc<AtomicU64>) {
    let wall = Arc::new(AtomicU64::new(at_ms));
    let read = Arc::clone(&wall);
    let clock = Clock::new(Box::new(move || read.load(Ordering::SeqCst)), false);
    (clock, wall)
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_what_a_post_would_get_by_the_clock() {
    const HOUR_MS: u64 = 3_600_000;
    let keys = keys();
    let (entry, id) = genesis(&keys);
    let genesis_ms = u64::from(today().0) * 86_400_000;
    let method = |id| Method {
        id: MethodId(id),
        ..method()
    };
    let statements: Vec<Statement> = (1..=2).map(|n| Statement::Method(method(n))).collect();
    let records = sign_from(&context(), &keys.governor, Seq(1), id, &statements);
    // How the clock stands at the start, and what is said of it.
    for (begun_ms, words) in [
        (genesis_ms - 2 * HOUR_MS, "behind the last admission"),
        (
            genesis_ms + 40 * 24 * HOUR_MS,
            "ahead of the last admission",
        ),
        (genesis_ms + 1, ""),
    ] {
        let store = Arc::new(HeldStore::new(entry.clone()));
        store.gate.add_permits(10);
        let signer = LogSigner::of_keys(ORIGIN.parse().unwrap(), vec![keys.log.clone()]);
        let (clock, wall) = settable(begun_ms);
        let log = Log::start(store.clone(), signer, None, clock)
            .await
            .unwrap();
        let mut records = records.clone().into_iter();
        let mut next = records.next();
        // What the log says, and what a sender gets, while the clock stands so.
        for (set_ms, words) in [
            (begun_ms, words),
            (genesis_ms + 10, ""),
            (genesis_ms + 40 * 24 * HOUR_MS, "against uptime"),
            (genesis_ms - 2 * HOUR_MS, "against uptime"),
            (genesis_ms + 20, ""),
        ] {
            wall.store(set_ms, Ordering::SeqCst);
            let said = log.readiness().map_err(|error| error.to_string());
            let Some(record) = next.clone() else { break };
            let got = log.append(vec![record], None).await;
            match (said, got) {
                (Ok(()), Ok(_)) => {
                    assert_eq!(words, "");
                    next = records.next();
                }
                (Err(said), Err(AppendError::Unavailable { why, .. })) => {
                    assert!(!words.is_empty() && said.contains(words), "{said}");
                    // Numbers apart: time passes.
                    let plain = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
                    assert_eq!(plain(&said), plain(&why));
                }
                (said, got) => panic!("{words}: {said:?}, but {got:?}"),
            }
        }
        // No admission got a wrong time: all that was sent is in.
        assert_eq!(store.head_now().tree.size, 3);
        log.close().await;
    }
}

fn head_of(tree: &Frontier) -> LogHead {
    LogHead::without_state(TreeHead::of(tree))
}

/// Waits for something that happens on another task; fails after a while.
async fn soon(what: &str, happened: impl Fn() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Opens a log whose last owner dropped it: soon the directory is free.
async fn open_soon(dir: &Path) -> Log {
    let begun = Instant::now();
    loop {
        match Log::open(&LogConfig::of(dir)).await {
            Err(LogError::Store(StoreError::Locked(_))) if begun.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            opened => return opened.unwrap(),
        }
    }
}

/// Drops a log without closing it, again and again, with appends answered and appends under way.
async fn drops_and_opens_again(ledger: &Ledger) {
    let platform = ledger.platform.public();
    let mut told = Told::default();
    for round in 0..5 {
        let log = open_soon(&ledger.dir).await;
        let ((seq, prev), _) = log
            .look_up(|state| state.key(&platform).unwrap().next())
            .await
            .unwrap();
        let statements: Vec<Statement> = (0..40).map(|n| award(n, round * 40 + n)).collect();
        let records = sign_from(&context(), &ledger.platform, seq, prev, &statements);
        let (answered, left) = records.split_at(20);
        let appended = log.append(answered.to_vec(), None).await.unwrap();
        let bytes = answered.iter().map(|record| record.bytes().to_vec());
        told.records.extend(appended.indexes.into_iter().zip(bytes));
        told.heads.push(appended.published.head.tree);
        // Nobody waits for these: they are in, or they are not.
        let gone = log.append(left.to_vec(), None);
        let _ = tokio::time::timeout(Duration::from_millis(round), gone).await;
        drop(log);
    }
    let tasks = tokio::runtime::Handle::current().metrics();
    soon("a task goes on", || tasks.num_alive_tasks() == 0).await;
    audit(&ledger.dir, &told);
    let aside = ledger.dir.join("state.damaged");
    assert!(!aside.exists(), "two were at the saved state at a time");
    let log = open_soon(&ledger.dir).await;
    log.close().await;
    // After a close there is nothing to wait for.
    let log = Log::open(&LogConfig::of(&ledger.dir)).await.unwrap();
    log.close().await;
    audit(&ledger.dir, &told);
}

#[test]
fn a_log_that_is_dropped_ends_its_tasks_and_lets_go_of_its_directory() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    ledger.set_up(&server.remote());
    assert_eq!(server.stop(), 0);
    let mut one_thread = tokio::runtime::Builder::new_current_thread();
    let mut many_threads = tokio::runtime::Builder::new_multi_thread();
    for runtime in [&mut one_thread, &mut many_threads] {
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(drops_and_opens_again(&ledger));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_dropped_ends_with_the_commit_under_way() {
    let it = running().await;
    let records = it.awards(1).await;
    let size = it.store.head_now().tree.size;
    let log = Arc::clone(&it.log);
    let append = tokio::spawn(async move { log.append(records, None).await });
    soon("nothing was begun", || {
        it.store.begun.load(Ordering::SeqCst) == 3
    })
    .await;
    append.abort();
    assert!(append.await.unwrap_err().is_cancelled());
    drop(it.log);
    tokio::time::sleep(A_WHILE).await;
    assert!(Arc::strong_count(&it.store) > 1, "a commit is under way");
    it.store.gate.add_permits(1);
    soon("the store is held", || Arc::strong_count(&it.store) == 1).await;
    assert_eq!(it.store.head_now().tree.size, size + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_task_breaks_off_says_so_and_leaves_nobody_waiting() {
    let it = running().await;
    let mut records = it.awards(2).await;
    let later = records.pop().unwrap();
    it.store.breaks.store(true, Ordering::SeqCst);
    it.store.gate.add_permits(1);
    for record in [records.remove(0), later] {
        let append = it.log.append(vec![record], None);
        let answered = tokio::time::timeout(PATIENCE, append).await;
        let error = answered.expect("an answer").unwrap_err();
        assert!(matches!(error, AppendError::Unavailable { .. }), "{error}");
    }
    // The senders may be answered a moment before the status is set: the task ends in that order.
    let halted = async {
        while !matches!(it.log.status(), Status::Halted { .. }) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, halted)
        .await
        .expect("a log that says so");
}

/// A killed process leaves commits that only the kernel's memory holds. What a start publishes must
/// not rest on them: the segment is written and synced anew before anything is read of it.
#[test]
fn a_start_writes_the_newest_segment_anew_and_a_look_changes_nothing() {
    use std::os::unix::fs::MetadataExt as _;
    let dir = tempfile::tempdir().unwrap();
    DiskStore::create(dir.path()).unwrap();
    let segment = dir.path().join("journal/00000000000000000000");
    let inode = || std::fs::metadata(&segment).unwrap().ino();
    let bytes = std::fs::read(&segment).unwrap();
    let made = inode();
    drop(DiskStore::inspect(dir.path()).unwrap());
    assert_eq!(inode(), made);
    drop(DiskStore::open(dir.path()).unwrap());
    assert_ne!(inode(), made);
    assert_eq!(std::fs::read(&segment).unwrap(), bytes);
}

/// The contract of every store, on one that is empty.
fn keeps_the_contract(store: &DiskStore) -> LogHead {
    let mut tree = Frontier::default();
    let mut leaves = Vec::new();
    let mut batch = |count: u64, leaves: &mut Vec<Vec<u8>>| {
        let from = head_of(&tree);
        let mut entries = Vec::new();
        for n in 0..count {
            let entry = format!("entry {} of {count}", from.tree.size + n).into_bytes();
            Bundle::append(&mut entries, &entry).unwrap();
            tree.push(leaf_hash(&entry));
            leaves.push(entry);
        }
        Batch {
            from,
            entries,
            to: head_of(&tree),
        }
    };
    assert_eq!(
        store.head_now().unwrap(),
        LogHead::without_state(TreeHead {
            size: 0,
            root: Hash::empty_root()
        })
    );
    for count in [1, 254, 1, 1, 255, 300, 1000, 3, 66_000] {
        let next = batch(count, &mut leaves);
        assert!(matches!(store.commit_now(&next), CommitOutcome::Committed));
        assert_eq!(store.head_now().unwrap(), next.to);
        // Nothing is kept twice.
        match store.commit_now(&next) {
            CommitOutcome::Moved(head) => assert_eq!(head, next.to),
            other => panic!("{other:?}"),
        }
        // Whatever is a tile of the tree is given, and nothing else.
        let size = next.to.tree.size;
        for number in [0, size / 512, size / 256] {
            let Some(id) = TileId::in_tree(Level::Entries, number, size) else {
                continue;
            };
            let bytes = store.read_now(id).unwrap().unwrap();
            let bundle = Bundle::parse(&bytes, id.width()).unwrap();
            let first = number as usize * 256;
            for (entry, leaf) in bundle.entries().iter().zip(&leaves[first..]) {
                assert_eq!(entry, leaf);
            }
            let tile = TileId::in_tree(Level::Hashes(0), number, size).unwrap();
            assert_eq!(
                store.read_now(tile).unwrap().unwrap().len(),
                usize::from(id.width()) * 32
            );
        }
        assert!(
            store
                .read_now(TileId::full(Level::Entries, size / 256 + 1))
                .unwrap()
                .is_none()
        );
    }
    // A batch that contradicts itself is kept by nobody.
    let head = store.head_now().unwrap();
    let mut lie = batch(1, &mut leaves);
    lie.to.tree.root = Hash::empty_root();
    assert!(matches!(
        store.commit_now(&lie),
        CommitOutcome::Unknown(StoreError::Contradiction)
    ));
    assert_eq!(store.head_now().unwrap(), head);
    head
}

#[test]
fn the_disk_store_keeps_the_contract_and_survives_being_opened_again() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("store");
    DiskStore::create(&dir).unwrap();
    let head = keeps_the_contract(&DiskStore::open(&dir).unwrap());
    let store = DiskStore::open(&dir).unwrap();
    assert_eq!(store.head_now().unwrap(), head);
    assert!(matches!(DiskStore::open(&dir), Err(StoreError::Locked(_))));
    let tiles: BTreeMap<u64, usize> = (0..3)
        .filter_map(|level| {
            let id = TileId::in_tree(Level::Hashes(level), 0, head.tree.size)?;
            Some((level.into(), store.read_now(id).unwrap().unwrap().len()))
        })
        .collect();
    assert_eq!(tiles[&0], 8192);
    assert_eq!(tiles[&1], 8192);
    assert_eq!(tiles[&2], 32);
}

#[test]
fn a_torn_last_commit_is_cut_off_and_a_damaged_earlier_one_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("store");
    DiskStore::create(&dir).unwrap();
    let store = DiskStore::open(&dir).unwrap();
    let mut tree = Frontier::default();
    let mut heads = Vec::new();
    for n in 0..5_u8 {
        let from = head_of(&tree);
        let mut entries = Vec::new();
        Bundle::append(&mut entries, &[n; 40]).unwrap();
        tree.push(leaf_hash(&[n; 40]));
        let to = head_of(&tree);
        heads.push(to);
        assert!(matches!(
            store.commit_now(&Batch { from, entries, to }),
            CommitOutcome::Committed
        ));
    }
    drop(store);
    let journal = dir.join("journal").join(format!("{:020}", 0));
    let whole = std::fs::read(&journal).unwrap();
    for cut in 1..148 {
        std::fs::write(&journal, &whole[..whole.len() - cut]).unwrap();
        assert_eq!(
            DiskStore::open(&dir).unwrap().head_now().unwrap(),
            heads[3],
            "cut by {cut}"
        );
    }
    for at in [70, 100, 200, 4_200, whole.len() - 400] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&journal, damaged).unwrap();
        assert!(
            matches!(DiskStore::open(&dir), Err(StoreError::Damaged { .. })),
            "flipped at {at}"
        );
    }
    std::fs::write(&journal, &whole).unwrap();
    assert_eq!(DiskStore::open(&dir).unwrap().head_now().unwrap(), heads[4]);
    for other in ["arborlog store 2\n", "arborlog store 4\n"] {
        std::fs::write(dir.join("VERSION"), other).unwrap();

        assert!(matches!(
            DiskStore::open(&dir),
            Err(StoreError::Version { .. })
        ));
    }
}

/// A commit frame as anybody can make it who reads the source: its checksum has no salt.
fn quoted_commit(from: u64) -> Vec<u8> {
    use sha2::{Digest as _, Sha256};
    let mut frame = 80_u32.to_be_bytes().to_vec();
    frame.push(2);
    for size in [from, from + 1] {
        frame.extend_from_slice(&size.to_be_bytes());
        frame.extend_from_slice(&[7; 32]);
    }
    let checksum: [u8; 32] = Sha256::digest(&frame).into();
    frame.extend_from_slice(&checksum[..8]);
    frame
}

/// A copy that has the first entry alone.
struct FirstEntry(Vec<u8>);

impl arborlog::store::ProvenCopy for FirstEntry {
    fn head(&self) -> TreeHead {
        let root = self.root_at(1).unwrap();
        TreeHead { size: 1, root }
    }

    fn tile(&self, id: TileId) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        match id.level() {
            Level::Entries => Bundle::append(&mut bytes, &self.0).unwrap(),
            Level::Hashes(_) => bytes.extend_from_slice(leaf_hash(&self.0).as_bytes()),
        }
        Ok(bytes)
    }

    fn root_at(&self, size: u64) -> Result<Hash, String> {
        let entries = [&self.0];
        let entries = entries.iter().take(size as usize);
        Ok(root_of(entries.map(|entry| leaf_hash(entry))))
    }
}

/// What an entry says is never taken for what the store wrote: a torn end is one, and a repair takes
/// no quoted commit for one that is missing.
#[test]
fn a_commit_frame_that_an_entry_quotes_is_no_commit() {
    let dir = tempfile::tempdir().unwrap();
    DiskStore::create(dir.path()).unwrap();
    let segment = dir.path().join("journal/00000000000000000000");
    // The best that a sender can do: also with what stands in a segment that it once saw.
    let seen = std::fs::read(&segment).unwrap();
    let mut quoting = b"an entry that quotes frames: ".to_vec();
    quoting.extend(quoted_commit(1_000_000));
    quoting.extend(quoted_commit(2));
    quoting.extend(seen.iter().rev());
    let store = DiskStore::open(dir.path()).unwrap();
    let mut tree = Frontier::default();
    let mut whole = 0;
    for entry in [b"first".to_vec(), quoting] {
        whole = std::fs::metadata(&segment).unwrap().len();
        let from = head_of(&tree);
        let mut entries = Vec::new();
        Bundle::append(&mut entries, &entry).unwrap();
        tree.push(leaf_hash(&entry));
        let to = head_of(&tree);
        let outcome = store.commit_now(&Batch { from, entries, to });
        assert!(matches!(outcome, CommitOutcome::Committed));
    }
    drop(store);
    let bytes = std::fs::read(&segment).unwrap();
    for end in [whole as usize + 1, bytes.len() - 100, bytes.len() - 1] {
        std::fs::write(&segment, &bytes[..end]).unwrap();
        let inspected = DiskStore::inspect(dir.path());
        let inspected = inspected.unwrap_or_else(|error| panic!("cut at {end}: {error}"));
        assert_eq!(inspected.head().tree.size, 1);
        drop(inspected);
        let lock = StoreLock::take(dir.path()).unwrap();
        let mended = repair(&lock, &FirstEntry(b"first".to_vec()), None, |_| ());
        let mended = mended.unwrap_or_else(|error| panic!("cut at {end}: {error}"));
        assert!(mended.tiles.is_empty() && mended.journal_aside.is_none());
    }
}

/// The salt is needed to read commits: a bad sector takes one copy of the header, and a repair reads
/// the other.
#[test]
fn each_copy_of_a_segments_header_is_enough_for_a_repair() {
    for (from, to) in [(0, 4096), (30, 31), (4096, 4200), (4100, 4101)] {
        let dir = tempfile::tempdir().unwrap();
        DiskStore::create(dir.path()).unwrap();
        let store = DiskStore::open(dir.path()).unwrap();
        let mut tree = Frontier::default();
        for entry in [b"first", b"after"] {
            let before = head_of(&tree);
            let mut entries = Vec::new();
            Bundle::append(&mut entries, entry).unwrap();
            tree.push(leaf_hash(entry));
            let (from, to) = (before, head_of(&tree));
            store.commit_now(&Batch { from, entries, to });
        }
        drop(store);
        let segment = dir.path().join("journal/00000000000000000000");
        let mut bytes = std::fs::read(&segment).unwrap();
        bytes[from..to].iter_mut().for_each(|byte| *byte ^= 0x55);
        std::fs::write(&segment, &bytes).unwrap();
        let opened = DiskStore::open(dir.path());
        assert!(matches!(opened, Err(StoreError::Damaged { .. })));
        let lock = StoreLock::take(dir.path()).unwrap();
        let mended = repair(&lock, &FirstEntry(b"first".to_vec()), None, |_| ()).unwrap();
        assert!(mended.journal_aside.is_some());
        drop(lock);
        // Both entries are there, though the copy has one.
        let store = DiskStore::open(dir.path()).unwrap();
        assert_eq!(store.head_now().unwrap(), head_of(&tree));
    }
}
