//! What changed since the report of an earlier audit: findings that came, went, got graver or lighter, and
//! whether the log still is the one that was audited then.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::Failure;
use super::log_source;
use arborlog::audit::{Finding, Report, StaticLog, Tiles};
use arborlog::durable::read_at_most;
use arborlog::note::TreeHead;
use arborlog::outcome::Outcome;

/// Bytes of a report: of a million plots.
const REPORT_BYTES_MAX: usize = 1 << 30;
/// What stands before the version in the format of a report.
const FORMAT: &str = "arborlog-report/";
/// The newest version of reports that is read. Those before it differ in names alone, as far as they are read here.
const VERSION_MAX: u32 = 4;

/// Which report is compared.
#[derive(Args)]
pub struct SinceArgs {
    /// Say what changed since the report of an earlier audit, its report.json: findings that came, went, got graver or
    /// lighter. The log must extend the one that was audited then.
    #[arg(long, value_name = "OLD.json")]
    compare: Option<PathBuf>,
}

/// What is read of an earlier report.
#[derive(Deserialize)]
pub struct Earlier {
    as_of: String,
    log: EarlierLog,
    checkpoint: EarlierCheckpoint,
    findings: Vec<EarlierFinding>,
}

#[derive(Deserialize)]
struct EarlierLog {
    genesis: String,
}

#[derive(Deserialize)]
struct EarlierCheckpoint {
    /// `size` up to version 3.
    #[serde(rename = "size_entries", alias = "size")]
    size: u64,
    root: String,
}

#[derive(Deserialize)]
struct EarlierFinding {
    code: String,
    severity: String,
    /// `count` up to version 3.
    #[serde(rename = "cases", alias = "count")]
    count: u64,
    weight: String,
    title: String,
}

/// The head of any report, of any version.
#[derive(Deserialize)]
struct Format {
    format: String,
}

/// What became of a finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Turn {
    /// It was not there.
    New,
    /// It is not there any more.
    Gone,
    /// More cases, or graver ones.
    Graver,
    /// Fewer cases, or lighter ones.
    Lighter,
}

/// A finding that changed.
#[derive(Serialize)]
struct Change {
    turn: Turn,
    code: String,
    severity: String,
    /// How many cases there were, and are.
    counts: [u64; 2],
    /// As it is now; of one that is gone, as it was.
    title: String,
}

/// What changed.
#[derive(Serialize)]
pub struct Since {
    /// The number of entries that were audited then.
    entries: u64,
    /// The day as of which it was.
    as_of: String,
    changes: Vec<Change>,
}

impl SinceArgs {
    /// Reads the report, if there is one to compare with.
    pub fn read(&self) -> Result<Option<Earlier>, Failure> {
        let Some(path) = &self.compare else {
            return Ok(None);
        };
        let wrong = |why: String| Failure::usage(not_a_report(path, &why));
        let bytes = read_at_most(path, REPORT_BYTES_MAX)?;
        let Format { format } =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        let version = format.strip_prefix(FORMAT);
        let version = version.ok_or_else(|| wrong("it is no audit's report".to_owned()))?;
        if version
            .parse()
            .is_ok_and(|version: u32| version > VERSION_MAX)
        {
            let (path, made_by) = (path.display(), env!("CARGO_PKG_VERSION"));
            return Err(Failure::usage(format!(
                "{path} is a report of version {version}, and arborlog {made_by} reads {VERSION_MAX} and older ones: \
                 compare with the arborlog that wrote it"
            )));
        }
        let earlier = serde_json::from_slice(&bytes);
        Ok(Some(earlier.map_err(|error| wrong(error.to_string()))?))
    }
}

fn not_a_report(path: &Path, why: &str) -> String {
    format!(
        "{} can't be compared: {why}. Give the report.json that `arborlog audit --report` wrote",
        path.display()
    )
}

impl Earlier {
    /// What changed until this report, of the log with this head.
    pub fn until(
        &self,
        report: &Report,
        source: &dyn StaticLog,
        head: TreeHead,
    ) -> Result<Since, Failure> {
        let EarlierCheckpoint { size, root } = &self.checkpoint;
        if self.log.genesis != report.log.genesis.to_string() {
            return Err(Failure::check(anyhow::anyhow!(
                "the earlier report is of another ledger: its genesis is {}, and here {}",
                self.log.genesis,
                report.log.genesis
            )));
        }
        if *size > head.size && report.until.is_some() {
            return Err(Failure::usage(format!(
                "the earlier report is of {size} entries, more than the {} that --until leaves",
                head.size
            )));
        }
        if *size > head.size {
            return Err(Failure::of(
                Outcome::Unchecked,
                anyhow::anyhow!(
                    "the earlier report is of {size} entries, and the log shows {}: it lags, or was rolled back",
                    head.size
                ),
            ));
        }
        let tiles = Tiles::open(source, head).map_err(|fault| log_source::failed(fault.into()))?;
        let now = tiles
            .root_at(*size)
            .map_err(|fault| log_source::failed(fault.into()))?;
        if now.to_string() != *root {
            return Err(Failure::check(anyhow::anyhow!(
                "the log is not the one that was audited: of {size} entries its root was {root}, and now it is {now}. Keep \
                 the earlier report, whose checkpoint the log signed"
            )));
        }
        Ok(Since {
            entries: *size,
            as_of: self.as_of.clone(),
            changes: self.changes(&report.findings),
        })
    }

    fn changes(&self, now: &[Finding]) -> Vec<Change> {
        let mut changes = Vec::new();
        for finding in now {
            let before = self.findings.iter().find(|it| it.code == finding.code);
            let turn = match before {
                None => Turn::New,
                Some(before) => {
                    // A weight that can't be read was not ours.
                    let weight: u128 = before.weight.parse().unwrap_or(0);
                    match (finding.weight, finding.count).cmp(&(weight, before.count)) {
                        std::cmp::Ordering::Greater => Turn::Graver,
                        std::cmp::Ordering::Less => Turn::Lighter,
                        std::cmp::Ordering::Equal => continue,
                    }
                }
            };
            changes.push(Change {
                turn,
                code: finding.code.to_owned(),
                severity: finding.severity.name().to_owned(),
                counts: [before.map_or(0, |it| it.count), finding.count],
                title: finding.title.clone(),
            });
        }
        let gone = self
            .findings
            .iter()
            .filter(|before| now.iter().all(|it| it.code != before.code));
        changes.extend(gone.map(|before| Change {
            turn: Turn::Gone,
            code: before.code.clone(),
            severity: before.severity.clone(),
            counts: [before.count, 0],
            title: before.title.clone(),
        }));
        changes
    }
}

impl Since {
    /// In lines.
    pub fn lines(&self) -> Vec<String> {
        let Self {
            entries,
            as_of,
            changes,
        } = self;
        let mut lines = vec![match changes.is_empty() {
            true => {
                format!("Since the audit of {entries} entries, as of {as_of}: the same findings.")
            }
            false => format!("Since the audit of {entries} entries, as of {as_of}:"),
        }];
        lines.extend(changes.iter().map(|change| {
            let Change {
                severity, title, ..
            } = change;
            let [before, after] = change.counts;
            match change.turn {
                Turn::New => format!("  new      {severity:6}  {title}"),
                Turn::Gone => format!("  gone     {severity:6}  {title}"),
                Turn::Graver => {
                    format!("  graver   {severity:6}  {title} ({before} before, {after} now)")
                }
                Turn::Lighter => {
                    format!("  lighter  {severity:6}  {title} ({before} before, {after} now)")
                }
            }
        }));
        lines
    }
}
