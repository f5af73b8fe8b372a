//! Lists of entries: those about an account, and the records of an issuer's chain, each found by walking lineages back
//! from the newest. Nothing is looked through that does not belong to the list.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::bounded_reads::{BoundedReads, ReadEntry, WORK_BYTES_MAX};
use super::lookup::{not_in, place};
use super::view;
use crate::answer::Problem;
use crate::answer::extract::{Path, Query, parse_path};
use crate::crypto::PublicKey;
use crate::ledger::history::account_step;
use crate::record::{AccountId, FullEntry, Index};

/// The most entries of one answer.
const ENTRIES_MAX: usize = 64;
/// The bytes of entries at which an answer ends.
const ENTRY_BYTES: usize = 256 << 10;

/// Where a list begins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntriesQuery {
    before: Option<String>,
}

/// The entries about an account, the newest first, each with what it added or took: at most 64 an answer.
#[utoipa::path(get, path = "/v1/accounts/{id}/entries", params(
    ("id" = String, Path, description = "64 hexadecimal digits"),
    ("before" = Option<u64>, Query, description = "An entry about the account: those before it follow. From the newest on if left out"),
), responses(
    (status = 200, description = "The entries", body = Value),
    (status = 404, body = Problem, description = "Nothing was said of it, or the entry `before` is not about it"),
))]
pub(super) async fn of_account(
    Extract(app): Extract<Arc<App>>,
    Path(id): Path<String>,
    Query(query): Query<EntriesQuery>,
) -> Result<Json<Value>, Problem> {
    let id: AccountId = parse_path(&id, "the account")?;
    let before: Option<Index> = place(query.before.as_deref(), "before")?;
    let ((account, size), _) = app
        .log
        .look_up(|state| (state.account(&id).copied(), state.entries()))
        .await?;
    let account = account.ok_or_else(|| not_in(size, "such account"))?;
    let mut list = List::new(&app, size, before.is_some());
    let mut next = Some(before.unwrap_or(account.last_entry));
    while let Some(index) = next.filter(|_| !list.is_full()) {
        let read = list.reads.read(index).await?;
        let target = match read.entry.stated().and_then(|said| said.statement.target()) {
            Some(target) => Some(list.reads.read(target).await?),
            None => None,
        };
        let target = target.as_ref().and_then(|target| target.entry.stated());
        let target = target.map(|target| target.statement);
        let stated = read.entry.stated();
        let step = stated.and_then(|stated| account_step(&id, &stated, target));
        let step = step.ok_or_else(|| list.astray(index, before, "this account"))?;
        next = step.before;
        // Points of a change fit 64 bits; as all sums it is a decimal string.
        list.add(&read, json!({"change": step.change.to_string()}));
    }
    let path = format!("/v1/accounts/{id}/entries");
    Ok(Json(list.answer(&path, next)))
}

/// The records of an issuer's chain, the newest first, seals among them: at most 64 an answer.
#[utoipa::path(get, path = "/v1/issuers/{key}/entries", params(
    ("key" = String, Path, description = "64 hexadecimal digits"),
    ("before" = Option<u64>, Query, description = "An entry of the chain: those before it follow. From the newest on if left out"),
), responses(
    (status = 200, description = "The entries", body = Value),
    (status = 404, body = Problem, description = "Never granted, or the entry `before` is not of its chain"),
))]
pub(super) async fn of_issuer(
    Extract(app): Extract<Arc<App>>,
    Path(key): Path<String>,
    Query(query): Query<EntriesQuery>,
) -> Result<Json<Value>, Problem> {
    let key: PublicKey = parse_path(&key, "the key")?;
    let before: Option<Index> = place(query.before.as_deref(), "before")?;
    let ((known, size), _) = app
        .log
        .look_up(|state| (state.key(&key).map(|known| known.head), state.entries()))
        .await?;
    let head = known.ok_or_else(|| not_in(size, "such key"))?;
    let mut list = List::new(&app, size, before.is_some());
    let mut next = before.or(head.map(|head| head.index));
    while let Some(index) = next.filter(|_| !list.is_full()) {
        let read = list.reads.read(index).await?;
        next = match &read.entry {
            FullEntry::Signed(entry) if entry.signed.record().issuer == key => {
                entry.lineage.issuer_before()
            }
            _ => return Err(list.astray(index, before, "this issuer's chain")),
        };
        list.add(&read, json!({}));
    }
    let path = format!("/v1/issuers/{key}/entries");
    Ok(Json(list.answer(&path, next)))
}

/// A page while it is made.
struct List<'a> {
    app: &'a App,
    size: u64,
    reads: BoundedReads<'a>,
    /// The first entry that is read is the one behind the page: it is checked and not listed.
    skips_first: bool,
    last: Option<Index>,
    entry_bytes: usize,
    entries: Vec<Value>,
}

impl<'a> List<'a> {
    fn new(app: &'a App, size: u64, skips_first: bool) -> Self {
        Self {
            app,
            size,
            reads: BoundedReads::new(app.log.reader(), size),
            skips_first,
            last: None,
            entry_bytes: 0,
            entries: Vec::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= ENTRIES_MAX
            || self.entry_bytes >= ENTRY_BYTES
            || self.reads.bundle_bytes() >= WORK_BYTES_MAX
    }

    /// Adds an entry to the page, with what else is to be said of it.
    fn add(&mut self, read: &ReadEntry, mut more: Value) {
        self.last = Some(read.index);
        if std::mem::take(&mut self.skips_first) {
            return;
        }
        self.entry_bytes = self.entry_bytes.saturating_add(read.bytes.len());
        let index = read.index.0;
        let context = self.app.log.context();
        if let Some(item) = more.as_object_mut() {
            let entry = view::entry(context, index, &read.bytes, &read.entry);
            item.insert("entry".to_owned(), entry);
            item.insert("receipt".to_owned(), format!("/v1/receipts/{index}").into());
        }
        self.entries.push(more);
    }

    /// That an entry does not belong to the list: the reader's mistake if the reader named it, else the log's.
    fn astray(&self, index: Index, asked_for: Option<Index>, what: &str) -> Problem {
        if asked_for == Some(index) {
            let detail = format!("entry {index} is not of {what}");
            Problem::not_found(&detail)
        } else {
            Problem::contradiction(&format!("the lineage of {what} leads to entry {index}"))
        }
    }

    fn answer(self, path: &str, next: Option<Index>) -> Value {
        let next = next.and(self.last);
        let next = next.map(|last| format!("{path}?before={last}"));
        json!({"entries": self.entries, "next": next, "as_of_size": self.size})
    }
}
