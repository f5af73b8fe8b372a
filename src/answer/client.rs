//! Whom a request is from, for what clients share.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::shares::ClientNet;

/// The network that a request is from, as a handler takes it.
pub(crate) struct Client(pub ClientNet);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    /// The network that the server found the request to be from. Without a server there is none: then
    /// it is this machine.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let net = parts.extensions.get::<ClientNet>().copied();
        Ok(Self(net.unwrap_or(ClientNet::LOCAL)))
    }
}
