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
    Policy(Policy),
    Attestation(Attestation),
    Seal(Seal),
);

impl Says for Statement {
    fn says(self) -> Statement {
        self
    }
}

/// What statements of tests name as the set of governors: whichever is in force when they are signed.
pub const IN_FORCE: Index = Index(u64::MAX);

/// A statement that names the set in force, if it names one, or has to since governors sign it.
pub fn naming(statement: Statement, in_force: Index, by_governors: bool) -> Statement {
    let mut statement = statement;
    let set = match &mut statement {
        Statement::Governors(said) => &mut said.set,
        Statement::KeyGrant(said) => &mut said.set,
        Statement::KeyRevoke(said) => &mut said.set,
        Statement::LogKey(said) => &mut said.set,
        Statement::Method(said) => &mut said.set,
        Statement::Policy(said) => &mut said.set,
        Statement::Plot(Plot { set, .. }) | Statement::Correction(Correction { set, .. }) => {
            if set.is_none() && by_governors {
                *set = Some(IN_FORCE);
            }
            match set {
                Some(set) => set,
                None => return statement,
            }
        }
        _ => return statement,
    };
    if *set == IN_FORCE {
        *set = in_force;
    }
    statement
}
