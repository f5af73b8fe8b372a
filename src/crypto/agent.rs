//! Keys that an ssh-agent holds (RFC 9987, "SSH Agent Protocol"): the private half never comes here.
//!
//! Each question has a connection of its own, and one time in which all of it must be done: an agent that ends,
//! or is started again, is met anew by the next question.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::key::{PublicKey, Signature};
use super::sign::{AgentFault, Sign, SignError};
use super::ssh_key::{blob, key_of_blob, push_string, signature_of_blob, take_string};
use super::verify::VerifyingKey;

/// The longest answer: what OpenSSH's own agent takes and gives.
const ANSWER_BYTES_MAX: usize = 256 << 10;

// RFC 9987, section 6.1.
const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// An ssh-agent, by its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    socket: PathBuf,
    within: Duration,
}

/// A key that an agent holds.
#[derive(Clone, Debug)]
pub struct AgentKey {
    agent: Agent,
    public: PublicKey,
    /// The key as signatures are checked with: one that no verifier takes is none.
    verifying: VerifyingKey,
}

impl Agent {
    /// The agent at a socket, whose answers are waited for so long.
    pub fn new(socket: &Path, within: Duration) -> Self {
        Self {
            socket: socket.to_owned(),
            within,
        }
    }

    /// The agent that `SSH_AUTH_SOCK` names.
    pub fn of_environment(within: Duration) -> Option<Self> {
        let socket = std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty())?;
        Some(Self::new(Path::new(&socket), within))
    }

    /// A key of it. Whether the agent has it, [`AgentKey::check_held`] says.
    ///
    /// # Errors
    /// [`AgentFault::Faulty`] for bytes that are no key.
    pub fn key(&self, public: PublicKey) -> Result<AgentKey, AgentFault> {
        let verifying =
            VerifyingKey::new(&public).map_err(|error| self.faulty(&error.to_string()))?;
        Ok(AgentKey {
            agent: self.clone(),
            public,
            verifying,
        })
    }

    /// The Ed25519 keys that it has.
    fn keys(&self) -> Result<Vec<PublicKey>, AgentFault> {
        let answer = self.ask(&[REQUEST_IDENTITIES])?;
        let malformed = || self.faulty("its list of keys is malformed");
        let Some((&IDENTITIES_ANSWER, rest)) = answer.split_first() else {
            return Err(self.other_answer(&answer));
        };
        let (_, mut rest) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
        let mut keys = Vec::new();
        // The number in front is not needed: each key has its length.
        while !rest.is_empty() {
            let (blob, behind) = take_string(rest).ok_or_else(malformed)?;
            let (_comment, behind) = take_string(behind).ok_or_else(malformed)?;
            keys.extend(key_of_blob(blob));
            rest = behind;
        }
        Ok(keys)
    }

    /// The answer to a message, within the time that there is.
    fn ask(&self, message: &[u8]) -> Result<Vec<u8>, AgentFault> {
        let end = Instant::now() + self.within;
        let mut stream = self.connect()?;
        let mut framed = Vec::with_capacity(message.len() + 4);
        push_string(&mut framed, message);
        stream
            .set_write_timeout(self.left(end)?)
            .map_err(|error| self.failed(&error))?;
        stream
            .write_all(&framed)
            .map_err(|error| self.failed(&error))?;
        let mut length = [0; 4];
        self.read(&mut stream, end, &mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length == 0 || length > ANSWER_BYTES_MAX {
            return Err(self.faulty("its answer has a length that none has"));
        }
        let mut answer = vec![0; length];
        self.read(&mut stream, end, &mut answer)?;
        Ok(answer)
    }

    fn connect(&self) -> Result<UnixStream, AgentFault> {
        let unreachable = |error: rustix::io::Errno| self.failed(&error.into());
        let kind = SocketType::STREAM;
        let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None);
        let socket = socket.map_err(unreachable)?;
        // Connecting waits too, where an agent has more callers than it takes.
        set_socket_timeout(&socket, Timeout::Send, Some(self.within)).map_err(unreachable)?;
        let address = SocketAddrUnix::new(&self.socket).map_err(unreachable)?;
        connect(&socket, &address).map_err(unreachable)?;
        Ok(socket.into())
    }

    fn read(
        &self,
        stream: &mut UnixStream,
        end: Instant,
        mut buffer: &mut [u8],
    ) -> Result<(), AgentFault> {
        while !buffer.is_empty() {
            stream
                .set_read_timeout(self.left(end)?)
                .map_err(|error| self.failed(&error))?;
            match stream.read(buffer) {
                Ok(0) => return Err(self.faulty("it closed the connection without an answer")),
                Ok(read) => buffer = buffer.get_mut(read..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Ok(())
    }

    /// The time that is left; none of it is an error, for a socket takes it for no limit.
    fn left(&self, end: Instant) -> Result<Option<Duration>, AgentFault> {
        match end.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(self.late()),
            left => Ok(Some(left)),
        }
    }

    fn shown(&self) -> String {
        self.socket.display().to_string()
    }

    fn late(&self) -> AgentFault {
        AgentFault::Late {
            socket: self.shown(),
            seconds: self.within.as_secs(),
        }
    }

    fn failed(&self, error: &std::io::Error) -> AgentFault {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => self.late(),
            _ => AgentFault::Unreachable {
                socket: self.shown(),
                why: error.to_string(),
            },
        }
    }

    fn faulty(&self, what: &str) -> AgentFault {
        AgentFault::Faulty {
            socket: self.shown(),
            what: what.to_owned(),
        }
    }

    fn other_answer(&self, answer: &[u8]) -> AgentFault {
        match answer.first() {
            Some(&FAILURE) => AgentFault::Refused {
                socket: self.shown(),
            },
            kind => self.faulty(&format!("an answer of the type {kind:?}")),
        }
    }
}

impl AgentKey {
    /// The public half.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Asks the agent whether it has the key. Nothing is signed, and no person is asked.
    ///
    /// # Errors
    /// [`AgentFault::NotHeld`], or why the agent did not say.
    pub fn check_held(&self) -> Result<(), AgentFault> {
        let keys = self.agent.keys()?;
        match keys.contains(&self.public) {
            true => Ok(()),
            false => Err(AgentFault::NotHeld {
                socket: self.agent.shown(),
                fingerprint: self.public.fingerprint(),
            }),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, AgentFault> {
        let mut request = vec![SIGN_REQUEST];
        push_string(&mut request, &blob(&self.public));
        push_string(&mut request, message);
        // No flags: they are RSA's.
        request.extend_from_slice(&0_u32.to_be_bytes());
        let answer = self.agent.ask(&request)?;
        let Some((&SIGN_RESPONSE, rest)) = answer.split_first() else {
            return Err(self.agent.other_answer(&answer));
        };
        let signature = take_string(rest).and_then(|(blob, _)| signature_of_blob(blob));
        let signature = signature.ok_or_else(|| self.agent.faulty("its signature is malformed"))?;
        let signature = Signature::from_bytes(signature);
        // A faulty agent is found here, and not by whoever is given the signature.
        let holds = self.verifying.verify(message, &signature);
        holds.map_err(|_| self.agent.faulty("its signature does not hold"))?;
        Ok(signature)
    }
}

impl Sign for AgentKey {
    fn public(&self) -> PublicKey {
        self.public
    }

    fn try_sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        self.sign(message).map_err(|why| SignError {
            key: self.public,
            why,
        })
    }
}
