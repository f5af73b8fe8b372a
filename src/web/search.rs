//! One box for all that people paste: an address of a page, a certificate, a tree, a plot, an account, an entry, a record,
//! by number, by id or the beginning of one, or by name.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::frame::{Frame, Visit};
use super::spelling::{half_width, meant, number};
use super::texts::{Texts, fill};
use super::{Pages, decode, page};
use crate::answer::extract::Query;
use crate::answer::reader_limits::{SEARCH_WAIT, SEARCHED_RECORDS_MAX};
use crate::answer::{Client, Problem, ProblemCode};
use crate::crypto::PublicKey;
use crate::ledger::{KeyRole, State};
use crate::merkle::TILE_HASHES;
use crate::record::{AccountId, Index, PlotNumber, Serial, SignedEntry, Statement};
use crate::shares::ClientNet;

/// Hexadecimal digits of the id of an account, a key or a record.
const ID_DIGITS: usize = 64;
/// The fewest digits of an id that are looked for: fewer are those of many.
const BEGINNING_MIN: usize = 8;
/// The longest question that is looked at, in characters.
const QUESTION_MAX: usize = 300;
/// The shortest name of which a part is looked for, in characters.
const NAME_MIN: usize = 2;
/// The most things that one answer lists.
const HITS_MAX: usize = 20;
/// The most plots whose names are looked through.
const PLOTS_MAX: usize = 20_000;
/// The most keys whose holders' names are looked through.
const KEYS_MAX: usize = 20_000;

/// The query of a search.
#[derive(Deserialize)]
pub(super) struct SearchQuery {
    /// What is looked for.
    #[serde(default)]
    q: String,
}

/// Something that a reader may have meant.
struct SearchHit {
    /// What kind of thing it is, in the reader's language.
    what: String,
    /// Its number, id or name.
    name: String,
    /// Its page.
    link: String,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    f: Frame,
    found: Vec<SearchHit>,
    /// Where it was looked for, in words.
    looked: String,
}

/// The kinds of things that a question may name beside a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Certificate,
    Tree,
    Plot,
    Account,
    Entry,
}

/// What each is called, in the languages of the pages and as people shorten it.
const NAMES: [(Named, &[&str]); 5] = [
    (
        Named::Certificate,
        &["certificate", "certificat", "cert.", "cert", "证书"],
    ),
    (Named::Tree, &["tree", "arbre", "树木", "树"]),
    (Named::Plot, &["plot", "parcelle", "地块"]),
    (Named::Account, &["account", "compte", "账户"]),
    (
        Named::Entry,
        &["entry", "entrée", "entree", "record", "记录"],
    ),
];
/// What stands between a name and its number.
const BETWEEN: &[&str] = &[
    "number", "numéro", "no.", "n°", "nº", "№", "编号", "号", "#", ":", "：",
];

/// A question as it is understood.
struct Asked {
    /// The kind that it names, if it does.
    named: Option<Named>,
    /// The rest, in half width.
    rest: String,
}

impl Asked {
    fn of(question: &str) -> Self {
        let text: String = half_width(question).chars().take(QUESTION_MAX).collect();
        let text = text.trim();
        let lower = text.to_lowercase();
        for (named, names) in NAMES {
            let Some(rest) = names.iter().find_map(|name| lower.strip_prefix(name)) else {
                continue;
            };
            let mut rest = rest.trim();
            for word in BETWEEN {
                rest = rest.strip_prefix(word).map_or(rest, str::trim_start);
            }
            // `Plotinus` is no plot: behind the name stands a number, or an id.
            if rest.starts_with(|c: char| c.is_ascii_hexdigit() || c == '+')
                && rest.contains(|c: char| c.is_ascii_digit())
            {
                return Self {
                    named: Some(named),
                    rest: rest.trim_end_matches(['号', '.']).trim().to_owned(),
                };
            }
        }
        Self {
            named: None,
            rest: text.to_owned(),
        }
    }

    fn means(&self, named: Named) -> bool {
        self.named.is_none_or(|own| own == named)
    }
}

/// The page that an address of a page leads to: one of this site, or of another that shows the same ledger.
fn page_of_address(text: &str) -> Option<String> {
    let path = match text.split_once("://") {
        Some((_, behind)) => behind.find('/').and_then(|at| behind.get(at..))?,
        None if text.starts_with('/') => text,
        None => return None,
    };
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let pages = ["/certificate/", "/tree/", "/plot/", "/account/", "/entry/"];
    meant(path).filter(|meant| pages.iter().any(|page| meant.starts_with(page)))
}

