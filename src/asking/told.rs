//! What is told of the asking: which checkpoint stands, and how far each cosigner is.

use std::sync::Arc;

use super::Task;
use super::talks::role_of;
use crate::cosign::{AskOutcome, CosignedCheckpoint, CosignerStatus, Stands, is_overdue, now_s};
use crate::log::BesideChain;
use crate::policy::{Cosigner, Level, Policy};

impl Task {
    /// Says on the board what stands, and how far each cosigner is.
    pub(super) fn tell(&mut self) {
        let board = Arc::clone(&self.config.board);
        let Some(policy) = self.policy.clone() else {
            self.newest_stood = true;
            board.set_stands(Stands::Newest);
            board.set_cosigners(None, Vec::new());
            self.log.set_beside_chain(BesideChain::Newest);
            return;
        };
        let sent = self.round.as_ref().map(|round| round.checkpoint.head());
        let mut newest = Vec::new();
        let Some(files) = &self.files else {
            return;
        };
        for level in Level::ALL {
            newest.extend(
                files
                    .kept
                    .newest_with(level)
                    .map(|it| (level, Arc::clone(it))),
            );
        }
        let latest = sent.and_then(|sent| files.kept.at(sent.size).map(Arc::clone));
        let hours = Arc::clone(files.kept.hours());
        let met = newest.iter().find(|(level, _)| *level == Level::Cosigned);
        let met = met.map(|(_, met)| Arc::clone(met));
        let stands = self.stands(&policy, met);
        let needed = newest.iter().map(|(_, newest)| newest.head().size);
        self.states.keep(needed.collect());
        board.set_kept(
            newest.clone(),
            two_together(&policy, &newest),
            latest,
            hours,
        );
        let cosigners = policy.cosigners().iter();
        let cosigners = cosigners.map(|cosigner| self.status_of(cosigner));
        board.set_cosigners(Some(Arc::clone(&policy)), cosigners.collect());
        self.log.set_beside_chain(match &stands {
            Stands::Newest => BesideChain::Newest,
            Stands::Cosigned(checkpoint) => BesideChain::Note {
                size: checkpoint.head().size,
                note: checkpoint.note().to_owned(),
            },
            Stands::Before { size, note } => BesideChain::Note {
                size: *size,
                note: note.clone(),
            },
            Stands::Nothing { .. } => BesideChain::Nothing,
        });
        board.set_stands(stands);
    }

    fn status_of(&self, cosigner: &Cosigner) -> CosignerStatus {
        let talk = self.talks.get(&cosigner.vkey.to_string());
        let files = self.files.as_ref();
        let cosigned = talk.and_then(|talk| talk.cosigned);
        let kept = files.and_then(|files| files.kept.newest_by(&cosigner.vkey));
        let cosigned = cosigned.or(kept);
        CosignerStatus {
            name: cosigner.name.clone(),
            vkey: cosigner.vkey.clone(),
            role: role_of(cosigner),
            accepted: files.map_or(0, |files| files.accepted.of(&cosigner.vkey)),
            cosigned: cosigned.map(|(size, _)| size),
            cosigned_at_s: cosigned.and_then(|(_, at_s)| at_s),
            last: match &cosigner.url {
                Some(_) => talk.and_then(|talk| talk.last.clone()),
                None => Some((
                    AskOutcome::Silent,
                    "the policy names no address: nobody is asked".to_owned(),
                )),
            },
            asks: talk.map(|talk| talk.asks.clone()).unwrap_or_default(),
        }
    }

    /// What stands at `/checkpoint`. Never one that is smaller than what stood there before.
    fn stands(&mut self, policy: &Policy, met: Option<Arc<CosignedCheckpoint>>) -> Stands {
        let cosigned_at_s = met.as_ref().map_or(0, |met| met.cosigned_at_s());
        if policy.quorum() == "none"
            || is_overdue(cosigned_at_s, now_s(), self.config.without_quorum)
        {
            self.newest_stood = true;
            return Stands::Newest;
        }
        if std::mem::take(&mut self.newest_stood) {
            self.floor = Some(self.log.published());
        }
        let floor = self.floor.as_ref().filter(|floor| {
            let size = floor.head.tree.size;
            met.as_ref().is_none_or(|met| met.head().size < size)
        });
        match (met, floor) {
            (_, Some(floor)) => Stands::Before {
                size: floor.head.tree.size,
                note: floor.checkpoint.clone(),
            },
            (Some(met), None) => Stands::Cosigned(met),
            (None, None) => Stands::Nothing {
                why: format!(
                    "no checkpoint has met the quorum {} of the policy yet",
                    policy.quorum()
                ),
            },
        }
    }
}

/// The newest checkpoint that was seen and the newest that was replayed, the smaller first, if they have the whole quorum
/// together and no single one has it that is as new as the smaller.
fn two_together(
    policy: &Policy,
    newest: &[(Level, Arc<CosignedCheckpoint>)],
) -> Option<[Arc<CosignedCheckpoint>; 2]> {
    let with = |level: Level| {
        let mut newest = newest.iter();
        newest
            .find(|(of, _)| *of == level)
            .map(|(_, newest)| Arc::clone(newest))
    };
    let mut both = [with(Level::Witnessed)?, with(Level::Audited)?];
    both.sort_by_key(|it| it.head().size);
    let [first, second] = &both;
    let alone = with(Level::Cosigned).map_or(0, |alone| alone.head().size);
    if first.head().size == second.head().size || alone >= first.head().size {
        return None;
    }
    let met = policy.quorum_of_two(first.standing(), second.standing());
    met.is_ok().then_some(both)
}
