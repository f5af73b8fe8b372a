//! The log as static files: c2sp.org/tlog-tiles.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{Extensions, HeaderMap, StatusCode, Version};
use axum::response::{IntoResponse, Response};

use sha2::{Digest as _, Sha256};

use super::App;
use crate::answer::extract::Path;
use crate::answer::{Problem, ProblemCode, etag};
use crate::cosign::Stands;
use crate::merkle::{Level, TileId};

/// The checkpoint changes with each batch: it is asked again, and often unchanged.
const FRESH: &str = "no-cache";
/// A tile never changes.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// The newest checkpoint; of a log with a policy of witnesses, the newest that meets the quorum.
#[utoipa::path(get, path = "/checkpoint", responses(
    (status = 200, description = "A signed note (c2sp.org/tlog-checkpoint)", body = String, content_type = "text/plain; charset=utf-8"),
    (status = 304, description = "Unchanged since the ETag sent in If-None-Match"),
    (status = 503, body = Problem, description = "No checkpoint has met the quorum yet"),
))]
pub(super) async fn checkpoint(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let note = match app.cosigned.board.stands() {
        Stands::Newest => app.log.published().checkpoint.clone(),
        Stands::Cosigned(checkpoint) => checkpoint.note().to_owned(),
        Stands::Before { note, .. } => note,
        Stands::Nothing { why } => {
            return Err(Problem::new(
                ProblemCode::QuorumMissing,
                &why,
                "GET /v1/checkpoint has the newest, with what cosignatures there are; /v1/cosigners says who is missing",
            ));
        }
    };
    Ok(note_answer(&headers, note))
}

/// A note, or that it is unchanged.
pub(super) fn note_answer(headers: &HeaderMap, note: String) -> Response {
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(note.as_bytes()));
    let etag = format!("\"{}\"", hex::encode([a, b, c, d, e, f, g, h]));
    let known = etag::is_known(headers, &etag);
    let headers = [
        (ETAG, etag.as_str()),
        (CACHE_CONTROL, FRESH),
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, note).into_response()
}

/// A tile of hashes or a bundle of entries, full or partial.
#[utoipa::path(get, path = "/tile/{*path}", params(
    ("path" = String, Path, description = "`<level or entries>/<number>[.p/<width>]` as in c2sp.org/tlog-tiles"),
), responses(
    (status = 200, description = "Its bytes, for ever the same", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 404, description = "Not in the published tree", body = Problem),
))]
pub(super) async fn tile(
    State(app): State<Arc<App>>,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    let id: TileId = format!("tile/{path}")
        .parse()
        .map_err(|error: crate::merkle::TilePathError| Problem::not_found(&error.to_string()))?;
    let size = app.log.published().head.tree.size;
    if !id.is_in_tree(size) {
        return Err(Problem::not_found(&format!(
            "a tree of {size} entries has no {id}"
        )));
    }
    let bytes = app.log.reader().tile(id).await?;
    let headers = [
        (CONTENT_TYPE, "application/octet-stream"),
        (CACHE_CONTROL, IMMUTABLE),
    ];
    let mut response = (headers, bytes).into_response();
    if id.level() == Level::Entries {
        response.extensions_mut().insert(IsBundle);
    }
    Ok(response)
}

/// Marks answers that are entry bundles: those should be compressed (c2sp.org/tlog-tiles, "Log
/// entries").
#[derive(Clone, Copy)]
struct IsBundle;

/// Whether an answer is an entry bundle.
pub(super) fn is_bundle(_: StatusCode, _: Version, _: &HeaderMap, about: &Extensions) -> bool {
    about.get::<IsBundle>().is_some()
}
