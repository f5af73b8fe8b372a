//! Lies that no single reader sees, and the cosigners who do: each shows who, by what the liar signed.
//! `docs/threat-model.md` shows the table; `ARBORLOG_BLESS=1` writes it there.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use arborlog::audit::{CosignedTimes, Folder, SeenCheckpoint, Tiles};
use arborlog::cosign::{
    AddCheckpoint, CosigningAuditor, LogRefusal, OnFinding, Replayer, Round, RoundOptions,
    WatchedLog,
};
use arborlog::ledger::RULES_VERSION;
use arborlog::merkle::{Hash, consistency_ranges};
use arborlog::note::{
    AuditNote, Checkpoint, Cosignature, KeyName, SignatureType, UnverifiedCheckpoint, VerifierKey,
    cosign,
};
use arborlog::policy::{Level, Policy};

use crate::attack::{GOVERNORS, LOG};
use crate::forge::{Forge, vkey, write};
use crate::statements::*;

/// A witness and an auditor whose keys the liar has not.
const HONEST: &str = "witness";
const NOW_S: u64 = 1_788_480_000;

struct Row {
    name: &'static str,
    liar: &'static str,
    /// Who notices, and by what.
    noticed: &'static str,
    /// Panics if that one does not.
    check: fn(),
}

const ROWS: [Row; 7] = [
    Row {
        name: "Two views, each always shown to the same people",
        liar: LOG,
        noticed: "a witness whom both views need: it cosigns one, and keeps both roots; readers of the other, whose policy names it, go without its line",
        check: two_views,
    },
    Row {
        name: "An admission dated back, behind a checkpoint that a witness cosigned",
        liar: LOG,
        noticed: "whoever audits later, by the hourly cosigned checkpoints (`admission_backdated`)",
        check: backdated,
    },
    Row {
        name: "The log rolled back to an older tree",
        liar: LOG,
        noticed: "a witness, which cosigns nothing smaller than it saw, and no other tree that grows from there",
        check: rolled_back,
    },
    Row {
        name: "An auditor that replays nothing, and signs the state root that the log tells it",
        liar: "operator: the log's; auditor: its own",
        noticed: "every other auditor that compares its notes: both notes are kept, and nothing is cosigned meanwhile",
        check: lazy_auditor,
    },
    Row {
        name: "A witness that cosigns two trees of one size",
        liar: "operator: the log's; witness: its own",
        noticed: "readers whose policy wants another witness too; and two who compare, for whom both its lines hold",
        check: lying_witness,
    },
    Row {
        name: "A state entry that lies, cosigned by every witness",
        liar: LOG,
        noticed: "an auditor: it cosigns nothing of this log any more, and keeps the proof; who asks for the level `audited` is not given it",
        check: lying_state,
    },
    Row {
        name: "A policy changed by k governors, so that witnesses of their own suffice",
        liar: GOVERNORS,
        noticed: "readers who pinned the policy before: theirs names who is missing",
        check: changed_policy,
    },
];

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/threat-model.md");
const BEGIN: &str = "<!-- cosigners: begin -->\n";
const END: &str = "<!-- cosigners: end -->";

#[test]
fn each_lie_is_noticed_by_the_cosigner_that_the_table_names() {
    for row in ROWS {
        let checked = std::panic::catch_unwind(row.check);
        assert!(checked.is_ok(), "{}", row.name);
    }
}

