//! Sealed batches: one signature for many statements. What is honest replays, all of it or nothing is
//! admitted, each entry has a receipt, and each lie about a batch has its name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "attacks/forge.rs"]
#[allow(dead_code)]
mod forge;
#[path = "attacks/statements.rs"]
#[allow(dead_code)]
mod statements;

use arborlog::audit::{Auditor, Folder, threads_default};
use arborlog::ledger::{BatchCandidate, BatchRefusal, Candidate, Code, State};
use arborlog::receipt::{Receipt, SealLink};
use arborlog::record::*;
use arborlog::replay::{Replay, Signatures};
use forge::{Forge, ORIGIN, vkey};
use statements::*;

/// Awards of one account.
fn awards(count: usize) -> Vec<Statement> {
    (0..count).map(|_| award(ANN, 7).says()).collect()
}

/// What becomes of a ledger of these entries.
fn replay(entries: &[Vec<u8>]) -> Result<State, String> {
    let mut replay = Replay::new(&ORIGIN.parse().unwrap(), Signatures::Verify);
    let replayed = entries.iter().try_for_each(|bytes| {
        let earlier = |index: Index| entries.get(index.0 as usize).cloned();
        replay.take(bytes, earlier).map(drop)
    });
    match replayed.and_then(|()| replay.finish()) {
        Ok(()) => Ok(replay.into_parts().0),
        Err(error) => Err(error.to_string()),
    }
}

/// The honest ledger and these entries.
fn with(forge: &Forge, batch: &[Vec<u8>]) -> Vec<Vec<u8>> {
    forge.entries.iter().chain(batch).cloned().collect()
}

#[track_caller]
fn refused(entries: &[Vec<u8>], code: &str) {
    let why = replay(entries).unwrap_err();
    assert!(why.contains(code), "{code}: {why}");
}

