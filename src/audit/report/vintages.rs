//! What was awarded for each month and planted in it, and what of that still stands in the books.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::audit::awards::{AwardRows, AwardRowsError};
use crate::audit::facts::Facts;
use crate::ledger::decimal;
use crate::record::{Index, Month};

/// A vintage: the awards for events of one month, and the trees planted in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct VintageRow {
    /// The month, such as `2026-11`.
    pub month: String,
    /// Awards for events of the month.
    pub awards: u64,
    /// The points of those awards.
    #[serde(rename = "awarded_grams", serialize_with = "decimal")]
    pub awarded: u128,
    /// The points of those awards that were reversed, whenever that was.
    #[serde(rename = "reversed_grams", serialize_with = "decimal")]
    pub reversed: u128,
    /// The points of those awards that were not.
    #[serde(rename = "standing_grams", serialize_with = "decimal")]
    pub standing_points: u128,
    /// Trees of unvoided plantings that were planted in the month: of a span of days, its last one counts.
    #[serde(rename = "planted_trees")]
    pub planted: u64,
    /// The trees of those that are lost, whenever that was.
    #[serde(rename = "lost_trees")]
    pub lost: u64,
    /// The trees of those that stand in the books.
    #[serde(rename = "standing_trees")]
    pub standing: u64,
}

/// Each month of an award or a planting, in order.
///
/// # Errors
/// [`AwardRowsError`].
pub(in crate::audit) fn vintages(
    facts: &Facts<'_>,
    awards: &mut AwardRows,
) -> Result<Vec<VintageRow>, AwardRowsError> {
    let mut rows = BTreeMap::<Month, VintageRow>::new();
    for (month, sums) in &facts.observations.months {
        // A month in which points were only spent or taken back has no vintage.
        if sums.awards > 0 {
            let row = row_of(&mut rows, *month);
            row.awards = sums.awards;
            row.awarded = sums.awarded;
        }
    }
    // A reversal tells its award's entry; the month is with the award. Where nothing was reversed, no award is read.
    if facts.state.reversals_from(Index(0)).next().is_some() {
        awards.each_account(|awards, _| {
            for award in awards {
                let reversed = facts.state.reversed(award.index);
                if reversed.0 > 0 {
                    row_of(&mut rows, Month::of(award.occurred_on)).reversed +=
                        u128::from(reversed.0);
                }
            }
            Ok::<_, AwardRowsError>(())
        })?;
    }
    for (_, _, planting) in facts.state.plantings_all() {
        if !planting.voided {
            let row = row_of(&mut rows, Month::of(planting.planted_until));
            row.planted += planting.count();
            row.lost += u64::from(planting.lost());
        }
    }
    let mut rows: Vec<VintageRow> = rows.into_values().collect();
    for row in &mut rows {
        // The rules reverse no more of an award than its points, and lose no more trees than were planted.
        row.standing_points = row.awarded.saturating_sub(row.reversed);
        row.standing = row.planted.saturating_sub(row.lost);
    }
    Ok(rows)
}

fn row_of(rows: &mut BTreeMap<Month, VintageRow>, month: Month) -> &mut VintageRow {
    rows.entry(month).or_insert_with(|| VintageRow {
        month: month.to_string(),
        awards: 0,
        awarded: 0,
        reversed: 0,
        standing_points: 0,
        planted: 0,
        lost: 0,
        standing: 0,
    })
}
