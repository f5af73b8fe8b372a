//! Keys, methods and who corrects what.

use super::{Cases, Facts, Finding, Inconsistent, Severity, many};
use crate::crypto::PublicKey;
use crate::ledger::{KeyRole, KeyState};
use crate::record::{Day, Index, MethodVersion};

/// A key is near its end when it expires within this many days.
const EXPIRY_DAYS: u32 = 60;

pub(super) fn findings(facts: &Facts<'_>) -> Result<Vec<Finding>, Inconsistent> {
    let found = [
        compromised(facts),
        retroactive(facts)?,
        corrections(facts)?,
        expiring(facts),
    ];
    Ok(found.into_iter().flatten().collect())
}

/// A key and who holds it, as the subject of a case.
fn subject(public: &PublicKey, key: &KeyState) -> String {
    let holder = match &key.role {
        KeyRole::Issuer {
            role,
            display_name,
            holder,
            ..
        } => format!("{role} {display_name} ({holder})"),
        KeyRole::Governor => "governor".to_owned(),
        KeyRole::Log => "log".to_owned(),
    };
    format!("{holder}, key {public}")
}

fn compromised(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "compromised_key_entries",
        Severity::High,
        "The governors say that since that day somebody else may have had the key. What it signed \
         since, or what came in since, stands in the ledger. Ask which of these entries its holder confirms.",
    );
    let mut entries = 0;
    for key in facts.state.keys() {
        let public = &key.key;
        let Some(since) = key.compromised_since else {
            continue;
        };
        let after = (*public, since)..=(*public, Day(u32::MAX));
        let mut indexes: Vec<Index> = Vec::new();
        let mut signed = 0;
        for (_, span) in facts.observations.signed_on.range(after) {
            signed += span.count;
            indexes.extend(span.ends());
        }
        if signed > 0 {
            entries += signed;
            let ends = indexes.iter().min().into_iter().chain(indexes.iter().max());
            let mut ends: Vec<Index> = ends.copied().collect();
            ends.dedup();
            ends.extend(key.revoked_at);
            let detail = format!("{signed} entries signed or admitted since {since}");
            cases.add(signed.into(), subject(public, key), detail, ends);
        }
    }
    cases.finding(|count| {
        format!(
            "{} {} that were later called compromised",
            many(entries, "entry was signed by", "entries were signed by"),
            many(count, "key", "keys")
        )
    })
}

fn retroactive(facts: &Facts<'_>) -> Result<Option<Finding>, Inconsistent> {
    let mut cases = Cases::new(
        "method_retroactive",
        Severity::Low,
        "The first version of a method may speak of days before it was stated, and so made its \
         numbers knowing them. Ask for sources older than the method.",
    );
    for method in facts.state.methods() {
        let from = method.method.effective_from;
        let stated = facts.admitted_on(method.stated_at)?;
        if method.method.version == MethodVersion(1) && from < stated {
            let detail = format!("stated on {stated}, in effect from {from}");
            cases.add(
                u128::from(stated.0 - from.0),
                format!("method {}", method.method.id),
                detail,
                vec![method.stated_at],
            );
        }
    }
    Ok(cases.finding(|count| {
        let methods = many(count, "method speaks", "methods speak");
        format!("{methods} of days before the first version was stated")
    }))
}

fn corrections(facts: &Facts<'_>) -> Result<Option<Finding>, Inconsistent> {
    let mut cases = Cases::new(
        "corrections_by_issuer",
        Severity::Low,
        "Putting things right is better than not to. Much of it, by one issuer, says something of \
         how it works. Ask why.",
    );
    let mut all = 0;
    for (public, sums) in &facts.observations.issuers {
        let corrections = sums.corrections();
        if corrections == 0 {
            continue;
        }
        let key = facts.state.key(public).ok_or_else(|| {
            Inconsistent::new(format!(
                "the key {public} issued entries and was never granted"
            ))
        })?;
        all += corrections;
        let detail = format!(
            "{} reversals ({} points), {} losses ({} trees, before voids), {} voids, in {} entries",
            sums.reversals, sums.reversed, sums.losses, sums.lost, sums.voids, sums.entries.count
        );
        cases.add(
            corrections.into(),
            subject(public, key),
            detail,
            sums.entries.ends(),
        );
    }
    Ok(cases.finding(|count| {
        let issuers = many(count, "key", "keys");
        format!("{} by {issuers}", many(all, "correction", "corrections"))
    }))
}

fn expiring(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "keys_near_expiry",
        Severity::Low,
        "After that day the key can't sign. Ask whether its holder has another.",
    );
    for key in facts.state.keys() {
        let public = &key.key;
        // A revoked key can't sign anyway.
        let Some(day) = key.expires_on.filter(|_| key.revoked_at.is_none()) else {
            continue;
        };
        // A key that has expired already is no key near its end.
        if let Some(left) = day.0.checked_sub(facts.as_of.0)
            && left <= EXPIRY_DAYS
        {
            let detail = format!("may sign until {day}, {left} days from now");
            cases.add(
                u128::from(EXPIRY_DAYS - left),
                subject(public, key),
                detail,
                vec![key.granted_at],
            );
        }
    }
    cases.finding(|count| {
        let keys = many(count, "key expires", "keys expire");
        format!("{keys} within {EXPIRY_DAYS} days")
    })
}
