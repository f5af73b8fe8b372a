//! Bicycle trips: awards, and the reversals of those that overlap.

use super::{ImportSummary, StatementSender};
use crate::cli::Failure;
use arborlog::client::{IssuerKey, today};
use arborlog::import::{
    CsvTable, Pseudonyms, STATION_COLUMNS, TRIP_COLUMNS, TripPlan, TripsConfig, plan_trips,
};
use arborlog::record::{ActivityCode, Correction, MethodId, Remedy, Statement};

/// Trips as awards; those that overlap another of the same bicycle are reversed again.
pub fn import_trips(
    sender: &StatementSender,
    trips: CsvTable<{ TRIP_COLUMNS.len() }>,
    stations: CsvTable<{ STATION_COLUMNS.len() }>,
    method: MethodId,
    activity: ActivityCode,
    key: &IssuerKey,
) -> Result<(ImportSummary, TripPlan), Failure> {
    let mut versions = sender.methods()?;
    versions.retain(|version| version.id == method);
    if versions.is_empty() {
        return Err(Failure::usage(format!(
            "the ledger has no method {method}; name one with --method"
        )));
    }
    let mut pseudonyms = Pseudonyms::open(&sender.file("pseudonyms.keys"))?;
    let config = TripsConfig {
        versions: &versions,
        activity,
        today: today(),
    };
    let plan = plan_trips(trips, stations, &config, &mut pseudonyms)?;
    pseudonyms.save()?;
    sender.set_aside("trips", &plan.set_aside)?;
    let awards = sender.send("awards", key, &plan.statements())?;
    let mut reversals = Vec::new();
    for overlap in &plan.overlaps {
        // An award that was refused is not there to be reversed.
        let (Some(target), Some(award)) =
            (awards.index(overlap.award), plan.awards.get(overlap.award))
        else {
            continue;
        };
        let reason = format!(
            "row {} begins before row {} of the same bicycle ends",
            overlap.row, overlap.earlier_row
        );
        reversals.push(Statement::Correction(Correction {
            target,
            reason: reason.parse()?,
            remedy: Remedy::Reverse {
                points: award.points,
            },
        }));
    }
    let reversed = sender.send("reversals", key, &reversals)?;
    let summary = ImportSummary {
        admitted: awards.admitted() + reversed.admitted(),
        refused: awards.refused + reversed.refused,
        set_aside: plan.set_aside.clone(),
    };
    Ok((summary, plan))
}
