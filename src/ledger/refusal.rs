//! Why a record is not admitted.

use std::fmt;

use crate::record::BatchError;

/// The class of a refusal, which decides the status of an HTTP answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusalClass {
    /// The bytes or a signature are wrong.
    Malformed,
    /// The key may not say this.
    Forbidden,
    /// The record does not continue its issuer's chain.
    Conflict,
    /// A rule of the ledger is broken.
    Rule,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $class:ident;)*) => {
        /// A stable name for each reason to refuse a record.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code, in the order of the rules.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that problem documents carry.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The class of refusals with this code.
            pub fn class(self) -> RefusalClass {
                match self { $(Self::$variant => RefusalClass::$class,)* }
            }
        }
    };
}

codes! {
    /// The bytes are not the one encoding of a signed record.
    NotCanonical = "not_canonical", Malformed;
    /// A signature does not verify.
    SignatureInvalid = "signature_invalid", Malformed;
    /// The batch has records of several issuers.
    IssuersMixed = "issuers_mixed", Malformed;
    /// The key was never granted.
    IssuerUnknown = "issuer_unknown", Forbidden;
    /// The key was revoked.
    KeyRevoked = "key_revoked", Forbidden;
    /// The key expired.
    KeyExpired = "key_expired", Forbidden;
    /// The key's role does not allow this statement.
    RoleRefused = "role_refused", Forbidden;
    /// The key's holder does not hold the plot or the account, or did not state what is corrected.
    HolderRefused = "holder_refused", Forbidden;
    /// The plot names the platforms that may promise its trees, and this is none of them.
    PlatformNotNamed = "platform_not_named", Forbidden;
    /// An endorsement that this kind of statement does not ask for.
    EndorserRefused = "endorser_refused", Forbidden;
    /// Points would be taken from another holder's account without its endorsement.
    ConsentMissing = "consent_missing", Forbidden;
    /// Too few governors signed.
    QuorumShort = "quorum_short", Forbidden;
    /// A key that gets a task did not sign itself.
    PossessionUnproven = "possession_unproven", Forbidden;
    /// A sequence number is missing before this one.
    SequenceGap = "sequence_gap", Conflict;
    /// The sequence number is taken by another record.
    SequenceUsed = "sequence_used", Conflict;
    /// The record was admitted so long ago that its index is not looked up.
    AlreadyIn = "already_in", Conflict;
    /// `prev` is not the id of the issuer's record before.
    ChainBroken = "chain_broken", Conflict;
    /// A genesis where there is one, or another record before it.
    GenesisMisplaced = "genesis_misplaced", Rule;
    /// The genesis is of another ledger.
    OriginMismatch = "origin_mismatch", Rule;
    /// A day lies outside of what rule 2 allows.
    DayRefused = "day_refused", Rule;
    /// The day of issue is before that of the issuer's record before.
    IssuedOnDecreases = "issued_on_decreases", Rule;
    /// A quorum of none, or of more than there are governors; or a governor named twice.
    QuorumImpossible = "quorum_impossible", Rule;
    /// The key is no safe Ed25519 key.
    KeyInvalid = "key_invalid", Rule;
    /// The key has, or had, a task already.
    KeyReused = "key_reused", Rule;
    /// The key to revoke was never granted.
    KeyUnknown = "key_unknown", Rule;
    /// The set of governors that the record names is not in force.
    SetSuperseded = "set_superseded", Rule;
    /// A set of governors where none sign, or none where they do.
    SetMisplaced = "set_misplaced", Rule;
    /// The name could be taken for that of another holder.
    NameTaken = "name_taken", Rule;
    /// The holder would survey or audit what it does itself.
    HolderConflict = "holder_conflict", Rule;
    /// No such method.
    MethodUnknown = "method_unknown", Rule;
    /// Not the version in effect, or not the next one.
    MethodVersion = "method_version", Rule;
    /// A later version would take effect before it is admitted.
    MethodBackdated = "method_backdated", Rule;
    /// A code stands twice in a method.
    CodeRepeated = "code_repeated", Rule;
    /// A species' code has another name already.
    SpeciesChanged = "species_changed", Rule;
    /// No such species.
    SpeciesUnknown = "species_unknown", Rule;
    /// No such activity in the method.
    ActivityUnknown = "activity_unknown", Rule;
    /// The points are not what the method makes of the quantity.
    PointsMismatch = "points_mismatch", Rule;
    /// Nothing would move.
    PointsZero = "points_zero", Rule;
    /// More than the activity's cap.
    CapExceeded = "cap_exceeded", Rule;
    /// The balance would be more than can be kept.
    BalanceLimit = "balance_limit", Rule;
    /// The account holds fewer points.
    BalanceShort = "balance_short", Rule;
    /// From an account to itself.
    AccountSame = "account_same", Rule;
    /// Not the species' price.
    PriceMismatch = "price_mismatch", Rule;
    /// No such plot.
    PlotUnknown = "plot_unknown", Rule;
    /// More trees than the plot's area holds at its density.
    PlotFull = "plot_full", Rule;
    /// The first serial is not the plot's next one, or serials run out.
    SerialNotNext = "serial_not_next", Rule;
    /// The same evidence served before.
    EvidenceReused = "evidence_reused", Rule;
    /// The books of an entry that is not before this one.
    AsOfUnknown = "as_of_unknown", Rule;
    /// No such planting, or not on this plot.
    PlantingUnknown = "planting_unknown", Rule;
    /// No such claim, or a voided one.
    ClaimUnknown = "claim_unknown", Rule;
    /// The claim has a tree.
    ClaimTaken = "claim_taken", Rule;
    /// No such tree was planted.
    TreeUnknown = "tree_unknown", Rule;
    /// The tree has a claim.
    TreeTaken = "tree_taken", Rule;
    /// The tree is lost.
    TreeLost = "tree_lost", Rule;
    /// Trees or claims of different species.
    SpeciesMismatch = "species_mismatch", Rule;
    /// More would be assigned than stand.
    TreesShort = "trees_short", Rule;
    /// An attestation of more entries than there are.
    SizeBeyond = "size_beyond", Rule;
    /// A seal and the entries before it are not one batch.
    SealMismatch = "seal_mismatch", Rule;
    /// The log ends within a sealed batch, or another entry stands in one.
    BatchCut = "batch_cut", Rule;
    /// A state entry says what the entries before it do not make.
    StateWrong = "state_wrong", Rule;
    /// No such entry.
    TargetUnknown = "target_unknown", Rule;
    /// This remedy does not fit that kind of entry.
    TargetRefused = "target_refused", Rule;
    /// The target was voided.
    TargetVoided = "target_voided", Rule;
    /// More would be reversed than was awarded.
    ReversalExcess = "reversal_excess", Rule;
    /// More would be lost than stands.
    LossExcess = "loss_excess", Rule;
    /// A tree of the planting is assigned.
    VoidBlocked = "void_blocked", Rule;
    /// The statement names an ML-DSA key, whose signature this software can't verify.
    MldsaUnsupported = "mldsa_unsupported", Rule;
    /// The server lacks the private half of the next log key.
    LogKeyMissing = "log_key_missing", Rule;
    /// The entry would be longer than an entry may be.
    EntryTooLong = "entry_too_long", Rule;
}

impl Code {
    /// The code of a body that is no sealed batch.
    pub fn of_batch_error(error: &BatchError) -> Self {
        match error {
            BatchError::Mismatch(_) => Self::SealMismatch,
            BatchError::Frame(_) | BatchError::NoSeal(_) | BatchError::Statement { .. } => {
                Self::NotCanonical
            }
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A record that may not be admitted: what is wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// The stable name.
    pub code: Code,
    /// What is wrong with this record.
    pub detail: String,
    /// What would be right, or what to do.
    pub advice: String,
}

impl Refusal {
    /// A refusal with this code, saying what is wrong and what would be right.
    pub fn new(code: Code, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            advice: advice.into(),
        }
    }
}

/// Refuses unless a condition holds.
pub(super) fn ensure(holds: bool, refusal: impl FnOnce() -> Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal()) }
}
