//! The strict verdict on Ed25519 signatures and keys (`docs/format.md`, "Signatures"), and key
//! files that openssl reads too.
//!
//! The verdict is compared with RFC 8032's vectors, with ed25519-dalek's, and with one that is
//! computed here from the equation. Forgeries are made from the points of small order, which is
//! where implementations disagree.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use arborlog::crypto::{
    KeyError, KeyFileError, KnownKey, PublicKey, Signature, SignatureBatch, SignatureError,
    SigningKey, TableSize, VerifyingKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use curve25519_dalek::Scalar;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::traits::IsIdentity as _;
use proptest::prelude::*;
use sha2::{Digest as _, Sha512};

// ---- The equation, computed here ----

/// The order of the prime-order group, little-endian (RFC 8032, section 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The secret scalar of a seed (RFC 8032, section 5.1.5).
fn secret_scalar(seed: &[u8; 32]) -> Scalar {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&Sha512::digest(seed)[..32]);
    bytes[0] &= 248;
    bytes[31] &= 127;
    bytes[31] |= 64;
    Scalar::from_bytes_mod_order(bytes)
}

/// k = SHA-512(R ‖ A ‖ M) mod L.
fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new()
        .chain_update(r)
        .chain_update(key)
        .chain_update(message)
        .finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

fn signature(r: [u8; 32], s: [u8; 32]) -> Signature {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&r);
    bytes[32..].copy_from_slice(&s);
    Signature::from_bytes(bytes)
}

fn halves(signature: &Signature) -> ([u8; 32], [u8; 32]) {
    let (r, s) = signature.as_bytes().split_at(32);
    (r.try_into().unwrap(), s.try_into().unwrap())
}

/// sB − kA, if the key is a point and s < L.
fn recomputed(key: &[u8; 32], message: &[u8], signature: &Signature) -> Option<EdwardsPoint> {
    let (r, s) = halves(signature);
    let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s))?;
    let point = CompressedEdwardsY(*key).decompress()?;
    Some(EdwardsPoint::mul_base(&s) - point * challenge(&r, key, message))
}

/// The strict verdict from its definition.
fn strict(key: &[u8; 32], message: &[u8], signature: &Signature) -> bool {
    let (r, _) = halves(signature);
    let Some(point) = CompressedEdwardsY(*key).decompress() else {
        return false;
    };
    let Some(nonce) = CompressedEdwardsY(r).decompress() else {
        return false;
    };
    point.compress().to_bytes() == *key
        && point.is_torsion_free()
        && !point.is_small_order()
        && !nonce.is_small_order()
        && recomputed(key, message, signature).is_some_and(|point| point.compress().to_bytes() == r)
}

/// The lax verdict: both sides multiplied by the cofactor.
fn cofactored(key: &[u8; 32], message: &[u8], signature: &Signature) -> bool {
    let (r, _) = halves(signature);
    let Some(nonce) = CompressedEdwardsY(r).decompress() else {
        return false;
    };
    recomputed(key, message, signature)
        .is_some_and(|point| (point - nonce).mul_by_cofactor().is_identity())
}

/// Ours: the key's check, then the signature's; alone, in a batch, and in a batch by a table, all
/// with one verdict.
fn ours(key: &[u8; 32], message: &[u8], signature: &Signature) -> bool {
    let key = PublicKey::from_bytes(*key);
    let alone = VerifyingKey::new(&key).is_ok_and(|key| key.verify(message, signature).is_ok());
    let known = KnownKey::new(&key).ok();
    let tabled = [TableSize::Small, TableSize::Large]
        .map(|size| known.as_ref().map(|key| Arc::new(key.with_table(size))));
    let known = known.map(Arc::new);
    // Beside others, that the order of verdicts is the order of adding.
    let other = SigningKey::from_seed(&[9; 32]);
    let other_key = Arc::new(KnownKey::new(&other.public()).unwrap());
    let mut batch = SignatureBatch::default();
    batch.add(known, message, signature);
    batch.add(Some(other_key), b"another", &other.sign(b"another"));
    for key in tabled {
        batch.add(key, message, signature);
    }
    assert_eq!(batch.verdicts(), [alone, true, alone, alone]);
    alone
}

fn key_error(bytes: [u8; 32]) -> Option<KeyError> {
    VerifyingKey::new(&PublicKey::from_bytes(bytes)).err()
}

