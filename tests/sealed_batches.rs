//! Sealed batches by a real server: all of one is in or nothing, one that is sent again is found, and what
//! is refused is named.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::sync::Arc;

use arborlog::client::{Remote, today};
use arborlog::crypto::SigningKey;
use arborlog::ledger::{BatchRefusal, Code};
use arborlog::log::{AppendError, Log, LogConfig};
use arborlog::note::{Checkpoint, VerifierKey};
use arborlog::receipt::Receipt;
use arborlog::record::*;
use serde_json::{Value, json};
use support::{Ledger, Server, award, run, run_ok};

const KIND: &str = "application/vnd.arborlog.batch";

/// Seals statements as the continuation of a key's chain, as the server knows it.
fn seal(ledger: &Ledger, remote: &Remote, key: &SigningKey, said: &[Statement]) -> SealedBatch {
    let head = remote.issuer(&key.public()).unwrap();
    seal_at(ledger, key, head.next_seq, head.prev, said)
}

fn seal_at(
    ledger: &Ledger,
    key: &SigningKey,
    seq: Seq,
    prev: RecordId,
    said: &[Statement],
) -> SealedBatch {
    let statements = said.iter().cloned().map(SealedStatement::new);
    let place = SealPlace {
        seq,
        prev,
        issued_on: today(),
    };
    let statements = statements.collect::<Result<_, _>>().unwrap();
    let sealed = SealedBatch::seal(statements, place, &ledger.context(), key);
    sealed.unwrap().0
}

fn post(url: &str, batch: &SealedBatch) -> (u16, Value) {
    support::post(&format!("{url}/v1/batches"), KIND, &batch.body().unwrap())
}

fn size(remote: &Remote) -> u64 {
    let checkpoint = remote.text("checkpoint").unwrap();
    checkpoint.lines().nth(1).unwrap().parse().unwrap()
}

fn balance(remote: &Remote, statement: &Statement) -> Value {
    let Statement::Award(award) = statement else {
        panic!("no award");
    };
    let account: Value = remote
        .json(&format!("v1/accounts/{}", award.account))
        .unwrap();
    account["balance"].clone()
}

fn awards(accounts: std::ops::Range<u64>) -> Vec<Statement> {
    accounts.map(|n| award(n, n)).collect()
}

#[test]
fn a_batch_is_in_as_a_whole_is_found_again_and_is_proven() {
    let ledger = Ledger::ready();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    let before = size(&remote);
    let said = awards(0..1000);
    let batch = seal(&ledger, &remote, &ledger.platform, &said);
    let (status, answer) = post(remote.base(), &batch);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        (
            &answer["first_index"],
            &answer["count"],
            &answer["seal_index"],
            &answer["already_in"]
        ),
        (
            &json!(before),
            &json!(1000),
            &json!(before + 1000),
            &json!(false)
        )
    );
    assert_eq!(size(&remote), before + 1001);
    let covers = answer["checkpoint"].as_str().unwrap();
    let vkey: VerifierKey = std::fs::read_to_string(ledger.dir.join("log.vkey"))
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let checkpoint = Checkpoint::open(covers.as_bytes(), &vkey).unwrap();
    assert!(checkpoint.head().size > before + 1000);

    // Killed and started again: the same bytes get the same indexes, and nothing is appended.
    server.kill();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    let (status, again) = post(remote.base(), &batch);
    assert_eq!(
        (status, &again["already_in"]),
        (200, &json!(true)),
        "{again}"
    );
    assert_eq!(again["seal_index"], answer["seal_index"]);
    assert_eq!(size(&remote), before + 1001);

    // Another seal at the same place, and other statements under the same seal.
    let head = batch.seal_record().record();
    let other = seal_at(
        &ledger,
        &ledger.platform,
        head.seq,
        head.prev,
        &awards(5..7),
    );
    let (status, problem) = post(remote.base(), &other);
    assert_eq!((status, &problem["code"]), (409, &json!("sequence_used")));
    assert!(problem.get("refused").is_none());
    let mut body = batch.body().unwrap();
    *body.last_mut().unwrap() ^= 1;
    let (status, problem) = support::post(&format!("{}/v1/batches", remote.base()), KIND, &body);
    assert_eq!((status, &problem["code"]), (422, &json!("seal_mismatch")));

    // Each is proven by its seal, and the whole ledger by a replay.
    for index in [before, before + 500, before + 999, before + 1000] {
        let text = remote.text(&format!("v1/receipts/{index}")).unwrap();
        let receipt: Receipt = text.parse().unwrap();
        let proven = receipt.verify(&vkey, None, &[]).unwrap();
        assert_eq!(proven.index, Index(index));
    }
    assert_eq!(balance(&remote, &said[7]), "104");
    let vkey = vkey.to_string();
    run_ok(&["audit", remote.base(), "--log", &vkey]);
    assert_eq!(server.stop(), 0);
    run_ok(&["fsck", ledger.dir.to_str().unwrap()]);
}

