//! The panel of a page: what the browser is to verify there, and how it is done elsewhere.

use std::borrow::Cow;

use super::frame::Frame;
use super::texts::fill;
use crate::record::Index;

/// The receipts that the browser is to verify on a page, at least one: each is the name of what it is
/// to the page, and the entry that it proves.
pub(super) struct Receipts {
    first: (&'static str, Index),
    others: Vec<(&'static str, Index)>,
    signed: SignedBy,
}

/// What is signed of the entries that a page rests on.
pub(super) enum SignedBy {
    /// The bytes of the one entry.
    Issuer,
    /// The batch that the one entry is in, by its seal.
    Seal(Index),
    /// Nothing: the one entry is a state entry.
    Nobody,
    /// Of several entries each in its own way.
    Each,
}

impl Receipts {
    /// The receipt that the page rests on most.
    pub(super) fn of(name: &'static str, index: Index) -> Self {
        Self {
            first: (name, index),
            others: Vec::new(),
            signed: SignedBy::Each,
        }
    }

    /// The receipt of the one entry that a page is about.
    pub(super) fn of_entry(index: Index, signed: SignedBy) -> Self {
        Self {
            signed,
            ..Self::of("entry", index)
        }
    }

    pub(super) fn add(&mut self, name: &'static str, index: Index) {
        self.others.push((name, index));
    }

    /// Adds those of others whose names are not here yet.
    pub(super) fn add_missing(&mut self, others: &Self) {
        for (name, index) in others.iter() {
            if self.iter().all(|(known, _)| known != name) {
                self.add(name, index);
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&'static str, Index)> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    /// `planting:12 claim:40`.
    pub(super) fn list(&self) -> String {
        let each = self.iter().map(|(name, index)| format!("{name}:{index}"));
        each.collect::<Vec<_>>().join(" ")
    }

    /// The entry that commands show as an example.
    pub(super) fn first(&self) -> Index {
        self.first.1
    }

    /// The checks, each with its name, its title, what it means, and a command that does the same.
    pub(super) fn checks<'f>(
        &self,
        f: &'f Frame,
    ) -> [(&'static str, &'f str, Cow<'f, str>, String); 9] {
        let t = f.t;
        let index = self.first();
        let (url, vkey, genesis) = (&f.url, &f.vkey, &f.genesis);
        let file = format!("{index}.tlog-proof");
        let receipt = format!(
            "arborlog receipt --from {url} {index} -o {file}\narborlog verify {file} --log '{vkey}' --genesis {genesis}"
        );
        let statement = format!("curl {url}/v1/entries/{index}");
        let audit = format!("arborlog audit {url} --log '{vkey}' --state programme.state");
        let witnessed = format!("arborlog verify {file} --log '{vkey}' --witness WITNESS-KEY");
        let all = || receipt.clone();
        let signature = match &self.signed {
            SignedBy::Issuer => Cow::from(&t.h_signature),
            SignedBy::Seal(seal) => Cow::from(fill(&t.h_signature_sealed, seal)),
            SignedBy::Nobody => Cow::from(&t.h_signature_state),
            SignedBy::Each => Cow::from(&t.h_signature_each),
        };
        [
            ("entry", &t.c_entry, (&t.h_entry).into(), all()),
            ("signature", &t.c_signature, signature, all()),
            ("role", &t.c_role, (&t.h_role).into(), all()),
            ("authority", &t.c_authority, (&t.h_authority).into(), all()),
            ("inclusion", &t.c_inclusion, (&t.h_inclusion).into(), all()),
            (
                "checkpoint",
                &t.c_checkpoint,
                (&t.h_checkpoint).into(),
                all(),
            ),
            (
                "witnesses",
                &t.c_witnesses,
                (&t.h_witnesses).into(),
                witnessed,
            ),
            ("story", &t.c_story, (&t.h_story).into(), statement),
            (
                "consistency",
                &t.c_consistency,
                (&t.h_consistency).into(),
                audit,
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_listed_once_a_name() {
        let mut tree = Receipts::of("planting", Index(3));
        tree.add("claim", Index(5));
        tree.add("plot", Index(2));
        let mut certificate = Receipts::of("claim", Index(5));
        certificate.add_missing(&tree);
        assert_eq!(certificate.list(), "claim:5 planting:3 plot:2");
        assert_eq!(certificate.first(), Index(5));
    }
}
