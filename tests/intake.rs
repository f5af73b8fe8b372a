//! What is asked of a batch before its signatures, in which order, and how records that are sent again
//! are found.
#![cfg(feature = "cli")]

mod support;

use arborlog::crypto::{Signature, SigningKey};
use arborlog::ledger::Code;
use arborlog::log::{AppendError, Log, LogConfig, Refused};
use arborlog::record::*;
use support::{Ledger, Server, award, method, sign_from};

/// A ledger whose platforms took turns, in a log that this process holds.
struct Fixture {
    ledger: Ledger,
    log: Log,
}

impl Fixture {
    async fn open(ledger: Ledger) -> Self {
        let log = Log::open(&LogConfig::of(&ledger.dir)).await.unwrap();
        Self { ledger, log }
    }

    async fn reopen(self) -> Self {
        let Self { ledger, log } = self;
        log.close().await;
        Self::open(ledger).await
    }

    async fn next(&self, key: &SigningKey) -> (Seq, RecordId) {
        let key = key.public();
        let (next, _) = self
            .log
            .look_up(|state| state.key(&key).unwrap().next())
            .await
            .unwrap();
        next
    }

    async fn sign(&self, key: &SigningKey, statements: &[Statement]) -> Vec<SignedRecord> {
        let (seq, prev) = self.next(key).await;
        sign_from(&self.ledger.context(), key, seq, prev, statements)
    }

    /// Sees a refusal of the record at a position.
    async fn refused(&self, records: Vec<SignedRecord>, position: usize, code: Code) -> Refused {
        match self.log.append(records, None).await.unwrap_err() {
            AppendError::Refused(refused) => {
                let found = (refused.position, refused.refusal.code);
                assert_eq!(found, (position, code), "{}", refused.refusal);
                *refused
            }
            other => panic!("{other}"),
        }
    }
}

fn set_up() -> Ledger {
    let ledger = Ledger::init();
    let server = Server::start(&ledger.dir);
    ledger.set_up(&server.remote());
    assert_eq!(server.stop(), 0);
    ledger
}

