// What a receipt's file may have at most, in bytes and numbers as they are written (docs/format.md, section 13.5).

export const BOUNDS = Object.freeze({
  receipt_bytes: 4 << 20, extra_bytes: 2 << 20, path_hashes: 65, entry_bytes: 32_768, record_bytes: 25_600, lineage_places: 5,
  endorsements: 32, authority_links: 64, siblings: 14, sealed_statements: 16_384, items: 64, item_fields_bytes: 1 << 20,
  leaf_value_bytes: 128, trie_depth: 256, shown_entries: 512, note_bytes: 262_144, note_signatures: 64,
  cosigned_at_s: 2n ** 63n - 1n,
});

// What a policy may have at most (the same section).
export const POLICY_BOUNDS = Object.freeze({
  policy_bytes: 24_576, policy_file_bytes: 131_072, policy_logs: 64, policy_witnesses: 64, policy_groups: 64, policy_name_bytes: 200,
});
