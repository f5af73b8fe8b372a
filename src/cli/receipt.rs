use std::path::{Path, PathBuf};

use clap::Args;

use super::log_source::read_vkey;
use super::trust::{self, PolicyArgs};
use super::{Done, Failure, connect, words};
use arborlog::client::RemoteError;
use arborlog::durable::{FileError, read_at_most, replace, write_unsynced};
use arborlog::ledger::domains;
use arborlog::outcome::Outcome;
use arborlog::policy::Policy;
use arborlog::receipt::{
    About, Corrections, ProvenItem, Question, RECEIPT_BYTES_MAX, Receipt, ReceiptError, Span,
    Standing, StateFile, VerifiedReceipt,
};
use arborlog::record::{FullEntry, Index, RecordId};

/// Fetch the receipt of an entry: one file that proves it, offline.
#[derive(Args)]
pub struct ReceiptArgs {
    /// The ledger's server. Of several the address of each, with commas between or by the flag again.
    #[arg(long, value_name = "URL", required = true, value_delimiter = ',')]
    from: Vec<String>,
    /// The entry's index; of a certificate, its number.
    index: Index,
    /// The checkpoint that it rests on, by the policy that the server obeys: newest; witnessed, audited, or cosigned, which
    /// is both and may take two; or best, the best of these that has the entry.
    #[arg(long, value_parser = LEVELS, default_value = "newest")]
    level: String,
    /// The file to write; standard output if left out.
    #[arg(short, long)]
    output: Option<PathBuf>,
}

/// Fetch a proof of how things stand: an item of the state, or that there is none.
///
/// The file is the receipt of the log's newest state entry, with the item and its proof; check it with
/// verify. What stands rests on the state root, which auditors vouch for.
#[derive(Args)]
pub struct ProveArgs {
    /// The ledger's server. Of several the address of each, with commas between or by the flag again.
    #[arg(long, value_name = "URL", required = true, value_delimiter = ',')]
    from: Vec<String>,
    /// What to prove, and below which item; or both as one, as verify --about takes it: certificate/33258, or
    /// receipt/12 for an entry's receipt. What kind of item: account, claim, tree, plot, planting, survey, key, holder, method,
    /// species, month, voided, reversed, loss, evidence (of plantings and surveys), once; or totals, which has no key. Or a file of
    /// several items and the entries that they name: certificate, account-history, plot-history, and
    /// entry, what corrected it.
    domain: String,
    /// Which item: 64 hexadecimal digits for an account, a key or evidence; an entry's index; a
    /// number; plot/serial for a tree; plot/latest for a survey; a slug for a holder.
    key: Option<String>,
    /// The checkpoint that it rests on, by the policy that the server obeys: newest, witnessed, audited, cosigned, or best.
    #[arg(long, value_parser = LEVELS, default_value = "newest")]
    level: String,
    /// Of a history, the entry that the file begins with, as the file before says; the newest if left out.
    #[arg(long, value_name = "INDEX")]
    begin_at: Option<Index>,
    /// The file to write; standard output if left out.
    #[arg(short, long)]
    output: Option<PathBuf>,
}

