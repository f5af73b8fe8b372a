//! A forge of ledgers: it has everybody's keys, admits by the rules or against them, keeps all
//! else as the real log would, and shows what it made as static files.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::OnceLock;

use arborlog::crypto::PublicKey;
use arborlog::ledger::{BatchCandidate, Candidate, KeyRole, Refusal, State};
use arborlog::merkle::{
    Bundle, Hash, Level, TILE_HASHES, TileId, inclusion_ranges, leaf_hash, root_of,
};
use arborlog::note::{Checkpoint, KeyName, SignatureType, TreeHead, VerifierKey};
use arborlog::receipt::{AuthorityLink, Receipt, SealLink};
use arborlog::record::*;

use crate::statements::*;

pub const ORIGIN: &str = "attacked.example/ledger";
pub const OTHER_ORIGIN: &str = "other.example/ledger";
const SECOND_MS: u64 = 1000;
pub const DAY_MS: u64 = 86_400_000;
/// Whose keys may sign checkpoints.
const LOG_KEYS: [&str; 3] = ["log", "log2", "g4"];

/// A log's static files by their paths.
pub type Files = BTreeMap<String, Vec<u8>>;

pub fn write(files: &Files, dir: &Path) {
    for (name, bytes) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

pub fn vkey(name: &str) -> VerifierKey {
    vkey_of(ORIGIN, name)
}

pub fn vkey_of(origin: &str, name: &str) -> VerifierKey {
    let origin = origin.parse().unwrap();
    VerifierKey::new(origin, SignatureType::Ed25519, public(name))
}

/// An entry's version, time of admission and length of its lineage.
pub const ENTRY_HEAD_BYTES: usize = 2 + 8 + 8;

/// The fields that an entry has before its signed record.
pub fn entry_head(version: u16, admitted_at: TimeMs, lineage: &[Option<Index>]) -> Vec<u8> {
    let mut bytes = version.to_be_bytes().to_vec();
    bytes.extend(admitted_at.0.to_be_bytes());
    bytes.extend((lineage.len() as u64).to_be_bytes());
    for index in lineage {
        bytes.extend(index.map_or(u64::MAX, |index| index.0).to_be_bytes());
    }
    bytes
}

/// A ledger as its log keeps it. Who signs is written `issuer+endorser+endorser`.
#[derive(Clone)]
pub struct Forge {
    pub context: SigningContext,
    pub state: State,
    /// The entries' bytes, which a liar may change.
    pub entries: Vec<Vec<u8>>,
    /// When the next one is admitted.
    pub now: TimeMs,
    places: HashMap<&'static str, Index>,
}

impl Forge {
    /// No entries yet.
    pub fn empty() -> Self {
        let origin: Origin = ORIGIN.parse().unwrap();
        Self {
            context: SigningContext::new(&origin),
            state: State::empty(origin),
            entries: Vec::new(),
            now: TimeMs(u64::from(TODAY.0) * DAY_MS + DAY_MS / 2),
            places: HashMap::new(),
        }
    }

    /// An honest ledger with something of everything.
    pub fn honest() -> Self {
        static MADE: OnceLock<Forge> = OnceLock::new();
        MADE.get_or_init(Self::make_honest).clone()
    }

    fn make_honest() -> Self {
        let mut it = Self::empty();
        it.admit("g1+g2+g3+log", genesis(ORIGIN, &["g1", "g2", "g3"], 2));
        for (name, role, holder) in [
            ("platform", Role::Platform, "cityride"),
            ("stolen", Role::Platform, "cityride"),
            ("platform2", Role::Platform, "otherride"),
            ("planter", Role::Planter, "greenhands"),
            ("planter2", Role::Planter, "otherland"),
            ("surveyor", Role::Surveyor, "eyes"),
            ("surveyor2", Role::Surveyor, "lens"),
            ("auditor", Role::Auditor, "books"),
        ] {
            it.admit(&format!("g1+g2+{name}"), grant(name, role, holder));
        }
        let old = KeyGrant {
            expires_on: Some(TODAY),
            ..grant("old", Role::Platform, "cityride")
        };
        it.admit("g2+g3+old", old);
        it.admit("g1+g2", method(1));
        it.admit("g1+g2+g4", governors(&["g1", "g2", "g4"], 2));
        it.place("stolen", |it| it.admit("stolen", award(BEN, 10)));
        it.admit("g2+g4", revoke("stolen"));
        it.admit("planter", plot(1));
        it.admit("planter2", plot(2));
        it.place("oaks", |it| it.admit("planter", planting(1, 1, 20, 1)));
        let elms = Planting {
            species: ELM,
            ..planting(1, 21, 10, 2)
        };
        it.place("elms", |it| it.admit("planter", elms));
        let mistake = it.place("voided planting", |it| {
            it.admit("planter", planting(1, 31, 5, 3))
        });
        it.admit("planter", void(mistake));
        it.place("award", |it| it.admit("platform", award(ANN, 1000)));
        it.place("award of Ben", |it| it.admit("platform", award(BEN, 400)));
        it.admit("platform2", award(PAT, 60));
        let tied = it.place("tied", |it| it.admit("platform", claim(ANN)));
        it.place("waiting", |it| it.admit("platform", claim(ANN)));
        it.place("waiting elm", |it| it.admit("platform", elm_claim(ANN)));
        it.place("assignment", |it| it.admit("platform", assign(1, &[tied])));
        let gift = it.place("gift", |it| it.admit("platform", gift(ANN, BEN, 50)));
        it.place("void", |it| it.admit("platform", void(gift)));
        let award = it.at("award");
        it.admit("platform", reverse(award, 30));
        let oaks = it.at("oaks");
        it.place("loss", |it| it.admit("surveyor2", lost(oaks, 2, Some(10))));
        it.admit("g1+g2", policy("quorum none\n"));
        it.place("attestation", |it| it.admit("auditor", attestation(20)));
        it.place("survey", |it| it.admit("surveyor", survey(1, 11)));
        it.admit("planter2", planting(2, 1, 3, 4));
        it
    }

    /// The honest ledger and some hundred awards more: one full bundle and a part of the next.
    pub fn long() -> Self {
        static MADE: OnceLock<Forge> = OnceLock::new();
        let make = || {
            let mut it = Self::honest();
            it.grow(300);
            it
        };
        MADE.get_or_init(make).clone()
    }

    /// Admits awards until there are so many entries.
    pub fn grow(&mut self, size: usize) {
        self.grow_as("platform2", size);
    }

    /// The same, by this platform.
    pub fn grow_as(&mut self, who: &str, size: usize) {
        while self.entries.len() < size {
            self.admit(who, award(EVE, 1));
        }
    }

    /// What happens after the lie.
    pub fn goes_on(&mut self) {
        let fresh = photo(150 + (self.entries.len() % 50) as u8);
        let survey = Survey {
            evidence: fresh,
            ..survey(2, 0)
        };
        self.admit("surveyor2", survey);
    }

    /// What the log says of its state now, if it says it in the next entry.
    pub fn state_entry(&self) -> StateEntry {
        let roots = self.state.roots().unwrap();
        let totals = self.state.totals();
        let said = self
            .state
            .next_state_entry(self.now, self.size(), &roots, totals);
        said.unwrap()
    }

    /// Takes in a state entry, whether it is right or not.
    pub fn take_state_entry(&mut self, entry: &StateEntry) -> Index {
        self.entries.push(entry.encode().unwrap());
        self.now.0 += SECOND_MS;
        self.state.apply_state_entry(entry).unwrap();
        Index(self.size() - 1)
    }

    /// Takes in a state entry that covers all before it.
    pub fn cover(&mut self) -> Index {
        self.take_state_entry(&self.state_entry())
    }

    fn place(&mut self, name: &'static str, admit: impl FnOnce(&mut Self) -> Index) -> Index {
        let index = admit(self);
        self.places.insert(name, index);
        index
    }

    /// An entry of the honest ledger.
    pub fn at(&self, name: &str) -> Index {
        self.places[name]
    }

    /// The entry at an index.
    pub fn entry(&self, index: Index) -> SignedEntry {
        SignedEntry::decode(&self.entries[index.0 as usize]).unwrap()
    }

    pub fn genesis_id(&self) -> RecordId {
        self.context.id(self.entry(Index(0)).signed.bytes())
    }

    /// The issuer's next record.
    pub fn record(&self, who: &str, said: impl Says) -> Record {
        let issuer = public(who.split('+').next().unwrap());
        let council = &self.state.globals().council;
        let statement = said.says();
        // Others endorse nothing but what governors sign.
        let by_governors = match &statement {
            Statement::Plot(plot) => who.contains('+') || self.state.plot(plot.number).is_some(),
            _ => who.contains('+') || council.governors.contains(&issuer),
        };
        let (seq, prev) = match self.state.key(&issuer) {
            Some(known) => known.next(),
            None => (Seq(0), RecordId::NONE),
        };
        Record {
            issuer,
            seq,
            prev,
            issued_on: Day::of(self.now),
            statement: naming(statement, council.stated_at, by_governors),
        }
    }

    pub fn sign(&self, who: &str, record: &Record) -> SignedRecord {
        let mut names = who.split('+');
        let (signed, _) = draft(record, &self.context, &key(names.next().unwrap())).unwrap();
        names.fold(signed, |signed, name| {
            signed.endorse(&self.context, &key(name)).unwrap()
        })
    }

    fn target(&self, signed: &SignedRecord) -> Option<SignedEntry> {
        match &signed.record().statement {
            Statement::Correction(correction) => {
                let index = usize::try_from(correction.target.0).ok()?;
                SignedEntry::decode(self.entries.get(index)?).ok()
            }
            _ => None,
        }
    }

    /// What the rules say of a record.
    pub fn judge(&self, signed: &SignedRecord) -> Result<Lineage, Refusal> {
        self.state.judge(&Candidate::signed(
            signed,
            self.context.id(signed.bytes()),
            self.now,
            self.target(signed)
                .as_ref()
                .map(|target| (&target.signed).into()),
        ))
    }

    /// Admits by the rules.
    #[track_caller]
    pub fn admit(&mut self, who: &str, said: impl Says) -> Index {
        let signed = self.sign(who, &self.record(who, said));
        let lineage = self.judge(&signed).unwrap();
        assert_eq!(lineage, self.lineage(&signed), "what the forge would write");
        self.take(signed, lineage)
    }

    /// A batch of statements under one seal, as `who` signs it and the log writes it, whether the
    /// rules allow it or not: the entries' bytes, the seal's last.
    pub fn sealed(&self, who: &str, said: &[Statement]) -> Vec<Vec<u8>> {
        self.sealed_as(who, said, |_| ())
    }

    /// The same under a seal that lies.
    pub fn sealed_as(
        &self,
        who: &str,
        said: &[Statement],
        lie: impl FnOnce(&mut Seal),
    ) -> Vec<Vec<u8>> {
        let statements: Vec<SealedStatement> = said
            .iter()
            .map(|said| SealedStatement::new(said.clone()).unwrap())
            .collect();
        let leaves = statements.iter().map(|said| leaf_hash(said.bytes()));
        let mut seal = Seal {
            count: u32::try_from(said.len()).unwrap(),
            root: Digest::from_bytes(*root_of(leaves).as_bytes()),
        };
        lie(&mut seal);
        let signed = self.sign(who, &self.record(who, seal));
        let ahead = (1..=said.len() as u16).rev();
        let mut state = self.state.clone();
        let mut entries = Vec::new();
        for (ahead, statement) in ahead.zip(statements) {
            // As the rules would have it if they allowed the statement in a record of its own.
            let places = Self {
                state: state.clone(),
                ..self.clone()
            }
            .subjects_of(statement.statement());
            let target = statement.statement().target();
            let target = target.and_then(|target| self.entries.get(target.0 as usize));
            let target = target.and_then(|bytes| SignedEntry::decode(bytes).ok());
            let target = target.as_ref().map(|target| (&target.signed).into());
            let candidate = Candidate::signed(&signed, RecordId::NONE, self.now, None)
                .under_seal(statement.statement(), target);
            let _ = state.apply(&candidate);
            let entry = SealedEntry::new(ahead, statement.clone(), places).unwrap();
            entries.push(entry.encode().unwrap());
        }
        let lineage = self.lineage(&signed);
        entries.push(SignedEntry::encode_parts(self.now, &lineage, &signed).unwrap());
        entries
    }

    /// Admits a batch by the rules; gives its seal.
    pub fn admit_sealed(&mut self, who: &str, said: &[Statement]) -> Index {
        let batch = self.sealed(who, said);
        let seal = SignedEntry::decode(batch.last().unwrap()).unwrap().signed;
        let candidate = Candidate::signed(&seal, self.context.id(seal.bytes()), self.now, None);
        let candidates: Vec<_> = said
            .iter()
            .map(|statement| candidate.under_seal(statement, None))
            .collect();
        let whole = BatchCandidate {
            statements: &candidates,
            seal: candidate,
        };
        assert!(self.state.admit_batch(&whole).unwrap().is_ok());
        self.take_batch(batch)
    }

    /// Takes a batch in as it is; gives its last entry. The state does not learn of it: what comes next is about
    /// something else.
    pub fn take_batch(&mut self, batch: Vec<Vec<u8>>) -> Index {
        self.entries.extend(batch);
        self.now.0 += SECOND_MS;
        Index(self.size() - 1)
    }

    /// The receipt of an entry that is so many before the seal of its batch, which has these statements before it.
    pub fn sealed_receipt(&self, seal: Index, ahead: u64, count: u64) -> Receipt {
        let of_seal = self.receipt(seal);
        let index = Index(seal.0 - ahead);
        let first = seal.0 - count;
        let leaves: Vec<_> = self.entries[first as usize..seal.0 as usize]
            .iter()
            .map(|bytes| leaf_hash(SealedEntry::decode(bytes).unwrap().statement().bytes()))
            .collect();
        let ranges = inclusion_ranges(count - ahead, count).unwrap();
        let siblings = ranges.iter().map(|(start, end)| {
            let part = &leaves[*start as usize..*end as usize];
            *root_of(part.iter().copied()).as_bytes()
        });
        Receipt {
            index,
            entry: self.entries[index.0 as usize].clone(),
            path: self.path(index, self.size()),
            seal: Some(SealLink {
                index: seal,
                entry: of_seal.entry.clone(),
                path: of_seal.path.iter().map(|hash| *hash.as_bytes()).collect(),
                siblings: siblings.collect(),
            }),
            ..of_seal
        }
    }

    fn subjects_of(&self, statement: &Statement) -> Vec<Option<Index>> {
        let Statement::Correction(correction) = statement else {
            return self.subjects(statement);
        };
        let mut places = vec![Some(correction.target)];
        let target = self.entries.get(correction.target.0 as usize);
        if let Some(target) = target.and_then(|bytes| SignedEntry::decode(bytes).ok()) {
            places.extend(self.subjects(&target.signed.record().statement));
        }
        places
    }

    /// Admits what the rules forbid.
    #[track_caller]
    pub fn force(&mut self, who: &str, said: impl Says) -> Index {
        let record = self.record(who, said);
        self.force_record(who, &record)
    }

    #[track_caller]
    pub fn force_record(&mut self, who: &str, record: &Record) -> Index {
        let signed = self.sign(who, record);
        assert!(self.judge(&signed).is_err(), "the rules allow it");
        self.force_signed(signed)
    }

    /// Admits without asking the rules.
    pub fn force_signed(&mut self, signed: SignedRecord) -> Index {
        let lineage = self.lineage(&signed);
        self.take(signed, lineage)
    }

    /// Takes a record in with this lineage.
    pub fn take(&mut self, signed: SignedRecord, lineage: Lineage) -> Index {
        let target = self.target(&signed);
        let index = Index(self.entries.len() as u64);
        // Some lies leave nothing that adds up: the liar carries on with what is left.
        let _ = self.state.apply(&Candidate::signed(
            &signed,
            self.context.id(signed.bytes()),
            self.now,
            target.as_ref().map(|target| (&target.signed).into()),
        ));
        let entry = SignedEntry {
            admitted_at: self.now,
            lineage,
            signed,
        };
        self.entries.push(entry.encode().unwrap());
        self.now.0 += SECOND_MS;
        index
    }

    /// The lineage that the log writes, whether the record is allowed or not
    /// (`docs/format.md`, 5.1).
    fn lineage(&self, signed: &SignedRecord) -> Lineage {
        let (state, record) = (&self.state, signed.record());
        let statement = &record.statement;
        let issuer = state.key(&record.issuer);
        let authority = issuer
            .filter(|_| statement.kind() != Kind::Genesis)
            .map(|key| match key.role {
                KeyRole::Governor => state.globals().council.stated_at,
                KeyRole::Log | KeyRole::Issuer { .. } => key.granted_at,
            });
        let before = issuer.and_then(|key| key.head.map(|head| head.index));
        let mut lineage = vec![before, authority];
        match statement {
            Statement::Correction(correction) => {
                lineage.push(Some(correction.target));
                if let Some(target) = self.target(signed) {
                    lineage.extend(self.subjects(&target.signed.record().statement));
                }
            }
            other => lineage.extend(self.subjects(other)),
        }
        Lineage::new(lineage)
    }

    /// The last entries about what a statement speaks of.
    fn subjects(&self, statement: &Statement) -> Vec<Option<Index>> {
        let state = &self.state;
        let account = |id: &AccountId| state.account(id).map(|account| account.last_entry);
        let plot = |number: PlotNumber| state.plot(number).map(|plot| plot.last_entry);
        match statement {
            Statement::Genesis(_) => vec![],
            Statement::Governors(_) => vec![Some(state.globals().council.stated_at)],
            Statement::KeyGrant(_) => vec![None],
            Statement::KeyRevoke(it) => vec![state.key(&it.key).map(|key| key.last_entry)],
            Statement::LogKey(_) => vec![state.globals().log_keys.last().map(|(_, index)| *index)],
            Statement::Method(it) => {
                let versions = state.methods().filter(|known| known.method.id == it.id);
                vec![versions.last().map(|known| known.stated_at)]
            }
            Statement::Policy(_) => vec![state.globals().policy_at],
            Statement::Attestation(_) | Statement::Seal(_) => vec![],
            Statement::Award(it) => vec![account(&it.account)],
            Statement::Claim(it) => vec![account(&it.account)],
            Statement::Transfer(it) => vec![account(&it.from), it.to.as_ref().and_then(account)],
            Statement::Plot(it) => vec![plot(it.number)],
            Statement::Planting(it) => vec![plot(it.plot)],
            Statement::Survey(it) => vec![plot(it.plot)],
            Statement::Assignment(it) => vec![plot(it.plot)],
            // What a corrected correction speaks of.
            Statement::Correction(it) => {
                self.subjects(&self.entry(it.target).signed.record().statement)
            }
        }
    }

    /// The same ledger told anew from these records, whatever the rules say of them.
    pub fn retold(signed: impl IntoIterator<Item = SignedRecord>) -> Self {
        let mut it = Self::empty();
        for signed in signed {
            it.force_signed(signed);
        }
        it
    }

    /// All records as they were signed.
    pub fn signed(&self) -> Vec<SignedRecord> {
        (0..self.entries.len() as u64)
            .map(|index| self.entry(Index(index)).signed)
            .collect()
    }

    fn leaves(&self, size: u64) -> Vec<Hash> {
        let entries = self.entries.iter().take(size as usize);
        entries.map(|entry| leaf_hash(entry)).collect()
    }

    pub fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    pub fn head(&self, size: u64) -> TreeHead {
        TreeHead {
            size,
            root: root_of(self.leaves(size)),
        }
    }

    /// A checkpoint signed by these keys.
    pub fn checkpoint_by(&self, size: u64, names: &[&str]) -> Checkpoint {
        let origin: KeyName = ORIGIN.parse().unwrap();
        let mut checkpoint = Checkpoint::sign(&origin, self.head(size), &key(names[0]));
        for name in &names[1..] {
            checkpoint.also_sign(&key(name));
        }
        checkpoint
    }

    /// A checkpoint as the log signs it: by the key in force, then by those before it.
    pub fn checkpoint(&self, size: u64) -> Checkpoint {
        let name = |key: &PublicKey| *LOG_KEYS.iter().find(|it| public(it) == *key).unwrap();
        let named = self.state.globals().log_keys.iter();
        let mut names: Vec<&str> = named
            .filter(|(_, index)| index.0 < size)
            .map(|(key, _)| name(key))
            .collect();
        // Without a genesis there is none in force.
        if names.is_empty() {
            names.push("log");
        }
        names.rotate_right(1);
        self.checkpoint_by(size, &names)
    }

    /// The static files of the whole log.
    pub fn files(&self) -> Files {
        self.files_at(self.size())
    }

    /// The static files at an earlier size.
    pub fn files_at(&self, size: u64) -> Files {
        let mut files = Files::new();
        let checkpoint = self.checkpoint(size).to_string();
        files.insert("checkpoint".to_owned(), checkpoint.into_bytes());
        let entries = &self.entries[..size as usize];
        for (number, chunk) in (0..).zip(entries.chunks(TILE_HASHES as usize)) {
            let mut bundle = Vec::new();
            for entry in chunk {
                Bundle::append(&mut bundle, entry).unwrap();
            }
            files.insert(path(Level::Entries, number, size), bundle);
        }
        let mut row = self.leaves(size);
        for level in 0.. {
            if row.is_empty() {
                break;
            }
            let (full, _) = row.as_chunks::<{ TILE_HASHES as usize }>();
            let above = full.iter().map(|tile| root_of(*tile)).collect();
            for (number, tile) in (0..).zip(row.chunks(TILE_HASHES as usize)) {
                let bytes = tile.iter().flat_map(|hash| *hash.as_bytes()).collect();
                files.insert(path(Level::Hashes(level), number, size), bytes);
            }
            row = above;
        }
        files
    }

    /// The receipt of an entry.
    pub fn receipt(&self, index: Index) -> Receipt {
        self.receipt_in(index, &self.checkpoint(self.size()))
    }

    /// The receipt of an entry in the tree of a checkpoint's size.
    pub fn receipt_in(&self, index: Index, checkpoint: &Checkpoint) -> Receipt {
        let size = checkpoint.head().size.min(self.size());
        let mut authority = Vec::new();
        let mut behind = self.authority(index);
        while let Some(index) = behind {
            let path = self.path(index, size);
            authority.push(AuthorityLink {
                index,
                entry: self.entries[index.0 as usize].clone(),
                path: path.iter().map(|hash| *hash.as_bytes()).collect(),
            });
            behind = self.authority(index);
        }
        Receipt {
            items: Vec::new(),
            entries: Vec::new(),
            hashes: Vec::new(),
            index,
            entry: self.entries[index.0 as usize].clone(),
            seal: None,
            authority,
            path: self.path(index, size),
            checkpoint: checkpoint.to_string(),
            second: None,
        }
    }

    /// What an entry's lineage names as its authority, though the rest of it be no entry.
    fn authority(&self, index: Index) -> Option<Index> {
        let entry = &self.entries[index.0 as usize];
        // A state entry rests on nobody's authority.
        if entry.starts_with(&[0, 3]) {
            return None;
        }
        let second = ENTRY_HEAD_BYTES + 8..ENTRY_HEAD_BYTES + 16;
        let bytes = entry[second].try_into().unwrap();
        Some(Index(u64::from_be_bytes(bytes))).filter(|index| index.0 != u64::MAX)
    }

    /// The root over a range of entries.
    pub fn root(&self, (start, end): (u64, u64)) -> Hash {
        let part = &self.entries[start as usize..end as usize];
        root_of(part.iter().map(|entry| leaf_hash(entry)))
    }

    pub fn path(&self, index: Index, size: u64) -> Vec<Hash> {
        let leaves = self.leaves(size);
        let ranges = inclusion_ranges(index.0, size).unwrap();
        let root = |(start, end): (u64, u64)| {
            root_of(leaves[start as usize..end as usize].iter().copied())
        };
        ranges.into_iter().map(root).collect()
    }
}

/// A tile's path in a tree of `size` entries.
pub fn path(level: Level, number: u64, size: u64) -> String {
    TileId::in_tree(level, number, size).unwrap().to_string()
}
