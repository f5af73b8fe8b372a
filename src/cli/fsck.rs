use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::log_source::{self, failed, is_mirror, is_store, is_url, read_vkey};
use super::store_log::StoreLog;
use super::{Done, Failure, progress, store};
use arborlog::audit::{
    AuditError, Auditor, SourceError, StaticLog, TileFault, TileSource, Tiles, WholeError,
    check_whole, threads_default,
};
use arborlog::durable::{at, remove_folder};
use arborlog::ledger::{Globals, State};
use arborlog::log::{read_origin, state_dir};
use arborlog::merkle::{Hash, Level, TILE_HASHES, TileId};
use arborlog::note::{TreeHead, VerifierKey};
use arborlog::outcome::Outcome;
use arborlog::record::Origin;
use arborlog::replay::Replay;
use arborlog::store::blobs::Blobs;
use arborlog::store::{
    DiskStore, InspectedStore, ProvenCopy, RepairError, SavedState, SavedStateError, StoreLock,
    repair,
};

/// Check every byte of a ledger: frames, tiles, bundles, chains, lineage, signatures, rules.
///
/// Of a ledger's directory (whose server must be stopped) also the saved state against what the entries make;
/// of a URL or a mirror the checkpoint's signature, by the log key in force. Exit codes: 0 it is
/// whole; 1 it is damaged or false; 3 it could not be checked; 4 it is no ledger.
#[derive(Args)]
pub struct FsckArgs {
    /// The ledger's directory, its server's URL, its object store, or a mirror.
    ledger: String,
    /// For a URL, an object store or a mirror: the log's verifier key, or a file that holds it.
    #[arg(long, value_name = "VKEY")]
    log: Option<String>,
    /// Mend the ledger's directory from this mirror, which is audited first, then check it.
    #[arg(long, value_name = "MIRROR")]
    repair_from: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &FsckArgs) -> Done {
    fsck(args)
}

fn fsck(args: &FsckArgs) -> Done {
    let dir = Path::new(&args.ledger);
    let is_log = is_url(&args.ledger) || is_store(&args.ledger) || is_mirror(dir)?;
    match &args.repair_from {
        Some(_) if is_log => Err(Failure::usage(
            "only a ledger's own directory is mended; a mirror is made again by `arborlog mirror`",
        )),
        Some(mirror) => {
            mend(args, dir, mirror)?;
            of_directory(args, dir)
        }
        None if is_log => of_log(args),
        None => match store::of(dir, None)? {
            Some(blobs) => of_store(args, blobs),
            None => of_directory(args, dir),
        },
    }
}

fn of_directory(args: &FsckArgs, dir: &Path) -> Done {
    let origin = read_origin(dir)?;
    let store = DiskStore::inspect(dir).map_err(damaged)?;
    let head = store.head().tree;
    // The log is checked first: what becomes of the saved state says nothing of it.
    let saved = StateCopy::of(dir).and_then(|copy| {
        let Some(copy) = copy else { return Ok(None) };
        let head = copy.state.saved_head()?;
        Ok(head.map(|head| (copy, head.tree.size)))
    });
    let saved_size = saved.as_ref().ok().and_then(Option::as_ref);
    let saved_size = saved_size.map(|(_, size)| *size);
    let mut made = None;
    let state = check(&LedgerFiles(store), &origin, head, |replay| {
        if made.is_none() && Some(replay.state().entries()) == saved_size {
            made = Some(parts_of(replay.state()));
        }
    })?;
    let saved_says = match saved {
        Err(SavedStateError::Damaged(_, why)) => return Err(state_damaged(dir, &why)),
        Err(error) => {
            return Err(Failure::of(
                Outcome::Unchecked,
                anyhow::anyhow!(
                    "the log itself is whole ({} entries, root {}); the saved state could not be checked: {error}",
                    head.size,
                    head.root
                ),
            ));
        }
        Ok(None) => "no state is saved; a start makes it from the entries".to_owned(),
        Ok(Some((_, size))) if size > head.size => {
            return Err(Failure::check(anyhow::anyhow!(
                "the state was saved at {size} entries, the log has {}: acknowledged entries are missing",
                head.size
            )));
        }
        Ok(Some((mut copy, size))) => check_saved(&mut copy.state, &origin, dir, size, made)?,
    };
    report(args, &state, head, &saved_says)
}

