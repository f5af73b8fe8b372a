//! Bicycle trips: awards, and the reversals of those that overlap.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::report::{ImportSummary, Report, ReversedTrip, TRIPS_AT_REPEATED_STATIONS};
use super::sender::{SendOptions, Sent, row_outcome};
use super::{StatementSender, file_failure, hold_imports, register_failure};
use crate::cli::Failure;
use arborlog::client::{IssuerKey, today};
use arborlog::import::{
    Area, CsvTable, KnownTrips, LineFate, Pseudonyms, PseudonymsError, RowOutcome, STATION_COLUMNS,
    TRIP_COLUMNS, TripPlan, TripRef, TripsConfig, check_activity, plan_trips, read_stations,
};
use arborlog::record::{ActivityCode, Correction, Index, MethodId, Remedy, Slug, Statement};

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
    let by = (method, activity);
    match send_trips(sender, trips, stations, source, by, key, &mut report) {
        Ok((plan, admitted, refused)) => Ok((report.finish(admitted, refused)?, plan)),
        Err(failure) => Err(report.stopped(failure)),
    }
}

/// Gives the plan, and how many records were admitted and refused.
fn send_trips(
    sender: &StatementSender,
    trips: CsvTable<{ TRIP_COLUMNS.len() }>,
    stations: CsvTable<{ STATION_COLUMNS.len() }>,
    source: &TripSource,
    (method, activity): (MethodId, ActivityCode),
    key: &IssuerKey,
    report: &mut Report,
) -> Result<(TripPlan, u64, u64), Failure> {
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
    check_activity(&versions, activity).map_err(Failure::usage)?;

    let _held = hold_imports(key)?;
    let submitter = sender.open_phase("awards", key)?;
    let file = key.beside_head(".pseudonyms");
    let mut pseudonyms = Pseudonyms::open(&file).map_err(|error| match error {
        PseudonymsError::Line(..) => Failure::check(error),
        _ => error.into(),
    })?;
    let mut known = KnownTrips::open(&key.beside_head(".trips")).map_err(register_failure)?;
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
    if let Some((first, last)) = known.award_range() {
        for (award, points) in sender.reversals(first, last)? {
            known.take_reversal(award, points).map_err(Failure::check)?;
        }
        known.check_reversals().map_err(Failure::check)?;
    }
    sender.check_follows_no_key(&submitter, &file, pseudonyms.is_new())?;
    check_pseudonyms(sender, &file, &mut pseudonyms, &known)?;
    let lost = check_trips(sender, key, &pseudonyms, &known)?;
    pseudonyms.add_signer(&key.key().public())?;
    let config = TripsConfig {
        source: &source.name,
        versions: &versions,
        activity,
        today: today(),
    };
    let file = trips.file().to_owned();
    let mut lines_in = LinesIn::default();
    let plan = plan_trips(
        trips,
        &stations,
        &config,
        &mut pseudonyms,
        &known,
        &mut |fate| {
            if let RowOutcome::AlreadyIn(index) = fate.outcome {
                lines_in.0.push((index, fate.line));
            }
            report.tell(&fate);
        },
    )
    .map_err(file_failure)?;
    lines_in.0.sort_unstable();
    report.read(plan.read);
    report.spelled(plan.spelled.clone());
    // A crash here leaves keys and notes of trips that were not sent: the next import uses both.
    pseudonyms.save()?;
    if lost > 0 {
        known.leave_without_facts(&pseudonyms)?;
    }
    plan.note(&mut known)?;

    if plan.at_repeated_stations > 0 {
        report.note(
            TRIPS_AT_REPEATED_STATIONS,
            plan.at_repeated_stations.into(),
            "trips begin or end at a station that the file of stations has at several places: they are counted from the first",
        );
    }
    let by_others = known.reversals_by_others();
    if by_others.awards > 0 {
        report.note(
            "trips_reversed_by_others",
            by_others.awards.into(),
            "trips that are in were taken back, whole or in part, by others: they are not awarded again",
        );
        report.note(
            "points_reversed_by_others",
            by_others.points,
            "points of these trips were taken back",
        );
    }
    if plan.without_times > 0 {
        report.note(
            "trips_without_times",
            plan.without_times.into(),
            "trips that are in are neither in the file nor in the register beside the key: trips that overlap them are not found",
        );
    }

    let trips = plan.trips.iter();
    let awards = trips.map(|trip| Statement::Award(trip.award.clone()));
    let sent = sender.send("awards", submitter, awards)?;
    let mut tell = |line, number, outcome| {
        report.tell(&LineFate {
            file: file.clone(),
            line,
            id: format!("trip {number}"),
            outcome: row_outcome(outcome),
        });
    };
    let repeated: HashSet<u64> = plan.repeats.iter().map(|(_, number)| *number).collect();
    let mut outcome_of = HashMap::new();
    for (trip, outcome) in plan.trips.iter().zip(&sent.outcomes) {
        if repeated.contains(&trip.number) {
            outcome_of.insert(trip.number, outcome);
        }
        tell(trip.line, trip.number, outcome);
    }
    for (line, number) in &plan.repeats {
        if let Some(outcome) = outcome_of.get(number) {
            tell(*line, *number, outcome);
        }
    }

    if let Some(failure) = sent.stopped {
        return Err(failure);
    }

    let reversals = reversals(&plan, &known, &sent, &lines_in)?;
    let (mut admitted, mut refused) = (sent.admitted(), sent.refused());
    if !reversals.is_empty() {
        let submitter = sender.open_phase("reversals", key)?;
        let statements = reversals.iter().map(|reversal| reversal.statement.clone());
        let reversed = sender.send("reversals", submitter, statements)?;
        for (reversal, outcome) in reversals.iter().zip(&reversed.outcomes) {
            report.reversed(&reversal.told, outcome);
        }
        admitted += reversed.admitted();
        refused += reversed.refused();
        if let Some(failure) = reversed.stopped {
            return Err(failure);
        }
    }
    Ok((plan, admitted, refused))
}

