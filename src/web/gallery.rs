//! The trees of an account: its certificates, the newest first, each as a card.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;

use super::frame::{Frame, Visit};
use super::lineage::{Lineage, LineageQuery};
use super::names::species_name;
use super::texts::fill;
use super::{PageResult, Pages, page, stated};
use crate::answer::Problem;
use crate::answer::extract::{Path, Query};
use crate::ledger::{ClaimTree, State};
use crate::record::{Day, Index, Kind, PlotNumber, Serial, TimeMs};

/// The most certificates on one page.
const TREES_MAX: usize = 24;
/// The most entries of the account that are read for one page.
const STEPS_MAX: usize = 300;

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
    Query(query): Query<LineageQuery>,
) -> PageResult {
    let (_, f, mut lineage) = Lineage::asked(&pages, &visit, &id, &query).await?;
    let mut claims: Vec<(Index, TimeMs)> = Vec::new();
    for _ in 0..STEPS_MAX {
        if claims.len() == TREES_MAX {
            break;
        }
        let Some((index, entry, _)) = lineage.step().await? else {
            break;
        };
        if stated(index, &entry)?.statement.kind() == Kind::Claim {
            claims.push((index, entry.admitted_at()));
        }
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
        id: lineage.account().to_string(),
        cards,
        older: lineage.next(),
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
