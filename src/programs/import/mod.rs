use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::cli::govern::origin_of;
use crate::cli::{Done, Failure, progress, say};
use arborlog::client::{LineState, OnRefusal, Remote, RemoteError, Submitter, today};
use arborlog::crypto::SigningKey;
use arborlog::durable::{make_folders, replace};
use arborlog::import::{
    Pseudonyms, SetAside, Table, TreeCorrection, TreePlan, Trees, TreesConfig, Trips, TripsConfig,
    added_columns, event_columns, plan_trees, read_trees, read_trips, station_columns,
    trip_columns,
};
use arborlog::record::{
    ActivityCode, Basis, Correction, Day, Digest, Index, Method, MethodId, Origin, PlotNumber,
    Remedy, Serial, Statement, Survey, Text,
};

/// Import open data: each good row as a statement, each bad one set aside with its reason.
///
/// Files are CSV, or CSV compressed with zstd (.csv.zst). What was sent and what was set aside is
/// kept in the work folder; after any cut, the same command goes on and sends nothing twice.
#[derive(Args)]
pub struct ImportArgs {
    #[command(subcommand)]
    source: Source,
}

#[derive(Subcommand)]
enum Source {
    Bikeshare(BikeshareArgs),
    SfTrees(SfTreesArgs),
}

/// Where to send, and where to keep what was sent.
#[derive(Args)]
struct Sending {
    /// The ledger's server.
    #[arg(long, value_name = "URL")]
    to: String,
    /// The folder for journals, pseudonym keys and what is set aside.
    #[arg(long)]
    work: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Bicycle trips as awards: great-circle distance between the stations.
#[derive(Args)]
struct BikeshareArgs {
    /// The trips.
    trips: PathBuf,
    /// The stations.
    #[arg(long)]
    stations: PathBuf,
    /// The platform's key file.
    #[arg(long)]
    key: PathBuf,
    /// The method that awards them,
    #[arg(long, default_value = "1")]
    method: MethodId,
    /// and the activity in it, in km.
    #[arg(long, default_value = "1")]
    activity: ActivityCode,
    #[command(flatten)]
    sending: Sending,
}

/// San Francisco's street trees as plots and plantings, with their later fate.
#[derive(Args)]
struct SfTreesArgs {
    /// The trees that were added to the register.
    added: PathBuf,
    /// What happened to trees in it.
    #[arg(long)]
    events: Option<PathBuf>,
    /// The planter's key file.
    #[arg(long)]
    planter_key: PathBuf,
    /// The surveyor's key file; without it, no surveys are made of the register.
    #[arg(long)]
    surveyor_key: Option<PathBuf>,
    #[command(flatten)]
    sending: Sending,
}

/// What an import came to.
#[derive(Default)]
pub struct Imported {
    pub admitted: usize,
    pub refused: usize,
    pub set_aside: Vec<SetAside>,
}

pub fn run(args: &ImportArgs) -> Done {
    match &args.source {
        Source::Bikeshare(args) => {
            let sender = Sender::open(&args.sending.to, &args.sending.work)?;
            let trips = Table::open(&args.trips, &trip_columns())?;
            let stations = Table::open(&args.stations, station_columns())?;
            let key = SigningKey::read(&args.key)?;
            let (imported, _) =
                import_trips(&sender, trips, stations, args.method, args.activity, &key)?;
            report(&args.sending, &imported)
        }
        Source::SfTrees(args) => {
            let sender = Sender::open(&args.sending.to, &args.sending.work)?;
            let added = Table::open(&args.added, added_columns())?;
            let events = match &args.events {
                Some(path) => Some(Table::open(path, event_columns())?),
                None => None,
            };
            let planter = SigningKey::read(&args.planter_key)?;
            let surveyor = args
                .surveyor_key
                .as_deref()
                .map(SigningKey::read)
                .transpose()?;
            let (imported, _) = import_trees(&sender, added, events, &planter, surveyor.as_ref())?;
            report(&args.sending, &imported)
        }
    }
}

fn report(sending: &Sending, imported: &Imported) -> Done {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &imported.set_aside {
        *reasons.entry(row.reason).or_default() += 1;
    }
    if sending.json {
        println!(
            "{}",
            serde_json::json!({
                "admitted": imported.admitted,
                "refused": imported.refused,
                "set_aside": imported.set_aside.len(),
                "reasons": reasons,
                "work": sending.work,
            })
        );
        return Ok(());
    }
    say(
        false,
        format!(
            "{} records admitted, {} refused",
            imported.admitted, imported.refused
        ),
    );
    for (reason, rows) in reasons {
        println!("{rows:>8} rows set aside: {reason}");
    }
    println!("Each is in {}", sending.work.display());
    Ok(())
}

/// Sends statements with journals in a work folder.
pub struct Sender {
    remote: Remote,
    origin: Origin,
    work: PathBuf,
}

/// What became of statements, in their order.
pub struct Sent {
    pub indexes: Vec<Option<Index>>,
    pub refused: usize,
}

impl Sent {
    /// Where a statement is, if it is in.
    pub fn index(&self, place: usize) -> Option<Index> {
        self.indexes.get(place).copied().flatten()
    }

