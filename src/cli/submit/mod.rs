mod reasons;
mod report;
mod so_far;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;

use self::reasons::why_not_all_in;
use self::report::{Report, print, tell};
use self::so_far::{SoFar, note, tell_when_interrupted};
use super::log_source::read_vkey;
use super::{Done, Failure, connect, progress, signing};
use arborlog::client::{
    BatchAnswer, NdjsonLines, OnRefusal, Options, Proposal, ProposalError, Remote, SubmitError,
    Submitter,
};
use arborlog::crypto::PublicKey;
use arborlog::durable::{SteadyFile, at, folder_of};
use arborlog::outcome::{Outcome, other_than_text};

/// Send statements, or a proposal that others have signed.
///
/// With --key, INPUT is statements as NDJSON, one a line (docs/statements.md). A line is known by
/// what it says: INPUT may grow and change its order, and only what is not in is signed and sent, many
/// lines with one signature (a seal). What was signed is kept in INPUT.journal, durable before anything is sent; after any cut, the
/// same command continues. KEY.head, beside the key, tells of a lost or an old journal, of a server
/// that lost what it acknowledged, and of another writer with the same key. Without --key, INPUT
/// is a proposal.
/// What other keys of the same holder and role signed is read from the log (KEY.head.other-keys): lines
/// that they signed are not signed again.
///
/// Exit codes: 0 all lines are in; 1 journal, head and log contradict each other; 2 wrong use;
/// 3 could not be done or checked, try again; 4 no proposal, no journal, no text; 5 not all lines are
/// in, or lines that can be said twice were taken for those of another input, another key or an earlier
/// day, or signed lines that are no longer sent may still come in; 130 interrupted.
#[derive(Args)]
pub struct SubmitArgs {
    /// Statements as NDJSON, or a proposal; - reads statements from standard input. Of a pipe or a
    /// device --journal says where its journal is.
    input: PathBuf,
    /// The ledger's server. If several share the ledger: the address of each, with commas between or by the flag
    /// again; the same bytes go from one to the next until one takes them.
    #[arg(long, value_name = "URL", required = true, value_delimiter = ',')]
    to: Vec<String>,
    /// The issuer's key file.
    #[arg(long)]
    key: Option<PathBuf>,
    /// The journal, if not INPUT.journal: one for each input.
    #[arg(long, value_name = "FILE", requires = "key")]
    journal: Option<PathBuf>,
    /// The head of the key, if not KEY.head: where the key's folder can't be written, or the key
    /// signs for several ledgers.
    #[arg(long, value_name = "FILE", env = "ARBORLOG_HEAD")]
    head: Option<PathBuf>,
    /// The log's verifier key, or a file that holds it: each checkpoint must be signed by it.
    #[arg(long = "log", value_name = "VKEY", requires = "key")]
    log: Option<String>,
    /// Note a statement that the rules refuse and continue, rather than stop there.
    #[arg(long, requires = "key")]
    skip_refused: bool,
    /// Send again what the journal notes as refused.
    #[arg(long, requires = "key")]
    retry_refused: bool,
    /// Make the journal and the head anew from the log: lines that the key's records say are taken
    /// as sent, the rest is signed. What is left of both is renamed, not removed.
    #[arg(long, requires = "key")]
    recover: bool,
    /// With --recover: the public half of a key that this one replaced, and that signed lines of
    /// INPUT; again for several.
    #[arg(long = "old-key", value_name = "KEY", requires = "recover")]
    old_keys: Vec<PublicKey>,
    /// With --recover: the journal of another input of this key that lies in another folder than INPUT's
    /// journal and the head; again for several. What it holds is no line of INPUT.
    #[arg(long = "other-journal", value_name = "FILE", requires = "recover")]
    other_journals: Vec<PathBuf>,
    /// Sign also lines that another input of this key sent, or that a record of the key says which no
    /// journal holds, and awards of an event that INPUT or the key said something of before: they are
    /// further ones.
    #[arg(long, requires = "key")]
    sign_anew: bool,
    /// INPUT is the one of before: lines that are gone were taken out of it on purpose, and transfers,
    /// claims and corrections in it that an earlier run sent are the same. Noted in the journal: the doubt
    /// comes back only if other lines leave INPUT.
    #[arg(long, requires = "key", conflicts_with = "recover")]
    same_input: bool,
    /// Sign each line as a record of its own, not up to 1,000 with one seal.
    #[arg(long, requires = "key")]
    unsealed: bool,
    /// Print one JSON object: the sums, and what became of each line (docs/statements.md).
    #[arg(long)]
    json: bool,
}

