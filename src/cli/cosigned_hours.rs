//! The cosigned checkpoints that a log keeps for ever, one an hour, held against the times of admission. A server gives
//! them, an object store has them, and a mirror copies them.

use super::Failure;
use super::log_source::failed;
use arborlog::audit::{Auditor, CosignedTimes, Finding, SeenCheckpoint, StaticLog, Tiles};
use arborlog::note::{SignatureType, TreeHead, UnverifiedCheckpoint, VerifierKey};
use arborlog::policy::Policy;

/// Hours that are looked at, at most: more than a year.
const HOURS_MAX: usize = 10_000;

/// The hours of a log, as far as they were looked at. Who follows a log asks for those that are new alone.
#[derive(Default)]
pub struct Hours {
    /// How many checkpoints were compared.
    compared: usize,
    /// The newest hour that was asked for.
    after: Option<u64>,
    /// Those behind which no entry was known so far.
    ahead: Vec<SeenCheckpoint>,
    /// Those that there is something to ask about.
    doubted: Vec<SeenCheckpoint>,
}

impl Hours {
    /// How many checkpoints were compared so far.
    pub fn compared(&self) -> usize {
        self.compared
    }

    /// Reads the checkpoints of new hours, and compares them with the log that was audited. Gives what there is to ask
    /// about, of all hours so far.
    pub fn compare(
        &mut self,
        policy: &Policy,
        auditor: &Auditor,
        source: &dyn StaticLog,
    ) -> Result<Option<Finding>, Failure> {
        let Some((head, _)) = auditor.verified() else {
            return Ok(None);
        };
        let mut seen = std::mem::take(&mut self.ahead);
        let before = seen.len();
        self.read(policy, auditor, source, &mut seen)?;
        self.compared += seen.len() - before;
        let tiles = Tiles::open(source, head).map_err(|error| failed(error.into()))?;
        for one in seen {
            if one.head.size > head.size {
                self.ahead.push(one);
                continue;
            }
            let finding = finding_of(&tiles, &[one])?;
            // Of the newest tree it is only known that it is this one: the entry behind it is still to come.
            if one.head.size == head.size {
                self.ahead.push(one);
                continue;
            }
            if finding.is_some() {
                self.doubted.push(one);
            }
        }
        finding_of(&tiles, &self.doubted)
    }

    fn read(
        &mut self,
        policy: &Policy,
        auditor: &Auditor,
        source: &dyn StaticLog,
        seen: &mut Vec<SeenCheckpoint>,
    ) -> Result<(), Failure> {
        let mut asked = 0;
        loop {
            let hours = source.hours_after(self.after);
            let hours = hours.map_err(|error| failed(error.into()))?;
            let before = self.after;
            for hour in hours {
                if asked == HOURS_MAX || self.after.is_some_and(|after| hour <= after) {
                    return Ok(());
                }
                asked += 1;
                self.after = Some(hour);
                // One that is not there any more says nothing.
                if let Ok(note) = source.hour(hour) {
                    seen.extend(read(&note, policy, auditor));
                }
            }
            if self.after == before {
                return Ok(());
            }
        }
    }
}

fn finding_of(tiles: &Tiles<'_>, seen: &[SeenCheckpoint]) -> Result<Option<Finding>, Failure> {
    match CosignedTimes::of(tiles, seen).map_err(failed)? {
        CosignedTimes::Beginnings(finding) => Ok(finding),
        CosignedTimes::OtherTree(TreeHead { size, root }) => Err(Failure::check(anyhow::anyhow!(
            "a checkpoint of {size} entries that the log signed and witnesses cosigned has another root ({root}) than this log: there are two histories. Keep both"
        ))),
    }
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
