//! Real servers on real ports: HTTP as it is promised, the commands as people use them, and
//! kill -9 at random moments of a load.
#![cfg(feature = "cli")]

mod support;

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use arborlog::client::{
    BatchAnswer, HeadError, IssuerKey, JournalError, LineOutcome, OnRefusal, Options, Remote,
    SubmitError, Submitter,
};
use arborlog::merkle::{Hash, leaf_hash, verify_consistency, verify_inclusion};
use arborlog::note::{Checkpoint, VerifierKey};
use arborlog::receipt::Receipt;
use arborlog::record::*;
use serde_json::Value;
use support::{Ledger, Server, award, body, run, run_ok};

fn vkey(ledger: &Ledger) -> VerifierKey {
    std::fs::read_to_string(ledger.dir.join("log.vkey"))
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

/// Status, headers and body of a request, as another's client sees them.
fn curl(args: &[&str]) -> (u16, String, Vec<u8>) {
    let output = Command::new("curl")
        .args(["-s", "-D", "/dev/stderr"])
        .args(args)
        .output()
        .unwrap();
    let headers = String::from_utf8_lossy(&output.stderr).to_lowercase();
    let status = headers
        .lines()
        .filter_map(|line| line.strip_prefix("http/1.1 ")?.get(..3)?.parse().ok())
        .next_back()
        .unwrap_or(0);
    (status, headers, output.stdout)
}

fn post(url: &str, kind: &str, bytes: &[u8]) -> (u16, Value) {
    support::post(&format!("{url}/v1/records"), kind, bytes)
}

#[test]
fn a_platform_appends_and_anybody_verifies() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    ledger.set_up(&remote);
    let statements: Vec<Statement> = (0..600).map(|n| award(n % 10, n)).collect();
    let records = ledger.sign(&remote, &ledger.platform, &statements);
    let first = match remote.append(&records).unwrap() {
        BatchAnswer::Admitted(indexes) => indexes[0],
        other => panic!("{other:?}"),
    };
    // Sent again, they are where they were.
    match remote.append(&records).unwrap() {
        BatchAnswer::Admitted(indexes) => assert_eq!(indexes[0], first),
        other => panic!("{other:?}"),
    }
    let checkpoint =
        Checkpoint::open(&remote.bytes("checkpoint").unwrap(), &vkey(&ledger)).unwrap();
    let head = checkpoint.head();
    assert_eq!(head.size, 5 + 600);

    // Proofs and receipts hold.
    let hashes = |value: &Value| -> Vec<Hash> {
        value["hashes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|h| h.as_str().unwrap().parse().unwrap())
            .collect()
    };
    for index in [0, 4, 5, 255, 256, 604] {
        let proof: Value = remote
            .json(&format!("v1/proofs/inclusion?index={index}"))
            .unwrap();
        let leaf: Hash = proof["leaf_hash"].as_str().unwrap().parse().unwrap();
        verify_inclusion(leaf, index, head.size, &hashes(&proof), &head.root).unwrap();
        let receipt: Receipt = remote
            .text(&format!("v1/receipts/{index}"))
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(leaf_hash(&receipt.entry), leaf);
        let verified = receipt.verify(&vkey(&ledger), None, &[]).unwrap();
        assert_eq!(verified.index, Index(index));
    }
    let more = ledger.sign(&remote, &ledger.platform, &[award(1, 1000)]);
    remote.append(&more).unwrap();
    let newer = Checkpoint::open(&remote.bytes("checkpoint").unwrap(), &vkey(&ledger))
        .unwrap()
        .head();
    let proof: Value = remote
        .json(&format!("v1/proofs/consistency?from={}", head.size))
        .unwrap();
    verify_consistency(
        head.size,
        &head.root,
        newer.size,
        &newer.root,
        &hashes(&proof),
    )
    .unwrap();

    // The ledger adds up.
    let totals: Value = remote.json("v1/totals").unwrap();
    assert_eq!(totals["awarded"], (601 * 104).to_string());
    assert_eq!(totals["balances"], (601 * 104).to_string());
    assert_eq!(server.stop(), 0);

    // A second start goes on where the first ended, with the same checkpoint.
    let server = Server::start(&ledger.dir);
    let again = Checkpoint::open(
        &server.remote().bytes("checkpoint").unwrap(),
        &vkey(&ledger),
    )
    .unwrap();
    assert_eq!(again.head(), newer);
    // One server a directory.
    let second = run(&[
        "serve",
        ledger.dir.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(second.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use"));
    let key = ledger.dir.join("log.vkey");
    run_ok(&["fsck", &server.url, "--log", key.to_str().unwrap()]);
    drop(server);
    run_ok(&["fsck", ledger.dir.to_str().unwrap()]);
}

#[test]
fn the_static_log_has_the_standards_types_and_caching() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    ledger.set_up(&remote);
    let statements: Vec<Statement> = (0..300).map(|n| award(n, n)).collect();
    let records = ledger.sign(&remote, &ledger.platform, &statements);
    remote.append(&records).unwrap();
    let at = |path: &str| format!("{}/{path}", server.url);
    let get = |path: &str| curl(&[&at(path)]);

    let (status, headers, note) = get("checkpoint");
    assert_eq!(status, 200);
    assert!(
        headers.contains("content-type: text/plain; charset=utf-8"),
        "{headers}"
    );
    assert!(headers.contains("cache-control: no-cache"));
    assert!(
        String::from_utf8(note)
            .unwrap()
            .starts_with("test.example/ledger\n305\n")
    );
    let etag = headers
        .lines()
        .find_map(|line| line.strip_prefix("etag: "))
        .unwrap()
        .to_owned();
    let condition = format!("If-None-Match: {etag}");
    assert_eq!(curl(&["-H", &condition, &at("checkpoint")]).0, 304);

    for (path, bytes) in [
        ("tile/0/000", 8192),
        ("tile/0/001.p/49", 49 * 32),
        ("tile/1/000.p/1", 32),
    ] {
        let (status, headers, tile) = get(path);
        assert_eq!((status, tile.len()), (200, bytes), "{path}");
        assert!(headers.contains("content-type: application/octet-stream"));
        assert!(headers.contains("immutable"), "{headers}");
    }
    assert_eq!(get("tile/entries/001.p/49").0, 200);
    assert_eq!(get("tile/entries/001.p/3").0, 200);
    for path in [
        "tile/0/001",
        "tile/0/001.p/50",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/1",
        "tile/64/000",
        "tile/00/000",
        "tile/-1/000",
        "tile/0/x000/000",
        "tile/2/000",
        "tile/entries/002",
        "tile/entries/../../origin",
        "nothing",
        "v1/entries/305",
        "v1/entries/18446744073709551615",
        "v1/proofs/inclusion?index=305",
        "v1/proofs/inclusion?index=0&size=306",
    ] {
        let (status, headers, body) = curl(&["--path-as-is", &at(path)]);
        assert_eq!(status, 404, "{path}");
        assert!(headers.contains("application/problem+json"), "{path}");
        assert!(headers.contains("no-store"), "{path}");
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["status"], 404);
        assert!(problem["advice"].is_string());
    }
    for path in [
        "tile/0/%2e%2e",
        "v1/entries/x",
        "v1/proofs/inclusion?index=-1",
        "v1/proofs/inclusion",
        "v1/accounts/ff",
    ] {
        assert_eq!(get(path).0, 400, "{path}");
    }
    let (_, headers, zipped) = curl(&["-H", "Accept-Encoding: gzip", &at("tile/entries/000")]);
    assert!(headers.contains("content-encoding: gzip"));
    assert!(zipped.len() < get("tile/entries/000").2.len());
    assert_eq!(get("healthz").0, 200);
    assert_eq!(get("readyz").0, 200);
    let metrics = String::from_utf8(get("metrics").2).unwrap();
    assert!(metrics.contains("arborlog_tree_size 305"), "{metrics}");
}

#[test]
fn the_openapi_document_is_true_to_the_routes() {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    let remote = server.remote();
    let document: Value = remote.json("openapi.json").unwrap();
    let paths = document["paths"].as_object().unwrap();
    let named: HashSet<&str> = paths.keys().map(String::as_str).collect();
    let promised = HashSet::from([
        "/checkpoint",
        "/openapi.json",
        "/tile/{level}/{number}",
        "/tile/{level}/{number}.p/{width}",
        "/v1/records",
        "/v1/batches",
        "/v1/issuers",
        "/v1/issuers/{key}",
        "/v1/entries/{index}",
        "/v1/receipts/{index}",
        "/v1/proofs/inclusion",
        "/v1/proofs/consistency",
        "/v1/proofs/state",
        "/v1/proofs/certificate/{index}",
        "/v1/proofs/account-history/{id}",
        "/v1/proofs/plot-history/{number}",
        "/v1/accounts/{id}",
        "/v1/accounts/{id}/entries",
        "/v1/issuers/{key}/entries",
        "/v1/evidence/{digest}",
        "/v1/trees/{plot}/{serial}",
        "/v1/certificates/{index}",
        "/v1/plots/{number}",
        "/v1/methods",
        "/v1/governors",
        "/v1/reversals",
        "/v1/totals",
        "/v1/checkpoint",
        "/v1/checkpoints",
        "/v1/checkpoints/{hour}",
        "/v1/cosigners",
        "/v1/policy",
        "/metrics",
        "/healthz",
        "/readyz",
    ]);
    assert_eq!(named, promised);
    let mut ids = HashSet::new();
    for operation in paths
        .values()
        .flat_map(|it| it.as_object().unwrap().values())
    {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id} stands twice");
    }
    // The examples of statements are those of the golden ledger.
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/statements");
    let golden = std::fs::read_dir(golden)
        .unwrap()
        .map(|file| file.unwrap().path());
    let golden = golden.filter(|path| path.extension().is_some_and(|it| it == "json"));
    let golden: Vec<Value> = golden
        .map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
        .collect();
    let examples = schemas.values().filter_map(|it| it["examples"].as_array());
    let examples: Vec<&Value> = examples.flatten().collect();
    let kinds: HashSet<&str> = examples
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    let stated: HashSet<&str> = golden
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, stated);
    assert!(examples.iter().all(|example| golden.contains(example)));
    for (path, operations) in paths {
        let real = path
            .replace("/tile/{level}/{number}.p/{width}", "/tile/0/000.p/1")
            .replace("/tile/{level}/{number}", "/tile/0/000")
            .replace("{key}", &ledger.governors[0].public().to_string())
            .replace("{id}", &"0".repeat(64))
            .replace("{index}", "0")
            .replace("{plot}/{serial}", "1/1")
            .replace("{number}", "1");
        let url = format!("{}{real}", server.url);
        for (method, status) in [("GET", "get"), ("POST", "post"), ("DELETE", "delete")] {
            let (found, _, _) = curl(&["-X", method, &url]);
            assert_eq!(
                operations.get(status).is_none(),
                found == 405,
                "{method} {path}: {found}"
            );
        }
    }
}

