//! `arborlog bench --to`: a load on somebody's own server, over its own address, from platform keys that are for
//! nothing else. What it leaves in the ledger stays there for ever, and is said.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::BenchArgs;
use crate::cli::interrupt::set_at_ctrl_c;
use crate::cli::{Done, Failure, connect, signing};
use arborlog::client::{Remote, SentBatch, today};
use arborlog::crypto::Signer;
use arborlog::record::{
    AccountId, ActivityCode, Award, Digest, Grams, Index, Method, MethodId, MethodVersion, Origin,
    Quantity, SealPlace, SealedBatch, SealedStatement, SigningContext, Statement,
};

/// How the holder of a key begins whose records are no real ones.
const HOLDER: &str = "bench";
/// Records that a run leaves at most, unless a number is given.
const RECORDS_MAX: u64 = 100_000;
/// A run never lasts longer.
const SECONDS_MAX: u64 = 3_600;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What a run shares between its keys.
struct Run<'a> {
    remote: &'a Remote,
    origin: Origin,
    award: Template,
    batch: u64,
    accounts: u64,
    begun: Instant,
    time: Duration,
    /// Requests a second of one key.
    rate: Option<f64>,
    /// Records that may still be sent.
    left: AtomicU64,
}

/// What every award of a run says.
#[derive(Clone, Copy)]
struct Template {
    method: MethodId,
    version: MethodVersion,
    activity: ActivityCode,
    quantity: Quantity,
    points: Grams,
}

/// What one key sent.
#[derive(Default)]
struct Sent {
    records: u64,
    first: Option<Index>,
    last: Option<Index>,
    latencies_ms: Vec<f64>,
    /// What stopped it before its time.
    stopped: Option<String>,
}

/// What the server says of a key.
#[derive(Deserialize)]
struct Holder {
    role: String,
    holder: Option<String>,
}

#[derive(Deserialize)]
struct Methods {
    methods: Vec<Listed>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    method: Method,
}

pub fn run(args: &BenchArgs, servers: &[String]) -> Done {
    let remote = connect::to_any(servers);
    remote.check_address().map_err(Failure::usage)?;
    if args.seconds.get() > SECONDS_MAX {
        return Err(Failure::usage(format!(
            "--seconds is {SECONDS_MAX} at most"
        )));
    }
    let keys = args.keys.iter().map(|named| signing::open(named));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let holders = keys.iter().map(|key| holder_of(&remote, key));
    let holders = holders.collect::<Result<Vec<_>, _>>()?;
    let records_max = args.records.map_or(RECORDS_MAX, |records| records as u64);
    let each = args.rate.map(|rate| rate / keys.len() as f64);
    if each.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        return Err(Failure::usage("--rate is more than 0"));
    }
    let run = Run {
        remote: &remote,
        origin: remote.origin()?,
        award: template(&remote)?,
        batch: args.batch.get() as u64,
        accounts: args.accounts.max(1),
        begun: Instant::now(),
        time: Duration::from_secs(args.seconds.get()),
        rate: each,
        left: AtomicU64::new(records_max),
    };
    errln!(
        "this leaves up to {records_max} awards in {} for ever, of {}; Ctrl-C ends it behind the batches under way",
        run.origin,
        holders.join(", ")
    );
    set_at_ctrl_c(&INTERRUPTED);
    let sent: Vec<Result<Sent, Failure>> = std::thread::scope(|scope| {
        let threads: Vec<_> = keys
            .iter()
            .map(|key| scope.spawn(|| run.send(key)))
            .collect();
        let broke_off = || Err(anyhow::anyhow!("a sender broke off").into());
        let ended = threads.into_iter().map(|thread| thread.join());
        ended
            .map(|sent| sent.unwrap_or_else(|_| broke_off()))
            .collect()
    });
    let seconds = run.begun.elapsed().as_secs_f64();
    let sent = sent.into_iter().collect::<Result<Vec<_>, _>>()?;
    report(args.json, &sent, &holders, seconds)
}

