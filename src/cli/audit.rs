use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use super::compared::{CompareArgs, Compared};
use super::cosigned_hours::Hours;
use super::engagement::EngagementArgs;
use super::handed::{self, HandedArgs};
use super::since::{Earlier, SinceArgs};
use super::trust::{self, PolicyArgs, Trusted};
use super::{Done, Failure, progress, say};
use super::{evidence, log_source};
use arborlog::audit::{
    AuditError, Auditor, Beginning, Claimed, Engagement, Finding, Inspection, InspectionError,
    Severity, StaticLog, Until, UntilError, WholeError, each_entry, threads_default,
};
use arborlog::client::today;
use arborlog::durable::{FileError, at};
use arborlog::note::TreeHead;
use arborlog::outcome::Outcome;
use arborlog::policy::Standing;
use arborlog::record::{Day, Origin, RecordId};
use arborlog::replay::{Replay, UnheldState};
use arborlog::report::{self, Export, ExportError, TableFormat};

/// The exit code of what Ctrl-C ended, as shells have it.
const STOPPED: i32 = 130;

/// Replay a whole ledger against its rules, from its public files alone, and report.
///
/// Trusts neither the operator nor the server: only the key that you give. Checks the checkpoint,
/// every entry into its root, every signature, chain, lineage link and rule, and that points and
/// trees add up. A finding is no violation: see --fail-on.
///
/// Exit codes: 0 the ledger holds; 1 it is false, and what it signed is kept as evidence (or
/// --fail-on names a finding); 3 it could not be checked: it does not answer, lags, gives something
/// else in the place of a tile, the key given did not sign, or a policy's quorum is short; 4 there is no log at this address.
#[derive(Args)]
pub struct AuditArgs {
    /// The ledger's URL, its object store, or a mirror.
    ledger: String,
    /// The log's verifier key, or a file that holds it: from the programme's publications, never
    /// from the server.
    #[arg(long, value_name = "VKEY", required_unless_present = "policy")]
    log: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    compare: CompareArgs,
    #[command(flatten)]
    since: SinceArgs,
    #[command(flatten)]
    handed: HandedArgs,
    /// The genesis id that you were told.
    #[arg(long, value_name = "ID")]
    genesis: Option<RecordId>,
    /// Keep what was verified in this file, and continue from there: the next audit proves that the log
    /// extends it, and reads only what is new. FILE.awards/ beside it holds the awards.
    #[arg(long, value_name = "FILE", conflicts_with = "until")]
    state: Option<PathBuf>,
    /// Write report.html and report.json into this folder.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Write tables into this new folder: every entry, the state that they make, and the findings; and the plots as
    /// GeoJSON and GeoPackage. Reads the log a second time.
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    /// How --export writes tables: csv, parquet, or csv,parquet for both.
    #[arg(
        long,
        value_name = "FORMAT",
        value_delimiter = ',',
        default_value = "csv",
        requires = "export"
    )]
    export_as: Vec<TableFormat>,
    /// Audit as of then: only the entries below this number, without a sealed batch that is not whole there, or those
    /// admitted up to the end of this day (UTC). --as-of is that day then, or the day of the last of these entries,
    /// unless it is given. Not with --state.
    #[arg(long, value_name = "SIZE|DAY")]
    until: Option<Until>,
    /// Reckon ages and due dates as of this day; today if left out.
    #[arg(long, value_name = "DAY")]
    as_of: Option<Day>,
    /// End with exit code 1 at a finding of this severity or a graver one: low, medium or high.
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<Severity>,
    /// How many bundles are fetched and checked at a time.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engagement: EngagementArgs,
}

pub fn run(args: &AuditArgs) -> Done {
    let trusted = args.policy.read(args.log.as_slice())?;
    let engagement = args.engagement.read().map_err(Failure::usage)?;
    let source = log_source::open(&args.ledger)?;
    if let Some(dir) = &args.export
        && holds_files(dir)?
    {
        return Err(Failure::usage(ExportError::NotEmpty(dir.clone())));
    }
    let Audited {
        findings,
        unheld,
        answer,
    } = audit(args, &trusted, engagement, source.as_ref())?;
    if args.json {
        outln!("{answer}");
    }
    let grave = |finding: &&Finding| args.fail_on.is_some_and(|least| finding.severity >= least);
    match findings.iter().filter(grave).count() {
        0 => match unheld.first() {
            None => Ok(()),
            Some(state) => Err(Failure::of(
                Outcome::Unchecked,
                anyhow::anyhow!(say_unheld(state)),
            )),
        },
        count => Err(Failure::check(anyhow::anyhow!(
            "the ledger is whole, but there are {count} findings that --fail-on names"
        ))),
    }
}

