//! The pages for people. The server renders them whole; scripts only verify, in the reader's own
//! browser (`verifier`), and show new entries as they come (`docs/web.md`).

mod account;
mod any;
mod assets;
mod badge;
mod check;
mod drawing;
mod embed;
mod entry;
mod feed;
mod frame;
mod gallery;
mod home;
mod install;
mod life;
mod lineage;
mod live;
mod method;
mod names;
mod overview;
mod panel;
mod plot;
mod robots;
mod say;
mod scripts;
mod search;
mod spelling;
mod texts;
mod tree;

use std::fmt::Display;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::MatchedPath;
use axum::extract::{Request, State as Extract};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;

use crate::answer::reader_limits::{SEARCHES_EACH, SEARCHES_MAX, STREAMS_EACH, STREAMS_MAX};
use crate::answer::{Closing, PageRoutes, Problem, ProblemCode, ReadTurns, hold_answer, take_turn};
use crate::ledger::State;
use crate::log::{Log, ReadError, Status};
use crate::record::{CodecError, Entry, FullEntry, Index, Stated};
use crate::shares::Shares;
pub use any::check_page;
use frame::{Frame, LedgerFacts, Visit};

/// Nothing from another host, no inline script or style, no frames, and no forms but to this site.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// The address of the site.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The address that printed links lead to, such as `https://ledger.example.org`; without it, the one
    /// that a reader used.
    pub public_url: Option<String>,
    /// Whether the server itself speaks TLS.
    pub tls: bool,
    /// Who runs it, for the foot of each page.
    pub operator: Option<String>,
    /// How to reach them: an address of mail or of a page.
    pub contact: Option<String>,
    /// Where the source code of what runs here can be had.
    pub source: Option<String>,
}

/// What pages are made of.
struct Pages {
    log: Arc<Log>,
    site: Site,
    /// The sums of the first page.
    overview: overview::KeptOverview,
    /// Tells streams that the server stops.
    closing: Closing,
    /// Streams of new entries.
    streams: Shares,
    /// Searches for a record.
    searches: Shares,
}

/// A page, or the problem that is shown in its place.
type PageResult = Result<Html<String>, Problem>;

/// All pages of a log.
pub fn pages(log: Arc<Log>, site: Site, closing: Closing) -> PageRoutes {
    texts::Language::read_all();
    let pages = Arc::new(Pages {
        log,
        site,
        overview: overview::KeptOverview::default(),
        closing,
        streams: Shares::new(STREAMS_MAX, STREAMS_EACH),
        searches: Shares::new(SEARCHES_MAX, SEARCHES_EACH),
    });
    let router = Router::new()
        .route("/", get(home::home))
        .route("/totals", get(home::totals))
        .route("/tree/{plot}/{serial}", get(tree::tree))
        .route("/certificate/{index}", get(tree::certificate))
        .route("/plot/{number}", get(plot::plot))
        .route("/plot/{number}/feed.atom", get(feed::plot))
        .route("/badge/certificate/{file}", get(badge::certificate))
        .route("/account/{id}", get(account::account))
        .route("/account/{id}/trees", get(gallery::gallery))
        .route("/entry/{index}", get(entry::entry))
        .route("/method", get(method::method))
        .route("/receipt", get(check::receipt))
        .route("/check", get(check::check))
        .route(any::PATH, get(any::any))
        .route("/embed/certificate/{index}", get(embed::certificate))
        .route("/manifest.webmanifest", get(install::manifest))
        .route("/governance", get(check::governance))
        .route("/language", get(frame::language))
        .layer(axum::middleware::from_fn(take_turn))
        .merge(
            // Turns of its own: a search waits for others to end, and holds up no other page.
            Router::new()
                .route("/search", get(search::search))
                .layer(axum::middleware::from_fn(take_turn))
                .layer(axum::Extension(ReadTurns::new())),
        )
        .route("/robots.txt", get(robots::robots))
        .fallback(nothing)
        .layer(axum::middleware::from_fn(hold_answer))
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&pages),
            finish,
        ))
        .route("/live", get(live::live))
        .route("/favicon.ico", get(assets::favicon))
        .route("/worker.js", get(assets::worker))
        .route(
            "/web/{*name}",
            get(assets::asset).layer(axum::middleware::from_fn(take_turn)),
        )
        .with_state(pages);
    PageRoutes(router)
}

impl Pages {
    /// Looks at the ledger, in a bounded number of steps; what was seen is published when this
    /// returns.
    async fn look<T>(&self, look: impl FnOnce(&State) -> Result<T, Problem>) -> Result<T, Problem> {
        let (seen, _) = self.log.look_up(look).await?;
        seen
    }

