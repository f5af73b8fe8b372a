//! Records, and records with their signatures.

use bincode::{Decode, Encode};

use super::chain::{RecordId, SigningContext};
use super::codec::{CodecError, decode, decode_front, encode};
use super::number::{Day, Seq};
use super::statement::Statement;
use crate::crypto::{
    KnownKeys, MLDSA_SIGNATURE_BYTES, MldsaSignature, PublicKey, Sign, Signature, SignatureBatch,
    VerifyingKey,
};

/// The longest record: a policy of [`crate::policy::POLICY_BYTES_MAX`] bytes fits.
pub const RECORD_BYTES_MAX: usize = 25_600;
/// The most endorsements: sixteen governors of an old set and sixteen of a new one.
pub const ENDORSEMENTS_MAX: usize = 32;
/// The longest signed record: length and bytes of the record, signature, endorsements, and the ML-DSA
/// signature.
const SIGNED_BYTES_MAX: usize =
    RECORD_BYTES_MAX + 8 + 64 + 8 + ENDORSEMENTS_MAX * 96 + MLDSA_SIGNATURE_BYTES;

/// A statement as its issuer signs it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Record {
    /// The key of the issuer.
    pub issuer: PublicKey,
    /// The record's place in the issuer's chain, from 0.
    pub seq: Seq,
    /// The id of the issuer's record before; at 0, the id of the record that gave the key its task.
    pub prev: RecordId,
    /// The day of signing.
    pub issued_on: Day,
    /// The statement.
    pub statement: Statement,
}

impl Record {
    /// Reads a record strictly.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are not the one encoding of a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let record: Self = decode::<_, RECORD_BYTES_MAX>(bytes)?;
        record.statement.check()?;
        Ok(record)
    }

    /// The record's bytes.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] beyond [`RECORD_BYTES_MAX`], and what decoding would refuse.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let bytes = encode::<_, RECORD_BYTES_MAX>(self)?;
        Self::decode(&bytes)?;
        Ok(bytes)
    }
}

/// A signature over a record by another key than the issuer's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Endorsement {
    /// The endorser's key.
    pub key: PublicKey,
    /// The signature over the record's signing input.
    pub signature: Signature,
}

/// A signed record's fields, in the order of their bytes.
#[derive(Encode, Decode)]
struct SignedFields {
    record: Vec<u8>,
    signature: Signature,
    endorsements: Vec<Endorsement>,
}

/// A record with the signatures that came with it. Canonical; not yet verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedRecord {
    record: Record,
    bytes: Vec<u8>,
    signature: Signature,
    endorsements: Vec<Endorsement>,
    mldsa_signature: Option<MldsaSignature>,
}

/// Which signature on a record does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureRefusal {
    /// The issuer's.
    #[error("the issuer's signature does not verify")]
    Issuer,
    /// An endorsement's.
    #[error("the endorsement by {0} does not verify")]
    Endorsement(PublicKey),
}

impl SignedRecord {
    /// Joins a record's bytes and its signatures.
    ///
    /// # Errors
    /// [`CodecError`] when the record is not canonical, or names an ML-DSA key, or the endorsements are
    /// too many, not strictly ascending by key, or the issuer's own.
    pub fn new(
        bytes: Vec<u8>,
        signature: Signature,
        endorsements: Vec<Endorsement>,
    ) -> Result<Self, CodecError> {
        Self::with_mldsa(bytes, signature, endorsements, None)
    }

    /// As [`Self::new`], with the signature of the ML-DSA key that the statement names, if it names one.
    ///
    /// # Errors
    /// As [`Self::new`]; and when there is a key and no signature, or the reverse.
    pub fn with_mldsa(
        bytes: Vec<u8>,
        signature: Signature,
        endorsements: Vec<Endorsement>,
        mldsa_signature: Option<MldsaSignature>,
    ) -> Result<Self, CodecError> {
        let record = Record::decode(&bytes)?;
        if record.statement.mldsa_key().is_some() != mldsa_signature.is_some() {
            return Err(CodecError::Malformed(
                "an ML-DSA signature stands where the statement names an ML-DSA key, and nowhere else"
                    .to_owned(),
            ));
        }
        if endorsements.len() > ENDORSEMENTS_MAX {
            return Err(CodecError::Malformed(format!(
                "{} endorsements, but at most {ENDORSEMENTS_MAX} are allowed",
                endorsements.len()
            )));
        }
        if !endorsements.is_sorted_by(|a, b| a.key < b.key) {
            return Err(CodecError::Malformed(
                "endorsements must be strictly ascending by key, one a key".to_owned(),
            ));
        }
        if endorsements
            .iter()
            .any(|endorsement| endorsement.key == record.issuer)
        {
            return Err(CodecError::Malformed(
                "the issuer can't endorse itself".to_owned(),
            ));
        }
        Ok(Self {
            record,
            bytes,
            signature,
            endorsements,
            mldsa_signature,
        })
    }

    /// Joins what was decoded and what stands behind it: the ML-DSA signature and nothing else, if the
    /// statement names a key, or nothing.
    pub(super) fn before_rest(
        bytes: Vec<u8>,
        signature: Signature,
        endorsements: Vec<Endorsement>,
        rest: &[u8],
    ) -> Result<Self, CodecError> {
        let named = Record::decode(&bytes)?.statement.mldsa_key().is_some();
        let expected = if named { MLDSA_SIGNATURE_BYTES } else { 0 };
        if let Some(missing) = expected.checked_sub(rest.len()).filter(|n| *n > 0) {
            return Err(CodecError::Malformed(format!(
                "cut short: at least {missing} more bytes are needed"
            )));
        }
        if rest.len() > expected {
            return Err(CodecError::LeftOver(rest.len() - expected));
        }
        let mldsa_signature = MldsaSignature::from_bytes(rest);
        Self::with_mldsa(bytes, signature, endorsements, mldsa_signature)
    }

