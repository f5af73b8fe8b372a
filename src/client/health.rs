//! Whether a server serves, and whether it admits records, asked once and for a short time.

use std::time::Duration;

use super::remote::{Remote, RemoteError};

/// What is read of an answer, at most.
const ANSWER_BYTES_MAX: u64 = 4 << 10;

/// What a server says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// All is as it should be.
    Well,
    /// It is not, for this reason.
    Unwell(String),
}

impl Remote {
    /// Whether the server would judge a record that is sent now. It is asked once.
    ///
    /// # Errors
    /// [`RemoteError`] when there is no answer within this time, or it is not an arborlog server's.
    pub fn admits(&self, within: Duration) -> Result<Health, RemoteError> {
        self.asked_once("readyz", "ready\n", within)
    }

    /// Whether the server serves, leading or not. It is asked once.
    ///
    /// # Errors
    /// As of [`Remote::admits`].
    pub fn serves(&self, within: Duration) -> Result<Health, RemoteError> {
        self.asked_once("healthz", "ok\n", within)
    }

    /// The time of day that a server says with any answer, in the form of HTTP (RFC 9110, 5.6.7); `None` if it says
    /// none. It is asked once, for a path that need not be there.
    ///
    /// # Errors
    /// [`RemoteError::Away`] when there is no answer within this time.
    pub fn time_of_day(&self, within: Duration) -> Result<Option<String>, RemoteError> {
        let url = format!("{}/", self.base());
        let request = self.agent().get(&url).config();
        let request = request.timeout_global(Some(within)).max_redirects(0);
        let request = request
            .max_redirects_will_error(false)
            .http_status_as_error(false);
        let answer = request.build().call().map_err(|error| RemoteError::Away {
            url: url.clone(),
            why: error.to_string(),
            tried_for: within,
        })?;
        let date = answer.headers().get("date");
        Ok(date.and_then(|date| date.to_str().ok()).map(str::to_owned))
    }

    /// One answer of a probe, which says so when all is well.
    fn asked_once(&self, path: &str, well: &str, within: Duration) -> Result<Health, RemoteError> {
        let url = format!("{}/{path}", self.base());
        let away = |error: ureq::Error| RemoteError::Away {
            url: url.clone(),
            why: error.to_string(),
            tried_for: within,
        };
        let request = self.agent().get(&url).config();
        // Who answers from elsewhere is not the server that is asked.
        let request = request.timeout_global(Some(within)).max_redirects(0);
        let request = request.max_redirects_will_error(false).build();
        let mut answer = request.call().map_err(away)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let text = body.read_to_string().map_err(away)?;
        match status {
            200 if text == well => Ok(Health::Well),
            503 => Ok(Health::Unwell(text.lines().next().unwrap_or("").to_owned())),
            404 => Err(RemoteError::Unusable {
                why: "there is no such path: it may be at the address of --admin-listen".to_owned(),
                url,
            }),
            _ => Err(RemoteError::Answer {
                why: format!("status {status}, where it says {well:?} when all is well"),
                url,
            }),
        }
    }
}
