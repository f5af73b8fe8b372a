//! A whole programme in one process: a ledger is begun and served, a platform's key is granted, its
//! awards are submitted over HTTP, and an auditor replays everything and checks a receipt.
//!
//! ```sh
//! cargo run --example programme
//! ```

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use arborlog::answer::PageRoutes;
use arborlog::audit::{AuditError, Auditor, threads_default};
use arborlog::client::{
    IssuerKey, OnRefusal, Options, Remote, RemoteLog, Submitter, Summary, today,
};
use arborlog::crypto::SigningKey;
use arborlog::durable::{create, make_folders};
use arborlog::http::{ServeOptions, serve};
use arborlog::log::{Log, LogConfig, admit_genesis, vkey};
use arborlog::note::VerifierKey;
use arborlog::receipt::Receipt;
use arborlog::record::{
    Award, FormatVersion, Genesis, Index, KeyGrant, List, Origin, Record, RecordId, Role, Seq,
    SignedRecord, SigningContext, Statement, draft,
};
use arborlog::store::DiskStore;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

const METHOD: &str = include_str!("../tests/golden/statements/method.json");
/// A ride of 40 km.
const AWARD: &str = r#"{
    "account": "49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1",
    "method": 1, "version": 1, "activity": 1, "quantity": 40000, "points": 6690,
    "occurred_on": "2026-11-02",
    "evidence": "5e7c0615912078dfdbcad5d73e147a08a0b8f477daff5cf4a0dad7991f4f8f90"
}"#;

/// What the programme begins with: the genesis, and the governors' first records.
fn begin(
    dir: &Path,
    origin: &Origin,
    platform: &SigningKey,
) -> Fallible<(SigningKey, Vec<SignedRecord>)> {
    let (governor, log_key) = (SigningKey::generate()?, SigningKey::generate()?);
    let context = SigningContext::new(origin);
    make_folders(&dir.join("keys"))?;
    log_key.write_new(&dir.join("keys/log.pem"))?;
    create(&dir.join("origin"), format!("{origin}\n").as_bytes())?;
    DiskStore::create(dir)?;
    let record = |seq, prev, statement| Record {
        issuer: governor.public(),
        seq: Seq(seq),
        prev,
        issued_on: today(),
        statement,
    };
    let genesis = Statement::Genesis(Genesis {
        format: FormatVersion::CURRENT,
        origin: origin.clone(),
        programme: "Green rides".parse()?,
        governors: List::try_from(vec![governor.public()])?,
        quorum: 1,
        log_key: log_key.public(),
        mldsa_key: None,
    });
    let (signed, first) = draft(&record(0, RecordId::NONE, genesis), &context, &governor)?;
    admit_genesis(dir, origin, &signed.endorse(&context, &log_key)?)?;

    let grant = Statement::KeyGrant(KeyGrant {
        key: platform.public(),
        role: Role::Platform,
        holder: "green-app".parse()?,
        display_name: "Green App".parse()?,
        expires_on: None,
        set: Index(0),
    });
    let (grant, second) = draft(&record(1, first, grant), &context, &governor)?;
    let method = serde_json::from_str(METHOD)?;
    let (method, _) = draft(&record(2, second, method), &context, &governor)?;
    Ok((log_key, vec![grant.endorse(&context, platform)?, method]))
}

/// The platform's side, on any machine: blocking, and safe to run again after any cut.
fn submit(url: &str, key: &IssuerKey, journal: &Path) -> Fallible<Summary> {
    let remote = Remote::new(url);
    let submitter = Submitter::open(&remote, &remote.origin()?, key, journal, Options::default())?;
    let mut award: Award = serde_json::from_str(AWARD)?;
    award.occurred_on = today();
    let awards = [Statement::Award(award)];
    let (outcomes, summary) = submitter.run_statements(&awards, OnRefusal::Stop, &mut |_| {})?;
    for outcome in outcomes {
        println!("the award: {outcome:?}");
    }
    Ok(summary)
}

/// The auditor's side: all entries by all rules, then one receipt, offline.
fn audit(url: &str, log: &VerifierKey) -> Fallible<()> {
    let remote = Remote::new(url);
    let files = RemoteLog::new(remote.clone());
    let mut auditor = Auditor::new(log.clone())?;
    let claimed = auditor.fetch_checkpoint(&files)?;
    let checked = auditor.advance(
        &files,
        &claimed,
        threads_default(),
        |taken, _| {
            let kind = taken.stated().map(|stated| stated.statement.kind());
            println!("{}: {kind:?}", taken.index);
            Ok::<_, AuditError>(())
        },
        |_| Ok(()),
    )?;
    println!(
        "entries {checked:?} hold; {} points awarded",
        auditor.state().totals().awarded
    );
    let receipt = Receipt::read(&remote.bytes("v1/receipts/3")?)?;
    let verified = receipt.verify(log, None, &[])?;
    assert_eq!(verified.index, Index(3));
    println!(
        "the receipt of entry 3 holds in the tree of {} entries",
        verified.head.size
    );
    Ok(())
}

fn main() -> Fallible<()> {
    let temp = tempfile::tempdir()?;
    let origin: Origin = "example.org/ledger".parse()?;
    let platform = SigningKey::generate()?;
    let dir = temp.path().join("ledger");
    let (log_key, first_records) = begin(&dir, &origin, &platform)?;
    let key = IssuerKey::new(platform, &temp.path().join("platform.head"));
    let journal = temp.path().join("awards.journal");
    let log_vkey = vkey(&origin, log_key.public());

    tokio::runtime::Runtime::new()?.block_on(async {
        let log = Arc::new(Log::open(&LogConfig::of(&dir)).await?);
        log.append(first_records, None).await?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        let server = tokio::spawn(serve(
            listener,
            log,
            ServeOptions::default(),
            |_| PageRoutes::none(),
            stopped,
        ));
        // The client blocks, so it runs beside the runtime's own threads.
        tokio::task::spawn_blocking(move || {
            println!("{:?}", submit(&url, &key, &journal)?);
            audit(&url, &log_vkey)
        })
        .await??;
        drop(stop);
        server.await??;
        Ok(())
    })
}
