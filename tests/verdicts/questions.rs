//! The questions that a file answers (`docs/format.md`, 13.6): one grammar, read by all three verifiers and both
//! command lines, and one verdict on each file and each question.

use std::collections::BTreeSet;
use std::process::Command;

use arborlog::ledger::domains;
use arborlog::ledger::trie::Leaf;
use arborlog::note::VerifierKey;
use arborlog::outcome::Outcome;
use arborlog::receipt::{Question as Asked, Receipt};

use crate::items::Liar;
use crate::verifiers::{Question, Verdict, Verifiers};
use crate::{AWARD, LOG, NEXT_LOG, plain};

/// Files of one log: each name with its text.
const FILES: [(&str, &str); 10] = [
    (
        "items",
        include_str!("../golden/receipts/state_items.tlog-proof"),
    ),
    (
        "totals",
        include_str!("../golden/receipts/state_totals.tlog-proof"),
    ),
    (
        "certificate",
        include_str!("../golden/receipts/state_certificate.tlog-proof"),
    ),
    (
        "account",
        include_str!("../golden/receipts/state_account_history.tlog-proof"),
    ),
    (
        "part of an account",
        include_str!("../golden/receipts/state_account_history_part.tlog-proof"),
    ),
    (
        "plot",
        include_str!("../golden/receipts/state_plot_history.tlog-proof"),
    ),
    (
        "part of a plot",
        include_str!("../golden/receipts/state_plot_history_part.tlog-proof"),
    ),
    (
        "correction",
        include_str!("../golden/receipts/state_corrected_award.tlog-proof"),
    ),
    (
        "latest survey",
        include_str!("../golden/receipts/state_latest_survey.tlog-proof"),
    ),
    (
        "no survey",
        include_str!("../golden/receipts/state_no_survey.tlog-proof"),
    ),
];

const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Texts that are questions, and texts that are not.
fn texts() -> (Vec<String>, Vec<String>) {
    let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let mut good: Vec<String> = own(&[
        "totals",
        "receipt/0",
        "receipt/18446744073709551615",
        "certificate/33258",
        "entry/12",
        "plot-history/7",
        "plot-history/4294967295",
        "plot-history/7/from/0",
        "once/0",
        "once/255",
        "holder/a",
        "holders/bike-club-2",
        "holders/latest",
        "method/1/2",
        "methods/4294967295/0",
        "species/65535",
        "plots/7",
        "plot/7",
        "planting/7/1",
        "plantings/7/1",
        "tree/7/42",
        "trees/7/42",
        "survey/7/latest",
        "surveys/7/latest",
        "surveys/7/20000/12",
        "claim/5",
        "claims/5",
        "reversed/5",
        "loss/5",
        "losses/5",
        "voided/5",
        "month/202601",
        "months/0",
    ]);
    for form in [
        "key/@",
        "keys/@",
        "account/@",
        "accounts/@",
        "evidence/@",
        "account-history/@",
        "account-history/@/from/9",
    ] {
        good.push(form.replace('@', HEX));
    }
    let mut bad: Vec<String> = own(&[
        "",
        "/",
        "totals/",
        "totals/1",
        "total",
        "receipt",
        "receipt/",
        "receipt/01",
        "receipt/+1",
        "receipt/ 1",
        "receipt/1 ",
        "receipt/1/2",
        "receipt/18446744073709551616",
        "receipt/99999999999999999999",
        "receipt/-1",
        "receipt/1.0",
        "receipt/0x1",
        "receipt/\u{661}",
        "Receipt/1",
        "receipts/1",
        "certificates/1",
        "certificate/x",
        "entries/1",
        "entry/",
        "plot-history/4294967296",
        "plot-history/7/from/",
        "plot-history/7/from",
        "plot-history/7/from/01",
        "plot-history/7/from/1/from/2",
        "plot-history//from/1",
        "plot-histories/7",
        "account-history/7",
        "once/256",
        "once/",
        "one/0",
        "holder/",
        "holder/Ann",
        "holder/ann ",
        "holder/-ann",
        "holder/a/b",
        "holder/\u{e9}",
        "holder/a\n",
        "method/1",
        "method/1/2/3",
        "method/1/4294967296",
        "species/65536",
        "specie/1",
        "speciess/1",
        "plot/",
        "plot/7/8",
        "planting/7",
        "tree/7",
        "tree/7/",
        "tree//7",
        "tree/7/42/1",
        "tree/7/042",
        "survey/latest",
        "survey//latest",
        "survey/7/latest/",
        "survey/7/latest/latest",
        "survey/07/latest",
        "survey/7",
        "surveys/7/8",
        "tree/7/latest",
        "claim/",
        "claim/a",
        "voideds/5",
        "reverseds/5",
        "losss/5",
        "evidences/1",
        "month/4294967296",
        "months/-1",
        "nothing/0",
        "account-history",
        "key/00",
        "key/",
        "domain=tree",
        "tree?key=7/42",
        "constructor/1",
        "__proto__/1",
        "toString",
    ]);
    let long = "9".repeat(5_000);
    bad.push(format!("receipt/{long}"));
    bad.push(format!("holder/{}", "a".repeat(65)));
    good.push(format!("holder/{}", "a".repeat(64)));
    for form in [
        "key/@",
        "account/@",
        "evidence/@",
        "account-history/@",
        "account-history/@/from/x",
        "key/@/",
    ] {
        bad.push(form.replace('@', &HEX.to_uppercase()));
        bad.push(form.replace('@', &HEX[1..]));
        bad.push(form.replace('@', &format!("{HEX}00")));
    }
    (good, bad)
}

