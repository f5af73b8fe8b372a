//! Opening keys wherever they are kept: in a plain file, in one that a passphrase opens, in a variable, or in
//! an ssh-agent that a file names by its public half.

use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::keyfile::{KeyFileError, SigningKey, read_bounded, refuse_open};
use super::pem::{NotAKey, read_encrypted_key, read_private_key};
use super::sign::{AgentFault, Signer};
use super::ssh_key::read_line;

/// A passphrase. Wiped from memory when dropped; shown nowhere.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes the text.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase")
    }
}

/// Gets the passphrase of a key, which is named for a person who is asked; `None` where there is nobody to ask.
pub type AskPassphrase = fn(&Path) -> io::Result<Option<Passphrase>>;

/// What opens keys that are not plain files.
#[derive(Clone, Debug, Default)]
pub struct KeyAccess {
    /// The agent that has the keys of which a file has the public half.
    #[cfg(unix)]
    pub agent: Option<super::agent::Agent>,
    /// Where the passphrase of an encrypted key is from. Asked for such keys alone.
    pub passphrase: Option<AskPassphrase>,
}

impl KeyAccess {
    /// Opens the key of a file: PKCS#8, plain or encrypted (PBES2), as [`SigningKey::read`] does, or OpenSSH's
    /// `ssh-ed25519` line of a public key, whose private half the agent has. The agent is asked whether it does.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn read(&self, path: &Path) -> Result<Signer, KeyFileError> {
        let signer = self.read_unasked(path)?;
        #[cfg(unix)]
        if let Signer::Agent(key) = &signer {
            let held = key.check_held();
            held.map_err(|why| KeyFileError::Agent(path.to_owned(), why))?;
        }
        Ok(signer)
    }

    /// As [`Self::read`], without asking the agent.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn read_unasked(&self, path: &Path) -> Result<Signer, KeyFileError> {
        let (bytes, metadata) = read_bounded(path)?;
        let public = std::str::from_utf8(&bytes).ok().and_then(read_line);
        if let Some(public) = public {
            let of_agent = |why| KeyFileError::Agent(path.to_owned(), why);
            return self.of_agent(public).map_err(of_agent);
        }
        let key = self.parse(path, &bytes);
        let key = key.map_err(|why| KeyFileError::NotAKey(path.to_owned(), why))?;
        refuse_open(path, &metadata)?;
        Ok(key.into())
    }

    /// Opens the key whose PEM stands in a variable of the environment.
    ///
    /// # Errors
    /// [`KeyFileError`], which names the variable in the place of a file.
    pub fn of_variable(&self, name: &str) -> Result<Signer, KeyFileError> {
        let shown = PathBuf::from(format!("the variable {name}"));
        let wrong = |why| KeyFileError::NotAKey(shown.clone(), why);
        let text = std::env::var_os(name).unwrap_or_default();
        let text = Zeroizing::new(text.into_encoded_bytes());
        self.parse(&shown, &text).map(Signer::from).map_err(wrong)
    }

    fn parse(&self, shown: &Path, bytes: &[u8]) -> Result<SigningKey, NotAKey> {
        let key = match (read_private_key(bytes), self.passphrase) {
            (Err(NotAKey::Encrypted), Some(ask)) => {
                let passphrase =
                    ask(shown).map_err(|error| NotAKey::Passphrase(error.to_string()))?;
                let passphrase = passphrase.ok_or(NotAKey::Encrypted)?;
                read_encrypted_key(bytes, passphrase.0.as_bytes())
            }
            (read, _) => read,
        };
        key.map(SigningKey::of_dalek)
    }

    #[cfg(unix)]
    fn of_agent(&self, public: super::PublicKey) -> Result<Signer, AgentFault> {
        let agent = self.agent.as_ref().ok_or(AgentFault::Unnamed)?;
        agent.key(public).map(Signer::Agent)
    }

    #[cfg(not(unix))]
    fn of_agent(&self, _public: super::PublicKey) -> Result<Signer, AgentFault> {
        Err(AgentFault::Unnamed)
    }
}
