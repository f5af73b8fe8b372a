use std::time::{Duration, Instant};

use clap::Args;
use tokio::runtime::Runtime;

use super::{Done, Failure, connect, store};
use arborlog::client::RemoteError;
use arborlog::log::NEVER_LEADS;
use arborlog::store::blobs::{Handover, Patience};

/// After this the server that was named does not lead. One that takes over from a leader that does not answer
/// waits for its silence first.
const PATIENCE: Duration = Duration::from_secs(30);

/// Have another server lead a ledger that several share.
///
/// The server that leads now answers what it has judged, refuses what comes, and makes room; the one at URL
/// leads at once. If the leader does not answer, the other leads when there was no sign of life for 10 s.
#[derive(Args)]
pub struct LeadArgs {
    /// The server that is to lead, by the address that it says of itself: --advertise, --public-url, or where it
    /// listens.
    url: String,
    /// The ledger's object store.
    #[arg(long, env = "ARBORLOG_STORE", value_name = "ADDRESS")]
    store: String,
    /// Where that server says whether it leads, if that is not at URL: its --admin-listen.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &LeadArgs) -> Done {
    let blobs = store::open(&args.store)?;
    let to = connect::to(&args.url);
    to.check_address().map_err(Failure::usage)?;
    let to = to.base().to_owned();
    let admin = args.admin.as_ref().unwrap_or(&args.url);
    let remote = connect::to(admin).retrying_for(PATIENCE);
    remote.check_address().map_err(Failure::usage)?;
    // Before the leader makes room: nobody would lead until its silence is over.
    let asked = connect::to(admin).retrying_for(Duration::ZERO);
    match asked.bytes("readyz") {
        Err(RemoteError::Away { why, .. }) if why.contains(NEVER_LEADS) => {
            return Err(Failure::usage(format!("{to}: {why}; name another server")));
        }
        Err(RemoteError::Problem { problem, .. }) if problem.status == 404 => {
            return Err(Failure::usage(format!(
                "{admin} does not say whether it leads: name its --admin-listen with --admin"
            )));
        }
        _ => {}
    }
    let begun = Instant::now();
    Runtime::new()?.block_on(Handover::wish(&*blobs, &to, Patience::default()))?;
    match remote.bytes("readyz") {
        Ok(_) => {}
        Err(RemoteError::Away { why, .. }) => {
            return Err(anyhow::anyhow!(
                "{to} does not lead after {} s: {why}; see that it runs, and that this is the address that it says of itself",
                PATIENCE.as_secs()
            )
            .into());
        }
        Err(error) => return Err(error.into()),
    }
    let ms = begun.elapsed().as_millis();
    if args.json {
        outln!("{}", serde_json::json!({"leads": to, "after_ms": ms}));
    } else {
        outln!("{to} leads after {ms} ms");
    }
    Ok(())
}