/// The 19 values of y from p to 2^255 − 1, with either sign of x: every encoding that is not
/// canonical because of y.
fn encodings_with_y_at_least_p() -> Vec<[u8; 32]> {
    let mut all = Vec::new();
    for low in 0xed..=0xff {
        for high in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            bytes[0] = low;
            bytes[31] = high;
            all.push(bytes);
        }
    }
    all
}

/// x = 0 said to be negative: y = 1 and y = −1.
fn encodings_of_negative_zero() -> [[u8; 32]; 2] {
    let mut one = [0; 32];
    one[0] = 1;
    one[31] = 0x80;
    let mut minus_one = [0xff; 32];
    minus_one[0] = 0xec;
    [one, minus_one]
}

/// Every way to write a point of small order: eight canonical ones and six that are not.
fn encodings_of_small_order() -> Vec<[u8; 32]> {
    let mut all: Vec<[u8; 32]> = EIGHT_TORSION
        .iter()
        .map(|point| point.compress().to_bytes())
        .collect();
    all.extend(encodings_of_negative_zero());
    all.extend(encodings_with_y_at_least_p().into_iter().filter(|bytes| {
        CompressedEdwardsY(*bytes)
            .decompress()
            .is_some_and(|point| point.is_small_order())
    }));
    all
}

// ---- RFC 8032 ----

struct Vector {
    name: &'static str,
    seed: &'static str,
    public: &'static str,
    message: &'static str,
    signature: &'static str,
}

