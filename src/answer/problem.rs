//! The one place that turns errors into HTTP statuses and RFC 9457 problem documents.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};

use super::problem_code::ProblemCode;
use crate::ledger::{BatchRefusal, Code, Refusal, RefusalClass};
use crate::log::{AppendError, ReadError, Refused, RefusedBatch};
use crate::record::Index;

/// A problem document.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub(crate) struct Problem {
    /// `urn:arborlog:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    #[serde(serialize_with = "as_number")]
    #[schema(value_type = u16)]
    status: StatusCode,
    /// A stable name for the reason.
    code: String,
    /// What is wrong with this request.
    detail: String,
    /// What would be right, or what to do.
    advice: String,
    /// Which record of the batch, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
    /// How many records before it are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    admitted: Option<usize>,
    /// Their indexes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<u64>>)]
    indexes: Option<Vec<Index>>,
    /// Which of them, from 0, were in before this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    already_in: Option<Vec<usize>>,
    /// Of a sealed batch, all statements that are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Box<[RefusedStatement]>>,
    /// A checkpoint that covers all that this answer rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    checkpoint: Option<Box<str>>,
    /// Entries of the newest checkpoint that has the level which was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    newest_size: Option<Box<u64>>,
}

/// A statement of a sealed batch that is refused.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub(crate) struct RefusedStatement {
    /// Which statement of the batch, from 0.
    position: usize,
    /// A stable name for the reason.
    code: &'static str,
    /// What is wrong with it.
    detail: String,
    /// What would be right, or what to do.
    advice: String,
}

/// Seconds after which a request that got a 503 may come again.
const RETRY_AFTER_S: &str = "1";

fn as_number<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem with this code.
    pub(crate) fn new(code: ProblemCode, detail: &str, advice: &str) -> Self {
        Self::of(code.status(), code.name(), detail, advice)
    }

    fn of(status: StatusCode, code: &str, detail: &str, advice: &str) -> Self {
        Self {
            kind: format!("urn:arborlog:problem:{code}"),
            // Every status that is used here has its reason in the standard.
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status,
            code: code.to_owned(),
            detail: detail.to_owned(),
            advice: advice.to_owned(),
            position: None,
            admitted: None,
            indexes: None,
            already_in: None,
            refused: None,
            checkpoint: None,
            newest_size: None,
        }
    }

    /// Says how many entries the newest checkpoint has that would do.
    pub(crate) fn at_size(mut self, size: Option<u64>) -> Self {
        self.newest_size = size.map(Box::new);
        self
    }

    pub(crate) fn not_found(detail: &str) -> Self {
        let advice = "GET /openapi.json lists what there is";
        Self::new(ProblemCode::NotFound, detail, advice)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let detail = "this path does not take that method";
        let advice = "GET /openapi.json lists what there is";
        Self::new(ProblemCode::MethodNotAllowed, detail, advice)
    }

    /// A problem that passes by itself, with a code whose status is 503.
    pub(crate) fn unavailable(code: ProblemCode, detail: &str) -> Self {
        let advice = "send the same bytes again after Retry-After seconds";
        Self::new(code, detail, advice)
    }

    /// The server contradicts itself, and answers with nothing rather than with something wrong.
    pub(crate) fn contradiction(what: &str) -> Self {
        tracing::error!(what, "the server contradicts itself");
        Self::new(
            ProblemCode::Contradiction,
            what,
            "tell the operator; run: arborlog fsck",
        )
    }

    /// Of a sealed batch, why the first of its refused statements is refused.
    pub(crate) fn first_refused(&self) -> Option<&str> {
        let first = self.refused.as_ref()?.first()?;
        Some(first.code)
    }

    /// How many records before the refused one this request brought in; `None` of what is no refusal of records.
    pub(crate) fn appended(&self) -> Option<usize> {
        let before = self.already_in.as_ref().map_or(0, Vec::len);
        Some(self.admitted?.saturating_sub(before))
    }

    fn of_refusal(refused: Refused) -> Self {
        let Refused {
            position,
            refusal,
            indexes,
            already_in,
            published,
        } = refused;
        Self {
            position: Some(position),
            admitted: Some(indexes.len()),
            indexes: Some(indexes),
            already_in: Some(already_in),
            checkpoint: Some(published.checkpoint.as_str().into()),
            ..Self::of_code(&refusal)
        }
    }

    /// A refusal that is known without the log: nothing of the request was looked at in the ledger.
    pub(crate) fn of_code(refusal: &Refusal) -> Self {
        let Refusal {
            code,
            detail,
            advice,
        } = refusal;
        Self::of(status_of(*code), code.name(), detail, advice)
    }

    fn of_batch(refused: RefusedBatch) -> Self {
        let RefusedBatch { why, published } = refused;
        let problem = match why {
            BatchRefusal::Seal(refusal) => Self::of_code(&refusal),
            BatchRefusal::Statements(refused) => Self::of_statements(refused),
        };
        Self {
            checkpoint: Some(published.checkpoint.as_str().into()),
            ..problem
        }
    }

    fn of_statements(refused: Vec<(usize, Refusal)>) -> Self {
        let count = refused.len();
        let first = refused.first();
        let position = first.map(|(position, _)| *position);
        let unreadable = first.filter(|(_, refusal)| refusal.code == Code::NotCanonical);
        let problem = match unreadable {
            // Of bytes that are no statement the first alone is named.
            Some((_, refusal)) => Self::of_code(refusal),
            None => Self::new(
                ProblemCode::BatchRefused,
                &format!("nothing of the batch is in: {count} of its statements are refused"),
                "take out the statements that `refused` names, and seal the others anew",
            ),
        };
        let statement = |(position, refusal): (usize, Refusal)| RefusedStatement {
            position,
            code: refusal.code.name(),
            detail: refusal.detail,
            advice: refusal.advice,
        };
        Self {
            position,
            refused: Some(refused.into_iter().map(statement).collect()),
            ..problem
        }
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable name of the reason.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// What is wrong with this request.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }
}

