//! The methods: factors, caps, prices and sources.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use serde::Deserialize;

use super::frame::{Frame, Visit};
use super::{PageResult, Pages, page};
use crate::answer::extract::{Query, parse_query};
use crate::answer::places::MethodPlace;
use crate::figures::decimal;
use crate::ledger::{MethodState, State};
use crate::record::{MethodId, MethodVersion};

/// The most versions of methods on one page: each may be as long as an entry.
const VERSIONS_MAX: usize = 10;

/// The query of the page of methods.
#[derive(Deserialize)]
pub(super) struct MethodQuery {
    /// The version that the page begins with; the newest of the last method if left out.
    from: Option<String>,
}

#[derive(Template)]
#[template(path = "method.html")]
struct MethodPage {
    f: Frame,
    methods: Vec<MethodState>,
    /// The version that the next page begins with.
    older: Option<MethodPlace>,
}

impl MethodPage {
    /// Micrograms as grams.
    #[allow(clippy::unused_self)]
    fn factor(&self, micrograms: &u64) -> String {
        decimal(*micrograms, 6)
    }
}

/// All versions of all methods: factors and sources.
pub(super) async fn method(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    Query(query): Query<MethodQuery>,
) -> PageResult {
    let from = query.from.as_deref();
    let from: Option<MethodPlace> = from.map(|text| parse_query(text, "from")).transpose()?;
    let last = MethodPlace(MethodId(u32::MAX), MethodVersion(u32::MAX));
    let MethodPlace(id, version) = from.unwrap_or(last);
    let look = move |state: &State| {
        let first = (MethodId(0), MethodVersion(0));
        let mut versions = state.methods_in(first..=(id, version)).rev();
        let methods: Vec<MethodState> = versions.by_ref().take(VERSIONS_MAX).cloned().collect();
        let older = versions.next();
        let older = older.map(|state| MethodPlace(state.method.id, state.method.version));
        Ok((methods, older))
    };
    let ((methods, older), f) = pages.see_image(&visit, look).await?;
    page(&MethodPage { f, methods, older })
}
