//! The body of `add-checkpoint`: the size that the cosigner last saw, a consistency proof from there, and
//! the checkpoint.
//!
//! ```text
//! old 20852014
//! PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
//! …
//!
//! the checkpoint, a signed note
//! ```

use std::fmt;

use crate::merkle::Hash;
use crate::note::{CheckpointError, UnverifiedCheckpoint};

/// The most hashes of a proof that the standard allows.
pub const PROOF_HASHES_MAX: usize = 63;
/// The longest body: the proof, and a checkpoint with all signatures that a note may have. ML-DSA lines
/// take 3.3 kB each.
pub const REQUEST_BYTES_MAX: usize = 64 << 10;

/// A body that was read, of which nothing is verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddCheckpoint {
    /// The size of the tree from which the proof leads.
    pub old_size: u64,
    /// The consistency proof from there (RFC 6962, section 2.1.2).
    pub proof: Vec<Hash>,
    /// The checkpoint.
    pub checkpoint: UnverifiedCheckpoint,
}

/// A body that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// More than [`REQUEST_BYTES_MAX`].
    #[error("the body has more than {REQUEST_BYTES_MAX} bytes")]
    TooLong,
    /// The first line is not `old SIZE`.
    #[error("the first line is not \"old\" and a size in plain decimal")]
    OldSize,
    /// A line of the proof is no hash.
    #[error("line {0} is no hash in base64, and no empty line before the checkpoint")]
    Proof(usize),
    /// More than [`PROOF_HASHES_MAX`].
    #[error("the proof has more than {PROOF_HASHES_MAX} hashes")]
    ProofTooLong,
    /// What follows the empty line is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl AddCheckpoint {
    /// Reads a body.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        if body.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::TooLong);
        }
        let (line, mut rest) = next_line(body).ok_or(RequestError::OldSize)?;
        let old_size = old_size(line).ok_or(RequestError::OldSize)?;
        let mut proof = Vec::new();
        loop {
            let number = proof.len() + 2;
            let (line, behind) = next_line(rest).ok_or(RequestError::Proof(number))?;
            rest = behind;
            if line.is_empty() {
                break;
            }
            if proof.len() == PROOF_HASHES_MAX {
                return Err(RequestError::ProofTooLong);
            }
            let hash = str::from_utf8(line).ok().and_then(|line| line.parse().ok());
            proof.push(hash.ok_or(RequestError::Proof(number))?);
        }
        Ok(Self {
            old_size,
            proof,
            checkpoint: UnverifiedCheckpoint::parse_extended(rest)?,
        })
    }
}

/// The bytes of the body.
impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        for hash in &self.proof {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint.note())
    }
}

fn next_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = bytes.split_at(end);
    Some((line, rest.split_first()?.1))
}

fn old_size(line: &[u8]) -> Option<u64> {
    let text = str::from_utf8(line).ok()?.strip_prefix("old ")?;
    let size: u64 = text.parse().ok()?;
    (size.to_string() == text).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SigningKey;
    use crate::note::{Checkpoint, TreeHead};

    fn request() -> AddCheckpoint {
        let key = SigningKey::from_seed(&[1; 32]);
        let head = TreeHead {
            size: 9,
            root: Hash::empty_root(),
        };
        let checkpoint = Checkpoint::sign(&"example.org/log".parse().unwrap(), head, &key);
        AddCheckpoint {
            old_size: 8,
            proof: vec![Hash::empty_root(), Hash::from_bytes([7; 32])],
            checkpoint: UnverifiedCheckpoint::parse(checkpoint.to_string().as_bytes()).unwrap(),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let request = request();
        let body = request.to_string();
        assert_eq!(AddCheckpoint::parse(body.as_bytes()), Ok(request));
    }

    #[test]
    fn each_cut_body_and_each_other_spelling_is_refused() {
        let body = request().to_string();
        for end in 0..body.len() {
            let cut = AddCheckpoint::parse(&body.as_bytes()[..end]);
            assert!(cut.is_err(), "{end}");
        }
        for (from, to) in [
            ("old 8", "old 08"),
            ("old 8", "old +8"),
            ("old 8", "old  8"),
            ("old 8", "Old 8"),
            ("old 8", "old 18446744073709551616"),
            ("old 8\n", "old 8\r\n"),
            ("old 8\n", "old 8\nAAAA\n"),
        ] {
            let changed = body.replacen(from, to, 1);
            assert!(AddCheckpoint::parse(changed.as_bytes()).is_err(), "{to:?}");
        }
        let hash = format!("{}\n", Hash::empty_root());
        let most = format!("old 8\n{}", hash.repeat(PROOF_HASHES_MAX));
        let checkpoint = body.split_once("\n\n").unwrap().1;
        let parsed = AddCheckpoint::parse(format!("{most}\n{checkpoint}").as_bytes());
        assert!(parsed.is_ok());
        let parsed = AddCheckpoint::parse(format!("{most}{hash}\n{checkpoint}").as_bytes());
        assert_eq!(parsed, Err(RequestError::ProofTooLong));
    }
}
