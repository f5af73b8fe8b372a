//! The log on a store that delays, fails, forgets and crashes as a seed says: clients, sequencer and
//! recovery are the real ones, time is simulated, and the same seed does the same again.
//!
//! `ARBORLOG_SEED=7 cargo test --test simulation -- --nocapture` runs one seed,
//! `ARBORLOG_SEEDS=100000` so many.
#![cfg(feature = "cli")]

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arborlog::crypto::SigningKey;
use arborlog::ledger::{Candidate, Code, State};
use arborlog::log::{AppendError, Clock, Log, LogSigner};
use arborlog::merkle::{Bundle, Frontier, Hash, Level, TILE_HASHES, TileId, leaf_hash, root_of};
use arborlog::note::{Checkpoint, TreeHead};
use arborlog::record::*;
use arborlog::replay::{Replay, Signatures};
use arborlog::store::{Batch, BoxFuture, Bytes, CommitOutcome, Store, StoreError};
use support::dice::Dice;
use support::{ORIGIN, award, method};
use tokio::time::{Instant, sleep};

const SEEDS: u64 = 600;
const CLIENTS: u64 = 3;
/// So few records at a time are checked where they are, without another thread.
const BATCH_MAX: u64 = 4;
const BATCHES: u64 = 5;
/// No run takes longer, in its own time.
const PATIENCE: Duration = Duration::from_secs(3_000);
const BEGUN_MS: u64 = 1_790_000_000_000;

/// What survives a crash.
struct World {
    entries: Vec<Vec<u8>>,
    dice: Dice,
    /// After this nothing fails any more.
    calm: bool,
    crashes: u64,
    unknown: u64,
    /// Commits that landed though their outcome was said to be unknown.
    late: u64,
}

impl World {
    fn head(&self) -> LogHead {
        LogHead::without_state(TreeHead {
            size: self.entries.len() as u64,
            root: root_of(self.entries.iter().map(|entry| leaf_hash(entry))),
        })
    }

    fn land(&mut self, batch: &Batch) -> Result<(), LogHead> {
        let head = self.head();
        if head != batch.from {
            return Err(head);
        }
        let bundle = Bundle::parse_all(&batch.entries).unwrap();
        self.entries
            .extend(bundle.entries().iter().map(|entry| entry.to_vec()));
        assert_eq!(self.head(), batch.to, "the batch leads where it says");
        Ok(())
    }

    fn delay(&mut self) -> Duration {
        Duration::from_millis(self.dice.below(20) * self.dice.below(10))
    }
}

/// The store as one run of a server sees it; after a crash it never answers that one again.
#[derive(Clone)]
struct Incarnation {
    world: Arc<Mutex<World>>,
    alive: Arc<AtomicBool>,
}

impl Incarnation {
    fn of(world: &Arc<Mutex<World>>) -> Self {
        Self {
            world: Arc::clone(world),
            alive: Arc::new(AtomicBool::new(true)),
        }
    }

    async fn pause(&self) {
        let delay = self.world.lock().unwrap().delay();
        sleep(delay).await;
        if !self.alive.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }

    async fn write(self, batch: Arc<Batch>) -> CommitOutcome {
        let told = |why: &str| CommitOutcome::Unknown(StoreError::Stopped(why.to_owned()));
        // A write that is on its way when the server dies may still arrive.
        let (delay, fate) = {
            let mut world = self.world.lock().unwrap();
            let fate = if world.calm { 99 } else { world.dice.below(12) };
            (world.delay(), fate)
        };
        sleep(delay).await;
        if !self.alive.load(Ordering::SeqCst) {
            {
                let mut world = self.world.lock().unwrap();
                if world.dice.one_in(2) {
                    world.late += u64::from(world.land(&batch).is_ok());
                }
            }
            std::future::pending::<()>().await;
        }
        match fate {
            0 => {
                self.world.lock().unwrap().unknown += 1;
                told("it failed")
            }
            1 => {
                let landed = self.world.lock().unwrap().land(&batch);
                self.world.lock().unwrap().unknown += 1;
                match landed {
                    Ok(()) => told("it failed, but happened"),
                    Err(head) => CommitOutcome::Moved(head),
                }
            }
            2 => {
                // It happens after the sequencer has asked, and perhaps gone on.
                let world = Arc::clone(&self.world);
                tokio::spawn(async move {
                    let delay = world.lock().unwrap().delay();
                    sleep(delay).await;
                    let mut world = world.lock().unwrap();
                    world.late += u64::from(world.land(&batch).is_ok());
                });
                self.world.lock().unwrap().unknown += 1;
                told("it timed out")
            }
            _ => {
                let landed = self.world.lock().unwrap().land(&batch);
                self.pause().await;
                match landed {
                    Ok(()) => CommitOutcome::Committed,
                    Err(head) => CommitOutcome::Moved(head),
                }
            }
        }
    }
}

