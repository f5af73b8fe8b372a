//! Lines that were signed and sent, got no answer, and were then taken out of their input: told as long as
//! the request for them can bring them in, and no longer.
#![cfg(feature = "cli")]

#[path = "support/place.rs"]
mod place;
mod support;

use arborlog::record::{Index, KeyRevoke, Statement};
use place::{Place, Told, arrives, keeping_proxy, wrong};

const SILENT: i32 = 3;

/// Sends an input by a proxy that keeps what is posted and never answers; gives what it kept.
fn sent_into_silence(
    place: &Place,
    name: &str,
    more: &[&str],
) -> std::sync::Arc<std::sync::Mutex<Vec<u8>>> {
    let (silent, kept) = keeping_proxy(&place.server.url);
    let output = place.submit_to(&silent, name, more);
    assert_eq!(output.status.code(), Some(SILENT));
    kept
}

fn may_come_in(told: &Told) -> u64 {
    told.json()["may_come_in"].as_u64().unwrap()
}

/// A run in doubt: so many lines may come in.
fn doubts(place: &Place, name: &str, more: &[&str], count: u64) {
    let told = place.submit(name, &[more, &["--json"]].concat());
    told.ends(5, &["on its way", "at any time"]);
    assert_eq!(may_come_in(&told), count);
}

fn without_doubt(place: &Place, name: &str, more: &[&str]) {
    let told = place.submit(name, &[more, &["--json"]].concat());
    told.ends(0, &[]);
    assert_eq!(may_come_in(&told), 0);
}

#[test]
fn any_other_line_of_the_key_ends_the_doubt_for_ever() {
    for count in [1, 3] {
        let place = Place::new();
        place.write("n.ndjson", 0..count);
        let kept = sent_into_silence(&place, "n.ndjson", &[]);
        place.write("n.ndjson", []);
        doubts(&place, "n.ndjson", &[], count);
        doubts(&place, "n.ndjson", &["--recover"], count);
        doubts(&place, "n.ndjson", &[], count);
        // Of another input.
        place.write("other.ndjson", [9]);
        without_doubt(&place, "other.ndjson", &[]);
        without_doubt(&place, "n.ndjson", &[]);
        // It arrives, and is refused.
        let to = place.server.url.strip_prefix("http://").unwrap();
        let mut server = std::net::TcpStream::connect(to).unwrap();
        std::io::Write::write_all(&mut server, &kept.lock().unwrap()).unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut server, &mut answer).unwrap();
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
        without_doubt(&place, "n.ndjson", &[]);
        assert!(place.times(0..count).iter().all(|times| *times == 0));
    }
}

#[test]
fn put_back_it_is_sent_as_it_was_and_is_in_once() {
    let place = Place::new();
    place.write("n.ndjson", [1, 2]);
    let kept = sent_into_silence(&place, "n.ndjson", &[]);
    place.write("n.ndjson", []);
    doubts(&place, "n.ndjson", &[], 2);
    place.write("n.ndjson", [1, 2]);
    place.submit("n.ndjson", &[]).ends(0, &["2 admitted"]);
    arrives(&place, &kept);
    without_doubt(&place, "n.ndjson", &[]);
    place.once([1, 2]);
}

/// Of records that were signed together the first is signed again alone, with the same bytes: the request
/// can still bring in the others.
#[test]
fn the_rest_of_what_was_signed_together_may_come_in_behind_its_first_line() {
    let place = Place::new();
    place.write("n.ndjson", [1, 2, 3]);
    let kept = sent_into_silence(&place, "n.ndjson", &["--unsealed"]);
    place.write("n.ndjson", []);
    doubts(&place, "n.ndjson", &[], 3);
    place.write("n.ndjson", [1]);
    doubts(&place, "n.ndjson", &[], 2);
    arrives(&place, &kept);
    let told = place.submit("n.ndjson", &["--json"]);
    told.ends(0, &["stand in the input no more: 2"]);
    assert_eq!(may_come_in(&told), 0);
    place.once([1, 2, 3]);
}

