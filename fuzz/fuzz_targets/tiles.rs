//! Bundles, tiles of hashes and their paths: one spelling, one reading, the oracle's.
#![no_main]

use arborlog::merkle::{
    Bundle, HashTile, Level, NodeTile, TILE_HASHES, TileId, leaf_hash, root_of,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(bundle) = Bundle::parse_all(bytes) {
        let mut again = Vec::new();
        for entry in bundle.entries() {
            Bundle::append(&mut again, entry).unwrap();
        }
        assert_eq!(again, bytes);
        root_of(bundle.entries().iter().map(|entry| leaf_hash(entry)));
    }
    let width = (bytes.len() / 32) as u64;
    if (1..=TILE_HASHES).contains(&width) {
        let id = TileId::in_tree(Level::Hashes(0), 0, width).unwrap();
        if let Ok(tile) = HashTile::parse(&id, bytes) {
            let root = tile.root().unwrap();
            assert_eq!(root, root_of(tile.hashes().iter().copied()));
            NodeTile::new(tile);
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let ours = text.parse::<TileId>();
        if let Ok(id) = &ours {
            assert_eq!(id.to_string(), text);
        }
        // Their paths name the height of a tile too, ours is always 8. Theirs panics at a width of
        // 0, so only what we read is asked.
        if let (Ok(_), Some(rest)) = (ours, text.strip_prefix("tile/")) {
            let rest = rest.replacen("entries", "data", 1);
            let theirs = tlog_tiles::Tile::from_path(&format!("tile/8/{rest}"));
            assert!(theirs.is_ok(), "{text}: {theirs:?}");
        }
    }
});
