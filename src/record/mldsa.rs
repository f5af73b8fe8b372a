//! ML-DSA-44 keys and signatures (FIPS 204), as bytes: nothing verifies them yet.

use std::fmt;

use bincode::de::Decoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The length of a public key.
const KEY_BYTES: usize = 1312;
/// The length of a signature.
pub(super) const MLDSA_SIGNATURE_BYTES: usize = 2420;

/// The public key of ML-DSA-44. Any bytes of this length are one.
#[derive(Clone, PartialEq, Eq)]
pub struct MldsaKey(Box<[u8; KEY_BYTES]>);

/// A signature of ML-DSA-44. Nobody here can tell whether it holds.
#[derive(Clone, PartialEq, Eq)]
pub struct MldsaSignature(Box<[u8; MLDSA_SIGNATURE_BYTES]>);

macro_rules! bytes {
    ($name:ident, $length:ident) => {
        impl $name {
            /// Takes the bytes; `None` if they are of another length.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let bytes = <[u8; $length]>::try_from(bytes).ok()?;
                Some(Self(Box::new(bytes)))
            }

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_slice()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.as_bytes()))
            }
        }
    };
}

bytes!(MldsaKey, KEY_BYTES);
bytes!(MldsaSignature, MLDSA_SIGNATURE_BYTES);

impl Encode for MldsaKey {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<Context> Decode<Context> for MldsaKey {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        <[u8; KEY_BYTES]>::decode(decoder).map(|bytes| Self(Box::new(bytes)))
    }
}

bincode::impl_borrow_decode!(MldsaKey);

/// In JSON hexadecimal, as other keys are.
impl Serialize for MldsaKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for MldsaKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode(text).ok();
        bytes
            .and_then(|bytes| Self::from_bytes(&bytes))
            .ok_or_else(|| serde::de::Error::custom("an ML-DSA-44 key is 2,624 hexadecimal digits"))
    }
}
