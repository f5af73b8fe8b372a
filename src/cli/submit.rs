use std::path::{Path, PathBuf};

use clap::Args;

use super::govern::origin_of;
use super::{Done, Failure, progress, say};
use arborlog::client::{
    BatchAnswer, LineState, OnRefusal, Proposal, Remote, SubmitError, Submitter,
};
use arborlog::crypto::SigningKey;
use arborlog::record::Statement;

/// Send statements, or a proposal that others have signed.
///
/// With --key, INPUT is statements as NDJSON, one a line (docs/statements.md). Each is signed
/// once into INPUT.journal, which is durable before anything is sent; after any cut, the same
/// command goes on with exactly those bytes. One writer a key. Without --key, INPUT is a proposal.
#[derive(Args)]
pub struct SubmitArgs {
    /// Statements as NDJSON, or a proposal.
    input: PathBuf,
    /// The ledger's server.
    #[arg(long, value_name = "URL")]
    to: String,
    /// The issuer's key file.
    #[arg(long)]
    key: Option<PathBuf>,
    /// Note a statement that the rules refuse and go on, rather than stop there.
    #[arg(long)]
    skip_refused: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &SubmitArgs) -> Done {
    let remote = Remote::new(&args.to);
    match &args.key {
        Some(key) => submit_statements(args, &remote, key),
        None => submit_proposal(args, &remote),
    }
}

fn submit_proposal(args: &SubmitArgs, remote: &Remote) -> Done {
    let proposal = Proposal::read(&args.input).map_err(Failure::check)?;
    match remote.append(std::slice::from_ref(&proposal.signed))? {
        BatchAnswer::Admitted(indexes) => {
            let [index] = indexes.as_slice() else {
                return Err(anyhow::anyhow!(
                    "the server says that the one record was admitted, and names {} entries for it",
                    indexes.len()
                )
                .into());
            };
            if args.json {
                println!("{}", serde_json::json!({"index": index}));
            } else {
                println!("admitted as entry {index}");
            }
            Ok(())
        }
        BatchAnswer::Refused { problem, .. } => Err(Failure::check(anyhow::anyhow!(
            "refused: {} ({}); {}",
            problem.detail,
            problem.code,
            problem.advice
        ))),
    }
}

fn submit_statements(args: &SubmitArgs, remote: &Remote, key: &Path) -> Done {
    let statements = read_statements(&args.input)?;
    let key = SigningKey::read(key)?;
    let origin = origin_of(remote)?;
    let mut journal = args.input.clone().into_os_string();
    journal.push(".journal");
    let mut submitter = Submitter::open(remote, &origin, &key, Path::new(&journal))?;
    let on_refusal = if args.skip_refused {
        OnRefusal::Skip
    } else {
        OnRefusal::Stop
    };
    let bar = progress::bar("submitting", statements.len() as u64);
    let ran = submitter.run(&statements, on_refusal, |done| {
        bar.set_position(done as u64)
    });
    bar.finish_and_clear();
    let summary = match ran {
        Ok(summary) => summary,
        Err(error @ SubmitError::Refused { .. }) => return Err(Failure::check(error)),
        Err(error) => return Err(error.into()),
    };
    let mut indexes = Vec::new();
    for (at, line) in submitter.lines().iter().enumerate() {
        match line {
            LineState::Admitted(index) => indexes.push(*index),
            LineState::Refused { code, detail } => {
                eprintln!("line {}: {detail} ({code})", at + 1);
            }
            // Not sent, because one before it was refused.
            LineState::Signed(_) => {}
        }
    }
    if args.json {
        println!(
            "{}",
            serde_json::json!({
                "admitted": summary.admitted, "refused": summary.refused, "indexes": indexes,
            })
        );
    } else {
        let (first, last) = (indexes.first(), indexes.last());
        let range = match (first, last) {
            (Some(first), Some(last)) => format!(" (entries {first} to {last})"),
            _ => String::new(),
        };
        say(
            false,
            format!(
                "{} admitted{range}, {} refused",
                summary.admitted, summary.refused
            ),
        );
    }
    if summary.refused > 0 {
        Err(Failure::check(anyhow::anyhow!(
            "some statements were refused"
        )))
    } else {
        Ok(())
    }
}

/// NDJSON: a statement a line; empty lines are passed over.
fn read_statements(path: &Path) -> Result<Vec<Statement>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|error| {
                Failure::usage(format!("{} line {}: {error}", path.display(), at + 1))
            })
        })
        .collect()
}
