use std::path::{Path, PathBuf};

use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::proposal_checks::check_can_succeed;
use super::{Done, Failure, connect, read_text, signing, words};
use arborlog::client::{
    BatchAnswer, CouncilInForce, IssuerHead, Proposal, ProposalError, Remote, RemoteError, today,
};
use arborlog::crypto::{PublicKey, Signer, SigningKey};
use arborlog::outcome::Outcome;
use arborlog::record::{
    Day, GovernorSet, Index, KeyGrant, KeyRevoke, List, LogKey, Method, Origin, Policy, Record,
    RecordId, Role, Seq, Slug, Statement,
};

/// Who proposes, and where the proposal goes.
#[derive(Args)]
pub struct Proposing {
    /// The issuing governor's key: its file; the public half of one that an ssh-agent has; or env:VARIABLE.
    #[arg(long)]
    key: PathBuf,
    /// The proposal to write; governors hand it on with `arborlog endorse`.
    #[arg(long)]
    out: PathBuf,
    /// The ledger's server, which tells where the issuer's chain continues, and who governs. Of several the address
    /// of each, with commas between or by the flag again.
    #[arg(
        long,
        value_name = "URL",
        value_delimiter = ',',
        required_unless_present_all = ["origin", "seq", "prev", "set"]
    )]
    from: Vec<String>,
    /// Without a server: the ledger's origin,
    #[arg(long, requires_all = ["seq", "prev", "set"])]
    origin: Option<Origin>,
    /// the issuer's next sequence number,
    #[arg(long)]
    seq: Option<Seq>,
    /// the id of its record before (`prev` of GET /v1/issuers/KEY),
    #[arg(long)]
    prev: Option<RecordId>,
    /// and the set of governors in force: the entry that states it (`stated_at` of GET /v1/governors).
    #[arg(long, value_name = "INDEX")]
    set: Option<Index>,
}

/// Propose to grant a key a role.
#[derive(Args)]
pub struct GrantArgs {
    /// The key that gets the role, 64 hexadecimal digits; it must endorse the proposal.
    #[arg(long)]
    grantee: PublicKey,
    /// platform, planter, surveyor or auditor.
    #[arg(long, value_parser = parse_role)]
    role: Role,
    /// The holder's slug, such as green-app.
    #[arg(long)]
    holder: Slug,
    /// The holder's name for people.
    #[arg(long)]
    name: String,
    /// The last day on which the key may sign.
    #[arg(long, value_name = "YYYY-MM-DD")]
    expires_on: Option<Day>,
    #[command(flatten)]
    proposing: Proposing,
}

/// Propose to revoke a key.
#[derive(Args)]
pub struct RevokeArgs {
    /// The key to revoke.
    #[arg(long)]
    revoked: PublicKey,
    /// Why, in words.
    #[arg(long)]
    reason: String,
    /// Since when what it signed is in doubt.
    #[arg(long, value_name = "YYYY-MM-DD")]
    compromised_since: Option<Day>,
    #[command(flatten)]
    proposing: Proposing,
}

/// Propose a method, or its next version.
#[derive(Args)]
pub struct MethodArgs {
    /// The method as JSON (docs/statements.md).
    #[arg(long)]
    file: PathBuf,
    #[command(flatten)]
    proposing: Proposing,
}

/// Propose which witnesses must have seen a checkpoint: a file that c2sp.org/tlog-policy reads.
#[derive(Args)]
pub struct PolicyArgs {
    /// The policy.
    #[arg(long)]
    file: PathBuf,
    #[command(flatten)]
    proposing: Proposing,
}

/// Propose the complete new set of governors.
#[derive(Args)]
pub struct GovernorsArgs {
    /// A governor's public key; several times for several. Each new one must endorse.
    #[arg(long = "governor", value_name = "KEY", required = true)]
    governors: Vec<PublicKey>,
    /// How many of them must sign from then on.
    #[arg(long)]
    quorum: u8,
    #[command(flatten)]
    proposing: Proposing,
}

