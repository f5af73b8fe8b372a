//! `arborlog config`: the settings of a command, and where each is from.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args, Command};
use serde_json::{Value, json};

use super::file::{is_setting, name_of};
use super::{Arguments, WITH_TABLES, with_file};
use crate::cli::{Done, Failure};

/// Print the settings of a command that are in force, and where each is from, without running it: a flag
/// comes before a variable, that before the file of --config, and that before what is so by itself.
///
/// What is printed is a configuration file again, of what is set. It has no key and no passphrase: settings
/// name the files that hold them. A password in an address is left out.
#[derive(Args)]
pub struct ConfigArgs {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// The command (serve, witness, auditor, monitor, health or bench), and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<OsString>,
}

/// A setting, and where it is from.
struct InForce {
    name: String,
    is_for_all: bool,
    is_list: bool,
    is_switch: bool,
    values: Vec<String>,
    from: Source,
}

enum Source {
    Flag,
    Variable(String),
    /// The line in the file.
    File(usize),
    Default,
    Unset,
}

impl Source {
    fn words(&self, file: &str) -> String {
        match self {
            Self::Flag => "a flag".to_owned(),
            Self::Variable(name) => name.clone(),
            Self::File(line) => format!("{file}, line {line}"),
            Self::Default => "so by itself".to_owned(),
            Self::Unset => "not set".to_owned(),
        }
    }
}

impl InForce {
    /// A line of a configuration file.
    fn as_line(&self, file: &str) -> String {
        let from = self.from.words(file);
        let number = |text: &str| text.parse::<u64>().is_ok();
        let value = |text: &str| match number(text) {
            true => text.to_owned(),
            // A JSON string is a TOML string.
            false => Value::from(text).to_string(),
        };
        let value = match (&self.from, self.values.as_slice()) {
            (Source::Unset, _) | (_, []) => return format!("# {} = : {from}", self.name),
            (_, [one]) if self.is_switch => one.clone(),
            (_, several) if self.is_list => {
                let several: Vec<String> = several.iter().map(|text| value(text)).collect();
                format!("[{}]", several.join(", "))
            }
            (_, [first, ..]) => value(first),
        };
        format!("{} = {value} # {from}", self.name)
    }

    fn as_json(&self) -> Value {
        let (from, variable, line) = match &self.from {
            Source::Flag => ("flag", None, None),
            Source::Variable(name) => ("variable", Some(name), None),
            Source::File(line) => ("file", None, Some(line)),
            Source::Default => ("default", None, None),
            Source::Unset => ("unset", None, None),
        };
        json!({"name": self.name, "values": self.values, "from": from, "variable": variable, "line": line})
    }
}

/// Reads the arguments as the command would, and says what they come to.
///
/// # Errors
/// What the command itself would say of its arguments.
pub fn show(args: &ConfigArgs, command: &Command, given: &ArgMatches) -> Done {
    let name = args.command.first().and_then(|name| name.to_str());
    let name = name.filter(|name| WITH_TABLES.contains(name));
    let name = name
        .ok_or_else(|| Failure::usage(format!("name one of {} first", WITH_TABLES.join(", "))))?;
    let mut all: Vec<OsString> = vec!["arborlog".into()];
    // Flags of all commands that stand before it are its own too.
    for flag in ["config", "cacert"] {
        if let Ok(Some(path)) = given.try_get_one::<PathBuf>(flag) {
            all.extend([format!("--{flag}").into(), path.into()]);
        }
    }
    all.extend(args.command.iter().cloned());
    let arguments = with_file(command, all)?;
    let read = command.clone().try_get_matches_from(&arguments.all);
    let read = read.map_err(|error| super::refused(&error, &arguments))?;
    let settings = in_force(command, name, &read, &arguments);
    if args.json {
        let settings: Vec<Value> = settings.iter().map(InForce::as_json).collect();
        outln!(
            "{}",
            json!({"command": name, "file": arguments.file, "settings": settings})
        );
        return Ok(());
    }
    let file = arguments.file.as_ref();
    let file = file.map_or_else(String::new, |file| file.display().to_string());
    let (for_all, own): (Vec<_>, Vec<_>) = settings.iter().partition(|setting| setting.is_for_all);
    for_all
        .iter()
        .for_each(|setting| outln!("{}", setting.as_line(&file)));
    outln!("\n[{name}]");
    own.iter()
        .for_each(|setting| outln!("{}", setting.as_line(&file)));
    Ok(())
}

/// The settings of all commands, then those of this one.
fn in_force(
    command: &Command,
    name: &str,
    read: &ArgMatches,
    arguments: &Arguments,
) -> Vec<InForce> {
    let Some((of_command, (_, own))) = command.find_subcommand(name).zip(read.subcommand()) else {
        return Vec::new();
    };
    let for_all = command.get_arguments().map(|arg| (true, arg, read));
    let own = of_command.get_arguments().map(|arg| (false, arg, own));
    let settings = for_all.chain(own).filter(|(_, arg, _)| is_setting(arg));
    settings
        .map(|(is_for_all, arg, read)| {
            let id = arg.get_id().as_str();
            let values = read.try_get_raw(id).ok().flatten();
            let values = values
                .into_iter()
                .flatten()
                .map(|value| without_password(&value.to_string_lossy()));
            let from = match (arguments.from_file.get(id), read.value_source(id)) {
                (Some(line), _) => Source::File(*line),
                (None, Some(ValueSource::CommandLine)) => Source::Flag,
                (None, Some(ValueSource::EnvVariable)) => {
                    let variable = arg.get_env().unwrap_or_default();
                    Source::Variable(variable.to_string_lossy().into_owned())
                }
                (None, Some(_)) => Source::Default,
                (None, None) => Source::Unset,
            };
            InForce {
                name: name_of(arg).to_owned(),
                is_for_all,
                is_list: matches!(arg.get_action(), ArgAction::Append),
                is_switch: matches!(arg.get_action(), ArgAction::SetTrue),
                values: values.collect(),
                from,
            }
        })
        .collect()
}

/// An address without the password in it.
fn without_password(text: &str) -> String {
    let parts = text.split_once("://").and_then(|(scheme, rest)| {
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let (user, host) = authority.rsplit_once('@')?;
        let (name, _) = user.split_once(':')?;
        Some(format!("{scheme}://{name}:***@{host}{path}"))
    });
    parts.unwrap_or_else(|| text.to_owned())
}
