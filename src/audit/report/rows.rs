//! The rows of a report, reckoned from the ledger's state and from what the audit observed.

use std::collections::BTreeMap;

use super::{ActivityRow, IssuerRow, KindRow, MethodRow, MonthRow, PlotRow, SpeciesRow, SurveyRow};
use crate::audit::observe::Observations;
use crate::audit::survival::{PlantingBooks, Share};
use crate::ledger::{ClaimTree, KeyRole, PlotState, State};
use crate::record::{Day, MethodId, MethodVersion, Month, PlotNumber, SpeciesCode};

pub(super) fn kinds(observations: &Observations) -> Vec<KindRow> {
    observations
        .kinds
        .iter()
        .map(|(kind, span)| KindRow {
            kind: kind.name(),
            entries: span.count,
        })
        .collect()
}

pub(super) fn activities(state: &State, observations: &Observations) -> Vec<ActivityRow> {
    let mut rows = Vec::new();
    for method in state.methods() {
        for activity in method.method.activities.iter() {
            let key = (method.method.id, method.method.version, activity.code);
            let sums = observations
                .activities
                .get(&key)
                .copied()
                .unwrap_or_default();
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

pub(super) fn methods(state: &State, observations: &Observations) -> Vec<MethodRow> {
    let row = |(method, version): (MethodId, MethodVersion)| {
        let of = observations.activities.iter();
        let of = of.filter(|((id, of, _), _)| (*id, *of) == (method, version));
        let (awards, points) = of.fold((0, 0), |(awards, points), (_, sums)| {
            (awards + sums.awards, points + sums.points)
        });
        MethodRow {
            method,
            version,
            awards,
            points,
        }
    };
    let known = state
        .methods()
        .map(|state| (state.method.id, state.method.version));
    known.map(row).collect()
}

pub(super) fn species(state: &State) -> Vec<SpeciesRow> {
    let mut rows = BTreeMap::<SpeciesCode, SpeciesRow>::new();
    let mut row = |code, change: &dyn Fn(&mut SpeciesRow)| {
        change(rows.entry(code).or_insert_with(|| SpeciesRow {
            code,
            name: state.species_name(code).unwrap_or_default().to_owned(),
            ..SpeciesRow::default()
        }));
    };
    for (_, first, planting) in state
        .plantings_all()
        .filter(|(_, _, planting)| !planting.voided)
    {
        let trees = planting.count(first);
        row(planting.species, &|row| {
            row.planted += trees;
            row.lost += u64::from(planting.lost);
        });
    }
    for (_, claim) in state.claims() {
        row(claim.species, &|row| match claim.tree {
            ClaimTree::Waiting => row.waiting += 1,
            ClaimTree::Tied { .. } => row.assigned += 1,
            ClaimTree::Voided => {}
        });
    }
    rows.into_values().collect()
}

pub(super) fn plots(state: &State) -> Vec<PlotRow> {
    let books = PlantingBooks::new(state);
    state
        .plots()
        .map(|(number, plot)| plot_row(state, &books, *number, plot))
        .collect()
}

fn plot_row(
    state: &State,
    books: &PlantingBooks<'_>,
    number: PlotNumber,
    plot: &PlotState,
) -> PlotRow {
    let latest = state.surveys(number).next_back().map(|(index, survey)| {
        let base = books.base(index, &survey.survey);
        SurveyRow {
            index,
            surveyed_on: survey.survey.surveyed_on,
            basis: survey.survey.basis,
            one_planting: survey.survey.planting.is_some(),
            sampled: survey.survey.sampled,
            alive: survey.survey.alive,
            share: Share::of_survey(&survey.survey, &base),
            surveyor: survey.surveyor.to_string(),
            paid_by: survey.survey.paid_by.to_string(),
            next_due: survey.survey.next_due,
        }
    });
    PlotRow {
        number,
        name: plot.plot.name.to_string(),
        stated_at: plot.stated_at,
        holder: plot.holder.to_string(),
        latitude: plot.plot.latitude.degrees(),
        longitude: plot.plot.longitude.degrees(),
        radius_m: plot.plot.radius_m,
        area_m2: plot.plot.area_m2,
        funded_by: plot.plot.funded_by.to_string(),
        carbon_rights: plot.plot.carbon_rights.clone(),
        planted: plot.planted,
        lost: plot.lost,
        standing: plot.standing(),
        capacity: plot.capacity(),
        assigned: plot.assigned,
        shortfall: plot.shortfall(),
        first_planted: state.first_planted_on(number),
        surveys: state.surveys(number).count() as u64,
        latest_survey: latest,
    }
}

pub(super) fn issuers(state: &State, observations: &Observations, as_of: Day) -> Vec<IssuerRow> {
    let mut rows = Vec::new();
    for (public, key) in state.keys() {
        let (role, holder, name) = match &key.role {
            KeyRole::Log => continue,
            KeyRole::Governor => ("governor".to_owned(), String::new(), String::new()),
            KeyRole::Issuer {
                role,
                holder,
                display_name,
            } => (
                role.to_string(),
                holder.to_string(),
                display_name.to_string(),
            ),
        };
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
            } else if key.expires_on.is_some_and(|last| last < as_of) {
                "expired"
            } else if key.role == KeyRole::Governor
                && !state.globals().council.governors.contains(public)
            {
                "replaced"
            } else {
                "in force"
            },
            sums: observations
                .issuers
                .get(public)
                .copied()
                .unwrap_or_default(),
        });
    }
    rows.sort_by_key(|row| (row.granted_at, row.key));
    rows
}

pub(super) fn months(state: &State, observations: &Observations) -> Vec<MonthRow> {
    let mut trees = BTreeMap::<Month, (u64, u64)>::new();
    for (_, first, planting) in state
        .plantings_all()
        .filter(|(_, _, planting)| !planting.voided)
    {
        trees.entry(Month::of(planting.planted_on)).or_default().0 += planting.count(first);
    }
    for (index, loss) in &observations.losses {
        if let Some(state) = state.loss(*index) {
            trees.entry(Month::of(loss.on)).or_default().1 += u64::from(state.count);
        }
    }
    let mut months: Vec<Month> = observations
        .months
        .keys()
        .chain(trees.keys())
        .copied()
        .collect();
    months.sort_unstable();
    months.dedup();
    months
        .into_iter()
        .map(|month| {
            let (planted, lost) = trees.get(&month).copied().unwrap_or_default();
            MonthRow {
                month: month.to_string(),
                points: observations.months.get(&month).copied().unwrap_or_default(),
                planted,
                lost,
            }
        })
        .collect()
}