/// Propose the next key that signs checkpoints. Put its file into DIR/keys of the server first.
#[derive(Args)]
pub struct LogKeyArgs {
    /// The next log key; it must endorse the proposal.
    #[arg(long)]
    next: PublicKey,
    #[command(flatten)]
    proposing: Proposing,
}

/// Propose any statement that others must sign: a plot stated again, a governors' correction.
#[derive(Args)]
pub struct ProposeArgs {
    /// The statement as JSON (docs/statements.md).
    statement: PathBuf,
    #[command(flatten)]
    proposing: Proposing,
}

/// Sign somebody's proposal, after reading what it says.
///
/// A key that is not asked to sign is refused: with its signature the ledger would refuse the record.
/// A proposal that was made with --from says who is asked.
#[derive(Args)]
pub struct EndorseArgs {
    /// The proposal; the signature is added to it.
    proposal: PathBuf,
    /// Your key: its file; the public half of one that an ssh-agent has; or env:VARIABLE.
    #[arg(long)]
    key: PathBuf,
    /// The ledger's server, which tells who governs now. Of several the address of each, with commas between or by
    /// the flag again.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    from: Vec<String>,
}

fn parse_role(text: &str) -> Result<Role, String> {
    match text {
        "platform" => Ok(Role::Platform),
        "planter" => Ok(Role::Planter),
        "surveyor" => Ok(Role::Surveyor),
        "auditor" => Ok(Role::Auditor),
        _ => Err("a role is platform, planter, surveyor or auditor".to_owned()),
    }
}

pub fn grant(args: &GrantArgs) -> Done {
    let display_name = args.name.parse().map_err(Failure::usage)?;
    write(&args.proposing, |_, set| {
        Ok(Statement::KeyGrant(KeyGrant {
            key: args.grantee,
            role: args.role,
            holder: args.holder.clone(),
            display_name,
            expires_on: args.expires_on,
            set,
        }))
    })
}

pub fn revoke(args: &RevokeArgs) -> Done {
    let reason = args.reason.parse().map_err(Failure::usage)?;
    write(&args.proposing, |_, set| {
        Ok(Statement::KeyRevoke(KeyRevoke {
            key: args.revoked,
            reason,
            compromised_since: args.compromised_since,
            set,
        }))
    })
}

pub fn method(args: &MethodArgs) -> Done {
    let json = read_fields(&args.file)?;
    write(&args.proposing, |_, set| {
        let method: Method = with_set(&args.file, json, set)?;
        Ok(Statement::Method(method))
    })
}

pub fn policy(args: &PolicyArgs) -> Done {
    let text = std::fs::read_to_string(&args.file)?;
    let policy = text
        .parse()
        .map_err(|error| Failure::usage(format!("{}: {error}", args.file.display())))?;
    write(&args.proposing, |_, set| {
        Ok(Statement::Policy(Policy { policy, set }))
    })
}

pub fn governors(args: &GovernorsArgs) -> Done {
    let governors = List::try_from(args.governors.clone()).map_err(Failure::usage)?;
    write(&args.proposing, |_, set| {
        Ok(Statement::Governors(GovernorSet {
            governors,
            quorum: args.quorum,
            set,
        }))
    })
}

pub fn log_key(args: &LogKeyArgs) -> Done {
    write(&args.proposing, |_, set| {
        Ok(Statement::LogKey(LogKey {
            key: args.next,
            set,
            mldsa_key: None,
        }))
    })
}

pub fn propose(args: &ProposeArgs) -> Done {
    let json = read_fields(&args.statement)?;
    write(&args.proposing, |server, set| {
        let asks_governors = match (json.get("kind").and_then(Value::as_str), server) {
            (Some("plot"), Some(server)) => server.has_plot(json.get("number"))?,
            (Some("correction"), Some(server)) => server.issuer_governs,
            // Whoever proposes these without a server asks others to sign.
            (Some("plot" | "correction"), None) => true,
            (
                Some("governors" | "key_grant" | "key_revoke" | "log_key" | "method" | "policy"),
                _,
            ) => true,
            // The ledger refuses a proposal of another kind, which asks nobody.
            _ => false,
        };
        if asks_governors {
            with_set(&args.statement, json, set)
        } else {
            from_fields(&args.statement, json)
        }
    })
}