/// The HTTP status of a refusal.
fn status_of(code: Code) -> StatusCode {
    match code.class() {
        RefusalClass::Malformed => StatusCode::BAD_REQUEST,
        RefusalClass::Forbidden => StatusCode::FORBIDDEN,
        RefusalClass::Conflict => StatusCode::CONFLICT,
        RefusalClass::Rule => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Refused(refused) => Self::of_refusal(*refused),
            AppendError::BatchRefused(refused) => Self::of_batch(*refused),
            AppendError::Unavailable { code, why } => Self::unavailable(code.into(), &why),
            AppendError::Read(error) => error.into(),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Place(place) => Self::not_found(&place.to_string()),
            refused if refused.is_refusal() => {
                tracing::error!(error = %refused, "the system refused a read");
                Self::unavailable(
                    ProblemCode::StoreUnavailable,
                    "the system lets the server read no file now",
                )
            }
            other => {
                tracing::error!(error = %other, "a read failed");
                let advice = "tell the operator; nothing that can't be read is served";
                Self::new(
                    ProblemCode::StoreDamaged,
                    "the store can't give what its tree must have",
                    advice,
                )
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let body = match serde_json::to_vec(&self) {
            Ok(body) => body,
            // Not for texts and numbers; were it so, the answer would say so in words.
            Err(error) => format!("{}: {error}\n", self.code).into_bytes(),
        };
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        // The metrics count it, and pages say it in words.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use rustix::io::Errno;

    use super::*;

    fn code(error: Error) -> String {
        let problem = Problem::from(ReadError::of_file(error));
        format!("{} {}", problem.status().as_u16(), problem.code())
    }

    #[test]
    fn what_the_system_refuses_is_not_called_damage() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::ACCESS] {
            assert_eq!(code(errno.into()), "503 store_unavailable", "{errno}");
        }
        assert_eq!(code(Errno::IO.into()), "500 store_damaged");
        let short = ErrorKind::UnexpectedEof;
        assert_eq!(code(short.into()), "500 store_damaged");
    }
}