/// Leads to the one thing that was meant, or shows those that may have been.
pub(super) async fn search(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    Client(net): Client,
    Query(query): Query<SearchQuery>,
) -> Result<Response, Problem> {
    let t = visit.language.texts();
    let asked = Asked::of(&query.q);
    if let Some(path) = page_of_address(&asked.rest) {
        return Ok(Redirect::to(&path).into_response());
    }
    let beginning = beginning_of_id(&asked.rest);
    let look = move |state: &State| {
        let mut found = by_number(state, t, &asked);
        if found.is_empty() && asked.named.is_none() {
            found = by_name(state, t, &asked.rest);
        }
        Ok(found)
    };
    let (mut found, mut f) = pages.see_image(&visit, look).await?;
    if found.is_empty()
        && let Some(digits) = beginning
    {
        found = pages.by_id(net, t, &digits).await?;
    }
    if let [one] = found.as_slice() {
        return Ok(Redirect::to(&one.link).into_response());
    }
    f.asked = query.q.chars().take(QUESTION_MAX).collect();
    page(&SearchPage {
        looked: fill(&t.found_nothing, f.n(SEARCHED_RECORDS_MAX)),
        f,
        found,
    })
    .map(IntoResponse::into_response)
}

impl SearchHit {
    fn of(what: &str, name: impl std::fmt::Display, link: String) -> Self {
        Self {
            what: what.to_owned(),
            name: name.to_string(),
            link,
        }
    }
}

/// The digits of an id, or of its beginning, as pages shorten it: with dots behind.
fn beginning_of_id(text: &str) -> Option<String> {
    let digits = text.trim_end_matches(['…', '.']).to_ascii_lowercase();
    let fits = (BEGINNING_MIN..=ID_DIGITS).contains(&digits.len());
    (fits && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digits)
}

/// What the state has under a number, a tree's plot and serial, or an id of an account or a key.
fn by_number(state: &State, t: &Texts, asked: &Asked) -> Vec<SearchHit> {
    let mut found = Vec::new();
    if let Some((plot, serial)) = asked.rest.split_once('/') {
        let as_u32 = |text| number(text).and_then(|number| u32::try_from(number).ok());
        if let (Some(plot), Some(serial)) = (as_u32(plot), as_u32(serial))
            && asked.means(Named::Tree)
            && state
                .planting_of(PlotNumber(plot), Serial(serial))
                .is_some()
        {
            let name = format!("{plot}/{serial}");
            found.push(SearchHit::of(&t.tree, &name, format!("/tree/{name}")));
        }
        return found;
    }
    // An id may be of decimal digits alone.
    if asked.rest.len() < ID_DIGITS
        && let Some(number) = number(&asked.rest)
    {
        let index = Index(number);
        if asked.means(Named::Certificate) && state.claim(index).is_some() {
            found.push(SearchHit::of(
                &t.certificate,
                number,
                format!("/certificate/{number}"),
            ));
        }
        // A number that is too large for a plot is no plot's.
        let plot = u32::try_from(number).ok().map(PlotNumber);
        if asked.means(Named::Plot) && plot.is_some_and(|plot| state.plot(plot).is_some()) {
            found.push(SearchHit::of(&t.plot, number, format!("/plot/{number}")));
        }
        if asked.means(Named::Entry) && number < state.entries() {
            found.push(SearchHit::of(&t.entry, number, format!("/entry/{number}")));
        }
        return found;
    }
    let id = asked.rest.to_ascii_lowercase();
    if let Ok(id) = id.parse::<AccountId>()
        && state.account(&id).is_some()
    {
        found.push(SearchHit::of(&t.account, id, format!("/account/{id}")));
    }
    if let Some(key) = id.parse::<PublicKey>().ok().and_then(|key| state.key(&key)) {
        let index = key.granted_at;
        found.push(SearchHit::of(&t.issuer, &id, format!("/entry/{index}")));
    }
    found
}

/// Plots, holders and species whose name has these words in it.
fn by_name(state: &State, t: &Texts, words: &str) -> Vec<SearchHit> {
    let words = words.to_lowercase();
    if words.chars().count() < NAME_MIN {
        return Vec::new();
    }
    let has = |name: &str| name.to_lowercase().contains(&words);
    let plots = state
        .plots()
        .take(PLOTS_MAX)
        .filter(|(_, plot)| has(plot.plot.name.as_str()) || has(&plot.holder.to_string()));
    let mut found: Vec<SearchHit> = plots
        .take(HITS_MAX)
        .map(|(number, plot)| {
            let name = format!("{number}: {}", plot.plot.name);
            SearchHit::of(&t.plot, name, format!("/plot/{number}"))
        })
        .collect();
    for key in state.keys().take(KEYS_MAX) {
        if let KeyRole::Issuer { display_name, .. } = &key.role
            && has(display_name.as_str())
        {
            let link = format!("/entry/{}", key.granted_at);
            found.push(SearchHit::of(&t.issuer, display_name, link));
        }
    }
    for method in state.methods() {
        let place = format!(
            "/method?from={}.{}",
            method.method.id, method.method.version
        );
        for species in method.method.species.iter() {
            let known =
                |hit: &SearchHit| hit.what == t.species && hit.name == species.name.as_str();
            if has(species.name.as_str()) && !found.iter().any(known) {
                found.push(SearchHit::of(&t.species, &species.name, place.clone()));
            }
        }
    }
    found.truncate(HITS_MAX);
    found
}

