//! The trees of an account: its certificates, the newest first, each as a card.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use serde::Deserialize;

use super::account::entry_about;
use super::frame::{Frame, Visit};
use super::names::species_name;
use super::texts::fill;
use super::{PageResult, Pages, not_found, page, stated};
use crate::answer::Problem;
use crate::answer::extract::{Path, Query, parse_path, parse_query};
use crate::ledger::{ClaimTree, State};
use crate::record::{AccountId, Day, Index, Kind, PlotNumber, Serial, TimeMs};

/// The most certificates on one page.
const TREES_MAX: usize = 24;
/// The most entries of the account that are read for one page.
const STEPS_MAX: usize = 300;

/// The query of a gallery.
#[derive(Deserialize)]
pub(super) struct GalleryQuery {
    /// The entry of the account at which the page begins; the newest one if left out.
    before: Option<String>,
}

/// A certificate as a card.
struct Card {
    claim: Index,
    species: String,
    /// How it stands, in words.
    standing: String,
    /// Its class in the style: a card without a tree is drawn with a broken rim.
    has_tree: bool,
    tree: Option<CardTree>,
}

struct CardTree {
    plot: PlotNumber,
    plot_name: String,
    serial: Serial,
    planted: String,
    /// Whether nobody surveyed its plot.
    never_surveyed: bool,
}

#[derive(Template)]
#[template(path = "gallery.html")]
struct GalleryPage {
    f: Frame,
    id: String,
    cards: Vec<Card>,
    /// The entry that the next page begins with.
    older: Option<Index>,
}

/// The gallery of an account.
pub(super) async fn gallery(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    Path(id): Path<String>,
    Query(query): Query<GalleryQuery>,
) -> PageResult {
    let id: AccountId = parse_path(&id, "the account")?;
    let look = |state: &State| {
        let account = state.account(&id).copied();
        account.ok_or_else(|| not_found("account"))
    };
    let (account, f) = pages.see(&visit, look).await?;
    let asked_for: Option<Index> = match &query.before {
        Some(index) => Some(parse_query(index, "before")?),
        None => None,
    };
    let mut next = Some(asked_for.unwrap_or(account.last_entry));
    let mut claims: Vec<(Index, TimeMs)> = Vec::new();
    for _ in 0..STEPS_MAX {
        let Some(index) = next.filter(|_| claims.len() < TREES_MAX) else {
            break;
        };
        let found = entry_about(&pages, &id, index).await?;
        let (entry, step) = found.ok_or_else(|| {
            Problem::not_found("there is no entry about this account at that place in this ledger")
        })?;
        if stated(index, &entry)?.statement.kind() == Kind::Claim {
            claims.push((index, entry.admitted_at()));
        }
        next = step.before;
    }
    let look = |state: &State| {
        let cards = claims
            .iter()
            .map(|(index, at)| card(state, &f, *index, *at));
        cards.collect::<Result<Vec<_>, Problem>>()
    };
    let cards = pages.look(look).await?;
    page(&GalleryPage {
        f,
        id: id.to_string(),
        cards,
        older: next,
    })
}

/// What the state has of a claim of the account.
fn card(state: &State, f: &Frame, index: Index, at: TimeMs) -> Result<Card, Problem> {
    let missing = || Problem::contradiction(&format!("the ledger does not have claim {index}"));
    let claim = state.claim(index).ok_or_else(missing)?;
    let standing = match claim.tree {
        ClaimTree::Tied { .. } => f.t.state_tree.clone(),
        ClaimTree::Waiting => fill(&f.t.state_waits, f.day(&Day::of(at))),
        ClaimTree::Voided => f.t.state_voided.clone(),
    };
    let tree = match claim.tree {
        ClaimTree::Tied { plot, serial } => {
            let place = state.plot(plot).ok_or_else(missing)?;
            let (_, planting) = state.planting_of(plot, serial).ok_or_else(missing)?;
            Some(CardTree {
                plot,
                plot_name: place.plot.name.to_string(),
                serial,
                planted: f.span(&planting.planted_from, &planting.planted_until),
                never_surveyed: state.surveys(plot).next_back().is_none(),
            })
        }
        ClaimTree::Waiting | ClaimTree::Voided => None,
    };
    Ok(Card {
        claim: index,
        species: species_name(state, claim.species)?,
        standing,
        has_tree: tree.is_some(),
        tree,
    })
}
