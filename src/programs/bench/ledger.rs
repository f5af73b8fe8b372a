//! A fresh ledger with many issuers, its server's process, and records signed beforehand.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::connection::Request;
use crate::cli::govern::{admitted, submit_governed};
use crate::cli::{CORE_DUMPS, Failure, init};
use arborlog::client::{Remote, batch_body, today};
use arborlog::crypto::SigningKey;
use arborlog::record::{
    AccountId, Activity, ActivityCode, Award, Basis, CarbonRights, Circle, Claim, Digest, Grams,
    Index, KeyGrant, Latitude, List, Longitude, Method, MethodId, MethodVersion, Micrograms,
    Origin, Planting, Plot, PlotNumber, PlotPlace, Quantity, Record, RecordId, Role, SEALED_BATCH,
    SealPlace, SealedBatch, SealedStatement, Seq, Serial, SignedRecord, SigningContext, Species,
    SpeciesCode, Statement, Survey, Text, WebAddress, draft,
};

const ORIGIN: &str = "bench.arborlog.example/ledger";
/// Those of the genesis govern for ever.
const GOVERNORS: Index = Index(0);
const POINTS: Grams = Grams(104);
/// One award pays a tree, so that claims find points on whatever account was awarded last.
const PRICE: Grams = Grams(100);
const PLOT: PlotNumber = PlotNumber(1);
const GRANTS_AT_ONCE: usize = 1_000;

/// The process of a server; ended when this is dropped.
pub struct ServerProcess {
    child: Child,
    pub url: String,
}

impl ServerProcess {
    pub fn start(dir: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg(dir)
            .args(["--listen", "127.0.0.1:0"])
            .env("ARBORLOG_LOG", "warn")
            // The server's counters are read from /proc.
            .env(CORE_DUMPS, "1")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().context("the server has no output")?;
        BufReader::new(out).read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ").map(str::to_owned);
        let url = url.context("the server did not start")?;
        Ok(Self { child, url })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        let address = self.url.trim_start_matches("http://");
        address.parse().context("the server's address")
    }

    /// Stops it cleanly.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// Ends it with SIGKILL.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The keys that sign batches.
pub struct Issuers {
    pub platforms: Vec<SigningKey>,
    pub planter: SigningKey,
    pub surveyor: SigningKey,
}

/// A request that appends a batch.
pub struct SignedBatch {
    pub request: Request,
    /// What it says: signed records, or statements under one seal.
    pub records: usize,
    pub form: BatchForm,
}

/// How statements are signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum BatchForm {
    /// One seal for all of a batch.
    Sealed,
    /// Each in a record with a signature of its own.
    Records,
}

/// What the signatures of the benchmark's records are bound to.
pub fn context() -> Result<SigningContext, Failure> {
    Ok(SigningContext::new(&ORIGIN.parse()?))
}

/// Makes the ledger's directory, and the ledger in it or in an object store.
pub fn make(dir: &Path, governor: &SigningKey, store: Option<&str>) -> Result<(), Failure> {
    let origin: Origin = ORIGIN.parse()?;
    let governors = vec![init::Governor::Present(Box::new(governor.clone().into()))];
    let programme = "a benchmark";
    match store {
        None => init::create(dir, &origin, programme, init::FirstKeys::of(governors, 1))?,
        Some(store) => init::create_on(
            (dir, store),
            &origin,
            programme,
            init::FirstKeys::of(governors, 1),
        )?,
    }
    init::complete(dir)?;
    Ok(())
}

/// Grants every issuer its role, and states the method and the plot.
pub fn set_up(
    remote: &Remote,
    governor: &SigningKey,
    platforms: usize,
) -> Result<Issuers, Failure> {
    let keys = (0..platforms)
        .map(|_| SigningKey::generate())
        .collect::<Result<Vec<_>, _>>()?;
    let issuers = Issuers {
        platforms: keys,
        planter: SigningKey::generate()?,
        surveyor: SigningKey::generate()?,
    };
    let method = Statement::Method(method()?);
    let governors = std::slice::from_ref(governor);
    submit_governed(remote, &ORIGIN.parse()?, governors, method, None)?;
    let mut chain = IssuerChain::begin(remote, governor)?;
    let roles = issuers
        .platforms
        .iter()
        .map(|key| (key, Role::Platform, "app"))
        .chain([
            (&issuers.planter, Role::Planter, "trees"),
            (&issuers.surveyor, Role::Surveyor, "eyes"),
        ]);
    let mut grants = Vec::new();
    for (key, role, holder) in roles {
        let grant = KeyGrant {
            key: key.public(),
            role,
            holder: holder.parse()?,
            display_name: holder.parse()?,
            expires_on: None,
            set: GOVERNORS,
        };
        let grant = chain.sign(Statement::KeyGrant(grant))?;
        grants.push(grant.endorse(&chain.context, key)?);
    }
    for batch in grants.chunks(GRANTS_AT_ONCE) {
        admitted(remote.append(batch)?)?;
    }
    let plot = plot()?;
    let mut chain = IssuerChain::begin(remote, &issuers.planter)?;
    let signed = chain.sign(Statement::Plot(plot))?;
    admitted(remote.append(&[signed])?)?;
    Ok(issuers)
}

