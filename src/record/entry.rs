//! Entries: what the log keeps, in three forms (`docs/format.md`, 5). A signed entry is a record with
//! its signatures; a sealed entry is a statement of a batch that one seal signs; a state entry is what
//! the log itself says the entries before it make.

use bincode::{Decode, Encode};

use super::codec::{CodecError, decode, decode_front, encode};
use super::kind::Kind;
use super::number::{Index, TimeMs};
use super::signed::{Endorsement, RECORD_BYTES_MAX, SignedRecord};
use super::statement::{SEALED_MAX, Statement};
use crate::crypto::Signature;

/// The longest entry.
pub const ENTRY_BYTES_MAX: usize = 32_768;
/// The first number of a signed entry.
const SIGNED: u16 = 1;
/// The first number of a sealed entry.
const SEALED: u16 = 2;
/// The first number of a state entry.
const STATE: u16 = 3;
/// The most indexes in a lineage: that of a void of a transfer.
pub const LINEAGE_MAX: usize = 5;

/// Indexes of the earlier entries that an entry stands on (`docs/format.md`, 5.1). The first is the
/// issuer's entry before, the second the entry that the issuer's authority rests on; the meaning of
/// the others depends on the kind.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lineage(Vec<Option<Index>>);

impl Lineage {
    /// A lineage of these indexes.
    pub fn new(indexes: Vec<Option<Index>>) -> Self {
        Self(indexes)
    }

    /// All places, in order.
    pub fn indexes(&self) -> &[Option<Index>] {
        &self.0
    }

    /// The issuer's entry before; `None` for the issuer's first.
    pub fn issuer_before(&self) -> Option<Index> {
        self.0.first().copied().flatten()
    }

    /// The entry that the issuer's authority rests on: its grant, or for a governor the set in force;
    /// `None` for the genesis.
    pub fn authority(&self) -> Option<Index> {
        self.0.get(1).copied().flatten()
    }

    /// The places behind the first two.
    pub fn places(&self) -> &[Option<Index>] {
        self.0.get(2..).unwrap_or_default()
    }
}

/// What the log keeps under one index.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Entry {
    /// A record with its signatures.
    Signed(SignedEntry),
    /// A statement that the seal behind its batch signs.
    Sealed(SealedEntry),
    /// What the log says that earlier entries make.
    State(StateEntry),
}

/// A record as the log keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedEntry {
    /// When the record's batch came in.
    pub admitted_at: TimeMs,
    /// The earlier entries that it stands on.
    pub lineage: Lineage,
    /// The record with its signatures.
    pub signed: SignedRecord,
}

/// A statement of a sealed batch. Who makes it, when, and by what authority stands once, in the seal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedEntry {
    ahead: u16,
    statement: SealedStatement,
    places: Vec<Option<Index>>,
}

/// A statement of a kind that may be sealed, with its bytes: what the seal's root is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedStatement {
    statement: Statement,
    bytes: Vec<u8>,
}

/// What the entries before a size make, as the log says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateEntry {
    /// When it was taken in.
    pub admitted_at: TimeMs,
    /// The number of entries that it speaks of.
    pub size: u64,
    /// The state entry before; `None` for the first.
    pub before: Option<Index>,
    /// The version of the rules by which the state was made.
    pub rules_version: u32,
    /// The root of the state.
    pub root: [u8; 32],
    /// The sums over the whole ledger.
    pub totals: StateTotals,
}

/// The sums of a state entry: points in grams, trees by count. In JSON each is a decimal string.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[allow(missing_docs)]
pub struct StateTotals {
    pub awarded: u64,
    pub reversed: u64,
    pub expired: u64,
    pub spent_elsewhere: u64,
    pub claimed: u64,
    pub balances: i64,
    pub owed: u64,
    pub planted_recorded: u64,
    pub planted_voided: u64,
    pub lost: u64,
    pub standing: u64,
    pub assigned: u64,
    pub waiting: u64,
    pub claims: u64,
    pub accounts_negative: u64,
}

