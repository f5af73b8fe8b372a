//! A log's server, over HTTP.

use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::roots::CertificateRoots;
use super::servers::{Round, Servers};
use crate::crypto::PublicKey;
use crate::record::{
    CodecError, Day, Index, Origin, RecordId, Seq, SignedRecord, Statement, append_frame,
};

/// How long a server may be unreachable before a sender gives up; its journal keeps what is unsent.
const RETRY_FOR: Duration = Duration::from_secs(120);
/// Pauses between tries begin with this and double, up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LONGEST: Duration = Duration::from_secs(5);
/// One request takes no longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// One request to one of several servers takes no longer: then the same bytes go to another.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// A connection that is not made by then is tried again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A request without an answer for so long is one that is waited for, and told as that.
const SILENCE: Duration = Duration::from_secs(5);
/// Waiting is told at once, and then not again before this has passed.
const TELL_EVERY: Duration = Duration::from_secs(15);
/// The field of answers by which a server says that it follows, and how far behind it may be.
const FOLLOWS: &str = "arborlog-lag";
/// No answer is longer.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A log's server, or several that share the log.
#[derive(Clone, Debug)]
pub struct Remote {
    /// The first address: what is asked is named by it.
    base: String,
    servers: Arc<Servers>,
    agent: ureq::Agent,
    retry_for: Duration,
    tell: Option<fn(&Waiting<'_>)>,
    /// When waiting was told last.
    told: Arc<Mutex<Option<Instant>>>,
}

/// A server is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    /// What is asked.
    pub url: &'a str,
    /// Why there is no answer.
    pub why: &'a str,
    /// How long the sender continues to ask before it gives up.
    pub more: Duration,
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
    /// Which of those, from 0, were in before the request.
    pub already_in: Option<Vec<usize>>,
    /// Of a sealed batch whose statements are refused: each of them.
    #[serde(default)]
    pub refused: Option<Vec<RefusedStatement>>,
    /// A checkpoint that covers all that the refusal rests on.
    #[serde(default)]
    pub checkpoint: Option<String>,
}

/// A statement of a sealed batch that is refused.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct RefusedStatement {
    /// Which of the batch, from 0.
    pub position: usize,
    /// The stable name of the reason.
    pub code: String,
    /// What is wrong with it.
    #[serde(default)]
    pub detail: String,
    /// What would be right.
    #[serde(default)]
    pub advice: String,
}

/// Why a server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No answer, or one that breaks off, for longer than it was tried.
    #[error("{url}: {why}; tried for {} s. Run the same command again when it answers", .tried_for.as_secs())]
    Away {
        /// What was asked.
        url: String,
        /// What happened last.
        why: String,
        /// How long it was tried.
        tried_for: Duration,
    },
    /// The address can't be one of a server.
    #[error("{base:?} is no address of a server: {why}")]
    Address {
        /// What was given.
        base: String,
        /// What is wrong with it.
        why: String,
    },
    /// It could not be asked, and asking again would not help.
    #[error("{url}: {why}")]
    Unusable {
        /// What was asked.
        url: String,
        /// What is wrong, and what to do.
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

/// Where an issuer's chain continues.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct IssuerHead {
    /// The next record's sequence number.
    pub next_seq: Seq,
    /// What its `prev` must be.
    pub prev: RecordId,
    /// The day of issue of the record before it: the next one's is not earlier.
    pub last_issued_on: Option<Day>,
}

impl IssuerHead {
    /// The day for which the next record is signed, if it is `today` by this machine's clock.
    pub fn issue_day(&self, today: Day) -> Day {
        self.last_issued_on.map_or(today, |last| last.max(today))
    }
}

/// The newest record of an issuer, as the ledger has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChainEnd {
    /// Its place in the issuer's chain.
    pub seq: Seq,
    /// Its id, which the next record names.
    pub id: RecordId,
    /// Its entry.
    pub index: Index,
}