    /// Reads a signed record: length and bytes of the record, signature, endorsements.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are not the one encoding of a signed record.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let (wire, rest) = decode_front::<SignedFields, SIGNED_BYTES_MAX>(bytes)?;
        Self::before_rest(wire.record, wire.signature, wire.endorsements, rest)
    }

    /// The signed record's bytes, as a batch carries them.
    ///
    /// # Errors
    /// None that can occur: a signed record that exists fits.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let mut bytes = encode::<_, SIGNED_BYTES_MAX>(&SignedFields {
            record: self.bytes.clone(),
            signature: self.signature,
            endorsements: self.endorsements.clone(),
        })?;
        bytes.extend_from_slice(self.mldsa_bytes());
        Ok(bytes)
    }

    /// What stands behind the endorsements: the ML-DSA signature, or nothing.
    pub(super) fn mldsa_bytes(&self) -> &[u8] {
        self.mldsa_signature
            .as_ref()
            .map_or(&[], MldsaSignature::as_bytes)
    }

    /// The record.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The record's bytes, as received: what is signed and hashed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The issuer's signature.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The signature of the ML-DSA key that the statement names, if it names one. Nothing here verifies
    /// it.
    pub fn mldsa_signature(&self) -> Option<&MldsaSignature> {
        self.mldsa_signature.as_ref()
    }

    /// The others' signatures, ascending by key.
    pub fn endorsements(&self) -> &[Endorsement] {
        &self.endorsements
    }

    /// Adds a signature over the same record, in its place.
    ///
    /// # Errors
    /// [`CodecError`] when that key signed already, or issues the record, or gave no signature.
    pub fn endorse(self, context: &SigningContext, key: &impl Sign) -> Result<Self, CodecError> {
        let signature = key.try_sign(&context.input(&self.bytes))?;
        let mut endorsements = self.endorsements;
        endorsements.push(Endorsement {
            key: key.public(),
            signature,
        });
        endorsements.sort_by_key(|endorsement| endorsement.key);
        Self::with_mldsa(
            self.bytes,
            self.signature,
            endorsements,
            self.mldsa_signature,
        )
    }

    /// Adds every signature to a batch: the issuer's, then the endorsements' in order.
    pub fn add_to(&self, context: &SigningContext, keys: &KnownKeys, batch: &mut SignatureBatch) {
        self.add_issuer_to(context, keys, batch);
        self.add_endorsements_to(context, keys, batch);
    }

    /// Adds the issuer's signature alone to a batch.
    pub fn add_issuer_to(
        &self,
        context: &SigningContext,
        keys: &KnownKeys,
        batch: &mut SignatureBatch,
    ) {
        let key = keys.get(&self.record.issuer).ok();
        batch.add(key, &context.input(&self.bytes), &self.signature);
    }

    /// Adds the endorsements' signatures to a batch, in order.
    pub fn add_endorsements_to(
        &self,
        context: &SigningContext,
        keys: &KnownKeys,
        batch: &mut SignatureBatch,
    ) {
        if self.endorsements.is_empty() {
            return;
        }
        let input = context.input(&self.bytes);
        for endorsement in &self.endorsements {
            let key = keys.get(&endorsement.key).ok();
            batch.add(key, &input, &endorsement.signature);
        }
    }

    /// Takes the verdicts on the record's signatures, in the order of [`Self::add_to`], from the front
    /// of the iterator. A verdict that is missing counts as a signature that does not hold.
    ///
    /// # Errors
    /// [`SignatureRefusal`] names the first that does not hold.
    pub fn check_verdicts(
        &self,
        verdicts: &mut impl Iterator<Item = bool>,
    ) -> Result<(), SignatureRefusal> {
        let issuer = verdicts.next().unwrap_or(false);
        let mut refused = (!issuer).then_some(SignatureRefusal::Issuer);
        for endorsement in &self.endorsements {
            if !verdicts.next().unwrap_or(false) {
                refused.get_or_insert(SignatureRefusal::Endorsement(endorsement.key));
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// The strict verdict on every signature, of keys that nobody checked before.
    ///
    /// # Errors
    /// [`SignatureRefusal`] names the first that does not hold.
    pub fn verify(&self, context: &SigningContext) -> Result<(), SignatureRefusal> {
        let input = context.input(&self.bytes);
        let holds = |key: &PublicKey, signature: &Signature| {
            VerifyingKey::new(key).is_ok_and(|key| key.verify(&input, signature).is_ok())
        };
        let issuer = holds(&self.record.issuer, &self.signature);
        let endorsers = self
            .endorsements
            .iter()
            .map(|e| holds(&e.key, &e.signature));
        self.check_verdicts(&mut std::iter::once(issuer).chain(endorsers))
    }
}

/// Signs a record and returns it with its id, which the issuer's next record names.
///
/// # Errors
/// [`CodecError`] when the record can't be written, such as when it is too long, or the key gave no signature.
pub fn draft(
    record: &Record,
    context: &SigningContext,
    key: &impl Sign,
) -> Result<(SignedRecord, RecordId), CodecError> {
    let bytes = record.encode()?;
    let signature = key.try_sign(&context.input(&bytes))?;
    let id = context.id(&bytes);
    Ok((SignedRecord::new(bytes, signature, Vec::new())?, id))
}