/// A statement's fields, as a file has them.
type Fields = serde_json::Map<String, Value>;

fn read_fields(path: &Path) -> Result<Fields, Failure> {
    let text = read_text(path)?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn from_fields<T: DeserializeOwned>(path: &Path, fields: Fields) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// What a file says, with the set of governors in force if it names none itself.
fn with_set<T: DeserializeOwned>(
    path: &Path,
    mut fields: Fields,
    set: Index,
) -> Result<T, Failure> {
    let named = fields.entry("set").or_insert(Value::Null);
    if named.is_null() {
        *named = set.0.into();
    }
    from_fields(path, fields)
}

/// What a server tells of whom a statement must be signed by.
struct AskedServer<'a> {
    remote: &'a Remote,
    issuer_governs: bool,
}

impl AskedServer<'_> {
    /// Whether the ledger has a plot of this number: then governors sign what is stated of it anew.
    fn has_plot(&self, number: Option<&Value>) -> Result<bool, Failure> {
        let Some(number) = number.and_then(Value::as_u64) else {
            return Ok(false);
        };
        match self.remote.json::<Value>(&format!("v1/plots/{number}")) {
            Ok(_) => Ok(true),
            Err(RemoteError::Problem { problem, .. }) if problem.code == "not_found" => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Writes a proposal of what `say` makes of the server, if one is asked, and of the set of governors
/// in force.
fn write(
    proposing: &Proposing,
    say: impl FnOnce(Option<AskedServer<'_>>, Index) -> Result<Statement, Failure>,
) -> Done {
    let key = signing::open(&proposing.key)?;
    let (origin, head, council, statement) = match (
        proposing.from.as_slice(),
        &proposing.origin,
        proposing.seq,
        proposing.prev,
        proposing.set,
    ) {
        (servers @ [_, ..], ..) => {
            let remote = connect::to_any(servers);
            let council: CouncilInForce = remote.json("v1/governors")?;
            let server = AskedServer {
                remote: &remote,
                issuer_governs: council.governors.contains(&key.public()),
            };
            let statement = say(Some(server), council.stated_at)?;
            check_can_succeed(&remote, &council, &key.public(), &statement)?;
            let head = remote.issuer(&key.public())?;
            (remote.origin()?, head, Some(council), statement)
        }
        ([], Some(origin), Some(next_seq), Some(prev), Some(set)) => {
            let head = IssuerHead {
                next_seq,
                prev,
                last_issued_on: None,
            };
            (origin.clone(), head, None, say(None, set)?)
        }
        _ => {
            return Err(Failure::usage(
                "give --from URL, or --origin, --seq, --prev and --set",
            ));
        }
    };
    let record = Record {
        issuer: key.public(),
        seq: head.next_seq,
        prev: head.prev,
        issued_on: head.issue_day(today()),
        statement,
    };
    let mut proposal = Proposal::new(origin, &record, &key)?;
    proposal.council = council;
    proposal.write_new(&proposing.out)?;
    outln!("{}", words::say_statement(&record.statement));
    outln!("signed by {}", key.public());
    say_who_is_missing(&proposal);
    outln!(
        "Next: others run  arborlog endorse {} --key THEIR.pem",
        proposing.out.display()
    );
    outln!(
        "Then:             arborlog submit {} --to URL",
        proposing.out.display()
    );
    Ok(())
}

pub fn endorse(args: &EndorseArgs) -> Done {
    let mut proposal = read_proposal(&args.proposal)?;
    let key = signing::open(&args.key)?;
    if !args.from.is_empty() {
        proposal.council = Some(council_of(&args.from, &proposal)?);
    }
    outln!(
        "{}",
        words::say_statement(&proposal.signed.record().statement)
    );
    let proposal = proposal.endorse(&key).map_err(|error| match error {
        ProposalError::NotAsked(_) | ProposalError::Superseded { .. } => Failure::check(error),
        other => other.into(),
    })?;
    proposal.replace(&args.proposal)?;
    outln!("endorsed by {}", key.public());
    say_who_is_missing(&proposal);
    if proposal.asks_governors() && proposal.council.is_none() {
        outln!("Who governs is not known here: --from URL would tell whether this key is asked.");
    }
    Ok(())
}

/// Who governs now, by the server of a proposal's ledger.
pub fn council_of(from: &[String], proposal: &Proposal) -> Result<CouncilInForce, Failure> {
    let (remote, url) = (connect::to_any(from), from.join(","));
    let origin = remote.origin()?;
    if origin != proposal.origin {
        return Err(Failure::check(anyhow::anyhow!(
            "the proposal is for {}, and {url} serves {origin}",
            proposal.origin
        )));
    }
    Ok(remote.json("v1/governors")?)
}

/// Reads a proposal: a file that is none is another kind of thing, and one whose signatures do not
/// hold, or that shows something else than it signs, is false.
pub fn read_proposal(path: &Path) -> Result<Proposal, Failure> {
    let read = match path == Path::new("-") {
        true => Proposal::from_reader(path, std::io::stdin().lock()),
        false => Proposal::read(path),
    };
    read.map_err(|error| {
        let outcome = match &error {
            ProposalError::Malformed { .. } => Outcome::NotThatKind,
            ProposalError::Misleading(_) | ProposalError::Signature { .. } => Outcome::False,
            _ => Outcome::Unchecked,
        };
        Failure::of(outcome, error)
    })
}

/// Whose signatures it has: its issuer's first.
pub fn signed_by(proposal: &Proposal) -> Vec<PublicKey> {
    let endorsements = proposal.signed.endorsements().iter();
    let endorsers = endorsements.map(|endorsement| endorsement.key);
    std::iter::once(proposal.signed.record().issuer)
        .chain(endorsers)
        .collect()
}

/// The keys that it gives a task, and that have not signed.
pub fn unsigned_named(proposal: &Proposal) -> Vec<PublicKey> {
    let signed = signed_by(proposal);
    let council = proposal.council.as_ref();
    // A governor who stays need not sign the next set.
    let governs = |key: &PublicKey| council.is_some_and(|council| council.governors.contains(key));
    let named = proposal.named_keys().into_iter();
    named
        .filter(|key| !signed.contains(key) && !governs(key))
        .collect()
}

/// Who must still sign, as far as it is known.
fn say_who_is_missing(proposal: &Proposal) {
    for key in unsigned_named(proposal) {
        outln!("must sign: {key}");
    }
    match proposal.governors_missing() {
        Some(0) | None => {}
        Some(missing) => outln!("must sign: {missing} more of the governors in force"),
    }
}

/// Proposes, endorses and submits what governors say, when all their keys are at hand.
pub fn submit_governed(
    remote: &Remote,
    origin: &Origin,
    governors: &[SigningKey],
    statement: Statement,
    also: Option<&Signer>,
) -> Result<Index, Failure> {
    let [first, others @ ..] = governors else {
        return Err(anyhow::anyhow!("there is no governor").into());
    };
    let head = remote.issuer(&first.public())?;
    let record = Record {
        issuer: first.public(),
        seq: head.next_seq,
        prev: head.prev,
        issued_on: head.issue_day(today()),
        statement,
    };
    let mut proposal = Proposal::new(origin.clone(), &record, first)?;
    for key in others {
        proposal = proposal.endorse(key)?;
    }
    if let Some(key) = also {
        proposal = proposal.endorse(key)?;
    }
    let indexes = admitted(remote.append(&[proposal.signed])?)?;
    indexes
        .first()
        .copied()
        .ok_or_else(|| anyhow::anyhow!("the server gave no index for a record").into())
}

/// The indexes of a batch that must be admitted whole.
pub fn admitted(answer: BatchAnswer) -> Result<Vec<Index>, Failure> {
    match answer {
        BatchAnswer::Admitted(indexes) => Ok(indexes),
        BatchAnswer::Refused { problem, .. } => {
            Err(anyhow::anyhow!("{} ({}); {}", problem.detail, problem.code, problem.advice).into())
        }
    }
}
