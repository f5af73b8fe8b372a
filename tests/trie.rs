//! The state trie from outside: against a definition that is made from nothing, proofs and every lie
//! about them, images on other threads, and the golden files that other languages check.
//!
//! `ARBORLOG_BLESS=1 cargo test --features client --test trie` writes the golden files instead.

#![cfg(feature = "client")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "support/dice.rs"]
mod dice;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use arborlog::ledger::trie::{
    DOMAINS, Domain, DomainRoots, HeadProof, Key, Leaf, Node, Path, ProofError,
    STATE_PROOF_BYTES_MAX, StateProof, TRIE_PROOF_BYTES_MAX, TrieError, TrieMap, TrieProof,
    VALUE_BYTES_MAX, Value,
};
use arborlog::merkle::Hash;
use dice::Dice;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

/// A domain in which much happens.
const DOMAIN: u8 = 5;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct At([u8; 32]);

impl Key for At {
    fn path(&self) -> Path {
        Path::from_bytes(self.0)
    }
}

/// An account's balance, and the last entry about it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Account {
    balance: i64,
    last: u64,
}

thread_local! {
    /// Leaves that were hashed on this thread.
    static LEAVES_HASHED: Cell<usize> = const { Cell::new(0) };
}

impl Account {
    fn sums(&self) -> (u64, u64) {
        match u64::try_from(self.balance) {
            Ok(held) => (held, 0),
            Err(_) => (0, self.balance.unsigned_abs()),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        [self.balance.to_be_bytes(), self.last.to_be_bytes()].concat()
    }
}

impl Value for Account {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        LEAVES_HASHED.set(LEAVES_HASHED.get() + 1);
        let (a, b) = self.sums();
        Leaf::new(a, b, &self.bytes())
    }
}

type Map = TrieMap<At, Account>;
type Model = BTreeMap<At, Account>;

fn domain(number: u8) -> Domain {
    Domain::new(number).unwrap()
}

fn empty() -> Map {
    TrieMap::new(domain(DOMAIN))
}

fn map_of(model: &Model) -> Map {
    let mut map = empty();
    for (at, account) in model {
        assert_eq!(map.insert(*at, *account), None);
    }
    map
}

// The definition, from nothing.

fn bit(path: &[u8; 32], depth: usize) -> bool {
    path[depth / 8] & (0x80 >> (depth % 8)) != 0
}

fn node_bytes(node: &Node) -> Vec<u8> {
    let sums = [node.a, node.b, node.n].map(u64::to_be_bytes).concat();
    [node.hash.as_bytes().as_slice(), &sums].concat()
}

fn sha256(parts: &[&[u8]]) -> Hash {
    Hash::from_bytes(Sha256::digest(parts.concat()).into())
}

/// The node of leaves in order, at a depth: left and right by the path's bit there.
fn define(domain: u8, leaves: &[([u8; 32], Vec<u8>, u64, u64)], depth: usize) -> Node {
    match leaves {
        [] => Node {
            hash: Hash::from_bytes([0; 32]),
            a: 0,
            b: 0,
            n: 0,
        },
        [(path, value, a, b)] => Node {
            hash: sha256(&[&[0x00, domain], path, value]),
            a: *a,
            b: *b,
            n: 1,
        },
        _ => {
            let cut = leaves.iter().filter(|leaf| !bit(&leaf.0, depth)).count();
            let left = define(domain, &leaves[..cut], depth + 1);
            let right = define(domain, &leaves[cut..], depth + 1);
            Node {
                hash: sha256(&[&[0x01], &node_bytes(&left), &node_bytes(&right)]),
                a: left.a + right.a,
                b: left.b + right.b,
                n: left.n + right.n,
            }
        }
    }
}

fn define_root(model: &Model) -> Node {
    let leaf = |(at, account): (&At, &Account)| {
        let (a, b) = account.sums();
        (at.0, account.bytes(), a, b)
    };
    define(DOMAIN, &model.iter().map(leaf).collect::<Vec<_>>(), 0)
}

// Random sets.

fn random_account(random: &mut Dice) -> Account {
    Account {
        balance: random.below(2001) as i64 - 1000,
        last: random.below(1 << 40),
    }
}

fn spread(number: u64) -> [u8; 32] {
    Sha256::digest(number.to_be_bytes()).into()
}

