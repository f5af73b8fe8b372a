//! `submit` seals: many lines are signed once, all of them are in or none, and each is accounted for,
//! whatever is killed, lost, refused or late.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
mod support;

use std::sync::{Arc, Mutex};

use arborlog::record::*;
use place::{Place, arrives, cut_off_proxy, expiry, keeping_proxy, line, proxy, wrong};
use serde_json::Value;
use support::{arborlog, award};

/// The forms of the entries behind the first five, a letter each, and how many a seal signs.
fn forms(place: &Place) -> String {
    let entries = place.log().into_iter().skip(5);
    let form = |entry: Entry| match &entry {
        Entry::Sealed(_) => "s".to_owned(),
        Entry::State(_) => "t".to_owned(),
        Entry::Signed(signed) => match &signed.signed.record().statement {
            Statement::Seal(seal) => format!("[{}]", seal.count),
            _ => "r".to_owned(),
        },
    };
    entries.map(form).collect()
}

/// The ids of the seals in the ledger.
fn seals(place: &Place) -> Vec<RecordId> {
    let context = place.ledger.context();
    let entries = place.log().into_iter();
    let id = |entry: Entry| {
        let signed = entry.signed()?.signed.clone();
        let is_seal = matches!(signed.record().statement, Statement::Seal(_));
        is_seal.then(|| context.id(signed.bytes()))
    };
    entries.filter_map(id).collect()
}

/// The ids of the seals that a journal has.
fn sealed_in(place: &Place, journal: &str) -> Vec<RecordId> {
    use base64::Engine as _;
    let context = place.ledger.context();
    let text = std::fs::read_to_string(place.path(journal)).unwrap();
    let events = text.lines().map(|line| {
        let (_, json) = line.split_once(' ').unwrap();
        serde_json::from_str::<Value>(json).unwrap()
    });
    let id = |event: Value| {
        let record = event["seal"]["record"].as_str()?.to_owned();
        let bytes = base64::engine::general_purpose::STANDARD.decode(record);
        let signed = SignedRecord::decode(&bytes.unwrap()).unwrap();
        Some(context.id(signed.bytes()))
    };
    events.filter_map(id).collect()
}

#[test]
fn many_lines_have_one_seal_and_one_alone_is_a_record() {
    let place = Place::new();
    place.write("a.ndjson", 0..2_001);
    let told = place.submit("a.ndjson", &["--json"]);
    told.ends(0, &[]);
    let sealed = |count: usize| format!("{}[{count}]", "s".repeat(count));
    assert_eq!(
        forms(&place),
        [sealed(1000), sealed(1000), "r".to_owned()].concat()
    );
    let lines = told.lines();
    assert_eq!(lines[0].2, 5);
    assert_eq!(lines[1000].2, 1006);
    assert_eq!(lines[2000].2, 2007);
    // Or each line has a signature of its own.
    place.write("b.ndjson", 5_000..5_003);
    place
        .submit("b.ndjson", &["--unsealed"])
        .ends(0, &["3 admitted (entries 2008 to 2010)"]);
    assert!(forms(&place).ends_with("rrrr"));
    for input in ["a.ndjson", "b.ndjson"] {
        place.submit(input, &[]).ends(0, &["0 admitted"]);
    }
    place.once([0, 999, 1_000, 2_000, 5_000, 5_002]);
}

