//! Open data into a ledger: files are read and planned by `arborlog::import`, and what was planned
//! is sent, so that a second run after any cut sends nothing twice.

mod sender;
mod trees;
mod trips;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::{Done, say};
use arborlog::client::IssuerKey;
use arborlog::import::{
    ADDED_COLUMNS, CsvTable, EVENT_COLUMNS, STATION_COLUMNS, SetAside, SpeciesList, TRIP_COLUMNS,
};
use arborlog::record::{ActivityCode, MethodId};

pub use sender::StatementSender;
pub use trees::import_trees;
pub use trips::import_trips;

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
pub struct ImportSummary {
    /// Records that are in.
    pub admitted: usize,
    /// Records that the ledger's rules refused.
    pub refused: usize,
    /// Rows that no record was made of.
    pub set_aside: Vec<SetAside>,
}

pub fn run(args: &ImportArgs) -> Done {
    match &args.source {
        Source::Bikeshare(args) => {
            let sender = StatementSender::open(&args.sending.to, &args.sending.work)?;
            let trips = CsvTable::open(&args.trips, &TRIP_COLUMNS)?;
            let stations = CsvTable::open(&args.stations, &STATION_COLUMNS)?;
            let key = IssuerKey::read(&args.key)?;
            let (imported, _) =
                import_trips(&sender, trips, stations, args.method, args.activity, &key)?;
            report(&args.sending, &imported)
        }
        Source::SfTrees(args) => {
            let sender = StatementSender::open(&args.sending.to, &args.sending.work)?;
            let added = CsvTable::open(&args.added, &ADDED_COLUMNS)?;
            let events = match &args.events {
                Some(path) => Some(CsvTable::open(path, &EVENT_COLUMNS)?),
                None => None,
            };
            let planter = IssuerKey::read(&args.planter_key)?;
            let surveyor = args
                .surveyor_key
                .as_deref()
                .map(IssuerKey::read)
                .transpose()?;
            let (imported, _) = import_trees(
                &sender,
                added,
                events,
                &SpeciesList::shipped()?,
                &planter,
                surveyor.as_ref(),
            )?;
            report(&args.sending, &imported)
        }
    }
}

fn report(sending: &Sending, imported: &ImportSummary) -> Done {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &imported.set_aside {
        *reasons.entry(row.reason).or_default() += 1;
    }
    if sending.json {
        outln!(
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
        outln!("{rows:>8} rows set aside: {reason}");
    }
    outln!("Each is in {}", sending.work.display());
    Ok(())
}
