//! A log's server, over HTTP.

use std::io::Read as _;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::crypto::PublicKey;
use crate::record::{CodecError, Index, RecordId, Seq, SignedRecord};

/// How long a server may be away before a sender gives up; its journal keeps what is unsent.
const RETRY_FOR: Duration = Duration::from_secs(120);
/// Pauses between tries begin with this and double, up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LONGEST: Duration = Duration::from_secs(5);
/// One request takes no longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// No answer is longer.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A server's address.
#[derive(Clone, Debug)]
pub struct Remote {
    base: String,
    agent: ureq::Agent,
    retry_for: Duration,
}

/// What a problem document says.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct RemoteProblem {
    /// The HTTP status.
    pub status: u16,
    /// The stable name.
    pub code: String,
    /// What is wrong.
    #[serde(default)]
    pub detail: String,
    /// What would be right.
    #[serde(default)]
    pub advice: String,
    /// Which record of the batch.
    pub position: Option<usize>,
    /// The indexes of those before it.
    pub indexes: Option<Vec<Index>>,
}

/// Why a server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No answer, or one that breaks off, for longer than it was tried.
    #[error("{url}: {why}; tried for {} s. What was signed is in the journal: run the same command again", RETRY_FOR.as_secs())]
    Away {
        /// What was asked.
        url: String,
        /// What happened last.
        why: String,
    },
    /// The server says no.
    #[error("{url}: {} {} ({}); {}", .problem.status, .problem.detail, .problem.code, .problem.advice)]
    Problem {
        /// What was asked.
        url: String,
        /// Its word.
        problem: Box<RemoteProblem>,
    },
    /// The answer is not what it should be.
    #[error("{url}: the answer is not an arborlog server's: {why}")]
    Answer {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Where an issuer's chain goes on.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct IssuerHead {
    /// The next record's sequence number.
    pub next_seq: Seq,
    /// What its `prev` must be.
    pub prev: RecordId,
}

/// What became of a batch.
#[derive(Clone, Debug)]
pub enum BatchAnswer {
    /// All are in.
    Admitted(Vec<Index>),
    /// Those before the refused one are in.
    Refused {
        /// Their indexes.
        indexes: Vec<Index>,
        /// Which was refused, and why.
        problem: Box<RemoteProblem>,
    },
}

#[derive(Deserialize)]
struct Appended {
    indexes: Vec<Index>,
}

