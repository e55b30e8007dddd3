//! A client that speaks HTTPS, trusts one authority, and keeps the certificate that it was shown.

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::client::{Reply, connect, read_reply};

pub(crate) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// A client that trusts an authority, under a clock of the machine.
pub(crate) fn trusting(pem: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Connects and agrees on keys under a name.
pub(crate) fn open(config: &Arc<ClientConfig>, address: SocketAddr, name: &str) -> std::io::Result<TlsStream> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = ClientConnection::new(config.clone(), name).map_err(std::io::Error::other)?;
    let mut socket = connect(address);
    connection.complete_io(&mut socket)?;
    Ok(StreamOwned::new(connection, socket))
}

/// Sends bytes and reads one answer.
pub(crate) fn raw(config: &Arc<ClientConfig>, address: SocketAddr, bytes: &[u8]) -> std::io::Result<Reply> {
    let mut stream = open(config, address, "localhost")?;
    stream.write_all(bytes)?;
    stream.flush()?;
    read_reply(&mut BufReader::new(stream), bytes.starts_with(b"HEAD"))
}

pub(crate) fn get(config: &Arc<ClientConfig>, address: SocketAddr, path: &str, headers: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    raw(config, address, request.as_bytes()).unwrap()
}

/// The certificate that a server shows.
pub(crate) fn shown(config: &Arc<ClientConfig>, address: SocketAddr, name: &str) -> std::io::Result<Vec<u8>> {
    let stream = open(config, address, name)?;
    Ok(stream.conn.peer_certificates().unwrap()[0].to_vec())
}
