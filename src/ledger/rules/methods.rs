//! The version of a method that a statement must name.

use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::state::State;
use crate::record::{Day, Method, MethodId, MethodVersion};

/// The method, if this version of it is the one in effect on a day.
pub(in crate::ledger) fn check_version(
    state: &State,
    id: MethodId,
    version: MethodVersion,
    day: Day,
) -> Result<&Method, Refusal> {
    let in_effect = state.method_in_effect(id, day).ok_or_else(|| {
        Refusal::new(
            Code::MethodUnknown,
            format!("no version of method {id} is in effect on {day}"),
            "GET /v1/methods lists them",
        )
    })?;
    let right = in_effect.method.version;
    ensure(version == right, || {
        Refusal::new(
            Code::MethodVersion,
            format!("version {version} of method {id} is not in effect on {day}"),
            format!("on that day version {right} is"),
        )
    })?;
    Ok(&in_effect.method)
}

/// As [`check_version`], for a day or the day before it: what was signed shortly before a price
/// changed comes in for some hours more.
pub(in crate::ledger) fn check_version_lately(
    state: &State,
    id: MethodId,
    version: MethodVersion,
    day: Day,
) -> Result<&Method, Refusal> {
    check_version(state, id, version, day)
        .or_else(|refusal| check_version(state, id, version, day.earlier(1)).map_err(|_| refusal))
}
