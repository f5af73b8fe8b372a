//! One reading of a receipt's file, and one verdict: the three verifiers are asked the same, over
//! what mail programs, editors and shells do to files, over odd witnesses, and over thousands of
//! changes by chance. `ARBORLOG_CASES=4` tries four times as many, `ARBORLOG_SEED` others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod batches;
mod bounds;
mod changes;
#[path = "../attacks/forge.rs"]
#[allow(dead_code)]
mod forge;
mod items;
mod policies;
mod questions;
#[path = "../attacks/statements.rs"]
#[allow(dead_code)]
mod statements;
mod verifiers;

use std::collections::{BTreeMap, BTreeSet};

use arborlog::crypto::SigningKey;
use arborlog::note::{SignatureType, VerifierKey};
use arborlog::outcome::Outcome;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use changes::Changes;
use sha2::{Digest as _, Sha256};
use verifiers::{Question, Verdict, Verifiers};

const LOG: &str = include_str!("../golden/note/log.vkey");
const NEXT_LOG: &str = include_str!("../golden/note/log_next.vkey");
const WITNESS: &str = include_str!("../golden/note/witness.vkey");
const AWARD: &str = include_str!("../golden/receipts/award.tlog-proof");
const COSIGNED: &str = include_str!("../golden/receipts/last_award_cosigned.tlog-proof");
const GOLDEN: [&str; 5] = [
    AWARD,
    COSIGNED,
    include_str!("../golden/receipts/genesis.tlog-proof"),
    include_str!("../golden/receipts/governors.tlog-proof"),
    include_str!("../golden/receipts/plot_handed_over.tlog-proof"),
];
const ORIGIN: &str = "example.org/ledger";

/// By the log's key alone.
fn plain(receipt: impl Into<Vec<u8>>) -> Question {
    Question {
        receipt: receipt.into(),
        log: LOG.to_owned(),
        genesis: None,
        witnesses: Vec::new(),
        about: None,
        policy: None,
    }
}

fn unchecked(code: &str) -> Verdict {
    Verdict::Neither(Outcome::Unchecked, code.to_owned())
}

fn no_receipt() -> Verdict {
    Verdict::Neither(Outcome::NotThatKind, "not_a_receipt".to_owned())
}

/// Base64 of other bytes, as many.
fn flipped(base64: &str) -> String {
    let mut bytes = STANDARD.decode(base64).unwrap();
    bytes[0] ^= 1;
    STANDARD.encode(bytes)
}

