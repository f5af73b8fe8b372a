//! The memory of answers on their way: bodies that were made and are not with their clients yet.
//!
//! A client that reads nothing, or too slowly, keeps its answer in the server's memory until its
//! connection is cut. So all larger answers share one budget, and each client has a share of it. When
//! that is spent, the next larger answer is a 503.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Extension;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::ACCEPT_ENCODING;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};

use super::client::Client;
use super::problem::Problem;
use super::problem_code::ProblemCode;
use super::reader_limits::{ANSWERS_BYTES, ANSWERS_BYTES_EACH, SMALL_ANSWER_BYTES};
use crate::shares::{Share, Shares};

/// What compressing an answer takes while it lasts: gzip's window, hash chains and output.
const ENCODER_BYTES: usize = 320 << 10;

/// The budget of a server's answers, put into each request as an extension.
#[derive(Clone)]
pub(crate) struct AnswerBudget(Shares);

impl AnswerBudget {
    pub(crate) fn new() -> Self {
        Self(Shares::new(ANSWERS_BYTES, ANSWERS_BYTES_EACH))
    }

    /// Bytes that answers in flight take of it now.
    pub(crate) fn taken_bytes(&self) -> usize {
        self.0.all().saturating_sub(self.0.free())
    }
}

/// Gives an answer only if there is room for it, and counts its bytes until they are with the client.
/// Inside compression, so that what is counted is what was made. Without a budget, as in a fuzz target,
/// nothing is counted.
pub(crate) async fn hold_answer(
    budget: Option<Extension<AnswerBudget>>,
    Client(net): Client,
    request: Request,
    next: Next,
) -> Response {
    let encoded = request.headers().contains_key(ACCEPT_ENCODING);
    let response = next.run(request).await;
    let Some(Extension(AnswerBudget(budget))) = budget else {
        return response;
    };
    // Streams have no length: their number is bounded.
    let length = response.body().size_hint().exact();
    let Some(length) = length.filter(|length| *length > SMALL_ANSWER_BYTES) else {
        return response;
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let encoder = if encoded { ENCODER_BYTES } else { 0 };
    match budget.try_take(net, length.saturating_add(encoder)) {
        Some(share) => response.map(|body| {
            Body::new(HeldBody {
                body,
                share: Arc::new(share),
            })
        }),
        None => Problem::unavailable(
            ProblemCode::AnswersFull,
            "answers that clients have not read yet fill the memory, or this client's share of it",
        )
        .into_response(),
    }
}

/// A body whose bytes are counted until the last of them is gone.
struct HeldBody {
    body: Body,
    share: Arc<Share>,
}

/// Bytes on their way. The connection may keep them after it is done with the body.
struct HeldBytes {
    bytes: Bytes,
    _share: Arc<Share>,
}

impl AsRef<[u8]> for HeldBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        polled.map_ok(|frame| {
            frame.map_data(|bytes| {
                Bytes::from_owner(HeldBytes {
                    bytes,
                    _share: Arc::clone(&self.share),
                })
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
