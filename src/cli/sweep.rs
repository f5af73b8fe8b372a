use std::sync::Arc;

use clap::Args;
use tokio::runtime::Runtime;

use super::{Done, store};
use arborlog::store::StoreError;
use arborlog::store::blobs::{Chain, PackShape, Patience, sweep, sweep_states, sweep_tiles};

/// Delete commits of a ledger on an object store that are in packs.
///
/// And saved states but the last two. Under a role of its own, which may delete below commit/ and state/ alone: what
/// serves deletes nothing. Each commit is deleted
/// after its entries were found in packs, byte by byte; fences stay. By a timer, once a day or so.
#[derive(Args)]
pub struct SweepArgs {
    /// The ledger's object store.
    #[arg(env = "ARBORLOG_STORE", value_name = "ADDRESS")]
    store: String,
    /// Also delete partial tiles whose full ones are there, of a ledger that is served with --tiles. It lists all
    /// tiles.
    #[arg(long)]
    tiles: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &SweepArgs) -> Done {
    let blobs = store::open(&args.store)?;
    let swept = Runtime::new()?.block_on(async {
        let patience = Patience::default();
        let origin = Chain::origin(&*blobs, patience).await?;
        let chain = Chain::open(Arc::clone(&blobs), &origin, patience).await?;
        let mut swept = sweep(&chain, PackShape::STANDARD).await?;
        swept.states = sweep_states(&chain).await?;
        if args.tiles {
            swept.tiles = sweep_tiles(&chain).await?;
        }
        Ok(swept)
    });
    let swept = swept.map_err(|error: StoreError| super::fsck::damaged(error))?;
    if args.json {
        outln!(
            "{}",
            serde_json::json!({
                "deleted": swept.deleted, "fences": swept.fences, "states": swept.states, "tiles": swept.tiles,
            })
        );
    } else {
        outln!(
            "deleted {} commits, {} objects of older states and {} partial tiles; {} fences stay",
            swept.deleted,
            swept.states,
            swept.tiles,
            swept.fences
        );
    }
    Ok(())
}