/// What an audit comes to.
struct Audited {
    findings: Vec<Finding>,
    /// State entries that were compared with nothing.
    unheld: Vec<UnheldState>,
    answer: serde_json::Value,
}

pub(super) fn say_unheld(state: &UnheldState) -> String {
    format!(
        "the state entry {} could not be checked: it speaks of the first {} entries, and the saved audit goes on from more of them. All else is whole, and the next state entry covers the same entries; an audit without --state makes this one again too",
        state.index, state.size
    )
}

/// Whether anything is in a folder; nothing is in one that is not there.
fn holds_files(dir: &Path) -> Result<bool, FileError> {
    match std::fs::read_dir(dir) {
        Ok(mut files) => Ok(files.next().is_some()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(at(dir)(error)),
    }
}

fn audit(
    args: &AuditArgs,
    trusted: &Trusted,
    engagement: Engagement,
    source: &dyn StaticLog,
) -> Result<Audited, Failure> {
    let begun = Instant::now();
    let log = trusted.audit_key(source)?;
    let log_key = log.clone();
    let mut compared = args.compare.fetch(log.name().as_str())?;
    let earlier = args.since.read()?;
    let scratch;
    let file = args.state.as_deref();
    let mut inspection = match file {
        Some(file) => Inspection::resume(log, file),
        None => {
            scratch = tempfile::tempdir().map_err(at(&std::env::temp_dir()))?;
            remove_when_stopped(scratch.path().to_owned())?;
            Inspection::begin(log, scratch.path())
        }
    }
    .map_err(|error| failed(error, None, file))?;
    if let Some(policy) = trusted.policy() {
        inspection.require(policy.clone());
    }
    let claimed = inspection.fetch_checkpoint(source);
    let claimed = claimed.map_err(|error| failed(error, Some(&inspection), file))?;
    let beginning = args.until.map(|until| begin(source, &claimed, until));
    let beginning = beginning.transpose()?;
    let (source, claimed): (&dyn StaticLog, _) = match &beginning {
        Some(beginning) => (beginning, beginning.claimed()),
        None => (source, &claimed),
    };
    let threads = args.threads.unwrap_or_else(threads_default);
    let look = |replay: &Replay| {
        if let Some(compared) = &mut compared {
            compared.look(replay);
        }
    };
    let new = match advance_to(&mut inspection, source, claimed, threads, file, look) {
        Ok(new) => new,
        Err(error) => return Err(failed(error, Some(&inspection), file)),
    };
    if let Some(genesis) = &args.genesis {
        inspection
            .auditor()
            .check_genesis(genesis)
            .map_err(log_source::failed)?;
    }
    if let Some(file) = &args.state {
        inspection.save(file)?;
    }
    let as_of = args.as_of.unwrap_or_else(|| match args.until {
        None => today(),
        Some(Until::Day(day)) => day,
        Some(Until::Size(_)) => Day::of(inspection.auditor().state().globals().last_admitted_at),
    });
    let report = inspection.report(as_of)?;
    let verified = inspection.auditor().verified();
    let (Some(mut report), Some((head, checkpoint))) = (report, verified) else {
        return Err(log_source::failed(AuditError::Empty));
    };
    report.engagement = engagement;
    if let Some(beginning) = &beginning {
        report.say_until(beginning.row());
    }
    let mut hours = Hours::default();
    let backdated = match trusted.policy() {
        Some(policy) => hours.compare(policy, inspection.auditor(), source)?,
        None => None,
    };
    let handed = (args.ledger.as_str(), source, log_key);
    args.handed.hold(&inspection, &mut report, handed, as_of)?;
    let compared_hours = hours.compared();
    report.findings.extend(backdated);
    let by_severity = |finding: &Finding| std::cmp::Reverse(finding.severity);
    report.findings.sort_by_key(by_severity);
    let entries = inspection.auditor().state().entries();
    let verdict = |compared: &Compared| compared.verdict(entries);
    let same = compared.as_ref().map(verdict).transpose()?;
    let until = |earlier: &Earlier| earlier.until(&report, source, head);
    let since = earlier.as_ref().map(until).transpose()?;
    let seconds = begun.elapsed().as_secs_f64();
    if !args.json {
        print_words(&report, &new, seconds, inspection.auditor().standing());
        if let Some(since) = &since {
            outln!();
            since.lines().iter().for_each(|line| outln!("{line}"));
        }
        if let Some(line) = &same {
            outln!("{line}");
        }
        if compared_hours > 0 {
            outln!("{compared_hours} cosigned checkpoints held against the times of admission");
        }
        handed::lines(&report)
            .iter()
            .for_each(|line| outln!("{line}"));
    }
    if let Some(dir) = &args.report {
        report::write(dir, &report)?;
        say(
            args.json,
            format!("report: {}", dir.join("report.html").display()),
        );
    }
    if let Some(dir) = &args.export {
        let tables = Export::begin(dir, &args.export_as, inspection.auditor().state())?;
        let origin = inspection.auditor().origin();
        let tables = read_again(tables, source, (origin, head), threads)?;
        tables.finish(head, checkpoint, &report)?;
        say(args.json, format!("tables: {}", dir.display()));
    }
    let unheld = inspection.auditor().replay().unheld().to_vec();
    let answer = serde_json::json!({
        "outcome": match unheld.is_empty() {
            true => Outcome::Holds,
            false => Outcome::Unchecked,
        },
        "unchecked_states": unheld.iter().map(|state| serde_json::json!({
            "index": state.index, "size": state.size,
        })).collect::<Vec<_>>(),
        "whole": true,
        "entries": report.checkpoint.size,
        "root": report.checkpoint.root,
        "until": report.until,
        "as_of": report.as_of,
        "genesis": report.log.genesis,
        "vkey": report.log.vkey,
        "new_entries": new.end - new.start,
        "accounts": report.accounts,
        "totals": report.totals,
        "seconds": seconds,
        "compared": same,
        "cosigned_hours": compared_hours,
        "since": since,
        "evidence": report.evidence,
        "plans": report.plans,
        "policy": trust::as_json(trusted.policy(), inspection.auditor().standing()),
        "findings": report.findings.iter().map(|finding| serde_json::json!({
            "code": finding.code,
            "severity": finding.severity,
            "count": finding.count,
            "title": finding.title,
        })).collect::<Vec<_>>(),
    });
    Ok(Audited {
        findings: report.findings,
        unheld,
        answer,
    })
}

/// Removes a temporary folder when the process is told to stop, and ends it.
fn remove_when_stopped(dir: PathBuf) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let stopped = {
        let _entered = runtime.enter();
        super::serve::stop_signal()?
    };
    std::thread::spawn(move || {
        runtime.block_on(stopped);
        if let Err(error) = arborlog::durable::remove_folder(&dir) {
            errln!("{} could not be removed: {error}", dir.display());
        }
        std::process::exit(STOPPED);
    });
    Ok(())
}

