//! What is appended, and what is verified of it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;

use super::programme::{ProgrammeKeys, ensure_method, grant};
use crate::cli::Failure;
use crate::programs::import::{ImportSummary, StatementSender, import_trees, import_trips};
use arborlog::client::{Remote, today};
use arborlog::import::{
    ADDED_COLUMNS, CsvTable, EVENT_COLUMNS, STATION_COLUMNS, SpeciesList, TRIP_COLUMNS, TreePlan,
    TripPlan, plan_claims,
};
use arborlog::note::{Checkpoint, VerifierKey};
use arborlog::receipt::Receipt;
use arborlog::record::{AccountId, ActivityCode, Method, Planting, RecordId, Role};

const TRIPS: &[u8] = include_bytes!("../../../docs/examples/data/bikeshare_trips.csv.zst");
const STATIONS: &[u8] = include_bytes!("../../../docs/examples/data/bikeshare_stations.csv");
const TREES: &[u8] = include_bytes!("../../../docs/examples/data/sf_trees_added.csv.zst");
const EVENTS: &[u8] = include_bytes!("../../../docs/examples/data/sf_tree_events.csv.zst");

/// What the demonstration came to.
pub struct DemoSummary {
    pub vkey: VerifierKey,
    pub genesis: RecordId,
    pub checkpoint: Checkpoint,
    pub refused: usize,
    pub receipts_verified: usize,
    /// Those of [`TOTALS`], as the server gives them.
    pub totals: Vec<(&'static str, serde_json::Value)>,
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
) -> Result<DemoSummary, Failure> {
    let sender = StatementSender::open(url, work)?;
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
        method.id,
        ActivityCode(1),
        &keys.platform,
    )?;
    let added = table("sf_trees_added.csv.zst", TREES, true, &ADDED_COLUMNS)?;
    let events = table("sf_tree_events.csv.zst", EVENTS, true, &EVENT_COLUMNS)?;
    let (planted, plan) = import_trees(
        &sender,
        added,
        Some(events),
        &species,
        &keys.planter,
        Some(&keys.surveyor),
    )?;
    let claimed = claim(&sender, keys, &method, &trips, &plan)?;

    let note = remote.bytes("checkpoint")?;
    let checkpoint = Checkpoint::open(&note, vkey).map_err(Failure::check)?;
    let size = checkpoint.head().size;
    let receipts_verified = verify_receipts(remote, vkey, &genesis, size)?;
    let parts: [&ImportSummary; 3] = [&awarded, &planted, &claimed];
    let refused = parts
        .iter()
        .map(|part| part.refused + part.set_aside.len())
        .sum();
    Ok(DemoSummary {
        vkey: vkey.clone(),
        genesis,
        checkpoint,
        refused,
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

/// Accounts that can pay claim trees, and get those that were planted and not corrected.
fn claim(
    sender: &StatementSender,
    keys: &ProgrammeKeys,
    method: &Method,
    trips: &TripPlan,
    plan: &TreePlan,
) -> Result<ImportSummary, Failure> {
    let mut balances: BTreeMap<AccountId, u64> = BTreeMap::new();
    for (position, award) in trips.awards.iter().enumerate() {
        let mut overlaps = trips.overlaps.iter();
        if !overlaps.any(|overlap| overlap.award == position) {
            *balances.entry(award.account).or_default() += award.points.0;
        }
    }
    let mut plantings: Vec<Planting> = plan
        .plantings
        .iter()
        .filter(|planned| planned.correction.is_none())
        .map(|planned| planned.planting.clone())
        .collect();
    plantings.sort_by_key(|planting| {
        (
            std::cmp::Reverse(planting.count),
            planting.plot,
            planting.first_serial,
        )
    });
    let claims = plan_claims(&balances, &plantings, method, today());
    let sent = sender.send("claims", &keys.platform, &claims.claims)?;
    let assignments = claims.assignments(|claim| sent.index(claim))?;
    let tied = sender.send("assignments", &keys.platform, &assignments)?;
    Ok(ImportSummary {
        admitted: 0,
        refused: sent.refused + tied.refused,
        set_aside: Vec::new(),
    })
}

fn totals(remote: &Remote) -> Result<Vec<(&'static str, serde_json::Value)>, Failure> {
    let mut answer: serde_json::Map<String, serde_json::Value> = remote.json("v1/totals")?;
    let mut totals = Vec::with_capacity(TOTALS.len());
    for name in TOTALS {
        let total = answer.remove(name);
        let total = total.with_context(|| format!("the server's totals lack {name}"))?;
        totals.push((name, total));
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
