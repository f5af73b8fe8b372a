//! One benchmark after the other, of which one number is another each time: how costs grow.

use std::path::Path;
use std::str::FromStr;

use super::BenchArgs;
use super::measured::Measured;
use crate::cli::Failure;
use arborlog::charts::growth;
use arborlog::durable::{make_folders, write_unsynced};

/// A number of a run.
type Figure = fn(&Measured) -> f64;

/// What is varied.
#[derive(Clone, Copy, Debug)]
enum What {
    Accounts,
    Issuers,
    Batch,
    Records,
}

/// Which number takes which values.
#[derive(Clone, Debug)]
pub struct Vary {
    what: What,
    values: Vec<u32>,
}

impl FromStr for Vary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || "write accounts, issuers, batch or records, then =1000,10000".to_owned();
        let (what, values) = text.split_once('=').ok_or_else(usage)?;
        let what = match what {
            "accounts" => What::Accounts,
            "issuers" => What::Issuers,
            "batch" => What::Batch,
            "records" => What::Records,
            _ => return Err(usage()),
        };
        let values = values.split(',').map(|value| value.parse().ok());
        let values: Option<Vec<u32>> = values.collect();
        let values = values.filter(|all| all.iter().all(|value| *value > 0));
        let values = values.ok_or_else(usage)?;
        Ok(Self { what, values })
    }
}

impl Vary {
    /// The arguments of each run.
    pub fn runs(&self, args: &BenchArgs) -> Result<Vec<BenchArgs>, Failure> {
        let of = |value: &u32| {
            let mut run = args.clone();
            match self.what {
                What::Accounts => run.accounts = u64::from(*value),
                What::Issuers => run.issuers = usize::try_from(*value)?.try_into()?,
                What::Batch => run.batch = usize::try_from(*value)?.try_into()?,
                What::Records => run.records = Some(usize::try_from(*value)?),
            }
            Ok(run)
        };
        self.values.iter().map(of).collect()
    }

    /// Draws what came of it, a chart each, into a folder.
    pub fn draw(&self, folder: &Path, all: &[Measured]) -> Result<(), Failure> {
        make_folders(folder)?;
        let (name, over): (_, Figure) = match self.what {
            What::Accounts => ("accounts", |it| it.accounts as f64),
            What::Issuers => ("issuers", |it| it.issuers as f64),
            What::Batch => ("batch", |it| it.batch as f64),
            What::Records => ("entries", |it| it.entries as f64),
        };
        let charts: [(&str, &str, Figure); 5] = [
            ("rate", "records a second", |it| it.records_per_second),
            ("latency", "p99 in ms", |it| it.p99_ms),
            ("memory", "memory after a start in MB", |it| {
                it.rss_restarted_bytes as f64 / 1e6
            }),
            ("restart", "seconds to start after kill -9", |it| {
                it.restart_seconds
            }),
            ("audit", "entries audited a second", |it| {
                it.audit_per_second
            }),
        ];
        for (file, title, value) in charts {
            let points: Vec<(f64, f64)> = all.iter().map(|it| (over(it), value(it))).collect();
            let svg = growth(title, name, &points)?;
            write_unsynced(&folder.join(format!("{name}-{file}.svg")), svg)?;
        }
        Ok(())
    }
}
