//! The terms of an audit's engagement, as flags.

use clap::Args;

use super::attest::named;
use arborlog::audit::Engagement;
use arborlog::record::{AssuranceLevel, Day};

/// Bytes of a term in words: a page of text.
const WORDS_BYTES_MAX: usize = 4_000;

/// What ISO 14064-3:2019 asks an auditor to agree on with a client; the report shows it on its first page, and says
/// "not stated" of what is left out.
#[derive(Args)]
#[command(next_help_heading = "The engagement, for the report's first page (ISO 14064-3)")]
pub struct EngagementArgs {
    /// Level of assurance: limited or reasonable.
    #[arg(long, value_name = "LEVEL", value_parser = named::<AssuranceLevel>)]
    level: Option<AssuranceLevel>,
    /// Criteria: what the programme's statements are held against.
    #[arg(long, value_name = "TEXT", value_parser = words)]
    criteria: Option<String>,
    /// Scope: the boundary, and the activities, sources and sinks in it.
    #[arg(long, value_name = "TEXT", value_parser = words)]
    scope: Option<String>,
    /// First day of the period.
    #[arg(long, value_name = "DAY")]
    period_from: Option<Day>,
    /// Last day of the period. It cuts nothing off: see --until.
    #[arg(long, value_name = "DAY")]
    period_until: Option<Day>,
    /// Responsible party: who answers for the programme's statements.
    #[arg(long, value_name = "NAME", value_parser = words)]
    responsible_party: Option<String>,
    /// Verifier: who makes this audit.
    #[arg(long, value_name = "NAME", value_parser = words)]
    verifier: Option<String>,
}

impl EngagementArgs {
    /// The terms; why not, if they contradict each other.
    pub fn read(&self) -> Result<Engagement, String> {
        if let (Some(from), Some(until)) = (self.period_from, self.period_until)
            && from > until
        {
            return Err(format!(
                "--period-from {from} is after --period-until {until}"
            ));
        }
        Ok(Engagement {
            level: self.level,
            criteria: self.criteria.clone(),
            scope: self.scope.clone(),
            period_from: self.period_from,
            period_until: self.period_until,
            responsible_party: self.responsible_party.clone(),
            verifier: self.verifier.clone(),
        })
    }
}

/// A term in words: one line that says something.
fn words(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it says nothing: leave it out".to_owned());
    }
    if text.len() > WORDS_BYTES_MAX {
        return Err(format!("it is longer than {WORDS_BYTES_MAX} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err("it has a control character, such as the end of a line".to_owned());
    }
    Ok(text.to_owned())
}