/// The holder of a platform's key that is for this alone.
fn holder_of(remote: &Remote, key: &Signer) -> Result<String, Failure> {
    let public = key.public();
    let known: Holder = remote.json(&format!("v1/issuers/{public}"))?;
    match known.holder {
        Some(holder) if known.role == "platform" && is_for_bench(&holder) => Ok(holder),
        _ => Err(Failure::usage(format!(
            "{public} is no platform's key whose holder is {HOLDER} or begins with {HOLDER}-: what is sent stays in the ledger, and is known by its holder. Grant a key for it: arborlog grant --role platform --holder {HOLDER} …"
        ))),
    }
}

fn is_for_bench(holder: &str) -> bool {
    holder == HOLDER || holder.starts_with(&format!("{HOLDER}-"))
}

/// An award that the ledger takes today: one unit of the first activity of a method that is in effect.
fn template(remote: &Remote) -> Result<Template, Failure> {
    let mut path = Some("v1/methods".to_owned());
    let mut found: Option<Template> = None;
    while let Some(next) = path {
        let page: Methods = remote.json(next.trim_start_matches('/'))?;
        for Listed { method } in &page.methods {
            // Versions are listed in order: the last one in effect counts.
            let in_effect = method.effective_from <= today();
            let quantity = Quantity(1_000);
            let activity = method.activities.iter().find_map(|activity| {
                let points = quantity.points(activity.factor)?;
                (points.0 > 0 && points <= activity.cap).then_some((activity.code, points))
            });
            let Some((activity, points)) = activity.filter(|_| in_effect) else {
                continue;
            };
            if found.is_none_or(|found| found.method == method.id) {
                found = Some(Template {
                    method: method.id,
                    version: method.version,
                    activity,
                    quantity,
                    points,
                });
            }
        }
        path = page.next;
    }
    found.ok_or_else(|| {
        anyhow::anyhow!(
            "the ledger has no method in effect with an activity of which one unit gives points"
        )
        .into()
    })
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        self.begun.elapsed() >= self.time || INTERRUPTED.load(Ordering::Relaxed)
    }

    /// Sends one batch of a key after the other: the chain of a key has one next place.
    fn send(&self, key: &Signer) -> Result<Sent, Failure> {
        let context = SigningContext::new(&self.origin);
        let mut head = self.remote.issuer(&key.public())?;
        let mut sent = Sent::default();
        for turn in 0_u32.. {
            let count = self.take();
            if count == 0 || self.is_over() {
                break;
            }
            let statements = (0..count).map(|number| self.award(key, head.next_seq.0, number));
            let statements = statements.map(SealedStatement::new);
            let place = SealPlace {
                seq: head.next_seq,
                prev: head.prev,
                issued_on: head.issue_day(today()),
            };
            let statements = statements.collect::<Result<_, _>>()?;
            let (batch, id) = SealedBatch::seal(statements, place, &context, key)?;
            let body = batch.body()?;
            let mut asked = Instant::now();
            if let Some(rate) = self.rate {
                let due = self.begun + Duration::from_secs_f64(f64::from(turn) / rate);
                self.wait_until(due);
                if self.is_over() {
                    break;
                }
                // What is late by others' time is late.
                asked = due;
            }
            let answer = self.remote.send_batch(&body, batch.statements().len());
            match answer {
                Ok(SentBatch::In { batch, .. }) => {
                    sent.latencies_ms.push(asked.elapsed().as_secs_f64() * 1e3);
                    sent.records += count;
                    sent.first.get_or_insert(batch.first_index);
                    sent.last = Some(batch.seal_index);
                    head.next_seq.0 += 1;
                    head.prev = id;
                }
                Ok(SentBatch::Refused { problem, .. }) => {
                    sent.stopped = Some(format!("{} ({})", problem.detail, problem.code));
                    break;
                }
                Ok(_) => {
                    let what = "the batch is larger than the server takes: give a smaller --batch";
                    sent.stopped = Some(what.to_owned());
                    break;
                }
                Err(error) => {
                    sent.stopped = Some(error.to_string());
                    break;
                }
            }
        }
        Ok(sent)
    }

    /// Takes the records of a batch from those that may still be sent.
    fn take(&self) -> u64 {
        let mut taken = 0;
        let _ = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                taken = left.min(self.batch);
                Some(left - taken)
            });
        taken
    }

    fn wait_until(&self, due: Instant) {
        while !self.is_over() && Instant::now() < due {
            let left = due.saturating_duration_since(Instant::now());
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    /// An award to an account of this benchmark, for evidence that nobody has.
    fn award(&self, key: &Signer, seq: u64, number: u64) -> Statement {
        let turn = seq.wrapping_mul(self.batch).wrapping_add(number);
        let Template {
            method,
            version,
            activity,
            quantity,
            points,
        } = self.award;
        Statement::Award(Award {
            account: AccountId::from_bytes(digest(key, "account", turn % self.accounts)),
            method,
            version,
            activity,
            quantity,
            points,
            occurred_on: today(),
            evidence: Digest::from_bytes(digest(key, "evidence", turn)),
        })
    }
}

fn digest(key: &Signer, thing: &str, number: u64) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update("arborlog bench\n");
    hasher.update(key.public().as_bytes());
    hasher.update(thing);
    hasher.update(number.to_be_bytes());
    hasher.finalize().into()
}

