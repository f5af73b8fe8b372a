//! Entries about an account, records of a chain, and entries that name an evidence, as a platform pages through them.
#![cfg(feature = "server")]

mod support;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use arborlog::client::{BatchAnswer, Remote, today};
use arborlog::crypto::SigningKey;
use arborlog::record::*;
use serde_json::Value;
use support::dice::Dice;
use support::{Ledger, Server, award, curl};

/// All pages of a list, from a first path on.
fn pages(server: &Server, path: String) -> Vec<Value> {
    let mut entries = Vec::new();
    let mut next = Some(path);
    while let Some(path) = next {
        let page: Value = server.remote().json(path.trim_start_matches('/')).unwrap();
        let listed = page["entries"].as_array().unwrap();
        assert!(listed.len() <= 64, "{}", listed.len());
        entries.extend(listed.iter().cloned());
        next = page["next"].as_str().map(str::to_owned);
    }
    entries
}

fn indexes(entries: &[Value]) -> Vec<u64> {
    let index = |item: &Value| item["entry"]["index"].as_u64().unwrap();
    entries.iter().map(index).collect()
}

#[test]
fn lists_are_what_the_whole_log_says() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    ledger.set_up(&remote);
    // Two accounts in turn, 200 awards: some pages of each.
    let awards: Vec<Statement> = (0..200).map(|n| award(n % 2, n)).collect();
    for part in awards.chunks(50) {
        let records = ledger.sign(&remote, &ledger.platform, part);
        remote.append(&records).unwrap();
    }
    let Statement::Award(first) = award(0, 0) else {
        panic!("it is an award");
    };
    let size = remote.json::<Value>("v1/totals").unwrap()["entries"]
        .as_u64()
        .unwrap();
    let log: Vec<Value> = (0..size)
        .map(|index| remote.json(&format!("v1/entries/{index}")).unwrap())
        .collect();
    let newest_first = |fits: &dyn Fn(&Value) -> bool| -> Vec<u64> {
        let found = log.iter().rev().filter(|entry| fits(entry));
        found
            .map(|entry| entry["index"].as_u64().unwrap())
            .collect()
    };

    let account = first.account.to_string();
    let listed = pages(&server, format!("/v1/accounts/{account}/entries"));
    let expected = newest_first(&|entry| entry["statement"]["account"] == account.as_str());
    assert_eq!(indexes(&listed), expected);
    assert_eq!(listed.len(), 100);
    for item in &listed {
        let index = item["entry"]["index"].as_u64().unwrap();
        assert_eq!(item["entry"], log[usize::try_from(index).unwrap()]);
        assert_eq!(item["change"], first.points.0.to_string());
        assert_eq!(item["receipt"], format!("/v1/receipts/{index}"));
    }

    let key = ledger.platform.public().to_string();
    let chain = pages(&server, format!("/v1/issuers/{key}/entries"));
    let expected = newest_first(&|entry| entry["issuer"] == key.as_str());
    assert_eq!(indexes(&chain), expected);
    assert_eq!(chain.len(), 200);

    // What is not there, or belongs to something else.
    let other = listed.last().unwrap()["entry"]["index"].as_u64().unwrap() + 1;
    let nobody = "ab".repeat(32);
    for (path, words) in [
        (
            format!("v1/accounts/{nobody}/entries"),
            "no such account in the first",
        ),
        (
            format!("v1/issuers/{nobody}/entries"),
            "no such key in the first",
        ),
        (
            format!("v1/accounts/{account}/entries?before={other}"),
            "is not of this account",
        ),
        (
            format!("v1/accounts/{account}/entries?before=99999"),
            "99999",
        ),
        (
            format!("v1/issuers/{key}/entries?before=0"),
            "is not of this issuer's chain",
        ),
        (
            format!("v1/accounts/{account}/entries?before=01"),
            "query_malformed",
        ),
        (
            format!("v1/accounts/{account}/entries?after=1"),
            "query_malformed",
        ),
        ("v1/accounts/12/entries".to_owned(), "path_malformed"),
    ] {
        let error = remote.text(&path).unwrap_err().to_string();
        assert!(error.contains(words), "{path}: {error}");
    }
    assert_eq!(server.stop(), 0);
}

