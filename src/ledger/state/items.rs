//! Items of the state as proofs name and show them: a key as people write it and as bytes, its place, and
//! what a leaf's value says.

use bincode::{Decode, Encode};

use super::domains::{self, holder_place};
use super::holders::HolderOrName;
use super::{
    Account, ClaimState, KeyState, LossState, MethodState, MonthTotals, PlantingState, PlotState,
    SurveyState, TreeState,
};
use crate::crypto::PublicKey;
use crate::ledger::trie::{Domain, Leaf, PATH_BYTES, Path, Value};
use crate::record::{Grams, Index, List, Origin, RecordId, Slug, Text, decode};

/// The longest value of an item: far above a method with all its activities.
pub const ITEM_VALUE_BYTES_MAX: usize = 1 << 20;

/// A domain by its name, or by what one item of it is called.
pub fn domain_named(name: &str) -> Option<(Domain, &'static str)> {
    let name = match name {
        "account" => "accounts",
        "key" => "keys",
        "holder" => "holders",
        "method" => "methods",
        "plot" => "plots",
        "planting" => "plantings",
        "tree" => "trees",
        "survey" => "surveys",
        "claim" | "certificate" => "claims",
        "loss" => "losses",
        "month" => "months",
        name => name,
    };
    let mut all = domains::NAMES.iter().copied();
    all.find(|(_, named)| *named == name)
}

/// The key of an item as bytes, as people write it: 64 hexadecimal digits for an account, a key or
/// evidence; a number; two of them with `/` between for a method's version, a planting or a tree; a slug
/// for a holder. `None` if it is no key of this domain. Of an account, `genesis` is the ledger's.
pub fn key_of(domain: Domain, text: &str, genesis: &RecordId) -> Option<Vec<u8>> {
    let hex = || {
        hex::decode(text)
            .ok()
            .filter(|bytes| bytes.len() == 32 && hex::encode(bytes) == text)
    };
    let number = |text: &str| {
        text.parse::<u64>()
            .ok()
            .filter(|number| number.to_string() == text)
    };
    let u32s = |text: &str| Some(u32::try_from(number(text)?).ok()?.to_be_bytes().to_vec());
    let two = || {
        let (first, second) = text.split_once('/')?;
        Some([u32s(first)?, u32s(second)?].concat())
    };
    match domain {
        domains::ACCOUNTS => Some([genesis.as_bytes().as_slice(), &hex()?].concat()),
        domains::KEYS | domains::EVIDENCE => hex(),
        domains::HOLDERS => Some([&[0], text.parse::<Slug>().ok()?.as_str().as_bytes()].concat()),
        domains::ONCE => Some(vec![u8::try_from(number(text)?).ok()?]),
        domains::SPECIES => Some(u16::try_from(number(text)?).ok()?.to_be_bytes().to_vec()),
        domains::PLOTS | domains::MONTHS => u32s(text),
        domains::METHODS | domains::PLANTINGS | domains::TREES => two(),
        domains::SURVEYS => {
            let (places, index) = text.rsplit_once('/')?;
            let (plot, day) = places.split_once('/')?;
            let index = number(index)?.to_be_bytes().to_vec();
            Some([u32s(plot)?, u32s(day)?, index].concat())
        }
        _ => Some(number(text)?.to_be_bytes().to_vec()),
    }
}

/// The place of the item with this key; `None` if the bytes are no key of the domain.
pub fn place_of(domain: Domain, key: &[u8]) -> Option<Path> {
    let id = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).ok();
    match domain {
        domains::ACCOUNTS => {
            let (genesis, account) = key.split_at_checked(32)?;
            let genesis = RecordId::from_bytes(id(genesis)?);
            let account = crate::record::AccountId::from_bytes(id(account)?);
            Some(domains::account_place(&genesis, &account))
        }
        domains::KEYS => Some(domains::key_place(&PublicKey::from_bytes(id(key)?))),
        domains::HOLDERS => {
            let (tag, name) = key.split_first()?;
            let name = std::str::from_utf8(name).ok()?;
            // Whoever made a receipt may have written anything here, and it is shown.
            match *tag {
                0 => Some(holder_place(name.parse::<Slug>().ok()?.as_str())),
                1 => Some(domains::name_place(
                    name.parse::<Text<100>>().ok()?.as_str(),
                )),
                _ => None,
            }
        }
        _ => {
            let bytes = aligned_key_bytes(domain)?;
            let mut place = [0; PATH_BYTES];
            (key.len() == bytes).then_some(())?;
            place.get_mut(..bytes)?.copy_from_slice(key);
            Some(Path::from_bytes(place))
        }
    }
}

