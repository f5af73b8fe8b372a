//! The seventeen kinds of statement (`docs/format.md`, "Statements"). The order of kinds and
//! fields is the order of their bytes: it never changes within a version.

use std::fmt;
use std::num::NonZeroU32;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::codec::{CodecError, decode, encode};
use super::kind::with_article;
use super::land::{Country, NamedPlatforms, PlotPlace};
use super::number::{
    AccountId, ActivityCode, Day, Digest, Grams, Index, MethodId, MethodVersion, Micrograms,
    PlotNumber, Quantity, Serial, SpeciesCode,
};
use super::signed::RECORD_BYTES_MAX;
use super::text::{List, Origin, Slug, Text, WebAddress};
use super::version::FormatVersion;
use crate::crypto::{MldsaKey, PublicKey};
use crate::policy::PolicyText;

/// The most statements that one seal signs.
pub const SEALED_MAX: u32 = 16_384;
/// The most claims that one assignment ties to trees.
pub const CLAIMS_PER_ASSIGNMENT_MAX: usize = 1024;

/// What a record states.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Statement {
    /// 0: a ledger begins.
    Genesis(Genesis),
    /// 1: the governors from the next entry on.
    Governors(GovernorSet),
    /// 2: a key gets its role.
    KeyGrant(KeyGrant),
    /// 3: a key loses its role.
    KeyRevoke(KeyRevoke),
    /// 4: the next key that signs checkpoints.
    LogKey(LogKey),
    /// 5: how points are calculated, and what trees cost.
    Method(Method),
    /// 6: points for an activity.
    Award(Award),
    /// 7: points leave an account, for another or for none.
    Transfer(Transfer),
    /// 8: a piece of land.
    Plot(Plot),
    /// 9: trees planted on a plot.
    Planting(Planting),
    /// 10: trees inspected on a plot.
    Survey(Survey),
    /// 11: points become the promise of a tree.
    Claim(Claim),
    /// 12: claims are tied to planted trees.
    Assignment(Assignment),
    /// 13: an earlier entry is corrected.
    Correction(Correction),
    /// 14: which witnesses must have seen a checkpoint.
    Policy(Policy),
    /// 15: what an auditor says of the ledger.
    Attestation(Attestation),
    /// 16: one signature for a batch of statements.
    Seal(Seal),
}

impl Statement {
    /// Reads a statement strictly.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are not the one encoding of a statement.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let statement: Self = decode::<_, RECORD_BYTES_MAX>(bytes)?;
        statement.check()?;
        Ok(statement)
    }

    /// The statement's bytes.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] beyond [`RECORD_BYTES_MAX`], and what decoding would refuse.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        self.check()?;
        encode::<_, RECORD_BYTES_MAX>(self)
    }

    /// Checks what the codec can't: a transfer goes to an account exactly if its reason has one, and
    /// a seal counts no more than it may sign.
    pub(super) fn check(&self) -> Result<(), CodecError> {
        let wrong = |what: &str| Err(CodecError::Malformed(what.to_owned()));
        match self {
            Self::Transfer(transfer) if transfer.to.is_some() != transfer.reason.has_receiver() => {
                wrong(if transfer.reason.has_receiver() {
                    "a transfer with this reason needs an account to go to"
                } else {
                    "points that expire or are spent elsewhere go to no account"
                })
            }
            Self::Seal(seal) if !(1..=SEALED_MAX).contains(&seal.count) => {
                wrong("a seal signs 1 to 16,384 statements")
            }
            _ => Ok(()),
        }
    }
}

/// The statements of the `count` entries directly before it, signed together.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// The number of statements.
    pub count: u32,
    /// The RFC 6962 tree hash over the statements' bytes, in order.
    pub root: Digest,
}

/// The first statement of a ledger, signed by every governor and the log's key.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// The version of the format that the ledger is in, named before all else.
    pub format: FormatVersion,
    /// The log's name.
    pub origin: Origin,
    /// The programme, in words.
    pub programme: Text<500>,
    /// The governors' keys; the first one issues this record.
    pub governors: List<PublicKey, 1, 16>,
    /// The number of governors who must sign what governors state.
    pub quorum: u8,
    /// The key that signs checkpoints.
    pub log_key: PublicKey,
    /// A second key of the log, for ML-DSA-44, if it has one.
    pub mldsa_key: Option<MldsaKey>,
}

