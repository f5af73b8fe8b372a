//! Cosigning, from both sides: what a log asks of the witnesses and auditors of its policy and keeps of their
//! answers (with the feature `server`), and what a witness does with the checkpoints of logs that it was told to watch
//! ([c2sp.org/tlog-witness]).
//!
//! A witness keeps, for each log, the newest checkpoint that it cosigned. It cosigns a larger one only
//! with a proof that the log only grew, and notes it durably before it answers: so a log can't show two
//! histories that the same witness cosigned. It reads no entries: whether the rules hold is an auditor's
//! question. An auditor that cosigns is told of checkpoints in the same way, and cosigns one only once it
//! replayed every entry below by the rules ([`CosigningAuditor`]).
//!
//! [c2sp.org/tlog-witness]: https://c2sp.org/tlog-witness

#[cfg(feature = "server")]
mod accepted;
mod auditor;
#[cfg(feature = "server")]
mod board;
mod clock;
#[cfg(feature = "server")]
mod conversation;
mod files;
#[cfg(feature = "server")]
mod kept;
mod key;
mod request;
#[cfg(feature = "server")]
mod transport;
mod watched;
mod witness;

#[cfg(feature = "server")]
pub use accepted::AcceptedSizes;
pub use auditor::{
    AuditorError, AuditorRefusal, AwaitedNote, BeginningError, BeginsWith, ComparedNote,
    CosigningAuditor, FindingCount, FollowedLog, LogStatus, OnFinding, OtherAuditor, OtherStatus,
    Replayer, Round, RoundError, RoundOptions, Since, Statement,
};
#[cfg(feature = "server")]
pub use board::{CosignerBoard, CosignerStatus, Stands, is_overdue};
pub use clock::now_s;
#[cfg(feature = "server")]
pub use conversation::{Answer, AskOutcome, Asked, Conversation, Next, Pace, Role};
#[cfg(feature = "server")]
pub use kept::{CosignedCheckpoint, KeptCheckpoints, keep_ahead, open_own, read_ahead, read_hour};
pub use key::KeyKind;
pub use request::{AddCheckpoint, PROOF_HASHES_MAX, REQUEST_BYTES_MAX, RequestError};
#[cfg(feature = "server")]
pub use transport::{Answered, ClientError, CosignerClient, NoAnswer};
pub use watched::{Evidence, LogRefusal, WatchedLog};
pub use witness::{Witness, WitnessError, WitnessRefusal, hash_of};
