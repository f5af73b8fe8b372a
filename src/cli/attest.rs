//! The statement in which an auditor attests a ledger, made from an audit's report.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Done, Failure};
use arborlog::audit::{NOT_STATED, REPORT_FORMAT as FORMAT};
use arborlog::durable::read_if_there;
use arborlog::merkle::Hash;
use arborlog::note::UnverifiedCheckpoint;
use arborlog::outcome::Outcome;
use arborlog::record::{AssuranceLevel, Attestation, Day, Digest, Opinion, Statement, Text};

/// Make the statement in which an auditor attests a ledger, from the report of an audit.
///
/// DIR is what `audit --report DIR` wrote. Prints the statement as one line of JSON: which entries were
/// audited, with the roots of their tree and state, the period, the level, the opinion, and the digests of
/// DIR/findings.json and DIR/report.json: keep both, and publish them. Read the line, then send it with the
/// auditor's key: arborlog submit --to URL --key auditor.pem FILE.
#[derive(Args)]
pub struct AttestArgs {
    /// The folder of the report.
    dir: PathBuf,
    /// How sure the auditor is: limited or reasonable.
    #[arg(long, value_name = "LEVEL", value_parser = named::<AssuranceLevel>)]
    level: AssuranceLevel,
    /// What the auditor comes to: unmodified, qualified, adverse or disclaimed.
    #[arg(long, value_name = "OPINION", value_parser = named::<Opinion>)]
    opinion: Opinion,
    /// The first day of the period; that which the report states if left out, or that of the first admission.
    #[arg(long, value_name = "DAY")]
    from: Option<Day>,
    /// Its last day; that which the report states if left out, or that of the last admission.
    #[arg(long, value_name = "DAY")]
    until: Option<Day>,
    /// Where the report can be read.
    #[arg(long, value_name = "URL", default_value = "")]
    report_at: String,
    /// The opinion in words. One that is not unmodified says here what is the matter.
    #[arg(long, value_name = "TEXT", default_value = "")]
    words: String,
}

/// What an attestation says of a report.
#[derive(Deserialize)]
struct ReportData {
    checkpoint: CheckpointData,
    until: Option<UntilData>,
    findings: Value,
    engagement: EngagementData,
}

/// What the audit was told of its engagement: each is a text, "not stated" too.
#[derive(Deserialize)]
struct EngagementData {
    level: String,
    period_from: String,
    period_until: String,
}

/// Of an audit as of then: the checkpoint whose beginning was audited.
#[derive(Deserialize)]
struct UntilData {
    checkpoint_size_entries: u64,
    checkpoint_root: String,
}

#[derive(Deserialize)]
struct CheckpointData {
    size_entries: u64,
    root: String,
    state_root: String,
    first_admitted: Day,
    last_admitted: Day,
    note: String,
}

pub fn run(args: &AttestArgs) -> Done {
    let file = |name: &str| {
        let path = args.dir.join(name);
        let bytes = read_if_there(&path)?.ok_or_else(|| {
            let what = anyhow::anyhow!(
                "{} is not there: {} is no folder that `arborlog audit --report` wrote",
                path.display(),
                args.dir.display()
            );
            Failure::of(Outcome::NotThatKind, what)
        });
        bytes.map(|bytes| (path, bytes))
    };
    let (path, report) = file("report.json")?;
    let (findings_path, findings) = file("findings.json")?;
    let wrong = |why: String| {
        let what = anyhow::anyhow!("{}: {why}. Audit again", path.display());
        Failure::of(Outcome::Unchecked, what)
    };
    let format: Value =
        serde_json::from_slice(&report).map_err(|error| wrong(error.to_string()))?;
    match format.get("format").and_then(Value::as_str) {
        Some(FORMAT) => {}
        Some(other) if other.starts_with("arborlog-report/") => {
            return Err(wrong(format!(
                "it is an {other}, and attested is an {FORMAT}"
            )));
        }
        _ => return Err(wrong("it is no audit's report".to_owned())),
    }
    let data: ReportData =
        serde_json::from_slice(&report).map_err(|error| wrong(error.to_string()))?;
    let said: Result<Value, _> = serde_json::from_slice(&findings);
    if said.ok() != Some(data.findings) {
        return Err(wrong(format!(
            "its findings are not those of {}",
            findings_path.display()
        )));
    }
    let CheckpointData {
        size_entries: size,
        root,
        state_root,
        first_admitted,
        last_admitted,
        note,
    } = data.checkpoint;
    let noted = UnverifiedCheckpoint::parse(note.as_bytes());
    let head = noted.map_err(|error| wrong(error.to_string()))?.head();
    let is_of = |size: u64, root: &str| head.size == size && head.root.to_string() == root;
    let agrees = match &data.until {
        None => is_of(size, &root),
        Some(until) => {
            let whole = until.checkpoint_size_entries;
            size <= whole && is_of(whole, &until.checkpoint_root)
        }
    };
    let tree_root = digest(&root).filter(|_| agrees);
    let tree_root = tree_root.ok_or_else(|| wrong("its parts differ".to_owned()))?;
    let state_root = digest(&state_root).ok_or_else(|| wrong("it has no state root".to_owned()))?;
    if args.opinion != Opinion::Unmodified && args.words.is_empty() {
        return Err(Failure::usage(
            "an opinion that is not unmodified says with --words what is the matter",
        ));
    }
    let EngagementData {
        level,
        period_from,
        period_until,
    } = data.engagement;
    if level != NOT_STATED && level != args.level.words() {
        return Err(Failure::usage(format!(
            "--level {} differs from the level that the report states: {level}",
            args.level.words()
        )));
    }
    let attestation = Attestation {
        size,
        tree_root,
        state_root,
        period_from: args
            .from
            .or(period_from.parse().ok())
            .unwrap_or(first_admitted),
        period_until: args
            .until
            .or(period_until.parse().ok())
            .unwrap_or(last_admitted),
        level: args.level,
        opinion: args.opinion,
        findings: Digest::from_bytes(Sha256::digest(&findings).into()),
        report: Digest::from_bytes(Sha256::digest(&report).into()),
        report_at: text("--report-at", &args.report_at)?,
        words: text("--words", &args.words)?,
    };
    if attestation.period_from > attestation.period_until {
        return Err(Failure::usage("the period ends before it begins"));
    }
    outln!(
        "{}",
        serde_json::to_string(&Statement::Attestation(attestation))?
    );
    Ok(())
}

fn text<const MOST: usize>(flag: &str, text: &str) -> Result<Text<MOST>, Failure> {
    text.parse()
        .map_err(|error| Failure::usage(format!("{flag}: {error}")))
}

fn digest(root: &str) -> Option<Digest> {
    let hash: Hash = root.parse().ok()?;
    Some(Digest::from_bytes(*hash.as_bytes()))
}

/// A value by the name that statements have for it.
pub(super) fn named<T: DeserializeOwned>(name: &str) -> Result<T, String> {
    serde_json::from_value(Value::String(name.to_owned())).map_err(|error| error.to_string())
}
