//! Receipts of a state entry with items that were changed: parts of golden items, bits of them, and leaves that a
//! log which lies put into its state. All three verifiers say the same of each.

use arborlog::crypto::SigningKey;
use arborlog::ledger::items::place_of;
use arborlog::ledger::trie::{
    DOMAINS, Domain, DomainRoots, Key, Leaf, Node, Path, StateProof, TrieError, TrieMap, Value,
};
use arborlog::merkle::{Hash, leaf_hash, root_of};
use arborlog::note::{Checkpoint, SignatureType, TreeHead, VerifierKey};
use arborlog::receipt::{Receipt, StateItem};
use arborlog::record::{Index, StateEntry};
use sha2::{Digest as _, Sha256};

use crate::changes::{Changes, dice::Dice};
use crate::verifiers::{Question, Verdict, Verifiers};
use crate::{ORIGIN, plain, seed};

const ITEMS: &str = include_str!("../golden/receipts/state_items.tlog-proof");

/// How many of these verdicts there were, by outcome and code.
#[derive(Default)]
struct Seen(std::collections::BTreeMap<String, u64>);

impl Seen {
    fn count(&mut self, verdict: &Verdict) {
        let kind = match verdict {
            Verdict::Holds(_) => "holds".to_owned(),
            Verdict::Neither(outcome, code) => format!("{outcome} {code}"),
            other => format!("{other:?}"),
        };
        *self.0.entry(kind).or_default() += 1;
    }

    /// The changes reach all of these.
    #[track_caller]
    fn has(&self, kinds: &[&str]) {
        eprintln!("{:#?}", self.0);
        for kind in kinds {
            assert!(self.0.contains_key(*kind), "{kind}: {:?}", self.0);
        }
    }
}

/// The items that a meaning names and that are there.
fn items_there(meaning: &str) -> Vec<&str> {
    let items = meaning.split(' ').nth(4).unwrap();
    let items = items.trim_matches(['[', ']']).split(',');
    items.filter(|item| !item.ends_with(":none")).collect()
}

fn flip(dice: &mut Dice, bytes: &mut [u8]) {
    if !bytes.is_empty() {
        bytes[dice.below(bytes.len() as u64) as usize] ^= 1 << dice.below(8);
    }
}

/// Bits, a number, or an end that is cut or longer.
fn change_bytes(dice: &mut Dice, bytes: &mut Vec<u8>) {
    match dice.below(5) {
        0 => bytes.truncate(dice.below(bytes.len() as u64 + 1) as usize),
        1 => bytes.push(dice.roll() as u8),
        2 if bytes.len() >= 8 => {
            let at = dice.below(bytes.len() as u64 - 7) as usize;
            let number = *dice.pick(&[0, 1, 2, 1 << 16, 1 << 32, 1 << 63, u64::MAX]);
            bytes[at..at + 8].copy_from_slice(&u64::to_be_bytes(number));
        }
        _ => flip(dice, bytes),
    }
}

fn change(dice: &mut Dice, item: &mut StateItem, other: StateItem) {
    match dice.below(10) {
        0 => change_bytes(dice, &mut item.key),
        1 => change_bytes(dice, &mut item.proof),
        // The domain.
        2 => drop(
            item.proof
                .first_mut()
                .map(|domain| *domain = dice.below(18) as u8),
        ),
        3 => change_bytes(dice, item.fields.get_or_insert_default()),
        4 => item.key = other.key,
        5 => item.proof = other.proof,
        6 => item.fields = other.fields,
        7 => item.fields = None,
        8 => flip(dice, &mut item.key),
        _ => *item = other,
    }
}

#[test]
fn changed_items_get_one_verdict() {
    let mut verifiers = Verifiers::start();
    let golden: Receipt = ITEMS.parse().unwrap();
    let Verdict::Holds(all) = verifiers.ask("golden", &plain(ITEMS)) else {
        panic!("the golden receipt does not hold");
    };
    let known = items_there(&all);
    let (mut dice, mut seen) = (Dice::new(seed()), Seen::default());
    for _ in 0..crate::cases(1_500) {
        let few = 1 + dice.below(3);
        let mut receipt = Receipt {
            items: (0..few).map(|_| dice.pick(&golden.items).clone()).collect(),
            ..golden.clone()
        };
        for _ in 0..dice.below(3) {
            let (at, other) = (dice.below(few) as usize, dice.pick(&golden.items).clone());
            change(&mut dice, &mut receipt.items[at], other);
        }
        let verdict = verifiers.ask("a changed item", &plain(receipt.to_text().unwrap()));
        if let Verdict::Holds(meaning) = &verdict {
            for item in items_there(meaning) {
                assert!(known.contains(&item), "{item} was never in the state");
            }
        }
        seen.count(&verdict);
    }
    seen.has(&["holds", "False", "unchecked state_item_malformed"]);
}

#[test]
fn changed_files_of_items_get_one_verdict() {
    let mut verifiers = Verifiers::start();
    let golden = [ITEMS];
    let (mut changes, mut seen) = (Changes::new(seed(), &golden), Seen::default());
    for _ in 0..crate::cases(300) {
        seen.count(&verifiers.ask("a changed file", &plain(changes.next())));
    }
    seen.has(&["False", "unchecked receipt_malformed"]);
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct At(Path);

impl Key for At {
    fn path(&self) -> Path {
        self.0
    }
}

#[derive(Clone)]
struct Any(Leaf);

impl Value for Any {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        Ok(self.0)
    }
}

