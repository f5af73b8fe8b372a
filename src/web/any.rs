//! The page that checks any log (`any/`): one HTML file, with its script and style inside, so that it works from this
//! site, from another one, and from disk. It alone may connect to other sites.

use std::sync::LazyLock;

use axum::http::HeaderValue;
use axum::response::Html;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::assets::SCRIPTS;
use super::scripts::{Joining, joined};

/// Where the page is.
pub(super) const PATH: &str = "/check.html";

const FRAME: &str = include_str!("any/any.html");
const STYLE: &str = include_str!("pages/style.css");

/// The page, and its Content-Security-Policy.
static PAGE: LazyLock<(String, String)> = LazyLock::new(|| {
    let script = joined(&SCRIPTS, "any/any.mjs", Joining::Whole);
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src http: https:; base-uri 'none'; \
         form-action 'none'",
        hash(&script),
        hash(STYLE)
    );
    let page = FRAME
        .replace("%POLICY%", &policy)
        .replace("%STYLE%", STYLE)
        .replace("%SCRIPT%", &script);
    (page, policy)
});

/// The page that checks any log, as one HTML file. It is the same for every ledger.
pub fn check_page() -> &'static str {
    &PAGE.0
}

/// Its Content-Security-Policy. What an element says in the page itself can't forbid frames, so the header says more.
pub(super) fn policy() -> Option<HeaderValue> {
    HeaderValue::try_from(format!("{}; frame-ancestors 'none'", PAGE.1)).ok()
}

/// The page that checks any log.
pub(super) async fn any() -> Html<&'static str> {
    Html(check_page())
}
