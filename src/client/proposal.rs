//! What governors sign in different houses: a record in a file that goes from one to the next.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::crypto::{PublicKey, Sign, Signature};
use crate::durable::{FileError, at, create, replace};
use crate::ledger::ISSUED_DAYS_BEFORE_MAX;
use crate::note::FileFault;
use crate::record::{
    CodecError, Correction, Day, Endorsement, Index, Kind, Origin, Record, Remedy, SignedRecord,
    SigningContext, Statement, draft,
};

/// The version of the files that are written and read here. 2: a genesis names its format, and what
/// governors sign the set of governors in force.
const FILE_VERSION: u32 = 2;
/// No proposal is longer: a record and 32 endorsements, in base64, twice told.
const PROPOSAL_BYTES_MAX: u64 = 1 << 20;

/// A record on its way from governor to governor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The ledger that it is for.
    pub origin: Origin,
    /// The record with the signatures so far.
    pub signed: SignedRecord,
    /// The governors in force when it was made, if a server told them: who is asked to sign, and how
    /// many must. Nobody signs this; the ledger's rules decide when it is submitted.
    pub council: Option<CouncilInForce>,
}

/// The governors in force, as a server tells them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouncilInForce {
    /// Their keys.
    pub governors: Vec<PublicKey>,
    /// How many of them must sign.
    pub quorum: u8,
    /// The entry that states them: what they sign names it.
    pub stated_at: Index,
}

/// A proposal that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// Not a proposal.
    #[error("{path} is no proposal: {why}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A proposal of another version of this software: nobody can say here what it says.
    #[error(
        "{path} is a proposal of version {found}, and this software reads version {reads}: propose it anew",
        reads = FILE_VERSION
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// The version that it names.
        found: u32,
    },
    /// What it shows to people is not what is signed.
    #[error("{0}: the statement that it shows is not the one in the record; do not sign it")]
    Misleading(PathBuf),
    /// A signature in it is false.
    #[error("{path}: {why}")]
    Signature {
        /// The file.
        path: PathBuf,
        /// Which.
        why: String,
    },
    /// A key that is not asked to sign it, or has signed it: with its signature, the ledger would refuse
    /// the record.
    #[error("{0}")]
    NotAsked(String),
    /// Other governors are in force than those whose signatures the record asks for.
    #[error(
        "it is superseded: it asks for signatures by the governors of entry {named}, and those in force are stated by entry {in_force}. The ledger refuses it with any signatures: propose it anew"
    )]
    Superseded {
        /// The entry that the record names.
        named: Index,
        /// The entry that states the governors in force.
        in_force: Index,
    },
    /// The record can't be written, or not endorsed by this key.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Anything that the file system says.
    #[error(transparent)]
    Io(#[from] FileError),
}

/// The version of a proposal's file.
#[derive(Deserialize)]
struct FileVersion {
    arborlog_proposal: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The version of this file's format.
    arborlog_proposal: u32,
    origin: Origin,
    /// For people; the record is what counts, and must say the same.
    issuer: PublicKey,
    statement: Statement,
    record: String,
    signature: String,
    endorsements: Vec<FileEndorsement>,
    /// Who is asked to sign, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    council: Option<CouncilInForce>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEndorsement {
    key: PublicKey,
    signature: String,
}

impl Proposal {
    /// Signs a record as its issuer.
    ///
    /// # Errors
    /// [`ProposalError::Codec`] when the record is too long.
    pub fn new(origin: Origin, record: &Record, key: &impl Sign) -> Result<Self, ProposalError> {
        let (signed, _) = draft(record, &SigningContext::new(&origin), key)?;
        Ok(Self {
            origin,
            signed,
            council: None,
        })
    }

    /// Adds another's signature.
    ///
    /// # Errors
    /// [`ProposalError::Superseded`] and [`ProposalError::NotAsked`] when the ledger would refuse the
    /// record, as far as that is known; [`ProposalError::Codec`] when that key signed already.
    pub fn endorse(self, key: &impl Sign) -> Result<Self, ProposalError> {
        self.check_in_force()?;
        self.check_asked(&key.public())?;
        let context = SigningContext::new(&self.origin);
        Ok(Self {
            signed: self.signed.endorse(&context, key)?,
            ..self
        })
    }

