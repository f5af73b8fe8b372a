//! Signatures and keys that lax verifiers take: points of small order, torsion, other encodings.

use arborlog::crypto::{PublicKey, Signature, SigningKey};
use arborlog::ledger::Code;
use arborlog::record::*;
use curve25519_dalek::Scalar;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use sha2::{Digest as _, Sha512};

use crate::attack::{Attack, GOVERNORS, LOG, PLATFORM, Yes};
use crate::forge::Forge;
use crate::statements::*;

/// The order of the group, little-endian (RFC 8032, section 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

pub fn attacks() -> Vec<Attack> {
    [signatures(), points()].into_iter().flatten().collect()
}

/// An award by the platform under a signature that is made of the message.
fn signed(name: &'static str, liar: &'static str, lie: fn(&[u8]) -> Signature) -> Attack {
    Attack::next(name, liar, move |it| {
        let bytes = it.record("platform", award(ANN, 100)).encode().unwrap();
        let signature = lie(&it.context.input(&bytes));
        it.force_signed(SignedRecord::new(bytes, signature, vec![]).unwrap())
    })
    .receipt(Yes("signature does not verify"))
    .audits("signature does not verify")
    .second(Yes("signature_invalid"))
}

fn secret(name: &str) -> Scalar {
    ed25519_dalek::SigningKey::from_bytes(&seed(name)).to_scalar()
}