impl Entry {
    /// Reads an entry strictly.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are not the one encoding of an entry in one of the three forms.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        match form(bytes)? {
            SIGNED => Ok(Self::Signed(SignedEntry::decode(bytes)?)),
            SEALED => Ok(Self::Sealed(SealedEntry::decode(bytes)?)),
            STATE => Ok(Self::State(StateEntry::decode(bytes)?)),
            other => Err(CodecError::Malformed(format!(
                "the entry is of version {other}; this software reads versions {SIGNED}, {SEALED} and {STATE}"
            ))),
        }
    }

    /// The entry's bytes.
    ///
    /// # Errors
    /// [`CodecError`] for what no reader would take.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        match self {
            Self::Signed(entry) => entry.encode(),
            Self::Sealed(entry) => entry.encode(),
            Self::State(entry) => entry.encode(),
        }
    }

    /// The entry, if it is a signed record.
    pub fn signed(&self) -> Option<&SignedEntry> {
        match self {
            Self::Signed(entry) => Some(entry),
            Self::Sealed(_) | Self::State(_) => None,
        }
    }

    /// What the entry states; `None` for a state entry, which nobody states.
    pub fn statement(&self) -> Option<&Statement> {
        match self {
            Self::Signed(entry) => Some(&entry.signed.record().statement),
            Self::Sealed(entry) => Some(entry.statement().statement()),
            Self::State(_) => None,
        }
    }

    /// The indexes that the entry's kind gives a meaning to: its lineage behind the first two places.
    pub fn places(&self) -> &[Option<Index>] {
        match self {
            Self::Signed(entry) => entry.lineage.places(),
            Self::Sealed(entry) => &entry.places,
            Self::State(_) => &[],
        }
    }

    /// The index of the seal that signs this entry, which is at `index`, if it is a sealed one.
    pub fn seal_index(&self, index: Index) -> Option<Index> {
        match self {
            Self::Sealed(entry) => entry.seal_index(index),
            Self::Signed(_) | Self::State(_) => None,
        }
    }
}

/// An entry's first number, which tells its form.
fn form(bytes: &[u8]) -> Result<u16, CodecError> {
    let first = bytes.first_chunk::<2>().ok_or_else(|| {
        CodecError::Malformed("cut short: an entry begins with two bytes".to_owned())
    })?;
    Ok(u16::from_be_bytes(*first))
}

/// A signed entry's fields, in the order of their bytes.
#[derive(Encode, Decode)]
struct SignedFields {
    version: u16,
    admitted_at: TimeMs,
    lineage: Vec<u64>,
    record: Vec<u8>,
    signature: Signature,
    endorsements: Vec<Endorsement>,
}

/// As [`SignedFields`], without copies.
#[derive(Encode)]
struct SignedFieldsRef<'a> {
    version: u16,
    admitted_at: TimeMs,
    lineage: Vec<u64>,
    record: &'a [u8],
    signature: &'a Signature,
    endorsements: &'a [Endorsement],
}

impl SignedEntry {
    /// Reads a signed entry strictly.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are not the one encoding of an entry of the first form.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let (wire, rest) = decode_front::<SignedFields, ENTRY_BYTES_MAX>(bytes)?;
        if wire.version != SIGNED {
            return Err(CodecError::Malformed(format!(
                "the entry is of version {}, and a signed one is of version {SIGNED}",
                wire.version
            )));
        }
        check_length(wire.lineage.len())?;
        let lineage = wire.lineage.into_iter().map(index_or_none);
        Ok(Self {
            admitted_at: wire.admitted_at,
            lineage: Lineage(lineage.collect()),
            signed: SignedRecord::before_rest(
                wire.record,
                wire.signature,
                wire.endorsements,
                rest,
            )?,
        })
    }

    /// The entry's bytes.
    ///
    /// # Errors
    /// As [`Self::encode_parts`].
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        Self::encode_parts(self.admitted_at, &self.lineage, &self.signed)
    }

    /// The bytes of a signed entry of these parts.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] beyond [`ENTRY_BYTES_MAX`], [`CodecError::Malformed`] for a lineage that
    /// no reader would take.
    pub fn encode_parts(
        admitted_at: TimeMs,
        lineage: &Lineage,
        signed: &SignedRecord,
    ) -> Result<Vec<u8>, CodecError> {
        check_length(lineage.0.len())?;
        let mut bytes = encode::<_, ENTRY_BYTES_MAX>(&SignedFieldsRef {
            version: SIGNED,
            admitted_at,
            lineage: lineage.0.iter().map(|index| number(*index)).collect(),
            record: signed.bytes(),
            signature: signed.signature(),
            endorsements: signed.endorsements(),
        })?;
        bytes.extend_from_slice(signed.mldsa_bytes());
        within_limit(bytes.len())?;
        Ok(bytes)
    }
}

impl SealedStatement {
    /// A statement to be sealed.
    ///
    /// # Errors
    /// [`CodecError`] when its kind is never sealed, or it can't be written.
    pub fn new(statement: Statement) -> Result<Self, CodecError> {
        sealed_places(statement.kind())?;
        let bytes = statement.encode()?;
        Ok(Self { statement, bytes })
    }

