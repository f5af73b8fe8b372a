//! What is appended, and what is verified of it.

use std::collections::BTreeMap;
use std::path::Path;

use super::programme::{Keys, ensure_method, grant};
use crate::cli::Failure;
use crate::programs::import::{Imported, Sender, import_trees, import_trips};
use arborlog::client::{Remote, today};
use arborlog::import::{
    Table, TreePlan, Trips, added_columns, event_columns, plan_claims, station_columns,
    trip_columns,
};
use arborlog::note::{Checkpoint, VerifierKey};
use arborlog::receipt::Receipt;
use arborlog::record::{AccountId, ActivityCode, Method, Planting, RecordId, Role, Statement};

const TRIPS: &[u8] = include_bytes!("../../../docs/examples/data/bikeshare_trips.csv.zst");
const STATIONS: &[u8] = include_bytes!("../../../docs/examples/data/bikeshare_stations.csv");
const TREES: &[u8] = include_bytes!("../../../docs/examples/data/sf_trees_added.csv.zst");
const EVENTS: &[u8] = include_bytes!("../../../docs/examples/data/sf_tree_events.csv.zst");

/// What the demonstration came to.
pub struct Outcome {
    pub vkey: VerifierKey,
    pub genesis: RecordId,
    pub checkpoint: Checkpoint,
    pub refused: usize,
    pub receipts_verified: usize,
    pub totals: serde_json::Map<String, serde_json::Value>,
}

/// Appends all that is not in yet, and verifies receipts.
pub fn play(
    work: &Path,
    url: &str,
    keys: &Keys,
    vkey: &VerifierKey,
    genesis: RecordId,
) -> Result<Outcome, Failure> {
    let sender = Sender::open(url, work)?;
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
