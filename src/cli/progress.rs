//! Progress bars on a terminal, a line a phase elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on stderr for work of known length. Off a terminal nothing is drawn; [`done`] says a
/// line.
pub fn bar(what: &str, length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let style = "{msg:26} {bar:32} {human_pos:>9}/{human_len:9} {per_sec:>14} {eta:>5}";
    // A template that can't be read leaves the bar in the default style.
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Ends a bar with a line that stays.
pub fn done(bar: &ProgressBar, line: &str) {
    bar.finish_and_clear();
    errln!("{line}");
}

/// How often a line says how far a long work is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Says now and then how far a long work is, where no bar is drawn: standard error is no terminal.
pub struct ProgressLines {
    /// `None` where nothing is said.
    told: Option<Instant>,
}

impl ProgressLines {
    /// Says nothing where a bar is drawn, or if it shall be `quiet`.
    pub fn new(quiet: bool) -> Self {
        let said = !quiet && !std::io::stderr().is_terminal();
        Self {
            told: said.then(Instant::now),
        }
    }

    /// The work has come so far, of `length` if that is known.
    pub fn tell(&mut self, what: &str, position: u64, length: u64) {
        if self.told.is_none_or(|told| told.elapsed() < TELL_EVERY) {
            return;
        }
        self.told = Some(Instant::now());
        match length {
            0 => errln!("{what}: {position}"),
            length => errln!("{what}: {position} of {length}"),
        }
    }
}
