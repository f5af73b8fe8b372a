//! The text of a private key's file (RFC 7468, PKCS#8), and what stands in files that hold none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::{KeypairBytes, ObjectIdentifier, PrivateKeyInfoRef};
use zeroize::Zeroizing;

/// Why a file's bytes give no Ed25519 private key: what they are, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// No byte in it.
    #[error("is empty")]
    Empty,
    /// Longer than a key's file.
    #[error("is too long for a key")]
    TooLong,
    /// Bytes that are not text, such as DER.
    #[error(
        "is not text; a key in DER is converted by: openssl pkey -inform DER -in FILE -out NEW.pem"
    )]
    NotText,
    /// UTF-16, as some editors save it.
    #[error("was saved as UTF-16; save it as plain text (UTF-8)")]
    Utf16,
    /// Text without `-----BEGIN`.
    #[error(
        "holds no PEM block: its text is not between -----BEGIN PRIVATE KEY----- and -----END PRIVATE KEY-----"
    )]
    NoPem,
    /// A block that does not end.
    #[error("was cut: the line -----END {0}----- is missing")]
    Cut(String),
    /// Which of several keys is meant can't be known.
    #[error("holds several keys ({0}); leave one PRIVATE KEY in the file")]
    Several(String),
    /// It needs a passphrase.
    #[error(
        "holds an encrypted key, and no passphrase is asked for here; decrypt it into a file that only you can read: openssl pkey -in FILE -out NEW.pem"
    )]
    Encrypted,
    /// The passphrase could not be had.
    #[error("holds an encrypted key, and its passphrase could not be had: {0}")]
    Passphrase(String),
    /// The passphrase is another key's.
    #[error("holds an encrypted key, and the passphrase does not open it")]
    WrongPassphrase,
    /// It is encrypted in a way that is not read.
    #[error(
        "holds a key that is encrypted in a way that is not read here; encrypt it anew: openssl pkcs8 -topk8 -in FILE -out NEW.pem"
    )]
    OtherEncryption,
    /// OpenSSH's own form.
    #[error("holds an OpenSSH key, which is another form; make a key by: arborlog keygen NEW.pem")]
    OpenSsh,
    /// Only what others may know of the key.
    #[error("holds the public half of a key; give the private key's file")]
    PublicHalf,
    /// Another algorithm.
    #[error("holds a key for {0}, not for Ed25519; make one by: arborlog keygen NEW.pem")]
    NotEd25519(String),
    /// Another algorithm, where ML-DSA-44 is asked for.
    #[error("holds a key for {0}, not for ML-DSA-44")]
    NotMldsa(String),
    /// An ML-DSA-44 key with its long form, beside the seed or in its place.
    #[error(
        "holds an ML-DSA-44 key in its long form; write its seed alone: openssl pkey -in FILE -provparam ml-dsa.output_formats=seed-only -out NEW.pem"
    )]
    MldsaLongForm,
    /// Another kind of PEM block.
    #[error("holds a {0}, no private key")]
    Other(String),
    /// The block's base64 or DER can't be read, or its halves are of two keys.
    #[error("holds a private key that is damaged: {0}")]
    Damaged(&'static str),
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// Longer than any label that there is, and shorter than a key.
const LABEL_BYTES_MAX: usize = 40;

/// Reads the one Ed25519 private key in a file's bytes.
///
/// # Errors
/// [`NotAKey`] says what is there.
pub(super) fn read_private_key(bytes: &[u8]) -> Result<ed25519_dalek::SigningKey, NotAKey> {
    key_of_der(&private_key_der(bytes)?)
}

/// Reads the one Ed25519 private key in a file's bytes, which a passphrase opens (RFC 8018, PBES2).
///
/// # Errors
/// [`NotAKey`] says what is there.
#[cfg(feature = "keys")]
pub(super) fn read_encrypted_key(
    bytes: &[u8],
    passphrase: &[u8],
) -> Result<ed25519_dalek::SigningKey, NotAKey> {
    use pkcs8::{EncryptedPrivateKeyInfoRef, Error};
    let text = text_of(bytes)?;
    let (label, body) = only_block(text)?;
    if label != "ENCRYPTED PRIVATE KEY" {
        return Err(NotAKey::OtherEncryption);
    }
    let der = der_of(&body)?;
    let info = EncryptedPrivateKeyInfoRef::try_from(der.as_slice())
        .map_err(|_| NotAKey::OtherEncryption)?;
    let key = info.decrypt(passphrase).map_err(|error| match error {
        Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::DecryptFailed) => NotAKey::WrongPassphrase,
        Error::EncryptedPrivateKey(_) => NotAKey::OtherEncryption,
        // A wrong passphrase gives bytes that end as encrypted ones do by chance, once in 256 times.
        _ => NotAKey::WrongPassphrase,
    })?;
    key_of_der(key.as_bytes())
}

