//! What an audit reports, as data. `report.json` is this structure; `report.html` shows it. Sums of
//! points and quantities are decimal strings there, and so are all totals. Each number's name there has
//! its unit (`docs/report.schema.json`, `docs/audit.md`).

mod engagement;
mod rows;
mod totals;
mod vintages;

use serde::Serialize;

pub use engagement::{Engagement, NOT_STATED};
pub use vintages::VintageRow;
pub(super) use vintages::vintages;

use super::auditor::Auditor;
use super::estimate::Share;
use super::facts::{Facts, Inconsistent};
use super::findings::Finding;
use super::held::{EvidenceHeld, EvidenceRow};
use super::observe::{IssuerSums, MonthSums};
use super::planned::PlanRow;
use super::survival::{AgeClass, Cohort, Surveyed, Survival, ages};
use super::until::UntilRow;
use crate::crypto::PublicKey;
use crate::ledger::{State, Totals, decimal};
use crate::record::{
    ActivityCode, Basis, CarbonRights, Day, Grams, Index, MethodId, MethodVersion, Micrograms,
    PlotNumber, RecordId, SpeciesCode,
};

/// The name and version of the format of `report.json`, for programs that read it.
pub const REPORT_FORMAT: &str = "arborlog-report/4";

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

/// Not checked, unless the audit was given files.
const NOT_CHECKED_FILES: &str =
    "The files whose digests stand as evidence: ask for them, and hash them.";

/// Not checked of the files that it was given.
const NOT_CHECKED_IN_FILES: &str = "What the files show whose digests were held against the ledger: a picture of a tree is no tree, and nobody looked at it here.";

/// What was not checked, or can't be.
const NOT_CHECKED: [&str; 6] = [
    "That what was said is true: no ledger sees a ride, or whether a sapling lives.",
    "What was never submitted, such as a loss that nobody reported.",
    "That there is no other view of this log, shown to somebody else: witnesses' cosignatures and comparing checkpoints do that.",
    NOT_CHECKED_FILES,
    "Who stands behind an account or a key. Points are the programme's own method, not measured reductions and not credits.",
    "A saved audit, if this run went on from one, is taken at its word: it belongs where only the auditor writes.",
];

/// In the place of the first of [`CHECKED`], as of then.
const CHECKED_OF_BEGINNING: &str = "The checkpoint is signed by a log key of this ledger, and these entries are the beginning of its tree.";

/// What is not checked beside, as of then.
const NOT_CHECKED_OF_BEGINNING: &str = "The entries behind these, which the checkpoint has too: what was lost, found, corrected or revoked in them is not in this report, nor whether they break a rule.";

/// A report on a ledger up to one checkpoint, or as of then.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of this structure.
    pub format: &'static str,
    /// The day for which ages and due dates are reckoned.
    pub as_of: Day,
    /// The version of arborlog that made it.
    pub made_by: &'static str,
    /// The terms of the engagement, as far as they were stated.
    pub engagement: Engagement,
    /// The log.
    pub log: LogRow,
    /// The checkpoint it speaks of.
    pub checkpoint: CheckpointRow,
    /// Up to where it goes, if it is as of then; `None` if it goes up to the end of the checkpoint.
    pub until: Option<UntilRow>,
    /// How many entries an audit before this one had verified, which the ledger extends.
    #[serde(rename = "extends_entries")]
    pub extends: Option<u64>,
    /// What was checked.
    pub checked: [&'static str; 7],
    /// What was not, or can't be.
    pub not_checked: Vec<&'static str>,
    /// What there is to ask about, the gravest first.
    pub findings: Vec<Finding>,
    /// Sums over all.
    #[serde(serialize_with = "totals::with_units")]
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
    /// Keys and what they issued.
    pub issuers: Vec<IssuerRow>,
    /// Points and trees by month.
    pub months: Vec<MonthRow>,
    /// Awards and trees by the month of the event or planting, and what of them still stands.
    pub vintages: Vec<VintageRow>,
    /// Survival of all trees that surveys speak of.
    pub survival: Survival,
    /// Survival by year of planting.
    pub cohorts: Vec<Cohort>,
    /// Survival by age.
    pub ages: Vec<AgeClass>,
    /// How much was done of the sampling plans that the audit was given.
    pub plans: Vec<PlanRow>,
    /// What the files that the audit was given came to, held against the digests in the ledger; `None` without files.
    pub evidence: Option<EvidenceRow>,
}

