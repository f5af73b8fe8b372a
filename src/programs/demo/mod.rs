use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use tokio::net::TcpListener;

use super::import::{Imported, Sender, import_trees, import_trips};
use crate::cli::govern::submit_governed;
use crate::cli::init::{self, Governor};
use crate::cli::{Done, Failure, say, serve};
use arborlog::client::{Remote, today};
use arborlog::crypto::SigningKey;
use arborlog::durable::make_folders;
use arborlog::http::Limits;
use arborlog::import::{
    Table, TreePlan, Trips, added_columns, all_species, event_columns, plan_claims,
    station_columns, trip_columns,
};
use arborlog::log::{Log, LogConfig, has_store};
use arborlog::note::{Checkpoint, VerifierKey};
use arborlog::receipt::Receipt;
use arborlog::record::{
    AccountId, Activity, ActivityCode, Day, Digest, Grams, Index, KeyGrant, List, Method, MethodId,
    MethodVersion, Micrograms, Origin, Planting, RecordId, Role, Statement, Text,
};
use arborlog::web::Site;

const ORIGIN: &str = "demo.arborlog.example/ledger";
const TRIPS: &[u8] = include_bytes!("../../../docs/examples/data/bikeshare_trips.csv.zst");
const STATIONS: &[u8] = include_bytes!("../../../docs/examples/data/bikeshare_stations.csv");
const TREES: &[u8] = include_bytes!("../../../docs/examples/data/sf_trees_added.csv.zst");
const EVENTS: &[u8] = include_bytes!("../../../docs/examples/data/sf_tree_events.csv.zst");
const METHOD_DOCUMENT: &[u8] = include_bytes!("../../../docs/examples/method.md");

/// DESNZ 2025, average car, unknown fuel: 0.16725 kg CO2e a vehicle-km (25_301_3074_4_1).
const CAR_UG_PER_KM: Micrograms = Micrograms(167_250_000);
const TRIP_CAP: Grams = Grams(5_000);

/// Run the main job on real data: keys, a ledger, awards, plots, claims; then verify and serve.
///
/// Bay Area bicycle trips become awards, San Francisco's street trees plots and plantings. Running
/// it again, also after it was killed, continues the same ledger and appends nothing twice.
#[derive(Args)]
pub struct DemoArgs {
    /// Where keys, ledger and journals are kept.
    #[arg(long, default_value = "demo-ledger")]
    dir: PathBuf,
    /// Where to listen; port 0 takes a free one and prints it.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// Stop after verifying, rather than go on serving.
    #[arg(long)]
    once: bool,
    /// Print one JSON object on stdout; progress goes to stderr.
    #[arg(long)]
    json: bool,
}

/// Who signs what in the demonstration.
struct Keys {
    governors: Vec<SigningKey>,
    platform: SigningKey,
    planter: SigningKey,
    surveyor: SigningKey,
}

/// What the demonstration came to.
struct Outcome {
    vkey: VerifierKey,
    genesis: RecordId,
    checkpoint: Checkpoint,
    refused: usize,
    receipts_verified: usize,
    totals: serde_json::Map<String, serde_json::Value>,
}

const TOTALS: [&str; 11] = [
    "awarded",
    "reversed",
    "expired",
    "spent_elsewhere",
    "claimed",
    "balances",
    "planted",
    "lost",
    "standing",
    "assigned",
    "waiting",
];

pub fn run(args: &DemoArgs) -> Done {
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new()?;
    let ledger = args.dir.join("ledger");
    let keys = make_keys(&args.dir.join("keys"))?;
    let genesis = make_ledger(&ledger, &keys)?;
    let vkey: VerifierKey = std::fs::read_to_string(ledger.join("log.vkey"))?
        .trim()
        .parse()?;

    let config = LogConfig::of(&ledger);
    let log = Arc::new(runtime.block_on(Log::open(&config))?);
    let listener = runtime
        .block_on(TcpListener::bind(&args.listen))
        .map_err(|error| {
            anyhow::anyhow!(
                "{}: {error}; choose another with --listen, such as 127.0.0.1:0",
                args.listen
            )
        })?;
    let url = format!("http://{}", listener.local_addr()?);
    eprintln!("listening on {url}");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shown = Arc::clone(&log);
    let server = runtime.spawn(arborlog::http::serve(
        listener,
        log,
        Limits::default(),
        None,
        |closing| arborlog::web::router(shown, Site::default(), closing),
        async {
            let _ = stopped.await;
        },
    ));

    let done = play(args, &url, &keys, &vkey, genesis);
    if let Ok(outcome) = &done {
        print(args, outcome, begun.elapsed().as_secs_f64())?;
        if !args.once {
            say(args.json, format!("serving on {url} until Ctrl-C"));
            runtime.block_on(async {
                serve::stop_signal()?.await;
                Ok::<_, std::io::Error>(())
            })?;
        }
    }
    let _ = stop.send(());
    runtime.block_on(server)??;
    done.map(drop)
}

