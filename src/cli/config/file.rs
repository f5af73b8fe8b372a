//! A configuration file as it is read: a table for each command, a key for each of its flags.

use std::path::Path;

use clap::{Arg, ArgAction, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::WITH_TABLES;
use crate::cli::{Failure, read_text};
use arborlog::durable::at;

/// No configuration is longer.
const FILE_BYTES_MAX: u64 = 256 << 10;
/// How alike a name must be to be offered in the place of another: as clap has it.
const ALIKE: f64 = 0.7;

/// A setting in the file.
pub struct Setting {
    /// The id of its flag.
    pub flag: String,
    /// The name of its flag; a value without a name has none.
    pub long: Option<String>,
    /// Whether the flag has no value: `true` sets it.
    pub is_switch: bool,
    pub values: Vec<String>,
    /// From 1.
    pub line: usize,
}

/// What a file says: each setting is one of a flag that there is.
pub struct ConfigFile {
    for_all: Vec<Setting>,
    tables: Vec<(String, Vec<Setting>)>,
}

impl ConfigFile {
    /// Reads a file, and holds every key against the commands, those that are not run now too.
    pub fn read(path: &Path, command: &Command) -> Result<Self, Failure> {
        let length = std::fs::metadata(path).map_err(at(path))?.len();
        if length > FILE_BYTES_MAX {
            let what = format!("{} is longer than 256 KiB", path.display());
            return Err(Failure::usage(what));
        }
        let text = read_text(path)?;
        let reader = Reader { path, text: &text };
        let document = DeTable::parse(&text)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
        let mut read = Self {
            for_all: Vec::new(),
            tables: Vec::new(),
        };
        for (key, value) in document.get_ref() {
            let name = key.get_ref().as_ref();
            match value.get_ref() {
                DeValue::Table(table) if WITH_TABLES.contains(&name) => {
                    let settings = reader.table(table, command.find_subcommand(name), name)?;
                    read.tables.push((name.to_owned(), settings));
                }
                DeValue::Table(_) => {
                    return Err(reader.unknown(key, "there is no table of it", &WITH_TABLES));
                }
                value => read.for_all.push(reader.setting(key, value, command)?),
            }
        }
        Ok(read)
    }

    /// What all commands have.
    pub fn settings_of_all(&self) -> impl Iterator<Item = &Setting> {
        self.for_all.iter()
    }

    /// What a command's own table says.
    pub fn settings_of(&self, command: &str) -> impl Iterator<Item = &Setting> {
        let tables = self.tables.iter();
        tables
            .filter(move |(name, _)| name == command)
            .flat_map(|(_, settings)| settings)
    }
}

/// Says where in the file what is wrong stands.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn table(
        &self,
        table: &DeTable<'_>,
        command: Option<&Command>,
        name: &str,
    ) -> Result<Vec<Setting>, Failure> {
        let command = command.ok_or_else(|| Failure::usage(format!("there is no {name}")))?;
        let settings = table.iter();
        settings
            .map(|(key, value)| self.setting(key, value.get_ref(), command))
            .collect()
    }

    fn setting(
        &self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &DeValue<'_>,
        command: &Command,
    ) -> Result<Setting, Failure> {
        let named: Vec<(&str, &Arg)> = command
            .get_arguments()
            .filter(|arg| is_setting(arg))
            .flat_map(|arg| names_of(arg).map(move |name| (name, arg)))
            .collect();
        let name = key.get_ref().as_ref();
        let Some((_, arg)) = named.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
            let of = match command.get_name() {
                "arborlog" => "there is no setting of that name for all commands",
                _ => "the command has no setting of that name",
            };
            return Err(self.unknown(key, of, &known));
        };
        let values = self.values(key, value, arg)?;
        Ok(Setting {
            flag: arg.get_id().to_string(),
            long: arg.get_long().map(str::to_owned),
            is_switch: matches!(arg.get_action(), ArgAction::SetTrue),
            values,
            line: self.line_of(key.span().start),
        })
    }

    /// A setting's values as a flag is given them.
    fn values(
        &self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &DeValue<'_>,
        arg: &Arg,
    ) -> Result<Vec<String>, Failure> {
        let wrong = |what: &str| self.wrong(key.span().start, &format!("{} {what}", key.get_ref()));
        let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
        match value {
            DeValue::Boolean(on) if is_switch => Ok(vec![on.to_string()]),
            _ if is_switch => Err(wrong("is true or false")),
            DeValue::String(text) => Ok(vec![text.to_string()]),
            DeValue::Integer(number) if number.radix() == 10 => {
                Ok(vec![number.as_str().to_owned()])
            }
            DeValue::Float(number) => Ok(vec![number.as_str().to_owned()]),
            DeValue::Array(items) if matches!(arg.get_action(), ArgAction::Append) => {
                let items = items.iter().map(|item| item.get_ref().as_str());
                let items = items.map(|item| item.map(str::to_owned));
                items
                    .collect::<Option<_>>()
                    .ok_or_else(|| wrong("is a list of texts"))
            }
            DeValue::Array(_) => Err(wrong("has one value, no list")),
            _ => Err(wrong("is a text or a number")),
        }
    }

    /// What is wrong with a name that nothing has, and the name that may be meant.
    fn unknown(
        &self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        what: &str,
        known: &[&str],
    ) -> Failure {
        let name = key.get_ref().as_ref();
        let alike = known
            .iter()
            .map(|known| (strsim::jaro(name, known), *known))
            .filter(|(alike, _)| *alike > ALIKE)
            .max_by(|one, other| one.0.total_cmp(&other.0));
        let instead = match alike {
            Some((_, nearest)) => format!("did you mean {nearest}?"),
            None => format!("there are {}", known.join(", ")),
        };
        self.wrong(key.span().start, &format!("{name}: {what}; {instead}"))
    }

    fn wrong(&self, at_byte: usize, what: &str) -> Failure {
        let line = self.line_of(at_byte);
        Failure::usage(format!("{}, line {line}: {what}", self.path.display()))
    }

    fn line_of(&self, at_byte: usize) -> usize {
        let before = self.text.get(..at_byte).unwrap_or_default();
        before.matches('\n').count() + 1
    }
}

/// Whether a file can set it: not what ends the command at once, or names the file itself.
pub fn is_setting(arg: &Arg) -> bool {
    let ends = matches!(
        arg.get_action(),
        ArgAction::Help | ArgAction::HelpLong | ArgAction::HelpShort | ArgAction::Version
    );
    !ends && !["config", "init", "json"].contains(&arg.get_id().as_str())
}

/// The names by which a key of the file may mean it.
fn names_of(arg: &Arg) -> impl Iterator<Item = &str> {
    let others = arg.get_visible_aliases().unwrap_or_default();
    std::iter::once(name_of(arg)).chain(others)
}

/// The flag's name; of a value without a name its id.
pub fn name_of(arg: &Arg) -> &str {
    arg.get_long().unwrap_or(arg.get_id().as_str())
}
