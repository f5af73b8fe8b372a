//! Sealed batches as they travel: the seal, then the statements that it signs (`docs/http.md`).

use std::ops::Range;

use super::chain::{RecordId, SigningContext};
use super::codec::CodecError;
use super::entry::SealedStatement;
use super::frame::{Frames, append_frame};
use super::number::{Day, Digest, Seq};
use super::signed::{Record, SignedRecord, draft};
use super::statement::{Seal, Statement};
use crate::crypto::Sign;
use crate::merkle::{Hash, leaf_hash, root_of};

/// The most bytes that the statements of a batch have together.
pub const SEALED_BYTES_MAX: usize = 8 << 20;

/// The media type of a sealed batch's body.
pub const SEALED_BATCH: &str = "application/vnd.arborlog.batch";

/// Statements with the seal that counts them and has their root. The seal's signature may not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedBatch {
    seal: SignedRecord,
    statements: Vec<SealedStatement>,
}

/// Where a seal stands in its issuer's chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SealPlace {
    /// The seal's place in the issuer's chain.
    pub seq: Seq,
    /// The id of the issuer's record before.
    pub prev: RecordId,
    /// The day of signing.
    pub issued_on: Day,
}

/// A body of a sealed batch of which the seal alone was read.
#[derive(Clone, Debug)]
pub struct UnreadBatch {
    seal: SignedRecord,
    body: Vec<u8>,
    /// Where each statement is in the body.
    statements: Vec<Range<usize>>,
}

/// Why a body is no sealed batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The bytes before the statements, or between them.
    #[error(transparent)]
    Frame(CodecError),
    /// The first record is no seal.
    #[error("the batch begins with no seal: its first record is of the kind {0}")]
    NoSeal(&'static str),
    /// A statement is not the one encoding of one that may be sealed.
    #[error("statement {position}: {error}")]
    Statement {
        /// Which, from 0.
        position: usize,
        /// What is wrong with it.
        error: CodecError,
    },
    /// The seal signs other statements.
    #[error("{0}")]
    Mismatch(String),
}

impl SealedBatch {
    /// Seals statements, in order; gives the seal's id too, which the issuer's next record names.
    ///
    /// # Errors
    /// [`CodecError`] when there are none, too many, or too long ones, or the key gave no signature.
    pub fn seal(
        statements: Vec<SealedStatement>,
        place: SealPlace,
        context: &SigningContext,
        key: &impl Sign,
    ) -> Result<(Self, RecordId), CodecError> {
        let bytes = statements.iter().map(|statement| statement.bytes().len());
        let bytes = bytes.sum();
        if bytes > SEALED_BYTES_MAX {
            return Err(CodecError::TooLong {
                found: bytes,
                max: SEALED_BYTES_MAX,
            });
        }
        let seal = Seal {
            // More than a seal may count is refused where it is encoded.
            count: u32::try_from(statements.len()).unwrap_or(u32::MAX),
            root: digest(root(&statements)),
        };
        let record = Record {
            issuer: key.public(),
            seq: place.seq,
            prev: place.prev,
            issued_on: place.issued_on,
            statement: Statement::Seal(seal),
        };
        let (seal, id) = draft(&record, context, key)?;
        Ok((Self { seal, statements }, id))
    }

    /// The seal.
    pub fn seal_record(&self) -> &SignedRecord {
        &self.seal
    }

    /// The statements, in order.
    pub fn statements(&self) -> &[SealedStatement] {
        &self.statements
    }

    /// The batch as it is sent: the seal's signed record behind its length as a big-endian u32, then
    /// each statement behind its own.
    ///
    /// # Errors
    /// [`CodecError`] when the seal can't be written.
    pub fn body(&self) -> Result<Vec<u8>, CodecError> {
        let mut body = Vec::new();
        append_frame(&self.seal.encode()?, &mut body);
        for statement in &self.statements {
            append_frame(statement.bytes(), &mut body);
        }
        Ok(body)
    }
}