pub fn run(args: &SubmitArgs) -> Done {
    let remote = connect::to_any(&args.to);
    remote.check_address().map_err(Failure::usage)?;
    if args.input.is_dir() {
        return Err(Failure::usage(format!(
            "{} is a folder; name a file of statements, or a proposal",
            args.input.display()
        )));
    }
    match &args.key {
        Some(key) => submit_statements(args, &remote, key),
        None => submit_proposal(args, &remote),
    }
}

fn submit_proposal(args: &SubmitArgs, remote: &Remote) -> Done {
    let proposal = Proposal::read(&args.input).map_err(|error| match error {
        ProposalError::Malformed { .. } => Failure::of(
            Outcome::NotThatKind,
            anyhow::anyhow!("{error}; statements need --key"),
        ),
        ProposalError::Io(..) => error.into(),
        false_one => Failure::check(false_one),
    })?;
    match remote.append(std::slice::from_ref(&proposal.signed))? {
        BatchAnswer::Admitted(indexes) => {
            let [index] = indexes.as_slice() else {
                return Err(anyhow::anyhow!(
                    "the server says that the one record was admitted, and names {} entries for it",
                    indexes.len()
                )
                .into());
            };
            print(|out| {
                if args.json {
                    writeln!(out, "{}", json!({"index": index}))
                } else {
                    writeln!(out, "admitted as entry {index}")
                }
            })
        }
        BatchAnswer::Refused { problem, .. } => Err(Failure::refused(&problem)),
    }
}

fn submit_statements(args: &SubmitArgs, remote: &Remote, key_file: &Path) -> Done {
    let from_stdin = args.input == Path::new("-");
    let journal = match (&args.journal, from_stdin) {
        (Some(journal), _) => journal.clone(),
        (None, true) => {
            return Err(Failure::usage(
                "standard input has no name: say with --journal where its journal is, one for each input",
            ));
        }
        (None, false) if is_stream(&args.input) => {
            return Err(Failure::usage(format!(
                "{} is a pipe or a device, and no journal can stand beside it: say with --journal where its journal is, one for each input",
                args.input.display()
            )));
        }
        (None, false) => {
            let mut journal = args.input.clone().into_os_string();
            journal.push(".journal");
            journal.into()
        }
    };
    let key = signing::open_issuer(key_file, args.head.as_deref())?;
    let options = Options {
        log: args.log.as_deref().map(read_vkey).transpose()?,
        old_keys: args.old_keys.clone(),
        other_journals: args.other_journals.clone(),
        sign_anew: args.sign_anew,
        same_input: args.same_input,
        retry_refused: args.retry_refused,
        unsealed: args.unsealed,
    };
    let (mut reader, line_count): (Box<dyn BufRead>, u64) = if from_stdin {
        (Box::new(io::stdin().lock()), 0)
    } else {
        // It is opened once: what a pipe gave is gone, and a name may name another file by then.
        let file = SteadyFile::open(&args.input).map_err(at(&args.input))?;
        let count = count_lines(file.file()).map_err(at(&args.input))?;
        (Box::new(BufReader::new(file)), count)
    };
    // Before anything is locked or asked: of another kind of file each line would be set aside.
    let begin = reader.fill_buf().map_err(at(&args.input))?;
    if let Some(kind) = other_than_text(begin) {
        return Err(Failure::of(
            Outcome::NotThatKind,
            anyhow::anyhow!(
                "{} is {kind}; make it NDJSON in UTF-8, one statement a line. Nothing was sent",
                args.input.display()
            ),
        ));
    }

    let so_far = Arc::new(Mutex::new(SoFar::default()));
    tell_when_interrupted(Arc::clone(&so_far), args.json);
    let origin = remote.origin()?;
    let mut submitter = if args.recover {
        let bar = progress::bar("reading the key's chain", 0);
        let recovered = Submitter::recover(
            remote,
            &origin,
            &key,
            &journal,
            options,
            &mut |read, total| {
                bar.set_length(total);
                bar.set_position(read);
            },
        );
        bar.finish_and_clear();
        recovered
    } else {
        Submitter::open(remote, &origin, &key, &journal, options)
    }
    .map_err(failure)?;
    let journal = submitter.journal().to_owned();
    for lost in submitter.forgotten() {
        errln!(
            "{} is missing or is not as it was: lines that its records in the log say are taken as sent, and asked about in other inputs",
            lost.display()
        );
    }
    read_other_keys(&mut submitter)?;
    let mut report = Report::new(args.json, &journal)?;
    let bar = match line_count {
        0 => ProgressBar::hidden(),
        count => progress::bar("submitting", count),
    };
    let on_refusal = if args.skip_refused {
        OnRefusal::Skip
    } else {
        OnRefusal::Stop
    };
    let lines = NdjsonLines::new(reader).map(|line| {
        note(&so_far, |so_far| so_far.read += 1);
        line.map_err(|error| io::Error::new(error.kind(), at(&args.input)(error)))
    });
    let mut progress_lines = progress::ProgressLines::new(args.json);
    let ran = submitter.run(
        lines,
        on_refusal,
        &mut |line, outcome| {
            note(&so_far, |so_far| so_far.count(&outcome));
            report.tell(&bar, line, &outcome)
        },
        &mut |line| {
            bar.set_position(line);
            progress_lines.tell("submitting, line", line, line_count);
        },
    );
    bar.finish_and_clear();
    let summary = ran.map_err(failure)?;
    let statements =
        summary.read - summary.set_aside + summary.repeated + summary.evidence_repeated;
    if summary.read > 0 && statements == 0 {
        return Err(Failure::usage(format!(
            "{}: no line is a statement; docs/statements.md says what one is",
            args.input.display()
        )));
    }
    if summary.read == 0 {
        tell(
            &bar,
            &format!(
                "warning: {} is empty: it has no line, so nothing was sent. If it should have lines, look at what writes it",
                args.input.display()
            ),
        );
    }
    if summary.gone > 0 {
        tell(
            &bar,
            &format!(
                "lines that were sent before and stand in the input no more: {}. What they say stays in the ledger until a correction takes it back",
                summary.gone
            ),
        );
    }
    if summary.strays > 0 {
        tell(&bar, &strays_in_words(args, key_file, summary.strays));
    }
    for other in &summary.other_inputs {
        let lines = match other.lines {
            1 => format!("line {} was", other.first_line),
            count => format!("{count} lines, from line {} on, were", other.first_line),
        };
        let by = match other.by_other_keys {
            true => "signed by another key of the holder",
            false => "sent with another input of this key",
        };
        tell(
            &bar,
            &format!(
                "{lines} {by} and not sent again: {} has what they say",
                other.journal.display()
            ),
        );
    }
    report.print(&summary)?;
    if summary.all_in() {
        return Ok(());
    }
    Err(Failure::not_all_in(why_not_all_in(&summary)))
}

