//! What `submit` can't know for certain it says: lines that another key of the holder signed, records of
//! journals that are lost, lines that left an input and came back, requests that are still on their way.
#![cfg(feature = "cli")]

#[path = "support/place.rs"]
mod place;
mod support;

use arborlog::record::Role;
use place::{Place, arrives, expiry, keeping_proxy, line};
use serde_json::Value;
use support::{award, run_ok};

fn awards(numbers: &[u64]) -> String {
    numbers.iter().map(|n| line(&award(*n, *n))).collect()
}

fn write(place: &Place, name: &str, text: &str) {
    std::fs::write(place.path(name), text).unwrap();
}

fn head(place: &Place, name: &str) -> Value {
    let text = std::fs::read_to_string(place.path(name)).unwrap();
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}

#[test]
fn lines_that_another_key_of_the_holder_signed_are_not_signed_again() {
    let place = Place::new();
    let all = awards(&[1, 2, 3]) + &expiry(1);
    write(&place, "old.ndjson", &all);
    write(&place, "n.ndjson", &all);
    place.submit("old.ndjson", &[]).ends(0, &["4 admitted"]);
    let entries = place.entries();

    // A new key, without what the old one knew: recovered, or as a first use.
    place.grant("app2.pem");
    let app2 = place.path("app2.pem");
    for more in [&["--recover"][..], &[]] {
        let mut flags = vec!["--key", app2.as_str(), "--json"];
        flags.extend(more);
        let told = place.submit("n.ndjson", &flags);
        told.ends(
            5,
            &["another key of the holder", "names no event", "--old-key"],
        );
        assert_eq!(told.json()["already_in"], 4);
        assert_eq!(told.json()["other_inputs"][0]["by_other_keys"], true);
        assert_eq!(told.json()["unsure"], 1);
    }
    assert_eq!(place.entries(), entries + 1, "the grant alone");
    // Awards name their events: of them nothing is in doubt.
    write(&place, "awards.ndjson", &awards(&[3, 1, 2, 4]));
    place.submit("awards.ndjson", &["--key", &app2]).ends(
        0,
        &[
            "1 admitted",
            "3 already in",
            "signed by another key of the holder",
        ],
    );
    // One with other fields is an event that was edited.
    write(&place, "edited.ndjson", &line(&award(9, 2)));
    place
        .submit("edited.ndjson", &["--key", &app2])
        .ends(5, &["(evidence_repeated)"]);
    // The old key is told what the new one sent since.
    write(&place, "back.ndjson", &awards(&[4, 5]));
    place
        .submit("back.ndjson", &[])
        .ends(0, &["1 admitted", "1 already in"]);
    write(&place, "forth.ndjson", &awards(&[5, 6]));
    place
        .submit("forth.ndjson", &["--key", &app2])
        .ends(0, &["1 admitted", "1 already in"]);
    // That the lines are those of the old key can be said.
    let old = place.ledger.platform.public().to_string();
    place
        .submit(
            "n.ndjson",
            &["--key", &app2, "--recover", "--old-key", &old],
        )
        .ends(0, &["0 admitted", "4 already in"]);
    place
        .submit("n.ndjson", &["--key", &app2])
        .ends(0, &["4 already in"]);
    place.once([2, 3, 4, 5, 6]);
    assert_eq!(place.points(1), 104 - 4);
}