#[test]
fn lines_that_cannot_be_sealed_are_records_in_their_place() {
    let place = Place::new();
    let plot = |number: u32| {
        format!(
            "{{\"kind\":\"plot\",\"number\":{number},\"name\":\"Slope {number}\",\"country\":\"US\",\"place\":{{\"circle\":{{\"latitude\":{number},\"longitude\":1,\"radius_m\":180}}}},\"finer_outline\":null,\"area_m2\":62500,\"trees_per_ha_max\":400,\"carbon_rights\":\"unknown\",\"funded_by\":\"x\",\"for\":[]}}\n"
        )
    };
    let planting = |plot: u32, first: u32| {
        format!(
            "{{\"kind\":\"planting\",\"plot\":{plot},\"species\":1,\"first_serial\":{first},\"count\":10,\"planted_from\":\"2026-03-14\",\"planted_until\":\"2026-03-14\",\"evidence\":\"{plot:02}{first:062}\",\"evidence_at\":\"\"}}\n"
        )
    };
    let text = [
        plot(1),
        planting(1, 1),
        plot(2),
        planting(1, 11),
        planting(2, 1),
        planting(2, 11),
        plot(3),
        plot(4),
        planting(4, 1),
    ];
    std::fs::write(place.path("trees.ndjson"), text.concat()).unwrap();
    let planter = place.path("planter.pem");
    let told = place.submit("trees.ndjson", &["--key", &planter, "--json"]);
    told.ends(0, &[]);
    assert_eq!(forms(&place), "rrrsss[3]rrr");
    let indexes: Vec<Value> = told.lines().into_iter().map(|(_, _, it)| it).collect();
    assert_eq!(indexes, [5, 6, 7, 8, 9, 10, 12, 13, 14]);
    // A planting that is refused makes those behind it on its plot wrong too, and no others.
    let text = [
        text.concat(),
        planting(1, 21),
        planting(2, 31),
        planting(2, 41),
        planting(1, 31),
    ];
    std::fs::write(place.path("trees.ndjson"), text.concat()).unwrap();
    let told = place.submit(
        "trees.ndjson",
        &["--key", &planter, "--json", "--skip-refused"],
    );
    told.ends(
        5,
        &["line 11: refused", "line 12: refused", "serial_not_next"],
    );
    let told = told.lines();
    let new: Vec<&str> = told[9..].iter().map(|(_, it, _)| it.as_str()).collect();
    assert_eq!(new, ["admitted", "refused", "refused", "admitted"]);
    assert_eq!(forms(&place), "rrrsss[3]rrrss[2]");
}

