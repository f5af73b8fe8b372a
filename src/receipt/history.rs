//! Histories: of an account, of a plot. From a newest entry, each entry names the one before it, so that
//! nothing is left out between the first and the last that a file has.

use super::ReceiptError;
use super::about::{Desk, agrees, unfit, wrong};
use super::state_items::ProvenItem;
use crate::ledger::history::{account_step, lost_entry, plot_before};
use crate::ledger::items::Item;
use crate::ledger::{Account, PlotState};
use crate::record::{AccountId, Index, Kind, PlotNumber, Statement};

/// From where to where a history is complete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// The entries, the newest first, each with its kind.
    pub entries: Vec<(Index, Kind)>,
    /// The newest entry that the state names, if the file begins with another: those between are in other files.
    pub newest: Option<Index>,
    /// The entry that the file of older entries begins with; `None` if this one is complete to the first.
    pub older: Option<Index>,
}

impl Span {
    /// Whether the file has all entries there are.
    pub fn is_whole(&self) -> bool {
        self.newest.is_none() && self.older.is_none()
    }

    /// The newest entry that the file has.
    pub(super) fn top(&self) -> Option<Index> {
        self.entries.first().map(|(index, _)| *index)
    }

    /// The entry that the file begins with, if it has only a part of the history.
    pub(super) fn part_from(&self) -> Option<Index> {
        self.top().filter(|_| !self.is_whole())
    }

    /// The entries of the history that are in other files.
    pub(super) fn missing(&self) -> Vec<String> {
        let top = self.top().unwrap_or_default();
        let newer = self
            .newest
            .map(|newest| format!("the entries of the history above {top}, up to {newest}"));
        let older = self
            .older
            .map(|older| format!("the entries of the history from {older} back"));
        newer.into_iter().chain(older).collect()
    }
}

/// An account's history, or a part of it.
#[derive(Clone, Debug)]
pub struct AccountHistory {
    /// The account.
    pub id: AccountId,
    /// What the state says of it.
    pub account: Account,
    /// The entries.
    pub span: Span,
    /// What each entry added, or took, in the same order.
    pub changes: Vec<i128>,
}

/// A plot's history, or a part of it.
#[derive(Clone, Debug)]
pub struct PlotHistory {
    /// The plot.
    pub number: PlotNumber,
    /// What the state says of it.
    pub plot: PlotState,
    /// The entries.
    pub span: Span,
}

impl AccountHistory {
    pub(super) fn read(desk: &mut Desk<'_>, first: &ProvenItem) -> Result<Self, ReceiptError> {
        let Some((_, Item::Account(account))) = &first.found else {
            return Err(unfit("it shows entries of an account that no entry names"));
        };
        let id = first.key.get(32..).and_then(<[u8]>::first_chunk::<32>);
        let id = id.ok_or_else(|| unfit("its first item's key is no account"))?;
        let id = AccountId::from_bytes(*id);
        let mut changes = Vec::new();
        let span = walk(desk, account.last_entry, |desk, index| {
            let entry = desk.shown(index)?;
            let target = target_of(desk, index, entry.statement)?;
            let Some(step) = account_step(&id, &entry, target.map(|(_, target)| target)) else {
                return Ok(None);
            };
            changes.push(step.change);
            Ok(Some((entry.statement.kind(), step.before)))
        })?;
        if span.is_whole() {
            let sum = changes
                .iter()
                .try_fold(0_i128, |sum, change| sum.checked_add(*change));
            agrees(
                sum == Some(account.balance.into()),
                "the account's entries do not add up to its balance",
            )?;
        }
        Ok(Self {
            id,
            account: *account,
            span,
            changes,
        })
    }
}

impl PlotHistory {
    pub(super) fn read(desk: &mut Desk<'_>, first: &ProvenItem) -> Result<Self, ReceiptError> {
        let Some((_, Item::Plot(plot))) = &first.found else {
            return Err(unfit("it shows entries of a plot that no entry names"));
        };
        let number = first.key.first_chunk::<4>();
        let number = number.ok_or_else(|| unfit("its first item's key is no plot"))?;
        let number = PlotNumber(u32::from_be_bytes(*number));
        let span = walk(desk, plot.last_entry, |desk, index| {
            let entry = desk.shown(index)?;
            let target = target_of(desk, index, entry.statement)?;
            // Of a correction of another correction nothing more is shown: it is about no plot.
            let voids_loss = |target| lost_entry(entry.statement, target).is_some();
            let lost_of = match target {
                Some((at, target)) if voids_loss(target) => target_of(desk, at, target)?,
                _ => None,
            };
            let targets = [target, lost_of].map(|found| found.map(|(_, statement)| statement));
            let before = plot_before(number, &entry, targets);
            Ok(before.map(|before| (entry.statement.kind(), before)))
        })?;
        Ok(Self {
            number,
            plot: plot.clone(),
            span,
        })
    }
}

/// The entry that a correction names, which is shown and lower than the correction; `None` for another kind.
fn target_of<'a>(
    desk: &mut Desk<'a>,
    index: Index,
    statement: &Statement,
) -> Result<Option<(Index, &'a Statement)>, ReceiptError> {
    let Statement::Correction(correction) = statement else {
        return Ok(None);
    };
    let target = desk.shown(correction.target)?;
    agrees(
        correction.target < index,
        "a correction names an entry behind it",
    )?;
    Ok(Some((correction.target, target.statement)))
}

/// Follows a history back from its newest shown entry. `read` gives an entry's kind and the entry before it,
/// if the entry belongs to the history.
fn walk<'a>(
    desk: &mut Desk<'a>,
    newest: Index,
    mut read: impl FnMut(&mut Desk<'a>, Index) -> Result<Option<(Kind, Option<Index>)>, ReceiptError>,
) -> Result<Span, ReceiptError> {
    let top = desk.top().filter(|top| *top <= newest);
    let top = top.ok_or_else(|| unfit("no entry that it shows belongs to the history"))?;
    let mut span = Span {
        entries: Vec::new(),
        newest: (top != newest).then_some(newest),
        older: None,
    };
    let mut index = top;
    loop {
        let Some((kind, before)) = read(desk, index)? else {
            let what = format!("entry {index} does not belong to the history");
            return Err(match index == top && top != newest {
                true => unfit(&what),
                false => wrong(&what),
            });
        };
        span.entries.push((index, kind));
        let Some(before) = before else {
            return Ok(span);
        };
        agrees(
            before < index,
            "an entry names one behind it as the one before",
        )?;
        if !desk.has(before) {
            span.older = Some(before);
            return Ok(span);
        }
        index = before;
    }
}
