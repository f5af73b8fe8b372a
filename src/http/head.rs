//! The head of a request, as it is judged before hyper reads it. hyper takes heads that RFC 9112 has a
//! server refuse, or that a proxy in front may read in another way, and answers those that it refuses
//! without a problem document.

use std::str::from_utf8;

use axum::http::uri::Authority;
use axum::http::{StatusCode, Uri};
use httparse::{Header, Request, Status};

use crate::answer::Problem;

/// The longest head.
pub(super) const HEAD_BYTES_MAX: usize = 16 << 10;
/// The longest target of a request: a path and a query.
const TARGET_BYTES_MAX: usize = 8 << 10;
/// Bytes that may stand before a target that has no end yet.
const METHOD_BYTES: usize = 32;
/// The most fields of a head.
const FIELDS_MAX: usize = 100;

/// What bytes at the beginning of a request are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// The beginning of a head that may become a good one.
    Partial,
    /// A good head of this many bytes.
    Whole { length: usize, body: BodyLength },
}

/// How a request's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyLength {
    Bytes(u64),
    Chunked,
}

/// Reads a head.
///
/// # Errors
/// What is wrong with it: nothing behind it can be read as a request then.
pub(super) fn read_head(bytes: &[u8]) -> Result<Head, Problem> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = Request::new(&mut fields);
    let parsed = request.parse(bytes);
    // The target is known as soon as its end is.
    let target = request.path;
    let too_long = match (target, &parsed) {
        (Some(target), _) => target.len() > TARGET_BYTES_MAX,
        (None, Ok(Status::Partial)) => bytes.len() > TARGET_BYTES_MAX + METHOD_BYTES,
        (None, _) => false,
    };
    if too_long {
        return Err(target_too_long());
    }
    match parsed {
        Ok(Status::Partial) if bytes.len() < HEAD_BYTES_MAX => Ok(Head::Partial),
        Ok(Status::Complete(length)) if length <= HEAD_BYTES_MAX => {
            // All are there in a whole head.
            let target = target.unwrap_or_default();
            let http_1_1 = request.version == Some(1);
            check_target(request.method.unwrap_or_default(), target)?;
            check_host(request.headers, http_1_1)?;
            let body = body_length(request.headers, http_1_1)?;
            Ok(Head::Whole { length, body })
        }
        Ok(_) | Err(httparse::Error::TooManyHeaders) => Err(head_too_large()),
        Err(httparse::Error::Version) => Err(version_unknown()),
        Err(error) => Err(malformed("head_malformed", &error.to_string())),
    }
}

fn values<'a>(fields: &'a [Header<'_>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let named = |field: &&Header<'_>| field.name.eq_ignore_ascii_case(name);
    fields.iter().filter(named).map(|field| field.value)
}

/// RFC 9112, section 3.2.
fn check_target(method: &str, target: &str) -> Result<(), Problem> {
    let form = target.starts_with('/')
        || target.starts_with("http://")
        || target.starts_with("https://")
        || (target == "*" && method == "OPTIONS")
        || method == "CONNECT";
    if form && Uri::try_from(target).is_ok() {
        return Ok(());
    }
    Err(malformed("head_malformed", "the target is no path or URL"))
}

