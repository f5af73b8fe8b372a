//! The log's side of `add-checkpoint` (c2sp.org/tlog-witness): what is asked of one cosigner, when, and what
//! each answer means. Pure: time and answers come in, and nothing is read or sent.
//!
//! ```text
//!               a larger checkpoint, or ten minutes passed
//!   waiting ──────────────────────────────────────────────► add-checkpoint, from the size accepted last
//!      ▲                                                       │ 200: accepted
//!      │                                                       │ 409: that size, once more at once
//!      │  every round                                          │ anything else: longer and longer pauses
//!      └──────────── collected ◄── of an auditor: its own checkpoint
//! ```

use std::time::Duration;

/// Whether the cosigner answers with its line, or has it ready later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A witness: its line is the answer.
    Witness,
    /// An auditor: it takes the checkpoint as pending, and its line is collected once it has replayed the log.
    Auditor,
}

impl Role {
    /// Its name, as answers and metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Witness => "witness",
            Self::Auditor => "auditor",
        }
    }
}

/// How often a cosigner is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// From one question to the next while the log grows.
    pub every: Duration,
    /// After this a cosignature is asked for again, though the log has not grown: its time tells readers that
    /// nothing newer is kept from them.
    pub renew: Duration,
    /// The longest pause after failures.
    pub pause_max: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(10),
            renew: Duration::from_secs(600),
            pause_max: Duration::from_secs(600),
        }
    }
}

/// What is to be done with a cosigner now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Nothing yet.
    Wait,
    /// Send it the newest checkpoint, with a proof from this size.
    Add {
        /// The size that it accepted last, as far as is known.
        old_size: u64,
    },
    /// Fetch its own newest checkpoint.
    Collect,
}

/// What a cosigner answered, once its lines were verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// 200 with a line that holds.
    Cosigned,
    /// 200: the auditor took the checkpoint as pending.
    Pending,
    /// 409: the size of the newest checkpoint that it accepted.
    Size(u64),
    /// 422: it says that the checkpoint contradicts what it accepted.
    Contradicted,
    /// Another status, as 400, 403, 404 or 500.
    Refused(u16),
    /// No whole answer in time.
    Silent,
    /// An answer that is none of the standard's, or a line that does not hold.
    Malformed,
    /// An auditor's own checkpoint of this size, with a line that holds, was collected.
    Collected {
        /// Its size.
        size: u64,
    },
    /// The auditor has no checkpoint of this log yet.
    NothingYet,
}

/// What an answer comes to: a closed set, for metrics.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AskOutcome {
    /// A cosignature came, and holds.
    Cosigned,
    /// An auditor took the checkpoint as pending.
    Pending,
    /// The cosigner named another size, from which it is asked again.
    Corrected,
    /// The cosigner accepted a checkpoint that is larger than the log.
    Ahead,
    /// The cosigner says that the log contradicts what it accepted.
    Contradicted,
    /// It refused, as with 400, 403 or 404.
    Refused,
    /// No whole answer in time.
    Silent,
    /// An answer that is none of the standard's, or a line that does not hold.
    Malformed,
    /// An auditor has nothing new.
    Unchanged,
}

impl AskOutcome {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Cosigned,
        Self::Pending,
        Self::Corrected,
        Self::Ahead,
        Self::Contradicted,
        Self::Refused,
        Self::Silent,
        Self::Malformed,
        Self::Unchanged,
    ];

    /// Its name, as answers and metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cosigned => "cosigned",
            Self::Pending => "pending",
            Self::Corrected => "corrected",
            Self::Ahead => "ahead",
            Self::Contradicted => "contradicted",
            Self::Refused => "refused",
            Self::Silent => "silent",
            Self::Malformed => "malformed",
            Self::Unchanged => "unchanged",
        }
    }
}

/// What was asked: the size of the checkpoint, and the one from which its proof led.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The size of the checkpoint that was sent.
    pub size: u64,
    /// The size from which the proof led.
    pub old_size: u64,
}

/// One cosigner's conversation.
#[derive(Clone, Debug)]
pub struct Conversation {
    role: Role,
    pace: Pace,
    /// The size of the newest checkpoint that it accepted, as far as is known.
    accepted: u64,
    /// The newest checkpoint that this process had it accept, and when.
    accepted_here: Option<(u64, Duration)>,
    /// Nothing is asked before.
    due: Duration,
    /// Failures since the last answer that helped.
    failures: u32,
    /// A 409 was followed already, since the last checkpoint that was accepted.
    was_corrected: bool,
    /// An auditor's checkpoint is to be collected before more is sent to it.
    collects: bool,
}

