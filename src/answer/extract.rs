//! Parts of a path and of a query; what can't be read becomes a problem document.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// What a path's places hold.
pub(crate) struct Path<T>(pub T);

/// What a query says.
pub(crate) struct Query<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|error| {
            Problem::bad_request("path_malformed", &error.body_text(), "mend the path")
        })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|error| {
            let advice = "GET /openapi.json tells the parameters";
            Problem::bad_request("query_malformed", &error.body_text(), advice)
        })
    }
}

/// A part of a path, as what it should be.
pub(crate) fn parse<T: FromStr>(text: &str, what: &str) -> Result<T, Problem>
where
    T::Err: Display,
{
    text.parse().map_err(|error: T::Err| {
        Problem::bad_request(
            "path_malformed",
            &format!("{what}: {error}"),
            "mend the path",
        )
    })
}
