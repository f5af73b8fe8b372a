//! An auditor that cosigns: it takes a log's checkpoints as pending, replays every entry by the rules, and
//! cosigns what it finished under a key that no witness uses.
//!
//! ```text
//! auditor.pem, .vkey      its cosigning key, and the verifier key for policies
//! notes.pem, .vkey        the key of its audit notes
//! statement               what its cosignature says: full, or since which entry
//! beginning/HASH          of one that states since which entry: the state with which it began, and in HASH.checkpoint
//!                         the checkpoint that somebody else cosigned
//! logs                    the logs that it audits: verifier key and address, one a line
//! auditors                others whose notes are compared: key of the notes and address, one a line
//! accepted                codes of findings that its holder looked into, one a line (--on-finding stop)
//! pending/HASH            the newest checkpoint of a log that it was shown, signed by the log
//! cosigned/HASH           the newest that it replayed, with its cosignature
//! notes/HASH              its newest audit note
//! state/HASH, .awards/    where the replay stands: what a restart continues from; without the rows of awards it
//!                         is in state-without-awards/
//! faults/HASH             what is wrong with a log: from then on nothing of that log is cosigned
//! differences/HASH        what other auditors' notes say otherwise, one a line
//! evidence/HASH/…         what the log signed, and the tiles that show what is wrong
//! auditor.lock            held while it runs
//! ```
//!
//! HASH is the SHA-256 of the log's origin. Everything in `state` can be made again from the log. What stands
//! in `pending`, `cosigned` and `faults` can't, and must never be replaced by an older copy.

mod beginning;
mod comparison;
mod evidence;
mod folder;
mod followed;
mod note_choice;
mod others;
mod replayer;
mod statement;

pub use beginning::{BeginningError, BeginsWith};
pub use comparison::{AwaitedNote, ComparedNote};
pub use folder::{AuditorError, CosigningAuditor};
pub use followed::{AuditorRefusal, FindingCount, FollowedLog, LogStatus};
pub use others::{OtherAuditor, OtherStatus};
pub use replayer::{OnFinding, Replayer, Round, RoundError, RoundOptions};
pub use statement::{Since, Statement};
