//! The species list and price table of the demonstration method.
//!
//! Prices in grams follow what was published, second hand, about a large tree programme: 17,900
//! for a desert shrub, 146,210 for a pine, 330,759 for a fir. Here every tree costs the first,
//! but pines, podocarps and cedars the second, and firs, cypresses and redwoods the third. They
//! are prices of a programme, not measures of what a tree takes up.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::record::{Grams, Species, SpeciesCode};

/// The list that ships: `code,latin,common`, one line a species. Codes are never used again.
pub const SPECIES_TABLE: &str = include_str!("../../docs/examples/data/species.csv");

const PRICE: Grams = Grams(17_900);
const PRICE_PINE: Grams = Grams(146_210);
const PRICE_FIR: Grams = Grams(330_759);
const PINES: [&str; 5] = ["Pinus", "Podocarpus", "Cedrus", "Araucaria", "Afrocarpus"];
const FIRS: [&str; 8] = [
    "Abies",
    "Pseudotsuga",
    "Sequoia",
    "Sequoiadendron",
    "Metasequoia",
    "Cupressus",
    "Hesperocyparis",
    "Picea",
];

static BY_NAME: LazyLock<HashMap<&'static str, SpeciesCode>> =
    LazyLock::new(|| rows().map(|(code, latin, _)| (latin, code)).collect());

fn rows() -> impl Iterator<Item = (SpeciesCode, &'static str, &'static str)> {
    SPECIES_TABLE.lines().skip(1).filter_map(|line| {
        let mut fields = line.splitn(3, ',');
        let code = fields.next()?.parse().ok()?;
        Some((code, fields.next()?, fields.next()?))
    })
}

fn price(latin: &str) -> Grams {
    let genus = latin.split_whitespace().next().unwrap_or("");
    if PINES.contains(&genus) {
        PRICE_PINE
    } else if FIRS.contains(&genus) {
        PRICE_FIR
    } else {
        PRICE
    }
}

/// All species of the list with their prices, by code.
pub fn all_species() -> Vec<Species> {
    rows()
        .filter_map(|(code, latin, _)| {
            Some(Species {
                code,
                name: latin.parse().ok()?,
                price: price(latin),
            })
        })
        .collect()
}

/// The code of `Latin :: Common`, if the list has the Latin name; a placeholder has none.
pub fn species_of(text: &str) -> Option<SpeciesCode> {
    let latin = text.split("::").next().unwrap_or("").trim();
    BY_NAME.get(latin).copied()
}
