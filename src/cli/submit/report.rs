//! What became of each line, in words or as one JSON object.

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde_json::json;

use crate::cli::{Done, Failure, out};
use arborlog::client::{LineOutcome, Summary};
use arborlog::durable::at;

/// Writes to standard error, beside a progress bar; nobody may be reading it any more.
pub(super) fn tell(bar: &ProgressBar, words: &str) {
    bar.suspend(|| {
        let _ = writeln!(io::stderr(), "{words}");
    });
}

/// What became of the lines, kept in a file without a name until it is proven.
pub(super) struct Report {
    lines: Option<BufWriter<File>>,
    begun: bool,
    /// Where that file is.
    folder: PathBuf,
}

impl Report {
    pub(super) fn new(json: bool, journal: &Path) -> Result<Self, Failure> {
        let folder = journal.parent().unwrap_or(Path::new(".")).to_owned();
        let lines = json.then(|| tempfile::tempfile_in(&folder)).transpose();
        Ok(Self {
            lines: lines.map_err(at(&folder))?.map(BufWriter::new),
            begun: false,
            folder,
        })
    }

    pub(super) fn tell(
        &mut self,
        bar: &ProgressBar,
        line: u64,
        outcome: &LineOutcome,
    ) -> io::Result<()> {
        match outcome {
            LineOutcome::Refused { code, detail } => {
                tell(bar, &format!("line {line}: refused: {detail} ({code})"));
            }
            LineOutcome::SetAside(why) => {
                tell(
                    bar,
                    &format!("line {line}: set aside, it is no statement: {why}"),
                );
            }
            LineOutcome::Repeated(why) => {
                tell(
                    bar,
                    &format!("line {line}: set aside: {why} (line_repeated)"),
                );
            }
            LineOutcome::EvidenceRepeated(why) => {
                tell(
                    bar,
                    &format!("line {line}: set aside: {why} (evidence_repeated)"),
                );
            }
            LineOutcome::Admitted(_) | LineOutcome::AlreadyIn(_) | LineOutcome::NotSent => {}
        }
        let Some(lines) = &mut self.lines else {
            return Ok(());
        };
        let object = match outcome {
            LineOutcome::Admitted(index) => {
                json!({"line": line, "outcome": "admitted", "index": index})
            }
            LineOutcome::AlreadyIn(index) => {
                json!({"line": line, "outcome": "already_in", "index": index})
            }
            LineOutcome::Refused { code, detail } => {
                json!({"line": line, "outcome": "refused", "code": code, "detail": detail})
            }
            LineOutcome::SetAside(why) => {
                json!({"line": line, "outcome": "set_aside", "reason": "no_statement", "detail": why})
            }
            LineOutcome::Repeated(why) => {
                json!({"line": line, "outcome": "set_aside", "reason": "line_repeated", "detail": why})
            }
            LineOutcome::EvidenceRepeated(why) => {
                json!({"line": line, "outcome": "set_aside", "reason": "evidence_repeated", "detail": why})
            }
            LineOutcome::NotSent => json!({"line": line, "outcome": "not_sent"}),
        };
        let separator = if self.begun { ",\n" } else { "" };
        self.begun = true;
        write!(lines, "{separator}{object}")
            .map_err(|error| io::Error::new(error.kind(), at(&self.folder)(error)))
    }

    pub(super) fn print(self, summary: &Summary) -> Done {
        let Some(lines) = self.lines else {
            return print(|out| print_words(out, summary));
        };
        let written = lines.into_inner().map_err(io::IntoInnerError::into_error);
        let mut lines = written.map_err(at(&self.folder))?;
        lines.rewind().map_err(at(&self.folder))?;
        let outcome = if summary.all_in() {
            "all_in"
        } else {
            "not_all_in"
        };
        let sums = json!({
            "outcome": outcome,
            "stopped": summary.stopped.as_ref().map(|stopped| json!({
                "line": stopped.line, "code": stopped.problem.code,
                "detail": stopped.problem.detail, "advice": stopped.problem.advice,
            })),
            "read": summary.read,
            "admitted": summary.admitted,
            "already_in": summary.already_in,
            "refused": summary.refused,
            "set_aside": summary.set_aside,
            "not_sent": summary.not_sent,
            "gone": summary.gone,
            "unsure": summary.unsure(),
            "may_come_in": summary.may_come_in,
            "in_twice": {"count": summary.in_twice.count, "entries": summary.in_twice.first},
            "other_inputs": summary.other_inputs.iter().map(|other| json!({
                "journal": other.journal.to_string_lossy(), "by_other_keys": other.by_other_keys, "lines": other.lines, "first_line": other.first_line,
                "unsure": other.unsure,
            })).collect::<Vec<_>>(),
            "log": {"size": summary.head.size, "root": summary.head.root.to_string()},
        })
        .to_string();
        print(|out| {
            // The lines are the object's last member.
            let sums = sums.strip_suffix('}').unwrap_or(&sums);
            writeln!(out, "{sums},\"lines\":[")?;
            io::copy(&mut lines, out)?;
            out.write_all(b"\n]}\n")
        })
    }
}

fn print_words(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    let entries = match summary.entries {
        Some((first, last)) if first == last => format!(" (entry {first})"),
        Some((first, last)) if last.0 - first.0 >= summary.admitted => {
            format!(" (entries {first} to {last}, with others such as seals between them)")
        }
        Some((first, last)) => format!(" (entries {first} to {last})"),
        None => String::new(),
    };
    write!(
        out,
        "{}: {} admitted{entries}, {} already in, {} refused, {} set aside",
        lines_read(summary.read),
        summary.admitted,
        summary.already_in,
        summary.refused,
        summary.set_aside
    )?;
    if summary.not_sent > 0 {
        write!(out, ", {} not sent", summary.not_sent)?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "What is in is proven to be in the log of {} entries, root {}",
        summary.head.size, summary.head.root
    )
}

pub(super) fn lines_read(count: u64) -> String {
    match count {
        1 => "1 line read".to_owned(),
        count => format!("{count} lines read"),
    }
}

/// Prints to standard output. A reader that closed it has seen what it wanted.
pub(super) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Done {
    out::begin();
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(anyhow::anyhow!(
            "standard output can't be written: {error}. What was sent is in; run the same command again to be told"
        )
        .into()),
        _ => Ok(()),
    }
}
