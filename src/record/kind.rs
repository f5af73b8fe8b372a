//! The kinds of statement, and what each says of keys and of other entries.

use std::fmt;

use bincode::{Decode, Encode};

use super::statement::Statement;

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
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