fn method() -> Result<Method, Failure> {
    let activity = Activity {
        code: ActivityCode(1),
        name: "metro ride".parse()?,
        unit: "ride".parse()?,
        factor: Micrograms(52_000_000),
        cap: Grams(10_000),
    };
    let species = Species {
        code: SpeciesCode(1),
        name: "Haloxylon ammodendron".parse()?,
        price: PRICE,
    };
    Ok(Method {
        id: MethodId(1),
        version: MethodVersion(1),
        effective_from: today(),
        activities: List::try_from(vec![activity])?,
        species: List::try_from(vec![species])?,
        baseline: "a bus".parse()?,
        sources: "none: a benchmark".parse()?,
        jurisdiction: "nowhere".parse()?,
        document: Digest::from_bytes([0; 32]),
        set: GOVERNORS,
    })
}

/// Room for any number of trees.
fn plot() -> Result<Plot, Failure> {
    let nowhere = |_| anyhow::anyhow!("no such place");
    Ok(Plot {
        number: PLOT,
        name: "a desert".parse()?,
        country: "ZZ".parse()?,
        place: PlotPlace::Circle(Circle {
            latitude: Latitude::try_from(400_000_000).map_err(nowhere)?,
            longitude: Longitude::try_from(1_000_000_000).map_err(nowhere)?,
            radius_m: u32::MAX,
        }),
        finer_outline: None,
        area_m2: 1 << 50,
        trees_per_ha_max: 10_000,
        carbon_rights: CarbonRights::Unknown,
        funded_by: "nobody".parse()?,
        platforms: List::try_from(vec![])?.try_into()?,
        set: None,
    })
}

/// Where an issuer's chain continues, as its signer keeps it.
struct IssuerChain<'a> {
    key: &'a SigningKey,
    context: SigningContext,
    seq: Seq,
    prev: RecordId,
}

impl<'a> IssuerChain<'a> {
    fn begin(remote: &Remote, key: &'a SigningKey) -> Result<Self, Failure> {
        let head = remote.issuer(&key.public())?;
        Ok(Self {
            key,
            context: context()?,
            seq: head.next_seq,
            prev: head.prev,
        })
    }

    fn sign(&mut self, statement: Statement) -> Result<SignedRecord, Failure> {
        let record = Record {
            issuer: self.key.public(),
            seq: self.seq,
            prev: self.prev,
            issued_on: today(),
            statement,
        };
        let (signed, id) = draft(&record, &self.context, self.key)?;
        self.seq = Seq(self.seq.0 + 1);
        self.prev = id;
        Ok(signed)
    }

    fn seal(&mut self, statements: Vec<SealedStatement>) -> Result<SealedBatch, Failure> {
        let place = SealPlace {
            seq: self.seq,
            prev: self.prev,
            issued_on: today(),
        };
        let (batch, id) = SealedBatch::seal(statements, place, &self.context, self.key)?;
        self.seq = Seq(self.seq.0 + 1);
        self.prev = id;
        Ok(batch)
    }

    /// A request with statements, in the form that is asked for.
    fn request(&mut self, statements: Vec<Statement>, form: BatchForm) -> Result<Request, Failure> {
        match form {
            BatchForm::Sealed => {
                let sealed = statements.into_iter().map(SealedStatement::new);
                let batch = self.seal(sealed.collect::<Result<_, _>>()?)?;
                Ok(Request::post("v1/batches", SEALED_BATCH, &batch.body()?))
            }
            BatchForm::Records => {
                let signed = statements.into_iter().map(|said| self.sign(said));
                let signed = signed.collect::<Result<Vec<_>, _>>()?;
                let kind = "application/octet-stream";
                Ok(Request::post("v1/records", kind, &batch_body(&signed)?))
            }
        }
    }
}

