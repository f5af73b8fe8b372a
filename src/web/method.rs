//! The methods, and the pages that tell how to check: a receipt, the whole ledger.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;

use super::frame::{Frame, Visit};
use super::{Answer, Pages, page};
use crate::figures::decimal;
use crate::ledger::MethodState;

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
pub(super) async fn method(Extract(pages): Extract<Arc<Pages>>, visit: Visit) -> Answer {
    let all = |state: &crate::ledger::State| state.methods().cloned().collect::<Vec<_>>();
    let (mut methods, f) = pages.see(&visit, all).await?;
    methods.reverse();
    page(&MethodPage { f, methods })
}

#[derive(Template)]
#[template(path = "receipt.html")]
struct ReceiptPage {
    f: Frame,
}

/// Where a receipt is dropped.
pub(super) async fn receipt(Extract(pages): Extract<Arc<Pages>>, visit: Visit) -> Answer {
    let ((), f) = pages.see(&visit, |_| ()).await?;
    page(&ReceiptPage { f })
}

#[derive(Template)]
#[template(path = "check.html")]
struct CheckPage {
    f: Frame,
}

/// What auditors run, with this log's key and address.
pub(super) async fn check(Extract(pages): Extract<Arc<Pages>>, visit: Visit) -> Answer {
    let ((), f) = pages.see(&visit, |_| ()).await?;
    page(&CheckPage { f })
}
