//! What signs by Ed25519: a key in this process, or one that an ssh-agent holds, which may not answer.

use super::key::{PublicKey, Signature};
use super::keyfile::SigningKey;

/// Signs by Ed25519 with one key (RFC 8032). A signature that is given holds.
pub trait Sign {
    /// The public half.
    fn public(&self) -> PublicKey;

    /// Signs. The same message gives the same bytes.
    ///
    /// # Errors
    /// [`SignError`] when whatever holds the key gave no signature: nothing is signed then.
    fn try_sign(&self, message: &[u8]) -> Result<Signature, SignError>;
}

/// A signature that could not be had. It says nothing of the message, and nothing of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing was signed with the key {key}: {why}")]
pub struct SignError {
    /// The key.
    pub key: PublicKey,
    /// What its holder did instead.
    pub why: AgentFault,
}

/// Why an ssh-agent did not do what it was asked, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentFault {
    /// No agent is named.
    #[error("no ssh-agent is named: set SSH_AUTH_SOCK to its socket")]
    Unnamed,
    /// Its socket can't be reached.
    #[error(
        "the ssh-agent at {socket} can't be reached ({why}): start it, and add the key by: ssh-add"
    )]
    Unreachable {
        /// The socket.
        socket: String,
        /// What the system says.
        why: String,
    },
    /// It did not answer in time.
    #[error("the ssh-agent at {socket} did not answer within {seconds} s")]
    Late {
        /// The socket.
        socket: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It refused: it was locked, a person said no, or it has the key no more.
    #[error(
        "the ssh-agent at {socket} refused; see that it is unlocked and has the key: ssh-add -l"
    )]
    Refused {
        /// The socket.
        socket: String,
    },
    /// It has not this key.
    #[error("the ssh-agent at {socket} has no key {fingerprint}; add it by: ssh-add")]
    NotHeld {
        /// The socket.
        socket: String,
        /// The key, as `ssh-add -l` shows it.
        fingerprint: String,
    },
    /// It answered something else than the protocol has, or a signature that does not hold.
    #[error("what answers at {socket} is no ssh-agent, or a faulty one: {what}")]
    Faulty {
        /// The socket.
        socket: String,
        /// What it answered.
        what: String,
    },
}

impl Sign for SigningKey {
    fn public(&self) -> PublicKey {
        Self::public(self)
    }

    fn try_sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        Ok(self.sign(message))
    }
}

/// A key that was opened, wherever it is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Signer {
    /// In the memory of this process.
    Memory(SigningKey),
    /// In an ssh-agent.
    #[cfg(all(unix, feature = "keys"))]
    Agent(super::agent::AgentKey),
}

impl Signer {
    /// The public half.
    pub fn public(&self) -> PublicKey {
        match self {
            Self::Memory(key) => key.public(),
            #[cfg(all(unix, feature = "keys"))]
            Self::Agent(key) => key.public(),
        }
    }

    /// Whether a signature is waited for, on another process or a person.
    pub fn is_elsewhere(&self) -> bool {
        match self {
            Self::Memory(_) => false,
            #[cfg(all(unix, feature = "keys"))]
            Self::Agent(_) => true,
        }
    }
}

impl Sign for Signer {
    fn public(&self) -> PublicKey {
        Self::public(self)
    }

    fn try_sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        match self {
            Self::Memory(key) => Ok(key.sign(message)),
            #[cfg(all(unix, feature = "keys"))]
            Self::Agent(key) => key.try_sign(message),
        }
    }
}

impl From<SigningKey> for Signer {
    fn from(key: SigningKey) -> Self {
        Self::Memory(key)
    }
}
