//! The file: its lines, and what the `extra` line holds.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bincode::de::Decoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};

use super::ReceiptError;
use super::bounds::{
    AUTHORITY_LINKS_MAX, EXTRA_BYTES_MAX, ITEMS_MAX, RECEIPT_BYTES_MAX, SHOWN_MAX, SIBLINGS_MAX,
};
use super::second::SecondCheckpoint;
use super::shown::{self, ShownEntry};
use super::state_items::StateItem;
use crate::merkle::{HASH_BYTES, Hash, PROOF_HASHES_MAX};
use crate::note::{CheckpointError, FileFault, UnverifiedCheckpoint};
use crate::outcome::first_bytes;
use crate::record::{
    CodecError, ENTRY_BYTES_MAX, Index, decode, decode_bytes, decode_front, decode_list, encode,
};

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// How far into a file its first line is looked for, when something stands before it.
const BEGINNING_BYTES: usize = 256;

/// One statement that an entry's authority rests on.
#[derive(Clone, PartialEq, Eq, Debug, Encode)]
pub struct AuthorityLink {
    /// The index of the statement's entry.
    pub index: Index,
    /// The bytes of that entry.
    pub entry: Vec<u8>,
    /// The inclusion proof of that entry in the same checkpoint's tree.
    pub path: Vec<[u8; 32]>,
}

/// The seal of a sealed entry, and the way from the entry's statement to it.
#[derive(Clone, PartialEq, Eq, Debug, Encode)]
pub struct SealLink {
    /// The index of the seal's entry.
    pub index: Index,
    /// The bytes of that entry.
    pub entry: Vec<u8>,
    /// The inclusion proof of that entry in the same checkpoint's tree.
    pub path: Vec<[u8; 32]>,
    /// The inclusion proof of the statement in the seal's root.
    pub siblings: Vec<[u8; 32]>,
}

// Each list is read item by item, each within its bound: see `decode_list`.

impl<C> Decode<C> for AuthorityLink {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Self {
            index: Decode::decode(decoder)?,
            entry: decode_bytes(decoder, ENTRY_BYTES_MAX)?,
            path: decode_list(decoder, PROOF_HASHES_MAX)?,
        })
    }
}

impl<C> Decode<C> for SealLink {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Self {
            index: Decode::decode(decoder)?,
            entry: decode_bytes(decoder, ENTRY_BYTES_MAX)?,
            path: decode_list(decoder, PROOF_HASHES_MAX)?,
            siblings: decode_list(decoder, SIBLINGS_MAX)?,
        })
    }
}

#[derive(Encode)]
struct Extra {
    entry: Vec<u8>,
    authority: Vec<AuthorityLink>,
}

impl<C> Decode<C> for Extra {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Self {
            entry: decode_bytes(decoder, ENTRY_BYTES_MAX)?,
            authority: decode_list(decoder, AUTHORITY_LINKS_MAX)?,
        })
    }
}

/// As [`Extra`], of a sealed entry.
#[derive(Encode)]
struct SealedExtra {
    entry: Vec<u8>,
    seal: SealLink,
    authority: Vec<AuthorityLink>,
}

impl<C> Decode<C> for SealedExtra {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Self {
            entry: decode_bytes(decoder, ENTRY_BYTES_MAX)?,
            seal: Decode::decode(decoder)?,
            authority: decode_list(decoder, AUTHORITY_LINKS_MAX)?,
        })
    }
}

/// As [`Extra`], of a state entry.
struct StateExtra {
    entry: Vec<u8>,
    authority: Vec<AuthorityLink>,
    items: Vec<StateItem>,
    entries: Vec<ShownEntry>,
    /// That the entries are in the tree: written only where there are any.
    hashes: Vec<[u8; 32]>,
}

impl Encode for StateExtra {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.entry.encode(encoder)?;
        self.authority.encode(encoder)?;
        self.items.encode(encoder)?;
        self.entries.encode(encoder)?;
        match self.entries.as_slice() {
            [] => Ok(()),
            _ => self.hashes.encode(encoder),
        }
    }
}

