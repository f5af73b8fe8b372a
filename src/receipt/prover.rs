//! Making items of the state with their proofs, one behind the other: those of a file about the state in
//! just its order.

use super::state_items::StateItem;
use crate::ledger::items::{Item, aligned_key_bytes, place_of};
use crate::ledger::trie::{Domain, Leaf, Path, TrieError};
use crate::ledger::{ClaimTree, DomainRoots, StateImage, domains};
use crate::record::{Index, PlotNumber};

/// Why an item can't be proven: the state contradicts itself, or the key is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The key is no key of its domain.
    #[error("it is no key of its domain")]
    Key,
    /// An item that another one names is not there, or is of another kind.
    #[error("an item of the state names one that is not there")]
    Absent,
    /// A sum over the state does not fit.
    #[error(transparent)]
    Trie(#[from] TrieError),
}

/// Proves items of one state.
pub struct StateProver<'a> {
    image: &'a StateImage,
    roots: &'a DomainRoots,
    items: Vec<StateItem>,
}

impl<'a> StateProver<'a> {
    /// Goes on behind `items`. `roots` are those of the image.
    pub fn new(image: &'a StateImage, roots: &'a DomainRoots, items: Vec<StateItem>) -> Self {
        Self {
            image,
            roots,
            items,
        }
    }

    /// The items.
    pub fn into_items(self) -> Vec<StateItem> {
        self.items
    }

    /// Adds an item, or that there is none; gives what is there.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn add(&mut self, domain: Domain, key: Vec<u8>) -> Result<Option<Item>, ProveError> {
        let place = place_of(domain, &key).ok_or(ProveError::Key)?;
        let proof = self.image.prove(self.roots, domain, &place)?;
        let fields = self.image.fields(domain, &key);
        let found = read(domain, &key, proof.claimed(), fields.as_deref())?;
        self.items.push(StateItem {
            key,
            fields,
            proof: proof.encode(),
        });
        Ok(found)
    }

    /// As [`Self::add`], of what must be there.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn add_leaf(&mut self, domain: Domain, key: Vec<u8>) -> Result<Item, ProveError> {
        self.add(domain, key)?.ok_or(ProveError::Absent)
    }

    /// Adds the programme: the second item of each file.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn add_programme(&mut self) -> Result<(), ProveError> {
        self.add_leaf(domains::ONCE, vec![0]).map(drop)
    }

    /// Adds the latest survey of a plot, or that there is none, and that no later one is there; gives its
    /// entry.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn add_latest_survey(&mut self, number: PlotNumber) -> Result<Option<Index>, ProveError> {
        let domain = domains::SURVEYS;
        let plot = number.0.to_be_bytes();
        let end = |rest: u8| [plot.as_slice(), &[rest; 12]].concat();
        let place = |rest| place_of(domain, &end(rest)).ok_or(ProveError::Key);
        let (first, high) = (place(0)?, place(0xFF)?);
        let low = self.image.last_between(domain, &first, &high);
        let low = low.unwrap_or(first);
        let low_key = key_at(domain, &low)?;
        let proof = self
            .image
            .prove_neighbours(self.roots, domain, [&low, &high])?;
        let proof = proof.ok_or(ProveError::Key)?;
        let fields = self.image.fields(domain, &low_key);
        let found = read(domain, &low_key, proof.claimed(), fields.as_deref())?;
        self.items.push(StateItem {
            key: [low_key, end(0xFF)].concat(),
            fields,
            proof: proof.encode(),
        });
        match found {
            None => Ok(None),
            Some(Item::Survey(survey)) => Ok(Some(survey.stated_at)),
            Some(_) => Err(ProveError::Absent),
        }
    }

    /// Adds all that a certificate's file has before its issuers' keys; gives the entries that it shows, or
    /// `None` if there is no such certificate.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn add_certificate(&mut self, index: Index) -> Result<Option<Vec<Index>>, ProveError> {
        let key = || index.0.to_be_bytes().to_vec();
        let Some(Item::Claim(claim)) = self.add(domains::CLAIMS, key())? else {
            return Ok(None);
        };
        self.add_programme()?;
        self.add_leaf(domains::SPECIES, claim.species.0.to_be_bytes().to_vec())?;
        let mut shown = vec![index];
        match claim.tree {
            ClaimTree::Waiting => {}
            ClaimTree::Voided => match self.add_leaf(domains::VOIDED, key())? {
                Item::Voided(by) => shown.push(by),
                _ => return Err(ProveError::Absent),
            },
            ClaimTree::Tied { plot, serial } => {
                let number = plot.0.to_be_bytes();
                let tree = [number, serial.0.to_be_bytes()].concat();
                let Item::Tree(tied) = self.add_leaf(domains::TREES, tree.clone())? else {
                    return Err(ProveError::Absent);
                };
                let planting = self.planting_of([number, [0; 4]].concat(), tree)?;
                let Item::Planting(planting) = self.add_leaf(domains::PLANTINGS, planting)? else {
                    return Err(ProveError::Absent);
                };
                let Item::Plot(books) = self.add_leaf(domains::PLOTS, number.to_vec())? else {
                    return Err(ProveError::Absent);
                };
                shown.extend([tied.assigned_at, planting.index, books.stated_at]);
                shown.extend(self.add_latest_survey(plot)?);
            }
        }
        Ok(Some(shown))
    }

    /// The key of the last planting between two places.
    fn planting_of(&self, first: Vec<u8>, last: Vec<u8>) -> Result<Vec<u8>, ProveError> {
        let domain = domains::PLANTINGS;
        let place = |key: &[u8]| place_of(domain, key).ok_or(ProveError::Key);
        let (first, last) = (place(&first)?, place(&last)?);
        let found = self.image.last_between(domain, &first, &last);
        key_at(domain, &found.ok_or(ProveError::Absent)?)
    }
}

/// What a leaf says that is there: fields and leaf are of one state.
fn read(
    domain: Domain,
    key: &[u8],
    leaf: Option<&Leaf>,
    fields: Option<&[u8]>,
) -> Result<Option<Item>, ProveError> {
    let read = |leaf| Item::read(domain, key, leaf, fields).ok_or(ProveError::Absent);
    leaf.map(read).transpose()
}

/// The key at a place of a domain whose paths are keys.
fn key_at(domain: Domain, place: &Path) -> Result<Vec<u8>, ProveError> {
    let bytes = aligned_key_bytes(domain).ok_or(ProveError::Key)?;
    let key = place.as_bytes().get(..bytes).ok_or(ProveError::Key)?;
    Ok(key.to_vec())
}
