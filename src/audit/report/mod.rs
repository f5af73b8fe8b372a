//! What an audit reports, as data. `report.json` is this structure; `report.html` shows it.

mod rows;

use serde::Serialize;

use super::auditor::Auditor;
use super::findings::Finding;
use super::observe::{IssuerSums, MonthSums, Observations};
use super::survival::{AgeClass, Cohort, Share, ages, cohorts};
use crate::crypto::PublicKey;
use crate::ledger::Totals;
use crate::record::{
    ActivityCode, Basis, CarbonRights, Day, Grams, Index, MethodId, MethodVersion, Micrograms,
    PlotNumber, RecordId, SpeciesCode,
};

/// What `report.json` is called by those who read it.
const FORMAT: &str = "arborlog-report/1";

/// What was checked, for people.
const CHECKED: [&str; 7] = [
    "The checkpoint is signed by the log key that was in force.",
    "Every entry is in the tree of that checkpoint, every tile of hashes is what the entries make.",
    "Every record is signed by a key that was granted for it and not revoked; every signature was verified strictly.",
    "Every issuer's records are chained without a gap, and every entry names what it stands on.",
    "Every rule: points follow from the method in force, claims were paid, no tree has two claims, no serial or piece of evidence is used twice, plots hold no more trees than they say.",
    "Corrections change only what they may, and stay beside what they correct.",
    "At the end points and trees add up: nothing appeared or vanished.",
];

/// What was not checked, or can't be.
const NOT_CHECKED: [&str; 6] = [
    "That what was said is true: no ledger sees a ride, or whether a sapling lives.",
    "What was never submitted, such as a loss that nobody reported.",
    "That there is no other view of this log, shown to somebody else: witnesses' cosignatures and comparing checkpoints do that.",
    "The files whose digests stand as evidence: ask for them, and hash them.",
    "Who stands behind an account or a key. Points are the programme's own method, not measured reductions and not credits.",
    "A saved audit, if this run went on from one, is taken at its word: it belongs where only the auditor writes.",
];

/// A report on a ledger up to one checkpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of this structure.
    pub format: &'static str,
    /// The day for which ages and due dates are reckoned.
    pub as_of: Day,
    /// The version of arborlog that made it.
    pub made_by: &'static str,
    /// The log.
    pub log: LogRow,
    /// The checkpoint it speaks of.
    pub checkpoint: CheckpointRow,
    /// How many entries an audit before this one had verified, which the ledger extends.
    pub extends: Option<u64>,
    /// What was checked.
    pub checked: [&'static str; 7],
    /// What was not, or can't be.
    pub not_checked: [&'static str; 6],
    /// What there is to ask about, the gravest first.
    pub findings: Vec<Finding>,
    /// Sums over all.
    pub totals: Totals,
    /// Number of accounts.
    pub accounts: u64,
    /// Entries by kind.
    pub kinds: Vec<KindRow>,
    /// Awards by method, version and activity.
    pub activities: Vec<ActivityRow>,
    /// Awards by method and version.
    pub methods: Vec<MethodRow>,
    /// Trees and promises by species.
    pub species: Vec<SpeciesRow>,
    /// Plots.
    pub plots: Vec<PlotRow>,
    /// Keys and what they said.
    pub issuers: Vec<IssuerRow>,
    /// By month.
    pub months: Vec<MonthRow>,
    /// Survival by year of planting.
    pub cohorts: Vec<Cohort>,
    /// Survival by age.
    pub ages: Vec<AgeClass>,
}

/// The log.
#[derive(Clone, Debug, Serialize)]
pub struct LogRow {
    /// Its name.
    pub origin: String,
    /// The id of its genesis.
    pub genesis: RecordId,
    /// The programme, as the genesis says.
    pub programme: String,
    /// The verifier key that signs checkpoints of this size.
    pub vkey: String,
    /// How many governors there are,
    pub governors: usize,
    /// and how many must sign.
    pub quorum: u8,
}

/// A checkpoint.
#[derive(Clone, Debug, Serialize)]
pub struct CheckpointRow {
    /// Number of entries.
    pub size: u64,
    /// Root hash.
    pub root: String,
    /// The day of the first admission,
    pub first_admitted: Option<Day>,
    /// and of the last.
    pub last_admitted: Option<Day>,
    /// All of it, with its signatures.
    pub note: String,
}

/// Entries of a kind.
#[derive(Clone, Debug, Serialize)]
pub struct KindRow {
    /// The kind.
    pub kind: &'static str,
    /// How many.
    pub entries: u64,
}

/// Awards of an activity.
#[derive(Clone, Debug, Serialize)]
pub struct ActivityRow {
    /// The method,
    pub method: MethodId,
    /// its version,
    pub version: MethodVersion,
    /// and the entry that states it.
    pub stated_at: Index,
    /// In effect from.
    pub effective_from: Day,
    /// Where the factors come from.
    pub sources: String,
    /// What the savings are measured against.
    pub baseline: String,
    /// Code,
    pub activity: ActivityCode,
    /// and name.
    pub name: String,
    /// Unit.
    pub unit: String,
    /// Micrograms of CO2e for one unit.
    pub factor: Micrograms,
    /// The most points for one award.
    pub cap: Grams,
    /// How many awards.
    pub awards: u64,
    /// Their points.
    pub points: u128,
    /// Their quantities, in thousandths of the unit.
    pub quantity: u128,
}

/// Awards of a version of a method.
#[derive(Clone, Debug, Serialize)]
pub struct MethodRow {
    /// The method,
    pub method: MethodId,
    /// and its version.
    pub version: MethodVersion,
    /// How many awards.
    pub awards: u64,
    /// Their points, with those that were reversed later.
    pub points: u128,
}

/// Trees and promises of a species.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SpeciesRow {
    /// Its code.
    pub code: SpeciesCode,
    /// Its name.
    pub name: String,
    /// Trees of unvoided plantings.
    pub planted: u64,
    /// Of these, lost.
    pub lost: u64,
    /// Promises with a tree.
    pub assigned: u64,
    /// Promises without one.
    pub waiting: u64,
}

