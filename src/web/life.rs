//! The life of a tree: what its plot's lineage says of it, walked back from the newest entry.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use super::frame::Visit;
use super::names::grantee_name;
use super::say::{SaidNames, sentence};
use super::texts::Language;
use super::tree::TreeFacts;
use super::{Pages, stated};
use crate::answer::Problem;
use crate::crypto::PublicKey;
use crate::ledger::State;
use crate::ledger::history::{lost_entry, plot_before};
use crate::record::{
    Correction, Day, FullEntry, Index, PlotNumber, Remedy, Serial, Stated, Statement,
};

/// The most entries of the plot that are read, so that a page is answered in milliseconds however many
/// a plot has. What the state knows of the tree is shown in any case.
const STEPS_MAX: usize = 300;

/// Something that happened to a tree.
pub(super) struct TreeEvent {
    /// The day on which it happened; that of admission, for what has no other. Of a span the first.
    pub day: Day,
    /// The day, or the span, in the reader's language.
    pub when: String,
    /// What it was, in the reader's language.
    pub what: String,
    /// What was said, in a sentence.
    pub says: String,
    /// The entry that says so.
    pub index: Index,
}

/// A tree, and who did what to it.
pub(super) struct Life {
    pub tree: TreeFacts,
    /// Who planted it.
    pub planter: String,
    /// Who made the latest survey of its plot, if there is one.
    pub surveyor: Option<String>,
    /// What happened to it, by the day.
    pub events: Vec<TreeEvent>,
    /// Whether the plot has entries that were not read.
    pub more: bool,
}

/// The entry about a plot before this one, which is about that plot.
pub(super) async fn plot_entry_before(
    pages: &Pages,
    number: PlotNumber,
    entry: &Stated<'_>,
) -> Result<Option<Index>, Problem> {
    let target = match entry.statement.target() {
        Some(target) => Some(pages.entry(target).await?.1),
        None => None,
    };
    let target = target.as_ref().and_then(FullEntry::stated);
    let target = target.as_ref().map(|target| target.statement);
    let lost = target.and_then(|target| lost_entry(entry.statement, target));
    let lost = match lost {
        Some(lost) => Some(pages.entry(lost).await?.1),
        None => None,
    };
    let lost = lost.as_ref().and_then(FullEntry::stated);
    let targets = [target, lost.as_ref().map(|lost| lost.statement)];
    // A life that ended here would look whole.
    plot_before(number, entry, targets)
        .ok_or_else(|| Problem::contradiction("the lineage of a plot leads to another entry"))
}

impl Life {
    pub(super) async fn of(pages: &Pages, visit: &Visit, tree: TreeFacts) -> Result<Self, Problem> {
        let language = visit.language;
        let (_, planting) = pages.entry(tree.planting).await?;
        let survey = match &tree.survey {
            Some(survey) => Some(pages.entry(survey.index).await?.1),
            None => None,
        };
        let planting = stated(tree.planting, &planting)?;
        let survey = match (&tree.survey, &survey) {
            (Some(survey), Some(entry)) => Some(stated(survey.index, entry)?),
            _ => None,
        };
        let name = |state: &State, entry: &Stated<'_>| grantee_name(state, entry.issuer());
        let look = |state: &State| {
            let surveyor = survey.as_ref().map(|entry| name(state, entry));
            Ok((name(state, &planting)?, surveyor.transpose()?))
        };
        let (planter, surveyor) = pages.look(look).await?;
        let (mut found, more) = walk(pages, language, &tree).await?;
        let known = [Some(tree.planting), tree.lost_at];
        let tied = tree.tied.map(|(claim, assignment)| [claim, assignment]);
        let known = known
            .into_iter()
            .flatten()
            .chain(tied.into_iter().flatten());
        for index in known.chain(tree.surveys.iter().copied()) {
            if let Slot::Vacant(slot) = found.entry(index) {
                let (_, entry) = pages.entry(index).await?;
                slot.insert(event(language, index, &stated(index, &entry)?));
            }
        }
        let look = |state: &State| {
            let told = found.into_values().map(|found| {
                let names = SaidNames::of(state, &found.said, &found.issuer)?;
                Ok(TreeEvent {
                    says: sentence(language, &found.said, &names),
                    ..found.event
                })
            });
            told.collect::<Result<Vec<_>, Problem>>()
        };
        let mut events = pages.look(look).await?;
        events.sort_by_key(|event| (event.day, event.index));
        Ok(Self {
            tree,
            planter,
            surveyor,
            events,
            more,
        })
    }
}