impl Conversation {
    /// A conversation with a cosigner that accepted this size last, as far as is known.
    pub fn new(role: Role, pace: Pace, accepted: u64) -> Self {
        Self {
            role,
            pace,
            accepted,
            accepted_here: None,
            due: Duration::ZERO,
            failures: 0,
            was_corrected: false,
            collects: false,
        }
    }

    /// The size of the newest checkpoint that it accepted, as far as is known.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// What is to be done `now`, by a clock that never goes back, if `newest` is the size of the checkpoint to be
    /// cosigned.
    pub fn next(&self, now: Duration, newest: u64) -> Next {
        if now < self.due {
            return Next::Wait;
        }
        if self.collects {
            return Next::Collect;
        }
        let is_new = match self.accepted_here {
            Some((size, at)) => newest > size || now >= at.saturating_add(self.pace.renew),
            None => true,
        };
        // One that is ahead of this checkpoint waits for the next.
        if is_new && newest >= self.accepted {
            return Next::Add {
                old_size: self.accepted,
            };
        }
        match self.role {
            Role::Witness => Next::Wait,
            Role::Auditor => Next::Collect,
        }
    }

    /// Takes an answer in. `log_size` is the number of entries that the log had published when it came.
    pub fn answered(
        &mut self,
        now: Duration,
        asked: Asked,
        log_size: u64,
        answer: Answer,
    ) -> AskOutcome {
        match answer {
            Answer::Cosigned | Answer::Pending => {
                self.accepted = asked.size;
                self.accepted_here = Some((asked.size, now));
                self.was_corrected = false;
                self.failures = 0;
                // An auditor may have a line by now.
                self.collects = self.role == Role::Auditor;
                self.due = match self.collects {
                    true => now,
                    false => now.saturating_add(self.pace.every),
                };
                match answer {
                    Answer::Pending => AskOutcome::Pending,
                    _ => AskOutcome::Cosigned,
                }
            }
            Answer::Collected { .. } | Answer::NothingYet => {
                self.collects = false;
                self.failures = 0;
                self.due = now.saturating_add(self.pace.every);
                match answer {
                    Answer::Collected { .. } => AskOutcome::Cosigned,
                    _ => AskOutcome::Unchanged,
                }
            }
            Answer::Size(size) if size > log_size => self.failed(now, AskOutcome::Ahead),
            // It says that it has what the proof led from.
            Answer::Size(size) if size == asked.old_size => self.failed(now, AskOutcome::Malformed),
            Answer::Size(size) => {
                self.accepted = size;
                if self.was_corrected {
                    return self.failed(now, AskOutcome::Corrected);
                }
                self.was_corrected = true;
                self.due = now;
                AskOutcome::Corrected
            }
            Answer::Contradicted => self.failed(now, AskOutcome::Contradicted),
            Answer::Refused(_) => self.failed(now, AskOutcome::Refused),
            Answer::Silent => self.failed(now, AskOutcome::Silent),
            Answer::Malformed => self.failed(now, AskOutcome::Malformed),
        }
    }

