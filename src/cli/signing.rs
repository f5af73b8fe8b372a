//! How commands open keys: a file, plain or encrypted; a variable; or the public half of a key that an ssh-agent
//! has.

use std::path::Path;
use std::time::Duration;

use super::Failure;
use arborlog::client::IssuerKey;
use arborlog::crypto::{Agent, KeyAccess, Passphrase, Signer};
use arborlog::durable::at;

/// The variable that names the file with the passphrase of encrypted keys.
const PASSPHRASE_FILE: &str = "ARBORLOG_KEY_PASSPHRASE_FILE";
/// No passphrase is longer.
const PASSPHRASE_BYTES_MAX: usize = 1024;
/// What stands before the name of a variable that has a key.
const VARIABLE: &str = "env:";

/// How long a command waits for an agent: a person may have to touch a device, or to say yes.
const AGENT_WAITS: Duration = Duration::from_secs(60);
/// How long a server waits: nothing is acknowledged meanwhile.
const AGENT_WAITS_AT_SERVERS: Duration = Duration::from_secs(10);

/// How a command that a person runs opens keys.
pub fn access() -> KeyAccess {
    access_within(AGENT_WAITS)
}

/// How servers open theirs.
pub fn access_of_servers() -> KeyAccess {
    access_within(AGENT_WAITS_AT_SERVERS)
}

fn access_within(within: Duration) -> KeyAccess {
    KeyAccess {
        agent: Agent::of_environment(within),
        passphrase: Some(ask_passphrase),
    }
}

/// The key that an argument names.
pub fn open(named: &Path) -> Result<Signer, Failure> {
    open_by(named, &access())
}

/// The key that an argument names, for what its public half says: no agent is asked.
pub fn look_at(named: &Path) -> Result<Signer, Failure> {
    Ok(match variable(named) {
        Some(name) => access().of_variable(name)?,
        None => {
            // None is asked, and so none need be named.
            let agent = Agent::of_environment(AGENT_WAITS);
            let agent = agent.or_else(|| Some(Agent::new(Path::new(""), AGENT_WAITS)));
            let access = KeyAccess { agent, ..access() };
            access.read_unasked(named)?
        }
    })
}

/// The same, as servers do.
pub fn open_at_server(named: &Path) -> Result<Signer, Failure> {
    open_by(named, &access_of_servers())
}

fn open_by(named: &Path, access: &KeyAccess) -> Result<Signer, Failure> {
    Ok(match variable(named) {
        Some(name) => access.of_variable(name)?,
        None => access.read(named)?,
    })
}

/// The key of an issuer that an argument names, and its head: beside the file, or where it is named.
pub fn open_issuer(named: &Path, head: Option<&Path>) -> Result<IssuerKey, Failure> {
    match (variable(named), head) {
        (Some(_), None) => Err(Failure::usage(
            "a key in a variable has no file that its head could stand beside: say with --head where that is kept",
        )),
        (Some(_), Some(head)) => Ok(IssuerKey::new(open(named)?, head)),
        (None, None) => Ok(IssuerKey::open(named, &access())?),
        (None, Some(head)) => Ok(IssuerKey::open(named, &access())?.with_head(head)),
    }
}

/// The name of the variable that an argument names.
fn variable(named: &Path) -> Option<&str> {
    named.to_str()?.strip_prefix(VARIABLE)
}

/// The passphrase of an encrypted key: of the file that a variable names, or a person's.
fn ask_passphrase(key: &Path) -> std::io::Result<Option<Passphrase>> {
    if let Some(file) = std::env::var_os(PASSPHRASE_FILE) {
        let file = Path::new(&file);
        return read_passphrase(file)
            .map(Some)
            .map_err(std::io::Error::other);
    }
    let asked = rpassword::prompt_password(format!("Passphrase of {}: ", key.display()));
    let asked = asked.map_err(|error| {
        let what = format!(
            "there is no terminal to ask for it at ({error}), and {PASSPHRASE_FILE} names no file that has it"
        );
        std::io::Error::other(what)
    })?;
    Ok(Some(Passphrase::new(asked)))
}

/// The first line of a file that nobody else may read.
fn read_passphrase(file: &Path) -> Result<Passphrase, arborlog::durable::FileError> {
    use std::io::Read as _;
    let opened = std::fs::File::open(file).map_err(at(file))?;
    let metadata = opened.metadata().map_err(at(file))?;
    if let Some(mode) = arborlog::durable::open_to_others(&metadata) {
        let what = format!("it can be read by others (mode {mode:o})");
        return Err(at(file)(std::io::Error::other(what)));
    }
    // No longer than the capacity: a text that grows leaves copies that are not wiped.
    let mut text = String::with_capacity(PASSPHRASE_BYTES_MAX);
    opened
        .take(PASSPHRASE_BYTES_MAX as u64)
        .read_to_string(&mut text)
        .map_err(at(file))?;
    let line = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(line);
    Ok(Passphrase::new(text))
}
