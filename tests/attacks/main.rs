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
mod detectors;
mod forge;
mod issuers;
mod statements;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use attack::{Attack, Yes};
use detectors::{Shown, Verdict, Verdicts, look};
use forge::Forge;

fn attacks() -> Vec<Attack> {
    [issuers::attacks()].into_iter().flatten().collect()
}

#[test]
fn the_honest_ledger_passes() {
    for honest in [Forge::honest(), Forge::long()] {
        let before = honest.files();
        let mut forge = honest;
        forge.goes_on();
        let shown = Shown::log(&forge, Some(before), forge.files())
            .with(&forge.receipt(forge.at("assignment")));
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

/// Where the table is wrong about an attack.
fn differences(attack: &Attack, all: &Verdicts) -> Vec<String> {
    let second = match (&all.second_receipt, &all.second_audit) {
        (_, found @ Verdict::Detected(_)) => found,
        (Verdict::NotConcerned, other) => other,
        (found, _) => found,
    };
    let mut wrong = Vec::new();
    for (who, seen, verdict) in [
        ("receipt", attack.receipt, &all.receipt),
        ("audit", attack.audit, &all.audit),
        ("incremental", attack.incremental, &all.incremental),
        ("mirror", attack.mirror, &all.mirror),
        ("second verifier", attack.second, second),
    ] {
        if !seen.is(verdict) {
            wrong.push(format!("{who}: {seen:?} was expected, not {verdict:?}"));
        }
    }
    // Two verifiers, one verdict.
    let found = |verdict: &Verdict| matches!(verdict, Verdict::Detected(_));
    for (what, ours, theirs) in [
        ("receipt", &all.receipt, &all.second_receipt),
        ("audit", &all.audit, &all.second_audit),
    ] {
        if *theirs != Verdict::NotConcerned && found(ours) != found(theirs) {
            wrong.push(format!(
                "{what}: the second verifier says {theirs:?}, not {ours:?}"
            ));
        }
    }
    let noticed = [
        attack.receipt,
        attack.audit,
        attack.incremental,
        attack.mirror,
    ];
    let noticed = noticed.iter().any(|seen| matches!(seen, Yes(_)));
    if noticed == attack.would.is_some() {
        wrong.push("it must say what would notice just when nothing does".to_owned());
    }
    wrong
}
