//! What the lines of a policy say.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::quorum::{Node, Quorum};
use super::vkey::{KeyFor, read_vkey};
use crate::note::{VerifierKey, misleads};

/// The longest policy in a file: 32 logs and 32 witnesses with ML-DSA keys, which the standard asks readers to
/// take, fit.
pub const POLICY_FILE_BYTES_MAX: usize = 131_072;
/// The most logs of a policy; witnesses and auditors together; and groups. The standard asks for 32 of each.
const LINES_MAX: usize = 64;
/// The longest name of a witness or group, in bytes: as long as a key's.
const NAME_BYTES_MAX: usize = 200;

/// The quorum of a policy that asks for no cosignature, and the name that nobody may have.
const NONE: &str = "none";

/// How the names of auditors begin.
const AUDITOR: &str = "audit-";

/// Which logs count, and which cosigners must have signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    cosigners: Vec<Cosigner>,
    pub(super) quorum: Quorum,
}

/// A log of a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyLog {
    /// Its verifier key, whose name is its origin.
    pub vkey: VerifierKey,
    /// Where it can be had.
    pub url: Option<String>,
}

/// A witness or an auditor of a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cosigner {
    /// What the policy calls it, and nobody else.
    pub name: String,
    /// Its verifier key.
    pub vkey: VerifierKey,
    /// Where it takes checkpoints.
    pub url: Option<String>,
}

impl Cosigner {
    /// Whether it is an auditor: its name in the policy begins with `audit-`.
    pub fn is_auditor(&self) -> bool {
        self.name.starts_with(AUDITOR)
    }
}

/// Text that is no policy: the line, from 1, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy: {what}")]
pub struct PolicyError {
    /// The line, from 1; the last one for what is missing.
    pub line: usize,
    /// What is wrong with the line.
    pub what: String,
}

impl Policy {
    /// Reads a policy of a number of bytes at most; `too_long` says of a longer one what is wrong.
    pub(super) fn read(text: &str, bytes_max: usize, too_long: &str) -> Result<Self, PolicyError> {
        let wrong = |line: usize, what: &str| PolicyError {
            line,
            what: what.to_owned(),
        };
        let last = text.bytes().filter(|byte| *byte == b'\n').count();
        if text.len() > bytes_max {
            return Err(wrong(last, too_long));
        }
        let Some(lines) = text.strip_suffix('\n') else {
            return Err(wrong(
                last + 1,
                "each line ends in a newline, the last one too",
            ));
        };
        let mut read = Reading::default();
        for (number, line) in (1..).zip(lines.split('\n')) {
            read.take(line)
                .map_err(|what| PolicyError { line: number, what })?;
        }
        let top = read.quorum.take();
        let (name, top) = top.ok_or_else(|| wrong(last, "there is no quorum line"))?;
        Ok(Self {
            logs: read.logs,
            cosigners: read.cosigners,
            quorum: Quorum {
                name,
                nodes: read.nodes,
                top,
            },
        })
    }

    /// The logs whose checkpoints count.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// Its witnesses and auditors, in the order of its lines.
    pub fn cosigners(&self) -> &[Cosigner] {
        &self.cosigners
    }

    /// The name of the cosigner or group that must have signed, or `none`.
    pub fn quorum(&self) -> &str {
        &self.quorum.name
    }

    /// The lines that name its witnesses and auditors, groups and quorum, in an order in which they can be read again:
    /// without logs, and without addresses, which are whoever's who asks there.
    pub fn cosigner_lines(&self) -> String {
        let nodes = &self.quorum.nodes;
        let name_of = |place: &usize| match nodes.get(*place) {
            Some(Node::Cosigner(at)) => self.cosigners.get(*at).map_or("", |it| it.name.as_str()),
            Some(Node::Group { name, .. }) => name,
            None => "",
        };
        let mut lines = String::new();
        for (place, node) in nodes.iter().enumerate() {
            let name = name_of(&place);
            lines.push_str(&match node {
                Node::Cosigner(at) => match self.cosigners.get(*at) {
                    Some(cosigner) => format!("witness {name} {}\n", cosigner.vkey),
                    None => continue,
                },
                Node::Group {
                    needed, members, ..
                } => {
                    let members: Vec<&str> = members.iter().map(name_of).collect();
                    format!("group {name} {needed} {}\n", members.join(" "))
                }
            });
        }
        lines.push_str(&format!("quorum {}\n", self.quorum()));
        lines
    }
}

/// A policy from a file.
impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let too_long = "a policy has at most 131,072 bytes";
        Self::read(text, POLICY_FILE_BYTES_MAX, too_long)
    }
}

