//! Entries, receipts and proofs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::App;
use super::level::{LevelQuery, Levels};
use super::sealed_batches::siblings;
use super::view;
use crate::answer::extract::{Path, Query, parse_path, parse_query};
use crate::answer::{Problem, ProblemCode};
use crate::log::ReadError;
use crate::merkle::Hash;
use crate::receipt::{AUTHORITY_LINKS_MAX, AuthorityLink, Receipt, SealLink};
use crate::record::{FullEntry, Index};

/// An entry, decoded and raw.
#[utoipa::path(get, path = "/v1/entries/{index}", params(("index" = u64, Path, description = "From 0")), responses(
    (status = 200, description = "The entry", body = Value), (status = 404, body = Problem, description = "Not in the log yet"),
))]
pub(super) async fn entry(
    State(app): State<Arc<App>>,
    Path(index): Path<String>,
) -> Result<Json<Value>, Problem> {
    let index = parse_path(&index, "the index")?;
    let size = app.log.published().head.tree.size;
    let (bytes, entry) = app.log.reader().full(index, size).await?;
    Ok(Json(view::entry(app.log.context(), index, &bytes, &entry)))
}

/// A receipt: the entry with all that proves it (c2sp.org/tlog-proof).
#[utoipa::path(get, path = "/v1/receipts/{index}", params(
    ("index" = u64, Path, description = "From 0"),
    ("level" = Option<String>, Query, description = "newest, witnessed, audited, cosigned, or best: which checkpoint it rests on; newest if left out"),
), responses(
    (status = 200, description = "A .tlog-proof file", body = String, content_type = "text/plain; charset=utf-8"),
    (status = 404, body = Problem, description = "Not in the log yet, or no checkpoint with that level covers it"),
))]
pub(super) async fn receipt(
    State(app): State<Arc<App>>,
    Path(index): Path<String>,
    Query(query): Query<LevelQuery>,
) -> Result<Response, Problem> {
    let index = parse_path(&index, "the index")?;
    let levels = Levels::named(&app, query.level.as_deref())?;
    if index >= app.log.published().head.tree.size {
        return Err(Problem::not_found(&format!(
            "entry {index} is not in the log yet"
        )));
    }
    let at = levels.covering(index)?;
    let mut receipt = make_receipt(&app, index, at.size, &at.checkpoint).await?;
    at.add_second(&app, &mut receipt).await?;
    as_file(&receipt)
}

/// A receipt as the file that it is.
pub(super) fn as_file(receipt: &Receipt) -> Result<Response, Problem> {
    let text = receipt.to_text().map_err(|error| ReadError::Damaged {
        tile: format!("the receipt of entry {}", receipt.index),
        what: error.to_string(),
    })?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

pub(super) async fn make_receipt(
    app: &App,
    index: u64,
    size: u64,
    checkpoint: &str,
) -> Result<Receipt, Problem> {
    let reader = app.log.reader();
    let (bytes, entry) = reader.full(index, size).await?;
    let path = reader.inclusion(index, size).await?;
    let seal = match &entry {
        FullEntry::Sealed { seal_index, .. } => {
            Some(seal_link(app, Index(index), *seal_index, size).await?)
        }
        FullEntry::Signed(_) | FullEntry::State(_) => None,
    };
    let mut authority = Vec::new();
    let stated = entry.stated();
    let mut next = stated.and_then(|stated| stated.signed.lineage.authority());
    while let Some(index) = next {
        if authority.len() == AUTHORITY_LINKS_MAX {
            let detail = "more statements stand between it and the genesis than a receipt carries";
            let advice = "audit the log instead";
            return Err(Problem::new(ProblemCode::AuthorityTooLong, detail, advice));
        }
        let (bytes, entry) = reader.decoded(index.0, size).await?;
        let path = reader.inclusion(index.0, size).await?;
        let path = path.iter().map(|hash| *hash.as_bytes()).collect();
        next = entry.signed().and_then(|signed| signed.lineage.authority());
        authority.push(AuthorityLink {
            index,
            entry: bytes.to_vec(),
            path,
        });
    }
    Ok(Receipt {
        index: Index(index),
        entry: bytes.to_vec(),
        seal,
        authority,
        items: Vec::new(),
        entries: Vec::new(),
        hashes: Vec::new(),
        path,
        checkpoint: checkpoint.to_owned(),
        second: None,
    })
}

/// The seal of a sealed entry, with the way from the entry's statement to its root.
async fn seal_link(
    app: &App,
    index: Index,
    seal_index: Index,
    size: u64,
) -> Result<SealLink, Problem> {
    let reader = app.log.reader();
    let (bytes, _) = reader.decoded(seal_index.0, size).await?;
    let batch = app.sealed_batches.tree(reader, seal_index, size).await?;
    let path = reader.inclusion(seal_index.0, size).await?;
    Ok(SealLink {
        index: seal_index,
        entry: bytes.to_vec(),
        path: path.iter().map(|hash| *hash.as_bytes()).collect(),
        siblings: siblings(index, seal_index, &batch.tree)?,
    })
}

/// Which inclusion proof.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InclusionQuery {
    index: String,
    size: Option<String>,
}

