//! An account: its balance, and the statements that made it, found by walking its lineage.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;

use super::frame::{Frame, Visit};
use super::lineage::{Lineage, LineageQuery, entry_about};
use super::say::{SaidNames, isolated, sentence};
use super::texts::Language;
use super::{PageResult, Pages, page, stated};
use crate::answer::Problem;
use crate::answer::extract::{Path, Query};
use crate::crypto::PublicKey;
use crate::figures::{decimal, signed};
use crate::ledger::State;
use crate::record::{AccountId, Award, Index, Kind, MethodId, MethodVersion, Stated, Statement};

/// The most lines of an account's statement on one page.
const LINES: usize = 50;

/// A line of an account's statement.
struct AccountLine {
    index: Index,
    /// When the entry was admitted.
    when: String,
    kind: Kind,
    /// The points that the entry added or took, with their sign.
    change: String,
    /// The day of what an award is for; empty for other kinds.
    day: String,
    /// How an award's points came about, why something was corrected, or else the statement in brief.
    why: String,
    /// The statement, and the key that signed it.
    said: (Statement, PublicKey),
    /// The method of an award or a claim.
    method: Option<(MethodId, MethodVersion)>,
}

/// Activity, quantity and factor: how an award's points came about.
fn reckoning(state: &State, language: Language, award: &Award) -> Result<String, Problem> {
    let activity = state.activity(award.method, award.version, award.activity);
    let activity =
        activity.ok_or_else(|| Problem::contradiction("no method has an award's activity"))?;
    Ok(format!(
        "{}: {} {} × {} g = {} g",
        isolated(activity.name.as_str()),
        language.decimal(decimal(award.quantity.0, 3)),
        isolated(activity.unit.as_str()),
        language.decimal(decimal(activity.factor.0, 6)),
        language.number(award.points.0.into()),
    ))
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    f: Frame,
    id: String,
    balance: String,
    lines: Vec<AccountLine>,
    /// The entry that the next page begins with.
    older: Option<Index>,
}

/// The page of an account.
pub(super) async fn account(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    Path(id): Path<String>,
    Query(query): Query<LineageQuery>,
) -> PageResult {
    let (account, f, mut lineage) = Lineage::asked(&pages, &visit, &id, &query).await?;
    let mut lines = Vec::new();
    while lines.len() < LINES
        && let Some((index, entry, step)) = lineage.step().await?
    {
        let said = stated(index, &entry)?;
        lines.push(line(visit.language, index, &said, step.change));
    }
    let reckon = |state: &State| {
        let told = lines.iter().map(|line| match &line.said {
            (Statement::Award(award), _) => reckoning(state, visit.language, award),
            (Statement::Correction(correction), _) => Ok(isolated(correction.reason.as_str())),
            (other, issuer) => {
                let names = SaidNames::of(state, other, issuer)?;
                Ok(sentence(visit.language, other, &names))
            }
        });
        told.collect::<Result<Vec<_>, Problem>>()
    };
    let reckoned = pages.look(reckon).await?;
    for (line, why) in lines.iter_mut().zip(reckoned) {
        line.why = why;
    }
    page(&AccountPage {
        f,
        id: lineage.account().to_string(),
        balance: visit.language.decimal(signed(account.balance.into())),
        lines,
        older: lineage.next(),
    })
}

/// The most entries of an account that are looked through for the reversal of an award.
const REVERSAL_STEPS_MAX: usize = 100;

/// The newest correction that takes points of an award back, if it is among the newest entries about the award's
/// account; `last` is the newest of these.
pub(super) async fn newest_reversal(
    pages: &Pages,
    award: Index,
    id: &AccountId,
    last: Option<Index>,
) -> Result<Option<Index>, Problem> {
    let mut next = last;
    for _ in 0..REVERSAL_STEPS_MAX {
        // A reversal is behind its award.
        let Some(index) = next.filter(|index| *index > award) else {
            break;
        };
        let Some((entry, step)) = entry_about(pages, id, index).await? else {
            break;
        };
        if stated(index, &entry)?.statement.target() == Some(award) {
            return Ok(Some(index));
        }
        next = step.before;
    }
    Ok(None)
}

/// The line of an entry, but for why it was said: the ledger has the names for that.
fn line(language: Language, index: Index, entry: &Stated<'_>, change: i128) -> AccountLine {
    let statement = entry.statement;
    let plus = if change > 0 { "+" } else { "" };
    AccountLine {
        index,
        when: language.time(entry.admitted_at()),
        kind: statement.kind(),
        change: language.decimal(format!("{plus}{}", signed(change))),
        day: match statement {
            Statement::Award(award) => language.day(award.occurred_on),
            _ => String::new(),
        },
        why: String::new(),
        said: (statement.clone(), *entry.issuer()),
        method: match statement {
            Statement::Award(award) => Some((award.method, award.version)),
            Statement::Claim(claim) => Some((claim.method, claim.version)),
            _ => None,
        },
    }
}
