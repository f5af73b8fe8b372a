//! The rows of a report, reckoned from the ledger's state and from what the audit observed.

use std::collections::BTreeMap;

use super::{ActivityRow, IssuerRow, KindRow, MethodRow, MonthRow, PlotRow, SpeciesRow, SurveyRow};
use crate::audit::estimate::{Sample, Share};
use crate::audit::facts::{Facts, Inconsistent};
use crate::audit::looked::{Books, Frame};
use crate::ledger::{ClaimTree, KeyRole, PlotState, State, SurveyState};
use crate::record::{Index, Month, PlotNumber, SpeciesCode};

pub(super) fn kinds(facts: &Facts<'_>) -> Vec<KindRow> {
    let kinds = facts.observations.kinds.iter();
    kinds
        .map(|(kind, span)| KindRow {
            kind: kind.name(),
            entries: span.count,
        })
        .collect()
}

pub(super) fn activities(facts: &Facts<'_>) -> Vec<ActivityRow> {
    let mut rows = Vec::new();
    for method in facts.state.methods() {
        for activity in method.method.activities.iter() {
            let key = (method.method.id, method.method.version, activity.code);
            // An activity that was never observed has no awards.
            let sums = facts.observations.activities.get(&key);
            let sums = sums.copied().unwrap_or_default();
            rows.push(ActivityRow {
                method: method.method.id,
                version: method.method.version,
                stated_at: method.stated_at,
                effective_from: method.method.effective_from,
                sources: method.method.sources.to_string(),
                baseline: method.method.baseline.to_string(),
                activity: activity.code,
                name: activity.name.to_string(),
                unit: activity.unit.to_string(),
                factor: activity.factor,
                cap: activity.cap,
                awards: sums.awards,
                points: sums.points,
                quantity: sums.quantity,
            });
        }
    }
    rows
}

pub(super) fn methods(facts: &Facts<'_>) -> Vec<MethodRow> {
    let methods = facts.state.methods();
    methods
        .map(|state| {
            let (method, version) = (state.method.id, state.method.version);
            let mut row = MethodRow {
                method,
                version,
                awards: 0,
                points: 0,
            };
            for ((id, of_version, _), sums) in &facts.observations.activities {
                if (*id, *of_version) == (method, version) {
                    row.awards += sums.awards;
                    row.points += sums.points;
                }
            }
            row
        })
        .collect()
}

pub(super) fn species(state: &State) -> Result<Vec<SpeciesRow>, Inconsistent> {
    let mut rows = BTreeMap::<SpeciesCode, SpeciesRow>::new();
    for (_, _, planting) in state
        .plantings_all()
        .filter(|(_, _, planting)| !planting.voided)
    {
        let row = rows.entry(planting.species).or_default();
        row.planted += planting.count();
        row.lost += u64::from(planting.lost());
    }
    for (_, claim) in state.claims() {
        let row = rows.entry(claim.species).or_default();
        match claim.tree {
            ClaimTree::Waiting => row.waiting += 1,
            ClaimTree::Tied { .. } => row.assigned += 1,
            // A voided claim is no promise. Its species has a row all the same.
            ClaimTree::Voided => {}
        }
    }
    for (code, row) in &mut rows {
        let name = state
            .species_name(*code)
            .ok_or_else(|| Inconsistent::new(format!("no method names the species {code}")))?;
        row.code = *code;
        row.name = name.to_owned();
    }
    Ok(rows.into_values().collect())
}

pub(super) fn plots(state: &State, books: &Books<'_>) -> Result<Vec<PlotRow>, Inconsistent> {
    state
        .plots()
        .map(|(number, plot)| plot_row(state, books, *number, plot))
        .collect()
}

fn plot_row(
    state: &State,
    books: &Books<'_>,
    number: PlotNumber,
    plot: &PlotState,
) -> Result<PlotRow, Inconsistent> {
    let latest = state.surveys(number).next_back();
    let latest = latest.map(|(index, survey)| survey_row(books, index, survey));
    let circle = plot.plot.place.circle();
    Ok(PlotRow {
        number,
        name: plot.plot.name.to_string(),
        stated_at: plot.stated_at,
        holder: plot.holder.to_string(),
        country: plot.plot.country.to_string(),
        latitude: circle.latitude.degrees(),
        longitude: circle.longitude.degrees(),
        radius_m: circle.radius_m,
        area_m2: plot.plot.area_m2,
        funded_by: plot.plot.funded_by.to_string(),
        carbon_rights: plot.plot.carbon_rights.clone(),
        planted: plot.planted(),
        lost: plot.lost(),
        standing: plot.standing(),
        capacity: plot.capacity(),
        assigned: plot.assigned,
        shortfall: plot.shortfall(),
        first_planted_by: state.first_planted_by(number),
        surveys: state.surveys(number).count() as u64,
        latest_survey: latest.transpose()?,
    })
}