/// The task of a key.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
pub struct KeyTask {
    /// The name of its role.
    pub role: String,
    /// The slug of its holder; a governor's and a log's have none.
    pub holder: Option<String>,
}

/// What the server says of a key. Unproven: an entry of the log that it names can be proven.
#[derive(Clone, Debug, Deserialize)]
pub struct IssuerState {
    /// What it may say, and for whom.
    #[serde(flatten)]
    pub task: KeyTask,
    /// What the next record's `prev` must be.
    pub prev: RecordId,
    /// Its newest record, if there is one.
    pub head: Option<ChainEnd>,
    /// The day of issue of that record.
    pub last_issued_on: Option<Day>,
    /// The last day on which it may sign.
    pub expires_on: Option<Day>,
    /// The entry that revoked it.
    pub revoked_at: Option<Index>,
    /// How many entries of the log the answer rests on.
    pub as_of_size: u64,
}

/// What a server answered to a batch.
#[derive(Clone, Debug)]
pub enum Sent {
    /// Judged, in order, up to the first refused record.
    Judged {
        /// The indexes of those that are in.
        indexes: Vec<Index>,
        /// Which of them, from 0, were in before the request that was answered.
        already_in: Vec<usize>,
        /// A try before that request got no answer, and may have arrived: what was in already may
        /// be in by it.
        unanswered_before: bool,
        /// A checkpoint that covers them; none is said of an empty batch.
        checkpoint: Option<String>,
        /// Why the one after them is refused.
        refused: Option<Box<RemoteProblem>>,
    },
    /// The body is larger than the server, or a proxy before it, takes. Nothing of it is in.
    TooLarge,
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
    already_in: Vec<usize>,
    #[serde(default)]
    checkpoint: Option<String>,
}

/// A batch as it is sent: each record behind its length.
///
/// # Errors
/// [`CodecError`] when a record can't be written.
pub fn batch_body(records: &[SignedRecord]) -> Result<Vec<u8>, CodecError> {
    let mut body = Vec::new();
    for record in records {
        append_frame(&record.encode()?, &mut body);
    }
    Ok(body)
}

/// Problems of a server that took nothing of the request, so that nothing of it can come in later.
const NOTHING_TAKEN: [&str; 5] = [
    "body_late",
    "memory_full",
    "queue_full",
    "issuer_queue_full",
    "not_leading",
];

/// An answer that is one.
pub(super) struct Answer {
    pub status: u16,
    pub bytes: Vec<u8>,
    /// A try before it may have arrived too.
    pub unanswered_before: bool,
}

/// What a request asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    ToRead,
    ToAppend,
}

/// One try's outcome.
enum Tried {
    Answer(u16, Vec<u8>),
    /// It may pass.
    Again(String, Arrived),
    /// It will not.
    Never(String),
}

/// Whether a request without an answer may have done what it asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arrived {
    No,
    Perhaps,
}

/// The authorities that this system trusts, if an address needs any.
fn usual_roots(base: &str) -> CertificateRoots {
    match base.split(',').any(is_https) {
        true => CertificateRoots::system(),
        false => CertificateRoots::none(),
    }
}

impl Remote {
    /// The server at this URL; or those at several, with commas between, which share a log: each request is sent
    /// to the one that leads, and the same bytes to another when that one does not answer. One with https must
    /// show a certificate by an authority that this system trusts ([`CertificateRoots::system`]).
    pub fn new(base: &str) -> Self {
        Self::trusting(base, usual_roots(base))
    }

    /// The server at this URL, whose certificate must be by one of these authorities.
    pub fn trusting(base: &str, roots: CertificateRoots) -> Self {
        let servers = Servers::at(base);
        let timeout = match servers.are_several() {
            true => ATTEMPT_TIMEOUT,
            false => REQUEST_TIMEOUT,
        };
        Self::answering_within(servers, roots, timeout)
    }