    /// Reads a statement from the front of bytes; gives what is behind it too.
    ///
    /// # Errors
    /// [`CodecError`] when they begin with no statement of a kind that may be sealed, in its one
    /// encoding.
    pub fn decode_front(bytes: &[u8]) -> Result<(Self, &[u8]), CodecError> {
        let front = bytes.get(..RECORD_BYTES_MAX).unwrap_or(bytes);
        // First of all: who seals what is never sealed is told so, whatever its fields are.
        let (kind, _) = decode_front::<Kind, RECORD_BYTES_MAX>(front)?;
        sealed_places(kind)?;
        let (statement, rest) = decode_front::<Statement, RECORD_BYTES_MAX>(front)?;
        statement.check()?;
        let (front, rest) = bytes
            .split_at_checked(front.len() - rest.len())
            .ok_or(CodecError::NotCanonical)?;
        let bytes = front.to_vec();
        Ok((Self { statement, bytes }, rest))
    }

    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl SealedEntry {
    /// A sealed entry so far ahead of its seal; `places` are those that its kind names, and the others
    /// are none.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] for what no reader would take.
    pub fn new(
        ahead: u16,
        statement: SealedStatement,
        mut places: Vec<Option<Index>>,
    ) -> Result<Self, CodecError> {
        let named = sealed_places(statement.statement.kind())?;
        check_places(places.len(), named)?;
        places.resize(named, None);
        check_ahead(ahead)?;
        Ok(Self {
            ahead,
            statement,
            places,
        })
    }

    /// Reads a sealed entry strictly.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are not the one encoding of an entry of the second form.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(CodecError::TooLong {
                found: bytes.len(),
                max: ENTRY_BYTES_MAX,
            });
        }
        let ((form, ahead), rest) = decode_front::<(u16, u16), ENTRY_BYTES_MAX>(bytes)?;
        if form != SEALED {
            return Err(CodecError::Malformed(format!(
                "the entry is of version {form}, and a sealed one is of version {SEALED}"
            )));
        }
        check_ahead(ahead)?;
        let (statement, mut rest) = SealedStatement::decode_front(rest)?;
        let mut places = Vec::new();
        for _ in 0..sealed_places(statement.statement.kind())? {
            let (index, behind) = decode_front::<u64, ENTRY_BYTES_MAX>(rest)?;
            places.push(index_or_none(index));
            rest = behind;
        }
        match rest.len() {
            0 => Self::new(ahead, statement, places),
            left => Err(CodecError::LeftOver(left)),
        }
    }

    /// Where the statement stands in a sealed entry's bytes, by the entry's form and the statement's kind
    /// alone: the statement is not decoded, which takes longer than to hash it.
    ///
    /// # Errors
    /// [`CodecError`] when they are not the bytes of an entry of the second form, or too few.
    pub fn statement_bytes(bytes: &[u8]) -> Result<&[u8], CodecError> {
        let (form, rest) = decode_front::<(u16, u16), ENTRY_BYTES_MAX>(bytes)?;
        let (kind, _) = decode_front::<Kind, ENTRY_BYTES_MAX>(rest)?;
        let places = kind.sealed_places().filter(|_| form.0 == SEALED);
        let end = places.and_then(|places| rest.len().checked_sub(places * size_of::<u64>()));
        let statement = end.and_then(|end| rest.get(..end));
        statement.ok_or_else(|| CodecError::Malformed("it is no sealed entry".to_owned()))
    }

    /// The entry's bytes.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] beyond [`ENTRY_BYTES_MAX`].
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let mut bytes = Vec::with_capacity(4 + self.statement.bytes.len() + 8 * self.places.len());
        Self::encode_parts(self.ahead, &self.statement, &self.places, &mut bytes)?;
        Ok(bytes)
    }

    /// Appends the bytes of a sealed entry of these parts; `places` are those that its kind names, and
    /// the others are none.
    ///
    /// # Errors
    /// As [`Self::new`], and [`CodecError::TooLong`] beyond [`ENTRY_BYTES_MAX`].
    pub fn encode_parts(
        ahead: u16,
        statement: &SealedStatement,
        places: &[Option<Index>],
        bytes: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let named = sealed_places(statement.statement.kind())?;
        check_places(places.len(), named)?;
        check_ahead(ahead)?;
        let begin = bytes.len();
        bytes.extend_from_slice(&SEALED.to_be_bytes());
        bytes.extend_from_slice(&ahead.to_be_bytes());
        bytes.extend_from_slice(&statement.bytes);
        for place in 0..named {
            let index = places.get(place).copied().flatten();
            bytes.extend_from_slice(&number(index).to_be_bytes());
        }
        within_limit(bytes.len() - begin)
    }

    /// How far the seal is behind the entry: its index less the entry's.
    pub fn ahead(&self) -> u16 {
        self.ahead
    }

    /// The index of the seal of this entry, which is at `index`; `None` past the last index.
    pub fn seal_index(&self, index: Index) -> Option<Index> {
        index.0.checked_add(u64::from(self.ahead)).map(Index)
    }

    /// The statement with its bytes.
    pub fn statement(&self) -> &SealedStatement {
        &self.statement
    }

    /// The earlier entries that it stands on, besides those that its seal names.
    pub fn places(&self) -> &[Option<Index>] {
        &self.places
    }
}

