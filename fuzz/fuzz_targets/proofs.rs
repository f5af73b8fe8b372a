//! Inclusion and consistency proofs of any hashes: our verdict is the oracle's.
#![no_main]

use arborlog::merkle::{
    Hash, PROOF_HASHES_MAX, consistency_ranges, inclusion_ranges, verify_consistency,
    verify_inclusion,
};
use libfuzzer_sys::fuzz_target;

fn theirs(hash: &Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(*hash.as_bytes())
}

fuzz_target!(|bytes: &[u8]| {
    let Some((sizes, rest)) = bytes.split_first_chunk::<16>() else {
        return;
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
    let (a, b) = (number(&sizes[..8]), number(&sizes[8..]));
    // Their sizes are not all of u64.
    let (a, b) = (a >> 2, b >> 2);
    let (hashes, _) = rest.as_chunks::<32>();
    let hashes: Vec<Hash> = hashes.iter().map(|hash| Hash::from_bytes(*hash)).collect();
    let [root, leaf, proof @ ..] = hashes.as_slice() else {
        return;
    };
    let _ = (inclusion_ranges(a, b), consistency_ranges(a, b));
    if proof.len() > PROOF_HASHES_MAX {
        return;
    }
    let their_proof: Vec<tlog_tiles::Hash> = proof.iter().map(theirs).collect();
    if a < b {
        let ours = verify_inclusion(*leaf, a, b, proof, root).is_ok();
        let oracle =
            tlog_tiles::check_record(&their_proof, b, theirs(root), a, theirs(leaf)).is_ok();
        assert_eq!(ours, oracle, "inclusion of {a} in {b}");
    }
    if 0 < a && a <= b {
        let ours = verify_consistency(a, leaf, b, root, proof).is_ok();
        let oracle = tlog_tiles::check_tree(&their_proof, b, theirs(root), a, theirs(leaf)).is_ok();
        assert_eq!(ours, oracle, "consistency of {a} and {b}");
    }
});