/// The evidence of an award of this event.
fn evidence_of(event: u64) -> String {
    let Statement::Award(award) = award(0, event) else {
        panic!("it is an award");
    };
    award.evidence.to_string()
}

/// Waits until the index of evidence has come to the end of the log.
fn indexed(server: &Server) {
    let begun = Instant::now();
    loop {
        let checkpoint = server.remote().text("checkpoint").unwrap();
        let size: u64 = checkpoint.lines().nth(1).unwrap().parse().unwrap();
        let (status, body) = curl(&format!("{}/v1/evidence/{}", server.url, "ab".repeat(32)));
        let problem: Value = serde_json::from_str(&body).unwrap();
        let words = problem["detail"].as_str().unwrap();
        if status == 404 && words.contains(&format!("up to {size},")) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{size}: {words}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn entries_are_found_by_their_evidence_in_pages_and_what_was_looked_through_is_said() {
    let ledger = Ledger::ready();
    let folder = ledger.path("ledger/evidence");
    // Nothing comes by itself.
    let args = ["--state-every-ms", "0", "--evidence-index", &folder];
    let server = Server::start_with(&ledger.dir, &args);
    let remote = server.remote();
    let said: Vec<Statement> = (0..150).map(|n| award(n, n % 2)).collect();
    remote
        .append(&ledger.sign(&remote, &ledger.platform, &said))
        .unwrap();
    indexed(&server);
    let expected: Vec<u64> = (5..155).step_by(2).collect();
    let found = pages(&server, format!("/v1/evidence/{}", evidence_of(0)));
    assert_eq!(indexes(&found), expected);
    assert_eq!(found[0]["receipt"], "/v1/receipts/5");
    let first: Value = remote
        .json(&format!("v1/evidence/{}", evidence_of(0)))
        .unwrap();
    assert_eq!(first["looked_through"]["from"], 0);
    assert_eq!(first["looked_through"]["to"], 155);
    assert_eq!(server.stop(), 0);

    // A window of few entries, which it says; and an index that somebody damaged is made again.
    let index = std::path::Path::new(&folder);
    std::fs::write(index.join("conf"), "no configuration of sled").unwrap();
    let args = [&args[..], &["--evidence-entries", "20"]].concat();
    let server = Server::start_with(&ledger.dir, &args);
    indexed(&server);
    std::fs::remove_dir_all(index).unwrap();
    assert_eq!(server.stop(), 0);
    let server = Server::start_with(&ledger.dir, &args);
    indexed(&server);
    let found = pages(&server, format!("/v1/evidence/{}", evidence_of(0)));
    let late: Vec<u64> = expected.iter().copied().filter(|at| *at >= 135).collect();
    assert_eq!(indexes(&found), late);
    let url = format!("{}/v1/evidence/{}", server.url, evidence_of(7));
    let (status, words) = curl(&url);
    assert_eq!(status, 404);
    assert!(words.contains("from 135 up to 155,"), "{words}");
    assert_eq!(server.stop(), 0);
}

/// What one who remembers every award would say: the award that stands by each holder and evidence.
#[derive(Default)]
struct Remembered(HashMap<(usize, u64), u64>);

/// Appends awards until one is refused; gives the indexes of those that are in, and the refusal's code.
fn append(
    ledger: &Ledger,
    remote: &Remote,
    key: &SigningKey,
    said: &[Statement],
) -> (Vec<Index>, Option<String>) {
    match remote.append(&ledger.sign(remote, key, said)).unwrap() {
        BatchAnswer::Admitted(indexes) => (indexes, None),
        BatchAnswer::Refused {
            indexes, problem, ..
        } => (indexes, Some(problem.code)),
    }
}

/// Two holders, of which the first asked for it, by two keys each; eight events, reversals, clean stops and kill -9.
#[test]
fn an_evidence_is_awarded_once_by_a_holder_who_asked_for_it_whatever_happens_between() {
    let ledger = Ledger::ready();
    let args = ["--evidence-once", "app=30", "--state-every-ms", "0"];
    let mut server = Server::start_with(&ledger.dir, &args);
    let other = SigningKey::generate().unwrap();
    ledger.grant(&server.remote(), &other, Role::Platform, "other-app");
    let keys = [&ledger.platform, &other];
    let (mut dice, mut remembered) = (Dice::new(22), Remembered::default());
    let (mut refused, mut again) = (0, 0);
    for round in 0..60 {
        match round % 20 {
            7 => {
                assert_eq!(server.stop(), 0);
                server = Server::start_with(&ledger.dir, &args);
            }
            15 => {
                server.kill();
                server = Server::start_with(&ledger.dir, &args);
            }
            _ => {}
        }
        let remote = server.remote();
        let holder = usize::from(dice.one_in(3));
        if dice.one_in(5)
            && let Some((event, index)) = (0..8)
                .filter_map(|event| Some((event, *remembered.0.get(&(holder, event))?)))
                .next()
        {
            let reverse = Statement::Correction(Correction {
                target: Index(index),
                reason: "no such ride".parse().unwrap(),
                remedy: Remedy::Reverse { points: Grams(104) },
                set: None,
            });
            let (_, code) = append(&ledger, &remote, keys[holder], &[reverse]);
            assert_eq!(code, None);
            remembered.0.remove(&(holder, event));
            again += 1;
            continue;
        }
        let events: Vec<u64> = (0..=dice.below(3)).map(|_| dice.below(8)).collect();
        // An account is the holder's who named it first.
        let account = 100 * holder as u64;
        let said = events.iter().map(|event| award(account + event, *event));
        let said: Vec<Statement> = said.collect();
        let (indexes, code) = append(&ledger, &remote, keys[holder], &said);
        let mut expected = 0;
        for event in &events {
            if holder == 0 && remembered.0.contains_key(&(0, *event)) {
                break;
            }
            let index = indexes.get(expected);
            let index =
                index.unwrap_or_else(|| panic!("round {round}, {holder}: {events:?}: {code:?}"));
            remembered.0.insert((holder, *event), index.0);
            expected += 1;
        }
        assert_eq!(indexes.len(), expected, "{events:?}");
        let is_refused = expected < events.len();
        assert_eq!(code.as_deref(), is_refused.then_some("evidence_reused"));
        refused += usize::from(is_refused);
    }
    assert!(refused > 5 && again > 2, "{refused} refused, {again} again");

    // What is in is found again, not refused.
    let remote = server.remote();
    let records = ledger.sign(&remote, &ledger.platform, &[award(90, 90)]);
    for _ in 0..2 {
        let answer = remote.append(&records).unwrap();
        assert!(matches!(answer, BatchAnswer::Admitted(_)));
    }
    // A sealed batch is refused as a whole, and each statement is named.
    let head = remote.issuer(&ledger.platform.public()).unwrap();
    let place = SealPlace {
        seq: head.next_seq,
        prev: head.prev,
        issued_on: today(),
    };
    let said = [award(91, 91), award(90, 90), award(92, 91), award(93, 93)];
    let statements = said
        .into_iter()
        .map(|one| SealedStatement::new(one).unwrap());
    let context = ledger.context();
    let sealed = SealedBatch::seal(statements.collect(), place, &context, &ledger.platform);
    let body = sealed.unwrap().0.body().unwrap();
    indexed(&server);
    let url = format!("{}/v1/batches", server.url);
    let (status, answer) = support::post(&url, "application/vnd.arborlog.batch", &body);
    assert_eq!(status, 422, "{answer}");
    let refused = answer["refused"].as_array().unwrap();
    assert!(
        refused.iter().all(|one| one["code"] == "evidence_reused"),
        "{answer}"
    );
    assert_eq!(refused[0]["position"], 1, "{answer}");
    assert_eq!(server.stop(), 0);
}
