//! One benchmark after the other, of which one number is another each time: how costs grow.

use std::path::Path;
use std::str::FromStr;

use super::BenchArgs;
use super::measured::Measured;
use crate::cli::Failure;
use arborlog::charts::growth;
use arborlog::durable::{make_folders, write_unsynced};

/// Takes a number out of what a run measured.
type MeasuredNumber = fn(&Measured) -> f64;

/// The argument that is varied.
#[derive(Clone, Copy, Debug)]
enum VariedArgument {
    Accounts,
    Issuers,
    Batch,
    Records,
}

/// Which argument takes which values.
#[derive(Clone, Debug)]
pub struct Vary {
    argument: VariedArgument,
    values: Vec<u32>,
}

impl FromStr for Vary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || "write accounts, issuers, batch or records, then =1000,10000".to_owned();
        let (argument, values) = text.split_once('=').ok_or_else(usage)?;
        let argument = match argument {
            "accounts" => VariedArgument::Accounts,
            "issuers" => VariedArgument::Issuers,
            "batch" => VariedArgument::Batch,
            "records" => VariedArgument::Records,
            _ => return Err(usage()),
        };
        let values = values.split(',').map(|value| value.parse().ok());
        let values: Option<Vec<u32>> = values.collect();
        let values = values.filter(|all| all.iter().all(|value| *value > 0));
        let values = values.ok_or_else(usage)?;
        Ok(Self { argument, values })
    }
}

impl Vary {
    /// The arguments of each run.
    pub fn runs(&self, args: &BenchArgs) -> Result<Vec<BenchArgs>, Failure> {
        let with = |value: &u32| {
            let mut run = args.clone();
            match self.argument {
                VariedArgument::Accounts => run.accounts = u64::from(*value),
                VariedArgument::Issuers => run.issuers = usize::try_from(*value)?.try_into()?,
                VariedArgument::Batch => run.batch = usize::try_from(*value)?.try_into()?,
                VariedArgument::Records => run.records = Some(usize::try_from(*value)?),
            }
            Ok(run)
        };
        self.values.iter().map(with).collect()
    }

    /// Draws how each result grew with the argument, a chart each, into a folder.
    pub fn draw(&self, folder: &Path, all: &[Measured]) -> Result<(), Failure> {
        make_folders(folder)?;
        let (name, varied): (_, MeasuredNumber) = match self.argument {
            VariedArgument::Accounts => ("accounts", |measured| measured.accounts as f64),
            VariedArgument::Issuers => ("issuers", |measured| measured.issuers as f64),
            VariedArgument::Batch => ("batch", |measured| measured.batch as f64),
            VariedArgument::Records => ("entries", |measured| measured.entries as f64),
        };
        let charts: [(&str, &str, MeasuredNumber); 5] = [
            ("rate", "records a second", |measured| {
                measured.records_per_second
            }),
            ("latency", "p99 in ms", |measured| measured.p99_ms),
            ("memory", "memory after a start in MB", |measured| {
                measured.rss_restarted_bytes as f64 / 1e6
            }),
            ("restart", "seconds to start after kill -9", |measured| {
                measured.restart_seconds
            }),
            ("audit", "entries audited a second", |measured| {
                measured.audit_per_second
            }),
        ];
        for (file, title, value) in charts {
            let points: Vec<(f64, f64)> = all
                .iter()
                .map(|measured| (varied(measured), value(measured)))
                .collect();
            let svg = growth(title, name, &points)?;
            write_unsynced(&folder.join(format!("{name}-{file}.svg")), svg)?;
        }
        Ok(())
    }
}
