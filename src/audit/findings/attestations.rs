//! Attestations that are not of this log.

use super::{Cases, Facts, Finding, Severity, many};
use crate::audit::attested::Agreement;

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut differ = Cases::new(
        "attestation_differs",
        Severity::High,
        "The attestation names other roots than this log has after so many entries: it is of another history, or of \
         none. Ask its auditor for the audit that it rests on, and don't rest on it.",
    );
    let mut unknown = Cases::new(
        "attestation_uncompared",
        Severity::Low,
        "No state entry speaks of just the entries that the attestation speaks of, so the root of the state that it \
         names was held against nothing. Audit up to that size, and compare.",
    );
    for (index, said) in &facts.observations.attestations {
        // One that was voided says nothing any more.
        let Some(compared) = said
            .compared
            .filter(|_| facts.state.voided_by(*index).is_none())
        else {
            continue;
        };
        let subject = format!("attestation {index} of {} entries", said.size);
        let parts = [("tree", compared.tree), ("state", compared.state)];
        let wrong = parts.iter().filter(|(_, of)| *of == Agreement::Differs);
        let wrong: Vec<&str> = wrong.map(|(name, _)| *name).collect();
        if !wrong.is_empty() {
            let detail = format!(
                "the root of the {} is another",
                wrong.join(" and that of the ")
            );
            differ.add(1, subject, detail, vec![*index]);
        } else if compared.state == Agreement::Unknown {
            let detail = "the root of its state was compared with nothing".to_owned();
            unknown.add(1, subject, detail, vec![*index]);
        }
    }
    let differ = differ.finding(|count| {
        let attestations = many(count, "attestation is", "attestations are");
        format!("{attestations} not of this log")
    });
    let unknown = unknown.finding(|count| {
        let attestations = many(count, "attestation names", "attestations name");
        format!("{attestations} a state that no state entry speaks of")
    });
    differ.into_iter().chain(unknown).collect()
}
