//! The methods: factors, caps, prices and sources.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;

use super::frame::{Frame, Visit};
use super::{PageResult, Pages, page};
use crate::figures::decimal;
use crate::ledger::{MethodState, State};

#[derive(Template)]
#[template(path = "method.html")]
struct MethodPage {
    f: Frame,
    methods: Vec<MethodState>,
}

impl MethodPage {
    /// Micrograms as grams.
    #[allow(clippy::unused_self)]
    fn factor(&self, micrograms: &u64) -> String {
        decimal(*micrograms, 6)
    }
}

/// All versions of all methods: factors and sources.
pub(super) async fn method(Extract(pages): Extract<Arc<Pages>>, visit: Visit) -> PageResult {
    let all = |state: &State| Ok(state.methods().cloned().collect::<Vec<_>>());
    let (mut methods, f) = pages.see(&visit, all).await?;
    methods.reverse();
    page(&MethodPage { f, methods })
}
