//! The entries about an account, from the newest one back: each names the one before it.

use serde::Deserialize;

use super::frame::{Frame, Visit};
use super::{Pages, not_found};
use crate::answer::Problem;
use crate::answer::extract::{parse_path, parse_query};
use crate::ledger::history::{AccountStep, account_step};
use crate::ledger::{Account, State};
use crate::record::{AccountId, FullEntry, Index, Statement};

/// The query of a page about an account.
#[derive(Deserialize)]
pub(super) struct LineageQuery {
    /// The entry of the account with which the page begins; the newest one if left out.
    before: Option<String>,
}

/// What is left of a walk through the entries about an account.
pub(super) struct Lineage<'a> {
    pages: &'a Pages,
    account: AccountId,
    /// Where the reader asked to begin: that this is no entry about the account is no fault of the ledger.
    asked_for: Option<Index>,
    next: Option<Index>,
}

impl<'a> Lineage<'a> {
    /// The account that a path names, and the walk that a query asks for.
    ///
    /// # Errors
    /// A [`Problem`] for a path or a query that can't be read, or an account that the ledger does not have.
    pub(super) async fn asked(
        pages: &'a Pages,
        visit: &Visit,
        id: &str,
        query: &LineageQuery,
    ) -> Result<(Account, Frame, Self), Problem> {
        let id: AccountId = parse_path(id, "the account")?;
        let look = |state: &State| {
            let account = state.account(&id).copied();
            account.ok_or_else(|| not_found("account"))
        };
        let (account, frame) = pages.see(visit, look).await?;
        let before = query.before.as_deref();
        let asked_for: Option<Index> = before
            .map(|index| parse_query(index, "before"))
            .transpose()?;
        let lineage = Self {
            pages,
            account: id,
            asked_for,
            next: Some(asked_for.unwrap_or(account.last_entry)),
        };
        Ok((account, frame, lineage))
    }

    /// The account.
    pub(super) fn account(&self) -> &AccountId {
        &self.account
    }

    /// The entry that the next step reads; `None` behind the account's first one.
    pub(super) fn next(&self) -> Option<Index> {
        self.next
    }

    /// Reads the next entry; `None` behind the account's first one.
    ///
    /// # Errors
    /// A [`Problem`]; a contradiction if the lineage leads to what is no entry about the account.
    pub(super) async fn step(
        &mut self,
    ) -> Result<Option<(Index, FullEntry, AccountStep)>, Problem> {
        let Some(index) = self.next else {
            return Ok(None);
        };
        let found = entry_about(self.pages, &self.account, index).await?;
        let (entry, step) = found.ok_or_else(|| {
            if self.asked_for == Some(index) {
                let detail = "there is no entry about this account at that place in this ledger";
                Problem::not_found(detail)
            } else {
                let account = &self.account;
                let detail = format!("the lineage of account {account} leads to entry {index}");
                Problem::contradiction(&detail)
            }
        })?;
        self.next = step.before;
        Ok(Some((index, entry, step)))
    }
}

/// An entry, and what it did to an account; `None` if it is not about that account.
pub(super) async fn entry_about(
    pages: &Pages,
    id: &AccountId,
    index: Index,
) -> Result<Option<(FullEntry, AccountStep)>, Problem> {
    let (_, entry) = pages.entry(index).await?;
    let Some(said) = entry.stated() else {
        return Ok(None);
    };
    let target = match said.statement {
        Statement::Correction(correction) => Some(pages.entry(correction.target).await?.1),
        _ => None,
    };
    let target = target.as_ref().and_then(FullEntry::stated);
    let step = account_step(id, &said, target.map(|target| target.statement));
    Ok(step.map(|step| (entry, step)))
}