#[test]
fn what_is_known_of_other_keys_is_read_again_where_its_file_is_lost_cut_or_changed() {
    let place = Place::new();
    place.write("n.ndjson", [1, 2, 3]);
    place.submit("n.ndjson", &[]).ends(0, &[]);
    place.grant("app2.pem");
    let app2 = place.path("app2.pem");
    let file = place.path("app2.pem.head.other-keys");
    let mut inputs = 0;
    let mut all_are_in = || {
        inputs += 1;
        let input = format!("{inputs}.ndjson");
        place.write(&input, [3, 2, 1]);
        place
            .submit(&input, &["--key", &app2])
            .ends(0, &["0 admitted", "3 already in"]);
    };
    all_are_in();
    let whole = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    all_are_in();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    all_are_in();
    let mut changed = std::fs::read_to_string(&file).unwrap();
    changed = changed.replacen("\"seq\":0", "\"seq\":1", 1);
    std::fs::write(&file, changed).unwrap();
    all_are_in();
    // A reader that was killed left more than the head saw.
    let more = std::fs::read(&file).unwrap();
    std::fs::write(&file, [more, b"{\"fou".to_vec()].concat()).unwrap();
    all_are_in();
    place.once(1..4);
}

#[test]
fn an_old_key_is_one_of_the_same_holder() {
    let place = Place::new();
    place.write("n.ndjson", [1]);
    place.submit("n.ndjson", &[]).ends(0, &[]);
    run_ok(&["keygen", &place.path("other.pem")]);
    let key = std::path::PathBuf::from(place.path("other.pem"));
    let other = arborlog::crypto::SigningKey::read(&key).unwrap();
    place.ledger.grant(
        &place.server.remote(),
        &other,
        Role::Platform,
        "another-app",
    );
    let other = other.public().to_string();
    place
        .submit("n.ndjson", &["--recover", "--old-key", &other])
        .ends(2, &["is no key of app"]);
}

#[test]
fn a_line_that_a_lost_journal_of_another_input_may_have_held_is_not_taken_without_a_word() {
    let place = Place::new();
    place.write("awards.ndjson", [1, 2]);
    place.submit("awards.ndjson", &[]).ends(0, &[]);
    write(&place, "monday.ndjson", &expiry(1));
    place.submit("monday.ndjson", &[]).ends(0, &["1 admitted"]);
    // Tuesday's gift says the same, and monday's journal is lost.
    std::fs::remove_file(place.path("monday.ndjson.journal")).unwrap();
    write(&place, "tuesday.ndjson", &(expiry(1) + &awards(&[3])));
    for _ in 0..2 {
        let told = place.submit("tuesday.ndjson", &["--recover", "--json"]);
        told.ends(5, &["names no event", "another input"]);
        assert_eq!(told.json()["unsure"], 1);
    }
    place.once([2, 3]);
    assert_eq!(place.points(1), 104 - 4);
    // A further one is signed where that is said; monday's is monday's all the same.
    place
        .submit("tuesday.ndjson", &["--sign-anew"])
        .ends(0, &["1 admitted", "1 already in"]);
    place
        .submit("monday.ndjson", &["--recover"])
        .ends(0, &["1 already in"]);
    for name in ["monday.ndjson", "tuesday.ndjson", "awards.ndjson"] {
        place.submit(name, &[]).ends(0, &["0 admitted"]);
    }
    assert_eq!(place.points(1), 104 - 8);
}

#[test]
fn a_line_that_left_the_input_and_stands_there_again_is_in_doubt_until_somebody_says_which_it_is() {
    let place = Place::new();
    place.write("awards.ndjson", [1]);
    place.submit("awards.ndjson", &[]).ends(0, &[]);
    let whole = awards(&[2]) + &expiry(1) + &awards(&[3]);
    write(&place, "n.ndjson", &whole);
    place.submit("n.ndjson", &[]).ends(0, &["3 admitted"]);
    write(&place, "n.ndjson", &awards(&[2, 3]));
    place
        .submit("n.ndjson", &[])
        .ends(0, &["stand in the input no more: 1"]);
    write(&place, "n.ndjson", &whole);
    for _ in 0..2 {
        let told = place.submit("n.ndjson", &["--json"]);
        told.ends(5, &["a run between did not find", "--same-input"]);
        assert_eq!(told.json()["unsure"], 1);
        assert_eq!(told.json()["gone"], 0);
    }
    place
        .submit("n.ndjson", &["--recover"])
        .ends(0, &["3 already in"]);
    place.submit("n.ndjson", &[]).ends(0, &["3 already in"]);
    assert_eq!(place.points(1), 104 - 4);
    // Awards may come and go.
    write(&place, "n.ndjson", &expiry(1));
    place.submit("n.ndjson", &[]).ends(5, &["gone"]);
    write(&place, "n.ndjson", &whole);
    place.submit("n.ndjson", &[]).ends(0, &["3 already in"]);
}

