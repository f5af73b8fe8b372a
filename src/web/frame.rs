//! What stands around every page: the ledger's name and keys, the language, links to other pages.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE, HOST, LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Site;
use super::robots::is_unindexed;
use super::texts::{Language, Texts, fill};
use crate::answer::Problem;
use crate::answer::extract::Query;
use crate::crypto::PublicKey;
use crate::figures::degrees;
use crate::ledger::State;
use crate::log::Log;
use crate::record::{Day, Index, Origin, RecordId, Text};

/// How long a browser keeps the language that a reader chose: a year.
const COOKIE_SECONDS: u32 = 31_536_000;

/// What of a request matters to a page.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    /// The language that the reader chose, or else prefers.
    pub language: Language,
    /// The path and query that were asked for.
    pub path: String,
    /// The host that the reader used.
    host: String,
    /// Whether a proxy before the server reports that the reader used TLS.
    tls: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // A header that is not ASCII counts as none.
        let header = |name| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        // A link in one language wins over what the reader chose elsewhere.
        let query = parts.uri.query().unwrap_or_default();
        let linked = query.split('&').find_map(|pair| pair.strip_prefix("lang="));
        let linked = linked.and_then(Language::of_tag);
        let chosen = header(COOKIE).and_then(|cookies| {
            let mut pairs = cookies
                .split(';')
                .filter_map(|pair| pair.trim().split_once('='));
            let (_, tag) = pairs.find(|(name, _)| *name == "lang")?;
            Language::of_tag(tag)
        });
        let accepted = || Language::accepted(header(ACCEPT_LANGUAGE).unwrap_or(""));
        // The host is printed, and put into commands: nothing is taken but what a host is made of.
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        let host = header(HOST).filter(|host| host.chars().all(plain));
        Ok(Self {
            language: linked.or(chosen).unwrap_or_else(accepted),
            path: parts
                .uri
                .path_and_query()
                .map_or("/", |target| target.as_str())
                .to_owned(),
            host: host.unwrap_or("localhost").to_owned(),
            tls: parts
                .headers
                .get("x-forwarded-proto")
                .is_some_and(|scheme| scheme == "https"),
        })
    }
}

/// The query of the switch of languages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LanguageQuery {
    /// The tag of the language to keep; English for a tag that is none of ours.
    to: String,
    /// The page to return to; the first one if left out, or if it is not of this site.
    #[serde(default)]
    back: String,
}

/// Keeps the language that a reader chose, and returns to the page.
pub(super) async fn language(Query(query): Query<LanguageQuery>) -> Response {
    let language = Language::of_tag(&query.to).unwrap_or(Language::English);
    let tag = language.tag();
    let cookie = format!("lang={tag}; Path=/; Max-Age={COOKIE_SECONDS}; SameSite=Lax");
    let here = |back: &String| {
        let rest = back.strip_prefix('/')?;
        let plain = back
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        (plain && !rest.starts_with('/')).then(|| back.to_owned())
    };
    let back = here(&query.back).unwrap_or_else(|| "/".to_owned());
    let headers = [(SET_COOKIE, cookie), (LOCATION, back)];
    (StatusCode::SEE_OTHER, headers).into_response()
}

impl Site {
    fn address(&self, visit: &Visit) -> String {
        let scheme = if self.tls || visit.tls {
            "https"
        } else {
            "http"
        };
        let used = || format!("{scheme}://{}", visit.host);
        self.public_url.clone().unwrap_or_else(used)
    }
}

/// The most log keys on a page: the newest. A receipt that an older one signed is verified elsewhere.
const LOG_KEYS_MAX: usize = 100;

/// What of the ledger stands around a page, as it was when the page looked.
pub(super) struct LedgerFacts {
    origin: Origin,
    genesis: RecordId,
    programme: Text<500>,
    /// The key that signs checkpoints, and the entry that names it.
    log_key: (PublicKey, Index),
    /// The newest keys that signed checkpoints, each with the entry that names it.
    log_keys: Vec<(PublicKey, Index)>,
    /// Number of entries.
    size: u64,
}