impl<C> Decode<C> for StateExtra {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let entry = decode_bytes(decoder, ENTRY_BYTES_MAX)?;
        let authority = decode_list(decoder, AUTHORITY_LINKS_MAX)?;
        let items = decode_list(decoder, ITEMS_MAX)?;
        let entries: Vec<ShownEntry> = decode_list(decoder, SHOWN_MAX)?;
        let hashes = match entries.as_slice() {
            [] => Vec::new(),
            _ => decode_list(decoder, EXTRA_BYTES_MAX / HASH_BYTES)?,
        };
        Ok(Self {
            entry,
            authority,
            items,
            entries,
            hashes,
        })
    }
}

/// Where the first number of the entry stands, which tells its form: behind the entry's length.
const FORM_AT: std::ops::Range<usize> = 8..10;

/// The first bytes of a state entry.
const STATE_FORM: [u8; 2] = [0, 3];

/// A receipt as it was read or made. Only [`Receipt::verify`] tells what it proves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The entry's index in the log.
    pub index: Index,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// The seal of a sealed entry; `None` for an entry of another form.
    pub seal: Option<SealLink>,
    /// The statements that the entry's authority rests on, or its seal's: the grant, if it has one, and the
    /// governors' statements, back to the genesis.
    pub authority: Vec<AuthorityLink>,
    /// Items of the state that a state entry speaks of; none for an entry of another form.
    pub items: Vec<StateItem>,
    /// Entries that are shown beside the items, in ascending order of their indexes.
    pub entries: Vec<ShownEntry>,
    /// The hashes that prove these entries to be in the tree, all together; none if there are none.
    pub hashes: Vec<[u8; 32]>,
    /// The entry's inclusion proof.
    pub path: Vec<Hash>,
    /// The checkpoint with its signatures, as text.
    pub checkpoint: String,
    /// A larger checkpoint beside it, whose cosigners count too.
    pub second: Option<SecondCheckpoint>,
}

impl FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(text.as_bytes())
    }
}

impl Receipt {
    /// Reads a receipt's file. Nothing is trimmed, converted or passed over: there is one writing
    /// of a receipt (`docs/format.md`, section 13), and what was done to it on its way is named.
    ///
    /// # Errors
    /// [`ReceiptError::NotAReceipt`], [`ReceiptError::TooLong`], [`ReceiptError::Changed`],
    /// [`ReceiptError::Malformed`], [`ReceiptError::Checkpoint`]. No signature is verified.
    pub fn read(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if !begins_as_a_receipt(bytes) {
            return Err(ReceiptError::NotAReceipt(first_bytes(bytes)));
        }
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong);
        }
        read_strictly(bytes).map_err(|error| match FileFault::of(bytes) {
            Some(fault) => ReceiptError::Changed(fault),
            None => error,
        })
    }

    /// Whether the entry is in the form of a state entry.
    pub(super) fn is_of_state_entry(&self) -> bool {
        self.entry.starts_with(&STATE_FORM)
    }

    /// The file's text.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] if the chain of authority is longer than a receipt may carry.
    pub fn to_text(&self) -> Result<String, CodecError> {
        let (entry, authority) = (self.entry.clone(), self.authority.clone());
        let extra = match self.seal.clone() {
            None if self.is_of_state_entry() => encode::<_, EXTRA_BYTES_MAX>(&StateExtra {
                entry,
                authority,
                items: self.items.clone(),
                entries: self.entries.clone(),
                hashes: self.hashes.clone(),
            })?,
            None => encode::<_, EXTRA_BYTES_MAX>(&Extra { entry, authority })?,
            Some(seal) => encode::<_, EXTRA_BYTES_MAX>(&SealedExtra {
                entry,
                seal,
                authority,
            })?,
        };
        let mut extra = extra;
        if let Some(second) = &self.second {
            extra.extend(encode::<_, EXTRA_BYTES_MAX>(second)?);
        }
        let extra = STANDARD.encode(extra);
        let mut text = format!("{HEADER}\nextra {extra}\nindex {}\n", self.index);
        for hash in &self.path {
            text.push_str(&format!("{hash}\n"));
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        Ok(text)
    }
}

