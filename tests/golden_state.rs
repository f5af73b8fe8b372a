//! Golden files about the state: of a log that begins with the story of the golden ledger (`tests/golden.rs`), has
//! two sealed batches behind it, and ends in a state entry. Each file is what the code makes and holds; each in
//! `state_rejected/` does not, with the outcome and the code that it names.
//!
//! `ARBORLOG_BLESS=1` writes them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arborlog::crypto::SigningKey;
use arborlog::ledger::history::{account_step, plot_before};
use arborlog::ledger::trie::Domain;
use arborlog::ledger::{
    BatchCandidate, Candidate, ClaimTree, DomainRoots, State, StateImage, domains,
};
use arborlog::merkle::{Bundle, Hash, inclusion_ranges, joint_ranges, leaf_hash, root_of};
use arborlog::note::{Checkpoint, SignatureType, TreeHead, VerifierKey};
use arborlog::outcome::Outcome;
use arborlog::receipt::{
    AuthorityLink, Receipt, ShownEntry, StateItem, StateProver, corrected_domain,
};
use arborlog::record::*;
use arborlog::replay::{Replay, Signatures};
use serde_json::json;

const ORIGIN: &str = "example.org/ledger";
const STORY: usize = 55;
// Keys, as in tests/golden.rs: the seed of key n is 32 bytes of n.
const LOG_NEXT: u8 = 6;
const PLATFORM_NEXT: u8 = 8;
const SURVEYOR: u8 = 11;

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32])
}

fn golden_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden(name: &str, expected: &str) {
    let path = golden_dir().join(name);
    if std::env::var_os("ARBORLOG_BLESS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, expected).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(
        found == expected,
        "{} is not what the code makes",
        path.display()
    );
}

/// The log with what its files are made from.
struct Log {
    entries: Vec<Vec<u8>>,
    full: Vec<FullEntry>,
    image: StateImage,
    roots: DomainRoots,
    checkpoint: String,
}

fn seal(
    state: &mut State,
    entries: &mut Vec<Vec<u8>>,
    issuer: u8,
    day: &str,
    said: Vec<serde_json::Value>,
) {
    let (seq, prev) = state.key(&key(issuer).public()).unwrap().next();
    let issued_on: Day = day.parse().unwrap();
    let place = SealPlace {
        seq,
        prev,
        issued_on,
    };
    let statements = said
        .into_iter()
        .map(|said| SealedStatement::new(serde_json::from_value(said).unwrap()).unwrap());
    let context = SigningContext::new(&ORIGIN.parse().unwrap());
    let (batch, id) =
        SealedBatch::seal(statements.collect(), place, &context, &key(issuer)).unwrap();
    let admitted_at =
        TimeMs((u64::from(issued_on.0) * 86_400 + 10 * 3600 + entries.len() as u64) * 1000);
    let signed = batch.seal_record();
    let candidate = Candidate::signed(signed, id, admitted_at, None);
    let candidates: Vec<_> = batch
        .statements()
        .iter()
        .map(|statement| candidate.under_seal(statement.statement(), None))
        .collect();
    let whole = BatchCandidate {
        statements: &candidates,
        seal: candidate,
    };
    let (_, lineage) = state.admit_batch(&whole).unwrap().unwrap();
    let count = batch.statements().len();
    for (place, (statement, places)) in batch.statements().iter().zip(&lineage.places).enumerate() {
        let mut bytes = Vec::new();
        let ahead = u16::try_from(count - place).unwrap();
        SealedEntry::encode_parts(ahead, statement, places.indexes(), &mut bytes).unwrap();
        entries.push(bytes);
    }
    entries.push(SignedEntry::encode_parts(admitted_at, &lineage.seal, signed).unwrap());
}

