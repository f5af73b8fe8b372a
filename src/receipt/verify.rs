//! What a receipt proves: the checkpoint, the entry in its tree, and the chain of authority back to
//! the genesis.

use super::about::{StateFile, about};
use super::second::{VerifiedSecond, largest_with};
use super::state_items::ProvenItem;
use super::vouched::{Check, Trust, Vouched};
use super::{Receipt, ReceiptError, shown};
use crate::crypto::PublicKey;
use crate::ledger::{RULES_VERSION, check_state_place, domains, endorsement_quorum, speakers};
use crate::merkle::{Hash, ProofError, inclusion_ranges, leaf_hash, verify_inclusion};
use crate::note::{Cosignature, TreeHead, VerifierKey};
use crate::policy::{Level, Standing};
use crate::record::{
    CodecError, Entry, FullEntry, Index, Origin, RecordId, Role, SignedEntry, SigningContext,
    StateEntry, Statement,
};

/// What a receipt proves.
#[derive(Clone, Debug)]
pub struct VerifiedReceipt {
    /// The entry's index in the log.
    pub index: Index,
    /// The entry, with its seal if it is a sealed one.
    pub entry: FullEntry,
    /// The id of the record that is signed: the entry's own, or its seal's. `None` for a state entry.
    pub id: Option<RecordId>,
    /// The issuer's holder, the holder's name for people, and the role; `None` for governors.
    pub issuer: Option<(String, String, Role)>,
    /// The id of the genesis that the chain of authority leads to; `None` for a state entry, which
    /// rests on nobody's authority, unless its file names it.
    pub genesis: Option<RecordId>,
    /// Size and root of the tree that the entry is in.
    pub head: TreeHead,
    /// The cosignatures of the witnesses that were asked for one by one, with the times at which they saw the
    /// checkpoint.
    pub cosignatures: Vec<Cosignature>,
    /// By the policy, if it was verified under one: who signed, when, and which levels that makes.
    pub standing: Option<Standing>,
    /// The second checkpoint of the file, if it has one.
    pub second: Option<VerifiedSecond>,
    /// The items of the state that are proven, of a state entry.
    pub items: Vec<ProvenItem>,
    /// What a file that shows entries beside the items is about.
    pub file: Option<StateFile>,
    /// The entries that it shows, with their seals, by their indexes.
    pub shown: Vec<(Index, FullEntry)>,
    /// What was checked, in order.
    pub checks: Vec<Check>,
}

impl VerifiedReceipt {
    /// The levels that the file has by the policy, each with the number of entries of the larger of its checkpoints
    /// that has the level. Of a file that no single checkpoint makes cosigned, that of its own.
    pub fn levels(&self) -> Vec<(Level, u64)> {
        let second = self.second.as_ref();
        let second = second.map(|second| (second.head, second.standing.as_ref()));
        let checkpoints: Vec<_> = std::iter::once((self.head, self.standing.as_ref()))
            .chain(second)
            .collect();
        let of_level = |level| {
            let size = largest_with(level, &checkpoints);
            let cosigned_by_both =
                || (self.standing.is_some() && level == Level::Cosigned).then_some(self.head.size);
            Some((level, size.or_else(cosigned_by_both)?))
        };
        Level::ALL.into_iter().filter_map(of_level).collect()
    }
}

impl Receipt {
    /// Verifies everything that a receipt can prove: that the checkpoint is the log's and the
    /// entry in it, that its issuer signed it, and that governors granted the issuer's key its
    /// role, back to the genesis. Each of `witnesses` must have cosigned.
    ///
    /// It can't prove that the key was unrevoked, that the rules held, or that no correction
    /// followed: an audit does.
    ///
    /// # Errors
    /// [`ReceiptError`] says what does not hold.
    pub fn verify(
        &self,
        log: &VerifierKey,
        genesis: Option<&RecordId>,
        witnesses: &[VerifierKey],
    ) -> Result<VerifiedReceipt, ReceiptError> {
        let trust = Trust {
            log: Some(log),
            policy: None,
            witnesses,
        };
        self.verify_by(&trust, genesis)
    }

