use std::path::PathBuf;

use clap::Args;

use super::Done;
use arborlog::crypto::SigningKey;

/// Make an Ed25519 key: PKCS#8 PEM, readable by its owner alone. Prints the public key.
#[derive(Args)]
pub struct KeygenArgs {
    /// The file to write; never overwritten.
    file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &KeygenArgs) -> Done {
    let key = SigningKey::generate()?;
    key.write_new(&args.file)?;
    if args.json {
        outln!(
            "{}",
            serde_json::json!({"file": args.file, "public": key.public()})
        );
    } else {
        outln!("{}", key.public());
    }
    Ok(())
}