/// RFC 8032, section 7.1.
const VECTORS: [Vector; 5] = [
    Vector {
        name: "TEST 1",
        seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        public: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        message: "",
        signature: "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    },
    Vector {
        name: "TEST 2",
        seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        public: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        message: "72",
        signature: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    },
    Vector {
        name: "TEST 3",
        seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        public: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        message: "af82",
        signature: "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    },
    Vector {
        name: "TEST 1024",
        seed: "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
        public: "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
        message: "\
            08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12\
            ee50f8f54e9f77b1e355f6c50544e23fb1433ddf73be84d879de7c0046dc4996d9e773f4bc9efe57\
            38829adb26c81b37c93a1b270b20329d658675fc6ea534e0810a4432826bf58c941efb65d57a338b\
            bd2e26640f89ffbc1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4fe\
            ba15452f80288a821a579116ec6dad2b3b310da903401aa62100ab5d1a36553e06203b33890cc9b8\
            32f79ef80560ccb9a39ce767967ed628c6ad573cb116dbefefd75499da96bd68a8a97b928a8bbc10\
            3b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53\
            f1d8ac70bdcb7ed185ce81bd84359d44254d95629e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2\
            d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24554119a831a9aad6\
            079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f27088d78b7e883c8759d2c4f5c65adb7553\
            878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2\
            cf65bd92dd597b0707e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128ba\
            b27af87a71314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51addd3b75a2b1ae078\
            4504df543af8969be3ea7082ff7fc9888c144da2af58429ec96031dbcad3dad9af0dcbaaaf268cb8\
            fcffead94f3c7ca495e056a9b47acdb751fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301\
            651339e22904cc8c42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8\
            ca61783aacec57fb3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34dff7310fdc82aebfd9\
            04b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08d78ff4ef5d63653a65040cf9bfd4aca7\
            984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab47b57f7f7276cd419c17a\
            3ca8e1b939ae49e488acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5011fd2dcc5600a3\
            2ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0f9cd71a4\
            3dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5fb93246f6b1116398a346f1a641f3b041\
            e989f7914f90cc2c7fff357876e506b50d334ba77c225bc307ba537152f3f1610e4eafe595f6d9d9\
            0d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380d\
            b2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef\
            68d3a101e8a3b8cac60c905c15fc910840b94c00a0b9d0",
        signature: "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03",
    },
    Vector {
        name: "TEST SHA(abc)",
        seed: "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        public: "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        message: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        signature: "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    },
];

fn array<const N: usize>(hexadecimal: &str) -> [u8; N] {
    hex::decode(hexadecimal).unwrap().try_into().unwrap()
}

#[test]
fn the_vectors_of_rfc_8032_hold() {
    for Vector {
        name,
        seed,
        public,
        message,
        signature,
    } in VECTORS
    {
        let key = SigningKey::from_seed(&array(seed));
        let message = hex::decode(message).unwrap();
        let expected = Signature::from_bytes(array(signature));
        assert_eq!(key.public().to_string(), public, "{name}");
        assert_eq!(key.sign(&message), expected, "{name}");
        let verifying = VerifyingKey::new(&public.parse().unwrap()).unwrap();
        verifying.verify(&message, &expected).unwrap();
        assert!(
            strict(key.public().as_bytes(), &message, &expected),
            "{name}: the test's verdict"
        );

        // No bit of it can be changed, and no byte of the message dropped or added.
        for bit in 0..512 {
            let mut bytes = *expected.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let changed = Signature::from_bytes(bytes);
            assert_eq!(
                verifying.verify(&message, &changed),
                Err(SignatureError),
                "{name} {bit}"
            );
        }
        let longer = [&message[..], &[0]].concat();
        assert!(verifying.verify(&longer, &expected).is_err(), "{name}");
        if let Some((_, shorter)) = message.split_last() {
            assert!(verifying.verify(shorter, &expected).is_err(), "{name}");
        }
    }
}

#[test]
fn s_that_is_not_reduced_is_refused() {
    let add_order = |s: [u8; 32]| {
        let mut carry = 0_u16;
        let mut sum = [0; 32];
        for (place, (a, b)) in sum.iter_mut().zip(s.iter().zip(ORDER)) {
            let total = u16::from(*a) + u16::from(b) + carry;
            *place = total as u8;
            carry = total >> 8;
        }
        (carry == 0).then_some(sum)
    };
    for number in 0..64_u8 {
        let key = SigningKey::from_seed(&[number; 32]);
        let message = [number; 7];
        let good = key.sign(&message);
        assert!(ours(key.public().as_bytes(), &message, &good));
        let (r, mut s) = halves(&good);
        // s + L, s + 2L, …: the same scalar, as long as 32 bytes hold it.
        let mut multiples = 0;
        while let Some(larger) = add_order(s) {
            let reduced = Scalar::from_bytes_mod_order(larger);
            assert_eq!(reduced, Scalar::from_bytes_mod_order(halves(&good).1));
            assert!(!ours(
                key.public().as_bytes(),
                &message,
                &signature(r, larger)
            ));
            s = larger;
            multiples += 1;
        }
        assert!(multiples >= 14, "{multiples}");
        // s = L itself, and all ones.
        assert!(!ours(
            key.public().as_bytes(),
            &message,
            &signature(r, ORDER)
        ));
        assert!(!ours(
            key.public().as_bytes(),
            &message,
            &signature(r, [0xff; 32])
        ));
    }
    // s = 0 with R the identity satisfies the equation when k·A vanishes; never for a real key.
    let key = SigningKey::from_seed(&[9; 32]);
    assert!(!ours(
        key.public().as_bytes(),
        b"",
        &Signature::from_bytes([0; 64])
    ));
}

#[test]
fn a_nonce_of_small_order_is_refused_in_every_encoding() {
    let encodings = encodings_of_small_order();
    assert_eq!(encodings.len(), 14, "eight canonical, six not");
    let seed = [3; 32];
    let key = SigningKey::from_seed(&seed);
    let public = *key.public().as_bytes();
    let mut lax = 0;
    let mut satisfying = 0;
    for r in encodings {
        for number in 0..8_u8 {
            let message = [number];
            // s = k·a: then sB − kA is the identity, and R differs from it by torsion only.
            let s = challenge(&r, &public, &message) * secret_scalar(&seed);
            let forged = signature(r, s.to_bytes());
            assert!(!ours(&public, &message, &forged), "R = {}", hex::encode(r));
            lax += u32::from(cofactored(&public, &message, &forged));
            satisfying += u32::from(
                recomputed(&public, &message, &forged)
                    .unwrap()
                    .compress()
                    .to_bytes()
                    == r,
            );
        }
    }
    assert_eq!(lax, 14 * 8, "a lax verifier would take each of them");
    assert_eq!(
        satisfying, 8,
        "R = identity satisfies even the equation without the cofactor"
    );
}

#[test]
fn a_nonce_with_torsion_is_refused_though_the_cofactored_equation_holds() {
    let seed = [5; 32];
    let key = SigningKey::from_seed(&seed);
    let public = *key.public().as_bytes();
    for (place, torsion) in EIGHT_TORSION.iter().enumerate() {
        for number in 1..=16_u8 {
            let message = [number; 3];
            let nonce = Scalar::from_bytes_mod_order_wide(&[number; 64]);
            let r = (EdwardsPoint::mul_base(&nonce) + torsion)
                .compress()
                .to_bytes();
            let s = nonce + challenge(&r, &public, &message) * secret_scalar(&seed);
            let crafted = signature(r, s.to_bytes());
            assert!(cofactored(&public, &message, &crafted), "torsion {place}");
            // Without torsion it is an ordinary signature with a nonce of our choosing.
            assert_eq!(
                ours(&public, &message, &crafted),
                place == 0,
                "torsion {place}"
            );
            assert_eq!(
                strict(&public, &message, &crafted),
                place == 0,
                "torsion {place}"
            );
        }
    }
}

#[test]
fn a_nonce_in_a_non_canonical_encoding_is_refused() {
    let seed = [6; 32];
    let public = *SigningKey::from_seed(&seed).public().as_bytes();
    let mut points = 0;
    for r in encodings_with_y_at_least_p() {
        // s = 1: no equation, but no panic and no acceptance either.
        let mut one = [0; 32];
        one[0] = 1;
        assert!(!ours(&public, b"", &signature(r, one)));
        points += u32::from(CompressedEdwardsY(r).decompress().is_some());
    }
    assert!(points > 10, "{points} of the encodings are points");
    // A nonce that encodes no point at all.
    let none = (2..=255_u8)
        .map(|y| {
            let mut bytes = [0; 32];
            bytes[0] = y;
            bytes
        })
        .filter(|bytes| CompressedEdwardsY(*bytes).decompress().is_none());
    let mut tried = 0;
    for r in none {
        assert!(!ours(&public, b"", &signature(r, [0; 32])));
        assert_eq!(key_error(r), Some(KeyError::NotCanonical));
        tried += 1;
    }
    assert!(tried > 50, "{tried}");
}

// ---- Keys ----

#[test]
fn keys_of_small_order_are_refused() {
    for point in EIGHT_TORSION {
        let bytes = point.compress().to_bytes();
        assert_eq!(
            key_error(bytes),
            Some(KeyError::SmallOrder),
            "{}",
            hex::encode(bytes)
        );
    }
    for bytes in encodings_of_small_order() {
        assert!(key_error(bytes).is_some(), "{}", hex::encode(bytes));
        // A verifier with the cofactor takes R = B, s = 1 by such a key for any message.
        let r = EdwardsPoint::mul_base(&Scalar::ONE).compress().to_bytes();
        let forged = signature(r, Scalar::ONE.to_bytes());
        let takers = (0..64_u8)
            .filter(|m| cofactored(&bytes, &[*m], &forged))
            .count();
        assert_eq!(takers, 64);
        assert!((0..64_u8).all(|m| !ours(&bytes, &[m], &forged)));
    }
}

#[test]
fn keys_in_non_canonical_encodings_are_refused() {
    let mut points = 0;
    for bytes in encodings_with_y_at_least_p() {
        points += u32::from(CompressedEdwardsY(bytes).decompress().is_some());
        assert_eq!(
            key_error(bytes),
            Some(KeyError::NotCanonical),
            "{}",
            hex::encode(bytes)
        );
    }
    assert!(points > 10, "{points} of the encodings are points");
    for bytes in encodings_of_negative_zero() {
        assert_eq!(
            key_error(bytes),
            Some(KeyError::NotCanonical),
            "{}",
            hex::encode(bytes)
        );
    }
}

#[test]
fn keys_with_torsion_are_refused_even_where_the_strict_equation_holds() {
    let seed = [8; 32];
    let clean = *SigningKey::from_seed(&seed).public().as_bytes();
    let point = CompressedEdwardsY(clean).decompress().unwrap();
    assert_eq!(key_error(clean), None);
    for torsion in &EIGHT_TORSION[1..] {
        let mixed = (point + torsion).compress().to_bytes();
        assert_eq!(key_error(mixed), Some(KeyError::Torsion));
        // Signing with the clean scalar works for the messages whose k is a multiple of the
        // torsion's order: ed25519-dalek's strict verdict takes these, and others may not.
        let mut taken = 0;
        for number in 0..64_u8 {
            let nonce = Scalar::from_bytes_mod_order_wide(&[number + 1; 64]);
            let r = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
            let s = nonce + challenge(&r, &mixed, &[number]) * secret_scalar(&seed);
            let crafted = signature(r, s.to_bytes());
            assert!(cofactored(&mixed, &[number], &crafted));
            let dalek = ed25519_dalek::VerifyingKey::from_bytes(&mixed).unwrap();
            let crafted = ed25519_dalek::Signature::from_bytes(crafted.as_bytes());
            taken += u32::from(dalek.verify_strict(&[number], &crafted).is_ok());
        }
        assert!(
            (1..64).contains(&taken),
            "{taken} of 64: what such a key would be used for"
        );
    }
}

#[test]
fn the_text_of_a_key_is_64_hexadecimal_digits() {
    let key = SigningKey::from_seed(&[1; 32]).public();
    let text = key.to_string();
    assert_eq!(text.parse::<PublicKey>(), Ok(key));
    for wrong in [
        "",
        &text[..62],
        &text[..63],
        &format!("{text}00"),
        &format!(" {text}"),
        &format!("{text}\n"),
        &format!("0x{}", &text[..62]),
        &text.replacen(|c: char| c.is_ascii_digit(), "g", 1),
    ] {
        assert_eq!(wrong.parse::<PublicKey>(), Err(KeyError::Text), "{wrong:?}");
    }
}

// ---- Agreement ----

#[derive(Clone, Copy, Debug)]
enum Change {
    Nothing,
    SignatureBit(usize),
    KeyBit(usize),
    MessageBit(usize),
    OtherMessage,
    OtherKey,
    SwappedHalves,
    Random,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => Just(Change::Nothing),
        4 => (0..512_usize).prop_map(Change::SignatureBit),
        2 => (0..256_usize).prop_map(Change::KeyBit),
        2 => any::<usize>().prop_map(Change::MessageBit),
        1 => Just(Change::OtherMessage),
        1 => Just(Change::OtherKey),
        1 => Just(Change::SwappedHalves),
        1 => Just(Change::Random),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_verdict_is_dalek_s_and_the_definition_s(
        seed: [u8; 32],
        noise: [u8; 32],
        mut message in proptest::collection::vec(any::<u8>(), 1..200),
        change in change(),
    ) {
        let signing = SigningKey::from_seed(&seed);
        let mut key = *signing.public().as_bytes();
        let mut bytes = *signing.sign(&message).as_bytes();
        match change {
            Change::Nothing => {}
            Change::SignatureBit(bit) => bytes[bit / 8] ^= 1 << (bit % 8),
            Change::KeyBit(bit) => key[bit / 8] ^= 1 << (bit % 8),
            Change::MessageBit(bit) => {
                let place = bit / 8 % message.len();
                message[place] ^= 1 << (bit % 8);
            }
            Change::OtherMessage => message.push(0),
            Change::OtherKey => {
                prop_assume!(noise != seed);
                key = *SigningKey::from_seed(&noise).public().as_bytes();
            }
            Change::SwappedHalves => bytes.rotate_left(32),
            Change::Random => bytes[32..].copy_from_slice(&noise),
        }
        let given = Signature::from_bytes(bytes);
        let verdict = ours(&key, &message, &given);
        prop_assert_eq!(verdict, matches!(change, Change::Nothing));
        prop_assert_eq!(verdict, strict(&key, &message, &given));
        let dalek = ed25519_dalek::VerifyingKey::from_bytes(&key).is_ok_and(|key| {
            key.verify_strict(&message, &ed25519_dalek::Signature::from_bytes(&bytes)).is_ok()
        });
        prop_assert_eq!(verdict, dalek);
    }

    #[test]
    fn a_random_key_is_accepted_only_if_its_definition_allows_it(bytes: [u8; 32]) {
        let good = CompressedEdwardsY(bytes).decompress().is_some_and(|point| {
            point.compress().to_bytes() == bytes && point.is_torsion_free() && !point.is_small_order()
        });
        prop_assert_eq!(key_error(bytes).is_none(), good);
    }
}

// ---- Key files ----

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs openssl, or says that there is none.
fn openssl(directory: &Path, arguments: &[&str]) -> Option<Output> {
    match Command::new("openssl")
        .args(arguments)
        .current_dir(directory)
        .output()
    {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: there is no openssl on this machine to compare with");
            None
        }
        Err(error) => panic!("openssl: {error}"),
    }
}

#[test]
fn a_key_file_is_the_owner_s_alone_and_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("governor.pem");
    let key = SigningKey::generate().unwrap();
    key.write_new(&path).unwrap();
    assert_eq!(mode_of(&path), 0o600);
    assert_eq!(SigningKey::read(&path).unwrap().public(), key.public());

    let before = std::fs::read(&path).unwrap();
    let text = std::str::from_utf8(&before).unwrap();
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{text}");
    assert!(text.ends_with("-----END PRIVATE KEY-----\n"), "{text}");
    let other = SigningKey::generate().unwrap();
    assert_ne!(other.public(), key.public());
    assert!(matches!(other.write_new(&path), Err(KeyFileError::Exists(p)) if p == path));
    assert_eq!(
        std::fs::read(&path).unwrap(),
        before,
        "nothing was overwritten"
    );

    // Nor through a link, whether or not there is something behind it.
    for (name, target) in [("link", "governor.pem"), ("dangling", "nowhere.pem")] {
        let link = directory.path().join(name);
        std::os::unix::fs::symlink(target, &link).unwrap();
        assert!(
            matches!(other.write_new(&link), Err(KeyFileError::Exists(_))),
            "{name}"
        );
    }
    assert!(!directory.path().join("nowhere.pem").exists());
    assert_eq!(std::fs::read(&path).unwrap(), before);

    let nowhere = directory.path().join("no such directory").join("key.pem");
    assert!(matches!(
        other.write_new(&nowhere),
        Err(KeyFileError::Io(..))
    ));
    assert!(matches!(
        SigningKey::read(&nowhere),
        Err(KeyFileError::Io(..))
    ));
}

#[test]
fn a_key_file_with_rights_for_others_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    SigningKey::from_seed(&[4; 32]).write_new(&path).unwrap();
    for right in 0..6 {
        let mode = 0o600 | 1 << right;
        set_mode(&path, mode);
        let refused = SigningKey::read(&path).unwrap_err();
        assert!(
            matches!(&refused, KeyFileError::Open(_, m) if *m == mode),
            "{mode:o}: {refused}"
        );
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
    }
    // That a file holds no private key comes first: anybody may read a public one.
    let public = directory.path().join("public.pem");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&public, text.replace("PRIVATE KEY", "PUBLIC KEY")).unwrap();
    set_mode(&public, 0o644);
    let refused = SigningKey::read(&public).unwrap_err();
    assert!(refused.to_string().contains("public half"), "{refused}");
    for mode in [0o644, 0o640, 0o660, 0o666, 0o777] {
        set_mode(&path, mode);
        assert!(
            matches!(SigningKey::read(&path), Err(KeyFileError::Open(..))),
            "{mode:o}"
        );
    }
    for mode in [0o600, 0o400] {
        set_mode(&path, mode);
        SigningKey::read(&path).unwrap();
    }
}

