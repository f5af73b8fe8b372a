//! What the read API says of the ledger, as JSON. Amounts are grams, times milliseconds, days
//! `YYYY-MM-DD`, keys and ids hexadecimal, hashes and bytes base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use crate::answer::Problem;
use crate::answer::places::{ListPage, MethodPlace, SurveyPlace};
use crate::crypto::PublicKey;
use crate::ledger::{
    ClaimState, ClaimTree, Globals, KeyRole, KeyState, MethodState, PlantingState, PlotState,
    State, SurveyState, Totals, decimal,
};
use crate::log::vkey;
use crate::merkle::leaf_hash;
use crate::record::{
    Day, FullEntry, Index, MethodId, MethodVersion, PlotNumber, Serial, SignedEntry,
    SigningContext, Slug, Survey, TimeMs,
};

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
            ..
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
        "last_issued_on": state.head.map(|head| head.issued_on),
        "head": state.head.map(|head| json!({"seq": head.seq, "id": head.id, "index": head.index})),
    })
}

/// Where the lists of a plot begin: after these, or with the first.
#[derive(Clone, Copy, Default)]
pub(super) struct PlotLists {
    pub plantings_after: Option<Serial>,
    pub surveys_after: Option<SurveyPlace>,
}

/// The most plantings, and the most surveys, of one answer; the next page follows.
pub(super) const ROWS_MAX: usize = 100;

/// A plot with its books, and a page of its plantings and of its surveys.
pub(super) fn plot(state: &State, plot: &PlotState, lists: PlotLists) -> Value {
    let number = plot.plot.number;
    // After the last serial that there is, and the last entry of a day, comes nothing.
    let from = lists
        .plantings_after
        .map_or(Some(0), |after| after.0.checked_add(1));
    let rows = from
        .into_iter()
        .flat_map(|from| state.plantings_in(number, Serial(from)..=Serial(u32::MAX)));
    let plantings = ListPage::of(rows, ROWS_MAX);
    let SurveyPlace(day, index) = lists.surveys_after.unwrap_or(SurveyPlace(Day(0), Index(0)));
    let from = index
        .0
        .checked_add(u64::from(lists.surveys_after.is_some()));
    let rows = from.into_iter().flat_map(|from| {
        state.surveys_in(
            number,
            (day, Index(from))..=(Day(u32::MAX), Index(u64::MAX)),
        )
    });
    let surveys = ListPage::of(rows, ROWS_MAX);
    let plantings_next = plantings
        .next_after()
        .map(|(first, _)| format!("/v1/plots/{number}?plantings_after={first}"));
    let surveys_next = surveys.next_after().map(|(index, survey)| {
        let place = SurveyPlace(survey.survey.surveyed_on, *index);
        format!("/v1/plots/{number}?surveys_after={place}")
    });
    let plantings: Vec<Value> = plantings
        .items
        .into_iter()
        .map(|(first, planting)| planting_view(first, planting))
        .collect();
    let surveys: Vec<Value> = surveys
        .items
        .into_iter()
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
        "plantings_next": plantings_next,
        "surveys": surveys,
        "surveys_next": surveys_next,
        "latest_survey": latest_survey(state, number),
    })
}