/// The beginning of a log, for an audit as of then.
fn begin<'a>(
    source: &'a dyn StaticLog,
    claimed: &Claimed,
    until: Until,
) -> Result<Beginning<'a>, Failure> {
    if let Until::Day(day) = until
        && day > today()
    {
        return Err(Failure::usage(format!("--until: {day} is still to come")));
    }
    Beginning::of(source, claimed, until).map_err(|error| match error {
        UntilError::Audit(error) => log_source::failed(error),
        error => Failure::usage(error),
    })
}

/// Takes an inspection to the log's newest checkpoint, with a bar; gives the sizes from and to
/// which it went.
pub(super) fn advance(
    inspection: &mut Inspection,
    source: &dyn StaticLog,
    threads: NonZeroUsize,
    file: Option<&Path>,
    look: impl FnMut(&Replay),
) -> Result<std::ops::Range<u64>, InspectionError> {
    let claimed = inspection.fetch_checkpoint(source)?;
    advance_to(inspection, source, &claimed, threads, file, look)
}

/// The same, to a checkpoint that was fetched, or to the beginning of one.
fn advance_to(
    inspection: &mut Inspection,
    source: &dyn StaticLog,
    claimed: &Claimed,
    threads: NonZeroUsize,
    file: Option<&Path>,
    mut look: impl FnMut(&Replay),
) -> Result<std::ops::Range<u64>, InspectionError> {
    let from = inspection.auditor().state().entries();
    // The bar is only drawn: what was verified is told by the range that is returned.
    let more = claimed.head().size.saturating_sub(from);
    let bar = progress::bar("auditing entries", more);
    let done = inspection.advance(source, claimed, threads, file, |replay| {
        look(replay);
        bar.set_position(replay.state().entries().saturating_sub(from));
    });
    bar.finish_and_clear();
    done
}

