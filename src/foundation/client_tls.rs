//! Whom a client believes over TLS: the authorities of the system, those that a person names, and a certificate that a person names itself.
//!
//! Many registries show a certificate that is its own authority (`openssl req -x509` makes no other), and their users name that one file, as
//! they do for docker. By the rules of RFC 5280 an authority's certificate is none of a server, and the verifier refuses it as such. Here it
//! is taken where the server shows, byte for byte, what was named: then nobody but the holder of that one key is believed, for the names in
//! it and while it is valid.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// What the verifier says of an authority's certificate that a server shows, and of nothing else; its type is private to it. It looks at the
/// time first (`webpki`, `check_issuer_independent_properties`).
const IS_AUTHORITY: &str = "CaUsedAsEndEntity";

/// A certificate to show, and its key.
#[derive(Debug)]
pub struct ClientIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ClientIdentity {
    /// Reads both from PEM. Nothing where one is missing.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Option<Self> {
        let chain = certificates(chain);
        let key = PrivateKeyDer::from_pem_slice(key).ok()?;
        (!chain.is_empty()).then_some(Self { chain, key })
    }
}

/// Reads the certificates of a PEM file; none where one of them is none.
pub fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .unwrap_or_default()
}

/// Makes what a client needs, with these certificates beside the system's, showing its own where a server asks for one.
///
/// # Errors
///
/// Where the system has no authorities and none is named, where a named certificate is none, and where a key does not fit its certificate.
pub fn client_config(
    named: Vec<CertificateDer<'static>>,
    shown: Option<ClientIdentity>,
) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = NamedVerifier {
        authorities: Verifier::new_with_extra_roots(named.iter().cloned(), Arc::clone(&provider))?,
        named,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match shown {
        Some(ClientIdentity { chain, key }) => builder.with_client_auth_cert(chain, key),
        None => Ok(builder.with_no_client_auth()),
    }
}

#[derive(Debug)]
struct NamedVerifier {
    authorities: Verifier,
    named: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for NamedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self
            .authorities
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            Err(Error::InvalidCertificate(CertificateError::Other(error)))
                if error.to_string() == IS_AUTHORITY && self.named.iter().any(|named| named == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}
