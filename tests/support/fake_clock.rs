//! A wall clock of one process alone, which a test sets: libfaketime (the Debian package `faketime`). Uptime stays
//! what it is, as on a machine whose clock is set.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where systems have the library for programs of several threads.
const PLACES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime",
    "/usr/lib/aarch64-linux-gnu/faketime",
    "/usr/lib64/faketime",
    "/usr/lib/faketime",
];

/// The wall clock of a process, by a file that the library reads whenever it is asked for the time.
pub struct FakeClock {
    library: PathBuf,
    file: PathBuf,
}

impl FakeClock {
    /// A clock that is right until it is set; `None` where the library is missing.
    pub fn new(file: &Path) -> Option<Self> {
        let mut found = PLACES.map(|place| Path::new(place).join("libfaketimeMT.so.1"));
        let library = found.iter_mut().find(|library| library.exists())?;
        let clock = Self {
            library: std::mem::take(library),
            file: file.to_owned(),
        };
        clock.set("+0");
        Some(clock)
    }

    /// Has a process that is started next go by this clock.
    pub fn give_to(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
    }

    /// Sets it, as hours before or after the right time: `+3h`, `-2h`, `+0`.
    pub fn set(&self, offset: &str) {
        // The process never reads half a file.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{offset}\n")).unwrap();
        std::fs::rename(&new, &self.file).unwrap();
    }
}