    /// Pauses twice as long as after the last failure.
    fn failed(&mut self, now: Duration, outcome: AskOutcome) -> AskOutcome {
        let factor = 2_u32.saturating_pow(self.failures);
        let pause = self.pace.every.saturating_mul(factor);
        self.failures = self.failures.saturating_add(1);
        self.was_corrected = false;
        self.collects = false;
        self.due = now.saturating_add(pause.min(self.pace.pause_max));
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn witness(accepted: u64) -> Conversation {
        Conversation::new(Role::Witness, Pace::default(), accepted)
    }

    /// What a log of 100 entries asks, and what the answer comes to.
    fn ask(to: &mut Conversation, now: Duration, newest: u64, answer: Answer) -> AskOutcome {
        let Next::Add { old_size } = to.next(now, newest) else {
            panic!("nothing is asked at {now:?}");
        };
        let asked = Asked {
            size: newest,
            old_size,
        };
        to.answered(now, asked, 100, answer)
    }

    #[test]
    fn a_witness_is_asked_for_each_larger_checkpoint_and_again_for_a_fresh_time() {
        let mut w = witness(7);
        assert_eq!(w.next(s(0), 20), Next::Add { old_size: 7 });
        assert_eq!(
            ask(&mut w, s(0), 20, Answer::Cosigned),
            AskOutcome::Cosigned
        );
        assert_eq!(w.next(s(9), 30), Next::Wait);
        assert_eq!(w.next(s(10), 30), Next::Add { old_size: 20 });
        // Nothing new: again after ten minutes.
        assert_eq!(w.next(s(599), 20), Next::Wait);
        assert_eq!(w.next(s(600), 20), Next::Add { old_size: 20 });
    }

    #[test]
    fn another_size_is_taken_at_once_and_only_once() {
        let mut w = witness(7);
        let outcome = ask(&mut w, s(0), 20, Answer::Size(12));
        assert_eq!(outcome, AskOutcome::Corrected);
        assert_eq!(w.next(s(0), 20), Next::Add { old_size: 12 });
        let outcome = ask(&mut w, s(0), 20, Answer::Size(13));
        assert_eq!(outcome, AskOutcome::Corrected);
        // One that names another size each time does not keep the log busy.
        assert_eq!(w.next(s(9), 20), Next::Wait);
        assert_eq!(w.next(s(10), 20), Next::Add { old_size: 13 });
        // The size that was asked from is no correction.
        let outcome = ask(&mut w, s(10), 20, Answer::Size(13));
        assert_eq!(outcome, AskOutcome::Malformed);
        // One that forgot is asked from where it is.
        let mut w = witness(7);
        ask(&mut w, s(0), 20, Answer::Size(0));
        assert_eq!(w.next(s(0), 20), Next::Add { old_size: 0 });
    }

    #[test]
    fn a_size_above_the_checkpoint_waits_and_one_above_the_log_is_told() {
        let mut w = witness(7);
        let outcome = ask(&mut w, s(0), 20, Answer::Size(100));
        assert_eq!(outcome, AskOutcome::Corrected);
        assert_eq!(w.next(s(0), 20), Next::Wait);
        assert_eq!(w.next(s(1), 100), Next::Add { old_size: 100 });
        let mut w = witness(7);
        assert_eq!(ask(&mut w, s(0), 20, Answer::Size(101)), AskOutcome::Ahead);
        assert_eq!(w.accepted(), 7, "it is not believed");
        assert_eq!(w.next(s(9), 20), Next::Wait);
    }

    #[test]
    fn pauses_grow_up_to_the_longest_and_end_with_an_answer_that_helps() {
        let refusals = [
            Answer::Refused(404),
            Answer::Silent,
            Answer::Malformed,
            Answer::Contradicted,
        ];
        for answer in refusals {
            let mut w = witness(0);
            let mut now = s(0);
            for pause in [10, 20, 40, 80, 160, 320, 600, 600] {
                ask(&mut w, now, 20, answer);
                let last = now + s(pause) - Duration::from_millis(1);
                assert_eq!(w.next(last, 20), Next::Wait, "{answer:?} {pause}");
                now += s(pause);
                assert_eq!(w.next(now, 20), Next::Add { old_size: 0 });
            }
            ask(&mut w, now, 20, Answer::Cosigned);
            assert_eq!(w.next(now + s(10), 21), Next::Add { old_size: 20 });
        }
        let mut w = witness(0);
        w.failures = u32::MAX;
        ask(&mut w, s(0), 1, Answer::Silent);
        assert_eq!(w.next(s(600), 1), Next::Add { old_size: 0 });
    }

    #[test]
    fn an_auditor_takes_a_checkpoint_as_pending_and_its_line_is_collected() {
        let mut a = Conversation::new(Role::Auditor, Pace::default(), 0);
        assert_eq!(ask(&mut a, s(0), 20, Answer::Pending), AskOutcome::Pending);
        assert_eq!(a.accepted(), 20, "what is pending is what it is asked from");
        assert_eq!(a.next(s(0), 20), Next::Collect);
        let asked = Asked {
            size: 20,
            old_size: 20,
        };
        let outcome = a.answered(s(0), asked, 100, Answer::NothingYet);
        assert_eq!(outcome, AskOutcome::Unchanged);
        assert_eq!(a.next(s(9), 20), Next::Wait);
        // Nothing new to send: it is only looked at.
        assert_eq!(a.next(s(10), 20), Next::Collect);
        let outcome = a.answered(s(10), asked, 100, Answer::Collected { size: 20 });
        assert_eq!(outcome, AskOutcome::Cosigned);
        assert_eq!(a.next(s(20), 33), Next::Add { old_size: 20 });
        // One that can't be looked at is sent the next checkpoint all the same.
        a.answered(s(20), asked, 100, Answer::Silent);
        assert_eq!(a.next(s(30), 33), Next::Add { old_size: 20 });
    }
}
