//! Awards of which points were taken back, whoever took them: a platform's own chain does not tell it
//! what the governors, or another key of its holder, reversed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::lookup::{look_at_image, place};
use crate::answer::Problem;
use crate::answer::extract::Query;
use crate::answer::places::ListPage;
use crate::ledger::State;
use crate::record::Index;

/// The most awards of one answer.
const REVERSALS_MAX: usize = 1_000;

/// Where the list begins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReversalsQuery {
    after: Option<String>,
}

/// The awards of which points were taken back, in the order of their entries, at most 1,000 an answer.
#[utoipa::path(get, path = "/v1/reversals", params(
    ("after" = Option<u64>, Query, description = "The awards behind this entry; from the first on if left out"),
), responses((status = 200, description = "The awards with the points taken back", body = Value)))]
pub(super) async fn reversals(
    Extract(app): Extract<Arc<App>>,
    Query(query): Query<ReversalsQuery>,
) -> Result<Json<Value>, Problem> {
    let after: Option<Index> = place(query.after.as_deref(), "after")?;
    look_at_image(&app, "reversal", move |state| Ok(Some(page(state, after)))).await
}

fn page(state: &State, after: Option<Index>) -> Value {
    // Behind the last index that there can be comes nothing.
    let from = after.map_or(Some(0), |after| after.0.checked_add(1));
    let reversals = from
        .into_iter()
        .flat_map(|from| state.reversals_from(Index(from)));
    let page = ListPage::of(reversals, REVERSALS_MAX);
    let next = page
        .next_after()
        .map(|(award, _)| format!("/v1/reversals?after={award}"));
    let reversals: Vec<Value> = page
        .items
        .into_iter()
        .map(|(award, points)| json!({"award": award, "points": points}))
        .collect();
    json!({"reversals": reversals, "next": next})
}