fn survey(day: &str, alive: u32) -> serde_json::Value {
    json!({
        "kind": "survey", "plot": 1, "planting": null, "surveyed_on": day, "as_of": 49,
        "basis": "census", "protocol": "Every tree by its tag.", "plan": null, "alive": alive,
        "dead": 0, "not_found": 1, "dead_known": 0, "revived": 0,
        "evidence": hex::encode(leaf_hash(day.as_bytes()).as_bytes()), "evidence_at": "",
        "paid_by": "City of Example", "next_due": null,
    })
}

fn log() -> Log {
    let bundle = golden_dir().join(format!("log/{STORY}/tile/entries/000.p/{STORY}"));
    let bundle = std::fs::read(bundle).unwrap();
    let bundle = Bundle::parse(&bundle, u16::try_from(STORY).unwrap()).unwrap();
    let mut entries: Vec<Vec<u8>> = bundle
        .entries()
        .iter()
        .map(|entry| entry.to_vec())
        .collect();
    let mut replay = Replay::new(&ORIGIN.parse().unwrap(), Signatures::Verify);
    for bytes in &entries {
        let earlier = |index: Index| entries.get(index.0 as usize).cloned();
        replay.take(bytes, earlier).unwrap();
    }
    let (mut state, ..) = replay.into_parts();
    let Statement::Award(ann) = Entry::decode(&entries[52])
        .unwrap()
        .statement()
        .unwrap()
        .clone()
    else {
        panic!("entry 52 is an award");
    };
    let gift = json!({
        "kind": "transfer", "from": ann.account, "to": "07".repeat(32), "points": 10, "reason": "gift",
    });
    let day = "2026-11-11";
    seal(
        &mut state,
        &mut entries,
        SURVEYOR,
        day,
        vec![survey("2026-11-11", 17), survey("2026-11-10", 18)],
    );
    seal(
        &mut state,
        &mut entries,
        PLATFORM_NEXT,
        day,
        vec![gift.clone(), gift.clone(), gift],
    );
    let image = state.image();
    let roots = image.roots().unwrap();
    let last = state.globals().last_admitted_at;
    let said = state.next_state_entry(last, entries.len() as u64, &roots, state.totals());
    entries.push(said.unwrap().encode().unwrap());
    let root = root_of(entries.iter().map(|entry| leaf_hash(entry)));
    let size = entries.len() as u64;
    let read = |at: Index| Entry::decode(&entries[at.0 as usize]);
    let full = (0..size)
        .map(|index| FullEntry::join(Index(index), read(Index(index)).unwrap(), read).unwrap());
    Log {
        full: full.collect(),
        entries,
        image,
        roots,
        checkpoint: signed_checkpoint(size, root),
    }
}

fn signed_checkpoint(size: u64, root: Hash) -> String {
    let head = TreeHead { size, root };
    Checkpoint::sign(&ORIGIN.parse().unwrap(), head, &key(LOG_NEXT)).to_string()
}

/// An award's entry with a point more, signed by the same key.
fn raised(entry: &[u8]) -> Vec<u8> {
    let entry = SignedEntry::decode(entry).unwrap();
    let mut record = entry.signed.record().clone();
    let Statement::Award(award) = &mut record.statement else {
        panic!("it is no award");
    };
    award.points.0 += 1;
    let context = SigningContext::new(&ORIGIN.parse().unwrap());
    let (signed, _) = draft(&record, &context, &key(PLATFORM_NEXT)).unwrap();
    SignedEntry { signed, ..entry }.encode().unwrap()
}

impl Log {
    fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    fn hashes(&self, ranges: &[(u64, u64)]) -> Vec<Hash> {
        let of = |(from, to): &(u64, u64)| {
            let part = &self.entries[*from as usize..*to as usize];
            root_of(part.iter().map(|entry| leaf_hash(entry)))
        };
        ranges.iter().map(of).collect()
    }

