//! TLS by rustls: a certificate and a key from files, which may be replaced while the server runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use super::certificate_end::certificate_end;
use crate::durable::open_to_others;

/// Why TLS can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read as PEM.
    #[error("{0}: {1}; give certificates, the server's own first, and a private key, in PEM")]
    Pem(PathBuf, String),
    /// Others can read the key.
    #[error("{0} can be read by others (mode {1:o}); run: chmod 600 {0}")]
    Open(PathBuf, u32),
    /// The certificate and the key do not make a server.
    #[error("{0} with the key in {1}: {2}")]
    Config(PathBuf, PathBuf, String),
}

/// The server's certificate and key as they are now.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    /// Replaced whole by [`Self::reload`]; connections keep the one that they began with.
    config: RwLock<Arc<ServerConfig>>,
    /// When the first certificate of the chain ends, in seconds since 1970 UTC; `None` if one can't be read.
    ends: RwLock<Option<u64>>,
}

impl Tls {
    /// Reads a certificate chain and its key.
    ///
    /// # Errors
    /// [`TlsError`] says what to mend.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let (config, ends) = read(certificate, key)?;
        Ok(Self {
            config: RwLock::new(Arc::new(config)),
            ends: RwLock::new(ends),
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Reads both files again, for the connections to come.
    ///
    /// # Errors
    /// [`TlsError`]; what was read before is then still used.
    pub fn reload(&self) -> Result<(), TlsError> {
        let (config, ends) = read(&self.certificate, &self.key)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        *self.ends.write().unwrap_or_else(PoisonError::into_inner) = ends;
        Ok(())
    }

    pub(super) fn ends(&self) -> Option<u64> {
        *self.ends.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&config))
    }
}

/// When the first certificate of a chain in a file ends, in seconds since 1970 UTC; `None` if one can't be read.
///
/// # Errors
/// [`TlsError::Pem`] for a file that holds none.
pub fn certificate_ends_at(certificate: &Path) -> Result<Option<u64>, TlsError> {
    Ok(first_end(&read_chain(certificate)?))
}

fn read_chain(certificate: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_file_iter(certificate);
    let chain = chain.and_then(Iterator::collect::<Result<Vec<_>, _>>);
    chain.map_err(|error| TlsError::Pem(certificate.to_owned(), error.to_string()))
}

fn first_end(chain: &[CertificateDer<'_>]) -> Option<u64> {
    let ends: Option<Vec<u64>> = chain.iter().map(|der| certificate_end(der)).collect();
    ends.and_then(|ends| ends.into_iter().min())
}

/// What the two files make, and when the first certificate of the chain ends.
fn read(certificate: &Path, key: &Path) -> Result<(ServerConfig, Option<u64>), TlsError> {
    let pem =
        |path: &Path, why: &dyn std::fmt::Display| TlsError::Pem(path.to_owned(), why.to_string());
    let chain = read_chain(certificate)?;
    let ends = first_end(&chain);
    let about = std::fs::metadata(key).map_err(|error| pem(key, &error))?;
    if let Some(mode) = open_to_others(&about) {
        return Err(TlsError::Open(key.to_owned(), mode));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| pem(key, &error))?;
    let bad = |error: rustls::Error| {
        TlsError::Config(certificate.to_owned(), key.to_owned(), error.to_string())
    };
    // HTTP/1.1 alone: that is what the server speaks.
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(bad)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(bad)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((config, ends))
}
