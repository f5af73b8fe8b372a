//! Policies by chance over receipts with one checkpoint or two: cosigners that sign one of them, both, neither, wrongly,
//! another tree, or both trees of a fork. All three verifiers come to one verdict, and name the same who is missing.

use arborlog::crypto::SigningKey;
use arborlog::merkle::{Hash, consistency_ranges, inclusion_ranges, leaf_hash, root_of};
use arborlog::note::{
    Checkpoint, KeyName, SignatureType, TreeHead, UnverifiedCheckpoint, VerifierKey, cosign,
};
use arborlog::receipt::{Receipt, SecondCheckpoint};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::changes::dice::Dice;
use crate::verifiers::{Question, Verdict, Verifiers};
use crate::{ORIGIN, plain, seed};

const GENESIS: &str = include_str!("../golden/receipts/genesis.tlog-proof");
const SEALED: &str = include_str!("../golden/receipts/state_uncorrected_sealed.tlog-proof");

struct Cosigner {
    name: String,
    key: SigningKey,
    vkey: VerifierKey,
}

fn cosigners() -> Vec<Cosigner> {
    let named = ["w1", "w2", "w3", "audit-a1", "audit-a2"];
    let cosigner = |(at, name): (u8, &str)| {
        let key = SigningKey::from_seed(&[0x70 + at; 32]);
        let of: KeyName = format!("{name}.example/key").parse().unwrap();
        Cosigner {
            name: name.to_owned(),
            vkey: VerifierKey::new(of, SignatureType::CosignatureV1, key.public()),
            key,
        }
    };
    (0..).zip(named).map(cosigner).collect()
}

/// Lines of a policy: some of the cosigners, groups of what stands before, a quorum.
fn policy(dice: &mut Dice, cosigners: &[Cosigner]) -> String {
    let some: Vec<&Cosigner> = cosigners.iter().filter(|_| !dice.one_in(4)).collect();
    let mut text = String::new();
    let mut free: Vec<String> = Vec::new();
    for cosigner in &some {
        text += &format!("witness {} {}\n", cosigner.name, cosigner.vkey);
        free.push(cosigner.name.clone());
    }
    let mut names = free.clone();
    for group in 0..dice.below(4) {
        let mut members = Vec::new();
        for _ in 0..=dice.below(3) {
            if !free.is_empty() {
                members.push(free.swap_remove(dice.below(free.len() as u64) as usize));
            }
        }
        if members.is_empty() {
            break;
        }
        let number = (1 + dice.below(members.len() as u64)).to_string();
        let needed = *dice.pick(&["all", "any", number.as_str()]);
        text += &format!("group g{group} {needed} {}\n", members.join(" "));
        free.push(format!("g{group}"));
        names.push(format!("g{group}"));
    }
    names.push("none".to_owned());
    // The last ones hold most of the others.
    let last = names.len().saturating_sub(2);
    let quorum = match dice.one_in(3) {
        true => dice.pick(&names).clone(),
        false => names[last].clone(),
    };
    text + &format!("quorum {quorum}\n")
}

struct Log {
    key: SigningKey,
    leaves: Vec<Hash>,
}

impl Log {
    /// A log whose first leaf is this one, and the others any.
    fn new(first: &[u8]) -> Self {
        let others = (1..40_u64).map(|leaf| leaf_hash(&leaf.to_be_bytes()));
        Self {
            key: SigningKey::from_seed(&[0x6f; 32]),
            leaves: std::iter::once(leaf_hash(first)).chain(others).collect(),
        }
    }

    fn root(&self, (start, end): (u64, u64)) -> Hash {
        root_of(self.leaves[start as usize..end as usize].iter().copied())
    }

    fn vkey(&self) -> String {
        let name = ORIGIN.parse().unwrap();
        VerifierKey::new(name, SignatureType::Ed25519, self.key.public()).to_string()
    }

    fn signed(&self, head: TreeHead) -> Checkpoint {
        Checkpoint::sign(&ORIGIN.parse().unwrap(), head, &self.key)
    }

    /// The checkpoint of a size with lines by chance.
    fn checkpoint(&self, dice: &mut Dice, size: u64, cosigners: &[Cosigner]) -> String {
        let root = match dice.one_in(40) {
            // The other side of a fork.
            true => Hash::from_bytes([9; 32]),
            false => self.root((0, size)),
        };
        let checkpoint = self.signed(TreeHead { size, root });
        let mut text = checkpoint.to_string();
        for cosigner in cosigners {
            for _ in 0..*dice.pick(&[0, 0, 0, 1, 1, 1, 1, 2]) {
                text += &line(dice, self, &checkpoint, cosigner);
            }
        }
        text
    }
}