fn planting_view(first: Serial, planting: &PlantingState) -> Value {
    json!({
        "index": planting.index,
        "species": planting.species,
        "first_serial": first,
        "last_serial": planting.last_serial,
        "planted_from": planting.planted_from,
        "planted_until": planting.planted_until,
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

/// The most versions of methods in one answer: each may be as long as an entry.
const METHODS_MAX: usize = 16;

/// Versions of methods, behind a place in their list.
pub(super) fn methods(state: &State, after: Option<MethodPlace>) -> Value {
    let last = (MethodId(u32::MAX), MethodVersion(u32::MAX));
    let from = match after {
        None => Some((MethodId(0), MethodVersion(0))),
        Some(MethodPlace(id, MethodVersion(u32::MAX))) => {
            id.0.checked_add(1)
                .map(|id| (MethodId(id), MethodVersion(0)))
        }
        Some(MethodPlace(id, version)) => Some((id, MethodVersion(version.0 + 1))),
    };
    let versions = from
        .into_iter()
        .flat_map(|from| state.methods_in(from..=last));
    let page = ListPage::of(versions, METHODS_MAX);
    let next = page.next_after().map(|version| {
        let place = MethodPlace(version.method.id, version.method.version);
        format!("/v1/methods?after={place}")
    });
    let methods: Vec<Value> = page.items.into_iter().map(method).collect();
    json!({ "methods": methods, "next": next })
}

fn method(version: &MethodState) -> Value {
    json!({ "stated_at": version.stated_at, "method": version.method })
}

/// The most log keys of one answer: the newest.
const LOG_KEYS_MAX: usize = 100;

/// The governors in force, and the keys of the log that entries before one name, the newest last.
pub(super) fn governors(globals: &Globals, before: Option<Index>) -> Value {
    let council = &globals.council;
    let named = globals.log_keys.iter().rev();
    let named = named.filter(|(_, index)| before.is_none_or(|before| *index < before));
    let page = ListPage::of(named, LOG_KEYS_MAX);
    let next = page
        .next_after()
        .map(|(_, index)| format!("/v1/governors?log_keys_before={index}"));
    let log_keys: Vec<Value> = page
        .items
        .into_iter()
        .rev()
        .map(|(key, index)| {
            let vkey = vkey(&globals.origin, *key).to_string();
            json!({ "vkey": vkey, "named_at": index })
        })
        .collect();
    json!({
        "governors": council.governors,
        "quorum": council.quorum,
        "stated_at": council.stated_at,
        "policy_stated_at": globals.policy_at,
        "log_keys": log_keys,
        "log_keys_next": next,
    })
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

/// What every entry has, around what its form has.
#[derive(Serialize)]
struct EntryView {
    index: u64,
    admitted_at: TimeMs,
    #[serde(flatten)]
    of_form: Value,
    entry: String,
    leaf_hash: String,
}

/// An entry, decoded and raw. A sealed one has the issuer and days of its seal, and no record of its
/// own; a state entry has neither.
pub(super) fn entry(
    context: &SigningContext,
    index: u64,
    bytes: &[u8],
    entry: &FullEntry,
) -> Value {
    let of_form = match entry {
        FullEntry::Signed(entry) => record(context, entry),
        FullEntry::Sealed { seal, .. } => {
            let record = seal.signed.record();
            let stated = entry.stated();
            json!({
                "form": "sealed",
                "seal": stated.and_then(|stated| stated.seal),
                "lineage": stated.map(|stated| stated.lineage()),
                "issuer": record.issuer,
                "issued_on": record.issued_on,
                "statement": stated.map(|stated| stated.statement),
            })
        }
        FullEntry::State(state) => json!({
            "form": "state",
            "size": state.size,
            "before": state.before,
            "rules_version": state.rules_version,
            "root": hex::encode(state.root),
            "totals": state.totals,
        }),
    };
    json!(EntryView {
        index,
        admitted_at: entry.admitted_at(),
        of_form,
        entry: STANDARD.encode(bytes),
        leaf_hash: leaf_hash(bytes).to_string(),
    })
}

/// A record with its signatures.
fn record(context: &SigningContext, entry: &SignedEntry) -> Value {
    let record = entry.signed.record();
    let endorsements: Vec<Value> = entry
        .signed
        .endorsements()
        .iter()
        .map(|other| json!({"key": other.key, "signature": STANDARD.encode(other.signature.as_bytes())}))
        .collect();
    let mldsa_signature = entry.signed.mldsa_signature();
    let mldsa_signature = mldsa_signature.map(|signature| STANDARD.encode(signature.as_bytes()));
    json!({
        "form": "signed",
        "lineage": entry.lineage.indexes(),
        "id": context.id(entry.signed.bytes()),
        "issuer": record.issuer,
        "seq": record.seq,
        "prev": record.prev,
        "issued_on": record.issued_on,
        "statement": record.statement,
        "signature": STANDARD.encode(entry.signed.signature().as_bytes()),
        "endorsements": endorsements,
        "mldsa_signature": mldsa_signature,
    })
}
