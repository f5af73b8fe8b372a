//! An entry: what it says, its bytes, its neighbours; and entries in one line each.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use serde::Serialize;
use serde_json::Value;

use super::account::newest_reversal;
use super::frame::{Frame, Visit};
use super::names::issuer_name;
use super::panel::{Receipts, SignedBy};
use super::say::{SaidNames, sentence, state_sentence};
use super::texts::Language;
use super::{PageResult, Pages, broken, decode, page, stated};
use crate::answer::Problem;
use crate::answer::extract::{Path, parse_path};
use crate::ledger::State;
use crate::merkle::{TILE_HASHES, leaf_hash};
use crate::record::{AccountId, Entry, FullEntry, Grams, Index, StateEntry, Statement, TimeMs};

/// Entries that the home page shows.
pub(super) const NEWEST: u64 = 10;

/// An entry in one line, on the first page and in the events that add to it.
#[derive(Serialize)]
pub(super) struct EntryLine {
    pub index: u64,
    /// What its kind is called in the reader's language.
    pub kind: String,
    /// What it says, in a sentence.
    pub says: String,
    /// When it was admitted.
    pub when: String,
}

/// The newest entries of a log of this size, the newest first.
pub(super) async fn newest(
    pages: &Pages,
    visit: &Visit,
    size: u64,
    count: u64,
) -> Result<Vec<EntryLine>, Problem> {
    // From the genesis on, in a log that has fewer.
    let first = size.saturating_sub(count);
    let mut entries = Vec::new();
    let reader = pages.log.reader();
    for bundle in first / TILE_HASHES..size.div_ceil(TILE_HASHES) {
        for (index, bytes) in (bundle * TILE_HASHES..).zip(reader.bundle(bundle, size).await?) {
            if index >= first {
                entries.push((index, decode(index, &bytes)?));
            }
        }
    }
    // Backwards: a sealed entry's seal, which says who signed it and when, is behind it.
    let mut told = Vec::with_capacity(entries.len());
    let (mut admitted_at, mut issuer) = (TimeMs(0), None);
    for (index, entry) in entries.iter().rev() {
        match entry {
            Entry::Signed(entry) => {
                admitted_at = entry.admitted_at;
                issuer = Some(entry.signed.record().issuer);
            }
            Entry::State(entry) => admitted_at = entry.admitted_at,
            Entry::Sealed(_) => {}
        }
        told.push((*index, entry, issuer, admitted_at));
    }
    let language = visit.language;
    let look = |state: &State| {
        let lines = told.iter().map(|(index, entry, issuer, admitted_at)| {
            let (kind, says) = match (entry, entry.statement(), issuer) {
                (_, Some(said), Some(issuer)) => {
                    let names = SaidNames::of(state, said, issuer)?;
                    let kind = language.texts().kind(&said.kind()).to_owned();
                    (kind, sentence(language, said, &names))
                }
                (Entry::State(entry), ..) => (
                    language.texts().k_state.clone(),
                    state_sentence(language, entry.size),
                ),
                _ => {
                    return Err(Problem::contradiction(&format!(
                        "entry {index} has no seal"
                    )));
                }
            };
            Ok(EntryLine {
                index: *index,
                kind,
                says,
                when: language.time(*admitted_at),
            })
        });
        lines.collect()
    };
    pages.look(look).await
}

/// A field of a statement, as the page shows it.
struct FieldRow {
    /// Its name in JSON, behind the names of those that it is in: `activities.0.name`.
    name: String,
    value: String,
    /// The page of what the value names.
    link: Option<String>,
}

/// The fields of a statement, those of lists and tables under names with dots.
fn rows(statement: &Statement) -> Result<Vec<FieldRow>, Problem> {
    let json = serde_json::to_value(statement).map_err(|error| broken(&error))?;
    let fields = json.as_object();
    let fields = fields.ok_or_else(|| broken(&"a statement is no table of fields"))?;
    let mut rows = Vec::new();
    for (name, value) in fields.iter().filter(|(name, _)| *name != "kind") {
        flatten(name, value, &mut rows);
    }
    Ok(rows)
}

fn flatten(name: &str, value: &Value, rows: &mut Vec<FieldRow>) {
    match value {
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                flatten(&format!("{name}.{place}"), item, rows);
            }
        }
        Value::Object(fields) => {
            for (field, value) in fields {
                flatten(&format!("{name}.{field}"), value, rows);
            }
        }
        // An optional field that the statement leaves out.
        Value::Null => {}
        scalar => {
            let value = scalar
                .as_str()
                .map_or_else(|| scalar.to_string(), str::to_owned);
            let field = name.split_once('.').map_or(name, |(field, _)| field);
            let link = match field {
                "account" | "from" | "to" => Some(format!("/account/{value}")),
                "plot" => Some(format!("/plot/{value}")),
                "claims" | "target" | "planting" | "set" | "as_of" => {
                    Some(format!("/entry/{value}"))
                }
                "method" => Some("/method".to_owned()),
                _ => None,
            };
            rows.push(FieldRow {
                name: name.to_owned(),
                value,
                link,
            });
        }
    }
}

/// Who signed an entry, or its seal.
struct SignedFacts {
    issued_on: String,
    issuer: String,
    who: Option<String>,
    seq: u64,
    id: String,
}

/// What corrected an entry.
struct CorrectedFacts {
    /// What happened to it, in the page's language.
    what: String,
    /// The points that were taken back; empty if it was voided.
    points: String,
    /// The page of the correction, or of the account whose history has it.
    link: String,
    by: String,
}

