//! What benchmarks are made of: the golden ledger's entries, and a state with many accounts.

// Each benchmark uses a part.
#![allow(dead_code)]

use std::path::PathBuf;

use arborlog::crypto::Signature;
use arborlog::ledger::{Candidate, State};
use arborlog::merkle::Bundle;
use arborlog::note::VerifierKey;
use arborlog::record::{
    AccountId, Award, Origin, Record, RecordId, Seq, SignedEntry, SignedRecord, SigningContext,
    Statement, TimeMs,
};

/// A file of the golden vectors.
pub fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A text file of the golden vectors, without the line end.
pub fn golden_text(name: &str) -> String {
    let text = String::from_utf8(golden(name)).expect("text");
    text.trim_end().to_owned()
}

/// The golden ledger's first bundle, which is full.
pub fn bundle() -> Vec<u8> {
    golden("log/257/tile/entries/000")
}

/// The golden ledger's first 256 entries: every kind, every correction, then awards.
pub fn entries() -> Vec<SignedEntry> {
    let bytes = bundle();
    let bundle = Bundle::parse(&bytes, 256).expect("a full bundle");
    let decoded = bundle
        .entries()
        .iter()
        .map(|entry| SignedEntry::decode(entry));
    decoded.collect::<Result<_, _>>().expect("golden entries")
}

/// The golden log's verifier key.
pub fn vkey() -> VerifierKey {
    golden_text("note/log.vkey")
        .parse()
        .expect("a verifier key")
}

/// The golden ledger's origin.
pub fn origin() -> Origin {
    vkey().name().as_str().parse().expect("an origin")
}

/// An entry as it asks to be admitted, in the order of the ledger.
pub struct Admission<'a> {
    entry: &'a SignedEntry,
    target: Option<&'a SignedEntry>,
    id: RecordId,
}

impl<'a> Admission<'a> {
    pub fn all(entries: &'a [SignedEntry]) -> Vec<Self> {
        let context = SigningContext::new(&origin());
        let admission = |entry: &'a SignedEntry| Self {
            entry,
            target: match &entry.signed.record().statement {
                Statement::Correction(correction) => usize::try_from(correction.target.0)
                    .ok()
                    .and_then(|at| entries.get(at)),
                _ => None,
            },
            id: context.id(entry.signed.bytes()),
        };
        entries.iter().map(admission).collect()
    }

    pub fn statement(&self) -> &'a Statement {
        &self.entry.signed.record().statement
    }

    pub fn candidate(&self) -> Candidate<'a> {
        Candidate::signed(
            &self.entry.signed,
            self.id,
            self.entry.admitted_at,
            self.target.map(|target| (&target.signed).into()),
        )
    }
}

/// Takes in a candidate that the rules allow.
pub fn apply(state: &mut State, candidate: &Candidate<'_>) {
    state.apply(candidate).expect("a state that holds");
}

/// The golden ledger's state after the entries given.
pub fn state_after(admissions: &[Admission<'_>]) -> State {
    let mut state = State::empty(origin());
    for admission in admissions {
        state
            .judge(&admission.candidate())
            .expect("an entry of the golden ledger");
        apply(&mut state, &admission.candidate());
    }
    state
}

/// Awards that may follow the golden ledger, each to an account of its own. Their signatures are
/// zeros: judging and applying does not look at them.
pub struct Awards {
    context: SigningContext,
    last: Record,
    award: Award,
    next: (Seq, RecordId),
    admitted_at: TimeMs,
    accounts: u64,
}

impl Awards {
    pub fn after(entries: &[SignedEntry]) -> Self {
        let context = SigningContext::new(&origin());
        let (last, award) = entries
            .iter()
            .rev()
            .find_map(|entry| match &entry.signed.record().statement {
                Statement::Award(award) => Some((entry, award.clone())),
                _ => None,
            })
            .expect("the golden ledger ends with awards");
        let seq = Seq(last.signed.record().seq.0 + 1);
        Self {
            next: (seq, context.id(last.signed.bytes())),
            last: last.signed.record().clone(),
            context,
            award,
            admitted_at: last.admitted_at,
            accounts: 0,
        }
    }

    /// Applies that many, without judging them, which does not change the state.
    pub fn apply_to(&mut self, state: &mut State, count: usize) {
        for _ in 0..count {
            let (signed, id) = self.next();
            apply(state, &self.candidate(&signed, id));
        }
    }

    /// A record of [`Self::next`] as it asks to be admitted.
    pub fn candidate<'a>(&self, signed: &'a SignedRecord, id: RecordId) -> Candidate<'a> {
        Candidate::signed(signed, id, self.admitted_at, None)
    }

    /// The next award.
    pub fn next(&mut self) -> (SignedRecord, RecordId) {
        self.accounts += 1;
        // Ids are scattered as hashes are.
        let scattered = self
            .accounts
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_be_bytes();
        let mut account = [0; 32];
        account[..8].copy_from_slice(&scattered);
        let (seq, prev) = self.next;
        let record = Record {
            seq,
            prev,
            statement: Statement::Award(Award {
                account: AccountId::from_bytes(account),
                evidence: arborlog::record::Digest::from_bytes(account),
                ..self.award.clone()
            }),
            ..self.last.clone()
        };
        let bytes = record.encode().expect("a record");
        let id = self.context.id(&bytes);
        self.next = (Seq(seq.0 + 1), id);
        let signature = Signature::from_bytes([0; 64]);
        let signed = SignedRecord::new(bytes, signature, Vec::new()).expect("a record");
        (signed, id)
    }
}
