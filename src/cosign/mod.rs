//! Cosigning: what a witness does with the checkpoints of logs that it was told to watch
//! ([c2sp.org/tlog-witness]).
//!
//! A witness keeps, for each log, the newest checkpoint that it cosigned. It cosigns a larger one only
//! with a proof that the log only grew, and notes it durably before it answers: so a log can't show two
//! histories that the same witness cosigned. It reads no entries: whether the rules hold is an auditor's
//! question. An auditor that cosigns is told of checkpoints in the same way, and cosigns one only once it
//! replayed every entry below by the rules ([`CosigningAuditor`]).
//!
//! [c2sp.org/tlog-witness]: https://c2sp.org/tlog-witness

mod auditor;
mod key;
mod request;
mod watched;
mod witness;

pub use auditor::{
    AuditorError, AuditorRefusal, CosigningAuditor, FindingCount, FollowedLog, LogStatus,
    OnFinding, Replayer, Round, RoundError, RoundOptions, Statement,
};
pub use key::KeyKind;
pub use request::{AddCheckpoint, PROOF_HASHES_MAX, REQUEST_BYTES_MAX, RequestError};
pub use watched::{Evidence, LogRefusal, WatchedLog};
pub use witness::{Witness, WitnessError, WitnessRefusal};
