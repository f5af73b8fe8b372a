//! What people say, in few words.

#[path = "../support/says.rs"]
mod says;

use std::num::NonZeroU32;

use arborlog::crypto::{PublicKey, SigningKey};
use arborlog::record::*;

pub use says::{IN_FORCE, Says, naming};

pub const TODAY: Day = Day(20_700);

pub const ANN: u8 = 1;
pub const BEN: u8 = 2;
pub const EVE: u8 = 3;
/// Of another platform than the others.
pub const PAT: u8 = 5;
pub const NOBODY: u8 = 4;

/// The species, and what their trees cost.
pub const OAK: SpeciesCode = SpeciesCode(1);
pub const OAK_PRICE: u64 = 100;
pub const ELM: SpeciesCode = SpeciesCode(2);
pub const ELM_PRICE: u64 = 50;
/// The most points of one award.
pub const CAP: u64 = 10_000;
/// The most trees of a plot.
pub const PLOT_HOLDS: u32 = 100;

/// The seed of somebody's key.
pub fn seed(name: &str) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    seed
}

/// Somebody's key.
pub fn key(name: &str) -> SigningKey {
    SigningKey::from_seed(&seed(name))
}

pub fn public(name: &str) -> PublicKey {
    key(name).public()
}

fn list<T, const MIN: usize, const MAX: usize>(items: Vec<T>) -> List<T, MIN, MAX> {
    items.try_into().ok().unwrap()
}

pub fn account(who: u8) -> AccountId {
    AccountId::from_bytes([who; 32])
}

/// Evidence number n.
pub fn photo(number: u8) -> Digest {
    Digest::from_bytes([number; 32])
}

pub fn genesis(origin: &str, governors: &[&str], quorum: u8) -> Genesis {
    Genesis {
        format: FormatVersion::CURRENT,
        origin: origin.parse().unwrap(),
        programme: "a programme".parse().unwrap(),
        governors: list(governors.iter().map(|name| public(name)).collect()),
        quorum,
        log_key: public("log"),
        mldsa_key: None,
    }
}

pub fn governors(names: &[&str], quorum: u8) -> GovernorSet {
    GovernorSet {
        governors: list(names.iter().map(|name| public(name)).collect()),
        quorum,
        set: IN_FORCE,
    }
}

pub fn grant(name: &str, role: Role, holder: &str) -> KeyGrant {
    grant_key(public(name), role, holder)
}

pub fn grant_key(key: PublicKey, role: Role, holder: &str) -> KeyGrant {
    KeyGrant {
        key,
        role,
        holder: holder.parse().unwrap(),
        display_name: holder.parse().unwrap(),
        expires_on: None,
        set: IN_FORCE,
    }
}

pub fn revoke(name: &str) -> KeyRevoke {
    KeyRevoke {
        key: public(name),
        reason: "stolen".parse().unwrap(),
        compromised_since: None,
        set: IN_FORCE,
    }
}

pub fn log_key(name: &str) -> LogKey {
    LogKey {
        key: public(name),
        set: IN_FORCE,
        mldsa_key: None,
    }
}

/// Method 1: as many points as the quantity says. A version after the first begins tomorrow.
pub fn method(version: u32) -> Method {
    Method {
        id: MethodId(1),
        version: MethodVersion(version),
        effective_from: if version == 1 {
            Day(TODAY.0 - 1000)
        } else {
            Day(TODAY.0 + 1)
        },
        activities: list(vec![Activity {
            code: ActivityCode(1),
            name: "an activity".parse().unwrap(),
            unit: "g".parse().unwrap(),
            factor: Micrograms(1_000_000_000),
            cap: Grams(CAP),
        }]),
        species: list(vec![
            species(OAK, "oak", OAK_PRICE),
            species(ELM, "elm", ELM_PRICE),
        ]),
        baseline: "a car".parse().unwrap(),
        sources: "a table".parse().unwrap(),
        jurisdiction: "here".parse().unwrap(),
        document: photo(0),
        set: IN_FORCE,
    }
}

pub fn species(code: SpeciesCode, name: &str, price: u64) -> Species {
    Species {
        code,
        name: name.parse().unwrap(),
        price: Grams(price),
    }
}

