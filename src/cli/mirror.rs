use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::trust::{self, PolicyArgs};
use super::{Done, Failure, evidence, log_source, progress, say};
use arborlog::audit::{Mirror, MirrorError, threads_default};
use arborlog::outcome::Outcome;

/// Keep a verified copy of a log as static files, which any web server can serve.
///
/// Appends only, continues where it ended, and refuses what does not extend what is there. `audit`
/// and `fsck` run on the copy. Checks that every entry is in the signed tree, not the rules:
/// `audit` does. Exit codes: 0 the copy is up to date; 1 the log is false; 3 it could not be
/// checked, a policy's quorum is short, or it lags behind the copy; 4 it is no log.
#[derive(Args)]
pub struct MirrorArgs {
    /// The ledger's URL, its object store, or another mirror.
    ledger: String,
    /// The folder of the copy.
    dir: PathBuf,
    /// The log's verifier key in force, or a file that holds it. Again for a key before it, which
    /// opens what an older copy holds.
    #[arg(long = "log", value_name = "VKEY", required_unless_present = "policy")]
    logs: Vec<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    /// How many bundles are fetched at a time.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &MirrorArgs) -> Done {
    mirror(args)
}

fn mirror(args: &MirrorArgs) -> Done {
    let trusted = args.policy.read(&args.logs)?;
    let source = log_source::open(&args.ledger)?;
    let mut mirror = Mirror::open(&args.dir, &trusted.log_keys()).map_err(failed)?;
    if let Some(policy) = trusted.policy() {
        mirror.require(policy.clone());
    }
    let before = mirror.last().map_or(0, |last| last.head().size);
    let now = match mirror.fetch_checkpoint(source.as_ref()) {
        Ok(now) => now,
        Err(error) => return Err(kept(args, &mirror, error)),
    };
    let head = now.head();
    // The bar is only drawn: what was copied is told by the range that `copy` returns.
    let bar = progress::bar("copying entries", head.size.saturating_sub(before));
    let threads = args.threads.unwrap_or_else(threads_default);
    let copied = mirror.copy(source.as_ref(), now, threads, |entries| {
        bar.set_position(entries.saturating_sub(before));
    });
    bar.finish_and_clear();
    let copied = match copied {
        Ok(copied) => copied,
        Err(error) => return Err(kept(args, &mirror, error)),
    };
    let more = copied.end - copied.start;
    let hours = match mirror.copy_hours(source.as_ref()) {
        Ok(hours) => hours,
        Err(error) => return Err(kept(args, &mirror, error)),
    };
    if args.json {
        outln!(
            "{}",
            serde_json::json!({
                "outcome": Outcome::Holds, "entries": head.size, "root": head.root.to_string(), "new_entries": more,
                "hours": hours,
                "policy": trust::as_json(trusted.policy(), mirror.standing()),
            })
        );
    }
    let place = args.dir.display();
    say(
        args.json,
        format!(
            "{place}: {} entries, {more} of them new, root {}",
            head.size, head.root
        ),
    );
    for line in mirror.standing().map(trust::lines).unwrap_or_default() {
        say(args.json, format!("{place}: {line}"));
    }
    Ok(())
}

/// When the log is wrong, what it signed is kept beside the copy.
fn kept(args: &MirrorArgs, mirror: &Mirror, error: MirrorError) -> Failure {
    match error {
        MirrorError::Log(error)
            if error.outcome() == Outcome::False && mirror.last_shown().is_some() =>
        {
            let kept = evidence::keep(Some(&args.dir), mirror.last(), mirror.last_shown());
            Failure::check(anyhow::anyhow!("{error}{kept}"))
        }
        other => failed(other),
    }
}

fn failed(error: MirrorError) -> Failure {
    Failure::of(error.outcome(), error)
}
