//! State entries that say what is not so, and files about the state that show what is not there.

use arborlog::ledger::domains;
use arborlog::merkle::joint_ranges;
use arborlog::receipt::{Receipt, ShownEntry, StateItem, StateProver};
use arborlog::record::*;

use crate::attack::{Attack, LOG, No, OPERATOR, Yes};
use crate::detectors::Shown;
use crate::forge::Forge;
use crate::statements::*;

pub fn attacks() -> Vec<Attack> {
    [entries(), files()].into_iter().flatten().collect()
}

/// A state entry as the log writes it behind one that is right, with a lie in it.
fn entry(name: &'static str, words: &'static str, lie: fn(&mut Forge, &mut StateEntry)) -> Attack {
    Attack::next(name, LOG, move |it| {
        it.cover();
        it.admit_sealed("platform", &[award(ANN, 7).says(), award(BEN, 5).says()]);
        let mut entry = it.state_entry();
        lie(it, &mut entry);
        it.take_state_entry(&entry)
    })
    .audits(words)
    .second(Yes("state_wrong"))
}

fn entries() -> Vec<Attack> {
    vec![
        entry(
            "A state entry with another root",
            "its state root is not",
            |_, said| {
                said.root[31] ^= 1;
            },
        ),
        entry(
            "A state entry with other totals",
            "its totals are not",
            |_, said| {
                said.totals.awarded += 1;
            },
        ),
        entry(
            "A state entry that names none before it",
            "the state entry before it is",
            |_, said| {
                said.before = None;
            },
        ),
        entry(
            "A state entry of a size within a sealed batch",
            "within a sealed batch",
            |_, said| {
                said.size -= 1;
            },
        ),
        entry(
            "A state entry that speaks of itself",
            "it speaks of the first",
            |_, said| {
                said.size += 1;
            },
        )
        .receipt(Yes("it speaks of the first")),
        Attack::next(
            "A state entry of a size that the one before it did not leave behind",
            LOG,
            |it| {
                let first = it.state_entry();
                it.admit("platform", award(ANN, 7));
                // The state before that state entry, which speaks of an entry less.
                let amid = it.state_entry();
                it.take_state_entry(&StateEntry {
                    admitted_at: it.now,
                    ..first
                });
                let now = it.state_entry();
                it.take_state_entry(&StateEntry {
                    admitted_at: now.admitted_at,
                    before: now.before,
                    ..amid
                })
            },
        )
        .audits("it speaks of the first")
        .receipt(Yes("it speaks of the first"))
        .second(Yes("state_wrong")),
        entry(
            "A state entry that speaks of no more than the one before",
            "it speaks of the first",
            |it, said| {
                let before = it.entries[said.before.unwrap().0 as usize].clone();
                let Ok(Entry::State(before)) = Entry::decode(&before) else {
                    panic!("it is no state entry");
                };
                *said = StateEntry {
                    before: said.before,
                    admitted_at: said.admitted_at,
                    ..before
                };
            },
        )
        .receipt(Yes("it speaks of the first")),
    ]
}

