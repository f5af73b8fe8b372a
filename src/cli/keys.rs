//! What is in force: the public half of a key file, and the verifier key of a log.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Deserialize;

use super::fsck::{LedgerFiles, damaged};
use super::keygen::{self, KeygenArgs};
use super::log_source::{self, failed, is_mirror, is_url, read_vkey};
use super::{Done, Failure, connect, progress, signing};
use arborlog::audit::{
    AuditError, Auditor, Folder, StaticLog, TileSource, WholeError, each_entry, threads_default,
};
use arborlog::crypto::{PublicKey, Signer};
use arborlog::log::{has_store, read_origin};
use arborlog::note::{KeyName, SignatureType, TreeHead, UnverifiedCheckpoint, VerifierKey};
use arborlog::record::{Index, Origin, Statement};
use arborlog::store::DiskStore;

/// Make a key, or show one: of a file, of an ssh-agent, or of a variable.
///
/// `arborlog key FILE` is short for `arborlog key show FILE`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct KeyArgs {
    #[command(subcommand)]
    what: Option<KeyCommand>,
    #[command(flatten)]
    show: Option<ShowArgs>,
}

#[derive(Subcommand)]
enum KeyCommand {
    New(KeygenArgs),
    /// Print the public key.
    Show(ShowArgs),
    Vkey(KeyVkeyArgs),
    /// Print the fingerprint of the public key, as `ssh-add -l` shows it.
    Fingerprint(ShowArgs),
}

/// A key, and how it is shown.
#[derive(Args)]
struct ShowArgs {
    /// The private key's file; the public half that OpenSSH writes of a key; or env:VARIABLE.
    file: PathBuf,
    /// Print one JSON object: with the fingerprint, the line that OpenSSH writes, and where the private half is.
    #[arg(long)]
    json: bool,
}

