//! The conversations with cosigners: who is asked now, and what an answer means for the next question.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::question::{Question, Reply};
use super::round::own_keys;
use super::words::{tell_outcome, words_of};
use super::{Done, Talk, Task};
use crate::cosign::{Answer, Asked, ClientError, Conversation, CosignerClient, Next, Role};
use crate::log::Log;
use crate::note::{Checkpoint, Cosignature};
use crate::policy::Cosigner;

impl Task {
    /// Asks each cosigner that is due.
    pub(super) async fn ask_all(&mut self) {
        let Some(round) = &self.round else {
            return;
        };
        let (policy, checkpoint) = (Arc::clone(&round.policy), round.checkpoint.clone());
        let now = self.began.elapsed();
        let size = checkpoint.head().size;
        let mut own = None;
        for cosigner in policy.cosigners() {
            let Some(url) = cosigner.url.clone() else {
                continue;
            };
            let talk = self.talk(cosigner);
            let old_size = match talk.conversation.next(now, size) {
                _ if talk.is_asked => continue,
                Next::Wait => continue,
                Next::Add { old_size } => Some(old_size),
                Next::Collect => None,
            };
            talk.is_asked = true;
            if own.is_none() {
                own = Some(own_keys(&self.log).await.unwrap_or_default());
            }
            let question = Question {
                cosigner: cosigner.clone(),
                url,
                role: role_of(cosigner),
                asked: Asked {
                    size,
                    old_size: old_size.unwrap_or(size),
                },
                checkpoint: checkpoint.clone(),
                own: own.clone().unwrap_or_default(),
            };
            let (log, client) = (Arc::clone(&self.log), self.client.clone());
            self.questions
                .push(Box::pin(ask(question, old_size.is_some(), log, client)));
        }
    }

    /// What is known of a cosigner.
    fn talk(&mut self, cosigner: &Cosigner) -> &mut Talk {
        let (pace, files) = (self.config.pace, self.files.as_ref());
        let talk = self.talks.entry(cosigner.vkey.to_string());
        let talk = talk.or_insert_with(|| {
            let role = role_of(cosigner);
            let accepted = files.map_or(0, |files| files.accepted.of(&cosigner.vkey));
            Talk {
                cosigner: cosigner.clone(),
                conversation: Conversation::new(role, pace, accepted),
                is_asked: false,
                cosigned: None,
                last: None,
                asks: BTreeMap::new(),
            }
        });
        // A policy may have given it another name, or address.
        talk.cosigner = cosigner.clone();
        talk
    }

    /// Takes an answer in.
    pub(super) async fn take(&mut self, done: Done) {
        let Done { vkey, asked, reply } = done;
        let log_size = self.log.published().head.tree.size;
        let now = self.began.elapsed();
        let Some(talk) = self.talks.get_mut(&vkey) else {
            return;
        };
        talk.is_asked = false;
        let accepted_before = talk.conversation.accepted();
        let outcome = talk
            .conversation
            .answered(now, asked, log_size, reply.answer);
        *talk.asks.entry(outcome).or_default() += 1;
        let name = talk.cosigner.name.clone();
        let words = words_of(outcome, &reply, asked);
        let is_news = talk.last.as_ref().map(|(last, _)| *last) != Some(outcome);
        if is_news {
            tell_outcome(&name, outcome, &words);
        }
        talk.last = Some((outcome, words));
        let accepted = talk.conversation.accepted();
        let cosigner = talk.cosigner.clone();
        if let Some(theirs) = &reply.cosigned {
            let signed_at = signed_at(theirs, &cosigner);
            let size = theirs.head().size;
            if talk.cosigned.is_none_or(|(before, _)| before <= size) {
                talk.cosigned = Some((size, signed_at));
            }
        }
        if accepted != accepted_before {
            self.on_disk(move |files| files.accepted.set(&cosigner.vkey, accepted))
                .await;
        }
        if let Some(theirs) = reply.cosigned {
            self.keep(&vkey, theirs).await;
        }
        if let Some(theirs) = reply.against {
            self.halt(&name, theirs).await;
        }
        // A size that the cosigner named, or an auditor's line, is asked for at once.
        self.look().await;
    }
}

/// Asks, and looks at the cosigner's own checkpoint if it says that it accepted what this log does not extend.
async fn ask(
    question: Question,
    adds: bool,
    log: Arc<Log>,
    client: Result<CosignerClient, ClientError>,
) -> Done {
    let reply = match &client {
        Err(error) => Reply::new(Answer::Silent, error.to_string()),
        Ok(client) if !adds => question.collect(&log, client).await,
        Ok(client) => {
            let mut reply = question.add(&log, client).await;
            let is_suspect = match reply.answer {
                Answer::Contradicted => true,
                Answer::Size(size) => size > log.published().head.tree.size,
                _ => false,
            };
            if is_suspect {
                reply.against = question.examine(&log, client).await;
            }
            reply
        }
    };
    Done {
        vkey: question.cosigner.vkey.to_string(),
        asked: question.asked,
        reply,
    }
}

pub(super) fn role_of(cosigner: &Cosigner) -> Role {
    match cosigner.is_auditor() {
        true => Role::Auditor,
        false => Role::Witness,
    }
}

/// The time that a cosigner's line says.
fn signed_at(checkpoint: &Checkpoint, cosigner: &Cosigner) -> Option<u64> {
    let seen = Cosignature::verify_any_time(checkpoint, &cosigner.vkey).ok()?;
    (seen.seen_at_s > 0).then_some(seen.seen_at_s)
}