/// RFC 9112, section 3.2: "any HTTP/1.1 request message that lacks a Host header field", "more than one
/// Host header field line or a Host header field with an invalid field value".
fn check_host(fields: &[Header<'_>], http_1_1: bool) -> Result<(), Problem> {
    let mut hosts = values(fields, "host");
    let (first, second) = (hosts.next(), hosts.next());
    let wrong = match (first, second) {
        (_, Some(_)) => "there are two Host fields",
        (None, None) if http_1_1 => "there is no Host field",
        (Some(host), None) if !is_authority(host) => "the Host field names no host",
        _ => return Ok(()),
    };
    Err(malformed("host_malformed", wrong))
}

fn is_authority(host: &[u8]) -> bool {
    from_utf8(host).is_ok_and(|host| !host.contains('@') && host.parse::<Authority>().is_ok())
}

/// RFC 9112, section 6.3. Whatever could be read in two ways is refused: a proxy in front that reads it
/// in the other way takes a part of the body for a request, or a request for a part of a body.
fn body_length(fields: &[Header<'_>], http_1_1: bool) -> Result<BodyLength, Problem> {
    let mut lengths = values(fields, "content-length");
    let mut codings = values(fields, "transfer-encoding");
    let ambiguous = |what| Err(malformed("length_ambiguous", what));
    match (
        lengths.next(),
        lengths.next(),
        codings.next(),
        codings.next(),
    ) {
        (None, None, None, None) => Ok(BodyLength::Bytes(0)),
        (Some(length), None, None, None) => match decimal(length) {
            Some(length) => Ok(BodyLength::Bytes(length)),
            None => ambiguous("Content-Length is no whole number"),
        },
        (None, None, Some(coding), None) => {
            if !http_1_1 {
                ambiguous("Transfer-Encoding is not of HTTP/1.0")
            } else if coding.eq_ignore_ascii_case(b"chunked") {
                Ok(BodyLength::Chunked)
            } else {
                Err(coding_unknown())
            }
        }
        (Some(_), _, Some(_), _) => {
            ambiguous("Content-Length and Transfer-Encoding are both there")
        }
        (_, Some(_), ..) => ambiguous("there are two Content-Length fields"),
        _ => ambiguous("there are two Transfer-Encoding fields"),
    }
}

fn decimal(text: &[u8]) -> Option<u64> {
    let text = from_utf8(text).ok()?;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // hyper keeps the last two numbers for itself.
    let number = digits.then(|| text.parse::<u64>().ok()).flatten();
    number.filter(|number| *number < u64::MAX - 1)
}

const ADVICE: &str = "RFC 9112 tells how a request is written; the connection is closed";

fn malformed(code: &str, what: &str) -> Problem {
    Problem::bad_request(code, what, ADVICE)
}

fn target_too_long() -> Problem {
    Problem::new(
        StatusCode::URI_TOO_LONG,
        "target_too_long",
        &format!("a path and query have at most {TARGET_BYTES_MAX} bytes"),
        "GET /openapi.json lists what there is",
    )
}

fn head_too_large() -> Problem {
    Problem::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "head_too_large",
        &format!("a head has at most {HEAD_BYTES_MAX} bytes and {FIELDS_MAX} fields"),
        "send fewer or shorter fields",
    )
}

fn version_unknown() -> Problem {
    Problem::new(
        StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        "version_unknown",
        "this is not HTTP/1.1 or HTTP/1.0",
        ADVICE,
    )
}

fn coding_unknown() -> Problem {
    Problem::new(
        StatusCode::NOT_IMPLEMENTED,
        "coding_unknown",
        "a body comes as it is or in chunks, in no other coding",
        "send Content-Length, or Transfer-Encoding: chunked",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(head: &str) -> String {
        match read_head(head.as_bytes()) {
            Ok(Head::Whole { length, body }) => {
                assert_eq!(length, head.len());
                format!("{body:?}")
            }
            Ok(Head::Partial) => "partial".to_owned(),
            Err(problem) => format!("{} {}", problem.status().as_u16(), problem.code()),
        }
    }

    #[test]
    fn heads_and_what_they_are() {
        let host = "Host: a\r\n";
        for (first, fields, expected) in [
            (
                "GET / HTTP/1.1",
                "Host: ledger.example.org:8080",
                "Bytes(0)",
            ),
            ("GET / HTTP/1.1", "host: [::1]:80", "Bytes(0)"),
            ("GET / HTTP/1.1", "Host: my_host:8080", "Bytes(0)"),
            ("GET / HTTP/1.0", "Accept: */*", "Bytes(0)"),
            ("\r\nGET / HTTP/1.1", "Host: a", "Bytes(0)"),
            ("OPTIONS * HTTP/1.1", "Host: a", "Bytes(0)"),
            ("GET http://a/b HTTP/1.1", "Host: a", "Bytes(0)"),
            ("GET / HTTP/1.1", "Accept: */*", "400 host_malformed"),
            ("GET / HTTP/1.1", "Host: a\r\nHost: a", "400 host_malformed"),
            ("GET / HTTP/1.0", "Host: a\r\nHost: b", "400 host_malformed"),
            ("GET / HTTP/1.1", "Host:", "400 host_malformed"),
            ("GET / HTTP/1.1", "Host: a b", "400 host_malformed"),
            ("GET / HTTP/1.1", "Host: a@b", "400 host_malformed"),
            ("GET / HTTP/1.1", "Host: a/b", "400 host_malformed"),
            ("GET * HTTP/1.1", "Host: a", "400 head_malformed"),
            ("GET a HTTP/1.1", "Host: a", "400 head_malformed"),
            (
                "GET / HTTP/1.1",
                "Host: a\r\n folded: b",
                "400 head_malformed",
            ),
            ("GET / HTTP/1.1", "Host : a", "400 head_malformed"),
            ("GET /", "Host: a", "400 head_malformed"),
            ("GET / HTTP/2.0", "Host: a", "505 version_unknown"),
            ("PRI * HTTP/2.0", "", "505 version_unknown"),
        ] {
            assert_eq!(code(&format!("{first}\r\n{fields}\r\n\r\n")), expected);
        }
        for (fields, expected) in [
            ("Content-Length: 7", "Bytes(7)"),
            ("Transfer-Encoding: Chunked", "Chunked"),
            ("Content-Length: +7", "400 length_ambiguous"),
            ("Content-Length: 7, 7", "400 length_ambiguous"),
            ("Content-Length:", "400 length_ambiguous"),
            (
                "Content-Length: 18446744073709551615",
                "400 length_ambiguous",
            ),
            (
                "Content-Length: 7\r\ncontent-length: 7",
                "400 length_ambiguous",
            ),
            (
                "Content-Length: 7\r\nTransfer-Encoding: chunked",
                "400 length_ambiguous",
            ),
            (
                "Transfer-Encoding: chunked\r\nContent-Length: 7",
                "400 length_ambiguous",
            ),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                "400 length_ambiguous",
            ),
            ("Transfer-Encoding: gzip, chunked", "501 coding_unknown"),
            ("Transfer-Encoding: identity", "501 coding_unknown"),
        ] {
            let head = format!("POST /v1/records HTTP/1.1\r\n{host}{fields}\r\n\r\n");
            assert_eq!(code(&head), expected, "{fields}");
        }
        let old = format!("POST / HTTP/1.0\r\n{host}Transfer-Encoding: chunked\r\n\r\n");
        assert_eq!(code(&old), "400 length_ambiguous");
    }

    #[test]
    fn heads_have_an_end() {
        let path = "a".repeat(TARGET_BYTES_MAX - 1);
        let get = |path: &str, fields: &str| {
            code(&format!("GET /{path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
        };
        assert_eq!(get(&path, ""), "Bytes(0)");
        assert_eq!(get(&format!("{path}a"), ""), "414 target_too_long");
        assert_eq!(code(&format!("GET /{path}")), "partial");
        assert_eq!(
            code(&format!("GET /{path}{:a<40}", "")),
            "414 target_too_long"
        );
        let fields = |count| "x: y\r\n".repeat(count);
        assert_eq!(get("", &fields(FIELDS_MAX - 1)), "Bytes(0)");
        assert_eq!(get("", &fields(FIELDS_MAX)), "431 head_too_large");
        let long = "y".repeat(HEAD_BYTES_MAX);
        assert_eq!(get("", &format!("x: {long}\r\n")), "431 head_too_large");
        assert_eq!(code("GET / HTTP/1.1\r\nHost: a\r\nx: y"), "partial");
        let partial = format!("GET / HTTP/1.1\r\nHost: a\r\nx: {long}");
        assert_eq!(code(&partial), "431 head_too_large");
    }
}