/// A cosigner's line, rarely one that does not hold: with another bit, or over another tree.
fn line(dice: &mut Dice, log: &Log, checkpoint: &Checkpoint, cosigner: &Cosigner) -> String {
    let mut over = checkpoint.clone();
    if dice.one_in(60) {
        let root = Hash::from_bytes([8; 32]);
        over = log.signed(TreeHead {
            root,
            ..checkpoint.head()
        });
    }
    let at_s = 1_788_480_000 + dice.below(3);
    cosign(&mut over, cosigner.vkey.name(), &cosigner.key, at_s);
    let text = over.to_string();
    let last = text.lines().last().unwrap();
    if !dice.one_in(60) {
        return format!("{last}\n");
    }
    let (before, signed) = last.rsplit_once(' ').unwrap();
    let mut signed = STANDARD.decode(signed).unwrap();
    let bit = dice.below(8 * signed.len() as u64 - 32) as usize;
    signed[4 + bit / 8] ^= 1 << (bit % 8);
    format!("{before} {}\n", STANDARD.encode(signed))
}

fn bytes(hashes: impl IntoIterator<Item = Hash>) -> Vec<[u8; 32]> {
    hashes.into_iter().map(|hash| *hash.as_bytes()).collect()
}

/// A golden file's entry at index 0 of the log, with a second checkpoint or none.
fn question(dice: &mut Dice, log: &Log, golden: &Receipt, cosigners: &[Cosigner]) -> Question {
    let size = 1 + dice.below(20);
    let second = (!dice.one_in(4)).then(|| {
        // Rarely no larger one.
        let larger = match dice.one_in(40) {
            true => size,
            false => size + 1 + dice.below(19),
        };
        let ranges = consistency_ranges(size, larger).unwrap();
        let mut consistency = bytes(ranges.into_iter().map(|range| log.root(range)));
        match dice.below(40) {
            0 => drop(consistency.pop()),
            1 => consistency.push([3; 32]),
            2 => drop(consistency.first_mut().map(|hash| hash[0] ^= 1)),
            _ => {}
        }
        SecondCheckpoint {
            checkpoint: log.checkpoint(dice, larger, cosigners).into_bytes(),
            consistency,
        }
    });
    let ranges = inclusion_ranges(0, size).unwrap();
    let receipt = Receipt {
        path: ranges.into_iter().map(|range| log.root(range)).collect(),
        checkpoint: log.checkpoint(dice, size, cosigners),
        second,
        ..golden.clone()
    };
    let witness = dice
        .one_in(4)
        .then(|| dice.pick(cosigners).vkey.to_string());
    Question {
        log: log.vkey(),
        policy: Some(policy(dice, cosigners)),
        witnesses: witness.into_iter().collect(),
        ..plain(receipt.to_text().unwrap())
    }
}

#[test]
fn policies_by_chance_get_one_verdict() {
    let mut verifiers = Verifiers::start();
    let golden: Receipt = GENESIS.parse().unwrap();
    let (log, cosigners) = (Log::new(&golden.entry), cosigners());
    let mut dice = Dice::new(seed());
    let mut seen = std::collections::BTreeMap::<String, u64>::new();
    for _ in 0..crate::cases(600) {
        let asked = question(&mut dice, &log, &golden, &cosigners);
        let kind = match verifiers.ask("a policy by chance", &asked) {
            Verdict::Holds(meaning) => {
                let levels = meaning.split(' ').nth(6).unwrap();
                format!("holds {levels}")
            }
            Verdict::Neither(outcome, code) => {
                format!("{outcome} {}", code.split(' ').next().unwrap())
            }
            other => format!("{other:?}"),
        };
        *seen.entry(kind).or_default() += 1;
    }
    eprintln!("{seen:#?}");
    for kind in [
        "holds cosigned,witnessed,audited",
        "False",
        "unchecked quorum_missing",
        "unchecked witness_missing",
        "unchecked proof_incomplete",
        "unchecked receipt_malformed",
    ] {
        assert!(seen.contains_key(kind), "{kind}");
    }
}

/// A file about the state may have a second checkpoint too: behind items, entries and hashes.
#[test]
fn a_file_about_the_state_may_have_two_checkpoints() {
    let mut verifiers = Verifiers::start();
    let golden: Receipt = SEALED.parse().unwrap();
    let own = UnverifiedCheckpoint::parse(golden.checkpoint.as_bytes()).unwrap();
    let head = own.head();
    // The golden tree, and another leaf behind it.
    let (newer, log) = (leaf_hash(b"newer"), SigningKey::from_seed(&[6; 32]));
    let needed = consistency_ranges(head.size, head.size + 1).unwrap();
    assert!(head.size.is_power_of_two() || needed.len() > 1);
    let file = |consistency: Vec<Hash>, root: Hash| {
        let name = ORIGIN.parse().unwrap();
        let size = head.size + 1;
        let second = Checkpoint::sign(&name, TreeHead { size, root }, &log);
        let receipt = Receipt {
            second: Some(SecondCheckpoint {
                checkpoint: second.to_string().into_bytes(),
                consistency: bytes(consistency),
            }),
            ..golden.clone()
        };
        let next = crate::NEXT_LOG.to_owned();
        Question {
            log: next,
            ..plain(receipt.to_text().unwrap())
        }
    };
    let one_short = vec![newer; needed.len() - 1];
    let verdict = verifiers.ask("one hash short", &file(one_short, newer));
    assert_eq!(verdict, crate::unchecked("proof_incomplete"));
    let wrong = vec![newer; needed.len()];
    let verdict = verifiers.ask("other hashes", &file(wrong, newer));
    assert_eq!(verdict, Verdict::False);
}
