//! Which entries name an evidence: from an index of a window of the log, and each entry read and compared before it is
//! told.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::bounded_reads::{BoundedReads, WORK_BYTES_MAX};
use super::lookup::place;
use super::view;
use crate::answer::extract::{Path, Query, parse_path};
use crate::answer::{Problem, ProblemCode};
use crate::log::{EvidenceFound, evidence_of};
use crate::record::{Digest, Index};

/// The most entries of one answer.
const ENTRIES_MAX: usize = 64;

/// Where a list begins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceQuery {
    after: Option<String>,
}

/// The entries that name an evidence, in their order, at most 64 an answer.
#[utoipa::path(get, path = "/v1/evidence/{digest}", params(
    ("digest" = String, Path, description = "64 hexadecimal digits"),
    ("after" = Option<u64>, Query, description = "The entries behind this one; from the first on if left out"),
), responses(
    (status = 200, description = "The entries", body = Value),
    (status = 404, body = Problem, description = "No entry of the window names it behind `after`; the words say which entries were looked through"),
    (status = 503, body = Problem, description = "This server has no index, or can't read it (`evidence_unindexed`)"),
))]
pub(super) async fn evidence(
    Extract(app): Extract<Arc<App>>,
    Path(digest): Path<String>,
    Query(query): Query<EvidenceQuery>,
) -> Result<Json<Value>, Problem> {
    let digest: Digest = parse_path(&digest, "the evidence")?;
    let after: Option<Index> = place(query.after.as_deref(), "after")?;
    let unindexed = |why: &str| Problem::unavailable(ProblemCode::EvidenceUnindexed, why);
    let found = app.log.find_evidence(digest, after, ENTRIES_MAX + 1).await;
    let found = found.map_err(|error| unindexed(&error.to_string()))?;
    let EvidenceFound { window, mut uses } =
        found.ok_or_else(|| unindexed("this server keeps no index of evidence"))?;
    let (from, to) = (window.from, window.to);
    let mut has_more = uses.len() > ENTRIES_MAX;
    uses.truncate(ENTRIES_MAX);
    let mut reads = BoundedReads::new(app.log.reader(), to);
    let (mut entries, mut last) = (Vec::new(), None);
    for one in uses {
        if reads.bundle_bytes() >= WORK_BYTES_MAX {
            has_more = true;
            break;
        }
        let read = reads.read(one.index).await?;
        let named = read.entry.stated().and_then(|it| evidence_of(it.statement));
        if named != Some(digest) {
            let detail = format!("the index says that entry {} names it", one.index);
            return Err(Problem::contradiction(&detail));
        }
        let index = one.index.0;
        entries.push(json!({
            "entry": view::entry(app.log.context(), index, &read.bytes, &read.entry),
            "receipt": format!("/v1/receipts/{index}"),
        }));
        last = Some(index);
    }
    if entries.is_empty() {
        let behind = after.map_or(String::new(), |after| format!(" behind entry {after}"));
        let detail = format!(
            "no entry{behind} names this evidence; looked through were the entries from {from} up to {to}, {to} not among them"
        );
        return Err(Problem::not_found(&detail));
    }
    let next = last.filter(|_| has_more);
    let next = next.map(|last| format!("/v1/evidence/{digest}?after={last}"));
    let looked_through = json!({"from": from, "to": to});
    Ok(Json(json!({
        "evidence": digest, "entries": entries, "next": next, "looked_through": looked_through, "as_of_size": to,
    })))
}
