//! What a monitor tells, and what it told already.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;

use arborlog::audit::{Finding, Severity};

/// A program that was told has so long to take it in.
const PATIENCE: Duration = Duration::from_secs(60);

/// The log is wrong, or contradicts itself.
pub const WHAT_LIE: &str = "violation";
/// There is something to ask about.
pub const WHAT_FINDING: &str = "finding";

/// What a program is told, as one JSON object.
#[derive(Serialize)]
pub struct Alert<'a> {
    pub what: &'static str,
    pub ledger: &'a str,
    pub severity: Severity,
    pub text: &'a str,
    pub finding: Option<&'a Finding>,
}

impl Alert<'_> {
    /// Runs a program with this on its standard input.
    pub fn hand_to(&self, program: &Path) -> anyhow::Result<()> {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .spawn()
            .context("it does not start")?;
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        if let Some(mut input) = child.stdin.take() {
            // A program that does not read is none that failed.
            let _ = input.write_all(&text);
        }
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                anyhow::ensure!(status.success(), "it ended with {status}");
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                anyhow::bail!(
                    "it did not end within {} s, and was ended",
                    PATIENCE.as_secs()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The findings that were told before, kept in FILE.told.json.
pub struct Known {
    path: PathBuf,
    counts: BTreeMap<String, u64>,
}

impl Known {
    pub fn beside(state: &Path) -> anyhow::Result<Self> {
        let mut path = state.as_os_str().to_owned();
        path.push(".told.json");
        let path = PathBuf::from(path);
        let counts = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{} is damaged: remove it", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error).context(path.display().to_string()),
        };
        Ok(Self { path, counts })
    }

    /// Whether there are more cases than were told.
    pub fn is_news(&self, finding: &Finding) -> bool {
        let told = self.counts.get(finding.code).copied().unwrap_or(0);
        finding.count > told
    }

    /// Takes these as told.
    pub fn keep(&mut self, findings: &[Finding]) -> anyhow::Result<()> {
        let counts = findings
            .iter()
            .map(|finding| (finding.code.to_owned(), finding.count))
            .collect();
        if counts == self.counts {
            return Ok(());
        }
        self.counts = counts;
        let temporary = self.path.with_extension("new");
        std::fs::write(&temporary, serde_json::to_vec(&self.counts)?)?;
        std::fs::rename(&temporary, &self.path)?;
        Ok(())
    }
}
