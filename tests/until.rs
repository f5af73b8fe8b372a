//! Audits as of then (`audit --until`), as processes, on folders that a forge made.
#![cfg(feature = "cli")]

#[allow(dead_code)]
#[path = "attacks/forge.rs"]
mod forge;
#[allow(dead_code)]
#[path = "attacks/statements.rs"]
mod statements;
mod support;

use std::path::Path;
use std::process::Output;

use arborlog::ledger::RULES_VERSION;
use arborlog::note::{AuditNote, KeyName, SignatureType, VerifierKey, cosign};
use arborlog::record::{Day, Statement};
use forge::{DAY_MS, Forge};
use serde_json::Value;
use statements::{EVE, TODAY, award, log_key, lost};
use support::{run, run_ok};

fn json(text: &str) -> Value {
    serde_json::from_str(text.trim()).unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A log of three days: the honest ledger; a sealed batch and awards of more than one bundle; a loss and an award.
struct World {
    temp: tempfile::TempDir,
    it: Forge,
    /// Sizes at the end of each day.
    ends: [u64; 3],
    /// The first entry of the batch, and its seal.
    batch: (u64, u64),
}

impl World {
    fn new() -> Self {
        let mut it = Forge::honest();
        let first_day = it.size();
        it.now.0 += DAY_MS;
        let awards: Vec<_> = (0..5).map(|_| Statement::Award(award(EVE, 1))).collect();
        let seal = it.admit_sealed("platform2", &awards).0;
        it.grow(300);
        let second_day = it.size();
        it.now.0 += DAY_MS;
        let elms = it.at("elms");
        it.admit("surveyor2", lost(elms, 3, None));
        it.admit("platform2", award(EVE, 7));
        let world = Self {
            temp: tempfile::tempdir().unwrap(),
            ends: [first_day, second_day, it.size()],
            batch: (first_day, seal),
            it,
        };
        forge::write(&world.it.files(), Path::new(&world.path("log")));
        world
    }

    fn path(&self, name: &str) -> String {
        self.temp.path().join(name).to_str().unwrap().to_owned()
    }

    fn audit(&self, more: &[&str]) -> Output {
        self.audit_by("log", more)
    }

    fn audit_by(&self, key: &str, more: &[&str]) -> Output {
        let (log, vkey) = (self.path("log"), forge::vkey(key).to_string());
        run(&[&["audit", &log, "--log", &vkey, "--json"], more].concat())
    }

    /// The answer of an audit that holds.
    fn answer(&self, more: &[&str]) -> Value {
        let done = self.audit(more);
        assert_eq!(done.status.code(), Some(0), "{more:?}: {}", told(&done));
        json(&String::from_utf8_lossy(&done.stdout))
    }

    /// What an audit says of the log when it had this many entries.
    fn answer_then(&self, size: u64, as_of: Day) -> Value {
        let log = self.path("then");
        let _ = std::fs::remove_dir_all(&log);
        let mut then = self.it.clone();
        then.entries.truncate(size as usize);
        forge::write(&then.files(), Path::new(&log));
        let (vkey, as_of) = (forge::vkey("log").to_string(), as_of.to_string());
        json(&run_ok(&[
            "audit", &log, "--log", &vkey, "--json", "--as-of", &as_of,
        ]))
    }
}

/// Whether it is asked for by size or by day, it is the audit that was made then.
#[test]
fn an_audit_until_says_what_one_said_then() {
    let world = World::new();
    for (day, size) in [(TODAY, world.ends[0]), (TODAY.later(1), world.ends[1])] {
        let then = world.answer_then(size, day);
        for asked in [day.to_string(), size.to_string()] {
            let now = world.answer(&["--until", &asked]);
            for same in [
                "entries", "root", "genesis", "vkey", "totals", "findings", "accounts", "as_of",
            ] {
                assert_eq!(now[same], then[same], "{same} until {asked}");
            }
            assert_eq!(now["until"]["checkpoint_size_entries"], world.ends[2]);
            assert_eq!(now["until"]["is_all"], false);
            assert_eq!(then["until"], Value::Null);
        }
    }
    // The losses of the last day are in it, and not in what was before.
    let lost = |until: &str| world.answer(&["--until", until])["totals"]["lost"].clone();
    let [before, after] = [TODAY.later(1), TODAY.later(2)].map(|day| lost(&day.to_string()));
    assert_ne!(before, after);
    let last = world.answer(&["--until", &TODAY.later(2).to_string()]);
    assert_eq!(last["entries"], world.ends[2]);
    assert_eq!(last["until"]["is_all"], true);
    let other = world.answer(&[
        "--until",
        &world.ends[0].to_string(),
        "--as-of",
        "2026-10-01",
    ]);
    assert_eq!(other["as_of"], "2026-10-01");
}

/// A sealed batch is in it as a whole, or not at all.
#[test]
fn a_size_is_rounded_down_to_a_whole_batch() {
    let world = World::new();
    let (first, seal) = world.batch;
    for (asked, size) in [
        (first, first),
        (first + 1, first),
        (seal, first),
        (seal + 1, seal + 1),
    ] {
        let answer = world.answer(&["--until", &asked.to_string()]);
        assert_eq!(answer["entries"], size, "{asked} asked for");
        assert_eq!(answer["until"]["left_out_of_a_batch_entries"], asked - size);
    }
    let vkey = forge::vkey("log").to_string();
    let words = run_ok(&[
        "audit",
        &world.path("log"),
        "--log",
        &vkey,
        "--until",
        &seal.to_string(),
    ]);
    let said = format!(
        "up to {seal} entries, {first} of the checkpoint's {} entries; 5 entries",
        world.ends[2]
    );
    assert!(words.contains(&said), "{words}");
}

#[test]
fn its_report_tables_and_attestation_say_so() {
    let world = World::new();
    let (report, tables, whole) = (
        world.path("report"),
        world.path("tables"),
        world.path("whole"),
    );
    let day = TODAY.to_string();
    world.answer(&["--until", &day, "--report", &report, "--export", &tables]);
    let page = std::fs::read_to_string(format!("{report}/report.html")).unwrap();
    let title = page
        .split_once("<title>")
        .unwrap()
        .1
        .split_once("</title>")
        .unwrap()
        .0;
    assert!(
        title.contains(&format!(
            "as of the end of {day} (UTC), {} entries",
            world.ends[0]
        )),
        "{title}"
    );
    assert!(page.contains("The ledger is whole up to then."));
    let data = json(&std::fs::read_to_string(format!("{report}/report.json")).unwrap());
    assert_eq!(data["until"]["day"], day);
    assert_eq!(data["as_of"], day);
    assert_eq!(data["checkpoint"]["size_entries"], world.ends[0]);
    assert_eq!(data["checkpoint"]["last_admitted"], day);
    let rows = std::fs::read_to_string(format!("{tables}/entries.csv"))
        .unwrap()
        .lines()
        .count();
    assert_eq!(rows as u64, world.ends[0] + 1);
    let readme = std::fs::read_to_string(format!("{tables}/README.md")).unwrap();
    assert!(readme.contains(&format!(
        "The first {} of the {} entries",
        world.ends[0], world.ends[2]
    )));
    let attest = [
        "attest",
        &report,
        "--level",
        "limited",
        "--opinion",
        "unmodified",
    ];
    assert_eq!(json(&run_ok(&attest))["size"], world.ends[0]);

    // It can be compared with what came before, and not with what came since.
    world.answer(&["--report", &whole]);
    let [older, newer] = [report, whole].map(|dir| format!("{dir}/report.json"));
    let since = world.answer(&["--until", &world.ends[1].to_string(), "--compare", &older]);
    assert_eq!(since["since"]["entries"], world.ends[0]);
    let backwards = world.audit(&["--until", &day, "--compare", &newer]);
    assert_eq!(backwards.status.code(), Some(2), "{}", told(&backwards));
}

#[test]
fn what_can_not_be_is_wrong_use() {
    let world = World::new();
    let (beyond, state) = ((world.ends[2] + 1).to_string(), world.path("audit.state"));
    for asked in [
        &["--until", "2026-02-30"][..],
        &["--until", "yesterday"],
        &["--until", "-3"],
        &["--until", "99999999999999999999"],
        &["--until", "0"],
        &["--until", &beyond],
        &["--until", "2020-01-01"],
        &["--until", "9000-01-01"],
        &["--until", "10", "--state", &state],
    ] {
        let refused = world.audit(asked);
        assert_eq!(
            refused.status.code(),
            Some(2),
            "{asked:?}: {}",
            told(&refused)
        );
    }
    assert!(!Path::new(&state).exists());
}

/// Only the entries before then are read and judged.
#[test]
fn what_comes_after_is_not_judged() {
    let mut world = World::new();
    let size = world.ends[0].to_string();
    let bundles = [0, 1].map(|number| {
        let path = forge::path(arborlog::merkle::Level::Entries, number, world.ends[2]);
        world.temp.path().join("log").join(path)
    });
    let code = |world: &World, more: &[&str]| world.audit(more).status.code();
    std::fs::remove_file(&bundles[1]).unwrap();
    assert_eq!(code(&world, &[]), Some(3));
    assert_eq!(code(&world, &["--until", &size]), Some(0));
    std::fs::remove_file(&bundles[0]).unwrap();
    assert_eq!(code(&world, &["--until", &size]), Some(3));

    // A loss of more trees than stand.
    let elms = world.it.at("elms");
    world.it.force("surveyor2", lost(elms, 9, None));
    forge::write(&world.it.files(), Path::new(&world.path("log")));
    assert_eq!(code(&world, &[]), Some(1));
    assert_eq!(code(&world, &["--until", &size]), Some(0));
    assert_eq!(
        code(&world, &["--until", &world.it.size().to_string()]),
        Some(1)
    );
}

/// A key that was named later signs for what was before it; one that was never named does not.
#[test]
fn a_log_key_that_was_replaced_since() {
    let mut world = World::new();
    let size = world.ends[0].to_string();
    let until = ["--until", size.as_str()];
    let write = |world: &World, key: &str| {
        let mut files = world.it.files();
        let signed = world.it.checkpoint_by(world.it.size(), &[key]).to_string();
        files.insert("checkpoint".to_owned(), signed.into_bytes());
        forge::write(&files, Path::new(&world.path("log")));
    };
    write(&world, "log2");
    assert_eq!(
        world.audit_by("log2", &until).status.code(),
        Some(1),
        "not yet"
    );
    world.it.admit("g1+g2+g4+log2", log_key("log2"));
    write(&world, "log2");
    let by_new = world.audit_by("log2", &until);
    assert_eq!(by_new.status.code(), Some(0), "{}", told(&by_new));
    let answer = json(&String::from_utf8_lossy(&by_new.stdout));
    assert_eq!(
        answer["vkey"],
        forge::vkey("log").to_string(),
        "in force then"
    );
    assert_eq!(world.audit_by("log", &until).status.code(), Some(3));
}

/// A policy is asked of the checkpoint that the log shows, of which the audited entries are the beginning.
#[test]
fn a_policy_holds_for_the_checkpoint_whose_beginning_is_audited() {
    let world = World::new();
    let (name, key): (KeyName, _) = ("w.example/key".parse().unwrap(), statements::key("witness"));
    let witness = VerifierKey::new(name.clone(), SignatureType::CosignatureV1, key.public());
    let (log, policy) = (world.path("log"), world.path("policy"));
    let text = format!(
        "log {}\nwitness w {witness}\nquorum w\n",
        forge::vkey("log")
    );
    std::fs::write(&policy, text).unwrap();
    let (day, size) = (TODAY.to_string(), world.ends[0]);
    let audit = || {
        let args = [
            "audit", &log, "--policy", &policy, "--until", &day, "--json",
        ];
        let done = run(&args);
        (done.status.code(), String::from_utf8(done.stdout).unwrap())
    };
    let (code, words) = audit();
    assert_eq!(code, Some(3), "nobody cosigned: {words}");

    let mut checkpoint = world.it.checkpoint(world.ends[2]);
    cosign(&mut checkpoint, &name, &key, 1_790_000_000);
    std::fs::write(format!("{log}/checkpoint"), checkpoint.to_string()).unwrap();
    let (code, words) = audit();
    assert_eq!(code, Some(0), "{words}");
    let answer = json(&words);
    assert_eq!(answer["entries"], size);
    assert_eq!(answer["until"]["checkpoint_size_entries"], world.ends[2]);
    assert_eq!(answer["policy"]["quorum"], "w", "{answer}");
}

/// Another auditor's note of an earlier size is compared with what an audit until then makes of the entries; one of
/// later entries can't be.
#[test]
fn a_note_of_then_is_compared_with_an_audit_until_then() {
    let world = World::new();
    let [first, second, _] = world.ends;
    let name: KeyName = "auditor.example/a1".parse().unwrap();
    let key = statements::key("other auditor");
    let vkey = AuditNote::vkey(&name, key.public()).to_string();
    let report = world.path("then-report");
    world.answer(&["--until", &first.to_string(), "--report", &report]);
    let data = json(&std::fs::read_to_string(format!("{report}/report.json")).unwrap());
    let root = data["checkpoint"]["state_root"].as_str().unwrap();
    let note = |size: u64, state_root: &str| {
        let note = AuditNote {
            origin: forge::ORIGIN.parse().unwrap(),
            head: world.it.head(size),
            rules_version: RULES_VERSION,
            state_root: state_root.parse().unwrap(),
        };
        let path = world.path("note");
        std::fs::write(&path, note.sign(&name, &key)).unwrap();
        path
    };
    let compare = |note: &str| {
        let more = ["--compare-auditor", note, "--auditor-key", &vkey];
        let until = first.to_string();
        world.audit(&[&["--until", &until], &more[..]].concat())
    };
    let same = compare(&note(first, root));
    assert_eq!(same.status.code(), Some(0), "{}", told(&same));
    let answer = json(&String::from_utf8_lossy(&same.stdout));
    let words = format!("auditor.example/a1 made the same state root of {first} entries");
    assert_eq!(answer["compared"], words);
    // The root of the tree in the place of that of the state.
    let other = world.it.head(first).root.to_string();
    let differs = compare(&note(first, &other));
    assert_eq!(differs.status.code(), Some(1), "{}", told(&differs));
    let later = compare(&note(second, root));
    assert_eq!(later.status.code(), Some(3), "{}", told(&later));
    assert!(told(&later).contains("compare again"), "{}", told(&later));
}

/// A report of a version that was made before names had units is read; one that is still to come is not.
#[test]
fn reports_of_other_versions_are_compared_or_named() {
    let world = World::new();
    let report = world.path("old");
    world.answer(&["--until", &world.ends[0].to_string(), "--report", &report]);
    let path = format!("{report}/report.json");
    let data = std::fs::read_to_string(&path).unwrap();
    let third = data
        .replace("arborlog-report/4", "arborlog-report/3")
        .replace("\"size_entries\"", "\"size\"")
        .replace("\"cases\"", "\"count\"");
    std::fs::write(&path, third).unwrap();
    let until = world.ends[0].to_string();
    let answer = world.answer(&["--until", &until, "--compare", &path]);
    assert_eq!(answer["since"]["entries"], world.ends[0]);
    assert_eq!(answer["since"]["changes"], serde_json::json!([]));
    let fifth = data.replace("arborlog-report/4", "arborlog-report/5");
    std::fs::write(&path, fifth).unwrap();
    let refused = world.audit(&["--compare", &path]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        told(&refused).contains("a report of version 5"),
        "{}",
        told(&refused)
    );
}

/// What an auditor and a client agreed on stands on the first page, and an attestation may not contradict it.
#[test]
fn the_terms_of_an_engagement_are_shown() {
    let world = World::new();
    let report = world.path("terms");
    world.answer(&[
        "--report",
        &report,
        "--level",
        "limited",
        "--criteria",
        "The <method> of the programme",
        "--period-from",
        "2026-01-01",
        "--period-until",
        "2026-06-30",
        "--verifier",
        "Books & Co",
    ]);
    let page = std::fs::read_to_string(format!("{report}/report.html")).unwrap();
    for words in [
        "limited",
        "The &#60;method&#62; of the programme",
        "2026-01-01 to 2026-06-30",
        "Books &#38; Co",
        "not stated",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let attest = |level: &str| {
        run(&[
            "attest",
            &report,
            "--level",
            level,
            "--opinion",
            "unmodified",
        ])
    };
    assert_eq!(attest("reasonable").status.code(), Some(2));
    let made = attest("limited");
    assert_eq!(made.status.code(), Some(0), "{}", told(&made));
    let said = json(&String::from_utf8_lossy(&made.stdout));
    assert_eq!(said["period_from"], "2026-01-01");
    assert_eq!(said["period_until"], "2026-06-30");
    let backwards = [
        "--period-from",
        "2026-06-30",
        "--period-until",
        "2026-01-01",
    ];
    assert_eq!(world.audit(&backwards).status.code(), Some(2));
}
