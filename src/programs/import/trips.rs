//! Bicycle trips: awards, and the reversals of those that overlap.

use super::{Imported, Sender};
use crate::cli::Failure;
use arborlog::client::today;
use arborlog::crypto::SigningKey;
use arborlog::import::{Pseudonyms, Table, Trips, TripsConfig, read_trips};
use arborlog::record::{ActivityCode, Correction, MethodId, Remedy, Statement};

/// Trips as awards; those that overlap another of the same bicycle are reversed again.
pub fn import_trips(
    sender: &Sender,
    trips: Table,
    stations: Table,
    method: MethodId,
    activity: ActivityCode,
    key: &SigningKey,
) -> Result<(Imported, Trips), Failure> {
    let mut versions = sender.methods()?;
    versions.retain(|it| it.id == method);
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
    let trips = read_trips(trips, stations, &config, &mut pseudonyms)?;
    pseudonyms.save()?;
    sender.set_aside("trips", &trips.set_aside)?;
    let awards = sender.send("awards", key, &trips.awards)?;
    let reversals: Vec<Statement> = trips
        .overlaps
        .iter()
        .filter_map(|(place, why)| match trips.awards.get(*place)? {
            Statement::Award(award) => Some(Statement::Correction(Correction {
                target: awards.index(*place)?,
                reason: why.parse().ok()?,
                remedy: Remedy::Reverse {
                    points: award.points,
                },
            })),
            _ => None,
        })
        .collect();
    let reversed = sender.send("reversals", key, &reversals)?;
    let imported = Imported {
        admitted: awards.admitted() + reversed.admitted(),
        refused: awards.refused + reversed.refused,
        set_aside: trips.set_aside.clone(),
    };
    Ok((imported, trips))
}