impl Report {
    /// The report on what an auditor verified, by the facts of its ledger; `None` before it
    /// verified anything.
    ///
    /// # Errors
    /// [`Inconsistent`] when a number can't be reckoned.
    pub(super) fn new(
        auditor: &Auditor,
        facts: &Facts<'_>,
        extends: Option<u64>,
        findings: Vec<Finding>,
        vintages: Vec<VintageRow>,
    ) -> Result<Option<Self>, Inconsistent> {
        let state = facts.state;
        let (Some((head, checkpoint)), Some((genesis, programme)), Some(vkey)) = (
            auditor.verified(),
            state.globals().genesis.as_ref(),
            auditor.vkey_in_force(),
        ) else {
            return Ok(None);
        };
        let surveyed = Surveyed::new(facts)?;
        Ok(Some(Self {
            format: REPORT_FORMAT,
            as_of: facts.as_of,
            made_by: concat!("arborlog ", env!("CARGO_PKG_VERSION")),
            engagement: Engagement::default(),
            log: LogRow {
                origin: auditor.origin().to_string(),
                genesis: *genesis,
                programme: programme.to_string(),
                vkey: vkey.to_string(),
                governors: state.globals().council.governors.len(),
                quorum: state.globals().council.quorum,
            },
            checkpoint: CheckpointRow {
                size: head.size,
                root: head.root.to_string(),
                state_root: state_root(state)?,
                first_admitted: Some(facts.admitted_on(Index(0))?),
                last_admitted: facts.observations.last_day(),
                note: checkpoint.to_string(),
            },
            until: None,
            extends: extends.filter(|size| *size > 0),
            checked: CHECKED,
            not_checked: NOT_CHECKED.to_vec(),
            findings,
            totals: state.totals().clone(),
            accounts: state.accounts_count() as u64,
            kinds: rows::kinds(facts),
            activities: rows::activities(facts),
            methods: rows::methods(facts),
            species: rows::species(state)?,
            plots: rows::plots(state, &surveyed.books)?,
            issuers: rows::issuers(facts),
            months: rows::months(facts),
            vintages,
            survival: surveyed.survival(facts),
            cohorts: surveyed.cohorts(facts),
            ages: ages(facts, &surveyed.books)?,
            plans: Vec::new(),
            evidence: None,
        }))
    }
}

impl Report {
    /// Says that the audit was as of then: of a beginning of its checkpoint.
    pub fn say_until(&mut self, until: UntilRow) {
        if !until.is_all {
            let [first, ..] = &mut self.checked;
            *first = CHECKED_OF_BEGINNING;
            self.not_checked.push(NOT_CHECKED_OF_BEGINNING);
        }
        self.until = Some(until);
    }
}

impl Report {
    /// Adds how much was done of plans, and what there is to ask about.
    pub fn say_plans(&mut self, plans: Vec<PlanRow>, findings: Vec<Finding>) {
        self.plans = plans;
        self.add_findings(findings);
    }

    /// Adds what files came to, and what there is to ask about.
    pub fn say_evidence(&mut self, held: &EvidenceHeld) {
        self.not_checked.retain(|said| *said != NOT_CHECKED_FILES);
        self.not_checked.push(NOT_CHECKED_IN_FILES);
        self.add_findings(held.findings());
        self.evidence = Some(held.row.clone());
    }

    fn add_findings(&mut self, findings: Vec<Finding>) {
        self.findings.extend(findings);
        self.findings
            .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    }
}

fn state_root(state: &State) -> Result<String, Inconsistent> {
    let roots = state.roots();
    let roots = roots.map_err(|error| Inconsistent::new(format!("the state: {error}")))?;
    Ok(roots.state_root().to_string())
}

/// The log.
#[derive(Clone, Debug, Serialize)]
pub struct LogRow {
    /// The log's name.
    pub origin: String,
    /// The id of the log's genesis.
    pub genesis: RecordId,
    /// The programme, as the genesis says.
    pub programme: String,
    /// The verifier key that signs checkpoints of this size.
    pub vkey: String,
    /// How many governors there are.
    pub governors: usize,
    /// How many governors must sign what governors issue.
    #[serde(rename = "quorum_governors")]
    pub quorum: u8,
}

/// A checkpoint.
#[derive(Clone, Debug, Serialize)]
pub struct CheckpointRow {
    /// Number of entries that were audited.
    #[serde(rename = "size_entries")]
    pub size: u64,
    /// The root over them.
    pub root: String,
    /// The root of the state that these entries make.
    pub state_root: String,
    /// The day of the first admission.
    pub first_admitted: Option<Day>,
    /// The day of the last admission.
    pub last_admitted: Option<Day>,
    /// The whole checkpoint as text, with its signatures.
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
    /// The method's id.
    pub method: MethodId,
    /// The version of the method.
    pub version: MethodVersion,
    /// The entry that states this version.
    pub stated_at: Index,
    /// The day from which this version is in effect.
    pub effective_from: Day,
    /// Where the method's factors come from.
    pub sources: String,
    /// What the savings are measured against.
    pub baseline: String,
    /// The activity's code in the method.
    pub activity: ActivityCode,
    /// The activity's name.
    pub name: String,
    /// The unit in which quantities are measured.
    pub unit: String,
    /// Micrograms of CO2e for one unit.
    #[serde(rename = "factor_micrograms")]
    pub factor: Micrograms,
    /// The most points for one award.
    #[serde(rename = "cap_grams")]
    pub cap: Grams,
    /// How many awards.
    pub awards: u64,
    /// The points of those awards, in grams.
    #[serde(rename = "points_grams", serialize_with = "decimal")]
    pub points: u128,
    /// The quantities of those awards, in thousandths of the unit.
    #[serde(rename = "quantity_thousandths", serialize_with = "decimal")]
    pub quantity: u128,
}