fn play(
    args: &DemoArgs,
    url: &str,
    keys: &Keys,
    vkey: &VerifierKey,
    genesis: RecordId,
) -> Result<Outcome, Failure> {
    let sender = Sender::open(url, &args.dir.join("work"))?;
    let remote = sender.remote();
    grant(
        remote,
        keys,
        &keys.platform,
        Role::Platform,
        "bay-bike-points",
        "Bay Bike Points",
    )?;
    grant(
        remote,
        keys,
        &keys.planter,
        Role::Planter,
        "sf-street-trees",
        "San Francisco street trees",
    )?;
    grant(
        remote,
        keys,
        &keys.surveyor,
        Role::Surveyor,
        "sf-register-watch",
        "Register Watch",
    )?;
    let method = ensure_method(&sender, keys)?;

    let trips = table("bikeshare_trips.csv.zst", TRIPS, true, &trip_columns())?;
    let stations = table("bikeshare_stations.csv", STATIONS, false, station_columns())?;
    let (awarded, trips) = import_trips(
        &sender,
        trips,
        stations,
        method.id,
        ActivityCode(1),
        &keys.platform,
    )?;
    let added = table("sf_trees_added.csv.zst", TREES, true, added_columns())?;
    let events = table("sf_tree_events.csv.zst", EVENTS, true, event_columns())?;
    let (planted, plan) = import_trees(
        &sender,
        added,
        Some(events),
        &keys.planter,
        Some(&keys.surveyor),
    )?;
    let claimed = claim(&sender, keys, &method, &trips, &plan)?;

    let note = remote.bytes("checkpoint")?;
    let checkpoint = Checkpoint::open(&note, vkey).map_err(Failure::check)?;
    let size = checkpoint.head().size;
    let receipts_verified = verify_receipts(remote, vkey, &genesis, size)?;
    let totals: serde_json::Map<String, serde_json::Value> = remote.json("v1/totals")?;
    let parts: [&Imported; 3] = [&awarded, &planted, &claimed];
    let refused = parts.iter().map(|it| it.refused + it.set_aside.len()).sum();
    Ok(Outcome {
        vkey: vkey.clone(),
        genesis,
        checkpoint,
        refused,
        receipts_verified,
        totals,
    })
}

fn print(args: &DemoArgs, outcome: &Outcome, seconds: f64) -> Done {
    let head = outcome.checkpoint.head();
    if args.json {
        let mut object = serde_json::json!({
            "dir": args.dir,
            "origin": outcome.checkpoint.origin().as_str(),
            "log_vkey": outcome.vkey.to_string(),
            "genesis": outcome.genesis,
            "entries": head.size,
            "refused": outcome.refused,
            "receipts_verified": outcome.receipts_verified,
            "root": head.root.to_string(),
            "seconds": seconds,
        });
        if let Some(object) = object.as_object_mut() {
            for name in TOTALS {
                let total = outcome.totals.get(name).cloned().unwrap_or_default();
                object.insert(name.to_owned(), total);
            }
        }
        println!("{object}");
        return Ok(());
    }
    println!();
    println!(
        "{} entries in {seconds:.1} s, root {}",
        head.size, head.root
    );
    println!(
        "{} rows set aside or refused: see {}",
        outcome.refused,
        args.dir.join("work").display()
    );
    println!("{} receipts verified offline", outcome.receipts_verified);
    println!("log vkey {}", outcome.vkey);
    println!("genesis  {}", outcome.genesis);
    println!();
    println!(
        "Points are grams of CO2e under the programme's own method: no measured reductions, no credits."
    );
    for name in TOTALS {
        let total = outcome
            .totals
            .get(name)
            .map(ToString::to_string)
            .unwrap_or_default();
        println!("  {:16} {total:>14}", name.replace('_', " "));
    }
    println!("Standing is what the books say, not what grows; surveys stand beside it.");
    Ok(())
}

fn make_keys(dir: &Path) -> Result<Keys, Failure> {
    make_folders(dir)?;
    let key = |name: &str| -> Result<SigningKey, Failure> {
        let path = dir.join(format!("{name}.pem"));
        // A key that was cut off while it was written signed nothing yet.
        if path.exists() && std::fs::metadata(&path)?.len() == 0 {
            std::fs::remove_file(&path)?;
        }
        if !path.exists() {
            SigningKey::generate()?.write_new(&path)?;
        }
        Ok(SigningKey::read(&path)?)
    };
    Ok(Keys {
        governors: vec![key("governor-1")?, key("governor-2")?],
        platform: key("platform")?,
        planter: key("planter")?,
        surveyor: key("surveyor")?,
    })
}

fn make_ledger(dir: &Path, keys: &Keys) -> Result<RecordId, Failure> {
    if !has_store(dir) {
        // Killed while it was made: nothing is in it yet.
        if dir.exists() {
            std::fs::remove_dir_all(dir)?;
        }
        let origin: Origin = ORIGIN.parse()?;
        let governors = keys
            .governors
            .iter()
            .map(|key| Governor::Present(key.clone()))
            .collect();
        let programme = "Bicycle trips earn points, one a gram of CO2e that a car would have emitted; points become street trees. A demonstration on open data.";
        init::create(dir, &origin, programme, governors, Some(2))?;
    }
    init::complete(dir)
}

