//! What crawlers may keep: nothing that leads to the trips of one person.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// The header that tells crawlers the same as the element `meta`.
pub(super) const HEADER: &str = "x-robots-tag";
/// What it says.
pub(super) const NOINDEX: HeaderValue = HeaderValue::from_static("noindex");

/// The pages that crawlers do not even fetch. Certificates and entries they fetch, and read there that they may not keep
/// them: else nobody could share a certificate with a picture beside it.
const ROBOTS: &str = "User-agent: *\nDisallow: /account/\nDisallow: /search\n";

/// Whether no crawler may keep the page at this path.
pub(super) fn is_unindexed(path: &str) -> bool {
    let pages = [
        "/account/",
        "/entry/",
        "/certificate/",
        "/badge/",
        "/embed/",
        "/search",
        // Parts of pages.
        "/totals",
    ];
    pages.iter().any(|page| path.starts_with(page))
}

/// What crawlers may fetch (RFC 9309).
pub(super) async fn robots() -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], ROBOTS).into_response()
}
