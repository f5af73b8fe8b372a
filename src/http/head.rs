//! The head of a request, as it is judged before hyper reads it. hyper takes heads that RFC 9112 has a
//! server refuse, or that a proxy in front may read in another way, and answers those that it refuses
//! without a problem document.

use std::net::Ipv6Addr;
use std::str::from_utf8;

use axum::http::Uri;
use httparse::{Header, Request, Status};

use crate::answer::{Problem, ProblemCode};

/// The longest head.
pub(super) const HEAD_BYTES_MAX: usize = 16 << 10;
/// The longest target of a request: a path and a query.
const TARGET_BYTES_MAX: usize = 8 << 10;
/// The longest method, by far.
const METHOD_BYTES_MAX: usize = 256;
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
    // RFC 9112, section 2.2: "at least one empty line (CRLF) received prior to the request-line".
    let line = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    if line.starts_with(b"\r\n") {
        return Err(head_malformed("more than one empty line is before it"));
    }
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = Request::new(&mut fields);
    let parsed = request.parse(bytes);
    let head = match parsed {
        Ok(Status::Complete(length)) => bytes.get(..length).unwrap_or(bytes),
        Ok(Status::Partial) => bytes,
        Err(_) => &[],
    };
    // A proxy in front that takes LF for no end of a line sees other fields than these.
    if has_bare_lf(head) {
        return Err(head_malformed("a line ends with LF, and not with CRLF"));
    }
    // The method and the target are known as soon as their ends are.
    let target = request.path;
    let too_long = match (request.method, target, &parsed) {
        (_, Some(target), _) => target.len() > TARGET_BYTES_MAX,
        (Some(method), None, Ok(Status::Partial)) => {
            line.len() > method.len() + " ".len() + TARGET_BYTES_MAX
        }
        _ => false,
    };
    if too_long {
        return Err(target_too_long());
    }
    let method_length = request.method.map_or(line.len(), str::len);
    if parsed.is_ok() && method_length > METHOD_BYTES_MAX {
        return Err(head_malformed("the method is longer than any"));
    }
    match parsed {
        Ok(Status::Partial) if bytes.len() < HEAD_BYTES_MAX => Ok(Head::Partial),
        Ok(Status::Complete(length)) if length <= HEAD_BYTES_MAX => {
            // All are there in a whole head.
            let target = target.unwrap_or_default();
            let http_1_1 = request.version == Some(1);
            check_target(request.method.unwrap_or_default(), target)?;
            check_host(request.headers, http_1_1)?;
            check_expectation(request.headers)?;
            let body = body_length(request.headers, http_1_1)?;
            Ok(Head::Whole { length, body })
        }
        Ok(_) | Err(httparse::Error::TooManyHeaders) => Err(head_too_large()),
        Err(httparse::Error::Version) => Err(version_unknown()),
        Err(error) => Err(head_malformed(&error.to_string())),
    }
}

fn values<'a>(fields: &'a [Header<'_>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let named = |field: &&Header<'_>| field.name.eq_ignore_ascii_case(name);
    fields.iter().filter(named).map(|field| field.value)
}

fn has_bare_lf(bytes: &[u8]) -> bool {
    let mut before = 0;
    bytes.iter().any(|byte| {
        let bare = *byte == b'\n' && before != b'\r';
        before = *byte;
        bare
    })
}

/// RFC 9112, section 3.2.
fn check_target(method: &str, target: &str) -> Result<(), Problem> {
    let absolute = target
        .strip_prefix("http://")
        .or_else(|| target.strip_prefix("https://"));
    let form = match absolute {
        _ if method == "CONNECT" => is_authority(target.as_bytes()),
        Some(rest) => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            is_authority(authority.as_bytes()) && is_path_and_query(path)
        }
        None if target.starts_with('/') => is_path_and_query(target),
        None => target == "*" && method == "OPTIONS",
    };
    if form && Uri::try_from(target).is_ok() {
        return Ok(());
    }
    Err(head_malformed("the target is no path or URL"))
}

/// RFC 3986, sections 3.3 and 3.4. A fragment is never sent.
fn is_path_and_query(text: &str) -> bool {
    is_encoded(text, b"-._~!$&'()*+,;=:@/?")
}

