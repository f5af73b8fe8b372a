//! Three servers of one log on an object store, real processes each in a network of its own, while everything
//! that a data centre does is done to them: processes are killed and stopped, networks are cut in one direction or
//! both, the store dies and comes back, and a proxy loses, repeats and delays what is asked of it, and says that it
//! failed, and a leader's clock jumps. A fourth server without the log's key follows all of it, and the leaders write
//! the log's tiles beside it. After each: the log in the store is whole (`fsck`), every acknowledged record is at its index, every
//! checkpoint that anybody saw is a beginning of the newest, and another led in time.
//!
//! ```text
//! cargo test --test chaos                                       # each kind once: a minute or two
//! ARBORLOG_CHAOS_SECONDS=3600 cargo test --test chaos -- --nocapture
//! ARBORLOG_WEED=path/to/weed cargo test --test chaos            # SeaweedFS instead of the test's own store
//! ```
#![cfg(feature = "cli")]

mod bad_proxy;
mod http;
mod networks;
mod shared_auditor;
mod small_s3;
mod store_server;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arborlog::note::{Checkpoint, TreeHead, VerifierKey};
use bad_proxy::BadProxy;
use networks::{Network, heal};
use shared_auditor::SharedAuditor;
use store_server::{ACCESS_KEY, BUCKET, SECRET_KEY, StoreServer};
use support::auditor::Told;
use support::clients::Clients;
use support::dice::Dice;
use support::fake_clock::FakeClock;
use support::{Ledger, Server, program, run_ok};

const SERVERS: usize = 3;
/// The number of the server that has no key of the log.
const READER: usize = SERVERS;
const CLIENTS: u8 = 3;
/// The longest rest of a client between two batches, in milliseconds: an hour's log is still read in seconds.
const REST_MAX_MS: u64 = 1_000;
/// A follower takes over within this time (docs/engine.md).
const TAKE_OVER_MAX: Duration = Duration::from_secs(15);
/// After the trouble everything is as before within this time: one leads, all have the same, records get in.
const WHOLE_AGAIN_MAX: Duration = Duration::from_secs(60);
/// Where the store is, for all.
const STORE: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 18, 9, 2)),
    9000,
);
/// Where a server listens on its network.
const PORT: u16 = 8080;
/// The proxy spoils one request in this number while it is bad.
const SPOILED: u64 = 7;

/// What is done to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// kill -9 of the leader.
    Kill,
    /// The leader is stopped (SIGSTOP) until another leads, and for some time more.
    Stop,
    /// The leader is stopped for less time than another waits for.
    StopBriefly,
    /// The leader and the store don't reach each other.
    CutFromStore,
    /// The leader doesn't reach the store, which would reach it.
    CutRequests,
    /// What the leader asks of the store arrives, and the answers don't.
    CutAnswers,
    /// A follower and the store don't reach each other.
    CutFollower,
    /// The leader and its followers don't reach each other; all of them reach the store.
    CutBetween,
    /// The store is killed and started again.
    StoreDies,
    /// One request in seven is lost, repeated, delayed, done late, or said to have failed.
    BadStore,
    /// The same, and the leader is killed meanwhile.
    KillAtBadStore,
    /// kill -9 of all three at once.
    KillAll,
    /// Another is made the leader.
    HandOver,
    /// What is in packs is deleted from the chain.
    Sweep,
    /// The leader's wall clock jumps by hours, forwards or backwards: it refuses records until another is made the
    /// leader. Needs libfaketime.
    ClockJumps,
}

use Fault::*;

const IN_SHORT: [Fault; 4] = [Kill, CutAnswers, StoreDies, BadStore];
const ALL: [Fault; 15] = [
    Kill,
    Stop,
    StopBriefly,
    CutFromStore,
    CutRequests,
    CutAnswers,
    CutFollower,
    CutBetween,
    StoreDies,
    BadStore,
    KillAtBadStore,
    KillAll,
    HandOver,
    Sweep,
    ClockJumps,
];