    fn admitted(&self) -> usize {
        self.indexes.iter().flatten().count()
    }
}

impl Sender {
    /// A sender to the server at `url`.
    pub fn open(url: &str, work: &Path) -> Result<Self, Failure> {
        make_folders(work)?;
        let remote = Remote::new(url);
        let origin = origin_of(&remote)?;
        Ok(Self {
            remote,
            origin,
            work: work.to_owned(),
        })
    }

    /// The server.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Sends a phase's statements, those that are not in yet.
    pub fn send(
        &self,
        phase: &str,
        key: &SigningKey,
        statements: &[Statement],
    ) -> Result<Sent, Failure> {
        let journal = self.work.join(format!("{phase}.journal"));
        let mut submitter = Submitter::open(&self.remote, &self.origin, key, &journal)?;
        let bar = progress::bar(phase, statements.len() as u64);
        let summary = submitter.run(statements, OnRefusal::Skip, |done| {
            bar.set_position(done as u64)
        })?;
        let line = format!(
            "{phase}: {} in, {} refused",
            summary.admitted, summary.refused
        );
        progress::done(&bar, &line);
        let mut refusals = String::new();
        for (place, line) in submitter.lines().iter().enumerate() {
            if let LineState::Refused { code, detail } = line {
                let refusal = serde_json::json!({
                    "statement": place + 1, "code": code, "detail": detail,
                });
                refusals.push_str(&format!("{refusal}\n"));
            }
        }
        if !refusals.is_empty() {
            let path = self.work.join(format!("{phase}.refused.ndjson"));
            replace(&path, refusals.as_bytes())?;
        }
        let indexes = (0..statements.len())
            .map(|place| submitter.index(place))
            .collect();
        Ok(Sent {
            indexes,
            refused: summary.refused,
        })
    }

    fn set_aside(&self, what: &str, rows: &[SetAside]) -> Result<(), Failure> {
        let mut lines = String::new();
        for row in rows {
            lines.push_str(&serde_json::to_string(row)?);
            lines.push('\n');
        }
        let path = self.work.join(format!("{what}.set-aside.ndjson"));
        replace(&path, lines.as_bytes())?;
        eprintln!("{what}: {} rows set aside", rows.len());
        Ok(())
    }

    /// The versions of a method in the ledger.
    pub fn methods(&self) -> Result<Vec<Method>, Failure> {
        #[derive(Deserialize)]
        struct Listed {
            method: Method,
        }
        #[derive(Deserialize)]
        struct Methods {
            methods: Vec<Listed>,
        }
        let listed: Methods = self.remote.json("v1/methods")?;
        Ok(listed.methods.into_iter().map(|it| it.method).collect())
    }

