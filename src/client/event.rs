//! Which one event a statement is about, where it says so: the ride of an award, by its evidence. What
//! names the same event as a statement that is in, in other words, is no further event.

use sha2::{Digest as _, Sha256};

use crate::record::{Digest, Remedy, Statement};

/// The event that a statement names, and that the ledger does not hold against others by itself: the
/// evidence of an award; of a loss without serials its evidence and what it is a loss of. Plantings,
/// surveys and losses with serials are guarded by the ledger's rules.
pub(super) fn event_of(statement: &Statement) -> Option<Digest> {
    match statement {
        Statement::Award(award) => Some(award.evidence),
        Statement::Correction(correction) => match &correction.remedy {
            Remedy::Lost {
                first_serial: None,
                evidence: Some(evidence),
                ..
            } => {
                // One photograph may show losses of several plantings.
                let mut hasher = Sha256::new();
                hasher.update(b"loss");
                hasher.update(correction.target.0.to_be_bytes());
                hasher.update(evidence.as_bytes());
                Some(Digest::from_bytes(hasher.finalize().into()))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether a statement names the one event or thing that it is about, so that two which say the
/// same are about the same. Of the others two can follow each other: the same gift on two days.
pub(super) fn names_one_event(statement: &Statement) -> bool {
    match statement {
        Statement::Transfer(_) | Statement::Claim(_) => false,
        Statement::Correction(correction) => match &correction.remedy {
            Remedy::Reverse { .. } => false,
            Remedy::Lost {
                first_serial,
                evidence,
                ..
            } => first_serial.is_some() || evidence.is_some(),
            Remedy::Void => true,
        },
        _ => true,
    }
}