/// A ledger whose keys are in a directory, and which is in an object store: its chain, its packs, and what the
/// entries make. Servers may run.
fn of_store(args: &FsckArgs, blobs: Arc<dyn Blobs>) -> Done {
    let log = StoreLog::open(blobs)?;
    let head = log.head()?;
    let state = check(&log, log.origin(), head, |_| {})?;
    report(
        args,
        &state,
        head,
        "the chain of commits, and the packs below it, lead to that root",
    )
}

/// The saved state of a ledger, in a copy that is gone when dropped: sled changes the files of what
/// it opens, and a check changes nothing.
struct StateCopy {
    /// Before the folder that it is in, so that it is dropped first.
    state: SavedState,
    _folder: tempfile::TempDir,
}

impl StateCopy {
    /// A copy of the state in a ledger's directory, whose lock the caller holds; `None` if no state
    /// is there.
    fn of(dir: &Path) -> Result<Option<Self>, SavedStateError> {
        let path = state_dir(dir);
        if !path.try_exists().map_err(at(&path))? {
            return Ok(None);
        }
        let folder = tempfile::tempdir().map_err(at(&std::env::temp_dir()))?;
        let state = SavedState::open_copy(&path, &folder.path().join("state"))?;
        Ok(state.map(|state| Self {
            state,
            _folder: folder,
        }))
    }
}

fn state_damaged(dir: &Path, why: &str) -> Failure {
    Failure::check(anyhow::anyhow!(
        "the saved state in {} is damaged: {why}; the log itself is whole. Remove that folder: the next start makes it anew",
        state_dir(dir).display()
    ))
}

/// The state root, and what of a state is beside it.
type StateParts = Result<(Hash, Globals), String>;

fn parts_of(state: &State) -> StateParts {
    let roots = state.roots().map_err(|error| error.to_string())?;
    Ok((roots.state_root(), state.globals().clone()))
}

fn check_saved(
    saved: &mut SavedState,
    origin: &Origin,
    dir: &Path,
    size: u64,
    made: Option<StateParts>,
) -> Result<String, Failure> {
    let bad = |why: String| state_damaged(dir, &why);
    let (state, _) = saved.load().map_err(bad)?;
    if state.globals().origin != *origin {
        return Err(bad("it is of another log".to_owned()));
    }
    let made = made
        .unwrap_or_else(|| Err("no such size".to_owned()))
        .map_err(bad)?;
    if parts_of(&state).map_err(bad)? != made {
        return Err(bad(format!("it is not what the first {size} entries make")));
    }
    Ok(format!(
        "the state saved at {size} entries is what they make"
    ))
}

fn of_log(args: &FsckArgs) -> Done {
    let Some(vkey) = &args.log else {
        return Err(Failure::usage(
            "for a URL or a mirror, give the log's key with --log: never the server's own word",
        ));
    };
    let source = log_source::open(&args.ledger)?;
    let (auditor, head) = audit(read_vkey(vkey)?, source.as_ref(), "checking entries")?;
    report(
        args,
        auditor.state(),
        head,
        "the checkpoint is signed by the log key in force",
    )
}

/// Audits a log from its first entry to its newest checkpoint, with a bar; gives the size and root
/// up to which all was verified.
fn audit(
    log: VerifierKey,
    source: &dyn StaticLog,
    what: &str,
) -> Result<(Auditor, TreeHead), Failure> {
    let mut auditor = Auditor::new(log).map_err(failed)?;
    let claimed = auditor.fetch_checkpoint(source).map_err(failed)?;
    let bar = progress::bar(what, claimed.head().size);
    let audited = auditor.advance(
        source,
        &claimed,
        threads_default(),
        |_, state| {
            bar.set_position(state.entries());
            Ok::<_, AuditError>(())
        },
        |_| Ok(()),
    );
    bar.finish_and_clear();
    audited.map_err(failed)?;
    Ok((auditor, claimed.head()))
}