/// Checks that the pseudonyms are the newest: that none of the accounts to which the key's trips
/// went lacks its key.
fn check_pseudonyms(
    sender: &StatementSender,
    file: &Path,
    pseudonyms: &mut Pseudonyms,
    known: &KnownTrips,
) -> Result<(), Failure> {
    let SendOptions {
        not_imported,
        forgotten,
        ..
    } = sender.options;
    let file = file.display();
    let mut lacking = known.accounts_without_key(pseudonyms);
    if pseudonyms.is_new() && (lacking.imported > 0 || (known.awards() > 0 && !not_imported)) {
        let what = if pseudonyms.is_there() {
            "has no key of evidence: it is empty, or its first line was cut off or deleted"
        } else {
            "is not there"
        };
        return Err(Failure::check(anyhow::anyhow!(
            "the key has {} awards in the log, and {file} {what}. Without the keys in it, trips that are in can't be recognised and would count twice. Nothing was sent. Put the newest copy of that file back from a backup. If this key follows another, copy the file of that one. If none of these awards was sent by import, run the same command with --not-imported",
            known.awards(),
        )));
    }
    if not_imported && lacking.imported < lacking.count {
        known.leave_without_key(pseudonyms, false)?;
        lacking = known.accounts_without_key(pseudonyms);
    }
    if lacking.count == 0 {
        return Ok(());
    }
    if forgotten == Some(lacking.count) {
        return Ok(known.leave_without_key(pseudonyms, true)?);
    }
    let first = lacking.first.map_or_else(String::new, |index| {
        format!(", entry {index} the first award to one of them")
    });
    let otherwise = if lacking.imported == lacking.count {
        ""
    } else {
        "; or, if awards to them were sent otherwise than by import, with --not-imported"
    };
    Err(Failure::check(anyhow::anyhow!(
        "{file} is not the newest: it lacks the keys of {} accounts to which trips of the key went{first}. Those who have them would get new accounts. Nothing was sent. Put the newest copy of that file back. If lines of it were deleted to forget people, run the same command with --forgotten and the number of these accounts{otherwise}",
        lacking.count
    )))
}

/// Checks that the register of trips is the newest, or that somebody said how many trips it lost; gives how
/// many.
fn check_trips(
    sender: &StatementSender,
    key: &IssuerKey,
    pseudonyms: &Pseudonyms,
    known: &KnownTrips,
) -> Result<u64, Failure> {
    let lacking = known.without_facts(pseudonyms);
    if lacking == 0 || sender.options.trips_lost == Some(lacking) {
        return Ok(lacking);
    }
    let file = key.beside_head(".trips");
    let what = match known.has_register() {
        true => "is not the newest, or not that of the key before",
        false => "is not there",
    };
    Err(Failure::check(anyhow::anyhow!(
        "{} {what}: it lacks {lacking} trips that are in. Without it a row that was edited since can't be told from the one that was sent, and a trip at the same time as one of them would count twice. Nothing was sent. Put the newest copy of that file back; if this key follows another, copy the file of that one. If it is lost, or these trips were sent otherwise than by import, run the same command with --trips-lost {lacking}, best with a file that has the rows of all of them as they were sent: they are taken for what was sent",
        file.display()
    )))
}

/// The lines of the file whose awards were in before, in the order of their entries.
#[derive(Default)]
struct LinesIn(Vec<(Index, u64)>);

impl LinesIn {
    fn of(&self, entry: Index) -> Option<u64> {
        let found = self.0.binary_search_by_key(&entry, |(index, _)| *index);
        let (_, line) = self.0.get(found.ok()?)?;
        Some(*line)
    }
}

/// A reversal that is to be sent.
struct PlannedReversal {
    statement: Statement,
    told: ReversedTrip,
}

/// Reversals of awards of trips that overlap another which is in.
fn reversals(
    plan: &TripPlan,
    known: &KnownTrips,
    sent: &Sent,
    lines_in: &LinesIn,
) -> Result<Vec<PlannedReversal>, Failure> {
    // The entry of a trip, and its line, if the file has it.
    let trip_of = |trip| match trip {
        TripRef::Entry(index) => Some((index, lines_in.of(index))),
        TripRef::Row(position) => {
            let line = plan.trips.get(position).map(|trip| trip.line);
            sent.index(position).map(|index| (index, line))
        }
    };
    let mut reversals = Vec::new();
    for overlap in &plan.overlaps {
        let points = match overlap.reversed {
            TripRef::Entry(index) => known.points_left(index),
            TripRef::Row(position) => plan.trips.get(position).map(|trip| trip.award.points),
        };
        // An award that was refused is not there to be reversed, nor in the way of another.
        let (Some((target, line)), Some((standing, standing_line)), Some(points)) =
            (trip_of(overlap.reversed), trip_of(overlap.standing), points)
        else {
            continue;
        };
        let reason =
            format!("it was at the same time as the trip of entry {standing} of the same bicycle");
        reversals.push(PlannedReversal {
            statement: Statement::Correction(Correction {
                target,
                reason: reason.parse()?,
                remedy: Remedy::Reverse { points },
                set: None,
            }),
            told: ReversedTrip {
                award: target,
                line,
                standing,
                standing_line,
                points,
            },
        });
    }
    Ok(reversals)
}
