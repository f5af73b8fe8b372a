//! The state root over all domains, and proofs that reach it.
//!
//! ```text
//! head_d     = H(0x02 ‖ d u8 ‖ hash ‖ a ‖ b ‖ n)
//! state root = the binary tree over head_0 to head_15, inner nodes H(0x03 ‖ left ‖ right)
//! ```
//!
//! A proof of a head, 185 bytes: domain u8 ‖ hash[32] ‖ a u64 ‖ b u64 ‖ n u64 ‖ 4 siblings[32], from the
//! head up. A proof of a leaf: domain u8 ‖ a u64 ‖ b u64 ‖ n u64 ‖ 4 siblings[32] ‖ a proof in the
//! domain's trie, which leads to the head's hash and to these sums.

use super::message::{Message, blocks};
use super::neighbours::nothing_between;
use super::node::{DOMAINS, Domain, Leaf, NODE_BYTES, Node};
use super::path::Path;
use super::proof::{ProofError, Reader, TRIE_PROOF_BYTES_MAX, TrieProof};
use super::state_neighbours::NeighboursProof;
use crate::merkle::{HASH_BYTES, Hash};

const HEAD_TAG: u8 = 0x02;
const STATE_TAG: u8 = 0x03;
/// Levels of the tree over the heads.
pub(super) const LEVELS: usize = DOMAINS.ilog2() as usize;

/// The longest encoding of a proof from a leaf to the state root.
pub const STATE_PROOF_BYTES_MAX: usize = 1 + 24 + LEVELS * HASH_BYTES + TRIE_PROOF_BYTES_MAX;

/// The roots of all domains' tries, in order of the domains' numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DomainRoots(pub [Node; DOMAINS]);

impl DomainRoots {
    /// The state root.
    pub fn state_root(&self) -> Hash {
        let mut hashes = self.heads();
        while hashes.len() > 1 {
            hashes = level_above(&hashes);
        }
        hashes.first().copied().unwrap_or_default()
    }

    /// Proves the root and the sums of one domain.
    pub fn prove_head(&self, domain: Domain) -> HeadProof {
        HeadProof {
            domain,
            root: self
                .0
                .get(usize::from(domain.number()))
                .copied()
                .unwrap_or(Node::EMPTY),
            siblings: self.siblings(domain),
        }
    }

    /// Carries a proof in a domain's trie on to the state root.
    pub fn prove(&self, domain: Domain, trie: TrieProof) -> StateProof {
        let HeadProof { root, siblings, .. } = self.prove_head(domain);
        StateProof {
            domain,
            sums: [root.a, root.b, root.n],
            siblings,
            trie,
        }
    }

    /// Carries two proofs in a domain's trie on to the state root.
    pub fn prove_neighbours(
        &self,
        domain: Domain,
        low: TrieProof,
        high: TrieProof,
    ) -> NeighboursProof {
        let HeadProof { root, siblings, .. } = self.prove_head(domain);
        NeighboursProof {
            domain,
            sums: [root.a, root.b, root.n],
            siblings,
            low,
            high,
        }
    }

    fn heads(&self) -> Vec<Hash> {
        (0..)
            .zip(&self.0)
            .map(|(domain, root)| head(domain, root))
            .collect()
    }

    fn siblings(&self, domain: Domain) -> [Hash; LEVELS] {
        let mut hashes = self.heads();
        std::array::from_fn(|level| {
            let place = usize::from(domain.number()) >> level;
            let sibling = hashes.get(place ^ 1).copied().unwrap_or_default();
            hashes = level_above(&hashes);
            sibling
        })
    }
}

/// Proves the root and the sums of one domain against a state root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeadProof {
    domain: Domain,
    root: Node,
    siblings: [Hash; LEVELS],
}

impl HeadProof {
    /// The root of a domain's trie, with its sums.
    ///
    /// # Errors
    /// [`ProofError`], if the proof does not hold.
    pub fn verify(&self, domain: Domain, state_root: &Hash) -> Result<&Node, ProofError> {
        is_domain(self.domain, domain)?;
        if root_over(domain, &self.root, &self.siblings) != *state_root {
            return Err(ProofError::RootMismatch);
        }
        Ok(&self.root)
    }

    /// The proof's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.domain.number()];
        bytes.extend(self.root.to_bytes());
        bytes.extend(self.siblings.iter().flat_map(Hash::as_bytes));
        bytes
    }

    /// Reads a proof from all of `bytes`.
    ///
    /// # Errors
    /// [`ProofError::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        let mut reader = Reader(bytes);
        let proof = Self {
            domain: read_domain(&mut reader)?,
            root: reader.node()?,
            siblings: read_siblings(&mut reader)?,
        };
        reader.end()?;
        Ok(proof)
    }
}

