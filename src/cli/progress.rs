//! Progress bars on a terminal, a line a phase elsewhere.

use std::time::Duration;

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
