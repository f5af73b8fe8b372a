//! The three verifiers, asked the same: this crate, `docs/verifier/arborlog_verify.py`, and the
//! modules that browsers run (`src/web/verifier`).

#![allow(dead_code)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use arborlog::note::{SignatureType, VerifierKey};
use arborlog::outcome::Outcome;
use arborlog::policy::{Level, Policy};
use arborlog::receipt::{
    ProvenItem, Question as Asked, Receipt, ReceiptError, Trust, VerifiedReceipt,
};
use arborlog::record::RecordId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A receipt, and by what it is to be verified.
pub struct Question {
    pub receipt: Vec<u8>,
    pub log: String,
    pub genesis: Option<String>,
    pub witnesses: Vec<String>,
    /// What the file must be about.
    pub about: Option<String>,
    /// A policy that names no log, beside the log's key.
    pub policy: Option<String>,
}

/// What a verifier says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds: index, record id, genesis, size, the items of the state, and when each witness saw it; by a policy, the
    /// levels, who signed when and at which size, and how far the entries were seen and replayed.
    Holds(String),
    /// It is false; each verifier may find something else first.
    False,
    /// It is neither: the outcome and the code that every verifier gives; of `quorum_missing` also who is missing, whom
    /// the words name, and the levels.
    Neither(Outcome, String),
    /// A key that was given is none, or the question is none.
    Usage,
}

/// All three, two of them in processes that answer many questions.
pub struct Verifiers {
    python: Process,
    node: Process,
}

impl Verifiers {
    pub fn start() -> Self {
        let (docs, web) = (
            concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verifier"),
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/web/verdicts.mjs"),
        );
        let mut python = Command::new("python3");
        python
            .args(["-B", "-c", PYTHON])
            .env("PYTHONPATH", docs)
            .env("PYTHONIOENCODING", "utf-8");
        let mut node = Command::new("node");
        node.arg(web);
        Self {
            python: Process::start("python3, with `cryptography`", python),
            node: Process::start("node", node),
        }
    }

    /// What all of them say.
    ///
    /// # Panics
    /// When they differ.
    pub fn ask(&mut self, what: &str, question: &Question) -> Verdict {
        let line = json!({
            "receipt": STANDARD.encode(&question.receipt), "log": question.log,
            "genesis": question.genesis, "witnesses": question.witnesses, "about": question.about,
            "policy": question.policy,
        })
        .to_string();
        self.python.send(&line);
        self.node.send(&line);
        let rust = by_this_crate(question);
        for process in [&mut self.python, &mut self.node] {
            let answer = process.receive();
            let theirs = read(&answer);
            assert_eq!(
                theirs,
                rust,
                "{what}: {} says {answer}, this crate {rust:?}\n{}",
                process.name,
                question.receipt.escape_ascii()
            );
        }
        rust
    }
}

fn by_this_crate(question: &Question) -> Verdict {
    let of_kind = |text: &str, kind| {
        let key = text.parse::<VerifierKey>().ok();
        key.filter(|key| key.kind() == Some(kind))
    };
    let witnesses = question.witnesses.iter();
    let witnesses = witnesses.map(|text| of_kind(text, SignatureType::CosignatureV1));
    let witnesses: Option<Vec<_>> = witnesses.collect();
    let log = of_kind(&question.log, SignatureType::Ed25519);
    let about = question.about.as_deref();
    let about = about.map(str::parse::<Asked>).transpose();
    let (Some(log), Some(witnesses), Ok(about)) = (log, witnesses, about) else {
        return Verdict::Usage;
    };
    let genesis = question.genesis.as_deref();
    let genesis: Option<RecordId> = genesis.map(|text| text.parse().unwrap());
    let policy = question.policy.as_deref();
    let policy: Option<Policy> = policy.map(|text| text.parse().unwrap());
    let trust = Trust {
        log: Some(&log),
        policy: policy.as_ref(),
        witnesses: &witnesses,
    };
    let verified = Receipt::read(&question.receipt)
        .and_then(|receipt| receipt.verify_by(&trust, genesis.as_ref()))
        .and_then(|held| match &about {
            Some(about) => held.check_about(about).map(|()| held),
            None => Ok(held),
        });
    match verified {
        Ok(it) => {
            let times = it
                .cosignatures
                .iter()
                .map(|seen| seen.seen_at_s.to_string());
            let times: Vec<_> = times.collect();
            let items: Vec<_> = it.items.iter().map(shown).collect();
            Verdict::Holds(format!(
                "{} {} {} {} [{}] {}{}",
                it.index,
                it.id.map_or_else(|| "-".to_owned(), |id| id.to_string()),
                it.genesis
                    .map_or_else(|| "-".to_owned(), |id| id.to_string()),
                it.head.size,
                items.join(","),
                times.join(","),
                by_policy(&it)
            ))
        }
        Err(error @ ReceiptError::Quorum(_)) => {
            let ReceiptError::Quorum(quorum) = &error else {
                unreachable!()
            };
            let said = error.to_string();
            let named = quorum
                .missing
                .iter()
                .filter(|name| said.contains(&format!("{name} (")));
            assert_eq!(named.count(), quorum.missing.len(), "{said}");
            let levels = quorum.levels.iter().map(|level| level.name());
            let levels: Vec<_> = levels.collect();
            let code = format!(
                "{} {} [{}]",
                error.code(),
                quorum.missing.join(","),
                levels.join(",")
            );
            Verdict::Neither(error.outcome(), code)
        }
        Err(error) => match error.outcome() {
            Outcome::Holds => panic!("{error} is no outcome that holds"),
            Outcome::False => Verdict::False,
            outcome => Verdict::Neither(outcome, error.code().to_owned()),
        },
    }
}