/// A path of one of five kinds: spread as hashes are, dense as numbers are, dense in two places as
/// plot and serial are, ground to share a long beginning with one of three, or different from another
/// in one bit.
fn path(kind: u64, random: &mut Dice, of: u64) -> [u8; 32] {
    let number = random.below(of);
    let mut path = [0; 32];
    match kind {
        0 => return spread(number),
        1 => path[..8].copy_from_slice(&number.to_be_bytes()),
        2 => {
            path[3] = (number % 5) as u8;
            path[4..8].copy_from_slice(&(number as u32 / 5).to_be_bytes());
        }
        3 => {
            path = spread(number % 3);
            let depth = random.below(256) as usize;
            path[depth / 8] ^= 0x80 >> (depth % 8);
        }
        _ => {
            path = spread(number / 4);
            path[31] ^= (number % 4) as u8;
        }
    }
    path
}

/// Applies some changes to a map and to its model.
fn change(map: &mut Map, model: &mut Model, kind: u64, random: &mut Dice, of: u64) {
    let kind = if kind == 5 { random.below(5) } else { kind };
    let (at, account) = (At(path(kind, random, of)), random_account(random));
    match random.below(8) {
        0 | 1 => assert_eq!(map.remove(&at), model.remove(&at)),
        2 => assert_eq!(
            map.update(&at, |now| *now = account).is_some(),
            model.get_mut(&at).map(|now| *now = account).is_some()
        ),
        3 => {
            map.upsert(at, |now| now.last += 1);
            model.entry(at).or_default().last += 1;
        }
        _ => assert_eq!(map.insert(at, account), model.insert(at, account)),
    }
}

#[test]
fn roots_are_those_of_the_definition_for_any_order_and_images_stay_what_they_were() {
    let mut random = Dice::new(17);
    let mut batches = 0;
    for round in 0..252 {
        let (kind, of) = (round % 6, 4 << (round % 9));
        let (mut map, mut model) = (empty(), Model::new());
        let mut images = Vec::new();
        for batch in 0..12 {
            for _ in 0..=random.below(1 << (batch / 2 + round % 3)) {
                change(&mut map, &mut model, kind, &mut random, of);
            }
            // Some roots are skipped, so that changes of several batches are hashed at once.
            if random.below(4) > 0 {
                assert_eq!(map.root().unwrap(), define_root(&model), "round {round}");
            }
            images.push((map.clone(), model.clone()));
            batches += 1;
            let (start, end) = (
                path(kind % 5, &mut random, of),
                path(kind % 5, &mut random, of),
            );
            let (start, end) = (At(start.min(end)), At(start.max(end)));
            let found: Vec<_> = map.range(start..=end).copied().collect();
            let right: Vec<_> = model
                .range(start..=end)
                .map(|(at, is)| (*at, *is))
                .collect();
            assert_eq!(found, right);
        }
        for (image, model) in &images {
            let found: Vec<_> = image.iter().copied().collect();
            let right: Vec<_> = model.iter().map(|(at, is)| (*at, *is)).collect();
            assert_eq!((image.len(), found), (model.len(), right));
            assert_eq!(image.root().unwrap(), define_root(model));
        }
        // The same set, put in by another order: backwards, and from the middle to both ends.
        let mut items: Vec<_> = model.iter().collect();
        items.reverse();
        let mut other = empty();
        for (at, account) in &items {
            let _ = other.insert(**at, **account);
        }
        assert_eq!(other.root().unwrap(), map.root().unwrap());
        let mut other = map_of(&images[random.below(12) as usize].1);
        items.sort_by_key(|(at, _)| at.0[31]);
        let gone: Vec<_> = other.iter().map(|(at, _)| *at).collect();
        for at in gone {
            let _ = other.remove(&at);
        }
        assert_eq!((other.root().unwrap(), other.len()), (Node::EMPTY, 0));
        for (at, account) in items {
            let _ = other.insert(*at, *account);
        }
        assert_eq!(other.root().unwrap(), map.root().unwrap());
    }
    assert!(batches > 3000);
}

#[test]
fn the_root_of_an_image_is_made_on_another_thread_while_the_map_changes() {
    let mut random = Dice::new(3);
    let (mut map, mut model) = (empty(), Model::new());
    for _ in 0..40 {
        for _ in 0..400 {
            change(&mut map, &mut model, 0, &mut random, 4000);
        }
        let (image, right) = (map.clone(), define_root(&model));
        std::thread::scope(|threads| {
            let made: Vec<_> = (0..2)
                .map(|_| threads.spawn(|| image.root().unwrap()))
                .collect();
            for _ in 0..400 {
                change(&mut map, &mut model, 0, &mut random, 4000);
            }
            for root in made {
                assert_eq!(root.join().unwrap(), right);
            }
        });
        assert_eq!(map.root().unwrap(), define_root(&model));
    }
}

