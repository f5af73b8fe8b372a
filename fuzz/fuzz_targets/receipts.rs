//! Receipts: read, written again, and verified; none but a golden entry ever verifies.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use arborlog::note::VerifierKey;
use arborlog::receipt::Receipt;
use libfuzzer_sys::fuzz_target;

const GOLDEN: [&str; 5] = [
    include_str!("../../tests/golden/receipts/award.tlog-proof"),
    include_str!("../../tests/golden/receipts/genesis.tlog-proof"),
    include_str!("../../tests/golden/receipts/governors.tlog-proof"),
    include_str!("../../tests/golden/receipts/last_award_cosigned.tlog-proof"),
    include_str!("../../tests/golden/receipts/plot_handed_over.tlog-proof"),
];
static KEYS: LazyLock<Vec<VerifierKey>> = LazyLock::new(|| {
    let keys = [
        include_str!("../../tests/golden/note/log.vkey"),
        include_str!("../../tests/golden/note/log_next.vkey"),
    ];
    keys.iter().map(|key| key.trim().parse().unwrap()).collect()
});
static VERIFIED: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let receipts = GOLDEN.iter().map(|text| text.parse::<Receipt>().unwrap());
    let said = receipts.flat_map(|receipt| said(&receipt));
    let said: BTreeSet<String> = said.collect();
    assert!(!said.is_empty());
    said
});

/// What a receipt proves under each key, but for the tree that it was proven to be in.
fn said(receipt: &Receipt) -> Vec<String> {
    let verified = KEYS
        .iter()
        .filter_map(|key| receipt.verify(key, None, &[]).ok());
    verified
        .map(|it| format!("{:?} {:?}", it.index, it.entry))
        .collect()
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(receipt) = Receipt::read(bytes) else {
        return;
    };
    assert_eq!(receipt.to_text().unwrap().as_bytes(), bytes);
    for said in said(&receipt) {
        assert!(VERIFIED.contains(&said), "{said}");
    }
});