/// What a policy makes of a receipt that holds.
fn by_policy(it: &VerifiedReceipt) -> String {
    let Some(own) = &it.standing else {
        return String::new();
    };
    let second = it.second.as_ref();
    let standings = second.map(|second| (second.head.size, second.standing.as_ref().unwrap()));
    let standings = std::iter::once((it.head.size, own)).chain(standings);
    let signers = standings.flat_map(|(size, standing)| {
        standing.signers().iter().map(move |signer| {
            let at_s = signer.signed_at_s.map_or(-1, |at_s| at_s as i64);
            let role = match signer.is_auditor {
                true => "auditor",
                false => "witness",
            };
            format!("{}:{role}:{at_s}:{size}", signer.name)
        })
    });
    let signers: Vec<_> = signers.collect();
    let reached = it.levels();
    let levels: Vec<_> = reached.iter().map(|(level, _)| level.name()).collect();
    let size_of = |level| {
        let found = reached.iter().find(|(of, _)| *of == level);
        found.map_or_else(|| "-".to_owned(), |(_, size)| size.to_string())
    };
    format!(
        " {} {} {} {}",
        levels.join(","),
        signers.join(","),
        size_of(Level::Witnessed),
        size_of(Level::Audited)
    )
}

/// An item: its domain, its key, and the leaf's value and sums, or that there is none.
fn shown(item: &ProvenItem) -> String {
    let leaf = item.found.as_ref().map(|(leaf, _)| leaf);
    let leaf = leaf.map(|leaf| format!("{}:{}:{}", hex::encode(leaf.value()), leaf.a, leaf.b));
    let (name, key) = (item.domain_name(), hex::encode(&item.key));
    format!("{name}:{key}:{}", leaf.as_deref().unwrap_or("none"))
}

/// An answer of the other two: `{"outcome", "code" or "meaning"}`.
fn read(answer: &str) -> Verdict {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    match text("outcome").as_str() {
        "holds" => Verdict::Holds(text("meaning")),
        "false" => Verdict::False,
        "unchecked" => Verdict::Neither(Outcome::Unchecked, text("code")),
        "not_that_kind" => Verdict::Neither(Outcome::NotThatKind, text("code")),
        "usage" => Verdict::Usage,
        _ => panic!("{answer}"),
    }
}

const PYTHON: &str = r#"
import base64, json, sys, arborlog_verify as v
for line in sys.stdin:
    q = json.loads(line)
    try:
        log, witnesses = v.parse_vkey(q["log"], v.LOG), [v.parse_vkey(w, v.WITNESS) for w in q["witnesses"]]
        about = None if q["about"] is None else v.read_question(q["about"])
        policy = None if q["policy"] is None else v.read_policy(q["policy"].encode())
    except v.Refused:
        print(json.dumps({"outcome": "usage"}), flush=True)
        continue
    genesis = bytes.fromhex(q["genesis"]) if q["genesis"] else None
    try:
        a = v.verify_receipt(base64.b64decode(q["receipt"]), log, genesis, witnesses, policy)
        if about: v.check_about(a, about)
        times = ",".join(str(seen["seen_at_s"]) for seen in a["witnesses"])
        leaf = lambda leaf: f"{leaf['value']}:{leaf['a']}:{leaf['b']}" if leaf else "none"
        items = ",".join(f"{item['domain']}:{item['key']}:{leaf(item['leaf'])}" for item in a.get("items", []))
        # A sealed entry has no record of its own: what is signed is its seal's.
        meaning = f"{a['index']} {a['id'] or a.get('seal_id') or '-'} {a['genesis'] or '-'} {a['tree_size']} [{items}] {times}"
        if policy:
            p, own = a["policy"], a["tree_size"]
            at = lambda one: -1 if one["seen_at_s"] is None else one["seen_at_s"]
            signers = ",".join(f"{one['as']}:{one['role']}:{at(one)}:{one.get('size', own)}" for one in p["cosigned_by"])
            far = lambda key, level: p[key] if key in p else own if level in p["levels"] else None
            meaning += f" {','.join(p['levels'])} {signers} {far('seen_to', 'witnessed') or '-'} {far('replayed_to', 'audited') or '-'}"
        print(json.dumps({"outcome": "holds", "meaning": meaning}), flush=True)
    except v.Refused as refused:
        code = refused.code
        if code == "quorum_missing":
            assert all(f"{name} (" in refused.what for name in refused.more["missing"]), refused.what
            code += f" {','.join(refused.more['missing'])} [{','.join(refused.more['levels'])}]"
        print(json.dumps({"outcome": v.OUTCOMES[refused.exit_code], "code": code}), flush=True)
"#;

/// A verifier that reads a question a line and answers each with a line.
pub struct Process {
    name: &'static str,
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Process {
    pub fn start(name: &'static str, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self {
            name,
            questions: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    pub fn send(&mut self, line: &str) {
        // If the process is gone, so is its answer.
        let _ = writeln!(self.questions.as_mut().unwrap(), "{line}");
    }

    pub fn receive(&mut self) -> String {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line).unwrap();
        assert!(read > 0, "{} broke off", self.name);
        line
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.questions.take());
        let _ = self.child.wait();
    }
}