#[test]
fn a_signed_line_that_is_taken_out_while_its_request_is_on_its_way_is_told() {
    for count in [1, 3] {
        let place = Place::new();
        place.write("n.ndjson", 0..count);
        let (silent, kept) = keeping_proxy(&place.server.url);
        let output = place.submit_to(&silent, "n.ndjson", &[]);
        assert_eq!(output.status.code(), Some(3));
        let before = place.entries();
        // The lines are taken out; a run that sends nothing can't keep them from coming in.
        write(&place, "n.ndjson", "");
        for _ in 0..2 {
            let told = place.submit("n.ndjson", &["--json"]);
            told.ends(5, &["on its way", "at any time"]);
            assert_eq!(told.json()["may_come_in"], count);
            assert_eq!(told.json()["outcome"], "not_all_in");
        }
        assert_eq!(place.entries(), before);
        arrives(&place, &kept);
        place
            .submit("n.ndjson", &[])
            .ends(0, &[&format!("stand in the input no more: {count}")]);
        place.once(0..count);
    }
    // Another line in its place in the chain keeps it out for good.
    let place = Place::new();
    place.write("n.ndjson", [1]);
    let (silent, _) = keeping_proxy(&place.server.url);
    assert_eq!(
        place.submit_to(&silent, "n.ndjson", &[]).status.code(),
        Some(3)
    );
    place.write("n.ndjson", [2]);
    place.submit("n.ndjson", &[]).ends(0, &["1 admitted"]);
    assert_eq!(place.times([1, 2]), [0, 1]);
}

#[test]
fn a_refusal_is_an_answer_after_which_nothing_is_on_its_way() {
    let place = Place::new();
    write(&place, "n.ndjson", &place::wrong(1));
    place
        .submit("n.ndjson", &["--skip-refused"])
        .ends(5, &["1 refused"]);
    write(&place, "n.ndjson", "");
    let told = place.submit("n.ndjson", &["--json"]);
    told.ends(0, &[]);
    assert_eq!(told.json()["may_come_in"], 0);
}

#[test]
fn a_journal_in_the_place_of_one_that_never_had_an_answer_keeps_the_doubt() {
    let place = Place::new();
    place.write("n.ndjson", [1, 2]);
    let (silent, _) = keeping_proxy(&place.server.url);
    let output = place.submit_to(&silent, "n.ndjson", &[]);
    assert_eq!(output.status.code(), Some(3));
    // Its journal is removed, and another key begins one in its place.
    std::fs::remove_file(place.path("n.ndjson.journal")).unwrap();
    place.grant("app2.pem");
    let app2 = place.path("app2.pem");
    place
        .submit("n.ndjson", &["--key", &app2])
        .ends(0, &["2 admitted"]);
    // The request of the first key can still bring its lines in, beside those.
    for _ in 0..2 {
        place
            .submit("n.ndjson", &[])
            .ends(5, &["2 already in", "on its way"]);
    }
    place.once([1, 2]);
    place.write("other.ndjson", [3]);
    place.submit("other.ndjson", &[]).ends(0, &["1 admitted"]);
    place.submit("n.ndjson", &[]).ends(0, &["2 already in"]);
}

