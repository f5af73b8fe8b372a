//! The panel of a page: what the browser is to verify there, and how it is done elsewhere.

use super::frame::Frame;
use crate::crypto::PublicKey;
use crate::ledger::{KeyRole, State};
use crate::record::Index;

/// The receipts that the browser is to verify on a page, each with what it is to the page.
pub(super) struct Receipts(Vec<(&'static str, Index)>);

impl Receipts {
    pub fn of(receipts: Vec<(&'static str, Index)>) -> Self {
        Self(receipts)
    }

    /// `planting:12 claim:40`.
    pub fn list(&self) -> String {
        let each = self.0.iter().map(|(name, index)| format!("{name}:{index}"));
        each.collect::<Vec<_>>().join(" ")
    }

    /// The entry that commands show as an example.
    pub fn first(&self) -> u64 {
        self.0.first().map_or(0, |(_, index)| index.0)
    }

    /// The checks: name, title and meaning, and the same as a command.
    pub fn checks<'f>(&self, f: &'f Frame) -> [(&'static str, &'f str, &'f str, String); 9] {
        let t = f.t;
        let index = self.first();
        let (url, vkey, genesis) = (&f.url, &f.vkey, &f.genesis);
        let file = format!("{index}.tlog-proof");
        let receipt = format!(
            "arborlog receipt --from {url} {index} -o {file}\narborlog verify {file} --log '{vkey}' --genesis {genesis}"
        );
        let said = format!("curl {url}/v1/entries/{index}");
        let grown = format!("arborlog audit {url} --log '{vkey}' --state programme.state");
        let seen = format!("arborlog verify {file} --log '{vkey}' --witness WITNESS-KEY");
        let all = || receipt.clone();
        [
            ("entry", &t.c_entry, &t.h_entry, all()),
            ("signature", &t.c_signature, &t.h_signature, all()),
            ("role", &t.c_role, &t.h_role, all()),
            ("authority", &t.c_authority, &t.h_authority, all()),
            ("inclusion", &t.c_inclusion, &t.h_inclusion, all()),
            ("checkpoint", &t.c_checkpoint, &t.h_checkpoint, all()),
            ("witnesses", &t.c_witnesses, &t.h_witnesses, seen),
            ("story", &t.c_story, &t.h_story, said),
            ("consistency", &t.c_consistency, &t.h_consistency, grown),
        ]
    }
}

/// Who signs with a key, by the name that the governors granted it under.
pub(super) fn issuer_name(state: &State, key: &PublicKey) -> Option<String> {
    match &state.key(key)?.role {
        KeyRole::Issuer { display_name, .. } => Some(display_name.to_string()),
        KeyRole::Governor | KeyRole::Log => None,
    }
}