/// What everybody sees from outside.
struct Watch {
    seen: Arc<Mutex<Vec<TreeHead>>>,
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

struct World {
    dice: Dice,
    ledger: Ledger,
    store: String,
    store_network: Network,
    store_server: StoreServer,
    proxy: Arc<BadProxy>,
    networks: Vec<Network>,
    /// None while one is dead; the last one has no key of the log.
    servers: Vec<Option<Server>>,
    /// Of each server; none where libfaketime is missing.
    clocks: Option<Vec<FakeClock>>,
    /// What the store keeps; goes last.
    _folder: tempfile::TempDir,
}

#[test]
fn whatever_is_done_to_three_servers_and_their_store_what_was_told_holds() {
    let environment = [
        ("AWS_ENDPOINT_URL", format!("http://{STORE}")),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
    ];
    let test = "whatever_is_done_to_three_servers_and_their_store_what_was_told_holds";
    if !networks::is_inside(test, &environment) {
        return;
    }
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let seed = number("ARBORLOG_SEED").unwrap_or(1);
    let seconds = number("ARBORLOG_CHAOS_SECONDS");
    let begun = Instant::now();
    let mut world = World::begin(seed);
    world.ledger.set_up(&world.remote());
    let clients = Clients::start_resting(&world.ledger, &world.urls(), CLIENTS, REST_MAX_MS);
    let watch = world.watch();
    let mut auditor = SharedAuditor::new(&world.store, &world.ledger.origin());
    let mut tally = Tally::default();
    let mut plan = Vec::new();
    let mut done = 0;
    loop {
        let fault = match seconds {
            None => match IN_SHORT.get(done) {
                Some(fault) => *fault,
                None => break,
            },
            Some(seconds) if begun.elapsed().as_secs() >= seconds => break,
            Some(_) => {
                if plan.is_empty() {
                    plan = ALL.to_vec();
                }
                let next = world.dice.below(plan.len() as u64) as usize;
                plan.swap_remove(next)
            }
        };
        done += 1;
        let before = Instant::now();
        let took = world.suffer(fault);
        let again = world.is_whole_again(fault, &clients);
        let size = world.check(&mut auditor, &watch.told(&clients));
        println!(
            "{:>5} s {fault:?}: {}{again:.1?} until all is well; {size} entries, checked; {:.0?} in all",
            begun.elapsed().as_secs(),
            took.map_or(String::new(), |took| format!(
                "another led after {took:.1?}; "
            )),
            before.elapsed()
        );
        tally.add(fault, took);
    }
    let told = watch.end(clients.finish());
    // Once more from the first entry on, and without what was read before.
    let mut afresh = SharedAuditor::new(&world.store, &world.ledger.origin());
    let size = world.check(&mut afresh, &told);
    world.check_static_files();
    println!(
        "{}, {} s: {done} faults on {size} entries; {} records acknowledged, {} checkpoints seen, {} fences, {} requests spoiled",
        world.store_server.name(),
        begun.elapsed().as_secs(),
        told.records.len(),
        told.heads.len(),
        auditor.fences,
        world.proxy.spoiled(),
    );
    println!("{tally:?}");
}

/// How often each was done, and the longest take-over.
#[derive(Default, Debug)]
struct Tally(BTreeMap<Fault, (u64, Option<Duration>)>);

impl Tally {
    fn add(&mut self, fault: Fault, took: Option<Duration>) {
        let (times, longest) = self.0.entry(fault).or_default();
        *times += 1;
        *longest = took.max(*longest);
    }
}

impl World {
    fn begin(seed: u64) -> Self {
        let store_network = Network::new(9);
        assert_eq!(STORE.ip(), store_network.address());
        let folder = tempfile::tempdir().unwrap();
        let store_server = StoreServer::start(&store_network, folder.path());
        let backing = store_server.address();
        let proxy = store_network.thread(move || BadProxy::start(STORE, backing, seed));
        let store = format!("s3://{BUCKET}/log");
        let ledger = Ledger::init_with(&["--store", &store]);
        let mut world = Self {
            dice: Dice::new(seed),
            ledger,
            store,
            store_network,
            store_server,
            proxy: proxy.join().unwrap(),
            networks: (1..=SERVERS as u8 + 1).map(Network::new).collect(),
            servers: Vec::new(),
            clocks: None,
            _folder: folder,
        };
        let clock = |number: usize| {
            let file = world.ledger.path(&format!("clock-{number}"));
            FakeClock::new(std::path::Path::new(&file))
        };
        world.clocks = (0..=SERVERS).map(clock).collect();
        if world.clocks.is_none() {
            eprintln!("no clock jumps: libfaketime is not there (apt-get install faketime)");
        }
        let without_key = std::path::PathBuf::from(world.ledger.path("without-key"));
        support::copy_dir(&world.ledger.dir, &without_key);
        std::fs::remove_dir_all(without_key.join("keys")).unwrap();
        world.servers = (0..SERVERS)
            .map(|number| Some(world.start(number)))
            .collect();
        world.wait_for_a_leader(None, WHOLE_AGAIN_MAX);
        world.servers.push(Some(world.start(READER)));
        world
    }

