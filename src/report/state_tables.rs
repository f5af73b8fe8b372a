//! Rows of what the entries make together, and of what an audit found.

use super::export::{ExportError, Tables, or_empty, rights, row, spaced};
use super::state_schemas::PLOTS_NOW;
use super::{plot_shapes, registry_links};
use crate::audit::{Finding, PlotRow, Report};
use crate::ledger::{ClaimState, ClaimTree, LostRange, PlantingState, State};
use crate::record::{CarbonRights, Index, PlotNumber, Serial, SpeciesCode};

/// Writes all of them but the accounts, which are written where entries name them.
pub(super) fn write(
    tables: &mut Tables,
    report: &Report,
    state: &State,
) -> Result<(), ExportError> {
    for plot in &report.plots {
        if let Some((_, row)) = plot_row(plot, state) {
            tables.plots_now.row(row)?;
        }
        registry_link(tables, plot)?;
    }
    for (plot, _, planting) in state.plantings_all() {
        trees(tables, state, plot, planting)?;
    }
    for (index, claim) in state.claims() {
        certificate(tables, state, *index, claim)?;
    }
    for row in &report.vintages {
        tables.vintages.row(row![
            row.month,
            row.awards,
            row.awarded,
            row.reversed,
            row.standing_points,
            row.planted,
            row.lost,
            row.standing,
        ])?;
    }
    report
        .findings
        .iter()
        .try_for_each(|found| finding(tables, found))
}

/// A plot as it is now, with its shape; `None` of a plot that the state does not have.
pub(super) fn plot_row(
    plot: &PlotRow,
    state: &State,
) -> Option<(plot_shapes::Shape, [String; PLOTS_NOW.columns.len()])> {
    let shape = plot_shapes::of(&state.plot(plot.number)?.plot.place);
    let (rights, registry, project) = rights(&plot.carbon_rights);
    let survey = plot.latest_survey.as_ref();
    let share = survey.and_then(|survey| survey.share);
    let interval = share.and_then(|share| share.interval);
    let row = row![
        plot.number,
        plot.name,
        plot.holder,
        plot.country,
        plot.stated_at,
        shape.name,
        plot.latitude,
        plot.longitude,
        plot.radius_m,
        plot.area_m2,
        plot.planted,
        plot.lost,
        plot.standing,
        plot.capacity,
        plot.assigned,
        plot.shortfall,
        rights,
        registry,
        project,
        plot.funded_by,
        or_empty(plot.first_planted_by),
        plot.surveys,
        or_empty(survey.map(|survey| survey.index)),
        or_empty(survey.map(|survey| survey.surveyed_on)),
        or_empty(share.map(|share| share.estimate)),
        or_empty(interval.map(|interval| interval.low)),
        or_empty(interval.map(|interval| interval.high)),
    ];
    Some((shape, row))
}

fn registry_link(tables: &mut Tables, plot: &PlotRow) -> Result<(), ExportError> {
    let CarbonRights::Issued { registry, id } = &plot.carbon_rights else {
        return Ok(());
    };
    let link = registry_links::link(registry.as_str(), id.as_str());
    tables.registry_links.row(row![
        plot.number,
        plot.name,
        plot.country,
        plot.holder,
        plot.stated_at,
        plot.planted,
        plot.standing,
        registry,
        id,
        link.registry_of_origin,
        id,
        id,
        link.offsets_db_registry,
        link.offsets_db_project,
    ])
}

/// The runs of a planting: a number of rows that grows with its losses, never with its trees.
fn trees(
    tables: &mut Tables,
    state: &State,
    plot: PlotNumber,
    planting: &PlantingState,
) -> Result<(), ExportError> {
    let named = planting.lost_ranges.iter().map(count).sum::<u64>();
    let unnamed = u64::from(planting.lost()).saturating_sub(named);
    for (first, last, lost_at) in runs(planting) {
        let standing = match (planting.voided, lost_at) {
            (true, _) => "voided",
            (false, Some(_)) => "lost",
            (false, None) => "standing",
        };
        tables.trees.row(row![
            plot,
            planting.index,
            planting.species,
            species_name(state, planting.species),
            first,
            last,
            last - first + 1,
            planting.planted_from,
            planting.planted_until,
            standing,
            or_empty(lost_at),
            planting.lost(),
            unnamed,
        ])?;
    }
    Ok(())
}

fn count(range: &LostRange) -> u64 {
    u64::from(range.last.0) + 1 - u64::from(range.first.0)
}

/// The first and the last serial of each run of a planting, and the correction that states its loss.
fn runs(planting: &PlantingState) -> Vec<(u64, u64, Option<Index>)> {
    let mut lost = planting.lost_ranges.clone();
    lost.sort_by_key(|range| range.first);
    let (mut next, end) = (
        u64::from(planting.first_serial.0),
        u64::from(planting.last_serial.0) + 1,
    );
    let mut runs = Vec::new();
    for range in lost {
        let (first, last) = (u64::from(range.first.0), u64::from(range.last.0));
        if next < first {
            runs.push((next, first - 1, None));
        }
        runs.push((first, last, Some(range.lost_at)));
        next = last + 1;
    }
    if next < end {
        runs.push((next, end - 1, None));
    }
    runs
}

fn certificate(
    tables: &mut Tables,
    state: &State,
    index: Index,
    claim: &ClaimState,
) -> Result<(), ExportError> {
    let (standing, tree) = match claim.tree {
        ClaimTree::Waiting => ("waiting", None),
        ClaimTree::Tied { plot, serial } => ("tied", Some((plot, serial))),
        ClaimTree::Voided => ("voided", None),
    };
    let planting =
        |(plot, serial): (PlotNumber, Serial)| Some(state.planting_of(plot, serial)?.1.index);
    let tied = tree.and_then(|(plot, serial)| state.tree(plot, serial));
    tables.certificates.row(row![
        index,
        claim.account,
        claim.species,
        species_name(state, claim.species),
        claim.points,
        standing,
        or_empty(tree.map(|(plot, _)| plot)),
        or_empty(tree.map(|(_, serial)| serial)),
        or_empty(tree.and_then(planting)),
        or_empty(tied.map(|tree| tree.assigned_at)),
    ])
}

fn species_name(state: &State, code: SpeciesCode) -> &str {
    state.species_name(code).unwrap_or_default()
}

fn finding(tables: &mut Tables, found: &Finding) -> Result<(), ExportError> {
    tables.findings.row(row![
        found.code,
        found.severity.name(),
        found.count,
        found.weight,
        found.weight_unit,
        found.title,
        found.why,
    ])?;
    for (place, item) in found.items.iter().enumerate() {
        tables.finding_cases.row(row![
            found.code,
            place + 1,
            item.subject,
            item.detail,
            spaced(item.indexes.iter()),
        ])?;
    }
    Ok(())
}