/// What corrected an entry, as the ledger's state has it.
enum CorrectedState {
    Voided(Index),
    /// Of an award: the points that were taken back, and the newest entry about its account.
    Reversed(Grams, AccountId, Option<Index>),
}

impl CorrectedState {
    fn of(state: &State, index: Index, statement: &Statement) -> Option<Self> {
        match statement {
            Statement::Award(award) => {
                let points = state.reversed(index);
                let last = state
                    .account(&award.account)
                    .map(|account| account.last_entry);
                (points.0 > 0).then_some(Self::Reversed(points, award.account, last))
            }
            _ => state.voided_by(index).map(Self::Voided),
        }
    }

    async fn facts(
        self,
        pages: &Pages,
        language: Language,
        index: Index,
    ) -> Result<CorrectedFacts, Problem> {
        let t = language.texts();
        match self {
            Self::Voided(by) => Ok(CorrectedFacts {
                what: t.voided_by.clone(),
                points: String::new(),
                link: format!("/entry/{by}"),
                by: by.to_string(),
            }),
            Self::Reversed(points, account, last) => {
                let newest = newest_reversal(pages, index, &account, last).await?;
                let (link, by) = match newest {
                    Some(by) => (format!("/entry/{by}"), format!("{} {by}", t.entry)),
                    None => (format!("/account/{account}"), t.account.clone()),
                };
                Ok(CorrectedFacts {
                    what: t.taken_back.clone(),
                    points: language.number(points.0.into()),
                    link,
                    by,
                })
            }
        }
    }
}

#[derive(Template)]
#[template(path = "entry.html")]
struct EntryPage {
    f: Frame,
    panel: Receipts,
    index: u64,
    kind: String,
    /// The kind in the page's language.
    title: String,
    /// What it says, in a sentence.
    says: String,
    when: String,
    /// Who signed it; `None` for a state entry.
    signed: Option<SignedFacts>,
    /// The seal that signs it, if it is a sealed one.
    seal: Option<u64>,
    /// What corrected it, by the server's books; nothing that the panel verifies.
    corrected: Option<CorrectedFacts>,
    rows: Vec<FieldRow>,
    lineage: Vec<u64>,
    certificate: bool,
    raw: String,
    leaf: String,
}

/// The page of an entry.
pub(super) async fn entry(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    Path(index): Path<String>,
) -> PageResult {
    let index: Index = parse_path(&index, "the entry")?;
    let (bytes, entry) = pages.entry(index).await?;
    let stated = match &entry {
        FullEntry::State(state) => return state_page(&pages, &visit, index, &bytes, state).await,
        other => stated(index, other)?,
    };
    let look = |state: &State| {
        let corrected = CorrectedState::of(state, index, stated.statement);
        let names = SaidNames::of(state, stated.statement, stated.issuer())?;
        Ok((issuer_name(state, stated.issuer())?, corrected, names))
    };
    let ((who, corrected, names), f) = pages.see(&visit, look).await?;
    let corrected = match corrected {
        Some(corrected) => Some(corrected.facts(&pages, f.language, index).await?),
        None => None,
    };
    let record = stated.signed.signed.record();
    page(&EntryPage {
        panel: Receipts::of_entry(
            index,
            match stated.seal {
                Some(seal) => SignedBy::Seal(seal),
                None => SignedBy::Issuer,
            },
        ),
        index: index.0,
        kind: stated.statement.kind().to_string(),
        title: f.t.kind(&stated.statement.kind()).to_owned(),
        says: sentence(visit.language, stated.statement, &names),
        when: visit.language.time(entry.admitted_at()),
        signed: Some(SignedFacts {
            issued_on: visit.language.day(record.issued_on),
            issuer: record.issuer.to_string(),
            who,
            seq: record.seq.0,
            id: pages
                .log
                .context()
                .id(stated.signed.signed.bytes())
                .to_string(),
        }),
        seal: stated.seal.map(|index| index.0),
        corrected,
        rows: rows(stated.statement)?,
        lineage: stated
            .lineage()
            .iter()
            .flatten()
            .map(|index| index.0)
            .collect(),
        certificate: matches!(stated.statement, Statement::Claim(_)),
        raw: hex::encode(&bytes),
        leaf: hex::encode(leaf_hash(&bytes).as_bytes()),
        f,
    })
}

/// The page of a state entry: what the log itself says of the entries before it.
async fn state_page(
    pages: &Pages,
    visit: &Visit,
    index: Index,
    bytes: &[u8],
    state: &StateEntry,
) -> PageResult {
    let ((), f) = pages.see(visit, |_| Ok(())).await?;
    let row = |name: &str, value: String| FieldRow {
        name: name.to_owned(),
        value,
        link: None,
    };
    page(&EntryPage {
        panel: Receipts::of_entry(index, SignedBy::Nobody),
        index: index.0,
        kind: "state".to_owned(),
        title: f.t.k_state.clone(),
        says: state_sentence(visit.language, state.size),
        when: visit.language.time(state.admitted_at),
        signed: None,
        seal: None,
        corrected: None,
        rows: vec![
            row("size", state.size.to_string()),
            row("rules_version", state.rules_version.to_string()),
            row("state_root", hex::encode(state.root)),
        ],
        lineage: state.before.iter().map(|index| index.0).collect(),
        certificate: false,
        raw: hex::encode(bytes),
        leaf: hex::encode(leaf_hash(bytes).as_bytes()),
        f,
    })
}
