//! Three servers that share one log, on an object store that delays, loses, repeats and lies about what it did.
//! Sequencer, followers, packing and sweeps are the real code; time is simulated. Servers die at any time and
//! start again; clients send the same bytes to any of them until they are told that the bytes are in. Each server has a
//! wall clock of its own, which is ahead, and jumps: a server whose clock jumped too far admits nothing.
//!
//! `ARBORLOG_SEED=7 cargo test --test shared_simulation -- --nocapture` runs one seed, `ARBORLOG_SEEDS=1000`
//! that number of them. A seed decides what the store does, not how threads run: the same seed does nearly the same.
#![cfg(feature = "cli")]

#[path = "support/dice.rs"]
mod dice;
#[path = "support/faulty_blobs.rs"]
mod faulty_blobs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arborlog::crypto::SigningKey;
use arborlog::log::{
    AppendError, Clock, Log, LogConfig, LogSigner, SharedConfig, Status, Timing, admit_genesis_to,
};
use arborlog::merkle::{Bundle, Frontier, Hash, leaf_hash};
use arborlog::record::*;
use arborlog::replay::{Replay, ReplayError, Signatures};
use arborlog::store::blobs::{
    BlobLog, Blobs, Chain, PackShape, Patience, Progress, load_state, sweep, sweep_states,
};
use dice::Dice;
use faulty_blobs::{FaultyStore, Link};
use tokio::time::{sleep, timeout};

const ORIGIN: &str = "test.example/ledger";
const SEEDS: u64 = 40;
const SERVERS: usize = 3;
const CLIENTS: u64 = 3;
const BATCHES: u64 = 12;
const BATCH_MAX: u64 = 40;
const SHAPE: PackShape = PackShape::SMALL;
/// The clock of a server that starts is ahead by this at most.
const AHEAD_MS_MAX: u64 = 50 * 60_000;
/// A jump of a clock while its server runs: beyond what is admitted by (an hour), now and then.
const JUMP_MS_MAX: u64 = 2 * 3_600_000;
/// No run takes longer, in its own time.
const LONGEST: Duration = Duration::from_secs(20_000);

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn origin() -> Origin {
    ORIGIN.parse().unwrap()
}

fn context() -> SigningContext {
    SigningContext::new(&origin())
}

fn today() -> Day {
    arborlog::client::today()
}

/// What anybody was told or saw.
#[derive(Default)]
struct Told {
    records: Vec<(Index, Vec<u8>)>,
    roots: BTreeMap<u64, Hash>,
    leaders: BTreeSet<usize>,
    unavailable: u64,
    deaths: u64,
    /// Clocks that jumped so far that nothing may be admitted by them.
    jumps: u64,
    wrong: Vec<String>,
}

impl Told {
    fn head(&mut self, log: &Log) {
        let head = log.published().head.tree;
        let known = *self.roots.entry(head.size).or_insert(head.root);
        if known != head.root {
            self.wrong
                .push(format!("two logs of {} entries", head.size));
        }
    }
}

struct World {
    store: Arc<FaultyStore>,
    /// How far the clock of each server is ahead, in milliseconds.
    ahead_ms: [AtomicU64; SERVERS],
    servers: Mutex<Vec<Option<Arc<Log>>>>,
    told: Mutex<Told>,
}

impl World {
    /// The wall clock of a server.
    fn clock(self: &Arc<Self>, number: usize) -> Clock {
        let world = Arc::clone(self);
        let wall = move || {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let now = u64::try_from(since.unwrap().as_millis()).unwrap();
            now + world.ahead_ms[number].load(Ordering::SeqCst)
        };
        Clock::new(Box::new(wall), true)
    }

    fn server(&self, number: usize) -> Option<Arc<Log>> {
        self.servers.lock().unwrap()[number].clone()
    }
}

fn sign(key: &SigningKey, chain: &mut (u64, RecordId), statement: Statement) -> SignedRecord {
    let record = Record {
        issuer: key.public(),
        seq: Seq(chain.0),
        prev: chain.1,
        issued_on: today(),
        statement,
    };
    let (signed, id) = draft(&record, &context(), key).unwrap();
    *chain = (chain.0 + 1, id);
    signed
}

fn award(account: u64, event: u64) -> Statement {
    let mut evidence = [1; 32];
    evidence[..8].copy_from_slice(&event.to_be_bytes());
    Statement::Award(Award {
        account: AccountId::from_bytes([account as u8; 32]),
        method: MethodId(1),
        version: MethodVersion(1),
        activity: ActivityCode(1),
        quantity: Quantity(2000),
        points: Grams(104),
        occurred_on: today(),
        evidence: Digest::from_bytes(evidence),
    })
}

