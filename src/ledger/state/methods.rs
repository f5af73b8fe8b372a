//! Methods by their versions, and the species that they name.

use std::ops::RangeInclusive;

use bincode::{Decode, Encode};

use super::State;
use super::domains::digested;
use crate::ledger::trie::{Leaf, TrieError, Value};
use crate::record::{
    Activity, ActivityCode, Day, Index, Method, MethodId, MethodVersion, SpeciesCode,
};

/// A version of a method, and the entry that holds it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct MethodState {
    /// The version as it was stated.
    pub method: Method,
    /// The entry that states it.
    pub stated_at: Index,
}

impl Value for MethodState {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        digested(0, 0, self.stated_at, self)
    }
}

impl State {
    /// All versions of all methods, in order of method and version.
    pub fn methods(&self) -> impl Iterator<Item = &MethodState> {
        self.methods.iter().map(|(_, method)| method)
    }

    /// The versions of methods in a range, in order of method and version.
    pub fn methods_in(
        &self,
        versions: RangeInclusive<(MethodId, MethodVersion)>,
    ) -> impl DoubleEndedIterator<Item = &MethodState> {
        self.methods.range(versions).map(|(_, method)| method)
    }

    /// The versions of a method, the newest one last.
    pub(in crate::ledger) fn versions(
        &self,
        id: MethodId,
    ) -> impl DoubleEndedIterator<Item = &MethodState> {
        self.methods_in((id, MethodVersion(0))..=(id, MethodVersion(u32::MAX)))
    }

    /// The version of a method in effect on a day: the highest whose effective day has come.
    pub fn method_in_effect(&self, id: MethodId, day: Day) -> Option<&MethodState> {
        self.versions(id)
            .rev()
            .find(|state| state.method.effective_from <= day)
    }

    /// An activity of a version of a method.
    pub fn activity(
        &self,
        id: MethodId,
        version: MethodVersion,
        code: ActivityCode,
    ) -> Option<&Activity> {
        let method = &self.methods.get(&(id, version))?.method;
        method
            .activities
            .iter()
            .find(|activity| activity.code == code)
    }

    /// The name of a species.
    pub fn species_name(&self, code: SpeciesCode) -> Option<&str> {
        self.species.get(&code).map(|name| name.as_str())
    }
}