/// Awards of a version of a method.
#[derive(Clone, Debug, Serialize)]
pub struct MethodRow {
    /// The method's id.
    pub method: MethodId,
    /// The version of the method.
    pub version: MethodVersion,
    /// How many awards.
    pub awards: u64,
    /// The points of those awards, in grams, with those that were reversed later.
    #[serde(rename = "points_grams", serialize_with = "decimal")]
    pub points: u128,
}

/// Trees and promises of a species.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SpeciesRow {
    /// The species' code.
    pub code: SpeciesCode,
    /// The species' name, as the last method that names it has it.
    pub name: String,
    /// Trees of unvoided plantings.
    #[serde(rename = "planted_trees")]
    pub planted: u64,
    /// Trees of these that are lost.
    #[serde(rename = "lost_trees")]
    pub lost: u64,
    /// Promises that have a tree.
    #[serde(rename = "assigned_claims")]
    pub assigned: u64,
    /// Promises that wait for one.
    #[serde(rename = "waiting_claims")]
    pub waiting: u64,
}

/// A survey.
#[derive(Clone, Debug, Serialize)]
pub struct SurveyRow {
    /// The survey's entry.
    pub index: Index,
    /// The day of the survey.
    pub surveyed_on: Day,
    /// How it was made.
    pub basis: Basis,
    /// Whether it is of one planting only.
    pub one_planting: bool,
    /// Trees that were looked for.
    #[serde(rename = "looked_for_trees")]
    pub looked_for: u64,
    /// Trees that were found alive.
    #[serde(rename = "alive_trees")]
    pub alive: u32,
    /// Trees that were found dead.
    #[serde(rename = "dead_trees")]
    pub dead: u32,
    /// Trees that were not found.
    #[serde(rename = "not_found_trees")]
    pub not_found: u32,
    /// Trees that stood in the books at the entry that the survey names.
    #[serde(rename = "stood_trees")]
    pub stood: u64,
    /// The share alive of those that stood in the books; `None` if it looked for more than those. Without an
    /// interval where nothing was drawn at random.
    #[serde(rename = "alive_share")]
    pub share: Option<Share>,
    /// Who surveyed.
    pub surveyor: String,
    /// Who paid for the survey.
    pub paid_by: String,
    /// The day on which the next survey is due.
    pub next_due: Option<Day>,
}

/// A plot.
#[derive(Clone, Debug, Serialize)]
pub struct PlotRow {
    /// The plot's number.
    pub number: PlotNumber,
    /// The plot's name.
    pub name: String,
    /// The entry that states the plot as it is now.
    pub stated_at: Index,
    /// Who holds the plot.
    pub holder: String,
    /// The country that the plot lies in, by its code.
    pub country: String,
    /// The middle of the circle around the plot, in degrees north.
    #[serde(rename = "latitude_degrees")]
    pub latitude: f64,
    /// The middle of the circle around the plot, in degrees east.
    #[serde(rename = "longitude_degrees")]
    pub longitude: f64,
    /// The radius of the circle around the plot, in metres.
    pub radius_m: u32,
    /// The plot's area, in square metres.
    pub area_m2: u64,
    /// Who pays for the planting.
    pub funded_by: String,
    /// What the planter says about carbon credits on the plot.
    pub carbon_rights: CarbonRights,
    /// Trees of unvoided plantings.
    #[serde(rename = "planted_trees")]
    pub planted: u64,
    /// Trees of these that are lost.
    #[serde(rename = "lost_trees")]
    pub lost: u64,
    /// Trees that stand in the books.
    #[serde(rename = "standing_trees")]
    pub standing: u64,
    /// The most trees that may stand.
    #[serde(rename = "capacity_trees")]
    pub capacity: u64,
    /// Trees that have a claim.
    #[serde(rename = "assigned_claims")]
    pub assigned: u64,
    /// Claims whose tree does not stand.
    #[serde(rename = "shortfall_claims")]
    pub shortfall: u64,
    /// The day of the first unvoided planting.
    pub first_planted_by: Option<Day>,
    /// How many surveys of the plot there are that were not voided.
    pub surveys: u64,
    /// The latest of these surveys.
    pub latest_survey: Option<SurveyRow>,
}

/// A key and what it issued.
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
    /// What it issued.
    #[serde(flatten)]
    pub sums: IssuerSums,
}

/// A month.
#[derive(Clone, Debug, Serialize)]
pub struct MonthRow {
    /// The month, such as `2026-11`.
    pub month: String,
    /// The points of that month.
    #[serde(flatten)]
    pub points: MonthSums,
    /// Trees planted in it, of unvoided plantings.
    #[serde(rename = "planted_trees")]
    pub planted: u64,
    /// Trees lost in it.
    #[serde(rename = "lost_trees")]
    pub lost: u64,
}
