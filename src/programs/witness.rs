//! `arborlog witness`: serves a witness over HTTP (c2sp.org/tlog-witness).

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;

use crate::cli::serve::stop_signal;
use crate::cli::{Done, Failure, signing};
use arborlog::cosign::{KeyKind, Witness, WitnessError};
use arborlog::http::{TrustedProxies, serve_witness};
use arborlog::note::KeyName;
use arborlog::outcome::Outcome;

/// Serve a witness: it cosigns checkpoints of the logs that it watches, each only if the log is proven to
/// extend what it cosigned before (c2sp.org/tlog-witness).
///
/// DIR has its key, the list of logs (DIR/logs, a verifier key a line) and what it saw of each. Make it
/// with --init. Back DIR up, and never put an older copy of DIR/seen back: a witness that forgot what it
/// saw may cosign a second history.
#[derive(Args)]
pub struct WitnessArgs {
    /// The witness's folder.
    #[arg(env = "ARBORLOG_WITNESS_DIR")]
    dir: PathBuf,
    /// Make the folder and a key of this name, such as witness.example.org/arborlog; print the verifier
    /// key, for policies, and end. If DIR/witness.pub is there, the public half of an Ed25519 key as OpenSSH writes
    /// it, the key that an ssh-agent has is taken, and none is made.
    #[arg(long, value_name = "NAME")]
    init: Option<KeyName>,
    /// What key --init makes: ed25519, whose cosignatures every client reads, or mldsa (ML-DSA-44), whose
    /// cosignatures hold against quantum computers too. One witness has one key.
    #[arg(
        long,
        value_name = "KIND",
        default_value = "ed25519",
        requires = "init"
    )]
    key: KeyKind,
    /// Where to listen; port 0 takes a free one and prints it.
    #[arg(
        long,
        env = "ARBORLOG_WITNESS_LISTEN",
        default_value = "127.0.0.1:8090"
    )]
    listen: String,
    /// The address of a proxy that is believed when it says, in X-Forwarded-For, whom a request is from.
    /// Give it once for each proxy.
    #[arg(
        long,
        env = "ARBORLOG_WITNESS_TRUSTED_PROXY",
        value_name = "ADDR",
        value_delimiter = ','
    )]
    trusted_proxy: Vec<std::net::IpAddr>,
}

pub fn run(args: &WitnessArgs) -> Done {
    let access = signing::access_of_servers();
    if let Some(name) = &args.init {
        let vkey = Witness::init_with(&args.dir, name, args.key, &access).map_err(not_opened)?;
        outln!("{vkey}");
        return Ok(());
    }
    let witness = Arc::new(Witness::open_with(&args.dir, &access).map_err(not_opened)?);
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let stop = stop_signal()?;
        let listener = TcpListener::bind(&args.listen).await.map_err(|error| {
            anyhow::anyhow!("{}: {error}; choose another with --listen", args.listen)
        })?;
        outln!("listening on http://{}", listener.local_addr()?);
        tracing::info!(vkey = %witness.vkey(), logs = witness.logs().count(), "watching");
        let proxies = TrustedProxies::new(args.trusted_proxy.iter().copied());
        serve_witness(listener, witness, proxies, stop).await?;
        tracing::info!("stopped");
        Ok(())
    })
}

fn not_opened(error: WitnessError) -> Failure {
    let outcome = match &error {
        WitnessError::Exists(_) | WitnessError::Line { .. } => return Failure::usage(error),
        WitnessError::NoWitness(_) => Outcome::NotThatKind,
        WitnessError::Damaged { .. } => Outcome::False,
        _ => Outcome::Unchecked,
    };
    Failure::of(outcome, error)
}
