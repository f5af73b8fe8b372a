//! One project of a carbon registry on several plots.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cases, Facts, Finding, Severity, many};
use crate::ledger::{PlotState, compared_name};
use crate::record::{CarbonRights, PlotNumber};

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut projects = BTreeMap::<(String, String), Vec<&(PlotNumber, PlotState)>>::new();
    for stated in facts.state.plots() {
        if let CarbonRights::Issued { registry, id } = &stated.1.plot.carbon_rights {
            let project = (compared_name(registry.as_str()), compared_name(id.as_str()));
            projects.entry(project).or_default().push(stated);
        }
    }
    let mut one = Cases::new(
        "carbon_project_shared",
        Severity::Low,
        "One project of a registry is named for several plots of one planter. A project may have several. Ask how much \
         was issued for which.",
    );
    let mut several = Cases::new(
        "carbon_project_of_several",
        Severity::Medium,
        "Several planters, or plots in several countries, name one project of a registry: a number may be copied. Ask \
         the registry whose it is.",
    );
    for plots in projects.values().filter(|plots| plots.len() > 1) {
        let holders: BTreeSet<_> = plots.iter().map(|(_, plot)| &plot.holder).collect();
        let countries: BTreeSet<_> = plots
            .iter()
            .map(|(_, plot)| plot.plot.country.as_str())
            .collect();
        let Some((_, first)) = plots.first() else {
            continue;
        };
        let CarbonRights::Issued { registry, id } = &first.plot.carbon_rights else {
            continue;
        };
        let numbers: Vec<String> = plots
            .iter()
            .take(10)
            .map(|(it, _)| it.to_string())
            .collect();
        let detail = format!(
            "{} of {} in {}: {}",
            many(plots.len() as u64, "plot", "plots"),
            many(holders.len() as u64, "planter", "planters"),
            many(countries.len() as u64, "country", "countries"),
            numbers.join(", ")
        );
        let indexes = plots
            .iter()
            .take(10)
            .map(|(_, plot)| plot.stated_at)
            .collect();
        let cases = if holders.len() > 1 || countries.len() > 1 {
            &mut several
        } else {
            &mut one
        };
        cases.add(
            plots.len() as u128,
            format!("registry {registry}, project {id}"),
            detail,
            indexes,
        );
    }
    let several = several.finding(|count| {
        let projects = many(count, "project is", "projects are");
        format!("{projects} named by several planters, or in several countries")
    });
    let one = one.finding(|count| {
        let projects = many(count, "project is", "projects are");
        format!("{projects} named for several plots")
    });
    several.into_iter().chain(one).collect()
}