    /// The keys that the statement itself asks to sign it: it gives them a task.
    pub fn named_keys(&self) -> Vec<PublicKey> {
        match &self.signed.record().statement {
            Statement::Genesis(genesis) => {
                let governors = genesis.governors.iter().copied();
                governors.chain([genesis.log_key]).collect()
            }
            Statement::Governors(set) => set.governors.to_vec(),
            Statement::KeyGrant(grant) => vec![grant.key],
            Statement::LogKey(log_key) => vec![log_key.key],
            _ => Vec::new(),
        }
    }

    /// The last day on which the ledger admits it: a record is refused when it was signed too long ago.
    pub fn admitted_until(&self) -> Day {
        self.signed.record().issued_on.later(ISSUED_DAYS_BEFORE_MAX)
    }

    /// Whether other governors are in force, as far as it is known, than those whose signatures it asks for.
    pub fn superseded(&self) -> bool {
        self.check_in_force().is_err()
    }

    /// Whether governors may sign it beside its issuer.
    pub fn asks_governors(&self) -> bool {
        self.signed.record().statement.set().is_some()
    }

    /// Refuses what asks for the signatures of other governors than those in force, if it is known who
    /// is.
    fn check_in_force(&self) -> Result<(), ProposalError> {
        let named = self.signed.record().statement.set();
        match (named, &self.council) {
            (Some(named), Some(council)) if named != council.stated_at => {
                Err(ProposalError::Superseded {
                    named,
                    in_force: council.stated_at,
                })
            }
            _ => Ok(()),
        }
    }

    /// Governors that must still sign, as far as it is known who governs.
    pub fn governors_missing(&self) -> Option<usize> {
        let council = self.council.as_ref().filter(|_| self.asks_governors())?;
        let record = self.signed.record();
        let endorsers = self
            .signed
            .endorsements()
            .iter()
            .map(|endorsement| endorsement.key);
        // A plot is stated by a planter, who is no governor.
        let signed = endorsers
            .chain([record.issuer])
            .filter(|key| council.governors.contains(key))
            .count();
        Some(usize::from(council.quorum).saturating_sub(signed))
    }

    /// Whether it is a holder's void: one that no governors sign.
    fn is_holders_void(&self) -> bool {
        matches!(
            &self.signed.record().statement,
            Statement::Correction(Correction {
                remedy: Remedy::Void,
                set: None,
                ..
            })
        )
    }

    /// Refuses a key that is not asked to sign.
    fn check_asked(&self, key: &PublicKey) -> Result<(), ProposalError> {
        let refused = |why: String| Err(ProposalError::NotAsked(why));
        if *key == self.signed.record().issuer {
            return refused(format!(
                "{key} issues this, and its signature is there: others endorse it"
            ));
        }
        let mut endorsed = self.signed.endorsements().iter();
        if endorsed.any(|endorsement| endorsement.key == *key) {
            return refused(format!("{key} has endorsed this already"));
        }
        let named = self.named_keys();
        if named.contains(key) {
            return Ok(());
        }
        let kind = self.signed.record().statement.kind();
        match &self.council {
            _ if kind == Kind::Genesis => refused(format!(
                "{key} is neither a governor nor the log key that the genesis names: nobody else signs it"
            )),
            // Of a transfer to another holder's account: that holder agrees. Whose account pays, the
            // ledger knows.
            _ if self.is_holders_void() => Ok(()),
            _ if !self.asks_governors() => refused(format!(
                "nobody but its issuer signs {}: with another's signature the ledger refuses it",
                kind.with_article()
            )),
            Some(council)
                if kind == Kind::Correction
                    && !council.governors.contains(&self.signed.record().issuer) =>
            {
                refused(
                    "its issuer is no governor, and nobody else signs an issuer's own correction: with another's signature the ledger refuses it".to_owned(),
                )
            }
            Some(council) if !council.governors.contains(key) => {
                let asked = council.governors.iter().chain(&named);
                let asked: Vec<String> = asked.map(ToString::to_string).collect();
                refused(format!(
                    "{key} is not asked to sign this: with its signature the ledger would refuse it. Asked are {}",
                    asked.join(", ")
                ))
            }
            // Who governs is not known here; the ledger decides.
            Some(_) | None => Ok(()),
        }
    }