/// What the lines of a policy said so far.
#[derive(Default)]
struct Reading {
    logs: Vec<PolicyLog>,
    cosigners: Vec<Cosigner>,
    log_keys: BTreeSet<Vec<u8>>,
    witness_keys: BTreeSet<Vec<u8>>,
    nodes: Vec<Node>,
    /// Where the witnesses and groups are among the nodes.
    defined: BTreeMap<String, usize>,
    /// Those that are a member of a group.
    members: BTreeSet<usize>,
    /// Its name, and where it is among the nodes.
    quorum: Option<(String, Option<usize>)>,
}

impl Reading {
    fn take(&mut self, line: &str) -> Result<(), String> {
        if let Some(c) = line.chars().find(|c| *c != '\t' && misleads(*c)) {
            return Err(format!(
                "it has a character that is refused (U+{:04X})",
                u32::from(c)
            ));
        }
        let words: Vec<&str> = line
            .split([' ', '\t'])
            .filter(|word| !word.is_empty())
            .collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", vkey, url @ ..] if url.len() <= 1 => {
                let vkey = read_vkey(vkey, KeyFor::Log)?;
                let key = vkey.key_bytes().to_vec();
                fresh(&mut self.log_keys, key, "this log's key stands twice")?;
                check_count(self.logs.len(), "logs")?;
                let url = url.first().map(|url| (*url).to_owned());
                self.logs.push(PolicyLog { vkey, url });
                Ok(())
            }
            ["witness", name, vkey, url @ ..] if url.len() <= 1 => {
                self.define(name, Node::Cosigner(self.cosigners.len()))?;
                let vkey = read_vkey(vkey, KeyFor::Witness)?;
                let key = vkey.key_bytes().to_vec();
                fresh(
                    &mut self.witness_keys,
                    key,
                    "this witness's key stands twice",
                )?;
                check_count(self.cosigners.len(), "witnesses")?;
                self.cosigners.push(Cosigner {
                    name: (*name).to_owned(),
                    vkey,
                    url: url.first().map(|url| (*url).to_owned()),
                });
                Ok(())
            }
            ["group", name, threshold, members @ ..] if !members.is_empty() => {
                let group = self.group(name, threshold, members)?;
                check_count(self.nodes.len() - self.cosigners.len(), "groups")?;
                self.define(name, group)
            }
            ["quorum", name] => {
                let top = match *name {
                    NONE => None,
                    name => Some(self.known(name)?),
                };
                match self.quorum.replace(((*name).to_owned(), top)) {
                    None => Ok(()),
                    Some(_) => Err("there is a quorum line already".to_owned()),
                }
            }
            _ => Err(
                "it is none of: log VKEY [URL]; witness NAME VKEY [URL]; group NAME all|any|K NAME…; quorum NAME"
                    .to_owned(),
            ),
        }
    }

    fn group(&mut self, name: &str, threshold: &str, members: &[&str]) -> Result<Node, String> {
        let mut places = Vec::with_capacity(members.len());
        for member in members {
            let place = self.known(member)?;
            let twice = format!("{member} is a member of a group already");
            fresh(&mut self.members, place, &twice)?;
            places.push(place);
        }
        let plain = !threshold.starts_with('0') && threshold.bytes().all(|b| b.is_ascii_digit());
        let needed = match threshold {
            "all" => members.len(),
            "any" => 1,
            // One that no integer holds is more than there are members.
            number if plain => number.parse::<usize>().unwrap_or(usize::MAX),
            _ => 0,
        };
        if (1..=members.len()).contains(&needed) {
            return Ok(Node::Group {
                name: name.to_owned(),
                needed,
                members: places,
            });
        }
        Err(format!(
            "a group of {} needs all, any, or a plain number up to that of them",
            members.len()
        ))
    }

    fn define(&mut self, name: &str, node: Node) -> Result<(), String> {
        if name.len() > NAME_BYTES_MAX {
            return Err(format!("a name has at most {NAME_BYTES_MAX} bytes"));
        }
        if name == NONE || self.defined.contains_key(name) {
            return Err(format!("{name} is defined already"));
        }
        self.defined.insert(name.to_owned(), self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    fn known(&self, name: &str) -> Result<usize, String> {
        let place = self.defined.get(name).copied();
        place.ok_or_else(|| format!("no line before it defines {name}"))
    }
}

fn check_count(before: usize, of: &str) -> Result<(), String> {
    match before < LINES_MAX {
        true => Ok(()),
        false => Err(format!("a policy has at most {LINES_MAX} {of}")),
    }
}

fn fresh<T: Ord>(set: &mut BTreeSet<T>, item: T, twice: &str) -> Result<(), String> {
    if set.insert(item) {
        Ok(())
    } else {
        Err(twice.to_owned())
    }
}
