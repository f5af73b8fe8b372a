//! Bay Area Bike Share trips as awards: great-circle distance between the stations, on the day
//! that the trip ended. A trip is known by its source's own id: its award's evidence is made of
//! that id alone, so that whatever else a later export says, the trip counts once.

mod known;
mod overlaps;
mod stations;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::accounts::{Pseudonyms, PseudonymsError, account_start};
use super::area::{Area, PlacesError};
use super::csv_table::{CsvLine, CsvRow, CsvTable, CsvTableError};
use super::dates::digits;
use super::outcome::{LineFate, RowOutcome};
use super::register::RegisterError;
use crate::record::{
    AccountId, ActivityCode, Award, Day, Digest, Grams, Index, Method, Quantity, Slug,
};
use known::{KnownAward, ReversedByOthers, TripFacts, fingerprint_of_row};
use overlaps::{Ride, overlaps};

pub use known::{AccountsWithoutKey, KnownTrips, ReversalContradicted, ReversalsByOthers};
pub use overlaps::Overlap;
pub use stations::{STATION_REPEATED, SpelledStation, Stations, read_stations};

/// Where the stations of Bay Area Bike Share lie.
pub const BAY_AREA: Area = Area {
    south: 37.0,
    west: -123.0,
    north: 38.5,
    east: -121.2,
};
/// A longer trip is a bicycle that was not returned, not a ride.
const DURATION_S_MAX: u64 = 86_400;
/// How far a duration may be from the times of its trip: sources cut times to the minute.
const DURATION_SLACK_S: u64 = 60;
/// Nobody rides faster between two stations, by the straight line.
const SPEED_KMH_MAX: f64 = 35.0;

/// The columns that a table of trips must have.
pub const TRIP_COLUMNS: [&str; 9] = [
    "trip_id",
    "duration",
    "start_date",
    "start_station",
    "start_terminal",
    "end_date",
    "end_terminal",
    "bike_id",
    "end_station",
];
/// The columns that a table of stations must have.
pub const STATION_COLUMNS: [&str; 4] = ["station_id", "name", "lat", "long"];

type TripTable = CsvTable<{ TRIP_COLUMNS.len() }>;
type StationTable = CsvTable<{ STATION_COLUMNS.len() }>;

/// By which method trips are awarded.
pub struct TripsConfig<'a> {
    /// Whose ids the trips and bicycles have.
    pub source: &'a Slug,
    /// The versions of one method.
    pub versions: &'a [Method],
    /// The activity of that method, measured in kilometres.
    pub activity: ActivityCode,
    /// No trip ended after this day.
    pub today: Day,
}

/// The activity is not there, or is not measured in kilometres.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "trips are measured in km, and {wrong}. Nothing was sent. Name with --activity one that is measured in km; the method has: {has}"
)]
pub struct ActivityUnit {
    wrong: String,
    has: String,
}

/// Checks that every version of a method that has this activity measures it in kilometres.
///
/// # Errors
/// [`ActivityUnit`], also if no version has it.
pub fn check_activity(versions: &[Method], code: ActivityCode) -> Result<(), ActivityUnit> {
    let activities = || versions.iter().flat_map(|method| method.activities.iter());
    let mut of_code = activities()
        .filter(|activity| activity.code == code)
        .peekable();
    let wrong = match of_code.peek() {
        None => format!("the method has no activity {code}"),
        Some(_) => match of_code.find(|activity| activity.unit.as_str() != "km") {
            None => return Ok(()),
            Some(other) => format!(
                "activity {code} of the method is in {:?}",
                other.unit.as_str()
            ),
        },
    };
    let mut has: Vec<String> = activities()
        .map(|activity| {
            let (code, name, unit) = (activity.code, &activity.name, &activity.unit);
            format!("{code} ({name}, in {unit})")
        })
        .collect();
    has.sort_unstable();
    has.dedup();
    Err(ActivityUnit {
        wrong,
        has: has.join(", "),
    })
}

