//! HTTPS: one certificate that both servers show, and a client that speaks one version and one cipher with both.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::pki_types::CertificateDer;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const NAME: &str = "localhost";

/// A certificate for this machine, and its key.
pub(crate) struct Certificate {
    pub(crate) pem: PathBuf,
    pub(crate) key: PathBuf,
    der: CertificateDer<'static>,
}

/// Ciphers that are measured: what Go's clients ask for first (docker, podman, skopeo, helm, containerd), and OpenSSL's.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cipher {
    Aes128,
    Aes256,
}

/// How a client reaches a server over HTTPS.
pub(crate) struct Client(Arc<ClientConfig>);

impl Certificate {
    /// Makes one in a folder.
    pub(crate) fn make(folder: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
        let (pem, key) = (folder.join("tls.pem"), folder.join("tls.key"));
        fs::write(&pem, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        // Keys that others may read are refused.
        fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        Self {
            pem,
            key,
            der: made.cert.der().clone(),
        }
    }
}

impl Cipher {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aes128 => "AES-128-GCM",
            Self::Aes256 => "AES-256-GCM",
        }
    }
}

impl Client {
    pub(crate) fn new(certificate: &Certificate, cipher: Cipher) -> Self {
        let suite = match cipher {
            Cipher::Aes128 => cipher_suite::TLS13_AES_128_GCM_SHA256,
            Cipher::Aes256 => cipher_suite::TLS13_AES_256_GCM_SHA384,
        };
        let provider = CryptoProvider {
            cipher_suites: vec![suite],
            ..default_provider()
        };
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(Arc::new(config))
    }

    pub(crate) fn connect(&self, address: SocketAddr) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let connection = ClientConnection::new(self.0.clone(), NAME.try_into().unwrap()).unwrap();
        Ok(StreamOwned::new(connection, TcpStream::connect(address)?))
    }
}
