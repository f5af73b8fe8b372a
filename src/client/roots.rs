//! Which certificate authorities a client trusts to name a server.

use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use crate::durable::{FileError, read_at_most};

/// No file of certificates is longer: that of all public authorities has some 250 kB.
const PEM_BYTES_MAX: usize = 4 << 20;

/// Certificates of authorities that a server's certificate may lead back to.
#[derive(Clone, Debug)]
pub struct CertificateRoots(RootCerts);

/// A file of certificates that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootsError {
    /// It can't be read.
    #[error(transparent)]
    Io(#[from] FileError),
    /// It holds none.
    #[error(
        "{} holds no certificate; give the authority's certificate in PEM, between -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----",
        .0.display()
    )]
    NoCertificate(PathBuf),
    /// A block in it can't be read.
    #[error("{}: {why}; give certificates in PEM", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It is longer than any.
    #[error("{} is longer than {PEM_BYTES_MAX} bytes, so it is no file of certificates", .0.display())]
    TooLong(PathBuf),
}

impl CertificateRoots {
    /// Those of this system (`SSL_CERT_FILE` and `SSL_CERT_DIR` where they are set); if it has none,
    /// as in a container without certificates, Mozilla's as of this build.
    pub fn system() -> Self {
        let found = rustls_native_certs::load_native_certs().certs;
        if found.is_empty() {
            return Self(RootCerts::WebPki);
        }
        let roots = found
            .iter()
            .map(|root| Certificate::from_der(root).to_owned());
        Self(roots.collect::<Vec<_>>().into())
    }

    /// None: no server is believed to be who it says.
    pub(super) fn none() -> Self {
        Self(Vec::new().into())
    }

    /// Those of a file in PEM, and no others: an authority of one's own.
    ///
    /// # Errors
    /// [`RootsError`] says what the file is.
    pub fn read(path: &Path) -> Result<Self, RootsError> {
        let bytes = read_at_most(path, PEM_BYTES_MAX)?;
        if bytes.len() > PEM_BYTES_MAX {
            return Err(RootsError::TooLong(path.to_owned()));
        }
        let malformed = |error: ureq::Error| RootsError::Malformed {
            path: path.to_owned(),
            why: error.to_string(),
        };
        let mut roots = Vec::new();
        for item in parse_pem(&bytes) {
            if let PemItem::Certificate(root) = item.map_err(malformed)? {
                roots.push(root);
            }
        }
        if roots.is_empty() {
            return Err(RootsError::NoCertificate(path.to_owned()));
        }
        Ok(Self(roots.into()))
    }

    pub(super) fn certificates(self) -> RootCerts {
        self.0
    }
}
