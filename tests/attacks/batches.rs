//! Sealed batches that are not what their seals sign, or not whole.

use arborlog::ledger::Code;
use arborlog::record::*;

use crate::attack::{Attack, LOG, No, PLATFORM, Yes};
use crate::detectors::Shown;
use crate::forge::Forge;
use crate::statements::*;

/// What an honest platform seals.
fn awards() -> Vec<Statement> {
    vec![
        award(ANN, 7).says(),
        award(BEN, 5).says(),
        award(ANN, 3).says(),
    ]
}

/// An honest ledger, and then a batch of three that is not right. The receipt is that of its middle entry.
fn batch(
    name: &'static str,
    liar: &'static str,
    code: Code,
    lie: impl Fn(&mut Forge) -> Index + Send + Sync + 'static,
) -> Attack {
    let words = code.name();
    Attack::new(name, liar, move || {
        let mut forge = Forge::honest();
        let before = forge.files();
        let seal = lie(&mut forge);
        forge.goes_on();
        let receipt = forge.sealed_receipt(seal, 2, 3);
        Shown::log(&forge, Some(before), forge.files()).with(&receipt)
    })
    .audits(words)
    .second(Yes(words))
}

pub fn attacks() -> Vec<Attack> {
    vec![
        batch(
            "A sealed batch with a statement that its seal does not sign",
            LOG,
            Code::SealMismatch,
            |it| {
                let mut entries = it.sealed("platform", &awards());
                let others = [award(ANN, 7), award(EVE, 5), award(ANN, 3)].map(Says::says);
                entries[1] = it.sealed("platform", &others).swap_remove(1);
                it.take_batch(entries)
            },
        )
        .receipt(Yes("not under the root of its seal")),
        batch(
            "A seal that signs other statements than its batch has",
            PLATFORM,
            Code::SealMismatch,
            |it| {
                let lie = |seal: &mut Seal| seal.root = photo(99);
                let entries = it.sealed_as("platform", &awards(), lie);
                it.take_batch(entries)
            },
        )
        .receipt(Yes("not under the root of its seal")),
        batch(
            "A seal that counts more statements than its batch has",
            PLATFORM,
            Code::SealMismatch,
            |it| {
                let entries = it.sealed_as("platform", &awards(), |seal| seal.count += 1);
                it.take_batch(entries)
            },
        )
        .receipt(Yes("not under the root of its seal")),
        batch(
            "A sealed batch whose middle statement takes back the first",
            PLATFORM,
            Code::TargetUnknown,
            |it| {
                let first = Index(it.size());
                let said = [
                    award(ANN, 7).says(),
                    reverse(first, 1).says(),
                    award(ANN, 3).says(),
                ];
                let entries = it.sealed("platform", &said);
                it.take_batch(entries)
            },
        ),
        batch(
            "A seal used again for a second batch",
            LOG,
            Code::SequenceUsed,
            |it| {
                let entries = it.sealed("platform", &awards());
                it.admit_sealed("platform", &awards());
                it.take_batch(entries)
            },
        ),
        Attack::new("A checkpoint that cuts a sealed batch", LOG, || {
            let mut forge = Forge::honest();
            let before = forge.files();
            let seal = forge.admit_sealed("platform", &awards());
            // Two of the three statements, and not the seal.
            let size = seal.0 - 1;
            let award = forge.at("award");
            let receipt = forge.receipt_in(award, &forge.checkpoint(size));
            Shown::log(&forge, Some(before), forge.files_at(size)).with(&receipt)
        })
        .audits("batch_cut")
        .second(Yes("batch_cut")),
        Attack::next("A state entry amid a sealed batch", LOG, |it| {
            let mut entries = it.sealed("platform", &awards());
            let size = it.size();
            let amid = StateEntry {
                size,
                ..it.state_entry()
            };
            entries.insert(1, amid.encode().unwrap());
            it.take_batch(entries);
            Index(size + 1)
        })
        .receipt(No)
        .audits("batch_cut")
        .second(Yes("batch_cut")),
    ]
}
