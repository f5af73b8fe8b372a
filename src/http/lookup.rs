//! Looking things up in the ledger. Each answer says the size of the log that it speaks of, and
//! is given when that much is published.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use serde_json::{Value, json};

use super::App;
use super::view::{self, TotalsView};
use crate::answer::Problem;
use crate::answer::extract::{Path, parse};
use crate::ledger::State;
use crate::log::vkey;
use crate::record::{AccountId, Index, PlotNumber, Serial};

/// The most plantings that a plot's answer lists; the tiles have them all.
const PLANTINGS_MAX: usize = 1000;

/// Looks something up; "not found" is an answer too, and waits until it is published like any.
async fn look_up(
    app: &App,
    what: &str,
    look: impl FnOnce(&State) -> Result<Option<Value>, Problem>,
) -> Result<Json<Value>, Problem> {
    let ((found, size), _) = app
        .log
        .look_up(|state| (look(state), state.entries()))
        .await?;
    let mut found = found?.ok_or_else(|| {
        Problem::not_found(&format!("there is no {what} in the first {size} entries"))
    })?;
    let object = found
        .as_object_mut()
        .ok_or_else(|| Problem::contradiction("what was found is no JSON object"))?;
    object.insert("as_of_size".to_owned(), size.into());
    Ok(Json(found))
}

/// An issuer: its role, and the seq and prev of its next record.
#[utoipa::path(get, path = "/v1/issuers/{key}", params(("key" = String, Path, description = "64 hexadecimal digits")), responses(
    (status = 200, description = "The issuer", body = Value), (status = 404, body = Problem, description = "Never granted"),
))]
pub(super) async fn issuer(
    Extract(app): Extract<Arc<App>>,
    Path(key): Path<String>,
) -> Result<Json<Value>, Problem> {
    let key = parse(&key, "the key")?;
    look_up(&app, "such key", |state| {
        Ok(state.key(&key).map(|known| view::issuer(&key, known)))
    })
    .await
}

/// An account's balance.
#[utoipa::path(get, path = "/v1/accounts/{id}", params(("id" = String, Path, description = "64 hexadecimal digits")), responses(
    (status = 200, description = "The account", body = Value), (status = 404, body = Problem, description = "Nothing was said of it"),
))]
pub(super) async fn account(
    Extract(app): Extract<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id: AccountId = parse(&id, "the account")?;
    look_up(&app, "such account", |state| {
        Ok(state.account(&id).map(
            |account| json!({"account": id, "balance": account.balance.to_string(), "last": account.last_entry}),
        ))
    })
    .await
}

/// A tree in the books.
#[utoipa::path(get, path = "/v1/trees/{plot}/{serial}", params(
    ("plot" = u32, Path, description = "The plot's number"), ("serial" = u32, Path, description = "The tree's serial"),
), responses(
    (status = 200, description = "The tree", body = Value), (status = 404, body = Problem, description = "Never planted"),
))]
pub(super) async fn tree(
    Extract(app): Extract<Arc<App>>,
    Path((plot, serial)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let plot: PlotNumber = parse(&plot, "the plot")?;
    let serial: Serial = parse(&serial, "the serial")?;
    look_up(&app, "such tree", |state| {
        Ok(view::tree(state, plot, serial))
    })
    .await
}

/// A certificate: a claim by its entry's index.
#[utoipa::path(get, path = "/v1/certificates/{index}", params(("index" = u64, Path, description = "The claim's index")), responses(
    (status = 200, description = "The certificate", body = Value), (status = 404, body = Problem, description = "No claim"),
))]
pub(super) async fn certificate(
    Extract(app): Extract<Arc<App>>,
    Path(index): Path<String>,
) -> Result<Json<Value>, Problem> {
    let index: Index = parse(&index, "the certificate")?;
    look_up(&app, "such certificate", |state| {
        let claim = state.claim(index);
        claim
            .map(|claim| view::certificate(state, index, claim))
            .transpose()
    })
    .await
}

/// A plot with its plantings and surveys.
#[utoipa::path(get, path = "/v1/plots/{number}", params(("number" = u32, Path, description = "The plot's number")), responses(
    (status = 200, description = "The plot", body = Value), (status = 404, body = Problem, description = "No such plot"),
))]
pub(super) async fn plot(
    Extract(app): Extract<Arc<App>>,
    Path(number): Path<String>,
) -> Result<Json<Value>, Problem> {
    let number: PlotNumber = parse(&number, "the plot")?;
    look_up(&app, "such plot", |state| {
        let plot = state.plot(number);
        Ok(plot.map(|plot| view::plot(state, plot, PLANTINGS_MAX)))
    })
    .await
}

/// All versions of all methods.
#[utoipa::path(get, path = "/v1/methods", responses((status = 200, description = "The methods", body = Value)))]
pub(super) async fn methods(Extract(app): Extract<Arc<App>>) -> Result<Json<Value>, Problem> {
    look_up(&app, "method", |state| {
        let methods: Vec<Value> = state.methods().map(view::method).collect();
        Ok(Some(json!({ "methods": methods })))
    })
    .await
}

/// The governors in force, how many of them must sign, and the keys of the log, the last one in
/// force.
#[utoipa::path(get, path = "/v1/governors", responses((status = 200, description = "The governors", body = Value)))]
pub(super) async fn governors(Extract(app): Extract<Arc<App>>) -> Result<Json<Value>, Problem> {
    look_up(&app, "governors", |state| {
        let globals = state.globals();
        let council = &globals.council;
        let log_keys = globals.log_keys.iter().map(|(key, index)| {
            let vkey = vkey(&globals.origin, *key).to_string();
            json!({ "vkey": vkey, "named_at": index })
        });
        Ok(Some(json!({
            "governors": council.governors, "quorum": council.quorum, "stated_at": council.stated_at,
            "log_keys": log_keys.collect::<Vec<Value>>(),
        })))
    })
    .await
}

/// All sums.
#[utoipa::path(get, path = "/v1/totals", responses((status = 200, description = "The totals", body = Value)))]
pub(super) async fn totals(Extract(app): Extract<Arc<App>>) -> Result<Json<Value>, Problem> {
    look_up(&app, "total", |state| {
        Ok(Some(json!(TotalsView::of(state))))
    })
    .await
}