/// Verify a receipt, offline.
///
/// Exit codes: 0 it holds; 1 it is false: something signed contradicts it; 3 it could not be
/// checked: the file was cut or changed on its way, a witness's cosignature or a policy's quorum is
/// missing, the key given did not sign; 4 it is no receipt.
#[derive(Args)]
pub struct VerifyArgs {
    /// The receipt.
    file: PathBuf,
    /// The log's verifier key, or a file that holds it.
    #[arg(long, value_name = "VKEY", required_unless_present = "policy")]
    log: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    /// The genesis id that you were told.
    #[arg(long, value_name = "ID")]
    genesis: Option<RecordId>,
    /// A witness that must have cosigned; several times for several.
    #[arg(long = "witness", value_name = "VKEY")]
    witnesses: Vec<String>,
    /// What the file must be about, as prove takes it (docs/format.md, 13.6): certificate/33258,
    /// account-history/ID, plot-history/7, plot-history/7/from/90, entry/12, tree/7/42, totals and so on;
    /// receipt/12 of an entry's receipt. A file that holds and is about something else, or less, is false to
    /// that; one that has a part of the history that was asked for could not be checked (3).
    #[arg(long, value_name = "DOMAIN/KEY")]
    about: Option<Question>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What a server takes as a level.
const LEVELS: [&str; 5] = ["newest", "witnessed", "audited", "cosigned", "best"];

/// The status of a request that can't be meant.
const BAD_REQUEST: u16 = 400;

/// What a receipt can't tell.
const NOT_PROVEN: [&str; 5] = [
    "that the key was not revoked before, nor that the rules were kept: an audit of the whole log does",
    "that no correction followed it: an audit does",
    "that the log has just as many entries as the checkpoint says: an audit does",
    "that there is no other view of the log: witnesses' cosignatures do",
    "that what was said is true: no signature can, and no ledger sees whether a sapling lives",
];

/// What the receipt of a state entry can't tell.
const NOT_PROVEN_OF_STATE: [&str; 4] = [
    "that the state root is right: whoever replays all entries makes it again, and auditors vouch for it",
    "what came in since the size that the state entry speaks of",
    "that there is no other view of the log: witnesses' cosignatures do",
    "that what was said is true: no signature can, and no ledger sees whether a sapling lives",
];

/// What a state says of evidence: that there is none of a digest says nothing of awards.
const EVIDENCE_KEPT: &str = "the state keeps the evidence of plantings and surveys alone; whether an award has it, an audit tells";

/// Whether an item says that the state has no such evidence.
fn is_absent_evidence(item: &ProvenItem) -> bool {
    item.domain_name() == EVIDENCE && item.found.is_none()
}

/// The domain of evidence.
const EVIDENCE: &str = "evidence";

pub fn prove(args: &ProveArgs) -> Done {
    let asked = asked(args).map_err(Failure::usage)?;
    let path = at_level(path_of(&asked), &args.level);
    keep(&args.from, &path, args.output.as_deref())?;
    if matches!(asked, Question::Item(domains::EVIDENCE, _)) {
        errln!("{EVIDENCE_KEPT}");
    }
    Ok(())
}

/// The question that the arguments write in one or in parts. It is read here, by the grammar that `verify --about`
/// has: what is no question is no request either.
fn asked(args: &ProveArgs) -> anyhow::Result<Question> {
    let mut text = args.domain.clone();
    if let Some(key) = &args.key {
        text.push('/');
        text.push_str(key);
    }
    let asked: Question = text.parse()?;
    let Some(begin_at) = args.begin_at else {
        return Ok(asked);
    };
    match asked {
        Question::AccountHistory { id, from: None } => Ok(Question::AccountHistory {
            id,
            from: Some(begin_at),
        }),
        Question::PlotHistory { number, from: None } => Ok(Question::PlotHistory {
            number,
            from: Some(begin_at),
        }),
        _ => anyhow::bail!(
            "--begin-at is for account-history and plot-history, and only where the question does not say it"
        ),
    }
}

/// Where a server answers a question.
fn path_of(asked: &Question) -> String {
    let of_history = |path: String, from: &Option<Index>| match from {
        None => path,
        Some(from) => format!("{path}?from={from}"),
    };
    let of_state = |domain: &str, key: &str| {
        // Every key has letters, digits, hyphens and slashes alone.
        let key = key.replace('/', "%2F");
        format!("v1/proofs/state?domain={domain}&key={key}")
    };
    match asked {
        Question::Receipt(index) => format!("v1/receipts/{index}"),
        Question::Certificate(index) => format!("v1/proofs/certificate/{index}"),
        Question::AccountHistory { id, from } => {
            of_history(format!("v1/proofs/account-history/{id}"), from)
        }
        Question::PlotHistory { number, from } => {
            of_history(format!("v1/proofs/plot-history/{number}"), from)
        }
        Question::Corrections(index) => of_state("entry", &index.to_string()),
        Question::LatestSurvey(number) => of_state("surveys", &format!("{number}/latest")),
        Question::Item(domain, key) => of_state(domains::name(*domain), key.as_str()),
        // The totals stand in every state entry.
        _ => "v1/proofs/state?domain=totals".to_owned(),
    }
}

/// The same at a level.
fn at_level(path: String, level: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    match level {
        "newest" => path,
        level => format!("{path}{mark}level={level}"),
    }
}

pub fn fetch(args: &ReceiptArgs) -> Done {
    let path = at_level(format!("v1/receipts/{}", args.index), &args.level);
    keep(&args.from, &path, args.output.as_deref())
}

/// Fetches a receipt's file, and writes it.
fn keep(from: &[String], path: &str, output: Option<&Path>) -> Done {
    let from = from.join(",");
    let text = connect::to(&from)
        .text(path)
        .map_err(|error| match &error {
            // The path is made of the arguments: no such kind of item, or no key of one.
            RemoteError::Problem { problem, .. } if problem.status == BAD_REQUEST => {
                Failure::usage(error)
            }
            _ => error.into(),
        })?;
    // A page of a proxy, say, must not be kept as a receipt.
    Receipt::read(text.as_bytes()).map_err(|error| {
        let what = anyhow::anyhow!("{from} gave no receipt: {error}");
        Failure::of(Outcome::Unchecked, what)
    })?;
    match output {
        Some(path) => write(path, text.as_bytes())?,
        None => super::out::write(format_args!("{text}")),
    }
    Ok(())
}

/// What a receipt can't tell.
fn not_proven(receipt: &VerifiedReceipt) -> &'static [&'static str] {
    match receipt.entry.stated() {
        Some(_) => &NOT_PROVEN,
        None => &NOT_PROVEN_OF_STATE,
    }
}

