//! Looking things up in the ledger. Each answer says the size of the log that it speaks of, and
//! is given when that much is published.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::view::{self, PlotLists, TotalsView};
use crate::answer::Problem;
use crate::answer::extract::{Path, Query, parse_path, parse_query};
use crate::answer::places::MethodPlace;
use crate::ledger::State;
use crate::record::{AccountId, Index, PlotNumber, Serial};

/// Looks something up in a bounded number of steps, while the sequencer waits; `tell` makes the answer
/// afterwards. "Not found" is an answer too, and waits until it is published like any.
async fn look_up<T>(
    app: &App,
    what: &str,
    look: impl FnOnce(&State) -> Option<T>,
    tell: impl FnOnce(T) -> Value,
) -> Result<Json<Value>, Problem> {
    let ((found, size), _) = app
        .log
        .look_up(|state| (look(state), state.entries()))
        .await?;
    answer(found.map(tell), size, what)
}

/// As [`look_up`], for what takes longer, or makes much: the sequencer does not wait for it.
pub(super) async fn look_at_image(
    app: &App,
    what: &str,
    look: impl FnOnce(&State) -> Result<Option<Value>, Problem> + Send + 'static,
) -> Result<Json<Value>, Problem> {
    let ((found, size), _) = app
        .log
        .look_at_image(|state| (look(state), state.entries()))
        .await?;
    answer(found?, size, what)
}

fn answer(found: Option<Value>, size: u64, what: &str) -> Result<Json<Value>, Problem> {
    let mut found = found.ok_or_else(|| not_in(size, what))?;
    let object = found
        .as_object_mut()
        .ok_or_else(|| Problem::contradiction("what was found is no JSON object"))?;
    object.insert("as_of_size".to_owned(), size.into());
    Ok(Json(found))
}

/// That there is no such thing, and what was looked through.
pub(super) fn not_in(size: u64, what: &str) -> Problem {
    Problem::not_found(&format!("there is no {what} in the first {size} entries"))
}

/// Where a list begins, if the query says so.
pub(super) fn place<T: FromStr + Display>(
    text: Option<&str>,
    what: &str,
) -> Result<Option<T>, Problem>
where
    T::Err: Display,
{
    text.map(|text| parse_query(text, what)).transpose()
}

/// An issuer: its role, and the seq and prev of its next record.
#[utoipa::path(get, path = "/v1/issuers/{key}", params(("key" = String, Path, description = "64 hexadecimal digits")), responses(
    (status = 200, description = "The issuer", body = Value), (status = 404, body = Problem, description = "Never granted"),
))]
pub(super) async fn issuer(
    Extract(app): Extract<Arc<App>>,
    Path(key): Path<String>,
) -> Result<Json<Value>, Problem> {
    let key = parse_path(&key, "the key")?;
    let look = |state: &State| state.key(&key).cloned();
    look_up(&app, "such key", look, |known| view::issuer(&key, &known)).await
}

/// An account's balance.
#[utoipa::path(get, path = "/v1/accounts/{id}", params(("id" = String, Path, description = "64 hexadecimal digits")), responses(
    (status = 200, description = "The account", body = Value), (status = 404, body = Problem, description = "Nothing was said of it"),
))]
pub(super) async fn account(
    Extract(app): Extract<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id: AccountId = parse_path(&id, "the account")?;
    let look = |state: &State| state.account(&id).copied();
    look_up(&app, "such account", look, |account| {
        // The sums of an account's points, as all sums: a decimal string.
        let balance = account.balance.to_string();
        json!({"account": id, "balance": balance, "last": account.last_entry})
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
    let plot: PlotNumber = parse_path(&plot, "the plot")?;
    let serial: Serial = parse_path(&serial, "the serial")?;
    look_at_image(&app, "such tree", move |state| {
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
    let index: Index = parse_path(&index, "the certificate")?;
    look_at_image(&app, "such certificate", move |state| {
        let claim = state.claim(index);
        claim
            .map(|claim| view::certificate(state, index, claim))
            .transpose()
    })
    .await
}

/// Where the lists of a plot begin.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlotQuery {
    plantings_after: Option<String>,
    surveys_after: Option<String>,
}

/// A plot with its books, and a page of its plantings and of its surveys: at most 100 of each.
#[utoipa::path(get, path = "/v1/plots/{number}", params(
    ("number" = u32, Path, description = "The plot's number"),
    ("plantings_after" = Option<u32>, Query, description = "The plantings behind the one with this first serial; from the first on if left out"),
    ("surveys_after" = Option<String>, Query, description = "The surveys behind this one, as `surveys_next` has it; from the first on if left out"),
), responses(
    (status = 200, description = "The plot", body = Value), (status = 404, body = Problem, description = "No such plot"),
))]
pub(super) async fn plot(
    Extract(app): Extract<Arc<App>>,
    Path(number): Path<String>,
    Query(query): Query<PlotQuery>,
) -> Result<Json<Value>, Problem> {
    let number: PlotNumber = parse_path(&number, "the plot")?;
    let lists = PlotLists {
        plantings_after: place(query.plantings_after.as_deref(), "plantings_after")?,
        surveys_after: place(query.surveys_after.as_deref(), "surveys_after")?,
    };
    look_at_image(&app, "such plot", move |state| {
        let plot = state.plot(number);
        Ok(plot.map(|plot| view::plot(state, plot, lists)))
    })
    .await
}

/// Where the list of methods begins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MethodsQuery {
    after: Option<String>,
}

/// All versions of all methods, at most 16 an answer.
#[utoipa::path(get, path = "/v1/methods", params(
    ("after" = Option<String>, Query, description = "The versions behind this one, as `next` has it; from the first on if left out"),
), responses((status = 200, description = "The methods", body = Value)))]
pub(super) async fn methods(
    Extract(app): Extract<Arc<App>>,
    Query(query): Query<MethodsQuery>,
) -> Result<Json<Value>, Problem> {
    let after: Option<MethodPlace> = place(query.after.as_deref(), "after")?;
    look_at_image(&app, "method", move |state| {
        Ok(Some(view::methods(state, after)))
    })
    .await
}

/// Where the list of log keys ends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GovernorsQuery {
    log_keys_before: Option<String>,
}

/// The governors in force, how many of them must sign, and the newest keys of the log, at most 100, the
/// last one in force.
#[utoipa::path(get, path = "/v1/governors", params(
    ("log_keys_before" = Option<u64>, Query, description = "The log keys that entries before this one name, as `log_keys_next` has it"),
), responses((status = 200, description = "The governors", body = Value)))]
pub(super) async fn governors(
    Extract(app): Extract<Arc<App>>,
    Query(query): Query<GovernorsQuery>,
) -> Result<Json<Value>, Problem> {
    let before: Option<Index> = place(query.log_keys_before.as_deref(), "log_keys_before")?;
    look_at_image(&app, "governors", move |state| {
        Ok(Some(view::governors(state.globals(), before)))
    })
    .await
}

/// All sums.
#[utoipa::path(get, path = "/v1/totals", responses((status = 200, description = "The totals", body = Value)))]
pub(super) async fn totals(Extract(app): Extract<Arc<App>>) -> Result<Json<Value>, Problem> {
    let look = |state: &State| Some(TotalsView::of(state));
    look_up(&app, "total", look, |totals| json!(totals)).await
}
