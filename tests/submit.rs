//! `submit` as a platform uses it, with a real server: what files, journals, heads, keys, servers
//! and clocks do in a year, and that each award is in once all the same.
#![cfg(feature = "cli")]

#[path = "support/place.rs"]
mod place;
mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arborlog::crypto::SigningKey;
use arborlog::record::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use place::{Place, cut_off_proxy, expiry, line, proxy, wrong};
use serde_json::Value;
use sha2::Digest as _;
use support::dice::Dice;
use support::{Ledger, Server, arborlog, award, copy_dir, passing_on, run_ok, sign_from};

#[test]
fn a_file_with_other_lines_sends_those_and_only_those() {
    let place = Place::new();
    place.write("day.ndjson", [1, 2]);
    place
        .submit("day.ndjson", &[])
        .ends(0, &["2 admitted (entries 5 to 6)"]);
    // Another day under the same name.
    place.write("day.ndjson", [11, 12]);
    place.submit("day.ndjson", &[]).ends(
        0,
        &["2 admitted (entries 8 to 9)", "stand in the input no more"],
    );
    place.once([1, 2, 11, 12]);
    // In the middle, in front, another order, some gone, other blanks in the JSON.
    place.write("day.ndjson", [12, 31, 2, 11, 32]);
    let text = std::fs::read_to_string(place.path("day.ndjson")).unwrap();
    std::fs::write(place.path("day.ndjson"), text.replace("\":", "\" : ")).unwrap();
    let told = place.submit("day.ndjson", &["--json"]);
    told.ends(0, &[]);
    let lines = told.lines();
    let outcomes: Vec<&str> = lines
        .iter()
        .map(|(_, outcome, _)| outcome.as_str())
        .collect();
    let expected = [
        "already_in",
        "admitted",
        "already_in",
        "already_in",
        "admitted",
    ];
    assert_eq!(outcomes, expected);
    let indexes: Vec<u64> = lines
        .iter()
        .map(|(_, _, it)| it.as_u64().unwrap())
        .collect();
    assert_eq!(indexes, [9, 11, 6, 8, 12]);
    place.once([1, 2, 11, 12, 31, 32]);
    assert_eq!(place.entries(), 11);
}