    /// Looks at the ledger for a page, in a bounded number of steps, and gives the page's frame
    /// beside what was seen.
    async fn see<T>(
        &self,
        visit: &Visit,
        look: impl FnOnce(&State) -> Result<T, Problem>,
    ) -> Result<(T, Frame), Problem> {
        let both = |state: &State| Ok((look(state)?, LedgerFacts::of(state)?));
        let (seen, facts) = self.look(both).await?;
        Ok((seen, self.frame(facts, visit)))
    }

    /// As [`Self::see`], for what may take more steps the more the ledger holds: the sequencer does
    /// not wait for it.
    async fn see_image<T: Send + 'static>(
        &self,
        visit: &Visit,
        look: impl FnOnce(&State) -> Result<T, Problem> + Send + 'static,
    ) -> Result<(T, Frame), Problem> {
        let both = |state: &State| Ok::<_, Problem>((look(state)?, LedgerFacts::of(state)?));
        let (seen, _) = self.log.look_at_image(both).await?;
        let (seen, facts) = seen?;
        Ok((seen, self.frame(facts, visit)))
    }

    fn frame(&self, facts: LedgerFacts, visit: &Visit) -> Frame {
        let halted = matches!(self.log.status(), Status::Halted { .. });
        Frame::of(facts, visit, &self.site, halted)
    }

    /// An entry that the newest checkpoint covers.
    async fn entry(&self, index: Index) -> Result<(Bytes, FullEntry), Problem> {
        let size = self.log.published().head.tree.size;
        Ok(self.log.reader().full(index.0, size).await?)
    }
}

/// An entry of a bundle that was read: bytes that are none are a damaged store, not an entry less.
fn decode(index: u64, bytes: &[u8]) -> Result<Entry, Problem> {
    let damaged = |error: CodecError| ReadError::Damaged {
        tile: format!("entry {index}"),
        what: error.to_string(),
    };
    Ok(Entry::decode(bytes).map_err(damaged)?)
}

/// What an entry states, where nothing but a statement can stand.
fn stated(index: Index, entry: &FullEntry) -> Result<Stated<'_>, Problem> {
    let none = || Problem::contradiction(&format!("entry {index} is a state entry"));
    entry.stated().ok_or_else(none)
}

/// Makes a page of its template.
fn page(template: &impl Template) -> PageResult {
    template.render().map(Html).map_err(|error| broken(&error))
}

/// A page, or a drawing on it, that the program can't make.
fn broken(error: &dyn Display) -> Problem {
    let advice = "tell the operator";
    Problem::new(ProblemCode::PageBroken, &error.to_string(), advice)
}

/// A problem for what was asked for and is not there.
fn not_found(what: &str) -> Problem {
    Problem::not_found(&format!("there is no such {what} in this ledger"))
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    f: Frame,
    status: StatusCode,
    /// What is wrong, in English.
    detail: String,
}

impl ErrorPage {
    /// What is wrong, in the reader's language.
    fn title(&self) -> &str {
        let t = self.f.t;
        match self.status {
            StatusCode::NOT_FOUND => &t.error_not_found,
            StatusCode::SERVICE_UNAVAILABLE => &t.error_busy,
            _ => &t.error,
        }
    }
}

/// What is asked for at a path that nothing has.
async fn nothing() -> Problem {
    Problem::not_found("there is nothing at this path")
}

/// What a page may load, and who may frame it.
fn policy_of(path: &str) -> HeaderValue {
    match path {
        any::PATH => any::policy().unwrap_or(POLICY),
        path if path.starts_with(embed::PATHS) => embed::POLICY,
        _ => POLICY,
    }
}

/// Whether a page may be sent: to readers, not to programs that ask for what is not there.
fn wants_page(request: &Request) -> bool {
    let takes_html = |headers: &HeaderMap| {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        accept.is_some_and(|accept| accept.contains("text/html"))
    };
    request.extensions().get::<MatchedPath>().is_some() || takes_html(request.headers())
}

/// Makes pages of problems, leads other spellings of an address to the one it has, and gives every page its headers.
async fn finish(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    if let Some(meant) = spelling::canonical(&path) {
        let query = request.uri().query();
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        return Redirect::permanent(&format!("{meant}{query}")).into_response();
    }
    let wants_page = wants_page(&request);
    let mut response = next.run(request).await;
    if !wants_page {
        return response;
    }
    if let Some(problem) = response.extensions().get::<Problem>().cloned() {
        let page = ErrorPage {
            f: Frame::bare(&pages.log, &visit, &pages.site),
            status: problem.status(),
            detail: problem.detail().to_owned(),
        };
        // A page that can't be made leaves the problem as the API words it.
        if let Ok(html) = page.render() {
            response = (problem.status(), Html(html)).into_response();
            response.extensions_mut().insert(problem);
        }
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy_of(&path));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, HeaderValue::from_static("accept-language, cookie"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if robots::is_unindexed(&path) {
        headers.insert(robots::HEADER, robots::NOINDEX);
    }
    response
}