    /// Reads a proposal, and checks that it shows what it signs and that all signatures hold.
    ///
    /// # Errors
    /// [`ProposalError`].
    pub fn read(path: &Path) -> Result<Self, ProposalError> {
        Self::from_reader(path, std::fs::File::open(path).map_err(at(path))?)
    }

    /// The same of bytes from elsewhere; errors name `path`.
    ///
    /// # Errors
    /// [`ProposalError`].
    pub fn from_reader(path: &Path, reader: impl std::io::Read) -> Result<Self, ProposalError> {
        let malformed = |why: String| ProposalError::Malformed {
            path: path.to_owned(),
            why,
        };
        let mut bytes = Vec::new();
        reader
            .take(PROPOSAL_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(at(path))?;
        if bytes.len() as u64 > PROPOSAL_BYTES_MAX {
            return Err(malformed("it is longer than any".to_owned()));
        }
        // JSON has no place for either; its line ends may be any.
        if let Some(fault @ (FileFault::Utf16 | FileFault::ByteOrderMark)) = FileFault::of(&bytes) {
            return Err(malformed(fault.to_string()));
        }
        // Before the rest, which another version may write otherwise.
        let version: FileVersion =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        if version.arborlog_proposal != FILE_VERSION {
            return Err(ProposalError::OtherVersion {
                path: path.to_owned(),
                found: version.arborlog_proposal,
            });
        }
        let file: File =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        let decoded = |text: &str| {
            STANDARD
                .decode(text)
                .map_err(|_| malformed("a part is not in base64".to_owned()))
        };
        let signature = |text: &str| {
            let bytes = <[u8; 64]>::try_from(decoded(text)?)
                .map_err(|_| malformed("a signature has 64 bytes".to_owned()))?;
            Ok::<_, ProposalError>(Signature::from_bytes(bytes))
        };
        let endorsements = file
            .endorsements
            .iter()
            .map(|endorsement| {
                Ok(Endorsement {
                    key: endorsement.key,
                    signature: signature(&endorsement.signature)?,
                })
            })
            .collect::<Result<Vec<_>, ProposalError>>()?;
        let signed = SignedRecord::new(
            decoded(&file.record)?,
            signature(&file.signature)?,
            endorsements,
        )
        .map_err(|error| malformed(error.to_string()))?;
        let record = signed.record();
        if record.statement != file.statement || record.issuer != file.issuer {
            return Err(ProposalError::Misleading(path.to_owned()));
        }
        signed
            .verify(&SigningContext::new(&file.origin))
            .map_err(|error| ProposalError::Signature {
                path: path.to_owned(),
                why: error.to_string(),
            })?;
        Ok(Self {
            origin: file.origin,
            signed,
            council: file.council,
        })
    }

    /// Writes the proposal to a new file; it is durable when this returns.
    ///
    /// # Errors
    /// [`ProposalError::Io`], also when there is a file of that name: it is never touched.
    pub fn write_new(&self, path: &Path) -> Result<(), ProposalError> {
        Ok(create(path, self.to_json(path)?.as_bytes())?)
    }

    /// Writes the proposal in place of the one that it came from; it is durable when this returns.
    ///
    /// # Errors
    /// [`ProposalError::Io`]; the file then holds the proposal before, or this one.
    pub fn replace(&self, path: &Path) -> Result<(), ProposalError> {
        Ok(replace(path, self.to_json(path)?.as_bytes())?)
    }

    fn to_json(&self, path: &Path) -> Result<String, ProposalError> {
        let file = File {
            arborlog_proposal: FILE_VERSION,
            origin: self.origin.clone(),
            issuer: self.signed.record().issuer,
            statement: self.signed.record().statement.clone(),
            record: STANDARD.encode(self.signed.bytes()),
            signature: STANDARD.encode(self.signed.signature().as_bytes()),
            council: self.council.clone(),
            endorsements: self
                .signed
                .endorsements()
                .iter()
                .map(|e| FileEndorsement {
                    key: e.key,
                    signature: STANDARD.encode(e.signature.as_bytes()),
                })
                .collect(),
        };
        let mut text =
            serde_json::to_string_pretty(&file).map_err(|error| at(path)(error.into()))?;
        text.push('\n');
        Ok(text)
    }
}