/// The same record under signatures that do not hold, one of them by each of these keys.
fn forged(signed: &SignedRecord, endorsers: &[&SigningKey]) -> SignedRecord {
    let bad = Signature::from_bytes([5; 64]);
    let mut keys: Vec<_> = endorsers.iter().map(|key| key.public()).collect();
    keys.sort_unstable();
    let endorsements = keys.into_iter().map(|key| Endorsement {
        key,
        signature: bad,
    });
    SignedRecord::new(signed.bytes().to_vec(), bad, endorsements.collect()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_sent_again_is_found_however_long_ago_it_was() {
    let ledger = set_up();
    let mut it = Fixture::open(ledger).await;
    let other = SigningKey::from_seed(&[77; 32]);
    let grant = Statement::KeyGrant(KeyGrant {
        key: other.public(),
        role: Role::Platform,
        holder: "other".parse().unwrap(),
        display_name: "Other".parse().unwrap(),
        expires_on: None,
        set: Index(0),
    });
    let grant = it.sign(&it.ledger.governors[0], &[grant]).await.remove(0);
    let context = it.ledger.context();
    let grant = grant.endorse(&context, &it.ledger.governors[1]).unwrap();
    let grant = grant.endorse(&context, &other).unwrap();
    it.log.append(vec![grant], None).await.unwrap();
    // Two issuers in turn, in batches of odd sizes: their chains cross bundles.
    let (mut sent, mut indexes) = (Vec::new(), Vec::new());
    for round in 0..12 {
        // Each with accounts of its own.
        for (key, first) in [(&it.ledger.platform, 0), (&other, 100)] {
            let events = (0..61 + round).map(|n| award(first + n, round * 1_000 + n));
            let records = it.sign(key, &events.collect::<Vec<_>>()).await;
            let appended = it.log.append(records.clone(), None).await.unwrap();
            if key.public() == it.ledger.platform.public() {
                sent.extend(records);
                indexes.extend(appended.indexes);
            }
        }
    }
    assert!(sent.len() > 3 * 256 && it.log.published().head.tree.size > 6 * 256);
    // From memory, from a saved state, and from all entries.
    for start in 0..3 {
        for seq in [0, 1, 2, 254, 255, 256, 257, 511, 512, 513, sent.len() - 1] {
            let again = it.log.append(vec![sent[seq].clone()], None).await.unwrap();
            assert_eq!(again.indexes, [indexes[seq]], "seq {seq}, start {start}");
            // Another record of that seq is a conflict, whoever signed it.
            let Record {
                seq: used, prev, ..
            } = sent[seq].record().clone();
            let others = sign_from(&context, &it.ledger.platform, used, prev, &[award(7, 7)]);
            let refused = it.refused(vec![forged(&others[0], &[])], 0, Code::SequenceUsed);
            let said = refused.await.refusal.detail;
            assert!(said.contains(&format!("entry {}", indexes[seq])), "{said}");
        }
        for (from, to) in [(0, sent.len()), (100, 300), (255, 258), (700, sent.len())] {
            let again = it.log.append(sent[from..to].to_vec(), None).await.unwrap();
            assert_eq!(again.indexes, indexes[from..to]);
        }
        it = it.reopen().await;
        if start == 1 {
            let Fixture { ledger, log } = it;
            log.close().await;
            std::fs::remove_dir_all(ledger.dir.join("state")).unwrap();
            it = Fixture::open(ledger).await;
        }
    }
    // In order or not, a batch of few records is answered; one that looks everywhere is not followed.
    let pair = vec![sent[1].clone(), sent[0].clone()];
    let again = it.log.append(pair, None).await.unwrap();
    assert_eq!(again.indexes, [indexes[1], indexes[0]]);
    let everywhere: Vec<_> = [1, 257, 513, 2, 258, 514]
        .map(|seq| sent[seq].clone())
        .into();
    let refused = it.refused(everywhere, 1, Code::AlreadyIn).await;
    assert_eq!(refused.indexes, [indexes[1]]);
    it.log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cheap_to_refuse_is_refused_before_any_signature_is_looked_at() {
    let it = Fixture::open(set_up()).await;
    let (platform, governors) = (&it.ledger.platform, &it.ledger.governors);
    let (one, two) = (
        SigningKey::from_seed(&[71; 32]),
        SigningKey::from_seed(&[72; 32]),
    );
    let good = it
        .sign(platform, &[award(1, 1), award(1, 2), award(1, 3)])
        .await;
    let context = it.ledger.context();
    let size = it.log.published().head.tree.size;
    let say = |key: &SigningKey, seq, prev| sign_from(&context, key, seq, prev, &[award(1, 1)]);

    // None of these signatures holds, and that is not what is wrong with them.
    let stranger = forged(&say(&one, Seq(0), RecordId::NONE)[0], &[&two]);
    it.refused(vec![stranger], 0, Code::IssuerUnknown).await;
    let far = forged(&say(platform, Seq(1 << 40), RecordId::NONE)[0], &[]);
    it.refused(vec![far], 0, Code::SequenceGap).await;
    let endorsed = forged(&good[0], &[&one, &two]);
    it.refused(vec![endorsed], 0, Code::EndorserRefused).await;
    let governed = it.sign(&governors[0], &[Statement::Method(method())]).await;
    let endorsed = forged(&governed[0], &[&governors[1], &one]);
    it.refused(vec![endorsed], 0, Code::EndorserRefused).await;
    // What may be right is looked at: the issuer's signature before the endorsements.
    let endorsed = forged(&governed[0], &[&governors[1]]);
    let refused = it.refused(vec![endorsed], 0, Code::SignatureInvalid).await;
    assert!(
        refused.refusal.detail.contains("issuer"),
        "{}",
        refused.refusal
    );
    let mut unsigned = governed[0]
        .clone()
        .endorse(&context, &governors[1])
        .unwrap();
    let mut endorsements = unsigned.endorsements().to_vec();
    endorsements[0].signature = Signature::from_bytes([5; 64]);
    let (bytes, signature) = (unsigned.bytes().to_vec(), *unsigned.signature());
    unsigned = SignedRecord::new(bytes, signature, endorsements).unwrap();
    let refused = it.refused(vec![unsigned], 0, Code::SignatureInvalid).await;
    assert!(
        refused.refusal.detail.contains("endorsement"),
        "{}",
        refused.refusal
    );
    assert_eq!(it.log.published().head.tree.size, size);

    // Those before the first bad one are in.
    let records = vec![good[0].clone(), forged(&good[1], &[&one]), good[2].clone()];
    let refused = it.refused(records, 1, Code::EndorserRefused).await;
    assert_eq!(refused.indexes, [Index(size)]);
    let records = vec![good[1].clone(), forged(&good[2], &[])];
    let refused = it.refused(records, 1, Code::SignatureInvalid).await;
    assert_eq!(refused.indexes, [Index(size + 1)]);

    // A revoked key signs nothing more, and what it signed before is still found.
    let revoke = Statement::KeyRevoke(KeyRevoke {
        key: platform.public(),
        reason: "lost".parse().unwrap(),
        compromised_since: None,
        set: Index(0),
    });
    let revoke = it.sign(&governors[0], &[revoke]).await.remove(0);
    let revoke = revoke.endorse(&context, &governors[1]).unwrap();
    it.log.append(vec![revoke], None).await.unwrap();
    it.refused(vec![forged(&good[2], &[])], 0, Code::KeyRevoked)
        .await;
    let again = it.log.append(good[..2].to_vec(), None).await.unwrap();
    assert_eq!(again.indexes, [Index(size), Index(size + 1)]);
    it.log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_may_name_governors_who_endorse_its_next_record() {
    let it = Fixture::open(set_up()).await;
    let governors = &it.ledger.governors;
    let new = SigningKey::from_seed(&[73; 32]);
    let set = Statement::Governors(GovernorSet {
        governors: List::try_from(vec![governors[0].public(), new.public()]).unwrap(),
        quorum: 2,
        set: Index(0),
    });
    let mut next = method();
    // Signed before it is in: the index that it will have, if nobody else's record comes between.
    next.set = Index(it.log.published().head.tree.size);
    next.version = MethodVersion(2);
    next.effective_from = Day(next.effective_from.0.max(arborlog::client::today().0 + 1));
    let batch = it
        .sign(&governors[0], &[set, Statement::Method(next)])
        .await;
    let [set, method] = batch.try_into().unwrap();
    let context = it.ledger.context();
    let set = set.endorse(&context, &governors[1]).unwrap();
    let set = set.endorse(&context, &new).unwrap();
    let method = method.endorse(&context, &new).unwrap();
    let appended = it.log.append(vec![set, method], None).await.unwrap();
    assert_eq!(appended.indexes.len(), 2);
    it.log.close().await;
}
