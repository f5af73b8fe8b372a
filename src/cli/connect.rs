//! How commands reach a server: one choice of trusted certificates for the whole command.

use std::path::Path;
use std::sync::OnceLock;

use arborlog::client::{CertificateRoots, Remote};

use super::Failure;

/// The authorities of --cacert. `main` sets it before a command runs, and nothing changes it.
static OWN_ROOTS: OnceLock<CertificateRoots> = OnceLock::new();

/// Trusts the authorities of this file, and no others, for all servers of this command.
pub fn trust(cacert: Option<&Path>) -> Result<(), Failure> {
    if let Some(path) = cacert {
        let roots = CertificateRoots::read(path).map_err(Failure::usage)?;
        OWN_ROOTS.get_or_init(|| roots);
    }
    Ok(())
}

/// The server at this URL.
pub fn to(url: &str) -> Remote {
    match OWN_ROOTS.get() {
        Some(roots) => Remote::trusting(url, roots.clone()),
        None => Remote::new(url),
    }
}
