//! A certificate's card in a frame on another site's page: small, without the pseudonym, and verified by the reader's
//! own browser as the certificate's page is. It alone may be framed, and does nothing that a click could be stolen for.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use axum::http::HeaderValue;

use super::frame::{Frame, Visit};
use super::names::species_name;
use super::{PageResult, Pages, not_found, page};
use crate::answer::extract::{Path, parse_path};
use crate::record::Index;

/// As every page's, but that any site may frame it.
pub(super) const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors *",
);

/// Where embeds are.
pub(super) const PATHS: &str = "/embed/";

#[derive(Template)]
#[template(path = "embed.html")]
struct Embed {
    f: Frame,
    index: Index,
    species: String,
}

/// The card of a certificate, for a frame.
pub(super) async fn certificate(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    Path(index): Path<String>,
) -> PageResult {
    let index: Index = parse_path(&index, "the certificate")?;
    let (species, f) = pages
        .see(&visit, |state| {
            let claim = state.claim(index).ok_or_else(|| not_found("certificate"))?;
            species_name(state, claim.species)
        })
        .await?;
    page(&Embed { f, index, species })
}
