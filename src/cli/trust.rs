//! What a command trusts: the log's key, or a policy that says which logs, witnesses and auditors count.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use super::log_source::read_vkey;
use arborlog::audit::StaticLog;
use arborlog::durable::read_at_most;
use arborlog::note::{UnverifiedCheckpoint, VerifierKey};
use arborlog::policy::{Level, POLICY_FILE_BYTES_MAX, Policy, PolicyError, Signer, Standing};
use arborlog::receipt::{Trust, VerifiedReceipt};

/// A policy in the place of the log's key, or beside it.
#[derive(Args)]
pub struct PolicyArgs {
    /// A policy (c2sp.org/tlog-policy): which logs count, and which witnesses and auditors must have
    /// cosigned. A quorum that is short could not be checked (exit code 3), and the words name who is
    /// missing. If it names logs, --log can be left out; what is given beside it must hold too.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// What a command trusts: keys of the log, a policy, or both. There is a key of a log in one of them.
pub struct Trusted {
    /// Keys of the log, of which one must have signed.
    keys: Vec<VerifierKey>,
    policy: Option<Policy>,
}

impl PolicyArgs {
    /// Reads the policy, and the keys of `--log`.
    pub fn read(&self, logs: &[String]) -> Result<Trusted, Failure> {
        let keys = logs.iter().map(|log| read_vkey(log));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let policy = self.policy.as_deref().map(read_policy).transpose()?;
        let names_none = policy.as_ref().is_none_or(|it| it.logs().is_empty());
        if keys.is_empty() && names_none {
            return Err(Failure::usage(match &self.policy {
                Some(file) => format!(
                    "{} names no log: give its verifier key with --log",
                    file.display()
                ),
                None => "which log is meant? Give its verifier key with --log, or a policy that names it with --policy".to_owned(),
            }));
        }
        Ok(Trusted { keys, policy })
    }
}

impl Trusted {
    /// The policy, if there is one.
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// The same for a receipt, with these witnesses. `--log` was given once at most there.
    pub fn for_receipt<'a>(&'a self, witnesses: &'a [VerifierKey]) -> Trust<'a> {
        Trust {
            log: self.keys.first(),
            policy: self.policy(),
            witnesses,
        }
    }

    /// Every key of which one must have signed.
    pub fn log_keys(&self) -> Vec<VerifierKey> {
        match &self.policy {
            Some(policy) if self.keys.is_empty() => {
                policy.logs().iter().map(|log| log.vkey.clone()).collect()
            }
            _ => self.keys.clone(),
        }
    }

    /// The one key by which a log is audited, Ed25519 if there is such a one: of a policy with several logs,
    /// or several keys of one, that which the log's own checkpoint names.
    pub fn audit_key(&self, source: &dyn StaticLog) -> Result<VerifierKey, Failure> {
        let keys = self.log_keys();
        let plain: Vec<&VerifierKey> = keys.iter().filter(|key| !key.is_mldsa()).collect();
        let first = plain.first().copied().or(keys.first());
        let first = first.ok_or_else(|| Failure::usage("no key of a log was given"))?;
        if plain.len() < 2 {
            return Ok(first.clone());
        }
        // What can't be read here is told by the audit itself, which asks again.
        let shown = source.checkpoint().ok();
        let shown = shown.and_then(|note| UnverifiedCheckpoint::parse(&note).ok());
        let named = shown.and_then(|shown| {
            let own = |key: &&VerifierKey| key.name() == shown.origin();
            let own: Vec<&VerifierKey> = plain.into_iter().filter(own).collect();
            let signed = own.iter().find(|key| shown.note().names(key));
            signed.or(own.first()).copied()
        });
        Ok(named.unwrap_or(first).clone())
    }
}

/// Reads a policy from a file.
pub fn read_policy(file: &Path) -> Result<Policy, Failure> {
    let wrong = |why: String| Failure::usage(format!("{}: {why}", file.display()));
    // One byte more than the longest, so that a longer one is told as that.
    let bytes = read_at_most(file, POLICY_FILE_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    text.parse()
        .map_err(|error: PolicyError| wrong(error.to_string()))
}

/// What a policy says of a checkpoint that meets it, as JSON answers have it.
pub fn as_json(policy: Option<&Policy>, standing: Option<&Standing>) -> serde_json::Value {
    let (Some(policy), Some(standing)) = (policy, standing) else {
        return serde_json::Value::Null;
    };
    let cosigned_by = standing.signers().iter().map(signer_as_json);
    serde_json::json!({
        "quorum": policy.quorum(), "levels": levels(standing.levels()),
        "cosigned_by": cosigned_by.collect::<Vec<_>>(),
        // Those whose lines could not be checked for want of a library: ML-DSA-44 is a part of this program.
        "not_checked": [],
    })
}

/// The same of a receipt, whose file may have two checkpoints: then each signer's has its size, and how far the
/// entries were seen and replayed is said beside.
pub fn of_receipt_as_json(policy: Option<&Policy>, receipt: &VerifiedReceipt) -> serde_json::Value {
    let mut told = as_json(policy, receipt.standing.as_ref());
    let (Some(second), Some(fields)) = (receipt.second.as_ref(), told.as_object_mut()) else {
        return told;
    };
    let reached = receipt.levels();
    let mut signed = Vec::new();
    for (head, standing) in [
        (receipt.head, receipt.standing.as_ref()),
        (second.head, second.standing.as_ref()),
    ] {
        for signer in standing.map(Standing::signers).unwrap_or_default() {
            let mut one = signer_as_json(signer);
            if let Some(fields) = one.as_object_mut() {
                fields.insert("size".to_owned(), head.size.into());
            }
            signed.push(one);
        }
    }
    let size_of = |level| {
        let found = reached.iter().find(|(of, _)| *of == level);
        found.map(|(_, size)| *size)
    };
    let names: Vec<Level> = reached.iter().map(|(level, _)| *level).collect();
    let more: [(&str, serde_json::Value); 4] = [
        ("levels", levels(&names).into()),
        ("cosigned_by", signed.into()),
        ("seen_to", size_of(Level::Witnessed).into()),
        ("replayed_to", size_of(Level::Audited).into()),
    ];
    fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
    told
}

fn signer_as_json(signer: &Signer) -> serde_json::Value {
    let role = match signer.is_auditor {
        true => "auditor",
        false => "witness",
    };
    serde_json::json!({
        "as": signer.name, "name": signer.vkey.name().as_str(), "role": role,
        "seen_at_s": signer.signed_at_s,
    })
}

/// The names of levels.
pub fn levels(levels: &[Level]) -> Vec<&'static str> {
    levels.iter().map(|level| level.name()).collect()
}

/// Who signed, for people: a line for each, and the levels.
pub fn lines(standing: &Standing) -> Vec<String> {
    let signers = standing.signers().iter();
    let mut lines: Vec<String> = signers
        .map(|signer| {
            let did = match signer.is_auditor {
                true => "replayed by",
                false => "seen by",
            };
            let name = signer.vkey.name();
            let at = match signer.signed_at_s.and_then(|at_s| at_s.checked_mul(1000)) {
                Some(at_ms) => arborlog::record::TimeMs(at_ms).to_utc(),
                None => "a time that it does not give".to_owned(),
            };
            format!("{did} {} ({name}) at {at}", signer.name)
        })
        .collect();
    let levels = levels(standing.levels());
    if !levels.is_empty() {
        lines.push(format!("the checkpoint is {}", levels.join(", ")));
    }
    lines
}
