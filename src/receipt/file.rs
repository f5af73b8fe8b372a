//! The file: its lines, and what the `extra` line holds.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bincode::{Decode, Encode};

use super::ReceiptError;
use crate::merkle::{Hash, PROOF_HASHES_MAX};
use crate::record::{CodecError, Index, decode, encode};

/// The longest receipt file that is read.
pub const RECEIPT_BYTES_MAX: usize = 4 << 20;
/// The longest decoded `extra` line.
const EXTRA_BYTES_MAX: usize = 2 << 20;
/// The most statements between an entry and the genesis: a grant, and each change of governors.
pub const AUTHORITY_LINKS_MAX: usize = 64;
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// One statement that an entry's authority rests on.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AuthorityLink {
    /// The index of the statement's entry.
    pub index: Index,
    /// The bytes of that entry.
    pub entry: Vec<u8>,
    /// The inclusion proof of that entry in the same checkpoint's tree.
    pub path: Vec<[u8; 32]>,
}

#[derive(Encode, Decode)]
struct Extra {
    entry: Vec<u8>,
    authority: Vec<AuthorityLink>,
}

/// A receipt as it was read or made. Only [`Receipt::verify`] tells what it proves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The entry's index in the log.
    pub index: Index,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// The statements that the entry's authority rests on: its grant, if it has one, and the
    /// governors' statements, back to the genesis.
    pub authority: Vec<AuthorityLink>,
    /// The entry's inclusion proof.
    pub path: Vec<Hash>,
    /// The checkpoint with its signatures, as text.
    pub checkpoint: String,
}

impl FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = |what: &str| ReceiptError::Malformed(what.to_owned());
        if text.len() > RECEIPT_BYTES_MAX {
            return Err(malformed("it is longer than 4 MiB"));
        }
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
        let extra: Extra = decode::<_, EXTRA_BYTES_MAX>(&extra)
            .map_err(|error| malformed(&format!("the extra line: {error}")))?;
        if extra.authority.len() > AUTHORITY_LINKS_MAX {
            return Err(malformed(
                "too many statements stand between the entry and the genesis",
            ));
        }
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
        let checkpoint = checkpoint.to_owned();
        Ok(Self {
            index,
            entry: extra.entry,
            authority: extra.authority,
            path,
            checkpoint,
        })
    }
}

impl Receipt {
    /// The file's text.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] if the chain of authority is longer than a receipt may carry.
    pub fn to_text(&self) -> Result<String, CodecError> {
        let extra = Extra {
            entry: self.entry.clone(),
            authority: self.authority.clone(),
        };
        let extra = STANDARD.encode(encode::<_, EXTRA_BYTES_MAX>(&extra)?);
        let mut text = format!("{HEADER}\nextra {extra}\nindex {}\n", self.index);
        for hash in &self.path {
            text.push_str(&format!("{hash}\n"));
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        Ok(text)
    }
}