/// A batch as it is sent: each record behind its length.
///
/// # Errors
/// [`CodecError`] when a record can't be written.
pub fn batch_body(records: &[SignedRecord]) -> Result<Vec<u8>, CodecError> {
    let mut body = Vec::new();
    for record in records {
        let bytes = record.encode()?;
        body.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

/// One try's outcome.
enum Tried {
    Answer(u16, Vec<u8>),
    Again(String),
}

impl Remote {
    /// The server at this URL.
    pub fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(REQUEST_TIMEOUT))
            .http_status_as_error(false)
            .build();
        Self {
            base: base.trim_end_matches('/').to_owned(),
            agent: config.into(),
            retry_for: RETRY_FOR,
        }
    }

    /// Gives up sooner or later than two minutes.
    #[must_use]
    pub fn retrying_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }

    /// The server's URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The bytes at a path.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, RemoteError> {
        let url = format!("{}/{path}", self.base);
        let answer = self.retried(&url, ANSWER_BYTES_MAX, || self.agent.get(&url).call())?;
        match answer {
            (200, bytes) => Ok(bytes),
            (status, bytes) => Err(problem(url, status, &bytes)),
        }
    }

    /// The file at a path, cut at `bytes_max`; `None` if the server says that there is none.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn file(&self, path: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, RemoteError> {
        let url = format!("{}/{path}", self.base);
        let answer = self.retried(&url, bytes_max, || self.agent.get(&url).call())?;
        match answer {
            (200, bytes) => Ok(Some(bytes)),
            (404 | 410, _) => Ok(None),
            (status, bytes) => Err(problem(url, status, &bytes)),
        }
    }

    /// The text at a path.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn text(&self, path: &str) -> Result<String, RemoteError> {
        let bytes = self.bytes(path)?;
        String::from_utf8(bytes).map_err(|_| RemoteError::Answer {
            url: format!("{}/{path}", self.base),
            why: "it is no text".to_owned(),
        })
    }

    /// The JSON at a path.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, RemoteError> {
        let bytes = self.bytes(path)?;
        serde_json::from_slice(&bytes).map_err(|error| RemoteError::Answer {
            url: format!("{}/{path}", self.base),
            why: error.to_string(),
        })
    }

    /// Where an issuer's chain goes on.
    ///
    /// # Errors
    /// [`RemoteError::Problem`] with `not_found` for a key that was never granted.
    pub fn issuer(&self, key: &PublicKey) -> Result<IssuerHead, RemoteError> {
        self.json(&format!("v1/issuers/{key}"))
    }

    /// Sends a batch until it is answered.
    ///
    /// # Errors
    /// [`RemoteError`]; the caller sends the same bytes again later.
    pub fn append(&self, records: &[SignedRecord]) -> Result<BatchAnswer, RemoteError> {
        let body = batch_body(records).map_err(|error| RemoteError::Answer {
            url: self.base.clone(),
            why: error.to_string(),
        })?;
        self.append_body(&body, records.len())
    }

    /// The same, of so many records that [`batch_body`] wrote.
    ///
    /// # Errors
    /// [`RemoteError`]; the caller sends the same bytes again later.
    pub fn append_body(&self, body: &[u8], records: usize) -> Result<BatchAnswer, RemoteError> {
        let url = format!("{}/v1/records", self.base);
        let (status, answer) = self.retried(&url, ANSWER_BYTES_MAX, || {
            self.agent
                .post(&url)
                .content_type("application/octet-stream")
                .send(body)
        })?;
        if status == 200 {
            return match serde_json::from_slice::<Appended>(&answer) {
                Ok(it) if it.indexes.len() == records => Ok(BatchAnswer::Admitted(it.indexes)),
                Ok(_) => Err(RemoteError::Answer {
                    url,
                    why: "wrong number of indexes".to_owned(),
                }),
                Err(error) => Err(RemoteError::Answer {
                    url,
                    why: error.to_string(),
                }),
            };
        }
        match problem(url.clone(), status, &answer) {
            RemoteError::Problem { problem, .. } if problem.position.is_some() => {
                let indexes = problem.indexes.clone().unwrap_or_default();
                if problem.position != Some(indexes.len()) || indexes.len() >= records {
                    return Err(RemoteError::Answer {
                        url,
                        why: "positions disagree".to_owned(),
                    });
                }
                Ok(BatchAnswer::Refused { indexes, problem })
            }
            other => Err(other),
        }
    }

    fn retried(
        &self,
        url: &str,
        bytes_max: u64,
        ask: impl Fn() -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<(u16, Vec<u8>), RemoteError> {
        let begun = Instant::now();
        let mut pause = PAUSE_FIRST;
        loop {
            let why = match tried(ask(), bytes_max) {
                Tried::Answer(status, bytes) => return Ok((status, bytes)),
                Tried::Again(why) => why,
            };
            if begun.elapsed() + pause > self.retry_for {
                return Err(RemoteError::Away {
                    url: url.to_owned(),
                    why,
                });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_LONGEST);
        }
    }
}

fn tried(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>, bytes_max: u64) -> Tried {
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Tried::Again(error.to_string()),
    };
    let status = answer.status().as_u16();
    let mut bytes = Vec::new();
    let mut body = answer.body_mut().as_reader().take(bytes_max);
    match body.read_to_end(&mut bytes) {
        Ok(_) if matches!(status, 408 | 429 | 500 | 502 | 503 | 504) => {
            Tried::Again(format!("{status} {}", String::from_utf8_lossy(&bytes)))
        }
        Ok(_) => Tried::Answer(status, bytes),
        Err(error) => Tried::Again(error.to_string()),
    }
}

fn problem(url: String, status: u16, bytes: &[u8]) -> RemoteError {
    match serde_json::from_slice::<RemoteProblem>(bytes) {
        Ok(problem) => RemoteError::Problem {
            url,
            problem: Box::new(problem),
        },
        Err(_) => RemoteError::Answer {
            url,
            why: format!("status {status}"),
        },
    }
}
