//! Ctrl-C in a command that can be ended at any moment: it says how far it came, and ends.

use std::process;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

/// The exit code of a command that was interrupted, as shells have it: 128 and the signal's number.
pub const CODE_INTERRUPTED: u8 = 130;

/// Ends the process at SIGINT, after `say`. Without a thread or a handler to be had, SIGINT ends the
/// process as it always does, without words.
pub fn end_at_ctrl_c(say: impl FnOnce() + Send + 'static) {
    let wait = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build();
        let Ok(runtime) = runtime else {
            return;
        };
        let interrupted = runtime.block_on(async {
            let mut interrupts = signal(SignalKind::interrupt()).ok()?;
            interrupts.recv().await
        });
        if interrupted.is_some() {
            say();
            process::exit(i32::from(CODE_INTERRUPTED));
        }
    };
    let _ = thread::Builder::new().spawn(wait);
}
