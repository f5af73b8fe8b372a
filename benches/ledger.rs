//! What rules and state cost, by kind of statement, on the golden ledger; and a state of many
//! accounts: an award to a new account, an image, and an award after one. `cargo bench --bench
//! ledger`; compare the rows of one run.

#[path = "support/mod.rs"]
mod support;

use std::collections::HashSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use arborlog::record::{Remedy, Statement};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use support::{Admission, Awards, apply, entries, state_after};

/// Accounts of the state that awards are applied to: enough that a bucket is one of many.
const ACCOUNTS: usize = 20_000;

/// The kind, and of a correction the remedy too.
fn name(statement: &Statement) -> String {
    let kind = statement.kind().name();
    let Statement::Correction(correction) = statement else {
        return kind.to_owned();
    };
    let remedy = match &correction.remedy {
        Remedy::Reverse { .. } => "reverse",
        Remedy::Lost { .. } => "lost",
        Remedy::Void => "void",
    };
    format!("{kind}, {remedy}")
}

fn by_kind(criterion: &mut Criterion) {
    let entries = entries();
    let admissions = Admission::all(&entries);
    let mut seen = HashSet::new();
    // The last of each kind: by then there is the most to look up.
    let mut last: Vec<usize> = (0..admissions.len())
        .rev()
        .filter(|at| seen.insert(name(admissions[*at].statement())))
        .collect();
    last.reverse();
    let mut state = state_after(&[]);
    let mut at = 0;
    for index in last {
        for admission in &admissions[at..index] {
            apply(&mut state, &admission.candidate());
        }
        at = index;
        let admission = &admissions[index];
        let (name, candidate) = (name(admission.statement()), admission.candidate());
        criterion.bench_function(&format!("judge/{name}"), |bench| {
            bench.iter(|| state.judge(black_box(&candidate)).is_ok());
        });
        // Each time on a state of its own, which shares its buckets with the first: what changes is
        // copied, as after an image.
        criterion.bench_function(&format!("apply/{name}"), |bench| {
            bench.iter_batched_ref(
                || state.clone(),
                |state| apply(state, black_box(&candidate)),
                BatchSize::SmallInput,
            );
        });
    }
}

fn many_accounts(criterion: &mut Criterion) {
    let entries = entries();
    let mut awards = Awards::after(&entries);
    let mut state = state_after(&Admission::all(&entries));
    awards.apply_to(&mut state, ACCOUNTS);
    criterion.bench_function("state/award to a new account", |bench| {
        bench.iter_custom(|times| {
            let records: Vec<_> = (0..times).map(|_| awards.next()).collect();
            let begun = Instant::now();
            for (signed, id) in &records {
                apply(&mut state, &awards.candidate(signed, *id));
            }
            begun.elapsed()
        });
    });
    criterion.bench_function("state/image", |bench| bench.iter(|| state.image()));
    // The bucket that changes is copied, since the image holds it too.
    criterion.bench_function("state/award to a new account, an image held", |bench| {
        bench.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                let (signed, id) = awards.next();
                let image = state.image();
                let begun = Instant::now();
                apply(&mut state, &awards.candidate(&signed, id));
                spent += begun.elapsed();
                drop(image);
            }
            spent
        });
    });
}

criterion_group!(benches, by_kind, many_accounts);
criterion_main!(benches);
