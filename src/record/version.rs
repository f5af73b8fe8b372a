//! The version of the format, which a genesis names first.

use bincode::de::Decoder;
use bincode::enc::Encoder;
use bincode::error::{AllowedEnumVariants, DecodeError, EncodeError};
use bincode::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version of the format that a ledger's bytes are in (`docs/format.md`). There is one that this
/// software reads and writes, so a genesis of another can be neither made nor decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FormatVersion(());

impl FormatVersion {
    /// The version that this software reads and writes.
    pub const CURRENT: Self = Self(());
    /// Its number in the bytes.
    pub const NUMBER: u32 = 1;
    /// What the codec calls the field, so that another version is told from other faults.
    pub(super) const FIELD: &'static str = "format";
}

impl Encode for FormatVersion {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        Self::NUMBER.encode(encoder)
    }
}

impl<Context> Decode<Context> for FormatVersion {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        match u32::decode(decoder)? {
            Self::NUMBER => Ok(Self::CURRENT),
            found => Err(DecodeError::UnexpectedVariant {
                type_name: Self::FIELD,
                allowed: &AllowedEnumVariants::Allowed(&[Self::NUMBER]),
                found,
            }),
        }
    }
}

bincode::impl_borrow_decode!(FormatVersion);

impl Serialize for FormatVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(Self::NUMBER)
    }
}

impl<'de> Deserialize<'de> for FormatVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            Self::NUMBER => Ok(Self::CURRENT),
            found => Err(serde::de::Error::custom(super::CodecError::OtherFormat {
                found,
            })),
        }
    }
}
