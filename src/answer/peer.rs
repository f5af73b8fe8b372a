//! The other end of a connection, and whether it is still there.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// How long bytes of a next request, which nobody reads while an answer is under way, may hide that a
/// client closed its end.
const UNREAD_PAUSE: Duration = Duration::from_secs(1);

/// The connection that a request came by; none for a request that came without one, as in a fuzz
/// target.
#[derive(Clone, Default)]
pub(crate) struct Peer(Option<Arc<dyn AsRef<TcpStream> + Send + Sync>>);

impl Peer {
    /// The client of a connection.
    pub(crate) fn new(socket: Arc<impl AsRef<TcpStream> + Send + Sync + 'static>) -> Self {
        Self(Some(socket))
    }

    /// Resolves when the client closed its end of the connection, or the connection broke. The server
    /// answers a client that closed its end all the same: only answers without an end ask for this.
    pub(crate) async fn gone(&self) {
        let Some(socket) = &self.0 else {
            return std::future::pending().await;
        };
        let stream: &TcpStream = (**socket).as_ref();
        loop {
            match stream.ready(Interest::READABLE).await {
                Ok(ready) if ready.is_read_closed() => return,
                Ok(_) => tokio::time::sleep(UNREAD_PAUSE).await,
                Err(_) => return,
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
