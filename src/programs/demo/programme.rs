//! The programme of the demonstration: keys, ledger, grants, method.

use std::path::Path;

use crate::cli::govern::submit_governed;
use crate::cli::init::{self, Governor};
use crate::cli::{Done, Failure};
use crate::programs::import::Sender;
use arborlog::client::Remote;
use arborlog::crypto::SigningKey;
use arborlog::durable::make_folders;
use arborlog::import::all_species;
use arborlog::log::has_store;
use arborlog::record::{
    Activity, ActivityCode, Day, Digest, Grams, Index, KeyGrant, List, Method, MethodId,
    MethodVersion, Micrograms, Origin, RecordId, Role, Statement, Text,
};

const ORIGIN: &str = "demo.arborlog.example/ledger";
const METHOD_DOCUMENT: &[u8] = include_bytes!("../../../docs/examples/method.md");

/// DESNZ 2025, average car, unknown fuel: 0.16725 kg CO2e a vehicle-km (25_301_3074_4_1).
const CAR_UG_PER_KM: Micrograms = Micrograms(167_250_000);
const TRIP_CAP: Grams = Grams(5_000);

/// Who signs what in the demonstration.
pub struct Keys {
    pub governors: Vec<SigningKey>,
    pub platform: SigningKey,
    pub planter: SigningKey,
    pub surveyor: SigningKey,
}

pub fn make_keys(dir: &Path) -> Result<Keys, Failure> {
    make_folders(dir)?;
    let key = |name: &str| -> Result<SigningKey, Failure> {
        let path = dir.join(format!("{name}.pem"));
        // A key that was cut off while it was written signed nothing yet.
        if path.exists() && std::fs::metadata(&path)?.len() == 0 {
            std::fs::remove_file(&path)?;
        }
        if !path.exists() {
            SigningKey::generate()?.write_new(&path)?;
        }
        Ok(SigningKey::read(&path)?)
    };
    Ok(Keys {
        governors: vec![key("governor-1")?, key("governor-2")?],
        platform: key("platform")?,
        planter: key("planter")?,
        surveyor: key("surveyor")?,
    })
}

pub fn make_ledger(dir: &Path, keys: &Keys) -> Result<RecordId, Failure> {
    if !has_store(dir) {
        // Killed while it was made: nothing is in it yet.
        if dir.exists() {
            std::fs::remove_dir_all(dir)?;
        }
        let origin: Origin = ORIGIN.parse()?;
        let governors = keys
            .governors
            .iter()
            .map(|key| Governor::Present(key.clone()))
            .collect();
        let programme = "Bicycle trips earn points, one a gram of CO2e that a car would have emitted; points become street trees. A demonstration on open data.";
        init::create(dir, &origin, programme, governors, Some(2))?;
    }
    init::complete(dir)
}

/// What the demonstration's governors say.
fn govern(
    remote: &Remote,
    keys: &Keys,
    statement: Statement,
    also: Option<&SigningKey>,
) -> Result<Index, Failure> {
    submit_governed(remote, &ORIGIN.parse()?, &keys.governors, statement, also)
}

pub fn grant(
    remote: &Remote,
    keys: &Keys,
    key: &SigningKey,
    role: Role,
    holder: &str,
    name: &str,
) -> Done {
    if remote.issuer(&key.public()).is_ok() {
        return Ok(());
    }
    let grant = KeyGrant {
        key: key.public(),
        role,
        holder: holder.parse()?,
        display_name: name.parse()?,
        expires_on: None,
    };
    govern(remote, keys, Statement::KeyGrant(grant), Some(key)).map(drop)
}

pub fn ensure_method(sender: &Sender, keys: &Keys) -> Result<Method, Failure> {
    if let Some(method) = sender
        .methods()?
        .into_iter()
        .find(|it| it.id == MethodId(1))
    {
        return Ok(method);
    }
    let method = demo_method()?;
    govern(
        sender.remote(),
        keys,
        Statement::Method(method.clone()),
        None,
    )?;
    Ok(method)
}

fn demo_method() -> Result<Method, Failure> {
    use sha2::Digest as _;
    let text = |text: &str| text.parse::<Text<1000>>();
    let activity = Activity {
        code: ActivityCode(1),
        name: "Bicycle trip".parse()?,
        unit: "km".parse()?,
        factor: CAR_UG_PER_KM,
        cap: TRIP_CAP,
    };
    Ok(Method {
        id: MethodId(1),
        version: MethodVersion(1),
        effective_from: Day::from_ymd(2013, 8, 29).unwrap_or(Day(0)),
        activities: List::try_from(vec![activity])?,
        species: List::try_from(all_species())?,
        baseline: text("The same straight-line distance by an average car with one occupant.")?,
        sources: text(
            "UK DESNZ greenhouse gas conversion factors 2025, passenger vehicles, average car, unknown fuel: 0.16725 kg CO2e per vehicle-km.",
        )?,
        jurisdiction:
            "United Kingdom's factor, applied to the San Francisco Bay Area as a demonstration"
                .parse()?,
        document: Digest::from_bytes(sha2::Sha256::digest(METHOD_DOCUMENT).into()),
    })
}