/// A platform that grinds accounts can make paths that share a long beginning, in one place of the trie. A change
/// there hashes no more leaves than elsewhere, and no more nodes than a path has bits.
#[test]
fn accounts_that_are_ground_into_one_place_stay_cheap() {
    let in_little_memory = || {
        let mut model = Model::new();
        let stem = spread(0);
        let account = |last| Account { balance: 1, last };
        // A comb: one branches off at each depth. Pairs that differ in the last bit alone. Thousands
        // that share 40 bits, and twos of those that share 200.
        for depth in 0..256 {
            let mut path = stem;
            path[depth / 8] ^= 0x80 >> (depth % 8);
            model.insert(At(path), account(1));
            path[31] ^= 1;
            model.insert(At(path), account(2));
        }
        for number in 0..4096 {
            let mut path = spread(number);
            path[..5].copy_from_slice(&stem[..5]);
            model.insert(At(path), account(3));
            path[25..].copy_from_slice(&spread(number + 9)[25..]);
            model.insert(At(path), account(4));
        }
        let mut map = map_of(&model);
        let root = map.root().unwrap();
        assert_eq!((root.n, root.a), (model.len() as u64, model.len() as u64));
        for at in model.keys() {
            assert!(map.update(at, |account| account.last += 7).is_some());
            LEAVES_HASHED.set(0);
            let root = map.root().unwrap();
            assert!(LEAVES_HASHED.get() <= 16, "{} leaves", LEAVES_HASHED.get());
            let proof = map.prove(&at.path()).unwrap();
            assert!(
                proof
                    .verify(domain(DOMAIN), &at.path(), &root)
                    .unwrap()
                    .is_some()
            );
            assert!(proof.encode().len() <= TRIE_PROOF_BYTES_MAX);
        }
        for account in model.values_mut() {
            account.last += 7;
        }
        assert_eq!(map.root().unwrap(), define_root(&model));
        for at in model.keys() {
            assert!(map.remove(at).is_some());
        }
        assert_eq!(map.root().unwrap(), Node::EMPTY);
    };
    // No way down is deeper than a path has bits, so a small stack is enough.
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    thread.spawn(in_little_memory).unwrap().join().unwrap();
}

#[test]
fn sums_that_overflow_and_values_that_are_too_long_are_errors() {
    #[derive(Clone)]
    struct Raw(u64, u64, usize);
    impl Value for Raw {
        fn leaf(&self) -> Result<Leaf, TrieError> {
            Leaf::new(self.0, self.1, &vec![7; self.2])
        }
    }
    for (one, other) in [((u64::MAX, 0), (1, 0)), ((0, u64::MAX), (0, 1))] {
        let mut map = TrieMap::new(domain(0));
        let _ = map.insert(At(spread(1)), Raw(one.0, one.1, 1));
        let _ = map.insert(At(spread(2)), Raw(other.0, other.1, 1));
        assert_eq!(map.root(), Err(TrieError::SumOverflow));
        assert!(map.remove(&At(spread(2))).is_some());
        assert_eq!(map.root().map(|root| root.n), Ok(1));
    }
    let mut map = TrieMap::new(domain(0));
    let _ = map.insert(At(spread(1)), Raw(0, 0, VALUE_BYTES_MAX));
    map.root().unwrap();
    let _ = map.insert(At(spread(2)), Raw(0, 0, VALUE_BYTES_MAX + 1));
    let found = VALUE_BYTES_MAX + 1;
    assert_eq!(map.root(), Err(TrieError::ValueTooLong { found }));
    // A proof whose siblings' sums overflow is no proof, whatever its root.
    let node = |a, n| Node {
        hash: Hash::default(),
        a,
        b: 0,
        n,
    };
    let parts = Parts {
        siblings: vec![
            Some(node_bytes(&node(u64::MAX, 2))),
            Some(node_bytes(&node(1, 1))),
        ],
        end: vec![0],
    };
    let proof = TrieProof::decode(&parts.encode()).unwrap();
    let verdict = proof.verify(domain(0), &Path::from_bytes([0; 32]), &Node::EMPTY);
    assert_eq!(verdict, Err(ProofError::Trie(TrieError::SumOverflow)));
}

#[test]
fn a_path_is_left_aligned_and_sorts_as_its_key() {
    let path = Path::left_aligned([1, 2, 3]);
    assert_eq!(path.as_bytes()[..4], [1, 2, 3, 0]);
    assert_eq!(path.as_bytes()[4..], [0; 28]);
    assert!(Path::left_aligned(5_u64.to_be_bytes()) < Path::left_aligned(256_u64.to_be_bytes()));
    assert_eq!(Domain::new(16), None);
}

// Proofs, and lies about them.

