//! Sums in JSON. They may exceed 2^64, and most programs that read JSON keep no more than 53 bits of a
//! number: so a sum is a decimal string, in every answer and report. What statements say stays
//! numbers.

use std::fmt::Display;

use serde::Serializer;

/// Writes a sum as a decimal string: for serde's `serialize_with`.
pub(crate) fn decimal<S: Serializer>(sum: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(sum)
}
