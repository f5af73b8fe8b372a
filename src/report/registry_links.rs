//! Registries of carbon credits under the names that the Climate Action Data Trust (CADT) and CarbonPlan's
//! OffsetsDB have for them, and projects under their ids there, so that a plot can be looked up in both.
//!
//! Sources: CADT, github.com/Chia-Network/cadt at 171e6d6, `src/models/governance/governance.stub.js`;
//! OffsetsDB, github.com/carbonplan/offsets-db-data at cdfd8f7, `offsets_db_data/models.py` and
//! `registry.py` for names and prefixes, `vcs.py`, `gld.py`, `cercarbono.py`, `isometric.py` for ids that
//! a prefix is put before.

use crate::ledger::compared_name;

/// A registry.
struct Registry {
    /// What issuers may call it: compared without case, marks and look-alikes.
    stated: &'static [&'static str],
    /// Its name in CADT's pick list; `None` if it is not in it.
    cadt: Option<&'static str>,
    /// Its name in OffsetsDB with the prefix of its projects' ids, and other prefixes that stand before the number;
    /// `None` if OffsetsDB does not have it.
    offsets_db: Option<OffsetsDb>,
}

struct OffsetsDb {
    name: &'static str,
    prefix: &'static str,
    others: &'static [&'static str],
    /// Whether ids are numbers; else they are codes of letters and digits.
    is_number: bool,
}

const fn of_numbers(
    name: &'static str,
    prefix: &'static str,
    others: &'static [&'static str],
) -> Option<OffsetsDb> {
    Some(OffsetsDb {
        name,
        prefix,
        others,
        is_number: true,
    })
}

const REGISTRIES: [Registry; 13] = [
    Registry {
        stated: &[
            "Verra",
            "VCS",
            "Verified Carbon Standard",
            "Verra VCS",
            "Verra Registry",
        ],
        cadt: Some("Verra"),
        offsets_db: of_numbers("verra", "VCS", &["VERRA"]),
    },
    Registry {
        stated: &[
            "Gold Standard",
            "The Gold Standard",
            "GS",
            "Gold Standard Registry",
        ],
        cadt: Some("Gold Standard"),
        offsets_db: of_numbers("gold-standard", "GLD", &["GS"]),
    },
    Registry {
        stated: &[
            "American Carbon Registry",
            "American Carbon Registry (ACR)",
            "ACR",
        ],
        cadt: Some("American Carbon Registry (ACR)"),
        offsets_db: of_numbers("american-carbon-registry", "ACR", &[]),
    },
    Registry {
        stated: &[
            "Climate Action Reserve",
            "Climate Action Reserve (CAR)",
            "CAR",
        ],
        cadt: Some("Climate Action Reserve (CAR)"),
        offsets_db: of_numbers("climate-action-reserve", "CAR", &[]),
    },
    Registry {
        stated: &["ART", "ART TREES", "Architecture for REDD+ Transactions"],
        cadt: None,
        offsets_db: of_numbers("art-trees", "ART", &[]),
    },
    Registry {
        stated: &["Cercarbono"],
        cadt: None,
        offsets_db: of_numbers("cercarbono", "CCB", &[]),
    },
    Registry {
        stated: &["Isometric"],
        cadt: None,
        offsets_db: Some(OffsetsDb {
            name: "isometric",
            prefix: "ISO",
            others: &[],
            is_number: false,
        }),
    },
    Registry {
        stated: &["CDM", "CDM Registry", "Clean Development Mechanism"],
        cadt: Some("CDM Registry"),
        offsets_db: None,
    },
    Registry {
        stated: &[
            "Article 6.4 Mechanism Registry",
            "PACM",
            "Paris Agreement Crediting Mechanism",
        ],
        cadt: Some("Article 6.4 Mechanism Registry"),
        offsets_db: None,
    },
    Registry {
        stated: &["Global Carbon Council", "GCC"],
        cadt: Some("Global Carbon Council"),
        offsets_db: None,
    },
    Registry {
        stated: &["Joint Crediting Mechanism", "JCM"],
        cadt: Some("Joint Crediting Mechanism"),
        offsets_db: None,
    },
    Registry {
        stated: &["EcoRegistry"],
        cadt: Some("EcoRegistry"),
        offsets_db: None,
    },
    Registry {
        stated: &["Cultivo"],
        cadt: Some("Cultivo"),
        offsets_db: None,
    },
];

/// The names of a project that was stated.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Link {
    /// The registry in CADT: `registryOfOrigin`.
    pub registry_of_origin: String,
    /// The registry in OffsetsDB; empty if it has none.
    pub offsets_db_registry: &'static str,
    /// The project's id in OffsetsDB; empty if what was stated is no id of that registry.
    pub offsets_db_project: String,
}

/// The names of a registry and a project that were stated.
pub(super) fn link(registry: &str, project: &str) -> Link {
    let stated = compared_name(registry);
    let mut all = REGISTRIES.iter();
    let known = all.find(|it| it.stated.iter().any(|name| compared_name(name) == stated));
    let offsets_db = known.and_then(|known| known.offsets_db.as_ref());
    Link {
        registry_of_origin: known
            .and_then(|known| known.cadt)
            .unwrap_or(registry)
            .to_owned(),
        offsets_db_registry: offsets_db.map_or("", |there| there.name),
        offsets_db_project: offsets_db
            .and_then(|there| there.id(project))
            .unwrap_or_default(),
    }
}

impl OffsetsDb {
    /// The id of a project, if what was stated is one: with the prefix or without, with a space, a dash or nothing
    /// between.
    fn id(&self, project: &str) -> Option<String> {
        let stated = project.trim().to_ascii_uppercase();
        let prefixes = [self.prefix].into_iter().chain(self.others.iter().copied());
        let after = prefixes.filter_map(|prefix| stated.strip_prefix(prefix));
        let rest = after.min_by_key(|rest| rest.len()).unwrap_or(&stated);
        let id = rest.trim_start_matches([' ', '-', '_', '#']);
        let fits = match self.is_number {
            true => id.bytes().all(|byte| byte.is_ascii_digit()),
            false => id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        };
        (fits && !id.is_empty()).then(|| format!("{}{id}", self.prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_and_projects_as_both_know_them() {
        for (registry, project, cadt, there, id) in [
            ("Verra", "1477", "Verra", "verra", "VCS1477"),
            (
                "verified carbon standard",
                "VCS 1477",
                "Verra",
                "verra",
                "VCS1477",
            ),
            (
                "Gold Standard",
                "GS-500",
                "Gold Standard",
                "gold-standard",
                "GLD500",
            ),
            (
                "CAR",
                "CAR1273",
                "Climate Action Reserve (CAR)",
                "climate-action-reserve",
                "CAR1273",
            ),
            (
                "ACR",
                "acr114",
                "American Carbon Registry (ACR)",
                "american-carbon-registry",
                "ACR114",
            ),
            ("Isometric", "TS26", "Isometric", "isometric", "ISOTS26"),
            // A code that is not the number by which OffsetsDB knows the project.
            ("Cercarbono", "CDC-106", "Cercarbono", "cercarbono", ""),
            ("Verra", "the mangroves", "Verra", "verra", ""),
            ("CDM", "1234", "CDM Registry", "", ""),
            ("Plan Vivo", "7", "Plan Vivo", "", ""),
        ] {
            let link = link(registry, project);
            let found = (
                link.registry_of_origin.as_str(),
                link.offsets_db_registry,
                link.offsets_db_project.as_str(),
            );
            assert_eq!(found, (cadt, there, id), "{registry} {project}");
        }
    }
}