impl LedgerFacts {
    /// # Errors
    /// [`Problem`] for a ledger that has no genesis, which a log does not serve.
    pub(super) fn of(state: &State) -> Result<Self, Problem> {
        let head = state.globals();
        let genesis = head.genesis.clone();
        let (genesis, programme) =
            genesis.ok_or_else(|| Problem::contradiction("the ledger has no genesis"))?;
        let newest = head.log_keys.last();
        let newest = newest.ok_or_else(|| Problem::contradiction("the ledger has no log key"))?;
        let first = head.log_keys.len().saturating_sub(LOG_KEYS_MAX);
        Ok(Self {
            origin: head.origin.clone(),
            genesis,
            programme,
            log_key: *newest,
            log_keys: head.log_keys.iter().skip(first).copied().collect(),
            size: state.entries(),
        })
    }
}

/// What stands around a page. Templates call it `f`, and its texts `f.t`.
pub(super) struct Frame {
    /// The texts of the page's language.
    pub t: &'static Texts,
    pub language: Language,
    /// The log's name.
    pub origin: String,
    /// The programme, in the words of the genesis.
    pub programme: String,
    /// The verifier key of the key that signs checkpoints.
    pub vkey: String,
    /// The entry that names the key in `vkey`.
    pub log_key_at: u64,
    /// The keys that signed checkpoints, the newest last, as JSON: pairs of the entry that names it, and
    /// its verifier key.
    pub log_keys: String,
    /// The genesis record's id.
    pub genesis: String,
    /// Number of entries in the state that the page shows.
    pub size: u64,
    /// Whether the log takes no more records.
    pub halted: bool,
    /// The path and query that were asked for.
    pub path: String,
    /// The site's address, without a slash at its end.
    pub url: String,
    /// What the reader looked for; empty elsewhere.
    pub asked: String,
    /// Who runs it, how to reach them, and where the source code is, as far as the operator says so.
    pub site: Site,
}

impl Frame {
    /// The frame of a page of this ledger, whose log may have halted.
    pub(super) fn of(facts: LedgerFacts, visit: &Visit, site: &Site, halted: bool) -> Self {
        let vkey = |key: &PublicKey| crate::log::vkey(&facts.origin, *key).to_string();
        let (key, log_key_at) = &facts.log_key;
        let log_keys = facts.log_keys.iter();
        let log_keys: Value = log_keys.map(|(key, at)| json!([at.0, vkey(key)])).collect();
        Self {
            t: visit.language.texts(),
            language: visit.language,
            vkey: vkey(key),
            log_key_at: log_key_at.0,
            log_keys: log_keys.to_string(),
            origin: facts.origin.to_string(),
            programme: facts.programme.to_string(),
            genesis: facts.genesis.to_string(),
            size: facts.size,
            halted,
            path: visit.path.clone(),
            url: site.address(visit),
            asked: String::new(),
            site: site.clone(),
        }
    }

    /// The frame of a page that says what went wrong. That page verifies nothing, so even a log without a
    /// key or a genesis has one, with neither on it.
    pub(super) fn bare(log: &Log, visit: &Visit, site: &Site) -> Self {
        let (vkey, genesis, origin) = log.identity();
        Self {
            t: visit.language.texts(),
            language: visit.language,
            origin: origin.to_string(),
            programme: String::new(),
            vkey: vkey.map(|vkey| vkey.to_string()).unwrap_or_default(),
            log_key_at: 0,
            log_keys: "[]".to_owned(),
            genesis: genesis.map(|id| id.to_string()).unwrap_or_default(),
            size: 0,
            halted: false,
            path: visit.path.clone(),
            url: site.address(visit),
            asked: String::new(),
            site: site.clone(),
        }
    }

