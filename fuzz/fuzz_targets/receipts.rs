//! Receipts: read, written again, and verified; nothing but what golden files say ever verifies.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use arborlog::note::VerifierKey;
use arborlog::receipt::Receipt;
use libfuzzer_sys::fuzz_target;

const GOLDEN: [&str; 23] = [
    include_str!("../../tests/golden/receipts/award.tlog-proof"),
    include_str!("../../tests/golden/receipts/genesis.tlog-proof"),
    include_str!("../../tests/golden/receipts/governors.tlog-proof"),
    include_str!("../../tests/golden/receipts/last_award_cosigned.tlog-proof"),
    include_str!("../../tests/golden/receipts/plot_handed_over.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_account_history.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_account_history_other.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_account_history_part.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_certificate.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_certificate_voided.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_certificate_waiting.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_corrected_award.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_corrected_loss.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_corrected_planting.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_corrected_transfer.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_items.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_latest_survey.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_no_survey.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_plot_history.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_plot_history_part.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_totals.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_tree_without_claim.tlog-proof"),
    include_str!("../../tests/golden/receipts/state_uncorrected_sealed.tlog-proof"),
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

/// What a receipt proves under each key, but for the tree that it was proven to be in: its entry, and of a file about
/// the state what is there and which entries are shown.
fn said(receipt: &Receipt) -> Vec<String> {
    let verified = KEYS
        .iter()
        .filter_map(|key| receipt.verify(key, None, &[]).ok());
    let mut said = Vec::new();
    for it in verified {
        said.push(format!("{:?} {:?}", it.index, it.entry));
        // That nothing is at a key may hold for other keys, too.
        let leaves = it.items.iter().filter(|item| item.found.is_some());
        said.extend(
            leaves.map(|item| format!("{:?} {:?} {:?}", item.domain, item.key, item.found)),
        );
        said.extend(it.shown.iter().map(|shown| format!("shown {shown:?}")));
    }
    said
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
