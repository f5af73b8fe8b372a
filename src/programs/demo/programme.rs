//! The programme of the demonstration: keys, ledger, grants, method.

use std::path::{Path, PathBuf};

use crate::cli::govern::submit_governed;
use crate::cli::init::{self, FirstKeys, Governor};
use crate::cli::{Done, Failure};
use crate::programs::import::StatementSender;
use arborlog::client::{IssuerKey, Remote, RemoteError};
use arborlog::crypto::{Signer, SigningKey};
use arborlog::durable::{make_folders, remove};
use arborlog::import::SpeciesList;
use arborlog::log::has_store;
use arborlog::record::{
    Activity, ActivityCode, Digest, Grams, Index, KeyGrant, List, Method, MethodId, MethodVersion,
    Micrograms, Origin, RecordId, Role, Statement, Text,
};

const ORIGIN: &str = "demo.arborlog.example/ledger";
/// Those of the genesis govern for ever.
const GOVERNORS: Index = Index(0);
const METHOD_DOCUMENT: &[u8] = include_bytes!("../../../docs/examples/method.md");

/// DESNZ 2025, average car, unknown fuel: 0.16725 kg CO2e a vehicle-km (25_301_3074_4_1).
const CAR_UG_PER_KM: Micrograms = Micrograms(167_250_000);
const TRIP_CAP: Grams = Grams(5_000);

/// The keys of the demonstration's programme.
pub struct ProgrammeKeys {
    pub governors: Vec<SigningKey>,
    pub platform: IssuerKey,
    pub planter: IssuerKey,
    pub surveyor: IssuerKey,
}

/// Reads the programme's keys; those that are not there yet are made.
pub fn make_keys(dir: &Path) -> Result<ProgrammeKeys, Failure> {
    make_folders(dir)?;
    let file = |name: &str| -> Result<PathBuf, Failure> {
        let path = dir.join(format!("{name}.pem"));
        // Killed while the key was written: an empty file, and a key that signed nothing yet.
        if path.try_exists()? && std::fs::metadata(&path)?.len() == 0 {
            remove(&path)?;
        }
        if !path.try_exists()? {
            SigningKey::generate()?.write_new(&path)?;
        }
        Ok(path)
    };
    let governor = |name| Ok::<_, Failure>(SigningKey::read(&file(name)?)?);
    let issuer = |name| Ok::<_, Failure>(IssuerKey::read(&file(name)?)?);
    Ok(ProgrammeKeys {
        governors: vec![governor("governor-1")?, governor("governor-2")?],
        platform: issuer("platform")?,
        planter: issuer("planter")?,
        surveyor: issuer("surveyor")?,
    })
}

/// The id of the ledger's genesis; the ledger is made if it is not there yet.
pub fn make_ledger(dir: &Path, keys: &ProgrammeKeys) -> Result<RecordId, Failure> {
    if !has_store(dir)? {
        init::remove_unfinished(dir)?;
        let origin: Origin = ORIGIN.parse()?;
        let governors = keys
            .governors
            .iter()
            .map(|key| Governor::Present(Box::new(key.clone().into())))
            .collect();
        let programme = "Bicycle trips earn points, one a gram of CO2e that a car would have emitted; points become street trees. A demonstration on open data.";
        init::create(dir, &origin, programme, FirstKeys::of(governors, 2))?;
    }
    init::complete(dir)
}

/// Submits what the governors of the demonstration decided; a key that a grant names signs too.
fn govern(
    remote: &Remote,
    keys: &ProgrammeKeys,
    statement: Statement,
    also: Option<&Signer>,
) -> Result<Index, Failure> {
    submit_governed(remote, &ORIGIN.parse()?, &keys.governors, statement, also)
}

/// Grants a key its role, if it has none yet.
pub fn grant(
    remote: &Remote,
    keys: &ProgrammeKeys,
    key: &Signer,
    role: Role,
    holder: &str,
    name: &str,
) -> Done {
    match remote.issuer(&key.public()) {
        Ok(_) => return Ok(()),
        Err(RemoteError::Problem { problem, .. }) if problem.status == 404 => {}
        Err(error) => return Err(error.into()),
    }
    let grant = KeyGrant {
        key: key.public(),
        role,
        holder: holder.parse()?,
        display_name: name.parse()?,
        expires_on: None,
        set: GOVERNORS,
    };
    govern(remote, keys, Statement::KeyGrant(grant), Some(key)).map(drop)
}

/// The programme's method, which is stated if the ledger does not have it yet.
pub fn ensure_method(
    sender: &StatementSender,
    keys: &ProgrammeKeys,
    species: &SpeciesList,
) -> Result<Method, Failure> {
    if let Some(method) = sender
        .methods()?
        .into_iter()
        .find(|method| method.id == MethodId(1))
    {
        return Ok(method);
    }
    let method = demo_method(species)?;
    govern(
        sender.remote(),
        keys,
        Statement::Method(method.clone()),
        None,
    )?;
    Ok(method)
}

fn demo_method(species: &SpeciesList) -> Result<Method, Failure> {
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
        effective_from: "2013-08-29".parse()?,
        activities: List::try_from(vec![activity])?,
        species: List::try_from(species.species().to_vec())?,
        baseline: text("The same straight-line distance by an average car with one occupant.")?,
        sources: text(
            "UK DESNZ greenhouse gas conversion factors 2025, passenger vehicles, average car, unknown fuel: 0.16725 kg CO2e per vehicle-km.",
        )?,
        jurisdiction:
            "United Kingdom's factor, applied to the San Francisco Bay Area as a demonstration"
                .parse()?,
        document: Digest::from_bytes(sha2::Sha256::digest(METHOD_DOCUMENT).into()),
        set: GOVERNORS,
    })
}
