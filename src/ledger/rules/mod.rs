//! Checks that several kinds of statement share. Each returns the refusal if its rule is broken, and
//! changes nothing.

pub(super) mod balances;
pub(super) mod chain;
pub(super) mod keys;
pub(super) mod methods;
pub(super) mod names;
pub(super) mod plots;
pub(super) mod speakers;
