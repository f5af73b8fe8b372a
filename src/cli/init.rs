use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tokio::runtime::Runtime;

use super::{Done, Failure, read_text, signing, store};
use arborlog::client::{Proposal, today};
use arborlog::crypto::{PublicKey, Signer, SigningKey};
use arborlog::durable::{self, make_folders};
use arborlog::log::{GenesisError, admit_genesis, admit_genesis_to, has_store};
use arborlog::note::{SignatureType, VerifierKey};
use arborlog::record::{
    FormatVersion, Genesis, List, Origin, Record, RecordId, Seq, SigningContext, Statement, Text,
};
use arborlog::store::blobs::{Chain, Patience, ROUNDS_AT_INIT, probe};
use arborlog::store::{DiskStore, StoreError};

/// Make a ledger: its directory, its log's key, and its genesis.
///
/// Each governor is a key file (which signs now) or a public key of 64 hexadecimal digits (whose
/// holder signs later: hand DIR/genesis.json round with `arborlog endorse`, then run
/// `arborlog init DIR --complete`). At least one must be a file.
#[derive(Args)]
pub struct InitArgs {
    /// The ledger's directory; made if it is not there.
    dir: PathBuf,
    /// The log's name: a schema-less URL, such as example.org/ledger.
    #[arg(long, required_unless_present = "complete")]
    origin: Option<Origin>,
    /// The programme, in words.
    #[arg(long, required_unless_present = "complete")]
    programme: Option<String>,
    /// A governor's key file or public key; several times for several.
    #[arg(
        long = "governor",
        value_name = "KEY",
        required_unless_present = "complete"
    )]
    governors: Vec<String>,
    /// How many governors must sign what governors say; all of them, if left out.
    #[arg(long)]
    quorum: Option<u8>,
    /// The first log key: the public half of a key that an ssh-agent has, as OpenSSH writes it. It is kept as
    /// DIR/keys/log.pub. A key is made if this is left out.
    #[arg(long, value_name = "KEY", conflicts_with = "complete")]
    log_key: Option<PathBuf>,
    /// Keep the ledger in this object store, which several servers may share: s3://bucket/prefix, gs://…,
    /// az://… or file:///folder, with credentials from the environment. DIR then has keys alone. The store is
    /// tried first.
    #[arg(long, env = "ARBORLOG_STORE", value_name = "ADDRESS")]
    store: Option<String>,
    /// Admit DIR/genesis.json, now that all have signed it.
    #[arg(long, conflicts_with_all = ["origin", "programme", "governors", "quorum"])]
    complete: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &InitArgs) -> Done {
    if !args.complete {
        let (Some(origin), Some(programme)) = (&args.origin, &args.programme) else {
            return Err(Failure::usage("--origin and --programme are needed"));
        };
        let governors = args
            .governors
            .iter()
            .map(|text| parse_governor(text))
            .collect::<Result<Vec<_>, _>>()?;
        let log_key = args.log_key.as_deref().map(signing::open).transpose()?;
        let first = FirstKeys {
            governors,
            quorum: args.quorum,
            log_key,
        };
        match &args.store {
            None => create(&args.dir, origin, programme, first)?,
            Some(address) => {
                let place = (args.dir.as_path(), address.as_str());
                create_on(place, origin, programme, first)?;
            }
        }
    }
    let proposal = Proposal::read(&genesis_path(&args.dir))?;
    let vkey = read_text(&args.dir.join("log.vkey"))?;
    let admitted = match store::of(&args.dir, args.store.as_deref())? {
        None => admit_genesis(&args.dir, &proposal.origin, &proposal.signed),
        Some(blobs) => {
            Runtime::new()?.block_on(admit_genesis_to(blobs, &proposal.origin, &proposal.signed))
        }
    };
    match admitted {
        Ok(id) => report(args, &id, vkey.trim()),
        Err(GenesisError::Refused(refusal)) if refusal.code.name() == "possession_unproven" => {
            let path = genesis_path(&args.dir);
            errln!(
                "The ledger's directory is made, but not all governors have signed yet: {}",
                refusal.detail
            );
            errln!(
                "Next: each runs  arborlog endorse {} --key THEIR.pem",
                path.display()
            );
            errln!(
                "Then:            arborlog init {} --complete",
                args.dir.display()
            );
            if args.complete {
                Err(Failure::check(GenesisError::Refused(refusal)))
            } else {
                Ok(())
            }
        }
        Err(error) => Err(error.into()),
    }
}

