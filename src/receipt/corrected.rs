//! What corrected an entry: what was taken back of an award, whether another entry was voided, whether a loss
//! counts.

use super::ReceiptError;
use super::about::{Desk, agrees, index_of, unfit, wrong};
use super::state_items::ProvenItem;
use crate::ledger::items::Item;
use crate::ledger::trie::Domain;
use crate::ledger::{LossState, PlantingState, domains};
use crate::record::{Correction, Grams, Index, Kind, Remedy, StateEntry, Statement};

/// What corrected an entry.
#[derive(Clone, Debug)]
pub struct Corrected {
    /// The entry.
    pub index: Index,
    /// The entry's kind.
    pub kind: Kind,
    /// What the corrections left of it.
    pub by: Corrections,
}

/// What the corrections of an entry come to.
#[derive(Clone, Debug)]
pub enum Corrections {
    /// Of an award: the points that were taken back.
    Reversed(Grams),
    /// Of what a void alone corrects: the correction that voided it, if any.
    Voided(Option<Index>),
    /// Of a planting: the correction that voided it, if any, and the planting with its losses.
    Planting(Option<Index>, Box<PlantingState>),
    /// Of a loss: the loss, if it counts, and the correction that voided it, if any.
    Loss(Option<Box<LossState>>, Option<Index>),
}

/// The domain of the item that a file about an entry's corrections begins with; `None` for entries that no
/// correction names.
pub fn corrected_domain(statement: &Statement) -> Option<Domain> {
    // Every kind stands here, so that a new one is asked about.
    match statement {
        Statement::Award(_) => Some(domains::REVERSED),
        Statement::Transfer(_)
        | Statement::Claim(_)
        | Statement::Planting(_)
        | Statement::Survey(_)
        | Statement::Assignment(_)
        | Statement::Attestation(_) => Some(domains::VOIDED),
        Statement::Correction(Correction {
            remedy: Remedy::Lost { .. },
            ..
        }) => Some(domains::LOSSES),
        Statement::Correction(_)
        | Statement::Genesis(_)
        | Statement::Governors(_)
        | Statement::KeyGrant(_)
        | Statement::KeyRevoke(_)
        | Statement::LogKey(_)
        | Statement::Method(_)
        | Statement::Plot(_)
        | Statement::Policy(_)
        | Statement::Seal(_) => None,
    }
}

impl Corrected {
    pub(super) fn read(
        desk: &mut Desk<'_>,
        first: &ProvenItem,
        state: &StateEntry,
    ) -> Result<Self, ReceiptError> {
        let index = index_of(&first.key)?;
        let entry = desk.shown(index)?;
        if index.0 >= state.size {
            return Err(unfit("the state is older than the entry"));
        }
        if corrected_domain(entry.statement) != Some(first.domain) {
            return Err(unfit("another item tells what corrected the entry"));
        }
        let found = first.found.as_ref().map(|(_, item)| item);
        let by = match (entry.statement, found) {
            (Statement::Award(_), None) => Corrections::Reversed(Grams(0)),
            (Statement::Award(_), Some(Item::Reversed(points))) => Corrections::Reversed(*points),
            (Statement::Planting(stated), found) => {
                let key = [
                    stated.plot.0.to_be_bytes(),
                    stated.first_serial.0.to_be_bytes(),
                ];
                let Item::Planting(planting) = desk.leaf(domains::PLANTINGS, &key.concat())? else {
                    return Err(wrong("the item of the planting is another"));
                };
                agrees(planting.index == index, "the planting is another entry's")?;
                let by = voided(found)?;
                agrees(
                    planting.voided == by.is_some(),
                    "the planting is voided in one item and not in the other",
                )?;
                Corrections::Planting(by, Box::new(planting.clone()))
            }
            (Statement::Correction(_), found) => {
                let by = voided(desk.item(domains::VOIDED, &index.0.to_be_bytes())?)?;
                let loss = match found {
                    None => None,
                    Some(Item::Loss(loss)) => Some(Box::new(loss.clone())),
                    Some(_) => return Err(wrong("the item of the loss is another")),
                };
                agrees(
                    loss.is_none() || by.is_none(),
                    "the loss counts in one item and was voided in the other",
                )?;
                Corrections::Loss(loss, by)
            }
            (_, found) => Corrections::Voided(voided(found)?),
        };
        Ok(Self {
            index,
            kind: entry.statement.kind(),
            by,
        })
    }
}

/// The correction that an item of `voided` names.
fn voided(found: Option<&Item>) -> Result<Option<Index>, ReceiptError> {
    match found {
        None => Ok(None),
        Some(Item::Voided(by)) => Ok(Some(*by)),
        Some(_) => Err(wrong("the item of the void is another")),
    }
}
