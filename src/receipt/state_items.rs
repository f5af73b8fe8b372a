//! Items of the state in a state entry's receipt: each is proven against the state root that the entry
//! says, or that there is none.

use std::fmt;

use bincode::{Decode, Encode};

use super::ReceiptError;
use crate::ledger::items::{Item, aligned_key_bytes, neighbour_places, place_of};
use crate::ledger::trie::{Domain, Leaf, NeighboursProof, StateProof};
use crate::ledger::{KeyRole, domains};
use crate::merkle::Hash;
use crate::record::{Index, StateEntry};

/// One item of the state with its proof, as it was read or made.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct StateItem {
    /// The item's key, by its domain (`docs/format.md`, 13.4); of neighbours the low key, then the high one.
    pub key: Vec<u8>,
    /// The fields of its value, where the domain's leaves hold a hash over them.
    pub fields: Option<Vec<u8>>,
    /// The proof against the state root (`docs/format.md`, 16.4).
    pub proof: Vec<u8>,
}

/// An item that is proven.
#[derive(Clone, Debug)]
pub struct ProvenItem {
    /// The domain.
    pub domain: Domain,
    /// The item's key.
    pub key: Vec<u8>,
    /// Of neighbours the high key: nothing is behind the item's key up to this one, which is included.
    pub nothing_up_to: Option<Vec<u8>>,
    /// The leaf with what it says; `None` if it is proven that there is none.
    pub found: Option<(Leaf, Item)>,
}

/// The proof of one leaf, or of neighbours.
enum AnyProof {
    Leaf(Box<StateProof>),
    Neighbours(Box<NeighboursProof>),
}

impl StateItem {
    /// Verifies the item against a state entry, which is at `index`.
    ///
    /// # Errors
    /// [`ReceiptError::StateItem`]: what does not hold, and whether that is false or can't be read.
    pub fn verify(&self, index: Index, state: &StateEntry) -> Result<ProvenItem, ReceiptError> {
        let wrong = |complete: bool, what: String| ReceiptError::StateItem {
            index,
            complete,
            what,
        };
        let proof = match NeighboursProof::begins(&self.proof) {
            true => NeighboursProof::decode(&self.proof)
                .map(Box::new)
                .map(AnyProof::Neighbours),
            false => StateProof::decode(&self.proof)
                .map(Box::new)
                .map(AnyProof::Leaf),
        };
        let proof = proof.map_err(|error| wrong(false, error.to_string()))?;
        let unfit = || wrong(false, "its key is none of its domain".to_owned());
        let root = Hash::from_bytes(state.root);
        let (domain, leaf) = match &proof {
            AnyProof::Leaf(proof) => {
                let domain = proof.domain();
                let place = place_of(domain, &self.key).ok_or_else(unfit)?;
                (domain, proof.verify(domain, &place, &root))
            }
            AnyProof::Neighbours(proof) => {
                let domain = proof.domain();
                let places = neighbour_places(domain, &self.key).ok_or_else(unfit)?;
                (domain, proof.verify(domain, places.each_ref(), &root))
            }
        };
        let leaf = leaf.map_err(|error| wrong(true, error.to_string()))?;
        let low_bytes = match &proof {
            AnyProof::Leaf(_) => None,
            AnyProof::Neighbours(_) => aligned_key_bytes(domain),
        };
        let (key, high) = self
            .key
            .split_at_checked(low_bytes.unwrap_or(self.key.len()))
            .ok_or_else(unfit)?;
        let found = match leaf {
            Some(leaf) => {
                let item = Item::read(domain, key, leaf, self.fields.as_deref());
                let differ = || {
                    wrong(
                        true,
                        "its fields are not those of the leaf, or of another item".to_owned(),
                    )
                };
                Some((*leaf, item.ok_or_else(differ)?))
            }
            None if self.fields.is_some() => {
                let what = "it has fields, and nothing is there";
                return Err(wrong(true, what.to_owned()));
            }
            None => None,
        };
        Ok(ProvenItem {
            domain,
            key: key.to_vec(),
            nothing_up_to: low_bytes.map(|_| high.to_vec()),
            found,
        })
    }
}

impl ProvenItem {
    /// The domain's name.
    pub fn domain_name(&self) -> &'static str {
        domains::name(self.domain)
    }

    /// The question that it answers, as `arborlog prove` takes it.
    pub(super) fn question(&self) -> String {
        let (name, key) = (self.domain_name(), Shown(self.domain, &self.key));
        let plot = self.key.split_first_chunk::<4>();
        match (&self.nothing_up_to, plot) {
            // A name may be written as a slug is, and is another item: no question asks for one.
            (None, _) if self.domain == domains::HOLDERS && self.key.first() == Some(&1) => {
                format!("the name {:?} of the domain {name}", key.to_string())
            }
            (None, _) => format!("{name}/{key}"),
            // Without a survey, that none is there at all: from the lowest place of the plot on.
            (Some(high), Some((plot, place)))
                if self.domain == domains::SURVEYS
                    && *high == [plot.as_slice(), &[0xFF; 12]].concat()
                    && (self.found.is_some() || place.iter().all(|byte| *byte == 0)) =>
            {
                format!("{name}/{}/latest", u32::from_be_bytes(*plot))
            }
            (Some(high), _) => format!("{name}/{key} to {}", Shown(self.domain, high)),
        }
    }
}

