//! Open data into a ledger: files are read and planned by `arborlog::import`, held against what the
//! log has, and what is lacking is sent, so that nothing is sent twice: not by a second run after
//! any cut, not by the next export of the same source, not with another work folder.

mod report;
mod sender;
mod trees;
mod trips;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::cli::{Done, Failure, signing, store};
use arborlog::client::IssuerKey;
use arborlog::durable::{Held, hold, make_folders};
use arborlog::import::{
    ADDED_COLUMNS, Area, BAY_AREA, CsvTable, CsvTableError, DateOrder, EVENT_COLUMNS,
    RegisterError, STATION_COLUMNS, SpeciesList, TRIP_COLUMNS, TreesError, TripsError,
};
use arborlog::outcome::Outcome;
use arborlog::record::{ActivityCode, MethodId, Slug};

pub use report::ImportSummary;
pub use sender::{SendOptions, StatementSender};
pub use trees::{TreeFiles, import_trees};
pub use trips::{TripSource, import_trips};

/// Import open data: each good row as a statement, each bad one set aside with its reason.
///
/// Files are CSV in UTF-8 with commas, or that compressed with zstd (.csv.zst), a row on each line.
/// Trips and trees are known by their source's own ids: the same file again, the next export, late
/// rows and another work folder send only what is not in. Keep what stands beside the key's head:
/// KEY.head.pseudonyms, KEY.head.trees and KEY.head.trips can't be made anew (docs/importing.md).
///
/// Exit codes: 0 all rows are in; 1 log, key and registers contradict each other; 2 wrong use, or a
/// file that can be read in two ways; 3 could not be done, try again; 4 no such file of CSV; 5 not
/// all rows are in, some were refused or set aside.
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
    /// The ledger's server. If several share the ledger: the address of each, with commas between or by the flag
    /// again; the same bytes go from one to the next until one takes them.
    #[arg(
        long,
        value_name = "URL",
        required_unless_present = "store",
        value_delimiter = ','
    )]
    to: Vec<String>,
    /// The ledger's object store, instead of its servers: s3://bucket/prefix, gs://…, az://… or file:///folder, with
    /// credentials from the environment. The server that leads says there where it is reached.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "to")]
    store: Option<String>,
    /// The folder for reports of what is set aside. It may be lost.
    #[arg(long)]
    work: PathBuf,
    /// The folder for the keys' heads and all that stands beside them, if not that of the keys: where
    /// that can't be written. It must outlive the process.
    #[arg(long, value_name = "DIR")]
    heads: Option<PathBuf>,
    /// Make the journals beside the keys anew from the log, after they were lost.
    #[arg(long)]
    recover: bool,
    /// What the key said in the log and the registers beside it do not know was not sent by import.
    #[arg(long)]
    not_imported: bool,
    /// Send again what the journals note as refused.
    #[arg(long)]
    retry_refused: bool,
    /// Print one JSON object: the sums, and what became of each line (docs/importing.md).
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
    /// The name of the source: trips of the same id from two sources are two trips.
    #[arg(long, default_value = "bay-area-bike-share")]
    source: Slug,
    /// The area in which the stations lie, in degrees: another than that of Bay Area Bike Share.
    #[arg(long, value_name = "S,W,N,E", default_value_t = BAY_AREA, allow_hyphen_values = true)]
    area: Area,
    /// So many accounts have no key in KEY.head.pseudonyms any more because its lines were deleted
    /// to forget people.
    #[arg(long, value_name = "COUNT")]
    forgotten: Option<usize>,
    /// KEY.head.trips lacks so many trips that are in, because it is lost: rows of the file are taken for
    /// what was sent.
    #[arg(long, value_name = "COUNT")]
    trips_lost: Option<u64>,
    /// The method that awards the trips.
    #[arg(long, default_value = "1")]
    method: MethodId,
    /// The method's activity that is measured in km.
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
    /// In which order the files write day and month, where they do not tell: day-first,
    /// month-first or iso.
    #[arg(long, value_name = "ORDER")]
    dates: Option<DateOrder>,
    /// How many rows the table of added trees has in its source, without the header: another number
    /// stops the import.
    #[arg(long, value_name = "COUNT")]
    rows: Option<u64>,
    /// How many rows the history of events has in its source, without the header.
    #[arg(long, value_name = "COUNT", requires = "events")]
    event_rows: Option<u64>,
    /// The files are the whole register, though nobody counted its rows: a first import with --events asks
    /// for this, or for --rows and --event-rows.
    #[arg(long, conflicts_with_all = ["rows", "event_rows"])]
    whole: bool,
    /// Go on although so many trees that are in are missing in the files.
    #[arg(long, value_name = "COUNT")]
    accept_missing: Option<u64>,
    /// The planter's key file.
    #[arg(long)]
    planter_key: PathBuf,
    /// The surveyor's key file; without it, no surveys are made of the register. Needs --events,
    /// --rows and --event-rows: a census is of the whole register.
    #[arg(long)]
    surveyor_key: Option<PathBuf>,
    #[command(flatten)]
    sending: Sending,
}