/// A refusal answers the request that it answers, not one that an earlier run sent.
#[test]
fn what_an_earlier_run_sent_is_not_answered_by_a_refusal_of_the_same_bytes() {
    let place = Place::new();
    std::fs::write(place.path("n.ndjson"), wrong(1)).unwrap();
    sent_into_silence(&place, "n.ndjson", &[]);
    place
        .submit("n.ndjson", &["--skip-refused"])
        .ends(5, &["1 refused"]);
    place.write("n.ndjson", []);
    doubts(&place, "n.ndjson", &[], 1);
    place.write("n.ndjson", [2]);
    without_doubt(&place, "n.ndjson", &[]);
}

#[test]
fn each_of_many_is_counted_and_one_that_comes_in_is_known() {
    let place = Place::new();
    let kept: Vec<_> = (1..=6)
        .map(|n| {
            place.write("n.ndjson", [n]);
            sent_into_silence(&place, "n.ndjson", &[])
        })
        .collect();
    place.write("n.ndjson", []);
    doubts(&place, "n.ndjson", &[], 6);
    // The oldest of them is remembered by its number alone.
    arrives(&place, &kept[0]);
    place.submit("n.ndjson", &[]).ends(1, &["--recover"]);
    place.write("n.ndjson", [1]);
    place
        .submit("n.ndjson", &["--recover"])
        .ends(0, &["1 already in"]);
    without_doubt(&place, "n.ndjson", &[]);
    assert_eq!(place.times(1..=6), [1, 0, 0, 0, 0, 0]);
}

#[test]
fn what_a_key_signed_that_was_replaced_may_come_in_until_that_key_is_revoked() {
    let place = Place::new();
    place.write("n.ndjson", [1, 2]);
    sent_into_silence(&place, "n.ndjson", &[]);
    place.grant("app2.pem");
    let app2 = place.path("app2.pem");
    let with = ["--key", app2.as_str()];
    place.write("other.ndjson", [1, 2]);
    place.submit("other.ndjson", &with).ends(0, &["2 admitted"]);
    // What it signed is of events that the new key awarded: it is not sent again.
    doubts(&place, "n.ndjson", &with, 2);
    place.write("n.ndjson", []);
    doubts(&place, "n.ndjson", &with, 2);
    doubts(&place, "n.ndjson", &["--key", &app2, "--recover"], 2);
    let revoke = Statement::KeyRevoke(KeyRevoke {
        key: place.ledger.platform.public(),
        reason: "it was replaced".parse().unwrap(),
        compromised_since: None,
        set: Index(0),
    });
    place.ledger.govern(&place.server.remote(), revoke, None);
    without_doubt(&place, "n.ndjson", &with);
    place.once([1, 2]);
}

/// What a journal had signed that is lost, or put back from a backup, the head still counts.
#[test]
fn a_journal_that_is_lost_leaves_the_doubt_of_what_it_had_signed() {
    for lost in ["lost", "old"] {
        let place = Place::new();
        place.write("n.ndjson", [1]);
        place.submit("n.ndjson", &[]).ends(0, &[]);
        let journal = place.path("n.ndjson.journal");
        std::fs::copy(&journal, place.path("kept")).unwrap();
        place.write("n.ndjson", [1, 2, 3]);
        let kept = sent_into_silence(&place, "n.ndjson", &[]);
        std::fs::remove_file(&journal).unwrap();
        if lost == "old" {
            std::fs::copy(place.path("kept"), &journal).unwrap();
        }
        place.write("n.ndjson", [1]);
        place.submit("n.ndjson", &[]).ends(1, &["--recover"]);
        doubts(&place, "n.ndjson", &["--recover"], 2);
        doubts(&place, "n.ndjson", &[], 2);
        if lost == "old" {
            place.write("n.ndjson", [1, 4]);
            without_doubt(&place, "n.ndjson", &[]);
            without_doubt(&place, "n.ndjson", &[]);
            continue;
        }
        arrives(&place, &kept);
        place
            .submit("n.ndjson", &[])
            .ends(1, &["2 statements", "--recover"]);
        place
            .submit("n.ndjson", &["--recover"])
            .ends(0, &["in no journal that was found: 2."]);
        place.write("n.ndjson", [1, 2, 3]);
        place
            .submit("n.ndjson", &["--recover"])
            .ends(0, &["3 already in"]);
        place.once([1, 2, 3]);
    }
}
