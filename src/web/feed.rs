//! News of a plot as an Atom feed (RFC 4287): surveys, losses and other corrections, the newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::frame::{Frame, Visit};
use super::life::plot_entry_before;
use super::names::issuer_name;
use super::say::{SaidNames, sentence};
use super::{Pages, broken, not_found, stated};
use crate::answer::Problem;
use crate::answer::extract::{Path, parse_path};
use crate::crypto::PublicKey;
use crate::ledger::State;
use crate::record::{Day, Index, PlotNumber, Remedy, Statement, TimeMs};

/// The most entries of a feed.
const NEWS_MAX: usize = 30;
/// The most entries of the plot that are looked through for them.
const STEPS_MAX: usize = 300;

/// An entry of a feed.
struct News {
    id: String,
    link: String,
    title: String,
    /// What was said, in a sentence.
    says: String,
    /// Who signed it.
    by: String,
    /// When it was admitted (RFC 3339).
    updated: String,
}

#[derive(Template)]
#[template(path = "feed.xml")]
struct Feed {
    f: Frame,
    id: String,
    plot: PlotNumber,
    name: String,
    /// When the newest entry was admitted; when the plot was stated, if there is none.
    updated: String,
    news: Vec<News>,
}

/// A statement about the plot that readers of its feed are told.
struct Found {
    index: Index,
    at: TimeMs,
    said: Statement,
    issuer: PublicKey,
}

/// The feed of a plot.
pub(super) async fn plot(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    let number: PlotNumber = parse_path(&number, "the plot")?;
    let look = |state: &State| {
        let plot = state.plot(number).ok_or_else(|| not_found("plot"))?;
        Ok((plot.plot.name.to_string(), plot.stated_at, plot.last_entry))
    };
    let ((name, stated_at, last), f) = pages.see(&visit, look).await?;
    let (_, genesis) = pages.entry(Index(0)).await?;
    let begun = Day::of(genesis.admitted_at());
    let mut found = Vec::new();
    let mut next = Some(last);
    for _ in 0..STEPS_MAX {
        let Some(index) = next.filter(|_| found.len() < NEWS_MAX) else {
            break;
        };
        let (_, entry) = pages.entry(index).await?;
        let entry = stated(index, &entry)?;
        if matches!(
            entry.statement,
            Statement::Survey(_) | Statement::Correction(_)
        ) {
            found.push(Found {
                index,
                at: entry.admitted_at(),
                said: entry.statement.clone(),
                issuer: *entry.issuer(),
            });
        }
        next = plot_entry_before(&pages, number, &entry).await?;
    }
    let updated = match found.first() {
        Some(newest) => newest.at,
        None => pages.entry(stated_at).await?.1.admitted_at(),
    };
    let tell = |state: &State| {
        let told = found.iter().map(|found| news(state, &f, begun, found));
        told.collect::<Result<Vec<_>, Problem>>()
    };
    let news = pages.look(tell).await?;
    let feed = Feed {
        id: id_of(&f, begun, &format!("plot/{number}")),
        plot: number,
        name,
        updated: rfc3339(updated),
        news,
        f,
    };
    let xml = feed.render().map_err(|error| broken(&error))?;
    let kind = [(CONTENT_TYPE, "application/atom+xml; charset=utf-8")];
    Ok((kind, xml).into_response())
}

fn news(state: &State, f: &Frame, begun: Day, found: &Found) -> Result<News, Problem> {
    let names = SaidNames::of(state, &found.said, &found.issuer)?;
    let title = match &found.said {
        Statement::Survey(_) => &f.t.survey_one,
        Statement::Correction(correction) => match correction.remedy {
            Remedy::Lost { .. } => &f.t.lost,
            Remedy::Void | Remedy::Reverse { .. } => &f.t.k_correction,
        },
        other => f.t.kind(&other.kind()),
    };
    Ok(News {
        id: id_of(f, begun, &format!("entry/{}", found.index)),
        link: format!("{}/entry/{}", f.url, found.index),
        title: title.to_string(),
        says: sentence(f.language, &found.said, &names),
        by: issuer_name(state, &found.issuer)?.unwrap_or_else(|| f.origin.clone()),
        updated: rfc3339(found.at),
    })
}

/// What a thing of this ledger is called for ever, whatever host shows it: a tag URI (RFC 4151) by the log's name, if that
/// begins as one of a domain, from the day on which the ledger began; else its address.
fn id_of(f: &Frame, begun: Day, what: &str) -> String {
    let authority = f.origin.split('/').next().unwrap_or_default();
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if authority.split('.').all(is_label) {
        let (year, month, day) = begun.ymd();
        format!(
            "tag:{authority},{year:04}-{month:02}-{day:02}:{}/{what}",
            f.genesis
        )
    } else {
        format!("{}/{what}", f.url)
    }
}

/// A time as RFC 3339 has it, to the second.
fn rfc3339(at: TimeMs) -> String {
    at.to_utc().replacen(' ', "T", 1).replace(" UTC", "Z")
}
