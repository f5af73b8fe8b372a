//! Neighbours against a state root: what is at a low path, and that no leaf is behind it up to a high path,
//! the high one included. What both proofs share stands once.
//!
//! The bytes: tag u8, 16 ‖ domain u8 ‖ a u64 ‖ b u64 ‖ n u64 ‖ 4 siblings[32] ‖ proof of low ‖ proof of high. No
//! domain has the tag's number, so the first byte tells this from a proof of one leaf.

use super::neighbours::nothing_between;
use super::node::{DOMAINS, Domain, Leaf};
use super::path::Path;
use super::proof::{ProofError, Reader, TrieProof};
use super::state_root::{LEVELS, is_domain, read_domain, read_siblings, root_over};
use crate::merkle::Hash;

/// The first byte of the encoding.
const TAG: u8 = {
    assert!(
        DOMAINS == 16,
        "the tag is the first number that no domain has"
    );
    16
};

/// Proves what is at a low path of a domain, and that nothing is behind it up to a high one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeighboursProof {
    pub(super) domain: Domain,
    /// The domain's a, b and n.
    pub(super) sums: [u64; 3],
    pub(super) siblings: [Hash; LEVELS],
    pub(super) low: TrieProof,
    pub(super) high: TrieProof,
}

impl NeighboursProof {
    /// Whether bytes begin as this proof does, and not as that of one leaf.
    pub fn begins(bytes: &[u8]) -> bool {
        bytes.first() == Some(&TAG)
    }

    /// The domain that the proof is about.
    pub fn domain(&self) -> Domain {
        self.domain
    }

    /// What the proof says to be at the low path: true if the proof holds.
    pub fn claimed(&self) -> Option<&Leaf> {
        self.low.leaf()
    }

    /// The leaf at the low path; `None` if it is proven that there is none. In either case none is behind it
    /// up to the high path, that one included.
    ///
    /// # Errors
    /// [`ProofError`], if the proof does not hold.
    pub fn verify(
        &self,
        domain: Domain,
        [low, high]: [&Path; 2],
        state_root: &Hash,
    ) -> Result<Option<&Leaf>, ProofError> {
        is_domain(self.domain, domain)?;
        let root = self.low.root(domain, low)?;
        if self.high.root(domain, high)? != root {
            return Err(ProofError::RootMismatch);
        }
        if [root.a, root.b, root.n] != self.sums {
            return Err(ProofError::SumsMismatch);
        }
        if root_over(domain, &root, &self.siblings) != *state_root {
            return Err(ProofError::RootMismatch);
        }
        if self.high.leaf().is_some() || !nothing_between((low, &self.low), (high, &self.high)) {
            return Err(ProofError::NotNeighbours);
        }
        Ok(self.low.leaf())
    }

    /// The proof's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![TAG, self.domain.number()];
        bytes.extend(self.sums.iter().flat_map(|sum| sum.to_be_bytes()));
        bytes.extend(self.siblings.iter().flat_map(Hash::as_bytes));
        bytes.extend(self.low.encode());
        bytes.extend(self.high.encode());
        bytes
    }

    /// Reads a proof from all of `bytes`.
    ///
    /// # Errors
    /// [`ProofError::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        let mut reader = Reader(bytes);
        let [tag] = reader.take()?;
        if tag != TAG {
            return Err(ProofError::Malformed("it is no proof of neighbours"));
        }
        let proof = Self {
            domain: read_domain(&mut reader)?,
            sums: [reader.number()?, reader.number()?, reader.number()?],
            siblings: read_siblings(&mut reader)?,
            low: TrieProof::read(&mut reader)?,
            high: TrieProof::read(&mut reader)?,
        };
        reader.end()?;
        Ok(proof)
    }
}
