//! What answers of cosigners come to, for people.

use super::question::Reply;
use crate::cosign::{Answer, AskOutcome, Asked};

/// What an answer came to, for people.
pub(super) fn words_of(outcome: AskOutcome, reply: &Reply, asked: Asked) -> String {
    if reply.against.is_some() {
        return "it accepted a checkpoint that this log's own key signed, and that this log does not extend".to_owned();
    }
    match (outcome, reply.answer) {
        (AskOutcome::Ahead, Answer::Size(size)) => format!(
            "it says that it accepted a checkpoint of {size} entries, which this log never had, and shows none that this log signed: the cosigner is wrong"
        ),
        (AskOutcome::Contradicted, _) => format!(
            "it says that the checkpoint of {} entries contradicts what it accepted ({}), and shows none that this log signed: the cosigner is wrong",
            asked.size, reply.why
        ),
        (AskOutcome::Malformed, Answer::Size(size)) => {
            format!("it was asked from {size} entries, and says that it has just these")
        }
        _ => reply.why.clone(),
    }
}

/// Tells the operator once when a cosigner's answers change.
pub(super) fn tell_outcome(cosigner: &str, outcome: AskOutcome, why: &str) {
    let outcome_name = outcome.name();
    match outcome {
        AskOutcome::Ahead | AskOutcome::Contradicted => {
            tracing::error!(
                cosigner,
                outcome = outcome_name,
                why,
                "a cosigner contradicts this log"
            );
        }
        AskOutcome::Refused | AskOutcome::Silent | AskOutcome::Malformed => {
            tracing::warn!(
                cosigner,
                outcome = outcome_name,
                why,
                "a cosigner does not cosign"
            );
        }
        AskOutcome::Cosigned => tracing::info!(cosigner, "a cosigner cosigns"),
        AskOutcome::Pending | AskOutcome::Corrected | AskOutcome::Unchanged => {}
    }
}
