//! The commands. Exit codes: 0 fine, 1 a check failed, 2 wrong use, 3 could not be done.

mod audit;
mod bench;
mod demo;
mod evidence;
mod fsck;
mod govern;
mod import;
mod init;
mod keygen;
mod log_source;
mod mirror;
mod monitor;
mod progress;
mod receipt;
mod serve;
mod submit;
mod words;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An append-only, verifiable carbon ledger.
///
/// Awards and plantings are records, signed by whoever vouches for them, chained, and kept in a
/// Merkle log whose proofs anyone can verify. It proves who said what and when, that the rules
/// were kept, and that nothing admitted was changed or dropped since. It can't prove that a
/// sapling lives, or what was never submitted.
///
/// Begin with: arborlog demo
#[derive(Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 fine, 1 a check failed, 2 wrong use, 3 could not be done."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Keygen(keygen::KeygenArgs),
    Init(init::InitArgs),
    Serve(serve::ServeArgs),
    Grant(govern::GrantArgs),
    Revoke(govern::RevokeArgs),
    Method(govern::MethodArgs),
    Governors(govern::GovernorsArgs),
    LogKey(govern::LogKeyArgs),
    Propose(govern::ProposeArgs),
    Endorse(govern::EndorseArgs),
    Submit(submit::SubmitArgs),
    Import(import::ImportArgs),
    Receipt(receipt::ReceiptArgs),
    Verify(receipt::VerifyArgs),
    Audit(audit::AuditArgs),
    Mirror(mirror::MirrorArgs),
    Monitor(monitor::MonitorArgs),
    Fsck(fsck::FsckArgs),
    Bench(bench::BenchArgs),
}

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
const CORE_DUMPS: &str = "ARBORLOG_CORE_DUMPS";

fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    if std::env::var_os(CORE_DUMPS).is_none() {
        // A system without it keeps its own rules.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    keep_memory_private();
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("ARBORLOG_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let done = match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Keygen(args) => keygen::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Grant(args) => govern::grant(&args),
        Command::Revoke(args) => govern::revoke(&args),
        Command::Method(args) => govern::method(&args),
        Command::Governors(args) => govern::governors(&args),
        Command::LogKey(args) => govern::log_key(&args),
        Command::Propose(args) => govern::propose(&args),
        Command::Endorse(args) => govern::endorse(&args),
        Command::Submit(args) => submit::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Receipt(args) => receipt::fetch(&args),
        Command::Verify(args) => receipt::verify(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Mirror(args) => mirror::run(&args),
        Command::Monitor(args) => monitor::run(&args),
        Command::Fsck(args) => fsck::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, error }) => {
            eprintln!("arborlog: {error:#}");
            ExitCode::from(code)
        }
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
