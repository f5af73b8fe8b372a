//! A policy as a record has it: its text, which is read when the record is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::lines::{Policy, PolicyError};

/// The longest policy in a record: thirteen ML-DSA keys fit.
pub const POLICY_BYTES_MAX: usize = 24_576;

/// The text of a policy, which c2sp.org/tlog-policy reads (`docs/format.md`, section 6.14.1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PolicyText {
    text: String,
    policy: Policy,
}

impl PolicyText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it says.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How many logs it lists.
    pub fn logs(&self) -> usize {
        self.policy.logs().len()
    }

    /// How many witnesses it lists.
    pub fn witnesses(&self) -> usize {
        self.policy.cosigners().len()
    }

    /// The name of the witness or group that must have seen a checkpoint, or `none`.
    pub fn quorum(&self) -> &str {
        self.policy.quorum()
    }
}

impl FromStr for PolicyText {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for PolicyText {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let too_long = "a policy has at most 24,576 bytes";
        let policy = Policy::read(&text, POLICY_BYTES_MAX, too_long)?;
        Ok(Self { text, policy })
    }
}

impl From<PolicyText> for String {
    fn from(policy: PolicyText) -> Self {
        policy.text
    }
}

impl fmt::Debug for PolicyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}