/// Print the verifier key of a key (c2sp.org/signed-note), under a name.
#[derive(Args)]
struct KeyVkeyArgs {
    /// The private key's file; the public half that OpenSSH writes of a key; or env:VARIABLE.
    file: PathBuf,
    /// The name that it signs under: a log's origin, or a cosigner's name, such as witness.example.org/arborlog.
    name: KeyName,
    /// Of cosignatures (c2sp.org/tlog-cosignature), in the place of a log's signatures and audit notes.
    #[arg(long)]
    cosigns: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Print the verifier key of the log key in force, and what vouches for it.
///
/// With --log, every entry is checked up to the one that names the key: then the key you gave
/// vouches for the one that is printed. Without it, a log's own word is all that there is: compare
/// what is printed with what the programme published.
#[derive(Args)]
pub struct VkeyArgs {
    /// A ledger's URL, a mirror, or a ledger's directory (whose server must be stopped).
    ledger: String,
    /// A verifier key of the log that you were told, also one that was replaced, or a file that
    /// holds it.
    #[arg(long, value_name = "VKEY")]
    log: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn key(args: &KeyArgs) -> Done {
    match (&args.what, &args.show) {
        (Some(KeyCommand::New(args)), _) => keygen::run(args),
        (Some(KeyCommand::Show(args)), _) | (None, Some(args)) => {
            show(args, |public| public.to_string())
        }
        (Some(KeyCommand::Fingerprint(args)), _) => show(args, PublicKey::fingerprint),
        (Some(KeyCommand::Vkey(args)), _) => key_vkey(args),
        (None, None) => Err(Failure::usage(
            "name a key's file, or see arborlog key --help",
        )),
    }
}

fn show(args: &ShowArgs, words: impl Fn(&PublicKey) -> String) -> Done {
    let signer = signing::look_at(&args.file)?;
    let public = signer.public();
    if args.json {
        let kept = match signer {
            Signer::Memory(_) => "here",
            _ => "ssh-agent",
        };
        outln!(
            "{}",
            serde_json::json!({
                "file": args.file, "public": public, "fingerprint": public.fingerprint(),
                "openssh": public.to_openssh(), "private_half": kept,
            })
        );
    } else {
        outln!("{}", words(&public));
    }
    Ok(())
}

fn key_vkey(args: &KeyVkeyArgs) -> Done {
    let public = signing::look_at(&args.file)?.public();
    let kind = match args.cosigns {
        true => SignatureType::CosignatureV1,
        false => SignatureType::Ed25519,
    };
    let vkey = VerifierKey::new(args.name.clone(), kind, public);
    if args.json {
        outln!("{}", serde_json::json!({"vkey": vkey.to_string()}));
    } else {
        outln!("{vkey}");
    }
    Ok(())
}

/// A verifier key, and what vouches for it.
struct Found {
    vkey: VerifierKey,
    /// Whether a key that the reader gave vouches for it.
    proven: bool,
    /// The same in words.
    trust: String,
}

pub fn vkey(args: &VkeyArgs) -> Done {
    let dir = Path::new(&args.ledger);
    let found = match &args.log {
        Some(log) => by_audit(&args.ledger, read_vkey(log)?)?,
        None if is_url(&args.ledger) => by_its_server(&args.ledger)?,
        None if is_mirror(dir)? => by_its_tiles(dir)?,
        None if has_store(dir)? => by_its_files(dir)?,
        // Says what is wrong with the place.
        None => return log_source::open(&args.ledger).map(drop),
    };
    if args.json {
        outln!(
            "{}",
            serde_json::json!({
                "vkey": found.vkey.to_string(), "proven": found.proven, "trust": found.trust,
            })
        );
        return Ok(());
    }
    outln!("{}", found.vkey);
    // Beside it, so that the key alone can be taken into a variable.
    errln!("{}", found.trust);
    Ok(())
}

fn by_audit(place: &str, log: VerifierKey) -> Result<Found, Failure> {
    let source = log_source::open(place)?;
    let mut auditor = Auditor::new(log).map_err(failed)?;
    let claimed = auditor.fetch_checkpoint(source.as_ref()).map_err(failed)?;
    let size = claimed.head().size;
    let bar = progress::bar("checking entries", size);
    let done: Result<_, AuditError> = auditor.advance(
        source.as_ref(),
        &claimed,
        threads_default(),
        |taken, _| {
            bar.set_position(taken.index.0 + 1);
            Ok(())
        },
        |_| Ok(()),
    );
    bar.finish_and_clear();
    done.map_err(failed)?;
    let vkey = auditor
        .vkey_in_force()
        .ok_or_else(|| failed(AuditError::Empty))?;
    Ok(Found {
        vkey,
        proven: true,
        trust: format!(
            "proven: all {size} entries were checked, from the key that you gave to this one"
        ),
    })
}

/// What a server says of the keys that sign its checkpoints.
#[derive(Deserialize)]
struct LogKeys {
    log_keys: Vec<NamedLogKey>,
}

#[derive(Deserialize)]
struct NamedLogKey {
    vkey: String,
    named_at: Index,
}

fn by_its_server(url: &str) -> Result<Found, Failure> {
    let remote = connect::to(url);
    let told: LogKeys = remote.json("v1/governors")?;
    let last = told.log_keys.last();
    let last = last.ok_or_else(|| anyhow::anyhow!("{url} names no log key"))?;
    let vkey: VerifierKey = last
        .vkey
        .parse()
        .map_err(|error| anyhow::anyhow!("{url} names {:?} as its key: {error}", last.vkey))?;
    let checkpoint = read_claim(log_source::open(url)?.as_ref())?;
    checkpoint
        .verify(&vkey)
        .map_err(|error| failed(error.into()))?;
    Ok(unproven(
        vkey,
        format!(
            "the server says so (named by entry {}), and its checkpoint is signed by this key",
            last.named_at
        ),
    ))
}

fn by_its_tiles(dir: &Path) -> Result<Found, Failure> {
    let folder = Folder::new(dir);
    let checkpoint = read_claim(&folder)?;
    let origin = Origin::from(checkpoint.origin().clone());
    let (vkey, index) = last_named(&folder, &origin, checkpoint.head())?;
    checkpoint
        .verify(&vkey)
        .map_err(|error| failed(error.into()))?;
    Ok(unproven(
        vkey,
        format!("its entry {index} names this key, and its checkpoint is signed by it"),
    ))
}

fn by_its_files(dir: &Path) -> Result<Found, Failure> {
    let origin = read_origin(dir)?;
    let store = DiskStore::inspect(dir).map_err(damaged)?;
    let head = store.head().tree;
    if head.size == 0 {
        return Err(anyhow::anyhow!(
            "{} has no genesis yet: run arborlog init {} --complete",
            dir.display(),
            dir.display()
        )
        .into());
    }
    let (vkey, index) = last_named(&LedgerFiles(store), &origin, head)?;
    Ok(unproven(
        vkey,
        format!("entry {index} of the ledger in this directory names this key"),
    ))
}

fn unproven(vkey: VerifierKey, why: String) -> Found {
    Found {
        vkey,
        proven: false,
        trust: format!(
            "not proven: {why}. Nobody else vouches for it here: compare it with what the programme published, or give the key that you know with --log"
        ),
    }
}

fn read_claim(source: &dyn StaticLog) -> Result<UnverifiedCheckpoint, Failure> {
    let note = source.checkpoint().map_err(|error| failed(error.into()))?;
    UnverifiedCheckpoint::parse(&note).map_err(|error| failed(error.into()))
}

/// The last log key that the entries of a tree name, and the entry that names it.
fn last_named(
    source: &dyn TileSource,
    origin: &Origin,
    head: TreeHead,
) -> Result<(VerifierKey, Index), Failure> {
    let mut last: Option<(PublicKey, Index)> = None;
    let bar = progress::bar("reading entries", head.size);
    let done: Result<(), WholeError> =
        each_entry(source, origin, head, threads_default(), |taken| {
            let index = taken.index;
            bar.set_position(index.0 + 1);
            match taken.checked.entry().statement() {
                Some(Statement::Genesis(genesis)) => last = Some((genesis.log_key, index)),
                Some(Statement::LogKey(log_key)) => last = Some((log_key.key, index)),
                _ => {}
            }
            Ok(())
        });
    bar.finish_and_clear();
    done.map_err(|error| failed(error.into()))?;
    let (key, index) = last.ok_or_else(|| failed(AuditError::Empty))?;
    let vkey = VerifierKey::new(origin.name().clone(), SignatureType::Ed25519, key);
    Ok((vkey, index))
}