fn method() -> Statement {
    let activity = Activity {
        code: ActivityCode(1),
        name: "metro".parse().unwrap(),
        unit: "ride".parse().unwrap(),
        factor: Micrograms(52_000_000),
        cap: Grams(1000),
    };
    Statement::Method(Method {
        id: MethodId(1),
        version: MethodVersion(1),
        effective_from: "2020-01-01".parse().unwrap(),
        activities: List::try_from(vec![activity]).unwrap(),
        species: List::try_from(vec![Species {
            code: SpeciesCode(1),
            name: "Haloxylon ammodendron".parse().unwrap(),
            price: Grams(100),
        }])
        .unwrap(),
        baseline: "a bus".parse().unwrap(),
        sources: "a table".parse().unwrap(),
        jurisdiction: "here".parse().unwrap(),
        document: Digest::from_bytes([7; 32]),
        set: Index(0),
    })
}

/// One server, from its start to its death.
async fn start(world: &Arc<World>, number: usize, states: bool) -> Option<(Arc<Log>, Link)> {
    let link = Link::to(&world.store);
    let patience = Patience {
        attempt: Duration::from_secs(2),
        total: Duration::from_secs(8),
        pause: Duration::from_millis(20),
    };
    let shared = SharedConfig {
        timing: Timing::default(),
        patience,
        shape: SHAPE,
        ..SharedConfig::on(Arc::new(link.clone()))
    };
    let mut config = LogConfig::of(Path::new(""));
    config.state_every = states.then_some(Duration::from_millis(300));
    config.entries_per_save = 60;
    let signer = LogSigner::of_keys(origin(), vec![key(2)]);
    let started = Log::start_shared(&shared, signer, world.clock(number), &config);
    let log = Arc::new(started.await.ok()?);
    log.advertise(format!("http://{number}"));
    let (watched, seen) = (Arc::downgrade(&log), Arc::clone(world));
    tokio::spawn(async move {
        let mut size = 0;
        while let Some(log) = watched.upgrade() {
            let grown = timeout(Duration::from_secs(5), log.grown_beyond(size)).await;
            if let Ok(None) = grown {
                return;
            }
            let mut told = seen.told.lock().unwrap();
            told.head(&log);
            size = log.published().head.tree.size;
            match log.status() {
                Status::Ready { .. } => drop(told.leaders.insert(number)),
                Status::Halted { why, .. } => told.wrong.push(why),
                Status::Following { .. } => {}
            }
        }
    });
    Some((log, link))
}

/// A server that dies and starts again until the trouble is over.
async fn live(world: Arc<World>, number: usize, seed: u64) {
    let mut dice = Dice::new(seed ^ (number as u64) << 40);
    for _ in 0..3 + dice.below(4) {
        let ahead_ms = dice.below(AHEAD_MS_MAX);
        world.ahead_ms[number].store(ahead_ms, Ordering::SeqCst);
        let Some((log, link)) = start(&world, number, seed.is_multiple_of(2)).await else {
            sleep(Duration::from_secs(1)).await;
            continue;
        };
        world.servers.lock().unwrap()[number] = Some(log);
        sleep(Duration::from_millis(dice.below(60_000))).await;
        if dice.one_in(3) {
            let jumped = dice.below(JUMP_MS_MAX);
            world.ahead_ms[number].store(jumped, Ordering::SeqCst);
            world.told.lock().unwrap().jumps += u64::from(jumped > ahead_ms + 3_700_000);
        }
        sleep(Duration::from_millis(dice.below(30_000))).await;
        link.die();
        world.servers.lock().unwrap()[number] = None;
        world.told.lock().unwrap().deaths += 1;
        sleep(Duration::from_millis(dice.below(20_000))).await;
    }
}

/// Sends records to any server until they are in.
async fn send(world: &Arc<World>, dice: &mut Dice, records: Vec<SignedRecord>) {
    loop {
        sleep(Duration::from_millis(dice.below(400))).await;
        let Some(log) = world.server(dice.below(SERVERS as u64) as usize) else {
            continue;
        };
        // A server that is dead never answers.
        match timeout(Duration::from_secs(6), log.append(records.clone(), None)).await {
            Ok(Ok(appended)) => {
                let head = appended.published.head.tree;
                assert!(appended.indexes.iter().all(|index| index.0 < head.size));
                let mut told = world.told.lock().unwrap();
                let bytes = records.iter().map(|record| record.bytes().to_vec());
                told.records.extend(appended.indexes.into_iter().zip(bytes));
                return;
            }
            Ok(Err(AppendError::Refused(refused))) => panic!("{:?}", refused.refusal),
            Ok(Err(_)) => world.told.lock().unwrap().unavailable += 1,
            Err(_) => {}
        }
    }
}

