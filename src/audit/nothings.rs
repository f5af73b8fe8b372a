//! Digests that stand for nothing: of a field that nobody filled in, or of an empty file.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

use crate::record::Digest;

/// Of 32 random bytes some 30 differ; that at most so many do happens once in 10^33 digests.
const DIFFERENT_BYTES_MAX: usize = 8;
/// What is hashed where there is no file. Each with a line's end behind it too.
const NOTHINGS: [&str; 30] = [
    "",
    " ",
    "0",
    "1",
    "-",
    ".",
    "a",
    "abc",
    "{}",
    "[]",
    "\"\"",
    "null",
    "nil",
    "none",
    "None",
    "n/a",
    "N/A",
    "NA",
    "undefined",
    "test",
    "TEST",
    "TODO",
    "todo",
    "foo",
    "example",
    "evidence",
    "photo",
    "placeholder",
    "hello",
    "hello world",
];

static DIGESTS: LazyLock<BTreeSet<[u8; 32]>> = LazyLock::new(|| {
    let ends = ["", "\n", "\r\n"];
    let texts = NOTHINGS
        .iter()
        .flat_map(|text| ends.map(|end| format!("{text}{end}")));
    texts.map(|text| Sha256::digest(text).into()).collect()
});

/// Whether a digest is of nothing, or no digest at all.
pub(super) fn is_nothing(digest: &Digest) -> bool {
    let bytes = digest.as_bytes();
    let mut seen = [0_u64; 4];
    for byte in bytes {
        if let Some(word) = seen.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }
    let different: u32 = seen.iter().map(|word| word.count_ones()).sum();
    if different as usize <= DIFFERENT_BYTES_MAX {
        return true;
    }
    // 00 01 02 …, and backwards.
    let steps = bytes.windows(2).map(|pair| match pair {
        [one, next] => next.wrapping_sub(*one),
        _ => 0,
    });
    let mut steps: Vec<u8> = steps.collect();
    steps.dedup();
    steps.len() == 1 || DIGESTS.contains(bytes)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::is_nothing;
    use crate::record::Digest;

    #[test]
    fn nothings_are_known_and_files_are_none() {
        let hex = |text: &str| text.parse::<Digest>().unwrap();
        for nothing in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "000000000000000000000000000000000000000000000000000000003b9aca01",
            "deadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100",
            // Of an empty file, and of one with a line's end alone.
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ] {
            assert!(is_nothing(&hex(nothing)), "{nothing}");
        }
        for number in 0..100_000_u32 {
            let digest = Sha256::digest(number.to_be_bytes());
            assert!(!is_nothing(&Digest::from_bytes(digest.into())), "{number}");
        }
    }
}