/// A survey.
#[derive(Clone, Debug, Serialize)]
pub struct SurveyRow {
    /// Its entry.
    pub index: Index,
    /// When.
    pub surveyed_on: Day,
    /// How.
    pub basis: Basis,
    /// Whether it is of one planting only.
    pub one_planting: bool,
    /// Looked for.
    pub sampled: u32,
    /// Found alive.
    pub alive: u32,
    /// The share alive of those that stood in the books.
    pub share: Option<Share>,
    /// Who surveyed.
    pub surveyor: String,
    /// Who paid.
    pub paid_by: String,
    /// When the next is due.
    pub next_due: Option<Day>,
}

/// A plot.
#[derive(Clone, Debug, Serialize)]
pub struct PlotRow {
    /// Its number.
    pub number: PlotNumber,
    /// Its name.
    pub name: String,
    /// The entry that states it.
    pub stated_at: Index,
    /// Who holds it.
    pub holder: String,
    /// Degrees north,
    pub latitude: f64,
    /// and east.
    pub longitude: f64,
    /// Its radius.
    pub radius_m: u32,
    /// Its area.
    pub area_m2: u64,
    /// Who pays.
    pub funded_by: String,
    /// Carbon rights.
    pub carbon_rights: CarbonRights,
    /// Trees of unvoided plantings.
    pub planted: u64,
    /// Of these, lost.
    pub lost: u64,
    /// Standing in the books.
    pub standing: u64,
    /// The most that may stand.
    pub capacity: u64,
    /// Trees with a claim.
    pub assigned: u64,
    /// Claims whose tree does not stand.
    pub shortfall: u64,
    /// When it was first planted.
    pub first_planted: Option<Day>,
    /// Its surveys.
    pub surveys: u64,
    /// The latest one.
    pub latest_survey: Option<SurveyRow>,
}

/// A key and what it said.
#[derive(Clone, Debug, Serialize)]
pub struct IssuerRow {
    /// The key.
    pub key: PublicKey,
    /// `governor`, or the role.
    pub role: String,
    /// Who holds it.
    pub holder: String,
    /// The holder's name.
    pub name: String,
    /// The entry that granted it.
    pub granted_at: Index,
    /// The entry that revoked it.
    pub revoked_at: Option<Index>,
    /// The last day on which it may sign.
    pub expires_on: Option<Day>,
    /// Whether it may sign now: `in force`, `revoked`, `expired` or `replaced`.
    pub standing: &'static str,
    /// What it said.
    #[serde(flatten)]
    pub sums: IssuerSums,
}

/// A month.
#[derive(Clone, Debug, Serialize)]
pub struct MonthRow {
    /// `2026-11`.
    pub month: String,
    /// Points.
    #[serde(flatten)]
    pub points: MonthSums,
    /// Trees planted in it, of unvoided plantings.
    pub planted: u64,
    /// Trees lost in it.
    pub lost: u64,
}

impl Report {
    /// The report on what an auditor verified; `None` before it verified anything.
    pub fn new(
        auditor: &Auditor,
        observations: &Observations,
        as_of: Day,
        extends: Option<u64>,
        findings: Vec<Finding>,
    ) -> Option<Self> {
        let (state, checkpoint) = (auditor.state(), auditor.last()?);
        let (genesis, programme) = state.globals().genesis.as_ref()?;
        Some(Self {
            format: FORMAT,
            as_of,
            made_by: concat!("arborlog ", env!("CARGO_PKG_VERSION")),
            log: LogRow {
                origin: auditor.origin().to_string(),
                genesis: *genesis,
                programme: programme.to_string(),
                vkey: auditor.vkey_in_force().to_string(),
                governors: state.globals().council.governors.len(),
                quorum: state.globals().council.quorum,
            },
            checkpoint: CheckpointRow {
                size: checkpoint.head().size,
                root: checkpoint.head().root.to_string(),
                first_admitted: observations.admitted_on(Index(0)),
                last_admitted: observations.last_day(),
                note: checkpoint.to_string(),
            },
            extends: extends.filter(|size| *size > 0),
            checked: CHECKED,
            not_checked: NOT_CHECKED,
            findings,
            totals: state.totals().clone(),
            accounts: state.accounts_count() as u64,
            kinds: rows::kinds(observations),
            activities: rows::activities(state, observations),
            methods: rows::methods(state, observations),
            species: rows::species(state),
            plots: rows::plots(state),
            issuers: rows::issuers(state, observations, as_of),
            months: rows::months(state, observations),
            cohorts: cohorts(state),
            ages: ages(state),
        })
    }
}
