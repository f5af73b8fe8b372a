//! Proofs of what stands at a path of a trie, or that nothing does.
//!
//! A proof's bytes, with integers big-endian; there is one encoding of a proof, and no other is read:
//!
//! | field | bytes | |
//! | --- | --- | --- |
//! | depth | 2 | number of siblings, 0 to 256 |
//! | empty | ⌈depth / 8⌉ | a bit a sibling, from the leaf up, the most significant of each byte first: 1 for an empty sibling. Bits behind the last sibling's are 0 |
//! | siblings | 56 each | those that are not empty, from the leaf up: hash[32] ‖ a u64 ‖ b u64 ‖ n u64, n at least 1 |
//! | end | 1 | what stands at that depth: 0 nothing, 1 this leaf, 2 another leaf |
//! | path | 32 | of the other leaf; only with end 2 |
//! | a, b | 8 + 8 | the leaf's part in the sums; only with end 1 or 2 |
//! | value | 1 + its length | length u8, at most 128 ‖ the leaf's value; only with end 1 or 2 |

use super::node::{Domain, Leaf, NODE_BYTES, Node, TrieError, VALUE_BYTES_MAX};
use super::path::{PATH_BITS, PATH_BYTES, Path};
use crate::merkle::{HASH_BYTES, Hash};

/// The longest encoding of a proof: as many siblings as a path has bits, and the longest other leaf.
pub const TRIE_PROOF_BYTES_MAX: usize =
    2 + PATH_BITS / 8 + PATH_BITS * NODE_BYTES + 1 + PATH_BYTES + 16 + 1 + VALUE_BYTES_MAX;

const NOTHING: u8 = 0;
const THIS_LEAF: u8 = 1;
const OTHER_LEAF: u8 = 2;

/// Why a proof is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The bytes are not the one encoding of a proof.
    #[error("these bytes are no proof about the state: {0}")]
    Malformed(&'static str),
    /// The proof speaks of another domain.
    #[error("the proof is about domain {}, not {}", found.number(), asked.number())]
    OtherDomain {
        /// The domain that was asked about.
        asked: Domain,
        /// The proof's domain.
        found: Domain,
    },
    /// The other leaf that the proof shows does not stand where the path leads; or it stands at the very
    /// path, and is not another.
    #[error("the other leaf that the proof shows does not stand on the way to the path")]
    NotOnTheWay,
    /// At the deepest level there are fewer than two leaves: what stands there would stand higher.
    #[error("the proof begins too deep: a lone leaf stands as high as it can")]
    TooDeep,
    /// Something stands between two paths that were said to be neighbours.
    #[error("the proofs do not show that nothing stands between the two paths")]
    NotNeighbours,
    /// A sum does not fit 64 bits.
    #[error(transparent)]
    Trie(#[from] TrieError),
    /// The proof leads to other sums than those that it states for the domain.
    #[error("the proof leads to other sums than it states for its domain")]
    SumsMismatch,
    /// The proof leads to another root.
    #[error("the proof leads to another root")]
    RootMismatch,
}

/// What stands where a path leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Nothing,
    This(Leaf),
    Other(Path, Leaf),
}

/// Proves what stands at a path, or that nothing does. It says nothing before it is verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrieProof {
    /// From the leaf up; at most as many as a path has bits.
    siblings: Vec<Node>,
    end: End,
}

impl TrieProof {
    pub(super) fn new(siblings: Vec<Node>, end: End) -> Self {
        Self { siblings, end }
    }

    /// The leaf at a path of a trie with this root; `None` if it is proven that there is none.
    ///
    /// # Errors
    /// [`ProofError`], if the proof does not hold.
    pub fn verify(
        &self,
        domain: Domain,
        path: &Path,
        root: &Node,
    ) -> Result<Option<&Leaf>, ProofError> {
        if self.root(domain, path)? != *root {
            return Err(ProofError::RootMismatch);
        }
        Ok(self.leaf())
    }

    /// The siblings, from the end up.
    pub(super) fn siblings(&self) -> &[Node] {
        &self.siblings
    }

    /// What the proof says to stand where its path leads.
    pub(super) fn end(&self) -> &End {
        &self.end
    }

    /// What the proof says to stand at the path: true if the proof holds.
    pub(super) fn leaf(&self) -> Option<&Leaf> {
        match &self.end {
            End::This(leaf) => Some(leaf),
            End::Nothing | End::Other(..) => None,
        }
    }

