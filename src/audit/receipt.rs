//! Receipts: an entry with all that proves it, in one file (`docs/format.md`, "Receipts";
//! c2sp.org/tlog-proof).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bincode::{Decode, Encode};

use crate::crypto::PublicKey;
use crate::ledger::endorsement_quorum;
use crate::merkle::{Hash, PROOF_HASHES_MAX, leaf_hash, verify_inclusion};
use crate::note::{Checkpoint, Cosignature, NoteError, TreeHead, VerifierKey};
use crate::record::{
    CodecError, Entry, Index, Kind, Origin, RecordId, Role, SigningContext, Statement, decode,
    encode,
};

/// The longest receipt file that is read.
pub const RECEIPT_BYTES_MAX: usize = 4 << 20;
/// The longest decoded `extra` line.
const EXTRA_BYTES_MAX: usize = 2 << 20;
/// The most statements between an entry and the genesis: a grant, and each change of governors.
pub const AUTHORITY_LINKS_MAX: usize = 64;
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// One statement that an entry's authority rests on.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AuthorityLink {
    /// Its index.
    pub index: Index,
    /// Its entry's bytes.
    pub entry: Vec<u8>,
    /// Its inclusion path to the same checkpoint's root.
    pub path: Vec<[u8; 32]>,
}

#[derive(Encode, Decode)]
struct Extra {
    entry: Vec<u8>,
    authority: Vec<AuthorityLink>,
}

/// A receipt as it was read or made; [`Receipt::verify`] says what it is worth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// Where the entry is in the log.
    pub index: Index,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// The grant and the governors' statements behind it, back to the genesis.
    pub authority: Vec<AuthorityLink>,
    /// The entry's inclusion path.
    pub path: Vec<Hash>,
    /// The checkpoint with its signatures, as text.
    pub checkpoint: String,
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The file can't be read as a receipt.
    #[error("this is no receipt: {0}")]
    Malformed(String),
    /// The checkpoint is not the log's.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] crate::note::CheckpointError),
    /// A witness that must have cosigned did not, or falsely.
    #[error("the witness's cosignature: {0}")]
    Witness(NoteError),
    /// An entry is not in the tree at its index.
    #[error("entry {index} is not proven to be in the log: {error}")]
    NotIncluded {
        /// Which.
        index: Index,
        /// Why.
        error: crate::merkle::ProofError,
    },
    /// An entry's bytes or signatures are wrong.
    #[error("entry {index}: {what}")]
    Entry {
        /// Which.
        index: Index,
        /// What is wrong.
        what: String,
    },
    /// The way back to the genesis is broken.
    #[error("the authority of entry {index} is not proven: {what}")]
    Authority {
        /// Whose authority.
        index: Index,
        /// What is missing.
        what: String,
    },
    /// It leads to the genesis of another ledger.
    #[error("the receipt leads to genesis {found}, not to {expected}")]
    OtherGenesis {
        /// The genesis that it leads to.
        found: RecordId,
        /// The one that was asked for.
        expected: RecordId,
    },
}

/// Something that was verified, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// A stable name.
    pub name: &'static str,
    /// What holds.
    pub holds: String,
}

/// What a receipt proves.
#[derive(Clone, Debug)]
pub struct VerifiedReceipt {
    /// Where the entry is.
    pub index: Index,
    /// The entry.
    pub entry: Entry,
    /// Its record's id.
    pub id: RecordId,
    /// Who the issuer is: holder, name for people and role; none for governors.
    pub issuer: Option<(String, String, Role)>,
    /// The genesis that everything leads to.
    pub genesis: RecordId,
    /// The tree that it is in.
    pub head: TreeHead,
    /// Witnesses asked for, and when they saw it.
    pub cosignatures: Vec<Cosignature>,
    /// What was checked, in order.
    pub checks: Vec<Check>,
}

