//! Verifies a receipt offline, with nothing but the library: no runtime, no server, no store.
//!
//! ```sh
//! cargo run --no-default-features --example verify_receipt -- FILE VKEY [GENESIS]
//! ```
//!
//! FILE is what `GET /v1/receipts/{index}` gave, VKEY the log's verifier key, GENESIS the id of
//! its genesis: both from whom you trust, not from the server.

use std::error::Error;
use std::process::ExitCode;

use arborlog::note::VerifierKey;
use arborlog::receipt::Receipt;
use arborlog::record::RecordId;

fn verify(file: &str, vkey: &str, genesis: Option<&str>) -> Result<(), Box<dyn Error>> {
    let log: VerifierKey = vkey.parse()?;
    let genesis: Option<RecordId> = genesis.map(str::parse).transpose()?;
    let receipt = Receipt::read(&std::fs::read(file)?)?;
    let verified = receipt.verify(&log, genesis.as_ref(), &[])?;

    println!("entry {} of {}", verified.index, verified.head.size);
    println!(
        "{:#?}",
        verified.entry.stated().map(|stated| stated.statement)
    );
    for check in &verified.checks {
        println!("holds: {}", check.holds);
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [file, vkey] => verify(file, vkey, None),
        [file, vkey, genesis] => verify(file, vkey, Some(genesis)),
        _ => {
            eprintln!("verify_receipt FILE VKEY [GENESIS]");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("not verified: {error}");
            ExitCode::from(1)
        }
    }
}