    fn url(&self, number: usize) -> String {
        format!("http://{}:{PORT}", self.networks[number].address())
    }

    fn urls(&self) -> String {
        let urls: Vec<_> = (0..SERVERS).map(|number| self.url(number)).collect();
        urls.join(",")
    }

    fn remote(&self) -> arborlog::client::Remote {
        arborlog::client::Remote::new(&self.urls()).retrying_for(Duration::from_secs(60))
    }

    fn start(&self, number: usize) -> Server {
        let url = self.url(number);
        let mut command = self.networks[number].command(&program());
        let log = self.ledger.path(&format!("server-{number}.log"));
        let log = std::fs::File::options().create(true).append(true).open(log);
        command.stderr(log.unwrap()).env("ARBORLOG_LOG", "info");
        if let Some(clocks) = &self.clocks {
            clocks[number].give_to(&mut command);
        }
        let listen = url.trim_start_matches("http://");
        let mut arguments = vec![
            "--store",
            &self.store,
            "--listen",
            listen,
            "--advertise",
            &url,
            "--state-every-ms",
            "1000",
            "--entries-per-save",
            "5000",
        ];
        if number == READER {
            let dir = std::path::PathBuf::from(self.ledger.path("without-key"));
            arguments.push("--follow");
            return Server::logging(command, &dir, &arguments);
        }
        arguments.push("--tiles");
        Server::logging(command, &self.ledger.dir, &arguments)
    }

    /// Those who say that they lead. A leader that was deposed may not know yet.
    fn leaders(&self) -> Vec<usize> {
        let leads = |number: &usize| {
            ask(&self.url(*number), "readyz").is_some_and(|(status, _)| status == 200)
        };
        (0..SERVERS).filter(leads).collect()
    }