/// What the demonstration's governors say.
fn govern(
    remote: &Remote,
    keys: &Keys,
    statement: Statement,
    also: Option<&SigningKey>,
) -> Result<Index, Failure> {
    submit_governed(remote, &ORIGIN.parse()?, &keys.governors, statement, also)
}

fn grant(
    remote: &Remote,
    keys: &Keys,
    key: &SigningKey,
    role: Role,
    holder: &str,
    name: &str,
) -> Done {
    if remote.issuer(&key.public()).is_ok() {
        return Ok(());
    }
    let grant = KeyGrant {
        key: key.public(),
        role,
        holder: holder.parse()?,
        display_name: name.parse()?,
        expires_on: None,
    };
    govern(remote, keys, Statement::KeyGrant(grant), Some(key)).map(drop)
}

fn ensure_method(sender: &Sender, keys: &Keys) -> Result<Method, Failure> {
    if let Some(method) = sender
        .methods()?
        .into_iter()
        .find(|it| it.id == MethodId(1))
    {
        return Ok(method);
    }
    let method = demo_method()?;
    govern(
        sender.remote(),
        keys,
        Statement::Method(method.clone()),
        None,
    )?;
    Ok(method)
}

fn demo_method() -> Result<Method, Failure> {
    use sha2::Digest as _;
    let text = |text: &str| text.parse::<Text<1000>>();
    let activity = Activity {
        code: ActivityCode(1),
        name: "Bicycle trip".parse()?,
        unit: "km".parse()?,
        factor: CAR_UG_PER_KM,
        cap: TRIP_CAP,
    };
    Ok(Method {
        id: MethodId(1),
        version: MethodVersion(1),
        effective_from: Day::from_ymd(2013, 8, 29).unwrap_or(Day(0)),
        activities: List::try_from(vec![activity])?,
        species: List::try_from(all_species())?,
        baseline: text("The same straight-line distance by an average car with one occupant.")?,
        sources: text(
            "UK DESNZ greenhouse gas conversion factors 2025, passenger vehicles, average car, unknown fuel: 0.16725 kg CO2e per vehicle-km.",
        )?,
        jurisdiction:
            "United Kingdom's factor, applied to the San Francisco Bay Area as a demonstration"
                .parse()?,
        document: Digest::from_bytes(sha2::Sha256::digest(METHOD_DOCUMENT).into()),
    })
}

fn table(
    name: &str,
    bytes: &'static [u8],
    zstd: bool,
    columns: &[&'static str],
) -> Result<Table, Failure> {
    Ok(Table::read(
        name.to_owned(),
        Box::new(bytes),
        zstd,
        columns,
    )?)
}

/// Accounts with points enough claim trees, and get those that were planted and not put right.
fn claim(
    sender: &Sender,
    keys: &Keys,
    method: &Method,
    trips: &Trips,
    plan: &TreePlan,
) -> Result<Imported, Failure> {
    let mut balances: BTreeMap<AccountId, u64> = BTreeMap::new();
    for (place, statement) in trips.awards.iter().enumerate() {
        let overlaps = trips.overlaps.iter().any(|(other, _)| *other == place);
        if let (Statement::Award(award), false) = (statement, overlaps) {
            *balances.entry(award.account).or_default() += award.points.0;
        }
    }
    let mut plantings: Vec<Planting> = plan
        .plantings
        .iter()
        .filter(|planned| planned.correction.is_none())
        .map(|planned| planned.planting.clone())
        .collect();
    plantings.sort_by_key(|it| (std::cmp::Reverse(it.count), it.plot, it.first_serial));
    let claims = plan_claims(&balances, &plantings, method, today());
    let sent = sender.send("claims", &keys.platform, &claims.claims)?;
    let assignments = claims.assignments(|place| sent.index(place));
    let tied = sender.send("assignments", &keys.platform, &assignments)?;
    Ok(Imported {
        admitted: 0,
        refused: sent.refused + tied.refused,
        set_aside: Vec::new(),
    })
}

/// Fetches receipts from all over the log and verifies each with the two things that are pinned.
fn verify_receipts(
    remote: &Remote,
    vkey: &VerifierKey,
    genesis: &RecordId,
    size: u64,
) -> Result<usize, Failure> {
    const RECEIPTS: u64 = 8;
    let mut verified = 0;
    for step in 0..RECEIPTS {
        let index = (size - 1) * step / (RECEIPTS - 1);
        let text = remote.text(&format!("v1/receipts/{index}"))?;
        let receipt: Receipt = text.parse().map_err(Failure::check)?;
        receipt
            .verify(vkey, Some(genesis), &[])
            .map_err(Failure::check)?;
        verified += 1;
    }
    Ok(verified)
}