fn key_of_der(der: &[u8]) -> Result<ed25519_dalek::SigningKey, NotAKey> {
    if let Some((seed, public)) = ring_halves(der) {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let own = key.verifying_key().to_bytes() == *public;
        return own.then_some(key).ok_or(OTHER_HALF);
    }
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| NotAKey::Damaged("it is no PKCS#8"))?;
    if info.algorithm.oid != ED25519 {
        return Err(NotAKey::NotEd25519(algorithm_name(&info.algorithm.oid)));
    }
    let halves = KeypairBytes::try_from(info)
        .map_err(|_| NotAKey::Damaged("it has not the 32 bytes of an Ed25519 key"))?;
    ed25519_dalek::SigningKey::try_from(&halves).map_err(|_| OTHER_HALF)
}

/// The DER of the one private key in a file's bytes. White space around lines, empty lines, and text
/// outside the block mean nothing (RFC 7468, section 2); nor does a byte order mark.
fn private_key_der(bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotAKey> {
    let (label, body) = only_block(text_of(bytes)?)?;
    match label {
        "PRIVATE KEY" => {}
        "ENCRYPTED PRIVATE KEY" => return Err(NotAKey::Encrypted),
        // The older form of OpenSSL says so in a header.
        _ if body.contains("ENCRYPTED") => return Err(NotAKey::Encrypted),
        "OPENSSH PRIVATE KEY" => return Err(NotAKey::OpenSsh),
        "PUBLIC KEY" => return Err(NotAKey::PublicHalf),
        label => {
            return Err(match label.strip_suffix(" PRIVATE KEY") {
                Some(algorithm) => NotAKey::NotEd25519(algorithm.to_owned()),
                None => NotAKey::Other(label.to_owned()),
            });
        }
    }
    der_of(&body)
}

fn der_of(body: &str) -> Result<Zeroizing<Vec<u8>>, NotAKey> {
    STANDARD
        .decode(body.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| NotAKey::Damaged("its base64 can't be read"))
}

/// The text of a file's bytes, without a byte order mark.
fn text_of(bytes: &[u8]) -> Result<&str, NotAKey> {
    let text = match bytes {
        [] => return Err(NotAKey::Empty),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [b'-', 0, ..] => {
            return Err(NotAKey::Utf16);
        }
        // DER may be UTF-8 by chance, but its lengths and versions hold a zero, and no text does.
        bytes if bytes.contains(&0) => return Err(NotAKey::NotText),
        bytes => std::str::from_utf8(bytes).map_err(|_| NotAKey::NotText)?,
    };
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Reads the seed of the one ML-DSA-44 private key in a file's bytes.
///
/// # Errors
/// [`NotAKey`] says what is there.
pub(super) fn read_mldsa_seed(bytes: &[u8]) -> Result<Zeroizing<[u8; 32]>, NotAKey> {
    let der = private_key_der(bytes)?;
    if let Some(seed) = der.strip_prefix(MLDSA_SEED_BEFORE) {
        let seed = <[u8; 32]>::try_from(seed);
        return seed
            .map(Zeroizing::new)
            .map_err(|_| NotAKey::Damaged("it has not the 32 bytes of a seed"));
    }
    if ring_halves(&der).is_some() {
        return Err(NotAKey::NotMldsa("Ed25519".to_owned()));
    }
    let info = PrivateKeyInfoRef::try_from(der.as_slice())
        .map_err(|_| NotAKey::Damaged("it is no PKCS#8"))?;
    match info.algorithm.oid {
        MLDSA_44 => Err(NotAKey::MldsaLongForm),
        oid => Err(NotAKey::NotMldsa(algorithm_name(&oid))),
    }
}

/// The text of an ML-DSA-44 key's file (RFC 9881, section 6: the seed alone).
pub(super) fn mldsa_pem(seed: &[u8; 32]) -> Zeroizing<String> {
    let mut der = Zeroizing::new(Vec::with_capacity(MLDSA_SEED_BEFORE.len() + seed.len()));
    der.extend_from_slice(MLDSA_SEED_BEFORE);
    der.extend_from_slice(seed);
    let encoded = Zeroizing::new(STANDARD.encode(der.as_slice()));
    // RFC 7468, section 2: lines of 64 characters.
    let (first, second) = encoded.split_at(encoded.len().min(64));
    Zeroizing::new(format!(
        "{BEGIN}PRIVATE KEY{DASHES}\n{first}\n{second}\n{END}PRIVATE KEY{DASHES}\n"
    ))
}

/// What stands before the seed in the DER: version 0, the algorithm, an octet string that holds the seed
/// under its tag.
const MLDSA_SEED_BEFORE: &[u8] =
    b"\x30\x34\x02\x01\x00\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11\x04\x22\x80\x20";

const OTHER_HALF: NotAKey = NotAKey::Damaged("its public half is another key's");

/// The two halves of a key as the Rust crate ring has long written it: version 2, with a tag around
/// the public half that RFC 8410 does not have.
fn ring_halves(der: &[u8]) -> Option<(&[u8; 32], &[u8; 32])> {
    const BEFORE: &[u8] = b"\x30\x53\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    const BETWEEN: &[u8] = b"\xa1\x23\x03\x21\x00";
    let (seed, rest) = der.strip_prefix(BEFORE)?.split_first_chunk::<32>()?;
    let public = rest.strip_prefix(BETWEEN)?;
    Some((seed, public.try_into().ok()?))
}

/// The label and the text of the one block, without white space.
fn only_block(text: &str) -> Result<(&str, Zeroizing<String>), NotAKey> {
    let labels: Vec<&str> = text
        .lines()
        .filter_map(|line| marked(line, BEGIN))
        .collect();
    let label = match labels.as_slice() {
        [] if text.trim_start().starts_with("ssh-") => return Err(NotAKey::PublicHalf),
        [] if is_hex_key(text) => return Err(NotAKey::PublicHalf),
        [] => return Err(NotAKey::NoPem),
        [label] => *label,
        several => return Err(NotAKey::Several(several.join(", "))),
    };
    // No longer than the file: the key's text is never moved, so that one copy is to be wiped.
    let mut body = Zeroizing::new(String::with_capacity(text.len()));
    let mut lines = text
        .lines()
        .skip_while(|line| marked(line, BEGIN).is_none())
        .skip(1);
    loop {
        match lines.next() {
            None => return Err(NotAKey::Cut(label.to_owned())),
            Some(line) if marked(line, END) == Some(label) => return Ok((label, body)),
            Some(line) => body.extend(line.split_ascii_whitespace()),
        }
    }
}

/// The label of a line that begins or ends a block. Labels are shown in errors, so nothing else may
/// be taken for one: of a key on one line, that would be the key.
fn marked<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let label = line.trim_ascii().strip_prefix(mark)?.strip_suffix(DASHES)?;
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ';
    (label.len() <= LABEL_BYTES_MAX && label.bytes().all(plain)).then_some(label)
}

/// Whether a text is 64 hexadecimal digits, as `keygen` prints public keys.
fn is_hex_key(text: &str) -> bool {
    let text = text.trim_ascii();
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// RFC 8410, section 3.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// RFC 9881, section 2.
const MLDSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");

fn algorithm_name(oid: &ObjectIdentifier) -> String {
    match oid.to_string().as_str() {
        "1.3.101.112" => "Ed25519".to_owned(),
        "2.16.840.1.101.3.4.3.17" => "ML-DSA-44".to_owned(),
        "1.3.101.110" => "X25519".to_owned(),
        "1.3.101.111" => "X448".to_owned(),
        "1.3.101.113" => "Ed448".to_owned(),
        "1.2.840.10045.2.1" => "an elliptic curve (ECDSA)".to_owned(),
        "1.2.840.113549.1.1.1" => "RSA".to_owned(),
        other => format!("the algorithm {other}"),
    }
}
