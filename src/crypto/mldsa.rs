//! ML-DSA-44 (FIPS 204): keys and signatures as bytes, and what signs and verifies with them.
//!
//! It is the plain form, with an empty context. Signing is deterministic, so that the same message gives the
//! same bytes; verifiers can't tell and need not know. The code beneath, the crate `ml-dsa`, was not
//! audited by others (`docs/dependencies.md`): so such a signature stands beside one by Ed25519 wherever the
//! ledger itself signs.

use std::fmt;
use std::path::Path;

use bincode::de::Decoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};
use ml_dsa::{EncodedSignature, EncodedVerifyingKey, MlDsa44, Seed};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

#[cfg(feature = "random")]
use super::keyfile::random_seed;
use super::keyfile::{KeyFileError, read_key_file, write_key_file};
use super::pem::{mldsa_pem, read_mldsa_seed};
use super::verify::SignatureError;

/// The length of a public key.
pub const MLDSA_KEY_BYTES: usize = 1312;
/// The length of a signature.
pub const MLDSA_SIGNATURE_BYTES: usize = 2420;

/// The public key of ML-DSA-44. Any bytes of this length are one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MldsaKey(Box<[u8; MLDSA_KEY_BYTES]>);

/// A signature of ML-DSA-44, as bytes: whether it holds, [`MldsaKey::verify`] says.
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

bytes!(MldsaKey, MLDSA_KEY_BYTES);
bytes!(MldsaSignature, MLDSA_SIGNATURE_BYTES);

impl MldsaKey {
    /// Whether a signature of this key over `message` holds (FIPS 204, algorithm 3, with an empty context).
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self, message: &[u8], signature: &MldsaSignature) -> Result<(), SignatureError> {
        let key = EncodedVerifyingKey::<MlDsa44>::try_from(self.as_bytes());
        let bytes = EncodedSignature::<MlDsa44>::try_from(signature.as_bytes());
        let (Ok(key), Ok(bytes)) = (key, bytes) else {
            return Err(SignatureError);
        };
        let signature = ml_dsa::Signature::decode(&bytes).ok_or(SignatureError)?;
        let key = ml_dsa::VerifyingKey::<MlDsa44>::decode(&key);
        match key.verify_with_context(message, &[], &signature) {
            true => Ok(()),
            false => Err(SignatureError),
        }
    }
}

impl Encode for MldsaKey {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<Context> Decode<Context> for MldsaKey {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        <[u8; MLDSA_KEY_BYTES]>::decode(decoder).map(|bytes| Self(Box::new(bytes)))
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

/// A private key of ML-DSA-44: its seed. Wiped from memory when dropped; shown nowhere.
#[derive(Clone)]
pub struct MldsaSigningKey(Zeroizing<[u8; 32]>);

impl MldsaSigningKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// [`KeyFileError::Random`].
    #[cfg(feature = "random")]
    pub fn generate() -> Result<Self, KeyFileError> {
        random_seed().map(Self)
    }

    /// The key of a 32-byte seed (FIPS 204, algorithm 6).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*seed))
    }

    /// The key as the crate has it, which takes some 20 kB: it is made for each signature, in less time than
    /// that itself takes.
    fn expand(&self) -> ml_dsa::SigningKey<MlDsa44> {
        ml_dsa::SigningKey::from_seed(&Seed::from(*self.0))
    }

    /// The public half.
    pub fn public(&self) -> MldsaKey {
        let encoded = self.expand().expanded_key().verifying_key().encode();
        let mut bytes = [0; MLDSA_KEY_BYTES];
        bytes.copy_from_slice(&encoded);
        MldsaKey(Box::new(bytes))
    }

    /// Signs, deterministically (FIPS 204, algorithm 2, with an empty context).
    ///
    /// # Errors
    /// [`SignatureError`], which a context too long alone could cause: there is none.
    pub fn sign(&self, message: &[u8]) -> Result<MldsaSignature, SignatureError> {
        let key = self.expand();
        let signature = key.expanded_key().sign_deterministic(message, &[]);
        let encoded = signature.map_err(|_| SignatureError)?.encode();
        let mut bytes = [0; MLDSA_SIGNATURE_BYTES];
        bytes.copy_from_slice(&encoded);
        Ok(MldsaSignature(Box::new(bytes)))
    }

    /// Writes the key as PKCS#8 PEM with its seed alone (RFC 9881) to a new file of mode 0600, as
    /// [`super::SigningKey::write_new`] does.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`] rather than overwrite anything.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyFileError> {
        write_key_file(path, mldsa_pem(&self.0).as_bytes(), Self::read)
    }

    /// Reads a key's file, as [`super::SigningKey::read`] does.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        read_key_file(path, read_mldsa_seed).map(Self)
    }
}

impl fmt::Debug for MldsaSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MldsaSigningKey")
    }
}