#[test]
fn a_bad_batch_gets_its_status_code_and_advice_and_changes_nothing_else() {
    let ledger = Ledger::init();
    let server = Server::start_with(&ledger.dir, &["--body-bytes", "200000"]);
    let remote = server.remote();
    ledger.set_up(&remote);
    let url = &server.url;
    let binary = "application/octet-stream";
    let signed = |statements: &[Statement]| ledger.sign(&remote, &ledger.platform, statements);
    let size = || {
        remote.json::<Value>("v1/totals").unwrap()["entries"]
            .as_u64()
            .unwrap()
    };
    let before = size();

    // Bytes: a length that lies, a byte too many, nothing at all, another kind.
    let good = body(&signed(&[award(1, 1)]));
    let mut lies = good.clone();
    lies[0] = 0xff;
    let mut longer = good.clone();
    let length = (good.len() as u32 - 4) + 1;
    longer[..4].copy_from_slice(&length.to_be_bytes());
    longer.push(0);
    for bytes in [lies, longer, good[..good.len() - 1].to_vec()] {
        let (status, problem) = post(url, binary, &bytes);
        assert_eq!(
            (status, problem["code"].as_str()),
            (400, Some("not_canonical")),
            "{problem}"
        );
        assert_eq!(
            (&problem["position"], &problem["admitted"]),
            (&0.into(), &0.into())
        );
    }
    // A path that is no UTF-8 and a query without its parameter are problems like any other.
    for path in ["tile/%81", "v1/accounts/%ff", "v1/proofs/inclusion?size=1"] {
        let (status, head, bytes) = curl(&[&format!("{url}/{path}")]);
        assert_eq!(status, 400, "{head}");
        let problem: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(problem["code"].as_str().unwrap().ends_with("_malformed"));
    }
    assert_eq!(post(url, binary, &[]).0, 200);
    assert_eq!(post(url, "text/plain", &good).0, 415);
    assert_eq!(post(url, "application/json", b"[{\"record\":1}]").0, 400);
    assert_eq!(post(url, "application/json", &b"[".repeat(100_000)).0, 400);
    assert_eq!(post(url, binary, &vec![0; 200_001]).0, 413);

    // A key that was never granted; a role that may not; a gap; a used seq; a broken chain.
    let stranger = arborlog::crypto::SigningKey::from_seed(&[9; 32]);
    let foreign = support::sign_from(
        &ledger.context(),
        &stranger,
        Seq(0),
        RecordId::NONE,
        &[award(1, 1)],
    );
    let planter = ledger.sign(&remote, &ledger.planter, &[award(1, 1)]);
    let two = signed(&[award(1, 1), award(1, 2)]);
    let broken = support::sign_from(
        &ledger.context(),
        &ledger.platform,
        Seq(0),
        RecordId::NONE,
        &[award(1, 1)],
    );
    let mut wrong = award(1, 1);
    if let Statement::Award(award) = &mut wrong {
        award.points = Grams(105);
    }
    for (records, expected, code) in [
        (foreign, 403, "issuer_unknown"),
        (planter, 403, "role_refused"),
        (two[1..].to_vec(), 409, "sequence_gap"),
        (broken, 409, "chain_broken"),
        (signed(&[wrong.clone()]), 422, "points_mismatch"),
    ] {
        let (status, problem) = post(url, binary, &body(&records));
        assert_eq!(
            (status, problem["code"].as_str()),
            (expected, Some(code)),
            "{problem}"
        );
        assert!(!problem["advice"].as_str().unwrap().is_empty());
        assert!(
            problem["checkpoint"]
                .as_str()
                .unwrap()
                .starts_with("test.example/ledger\n")
        );
    }
    assert_eq!(size(), before);

    // Admitted in order up to the first bad one; a used seq under other bytes is a conflict.
    let mixed = signed(&[award(1, 1), award(1, 2), wrong, award(1, 4)]);
    let (status, problem) = post(url, binary, &body(&mixed));
    assert_eq!(
        (status, &problem["position"], &problem["admitted"]),
        (422, &2.into(), &2.into())
    );
    assert_eq!(problem["indexes"], serde_json::json!([before, before + 1]));
    assert_eq!(problem["already_in"], serde_json::json!([]));
    // Sent again, it is told from what this request appends.
    let (_, problem) = post(url, binary, &body(&mixed));
    assert_eq!(problem["already_in"], serde_json::json!([0, 1]));
    assert!(
        problem["advice"].as_str().unwrap().contains("104"),
        "{problem}"
    );
    assert_eq!(size(), before + 2);
    let used = support::sign_from(
        &ledger.context(),
        &ledger.platform,
        mixed[0].record().seq,
        mixed[0].record().prev,
        &[award(5, 5)],
    );
    assert_eq!(post(url, binary, &body(&used)).0, 409);

    // JSON says the same.
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let pair = signed(&[award(7, 7), award(8, 8)]);
    let record = &pair[0];
    let json = serde_json::json!([
        {"record": encode(record.bytes()), "signature": encode(record.signature().as_bytes())}
    ]);
    let (status, answer) = post(url, "application/json", json.to_string().as_bytes());
    assert_eq!(
        (status, &answer["first_index"]),
        (200, &(before + 2).into()),
        "{answer}"
    );
    assert_eq!(answer["already_in"], serde_json::json!([]));
    let (_, answer) = post(url, binary, &body(&pair));
    assert_eq!(answer["already_in"], serde_json::json!([0]), "{answer}");
    assert_eq!(
        answer["indexes"],
        serde_json::json!([before + 2, before + 3])
    );
}