#[test]
fn a_refused_batch_names_all_that_is_refused_and_leaves_nothing_behind() {
    let ledger = Ledger::ready();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    let before = size(&remote);
    let mut said = awards(0..20);
    let wrong_points = |statement: &mut Statement| match statement {
        Statement::Award(award) => award.points = Grams(105),
        _ => panic!("no award"),
    };
    wrong_points(&mut said[3]);
    wrong_points(&mut said[19]);
    // Account 4 has 104 points from this very batch, and spends them once.
    let Statement::Award(of_4) = said[4].clone() else {
        panic!("no award");
    };
    let spend = Statement::Transfer(Transfer {
        from: of_4.account,
        to: None,
        points: Grams(104),
        reason: TransferReason::Expired,
    });
    said.insert(10, spend.clone());
    said.insert(11, spend);
    let batch = seal(&ledger, &remote, &ledger.platform, &said);
    let (status, problem) = post(remote.base(), &batch);
    assert_eq!((status, &problem["code"]), (422, &json!("batch_refused")));
    let refused: Vec<(u64, &str)> = problem["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["position"].as_u64().unwrap(),
                one["code"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        refused,
        [
            (3, "points_mismatch"),
            (11, "balance_short"),
            (21, "points_mismatch")
        ]
    );
    assert_eq!(problem["position"], 3);
    assert_eq!(size(&remote), before);
    let account = format!("v1/accounts/{}", of_4.account);
    assert!(remote.json::<Value>(&account).is_err(), "nothing is left");

    // Without them, at the same place of the chain.
    for position in [21, 11, 3] {
        said.remove(position);
    }
    let batch = seal(&ledger, &remote, &ledger.platform, &said);
    assert_eq!(post(remote.base(), &batch).0, 200);
    assert_eq!(balance(&remote, &award(4, 4)), "0");
    assert_eq!(size(&remote), before + 20);

    // What is wrong with the seal or the body is said before anything is judged.
    let head = remote.issuer(&ledger.platform.public()).unwrap();
    let (seq, prev) = (head.next_seq, head.prev);
    let key = &ledger.platform;
    let gap = seal_at(&ledger, key, Seq(seq.0 + 1), prev, &awards(0..2));
    let broken = seal_at(&ledger, key, seq, RecordId::NONE, &awards(0..2));
    let stranger = SigningKey::generate().unwrap();
    let unknown = seal_at(&ledger, &stranger, Seq(0), prev, &awards(0..2));
    let as_planter = seal(&ledger, &remote, &ledger.planter, &awards(0..2));
    let codes = |batch: &SealedBatch| {
        let (status, problem) = post(remote.base(), batch);
        let first = problem["refused"][0]["code"].clone();
        (status, problem["code"].as_str().unwrap().to_owned(), first)
    };
    assert_eq!(codes(&gap), (409, "sequence_gap".to_owned(), Value::Null));
    assert_eq!(
        codes(&broken),
        (409, "chain_broken".to_owned(), Value::Null)
    );
    assert_eq!(
        codes(&unknown),
        (403, "issuer_unknown".to_owned(), Value::Null)
    );
    assert_eq!(
        codes(&as_planter),
        (422, "batch_refused".to_owned(), json!("role_refused"))
    );
    let good = seal(&ledger, &remote, key, &awards(30..33));
    let body = good.body().unwrap();
    let url = format!("{}/v1/batches", remote.base());
    let mut unsigned = body.clone();
    // The record is behind two lengths; its signature follows on it.
    let signature = 4 + 8 + good.seal_record().bytes().len();
    unsigned[signature] ^= 1;
    let first = &good.statements()[0];
    let short = [&body[..], &[0, 0, 0, 1, 7]].concat();
    let mut undecodable = body.clone();
    let at = body.len() - first.bytes().len();
    undecodable[at] = 0xff;
    for (bytes, status, code) in [
        (&unsigned, 400, "signature_invalid"),
        (&body[..body.len() - 1].to_vec(), 400, "not_canonical"),
        (&short, 422, "seal_mismatch"),
        (&undecodable, 400, "not_canonical"),
        (&body[..4 + 8].to_vec(), 400, "not_canonical"),
        (&Vec::new(), 400, "not_canonical"),
    ] {
        let (found, problem) = support::post(&url, KIND, bytes);
        assert_eq!(
            (found, &problem["code"]),
            (status, &json!(code)),
            "{problem}"
        );
    }
    let (_, problem) = support::post(&url, KIND, &undecodable);
    assert_eq!(problem["position"], 2, "{problem}");
    let (status, _) = support::post(&url, "application/octet-stream", &body);
    assert_eq!(status, 415);
    // A seal alone, as a record: it never stands without its batch.
    let record = support::body(std::slice::from_ref(good.seal_record()));
    let records = format!("{}/v1/records", remote.base());
    let (status, problem) = support::post(&records, "application/octet-stream", &record);
    assert_eq!((status, &problem["code"]), (422, &json!("seal_mismatch")));
    assert_eq!(size(&remote), before + 20);
    // After all of that, the very same bytes are taken.
    assert_eq!(support::post(&url, KIND, &body).0, 200);
    assert_eq!(server.stop(), 0);
    let out = run(&["fsck", ledger.dir.to_str().unwrap()]);
    assert!(out.status.success(), "{out:?}");
}

async fn next(log: &Log, key: &SigningKey) -> (Seq, RecordId) {
    let key = key.public();
    let next = log.look_up(|state| state.key(&key).unwrap().next()).await;
    next.unwrap().0
}

fn unread(batch: &SealedBatch) -> UnreadBatch {
    UnreadBatch::read(batch.body().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_awards_are_reversed_by_later_batches_and_never_twice() {
    let ledger = Ledger::ready();
    let log = Arc::new(Log::open(&LogConfig::of(&ledger.dir)).await.unwrap());
    let key = &ledger.platform;
    let (seq, prev) = next(&log, key).await;
    let first = seal_at(&ledger, key, seq, prev, &awards(0..8));
    let id = ledger.context().id(first.seal_record().bytes());
    let begin = log.published().head.tree.size;
    let reverse = |index: u64| {
        Statement::Correction(Correction {
            target: Index(index),
            remedy: Remedy::Reverse { points: Grams(104) },
            reason: "a double ride".parse().unwrap(),
            set: None,
        })
    };
    let said = [reverse(begin), reverse(begin + 7)];
    let second = seal_at(&ledger, key, Seq(seq.0 + 1), id, &said);
    // Sent one behind the other without waiting: they are judged in one commit or in two.
    let earlier = Arc::clone(&log);
    let sent = unread(&first);
    let earlier = tokio::spawn(async move { earlier.append_batch(sent).await });
    let appended = earlier.await.unwrap().unwrap();
    assert_eq!(appended.first_index, Index(begin));
    let appended = log.append_batch(unread(&second)).await.unwrap();
    assert_eq!(appended.first_index, Index(begin + 9));

    // Again, in a batch that reverses one award twice, and one of its own batch.
    let (seq, prev) = next(&log, key).await;
    let own = log.published().head.tree.size;
    let said = [
        reverse(begin),
        reverse(begin + 1),
        reverse(begin + 1),
        reverse(own + 1),
    ];
    let third = seal_at(&ledger, key, seq, prev, &said);
    let Err(AppendError::BatchRefused(refused)) = log.append_batch(unread(&third)).await else {
        panic!("it was taken");
    };
    let BatchRefusal::Statements(refused) = refused.why else {
        panic!("{refused:?}");
    };
    let codes: Vec<_> = refused
        .iter()
        .map(|(at, refusal)| (*at, refusal.code))
        .collect();
    assert_eq!(codes.len(), 3, "{codes:?}");
    assert_eq!((codes[0].0, codes[1].0), (0, 2));
    assert_eq!(codes[2], (3, Code::TargetUnknown));
    Arc::into_inner(log).unwrap().close().await;
    run_ok(&["fsck", ledger.dir.to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_send_one_batch_at_once_one_appends_it() {
    let ledger = Ledger::ready();
    let log = Arc::new(Log::open(&LogConfig::of(&ledger.dir)).await.unwrap());
    let key = &ledger.platform;
    for round in 0..20 {
        let (seq, prev) = next(&log, key).await;
        let batch = seal_at(&ledger, key, seq, prev, &awards(round..round + 30));
        let before = log.published().head.tree.size;
        let senders: Vec<_> = (0..6)
            .map(|_| {
                let (log, sent) = (Arc::clone(&log), unread(&batch));
                tokio::spawn(async move { log.append_batch(sent).await.unwrap() })
            })
            .collect();
        let mut new = 0;
        for sender in senders {
            let appended = sender.await.unwrap();
            assert_eq!(appended.first_index, Index(before));
            new += u32::from(!appended.already_in);
        }
        assert_eq!(new, 1, "round {round}");
        assert_eq!(log.published().head.tree.size, before + 31);
    }
    Arc::into_inner(log).unwrap().close().await;
}

#[test]
fn what_is_wrong_with_a_body_is_named_by_its_first_cause() {
    let ledger = Ledger::ready();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    let url = format!("{}/v1/batches", remote.base());
    let good = seal(&ledger, &remote, &ledger.platform, &awards(0..3));
    let body = good.body().unwrap();
    let statement = good.statements()[0].bytes();
    let first_length = body.len() - 3 * (4 + statement.len());
    assert_eq!(body[first_length + 3] as usize, statement.len());
    // A length that lies, too short and too long.
    let with_length = |length: usize| {
        let mut changed = body.clone();
        changed[first_length..first_length + 4].copy_from_slice(&(length as u32).to_be_bytes());
        let (status, problem) = support::post(&url, KIND, &changed);
        let detail = problem["detail"].as_str().unwrap_or_default().to_owned();
        (status, problem["code"].as_str().unwrap().to_owned(), detail)
    };
    let (status, code, detail) = with_length(statement.len() - 8);
    assert!(!detail.contains("and more are sent"), "{detail}");
    assert_eq!((status, code.as_str()), (400, "not_canonical"), "{detail}");
    let (status, code, detail) = with_length(body.len());
    assert_eq!((status, code.as_str()), (400, "not_canonical"));
    assert!(detail.contains("reaches past the end"), "{detail}");
    // One statement that takes in the next.
    let (status, code, detail) = with_length(2 * statement.len() + 4);
    assert_eq!((status, code.as_str()), (422, "seal_mismatch"));
    assert!(detail.contains("has 2 by its lengths"), "{detail}");

    // A kind that is never sealed is told so, whatever its fields are.
    let plot = Kind::ALL
        .iter()
        .position(|kind| *kind == Kind::Plot)
        .unwrap() as u32;
    let unsealed = [&plot.to_be_bytes(), [0xFF; 40].as_slice()].concat();
    let root = arborlog::merkle::root_of([arborlog::merkle::leaf_hash(&unsealed)]);
    let head = remote.issuer(&ledger.planter.public()).unwrap();
    let record = Record {
        issuer: ledger.planter.public(),
        seq: head.next_seq,
        prev: head.prev,
        issued_on: today(),
        statement: Statement::Seal(Seal {
            count: 1,
            root: Digest::from_bytes(*root.as_bytes()),
        }),
    };
    let (signed, _) = draft(&record, &ledger.context(), &ledger.planter).unwrap();
    let mut sent = Vec::new();
    for frame in [signed.encode().unwrap(), unsealed] {
        sent.extend_from_slice(&(frame.len() as u32).to_be_bytes());
        sent.extend_from_slice(&frame);
    }
    let (status, problem) = support::post(&url, KIND, &sent);
    assert_eq!((status, &problem["code"]), (400, &json!("not_canonical")));
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("a plot is never sealed"), "{detail}");

    // A body that says that it is encoded is refused by every post, before it is looked at.
    for (path, kind) in [
        ("v1/batches", KIND),
        ("v1/records", "application/octet-stream"),
        ("v1/records", "application/json"),
    ] {
        for (coding, refused) in [("gzip", true), ("identity, br", true), ("identity", false)] {
            let kind = format!("{kind}\r\nContent-Encoding: {coding}");
            let answer = raw_post(remote.base(), path, &kind, &body);
            let told = answer.starts_with("HTTP/1.1 415 ") && answer.contains("Content-Encoding");
            assert_eq!(told, refused, "{path}, {coding}: {answer}");
        }
    }
    assert_eq!(server.stop(), 0);
}

/// Posts bytes with these fields behind `Content-Type: `; gives the whole answer.
fn raw_post(url: &str, path: &str, kind: &str, body: &[u8]) -> String {
    use std::io::{Read as _, Write as _};
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\nContent-Type: {kind}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
