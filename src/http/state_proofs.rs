//! How things stand, proven: an item of the state; a certificate, an account's or a plot's history, what
//! corrected an entry, each in one file (`docs/format.md`, 13.4).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::App;
use super::bounded_reads::ReadEntry;
use super::level::LevelQuery;
use super::proofs::as_file;
use super::state_files::{Items, StateFileMaker};
use crate::answer::extract::{Path, Query, parse_path, parse_query};
use crate::answer::{Problem, ProblemCode};
use crate::ledger::domains;
use crate::ledger::history::{account_step, lost_entry, plot_before};
use crate::ledger::items::{self, Item};
use crate::receipt::corrected_domain;
use crate::record::{AccountId, FullEntry, Index, PlotNumber, Statement};

/// Which item of the state.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StateQuery {
    domain: String,
    key: Option<String>,
    level: Option<String>,
}

/// The proof of an item of the state, or that there is none: the receipt of the newest state entry with it.
#[utoipa::path(get, path = "/v1/proofs/state", params(
    ("domain" = String, Query, description = "A domain of docs/format.md 16.5, by its name, or `entry`: what corrected an entry"),
    ("key" = Option<String>, Query, description = "As people write it; plot/latest for a plot's latest survey; without one, the totals alone"),
    ("level" = Option<String>, Query, description = "newest, witnessed, audited, cosigned, or best: which checkpoint it rests on; newest if left out"),
), responses(
    (status = 200, description = "A .tlog-proof file", body = String, content_type = "text/plain; charset=utf-8"),
    (status = 400, body = Problem, description = "No such domain, or no key of it"),
    (status = 404, body = Problem, description = "No checkpoint with that level yet"),
    (status = 503, body = Problem, description = "The log has no state entry yet, or its state is not at hand"),
))]
pub(super) async fn state(
    State(app): State<Arc<App>>,
    Query(query): Query<StateQuery>,
) -> Result<Response, Problem> {
    let bad =
        |detail: &str, advice: &str| Problem::new(ProblemCode::QueryMalformed, detail, advice);
    let text = query.key.as_deref().unwrap_or_default();
    if query.domain == "entry" {
        let index = text.parse().ok();
        let index = index.filter(|index: &Index| index.to_string() == text);
        let index = index.ok_or_else(|| bad("it is no index of an entry", "a number"))?;
        return corrections(&app, index, query.level.as_deref()).await;
    }
    let total = query.domain == "totals";
    let domain = match total {
        true => None,
        false => {
            let named = items::domain_named(&query.domain).ok_or_else(|| {
                bad(
                    "there is no such domain of the state",
                    "docs/format.md, 16.5, lists them",
                )
            })?;
            Some(named.0)
        }
    };
    if total && query.key.is_some() {
        return Err(bad("the totals have no key", "leave out key"));
    }
    let (maker, mut items) = StateFileMaker::new(&app, query.level.as_deref(), None)?;
    if let Some(domain) = domain {
        let latest = match text.strip_suffix("/latest") {
            Some(plot) if domain == domains::SURVEYS => Some(parse_query(plot, "the plot")?),
            _ => None,
        };
        let key = match latest {
            Some(_) => Vec::new(),
            None => {
                let key = items::key_of(domain, text, &items.genesis()?);
                key.ok_or_else(|| bad("it is no key of this domain", items::key_form(domain)))?
            }
        };
        ((), items) = items
            .add(move |items| match latest {
                Some(plot) => items.add_latest_survey(plot).map(|_| ()),
                None => items.add(domain, key).map(|_| ()),
            })
            .await?;
    }
    as_file(&maker.finish(items).await?)
}

/// What corrected an entry.
async fn corrections(app: &App, index: Index, level: Option<&str>) -> Result<Response, Problem> {
    let (mut maker, items) = StateFileMaker::new(app, level, Some(index))?;
    let read = maker.read(index).await?;
    let uncorrectable = || {
        let detail = format!("no correction can name entry {index}: it is of another kind");
        Problem::not_found(&detail)
    };
    let statement = read.entry.stated().map(|stated| stated.statement);
    let first = statement.and_then(corrected_domain);
    // Before the state's size is asked for: no state entry to come says what corrected one of another kind.
    let first = first.ok_or_else(uncorrectable)?;
    if maker.is_newer(index, &items) {
        return Err(maker.too_new(index));
    }
    let planting = match statement {
        Some(Statement::Planting(stated)) => Some([
            stated.plot.0.to_be_bytes(),
            stated.first_serial.0.to_be_bytes(),
        ]),
        _ => None,
    };
    maker.show(&read).await?;
    let key = index.0.to_be_bytes().to_vec();
    let ((), items) = items
        .add(move |items| {
            items.add(first, key.clone())?;
            items.add_programme()?;
            if let Some(planting) = planting {
                items.add(domains::PLANTINGS, planting.concat())?;
            }
            if first == domains::LOSSES {
                items.add(domains::VOIDED, key)?;
            }
            Ok(())
        })
        .await?;
    as_file(&maker.finish(items).await?)
}