fn report(args: &InitArgs, id: &RecordId, vkey: &str) -> Done {
    if args.json {
        outln!(
            "{}",
            serde_json::json!({"dir": args.dir, "genesis": id, "log_vkey": vkey})
        );
        return Ok(());
    }
    outln!("genesis   {id}");
    outln!("log vkey  {vkey}");
    outln!("Publish both: verifiers pin them.");
    outln!("Next: arborlog serve {}", args.dir.display());
    Ok(())
}

fn genesis_path(dir: &Path) -> PathBuf {
    dir.join("genesis.json")
}

/// A governor who signs now, or later.
pub enum Governor {
    Present(Box<Signer>),
    Absent(PublicKey),
}

impl Governor {
    fn public(&self) -> PublicKey {
        match self {
            Self::Present(key) => key.public(),
            Self::Absent(key) => *key,
        }
    }
}

fn parse_governor(text: &str) -> Result<Governor, Failure> {
    match text.parse() {
        Ok(key) => Ok(Governor::Absent(key)),
        Err(_) => Ok(Governor::Present(Box::new(signing::open(Path::new(text))?))),
    }
}

/// The keys with which a ledger begins.
pub struct FirstKeys {
    pub governors: Vec<Governor>,
    /// How many of them must sign; all, without it.
    pub quorum: Option<u8>,
    /// A key that is kept elsewhere; one is made without it.
    pub log_key: Option<Signer>,
}

impl FirstKeys {
    /// Of governors of whom so many must sign, with a log key that is made.
    pub fn of(governors: Vec<Governor>, quorum: u8) -> Self {
        Self {
            governors,
            quorum: Some(quorum),
            log_key: None,
        }
    }
}

/// Makes the directory, with the genesis signed by the governors who are present and by the log's key.
pub fn create(dir: &Path, origin: &Origin, programme: &str, first: FirstKeys) -> Done {
    create_keys(dir, origin, programme, first)?;
    // Its own last step writes VERSION, without which a directory is no ledger.
    DiskStore::create(dir)?;
    Ok(())
}

/// As [`create`], of a ledger in an object store, which is tried before anything is made.
pub fn create_on(
    (dir, address): (&Path, &str),
    origin: &Origin,
    programme: &str,
    first: FirstKeys,
) -> Done {
    let blobs = store::open(address)?;
    Runtime::new()?.block_on(async {
        let patience = Patience::default();
        match Chain::open(Arc::clone(&blobs), origin, patience).await {
            Err(StoreError::NoLog(_)) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                return Err(Failure::usage(format!(
                    "{address} holds a ledger of this origin already; choose another place, or serve that one with its keys"
                )));
            }
        }
        Ok::<_, Failure>(probe(&[blobs], ROUNDS_AT_INIT).await?)
    })?;
    create_keys(dir, origin, programme, first)?;
    // A crash before this leaves a directory that no server takes for that of a ledger.
    store::note(dir, address)
}

fn create_keys(dir: &Path, origin: &Origin, programme: &str, first: FirstKeys) -> Done {
    let FirstKeys {
        mut governors,
        quorum,
        log_key,
    } = first;
    if has_store(dir)? || !is_empty(dir)? {
        return Err(occupied(dir));
    }
    // Whoever issues the genesis is its first governor, and must be here to sign it.
    let Some(first) = governors
        .iter()
        .position(|governor| matches!(governor, Governor::Present(_)))
    else {
        return Err(Failure::usage(
            "one --governor at least must be a key file, to sign the genesis",
        ));
    };
    governors.swap(0, first);
    let keys: Vec<PublicKey> = governors.iter().map(Governor::public).collect();
    let quorum = match quorum {
        Some(quorum) => quorum,
        None => u8::try_from(keys.len()).map_err(Failure::usage)?,
    };
    let log_key = match log_key {
        Some(Signer::Memory(_)) => {
            return Err(Failure::usage(
                "--log-key takes the public half of a key that an ssh-agent has; a log key that is a file is made by this command",
            ));
        }
        Some(held) => held,
        None => SigningKey::generate()?.into(),
    };
    let genesis = Genesis {
        format: FormatVersion::CURRENT,
        origin: origin.clone(),
        programme: programme.parse::<Text<500>>().map_err(Failure::usage)?,
        governors: List::try_from(keys).map_err(Failure::usage)?,
        quorum,
        log_key: log_key.public(),
        mldsa_key: None,
    };
    let Some(Governor::Present(issuer)) = governors.first() else {
        return Err(Failure::usage("the first governor must be a key file"));
    };
    let record = Record {
        issuer: issuer.public(),
        seq: Seq(0),
        prev: RecordId::NONE,
        issued_on: today(),
        statement: Statement::Genesis(genesis),
    };
    let mut proposal =
        Proposal::new(origin.clone(), &record, issuer.as_ref())?.endorse(&log_key)?;
    for governor in governors.iter().skip(1) {
        if let Governor::Present(key) = governor {
            proposal = proposal.endorse(key.as_ref())?;
        }
    }
    // Each step is durable before the next one begins. The key comes first: whatever names it must
    // not outlive it. A crash before the last step leaves files that nobody was told of, in a
    // directory that is no ledger yet; `occupied` says so to the next init.
    let keys_dir = dir.join("keys");
    make_folders(&keys_dir)?;
    match &log_key {
        Signer::Memory(key) => key.write_new(&keys_dir.join("log.pem"))?,
        held => {
            let line = format!("{}\n", held.public().to_openssh());
            durable::create(&keys_dir.join("log.pub"), line.as_bytes())?;
        }
    }
    durable::create(&dir.join("origin"), format!("{origin}\n").as_bytes())?;
    let vkey = VerifierKey::new(
        origin.name().clone(),
        SignatureType::Ed25519,
        log_key.public(),
    );
    durable::create(&dir.join("log.vkey"), format!("{vkey}\n").as_bytes())?;
    proposal.write_new(&genesis_path(dir))?;
    Ok(())
}