fn about(receipt: &str, log: &str, asked: &str) -> Question {
    Question {
        log: log.to_owned(),
        about: Some(asked.to_owned()),
        ..plain(receipt)
    }
}

#[test]
fn questions_have_one_grammar() {
    let mut verifiers = Verifiers::start();
    let (good, bad) = texts();
    for text in &good {
        // Of an award's receipt none of them is asked but its own entry.
        let verdict = verifiers.ask(text, &about(AWARD, LOG, text));
        assert_eq!(verdict, Verdict::False, "{text}");
        let asked: Asked = text.parse().unwrap();
        assert_eq!(asked.to_string().parse::<Asked>().unwrap(), asked, "{text}");
    }
    for text in &bad {
        let verdict = verifiers.ask(text, &about(AWARD, LOG, text));
        assert_eq!(verdict, Verdict::Usage, "{text:?}");
        assert!(text.parse::<Asked>().is_err());
    }
    let own = verifiers.ask("its own", &about(AWARD, LOG, "receipt/11"));
    assert!(matches!(own, Verdict::Holds(_)), "{own:?}");
}

#[test]
fn both_command_lines_take_what_is_no_question_for_wrong_use() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("award.tlog-proof");
    std::fs::write(&file, AWARD).unwrap();
    let file = file.to_str().unwrap();
    let python = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/docs/verifier/arborlog_verify.py"
    );
    let arborlog = env!("CARGO_BIN_EXE_arborlog");
    for (asked, exit) in [
        ("receipt/11", 0),
        ("receipt/12", 1),
        ("totals", 1),
        ("holder/ann", 1),
        ("totals/", 2),
        ("specie/1", 2),
        ("", 2),
        ("key/00", 2),
        ("receipt/011", 2),
        ("nothing/0", 2),
        ("plot-history/7/from/x", 2),
    ] {
        let more = ["--log", LOG.trim(), "--about", asked];
        let rust = Command::new(arborlog)
            .args(["verify", file])
            .args(more)
            .output()
            .unwrap();
        let second = Command::new("python3")
            .args([python, "receipt", file])
            .args(more)
            .output()
            .unwrap();
        let exits = [rust.status.code(), second.status.code()];
        assert_eq!(
            exits,
            [Some(exit); 2],
            "{asked:?}: {}",
            String::from_utf8_lossy(&rust.stderr)
        );
        if exit == 2 {
            // Nothing is asked of a server that is not there.
            let prove = ["prove", "--from", "http://127.0.0.1:9", asked];
            let prove = Command::new(arborlog).args(prove).output().unwrap();
            assert_eq!(prove.status.code(), Some(2), "{asked:?}");
        }
    }
}

/// Every file is asked each question that any of them answers, and the whole history where it answers a part.
#[test]
fn each_file_answers_each_question_alike_in_all_verifiers() {
    let mut verifiers = Verifiers::start();
    let vkey: VerifierKey = NEXT_LOG.trim().parse().unwrap();
    let answers = |text: &str| {
        text.parse::<Receipt>()
            .unwrap()
            .verify(&vkey, None, &[])
            .unwrap()
            .answers()
    };
    let whole = |asked: &String| asked.split("/from/").next().unwrap().to_owned();
    let mut asked = BTreeSet::new();
    for (_, text) in FILES {
        for one in answers(text)
            .into_iter()
            .filter(|one| one.parse::<Asked>().is_ok())
        {
            asked.insert(whole(&one));
            asked.insert(one);
        }
    }
    asked.extend(
        [
            "certificate/0",
            "plots/9",
            "surveys/9/latest",
            "plot-history/1/from/3",
        ]
        .map(str::to_owned),
    );
    let mut parts = 0;
    for (name, text) in FILES {
        let own = answers(text);
        for one in &asked {
            let found = verifiers.ask(&format!("{name}: {one}"), &about(text, NEXT_LOG, one));
            let holds = matches!(found, Verdict::Holds(_));
            if own.contains(one) {
                assert!(holds, "{name} answers {one}");
            } else if own
                .iter()
                .any(|own| whole(own) == *one && own.contains("/from/"))
            {
                parts += 1;
                assert_eq!(
                    found,
                    Verdict::Neither(Outcome::Unchecked, "about_part".to_owned()),
                    "{name}: {one}"
                );
            } else if one.starts_with("account-history") || one.starts_with("plot-history") {
                let names_its_top = holds && one.contains("/from/");
                assert!(
                    found == Verdict::False || names_its_top,
                    "{name}: {one}: {found:?}"
                );
            }
        }
    }
    assert_eq!(parts, 2, "the files of a part are asked for the whole");
}

/// A name may be written as a holder's slug is. An item of the name says nothing of a holder.
#[test]
fn an_item_of_a_name_answers_no_question_about_a_holder() {
    let mut verifiers = Verifiers::start();
    let liar = Liar::new();
    for (tag, [a, b], holds) in [(0_u8, [1, 0], true), (1, [0, 1], false)] {
        let key = [&[tag], "ann".as_bytes()].concat();
        let value = match tag {
            0 => vec![0, 0, 0, 0, 7, 1],
            _ => vec![1, 0, 0, 0, 7],
        };
        let leaf = Leaf::new(a, b, &value).unwrap();
        let question = liar.question(domains::HOLDERS, key, leaf, None).unwrap();
        let alone = verifiers.ask("the item", &question);
        assert!(matches!(alone, Verdict::Holds(_)), "{alone:?}");
        let asked = Question {
            about: Some("holder/ann".to_owned()),
            ..question
        };
        let found = verifiers.ask("the holder", &asked);
        assert_eq!(matches!(found, Verdict::Holds(_)), holds, "{found:?}");
    }
}
