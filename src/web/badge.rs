//! The badge of a certificate, for pages elsewhere: a picture that states facts by the ledger's books. It never says that
//! something was checked, and is never green: nobody checked a picture.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::frame::{Frame, Visit};
use super::names::species_name;
use super::{Pages, broken, not_found};
use crate::answer::Problem;
use crate::answer::extract::{Path, parse_path};
use crate::ledger::{ClaimTree, State};
use crate::record::Index;

/// The most characters of a line: the picture is as wide as that.
const LINE_MAX: usize = 62;

#[derive(Template)]
#[template(path = "badge.svg")]
struct Badge {
    title: String,
    lines: [String; 2],
    /// Where it can be checked.
    address: String,
}

/// What the state has of a certificate.
struct BadgeFacts {
    species: String,
    /// The tree, if it has one, and what the latest survey of its plot found alive of how many, if there is one.
    tree: Option<(String, Option<(u64, u64)>)>,
    voided: bool,
}

impl BadgeFacts {
    fn of(state: &State, index: Index) -> Result<Self, Problem> {
        let claim = state.claim(index).ok_or_else(|| not_found("certificate"))?;
        let tree = match claim.tree {
            ClaimTree::Tied { plot, serial } => {
                let latest = state.surveys(plot).next_back();
                let found =
                    latest.map(|(_, found)| (found.survey.alive.into(), found.survey.looked_for()));
                Some((format!("{plot}/{serial}"), found))
            }
            ClaimTree::Waiting | ClaimTree::Voided => None,
        };
        Ok(Self {
            species: species_name(state, claim.species)?,
            tree,
            voided: claim.tree == ClaimTree::Voided,
        })
    }

    /// How it stands, and what the latest survey of its plot found.
    fn lines(&self, f: &Frame) -> [String; 2] {
        let Some((tree, found)) = &self.tree else {
            let one = if self.voided {
                &f.t.state_voided
            } else {
                &f.t.badge_waits
            };
            return [one.clone(), String::new()];
        };
        let survey = match found {
            Some((alive, of)) => {
                let of = f.of_looked_for(of);
                format!("{} {}", f.n(*alive), of)
            }
            None => f.t.never_surveyed.clone(),
        };
        let label = match found {
            Some(_) => &f.t.trees_alive,
            None => &f.t.survey,
        };
        [
            format!("{}{}{tree}", f.t.state_tree, f.colon()),
            format!("{label}{}{survey}", f.colon()),
        ]
    }
}

/// A line that fits.
fn cut(line: String) -> String {
    if line.chars().count() <= LINE_MAX {
        return line;
    }
    let kept: String = line.chars().take(LINE_MAX - 1).collect();
    format!("{kept}…")
}

/// The badge of the certificate `N` in `N.svg`.
pub(super) async fn certificate(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    Path(file): Path<String>,
) -> Result<Response, Problem> {
    let index = file
        .strip_suffix(".svg")
        .ok_or_else(|| not_found("badge"))?;
    let index: Index = parse_path(index, "the certificate")?;
    let (facts, f) = pages
        .see(&visit, |state| BadgeFacts::of(state, index))
        .await?;
    let [one, two] = facts.lines(&f);
    let badge = Badge {
        title: cut(format!(
            "{} {index}{}{}",
            f.t.certificate,
            f.colon(),
            facts.species
        )),
        lines: [cut(one), cut(two)],
        address: cut(format!("{}/certificate/{index}", f.url)),
    };
    let drawn = badge.render().map_err(|error| broken(&error))?;
    Ok(([(CONTENT_TYPE, "image/svg+xml")], drawn).into_response())
}
