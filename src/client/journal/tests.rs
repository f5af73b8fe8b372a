//! What is noted in a journal, read again; and what a changed or a cut file is.

use super::*;
use crate::client::statement_digest;
use crate::crypto::SigningKey;
use crate::record::{
    AccountId, Claim, Day, Grams, MethodId, MethodVersion, Origin, Record, SealPlace,
    SealedStatement, SpeciesCode, Statement, draft,
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
    std::iter::from_fn(|| lines.next().unwrap())
        .map(|settled| (settled.digest, settled.fate))
        .collect()
}

/// A journal with every kind of line.
fn written(path: &Path) -> Journal {
    let key = SigningKey::from_seed(&[1; 32]).public();
    let mut journal = Journal::open(path, &origin(), None).unwrap();
    journal.signed(key, Seq(0), signed(0, 4)).unwrap();
    journal.admitted(&[Index(5), Index(6), Index(9)]).unwrap();
    journal.answered("note 1").unwrap();
    refuse(&mut journal, &[3]);
    journal.signed(key, Seq(3), signed(3, 3)).unwrap();
    journal.admitted(&[Index(11)]).unwrap();
    journal.void().unwrap();
    journal.proven("note 2").unwrap();
    let (digest, record) = signed(8, 1).remove(0);
    let line = LoggedLine {
        signed: ChainEnd {
            seq: Seq(8),
            id: SigningContext::new(&origin()).id(record.bytes()),
            index: Index(20),
        },
        of: 1,
        index: Index(20),
        event: None,
    };
    journal.found(key, digest, line).unwrap();
    journal.retried(signed(3, 1)[0].0).unwrap();
    // Sealed: in; refused in part, sealed anew, given up.
    journal.sealed(&batch(4, 30..33)).unwrap();
    journal.admitted(&[Index(33)]).unwrap();
    journal.sealed(&batch(5, 33..36)).unwrap();
    refuse(&mut journal, &[34, 35]);
    journal.sealed(&batch(5, 36..38)).unwrap();
    journal.void().unwrap();
    journal.signed(key, Seq(9), signed(9, 2)).unwrap();
    journal
}

fn batch(seq: u64, points: std::ops::Range<u64>) -> SealedBatch {
    let statements = points.map(|n| SealedStatement::new(statement(n)).unwrap());
    let place = SealPlace {
        seq: Seq(seq),
        prev: RecordId::NONE,
        issued_on: Day(20_000),
    };
    let key = SigningKey::from_seed(&[1; 32]);
    let context = SigningContext::new(&origin());
    let (batch, _) = SealedBatch::seal(statements.collect(), place, &context, &key).unwrap();
    batch
}

fn refuse(journal: &mut Journal, points: &[u64]) {
    let refused = points
        .iter()
        .map(|n| statement_digest(&statement(*n)).unwrap());
    let refused: Vec<_> = refused.collect();
    let refused = refused
        .iter()
        .map(|digest| (*digest, "points_mismatch", "no"));
    journal.refused(refused).unwrap();
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
            &(digest(30), Fate::In(Index(30))),
            &(digest(31), Fate::In(Index(31))),
            &(digest(32), Fate::In(Index(32))),
        ]
    );
    let Some((refused, Fate::Refused { at })) = told.get(3) else {
        panic!("{told:?}");
    };
    assert_eq!(*refused, digest(3));
    let (code, detail) = journal.settled().unwrap().refusal(*at).unwrap();
    assert_eq!((code.as_str(), detail.as_str()), ("points_mismatch", "no"));
    assert_eq!(told[6], (digest(3), Fate::Retried));
    let refused: Vec<Digest> = told[10..].iter().map(|(digest, _)| *digest).collect();
    assert_eq!(refused, [digest(34), digest(35)]);
    let records = &journal.keys()[&key];
    assert_eq!(records.last.unwrap().index, Index(20));
    assert_eq!(records.seqs.first_gap(Seq(8)), Some(Seq(5)));
    assert_eq!(journal.mark().records, 8);
    assert_eq!(
        journal.checkpoints().collect::<Vec<_>>(),
        ["note 2", "note 1"]
    );
    let unproven = journal.unproven().unwrap();
    assert_eq!((unproven.first.0, unproven.last.0), (Index(33), Index(33)));
    assert_eq!(journal.given_up.len(), 2);
    let seals = journal.pending_ids(&key).unwrap();
    assert_eq!(seals.len(), 2 + 2, "of the open batch each record");
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