#[test]
fn a_group_may_read_a_key_that_nobody_may_write() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    SigningKey::from_seed(&[4; 32]).write_new(&path).unwrap();
    // As a pod's secret is mounted: for a group that the process is in.
    set_mode(&path, 0o440);
    SigningKey::read(&path).unwrap();
    for mode in [0o640, 0o460, 0o444, 0o450, 0o441] {
        set_mode(&path, mode);
        assert!(
            matches!(SigningKey::read(&path), Err(KeyFileError::Open(..))),
            "{mode:o}"
        );
    }
    // Another's group: only root can give a file to one.
    set_mode(&path, 0o440);
    if std::os::unix::fs::chown(&path, None, Some(54_321)).is_ok() {
        assert!(matches!(
            SigningKey::read(&path),
            Err(KeyFileError::Open(..))
        ));
    }
}

#[test]
fn what_editors_and_other_programs_make_of_a_key_is_read_or_named() {
    use ed25519_dalek::pkcs8::EncodePrivateKey as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    let key = SigningKey::from_seed(&[4; 32]);
    key.write_new(&path).unwrap();
    let good = std::fs::read_to_string(&path).unwrap();
    let body = good.lines().nth(1).unwrap().to_owned();
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        SigningKey::read(&path).map_err(|error| error.to_string())
    };
    let version_2 = ed25519_dalek::SigningKey::from_bytes(&[4; 32]);
    let version_2 = version_2.to_pkcs8_pem(Default::default()).unwrap();
    let by_ring = [
        b"\x30\x53\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".as_slice(),
        &[4; 32],
        b"\xa1\x23\x03\x21\x00",
        key.public().as_bytes(),
    ]
    .concat();
    let by_ring = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(by_ring)
    );
    let wrapped = good.replacen(&body, &format!("{}\n{}", &body[..40], &body[40..]), 1);
    for (what, text) in [
        ("as it was written", good.clone()),
        ("empty lines after it", format!("{good}\n\n")),
        ("an empty line before it", format!("\n{good}")),
        ("CRLF", good.replace('\n', "\r\n")),
        ("spaces at the ends of lines", good.replace('\n', " \n")),
        ("a byte order mark", format!("\u{feff}{good}")),
        ("no last line end", good.trim_end().to_owned()),
        ("other lines", wrapped),
        (
            "words around it",
            format!("Bag Attributes\n{good}that was the key\n"),
        ),
        ("version 2, with the public half", version_2.to_string()),
        ("version 2, as ring writes it", by_ring),
    ] {
        let found = read(text.as_bytes()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(found.public(), key.public(), "{what}");
    }

    let block = |label: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    let ec = "-----BEGIN PRIVATE KEY-----\n\
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgznplfc6km8vYUoCc\n\
        hFGWbMmrRtIWBNwDpBQQ9K7zHIuhRANCAAQ9pTxkMH+LhkXujYGiKsoGu48TJbVX\n\
        uBtYF2wGndQq722BOXab66OBwirPEUnY9zcUEgI01+ALxFvat+pnn59j\n\
        -----END PRIVATE KEY-----\n";
    let other_half = version_2.lines().collect::<Vec<_>>();
    let mut other_half = STANDARD
        .decode(other_half[1..other_half.len() - 1].concat())
        .unwrap();
    *other_half.last_mut().unwrap() ^= 1;
    let other_half = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(other_half)
    );
    let one_line = good.replace('\n', " ");
    for (what, bytes, words) in [
        ("encrypted", block("ENCRYPTED PRIVATE KEY").into_bytes(), "encrypted"),
        (
            "encrypted, the older form",
            b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n".to_vec(),
            "encrypted",
        ),
        ("OpenSSH", block("OPENSSH PRIVATE KEY").into_bytes(), "OpenSSH"),
        ("the public half", block("PUBLIC KEY").into_bytes(), "public half"),
        ("an OpenSSH public key", b"ssh-ed25519 AAAAC3Nz a@b\n".to_vec(), "public half"),
        ("what keygen prints", format!("{}\n", key.public()).into_bytes(), "public half"),
        ("both halves", (good.clone() + &block("PUBLIC KEY")).into_bytes(), "several keys (PRIVATE KEY, PUBLIC KEY)"),
        ("two keys", good.repeat(2).into_bytes(), "several keys"),
        ("X25519", good.replacen("AwBQYDK2Vw", "AwBQYDK2Vu", 1).into_bytes(), "X25519, not for Ed25519"),
        ("an elliptic curve", ec.as_bytes().to_vec(), "ECDSA"),
        ("RSA", block("RSA PRIVATE KEY").into_bytes(), "RSA, not for Ed25519"),
        ("a certificate", block("CERTIFICATE").into_bytes(), "CERTIFICATE, no private key"),
        ("cut", good.as_bytes()[..60].to_vec(), "was cut"),
        ("a damaged body", good.replacen("MC4", "MC!", 1).into_bytes(), "damaged"),
        ("another's public half", other_half.into_bytes(), "another key's"),
        ("on one line", one_line.into_bytes(), "no PEM block"),
        ("DER", STANDARD.decode(&body).unwrap(), "DER"),
        ("UTF-16", good.encode_utf16().flat_map(u16::to_le_bytes).collect(), "UTF-16"),
        ("nothing", Vec::new(), "is empty"),
        ("a long file", vec![b'x'; 5000], "too long"),
    ] {
        let words_found = read(&bytes).map(|_| ()).unwrap_err();
        assert!(words_found.contains(words), "{what}: {words_found}");
        assert!(!words_found.contains(&body[10..]), "{what}: it shows the key");
    }
}

