//! The cosigned checkpoints that a server keeps for ever, one an hour, held against the times of admission.

use serde_json::Value;

use super::log_source::{failed, is_url};
use super::{Failure, connect};
use arborlog::audit::{Auditor, CosignedTimes, Finding, SeenCheckpoint, StaticLog, Tiles};
use arborlog::note::{NOTE_BYTES_MAX, SignatureType, UnverifiedCheckpoint, VerifierKey};
use arborlog::outcome::Outcome;
use arborlog::policy::Policy;

/// Hours that are looked at, at most: more than a year.
const HOURS_MAX: usize = 10_000;
const PAGE_BYTES_MAX: u64 = 1 << 20;

/// What the hours come to.
pub struct Hours {
    /// How many checkpoints were compared.
    pub compared: usize,
    /// What there is to ask about.
    pub finding: Option<Finding>,
}

/// Fetches the checkpoints from a server, and compares them with the log that was audited. Of what is no server's
/// address there are none.
pub fn compare(
    place: &str,
    policy: &Policy,
    auditor: &Auditor,
    source: &dyn StaticLog,
) -> Result<Hours, Failure> {
    let none = Hours {
        compared: 0,
        finding: None,
    };
    let Some((head, _)) = auditor.verified().filter(|_| is_url(place)) else {
        return Ok(none);
    };
    let seen = fetch(place, policy, auditor)?;
    let tiles = Tiles::open(source, head).map_err(|error| failed(error.into()))?;
    match CosignedTimes::of(&tiles, &seen).map_err(failed)? {
        CosignedTimes::Beginnings(finding) => Ok(Hours {
            compared: seen.len(),
            finding,
        }),
        CosignedTimes::OtherTree(head) => Err(Failure::check(anyhow::anyhow!(
            "a checkpoint of {} entries that the log signed and witnesses cosigned has another root ({}) than this log: there are two histories. Keep both",
            head.size,
            head.root
        ))),
    }
}

fn fetch(place: &str, policy: &Policy, auditor: &Auditor) -> Result<Vec<SeenCheckpoint>, Failure> {
    let remote = connect::to(place);
    let (mut seen, mut path) = (Vec::new(), Some("v1/checkpoints".to_owned()));
    let mut asked = 0;
    while let Some(page) = path.take() {
        // A server of before, or one that has the files alone.
        let Some(body) = remote.file(&page, PAGE_BYTES_MAX)? else {
            break;
        };
        let wrong = || unchecked(format!("{place}/{page}: what came is no list of hours"));
        let body: Value = serde_json::from_slice(&body).map_err(|_| wrong())?;
        let hours = body.get("hours").and_then(Value::as_array);
        for hour in hours.ok_or_else(wrong)? {
            let hour = hour.as_u64().ok_or_else(wrong)?;
            asked += 1;
            if asked > HOURS_MAX {
                return Ok(seen);
            }
            let file = format!("v1/checkpoints/{hour}");
            if let Some(note) = remote.file(&file, NOTE_BYTES_MAX as u64 + 1)? {
                seen.extend(read(&note, policy, auditor));
            }
        }
        let next = body.get("next").and_then(Value::as_str);
        path = next.map(|next| next.trim_start_matches('/').to_owned());
    }
    Ok(seen)
}

/// A checkpoint that a key of the log signed and a witness of the policy cosigned, with the earliest time. What is
/// neither says nothing.
fn read(note: &[u8], policy: &Policy, auditor: &Auditor) -> Option<SeenCheckpoint> {
    let shown = UnverifiedCheckpoint::parse(note).ok()?;
    let origin = shown.origin().clone();
    let mut keys = auditor.state().globals().log_keys.iter().rev();
    let checkpoint = keys.find_map(|(key, _)| {
        let vkey = VerifierKey::new(origin.clone(), SignatureType::Ed25519, *key);
        shown.clone().verify(&vkey).ok()
    })?;
    let standing = policy.standing_of(&checkpoint).ok()?;
    let witnesses = standing.signers().iter().filter(|it| !it.is_auditor);
    Some(SeenCheckpoint {
        head: checkpoint.head(),
        seen_at_s: witnesses.filter_map(|it| it.signed_at_s).min()?,
    })
}

fn unchecked(what: String) -> Failure {
    Failure::of(Outcome::Unchecked, anyhow::anyhow!(what))
}