    /// The server at this URL, for whose answer nobody waits: it is asked once, and has 10 s for a whole answer. Its
    /// certificate must be by one of these authorities, or by one that this system trusts.
    pub fn unawaited(base: &str, roots: Option<CertificateRoots>) -> Self {
        let roots = roots.unwrap_or_else(|| usual_roots(base));
        Self::answering_within(Servers::at(base), roots, CONNECT_TIMEOUT)
            .retrying_for(Duration::ZERO)
    }

    fn answering_within(servers: Servers, roots: CertificateRoots, timeout: Duration) -> Self {
        let tls = ureq::tls::TlsConfig::builder()
            .root_certs(roots.certificates())
            .build();
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .timeout_connect(Some(CONNECT_TIMEOUT.min(timeout)))
            .http_status_as_error(false)
            .tls_config(tls)
            .build();
        Self {
            base: servers.first().to_owned(),
            servers: Arc::new(servers),
            agent: config.into(),
            retry_for: RETRY_FOR,
            tell: None,
            told: Arc::default(),
        }
    }

    /// Checks that the address can be one of a server, without asking it.
    ///
    /// # Errors
    /// [`RemoteError::Address`].
    pub fn check_address(&self) -> Result<(), RemoteError> {
        self.servers.bases().try_for_each(check_address)
    }

