//! Statements as JSON, one a line, as `submit` reads them: what is read can be signed, and is read
//! back the same.
#![no_main]

use std::sync::LazyLock;

use arborlog::crypto::SigningKey;
use arborlog::record::{Origin, Record, RecordId, Seq, SigningContext, Statement, draft};
use libfuzzer_sys::fuzz_target;

static CONTEXT: LazyLock<SigningContext> = LazyLock::new(|| {
    let origin: Origin = "fuzz.example/ledger".parse().unwrap();
    SigningContext::new(&origin)
});
static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_seed(&[1; 32]));

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for line in text.lines() {
        let Ok(statement) = serde_json::from_str::<Statement>(line) else {
            continue;
        };
        let record = Record {
            issuer: KEY.public(),
            seq: Seq(0),
            prev: RecordId::NONE,
            issued_on: "2026-01-01".parse().unwrap(),
            statement,
        };
        if let Ok((signed, _)) = draft(&record, &CONTEXT, &KEY) {
            assert_eq!(signed.record(), &record);
            let json = serde_json::to_string(&record.statement).unwrap();
            assert_eq!(
                serde_json::from_str::<Statement>(&json).unwrap(),
                record.statement
            );
        }
    }
});