/// Length of the keys of a domain whose paths are left-aligned keys: its items are in the order of
/// their keys. `None` where paths are hashes.
pub fn aligned_key_bytes(domain: Domain) -> Option<usize> {
    match domain {
        domains::ACCOUNTS | domains::KEYS | domains::HOLDERS => None,
        domains::ONCE => Some(1),
        domains::SPECIES => Some(2),
        domains::PLOTS | domains::MONTHS => Some(4),
        domains::SURVEYS => Some(16),
        domains::EVIDENCE => Some(32),
        _ => Some(8),
    }
}

/// The low and the high place of a key of neighbours: two keys of the same domain, one behind the other and
/// the low one below the high one.
pub fn neighbour_places(domain: Domain, key: &[u8]) -> Option<[Path; 2]> {
    let (low, high) = key.split_at_checked(aligned_key_bytes(domain)?)?;
    let places = [place_of(domain, low)?, place_of(domain, high)?];
    places
        .is_sorted_by(|low, high| low < high)
        .then_some(places)
}

/// Whether leaves of a domain hold a hash over the value's fields, which stand beside a proof then.
pub fn is_digested(domain: Domain) -> bool {
    matches!(
        domain,
        domains::ONCE
            | domains::KEYS
            | domains::METHODS
            | domains::PLOTS
            | domains::PLANTINGS
            | domains::SURVEYS
            | domains::LOSSES
    )
}

/// What an item of the state says.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Item {
    /// One of what a ledger has one of: its fields.
    Once(Vec<u8>),
    Key(KeyState),
    Holder(u32),
    Name(u32),
    Method(MethodState),
    Species(Text<100>),
    Account(Account),
    Plot(PlotState),
    Planting(PlantingState),
    Tree(TreeState),
    Survey(SurveyState),
    Claim(ClaimState),
    Reversed(Grams),
    Loss(LossState),
    Voided(Index),
    Month(MonthTotals),
    Evidence(Index),
}

impl Item {
    /// Reads what the leaf at a key's place says, of which `fields` are the value's fields where the domain
    /// digests them. `None` if the leaf is not the one of these fields (bytes, hash or sums differ), or they are
    /// of an item with another key.
    pub fn read(domain: Domain, key: &[u8], leaf: &Leaf, fields: Option<&[u8]>) -> Option<Self> {
        let item = Self::read_any(domain, key, leaf, fields)?;
        item.has_key(key).then_some(item)
    }

    fn read_any(domain: Domain, key: &[u8], leaf: &Leaf, fields: Option<&[u8]>) -> Option<Self> {
        fn typed<T: Decode<()> + Encode + Value>(leaf: &Leaf, bytes: &[u8]) -> Option<T> {
            let value: T = decode::<_, ITEM_VALUE_BYTES_MAX>(bytes).ok()?;
            (value.leaf().ok()? == *leaf).then_some(value)
        }
        if is_digested(domain) != fields.is_some() {
            return None;
        }
        let bytes = fields.unwrap_or(leaf.value());
        Some(match domain {
            domains::ONCE => {
                let number = *key.first()?;
                is_once_leaf(leaf, number, bytes).then(|| Self::Once(bytes.to_vec()))?
            }
            domains::KEYS => Self::Key(typed(leaf, bytes)?),
            domains::HOLDERS => match HolderOrName::of_leaf(leaf)? {
                HolderOrName::Holder(holder) => Self::Holder(holder.number.0),
                HolderOrName::Name(number) => Self::Name(number.0),
            },
            domains::METHODS => Self::Method(typed(leaf, bytes)?),
            domains::SPECIES => Self::Species(typed(leaf, bytes)?),
            domains::ACCOUNTS => Self::Account(typed(leaf, bytes)?),
            domains::PLOTS => Self::Plot(typed(leaf, bytes)?),
            domains::PLANTINGS => Self::Planting(typed(leaf, bytes)?),
            domains::TREES => Self::Tree(typed(leaf, bytes)?),
            domains::SURVEYS => Self::Survey(typed(leaf, bytes)?),
            domains::CLAIMS => Self::Claim(typed(leaf, bytes)?),
            domains::REVERSED => Self::Reversed(typed(leaf, bytes)?),
            domains::LOSSES => Self::Loss(typed(leaf, bytes)?),
            domains::VOIDED => Self::Voided(typed(leaf, bytes)?),
            domains::MONTHS => Self::Month(typed(leaf, bytes)?),
            domains::EVIDENCE => Self::Evidence(typed(leaf, bytes)?),
            _ => return None,
        })
    }

