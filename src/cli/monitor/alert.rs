//! What a monitor tells, and what it told already.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use arborlog::audit::{Finding, Severity};
use arborlog::durable::replace;

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

/// What was told of a finding.
#[derive(Default, Serialize, Deserialize)]
struct Told {
    count: u64,
    weight: u128,
    subjects: BTreeSet<String>,
}

/// The findings that were told before, kept in FILE.told.json.
pub struct Known {
    path: PathBuf,
    told: BTreeMap<String, Told>,
}

impl Known {
    pub fn beside(state: &Path) -> anyhow::Result<Self> {
        let mut path = state.as_os_str().to_owned();
        path.push(".told.json");
        let path = PathBuf::from(path);
        let told = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{} is damaged: remove it", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error).context(path.display().to_string()),
        };
        Ok(Self { path, told })
    }

    /// Whether there is more than was told: more cases, and of what weighs more than little also
    /// graver ones, or of something else.
    pub fn is_news(&self, finding: &Finding) -> bool {
        let Some(told) = self.told.get(finding.code) else {
            return true;
        };
        let others = || {
            let mut items = finding.items.iter();
            items.any(|item| !told.subjects.contains(&item.subject))
        };
        finding.count > told.count
            || finding.severity > Severity::Low && (finding.weight > told.weight || others())
    }

    /// Takes a finding as told.
    pub fn keep(&mut self, finding: &Finding) -> anyhow::Result<()> {
        let told = Told {
            count: finding.count,
            weight: finding.weight,
            subjects: finding
                .items
                .iter()
                .map(|item| item.subject.clone())
                .collect(),
        };
        self.told.insert(finding.code.to_owned(), told);
        Ok(replace(&self.path, &serde_json::to_vec(&self.told)?)?)
    }
}