/// How a command fails when an inspection does. When the log is wrong, what it signed is kept
/// beside `file`.
pub(super) fn failed(
    error: InspectionError,
    inspection: Option<&Inspection>,
    file: Option<&Path>,
) -> Failure {
    let InspectionError::Audit(error) = error else {
        return error.into();
    };
    let auditor = inspection.map(Inspection::auditor);
    let (before, now) = (
        auditor.and_then(Auditor::target),
        auditor.and_then(Auditor::last_shown),
    );
    if error.outcome() != Outcome::False || now.is_none() {
        return log_source::failed(error);
    }
    let kept = evidence::keep(file, before, now);
    Failure::check(anyhow::anyhow!("{error}{kept}"))
}

/// Why the tables can't be written.
#[derive(Debug, thiserror::Error)]
enum ExportFailure {
    #[error(transparent)]
    Log(#[from] WholeError),
    #[error(transparent)]
    Tables(#[from] ExportError),
}

/// Gives every entry to the tables.
fn read_again<'a>(
    mut tables: Export<'a>,
    source: &dyn StaticLog,
    (origin, head): (&Origin, TreeHead),
    threads: NonZeroUsize,
) -> Result<Export<'a>, Failure> {
    let bar = progress::bar("writing tables", head.size);
    let done = each_entry(source, origin, head, threads, |taken| {
        bar.set_position(taken.index.0 + 1);
        tables.add(taken).map_err(ExportFailure::from)
    });
    bar.finish_and_clear();
    done.map_err(|error| match error {
        ExportFailure::Log(error) => log_source::failed(error.into()),
        tables => tables.into(),
    })?;
    Ok(tables)
}

fn print_words(
    report: &arborlog::audit::Report,
    new: &std::ops::Range<u64>,
    seconds: f64,
    standing: Option<&Standing>,
) {
    let size = report.checkpoint.size;
    outln!("WHOLE: {}, {size} entries", report.log.origin);
    if let Some(until) = &report.until {
        outln!("  {}", until.words(size));
    }
    outln!("  root {}", report.checkpoint.root);
    outln!("  genesis {}", report.log.genesis);
    outln!("  log key in force {}", report.log.vkey);
    for line in standing.map(trust::lines).unwrap_or_default() {
        outln!("  {line}");
    }
    let count = new.end - new.start;
    if new.start > 0 {
        outln!(
            "  the log extends the {} entries verified before",
            new.start
        );
    }
    outln!(
        "  {count} entries in {seconds:.1} s: every signature, chain, lineage link and rule, every tile, the totals"
    );
    outln!();
    if report.findings.is_empty() {
        outln!("No findings.");
    } else {
        outln!("Findings, to ask the programme about; none is a violation of the rules:");
    }
    for finding in &report.findings {
        outln!("  {:6}  {}", finding.severity.name(), finding.title);
        if let Some(item) = finding.items.first() {
            let indexes: Vec<String> = item.indexes.iter().map(ToString::to_string).collect();
            let at = match indexes.len() {
                0 => String::new(),
                1 => format!(" (entry {})", indexes.join("")),
                _ => format!(" (entries {})", indexes.join(", ")),
            };
            outln!("          {}: {}{at}", item.subject, item.detail);
        }
    }
    outln!();
    outln!("Not checked, or not to be known from any ledger:");
    for what in &report.not_checked {
        outln!("  – {what}");
    }
}