/// What the newest entries of a tree's plot say of it, by their indexes, and whether there are more.
async fn walk(
    pages: &Pages,
    language: Language,
    tree: &TreeFacts,
) -> Result<(BTreeMap<Index, FoundEvent>, bool), Problem> {
    let mut events = BTreeMap::new();
    // Corrections that void, by the entry that they void: on the way back they come before it.
    let mut voids = BTreeMap::new();
    let mut next = Some(tree.plot_last);
    for _ in 0..STEPS_MAX {
        let Some(index) = next else {
            break;
        };
        let (_, entry) = pages.entry(index).await?;
        let entry = stated(index, &entry)?;
        next = plot_entry_before(pages, tree.plot, &entry).await?;
        match entry.statement {
            Statement::Correction(correction) if correction.remedy == Remedy::Void => {
                voids.insert(correction.target, (index, event(language, index, &entry)));
            }
            statement if speaks_of(statement, tree) => {
                events.insert(index, event(language, index, &entry));
                if let Some((at, void)) = voids.remove(&index) {
                    events.insert(at, void);
                }
                // The claim of a tree is of an account, not of a plot.
                if let Statement::Assignment(assignment) = statement
                    && let Some(place) = offset(assignment.first_serial, tree.serial)
                    && let Some(claim) = assignment.claims.get(place)
                {
                    let (_, entry) = pages.entry(*claim).await?;
                    events.insert(*claim, event(language, *claim, &stated(*claim, &entry)?));
                }
            }
            // The entry is about other trees of the plot, or about the plot alone.
            _ => {}
        }
    }
    Ok((events, next.is_some()))
}

/// How far a serial lies behind another; `None` if it lies before.
fn offset(first: Serial, serial: Serial) -> Option<usize> {
    let distance = serial.0.checked_sub(first.0)?;
    usize::try_from(distance).ok()
}

/// Whether a statement about its plot is about the tree itself.
fn speaks_of(statement: &Statement, tree: &TreeFacts) -> bool {
    let within = |plot: PlotNumber, first: Serial, count: usize| {
        plot == tree.plot && offset(first, tree.serial).is_some_and(|place| place < count)
    };
    match statement {
        Statement::Planting(planting) => within(
            planting.plot,
            planting.first_serial,
            planting.count.get() as usize,
        ),
        Statement::Assignment(assignment) => within(
            assignment.plot,
            assignment.first_serial,
            assignment.claims.len(),
        ),
        Statement::Survey(survey) => {
            survey.surveyed_on >= tree.planted_from
                && survey.as_of >= tree.planting
                && survey
                    .planting
                    .is_none_or(|planting| planting == tree.planting)
        }
        Statement::Correction(Correction {
            target,
            remedy:
                Remedy::Lost {
                    count,
                    first_serial: Some(first),
                    ..
                },
            ..
        }) => *target == tree.planting && within(tree.plot, *first, count.get() as usize),
        // A loss that names no serials, a void, a reversal; and the plot itself: about no one tree.
        Statement::Correction(_) | Statement::Plot(_) => false,
        // Never in a plot's lineage. Every kind stands here, so that a new one is asked about.
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
        | Statement::Seal(_) => false,
    }
}

/// An event whose sentence still lacks the names that the ledger has.
struct FoundEvent {
    event: TreeEvent,
    said: Statement,
    issuer: PublicKey,
}

fn event(language: Language, index: Index, entry: &Stated<'_>) -> FoundEvent {
    let t = language.texts();
    let admitted = Day::of(entry.admitted_at());
    let statement = entry.statement;
    let (day, what) = match statement {
        Statement::Planting(planting) => (planting.planted_from, &t.planting),
        Statement::Survey(survey) => (survey.surveyed_on, &t.survey_one),
        Statement::Assignment(_) => (admitted, &t.assigned),
        Statement::Claim(_) => (admitted, &t.claim),
        Statement::Correction(correction) => match &correction.remedy {
            Remedy::Lost { lost_on, .. } => (*lost_on, &t.lost),
            Remedy::Void => (admitted, &t.void),
            Remedy::Reverse { .. } => (admitted, &t.entry),
        },
        // In no tree's life. Every kind stands here, so that a new one is asked about.
        Statement::Genesis(_)
        | Statement::Governors(_)
        | Statement::KeyGrant(_)
        | Statement::KeyRevoke(_)
        | Statement::LogKey(_)
        | Statement::Method(_)
        | Statement::Award(_)
        | Statement::Transfer(_)
        | Statement::Plot(_)
        | Statement::Policy(_)
        | Statement::Attestation(_)
        | Statement::Seal(_) => (admitted, &t.entry),
    };
    let until = match statement {
        Statement::Planting(planting) => planting.planted_until,
        _ => day,
    };
    FoundEvent {
        event: TreeEvent {
            day,
            when: language.span(day, until),
            what: what.clone(),
            says: String::new(),
            index,
        },
        said: statement.clone(),
        issuer: *entry.issuer(),
    }
}
