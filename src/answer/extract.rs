//! Parts of a path and of a query; what can't be read becomes a problem document. A thing has one
//! spelling: an index is `5`, and neither `05` nor `+5`, so that nobody holds two addresses for two things.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::problem_code::ProblemCode;

/// What stands for itself in a path, beside letters and digits (RFC 3986, section 2.3).
const PATH_PLAIN: &[u8] = b"-._~";
/// In a query, forms have another sign encoded (application/x-www-form-urlencoded).
const QUERY_PLAIN: &[u8] = b"-._";
const MEND_PATH: &str = "mend the path";
const MEND_QUERY: &str = "GET /openapi.json tells the parameters";

/// What a path's places hold.
pub(crate) struct Path<T>(pub T);

/// What a query says.
pub(crate) struct Query<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        has_one_spelling(parts.uri.path(), PATH_PLAIN)
            .map_err(|wrong| Problem::new(ProblemCode::PathMalformed, &wrong, MEND_PATH))?;
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|error| {
            Problem::new(ProblemCode::PathMalformed, &error.body_text(), MEND_PATH)
        })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        has_one_spelling(parts.uri.query().unwrap_or_default(), QUERY_PLAIN)
            .map_err(|wrong| Problem::new(ProblemCode::QueryMalformed, &wrong, MEND_QUERY))?;
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|error| {
            Problem::new(ProblemCode::QueryMalformed, &error.body_text(), MEND_QUERY)
        })
    }
}

/// Refuses an encoding of what stands for itself: `%31` would be another address of `1`.
fn has_one_spelling(text: &str, plain: &[u8]) -> Result<(), String> {
    for after in text.split('%').skip(1) {
        let digits = after.get(..2).unwrap_or_default();
        let byte = u8::from_str_radix(digits, 16);
        if let Ok(byte) = byte
            && (byte.is_ascii_alphanumeric() || plain.contains(&byte))
        {
            return Err(format!("%{digits} is written as {}", char::from(byte)));
        }
    }
    Ok(())
}

/// A part of a path, as what it should be.
pub(crate) fn parse_path<T: FromStr + Display>(text: &str, what: &str) -> Result<T, Problem>
where
    T::Err: Display,
{
    parse(text).map_err(|wrong| {
        let detail = format!("{what}: {wrong}");
        Problem::new(ProblemCode::PathMalformed, &detail, MEND_PATH)
    })
}

/// A value of a query, as what it should be.
pub(crate) fn parse_query<T: FromStr + Display>(text: &str, what: &str) -> Result<T, Problem>
where
    T::Err: Display,
{
    parse(text).map_err(|wrong| {
        let detail = format!("{what}: {wrong}");
        Problem::new(ProblemCode::QueryMalformed, &detail, MEND_QUERY)
    })
}

/// What is wrong with a text, if it is not what it should be or not written as the server writes it.
fn parse<T: FromStr + Display>(text: &str) -> Result<T, String>
where
    T::Err: Display,
{
    let value: T = text.parse().map_err(|error: T::Err| error.to_string())?;
    let written = value.to_string();
    if written == text {
        Ok(value)
    } else {
        Err(format!("{text:?} is written as {written}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::places::MethodPlace;
    use crate::record::{AccountId, Index};

    #[test]
    fn everything_has_one_spelling() {
        assert_eq!(parse("0"), Ok(Index(0)));
        assert_eq!(parse("18446744073709551615"), Ok(Index(u64::MAX)));
        for text in ["+5", "05", "00", "-0", " 5", "5 ", "5.0", "0x5", "1e3", ""] {
            assert!(parse::<Index>(text).is_err(), "{text:?}");
        }
        assert!(parse::<MethodPlace>("1.3").is_ok());
        assert!(parse::<MethodPlace>("1.+3").is_err());
        let id = "ab".repeat(32);
        assert!(parse::<AccountId>(&id).is_ok());
        assert!(parse::<AccountId>(&id.to_uppercase()).is_err());
    }

    #[test]
    fn what_stands_for_itself_is_not_encoded() {
        for text in [
            "",
            "/v1/entries/1",
            "a=%2B1&b=%C3%A9",
            "%",
            "%3",
            "%zz",
            "%é1",
        ] {
            assert_eq!(has_one_spelling(text, PATH_PLAIN), Ok(()), "{text}");
        }
        for text in [
            "/v1/entries/%31",
            "%41",
            "%6a",
            "%6A",
            "%C3%A9%2D",
            "%2e%2e",
            "%7E",
        ] {
            assert!(has_one_spelling(text, PATH_PLAIN).is_err(), "{text}");
        }
        assert_eq!(has_one_spelling("text=%7E", QUERY_PLAIN), Ok(()));
    }
}