/// What stands, in a sentence.
impl fmt::Display for ProvenItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = Shown(self.domain, &self.key);
        let Some((_, item)) = &self.found else {
            write!(f, "{}: there is no {key}", self.domain_name())?;
            return self.write_beyond(f);
        };
        self.write_item(f, item)?;
        self.write_beyond(f)
    }
}

impl ProvenItem {
    /// What neighbours say of the keys behind.
    fn write_beyond(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.nothing_up_to {
            None => Ok(()),
            Some(high) => write!(f, "; and none behind it, to {}", Shown(self.domain, high)),
        }
    }

    fn write_item(&self, f: &mut fmt::Formatter<'_>, item: &Item) -> fmt::Result {
        let key = Shown(self.domain, &self.key);
        match item {
            Item::Account(account) => write!(
                f,
                "account {key} has {} points; the last entry about it is {}",
                account.balance, account.last_entry
            ),
            Item::Key(state) => {
                let task = match &state.role {
                    KeyRole::Governor => "a governor's key".to_owned(),
                    KeyRole::Log => "a key of the log".to_owned(),
                    KeyRole::Issuer { role, holder, .. } => format!("{holder}'s key as {role}"),
                };
                write!(f, "key {key} is {task}, by entry {}", state.granted_at)?;
                match state.revoked_at {
                    Some(revoked) => write!(f, "; entry {revoked} revoked it"),
                    None => f.write_str("; it is not revoked"),
                }
            }
            Item::Tree(tree) => write!(
                f,
                "tree {key} has one claim: that of entry {}, by the assignment of entry {}",
                tree.claim, tree.assigned_at
            ),
            Item::Claim(claim) => {
                write!(f, "the claim of entry {key} for {} points ", claim.points)?;
                match claim.tree {
                    crate::ledger::ClaimTree::Waiting => f.write_str("waits for a tree"),
                    crate::ledger::ClaimTree::Tied { plot, serial } => {
                        write!(f, "has tree {plot}/{serial}")
                    }
                    crate::ledger::ClaimTree::Voided => f.write_str("was voided"),
                }
            }
            Item::Plot(plot) => write!(
                f,
                "plot {key}: {} trees stand, {} are lost, {} have a claim; the last entry about it is {}",
                plot.standing(),
                plot.lost(),
                plot.assigned,
                plot.last_entry
            ),
            Item::Planting(planting) => write!(
                f,
                "the planting of entry {}: serials {} to {}, {} of them lost{}",
                planting.index,
                planting.first_serial,
                planting.last_serial,
                planting.lost(),
                if planting.voided { "; voided" } else { "" }
            ),
            Item::Voided(by) => write!(f, "entry {key} was voided by entry {by}"),
            Item::Reversed(points) => write!(
                f,
                "{points} points of the award at entry {key} were taken back"
            ),
            Item::Loss(loss) => write!(
                f,
                "the loss of entry {key} counts: {} trees of plot {}",
                loss.count, loss.plot
            ),
            Item::Survey(survey) => write!(f, "the survey of entry {} counts", survey.stated_at),
            Item::Method(method) => write!(
                f,
                "method {key} was stated by entry {}, in effect from {}",
                method.stated_at, method.method.effective_from
            ),
            Item::Species(name) => write!(f, "species {key} is {}", name.as_str()),
            Item::Month(month) => write!(
                f,
                "month {key}: {} points awarded, {} trees planted",
                month.awarded, month.planted
            ),
            Item::Evidence(index) => write!(f, "evidence {key} was first used by entry {index}"),
            Item::Holder(number) => write!(f, "holder {key} is number {number}"),
            Item::Name(number) => write!(f, "the name {key} is holder number {number}'s"),
            Item::Once(fields) => {
                write!(f, "{} {key}: {}", self.domain_name(), hex::encode(fields))
            }
        }
    }
}

/// A key as people write it.
struct Shown<'a>(Domain, &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(domain, key) = self;
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))
        };
        match *domain {
            domains::HOLDERS => {
                let (_, name) = key.split_first().unwrap_or((&0, &[]));
                f.write_str(&String::from_utf8_lossy(name))
            }
            domains::ACCOUNTS => {
                let (_, account) = key.split_at_checked(32).unwrap_or((&[], key));
                f.write_str(&hex::encode(account))
            }
            domains::KEYS | domains::EVIDENCE => f.write_str(&hex::encode(key)),
            domains::METHODS | domains::PLANTINGS | domains::TREES | domains::SURVEYS => {
                let (first, rest) = key.split_at_checked(4).unwrap_or((key, &[]));
                let (second, third) = rest.split_at_checked(4).unwrap_or((rest, &[]));
                write!(f, "{}/{}", number(first), number(second))?;
                match third {
                    [] => Ok(()),
                    third => write!(f, "/{}", number(third)),
                }
            }
            _ => write!(f, "{}", number(key)),
        }
    }
}
