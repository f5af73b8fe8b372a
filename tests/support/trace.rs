//! What a process did to files, and what it answered, as strace saw it.

#![allow(dead_code)]

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// What strace is asked to write: everything that changes files, and answers on sockets.
pub const CALLS: &str = "trace=openat,close,write,pwrite64,writev,pwritev,lseek,ftruncate,fallocate,\
fsync,fdatasync,sync_file_range,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,\
link,linkat,sendto,truncate";

/// One step of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A file appears, or is emptied.
    Create {
        path: PathBuf,
        truncate: bool,
    },
    /// Bytes are written.
    Write {
        path: PathBuf,
        at: u64,
        bytes: Vec<u8>,
    },
    /// A file is cut or made longer.
    SetLen {
        path: PathBuf,
        length: u64,
    },
    /// A sync of a file or folder begins: what was done before it will be durable.
    SyncBegins {
        path: PathBuf,
        sync: u64,
    },
    /// It ended well.
    Synced {
        path: PathBuf,
        sync: u64,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    MakeDir {
        path: PathBuf,
    },
    /// An answer with a checkpoint of so many entries goes to a client.
    Answer {
        size: u64,
    },
    /// A command says something on its standard output or error, which are pipes.
    Said {
        text: String,
    },
}

/// Reads a trace; steps outside `root` are left out, those within have their paths made relative.
pub fn read(trace: &str, root: &Path) -> Vec<Step> {
    let mut reader = Reader {
        root: root.to_owned(),
        steps: Vec::new(),
        files: BTreeMap::new(),
        unfinished: HashMap::new(),
        syncs: 0,
    };
    for line in trace.lines() {
        reader.line(line);
    }
    reader.steps
}

