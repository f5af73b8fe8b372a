//! The commands of a ledger, and how a command ends. Exit codes: 0 fine, 1 a check failed, 2 wrong
//! use, 3 could not be done or checked, 4 not that kind of thing, 5 not all went in.

#[macro_use]
pub mod out;

pub mod attest;
pub mod audit;
mod compared;
pub mod config;
pub mod connect;
mod cosigned_hours;
pub mod doctor;
mod engagement;
mod evidence;
mod failure;
pub mod fsck;
pub mod govern;
mod handed;
pub mod health;
pub mod init;
pub mod interrupt;
pub mod keygen;
pub mod keys;
pub mod lead;
pub mod log_lines;
pub mod log_source;
pub mod mirror;
pub mod monitor;
pub mod page;
pub mod progress;
pub mod proposal;
mod proposal_checks;
pub mod receipt;
pub mod sample;
pub mod serve;
mod service_manager;
pub mod shell;
pub mod signing;
mod since;
pub mod size;
pub mod store;
mod store_log;
pub mod submit;
pub mod sweep;
pub mod trust;
mod words;

use std::path::Path;
use std::process::ExitCode;

use arborlog::durable::{FileError, at};
use arborlog::outcome::Outcome;

pub use failure::Failure;
use failure::{CODE_NOT_DONE, exit_code};

/// Answers a command's failure as one JSON object too, when the answer is for a program and the
/// command has not given one.
pub fn answered(json: bool, done: Done) -> Done {
    if json
        && !out::has_begun()
        && let Err(failure) = &done
    {
        outln!("{}", failure.as_json());
    }
    done
}

/// The text of a file.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path).map_err(at(path))
}

/// What commands return.
pub type Done = Result<(), Failure>;

/// The exit code of a command; a failure is told on stderr.
pub fn exit(done: Done) -> ExitCode {
    if let Err(failure) = &done {
        errln!("arborlog: {failure}");
    }
    let code = done.map_or_else(|failure| failure.code(), |()| exit_code(Outcome::Holds));
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