/// A proof's bytes, taken apart by the table in `trie/proof.rs` and put together again.
#[derive(Clone)]
struct Parts {
    /// From the leaf up; `None` for an empty one.
    siblings: Vec<Option<Vec<u8>>>,
    /// What stands at the end, with its leaf.
    end: Vec<u8>,
}

impl Parts {
    fn of(bytes: &[u8]) -> Self {
        let depth = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        let (empty, mut rest) = bytes[2..].split_at(depth.div_ceil(8));
        let mut siblings = Vec::new();
        for at in 0..depth {
            if empty[at / 8] & (0x80 >> (at % 8)) == 0 {
                siblings.push(Some(rest[..56].to_vec()));
                rest = &rest[56..];
            } else {
                siblings.push(None);
            }
        }
        let parts = Self {
            siblings,
            end: rest.to_vec(),
        };
        assert_eq!(parts.encode(), bytes);
        parts
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = (self.siblings.len() as u16).to_be_bytes().to_vec();
        let mut empty = vec![0_u8; self.siblings.len().div_ceil(8)];
        for (at, sibling) in self.siblings.iter().enumerate() {
            if sibling.is_none() {
                empty[at / 8] |= 0x80 >> (at % 8);
            }
        }
        bytes.extend(empty);
        bytes.extend(self.siblings.iter().flatten().flatten());
        bytes.extend(&self.end);
        bytes
    }
}

/// The end of a proof that shows a leaf: this one, or another.
fn end(other: Option<&At>, account: &Account) -> Vec<u8> {
    let (a, b) = account.sums();
    let value = account.bytes();
    let mut bytes = vec![if other.is_some() { 2 } else { 1 }];
    bytes.extend(other.iter().flat_map(|at| at.0));
    bytes.extend([a, b].map(u64::to_be_bytes).concat());
    bytes.push(value.len() as u8);
    bytes.extend(value);
    bytes
}

/// Counts lies that were told and that were taken.
struct Lies {
    told: usize,
    taken: Vec<String>,
}

impl Lies {
    fn tell(&mut self, what: &str, bytes: &[u8], path: &Path, root: &Node) {
        self.told += 1;
        let read = TrieProof::decode(bytes);
        if read.is_ok_and(|proof| proof.verify(domain(DOMAIN), path, root).is_ok()) {
            self.taken.push(format!("{what} at {path}"));
        }
    }
}

#[test]
fn proofs_hold_and_no_lie_about_one_is_taken() {
    let mut random = Dice::new(5);
    let mut lies = Lies {
        told: 0,
        taken: Vec::new(),
    };
    let mut proofs = 0;
    for round in 0..30 {
        let (kind, of) = (round % 6, 2 << (round % 8));
        let (mut map, mut model) = (empty(), Model::new());
        for _ in 0..of {
            change(&mut map, &mut model, kind, &mut random, of);
        }
        let root = map.root().unwrap();
        for _ in 0..6 {
            let of_kind = if kind == 5 { random.below(5) } else { kind };
            let asked = At(path(of_kind, &mut random, 2 * of));
            let bytes = map.prove(&asked.path()).unwrap().encode();
            let proof = TrieProof::decode(&bytes).unwrap();
            assert_eq!(proof.encode(), bytes);
            assert!(bytes.len() <= TRIE_PROOF_BYTES_MAX);
            let leaf = proof.verify(domain(DOMAIN), &asked.path(), &root).unwrap();
            let right = model.get(&asked);
            assert_eq!(leaf.map(Leaf::value), right.map(Account::bytes).as_deref());
            assert_eq!(leaf.map(|leaf| (leaf.a, leaf.b)), right.map(Account::sums));
            proofs += 1;
            lie_about(&mut lies, &mut random, &bytes, &asked, &model, &root);
            // Of another path the proof says the truth, or nothing.
            let other = At(path(of_kind, &mut random, 2 * of));
            if let Ok(leaf) = proof.verify(domain(DOMAIN), &other.path(), &root) {
                let right = model.get(&other).map(Account::bytes);
                assert_eq!(leaf.map(Leaf::value), right.as_deref());
            }
            if leaf.is_some() {
                let elsewhere = proof.verify(domain(DOMAIN + 1), &asked.path(), &root);
                assert_eq!(elsewhere, Err(ProofError::RootMismatch));
            }
        }
    }
    println!(
        "{proofs} proofs held, {} lies, {} taken",
        lies.told,
        lies.taken.len()
    );
    assert_eq!(lies.taken, [""; 0]);
    assert!(lies.told > 100_000, "only {} lies", lies.told);
}