/// A certificate with all that it rests on, in one file: claim, tree, planting, plot, latest survey, their
/// entries, and the keys that issued them.
#[utoipa::path(get, path = "/v1/proofs/certificate/{index}", operation_id = "certificate_proof", params(
    ("index" = u64, Path, description = "The claim's index"),
    ("level" = Option<String>, Query, description = "newest, witnessed, audited, cosigned, or best: which checkpoint it rests on; newest if left out"),
), responses(
    (status = 200, description = "A .tlog-proof file", body = String, content_type = "text/plain; charset=utf-8"),
    (status = 404, body = Problem, description = "No claim"),
    (status = 503, body = Problem, description = "The log has no state entry yet that speaks of it"),
))]
pub(super) async fn certificate(
    State(app): State<Arc<App>>,
    Path(index): Path<String>,
    Query(query): Query<LevelQuery>,
) -> Result<Response, Problem> {
    let index: Index = parse_path(&index, "the certificate")?;
    let (mut maker, items) = StateFileMaker::new(&app, query.level.as_deref(), Some(index))?;
    if maker.is_newer(index, &items) {
        let read = maker.read(index).await?;
        return Err(match said(Some(&read)) {
            Some(Statement::Claim(_)) => maker.too_new(index),
            _ => Problem::not_found(&format!("entry {index} is no claim")),
        });
    }
    let (shown, items) = items.add(move |items| items.add_certificate(index)).await?;
    let shown = shown.ok_or_else(|| {
        let size = items.size();
        Problem::not_found(&format!(
            "there is no such certificate in the first {size} entries"
        ))
    })?;
    for index in shown {
        let read = maker.read(index).await?;
        maker.show(&read).await?;
    }
    as_file(&maker.finish(items).await?)
}

/// Where a page of a history begins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    from: Option<String>,
    level: Option<String>,
}

impl HistoryQuery {
    fn from(&self) -> Result<Option<Index>, Problem> {
        let from = self.from.as_deref();
        from.map(|text| parse_query(text, "from")).transpose()
    }
}