/// kill -9 at each system call that writes the first head of a key: the next run needs no help.
#[test]
fn a_key_whose_first_head_was_cut_short_goes_on() {
    let mut killed = 0;
    for call in ["openat", "write", "fsync", "rename,renameat,renameat2"] {
        let place = Place::new();
        place.write("day.ndjson", [1, 2]);
        let head = place.path("platform.pem.head");
        let trace = place.path("trace");
        let killed_by_strace = std::process::Command::new("strace")
            .args(["-f", "-qq", "-o", &trace])
            .args(["-P", &head, "-P", &format!("{head}.arborlog.tmp")])
            .args(["-e", &format!("trace={call}")])
            .args(["-e", &format!("inject={call}:signal=KILL:when=1")])
            .args([env!("CARGO_BIN_EXE_arborlog"), "submit"])
            .args([&place.path("day.ndjson"), "--to", &place.server.url])
            .args(["--key", &place.path("platform.pem")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        killed += u32::from(!killed_by_strace.success());
        place.submit("day.ndjson", &[]).ends(0, &[]);
        place.once([1, 2]);
    }
    assert!(killed >= 3, "only {killed} were killed");
}

#[test]
fn the_same_line_twice_is_two_and_a_third_is_one_more() {
    let place = Place::new();
    place.write("awards.ndjson", [7]);
    place.submit("awards.ndjson", &[]).ends(0, &[]);
    let gift = expiry(7);
    let other = line(&award(8, 8));
    std::fs::write(place.path("a.ndjson"), format!("{gift}{gift}{other}")).unwrap();
    place.submit("a.ndjson", &[]).ends(0, &["3 admitted"]);
    std::fs::write(place.path("a.ndjson"), format!("{gift}{other}{gift}{gift}")).unwrap();
    place
        .submit("a.ndjson", &[])
        .ends(0, &["1 admitted", "3 already in"]);
    place
        .submit("a.ndjson", &[])
        .ends(0, &["0 admitted", "4 already in"]);
    assert_eq!((place.points(7), place.points(8)), (104 - 3 * 4, 104));
}

/// An award names its event by its evidence, so that two files that overlap can be joined.
#[test]
fn an_award_that_stands_twice_in_an_input_is_taken_once() {
    let place = Place::new();
    let awards = |events: &[u64]| -> String {
        let lines = events.iter().map(|n| line(&award(*n, *n)));
        lines.collect()
    };
    let write = |name: &str, text: &str| std::fs::write(place.path(name), text).unwrap();
    write("week.ndjson", &awards(&[1, 2, 3, 3, 4, 1]));
    let told = place.submit("week.ndjson", &["--json"]);
    told.ends(
        5,
        &["line 3 is the same award", "(line_repeated)", "--sign-anew"],
    );
    assert_eq!(
        (&told.json()["admitted"], &told.json()["set_aside"]),
        (&4.into(), &2.into())
    );
    assert_eq!(told.json()["lines"][3]["reason"], "line_repeated");
    place.once(1..=4);
    // Again; with more behind it; where one of the two stands before what the journal knows.
    place
        .submit("week.ndjson", &[])
        .ends(5, &["0 admitted", "4 already in"]);
    write("week.ndjson", &awards(&[2, 1, 2, 3, 4, 5, 5, 1]));
    place
        .submit("week.ndjson", &[])
        .ends(5, &["1 admitted", "4 already in", "3 set aside"]);
    place.once(1..=5);
    // One of the two is in by another input.
    write("other.ndjson", &awards(&[6]));
    place.submit("other.ndjson", &[]).ends(0, &[]);
    write("both.ndjson", &awards(&[6, 6, 7]));
    place
        .submit("both.ndjson", &[])
        .ends(5, &["1 admitted", "1 already in", "1 set aside"]);
    place.once([6, 7]);
    // What was refused is no award yet.
    write("wrong.ndjson", &format!("{}{}", wrong(8), awards(&[9])));
    place
        .submit("wrong.ndjson", &["--skip-refused"])
        .ends(5, &["1 admitted"]);
    place
        .submit("wrong.ndjson", &["--skip-refused", "--retry-refused"])
        .ends(5, &["1 refused", "0 set aside"]);
    // Somebody means it, and says so.
    write("meant.ndjson", &awards(&[6]));
    place
        .submit("meant.ndjson", &["--sign-anew"])
        .ends(0, &["1 admitted"]);
    write("meant.ndjson", &awards(&[6, 13, 13]));
    place
        .submit("meant.ndjson", &["--sign-anew"])
        .ends(0, &["2 admitted", "1 already in"]);
    place.submit("meant.ndjson", &[]).ends(0, &["3 already in"]);
    assert_eq!(place.times([6, 13]), [2, 2]);
}

/// An event counts once, whatever a later line says of it.
#[test]
fn an_edited_award_of_an_event_that_is_in_is_not_awarded_again() {
    let place = Place::new();
    let write = |name: &str, awards: &[(u64, u64)]| {
        let lines = awards.iter().map(|(to, event)| line(&award(*to, *event)));
        std::fs::write(place.path(name), lines.collect::<String>()).unwrap();
    };
    let set_aside = |name: &str, more: &[&str], words: &[&str]| {
        let told = place.submit(name, &[more, &["--json"]].concat());
        told.ends(
            5,
            &[words, &["(evidence_repeated)", "--sign-anew"]].concat(),
        );
        let lines = told.json()["lines"].as_array().unwrap().clone();
        let reasons = lines
            .iter()
            .filter(|line| line["reason"] == "evidence_repeated");
        let lines = reasons.map(|line| line["line"].as_u64().unwrap());
        lines.collect::<Vec<u64>>()
    };
    // In one input, of which nothing was sent before: the first line counts.
    write("a.ndjson", &[(1, 1), (2, 2), (3, 1)]);
    let told = set_aside(
        "a.ndjson",
        &[],
        &["line 1 says something else", "\"admitted\":2"],
    );
    assert_eq!(told, [3]);
    // Edited, in the first run after it and in each later one.
    write("a.ndjson", &[(4, 1), (2, 2)]);
    for _ in 0..2 {
        let told = set_aside(
            "a.ndjson",
            &[],
            &["entry 5 says something else", "\"admitted\":0"],
        );
        assert_eq!(told, [1]);
    }
    // In another input of the key, beside lines that are new.
    write("b.ndjson", &[(8, 8), (5, 2)]);
    let told = set_aside(
        "b.ndjson",
        &[],
        &["entry 6, which ", "a.ndjson.journal holds"],
    );
    assert_eq!(told, [2]);
    // Journals and head are lost: the log tells, in a recovery and after it.
    for file in ["a.ndjson.journal", "b.ndjson.journal", "platform.pem.head"] {
        std::fs::remove_file(place.path(file)).unwrap();
    }
    let told = set_aside(
        "a.ndjson",
        &["--recover"],
        &["entry 5 says", "\"already_in\":1"],
    );
    assert_eq!(told, [1]);
    write("c.ndjson", &[(6, 1), (6, 8)]);
    let told = set_aside("c.ndjson", &[], &["entry 5 says", "entry 8 says"]);
    assert_eq!(told, [1, 2]);
    assert_eq!(place.entries(), 5 + 3);
    place.once([1, 2, 8]);
    // What a recovery found stands in the journal.
    write("a.ndjson", &[(7, 2)]);
    assert_eq!(set_aside("a.ndjson", &[], &["entry 6 says"]), [1]);
    // Somebody means it, and says so.
    write("meant.ndjson", &[(4, 1)]);
    let meant = place.submit("meant.ndjson", &["--sign-anew"]);
    meant.ends(0, &["1 admitted"]);
    place.submit("meant.ndjson", &[]).ends(0, &["1 already in"]);
    // What was refused is no award: its event is free for the line that is right, and then taken.
    std::fs::write(place.path("d.ndjson"), wrong(9)).unwrap();
    let refused = place.submit("d.ndjson", &["--skip-refused"]);
    refused.ends(5, &["1 refused"]);
    write("d.ndjson", &[(9, 9)]);
    place.submit("d.ndjson", &[]).ends(0, &["1 admitted"]);
    std::fs::write(place.path("d.ndjson"), wrong(9)).unwrap();
    assert_eq!(
        set_aside("d.ndjson", &["--retry-refused"], &["\"refused\":0"]),
        [1]
    );
}

/// Each reason has its own advice, whatever else is wrong.
#[test]
fn all_reasons_why_not_all_lines_are_in_are_told() {
    let place = Place::new();
    place.write("awards.ndjson", [1, 2]);
    place.submit("awards.ndjson", &[]).ends(0, &[]);
    std::fs::write(place.path("a.ndjson"), expiry(1)).unwrap();
    place.submit("a.ndjson", &[]).ends(0, &[]);
    let lines = [
        expiry(1),
        wrong(3),
        "no statement\n".to_owned(),
        line(&award(4, 4)),
        line(&award(4, 4)),
        line(&award(5, 1)),
    ];
    std::fs::write(place.path("b.ndjson"), lines.concat()).unwrap();
    place.submit("b.ndjson", &["--skip-refused"]).ends(
        5,
        &[
            "refused: 1 line",
            "no statement: 1 line",
            "(line_repeated)",
            "(evidence_repeated)",
            "1 line says by a transfer, a claim or a correction",
            "1 admitted (entry ",
        ],
    );
}

#[test]
fn a_name_that_is_used_anew_each_day_leaves_the_doubt_that_another_name_would() {
    let place = Place::new();
    let write = |text: &str| std::fs::write(place.path("today.ndjson"), text).unwrap();
    write(&format!("{}{}", line(&award(1, 1)), expiry(1)));
    place.submit("today.ndjson", &[]).ends(0, &["2 admitted"]);
    write(&format!("{}{}", line(&award(2, 2)), expiry(1)));
    for admitted in [1, 0] {
        let told = place.submit("today.ndjson", &["--json"]);
        told.ends(5, &["names no event", "used anew"]);
        let json = told.json();
        assert_eq!(
            (&json["admitted"], &json["gone"], &json["unsure"]),
            (&admitted.into(), &1.into(), &1.into())
        );
    }
    assert_eq!(place.points(1), 104 - 4);
    // A further one goes in as the message says; the line is taken out here.
    std::fs::write(place.path("further.ndjson"), expiry(1)).unwrap();
    place
        .submit("further.ndjson", &["--sign-anew"])
        .ends(0, &["1 admitted"]);
    write(&line(&award(2, 2)));
    place.submit("today.ndjson", &[]).ends(0, &["1 already in"]);
}

#[test]
fn only_what_is_in_is_told_to_stay_in_the_ledger() {
    let place = Place::new();
    std::fs::write(
        place.path("a.ndjson"),
        format!("{}{}", line(&award(1, 1)), wrong(2)),
    )
    .unwrap();
    place
        .submit("a.ndjson", &["--skip-refused"])
        .ends(5, &["1 refused"]);
    place.write("a.ndjson", [1, 2]);
    let told = place.submit("a.ndjson", &["--json"]);
    told.ends(0, &[]);
    assert_eq!(told.json()["gone"], 0);
    assert!(!told.err.contains("stays in the ledger"), "{}", told.err);
}

#[test]
fn an_empty_input_is_told_with_a_warning() {
    let place = Place::new();
    for text in ["", "\n\n"] {
        std::fs::write(place.path("a.ndjson"), text).unwrap();
        place
            .submit("a.ndjson", &[])
            .ends(0, &["0 lines read", "warning: ", "is empty"]);
    }
}

/// What a pipe gave is gone: it is read once. Beside a device stands no journal.
#[test]
fn a_pipe_is_read_once_with_a_journal_that_is_named() {
    let place = Place::new();
    let fifo = place.path("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let submit = |input: &str, more: &[&str]| {
        let mut command = arborlog();
        command
            .args(["submit", input, "--to", &place.server.url])
            .args(["--key", &place.path("platform.pem")])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let ends = |child: std::process::Child, code: i32, words: &str| {
        let output = child.wait_with_output().unwrap();
        let all = [output.stdout, output.stderr].concat();
        let all = String::from_utf8(all).unwrap();
        assert_eq!(output.status.code(), Some(code), "{all}");
        assert!(all.contains(words), "{words}: {all}");
    };
    for input in [fifo.as_str(), "/dev/stdin", "/dev/fd/0"] {
        ends(submit(input, &[]), 2, "--journal");
    }
    assert!(!Path::new("/dev/stdin.journal").exists());
    let journal = place.path("piped.journal");
    let child = submit(&fifo, &["--journal", &journal]);
    // Opening it waits for the reader.
    std::fs::write(&fifo, [1, 2].map(|n| line(&award(n, n))).concat()).unwrap();
    ends(child, 0, "2 admitted");
    let mut child = submit("/dev/stdin", &["--journal", &journal]);
    let text = [1, 2, 3].map(|n| line(&award(n, n))).concat();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    ends(child, 0, "1 admitted (entry 8), 2 already in");
    place.once([1, 2, 3]);
}

#[test]
fn every_line_is_accounted_for_and_the_exit_code_says_when_not_all_are_in() {
    let place = Place::new();
    let good = |n| line(&award(n, n));
    let text = format!(
        "{}\n{}{{\"kind\":\"gift\"}}\n{}not json\n{}",
        good(1),
        wrong(2),
        good(3),
        good(4)
    );
    std::fs::write(place.path("a.ndjson"), text).unwrap();
    // It stops at the first refusal; nothing behind it is sent.
    let told = place.submit("a.ndjson", &["--json"]);
    told.ends(
        5,
        &["stopped at line 3", "points_mismatch", "--skip-refused"],
    );
    let expected = [
        (1, "admitted", Value::from(5)),
        (3, "refused", "points_mismatch".into()),
        (4, "set_aside", Value::Null),
        (5, "not_sent", Value::Null),
        (6, "set_aside", Value::Null),
        (7, "not_sent", Value::Null),
    ];
    let expected = expected.map(|(line, outcome, what)| (line, outcome.to_owned(), what));
    assert_eq!(told.lines(), expected);
    // It notes just the one that is refused.
    let told = place.submit("a.ndjson", &["--json", "--skip-refused"]);
    told.ends(
        5,
        &["line 3: refused", "line 4: set aside", "line 6: set aside"],
    );
    let outcomes: Vec<String> = told.lines().into_iter().map(|(_, it, _)| it).collect();
    let expected = [
        "already_in",
        "refused",
        "set_aside",
        "admitted",
        "set_aside",
        "admitted",
    ];
    assert_eq!(outcomes, expected);
    // Told again, also without the flag, and not sent again.
    let told = place.submit("a.ndjson", &[]);
    told.ends(
        5,
        &["3 already in, 1 refused, 2 set aside", "line 3: refused"],
    );
    assert_eq!(place.entries(), 8);
    // A corrected line is a new line.
    std::fs::write(
        place.path("a.ndjson"),
        [good(1), good(2), good(3), good(4)].concat(),
    )
    .unwrap();
    place
        .submit("a.ndjson", &[])
        .ends(0, &["1 admitted", "3 already in"]);
    place.once([1, 2, 3, 4]);
}

#[test]
fn a_refused_line_can_be_corrected_or_sent_again_when_it_is_right() {
    let place = Place::new();
    let claim = format!(
        "{{\"kind\":\"claim\",\"account\":\"{}\",\"method\":1,\"version\":1,\"species\":1,\"points\":100}}\n",
        match award(1, 1) {
            Statement::Award(award) => award.account,
            _ => panic!(),
        }
    );
    std::fs::write(place.path("claims.ndjson"), &claim).unwrap();
    place
        .submit("claims.ndjson", &["--skip-refused"])
        .ends(5, &["balance_short"]);
    place.write("awards.ndjson", [1]);
    place.submit("awards.ndjson", &[]).ends(0, &[]);
    place
        .submit("claims.ndjson", &[])
        .ends(5, &["balance_short"]);
    place
        .submit("claims.ndjson", &["--retry-refused"])
        .ends(0, &["1 admitted"]);
    place
        .submit("claims.ndjson", &[])
        .ends(0, &["1 already in"]);
    assert_eq!(place.points(1), 4);

    // A day to come is no refusal for good.
    let Statement::Award(mut later) = award(9, 9) else {
        panic!();
    };
    later.occurred_on = Day(later.occurred_on.0 + 1);
    let text = line(&Statement::Award(later)) + &line(&award(10, 10));
    std::fs::write(place.path("later.ndjson"), text).unwrap();
    place
        .submit("later.ndjson", &["--skip-refused"])
        .ends(5, &["1 admitted", "1 refused", "day_refused"]);
    let journal = std::fs::read_to_string(place.path("later.ndjson.journal")).unwrap();
    assert!(!journal.contains("day_refused"), "{journal}");
    place.once([10]);
}

#[test]
fn many_refused_lines_among_good_ones_are_each_noted() {
    let place = Place::new();
    let mut dice = Dice::new(7);
    let bad: Vec<bool> = (0..2_500).map(|_| dice.one_in(3)).collect();
    let text: String = (0..)
        .zip(&bad)
        .map(|(n, bad)| if *bad { wrong(n) } else { line(&award(n, n)) })
        .collect();
    std::fs::write(place.path("a.ndjson"), text).unwrap();
    let told = place.submit("a.ndjson", &["--json", "--skip-refused"]);
    told.ends(5, &[]);
    for ((number, outcome, what), bad) in told.lines().iter().zip(&bad) {
        let expected = if *bad { "refused" } else { "admitted" };
        assert_eq!(outcome, expected, "line {number}");
        assert_eq!(what.is_u64(), !bad);
    }
    let good = bad.iter().filter(|bad| !**bad).count() as u64;
    assert_eq!(place.entries(), 5 + good);
    let again = place.submit("a.ndjson", &["--json"]);
    assert_eq!(again.json()["already_in"], good);
    assert_eq!(place.entries(), 5 + good);
}

#[test]
fn a_lost_a_cut_or_an_old_journal_is_noticed_and_made_anew_from_the_log() {
    let place = Place::new();
    let journal = place.path("a.ndjson.journal");
    place.write("a.ndjson", 0..40);
    place.submit("a.ndjson", &[]).ends(0, &[]);
    let lines =
        |text: &str| -> Vec<String> { text.split_inclusive('\n').map(str::to_owned).collect() };
    type Damage<'a> = (
        &'a str,
        Box<dyn Fn(&str, &str) -> Option<String> + 'a>,
        &'a str,
    );
    let damages: [Damage<'_>; 6] = [
        ("lost", Box::new(|_, _| None), "is not there"),
        (
            "yesterday's",
            Box::new(|_, before| Some(before.to_owned())),
            "older copy was put back",
        ),
        (
            "cut",
            Box::new(|now, _| {
                let lines = lines(now);
                Some(lines[..lines.len() - 2].concat())
            }),
            "or cut",
        ),
        (
            "a changed index",
            Box::new(|now, _| {
                let changed = now.replacen("\"index\":5,", "\"index\":6,", 1);
                Some(changed).filter(|changed| changed != now)
            }),
            "is damaged",
        ),
        (
            "a line less",
            Box::new(|now, _| {
                let mut lines = lines(now);
                lines.remove(20);
                Some(lines.concat())
            }),
            "line 21 is damaged",
        ),
        (
            "a journal of before a recovery",
            Box::new(|_, _| None),
            "was put back",
        ),
    ];
    let mut count = 40;
    for (what, damage, words) in damages {
        let before = std::fs::read_to_string(&journal).unwrap();
        count += 10;
        place.write("a.ndjson", 0..count);
        place.submit("a.ndjson", &[]).ends(0, &["10 admitted"]);
        let now = std::fs::read_to_string(&journal).unwrap();
        match damage(&now, &before) {
            Some(text) => std::fs::write(&journal, text).unwrap(),
            None if what == "a journal of before a recovery" => {
                std::fs::copy(place.path("a.ndjson.journal.old.1"), &journal).unwrap();
            }
            None => {
                assert_eq!(what, "lost");
                std::fs::remove_file(&journal).unwrap();
            }
        }
        count += 1;
        place.write("a.ndjson", 0..count);
        let told = place.submit("a.ndjson", &[]);
        told.ends(1, &[words, "--recover"]);
        assert!(!told.out.contains("admitted"), "{what}: {}", told.out);
        assert_eq!(place.entries(), 5 + count - 1, "{what}");
        place
            .submit("a.ndjson", &["--recover"])
            .ends(0, &["1 admitted", &format!("{} already in", count - 1)]);
        place
            .submit("a.ndjson", &[])
            .ends(0, &["0 admitted", &format!("{count} already in")]);
    }
    place.once(0..count);
    // What was there is put aside, never removed.
    for number in 1..=5 {
        let aside = place.path(&format!("a.ndjson.journal.old.{number}"));
        assert!(std::fs::metadata(aside).unwrap().len() > 1_000);
    }
}

#[test]
fn the_same_lines_under_another_name_or_in_another_order_are_in() {
    let place = Place::new();
    place.write("a.ndjson", 0..10);
    place.submit("a.ndjson", &[]).ends(0, &["10 admitted"]);
    let journal = place.path("a.ndjson.journal");
    // Another name; another order; some of them, between new ones.
    place.write("copy.ndjson", 0..10);
    let told = place.submit("copy.ndjson", &["--json"]);
    told.ends(0, &["10 lines, from line 1 on", &journal]);
    assert_eq!(told.json()["already_in"], 10);
    let others = &told.json()["other_inputs"];
    assert_eq!(others[0]["journal"], journal.as_str());
    assert_eq!(
        (&others[0]["lines"], &others[0]["first_line"]),
        (&10.into(), &1.into())
    );
    place.write("turned.ndjson", (0..10).rev());
    place
        .submit("turned.ndjson", &[])
        .ends(0, &["0 admitted", "10 already in"]);
    place.write("mixed.ndjson", [20, 7, 21, 3, 22]);
    place.submit("mixed.ndjson", &[]).ends(
        0,
        &["3 admitted", "2 already in", "2 lines, from line 2 on"],
    );
    // What two other inputs sent, each its part.
    place.write("all.ndjson", (0..10).chain(20..25));
    let told = place.submit("all.ndjson", &["--json"]);
    told.ends(0, &[]);
    assert_eq!(
        (&told.json()["admitted"], &told.json()["already_in"]),
        (&2.into(), &13.into())
    );
    assert_eq!(told.json()["other_inputs"].as_array().unwrap().len(), 2);
    place.once((0..10).chain(20..25));
    // Again, each of them: nothing new.
    let entries = place.entries();
    for name in ["a", "copy", "turned", "mixed", "all"] {
        let name = format!("{name}.ndjson");
        place.submit(&name, &[]).ends(0, &["0 admitted"]);
    }
    assert_eq!(place.entries(), entries);
}

#[test]
fn each_record_of_another_input_stands_for_one_line_and_further_ones_are_signed_if_asked() {
    let place = Place::new();
    place.write("awards.ndjson", [7]);
    place.submit("awards.ndjson", &[]).ends(0, &[]);
    let gift = expiry(7);
    std::fs::write(place.path("a.ndjson"), gift.repeat(2)).unwrap();
    place.submit("a.ndjson", &[]).ends(0, &["2 admitted"]);
    std::fs::write(place.path("b.ndjson"), gift.repeat(3)).unwrap();
    place
        .submit("b.ndjson", &[])
        .ends(5, &["1 admitted", "2 already in"]);
    place.submit("b.ndjson", &[]).ends(5, &["3 already in"]);
    assert_eq!(place.points(7), 104 - 3 * 4);
    // A journal is one input's: a copy of b's under another name is refused.
    for suffix in ["", ".journal"] {
        let from = place.path(&format!("b.ndjson{suffix}"));
        std::fs::copy(from, place.path(&format!("c.ndjson{suffix}"))).unwrap();
    }
    place.submit("c.ndjson", &[]).ends(1, &["is a copy of"]);
    std::fs::remove_file(place.path("c.ndjson.journal")).unwrap();
    place.submit("c.ndjson", &[]).ends(5, &["3 already in"]);
    // Somebody truly wants them again.
    std::fs::write(place.path("d.ndjson"), gift.repeat(2)).unwrap();
    place
        .submit("d.ndjson", &["--sign-anew"])
        .ends(0, &["2 admitted"]);
    place.submit("d.ndjson", &[]).ends(0, &["2 already in"]);
    assert_eq!(place.points(7), 104 - 5 * 4);
}

#[test]
fn what_can_be_said_twice_is_not_taken_as_in_without_an_exit_code_that_says_so() {
    let place = Place::new();
    place.write("a.ndjson", [1, 2]);
    place.submit("a.ndjson", &[]).ends(0, &[]);
    let gift = expiry(1);
    std::fs::write(place.path("monday.ndjson"), &gift).unwrap();
    place.submit("monday.ndjson", &[]).ends(0, &["1 admitted"]);
    std::fs::write(place.path("tuesday.ndjson"), &gift).unwrap();
    let journal = place.path("monday.ndjson.journal");
    let told = place.submit("tuesday.ndjson", &["--json"]);
    told.ends(5, &[&journal, "names no event", "--sign-anew"]);
    assert_eq!(told.json()["outcome"], "not_all_in");
    assert_eq!(told.json()["already_in"], 1);
    assert_eq!(told.json()["other_inputs"][0]["unsure"], 1);
    assert_eq!(place.points(1), 104 - 4);
    place
        .submit("tuesday.ndjson", &["--journal", &journal])
        .ends(0, &["1 already in"]);
    place
        .submit("tuesday.ndjson", &["--sign-anew"])
        .ends(0, &["1 admitted"]);
    place
        .submit("tuesday.ndjson", &[])
        .ends(0, &["1 already in"]);
    assert_eq!(place.points(1), 104 - 8);
}

#[test]
fn without_the_journal_of_another_input_nothing_is_guessed() {
    let place = Place::new();
    place.write("a.ndjson", 0..10);
    place.submit("a.ndjson", &[]).ends(0, &[]);
    let journal = place.path("a.ndjson.journal");
    let whole = std::fs::read_to_string(&journal).unwrap();
    let entries = place.entries();
    // A folder of its own for each run, gone after it; cut; of before; changed; something else.
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let cases: [(Option<String>, &str); 4] = [
        (None, "is not there"),
        (Some(lines[..4].concat()), "is not as the head"),
        (
            Some(whole.replacen("\"seq\":0", "\"seq\":1", 1)),
            "is damaged",
        ),
        (Some("my notes\n".to_owned()), "is no journal"),
    ];
    for (content, words) in cases {
        match content {
            Some(content) => std::fs::write(&journal, content).unwrap(),
            None => std::fs::remove_file(&journal).unwrap(),
        }
        place.write("copy.ndjson", (0..10).rev());
        let told = place.submit("copy.ndjson", &[]);
        assert!([1, 4].contains(&told.code), "{}", told.err);
        told.ends(told.code, &[&journal, words]);
    }
    assert_eq!(place.entries(), entries);
    // A journal that can't be read says nothing either way.
    std::fs::remove_file(&journal).unwrap();
    std::fs::create_dir(&journal).unwrap();
    place.submit("copy.ndjson", &[]).ends(3, &[&journal]);
    std::fs::remove_dir(&journal).unwrap();
    // The log has what it held: the copy takes those lines as sent, and signs the rest.
    place.write("copy.ndjson", (0..11).rev());
    place.submit("copy.ndjson", &["--recover"]).ends(
        0,
        &[
            "1 admitted",
            "10 already in",
            &format!("{journal} is missing"),
        ],
    );
    place.submit("copy.ndjson", &[]).ends(0, &["11 already in"]);
    // And a, with its journal put back, or without.
    std::fs::write(&journal, &whole).unwrap();
    place.submit("a.ndjson", &[]).ends(0, &["10 already in"]);
    place.write("third.ndjson", 0..12);
    place
        .submit("third.ndjson", &[])
        .ends(0, &["1 admitted", "11 already in"]);
    // Both journals hold the same ten records: they are ten, not twenty.
    let twice = std::fs::read_to_string(place.path("a.ndjson"))
        .unwrap()
        .repeat(2);
    std::fs::write(place.path("twice.ndjson"), twice).unwrap();
    place
        .submit("twice.ndjson", &[])
        .ends(5, &["0 admitted", "10 already in", "10 set aside"]);
    place.once(0..12);
}

#[test]
fn what_another_input_sent_without_an_answer_is_no_other_writer() {
    let mut place = Place::new();
    place.write("a.ndjson", [1]);
    place.submit("a.ndjson", &[]).ends(0, &[]);
    // A proxy hands the batch over and dies before the answer: the run ends, and its head is saved.
    place.write("a.ndjson", [1, 2, 3]);
    let proxy = cut_off_proxy(&place.server.url);
    let output = place.submit_to(&proxy, "a.ndjson", &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert_eq!(place.entries(), 8);
    // Another input finds in the log what became of them.
    place.write("b.ndjson", [3, 4]);
    place
        .submit("b.ndjson", &[])
        .ends(0, &["1 admitted", "1 already in"]);
    place.submit("a.ndjson", &[]).ends(0, &["3 already in"]);
    place.once(1..5);
    place.stop();
}

#[test]
fn a_torn_end_of_a_journal_is_cut_off_and_the_log_tells_what_became_of_it() {
    let place = Place::new();
    place.write("a.ndjson", 0..30);
    place.submit("a.ndjson", &[]).ends(0, &[]);
    // Without the head, and without the answers: as if the process had been killed at the send.
    let journal = place.path("a.ndjson.journal");
    let whole = std::fs::read_to_string(&journal).unwrap();
    let sent = whole.find("{\"in\":").unwrap();
    let end = whole[..sent].rfind('\n').unwrap() + 1;
    std::fs::write(&journal, format!("{}{}", &whole[..end], "0123")).unwrap();
    std::fs::remove_file(place.path("platform.pem.head")).unwrap();
    place
        .submit("a.ndjson", &[])
        .ends(0, &["0 admitted", "30 already in"]);
    place.once(0..30);
}

#[test]
fn a_lost_head_is_no_harm_where_the_journal_has_all_and_is_noticed_where_not() {
    let place = Place::new();
    let head = place.path("platform.pem.head");
    place.write("a.ndjson", 0..10);
    place.submit("a.ndjson", &[]).ends(0, &[]);
    let mode = std::fs::metadata(&head).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    std::fs::remove_file(&head).unwrap();
    place.write("a.ndjson", 0..12);
    place.submit("a.ndjson", &[]).ends(0, &["2 admitted"]);

    // Two inputs: neither journal has all, and the head alone knew that there were two.
    place.write("b.ndjson", 20..30);
    place.submit("b.ndjson", &[]).ends(0, &[]);
    std::fs::remove_file(&head).unwrap();
    let entries = place.entries();
    for input in ["a.ndjson", "b.ndjson"] {
        place.submit(input, &[]).ends(1, &["--recover"]);
    }
    // A head that was put back from before is no better than none.
    place.write("c.ndjson", [40]);
    place.submit("c.ndjson", &[]).ends(1, &["--recover"]);
    place
        .submit("a.ndjson", &["--recover"])
        .ends(0, &["0 admitted", "12 already in"]);
    // What a does not say is b's: its journal lies beside that of a, and is known again. So its lines
    // are in for any input of the key.
    place.write("d.ndjson", [25, 29]);
    place
        .submit("d.ndjson", &[])
        .ends(0, &["2 already in", "b.ndjson.journal has what they say"]);
    place.submit("b.ndjson", &[]).ends(0, &["10 already in"]);
    place.submit("c.ndjson", &[]).ends(0, &["1 admitted"]);
    place.once((0..12).chain(20..30).chain([40]));
    assert_eq!(place.entries(), entries + 1);
    // A changed head is noticed.
    let text = std::fs::read_to_string(&head).unwrap();
    std::fs::write(&head, text.replace("\"seq\":3", "\"seq\":2")).unwrap();
    place
        .submit("c.ndjson", &[])
        .ends(1, &["platform.pem.head is damaged"]);
}

#[test]
fn when_all_is_lost_each_input_is_recovered_and_what_says_the_same_is_asked_about() {
    let place = Place::new();
    // Equal lines in both: a gift a day.
    let gift = line(&award(50, 50));
    for (input, own) in [("a.ndjson", 0..10), ("b.ndjson", 10..20)] {
        place.write(input, own);
        let text = std::fs::read_to_string(place.path(input)).unwrap();
        std::fs::write(place.path(input), format!("{text}{gift}")).unwrap();
        place
            .submit(input, &["--sign-anew"])
            .ends(0, &["11 admitted"]);
    }
    let entries = place.entries();
    // A pod's disk: journals and head.
    for file in ["a.ndjson.journal", "b.ndjson.journal", "platform.pem.head"] {
        std::fs::remove_file(place.path(file)).unwrap();
    }
    place
        .submit("a.ndjson", &[])
        .ends(1, &["22 statements", "--recover"]);
    place
        .submit("a.ndjson", &["--recover"])
        .ends(0, &["11 already in"]);
    // b has no journal, and a line of it says what a record says that nothing holds.
    place.submit("b.ndjson", &[]).ends(
        1,
        &["line 1 says what entry 17 says", "--recover", "--sign-anew"],
    );
    place
        .submit("b.ndjson", &["--recover"])
        .ends(0, &["0 admitted", "11 already in"]);
    assert_eq!(place.entries(), entries);
    // Another input may say the same once more: all others are accounted for now.
    std::fs::write(place.path("c.ndjson"), &gift).unwrap();
    place
        .submit("c.ndjson", &["--sign-anew"])
        .ends(0, &["1 admitted"]);
    for input in ["a.ndjson", "b.ndjson", "c.ndjson"] {
        place.submit(input, &[]).ends(0, &["0 admitted"]);
    }
    place.once(0..20);
    assert_eq!(place.times([50]), [3]);
}

#[test]
fn of_a_lost_journal_the_head_knows_which_records_were_its_own() {
    let place = Place::new();
    let gift = line(&award(50, 50));
    std::fs::write(place.path("a.ndjson"), line(&award(1, 1))).unwrap();
    std::fs::write(place.path("b.ndjson"), &gift).unwrap();
    place.submit("a.ndjson", &[]).ends(0, &[]);
    place.submit("b.ndjson", &[]).ends(0, &[]);
    // a gets the same gift, and loses its journal before it is sent.
    std::fs::write(place.path("a.ndjson"), line(&award(1, 1)) + &gift).unwrap();
    std::fs::remove_file(place.path("a.ndjson.journal")).unwrap();
    place.submit("a.ndjson", &[]).ends(1, &["--recover"]);
    place
        .submit("a.ndjson", &["--recover", "--sign-anew"])
        .ends(0, &["1 admitted", "1 already in"]);
    place.submit("b.ndjson", &[]).ends(0, &["1 already in"]);
    assert_eq!(place.times([1, 50]), [1, 2]);
}

#[test]
fn a_key_that_is_replaced_in_the_middle_of_a_file_goes_on_where_the_old_one_ended() {
    let place = Place::new();
    place.write("d.ndjson", [41, 42]);
    place.submit("d.ndjson", &[]).ends(0, &[]);
    place.grant("app2.pem");
    let app2 = place.path("app2.pem");
    place.write("d.ndjson", [41, 42, 43]);
    place
        .submit("d.ndjson", &["--key", &app2])
        .ends(0, &["1 admitted", "2 already in"]);
    // The journal is lost: the new key's head knows that there was one, and whose lines it had.
    std::fs::rename(place.path("d.ndjson.journal"), place.path("away")).unwrap();
    place
        .submit("d.ndjson", &["--key", &app2])
        .ends(1, &["is not there", "--recover"]);
    place
        .submit("d.ndjson", &["--key", &app2, "--recover"])
        .ends(0, &["3 already in"]);
    // With neither, the old key is named.
    std::fs::remove_file(place.path("d.ndjson.journal")).unwrap();
    std::fs::remove_file(place.path("app2.pem.head")).unwrap();
    let old = place.ledger.platform.public().to_string();
    place
        .submit(
            "d.ndjson",
            &["--key", &app2, "--recover", "--old-key", &old],
        )
        .ends(0, &["0 admitted", "3 already in"]);
    place.once([41, 42, 43]);
}

/// A journal as a process left it that was killed before it had an answer.
fn left_unanswered(
    place: &Place,
    name: &str,
    key: &SigningKey,
    issued_on: Day,
    awards: &[u64],
    sealed: bool,
) {
    let remote = place.server.remote();
    let head = remote.issuer(&key.public()).unwrap();
    let context = place.ledger.context();
    let (mut seq, mut prev) = (head.next_seq, head.prev);
    let mut lines = vec![first_line(name, 5)];
    let said = awards.iter().map(|n| award(*n, *n));
    if sealed {
        let at = SealPlace {
            seq,
            prev,
            issued_on,
        };
        let said: Vec<SealedStatement> = said
            .map(|statement| SealedStatement::new(statement).unwrap())
            .collect();
        let (batch, _) = SealedBatch::seal(said, at, &context, key).unwrap();
        let bytes = STANDARD.encode(batch.seal_record().encode().unwrap());
        lines.push(serde_json::json!({"seal": {"key": key.public(), "seq": seq, "record": bytes}}));
        for statement in batch.statements() {
            let digest = arborlog::client::statement_digest(statement.statement()).unwrap();
            let bytes = STANDARD.encode(statement.bytes());
            lines.push(serde_json::json!({"sealed": {"digest": digest, "statement": bytes}}));
        }
    } else {
        lines.push(serde_json::json!({"batch": {"key": key.public(), "seq": seq}}));
        for statement in said {
            let record = Record {
                issuer: key.public(),
                seq,
                prev,
                issued_on,
                statement,
            };
            let (signed, id) = draft(&record, &context, key).unwrap();
            let digest = arborlog::client::statement_digest(&record.statement).unwrap();
            let bytes = STANDARD.encode(signed.encode().unwrap());
            lines.push(serde_json::json!({"signed": {"digest": digest, "record": bytes}}));
            (seq, prev) = (Seq(seq.0 + 1), id);
        }
    }
    std::fs::write(place.path(name), chained(&lines)).unwrap();
}

/// A journal's first line.
fn first_line(name: &str, version: u32) -> Value {
    serde_json::json!({"journal": {
        "version": version, "id": format!("of {name}"), "origin": support::ORIGIN,
    }})
}

/// Lines with their checksums.
fn chained(lines: &[Value]) -> String {
    let (mut text, mut chain) = (String::new(), [0_u8; 32]);
    for json in lines {
        let json = json.to_string();
        let mut hasher = sha2::Sha256::new();
        hasher.update(chain);
        hasher.update(&json);
        chain = hasher.finalize().into();
        text.push_str(&format!("{} {json}\n", hex::encode(&chain[..16])));
    }
    text
}

#[test]
fn what_was_signed_with_a_wrong_clock_is_signed_anew() {
    let place = Place::new();
    let today = arborlog::client::today();
    for (input, days, awards, sealed) in [
        ("a.ndjson", 40_i64, [1, 2], false),
        ("b.ndjson", -40, [3, 4], false),
        ("c.ndjson", 40, [5, 6], true),
        ("d.ndjson", -40, [7, 8], true),
    ] {
        let day = Day(u32::try_from(i64::from(today.0) + days).unwrap());
        place.write(input, awards);
        let journal = format!("{input}.journal");
        let key = &place.ledger.platform;
        left_unanswered(&place, &journal, key, day, &awards, sealed);
        place.submit(input, &[]).ends(0, &["2 admitted"]);
        place.submit(input, &[]).ends(0, &["2 already in"]);
    }
    place.once(1..=8);
}

#[test]
fn what_an_older_key_signed_is_sent_as_it_is_or_signed_anew_once_it_can_never_come_in() {
    for sealed in [false, true] {
        what_an_older_key_signed(sealed);
    }
}

fn what_an_older_key_signed(sealed: bool) {
    let place = Place::new();
    let old = place.ledger.platform.clone();
    place.grant("app2.pem");
    let app2 = place.path("app2.pem");
    let today = arborlog::client::today();

    // Nobody knows whether it came in: it is sent again, which needs no private key.
    place.write("a.ndjson", [1, 2]);
    left_unanswered(&place, "a.ndjson.journal", &old, today, &[1, 2], sealed);
    std::fs::rename(place.path("platform.pem"), place.path("gone.pem")).unwrap();
    place
        .submit("a.ndjson", &["--key", &app2])
        .ends(0, &["0 admitted", "2 already in"]);
    let entry: Value = place.server.remote().json("v1/entries/6").unwrap();
    assert_eq!(entry["issuer"], old.public().to_string(), "{entry}");

    // It was signed for a day to come: it could come in then.
    place.write("b.ndjson", [3]);
    let later = Day(today.0 + 40);
    left_unanswered(&place, "b.ndjson.journal", &old, later, &[3], sealed);
    place
        .submit("b.ndjson", &["--key", &app2])
        .ends(1, &["until that day comes", "revoke", "--sign-anew"]);
    // Too long ago: never again.
    place.write("c.ndjson", [4]);
    let long_ago = Day(today.0 - 40);
    left_unanswered(&place, "c.ndjson.journal", &old, long_ago, &[4], sealed);
    place
        .submit("c.ndjson", &["--key", &app2])
        .ends(0, &["1 admitted"]);
    // The key is revoked: never again, whatever the day.
    place.ledger.govern(
        &place.server.remote(),
        Statement::KeyRevoke(KeyRevoke {
            key: old.public(),
            reason: "replaced".parse().unwrap(),
            compromised_since: None,
            set: Index(0),
        }),
        None,
    );
    place
        .submit("b.ndjson", &["--key", &app2])
        .ends(0, &["1 admitted"]);
    place.once([1, 2, 3, 4]);
    // The old key itself says what to do.
    place.write("e.ndjson", [5]);
    place
        .submit("e.ndjson", &["--key", &place.path("gone.pem"), "--recover"])
        .ends(5, &["key_revoked", "With another granted key"]);
    let told = place.submit("e.ndjson", &["--key", &app2]);
    told.ends(0, &["1 admitted"]);
    place.once([5]);
}

#[test]
fn a_server_that_was_put_back_from_an_older_copy_is_told_from_the_log_that_it_was() {
    let mut place = Place::new();
    place.write("a.ndjson", [1, 2]);
    place.submit("a.ndjson", &[]).ends(0, &[]);
    place.stop();
    let copy = place.ledger.temp.path().join("copy");
    copy_dir(&place.ledger.dir, &copy);
    place.start();
    place.write("a.ndjson", [1, 2, 3, 4]);
    place.submit("a.ndjson", &[]).ends(0, &["2 admitted"]);
    place.stop();
    let newest = place.ledger.temp.path().join("newest");
    copy_dir(&place.ledger.dir, &newest);
    place.start();

    place.put_back(&copy);
    let told = place.submit("a.ndjson", &["--json"]);
    told.ends(1, &["has 8 entries, and had 11", "Tell the operator"]);
    let failure: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(failure["code"], "log_contradicts_itself");
    assert_eq!(
        (&failure["admitted"], &failure["lines"]),
        (&Value::Null, &Value::Null)
    );
    let folder = place.path("a.ndjson.journal.evidence");
    let mut notes: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    notes.sort_by_key(|note| note.lines().nth(1).unwrap().parse::<u64>().unwrap());
    let sizes: Vec<&str> = notes
        .iter()
        .map(|note| note.lines().nth(1).unwrap())
        .collect();
    assert_eq!(sizes, ["8", "11"]);
    // Other inputs of the key do not go on either, nor does a recovery.
    place.write("b.ndjson", [5]);
    place
        .submit("b.ndjson", &[])
        .ends(1, &["Tell the operator"]);
    place
        .submit("a.ndjson", &["--recover"])
        .ends(1, &["Tell the operator"]);
    // Nor when others made the log as long again.
    let more: Vec<Statement> = (100..110).map(|n| award(n, n)).collect();
    let key = place.grant("other.pem");
    let remote = place.server.remote();
    let head = remote.issuer(&key.public()).unwrap();
    let context = place.ledger.context();
    let records = sign_from(&context, &key, head.next_seq, head.prev, &more);
    remote.append(&records).unwrap();
    place
        .submit("a.ndjson", &[])
        .ends(1, &["the first 11 entries of the log are others"]);
    // The newest copy mends it.
    place.put_back(&newest);
    place.submit("a.ndjson", &[]).ends(0, &["4 already in"]);
    place.submit("b.ndjson", &[]).ends(0, &["1 admitted"]);
    place.once([1, 2, 3, 4, 5]);

    // If the loss is final, head and journal are put aside, and the log tells what is missing.
    place.put_back(&copy);
    for file in ["a.ndjson.journal", "b.ndjson.journal", "platform.pem.head"] {
        std::fs::rename(place.path(file), place.path(&format!("{file}.aside"))).unwrap();
    }
    place.submit("a.ndjson", &[]).ends(1, &["--recover"]);
    place
        .submit("a.ndjson", &["--recover"])
        .ends(0, &["2 admitted", "2 already in"]);
    place.submit("b.ndjson", &[]).ends(0, &["1 admitted"]);
    place.once([1, 2, 3, 4, 5]);
}

/// As docs/operations.md has it, "An old copy was served": a platform that had sent to the second history
/// takes the first up again with a head and journals of its own.
#[test]
fn after_a_fork_the_first_history_is_taken_up_by_a_new_head() {
    let mut place = Place::new();
    place.write("a.ndjson", [1]);
    place.submit("a.ndjson", &[]).ends(0, &[]);
    place.stop();
    let old = place.ledger.temp.path().join("old");
    copy_dir(&place.ledger.dir, &old);
    place.start();
    // The first history goes on by others, whom this platform's head does not know.
    place.grant("other.pem");
    place.stop();
    let first = place.ledger.temp.path().join("first");
    copy_dir(&place.ledger.dir, &first);
    place.start();
    place.put_back(&old);
    place.write("a.ndjson", [1, 2]);
    place.submit("a.ndjson", &[]).ends(0, &["1 admitted"]);

    place.put_back(&first);
    for more in [&[][..], &["--recover"]] {
        place
            .submit("a.ndjson", more)
            .ends(1, &["Tell the operator"]);
    }
    for file in ["a.ndjson.journal", "platform.pem.head"] {
        std::fs::rename(place.path(file), place.path(&format!("{file}.aside"))).unwrap();
    }
    place
        .submit("a.ndjson", &["--recover"])
        .ends(0, &["1 admitted", "1 already in"]);
    place.once([1, 2]);
}

#[test]
fn a_server_that_is_put_back_while_a_file_is_sent_is_noticed_and_nothing_is_reported() {
    let mut place = Place::new();
    place.write("a.ndjson", 0..500);
    place.submit("a.ndjson", &[]).ends(0, &[]);
    place.stop();
    let copy = place.ledger.temp.path().join("copy");
    copy_dir(&place.ledger.dir, &copy);
    place.start();
    let to = Arc::new(Mutex::new(place.server.url.clone()));
    let url = small_proxy(Arc::clone(&to), usize::MAX);
    place.write("a.ndjson", 0..100_000);
    let child = arborlog()
        .args(["submit", &place.path("a.ndjson"), "--to", &url])
        .args(["--key", &place.path("platform.pem")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while place.entries() < 3_000 {
        std::thread::sleep(Duration::from_millis(20));
    }
    place.put_back(&copy);
    to.lock().unwrap().clone_from(&place.server.url);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Tell the operator"), "{said}");
    assert_eq!(output.stdout, b"");
    assert_eq!(place.entries(), 505, "nothing was sent to the older copy");
}

#[test]
fn every_checkpoint_must_be_signed_by_the_key_that_is_named() {
    let place = Place::new();
    place.write("a.ndjson", [1]);
    let vkey = place.ledger.dir.join("log.vkey");
    let named = ["--log", vkey.to_str().unwrap()];
    place.submit("a.ndjson", &named).ends(0, &["1 admitted"]);
    let other = Ledger::init();
    let vkey = other.dir.join("log.vkey");
    let named = ["--log", vkey.to_str().unwrap()];
    // Anybody can show a checkpoint of another log: that says nothing against this one.
    place.submit("a.ndjson", &named).ends(3, &["not signed by"]);
}

#[test]
fn two_submits_with_one_key_file_wait_for_each_other_and_with_copies_of_it_are_noticed() {
    let place = Place::new();
    place.write("a.ndjson", 0..3_000);
    place.write("b.ndjson", 3_000..6_000);
    let start = |input: &str, key: &str| {
        let mut command = arborlog();
        command.args(["submit", &place.path(input), "--to", &place.server.url]);
        command.args(["--key", &place.path(key)]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let (one, two) = (
        start("a.ndjson", "platform.pem"),
        start("b.ndjson", "platform.pem"),
    );
    let ended = [one, two].map(|child| child.wait_with_output().unwrap());
    let codes = ended.each_ref().map(|it| it.status.code().unwrap());
    assert!(codes.contains(&0), "{codes:?}");
    if let Some(at) = codes.iter().position(|code| *code == 3) {
        let said = String::from_utf8_lossy(&ended[at].stderr);
        assert!(said.contains("in use by another submit"), "{said}");
    }
    for input in ["a.ndjson", "b.ndjson"] {
        place.submit(input, &[]).ends(0, &[]);
    }
    assert_eq!(place.entries(), 6_005);

    // On two machines.
    for name in ["one.pem", "two.pem"] {
        for suffix in ["", ".head"] {
            let from = place.path(&format!("platform.pem{suffix}"));
            std::fs::copy(from, place.path(&format!("{name}{suffix}"))).unwrap();
        }
    }
    place.write("c.ndjson", 10_000..14_000);
    place.write("d.ndjson", 20_000..24_000);
    let (one, two) = (start("c.ndjson", "one.pem"), start("d.ndjson", "two.pem"));
    for (input, key, child) in [("c.ndjson", "one.pem", one), ("d.ndjson", "two.pem", two)] {
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        match ended.status.code().unwrap() {
            0 => {}
            1 => assert!(said.contains("another writer used the key"), "{said}"),
            code => panic!("{code}: {said}"),
        }
        let _ = (input, key);
    }
    // Each recovers, one after the other, as often as the other one got ahead of it.
    for _ in 0..2 {
        for (input, key) in [("c.ndjson", "one.pem"), ("d.ndjson", "two.pem")] {
            let key = place.path(key);
            let told = place.submit(input, &["--key", &key]);
            if told.code != 0 {
                told.ends(1, &["--recover"]);
                place
                    .submit(input, &["--key", &key, "--recover"])
                    .ends(0, &["4000 lines read"]);
            }
        }
    }
    assert_eq!(place.entries(), 14_005);
    place.once([0, 5_999, 10_000, 13_999, 20_000, 23_999]);
}

/// Both sign the same bytes, and both were told that they are in: the sum of what was admitted was
/// twice what the log has.
#[test]
fn of_two_runs_with_the_same_lines_side_by_side_one_admitted_them() {
    let place = Place::new();
    place.write("a.ndjson", 0..10);
    let input = |folder: &str| {
        std::fs::create_dir(place.path(folder)).unwrap();
        let name = format!("{folder}/a.ndjson");
        std::fs::copy(place.path("a.ndjson"), place.path(&name)).unwrap();
        (name, place.path(&format!("{folder}/head")))
    };
    let (one, head_one) = input("one");
    let (two, head_two) = input("two");
    // The other run is through while this one's request is on its way.
    let (asks, asked) = std::sync::mpsc::channel();
    let (lets_go, let_go) = std::sync::mpsc::channel();
    let held = proxy(&place.server.url, move |hand_over| {
        asks.send(()).unwrap();
        let_go.recv().unwrap();
        hand_over()
    });
    let late = std::thread::scope(|scope| {
        let late = scope.spawn(|| {
            let args = ["--head", &head_two, "--json"];
            place.submit_to(&held, &two, &args)
        });
        asked.recv().unwrap();
        place
            .submit(&one, &["--head", &head_one])
            .ends(0, &["10 admitted (entries 5 to 14), 0 already in"]);
        lets_go.send(()).unwrap();
        late.join().unwrap()
    });
    let late: Value = serde_json::from_slice(&late.stdout).unwrap();
    let counted = [&late["admitted"], &late["already_in"]];
    assert_eq!(counted, [0, 10], "{late}");
    assert_eq!(late["lines"][9]["index"], 14, "{late}");
    assert_eq!(place.entries(), 15);

    // What this run itself sent, and heard no answer of, is its own.
    place.write("b.ndjson", 20..25);
    let lost = std::sync::atomic::AtomicBool::new(false);
    let loses = proxy(&place.server.url, move |hand_over| {
        let answer = hand_over();
        match lost.swap(true, std::sync::atomic::Ordering::Relaxed) {
            true => answer,
            false => Vec::new(),
        }
    });
    let output = place.submit_to(&loses, "b.ndjson", &["--head", &head_one]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("5 admitted (entries 16 to 20), 0 already in"),
        "{said}"
    );
    place.once((0..10).chain(20..25));
}

#[test]
fn another_writer_is_told_from_ones_own_record_that_came_first() {
    let place = Place::new();
    place.write("a.ndjson", [1, 2]);
    place.submit("a.ndjson", &[]).ends(0, &[]);
    // Somebody else with the key says what a line to come says, and something else.
    let remote = place.server.remote();
    let theirs = [award(3, 3), award(9, 9)];
    let records = place.ledger.sign(&remote, &place.ledger.platform, &theirs);
    remote.append(&records).unwrap();
    place.write("a.ndjson", [1, 2, 3, 4]);
    place.submit("a.ndjson", &[]).ends(
        1,
        &[
            "2 statements of this key, from seq 1 on",
            "another writer",
            "--recover",
        ],
    );
    place
        .submit("a.ndjson", &["--recover"])
        .ends(0, &["1 admitted", "3 already in"]);
    place.once([1, 2, 3, 4, 9]);
    // The other one's record stays known as nobody's.
    place.write("b.ndjson", [9]);
    place
        .submit("b.ndjson", &[])
        .ends(1, &["line 1 says what entry"]);
    place
        .submit("b.ndjson", &["--sign-anew"])
        .ends(0, &["1 admitted"]);
    place.submit("b.ndjson", &[]).ends(0, &["1 already in"]);
    place.write("c.ndjson", [8, 9]);
    place
        .submit("c.ndjson", &[])
        .ends(0, &["1 admitted", "1 already in"]);
    assert_eq!(place.times([9]), [2]);
}

#[test]
fn a_proposal_by_the_same_key_is_no_other_writer() {
    let place = Place::new();
    let plot = |name: &str| {
        format!(
            "{{\"kind\":\"plot\",\"number\":1,\"name\":\"{name}\",\"country\":\"US\",\"place\":{{\"circle\":{{\"latitude\":1,\"longitude\":1,\"radius_m\":180}}}},\"finer_outline\":\"{}\",\"area_m2\":62500,\"trees_per_ha_max\":400,\"carbon_rights\":\"unknown\",\"funded_by\":\"x\",\"for\":[]}}\n",
            "0".repeat(64)
        )
    };
    let planter = place.path("planter.pem");
    std::fs::write(place.path("plots.ndjson"), plot("Slope")).unwrap();
    place
        .submit("plots.ndjson", &["--key", &planter])
        .ends(0, &[]);
    std::fs::write(place.path("again.json"), plot("North slope")).unwrap();
    let proposal = place.path("proposal.json");
    run_ok(&[
        "propose",
        &place.path("again.json"),
        "--key",
        &planter,
        "--out",
        &proposal,
        "--from",
        &place.server.url,
    ]);
    for governor in ["governor-1.pem", "governor-2.pem"] {
        run_ok(&["endorse", &proposal, "--key", &place.path(governor)]);
    }
    run_ok(&["submit", &proposal, "--to", &place.server.url]);
    let planting = format!(
        "{{\"kind\":\"planting\",\"plot\":1,\"species\":1,\"first_serial\":1,\"count\":10,\"planted_from\":\"2026-03-14\",\"planted_until\":\"2026-03-14\",\"evidence\":\"{}\",\"evidence_at\":\"\"}}\n",
        "1".repeat(64)
    );
    std::fs::write(place.path("plots.ndjson"), plot("Slope") + &planting).unwrap();
    place
        .submit("plots.ndjson", &["--key", &planter])
        .ends(0, &["1 admitted", "1 already in"]);
}

#[test]
fn kill_9_of_submit_at_any_moment_and_the_same_command_again_is_once() {
    let place = Place::new();
    let mut dice = Dice::new(3);
    let key = place.path("platform.pem");
    // A file that grows, beside another one of the same key.
    let (mut ends, mut killed) = (BTreeMap::from([("a.ndjson", 0_u64), ("b.ndjson", 0)]), 0);
    for round in 0..100_u64 {
        // A quick machine is through before it is killed.
        if round >= 24 && killed > 5 {
            break;
        }
        let input = ["a.ndjson", "b.ndjson"][dice.below(2) as usize];
        let end = ends.get_mut(input).unwrap();
        *end = (*end + dice.below(5_000)).min(40_000);
        let first = if input == "a.ndjson" { 0 } else { 100_000 };
        place.write(input, first..first + *end);
        if dice.one_in(4) {
            // In another order.
            place.write(input, (first..first + *end).rev());
        }
        let mut child = arborlog()
            .args(["submit", &place.path(input), "--to", &place.server.url])
            .args(["--key", &key])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(dice.below(30 + 8 * (round % 24))));
        killed += u64::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(killed > 5, "only {killed} were killed at work");
    // A recovery too. On a busy machine none of its runs may have come to begin the journal.
    match std::fs::remove_file(place.path("a.ndjson.journal")) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        removed => removed.unwrap(),
    }
    for _ in 0..6 {
        let mut child = arborlog()
            .args(["submit", &place.path("a.ndjson"), "--to", &place.server.url])
            .args(["--key", &key, "--recover"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(dice.below(300)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    place.submit("a.ndjson", &["--recover"]).ends(0, &[]);
    for (input, end) in &ends {
        let told = place.submit(input, &["--json"]);
        told.ends(0, &[]);
        assert_eq!(told.json()["read"], *end);
        let mut indexes: Vec<u64> = told
            .lines()
            .iter()
            .map(|(_, _, index)| index.as_u64().unwrap())
            .collect();
        indexes.sort_unstable();
        indexes.dedup();
        assert_eq!(indexes.len() as u64, *end, "{input}");
    }
    let all: u64 = ends.values().sum();
    assert_eq!(place.entries(), 5 + all);
    let totals: Value = place.server.remote().json("v1/totals").unwrap();
    let awarded = totals["awarded"].to_string();
    assert_eq!(awarded.trim_matches('"'), (all * 104).to_string());
}

#[test]
fn standard_input_is_read_with_a_journal_of_its_own() {
    let place = Place::new();
    let told = place.submit("-", &[]);
    told.ends(2, &["--journal"]);
    let journal = place.path("piped.journal");
    for (awards, expected) in [(0..2_000, "2000 admitted"), (0..2_001, "1 admitted")] {
        let mut child = arborlog()
            .args([
                "submit",
                "-",
                "--to",
                &place.server.url,
                "--journal",
                &journal,
            ])
            .args(["--key", &place.path("platform.pem")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        for n in awards {
            stdin.write_all(line(&award(n, n)).as_bytes()).unwrap();
        }
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && out.contains(expected), "{out}");
    }
    assert_eq!(place.entries(), 2_006);
}

#[test]
fn the_head_can_be_kept_where_the_keys_folder_cannot_be_written() {
    let place = Place::new();
    place.write("a.ndjson", [1]);
    let head = place.path("elsewhere.head");
    let named = ["--head", head.as_str()];
    place.submit("a.ndjson", &named).ends(0, &["1 admitted"]);
    assert!(!Path::new(&place.path("platform.pem.head")).exists());
    let text = std::fs::read_to_string(&head).unwrap();
    assert!(text.contains(support::ORIGIN), "{text}");
    // A head of one key is not another's.
    place.grant("app2.pem");
    let app2 = place.path("app2.pem");
    place
        .submit("a.ndjson", &["--key", &app2, "--head", &head])
        .ends(2, &["--head"]);
}

#[test]
fn a_batch_that_is_too_large_is_halved_until_it_fits() {
    let place = Place::with(&["--body-bytes", "30000"]);
    place.write("a.ndjson", 0..1_500);
    place.submit("a.ndjson", &[]).ends(0, &["1500 admitted"]);
    assert_eq!(place.entries(), 1_505);

    // A proxy that hangs up on large bodies, with a page of its own.
    let place = Place::new();
    place.write("a.ndjson", 0..1_500);
    let url = small_proxy(Arc::new(Mutex::new(place.server.url.clone())), 40_000);
    let output = place.submit_to(&url, "a.ndjson", &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(place.entries(), 1_505);
}

/// Passes requests on, one a connection, but for bodies that are too large: those are answered
/// with a page, unread.
fn small_proxy(to: Arc<Mutex<String>>, body_max: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let to = to.lock().unwrap().clone();
            std::thread::spawn(move || {
                let mut client = client.unwrap();
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") {
                    if client.read(&mut byte).unwrap_or(0) == 0 {
                        return;
                    }
                    request.push(byte[0]);
                }
                let head = String::from_utf8(request).unwrap();
                let named = |name: &str| {
                    let line = head
                        .lines()
                        .find(|line| line.to_lowercase().starts_with(name));
                    line.map(|line| line.split_once(':').unwrap().1.trim().to_owned())
                };
                let length = named("content-length").map_or(0, |it| it.parse().unwrap());
                if length > body_max {
                    let page = "<html>413 Request Entity Too Large</html>";
                    let answer = format!(
                        "HTTP/1.1 413 Request Entity Too Large\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                        page.len()
                    );
                    let _ = client.write_all(answer.as_bytes());
                    // As proxies do: what comes is read for a moment, so that the answer arrives.
                    client
                        .set_read_timeout(Some(Duration::from_millis(200)))
                        .unwrap();
                    let _ = client.read_to_end(&mut Vec::new());
                    return;
                }
                if named("expect").is_some() {
                    client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
                }
                let mut body = vec![0; length];
                client.read_exact(&mut body).unwrap();
                let to = to.strip_prefix("http://").unwrap();
                // While a server is exchanged for another one, nobody answers.
                let Ok(mut server) = std::net::TcpStream::connect(to) else {
                    return;
                };
                let (first, rest) = head.split_once("\r\n").unwrap();
                let rest: String = rest
                    .lines()
                    .filter(|line| !line.to_lowercase().starts_with("expect"))
                    .map(|line| format!("{line}\r\n"))
                    .collect();
                let head = format!("{first}\r\nConnection: close\r\n{rest}");
                server.write_all(head.as_bytes()).unwrap();
                server.write_all(&body).unwrap();
                let _ = std::io::copy(&mut server, &mut client);
            });
        }
    });
    url
}

#[test]
fn what_no_retry_can_cure_fails_at_once_and_says_what_to_do() {
    let place = Place::new();
    place.write("a.ndjson", [1]);
    let folder = place.ledger.dir.to_str().unwrap().to_owned();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    let nothing_there = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    let with_version = format!("{}/v1/", place.server.url);
    let cases = [
        ("localhost:8080", 2, "no scheme"),
        (folder.as_str(), 2, "is a folder"),
        ("ftp://127.0.0.1/", 2, "http or https"),
        ("http://", 2, "names no host"),
        ("http://no-such-host.invalid", 3, "can't be looked up"),
        ("http://127.0.0.1:0", 2, "its port"),
        ("http://[::1]:65536/", 2, "its port"),
        ("http://127.0.0.1:http", 2, "its port"),
        (nothing_there.as_str(), 3, "nothing listens there"),
        (with_version.as_str(), 2, "it ends in /v1"),
    ];
    for (url, code, words) in cases {
        let begun = Instant::now();
        let output = place.submit_to(url, "a.ndjson", &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{url}: {said}");
        assert!(said.contains(words), "{url}: {said}");
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{url}: {:?}",
            begun.elapsed()
        );
    }
    // A server with a certificate that nobody vouches for, and TLS where there is none.
    let (cert, key) = self_signed(&place);
    let tls = ["--tls-cert", cert.as_str(), "--tls-key", key.as_str()];
    let other = Ledger::init();
    let server = Server::start_with(&other.dir, &tls);
    let plain = place.server.url.replace("http://", "https://");
    for url in [server.url.as_str(), &plain] {
        assert!(url.starts_with("https://"), "{url}");
        let begun = Instant::now();
        let output = place.submit_to(url, "a.ndjson", &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{url}: {said}");
        assert!(said.contains("certificate is not trusted"), "{url}: {said}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{url}");
    }
    let plain = server.url.replace("https://", "http://");
    let output = place.submit_to(&plain, "a.ndjson", &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("write https://"), "{said}");
    let told = place.submit("ledger", &[]);
    told.ends(2, &["is a folder"]);
    // Statements without --key, and what is neither.
    let without_key = support::run(&["submit", &place.path("a.ndjson"), "--to", &place.server.url]);
    assert_eq!(without_key.status.code(), Some(4));
    assert_eq!(place.entries(), 5);
}

#[test]
fn a_server_that_is_down_or_silent_is_waited_for_aloud() {
    let place = Place::new();
    place.write("a.ndjson", [1]);
    // Nothing listens any more after the first answer; and what listens never answers.
    let once = TcpListener::bind("127.0.0.1:0").unwrap();
    let down = format!("http://{}", once.local_addr().unwrap());
    let genesis = place.server.remote().bytes("v1/entries/0").unwrap();
    std::thread::spawn(move || {
        let (mut client, _) = once.accept().unwrap();
        drop(once);
        let _ = client.read(&mut [0; 4096]).unwrap();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            genesis.len()
        );
        client
            .write_all(&[head.as_bytes(), &genesis].concat())
            .unwrap();
    });
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", mute.local_addr().unwrap());
    for (url, why) in [(&down, "refused"), (&silent, "no answer yet")] {
        let mut child = arborlog()
            .args(["submit", &place.path("a.ndjson"), "--to", url])
            .args(["--key", &place.path("platform.pem")])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It ends after two minutes: what it says comes while it waits.
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(child.try_wait().unwrap().is_none(), "{line}");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(line.starts_with(&format!("waiting for {url}/")), "{line}");
        assert!(line.contains(why) && line.contains(" s more"), "{line}");
    }
}

#[test]
fn what_is_no_text_is_named_and_nothing_is_sent() {
    let place = Place::new();
    let wide: Vec<u8> = line(&award(1, 1))
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let wide = [b"\xff\xfe".as_slice(), &wide].concat();
    let cases: [(&[u8], &str); 4] = [
        (
            b"\x1f\x8b\x08\x08\x00\x00\x00\x00\n\x03day.ndjson\x00",
            "compressed with gzip",
        ),
        (b"\x28\xb5\x2f\xfd\x00\n{day}", "compressed with zstd"),
        (b"PK\x03\x04\x00\x00\n", "a ZIP archive"),
        (&wide, "text in UTF-16"),
    ];
    let log = place.path("ledger/log.vkey");
    for (bytes, words) in cases {
        std::fs::write(place.path("a.ndjson"), bytes).unwrap();
        place.submit("a.ndjson", &[]).ends(4, &["a.ndjson", words]);
        let verified = support::run(&["verify", &place.path("a.ndjson"), "--log", &log]);
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert_eq!(verified.status.code(), Some(4), "{said}");
        assert!(said.contains(words), "{said}");
    }
    assert!(!Path::new(&place.path("a.ndjson.journal")).exists());
}

#[test]
fn a_disk_that_takes_no_more_is_named_with_the_place() {
    let place = Place::new();
    place.write("a.ndjson", 0..2_000);
    place.submit("a.ndjson", &[]).ends(0, &[]);
    let journal = std::fs::metadata(place.path("a.ndjson.journal")).unwrap();
    assert!(journal.len() > 65_536);
    // No file may grow over 64 blocks: the outcomes of the lines are kept beside the journal.
    let program = arborlog().get_program().to_owned();
    let limited = |input: &str| {
        let output = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "sh"])
            .arg(&program)
            .args(["submit", &place.path(input), "--to", &place.server.url])
            .args(["--key", &place.path("platform.pem"), "--json"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&told["outcome"], &told["code"]),
            (&"unchecked".into(), &"file_failed".into())
        );
        told["error"].as_str().unwrap().to_owned()
    };
    let folder = std::fs::canonicalize(place.path(".")).unwrap();
    let said = limited("a.ndjson");
    assert!(said.contains(folder.to_str().unwrap()), "{said}");
    // What the other input sent is looked up there too.
    place.write("b.ndjson", 5_000..7_000);
    let said = limited("b.ndjson");
    assert!(said.contains(folder.to_str().unwrap()), "{said}");
    place.submit("b.ndjson", &[]).ends(0, &["2000 lines read"]);
    place.once(5_000..5_010);
}

#[test]
fn a_file_system_that_cannot_tell_is_no_file_that_is_not_there() {
    let place = Place::new();
    place.write("a.ndjson", [1]);
    // A link to itself: the system can't say what it is.
    let journal = place.path("a.ndjson.journal");
    std::os::unix::fs::symlink("a.ndjson.journal", &journal).unwrap();
    for more in [&[][..], &["--recover"]] {
        place
            .submit("a.ndjson", more)
            .ends(3, &["a.ndjson.journal: "]);
    }
    let aside = place.path("a.ndjson.journal.old.1");
    std::fs::remove_file(&journal).unwrap();
    place.submit("a.ndjson", &[]).ends(0, &["1 admitted"]);
    // A name that leads nowhere is taken all the same: nothing is put in its place.
    std::os::unix::fs::symlink("nowhere", &aside).unwrap();
    place
        .submit("a.ndjson", &["--recover"])
        .ends(0, &["1 already in"]);
    assert!(std::fs::read_link(&aside).is_ok());
    assert!(Path::new(&place.path("a.ndjson.journal.old.2")).exists());
}

/// Runs openssl in a folder.
fn openssl(at: &str, arguments: &[&str]) {
    let made = std::process::Command::new("openssl")
        .current_dir(at)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "openssl {arguments:?}: {said}");
}

#[test]
fn an_authority_of_ones_own_is_trusted_where_it_is_named_and_the_systems_otherwise() {
    let mut place = Place::new();
    place.write("a.ndjson", [1]);
    let at = place.path("");
    std::fs::write(
        place.path("leaf.ext"),
        "basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1\n",
    )
    .unwrap();
    let curve = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ];
    let authority = ["-x509", "-days", "2", "-subj", "/CN=our authority"];
    let out = ["-keyout", "ca.key", "-out", "ca.crt"];
    openssl(&at, &[&["req"][..], &curve, &authority, &out].concat());
    let leaf = [
        "-subj",
        "/CN=ledger",
        "-keyout",
        "leaf.key",
        "-out",
        "leaf.csr",
    ];
    openssl(&at, &[&["req"][..], &curve, &leaf].concat());
    let sign = [
        "x509", "-req", "-in", "leaf.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
    ];
    let leaf = ["-days", "2", "-extfile", "leaf.ext", "-out", "leaf.crt"];
    openssl(&at, &[&sign[..], &["-CAcreateserial"], &leaf].concat());
    let (key, cert) = (place.path("leaf.key"), place.path("leaf.crt"));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    place.stop();
    let server = Server::start_with(&place.ledger.dir, &["--tls-cert", &cert, "--tls-key", &key]);
    let ca = place.path("ca.crt");

    let unknown = place.submit_to(&server.url, "a.ndjson", &[]);
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert_eq!(unknown.status.code(), Some(3), "{said}");
    assert!(said.contains("--cacert"), "{said}");
    // A file that is missing could not be read; one that is there and holds none is wrong use.
    for (file, code, words) in [
        (&key, 2, "no certificate"),
        (&place.path("none.crt"), 3, "none.crt"),
    ] {
        let wrong = place.submit_to(&server.url, "a.ndjson", &["--cacert", file]);
        let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
        assert_eq!(wrong.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
    }
    let named = place.submit_to(&server.url, "a.ndjson", &["--cacert", &ca]);
    let said = String::from_utf8_lossy(&named.stderr).into_owned();
    assert_eq!(named.status.code(), Some(0), "{said}");
    // The same by the environment; and as one of the system's.
    for name in ["ARBORLOG_CACERT", "SSL_CERT_FILE"] {
        let receipt = arborlog()
            .args(["receipt", "0", "--from", &server.url])
            .env(name, &ca)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&receipt.stderr).into_owned();
        assert_eq!(receipt.status.code(), Some(0), "{name}: {said}");
    }
}

fn self_signed(place: &Place) -> (String, String) {
    let (cert, key) = (place.path("tls.crt"), place.path("tls.key"));
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-keyout", &key, "-out", &cert])
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    (cert, key)
}

#[test]
fn other_files_under_the_journals_name_are_not_touched() {
    let place = Place::new();
    place.write("a.ndjson", [1]);
    let journal = place.path("a.ndjson.journal");
    std::fs::write(&journal, "my notes\n").unwrap();
    place.submit("a.ndjson", &[]).ends(4, &["is no journal"]);
    assert_eq!(std::fs::read_to_string(&journal).unwrap(), "my notes\n");
    // The journal of the release before: its lines can be in already.
    let old = format!(
        "{{\"begin\":{{\"origin\":\"{}\",\"issuer\":\"{}\"}}}}\n",
        support::ORIGIN,
        place.ledger.platform.public()
    );
    std::fs::write(&journal, &old).unwrap();
    place
        .submit("a.ndjson", &[])
        .ends(4, &["journal of another release", "--recover"]);
    let remote = place.server.remote();
    let records = place
        .ledger
        .sign(&remote, &place.ledger.platform, &[award(1, 1)]);
    remote.append(&records).unwrap();
    place
        .submit("a.ndjson", &["--recover"])
        .ends(0, &["0 admitted", "1 already in"]);
    let aside = std::fs::read_to_string(place.path("a.ndjson.journal.old.1")).unwrap();
    assert_eq!(aside, old);
    // And of the version before.
    place.write("b.ndjson", [1, 2]);
    let journal = place.path("b.ndjson.journal");
    let before = chained(&[first_line("b.ndjson.journal", 2)]);
    std::fs::write(&journal, &before).unwrap();
    place
        .submit("b.ndjson", &[])
        .ends(4, &["journal of another release", "--recover"]);
    place
        .submit("b.ndjson", &["--recover"])
        .ends(0, &["1 admitted", "1 already in"]);
    let aside = std::fs::read_to_string(place.path("b.ndjson.journal.old.1")).unwrap();
    assert_eq!(aside, before);
    // A proposal is no input of statements.
    std::fs::write(place.path("grant.json"), "{\n\"arborlog_proposal\": 1\n}\n").unwrap();
    place
        .submit("grant.json", &[])
        .ends(2, &["no line is a statement"]);
}

#[test]
fn memory_does_not_grow_with_the_file() {
    let place = Place::new();
    let peak = |input: &str, awards: std::ops::Range<u64>| {
        place.write(input, awards);
        peak_kib(&place, input)
    };
    let small = peak("small.ndjson", 0..2_000);
    let large = peak("large.ndjson", 100_000..130_000);
    // All in: the same again; and in another order, which is looked up on disk.
    let again = peak_kib(&place, "large.ndjson");
    place.write("large.ndjson", (100_000..130_000).rev());
    let turned = peak_kib(&place, "large.ndjson");
    // Under another name: looked up in the journal of the first.
    place.write("copy.ndjson", (100_000..130_000).rev());
    let copy = peak_kib(&place, "copy.ndjson");
    let peaks = [
        ("first", large),
        ("again", again),
        ("turned", turned),
        ("copy", copy),
    ];
    for (what, kib) in peaks {
        assert!(
            kib < small + 6 * 1024,
            "{what}: {kib} KiB, {small} KiB of a small file"
        );
    }
}

/// The most memory that a submit had, in KiB.
fn peak_kib(place: &Place, input: &str) -> u64 {
    let mut child = arborlog()
        .args(["submit", &place.path(input), "--to", &place.server.url])
        .args(["--key", &place.path("platform.pem"), "--json"])
        .env("ARBORLOG_CORE_DUMPS", "1")
        .stdout(std::fs::File::create(place.path("out.json")).unwrap())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        if let Ok(text) = std::fs::read_to_string(&status)
            && let Some(line) = text.lines().find(|line| line.starts_with("VmHWM:"))
        {
            peak = peak.max(line.split_whitespace().nth(1).unwrap().parse().unwrap());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    peak
}

/// What changes while it is read may be a part, or of two files: no sum is told of it, and the next run
/// takes what is there then.
#[test]
fn an_input_that_changes_while_it_is_read_is_told() {
    let place = Place::new();
    let grown: String = (1..=3).map(|n| line(&award(n, n))).collect();
    let other: String = (4..=5).map(|n| line(&award(n, n))).collect();
    let input = place.path("a.ndjson");
    let changing = |change: Box<dyn FnOnce() + Send>| {
        place.write("a.ndjson", 1..=2);
        let url = passing_on(&place.server.url, change);
        let output = place.submit_to(&url, "a.ndjson", &["--json"]);
        assert_eq!(output.status.code(), Some(3));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(told["read"].is_null(), "{told}");
        told["error"].as_str().unwrap().to_owned()
    };
    let path = input.clone();
    let why = changing(Box::new(move || std::fs::write(path, grown).unwrap()));
    assert!(
        why.contains("a.ndjson") && why.contains("came to have"),
        "{why}"
    );
    let (path, next) = (input.clone(), place.path("next"));
    let why = changing(Box::new(move || {
        std::fs::write(&next, other).unwrap();
        std::fs::rename(next, path).unwrap();
    }));
    assert!(why.contains("was replaced by another file"), "{why}");
    // What is there now.
    place.submit("a.ndjson", &[]).ends(0, &["2 lines read"]);
    place.once(4..=5);
    place.write("a.ndjson", 1..=3);
    place.submit("a.ndjson", &[]).ends(0, &["3 lines read"]);
    place.once(1..=5);
}
