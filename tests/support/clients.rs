//! Platforms that submit, whatever becomes of the server: each sends the same bytes again until it
//! is told that they are in, and keeps what it was told.

#![allow(dead_code)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use arborlog::client::{BatchAnswer, Remote};
use arborlog::crypto::SigningKey;
use arborlog::note::{Checkpoint, VerifierKey};
use arborlog::record::*;

use super::auditor::Told;
use super::dice::Dice;
use super::{Ledger, award, sign_from};

const BATCH_MAX: u64 = 40;
/// The longest rest between two batches, in milliseconds.
const REST_MAX_MS: u64 = 8;

/// Clients at work on a ledger.
pub struct Clients {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    url: Mutex<String>,
    told: Mutex<Told>,
    over: AtomicBool,
    context: SigningContext,
    vkey: VerifierKey,
    rest_max_ms: u64,
}

impl Clients {
    /// Grants keys of so many platforms, by a server that runs, and lets them begin.
    pub fn start(ledger: &Ledger, url: &str, count: u8) -> Self {
        Self::start_resting(ledger, url, count, REST_MAX_MS)
    }

    /// As above, with rests of up to so many milliseconds.
    pub fn start_resting(ledger: &Ledger, url: &str, count: u8, rest_max_ms: u64) -> Self {
        let remote = Remote::new(url);
        let vkey = std::fs::read_to_string(ledger.dir.join("log.vkey")).unwrap();
        let shared = Arc::new(Shared {
            url: Mutex::new(url.to_owned()),
            told: Mutex::default(),
            over: AtomicBool::new(false),
            context: ledger.context(),
            vkey: vkey.trim().parse().unwrap(),
            rest_max_ms,
        });
        let threads = (0..count).map(|number| {
            let key = SigningKey::from_seed(&[100 + number; 32]);
            ledger.grant(&remote, &key, Role::Platform, "app");
            let head = remote.issuer(&key.public()).unwrap();
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.run(number.into(), &key, head.prev))
        });
        Self {
            threads: threads.collect(),
            shared,
        }
    }

    /// The server is there now.
    pub fn server_is(&self, url: &str) {
        *self.shared.url.lock().unwrap() = url.to_owned();
    }

    /// What they were told so far.
    pub fn told(&self) -> Told {
        self.shared.told.lock().unwrap().clone()
    }

    /// Lets each end when its batch is in; the server must run.
    pub fn finish(self) -> Told {
        self.shared.over.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
        Arc::into_inner(self.shared)
            .unwrap()
            .told
            .into_inner()
            .unwrap()
    }
}

impl Shared {
    fn run(&self, number: u64, key: &SigningKey, mut prev: RecordId) {
        let mut dice = Dice::new(number);
        let mut seq = Seq(0);
        let mut event = number << 40;
        while !self.over.load(Ordering::SeqCst) {
            let count = 1 + dice.below(BATCH_MAX);
            let awards = (event..event + count).map(|event| award(event % 97, event));
            let statements: Vec<Statement> = awards.collect();
            event += count;
            let records = sign_from(&self.context, key, seq, prev, &statements);
            self.send(&records);
            seq = Seq(seq.0 + count);
            prev = self.context.id(records.last().unwrap().bytes());
            std::thread::sleep(Duration::from_millis(dice.below(self.rest_max_ms)));
        }
    }

    /// Sends until they are in.
    fn send(&self, records: &[SignedRecord]) {
        loop {
            let url = self.url.lock().unwrap().clone();
            // Of several servers each is asked in turn; one alone is asked again here, where it may have moved.
            let patience = Duration::from_secs(if url.contains(',') { 30 } else { 0 });
            let remote = Remote::new(&url).retrying_for(patience);
            match remote.append(records) {
                Ok(BatchAnswer::Admitted(indexes)) => {
                    let head = remote.bytes("checkpoint").ok();
                    let head = head.map(|note| Checkpoint::open(&note, &self.vkey).unwrap().head());
                    let bytes = records.iter().map(|record| record.bytes().to_vec());
                    let told = Told {
                        records: indexes.into_iter().zip(bytes).collect(),
                        heads: head.into_iter().collect(),
                    };
                    self.told.lock().unwrap().add(&told);
                    return;
                }
                Ok(BatchAnswer::Refused { problem, .. }) => panic!("{problem:?}"),
                // The server is away, or says that it can't.
                Err(_) => std::thread::sleep(Duration::from_millis(3)),
            }
        }
    }
}