/// Puts a receipt in the place of an older one, or leaves that whole. What is no file (a link, a
/// pipe, a device) stays what it is, and is written to.
fn write(path: &Path, receipt: &[u8]) -> Result<(), FileError> {
    match std::fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => write_unsynced(path, receipt),
        _ => replace(path, receipt),
    }
}

pub fn verify(args: &VerifyArgs) -> Done {
    let trusted = args.policy.read(args.log.as_slice())?;
    let witnesses = args
        .witnesses
        .iter()
        .map(|text| read_vkey(text))
        .collect::<Result<Vec<_>, _>>()?;
    let bytes = read_at_most(&args.file, RECEIPT_BYTES_MAX)?;
    let verified = Receipt::read(&bytes)
        .and_then(|receipt| {
            receipt.verify_by(&trusted.for_receipt(&witnesses), args.genesis.as_ref())
        })
        .and_then(|verified| match &args.about {
            Some(asked) => verified.check_about(asked).map(|()| verified),
            None => Ok(verified),
        });
    match verified {
        Ok(verified) if args.json => outln!("{}", as_json(&verified, trusted.policy())),
        Ok(verified) => print_words(&verified),
        Err(error) => {
            let outcome = error.outcome();
            if args.json {
                let general = Failure::of(outcome, anyhow::anyhow!("{error}"));
                let quorum = match &error {
                    ReceiptError::Quorum(quorum) => Some(quorum),
                    _ => None,
                };
                outln!(
                    "{}",
                    serde_json::json!({
                        "verified": false, "outcome": outcome, "exit": general.code(),
                        "code": error.code(), "error": error.to_string(), "advice": general.advice(),
                        "missing": quorum.map(|quorum| &quorum.missing),
                        "levels": quorum.map(|quorum| trust::levels(&quorum.levels)),
                    })
                );
            }
            let verdict = match outcome {
                Outcome::Holds | Outcome::False => "FALSE",
                Outcome::Unchecked => "COULD NOT BE CHECKED",
                Outcome::NotThatKind => "NOT A RECEIPT",
            };
            let what = format!("{verdict}: {}: {error}", args.file.display());
            return Err(Failure::of(outcome, anyhow::anyhow!(what)));
        }
    }
    Ok(())
}