/// What a file of trips came to.
#[derive(Default)]
pub struct TripPlan {
    /// The trips that are not in, in the order of the rows.
    pub trips: Vec<PlannedTrip>,
    /// Rows that say in every field what the row of a trip that goes in says: line, and the trip's id.
    pub repeats: Vec<(u64, u64)>,
    /// Awards that are to be reversed, in their order.
    pub overlaps: Vec<Overlap>,
    /// Points of the file's trips, in before or not, by account, once the overlaps are reversed.
    pub balances: BTreeMap<AccountId, u64>,
    /// Number of lines that were read, without empty ones.
    pub read: u64,
    /// Trips of the file, in before or not, from or to a station that stands at several places
    /// under one name: the first of them counts.
    pub at_repeated_stations: u64,
    /// Stations that trips of the file, in before or not, name in another spelling.
    pub spelled: Vec<SpelledStation>,
    /// Trips that are in of which neither the register nor the file tells when they were: whether
    /// others overlap them can't be told.
    pub without_times: u64,
    /// What the register lacks of trips that are in.
    lacking: Vec<(Digest, TripFacts)>,
}

/// A trip that goes in.
pub struct PlannedTrip {
    /// Its line.
    pub line: u64,
    /// The source's own id of it.
    pub number: u64,
    /// Its award.
    pub award: Award,
    facts: TripFacts,
}

/// Which trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TripRef {
    /// The one whose award is this entry.
    Entry(Index),
    /// The one at this position in [`TripPlan::trips`].
    Row(usize),
}

impl TripPlan {
    /// Notes trips in the platform's register, durably: to be done before they are sent.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn note(&self, known: &mut KnownTrips) -> Result<(), RegisterError> {
        let new = self.trips.iter();
        let new = new.map(|trip| (&trip.award.evidence, trip.facts));
        let lacking = self.lacking.iter();
        known.note(new.chain(lacking.map(|(evidence, facts)| (evidence, *facts))))
    }

    /// Finds the overlaps, among the plan's trips and with those that are in.
    fn find_overlaps(&mut self, known: &KnownTrips) {
        let ride = |facts: &TripFacts, trip| Ride {
            bike: facts.bike,
            start: facts.start,
            end: facts.end,
            trip,
        };
        let new = self.trips.iter().enumerate();
        let mut rides: Vec<Ride> = new
            .map(|(position, trip)| ride(&trip.facts, TripRef::Row(position)))
            .collect();
        // Those of the register that lacked were read from rows.
        let lacking = self.lacking.iter().filter_map(|(evidence, facts)| {
            let award = known.award(evidence)?;
            (known.left_of(&award).0 > 0).then(|| ride(facts, TripRef::Entry(award.index)))
        });
        rides.extend(lacking);
        let bikes = self.balances.keys().map(account_start);
        let bikes: HashSet<_> = bikes.collect();
        let standing = known.standing();
        let standing = standing.filter(|(_, facts)| bikes.contains(&facts.bike));
        rides.extend(standing.map(|(index, facts)| ride(&facts, TripRef::Entry(index))));
        self.overlaps = overlaps(rides);
        for overlap in &self.overlaps {
            let points = match overlap.reversed {
                TripRef::Entry(index) => known.points_left(index),
                TripRef::Row(position) => self.trips.get(position).map(|trip| trip.award.points),
            };
            let account = self
                .balances
                .iter_mut()
                .find(|(account, _)| account_start(account) == overlap.bike);
            if let (Some((_, balance)), Some(points)) = (account, points) {
                *balance = balance.saturating_sub(points.0);
            }
        }
    }
}

