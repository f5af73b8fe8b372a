//! Holders: those to whom keys were granted, numbered in the order of their first grants.

use bincode::{Decode, Encode};

use super::State;
use crate::crypto::PublicKey;
use crate::ledger::broken::Contradiction;
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

/// A text, hashed so that it can be a fixed-size key: a holder's slug, or the form in which names are
/// compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
pub(in crate::ledger) struct TextHash([u8; 32]);

impl TextHash {
    pub(in crate::ledger) fn of(text: &str) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(text).into())
    }
}

impl State {
    /// What is known of a holder; `None` if no key was ever granted to it.
    pub(in crate::ledger) fn holder(&self, slug: &Slug) -> Option<&HolderState> {
        self.holders.get(&TextHash::of(slug.as_str()))
    }

    /// The holder that a name belongs to, in the form in which names are compared.
    pub(in crate::ledger) fn holder_named(&self, compared: &str) -> Option<HolderNumber> {
        self.holder_names.get(&TextHash::of(compared)).copied()
    }

    /// The holder of a granted key; `None` for a governor's, a log's and an unknown one.
    pub fn holder_number(&self, key: &PublicKey) -> Option<HolderNumber> {
        self.keys.get(key)?.role.holder_number()
    }

    /// Notes that a holder has a role. The holder's number is given now if the holder is new.
    pub(in crate::ledger) fn enrol_holder(
        &mut self,
        slug: &Slug,
        role: Role,
    ) -> Result<HolderNumber, Contradiction> {
        let mut holder = match self.holder(slug) {
            Some(known) => *known,
            None => HolderState {
                number: u32::try_from(self.holders.len())
                    .map(HolderNumber)
                    .map_err(|_| Contradiction::new("holders are beyond 2^32"))?,
                surveys: false,
                plants_or_awards: false,
                audits: false,
            },
        };
        match role {
            Role::Surveyor => holder.surveys = true,
            Role::Auditor => holder.audits = true,
            Role::Platform | Role::Planter => holder.plants_or_awards = true,
        }
        let _before = self.holders.insert(TextHash::of(slug.as_str()), holder);
        Ok(holder.number)
    }

    /// Keeps a name, in the form in which names are compared, for a holder. It may be the holder's
    /// already.
    pub(in crate::ledger) fn keep_name(
        &mut self,
        compared: &str,
        holder: HolderNumber,
    ) -> Result<(), Contradiction> {
        match self.holder_names.insert(TextHash::of(compared), holder) {
            Some(before) if before != holder => {
                Err(Contradiction::new("a name belongs to another holder"))
            }
            Some(_) | None => Ok(()),
        }
    }
}
