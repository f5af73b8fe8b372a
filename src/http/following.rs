//! What a server that follows says with each answer: how far behind it may be, and with a refusal where
//! the server is that leads.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::App;
use crate::log::Status;

/// Seconds since the server had all that is in the log.
const LAG: HeaderName = HeaderName::from_static("arborlog-lag");
/// Where the server is reached that leads.
const LEADER: HeaderName = HeaderName::from_static("arborlog-leader");

/// Adds both to an answer of a server that follows.
pub(super) async fn tell(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Status::Following { leader, .. } = app.log.status() {
        let lag = format!("{:.1}", app.log.lag().as_secs_f64());
        let is_refusal = response.status() == StatusCode::SERVICE_UNAVAILABLE;
        let headers = response.headers_mut();
        if let Ok(lag) = HeaderValue::try_from(lag) {
            headers.insert(LAG, lag);
        }
        if is_refusal && let Some(Ok(leader)) = leader.map(HeaderValue::try_from) {
            headers.insert(LEADER, leader);
        }
    }
    response
}