async fn client(world: Arc<World>, number: u64, granted: RecordId, seed: u64) {
    let mut dice = Dice::new(seed ^ number << 32);
    let signer = key(10 + number as u8);
    let mut chain = (0, granted);
    let mut event = 0;
    for _ in 0..BATCHES {
        let count = 1 + dice.below(BATCH_MAX);
        let records = (0..count).map(|_| {
            event += 1;
            sign(&signer, &mut chain, award(event % 5, number << 32 | event))
        });
        let records = records.collect();
        send(&world, &mut dice, records).await;
        sleep(Duration::from_millis(dice.below(15_000))).await;
    }
}

/// Deletes what is in packs, now and then.
async fn sweeps(world: Arc<World>, seed: u64) {
    let mut dice = Dice::new(seed.rotate_left(9));
    loop {
        sleep(Duration::from_millis(dice.below(60_000))).await;
        let blobs: Arc<dyn Blobs> = Arc::new(Link::to(&world.store));
        if let Ok(chain) = Chain::open(blobs, &origin(), Patience::default()).await {
            // Where the store fails it is swept later.
            let _ = sweep(&chain, SHAPE).await;
            let _ = sweep_states(&chain).await;
        }
    }
}

async fn run(world: &Arc<World>, seed: u64) {
    world.store.set_calm(true);
    let governor = key(1);
    let mut chain = (0, RecordId::NONE);
    let genesis = Statement::Genesis(Genesis {
        format: FormatVersion::CURRENT,
        origin: origin(),
        programme: "a test".parse().unwrap(),
        governors: List::try_from(vec![governor.public()]).unwrap(),
        quorum: 1,
        log_key: key(2).public(),
        mldsa_key: None,
    });
    let genesis = sign(&governor, &mut chain, genesis);
    let genesis = genesis.endorse(&context(), &key(2)).unwrap();
    let blobs: Arc<dyn Blobs> = Arc::new(Link::to(&world.store));
    admit_genesis_to(blobs, &origin(), &genesis).await.unwrap();
    let mut first = vec![sign(&governor, &mut chain, method())];
    let mut grants = Vec::new();
    for client in 0..CLIENTS {
        let key = key(10 + client as u8);
        let grant = Statement::KeyGrant(KeyGrant {
            key: key.public(),
            role: Role::Platform,
            holder: "app".parse().unwrap(),
            display_name: "App".parse().unwrap(),
            expires_on: None,
            set: Index(0),
        });
        let grant = sign(&governor, &mut chain, grant);
        grants.push(context().id(grant.bytes()));
        first.push(grant.endorse(&context(), &key).unwrap());
    }
    world.store.set_calm(false);
    let lives: Vec<_> = (0..SERVERS)
        .map(|number| tokio::spawn(live(Arc::clone(world), number, seed)))
        .collect();
    let sweeps = tokio::spawn(sweeps(Arc::clone(world), seed));
    send(world, &mut Dice::new(seed), first).await;
    let clients: Vec<_> = (0..)
        .zip(grants)
        .map(|(number, granted)| tokio::spawn(client(Arc::clone(world), number, granted, seed)))
        .collect();
    for life in lives {
        life.await.unwrap();
    }
    world.store.set_calm(true);
    world
        .ahead_ms
        .iter()
        .for_each(|ahead| ahead.store(0, Ordering::SeqCst));
    // Two fresh servers: one leads, and both have the same in the end.
    let mut last = Vec::new();
    for number in 0..2 {
        let (log, link) = start(world, number, true).await.unwrap();
        world.servers.lock().unwrap()[number] = Some(Arc::clone(&log));
        last.push((log, link));
    }
    for client in clients {
        client.await.unwrap();
    }
    sleep(Duration::from_secs(30)).await;
    sweeps.abort();
    let heads = || [0, 1].map(|number: usize| last[number].0.published().head);
    // The last state entry comes from a thread, which knows nothing of simulated time.
    for _ in 0..1000 {
        if heads()[0] == heads()[1] {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(heads()[0], heads()[1], "both have all");
    let ready = last.iter().filter(|(log, _)| log.readiness().is_ok());
    assert_eq!(ready.count(), 1, "one leads");
}

/// Everything that was told holds, and the entries keep every rule.
async fn audit(world: &Arc<World>) {
    // What was seen by now must be in what is read after it; a state entry may still come.
    let roots_seen = world.told.lock().unwrap().roots.clone();
    let blobs: Arc<dyn Blobs> = Arc::new(Link::to(&world.store));
    let chain = Chain::open(blobs, &origin(), Patience::default()).await;
    let mut log = BlobLog::new(chain.unwrap(), SHAPE);
    let mut entries = Vec::new();
    loop {
        match log.follow().await.unwrap() {
            Progress::Batch(batch) | Progress::Packed(batch) => {
                let bundle = Bundle::parse_all(&batch.entries).unwrap();
                entries.extend(bundle.entries().iter().map(|entry| entry.to_vec()));
            }
            Progress::AtFloor(_) | Progress::Fence(_) => {}
            Progress::End => break,
        }
    }
    let mut replay = Replay::new(&origin(), Signatures::Verify);
    let (mut tree, mut roots, mut records) = (Frontier::default(), vec![], Vec::new());
    roots.push(tree.root());
    let mut groups = Vec::new();
    for (index, bytes) in (0..).zip(&entries) {
        tree.push(leaf_hash(bytes));
        roots.push(tree.root());
        let entry = Entry::decode(bytes).unwrap();
        records.push(entry.signed().map(|entry| entry.signed.bytes().to_vec()));
        let checked = replay.checker().check(bytes);
        groups.extend(
            replay
                .add(checked.map_err(|fault| fault.at(index)).unwrap())
                .unwrap(),
        );
    }
    groups.extend(replay.rest());
    for group in groups {
        let taken = replay.take_group(&group, |_| None, |_, _| Ok::<_, ReplayError>(()));
        taken.unwrap();
    }
    replay.finish().unwrap();
    let told = world.told.lock().unwrap();
    assert!(told.wrong.is_empty(), "{:?}", told.wrong);
    let different: BTreeSet<&Vec<u8>> = records.iter().flatten().collect();
    assert_eq!(
        different.len(),
        records.iter().flatten().count(),
        "a record is in twice"
    );
    for (index, record) in &told.records {
        assert_eq!(
            records[index.0 as usize].as_ref(),
            Some(record),
            "entry {index}"
        );
    }
    for (size, root) in &roots_seen {
        assert_eq!(roots[*size as usize], *root, "a checkpoint of {size}");
    }
    assert_eq!(
        different.len(),
        told.records.len() + 1,
        "nothing else is in"
    );
}

/// One run; how many leaders, deaths and refusals there were, whether a state was saved, and how many clocks
/// jumped too far.
fn simulate(seed: u64) -> [u64; 5] {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let world = Arc::new(World {
        store: FaultyStore::new(seed),
        ahead_ms: Default::default(),
        servers: Mutex::new(vec![None; SERVERS]),
        told: Mutex::default(),
    });
    let saved = runtime.block_on(async {
        timeout(LONGEST, run(&world, seed))
            .await
            .expect("it takes too long");
        audit(&world).await;
        let found = load_state(&Link::to(&world.store), Patience::default(), None).await;
        found.unwrap().is_some_and(|found| found.loaded.is_ok())
    });
    runtime.shutdown_background();
    let told = world.told.lock().unwrap();
    [
        told.leaders.len() as u64,
        told.deaths,
        told.unavailable,
        u64::from(saved),
        told.jumps,
    ]
}

#[test]
fn whatever_a_store_does_to_three_servers_what_was_told_holds() {
    if let Ok(seed) = std::env::var("ARBORLOG_SEED") {
        eprintln!("{:?}", simulate(seed.parse().unwrap()));
        return;
    }
    let seeds = std::env::var("ARBORLOG_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let mut sums = [0; 5];
    for seed in 0..seeds {
        let done = std::panic::catch_unwind(|| simulate(seed));
        let happened = done.unwrap_or_else(|_| panic!("ARBORLOG_SEED={seed} fails"));
        for (sum, happened) in sums.iter_mut().zip(happened) {
            *sum += happened;
        }
    }
    let [leaders, deaths, unavailable, saved, jumps] = sums;
    eprintln!(
        "{seeds} seeds: {leaders} servers led, {deaths} died, {unavailable} refusals, {saved} saved states, {jumps} clocks jumped too far"
    );
    // The seeds do what they are for.
    assert!(leaders > seeds && deaths > 3 * seeds && unavailable > seeds && saved > seeds / 2);
    assert!(jumps > seeds / 2);
}