#[test]
fn a_seal_whose_batch_was_cut_off_was_never_sent_and_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("journal");
    let mut journal = Journal::open(&path, &origin(), None).unwrap();
    let begin = journal.mark();
    journal.sealed(&batch(0, 0..3)).unwrap();
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    for cut in usize::try_from(begin.bytes).unwrap()..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let mut journal = Journal::open(&path, &origin(), Some(&begin)).unwrap();
        assert!(journal.open_batch().is_none(), "cut at {cut}");
        assert_eq!(journal.mark(), begin);
        // What is sealed next takes its place.
        if cut % 97 == 0 {
            journal.sealed(&batch(0, 7..9)).unwrap();
            drop(journal);
            let journal = Journal::open(&path, &origin(), Some(&begin)).unwrap();
            assert_eq!(journal.open_batch().unwrap().len(), 2);
        }
    }
}

#[test]
fn a_seal_without_an_answer_is_read_back_as_the_bytes_that_were_sent() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("journal");
    let sealed = batch(0, 0..3);
    let key = SigningKey::from_seed(&[1; 32]).public();
    let mut journal = Journal::open(&path, &origin(), None).unwrap();
    journal.sealed(&sealed).unwrap();
    drop(journal);
    let mut journal = Journal::open(&path, &origin(), None).unwrap();
    let open = journal.open_of(&key).unwrap();
    assert_eq!(open.seal().unwrap().body, sealed.body().unwrap());
    let id = journal.pending_ids(&key).unwrap().remove(0);
    // It is given up, another takes its place, and then the first one comes in.
    journal.void().unwrap();
    journal.sealed(&batch(0, 3..5)).unwrap();
    drop(journal);
    let mut journal = Journal::open(&path, &origin(), None).unwrap();
    let lines = journal.are_in(&[(id, Index(9))]).unwrap();
    let digest = |n| statement_digest(&statement(n)).unwrap();
    let expected = [(0, 6), (1, 7), (2, 8)].map(|(n, at)| (digest(n), Index(at)));
    let lines: Vec<_> = lines.iter().map(|line| (line.digest, line.index)).collect();
    assert_eq!(lines, expected);
    assert!(!journal.is_pending(&key));
    let told = fates(&journal);
    assert_eq!(told, expected.map(|(digest, at)| (digest, Fate::In(at))));
}

#[test]
fn a_seal_is_held_when_all_its_lines_were_found() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("journal");
    let key = SigningKey::from_seed(&[1; 32]).public();
    let mut journal = Journal::open(&path, &origin(), None).unwrap();
    let line = |index| LoggedLine {
        signed: ChainEnd {
            seq: Seq(0),
            id: RecordId::NONE,
            index: Index(12),
        },
        of: 2,
        index: Index(index),
        event: None,
    };
    let held = |journal: &Journal| {
        let records = &journal.keys()[&key];
        (
            records.seqs.contains(Seq(0)),
            records.parts.contains(Seq(0)),
        )
    };
    let digest = |n| statement_digest(&statement(n)).unwrap();
    journal.found(key, digest(1), line(11)).unwrap();
    assert_eq!(held(&journal), (false, true));
    drop(journal);
    let mut journal = Journal::open(&path, &origin(), None).unwrap();
    assert_eq!(held(&journal), (false, true));
    journal.found(key, digest(0), line(10)).unwrap();
    assert_eq!(held(&journal), (true, false));
    assert_eq!(journal.last(&key).unwrap().index, Index(12));
    assert_eq!(journal.mark().records, 2);
}