fn report(json: bool, sent: &[Sent], holders: &[String], seconds: f64) -> Done {
    let records: u64 = sent.iter().map(|sent| sent.records).sum();
    let latencies = sent.iter().flat_map(|sent| &sent.latencies_ms);
    let mut latencies: Vec<f64> = latencies.copied().collect();
    latencies.sort_by(f64::total_cmp);
    let percentile = |percent: usize| {
        let at = latencies.len().saturating_sub(1) * percent / 100;
        latencies.get(at).copied()
    };
    let (p50, p99) = (percentile(50), percentile(99));
    let first = sent.iter().filter_map(|sent| sent.first).min();
    let last = sent.iter().filter_map(|sent| sent.last).max();
    let stopped: Vec<&str> = sent
        .iter()
        .filter_map(|sent| sent.stopped.as_deref())
        .collect();
    let interrupted = INTERRUPTED.load(Ordering::Relaxed);
    let per_second = records as f64 / seconds.max(f64::MIN_POSITIVE);
    if json {
        outln!(
            "{}",
            json!({
                "records": records, "batches": latencies.len(), "seconds": seconds,
                "records_per_second": per_second, "p50_ms": p50, "p99_ms": p99,
                "first_index": first, "last_index": last, "holders": holders,
                "interrupted": interrupted, "stopped": stopped,
            })
        );
    } else {
        outln!(
            "{records} records in {} batches, {seconds:.1} s: {per_second:.0} a second",
            latencies.len()
        );
        if let (Some(p50), Some(p99)) = (p50, p99) {
            outln!("a batch was answered within {p50:.1} ms (half), {p99:.1} ms (99 of 100)");
        }
        if let (Some(first), Some(last)) = (first, last) {
            outln!(
                "left in the ledger for ever: {records} awards and their seals, among the entries {first} to {last}, of {}",
                holders.join(", ")
            );
        }
    }
    if stopped.is_empty() {
        return Ok(());
    }
    Err(Failure::not_all_in(format!(
        "it ended early: {}",
        stopped.join("; ")
    )))
}

/// What only the other form of the command has a meaning for.
pub fn check(args: &BenchArgs) -> Done {
    let other = [
        (args.unsealed, "--unsealed"),
        (args.audit_beside, "--audit-beside"),
        (args.dir.is_some(), "--dir"),
        (args.store.is_some(), "--store"),
        (args.vary.is_some(), "--vary"),
        (
            args.chart.as_deref().map(Path::as_os_str).is_some(),
            "--chart",
        ),
    ];
    match other.iter().find(|(given, _)| *given) {
        Some((_, flag)) => Err(Failure::usage(format!(
            "{flag} is for a ledger of its own, not for --to"
        ))),
        None => Ok(()),
    }
}
