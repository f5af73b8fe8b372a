//! Records, signed records and entries: what decodes is encoded to the same bytes again.
#![no_main]

use arborlog::record::{Entry, SignedRecord};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(signed) = SignedRecord::decode(bytes) {
        assert_eq!(signed.encode().unwrap(), bytes);
        let parts = SignedRecord::with_mldsa(
            signed.bytes().to_vec(),
            *signed.signature(),
            signed.endorsements().to_vec(),
            signed.mldsa_signature().cloned(),
        );
        assert_eq!(parts.unwrap().encode().unwrap(), bytes);
        // What a reader sees as JSON is the statement, no more and no less.
        let statement = &signed.record().statement;
        let json = serde_json::to_string(statement).unwrap();
        assert_eq!(
            &serde_json::from_str::<arborlog::record::Statement>(&json).unwrap(),
            statement
        );
    }
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(entry.encode().unwrap(), bytes);
    }
});