struct Reader {
    root: PathBuf,
    steps: Vec<Step>,
    /// Where each descriptor writes next.
    files: BTreeMap<u64, u64>,
    /// The beginnings of calls that other threads' lines cut in two.
    unfinished: HashMap<String, (String, Option<u64>)>,
    syncs: u64,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let Some((thread, rest)) = line.split_once(' ') else {
            return;
        };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            let sync = self.sync_begins(begun);
            let _ = self.answer_begins(begun);
            let _ = self.words_begin(begun);
            self.unfinished
                .insert(thread.to_owned(), (begun.to_owned(), sync));
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((_, ending)) = resumed.split_once(" resumed>") else {
                return;
            };
            if let Some((begun, sync)) = self.unfinished.remove(thread) {
                self.call(&format!("{begun}{ending}"), sync);
            }
        } else {
            let sync = self.sync_begins(rest);
            let _ = self.answer_begins(rest);
            let _ = self.words_begin(rest);
            self.call(rest, sync);
        }
    }

    fn sync_begins(&mut self, call: &str) -> Option<u64> {
        let (name, arguments) = call.split_once('(')?;
        if name != "fsync" && name != "fdatasync" {
            return None;
        }
        let path = self.within(&descriptor(arguments)?.1)?;
        self.syncs += 1;
        let sync = self.syncs;
        self.steps.push(Step::SyncBegins { path, sync });
        Some(sync)
    }

    fn within(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.root).ok().map(Path::to_owned)
    }

    fn call(&mut self, call: &str, sync: Option<u64>) {
        let _ = self.try_call(call, sync);
    }

    fn try_call(&mut self, call: &str, sync: Option<u64>) -> Option<()> {
        let (name, rest) = call.split_once('(')?;
        let (arguments, result) = rest.rsplit_once(" = ")?;
        let result = result.split(['<', ' ']).next()?;
        let result: i64 = result.parse().ok()?;
        if result < 0 {
            return None;
        }
        let strings: Vec<Vec<u8>> = strings(arguments);
        let path = |place: usize| -> Option<PathBuf> {
            let text = String::from_utf8(strings.get(place)?.clone()).ok()?;
            self.within(Path::new(&text))
        };
        let step = match name {
            "openat" => {
                let path = path(0)?;
                let descriptor = u64::try_from(result).ok()?;
                self.files.insert(descriptor, 0);
                if !arguments.contains("O_CREAT") {
                    return None;
                }
                let truncate = arguments.contains("O_TRUNC");
                Step::Create { path, truncate }
            }
            "close" => {
                self.files.remove(&descriptor(arguments)?.0);
                return None;
            }
            "lseek" => {
                let file = self.files.get_mut(&descriptor(arguments)?.0)?;
                *file = u64::try_from(result).ok()?;
                return None;
            }
            "write" | "writev" | "sendto" => {
                let (number, place) = descriptor(arguments)?;
                let written: Vec<u8> = strings.concat();
                let path = self.within(&place)?;
                let file = self.files.entry(number).or_insert(0);
                let at = *file;
                *file += u64::try_from(result).ok()?;
                let bytes = written.get(..usize::try_from(result).ok()?)?.to_vec();
                // It may have been renamed since it was opened.
                Step::Write { path, at, bytes }
            }
            "pwrite64" => {
                let path = self.within(&descriptor(arguments)?.1)?;
                let at = arguments
                    .trim_end()
                    .strip_suffix(')')?
                    .rsplit(", ")
                    .next()?;
                let at = at.parse().ok()?;
                let bytes = strings
                    .first()?
                    .get(..usize::try_from(result).ok()?)?
                    .to_vec();
                Step::Write { path, at, bytes }
            }
            "ftruncate" => {
                let path = self.within(&descriptor(arguments)?.1)?;
                let length = arguments
                    .trim_end()
                    .strip_suffix(')')?
                    .rsplit(", ")
                    .next()?;
                let length = length.parse().ok()?;
                Step::SetLen { path, length }
            }
            "fsync" | "fdatasync" => {
                let path = self.within(&descriptor(arguments)?.1)?;
                let sync = sync?;
                Step::Synced { path, sync }
            }
            // Makes neither length nor names durable: as if it were not there.
            "sync_file_range" => return None,
            "rename" | "renameat" | "renameat2" => Step::Rename {
                from: path(0)?,
                to: path(1)?,
            },
            "unlink" | "unlinkat" | "rmdir" => Step::Remove { path: path(0)? },
            "mkdir" | "mkdirat" => Step::MakeDir { path: path(0)? },
            other => panic!("what does {other} do here? {call}"),
        };
        self.steps.push(step);
        Some(())
    }

    /// An answer with a checkpoint leaves when its call begins, not when that one ends.
    fn answer_begins(&mut self, call: &str) -> Option<()> {
        let (name, arguments) = call.split_once('(')?;
        let (_, place) = descriptor(arguments)?;
        let place = place.to_string_lossy();
        if !matches!(name, "write" | "writev" | "sendto")
            || !(place.starts_with("socket:") || place.starts_with("TCP:"))
        {
            return None;
        }
        let bytes = strings(arguments).concat();
        let text = String::from_utf8_lossy(&bytes);
        let after = text.split_once("\"checkpoint\":\"")?.1;
        let size = after.split("\\n").nth(1)?.parse().ok()?;
        self.steps.push(Step::Answer { size });
        Some(())
    }

    /// So do a command's words.
    fn words_begin(&mut self, call: &str) -> Option<()> {
        let (name, arguments) = call.split_once('(')?;
        let (number, place) = descriptor(arguments)?;
        if name != "write"
            || !(1..=2).contains(&number)
            || !place.to_string_lossy().starts_with("pipe:")
        {
            return None;
        }
        let text = String::from_utf8(strings(arguments).concat()).ok()?;
        self.steps.push(Step::Said { text });
        Some(())
    }
}

/// `7</path>` at the beginning of arguments.
fn descriptor(arguments: &str) -> Option<(u64, PathBuf)> {
    let (number, rest) = arguments.split_once('<')?;
    let (place, _) = rest.split_once('>')?;
    let place = String::from_utf8(unescape(place)).ok()?;
    Some((number.parse().ok()?, PathBuf::from(place)))
}

/// The quoted strings of arguments, in order.
fn strings(arguments: &str) -> Vec<Vec<u8>> {
    // With -xx there is no quote within quotes.
    arguments
        .split('"')
        .skip(1)
        .step_by(2)
        .map(unescape)
        .collect()
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut rest = text;
    while !rest.is_empty() {
        match rest.strip_prefix("\\x").and_then(|hex| hex.get(..2)) {
            Some(hex) => {
                bytes.push(u8::from_str_radix(hex, 16).unwrap());
                rest = &rest[4..];
            }
            None => {
                let mut chars = rest.chars();
                let mut buffer = [0; 4];
                bytes.extend_from_slice(chars.next().unwrap().encode_utf8(&mut buffer).as_bytes());
                rest = chars.as_str();
            }
        }
    }
    bytes
}