impl FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = |what: &str| ReceiptError::Malformed(what.to_owned());
        if text.len() > RECEIPT_BYTES_MAX {
            return Err(malformed("it is longer than 4 MiB"));
        }
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or_else(|| malformed("it has no checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(malformed("its first line is not c2sp.org/tlog-proof@v1"));
        }
        let extra = lines
            .next()
            .and_then(|line| line.strip_prefix("extra "))
            .ok_or_else(|| malformed("it has no extra line with the entry"))?;
        let extra = STANDARD
            .decode(extra)
            .map_err(|_| malformed("the extra line is no base64"))?;
        let extra: Extra = decode::<_, EXTRA_BYTES_MAX>(&extra)
            .map_err(|error| malformed(&format!("the extra line: {error}")))?;
        if extra.authority.len() > AUTHORITY_LINKS_MAX {
            return Err(malformed(
                "too many statements stand between the entry and the genesis",
            ));
        }
        let digits = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .ok_or_else(|| malformed("it has no index line"))?;
        let index: Index = digits
            .parse()
            .map_err(|_| malformed("the index is no number"))?;
        if index.to_string() != digits {
            return Err(malformed("the index is not written plainly"));
        }
        let mut path = Vec::new();
        for line in lines {
            if path.len() == PROOF_HASHES_MAX {
                return Err(malformed("the inclusion proof is longer than any"));
            }
            path.push(
                line.parse()
                    .map_err(|_| malformed("a line of the proof is no hash"))?,
            );
        }
        let checkpoint = checkpoint.to_owned();
        Ok(Self {
            index,
            entry: extra.entry,
            authority: extra.authority,
            path,
            checkpoint,
        })
    }
}

impl Receipt {
    /// The file's text.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] if the way to the genesis is longer than receipts carry.
    pub fn to_text(&self) -> Result<String, CodecError> {
        let extra = Extra {
            entry: self.entry.clone(),
            authority: self.authority.clone(),
        };
        let extra = STANDARD.encode(encode::<_, EXTRA_BYTES_MAX>(&extra)?);
        let mut text = format!("{HEADER}\nextra {extra}\nindex {}\n", self.index);
        for hash in &self.path {
            text.push_str(&format!("{hash}\n"));
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        Ok(text)
    }

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
        let mut checks = Vec::new();
        let mut held = |name, holds: String| checks.push(Check { name, holds });
        let checkpoint = Checkpoint::open(self.checkpoint.as_bytes(), log)?;
        let head = checkpoint.head();
        held(
            "checkpoint",
            format!(
                "the log {} signed a tree of {} entries",
                log.name(),
                head.size
            ),
        );
        let mut cosignatures = Vec::new();
        for witness in witnesses {
            let seen = Cosignature::verify(&checkpoint, witness).map_err(ReceiptError::Witness)?;
            held(
                "witness",
                format!("{} saw it at {} s", seen.witness, seen.seen_at_s),
            );
            cosignatures.push(seen);
        }
        let origin = Origin::try_from(log.name().to_string())
            .map_err(|error| ReceiptError::Malformed(error.to_string()))?;
        let context = SigningContext::new(&origin);
        let entry = open(&context, head, self.index, &self.entry, &self.path)?;
        held(
            "inclusion",
            format!("entry {} is in that tree, just these bytes", self.index),
        );
        held(
            "signature",
            format!("the key {} signed it", entry.signed.record().issuer),
        );

        let mut chain = vec![(self.index, entry.clone())];
        for link in &self.authority {
            let path: Vec<Hash> = link
                .path
                .iter()
                .map(|hash| Hash::from_bytes(*hash))
                .collect();
            chain.push((
                link.index,
                open(&context, head, link.index, &link.entry, &path)?,
            ));
        }
        let issuer = check_authority(&chain)?;
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
        let id = context.id(entry.signed.bytes());
        Ok(VerifiedReceipt {
            index: self.index,
            entry,
            id,
            issuer,
            genesis: found,
            head,
            cosignatures,
            checks,
        })
    }
}

/// Decodes an entry, checks that it is in the tree, and every signature on it.
fn open(
    context: &SigningContext,
    head: TreeHead,
    index: Index,
    bytes: &[u8],
    path: &[Hash],
) -> Result<Entry, ReceiptError> {
    verify_inclusion(leaf_hash(bytes), index.0, head.size, path, &head.root)
        .map_err(|error| ReceiptError::NotIncluded { index, error })?;
    let wrong = |what: String| ReceiptError::Entry { index, what };
    let entry = Entry::decode(bytes).map_err(|error| wrong(error.to_string()))?;
    entry
        .signed
        .verify(context)
        .map_err(|error| wrong(error.to_string()))?;
    Ok(entry)
}

