//! Who looks: five detectors, each with nothing but what a stranger can get.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use arborlog::audit::{
    AuditError, Auditor, AwardRowsLengths, Folder, Mirror, MirrorError, Observations, SavedAudit,
    SourceError, StaticLog, TileSource, Verified,
};
use arborlog::merkle::TileId;
use arborlog::note::VerifierKey;
use arborlog::outcome::Outcome;
use arborlog::receipt::Receipt;
use arborlog::record::RecordId;

use crate::forge::{Files, Forge, vkey, write};
use crate::verifiers::{Question, Verifiers};

const THREADS: NonZeroUsize = NonZeroUsize::MIN;

/// What strangers see, and what they hold.
pub struct Shown {
    /// What the log showed when it was honest.
    pub before: Option<Files>,
    /// What it shows now.
    pub now: Option<Files>,
    /// A file that is another when it is asked for again.
    pub second_answer: Option<(String, Vec<u8>)>,
    /// A receipt that somebody holds, or is given.
    pub receipt: Option<String>,
    /// The key that the log published.
    pub log: VerifierKey,
    /// The genesis that it published.
    pub genesis: RecordId,
    /// Whose cosignature the receipt must have.
    pub witness: Option<VerifierKey>,
}

impl Shown {
    /// A log, and nothing else.
    pub fn log(forge: &Forge, before: Option<Files>, now: Files) -> Self {
        Self {
            before,
            now: Some(now),
            second_answer: None,
            receipt: None,
            log: vkey("log"),
            genesis: forge.genesis_id(),
            witness: None,
        }
    }

    /// A receipt, and nothing else.
    pub fn receipt(forge: &Forge, receipt: &Receipt) -> Self {
        Self {
            now: None,
            ..Self::log(forge, None, Files::new()).with(receipt)
        }
    }

    /// The same, and a receipt.
    pub fn with(self, receipt: &Receipt) -> Self {
        Self {
            receipt: Some(receipt.to_text().unwrap()),
            ..self
        }
    }
}

/// What a detector says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It sees a lie, and says which.
    Detected(String),
    /// It sees no lie, and that nothing is proven.
    Unproven(String),
    /// It sees none.
    Unnoticed,
    /// It has nothing to look at.
    NotConcerned,
}

impl Verdict {
    fn of<T>(outcome: Result<T, Self>) -> Self {
        outcome.map_or_else(|verdict| verdict, |_| Self::Unnoticed)
    }

    fn refused(outcome: Outcome, why: String) -> Self {
        match outcome {
            Outcome::Holds => panic!("{why} is no outcome that holds"),
            Outcome::False => Self::Detected(why),
            Outcome::Unchecked | Outcome::NotThatKind => Self::Unproven(why),
        }
    }
}

/// What each detector says.
#[derive(Debug)]
pub struct Verdicts {
    pub receipt: Verdict,
    pub audit: Verdict,
    pub incremental: Verdict,
    pub mirror: Verdict,
    /// The second verifier's of the receipt.
    pub second_receipt: Verdict,
    /// The second verifier's of the log.
    pub second_audit: Verdict,
}

impl Verdicts {
    /// What the second verifier says of what it was shown.
    pub fn second(&self) -> &Verdict {
        let (receipt, audit) = (&self.second_receipt, &self.second_audit);
        match (receipt, audit) {
            (_, Verdict::Detected(_) | Verdict::Unproven(_)) => audit,
            (Verdict::Detected(_) | Verdict::Unproven(_), _) | (_, Verdict::NotConcerned) => {
                receipt
            }
            _ => audit,
        }
    }

    /// Whether both verifiers say the same of the receipt, and of the log.
    pub fn agree(&self) -> bool {
        use Verdict::{Detected, NotConcerned, Unnoticed, Unproven};
        let same = |ours: &Verdict, theirs: &Verdict| {
            matches!(
                (ours, theirs),
                (Detected(_), Detected(_))
                    | (Unproven(_), Unproven(_))
                    | (Unnoticed, Unnoticed)
                    | (_, NotConcerned)
            )
        };
        same(&self.receipt, &self.second_receipt) && same(&self.audit, &self.second_audit)
    }
}

