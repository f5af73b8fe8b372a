//! Who may read a file: its mode, which is set when the file is created and never widened.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// The mode of a file that anybody may read, as far as the process's umask allows.
pub(super) const SHARED: u32 = 0o666;
/// The mode of a file that only its owner may read: keys.
pub(super) const OWNER_ONLY: u32 = 0o600;

/// Creates a file, which must not be there, with at most the rights of `mode`.
///
/// Without Unix there are no modes: the file gets the rights that its folder gives it.
pub(super) fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    set_mode(&mut options, mode);
    options.open(path)
}

#[cfg(unix)]
pub(super) fn set_mode(options: &mut OpenOptions, mode: u32) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(mode);
}

#[cfg(not(unix))]
pub(super) fn set_mode(_options: &mut OpenOptions, _mode: u32) {}

/// The rights that a file has, without those of its kind.
#[cfg(unix)]
pub(super) fn mode_of(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o777
}

#[cfg(not(unix))]
pub(super) fn mode_of(_metadata: &Metadata) -> u32 {
    SHARED
}

/// A secret file's mode, if anybody has rights on it who should not: others ever, and its group,
/// unless nobody may write the file (0440) and this process is in that group. So Kubernetes mounts a
/// secret for the group of a pod, whose processes do not own it; a umask makes no such mode. A credential that systemd
/// gives this process (`LoadCredential=`) is root's, of that mode, and an access list lets its user alone read it, which
/// the mode shows as the group's right: that is nobody else's right either.
///
/// Always `None` without Unix, where a file's mode can't be seen: then nothing is refused, and
/// an operator who keeps keys there restricts the rights on their folder.
pub fn open_to_others(metadata: &Metadata) -> Option<u32> {
    let mode = mode_of(metadata);
    let is_open = match mode {
        GROUP_READS => !is_own_group(metadata) && !is_credential(metadata),
        mode => mode & 0o077 != 0,
    };
    (cfg!(unix) && is_open).then_some(mode)
}

/// The mode of a secret that a group may read.
const GROUP_READS: u32 = 0o440;

/// Whether this process is in a file's group.
#[cfg(all(unix, any(feature = "client", feature = "server")))]
fn is_own_group(metadata: &Metadata) -> bool {
    use rustix::process::{getegid, getgroups};
    use std::os::unix::fs::MetadataExt as _;
    let group = metadata.gid();
    let among = |groups: Vec<rustix::process::Gid>| groups.iter().any(|id| id.as_raw() == group);
    // A system that does not tell its groups vouches for none.
    getegid().as_raw() == group || getgroups().is_ok_and(among)
}

/// Where systemd says that a service's credentials are.
#[cfg(unix)]
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Whether a file is root's and one of those in the folder of credentials, under whatever name it was opened. The folder
/// is systemd's: whoever sets the variable starts this process.
#[cfg(unix)]
fn is_credential(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let Some(folder) = std::env::var_os(CREDENTIALS) else {
        return false;
    };
    let Ok(files) = std::fs::read_dir(folder) else {
        return false;
    };
    let name = |about: &Metadata| (about.dev(), about.ino());
    let mut files = files.flatten().filter_map(|file| file.metadata().ok());
    metadata.uid() == 0 && files.any(|file| file.is_file() && name(&file) == name(metadata))
}

#[cfg(not(unix))]
fn is_credential(_metadata: &Metadata) -> bool {
    false
}

/// Without the feature that signs, no system call tells the groups: none is vouched for.
#[cfg(not(all(unix, any(feature = "client", feature = "server"))))]
fn is_own_group(_metadata: &Metadata) -> bool {
    false
}
