//! Bicycle trips: awards, and the reversals of those that overlap.

use super::report::{ImportSummary, Report};
use super::sender::{Sent, row_outcome};
use super::{StatementSender, file_failure, hold_imports};
use crate::cli::Failure;
use arborlog::client::{IssuerKey, today};
use arborlog::import::{
    Area, CsvTable, KnownTrips, LineFate, Pseudonyms, STATION_COLUMNS, TRIP_COLUMNS, TripPlan,
    TripRef, TripsConfig, plan_trips, read_stations,
};
use arborlog::record::{ActivityCode, Correction, MethodId, Remedy, Slug, Statement};

/// Where trips come from.
pub struct TripSource {
    /// Whose ids the trips and bicycles have: those of another source are other trips.
    pub name: Slug,
    /// Where its stations lie.
    pub area: Area,
}

/// Trips as awards; those that overlap another of the same bicycle are reversed again. What is in
/// is asked of the log, by evidence that is made of the trips' own ids under a key that stands
/// beside the platform's.
pub fn import_trips(
    sender: &StatementSender,
    trips: CsvTable<{ TRIP_COLUMNS.len() }>,
    stations: CsvTable<{ STATION_COLUMNS.len() }>,
    source: &TripSource,
    (method, activity): (MethodId, ActivityCode),
    key: &IssuerKey,
) -> Result<(ImportSummary, TripPlan), Failure> {
    let mut report = Report::new("trips", sender.work(), sender.options.json)?;
    let stations = read_stations(stations, source.area, &mut |row| {
        report.tell_beside("stations", &row.into());
    })
    .map_err(file_failure)?;
    report.read_beside("stations", stations.read(), stations.used());
    let mut versions = sender.methods()?;
    versions.retain(|version| version.id == method);
    if versions.is_empty() {
        return Err(Failure::usage(format!(
            "the ledger has no method {method}; name one with --method"
        )));
    }

    let _held = hold_imports(key)?;
    let submitter = sender.open_phase("awards", key)?;
    let file = key.beside_head(".pseudonyms");
    let mut pseudonyms = Pseudonyms::open(&file)?;
    let mut known = KnownTrips::open(&key.beside_head(".trips"))?;
    let mut failed = None;
    sender.statements_of(
        &submitter,
        key,
        pseudonyms.signers(),
        &mut |index, statement| {
            if let Err(error) = known.take(index, statement) {
                failed.get_or_insert(error);
            }
        },
    )?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    if pseudonyms.is_new() && known.awards() > 0 && !sender.options.not_imported {
        return Err(Failure::check(anyhow::anyhow!(
            "the key has {} awards in the log, and {} is not there: without the keys in it, trips that are in can't be recognised and would count twice. Nothing was sent. Put that file back from a backup. If this key follows another, copy the file of that one. If none of these awards was sent by import, run the same command with --not-imported",
            known.awards(),
            file.display()
        )));
    }
    pseudonyms.add_signer(&key.key().public())?;
    let config = TripsConfig {
        source: &source.name,
        versions: &versions,
        activity,
        today: today(),
    };
    let file = trips.file().to_owned();
    let plan = plan_trips(
        trips,
        &stations,
        &config,
        &mut pseudonyms,
        &known,
        &mut |fate| report.tell(&fate),
    )
    .map_err(file_failure)?;
    // A crash here leaves keys and notes of trips that were not sent: the next import uses both.
    pseudonyms.save()?;
    plan.note(&mut known)?;

    let trips = plan.trips.iter();
    let awards = trips.map(|trip| Statement::Award(trip.award.clone()));
    let sent = sender.send("awards", submitter, awards)?;
    for (trip, outcome) in plan.trips.iter().zip(&sent.outcomes) {
        report.tell(&LineFate {
            file: file.clone(),
            line: trip.line,
            id: format!("trip {}", trip.number),
            outcome: row_outcome(outcome),
        });
    }

    let reversals = reversals(&plan, &known, &sent)?;
    let (mut admitted, mut refused) = (sent.admitted(), sent.refused());
    if !reversals.is_empty() {
        let submitter = sender.open_phase("reversals", key)?;
        let reversed = sender.send("reversals", submitter, reversals.into_iter())?;
        admitted += reversed.admitted();
        refused += reversed.refused();
    }
    Ok((report.finish(plan.read, admitted, refused)?, plan))
}

/// Reversals of awards of trips that overlap another which is in.
fn reversals(plan: &TripPlan, known: &KnownTrips, sent: &Sent) -> Result<Vec<Statement>, Failure> {
    let entry_of = |trip| match trip {
        TripRef::Entry(index) => Some(index),
        TripRef::Row(position) => sent.index(position),
    };
    let mut reversals = Vec::new();
    for overlap in &plan.overlaps {
        let points = match overlap.reversed {
            TripRef::Entry(index) => known.points(index),
            TripRef::Row(position) => plan.trips.get(position).map(|trip| trip.award.points),
        };
        // An award that was refused is not there to be reversed, nor in the way of another.
        let (Some(target), Some(standing), Some(points)) = (
            entry_of(overlap.reversed),
            entry_of(overlap.standing),
            points,
        ) else {
            continue;
        };
        let reason =
            format!("it was at the same time as the trip of entry {standing} of the same bicycle");
        reversals.push(Statement::Correction(Correction {
            target,
            reason: reason.parse()?,
            remedy: Remedy::Reverse { points },
        }));
    }
    Ok(reversals)
}