/// What is taken back leaves the items and the root of before, also under images and after a root in between;
/// what is kept stays.
#[test]
fn changes_are_taken_back_or_kept() {
    let mut random = Dice::new(31);
    for round in 0..240 {
        let (kind, of) = (round % 6, 4 << (round % 9));
        let (mut map, mut model) = (empty(), Model::new());
        for _ in 0..30 {
            map.begin_undo();
            let before = (model.clone(), map.root().unwrap(), map.clone());
            for _ in 0..=random.below(1 << (round % 8)) {
                change(&mut map, &mut model, kind, &mut random, of);
                if random.below(16) == 0 {
                    assert_eq!(map.root().unwrap(), define_root(&model));
                }
            }
            if random.below(3) == 0 {
                map.keep();
            } else {
                map.rollback();
                model = before.0.clone();
                assert_eq!(map.root().unwrap(), before.1);
            }
            let items: Vec<_> = map.iter().copied().collect();
            let right: Vec<_> = model.iter().map(|(at, is)| (*at, *is)).collect();
            assert_eq!((map.len(), items), (model.len(), right));
            assert_eq!(map.root().unwrap(), define_root(&model));
            assert_eq!(before.2.root().unwrap(), define_root(&before.0));
            // Nothing is noted any more.
            map.rollback();
            assert_eq!(map.len(), model.len());
        }
    }
}

/// Two proofs show that nothing is between their paths just when nothing is there: for sets of all kinds,
/// paths that have a leaf or not, and through the state root as well.
#[test]
fn neighbours_are_proven_just_when_nothing_is_between() {
    let mut random = Dice::new(29);
    let (mut near, mut apart) = (0, 0);
    for round in 0..300 {
        let (kind, of) = (round % 6, 2 << (round % 8));
        let (mut map, mut model) = (empty(), Model::new());
        for _ in 0..random.below(1 << (round % 8)) {
            change(&mut map, &mut model, kind, &mut random, of);
        }
        let root = map.root().unwrap();
        let mut roots = DomainRoots([Node::EMPTY; DOMAINS]);
        roots.0[usize::from(DOMAIN)] = root;
        let mut paths: Vec<_> = model.keys().map(|at| at.0).collect();
        paths.extend((0..8).map(|_| path(kind % 5, &mut random, of)));
        paths.extend([[0; 32], [0xff; 32]]);
        for _ in 0..60 {
            let mut pick = || Path::from_bytes(paths[random.below(paths.len() as u64) as usize]);
            let (low, high) = (pick(), pick());
            let between = model
                .keys()
                .filter(|at| low < at.path() && at.path() < high)
                .count();
            let right = low < high && between == 0;
            let proofs = [&low, &high].map(|path| map.prove(path).unwrap());
            let found = TrieProof::verify_neighbours(
                domain(DOMAIN),
                &root,
                (&low, &proofs[0]),
                (&high, &proofs[1]),
            );
            assert_eq!(found.is_ok(), right, "{low} {high}");
            match found {
                Ok(leaves) => {
                    let is_there = |path: &Path| model.contains_key(&At(*path.as_bytes()));
                    assert_eq!(
                        leaves.map(|leaf| leaf.is_some()),
                        [&low, &high].map(is_there)
                    );
                    near += 1;
                }
                Err(error) => {
                    assert_eq!(error, ProofError::NotNeighbours);
                    apart += 1;
                }
            }
            let proofs = proofs.map(|proof| roots.prove(domain(DOMAIN), proof));
            let state_root = roots.state_root();
            let found = StateProof::verify_neighbours(
                domain(DOMAIN),
                &state_root,
                (&low, &proofs[0]),
                (&high, &proofs[1]),
            );
            assert_eq!(found.is_ok(), right);
            // Proofs of another set prove nothing about this one.
            let other = Hash::from_bytes([7; 32]);
            let found = StateProof::verify_neighbours(
                domain(DOMAIN),
                &other,
                (&low, &proofs[0]),
                (&high, &proofs[1]),
            );
            assert_eq!(found, Err(ProofError::RootMismatch));
        }
    }
    assert!(near > 1000 && apart > 1000, "{near} {apart}");
}

