//! Who vouches for a receipt's checkpoint: the log, and the witnesses that the reader names or a policy asks for.

use std::fmt;

use super::{Receipt, ReceiptError};
use crate::note::{Checkpoint, Cosignature, UnverifiedCheckpoint, VerifierKey};
use crate::policy::{Policy, Standing};
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
    /// Verifies who vouches for the checkpoint.
    pub(super) fn vouched(&self, trust: &Trust<'_>) -> Result<Vouched, ReceiptError> {
        let claimed = UnverifiedCheckpoint::parse(self.checkpoint.as_bytes())?;
        let with_logs = trust.policy.filter(|policy| !policy.logs().is_empty());
        let mut opened = None;
        if let Some(log) = trust.log {
            opened = Some(claimed.clone().verify(log)?);
        }
        // Without either, the policy says that it names no log.
        if let Some(policy) = with_logs.or(trust.policy.filter(|_| opened.is_none())) {
            opened = Some(policy.open(&claimed)?);
        }
        let checkpoint = opened.ok_or_else(|| {
            ReceiptError::Malformed("nothing was given by which to open its checkpoint".to_owned())
        })?;
        let mut vouched = Vouched {
            checks: vec![signed_by_the_log(&checkpoint)],
            cosignatures: Vec::new(),
            standing: None,
            checkpoint,
        };
        for witness in trust.witnesses {
            let seen =
                Cosignature::verify(&vouched.checkpoint, witness).map_err(ReceiptError::Witness)?;
            vouched.checks.push(Check {
                name: "witness",
                holds: format!("{} saw it at {}", seen.witness, utc(seen.seen_at_s)),
            });
            vouched.cosignatures.push(seen);
        }
        if let Some(policy) = trust.policy {
            vouched.check_quorum(policy)?;
        }
        Ok(vouched)
    }
}

impl Vouched {
    fn check_quorum(&mut self, policy: &Policy) -> Result<(), ReceiptError> {
        let standing = policy
            .standing_of(&self.checkpoint)
            .map_err(ReceiptError::Witness)?;
        standing.quorum().map_err(Clone::clone)?;
        for signer in standing.signers() {
            let (name, did) = match signer.is_auditor {
                true => ("auditor", "replayed it"),
                false => ("witness", "saw it"),
            };
            let who = format!("{} ({}) {did}", signer.name, signer.vkey.name());
            let holds = match signer.signed_at_s {
                Some(at_s) => format!("{who} at {}", utc(at_s)),
                None => format!("{who}, and gives no time"),
            };
            self.checks.push(Check { name, holds });
        }
        let levels = standing.levels().iter().map(ToString::to_string);
        self.checks.push(Check {
            name: "quorum",
            holds: format!(
                "the quorum {} of the policy is met: {}",
                policy.quorum(),
                levels.collect::<Vec<_>>().join(", ")
            ),
        });
        self.standing = Some(standing);
        Ok(())
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
