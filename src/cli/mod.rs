//! The commands of a ledger, and how a command ends. Exit codes: 0 fine, 1 a check failed, 2 wrong
//! use, 3 could not be done or checked, 4 not that kind of thing, 5 not all went in.

#[macro_use]
pub mod out;

pub mod audit;
pub mod connect;
mod evidence;
pub mod fsck;
pub mod govern;
pub mod init;
pub mod keygen;
pub mod keys;
pub mod log_lines;
pub mod log_source;
pub mod mirror;
pub mod monitor;
pub mod progress;
pub mod receipt;
pub mod serve;
pub mod submit;
mod words;

use std::process::ExitCode;

use arborlog::outcome::Outcome;

/// Why a command failed, and the exit code that says so.
pub struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl Failure {
    /// A check failed: 1.
    pub fn check(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: 1,
            error: error.into(),
        }
    }

    /// A check came to this outcome, for this reason.
    pub fn of(outcome: Outcome, error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: exit_code(outcome),
            error: error.into(),
        }
    }

    /// Not all of what was to be sent is in: 5.
    pub fn not_all_in(what: String) -> Self {
        Self {
            code: 5,
            error: anyhow::anyhow!(what),
        }
    }

    /// What a check that fails so came to; `None` when the command was used wrongly.
    fn outcome(&self) -> Option<Outcome> {
        let outcomes = [Outcome::False, Outcome::Unchecked, Outcome::NotThatKind];
        outcomes
            .into_iter()
            .find(|outcome| exit_code(*outcome) == self.code)
    }

    /// The command was used wrongly: 2.
    pub fn usage(what: impl std::fmt::Display) -> Self {
        Self {
            code: 2,
            error: anyhow::anyhow!("{what}"),
        }
    }
}

/// Answers a command's failure as one JSON object too, when the answer is for a machine.
pub fn answered(json: bool, done: Done) -> Done {
    if json
        && let Err(failure) = &done
        && let Some(outcome) = failure.outcome()
    {
        let error = format!("{:#}", failure.error);
        // What could not be checked is neither whole nor not.
        let answer = if outcome == Outcome::False {
            serde_json::json!({"outcome": outcome, "error": error, "whole": false})
        } else {
            serde_json::json!({"outcome": outcome, "error": error})
        };
        outln!("{answer}");
    }
    done
}

/// What a command ends with when it could not do what was asked.
const CODE_NOT_DONE: u8 = exit_code(Outcome::Unchecked);

/// The one place where outcomes become exit codes.
const fn exit_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Holds => 0,
        Outcome::False => 1,
        Outcome::Unchecked => 3,
        Outcome::NotThatKind => 4,
    }
}

/// Any other error: what was asked could not be done, 3.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            code: CODE_NOT_DONE,
            error: error.into(),
        }
    }
}

/// What commands return.
pub type Done = Result<(), Failure>;

/// The exit code of a command; a failure is told on stderr.
pub fn exit(done: Done) -> ExitCode {
    if let Err(Failure { error, .. }) = &done {
        errln!("arborlog: {error:#}");
    }
    let code = done.map_or_else(|failure| failure.code, |()| exit_code(Outcome::Holds));
    match out::finish() {
        Ok(()) => ExitCode::from(code),
        Err(error) => {
            errln!("arborlog: the answer could not be written to standard output: {error}");
            // An answer that nobody got is none; what the command found is told by its code all the
            // same.
            ExitCode::from(if code == 0 { CODE_NOT_DONE } else { code })
        }
    }
}

/// The environment variable that leaves core files and debuggers as the system has them.
pub const CORE_DUMPS: &str = "ARBORLOG_CORE_DUMPS";

/// Keeps memory, which holds keys, out of core files and from other processes of the same user,
/// unless [`CORE_DUMPS`] is set.
pub fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    if std::env::var_os(CORE_DUMPS).is_none() {
        // A system without the call keeps its own rules.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Prints a line for people, unless the answer is for a machine.
pub fn say(json: bool, line: impl std::fmt::Display) {
    if json {
        errln!("{line}");
    } else {
        outln!("{line}");
    }
}