/// A log that puts any leaf at any place into its state, and proves all that this makes.
pub struct Liar {
    key: SigningKey,
    state: StateEntry,
}

impl Liar {
    pub fn new() -> Self {
        let golden: Receipt = ITEMS.parse().unwrap();
        Self {
            key: SigningKey::from_seed(&[78; 32]),
            state: StateEntry {
                size: 1,
                before: None,
                ..StateEntry::decode(&golden.entry).unwrap()
            },
        }
    }

    /// The question whether an item is there whose leaf holds a hash over these fields.
    pub fn digested(
        &self,
        domain: Domain,
        key: Vec<u8>,
        [a, b]: [u64; 2],
        began_at: u64,
        fields: Vec<u8>,
    ) -> Question {
        let mut value = began_at.to_be_bytes().to_vec();
        value.extend(Sha256::digest(&fields));
        let leaf = Leaf::new(a, b, &value).unwrap();
        self.question(domain, key, leaf, Some(fields)).unwrap()
    }

    fn vkey(&self) -> String {
        let name = ORIGIN.parse().unwrap();
        VerifierKey::new(name, SignatureType::Ed25519, self.key.public()).to_string()
    }

    pub fn question(
        &self,
        domain: Domain,
        key: Vec<u8>,
        leaf: Leaf,
        fields: Option<Vec<u8>>,
    ) -> Option<Question> {
        let place = place_of(domain, &key)?;
        let mut trie = TrieMap::new(domain);
        assert!(trie.insert(At(place), Any(leaf)).is_none());
        let mut roots = DomainRoots([Node::EMPTY; DOMAINS]);
        roots.0[usize::from(domain.number())] = trie.root().unwrap();
        let proof = roots.prove(domain, trie.prove(&place).unwrap());
        let state = StateEntry {
            root: *roots.state_root().as_bytes(),
            ..self.state.clone()
        };
        let entry = state.encode().unwrap();
        let before = Hash::from_bytes([7; 32]);
        let head = TreeHead {
            size: 2,
            root: root_of([before, leaf_hash(&entry)]),
        };
        let receipt = Receipt {
            index: Index(1),
            entry,
            seal: None,
            authority: Vec::new(),
            path: vec![before],
            entries: Vec::new(),
            hashes: Vec::new(),
            items: vec![StateItem {
                key,
                fields,
                proof: proof.encode(),
            }],
            checkpoint: Checkpoint::sign(&ORIGIN.parse().unwrap(), head, &self.key).to_string(),
            second: None,
        };
        let log = self.vkey();
        Some(Question {
            log,
            ..plain(receipt.to_text().unwrap())
        })
    }
}

/// A golden item with what its proof shows to be there.
struct Stands {
    domain: Domain,
    key: Vec<u8>,
    leaf: Leaf,
    fields: Option<Vec<u8>>,
}

fn standing(golden: &Receipt) -> Vec<Stands> {
    let state = StateEntry::decode(&golden.entry).unwrap();
    let stands = golden.items.iter().filter_map(|item| {
        let domain = StateProof::decode(&item.proof).unwrap().domain();
        let (leaf, _) = item.verify(golden.index, &state).unwrap().found?;
        let (key, fields) = (item.key.clone(), item.fields.clone());
        Some(Stands {
            domain,
            key,
            leaf,
            fields,
        })
    });
    stands.collect()
}

#[test]
fn leaves_that_a_log_made_up_get_one_verdict() {
    let mut verifiers = Verifiers::start();
    let golden: Receipt = ITEMS.parse().unwrap();
    let liar = Liar::new();
    let stands = standing(&golden);
    let (mut dice, mut seen) = (Dice::new(seed()), Seen::default());
    for _ in 0..crate::cases(4_000) {
        let Stands {
            domain,
            key,
            leaf,
            fields,
        } = dice.pick(&stands);
        let (mut key, mut fields) = (key.clone(), fields.clone());
        let (mut a, mut b, mut value) = (leaf.a, leaf.b, leaf.value().to_vec());
        for _ in 0..=dice.below(2) {
            match (&mut fields, dice.below(8)) {
                (_, 0) => a = *dice.pick(&[0, 1, a.wrapping_add(1), b]),
                (_, 1) => b = *dice.pick(&[0, 1, b.wrapping_add(1), a]),
                (_, 2) => flip(&mut dice, &mut key),
                (Some(fields), 3..) => change_bytes(&mut dice, fields),
                (None, 3..) => change_bytes(&mut dice, &mut value),
            }
        }
        if let Some(fields) = &fields {
            value[8..].copy_from_slice(&Sha256::digest(fields));
            if dice.one_in(10) {
                flip(&mut dice, &mut value[..8]);
            }
        }
        let Ok(leaf) = Leaf::new(a, b, &value) else {
            continue;
        };
        if let Some(question) = liar.question(*domain, key, leaf, fields) {
            seen.count(&verifiers.ask("a leaf that was made up", &question));
        }
    }
    seen.has(&["holds", "False"]);
}
