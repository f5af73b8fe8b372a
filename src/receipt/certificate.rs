//! A certificate with all that it rests on: its claim, and either that it waits or was voided, or its tree with
//! planting, plot and latest survey.

use super::ReceiptError;
use super::about::{Desk, agrees, index_of, unfit, wrong};
use super::state_items::ProvenItem;
use crate::ledger::items::Item;
use crate::ledger::{ClaimState, ClaimTree, PlantingState, PlotState, SurveyState, domains};
use crate::record::{Claim, Day, Index, PlotNumber, Remedy, Serial, Statement, Text};

/// A certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate's number: its claim's index.
    pub index: Index,
    /// The claim, as the state has it.
    pub claim: ClaimState,
    /// The claim as it was stated.
    pub stated: Claim,
    /// The day on which the claim was signed.
    pub claimed_on: Day,
    /// The name of the promised species.
    pub species: Text<100>,
    /// Where the certificate stands.
    pub standing: Standing,
}

/// Where a certificate stands.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It waits for a tree.
    Waiting,
    /// It was voided.
    Voided {
        /// The correction that voided it.
        by: Index,
        /// Why.
        reason: Text<300>,
    },
    /// It has a tree.
    Tree(Box<CertifiedTree>),
}

/// The tree of a certificate.
#[derive(Clone, Debug)]
pub struct CertifiedTree {
    /// The tree's plot.
    pub number: PlotNumber,
    /// The tree's serial.
    pub serial: Serial,
    /// The entry that tied claim and tree.
    pub assigned_at: Index,
    /// The tree's planting.
    pub planting: PlantingState,
    /// The plot with its books.
    pub plot: PlotState,
    /// The latest survey of the plot that counts; `None` if there is none.
    pub survey: Option<SurveyState>,
}

impl Certificate {
    pub(super) fn read(desk: &mut Desk<'_>, first: &ProvenItem) -> Result<Self, ReceiptError> {
        let index = index_of(&first.key)?;
        let Some((_, Item::Claim(claim))) = &first.found else {
            return Err(unfit(
                "it shows entries of a certificate that does not exist",
            ));
        };
        let species = desk.leaf(domains::SPECIES, &claim.species.0.to_be_bytes())?;
        let Item::Species(species) = species else {
            return Err(wrong("the item of the species is another"));
        };
        let entry = desk.shown(index)?;
        let Statement::Claim(stated) = entry.statement else {
            return Err(wrong("the certificate's entry is no claim"));
        };
        agrees(
            (stated.account, stated.species, stated.points)
                == (claim.account, claim.species, claim.points),
            "the claim's entry says another account, species or price than the state",
        )?;
        let standing = match claim.tree {
            ClaimTree::Waiting => Standing::Waiting,
            ClaimTree::Voided => voided(desk, index)?,
            ClaimTree::Tied { plot, serial } => {
                let tree = CertifiedTree::read(desk, index, claim, plot, serial)?;
                Standing::Tree(Box::new(tree))
            }
        };
        Ok(Self {
            index,
            claim: claim.clone(),
            stated: stated.clone(),
            claimed_on: entry.issued_on(),
            species: species.clone(),
            standing,
        })
    }
}

fn voided(desk: &mut Desk<'_>, index: Index) -> Result<Standing, ReceiptError> {
    let Item::Voided(by) = desk.leaf(domains::VOIDED, &index.0.to_be_bytes())? else {
        return Err(wrong("the item of the void is another"));
    };
    let entry = desk.shown(*by)?;
    match entry.statement {
        Statement::Correction(correction)
            if correction.target == index && correction.remedy == Remedy::Void =>
        {
            Ok(Standing::Voided {
                by: *by,
                reason: correction.reason.clone(),
            })
        }
        _ => Err(wrong("the entry that voids the claim does not say so")),
    }
}