/// Whether a text has letters, digits and these signs, and all others percent-encoded.
fn is_encoded(text: &str, signs: &[u8]) -> bool {
    let is_plain = |text: &[u8]| {
        let mut bytes = text.iter();
        bytes.all(|byte| byte.is_ascii_alphanumeric() || signs.contains(byte))
    };
    let mut parts = text.as_bytes().split(|byte| *byte == b'%');
    parts.next().is_none_or(is_plain)
        && parts.all(|part| {
            part.split_first_chunk::<2>().is_some_and(|(digits, rest)| {
                digits.iter().all(u8::is_ascii_hexdigit) && is_plain(rest)
            })
        })
}

/// RFC 9110, section 10.1.1: there is one expectation, "100-continue".
fn check_expectation(fields: &[Header<'_>]) -> Result<(), Problem> {
    let members = values(fields, "expect").flat_map(|value| value.split(|byte| *byte == b','));
    let known = |member: &[u8]| {
        let member = member.trim_ascii();
        member.is_empty() || member.eq_ignore_ascii_case(b"100-continue")
    };
    if members.into_iter().all(known) {
        return Ok(());
    }
    Err(expectation_unknown())
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
    Err(malformed(ProblemCode::HostMalformed, wrong))
}

/// RFC 9110, section 7.2: the host and its port, without a user.
fn is_authority(text: &[u8]) -> bool {
    let Ok(text) = from_utf8(text) else {
        return false;
    };
    let (is_host, behind) = match text.strip_prefix('[').map(|text| text.split_once(']')) {
        Some(Some((address, behind))) => (address.parse::<Ipv6Addr>().is_ok(), behind),
        Some(None) => return false,
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let (name, behind) = text.split_at(end);
            let is_name = !name.is_empty() && is_encoded(name, b"-._~!$&'()*+,;=");
            (is_name, behind)
        }
    };
    let port = behind.strip_prefix(':').unwrap_or(behind);
    let is_port = behind.is_empty() || port.len() < behind.len();
    is_host && is_port && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// RFC 9112, section 6.3. Whatever could be read in two ways is refused: a proxy in front that reads it
/// in the other way takes a part of the body for a request, or a request for a part of a body.
fn body_length(fields: &[Header<'_>], http_1_1: bool) -> Result<BodyLength, Problem> {
    let mut lengths = values(fields, "content-length");
    let mut codings = values(fields, "transfer-encoding");
    let ambiguous = |what| Err(malformed(ProblemCode::LengthAmbiguous, what));
    match (
        lengths.next(),
        lengths.next(),
        codings.next(),
        codings.next(),
    ) {
        (None, None, None, None) => Ok(BodyLength::Bytes(0)),
        (Some(length), None, None, None) => match decimal(length) {
            Some(length) => Ok(BodyLength::Bytes(length)),
            None => ambiguous("Content-Length is no whole number, or has zeros before it"),
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
    // Some read a number with a zero before it as an octal one.
    let padded = text.len() > 1 && text.starts_with('0');
    let digits = !text.is_empty() && !padded && text.bytes().all(|byte| byte.is_ascii_digit());
    // hyper keeps the last two numbers for itself.
    let number = digits.then(|| text.parse::<u64>().ok()).flatten();
    number.filter(|number| *number < u64::MAX - 1)
}

const ADVICE: &str = "RFC 9112 tells how a request is written; the connection is closed";

fn malformed(code: ProblemCode, what: &str) -> Problem {
    Problem::new(code, what, ADVICE)
}

fn head_malformed(what: &str) -> Problem {
    malformed(ProblemCode::HeadMalformed, what)
}

fn target_too_long() -> Problem {
    Problem::new(
        ProblemCode::TargetTooLong,
        &format!("a path and query have at most {TARGET_BYTES_MAX} bytes"),
        "GET /openapi.json lists what there is",
    )
}

fn head_too_large() -> Problem {
    Problem::new(
        ProblemCode::HeadTooLarge,
        &format!("a head has at most {HEAD_BYTES_MAX} bytes and {FIELDS_MAX} fields"),
        "send fewer or shorter fields",
    )
}

fn version_unknown() -> Problem {
    Problem::new(
        ProblemCode::VersionUnknown,
        "this is not HTTP/1.1 or HTTP/1.0",
        ADVICE,
    )
}

fn expectation_unknown() -> Problem {
    Problem::new(
        ProblemCode::ExpectationUnknown,
        "Expect names what the server does not know",
        "send Expect: 100-continue, or none",
    )
}

fn coding_unknown() -> Problem {
    Problem::new(
        ProblemCode::CodingUnknown,
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
            ("GET / HTTP/1.1", "Host: a\nx: y", "400 head_malformed"),
            ("GET / HTTP/1.1\nx: y", "Host: a", "400 head_malformed"),
            ("\nGET / HTTP/1.1", "Host: a", "400 head_malformed"),
            ("\r\n\nGET / HTTP/1.1", "Host: a", "400 head_malformed"),
            ("\r\n\r\nGET / HTTP/1.1", "Host: a", "400 head_malformed"),
            ("GET /a?b=%2B1&c=(1),'~ HTTP/1.1", "Host: a", "Bytes(0)"),
            ("GET http://[::1]:80/a HTTP/1.1", "Host: a", "Bytes(0)"),
            ("GET http://a?b HTTP/1.1", "Host: a", "Bytes(0)"),
            ("CONNECT a:80 HTTP/1.1", "Host: a", "Bytes(0)"),
            ("GET http://a@b/ HTTP/1.1", "Host: a", "400 head_malformed"),
            ("GET http:///a HTTP/1.1", "Host: a", "400 head_malformed"),
            ("CONNECT /a HTTP/1.1", "Host: a", "400 head_malformed"),
            ("GET /1#a HTTP/1.1", "Host: a", "400 head_malformed"),
            ("GET /é HTTP/1.1", "Host: a", "400 head_malformed"),
            ("GET /% HTTP/1.1", "Host: a", "400 head_malformed"),
            ("GET /%zz HTTP/1.1", "Host: a", "400 head_malformed"),
            ("GET /?a=%4 HTTP/1.1", "Host: a", "400 head_malformed"),
            ("GET /?a=<b> HTTP/1.1", "Host: a", "400 head_malformed"),
            ("GET /a\\b HTTP/1.1", "Host: a", "400 head_malformed"),
            ("GET / HTTP/1.1", "Host: a:", "Bytes(0)"),
            ("GET / HTTP/1.1", "Host: a:b", "400 host_malformed"),
            ("GET / HTTP/1.1", "Host: a:1:2", "400 host_malformed"),
            ("GET / HTTP/1.1", "Host: :80", "400 host_malformed"),
            ("GET / HTTP/1.1", "Host: [::1]x", "400 host_malformed"),
            ("GET / HTTP/1.1", "Host: [::1", "400 host_malformed"),
            ("GET / HTTP/1.1", "Host: é", "400 host_malformed"),
            ("GET /", "Host: a", "400 head_malformed"),
            ("GET / HTTP/2.0", "Host: a", "505 version_unknown"),
            ("PRI * HTTP/2.0", "", "505 version_unknown"),
        ] {
            assert_eq!(code(&format!("{first}\r\n{fields}\r\n\r\n")), expected);
        }
        for (fields, expected) in [
            ("Content-Length: 7", "Bytes(7)"),
            ("Transfer-Encoding: Chunked", "Chunked"),
            ("Content-Length: 0", "Bytes(0)"),
            ("Content-Length: 00", "400 length_ambiguous"),
            ("Content-Length: 010", "400 length_ambiguous"),
            ("Expect: 100-Continue", "Bytes(0)"),
            ("Expect: 200-ok", "417 expectation_unknown"),
            ("Expect: 100-continue, x", "417 expectation_unknown"),
            (
                "Expect: 100-continue\r\nExpect: x",
                "417 expectation_unknown",
            ),
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
        assert_eq!(code(&"\r\n".repeat(1 << 19)), "400 head_malformed");
        assert_eq!(code(&"\n".repeat(1 << 19)), "400 head_malformed");
        assert_eq!(code("\r\n"), "partial");
        let longest = "A".repeat(METHOD_BYTES_MAX);
        assert_eq!(code(&longest), "partial");
        let whole = format!("{longest} / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(code(&whole), "Bytes(0)");
        assert_eq!(code(&format!("A{whole}")), "400 head_malformed");
        assert_eq!(
            code(&"A".repeat(METHOD_BYTES_MAX + 1)),
            "400 head_malformed"
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