    /// As [`Self::verify`], by all that a reader trusts.
    ///
    /// # Errors
    /// [`ReceiptError`] says what does not hold; [`ReceiptError::Quorum`] names who is missing.
    pub fn verify_by(
        &self,
        trust: &Trust<'_>,
        genesis: Option<&RecordId>,
    ) -> Result<VerifiedReceipt, ReceiptError> {
        let Vouched {
            checkpoint,
            cosignatures,
            standing,
            second,
            mut checks,
        } = self.vouched(trust)?;
        let mut held = |name, holds: String| checks.push(Check { name, holds });
        let head = checkpoint.head();
        self.check_lengths(head.size)?;
        shown::check_length(&self.entries, self.hashes.len(), head.size)?;
        if let (Some(claimed), Some(second)) = (&self.second, &second) {
            claimed.check(head, second.head)?;
            held(
                "consistency",
                format!(
                    "the tree of {} entries begins with that of {}",
                    second.head.size, head.size
                ),
            );
        }
        if !self.is_of_state_entry() {
            self.check_format(head)?;
        }
        let origin = Origin::from(checkpoint.origin().clone());
        let context = SigningContext::new(&origin);
        let entry = include(head, self.index, &self.entry, &self.path)?;
        held(
            "inclusion",
            format!("entry {} is in that tree, just these bytes", self.index),
        );
        let entry = match entry {
            Entry::State(state) => {
                if state.rules_version != RULES_VERSION {
                    return Err(ReceiptError::RulesVersion {
                        found: state.rules_version,
                    });
                }
                self.check_state_alone()?;
                let index = self.index;
                check_state_place(&state, index)
                    .map_err(|what| ReceiptError::Entry { index, what })?;
                held(
                    "state",
                    "a state entry: the log's own word; auditors vouch for it".to_owned(),
                );
                let entries = shown::open(&context, head, &self.entries, &self.hashes)?;
                let items = self.check_items(&state, genesis)?;
                let file = about(&items, &entries, &state, &origin, genesis)?;
                if !entries.is_empty() {
                    held(
                        "entries",
                        format!(
                            "{} entries are in that tree, just these bytes, and their issuers' keys signed them",
                            entries.len()
                        ),
                    );
                }
                for item in &items {
                    held(
                        "item",
                        format!("of the first {} entries: {item}", state.size),
                    );
                }
                return Ok(VerifiedReceipt {
                    index: self.index,
                    entry: FullEntry::State(state),
                    id: None,
                    issuer: None,
                    genesis: file.as_ref().map(|file| file.genesis),
                    head,
                    cosignatures,
                    standing,
                    second,
                    items,
                    file,
                    shown: entries.into_iter().collect(),
                    checks,
                });
            }
            entry => self.open_seal(&context, head, entry)?,
        };
        let Some(stated) = entry.stated() else {
            return Err(ReceiptError::Malformed("nobody states it".to_owned()));
        };
        let first = stated.seal.unwrap_or(self.index);
        check_signature(&context, first, stated.signed)?;
        held(
            "signature",
            match stated.seal {
                None => format!("the key {} signed it", stated.issuer()),
                Some(seal) => format!(
                    "the key {} signed it, with others, by the seal at entry {seal}",
                    stated.issuer()
                ),
            },
        );

        let mut chain = vec![(first, stated.signed.clone())];
        for link in &self.authority {
            let path = hashes(&link.path);
            chain.push((
                link.index,
                open(&context, head, link.index, &link.entry, &path)?,
            ));
        }
        let issuer = check_authority(&chain, stated.statement)?;
        let found = match chain.last() {
            Some((_, last)) => context.id(last.signed.bytes()),
            None => RecordId::NONE,
        };
        check_origin(&chain, &origin)?;
        if let Some(expected) = genesis
            && found != *expected
        {
            return Err(ReceiptError::OtherGenesis {
                found,
                expected: *expected,
            });
        }
        let unverified = |(_, entry): &&(Index, SignedEntry)| {
            entry.signed.record().statement.mldsa_key().is_some()
        };
        if let Some((index, _)) = chain.iter().find(unverified) {
            return Err(ReceiptError::Mldsa { index: *index });
        }
        match &issuer {
            Some((holder, _, role)) => held(
                "authority",
                format!("governors granted that key to {holder} as {role}, back to the genesis"),
            ),
            None => held(
                "authority",
                "governors said it, back to the genesis".to_owned(),
            ),
        }
        held(
            "genesis",
            match genesis {
                Some(_) => format!("the genesis is {found}, as you pinned it"),
                None => format!("the genesis is {found}; compare it with what you were told"),
            },
        );
        let id = context.id(stated.signed.signed.bytes());
        Ok(VerifiedReceipt {
            index: self.index,
            entry,
            id: Some(id),
            issuer,
            genesis: Some(found),
            head,
            cosignatures,
            standing,
            second,
            items: Vec::new(),
            file: None,
            shown: Vec::new(),
            checks,
        })
    }
}

