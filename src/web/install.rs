//! What a browser needs to put the site on a home screen.

use std::sync::Arc;

use axum::extract::State as Extract;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Pages;
use super::frame::Visit;

/// The manifest (W3C, Web Application Manifest). `minimal-ui` leaves the address to be seen: which site it is matters here.
pub(super) async fn manifest(Extract(pages): Extract<Arc<Pages>>, visit: Visit) -> Response {
    let (_, _, origin) = pages.log.identity();
    let manifest = json!({
        "name": origin.to_string(), "short_name": visit.language.texts().ledger, "lang": visit.language.tag(),
        "start_url": "/", "scope": "/", "display": "minimal-ui", "background_color": "#ffffff", "theme_color": "#1b6e3c",
        "icons": [
            { "src": "/web/icon.png", "sizes": "512x512", "type": "image/png" },
            { "src": "/web/icon.png", "sizes": "512x512", "type": "image/png", "purpose": "maskable" },
            { "src": "/web/leaf.svg", "sizes": "any", "type": "image/svg+xml" },
        ],
    });
    let kind = [(CONTENT_TYPE, "application/manifest+json")];
    (kind, manifest.to_string()).into_response()
}
