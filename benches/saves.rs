//! What it costs to save the state: the whole of it, and what a thousand awards changed. `cargo
//! bench --bench saves`; compare the rows of one run.

#[path = "support/mod.rs"]
mod support;

use arborlog::ledger::State;
use arborlog::merkle::Hash;
use arborlog::note::TreeHead;
use arborlog::record::LogHead;
use arborlog::store::{SavedState, StateChange};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use support::{Admission, Awards, entries, state_after};

const ACCOUNTS: usize = 20_000;
const CHANGED: usize = 1_000;

/// What is to be saved; what the tree is does not matter to the cost.
fn change(state: &mut State) -> StateChange {
    StateChange {
        head: LogHead::without_state(TreeHead {
            size: state.entries(),
            root: Hash::empty_root(),
        }),
        image: state.image(),
    }
}

fn saves(criterion: &mut Criterion) {
    let entries = entries();
    let mut awards = Awards::after(&entries);
    let mut state = state_after(&Admission::all(&entries));
    awards.apply_to(&mut state, ACCOUNTS);
    let mut group = criterion.benchmark_group("save");
    group.sample_size(10);
    group.bench_function("a state of 20,000 accounts", |bench| {
        bench.iter_batched(
            || {
                let dir = tempfile::tempdir().expect("a folder");
                let saved = SavedState::open(dir.path()).expect("a database");
                (dir, saved, change(&mut state))
            },
            |(dir, mut saved, change)| {
                saved.save(change).expect("a save");
                (dir, saved)
            },
            BatchSize::PerIteration,
        );
    });
    let dir = tempfile::tempdir().expect("a folder");
    let mut saved = SavedState::open(dir.path()).expect("a database");
    saved.save(change(&mut state)).expect("a save");
    group.bench_function("what 1,000 awards changed", |bench| {
        bench.iter_batched(
            || {
                awards.apply_to(&mut state, CHANGED);
                change(&mut state)
            },
            |change| saved.save(change).expect("a save"),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, saves);
criterion_main!(benches);