#[test]
fn a_head_that_is_made_anew_takes_the_journals_of_its_own_key_alone() {
    let place = Place::new();
    place.write("a.ndjson", [1]);
    place.submit("a.ndjson", &[]).ends(0, &[]);
    // Another key's journal beside it, with a batch that has no answer.
    place.grant("app2.pem");
    let app2 = place.path("app2.pem");
    place.write("b.ndjson", [2, 3]);
    let (silent, _) = keeping_proxy(&place.server.url);
    let output = place.submit_to(&silent, "b.ndjson", &["--key", &app2]);
    assert_eq!(output.status.code(), Some(3));
    std::fs::remove_file(place.path("platform.pem.head")).unwrap();
    place
        .submit("a.ndjson", &["--recover"])
        .ends(0, &["1 already in"]);
    let head = head(&place, "platform.pem.head");
    let journals = head["journals"].as_array().unwrap();
    let paths: Vec<_> = journals.iter().map(|seen| &seen["path"]).collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
    place
        .submit("b.ndjson", &["--key", &app2])
        .ends(0, &["2 admitted"]);
    place.submit("a.ndjson", &[]).ends(0, &["1 already in"]);
    place.once([1, 2, 3]);
}

/// Somebody can say that the input is the one of before. That holds until other lines leave it.
#[test]
fn that_an_input_is_the_one_of_before_can_be_said_and_is_noted() {
    let place = Place::new();
    place.write("fund.ndjson", [1, 2]);
    place.submit("fund.ndjson", &[]).ends(0, &[]);
    let (one, two) = (expiry(1), expiry(2));
    let all = awards(&[3, 4]) + &one + &two;
    write(&place, "n.ndjson", &all);
    place.submit("n.ndjson", &[]).ends(0, &["4 admitted"]);
    let without_an_award = awards(&[3]) + &one + &two;
    write(&place, "n.ndjson", &without_an_award);
    let unsure = |count: u64| {
        for _ in 0..2 {
            let told = place.submit("n.ndjson", &["--json"]);
            told.ends(5, &["--same-input"]);
            assert_eq!(told.json()["unsure"], count);
        }
    };
    let said = || {
        let told = place.submit("n.ndjson", &["--same-input", "--json"]);
        told.ends(0, &[]);
        for _ in 0..2 {
            place.submit("n.ndjson", &[]).ends(0, &["0 admitted"]);
        }
    };
    unsure(2);
    said();
    // It may grow.
    write(
        &place,
        "n.ndjson",
        &(without_an_award.clone() + &awards(&[5])),
    );
    place.submit("n.ndjson", &[]).ends(0, &["1 admitted"]);
    // Another line leaves it: it may be another day's file.
    write(&place, "n.ndjson", &two);
    unsure(1);
    said();
    // A gift that was gone then and stands there again may be a further one.
    write(&place, "n.ndjson", &(one.clone() + &two));
    unsure(2);
    said();
    write(&place, "n.ndjson", &(all + &awards(&[5])));
    place.submit("n.ndjson", &[]).ends(0, &["5 already in"]);
    // All are back; one goes and comes.
    write(&place, "n.ndjson", &(awards(&[3, 4, 5]) + &one));
    unsure(1);
    write(&place, "n.ndjson", &(awards(&[3, 4, 5]) + &one + &two));
    unsure(1);
    said();
    assert_eq!((place.points(1), place.points(2)), (104 - 4, 104 - 4));
    place.once([3, 4, 5]);
}