/// The complete new set of governors.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GovernorSet {
    /// The governors' keys.
    pub governors: List<PublicKey, 1, 16>,
    /// The number of governors who must sign from the next entry on.
    pub quorum: u8,
    /// The set of governors who sign this: the entry that states the set in force.
    pub set: Index,
}

/// What a granted key may sign.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// Awards, transfers, claims and assignments.
    Platform,
    /// Plots and plantings.
    Planter,
    /// Surveys.
    Surveyor,
    /// What an auditor says of the ledger: its holder has no other role.
    Auditor,
}

impl Role {
    /// Its name behind its article, for sentences: an auditor, a planter.
    pub fn with_article(self) -> String {
        with_article(&self.to_string())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Platform => "platform",
            Self::Planter => "planter",
            Self::Surveyor => "surveyor",
            Self::Auditor => "auditor",
        })
    }
}

/// A key gets a role. It keeps that role for ever and never gets another.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyGrant {
    /// The key that gets a role.
    pub key: PublicKey,
    /// The role.
    pub role: Role,
    /// Who holds the key.
    pub holder: Slug,
    /// The holder's name for people.
    pub display_name: Text<100>,
    /// The last day on which what the key signs is admitted, if there is one.
    pub expires_on: Option<Day>,
    /// The set of governors who sign it: the entry that states the set in force.
    pub set: Index,
}

/// A key loses its role.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRevoke {
    /// The key that loses its role.
    pub key: PublicKey,
    /// Why the key is revoked.
    pub reason: Text<300>,
    /// The day since which what the key signed is in doubt, if there is one.
    pub compromised_since: Option<Day>,
    /// The set of governors who sign it: the entry that states the set in force.
    pub set: Index,
}

/// The next key that signs checkpoints.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogKey {
    /// The key that signs checkpoints larger than this entry's index.
    pub key: PublicKey,
    /// A second key of the log from then on, for ML-DSA-44, if it has one.
    pub mldsa_key: Option<MldsaKey>,
    /// The set of governors who sign it: the entry that states the set in force.
    pub set: Index,
}

/// An activity that earns points.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    /// The activity's code in this version.
    pub code: ActivityCode,
    /// The activity's name.
    pub name: Text<60>,
    /// The unit that quantities count: `km`, `bill`.
    pub unit: Text<20>,
    /// CO2e of one unit.
    pub factor: Micrograms,
    /// The most points that one award may give.
    pub cap: Grams,
}

/// A species that points can be spent on.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Species {
    /// The species' code, the same in every method.
    pub code: SpeciesCode,
    /// The species' name.
    pub name: Text<100>,
    /// The points that a claim of one tree costs.
    pub price: Grams,
}

/// How points are calculated from a day on, and what trees cost.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// The method's number.
    pub id: MethodId,
    /// The version that this statement makes.
    pub version: MethodVersion,
    /// The first day on which the version is in effect.
    pub effective_from: Day,
    /// The activities that earn points.
    pub activities: List<Activity, 0, 128>,
    /// The species that points can be spent on.
    pub species: List<Species, 0, 400>,
    /// The baseline that savings are measured against.
    pub baseline: Text<1000>,
    /// The sources of the factors.
    pub sources: Text<1000>,
    /// The jurisdiction that the factors apply in.
    pub jurisdiction: Text<200>,
    /// SHA-256 of the document that describes the method.
    pub document: Digest,
    /// The set of governors who sign it: the entry that states the set in force.
    pub set: Index,
}

/// Points for an activity. One award may sum an account's activity over a day.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Award {
    /// The account that the points go to.
    pub account: AccountId,
    /// The method by which the points are calculated.
    pub method: MethodId,
    /// The method's version in effect on `occurred_on`.
    pub version: MethodVersion,
    /// The activity's code in that version.
    pub activity: ActivityCode,
    /// The amount of the activity, in thousandths of its unit.
    pub quantity: Quantity,
    /// The points awarded: ⌊quantity × factor ÷ 10⁹⌋.
    pub points: Grams,
    /// The day of the activity.
    pub occurred_on: Day,
    /// HMAC of the source event under a key of the platform.
    pub evidence: Digest,
}

