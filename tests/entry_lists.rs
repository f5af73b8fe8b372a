//! Entries about an account, and records of a chain, as a platform pages through them.
#![cfg(feature = "server")]

mod support;

use arborlog::record::*;
use serde_json::Value;
use support::{Ledger, Server, award};

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