/// Why trips can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TripsError {
    /// A file.
    #[error(transparent)]
    Table(#[from] CsvTableError),
    /// The places of the stations.
    #[error(transparent)]
    Places(#[from] PlacesError),
    /// The pseudonyms' keys.
    #[error(transparent)]
    Pseudonyms(#[from] PseudonymsError),
}

/// A time as a row gives it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    /// Since 1970.
    minute: u32,
    /// Of that minute.
    second: u32,
    /// The day in which it lies.
    day: Day,
}

impl Moment {
    /// Seconds since 1970.
    fn seconds(&self) -> u64 {
        u64::from(self.minute) * 60 + u64::from(self.second)
    }
}

/// Why a row does not go in: a stable name, and words.
type RowFault = (&'static str, String);

enum TripFault {
    Row(RowFault),
    Pseudonyms(PseudonymsError),
}

impl From<RowFault> for TripFault {
    fn from(fault: RowFault) -> Self {
        Self::Row(fault)
    }
}

impl From<PseudonymsError> for TripFault {
    fn from(error: PseudonymsError) -> Self {
        Self::Pseudonyms(error)
    }
}

/// Plans an award for each trip that is not in, and tells what became of all other lines. A row of
/// a trip that is in is compared with its award: where it says otherwise now, it is set aside, for
/// the award may have been spent, and who is right is for people to say.
///
/// # Errors
/// [`TripsError`]; a line that is wrong is no error but set aside.
pub fn plan_trips(
    mut table: TripTable,
    stations: &Stations,
    config: &TripsConfig<'_>,
    pseudonyms: &mut Pseudonyms,
    known: &KnownTrips,
    tell: &mut dyn FnMut(LineFate),
) -> Result<TripPlan, TripsError> {
    let mut plan = TripPlan::default();
    let mut lacking_times = 0;
    let mut spelled: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    // The line and the beginning of the digest of the first row of each trip.
    let mut rows_by_id: HashMap<u64, (u64, [u8; 8])> = HashMap::new();
    while let Some(line) = table.next_line()? {
        plan.read += 1;
        let row = match line {
            CsvLine::Row(row) => row,
            CsvLine::SetAside(row) => {
                tell(row.into());
                continue;
            }
        };
        let [
            id,
            _,
            _,
            start_station,
            start_terminal,
            _,
            end_terminal,
            _,
            end_station,
        ] = &row.fields;
        let ends = [(start_terminal, start_station), (end_terminal, end_station)];
        let at_repeated = stations.is_repeated(start_terminal, start_station)
            || stations.is_repeated(end_terminal, end_station);
        let mut tell = |outcome| {
            tell(LineFate {
                file: table.file().to_owned(),
                line: row.line,
                id: format!("trip {id}"),
                outcome,
            });
        };
        let number = match trip_number(&row) {
            Ok(number) => number,
            Err((reason, detail)) => {
                tell(RowOutcome::SetAside(reason, detail));
                continue;
            }
        };
        let digest = row.digest.first_chunk().copied().unwrap_or_default();
        let first = rows_by_id.get(&number);
        if let Some((first, known)) = first
            && *known != digest
        {
            let detail = format!(
                "lines {first} and {} are another trip under the same id",
                row.line
            );
            tell(RowOutcome::SetAside("trip_id_repeated", detail));
            continue;
        }
        // The same in every field: it is in as far as the first one is, and counts no further trip.
        let is_repeat = first.is_some();
        let evidence = pseudonyms.evidence(&format!("{} trip {number}", config.source))?;
        let in_log = known.award(&evidence);
        let trip = match (award(&row, evidence, stations, config, pseudonyms), in_log) {
            (Err(TripFault::Pseudonyms(error)), _) => return Err(error.into()),
            // Another row of the same id may be right.
            (Err(TripFault::Row((reason, detail))), None) => {
                tell(RowOutcome::SetAside(reason, detail));
                continue;
            }
            // The same, so that a file comes to the same in each run.
            (Err(TripFault::Row((_, detail))), Some(in_log)) => {
                let detail = format!("entry {} awards the trip, and now {detail}", in_log.index);
                tell(RowOutcome::SetAside("changed", detail));
                continue;
            }
            (Ok((award, facts)), None) => Trip::New(PlannedTrip {
                line: row.line,
                number,
                award,
                facts,
            }),
            (Ok((award, facts)), Some(in_log)) => {
                match compare(&award, facts, in_log, known.facts(&evidence)) {
                    Some(why) => Trip::Changed(why),
                    None => Trip::In(in_log, award, facts),
                }
            }
        };
        if !is_repeat {
            rows_by_id.insert(number, (row.line, digest));
        }
        if !is_repeat && !matches!(trip, Trip::Changed(_)) {
            plan.at_repeated_stations += u64::from(at_repeated);
            for (id, name) in ends {
                if let Some(listed) = stations.other_spelling(id, name) {
                    let pair = (id.clone(), listed.to_owned(), name.clone());
                    *spelled.entry(pair).or_default() += 1;
                }
            }
        }
        match trip {
            Trip::New(_) if is_repeat => plan.repeats.push((row.line, number)),
            Trip::New(trip) => {
                *plan.balances.entry(trip.award.account).or_default() += trip.award.points.0;
                plan.trips.push(trip);
            }
            Trip::In(in_log, award, facts) => {
                let left = known.left_of(&in_log);
                if left.0 > 0 && !is_repeat {
                    *plan.balances.entry(award.account).or_default() += left.0;
                }
                if known.facts(&evidence).is_none() && !is_repeat {
                    lacking_times += u64::from(left.0 > 0);
                    plan.lacking.push((evidence, facts));
                }
                tell(match known.reversed_by_others(&in_log) {
                    None => RowOutcome::AlreadyIn(in_log.index),
                    Some(taken) => {
                        RowOutcome::SetAside("reversed_by_others", words(&in_log, taken))
                    }
                });
            }
            Trip::Changed(why) => tell(RowOutcome::SetAside("changed", why)),
        }
    }
    plan.spelled = spelled
        .into_iter()
        .map(|((station, listed, given), trips)| SpelledStation {
            station,
            listed,
            given,
            trips,
        })
        .collect();
    plan.find_overlaps(known);
    plan.without_times = known
        .without_times(pseudonyms)
        .saturating_sub(lacking_times);
    Ok(plan)
}

/// A trip that a row tells of.
enum Trip {
    New(PlannedTrip),
    /// Its award is this entry, which says the same.
    In(KnownAward, Award, TripFacts),
    /// Its award says otherwise.
    Changed(String),
}

/// What others took back of a trip that is in.
fn words(award: &KnownAward, taken: ReversedByOthers) -> String {
    let ReversedByOthers { points, of } = taken;
    format!(
        "entry {} awards the trip, and others than this platform's importing keys took back {points} of its {of} points: it is not awarded again",
        award.index
    )
}

/// What a row says otherwise than the award of its trip; none if nothing.
fn compare(
    award: &Award,
    facts: TripFacts,
    in_log: KnownAward,
    noted: Option<TripFacts>,
) -> Option<String> {
    let index = in_log.index;
    if !in_log.says(award) {
        return Some(format!(
            "entry {index} awards the trip otherwise than this row with these stations and this method would"
        ));
    }
    let changed = noted.is_some_and(|noted| noted.row != facts.row);
    changed.then(|| format!("entry {index} awards the trip, and its row was another one then"))
}

/// The source's own id of a trip.
fn trip_number(row: &CsvRow<{ TRIP_COLUMNS.len() }>) -> Result<u64, RowFault> {
    let [id, .., bike, _end_station] = &row.fields;
    if id.is_empty() || bike.is_empty() {
        let detail = "it has no trip id or no bicycle".to_owned();
        return Err(("id_missing", detail));
    }
    // 7, 07 and +7 would be one trip, and 7.0 another.
    let number = id.bytes().all(|byte| byte.is_ascii_digit());
    number
        .then(|| id.parse().ok())
        .flatten()
        .ok_or_else(|| ("id_malformed", format!("trip id {id:?} is no whole number")))
}

/// The award of a row, and what the register keeps of its trip.
fn award(
    row: &CsvRow<{ TRIP_COLUMNS.len() }>,
    evidence: Digest,
    stations: &Stations,
    config: &TripsConfig<'_>,
    pseudonyms: &mut Pseudonyms,
) -> Result<(Award, TripFacts), TripFault> {
    let [
        _id,
        duration,
        started,
        start_station,
        start_terminal,
        ended,
        end_terminal,
        bike,
        end_station,
    ] = &row.fields;
    let duration = digits(duration)
        .map(u64::from)
        .ok_or_else(|| ("duration_malformed", format!("duration {duration:?}")))?;
    if duration > DURATION_S_MAX {
        let days = duration / DURATION_S_MAX;
        let detail = format!("it lasted {duration} s, over {days} days: not a ride");
        return Err(("too_long", detail).into());
    }
    let moment =
        |text: &str| moment(text).ok_or_else(|| ("date_malformed", format!("date {text:?}")));
    let (start, end) = (moment(started)?, moment(ended)?);
    if end < start {
        return Err(("date_reversed", "it ended before it began".to_owned()).into());
    }
    let apart = end.seconds() - start.seconds();
    if apart.abs_diff(duration) > DURATION_SLACK_S {
        let detail = format!("it lasted {duration} s, and its times are {apart} s apart");
        return Err(("times_contradict", detail).into());
    }
    if end.day > config.today {
        let detail = format!("it ended on {}, which is yet to come", end.day);
        return Err(("date_future", detail).into());
    }
    let from = stations.named(start_terminal, start_station)?;
    let to = stations.named(end_terminal, end_station)?;
    let metres = from.metres_to(to).round();
    if metres < 1.0 {
        let detail = "it ended where it began: no straight-line distance".to_owned();
        return Err(("no_distance", detail).into());
    }
    let speed = metres / 1000.0 / (duration.max(1) as f64 / 3600.0);
    if speed > SPEED_KMH_MAX {
        let detail = format!("{metres} m in {duration} s are {speed:.0} km/h");
        return Err(("too_fast", detail).into());
    }
    let no_method = |detail| ("no_method", detail);
    let method = config
        .versions
        .iter()
        .filter(|method| method.effective_from <= end.day)
        .max_by_key(|method| method.version)
        .ok_or_else(|| {
            no_method(format!(
                "no version of the method was in effect on {}",
                end.day
            ))
        })?;
    let activity = method
        .activities
        .iter()
        .find(|activity| activity.code == config.activity)
        .ok_or_else(|| no_method(format!("it has no activity {}", config.activity)))?;
    // Metres are thousandths of the unit, a kilometre.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "metres are whole, and at most half the Earth's circumference"
    )]
    let quantity = Quantity(metres as u64);
    let out_of_range = |points: String| {
        let detail = format!("{points} points; 1 to {} are awarded", activity.cap);
        ("points_out_of_range", detail)
    };
    let points = quantity
        .points(activity.factor)
        .ok_or_else(|| out_of_range("more than 64 bits of".to_owned()))?;
    if points == Grams(0) || points > activity.cap {
        return Err(out_of_range(points.to_string()).into());
    }
    let award = Award {
        account: pseudonyms.account(&format!("{}:bike:{bike}", config.source))?,
        method: method.id,
        version: method.version,
        activity: config.activity,
        quantity,
        points,
        occurred_on: end.day,
        evidence,
    };
    let facts = TripFacts {
        row: fingerprint_of_row(&row.fields),
        bike: account_start(&award.account),
        start: start.minute,
        end: end.minute,
    };
    Ok((award, facts))
}

/// `2014-01-01T08:14:00Z`. A leap second is no time of a trip: no source of trips writes one.
fn moment(text: &str) -> Option<Moment> {
    let (date, time) = text.split_once('T')?;
    let day: Day = date.parse().ok()?;
    let mut parts = time.strip_suffix('Z')?.split(':');
    let mut two = |below: u32| {
        let part = parts.next()?;
        let number = digits(part).filter(|_| part.len() == 2)?;
        (number < below).then_some(number)
    };
    let (hours, minutes) = (two(24)?, two(60)?);
    let second = two(60)?;
    let minute = (day.0.checked_mul(24)?.checked_add(hours)?).checked_mul(60)?;
    let minute = minute.checked_add(minutes)?;
    let time = Moment {
        minute,
        second,
        day,
    };
    parts.next().is_none().then_some(time)
}
