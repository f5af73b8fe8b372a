//! Keys that get a task, and sets of governors.

use crate::crypto::{PublicKey, VerifyingKey};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::state::State;

/// Checks that a key is safe to verify with and never had a task.
pub(in crate::ledger) fn check_new_key(state: &State, key: &PublicKey) -> Result<(), Refusal> {
    VerifyingKey::new(key).map_err(|error| {
        Refusal::new(
            Code::KeyInvalid,
            format!("{key}: {error}"),
            "make a key with keygen",
        )
    })?;
    ensure(state.key(key).is_none(), || {
        Refusal::new(
            Code::KeyReused,
            format!("the key {key} has, or had, a task in this ledger"),
            "a key is granted once, ever; make a new one",
        )
    })
}

/// Checks that a set of governors names each once, and that its quorum can be met.
pub(in crate::ledger) fn check_governors(
    governors: &[PublicKey],
    quorum: u8,
) -> Result<(), Refusal> {
    let mut sorted = governors.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let impossible = |detail: String| {
        Refusal::new(
            Code::QuorumImpossible,
            detail,
            "name each governor once, and a quorum from 1 to their number",
        )
    };
    ensure(sorted.len() == governors.len(), || {
        impossible("a governor is named twice".to_owned())
    })?;
    ensure((1..=governors.len()).contains(&usize::from(quorum)), || {
        impossible(format!(
            "a quorum of {quorum} of {} governors",
            governors.len()
        ))
    })
}
