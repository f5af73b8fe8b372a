//! Following a log: each new checkpoint, its new entries, and what there is to ask about.

mod alert;
mod metrics;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::audit::{advance, failed, say_unheld};
use super::cosigned_hours::Hours;
use super::trust::PolicyArgs;
use super::{Done, Failure, log_source};
use alert::{Alert, Known, WHAT_FINDING, WHAT_GONE, WHAT_LIE};
use arborlog::audit::{
    AuditError, Inspection, InspectionError, Severity, StaticLog, threads_default,
};
use arborlog::client::today;
use arborlog::outcome::Outcome;
use arborlog::policy::Policy;
use arborlog::record::RecordId;
use metrics::MonitorMetrics;

/// Judging findings takes at most about one part in this many of the time.
const JUDGE_ONE_IN: u32 = 10;

/// Follow a log: verify each new checkpoint and its new entries, until something is wrong.
///
/// Ends with exit code 1 when the log is wrong or contradicts what it signed before; its
/// checkpoints are kept in FILE.evidence/. A log that could not be checked (it does not answer,
/// lags, gives a page in the place of a tile, shows what its key did not sign, or what a policy's
/// quorum did not) is asked again; with
/// --once the exit code is 3 then, and 4 where there is no log. A host that is unknown, or shows a
/// certificate that is not trusted, at the first look ends it with 3.
#[derive(Args)]
pub struct MonitorArgs {
    /// The ledger's URL, or a mirror that somebody updates.
    ledger: String,
    /// The log's verifier key, or a file that holds it.
    #[arg(long, value_name = "VKEY", required_unless_present = "policy")]
    log: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    /// The file that keeps what was verified: the same as of `audit --state`.
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// The genesis id that you were told.
    #[arg(long, value_name = "ID")]
    genesis: Option<RecordId>,
    /// Seconds from one look to the next.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    every: u64,
    /// Answer /metrics here (OpenMetrics).
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// A program to run for each new finding and when the log is wrong: it gets one JSON object on
    /// standard input.
    #[arg(long, value_name = "PROGRAM")]
    on_finding: Option<PathBuf>,
    /// End with exit code 1 at a new finding of this severity or a graver one; high if left out
    /// and there is no --on-finding.
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<Severity>,
    /// How many bundles are fetched and checked at a time.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Look once, then end.
    #[arg(long)]
    once: bool,
}

struct Monitor<'a> {
    args: &'a MonitorArgs,
    source: Box<dyn StaticLog>,
    threads: NonZeroUsize,
    /// A new finding of this severity or a graver one ends the monitor.
    fail_on: Option<Severity>,
    metrics: MonitorMetrics,
    known: Known,
    /// When findings may be judged again; `None` before the first time.
    judge_after: Option<Instant>,
    /// Whether entries were verified since findings were judged.
    unjudged: bool,
    /// State entries that could not be checked and were told.
    unheld_told: usize,
    /// The cosigned checkpoints that the log keeps of hours, with the policy by which they count.
    hours: Option<(Policy, Hours)>,
}

pub fn run(args: &MonitorArgs) -> Done {
    let trusted = args.policy.read(args.log.as_slice())?;
    let unless_told = args.on_finding.is_none().then_some(Severity::High);
    let mut monitor = Monitor {
        args,
        source: log_source::open(&args.ledger)?,
        threads: args.threads.unwrap_or_else(threads_default),
        fail_on: args.fail_on.or(unless_told),
        metrics: MonitorMetrics::default(),
        known: Known::beside(&args.state)?,
        judge_after: None,
        unjudged: true,
        unheld_told: 0,
        hours: trusted
            .policy()
            .map(|policy| (policy.clone(), Hours::default())),
    };
    if let Some(address) = args.listen {
        let at = monitor.metrics.serve(address)?;
        outln!("listening on http://{at}");
    }
    let log = trusted.audit_key(monitor.source.as_ref())?;
    let resume = || -> Result<Inspection, Failure> {
        let mut inspection = Inspection::resume(log.clone(), &args.state)
            .map_err(|error| failed(error, None, Some(&args.state)))?;
        if let Some(policy) = trusted.policy() {
            inspection.require(policy.clone());
        }
        Ok(inspection)
    };
    let mut inspection = resume()?;
    let mut is_first = true;
    loop {
        let begun = Instant::now();
        // What no other look can cure is a wrong address, or a host that is missing, if it is so from the beginning.
        // Later it may be a certificate that ran out, and somebody may mend that.
        let is_first = std::mem::take(&mut is_first);
        match monitor.round(&mut inspection) {
            Ok(()) => {}
            Err(RoundError::Unchecked(AuditError::Unusable(why))) if is_first => {
                return Err(log_source::failed(AuditError::Unusable(why)));
            }
            Err(RoundError::Unchecked(error)) if !args.once => {
                monitor.metrics.unchecked(&error);
                tracing::warn!(%error, "the log could not be checked; it will be asked again");
                if !inspection.is_settled() {
                    // Resumes from what was saved; the award rows can be held once only.
                    drop(inspection);
                    inspection = resume()?;
                    monitor.unheld_told = 0;
                }
            }
            Err(RoundError::Unchecked(error)) => return Err(log_source::failed(error)),
            Err(RoundError::Ends(failure)) => return Err(failure),
        }
        if args.once {
            return Ok(());
        }
        // A round that took longer than that leaves no rest.
        let rest = Duration::from_secs(args.every.max(1)).saturating_sub(begun.elapsed());
        std::thread::sleep(rest);
    }
}

