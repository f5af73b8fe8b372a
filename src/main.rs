//! The command line: which command the arguments name. `cli` has the commands of a ledger,
//! `programs` the jobs that are not the server's; they use `cli`, and `cli` does not know them.

#![warn(clippy::cast_possible_truncation)]
// `cli::out` prints: these panic when a pipe is closed or a disk is full.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod cli;
mod programs;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use cli::log_lines::{LastLines, LogFormat, LogLines};
use cli::{
    attest, audit, config, connect, doctor, fsck, govern, health, init, keygen, keys, lead, mirror,
    monitor, page, proposal, receipt, sample, serve, shell, submit, sweep,
};
use programs::{auditor, bench, demo, import, witness};

/// An append-only, verifiable carbon ledger.
///
/// Awards and plantings are records, signed by those who vouch for them, chained, and kept in a
/// Merkle log whose proofs anyone can verify. It proves who said what and when, that the rules
/// were kept, and that nothing admitted was changed or dropped since. It can't prove that a
/// sapling lives, or what was never submitted.
///
/// Begin with: arborlog demo
#[derive(Parser)]
#[command(
    version = concat!(env!("CARGO_PKG_VERSION"), " (commit ", env!("ARBORLOG_COMMIT"), ")"),
    max_term_width = 100,
    after_help = "Exit codes, of every command: 0 it holds, or is done; 1 it is false, or was refused; 2 wrong use; \
        3 it could not be checked, or done (a file is missing, a server away); 4 it is not that kind of thing; 5 not all went in; \
        130 interrupted."
)]
struct Cli {
    /// Take settings of servers that no flag and no variable gives from this file (TOML): a table for each
    /// command, and in it flags by their names. `arborlog config` shows what is in force.
    #[arg(long, value_name = "FILE", global = true, env = "ARBORLOG_CONFIG")]
    config: Option<PathBuf>,
    /// Trust the certificate authorities in this file (PEM), and no others, for servers with
    /// https; without it, those that this system trusts.
    #[arg(long, value_name = "FILE", global = true, env = "ARBORLOG_CACERT")]
    cacert: Option<PathBuf>,
    /// How log lines, on standard error, are written: for people, or a JSON object in each.
    #[arg(
        long,
        value_name = "FORMAT",
        global = true,
        env = "ARBORLOG_LOG_FORMAT",
        value_enum,
        default_value_t
    )]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Keygen(keygen::KeygenArgs),
    Key(keys::KeyArgs),
    Vkey(keys::VkeyArgs),
    Init(init::InitArgs),
    Config(config::ConfigArgs),
    Serve(Box<serve::ServeArgs>),
    Health(health::HealthArgs),
    Lead(lead::LeadArgs),
    Sweep(sweep::SweepArgs),
    Grant(govern::GrantArgs),
    Revoke(govern::RevokeArgs),
    Method(govern::MethodArgs),
    Policy(govern::PolicyArgs),
    Governors(govern::GovernorsArgs),
    LogKey(govern::LogKeyArgs),
    Propose(govern::ProposeArgs),
    Endorse(govern::EndorseArgs),
    Submit(submit::SubmitArgs),
    Import(import::ImportArgs),
    Receipt(receipt::ReceiptArgs),
    Prove(receipt::ProveArgs),
    Verify(receipt::VerifyArgs),
    Audit(Box<audit::AuditArgs>),
    Sample(sample::SampleArgs),
    Attest(attest::AttestArgs),
    Mirror(mirror::MirrorArgs),
    Monitor(monitor::MonitorArgs),
    Fsck(fsck::FsckArgs),
    Page(page::PageArgs),
    Bench(bench::BenchArgs),
    Witness(witness::WitnessArgs),
    Auditor(auditor::AuditorArgs),
    Proposal(proposal::ProposalArgs),
    Doctor(doctor::DoctorArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}

/// What is logged unless `ARBORLOG_LOG` asks for something else.
const LOG_DEFAULT: &str = "info";

fn main() -> ExitCode {
    cli::keep_memory_private();
    let Read { cli, json, matches } = match read_arguments() {
        Ok(read) => read,
        Err(code) => return code,
    };
    let last_lines = match log_to_stderr(cli.log_format) {
        Ok(last_lines) => last_lines,
        Err(error) => {
            return cli::exit(Err(anyhow::anyhow!("a thread for the log: {error}").into()));
        }
    };
    let done = connect::trust(cli.cacert.as_deref()).and_then(|()| run(cli.command, &matches));
    drop(last_lines);
    cli::exit(cli::answered(json, done))
}