impl CertifiedTree {
    fn read(
        desk: &mut Desk<'_>,
        claim_at: Index,
        claim: &ClaimState,
        number: PlotNumber,
        serial: Serial,
    ) -> Result<Self, ReceiptError> {
        let plot_key = number.0.to_be_bytes();
        let key = [plot_key, serial.0.to_be_bytes()].concat();
        let Item::Tree(tree) = desk.leaf(domains::TREES, &key)? else {
            return Err(wrong("the item of the tree is another"));
        };
        agrees(tree.claim == claim_at, "the tree is another certificate's")?;
        let planting = planting_of(desk, number, serial)?;
        agrees(!planting.voided, "the tree's planting was voided")?;
        agrees(
            planting.species == claim.species,
            "the tree is of another species than the claim",
        )?;
        let Item::Plot(plot) = desk.leaf(domains::PLOTS, &plot_key)? else {
            return Err(wrong("the item of the plot is another"));
        };
        let survey = latest_survey(desk, number)?;
        check_assignment(desk, tree.assigned_at, claim_at, number, serial)?;
        check_planting(desk, number, planting)?;
        let entry = desk.shown(plot.stated_at)?;
        agrees(
            matches!(entry.statement, Statement::Plot(stated) if *stated == plot.plot),
            "the plot's entry says otherwise than the state",
        )?;
        if let Some((index, day, survey)) = &survey {
            let entry = desk.shown(*index)?;
            agrees(
                matches!(entry.statement, Statement::Survey(stated) if *stated == survey.survey)
                    && survey.stated_at == *index
                    && survey.survey.plot == number
                    && survey.survey.surveyed_on.0 == *day,
                "the survey's entry says otherwise than the state",
            )?;
        }
        Ok(Self {
            number,
            serial,
            assigned_at: tree.assigned_at,
            planting: planting.clone(),
            plot: plot.clone(),
            survey: survey.map(|(_, _, survey)| survey.clone()),
        })
    }
}

/// The planting that a serial is in.
fn planting_of<'a>(
    desk: &mut Desk<'a>,
    number: PlotNumber,
    serial: Serial,
) -> Result<&'a PlantingState, ReceiptError> {
    let missing = || unfit("the planting of the tree is missing in its place");
    let item = desk.any_item()?;
    let is_here = item.domain == domains::PLANTINGS
        && item.nothing_up_to.is_none()
        && item.key.starts_with(&number.0.to_be_bytes());
    let first = item.key.get(4..).and_then(<[u8]>::first_chunk::<4>);
    match (first, &item.found) {
        (Some(first), Some((_, Item::Planting(planting))))
            if is_here
                && u32::from_be_bytes(*first) <= serial.0
                && planting.last_serial >= serial =>
        {
            Ok(planting)
        }
        _ => Err(missing()),
    }
}

/// The latest survey of a plot, with its entry and its day as its place has them: nothing is between it and the
/// plot's last place.
fn latest_survey<'a>(
    desk: &mut Desk<'a>,
    number: PlotNumber,
) -> Result<Option<(Index, u32, &'a SurveyState)>, ReceiptError> {
    let missing = || unfit("the latest survey of the plot is missing in its place");
    let item = desk.any_item()?;
    let plot = number.0.to_be_bytes();
    let end = [plot.as_slice(), &[0xFF; 12]].concat();
    if item.domain != domains::SURVEYS
        || item.nothing_up_to.as_deref() != Some(end.as_slice())
        || !item.key.starts_with(&plot)
    {
        return Err(missing());
    }
    let (_, place) = item.key.split_at_checked(4).ok_or_else(missing)?;
    match &item.found {
        None if place.iter().all(|byte| *byte == 0) => Ok(None),
        Some((_, Item::Survey(survey))) => {
            let (day, index) = place.split_first_chunk::<4>().ok_or_else(missing)?;
            Ok(Some((index_of(index)?, u32::from_be_bytes(*day), survey)))
        }
        _ => Err(missing()),
    }
}

fn check_assignment(
    desk: &mut Desk<'_>,
    assigned_at: Index,
    claim: Index,
    number: PlotNumber,
    serial: Serial,
) -> Result<(), ReceiptError> {
    let entry = desk.shown(assigned_at)?;
    let says_so = match entry.statement {
        Statement::Assignment(stated) => {
            let place = serial.0.checked_sub(stated.first_serial.0);
            let place = place.and_then(|place| usize::try_from(place).ok());
            let named = place.and_then(|place| stated.claims.get(place));
            stated.plot == number && named == Some(&claim)
        }
        _ => false,
    };
    agrees(
        says_so,
        "the assignment's entry does not tie claim and tree",
    )
}

fn check_planting(
    desk: &mut Desk<'_>,
    number: PlotNumber,
    planting: &PlantingState,
) -> Result<(), ReceiptError> {
    let entry = desk.shown(planting.index)?;
    let says_so = match entry.statement {
        Statement::Planting(stated) => {
            stated.plot == number
                && stated.species == planting.species
                && stated.first_serial == planting.first_serial
                && u64::from(stated.count.get()) == planting.count()
                && stated.planted_from == planting.planted_from
                && stated.planted_until == planting.planted_until
        }
        _ => false,
    };
    agrees(
        says_so,
        "the planting's entry says otherwise than the state",
    )
}