/// Compares verdicts found with those expected; of one that holds, its meaning is not.
fn assert_all(asked: Vec<(&str, Verdict, Verdict)>) {
    let holds = |verdict: &Verdict| matches!(verdict, Verdict::Holds(_));
    let wrong: Vec<_> = asked
        .into_iter()
        .filter(|(_, found, expected)| found != expected && !(holds(found) && holds(expected)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

/// Long lines broken after 76 characters, as mail programs do.
fn wrapped(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let chars: Vec<char> = line.chars().collect();
        let pieces = chars.chunks(76).map(String::from_iter);
        lines.extend(pieces.chain(chars.is_empty().then(String::new)));
    }
    lines.join("\n") + "\n"
}

#[test]
fn what_was_done_to_a_file_on_its_way_is_named_and_accuses_nobody() {
    let mut verifiers = Verifiers::start();
    let lines: Vec<&str> = AWARD.lines().collect();
    let (head, note) = AWARD.split_once("\n\n").unwrap();
    let bom = "\u{feff}";
    let problem = r#"{"type":"urn:arborlog:problem:not_found","status":404,"code":"not_found"}"#;
    let quoted: String = AWARD.lines().map(|line| format!("> {line}\n")).collect();
    let spaced: String = AWARD.lines().map(|line| format!("{line} \n")).collect();
    let without = |place: usize| {
        let mut kept = lines.clone();
        kept.remove(place);
        kept.join("\n") + "\n"
    };
    let cases: Vec<(&str, Vec<u8>, Verdict)> = vec![
        (
            "CRLF",
            AWARD.replace('\n', "\r\n").into(),
            unchecked("file_crlf"),
        ),
        (
            "CR",
            AWARD.replace('\n', "\r").into(),
            unchecked("file_crlf"),
        ),
        (
            "one CRLF",
            AWARD.replacen('\n', "\r\n", 1).into(),
            unchecked("file_crlf"),
        ),
        (
            "CR at the end",
            format!("{AWARD}\r").into(),
            unchecked("file_crlf"),
        ),
        (
            "a byte order mark",
            format!("{bom}{AWARD}").into(),
            unchecked("file_bom"),
        ),
        (
            "UTF-16, little",
            utf16(AWARD, u16::to_le_bytes),
            unchecked("file_utf16"),
        ),
        (
            "UTF-16, big",
            utf16(AWARD, u16::to_be_bytes),
            unchecked("file_utf16"),
        ),
        (
            "UTF-16 with a mark, little",
            utf16(&format!("{bom}{AWARD}"), u16::to_le_bytes),
            unchecked("file_utf16"),
        ),
        (
            "UTF-16 with a mark, big",
            utf16(&format!("{bom}{AWARD}"), u16::to_be_bytes),
            unchecked("file_utf16"),
        ),
        (
            "Latin-1",
            [
                head.as_bytes(),
                b"\n\n",
                &note
                    .replace('—', "\u{97}")
                    .chars()
                    .map(|c| c as u8)
                    .collect::<Vec<_>>(),
            ]
            .concat(),
            unchecked("file_not_utf8"),
        ),
        (
            "no last newline",
            AWARD.trim_end().into(),
            unchecked("file_cut"),
        ),
        (
            "an empty line more",
            format!("{AWARD}\n").into(),
            unchecked("file_trailing"),
        ),
        (
            "three empty lines more",
            format!("{AWARD}\n\n\n").into(),
            unchecked("file_trailing"),
        ),
        (
            "a postscript",
            format!("{AWARD}Sent from my phone\n").into(),
            unchecked("file_trailing"),
        ),
        (
            "a mail's signature",
            format!("{AWARD}-- \nAnn\n").into(),
            unchecked("file_spaces"),
        ),
        (
            "twice",
            AWARD.repeat(2).into(),
            unchecked("checkpoint_malformed"),
        ),
        (
            "empty lines first",
            format!("\n\n{AWARD}").into(),
            unchecked("receipt_malformed"),
        ),
        (
            "a space first",
            format!(" {AWARD}").into(),
            unchecked("file_spaces"),
        ),
        (
            "a no-break space",
            AWARD.replacen("— ", "—\u{a0}", 1).into(),
            unchecked("file_spaces"),
        ),
        (
            "a zero-width space",
            AWARD.replacen("index ", "index \u{200b}", 1).into(),
            unchecked("file_spaces"),
        ),
        (
            "tabs",
            AWARD.replace(' ', "\t").into(),
            unchecked("file_spaces"),
        ),
        (
            "two spaces",
            AWARD.replacen("index ", "index  ", 1).into(),
            unchecked("file_spaces"),
        ),
        (
            "spaces at the ends of lines",
            spaced.into(),
            unchecked("file_spaces"),
        ),
        ("quoted", quoted.into(), unchecked("file_quoted")),
        (
            "quoted twice",
            AWARD
                .lines()
                .map(|line| format!(">>{line}\n"))
                .collect::<String>()
                .into(),
            unchecked("file_quoted"),
        ),
        ("wrapped", wrapped(AWARD).into(), unchecked("file_wrapped")),
        (
            "another dash",
            AWARD.replace('—', "-").into(),
            unchecked("file_cut"),
        ),
        ("nothing", Vec::new(), unchecked("file_cut")),
        (
            "its first letters",
            b"c2sp.org/tl".to_vec(),
            unchecked("file_cut"),
        ),
        (
            "its first line",
            format!("{}\n", lines[0]).into(),
            unchecked("file_cut"),
        ),
        (
            "its head",
            format!("{head}\n").into(),
            unchecked("file_cut"),
        ),
        (
            "its head, and an empty line",
            format!("{head}\n\n").into(),
            unchecked("file_cut"),
        ),
        (
            "without its signatures",
            AWARD.split_inclusive('—').next().unwrap().into(),
            unchecked("file_cut"),
        ),
        (
            "without the extra line",
            without(1).into(),
            unchecked("receipt_malformed"),
        ),
        (
            "without the index line",
            without(2).into(),
            unchecked("file_wrapped"),
        ),
        (
            "without a hash of its proof",
            without(4).into(),
            unchecked("proof_incomplete"),
        ),
        (
            "with a hash twice",
            AWARD
                .replacen(lines[4], &format!("{0}\n{0}", lines[4]), 1)
                .into(),
            unchecked("proof_incomplete"),
        ),
        (
            "without the empty line",
            AWARD.replacen("\n\n", "\n", 1).into(),
            unchecked("receipt_malformed"),
        ),
        (
            "with another empty line",
            AWARD.replacen("\n\n", "\n\n\n", 1).into(),
            unchecked("checkpoint_malformed"),
        ),
        (
            "percent-encoded",
            AWARD.replace('=', "%3D").into(),
            unchecked("receipt_malformed"),
        ),
        (
            "URL-safe base64",
            AWARD.replace('+', "-").replace('/', "_").into(),
            no_receipt(),
        ),
        (
            "a line of a stranger between",
            AWARD
                .replacen("\n\n—", "\n\n— w\u{202e}x AAAAAAA=\n—", 1)
                .into(),
            Verdict::Holds(String::new()),
        ),
        (
            "too long",
            [AWARD.as_bytes(), &vec![b'x'; 4 << 20]].concat(),
            unchecked("too_long"),
        ),
        (
            "another version",
            AWARD.replacen("@v1", "@v2", 1).into(),
            no_receipt(),
        ),
        ("a problem", problem.into(), no_receipt()),
        (
            "a page",
            "<!doctype html>\n<html><head><title>502</title></head></html>\n".into(),
            no_receipt(),
        ),
        ("a checkpoint", note.into(), no_receipt()),
        (
            "words before it",
            format!("Hello,\n\n{AWARD}").into(),
            no_receipt(),
        ),
        ("zeroes", vec![0; 500], no_receipt()),
        (
            "another kind of file",
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcbH\xcd\xc9\xc9\x07\x00\x86\xa6\x106"
                .to_vec(),
            no_receipt(),
        ),
    ];
    let asked = cases.into_iter().map(|(what, receipt, expected)| {
        let found = verifiers.ask(what, &plain(receipt));
        (what, found, expected)
    });
    assert_all(asked.collect());
}

#[test]
fn a_receipt_that_was_cut_anywhere_accuses_nobody() {
    let mut verifiers = Verifiers::start();
    let own_line = AWARD.find("IR8e").unwrap();
    let own_end = own_line + AWARD[own_line..].find('\n').unwrap();
    for end in (0..AWARD.len()).filter(|end| end % 7 == 0 || AWARD[..].as_bytes()[*end] == b'\n') {
        let found = verifiers.ask("cut", &plain(&AWARD.as_bytes()[..end]));
        let Verdict::Neither(Outcome::Unchecked, _) = found else {
            panic!("cut after {end} of {own_end} bytes: {found:?}");
        };
    }
}

#[test]
fn what_is_signed_and_false_is_false_and_what_is_missing_is_not() {
    let mut verifiers = Verifiers::start();
    let stranger = SigningKey::from_seed(&[99; 32]);
    let stranger = VerifierKey::new(
        ORIGIN.parse().unwrap(),
        SignatureType::Ed25519,
        stranger.public(),
    );
    let renamed = VerifierKey::new(
        "example.org/other".parse().unwrap(),
        SignatureType::Ed25519,
        *LOG.parse::<VerifierKey>().unwrap().key().unwrap(),
    );
    let (head, note) = AWARD.split_once("\n\n").unwrap();
    let (root, hash) = (note.lines().nth(2).unwrap(), head.lines().nth(3).unwrap());
    let older = include_str!("../golden/log/1/checkpoint");
    let newer = include_str!("../golden/log/257/checkpoint");
    let with_note = |note: &str| format!("{head}\n\n{note}");
    let cases: Vec<(&str, Question, Verdict)> = vec![
        (
            "by a stranger's key",
            Question {
                log: stranger.to_string(),
                ..plain(AWARD)
            },
            unchecked("unsigned"),
        ),
        (
            "by another log's key",
            Question {
                log: renamed.to_string(),
                ..plain(AWARD)
            },
            unchecked("other_log"),
        ),
        (
            "without the witness",
            Question {
                witnesses: vec![WITNESS.to_owned()],
                ..plain(AWARD)
            },
            unchecked("witness_missing"),
        ),
        (
            "another genesis",
            Question {
                genesis: Some("ab".repeat(32)),
                ..plain(AWARD)
            },
            Verdict::False,
        ),
        (
            "another root",
            plain(AWARD.replacen(root, &flipped(root), 1)),
            Verdict::False,
        ),
        (
            "another size",
            plain(AWARD.replacen("\n55\n", "\n54\n", 1)),
            Verdict::False,
        ),
        (
            "the leaf beside it",
            plain(AWARD.replacen("index 11", "index 10", 1)),
            Verdict::False,
        ),
        (
            "another hash",
            plain(AWARD.replacen(hash, &flipped(hash), 1)),
            Verdict::False,
        ),
        (
            "a checkpoint before it",
            plain(with_note(older)),
            unchecked("proof_incomplete"),
        ),
        (
            "a checkpoint of a longer log",
            plain(with_note(newer)),
            unchecked("proof_incomplete"),
        ),
        (
            "another entry",
            plain(AWARD.replacen("AAAAAAAAASgAAQ", "AAAAAAAAASgABA", 1)),
            Verdict::False,
        ),
        (
            "a size of 0",
            plain(AWARD.replacen("\n55\n", "\n0\n", 1)),
            unchecked("checkpoint_malformed"),
        ),
        (
            "a line behind the root",
            plain(AWARD.replacen(root, &format!("{root}\nmore"), 1)),
            unchecked("checkpoint_malformed"),
        ),
        (
            "the key in force",
            Question {
                log: NEXT_LOG.to_owned(),
                ..plain(with_note(note))
            },
            Verdict::Holds(String::new()),
        ),
    ];
    let asked = cases.into_iter().map(|(what, question, expected)| {
        let found = verifiers.ask(what, &question);
        (what, found, expected)
    });
    assert_all(asked.collect());
}

/// A verifier key of a witness with any name, as text: the types here would refuse some.
fn witness_key(name: &str, key: &SigningKey) -> (String, [u8; 4]) {
    let material = [&[4], &key.public().as_bytes()[..]].concat();
    let hash = Sha256::digest([name.as_bytes(), b"\n", &material].concat());
    let id = [hash[0], hash[1], hash[2], hash[3]];
    let vkey = format!("{name}+{}+{}", hex::encode(id), STANDARD.encode(&material));
    (vkey, id)
}

/// The award's receipt with cosignatures by a witness at these times.
fn cosigned(name: &str, times: &[u64]) -> Question {
    let key = SigningKey::from_seed(&[77; 32]);
    let (vkey, id) = witness_key(name, &key);
    let (_, note) = AWARD.split_once("\n\n").unwrap();
    let text = note
        .split_inclusive("\n\n")
        .next()
        .unwrap()
        .trim_end_matches('\n');
    let mut receipt = AWARD.to_owned();
    for time in times {
        let signature = key.sign(format!("cosignature/v1\ntime {time}\n{text}\n").as_bytes());
        let bytes = [&id[..], &time.to_be_bytes(), signature.as_bytes()].concat();
        receipt += &format!("— {name} {}\n", STANDARD.encode(bytes));
    }
    Question {
        witnesses: vec![vkey],
        ..plain(receipt)
    }
}

#[test]
fn witnesses_with_odd_names_and_times_get_one_verdict() {
    let mut verifiers = Verifiers::start();
    let last = (1 << 63) - 1;
    let mut ask = |name: &str, times: &[u64]| {
        let found = verifiers.ask(name, &cosigned(name, times));
        match found {
            Verdict::Holds(meaning) => meaning.rsplit(' ').next().unwrap().to_owned(),
            other => format!("{other:?}"),
        }
    };
    assert_eq!(ask("w.example/1", &[5]), "5");
    assert_eq!(ask("w.example/1", &[0]), "0");
    assert_eq!(ask("w.example/1", &[5, 9]), "9", "the newest counts");
    assert_eq!(ask("w.example/1", &[9, 5]), "9", "the newest counts");
    assert_eq!(ask("w.example/1", &[last]), last.to_string());
    assert_eq!(ask("w.example/1", &[last + 1]), "False");
    assert_eq!(ask("w.example/1", &[u64::MAX]), "False");
    assert_eq!(ask("w.example/1", &[5, last + 1]), "False");
    assert_eq!(ask(&"w".repeat(200), &[5]), "5");
    assert_eq!(ask("日本/ログ", &[5]), "5");
    for name in [&"w".repeat(201), &"w".repeat(300), &"é".repeat(101)] {
        assert_eq!(ask(name, &[5]), "Usage", "{} bytes", name.len());
    }
    for c in (0..=0x10ffff).filter_map(char::from_u32) {
        // Every character that is refused or stands at the edge of a range of them, and others.
        let near = [c as u32 + 1, c as u32, (c as u32).saturating_sub(1)];
        if near.into_iter().filter_map(char::from_u32).any(refused)
            || (c as u32).is_multiple_of(0x3001)
        {
            let expected = if refused(c) { "Usage" } else { "5" };
            // The tag characters are many, and all alike.
            if !(0xe0010..0xe0ff0).contains(&(c as u32)) {
                assert_eq!(ask(&format!("w{c}"), &[5]), expected, "U+{:04X}", c as u32);
            }
        }
    }
}

/// What section 2.2 of docs/format.md lists, written out once more.
fn refused(c: char) -> bool {
    let ranges = [
        (0x00, 0x20),
        (0x2b, 0x2b),
        (0x7f, 0xa0),
        (0xad, 0xad),
        (0x34f, 0x34f),
        (0x61c, 0x61c),
        (0x115f, 0x1160),
        (0x1680, 0x1680),
        (0x17b4, 0x17b5),
        (0x180b, 0x180f),
        (0x2000, 0x200f),
        (0x2028, 0x202f),
        (0x205f, 0x206f),
        (0x2800, 0x2800),
        (0x3000, 0x3000),
        (0x3164, 0x3164),
        (0xfe00, 0xfe0f),
        (0xfeff, 0xfeff),
        (0xffa0, 0xffa0),
        (0xfff0, 0xfffb),
        (0x1bca0, 0x1bca3),
        (0x1d173, 0x1d17a),
        (0xe0000, 0xe0fff),
    ];
    ranges
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&(c as u32)))
}

