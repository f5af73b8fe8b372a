//! Answers that a client has already (RFC 9110, 13.1.2).

use axum::http::HeaderMap;
use axum::http::header::IF_NONE_MATCH;

/// Whether a request names this tag among those that it has: a proxy may have made it a weak one.
pub(crate) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let same = |tag: &str| tag == "*" || tag.trim_start_matches("W/") == etag;
    known.split(',').any(|tag| same(tag.trim()))
}
