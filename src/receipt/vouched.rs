//! Who vouches for a receipt's checkpoint: the log, and the witnesses that the reader names or a policy asks for.

use std::fmt;

use super::second::{VerifiedSecond, largest_with};
use super::{Receipt, ReceiptError};
use crate::note::{
    Checkpoint, Cosignature, NoteError, TreeHead, UnverifiedCheckpoint, VerifierKey,
};
use crate::policy::{Level, Policy, Standing};
use crate::record::TimeMs;

/// One thing that was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// A stable name of what was checked.
    pub name: &'static str,
    /// What holds, in words.
    pub holds: String,
}

/// One line for people.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.holds)
    }
}

/// A checkpoint and who signed it.
pub(super) struct Vouched {
    pub(super) checkpoint: Checkpoint,
    /// Of the witnesses asked for beside a policy.
    pub(super) cosignatures: Vec<Cosignature>,
    /// By the policy, if there is one.
    pub(super) standing: Option<Standing>,
    pub(super) second: Option<VerifiedSecond>,
    pub(super) checks: Vec<Check>,
}

/// What a reader trusts. A log's key, or a policy that names logs, must be there; all that is must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trust<'a> {
    /// The log's key.
    pub log: Option<&'a VerifierKey>,
    /// Which logs count, and who must have cosigned.
    pub policy: Option<&'a Policy>,
    /// Witnesses of which each must have cosigned.
    pub witnesses: &'a [VerifierKey],
}

impl Receipt {
    /// Verifies who vouches for the checkpoint, and for the second one if there is one.
    pub(super) fn vouched(&self, trust: &Trust<'_>) -> Result<Vouched, ReceiptError> {
        let own = UnverifiedCheckpoint::parse(self.checkpoint.as_bytes())?;
        let own = opened(own, trust)?;
        let second = self.second.as_ref();
        let second = second
            .map(|second| opened(second.claimed()?, trust))
            .transpose()?;
        let both = std::iter::once(&own).chain(&second);
        let mut checks: Vec<Check> = both.map(signed_by_the_log).collect();
        let mut cosignatures = Vec::new();
        for witness in trust.witnesses {
            let seen = cosigned(&own, second.as_ref(), witness).map_err(ReceiptError::Witness)?;
            checks.push(Check {
                name: "witness",
                holds: format!("{} saw it at {}", seen.witness, utc(seen.seen_at_s)),
            });
            cosignatures.push(seen);
        }
        let (mut standing, mut second_standing) = (None, None);
        if let Some(policy) = trust.policy {
            let judged = |checkpoint| {
                policy
                    .standing_of(checkpoint)
                    .map_err(ReceiptError::Witness)
            };
            let own_standing = judged(&own)?;
            second_standing = second.as_ref().map(judged).transpose()?;
            match &second_standing {
                None => own_standing.quorum().map_err(Clone::clone)?,
                Some(second) => policy.quorum_of_two(&own_standing, second)?,
            }
            let heads = std::iter::once(own.head()).chain(second.as_ref().map(Checkpoint::head));
            let standings = std::iter::once(&own_standing).chain(&second_standing);
            let both: Vec<_> = heads.zip(standings.map(Some)).collect();
            checks.extend(who_signed(&both));
            checks.push(quorum_met(policy, &both));
            standing = Some(own_standing);
        }
        Ok(Vouched {
            second: second.map(|second| VerifiedSecond {
                head: second.head(),
                standing: second_standing,
            }),
            checkpoint: own,
            cosignatures,
            standing,
            checks,
        })
    }
}

/// Verifies that the log signed a checkpoint.
fn opened(claimed: UnverifiedCheckpoint, trust: &Trust<'_>) -> Result<Checkpoint, ReceiptError> {
    let with_logs = trust.policy.filter(|policy| !policy.logs().is_empty());
    let mut opened = None;
    if let Some(log) = trust.log {
        opened = Some(claimed.clone().verify(log)?);
    }
    // Without either, the policy says that it names no log.
    if let Some(policy) = with_logs.or(trust.policy.filter(|_| opened.is_none())) {
        opened = Some(policy.open(&claimed)?);
    }
    opened.ok_or_else(|| {
        ReceiptError::Malformed("nothing was given by which to open its checkpoint".to_owned())
    })
}

/// A witness's cosignature of one of the checkpoints, of two the newer one: every line by its key holds.
fn cosigned(
    own: &Checkpoint,
    second: Option<&Checkpoint>,
    witness: &VerifierKey,
) -> Result<Cosignature, NoteError> {
    let of_own = Cosignature::verify(own, witness);
    let Some(second) = second else {
        return of_own;
    };
    if let Err(error) = &of_own
        && !matches!(error, NoteError::NotSignedBy(_))
    {
        return of_own;
    }
    match Cosignature::verify(second, witness) {
        Err(NoteError::NotSignedBy(_)) => of_own,
        of_second => of_second,
    }
}

type Judged<'a> = (TreeHead, Option<&'a Standing>);

/// Who of a policy signed which of a file's checkpoints.
fn who_signed(checkpoints: &[Judged<'_>]) -> Vec<Check> {
    let mut checks = Vec::new();
    for (head, standing) in checkpoints {
        for signer in standing.map(Standing::signers).unwrap_or_default() {
            let (name, did) = match signer.is_auditor {
                true => ("auditor", "replayed"),
                false => ("witness", "saw"),
            };
            let what = match checkpoints {
                [_] => "it".to_owned(),
                _ => format!("the first {} entries", head.size),
            };
            let who = format!("{} ({}) {did} {what}", signer.name, signer.vkey.name());
            let holds = match signer.signed_at_s {
                Some(at_s) => format!("{who} at {}", utc(at_s)),
                None => format!("{who}, and gives no time"),
            };
            checks.push(Check { name, holds });
        }
    }
    checks
}

/// That the quorum is met, and how far the entries were seen and replayed where that differs.
fn quorum_met(policy: &Policy, checkpoints: &[Judged<'_>]) -> Check {
    let met = format!("the quorum {} of the policy is met", policy.quorum());
    let size_of = |level| largest_with(level, checkpoints);
    let holds = match (checkpoints, size_of(Level::Cosigned)) {
        ([(_, Some(standing))], _) => {
            let levels = standing.levels().iter().map(ToString::to_string);
            format!("{met}: {}", levels.collect::<Vec<_>>().join(", "))
        }
        (_, Some(size)) => format!("{met} by the checkpoint of {size} entries"),
        _ => match (size_of(Level::Audited), size_of(Level::Witnessed)) {
            (Some(replayed), Some(seen)) => {
                format!("{met} by two checkpoints: replayed to {replayed}, seen to {seen}")
            }
            _ => format!("{met} by two checkpoints"),
        },
    };
    Check {
        name: "quorum",
        holds,
    }
}

fn signed_by_the_log(checkpoint: &Checkpoint) -> Check {
    Check {
        name: "checkpoint",
        holds: format!(
            "the log {} signed a tree of {} entries",
            checkpoint.origin(),
            checkpoint.head().size
        ),
    }
}

/// A time for people; one that no calendar here reaches, in seconds.
fn utc(at_s: u64) -> String {
    match at_s.checked_mul(1000) {
        Some(at_ms) => TimeMs(at_ms).to_utc(),
        None => format!("{at_s} s"),
    }
}
