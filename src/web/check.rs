//! Where a receipt or a proposal is dropped, and what auditors run.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;

use super::frame::{Frame, Visit};
use super::{PageResult, Pages, page};

#[derive(Template)]
#[template(path = "receipt.html")]
struct ReceiptPage {
    f: Frame,
}

/// Where a receipt is dropped.
pub(super) async fn receipt(Extract(pages): Extract<Arc<Pages>>, visit: Visit) -> PageResult {
    let ((), f) = pages.see(&visit, |_| Ok(())).await?;
    page(&ReceiptPage { f })
}

#[derive(Template)]
#[template(path = "check.html")]
struct CheckPage {
    f: Frame,
}

/// What auditors run, with this log's key and address.
pub(super) async fn check(Extract(pages): Extract<Arc<Pages>>, visit: Visit) -> PageResult {
    let ((), f) = pages.see(&visit, |_| Ok(())).await?;
    page(&CheckPage { f })
}

#[derive(Template)]
#[template(path = "governance.html")]
struct GovernancePage {
    f: Frame,
}

/// Where a proposal is dropped: the browser reads it, and nothing is sent.
pub(super) async fn governance(Extract(pages): Extract<Arc<Pages>>, visit: Visit) -> PageResult {
    let ((), f) = pages.see(&visit, |_| Ok(())).await?;
    page(&GovernancePage { f })
}
