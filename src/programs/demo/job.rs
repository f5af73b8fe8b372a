//! What is appended, and what is verified of it.

use std::path::Path;

use anyhow::Context as _;

use super::programme::{ProgrammeKeys, ensure_method, grant};
use crate::cli::Failure;
use crate::programs::import::{
    ImportSummary, SendOptions, StatementSender, TreeFiles, TripSource, import_trees, import_trips,
};
use arborlog::client::{Remote, today};
use arborlog::import::{
    ADDED_COLUMNS, BAY_AREA, CsvTable, EVENT_COLUMNS, STATION_COLUMNS, SpeciesList, TRIP_COLUMNS,
    TreeBooks, TripPlan, plan_claims,
};
use arborlog::note::{Checkpoint, VerifierKey};
use arborlog::receipt::Receipt;
use arborlog::record::{ActivityCode, Method, Planting, RecordId, Role, Statement};

const TRIPS: &[u8] = include_bytes!("../../../docs/examples/data/bikeshare_trips.csv.zst");
const STATIONS: &[u8] = include_bytes!("../../../docs/examples/data/bikeshare_stations.csv");
const TREES: &[u8] = include_bytes!("../../../docs/examples/data/sf_trees_added.csv.zst");
const EVENTS: &[u8] = include_bytes!("../../../docs/examples/data/sf_tree_events.csv.zst");

/// Rows of the tables, as docs/examples/data/README.md tells them.
const TREE_ROWS: u64 = 11_379;
const EVENT_ROWS: u64 = 21_381;

/// What the demonstration came to.
pub struct DemoSummary {
    pub vkey: VerifierKey,
    pub genesis: RecordId,
    pub checkpoint: Checkpoint,
    /// Lines of the tables that were set aside.
    pub set_aside: u64,
    /// Lines of the tables that the rules refused.
    pub refused: u64,
    /// Statements that are not in, of lines or of what follows from them.
    pub statements_refused: u64,
    pub receipts_verified: usize,
    /// Those of [`TOTALS`], as the server gives them.
    pub totals: Vec<(&'static str, String)>,
}

/// The totals that are shown.
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

/// Appends all that is not in yet, and verifies receipts.
pub fn play(
    work: &Path,
    url: &str,
    keys: &ProgrammeKeys,
    vkey: &VerifierKey,
    genesis: RecordId,
    cover: impl FnOnce() -> Result<(), Failure>,
) -> Result<DemoSummary, Failure> {
    let sender = StatementSender::open(&[url.to_owned()], work, SendOptions::default())?;
    let remote = sender.remote();
    grant(
        remote,
        keys,
        keys.platform.key(),
        Role::Platform,
        "bay-bike-points",
        "Bay Bike Points",
    )?;
    grant(
        remote,
        keys,
        keys.planter.key(),
        Role::Planter,
        "sf-street-trees",
        "San Francisco street trees",
    )?;
    grant(
        remote,
        keys,
        keys.surveyor.key(),
        Role::Surveyor,
        "sf-register-watch",
        "Register Watch",
    )?;
    let species = SpeciesList::shipped()?;
    let method = ensure_method(&sender, keys, &species)?;

    let trips = table("bikeshare_trips.csv.zst", TRIPS, true, &TRIP_COLUMNS)?;
    let stations = table("bikeshare_stations.csv", STATIONS, false, &STATION_COLUMNS)?;
    let (awarded, trips) = import_trips(
        &sender,
        trips,
        stations,
        &TripSource {
            name: "bay-area-bike-share".parse()?,
            area: BAY_AREA,
        },
        (method.id, ActivityCode(1)),
        &keys.platform,
    )?;
    let added = table("sf_trees_added.csv.zst", TREES, true, &ADDED_COLUMNS)?;
    let events = table("sf_tree_events.csv.zst", EVENTS, true, &EVENT_COLUMNS)?;
    let (planted, books) = import_trees(
        &sender,
        TreeFiles {
            added,
            events: Some(events),
            dates: None,
            rows: Some(TREE_ROWS),
            event_rows: Some(EVENT_ROWS),
            whole: true,
        },
        &species,
        &keys.planter,
        Some(&keys.surveyor),
    )?;
    let claims_refused = claim(&sender, keys, &method, &trips, &books)?;
    cover()?;

    let note = remote.bytes("checkpoint")?;
    let checkpoint = Checkpoint::open(&note, vkey).map_err(Failure::check)?;
    let size = checkpoint.head().size;
    let receipts_verified = verify_receipts(remote, vkey, &genesis, size)?;
    let of_both = |count: fn(&ImportSummary) -> u64| count(&awarded) + count(&planted);
    Ok(DemoSummary {
        vkey: vkey.clone(),
        genesis,
        checkpoint,
        set_aside: of_both(|part| part.lines.set_aside),
        refused: of_both(|part| part.lines.refused),
        statements_refused: of_both(|part| part.records_refused) + claims_refused,
        receipts_verified,
        totals: totals(remote)?,
    })
}

fn table<const N: usize>(
    file: &str,
    bytes: &'static [u8],
    zstd: bool,
    columns: &[&'static str; N],
) -> Result<CsvTable<N>, Failure> {
    Ok(CsvTable::read(
        file.to_owned(),
        Box::new(bytes),
        zstd,
        columns,
    )?)
}

/// Accounts that can pay claim trees, and get those that were planted and not corrected. Gives how
/// many records were refused.
fn claim(
    sender: &StatementSender,
    keys: &ProgrammeKeys,
    method: &Method,
    trips: &TripPlan,
    books: &TreeBooks,
) -> Result<u64, Failure> {
    let mut plantings: Vec<Planting> = books.untouched();
    plantings.sort_by_key(|planting| {
        (
            std::cmp::Reverse(planting.count),
            planting.plot,
            planting.first_serial,
        )
    });
    let claims = plan_claims(&trips.balances, &plantings, method, today());
    let send = |phase, statements: Vec<Statement>| {
        let submitter = sender.open_phase(phase, &keys.platform)?;
        sender.send(phase, submitter, statements.into_iter())
    };
    let sent = send("claims", claims.claims.clone())?;
    let assignments = claims.assignments(|claim| sent.index(claim))?;
    let tied = send("assignments", assignments)?;
    Ok(sent.refused() + tied.refused())
}

fn totals(remote: &Remote) -> Result<Vec<(&'static str, String)>, Failure> {
    let answer: serde_json::Map<String, serde_json::Value> = remote.json("v1/totals")?;
    let mut totals = Vec::with_capacity(TOTALS.len());
    for name in TOTALS {
        let total = answer.get(name).and_then(serde_json::Value::as_str);
        let total = total.with_context(|| format!("the server's totals lack {name}"))?;
        totals.push((name, total.to_owned()));
    }
    Ok(totals)
}

/// Fetches receipts from all over the log and verifies each with the two things that are pinned.
fn verify_receipts(
    remote: &Remote,
    vkey: &VerifierKey,
    genesis: &RecordId,
    size: u64,
) -> Result<usize, Failure> {
    const RECEIPTS: u64 = 8;
    let last = size.checked_sub(1).context("the log has no entry")?;
    let mut verified = 0;
    for step in 0..RECEIPTS {
        let index = last * step / (RECEIPTS - 1);
        let text = remote.text(&format!("v1/receipts/{index}"))?;
        let receipt: Receipt = text.parse().map_err(Failure::check)?;
        receipt
            .verify(vkey, Some(genesis), &[])
            .map_err(Failure::check)?;
        verified += 1;
    }
    Ok(verified)
}
