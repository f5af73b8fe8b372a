//! How far a run came, for who interrupts it.

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::report::lines_read;
use crate::cli::interrupt::{CODE_INTERRUPTED, end_at_ctrl_c};
use crate::cli::out;
use arborlog::client::LineOutcome;

/// What is known of the lines while a run lasts.
#[derive(Clone, Copy, Default)]
pub(super) struct SoFar {
    pub(super) read: u64,
    is_in: u64,
    refused: u64,
    set_aside: u64,
    not_sent: u64,
}

impl SoFar {
    pub(super) fn count(&mut self, outcome: &LineOutcome) {
        let counted = match outcome {
            LineOutcome::Admitted(_) | LineOutcome::AlreadyIn(_) => &mut self.is_in,
            LineOutcome::Refused { .. } => &mut self.refused,
            LineOutcome::SetAside(_)
            | LineOutcome::Repeated(_)
            | LineOutcome::EvidenceRepeated(_) => &mut self.set_aside,
            LineOutcome::NotSent => &mut self.not_sent,
        };
        *counted += 1;
    }

    /// Lines that were read and of which nothing is known yet: some may have been sent.
    fn unanswered(&self) -> u64 {
        let known = self.is_in + self.refused + self.set_aside + self.not_sent;
        self.read.saturating_sub(known)
    }
}

pub(super) fn note(so_far: &Mutex<SoFar>, change: impl FnOnce(&mut SoFar)) {
    change(&mut so_far.lock().unwrap_or_else(PoisonError::into_inner));
}

/// At Ctrl-C says how far the run came. It may be ended at any moment, as by kill -9: what was signed is
/// in the journal.
pub(super) fn tell_when_interrupted(so_far: Arc<Mutex<SoFar>>, json: bool) {
    end_at_ctrl_c(move || {
        let so_far = *so_far.lock().unwrap_or_else(PoisonError::into_inner);
        let words = format!(
            "interrupted: {}, {} in as the server answered, {} refused, {} set aside, {} without an answer yet. What was signed is in the journal: the same command finds what is in, and sends the rest",
            lines_read(so_far.read),
            so_far.is_in,
            so_far.refused,
            so_far.set_aside,
            so_far.unanswered()
        );
        if io::stderr().is_terminal() {
            // Below the bar.
            errln!("");
        }
        errln!("arborlog: {words}");
        if json && !out::has_begun() {
            let told = json!({
                "outcome": "interrupted", "exit": CODE_INTERRUPTED, "code": "interrupted", "error": words,
                "advice": "run the same command again",
                "read": so_far.read, "in": so_far.is_in, "refused": so_far.refused,
                "set_aside": so_far.set_aside, "not_sent": so_far.not_sent,
                "unanswered": so_far.unanswered(),
            });
            out::write(format_args!("{told}\n"));
        }
    });
}
