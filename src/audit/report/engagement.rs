//! What an auditor and a client agreed on, under the names that ISO 14064-3:2019 has for it. An audit of a ledger
//! knows none of that by itself: who runs the command states it, and what is not stated says so.

use serde::{Serialize, Serializer};

use crate::record::{AssuranceLevel, Day};

/// In the place of what nobody stated.
pub const NOT_STATED: &str = "not stated";

/// The terms of an engagement.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Engagement {
    /// The level of assurance.
    #[serde(serialize_with = "stated")]
    pub level: Option<AssuranceLevel>,
    /// The criteria: what the programme's statements are held against.
    #[serde(serialize_with = "stated")]
    pub criteria: Option<String>,
    /// The scope: the boundary, and the activities, sources and sinks in it.
    #[serde(serialize_with = "stated")]
    pub scope: Option<String>,
    /// The first day of the period.
    #[serde(serialize_with = "stated")]
    pub period_from: Option<Day>,
    /// The last day of the period.
    #[serde(serialize_with = "stated")]
    pub period_until: Option<Day>,
    /// The responsible party: who answers for the programme's statements.
    #[serde(serialize_with = "stated")]
    pub responsible_party: Option<String>,
    /// The verifier: who made the audit.
    #[serde(serialize_with = "stated")]
    pub verifier: Option<String>,
}

impl Engagement {
    /// Each term with its name in the standard, as a reader sees it.
    pub fn terms(&self) -> [(&'static str, String); 6] {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| NOT_STATED.to_owned());
        let period = match (self.period_from, self.period_until) {
            (Some(from), Some(until)) => format!("{from} to {until}"),
            (Some(from), None) => format!("from {from}; its end is {NOT_STATED}"),
            (None, Some(until)) => format!("until {until}; its beginning is {NOT_STATED}"),
            (None, None) => NOT_STATED.to_owned(),
        };
        let level = self.level.map_or(NOT_STATED, AssuranceLevel::words);
        [
            ("Level of assurance", level.to_owned()),
            ("Criteria", text(&self.criteria)),
            ("Period", period),
            ("Scope", text(&self.scope)),
            ("Responsible party", text(&self.responsible_party)),
            ("Verifier", text(&self.verifier)),
        ]
    }
}

fn stated<T: Serialize, S: Serializer>(term: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match term {
        Some(term) => term.serialize(serializer),
        None => serializer.serialize_str(NOT_STATED),
    }
}