fn digest(thing: &str, issuer: u64, number: u64) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(thing);
    hasher.update(issuer.to_be_bytes());
    hasher.update(number.to_be_bytes());
    hasher.finalize().into()
}

/// What each platform sends.
#[derive(Clone, Copy)]
pub struct PlatformLoad {
    /// Records of a platform.
    pub records: usize,
    /// Records of a batch.
    pub batch: usize,
    /// How they are signed.
    pub form: BatchForm,
    /// Of a hundred records of a platform, claims.
    pub claims_percent: u64,
    /// Accounts of a platform.
    pub accounts: u64,
}

/// A platform's awards and claims. Each platform has accounts of its own, so that what it may
/// claim does not depend on what others sent before.
pub fn platform_batches(
    remote: &Remote,
    key: &SigningKey,
    platform: u64,
    load: PlatformLoad,
) -> Result<Vec<SignedBatch>, Failure> {
    let mut awarded = None;
    let form = load.form;
    batches(remote, key, load.records, (load.batch, form), |number| {
        let is_claim = number % 100 < load.claims_percent;
        let statement = match awarded.take() {
            Some(account) if is_claim => Statement::Claim(Claim {
                account,
                method: MethodId(1),
                version: MethodVersion(1),
                species: SpeciesCode(1),
                points: PRICE,
            }),
            _ => {
                // The accounts take turns; their ids are scattered as hashes are.
                let holder = number % load.accounts.max(1);
                let account = AccountId::from_bytes(digest("account", platform, holder));
                awarded = Some(account);
                Statement::Award(Award {
                    account,
                    method: MethodId(1),
                    version: MethodVersion(1),
                    activity: ActivityCode(1),
                    quantity: Quantity(2_000),
                    points: POINTS,
                    occurred_on: today(),
                    evidence: Digest::from_bytes(digest("ride", platform, number)),
                })
            }
        };
        Ok(statement)
    })
}

/// Plantings of one tree each.
pub fn planter_batches(
    remote: &Remote,
    key: &SigningKey,
    records: usize,
    batch: (usize, BatchForm),
) -> Result<Vec<SignedBatch>, Failure> {
    batches(remote, key, records, batch, |number| {
        Ok(Statement::Planting(Planting {
            plot: PLOT,
            species: SpeciesCode(1),
            first_serial: Serial(u32::try_from(number)? + 1),
            count: NonZeroU32::MIN,
            planted_from: today(),
            planted_until: today(),
            evidence: Digest::from_bytes(digest("planting", 0, number)),
            evidence_at: WebAddress::default(),
        }))
    })
}

/// Surveys of the plot.
pub fn surveyor_batches(
    remote: &Remote,
    key: &SigningKey,
    records: usize,
    batch: (usize, BatchForm),
) -> Result<Vec<SignedBatch>, Failure> {
    batches(remote, key, records, batch, |number| {
        Ok(Statement::Survey(Survey {
            plot: PLOT,
            planting: None,
            surveyed_on: today(),
            as_of: Index(0),
            basis: Basis::RandomSample,
            protocol: Text::default(),
            plan: None,
            alive: 9,
            dead: 1,
            not_found: 0,
            dead_known: 0,
            revived: 0,
            evidence: Digest::from_bytes(digest("survey", 0, number)),
            evidence_at: WebAddress::default(),
            paid_by: "nobody".parse()?,
            next_due: None,
        }))
    })
}

fn batches(
    remote: &Remote,
    key: &SigningKey,
    records: usize,
    (batch, form): (usize, BatchForm),
    mut statement: impl FnMut(u64) -> Result<Statement, Failure>,
) -> Result<Vec<SignedBatch>, Failure> {
    let mut chain = IssuerChain::begin(remote, key)?;
    let mut all = Vec::new();
    let mut number = 0;
    let mut left = records;
    while left > 0 {
        let count = batch.min(left);
        let mut said = Vec::with_capacity(count);
        for _ in 0..count {
            said.push(statement(number)?);
            number += 1;
        }
        all.push(SignedBatch {
            request: chain.request(said, form)?,
            records: count,
            form,
        });
        left -= count;
    }
    Ok(all)
}
