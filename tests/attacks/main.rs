//! The attack table: a lying operator and lying issuers, governors and strangers. Each attack
//! makes a ledger with one lie, keeps all else right as the liar could, and says who notices.
//! `docs/threat-model.md` shows the table; `ARBORLOG_BLESS=1` writes it there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod attack;
mod batches;
mod bytes;
#[cfg(feature = "cli")]
mod cosigners;
mod detectors;
#[allow(dead_code)]
mod forge;
mod governors;
mod issuers;
mod keys;
mod operator;
mod statements;
mod states;
#[path = "../verdicts/verifiers.rs"]
mod verifiers;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use arborlog::receipt::Receipt;
use arborlog::record::*;
use attack::{Attack, Unproven, Yes};
use detectors::{Shown, Verdict, Verdicts, look};
use forge::Forge;
use statements::*;

fn attacks() -> Vec<Attack> {
    [
        operator::attacks(),
        issuers::attacks(),
        governors::attacks(),
        keys::attacks(),
        batches::attacks(),
        states::attacks(),
        bytes::attacks(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn the_honest_ledger_passes() {
    let (covered, seal) = sealed_and_covered();
    for (honest, sealed) in [
        (Forge::honest(), None),
        (Forge::long(), None),
        (edges(), None),
        (covered, Some(seal)),
    ] {
        let before = honest.files();
        let mut forge = honest;
        forge.goes_on();
        let receipt = match sealed {
            Some(seal) => forge.sealed_receipt(seal, 2, 3),
            None => forge.receipt(forge.at("assignment")),
        };
        let shown = Shown::log(&forge, Some(before), forge.files()).with(&receipt);
        let all = look(&shown);
        for verdict in [
            &all.receipt,
            &all.audit,
            &all.incremental,
            &all.mirror,
            &all.second_receipt,
            &all.second_audit,
        ] {
            assert_eq!(*verdict, Verdict::Unnoticed, "{all:#?}");
        }
    }
}

/// An honest ledger with a sealed batch of three, whose seal it gives, among state entries.
fn sealed_and_covered() -> (Forge, Index) {
    let mut it = Forge::honest();
    it.cover();
    let said = [award(ANN, 7), award(BEN, 5), award(ANN, 3)].map(Says::says);
    let seal = it.admit_sealed("platform", &said);
    it.cover();
    (it, seal)
}

/// An honest ledger that goes as far as the rules let it.
fn edges() -> Forge {
    let mut it = Forge::honest();
    it.now.0 -= 1000;
    it.admit("old", award(BEN, CAP));
    it.admit("g1+g2+late", grant("late", Role::Platform, "cityride"));
    for (days, who, account) in [(-30, "late", BEN), (1, "platform2", PAT)] {
        let mut record = it.record(who, award(account, 1));
        record.issued_on = Day(TODAY.0.checked_add_signed(days).unwrap());
        if let Statement::Award(award) = &mut record.statement {
            award.occurred_on = record.issued_on.min(TODAY);
        }
        let signed = it.sign(who, &record);
        let lineage = it.judge(&signed).unwrap();
        it.take(signed, lineage);
    }
    let method = Method {
        effective_from: TODAY,
        ..method(2)
    };
    it.admit("g1+g2+g4", method);
    let yesterday = Award {
        occurred_on: Day(TODAY.0 - 1),
        ..award(ANN, 80)
    };
    let award = it.admit("platform", yesterday);
    let oak = Claim {
        version: MethodVersion(2),
        ..claim(ANN)
    };
    let claims = [(); 8].map(|()| it.admit("platform", oak.clone()));
    it.admit("g2+g4", reverse(award, 80));
    let assignment = it.admit("platform", assign(2, &claims[..4]));
    let oaks = it.at("oaks");
    let fire = it.admit("surveyor", lost(oaks, 4, Some(1)));
    it.admit("platform", void(claims[1]));
    it.admit("surveyor", void(fire));
    it.admit("platform", void(assignment));
    it.admit("planter", planting(1, 36, 2, 71));
    it.admit("planter", planting(1, 38, 70, 72));
    let survey = it.admit("surveyor", survey(1, 73));
    it.admit("surveyor", void(survey));
    it.admit("g1+g2+g4+log2", log_key("log2"));
    it
}

#[test]
fn each_lie_is_noticed_by_whom_the_table_says() {
    let attacks = attacks();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                while let Some(attack) = attacks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let all = look(&(attack.build)());
                    for what in differences(attack, &all) {
                        let found = format!("{}: {what}\n{all:#?}", attack.name);
                        failed.lock().unwrap().push(found);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// The receipts of the table, for those who verify in other languages (`sdk/`): `ARBORLOG_BLESS=1` writes them.
#[test]
fn the_golden_attacks_are_the_receipts_of_the_table() {
    let mut lines = String::new();
    for attack in attacks() {
        let shown = (attack.build)();
        let Some(text) = &shown.receipt else {
            continue;
        };
        let log = shown.log.to_string();
        let verified = text
            .parse::<Receipt>()
            .and_then(|it| it.verify(&shown.log, Some(&shown.genesis), shown.witness.as_slice()));
        let (outcome, code) = match &verified {
            Ok(_) => ("holds", None),
            Err(error) => (error.outcome().name(), Some(error.code().to_string())),
        };
        let witnesses: Vec<_> = shown.witness.iter().map(ToString::to_string).collect();
        let line = serde_json::json!({
            "attack": attack.name, "receipt": text, "log": log, "genesis": shown.genesis.to_string(),
            "witnesses": witnesses, "outcome": outcome, "code": code,
        });
        lines += &format!("{line}\n");
    }
    if std::env::var_os("ARBORLOG_BLESS").is_some() {
        std::fs::write(GOLDEN, lines).unwrap();
    } else {
        let golden = std::fs::read_to_string(GOLDEN).unwrap();
        assert!(golden == lines, "{GOLDEN}: run with ARBORLOG_BLESS=1");
    }
}

/// Where the table is wrong about an attack.
fn differences(attack: &Attack, all: &Verdicts) -> Vec<String> {
    let mut wrong = Vec::new();
    for (who, seen, verdict) in [
        ("receipt", attack.receipt, &all.receipt),
        ("audit", attack.audit, &all.audit),
        ("incremental", attack.incremental, &all.incremental),
        ("mirror", attack.mirror, &all.mirror),
        ("second verifier", attack.second, all.second()),
    ] {
        if !seen.is(verdict) {
            wrong.push(format!("{who}: {seen:?} was expected, not {verdict:?}"));
        }
    }
    if !all.agree() {
        wrong.push("the two verifiers differ: one of them is wrong".to_owned());
    }
    let ours = [
        attack.receipt,
        attack.audit,
        attack.incremental,
        attack.mirror,
    ];
    let noticed = ours.iter().any(|seen| matches!(seen, Yes(_) | Unproven(_)));
    if noticed == attack.would.is_some() {
        wrong.push("it must say what would notice just when nothing does".to_owned());
    }
    wrong
}

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/attacks.ndjson");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/threat-model.md");
const BEGIN: &str = "<!-- attacks: begin -->\n";
const END: &str = "<!-- attacks: end -->";

#[test]
fn the_threat_model_shows_the_table() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    let table = table();
    if std::env::var_os("ARBORLOG_BLESS").is_some() {
        std::fs::write(PAGE, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(
            shown, table,
            "docs/threat-model.md: run with ARBORLOG_BLESS=1"
        );
    }
}

fn table() -> String {
    let mut table = String::from(
        "| attack | who lies, with which keys | receipt | audit | incremental | mirror | second verifier |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let mut names = std::collections::BTreeSet::new();
    for attack in attacks() {
        assert!(names.insert(attack.name), "{} stands twice", attack.name);
        let would = match attack.would {
            Some(what) => format!(". What would notice: {what}"),
            None => String::new(),
        };
        let cells = [
            attack.receipt,
            attack.audit,
            attack.incremental,
            attack.mirror,
            attack.second,
        ];
        let cells = cells.map(|seen| seen.cell()).join(" | ");
        table += &format!("| {}{would} | {} | {cells} |\n", attack.name, attack.liar);
    }
    table
}