/// An item of the state as it is now.
fn items(forge: &Forge, add: impl FnOnce(&mut StateProver<'_>)) -> Vec<StateItem> {
    let mut state = forge.state.clone();
    let image = state.image();
    let roots = image.roots().unwrap();
    let mut prover = StateProver::new(&image, &roots, Vec::new());
    add(&mut prover);
    prover.into_items()
}

fn account(forge: &Forge, who: u8) -> Vec<u8> {
    let Statement::Award(award) = award(who, 1).says() else {
        panic!("it is an award");
    };
    let genesis = forge.genesis_id();
    [genesis.as_bytes().as_slice(), award.account.as_bytes()].concat()
}

fn balance(forge: &Forge, who: u8) -> Vec<StateItem> {
    items(forge, |prover| {
        prover.add(domains::ACCOUNTS, account(forge, who)).unwrap();
    })
}

/// A file about what a state entry says, with these items and entries.
fn file(forge: &Forge, state: Index, items: Vec<StateItem>, shown: &[Index]) -> Receipt {
    let mut made = forge.receipt(state);
    made.items = items;
    made.entries = shown
        .iter()
        .map(|index| ShownEntry {
            index: *index,
            entry: forge.entries[index.0 as usize].clone(),
            siblings: Vec::new(),
        })
        .collect();
    if !shown.is_empty() {
        let indexes: Vec<u64> = shown.iter().map(|index| index.0).collect();
        let ranges = joint_ranges(&indexes, forge.size()).unwrap();
        let hashes = ranges
            .into_iter()
            .map(|range| *forge.root(range).as_bytes());
        made.hashes = hashes.collect();
    }
    made
}

/// A file about the state that lies.
fn lie(name: &'static str, words: &'static str, build: fn(&mut Forge) -> Receipt) -> Attack {
    Attack::receipt_only(name, OPERATOR, move || {
        let mut forge = Forge::honest();
        let receipt = build(&mut forge);
        Shown::receipt(&forge, &receipt)
    })
    .receipt(Yes(words))
}

/// The history of Ann's account, newest state entry and all.
fn history(forge: &mut Forge, without: &str) -> Receipt {
    let names = ["award", "tied", "waiting", "waiting elm", "gift", "void"];
    let kept = names.iter().filter(|name| **name != without);
    let mut shown: Vec<Index> = kept.map(|name| forge.at(name)).collect();
    // What was taken back of the award is the last entry about her.
    shown.push(Index(forge.at("void").0 + 1));
    let items = items(forge, |prover| {
        prover.add(domains::ACCOUNTS, account(forge, ANN)).unwrap();
        prover.add_programme().unwrap();
        let key = public("platform").as_bytes().to_vec();
        prover.add(domains::KEYS, key).unwrap();
    });
    let state = forge.cover();
    file(forge, state, items, &shown)
}

fn files() -> Vec<Attack> {
    vec![
        Attack::receipt_only(
            "An older state entry's proof of a balance shown as today's",
            OPERATOR,
            || {
                let mut forge = Forge::honest();
                let old = balance(&forge, ANN);
                let state = forge.cover();
                forge.admit("platform", gift(ANN, BEN, 100));
                forge.cover();
                Shown::receipt(&forge, &file(&forge, state, old, &[]))
            },
        )
        .second(No)
        .would("its reader, who sees of how many entries and of which day it speaks, and asks for the newest"),
        lie(
            "A balance of an older state under the newest state entry",
            "leads to another root",
            |it| {
                let old = balance(it, ANN);
                it.cover();
                it.admit("platform", gift(ANN, BEN, 100));
                let state = it.cover();
                file(it, state, old, &[])
            },
        ),
        lie("An item of the state under the key of another", "leads to another root", |it| {
            let mut items = balance(it, BEN);
            items[0].key = account(it, ANN);
            let state = it.cover();
            file(it, state, items, &[])
        }),
        lie("An item of the state said to be of another domain", "leads to another root", |it| {
            let waiting = it.at("waiting").0.to_be_bytes().to_vec();
            let mut items = items(it, |prover| {
                prover.add(domains::VOIDED, waiting.clone()).unwrap();
                prover.add(domains::CLAIMS, waiting).unwrap();
            });
            // No void of the claim is there. Told of the claim itself, there would be no claim.
            let claims = items.pop().unwrap().proof[0];
            items[0].proof[0] = claims;
            let state = it.cover();
            file(it, state, items, &[])
        }),
        lie("An account's history with a hole", "nothing in it names", |it| {
            let whole = history(&mut it.clone(), "");
            whole.verify(&crate::forge::vkey("log"), Some(&it.genesis_id()), &[]).unwrap();
            history(it, "waiting")
        })
        .unproven(),
    ]
}
