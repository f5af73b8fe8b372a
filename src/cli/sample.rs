use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::log_source::{self, is_url};
use super::trust::PolicyArgs;
use super::{Done, Failure, connect, say};
use arborlog::audit::{
    Announcements, AuditError, Auditor, Beginning, PLAN_FORMAT, Plan, PlanError, PlanShown, Seed,
    StaticLog, Until, UntilError, end_of, threads_default,
};
use arborlog::durable::{read_at_most, replace};
use arborlog::note::{
    Checkpoint, NOTE_BYTES_MAX, SignatureType, UnverifiedCheckpoint, VerifierKey,
};
use arborlog::outcome::Outcome;
use arborlog::policy::Policy;
use arborlog::record::{Day, Digest, Statement};

/// The longest plan that is read: 10,000 visits of 1,000 trees.
const PLAN_BYTES_MAX: usize = 256 << 20;
const PAGE_BYTES_MAX: u64 = 1 << 20;
/// Hours behind a sampling day whose checkpoints are looked at.
const HOURS_MAX: usize = 48;

/// Draw the plots and trees to visit after a sampling day that the log announced, or check such a plan.
///
/// Governors announce the day in a comment of a policy: # sampling 2026-12-24 plots=30 trees=20 strata=country. The seed
/// is SHA-256 of the cosignature lines by which that policy's quorum met the first checkpoint after the day: nobody knew
/// it before. Everybody who draws gets the same file; surveys name it by its SHA-256 (plan). docs/audit.md has the formulas.
///
/// Exit codes: 0 the plan is written, or is what the log gives; 1 it is not, or the log is wrong; 3 it could not be drawn or
/// checked; 4 the file is no plan.
#[derive(Args)]
pub struct SampleArgs {
    /// The ledger's URL, its object store, or a mirror.
    ledger: String,
    /// The log's verifier key, or a file that holds it.
    #[arg(long, value_name = "VKEY", required_unless_present = "policy")]
    log: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    /// The sampling day.
    #[arg(long, value_name = "DAY", required_unless_present = "check")]
    day: Option<Day>,
    /// The first checkpoint that was cosigned after the day, as a file; without it, a server is asked for the one that it
    /// keeps.
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    checkpoint: Option<PathBuf>,
    /// Where the plan is written.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "check",
        conflicts_with = "check"
    )]
    out: Option<PathBuf>,
    /// Check this plan instead: draw it again by the checkpoint that it names, and compare.
    #[arg(long, value_name = "PLAN", conflicts_with = "day")]
    check: Option<PathBuf>,
    /// How many bundles are fetched and checked at a time.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &SampleArgs) -> Done {
    let trusted = args.policy.read(args.log.as_slice())?;
    let source = log_source::open(&args.ledger)?;
    let drawer = Drawer {
        place: &args.ledger,
        source: source.as_ref(),
        log: trusted.audit_key(source.as_ref())?,
        policy: trusted.policy(),
        threads: args.threads.unwrap_or_else(threads_default),
    };
    if let Some(file) = &args.check {
        let shown = drawer.check(file)?;
        return told_check(args, &shown);
    }
    let (Some(day), Some(out)) = (args.day, &args.out) else {
        return Err(Failure::usage(
            "--day and --out say what is drawn, and where it is written",
        ));
    };
    let plan = drawer.draw(day, args.checkpoint.as_deref())?;
    let bytes = bytes_of(&plan)?;
    replace(out, &bytes)?;
    let digest = digest_of(&bytes);
    let (visits, trees) = (plan.visits_count(), plan.trees_count());
    let plots = plan.visits.len();
    say(
        args.json,
        format!(
            "{}: {visits} visits to {plots} plots, {trees} trees. Surveys name it as plan {digest}",
            out.display()
        ),
    );
    if args.json {
        outln!(
            "{}",
            serde_json::json!({
                "outcome": Outcome::Holds, "digest": digest, "day": day, "seed": plan.seed, "entries": plan.entries,
                "visits": visits, "plots": plots, "trees": trees, "cosigned_after_s": plan.cosigned_after_s(),
                "other_announcements": plan.others.len(),
            })
        );
    }
    Ok(())
}

fn told_check(args: &SampleArgs, shown: &PlanShown) -> Done {
    if shown.outcome != Outcome::Holds {
        return Err(Failure::of(
            shown.outcome,
            anyhow::anyhow!(shown.words.clone()),
        ));
    }
    let plan = &shown.plan;
    say(
        args.json,
        format!(
            "HOLDS: the log gives just this plan for {}: {} visits, {} trees. Its seed was cosigned {} s after that day, by {}",
            plan.announced.day,
            plan.visits_count(),
            plan.trees_count(),
            plan.cosigned_after_s(),
            plan.cosigned_by.join(", ")
        ),
    );
    if args.json {
        outln!(
            "{}",
            serde_json::json!({
                "outcome": shown.outcome, "digest": shown.digest, "day": plan.announced.day,
                "visits": plan.visits_count(), "trees": plan.trees_count(),
                "cosigned_after_s": plan.cosigned_after_s(), "other_announcements": plan.others.len(),
            })
        );
    }
    Ok(())
}