/// What the arguments, with those of the configuration file, name.
struct Read {
    cli: Cli,
    /// Whether the answer is for a program.
    json: bool,
    matches: ArgMatches,
}

/// Arguments that name no command, or ask for help, end the process with this code.
fn read_arguments() -> Result<Read, ExitCode> {
    let all: Vec<OsString> = std::env::args_os().collect();
    let json_named = all.iter().any(|argument| argument == "--json");
    let wrong = |failure: &cli::Failure| {
        if json_named {
            cli::out::write(format_args!("{}\n", failure.as_json()));
        }
        ExitCode::from(failure.code())
    };
    let command = Cli::command();
    let arguments = config::with_file(&command, all).map_err(|failure| {
        cli::out::write_error(format_args!("arborlog: {failure}\n"));
        wrong(&failure)
    })?;
    let read = command.try_get_matches_from(&arguments.all);
    let read = read.and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        let json = asks_for_json(&matches);
        Ok(Read { cli, json, matches })
    });
    read.map_err(|error| {
        // To standard output what was asked for, to standard error what is wrong.
        let _ = error.print();
        if !error.use_stderr() {
            return ExitCode::SUCCESS;
        }
        let failure = config::refused(&error, &arguments);
        if let Some(place) = config::place_of(&error, &arguments) {
            cli::out::write_error(format_args!("{place}\n"));
        }
        wrong(&failure)
    })
}

/// Whether a command that has `--json` is asked for it.
fn asks_for_json(matches: &ArgMatches) -> bool {
    let here = matches.try_get_one::<bool>("json");
    here.is_ok_and(|json| json == Some(&true))
        || matches
            .subcommand()
            .is_some_and(|(_, command)| asks_for_json(command))
}

/// Sends log lines and panics to standard error, filtered by `ARBORLOG_LOG`.
fn log_to_stderr(format: LogFormat) -> std::io::Result<LastLines> {
    let (lines, last_lines) = LogLines::start(format)?;
    let panics = lines.clone();
    std::panic::set_hook(Box::new(move |panic| panics.tell_panic(panic)));
    let asked = std::env::var_os("ARBORLOG_LOG").unwrap_or_else(|| LOG_DEFAULT.into());
    let filter = asked.to_str().map(EnvFilter::try_new);
    let (filter, understood) = match filter {
        Some(Ok(filter)) => (filter, true),
        _ => (EnvFilter::new(LOG_DEFAULT), false),
    };
    let told = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines);
    match format {
        LogFormat::Text => told.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => told.json().flatten_event(true).init(),
    }
    if !understood {
        tracing::warn!(
            ?asked,
            "ARBORLOG_LOG is no filter; {LOG_DEFAULT} is in force. Write it as error, warn, info, debug or trace"
        );
    }
    Ok(last_lines)
}

fn run(command: Command, matches: &ArgMatches) -> cli::Done {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Keygen(args) => keygen::run(&args),
        Command::Key(args) => keys::key(&args),
        Command::Vkey(args) => keys::vkey(&args),
        Command::Init(args) => init::run(&args),
        Command::Config(args) => config::show(&args, &Cli::command(), matches),
        Command::Serve(args) => serve::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Lead(args) => lead::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Grant(args) => govern::grant(&args),
        Command::Revoke(args) => govern::revoke(&args),
        Command::Method(args) => govern::method(&args),
        Command::Policy(args) => govern::policy(&args),
        Command::Governors(args) => govern::governors(&args),
        Command::LogKey(args) => govern::log_key(&args),
        Command::Propose(args) => govern::propose(&args),
        Command::Endorse(args) => govern::endorse(&args),
        Command::Submit(args) => submit::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Receipt(args) => receipt::fetch(&args),
        Command::Prove(args) => receipt::prove(&args),
        Command::Verify(args) => receipt::verify(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Sample(args) => sample::run(&args),
        Command::Attest(args) => attest::run(&args),
        Command::Mirror(args) => mirror::run(&args),
        Command::Monitor(args) => monitor::run(&args),
        Command::Fsck(args) => fsck::run(&args),
        Command::Page(args) => page::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Witness(args) => witness::run(&args),
        Command::Auditor(args) => auditor::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Proposal(args) => proposal::run(&args),
        Command::Completions(args) => shell::completions(&args, Cli::command()),
        Command::Man(args) => shell::man(&args, Cli::command()),
    }
}
