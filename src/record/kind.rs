//! The kinds of statement, and what a reader of any kind asks of them: which keys they appoint, which
//! governors sign them, and which earlier entry they correct.

use std::fmt;

use bincode::{Decode, Encode};

use super::number::{AccountId, Index};
use super::statement::Statement;
use crate::crypto::{MldsaKey, PublicKey};

/// The kind of a statement, without its fields.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum Kind {
    Genesis,
    Governors,
    KeyGrant,
    KeyRevoke,
    LogKey,
    Method,
    Award,
    Transfer,
    Plot,
    Planting,
    Survey,
    Claim,
    Assignment,
    Correction,
    Policy,
    Attestation,
    Seal,
}

/// The kinds in their order, each with the name that JSON and messages use.
macro_rules! kinds {
    ($($kind:ident = $name:literal,)*) => {
        impl Kind {
            /// Every kind, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The name that JSON and messages use.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }
        }

        impl Statement {
            /// The statement's kind.
            pub fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)* }
            }
        }
    };
}

kinds! {
    Genesis = "genesis",
    Governors = "governors",
    KeyGrant = "key_grant",
    KeyRevoke = "key_revoke",
    LogKey = "log_key",
    Method = "method",
    Award = "award",
    Transfer = "transfer",
    Plot = "plot",
    Planting = "planting",
    Survey = "survey",
    Claim = "claim",
    Assignment = "assignment",
    Correction = "correction",
    Policy = "policy",
    Attestation = "attestation",
    Seal = "seal",
}

impl Kind {
    /// How many earlier entries a sealed entry of this kind names, besides those that its seal names;
    /// `None` for a kind that is never sealed.
    pub fn sealed_places(self) -> Option<usize> {
        match self {
            Self::Award | Self::Claim | Self::Planting | Self::Survey | Self::Assignment => Some(1),
            Self::Transfer => Some(2),
            // As many as that of a void of a transfer.
            Self::Correction => Some(3),
            Self::Genesis
            | Self::Governors
            | Self::KeyGrant
            | Self::KeyRevoke
            | Self::LogKey
            | Self::Method
            | Self::Plot
            | Self::Policy
            | Self::Attestation
            | Self::Seal => None,
        }
    }
}

impl Kind {
    /// Its name behind its article, for sentences: an award, a claim.
    pub fn with_article(self) -> String {
        with_article(self.name())
    }
}

/// A word behind its article.
pub(super) fn with_article(word: &str) -> String {
    let article = match word.starts_with(['a', 'e', 'i', 'o', 'u']) {
        true => "an",
        false => "a",
    };
    format!("{article} {word}")
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Statement {
    /// The keys that get a task by this statement. Each of them signs its record too, as issuer or
    /// endorser, which proves that the private key is held (`docs/format.md`, section 8).
    ///
    /// Of a new set of governors it is empty: those who governed before need not sign, and who is
    /// new the ledger's state tells, not the statement.
    pub fn appointed_keys(&self) -> Vec<PublicKey> {
        match self {
            Self::Genesis(genesis) => {
                let mut keys = genesis.governors.to_vec();
                keys.push(genesis.log_key);
                keys
            }
            Self::KeyGrant(grant) => vec![grant.key],
            Self::LogKey(next) => vec![next.key],
            Self::Governors(_)
            | Self::KeyRevoke(_)
            | Self::Method(_)
            | Self::Award(_)
            | Self::Transfer(_)
            | Self::Plot(_)
            | Self::Planting(_)
            | Self::Survey(_)
            | Self::Claim(_)
            | Self::Assignment(_)
            | Self::Correction(_)
            | Self::Policy(_)
            | Self::Attestation(_)
            | Self::Seal(_) => Vec::new(),
        }
    }

    /// The ML-DSA-44 key that the log gets by this statement, which signs its record too.
    pub fn mldsa_key(&self) -> Option<&MldsaKey> {
        match self {
            Self::Genesis(genesis) => genesis.mldsa_key.as_ref(),
            Self::LogKey(next) => next.mldsa_key.as_ref(),
            Self::Governors(_)
            | Self::KeyGrant(_)
            | Self::KeyRevoke(_)
            | Self::Method(_)
            | Self::Award(_)
            | Self::Transfer(_)
            | Self::Plot(_)
            | Self::Planting(_)
            | Self::Survey(_)
            | Self::Claim(_)
            | Self::Assignment(_)
            | Self::Correction(_)
            | Self::Policy(_)
            | Self::Attestation(_)
            | Self::Seal(_) => None,
        }
    }

    /// The set of governors who sign this statement, by the entry that states the set; `None` if it
    /// names none.
    pub fn set(&self) -> Option<Index> {
        match self {
            Self::Governors(set) => Some(set.set),
            Self::KeyGrant(grant) => Some(grant.set),
            Self::KeyRevoke(revoke) => Some(revoke.set),
            Self::LogKey(next) => Some(next.set),
            Self::Method(method) => Some(method.set),
            Self::Plot(plot) => plot.set,
            Self::Correction(correction) => correction.set,
            Self::Policy(policy) => Some(policy.set),
            Self::Genesis(_)
            | Self::Award(_)
            | Self::Transfer(_)
            | Self::Planting(_)
            | Self::Survey(_)
            | Self::Claim(_)
            | Self::Assignment(_)
            | Self::Attestation(_)
            | Self::Seal(_) => None,
        }
    }

    /// The highest index of an entry that this statement names; `None` if it names none.
    pub fn newest_named(&self) -> Option<Index> {
        match self {
            Self::Survey(survey) => Some(survey.as_of).max(survey.planting),
            Self::Assignment(assignment) => assignment.claims.iter().copied().max(),
            _ => self.target().max(self.set()),
        }
    }

    /// The account that this statement gives points to, if it is an award, or takes them from.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Award(award) => Some(&award.account),
            Self::Transfer(transfer) => Some(&transfer.from),
            Self::Claim(claim) => Some(&claim.account),
            _ => None,
        }
    }

    /// The earlier entry that this statement corrects. Judging and applying it needs that entry
    /// beside the state.
    pub fn target(&self) -> Option<Index> {
        match self {
            Self::Correction(correction) => Some(correction.target),
            Self::Genesis(_)
            | Self::Governors(_)
            | Self::KeyGrant(_)
            | Self::KeyRevoke(_)
            | Self::LogKey(_)
            | Self::Method(_)
            | Self::Award(_)
            | Self::Transfer(_)
            | Self::Plot(_)
            | Self::Planting(_)
            | Self::Survey(_)
            | Self::Claim(_)
            | Self::Assignment(_)
            | Self::Policy(_)
            | Self::Attestation(_)
            | Self::Seal(_) => None,
        }
    }
}
