//! The fourteen kinds of statement (`docs/format.md`, "Statements"). The order of kinds and
//! fields is the order of their bytes: it never changes within a version.

use std::fmt;
use std::num::NonZeroU32;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::number::{
    AccountId, ActivityCode, Day, Digest, Grams, Index, Latitude, Longitude, MethodId,
    MethodVersion, Micrograms, PlotNumber, Quantity, Serial, SpeciesCode,
};
use super::text::{List, Origin, Slug, Text};
use crate::crypto::PublicKey;

/// The most claims that one assignment ties to trees.
pub const CLAIMS_PER_ASSIGNMENT_MAX: usize = 1024;

/// What is said.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Statement {
    /// 0: a ledger begins.
    Genesis(Genesis),
    /// 1: the governors from now on.
    Governors(GovernorSet),
    /// 2: a key gets its role.
    KeyGrant(KeyGrant),
    /// 3: a key loses it.
    KeyRevoke(KeyRevoke),
    /// 4: the next key that signs checkpoints.
    LogKey(LogKey),
    /// 5: how points are reckoned, and what trees cost.
    Method(Method),
    /// 6: points for an activity.
    Award(Award),
    /// 7: points go from one account to another, or out.
    Transfer(Transfer),
    /// 8: a piece of land.
    Plot(Plot),
    /// 9: trees planted there.
    Planting(Planting),
    /// 10: trees looked at.
    Survey(Survey),
    /// 11: points become the promise of a tree.
    Claim(Claim),
    /// 12: promises are tied to planted trees.
    Assignment(Assignment),
    /// 13: something earlier is put right.
    Correction(Correction),
}

/// The kind of a statement, without what it says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[allow(missing_docs)]
pub enum Kind {
    Genesis,
    Governors,
    KeyGrant,
    KeyRevoke,
    LogKey,
    Method,
    Award,
    Transfer,
    Plot,
    Planting,
    Survey,
    Claim,
    Assignment,
    Correction,
}

impl Kind {
    /// The name that JSON and messages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Governors => "governors",
            Self::KeyGrant => "key_grant",
            Self::KeyRevoke => "key_revoke",
            Self::LogKey => "log_key",
            Self::Method => "method",
            Self::Award => "award",
            Self::Transfer => "transfer",
            Self::Plot => "plot",
            Self::Planting => "planting",
            Self::Survey => "survey",
            Self::Claim => "claim",
            Self::Assignment => "assignment",
            Self::Correction => "correction",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Statement {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Genesis(_) => Kind::Genesis,
            Self::Governors(_) => Kind::Governors,
            Self::KeyGrant(_) => Kind::KeyGrant,
            Self::KeyRevoke(_) => Kind::KeyRevoke,
            Self::LogKey(_) => Kind::LogKey,
            Self::Method(_) => Kind::Method,
            Self::Award(_) => Kind::Award,
            Self::Transfer(_) => Kind::Transfer,
            Self::Plot(_) => Kind::Plot,
            Self::Planting(_) => Kind::Planting,
            Self::Survey(_) => Kind::Survey,
            Self::Claim(_) => Kind::Claim,
            Self::Assignment(_) => Kind::Assignment,
            Self::Correction(_) => Kind::Correction,
        }
    }
}

/// The first statement of a ledger, signed by every governor and the log's key.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// The log's name.
    pub origin: Origin,
    /// The programme, in words.
    pub programme: Text<500>,
    /// The governors' keys; the first one issues this record.
    pub governors: List<PublicKey, 1, 16>,
    /// How many governors must sign what governors say.
    pub quorum: u8,
    /// The key that signs checkpoints.
    pub log_key: PublicKey,
}

/// The complete new set of governors.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GovernorSet {
    /// Their keys.
    pub governors: List<PublicKey, 1, 16>,
    /// How many must sign from now on.
    pub quorum: u8,
}

/// What a granted key may sign.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Awards, transfers, claims and assignments.
    Platform,
    /// Plots and plantings.
    Planter,
    /// Surveys.
    Surveyor,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Platform => "platform",
            Self::Planter => "planter",
            Self::Surveyor => "surveyor",
        })
    }
}

/// A key gets a role, once and for ever.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyGrant {
    /// The key.
    pub key: PublicKey,
    /// Its role.
    pub role: Role,
    /// Who holds it.
    pub holder: Slug,
    /// The holder's name for people.
    pub display_name: Text<100>,
    /// The last day on which it may sign, if there is one.
    pub expires_on: Option<Day>,
}

/// A key may sign no more.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRevoke {
    /// The key.
    pub key: PublicKey,
    /// Why.
    pub reason: Text<300>,
    /// The day since which what it signed is in doubt, if there is one.
    pub compromised_since: Option<Day>,
}

/// The next key that signs checkpoints.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogKey {
    /// The key.
    pub key: PublicKey,
}

/// One thing that earns points.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    /// Its code in this version.
    pub code: ActivityCode,
    /// Its name.
    pub name: Text<60>,
    /// What one of it is: `km`, `bill`.
    pub unit: Text<20>,
    /// CO2e for one unit.
    pub factor: Micrograms,
    /// The most points that one award may give.
    pub cap: Grams,
}

/// One species that points can promise.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Species {
    /// Its code, the same in every method for ever.
    pub code: SpeciesCode,
    /// Its name.
    pub name: Text<100>,
    /// What the promise of one tree costs.
    pub price: Grams,
}

