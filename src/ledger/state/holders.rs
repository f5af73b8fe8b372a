//! Holders: those to whom keys were granted, numbered in the order of their first grants.

use bincode::{Decode, Encode};

use super::domains::{holder_place, name_place};
use super::{KeyRole, State};
use crate::crypto::PublicKey;
use crate::ledger::broken::{Contradiction, Sum};
use crate::ledger::trie::{Leaf, Value};
use crate::record::{Role, Slug};

/// A holder's number: 0 for the first to whom a key was granted. It never changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode)]
pub struct HolderNumber(pub u32);

/// What is known of a holder.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(in crate::ledger) struct HolderState {
    /// The holder's number.
    pub number: HolderNumber,
    /// A key of the holder was granted the role of surveyor.
    pub surveys: bool,
    /// A key of the holder was granted the role of platform or planter.
    pub plants_or_awards: bool,
    /// A key of the holder was granted the role of auditor.
    pub audits: bool,
}

impl HolderState {
    /// The roles, a bit each: surveys, plants or awards, audits.
    pub(super) fn roles(&self) -> u8 {
        let bit = |is: bool, bit: u8| u8::from(is) << bit;
        bit(self.surveys, 0) | bit(self.plants_or_awards, 1) | bit(self.audits, 2)
    }
}

/// What the domain of holders holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(in crate::ledger) enum HolderOrName {
    /// A holder, at the place of its slug.
    Holder(HolderState),
    /// Whose name it is, at the place of the name.
    Name(HolderNumber),
}

impl HolderOrName {
    /// Reads a leaf of the domain of holders; `None` if it is none.
    pub(super) fn of_leaf(leaf: &Leaf) -> Option<Self> {
        let read = match *leaf.value() {
            [0, a, b, c, d, roles] if roles != 0 => Self::Holder(HolderState {
                number: HolderNumber(u32::from_be_bytes([a, b, c, d])),
                surveys: roles & 1 != 0,
                plants_or_awards: roles & 2 != 0,
                audits: roles & 4 != 0,
            }),
            [1, a, b, c, d] => Self::Name(HolderNumber(u32::from_be_bytes([a, b, c, d]))),
            _ => return None,
        };
        (read.leaf().ok()? == *leaf).then_some(read)
    }
}

impl State {
    /// What is known of a holder; `None` if no key was ever granted to it.
    pub(in crate::ledger) fn holder(&self, slug: &Slug) -> Option<&HolderState> {
        match self.holders.get(&holder_place(slug.as_str())) {
            Some(HolderOrName::Holder(holder)) => Some(holder),
            Some(HolderOrName::Name(_)) | None => None,
        }
    }

    /// The holder that a name belongs to, in the form in which names are compared.
    pub(in crate::ledger) fn holder_named(&self, compared: &str) -> Option<HolderNumber> {
        match self.holders.get(&name_place(compared)) {
            Some(HolderOrName::Name(number)) => Some(*number),
            Some(HolderOrName::Holder(_)) | None => None,
        }
    }

    /// The holder of a granted key; `None` for a governor's, a log's and an unknown one.
    pub fn holder_number(&self, key: &PublicKey) -> Option<HolderNumber> {
        self.key(key)?.role.holder_number()
    }

    /// The name of that holder.
    pub(crate) fn holder_slug(&self, key: &PublicKey) -> Option<&Slug> {
        match &self.key(key)?.role {
            KeyRole::Issuer { holder, .. } => Some(holder),
            KeyRole::Governor | KeyRole::Log => None,
        }
    }

    /// Notes that a holder has a role. The holder's number is given now if the holder is new.
    pub(in crate::ledger) fn enrol_holder(
        &mut self,
        slug: &Slug,
        role: Role,
    ) -> Result<HolderNumber, Contradiction> {
        let mut holder = match self.holder(slug) {
            Some(known) => *known,
            None => {
                let number = HolderNumber(self.globals.holders);
                self.globals.holders.raise(1, "holders")?;
                HolderState {
                    number,
                    surveys: false,
                    plants_or_awards: false,
                    audits: false,
                }
            }
        };
        match role {
            Role::Surveyor => holder.surveys = true,
            Role::Auditor => holder.audits = true,
            Role::Platform | Role::Planter => holder.plants_or_awards = true,
        }
        let place = holder_place(slug.as_str());
        let _before = self.holders.insert(place, HolderOrName::Holder(holder));
        Ok(holder.number)
    }

    /// Keeps a name, in the form in which names are compared, for a holder. It may be the holder's
    /// already.
    pub(in crate::ledger) fn keep_name(
        &mut self,
        compared: &str,
        holder: HolderNumber,
    ) -> Result<(), Contradiction> {
        let name = HolderOrName::Name(holder);
        match self.holders.insert(name_place(compared), name) {
            Some(before) if before != name => {
                Err(Contradiction::new("a name belongs to another holder"))
            }
            Some(_) | None => Ok(()),
        }
    }
}
