//! What a signature costs to check: alone, strictly; in batches of 256; by tables, of one key and
//! of 64 that take turns. `cargo bench --bench signatures`; compare the rows of one run.

use std::hint::black_box;
use std::sync::Arc;

use arborlog::crypto::{KnownKey, Signature, SignatureBatch, SigningKey, TableSize, VerifyingKey};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const SIGNATURES: usize = 256;
/// About what an award's signature is over.
const MESSAGE_BYTES: usize = 230;

struct Signed {
    key: Arc<KnownKey>,
    strict: VerifyingKey,
    message: Vec<u8>,
    signature: Signature,
}

/// Signatures by so many keys in turn, with or without tables.
fn signed(keys: usize, table: Option<TableSize>) -> Vec<Signed> {
    let keys: Vec<_> = (0..keys)
        .map(|number| {
            let mut seed = [7; 32];
            seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
            let signing = SigningKey::from_seed(&seed);
            let known = KnownKey::new(&signing.public()).expect("a good key");
            let known = match table {
                Some(size) => known.with_table(size),
                None => known,
            };
            let strict = VerifyingKey::new(&signing.public()).expect("a good key");
            (signing, Arc::new(known), strict)
        })
        .collect();
    let in_turn = keys.iter().cycle().take(SIGNATURES).enumerate();
    in_turn
        .map(|(number, (signing, key, strict))| {
            let mut message = vec![1; MESSAGE_BYTES];
            message[..8].copy_from_slice(&(number as u64).to_be_bytes());
            Signed {
                signature: signing.sign(&message),
                key: Arc::clone(key),
                strict: strict.clone(),
                message,
            }
        })
        .collect()
}

fn together(all: &[Signed]) -> bool {
    let mut batch = SignatureBatch::default();
    for it in all {
        batch.add(Some(Arc::clone(&it.key)), &it.message, &it.signature);
    }
    batch.verdicts().into_iter().all(|holds| holds)
}

fn verdicts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("signatures");
    group.throughput(Throughput::Elements(SIGNATURES as u64));
    let all = signed(64, None);
    group.bench_function("strict, one at a time", |bench| {
        bench.iter(|| {
            let holds = |it: &Signed| it.strict.verify(&it.message, &it.signature).is_ok();
            assert!(black_box(&all).iter().all(holds));
        });
    });
    let (small, large) = (Some(TableSize::Small), Some(TableSize::Large));
    for (name, keys, table) in [
        ("together, 64 keys without tables", 64, None),
        ("together, 64 keys with small tables", 64, small),
        ("together, 64 keys with large tables", 64, large),
        ("together, one key with a large table", 1, large),
    ] {
        let all = signed(keys, table);
        group.bench_function(name, |bench| {
            bench.iter(|| assert!(together(black_box(&all))))
        });
    }
    group.finish();
    let key = KnownKey::new(&SigningKey::from_seed(&[7; 32]).public()).expect("a good key");
    for (name, size) in [
        ("a key's small table", TableSize::Small),
        ("a key's large table", TableSize::Large),
    ] {
        criterion.bench_function(name, |bench| {
            bench.iter_batched(|| (), |()| key.with_table(size), BatchSize::PerIteration);
        });
    }
    let public = SigningKey::from_seed(&[7; 32]).public();
    criterion.bench_function("a key's check", |bench| {
        bench.iter(|| KnownKey::new(black_box(&public)).is_ok());
    });
}

criterion_group!(benches, verdicts);
criterion_main!(benches);