fn lie_about(
    lies: &mut Lies,
    random: &mut Dice,
    bytes: &[u8],
    asked: &At,
    model: &Model,
    root: &Node,
) {
    let path = asked.path();
    // Every bit, or some thousand of them: value, sums, numbers of leaves, hashes, depth, bitmap, end.
    let bits = 8 * bytes.len();
    for bit in (0..bits).step_by(1 + bits / 1500) {
        let mut lie = bytes.to_vec();
        lie[bit / 8] ^= 0x80 >> (bit % 8);
        lies.tell("a bit", &lie, &path, root);
    }
    for len in (0..bytes.len()).step_by(1 + bytes.len() / 100) {
        lies.tell("cut short", &bytes[..len], &path, root);
    }
    lies.tell(
        "a byte behind the end",
        &[bytes, &[0]].concat(),
        &path,
        root,
    );
    let parts = Parts::of(bytes);
    let mut tell = |what: &str, lie: &Parts| {
        if lie.encode() != bytes {
            lies.tell(what, &lie.encode(), &path, root);
        }
    };
    let some = |number: u64| number as usize;
    for at in 0..parts.siblings.len() {
        let mut lie = parts.clone();
        lie.siblings.remove(at);
        tell("a sibling dropped", &lie);
        let mut lie = parts.clone();
        lie.siblings[at] = None;
        tell("a sibling emptied", &lie);
        let mut lie = parts.clone();
        lie.siblings[at] = Some([0; 56].to_vec());
        tell("an empty sibling that is not marked", &lie);
        let mut lie = parts.clone();
        lie.siblings
            .swap(at, some(random.below(parts.siblings.len() as u64)));
        tell("two siblings swapped", &lie);
        if let Some(Some(sibling)) = parts.siblings.get(at) {
            for (place, what) in [(39, "a"), (47, "b"), (55, "n")] {
                let mut lie = parts.clone();
                let mut changed = sibling.clone();
                changed[place] = changed[place].wrapping_add(1);
                lie.siblings[at] = Some(changed);
                tell(what, &lie);
            }
        }
    }
    for at in 0..=parts.siblings.len() {
        let beside = parts.siblings.get(at).cloned().flatten();
        for added in [None, beside, Some(node_bytes(root))] {
            let mut lie = parts.clone();
            lie.siblings.insert(at, added);
            tell("a sibling added", &lie);
        }
    }
    let mut lie = parts.clone();
    lie.siblings.clear();
    tell("no siblings", &lie);
    let mut lie = parts.clone();
    lie.siblings.resize(257, None);
    tell("too deep", &lie);
    // Other ends: nothing, this leaf with another value, any other leaf.
    let mut ends = vec![
        vec![0],
        end(None, &random_account(random)),
        end(Some(asked), &random_account(random)),
    ];
    if let Some(account) = model.get(asked) {
        ends.push(end(Some(asked), account));
        for change in [1, -1] {
            let balance = account.balance + change;
            ends.push(end(
                None,
                &Account {
                    balance,
                    ..*account
                },
            ));
        }
    }
    for _ in 0..6 {
        if let Some((other, account)) = model
            .iter()
            .nth(some(random.below(model.len().max(1) as u64)))
            && other != asked
        {
            ends.push(end(Some(other), account));
            ends.push(end(None, account));
        }
    }
    for end in ends {
        let mut lie = parts.clone();
        lie.end = end;
        tell("another end", &lie);
    }
}

/// The tree over the heads, as the definition says it.
fn define_state_root(roots: &[Node; DOMAINS]) -> Hash {
    let mut hashes: Vec<Hash> = (0_u8..)
        .zip(roots)
        .map(|(domain, root)| sha256(&[&[0x02, domain], &node_bytes(root)]))
        .collect();
    while hashes.len() > 1 {
        let pairs = hashes.chunks(2);
        hashes = pairs
            .map(|pair| sha256(&[&[0x03], pair[0].as_ref(), pair[1].as_ref()]))
            .collect();
    }
    hashes[0]
}

/// A map for each domain: of none, one, two and so on leaves.
fn sixteen_maps() -> Vec<Map> {
    let mut random = Dice::new(11);
    let maps = (0..DOMAINS as u8).map(|number| {
        let mut map = TrieMap::new(domain(number));
        for _ in 0..number {
            let _ = map.insert(At(spread(random.roll())), random_account(&mut random));
        }
        map
    });
    maps.collect()
}

