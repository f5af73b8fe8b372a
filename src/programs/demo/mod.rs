//! The main job on real open data, on a server of its own, in one process.

mod job;
mod programme;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use tokio::net::TcpListener;

use crate::cli::{Done, say, serve};
use arborlog::http::Limits;
use arborlog::log::{Log, LogConfig};
use arborlog::note::VerifierKey;
use arborlog::web::Site;
use job::{Outcome, play};
use programme::{make_keys, make_ledger};

/// Run the main job on real data: keys, a ledger, awards, plots, claims; then verify and serve.
///
/// Bay Area bicycle trips become awards, San Francisco's street trees plots and plantings. Running
/// it again, also after it was killed, continues the same ledger and appends nothing twice.
#[derive(Args)]
pub struct DemoArgs {
    /// Where keys, ledger and journals are kept.
    #[arg(long, default_value = "demo-ledger")]
    dir: PathBuf,
    /// Where to listen; port 0 takes a free one and prints it.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// Stop after verifying, rather than go on serving.
    #[arg(long)]
    once: bool,
    /// Print one JSON object on stdout; progress goes to stderr.
    #[arg(long)]
    json: bool,
}

const TOTALS: [&str; 11] = [
    "awarded",
    "reversed",
    "expired",
    "spent_elsewhere",
    "claimed",
    "balances",
    "planted",
    "lost",
    "standing",
    "assigned",
    "waiting",
];

pub fn run(args: &DemoArgs) -> Done {
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new()?;
    let ledger = args.dir.join("ledger");
    let keys = make_keys(&args.dir.join("keys"))?;
    let genesis = make_ledger(&ledger, &keys)?;
    let vkey: VerifierKey = std::fs::read_to_string(ledger.join("log.vkey"))?
        .trim()
        .parse()?;

    let config = LogConfig::of(&ledger);
    let log = Arc::new(runtime.block_on(Log::open(&config))?);
    let listener = runtime
        .block_on(TcpListener::bind(&args.listen))
        .map_err(|error| {
            anyhow::anyhow!(
                "{}: {error}; choose another with --listen, such as 127.0.0.1:0",
                args.listen
            )
        })?;
    let url = format!("http://{}", listener.local_addr()?);
    eprintln!("listening on {url}");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shown = Arc::clone(&log);
    let server = runtime.spawn(arborlog::http::serve(
        listener,
        log,
        Limits::default(),
        None,
        |closing| arborlog::web::router(shown, Site::default(), closing),
        async {
            let _ = stopped.await;
        },
    ));

    let done = play(&args.dir.join("work"), &url, &keys, &vkey, genesis);
    if let Ok(outcome) = &done {
        print(args, outcome, begun.elapsed().as_secs_f64())?;
        if !args.once {
            say(args.json, format!("serving on {url} until Ctrl-C"));
            runtime.block_on(async {
                serve::stop_signal()?.await;
                Ok::<_, std::io::Error>(())
            })?;
        }
    }
    let _ = stop.send(());
    runtime.block_on(server)??;
    done.map(drop)
}

fn print(args: &DemoArgs, outcome: &Outcome, seconds: f64) -> Done {
    let head = outcome.checkpoint.head();
    if args.json {
        let mut object = serde_json::json!({
            "dir": args.dir,
            "origin": outcome.checkpoint.origin().as_str(),
            "log_vkey": outcome.vkey.to_string(),
            "genesis": outcome.genesis,
            "entries": head.size,
            "refused": outcome.refused,
            "receipts_verified": outcome.receipts_verified,
            "root": head.root.to_string(),
            "seconds": seconds,
        });
        if let Some(object) = object.as_object_mut() {
            for name in TOTALS {
                let total = outcome.totals.get(name).cloned().unwrap_or_default();
                object.insert(name.to_owned(), total);
            }
        }
        println!("{object}");
        return Ok(());
    }
    println!();
    println!(
        "{} entries in {seconds:.1} s, root {}",
        head.size, head.root
    );
    println!(
        "{} rows set aside or refused: see {}",
        outcome.refused,
        args.dir.join("work").display()
    );
    println!("{} receipts verified offline", outcome.receipts_verified);
    println!("log vkey {}", outcome.vkey);
    println!("genesis  {}", outcome.genesis);
    println!();
    println!(
        "Points are grams of CO2e under the programme's own method: no measured reductions, no credits."
    );
    for name in TOTALS {
        let total = outcome
            .totals
            .get(name)
            .map(ToString::to_string)
            .unwrap_or_default();
        println!("  {:16} {total:>14}", name.replace('_', " "));
    }
    println!("Standing is what the books say, not what grows; surveys stand beside it.");
    Ok(())
}