impl Receipt {
    /// Checks that each proof has just as many hashes as its index needs in a tree of this size:
    /// one that has not was cut, and says nothing.
    fn check_lengths(&self, size: u64) -> Result<(), ReceiptError> {
        // A state entry has no links: one that is there is refused as such, whatever it is (13.4, step 1).
        let links = self.authority.iter().filter(|_| !self.is_of_state_entry());
        let all = links.map(|link| (link.index, link.path.len()));
        let seal = self.seal.iter().map(|link| (link.index, link.path.len()));
        let own = std::iter::once((self.index, self.path.len()));
        for (index, found) in own.chain(seal).chain(all) {
            let unfit = |error| ReceiptError::NotIncluded { index, error };
            let needed = inclusion_ranges(index.0, size).map_err(unfit)?.len();
            if found != needed {
                return Err(unfit(ProofError::Length { found }));
            }
        }
        Ok(())
    }
}

impl Receipt {
    /// Checks that the log is in the format that is read here. All of its statements may be written
    /// otherwise in another, and none of them be false: so this comes before they are read.
    fn check_format(&self, head: TreeHead) -> Result<(), ReceiptError> {
        let (index, bytes, path) = match self.authority.last() {
            Some(link) => {
                let path = link.path.iter().map(|hash| Hash::from_bytes(*hash));
                (link.index, &link.entry, path.collect())
            }
            None => (self.index, &self.entry, self.path.clone()),
        };
        let Err(error @ CodecError::OtherFormat { .. }) = Entry::decode(bytes) else {
            return Ok(());
        };
        // Anybody can write another number into a copy: only the tree's own genesis counts.
        let proven = verify_inclusion(leaf_hash(bytes), index.0, head.size, &path, &head.root);
        if index == Index(0) && proven.is_ok() {
            return Err(ReceiptError::OtherFormat(error));
        }
        Ok(())
    }
}

impl Receipt {
    /// A state entry rests on nobody's authority: nothing stands beside it.
    fn check_state_alone(&self) -> Result<(), ReceiptError> {
        if self.authority.is_empty() {
            return Ok(());
        }
        Err(ReceiptError::Authority {
            index: self.index,
            what: "nobody states a state entry, and the receipt names an authority".to_owned(),
        })
    }

    /// Verifies the items of the state. An account's place names the ledger's genesis: one that is not
    /// the pinned one is of another ledger.
    fn check_items(
        &self,
        state: &StateEntry,
        genesis: Option<&RecordId>,
    ) -> Result<Vec<ProvenItem>, ReceiptError> {
        let mut proven = Vec::with_capacity(self.items.len());
        for item in &self.items {
            let item = item.verify(self.index, state)?;
            if item.domain == domains::ACCOUNTS
                && let Some(expected) = genesis
                && let Some(found) = item.key.first_chunk::<32>()
                && found != expected.as_bytes()
            {
                return Err(ReceiptError::OtherGenesis {
                    found: RecordId::from_bytes(*found),
                    expected: *expected,
                });
            }
            proven.push(item);
        }
        Ok(proven)
    }