/// Proves what stands at a path of a domain, or that nothing does, against a state root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateProof {
    domain: Domain,
    /// The domain's a, b and n.
    sums: [u64; 3],
    siblings: [Hash; LEVELS],
    trie: TrieProof,
}

impl StateProof {
    /// The domain that the proof is about.
    pub fn domain(&self) -> Domain {
        self.domain
    }

    /// What the proof says to be at its path: true if the proof holds.
    pub fn claimed(&self) -> Option<&Leaf> {
        self.trie.leaf()
    }

    /// The leaf at a path of a domain; `None` if it is proven that there is none.
    ///
    /// # Errors
    /// [`ProofError`], if the proof does not hold.
    pub fn verify(
        &self,
        domain: Domain,
        path: &Path,
        state_root: &Hash,
    ) -> Result<Option<&Leaf>, ProofError> {
        is_domain(self.domain, domain)?;
        let root = self.trie.root(domain, path)?;
        if [root.a, root.b, root.n] != self.sums {
            return Err(ProofError::SumsMismatch);
        }
        if root_over(domain, &root, &self.siblings) != *state_root {
            return Err(ProofError::RootMismatch);
        }
        Ok(self.trie.leaf())
    }

    /// Verifies two proofs against one state root, and that the domain has no leaf between their paths.
    /// Gives what is at each path.
    ///
    /// # Errors
    /// [`ProofError`], if one of the proofs does not hold; [`ProofError::NotNeighbours`], if both do, and a
    /// leaf is between the paths, or `low` is not below `high`.
    pub fn verify_neighbours<'a>(
        domain: Domain,
        state_root: &Hash,
        low: (&Path, &'a Self),
        high: (&Path, &'a Self),
    ) -> Result<[Option<&'a Leaf>; 2], ProofError> {
        let leaves = [
            low.1.verify(domain, low.0, state_root)?,
            high.1.verify(domain, high.0, state_root)?,
        ];
        if nothing_between((low.0, &low.1.trie), (high.0, &high.1.trie)) {
            Ok(leaves)
        } else {
            Err(ProofError::NotNeighbours)
        }
    }

    /// The proof's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.domain.number()];
        bytes.extend(self.sums.iter().flat_map(|sum| sum.to_be_bytes()));
        bytes.extend(self.siblings.iter().flat_map(Hash::as_bytes));
        bytes.extend(self.trie.encode());
        bytes
    }

    /// Reads a proof from all of `bytes`.
    ///
    /// # Errors
    /// [`ProofError::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        let mut reader = Reader(bytes);
        let proof = Self {
            domain: read_domain(&mut reader)?,
            sums: [reader.number()?, reader.number()?, reader.number()?],
            siblings: read_siblings(&mut reader)?,
            trie: TrieProof::read(&mut reader)?,
        };
        reader.end()?;
        Ok(proof)
    }
}

fn head(domain: u8, root: &Node) -> Hash {
    let mut message = Message::<{ blocks(2 + NODE_BYTES) }>::new();
    message.push(&[HEAD_TAG, domain]);
    message.push(&root.to_bytes());
    message.hash()
}

fn inner(left: &Hash, right: &Hash) -> Hash {
    let mut message = Message::<{ blocks(1 + 2 * HASH_BYTES) }>::new();
    message.push(&[STATE_TAG]);
    message.push(left.as_bytes());
    message.push(right.as_bytes());
    message.hash()
}

fn level_above(hashes: &[Hash]) -> Vec<Hash> {
    let (pairs, _) = hashes.as_chunks::<2>();
    pairs
        .iter()
        .map(|[left, right]| inner(left, right))
        .collect()
}

/// The state root over a domain's root, by the siblings of its head.
pub(super) fn root_over(domain: Domain, root: &Node, siblings: &[Hash; LEVELS]) -> Hash {
    let mut hash = head(domain.number(), root);
    for (level, sibling) in siblings.iter().enumerate() {
        hash = match domain.number() >> level & 1 {
            0 => inner(&hash, sibling),
            _ => inner(sibling, &hash),
        };
    }
    hash
}

pub(super) fn is_domain(found: Domain, asked: Domain) -> Result<(), ProofError> {
    if found == asked {
        Ok(())
    } else {
        Err(ProofError::OtherDomain { asked, found })
    }
}

pub(super) fn read_domain(reader: &mut Reader<'_>) -> Result<Domain, ProofError> {
    let [number] = reader.take()?;
    Domain::new(number).ok_or(ProofError::Malformed("there is no domain of its number"))
}

pub(super) fn read_siblings(reader: &mut Reader<'_>) -> Result<[Hash; LEVELS], ProofError> {
    let mut siblings = [Hash::default(); LEVELS];
    for sibling in &mut siblings {
        *sibling = reader.hash()?;
    }
    Ok(siblings)
}