fn survey_row(
    books: &Books<'_>,
    index: Index,
    state: &SurveyState,
) -> Result<SurveyRow, Inconsistent> {
    let survey = &state.survey;
    let frame = books.frame(index, survey.into())?;
    Ok(SurveyRow {
        index,
        surveyed_on: survey.surveyed_on,
        basis: survey.basis,
        one_planting: survey.planting.is_some(),
        looked_for: survey.looked_for(),
        alive: survey.alive,
        dead: survey.dead,
        not_found: survey.not_found,
        stood: frame.stood,
        share: share_of(&frame),
        surveyor: state.surveyor.to_string(),
        paid_by: survey.paid_by.to_string(),
        next_due: survey.next_due,
    })
}

/// The share alive of the trees that stood when they were looked for.
fn share_of(frame: &Frame) -> Option<Share> {
    let sample = Sample {
        trees: frame.stood,
        looked_for: frame.looked.looked_for(),
        found: frame.looked.alive.into(),
        part: 1.0,
    };
    let share = Share::of(&[sample])?;
    Some(if frame.is_drawn() {
        share
    } else {
        Share::without_interval(share.estimate)
    })
}

pub(super) fn issuers(facts: &Facts<'_>) -> Vec<IssuerRow> {
    let state = facts.state;
    let mut rows = Vec::new();
    for key in state.keys() {
        let public = &key.key;
        let (role, holder, name) = match &key.role {
            KeyRole::Log => continue,
            KeyRole::Governor => ("governor".to_owned(), String::new(), String::new()),
            KeyRole::Issuer {
                role,
                holder,
                display_name,
                ..
            } => (
                role.to_string(),
                holder.to_string(),
                display_name.to_string(),
            ),
        };
        // A key that never issued anything has sums of zero.
        let sums = facts.observations.issuers.get(public);
        rows.push(IssuerRow {
            key: *public,
            role,
            holder,
            name,
            granted_at: key.granted_at,
            revoked_at: key.revoked_at,
            expires_on: key.expires_on,
            standing: if key.revoked_at.is_some() {
                "revoked"
            } else if key.expires_on.is_some_and(|last| last < facts.as_of) {
                "expired"
            } else if key.role == KeyRole::Governor
                && !state.globals().council.governors.contains(public)
            {
                "replaced"
            } else {
                "in force"
            },
            sums: sums.copied().unwrap_or_default(),
        });
    }
    rows.sort_by_key(|row| (row.granted_at, row.key));
    rows
}

pub(super) fn months(facts: &Facts<'_>) -> Vec<MonthRow> {
    let (state, points) = (facts.state, &facts.observations.months);
    let mut trees = BTreeMap::<Month, (u64, u64)>::new();
    for (_, _, planting) in state
        .plantings_all()
        .filter(|(_, _, planting)| !planting.voided)
    {
        trees
            .entry(Month::of(planting.planted_until))
            .or_default()
            .0 += planting.count();
    }
    for (index, observed) in &facts.observations.losses {
        // The state has only the losses that count: a loss that was voided never was.
        if let Some(loss) = state.loss(*index) {
            trees.entry(Month::of(observed.on)).or_default().1 += u64::from(loss.count);
        }
    }
    let mut months: Vec<Month> = points.keys().chain(trees.keys()).copied().collect();
    months.sort_unstable();
    months.dedup();
    months
        .into_iter()
        .map(|month| {
            // A month may have trees and no points, or points and no trees.
            let (planted, lost) = trees.get(&month).copied().unwrap_or_default();
            MonthRow {
                month: month.to_string(),
                points: points.get(&month).copied().unwrap_or_default(),
                planted,
                lost,
            }
        })
        .collect()
}