    /// Gives up sooner or later than two minutes.
    #[must_use]
    pub fn retrying_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }

    /// Calls this when a server is waited for: at once, and every 15 s as long as it lasts.
    #[must_use]
    pub fn telling(mut self, tell: fn(&Waiting<'_>)) -> Self {
        self.tell = Some(tell);
        self
    }

    pub(super) fn agent(&self) -> &ureq::Agent {
        &self.agent
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
        let answer = self.retried(&url, (Asks::ToRead, ANSWER_BYTES_MAX), |url| {
            self.agent.get(url).call()
        })?;
        match (answer.status, answer.bytes) {
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
        let answer = self.retried(&url, (Asks::ToRead, bytes_max), |url| {
            self.agent.get(url).call()
        })?;
        match (answer.status, answer.bytes) {
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

    /// The ledger's origin, as the server's genesis says it.
    ///
    /// # Errors
    /// [`RemoteError::Answer`] when entry 0 is no genesis.
    pub fn origin(&self) -> Result<Origin, RemoteError> {
        #[derive(Deserialize)]
        struct GenesisEntry {
            statement: Statement,
        }
        let genesis = self.json::<GenesisEntry>("v1/entries/0");
        let genesis = genesis.map_err(|error| match error {
            // What a server says of a path that it has not, or whatever stands before it.
            RemoteError::Problem { .. } | RemoteError::Answer { .. }
                if self.base.ends_with("/v1") =>
            {
                RemoteError::Address {
                    base: self.base.clone(),
                    why: "it ends in /v1, which is added to it; leave that out".to_owned(),
                }
            }
            error => error,
        });
        match genesis?.statement {
            Statement::Genesis(genesis) => Ok(genesis.origin),
            other => Err(RemoteError::Answer {
                url: format!("{}/v1/entries/0", self.base),
                why: format!("entry 0 is {}, no genesis", other.kind().with_article()),
            }),
        }
    }

    /// Where an issuer's chain continues.
    ///
    /// # Errors
    /// [`RemoteError::Problem`] with `not_found` for a key that was never granted.
    pub fn issuer(&self, key: &PublicKey) -> Result<IssuerHead, RemoteError> {
        self.json(&format!("v1/issuers/{key}"))
    }

    /// What the server says of a key.
    ///
    /// # Errors
    /// [`RemoteError::Problem`] with `not_found` for a key that was never granted.
    pub fn issuer_state(&self, key: &PublicKey) -> Result<IssuerState, RemoteError> {
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

    /// As [`Self::append`], of a body of `records` records that [`batch_body`] wrote.
    ///
    /// # Errors
    /// [`RemoteError`]; the caller sends the same bytes again later.
    pub fn append_body(&self, body: &[u8], records: usize) -> Result<BatchAnswer, RemoteError> {
        match self.send(body, records)? {
            Sent::Judged {
                indexes,
                refused: None,
                ..
            } => Ok(BatchAnswer::Admitted(indexes)),
            Sent::Judged {
                indexes,
                refused: Some(problem),
                ..
            } => Ok(BatchAnswer::Refused { indexes, problem }),
            Sent::TooLarge => Err(RemoteError::Answer {
                url: format!("{}/v1/records", self.base),
                why: "the batch is larger than it takes (413)".to_owned(),
            }),
        }
    }

    /// Sends the body of `records` records, that [`batch_body`] wrote, until it is answered.
    ///
    /// # Errors
    /// [`RemoteError`]; the caller sends the same bytes again later.
    pub fn send(&self, body: &[u8], records: usize) -> Result<Sent, RemoteError> {
        let url = format!("{}/v1/records", self.base);
        let Answer {
            status,
            bytes: answer,
            unanswered_before,
        } = self.posted(&url, "application/octet-stream", body)?;
        if status == 413 {
            return Ok(Sent::TooLarge);
        }
        let wrong = |why: String| RemoteError::Answer {
            url: url.clone(),
            why,
        };
        if status == 200 {
            let appended = serde_json::from_slice::<Appended>(&answer)
                .map_err(|error| wrong(error.to_string()))?;
            if appended.indexes.len() != records {
                return Err(wrong("wrong number of indexes".to_owned()));
            }
            if !are_places(&appended.already_in, records) {
                return Err(wrong(NO_PLACES.to_owned()));
            }
            return Ok(Sent::Judged {
                indexes: appended.indexes,
                already_in: appended.already_in,
                unanswered_before,
                checkpoint: appended.checkpoint,
                refused: None,
            });
        }
        match problem(url.clone(), status, &answer) {
            RemoteError::Problem { mut problem, .. } if problem.position.is_some() => {
                let indexes = problem.indexes.clone().unwrap_or_default();
                if problem.position != Some(indexes.len()) || indexes.len() >= records {
                    return Err(wrong("positions disagree".to_owned()));
                }
                let already_in = problem.already_in.take().unwrap_or_default();
                if !are_places(&already_in, indexes.len()) {
                    return Err(wrong(NO_PLACES.to_owned()));
                }
                Ok(Sent::Judged {
                    indexes,
                    already_in,
                    unanswered_before,
                    checkpoint: problem.checkpoint.take(),
                    refused: Some(problem),
                })
            }
            other => Err(other),
        }
    }

    /// Sends a body until it is answered.
    pub(super) fn posted(
        &self,
        url: &str,
        media_type: &str,
        body: &[u8],
    ) -> Result<Answer, RemoteError> {
        self.retried(url, (Asks::ToAppend, ANSWER_BYTES_MAX), |url| {
            self.agent.post(url).content_type(media_type).send(body)
        })
    }

    fn retried(
        &self,
        url: &str,
        (asks, bytes_max): (Asks, u64),
        ask: impl Fn(&str) -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer, RemoteError> {
        self.check_address()?;
        let begun = Instant::now();
        let mut pause = PAUSE_FIRST;
        let mut unanswered_before = false;
        let mut round = Round::begin(self.servers.addresses.len());
        loop {
            let address = self.servers.current();
            let asked = address.named(url, &self.base);
            let tried = self.watched(&asked, begun, || {
                self.tried(ask(&asked), (asks, bytes_max), &address.reached)
            });
            let why = match tried {
                Tried::Answer(status, bytes) => {
                    return Ok(Answer {
                        status,
                        bytes,
                        unanswered_before,
                    });
                }
                Tried::Again(why, arrived) => {
                    round.has_hope();
                    unanswered_before |= arrived == Arrived::Perhaps;
                    why
                }
                Tried::Never(why) if round.is_hopeless() => {
                    return Err(RemoteError::Unusable { url: asked, why });
                }
                Tried::Never(why) => why,
            };
            // The same bytes elsewhere, at once; a pause comes when all were asked.
            self.servers.turn();
            if !round.is_over() && begun.elapsed() < self.retry_for {
                continue;
            }
            if begun.elapsed() + pause > self.retry_for {
                return Err(RemoteError::Away {
                    url: url.to_owned(),
                    why,
                    tried_for: begun.elapsed(),
                });
            }
            self.tell_waiting(url, &why, begun);
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_LONGEST);
        }
    }

    /// Makes one try, and tells when it gets no answer for a while.
    fn watched(&self, url: &str, begun: Instant, attempt: impl FnOnce() -> Tried) -> Tried {
        if self.tell.is_none() {
            return attempt();
        }
        let (answered, waiting) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let watch = move || {
                while let Err(RecvTimeoutError::Timeout) = waiting.recv_timeout(SILENCE) {
                    self.tell_waiting(url, "no answer yet", begun);
                }
            };
            // Without a thread to give, the try is made all the same.
            let _ = std::thread::Builder::new().spawn_scoped(scope, watch);
            let tried = attempt();
            drop(answered);
            tried
        })
    }

    fn tell_waiting(&self, url: &str, why: &str, begun: Instant) {
        let Some(tell) = self.tell else {
            return;
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            let more = self.retry_for.saturating_sub(begun.elapsed());
            tell(&Waiting { url, why, more });
            *told = Some(Instant::now());
        }
    }

    fn tried(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        (asks, bytes_max): (Asks, u64),
        reached: &AtomicBool,
    ) -> Tried {
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(error) => return failed(&error, reached.load(Ordering::Relaxed)),
        };
        reached.store(true, Ordering::Relaxed);
        // What it knows may be older than what another answered just now. What it says of a request to append it
        // said when it led.
        let follows = asks == Asks::ToRead
            && self.servers.are_several()
            && answer.headers().contains_key(FOLLOWS);
        let status = answer.status().as_u16();
        let mut bytes = Vec::new();
        let mut body = answer.body_mut().as_reader().take(bytes_max);
        match body.read_to_end(&mut bytes) {
            Ok(_) if matches!(status, 408 | 429 | 500 | 502 | 503 | 504) => busy(status, &bytes),
            Ok(_) if follows => {
                Tried::Again("it follows, and does not lead".to_owned(), Arrived::No)
            }
            Ok(_) => Tried::Answer(status, bytes),
            Err(error) => Tried::Again(error.to_string(), Arrived::Perhaps),
        }
    }
}

/// Tells what may pass from what asking again can't mend.
fn failed(error: &ureq::Error, reached: bool) -> Tried {
    use ureq::Error;
    let why = error.to_string();
    match error {
        Error::BadUri(_) | Error::Http(_) => {
            Tried::Never(format!("{why}; write http://HOST:PORT or https://HOST"))
        }
        Error::HostNotFound if !reached => Tried::Never(unknown_host(&why)),
        // The system's resolver has no kind of error of its own.
        Error::Io(_) if why.contains("failed to lookup address") && !reached => {
            Tried::Never(unknown_host(&why))
        }
        // rustls says so of a certificate that does not hold, and of a server without TLS.
        Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => {
            Tried::Never(wrong_tls(&why))
        }
        Error::Tls(_) | Error::Rustls(_) | Error::Pem(_) | Error::TlsRequired => {
            Tried::Never(wrong_tls(&why))
        }
        Error::RedirectFailed | Error::TooManyRedirects => Tried::Never(format!(
            "{why}: the server redirects to another address; give that one"
        )),
        Error::InvalidProxyUrl => Tried::Never(format!("{why}: see HTTP_PROXY and HTTPS_PROXY")),
        // Once it answered as it should, a torn answer may pass.
        Error::Protocol(_) if !reached => Tried::Never(format!(
            "{why}; what listens there speaks no HTTP. If it has TLS, write https:// before its name"
        )),
        Error::Io(io) if !reached && io.kind() == std::io::ErrorKind::ConnectionRefused => {
            Tried::Never(format!(
                "{why}; nothing listens there. Check the host and the port, and that the server runs"
            ))
        }
        Error::Io(io) if !reached && never_connects(io.kind()) => {
            Tried::Never(format!("{why}; check the address and the port"))
        }
        _ => Tried::Again(why, arrived(error)),
    }
}

/// Checks that an address can be one of a server.
fn check_address(base: &str) -> Result<(), RemoteError> {
    let wrong = |why: &str| RemoteError::Address {
        base: base.to_owned(),
        why: why.to_owned(),
    };
    let Some((scheme, rest)) = base.split_once("://") else {
        return Err(wrong(if matches!(base, "http:" | "https:") {
            "it names no host"
        } else if Path::new(base).is_dir() {
            "it is a folder; write the URL of the server that serves it, such as http://127.0.0.1:8080"
        } else {
            "it has no scheme; write http:// or https:// before it"
        }));
    };
    if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
        return Err(wrong("its scheme is not http or https"));
    }
    if rest.starts_with(['/', ':']) {
        return Err(wrong("it names no host"));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    // The colons of an address of version 6 stand in brackets.
    let after_host = authority.rsplit(']').next().unwrap_or(authority);
    if let Some((_, port)) = after_host.rsplit_once(':')
        && !port.parse::<u16>().is_ok_and(|port| port > 0)
    {
        return Err(wrong("its port is no number from 1 to 65535"));
    }
    Ok(())
}

/// Whether a request that failed so may have reached the server.
fn arrived(error: &ureq::Error) -> Arrived {
    use ureq::{Error, Timeout};
    match error {
        Error::HostNotFound
        | Error::ConnectionFailed
        | Error::Timeout(Timeout::Resolve | Timeout::Connect) => Arrived::No,
        Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => Arrived::No,
        _ => Arrived::Perhaps,
    }
}

const NO_PLACES: &str = "already_in names no places of the batch";

/// Whether these are places of `count` records, each named once and in order.
fn are_places(places: &[usize], count: usize) -> bool {
    places.is_sorted_by(|one, next| one < next) && places.last().is_none_or(|last| *last < count)
}

fn is_https(url: &str) -> bool {
    url.get(..8)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

/// Whether the system refuses to try this address at all.
fn never_connects(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind;
    matches!(
        kind,
        ErrorKind::InvalidInput | ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied
    )
}

/// The most of an answer that is shown, in bytes.
const SHOWN_BYTES_MAX: usize = 200;

/// What a server says that can't answer now.
fn busy(status: u16, bytes: &[u8]) -> Tried {
    match serde_json::from_slice::<RemoteProblem>(bytes) {
        Ok(problem) => {
            let arrived = match NOTHING_TAKEN.contains(&problem.code.as_str()) {
                true => Arrived::No,
                false => Arrived::Perhaps,
            };
            let words = format!("{status} {} ({})", problem.detail, problem.code);
            Tried::Again(words, arrived)
        }
        Err(_) => {
            let shown = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes);
            let text = String::from_utf8_lossy(shown);
            let line = text.lines().next().unwrap_or_default();
            let words = format!("{status} {line}").trim_end().to_owned();
            Tried::Again(words, Arrived::Perhaps)
        }
    }
}

fn unknown_host(why: &str) -> String {
    format!("{why}; check the host's name, it can't be looked up")
}

fn wrong_tls(why: &str) -> String {
    format!(
        "{why}; the server's certificate is not trusted for this host, or the port has no TLS. An authority of your own is named by: --cacert FILE"
    )
}

pub(super) fn problem(url: String, status: u16, bytes: &[u8]) -> RemoteError {
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
