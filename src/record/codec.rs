//! The codec: bincode 2 with big-endian, fixed-width integers and a limit on every decode. Bytes that
//! encoding would write otherwise are refused.
//!
//! Only this file and the derives name bincode, which is no longer maintained: it can be
//! replaced behind these two functions, and `docs/format.md` says what the bytes are.

use bincode::config::{BigEndian, Configuration, Fixint, Limit, NoLimit};
use bincode::de::Decoder;
use bincode::enc::write::Writer;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};

use super::version::FormatVersion;
use crate::crypto::SignError;

const CONFIG: Configuration<BigEndian, Fixint, NoLimit> = bincode::config::standard()
    .with_big_endian()
    .with_fixed_int_encoding();

/// Bytes that are not the canonical encoding of what they should be, or a record that can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Longer than the limit.
    #[error("{found} bytes, but at most {max} are allowed")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A field is cut short, out of its range, or of an unknown variant.
    #[error("malformed: {0}")]
    Malformed(String),
    /// There are bytes after the end.
    #[error("{0} bytes are left over after the end")]
    LeftOver(usize),
    /// A genesis of another version of the format. Its ledger may be right in every byte: this
    /// software can't tell.
    #[error(
        "the ledger is of version {found} of the format, and this software reads version {reads} alone: use the arborlog that wrote it",
        reads = FormatVersion::NUMBER
    )]
    OtherFormat {
        /// The version that the genesis names; 0 before versions were named.
        found: u32,
    },
    /// What holds the key gave no signature.
    #[error(transparent)]
    Unsigned(#[from] SignError),
    /// The value would be encoded differently.
    #[error("not canonical: the same value has another encoding")]
    NotCanonical,
}

/// Encodes a value.
///
/// # Errors
/// [`CodecError::TooLong`] when the bytes would be more than `MAX`: the codec itself guards
/// decoding only.
pub fn encode<T: Encode, const MAX: usize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = bincode::encode_to_vec(value, CONFIG)
        .map_err(|error| CodecError::Malformed(error.to_string()))?;
    if bytes.len() > MAX {
        return Err(CodecError::TooLong {
            found: bytes.len(),
            max: MAX,
        });
    }
    Ok(bytes)
}

/// Decodes a value from all of `bytes`, and checks that encoding it gives the same bytes.
///
/// # Errors
/// [`CodecError`] says what is wrong with the bytes.
pub fn decode<T: Decode<()> + Encode, const MAX: usize>(bytes: &[u8]) -> Result<T, CodecError> {
    match decode_front::<T, MAX>(bytes)? {
        (value, []) => Ok(value),
        (_, rest) => Err(CodecError::LeftOver(rest.len())),
    }
}

/// As [`decode`], from the front of `bytes`; gives what is behind the value too.
pub(crate) fn decode_front<T: Decode<()> + Encode, const MAX: usize>(
    bytes: &[u8],
) -> Result<(T, &[u8]), CodecError> {
    if bytes.len() > MAX {
        return Err(CodecError::TooLong {
            found: bytes.len(),
            max: MAX,
        });
    }
    let config: Configuration<BigEndian, Fixint, Limit<MAX>> = CONFIG.with_limit::<MAX>();
    let (value, used) =
        bincode::decode_from_slice::<T, _>(bytes, config).map_err(|error| malformed(&error))?;
    let (front, rest) = bytes
        .split_at_checked(used)
        .ok_or(CodecError::NotCanonical)?;
    let mut same = Same { rest: front };
    match bincode::encode_into_writer(&value, &mut same, CONFIG) {
        Ok(()) if same.rest.is_empty() => Ok((value, rest)),
        _ => Err(CodecError::NotCanonical),
    }
}

/// Decodes a list of at most `max` items, one by one: the codec's own vectors count an item's size in
/// memory against the limit, which is no property of the bytes, and other verifiers could not do the same.
///
/// # Errors
/// [`DecodeError`] for a list that says it is longer, and for what is wrong with an item.
pub(crate) fn decode_list<T: Decode<D::Context>, D: Decoder>(
    decoder: &mut D,
    max: usize,
) -> Result<Vec<T>, DecodeError> {
    let found = u64::decode(decoder)?;
    if found > max as u64 {
        let what = format!("a list of {found} items, but at most {max} are allowed");
        return Err(DecodeError::OtherString(what));
    }
    (0..found).map(|_| T::decode(decoder)).collect()
}

/// Decodes a byte string of at most `max` bytes.
///
/// # Errors
/// [`DecodeError`] for one that is longer or cut.
pub(crate) fn decode_bytes<D: Decoder>(
    decoder: &mut D,
    max: usize,
) -> Result<Vec<u8>, DecodeError> {
    let bytes = Vec::<u8>::decode(decoder)?;
    if bytes.len() > max {
        let found = bytes.len();
        let what = format!("a byte string of {found} bytes, but at most {max} are allowed");
        return Err(DecodeError::OtherString(what));
    }
    Ok(bytes)
}

/// Says what the decoder found, without its type names' noise.
fn malformed(error: &DecodeError) -> CodecError {
    if let DecodeError::UnexpectedVariant {
        type_name: FormatVersion::FIELD,
        found,
        ..
    } = error
    {
        return CodecError::OtherFormat { found: *found };
    }
    CodecError::Malformed(match error {
        DecodeError::UnexpectedEnd { additional } => {
            format!("cut short: at least {additional} more bytes are needed")
        }
        DecodeError::LimitExceeded => "a length reaches past the limit".to_owned(),
        DecodeError::UnexpectedVariant { found, .. } => format!("no kind has the number {found}"),
        DecodeError::Utf8 { .. } => "a text is not UTF-8".to_owned(),
        DecodeError::OtherString(what) => what.clone(),
        other => other.to_string(),
    })
}

/// A writer that writes nothing and compares instead.
struct Same<'a> {
    rest: &'a [u8],
}

impl Writer for Same<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.rest = self
            .rest
            .strip_prefix(bytes)
            .ok_or(EncodeError::UnexpectedEnd)?;
        Ok(())
    }
}