    /// Joins a sealed entry with its seal: the seal is in the tree at the place that the entry names,
    /// and the statement under the seal's root.
    fn open_seal(
        &self,
        context: &SigningContext,
        head: TreeHead,
        entry: Entry,
    ) -> Result<FullEntry, ReceiptError> {
        let index = self.index;
        let wrong = |what: String| ReceiptError::Seal { index, what };
        let sealed = match entry {
            Entry::Signed(entry) => return Ok(FullEntry::Signed(entry)),
            Entry::State(entry) => return Ok(FullEntry::State(entry)),
            Entry::Sealed(sealed) => sealed,
        };
        let link = self.seal.as_ref();
        let link = link.ok_or_else(|| wrong("its seal is not in the receipt".to_owned()))?;
        if sealed.seal_index(index) != Some(link.index) {
            return Err(wrong(format!("entry {} is not its seal", link.index)));
        }
        let seal = include(head, link.index, &link.entry, &hashes(&link.path))?;
        let said = sealed.clone();
        let full = FullEntry::sealed(sealed, link.index, seal);
        let full = full.map_err(|error| wrong(error.to_string()))?;
        let Some(Statement::Seal(seal)) = full
            .stated()
            .map(|stated| &stated.signed.signed.record().statement)
        else {
            return Err(wrong(format!("entry {} is not its seal", link.index)));
        };
        let root = Hash::from_bytes(*seal.root.as_bytes());
        let siblings = hashes(&link.siblings);
        shown::check_sealed(index, &said, seal.count.into(), &siblings, &root)?;
        check_signature(
            context,
            link.index,
            match &full {
                FullEntry::Sealed { seal, .. } => seal,
                _ => return Ok(full),
            },
        )?;
        Ok(full)
    }
}

pub(super) fn hashes(path: &[[u8; 32]]) -> Vec<Hash> {
    path.iter().map(|hash| Hash::from_bytes(*hash)).collect()
}

/// Decodes an entry, and checks that it is in the tree.
fn include(
    head: TreeHead,
    index: Index,
    bytes: &[u8],
    path: &[Hash],
) -> Result<Entry, ReceiptError> {
    verify_inclusion(leaf_hash(bytes), index.0, head.size, path, &head.root)
        .map_err(|error| ReceiptError::NotIncluded { index, error })?;
    Entry::decode(bytes).map_err(|error| ReceiptError::Entry {
        index,
        what: error.to_string(),
    })
}

pub(super) fn check_signature(
    context: &SigningContext,
    index: Index,
    entry: &SignedEntry,
) -> Result<(), ReceiptError> {
    let verified = entry.signed.verify(context);
    verified.map_err(|error| ReceiptError::Entry {
        index,
        what: error.to_string(),
    })
}

/// Decodes a signed entry, checks that it is in the tree, and every signature on it.
fn open(
    context: &SigningContext,
    head: TreeHead,
    index: Index,
    bytes: &[u8],
    path: &[Hash],
) -> Result<SignedEntry, ReceiptError> {
    match include(head, index, bytes, path)? {
        Entry::Signed(entry) => {
            check_signature(context, index, &entry)?;
            Ok(entry)
        }
        Entry::Sealed(_) | Entry::State(_) => Err(ReceiptError::Entry {
            index,
            what: "nobody's authority rests on an entry without a signature of its own".to_owned(),
        }),
    }
}

