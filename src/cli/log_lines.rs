//! Where log lines go: to standard error, by a thread of its own.
//!
//! A thread that logs hands its line over and continues. When standard error is a closed pipe, a
//! full disk, or a pipe that nobody reads, lines are lost, and their number is said once lines can
//! be written again. Nothing else comes of it: no panic, and nobody waits.

use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::time::Duration;

use clap::ValueEnum;
use serde_json::json;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use super::out;

/// Lines that wait for a slow reader; further ones are lost. A line has some hundred bytes.
const LINES_WAITING_MAX: usize = 4096;
/// Of these places so many are for warnings and errors alone: a flood of requests, a line each, hides none.
const PLACES_KEPT: usize = 512;

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object in each line.
    Json,
}
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

/// Takes log lines, as writers that never fail. Clones write to the same standard error.
#[derive(Clone)]
pub struct LogLines {
    lines: SyncSender<Message>,
    format: LogFormat,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Lines that wait.
    waiting: AtomicUsize,
    /// Lines that were lost since the last time that their number was said.
    unsaid: AtomicU64,
}

/// Takes one line.
pub struct LineWriter<'a> {
    lines: &'a LogLines,
    /// Lines that may wait already, or this one is lost.
    places: usize,
}

/// Held until the process ends. Dropped, it waits for the last lines, but not for a reader that
/// takes none.
pub struct LastLines(LogLines);

impl LogLines {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(format: LogFormat) -> io::Result<(Self, LastLines)> {
        let (sender, lines) = mpsc::sync_channel(LINES_WAITING_MAX);
        let counts = Arc::new(Counts::default());
        let counter = Arc::clone(&counts);
        let thread = std::thread::Builder::new().name("log-lines".to_owned());
        // Not joined: a reader that takes nothing would keep it for ever.
        thread.spawn(move || write_all(&lines, format, &counter))?;
        let lines = Self {
            lines: sender,
            format,
            counts,
        };
        Ok((lines.clone(), LastLines(lines)))
    }

    fn hand_over(&self, line: &[u8], places: usize) {
        let waiting = &self.counts.waiting;
        let has_place = waiting.fetch_add(1, Ordering::Relaxed) < places;
        if !has_place || self.lines.try_send(Message::Line(line.to_vec())).is_err() {
            waiting.fetch_sub(1, Ordering::Relaxed);
            self.counts.lose();
        }
    }

    /// Says a panic as a log line that no filter takes out. The standard hook would wait for a
    /// reader that takes nothing.
    pub fn tell_panic(&self, panic: &PanicHookInfo<'_>) {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("without a name");
        // What is captured depends on RUST_BACKTRACE, as with the standard hook.
        let trace = std::backtrace::Backtrace::capture();
        let words = format!("thread {thread}: {panic}\n{trace}");
        let line = self.format.line(Level::ERROR, &words);
        self.hand_over(line.as_bytes(), LINES_WAITING_MAX);
    }
}

impl<'a> MakeWriter<'a> for LogLines {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter {
            lines: self,
            places: LINES_WAITING_MAX - PLACES_KEPT,
        }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> LineWriter<'a> {
        match *about.level() {
            Level::ERROR | Level::WARN => LineWriter {
                lines: self,
                places: LINES_WAITING_MAX,
            },
            _ => self.make_writer(),
        }
    }
}

impl Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.hand_over(line, self.places);
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

impl Counts {
    /// Counts a line that was lost.
    fn lose(&self) {
        self.unsaid.fetch_add(1, Ordering::Relaxed);
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

impl LogFormat {
    /// A line that comes from here, as `tracing` would write it.
    fn line(self, level: Level, words: &str) -> String {
        match self {
            Self::Text => format!("{level} arborlog: {words}\n"),
            Self::Json => {
                let mut timestamp = String::new();
                // A text takes all that is written to it.
                let _ = SystemTime.format_time(&mut Writer::new(&mut timestamp));
                let level = level.as_str();
                let line = json!({"timestamp": timestamp, "level": level, "message": words, "target": "arborlog"});
                format!("{line}\n")
            }
        }
    }
}

fn write_all(lines: &Receiver<Message>, format: LogFormat, counts: &Counts) {
    while let Ok(message) = lines.recv() {
        let lost = counts.unsaid.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let words = format!("{lost} log lines were lost: they could not be written");
            if write(format.line(Level::WARN, &words).as_bytes()).is_err() {
                counts.unsaid.fetch_add(lost, Ordering::Relaxed);
            }
        }
        match message {
            Message::Line(line) => {
                counts.waiting.fetch_sub(1, Ordering::Relaxed);
                if write(&line).is_err() {
                    counts.lose();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_requests_leaves_places_for_warnings() {
        let (sender, _kept) = mpsc::sync_channel(LINES_WAITING_MAX);
        let lines = LogLines {
            lines: sender,
            format: LogFormat::Text,
            counts: Arc::default(),
        };
        let places = lines.make_writer().places;
        for _ in 0..2 * LINES_WAITING_MAX {
            lines.hand_over(b"a request\n", places);
        }
        let waiting = || lines.counts.waiting.load(Ordering::Relaxed);
        let unsaid = || lines.counts.unsaid.load(Ordering::Relaxed);
        assert_eq!(waiting(), LINES_WAITING_MAX - PLACES_KEPT);
        let lost = (LINES_WAITING_MAX + PLACES_KEPT) as u64;
        assert_eq!(unsaid(), lost);
        lines.hand_over(b"a warning\n", LINES_WAITING_MAX);
        assert_eq!(
            (waiting(), unsaid()),
            (LINES_WAITING_MAX - PLACES_KEPT + 1, lost)
        );
    }

    #[test]
    fn a_line_from_here_is_one_line_of_its_format() {
        let json = LogFormat::Json.line(Level::ERROR, "two\nlines of \"words\"");
        assert_eq!(json.lines().count(), 1);
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["level"], "ERROR");
        assert_eq!(read["message"], "two\nlines of \"words\"");
        assert!(read["timestamp"].as_str().unwrap().ends_with('Z'));
        let text = LogFormat::Text.line(Level::WARN, "words");
        assert_eq!(text, "WARN arborlog: words\n");
    }
}