/// A journal in another folder is known to nothing but the head. Where that is lost, somebody names it.
#[test]
fn a_recovery_takes_journals_of_other_folders_that_are_named() {
    let place = Place::new();
    place.write("fund.ndjson", [1]);
    place.submit("fund.ndjson", &[]).ends(0, &[]);
    std::fs::create_dir(place.path("elsewhere")).unwrap();
    let elsewhere = place.path("elsewhere/b.journal");
    write(&place, "b.ndjson", &(expiry(1) + &awards(&[2])));
    place
        .submit("b.ndjson", &["--journal", &elsewhere])
        .ends(0, &["2 admitted"]);
    // What b said, said once more, and not sent yet.
    write(&place, "a.ndjson", &(expiry(1) + &awards(&[3])));
    let head = place.path("platform.pem.head");
    std::fs::remove_file(&head).unwrap();
    place
        .submit("a.ndjson", &[])
        .ends(1, &["--recover", "--other-journal"]);
    let by = |file: &str| {
        let args = ["--recover", "--other-journal", file];
        place.submit("a.ndjson", &args)
    };
    for file in ["nowhere.journal", "b.ndjson", "a.ndjson.journal"] {
        by(&place.path(file)).ends(2, &["--other-journal", "Nothing was sent"]);
    }
    let told = by(&elsewhere);
    told.ends(5, &["1 admitted", "another input of this key sent"]);
    place
        .submit("a.ndjson", &["--sign-anew"])
        .ends(0, &["1 admitted", "1 already in"]);
    place
        .submit("b.ndjson", &["--journal", &elsewhere])
        .ends(0, &["2 already in"]);
    assert_eq!(place.points(1), 104 - 8);
    place.once([2, 3]);
    // Of one that nobody named, the commands are told that say whose its statements are.
    std::fs::remove_file(&head).unwrap();
    place.write("c.ndjson", [3]);
    place.submit("c.ndjson", &["--recover"]).ends(
        0,
        &[
            "in no journal that was found: 2.",
            "--recover --other-journal FILE",
        ],
    );
}

/// What the old key signed and nobody answered is not sent again where the new key awarded the same events
/// meanwhile.
#[test]
fn an_old_keys_unanswered_lines_are_not_sent_again_beside_what_the_new_key_awarded() {
    let place = Place::new();
    place.write("n.ndjson", [1, 2, 3]);
    place.write("again.ndjson", [1, 2, 3]);
    let (silent, _) = keeping_proxy(&place.server.url);
    let output = place.submit_to(&silent, "n.ndjson", &[]);
    assert_eq!(output.status.code(), Some(3));
    place.grant("app2.pem");
    let app2 = place.path("app2.pem");
    place
        .submit("again.ndjson", &["--key", &app2])
        .ends(0, &["3 admitted"]);
    // They may still come in, which is said.
    let told = place.submit("n.ndjson", &["--key", &app2, "--json"]);
    told.ends(5, &["on its way"]);
    assert_eq!(told.json()["already_in"], 3);
    place.once([1, 2, 3]);
}

#[test]
fn two_keys_that_award_the_same_events_at_the_same_time_are_told_so() {
    for sealed in [true, false] {
        let place = Place::new();
        place.grant("app2.pem");
        let app2 = place.path("app2.pem");
        place.write("n.ndjson", [1, 2, 3]);
        place.write("m.ndjson", [2, 3, 4]);
        let more = if sealed { &[][..] } else { &["--unsealed"] };
        // While the first run's request is on its way, the second one is sent whole.
        let (url, to) = (place.server.url.clone(), place.server.url.clone());
        let (input, key) = (place.path("m.ndjson"), app2.clone());
        let once = std::sync::atomic::AtomicBool::new(false);
        let proxy = place::posting_proxy(&url, move |request, hand_over| {
            if !once.swap(true, std::sync::atomic::Ordering::Relaxed) {
                run_ok(&["submit", &input, "--key", &key, "--to", &to]);
            }
            hand_over(request)
        });
        let output = place.submit_to(&proxy, "n.ndjson", &[more, &["--json"]].concat());
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(5), "{said}");
        assert!(said.contains("2 events are in twice"), "{said}");
        assert_eq!(told["in_twice"]["count"], 2);
        assert_eq!(told["in_twice"]["entries"].as_array().unwrap().len(), 2);
        assert_eq!(place.times([1, 2, 3, 4]), [1, 2, 2, 1]);
        // The other one is told too, once each.
        let told = place.submit("m.ndjson", &["--key", &app2]);
        told.ends(5, &["2 events are in twice"]);
        for key in [&app2, &place.path("platform.pem")] {
            for input in ["n.ndjson", "m.ndjson"] {
                place
                    .submit(input, &["--key", key])
                    .ends(0, &["0 admitted"]);
            }
        }
    }
}

