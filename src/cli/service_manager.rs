//! Telling systemd, or whatever else started this process by its protocol, how far it is (sd_notify(3)).
//!
//! A message is a datagram to the socket that `NOTIFY_SOCKET` names. Nothing comes of one that can't be
//! sent but a line of the log: a server that nobody supervises serves as well.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::sync::Arc;
use std::time::Duration;

/// A message waits for so long while the manager has too many others; of Linux ten fill its queue.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who supervises this process, if anybody does. Clones tell the same.
#[derive(Clone, Default)]
pub struct ServiceManager(Option<Arc<Told>>);

struct Told {
    /// Waits for [`PATIENCE`]: what is sent is sent once.
    patient: UnixDatagram,
    /// Never waits: what is sent is sent again soon.
    hasty: UnixDatagram,
    address: SocketAddr,
}

impl ServiceManager {
    /// The one that the environment names.
    pub fn of_environment() -> Self {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Self(None);
        };
        let told = address_of(&name).and_then(|address| {
            let (patient, hasty) = (UnixDatagram::unbound()?, UnixDatagram::unbound()?);
            patient.set_write_timeout(Some(PATIENCE))?;
            hasty.set_nonblocking(true)?;
            Ok(Told {
                patient,
                hasty,
                address,
            })
        });
        match told {
            Ok(told) => Self(Some(Arc::new(told))),
            Err(error) => {
                tracing::warn!(%error, ?name, "the service manager can't be told: NOTIFY_SOCKET is no address of a socket here");
                Self(None)
            }
        }
    }

    /// The server serves; `status` says so to people.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// What can be read again while it serves is being read; [`Self::reloaded`] follows.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000) + now.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// It was read again, or stays as it was.
    pub fn reloaded(&self) {
        self.tell("READY=1");
    }

    /// The server stops.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=answering what is under way, and saving the state");
    }

    /// Says again and again that tasks still have their turns, if a watchdog waits for that: it ends a process
    /// that does not say so. Only within a runtime.
    pub fn keep_alive(&self) {
        let (Some(every), Some(told)) = (watchdog(), self.0.clone()) else {
            return;
        };
        tokio::spawn(async move {
            let mut turns = tokio::time::interval(every);
            loop {
                turns.tick().await;
                told.send(&told.hasty, "WATCHDOG=1");
            }
        });
    }

    fn tell(&self, message: &str) {
        if let Self(Some(told)) = self {
            told.send(&told.patient, message);
        }
    }
}

impl Told {
    fn send(&self, by: &UnixDatagram, message: &str) {
        if let Err(error) = by.send_to_addr(message.as_bytes(), &self.address) {
            tracing::warn!(%error, message, "the service manager was not told");
        }
    }
}

/// A path, or behind `@` a name of Linux's abstract sockets.
fn address_of(name: &OsStr) -> std::io::Result<SocketAddr> {
    match name.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(name),
    }
}

/// Half the time after which a watchdog ends this process, if there is one that waits for this process.
fn watchdog() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    if std::env::var_os("WATCHDOG_PID").is_some()
        && number("WATCHDOG_PID") != Some(u64::from(process::id()))
    {
        return None;
    }
    let half = number("WATCHDOG_USEC")? / 2;
    (half > 0).then(|| Duration::from_micros(half))
}
