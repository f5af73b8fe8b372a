//! Where log lines go: to standard error, by a thread of its own.
//!
//! A thread that logs hands its line over and continues. When standard error is a closed pipe, a
//! full disk, or a pipe that nobody reads, lines are lost, and their number is said once lines can
//! be written again. Nothing else comes of it: no panic, and nobody waits.

use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::time::Duration;

use super::out;

/// Lines that wait for a slow reader; further ones are lost. A line has some hundred bytes.
const LINES_WAITING_MAX: usize = 4096;
/// The time that the last lines have to be written before the process ends without them.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Lines of this process that were lost so far. There is one standard error.
static LOST: AtomicU64 = AtomicU64::new(0);

/// The number of log lines that were lost since the process began.
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

enum Message {
    Line(Vec<u8>),
    /// Nothing follows; the receiver is told when all that came before is written or lost.
    End(Sender<()>),
}

/// Takes log lines, as a writer that never fails. Clones write to the same standard error.
#[derive(Clone)]
pub struct LogLines {
    lines: SyncSender<Message>,
    /// Lines that were lost since the last time that their number was said.
    unsaid: Arc<AtomicU64>,
}

/// Held until the process ends. Dropped, it waits for the last lines, but not for a reader that
/// takes none.
pub struct LastLines(LogLines);

impl LogLines {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start() -> io::Result<(Self, LastLines)> {
        let (sender, lines) = mpsc::sync_channel(LINES_WAITING_MAX);
        let unsaid = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&unsaid);
        let thread = std::thread::Builder::new().name("log-lines".to_owned());
        // Not joined: a reader that takes nothing would keep it for ever.
        thread.spawn(move || write_all(&lines, &counter))?;
        let lines = Self {
            lines: sender,
            unsaid,
        };
        Ok((lines.clone(), LastLines(lines)))
    }

    fn hand_over(&self, line: &[u8]) {
        if self.lines.try_send(Message::Line(line.to_vec())).is_err() {
            lose(&self.unsaid);
        }
    }

    /// Says a panic as a log line that no filter takes out. The standard hook would wait for a
    /// reader that takes nothing.
    pub fn tell_panic(&self, panic: &PanicHookInfo<'_>) {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("without a name");
        // What is captured depends on RUST_BACKTRACE, as with the standard hook.
        let trace = std::backtrace::Backtrace::capture();
        self.hand_over(format!("ERROR arborlog: thread {thread}: {panic}\n{trace}\n").as_bytes());
    }
}

impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.hand_over(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LastLines {
    fn drop(&mut self) {
        let (done, written) = mpsc::channel();
        // A queue that is full stays so only if nobody reads.
        let asked = self.0.lines.try_send(Message::End(done)).is_ok();
        if !asked || written.recv_timeout(LAST_LINES).is_err() {
            out::abandon_stderr();
        }
    }
}

/// Counts a line that was lost.
fn lose(unsaid: &AtomicU64) {
    unsaid.fetch_add(1, Ordering::Relaxed);
    LOST.fetch_add(1, Ordering::Relaxed);
}

fn write_all(lines: &Receiver<Message>, unsaid: &AtomicU64) {
    while let Ok(message) = lines.recv() {
        let lost = unsaid.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let words =
                format!("WARN arborlog: {lost} log lines were lost: they could not be written\n");
            if write(words.as_bytes()).is_err() {
                unsaid.fetch_add(lost, Ordering::Relaxed);
            }
        }
        match message {
            Message::Line(line) => {
                if write(&line).is_err() {
                    lose(unsaid);
                }
            }
            Message::End(done) => {
                // Nobody waits any more if it took too long.
                let _ = done.send(());
            }
        }
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    io::stderr().lock().write_all(bytes)
}