/// Walks from the entry to the genesis: each statement's authority is the next one.
fn check_authority(
    chain: &[(Index, Entry)],
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
        let kind = entry.signed.record().statement.kind();
        match &behind.signed.record().statement {
            Statement::KeyGrant(grant) if issuer.is_none() && *index == chain_start(chain) => {
                if grant.key != *key {
                    return Err(broken("the grant is of another key".to_owned()));
                }
                if !may_say(grant.role, kind) {
                    return Err(broken(format!(
                        "the role {} may not say {kind}",
                        grant.role
                    )));
                }
                issuer = Some((
                    grant.holder.to_string(),
                    grant.display_name.to_string(),
                    grant.role,
                ));
            }
            Statement::Genesis(genesis) => {
                check_quorum(entry, &genesis.governors, genesis.quorum).map_err(broken)?;
            }
            Statement::Governors(set) => {
                check_quorum(entry, &set.governors, set.quorum).map_err(broken)?;
            }
            other => {
                return Err(broken(format!("a {} grants nothing", other.kind())));
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

fn chain_start(chain: &[(Index, Entry)]) -> Index {
    chain.first().map_or(Index(0), |(index, _)| *index)
}

fn check_origin(chain: &[(Index, Entry)], origin: &Origin) -> Result<(), ReceiptError> {
    match chain
        .last()
        .map(|(_, entry)| &entry.signed.record().statement)
    {
        Some(Statement::Genesis(genesis)) if genesis.origin == *origin => Ok(()),
        _ => Err(ReceiptError::Malformed(
            "the genesis is of another log".to_owned(),
        )),
    }
}

/// What a role may say on its own; corrections are each role's, of its own words.
fn may_say(role: Role, kind: Kind) -> bool {
    match role {
        Role::Platform => matches!(
            kind,
            Kind::Award | Kind::Transfer | Kind::Claim | Kind::Assignment | Kind::Correction
        ),
        Role::Planter => matches!(kind, Kind::Plot | Kind::Planting | Kind::Correction),
        Role::Surveyor => matches!(kind, Kind::Survey | Kind::Correction),
    }
}

/// What governors say by themselves.
fn governors_may_say(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Governors
            | Kind::KeyGrant
            | Kind::KeyRevoke
            | Kind::LogKey
            | Kind::Method
            | Kind::Correction
    )
}

/// A governors' record: its issuer governs, and k of them signed.
fn check_quorum(entry: &Entry, governors: &[PublicKey], quorum: u8) -> Result<(), String> {
    let issuer = &entry.signed.record().issuer;
    let kind = entry.signed.record().statement.kind();
    if !governors_may_say(kind) {
        return Err(format!("governors do not say {kind}"));
    }
    if !governors.contains(issuer) {
        return Err("its issuer is no governor of the set it names".to_owned());
    }
    let endorsers = entry.signed.endorsements().iter().map(|e| e.key);
    let signed = endorsement_quorum(governors, issuer, endorsers);
    if signed < usize::from(quorum) {
        return Err(format!("{signed} governors signed, {quorum} are needed"));
    }
    Ok(())
}

/// Whoever gets a task signed the statement that gives it.
fn check_possession(entry: &Entry) -> Result<(), String> {
    let record = entry.signed.record();
    let signs = |key: &PublicKey| {
        *key == record.issuer || entry.signed.endorsements().iter().any(|e| e.key == *key)
    };
    let needed = match &record.statement {
        Statement::Genesis(genesis) => {
            let mut all = genesis.governors.to_vec();
            all.push(genesis.log_key);
            all
        }
        Statement::KeyGrant(grant) => vec![grant.key],
        // Continuing governors need not sign; the ledger's rules, not a receipt, know who is new.
        _ => Vec::new(),
    };
    match needed.iter().find(|key| !signs(key)) {
        None => Ok(()),
        Some(key) => Err(format!(
            "the key {key} did not sign the statement that names it"
        )),
    }
}

/// One line for people.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.holds)
    }
}