    /// Each language, and what it calls itself.
    pub(super) fn languages(&self) -> [(Language, &'static str); 3] {
        Language::ALL.map(|language| (language, language.texts().language.as_str()))
    }

    /// Whether no crawler may keep this page.
    pub(super) fn is_unindexed(&self) -> bool {
        is_unindexed(&self.path)
    }

    /// The link by which whoever runs it is reached.
    pub(super) fn contact(&self) -> Option<String> {
        let contact = self.site.contact.as_deref()?;
        let is_page = contact.starts_with("https://") || contact.starts_with("http://");
        Some(if is_page {
            contact.to_owned()
        } else {
            format!("mailto:{contact}")
        })
    }

    /// This program's version.
    pub(super) fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// This page's path and query without the language of a link, escaped so that they can be part of a query.
    pub(super) fn back(&self) -> String {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(byte);
        let mut back = String::new();
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let kept = query
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("lang="));
        let kept = kept.collect::<Vec<_>>().join("&");
        let whole = if kept.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{kept}")
        };
        for byte in whole.as_bytes() {
            if plain(byte) {
                back.push(char::from(*byte));
            } else {
                back.push_str(&format!("%{byte:02X}"));
            }
        }
        back
    }

    /// A whole number with its thousands apart.
    pub(super) fn n(&self, number: impl Into<Count>) -> String {
        self.language.number(number.into().0)
    }

    /// A number as the reader's language writes it.
    pub(super) fn decimal(&self, english: String) -> String {
        self.language.decimal(english)
    }

    /// A colon with the blanks that the reader's language has around it.
    pub(super) fn colon(&self) -> &'static str {
        match self.language {
            Language::English => ": ",
            Language::French => "\u{a0}: ",
            Language::Chinese => "：",
        }
    }

    /// A comma with the blank that the reader's language has behind it.
    pub(super) fn comma(&self) -> &'static str {
        match self.language {
            Language::English | Language::French => ", ",
            Language::Chinese => "，",
        }
    }

    /// A length in metres, as kilometres where it is a whole number of these.
    pub(super) fn length(&self, metres: f64) -> String {
        let whole = |number: f64| self.n(format!("{number:.0}").parse::<u64>().unwrap_or_default());
        if metres < 1_000.0 {
            fill(&self.t.metres, whole(metres))
        } else {
            fill(&self.t.kilometres, whole(metres / 1_000.0))
        }
    }

    /// What opens a parenthesis behind a word.
    pub(super) fn open(&self) -> &'static str {
        match self.language {
            Language::English | Language::French => " (",
            Language::Chinese => "（",
        }
    }

    /// What closes it.
    pub(super) fn close(&self) -> &'static str {
        match self.language {
            Language::English | Language::French => ")",
            Language::Chinese => "）",
        }
    }

    /// A day as the reader's language writes it.
    pub(super) fn day(&self, day: &Day) -> String {
        self.language.day(*day)
    }

    /// A span of days; the day, if it is one.
    pub(super) fn span(&self, from: &Day, until: &Day) -> String {
        self.language.span(*from, *until)
    }

    /// Ten-millionths of a degree, as degrees.
    pub(super) fn degrees(&self, e7: i32) -> String {
        self.decimal(degrees(e7))
    }

    /// How many trees were looked for, in words.
    pub(super) fn of_looked_for(&self, trees: &u64) -> String {
        let parts = [("looked_for", self.n(trees))];
        self.language.say(&self.t.of_looked_for, &parts)
    }

    /// That the log takes no records, and what the page is of, in words.
    pub(super) fn halted_at(&self) -> String {
        self.language
            .say(&self.t.halted, &[("size", self.n(self.size))])
    }

    /// How many entries the page is of, in words.
    pub(super) fn as_of(&self) -> String {
        self.language
            .say(&self.t.as_of, &[("size", self.n(self.size))])
    }
}

/// A number to show, whatever its width. Askama passes references.
pub(super) struct Count(u128);

macro_rules! counts {
    ($($int:ty)*) => {$(
        impl From<$int> for Count {
            fn from(number: $int) -> Self {
                Self(number.into())
            }
        }
        impl From<&$int> for Count {
            fn from(number: &$int) -> Self {
                Self((*number).into())
            }
        }
    )*};
}
counts!(u32 u64 u128);
