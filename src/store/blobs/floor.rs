//! The bytes of a floor: `docs/engine.md` specifies them.

use super::commit::Session;
use super::fields::{Fields, MAGIC_BYTES, end_object, put_head};
use crate::merkle::Frontier;
use crate::note::TreeHead;
use crate::record::LogHead;
use crate::store::Bytes;

const MAGIC: &[u8; MAGIC_BYTES] = b"arborlog-floor-1";

/// An object `floor/<seq>`: all that the chain has below `seq` is in packs. Its bytes depend on the
/// chain alone: every process that makes it makes the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floor {
    /// The first object of the chain that may be needed still.
    pub seq: u64,
    /// Whose the object before `seq` is.
    pub session: Session,
    /// Number of whole packs. They hold every entry of `head`, and may hold some behind it.
    pub packs: u64,
    /// The head before `seq`.
    pub head: LogHead,
    /// The tree of `head`, so that a reader that begins here reads no pack.
    pub tree: Frontier,
}

impl Floor {
    /// The object's bytes.
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(self.session.as_bytes());
        bytes.extend_from_slice(&self.packs.to_be_bytes());
        put_head(&mut bytes, self.head);
        for peak in self.tree.peaks() {
            bytes.extend_from_slice(peak.as_bytes());
        }
        end_object(bytes)
    }

    /// Reads an object's bytes.
    ///
    /// # Errors
    /// What is wrong with them. They are then damaged, or of another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let other = "it does not begin as a floor of this version";
        let mut fields = Fields::of_object(bytes, MAGIC, other)?;
        let seq = fields.u64()?;
        let session = Session::from_bytes(fields.take()?);
        let packs = fields.u64()?;
        let head = fields.head()?;
        let mut peaks = Vec::new();
        for _ in 0..head.tree.size.count_ones() {
            peaks.push(fields.hash()?);
        }
        fields.end()?;
        let tree = Frontier::from_peaks(head.tree.size, peaks)
            .filter(|tree| TreeHead::of(tree) == head.tree)
            .ok_or("its subtrees do not lead to its root")?;
        Ok(Self {
            seq,
            session,
            packs,
            head,
            tree,
        })
    }
}
