//! New entries as they are published, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Extract;
use axum::http::HeaderName;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::time::Instant;

use super::Pages;
use super::entry::{NEWEST, newest};
use super::frame::Visit;
use crate::answer::extract::{Query, parse_query};
use crate::answer::reader_limits::STREAM_LIFE;
use crate::answer::{Client, Closing, Peer, Problem, ProblemCode};
use crate::shares::Share;

/// The least time between two events: readers see no more, and a busy log wakes none at each commit.
const REST: Duration = Duration::from_secs(1);
/// Tells nginx, and those that heed the same header, to pass each event on at once.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// A reader who watches.
struct Watcher {
    pages: Arc<Pages>,
    visit: Visit,
    /// The size of the log that the reader knows of.
    told: u64,
    /// When the stream ends.
    until: Instant,
    closing: Closing,
    peer: Peer,
    /// One of the places of streams, free again when the watcher is dropped.
    _place: Share,
}

/// The query of the stream.
#[derive(Deserialize)]
pub(super) struct LiveQuery {
    /// The size of the log that the reader knows of, from the page; the log's size now if left out.
    after: Option<String>,
}

/// The newest entries, whenever there are more than the reader knows of.
pub(super) async fn live(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    Client(net): Client,
    peer: Peer,
    Query(query): Query<LiveQuery>,
) -> Result<Response, Problem> {
    let after = query.after.as_deref();
    let after: Option<u64> = after.map(|text| parse_query(text, "after")).transpose()?;
    let place = pages.streams.try_take(net, 1);
    let place = place.ok_or_else(|| {
        let detail = "too many watch already, in all or from this address";
        Problem::unavailable(ProblemCode::StreamsFull, detail)
    })?;
    let watcher = Watcher {
        visit,
        // A size that the log does not have yet would wait for long: it is taken for the log's.
        told: after
            .unwrap_or(u64::MAX)
            .min(pages.log.published().head.tree.size),
        until: Instant::now() + STREAM_LIFE,
        closing: pages.closing.clone(),
        peer,
        _place: place,
        pages,
    };
    let events = futures_util::stream::unfold(watcher, |mut watcher| async {
        let event = watcher.next().await?;
        Some((Ok::<_, Infallible>(event), watcher))
    });
    // A proxy that gathers answers would show no entry until the stream ends.
    let unbuffered = [(X_ACCEL_BUFFERING, "no")];
    let events = Sse::new(events).keep_alive(KeepAlive::default());
    Ok((unbuffered, events).into_response())
}

impl Watcher {
    /// Waits for entries that the reader does not know of; `None` at the end of the stream. Entries that
    /// can't be read end it too, and the server's log says why: the browser connects again.
    async fn next(&mut self) -> Option<Event> {
        let grown = async {
            tokio::time::sleep(REST).await;
            self.pages.log.grown_beyond(self.told).await
        };
        let published = tokio::select! {
            published = grown => published?,
            () = self.closing.closed() => return None,
            // Its place is free for another at once.
            () = self.peer.gone() => return None,
            () = tokio::time::sleep_until(self.until) => return None,
        };
        self.told = published.head.tree.size;
        let lines = newest(&self.pages, &self.visit, self.told, NEWEST)
            .await
            .ok()?;
        let event = serde_json::json!({ "size": self.told, "entries": lines });
        Some(Event::default().data(event.to_string()))
    }
}