/// A state entry's fields, in the order of their bytes.
#[derive(Encode, Decode)]
struct StateFields {
    version: u16,
    admitted_at: TimeMs,
    size: u64,
    before: u64,
    rules_version: u32,
    root: [u8; 32],
    totals: StateTotals,
}

impl serde::Serialize for StateTotals {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sums: [(&str, &dyn std::fmt::Display); 15] = [
            ("awarded", &self.awarded),
            ("reversed", &self.reversed),
            ("expired", &self.expired),
            ("spent_elsewhere", &self.spent_elsewhere),
            ("claimed", &self.claimed),
            ("balances", &self.balances),
            ("owed", &self.owed),
            ("planted_recorded", &self.planted_recorded),
            ("planted_voided", &self.planted_voided),
            ("lost", &self.lost),
            ("standing", &self.standing),
            ("assigned", &self.assigned),
            ("waiting", &self.waiting),
            ("claims", &self.claims),
            ("accounts_negative", &self.accounts_negative),
        ];
        serializer.collect_map(sums.map(|(name, sum)| (name, sum.to_string())))
    }
}

impl StateEntry {
    /// Whether the bytes begin as a state entry does. They need not be one.
    pub fn begins(bytes: &[u8]) -> bool {
        bytes.starts_with(&STATE.to_be_bytes())
    }

    /// Reads a state entry strictly.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are not the one encoding of an entry of the third form.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let wire: StateFields = decode::<_, ENTRY_BYTES_MAX>(bytes)?;
        if wire.version != STATE {
            return Err(CodecError::Malformed(format!(
                "the entry is of version {}, and a state entry is of version {STATE}",
                wire.version
            )));
        }
        Ok(Self {
            admitted_at: wire.admitted_at,
            size: wire.size,
            before: index_or_none(wire.before),
            rules_version: wire.rules_version,
            root: wire.root,
            totals: wire.totals,
        })
    }

    /// The entry's bytes: always as many.
    ///
    /// # Errors
    /// None that can occur.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        encode::<_, ENTRY_BYTES_MAX>(&StateFields {
            version: STATE,
            admitted_at: self.admitted_at,
            size: self.size,
            before: number(self.before),
            rules_version: self.rules_version,
            root: self.root,
            totals: self.totals,
        })
    }
}

fn index_or_none(number: u64) -> Option<Index> {
    (number != u64::MAX).then_some(Index(number))
}

fn number(index: Option<Index>) -> u64 {
    index.map_or(u64::MAX, |index| index.0)
}

/// The number of places of a sealed statement of this kind.
fn sealed_places(kind: Kind) -> Result<usize, CodecError> {
    kind.sealed_places()
        .ok_or_else(|| CodecError::Malformed(format!("{} is never sealed", kind.with_article())))
}

fn check_ahead(ahead: u16) -> Result<(), CodecError> {
    if (1..=SEALED_MAX).contains(&u32::from(ahead)) {
        return Ok(());
    }
    Err(CodecError::Malformed(format!(
        "a sealed entry is 1 to {SEALED_MAX} entries ahead of its seal, not {ahead}"
    )))
}

fn check_places(found: usize, named: usize) -> Result<(), CodecError> {
    if found <= named {
        return Ok(());
    }
    Err(CodecError::Malformed(
        "the lineage has more indexes than the kind has places".to_owned(),
    ))
}

fn within_limit(found: usize) -> Result<(), CodecError> {
    if found <= ENTRY_BYTES_MAX {
        return Ok(());
    }
    Err(CodecError::TooLong {
        found,
        max: ENTRY_BYTES_MAX,
    })
}

/// One length for who writes and who reads: an entry that can be admitted can be read again.
fn check_length(lineage: usize) -> Result<(), CodecError> {
    if lineage > LINEAGE_MAX {
        return Err(CodecError::Malformed(format!(
            "the lineage has too many indexes, {lineage} instead of at most {LINEAGE_MAX}"
        )));
    }
    Ok(())
}