/// An account's entries, the newest first, in one file; of a long history a page.
#[utoipa::path(get, path = "/v1/proofs/account-history/{id}", params(
    ("id" = String, Path, description = "64 hexadecimal digits"),
    ("from" = Option<u64>, Query, description = "The entry that the page begins with, as the page before names it; the newest if left out"),
    ("level" = Option<String>, Query, description = "newest, witnessed, audited, cosigned, or best: which checkpoint it rests on; newest if left out"),
), responses(
    (status = 200, description = "A .tlog-proof file", body = String, content_type = "text/plain; charset=utf-8"),
    (status = 404, body = Problem, description = "Nothing was said of it"),
    (status = 503, body = Problem, description = "The log has no state entry yet"),
))]
pub(super) async fn account_history(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, Problem> {
    let id: AccountId = parse_path(&id, "the account")?;
    let from = query.from()?;
    let (maker, items) = StateFileMaker::new(&app, query.level.as_deref(), from)?;
    let key = [items.genesis()?.as_bytes().as_slice(), id.as_bytes()].concat();
    history(maker, items, key, Subject::Account(id), &query).await
}

/// A plot's entries, the newest first, in one file; of a long history a page.
#[utoipa::path(get, path = "/v1/proofs/plot-history/{number}", params(
    ("number" = u32, Path, description = "The plot's number"),
    ("from" = Option<u64>, Query, description = "The entry that the page begins with, as the page before names it; the newest if left out"),
    ("level" = Option<String>, Query, description = "newest, witnessed, audited, cosigned, or best: which checkpoint it rests on; newest if left out"),
), responses(
    (status = 200, description = "A .tlog-proof file", body = String, content_type = "text/plain; charset=utf-8"),
    (status = 404, body = Problem, description = "No such plot"),
    (status = 503, body = Problem, description = "The log has no state entry yet"),
))]
pub(super) async fn plot_history(
    State(app): State<Arc<App>>,
    Path(number): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, Problem> {
    let number: PlotNumber = parse_path(&number, "the plot")?;
    let from = query.from()?;
    let (maker, items) = StateFileMaker::new(&app, query.level.as_deref(), from)?;
    let key = number.0.to_be_bytes().to_vec();
    history(maker, items, key, Subject::Plot(number), &query).await
}

/// A page of the history of the item with a key.
async fn history(
    mut maker: StateFileMaker<'_>,
    items: Items,
    key: Vec<u8>,
    subject: Subject,
    query: &HistoryQuery,
) -> Result<Response, Problem> {
    let from = query.from()?;
    if let Some(from) = from
        && maker.is_newer(from, &items)
    {
        return Err(match step(&mut maker, from, subject).await? {
            Some(_) => maker.too_new(from),
            None => no_such_place(),
        });
    }
    let (domain, what) = match subject {
        Subject::Account(_) => (domains::ACCOUNTS, "account"),
        Subject::Plot(_) => (domains::PLOTS, "plot"),
    };
    let (found, items) = items
        .add(move |items| {
            let found = items.add(domain, key)?;
            items.add_programme()?;
            Ok(found)
        })
        .await?;
    let newest = match found {
        Some(Item::Account(account)) => account.last_entry,
        Some(Item::Plot(plot)) => plot.last_entry,
        _ => {
            let size = items.size();
            return Err(Problem::not_found(&format!(
                "there is no such {what} in the first {size} entries"
            )));
        }
    };
    let maker = walk(maker, newest, from, subject).await?;
    as_file(&maker.finish(items).await?)
}

/// Whose history is followed.
#[derive(Clone, Copy)]
enum Subject {
    Account(AccountId),
    Plot(PlotNumber),
}

impl Subject {
    /// The entry before one that belongs to the history; `None` if it does not.
    fn before(self, entry: &FullEntry, targets: [Option<&Statement>; 2]) -> Option<Option<Index>> {
        let stated = entry.stated()?;
        match self {
            Self::Account(id) => {
                let [target, _] = targets;
                account_step(&id, &stated, target).map(|step| step.before)
            }
            Self::Plot(number) => plot_before(number, &stated, targets),
        }
    }
}

/// What an entry states.
fn said(read: Option<&ReadEntry>) -> Option<&Statement> {
    read?.entry.stated().map(|stated| stated.statement)
}

/// Reads an entry, if there is one to read.
async fn read_some(
    maker: &mut StateFileMaker<'_>,
    index: Option<Index>,
) -> Result<Option<ReadEntry>, Problem> {
    match index {
        Some(index) => Ok(Some(maker.read(index).await?)),
        None => Ok(None),
    }
}

/// An entry of a history.
struct Step {
    /// The entry, the one that it names if it is a correction, and the one that this names if the first one voids
    /// a loss.
    read: [Option<ReadEntry>; 3],
    /// The entry of the history before it.
    before: Option<Index>,
}

/// The step of a history at an entry; `None` if the entry does not belong to it.
async fn step(
    maker: &mut StateFileMaker<'_>,
    index: Index,
    subject: Subject,
) -> Result<Option<Step>, Problem> {
    let read = Some(maker.read(index).await?);
    let target = said(read.as_ref()).and_then(Statement::target);
    let target = read_some(maker, target).await?;
    let both = said(read.as_ref()).zip(said(target.as_ref()));
    let lost = both.and_then(|(statement, target)| lost_entry(statement, target));
    let lost_of = read_some(maker, lost).await?;
    let read = [read, target, lost_of];
    let [entry, target, lost_of] = read.each_ref().map(Option::as_ref);
    let targets = [said(target), said(lost_of)];
    let before = entry.and_then(|entry| subject.before(&entry.entry, targets));
    Ok(before.map(|before| Step { read, before }))
}

fn no_such_place() -> Problem {
    Problem::not_found("there is no entry of this history at that place")
}

/// Shows a page of a history, the newest entry first, with the entries that corrections name.
async fn walk<'a>(
    mut maker: StateFileMaker<'a>,
    newest: Index,
    from: Option<Index>,
    subject: Subject,
) -> Result<StateFileMaker<'a>, Problem> {
    let mut next = Some(from.unwrap_or(newest));
    if next > Some(newest) {
        return Err(no_such_place());
    }
    let mut entries = 0;
    while let Some(index) = next
        // What is shown as a correction's target already does not end the page.
        && (!maker.page_ends(entries) || maker.has(index))
    {
        let found = step(&mut maker, index, subject).await?;
        let Step { read, before } = found.ok_or_else(|| match entries {
            0 if from.is_some() => no_such_place(),
            _ => Problem::contradiction(&format!("a history leads to entry {index}")),
        })?;
        for read in read.iter().flatten() {
            maker.show(read).await?;
        }
        entries += 1;
        next = before;
    }
    Ok(maker)
}
