//! The configuration file: settings that stand where flags and variables leave them open. A setting is a
//! flag of the one definition of commands, by its name: what clap refuses of a flag, it refuses of the file.

mod file;
mod in_force;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::Failure;
use file::{ConfigFile, Setting};
pub use in_force::{ConfigArgs, show};

/// The commands that a configuration file has tables for: those that run for long.
const WITH_TABLES: [&str; 6] = ["serve", "witness", "auditor", "monitor", "health", "bench"];

/// The arguments of a command, with those that its configuration file adds.
pub struct Arguments {
    pub all: Vec<OsString>,
    /// The file, if one was named.
    pub file: Option<PathBuf>,
    /// Where each setting that the file adds stands in it, by the id of its flag.
    pub from_file: HashMap<String, usize>,
}

/// Adds what the configuration file says to the arguments, except for what they, or variables, say themselves.
///
/// # Errors
/// A file that can't be read is not done; one that is no such file, or has a setting that there is not, is
/// wrong use.
pub fn with_file(command: &Command, all: Vec<OsString>) -> Result<Arguments, Failure> {
    let none = |all| Arguments {
        all,
        file: None,
        from_file: HashMap::new(),
    };
    // Arguments that are wrong are told of when they are read for good; asking for help needs no file.
    let lenient = command.clone().ignore_errors(true);
    let Ok(given) = lenient.try_get_matches_from(&all) else {
        return Ok(none(all));
    };
    let path = given.try_get_one::<PathBuf>("config").ok().flatten();
    let (Some(path), Some((name, of_command))) = (path.cloned(), given.subcommand()) else {
        return Ok(none(all));
    };
    let file = ConfigFile::read(&path, command)?;
    let mut added = Added::default();
    // A flag of all commands may stand before the command or behind it.
    let is_open = |setting: &&Setting| {
        !is_given(&given, &setting.flag) && !is_given(of_command, &setting.flag)
    };
    let for_all = file.settings_of_all().filter(is_open);
    for_all.for_each(|setting| added.add_for_all(setting));
    let own = file.settings_of(name).filter(is_open);
    own.for_each(|setting| added.add(setting));
    Ok(Arguments {
        all: added.behind(all),
        file: Some(path),
        from_file: added.lines,
    })
}

/// Whether a flag or a variable says it.
fn is_given(matches: &ArgMatches, flag: &str) -> bool {
    // A flag of another command is none of these matches.
    let known = matches.try_contains_id(flag).is_ok();
    known
        && matches!(
            matches.value_source(flag),
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        )
}

/// Arguments that a file makes.
#[derive(Default)]
struct Added {
    /// Flags of all commands, in front of the command: what is behind it may be another command's.
    for_all: Vec<OsString>,
    flags: Vec<OsString>,
    /// A value without a name, behind all flags.
    positional: Option<OsString>,
    lines: HashMap<String, usize>,
}

impl Added {
    fn add_for_all(&mut self, setting: &Setting) {
        let own = std::mem::take(&mut self.flags);
        self.add(setting);
        self.for_all
            .append(&mut std::mem::replace(&mut self.flags, own));
    }

    fn add(&mut self, setting: &Setting) {
        self.lines.insert(setting.flag.clone(), setting.line);
        match &setting.long {
            None => self.positional = setting.values.first().map(OsString::from),
            // A flag without a value; false is what it is without the file.
            Some(long) if setting.is_switch => {
                if setting.values.iter().any(|value| value == "true") {
                    self.flags.push(format!("--{long}").into());
                }
            }
            Some(long) => {
                let flags = setting.values.iter();
                let flags = flags.map(|value| OsString::from(format!("--{long}={value}")));
                self.flags.extend(flags);
            }
        }
    }

    /// All arguments: behind `--` there are no flags.
    fn behind(&self, mut all: Vec<OsString>) -> Vec<OsString> {
        let end = all.iter().position(|argument| argument == OsStr::new("--"));
        let at = end.unwrap_or(all.len());
        all.splice(at..at, self.flags.iter().cloned());
        if let Some(value) = &self.positional {
            if end.is_none() {
                all.push("--".into());
            }
            all.push(value.clone());
        }
        let first = all.len().min(1);
        all.splice(first..first, self.for_all.iter().cloned());
        all
    }
}

/// Arguments that clap refuses, with where the one that is wrong stands if the file has it.
pub fn refused(error: &clap::Error, arguments: &Arguments) -> Failure {
    let words = error.render().to_string();
    match place_of(error, arguments) {
        Some(place) => Failure::usage(format!("{}\n{place}", words.trim_end())),
        None => Failure::usage(words.trim_end()),
    }
}

/// Where the argument that clap refuses stands in the file, if it is from there.
pub fn place_of(error: &clap::Error, arguments: &Arguments) -> Option<String> {
    let named = match error.get(ContextKind::InvalidArg)? {
        ContextValue::String(name) => vec![name.as_str()],
        ContextValue::Strings(names) => names.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    // Clap names a flag as help does: `--listen <LISTEN>`.
    let is_named = |flag: &str| {
        let long = format!("--{}", flag.replace('_', "-"));
        let mut named = named.iter();
        named.any(|name| name.split([' ', '=']).next() == Some(&long))
    };
    let (flag, line) = arguments
        .from_file
        .iter()
        .find(|(flag, _)| is_named(flag))?;
    let file = arguments.file.as_ref()?;
    Some(format!("{flag} is from {}, line {line}", file.display()))
}