impl Store for Incarnation {
    fn head(&self) -> BoxFuture<'_, Result<LogHead, StoreError>> {
        Box::pin(async {
            self.pause().await;
            let mut world = self.world.lock().unwrap();
            if !world.calm && world.dice.one_in(10) {
                return Err(StoreError::Stopped("it can't say".to_owned()));
            }
            Ok(world.head())
        })
    }

    fn commit(&self, batch: Arc<Batch>) -> BoxFuture<'static, CommitOutcome> {
        let writing = tokio::spawn(self.clone().write(batch));
        Box::pin(async move { writing.await.unwrap() })
    }

    fn read(&self, tile: TileId) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move {
            self.pause().await;
            let world = self.world.lock().unwrap();
            if !tile.is_in_tree(world.entries.len() as u64) {
                return Ok(None);
            }
            let first = (tile.number() * TILE_HASHES) as usize;
            let part = world.entries.iter().skip(first).take(tile.width().into());
            let mut bytes = Vec::new();
            match tile.level() {
                Level::Entries => part.for_each(|it| Bundle::append(&mut bytes, it).unwrap()),
                Level::Hashes(0) => {
                    part.for_each(|it| bytes.extend_from_slice(leaf_hash(it).as_bytes()));
                }
                Level::Hashes(_) => panic!("these trees are small"),
            }
            Ok(Some(Bytes::from(bytes)))
        })
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

/// Signs statements, always on the same day: a seed does the same on any other.
fn sign(
    key: &SigningKey,
    seq: u64,
    prev: RecordId,
    statements: Vec<Statement>,
) -> Vec<SignedRecord> {
    let day: Day = "2026-09-20".parse().unwrap();
    let mut before = prev;
    let signed = (seq..).zip(statements).map(|(seq, mut statement)| {
        if let Statement::Award(award) = &mut statement {
            award.occurred_on = day;
        }
        let record = Record {
            issuer: key.public(),
            seq: Seq(seq),
            prev: before,
            issued_on: day,
            statement,
        };
        let (signed, id) = draft(&record, &context(), key).unwrap();
        before = id;
        signed
    });
    signed.collect()
}

fn context() -> SigningContext {
    SigningContext::new(&ORIGIN.parse().unwrap())
}

/// Entries to begin with: the genesis, a grant for each client, a method; and each client's first
/// `prev`.
fn beginning() -> (Vec<Vec<u8>>, Vec<RecordId>) {
    let governor = key(1);
    let origin: Origin = ORIGIN.parse().unwrap();
    let mut statements = vec![Statement::Genesis(Genesis {
        format: FormatVersion::CURRENT,
        origin: origin.clone(),
        programme: "a test".parse().unwrap(),
        governors: List::try_from(vec![governor.public()]).unwrap(),
        quorum: 1,
        log_key: key(2).public(),
        mldsa_key: None,
    })];
    statements.extend((0..CLIENTS).map(|client| {
        Statement::KeyGrant(KeyGrant {
            key: key(10 + client as u8).public(),
            role: Role::Platform,
            holder: "app".parse().unwrap(),
            display_name: "App".parse().unwrap(),
            expires_on: None,
            set: Index(0),
        })
    }));
    statements.push(Statement::Method(method()));
    let records = sign(&governor, 0, RecordId::NONE, statements);
    let mut state = State::empty(origin);
    let mut entries = Vec::new();
    for (place, signed) in records.into_iter().enumerate() {
        let signed = match place {
            0 => signed.endorse(&context(), &key(2)).unwrap(),
            place if place <= CLIENTS as usize => {
                signed.endorse(&context(), &key(9 + place as u8)).unwrap()
            }
            _ => signed,
        };
        let admitted_at = TimeMs(BEGUN_MS);
        let candidate = Candidate::signed(&signed, context().id(signed.bytes()), admitted_at, None);
        let lineage = state.judge(&candidate).unwrap();
        state.apply(&candidate).unwrap();
        entries.push(SignedEntry::encode_parts(admitted_at, &lineage, &signed).unwrap());
    }
    let first = |client| {
        state
            .key(&key(10 + client as u8).public())
            .unwrap()
            .next()
            .1
    };
    (entries, (0..CLIENTS).map(first).collect())
}