#[test]
fn a_key_that_was_pasted_may_have_white_space_around_it_and_nothing_else() {
    let mut verifiers = Verifiers::start();
    let mut ask = |log: String| {
        verifiers.ask(
            &format!("{log:?}"),
            &Question {
                log,
                ..plain(AWARD)
            },
        )
    };
    let key = LOG.trim();
    for around in ["", " ", "\n", "\r\n", "\t \n\n", "\x0c"] {
        let found = ask(format!("{around}{key}{around}"));
        assert!(matches!(found, Verdict::Holds(_)), "{around:?}");
    }
    for around in [
        "\u{feff}", "\u{a0}", "\u{85}", "\x0b", "\0", "\u{200b}", "'", "> ",
    ] {
        assert_eq!(
            ask(format!("{around}{key}")),
            Verdict::Usage,
            "{around:?} before"
        );
        assert_eq!(
            ask(format!("{key}{around}")),
            Verdict::Usage,
            "{around:?} behind"
        );
    }
    for wrong in [
        key.replace("211f", "211F"),
        key.replace("+211f", "+ 211f"),
        key[..key.len() - 1].to_owned(),
        format!("{key}="),
        WITNESS.to_owned(),
        String::new(),
        // A key for which anybody can make signatures.
        "example.org/ledger+2cbb2b7c+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned(),
    ] {
        assert_eq!(ask(wrong.clone()), Verdict::Usage, "{wrong:?}");
    }
}