    /// The root that the proof leads to.
    pub(super) fn root(&self, domain: Domain, path: &Path) -> Result<Node, ProofError> {
        let depth = self.siblings.len();
        let mut node = match &self.end {
            End::Nothing => Node::EMPTY,
            End::This(leaf) => Node::of_leaf(domain, path, leaf),
            End::Other(other, leaf) => {
                let shared = other.shared_bits(path);
                if shared < depth || shared == PATH_BITS {
                    return Err(ProofError::NotOnTheWay);
                }
                Node::of_leaf(domain, other, leaf)
            }
        };
        // One leaf or none, with nothing beside it, would stand higher: there would be two proofs.
        if let Some(first) = self.siblings.first()
            && node.n.saturating_add(first.n) < 2
        {
            return Err(ProofError::TooDeep);
        }
        for (depth, sibling) in (0..depth).rev().zip(&self.siblings) {
            node = if path.bit(depth) {
                Node::join(sibling, &node)?
            } else {
                Node::join(&node, sibling)?
            };
        }
        Ok(node)
    }

    /// The proof's bytes.
    pub fn encode(&self) -> Vec<u8> {
        // A proof has at most as many siblings as a path has bits.
        let depth = u16::try_from(self.siblings.len()).unwrap_or(u16::MAX);
        let mut bytes = depth.to_be_bytes().to_vec();
        bytes.extend(self.siblings.chunks(8).map(|siblings| {
            let bits = (0..).zip(siblings).filter(|(_, sibling)| sibling.n == 0);
            bits.fold(0, |byte, (bit, _)| byte | 0x80 >> bit)
        }));
        for sibling in self.siblings.iter().filter(|sibling| sibling.n > 0) {
            bytes.extend(sibling.to_bytes());
        }
        let leaf = match &self.end {
            End::Nothing => {
                bytes.push(NOTHING);
                return bytes;
            }
            End::This(leaf) => {
                bytes.push(THIS_LEAF);
                leaf
            }
            End::Other(path, leaf) => {
                bytes.push(OTHER_LEAF);
                bytes.extend(path.as_bytes());
                leaf
            }
        };
        bytes.extend(leaf.a.to_be_bytes());
        bytes.extend(leaf.b.to_be_bytes());
        // A leaf's value has at most 128 bytes.
        bytes.push(u8::try_from(leaf.value().len()).unwrap_or(u8::MAX));
        bytes.extend(leaf.value());
        bytes
    }

    /// Reads a proof from all of `bytes`.
    ///
    /// # Errors
    /// [`ProofError::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        let mut reader = Reader(bytes);
        let proof = Self::read(&mut reader)?;
        reader.end()?;
        Ok(proof)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ProofError> {
        let depth = usize::from(u16::from_be_bytes(reader.take()?));
        if depth > PATH_BITS {
            return Err(ProofError::Malformed("it is deeper than a path is long"));
        }
        let empty = reader.slice(depth.div_ceil(8))?;
        let is_empty = |at: usize| {
            empty
                .get(at / 8)
                .is_some_and(|byte| byte << (at % 8) & 0x80 != 0)
        };
        if (depth..8 * empty.len()).any(is_empty) {
            return Err(ProofError::Malformed("a bit stands for no sibling"));
        }
        let mut siblings = Vec::with_capacity(depth);
        for at in 0..depth {
            siblings.push(match is_empty(at) {
                true => Node::EMPTY,
                false => reader.node()?,
            });
        }
        if siblings
            .iter()
            .enumerate()
            .any(|(at, sibling)| sibling.n == 0 && !is_empty(at))
        {
            return Err(ProofError::Malformed(
                "a sibling without leaves is not marked as empty",
            ));
        }
        let [end] = reader.take()?;
        let end = match end {
            NOTHING => End::Nothing,
            THIS_LEAF => End::This(reader.leaf()?),
            OTHER_LEAF => End::Other(Path::from_bytes(reader.take()?), reader.leaf()?),
            _ => return Err(ProofError::Malformed("its end is none of three")),
        };
        Ok(Self { siblings, end })
    }
}

/// Takes a proof's bytes from the front.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], ProofError> {
        let (first, rest) = self.0.split_first_chunk::<N>().ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn number(&mut self) -> Result<u64, ProofError> {
        Ok(u64::from_be_bytes(self.take()?))
    }

    pub(super) fn hash(&mut self) -> Result<Hash, ProofError> {
        Ok(Hash::from_bytes(self.take::<HASH_BYTES>()?))
    }

    pub(super) fn node(&mut self) -> Result<Node, ProofError> {
        Ok(Node {
            hash: self.hash()?,
            a: self.number()?,
            b: self.number()?,
            n: self.number()?,
        })
    }

    pub(super) fn end(&self) -> Result<(), ProofError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ProofError::Malformed("bytes are left over after its end"))
        }
    }

    fn slice(&mut self, len: usize) -> Result<&'a [u8], ProofError> {
        let (first, rest) = self.0.split_at_checked(len).ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(first)
    }

    fn leaf(&mut self) -> Result<Leaf, ProofError> {
        let (a, b) = (self.number()?, self.number()?);
        let [len] = self.take()?;
        let value = self.slice(len.into())?;
        Leaf::new(a, b, value)
            .map_err(|_| ProofError::Malformed("a value is longer than 128 bytes"))
    }
}

const CUT_SHORT: ProofError = ProofError::Malformed("it is cut short");
