//! Statements by what they say.

use arborlog::record::*;

/// Anything that a record can say.
pub trait Says {
    fn says(self) -> Statement;
}

macro_rules! says {
    ($($kind:ident($said:ty)),* $(,)?) => {
        $(impl Says for $said {
            fn says(self) -> Statement {
                Statement::$kind(self)
            }
        })*
    };
}

says!(
    Genesis(Genesis),
    Governors(GovernorSet),
    KeyGrant(KeyGrant),
    KeyRevoke(KeyRevoke),
    LogKey(LogKey),
    Method(Method),
    Award(Award),
    Transfer(Transfer),
    Plot(Plot),
    Planting(Planting),
    Survey(Survey),
    Claim(Claim),
    Assignment(Assignment),
    Correction(Correction),
);

impl Says for Statement {
    fn says(self) -> Statement {
        self
    }
}