#[test]
fn what_is_no_key_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    let key = SigningKey::from_seed(&[4; 32]);
    key.write_new(&path).unwrap();
    let good = std::fs::read_to_string(&path).unwrap();
    let try_bytes = |name: &str, bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(mode_of(&path), 0o600);
        let refused = SigningKey::read(&path).unwrap_err();
        assert!(
            matches!(refused, KeyFileError::NotAKey(..)),
            "{name}: {refused}"
        );
        // Whatever it says, it does not say what is in the file.
        assert!(!refused.to_string().contains("MC4CAQ"), "{name}: {refused}");
    };
    let body = good.lines().nth(1).unwrap();
    // A certificate's label, a key of another kind, an X25519 key, a seed of 31 bytes.
    let x25519 = body.replacen("AwBQYDK2Vw", "AwBQYDK2Vu", 1);
    assert_ne!(x25519, body);
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("a line", b"hello\n".to_vec()),
        ("no UTF-8", vec![0xff; 200]),
        ("long", vec![b'A'; 100_000]),
        ("cut", good.as_bytes()[..good.len() / 2].to_vec()),
        (
            "another label",
            good.replace("PRIVATE KEY", "PUBLIC KEY").into_bytes(),
        ),
        (
            "legacy label",
            good.replace("PRIVATE KEY", "EC PRIVATE KEY").into_bytes(),
        ),
        ("x25519", good.replace(body, &x25519).into_bytes()),
        ("shorter", good.replace(body, &body[4..]).into_bytes()),
        (
            "no base64",
            good.replace(body, &body.replace('M', "?")).into_bytes(),
        ),
        ("bare seed", hex::encode([4; 32]).into_bytes()),
        ("bare base64", body.as_bytes().to_vec()),
    ] {
        try_bytes(name, &bytes);
    }
    std::fs::write(&path, &good).unwrap();
    assert_eq!(SigningKey::read(&path).unwrap().public(), key.public());
    set_mode(directory.path(), 0o700);
    assert!(SigningKey::read(directory.path()).is_err(), "a directory");
}

