//! What a refusal says to do: about the line, about its day, about the key, or about its chain.

use super::remote::{RefusedStatement, RemoteProblem};
use crate::record::{Day, Record, Remedy, Statement};

/// The status of a rule that is broken.
const RULE: u16 = 422;

/// What a refused record's line has to do with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum About {
    /// What the line says is against the rules, as things are. The next line may be right.
    Line,
    /// The line speaks of a day after the day of signing: it may be right tomorrow.
    LaterDay,
    /// The day of signing lies too far from the server's: a clock is wrong, or it was signed long
    /// ago.
    SigningDay,
    /// No record of this key is admitted now.
    Key,
    /// The record does not continue the key's chain as the ledger has it.
    Chain,
}

/// Tells what a refusal of a record is about. Codes that this release does not know are taken by
/// their status: a rule (422) is about the line; anything else stops.
pub(super) fn about(problem: &RemoteProblem, record: &Record) -> About {
    about_code(
        &problem.code,
        problem.status,
        &record.statement,
        record.issued_on,
    )
}

/// As [`about`], of a statement of a sealed batch: chain and key were judged before it.
pub(super) fn about_sealed(
    refused: &RefusedStatement,
    statement: &Statement,
    issued_on: Day,
) -> About {
    about_code(&refused.code, RULE, statement, issued_on)
}

fn about_code(code: &str, status: u16, statement: &Statement, issued_on: Day) -> About {
    match (code, status) {
        ("sequence_gap" | "sequence_used" | "already_in" | "chain_broken", _) => About::Chain,
        ("day_refused", _) => match latest_day(statement) {
            Some(day) if day > issued_on => About::LaterDay,
            _ => About::SigningDay,
        },
        ("issued_on_decreases", _) => About::SigningDay,
        (
            "role_refused"
            | "holder_refused"
            | "platform_not_named"
            | "endorser_refused"
            | "consent_missing"
            | "quorum_short"
            | "possession_unproven",
            _,
        )
        | (_, RULE) => About::Line,
        _ => About::Key,
    }
}

/// The day that a statement speaks of, which must not be after the day of signing (rule 2).
fn latest_day(statement: &Statement) -> Option<Day> {
    match statement {
        Statement::Award(award) => Some(award.occurred_on),
        Statement::Planting(planting) => Some(planting.planted_until),
        Statement::Survey(survey) => Some(survey.surveyed_on),
        Statement::Attestation(said) => Some(said.period_until),
        Statement::Correction(correction) => match &correction.remedy {
            Remedy::Lost { lost_on, .. } => Some(*lost_on),
            Remedy::Reverse { .. } | Remedy::Void => None,
        },
        _ => None,
    }
}