/// What plans are drawn from.
pub(super) struct Drawer<'a> {
    /// The log's address.
    pub(super) place: &'a str,
    pub(super) source: &'a dyn StaticLog,
    pub(super) log: VerifierKey,
    /// What the log's checkpoint must meet, beside what the log itself says.
    pub(super) policy: Option<&'a Policy>,
    pub(super) threads: NonZeroUsize,
}

/// A log up to a checkpoint.
struct Looked {
    checkpoint: Checkpoint,
    auditor: Auditor,
    announcements: Announcements,
}

impl Drawer<'_> {
    fn draw(&self, day: Day, checkpoint: Option<&Path>) -> Result<Plan, Failure> {
        let notes = match checkpoint {
            Some(file) => vec![read_at_most(file, NOTE_BYTES_MAX)?],
            None => self.kept_after(day)?,
        };
        let mut last = None;
        for note in &notes {
            let looked = self.look(note)?;
            match looked.plan(day) {
                Ok(plan) => return Ok(plan),
                // The first of an hour may have been cosigned before.
                Err(error @ (PlanError::TooEarly(_) | PlanError::NotCosigned)) => {
                    last = Some(error)
                }
                Err(error) => return Err(Failure::of(Outcome::Unchecked, error)),
            }
        }
        Err(match last {
            Some(error) => Failure::of(Outcome::Unchecked, error),
            None => Failure::of(
                Outcome::Unchecked,
                anyhow::anyhow!(
                    "no checkpoint that was cosigned after {day} is kept at {}: ask again when that day is over (UTC), or give the checkpoint with --checkpoint",
                    self.place
                ),
            ),
        })
    }

    /// Draws a plan again, and compares. Only a log that can't be checked, or is wrong, is an error.
    pub(super) fn check(&self, file: &Path) -> Result<PlanShown, Failure> {
        let bytes = read_at_most(file, PLAN_BYTES_MAX)?;
        let no_plan = |why: String| {
            let what = anyhow::anyhow!("{} is no plan: {why}", file.display());
            Failure::of(Outcome::NotThatKind, what)
        };
        if bytes.len() > PLAN_BYTES_MAX {
            return Err(no_plan(format!("it is longer than {PLAN_BYTES_MAX} bytes")));
        }
        let plan = read_plan(&bytes).map_err(no_plan)?;
        self.check_read(digest_of(&bytes), &bytes, plan)
    }

    /// The same of a plan that was read.
    pub(super) fn check_read(
        &self,
        digest: Digest,
        bytes: &[u8],
        plan: Plan,
    ) -> Result<PlanShown, Failure> {
        let shown = |outcome, words: String, plan| PlanShown {
            digest,
            plan,
            outcome,
            words,
        };
        let day = plan.announced.day;
        if plan.origin != self.log.name().as_str() {
            let words = format!("the plan is of another log, {:?}", plan.origin);
            return Ok(shown(Outcome::False, words, plan));
        }
        let looked = self.look(plan.checkpoint.as_bytes())?;
        let again = match looked.plan(day) {
            Ok(again) => again,
            Err(error) => return Ok(shown(Outcome::False, error.to_string(), plan)),
        };
        // By its bytes: JSON that is read may miss the last digit of a probability.
        if bytes_of(&again)? != bytes {
            let words = difference(bytes, &bytes_of(&again)?);
            return Ok(shown(Outcome::False, words, plan));
        }
        if let Some(earlier) = self.earlier(&looked, &plan)? {
            let words = format!(
                "the plan's checkpoint is not the first one that was cosigned after {day}: this log keeps one of {} entries, cosigned {} s before, which gives another seed",
                earlier.0,
                plan.cosigned_at_s - earlier.1
            );
            return Ok(shown(Outcome::False, words, plan));
        }
        Ok(shown(Outcome::Holds, String::new(), again))
    }

    /// Replays the log up to a checkpoint.
    fn look(&self, note: &[u8]) -> Result<Looked, Failure> {
        let wrong = |what: String| Failure::of(Outcome::Unchecked, anyhow::anyhow!(what));
        let shown = UnverifiedCheckpoint::parse(note);
        let shown = shown.map_err(|error| wrong(format!("the checkpoint: {error}")))?;
        let size = shown.head().size;
        let mut auditor = Auditor::new(self.log.clone()).map_err(log_source::failed)?;
        if let Some(policy) = self.policy {
            auditor.require(policy.clone());
        }
        let claimed = auditor
            .fetch_checkpoint(self.source)
            .map_err(log_source::failed)?;
        let beginning = Beginning::of(self.source, &claimed, Until::Size(size));
        let beginning = beginning.map_err(|error| match error {
            UntilError::Audit(error) => log_source::failed(error),
            error => wrong(format!("the checkpoint is of {size} entries: {error}")),
        })?;
        if beginning.claimed().head() != shown.head() {
            let signed = shown.note().names(&self.log);
            let what = anyhow::anyhow!(
                "the checkpoint of {size} entries is of no beginning of this log: {}",
                match signed {
                    true => "if the log signed it, there are two histories. Keep both",
                    false => "its root is another one",
                }
            );
            return Err(Failure::check(what));
        }
        let mut announcements = Announcements::default();
        auditor
            .advance(
                &beginning,
                beginning.claimed(),
                self.threads,
                |taken, _| {
                    if let Some(Statement::Policy(said)) = taken.stated().map(|it| it.statement) {
                        announcements.add(taken.index, taken.admitted_at(), &said.policy);
                    }
                    Ok::<_, AuditError>(())
                },
                |_| Ok(()),
            )
            .map_err(log_source::failed)?;
        let checkpoint = opened(&auditor, &shown);
        let checkpoint = checkpoint
            .ok_or_else(|| wrong("no key of the log signed the checkpoint".to_owned()))?;
        Ok(Looked {
            checkpoint,
            auditor,
            announcements,
        })
    }

    /// The checkpoints that a server keeps of the hours behind a day, the first ones.
    fn kept_after(&self, day: Day) -> Result<Vec<Vec<u8>>, Failure> {
        if !is_url(self.place) {
            let what = format!(
                "{} is no server: give the first checkpoint that was cosigned after {day} with --checkpoint",
                self.place
            );
            return Err(Failure::usage(what));
        }
        let remote = connect::to(self.place);
        let first = end_of(day) / 3600;
        let page = format!("v1/checkpoints?after={}", first.saturating_sub(1));
        let wrong = || {
            let what = anyhow::anyhow!("{}/{page}: what came is no list of hours", self.place);
            Failure::of(Outcome::Unchecked, what)
        };
        let Some(body) = remote.file(&page, PAGE_BYTES_MAX)? else {
            return Ok(Vec::new());
        };
        let body: Value = serde_json::from_slice(&body).map_err(|_| wrong())?;
        let hours = body
            .get("hours")
            .and_then(Value::as_array)
            .ok_or_else(wrong)?;
        let hours = hours
            .iter()
            .filter_map(Value::as_u64)
            .filter(|hour| *hour >= first);
        let mut notes = Vec::new();
        for hour in hours.take(HOURS_MAX) {
            notes
                .extend(remote.file(&format!("v1/checkpoints/{hour}"), NOTE_BYTES_MAX as u64 + 1)?);
        }
        Ok(notes)
    }

    /// A checkpoint that a server keeps and that was cosigned after the day, before the plan's: its entries, and when.
    fn earlier(&self, looked: &Looked, plan: &Plan) -> Result<Option<(u64, u64)>, Failure> {
        let day = plan.announced.day;
        let Some(policy) = looked
            .announcements
            .policy_for(day)
            .filter(|_| is_url(self.place))
        else {
            return Ok(None);
        };
        for note in self.kept_after(day)? {
            let shown = UnverifiedCheckpoint::parse(&note).ok();
            let kept = shown.and_then(|shown| opened(&looked.auditor, &shown));
            let seed = kept
                .as_ref()
                .and_then(|kept| Seed::of(kept, policy, day).ok());
            if let (Some(kept), Some(seed)) = (kept, seed)
                && seed.cosigned_at_s < plan.cosigned_at_s
                && hex::encode(seed.digest) != plan.seed
            {
                return Ok(Some((kept.head().size, seed.cosigned_at_s)));
            }
        }
        Ok(None)
    }
}

