//! Requests of any method, path, query and body at a log that runs: an answer that means something,
//! never a panic, never a 500; and a ledger whose sums hold after each.
#![no_main]

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use arborlog::answer::Closing;
use arborlog::crypto::SigningKey;
use arborlog::http::{Limits, router_of};
use arborlog::ledger::{Candidate, State};
use arborlog::log::{Clock, Log, LogConfig, LogSigner};
use arborlog::merkle::{Bundle, Frontier, leaf_hash};
use arborlog::note::TreeHead;
use arborlog::record::*;
use arborlog::store::{Batch, CommitOutcome, DiskStore};
use arborlog::web::{self, Site};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

const ORIGIN: &str = "fuzz.example/ledger";

struct Served {
    runtime: Runtime,
    router: Router,
    log: Arc<Log>,
    context: SigningContext,
    governor: SigningKey,
    /// The governor's next seq and prev.
    next: Mutex<(Seq, RecordId)>,
    _dir: TempDir,
}

static SERVED: LazyLock<Served> = LazyLock::new(Served::start);

impl Served {
    fn start() -> Self {
        let dir = TempDir::new_in("/dev/shm")
            .or_else(|_| TempDir::new())
            .unwrap();
        let path = dir.path().join("ledger");
        DiskStore::create(&path).unwrap();
        let store = DiskStore::open(&path).unwrap();
        let origin: Origin = ORIGIN.parse().unwrap();
        let context = SigningContext::new(&origin);
        let (governor, log_key) = (
            SigningKey::from_seed(&[1; 32]),
            SigningKey::from_seed(&[2; 32]),
        );
        let genesis = Statement::Genesis(Genesis {
            format: FormatVersion::CURRENT,
            origin: origin.clone(),
            programme: "fuzz".parse().unwrap(),
            governors: List::try_from(vec![governor.public()]).unwrap(),
            quorum: 1,
            log_key: log_key.public(),
            mldsa_key: None,
        });
        let record = record(&governor, (Seq(0), RecordId::NONE), genesis);
        let (signed, id) = draft(&record, &context, &governor).unwrap();
        let signed = signed.endorse(&context, &log_key).unwrap();
        let admitted_at = TimeMs(1_767_300_000_000);
        let candidate = Candidate::signed(&signed, id, admitted_at, None);
        let lineage = State::empty(origin.clone()).judge(&candidate).unwrap();
        let entry = SignedEntry::encode_parts(admitted_at, &lineage, &signed).unwrap();
        let mut tree = Frontier::default();
        tree.push(leaf_hash(&entry));
        let mut entries = Vec::new();
        Bundle::append(&mut entries, &entry).unwrap();
        let batch = Batch {
            from: store.head_now().unwrap(),
            entries,
            to: LogHead::without_state(TreeHead::of(&tree)),
        };
        assert!(matches!(store.commit_now(&batch), CommitOutcome::Committed));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let signer = LogSigner::of_keys(origin, vec![log_key]);
        let mut config = LogConfig::of(&path);
        config.state_every = Some(Duration::from_millis(100));
        let log = runtime
            .block_on(Log::start_with(
                Arc::new(store),
                signer,
                None,
                Clock::system(true),
                &config,
            ))
            .unwrap();
        let log = Arc::new(log);
        let limits = Limits {
            body_bytes: 1 << 16,
            batch_records: 64,
            ..Limits::default()
        };
        // With an end to every stream.
        let pages = web::pages(Arc::clone(&log), Site::default(), Closing::default());
        let served = Self {
            router: router_of(Arc::clone(&log), limits, pages),
            runtime,
            log,
            context,
            governor,
            next: Mutex::new((Seq(1), id)),
            _dir: dir,
        };
        served.await_state_entry();
        served
    }

    /// Files about the state can be had from the first state entry on, which the log makes soon after its start.
    fn await_state_entry(&self) {
        let mut said = Vec::new();
        for _ in 0..200 {
            let request = Request::get("/v1/proofs/state?domain=totals");
            let (status, answer) = self.ask(request.body(Body::empty()).unwrap());
            if status == StatusCode::OK {
                return;
            }
            said = answer;
            std::thread::sleep(Duration::from_millis(50));
        }
        let said = String::from_utf8_lossy(&said);
        panic!("the log made no state entry in ten seconds: {said}");
    }

    fn ask(&self, request: Request<Body>) -> (StatusCode, Vec<u8>) {
        self.runtime.block_on(async {
            let answer = self.router.clone().oneshot(request).await.unwrap();
            let status = answer.status();
            (
                status,
                to_bytes(answer.into_body(), 64 << 20)
                    .await
                    .unwrap()
                    .to_vec(),
            )
        })
    }
}

/// What was admitted since the newest state entry can't be proven before the next one: come again.
fn awaits_state_entry(status: StatusCode, answer: &[u8]) -> bool {
    status == StatusCode::SERVICE_UNAVAILABLE
        && serde_json::from_slice::<serde_json::Value>(answer)
            .is_ok_and(|problem| problem["code"] == "state_unproven")
}

fn record(issuer: &SigningKey, (seq, prev): (Seq, RecordId), statement: Statement) -> Record {
    Record {
        issuer: issuer.public(),
        seq,
        prev,
        issued_on: "2026-01-02".parse().unwrap(),
        statement,
    }
}

// The first byte chooses; then a line with path and query; the rest is the body.
fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else {
        return;
    };
    let served = &*SERVED;
    if choice & 1 == 1 {
        // A statement that the governor really signs: the rules see it.
        let Ok(statement) = serde_json::from_slice::<Statement>(rest) else {
            return;
        };
        let mut next = served.next.lock().unwrap();
        let record = record(&served.governor, *next, statement);
        let Ok((signed, id)) = draft(&record, &served.context, &served.governor) else {
            return;
        };
        let bytes = signed.encode().unwrap();
        let body = [&(bytes.len() as u32).to_be_bytes(), bytes.as_slice()].concat();
        let request = Request::post("/v1/records")
            .header("content-type", "application/octet-stream")
            .body(Body::from(body))
            .unwrap();
        let (status, answer) = served.ask(request);
        assert!(
            status.as_u16() < 500,
            "{status}: {}",
            String::from_utf8_lossy(&answer)
        );
        if status == StatusCode::OK {
            *next = (Seq(next.0.0 + 1), id);
        }
    } else {
        let line = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(rest.len());
        let (path, body) = (&rest[..line], rest.get(line + 1..).unwrap_or_default());
        let method = if choice & 2 == 2 {
            Method::POST
        } else {
            Method::GET
        };
        let kind = match choice & 12 {
            0 => "application/octet-stream",
            8 => SEALED_BATCH,
            _ => "application/json",
        };
        let request = Request::builder()
            .method(method)
            .uri([b"/", path].concat().as_slice())
            .header("content-type", kind)
            .body(Body::from(body.to_vec()));
        let Ok(request) = request else {
            return;
        };
        let (status, answer) = served.ask(request);
        assert!(
            status.as_u16() < 500 || awaits_state_entry(status, &answer),
            "{status}: {}",
            String::from_utf8_lossy(&answer)
        );
        // Pages say it to people.
        if status.is_client_error() && !answer.starts_with(b"<!doctype html>") {
            let problem: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            assert!(
                problem["code"].is_string() && problem["advice"].is_string(),
                "{problem}"
            );
        }
    }
    let sums = served
        .runtime
        .block_on(served.log.look_up(|state| state.totals().check()));
    sums.unwrap().0.unwrap();
});
