//! Rules 1 and 2: each issuer's chain, and its days.

use crate::crypto::PublicKey;
use crate::ledger::candidate::Candidate;
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::state::{KeyRole, KeyState, State};
use crate::record::{Day, Index, Seq};

/// The most days between signing and admission. A record may also be signed one day after its
/// admission: the issuer's clock may be ahead, or east.
pub(crate) const ISSUED_DAYS_BEFORE_MAX: u32 = 30;

/// Checks the issuer's key, chain and days, of a record in that chain. Returns the issuer's entry
/// before, and the entry that its authority rests on.
pub(in crate::ledger) fn check_issuer(
    state: &State,
    candidate: &Candidate<'_>,
) -> Result<(Option<Index>, Index), Refusal> {
    ensure(state.globals.genesis.is_some(), || {
        Refusal::new(
            Code::GenesisMisplaced,
            "the ledger has no genesis yet",
            "entry 0 must be the genesis",
        )
    })?;
    let key = known_issuer(state, candidate.issuer)?;
    let link = candidate.link.ok_or_else(unsigned)?;
    let (seq, prev) = key.next();
    ensure(link.seq <= seq, || sequence_gap(link.seq, seq))?;
    ensure(link.seq == seq, || {
        Refusal::new(
            Code::SequenceUsed,
            format!("the issuer's seq {} is used by another record", link.seq),
            format!("the next is {seq}; never sign a used seq again"),
        )
    })?;
    ensure(link.prev == prev, || {
        Refusal::new(
            Code::ChainBroken,
            format!("prev is {}", link.prev),
            format!("prev must be {prev}, the id of the issuer's record before"),
        )
    })?;
    check_in_use(key, candidate.admitted_on())?;
    check_issued_on(candidate)?;
    if let Some(before) = key.head.map(|head| head.issued_on) {
        ensure(before <= candidate.issued_on, || {
            Refusal::new(
                Code::IssuedOnDecreases,
                format!("issued_on is {}", candidate.issued_on),
                format!(
                    "the issuer's record before was issued on {before}: sign for that day or a later one"
                ),
            )
        })?;
    }
    let authority = match key.role {
        KeyRole::Governor => state.globals.council.stated_at,
        KeyRole::Log | KeyRole::Issuer { .. } => key.granted_at,
    };
    Ok((key.head.map(|head| head.index), authority))
}

/// The refusal of a sealed statement where a signed record of its own belongs.
fn unsigned() -> Refusal {
    Refusal::new(
        Code::SignatureInvalid,
        "the statement is in no signed record",
        "sign it, or seal it with others",
    )
}

/// The key of an issuer.
pub(in crate::ledger) fn known_issuer<'a>(
    state: &'a State,
    issuer: &PublicKey,
) -> Result<&'a KeyState, Refusal> {
    state.key(issuer).ok_or_else(|| {
        Refusal::new(
            Code::IssuerUnknown,
            format!("the key {issuer} was never granted a role"),
            "ask the governors for a key grant",
        )
    })
}

/// The refusal of a record whose seq is beyond the next.
pub(in crate::ledger) fn sequence_gap(seq: Seq, next: Seq) -> Refusal {
    Refusal::new(
        Code::SequenceGap,
        format!("the record's seq is {seq}, the issuer's next is {next}"),
        "send the records before it first; GET /v1/issuers/{key} tells the head",
    )
}

/// Checks that a key may sign records that are admitted on a day.
pub(in crate::ledger) fn check_in_use(key: &KeyState, admitted_on: Day) -> Result<(), Refusal> {
    if let Some(revoked_at) = key.revoked_at {
        return Err(Refusal::new(
            Code::KeyRevoked,
            format!("the key was revoked at entry {revoked_at}"),
            "sign with another granted key",
        ));
    }
    ensure(
        key.expires_on.is_none_or(|last| admitted_on <= last),
        || {
            Refusal::new(
                Code::KeyExpired,
                "the key's last day has passed",
                "ask the governors to grant a new key",
            )
        },
    )
}

/// Checks that the day of issue is near the day of admission.
pub(in crate::ledger) fn check_issued_on(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let (issued, admitted) = (candidate.issued_on, candidate.admitted_on());
    let first = admitted.earlier(ISSUED_DAYS_BEFORE_MAX);
    let last = admitted.later(1);
    ensure((first..=last).contains(&issued), || {
        Refusal::new(
            Code::DayRefused,
            format!("issued_on is {issued}"),
            format!("on this day it must lie from {first} to {last}"),
        )
    })
}

/// Checks rule 2: a day that a statement names is not after the day of issue.
pub(in crate::ledger) fn check_day(
    candidate: &Candidate<'_>,
    what: &str,
    day: Day,
) -> Result<(), Refusal> {
    let issued = candidate.issued_on;
    ensure(day <= issued, || {
        Refusal::new(
            Code::DayRefused,
            format!("{what} is {day}, after issued_on {issued}"),
            "nothing is recorded before it happened",
        )
    })
}
