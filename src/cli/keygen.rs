use std::path::PathBuf;

use clap::Args;

use super::Done;
use arborlog::crypto::{MldsaSigningKey, SigningKey};

/// Make a key, Ed25519 unless told: PKCS#8 PEM, readable by its owner alone. Prints the public key.
#[derive(Args)]
pub struct KeygenArgs {
    /// The file to write; never overwritten.
    file: PathBuf,
    /// Make a key of ML-DSA-44, with which a log signs what witnesses and auditors are sent, beside Ed25519:
    /// put it into the log's DIR/keys.
    #[arg(long)]
    mldsa: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &KeygenArgs) -> Done {
    let public = match args.mldsa {
        true => {
            let key = MldsaSigningKey::generate()?;
            key.write_new(&args.file)?;
            hex::encode(key.public().as_bytes())
        }
        false => {
            let key = SigningKey::generate()?;
            key.write_new(&args.file)?;
            key.public().to_string()
        }
    };
    if args.json {
        outln!(
            "{}",
            serde_json::json!({"file": args.file, "public": public})
        );
    } else {
        outln!("{public}");
    }
    Ok(())
}