/// What a recovery left over, and the commands that say whose it is.
fn strays_in_words(args: &SubmitArgs, key_file: &Path, strays: u64) -> String {
    let head = match &args.head {
        Some(head) => format!(" --head {}", head.display()),
        None => String::new(),
    };
    let with = format!(
        "--to {} --key {}{head} --recover",
        args.to.join(","),
        key_file.display()
    );
    format!(
        "statements of this key that are in the log and in no journal that was found: {strays}. A line of another input that says the same is not sent before somebody says whose it is. If an input of this key has its journal in another folder, tell it by: arborlog submit {} {with} --other-journal FILE, with --other-journal once for each. If its journal is lost: arborlog submit THAT_INPUT {with}",
        args.input.display()
    )
}

/// Reads what other keys of the holder signed, with a bar.
pub fn read_other_keys(submitter: &mut Submitter<'_>) -> Done {
    let bar = progress::bar("reading what other keys of the holder signed", 0);
    let read = submitter.read_other_keys(&mut |read, total| {
        bar.set_length(total);
        bar.set_position(read);
    });
    bar.finish_and_clear();
    read.map_err(failure)
}

/// How a submit that did not end well ends a command.
pub fn failure(error: SubmitError) -> Failure {
    match error.outcome() {
        Some(outcome) => Failure::of(outcome, error),
        None => Failure::usage(error),
    }
}

/// Whether an input has no name of its own beside which a journal could stand: a pipe, a device, or
/// a descriptor of this process.
fn is_stream(input: &Path) -> bool {
    let of_process = folder_of(input).canonicalize().is_ok_and(|folder| {
        folder == Path::new("/dev") || folder.starts_with("/dev/fd") || folder.starts_with("/proc")
    });
    of_process || input.metadata().is_ok_and(|kind| !kind.is_file())
}

/// How many lines a regular file has, for the progress bar; of what can be read once only, none. The
/// file is at its beginning again.
fn count_lines(mut file: &File) -> io::Result<u64> {
    if !file.metadata()?.is_file() {
        return Ok(0);
    }
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let (mut count, mut last) = (0, b'\n');
    loop {
        let bytes = reader.fill_buf()?;
        let Some(end) = bytes.last() else {
            file.rewind()?;
            return Ok(count + u64::from(last != b'\n'));
        };
        last = *end;
        count += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let read = bytes.len();
        reader.consume(read);
    }
}