#[test]
fn an_old_keys_request_that_arrives_after_the_new_key_sent_the_lines_is_told() {
    let place = Place::new();
    place.write("n.ndjson", [1, 2, 3]);
    let (silent, kept) = keeping_proxy(&place.server.url);
    let output = place.submit_to(&silent, "n.ndjson", &[]);
    assert_eq!(output.status.code(), Some(3));
    std::fs::remove_file(place.path("n.ndjson.journal")).unwrap();
    place.grant("app2.pem");
    let app2 = place.path("app2.pem");
    place
        .submit("n.ndjson", &["--key", &app2])
        .ends(0, &["3 admitted"]);
    arrives(&place, &kept);
    place
        .submit("n.ndjson", &["--key", &app2])
        .ends(5, &["3 events are in twice"]);
    place
        .submit("n.ndjson", &["--key", &app2])
        .ends(0, &["3 already in"]);
    assert_eq!(place.times([1, 2, 3]), [2, 2, 2]);
}

#[test]
fn a_gift_of_an_input_that_the_old_key_alone_knows_is_not_taken_for_another_inputs() {
    let place = Place::new();
    place.write("fund.ndjson", [1, 2]);
    place.submit("fund.ndjson", &[]).ends(0, &[]);
    let gift = |account: u64| expiry(account);
    write(&place, "shop.ndjson", &gift(1));
    write(&place, "cafe.ndjson", &gift(2));
    place.submit("shop.ndjson", &[]).ends(0, &["1 admitted"]);
    place.submit("cafe.ndjson", &[]).ends(0, &["1 admitted"]);
    place.grant("app2.pem");
    let app2 = place.path("app2.pem");
    place
        .submit("cafe.ndjson", &["--key", &app2])
        .ends(0, &["1 already in"]);
    // cafe gives what shop gave too, and its journal is lost.
    write(&place, "cafe.ndjson", &(gift(2) + &gift(1)));
    std::fs::remove_file(place.path("cafe.ndjson.journal")).unwrap();
    place
        .submit("cafe.ndjson", &["--key", &app2])
        .ends(1, &["--recover"]);
    let told = place.submit("cafe.ndjson", &["--key", &app2, "--recover", "--json"]);
    told.ends(5, &["another key of the holder"]);
    assert_eq!(told.json()["unsure"], 1);
    place
        .submit("cafe.ndjson", &["--key", &app2, "--sign-anew"])
        .ends(0, &["1 admitted", "1 already in"]);
    assert_eq!((place.points(1), place.points(2)), (104 - 8, 104 - 4));
}

#[test]
fn a_journal_that_was_copied_or_exchanged_with_another_is_named() {
    let place = Place::new();
    place.write("fund.ndjson", [1]);
    place.submit("fund.ndjson", &[]).ends(0, &[]);
    write(&place, "mon.ndjson", &expiry(1));
    place.submit("mon.ndjson", &[]).ends(0, &["1 admitted"]);
    let (mon, tue) = (
        place.path("mon.ndjson.journal"),
        place.path("tue.ndjson.journal"),
    );
    write(&place, "tue.ndjson", &expiry(1));
    std::fs::copy(&mon, &tue).unwrap();
    place
        .submit("tue.ndjson", &[])
        .ends(1, &["is a copy of", &mon]);
    std::fs::remove_file(&tue).unwrap();
    place.submit("tue.ndjson", &[]).ends(5, &["names no event"]);
    place
        .submit("tue.ndjson", &["--sign-anew"])
        .ends(0, &["1 admitted"]);
    // Exchanged, and put back.
    let exchange = || {
        std::fs::rename(&mon, place.path("kept")).unwrap();
        std::fs::rename(&tue, &mon).unwrap();
        std::fs::rename(place.path("kept"), &tue).unwrap();
    };
    exchange();
    for input in ["mon.ndjson", "tue.ndjson"] {
        let told = place.submit(input, &[]);
        told.ends(1, &[".journal"]);
    }
    exchange();
    for input in ["mon.ndjson", "tue.ndjson"] {
        place.submit(input, &[]).ends(0, &["1 already in"]);
    }
    // Moved with its input it is the same.
    for (from, to) in [
        ("mon.ndjson", "m.ndjson"),
        ("mon.ndjson.journal", "m.ndjson.journal"),
    ] {
        std::fs::rename(place.path(from), place.path(to)).unwrap();
    }
    place.submit("m.ndjson", &[]).ends(0, &["1 already in"]);
    assert_eq!(place.points(1), 104 - 8);
}