impl Looked {
    fn plan(&self, day: Day) -> Result<Plan, PlanError> {
        let state = self.auditor.state();
        Plan::of(day, &self.announcements, &self.checkpoint, state)
    }
}

/// A checkpoint that a key of the log signed.
fn opened(auditor: &Auditor, shown: &UnverifiedCheckpoint) -> Option<Checkpoint> {
    let mut keys = auditor.state().globals().log_keys.iter().rev();
    keys.find_map(|(key, _)| {
        let vkey = VerifierKey::new(shown.origin().clone(), SignatureType::Ed25519, *key);
        shown.clone().verify(&vkey).ok()
    })
}

/// A plan from its file's bytes; of what is none, why.
pub(super) fn read_plan(bytes: &[u8]) -> Result<Plan, String> {
    let plan: Plan = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match plan.format == PLAN_FORMAT {
        true => Ok(plan),
        false => Err(format!(
            "its format is {:?}, and not {PLAN_FORMAT:?}",
            plan.format
        )),
    }
}

fn bytes_of(plan: &Plan) -> Result<Vec<u8>, Failure> {
    let mut bytes = serde_json::to_vec_pretty(plan)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

/// Where a plan's file differs from the one that the log gives.
fn difference(file: &[u8], drawn: &[u8]) -> String {
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let (file, drawn) = (read(file), read(drawn));
    if file == drawn {
        return "the plan says what the log gives, and its bytes are others: its digest is not the plan's".to_owned();
    }
    let (Some(file), Some(drawn)) = (file.as_object(), drawn.as_object()) else {
        return "the log gives another plan".to_owned();
    };
    let differs = |name: &&String| file.get(*name) != drawn.get(*name);
    let names: Vec<&str> = drawn.keys().filter(differs).map(String::as_str).collect();
    format!("the log gives another plan: {} differ", names.join(", "))
}
