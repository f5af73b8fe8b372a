//! Signed notes, checkpoints, cosignatures and verifier keys, beside the oracle's reading.
#![no_main]

use std::sync::LazyLock;

use arborlog::note::{
    Checkpoint, Cosignature, NOTE_BYTES_MAX, SignedNote, UnverifiedCheckpoint, VerifierKey,
};
use libfuzzer_sys::fuzz_target;

static LOG: LazyLock<VerifierKey> = LazyLock::new(|| {
    include_str!("../../tests/golden/note/log.vkey")
        .trim()
        .parse()
        .unwrap()
});
static WITNESS: LazyLock<VerifierKey> = LazyLock::new(|| {
    include_str!("../../tests/golden/note/witness.vkey")
        .trim()
        .parse()
        .unwrap()
});

fuzz_target!(|bytes: &[u8]| {
    let ours = SignedNote::parse(bytes);
    let theirs = signed_note::Note::from_bytes(bytes);
    if let Ok(note) = &ours {
        assert_eq!(note.to_string().as_bytes(), bytes);
        let theirs = theirs.as_ref().expect("the oracle reads what we read");
        assert_eq!(theirs.text(), note.text().as_bytes());
    }
    assert!(ours.is_err() || bytes.len() <= NOTE_BYTES_MAX);
    if let Ok(read) = UnverifiedCheckpoint::parse(bytes) {
        let text = read.note().text().as_bytes();
        let theirs = tlog_tiles::Checkpoint::from_bytes(text).expect("a checkpoint there too");
        assert_eq!(theirs.size(), read.head().size);
        assert_eq!(theirs.hash().0, *read.head().root.as_bytes());
    }
    if let Ok(checkpoint) = Checkpoint::open(bytes, &LOG) {
        // Nobody here has the key: only what the golden files hold verifies.
        let golden = [
            include_str!("../../tests/golden/log/1/checkpoint"),
            include_str!("../../tests/golden/log/55/checkpoint"),
            include_str!("../../tests/golden/log/255/checkpoint"),
            include_str!("../../tests/golden/log/256/checkpoint"),
            include_str!("../../tests/golden/log/257/checkpoint"),
        ];
        let text = checkpoint.note().text();
        assert!(golden.iter().any(|note| note.starts_with(text)), "{text:?}");
        let _ = Cosignature::verify(&checkpoint, &WITNESS);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(vkey) = text.parse::<VerifierKey>()
    {
        assert_eq!(vkey.to_string(), text.trim_ascii());
    }
});
