//! A batch that was signed and has no answer: records, or statements with their seal.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::client::event::event_of;
use crate::client::remote::ChainEnd;
use crate::crypto::PublicKey;
use crate::record::{
    Digest, Index, RecordId, Seq, SignedRecord, SigningContext, Statement, append_frame,
};

/// A batch without an answer.
pub(in crate::client) struct OpenBatch {
    pub key: PublicKey,
    /// The seq of its first record, or of its seal.
    pub seq: Seq,
    pub(super) signed: Signed,
    /// A request for it may be on its way: a try got no answer, or an earlier run signed it, and what
    /// became of that run's requests nobody knows.
    pub(super) on_its_way: bool,
}

/// What of it was signed.
pub(super) enum Signed {
    /// Records, consecutive in their issuer's chain.
    Records(VecDeque<OpenRecord>),
    /// Statements with their seal.
    Sealed(Box<OpenSeal>),
}

/// A signed record without an answer.
pub(super) struct OpenRecord {
    pub digest: Digest,
    pub event: Option<Digest>,
    pub record: Stored,
}

/// Most are answered without being looked at again.
pub(super) enum Stored {
    Encoded(Box<str>),
    Decoded(Box<SignedRecord>),
}

/// A sealed batch without an answer.
pub(in crate::client) struct OpenSeal {
    pub seal: SignedRecord,
    /// The bytes that are sent.
    pub body: Vec<u8>,
    /// Of each statement its digest, and the event that it names.
    lines: Vec<(Digest, Option<Digest>)>,
    count: usize,
}

impl Stored {
    pub(super) fn decoded(&self) -> Option<SignedRecord> {
        match self {
            Self::Decoded(record) => Some((**record).clone()),
            Self::Encoded(text) => SignedRecord::decode(&STANDARD.decode(&**text).ok()?).ok(),
        }
    }
}

impl OpenSeal {
    /// A seal, which `bytes` encode, that waits for its statements.
    pub(super) fn new(seal: SignedRecord, bytes: &[u8]) -> Self {
        let count = match &seal.record().statement {
            Statement::Seal(said) => said.count as usize,
            _ => 0,
        };
        let mut body = Vec::new();
        append_frame(bytes, &mut body);
        Self {
            seal,
            body,
            lines: Vec::new(),
            count,
        }
    }

    /// Takes in the next statement, by its digest, the event that it names, and its bytes.
    pub(super) fn push(&mut self, digest: Digest, event: Option<Digest>, bytes: &[u8]) {
        append_frame(bytes, &mut self.body);
        self.lines.push((digest, event));
    }

    /// Number of its statements.
    pub(in crate::client) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether all that it signs is there.
    pub(super) fn is_whole(&self) -> bool {
        self.lines.len() == self.count
    }
}

impl OpenBatch {
    pub(super) fn of_records(
        key: PublicKey,
        seq: Seq,
        records: Vec<(Digest, SignedRecord)>,
    ) -> Self {
        let open = records.into_iter().map(|(digest, record)| OpenRecord {
            digest,
            event: event_of(&record.record().statement),
            record: Stored::Decoded(Box::new(record)),
        });
        Self::new(key, seq, Signed::Records(open.collect()))
    }

    pub(super) fn of_seal(key: PublicKey, seq: Seq, seal: OpenSeal) -> Self {
        Self::new(key, seq, Signed::Sealed(Box::new(seal)))
    }

    /// One that nobody sent yet.
    pub(super) fn new(key: PublicKey, seq: Seq, signed: Signed) -> Self {
        Self {
            key,
            seq,
            signed,
            on_its_way: false,
        }
    }

    /// One that a run before this one signed.
    pub(super) fn of_earlier_run(mut self) -> Self {
        self.on_its_way = true;
        self
    }

    /// The seal with its statements, if it has one.
    pub(in crate::client) fn seal(&self) -> Option<&OpenSeal> {
        match &self.signed {
            Signed::Sealed(seal) => Some(seal),
            Signed::Records(_) => None,
        }
    }