/// Whether this is a receipt, or was one before something was done to it: its first line is looked
/// for among the visible ASCII characters of its beginning, behind any `>`.
fn begins_as_a_receipt(bytes: &[u8]) -> bool {
    let beginning = bytes.get(..BEGINNING_BYTES).unwrap_or(bytes);
    let visible: Vec<u8> = beginning
        .iter()
        .copied()
        .filter(u8::is_ascii_graphic)
        .skip_while(|byte| *byte == b'>')
        .collect();
    // A file that was cut within its first line is still one that was cut.
    visible.starts_with(HEADER.as_bytes())
        || (beginning.len() == bytes.len() && HEADER.as_bytes().starts_with(&visible))
}

fn read_strictly(bytes: &[u8]) -> Result<Receipt, ReceiptError> {
    let malformed = |what: &str| ReceiptError::Malformed(what.to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8"))?;
    let (head, checkpoint) = text
        .split_once("\n\n")
        .ok_or_else(|| malformed("it has no checkpoint"))?;
    let mut lines = head.split('\n');
    if lines.next() != Some(HEADER) {
        return Err(malformed("its first line is not c2sp.org/tlog-proof@v1"));
    }
    let extra = lines
        .next()
        .and_then(|line| line.strip_prefix("extra "))
        .ok_or_else(|| malformed("it has no extra line with the entry"))?;
    let extra = STANDARD
        .decode(extra)
        .map_err(|_| malformed("the extra line is no base64"))?;
    let unread = |error: CodecError| malformed(&format!("the extra line: {error}"));
    let (mut items, mut entries, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    let behind;
    let (entry, seal, authority) = match extra.get(FORM_AT) {
        Some([0, 3]) => {
            let (extra, rest): (StateExtra, _) =
                decode_front::<_, EXTRA_BYTES_MAX>(&extra).map_err(unread)?;
            behind = rest;
            if let Some(what) = shown::unreadable(&extra.entries) {
                return Err(malformed(what));
            }
            (items, entries, hashes) = (extra.items, extra.entries, extra.hashes);
            (extra.entry, None, extra.authority)
        }
        Some([0, 2]) => {
            let (extra, rest): (SealedExtra, _) =
                decode_front::<_, EXTRA_BYTES_MAX>(&extra).map_err(unread)?;
            behind = rest;
            (extra.entry, Some(extra.seal), extra.authority)
        }
        _ => {
            let (extra, rest): (Extra, _) =
                decode_front::<_, EXTRA_BYTES_MAX>(&extra).map_err(unread)?;
            behind = rest;
            (extra.entry, None, extra.authority)
        }
    };
    let second = match behind {
        [] => None,
        behind => Some(decode::<SecondCheckpoint, EXTRA_BYTES_MAX>(behind).map_err(unread)?),
    };
    let digits = lines
        .next()
        .and_then(|line| line.strip_prefix("index "))
        .ok_or_else(|| malformed("it has no index line"))?;
    let index: Index = digits
        .parse()
        .map_err(|_| malformed("the index is no number"))?;
    if index.to_string() != digits {
        return Err(malformed("the index is not written plainly"));
    }
    let mut path = Vec::new();
    for line in lines {
        if path.len() == PROOF_HASHES_MAX {
            return Err(malformed("the inclusion proof is longer than any"));
        }
        path.push(
            line.parse()
                .map_err(|_| malformed("a line of the proof is no hash"))?,
        );
    }
    let size = UnverifiedCheckpoint::parse(checkpoint.as_bytes())?
        .head()
        .size;
    if size == 0 {
        return Err(CheckpointError::Shape.into());
    }
    if let Some(second) = &second
        && second.claimed()?.head().size <= size
    {
        return Err(malformed(
            "its second checkpoint is not larger than its own",
        ));
    }
    Ok(Receipt {
        index,
        entry,
        seal,
        authority,
        items,
        entries,
        hashes,
        path,
        checkpoint: checkpoint.to_owned(),
        second,
    })
}
