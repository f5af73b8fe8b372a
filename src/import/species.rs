//! The species list of the demonstration method, with a price each.
//!
//! Prices in grams follow what was published, second hand, about a large tree programme: 17,900
//! for a desert shrub, 146,210 for a pine, 330,759 for a fir. Here every tree costs the first,
//! but pines, podocarps and cedars the second, and firs, cypresses and redwoods the third. They
//! are prices of a programme, not measures of what a tree takes up.

use std::collections::{HashMap, HashSet};

use crate::record::{Grams, List, Species, SpeciesCode, TextError};

/// The list that ships: a header, then `code,latin,common`, one line a species. A code that a line
/// once had is never given to another species.
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

/// A species list that no method can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpeciesListError {
    /// A line is not `code,latin,common`, or an earlier line has its code or Latin name: its number,
    /// from 1 for the header.
    #[error(
        "line {0} of the species list is not a code, a Latin name and a common name, each code and Latin name once"
    )]
    Line(usize),
    /// More species than a method holds.
    #[error(
        "the species list does not fit into a method: {0}. Leave out species of which no tree is planted, or make methods of parts of the list"
    )]
    Length(#[from] TextError),
}

/// The species of a method, and the code of each by its Latin name.
pub struct SpeciesList {
    species: List<Species, 0, 400>,
    codes: HashMap<String, SpeciesCode>,
}

impl SpeciesList {
    /// The list that ships: [`SPECIES_TABLE`].
    ///
    /// # Errors
    /// [`SpeciesListError`].
    pub fn shipped() -> Result<Self, SpeciesListError> {
        Self::read(SPECIES_TABLE)
    }

    /// Reads a list: a header, then `code,latin,common`, one line a species.
    ///
    /// # Errors
    /// [`SpeciesListError`].
    pub fn read(text: &str) -> Result<Self, SpeciesListError> {
        let mut species = Vec::new();
        let mut codes = HashMap::new();
        let mut seen = HashSet::new();
        for (number, line) in (1..).zip(text.lines()).skip(1) {
            let (one, latin) = species_of_line(line).ok_or(SpeciesListError::Line(number))?;
            if !seen.insert(one.code) || codes.insert(latin.to_owned(), one.code).is_some() {
                return Err(SpeciesListError::Line(number));
            }
            species.push(one);
        }
        let species = List::try_from(species)?;
        Ok(Self { species, codes })
    }

    /// All species with their prices, in the order of the list.
    pub fn species(&self) -> &[Species] {
        &self.species
    }

    /// The code of `Latin :: Common`, if the list has the Latin name; a placeholder has none.
    pub fn code_of(&self, text: &str) -> Option<SpeciesCode> {
        let latin = text.split("::").next().unwrap_or("").trim();
        self.codes.get(latin).copied()
    }
}

fn species_of_line(line: &str) -> Option<(Species, &str)> {
    let mut fields = line.splitn(3, ',');
    let (code, latin, _common) = (fields.next()?, fields.next()?, fields.next()?);
    let species = Species {
        code: code.parse().ok()?,
        name: latin.parse().ok()?,
        price: price(latin),
    };
    Some((species, latin))
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
