//! The panel of a page: what the browser is to verify there, and how it is done elsewhere.

use super::frame::Frame;
use crate::record::Index;

/// The receipts that the browser is to verify on a page, at least one: each is the name of what it is
/// to the page, and the entry that it proves.
pub(super) struct Receipts {
    first: (&'static str, Index),
    others: Vec<(&'static str, Index)>,
}

impl Receipts {
    /// The receipt that the page rests on most.
    pub(super) fn of(name: &'static str, index: Index) -> Self {
        Self {
            first: (name, index),
            others: Vec::new(),
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
    pub(super) fn checks<'f>(&self, f: &'f Frame) -> [(&'static str, &'f str, &'f str, String); 9] {
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
        [
            ("entry", &t.c_entry, &t.h_entry, all()),
            ("signature", &t.c_signature, &t.h_signature, all()),
            ("role", &t.c_role, &t.h_role, all()),
            ("authority", &t.c_authority, &t.h_authority, all()),
            ("inclusion", &t.c_inclusion, &t.h_inclusion, all()),
            ("checkpoint", &t.c_checkpoint, &t.h_checkpoint, all()),
            ("witnesses", &t.c_witnesses, &t.h_witnesses, witnessed),
            ("story", &t.c_story, &t.h_story, statement),
            ("consistency", &t.c_consistency, &t.h_consistency, audit),
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