/// Whether nothing is in a directory but what a file system puts into its own root.
fn is_empty(dir: &Path) -> Result<bool, Failure> {
    let files = match std::fs::read_dir(dir) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(anyhow::anyhow!("{}: {error}", dir.display()).into()),
    };
    for file in files {
        if file?.file_name() != "lost+found" {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Why no ledger is made in a directory that is not empty, and what to do if an init that was cut
/// off left it so.
fn occupied(dir: &Path) -> Failure {
    let place = dir.display();
    let advice = if is_left_by_init(dir) {
        format!(
            ". It holds only what an init that was cut off leaves, of which nobody was told: if it is that, remove {place} and run this again"
        )
    } else if is_without_genesis(dir) {
        format!(". Its genesis is not admitted yet; for that run: arborlog init {place} --complete")
    } else {
        String::new()
    };
    Failure::usage(format!(
        "{place} is there and not empty; choose another{advice}"
    ))
}

/// Removes what a [`create`] that was cut off left, of which nobody was told. A directory that holds
/// anything else stays as it is: [`create`] then refuses it.
pub fn remove_unfinished(dir: &Path) -> Done {
    if is_left_by_init(dir) {
        durable::remove_folder(dir)?;
    }
    Ok(())
}

/// Whether a directory holds nothing but what [`create`] makes before it is a ledger.
fn is_left_by_init(dir: &Path) -> bool {
    let made = [
        "lost+found",
        "keys",
        "origin",
        "log.vkey",
        "genesis.json",
        "journal",
        "public",
    ];
    let only = |folder: &Path, names: &[&str]| {
        std::fs::read_dir(folder).is_ok_and(|mut files| {
            files.all(|file| {
                file.is_ok_and(|file| {
                    let name = file.file_name().to_string_lossy().into_owned();
                    names.contains(&name.as_str()) || durable::is_temporary(&file.path())
                })
            })
        })
    };
    only(dir, &made)
        && only(&dir.join("keys"), &["log.pem"])
        // What can't be looked at is not said to be removable.
        && DiskStore::is_unfinished(dir).unwrap_or(false)
}

/// Whether a directory holds a store without entries.
fn is_without_genesis(dir: &Path) -> bool {
    DiskStore::inspect(dir).is_ok_and(|store| store.head().tree.size == 0)
}

/// Admits the genesis of a directory, if that was not done yet; gives its id.
pub fn complete(dir: &Path) -> Result<RecordId, Failure> {
    let proposal = Proposal::read(&genesis_path(dir))?;
    let admitted = match store::of(dir, None)? {
        None => admit_genesis(dir, &proposal.origin, &proposal.signed),
        Some(blobs) => {
            Runtime::new()?.block_on(admit_genesis_to(blobs, &proposal.origin, &proposal.signed))
        }
    };
    match admitted {
        Ok(id) => Ok(id),
        Err(GenesisError::Begun) => {
            Ok(SigningContext::new(&proposal.origin).id(proposal.signed.bytes()))
        }
        Err(error) => Err(error.into()),
    }
}