impl Sending {
    fn sender(
        &self,
        forgotten: Option<usize>,
        trips_lost: Option<u64>,
        missing: Option<u64>,
    ) -> Result<StatementSender, Failure> {
        let options = SendOptions {
            recover: self.recover,
            not_imported: self.not_imported,
            forgotten,
            trips_lost,
            missing,
            retry_refused: self.retry_refused,
            json: self.json,
        };
        match &self.store {
            None => StatementSender::open(&self.to, &self.work, options),
            Some(address) => StatementSender::open(&[store::leader(address)?], &self.work, options),
        }
    }

    /// A key, with its head where heads are kept.
    fn key(&self, path: &Path) -> Result<IssuerKey, Failure> {
        let key = signing::open_issuer(path, None)?;
        let Some(heads) = &self.heads else {
            return Ok(key);
        };
        make_folders(heads)?;
        let head = key.head().file_name().map(|name| heads.join(name));
        Ok(match head {
            Some(head) => key.with_head(&head),
            None => key,
        })
    }
}

pub fn run(args: &ImportArgs) -> Done {
    match &args.source {
        Source::Bikeshare(args) => {
            let trips = table(&args.trips, &TRIP_COLUMNS)?;
            let stations = table(&args.stations, &STATION_COLUMNS)?;
            let key = args.sending.key(&args.key)?;
            let sender = args.sending.sender(args.forgotten, args.trips_lost, None)?;
            let source = TripSource {
                name: args.source.clone(),
                area: args.area,
            };
            let by = (args.method, args.activity);
            let (imported, _) = import_trips(&sender, trips, stations, &source, by, &key)?;
            imported.print(args.sending.json)
        }
        Source::SfTrees(args) => {
            let added = table(&args.added, &ADDED_COLUMNS)?;
            let events = args.events.as_ref();
            let events = events.map(|path| table(path, &EVENT_COLUMNS)).transpose()?;
            let planter = args.sending.key(&args.planter_key)?;
            let surveyor = args.surveyor_key.as_deref();
            let surveyor = surveyor.map(|key| args.sending.key(key)).transpose()?;
            let sender = args.sending.sender(None, None, args.accept_missing)?;
            let files = TreeFiles {
                added,
                events,
                dates: args.dates,
                rows: args.rows,
                event_rows: args.event_rows,
                whole: args.whole,
            };
            let (imported, _) = import_trees(
                &sender,
                files,
                &SpeciesList::shipped()?,
                &planter,
                surveyor.as_ref(),
            )?;
            imported.print(args.sending.json)
        }
    }
}

fn table<const N: usize>(path: &Path, columns: &[&'static str; N]) -> Result<CsvTable<N>, Failure> {
    CsvTable::open(path, columns).map_err(table_failure)
}

/// Locks what an import keeps beside a key, until this is dropped: several phases use it.
fn hold_imports(key: &IssuerKey) -> Result<Held, Failure> {
    let lock = key.beside_head(".imports.lock");
    hold(&lock)?.ok_or_else(|| {
        anyhow::anyhow!(
            "{} is locked: another import uses the key; wait for it, or stop it",
            lock.display()
        )
        .into()
    })
}

/// How a command ends that can't use what stands beside a key.
fn register_failure(error: RegisterError) -> Failure {
    match error {
        RegisterError::Damaged(..) => Failure::check(error),
        _ => error.into(),
    }
}

fn table_failure(error: CsvTableError) -> Failure {
    match error {
        CsvTableError::Io(..) => error.into(),
        _ => Failure::of(Outcome::NotThatKind, error),
    }
}

/// How a command ends whose file can't be taken as it is.
trait FileError {
    fn failure(self) -> Failure;
}

fn file_failure(error: impl FileError) -> Failure {
    error.failure()
}

impl FileError for TripsError {
    fn failure(self) -> Failure {
        match self {
            Self::Table(error) => table_failure(error),
            Self::Places(_) => Failure::usage(self),
            _ => self.into(),
        }
    }
}

impl FileError for TreesError {
    fn failure(self) -> Failure {
        match self {
            Self::Table(error) => table_failure(error),
            Self::Places(_)
            | Self::Dates(_)
            | Self::Unordered { .. }
            | Self::Cut { .. }
            | Self::Rows { .. } => Failure::usage(self),
            _ => self.into(),
        }
    }
}
