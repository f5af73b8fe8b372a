//! A file system that keeps only what was synced, and of the rest what it likes.
//!
//! Strict, as POSIX is: the sync of a file makes its bytes durable and not its name; the sync of a
//! folder makes the names in it durable.

#![allow(dead_code)]

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::dice::Dice;
use super::trace::Step;

/// Disks write so much at once.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Default)]
struct File {
    durable: Vec<u8>,
    /// What was done since, in order, with the number of the step.
    pending: Vec<(u64, Change)>,
}

#[derive(Clone)]
enum Change {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

#[derive(Clone)]
enum Name {
    Link(PathBuf, usize),
    MakeDir(PathBuf),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf, usize),
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Folder,
    File(usize),
}

/// The disk of one store.
#[derive(Default)]
pub struct Disk {
    files: Vec<File>,
    /// As processes see it.
    now: BTreeMap<PathBuf, Kind>,
    durable: BTreeMap<PathBuf, Kind>,
    /// Changes to names since the sync of the folder that they are in.
    names: Vec<(u64, Name)>,
    /// Each sync that began promises what was done before this step.
    syncs: HashMap<u64, u64>,
    steps: u64,
}

/// What becomes of that which was not synced.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    Lost,
    Kept,
    /// The first so many, the last of them torn.
    Cut,
    /// Each by chance, in whatever order, some torn.
    Mixed,
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

impl Disk {
    /// All that is in a folder, durable.
    pub fn of(root: &Path) -> Self {
        let mut disk = Self::default();
        disk.take(root, root);
        disk
    }

    fn take(&mut self, root: &Path, dir: &Path) {
        for file in std::fs::read_dir(dir).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_owned();
            let kind = if path.is_dir() {
                self.take(root, &path);
                Kind::Folder
            } else {
                let durable = std::fs::read(&path).unwrap();
                self.files.push(File {
                    durable,
                    pending: Vec::new(),
                });
                Kind::File(self.files.len() - 1)
            };
            self.now.insert(name.clone(), kind);
            self.durable.insert(name, kind);
        }
    }

    fn file(&mut self, path: &Path) -> Option<&mut File> {
        match self.now.get(path)? {
            Kind::File(at) => self.files.get_mut(*at),
            Kind::Folder => None,
        }
    }

    pub fn apply(&mut self, step: &Step) {
        self.steps += 1;
        let number = self.steps;
        match step {
            Step::Create { path, truncate } => {
                if self.now.contains_key(path) {
                    if *truncate {
                        let file = self.file(path).unwrap();
                        file.pending.push((number, Change::SetLen(0)));
                    }
                } else {
                    self.files.push(File::default());
                    let at = self.files.len() - 1;
                    self.now.insert(path.clone(), Kind::File(at));
                    self.names.push((number, Name::Link(path.clone(), at)));
                }
            }
            Step::Write { path, at, bytes } => {
                let file = self.file(path).unwrap_or_else(|| panic!("{path:?}"));
                file.pending
                    .push((number, Change::Write(*at, bytes.clone())));
            }
            Step::SetLen { path, length } => {
                let file = self.file(path).unwrap();
                file.pending.push((number, Change::SetLen(*length)));
            }
            Step::SyncBegins { sync, .. } => drop(self.syncs.insert(*sync, number)),
            Step::Synced { path, sync } => {
                let promised = self.syncs.remove(sync).unwrap();
                match self.file(path) {
                    Some(file) => {
                        let done = file
                            .pending
                            .iter()
                            .take_while(|(at, _)| *at < promised)
                            .count();
                        for (_, change) in file.pending.drain(..done) {
                            change.apply(&mut file.durable, change.length());
                        }
                    }
                    None => self.sync_folder(path, promised),
                }
            }
            Step::Rename { from, to } => {
                let kind = self.now.remove(from).unwrap_or_else(|| panic!("{from:?}"));
                self.now.insert(to.clone(), kind);
                match kind {
                    Kind::File(at) => {
                        let name = Name::Rename(from.clone(), to.clone(), at);
                        self.names.push((number, name));
                    }
                    Kind::Folder => panic!("folders are not renamed while a server runs"),
                }
            }
            Step::Remove { path } => {
                self.now.remove(path);
                self.names.push((number, Name::Remove(path.clone())));
            }
            Step::MakeDir { path } => {
                self.now.insert(path.clone(), Kind::Folder);
                self.names.push((number, Name::MakeDir(path.clone())));
            }
            Step::Answer { .. } | Step::Said { .. } => {}
        }
    }

    fn sync_folder(&mut self, path: &Path, promised: u64) {
        let durable = &mut self.durable;
        self.names.retain(|(at, name)| {
            let done = *at < promised && name.folder() == path;
            if done {
                name.apply(durable);
            }
            !done
        });
    }

    /// Writes what is found after a loss of power now into a folder.
    pub fn lose_power(&self, to: &Path, dice: &mut Dice) -> Fate {
        let fate = match dice.below(6) {
            0 => Fate::Lost,
            1 => Fate::Kept,
            2 | 3 => Fate::Cut,
            _ => Fate::Mixed,
        };
        let mut names = self.durable.clone();
        let cut = dice.below(self.names.len() as u64 + 1) as usize;
        for (place, (_, name)) in self.names.iter().enumerate() {
            let kept = match fate {
                Fate::Lost => false,
                Fate::Kept => true,
                Fate::Cut => place < cut,
                Fate::Mixed => dice.one_in(2),
            };
            if kept {
                name.apply(&mut names);
            }
        }
        std::fs::create_dir_all(to).unwrap();
        for (path, kind) in &names {
            // What is in a folder that has no name is gone with it.
            let reachable = path.ancestors().skip(1).all(|above| {
                above.as_os_str().is_empty() || names.get(above) == Some(&Kind::Folder)
            });
            if !reachable {
                continue;
            }
            match kind {
                Kind::Folder => std::fs::create_dir_all(to.join(path)).unwrap(),
                Kind::File(at) => {
                    let bytes = self.files[*at].after(fate, dice);
                    std::fs::create_dir_all(to.join(folder(path))).unwrap();
                    std::fs::write(to.join(path), bytes).unwrap();
                    // Keys among them are not for others.
                    let owner = std::fs::Permissions::from_mode(0o600);
                    std::fs::set_permissions(to.join(path), owner).unwrap();
                }
            }
        }
        fate
    }
}