/// Why points move. With the first three reasons they go to an account, with the others to none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferReason {
    /// A gift.
    Gift,
    /// A friend collected them.
    Collected,
    /// Pooled for a shared tree.
    Pooled,
    /// The points expired.
    Expired,
    /// The points were spent on something other than a tree.
    SpentElsewhere,
}

impl TransferReason {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Gift => "gift",
            Self::Collected => "collected",
            Self::Pooled => "pooled",
            Self::Expired => "expired",
            Self::SpentElsewhere => "spent elsewhere",
        }
    }

    /// Whether points with this reason go to another account.
    pub fn has_receiver(self) -> bool {
        matches!(self, Self::Gift | Self::Collected | Self::Pooled)
    }
}

/// Points leave an account.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The account that the points leave.
    pub from: AccountId,
    /// The account that the points go to, if the reason has one.
    pub to: Option<AccountId>,
    /// The number of points.
    pub points: Grams,
    /// Why the points move.
    pub reason: TransferReason,
}

/// Who has the carbon rights of a plot.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CarbonRights {
    /// No credits were issued on the plot.
    NoneIssued,
    /// Credits were issued on the plot.
    Issued {
        /// The registry that issued them.
        registry: Text<100>,
        /// The project's id in that registry.
        id: Text<100>,
    },
    /// It is not known whether credits were issued.
    Unknown,
}

/// A piece of land. Stated again by a planter with the governors, the statement replaces the earlier
/// one.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plot {
    /// The plot's number.
    pub number: PlotNumber,
    /// The plot's name.
    pub name: Text<100>,
    /// The country that the plot lies in.
    pub country: Country,
    /// Where the plot lies.
    pub place: PlotPlace,
    /// SHA-256 of a finer outline that is kept elsewhere, a GeoJSON file, if there is one.
    pub finer_outline: Option<Digest>,
    /// The plot's area in square metres.
    pub area_m2: u64,
    /// The most trees that may stand on one hectare.
    pub trees_per_ha_max: u32,
    /// Who has the carbon rights.
    pub carbon_rights: CarbonRights,
    /// Who pays for the planting.
    pub funded_by: Text<100>,
    /// The holders whose platforms may promise the plot's trees; any if none is named.
    #[serde(rename = "for")]
    pub platforms: NamedPlatforms,
    /// The set of governors who sign it, as the entry that states the set in force; `None` if no
    /// governors sign it.
    pub set: Option<Index>,
}

/// Trees planted on a plot, with serials from `first_serial` on.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planting {
    /// The plot on which the trees were planted.
    pub plot: PlotNumber,
    /// The species of the trees.
    pub species: SpeciesCode,
    /// The serial of the first tree.
    pub first_serial: Serial,
    /// The number of trees.
    pub count: NonZeroU32,
    /// The first day on which the trees may have been planted.
    pub planted_from: Day,
    /// The last one: the same day, if it is known.
    pub planted_until: Day,
    /// SHA-256 of the evidence file.
    pub evidence: Digest,
    /// Where the evidence file can be read.
    pub evidence_at: WebAddress,
}

/// How trees were inspected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Every tree.
    Census,
    /// A random sample.
    RandomSample,
    /// From the air or from space.
    RemoteSensing,
}

impl Basis {
    /// The basis in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Census => "census",
            Self::RandomSample => "random sample",
            Self::RemoteSensing => "remote sensing",
        }
    }
}

/// Trees that were inspected, and how many of them lived.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survey {
    /// The plot that was surveyed.
    pub plot: PlotNumber,
    /// The entry of the one planting that was surveyed; `None` if it was the whole plot.
    pub planting: Option<Index>,
    /// The day of the survey.
    pub surveyed_on: Day,
    /// The entry after which the books were looked at: the surveyor looked for trees that stood there.
    pub as_of: Index,
    /// How the trees were inspected.
    pub basis: Basis,
    /// The protocol that was followed, in words.
    pub protocol: Text<200>,
    /// SHA-256 of the plan by which trees were drawn, if there is one.
    pub plan: Option<Digest>,
    /// Of the trees that stood in the books, the number found alive.
    pub alive: u32,
    /// Of these trees, the number found dead.
    pub dead: u32,
    /// Of these trees, the number that were looked for and not found.
    pub not_found: u32,
    /// The number of trees found dead that the books had as lost already.
    pub dead_known: u32,
    /// The number of trees found alive that the books had as lost.
    pub revived: u32,
    /// SHA-256 of the evidence file.
    pub evidence: Digest,
    /// Where the evidence file can be read.
    pub evidence_at: WebAddress,
    /// Who paid for the survey.
    pub paid_by: Text<100>,
    /// The day on which the next survey is due, if it is known.
    pub next_due: Option<Day>,
}