/// Why a round fails.
enum RoundError {
    /// The log could not be checked; that says nothing about it.
    Unchecked(AuditError),
    /// The log is wrong, or the monitor can't do its work: it ends.
    Ends(Failure),
}

impl From<Failure> for RoundError {
    fn from(failure: Failure) -> Self {
        Self::Ends(failure)
    }
}

impl Monitor<'_> {
    fn round(&mut self, inspection: &mut Inspection) -> Result<(), RoundError> {
        let before = inspection.auditor().state().entries();
        let file = Some(self.args.state.as_path());
        let done =
            advance(inspection, self.source.as_ref(), self.threads, file, |_| {}).and_then(|new| {
                if let Some(genesis) = &self.args.genesis {
                    inspection.auditor().check_genesis(genesis)?;
                }
                Ok(new)
            });
        let new = match done {
            Ok(new) => new,
            // What could not be checked, lags, or was not signed by the log proves nothing about
            // it: it is asked again.
            Err(InspectionError::Audit(error)) if error.outcome() != Outcome::False => {
                return Err(RoundError::Unchecked(error));
            }
            Err(error) => return Err(self.wrong(error, inspection)),
        };
        if new.end > before {
            inspection.save(&self.args.state).map_err(Failure::from)?;
            self.unjudged = true;
            tracing::info!(entries = new.end, new = new.end - new.start, "verified");
        }
        self.metrics.verified(&new);
        let unheld = self.tell_unheld(inspection);
        if self.unjudged && self.judge_after.is_none_or(|at| Instant::now() >= at) {
            self.judge(inspection)?;
        }
        match unheld {
            // The next look can't say it again: it resumes behind that state entry.
            Some(said) if self.args.once => {
                Err(Failure::of(Outcome::Unchecked, anyhow::anyhow!(said)).into())
            }
            _ => Ok(()),
        }
    }

    /// Tells of the state entries that were compared with nothing, each once; gives what was said last.
    fn tell_unheld(&mut self, inspection: &Inspection) -> Option<String> {
        let unheld = inspection.auditor().replay().unheld();
        self.metrics.unchecked_states(unheld.len());
        let mut said = None;
        for state in unheld.iter().skip(self.unheld_told) {
            let text = say_unheld(state);
            tracing::warn!(index = %state.index, "{text}");
            said = Some(text);
        }
        self.unheld_told = unheld.len();
        said
    }

    /// The log is wrong: nothing that it says from now on is worth verifying.
    fn wrong(&mut self, error: InspectionError, inspection: &Inspection) -> RoundError {
        let failure = failed(error, Some(inspection), Some(&self.args.state));
        if failure.code() != 1 {
            return failure.into();
        }
        self.metrics.wrong();
        let text = failure.to_string();
        self.tell(&Alert {
            what: WHAT_LIE,
            ledger: &self.args.ledger,
            severity: Severity::High,
            text: &text,
            finding: None,
        });
        failure.into()
    }

    fn judge(&mut self, inspection: &mut Inspection) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut findings = inspection.findings(today())?;
        if let Some((policy, hours)) = &mut self.hours {
            let source = self.source.as_ref();
            match hours.compare(policy, inspection.auditor(), source) {
                Ok(backdated) => findings.extend(backdated),
                Err(failure) if failure.is_false() => return Err(failure),
                Err(failure) => {
                    tracing::warn!(error = %failure, "the cosigned checkpoints of hours could not be compared; they are asked for again")
                }
            }
        }
        self.metrics.findings(&findings);
        for gone in self.known.gone(&findings) {
            tracing::warn!(code = gone.code, "{}", gone.text);
            let told = self.tell(&Alert {
                what: WHAT_GONE,
                ledger: &self.args.ledger,
                severity: Severity::High,
                text: &gone.text,
                finding: gone.left,
            });
            if told {
                self.known.keep_gone(&gone)?;
            }
        }
        let mut grave = 0;
        for finding in &findings {
            if !self.known.is_news(finding) {
                continue;
            }
            tracing::warn!(
                code = finding.code,
                severity = finding.severity.name(),
                count = finding.count,
                "{}",
                finding.title
            );
            let told = self.tell(&Alert {
                what: WHAT_FINDING,
                ledger: &self.args.ledger,
                severity: finding.severity,
                text: &finding.title,
                finding: Some(finding),
            });
            if told {
                self.known.keep(finding)?;
            }
            grave += u64::from(self.fail_on.is_some_and(|least| finding.severity >= least));
        }
        self.unjudged = false;
        self.judge_after = Some(Instant::now() + begun.elapsed() * JUDGE_ONE_IN);
        if grave > 0 {
            return Err(Failure::check(anyhow::anyhow!(
                "{grave} new findings that end the monitor (--fail-on); a restart continues after them"
            )));
        }
        Ok(())
    }

    /// Tells the program of `--on-finding`; gives whether it was told. A program that fails must not
    /// stop the monitor: it is told again when findings are next judged.
    fn tell(&self, alert: &Alert<'_>) -> bool {
        let Some(program) = &self.args.on_finding else {
            return true;
        };
        match alert.hand_to(program) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, program = %program.display(), "--on-finding failed");
                false
            }
        }
    }
}