impl Name {
    fn folder(&self) -> &Path {
        match self {
            Self::Link(path, _) | Self::MakeDir(path) | Self::Remove(path) => folder(path),
            Self::Rename(_, to, _) => folder(to),
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Kind>) {
        match self {
            Self::Link(path, at) => drop(names.insert(path.clone(), Kind::File(*at))),
            Self::MakeDir(path) => drop(names.insert(path.clone(), Kind::Folder)),
            Self::Remove(path) => drop(names.remove(path)),
            Self::Rename(from, to, at) => {
                // The name may have been changed again; then the file at `from` is another.
                if names.get(from) == Some(&Kind::File(*at)) {
                    names.remove(from);
                }
                names.insert(to.clone(), Kind::File(*at));
            }
        }
    }
}

impl Change {
    fn length(&self) -> usize {
        match self {
            Self::Write(_, bytes) => bytes.len(),
            Self::SetLen(_) => 0,
        }
    }

    /// Does the first `length` bytes of it.
    fn apply(&self, bytes: &mut Vec<u8>, length: usize) {
        match self {
            Self::Write(at, written) => {
                let (from, to) = (*at as usize, *at as usize + length);
                if bytes.len() < to {
                    bytes.resize(to, 0);
                }
                bytes[from..to].copy_from_slice(&written[..length]);
            }
            Self::SetLen(length) => bytes.resize(*length as usize, 0),
        }
    }
}

impl File {
    fn after(&self, fate: Fate, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let cut = dice.below(self.pending.len() as u64 + 1) as usize;
        for (place, (_, change)) in self.pending.iter().enumerate() {
            let whole = change.length();
            match fate {
                Fate::Lost => {}
                Fate::Kept => change.apply(&mut bytes, whole),
                Fate::Cut if place < cut => change.apply(&mut bytes, whole),
                Fate::Cut if place == cut => {
                    change.apply(&mut bytes, dice.below(whole as u64 + 1) as usize);
                }
                Fate::Cut => {}
                Fate::Mixed if dice.one_in(3) => change.apply(&mut bytes, whole),
                Fate::Mixed if dice.one_in(2) => self.scatter(change, &mut bytes, dice),
                Fate::Mixed => {}
            }
        }
        bytes
    }

    /// Some sectors of a write and not others; what is not there reads as zeros.
    fn scatter(&self, change: &Change, bytes: &mut Vec<u8>, dice: &mut Dice) {
        let Change::Write(at, written) = change else {
            return;
        };
        let from = *at as usize;
        if bytes.len() < from + written.len() {
            bytes.resize(from + written.len(), 0);
        }
        let mut done = 0;
        while done < written.len() {
            let sector = SECTOR_BYTES - (from + done) % SECTOR_BYTES;
            let end = (done + sector).min(written.len());
            if dice.one_in(2) {
                bytes[from + done..from + end].copy_from_slice(&written[done..end]);
            }
            done = end;
        }
    }
}
