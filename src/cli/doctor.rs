//! `arborlog doctor`: what a server needs of its machine and its surroundings, and what to do where that is not so.

mod checks;

use std::path::PathBuf;

use arborlog::outcome::Outcome;
use clap::Args;
use serde_json::json;

use super::{Done, Failure};

/// Look for what keeps a server from working well: its clock, disk, limits, proxy, certificate, and whether its
/// witnesses can be reached. Each with what to do.
///
/// Nothing is changed, and a server that runs is not disturbed. What is not named is not looked at. Exit codes: 0 all
/// is well; 1 something is wrong; 3 something could not be looked at, and nothing else is wrong; 4 DIR is no ledger's.
#[derive(Args)]
pub struct DoctorArgs {
    /// The ledger's directory.
    #[arg(env = "ARBORLOG_DIR")]
    dir: Option<PathBuf>,
    /// The server's public address, as clients reach it: through its proxy, if there is one.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The policy whose witnesses and auditors are to be reached; the server at --url tells of its own without it.
    #[arg(long, env = "ARBORLOG_POLICY", value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The server's certificate (PEM), where TLS ends at it.
    #[arg(long, env = "ARBORLOG_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Print one JSON object a check.
    #[arg(long)]
    json: bool,
}

/// What was looked at, and what it came to.
pub struct Finding {
    what: &'static str,
    outcome: Outcome,
    found: String,
    /// What to do, where all is not well.
    advice: Option<String>,
}

impl Finding {
    fn well(what: &'static str, found: String) -> Self {
        Self {
            what,
            outcome: Outcome::Holds,
            found,
            advice: None,
        }
    }

    fn wrong(what: &'static str, found: String, advice: &str) -> Self {
        Self {
            what,
            outcome: Outcome::False,
            found,
            advice: Some(advice.to_owned()),
        }
    }

    fn unchecked(what: &'static str, found: String, advice: &str) -> Self {
        Self {
            outcome: Outcome::Unchecked,
            ..Self::wrong(what, found, advice)
        }
    }
}

pub fn run(args: &DoctorArgs) -> Done {
    let mut found = vec![checks::limits()];
    if let Some(dir) = &args.dir {
        found.extend(checks::directory(dir)?);
    }
    if let Some(url) = &args.url {
        found.extend(checks::server(url)?);
    }
    if let Some(path) = &args.tls_cert {
        found.push(checks::certificate(path));
    }
    if let Some(path) = &args.policy {
        found.extend(checks::witnesses(path)?);
    }
    for finding in &found {
        tell(finding, args.json);
    }
    let count = |outcome| found.iter().filter(|one| one.outcome == outcome).count();
    let outcomes = [Outcome::NotThatKind, Outcome::False, Outcome::Unchecked];
    let worst = outcomes.into_iter().find(|outcome| count(*outcome) > 0);
    match worst {
        None => Ok(()),
        Some(outcome) => Err(Failure::of(
            outcome,
            anyhow::anyhow!(
                "of {} checks {} found something wrong, and {} could not be made",
                found.len(),
                count(Outcome::False) + count(Outcome::NotThatKind),
                count(Outcome::Unchecked)
            ),
        )),
    }
}

fn tell(finding: &Finding, json: bool) {
    let Finding {
        what,
        outcome,
        found,
        advice,
    } = finding;
    if json {
        outln!(
            "{}",
            json!({"check": what, "outcome": outcome, "found": found, "advice": advice})
        );
        return;
    }
    let word = match outcome {
        Outcome::Holds => "well",
        Outcome::False | Outcome::NotThatKind => "WRONG",
        Outcome::Unchecked => "unknown",
    };
    outln!("{word:<8} {what}: {found}");
    if let Some(advice) = advice {
        outln!("         {advice}");
    }
}