#[test]
fn a_state_proof_reaches_the_state_root_and_no_bit_of_it_can_change() {
    let maps = sixteen_maps();
    let roots = DomainRoots(std::array::from_fn(|at| maps[at].root().unwrap()));
    let state_root = roots.state_root();
    assert_eq!(state_root, define_state_root(&roots.0));
    let mut lies = 0;
    for map in &maps {
        let number = map.domain();
        let head = roots.prove_head(number).encode();
        let proof = HeadProof::decode(&head).unwrap();
        assert_eq!(proof.encode(), head);
        assert_eq!(
            proof.verify(number, &state_root).unwrap(),
            &map.root().unwrap()
        );
        for bit in 0..8 * head.len() {
            let mut lie = head.clone();
            lie[bit / 8] ^= 0x80 >> (bit % 8);
            lies += 1;
            let told = HeadProof::decode(&lie);
            assert!(told.is_err() || told.unwrap().verify(number, &state_root).is_err());
        }
        assert!(HeadProof::decode(&head[1..]).is_err());
        assert!(HeadProof::decode(&[&head[..], &[0]].concat()).is_err());
        let there = map.iter().next().map(|(at, _)| *at);
        for at in there.into_iter().chain([At(spread(99))]) {
            let proof = roots.prove(number, map.prove(&at.path()).unwrap());
            let bytes = proof.encode();
            assert!(bytes.len() <= STATE_PROOF_BYTES_MAX);
            assert_eq!(StateProof::decode(&bytes).unwrap(), proof);
            let leaf = proof.verify(number, &at.path(), &state_root).unwrap();
            assert_eq!(
                leaf.map(Leaf::value),
                map.get(&at).map(Account::bytes).as_deref()
            );
            let other = domain((number.number() + 1) % 16);
            let of_other = proof.verify(other, &at.path(), &state_root);
            assert!(matches!(of_other, Err(ProofError::OtherDomain { .. })));
            for bit in 0..8 * bytes.len() {
                let mut lie = bytes.clone();
                lie[bit / 8] ^= 0x80 >> (bit % 8);
                lies += 1;
                let told = StateProof::decode(&lie);
                assert!(
                    told.is_err()
                        || told
                            .unwrap()
                            .verify(number, &at.path(), &state_root)
                            .is_err()
                );
            }
            assert!(StateProof::decode(&[&bytes[..], &[0]].concat()).is_err());
            assert!(StateProof::decode(&bytes[..bytes.len() - 1]).is_err());
        }
    }
    assert!(lies > 100_000, "only {lies} lies");
}

#[test]
fn what_is_no_proof_is_refused_by_what_is_wrong_with_it() {
    let malformed = |bytes: &[u8]| match TrieProof::decode(bytes) {
        Err(ProofError::Malformed(what)) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(malformed(&[]), "it is cut short");
    assert_eq!(malformed(&[1, 1]), "it is deeper than a path is long");
    assert_eq!(malformed(&[0, 1, 0x40]), "a bit stands for no sibling");
    assert_eq!(malformed(&[0, 0, 3]), "its end is none of three");
    assert_eq!(
        malformed(&[0, 0, 0, 0]),
        "bytes are left over after its end"
    );
    let no_leaves = [&[0, 1, 0][..], &[9; 48], &[0; 8], &[0]].concat();
    assert_eq!(
        malformed(&no_leaves),
        "a sibling without leaves is not marked as empty"
    );
    let too_long = [&[0, 0, 1][..], &[0; 16], &[129], &[7; 129]].concat();
    assert_eq!(malformed(&too_long), "a value is longer than 128 bytes");
    assert_eq!(
        HeadProof::decode(&[16; 185]).unwrap_err().to_string(),
        "these bytes are no proof about the state: there is no domain of its number"
    );
}

// Golden files.

fn golden(name: &str, made: &Json) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/trie")
        .join(name);
    let text = format!("{made:#}\n");
    if std::env::var_os("ARBORLOG_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "{} is not what the code makes",
        path.display()
    );
}

fn node_json(node: &Node) -> Json {
    json!({
        "hash": hex::encode(node.hash.as_bytes()),
        "a": node.a.to_string(), "b": node.b.to_string(), "n": node.n.to_string(),
    })
}

fn trie_json(name: &str, map: &Map, asked: &[[u8; 32]]) -> Json {
    let root = map.root().unwrap();
    let leaves = map.iter().map(|(at, account)| {
        let (a, b) = account.sums();
        json!({
            "path": hex::encode(at.0), "value": hex::encode(account.bytes()),
            "a": a.to_string(), "b": b.to_string(),
        })
    });
    let proofs = asked.iter().map(|path| {
        let proof = map.prove(&Path::from_bytes(*path)).unwrap();
        let found = proof
            .verify(map.domain(), &Path::from_bytes(*path), &root)
            .unwrap();
        json!({
            "path": hex::encode(path), "proof": hex::encode(proof.encode()),
            "value": found.map(|leaf| hex::encode(leaf.value())),
        })
    });
    json!({
        "name": name, "domain": map.domain().number(),
        "leaves": leaves.collect::<Vec<_>>(), "root": node_json(&root),
        "proofs": proofs.collect::<Vec<_>>(),
    })
}

