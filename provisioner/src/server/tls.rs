//! TLS: a certificate and its key, read again when their files change, as those who renew certificates expect.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use latchkey::mutex::Mutex;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// The certificate of a server.
pub(crate) struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    held: Mutex<(Seen, TlsAcceptor)>,
}

/// What the two files were when they were read.
type Seen = [Option<(SystemTime, u64)>; 2];

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file is missing, cannot be read, or is no PEM.
    #[error("cannot read `{}`: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why; nothing of its content.
        reason: &'static str,
    },
    /// The two do not belong together, or are of a kind that is not supported.
    #[error("the certificate and the key do not fit: {0}")]
    Pair(rustls::Error),
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Certificate({})", self.chain.display())
    }
}

impl Certificate {
    /// Reads the two files.
    pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let seen = seen([certificate, key]);
        let held = Mutex::new((seen, acceptor(certificate, key)?));
        Ok(Self { chain: certificate.to_owned(), key: key.to_owned(), held })
    }

    /// What connections are accepted with now.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.held.lock().1.clone()
    }

    /// Reads the files again if they have changed. Where they do not fit, as one of them is written just now, what was read
    /// before stays and it is tried again the next time.
    pub(super) fn refresh(&self) -> Result<bool, TlsError> {
        let now = seen([&self.chain, &self.key]);
        if self.held.lock().0 == now {
            return Ok(false);
        }
        let acceptor = acceptor(&self.chain, &self.key)?;
        *self.held.lock() = (now, acceptor);
        Ok(true)
    }
}

fn seen(paths: [&Path; 2]) -> Seen {
    paths.map(|path| path.metadata().ok().and_then(|held| Some((held.modified().ok()?, held.len()))))
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let fault = |path: &Path, reason| TlsError::File { path: path.to_owned(), reason };
    let readable = |path: &Path| {
        std::fs::File::open(path).map(drop).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => fault(path, "there is no such file"),
            std::io::ErrorKind::PermissionDenied => fault(path, "permission denied"),
            _ => fault(path, "it cannot be opened"),
        })
    };
    readable(certificate)?;
    readable(key)?;
    let chain: Result<Vec<_>, _> = match CertificateDer::pem_file_iter(certificate) {
        Ok(found) => found.collect(),
        Err(error) => Err(error),
    };
    let chain = chain.map_err(|_| fault(certificate, "it is not PEM"))?;
    if chain.is_empty() {
        return Err(fault(certificate, "there is no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|_| fault(key, "there is no private key in it, as PEM"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(TlsError::Pair)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