/// Asks all of them.
pub fn look(shown: &Shown) -> Verdicts {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str, files: &Option<Files>| {
        files.as_ref().map(|files| {
            let dir = dir.path().join(name);
            write(files, &dir);
            dir
        })
    };
    let (before, now) = (at("before", &shown.before), at("now", &shown.now));
    let (before, now) = (before.as_deref(), now.as_deref());
    let second_looks = now.filter(|_| shown.second_answer.is_none());
    Verdicts {
        receipt: receipt(shown),
        audit: now.map_or(Verdict::NotConcerned, |now| audit(shown, now)),
        incremental: match before.zip(now) {
            Some((before, now)) => incremental(shown, before, now, &dir.path().join("audit.state")),
            None => Verdict::NotConcerned,
        },
        mirror: now.map_or(Verdict::NotConcerned, |now| {
            mirror(shown, before, now, &dir.path().join("mirror"))
        }),
        second_receipt: match &shown.receipt {
            Some(text) => {
                let path = dir.path().join("receipt");
                std::fs::write(&path, text).unwrap();
                second(shown, "receipt", &path)
            }
            None => Verdict::NotConcerned,
        },
        second_audit: second_looks.map_or(Verdict::NotConcerned, |now| second(shown, "audit", now)),
    }
}

/// Whoever holds a receipt.
fn receipt(shown: &Shown) -> Verdict {
    let Some(text) = &shown.receipt else {
        return Verdict::NotConcerned;
    };
    agreed(shown, text);
    let verified = text
        .parse::<Receipt>()
        .and_then(|it| it.verify(&shown.log, Some(&shown.genesis), shown.witness.as_slice()));
    Verdict::of(verified.map_err(|error| Verdict::refused(error.outcome(), error.to_string())))
}

/// All three verifiers come to the same outcome.
fn agreed(shown: &Shown, receipt: &str) {
    thread_local! {
        static VERIFIERS: RefCell<Verifiers> = RefCell::new(Verifiers::start());
    }
    let question = Question {
        receipt: receipt.as_bytes().to_vec(),
        log: shown.log.to_string(),
        genesis: Some(shown.genesis.to_string()),
        witnesses: shown.witness.iter().map(VerifierKey::to_string).collect(),
        about: None,
        policy: None,
    };
    VERIFIERS.with_borrow_mut(|verifiers| verifiers.ask("an attack", &question));
}

/// Whoever reads all of it.
fn audit(shown: &Shown, now: &Path) -> Verdict {
    let auditor = Auditor::new(shown.log.clone()).unwrap();
    Verdict::of(follow(shown, auditor, &Source::of(shown, now)))
}

/// Whoever read all of it before the lie, and saved where it was.
fn incremental(shown: &Shown, before: &Path, now: &Path, state: &Path) -> Verdict {
    let auditor = Auditor::new(shown.log.clone()).unwrap();
    let auditor = follow(shown, auditor, &Folder::new(before)).unwrap();
    let saved = SavedAudit {
        verified: Verified {
            checkpoint: auditor.last().unwrap().to_string(),
            state: auditor.state().clone(),
            tree: auditor.replay().tree().clone(),
        },
        observations: Observations::default(),
        awards: AwardRowsLengths::default(),
    };
    saved.write(state).unwrap();
    let saved = SavedAudit::read(state).unwrap().unwrap();
    let auditor = Auditor::resume(shown.log.clone(), saved.verified).unwrap();
    Verdict::of(follow(shown, auditor, &Source::of(shown, now)))
}