    /// Whether a seal is still to come to its statements: it was cut off when it was written, and
    /// never sent.
    pub(super) fn is_cut(&self) -> bool {
        self.seal().is_some_and(|seal| !seal.is_whole())
    }

    /// Number of its lines.
    pub(in crate::client) fn len(&self) -> usize {
        match &self.signed {
            Signed::Records(records) => records.len(),
            Signed::Sealed(seal) => seal.lines.len(),
        }
    }

    pub(in crate::client) fn digests(&self) -> Box<dyn Iterator<Item = &Digest> + '_> {
        match &self.signed {
            Signed::Records(records) => Box::new(records.iter().map(|open| &open.digest)),
            Signed::Sealed(seal) => Box::new(seal.lines.iter().map(|(digest, _)| digest)),
        }
    }

    /// The events that its lines name.
    pub(in crate::client) fn events(&self) -> impl Iterator<Item = Digest> {
        self.lines().filter_map(|(_, event)| event)
    }

    /// Of its lines the digests, and the events that they name.
    pub(super) fn lines(&self) -> Box<dyn Iterator<Item = (Digest, Option<Digest>)> + '_> {
        match &self.signed {
            Signed::Records(records) => {
                Box::new(records.iter().map(|open| (open.digest, open.event)))
            }
            Signed::Sealed(seal) => Box::new(seal.lines.iter().copied()),
        }
    }

    /// The entries of its first lines, where its first records, or its seal, are these.
    pub(super) fn lines_of(&self, records: &[Index]) -> Vec<Index> {
        match (&self.signed, records) {
            (Signed::Records(_), records) => records.to_vec(),
            (Signed::Sealed(seal), [at, ..]) => {
                let first = at.0.saturating_sub(seal.lines.len() as u64);
                (first..at.0).map(Index).collect()
            }
            (Signed::Sealed(_), []) => Vec::new(),
        }
    }

    /// Its first signed records; of a sealed batch the seal.
    pub(super) fn records(&self, count: usize) -> Option<Vec<SignedRecord>> {
        match &self.signed {
            Signed::Records(records) => {
                let first = records.iter().take(count);
                first.map(|open| open.record.decoded()).collect()
            }
            Signed::Sealed(seal) => Some(vec![seal.seal.clone()]),
        }
    }

    /// The ids of its records; of a sealed batch that of the seal. `None` if this release can't read
    /// them.
    pub(super) fn ids(&self, context: &SigningContext) -> Option<Vec<RecordId>> {
        let records = self.records(usize::MAX)?;
        let ids = records.iter().map(|record| context.id(record.bytes()));
        Some(ids.collect())
    }

    /// What of it continues a chain that ends with the record `last`: a chain may have taken up its
    /// first records. `None` if nothing does.
    pub(in crate::client) fn behind(
        mut self,
        last: Option<ChainEnd>,
        granted: RecordId,
    ) -> Option<Self> {
        let (first, _) = self.continues(last, granted)?;
        if let Signed::Records(records) = &mut self.signed {
            let taken = usize::try_from(first.record().seq.0.checked_sub(self.seq.0)?).ok()?;
            records.drain(..taken.min(records.len()));
            self.seq = first.record().seq;
        }
        Some(self)
    }

    /// Its first record, or its seal, that continues a chain which ends with the record `last`, and how
    /// many lines come in with it and behind it; `None` if nothing of it continues that chain.
    pub(super) fn continues(
        &self,
        last: Option<ChainEnd>,
        granted: RecordId,
    ) -> Option<(SignedRecord, usize)> {
        let (seq, prev) = last.map_or((Seq(0), granted), |last| {
            (Seq(last.seq.0.saturating_add(1)), last.id)
        });
        let (first, lines) = match &self.signed {
            Signed::Records(records) => {
                let taken = usize::try_from(seq.0.checked_sub(self.seq.0)?).ok()?;
                let first = records.get(taken)?.record.decoded()?;
                (first, records.len() - taken)
            }
            Signed::Sealed(seal) => (seal.seal.clone(), seal.len()),
        };
        ((first.record().seq, first.record().prev) == (seq, prev)).then_some((first, lines))
    }
}