/// Opens a journal that was just closed. Tests run beside each other: a process that another one
/// forks holds the lock too, until it has become the program that it is to be.
fn open_again<'a>(
    remote: &'a Remote,
    ledger: &Ledger,
    key: &'a IssuerKey,
    journal: &Path,
) -> Result<Submitter<'a>, SubmitError> {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match Submitter::open(remote, &ledger.origin(), key, journal, Options::default()) {
            Err(
                SubmitError::Journal(JournalError::Locked(_))
                | SubmitError::Head(HeadError::Locked(_)),
            ) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(10));
            }
            opened => return opened,
        }
    }
}

#[test]
fn kill_9_at_random_moments_of_a_load_loses_and_doubles_nothing() {
    let ledger = Ledger::init();
    let mut server = Server::start(&ledger.dir);
    ledger.set_up(&server.remote());
    let statements: Vec<Statement> = (0..30_000).map(|n| award(n % 500, n)).collect();
    let journal = ledger.temp.path().join("load.journal");
    let key = IssuerKey::read(Path::new(&ledger.path("platform.pem"))).unwrap();
    let mut seen: Vec<arborlog::note::TreeHead> = Vec::new();
    let mut acknowledged = 0;
    for round in 0..6_u64 {
        let remote = Remote::new(&server.url).retrying_for(Duration::from_millis(300));
        let pause = Duration::from_millis(60 + 97 * (round * round % 7));
        let killer = std::thread::spawn(move || {
            std::thread::sleep(pause);
            server.kill();
        });
        // It may be killed before anything is known of it.
        if let Ok(submitter) = open_again(&remote, &ledger, &key, &journal) {
            let _ = submitter.run_statements(&statements, OnRefusal::Stop, &mut |done| {
                acknowledged = acknowledged.max(done)
            });
        }
        if let Ok(note) = remote.bytes("checkpoint") {
            seen.push(Checkpoint::open(&note, &vkey(&ledger)).unwrap().head());
        }
        killer.join().unwrap();
        server = Server::start(&ledger.dir);
    }
    let remote = server.remote();
    let submitter = open_again(&remote, &ledger, &key, &journal).unwrap();
    let (outcomes, summary) = submitter
        .run_statements(&statements, OnRefusal::Stop, &mut |_| ())
        .unwrap();
    assert!(acknowledged > 0, "none was killed in the middle");
    assert_eq!(summary.admitted + summary.already_in, 30_000);
    assert_eq!((summary.all_in(), summary.refused), (true, 0));
    // In, once each, where it was said.
    let at: Vec<Index> = outcomes
        .iter()
        .map(|outcome| match outcome {
            LineOutcome::Admitted(index) | LineOutcome::AlreadyIn(index) => *index,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(at.iter().collect::<HashSet<_>>().len(), 30_000);
    let totals: Value = remote.json("v1/totals").unwrap();
    assert_eq!(support::entries::said(&remote), 30_005);
    assert_eq!(totals["awarded"], (30_000_u64 * 104).to_string());
    for line in [0, 1, 9_999, 29_999] {
        let index = at[line];
        let entry: Value = remote.json(&format!("v1/entries/{index}")).unwrap();
        let statement: Statement = serde_json::from_value(entry["statement"].clone()).unwrap();
        assert_eq!(statement, statements[line]);
    }
    let newest = Checkpoint::open(&remote.bytes("checkpoint").unwrap(), &vkey(&ledger))
        .unwrap()
        .head();
    for head in seen {
        let proof: Value = remote
            .json(&format!(
                "v1/proofs/consistency?from={}&to={}",
                head.size, newest.size
            ))
            .unwrap();
        let hashes: Vec<Hash> = proof["hashes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|h| h.as_str().unwrap().parse().unwrap())
            .collect();
        verify_consistency(head.size, &head.root, newest.size, &newest.root, &hashes).unwrap();
    }
    server.kill();
    run_ok(&["fsck", ledger.dir.to_str().unwrap()]);
}
