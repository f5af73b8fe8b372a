//! The commands of a ledger, and how a command ends. Exit codes: 0 fine, 1 a check failed, 2 wrong
//! use, 3 could not be done.

pub mod audit;
mod evidence;
pub mod fsck;
pub mod govern;
pub mod init;
pub mod keygen;
pub mod log_source;
pub mod mirror;
pub mod monitor;
pub mod progress;
pub mod receipt;
pub mod serve;
pub mod submit;
mod words;

use std::process::ExitCode;

/// How a command ends when it does not end well.
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

    /// Used wrongly: 2.
    pub fn usage(what: impl std::fmt::Display) -> Self {
        Self {
            code: 2,
            error: anyhow::anyhow!("{what}"),
        }
    }
}

/// How a process ends after its command: what went wrong stands on stderr.
pub fn exit(done: Done) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, error }) => {
            eprintln!("arborlog: {error:#}");
            ExitCode::from(code)
        }
    }
}

/// Whatever else goes wrong could not be done: 3.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            code: 3,
            error: error.into(),
        }
    }
}

/// What commands return.
pub type Done = Result<(), Failure>;

/// Keys are in memory: it is not for core files, nor for other processes of the same user. Whoever
/// must look sets this.
pub const CORE_DUMPS: &str = "ARBORLOG_CORE_DUMPS";

/// Asks the system to keep this process's memory from other processes.
pub fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    if std::env::var_os(CORE_DUMPS).is_none() {
        // A system without it keeps its own rules.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Prints a line for people, unless the answer is for a machine.
pub fn say(json: bool, line: impl std::fmt::Display) {
    if json {
        eprintln!("{line}");
    } else {
        println!("{line}");
    }
}
