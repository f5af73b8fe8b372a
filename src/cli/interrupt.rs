//! Ctrl-C in a command that can be ended at any moment: it says how far it came, and ends.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

/// The exit code of a command that was interrupted, as shells have it: 128 and the signal's number.
pub const CODE_INTERRUPTED: u8 = 130;

/// Sets a flag at SIGINT, for work that ends by itself soon; a second one ends the process.
pub fn set_at_ctrl_c(flag: &'static AtomicBool) {
    at_ctrl_c(move || {
        flag.store(true, Ordering::Relaxed);
        end_at_ctrl_c(move || {});
    });
}

/// Ends the process at SIGINT, after `say`. Without a thread or a handler to be had, SIGINT ends the
/// process as it always does, without words.
pub fn end_at_ctrl_c(say: impl FnOnce() + Send + 'static) {
    at_ctrl_c(move || {
        say();
        process::exit(i32::from(CODE_INTERRUPTED));
    });
}

fn at_ctrl_c(act: impl FnOnce() + Send + 'static) {
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
            act();
        }
    };
    let _ = thread::Builder::new().spawn(wait);
}
