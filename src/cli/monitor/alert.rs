//! What a monitor tells, and what it told already.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use arborlog::audit::{Finding, ITEMS_MAX, Severity};
use arborlog::durable::replace;

/// A program that was told has so long to take it in.
const PATIENCE: Duration = Duration::from_secs(60);

/// The log is wrong, or contradicts itself.
pub const WHAT_LIE: &str = "violation";
/// There is something to ask about.
pub const WHAT_FINDING: &str = "finding";

/// A grave finding of the last look is there no more: it was answered, or hidden.
pub const WHAT_GONE: &str = "finding_gone";

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
    /// Whether it was of severity high.
    #[serde(default)]
    high: bool,
    #[serde(default)]
    title: String,
}

/// What was told as grave and is not found any more.
pub struct Gone<'a> {
    pub code: String,
    pub text: String,
    /// What is left of it.
    pub left: Option<&'a Finding>,
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
            || finding.severity == Severity::High && !told.high
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
            high: finding.severity == Severity::High,
            title: finding.title.clone(),
        };
        self.told.insert(finding.code.to_owned(), told);
        self.save()
    }

    /// Findings of severity high that were told and are gone, whole or in part: not found, not high any
    /// more, or without a case that was named. Of a finding with more cases than it lists nobody knows
    /// which are gone.
    pub fn gone<'f>(&self, findings: &'f [Finding]) -> Vec<Gone<'f>> {
        let told = self.told.iter().filter(|(_, told)| told.high);
        let gone = told.filter_map(|(code, told)| {
            let left = findings
                .iter()
                .find(|finding| finding.code == code.as_str());
            let title = &told.title;
            let text = match left {
                None => format!("no longer found: {title}"),
                Some(left) if left.severity < Severity::High => {
                    format!("no longer of severity high: {title}")
                }
                Some(left) => {
                    let is_listed = |count: u64| count <= ITEMS_MAX as u64;
                    if !is_listed(left.count) || !is_listed(told.count) {
                        return None;
                    }
                    let here = |subject: &str| left.items.iter().any(|it| it.subject == subject);
                    let missing = told.subjects.iter().filter(|subject| !here(subject));
                    let missing: Vec<&str> = missing.map(String::as_str).collect();
                    if missing.is_empty() {
                        return None;
                    }
                    format!("no longer found for {}: {title}", missing.join(", "))
                }
            };
            Some(Gone {
                code: code.clone(),
                text,
                left,
            })
        });
        gone.collect()
    }

    /// Takes it as told that a finding is gone.
    pub fn keep_gone(&mut self, gone: &Gone<'_>) -> anyhow::Result<()> {
        if let Some(left) = gone.left {
            return self.keep(left);
        }
        self.told.remove(&gone.code);
        self.save()
    }

    fn save(&self) -> anyhow::Result<()> {
        Ok(replace(&self.path, &serde_json::to_vec(&self.told)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arborlog::audit::Item;

    fn finding(severity: Severity, subjects: &[&str]) -> Finding {
        let item = |subject: &&str| Item {
            subject: (*subject).to_owned(),
            detail: String::new(),
            indexes: Vec::new(),
        };
        Finding {
            code: "survey_implies_losses",
            severity,
            title: "800 dead trees".to_owned(),
            why: "",
            count: subjects.len() as u64,
            weight: 0,
            weight_unit: "trees",
            items: subjects.iter().map(item).collect(),
        }
    }

    #[test]
    fn a_grave_finding_that_goes_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let mut known = Known::beside(&state).unwrap();
        let both = finding(Severity::High, &["plot 1", "plot 2"]);
        known.keep(&both).unwrap();
        assert!(known.gone(std::slice::from_ref(&both)).is_empty());
        // Another run, which finds one of the two.
        let mut known = Known::beside(&state).unwrap();
        let one = [finding(Severity::High, &["plot 2"])];
        let gone = known.gone(&one);
        assert_eq!(gone.len(), 1);
        assert_eq!(gone[0].text, "no longer found for plot 1: 800 dead trees");
        known.keep_gone(&gone[0]).unwrap();
        assert!(known.gone(&one).is_empty());
        let lower = [finding(Severity::Medium, &["plot 2"])];
        assert!(
            known.gone(&lower)[0]
                .text
                .starts_with("no longer of severity high")
        );
        let gone = known.gone(&[]);
        assert_eq!(gone[0].text, "no longer found: 800 dead trees");
        known.keep_gone(&gone[0]).unwrap();
        assert!(Known::beside(&state).unwrap().gone(&[]).is_empty());
        // What was never grave may go.
        known.keep(&finding(Severity::Medium, &["plot 2"])).unwrap();
        assert!(known.gone(&[]).is_empty());
        // Grave again, it is news.
        assert!(known.is_news(&both));
    }
}