fn mend(args: &FsckArgs, dir: &Path, mirror: &str) -> Done {
    // Before anything is opened: a running server's saved state is not for us to read, let alone to
    // remove.
    let lock = StoreLock::take(dir).map_err(damaged)?;
    let own = dir.join("log.vkey");
    let vkey = match &args.log {
        Some(vkey) => read_vkey(vkey)?,
        None => read_vkey(&own.display().to_string())?,
    };
    let source = log_source::open(mirror)?;
    let (_, head) = audit(vkey, source.as_ref(), "auditing the mirror")?;
    let tiles = Tiles::open(source.as_ref(), head).map_err(|fault| failed(fault.into()))?;
    let saved = StateCopy::of(dir);
    let bar = progress::bar("comparing bundles", head.size / TILE_HASHES);
    let (saved_tree, state_damaged) = match saved {
        Ok(None) => (None, false),
        Ok(Some(StateCopy { mut state, _folder })) => {
            let tree = state.saved_head()?.map(|head| head.tree);
            (tree, tree.is_some() && state.load().is_err())
        }
        Err(SavedStateError::Damaged(..)) => (None, true),
        // It may be whole, and know what was committed.
        Err(error) => return Err(error.into()),
    };
    let repaired = repair(&lock, &AuditedMirror(tiles), saved_tree, |bundles| {
        bar.set_position(bundles);
    });
    bar.finish_and_clear();
    let repaired = repaired.map_err(|error| match error {
        RepairError::Store(error) => damaged(error),
        other => Failure::check(other),
    })?;
    // What is derived from damaged files goes too: the next start makes it anew.
    if state_damaged {
        remove_folder(&state_dir(dir))?;
    }
    for path in &repaired.tiles {
        errln!("restored {}", path.display());
    }
    if let Some(aside) = &repaired.journal_aside {
        errln!(
            "made the journal anew; what was there is in {}",
            aside.display()
        );
    }
    if repaired.entries_regained > 0 {
        errln!("{} entries were regained", repaired.entries_regained);
    }
    if state_damaged {
        errln!("removed the saved state, which was damaged; the next start makes it anew");
    }
    Ok(())
}

/// A mirror's tiles, each proven to be in the tree that was audited.
struct AuditedMirror<'a>(Tiles<'a>);

impl ProvenCopy for AuditedMirror<'_> {
    fn head(&self) -> TreeHead {
        self.0.head()
    }

    fn tile(&self, id: TileId) -> Result<Vec<u8>, String> {
        let bytes = match id.level() {
            Level::Entries => self.0.bundle(id.number()).map(|bundle| bundle.bytes),
            Level::Hashes(level) => self.0.hashes(level, id.number()).map(|tile| {
                let hashes = tile.hashes().iter();
                hashes.flat_map(|hash| *hash.as_bytes()).collect()
            }),
        };
        bytes.map_err(|fault| fault.to_string())
    }

    fn root_at(&self, size: u64) -> Result<Hash, String> {
        self.0.root_at(size).map_err(|fault| fault.to_string())
    }
}

/// The static files of a ledger's directory, and what its journal holds beyond them.
pub(super) struct LedgerFiles(pub(super) InspectedStore);

impl TileSource for LedgerFiles {
    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        let unreachable =
            |error: arborlog::store::StoreError| SourceError::Unreachable(error.to_string());
        // A tile may be in the journal too: the file is what others would be served.
        if let Some(bytes) = self.0.file(id).map_err(unreachable)? {
            return Ok(bytes);
        }
        match self.0.read(id) {
            Ok(Some(bytes)) => Ok(bytes.to_vec()),
            Ok(None) => Err(SourceError::Absent),
            Err(error) => Err(unreachable(error)),
        }
    }
}

fn check(
    source: &dyn TileSource,
    origin: &Origin,
    head: TreeHead,
    mut seen: impl FnMut(&Replay),
) -> Result<State, Failure> {
    let bar = progress::bar("checking entries", head.size);
    let checked = check_whole(source, origin, head, |replay| {
        bar.set_position(replay.state().entries());
        seen(replay);
    });
    bar.finish_and_clear();
    checked.map_err(|error| match error {
        WholeError::Tile(TileFault::Unreachable { .. }) | WholeError::Unsupported { .. } => {
            failed(error.into())
        }
        // These are the ledger's own files: what is missing in them, or cut, is damage.
        error => Failure::check(error),
    })
}

fn report(args: &FsckArgs, state: &State, head: TreeHead, also: &str) -> Done {
    if args.json {
        outln!(
            "{}",
            serde_json::json!({
                "outcome": Outcome::Holds, "whole": true, "entries": head.size, "root": head.root.to_string(),
                "accounts": state.accounts_count(), "note": also,
            })
        );
        return Ok(());
    }
    outln!("whole: {} entries, root {}", head.size, head.root);
    outln!("every signature, chain, lineage link and rule, every tile and the totals were checked");
    outln!("{also}");
    Ok(())
}

pub(super) fn damaged(error: arborlog::store::StoreError) -> Failure {
    use arborlog::store::StoreError;
    match error {
        StoreError::Damaged { .. } | StoreError::DamagedObject { .. } => Failure::check(error),
        other => other.into(),
    }
}
