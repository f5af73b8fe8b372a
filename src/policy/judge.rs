//! A checkpoint by a policy: who signed it and when, who is missing, and which levels it has.

use std::fmt;

use super::lines::Policy;
use crate::note::{
    Checkpoint, CheckpointError, Cosignature, KeyName, NoteError, UnverifiedCheckpoint, VerifierKey,
};

/// How well a checkpoint is vouched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// The quorum holds as it is written.
    Cosigned,
    /// The quorum holds with all auditors taken as present, and a witness signed: it was seen.
    Witnessed,
    /// The quorum holds with all witnesses taken as present, and an auditor signed: it was replayed.
    Audited,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cosigned, Self::Witnessed, Self::Audited];

    /// Its name, as JSON answers have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Witnessed => "witnessed",
            Self::Audited => "audited",
            Self::Cosigned => "cosigned",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A cosigner of the policy whose line holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signer {
    /// What the policy calls it.
    pub name: String,
    /// Its verifier key.
    pub vkey: VerifierKey,
    /// Whether it is an auditor.
    pub is_auditor: bool,
    /// When it signed, in seconds since 1970-01-01 UTC; `None` of an auditor that does not say.
    pub signed_at_s: Option<u64>,
}

/// Where a checkpoint stands by a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    signers: Vec<Signer>,
    levels: Vec<Level>,
    quorum: Result<(), QuorumMissing>,
}

/// The quorum of a policy is not there; that says nothing against the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumMissing {
    /// The name of the cosigner or group that must hold.
    pub quorum: String,
    /// The names of those that are missing, in the policy's order.
    pub missing: Vec<String>,
    /// The names of their keys.
    pub missing_keys: Vec<KeyName>,
    /// Groups that lack members: the name, how many hold, and how many must.
    pub groups: Vec<(String, usize, usize)>,
    /// The levels that it has all the same: seen without being replayed, say.
    pub levels: Vec<Level>,
}

impl std::error::Error for QuorumMissing {}

impl fmt::Display for QuorumMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the quorum {} of the policy is not met: ",
            self.quorum.escape_debug()
        )?;
        for (name, has, needed) in &self.groups {
            write!(f, "{} has {has} of {needed}, ", name.escape_debug())?;
        }
        write!(f, "missing: ")?;
        let missing = self.missing.iter().zip(&self.missing_keys);
        for (place, (name, key)) in missing.enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{} ({key})", name.escape_debug())?;
        }
        f.write_str(". A newer checkpoint may have them: ask again, or ask another copy")
    }
}

impl Policy {
    /// Verifies that a log of the policy signed a checkpoint, and looks who cosigned it. Each line that names a
    /// key of the policy must hold.
    ///
    /// # Errors
    /// [`CheckpointError`]. That the quorum is missing is none: [`Standing::quorum`] says so.
    pub fn judge(
        &self,
        claimed: &UnverifiedCheckpoint,
    ) -> Result<(Checkpoint, Standing), CheckpointError> {
        let checkpoint = self.open(claimed)?;
        let standing = self.standing_of(&checkpoint)?;
        Ok((checkpoint, standing))
    }

