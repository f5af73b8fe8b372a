//! What the read API says of the ledger, as JSON. Amounts are grams, times milliseconds, days
//! `YYYY-MM-DD`, keys and ids hexadecimal, hashes and bytes base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use crate::answer::Problem;
use crate::crypto::PublicKey;
use crate::ledger::{
    ClaimState, ClaimTree, KeyRole, KeyState, MethodState, PlantingState, PlotState, State,
    SurveyState, Totals, decimal,
};
use crate::merkle::leaf_hash;
use crate::record::{Entry, Index, PlotNumber, Serial, SigningContext, Slug, Survey};

/// The newest survey of a plot, printed beside whatever speaks of its trees.
fn latest_survey(state: &State, plot: PlotNumber) -> Value {
    match state.surveys(plot).next_back() {
        Some((index, survey)) => survey_view(index, survey),
        None => Value::Null,
    }
}

#[derive(Serialize)]
struct SurveyView<'a> {
    #[serde(flatten)]
    survey: &'a Survey,
    index: Index,
    surveyor: &'a Slug,
}

fn survey_view(index: Index, survey: &SurveyState) -> Value {
    json!(SurveyView {
        survey: &survey.survey,
        index,
        surveyor: &survey.surveyor,
    })
}

/// An issuer, and what its chain's next record must name.
pub(super) fn issuer(key: &PublicKey, state: &KeyState) -> Value {
    let (next_seq, prev) = state.next();
    let (role, holder, name) = match &state.role {
        KeyRole::Governor => ("governor".to_owned(), None, None),
        KeyRole::Log => ("log".to_owned(), None, None),
        KeyRole::Issuer {
            role,
            holder,
            display_name,
        } => (role.to_string(), Some(holder), Some(display_name)),
    };
    json!({
        "key": key,
        "role": role,
        "holder": holder,
        "display_name": name,
        "granted_at": state.granted_at,
        "expires_on": state.expires_on,
        "revoked_at": state.revoked_at,
        "compromised_since": state.compromised_since,
        "next_seq": next_seq,
        "prev": prev,
        "head": state.head.map(|head| json!({"seq": head.seq, "id": head.id, "index": head.index})),
    })
}

/// A plot with its books.
pub(super) fn plot(state: &State, plot: &PlotState, plantings_max: usize) -> Value {
    let number = plot.plot.number;
    let plantings: Vec<Value> = state
        .plantings(number)
        .take(plantings_max)
        .map(|(first, planting)| planting_view(first, planting))
        .collect();
    let surveys: Vec<Value> = state
        .surveys(number)
        .map(|(index, survey)| survey_view(index, survey))
        .collect();
    json!({
        "plot": plot.plot,
        "holder": plot.holder,
        "stated_at": plot.stated_at,
        "last": plot.last_entry,
        "planted": plot.planted(),
        "lost": plot.lost(),
        "standing": plot.standing(),
        "assigned": plot.assigned,
        "shortfall": plot.shortfall(),
        "next_serial": plot.next_serial,
        "plantings": plantings,
        "surveys": surveys,
        "latest_survey": latest_survey(state, number),
    })
}

fn planting_view(first: Serial, planting: &PlantingState) -> Value {
    json!({
        "index": planting.index,
        "species": planting.species,
        "first_serial": first,
        "last_serial": planting.last_serial,
        "planted_on": planting.planted_on,
        "voided": planting.voided,
        "lost": planting.lost(),
        "assigned": planting.assigned,
    })
}

/// A tree: its planting, its claim, and how its plot fares.
pub(super) fn tree(state: &State, number: PlotNumber, serial: Serial) -> Option<Value> {
    let plot = state.plot(number)?;
    let (first, planting) = state.planting_of(number, serial)?;
    let lost = planting
        .lost_ranges
        .iter()
        .find(|range| range.holds(serial));
    let tied = state.tree(number, serial);
    Some(json!({
        "plot": number,
        "serial": serial,
        "species": planting.species,
        "species_name": state.species_name(planting.species),
        "planting": planting_view(first, planting),
        "lost_at": lost.map(|range| range.lost_at),
        "claim": tied.map(|tree| tree.claim),
        "assigned_at": tied.map(|tree| tree.assigned_at),
        "plot_name": plot.plot.name,
        "plot_shortfall": plot.shortfall(),
        "plot_latest_survey": latest_survey(state, number),
        "note": "a serial is a place in the books of a planting, not a tag on a sapling",
    }))
}

/// A certificate: a claim, and the tree that it is tied to.
///
/// # Errors
/// [`Problem`] when it is tied to a tree that the state does not have.
pub(super) fn certificate(
    state: &State,
    index: Index,
    claim: &ClaimState,
) -> Result<Value, Problem> {
    let (status, tree) = match claim.tree {
        ClaimTree::Waiting => ("waiting", Value::Null),
        ClaimTree::Voided => ("voided", Value::Null),
        ClaimTree::Tied { plot, serial } => (
            "assigned",
            self::tree(state, plot, serial).ok_or_else(|| {
                let what = format!("claim {index} is tied to tree {plot}/{serial}, which is none");
                Problem::contradiction(&what)
            })?,
        ),
    };
    Ok(json!({
        "certificate": index,
        "account": claim.account,
        "species": claim.species,
        "species_name": state.species_name(claim.species),
        "points": claim.points,
        "status": status,
        "tree": tree,
    }))
}

/// A version of a method.
pub(super) fn method(version: &MethodState) -> Value {
    json!({ "stated_at": version.stated_at, "method": version.method })
}

/// All sums, each a decimal string. Sizes of the log stay numbers.
#[derive(Serialize)]
pub(super) struct TotalsView {
    /// Number of entries.
    entries: u64,
    /// Accounts that entries name.
    #[serde(serialize_with = "decimal")]
    accounts: usize,
    /// Trees of all plantings but the voided ones.
    #[serde(serialize_with = "decimal")]
    planted: u64,
    #[serde(flatten)]
    totals: Totals,
}

impl TotalsView {
    pub(super) fn of(state: &State) -> Self {
        Self {
            entries: state.entries(),
            accounts: state.accounts_count(),
            planted: state.totals().planted(),
            totals: state.totals().clone(),
        }
    }
}

/// An entry, decoded and raw.
pub(super) fn entry(context: &SigningContext, index: u64, bytes: &[u8], entry: &Entry) -> Value {
    let record = entry.signed.record();
    let endorsements: Vec<Value> = entry
        .signed
        .endorsements()
        .iter()
        .map(|other| json!({"key": other.key, "signature": STANDARD.encode(other.signature.as_bytes())}))
        .collect();
    json!({
        "index": index,
        "admitted_at": entry.admitted_at,
        "lineage": entry.lineage.indexes(),
        "id": context.id(entry.signed.bytes()),
        "issuer": record.issuer,
        "seq": record.seq,
        "prev": record.prev,
        "issued_on": record.issued_on,
        "statement": record.statement,
        "signature": STANDARD.encode(entry.signed.signature().as_bytes()),
        "endorsements": endorsements,
        "entry": STANDARD.encode(bytes),
        "leaf_hash": leaf_hash(bytes).to_string(),
    })
}