/// What each golden receipt means: no change of one may make it mean something else.
fn meanings(verifiers: &mut Verifiers) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for receipt in GOLDEN {
        for log in [LOG, NEXT_LOG] {
            let log = log.to_owned();
            match verifiers.ask(
                "golden",
                &Question {
                    log,
                    ..plain(receipt)
                },
            ) {
                Verdict::Holds(meaning) => drop(known.insert(meaning.trim_end().to_owned())),
                // That of a tree before the next key was named.
                other => assert_eq!(other, unchecked("unsigned")),
            }
        }
    }
    known
}

/// How many changes are tried: `ARBORLOG_CASES` times as many as usual.
fn cases(usual: u64) -> u64 {
    usual * std::env::var("ARBORLOG_CASES").map_or(1, |text| text.parse::<u64>().unwrap())
}

/// What the changes depend on: always the same, unless `ARBORLOG_SEED` is given.
fn seed() -> u64 {
    let seed = std::env::var("ARBORLOG_SEED").map_or(1, |text| text.parse().unwrap());
    eprintln!("again: ARBORLOG_SEED={seed}");
    seed
}

#[test]
fn changes_by_chance_get_one_verdict() {
    let mut verifiers = Verifiers::start();
    let known = meanings(&mut verifiers);
    let mut changes = Changes::new(seed(), &GOLDEN);
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..cases(2_500) {
        let question = Question {
            witnesses: changes
                .one_in(4)
                .then(|| WITNESS.to_owned())
                .into_iter()
                .collect(),
            log: if changes.one_in(5) { NEXT_LOG } else { LOG }.to_owned(),
            ..plain(changes.next())
        };
        let verdict = verifiers.ask("by chance", &question);
        let kind = match &verdict {
            Verdict::Holds(meaning) => {
                let meaning = meaning.rsplit_once(' ').unwrap().0;
                assert!(known.contains(meaning), "{meaning} was never signed so");
                "holds".to_owned()
            }
            Verdict::Neither(outcome, code) => format!("{outcome} {code}"),
            other => format!("{other:?}"),
        };
        *seen.entry(kind).or_default() += 1;
    }
    eprintln!("{seen:#?}");
    // The changes reach all of it: readings, signatures, proofs, and what holds all the same.
    for kind in [
        "holds",
        "False",
        "unchecked receipt_malformed",
        "unchecked proof_incomplete",
    ] {
        assert!(seen.contains_key(kind), "{kind}: {seen:?}");
    }
}