#[test]
fn two_keys_on_one_input_agree_again_after_one_of_them_recovered() {
    let place = Place::new();
    place.write("n.ndjson", [1, 2]);
    place.grant("app2.pem");
    let (app, app2) = (place.path("platform.pem"), place.path("app2.pem"));
    for key in [&app, &app2, &app] {
        place.submit("n.ndjson", &["--key", key]).ends(0, &[]);
    }
    for _ in 0..2 {
        place
            .submit("n.ndjson", &["--key", &app2, "--recover"])
            .ends(0, &["2 already in"]);
        for key in [&app, &app2] {
            place
                .submit("n.ndjson", &["--key", key])
                .ends(0, &["2 already in"]);
        }
        place.write("other.ndjson", [2, 1]);
        for key in [&app, &app2] {
            place
                .submit("other.ndjson", &["--key", key])
                .ends(0, &["2 already in"]);
        }
        std::fs::remove_file(place.path("other.ndjson.journal")).unwrap();
    }
    place.once([1, 2]);
}

/// A record of another key is found in the log's list of what that key said, and by the recovery too.
#[test]
fn a_record_that_a_recovery_found_stands_for_one_line() {
    let place = Place::new();
    place.grant("app2.pem");
    let app2 = place.path("app2.pem");
    let mut text = awards(&[1]) + &expiry(1);
    write(&place, "t.ndjson", &text);
    place.submit("t.ndjson", &[]).ends(0, &["2 admitted"]);
    text += &awards(&[2]);
    write(&place, "t.ndjson", &text);
    place
        .submit("t.ndjson", &["--key", &app2])
        .ends(0, &["1 admitted", "2 already in"]);
    // The same once more is a further one.
    text += &expiry(1);
    write(&place, "t.ndjson", &text);
    std::fs::remove_file(place.path("t.ndjson.journal")).unwrap();
    let told = place.submit("t.ndjson", &["--key", &app2, "--recover", "--json"]);
    assert_eq!(told.json()["already_in"], 3, "{}", told.json());
    let again = place.submit("t.ndjson", &["--key", &app2, "--json"]);
    assert_eq!(again.json()["already_in"], 4, "{}", again.json());
    assert_eq!(place.points(1), 104 - 8);
    place.once([2]);
}

/// What a run says of an input does not change when it is asked again.
#[test]
fn a_recovery_and_the_run_after_it_come_to_the_same() {
    let place = Place::new();
    place.write("fund.ndjson", [1]);
    place.submit("fund.ndjson", &[]).ends(0, &[]);
    write(&place, "n.ndjson", &(expiry(1) + &awards(&[2])));
    place.submit("n.ndjson", &[]).ends(0, &["2 admitted"]);
    write(&place, "n.ndjson", &expiry(1));
    for more in [&[][..], &["--recover"], &[], &["--recover"]] {
        place
            .submit("n.ndjson", more)
            .ends(5, &["1 already in", "stand in the input no more: 1"]);
    }
    assert_eq!(place.points(1), 104 - 4);
}
