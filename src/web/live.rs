//! New entries as they come: server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Extract;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Pages;
use super::entry::{NEWEST, newest};
use super::frame::Visit;
use crate::answer::extract::Query;
use crate::answer::{Closing, Problem};

/// The most readers who watch at a time; each holds a connection.
pub(super) const STREAMS_MAX: usize = 512;
/// Between two events: a reader sees no more, and a busy log wakes nobody at each commit.
const REST: Duration = Duration::from_secs(1);
/// A browser asks again by itself: a stream need not live for ever.
const LIFE: Duration = Duration::from_secs(600);

/// One who watches.
struct Watcher {
    pages: Arc<Pages>,
    visit: Visit,
    /// Entries that were told.
    told: u64,
    until: Instant,
    closing: Closing,
    _place: OwnedSemaphorePermit,
}

/// What a reader has.
#[derive(Deserialize)]
pub(super) struct LiveQuery {
    /// So many entries were on the page.
    after: Option<u64>,
}

/// The newest entries, whenever there are more than a reader has.
pub(super) async fn live(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    Query(query): Query<LiveQuery>,
) -> Result<Response, Problem> {
    let place = Arc::clone(&pages.streams).try_acquire_owned();
    let place =
        place.map_err(|_| Problem::unavailable("streams_full", "too many watch already"))?;
    let watcher = Watcher {
        visit,
        told: query
            .after
            .unwrap_or(u64::MAX)
            .min(pages.log.published().head.tree.size),
        until: Instant::now() + LIFE,
        closing: pages.closing.clone(),
        _place: place,
        pages,
    };
    let events = futures_util::stream::unfold(watcher, |mut watcher| async {
        let event = watcher.next().await?;
        Some((Ok::<_, Infallible>(event), watcher))
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response())
}

impl Watcher {
    /// Waits for entries that were not told yet; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        let grown = async {
            tokio::time::sleep(REST).await;
            self.pages.log.grown_beyond(self.told).await
        };
        let published = tokio::select! {
            published = grown => published?,
            () = self.closing.closed() => return None,
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