pub fn award(who: u8, points: u64) -> Award {
    Award {
        account: account(who),
        method: MethodId(1),
        version: MethodVersion(1),
        activity: ActivityCode(1),
        quantity: Quantity(points),
        points: Grams(points),
        occurred_on: TODAY,
        evidence: photo(0xee),
    }
}

pub fn gift(from: u8, to: u8, points: u64) -> Transfer {
    Transfer {
        from: account(from),
        to: Some(account(to)),
        points: Grams(points),
        reason: TransferReason::Gift,
    }
}

/// An oak.
pub fn claim(who: u8) -> Claim {
    Claim {
        account: account(who),
        method: MethodId(1),
        version: MethodVersion(1),
        species: OAK,
        points: Grams(OAK_PRICE),
    }
}

pub fn elm_claim(who: u8) -> Claim {
    Claim {
        species: ELM,
        points: Grams(ELM_PRICE),
        ..claim(who)
    }
}

/// One hectare.
pub fn plot(number: u32) -> Plot {
    Plot {
        number: PlotNumber(number),
        name: "a hill".parse().unwrap(),
        country: "US".parse().unwrap(),
        place: PlotPlace::Circle(Circle {
            latitude: Latitude::try_from(377_000_000).unwrap(),
            longitude: Longitude::try_from(-1_224_000_000).unwrap(),
            radius_m: 60,
        }),
        finer_outline: None,
        area_m2: 10_000,
        trees_per_ha_max: PLOT_HOLDS,
        carbon_rights: CarbonRights::NoneIssued,
        funded_by: "the city".parse().unwrap(),
        platforms: platforms(&[]),
        set: None,
    }
}

/// The holders that a plot names.
pub fn platforms(holders: &[&str]) -> NamedPlatforms {
    let holders: Vec<Slug> = holders.iter().map(|it| it.parse().unwrap()).collect();
    List::try_from(holders).unwrap().try_into().unwrap()
}

/// Oaks.
pub fn planting(plot: u32, first: u32, count: u32, evidence: u8) -> Planting {
    Planting {
        plot: PlotNumber(plot),
        species: OAK,
        first_serial: Serial(first),
        count: NonZeroU32::new(count).unwrap(),
        planted_from: TODAY,
        planted_until: TODAY,
        evidence: photo(evidence),
        evidence_at: WebAddress::default(),
    }
}

pub fn survey(plot: u32, evidence: u8) -> Survey {
    Survey {
        plot: PlotNumber(plot),
        planting: None,
        surveyed_on: TODAY,
        as_of: Index(0),
        basis: Basis::Census,
        protocol: "every tree".parse().unwrap(),
        plan: None,
        alive: 8,
        dead: 2,
        not_found: 0,
        dead_known: 0,
        revived: 0,
        evidence: photo(evidence),
        evidence_at: WebAddress::default(),
        paid_by: "the city".parse().unwrap(),
        next_due: None,
    }
}

/// Trees of plot 1.
pub fn assign(first: u32, claims: &[Index]) -> Assignment {
    Assignment {
        plot: PlotNumber(1),
        first_serial: Serial(first),
        claims: list(claims.to_vec()),
    }
}

pub fn policy(text: &str) -> Policy {
    Policy {
        policy: text.parse().unwrap(),
        set: IN_FORCE,
    }
}

/// Of the first so many entries.
pub fn attestation(size: u64) -> Attestation {
    Attestation {
        size,
        tree_root: photo(1),
        state_root: photo(2),
        period_from: TODAY,
        period_until: TODAY,
        level: AssuranceLevel::Reasonable,
        opinion: Opinion::Unmodified,
        findings: photo(3),
        report: photo(4),
        report_at: "https://books.example/report".parse().unwrap(),
        words: "all is right".parse().unwrap(),
    }
}

fn correct(target: Index, remedy: Remedy) -> Correction {
    Correction {
        target,
        reason: "a mistake".parse().unwrap(),
        remedy,
        set: None,
    }
}

pub fn void(target: Index) -> Correction {
    correct(target, Remedy::Void)
}

pub fn reverse(target: Index, points: u64) -> Correction {
    let points = Grams(points);
    correct(target, Remedy::Reverse { points })
}

pub fn lost(target: Index, count: u32, first: Option<u32>) -> Correction {
    correct(
        target,
        Remedy::Lost {
            count: NonZeroU32::new(count).unwrap(),
            first_serial: first.map(Serial),
            lost_on: TODAY,
            evidence: None,
        },
    )
}
