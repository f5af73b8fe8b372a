//! What is noted in a journal, read again; and what a changed or a cut file is.

use super::*;
use crate::client::statement_digest;
use crate::crypto::SigningKey;
use crate::record::{
    AccountId, Claim, Day, Grams, MethodId, MethodVersion, Origin, Record, SpeciesCode, Statement,
    draft,
};

fn origin() -> Origin {
    "test.example/ledger".parse().unwrap()
}

fn statement(points: u64) -> Statement {
    Statement::Claim(Claim {
        account: AccountId::from_bytes([7; 32]),
        method: MethodId(1),
        version: MethodVersion(1),
        species: SpeciesCode(1),
        points: Grams(points),
    })
}

fn signed(first: u64, count: u64) -> Vec<(Digest, SignedRecord)> {
    let (context, key) = (
        SigningContext::new(&origin()),
        SigningKey::from_seed(&[1; 32]),
    );
    let mut prev = RecordId::NONE;
    (first..first + count)
        .map(|n| {
            let record = Record {
                issuer: key.public(),
                seq: Seq(n),
                prev,
                issued_on: Day(20_000),
                statement: statement(n),
            };
            let (signed, id) = draft(&record, &context, &key).unwrap();
            prev = id;
            (statement_digest(&record.statement).unwrap(), signed)
        })
        .collect()
}

fn fates(journal: &Journal) -> Vec<(Digest, Fate)> {
    let mut lines = journal.settled().unwrap();
    std::iter::from_fn(|| lines.next().unwrap()).collect()
}

/// A journal with every kind of line.
fn written(path: &Path) -> Journal {
    let key = SigningKey::from_seed(&[1; 32]).public();
    let mut journal = Journal::open(path, &origin(), None).unwrap();
    journal.signed(key, Seq(0), signed(0, 4)).unwrap();
    journal.admitted(&[Index(5), Index(6), Index(9)]).unwrap();
    journal.answered("note 1").unwrap();
    journal.refused("points_mismatch", "no").unwrap();
    journal.signed(key, Seq(3), signed(3, 3)).unwrap();
    journal.admitted(&[Index(11)]).unwrap();
    journal.void().unwrap();
    journal.proven("note 2").unwrap();
    let (digest, record) = signed(8, 1).remove(0);
    let end = ChainEnd {
        seq: Seq(8),
        id: SigningContext::new(&origin()).id(record.bytes()),
        index: Index(20),
    };
    journal.found(key, digest, end).unwrap();
    journal.retried(signed(3, 1)[0].0).unwrap();
    journal.signed(key, Seq(9), signed(9, 2)).unwrap();
    journal
}

#[test]
fn what_is_written_is_read_back() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("journal");
    let digest = |n| statement_digest(&statement(n)).unwrap();
    let key = SigningKey::from_seed(&[1; 32]).public();
    let before = written(&path);
    assert!(matches!(
        Journal::open(&path, &origin(), None),
        Err(JournalError::Locked(_))
    ));
    let (told, mark) = (fates(&before), before.mark());
    drop(before);
    let journal = Journal::open(&path, &origin(), Some(&mark)).unwrap();
    assert_eq!(fates(&journal), told);
    let plain: Vec<_> = told
        .iter()
        .filter(|(_, fate)| matches!(fate, Fate::In(_)))
        .collect();
    assert_eq!(
        plain,
        [
            &(digest(0), Fate::In(Index(5))),
            &(digest(1), Fate::In(Index(6))),
            &(digest(2), Fate::In(Index(9))),
            &(digest(3), Fate::In(Index(11))),
            &(digest(8), Fate::In(Index(20))),
        ]
    );
    let Some((refused, Fate::Refused { at })) = told.get(3) else {
        panic!("{told:?}");
    };
    assert_eq!(*refused, digest(3));
    let (code, detail) = journal.settled().unwrap().refusal(*at).unwrap();
    assert_eq!((code.as_str(), detail.as_str()), ("points_mismatch", "no"));
    assert_eq!(told.last(), Some(&(digest(3), Fate::Retried)));
    let records = &journal.keys()[&key];
    assert_eq!(records.last.unwrap().index, Index(20));
    assert_eq!(records.seqs.first_gap(Seq(8)), Some(Seq(4)));
    assert_eq!(
        journal.checkpoints().collect::<Vec<_>>(),
        ["note 2", "note 1"]
    );
    assert!(journal.unproven().is_none());
    let open = journal.open_batch().unwrap();
    assert_eq!((open.seq, open.len()), (Seq(9), 2));
    assert_eq!(journal.mark(), mark);
}

#[test]
fn a_cut_leaves_the_first_lines_and_a_change_is_never_read() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("journal");
    let (told, mark) = {
        let journal = written(&path);
        (fates(&journal), journal.mark())
    };
    let whole = std::fs::read(&path).unwrap();
    for cut in (0..whole.len()).step_by(37) {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let journal = Journal::open(&path, &origin(), None).unwrap();
        assert!(told.starts_with(&fates(&journal)), "cut at {cut}");
        drop(journal);
        std::fs::write(&path, &whole[..cut]).unwrap();
        let older = Journal::open(&path, &origin(), Some(&mark));
        assert!(
            matches!(older, Err(JournalError::Older { .. })),
            "cut at {cut}"
        );
    }
    for at in (0..whole.len()).step_by(41) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        let opened = Journal::open(&path, &origin(), None);
        // A newline that is lost at the end makes a torn line of the last one.
        assert!(
            opened.is_err() || at + 1 == whole.len(),
            "byte {at} of {}",
            whole.len()
        );
        assert_eq!(
            std::fs::read(&path).unwrap(),
            changed,
            "it is left as it is"
        );
        if let Ok(left) = Journal::salvage(&path, &origin()) {
            let keys: Vec<_> = left.keys().keys().copied().collect();
            assert!(
                keys.iter()
                    .all(|key| *key == SigningKey::from_seed(&[1; 32]).public())
            );
        }
    }
}