    fn stated(&self, index: Index) -> Stated<'_> {
        self.full[index.0 as usize].stated().unwrap()
    }

    /// An entry as it is shown, and its seal.
    fn show(&self, index: Index, shown: &mut BTreeMap<Index, ShownEntry>) {
        let entry = self.entries[index.0 as usize].clone();
        let mut siblings = Vec::new();
        if let Some(at) = self.stated(index).seal {
            let Statement::Seal(seal) = self.stated(at).statement else {
                panic!("entry {at} is no seal");
            };
            let first = at.0 - u64::from(seal.count);
            let leaves: Vec<Hash> = (first..at.0)
                .map(|index| {
                    let sealed = SealedEntry::decode(&self.entries[index as usize]).unwrap();
                    leaf_hash(sealed.statement().bytes())
                })
                .collect();
            let ranges = inclusion_ranges(index.0 - first, seal.count.into()).unwrap();
            let of = |(from, to): (u64, u64)| {
                *root_of(leaves[from as usize..to as usize].iter().copied()).as_bytes()
            };
            siblings = ranges.into_iter().map(of).collect();
            self.show(at, shown);
        }
        shown.insert(
            index,
            ShownEntry {
                index,
                entry,
                siblings,
            },
        );
    }

    /// A file with these items and entries; the keys' items are put behind.
    fn file<T>(
        &self,
        indexes: impl IntoIterator<Item = Index>,
        add: impl FnOnce(&mut StateProver<'_>) -> T,
    ) -> Receipt {
        let mut shown = BTreeMap::new();
        indexes
            .into_iter()
            .for_each(|index| self.show(index, &mut shown));
        let issuers: BTreeSet<_> = shown
            .keys()
            .map(|index| *self.stated(*index).issuer())
            .collect();
        let mut prover = StateProver::new(&self.image, &self.roots, Vec::new());
        add(&mut prover);
        for key in issuers {
            prover.add(domains::KEYS, key.as_bytes().to_vec()).unwrap();
        }
        let last = self.size() - 1;
        let mut made = Receipt {
            index: Index(last),
            entry: self.entries[last as usize].clone(),
            seal: None,
            authority: Vec::new(),
            items: prover.into_items(),
            entries: shown.into_values().collect(),
            hashes: Vec::new(),
            path: self.hashes(&inclusion_ranges(last, self.size()).unwrap()),
            checkpoint: self.checkpoint.clone(),
            second: None,
        };
        self.join(&mut made);
        made
    }

    /// Puts in the hashes that the shown entries need.
    fn join(&self, receipt: &mut Receipt) {
        let indexes: Vec<u64> = receipt.entries.iter().map(|entry| entry.index.0).collect();
        let ranges = joint_ranges(&indexes, self.size()).unwrap();
        let ranges = if indexes.is_empty() {
            Vec::new()
        } else {
            ranges
        };
        receipt.hashes = self
            .hashes(&ranges)
            .iter()
            .map(|hash| *hash.as_bytes())
            .collect();
    }

    /// The same file of a log that has other bytes at one index, and the same state.
    fn lying(&self, honest: &Receipt, index: Index, bytes: &[u8]) -> Receipt {
        let mut entries = self.entries.clone();
        entries[index.0 as usize] = bytes.to_vec();
        let size = self.size();
        let of = |(from, to): (u64, u64)| {
            let part = &entries[from as usize..to as usize];
            root_of(part.iter().map(|entry| leaf_hash(entry)))
        };
        let mut made = honest.clone();
        for shown in &mut made.entries {
            if shown.index == index {
                shown.entry = bytes.to_vec();
                shown.siblings.clear();
            }
        }
        let indexes: Vec<u64> = made.entries.iter().map(|entry| entry.index.0).collect();
        let ranges = joint_ranges(&indexes, size).unwrap().into_iter();
        made.hashes = ranges.map(|range| *of(range).as_bytes()).collect();
        let ranges = inclusion_ranges(size - 1, size).unwrap().into_iter();
        made.path = ranges.map(of).collect();
        made.checkpoint = signed_checkpoint(size, of((0, size)));
        made
    }

    fn item(&self, domain: Domain, key: Vec<u8>) -> Receipt {
        self.file([], |prover| prover.add(domain, key).unwrap())
    }

    fn certificate(&self, index: Index) -> Receipt {
        let mut prover = StateProver::new(&self.image, &self.roots, Vec::new());
        let shown = prover.add_certificate(index).unwrap().unwrap();
        self.file(shown, |prover| prover.add_certificate(index).unwrap())
    }

    /// The entries of a history from one on, at most so many, and those that corrections name.
    fn history(
        &self,
        from: Index,
        most: usize,
        before: impl Fn(&Stated<'_>, [Option<&Statement>; 2]) -> Option<Index>,
    ) -> Vec<Index> {
        let target = |index: Index| match self.stated(index).statement {
            Statement::Correction(correction) => Some(correction.target),
            _ => None,
        };
        let (mut found, mut next) = (Vec::new(), Some(from));
        let mut count = 0;
        while let Some(index) = next
            && (count < most || found.contains(&index))
        {
            count += 1;
            let targets = [target(index), target(index).and_then(target)];
            found.push(index);
            found.extend(targets.iter().flatten());
            let said = targets.map(|target| target.map(|target| self.stated(target).statement));
            next = before(&self.stated(index), said);
        }
        found
    }

    fn account(&self, id: &AccountId, from: Index, most: usize) -> Receipt {
        let found = self.history(from, most, |entry, [target, _]| {
            account_step(id, entry, target).unwrap().before
        });
        let genesis = self.image.globals.genesis.as_ref().unwrap().0;
        let key = [genesis.as_bytes().as_slice(), id.as_bytes()].concat();
        self.file(found, |prover| {
            prover.add(domains::ACCOUNTS, key).unwrap();
            prover.add_programme().unwrap();
        })
    }

    fn corrected(&self, index: Index) -> Receipt {
        let statement = self.stated(index).statement;
        let first = corrected_domain(statement).unwrap();
        let key = index.0.to_be_bytes().to_vec();
        self.file([index], |prover| {
            prover.add(first, key.clone()).unwrap();
            prover.add_programme().unwrap();
            if let Statement::Planting(stated) = statement {
                let place = [
                    stated.plot.0.to_be_bytes(),
                    stated.first_serial.0.to_be_bytes(),
                ];
                prover.add(domains::PLANTINGS, place.concat()).unwrap();
            }
            if first == domains::LOSSES {
                prover.add(domains::VOIDED, key).unwrap();
            }
        })
    }
}

fn vkey() -> VerifierKey {
    VerifierKey::new(
        ORIGIN.parse().unwrap(),
        SignatureType::Ed25519,
        key(LOG_NEXT).public(),
    )
}

/// Where each certificate of the story stands.
const TREE: Index = Index(53);
const WAITING: Index = Index(22);
const VOIDED: Index = Index(19);

#[test]
fn files_about_the_state_are_as_frozen_and_hold() {
    let log = log();
    let (ann, ben) = accounts(&log);
    let newest = |id: &AccountId| {
        let made = log.account(id, Index(0), 0);
        let item = made.items[0].verify(Index(0), state_entry(&log)).unwrap();
        match item.found {
            Some((_, arborlog::ledger::items::Item::Account(account))) => account.last_entry,
            _ => panic!("no account"),
        }
    };
    let plot_last = Index(log.size() - 7);
    let plot = |from, most| {
        let found = log.history(from, most, |entry, targets| {
            plot_before(PlotNumber(1), entry, targets).unwrap()
        });
        log.file(found, |prover| {
            prover.add(domains::PLOTS, vec![0, 0, 0, 1]).unwrap();
            prover.add_programme().unwrap();
        })
    };
    let cases = [
        ("totals", log.file([], |_| ()), ""),
        (
            "tree_without_claim",
            log.item(domains::TREES, [[0, 0, 0, 1], [0, 0, 0, 9]].concat()),
            "",
        ),
        (
            "latest_survey",
            log.file([], |prover| {
                prover.add_latest_survey(PlotNumber(1)).unwrap()
            }),
            "",
        ),
        (
            "no_survey",
            log.file([], |prover| {
                prover.add_latest_survey(PlotNumber(2)).unwrap()
            }),
            "",
        ),
        ("certificate", log.certificate(TREE), "its tree is 1/16"),
        (
            "certificate_waiting",
            log.certificate(WAITING),
            "waits for its tree",
        ),
        (
            "certificate_voided",
            log.certificate(VOIDED),
            "was voided by entry 38",
        ),
        (
            "account_history",
            log.account(&ann, newest(&ann), 64),
            "its entries add up to that balance",
        ),
        (
            "account_history_part",
            log.account(&ann, Index(38), 2),
            "newer entries, up to",
        ),
        (
            "account_history_other",
            log.account(&ben, newest(&ben), 64),
            "complete history",
        ),
        ("plot_history", plot(plot_last, 64), "complete history"),
        (
            "plot_history_part",
            plot(plot_last, 3),
            "it is complete back to entry",
        ),
        (
            "corrected_award",
            log.corrected(Index(12)),
            "64 points of the award of entry 12",
        ),
        (
            "corrected_transfer",
            log.corrected(Index(14)),
            "was voided by entry 32",
        ),
        (
            "corrected_planting",
            log.corrected(Index(10)),
            "was voided by entry 40",
        ),
        (
            "corrected_loss",
            log.corrected(Index(30)),
            "was voided by entry 41",
        ),
        (
            "uncorrected_sealed",
            log.corrected(Index(log.size() - 3)),
            "nothing voided the transfer",
        ),
    ];
    for (name, made, says) in cases {
        let text = made.to_text().unwrap();
        golden(&format!("receipts/state_{name}.tlog-proof"), &text);
        let read = Receipt::read(text.as_bytes()).unwrap();
        assert_eq!(read, made, "{name}");
        let held = read.verify(&vkey(), None, &[]);
        let held = held.unwrap_or_else(|error| panic!("{name}: {error}"));
        let said = held.file.map(|file| file.sentences().join("\n"));
        assert!(said.unwrap_or_default().contains(says), "{name}: {says}");
        println!("{name}: {} bytes", text.len());
    }
}

/// The accounts of the award at entry 52, and of the one that a gift of 2026-11-11 went to.
fn accounts(log: &Log) -> (AccountId, AccountId) {
    let Statement::Award(award) = log.stated(Index(52)).statement else {
        panic!("entry 52 is an award");
    };
    (award.account, AccountId::from_bytes([7; 32]))
}

fn state_entry(log: &Log) -> &StateEntry {
    match log.full.last() {
        Some(FullEntry::State(state)) => state,
        _ => panic!("the last entry is a state entry"),
    }
}

/// A lie: its name, what it does to an honest file, and what it comes to.
type Lie = (&'static str, Receipt, Outcome, &'static str);

#[test]
fn files_about_the_state_that_do_not_hold() {
    let log = log();
    let honest = log.certificate(TREE);
    let changed = |change: &dyn Fn(&mut Receipt)| {
        let mut made = honest.clone();
        change(&mut made);
        made
    };
    let unfit = (Outcome::Unchecked, "state_file_unfit");
    let wrong = (Outcome::False, "state_file_wrong");
    let item_wrong = (Outcome::False, "state_item_wrong");
    let lie = |name, made, (outcome, code): (Outcome, &'static str)| -> Lie {
        (name, made, outcome, code)
    };
    let without = |index: Index| {
        changed(&|made| {
            made.entries.retain(|entry| entry.index != index);
            log.join(made);
        })
    };
    let survey_place = honest
        .items
        .iter()
        .position(|item| item.proof[0] == 16)
        .unwrap();
    let one_survey = |entry: u64, day: &str| {
        let day: Day = day.parse().unwrap();
        let key = [
            [0, 0, 0, 1].as_slice(),
            &day.0.to_be_bytes(),
            &entry.to_be_bytes(),
        ]
        .concat();
        log.item(domains::SURVEYS, key).items.remove(0)
    };
    let neighbours_of = |low: &StateItem| {
        let real = &honest.items[survey_place];
        let low_bytes = 1 + 24 + 128;
        let latest = one_survey(STORY as u64, "2026-11-11");
        let high = &real.proof[1 + latest.proof.len()..];
        assert_eq!(latest.proof[..low_bytes], real.proof[1..=low_bytes]);
        StateItem {
            key: [&low.key, &real.key[16..]].concat(),
            fields: low.fields.clone(),
            proof: [&[16], low.proof.as_slice(), high].concat(),
        }
    };
    let older = one_survey(STORY as u64 + 1, "2026-11-10");
    let (ann, _) = accounts(&log);
    let whole = log.account(&ann, Index(log.size() - 3), 64);
    let hole = {
        let mut made = whole.clone();
        made.entries.retain(|entry| entry.index != TREE);
        log.join(&mut made);
        made
    };
    let waiting = log.certificate(WAITING);
    let lies = [
        lie("without_claim", without(TREE), unfit),
        lie("without_assignment", without(Index(54)), unfit),
        lie("without_planting", without(Index(49)), unfit),
        lie("without_plot", without(Index(48)), unfit),
        lie("without_survey", without(Index(STORY as u64)), unfit),
        lie("without_seal", without(Index(STORY as u64 + 2)), unfit),
        lie(
            "entry_too_many",
            changed(&|made| {
                let mut shown: BTreeMap<_, _> = made
                    .entries
                    .iter()
                    .map(|entry| (entry.index, entry.clone()))
                    .collect();
                log.show(Index(52), &mut shown);
                made.entries = shown.into_values().collect();
                log.join(made);
            }),
            unfit,
        ),
        lie(
            "item_too_many",
            changed(&|made| made.items.push(made.items[0].clone())),
            unfit,
        ),
        lie(
            "without_key",
            changed(&|made| {
                made.items.pop();
            }),
            unfit,
        ),
        lie(
            "items_exchanged",
            changed(&|made| made.items.swap(3, 4)),
            unfit,
        ),
        lie(
            "older_survey_alone",
            changed(&|made| made.items[survey_place] = older.clone()),
            unfit,
        ),
        lie(
            "older_survey_as_latest",
            changed(&|made| made.items[survey_place] = neighbours_of(&older)),
            item_wrong,
        ),
        lie(
            "other_plot's_survey",
            changed(&|made| {
                let other = log.file([], |prover| {
                    prover.add_latest_survey(PlotNumber(2)).unwrap()
                });
                made.items[survey_place] = other.items[0].clone();
            }),
            unfit,
        ),
        lie(
            "other_claim",
            changed(&|made| made.items[0] = waiting.items[0].clone()),
            unfit,
        ),
        lie(
            "other_fields",
            changed(&|made| {
                made.items[survey_place].fields.as_mut().unwrap()[90] ^= 1;
            }),
            item_wrong,
        ),
        lie(
            "no_fields",
            changed(&|made| made.items[survey_place].fields = None),
            item_wrong,
        ),
        lie(
            "neighbours_cut",
            changed(&|made| {
                made.items[survey_place].proof.pop();
            }),
            (Outcome::Unchecked, "state_item_malformed"),
        ),
        lie(
            "neighbours_key_cut",
            changed(&|made| {
                made.items[survey_place].key.pop();
            }),
            (Outcome::Unchecked, "state_item_malformed"),
        ),
        lie(
            "entry_changed",
            changed(&|made| made.entries[0].entry[20] ^= 1),
            (Outcome::False, "not_included"),
        ),
        lie(
            "hash_missing",
            changed(&|made| {
                made.hashes.pop();
            }),
            (Outcome::Unchecked, "proof_incomplete"),
        ),
        lie(
            "sibling_changed",
            changed(&|made| {
                let sealed = made
                    .entries
                    .iter_mut()
                    .find(|entry| !entry.siblings.is_empty());
                sealed.unwrap().siblings[0][0] ^= 1;
            }),
            (Outcome::False, "seal_mismatch"),
        ),
        lie(
            "sibling_missing",
            changed(&|made| {
                let sealed = made
                    .entries
                    .iter_mut()
                    .find(|entry| !entry.siblings.is_empty());
                sealed.unwrap().siblings.clear();
            }),
            (Outcome::Unchecked, "proof_incomplete"),
        ),
        lie(
            "sibling_of_signed",
            changed(&|made| made.entries[0].siblings.push([0; 32])),
            (Outcome::Unchecked, "receipt_malformed"),
        ),
        lie(
            "entries_exchanged",
            changed(&|made| made.entries.swap(0, 1)),
            (Outcome::Unchecked, "receipt_malformed"),
        ),
        lie(
            "entry_twice",
            changed(&|made| made.entries.insert(0, made.entries[0].clone())),
            (Outcome::Unchecked, "receipt_malformed"),
        ),
        lie("history_with_a_hole", hole, unfit),
        lie(
            "history_of_another",
            {
                let mut made = whole.clone();
                let other = log.account(&AccountId::from_bytes([7; 32]), Index(0), 0);
                made.items[0] = other.items[0].clone();
                made
            },
            unfit,
        ),
        // A state entry has no links: one is refused for being there, whatever its form and its proof.
        lie(
            "link_of_wrong_length",
            changed(&|made| {
                made.authority.push(AuthorityLink {
                    index: Index(0),
                    entry: log.entries[0].clone(),
                    path: vec![[7; 32]],
                });
            }),
            (Outcome::False, "authority_broken"),
        ),
        lie(
            "link_of_another_format",
            {
                let genesis = of_another_format(&log.entries[0]);
                let path = log.hashes(&inclusion_ranges(0, log.size()).unwrap());
                let mut made = honest.clone();
                made.authority.push(AuthorityLink {
                    index: Index(0),
                    entry: genesis.clone(),
                    path: path.iter().map(|hash| *hash.as_bytes()).collect(),
                });
                log.lying(&made, Index(0), &genesis)
            },
            (Outcome::False, "authority_broken"),
        ),
        // A correction of a correction that is no loss is about no plot, and what its target names is not asked for.
        lie(
            "plot_history_with_a_void_of_a_void",
            {
                let mut shown = BTreeMap::new();
                for index in [VOID_OF_TRANSFER, PLOT_LAST] {
                    log.show(index, &mut shown);
                }
                let mut made = log.file(shown.keys().copied().collect::<Vec<_>>(), |prover| {
                    prover.add(domains::PLOTS, vec![0, 0, 0, 1]).unwrap();
                    prover.add_programme().unwrap();
                });
                let at = PLOT_LAST;
                made.entries
                    .retain(|entry| [VOID_OF_TRANSFER, at].contains(&entry.index));
                log.lying(&made, at, &void_of(&log, VOID_OF_TRANSFER))
            },
            wrong,
        ),
        // Logs whose entries are not those that the state was made from.
        lie(
            "claim_is_none",
            log.lying(&honest, TREE, &log.entries[52]),
            wrong,
        ),
        lie(
            "assignment_is_none",
            log.lying(&honest, Index(54), &log.entries[52]),
            wrong,
        ),
        lie(
            "assignment_of_others",
            log.lying(&honest, Index(54), &log.entries[23]),
            wrong,
        ),
        lie(
            "planting_is_another",
            log.lying(&honest, Index(49), &log.entries[8]),
            wrong,
        ),
        lie(
            "plot_says_otherwise",
            log.lying(&honest, Index(48), &log.entries[7]),
            wrong,
        ),
        lie(
            "survey_says_otherwise",
            log.lying(&honest, Index(STORY as u64), &log.entries[25]),
            wrong,
        ),
        lie(
            "void_of_another",
            log.lying(&log.certificate(VOIDED), Index(38), &log.entries[37]),
            wrong,
        ),
        lie(
            "history_of_others",
            log.lying(&whole, Index(52), &log.entries[13]),
            wrong,
        ),
        lie(
            "history_that_does_not_add_up",
            log.lying(&whole, Index(52), &raised(&log.entries[52])),
            wrong,
        ),
    ];
    for (name, made, outcome, code) in lies {
        let text = made.to_text().unwrap();
        let held = Receipt::read(text.as_bytes()).and_then(|made| made.verify(&vkey(), None, &[]));
        let error = held.err().unwrap_or_else(|| panic!("{name}: it holds"));
        assert_eq!(
            (error.outcome(), error.code()),
            (outcome, code),
            "{name}: {error}"
        );
        let case = json!({"outcome": outcome, "code": code, "text": text});
        let name = name.replace('\'', "");
        let case = serde_json::to_string_pretty(&case).unwrap() + "\n";
        golden(&format!("state_rejected/{name}.json"), &case);
    }
}

/// The entry that voids the transfer of entry 14.
const VOID_OF_TRANSFER: Index = Index(32);
/// The last entry about plot 1: the second survey of the sealed batch behind the story.
const PLOT_LAST: Index = Index(STORY as u64 + 1);

/// A genesis that says that it is in another version of the format.
fn of_another_format(genesis: &[u8]) -> Vec<u8> {
    let changed = (0..genesis.len()).map(|at| {
        let mut changed = genesis.to_vec();
        changed[at] ^= 1;
        changed
    });
    let is_other = |bytes: &Vec<u8>| {
        let found = Entry::decode(bytes);
        matches!(found, Err(CodecError::OtherFormat { .. }))
    };
    changed.into_iter().find(is_other).unwrap()
}

/// A correction that voids an entry, as a record of the key that issued entry 52, in a signed entry.
fn void_of(log: &Log, target: Index) -> Vec<u8> {
    let entry = SignedEntry::decode(&log.entries[52]).unwrap();
    let mut record = entry.signed.record().clone();
    record.statement = serde_json::from_value(json!({
        "kind": "correction", "target": target, "reason": "It was so.", "remedy": "void", "set": null,
    }))
    .unwrap();
    let context = SigningContext::new(&ORIGIN.parse().unwrap());
    let (signed, _) = draft(&record, &context, &key(PLATFORM_NEXT)).unwrap();
    let before = entry.lineage.indexes().to_vec();
    let lineage = [&before[..2], &[Some(target), None]].concat();
    SignedEntry {
        signed,
        lineage: Lineage::new(lineage),
        ..entry
    }
    .encode()
    .unwrap()
}

/// The story has a certificate in each standing.
#[test]
fn certificates_stand_as_the_files_say() {
    let log = log();
    let standing = |index: Index| {
        let made = log.item(domains::CLAIMS, index.0.to_be_bytes().to_vec());
        match made.items[0]
            .verify(index, state_entry(&log))
            .unwrap()
            .found
        {
            Some((_, arborlog::ledger::items::Item::Claim(claim))) => claim.tree,
            _ => panic!("no claim"),
        }
    };
    assert!(matches!(standing(TREE), ClaimTree::Tied { .. }));
    assert_eq!(standing(WAITING), ClaimTree::Waiting);
    assert_eq!(standing(VOIDED), ClaimTree::Voided);
}