/// Which consistency proof.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsistencyQuery {
    from: String,
    to: Option<String>,
}

/// A size that was published; the newest if none is named.
fn published_size(app: &App, text: Option<&str>) -> Result<u64, Problem> {
    let newest = app.log.published().head.tree.size;
    let size = text.map_or(Ok(newest), |text| parse_query(text, "the size"))?;
    if size == 0 || size > newest {
        return Err(Problem::not_found(&format!(
            "sizes from 1 to {newest} are published"
        )));
    }
    Ok(size)
}

/// An inclusion proof.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct InclusionBody {
    /// The entry.
    index: u64,
    /// The tree.
    size: u64,
    /// The entry's leaf hash, base64.
    #[schema(value_type = String)]
    leaf_hash: HashText,
    /// From the leaf's sibling up, base64.
    #[schema(value_type = Vec<String>)]
    hashes: Vec<HashText>,
}

/// A consistency proof.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ConsistencyBody {
    /// The smaller tree.
    from: u64,
    /// The larger.
    to: u64,
    /// As RFC 6962 orders them, base64.
    #[schema(value_type = Vec<String>)]
    hashes: Vec<HashText>,
}

/// A hash, written into the answer without a string of its own.
struct HashText(Hash);

impl Serialize for HashText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The proof that an entry is in a tree.
#[utoipa::path(get, path = "/v1/proofs/inclusion", params(
    ("index" = u64, Query, description = "The entry"), ("size" = Option<u64>, Query, description = "The tree; the newest if left out"),
), responses(
    (status = 200, description = "Hashes from the leaf's sibling up (RFC 6962, 2.1.1)", body = InclusionBody), (status = 404, body = Problem, description = "Not in that tree"),
))]
pub(super) async fn inclusion(
    State(app): State<Arc<App>>,
    Query(query): Query<InclusionQuery>,
) -> Result<Json<InclusionBody>, Problem> {
    let index = parse_query(&query.index, "the index")?;
    let size = published_size(&app, query.size.as_deref())?;
    let reader = app.log.reader();
    let path = reader.inclusion(index, size).await?;
    let leaf = reader.leaf(index, size).await?;
    Ok(Json(InclusionBody {
        index,
        size,
        leaf_hash: HashText(leaf),
        hashes: path.into_iter().map(HashText).collect(),
    }))
}

/// The proof that one tree begins with another.
#[utoipa::path(get, path = "/v1/proofs/consistency", params(
    ("from" = u64, Query, description = "The smaller tree"), ("to" = Option<u64>, Query, description = "The larger; the newest if left out"),
), responses(
    (status = 200, description = "Hashes (RFC 6962, 2.1.2)", body = ConsistencyBody), (status = 404, body = Problem, description = "No such trees"),
))]
pub(super) async fn consistency(
    State(app): State<Arc<App>>,
    Query(query): Query<ConsistencyQuery>,
) -> Result<Json<ConsistencyBody>, Problem> {
    let from = parse_query(&query.from, "from")?;
    let to = published_size(&app, query.to.as_deref())?;
    let hashes = app.log.reader().consistency(from, to).await?;
    let hashes = hashes.into_iter().map(HashText).collect();
    Ok(Json(ConsistencyBody { from, to, hashes }))
}
