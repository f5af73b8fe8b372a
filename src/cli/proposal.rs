//! `arborlog proposal show`: a proposal in words, for whoever is asked to sign it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::govern::{council_of, read_proposal, signed_by, unsigned_named};
use super::{Done, words};

/// Look at a proposal, and sign nothing.
#[derive(Args)]
pub struct ProposalArgs {
    #[command(subcommand)]
    what: ProposalCommand,
}

#[derive(Subcommand)]
enum ProposalCommand {
    Show(ShowArgs),
}

/// Say in words what a proposal does, who signed it, who is missing, and until when it can be admitted.
///
/// All signatures in it are verified, and that it shows what is signed: exit code 1 if not, 4 for what is no
/// proposal. Who governs is known from the proposal itself, or, with --from, from the server, which comes first.
#[derive(Args)]
struct ShowArgs {
    /// The proposal; - for standard input.
    proposal: PathBuf,
    /// The ledger's server, which tells who governs now. Of several the address of each, with commas between or by
    /// the flag again.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    from: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &ProposalArgs) -> Done {
    let ProposalCommand::Show(args) = &args.what;
    let mut proposal = read_proposal(&args.proposal)?;
    if !args.from.is_empty() {
        proposal.council = Some(council_of(&args.from, &proposal)?);
    }
    let record = proposal.signed.record();
    let does = words::say_statement(&record.statement);
    let signed = signed_by(&proposal);
    let named = unsigned_named(&proposal);
    let governors = proposal.governors_missing();
    let until = proposal.admitted_until();
    let superseded = proposal.superseded();
    // Nobody knows who governs, and governors are asked.
    let unknown = proposal.asks_governors() && proposal.council.is_none();
    if args.json {
        outln!(
            "{}",
            json!({
                "origin": proposal.origin, "does": does, "statement": record.statement,
                "issuer": record.issuer, "issued_on": record.issued_on, "signed_by": signed,
                "must_sign": named, "governors_missing": governors, "admitted_until": until,
                "superseded": superseded,
            })
        );
        return Ok(());
    }
    outln!("ledger      {}", proposal.origin);
    outln!("does        {does}");
    for key in &signed {
        let part = match *key == record.issuer {
            true => "proposed it",
            false => "endorsed it",
        };
        outln!("signed      {key} ({part}, and its signature holds)");
    }
    for key in &named {
        outln!("must sign   {key}, which it names");
    }
    match governors {
        Some(0) => outln!("must sign   no more of the governors"),
        Some(missing) => {
            outln!("must sign   {missing} more of the governors:");
            let council = proposal.council.iter();
            let asked = council.flat_map(|council| &council.governors);
            asked
                .filter(|key| !signed.contains(key))
                .for_each(|key| outln!("            {key}"));
        }
        None if unknown => {
            outln!("must sign   governors; who they are is not known here: --from URL tells")
        }
        None => {}
    }
    outln!("until       {until}, the last day on which the ledger admits it; it lapses before");
    outln!(
        "            when another record by its proposer is admitted, or other governors are in force"
    );
    if superseded {
        outln!(
            "superseded  other governors are in force than it names: the ledger refuses it. Propose it anew"
        );
    }
    Ok(())
}