/// The account that a statement names, and that of a transfer's receiver.
fn accounts_of(said: &Statement) -> [Option<AccountId>; 2] {
    match said {
        Statement::Award(award) => [Some(award.account), None],
        Statement::Claim(claim) => [Some(claim.account), None],
        Statement::Transfer(transfer) => [Some(transfer.from), transfer.to],
        _ => [None, None],
    }
}

impl Pages {
    /// The records, accounts and keys whose id begins with these digits, among the newest entries.
    async fn by_id(
        &self,
        net: ClientNet,
        t: &Texts,
        digits: &str,
    ) -> Result<Vec<SearchHit>, Problem> {
        let place = tokio::time::timeout(SEARCH_WAIT, self.searches.take(net, 1)).await;
        // Held until the search ends.
        let _place = place.map_err(|_| {
            let detail = "others look for records already; look again in a moment";
            Problem::unavailable(ProblemCode::SearchesFull, detail)
        })?;
        let mut found: Vec<SearchHit> = Vec::new();
        let mut add = |hit: SearchHit| {
            if found.len() < HITS_MAX && !found.iter().any(|known| known.link == hit.link) {
                found.push(hit);
            }
            // The one that was meant, or as many as a page lists.
            digits.len() == ID_DIGITS || found.len() == HITS_MAX
        };
        let size = self.log.published().head.tree.size;
        // From the genesis on, in a log that has fewer.
        let first = size.saturating_sub(SEARCHED_RECORDS_MAX) / TILE_HASHES;
        'all: for bundle in (first..size.div_ceil(TILE_HASHES)).rev() {
            let entries = self.log.reader().bundle(bundle, size).await?;
            for (index, bytes) in (bundle * TILE_HASHES..).zip(entries) {
                let entry = decode(index, &bytes)?;
                let id_of = |signed: &SignedEntry| self.log.context().id(signed.signed.bytes());
                let link = format!("/entry/{index}");
                if let Some(signed) = entry.signed()
                    && id_of(signed).to_string().starts_with(digits)
                    && add(SearchHit::of(&t.entry, index, link.clone()))
                {
                    break 'all;
                }
                let Some(said) = entry.statement() else {
                    continue;
                };
                if let Statement::KeyGrant(grant) = said
                    && grant.key.to_string().starts_with(digits)
                    && add(SearchHit::of(&t.issuer, &grant.display_name, link))
                {
                    break 'all;
                }
                for account in accounts_of(said).into_iter().flatten() {
                    let id = account.to_string();
                    if id.starts_with(digits)
                        && add(SearchHit::of(&t.account, &id, format!("/account/{id}")))
                    {
                        break 'all;
                    }
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_before_a_number_is_understood_as_people_write_it() {
        for (question, named, rest) in [
            ("Certificate 33258", Some(Named::Certificate), "33258"),
            ("certificat n° 33 258", Some(Named::Certificate), "33 258"),
            ("证书33258", Some(Named::Certificate), "33258"),
            ("证书编号：３３２５８号", Some(Named::Certificate), "33258"),
            ("tree 1/373", Some(Named::Tree), "1/373"),
            ("地块 7", Some(Named::Plot), "7"),
            ("Entrée 5", Some(Named::Entry), "5"),
            ("Plotinus Hill", None, "Plotinus Hill"),
            ("Tree Club", None, "Tree Club"),
            ("  ７／４２ ", None, "7/42"),
        ] {
            let asked = Asked::of(question);
            assert!(
                asked.named == named && asked.rest == rest,
                "{question}: {}",
                asked.rest
            );
        }
    }

    #[test]
    fn an_address_leads_to_its_page_and_to_no_other_site() {
        for (address, path) in [
            (
                "https://ledger.example.org/certificate/33258?lang=fr#panel",
                "/certificate/33258",
            ),
            ("http://127.0.0.1:8080/tree/01/373", "/tree/1/373"),
            ("/entry/+5", "/entry/5"),
        ] {
            assert_eq!(page_of_address(address).as_deref(), Some(path), "{address}");
        }
        for address in [
            "https://ledger.example.org",
            "https://ledger.example.org/",
            "//evil.example/entry/5",
            "/v1/entries/5",
            "entry/5",
            "https://x//evil.example/certificate/5",
            "/certificate/x",
            "/certificate//evil.example",
        ] {
            assert_eq!(page_of_address(address), None, "{address}");
        }
    }

    #[test]
    fn the_beginning_of_an_id_is_no_short_number() {
        assert_eq!(
            beginning_of_id("49915E0D7D4B…").as_deref(),
            Some("49915e0d7d4b")
        );
        for text in ["49915e0", "xyz15e0d7d4b", "", "…"] {
            assert_eq!(beginning_of_id(text), None, "{text}");
        }
    }
}
