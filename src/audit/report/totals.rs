//! The totals as a report has them: each name with its unit, each sum a decimal string.

use serde::{Serialize, Serializer};

use crate::ledger::{Totals, decimal};

#[derive(Serialize)]
struct TotalsRow {
    #[serde(serialize_with = "decimal")]
    awarded_grams: u128,
    #[serde(serialize_with = "decimal")]
    reversed_grams: u128,
    #[serde(serialize_with = "decimal")]
    expired_grams: u128,
    #[serde(serialize_with = "decimal")]
    spent_elsewhere_grams: u128,
    #[serde(serialize_with = "decimal")]
    claimed_grams: u128,
    #[serde(serialize_with = "decimal")]
    balances_grams: i128,
    #[serde(serialize_with = "decimal")]
    owed_grams: u64,
    #[serde(serialize_with = "decimal")]
    planted_recorded_trees: u64,
    #[serde(serialize_with = "decimal")]
    planted_voided_trees: u64,
    #[serde(serialize_with = "decimal")]
    lost_trees: u64,
    #[serde(serialize_with = "decimal")]
    standing_trees: u64,
    #[serde(serialize_with = "decimal")]
    assigned_claims: u64,
    #[serde(serialize_with = "decimal")]
    waiting_claims: u64,
    #[serde(serialize_with = "decimal")]
    claims: u64,
    #[serde(serialize_with = "decimal")]
    negative_accounts: u64,
}

/// Writes totals under names that have units.
pub(super) fn with_units<S: Serializer>(totals: &Totals, serializer: S) -> Result<S::Ok, S::Error> {
    // Named one by one: a total that is new is not forgotten here.
    let Totals {
        awarded,
        reversed,
        expired,
        spent_elsewhere,
        claimed,
        balances,
        owed,
        planted_recorded,
        planted_voided,
        lost,
        standing,
        assigned,
        waiting,
        claims,
        accounts_negative,
    } = *totals;
    let row = TotalsRow {
        awarded_grams: awarded,
        reversed_grams: reversed,
        expired_grams: expired,
        spent_elsewhere_grams: spent_elsewhere,
        claimed_grams: claimed,
        balances_grams: balances,
        owed_grams: owed,
        planted_recorded_trees: planted_recorded,
        planted_voided_trees: planted_voided,
        lost_trees: lost,
        standing_trees: standing,
        assigned_claims: assigned,
        waiting_claims: waiting,
        claims,
        negative_accounts: accounts_negative,
    };
    row.serialize(serializer)
}
