//! Signatures of any bytes under keys of any bytes: what is checked together with tables has the
//! verdict of the strict check alone.
#![no_main]

use std::sync::LazyLock;

use arborlog::crypto::{KnownKeys, PublicKey, Signature, SignatureBatch, SigningKey, VerifyingKey};
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<KnownKeys> = LazyLock::new(KnownKeys::default);
static OURS: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_seed(&[3; 32]));

fuzz_target!(|bytes: &[u8]| {
    let mut batch = SignatureBatch::default();
    let mut strict = Vec::new();
    let (chunks, _) = bytes.as_chunks::<100>();
    for chunk in chunks {
        let (kind, chunk) = (chunk[0], &chunk[1..]);
        let message = &chunk[96..];
        let mut key = PublicKey::from_bytes(chunk[..32].try_into().unwrap());
        let mut signature: [u8; 64] = chunk[32..96].try_into().unwrap();
        // Most bytes are no key: with our own, changed halves of good signatures get further.
        if kind & 1 == 1 {
            key = OURS.public();
            let good = OURS.sign(message);
            for (byte, good) in signature.iter_mut().zip(good.as_bytes()) {
                *byte = if kind & 2 == 2 { *good } else { *byte ^ good };
            }
            if kind & 4 == 4 {
                signature[usize::from(kind >> 3) * 2 % 64] ^= 1 << (kind >> 5);
            }
        }
        let signature = Signature::from_bytes(signature);
        batch.add(KEYS.get(&key).ok(), message, &signature);
        let alone = VerifyingKey::new(&key);
        strict.push(alone.is_ok_and(|key| key.verify(message, &signature).is_ok()));
    }
    assert_eq!(batch.verdicts(), strict);
});