impl UnreadBatch {
    /// Reads the seal of a body and finds its statements, whose number must be what the seal says.
    /// Costs a look at each length.
    ///
    /// # Errors
    /// [`BatchError`].
    pub fn read(body: Vec<u8>) -> Result<Self, BatchError> {
        let mut frames = Frames::of(&body);
        let first = frames
            .next()
            .ok_or_else(empty)?
            .map_err(BatchError::Frame)?;
        let bytes = body.get(first).unwrap_or_default();
        let seal = SignedRecord::decode(bytes).map_err(BatchError::Frame)?;
        let count = match &seal.record().statement {
            Statement::Seal(said) => said.count as usize,
            other => return Err(BatchError::NoSeal(other.kind().name())),
        };
        let mut statements = Vec::with_capacity(count);
        for frame in frames {
            // What is wrong with a length comes first: what it leads to is no statement.
            let statement = frame.map_err(BatchError::Frame)?;
            if statements.len() == count {
                return Err(BatchError::Mismatch(format!(
                    "the seal signs {count} statements, and the body has more behind them: more are sent, or a length before them is wrong"
                )));
            }
            statements.push(statement);
        }
        if statements.len() < count {
            return Err(BatchError::Mismatch(format!(
                "the seal signs {count} statements, and the body has {} by its lengths",
                statements.len()
            )));
        }
        Ok(Self {
            seal,
            body,
            statements,
        })
    }

    /// The seal, whose signature nobody verified.
    pub fn seal(&self) -> &SignedRecord {
        &self.seal
    }

    /// Number of statements.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether there is no statement, which is never so.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Holds the seal's root against the statements as they were sent, without decoding them: what an admitted
    /// seal signs was decoded when it was admitted.
    ///
    /// # Errors
    /// [`BatchError::Mismatch`].
    pub fn check_root(&self) -> Result<(), BatchError> {
        let statements = self.statements.iter();
        let leaves = statements.map(|range| {
            let bytes = self.body.get(range.clone());
            leaf_hash(bytes.unwrap_or_default())
        });
        check_root(&self.seal, digest(root_of(leaves)))
    }

    /// Decodes the statements, and holds the seal's root against theirs.
    ///
    /// # Errors
    /// [`BatchError`]: the first statement that is none, or that the root is another.
    pub fn decode(self) -> Result<SealedBatch, BatchError> {
        let mut statements = Vec::with_capacity(self.statements.len());
        let mut bytes_in_all = 0;
        for (position, range) in self.statements.into_iter().enumerate() {
            let wrong = |error| BatchError::Statement { position, error };
            let bytes = self.body.get(range).unwrap_or_default();
            bytes_in_all += bytes.len();
            let (statement, rest) = SealedStatement::decode_front(bytes).map_err(wrong)?;
            if !rest.is_empty() {
                return Err(wrong(CodecError::LeftOver(rest.len())));
            }
            statements.push(statement);
        }
        if bytes_in_all > SEALED_BYTES_MAX {
            return Err(BatchError::Frame(CodecError::TooLong {
                found: bytes_in_all,
                max: SEALED_BYTES_MAX,
            }));
        }
        check_root(&self.seal, digest(root(&statements)))?;
        Ok(SealedBatch {
            seal: self.seal,
            statements,
        })
    }
}

/// Checks that a seal signs the statements with this root.
fn check_root(seal: &SignedRecord, found: Digest) -> Result<(), BatchError> {
    match &seal.record().statement {
        Statement::Seal(said) if said.root == found => Ok(()),
        _ => Err(BatchError::Mismatch(format!(
            "the statements have the root {found}, and the seal signs another"
        ))),
    }
}

fn empty() -> BatchError {
    BatchError::Frame(CodecError::Malformed("the body is empty".to_owned()))
}

fn root(statements: &[SealedStatement]) -> Hash {
    root_of(
        statements
            .iter()
            .map(|statement| leaf_hash(statement.bytes())),
    )
}

fn digest(root: Hash) -> Digest {
    Digest::from_bytes(*root.as_bytes())
}
