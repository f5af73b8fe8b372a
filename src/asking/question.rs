//! One question to one cosigner: what is sent, and what its answer comes to once its line was verified.

use super::against::speaks_against;
use crate::cosign::{
    AddCheckpoint, Answer, Answered, Asked, CosignerClient, NoAnswer, Role, hash_of, open_own,
};
use crate::log::{Log, ReadError};
use crate::note::{Checkpoint, Cosignature, UnverifiedCheckpoint, VerifierKey};
use crate::policy::Cosigner;

/// What came of a question.
pub(super) struct Reply {
    pub answer: Answer,
    /// What is wrong, in words; empty if nothing is.
    pub why: String,
    /// A checkpoint with a line of the cosigner that holds.
    pub cosigned: Option<Checkpoint>,
    /// A checkpoint that the log's own key signed, and that this log does not extend.
    pub against: Option<Checkpoint>,
}

impl Reply {
    pub(super) fn new(answer: Answer, why: impl Into<String>) -> Self {
        Self {
            answer,
            why: why.into(),
            cosigned: None,
            against: None,
        }
    }
}

/// What is needed to ask.
pub(super) struct Question {
    pub cosigner: Cosigner,
    pub url: String,
    pub role: Role,
    pub asked: Asked,
    pub checkpoint: Checkpoint,
    /// The keys that sign, or signed, this log's checkpoints.
    pub own: Vec<VerifierKey>,
}

/// The longest text of a cosigner that is shown, in characters.
const SHOWN_CHARS_MAX: usize = 200;

impl Question {
    /// Sends the checkpoint, with a proof from the size that the cosigner has.
    pub(super) async fn add(&self, log: &Log, client: &CosignerClient) -> Reply {
        let Asked { size, old_size } = self.asked;
        let proof = match old_size == 0 || old_size == size {
            true => Ok(Vec::new()),
            false => log.reader().consistency(old_size, size).await,
        };
        let proof = match proof {
            Ok(proof) => proof,
            Err(error) => return Reply::new(Answer::Silent, unread(&error)),
        };
        let request = AddCheckpoint {
            old_size,
            proof,
            checkpoint: self.checkpoint.clone().into(),
        };
        let answered = match client.add(&self.url, request.to_string()).await {
            Ok(answered) => answered,
            Err(error) => return no_answer(&error),
        };
        match answered.status {
            200 => self.accepted(&answered),
            409 => match size_of(&answered) {
                Some(size) => Reply::new(Answer::Size(size), ""),
                None => Reply::new(Answer::Malformed, "409 without a size"),
            },
            422 => Reply::new(Answer::Contradicted, said(&answered)),
            status => Reply::new(Answer::Refused(status), said(&answered)),
        }
    }

    /// Reads what came with a 200.
    fn accepted(&self, answered: &Answered) -> Reply {
        if self.role == Role::Auditor {
            return Reply::new(Answer::Pending, "");
        }
        let malformed = |why: &str| Reply::new(Answer::Malformed, why);
        let Ok(lines) = str::from_utf8(&answered.body) else {
            return malformed("its answer is no text");
        };
        let note = format!("{}{lines}", self.checkpoint);
        let Some(theirs) = open_own(note.as_bytes(), &self.own) else {
            return malformed("its answer is no signature lines");
        };
        if theirs.note().text() != self.checkpoint.note().text() {
            return malformed("its answer is no signature lines");
        }
        match self.verified(&theirs) {
            Ok(()) => Reply {
                cosigned: Some(theirs),
                ..Reply::new(Answer::Cosigned, "")
            },
            Err(why) => malformed(&why),
        }
    }

    /// Verifies the cosigner's one line.
    fn verified(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        let vkey = &self.cosigner.vkey;
        match checkpoint.note().count_of(vkey) {
            0 => return Err("no line by its key came".to_owned()),
            1 => {}
            more => return Err(format!("{more} lines by its key came")),
        }
        let seen = match self.role {
            Role::Witness => Cosignature::verify(checkpoint, vkey),
            Role::Auditor => Cosignature::verify_any_time(checkpoint, vkey),
        };
        seen.map(drop).map_err(|error| match self.role {
            Role::Witness => format!("its line does not hold, or has no time: {error}"),
            Role::Auditor => format!("its line does not hold: {error}"),
        })
    }

    /// Fetches the auditor's own newest checkpoint, which has its line.
    pub(super) async fn collect(&self, log: &Log, client: &CosignerClient) -> Reply {
        let theirs = match self.own_checkpoint_of(client).await {
            Ok(Some(found)) => found,
            Ok(None) => return Reply::new(Answer::NothingYet, ""),
            Err(reply) => return reply,
        };
        let size = theirs.head().size;
        if let Some(why) = speaks_against(log, &theirs).await {
            return Reply {
                against: Some(theirs),
                ..Reply::new(Answer::Contradicted, why)
            };
        }
        match self.verified(&theirs) {
            Ok(()) => Reply {
                cosigned: Some(theirs),
                ..Reply::new(Answer::Collected { size }, "")
            },
            Err(why) => Reply::new(Answer::Malformed, why),
        }
    }

    /// After a cosigner said that it accepted what this log does not extend: looks at its checkpoint. If the log's
    /// own key signed that, it speaks against the log; else against the cosigner.
    pub(super) async fn examine(&self, log: &Log, client: &CosignerClient) -> Option<Checkpoint> {
        let theirs = self.own_checkpoint_of(client).await.ok()??;
        let found = speaks_against(log, &theirs).await;
        found.map(|_| theirs)
    }

    /// The cosigner's own newest checkpoint, if one of the log's keys signed it.
    async fn own_checkpoint_of(
        &self,
        client: &CosignerClient,
    ) -> Result<Option<Checkpoint>, Reply> {
        let hash = hash_of(self.checkpoint.origin());
        let answered = client.checkpoint(&self.url, &hash).await;
        let answered = answered.map_err(|error| no_answer(&error))?;
        match answered.status {
            200 => {}
            404 => return Ok(None),
            status => return Err(Reply::new(Answer::Refused(status), said(&answered))),
        }
        match open_own(&answered.body, &self.own) {
            Some(checkpoint) => Ok(Some(checkpoint)),
            None => {
                let why = match UnverifiedCheckpoint::parse(&answered.body) {
                    Ok(_) => "its checkpoint is not signed by this log",
                    Err(_) => "what it serves is no checkpoint",
                };
                Err(Reply::new(Answer::Malformed, why))
            }
        }
    }
}

/// The size in the body of a 409, in plain decimal.
fn size_of(answered: &Answered) -> Option<u64> {
    if !answered.is_size {
        return None;
    }
    let text = str::from_utf8(&answered.body).ok()?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let size: u64 = text.parse().ok()?;
    (size.to_string() == text).then_some(size)
}

/// What a cosigner says of a refusal: its first line, without what could spoil a log.
fn said(answered: &Answered) -> String {
    let text = String::from_utf8_lossy(&answered.body);
    let line = text.lines().next().unwrap_or_default();
    let line: String = line
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN_CHARS_MAX)
        .collect();
    format!("{} {line}", answered.status)
}

fn no_answer(error: &NoAnswer) -> Reply {
    Reply::new(Answer::Silent, error.to_string())
}

fn unread(error: &ReadError) -> String {
    format!("this log can't be read now: {error}")
}
