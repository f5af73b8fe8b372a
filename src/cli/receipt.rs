use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;

use super::log_source::read_vkey;
use super::{Done, Failure, words};
use arborlog::client::Remote;
use arborlog::durable::write_unsynced;
use arborlog::receipt::{RECEIPT_BYTES_MAX, Receipt, VerifiedReceipt};
use arborlog::record::{Day, Index, RecordId, TimeMs};

/// Fetch the receipt of an entry: one file that proves it, offline.
#[derive(Args)]
pub struct ReceiptArgs {
    /// The ledger's server.
    #[arg(long, value_name = "URL")]
    from: String,
    /// The entry's index; of a certificate, its number.
    index: Index,
    /// The file to write; standard output if left out.
    #[arg(short, long)]
    output: Option<PathBuf>,
}

/// Verify a receipt, offline.
#[derive(Args)]
pub struct VerifyArgs {
    /// The receipt.
    file: PathBuf,
    /// The log's verifier key, or a file that holds it.
    #[arg(long, value_name = "VKEY")]
    log: String,
    /// The genesis id that you were told.
    #[arg(long, value_name = "ID")]
    genesis: Option<RecordId>,
    /// A witness that must have cosigned; several times for several.
    #[arg(long = "witness", value_name = "VKEY")]
    witnesses: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What a receipt can't tell.
const NOT_PROVEN: [&str; 5] = [
    "that the key was not revoked before, nor that the rules were kept: an audit of the whole log does",
    "that no correction followed it: an audit does",
    "that the log has just as many entries as the checkpoint says: an audit does",
    "that there is no other view of the log: witnesses' cosignatures do",
    "that what was said is true: no signature can, and no ledger sees whether a sapling lives",
];

pub fn fetch(args: &ReceiptArgs) -> Done {
    let text = Remote::new(&args.from).text(&format!("v1/receipts/{}", args.index))?;
    match &args.output {
        Some(path) => write_unsynced(path, text)?,
        None => print!("{text}"),
    }
    Ok(())
}

pub fn verify(args: &VerifyArgs) -> Done {
    let log = read_vkey(&args.log)?;
    let witnesses = args
        .witnesses
        .iter()
        .map(|text| read_vkey(text))
        .collect::<Result<Vec<_>, _>>()?;
    let text = std::fs::File::open(&args.file)
        .and_then(|file| {
            let mut text = Vec::new();
            file.take(RECEIPT_BYTES_MAX as u64 + 1)
                .read_to_end(&mut text)?;
            Ok(text)
        })
        .map_err(|error| anyhow::anyhow!("{}: {error}", args.file.display()))?;
    if text.len() > RECEIPT_BYTES_MAX {
        return Err(Failure::check(anyhow::anyhow!(
            "{} is too long for a receipt",
            args.file.display()
        )));
    }
    let verified = String::from_utf8(text)
        .map_err(|_| {
            Failure::check(anyhow::anyhow!(
                "{} is no receipt: it is not text",
                args.file.display()
            ))
        })?
        .parse::<Receipt>()
        .and_then(|receipt| receipt.verify(&log, args.genesis.as_ref(), &witnesses));
    match verified {
        Ok(verified) if args.json => println!("{}", as_json(&verified)),
        Ok(verified) => print_words(&verified),
        Err(error) => {
            if args.json {
                println!(
                    "{}",
                    serde_json::json!({"verified": false, "error": error.to_string()})
                );
            }
            return Err(Failure::check(anyhow::anyhow!("NOT VERIFIED: {error}")));
        }
    }
    Ok(())
}

fn as_json(receipt: &VerifiedReceipt) -> serde_json::Value {
    let record = receipt.entry.signed.record();
    let checks: Vec<_> = receipt
        .checks
        .iter()
        .map(|check| serde_json::json!({"check": check.name, "holds": check.holds}))
        .collect();
    serde_json::json!({
        "verified": true,
        "index": receipt.index,
        "id": receipt.id,
        "genesis": receipt.genesis,
        "size": receipt.head.size,
        "root": receipt.head.root.to_string(),
        "issuer": record.issuer,
        "holder": receipt.issuer.as_ref().map(|(holder, _, _)| holder),
        "role": receipt.issuer.as_ref().map(|(_, _, role)| role.to_string()),
        "issued_on": record.issued_on,
        "admitted_at": receipt.entry.admitted_at,
        "statement": record.statement,
        "checks": checks,
        "not_proven": NOT_PROVEN,
    })
}

fn print_words(receipt: &VerifiedReceipt) {
    let record = receipt.entry.signed.record();
    let who = match &receipt.issuer {
        Some((holder, name, role)) => format!("{name} ({holder}), as {role}"),
        None => "the governors".to_owned(),
    };
    println!("VERIFIED: entry {}", receipt.index);
    println!();
    println!("  Who said it   {who}");
    println!(
        "  What          {}",
        words::say_statement(&record.statement)
    );
    println!(
        "  When          signed on {}, admitted on {}",
        record.issued_on,
        admitted(receipt)
    );
    println!();
    println!("Checked, with nothing but this file and the key you gave:");
    for check in &receipt.checks {
        println!("  ✓ {}", check.holds);
    }
    println!();
    println!("Not proven by a receipt:");
    for what in NOT_PROVEN {
        println!("  – {what}");
    }
}

fn admitted(receipt: &VerifiedReceipt) -> String {
    let TimeMs(ms) = receipt.entry.admitted_at;
    let seconds = ms / 1000 % 86_400;
    let day = Day::of(receipt.entry.admitted_at);
    format!(
        "{day} {:02}:{:02}:{:02} UTC",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}