    /// The same of a checkpoint that a key opened which the reader named beside the policy: logs of the policy are
    /// asked for only if it names any.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn judge_opened(&self, checkpoint: &Checkpoint) -> Result<Standing, CheckpointError> {
        if !self.logs().is_empty() {
            self.open(&checkpoint.clone().into())?;
        }
        Ok(self.standing_of(checkpoint)?)
    }

    /// Verifies that a log of the policy signed a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open(&self, claimed: &UnverifiedCheckpoint) -> Result<Checkpoint, CheckpointError> {
        let origin = claimed.origin();
        let of_origin = self.logs().iter().filter(|log| log.vkey.name() == origin);
        let mut opened = None;
        let mut unsigned = None;
        for log in of_origin {
            match claimed.clone().verify(&log.vkey) {
                Ok(checkpoint) => opened = Some(checkpoint),
                Err(error @ CheckpointError::Note(NoteError::NotSignedBy(_))) => {
                    unsigned = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        opened.ok_or_else(|| {
            unsigned.unwrap_or_else(|| {
                let names = self.logs().iter().map(|log| log.vkey.name().to_string());
                let names: Vec<String> = names.collect();
                CheckpointError::Origin {
                    found: origin.to_string(),
                    expected: match names.as_slice() {
                        [] => "any log of the policy, which names none".to_owned(),
                        names => names.join(", "),
                    },
                }
            })
        })
    }

    /// Looks who of the policy cosigned a checkpoint that the log signed.
    ///
    /// # Errors
    /// [`NoteError::FalseSignature`]: a line that names a cosigner of the policy does not hold.
    pub fn standing_of(&self, checkpoint: &Checkpoint) -> Result<Standing, NoteError> {
        let mut signers = Vec::new();
        let mut signed = Vec::with_capacity(self.cosigners().len());
        for cosigner in self.cosigners() {
            let is_auditor = cosigner.is_auditor();
            let seen = match is_auditor {
                true => Cosignature::verify_any_time(checkpoint, &cosigner.vkey),
                false => Cosignature::verify(checkpoint, &cosigner.vkey),
            };
            let seen = match seen {
                Ok(seen) => seen,
                Err(NoteError::NotSignedBy(_)) => {
                    signed.push(false);
                    continue;
                }
                Err(error) => return Err(error),
            };
            signed.push(true);
            signers.push(Signer {
                name: cosigner.name.clone(),
                vkey: cosigner.vkey.clone(),
                is_auditor,
                // Of an Ed25519 line 0 is a time.
                signed_at_s: (seen.seen_at_s > 0 || !cosigner.vkey.is_mldsa())
                    .then_some(seen.seen_at_s),
            });
        }
        Ok(self.standing(signers, &signed))
    }

    /// Whether the quorum is met by two checkpoints of one log, of which the second extends the first: by one of them
    /// alone, or by the witnesses of one with the auditors of the other.
    ///
    /// # Errors
    /// [`QuorumMissing`] names who is missing in that of these ways that lacks the fewest; of several, the first.
    pub fn quorum_of_two(&self, first: &Standing, second: &Standing) -> Result<(), QuorumMissing> {
        let mut lacks: Option<QuorumMissing> = None;
        for (witnesses, auditors) in [
            (first, first),
            (second, second),
            (second, first),
            (first, second),
        ] {
            let witnesses = witnesses.signers.iter().filter(|it| !it.is_auditor);
            let auditors = auditors.signers.iter().filter(|it| it.is_auditor);
            let signers: Vec<Signer> = witnesses.chain(auditors).cloned().collect();
            let signed = self.cosigners().iter();
            let signed = signed.map(|it| signers.iter().any(|signer| signer.name == it.name));
            let signed: Vec<bool> = signed.collect();
            let Err(missing) = self.standing(signers, &signed).quorum else {
                return Ok(());
            };
            if lacks
                .as_ref()
                .is_none_or(|lacks| missing.missing.len() < lacks.missing.len())
            {
                lacks = Some(missing);
            }
        }
        let levels = Level::ALL.into_iter();
        let levels = levels.filter(|level| first.reaches(*level) || second.reaches(*level));
        let levels = levels.collect();
        lacks.map_or(Ok(()), |lacks| Err(QuorumMissing { levels, ..lacks }))
    }

    /// Those who cosigned a checkpoint that the log signed, in the policy's order, up to the first with whom the quorum
    /// holds. Who signed beside them changes nothing of it.
    ///
    /// # Errors
    /// [`NoteError::FalseSignature`]. `None` of a quorum that does not hold, or that nobody must sign.
    pub fn leading_quorum(
        &self,
        checkpoint: &Checkpoint,
    ) -> Result<Option<Vec<Signer>>, NoteError> {
        let standing = self.standing_of(checkpoint)?;
        let mut signed = vec![false; self.cosigners().len()];
        let mut leading = Vec::new();
        for signer in standing.signers {
            let place = self
                .cosigners()
                .iter()
                .position(|it| it.name == signer.name);
            if let Some(signed) = place.and_then(|place| signed.get_mut(place)) {
                *signed = true;
            }
            leading.push(signer);
            if self
                .quorum
                .holds(&|place| signed.get(place).copied().unwrap_or(false))
            {
                return Ok(Some(leading));
            }
        }
        Ok(None)
    }

    /// Where a checkpoint stands that these of the policy's cosigners signed.
    fn standing(&self, signers: Vec<Signer>, signed: &[bool]) -> Standing {
        let signed = |place: usize| signed.get(place).copied().unwrap_or(false);
        let is_auditor = |place: usize| {
            self.cosigners()
                .get(place)
                .is_some_and(|it| it.is_auditor())
        };
        let (by_auditor, by_witness): (Vec<&Signer>, Vec<&Signer>) =
            signers.iter().partition(|signer| signer.is_auditor);
        let quorum = &self.quorum;
        let mut levels = Vec::new();
        let met = quorum.holds(&signed);
        if met {
            levels.push(Level::Cosigned);
        }
        if !by_witness.is_empty() && quorum.holds(&|place| signed(place) || is_auditor(place)) {
            levels.push(Level::Witnessed);
        }
        if !by_auditor.is_empty() && quorum.holds(&|place| signed(place) || !is_auditor(place)) {
            levels.push(Level::Audited);
        }
        let quorum = match met {
            true => Ok(()),
            false => {
                let lacks = quorum.lacks(&signed);
                let missing = lacks.cosigners.iter();
                let missing = missing.filter_map(|place| self.cosigners().get(*place));
                let missing: Vec<_> = missing.collect();
                let keys = missing.iter().map(|it| it.vkey.name().clone());
                Err(QuorumMissing {
                    quorum: quorum.name.clone(),
                    missing: missing.iter().map(|it| it.name.clone()).collect(),
                    missing_keys: keys.collect(),
                    groups: lacks.groups,
                    levels: levels.clone(),
                })
            }
        };
        Standing {
            signers,
            levels,
            quorum,
        }
    }
}

impl Standing {
    /// Those of the policy who signed, in its order.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// The levels that it has.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Whether it has a level.
    pub fn reaches(&self, level: Level) -> bool {
        self.levels.contains(&level)
    }

    /// The names of those who are missing in the quorum; none if it holds.
    pub fn missing(&self) -> &[String] {
        match &self.quorum {
            Ok(()) => &[],
            Err(missing) => &missing.missing,
        }
    }

    /// Whether the quorum holds as it is written.
    ///
    /// # Errors
    /// [`QuorumMissing`] names who is missing.
    pub fn quorum(&self) -> Result<(), &QuorumMissing> {
        self.quorum.as_ref().copied()
    }
}