/// Follows the chain from the entry to the genesis: each statement's authority is the next one.
/// Returns the issuer's holder, the holder's name and the role, if the entry was not stated by
/// governors. `said` is what the first one states, or the statement that it seals.
fn check_authority(
    chain: &[(Index, SignedEntry)],
    said: &Statement,
) -> Result<Option<(String, String, Role)>, ReceiptError> {
    let mut issuer = None;
    if let Some((index, entry)) = chain.first() {
        check_possession(entry).map_err(|what| ReceiptError::Authority {
            index: *index,
            what,
        })?;
    }
    for [(index, entry), (behind_index, behind)] in chain.array_windows() {
        let broken = |what: String| ReceiptError::Authority {
            index: *index,
            what,
        };
        if entry.lineage.authority() != Some(*behind_index) || behind_index >= index {
            return Err(broken(format!(
                "its lineage does not name entry {behind_index}"
            )));
        }
        let key = &entry.signed.record().issuer;
        let statement = &entry.signed.record().statement;
        match &behind.signed.record().statement {
            Statement::KeyGrant(grant) if issuer.is_none() && *index == chain_start(chain) => {
                if grant.key != *key {
                    return Err(broken("the grant is of another key".to_owned()));
                }
                for statement in [said, statement] {
                    if !speakers(statement).include_role(grant.role) {
                        return Err(broken(format!(
                            "the role {} may not say {}",
                            grant.role,
                            statement.kind()
                        )));
                    }
                }
                issuer = Some((
                    grant.holder.to_string(),
                    grant.display_name.to_string(),
                    grant.role,
                ));
            }
            Statement::Genesis(genesis) => {
                check_quorum(entry, *behind_index, &genesis.governors, genesis.quorum)
                    .map_err(broken)?;
            }
            Statement::Governors(set) => {
                check_quorum(entry, *behind_index, &set.governors, set.quorum).map_err(broken)?;
            }
            other => {
                return Err(broken(format!(
                    "{} grants nothing",
                    other.kind().with_article()
                )));
            }
        }
        check_possession(behind).map_err(|what| ReceiptError::Authority {
            index: *behind_index,
            what,
        })?;
    }
    let (index, last) = chain
        .last()
        .ok_or_else(|| ReceiptError::Malformed("it has no entry".to_owned()))?;
    match &last.signed.record().statement {
        Statement::Genesis(_) if index.0 == 0 => {
            check_possession(last).map_err(|what| ReceiptError::Authority {
                index: *index,
                what,
            })?;
            Ok(issuer)
        }
        _ => Err(ReceiptError::Authority {
            index: *index,
            what: "the way back does not end at the genesis".to_owned(),
        }),
    }
}

fn chain_start(chain: &[(Index, SignedEntry)]) -> Index {
    chain.first().map_or(Index(0), |(index, _)| *index)
}

fn check_origin(chain: &[(Index, SignedEntry)], origin: &Origin) -> Result<(), ReceiptError> {
    match chain
        .last()
        .map(|(_, entry)| &entry.signed.record().statement)
    {
        Some(Statement::Genesis(genesis)) if genesis.origin == *origin => Ok(()),
        _ => Err(ReceiptError::OtherOrigin),
    }
}

/// Checks a record of governors by the set that the entry `stated_at` states: the record names that
/// set, its issuer governs, and the quorum of them signed.
fn check_quorum(
    entry: &SignedEntry,
    stated_at: Index,
    governors: &[PublicKey],
    quorum: u8,
) -> Result<(), String> {
    let issuer = &entry.signed.record().issuer;
    let statement = &entry.signed.record().statement;
    if !speakers(statement).include_governors() {
        return Err(format!("governors do not say {}", statement.kind()));
    }
    if !governors.contains(issuer) {
        return Err("its issuer is no governor of the set it names".to_owned());
    }
    if statement.set() != Some(stated_at) {
        return Err(format!(
            "it does not name the governors of entry {stated_at}"
        ));
    }
    let endorsers = entry.signed.endorsements().iter().map(|e| e.key);
    let signed = endorsement_quorum(governors, issuer, endorsers);
    if signed < usize::from(quorum) {
        return Err(format!("{signed} governors signed, {quorum} are needed"));
    }
    Ok(())
}

/// Checks that each key that gets a task signed the statement that names it.
fn check_possession(entry: &SignedEntry) -> Result<(), String> {
    let record = entry.signed.record();
    let signs = |key: &PublicKey| {
        *key == record.issuer || entry.signed.endorsements().iter().any(|e| e.key == *key)
    };
    let appointed = record.statement.appointed_keys();
    match appointed.iter().find(|key| !signs(key)) {
        None => Ok(()),
        Some(key) => Err(format!(
            "the key {key} did not sign the statement that names it"
        )),
    }
}
