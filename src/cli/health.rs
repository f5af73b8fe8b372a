use std::time::Duration;

use arborlog::client::Health;
use clap::Args;

use super::{Done, Failure, connect};

/// Ask whether a server admits records.
///
/// Exit codes: 0 it does; 1 it does not, and says why; 3 it could not be asked, or did not answer in time.
#[derive(Args)]
pub struct HealthArgs {
    /// The server, such as http://127.0.0.1:8080; its --admin-listen, if it has one.
    #[arg(env = "ARBORLOG_HEALTH_URL")]
    url: String,
    /// Ask whether it serves, rather than whether it admits records: one that follows does not admit any.
    #[arg(long)]
    serves: bool,
    /// Give up after so many seconds.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=3600))]
    within_s: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &HealthArgs) -> Done {
    let remote = connect::to(&args.url);
    remote.check_address().map_err(Failure::usage)?;
    let within = Duration::from_secs(args.within_s);
    let health = match args.serves {
        true => remote.serves(within)?,
        false => remote.admits(within)?,
    };
    match health {
        Health::Well => {
            let words = if args.serves { "serves" } else { "ready" };
            if args.json {
                outln!(
                    "{}",
                    serde_json::json!({"outcome": "holds", "health": words})
                );
            } else {
                outln!("{words}");
            }
            Ok(())
        }
        Health::Unwell(why) => Err(Failure::check(anyhow::anyhow!(
            "{}: not ready: {why}",
            args.url
        ))),
    }
}
