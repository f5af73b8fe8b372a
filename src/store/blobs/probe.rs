//! Whether a store does what the log's safety rests on.
//!
//! Servers exist that answer conditional writes and do not keep to them: some ignore the condition,
//! some look first and write then, which goes wrong only when several race. A store can't be asked
//! what it is; so it is tried.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{BlobError, Blobs, Creation, Patience, Session, names};
use crate::store::{Bytes, StoreError};

/// How many race for one name.
const RACERS: usize = 32;
/// Bytes that each racer writes: more than one packet, so that a server that writes in parts shows it.
const RACER_BYTES: usize = 4096;
/// After this a racer counts as unanswered.
const RACE_MAX: Duration = Duration::from_secs(10);
/// Rounds in which nobody got a clear answer, after which the probe gives up.
const UNCLEAR_ROUNDS_MAX: u32 = 3;

/// Rounds before a log is begun.
pub const ROUNDS_AT_INIT: u32 = 10;
/// Rounds at a start.
pub const ROUNDS_AT_START: u32 = 1;

/// Tries a store by all of its addresses: in each round 32 processes' worth of creates race for one
/// fresh name; then one must have won, its bytes must be there at once by every address, and the
/// name must be in the list at once.
///
/// It leaves one small object a round, `probe/…`, for what serves may delete nothing.
///
/// # Errors
/// [`StoreError::Unfit`] names the store and what it did; [`StoreError::Blob`] when it gave no clear
/// answer.
pub async fn probe(addresses: &[Arc<dyn Blobs>], rounds: u32) -> Result<(), StoreError> {
    let mut unclear = 0;
    let mut round = 0;
    while round < rounds {
        match race(addresses).await {
            Err(StoreError::Blob(BlobError::Unclear { .. }))
                if unclear + 1 < UNCLEAR_ROUNDS_MAX =>
            {
                unclear += 1;
            }
            raced => {
                raced?;
                round += 1;
            }
        }
    }
    Ok(())
}

/// One round.
async fn race(addresses: &[Arc<dyn Blobs>]) -> Result<(), StoreError> {
    let Some(first) = addresses.first() else {
        return Ok(());
    };
    let name = names::probe(Session::draw()?);
    let unfit = |what: &str| StoreError::Unfit {
        address: first.address(),
        what: what.to_owned(),
    };
    let mut racers = JoinSet::new();
    for (number, blobs) in (0..RACERS).zip(addresses.iter().cycle()) {
        let (blobs, name) = (Arc::clone(blobs), name.clone());
        racers.spawn(async move {
            let created = blobs.create(&name, bytes_of(number));
            let silent = |_| Err(BlobError::unclear(&name, "no answer to a create"));
            (
                number,
                timeout(RACE_MAX, created).await.unwrap_or_else(silent),
            )
        });
    }
    let mut told_won = Vec::new();
    let mut error = None;
    for (number, created) in racers.join_all().await {
        match created {
            Ok(Creation::Created) => told_won.push(number),
            Ok(Creation::AlreadyThere) => {}
            // It may have won all the same.
            Err(BlobError::Unclear { object, why }) => {
                error = Some(BlobError::Unclear { object, why });
            }
            Err(other) => return Err(other.into()),
        }
    }
    if told_won.len() > 1 {
        return Err(unfit(
            "it told several who created one name at once that they had",
        ));
    }
    let patience = Patience::default();
    for blobs in addresses {
        let found = patience.ask(&name, || blobs.get(&name, None)).await?;
        let winner = found.and_then(|found| (0..RACERS).find(|number| bytes_of(*number) == found));
        match (winner, told_won.first(), &error) {
            (Some(winner), Some(told), _) if winner != *told => {
                return Err(unfit(
                    "it told one that it had created an object, and kept another's",
                ));
            }
            // An answer was lost, maybe the winner's.
            (None, None, Some(error)) => return Err(error.clone().into()),
            (None, None, None) => {
                return Err(unfit(
                    "it told all who created one name that it was there already",
                ));
            }
            (Some(_), None, None) => {
                // A proxy between may have sent the winner's request twice. A read tells whose it is.
            }
            (None, Some(_), _) => {
                return Err(unfit(
                    "what it said was created is not there, or not whole, right after",
                ));
            }
            (Some(_), _, _) => {}
        }
        let begin = patience.ask(&name, || blobs.get(&name, Some(1..3))).await?;
        if begin.is_none_or(|begin| begin.len() != 2) {
            return Err(unfit("it does not give ranges of objects"));
        }
        let listed = patience.ask(&name, || blobs.list_after(names::PROBES, before(&name), 1));
        if listed.await?.first() != Some(&name) {
            return Err(unfit(
                "what it said was created is not in its list right after",
            ));
        }
        match patience
            .ask(&name, || blobs.create(&name, Bytes::new()))
            .await?
        {
            Creation::AlreadyThere => {}
            Creation::Created => {
                return Err(unfit(
                    "it created an object in the place of one that was there",
                ));
            }
        }
    }
    Ok(())
}

/// What stands right before a name in a list: the name without its last character.
fn before(name: &str) -> &str {
    name.get(..name.len().saturating_sub(1)).unwrap_or("")
}

/// The bytes that a racer writes.
fn bytes_of(racer: usize) -> Bytes {
    let line = format!("racer {racer:>2}\n");
    Bytes::from(line.repeat(RACER_BYTES / line.len()))
}