    /// The first free serial of a plot; none if the ledger has no such plot.
    fn next_serial(&self, plot: PlotNumber) -> Result<Option<Serial>, Failure> {
        #[derive(Deserialize)]
        struct Known {
            next_serial: Option<Serial>,
        }
        match self.remote.json::<Known>(&format!("v1/plots/{plot}")) {
            Ok(known) => Ok(known.next_serial),
            Err(RemoteError::Problem { problem, .. }) if problem.status == 404 => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Trips as awards; those that overlap another of the same bicycle are reversed again.
pub fn import_trips(
    sender: &Sender,
    trips: Table,
    stations: Table,
    method: MethodId,
    activity: ActivityCode,
    key: &SigningKey,
) -> Result<(Imported, Trips), Failure> {
    let mut versions = sender.methods()?;
    versions.retain(|it| it.id == method);
    if versions.is_empty() {
        return Err(Failure::usage(format!(
            "the ledger has no method {method}; name one with --method"
        )));
    }
    let mut pseudonyms = Pseudonyms::open(&sender.work.join("pseudonyms.keys"))?;
    let config = TripsConfig {
        versions: &versions,
        activity,
        today: today(),
    };
    let trips = read_trips(trips, stations, &config, &mut pseudonyms)?;
    pseudonyms.save()?;
    sender.set_aside("trips", &trips.set_aside)?;
    let awards = sender.send("awards", key, &trips.awards)?;
    let reversals: Vec<Statement> = trips
        .overlaps
        .iter()
        .filter_map(|(place, why)| match trips.awards.get(*place)? {
            Statement::Award(award) => Some(Statement::Correction(Correction {
                target: awards.index(*place)?,
                reason: why.parse().ok()?,
                remedy: Remedy::Reverse {
                    points: award.points,
                },
            })),
            _ => None,
        })
        .collect();
    let reversed = sender.send("reversals", key, &reversals)?;
    let imported = Imported {
        admitted: awards.admitted() + reversed.admitted(),
        refused: awards.refused + reversed.refused,
        set_aside: trips.set_aside.clone(),
    };
    Ok((imported, trips))
}

/// Trees as plots and plantings, then what happened to them later.
pub fn import_trees(
    sender: &Sender,
    added: Table,
    events: Option<Table>,
    planter: &SigningKey,
    surveyor: Option<&SigningKey>,
) -> Result<(Imported, TreePlan), Failure> {
    let mut trees = read_trees(added, events)?;
    let plan = plan(sender, &mut trees)?;
    sender.set_aside("trees", &trees.set_aside)?;
    let planted = sender.send("plots and plantings", planter, &plan.statements())?;
    let index_of = |place: usize| planted.index(plan.plots.len() + place);
    let (first, second) = corrections(&plan, index_of)?;
    let losses = sender.send("losses and voids", planter, &first)?;
    let second: Vec<Statement> = second
        .into_iter()
        .filter_map(|later| later.statement(&losses))
        .collect();
    let mended = sender.send("returns and new dates", planter, &second)?;
    let mut imported = Imported {
        admitted: planted.admitted() + losses.admitted() + mended.admitted(),
        refused: planted.refused + losses.refused + mended.refused,
        set_aside: trees.set_aside.clone(),
    };
    if let Some(surveyor) = surveyor {
        let surveyed = sender.send("surveys", surveyor, &surveys(&plan)?)?;
        imported.admitted += surveyed.admitted();
        imported.refused += surveyed.refused;
    }
    Ok((imported, plan))
}

/// Plans with the serials that were free when this import began, which its folder keeps.
fn plan(sender: &Sender, trees: &mut Trees) -> Result<TreePlan, Failure> {
    let path = sender.work.join("first-serials.json");
    let config = TreesConfig { today: today() };
    if let Ok(text) = fs::read_to_string(&path) {
        let kept: Vec<(PlotNumber, Serial)> = serde_json::from_str(&text)?;
        return Ok(plan_trees(trees, &config, &kept.into_iter().collect()));
    }
    let before = trees.set_aside.len();
    let sketch = plan_trees(trees, &config, &HashMap::new());
    trees.set_aside.truncate(before);
    let mut kept = Vec::new();
    for plot in &sketch.plots {
        if let Some(serial) = sender.next_serial(plot.number)? {
            kept.push((plot.number, serial));
        }
    }
    replace(&path, serde_json::to_string(&kept)?.as_bytes())?;
    Ok(plan_trees(trees, &config, &kept.into_iter().collect()))
}

/// What is sent after the first corrections: it may name one of them.
enum Later {
    Statement(Statement),
    VoidOf { place: usize, reason: Text<300> },
}

impl Later {
    fn statement(self, first: &Sent) -> Option<Statement> {
        match self {
            Self::Statement(statement) => Some(statement),
            Self::VoidOf { place, reason } => Some(Statement::Correction(Correction {
                target: first.index(place)?,
                reason,
                remedy: Remedy::Void,
            })),
        }
    }
}

fn reason(text: &str) -> Result<Text<300>, Failure> {
    text.parse().map_err(Failure::usage)
}

fn corrections(
    plan: &TreePlan,
    index_of: impl Fn(usize) -> Option<Index>,
) -> Result<(Vec<Statement>, Vec<Later>), Failure> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for (place, planned) in plan.plantings.iter().enumerate() {
        let (Some(target), Some(correction)) = (index_of(place), &planned.correction) else {
            continue;
        };
        match correction {
            TreeCorrection::Lost { on, returned } => {
                if *returned {
                    let reason = reason("the trees came back to the city's register")?;
                    second.push(Later::VoidOf {
                        place: first.len(),
                        reason,
                    });
                }
                first.push(Statement::Correction(Correction {
                    target,
                    reason: reason("removed from the city's register")?,
                    remedy: Remedy::Lost {
                        count: planned.planting.count,
                        first_serial: Some(planned.planting.first_serial),
                        lost_on: *on,
                        evidence: None,
                    },
                }));
            }
            TreeCorrection::Redated(planting) => {
                let why = format!(
                    "the register altered the planting date to {}",
                    planting.planted_on
                );
                first.push(Statement::Correction(Correction {
                    target,
                    reason: reason(&why)?,
                    remedy: Remedy::Void,
                }));
                second.push(Later::Statement(Statement::Planting((**planting).clone())));
            }
        }
    }
    Ok((first, second))
}

/// So many plots, those with the most trees, are surveyed.
const SURVEYS: usize = 12;

/// A census of the register, on its newest day: which of the trees it still lists. Nobody looked
/// at a tree, and the survey says so.
fn surveys(plan: &TreePlan) -> Result<Vec<Statement>, Failure> {
    let Some(day) = plan.last_day else {
        return Ok(Vec::new());
    };
    let mut plots: BTreeMap<PlotNumber, (u32, u32)> = BTreeMap::new();
    for planned in &plan.plantings {
        let counts = plots.entry(planned.planting.plot).or_default();
        let count = planned.planting.count.get();
        counts.0 += count;
        if matches!(
            planned.correction,
            Some(TreeCorrection::Lost {
                returned: false,
                ..
            })
        ) {
            counts.1 += count;
        }
    }
    let mut plots: Vec<_> = plots.into_iter().collect();
    plots.sort_by_key(|(number, (sampled, _))| (std::cmp::Reverse(*sampled), *number));
    plots
        .into_iter()
        .take(SURVEYS)
        .map(|(plot, (sampled, dead))| {
            Ok(Statement::Survey(Survey {
                plot,
                planting: None,
                surveyed_on: day,
                basis: Basis::Census,
                sampled,
                alive: sampled - dead,
                dead,
                evidence: survey_evidence(plot, day, sampled, dead),
                paid_by: "City and County of San Francisco (its register, not a visit)"
                    .parse()
                    .map_err(Failure::usage)?,
                next_due: Day::from_ymd(day.ymd().0 + 1, 12, 31),
            }))
        })
        .collect()
}

fn survey_evidence(plot: PlotNumber, day: Day, sampled: u32, dead: u32) -> Digest {
    use sha2::Digest as _;
    let file =
        format!("register census of plot {plot} on {day}: {sampled} listed, {dead} removed\n");
    Digest::from_bytes(sha2::Sha256::digest(file).into())
}