#[test]
fn the_threat_model_shows_the_cosigners_table() {
    let mut table =
        "| attack | who lies, with which keys | who notices |\n| --- | --- | --- |\n".to_owned();
    for row in ROWS {
        table += &format!("| {} | {} | {} |\n", row.name, row.liar, row.noticed);
    }
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    if std::env::var_os("ARBORLOG_BLESS").is_some() {
        std::fs::write(PAGE, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(shown, table, "{PAGE}: run with ARBORLOG_BLESS=1");
    }
}

fn name(of: &str) -> KeyName {
    format!("{of}.example/w").parse().unwrap()
}

fn cosigner(of: &str) -> VerifierKey {
    VerifierKey::new(name(of), SignatureType::CosignatureV1, public(of))
}

/// The checkpoint of a whole log with the lines of these witnesses.
fn seen_by(it: &Forge, witnesses: &[&str]) -> Checkpoint {
    let mut checkpoint = it.checkpoint(it.size());
    for of in witnesses {
        cosign(&mut checkpoint, &name(of), &key(of), NOW_S);
    }
    checkpoint
}

/// A policy of these witnesses, of whom all must sign.
fn all_of(witnesses: &[&str]) -> Policy {
    let mut text = String::new();
    for of in witnesses {
        text += &format!("witness {of} {}\n", cosigner(of));
    }
    text += &format!("group all all {}\nquorum all\n", witnesses.join(" "));
    text.parse().unwrap()
}

fn missing(policy: &Policy, checkpoint: &Checkpoint) -> Vec<String> {
    let standing = policy.standing_of(checkpoint).unwrap();
    match standing.quorum() {
        Ok(()) => Vec::new(),
        Err(missing) => missing.missing.clone(),
    }
}

/// What a log sends a witness.
fn request(it: &Forge, from: u64, to: u64) -> AddCheckpoint {
    let ranges = consistency_ranges(from, to).unwrap_or_default();
    let note = it.checkpoint(to).to_string();
    AddCheckpoint {
        old_size: from,
        proof: ranges.into_iter().map(|range| it.root(range)).collect(),
        checkpoint: UnverifiedCheckpoint::parse(note.as_bytes()).unwrap(),
    }
}

/// Asks an honest witness.
fn ask(watched: &mut WatchedLog, request: &AddCheckpoint) -> Result<(), LogRefusal> {
    let checkpoint = watched.check_signed(request)?;
    watched.check_extends(request, &checkpoint)?;
    watched.set_latest(checkpoint.head());
    Ok(())
}

fn watched() -> WatchedLog {
    let mut watched = WatchedLog::new(vkey("log").name().clone());
    watched.add_key(vkey("log"));
    watched
}

/// Two histories that differ in one entry.
fn views() -> (Forge, Forge) {
    let (mut one, mut other) = (Forge::honest(), Forge::honest());
    one.admit("platform", award(ANN, 1));
    other.admit("platform", award(EVE, 1));
    (one, other)
}

fn two_views() {
    let (one, mut other) = views();
    let mut watched = watched();
    ask(&mut watched, &request(&one, 0, one.size())).unwrap();
    let size = one.size();
    let refused = ask(&mut watched, &request(&other, size, size)).unwrap_err();
    assert!(matches!(refused, LogRefusal::OtherRoot { .. }), "{refused}");
    // Nor once the other view has grown: no proof leads there.
    other.goes_on();
    let refused = ask(&mut watched, &request(&other, size, other.size())).unwrap_err();
    assert!(matches!(refused, LogRefusal::NotConsistent), "{refused}");
    let policy = all_of(&[HONEST]);
    assert!(missing(&policy, &seen_by(&one, &[HONEST])).is_empty());
    assert_eq!(missing(&policy, &other.checkpoint(other.size())), [HONEST]);
}

fn backdated() {
    let mut it = Forge::honest();
    let seen = SeenCheckpoint {
        head: it.head(it.size()),
        // An hour behind the last entry.
        seen_at_s: it.now.0 / 1000 + 3600,
    };
    // What is admitted after that, and says so, is as it should be.
    let mut honest = it.clone();
    honest.now.0 += 3_601_000;
    honest.admit("platform", award(ANN, 100));
    assert_eq!(times(&honest, seen), CosignedTimes::Beginnings(None));
    it.admit("platform", award(ANN, 100));
    let CosignedTimes::Beginnings(Some(finding)) = times(&it, seen) else {
        panic!("nobody noticed it");
    };
    assert_eq!((finding.code, finding.count), ("admission_backdated", 1));
    // In a sealed batch the seal has the time.
    let mut sealed = Forge::honest();
    sealed.admit_sealed("platform", &[award(ANN, 7).says(), award(BEN, 5).says()]);
    let CosignedTimes::Beginnings(Some(finding)) = times(&sealed, seen) else {
        panic!("nobody noticed it");
    };
    assert_eq!(finding.items[0].indexes[0].0, seen.head.size);
    let (one, other) = views();
    let of_other = SeenCheckpoint {
        head: other.head(other.size()),
        ..seen
    };
    let found = times(&one, of_other);
    assert_eq!(found, CosignedTimes::OtherTree(of_other.head));
}

fn times(it: &Forge, seen: SeenCheckpoint) -> CosignedTimes {
    let dir = tempfile::tempdir().unwrap();
    write(&it.files(), dir.path());
    let folder = Folder::new(dir.path());
    let tiles = Tiles::open(&folder, it.head(it.size())).unwrap();
    CosignedTimes::of(&tiles, &[seen]).unwrap()
}

fn rolled_back() {
    let it = Forge::honest();
    let mut watched = watched();
    ask(&mut watched, &request(&it, 0, it.size())).unwrap();
    let (size, before) = (it.size(), it.size() - 3);
    let refused = ask(&mut watched, &request(&it, 0, before)).unwrap_err();
    assert!(matches!(refused, LogRefusal::OtherSize { latest } if latest == size));
    let body = request(&it, before, before);
    let refused = ask(&mut watched, &body).unwrap_err();
    assert!(matches!(refused, LogRefusal::OtherSize { latest } if latest == size));
    // It grows again from the older tree, with other entries.
    let mut again = Forge::retold(it.signed().into_iter().take(before as usize));
    while again.size() <= size {
        again.admit("platform", award(EVE, 2));
    }
    let refused = ask(&mut watched, &request(&again, size, again.size())).unwrap_err();
    assert!(matches!(refused, LogRefusal::NotConsistent), "{refused}");
}

/// An honest auditor of a log in a folder, who compares a lazy one's notes.
fn auditor(dir: &Path, it: &Forge) -> CosigningAuditor {
    let (log, own) = (dir.join("log"), dir.join("auditor"));
    write(&it.files(), &log);
    std::fs::create_dir_all(&own).unwrap();
    let line = |file: &str, text: String| std::fs::write(own.join(file), text + "\n").unwrap();
    key("g1").write_new(&own.join("auditor.pem")).unwrap();
    key("g2").write_new(&own.join("notes.pem")).unwrap();
    line("auditor.vkey", cosigner("g1").to_string());
    line(
        "notes.vkey",
        AuditNote::vkey(&name("g1"), public("g2")).to_string(),
    );
    line("statement", "full".to_owned());
    line("logs", format!("{} {}", vkey("log"), log.display()));
    line("auditors", format!("{} http://lazy.example", lazy()));
    CosigningAuditor::open(&own).unwrap()
}

fn lazy() -> VerifierKey {
    AuditNote::vkey(&"lazy.example/a".parse().unwrap(), public("stranger"))
}

fn rounds(auditor: &CosigningAuditor, dir: &Path) -> Round {
    let options = RoundOptions {
        threads: NonZeroUsize::MIN,
        on_finding: OnFinding::Ignore,
        stops_on_difference: true,
        save_every: Duration::ZERO,
        clock: || NOW_S,
    };
    let log = auditor.logs().next().unwrap();
    let mut replayer = Replayer::new(auditor, log, options);
    replayer
        .ask_and_round(&Folder::new(&dir.join("log")))
        .unwrap()
}

fn lazy_auditor() {
    let mut it = Forge::honest();
    it.cover();
    it.admit("platform", award(ANN, 1));
    let (size, root) = (it.size(), it.state.roots().unwrap().state_root());
    it.admit("platform", award(ANN, 1));
    let told = it.state.roots().unwrap().state_root();
    it.cover();
    for (said, is_noticed) in [(root, false), (told, true)] {
        let dir = tempfile::tempdir().unwrap();
        let auditor = auditor(dir.path(), &it);
        let note = AuditNote {
            origin: vkey("log").name().clone(),
            head: it.head(size),
            rules_version: RULES_VERSION,
            state_root: said,
        };
        let signed = note.sign(lazy().name(), &key("stranger")).into_bytes();
        let log = auditor.logs().next().unwrap();
        log.take_other(&auditor.others()[0], Ok(Some(signed)));
        let round = rounds(&auditor, dir.path());
        let code = "auditor_note_differs:lazy.example/a".to_owned();
        let noticed = round == Round::Withheld(vec![code]);
        assert_eq!(noticed, is_noticed, "{round:?}");
        assert_eq!(log.cosigned().is_none(), is_noticed);
        let kept = dir.path().join("auditor/evidence");
        assert_eq!(
            kept.join(log.origin_hash()).join("notes").exists(),
            is_noticed
        );
    }
}

fn lying_witness() {
    let (one, other) = views();
    let (liar, both) = ("stranger", ["stranger", HONEST]);
    let shown = [seen_by(&one, &both), seen_by(&other, &[liar])];
    // Whoever trusts it alone is deceived; both of its lines speak against it.
    for checkpoint in &shown {
        assert!(missing(&all_of(&[liar]), checkpoint).is_empty());
        Cosignature::verify(checkpoint, &cosigner(liar)).unwrap();
    }
    assert_eq!(shown[0].head().size, shown[1].head().size);
    assert_ne!(shown[0].head().root, shown[1].head().root);
    assert!(missing(&all_of(&both), &shown[0]).is_empty());
    assert_eq!(missing(&all_of(&both), &shown[1]), [HONEST]);
}

fn lying_state() {
    let mut it = Forge::honest();
    it.admit("platform", award(ANN, 7));
    let mut said = it.state_entry();
    said.root = *Hash::empty_root().as_bytes();
    it.take_state_entry(&said);
    let dir = tempfile::tempdir().unwrap();
    let auditor = auditor(dir.path(), &it);
    let Round::Faulty(what) = rounds(&auditor, dir.path()) else {
        panic!("nobody noticed it");
    };
    assert!(what.contains("state_wrong"), "{what}");
    let log = auditor.logs().next().unwrap();
    assert_eq!(log.cosigned(), None);
    assert!(log.evidence_folder().join("log").exists());
    // Witnesses read no entries.
    let checkpoint = seen_by(&it, &[HONEST]);
    let policy: Policy = format!(
        "witness w {}\nwitness audit-a {}\ngroup both all w audit-a\nquorum both\n",
        cosigner(HONEST),
        cosigner("g1")
    )
    .parse()
    .unwrap();
    let standing = policy.standing_of(&checkpoint).unwrap();
    assert!(standing.reaches(Level::Witnessed) && !standing.reaches(Level::Audited));
    assert_eq!(missing(&policy, &checkpoint), ["audit-a"]);
}

fn changed_policy() {
    let pinned = all_of(&[HONEST]);
    let mut it = Forge::honest();
    let own = format!("witness own {}\nquorum own\n", cosigner("stranger"));
    it.admit("g1+g2", policy(&own));
    it.goes_on();
    let checkpoint = seen_by(&it, &["stranger"]);
    let stated: Policy = own.parse().unwrap();
    assert!(missing(&stated, &checkpoint).is_empty());
    assert_eq!(missing(&pinned, &checkpoint), [HONEST]);
}
