//! What people call a species or an issuer, as the ledger has it.

use crate::answer::Problem;
use crate::crypto::PublicKey;
use crate::ledger::{KeyRole, State};
use crate::record::SpeciesCode;

/// The name of a species that something in the ledger is of: a method named it before.
pub(super) fn species_name(state: &State, code: SpeciesCode) -> Result<String, Problem> {
    let name = state.species_name(code);
    let name =
        name.ok_or_else(|| Problem::contradiction(&format!("no method names species {code}")))?;
    Ok(name.to_owned())
}

/// Who signs with a key that an entry was signed with, by the name that the governors granted it
/// under; `None` for a key that governs or signs checkpoints, which was granted to nobody.
pub(super) fn issuer_name(state: &State, key: &PublicKey) -> Result<Option<String>, Problem> {
    let known = state.key(key);
    let known =
        known.ok_or_else(|| Problem::contradiction(&format!("nobody granted the key {key}")))?;
    Ok(match &known.role {
        KeyRole::Issuer { display_name, .. } => Some(display_name.to_string()),
        KeyRole::Governor | KeyRole::Log => None,
    })
}

/// As [`issuer_name`], of an issuer whose statement only a granted key may sign.
pub(super) fn grantee_name(state: &State, key: &PublicKey) -> Result<String, Problem> {
    let name = issuer_name(state, key)?;
    name.ok_or_else(|| Problem::contradiction(&format!("the key {key} was granted to nobody")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Problem;

    #[test]
    fn what_the_ledger_does_not_know_has_no_empty_name() {
        let state = State::empty("example.org/ledger".parse().unwrap());
        let key = crate::crypto::SigningKey::generate().unwrap().public();
        let problems: [Problem; 3] = [
            species_name(&state, SpeciesCode(7)).unwrap_err(),
            issuer_name(&state, &key).unwrap_err(),
            grantee_name(&state, &key).unwrap_err(),
        ];
        for problem in problems {
            assert_eq!(problem.status().as_u16(), 500);
            assert_eq!(problem.code(), "contradiction");
        }
    }
}
