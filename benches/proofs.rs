//! What a verifier's and a server's bytes cost: decoding entries, parsing bundles, proofs from tiles,
//! a receipt. `cargo bench --bench proofs`; compare the rows of one run.

#[path = "support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::hint::black_box;

use arborlog::merkle::{
    Bundle, Hash, HashTile, Level, Node, NodeTile, TILE_HASHES, TileId, fold_nodes,
    inclusion_ranges, leaf_hash, range_nodes, root_of, verify_inclusion,
};
use arborlog::receipt::Receipt;
use arborlog::record::SignedEntry;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use support::{bundle, golden_text, vkey};

/// Leaves of the tree that proofs are of: two full levels of tiles.
const LEAVES: u64 = TILE_HASHES * TILE_HASHES;

fn entries(criterion: &mut Criterion) {
    let bytes = bundle();
    let mut group = criterion.benchmark_group("bundle");
    group.throughput(Throughput::Elements(TILE_HASHES));
    group.bench_function("parse", |bench| {
        bench.iter(|| Bundle::parse(black_box(&bytes), 256).is_ok());
    });
    let bundle = Bundle::parse(&bytes, 256).expect("a full bundle");
    group.bench_function("hash to the root", |bench| {
        bench.iter(|| {
            let leaves = bundle.entries().iter().map(|entry| leaf_hash(entry));
            root_of(leaves)
        });
    });
    group.bench_function("decode entries", |bench| {
        bench.iter(|| {
            let mut decoded = bundle
                .entries()
                .iter()
                .map(|entry| SignedEntry::decode(entry));
            assert!(decoded.all(|entry| entry.is_ok()));
        });
    });
    group.finish();
}

/// All tiles of a tree.
struct Tiles(HashMap<TileId, NodeTile>);

impl Tiles {
    fn of(mut hashes: Vec<Hash>) -> Self {
        let mut tiles = HashMap::new();
        for level in 0.. {
            for (number, hashes) in (0..).zip(hashes.chunks(256)) {
                let id = TileId::in_tree(Level::Hashes(level), number, LEAVES).expect("a tile");
                let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
                let tile = HashTile::parse(&id, &bytes).expect("a tile");
                tiles.insert(id, NodeTile::new(tile));
            }
            hashes = hashes
                .chunks_exact(256)
                .map(|hashes| root_of(hashes.iter().copied()))
                .collect();
            if hashes.len() < 2 {
                break;
            }
        }
        Self(tiles)
    }

    fn node(&self, node: Node) -> Option<Hash> {
        self.0.get(&TileId::holding(node, LEAVES)?)?.node(node)
    }

    fn inclusion(&self, index: u64) -> Option<Vec<Hash>> {
        let ranges = inclusion_ranges(index, LEAVES).ok()?;
        let range = |(start, end)| {
            let nodes = range_nodes(start, end).into_iter();
            let hashes: Option<Vec<Hash>> = nodes.map(|node| self.node(node)).collect();
            fold_nodes(hashes?.into_iter())
        };
        ranges.into_iter().map(range).collect()
    }
}

fn proofs(criterion: &mut Criterion) {
    let leaves: Vec<Hash> = (0..LEAVES)
        .map(|number| leaf_hash(&number.to_be_bytes()))
        .collect();
    let root = root_of(leaves.iter().copied());
    let tiles = Tiles::of(leaves.clone());
    let mut numbers = (1_u64..).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % LEAVES);
    criterion.bench_function("proof/inclusion from tiles", |bench| {
        bench.iter(|| {
            let index = numbers.next().expect("endless");
            tiles
                .inclusion(black_box(index))
                .expect("all tiles are there")
        });
    });
    let index = 12_345;
    let proof = tiles.inclusion(index).expect("all tiles are there");
    let leaf = leaf_hash(&index.to_be_bytes());
    criterion.bench_function("proof/verify inclusion", |bench| {
        bench.iter(|| {
            let verified = verify_inclusion(black_box(leaf), index, LEAVES, &proof, &root);
            assert!(verified.is_ok());
        });
    });
    let hashes: Vec<u8> = leaves
        .iter()
        .take(256)
        .flat_map(|hash| *hash.as_bytes())
        .collect();
    let full = TileId::full(Level::Hashes(0), 0);
    criterion.bench_function("proof/nodes of a tile", |bench| {
        bench.iter(|| NodeTile::new(HashTile::parse(&full, black_box(&hashes)).expect("a tile")));
    });
}

fn receipts(criterion: &mut Criterion) {
    let text = golden_text("receipts/award.tlog-proof") + "\n";
    let vkey = vkey();
    criterion.bench_function("receipt/parse", |bench| {
        bench.iter(|| black_box(&text).parse::<Receipt>().is_ok());
    });
    let receipt: Receipt = text.parse().expect("a receipt");
    criterion.bench_function("receipt/verify", |bench| {
        bench.iter(|| assert!(black_box(&receipt).verify(&vkey, None, &[]).is_ok()));
    });
}

criterion_group!(benches, entries, proofs, receipts);
criterion_main!(benches);