fn follow(shown: &Shown, auditor: Auditor, source: &dyn StaticLog) -> Result<Auditor, Verdict> {
    let mut auditor = auditor;
    let outcome = (|| {
        let claimed = auditor.fetch_checkpoint(source)?;
        auditor.advance(
            source,
            &claimed,
            THREADS,
            |_, _| Ok::<_, AuditError>(()),
            |_| Ok(()),
        )?;
        auditor.check_genesis(&shown.genesis)
    })();
    outcome.map_err(told)?;
    Ok(auditor)
}

/// Whoever keeps a copy, or begins one.
fn mirror(shown: &Shown, before: Option<&Path>, now: &Path, dir: &Path) -> Verdict {
    let mut mirror = Mirror::open(dir, std::slice::from_ref(&shown.log)).unwrap();
    let mut copy = |source: &dyn StaticLog| {
        let checkpoint = mirror.fetch_checkpoint(source)?;
        mirror.copy(source, checkpoint, THREADS, |_| {})
    };
    if let Some(before) = before {
        copy(&Folder::new(before)).unwrap();
    }
    Verdict::of(copy(&Source::of(shown, now)).map_err(|error| match error {
        MirrorError::Log(error) => told(error),
        other => panic!("{other}"),
    }))
}

fn told(error: AuditError) -> Verdict {
    Verdict::refused(error.outcome(), error.to_string())
}

/// Whoever wrote a verifier from `docs/format.md` alone.
fn second(shown: &Shown, what: &str, path: &Path) -> Verdict {
    let (log, genesis) = (shown.log.to_string(), shown.genesis.to_string());
    let mut args = vec![what, path.to_str().unwrap(), "--json"];
    args.extend(["--log", &log, "--genesis", &genesis]);
    let witness = shown.witness.as_ref().map(VerifierKey::to_string);
    if let (Some(witness), "receipt") = (&witness, what) {
        args.extend(["--witness", witness]);
    }
    thread_local! {
        static PYTHON: RefCell<Python> = RefCell::new(Python::start());
    }
    let (told, code) = PYTHON.with_borrow_mut(|python| python.run(&args));
    match code {
        0 => Verdict::Unnoticed,
        1 => Verdict::Detected(told),
        3 | 4 => Verdict::Unproven(told),
        other => panic!("the second verifier ended with {other}: {told}"),
    }
}

/// The second verifier in a process that runs it many times: starting Python takes longer.
struct Python {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Python {
    /// A line in is its arguments, with tabs; two lines out are what it says and its exit code.
    const LOOP: &str = "
import sys, arborlog_verify
for line in sys.stdin:
    print(arborlog_verify.main(line.rstrip('\\n').split('\\t')), flush=True)
";

    fn start() -> Self {
        let mut process = Command::new("python3")
            .args(["-B", "-c", Self::LOOP])
            .env(
                "PYTHONPATH",
                concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verifier"),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, answers }
    }

    fn run(&mut self, args: &[&str]) -> (String, i32) {
        // If it is gone, so is its answer.
        let _ = writeln!(self.process.stdin.as_mut().unwrap(), "{}", args.join("\t"));
        let (told, code) = (self.line(), self.line());
        (told, code.parse().unwrap())
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line).unwrap();
        assert!(
            read > 0,
            "the second verifier broke off; if it lacks `cryptography`, install \
             python3-cryptography"
        );
        line.trim_end().to_owned()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// A folder that may answer otherwise when it is asked again.
struct Source {
    folder: Folder,
    second_answer: Option<(String, Vec<u8>)>,
    asked: Mutex<bool>,
}

impl Source {
    fn of(shown: &Shown, now: &Path) -> Self {
        Self {
            folder: Folder::new(now),
            second_answer: shown.second_answer.clone(),
            asked: Mutex::new(false),
        }
    }
}

impl TileSource for Source {
    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        if let Some((name, other)) = &self.second_answer
            && *name == id.to_string()
            && std::mem::replace(&mut *self.asked.lock().unwrap(), true)
        {
            return Ok(other.clone());
        }
        self.folder.tile(id)
    }
}

impl StaticLog for Source {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.folder.checkpoint()
    }
}
