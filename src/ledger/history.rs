//! Histories: what an entry did to an account, or that it is about a plot, and which entry about the same was
//! before it. Whoever follows these back from the newest entry meets every one.

use super::lineage::{
    AccountCorrectionPlaces, AccountPlaces, PlotCorrectionPlaces, PlotPlaces, TransferPlaces,
    TransferVoidPlaces,
};
use crate::record::{
    AccountId, Correction, Grams, Index, PlotNumber, Remedy, Stated, Statement, Transfer,
};

/// What an entry did to an account, and the entry about it before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountStep {
    /// The points that the entry added, or took if it is below zero.
    pub change: i128,
    /// The entry about the account before this one; none for its first.
    pub before: Option<Index>,
}

/// What an entry did to an account; `None` if it is not about it. `target` is the statement of the entry that
/// a correction names.
pub fn account_step(
    id: &AccountId,
    entry: &Stated<'_>,
    target: Option<&Statement>,
) -> Option<AccountStep> {
    let step = |change: i128, before| Some(AccountStep { change, before });
    let grams = |points: Grams| i128::from(points.0);
    // Every kind stands here, so that a new one is asked about.
    match entry.statement {
        Statement::Award(award) => {
            about(&award.account, id)?;
            step(grams(award.points), AccountPlaces::of(entry)?.account)
        }
        Statement::Claim(claim) => {
            about(&claim.account, id)?;
            step(-grams(claim.points), AccountPlaces::of(entry)?.account)
        }
        Statement::Transfer(transfer) => match side(transfer, id)? {
            Side::Giver => step(-grams(transfer.points), TransferPlaces::of(entry)?.from),
            Side::Taker => step(grams(transfer.points), TransferPlaces::of(entry)?.to),
        },
        Statement::Correction(correction) => match (target?, &correction.remedy) {
            (Statement::Award(award), Remedy::Reverse { points }) => {
                about(&award.account, id)?;
                let places = AccountCorrectionPlaces::of(entry)?;
                names_target(correction, places.target)?;
                step(-grams(*points), places.account)
            }
            (Statement::Claim(claim), Remedy::Void) => {
                about(&claim.account, id)?;
                let places = AccountCorrectionPlaces::of(entry)?;
                names_target(correction, places.target)?;
                step(grams(claim.points), places.account)
            }
            (Statement::Transfer(transfer), Remedy::Void) => {
                let places = TransferVoidPlaces::of(entry)?;
                names_target(correction, places.target)?;
                match side(transfer, id)? {
                    Side::Giver => step(grams(transfer.points), places.from),
                    Side::Taker => step(-grams(transfer.points), places.to),
                }
            }
            (_, Remedy::Reverse { .. } | Remedy::Lost { .. } | Remedy::Void) => None,
        },
        Statement::Genesis(_)
        | Statement::Governors(_)
        | Statement::KeyGrant(_)
        | Statement::KeyRevoke(_)
        | Statement::LogKey(_)
        | Statement::Method(_)
        | Statement::Plot(_)
        | Statement::Planting(_)
        | Statement::Survey(_)
        | Statement::Assignment(_)
        | Statement::Policy(_)
        | Statement::Attestation(_)
        | Statement::Seal(_) => None,
    }
}

/// The entry that a loss names, if `statement` voids that loss: by it alone is known which plot the void is about.
/// `target` is the statement of the entry that `statement` names.
pub fn lost_entry(statement: &Statement, target: &Statement) -> Option<Index> {
    match (statement, target) {
        (
            Statement::Correction(Correction {
                remedy: Remedy::Void,
                ..
            }),
            Statement::Correction(Correction {
                remedy: Remedy::Lost { .. },
                target,
                ..
            }),
        ) => Some(*target),
        _ => None,
    }
}

/// The entry about a plot before this one; `None` if this one is not about the plot. `targets` are the statement
/// of the entry that a correction names, and that of the entry that a voided loss names ([`lost_entry`]).
pub fn plot_before(
    number: PlotNumber,
    entry: &Stated<'_>,
    targets: [Option<&Statement>; 2],
) -> Option<Option<Index>> {
    let before = |plot: PlotNumber| {
        (plot == number).then_some(())?;
        Some(PlotPlaces::of(entry)?.plot)
    };
    // Every kind stands here, so that a new one is asked about.
    match entry.statement {
        Statement::Plot(plot) => before(plot.number),
        Statement::Planting(planting) => before(planting.plot),
        Statement::Survey(survey) => before(survey.plot),
        Statement::Assignment(assignment) => before(assignment.plot),
        Statement::Correction(correction) => {
            let [target, lost_of] = targets;
            let plot = match (target?, &correction.remedy) {
                (Statement::Planting(planting), Remedy::Lost { .. } | Remedy::Void) => {
                    planting.plot
                }
                (Statement::Survey(survey), Remedy::Void) => survey.plot,
                (Statement::Assignment(assignment), Remedy::Void) => assignment.plot,
                (
                    Statement::Correction(Correction {
                        remedy: Remedy::Lost { .. },
                        ..
                    }),
                    Remedy::Void,
                ) => match lost_of? {
                    Statement::Planting(planting) => planting.plot,
                    _ => return None,
                },
                (_, Remedy::Reverse { .. } | Remedy::Lost { .. } | Remedy::Void) => return None,
            };
            (plot == number).then_some(())?;
            let places = PlotCorrectionPlaces::of(entry)?;
            names_target(correction, places.target)?;
            Some(places.plot)
        }
        Statement::Genesis(_)
        | Statement::Governors(_)
        | Statement::KeyGrant(_)
        | Statement::KeyRevoke(_)
        | Statement::LogKey(_)
        | Statement::Method(_)
        | Statement::Award(_)
        | Statement::Transfer(_)
        | Statement::Claim(_)
        | Statement::Policy(_)
        | Statement::Attestation(_)
        | Statement::Seal(_) => None,
    }
}

/// That a statement about one account is about this one.
fn about(account: &AccountId, id: &AccountId) -> Option<()> {
    (account == id).then_some(())
}

/// That a correction's lineage names the entry that its statement does.
fn names_target(correction: &Correction, target: Option<Index>) -> Option<()> {
    (target == Some(correction.target)).then_some(())
}

/// Which side of a transfer an account is on.
#[derive(Clone, Copy)]
enum Side {
    Giver,
    Taker,
}

/// The side of an account; `None` if the transfer is between others.
fn side(transfer: &Transfer, id: &AccountId) -> Option<Side> {
    if transfer.from == *id {
        Some(Side::Giver)
    } else {
        (transfer.to == Some(*id)).then_some(Side::Taker)
    }
}