/// k = SHA-512(R ‖ A ‖ M) mod L.
fn challenge(r: &[u8; 32], key: &PublicKey, message: &[u8]) -> Scalar {
    let hash = Sha512::new()
        .chain_update(r)
        .chain_update(key.as_bytes())
        .chain_update(message)
        .finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

fn signature(r: [u8; 32], s: [u8; 32]) -> Signature {
    Signature::from_bytes([r, s].concat().try_into().unwrap())
}

/// The platform's signature with this nonce and so much torsion in R.
fn platform_signs(message: &[u8], nonce: Scalar, torsion: EdwardsPoint) -> Signature {
    let r = (EdwardsPoint::mul_base(&nonce) + torsion)
        .compress()
        .to_bytes();
    let k = challenge(&r, &public("platform"), message);
    signature(r, (nonce + k * secret("platform")).to_bytes())
}

fn signatures() -> Vec<Attack> {
    vec![
        signed("An award under another key's signature", LOG, |message| {
            key("log").sign(message)
        }),
        signed(
            "An award under its issuer's signature of another",
            LOG,
            |message| key("platform").sign(&message[1..]),
        ),
        signed("A signature with s + L instead of s", LOG, |message| {
            let honest = key("platform").sign(message);
            let (r, s) = honest.as_bytes().split_at(32);
            signature(r.try_into().unwrap(), plus_order(s.try_into().unwrap()))
        }),
        signed("A signature whose R is the identity", PLATFORM, |message| {
            platform_signs(message, Scalar::ZERO, EIGHT_TORSION[0])
        }),
        signed(
            "A signature whose R is of order eight",
            PLATFORM,
            |message| platform_signs(message, Scalar::ZERO, EIGHT_TORSION[1]),
        ),
        signed("A signature with torsion in R", PLATFORM, |message| {
            platform_signs(message, Scalar::from(7_u64), EIGHT_TORSION[1])
        }),
        Attack::next(
            "A governor's endorsement of another record",
            "operator: the log's; one governor, a new platform: their own",
            |it| {
                let new = grant("new", Role::Platform, "newride");
                let record = it.record("g1", new);
                let honest = it.sign("g1+g2+new", &record);
                let mut endorsements = honest.endorsements().to_vec();
                for endorsement in &mut endorsements {
                    if endorsement.key == public("g2") {
                        endorsement.signature = key("g2").sign(b"something else");
                    }
                }
                let bytes = honest.bytes().to_vec();
                let signed = SignedRecord::new(bytes, *honest.signature(), endorsements);
                it.force_signed(signed.unwrap())
            },
        )
        .receipt(Yes("does not verify"))
        .audits("does not verify")
        .second(Yes("signature_invalid")),
    ]
}

/// s + L, which fits 32 bytes.
fn plus_order(s: [u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    let mut sum = [0; 32];
    for (at, (a, b)) in s.into_iter().zip(ORDER).enumerate() {
        let digit = u16::from(a) + u16::from(b) + carry;
        sum[at] = digit as u8;
        carry = digit >> 8;
    }
    sum
}

/// A grant of a key, which endorses it by `sign`.
fn granted(
    name: &'static str,
    key: fn() -> PublicKey,
    sign: fn(&PublicKey, &[u8]) -> Signature,
) -> Attack {
    Attack::next(name, GOVERNORS, move |it| {
        let key = key();
        let record = it.record("g1", grant_key(key, Role::Platform, "newride"));
        let honest = it.sign("g1+g2", &record);
        let bytes = honest.bytes().to_vec();
        let signature = sign(&key, &it.context.input(&bytes));
        let mut endorsements = honest.endorsements().to_vec();
        endorsements.push(Endorsement { key, signature });
        endorsements.sort_by_key(|endorsement| endorsement.key);
        let signed = SignedRecord::new(bytes, *honest.signature(), endorsements).unwrap();
        it.force_signed(signed)
    })
    .receipt(Yes("does not verify"))
    .audits("does not verify")
    .second(Yes("signature_invalid"))
}

/// A grant of a key that signs nothing.
fn silent(name: &'static str, key: fn() -> PublicKey) -> Attack {
    Attack::rule(name, GOVERNORS, Code::KeyInvalid, move |it: &mut Forge| {
        it.force("g1+g2", grant_key(key(), Role::Platform, "newride"))
    })
    .receipt(Yes("did not sign"))
}

fn identity() -> PublicKey {
    PublicKey::from_bytes(EIGHT_TORSION[0].compress().to_bytes())
}

/// The identity, with y = p + 1.
fn identity_otherwise() -> PublicKey {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xee;
    bytes[31] = 0x7f;
    PublicKey::from_bytes(bytes)
}

/// Somebody's key with a point of order eight on top.
fn mixed() -> PublicKey {
    let point = EdwardsPoint::mul_base(&secret("new")) + EIGHT_TORSION[1];
    PublicKey::from_bytes(point.compress().to_bytes())
}

/// Under a key of small order R = sB holds for any message, where nobody checks the key.
fn any_signature(key: &PublicKey, message: &[u8]) -> Signature {
    let nonces = (1_u64..).map(Scalar::from);
    let signs = |s: Scalar| {
        let r = EdwardsPoint::mul_base(&s).compress().to_bytes();
        let signature = signature(r, s.to_bytes());
        holds_for_lax(key, message, &signature).then_some(signature)
    };
    nonces.filter_map(signs).next().unwrap()
}

/// A signature under the mixed key, with a nonce for which the torsion vanishes.
fn mixed_signs(key: &PublicKey, message: &[u8]) -> Signature {
    let nonces = (1_u64..).map(Scalar::from);
    let signs = |nonce: Scalar| {
        let r = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
        let s = nonce + challenge(&r, key, message) * secret("new");
        let signature = signature(r, s.to_bytes());
        holds_for_lax(key, message, &signature).then_some(signature)
    };
    nonces.filter_map(signs).next().unwrap()
}

/// The usual verdict without a check of the key: what these signatures must fool.
fn holds_for_lax(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    use ed25519_dalek::Verifier as _;
    let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
    ed25519_dalek::VerifyingKey::from_bytes(key.as_bytes())
        .unwrap()
        .verify(message, &signature)
        .is_ok()
}

fn points() -> Vec<Attack> {
    vec![
        granted(
            "A key of small order, which signs anything",
            identity,
            any_signature,
        ),
        granted(
            "A key with torsion, and a signature that others take",
            mixed,
            mixed_signs,
        ),
        silent("A key of small order, granted unsigned", identity),
        silent("A key with torsion, granted unsigned", mixed),
        silent(
            "A key in an encoding that is not canonical",
            identity_otherwise,
        ),
        silent("A key that is no point", || {
            let mut bytes = *SigningKey::from_seed(&[9; 32]).public().as_bytes();
            while ed25519_dalek::VerifyingKey::from_bytes(&bytes).is_ok() {
                bytes[0] = bytes[0].wrapping_add(1);
            }
            PublicKey::from_bytes(bytes)
        }),
    ]
}