impl Survey {
    /// The trees that were looked for, of those that stood in the books.
    pub fn looked_for(&self) -> u64 {
        u64::from(self.alive) + u64::from(self.dead) + u64::from(self.not_found)
    }
}

/// Points become the promise of a tree. The index of this entry is the certificate's number.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The account that claims.
    pub account: AccountId,
    /// The method that sets the price.
    pub method: MethodId,
    /// The method's version in effect on the day of issue.
    pub version: MethodVersion,
    /// The species' code in that version.
    pub species: SpeciesCode,
    /// The points spent: the species' price.
    pub points: Grams,
}

/// Claims are tied to trees, one to one in order, from `first_serial` on.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// The plot on which the trees stand.
    pub plot: PlotNumber,
    /// The serial of the first claim's tree.
    pub first_serial: Serial,
    /// The entries of the claims.
    pub claims: List<Index, 1, CLAIMS_PER_ASSIGNMENT_MAX>,
}

/// How an earlier entry is corrected.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Remedy {
    /// Points of an award are taken back.
    Reverse {
        /// The number of points.
        points: Grams,
    },
    /// Trees of a planting are lost.
    Lost {
        /// The number of trees.
        count: NonZeroU32,
        /// The serial of the first one, if it is known which trees are lost.
        first_serial: Option<Serial>,
        /// The day of the loss.
        lost_on: Day,
        /// SHA-256 of the evidence file, if there is one.
        evidence: Option<Digest>,
    },
    /// All effect of the target is undone.
    Void,
}

/// An earlier entry is corrected. That entry stays in the log.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// The entry that is corrected.
    pub target: Index,
    /// Why the entry is corrected.
    pub reason: Text<300>,
    /// How the entry is corrected.
    pub remedy: Remedy,
    /// The set of governors who sign it, as the entry that states the set in force; `None` if no
    /// governors sign it.
    pub set: Option<Index>,
}

/// Which logs and witnesses count, and which of them must have seen a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The policy, as c2sp.org/tlog-policy reads it.
    pub policy: PolicyText,
    /// The set of governors who sign it: the entry that states the set in force.
    pub set: Index,
}

/// How sure an auditor is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssuranceLevel {
    /// Nothing was met that contradicts what is said.
    Limited,
    /// What is said is right, as far as an audit can tell.
    Reasonable,
}

impl AssuranceLevel {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Limited => "limited",
            Self::Reasonable => "reasonable",
        }
    }
}

/// What an auditor comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opinion {
    /// All is as it should be.
    Unmodified,
    /// All but what the words name is.
    Qualified,
    /// It is not.
    Adverse,
    /// The auditor can't tell.
    Disclaimed,
}

impl Opinion {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unmodified => "unmodified",
            Self::Qualified => "qualified",
            Self::Adverse => "adverse",
            Self::Disclaimed => "disclaimed",
        }
    }
}

/// What an auditor says of the ledger's first entries: the verification statement that ISO 14064-3 asks
/// for.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// The number of entries that were audited.
    pub size: u64,
    /// The root of the tree over them.
    pub tree_root: Digest,
    /// The root of the state after them.
    pub state_root: Digest,
    /// The first day of the period that the auditor speaks of.
    pub period_from: Day,
    /// Its last day.
    pub period_until: Day,
    /// How sure the auditor is.
    pub level: AssuranceLevel,
    /// What the auditor comes to.
    pub opinion: Opinion,
    /// SHA-256 of the findings, a file.
    pub findings: Digest,
    /// SHA-256 of the report, a file.
    pub report: Digest,
    /// Where the report can be read, a URL; empty if nowhere.
    pub report_at: Text<300>,
    /// The opinion in words.
    pub words: Text<1000>,
}
