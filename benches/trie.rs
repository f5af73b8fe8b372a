//! What the state trie costs: changes of accounts with their share of the root, with and without images
//! that are held; what is dense, as trees are; an image; proofs. `cargo bench --bench trie`; compare the
//! rows of one run. `ARBORLOG_TRIE_ACCOUNTS=10000000 ARBORLOG_TRIE_BATCH=16384` for larger ones.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};

use arborlog::ledger::trie::{Domain, Key, Leaf, Path, TrieError, TrieMap, TrieProof, Value};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sha2::{Digest as _, Sha256};

/// Accounts of the map that changes: more than a processor's caches hold.
const ACCOUNTS: u64 = 300_000;
/// Changes between two roots.
const BATCH: u64 = 1_024;
/// Accounts that are put in together, to begin with.
const FIRST_TOGETHER: u64 = 1 << 20;
/// One change in this number is of a new account.
const NEW_EVERY: u64 = 20;
/// Keys that are fetched ahead of their changes.
const AHEAD: usize = 64;

#[derive(Clone, Copy)]
struct AccountPath([u8; 32]);

impl Key for AccountPath {
    fn path(&self) -> Path {
        Path::from_bytes(self.0)
    }
}

/// A plot's number and a tree's serial.
#[derive(Clone, Copy)]
struct Tree(u32, u32);

impl Key for Tree {
    fn path(&self) -> Path {
        Path::left_aligned((u64::from(self.0) << 32 | u64::from(self.1)).to_be_bytes())
    }
}

#[derive(Clone, Copy, Default)]
struct Account {
    balance: u64,
    last: u64,
    holder: u32,
}

impl Value for Account {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        let mut value = [0; 20];
        value[..8].copy_from_slice(&self.balance.to_be_bytes());
        value[8..16].copy_from_slice(&self.last.to_be_bytes());
        value[16..].copy_from_slice(&self.holder.to_be_bytes());
        Leaf::new(self.balance, 0, &value)
    }
}

fn account(number: u64) -> AccountPath {
    AccountPath(Sha256::digest(number.to_be_bytes()).into())
}

fn empty<K: Key>() -> TrieMap<K, Account> {
    TrieMap::new(Domain::new(5).expect("a domain"))
}

/// Another number, if the environment has one.
fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

/// Which accounts change next: any, and one in [`NEW_EVERY`] is new.
struct Changes {
    /// Changes between two roots.
    batch: u64,
    accounts: u64,
    random: u64,
}

impl Changes {
    fn batch(&mut self) -> Vec<AccountPath> {
        let changes = (1..=self.batch).map(|change| {
            if change % NEW_EVERY == 0 {
                self.accounts += 1;
                return account(self.accounts - 1);
            }
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            account((self.random >> 33) % self.accounts)
        });
        changes.collect()
    }
}

fn credit(map: &mut TrieMap<AccountPath, Account>, batch: &[AccountPath]) {
    for keys in batch.chunks(AHEAD) {
        map.fetch(keys);
        for key in keys {
            map.upsert(*key, |account| account.balance += 7);
        }
    }
}

fn changes(criterion: &mut Criterion) {
    let mut map = empty();
    let mut next = Changes {
        batch: number("ARBORLOG_TRIE_BATCH", BATCH),
        accounts: number("ARBORLOG_TRIE_ACCOUNTS", ACCOUNTS),
        random: 7,
    };
    for first in (0..next.accounts).step_by(FIRST_TOGETHER as usize) {
        let together = first..(first + FIRST_TOGETHER).min(next.accounts);
        let accounts: Vec<_> = together.map(account).collect();
        credit(&mut map, &accounts);
    }
    map.root().expect("a root");
    let mut group = criterion.benchmark_group(format!("trie/{} changes and a root", next.batch));
    group
        .throughput(Throughput::Elements(next.batch))
        .sample_size(20);
    for held in [0, 3] {
        group.bench_function(format!("{held} images held"), |bench| {
            let mut images = VecDeque::new();
            bench.iter_custom(|times| {
                let mut spent = Duration::ZERO;
                for _ in 0..times {
                    let batch = next.batch();
                    let begun = Instant::now();
                    credit(&mut map, &batch);
                    let image = map.clone();
                    image.root().expect("a root");
                    images.push_back(image);
                    if images.len() > held {
                        images.pop_front();
                    }
                    spent += begun.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
    criterion.bench_function("trie/image", |bench| bench.iter(|| black_box(map.clone())));

    let path = account(5).path();
    let root = map.root().expect("a root");
    let bytes = map.prove(&path).expect("a proof").encode();
    criterion.bench_function("trie/prove", |bench| {
        bench.iter(|| map.prove(black_box(&path)))
    });
    criterion.bench_function("trie/read and verify a proof", |bench| {
        bench.iter(|| {
            let proof = TrieProof::decode(black_box(&bytes)).expect("a proof");
            proof
                .verify(map.domain(), &path, &root)
                .expect("it holds")
                .is_some()
        });
    });
}

fn dense(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("trie/trees");
    group
        .throughput(Throughput::Elements(BATCH))
        .sample_size(20);
    group.bench_function("1,024 assigned in order and a root", |bench| {
        let mut map = empty();
        let mut trees = 0;
        bench.iter(|| {
            for _ in 0..BATCH as u32 {
                let tree = Tree(1 + trees / 5_000, 1 + trees % 5_000);
                let _ = map.insert(tree, Account::default());
                trees += 1;
            }
            map.root()
        });
    });
    group.finish();
}

criterion_group!(benches, changes, dense);
criterion_main!(benches);