#[test]
fn an_entry_of_each_form_has_one_encoding() {
    let forge = Forge::honest();
    let batch = forge.sealed(
        "platform",
        &[award(ANN, 7).says(), gift(ANN, BEN, 1).says()],
    );
    // 4 bytes, the statement, and the account's entry before: less than half of a signed one.
    assert_eq!(
        batch[0].len(),
        4 + SealedStatement::new(award(ANN, 7).says())
            .unwrap()
            .bytes()
            .len()
            + 8
    );
    let state = StateEntry {
        admitted_at: TimeMs(1),
        size: 2,
        before: None,
        rules_version: 3,
        root: [4; 32],
        totals: StateTotals {
            balances: -5,
            accounts_negative: 6,
            ..StateTotals::default()
        },
    };
    let state = state.encode().unwrap();
    assert_eq!(state.len(), 182);
    for bytes in batch.iter().chain([&state]) {
        let entry = Entry::decode(bytes).unwrap();
        assert_eq!(entry.encode().unwrap(), *bytes);
        for end in 0..bytes.len() {
            assert!(Entry::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(Entry::decode(&longer).is_err());
    }
    for form in [0, 4, 513] {
        let mut other = state.clone();
        other[..2].copy_from_slice(&u16::to_be_bytes(form));
        let why = Entry::decode(&other).unwrap_err().to_string();
        assert!(why.contains(&format!("of version {form}")), "{why}");
    }
    for ahead in [0, 16_385, u16::MAX] {
        let mut other = batch[0].clone();
        other[2..4].copy_from_slice(&u16::to_be_bytes(ahead));
        assert!(Entry::decode(&other).is_err(), "{ahead}");
    }
    for never in [
        grant("x", Role::Platform, "y").says(),
        plot(3).says(),
        Seal {
            count: 1,
            root: Digest::from_bytes([0; 32]),
        }
        .says(),
    ] {
        assert!(SealedStatement::new(never).is_err());
    }
    for count in [0, SEALED_MAX + 1] {
        assert!(
            Seal {
                count,
                root: Digest::from_bytes([0; 32])
            }
            .says()
            .encode()
            .is_err()
        );
    }
}

#[test]
fn what_is_sealed_does_the_same_as_what_is_signed_alone() {
    let forge = Forge::honest();
    let said = [
        award(ANN, 7).says(),
        gift(ANN, BEN, 3).says(),
        claim(ANN).says(),
        award(BEN, 1).says(),
    ];
    let sealed = replay(&with(&forge, &forge.sealed("platform", &said))).unwrap();
    let mut alone = forge.clone();
    for said in said {
        alone.admit("platform", said);
    }
    assert_eq!(sealed.totals(), alone.state.totals());
    for account in [ANN, BEN] {
        let id = statements::account(account);
        assert_eq!(
            sealed.account(&id).unwrap().balance,
            alone.state.account(&id).unwrap().balance
        );
    }
    // One seq for all.
    assert_eq!(
        sealed.key(&public("platform")).unwrap().next().0.0,
        forge.state.key(&public("platform")).unwrap().next().0.0 + 1
    );
    assert_eq!(sealed.entries(), forge.size() + 5);
}

#[test]
fn every_sealed_entry_has_a_receipt() {
    for count in [1, 2, 3, 7, 8] {
        let mut forge = Forge::honest();
        let first = forge.size();
        let batch = forge.sealed("platform", &awards(count));
        forge.entries.extend(batch);
        let seal = Index(first + count as u64);
        let of_seal = forge.receipt(seal);
        assert!(of_seal.verify(&vkey("log"), None, &[]).is_ok());
        for place in 0..count {
            let receipt = forge.sealed_receipt(seal, (count - place) as u64, count as u64);
            let text = receipt.to_text().unwrap();
            let read: Receipt = text.parse().unwrap();
            assert_eq!(read, receipt);
            let verified = read
                .verify(&vkey("log"), Some(&forge.genesis_id()), &[])
                .unwrap();
            assert_eq!(verified.entry.stated().unwrap().seal, Some(seal));
            assert_eq!(
                *verified.entry.stated().unwrap().issuer(),
                public("platform")
            );
            lies(&forge, &receipt);
        }
    }
}

/// Each part of a sealed receipt that is another is noticed.
fn lies(forge: &Forge, receipt: &Receipt) {
    let code = |receipt: &Receipt| {
        let verified = receipt.verify(&vkey("log"), Some(&forge.genesis_id()), &[]);
        verified.unwrap_err().code()
    };
    let change = |change: &dyn Fn(&mut SealLink)| {
        let mut changed = receipt.clone();
        change(changed.seal.as_mut().unwrap());
        code(&changed)
    };
    assert_eq!(
        change(&|seal| seal.siblings.push([0; 32])),
        "proof_incomplete"
    );
    if !receipt.seal.as_ref().unwrap().siblings.is_empty() {
        assert_eq!(change(&|seal| seal.siblings[0][0] ^= 1), "seal_mismatch");
        assert_eq!(
            change(&|seal| {
                seal.siblings.pop();
            }),
            "proof_incomplete"
        );
    }
    assert_eq!(change(&|seal| seal.path[0][0] ^= 1), "not_included");
    assert_eq!(
        change(&|seal| {
            seal.path.pop();
        }),
        "proof_incomplete"
    );
    assert_eq!(
        change(&|seal| *seal.entry.last_mut().unwrap() ^= 1),
        "not_included"
    );
    let mut other = receipt.clone();
    let grant = receipt.authority[0].clone();
    *other.seal.as_mut().unwrap() = SealLink {
        index: grant.index,
        entry: grant.entry,
        path: grant.path,
        siblings: vec![],
    };
    assert_eq!(code(&other), "seal_mismatch");
    let mut without = receipt.clone();
    without.seal = None;
    assert_eq!(
        without
            .to_text()
            .unwrap()
            .parse::<Receipt>()
            .unwrap_err()
            .code(),
        "receipt_malformed"
    );
}

#[test]
fn a_batch_that_is_not_its_seals_is_named() {
    let forge = Forge::honest();
    let batch = forge.sealed("platform", &awards(3));
    let whole = with(&forge, &batch);
    assert!(replay(&whole).is_ok());
    let size = forge.entries.len();
    // The tree ends within the batch.
    for end in size + 1..size + 3 {
        refused(&whole[..end], "batch_cut");
    }
    // Another entry within it.
    let mut other = forge.clone();
    let award_alone = {
        other.admit("platform", award(ANN, 1));
        other.entries.pop().unwrap()
    };
    let mut within = whole.clone();
    within.insert(size + 2, award_alone);
    refused(&within, "batch_cut");
    // One left out, one twice, two swapped, the seal alone, the seal early.
    for change in [
        |entries: &mut Vec<Vec<u8>>, at: usize| drop(entries.remove(at)),
        |entries: &mut Vec<Vec<u8>>, at: usize| entries.insert(at, entries[at].clone()),
        |entries: &mut Vec<Vec<u8>>, at: usize| entries.swap(at, at + 1),
        |entries: &mut Vec<Vec<u8>>, at: usize| drop(entries.drain(at..at + 3)),
        |entries: &mut Vec<Vec<u8>>, at: usize| drop(entries.remove(at + 2)),
    ] {
        let mut changed = whole.clone();
        change(&mut changed, size);
        refused(&changed, "seal_mismatch");
    }
    // Another statement under the same root.
    let mut changed = whole.clone();
    changed[size] = forge.sealed(
        "platform",
        &[
            award(BEN, 7).says(),
            award(ANN, 7).says(),
            award(ANN, 7).says(),
        ],
    )[0]
    .clone();
    refused(&changed, "seal_mismatch");
    // Another's key.
    refused(
        &with(&forge, &forge.sealed("planter", &awards(2))),
        "role_refused",
    );
    refused(
        &with(&forge, &forge.sealed("stolen", &awards(2))),
        "key_revoked",
    );
    refused(
        &with(&forge, &forge.sealed("g1", &awards(2))),
        "role_refused",
    );
    // A state entry can't be checked yet, and is no right one when it speaks of what is to come.
    let state = |size| {
        StateEntry {
            admitted_at: forge.now,
            size,
            before: None,
            rules_version: 0,
            root: [0; 32],
            totals: StateTotals::default(),
        }
        .encode()
        .unwrap()
    };
    refused(&with(&forge, &[state(forge.size() + 1)]), "state_wrong");
    refused(
        &with(&forge, &[state(forge.size())]),
        "rules_version_unsupported",
    );
}

#[test]
fn a_state_by_other_rules_is_not_checked() {
    let supported = arborlog::ledger::RULES_VERSION;
    for rules_version in [0, supported - 1, supported, supported + 1, u32::MAX] {
        let mut forge = Forge::honest();
        let mut receipt = forge.receipt(Index(0));
        let entry = StateEntry {
            admitted_at: forge.now,
            size: forge.size(),
            before: None,
            rules_version,
            root: [0; 32],
            totals: StateTotals::default(),
        };
        receipt.index = Index(forge.size());
        receipt.entry = entry.encode().unwrap();
        forge.entries.push(receipt.entry.clone());
        receipt.path = forge.path(receipt.index, forge.size());
        receipt.checkpoint = forge.checkpoint(forge.size()).to_string();
        let verdict = receipt.verify(&vkey("log"), None, &[]);
        if rules_version == supported {
            assert!(verdict.is_ok());
            continue;
        }
        let error = verdict.unwrap_err();
        assert_eq!(error.code(), "rules_version_unsupported", "{rules_version}");
        assert_eq!(error.outcome(), arborlog::outcome::Outcome::Unchecked);
    }
}

#[test]
fn nothing_in_a_batch_speaks_of_the_batch() {
    let forge = Forge::honest();
    let own = Index(forge.size());
    for (who, said) in [
        (
            "platform",
            vec![award(ANN, 9).says(), reverse(own, 1).says()],
        ),
        (
            "platform",
            vec![claim(ANN).says(), assign(1, &[own]).says()],
        ),
        (
            "planter",
            vec![planting(1, 36, 5, 9).says(), lost(own, 1, None).says()],
        ),
    ] {
        refused(&with(&forge, &forge.sealed(who, &said)), "target_unknown");
    }
    // A correction of an entry that was sealed, and of a seal.
    let mut later = forge.clone();
    let batch = forge.sealed("platform", &awards(2));
    later.entries.extend(batch);
    later.state = replay(&later.entries).unwrap();
    let seal = Index(own.0 + 2);
    refused(
        &with(&later, &later.sealed("platform", &[void(seal).says()])),
        "target_refused",
    );
}

#[test]
fn all_that_is_refused_is_named_and_nothing_is_changed() {
    let forge = Forge::honest();
    let said = [
        award(ANN, 7).says(),
        award(ANN, 0).says(),
        gift(EVE, BEN, 3).says(),
        award(BEN, 2).says(),
    ];
    let bytes = forge.sealed("platform", &awards(1)).pop().unwrap();
    let seal = SignedEntry::decode(&bytes).unwrap().signed;
    let candidate = Candidate::signed(&seal, forge.context.id(seal.bytes()), forge.now, None);
    let candidates: Vec<_> = said
        .iter()
        .map(|statement| candidate.under_seal(statement, None))
        .collect();
    let mut state = forge.state.clone();
    let before = format!("{state:?}");
    let batch = BatchCandidate {
        statements: &candidates,
        seal: candidate,
    };
    let Err(BatchRefusal::Statements(refused)) = state.admit_batch(&batch).unwrap() else {
        panic!("it was admitted");
    };
    let refused: Vec<_> = refused
        .iter()
        .map(|(position, refusal)| (*position, refusal.code))
        .collect();
    assert_eq!(refused[0], (1, Code::PointsZero));
    assert_eq!(refused[1].0, 2);
    assert_eq!(refused.len(), 2);
    assert_eq!(format!("{state:?}"), before);
    // A seal does not come alone.
    assert_eq!(
        state.judge(&candidate).unwrap_err().code,
        Code::SealMismatch
    );
}

#[test]
fn auditors_read_sealed_ledgers_and_never_stop_within_a_batch() {
    let mut forge = Forge::honest();
    // Across the end of a bundle.
    for count in [200, 1, 90] {
        let batch = forge.sealed("platform", &awards(count));
        forge.entries.extend(batch);
        forge.state = replay(&forge.entries).unwrap();
    }
    let temp = tempfile::tempdir().unwrap();
    forge::write(&forge.files(), temp.path());
    let folder = Folder::new(temp.path());
    let mut auditor = Auditor::new(vkey("log")).unwrap();
    let claimed = auditor.fetch_checkpoint(&folder).unwrap();
    let (mut seen, mut stops) = (0, Vec::new());
    let done = auditor.advance(
        &folder,
        &claimed,
        threads_default(),
        |taken, state| {
            assert_eq!((taken.index.0, state.entries()), (seen, seen + 1));
            seen += 1;
            Ok::<_, arborlog::audit::AuditError>(())
        },
        |replay| {
            stops.push(replay.state().entries());
            Ok(())
        },
    );
    assert_eq!(done.unwrap(), 0..forge.size());
    assert_eq!(seen, forge.size());
    let honest = Forge::honest().size();
    let ends: Vec<u64> = stops.into_iter().filter(|size| *size > honest).collect();
    assert_eq!(ends, [honest + 201, honest + 203, honest + 294]);
    // A checkpoint that cuts a batch is no honest log's.
    let cut = tempfile::tempdir().unwrap();
    forge::write(&forge.files_at(honest + 100), cut.path());
    let mut auditor = Auditor::new(vkey("log")).unwrap();
    let folder = Folder::new(cut.path());
    let claimed = auditor.fetch_checkpoint(&folder).unwrap();
    let done = auditor.advance(
        &folder,
        &claimed,
        threads_default(),
        |_, _| Ok::<_, arborlog::audit::AuditError>(()),
        |_| Ok(()),
    );
    assert!(done.unwrap_err().to_string().contains("batch_cut"));
}