/// How points are reckoned from a day on, and what trees cost.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// Its number.
    pub id: MethodId,
    /// Its version.
    pub version: MethodVersion,
    /// The first day that it speaks of.
    pub effective_from: Day,
    /// What earns points.
    pub activities: List<Activity, 0, 128>,
    /// What points can promise.
    pub species: List<Species, 0, 400>,
    /// What the savings are measured against.
    pub baseline: Text<1000>,
    /// Where the factors come from.
    pub sources: Text<1000>,
    /// Where they apply.
    pub jurisdiction: Text<200>,
    /// SHA-256 of the document that describes it all.
    pub document: Digest,
}

/// Points for an activity; may sum one account's activity over its day.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Award {
    /// Whose they are.
    pub account: AccountId,
    /// The method,
    pub method: MethodId,
    /// its version in effect on `occurred_on`,
    pub version: MethodVersion,
    /// and the activity in it.
    pub activity: ActivityCode,
    /// How much was done.
    pub quantity: Quantity,
    /// ⌊quantity × factor ÷ 10⁹⌋.
    pub points: Grams,
    /// The day that it was done.
    pub occurred_on: Day,
    /// HMAC of the source event under a key of the platform's.
    pub evidence: Digest,
}

/// Why points move. The first three go to an account, the others out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferReason {
    /// A gift.
    Gift,
    /// A friend collected them.
    Collected,
    /// Pooled for a shared tree.
    Pooled,
    /// They expired.
    Expired,
    /// Spent on something that is no tree.
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
    /// From whom.
    pub from: AccountId,
    /// To whom, when the reason has a receiver.
    pub to: Option<AccountId>,
    /// How many.
    pub points: Grams,
    /// Why.
    pub reason: TransferReason,
}

/// Who has the carbon rights of a plot.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CarbonRights {
    /// No credits were issued on it.
    NoneIssued,
    /// Credits were issued.
    Issued {
        /// Under this registry,
        registry: Text<100>,
        /// as this project.
        id: Text<100>,
    },
    /// Not known.
    Unknown,
}

/// A piece of land. Stated again by its planter with the governors, it replaces the earlier one.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plot {
    /// Its number.
    pub number: PlotNumber,
    /// Its name.
    pub name: Text<100>,
    /// Where its middle lies: north,
    pub latitude: Latitude,
    /// and east.
    pub longitude: Longitude,
    /// A circle of this radius around the middle holds it.
    pub radius_m: u32,
    /// SHA-256 of its outline (a GeoJSON file).
    pub outline: Digest,
    /// Its area.
    pub area_m2: u64,
    /// The most trees that may stand on a hectare.
    pub trees_per_ha_max: u32,
    /// Carbon rights.
    pub carbon_rights: CarbonRights,
    /// Who pays.
    pub funded_by: Text<100>,
}

/// Trees planted on a plot, with serials from `first_serial` on.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planting {
    /// Where.
    pub plot: PlotNumber,
    /// What.
    pub species: SpeciesCode,
    /// The first tree's serial.
    pub first_serial: Serial,
    /// How many.
    pub count: NonZeroU32,
    /// When.
    pub planted_on: Day,
    /// SHA-256 of the evidence file.
    pub evidence: Digest,
}

/// How trees were looked at.
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
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Census => "census",
            Self::RandomSample => "random sample",
            Self::RemoteSensing => "remote sensing",
        }
    }
}

/// Trees looked at, and how many lived.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survey {
    /// Where.
    pub plot: PlotNumber,
    /// The entry of the one planting that was surveyed, or the whole plot.
    pub planting: Option<Index>,
    /// When.
    pub surveyed_on: Day,
    /// How.
    pub basis: Basis,
    /// Trees looked for.
    pub sampled: u32,
    /// Found alive.
    pub alive: u32,
    /// Found dead.
    pub dead: u32,
    /// SHA-256 of the evidence file.
    pub evidence: Digest,
    /// Who paid for the survey.
    pub paid_by: Text<100>,
    /// When the next one is due, if it is known.
    pub next_due: Option<Day>,
}

/// Points become the promise of a tree. The certificate's number is this entry's index.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Whose.
    pub account: AccountId,
    /// The method,
    pub method: MethodId,
    /// its version in effect on the day of issue,
    pub version: MethodVersion,
    /// and the species in it.
    pub species: SpeciesCode,
    /// Its price.
    pub points: Grams,
}

/// Claims are tied to trees, one to one in order, from `first_serial` on.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// Where the trees stand.
    pub plot: PlotNumber,
    /// The first claim's tree.
    pub first_serial: Serial,
    /// The claims' entries.
    pub claims: List<Index, 1, CLAIMS_PER_ASSIGNMENT_MAX>,
}

/// How something earlier is put right.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Remedy {
    /// Points of an award are taken back.
    Reverse {
        /// How many.
        points: Grams,
    },
    /// Trees of a planting are lost.
    Lost {
        /// How many.
        count: NonZeroU32,
        /// The first one's serial, if it is known which.
        first_serial: Option<Serial>,
        /// When.
        lost_on: Day,
        /// SHA-256 of the evidence file, if there is one.
        evidence: Option<Digest>,
    },
    /// All effect of the target is undone.
    Void,
}

/// Something earlier is put right; it stays in the log.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// The entry that is corrected.
    pub target: Index,
    /// Why.
    pub reason: Text<300>,
    /// How.
    pub remedy: Remedy,
}