#[test]
fn refused_lines_are_taken_out_and_the_others_sealed_anew() {
    let place = Place::new();
    let good = |n| line(&award(n, n));
    let text = [good(1), wrong(2), good(3), wrong(4), good(5), wrong(6)].concat();
    std::fs::write(place.path("a.ndjson"), text).unwrap();
    let told = place.submit("a.ndjson", &["--json", "--skip-refused"]);
    told.ends(
        5,
        &["line 2: refused", "line 4: refused", "line 6: refused"],
    );
    let outcomes: Vec<(String, Value)> = told.lines().into_iter().map(|(_, a, b)| (a, b)).collect();
    let admitted = |index: u64| ("admitted".to_owned(), Value::from(index));
    let refused = || ("refused".to_owned(), Value::from("points_mismatch"));
    let expected = [
        admitted(5),
        refused(),
        admitted(6),
        refused(),
        admitted(7),
        refused(),
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(forms(&place), "sss[3]");
    // All refused: nothing is in, and the chain is where it was.
    std::fs::write(
        place.path("b.ndjson"),
        [wrong(7), wrong(8), wrong(9)].concat(),
    )
    .unwrap();
    place
        .submit("b.ndjson", &["--skip-refused"])
        .ends(5, &["0 admitted, 0 already in, 3 refused"]);
    assert_eq!(forms(&place), "sss[3]");
    for (input, words) in [
        ("a.ndjson", "3 already in, 3 refused"),
        ("b.ndjson", "3 refused"),
    ] {
        place.submit(input, &[]).ends(5, &[words, "0 admitted"]);
    }
    place.write("c.ndjson", [10, 11]);
    place.submit("c.ndjson", &[]).ends(0, &["2 admitted"]);
    // Again, when they are right; and where the first one stops all, those before it go in.
    place.write("fund.ndjson", [30]);
    let text = [good(20), good(21), expiry(22), good(23)].concat();
    std::fs::write(place.path("d.ndjson"), text).unwrap();
    let told = place.submit("d.ndjson", &["--json"]);
    told.ends(5, &["stopped at line 3"]);
    let outcomes: Vec<String> = told.lines().into_iter().map(|(_, it, _)| it).collect();
    assert_eq!(outcomes, ["admitted", "admitted", "refused", "not_sent"]);
    place.write("e.ndjson", [22]);
    place.submit("e.ndjson", &[]).ends(0, &[]);
    place
        .submit("d.ndjson", &[])
        .ends(0, &["2 admitted", "2 already in"]);
    place.once([1, 3, 5, 10, 11, 20, 21, 23]);
    assert_eq!(place.points(22), 100);
}

#[test]
fn a_seal_that_never_arrived_is_sent_again_as_it_is() {
    let place = Place::new();
    place.write("a.ndjson", 0..10);
    let (silent, _) = keeping_proxy(&place.server.url);
    let output = place.submit_to(&silent, "a.ndjson", &[]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(forms(&place), "");
    let before = sealed_in(&place, "a.ndjson.journal");
    assert_eq!(before.len(), 1);
    // More lines behind those make no difference.
    place.write("a.ndjson", 0..12);
    place.submit("a.ndjson", &[]).ends(0, &["12 admitted"]);
    assert_eq!(seals(&place)[0], before[0]);
    assert_eq!(forms(&place), "ssssssssss[10]ss[2]");
    place.submit("a.ndjson", &[]).ends(0, &["12 already in"]);
    place.once(0..12);
}

#[test]
fn a_seal_that_arrived_without_an_answer_is_found_in_the_log_whatever_the_input_says_then() {
    for (again, words) in [
        (vec![0, 1, 2, 3], "0 admitted, 4 already in"),
        (vec![3, 9, 1], "1 admitted (entry 10), 2 already in"),
        (vec![], "0 lines read"),
    ] {
        let place = Place::new();
        place.write("a.ndjson", 0..4);
        let cut = cut_off_proxy(&place.server.url);
        let output = place.submit_to(&cut, "a.ndjson", &[]);
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(forms(&place), "ssss[4]");
        place.write("a.ndjson", again.clone());
        place.submit("a.ndjson", &[]).ends(0, &[words]);
        place.write("b.ndjson", 0..4);
        place
            .submit("b.ndjson", &[])
            .ends(0, &["0 admitted, 4 already in"]);
        place.once((0..4).chain(again));
    }
}

#[test]
fn a_seal_that_comes_in_late_in_the_place_of_another_is_no_other_writer() {
    let place = Place::new();
    place.write("a.ndjson", [1, 2, 3]);
    let (silent, kept) = keeping_proxy(&place.server.url);
    let output = place.submit_to(&silent, "a.ndjson", &[]);
    assert_eq!(output.status.code(), Some(3));
    // A line was corrected: another seal is signed, and just before it the first one arrives.
    place.write("a.ndjson", [4, 3, 1]);
    let late = late_proxy(&place.server.url, kept);
    let output = place.submit_to(&late, "a.ndjson", &["--json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["admitted"], &told["already_in"]),
        (&1.into(), &2.into()),
        "{told}"
    );
    assert_eq!(forms(&place), "sss[3]r");
    let told = place.submit("a.ndjson", &["--json"]);
    told.ends(0, &[]);
    assert_eq!(
        (&told.json()["already_in"], &told.json()["gone"]),
        (&3.into(), &1.into())
    );
    place.once([1, 2, 3, 4]);
}

/// A proxy that hands over what was kept, once, before the next that is posted.
fn late_proxy(to: &str, kept: Arc<Mutex<Vec<u8>>>) -> String {
    let once = std::sync::atomic::AtomicBool::new(false);
    place::posting_proxy(to, move |request, hand_over| {
        if !once.swap(true, std::sync::atomic::Ordering::Relaxed) {
            let late = kept.lock().unwrap().clone();
            let answer = String::from_utf8(hand_over(&late)).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        hand_over(request)
    })
}

/// The dead process' request is for the event of a line that was edited since.
#[test]
fn an_event_that_comes_in_late_is_not_awarded_again_with_other_fields() {
    let place = Place::new();
    place.write("a.ndjson", [1, 2, 3]);
    let (silent, kept) = keeping_proxy(&place.server.url);
    let output = place.submit_to(&silent, "a.ndjson", &[]);
    assert_eq!(output.status.code(), Some(3));
    let lines = [award(14, 1), award(2, 2), award(5, 5), award(13, 3)];
    let lines = lines.iter().map(line).collect::<String>();
    std::fs::write(place.path("a.ndjson"), lines).unwrap();
    let late = late_proxy(&place.server.url, kept);
    let output = place.submit_to(&late, "a.ndjson", &["--json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("line 1: set aside: entry 5 says"), "{said}");
    assert!(said.contains("line 4: set aside: entry 7 says"), "{said}");
    assert_eq!(forms(&place), "sss[3]r");
    place.once([1, 2, 3, 5]);
    place
        .submit("a.ndjson", &[])
        .ends(5, &["2 already in", "2 set aside"]);
}

/// A killed run's request comes in after another input of the key was sent, or recovered: it is no
/// other writer's, and its lines are those of its input.
#[test]
fn a_request_of_a_killed_run_that_comes_in_after_others_ran_is_its_own_inputs() {
    for form in [&[][..], &["--unsealed"]] {
        for recovers in [false, true] {
            let place = Place::new();
            place.write("a.ndjson", [1, 2]);
            place.submit("a.ndjson", form).ends(0, &[]);
            place.write("b.ndjson", [11, 12, 13]);
            let (silent, kept) = keeping_proxy(&place.server.url);
            let output = place.submit_to(&silent, "b.ndjson", form);
            assert_eq!(output.status.code(), Some(3));
            let recover: &[&str] = if recovers { &["--recover"] } else { &[] };
            // Nothing is signed in its place.
            let again = place.submit("a.ndjson", &[form, recover].concat());
            again.ends(0, &["2 already in"]);
            arrives(&place, &kept);
            let again = place.submit("a.ndjson", &[form, recover].concat());
            again.ends(0, &["2 already in"]);
            place.submit("b.ndjson", form).ends(0, &["3 already in"]);
            assert_eq!(place.entries(), 5 + 5);
            place.once([1, 2, 11, 12, 13]);
        }
    }
}

#[test]
fn a_request_of_a_killed_run_that_comes_in_before_another_inputs_is_its_own_inputs() {
    for form in [&[][..], &["--unsealed"]] {
        let place = Place::new();
        place.write("b.ndjson", [11, 12, 13]);
        let (silent, kept) = keeping_proxy(&place.server.url);
        let output = place.submit_to(&silent, "b.ndjson", form);
        assert_eq!(output.status.code(), Some(3));
        // One line says what that request says, one something else of an event of it.
        let lines = [award(1, 1), award(12, 12), award(23, 13)];
        let lines = lines.iter().map(line).collect::<String>();
        std::fs::write(place.path("a.ndjson"), lines).unwrap();
        let late = late_proxy(&place.server.url, kept);
        let output = place.submit_to(&late, "a.ndjson", form);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{said}");
        assert!(said.contains("line 3: set aside: entry 7 says"), "{said}");
        place.submit("b.ndjson", form).ends(0, &["3 already in"]);
        place
            .submit("a.ndjson", form)
            .ends(5, &["2 already in", "1 set aside"]);
        place.once([1, 11, 12, 13]);
    }
}

/// A recovery takes over what was signed and may still come in.
#[test]
fn a_request_of_a_killed_run_that_comes_in_while_its_journal_is_made_anew_is_no_other_writers() {
    for form in [&[][..], &["--unsealed"]] {
        let place = Place::new();
        place.write("a.ndjson", [1, 2, 3]);
        let (silent, kept) = keeping_proxy(&place.server.url);
        let output = place.submit_to(&silent, "a.ndjson", form);
        assert_eq!(output.status.code(), Some(3));
        place.write("a.ndjson", [4, 3]);
        let late = late_proxy(&place.server.url, kept);
        let output = place.submit_to(&late, "a.ndjson", &[form, &["--recover"]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        place.once([1, 2, 3, 4]);
        place.write("a.ndjson", [1, 2, 3, 4]);
        place.submit("a.ndjson", form).ends(0, &["4 already in"]);
    }
}

/// Ctrl-C while a request has no answer.
#[test]
fn an_interrupted_run_says_what_is_in_and_the_same_command_sends_the_rest() {
    for json in [false, true] {
        let place = Place::new();
        place.write("a.ndjson", 0..1_500);
        let (asks, asked) = std::sync::mpsc::channel();
        let posts = std::sync::atomic::AtomicU32::new(0);
        let holds = proxy(&place.server.url, move |hand_over| {
            if posts.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
                return hand_over();
            }
            asks.send(()).unwrap();
            loop {
                std::thread::park();
            }
        });
        let mut command = arborlog();
        command
            .args(["submit", &place.path("a.ndjson"), "--to", &holds])
            .args(["--key", &place.path("platform.pem")])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        if json {
            command.arg("--json");
        }
        let child = command.spawn().unwrap();
        asked.recv().unwrap();
        let interrupted = std::process::Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(interrupted.unwrap().success());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{said}");
        let words = "interrupted: 1500 lines read, 1000 in as the server answered, 0 refused, 0 set aside, 500 without an answer yet";
        assert!(said.contains(words), "{said}");
        assert!(said.contains("the same command"), "{said}");
        if json {
            let told: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(
                (&told["exit"], &told["in"], &told["unanswered"]),
                (&130.into(), &1_000.into(), &500.into())
            );
        }
        place
            .submit("a.ndjson", &[])
            .ends(0, &["500 admitted", "1000 already in"]);
    }
}

#[test]
fn sealed_lines_are_recovered_from_the_log_and_each_is_one_inputs() {
    let place = Place::new();
    place.write("a.ndjson", 0..10);
    place.write("b.ndjson", 10..30);
    for input in ["a.ndjson", "b.ndjson"] {
        place.submit(input, &[]).ends(0, &[]);
    }
    let whole = forms(&place);
    let lose = |files: &[&str]| {
        for file in files {
            std::fs::remove_file(place.path(file)).unwrap();
        }
    };
    // The journal alone; then all. Lines of one seal now stand in two inputs.
    lose(&["b.ndjson.journal"]);
    place
        .submit("b.ndjson", &["--recover"])
        .ends(0, &["20 already in"]);
    lose(&["a.ndjson.journal", "b.ndjson.journal", "platform.pem.head"]);
    place.write("odd.ndjson", (0..30).filter(|n| n % 2 == 1));
    place.write("even.ndjson", (0..30).filter(|n| n % 2 == 0));
    place
        .submit("odd.ndjson", &["--recover"])
        .ends(0, &["0 admitted, 15 already in"]);
    place
        .submit("even.ndjson", &[])
        .ends(1, &["line 1 says what entry 5 says"]);
    place
        .submit("even.ndjson", &["--recover"])
        .ends(0, &["0 admitted, 15 already in"]);
    // One of both again: what the other one holds stays its own.
    lose(&["odd.ndjson.journal"]);
    place
        .submit("odd.ndjson", &["--recover"])
        .ends(0, &["0 admitted, 15 already in"]);
    place.write("all.ndjson", 0..31);
    let told = place.submit("all.ndjson", &["--json"]);
    told.ends(0, &[]);
    assert_eq!(
        (&told.json()["admitted"], &told.json()["already_in"]),
        (&1.into(), &30.into())
    );
    let others = told.json()["other_inputs"].clone();
    let lines: Vec<&Value> = others
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["lines"])
        .collect();
    assert_eq!(lines, [&15, &15], "{others}");
    assert_eq!(forms(&place), format!("{whole}r"));
    place.once(0..31);
}

#[test]
fn of_a_seal_of_which_nothing_knows_some_lines_those_are_asked_about() {
    let place = Place::new();
    place.write("a.ndjson", 0..6);
    place.submit("a.ndjson", &[]).ends(0, &[]);
    for file in ["a.ndjson.journal", "platform.pem.head"] {
        std::fs::remove_file(place.path(file)).unwrap();
    }
    place
        .submit("a.ndjson", &[])
        .ends(1, &["6 statements of this key, from seq 0 on"]);
    place.write("some.ndjson", [1, 2]);
    place
        .submit("some.ndjson", &["--recover"])
        .ends(0, &["2 already in"]);
    place.write("new.ndjson", [4]);
    place
        .submit("new.ndjson", &[])
        .ends(1, &["line 1 says what entry 9 says"]);
    // It is a further one: only that line is settled by that.
    place
        .submit("new.ndjson", &["--sign-anew"])
        .ends(0, &["1 admitted"]);
    place.write("newer.ndjson", [5]);
    place
        .submit("newer.ndjson", &[])
        .ends(1, &["line 1 says what entry 10 says"]);
    place
        .submit("newer.ndjson", &["--recover"])
        .ends(0, &["1 already in"]);
    place.write("a.ndjson", 0..6);
    place
        .submit("a.ndjson", &["--recover"])
        .ends(0, &["0 admitted, 6 already in"]);
    assert_eq!(place.times(0..6), [1, 1, 1, 1, 2, 1]);
}

#[test]
fn an_answer_about_a_seal_that_the_log_does_not_bear_out_is_not_reported() {
    let place = Place::new();
    place.write("a.ndjson", [1]);
    place.submit("a.ndjson", &[]).ends(0, &[]);
    place.write("a.ndjson", [1, 2, 3]);
    // Entries 6 and 7, and 8 is their seal.
    let lies = proxy(&place.server.url, |hand_over| {
        let answer = String::from_utf8(hand_over()).unwrap();
        answer
            .replace("\"first_index\":6", "\"first_index\":4")
            .into_bytes()
    });
    let output = place.submit_to(&lies, "a.ndjson", &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("not those of the batch"), "{said}");
    place
        .submit("a.ndjson", &[])
        .ends(0, &["0 admitted, 3 already in"]);
    // Places that agree with each other, and that are those of another key's batch.
    place.grant("other.pem");
    place.write("other.ndjson", 10..14);
    place
        .submit("other.ndjson", &["--key", &place.path("other.pem")])
        .ends(0, &["4 admitted (entries 10 to 13)"]);
    place.write("b.ndjson", [4, 5]);
    let lies = proxy(&place.server.url, |hand_over| {
        let answer = String::from_utf8(hand_over()).unwrap();
        let answer = answer.replace("\"first_index\":15", "\"first_index\":11");
        answer
            .replace("\"seal_index\":17", "\"seal_index\":13")
            .into_bytes()
    });
    let output = place.submit_to(&lies, "b.ndjson", &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is entry 13, and its log"), "{said}");
    assert_eq!(output.stdout, b"");
}

/// Kills a submit while its request is held by a proxy, on the way there or back.
#[test]
fn kill_9_at_the_send_and_at_the_answer_and_the_same_command_again_is_once() {
    for handed_over in [false, true] {
        let place = Place::new();
        place.write("a.ndjson", 0..1_500);
        let (asks, asked) = std::sync::mpsc::channel();
        let holds = proxy(&place.server.url, move |hand_over| {
            if handed_over {
                hand_over();
            }
            asks.send(()).unwrap();
            loop {
                std::thread::park();
            }
        });
        let mut child = arborlog()
            .args(["submit", &place.path("a.ndjson"), "--to", &holds])
            .args(["--key", &place.path("platform.pem")])
            .spawn()
            .unwrap();
        asked.recv().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let before = sealed_in(&place, "a.ndjson.journal");
        assert_eq!(before.len(), 1);
        let words = match handed_over {
            true => "500 admitted (entries 1006 to 1505), 1000 already in",
            false => {
                "1500 admitted (entries 5 to 1505, with others such as seals between them), 0 already in"
            }
        };
        place.submit("a.ndjson", &[]).ends(0, &[words]);
        assert_eq!(seals(&place)[0], before[0]);
        assert_eq!(place.entries(), 1_505);
        place.submit("a.ndjson", &[]).ends(0, &["1500 already in"]);
    }
}
