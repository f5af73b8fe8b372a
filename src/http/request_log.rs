//! A line of the log for each request, when all of its answer was taken or its client is gone.
//!
//! A line says where a request led and what came of it, never what was asked: no path or query, since
//! these have accounts' ids, nothing of a body, and of the client's address only what names no house.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Frame, SizeHint};

use super::metrics::MethodName;
use crate::answer::Problem;
use crate::shares::ClientNet;

/// The field by which a request and its answer are named.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The field by which a request says what it is a part of (W3C Trace Context).
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// A client's name for a request is no longer.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// The records that a request brought in, beside its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Appended(pub usize);

/// Names a request, answers it, and has a line of the log say what came of it.
pub(super) async fn tell(request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let mut line = Line::of(&request, id.clone());
    let (parts, body) = request.into_parts();
    let body = match body.is_end_stream() {
        true => body,
        false => Body::new(Counted {
            body,
            bytes: Arc::clone(&line.bytes_in),
        }),
    };
    let mut response = next.run(Request::from_parts(parts, body)).await;
    // It has letters, digits and three other signs.
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    line.answered(&response);
    response.map(|body| Body::new(Told { body, line }))
}

/// The name that a client gave its request, if it can stand in a line of the log; else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
    match given {
        Some(id) if (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(plain) => {
            id.to_owned()
        }
        _ => new_id(),
    }
}

/// A name that no other request of any server has: a random number of the process, and the request's.
fn new_id() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("request"));
    static REQUESTS: AtomicU64 = AtomicU64::new(0);
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}-{number:x}", *PROCESS)
}

/// The trace that a request belongs to: the second part of `traceparent`. `None` if it has another form than
/// version 00's, or an id of zeros alone.
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let mut parts = headers.get(TRACEPARENT)?.to_str().ok()?.split('-');
    let mut next = |digits: usize| {
        let lower = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        let part = parts.next()?;
        (part.len() == digits && part.bytes().all(lower)).then_some(part)
    };
    let (version, trace, parent, _flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
    // Later versions may have more parts.
    let is_whole = version != "ff" && (version != "00" || parts.next().is_none());
    let is_some = |id: &str| id.bytes().any(|c| c != b'0');
    (is_whole && is_some(trace) && is_some(parent)).then(|| trace.to_owned())
}

/// What is told of a request, when this is dropped.
struct Line {
    id: String,
    trace: Option<String>,
    client: ClientNet,
    method: MethodName,
    route: Option<MatchedPath>,
    begun: Instant,
    bytes_in: Arc<AtomicU64>,
    bytes_out: u64,
    /// Of the answer, if there was one.
    status: Option<u16>,
    code: Option<String>,
    /// Why the first of its statements was refused.
    rule: Option<String>,
    records: Option<usize>,
    /// Whether the client took all of the answer.
    is_taken: bool,
}

impl Line {
    fn of(request: &Request, id: String) -> Self {
        let client = request.extensions().get::<ClientNet>().copied();
        Self {
            id,
            trace: trace_id(request.headers()),
            // Without a server there is no client but this machine.
            client: client.unwrap_or(ClientNet::LOCAL),
            method: MethodName::of(request.method()),
            route: request.extensions().get::<MatchedPath>().cloned(),
            begun: Instant::now(),
            bytes_in: Arc::default(),
            bytes_out: 0,
            status: None,
            code: None,
            rule: None,
            records: None,
            // Nobody reads a body behind the head of an answer to HEAD.
            is_taken: *request.method() == Method::HEAD,
        }
    }

    fn answered(&mut self, response: &Response) {
        self.status = Some(response.status().as_u16());
        self.is_taken |= response.body().is_end_stream();
        let appended = response.extensions().get::<Appended>();
        self.records = appended.map(|Appended(records)| *records);
        if let Some(problem) = response.extensions().get::<Problem>() {
            self.code = Some(problem.code().to_owned());
            self.rule = problem.first_refused().map(str::to_owned);
            self.records = self.records.or_else(|| problem.appended());
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // Thousandths of a millisecond are enough.
        let ms = (self.begun.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        tracing::info!(
            target: "arborlog::request",
            id = self.id,
            trace_id = self.trace,
            client = self.client.shortened(),
            method = self.method.0,
            route = self.route.as_ref().map_or("none", MatchedPath::as_str),
            status = self.status,
            code = self.code,
            rule = self.rule,
            bytes_in = self.bytes_in.load(Ordering::Relaxed),
            bytes_out = self.bytes_out,
            records = self.records,
            ms,
            cut = (!self.is_taken).then_some(true),
            "request"
        );
    }
}

/// The body of a request, whose bytes are counted.
struct Counted {
    body: Body,
    bytes: Arc<AtomicU64>,
}

/// Bytes of a body's frame.
fn bytes_of(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            self.bytes.fetch_add(bytes_of(frame), Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, at the end of which its request is told.
struct Told {
    body: Body,
    line: Line,
}

impl HttpBody for Told {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => self.line.bytes_out += bytes_of(frame),
            Some(Err(_)) => {}
            None => self.line.is_taken = true,
        }
        // An answer of a known length is asked for no end behind it.
        self.line.is_taken |= self.body.is_end_stream();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn an_id_that_can_stand_in_a_line_is_taken_and_any_other_is_not() {
        let of = |value: &str| request_id(&headers(REQUEST_ID, value));
        let longest = "x".repeat(REQUEST_ID_BYTES_MAX);
        for id in ["a", "4f.5_6-B", longest.as_str()] {
            assert_eq!(of(id), id);
        }
        let too_long = format!("{longest}x");
        for id in [
            "",
            "two words",
            "a\"b",
            "a=b",
            "é",
            "a/b",
            too_long.as_str(),
        ] {
            let new = of(id);
            assert_ne!(new, id);
            assert_eq!(of(&new), new);
            assert_ne!(of(id), new);
        }
    }

    #[test]
    fn a_trace_is_read_as_its_standard_says() {
        let of = |value: &str| trace_id(&headers(TRACEPARENT, value));
        let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        assert_eq!(
            of(&format!("00-{trace}-{parent}-01")).as_deref(),
            Some(trace)
        );
        assert_eq!(
            of(&format!("cc-{trace}-{parent}-01-more")).as_deref(),
            Some(trace)
        );
        for wrong in [
            format!("ff-{trace}-{parent}-01"),
            format!("00-{trace}-{parent}-01-more"),
            format!("00-{trace}-{parent}"),
            format!("00-{}-{parent}-01", trace.to_uppercase()),
            format!("00-{}-{parent}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            trace.to_owned(),
            String::new(),
        ] {
            assert_eq!(of(&wrong), None, "{wrong}");
        }
    }
}