#[test]
fn openssl_reads_our_keys_and_verifies_our_signatures() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let key = SigningKey::from_seed(&[0x5a; 32]);
    key.write_new(&at.join("key.pem")).unwrap();
    let Some(shown) = openssl(at, &["pkey", "-in", "key.pem", "-text", "-noout"]) else {
        return;
    };
    assert!(
        shown.status.success(),
        "{}",
        String::from_utf8_lossy(&shown.stderr)
    );
    let digits: String = String::from_utf8(shown.stdout)
        .unwrap()
        .split_once("pub:")
        .expect("openssl shows the public key")
        .1
        .chars()
        .filter(char::is_ascii_hexdigit)
        .collect();
    assert_eq!(digits, key.public().to_string());

    let wrote = openssl(
        at,
        &["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"],
    )
    .unwrap();
    assert!(wrote.status.success());
    let verify = || {
        let arguments = [
            "-pubin",
            "-inkey",
            "public.pem",
            "-rawin",
            "-in",
            "message",
            "-sigfile",
            "signature",
        ];
        let arguments: Vec<&str> = ["pkeyutl", "-verify"]
            .into_iter()
            .chain(arguments)
            .collect();
        openssl(at, &arguments).unwrap().status.success()
    };
    for number in 0..8_u8 {
        let message = vec![number; 1 + usize::from(number) * 100];
        let mut bytes = *key.sign(&message).as_bytes();
        std::fs::write(at.join("message"), &message).unwrap();
        std::fs::write(at.join("signature"), bytes).unwrap();
        assert!(verify(), "openssl refuses our signature {number}");
        bytes[usize::from(number) * 7] ^= 0x10;
        std::fs::write(at.join("signature"), bytes).unwrap();
        assert!(!verify(), "openssl takes a changed signature {number}");
    }
}

