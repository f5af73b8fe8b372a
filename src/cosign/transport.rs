//! Asking a cosigner over HTTP, within bounds of bytes and time: it is somebody else's server.

use std::time::Duration;

use tokio_rustls::rustls::crypto::ring;

use super::request::REQUEST_BYTES_MAX;
use crate::note::NOTE_BYTES_MAX;

/// A connection that is not made by then is given up.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// An answer that is not whole by then is given up, however its bytes come.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// What a cosigner gives as its name of the media type of a size.
const SIZE_TYPE: &str = "text/x.tlog.size";

/// What a cosigner answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// Whether the body is said to be a size.
    pub is_size: bool,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a cosigner gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// The address in the policy is none that can be asked.
    #[error("{0:?} is no address of a cosigner: write http:// or https:// and a host")]
    Address(String),
    /// No whole answer in time.
    #[error("{0}")]
    Silent(String),
    /// More bytes than any answer has.
    #[error("the answer has more than {0} bytes")]
    TooLong(usize),
}

/// A client of cosigners. Clones share its connections.
#[derive(Clone)]
pub struct CosignerClient(reqwest::Client);

/// A client that can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cosigners can't be asked: {0}")]
pub struct ClientError(String);

impl CosignerClient {
    /// A client. One with https must show a certificate by an authority that this system trusts.
    ///
    /// # Errors
    /// [`ClientError`] when the system's authorities can't be read.
    pub fn new() -> Result<Self, ClientError> {
        // The TLS that everything else here uses. If the program chose one already, that one stays.
        let _ = ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_MAX)
            .timeout(ANSWER_MAX)
            // A cosigner's address is the policy's to say.
            .redirect(reqwest::redirect::Policy::none())
            .build();
        client.map(Self).map_err(|error| ClientError(words(&error)))
    }

    /// Sends a body of `add-checkpoint`.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn add(&self, url: &str, body: String) -> Result<Answered, NoAnswer> {
        let request = self.0.post(address(url, "add-checkpoint")?).body(body);
        answered(request, REQUEST_BYTES_MAX).await
    }

    /// Fetches the newest checkpoint that a cosigner signed of the log with this hash of its origin.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn checkpoint(&self, url: &str, origin_hash: &str) -> Result<Answered, NoAnswer> {
        let path = format!("{origin_hash}/checkpoint");
        answered(self.0.get(address(url, &path)?), NOTE_BYTES_MAX).await
    }
}

/// The address of a path at a cosigner. A slash at its end means nothing.
fn address(url: &str, path: &str) -> Result<String, NoAnswer> {
    let base = url.trim_end_matches('/');
    let host = base
        .strip_prefix("https://")
        .or_else(|| base.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(format!("{base}/{path}")),
        _ => Err(NoAnswer::Address(url.to_owned())),
    }
}

async fn answered(
    request: reqwest::RequestBuilder,
    bytes_max: usize,
) -> Result<Answered, NoAnswer> {
    let silent = |error: reqwest::Error| NoAnswer::Silent(words(&error));
    let mut answer = request.send().await.map_err(silent)?;
    let kind = answer.headers().get(reqwest::header::CONTENT_TYPE);
    let is_size = kind.is_some_and(|kind| kind.as_bytes() == SIZE_TYPE.as_bytes());
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(silent)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(NoAnswer::TooLong(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answered {
        status,
        is_size,
        body,
    })
}

/// An error with its causes, on one line.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_http_and_a_slash_at_its_end_means_nothing() {
        for url in ["https://w.example/a", "https://w.example/a/"] {
            assert_eq!(
                address(url, "add-checkpoint").unwrap(),
                "https://w.example/a/add-checkpoint"
            );
        }
        for url in [
            "w.example",
            "ftp://w.example",
            "https://",
            "https:///a",
            "file:///etc/passwd",
        ] {
            assert!(address(url, "x").is_err(), "{url}");
        }
    }
}