#[test]
fn golden_tries_and_proofs() {
    let model = |paths: &[[u8; 32]]| {
        let accounts = (1..).zip(paths).map(|(number, path)| {
            let balance = if number % 3 == 0 {
                -number
            } else {
                1000 * number
            };
            (
                At(*path),
                Account {
                    balance,
                    last: number as u64,
                },
            )
        });
        map_of(&accounts.collect())
    };
    let number = |number: u64| {
        let mut path = [0; 32];
        path[..8].copy_from_slice(&number.to_be_bytes());
        path
    };
    let last_bit = |mut path: [u8; 32]| {
        path[31] ^= 1;
        path
    };
    let dense: Vec<_> = (0..6).map(number).collect();
    let hashes: Vec<_> = (0..9).map(spread).collect();
    let one = spread(1);
    let pair = [one, last_bit(one), spread(2)];
    let tries = [
        trie_json("no leaf", &empty(), &[one]),
        trie_json("one leaf", &model(&[one]), &[one, spread(2)]),
        trie_json(
            "nine hashes",
            &model(&hashes),
            &[hashes[4], spread(20), spread(21), spread(25)],
        ),
        trie_json(
            "six numbers",
            &model(&dense),
            &[dense[3], number(6), number(9), one],
        ),
        trie_json(
            "two that differ in the last bit",
            &model(&pair),
            &[pair[1], last_bit(pair[2])],
        ),
    ];
    golden("tries.json", &json!(tries));

    let maps = sixteen_maps();
    let roots = DomainRoots(std::array::from_fn(|at| maps[at].root().unwrap()));
    let map = &maps[9];
    let at = map.iter().nth(4).unwrap().0;
    let proof = |at: &At| {
        json!({
            "domain": 9, "path": hex::encode(at.0),
            "value": map.get(at).map(|account| hex::encode(account.bytes())),
            "proof": hex::encode(roots.prove(domain(9), map.prove(&at.path()).unwrap()).encode()),
        })
    };
    golden(
        "state.json",
        &json!({
            "roots": roots.0.iter().map(node_json).collect::<Vec<_>>(),
            "state_root": hex::encode(roots.state_root().as_bytes()),
            "head_proof": { "domain": 5, "proof": hex::encode(roots.prove_head(domain(5)).encode()) },
            "proofs": [proof(&at), proof(&At(spread(99)))],
        }),
    );

    // What must be refused, each with the reason; all against the root of nine hashes.
    let map = model(&hashes);
    let root = map.root().unwrap();
    let honest =
        |path: &[u8; 32]| Parts::of(&map.prove(&Path::from_bytes(*path)).unwrap().encode());
    let mut rejected = Vec::new();
    let mut reject = |what: &str, path: &[u8; 32], bytes: Vec<u8>| {
        let path_of = Path::from_bytes(*path);
        let read = TrieProof::decode(&bytes);
        let reason = match read
            .and_then(|proof| proof.verify(domain(DOMAIN), &path_of, &root).map(|_| ()))
        {
            Err(reason) => reason.to_string(),
            Ok(()) => panic!("{what} was taken"),
        };
        rejected.push(json!({
            "what": what, "path": hex::encode(path), "proof": hex::encode(bytes), "reason": reason,
        }));
    };
    let (here, away) = (hashes[4], spread(20));
    let mut lie = honest(&here);
    *lie.end.last_mut().unwrap() ^= 1;
    reject("another value", &here, lie.encode());
    let mut lie = honest(&here);
    lie.end[8] ^= 1;
    reject("another part in the first sum", &here, lie.encode());
    let mut lie = honest(&here);
    lie.end = vec![0];
    reject("a leaf that is there left out", &here, lie.encode());
    let mut lie = honest(&here);
    lie.siblings.insert(0, None);
    reject("a lone leaf one level too deep", &here, lie.encode());
    let mut lie = honest(&here);
    lie.siblings.remove(0);
    reject("a sibling dropped", &here, lie.encode());
    let mut lie = honest(&here);
    lie.siblings[1].as_mut().unwrap()[55] ^= 1;
    reject("another number of leaves in a sibling", &here, lie.encode());
    let mut lie = honest(&away);
    lie.end = end(Some(&At(here)), map.get(&At(here)).unwrap());
    reject("another leaf that is not on the way", &away, lie.encode());
    reject(
        "bytes behind the end",
        &here,
        [honest(&here).encode(), vec![0]].concat(),
    );
    let mut bytes = honest(&here).encode();
    bytes[2] |= 1;
    reject("a bit that stands for no sibling", &here, bytes);
    golden(
        "rejected.json",
        &json!({ "domain": DOMAIN, "root": node_json(&root), "proofs": rejected }),
    );
}
