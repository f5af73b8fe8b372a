//! The main job on real open data, on a server of its own, in one process.

mod job;
mod programme;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::net::TcpListener;

use crate::cli::{Done, say, serve};
use arborlog::http::ServeOptions;
use arborlog::log::{Log, LogConfig};
use arborlog::note::VerifierKey;
use arborlog::web::Site;
use job::{DemoSummary, play};
use programme::{make_keys, make_ledger};

/// How often a state entry covers what visitors added.
const COVER_EVERY: Duration = Duration::from_secs(1);

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
    /// Stop after verifying, and do not serve.
    #[arg(long)]
    once: bool,
    /// Print one JSON object on stdout; progress goes to stderr.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &DemoArgs) -> Done {
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new()?;
    let ledger = args.dir.join("ledger");
    let keys = make_keys(&args.dir.join("keys"))?;
    let genesis = make_ledger(&ledger, &keys)?;
    let vkey: VerifierKey = std::fs::read_to_string(ledger.join("log.vkey"))?
        .trim()
        .parse()?;

    let config = LogConfig {
        // A demo is run again after weeks, on a machine that nobody watches.
        accept_clock: true,
        ..LogConfig::of(&ledger)
    };
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
    errln!("listening on {url}");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (shown, covered) = (Arc::clone(&log), Arc::clone(&log));
    let server = runtime.spawn(arborlog::http::serve(
        listener,
        log,
        ServeOptions::default(),
        |closing| arborlog::web::pages(shown, Site::default(), closing),
        async {
            let _ = stopped.await;
        },
    ));

    // One state entry, behind all else: a server that wrote one a second would give every entry another
    // index in each run.
    let cover = || {
        Ok(runtime
            .block_on(covered.cover())
            .map_err(anyhow::Error::from)?)
    };
    let done = play(&args.dir.join("work"), &url, &keys, &vkey, genesis, cover);
    if let Ok(summary) = &done {
        print(args, summary, begun.elapsed().as_secs_f64())?;
        if !args.once {
            say(args.json, format!("serving on {url} until Ctrl-C"));
            // What visitors add is covered as a server covers it.
            runtime.block_on(async {
                let stop = serve::stop_signal()?;
                let mut stop = std::pin::pin!(stop);
                let mut due = tokio::time::interval(COVER_EVERY);
                loop {
                    tokio::select! {
                        () = &mut stop => return Ok::<_, std::io::Error>(()),
                        _ = due.tick() => {}
                    }
                    if let Err(error) = covered.cover().await {
                        tracing::warn!(%error, "no state entry covers what came in");
                    }
                }
            })?;
        }
    }
    let _ = stop.send(());
    runtime.block_on(server)??;
    done.map(drop)
}

fn print(args: &DemoArgs, summary: &DemoSummary, seconds: f64) -> Done {
    let head = summary.checkpoint.head();
    if args.json {
        let mut object = serde_json::json!({
            "dir": args.dir,
            "origin": summary.checkpoint.origin().as_str(),
            "log_vkey": summary.vkey.to_string(),
            "genesis": summary.genesis,
            "entries": head.size,
            "set_aside": summary.set_aside,
            "refused": summary.refused,
            "statements_refused": summary.statements_refused,
            "receipts_verified": summary.receipts_verified,
            "root": head.root.to_string(),
            "seconds": seconds,
        });
        if let Some(object) = object.as_object_mut() {
            for (name, total) in &summary.totals {
                object.insert((*name).to_owned(), total.clone().into());
            }
        }
        outln!("{object}");
        return Ok(());
    }
    outln!();
    outln!(
        "{} entries in {seconds:.1} s, root {}",
        head.size,
        head.root
    );
    outln!(
        "{} lines set aside, {} refused, and {} statements refused: see {}",
        summary.set_aside,
        summary.refused,
        summary.statements_refused,
        args.dir.join("work").display()
    );
    outln!("{} receipts verified offline", summary.receipts_verified);
    outln!("log vkey {}", summary.vkey);
    outln!("genesis  {}", summary.genesis);
    outln!();
    outln!(
        "Points are grams of CO2e under the programme's own method: no measured reductions, no credits."
    );
    for (name, total) in &summary.totals {
        outln!("  {:16} {:>14}", name.replace('_', " "), total);
    }
    outln!("Standing is what the books say, not what grows; surveys stand beside it.");
    Ok(())
}
