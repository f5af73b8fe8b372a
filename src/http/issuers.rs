//! Every key that has, or had, a task: a platform asks which keys its holder has besides the one in use.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::lookup::{look_at_image, place};
use super::view;
use crate::answer::Problem;
use crate::answer::extract::Query;
use crate::answer::places::ListPage;
use crate::crypto::PublicKey;
use crate::ledger::State;

/// The most keys of one answer.
const ISSUERS_MAX: usize = 200;

/// Where the list begins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuersQuery {
    after: Option<String>,
}

/// Every key that has, or had, a task, in the order of the SHA-256 of the keys, at most 200 an answer.
#[utoipa::path(get, path = "/v1/issuers", params(
    ("after" = Option<String>, Query, description = "The keys behind this one, 64 hexadecimal digits; from the first on if left out"),
), responses((status = 200, description = "The keys, each as /v1/issuers/{key} tells of it", body = Value)))]
pub(super) async fn issuers(
    Extract(app): Extract<Arc<App>>,
    Query(query): Query<IssuersQuery>,
) -> Result<Json<Value>, Problem> {
    let after: Option<PublicKey> = place(query.after.as_deref(), "after")?;
    look_at_image(&app, "key", move |state| {
        Ok(Some(page(state, after.as_ref())))
    })
    .await
}

fn page(state: &State, after: Option<&PublicKey>) -> Value {
    let page = ListPage::of(state.keys_behind(after), ISSUERS_MAX);
    let next = page
        .next_after()
        .map(|last| format!("/v1/issuers?after={}", last.key));
    let keys = page.items.into_iter();
    let issuers: Vec<Value> = keys.map(|state| view::issuer(&state.key, state)).collect();
    json!({"issuers": issuers, "next": next})
}
