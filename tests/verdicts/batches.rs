//! Logs with sealed batches, honest ones and such as were changed by chance: this crate's audit and that of the second
//! verifier say the same of each. Browsers audit no logs.

use std::process::Command;

use arborlog::audit::{AuditError, Auditor, Folder};
use arborlog::outcome::Outcome;
use arborlog::record::{Index, Statement};
use serde_json::{Value, json};

use crate::changes::dice::Dice;
use crate::forge::{self, Forge, vkey};
use crate::statements::*;
use crate::verifiers::Process;

const PYTHON: &str = r#"
import json, sys, arborlog_verify as v
for line in sys.stdin:
    q = json.loads(line)
    try:
        v.audit(q["log"], v.parse_vkey(q["vkey"], v.LOG))
        print(json.dumps({"outcome": "holds"}), flush=True)
    except v.Refused as refused:
        print(json.dumps({"outcome": v.OUTCOMES[refused.exit_code], "code": refused.code}), flush=True)
"#;

/// What one of a batch says: by the rules, or not.
fn statement(dice: &mut Dice, forge: &Forge) -> Statement {
    let account = *dice.pick(&[ANN, BEN, EVE, PAT, NOBODY]);
    let other = *dice.pick(&[ANN, BEN, EVE, PAT]);
    let points = *dice.pick(&[1, 7, 50, 60, 500, CAP, CAP + 1]);
    let entry = Index(dice.below(forge.size() + 4));
    match dice.below(12) {
        0..4 => award(account, points).says(),
        4 | 5 => gift(account, other, points).says(),
        6 => claim(account).says(),
        7 => elm_claim(account).says(),
        8 => assign(2 + dice.below(4) as u32, &[forge.at("waiting")]).says(),
        9 => void(entry).says(),
        10 => reverse(forge.at("award of Ben"), points).says(),
        _ => lost(forge.at("oaks"), 1, Some(11 + dice.below(5) as u32)).says(),
    }
}

/// Entries behind the honest ones: a batch, which is changed more often than not.
fn batch(dice: &mut Dice, forge: &Forge) -> Vec<Vec<u8>> {
    let who = *dice.pick(&[
        "platform",
        "platform",
        "platform",
        "platform",
        "platform2",
        "surveyor2",
        "planter",
        "stolen",
        "g1",
    ]);
    let few = 1 + dice.below(5);
    let said: Vec<Statement> = match dice.one_in(2) {
        true => (0..few)
            .map(|_| award(ANN, 1 + dice.below(9)).says())
            .collect(),
        false => (0..few).map(|_| statement(dice, forge)).collect(),
    };
    let mut entries = forge.sealed(who, &said);
    for _ in 0..dice.below(3) {
        change(dice, forge, &mut entries);
    }
    entries
}

fn change(dice: &mut Dice, forge: &Forge, entries: &mut Vec<Vec<u8>>) {
    if entries.is_empty() {
        return;
    }
    let count = entries.len() as u64;
    let (at, other) = (dice.below(count) as usize, dice.below(count) as usize);
    match dice.below(9) {
        0 => drop(entries.remove(at)),
        1 => entries.insert(at, entries[other].clone()),
        2 => entries.swap(at, other),
        3 => {
            let place = dice.below(entries[at].len() as u64) as usize;
            entries[at][place] ^= 1 << dice.below(8);
        }
        // How far ahead the seal is.
        4 => entries[at][2..4].copy_from_slice(&(dice.below(8) as u16).to_be_bytes()),
        // One of another batch, or all of it.
        5 => {
            let said = [
                award(ANN, 3).says(),
                award(BEN, 4).says(),
                award(ANN, 5).says(),
            ];
            let theirs = forge.sealed("platform", &said);
            entries[at].clone_from(&theirs[at % theirs.len()]);
        }
        6 => entries.extend(forge.sealed("platform", &[award(ANN, 1).says()])),
        // An entry of its own within it.
        7 => {
            let mut alone = forge.clone();
            alone.admit("platform", award(ANN, 1));
            entries.insert(at, alone.entries.pop().unwrap());
        }
        // The log ends within it.
        _ => entries.truncate(at),
    }
}

fn by_this_crate(log: &std::path::Path) -> Result<(), AuditError> {
    let mut auditor = Auditor::new(vkey("log"))?;
    let source = Folder::new(log);
    let claimed = auditor.fetch_checkpoint(&source)?;
    let threads = std::num::NonZero::new(1).unwrap();
    let read = auditor.advance(
        &source,
        &claimed,
        threads,
        |_, _| Ok::<_, AuditError>(()),
        |_| Ok(()),
    );
    read.map(drop)
}

#[test]
fn logs_with_batches_get_one_verdict() {
    let mut python = Command::new("python3");
    python.args(["-B", "-c", PYTHON]).env(
        "PYTHONPATH",
        concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verifier"),
    );
    let mut python = Process::start("python3, with `cryptography`", python);
    let honest = Forge::honest();
    let mut dice = Dice::new(crate::seed());
    let mut seen = std::collections::BTreeMap::<String, u64>::new();
    for case in 0..crate::cases(250) {
        let mut log = honest.clone();
        log.entries.extend(batch(&mut dice, &honest));
        let dir = tempfile::tempdir().unwrap();
        forge::write(&log.files(), dir.path());
        python.send(&json!({"log": dir.path(), "vkey": vkey("log").to_string()}).to_string());
        let ours = by_this_crate(dir.path());
        let theirs = python.receive();
        let told: Value = serde_json::from_str(&theirs).unwrap();
        let outcome = ours
            .as_ref()
            .err()
            .map_or(Outcome::Holds, AuditError::outcome);
        let same = told["outcome"] == outcome.to_string();
        assert!(
            same,
            "case {case}: this crate says {ours:?}, the second verifier {theirs}"
        );
        let code = told["code"].as_str().unwrap_or("holds");
        if let Err(error) = &ours
            && !error.to_string().contains(code)
        {
            eprintln!("{code}: {error}");
        }
        *seen.entry(code.to_owned()).or_default() += 1;
    }
    eprintln!("{seen:#?}");
    for kind in [
        "holds",
        "seal_mismatch",
        "batch_cut",
        "not_canonical",
        "role_refused",
    ] {
        assert!(seen.contains_key(kind), "{kind}: {seen:?}");
    }
}