fn as_json(receipt: &VerifiedReceipt, policy: Option<&Policy>) -> serde_json::Value {
    let stated = receipt.entry.stated();
    let checks: Vec<_> = receipt
        .checks
        .iter()
        .map(|check| serde_json::json!({"check": check.name, "holds": check.holds}))
        .collect();
    let witnesses: Vec<_> = receipt
        .cosignatures
        .iter()
        .map(|seen| serde_json::json!({"name": seen.witness.as_str(), "seen_at_s": seen.seen_at_s}))
        .collect();
    let items: Vec<_> = receipt
        .items
        .iter()
        .map(|item| {
            let leaf = item.found.as_ref().map(|(leaf, _)| {
                serde_json::json!({
                    "value": hex::encode(leaf.value()), "a": leaf.a.to_string(), "b": leaf.b.to_string(),
                })
            });
            serde_json::json!({
                "domain": item.domain_name(), "key": hex::encode(&item.key), "leaf": leaf,
                "says": item.to_string(),
            })
        })
        .collect();
    let state = match &receipt.entry {
        FullEntry::State(state) => Some(serde_json::json!({
            "size": state.size, "root": hex::encode(state.root), "totals": state.totals,
        })),
        _ => None,
    };
    let shown: Vec<_> = receipt
        .shown
        .iter()
        .filter_map(|(index, entry)| {
            let stated = entry.stated()?;
            Some(serde_json::json!({
                "index": index, "issuer": stated.issuer(), "issued_on": stated.issued_on(),
                "admitted_at": entry.admitted_at(), "seal": stated.seal, "statement": stated.statement,
            }))
        })
        .collect();
    let file = receipt.file.as_ref().map(file_as_json);
    // A sealed entry has no record of its own, and so no id: its seal has.
    let seal = stated.and_then(|stated| stated.seal);
    let (id, seal_id) = match seal {
        None => (receipt.id, None),
        Some(_) => (None, receipt.id),
    };
    serde_json::json!({
        "verified": true,
        "outcome": Outcome::Holds,
        "index": receipt.index,
        "answers": receipt.answers(),
        "missing": receipt.missing(),
        "id": id,
        "seal_id": seal_id,
        "genesis": receipt.genesis,
        "size": receipt.head.size,
        "root": receipt.head.root.to_string(),
        "second_size": receipt.second.as_ref().map(|second| second.head.size),
        "issuer": stated.map(|stated| *stated.issuer()),
        "holder": receipt.issuer.as_ref().map(|(holder, _, _)| holder),
        "role": receipt.issuer.as_ref().map(|(_, _, role)| role.to_string()),
        "issued_on": stated.map(|stated| stated.issued_on()),
        "admitted_at": receipt.entry.admitted_at(),
        "statement": stated.map(|stated| stated.statement),
        "seal": seal,
        "witnesses": witnesses,
        "policy": trust::of_receipt_as_json(policy, receipt),
        "checks": checks,
        "items": items,
        "entries": shown,
        "file": file,
        "state": state,
        "not_proven": not_proven(receipt),
    })
}