    /// Waits until another leads than one that did; who does, and how long it took.
    fn wait_for_a_leader(&self, other_than: Option<usize>, at_most: Duration) -> (usize, Duration) {
        let begun = Instant::now();
        loop {
            let leader = self
                .leaders()
                .into_iter()
                .find(|leader| Some(*leader) != other_than);
            if let Some(leader) = leader {
                return (leader, begun.elapsed());
            }
            assert!(
                begun.elapsed() < at_most,
                "nobody else leads after {at_most:?}\n{}",
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn leader(&self) -> usize {
        self.wait_for_a_leader(None, WHOLE_AGAIN_MAX).0
    }

    fn signal(&self, number: usize, signal: &str) {
        self.servers[number].as_ref().unwrap().signal(signal);
    }

    fn kill(&mut self, number: usize) {
        self.servers[number].take().unwrap().kill();
    }

    fn rest(&mut self, least_s: u64, most_s: u64) {
        let rest = self.dice.below((most_s - least_s) * 1000);
        std::thread::sleep(Duration::from_millis(least_s * 1000 + rest));
    }

    /// Does it; how long it took until another led, where another has to.
    fn suffer(&mut self, fault: Fault) -> Option<Duration> {
        let leader = self.leader();
        let follower = (leader + 1 + self.dice.below(SERVERS as u64 - 1) as usize) % SERVERS;
        let (network, store) = (&self.networks[leader], &self.store_network);
        match fault {
            Kill => self.kill(leader),
            Stop | StopBriefly => self.signal(leader, "-STOP"),
            CutFromStore => {
                network.cut_to(store);
                store.cut_to(network);
            }
            CutRequests => network.cut_to(store),
            CutAnswers => store.cut_to(network),
            CutFollower => {
                let network = &self.networks[follower];
                network.cut_to(store);
                store.cut_to(network);
            }
            CutBetween => {
                for other in (0..SERVERS).filter(|other| *other != leader) {
                    network.cut_to(&self.networks[other]);
                    self.networks[other].cut_to(network);
                }
            }
            StoreDies => self.store_server.dies(),
            BadStore => self.proxy.spoil_one_in(SPOILED),
            KillAtBadStore => {
                self.proxy.spoil_one_in(SPOILED);
                self.rest(1, 4);
                // Under such a store another may lead by now.
                let leader = self.leader();
                self.kill(leader);
                return Some(self.wait_for_a_leader(None, WHOLE_AGAIN_MAX).1);
            }
            KillAll => {
                let begun = Instant::now();
                (0..SERVERS).for_each(|number| self.kill(number));
                // At once: each tries the store first, which SeaweedFS takes some seconds for.
                let started: Vec<_> = std::thread::scope(|scope| {
                    let this = &*self;
                    let starting: Vec<_> = (0..SERVERS)
                        .map(|number| scope.spawn(move || this.start(number)))
                        .collect();
                    let started = starting.into_iter().map(|server| server.join().unwrap());
                    started.collect()
                });
                for (number, server) in started.into_iter().enumerate() {
                    self.servers[number] = Some(server);
                }
                self.wait_for_a_leader(None, TAKE_OVER_MAX);
                return Some(begun.elapsed());
            }
            HandOver => {
                let begun = Instant::now();
                run_ok(&["lead", &self.url(follower), "--store", &self.store]);
                assert!(self.leaders().contains(&follower));
                return Some(begun.elapsed());
            }
            Sweep => drop(run_ok(&["sweep", &self.store])),
            ClockJumps => return self.jump(leader, follower),
        }
        match fault {
            Kill | Stop | CutFromStore | CutRequests | CutAnswers => {
                let (_, took) = self.wait_for_a_leader(Some(leader), TAKE_OVER_MAX);
                self.rest(1, 6);
                Some(took)
            }
            CutFollower | CutBetween => {
                // Longer than a follower waits for a sign of life.
                self.rest(11, 14);
                assert_eq!(
                    self.leaders(),
                    [leader],
                    "what leads has what it needs\n{}",
                    self.logs()
                );
                None
            }
            StopBriefly => {
                self.rest(2, 6);
                None
            }
            StoreDies => {
                self.rest(1, 25);
                None
            }
            _ => {
                self.rest(8, 20);
                None
            }
        }
    }

    /// Sets the leader's clock; what it admits by that is nothing, until another leads.
    fn jump(&mut self, leader: usize, follower: usize) -> Option<Duration> {
        let clocks = self.clocks.as_ref()?;
        let hours = 2 + self.dice.below(500);
        let sign = if self.dice.one_in(2) { '+' } else { '-' };
        clocks[leader].set(&format!("{sign}{hours}h"));
        let begun = Instant::now();
        let why =
            || ask(&self.url(leader), "readyz").map(|(_, why)| String::from_utf8(why).unwrap());
        while !why().is_some_and(|why| why.contains("the clock moved")) {
            assert!(
                begun.elapsed() < WHOLE_AGAIN_MAX,
                "{:?}\n{}",
                why(),
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        // It leads: nobody else may.
        assert!(self.leaders().is_empty());
        let begun = Instant::now();
        run_ok(&["lead", &self.url(follower), "--store", &self.store]);
        assert!(self.leaders().contains(&follower));
        let took = begun.elapsed();
        self.rest(1, 6);
        Some(took)
    }

    /// Ends whatever is done, and waits until one leads, all have the same, and records get in.
    fn is_whole_again(&mut self, fault: Fault, clients: &Clients) -> Duration {
        heal();
        self.proxy.spoil_one_in(0);
        for clock in self.clocks.iter().flatten() {
            clock.set("+0");
        }
        if fault == StoreDies {
            self.store_server.lives(&self.store_network);
        }
        for number in 0..=READER {
            match &self.servers[number] {
                Some(server) => server.signal("-CONT"),
                None => self.servers[number] = Some(self.start(number)),
            }
        }
        let begun = Instant::now();
        let told = clients.told().records.len();
        loop {
            let sizes: Vec<_> = (0..=READER).map(|number| self.size(number)).collect();
            let newest = clients.told().records.len();
            let have_all = sizes
                .iter()
                .all(|size| size.is_some_and(|size| size >= newest as u64));
            if self.leaders().len() == 1 && newest > told && have_all {
                return begun.elapsed();
            }
            assert!(
                begun.elapsed() < WHOLE_AGAIN_MAX,
                "after {fault:?}: sizes {sizes:?}, {} lead, {newest} records acknowledged after {told}\n{}",
                self.leaders().len(),
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn size(&self, number: usize) -> Option<u64> {
        let (_, checkpoint) = ask(&self.url(number), "checkpoint")?;
        let text = String::from_utf8(checkpoint).ok()?;
        text.lines().nth(1)?.parse().ok()
    }

    /// Everything that must hold, whatever was done. Gives the log's size.
    fn check(&self, auditor: &mut SharedAuditor, told: &Told) -> u64 {
        let size = auditor.check(told);
        let text = run_ok(&["fsck", &self.store, "--log", &self.vkey()]);
        assert!(text.starts_with("whole"), "{text}");
        size
    }

    /// The tiles that the leaders wrote beside the log are the log, for an auditor who has the bucket alone.
    fn check_static_files(&self) {
        let bucket = format!("http://{STORE}/{BUCKET}/log");
        run_ok(&["audit", &bucket, "--log", &self.vkey()]);
        let reader = self.url(READER);
        let text = run_ok(&["fsck", &reader, "--log", &self.vkey()]);
        assert!(text.starts_with("whole"), "{text}");
        let why = ask(&reader, "readyz").map(|(_, why)| String::from_utf8(why).unwrap());
        assert!(why.is_some_and(|why| why.contains("never leads")));
    }

    fn vkey(&self) -> String {
        let vkey = std::fs::read_to_string(self.ledger.dir.join("log.vkey"));
        vkey.unwrap().trim().to_owned()
    }

    /// Looks at what each server publishes, all the time.
    fn watch(&self) -> Watch {
        let vkey: VerifierKey = self.vkey().parse().unwrap();
        let urls: Vec<_> = (0..=READER).map(|number| self.url(number)).collect();
        let (seen, over) = (
            Arc::<Mutex<Vec<TreeHead>>>::default(),
            Arc::new(AtomicBool::new(false)),
        );
        let (heads, ended) = (Arc::clone(&seen), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut last = None;
            while !ended.load(Ordering::SeqCst) {
                for url in &urls {
                    let Some((200, note)) = ask(url, "checkpoint") else {
                        continue;
                    };
                    let head = Checkpoint::open(&note, &vkey).unwrap().head();
                    if last.replace(head) != Some(head) {
                        heads.lock().unwrap().push(head);
                    }
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Watch { seen, over, thread }
    }

    /// The end of what each server logged.
    fn logs(&self) -> String {
        let mut logs = String::new();
        for number in 0..=READER {
            let path = self.ledger.path(&format!("server-{number}.log"));
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            let last = lines[lines.len().saturating_sub(25)..].join("\n");
            logs += &format!("-- server {number}\n{last}\n");
        }
        logs
    }
}

impl Watch {
    fn told(&self, clients: &Clients) -> Told {
        let mut told = clients.told();
        told.heads.extend(self.seen.lock().unwrap().iter());
        told
    }

    fn end(self, mut told: Told) -> Told {
        self.over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        told.heads.extend(self.seen.lock().unwrap().iter());
        told
    }
}

/// The status and body of an answer; none if there is none at once.
fn ask(url: &str, path: &str) -> Option<(u16, Vec<u8>)> {
    let at: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
    let soon = Duration::from_millis(700);
    let mut connection = TcpStream::connect_timeout(&at, soon).ok()?;
    connection.set_read_timeout(Some(soon)).unwrap();
    write!(
        connection,
        "GET /{path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let answer = http::read_message(&mut BufReader::new(connection))?;
    let status = answer.first.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.body))
}
