//! How commands reach a server: one choice of trusted certificates for the whole command.

use std::path::Path;
use std::sync::OnceLock;

use arborlog::client::{CertificateRoots, Remote, RootsError, Waiting};
use arborlog::outcome::Outcome;

use super::Failure;

/// The authorities of --cacert. `main` sets it before a command runs, and nothing changes it.
static OWN_ROOTS: OnceLock<CertificateRoots> = OnceLock::new();

/// Trusts the authorities of this file, and no others, for all servers of this command.
pub fn trust(cacert: Option<&Path>) -> Result<(), Failure> {
    if let Some(path) = cacert {
        let roots = CertificateRoots::read(path).map_err(|error| match error {
            RootsError::Io(error) => Failure::of(Outcome::Unchecked, error),
            error => Failure::usage(error),
        })?;
        OWN_ROOTS.get_or_init(|| roots);
    }
    Ok(())
}

/// The server at this URL, or several with commas between. While it is waited for, standard error says so.
pub fn to(url: &str) -> Remote {
    let remote = match OWN_ROOTS.get() {
        Some(roots) => Remote::trusting(url, roots.clone()),
        None => Remote::new(url),
    };
    remote.telling(tell_waiting)
}

/// A server whose answer nobody waits for: it is asked once, and has 10 s for it.
pub fn quickly(url: &str) -> Remote {
    Remote::unawaited(url, OWN_ROOTS.get().cloned())
}

/// The servers of one ledger, at the addresses that a flag was given.
pub fn to_any(servers: &[String]) -> Remote {
    to(&servers.join(","))
}

fn tell_waiting(waiting: &Waiting<'_>) {
    errln!(
        "waiting for {}: {}; it is asked again for {} s more",
        waiting.url,
        waiting.why,
        waiting.more.as_secs()
    );
}
