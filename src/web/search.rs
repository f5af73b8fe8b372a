//! One box that tells a certificate from a tree, a plot, an account, an entry or a record.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::frame::{Frame, Visit};
use super::texts::{Texts, fill};
use super::{Pages, decode, page};
use crate::answer::extract::Query;
use crate::answer::reader_limits::{SEARCH_WAIT, SEARCHED_RECORDS_MAX};
use crate::answer::{Client, Problem, ProblemCode};
use crate::crypto::PublicKey;
use crate::figures::grouped;
use crate::ledger::State;
use crate::merkle::TILE_HASHES;
use crate::record::{AccountId, Index, PlotNumber, RecordId, Serial, SignedEntry};
use crate::shares::ClientNet;

/// Hexadecimal digits of the id of an account, a key or a record.
const ID_DIGITS: usize = 64;

/// The query of a search.
#[derive(Deserialize)]
pub(super) struct SearchQuery {
    /// What is looked for.
    #[serde(default)]
    q: String,
}

/// Something that a reader may have meant.
struct SearchHit {
    /// What kind of thing it is, in the reader's language.
    what: String,
    /// Its number or id.
    name: String,
    /// Its page.
    link: String,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    f: Frame,
    asked: String,
    found: Vec<SearchHit>,
    nothing: String,
}

/// Leads to the one thing that was meant, or shows those that may have been.
pub(super) async fn search(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    Client(net): Client,
    Query(query): Query<SearchQuery>,
) -> Result<Response, Problem> {
    let q = query.q.trim().trim_start_matches('#').to_owned();
    let t = visit.language.texts();
    let (mut found, f) = pages.see(&visit, |state| Ok(by_name(state, t, &q))).await?;
    if found.is_empty()
        && let Ok(id) = q.parse::<RecordId>()
        && let Some(index) = pages.find_record(net, &id).await?
    {
        found.push(SearchHit::of(&t.entry, index, format!("/entry/{index}")));
    }
    if let [one] = found.as_slice() {
        return Ok(Redirect::to(&one.link).into_response());
    }
    page(&SearchPage {
        f,
        nothing: fill(&t.found_nothing, grouped(SEARCHED_RECORDS_MAX.into())),
        asked: q,
        found,
    })
    .map(IntoResponse::into_response)
}

impl SearchHit {
    fn of(what: &str, name: impl std::fmt::Display, link: String) -> Self {
        Self {
            what: what.to_owned(),
            name: name.to_string(),
            link,
        }
    }
}

/// What the state has under a number, a tree's plot and serial, or an id of an account or a key.
fn by_name(state: &State, t: &Texts, q: &str) -> Vec<SearchHit> {
    let mut found = Vec::new();
    if let Some((plot, serial)) = q.split_once('/') {
        if let (Ok(plot), Ok(serial)) = (plot.trim().parse(), serial.trim().parse::<Serial>())
            && state.planting_of(plot, serial).is_some()
        {
            let name = format!("{plot}/{serial}");
            found.push(SearchHit::of(&t.tree, &name, format!("/tree/{name}")));
        }
        return found;
    }
    // An id may be of decimal digits alone.
    if q.len() < ID_DIGITS
        && let Ok(number) = q.parse::<u64>()
    {
        let index = Index(number);
        if state.claim(index).is_some() {
            found.push(SearchHit::of(
                &t.certificate,
                number,
                format!("/certificate/{number}"),
            ));
        }
        // A number that is too large for a plot is no plot's.
        let plot = u32::try_from(number).ok().map(PlotNumber);
        if plot.is_some_and(|plot| state.plot(plot).is_some()) {
            found.push(SearchHit::of(&t.plot, number, format!("/plot/{number}")));
        }
        if number < state.entries() {
            found.push(SearchHit::of(&t.entry, number, format!("/entry/{number}")));
        }
        return found;
    }
    if let Ok(id) = q.parse::<AccountId>()
        && state.account(&id).is_some()
    {
        found.push(SearchHit::of(&t.account, id, format!("/account/{id}")));
    }
    if let Some(key) = q.parse::<PublicKey>().ok().and_then(|key| state.key(&key)) {
        let index = key.granted_at;
        found.push(SearchHit::of(&t.issuer, q, format!("/entry/{index}")));
    }
    found
}

impl Pages {
    /// The entry of a record, if it is among the newest.
    async fn find_record(&self, net: ClientNet, id: &RecordId) -> Result<Option<Index>, Problem> {
        let place = tokio::time::timeout(SEARCH_WAIT, self.searches.take(net, 1)).await;
        // Held until the search ends.
        let _place = place.map_err(|_| {
            let detail = "others look for records already; look again in a moment";
            Problem::unavailable(ProblemCode::SearchesFull, detail)
        })?;
        let size = self.log.published().head.tree.size;
        // From the genesis on, in a log that has fewer.
        let first = size.saturating_sub(SEARCHED_RECORDS_MAX) / TILE_HASHES;
        for bundle in (first..size.div_ceil(TILE_HASHES)).rev() {
            let entries = self.log.reader().bundle(bundle, size).await?;
            for (index, bytes) in (bundle * TILE_HASHES..).zip(entries) {
                let entry = decode(index, &bytes)?;
                let id_of = |signed: &SignedEntry| self.log.context().id(signed.signed.bytes());
                if entry.signed().is_some_and(|signed| id_of(signed) == *id) {
                    return Ok(Some(Index(index)));
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(None)
    }
}