#[test]
fn records_that_were_given_up_come_in_as_far_as_they_did() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("journal");
    let key = SigningKey::from_seed(&[1; 32]).public();
    let mut journal = Journal::open(&path, &origin(), None).unwrap();
    journal.signed(key, Seq(0), signed(0, 3)).unwrap();
    let ids = journal.pending_ids(&key).unwrap();
    journal.void().unwrap();
    assert!(journal.is_pending(&key));
    // Others are signed in their place.
    journal.signed(key, Seq(0), signed(5, 1)).unwrap();
    drop(journal);
    let mut journal = Journal::open(&path, &origin(), None).unwrap();
    let found = [(ids[0], Index(7)), (ids[1], Index(9))];
    let lines = journal.are_in(&found).unwrap();
    let digest = |n| statement_digest(&statement(n)).unwrap();
    let is_in: Vec<_> = lines.iter().map(|line| (line.digest, line.index)).collect();
    assert_eq!(is_in, [(digest(0), Index(7)), (digest(1), Index(9))]);
    // The last one may still come in, until something else is in its place.
    assert_eq!(journal.pending_ids(&key).unwrap(), [ids[2]]);
    let other = ChainEnd {
        seq: Seq(2),
        id: RecordId::NONE,
        index: Index(11),
    };
    journal.place_taken(&key, other);
    assert!(!journal.is_pending(&key));
    let told = fates(&journal);
    drop(journal);
    let journal = Journal::open(&path, &origin(), None).unwrap();
    assert_eq!(fates(&journal), told);
}

#[test]
fn what_was_sent_without_an_answer_may_come_in_until_its_place_is_taken_or_its_day_is_past() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("journal");
    let key = SigningKey::from_seed(&[1; 32]).public();
    let mut journal = Journal::open(&path, &origin(), None).unwrap();
    let records = signed(0, 3);
    let context = SigningContext::new(&origin());
    let ends: Vec<ChainEnd> = (0..)
        .zip(&records)
        .map(|(n, (_, record))| ChainEnd {
            seq: Seq(n),
            id: context.id(record.bytes()),
            index: Index(20 + n),
        })
        .collect();
    journal.signed(key, Seq(0), records).unwrap();
    drop(journal);
    // A build before this one gave it up, and said that it could come in for ten minutes: long ago.
    let mut bytes = std::fs::read(&path).unwrap();
    let mut lines = ChainedLines::new(bytes.as_slice(), true);
    while lines.next().unwrap().is_some() {}
    let mut chain = lines.chain();
    chain.write(br#"{"void":{"seq":0,"until_ms":1}}"#, &mut bytes);
    std::fs::write(&path, bytes).unwrap();

    let mut journal = Journal::open(&path, &origin(), None).unwrap();
    assert_eq!(journal.keys_on_their_way(), [key].into());
    let may = |journal: &Journal, last, first_day| {
        journal.may_come_in(&key, last, RecordId::NONE, Day(first_day))
    };
    assert_eq!(may(&journal, None, 20_000), 3);
    assert_eq!(may(&journal, None, 20_001), 0, "it was signed before");
    // The first of them is in, by itself: the others can still follow.
    assert_eq!(may(&journal, Some(ends[0]), 20_000), 2);
    let other = ChainEnd {
        id: RecordId::NONE,
        ..ends[1]
    };
    assert_eq!(may(&journal, Some(other), 20_000), 0);
    journal.place_taken(&key, ends[0]);
    assert_eq!(may(&journal, Some(ends[0]), 20_000), 2);
    journal.place_taken(&key, other);
    assert!(journal.keys_on_their_way().is_empty());
}

#[test]
fn a_batch_that_the_server_answered_to_comes_in_by_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("journal");
    let key = SigningKey::from_seed(&[1; 32]).public();
    for (unanswered, expected) in [(false, 0), (true, 2)] {
        let mut journal = Journal::open(&path, &origin(), None).unwrap();
        journal.signed(key, Seq(0), signed(0, 2)).unwrap();
        journal.may_be_on_its_way(unanswered);
        refuse(&mut journal, &[0]);
        for _ in 0..2 {
            let may = journal.may_come_in(&key, None, RecordId::NONE, Day(0));
            assert_eq!(may, expected);
            drop(journal);
            journal = Journal::open(&path, &origin(), None).unwrap();
        }
        // Of many, those without an answer are counted, whichever is remembered.
        for _ in 0..2 * 4 {
            journal.signed(key, Seq(0), signed(0, 1)).unwrap();
            journal.may_be_on_its_way(unanswered);
            journal.void().unwrap();
        }
        let may = journal.may_come_in(&key, None, RecordId::NONE, Day(0));
        assert_eq!(may, expected + if unanswered { 8 } else { 0 });
        std::fs::remove_file(&path).unwrap();
    }
}
