//! What a command prints. This is the one place that writes to standard output and standard error:
//! the standard macros panic when a pipe is closed or a disk is full.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Whether a piece of the answer was written.
static BEGUN: AtomicBool = AtomicBool::new(false);
/// The first error of standard output; nothing is written after it.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);
/// Standard error takes nothing: a write to it could wait for ever.
static ABANDONED: AtomicBool = AtomicBool::new(false);

/// Prints a line of the answer, as `println!` does. A reader who closed the pipe has read enough:
/// the command continues in silence, and its exit code is that of its work. What else goes wrong is
/// told by [`finish`].
macro_rules! outln {
    () => { $crate::cli::out::write(format_args!("\n")) };
    ($($words:tt)*) => { $crate::cli::out::write(format_args!("{}\n", format_args!($($words)*))) };
}

/// Prints a line beside the answer, as `eprintln!` does. There is nowhere to say that it failed.
macro_rules! errln {
    ($($words:tt)*) => { $crate::cli::out::write_error(format_args!("{}\n", format_args!($($words)*))) };
}

/// Writes a piece of the answer.
pub fn write(words: Arguments<'_>) {
    begin();
    let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    if failed.is_none() {
        *failed = io::stdout().lock().write_fmt(words).err();
    }
}

/// Notes that an answer begins, where a command writes it by itself.
pub fn begin() {
    BEGUN.store(true, Ordering::Release);
}

/// Whether a command answered anything.
pub fn has_begun() -> bool {
    BEGUN.load(Ordering::Acquire)
}

/// Writes to standard error.
pub fn write_error(words: Arguments<'_>) {
    if !ABANDONED.load(Ordering::Acquire) {
        // A closed or full standard error loses words for people, never the answer or the exit code.
        let _ = io::stderr().lock().write_fmt(words);
    }
}

/// Writes no more to standard error: nobody reads the pipe, and the process is to end.
pub fn abandon_stderr() {
    ABANDONED.store(true, Ordering::Release);
}

/// Writes what is left of the answer.
///
/// # Errors
/// When not all of it could be written, but for a reader who closed the pipe.
pub fn finish() -> io::Result<()> {
    let failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner).take();
    let done = failed.map_or_else(|| io::stdout().lock().flush(), Err);
    match done {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}