    /// Whether what it says can be of the item with this key. The state root of a log that lies may have any
    /// leaf at any place.
    fn has_key(&self, key: &[u8]) -> bool {
        match self {
            Self::Key(state) => key == state.key.as_bytes(),
            Self::Holder(_) => key.first() == Some(&0),
            Self::Name(_) => key.first() == Some(&1),
            Self::Method(state) => {
                let (id, version) = (state.method.id.0, state.method.version.0);
                key == [id.to_be_bytes(), version.to_be_bytes()].concat()
            }
            Self::Plot(state) => key == state.plot.number.0.to_be_bytes(),
            Self::Planting(state) => {
                let nothing_lost = state.lost() == 0 && state.lost_ranges.is_empty();
                key.ends_with(&state.first_serial.0.to_be_bytes())
                    && state.first_serial <= state.last_serial
                    && (!state.voided || nothing_lost)
            }
            Self::Survey(state) => {
                let (plot, day) = (state.survey.plot.0, state.survey.surveyed_on.0);
                let [plot, day] = [plot.to_be_bytes(), day.to_be_bytes()];
                key == [plot.as_slice(), &day, &state.stated_at.0.to_be_bytes()].concat()
            }
            Self::Loss(state) => key == state.lost_at.0.to_be_bytes(),
            // What voids an entry stands behind the entry.
            Self::Voided(by) => *key < by.0.to_be_bytes()[..],
            Self::Once(_)
            | Self::Species(_)
            | Self::Account(_)
            | Self::Tree(_)
            | Self::Claim(_)
            | Self::Reversed(_)
            | Self::Month(_)
            | Self::Evidence(_) => true,
        }
    }
}

/// Whether a leaf is the one of these fields of what a ledger has one of.
fn is_once_leaf(leaf: &Leaf, number: u8, fields: &[u8]) -> bool {
    fn read<T: Decode<()> + Encode>(fields: &[u8]) -> Option<T> {
        decode::<_, ITEM_VALUE_BYTES_MAX>(fields).ok()
    }
    let began_at = match number {
        0 => read::<(Origin, RecordId, Text<500>)>(fields).map(|_| Index(0)),
        1 => read::<(List<PublicKey, 1, 16>, u8, Index)>(fields).map(|(.., stated_at)| stated_at),
        2 => read::<Vec<(PublicKey, Index)>>(fields)
            .and_then(|keys| keys.last().map(|(_, named_at)| *named_at)),
        // The policy has no fields, and only the leaf says which entry states it.
        3 if fields.is_empty() => {
            let began_at = leaf.value().first_chunk();
            began_at.map(|index| Index(u64::from_be_bytes(*index)))
        }
        _ => None,
    };
    let made = began_at.map(|began_at| domains::digested_bytes(0, 0, began_at, fields));
    matches!(made, Some(Ok(made)) if made == *leaf)
}

impl super::StateImage {
    /// The fields of the value at a key, of a domain that digests them; `None` where nothing is there, or the
    /// domain's leaves hold the fields themselves.
    pub fn fields(&self, domain: Domain, key: &[u8]) -> Option<Vec<u8>> {
        if domain == domains::ONCE {
            return domains::once_fields(&self.globals, *key.first()?);
        }
        if !is_digested(domain) {
            return None;
        }
        self.domain(domain)?.value_bytes(&place_of(domain, key)?)
    }
}

/// What keys of the state are written as, for messages.
pub fn key_form(domain: Domain) -> &'static str {
    match domain {
        domains::ACCOUNTS | domains::KEYS | domains::EVIDENCE => "64 hexadecimal digits",
        domains::HOLDERS => "a holder's slug",
        domains::METHODS => "method/version",
        domains::PLANTINGS => "plot/first serial",
        domains::TREES => "plot/serial",
        domains::SURVEYS => "plot/day/entry",
        domains::ONCE => "0 programme, 1 governors, 2 log keys, 3 policy",
        _ => "a number",
    }
}