/// What clients were told.
#[derive(Default)]
struct Told {
    records: Vec<(Index, Vec<u8>)>,
    heads: Vec<TreeHead>,
}

/// The server of the moment: one, or none.
type Serving = Arc<Mutex<Option<Arc<Log>>>>;

async fn client(number: u64, first: RecordId, serving: Serving, told: Arc<Mutex<Told>>, seed: u64) {
    let mut dice = Dice::new(seed ^ (number << 32));
    let signer = key(10 + number as u8);
    let vkey = arborlog::note::VerifierKey::new(
        ORIGIN.parse::<Origin>().unwrap().name().clone(),
        arborlog::note::SignatureType::Ed25519,
        key(2).public(),
    );
    let (mut seq, mut prev) = (0, first);
    for _ in 0..BATCHES {
        let count = 1 + dice.below(BATCH_MAX);
        let awards = (seq..seq + count).map(|event| award(event % 5, number << 32 | event));
        let statements: Vec<Statement> = awards.collect();
        let records = sign(&signer, seq, prev, statements);
        seq += count;
        prev = context().id(records.last().unwrap().bytes());
        loop {
            sleep(Duration::from_millis(dice.below(60))).await;
            let Some(log) = serving.lock().unwrap().clone() else {
                continue;
            };
            // A server that is gone never answers.
            let asked = log.append(records.clone(), None);
            match tokio::time::timeout(Duration::from_secs(5), asked).await {
                Ok(Ok(appended)) => {
                    let note = appended.published.checkpoint.as_bytes();
                    let head = Checkpoint::open(note, &vkey).unwrap().head();
                    assert_eq!(head, appended.published.head.tree);
                    assert!(appended.indexes.iter().all(|index| index.0 < head.size));
                    let mut told = told.lock().unwrap();
                    told.heads.push(head);
                    let bytes = records.iter().map(|record| record.bytes().to_vec());
                    told.records.extend(appended.indexes.into_iter().zip(bytes));
                    break;
                }
                Ok(Err(AppendError::Refused(refused))) => {
                    // Two sequencers: the other one's head may be ahead of what this one has seen.
                    let code = refused.refusal.code;
                    let behind = [Code::SequenceGap, Code::SequenceUsed, Code::ChainBroken];
                    assert!(behind.contains(&code), "{:?}", refused.refusal);
                }
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }
}

async fn start(world: &Arc<Mutex<World>>, skew_ms: u64) -> Option<(Arc<Log>, Incarnation)> {
    let store = Incarnation::of(world);
    let signer = LogSigner::of_keys(ORIGIN.parse().unwrap(), vec![key(2)]);
    let begun = Instant::now();
    let since = world
        .lock()
        .unwrap()
        .entries
        .last()
        .map_or(BEGUN_MS, |bytes| {
            SignedEntry::decode(bytes).unwrap().admitted_at.0
        });
    let wall = move || since.saturating_sub(skew_ms) + begun.elapsed().as_millis() as u64;
    let clock = Clock::new(Box::new(wall), false);
    let log = Log::start(Arc::new(store.clone()), signer, None, clock)
        .await
        .ok()?;
    Some((Arc::new(log), store))
}

/// One run. Gives the root that it came to and what happened on the way.
fn simulate(seed: u64) -> (Hash, u64, [u64; 3]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let (entries, firsts) = beginning();
    let world = Arc::new(Mutex::new(World {
        entries,
        dice: Dice::new(seed),
        calm: false,
        crashes: 0,
        unknown: 0,
        late: 0,
    }));
    let told = Arc::new(Mutex::new(Told::default()));
    let whole = async { tokio::time::timeout(PATIENCE, run(seed, &world, &told, firsts)).await };
    runtime.block_on(whole).unwrap();
    drop(runtime);
    let world = world.lock().unwrap();
    audit(&world, &told.lock().unwrap());
    (
        world.head().tree.root,
        world.head().tree.size,
        [world.crashes, world.unknown, world.late],
    )
}

async fn run(seed: u64, world: &Arc<Mutex<World>>, told: &Arc<Mutex<Told>>, firsts: Vec<RecordId>) {
    let serving: Serving = Arc::default();
    let mut clients = Vec::new();
    for (number, first) in (0..).zip(firsts) {
        let work = client(number, first, Arc::clone(&serving), Arc::clone(told), seed);
        clients.push(tokio::spawn(work));
    }
    let mut dice = Dice::new(seed.rotate_left(17));
    // Every fourth seed: two servers on one store, of which clients reach now one, now the other.
    let rivals = if seed.is_multiple_of(4) { 2 } else { 1 };
    let lives = 2 + dice.below(5);
    let mut servers: Vec<(Arc<Log>, Incarnation)> = Vec::new();
    for _ in 0..lives {
        while servers.len() < rivals {
            servers.extend(start(world, dice.below(900)).await);
        }
        for _ in 0..1 + dice.below(6) {
            *serving.lock().unwrap() = Some(Arc::clone(&dice.pick(&servers).0));
            sleep(Duration::from_millis(dice.below(400))).await;
        }
        // kill -9
        let (_, store) = servers.swap_remove(dice.below(servers.len() as u64) as usize);
        store.alive.store(false, Ordering::SeqCst);
        world.lock().unwrap().crashes += 1;
        *serving.lock().unwrap() = None;
        sleep(Duration::from_millis(dice.below(50))).await;
    }
    world.lock().unwrap().calm = true;
    for (_, store) in servers {
        store.alive.store(false, Ordering::SeqCst);
    }
    // What was on its way arrives before the last server starts.
    sleep(Duration::from_secs(10)).await;
    let (log, _store) = start(world, 0).await.unwrap();
    *serving.lock().unwrap() = Some(log);
    for client in clients {
        client.await.unwrap();
    }
}

/// Everything that was told holds; the entries keep every rule.
fn audit(world: &World, told: &Told) {
    let mut replay = Replay::new(&ORIGIN.parse().unwrap(), Signatures::Verify);
    let mut tree = Frontier::default();
    let mut roots = vec![tree.root()];
    let mut records = Vec::new();
    for bytes in &world.entries {
        let entry = replay.take(bytes, |_| None).unwrap();
        tree.push(leaf_hash(bytes));
        roots.push(tree.root());
        let entry = entry.signed().unwrap();
        records.push(entry.signed.bytes().to_vec());
    }
    let different: BTreeSet<&Vec<u8>> = records.iter().collect();
    assert_eq!(different.len(), records.len(), "a record is in twice");
    for (index, record) in &told.records {
        assert_eq!(
            records.get(index.0 as usize),
            Some(record),
            "acknowledged entry {index}"
        );
    }
    for head in &told.heads {
        assert_eq!(
            roots.get(head.size as usize),
            Some(&head.root),
            "a checkpoint of {}",
            head.size
        );
    }
    let sent = told.records.len() as u64 + CLIENTS + 2;
    assert_eq!(world.head().tree.size, sent, "nothing else is in");
}

#[test]
fn whatever_a_seed_does_to_the_store_what_was_told_holds() {
    if let Ok(seed) = std::env::var("ARBORLOG_SEED") {
        eprintln!("{:?}", simulate(seed.parse().unwrap()));
        return;
    }
    let seeds = std::env::var("ARBORLOG_SEEDS").map_or(SEEDS, |it| it.parse().unwrap());
    let cores = std::thread::available_parallelism().map_or(1, |it| it.get() as u64);
    let sums = Mutex::new([0; 3]);
    std::thread::scope(|scope| {
        for core in 0..cores {
            let sums = &sums;
            scope.spawn(move || {
                for seed in (core..seeds).step_by(cores as usize) {
                    let done = std::panic::catch_unwind(|| simulate(seed));
                    let (_, _, happened) = done
                        .unwrap_or_else(|_| panic!("ARBORLOG_SEED={seed} fails, and will again"));
                    let mut sums = sums.lock().unwrap();
                    for (sum, happened) in sums.iter_mut().zip(happened) {
                        *sum += happened;
                    }
                }
            });
        }
    });
    let [crashes, unknown, late] = sums.into_inner().unwrap();
    eprintln!("{seeds} seeds: {crashes} crashes, {unknown} unknown outcomes, {late} late writes");
    // The seeds do what they are for.
    assert!(crashes > seeds && unknown > seeds / 2 && late > seeds / 20);
}

#[test]
fn the_same_seed_does_the_same_again() {
    for seed in 0..40 {
        assert_eq!(simulate(seed), simulate(seed), "seed {seed}");
    }
}