/// What a file about the state says.
fn file_as_json(file: &StateFile) -> serde_json::Value {
    let span = |span: &Span| {
        let entries: Vec<_> = span.entries.iter().map(|(index, _)| index).collect();
        serde_json::json!({
            "complete": span.is_whole(), "entries": entries, "newest": span.newest, "next": span.older,
        })
    };
    let (about, more) = match &file.about {
        About::Certificate(certificate) => {
            let (standing, tree) = match &certificate.standing {
                Standing::Waiting => ("waiting", None),
                Standing::Voided { .. } => ("voided", None),
                Standing::Tree(tree) => {
                    let survey = tree.survey.as_ref().map(|survey| survey.stated_at);
                    let tree = serde_json::json!({
                        "plot": tree.number, "serial": tree.serial, "planting": tree.planting.index,
                        "latest_survey": survey,
                    });
                    ("tree", Some(tree))
                }
            };
            let said = serde_json::json!({
                "index": certificate.index, "standing": standing, "tree": tree,
            });
            ("certificate", said)
        }
        About::Account(history) => ("account_history", span(&history.span)),
        About::Plot(history) => ("plot_history", span(&history.span)),
        About::Corrected(corrected) => {
            let by = match &corrected.by {
                Corrections::Voided(by)
                | Corrections::Planting(by, _)
                | Corrections::Loss(_, by) => *by,
                Corrections::Reversed(_) => None,
            };
            let reversed = match &corrected.by {
                Corrections::Reversed(points) => Some(*points),
                _ => None,
            };
            let said = serde_json::json!({
                "index": corrected.index, "voided_by": by, "reversed": reversed,
            });
            ("corrections", said)
        }
    };
    let revoked: Vec<_> = file
        .issuers
        .iter()
        .filter(|issuer| issuer.key.revoked_at.is_some())
        .map(|issuer| issuer.key.key)
        .collect();
    serde_json::json!({
        "about": about, "says": more, "sentences": file.sentences(), "revoked_issuers": revoked,
    })
}

fn print_words(receipt: &VerifiedReceipt) {
    let stated = receipt.entry.stated();
    let who = match &receipt.issuer {
        Some((holder, name, role)) => format!("{name} ({holder}), as {role}"),
        None if stated.is_none() => "the log itself".to_owned(),
        None => "the governors".to_owned(),
    };
    outln!("VERIFIED: entry {}", receipt.index);
    outln!();
    outln!("  Who said it   {who}");
    let admitted = receipt.entry.admitted_at().to_utc();
    match stated {
        Some(stated) => {
            outln!("  What          {}", words::say_statement(stated.statement));
            outln!(
                "  When          signed on {}, admitted on {admitted}",
                stated.issued_on()
            );
        }
        None => {
            match &receipt.entry {
                FullEntry::State(state) => outln!(
                    "  What          how the first {} entries stand: {} points in accounts{}, {} trees stand, {} claims wait",
                    state.size,
                    state.totals.balances,
                    match state.totals.owed {
                        0 => String::new(),
                        owed => format!(" ({owed} owed taken off)"),
                    },
                    state.totals.standing,
                    state.totals.waiting
                ),
                _ => outln!("  What          nothing that anybody states"),
            }
            outln!("  Answers       {}", receipt.answers().join(", "));
            let missing = receipt.missing();
            if !missing.is_empty() {
                outln!(
                    "  Lacks         {}",
                    match &receipt.file {
                        None => "it is not a certificate's file, which would prove too:",
                        Some(_) => "it is a part of a history; in other files are:",
                    }
                );
                for what in missing {
                    outln!("                – {what}");
                }
            }
            if let Some(file) = &receipt.file {
                outln!(
                    "  So stands     {}",
                    file.sentences().join("\n                ")
                );
            }
            outln!("  When          admitted on {admitted}");
        }
    }
    if receipt.items.iter().any(is_absent_evidence) {
        outln!("  Note          {EVIDENCE_KEPT}");
    }
    outln!();
    outln!("Checked, with nothing but this file and the key you gave:");
    for check in &receipt.checks {
        outln!("  ✓ {}", check.holds);
    }
    outln!();
    outln!("Not proven by a receipt:");
    for what in not_proven(receipt) {
        outln!("  – {what}");
    }
}