#[test]
fn we_read_openssl_s_keys_and_verify_its_signatures() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let arguments = ["genpkey", "-algorithm", "ed25519", "-out", "key.pem"];
    let Some(made) = openssl(at, &arguments) else {
        return;
    };
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    set_mode(&at.join("key.pem"), 0o600);
    let key = SigningKey::read(&at.join("key.pem")).unwrap();
    let der = openssl(
        at,
        &["pkey", "-in", "key.pem", "-pubout", "-outform", "DER"],
    )
    .unwrap()
    .stdout;
    assert!(der.ends_with(key.public().as_bytes()));

    std::fs::write(at.join("message"), "of openssl").unwrap();
    let arguments = [
        "pkeyutl",
        "-sign",
        "-inkey",
        "key.pem",
        "-rawin",
        "-in",
        "message",
        "-out",
        "signature",
    ];
    assert!(openssl(at, &arguments).unwrap().status.success());
    let bytes = std::fs::read(at.join("signature"))
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(
        key.sign(b"of openssl").as_bytes(),
        &bytes,
        "Ed25519 is deterministic"
    );
    let verifying = VerifyingKey::new(&key.public()).unwrap();
    verifying
        .verify(b"of openssl", &Signature::from_bytes(bytes))
        .unwrap();

    // Keys of other kinds are none of ours.
    let arguments = ["genpkey", "-algorithm", "x25519", "-out", "other.pem"];
    assert!(openssl(at, &arguments).unwrap().status.success());
    set_mode(&at.join("other.pem"), 0o600);
    let refused = SigningKey::read(&at.join("other.pem")).unwrap_err();
    assert!(matches!(refused, KeyFileError::NotAKey(..)), "{refused}");
}

#[test]
fn no_private_key_is_shown() {
    let key = SigningKey::from_seed(&[0xab; 32]);
    let shown = format!("{key:?}");
    assert!(shown.contains(&key.public().to_string()));
    assert!(!shown.contains(&hex::encode([0xab; 32])), "{shown}");
    assert!(!shown.contains("171"), "{shown}");
}
